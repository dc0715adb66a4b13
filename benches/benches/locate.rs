//! Locating by the likelihood of places: cells a side, paths, people. A step of the filter, and a cycle of the hub (a step
//! each 0.2 s, held in between).

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use wavewitness_num::math;
use wavewitness_tomography::locate::{Config, MAX_LOCATED, PathEvidence, Plan, State};
use wavewitness_types::{Detection, Room};

const SIDE_M: f64 = 6.0;
const ROOM: Room = Room { min_m: [0.0; 3], max_m: [SIDE_M, SIDE_M, 2.6] };
/// A cycle of the hub.
const CYCLE_S: f64 = 0.05;

/// Nodes around the walls.
fn ring(n: usize) -> Vec<[f64; 3]> {
    let place = |k: usize| {
        let s = 4.0 * SIDE_M * k as f64 / n as f64;
        let (side, f) = ((s / SIDE_M) as usize, s % SIDE_M);
        let [x, y] = [[f, 0.0], [SIDE_M, f], [SIDE_M - f, SIDE_M], [0.0, SIDE_M - f]][side];
        [x, y, 1.0]
    };
    (0..n).map(place).collect()
}

struct Bench {
    plan: Plan,
    state: State,
    evidence: Vec<PathEvidence>,
    detections: Vec<Detection>,
}

impl Bench {
    /// A filter that has seen `people` for a minute, if `people` of them can be told apart.
    fn new(cells: u32, nodes: usize, people: u32) -> Bench {
        // Without a cost of a crowd the second person is believed with any number of paths: what is timed is the work.
        let config = Config { cells, crowd_cost: 0.0, ..Config::default() };
        let nodes = ring(nodes);
        let plan = Plan::new(&config, ROOM).expect("a room");
        let mut paths = Vec::new();
        for a in 0..nodes.len() {
            paths.extend((a + 1..nodes.len()).map(|b| (nodes[a], nodes[b])));
        }
        let mut state = State::new(&plan, paths.len() as u16);
        let mut evidence = Vec::new();
        for (path, &(a, b)) in (0..).zip(&paths) {
            assert!(plan.add_path(path, a, b, &mut state));
            let places = [[1.4, 1.7], [4.3, 4.5]];
            let scatter: f64 = places[..people as usize].iter().map(|&p| scatter(a, b, p)).sum();
            evidence.push(PathEvidence { path, deviation: math::ln(1.0 + 18.0 * scatter) as f32 });
        }
        let detections = Vec::with_capacity(MAX_LOCATED);
        let mut bench = Bench { plan, state, evidence, detections };
        for _ in 0..1200 {
            bench.run(CYCLE_S);
        }
        bench
    }

    fn run(&mut self, dt_s: f64) {
        let Bench { plan, state, evidence, detections } = self;
        black_box(plan.run(dt_s, true, evidence, state, detections));
    }
}

/// A scatterer's power over the direct one's, m⁻².
fn scatter(a: [f64; 3], b: [f64; 3], at: [f64; 2]) -> f64 {
    let d = |p: [f64; 3], q: [f64; 2]| math::hypot(math::hypot(p[0] - q[0], p[1] - q[1]), 0.4);
    let ratio = math::hypot(a[0] - b[0], a[1] - b[1]) / (d(a, at) * d(b, at));
    ratio * ratio
}

fn bench(c: &mut Criterion) {
    let mut group = common::group(c, "locate");
    for cells in [24, 48, 64] {
        for (nodes, paths) in [(4, 6), (6, 15), (10, 45)] {
            for people in [0, 1, 2] {
                let mut run = Bench::new(cells, nodes, people);
                let shown = run.detections.len();
                let name = format!("step_{cells}_cells_{paths}_paths_{people}_people_{shown}_shown");
                let interval_s = Config::default().interval_s;
                group.bench_function(name, |b| b.iter(|| run.run(interval_s)));
                if cells == Config::default().cells {
                    let name = format!("cycle_{cells}_cells_{paths}_paths_{people}_people_{shown}_shown");
                    group.bench_function(name, |b| b.iter(|| run.run(CYCLE_S)));
                }
            }
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
