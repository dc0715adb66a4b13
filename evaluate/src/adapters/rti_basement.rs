//! Ten nodes around a basement, eight channels of strength, one person on a known path (`rti_basement`).
//!
//! Files: observations (a row a scan: `channel·90 + tx·9 + rx′`, rx′ skipping tx, then milliseconds), sensors and pivots in
//! metres, the path as pivot numbers: one pivot every 8 s from 56 s on, and nobody before and after.

use super::rti::{Chain, Settings, Shown, rms, table};
use crate::{Dataset, Failure, Judgement, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_num::math;

/// The dataset of this module.
pub const RTI_BASEMENT: Dataset =
    Dataset { name: "rti-basement", arguments: "OBSERVATIONS SENSORS PIVOTS PATH", run, find };

/// Rows of the empty room.
const QUIET: usize = 50;
/// When the walk begins, and how long it takes from pivot to pivot, s.
const START_S: f64 = 56.0;
const PER_PIVOT_S: f64 = 8.0;
/// Most channels of a row.
const MAX_CHANNELS: usize = 256;
/// What a miss or a ghost counts as, m.
const PENALTY_M: f64 = 4.0;
/// A strength above this is none; below the other, suspect.
const MISSING_DBM: (f64, f64) = (-99.5, -10.0);

fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let dir = dir.join("rti_basement");
    let mut sets = Vec::new();
    for walk in 1..10 {
        let files = [
            format!("basement_listenx_out_{walk}.txt"),
            "sensor_coords_basement_m.txt".to_owned(),
            "pivot_coords_basement_m.txt".to_owned(),
            format!("path_basement_{walk}_f.txt"),
        ]
        .map(|f| dir.join(f));
        if files.iter().all(|f| f.is_file()) {
            sets.push(files.to_vec());
        }
    }
    sets
}

struct Walk {
    sensors: Vec<[f64; 2]>,
    pivots: Vec<[f64; 2]>,
    path: Vec<usize>,
    rows: Vec<Vec<f64>>,
    channels: usize,
}

impl Walk {
    fn read(paths: &[PathBuf]) -> Result<Walk, Failure> {
        let [observations, sensors, pivots, path] = paths else {
            return Err(Failure(format!("rti-basement takes {}", RTI_BASEMENT.arguments)));
        };
        let plan = |file: &Path| -> Result<Vec<[f64; 2]>, Failure> {
            let point = |r: Vec<f64>| match r[..] {
                [x, y, ..] => Ok([x, y]),
                _ => Err(Failure::read(file, "a row has no two coordinates")),
            };
            table(file)?.into_iter().map(point).collect()
        };
        let (sensors, pivots) = (plan(sensors)?, plan(pivots)?);
        let named = table(path)?;
        let steps = if named.len() == 1 { named[0].clone() } else { named.iter().map(|r| r[0]).collect() };
        let pivot = |&k: &f64| (k >= 0.0 && k < pivots.len() as f64).then_some(k as usize);
        let steps: Option<Vec<usize>> = steps.iter().map(pivot).collect();
        let steps = steps.ok_or_else(|| Failure::read(path, "it names a pivot that is none"))?;
        let (rows, channels) =
            rows(table(observations)?, sensors.len()).map_err(|text| Failure::read(observations, text))?;
        Ok(Walk { sensors, pivots, path: steps, rows, channels })
    }

    fn seconds(&self, row: usize) -> f64 {
        self.rows[row].last().copied().unwrap_or(0.0) * 1e-3
    }

    /// Where the person is; `None` while the room is empty.
    fn truth_m(&self, at_s: f64) -> Option<[f64; 2]> {
        let s = (at_s - START_S) / PER_PIVOT_S;
        if s < 0.0 || s >= (self.path.len() - 1) as f64 {
            return None;
        }
        let (k, f) = (s as usize, s - s.floor());
        let (a, b) = (self.pivots[self.path[k]], self.pivots[self.path[k + 1]]);
        Some([a[0] + f * (b[0] - a[0]), a[1] + f * (b[1] - a[1])])
    }

    fn feed(&self, row: usize, chain: &mut Chain) {
        let n = self.sensors.len();
        for channel in 0..self.channels {
            for tx in 0..n {
                for rx in (0..n).filter(|&rx| rx != tx) {
                    let column = channel * n * (n - 1) + tx * (n - 1) + rx - usize::from(rx > tx);
                    let dbm = self.rows[row][column];
                    if (MISSING_DBM.0..=MISSING_DBM.1).contains(&dbm) {
                        let stream = 2 * channel + usize::from(rx > tx);
                        chain.sample(Chain::path(n, tx, rx), stream as u16, dbm);
                    }
                }
            }
        }
    }
}

