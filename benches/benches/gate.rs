//! The coherence gate over twelve links.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::Traced;
use wavewitness_cir::Scratch;
use wavewitness_cir::gate::Response;
use wavewitness_types::{CirEstimate, LinkObservation};

fn bench(c: &mut Criterion) {
    let recording = Recording::of_scene(&recording::room(), 1);
    let mut group = common::group(c, "gate");
    for (name, from) in
        [("quiet_12_links", recording::QUIET_FROM), ("walker_12_links", recording::WALKER_FROM)]
    {
        let traced = Traced::record(&recording, from..from + 40);
        // Each decision finds the scratch as that observation's estimate left it.
        let plans = &traced.plans.cir;
        let estimate = |o: &LinkObservation| {
            let plan = &plans[o.mean.grid() as usize];
            let mut scratch = Scratch::new(plan);
            let estimate = plan.estimate(o, &mut scratch);
            (estimate, scratch)
        };
        let cycles: Vec<_> = traced.cycles.iter().enumerate().collect();
        let responses: Vec<Vec<(CirEstimate, Scratch)>> =
            traced.cycles.iter().map(|t| t.observations.iter().map(estimate).collect()).collect();
        let mut rolling = Rolling::new(&(traced.states.gate.clone(), responses), &cycles);
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                rolling.time(n, |(state, responses), (i, t)| {
                    for (o, (estimate, scratch)) in t.observations.iter().zip(&mut responses[*i]) {
                        let baseline = traced.baselines[o.link.index()].as_ref();
                        let plan = &plans[o.mean.grid() as usize];
                        let response = Some(Response { estimate, plan, scratch });
                        black_box(traced.plans.gate.run(o, baseline, response, state));
                    }
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
