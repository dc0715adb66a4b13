//! Phase alignment: a frame onto its baseline's gauge, and a cycle of twelve links from frames to observations.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::{Trace, Traced};

fn bench(c: &mut Criterion) {
    let recording = Recording::of_scene(&recording::room(), 1);
    let traced = Traced::record(&recording, recording::WALKER_FROM..recording::WALKER_FROM + 40);
    let (plan, start) = (&traced.plans.phase_align, &traced.states.phase_align);
    let baseline = |link: usize| traced.baselines[link].as_ref();
    let mut group = common::group(c, "phase_align");
    let frames: Vec<_> = traced.cycles.iter().flat_map(|t| t.calibrated.clone()).collect();
    let mut rolling = Rolling::new(start, &frames);
    group.bench_function("align_frame", |b| {
        b.iter_custom(|n| {
            rolling.time(n, |state, frame| plan.align(frame.clone(), baseline(frame.link.index()), state))
        });
    });
    let mut rolling = Rolling::new(start, &traced.cycles);
    group.bench_function("cycle_12_links", |b| {
        b.iter_custom(|n| {
            rolling.time(n, |state, Trace { at, calibrated, .. }| {
                for frame in calibrated {
                    plan.align(frame.clone(), baseline(frame.link.index()), state);
                }
                plan.end_cycle(*at, state);
            })
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
