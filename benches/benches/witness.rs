//! The witness of a cycle: digests of its inputs, of every stage's output and of what was published, and the chain's
//! step. The digests are the engine's (see `Traced::record`).

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, Cycle, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::{Trace, Traced};
use wavewitness_benches::witnessing::{Notary, StageHasher};
use wavewitness_witness::Chain;

fn bench(c: &mut Criterion) {
    let recording = Recording::of_scene(&recording::room(), 1);
    let window = recording::WALKER_FROM..recording::WALKER_FROM + 40;
    let traced = Traced::record(&recording, window.clone());
    let cycles: Vec<(&Cycle, &Trace)> = recording.cycles[window].iter().zip(&traced.cycles).collect();
    let notary = Notary::new(Chain::new(&recording.genesis()));
    let mut group = common::group(c, "witness");
    let mut rolling = Rolling::new(&notary, &cycles);
    group.bench_function("inputs_12_frames", |b| {
        b.iter_custom(|n| rolling.time(n, |notary, (cycle, _)| notary.inputs(cycle)));
    });
    let mut rolling = Rolling::new(&StageHasher::default(), &cycles);
    group.bench_function("stages_12_links", |b| {
        b.iter_custom(|n| rolling.time(n, |hasher, (_, trace)| hasher.stages(trace)));
    });
    let digests = StageHasher::default().stages(&traced.cycles[0]);
    let mut rolling = Rolling::new(&notary, &cycles);
    group.bench_function("output_and_chain", |b| {
        b.iter_custom(|n| rolling.time(n, |notary, (_, trace)| notary.extend(trace, digests[0], digests)));
    });
    let mut rolling = Rolling::new(&notary, &cycles);
    group.bench_function("cycle_12_links", |b| {
        b.iter_custom(|n| rolling.time(n, |notary, (cycle, trace)| notary.witness(cycle, trace)));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
