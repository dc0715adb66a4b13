//! Ways to solve the impulse response problem, side by side on the same eight links of a simulated room at −32 dB: one
//! iteration is eight estimates. The ratios of one run are what counts (`docs/algorithms/cir.md`).
//!
//! `dense_f32` is the baseline. `in_use` is the solver of the crate from samples to minimum; the others begin with the
//! data at unit norm and λ known, which favours them.

mod common;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use wavewitness_benches::solvers::{Problem, dense::Dense, fft, lanes, observations, window};
use wavewitness_cir::{Config, Plan, Scratch};
use wavewitness_num::C64;
use wavewitness_types::{LinkObservation, ToneGrid};

const LINKS: usize = lanes::LANES;

/// The same eight links for every candidate.
struct Links {
    observations: Vec<LinkObservation>,
    problem: Problem,
    data: Vec<Vec<C64>>,
    lambdas: Vec<f64>,
}

impl Links {
    fn new(grid: ToneGrid) -> Links {
        let observations: Vec<_> = observations(grid, 3).into_iter().take(LINKS).collect();
        let problem = Problem::new(grid);
        let data: Vec<_> = observations.iter().map(|o| problem.data(o)).collect();
        let lambdas = data.iter().map(|y| problem.lambda(y)).collect();
        Links { observations, problem, data, lambdas }
    }

    fn each(&self) -> impl Iterator<Item = (&Vec<C64>, f64)> {
        self.data.iter().zip(self.lambdas.iter().copied())
    }
}

fn in_use(group: &mut BenchmarkGroup<'_, WallTime>, links: &Links) {
    let plan = Plan::new(&Config::default(), links.problem.grid).unwrap();
    let solve = |of: &[LinkObservation], scratch: &mut Scratch| {
        of.iter().map(|o| plan.solve(&o.mean, None, scratch).map_or(0, |s| s.iterations)).sum::<u32>()
    };
    let (mut scratch, mut other) = (Scratch::new(&plan), Scratch::new(&plan));
    group.bench_function("in_use", |b| b.iter(|| solve(&links.observations, &mut scratch)));
    let halves = links.observations.split_at(LINKS / 2);
    group.bench_function("in_use_2_threads", |b| {
        b.iter(|| {
            std::thread::scope(|s| {
                let second = s.spawn(|| solve(halves.1, &mut other));
                (solve(halves.0, &mut scratch), second.join().unwrap())
            })
        })
    });
}

fn windowed(group: &mut BenchmarkGroup<'_, WallTime>, links: &Links) {
    let w = window::Window::new(links.problem.grid);
    let mut work = window::Work::new(&w);
    group.bench_function("window_fista", |b| {
        b.iter(|| {
            for (y, lambda) in links.each() {
                w.correlate(y, &mut work);
                black_box(w.fista(lambda, &mut work, false));
            }
        })
    });
    // The solutions of the cycle before: the same paths, other noise.
    let earlier = observations(links.problem.grid, 4);
    let mut solution = |o: &LinkObservation| {
        let lambda = w.correlate(&links.problem.data(o), &mut work);
        w.fista(lambda, &mut work, false);
        work.x.clone()
    };
    let before: Vec<window::Split> = earlier.iter().take(LINKS).map(&mut solution).collect();
    group.bench_function("window_fista_warm", |b| {
        b.iter(|| {
            for ((y, lambda), x) in links.each().zip(&before) {
                w.correlate(y, &mut work);
                work.x.clone_from(x);
                black_box(w.fista(lambda, &mut work, true));
            }
        })
    });
    let mut wide = lanes::Work::new(&w);
    let lambda: [f64; LINKS] = core::array::from_fn(|l| links.lambdas[l]);
    group.bench_function("window_fista_lanes", |b| {
        b.iter(|| {
            for (l, y) in links.data.iter().enumerate() {
                w.correlate(y, &mut work);
                for g in 0..w.size {
                    wide.b.re[g][l] = work.b.re[g];
                    wide.b.im[g][l] = work.b.im[g];
                }
            }
            black_box(lanes::fista(&w, &lambda, &mut wide))
        })
    });
}

/// What takes milliseconds.
fn slow(group: &mut BenchmarkGroup<'_, WallTime>, links: &Links) {
    group.sample_size(10).sampling_mode(SamplingMode::Flat).warm_up_time(Duration::from_millis(100));
    let w = window::Window::new(links.problem.grid);
    let mut work = window::Work::new(&w);
    group.bench_function("window_ista", |b| {
        b.iter(|| {
            for (y, lambda) in links.each() {
                w.correlate(y, &mut work);
                black_box(w.ista(lambda, &mut work));
            }
        })
    });
    let mut full = fft::Full::new(&links.problem);
    group.bench_function("fft_f32", |b| {
        b.iter(|| links.each().map(|(y, lambda)| full.solve(y, lambda)).sum::<u32>())
    });
    let mut single = Dense::<f32>::new(&links.problem);
    group.bench_function("dense_f32", |b| {
        b.iter(|| links.each().map(|(y, lambda)| single.solve(y, lambda)).sum::<u32>())
    });
    let mut double = Dense::<f64>::new(&links.problem);
    group.bench_function("dense_f64", |b| {
        b.iter(|| links.each().map(|(y, lambda)| double.solve(y, lambda)).sum::<u32>())
    });
}

fn bench(c: &mut Criterion) {
    for grid in ToneGrid::ALL {
        let links = Links::new(grid);
        let mut group = common::group(c, &format!("cir_solvers_{}", grid.name()));
        in_use(&mut group, &links);
        windowed(&mut group, &links);
        slow(&mut group, &links);
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
