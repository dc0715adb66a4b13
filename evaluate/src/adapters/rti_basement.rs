//! Ten nodes around a basement, eight channels of strength, one person on a known path (`rti_basement`).
//!
//! Files: observations (a row a scan: `channel·90 + tx·9 + rx′`, rx′ skipping tx, then milliseconds), sensors and pivots in
//! metres, the path as pivot numbers: one pivot every 8 s from 56 s on, and nobody before and after.

use super::rti::{Chain, Settings, rms, table};
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
        let walk = Walk {
            sensors: plan(sensors)?,
            pivots: plan(pivots)?,
            path: table(path)?.iter().map(|r| r[0] as usize).collect(),
            rows: table(observations)?,
            channels: 0,
        };
        let links = walk.sensors.len() * (walk.sensors.len() - 1);
        let columns = walk.rows[0].len() - 1;
        if columns == 0 || !columns.is_multiple_of(links) || walk.rows.iter().any(|r| r.len() != columns + 1)
        {
            return Err(Failure::read(observations, format!("{columns} columns do not fit {links} links")));
        }
        if walk.path.iter().any(|&k| k >= walk.pivots.len()) {
            return Err(Failure::read(path, "it names a pivot that is none"));
        }
        Ok(Walk { channels: columns / links, ..walk })
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

/// How a walk went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    /// Seconds into the walk, and the error in metres, of each row with a person seen and there.
    pub errors_m: Vec<(f64, f64)>,
    /// Errors of the locator before the tracker.
    pub located_m: Vec<f64>,
    pub penalised_m: Vec<f64>,
    pub nees: Vec<f64>,
    pub misses: usize,
    pub ghosts: usize,
    pub rows: usize,
    /// Rows in which more than one person is shown.
    pub crowds: usize,
}

pub(crate) fn score(paths: &[PathBuf], settings: &Settings) -> Result<Score, Failure> {
    let walk = Walk::read(paths)?;
    let mut chain = Chain::new(settings, &walk.sensors, 2 * walk.channels as u16)?;
    let mut s = Score::default();
    for row in 0..walk.rows.len() {
        let at_s = walk.seconds(row);
        walk.feed(row, &mut chain);
        chain.cycle(if row == 0 { 0.0 } else { at_s - walk.seconds(row - 1) }, row < QUIET);
        if row < QUIET {
            continue;
        }
        s.rows += 1;
        let people = chain.people();
        s.crowds += usize::from(people.len() > 1);
        let truth = walk.truth_m(at_s);
        match (truth, people.first()) {
            (Some(truth), Some(p)) => {
                let (x, y) = (p.mean[0] - truth[0], p.mean[1] - truth[1]);
                let [[a, b, ..], [_, c, ..], ..] = p.covariance;
                let (a, c) = (a + chain.model_error_m2(), c + chain.model_error_m2());
                s.nees.push((x * x * c - 2.0 * x * y * b + y * y * a) / (a * c - b * b));
                s.errors_m.push((at_s - START_S, math::hypot(x, y)));
                s.penalised_m.push(math::hypot(x, y));
            }
            (Some(_), None) => {
                s.misses += 1;
                s.penalised_m.push(PENALTY_M);
            }
            (None, Some(_)) => {
                s.ghosts += 1;
                s.penalised_m.push(PENALTY_M);
            }
            (None, None) => {}
        }
        if let (Some(truth), Some(d)) = (truth, chain.detections.first()) {
            s.located_m.push(math::hypot(d.position_m[0] - truth[0], d.position_m[1] - truth[1]));
        }
    }
    Ok(s)
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let s = score(paths, &Settings::default())?;
    let name = paths[0].file_stem().map_or(String::new(), |f| f.to_string_lossy().into_owned());
    let all: Vec<f64> = s.errors_m.iter().map(|e| e.1).collect();
    let middle_s = s.errors_m.iter().map(|e| e.0).fold(0.0, |m: f64, x| if x > m { x } else { m }) / 2.0;
    let half = |first: bool| -> Vec<f64> {
        s.errors_m.iter().filter(|e| (e.0 < middle_s) == first).map(|e| e.1).collect()
    };
    let mut sorted = all.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let row = |metric: &str, value: f64, unit| Row::new(name.clone(), metric, value, unit);
    let inside = s.nees.iter().filter(|&&x| x <= 5.991).count() as f64 / s.nees.len() as f64;
    let presence = 1.0 - (s.misses + s.ghosts) as f64 / s.rows as f64;
    let rows = vec![
        row("RMSE while present", rms(&all), "m").peer(1.38).bar(Judgement::AtMost(0.85)),
        row("penalised RMSE (4 m a miss or ghost)", rms(&s.penalised_m), "m")
            .peer(1.885)
            .bar(Judgement::AtMost(1.10)),
        row("presence accuracy", presence, "").peer(0.885).bar(Judgement::AtLeast(0.95)),
        row("median error", sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN), "m"),
        row("RMSE, first half of the walk", rms(&half(true)), "m"),
        row("RMSE, second half of the walk", rms(&half(false)), "m"),
        row("RMSE before the tracker", rms(&s.located_m), "m"),
        row("misses", s.misses as f64, ""),
        row("ghosts", s.ghosts as f64, ""),
        row("rows with more than one person", s.crowds as f64, ""),
        row("errors within the 95 % ellipse", inside, ""),
        row("mean NEES (2 is right)", s.nees.iter().sum::<f64>() / s.nees.len() as f64, ""),
    ];
    let notes = vec![format!(
        "baselines from the first {QUIET} rows; the room is the box around the nodes; causal, at each row's own time"
    )];
    Ok(Report { rows, notes, ..Report::new("rti-basement") })
}
