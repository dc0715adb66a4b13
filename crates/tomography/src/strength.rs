//! From signal strength to evidence: a baseline for each stream of a path, and how far a cycle departs from it.
//!
//! A *path* is the segment between two places; its *streams* are what is measured on it separately: directions, channels,
//! tones. A cycle gives one number a path, the **deviation** `2 ln((e + c)/(q + c))`: e is the mean absolute departure of
//! the newest samples from the baselines of their streams, q its mean in the empty room. It has no sign, because a body
//! between reflections raises a stream as often as it lowers it. Absolute values rather than squares: on the recordings a
//! square follows the one stream in a deep fade.
//!
//! Baselines drift with temperature, by decibels in an hour. They are followed while nobody is there, and far more slowly
//! while somebody seems to be, so that a moved chair becomes background at last (`absorb_s`).

use crate::locate::PathEvidence;
use wavewitness_num::math;
use wavewitness_num::sum::median_in_place;
use wavewitness_types::canonical::Reader;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{ConfigError, Sink};

/// Most samples of one path that are kept.
pub const MAX_SAMPLES: usize = 64;
/// Strengths outside this range are no measurement, dBm.
const RANGE_DBM: (f32, f32) = (-120.0, 20.0);
/// Samples of a stream before its baseline says anything.
const MIN_LEARNT: u32 = 4;
/// Sweeps over the places.
const COMMON_SWEEPS: usize = 4;
/// Time constant of drift, once learnt, at least: gains stay below one.
const MIN_SAMPLES_MEMORY: f64 = 4.0;

wavewitness_types::stage_config! {
    /// How strength becomes evidence.
    pub struct Config in "strength" {
        /// Added to both departures before their ratio is taken: a part of the radio's step of 1 dB, dB.
        floor_db: f64 = 0.2, 0.01, 3.0;
        /// Newest samples of a path that are looked at together: sixteen give a mean departure to a fifth.
        window: u32 = 16, 1, 64;
        /// None of them is older than this, s.
        max_age_s: f64 = 60.0, 0.05, 600.0;
        /// Samples of a path without which it says nothing.
        min_samples: u32 = 3, 1, 64;
        /// Paths of a place whose median departure is taken as the place's own.
        min_place_paths: u32 = 5, 3, 64;
        /// A departure beyond this many mean departures moves the baseline no more than this many.
        clip: f64 = 3.0, 1.0, 100.0;
        /// Time constant with which a baseline follows while the room is empty, s.
        drift_s: f64 = 300.0, 1.0, 100000.0;
        /// Time constant with which it follows while somebody is there: what stands still longer becomes background, s.
        absorb_s: f64 = 3600.0, 1.0, 1000000.0;
    }
}

/// What is known of the room while a cycle is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// Somebody says that the room is empty: learn.
    Learning,
    /// Nobody is seen: follow drift.
    Empty,
    /// Somebody is there, or may be.
    Occupied,
}

/// One stream's baseline.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    mean_db: f64,
    departure_db: f64,
    count: u32,
    heard_s: f64,
}

/// One path's quiet level.
#[derive(Clone, Copy, Debug, Default)]
struct Quiet {
    departure_db: f64,
    count: u32,
}

/// The stage.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
}

/// One measurement.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    stream: u16,
    dbm: f32,
    at_s: f64,
}

/// The newest samples of a path, oldest first.
#[derive(Clone, Copy, Debug)]
struct Window {
    samples: [Sample; MAX_SAMPLES],
    count: usize,
    /// How many of them this cycle brought.
    fresh: usize,
}

/// Baselines and the newest samples. Allocates at construction only.
#[derive(Clone, Debug)]
pub struct State {
    streams_per_path: usize,
    streams: Vec<Stream>,
    quiet: Vec<Quiet>,
    windows: Vec<Window>,
    sorted: Vec<f64>,
    now_s: f64,
    /// Places at the ends of each path.
    ends: Vec<[u16; 2]>,
    /// Median departure of each path; not a number without one.
    shift_db: Vec<f64>,
    /// What all paths of a place depart alike.
    place_db: Vec<f64>,
}

impl Window {
    fn drop_oldest(&mut self, n: usize) {
        self.samples.copy_within(n..self.count, 0);
        self.count -= n;
        self.fresh = self.fresh.min(self.count);
    }
}

