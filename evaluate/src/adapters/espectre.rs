//! ESPectre: ten seconds quiet, ten seconds moving, over several ESP32 chips; and quiet then moving in one file.
//!
//! Quiet is learned on the first half of a quiet file; its second half counts false alarms. The moving file then streams
//! on behind it, as ESPectre's own tests do it ("continuous"), or into a detector that has forgotten the last seconds
//! ("cold": what counts is motion inside the file alone, and the second that a detector needs to begin). ESPectre counts
//! per packet; the hub decides per cycle of 50 ms: both are given. There are no packet times: they are spread evenly.

use super::npz;
use crate::{Dataset, Failure, Judgement, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_ingest::encode::{CsiHeader, encode_csi_v1_bytes};
use wavewitness_ingest::{Packet, parse};
use wavewitness_motion::{Condition, Config, Plan, State};
use wavewitness_num::math;
use wavewitness_types::{LinkId, NodeId, Samples, Timestamp};

/// The dataset of this module.
pub const ESPECTRE: Dataset = Dataset {
    name: "espectre",
    arguments: "QUIET.npz MOVING.npz [QUIET.npz MOVING.npz …] [TEST.npz …]   (by the label inside)",
    run,
    find,
};

/// A cycle of the hub.
pub(super) const CYCLE_NS: u64 = 50_000_000;

/// What the detector said in one cycle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision {
    pub at: Timestamp,
    pub moving: bool,
    pub z: Option<f32>,
}

/// The stage, fed with one link's frames, cycle by cycle.
pub(super) struct Stream {
    plan: Plan,
    state: State,
    cycle_end: Timestamp,
    out: Vec<wavewitness_motion::LinkMotion>,
    /// One for each cycle since [`Stream::cut`].
    pub decisions: Vec<Decision>,
    /// The cycle of each frame since [`Stream::cut`].
    pub frames: Vec<usize>,
}

impl Stream {
    pub fn new() -> Result<Stream, Failure> {
        let plan = Plan::new(&Config::default()).map_err(|e| Failure(e.to_string()))?;
        let state = State::new(&plan);
        let (out, decisions, frames) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Stream { plan, state, cycle_end: Timestamp(CYCLE_NS), out, decisions, frames })
    }

    /// Takes a frame; ends the cycles before it.
    pub fn frame(&mut self, at: Timestamp, samples: &Samples) {
        while at >= self.cycle_end {
            self.end_cycle();
        }
        self.frames.push(self.decisions.len());
        self.plan.samples(LinkId(0), at, samples, &mut self.state);
    }

    fn end_cycle(&mut self) {
        self.plan.end_cycle(self.cycle_end, 1, &mut self.state, &mut self.out);
        let link = self.out[0];
        self.decisions.push(Decision { at: self.cycle_end, moving: link.moving, z: link.z });
        self.cycle_end = self.cycle_end.plus_nanos(CYCLE_NS);
    }

    /// Takes what was decided so far away, with the cycle of each frame.
    pub fn cut(&mut self) -> Scored {
        self.end_cycle();
        Scored { decisions: std::mem::take(&mut self.decisions), frames: std::mem::take(&mut self.frames) }
    }

    /// Forgets the last seconds.
    pub fn restart(&mut self) {
        self.plan.restart(&mut self.state);
    }

    /// True once quiet is known.
    pub fn ready(&self) -> bool {
        self.out.first().is_some_and(|link| link.condition == Condition::Ready)
    }

    /// When the running cycle ends.
    pub fn now(&self) -> Timestamp {
        self.cycle_end
    }
}

/// Decisions and the frames that belong to them.
pub(super) struct Scored {
    pub decisions: Vec<Decision>,
    pub frames: Vec<usize>,
}

/// Moving and all: of cycles, of packets.
#[derive(Clone, Copy, Default)]
struct Tally {
    cycles: (u32, u32),
    packets: (u32, u32),
}

impl Scored {
    fn tally(&self) -> Tally {
        let mut t = Tally::default();
        for d in &self.decisions {
            t.cycles.0 += u32::from(d.moving);
            t.cycles.1 += 1;
        }
        for d in self.frames.iter().filter_map(|&k| self.decisions.get(k)) {
            t.packets.0 += u32::from(d.moving);
            t.packets.1 += 1;
        }
        t
    }
}

fn share((some, all): (u32, u32)) -> f64 {
    f64::from(some) / f64::from(all.max(1))
}

