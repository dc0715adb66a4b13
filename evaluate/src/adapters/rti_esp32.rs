//! Twenty ESP32 around 3 × 3 m that scan for one another (`rti_esp32_20node`): an empty recording as the reference, and
//! one to be judged. A readme that says "standing at position of sensor (a,b)" beside a recording gives its truth: x of
//! sensor a, y of sensor b; a recording without one is empty.

use super::rti::{Chain, Settings, rms};
use crate::{Dataset, Failure, Judgement, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_num::math;

/// The dataset of this module.
pub const RTI_ESP32: Dataset =
    Dataset { name: "rti-esp32", arguments: "EMPTY RECORDING   (logs of scans)", run, find };

const NODES: usize = 20;
/// From node to node along the walls, m.
const PITCH_M: f64 = 0.6;
/// A cycle: many are without a scan.
const CYCLE_S: f64 = 0.5;
/// The windows of samples are full after this.
const WINDOW_S: f64 = 60.0;

fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let dir = dir.join("rti_esp32_20node");
    let [Some(a), Some(p), Some(b)] = ["2020-06-09-11-29-51", "2020-06-09-11-49-58", "2020-06-09-12-58-18"]
        .map(|f| Some(dir.join(f).with_extension("txt")).filter(|f| f.is_file()))
    else {
        return Vec::new();
    };
    vec![vec![b.clone(), p.clone()], vec![a.clone(), p], vec![a.clone(), b.clone()], vec![b, a]]
}

/// Counter-clockwise from the origin, six on the lower side, then five a side and the last four.
fn nodes() -> Vec<[f64; 2]> {
    let place = |k: usize| {
        let (side, s) = (k / 5, PITCH_M * (k % 5) as f64);
        let end = 5.0 * PITCH_M;
        [[s, 0.0], [end, s], [end - s, end], [0.0, end - s]][side]
    };
    (0..NODES).map(place).collect()
}

struct Scan {
    at_s: f64,
    tx: usize,
    rx: usize,
    dbm: f64,
}

/// `[HH:MM:SS:µs] From: Measure<rx> …` opens a scan, `[…] SSID: Measure<tx> RSSI: <dBm>` is one of its results.
fn read(path: &Path) -> Result<Vec<Scan>, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::read(path, e))?;
    let (mut scans, mut rx, mut days, mut last_s) = (Vec::new(), None, 0.0, 0.0);
    for line in String::from_utf8_lossy(&bytes).lines() {
        let Some((at_s, text)) = stamp(line) else { continue };
        // Past midnight.
        if at_s + days + 43_200.0 < last_s {
            days += 86_400.0;
        }
        last_s = at_s + days;
        let node = |word: &str| {
            let k: usize = word.strip_prefix("Measure")?.parse().ok()?;
            (1..=NODES).contains(&k).then(|| k - 1)
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["From:", name, ..] => rx = node(name),
            ["SSID:", name, "RSSI:", dbm, ..] => {
                if let (Some(rx), Some(tx), Ok(dbm)) = (rx, node(name), dbm.parse())
                    && rx != tx
                {
                    scans.push(Scan { at_s: last_s, tx, rx, dbm });
                }
            }
            _ => {}
        }
    }
    if scans.is_empty() { Err(Failure::read(path, "no scan in it")) } else { Ok(scans) }
}

fn stamp(line: &str) -> Option<(f64, &str)> {
    let (clock, text) = line.strip_prefix('[')?.split_once("] ")?;
    let mut at_s = 0.0;
    let mut fields = clock.split(':');
    for scale in [3600.0, 60.0, 1.0, 1e-6] {
        at_s += scale * fields.next()?.parse::<f64>().ok()?;
    }
    Some((at_s, text))
}

/// The truth of a recording, from the readme beside it.
fn truth(path: &Path) -> Option<[f64; 2]> {
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path.with_file_name(format!("{stem}_readme.txt"))).ok()?;
    let (_, pair) = text.split_once("(")?;
    let (a, b) = pair.split_once(')')?.0.split_once(',')?;
    let (a, b): (usize, usize) = (a.trim().parse().ok()?, b.trim().parse().ok()?);
    let nodes = nodes();
    Some([nodes.get(a.checked_sub(1)?)?[0], nodes.get(b.checked_sub(1)?)?[1]])
}

