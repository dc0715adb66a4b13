//! Twenty ESP32 around 3 × 3 m that scan for one another (`rti_esp32_20node`): an empty recording as the reference, and
//! one to be judged. A readme that says "standing at position of sensor (a,b)" beside a recording gives its truth: x of
//! sensor a, y of sensor b; a recording without one is empty.
//!
//! Other rooms: a file with the places of `Measure1`, `Measure2` … (a row of x and y in metres each), and the truth as X,Y.

use super::rti::{Chain, Settings, Shown, rms, table};
use crate::{Dataset, Failure, Judgement, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_num::math;

/// The dataset of this module.
pub const RTI_ESP32: Dataset = Dataset {
    name: "rti-esp32",
    arguments: "EMPTY RECORDING [SENSORS] [X,Y]   (logs of scans; places of the nodes and of the person, m)",
    run,
    find,
};

const NODES: usize = 20;
/// From node to node along the walls, m.
const PITCH_M: f64 = 0.6;
/// A cycle: many are without a scan.
const CYCLE_S: f64 = 0.5;
/// A strength outside is none.
const STRENGTHS_DBM: std::ops::RangeInclusive<i16> = -120..=0;
/// A line that is later than the one before by more, or earlier, is odd …
const LONGEST_PAUSE_S: f64 = 60.0;
/// … and after so many of them in a row it is the clock that was set: time goes on from there.
const ODD_LINES: usize = 20;
const DAY_S: f64 = 86_400.0;
/// The windows of samples are full after this.
pub(crate) const WINDOW_S: f64 = 60.0;

fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir.join("rti_esp32_20node")).into_iter().flatten().flatten();
    let mut logs: Vec<PathBuf> = entries.map(|e| e.path()).collect();
    let is_log = |p: &PathBuf| {
        p.extension().is_some_and(|e| e == "txt")
            && !stem(p).ends_with("_readme")
            && stem(p).starts_with("20")
    };
    logs.retain(is_log);
    logs.sort();
    let nodes = square();
    let (people, empties): (Vec<_>, Vec<_>) = logs.into_iter().partition(|p| truth(p, &nodes).is_some());
    let pairs = |judged: &[PathBuf]| -> Vec<Vec<PathBuf>> {
        let each = |p: &PathBuf| {
            empties.iter().rev().filter(|e| *e != p).map(|e| vec![e.clone(), p.clone()]).collect()
        };
        judged.iter().flat_map(|p: &PathBuf| -> Vec<Vec<PathBuf>> { each(p) }).collect()
    };
    [pairs(&people), pairs(&empties)].concat()
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or(String::new(), |f| f.to_string_lossy().into_owned())
}

/// Counter-clockwise from the origin, six on the lower side, then five a side and the last four.
fn square() -> Vec<[f64; 2]> {
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
fn read(path: &Path, nodes: usize) -> Result<Vec<Scan>, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::read(path, e))?;
    let (mut scans, mut rx) = (Vec::new(), None);
    // What the dial showed last, and seconds since the first line.
    let (mut dial_s, mut now_s) = (None, 0.0);
    let (mut odd, mut odd_in_a_row) = (0, 0);
    for line in String::from_utf8_lossy(&bytes).lines() {
        let Some((clock_s, text)) = stamp(line) else { continue };
        let last_s: f64 = *dial_s.get_or_insert(clock_s);
        // The shortest way around the dial: past midnight time goes on.
        let step_s = (clock_s - last_s + 0.5 * DAY_S).rem_euclid(DAY_S) - 0.5 * DAY_S;
        if !(-1.0..=LONGEST_PAUSE_S).contains(&step_s) {
            (odd, odd_in_a_row) = (odd + 1, odd_in_a_row + 1);
            if odd_in_a_row == ODD_LINES {
                (dial_s, odd_in_a_row) = (Some(clock_s), 0);
            }
            continue;
        }
        odd_in_a_row = 0;
        if step_s > 0.0 {
            (dial_s, now_s) = (Some(clock_s), now_s + step_s);
        }
        let node = |word: &str| {
            let k: usize = word.strip_prefix("Measure")?.parse().ok()?;
            (1..=nodes).contains(&k).then(|| k - 1)
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["From:", name, ..] => rx = node(name),
            ["SSID:", name, "RSSI:", dbm, ..] => {
                if let (Some(rx), Some(tx), Ok(dbm)) = (rx, node(name), dbm.parse::<i16>())
                    && rx != tx
                    && STRENGTHS_DBM.contains(&dbm)
                {
                    scans.push(Scan { at_s: now_s, tx, rx, dbm: dbm.into() });
                }
            }
            _ => {}
        }
    }
    if odd > scans.len() {
        return Err(Failure::read(
            path,
            format!("its clock jumps at {odd} lines, and {} are scans", scans.len()),
        ));
    }
    if scans.is_empty() {
        return Err(Failure::read(path, format!("no scan between Measure1 … Measure{nodes} in it")));
    }
    Ok(scans)
}

fn stamp(line: &str) -> Option<(f64, &str)> {
    let (clock, text) = line.strip_prefix('[')?.split_once("] ")?;
    let mut at_s = 0.0;
    let mut fields = clock.split(':');
    for (scale, most) in [(3600.0, 23), (60.0, 59), (1.0, 60), (1e-6, 999_999)] {
        at_s += scale * f64::from(fields.next()?.trim().parse::<u32>().ok().filter(|x| *x <= most)?);
    }
    Some((at_s, text))
}

