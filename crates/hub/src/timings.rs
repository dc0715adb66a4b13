//! How long things take, as histograms that only grow: one observation a cycle from the thread that did the work.
//!
//! What this module does not do: it reads no clock. Whoever measures hands in nanoseconds.

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, HistogramVec};
use wavewitness_witness::Stage;

/// Upper bounds in seconds. A cycle has 50 ms; a stage takes microseconds, a storage card may stall for seconds.
const BOUNDS_S: [f64; 17] =
    [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2, 0.1, 0.5, 2.0, 10.0];

/// What follows the last stage: digests and the chain.
const WITNESS: &str = "witness";

/// Histograms of what a hub does again and again. Clones share them.
#[derive(Clone)]
pub struct Timings {
    cycle: Histogram,
    stages: HistogramVec,
    late: Histogram,
    written: Histogram,
    synced: Histogram,
    published: Histogram,
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn options(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(format!("wavewitness_{name}_seconds"), help).buckets(BOUNDS_S.to_vec())
}

fn histogram(name: &str, help: &str) -> Histogram {
    Histogram::with_opts(options(name, help)).expect("a constant name is valid and the bounds ascend")
}

impl Default for Timings {
    fn default() -> Timings {
        let stages = options(
            "stage_compute",
            "Time that a part of a cycle's computation took, by the stage that it ends with.",
        );
        Timings {
            cycle: histogram("cycle_compute", "Time from a cycle's tick to its witness."),
            stages: HistogramVec::new(stages, &["stage"]).expect("constant names are valid"),
            late: histogram("cycle_lateness", "Time from a cycle's end until its computation began."),
            written: histogram(
                "journal_write",
                "Time to hand a cycle to the operating system, the log's entry included.",
            ),
            synced: histogram("journal_sync", "Time that fdatasync of the journal took, once a second."),
            published: histogram("publish_delay", "Time from a cycle's end until it was handed to clients."),
        }
    }
}

impl Timings {
    /// A stage's work, and that of the stages before it since the last call, took so long.
    pub fn stage(&self, stage: Stage, ns: u64) {
        self.stages.with_label_values(&[stage.name()]).observe(seconds(ns));
    }

    /// A cycle took `ns`, of which `witness_ns` after its last stage.
    pub fn cycle(&self, ns: u64, witness_ns: u64) {
        self.stages.with_label_values(&[WITNESS]).observe(seconds(witness_ns));
        self.cycle.observe(seconds(ns));
    }

    /// A cycle's computation began so long after its end.
    pub fn late(&self, ns: u64) {
        self.late.observe(seconds(ns));
    }

    /// A cycle was written within this time.
    pub fn written(&self, ns: u64) {
        self.written.observe(seconds(ns));
    }

    /// The journal was made durable within this time.
    pub fn sync(&self, ns: u64) {
        self.synced.observe(seconds(ns));
    }

    /// A cycle was handed to clients so long after its end.
    pub fn published(&self, ns: u64) {
        self.published.observe(seconds(ns));
    }

    /// All of them as they are now.
    pub(crate) fn collect(&self) -> Vec<MetricFamily> {
        let all: [&dyn Collector; 6] =
            [&self.cycle, &self.stages, &self.late, &self.written, &self.synced, &self.published];
        all.into_iter().flat_map(Collector::collect).collect()
    }
}
