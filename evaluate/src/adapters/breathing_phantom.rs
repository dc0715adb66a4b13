//! Breathing phantom: a chest driven by a motor at an exact rate, Atheros 5.2 GHz. A run is `<run>_csi_real_log.csv`,
//! `<run>_csi_imag_log.csv`, `<run>_csi_status_log.csv` and `<run>.csv`; a row a packet. Of the real and imaginary rows,
//! each `[rx][tx][tone]` of 3 × 3 × 114, the rest is zero where the packet has fewer. Status: column 0 Unix time in
//! seconds, 4 to 6 receive chains, streams, tones. `<run>.csv` has a row `bpm,15`.

use crate::{Dataset, Failure, Judgement, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_breathing::{Config, Plan, Rate, Scratch, Shape, State};
use wavewitness_types::{Timestamp, ToneGrid};

/// The dataset of this module.
pub const BREATHING_PHANTOM: Dataset =
    Dataset { name: "breathing-phantom", arguments: "RUNFOLDER…", run, find };

/// What the best-known approach gets: amplitude of one pair, 28 runs, within 1 bpm.
const PEER_SHARE: f64 = 15.0 / 28.0;

/// Packets of one receiver.
pub(crate) struct Recording {
    pub name: String,
    pub rx: usize,
    pub tx: usize,
    pub tones: Vec<i16>,
    /// Time, and `[rx][tx][tone]` real and imaginary.
    pub packets: Vec<(Timestamp, Vec<f32>, Vec<f32>)>,
}

/// What the stage said of a recording.
pub(crate) struct Outcome {
    /// The mean over the windows that cover the recording, counted back from its end; where none of them has a rate,
    /// the newest that was given.
    pub rate: Option<Rate>,
    /// Estimates, one a second from the first that the window allows.
    pub asked: usize,
    /// Every rate given.
    pub rates: Vec<Rate>,
}

/// Runs a recording through the stage, with an estimate every second.
pub(crate) fn breathe(recording: &Recording) -> Result<Outcome, Failure> {
    let Recording { name, rx, tx, tones, packets } = recording;
    let config = Config::default();
    let shape = Shape { rx: *rx as u32, tx: *tx as u32, tones };
    let plan = Plan::new(&config, shape).map_err(|e| Failure(format!("{name}: {e}")))?;
    let (mut state, mut scratch) = (State::new(&plan), Scratch::new(&plan));
    let mut outcome = Outcome { rate: None, asked: 0, rates: Vec::new() };
    let (Some(first), Some(last)) = (packets.first().map(|p| p.0), packets.last().map(|p| p.0)) else {
        return Ok(outcome);
    };
    let mut next_s = config.least_s;
    let mut covering = Vec::new();
    for (at, re, im) in packets {
        plan.push(*at, re, im, &mut state);
        if at.seconds_since(first) < next_s && *at != last {
            continue;
        }
        next_s += 1.0;
        outcome.asked += 1;
        let Some(rate) = plan.estimate(&state, &mut scratch).rate() else { continue };
        outcome.rates.push(rate);
        // The end of a window is the first second that is not nearer to the recording's end than whole windows.
        let windows = last.seconds_since(*at) / config.window_s;
        if windows.fract() < 1.0 / config.window_s {
            covering.push(rate);
        }
    }
    outcome.rate = mean(&covering).or(outcome.rates.last().copied());
    Ok(outcome)
}

/// The mean rate, weighted by the seconds that each rests on.
fn mean(rates: &[Rate]) -> Option<Rate> {
    let span: f64 = rates.iter().map(|r| r.span_s).sum();
    let over = |f: fn(&Rate) -> f64| rates.iter().map(|r| r.span_s * f(r)).sum::<f64>() / span;
    let (last, parts) = (*rates.last()?, rates.len() as f64);
    Some(Rate { bpm: over(|r| r.bpm), sigma_bpm: over(|r| r.sigma_bpm) / parts.sqrt(), ..last })
}

/// The rows of one recording: error, rate, uncertainty, and how the estimates of every second did.
pub(super) fn rows(name: &str, truth: f64, bar: f64, outcome: &Outcome) -> Vec<Row> {
    let of = |f: fn(&Rate) -> f64| outcome.rate.as_ref().map_or(f64::NAN, f);
    let good = outcome.rates.iter().filter(|r| (r.bpm - truth).abs() <= bar).count();
    let share = |n: usize, of: usize| if of == 0 { f64::NAN } else { n as f64 / of as f64 };
    vec![
        Row::new(name, "true rate", truth, "bpm"),
        Row::new(name, "rate", of(|r| r.bpm), "bpm"),
        Row::new(name, "error", (of(|r| r.bpm) - truth).abs(), "bpm").bar(Judgement::AtMost(bar)),
        Row::new(name, "standard deviation", of(|r| r.sigma_bpm), "bpm"),
        Row::new(name, "seconds with a rate", share(outcome.rates.len(), outcome.asked), ""),
        Row::new(name, format!("of these within {bar} bpm"), share(good, outcome.rates.len()), ""),
    ]
}

/// The summary over recordings: how many reached the bar.
pub(super) fn summary(errors: &[Option<f64>], bar: f64, peer: f64) -> Row {
    let met = errors.iter().filter(|e| e.is_some_and(|e| e <= bar)).count();
    Row::new("all", format!("share within {bar} bpm, unknown counts as a miss"), met as f64, "")
        .peer(peer)
        .bar(Judgement::AtLeast(1.0))
        .over(errors.len())
}

impl Row {
    fn over(self, count: usize) -> Row {
        Row { value: self.value.filter(|_| count > 0).map(|v| v / count as f64), ..self }
    }
}

fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let folder = dir.join("breathing_phantom");
    if folder.is_dir() { vec![vec![folder]] } else { Vec::new() }
}

