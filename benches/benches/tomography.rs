//! Tomography: 8 × 8 × 4 voxels, twelve links, motion and shadowing image with detection.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::Traced;

fn bench(c: &mut Criterion) {
    let recording = Recording::of_scene(&recording::room(), 1);
    let mut group = common::group(c, "tomography");
    for (name, from) in
        [("quiet_8x8x4_12_links", recording::QUIET_FROM), ("walker_8x8x4_12_links", recording::WALKER_FROM)]
    {
        let traced = Traced::record(&recording, from..from + 40);
        let plan = &traced.plans.tomography;
        assert_eq!(plan.grid().map(|g| g.voxel_count()), Some(256));
        let mut rolling = Rolling::new(&traced.states.tomography, &traced.cycles);
        let mut detections = Vec::with_capacity(16);
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                rolling.time(n, |state, t| {
                    std::hint::black_box(plan.run(&t.evidence, state, &mut detections));
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