/// The truth of a recording, from the readme beside it.
fn truth(path: &Path, nodes: &[[f64; 2]]) -> Option<[f64; 2]> {
    let text = std::fs::read_to_string(path.with_file_name(format!("{}_readme.txt", stem(path)))).ok()?;
    let (_, pair) = text.split_once("(")?;
    let (a, b) = pair.split_once(')')?.0.split_once(',')?;
    let (a, b): (usize, usize) = (a.trim().parse().ok()?, b.trim().parse().ok()?);
    Some([nodes.get(a.checked_sub(1)?)?[0], nodes.get(b.checked_sub(1)?)?[1]])
}

/// Runs a log through the chain and calls `each` after every cycle with the seconds since its start.
fn play(scans: &[Scan], nodes: usize, learning: bool, chain: &mut Chain, mut each: impl FnMut(f64, &Chain)) {
    let start_s = scans[0].at_s;
    let mut end_s = start_s + CYCLE_S;
    for scan in scans {
        while scan.at_s >= end_s {
            chain.cycle(CYCLE_S, learning);
            each(end_s - start_s, chain);
            end_s += CYCLE_S;
        }
        let direction = u16::from(scan.rx > scan.tx);
        chain.sample(Chain::path(nodes, scan.tx, scan.rx), direction, scan.dbm);
    }
}

/// How a recording went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    /// Where the nodes are, m.
    pub nodes: Vec<[f64; 2]>,
    /// Where the person stands; `None` if the room is empty.
    pub truth_m: Option<[f64; 2]>,
    /// Every cycle.
    pub shown: Vec<Shown>,
}

/// `X,Y`.
fn place(text: &Path) -> Option<[f64; 2]> {
    let (x, y) = text.to_str()?.split_once(',')?;
    let place = [x.trim().parse().ok()?, y.trim().parse().ok()?];
    place.iter().all(|x: &f64| x.is_finite()).then_some(place)
}

pub(crate) fn score(paths: &[PathBuf], settings: &Settings) -> Result<Score, Failure> {
    let [empty, recording, more @ ..] = paths else {
        return Err(Failure(format!("rti-esp32 takes {}", RTI_ESP32.arguments)));
    };
    let (given, sensors) = match more {
        [] => (None, None),
        [one] => (place(one), Some(one).filter(|one| place(one).is_none())),
        [sensors, at] if place(at).is_some() => (place(at), Some(sensors)),
        _ => return Err(Failure(format!("rti-esp32 takes {}", RTI_ESP32.arguments))),
    };
    let point = |r: &Vec<f64>| match r[..] {
        [x, y] => Some([x, y]),
        _ => None,
    };
    let nodes = match sensors {
        None => square(),
        Some(file) => table(file)?
            .iter()
            .map(point)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Failure::read(file, "a row is not x and y in metres"))?,
    };
    let truth_m = given.or_else(|| truth(recording, &nodes));
    let mut chain = Chain::new(settings, &nodes, 2)?;
    play(&read(empty, nodes.len())?, nodes.len(), true, &mut chain, |_, _| ());
    let mut shown = Vec::new();
    play(&read(recording, nodes.len())?, nodes.len(), false, &mut chain, |at_s, chain| {
        shown.push(Shown { at_s, truth_m, estimate: chain.estimate() });
    });
    Ok(Score { nodes, truth_m, shown })
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let s = score(paths, &Settings::default())?;
    let name = format!("{} against {}", stem(&paths[1]), stem(&paths[0]));
    let row = |metric: &str, value: f64, unit| Row::new(name.clone(), metric, value, unit);
    let judged = || s.shown.iter().filter(|x| x.at_s >= WINDOW_S);
    let with = judged().filter(|x| x.estimate.is_some()).count();
    let shown = with as f64 / judged().count() as f64;
    let first_s = s.shown.iter().find(|x| x.estimate.is_some()).map_or(f64::NAN, |x| x.at_s);
    let found = || judged().filter_map(|x| Some((x.truth_m?, x.estimate?)));
    let errors: Vec<f64> = found().map(|(truth, e)| e.error_m(truth)).collect();
    let nees: Vec<f64> = found().map(|(truth, e)| e.nees(truth)).collect();
    let mean = |k: usize| found().map(|(truth, e)| e.mean_m[k] - truth[k]).sum::<f64>() / errors.len() as f64;
    let mut rows = Vec::new();
    if s.truth_m.is_some() {
        rows.push(row("error, RMS", rms(&errors), "m").peer(0.08).bar(Judgement::AtMost(0.10)));
        rows.push(row("error of the mean position", math::hypot(mean(0), mean(1)), "m"));
        rows.push(row("cycles with the person", shown, "").bar(Judgement::AtLeast(0.98)));
        rows.push(row("first seen after", first_s, "s"));
        rows.push(row("mean NEES (2 is right)", nees.iter().sum::<f64>() / nees.len() as f64, ""));
    } else {
        rows.push(row("cycles with a ghost", shown, "").peer(1.0).bar(Judgement::AtMost(0.02)));
    }
    let places: Vec<[f64; 2]> = judged().filter_map(|x| Some(x.estimate?.mean_m)).collect();
    if !places.is_empty() {
        for (axis, metric) in ["mean position, x", "mean position, y"].into_iter().enumerate() {
            let mean = places.iter().map(|p| p[axis]).sum::<f64>() / places.len() as f64;
            rows.push(row(metric, mean, "m"));
        }
    }
    let mut notes =
        vec!["a cycle every 0.5 s from the newest 16 samples of a path (50 s); judged from 60 s on".into()];
    if s.truth_m.is_none() {
        let name = stem(&paths[1]);
        notes.push(format!(
            "{name}: no truth was given (X,Y, or a readme beside it), so the room is taken as empty and whoever is shown as a ghost"
        ));
    }
    Ok(Report { rows, notes, ..Report::new("rti-esp32") })
}