impl State {
    /// Nothing learnt. `ends` are the two places (nodes, numbered) of each path; each has so many `streams`.
    pub fn new(ends: &[[u16; 2]], streams: u16) -> State {
        let (p, s) = (ends.len(), usize::from(streams));
        let places = ends.iter().flatten().max().map_or(0, |&k| usize::from(k) + 1);
        State {
            streams_per_path: s,
            streams: vec![Stream::default(); p * s],
            quiet: vec![Quiet::default(); p],
            windows: vec![Window { samples: [Sample::default(); MAX_SAMPLES], count: 0, fresh: 0 }; p],
            sorted: Vec::with_capacity(MAX_SAMPLES.max(p)),
            now_s: 0.0,
            ends: ends.to_vec(),
            shift_db: vec![f64::NAN; p],
            place_db: vec![0.0; places],
        }
    }
}

impl State {
    /// What is learnt of a path, to be carried over a restart: of each stream, then of the path.
    pub fn export<S: Sink>(&self, path: usize, out: &mut S) {
        for s in &self.streams[path * self.streams_per_path..][..self.streams_per_path] {
            out.f64s(&[s.mean_db, s.departure_db]);
            out.u32(s.count);
        }
        out.f64(self.quiet[path].departure_db);
        out.u32(self.quiet[path].count);
    }

    /// Takes what was exported of a path of as many streams; with no path, reads past it. `None` if the bytes end or hold
    /// what can't be; what came before stays taken.
    pub fn import(&mut self, path: Option<usize>, r: &mut Reader<'_>) -> Option<()> {
        let mean = |db: f64| (-200.0..=200.0).contains(&db).then_some(db);
        let size = |db: f64| (0.0..=200.0).contains(&db).then_some(db);
        for k in 0..self.streams_per_path {
            let (mean_db, departure_db) = (mean(r.f64()?)?, size(r.f64()?)?);
            let stream = Stream { mean_db, departure_db, count: r.u32()?, heard_s: self.now_s };
            if let Some(path) = path {
                self.streams[path * self.streams_per_path + k] = stream;
            }
        }
        let quiet = Quiet { departure_db: size(r.f64()?)?, count: r.u32()? };
        if let Some(path) = path {
            self.quiet[path] = quiet;
        }
        Some(())
    }

    /// Forgets every baseline and sample.
    pub fn clear(&mut self) {
        self.streams.fill(Stream::default());
        self.quiet.fill(Quiet::default());
        self.windows.iter_mut().for_each(|w| w.drop_oldest(w.count));
    }

    /// Becomes as another of the same shape is; takes no memory.
    pub fn copy_from(&mut self, other: &State) {
        let State {
            streams_per_path: _,
            streams,
            quiet,
            windows,
            sorted: _,
            now_s,
            ends: _,
            shift_db,
            place_db,
        } = other;
        self.streams.copy_from_slice(streams);
        self.quiet.copy_from_slice(quiet);
        self.windows.copy_from_slice(windows);
        self.now_s = *now_s;
        self.shift_db.copy_from_slice(shift_db);
        self.place_db.copy_from_slice(place_db);
    }
}

