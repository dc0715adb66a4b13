//! Everybody in a room: one filter for each, and one that looks for somebody else.

use crate::filter::{Filter, Surroundings};
use crate::geometry::Antenna;
use crate::path::Path;
use crate::sequence::Sequence;
use crate::spectrum::{Covariance, Scatter};
use crate::window::LENGTH_S;
use crate::{Config, MAX_FOLLOWED, MAX_PATHS};
use wavewitness_num::math;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{Baseline, Canonical, ConfigError, Detection, Room, Samples, Sink, Timestamp};

/// Paths below which nobody is followed.
const LEAST_PATHS: u32 = 3;
/// Least evidence that is remembered against somebody.
const LEAST_EVIDENCE: f64 = -3.0;
/// Updates at that before a search begins anew.
const MOST_IDLE: u32 = 12;
/// Vertical standard deviation of a person's middle, m: nothing is measured of it.
const VERTICAL_SD_M: f64 = 0.15;
/// A silence longer than this is not predicted over, s.
const LONGEST_S: f64 = 1.0;

/// The follower of one room.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    room: Room,
}

/// Somebody.
#[derive(Clone, Debug)]
struct Body {
    filter: Filter,
    /// When it was last updated, and last proven.
    at: Timestamp,
    proven: Timestamp,
    known: bool,
}

/// Paths, filters and the sequence. All memory is taken here and in [`Plan::add_path`].
#[derive(Clone, Debug)]
pub struct State {
    paths: Vec<Path>,
    bodies: Vec<Body>,
    others: Vec<Covariance>,
    sequence: Sequence,
    looked: Option<Timestamp>,
    /// The filter that is next, of this window.
    next: usize,
}

/// What a cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Paths of the present window.
    pub paths: u32,
    /// People who are followed.
    pub people: u32,
    /// Evidence that somebody else is there, nats.
    pub evidence: f64,
    /// Root mean square of the reported standard deviations, m.
    pub sd_m: f64,
}

impl Canonical for Summary {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { paths, people, evidence, sd_m } = self;
        out.u32(*paths);
        out.u32(*people);
        out.f64(*evidence);
        out.f64(*sd_m);
    }
}

impl State {
    /// Nothing heard, nobody known.
    pub fn new(plan: &Plan) -> State {
        let most = plan.config.particles as usize;
        let body = || Body {
            filter: Filter::new(most, MAX_PATHS),
            at: Timestamp(0),
            proven: Timestamp(0),
            known: false,
        };
        State {
            paths: Vec::with_capacity(MAX_PATHS),
            // The last one looks for somebody else.
            bodies: (0..=MAX_FOLLOWED).map(|_| body()).collect(),
            others: vec![Covariance::zero(); MAX_PATHS],
            sequence: Sequence::new(),
            looked: None,
            next: MAX_FOLLOWED + 1,
        }
    }
}

impl Plan {
    /// # Errors
    /// Names the parameter that is out of range.
    pub fn new(config: &Config, room: Room) -> Result<Plan, ConfigError> {
        config.check()?;
        Ok(Plan { config: config.clone(), room })
    }

    /// Adds the path between two antennas; `None` if there are [`MAX_PATHS`].
    pub fn add_path(&self, ends_m: [[f64; 3]; 2], state: &mut State) -> Option<u16> {
        if state.paths.len() == MAX_PATHS {
            return None;
        }
        state.paths.push(Path::new(ends_m.map(|at_m| Antenna::new(at_m, &self.room))));
        Some(state.paths.len() as u16 - 1)
    }

    /// Takes an aligned frame of one direction (0 or 1) of a path, in the gauge of `baseline`, which was sent at `at` (or so
    /// long after it as all others: see [`crate::Slot`]). Means over cycles won't do: a frame that is late into the next cycle
    /// makes one of two moments. False if it can't be used: no baseline with a strength, or other tones than the path's.
    pub fn observe(
        &self,
        path: u16,
        direction: usize,
        at: Timestamp,
        baseline: &Baseline,
        frame: &Samples,
        rssi_dbm: Option<f32>,
        state: &mut State,
    ) -> bool {
        match state.paths.get_mut(usize::from(path)) {
            Some(p) if direction < 2 => p.observe(direction, at, baseline, frame, rssi_dbm),
            _ => false,
        }
    }

    /// Ends a cycle. Every `update_s` a window closes; each cycle after that updates one filter, so that no cycle bears
    /// all of them. `detections` is cleared and filled with everybody who is known, as of `at`. `empty`: somebody else
    /// knows that nobody is there.
    pub fn run(
        &self,
        at: Timestamp,
        empty: bool,
        state: &mut State,
        detections: &mut Vec<Detection>,
    ) -> Summary {
        if empty {
            for body in &mut state.bodies {
                body.known = false;
            }
        }
        let since_s = state.looked.map_or(f64::INFINITY, |then| at.seconds_since(then));
        if state.next > MAX_FOLLOWED && since_s >= self.config.update_s - 0.01 {
            for path in &mut state.paths {
                path.window.look(&path.ring, at);
            }
            state.looked = Some(at);
            state.next = 0;
        }
        let paths = state.paths.iter().filter(|p| p.window.known).count() as u32;
        if let (true, Some(looked)) = (paths >= LEAST_PATHS && !empty, state.looked) {
            while state.next < MAX_FOLLOWED && !state.bodies[state.next].known {
                state.next += 1;
            }
            if state.next <= MAX_FOLLOWED {
                self.update(state.next, looked, state);
                state.next += 1;
            }
        } else {
            state.next = MAX_FOLLOWED + 1;
        }
        self.report(at, paths, state, detections)
    }

