//! Kalman tracks of people, and their 17 keypoints.
//!
//! Detections of an image become tracks: a joint position–velocity Kalman filter each, a χ² gate, one optimal assignment
//! of detections to tracks a cycle, recursive existence and a lifecycle tentative → confirmed → coasting → deleted; who comes back
//! soon where somebody went out is taken for the same. [`Plan::people`] puts a body at each track: in the posture that it is
//! told, facing where the track went. The method, its constants and its failure cases are in `docs/algorithms/pose.md`.
//!
//! What this crate does not do: it measures no limb (a keypoint is `Inferred` or `Prior`, never `Measured`) and no posture,
//! animates nothing, knows nobody by his radio, and makes no detections of its own.

mod assignment;
mod config;
mod existence;
mod follow;
mod kalman;
mod missing;
mod shape;
mod skeleton;
mod spread;
mod state;
#[cfg(test)]
mod testing;

pub use config::Config;
pub use skeleton::Belief;
pub use state::State;

use assignment::{Costs, SIZE};
use existence::Evidence;
use kalman::{Gaussian, Innovation};
use skeleton::{Facing, Usual};
use state::Slot;
use wavewitness_num::math;
use wavewitness_num::matrix::{Matrix, Vector};
use wavewitness_types::limits::MAX_PEOPLE;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{
    Canonical, ConfigError, Detection, Gate, Person, PersonTrack, Room, Sink, Timestamp, TrackState,
};

/// Farther than this from the origin is nowhere, m: keeps hostile input finite where no room is configured.
const WORLD_M: f64 = 10_000.0;
/// A detection less certain than this along an axis is none, m.
const MAX_DETECTION_SIGMA_M: f64 = 100.0;
/// Added to each detection's variance, m² (1 mm): keeps a flattened covariance invertible.
const JITTER_M2: f64 = 1e-6;
/// Largest factor on a measurement's standard deviation.
const MAX_INFLATION: f64 = 100.0;

/// The tracker of one room.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    room: Option<Room>,
    evidence: Evidence,
    usual: Usual,
}

/// What a cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Detections that updated a track.
    pub assigned: u16,
    /// Detections that began a track.
    pub born: u16,
    /// Detections that could not be used: not finite, no covariance, outside the room, or beyond the sixteen strongest.
    pub ignored: u16,
    /// Tracks that ended.
    pub deleted: u16,
    /// Sum of the squared Mahalanobis distances of the assigned detections: three for each if the filter is consistent.
    pub nis_sum: f64,
}

/// A usable detection.
#[derive(Clone, Copy)]
struct Measurement {
    position: Vector<3>,
    noise: Matrix<3, 3>,
    strength: f64,
}

impl Plan {
    /// Plans a tracker; without a room tracks may be anywhere.
    ///
    /// # Errors
    /// If a parameter is out of range, two contradict each other, or the room is no box.
    pub fn new(config: &Config, room: Option<Room>) -> Result<Plan, ConfigError> {
        config.check()?;
        if config.confirm_hits > config.confirm_window {
            let allowed = format_args!("at most confirm_window, {}", config.confirm_window);
            return Err(ConfigError::new("pose.confirm_hits", config.confirm_hits, allowed));
        }
        if config.delete_existence >= config.birth_existence {
            let allowed = format_args!("less than birth_existence, {}", config.birth_existence);
            return Err(ConfigError::new("pose.delete_existence", config.delete_existence, allowed));
        }
        if let Some(Room { min_m, max_m }) = room {
            for k in 0..3 {
                let size = max_m[k] - min_m[k];
                if !(size > 0.0 && min_m[k] > -WORLD_M && max_m[k] < WORLD_M) {
                    return Err(ConfigError::new(
                        "room",
                        size,
                        "a box of positive size near the origin, in metres",
                    ));
                }
            }
        }
        Ok(Plan { config: config.clone(), room, evidence: Evidence::new(config), usual: Usual::new(config) })
    }

