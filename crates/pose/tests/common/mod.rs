//! A room, a clock and detections.

#![allow(dead_code)]

#[path = "../../src/testing.rs"]
mod testing;

pub(crate) use testing::Random;
use wavewitness_pose::{Config, Plan, State};
use wavewitness_types::{Detection, PersonTrack, Room, Timestamp, TrackState};

pub const CYCLE_S: f64 = 0.05;
pub const ROOM: Room = Room { min_m: [0.0; 3], max_m: [6.0, 5.0, 2.5] };

/// Seconds as a time.
pub fn time(seconds: f64) -> Timestamp {
    Timestamp(1_000_000_000 + (seconds * 1e9).round() as u64)
}

pub fn tracker(config: &Config) -> (Plan, State) {
    let plan = Plan::new(config, Some(ROOM)).unwrap();
    let state = State::new(&plan);
    (plan, state)
}

/// A detection of a place with independent Gaussian errors.
pub fn detection(random: &mut Random, place: [f64; 3], sigma_m: f64) -> Detection {
    let mut position_m = place;
    let mut covariance_m2 = [[0.0; 3]; 3];
    for k in 0..3 {
        position_m[k] += sigma_m * random.normal();
        covariance_m2[k][k] = sigma_m * sigma_m;
    }
    Detection { position_m, covariance_m2, strength: 10.0 }
}

/// A false detection anywhere in the room.
pub fn clutter(random: &mut Random, sigma_m: f64) -> Detection {
    let place = [6.0 * random.uniform(), 5.0 * random.uniform(), 2.5 * random.uniform()];
    detection(random, place, sigma_m)
}

pub fn confirmed(state: &State) -> Vec<PersonTrack> {
    state.tracks().iter().copied().filter(|t| t.state != TrackState::Tentative).collect()
}
