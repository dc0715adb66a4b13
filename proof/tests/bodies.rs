//! Guards postures and falls through the whole engine, in simulation only: falls are told soon after the floor is reached,
//! sitting and lying down, going out and an empty room are none, a walk is a walk, and without an empty room's baseline
//! nobody claims to watch.

mod air;

use air::{publish, simulated};
use wavewitness_fixtures::body::{Build, Posture as Truth};
use wavewitness_fixtures::{Actor, Scene, Script};
use wavewitness_types::{FallWatch, PoseFrame, Posture, PostureClass, UnknownReason};

/// Nobody is there before: the baseline takes 15 s.
const ENTER_S: f64 = 25.0;

fn scene(script: Script) -> Scene {
    let script = script.done();
    let mut scene = Scene::mesh("bodies", script.duration_ns().div_ceil(1_000_000_000)).with_impairments();
    scene.actors = vec![Actor::new(1, script)];
    scene
}

fn somebody(stature_m: f64, x_m: f64, y_m: f64) -> Script {
    Script::new(Build { stature_m, ..Build::ADULT }, x_m, y_m, 0.5).away(ENTER_S).stand(8.0)
}

fn run(scene: &Scene, seed: u64) -> Vec<(f64, PoseFrame)> {
    let mut config = air::config(scene);
    config.calibration.observations = 300;
    publish(scene, &config, simulated(scene, seed))
}

/// Seconds at which falls were told.
fn falls(frames: &[(f64, PoseFrame)]) -> Vec<f64> {
    let mut out: Vec<f64> = Vec::new();
    let start = frames[0].1.at;
    for (_, frame) in frames {
        if let FallWatch::Watching(Some(fall)) = frame.fall {
            let told_s = fall.at.seconds_since(start);
            if out.last() != Some(&told_s) {
                out.push(told_s);
            }
        }
    }
    out
}

/// When the floor is reached, seconds after the first cycle.
fn floor_s(scene: &Scene, frames: &[(f64, PoseFrame)]) -> f64 {
    let is_falling =
        |frame: &PoseFrame| scene.truth_poses(frame.at).iter().any(|p| p.posture == Truth::Falling);
    let last = frames.iter().rposition(|(_, f)| is_falling(f)).unwrap();
    frames[last].1.at.seconds_since(frames[0].1.at)
}

#[test]
fn falls_are_told_within_a_second() {
    let places = [[1.5, 1.5], [4.2, 3.2], [3.0, 2.5], [1.8, 3.4], [4.4, 1.6], [2.4, 1.8]];
    let mut found = 0;
    for (k, [x, y]) in places.into_iter().enumerate() {
        let stature_m = 1.58 + 0.05 * k as f64;
        let script = somebody(stature_m, x, y).walk(3.2, 2.2, 1.0).stand(2.0).fall(k % 2 == 0, 8.0);
        let scene = scene(script);
        let frames = run(&scene, k as u64);
        let floor_s = floor_s(&scene, &frames);
        let told: Vec<f64> = falls(&frames).iter().map(|t| t - floor_s).collect();
        println!("fall {k}: told {told:.2?} s after the floor");
        assert!(told.len() <= 1);
        found += usize::from(told.iter().any(|t| (-0.1..=1.05).contains(t)));
    }
    assert!(found >= 4, "{found} of {} falls", places.len());
}

#[test]
fn what_people_do_in_a_day_is_no_fall() {
    let places = [[1.5, 1.5], [4.2, 3.2], [3.0, 2.5]];
    for (k, [x, y]) in places.into_iter().enumerate() {
        let script = somebody(1.6 + 0.1 * k as f64, x, y).sit(6.0, 0.45).stand(2.0).wave(3.0);
        let script = script.walk(3.0, 1.5, 1.3).stand(3.0).lie(6.0, 0.45).walk(0.8, 2.5, 1.0).away(6.0);
        let scene = scene(script);
        let frames = run(&scene, k as u64);
        assert_eq!(falls(&frames), [], "person {k}");
        // Who has gone is no longer looked at: the watch goes on.
        assert!(matches!(frames.last().unwrap().1.fall, FallWatch::Watching(None)));
    }
}

#[test]
fn nobody_falls_in_an_empty_room() {
    let scene = Scene::mesh("empty", 60).with_impairments();
    let frames = run(&scene, 3);
    assert_eq!(falls(&frames), []);
    assert!(matches!(frames.last().unwrap().1.fall, FallWatch::Watching(None)));
}

#[test]
fn a_walk_is_told_as_one() {
    let mut script = somebody(1.75, 1.5, 1.5);
    for _ in 0..4 {
        script = script.walk(4.5, 1.5, 1.0).walk(4.5, 3.5, 1.0).walk(1.5, 3.5, 1.0).walk(1.5, 1.5, 1.0);
    }
    let scene = scene(script);
    let mut known = [0; PostureClass::COUNT];
    for (_, frame) in run(&scene, 4) {
        let walks = scene.truth_poses(frame.at).iter().any(|p| p.posture == Truth::Walking);
        for person in frame.people.iter().filter(|_| walks) {
            if let Posture::Known { class, probability } = person.posture {
                assert!((probability.iter().sum::<f32>() - 1.0).abs() < 1e-4);
                known[class as usize] += 1;
            }
        }
    }
    println!("published while somebody walks: {known:?}");
    let all: u32 = known.iter().sum();
    assert!(all > 0 && f64::from(known[PostureClass::Walking as usize]) >= 0.9 * f64::from(all));
}

#[test]
fn without_an_empty_rooms_baseline_nobody_watches() {
    let scene = scene(somebody(1.75, 2.0, 2.0).walk(4.0, 3.0, 1.0));
    let frames = publish(&scene, &air::config(&scene), simulated(&scene, 5));
    let early = &frames[10].1;
    assert_eq!(early.fall, FallWatch::Unknown(UnknownReason::NotCalibrated));
    assert!(early.people.iter().all(|p| matches!(p.posture, Posture::Unknown(_))));
}