/// A recording and its true rate, breaths a minute.
pub(crate) type Run = (Recording, f64);

/// Every run below some folders, with its true rate, and why others can't be read.
pub(crate) fn runs(paths: &[PathBuf]) -> Result<(Vec<Run>, Vec<Failure>), Failure> {
    let mut stems = Vec::new();
    for path in paths {
        collect(path, 3, &mut stems)?;
    }
    if stems.is_empty() {
        return Err(Failure("no *_csi_real_log.csv in these folders".to_owned()));
    }
    stems.sort();
    let (mut runs, mut failures) = (Vec::new(), Vec::new());
    for stem in &stems {
        match read(stem).and_then(|recording| Ok((recording, truth(stem)?))) {
            Ok(run) => runs.push(run),
            Err(failure) => failures.push(failure),
        }
    }
    match failures.pop() {
        Some(failure) if runs.is_empty() => return Err(failure),
        last => failures.extend(last),
    }
    Ok((runs, failures))
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let mut report = Report::new("breathing-phantom");
    let (runs, failures) = runs(paths)?;
    // A run that can't be read is a miss.
    let mut errors = vec![None; failures.len()];
    report.notes.extend(failures.iter().map(Failure::to_string));
    for (recording, truth) in runs {
        let outcome = breathe(&recording)?;
        errors.push(outcome.rate.map(|r| (r.bpm - truth).abs()));
        report.rows.extend(rows(&recording.name, truth, 0.3, &outcome));
    }
    report.rows.push(summary(&errors, 0.3, PEER_SHARE));
    report.notes.push("peer: within 1 bpm in 15 of 28 runs".to_owned());
    report
        .notes
        .push("the rate of a run is that of the windows that cover it, counted back from its end".to_owned());
    Ok(report)
}

const REAL: &str = "_csi_real_log.csv";

/// Every run in a folder and the folders below, as its path without the endings.
fn collect(path: &Path, depth: u32, runs: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(path).map_err(|e| Failure::read(path, e))? {
        let entry = entry.map_err(|e| Failure::read(path, e))?.path();
        if entry.is_dir() && depth > 0 {
            collect(&entry, depth - 1, runs)?;
        } else if let Some(stem) = entry.to_str().and_then(|s| s.strip_suffix(REAL)) {
            runs.push(PathBuf::from(stem));
        }
    }
    Ok(())
}

fn with(stem: &Path, ending: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|e| Failure::read(path, e))
}

/// The rate from the nearest folder called `BPMnn`, else from the run's own description.
fn truth(stem: &Path) -> Result<f64, Failure> {
    let named = stem.ancestors().filter_map(|a| a.file_name()?.to_str()?.strip_prefix("BPM"));
    if let Some(bpm) = named.filter_map(|rate| rate.parse().ok().filter(|bpm: &f64| bpm.is_finite())).next() {
        return Ok(bpm);
    }
    let path = with(stem, ".csv");
    let described = text(&path)?
        .lines()
        .find_map(|l| l.strip_prefix("bpm,")?.trim().parse().ok())
        .filter(|bpm: &f64| bpm.is_finite());
    described.ok_or_else(|| Failure(format!("{}: no folder BPMnn and no row bpm", path.display())))
}

fn numbers(path: &Path) -> Result<Vec<Vec<f64>>, Failure> {
    let text = text(path)?;
    let mut rows = Vec::new();
    let mut lines = text.split_inclusive('\n').enumerate().peekable();
    while let Some((k, line)) = lines.next() {
        let row: Result<Vec<f64>, _> = line.trim_end().split(',').map(|x| x.trim().parse()).collect();
        match row {
            Ok(row) => rows.push(row),
            Err(_) if line.trim().is_empty() => {}
            // The file was cut off in the middle of a row.
            Err(_) if lines.peek().is_none() && !line.ends_with('\n') => {}
            Err(e) => return Err(Failure(format!("{} line {}: {e}", path.display(), k + 1))),
        }
    }
    Ok(rows)
}