/// 2·TP / (2·TP + FP + FN).
fn f1(quiet: (u32, u32), moving: (u32, u32)) -> f64 {
    let hits = f64::from(2 * moving.0);
    let errors = f64::from(quiet.0) + f64::from(moving.1 - moving.0);
    hits / math::max_f64(1.0, hits + errors)
}

/// One recording.
struct Recording {
    name: String,
    label: String,
    chip: String,
    interval_ns: u64,
    frames: Vec<Samples>,
    refused: usize,
    path: PathBuf,
}

fn read(path: &Path) -> Result<Recording, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::read(path, e))?;
    let need = |name: &str| {
        npz::array(&bytes, name).ok_or_else(|| Failure::read(path, format!("no sound array {name}")))
    };
    let csi = need("csi_data")?;
    let [count, width] = csi.shape[..] else { return Err(Failure::read(path, "csi_data is not a table")) };
    let sound = csi.kind == "|i1" && count > 1 && width > 0 && csi.data.len() == count * width;
    let duration_ms = need("duration_ms")?.float().filter(|d| *d > 0.0 && *d < 1e9);
    let (true, Some(duration_ms)) = (sound, duration_ms) else {
        return Err(Failure::read(path, "csi_data is not int8, or duration_ms is no time"));
    };
    let mut frames = Vec::with_capacity(count);
    let mut datagram = Vec::new();
    for (k, iq) in csi.data.chunks_exact(width).enumerate() {
        datagram.clear();
        encode_csi_v1_bytes(&CsiHeader::bare(NodeId(1), k as u32), iq, &mut datagram);
        if let Ok(Packet::Csi(f) | Packet::RestoredCsi(f)) = parse(Timestamp(0), &datagram) {
            frames.push(f.samples);
        }
    }
    let text = |name: &str| npz::array(&bytes, name).and_then(|a| a.text()).unwrap_or_default();
    Ok(Recording {
        name: path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        label: text("label"),
        chip: text("chip"),
        interval_ns: (duration_ms * 1e6 / count as f64) as u64,
        refused: count - frames.len(),
        frames,
        path: path.to_owned(),
    })
}

impl Recording {
    /// Streams frames `range` of it, the first at `start`; returns when the next would come.
    fn stream(&self, range: std::ops::Range<usize>, start: Timestamp, to: &mut Stream) -> Timestamp {
        let mut at = start;
        for samples in &self.frames[range] {
            to.frame(at, samples);
            at = at.plus_nanos(self.interval_ns);
        }
        at
    }
}

/// What a pair of files came to.
struct Pair {
    false_alarms: Tally,
    continuous: Tally,
    cold: Tally,
    quiet_z: f32,
}

fn pair(quiet: &Recording, moving: &Recording) -> Result<Pair, Failure> {
    let half = quiet.frames.len() / 2;
    let mut learner = Stream::new()?;
    let at = quiet.stream(0..half, Timestamp(0), &mut learner);
    learner.cut();
    let at = quiet.stream(half..quiet.frames.len(), at, &mut learner);
    // The running cycle belongs to the quiet file if most of it does: the next frame ends it.
    let false_alarms = Scored {
        decisions: std::mem::take(&mut learner.decisions),
        frames: std::mem::take(&mut learner.frames),
    };
    let worst = false_alarms.decisions.iter().filter_map(|d| d.z).fold(-50.0, math::max_f32);
    moving.stream(0..moving.frames.len(), at, &mut learner);
    let continuous = learner.cut().tally();
    let cold = cold(quiet, moving)?;
    Ok(Pair { false_alarms: false_alarms.tally(), continuous, cold, quiet_z: worst })
}

/// Calibrated on the first half of `quiet`, the last seconds forgotten.
fn cold(quiet: &Recording, moving: &Recording) -> Result<Tally, Failure> {
    let mut stream = Stream::new()?;
    quiet.stream(0..quiet.frames.len() / 2, Timestamp(0), &mut stream);
    stream.cut();
    stream.restart();
    let start = stream.now();
    moving.stream(0..moving.frames.len(), start, &mut stream);
    Ok(stream.cut().tally())
}