    /// Advances every track to `at` and, if the gate allows, updates by an image's detections.
    ///
    /// `Accept`, `PredictOnly`: update and begin tracks, with measurement noise × `noise_inflation`² (1 when accepted; a
    /// person who walks makes a link doubtful, so doubt must not forbid birth). `Reject`, `Recalibrate`: predict;
    /// nothing is concluded from what is not seen. A step back in time counts as standing still. Total: detections that
    /// can't be are ignored and counted.
    pub fn run(
        &self,
        at: Timestamp,
        detections: &[Detection],
        gate: Gate,
        noise_inflation: f64,
        state: &mut State,
    ) -> Summary {
        let mut summary = Summary::default();
        state.missing.forget(at, self.config.return_s);
        let dt = state.advance(at);
        let before = state.tracks.len();
        self.predict(state, dt);
        self.prune(state);
        if matches!(gate, Gate::Accept | Gate::PredictOnly) {
            self.select(detections, noise_inflation, state, &mut summary);
            let partner = self.associate(state);
            let used = self.update(state, &partner, dt, &mut summary);
            state.recognise(self.config.return_speed_m_s);
            self.prune(state);
            summary.deleted = (before - state.tracks.len()) as u16;
            self.give_birth(state, used, &mut summary);
        } else {
            for track in &mut state.tracks {
                miss(track);
            }
            summary.deleted = (before - state.tracks.len()) as u16;
        }
        self.face(state, dt);
        summary
    }

    /// The person of a track that says nothing but where it is and how it moves.
    pub fn skeleton(&self, track: &PersonTrack) -> Person {
        let facing = Facing::now(&self.config, track, false, None, 0.0);
        skeleton::person(&self.config, track, facing, self.floor_m(), 0.0, &self.usual, &Belief::NOTHING)
    }