fn read(stem: &Path) -> Result<Recording, Failure> {
    const WIDTH: usize = 114;
    let (re, im) = (numbers(&with(stem, REAL))?, numbers(&with(stem, "_csi_imag_log.csv"))?);
    let status = numbers(&with(stem, "_csi_status_log.csv"))?;
    let shape = status.first().filter(|row| row.len() > 6).map(|row| (row[4], row[5], row[6]));
    let (rx, tx, count) = shape.map_or((0, 0, 0), |(r, t, n)| (r as usize, t as usize, n as usize));
    if !((1..=3).contains(&rx) && (1..=3).contains(&tx)) {
        let text = "the first row does not say 1 to 3 receive chains and streams in columns 5 and 6";
        return Err(Failure::read(&with(stem, "_csi_status_log.csv"), text));
    }
    let grid = match count {
        56 => ToneGrid::Ht20,
        114 => ToneGrid::Ht40,
        _ => return Err(Failure(format!("{}: {count} tones, not 56 or 114", stem.display()))),
    };
    let folder = stem.parent().and_then(|p| p.file_name()).and_then(|n| n.to_str()).unwrap_or("run");
    let mut recording =
        Recording { name: folder.to_owned(), rx, tx, tones: grid.indices().to_vec(), packets: Vec::new() };
    for ((re, im), status) in re.iter().zip(&im).zip(&status) {
        let same = status.len() > 6 && (status[4], status[5]) == (rx as f64, tx as f64);
        let whole = (re.len(), im.len()) == (9 * WIDTH, 9 * WIDTH);
        if !(same && whole && status[6] == count as f64) {
            continue;
        }
        let pick = |row: &[f64]| -> Vec<f32> {
            let streams = (0..rx).flat_map(|r| (0..tx).map(move |t| (3 * r + t) * WIDTH));
            streams.flat_map(|at| row[at..at + count].iter().map(|&x| x as f32)).collect()
        };
        recording.packets.push((Timestamp((status[0] * 1e9) as u64), pick(re), pick(im)));
    }
    if recording.packets.is_empty() {
        return Err(Failure(format!("{}: no packet of {rx} × {tx} × {count} in it", stem.display())));
    }
    Ok(recording)
}

#[cfg(test)]
mod tests {
    //! Guards the real recordings under what other recordings may bring: short windows, losses, gain, other chains. Run
    //! with `--nocapture` for the table of `docs/algorithms/breathing.md`.

    use super::*;
    use crate::adapters::breathing_5300;

    fn data() -> PathBuf {
        let local = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").into();
        std::env::var_os("WAVEWITNESS_DATA").map_or_else(local, PathBuf::from)
    }

