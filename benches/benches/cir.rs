//! Sparse impulse response of one link, for every tone grid.
//!
//! Legacy and HT20 are observations of simulated rooms. No simulated node speaks the wide grids: their observations are
//! the paths that the ray tracer finds between two nodes of the room, on that grid's tones, with white noise at the
//! simulator's error vector (−32 dB).

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::solvers;
use wavewitness_benches::trace::Traced;
use wavewitness_types::{LinkObservation, ToneGrid};

fn of_grid(recording: &Recording, grid: ToneGrid) -> Vec<LinkObservation> {
    let traced = Traced::record(recording, recording::WALKER_FROM..recording::WALKER_FROM + 40);
    let all = traced.cycles.into_iter().flat_map(|t| t.observations);
    all.filter(|o| o.mean.grid() == grid).collect()
}

fn bench(c: &mut Criterion) {
    let mesh = Recording::of_scene(&recording::room(), 1);
    let ambient = Recording::of_scene(&recording::ambient_room(), 6);
    let plans = wavewitness_benches::trace::Plans::new(&mesh.config);
    let mut group = common::group(c, "cir");
    for grid in ToneGrid::ALL {
        let observations = match grid {
            ToneGrid::Legacy20 => of_grid(&ambient, grid),
            ToneGrid::Ht20 => of_grid(&mesh, grid),
            ToneGrid::Ht40 | ToneGrid::He20 | ToneGrid::He40 => solvers::observations(grid, 3),
        };
        let plan = &plans.cir[grid as usize];
        let mut rolling = Rolling::new(&wavewitness_cir::Scratch::new(plan), &observations);
        group.bench_function(format!("estimate_{}", grid.name()), |b| {
            b.iter_custom(|n| rolling.time(n, |scratch, o| plan.estimate(o, scratch)));
        });
        if matches!(grid, ToneGrid::Ht20 | ToneGrid::He40) {
            let twelve: Vec<_> = observations.chunks_exact(12).map(<[_]>::to_vec).collect();
            let mut rolling = Rolling::new(&wavewitness_cir::Scratch::new(plan), &twelve);
            group.bench_function(format!("twelve_links_{}", grid.name()), |b| {
                b.iter_custom(|n| {
                    rolling.time(n, |scratch, links| {
                        links.iter().map(|o| u32::from(plan.estimate(o, scratch).tap_count)).sum::<u32>()
                    })
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
