//! Guards what is published against the simulator's truth, in simulation only: nobody in an empty room, somebody when
//! there is, sigmas that cover the errors, and the rate of somebody who only breathes. It has caught positions that were
//! wrong by metres and claimed 0.4 m.

use wavewitness_engine::{Applied, EngineConfig, NUMERICS_VERSION, Replayer};
use wavewitness_fixtures::motion::{Person, Walk};
use wavewitness_fixtures::{Scene, Simulation, scenes};
use wavewitness_types::{
    BootRecord, Breathing, Canonical, Command, CycleIndex, Event, PoseFrame, Presence, Source, Timestamp,
};
use wavewitness_witness::{Genesis, SPECIFICATION};

const CYCLE_NS: u64 = 50_000_000;

/// Every published cycle of a scene whose operator says at 1 s that the room is empty, with the truth.
fn run(scene: &Scene, seed: u64) -> Vec<(PoseFrame, Vec<[f64; 3]>)> {
    run_with(scene, seed, |_| ())
}

fn run_with(scene: &Scene, seed: u64, change: impl Fn(&mut EngineConfig)) -> Vec<(PoseFrame, Vec<[f64; 3]>)> {
    let mut config =
        EngineConfig { geometry: scene.geometry(), cycle: scene.cycle_plan(), ..EngineConfig::default() };
    config.calibration.observations = 300;
    change(&mut config);
    let genesis = Genesis {
        specification: SPECIFICATION,
        numerics: NUMERICS_VERSION,
        source: Source::Simulated,
        started: scene.start,
        software: "test".to_owned(),
        config: config.to_canonical_bytes(),
        predecessor: None,
    };
    let mut replayer = Replayer::new(&genesis).unwrap();
    replayer.apply(&Event::Boot { at: scene.start, record: BootRecord::default() });
    let truth = Simulation::new(scene, seed);
    let mut out = Vec::new();
    let (mut cycle, mut end) = (0, scene.start.plus_nanos(CYCLE_NS));
    for datagram in Simulation::new(scene, seed) {
        while datagram.at >= end {
            if cycle == 20 {
                replayer.apply(&Event::Command { at: end, command: Command::StartCalibration });
            }
            if let Applied::Cycle(report) = replayer.apply(&Event::Tick { at: end, cycle: CycleIndex(cycle) })
            {
                let people = truth.truth(end).iter().map(|p| p.position_m).collect();
                out.push((report.frame.clone(), people));
            }
            cycle += 1;
            end = end.plus_nanos(CYCLE_NS);
        }
        replayer.apply(&datagram.into_event());
    }
    out
}

fn seconds(scene: &Scene, at: Timestamp) -> f64 {
    at.seconds_since(scene.start)
}

fn is_present(frame: &PoseFrame) -> Option<bool> {
    match frame.presence {
        Presence::Known { present, .. } => Some(present),
        Presence::Unknown(_) => None,
    }
}

#[test]
fn one_walker_is_covered_by_the_published_sigmas_and_an_empty_room_stays_empty() {
    let (mut cycles, mut covered, mut shown, mut squared) = (0, 0, 0, 0.0);
    for seed in [1, 2, 3] {
        // Empty for 30 s, then one person walks rounds.
        let scene = scenes::calibration();
        for (frame, people) in run(&scene, seed) {
            assert_eq!(frame.source, Source::Simulated);
            let t = seconds(&scene, frame.at);
            if t < 30.0 {
                assert!(frame.people.is_empty(), "seed {seed}: a ghost at {t} s");
                assert_ne!(is_present(&frame), Some(true), "seed {seed}: false presence at {t} s");
            }
            // From two seconds after the entry on.
            let [truth] = people[..] else { continue };
            if t < 32.0 {
                continue;
            }
            cycles += 1;
            assert_eq!(is_present(&frame), Some(true), "seed {seed}: nobody at {t} s");
            let Some(person) = frame.people.iter().max_by(|a, b| a.existence.total_cmp(&b.existence)) else {
                continue;
            };
            shown += 1;
            let (mut distance2, mut normalised2) = (0.0, 0.0);
            for k in 0..2 {
                let error = f64::from(person.position_m[k]) - truth[k];
                distance2 += error * error;
                normalised2 += error * error / f64::from(person.sigma_m[k]) / f64::from(person.sigma_m[k]);
            }
            squared += distance2;
            // 95 % of χ² with two degrees of freedom.
            covered += u32::from(normalised2 <= 5.991);
        }
    }
    let rms_m = (squared / f64::from(shown)).sqrt();
    let share = f64::from(covered) / f64::from(shown);
    println!(
        "simulated: {cycles} cycles with one person, {shown} show one; RMS error {rms_m:.2} m, {share:.2} within 95 %"
    );
    assert!(shown > cycles / 2, "a walker is shown in only {shown} of {cycles} cycles");
    assert!(share >= 0.9, "only {share:.2} of the errors are within the published 95 % region");
}