/// Runs a log through the chain and calls `each` after every cycle with the seconds since its start.
fn play(scans: &[Scan], learning: bool, chain: &mut Chain, mut each: impl FnMut(f64, &Chain)) {
    let start_s = scans[0].at_s;
    let mut end_s = start_s + CYCLE_S;
    for scan in scans {
        while scan.at_s >= end_s {
            chain.cycle(CYCLE_S, learning);
            each(end_s - start_s, chain);
            end_s += CYCLE_S;
        }
        let direction = u16::from(scan.rx > scan.tx);
        chain.sample(Chain::path(NODES, scan.tx, scan.rx), direction, scan.dbm);
    }
}

/// How a recording went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    pub truth_m: Option<[f64; 2]>,
    /// Errors of each cycle from the first full window on.
    pub errors_m: Vec<f64>,
    pub sum_m: [f64; 2],
    pub nees: Vec<f64>,
    pub cycles: usize,
    pub shown: usize,
    pub first_s: Option<f64>,
}

pub(crate) fn score(paths: &[PathBuf], settings: &Settings) -> Result<Score, Failure> {
    let [empty, recording] = paths else {
        return Err(Failure(format!("rti-esp32 takes {}", RTI_ESP32.arguments)));
    };
    let mut chain = Chain::new(settings, &nodes(), 2)?;
    play(&read(empty)?, true, &mut chain, |_, _| ());
    let mut s = Score { truth_m: truth(recording), ..Score::default() };
    play(&read(recording)?, false, &mut chain, |at_s, chain| {
        let people = chain.people();
        if !people.is_empty() && s.first_s.is_none() {
            s.first_s = Some(at_s);
        }
        if at_s < WINDOW_S {
            return;
        }
        s.cycles += 1;
        let Some(p) = people.first() else { return };
        s.shown += 1;
        if let Some(t) = s.truth_m {
            let (x, y) = (p.mean[0] - t[0], p.mean[1] - t[1]);
            let [[a, b, ..], [_, c, ..], ..] = p.covariance;
            let (a, c) = (a + chain.model_error_m2(), c + chain.model_error_m2());
            s.nees.push((x * x * c - 2.0 * x * y * b + y * y * a) / (a * c - b * b));
            s.errors_m.push(math::hypot(x, y));
            s.sum_m = [s.sum_m[0] + x, s.sum_m[1] + y];
        }
    });
    Ok(s)
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let s = score(paths, &Settings::default())?;
    let stem = |p: &PathBuf| p.file_stem().map_or(String::new(), |f| f.to_string_lossy().into_owned());
    let name = format!("{} against {}", stem(&paths[1]), stem(&paths[0]));
    let row = |metric: &str, value: f64, unit| Row::new(name.clone(), metric, value, unit);
    let shown = s.shown as f64 / s.cycles as f64;
    let mut rows = Vec::new();
    if s.truth_m.is_some() {
        rows.push(row("error, RMS", rms(&s.errors_m), "m").peer(0.08).bar(Judgement::AtMost(0.10)));
        let n = s.errors_m.len() as f64;
        rows.push(row("error of the mean position", math::hypot(s.sum_m[0] / n, s.sum_m[1] / n), "m"));
        rows.push(row("cycles with the person", shown, "").bar(Judgement::AtLeast(0.98)));
        rows.push(row("first seen after", s.first_s.unwrap_or(f64::NAN), "s"));
        rows.push(row("mean NEES (2 is right)", s.nees.iter().sum::<f64>() / n, ""));
    } else {
        rows.push(row("cycles with a ghost", shown, "").peer(1.0).bar(Judgement::AtMost(0.02)));
    }
    let notes =
        vec!["a cycle every 0.5 s from the newest 16 samples of a path (50 s); judged from 60 s on".into()];
    Ok(Report { rows, notes, ..Report::new("rti-esp32") })
}
