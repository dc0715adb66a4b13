//! Sparse impulse response of one link, for every tone grid.
//!
//! Legacy and HT20 are observations of simulated rooms. No simulated node speaks the wide grids: their observations are
//! the paths that the ray tracer finds between two nodes of the room, on that grid's tones, with white noise at the
//! simulator's error vector (−32 dB).

mod common;

use core::f64::consts::TAU;
use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::Traced;
use wavewitness_fixtures::channel::{LIGHT_M_S, free_amplitude};
use wavewitness_fixtures::rays::rays;
use wavewitness_fixtures::rng::Rng;
use wavewitness_types::{LinkId, LinkObservation, Samples, Timestamp, ToneGrid};

/// −32 dB.
const ERROR_POWER: f64 = 6.3e-4;

/// One observation for each pair of nodes, aligned to the strongest path as the aligner would.
fn traced_rays(grid: ToneGrid) -> Vec<LinkObservation> {
    let scene = recording::room();
    let centre_hz = f64::from(scene.radio.channel_mhz) * 1e6;
    let mut rng = Rng::new(3);
    let mut out = Vec::new();
    for tx in &scene.nodes {
        for rx in scene.nodes.iter().filter(|rx| rx.id != tx.id) {
            let paths = rays(&scene.room, &scene.surfaces, tx.position_m, rx.position_m);
            let first_m = paths[0].length_m;
            let mut samples = Samples::zero(grid);
            let (re, im) = samples.parts_mut();
            for k in 0..grid.tone_count() {
                for path in &paths {
                    let a = path.coefficient * free_amplitude(LIGHT_M_S / centre_hz, path.length_m);
                    let (carrier, delay) = (path.length_m / LIGHT_M_S, (path.length_m - first_m) / LIGHT_M_S);
                    let turns = (centre_hz * carrier).fract() + grid.offset_hz(k) * delay;
                    let z = wavewitness_num::complex::unit(-TAU * turns) * a;
                    re[k] += z.re as f32;
                    im[k] += z.im as f32;
                }
            }
            let power = samples.mean_power();
            let (gain, sigma) = (1.0 / power.sqrt(), (0.5 * ERROR_POWER).sqrt());
            let (re, im) = samples.parts_mut();
            for x in re.iter_mut().chain(im) {
                *x = (f64::from(*x) * gain + sigma * rng.gauss()) as f32;
            }
            out.push(LinkObservation {
                link: LinkId(out.len() as u16),
                frames: 1,
                newest: Timestamp(0),
                mean: samples,
                scatter: None,
                change: None,
                rssi_dbm: None,
                noise_dbm: None,
            });
        }
    }
    out
}

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
            ToneGrid::Ht40 | ToneGrid::He20 | ToneGrid::He40 => traced_rays(grid),
        };
        let plan = &plans.cir[grid as usize];
        let mut rolling = Rolling::new(&wavewitness_cir::Scratch::new(plan), &observations);
        group.bench_function(format!("estimate_{}", grid.name()), |b| {
            b.iter_custom(|n| rolling.time(n, |scratch, o| plan.estimate(o, scratch)));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