#[test]
fn who_sits_still_stays_present_with_a_breathing_rate_and_leaves_an_empty_room() {
    let mut scene = Scene::mesh("still", 85);
    let walk = Walk::from(0.5, 2.6).to(2.9, 2.2, 1.0).pause(45.0).to(0.5, 2.6, 1.0);
    let mut person = Person::new(1, walk).visiting(20_000_000_000);
    person.breathing_hz = 0.3;
    scene.people = vec![person];
    let (mut rates, mut covered, mut first_s) = (0, 0, None);
    for (frame, people) in run(&scene, 1) {
        let t = seconds(&scene, frame.at);
        // On the chair from 22.4 to 67.4 s, out by 70 s.
        if (24.0..69.0).contains(&t) {
            assert_eq!(is_present(&frame), Some(true), "lost at {t} s");
        }
        if t >= 76.0 {
            assert!(people.is_empty() && is_present(&frame) == Some(false), "not empty at {t} s");
        }
        let Breathing::Rate(rate) = frame.breathing else { continue };
        assert!((24.0..69.0).contains(&t), "a rate at {t} s");
        first_s.get_or_insert(t);
        rates += 1;
        let error = (f64::from(rate.bpm) - 18.0).abs();
        assert!(error < 1.0, "{rate:?} at {t} s");
        covered += u32::from(error < 3.0 * f64::from(rate.sigma_bpm));
    }
    let first_s = first_s.unwrap_or(f64::INFINITY);
    println!(
        "simulated: 18 a minute; first rate {:.1} s after sitting down, {rates} cycles, {covered} within 3 sigma",
        first_s - 22.4
    );
    assert!(first_s < 55.0 && rates > 200, "first rate at {first_s} s, {rates} cycles");
    assert!(covered * 100 >= rates * 90, "{covered} of {rates} within 3 sigma");
}

#[test]
fn the_follower_places_one_walker_within_a_metre_and_nobody_in_an_empty_room() {
    let scene = scenes::calibration();
    let (mut shown, mut cycles, mut squared, mut covered) = (0, 0, 0.0, 0);
    let follow = |config: &mut EngineConfig| {
        config.localise.enabled = true;
        config.localise.particles = 800;
    };
    for (frame, people) in run_with(&scene, 1, follow) {
        let t = seconds(&scene, frame.at);
        if t < 30.0 {
            assert!(frame.people.is_empty(), "a ghost at {t} s");
        }
        let [truth] = people[..] else { continue };
        if t < 33.0 {
            continue;
        }
        cycles += 1;
        let Some(person) = frame.people.first() else { continue };
        shown += 1;
        let (mut distance2, mut normalised2) = (0.0, 0.0);
        for k in 0..2 {
            let error = f64::from(person.position_m[k]) - truth[k];
            distance2 += error * error;
            normalised2 += error * error / f64::from(person.sigma_m[k]) / f64::from(person.sigma_m[k]);
        }
        squared += distance2;
        covered += u32::from(normalised2 <= 5.991);
    }
    let rms_m = (squared / f64::from(shown)).sqrt();
    println!(
        "simulated, follower: {shown} of {cycles} cycles, RMS error {rms_m:.2} m, {covered} within 95 %"
    );
    assert!(shown * 10 >= cycles * 9, "shown in {shown} of {cycles} cycles");
    assert!(rms_m < 1.0, "RMS error {rms_m} m");
}