    fn noise(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Packets from `start_s` on for `span_s`.
    fn window(r: &Recording, start_s: f64, span_s: f64) -> Recording {
        let first = r.packets[0].0;
        let within = |at: Timestamp| (start_s..start_s + span_s).contains(&at.seconds_since(first));
        let packets = r.packets.iter().filter(|p| within(p.0)).cloned().collect();
        Recording { name: r.name.clone(), tones: r.tones.clone(), packets, ..*r }
    }

    /// Only these streams, in this order, each as a receive chain.
    fn chains(r: &Recording, streams: &[usize]) -> Recording {
        let n = r.tones.len();
        let pick = |v: &[f32]| streams.iter().flat_map(|&s| v[s * n..(s + 1) * n].to_vec()).collect();
        let packets = r.packets.iter().map(|(at, re, im)| (*at, pick(re), pick(im))).collect();
        Recording { name: r.name.clone(), rx: streams.len(), tx: 1, tones: r.tones.clone(), packets }
    }

    fn lossy(r: &Recording, share: f64) -> Recording {
        let mut seed = 7;
        let packets = r.packets.iter().filter(|_| noise(&mut seed) >= share).cloned().collect();
        Recording { name: r.name.clone(), tones: r.tones.clone(), packets, ..*r }
    }

    fn shaken(r: &Recording) -> Recording {
        let (mut seed, row) = (11, r.tx * r.tones.len());
        let mut copy = window(r, 0.0, f64::MAX);
        for (_, re, im) in &mut copy.packets {
            for (a, b) in re.chunks_mut(row).zip(im.chunks_mut(row)) {
                let gain = (0.25 + 4.0 * noise(&mut seed)) as f32;
                a.iter_mut().chain(b).for_each(|x| *x *= gain);
            }
        }
        copy
    }

    /// The rate at the end of a recording.
    fn last(r: &Recording) -> Option<Rate> {
        let shape = Shape { rx: r.rx as u32, tx: r.tx as u32, tones: &r.tones };
        let plan = Plan::new(&Config::default(), shape).unwrap();
        let mut state = State::new(&plan);
        r.packets.iter().for_each(|(at, re, im)| _ = plan.push(*at, re, im, &mut state));
        plan.estimate(&state, &mut Scratch::new(&plan)).rate()
    }

    fn length_s(r: &Recording) -> f64 {
        r.packets.last().unwrap().0.seconds_since(r.packets[0].0)
    }

    /// Windows of a recording, a start every ten seconds.
    fn windows(r: &Recording, span_s: f64) -> Vec<Recording> {
        let count = ((length_s(r) - span_s) / 10.0) as usize + 1;
        (0..count).map(|k| window(r, 10.0 * k as f64, span_s)).collect()
    }

    /// Asked, given, given within the bar.
    fn tally(kind: &str, truth: f64, bar: f64, recordings: &[Recording]) -> [usize; 3] {
        let rates: Vec<Rate> = recordings.iter().filter_map(last).collect();
        let good = rates.iter().filter(|r| (r.bpm - truth).abs() <= bar).count();
        let shown: Vec<String> = rates.iter().map(|r| format!("{:.2}", r.bpm)).collect();
        let name = &recordings[0].name;
        eprintln!(
            "{name} {truth} {kind}: asked {} given {} good {good} {shown:?}",
            recordings.len(),
            rates.len()
        );
        [recordings.len(), rates.len(), good]
    }

    fn all() -> Option<Vec<(Recording, f64, f64)>> {
        let (mut stems, mut out) = (Vec::new(), Vec::new());
        let folder = data().join("breathing_phantom");
        if !folder.is_dir() {
            eprintln!("SKIPPED: no {}", folder.display());
            return None;
        }
        collect(&folder, 3, &mut stems).unwrap();
        stems.sort();
        out.extend(stems.iter().map(|s| (read(s).unwrap(), truth(s).unwrap(), 0.5)));
        for args in (breathing_5300::BREATHING_5300.find)(&data()) {
            for pair in args.chunks(2) {
                out.push((breathing_5300::read(&pair[0]).unwrap(), pair[1].to_str()?.parse().unwrap(), 2.0));
            }
        }
        Some(out)
    }

    #[test]
    fn the_rates_survive_short_windows_losses_gain_and_other_chains() {
        let Some(all) = all() else { return };
        let mut sums = std::collections::BTreeMap::<(u64, &str), [usize; 3]>::new();
        for (r, truth, bar) in &all {
            let streams = r.rx * r.tx;
            let backwards: Vec<usize> = (0..streams).rev().collect();
            let mut cases = vec![
                ("whole", vec![window(r, 0.0, f64::MAX)]),
                ("40 s windows", windows(r, 40.0)),
                ("30 s windows", windows(r, 30.0)),
                ("30 % lost", vec![lossy(r, 0.3)]),
                ("gain of each packet and chain", vec![shaken(r)]),
                ("single streams", (0..streams).map(|s| chains(r, &[s])).collect()),
            ];
            if streams <= 4 {
                cases.push(("streams backwards", vec![chains(r, &backwards)]));
            } else {
                let rows: Vec<usize> = (0..r.rx).rev().map(|a| a * r.tx).collect();
                cases.push(("first stream, chains backwards", vec![chains(r, &rows)]));
            }
            for (kind, recordings) in cases {
                let now = tally(kind, *truth, *bar, &recordings);
                let sum = sums.entry(((bar * 10.0) as u64, kind)).or_default();
                (0..3).for_each(|k| sum[k] += now[k]);
            }
        }
        for ((bar, kind), [asked, given, good]) in &sums {
            eprintln!("TOTAL bar {bar} {kind}: asked {asked} given {given} good {good}");
            assert!(good * 10 >= given * 8, "{kind}: {good} of {given} within the bar");
        }
    }

    #[test]
    fn an_empty_room_has_no_breath() {
        let path = data().join("presence_radiopoints/RoomB_0p.dat");
        if !path.is_file() {
            eprintln!("SKIPPED: no {}", path.display());
            return;
        }
        let room = breathing_5300::read(&path).unwrap();
        for (kind, span) in [("20 s", 20.5), ("30 s", 30.0), ("60 s", 60.0)] {
            let [asked, given, _] = tally(kind, 0.0, 0.0, &windows(&room, span));
            assert!(given * 20 <= asked.max(20), "{given} of {asked}");
            let singles: Vec<Recording> = (0..6).flat_map(|s| windows(&chains(&room, &[s]), span)).collect();
            let [asked, given, _] = tally(&format!("{kind}, single"), 0.0, 0.0, &singles);
            assert!(given * 20 <= asked, "{given} of {asked}");
        }
    }
}
