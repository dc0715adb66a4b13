//! People breathing in front of an Intel 5300; they counted their own breaths, to ±1.5 a minute.

use super::breathing_phantom::{Recording, breathe, rows, summary};
use crate::{Dataset, Failure, Report};
use std::path::{Path, PathBuf};
use wavewitness_captures::{CaptureFrame, Clock, Format, Reader};
use wavewitness_types::Timestamp;

/// The dataset of this module.
pub const BREATHING_5300: Dataset =
    Dataset { name: "breathing-5300", arguments: "FILE.dat BPM [FILE.dat BPM …]", run, find };

/// What is known to be reached: 3 of 4 files within 1.5 bpm.
const PEER_SHARE: f64 = 0.75;

/// Every file whose name says the rate, with that rate.
fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(dir.join("breathing_human_5300")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    let rate = |path: &PathBuf| Some([path.clone(), named_rate(path.file_stem()?.to_str()?)?.into()]);
    let arguments: Vec<PathBuf> = files.iter().filter_map(rate).flatten().collect();
    if arguments.is_empty() { Vec::new() } else { vec![arguments] }
}

/// The rate in a name: digits before `bpm` (`ryan_breath9bpm`), else a part that is a number of two digits
/// (`abc_0329_15_f5`, where 0329 is a date).
fn named_rate(stem: &str) -> Option<String> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if let Some(front) = stem.strip_suffix("bpm").or_else(|| stem.split_once("bpm").map(|s| s.0)) {
        let rate = &front[front.trim_end_matches(|c: char| c.is_ascii_digit()).len()..];
        return digits(rate).then(|| rate.to_owned());
    }
    stem.split('_').find(|part| part.len() <= 2 && digits(part)).map(str::to_owned)
}

/// Every file with the rate behind it.
pub(crate) fn pairs(paths: &[PathBuf]) -> Result<Vec<(Recording, f64)>, Failure> {
    let pair = |pair: &[PathBuf]| {
        let rate = pair.get(1).and_then(|p| p.to_str()?.parse::<f64>().ok()).filter(|bpm| bpm.is_finite());
        let truth = rate.ok_or_else(|| {
            Failure(format!("{} needs its rate behind it, in breaths a minute", pair[0].display()))
        })?;
        Ok((read(&pair[0])?, truth))
    };
    paths.chunks(2).map(pair).collect()
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let mut report = Report::new("breathing-5300");
    let mut errors = Vec::new();
    for (recording, truth) in pairs(paths)? {
        let outcome = breathe(&recording)?;
        errors.push(outcome.rate.map(|r| (r.bpm - truth).abs()));
        report.rows.extend(rows(&recording.name, truth, 1.5, &outcome));
    }
    report.rows.push(summary(&errors, 1.5, PEER_SHARE));
    report.notes.push("truth: the person's own count, ±1.5 a minute".to_owned());
    report.notes.push(
        "the rate of a file is that of the windows that cover it, counted back from its end".to_owned(),
    );
    Ok(report)
}

/// The frames of a file that have the shape of the first, by the chip's clock.
pub(super) fn read(path: &Path) -> Result<Recording, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::read(path, e))?;
    let name = path.file_stem().and_then(|s| s.to_str()).unwrap_or("recording").to_owned();
    let mut recording = Recording { name, rx: 0, tx: 0, tones: Vec::new(), packets: Vec::new() };
    let mut frame = CaptureFrame::default();
    let mut reader = Reader::new(Format::Intel5300, &bytes);
    // The chip's counter wraps after 71.6 minutes.
    let (mut turns_ns, mut before_ns) = (0, 0);
    while let Some(read) = reader.read(&mut frame) {
        let (Ok(()), Some(time)) = (read, frame.time) else { continue };
        if let Clock::Chip { period_ns: Some(period) } = time.clock
            && time.ns + period / 2 < before_ns
        {
            turns_ns += period;
        }
        before_ns = time.ns;
        if recording.packets.is_empty() {
            (recording.rx, recording.tx) = (frame.rx, frame.tx);
            recording.tones.clone_from(&frame.tones);
        }
        if (frame.rx, frame.tx) == (recording.rx, recording.tx) && frame.tones == recording.tones {
            let re = frame.values.iter().map(|z| z.re).collect();
            let im = frame.values.iter().map(|z| z.im).collect();
            recording.packets.push((Timestamp(turns_ns + time.ns), re, im));
        }
    }
    if recording.packets.is_empty() {
        return Err(Failure(format!("{}: no frame of an Intel 5300", path.display())));
    }
    Ok(recording)
}

#[cfg(test)]
mod tests {
    use super::named_rate;

    #[test]
    fn the_rate_is_read_from_the_name() {
        for (name, rate) in [("abc_breath24bpm", "24"), ("ryan_breath9bpm", "9"), ("abc_0329_15_f5", "15")] {
            assert_eq!(named_rate(name).as_deref(), Some(rate));
        }
        assert_eq!(named_rate("log"), None);
    }
}