/// The first moving packet of a test file: as the dataset's own description says, else the middle.
fn onset(test: &Recording) -> usize {
    let described = || {
        let info = test.path.parent()?.parent()?.join("dataset_info.json");
        let info: serde_json::Value = serde_json::from_slice(&std::fs::read(info).ok()?).ok()?;
        let file = test.path.file_name()?.to_str()?;
        let entry = info["files"]["test"].as_array()?.iter().find(|e| e["filename"] == file)?;
        let rest = entry["description"].as_str()?.split_once("packet index ")?.1;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    described().filter(|&k| k > 0 && k < test.frames.len()).unwrap_or(test.frames.len() / 2)
}

/// A test file through the stage: what was decided, and when motion begins.
fn play(test: &Recording) -> Result<(Scored, Timestamp), Failure> {
    let onset = onset(test);
    let mut stream = Stream::new()?;
    let begins = test.stream(0..onset, Timestamp(0), &mut stream);
    test.stream(onset..test.frames.len(), begins, &mut stream);
    Ok((stream.cut(), begins))
}

/// Every cycle of a file and when motion begins in it, for a drawing; `None` if it is no test file.
pub(crate) fn timeline(path: &Path) -> Result<Option<(Vec<Decision>, Timestamp)>, Failure> {
    let test = read(path)?;
    if test.label != "test" {
        return Ok(None);
    }
    play(&test).map(|(scored, begins)| Some((scored.decisions, begins)))
}

fn test_file(test: &Recording, report: &mut Report) -> Result<(), Failure> {
    let (scored, begins) = play(test)?;
    let before = scored.decisions.iter().filter(|d| d.at < begins && d.moving).count();
    let first = scored.decisions.iter().find(|d| d.at >= begins && d.moving);
    let after: Vec<_> = scored.decisions.iter().filter(|d| d.at >= begins).collect();
    let found = after.iter().filter(|d| d.moving).count() as f64 / after.len().max(1) as f64;
    let delay = first.map_or(f64::NAN, |d| d.at.seconds_since(begins));
    let name = &test.name;
    let bar = Judgement::AtMost;
    report.rows.push(Row::new(name, "time to first detection", delay, "s").peer(0.65).bar(bar(0.5)));
    report.rows.push(Row::new(name, "cycles with a false alarm", before as f64, "").peer(0.0).bar(bar(0.0)));
    report.rows.push(Row::new(name, "recall, cycles", found, ""));
    Ok(())
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count().max(1) as f64
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let recordings = paths.iter().map(|p| read(p)).collect::<Result<Vec<_>, _>>()?;
    let mut report = Report::new("espectre");
    let refused: usize = recordings.iter().map(|r| r.refused).sum();
    if refused > 0 {
        report.notes.push(format!("{refused} frames were refused by ingest"));
    }
    let (mut waiting, mut pairs) = (None, Vec::new());
    for r in &recordings {
        match (r.label.as_str(), waiting) {
            ("test", _) => test_file(r, &mut report)?,
            ("baseline", _) => waiting = Some(r),
            (_, Some(quiet)) => {
                pairs.push((quiet, r));
                waiting = None;
            }
            (label, None) => {
                return Err(Failure::read(
                    &r.path,
                    format!("label {label:?} without a quiet file before it"),
                ));
            }
        }
    }
    if !pairs.is_empty() {
        score(&pairs, &mut report)?;
    }
    Ok(report)
}

fn score(pairs: &[(&Recording, &Recording)], report: &mut Report) -> Result<(), Failure> {
    let mut results = Vec::new();
    for (quiet, moving) in pairs {
        let r = pair(quiet, moving)?;
        let name = quiet.name.trim_start_matches("baseline_");
        let row = |metric: &str, value| Row::new(name, metric, value, "");
        report.rows.push(row("false-alarm rate, cycles", share(r.false_alarms.cycles)));
        report.rows.push(row("largest z in quiet", f64::from(r.quiet_z)));
        report.rows.push(row("F1, cycles, continuous", f1(r.false_alarms.cycles, r.continuous.cycles)));
        report.rows.push(row("F1, packets, continuous", f1(r.false_alarms.packets, r.continuous.packets)));
        report.rows.push(row("F1, cycles, cold", f1(r.false_alarms.cycles, r.cold.cycles)));
        results.push(r);
    }
    let all = |metric: &str, value| Row::new(format!("{} pairs", results.len()), metric, value, "");
    let cycles = results.iter().map(|r| f1(r.false_alarms.cycles, r.continuous.cycles));
    let packets = results.iter().map(|r| f1(r.false_alarms.packets, r.continuous.packets));
    let cold_f1 = results.iter().map(|r| f1(r.false_alarms.cycles, r.cold.cycles));
    let rate = mean(results.iter().map(|r| share(r.false_alarms.cycles)));
    let packet_rate = mean(results.iter().map(|r| share(r.false_alarms.packets)));
    let (at_most, at_least) = (Judgement::AtMost, Judgement::AtLeast);
    report.rows.push(all("mean false-alarm rate, cycles", rate).peer(0.171).bar(at_most(0.01)));
    report.rows.push(all("mean false-alarm rate, packets", packet_rate).peer(0.171).bar(at_most(0.01)));
    report.rows.push(all("mean F1, cycles", mean(cycles.clone())).peer(0.931).bar(at_least(0.99)));
    report
        .rows
        .push(all("worst F1, cycles", cycles.fold(1.0, math::min_f64)).peer(0.581).bar(at_least(0.96)));
    report.rows.push(all("mean F1, packets", mean(packets.clone())).peer(0.931).bar(at_least(0.99)));
    report
        .rows
        .push(all("worst F1, packets", packets.fold(1.0, math::min_f64)).peer(0.581).bar(at_least(0.96)));
    report.rows.push(all("mean F1, cycles, cold", mean(cold_f1.clone())));
    report.rows.push(all("worst F1, cycles, cold", cold_f1.fold(1.0, math::min_f64)));
    let mut crossed = Vec::new();
    for (quiet, own) in pairs {
        for (_, moving) in pairs.iter().filter(|(_, m)| m.chip == quiet.chip && m.path != own.path) {
            crossed.push(share(cold(quiet, moving)?.cycles));
        }
    }
    if !crossed.is_empty() {
        let row =
            |metric: &str, value| Row::new(format!("{} crossed pairs", crossed.len()), metric, value, "");
        report.rows.push(row("mean recall, cycles, cold", mean(crossed.iter().copied())));
        report.rows.push(row("worst recall, cycles, cold", crossed.iter().copied().fold(1.0, math::min_f64)));
    }
    report.notes.push(
        "continuous: the moving file streams on behind the quiet one, as ESPectre's tests do it; cold: the last seconds are \
         forgotten in between, and most moving files begin with up to 0.9 s without motion"
            .to_owned(),
    );
    Ok(())
}

fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let dir = dir.join("motion_espectre");
    let files = |sub: &str| {
        let entries = std::fs::read_dir(dir.join(sub)).into_iter().flatten().flatten().map(|e| e.path());
        let mut files: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "npz")).collect();
        files.sort();
        files
    };
    // `baseline_<chip>_64sc_<date>_<time>`: the moving file of a quiet one is the next of its chip.
    let key = |p: &Path| {
        let stem = p.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let parts: Vec<String> = stem.split('_').map(str::to_owned).collect();
        (parts.get(1).cloned().unwrap_or_default(), parts.get(3..).map(|t| t.join("_")).unwrap_or_default())
    };
    let moving = files("movement");
    let mut all = Vec::new();
    for quiet in files("baseline") {
        let (chip, time) = key(&quiet);
        let next = moving.iter().filter(|m| key(m).0 == chip && key(m).1 > time).min_by_key(|m| key(m).1);
        if let Some(next) = next {
            all.extend([quiet, next.clone()]);
        }
    }
    all.extend(files("test"));
    if all.is_empty() { Vec::new() } else { vec![all] }
}

#[cfg(test)]
mod tests {
    //! Guards the bars that were reached on recordings of others, where these are at hand.
    use super::*;

    #[test]
    fn recordings_of_others_reach_the_bars() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
        let dir = std::env::var_os("WAVEWITNESS_DATA").map_or_else(|| PathBuf::from(here), PathBuf::from);
        for (dataset, missed) in [
            // The channel of the 60 s file is at rest until 0.48 s after its mark.
            (ESPECTRE, vec!["time to first detection"]),
            (super::super::hku::HKU, vec![]),
            (super::super::radiopoints::RADIOPOINTS, vec!["count of people"]),
        ] {
            let sets = (dataset.find)(&dir);
            if sets.is_empty() {
                eprintln!("SKIPPED: nothing of {} below {}", dataset.name, dir.display());
            }
            for paths in sets {
                let report = (dataset.run)(&paths).unwrap();
                let below: Vec<_> = report.rows.iter().filter(|r| r.met() == Some(false)).collect();
                assert!(below.iter().all(|r| missed.contains(&r.metric.as_str())), "{below:?}");
            }
        }
    }
}
