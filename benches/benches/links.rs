//! Links: which transmitter a frame came from, by MAC and by shape and beacon phase; and the cycle's maintenance.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::Traced;
use wavewitness_types::CsiFrame;

fn bench(c: &mut Criterion) {
    let window = recording::WALKER_FROM..recording::WALKER_FROM + 40;
    let mesh = Traced::record(&Recording::of_scene(&recording::room(), 1), window.clone());
    let ambient = Traced::record(&Recording::of_scene(&recording::ambient_room(), 6), window);
    let mut group = common::group(c, "links");
    for (by, traced) in [("mac", &mesh), ("shape", &ambient)] {
        let frames: Vec<CsiFrame> = traced.cycles.iter().flat_map(|t| t.frames().cloned()).collect();
        let mut rolling = Rolling::new(&traced.states.links, &frames);
        group.bench_function(format!("resolve_by_{by}"), |b| {
            b.iter_custom(|n| rolling.time(n, |state, frame| traced.plans.links.resolve(frame, state)));
        });
        let mut rolling = Rolling::new(&traced.states.links, &traced.cycles);
        group.bench_function(format!("end_cycle_{by}"), |b| {
            b.iter_custom(|n| rolling.time(n, |state, t| traced.plans.links.end_cycle(t.at, state)));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
