//! What both strength-tomography adapters share: samples through baselines, locator and tracker, in that order.

use crate::Failure;
use std::path::Path;
use wavewitness_num::math;
use wavewitness_pose as pose;
use wavewitness_tomography::{locate, strength};
use wavewitness_types::{Detection, Gate, PersonTrack, Room, Timestamp, TrackState};

/// Height of the antennas where a dataset does not say: they stand on poles or tables.
const ANTENNA_HEIGHT_M: f64 = 1.0;
/// Below this probability that anybody is around, baselines follow drift.
const EMPTY: f64 = 0.1;

/// Parameters of the three stages: the defaults.
#[derive(Clone, Default)]
pub struct Settings {
    /// Baselines.
    pub strength: strength::Config,
    /// Locator.
    pub locate: locate::Config,
    /// Tracker.
    pub pose: pose::Config,
}

/// The surest person that was shown.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// Where, m.
    pub mean_m: [f64; 2],
    /// Published covariance: xx, xy, yy, m².
    pub covariance_m2: [f64; 3],
}

impl Estimate {
    /// Distance from the truth, m.
    pub fn error_m(&self, truth_m: [f64; 2]) -> f64 {
        math::hypot(self.mean_m[0] - truth_m[0], self.mean_m[1] - truth_m[1])
    }

    /// Normalised estimation error squared: χ² with two degrees of freedom if the covariance is right.
    pub fn nees(&self, truth_m: [f64; 2]) -> f64 {
        let (x, y) = (self.mean_m[0] - truth_m[0], self.mean_m[1] - truth_m[1]);
        let [a, b, c] = self.covariance_m2;
        (x * x * c - 2.0 * x * y * b + y * y * a) / (a * c - b * b)
    }
}

/// What was shown at one time, and what was true.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Seconds since the recording's start.
    pub at_s: f64,
    /// Where the person is; `None` if there is nobody.
    pub truth_m: Option<[f64; 2]>,
    /// The surest person that is shown.
    pub estimate: Option<Estimate>,
}

/// Most nodes: their paths are numbered with 16 bits, and 64 have 2016.
const MAX_NODES: usize = 64;

/// The stages of one room, and what they know.
pub struct Chain {
    strength: (strength::Plan, strength::State),
    locate: (locate::Plan, locate::State),
    pose: (pose::Plan, pose::State),
    evidence: Vec<locate::PathEvidence>,
    /// Of the last cycle.
    pub detections: Vec<Detection>,
    /// Of the last cycle.
    pub summary: locate::Summary,
    now: Timestamp,
    anybody: f64,
}

impl Chain {
    /// For nodes at these places in plan, with a path between any two, in the order (0, 1), (0, 2) … The room is the box
    /// around them.
    pub fn new(settings: &Settings, nodes: &[[f64; 2]], streams: u16) -> Result<Chain, Failure> {
        let wrong = |e: wavewitness_types::ConfigError| Failure(e.to_string());
        if !(3..=MAX_NODES).contains(&nodes.len()) {
            return Err(Failure(format!("{} nodes: 3 to {MAX_NODES} can be used", nodes.len())));
        }
        if let Some(k) = nodes.iter().position(|p| !p.iter().all(|x| x.is_finite())) {
            return Err(Failure(format!("node {} is at {:?} m, which is no place", k + 1, nodes[k])));
        }
        let (mut room, mut paths) = (Room { min_m: [0.0; 3], max_m: [0.0, 0.0, 2.5] }, Vec::new());
        for k in 0..2 {
            room.min_m[k] = nodes.iter().fold(f64::MAX, |m, n| if n[k] < m { n[k] } else { m });
            room.max_m[k] = nodes.iter().fold(f64::MIN, |m, n| if n[k] > m { n[k] } else { m });
        }
        let mut ends = Vec::new();
        for a in 0..nodes.len() {
            paths.extend((a + 1..nodes.len()).map(|b| (nodes[a], nodes[b])));
            ends.extend((a + 1..nodes.len()).map(|b| [a as u16, b as u16]));
        }
        let plan = locate::Plan::new(&settings.locate, room).map_err(wrong)?;
        let mut state = locate::State::new(&plan, paths.len() as u16);
        for (k, (a, b)) in paths.iter().enumerate() {
            let place = |p: &[f64; 2]| [p[0], p[1], ANTENNA_HEIGHT_M];
            if !plan.add_path(k as u16, place(a), place(b), &mut state) {
                return Err(Failure(format!("nodes at {a:?} and {b:?} m can't be two nodes")));
            }
        }
        let pose_plan = pose::Plan::new(&settings.pose, Some(room)).map_err(wrong)?;
        let pose_state = pose::State::new(&pose_plan);
        let strength_plan = strength::Plan::new(&settings.strength).map_err(wrong)?;
        Ok(Chain {
            strength: (strength_plan, strength::State::new(&ends, streams)),
            locate: (plan, state),
            pose: (pose_plan, pose_state),
            evidence: Vec::with_capacity(paths.len()),
            detections: Vec::with_capacity(locate::MAX_LOCATED),
            summary: locate::Summary::default(),
            now: Timestamp(0),
            anybody: 0.0,
        })
    }

