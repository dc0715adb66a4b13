//! The room simulator: one second of two people of chance with all impairments in the mesh's room, with reflections to the
//! second and to the fourth order. A rate of n elements a second is n × real time.

mod common;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use wavewitness_benches::clock::Stopwatch;
use wavewitness_fixtures::crowd::Habits;
use wavewitness_fixtures::{Scene, Simulation, scenes};

const SECOND_NS: u64 = 1_000_000_000;
const SCENE_S: u64 = 600;

/// A simulation that begins again where it ends.
struct Rolling {
    scene: Scene,
    running: Simulation,
    second: u64,
}

impl Rolling {
    fn new(order: u32) -> Rolling {
        let habits = Habits { sit: true, wave: true, ..Habits::default() };
        let mut scene = scenes::people(7, 2, SCENE_S, habits);
        scene.surfaces.order = order;
        let running = Simulation::new(&scene, 7);
        Rolling { scene, running, second: 0 }
    }

    /// Takes the next second's datagrams.
    fn step(&mut self) -> usize {
        if self.second + 1 >= SCENE_S {
            (self.running, self.second) = (Simulation::new(&self.scene, 7), 0);
        }
        self.second += 1;
        let end = self.scene.start.plus_nanos(self.second * SECOND_NS);
        self.running.by_ref().take_while(|d| d.at < end).count()
    }

    fn time(&mut self, count: u64) -> Duration {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            let watch = Stopwatch::start();
            std::hint::black_box(self.step());
            total += watch.elapsed();
        }
        total
    }
}

fn bench(c: &mut Criterion) {
    let mut group = common::group(c, "simulator");
    // A second of a scene takes milliseconds: fewer samples, spread over the scene.
    group.sampling_mode(SamplingMode::Flat).sample_size(100).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(1));
    for order in [2, 4] {
        let mut rolling = Rolling::new(order);
        group.bench_function(format!("second_of_two_people_order_{order}"), |b| {
            b.iter_custom(|n| rolling.time(n))
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
