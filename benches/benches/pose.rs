//! The tracker: one person as tomography sees a walker, and four people.
//!
//! Four people's detections are their true places in a simulated room with normal errors of the covariance that is stated
//! with them (0.4 m in plan, 0.5 m in height): tomography with twelve links seldom tells four apart, and the tracker's
//! cost is wanted when it does.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::{Plans, Traced};
use wavewitness_fixtures::Simulation;
use wavewitness_fixtures::motion::{Person, Walk};
use wavewitness_fixtures::rng::Rng;
use wavewitness_pose::{Belief, State};
use wavewitness_types::{Detection, Gate, Timestamp, TrackState};

const SIGMA_M: [f64; 3] = [0.4, 0.4, 0.5];

/// Detections of four walkers, cycle by cycle.
fn four_walkers() -> Vec<(Timestamp, Vec<Detection>)> {
    let mut scene = recording::room();
    let walk = |x: f64, y: f64| {
        let round = [[x + 0.8, y], [x + 0.8, y + 0.8], [x, y + 0.8], [x, y]];
        Walk::from(x, y).laps(&round, 20, 0.8)
    };
    let corners = [(0.8, 0.8), (4.2, 0.8), (4.2, 3.2), (0.8, 3.2)];
    scene.people = corners.iter().zip(1..).map(|(&(x, y), id)| Person::new(id, walk(x, y))).collect();
    let simulation = Simulation::new(&scene, 1);
    let mut rng = Rng::new(4);
    let mut out = Vec::new();
    for cycle in 0..200u64 {
        let at = scene.start.plus_nanos(cycle * 50_000_000);
        let detections = simulation.truth(at).into_iter().map(|person| {
            let mut covariance_m2 = [[0.0; 3]; 3];
            let mut position_m = person.position_m;
            for k in 0..3 {
                covariance_m2[k][k] = SIGMA_M[k] * SIGMA_M[k];
                position_m[k] += SIGMA_M[k] * rng.gauss();
            }
            Detection { position_m, covariance_m2, strength: 20.0 }
        });
        out.push((at, detections.collect()));
    }
    out
}

fn bench(c: &mut Criterion) {
    let recording = Recording::of_scene(&recording::room(), 1);
    let traced = Traced::record(&recording, recording::WALKER_FROM..recording::WALKER_FROM + 40);
    let mut group = common::group(c, "pose");
    let plan = &traced.plans.pose;
    let mut rolling = Rolling::new(&traced.states.pose, &traced.cycles);
    group.bench_function("walker", |b| {
        b.iter_custom(|n| {
            rolling.time(n, |state, t| {
                black_box(plan.run(t.at, &t.detections, t.room_gate.0, t.room_gate.1, state));
                plan.people(state, &Belief::NOTHING, 0.0).for_each(|person| {
                    black_box(person);
                });
            })
        });
    });

    let plan = &Plans::new(&recording.config).pose;
    let cycles = four_walkers();
    let mut state = State::new(plan);
    for (at, detections) in &cycles[..100] {
        plan.run(*at, detections, Gate::Accept, 1.0, &mut state);
    }
    let people = state.tracks().iter().filter(|t| t.state == TrackState::Confirmed).count();
    assert!(people >= 4, "{people} of four people are followed");
    let mut rolling = Rolling::new(&state, &cycles[100..]);
    group.bench_function("four_people", |b| {
        b.iter_custom(|n| {
            rolling.time(n, |state, (at, detections)| {
                black_box(plan.run(*at, detections, Gate::Accept, 1.0, state));
                plan.people(state, &Belief::NOTHING, 0.0).for_each(|person| {
                    black_box(person);
                });
            })
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