    /// Which path runs between two of `nodes` nodes.
    pub fn path(nodes: usize, a: usize, b: usize) -> u16 {
        let (a, b) = (a.min(b), a.max(b));
        (a * nodes - a * (a + 1) / 2 + b - a - 1) as u16
    }

    /// One measurement.
    pub fn sample(&mut self, path: u16, stream: u16, dbm: f64) {
        self.strength.0.sample(path, stream, dbm as f32, &mut self.strength.1);
    }

    /// Ends a cycle that took `dt_s`.
    pub fn cycle(&mut self, dt_s: f64, learning: bool) {
        let background = match (learning, self.anybody < EMPTY) {
            (true, _) => strength::Background::Learning,
            (false, true) => strength::Background::Empty,
            (false, false) => strength::Background::Occupied,
        };
        let is_new = self.strength.0.close(dt_s, background, &mut self.strength.1, &mut self.evidence);
        self.now = Timestamp(self.now.0 + (dt_s * 1e9) as u64);
        if learning {
            return;
        }
        let state = &mut self.locate.1;
        self.summary = self.locate.0.run(dt_s, is_new, &self.evidence, state, &mut self.detections);
        self.anybody = self.summary.anybody;
        self.pose.0.run(self.now, &self.detections, Gate::Accept, 1.0, &mut self.pose.1);
    }

    /// The surest of them, with what the hub adds to a published variance.
    pub fn estimate(&self) -> Option<Estimate> {
        let person = *self.people().first()?;
        let sigma_m = self.locate.0.model_error_m(self.summary.paths);
        let [[a, b, ..], [_, c, ..], ..] = person.covariance;
        let covariance_m2 = [a + sigma_m * sigma_m, b, c + sigma_m * sigma_m];
        Some(Estimate { mean_m: [person.mean[0], person.mean[1]], covariance_m2 })
    }

    /// Everybody whom the hub would publish, the surest first.
    pub fn people(&self) -> Vec<PersonTrack> {
        let mut people: Vec<PersonTrack> =
            self.pose.1.tracks().iter().filter(|t| t.state != TrackState::Tentative).copied().collect();
        people.sort_by(|a, b| b.existence.total_cmp(&a.existence));
        people
    }
}

/// Numbers separated by blanks, a row a line. A last line without an end is left out if it is none: the file was cut off.
pub fn table(path: &Path) -> Result<Vec<Vec<f64>>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| Failure::read(path, e))?;
    let mut rows = Vec::new();
    let mut lines = text.split_inclusive('\n').enumerate().peekable();
    while let Some((line, text)) = lines.next() {
        let row: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
        match row {
            Ok(row) if !row.is_empty() => rows.push(row),
            Ok(_) => {}
            Err(_) if lines.peek().is_none() && !text.ends_with('\n') => {}
            Err(e) => return Err(Failure::read(path, format!("line {}: {e}", line + 1))),
        }
    }
    if rows.is_empty() { Err(Failure::read(path, "it is empty")) } else { Ok(rows) }
}

/// Root of the mean square; not a number for none.
pub fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt()
}
