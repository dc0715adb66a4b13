//! What every bench file begins with.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use std::hint::black_box;
use std::time::Duration;
use wavewitness_benches::kernel::Kernel;

/// A stage's group. Its first bench is the calibration kernel, in the same process at about the same time.
///
/// Samples are many and short (about 1 ms, below a scheduler's time slice), so that on a busy machine most of them are
/// not interrupted and their median is that of the work. Fewer and longer ones would measure the other processes.
pub fn group<'a>(c: &'a mut Criterion, stage: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(stage);
    group.sampling_mode(SamplingMode::Flat).sample_size(1000).nresamples(1000);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    let kernel = Kernel::default();
    group.bench_function("calibration_kernel", |b| b.iter(|| kernel.run(black_box(0.9))));
    group
}
