//! Truth and published people for tests.

use super::drive::Cycle;
use wavewitness_fixtures::body::Build;
use wavewitness_fixtures::{Actor, Script, TruthPose};
use wavewitness_types::{Basis, Gate, Keypoint, NoPosture, Person, Posture, TrackId, TrackState};

/// Somebody who stands at a place, faces +x, and does not breathe.
pub fn standing(id: u32, plan_m: [f64; 2], stature_m: f64) -> TruthPose {
    let script = Script::new(Build { stature_m, ..Build::ADULT }, plan_m[0], plan_m[1], 0.0).stand(1.0);
    let actor = Actor { breathing_mm: 0.0, sway_mm: 0.0, ..Actor::new(id, script) };
    actor.truth(0).unwrap()
}

/// Published as inferred, all off by a vector.
pub fn person(track: u32, truth: &TruthPose, off_m: [f64; 3], sigma_m: f32) -> Person {
    let moved = |p: [f64; 3]| [0, 1, 2].map(|k| (p[k] + off_m[k]) as f32);
    let key = |p| Keypoint { position_m: moved(p), sigma_m: [sigma_m; 3], basis: Basis::Inferred };
    Person {
        id: TrackId(track),
        state: TrackState::Confirmed,
        existence: 1.0,
        position_m: moved(truth.centre_m),
        sigma_m: [sigma_m; 3],
        velocity_m_s: [0.0; 3],
        keypoints: truth.joints_m.map(key),
        posture: Posture::Unknown(NoPosture::NoData),
        heading: None,
    }
}

/// The cycle of a number in which nobody is there and nothing is said.
pub fn empty_cycle(k: u32) -> Cycle {
    Cycle {
        t_s: 0.05 * f64::from(k + 1),
        truth: Vec::new(),
        people: Vec::new(),
        present: None,
        count: None,
        gate: Gate::Accept,
        watched: false,
        fall: None,
    }
}