/// The rows that a recording of so many nodes holds, and the number of its channels.
fn rows(mut rows: Vec<Vec<f64>>, nodes: usize) -> Result<(Vec<Vec<f64>>, usize), String> {
    let links = nodes * nodes.saturating_sub(1);
    let width = rows[0].len();
    // A recording that was cut off ends in the middle of a row, or of its time.
    let time = |row: &[f64]| row.last().copied().unwrap_or(f64::NAN);
    if let [.., before, last] = &rows[..]
        && (last.len() < width || time(last) < time(before))
    {
        rows.pop();
    }
    let channels = (width - 1) / links.max(1);
    if !(width - 1).is_multiple_of(links) || !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(format!(
            "{width} columns: {nodes} nodes need {links} for each of 1 to {MAX_CHANNELS} channels, and one for the time"
        ));
    }
    if let Some(k) = rows.iter().position(|r| r.len() != width) {
        return Err(format!("row {} has {} columns, the first has {width}", k + 1, rows[k].len()));
    }
    if let Some(k) = rows.iter().position(|r| !time(r).is_finite()) {
        return Err(format!("row {} has no time", k + 1));
    }
    if rows.len() <= QUIET {
        return Err(format!(
            "{} rows: the first {QUIET} are the empty room, and nothing is left",
            rows.len()
        ));
    }
    Ok((rows, channels))
}

/// How a walk went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    /// Of every row after the quiet ones.
    pub shown: Vec<Shown>,
    /// Errors of the locator before the tracker.
    pub located_m: Vec<f64>,
    /// Rows in which more than one person is shown.
    pub crowds: usize,
    /// Where the nodes are, m.
    pub sensors: Vec<[f64; 2]>,
    /// Where the walk turns, m, in order.
    pub turns: Vec<[f64; 2]>,
}

pub(crate) fn score(paths: &[PathBuf], settings: &Settings) -> Result<Score, Failure> {
    let walk = Walk::read(paths)?;
    let mut chain = Chain::new(settings, &walk.sensors, 2 * walk.channels as u16)?;
    let turns = walk.path.iter().map(|&k| walk.pivots[k]).collect();
    let mut s = Score { sensors: walk.sensors.clone(), turns, ..Score::default() };
    for row in 0..walk.rows.len() {
        let at_s = walk.seconds(row);
        walk.feed(row, &mut chain);
        chain.cycle(if row == 0 { 0.0 } else { at_s - walk.seconds(row - 1) }, row < QUIET);
        if row < QUIET {
            continue;
        }
        s.crowds += usize::from(chain.people().len() > 1);
        let shown = Shown { at_s, truth_m: walk.truth_m(at_s), estimate: chain.estimate() };
        if let (Some(truth), Some(d)) = (shown.truth_m, chain.detections.first()) {
            s.located_m.push(math::hypot(d.position_m[0] - truth[0], d.position_m[1] - truth[1]));
        }
        s.shown.push(shown);
    }
    Ok(s)
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let s = score(paths, &Settings::default())?;
    let name = paths[0].file_stem().map_or(String::new(), |f| f.to_string_lossy().into_owned());
    let found = || s.shown.iter().filter_map(|x| Some((x.at_s - START_S, x.truth_m?, x.estimate?)));
    let all: Vec<f64> = found().map(|(_, truth, e)| e.error_m(truth)).collect();
    let nees: Vec<f64> = found().map(|(_, truth, e)| e.nees(truth)).collect();
    let middle_s = found().map(|x| x.0).fold(0.0, |m: f64, x| if x > m { x } else { m }) / 2.0;
    let half = |first: bool| -> Vec<f64> {
        found().filter(|x| (x.0 < middle_s) == first).map(|(_, truth, e)| e.error_m(truth)).collect()
    };
    let misses = s.shown.iter().filter(|x| x.truth_m.is_some() && x.estimate.is_none()).count();
    let ghosts = s.shown.iter().filter(|x| x.truth_m.is_none() && x.estimate.is_some()).count();
    let mut penalised = all.clone();
    penalised.resize(all.len() + misses + ghosts, PENALTY_M);
    let mut sorted = all.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let row = |metric: &str, value: f64, unit| Row::new(name.clone(), metric, value, unit);
    let inside = nees.iter().filter(|&&x| x <= 5.991).count() as f64 / nees.len() as f64;
    let presence = 1.0 - (misses + ghosts) as f64 / s.shown.len() as f64;
    let rows = vec![
        row("RMSE while present", rms(&all), "m").peer(1.38).bar(Judgement::AtMost(0.85)),
        row("penalised RMSE (4 m a miss or ghost)", rms(&penalised), "m")
            .peer(1.885)
            .bar(Judgement::AtMost(1.10)),
        row("presence accuracy", presence, "").peer(0.885).bar(Judgement::AtLeast(0.95)),
        row("median error", sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN), "m"),
        row("RMSE, first half of the walk", rms(&half(true)), "m"),
        row("RMSE, second half of the walk", rms(&half(false)), "m"),
        row("RMSE before the tracker", rms(&s.located_m), "m"),
        row("misses", misses as f64, ""),
        row("ghosts", ghosts as f64, ""),
        row("rows with more than one person", s.crowds as f64, ""),
        row("errors within the 95 % ellipse", inside, ""),
        row("mean NEES (2 is right)", nees.iter().sum::<f64>() / nees.len() as f64, ""),
    ];
    let notes = vec![format!(
        "baselines from the first {QUIET} rows; the room is the box around the nodes; causal, at each row's own time"
    )];
    Ok(Report { rows, notes, ..Report::new("rti-basement") })
}