impl Plan {
    /// # Errors
    /// Names the parameter that is out of range.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        config.check()?;
        Ok(Plan { config: config.clone() })
    }

    /// Takes one measurement. False, and nothing happens, for a path or stream that is none or a strength that can't be.
    pub fn sample(&self, path: u16, stream: u16, dbm: f32, state: &mut State) -> bool {
        let usable = usize::from(path) < state.windows.len()
            && usize::from(stream) < state.streams_per_path
            && (RANGE_DBM.0..=RANGE_DBM.1).contains(&dbm);
        if usable {
            let at_s = state.now_s;
            let window = &mut state.windows[usize::from(path)];
            if window.count >= self.config.window as usize {
                window.drop_oldest(window.count + 1 - self.config.window as usize);
            }
            window.samples[window.count] = Sample { stream, dbm, at_s };
            window.count += 1;
            window.fresh = (window.fresh + 1).min(window.count);
        }
        usable
    }

    /// Ends a cycle that took `dt_s` seconds: fills `evidence` with the paths that say something (none while learning),
    /// then lets the baselines follow. True if any sample behind the evidence is new.
    pub fn close(
        &self,
        dt_s: f64,
        background: Background,
        state: &mut State,
        evidence: &mut Vec<PathEvidence>,
    ) -> bool {
        evidence.clear();
        let dt_s = if dt_s > 0.0 { math::min_f64(dt_s, 1e6) } else { 0.0 };
        state.now_s += dt_s;
        let mut is_new = false;
        let oldest_s = state.now_s - self.config.max_age_s;
        for window in &mut state.windows {
            let stale = window.samples[..window.count].partition_point(|s| s.at_s < oldest_s);
            window.drop_oldest(stale);
        }
        self.find_common(state);
        for path in 0..state.windows.len() {
            let departure = self.departures(path, state);
            if let (Some(e), false) = (departure, background == Background::Learning)
                && state.quiet[path].count >= MIN_LEARNT
            {
                let c = self.config.floor_db;
                let deviation = 2.0 * math::ln((e + c) / (state.quiet[path].departure_db + c));
                evidence.push(PathEvidence { path: path as u16, deviation: deviation as f32 });
                is_new |= state.windows[path].fresh > 0;
            }
            self.follow(path, departure, dt_s, background, state);
            state.windows[path].fresh = 0;
        }
        is_new
    }

    /// What all paths of a place depart alike is the place's own (its gain, its temperature, its supply), and no body's:
    /// the median over its paths, less the other ends' (Tukey's median polish), where they are enough for one.
    fn find_common(&self, state: &mut State) {
        state.place_db.fill(0.0);
        for path in 0..state.windows.len() {
            let any = self.departures(path, state);
            state.shift_db[path] = any.and_then(|_| median_in_place(&mut state.sorted)).unwrap_or(f64::NAN);
        }
        for _ in 0..COMMON_SWEEPS {
            for place in 0..state.place_db.len() {
                state.sorted.clear();
                for (&shift, &[a, b]) in state.shift_db.iter().zip(&state.ends) {
                    let (a, b) = (usize::from(a), usize::from(b));
                    if !shift.is_nan() && (a == place || b == place) {
                        state.sorted.push(shift - state.place_db[if a == place { b } else { a }]);
                    }
                }
                if state.sorted.len() >= self.config.min_place_paths as usize {
                    state.place_db[place] = median_in_place(&mut state.sorted).unwrap_or(0.0);
                }
            }
        }
    }

    /// Fills `state.sorted` with the departures of the samples whose stream is learnt, less what their places have in
    /// common; their mean size.
    fn departures(&self, path: usize, state: &mut State) -> Option<f64> {
        state.sorted.clear();
        let mut total = 0.0;
        let [a, b] = state.ends[path];
        let common = state.place_db[usize::from(a)] + state.place_db[usize::from(b)];
        let window = &state.windows[path];
        for s in &window.samples[..window.count] {
            let learnt = &state.streams[path * state.streams_per_path + usize::from(s.stream)];
            if learnt.count >= MIN_LEARNT {
                let departure = f64::from(s.dbm) - learnt.mean_db - common;
                total += departure.abs();
                state.sorted.push(departure);
            }
        }
        let n = state.sorted.len();
        (n >= self.config.min_samples as usize).then(|| total / n as f64)
    }

    fn follow(
        &self,
        path: usize,
        departure: Option<f64>,
        dt_s: f64,
        background: Background,
        state: &mut State,
    ) {
        let memory_s = match background {
            Background::Occupied => self.config.absorb_s,
            _ => self.config.drift_s,
        };
        let Window { samples, count, fresh } = state.windows[path];
        if fresh == 0 {
            return;
        }
        let per_path = state.streams_per_path;
        let learning = background == Background::Learning;
        for Sample { stream, dbm, .. } in &samples[count - fresh..count] {
            let s = &mut state.streams[path * per_path + usize::from(*stream)];
            if !learning && s.count < MIN_LEARNT {
                continue;
            }
            s.count = s.count.saturating_add(1);
            // Time since the stream was last heard, at most: many samples at once are no faster than time.
            let since_s = math::max_f64(0.0, state.now_s - s.heard_s);
            s.heard_s = state.now_s;
            let slow = since_s / math::max_f64(memory_s, MIN_SAMPLES_MEMORY * since_s + 1e-9);
            let g = if learning { 1.0 / f64::from(s.count) } else { slow };
            let difference = f64::from(*dbm) - s.mean_db;
            let bound = self.config.clip * math::max_f64(s.departure_db, 0.5);
            let moved = if s.count <= MIN_LEARNT || background == Background::Occupied {
                difference
            } else {
                math::max_f64(-bound, math::min_f64(difference, bound))
            };
            s.mean_db += g * moved;
            if s.count > 1 && background != Background::Occupied {
                s.departure_db += g * (moved.abs() - s.departure_db);
            }
        }
        if let (Some(e), true) = (departure, background != Background::Occupied) {
            let quiet = &mut state.quiet[path];
            if learning || quiet.count >= MIN_LEARNT {
                quiet.count = quiet.count.saturating_add(1);
                let slow = dt_s / math::max_f64(memory_s, MIN_SAMPLES_MEMORY * dt_s);
                let g = if learning { 1.0 / f64::from(quiet.count) } else { slow };
                quiet.departure_db += g * (e - quiet.departure_db);
            }
        }
    }
}