    fn update(&self, which: usize, at: Timestamp, state: &mut State) {
        let State { paths, bodies, others, sequence, .. } = state;
        let config = &self.config;
        let around = Surroundings {
            config,
            room: &self.room,
            paths,
            scatter: Scatter {
                wavelength_m: config.wavelength_m,
                wall_power: config.wall_power,
                floor_share: config.floor_share as f32,
            },
        };
        for (k, (path, other)) in paths.iter().zip(others.iter_mut()).enumerate() {
            *other = Covariance::floor(&path.window.floor);
            for (b, body) in bodies[..MAX_FOLLOWED].iter().enumerate() {
                if body.known && b != which {
                    other.add(&body.filter.spectrum[k], 1.0);
                }
            }
        }
        let body = &mut bodies[which];
        let dt_s = at.seconds_since(body.at);
        if body.filter.particles.is_empty() || dt_s > LONGEST_S && which == MAX_FOLLOWED {
            body.filter.scatter(config.particles as usize, config, &self.room, sequence);
        } else {
            body.filter.predict(math::min_f64(dt_s, LONGEST_S), config, &self.room, paths, sequence);
        }
        body.at = at;
        let gained = body.filter.weigh(&around, &others[..paths.len()], sequence);
        let evidence = (1.0 - config.forget) * body.filter.evidence + gained;
        body.filter.evidence = math::max_f64(LEAST_EVIDENCE, evidence);
        if which < MAX_FOLLOWED {
            if gained > 1.0 {
                body.proven = at;
            }
            body.known = at.seconds_since(body.proven) < config.patience_s;
            body.filter.show(&around);
        } else {
            self.meet(at, bodies, sequence, &around);
        }
    }

    /// Takes up whoever was found.
    fn meet(&self, at: Timestamp, bodies: &mut [Body], sequence: &mut Sequence, around: &Surroundings<'_>) {
        let (known, probe) = bodies.split_at_mut(MAX_FOLLOWED);
        let filter = &mut probe[0].filter;
        let e = filter.estimate;
        filter.idle = if filter.evidence <= LEAST_EVIDENCE { filter.idle + 1 } else { 0 };
        if filter.idle >= MOST_IDLE {
            filter.scatter(self.config.particles as usize, &self.config, &self.room, sequence);
            filter.evidence = LEAST_EVIDENCE;
            return;
        }
        let sd2 = self.config.proof_sd_m * self.config.proof_sd_m;
        let crowded = known.iter().any(|b| {
            let p = b.filter.estimate.at_m;
            b.known && math::hypot(p[0] - e.at_m[0], p[1] - e.at_m[1]) < self.config.apart_m
        });
        if filter.evidence < self.config.proof || e.xx > sd2 || e.yy > sd2 || crowded {
            return;
        }
        if let Some(free) = known.iter_mut().find(|b| !b.known) {
            core::mem::swap(&mut free.filter, filter);
            (free.at, free.proven, free.known) = (at, at, true);
            free.filter.show(around);
            filter.scatter(self.config.particles as usize, &self.config, &self.room, sequence);
        }
    }

    fn report(&self, at: Timestamp, paths: u32, state: &State, detections: &mut Vec<Detection>) -> Summary {
        detections.clear();
        let evidence = state.bodies[MAX_FOLLOWED].filter.evidence;
        let mut summary = Summary { paths, evidence, ..Summary::default() };
        let mut squares = 0.0;
        for body in state.bodies[..MAX_FOLLOWED].iter().filter(|b| b.known) {
            let e = &body.filter.estimate;
            let ahead_s = math::min_f64(at.seconds_since(body.at), LENGTH_S);
            let place = |k: usize| {
                let x = e.at_m[k] + ahead_s * e.velocity_m_s[k];
                math::max_f64(self.room.min_m[k], math::min_f64(x, self.room.max_m[k]))
            };
            let factor = self.config.inflation * self.config.inflation;
            let least = self.config.least_sd_m * self.config.least_sd_m;
            let (xx, yy) = (factor * e.xx + least, factor * e.yy + least);
            squares += xx + yy;
            detections.push(Detection {
                position_m: [place(0), place(1), self.room.min_m[2] + self.config.scatter_height_m],
                covariance_m2: [
                    [xx, factor * e.xy, 0.0],
                    [factor * e.xy, yy, 0.0],
                    [0.0, 0.0, VERTICAL_SD_M * VERTICAL_SD_M],
                ],
                strength: 10.0,
            });
            summary.people += 1;
        }
        if summary.people > 0 {
            summary.sd_m = math::sqrt(0.5 * squares / f64::from(summary.people));
        }
        summary
    }
}
