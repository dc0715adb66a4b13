//! How the image's cost grows: voxels and links. Both images and the detections of a walker, as the hub would run them, on
//! evidence with noise of its own in every cycle; the operator is that of the links and is kept.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use wavewitness_num::math;
use wavewitness_tomography::{Config, LinkEvidence, Plan, State};
use wavewitness_types::{LinkId, Room};

const ROOM: Room = Room { min_m: [0.0; 3], max_m: [6.0, 6.0, 2.6] };
/// Different cycles, one after the other.
const CYCLES: usize = 32;

/// Nodes around the walls at three heights.
fn ring(n: usize) -> Vec<[f64; 3]> {
    let place = |k: usize| {
        let s = 24.0 * k as f64 / n as f64;
        let (side, f) = ((s / 6.0) as usize, s % 6.0);
        let [x, y] = [[f, 0.0], [6.0, f], [6.0 - f, 6.0], [0.0, 6.0 - f]][side];
        [x, y, [0.6, 1.2, 1.8][k % 3]]
    };
    (0..n).map(place).collect()
}

/// ln of the change over the quiet level: a single scatterer at `at`.
fn motion(a: [f64; 3], b: [f64; 3], at: [f64; 3]) -> f64 {
    let d2 = |p: [f64; 3], q: [f64; 3]| (0..3).map(|k| (p[k] - q[k]) * (p[k] - q[k])).sum::<f64>();
    math::ln(1.0 + 20.0 * d2(a, b) / (d2(a, at) * d2(b, at)))
}

fn bench(c: &mut Criterion) {
    let mut group = common::group(c, "imaging");
    for (nx, nz) in [(8, 4), (16, 4), (32, 8)] {
        for (nodes, links) in [(4, 12), (6, 30), (8, 56)] {
            let config = Config { voxels_x: nx, voxels_y: nx, voxels_z: nz, ..Config::default() };
            let plan = Plan::new(&config, Some(ROOM)).expect("a room");
            let mut state = State::new(&plan);
            let nodes = ring(nodes);
            let mut ends = Vec::new();
            for (a, &tx) in nodes.iter().enumerate() {
                ends.extend(nodes.iter().enumerate().filter(|&(b, _)| b != a).map(|(_, &rx)| (tx, rx)));
            }
            assert_eq!(ends.len(), links);
            for (k, &(tx, rx)) in (0..).zip(&ends) {
                assert!(plan.add_link(LinkId(k), tx, rx, &mut state));
            }
            let cycle = |t: usize| -> Vec<LinkEvidence> {
                let one = |(k, &(tx, rx)): (usize, &([f64; 3], [f64; 3]))| {
                    // A walker and an error that repeats from bench to bench.
                    let at = [1.5 + 0.1 * t as f64, 2.2, 1.0];
                    let error = 0.35 * math::sin((7 * t + 13 * k) as f64);
                    LinkEvidence {
                        link: LinkId(k as u16),
                        motion: Some(math::max_f64(0.0, motion(tx, rx, at) + error) as f32),
                        motion_sigma: 0.35,
                        shadowing_db: Some((0.5 * motion(tx, rx, at) + error) as f32),
                        shadowing_sigma_db: 1.0,
                    }
                };
                ends.iter().enumerate().map(one).collect()
            };
            let cycles: Vec<Vec<LinkEvidence>> = (0..CYCLES).map(cycle).collect();
            let (mut detections, mut next) = (Vec::with_capacity(16), 0);
            group.bench_function(format!("walker_{nx}x{nx}x{nz}_{links}_links"), |b| {
                b.iter(|| {
                    next = (next + 1) % CYCLES;
                    black_box(plan.run(&cycles[next], &mut state, &mut detections));
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
