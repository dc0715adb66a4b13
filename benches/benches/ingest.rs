//! Ingest: one datagram to one frame, and the node's books.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::Traced;
use wavewitness_fixtures::Datagram;
use wavewitness_ingest::parse;

fn csi(recording: &Recording, bytes: usize) -> Vec<Datagram> {
    let window = &recording.cycles[recording::WALKER_FROM..recording::WALKER_FROM + 40];
    let all = window.iter().flat_map(|c| &c.datagrams);
    all.filter(|d| d.bytes.len() == bytes).cloned().collect()
}

fn bench(c: &mut Criterion) {
    let mesh = Recording::of_scene(&recording::room(), 1);
    let ambient = Recording::of_scene(&recording::ambient_room(), 6);
    let window = recording::WALKER_FROM..recording::WALKER_FROM + 40;
    let traced = Traced::record(&mesh, window.clone());
    let mut group = common::group(c, "ingest");
    for (name, datagrams) in
        [("parse_v2_128_pairs", csi(&mesh, 26 + 2 * 128)), ("parse_v1_64_pairs", csi(&ambient, 20 + 2 * 64))]
    {
        let mut rolling = Rolling::new(&(), &datagrams);
        group.bench_function(name, |b| {
            b.iter_custom(|n| rolling.time(n, |(), d| parse(d.at, &d.bytes)));
        });
    }
    let all: Vec<_> = mesh.cycles[window].iter().flat_map(|c| c.datagrams.clone()).collect();
    let mut rolling = Rolling::new(&traced.states.ingest, &all);
    group.bench_function("run_v2_128_pairs", |b| {
        b.iter_custom(|n| rolling.time(n, |state, d| traced.plans.ingest.run(d.at, d.from, &d.bytes, state)));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