    /// Everybody to publish, ascending by id, at most [`MAX_PEOPLE`]. `belief` is of the one who is there; of several
    /// nobody's posture is known. `place_error_m`: one sigma of an error along x and y that is the same from cycle to cycle and so
    /// in no track's covariance.
    pub fn people<'a>(
        &'a self,
        state: &'a State,
        belief: &'a Belief,
        place_error_m: f64,
    ) -> impl Iterator<Item = Person> + 'a {
        let belief = if state.people_count() == 1 { belief } else { &Belief::NOTHING };
        let published =
            state.tracks.iter().zip(&state.slots).filter(|(t, _)| t.state != TrackState::Tentative);
        published.map(move |(t, slot)| {
            skeleton::person(&self.config, t, slot.facing, self.floor_m(), place_error_m, &self.usual, belief)
        })
    }

    fn floor_m(&self) -> Option<f64> {
        self.room.map(|room| room.min_m[2])
    }

    /// Who walks faces where he goes; who stands still keeps that, less surely with time.
    fn face(&self, state: &mut State, dt: f64) {
        for (track, slot) in state.tracks.iter().zip(&mut state.slots) {
            slot.facing = Facing::now(&self.config, track, slot.follows.is_some(), slot.facing, dt);
        }
    }

    fn predict(&self, state: &mut State, dt: f64) {
        // A track that is to be deleted for its age anyway is not predicted: that bounds the step by `coast_s`.
        let now = state.now;
        let coast_s = self.config.coast_s;
        state.retain(|_, slot| now.seconds_since(slot.measured) <= coast_s);
        let q = [
            self.config.acceleration_psd,
            self.config.acceleration_psd,
            self.config.vertical_acceleration_psd,
        ];
        for track in &mut state.tracks {
            let mut g = gaussian(track);
            g.predict(dt, &q);
            put(track, &g);
            track.existence = self.evidence.survive(track.existence, dt);
            track.age_cycles = track.age_cycles.saturating_add(1);
        }
    }

    /// The usable detections, strongest first (the earlier of equals), into `state.measurements`.
    fn select(&self, detections: &[Detection], inflation: f64, state: &mut State, summary: &mut Summary) {
        // Not a number is not a promise of quality either.
        let factor = if inflation <= MAX_INFLATION { math::max_f64(1.0, inflation) } else { MAX_INFLATION };
        state.measurements.clear();
        for detection in detections {
            let Some(measurement) = self.measurement(detection, factor * factor) else {
                summary.ignored = summary.ignored.saturating_add(1);
                continue;
            };
            let place = state.measurements.partition_point(|m| m.strength >= measurement.strength);
            if state.measurements.len() == SIZE {
                summary.ignored = summary.ignored.saturating_add(1);
                if place == SIZE {
                    continue;
                }
                state.measurements.pop();
            }
            state.measurements.insert(place, measurement);
        }
    }

    fn measurement(&self, detection: &Detection, inflation2: f64) -> Option<Measurement> {
        let Detection { position_m, covariance_m2, strength } = detection;
        if !strength.is_finite() || !self.contains(position_m) {
            return None;
        }
        let mut noise = Matrix(*covariance_m2).symmetrised();
        for k in 0..3 {
            if noise.0[k][k] > MAX_DETECTION_SIGMA_M * MAX_DETECTION_SIGMA_M {
                return None;
            }
        }
        // A singular covariance (a perfectly flat detection) is one; an indefinite one is none.
        for k in 0..3 {
            noise.0[k][k] += JITTER_M2;
        }
        noise.cholesky()?;
        Some(Measurement { position: *position_m, noise: noise.scaled(inflation2), strength: *strength })
    }

    /// Inside the room and its margin, or just somewhere. False for what is not a number.
    fn contains(&self, position: &[f64]) -> bool {
        (0..3).all(|k| {
            let (low, high) = match &self.room {
                Some(room) => (room.min_m[k], room.max_m[k]),
                None => (-WORLD_M, WORLD_M),
            };
            position[k] >= low - self.config.room_margin_m && position[k] <= high + self.config.room_margin_m
        })
    }

    fn gated(&self, track: &PersonTrack, measurement: &Measurement) -> Option<Innovation> {
        let innovation = gaussian(track).innovation(&measurement.position, &measurement.noise)?;
        (innovation.distance2 <= self.config.gate_distance2).then_some(innovation)
    }

    /// For each track the measurement that the most probable joint assignment gives it.
    ///
    /// A pair's cost is −2 ln of its likelihood over that of no pair: squared Mahalanobis distance + ln det S, less the
    /// miss cost. Pairs outside the gate, or worse than a miss, cost 0 as no pair does, so the least total over the
    /// square matrix is the best choice with misses. Where two tracks want one detection their existence weighs in
    /// ([`Evidence::priority`]).
    fn associate(&self, state: &State) -> [Option<usize>; SIZE] {
        let mut costs: Costs = [[0.0; SIZE]; SIZE];
        for (t, track) in state.tracks.iter().enumerate() {
            let priority = self.evidence.priority(track.existence);
            for (m, measurement) in state.measurements.iter().enumerate() {
                let Some(i) = self.gated(track, measurement) else { continue };
                let cost = i.distance2 + i.ln_determinant - self.evidence.miss_cost();
                if cost < 0.0 {
                    costs[t][m] = cost - priority;
                }
            }
        }
        let n = state.tracks.len().max(state.measurements.len());
        let columns = assignment::assign(&costs, n);
        let mut partner = [None; SIZE];
        for t in 0..state.tracks.len() {
            if costs[t][columns[t]] < 0.0 {
                partner[t] = Some(columns[t]);
            }
        }
        partner
    }

    /// Updates tracks by their partners; returns which measurements were used.
    fn update(
        &self,
        state: &mut State,
        partner: &[Option<usize>; SIZE],
        dt: f64,
        summary: &mut Summary,
    ) -> [bool; SIZE] {
        let mut used = [false; SIZE];
        let now = state.now;
        let mut people = state.people_count();
        for t in 0..state.tracks.len() {
            let (track, slot) = (&mut state.tracks[t], &mut state.slots[t]);
            let pair = partner[t].and_then(|m| Some((m, self.gated(track, &state.measurements[m])?)));
            let cost = pair.map(|(_, i)| i.distance2 + i.ln_determinant);
            track.existence = self.evidence.update(track.existence, dt, cost);
            slot.push(pair.is_some());
            let Some((m, innovation)) = pair else {
                miss(track);
                continue;
            };
            used[m] = true;
            summary.assigned += 1;
            summary.nis_sum += innovation.distance2;
            let mut g = gaussian(track);
            g.update(&innovation);
            put(track, &g);
            track.missed_cycles = 0;
            slot.measured = now;
            slot.place_m = [track.mean[0], track.mean[1]];
            slot.variance_m2 = [track.covariance[0][0], track.covariance[1][1]];
            let proven = slot.hits(self.config.confirm_window) >= self.config.confirm_hits
                && track.existence >= self.config.confirm_existence;
            if track.state == TrackState::Coasting {
                track.state = TrackState::Confirmed;
            } else if track.state == TrackState::Tentative && proven && people < MAX_PEOPLE {
                track.state = TrackState::Confirmed;
                slot.is_new = true;
                people += 1;
            }
        }
        used
    }

    /// Ends the tracks that are over.
    fn prune(&self, state: &mut State) {
        let config = &self.config;
        let now = state.now;
        let max_variance = config.max_sigma_m * config.max_sigma_m;
        state.retain(|track, slot| {
            let certain = (0..2).all(|k| track.covariance[k][k] <= max_variance);
            // Where images come rarely, a full window of them is waited for.
            let young = now.seconds_since(slot.born) <= config.confirm_within_s
                || track.age_cycles <= config.confirm_window;
            let hopeful = track.state != TrackState::Tentative
                || (young
                    && slot.misses(config.confirm_window) <= config.confirm_window - config.confirm_hits);
            certain
                && hopeful
                && track.existence >= config.delete_existence
                && self.contains(&track.mean[..3])
        });
    }

    /// Begins tracks at the strongest unused measurements that are no one else's.
    fn give_birth(&self, state: &mut State, used: [bool; SIZE], summary: &mut Summary) {
        for m in 0..state.measurements.len() {
            let tentative = state.tracks.len() - state.people_count();
            if summary.born as u32 >= self.config.births_per_cycle || tentative >= SIZE - MAX_PEOPLE {
                return;
            }
            let Measurement { position, noise, .. } = state.measurements[m];
            let crowded = state.tracks.iter().any(|t| {
                math::hypot(t.mean[0] - position[0], t.mean[1] - position[1]) < self.config.separation_m
            });
            if used[m] || crowded {
                continue;
            }
            let Some(id) = state.take_id() else { return };
            let mut covariance = [[0.0; 6]; 6];
            for r in 0..3 {
                covariance[r][..3].copy_from_slice(&noise.0[r]);
                let sigma = if r < 2 {
                    self.config.birth_speed_sigma_m_s
                } else {
                    self.config.birth_vertical_speed_sigma_m_s
                };
                covariance[r + 3][r + 3] = sigma * sigma;
            }
            state.tracks.push(PersonTrack {
                id,
                state: TrackState::Tentative,
                mean: [position[0], position[1], position[2], 0.0, 0.0, 0.0],
                covariance,
                existence: self.config.birth_existence,
                age_cycles: 0,
                missed_cycles: 0,
            });
            state.slots.push(Slot::new(state.now));
            summary.born += 1;
        }
    }
}

/// A cycle without a measurement.
fn miss(track: &mut PersonTrack) {
    track.missed_cycles = track.missed_cycles.saturating_add(1);
    if track.state == TrackState::Confirmed {
        track.state = TrackState::Coasting;
    }
}

fn gaussian(track: &PersonTrack) -> Gaussian {
    Gaussian { mean: track.mean, covariance: Matrix(track.covariance) }
}

fn put(track: &mut PersonTrack, g: &Gaussian) {
    track.mean = g.mean;
    track.covariance = g.covariance.0;
}

impl Canonical for Summary {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { assigned, born, ignored, deleted, nis_sum } = self;
        out.u16(*assigned);
        out.u16(*born);
        out.u16(*ignored);
        out.u16(*deleted);
        out.f64(*nis_sum);
    }
}
