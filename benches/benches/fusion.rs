//! Fusion of twelve links.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::Traced;
use wavewitness_types::FusedFrame;

fn bench(c: &mut Criterion) {
    let recording = Recording::of_scene(&recording::room(), 1);
    let mut group = common::group(c, "fusion");
    for (name, from) in
        [("quiet_12_links", recording::QUIET_FROM), ("walker_12_links", recording::WALKER_FROM)]
    {
        let traced = Traced::record(&recording, from..from + 40);
        let plan = &traced.plans.fusion;
        let mut rolling = Rolling::new(&traced.states.fusion, &traced.cycles);
        let mut out = FusedFrame::empty();
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                rolling.time(n, |state, t| {
                    plan.run(&t.observations, &traced.links, &traced.baselines, t.at, state, &mut out);
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
