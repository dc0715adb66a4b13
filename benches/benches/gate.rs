//! The coherence gate over twelve links.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::Traced;

fn bench(c: &mut Criterion) {
    let recording = Recording::of_scene(&recording::room(), 1);
    let mut group = common::group(c, "gate");
    for (name, from) in
        [("quiet_12_links", recording::QUIET_FROM), ("walker_12_links", recording::WALKER_FROM)]
    {
        let traced = Traced::record(&recording, from..from + 40);
        let mut rolling = Rolling::new(&traced.states.gate, &traced.cycles);
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                rolling.time(n, |state, t| {
                    for (o, estimate) in t.observations.iter().zip(&t.cirs) {
                        let baseline = traced.baselines[o.link.index()].as_ref();
                        black_box(traced.plans.gate.run(o, baseline, Some(estimate), state));
                    }
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
