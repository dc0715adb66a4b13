//! Calibration: gain normalisation of a frame, and a cycle of twelve links with baselines in use and in collection.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, CALIBRATE_AT, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::{Trace, Traced};
use wavewitness_types::{CsiFrame, LinkId};

fn bench(c: &mut Criterion) {
    let recording = Recording::of_scene(&recording::room(), 1);
    let ready = Traced::record(&recording, recording::WALKER_FROM..recording::WALKER_FROM + 40);
    let collecting = Traced::record(&recording, CALIBRATE_AT + 200..CALIBRATE_AT + 240);
    let mut group = common::group(c, "calibration");
    let frames: Vec<CsiFrame> = ready.cycles.iter().flat_map(|t| t.frames().cloned()).collect();
    let mut rolling = Rolling::new(&(), &frames);
    group.bench_function("normalise_frame", |b| {
        b.iter_custom(|n| {
            rolling.time(n, |(), frame| ready.plans.calibration.normalise(frame.clone(), LinkId(0)))
        });
    });
    for (name, traced) in [("cycle_ready_12_links", &ready), ("cycle_collecting_12_links", &collecting)] {
        let plan = &traced.plans.calibration;
        let mut rolling = Rolling::new(&traced.states.calibration, &traced.cycles);
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                rolling.time(n, |state, Trace { at, observations, .. }| {
                    observations.iter().for_each(|o| plan.observe(o, *at, state));
                    plan.end_cycle(*at, state);
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
