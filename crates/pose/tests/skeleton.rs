//! Guards the skeleton's honesty: it is a template at the root, wide where nothing was measured, and nothing but the
//! track moves it.

mod common;

use common::tracker;
use wavewitness_num::math;
use wavewitness_pose::Config;
use wavewitness_types::{Basis, KeypointName, PersonTrack, TrackId, TrackState};

fn track(velocity: [f64; 2]) -> PersonTrack {
    let mut covariance = [[0.0; 6]; 6];
    for k in 0..6 {
        covariance[k][k] = if k < 3 { 0.04 } else { 0.01 };
    }
    PersonTrack {
        id: TrackId(7),
        state: TrackState::Confirmed,
        mean: [2.0, 3.0, 0.935, velocity[0], velocity[1], 0.0],
        covariance,
        existence: 0.97,
        age_cycles: 100,
        missed_cycles: 0,
    }
}

fn at(person: &wavewitness_types::Person, name: KeypointName) -> [f64; 3] {
    person.keypoints[name as usize].position_m.map(f64::from)
}

#[test]
fn a_standing_body_faces_nowhere_in_particular() {
    let (plan, _) = tracker(&Config::default());
    let person = plan.skeleton(&track([0.05, 0.05]));
    for (k, point) in person.keypoints.iter().enumerate() {
        assert_eq!(point.basis, Basis::Prior);
        assert!((point.position_m[0] - 2.0).abs() < 1e-6 && (point.position_m[1] - 3.0).abs() < 1e-6);
        for axis in 0..3 {
            assert!(point.sigma_m[axis] > person.sigma_m[axis], "keypoint {k} is less certain than its root");
        }
    }
    // On a circle of radius a the standard deviation along an axis is a/√2: shoulders 0.129 of 1.7 m, sway 0.03 of it.
    let expected = math::sqrt(0.04 + (1.7 * 1.7 + 0.01) * (0.129 * 0.129 / 2.0 + 0.03 * 0.03));
    let shoulder = person.keypoints[KeypointName::LeftShoulder as usize];
    assert!((f64::from(shoulder.sigma_m[0]) - expected).abs() < 1e-6);
}

#[test]
fn heights_are_those_of_the_literature() {
    let (plan, _) = tracker(&Config::default());
    // The root of a person of 1.70 m stands at 0.55 · 1.70 = 0.935 m.
    let person = plan.skeleton(&track([0.0, 0.0]));
    let cases =
        [(KeypointName::LeftEye, 0.936), (KeypointName::RightHip, 0.530), (KeypointName::LeftAnkle, 0.039)];
    for (name, fraction) in cases {
        assert!((at(&person, name)[2] - 1.7 * fraction).abs() < 1e-6, "{name:?}");
    }
    let heights =
        [KeypointName::Nose, KeypointName::LeftShoulder, KeypointName::LeftHip, KeypointName::LeftKnee];
    assert!(heights.windows(2).all(|w| at(&person, w[0])[2] > at(&person, w[1])[2]));
}

#[test]
fn a_walk_tells_left_from_right_in_every_direction() {
    let (plan, _) = tracker(&Config::default());
    for step in 0..16 {
        let angle = f64::from(step) * core::f64::consts::TAU / 16.0;
        let (ux, uy) = (math::cos(angle), math::sin(angle));
        let person = plan.skeleton(&track([1.2 * ux, 1.2 * uy]));
        let along = |name, dx: f64, dy: f64| {
            let p = at(&person, name);
            (p[0] - 2.0) * dx + (p[1] - 3.0) * dy
        };
        // Left of a walk along (ux, uy) is (−uy, ux), seen from above.
        let left = along(KeypointName::LeftShoulder, -uy, ux);
        let right = along(KeypointName::RightShoulder, -uy, ux);
        assert!(left > 0.2 && left < 0.129 * 1.7 && (left + right).abs() < 1e-6);
        assert!(along(KeypointName::Nose, ux, uy) > 0.1);
        assert!(person.keypoints.iter().all(|k| k.basis == Basis::Prior));
    }
}

#[test]
fn a_heading_narrows_the_shoulders_across_the_walk_but_not_beyond_its_own_error() {
    let (plan, _) = tracker(&Config::default());
    let known = plan.skeleton(&track([1.2, 0.0])).keypoints[KeypointName::LeftShoulder as usize];
    let unknown = plan.skeleton(&track([0.1, 0.0])).keypoints[KeypointName::LeftShoulder as usize];
    assert!(known.sigma_m[0] < unknown.sigma_m[0] && known.sigma_m[1] < unknown.sigma_m[1]);
    // The second moment about the body axis can't shrink: mean² + variance is what bodies are like, however they face.
    let total = |k: &wavewitness_types::Keypoint| -> f64 {
        (0..2)
            .map(|a| {
                let offset = f64::from(k.position_m[a]) - [2.0, 3.0][a];
                offset * offset + f64::from(k.sigma_m[a]) * f64::from(k.sigma_m[a])
            })
            .sum()
    };
    assert!((total(&known) - total(&unknown)).abs() < 1e-5);
    // A fast walk of which the direction is poorly known is no heading.
    let mut poor = track([1.2, 0.0]);
    poor.covariance[4][4] = 1.0;
    assert!((at(&plan.skeleton(&poor), KeypointName::LeftShoulder)[1] - 3.0).abs() < 1e-6);
}

#[test]
fn nothing_but_the_track_moves_it() {
    let (plan, _) = tracker(&Config::default());
    let mut later = track([1.0, 0.3]);
    let before = plan.skeleton(&later);
    later.age_cycles += 1;
    later.missed_cycles += 1;
    later.existence = 0.5;
    assert_eq!(plan.skeleton(&later).keypoints, before.keypoints);
}
