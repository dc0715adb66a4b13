//! How long things take: histograms that only grow, for `/metrics`, and the last two minutes of each part of a cycle
//! against its budget, for the status. One observation a cycle from the thread that did the work.
//!
//! What this module does not do: it reads no clock. Whoever measures hands in nanoseconds.

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, HistogramVec};
use std::sync::{Arc, Mutex, PoisonError};
use wavewitness_witness::Stage;

/// Upper bounds in seconds. A cycle has 50 ms; a stage takes microseconds, a storage card may stall for seconds.
const BOUNDS_S: [f64; 17] =
    [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2, 0.1, 0.5, 2.0, 10.0];

/// What follows the last stage: digests and the chain.
const WITNESS: &str = "witness";

/// Times of the last cycles, for percentiles.
#[derive(Clone, Debug)]
pub struct Durations {
    ring: Vec<u64>,
    next: usize,
    max_ns: u64,
}

impl Default for Durations {
    fn default() -> Durations {
        Durations { ring: Vec::with_capacity(Durations::KEPT), next: 0, max_ns: 0 }
    }
}

impl Durations {
    /// Two minutes of cycles.
    pub const KEPT: usize = 2400;

    /// Takes a time in, the oldest out.
    pub fn push(&mut self, ns: u64) {
        if self.ring.len() < Durations::KEPT {
            self.ring.push(ns);
        } else {
            self.ring[self.next] = ns;
            self.next = (self.next + 1) % Durations::KEPT;
        }
        self.max_ns = self.max_ns.max(ns);
    }

    /// Of the last cycle, in milliseconds; `None` before one.
    pub fn last_ms(&self) -> Option<f64> {
        // Behind the place that is written next; while the ring fills, that is its end.
        let last = self.next.checked_sub(1).or(self.ring.len().checked_sub(1))?;
        self.ring.get(last).map(|ns| *ns as f64 / 1e6)
    }

    /// Median, 99th percentile and maximum of the last two minutes, in microseconds; `None` before a cycle.
    pub fn recent_us(&self) -> Option<[f64; 3]> {
        let mut sorted = self.ring.clone();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let at = |permille: usize| sorted[(last * permille).div_ceil(1000)] as f64 / 1e3;
        Some([at(500), at(990), at(1000)])
    }

    /// Median and 99th percentile of the last two minutes and the maximum since the start, in microseconds; `None` before a
    /// cycle.
    pub fn summary_us(&self) -> Option<[f64; 3]> {
        self.recent_us().map(|[p50, p99, _]| [p50, p99, self.max_us()])
    }

    /// Maximum since the start, in microseconds; 0 before a cycle.
    pub fn max_us(&self) -> f64 {
        self.max_ns as f64 / 1e3
    }
}

/// What a cycle has, microseconds.
pub const CYCLE_BUDGET_US: u32 = 50_000;

/// A part of a cycle that has a budget, in the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Parsing, telling links apart, gain and phase.
    PhaseAlign,
    /// Baselines.
    Calibration,
    /// Fusion, motion, breathing.
    Fusion,
    /// Impulse responses and the gate.
    Gate,
    /// Image, places, tracks, poses.
    Pose,
    /// Presence, count, quality, the world graph; then digests and the chain.
    Witness,
    /// From the witness until clients were handed the cycle: journal, log, privacy.
    Publish,
}

impl Part {
    /// Every one in order.
    pub const ALL: [Part; 7] = [
        Part::PhaseAlign,
        Part::Calibration,
        Part::Fusion,
        Part::Gate,
        Part::Pose,
        Part::Witness,
        Part::Publish,
    ];

    /// Its name: that of the stage that it ends with.
    pub fn name(self) -> &'static str {
        match self {
            Part::PhaseAlign => "phase-align",
            Part::Calibration => "calibration",
            Part::Fusion => "fusion",
            Part::Gate => "gate",
            Part::Pose => "pose",
            Part::Witness => WITNESS,
            Part::Publish => "publish",
        }
    }

    /// How long it may take on one core of a Raspberry Pi 5, microseconds: the outer limits of `docs/performance.md`, those of
    /// stages that are timed together added. All of them make the 50 ms of a cycle.
    pub fn budget_us(self) -> u32 {
        match self {
            // 2 ms to ingest, 1 ms for the phase.
            Part::PhaseAlign => 3_000,
            Part::Calibration | Part::Fusion => 2_000,
            // 15 ms for the impulse responses of all links, 2 ms for coherence and gate.
            Part::Gate => 17_000,
            // 8 ms for tomography, 8 ms for the tracker.
            Part::Pose => 16_000,
            Part::Witness | Part::Publish => 5_000,
        }
    }

    /// The part that a stage's time counts for.
    fn of(stage: Stage) -> Part {
        match stage {
            Stage::Ingest | Stage::Links | Stage::PhaseAlign => Part::PhaseAlign,
            Stage::Calibration => Part::Calibration,
            Stage::Fusion => Part::Fusion,
            Stage::Cir | Stage::Gate => Part::Gate,
            Stage::Tomography | Stage::Pose => Part::Pose,
            Stage::World => Part::Witness,
        }
    }
}

/// The last two minutes of every part.
#[derive(Clone, Default)]
struct Recent {
    parts: [Durations; Part::ALL.len()],
    /// Of the cycle that is being computed, ns.
    now: [u64; Part::ALL.len()],
}

/// How long a part took lately.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartTime {
    /// Which.
    pub part: Part,
    /// Median, 99th percentile and maximum of the last two minutes, microseconds.
    pub recent_us: [f64; 3],
}

/// Times of what a hub does again and again. Clones share them.
#[derive(Clone)]
pub struct Timings {
    recent: Arc<Mutex<Recent>>,
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
            recent: Arc::default(),
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
        self.recent(|r| r.now[Part::of(stage) as usize] += ns);
    }

    fn recent<T>(&self, change: impl FnOnce(&mut Recent) -> T) -> T {
        change(&mut self.recent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long each part took in the last two minutes; what was not done lately is left out.
    pub fn parts(&self) -> Vec<PartTime> {
        // Sorting is not done while the cycle waits.
        let parts = self.recent(|r| r.parts.clone());
        let timed =
            |(part, times): (Part, &Durations)| Some(PartTime { part, recent_us: times.recent_us()? });
        Part::ALL.into_iter().zip(&parts).filter_map(timed).collect()
    }

    /// A cycle took `ns`, of which `witness_ns` after its last stage.
    pub fn cycle(&self, ns: u64, witness_ns: u64) {
        self.stages.with_label_values(&[WITNESS]).observe(seconds(witness_ns));
        self.cycle.observe(seconds(ns));
        self.recent(|r| {
            r.now[Part::Witness as usize] += witness_ns;
            for part in Part::ALL.into_iter().filter(|&p| p != Part::Publish) {
                r.parts[part as usize].push(std::mem::take(&mut r.now[part as usize]));
            }
        });
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

    /// A cycle was handed to clients so long after its end, of which `own_ns` after its witness was there.
    pub fn published(&self, ns: u64, own_ns: u64) {
        self.published.observe(seconds(ns));
        self.recent(|r| r.parts[Part::Publish as usize].push(own_ns));
    }

    /// All of them as they are now.
    pub(crate) fn collect(&self) -> Vec<MetricFamily> {
        let all: [&dyn Collector; 6] =
            [&self.cycle, &self.stages, &self.late, &self.written, &self.synced, &self.published];
        all.into_iter().flat_map(Collector::collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_is_that_of_the_last_cycle_however_many_there_were() {
        let mut d = Durations::default();
        assert_eq!(d.last_ms(), None);
        for k in 1..=2 * Durations::KEPT as u64 + 3 {
            d.push(k * 1_000_000);
            assert_eq!(d.last_ms(), Some(k as f64));
        }
    }

    #[test]
    fn percentiles_are_of_the_last_two_minutes_and_the_maximum_of_all_time_is_kept() {
        let mut d = Durations::default();
        assert_eq!(d.summary_us(), None);
        for k in 1..=1000u64 {
            d.push(k * 1000);
        }
        let [p50, p99, max] = d.summary_us().unwrap();
        assert!((499.0..=502.0).contains(&p50) && (989.0..=992.0).contains(&p99));
        assert_eq!(max, 1000.0);
        (0..Durations::KEPT).for_each(|_| d.push(7000));
        assert_eq!((d.recent_us(), d.summary_us()), (Some([7.0; 3]), Some([7.0, 7.0, 1000.0])));
    }

    #[test]
    fn each_part_of_a_cycle_is_what_its_stages_took_and_their_budgets_make_a_cycle() {
        assert_eq!(Part::ALL.map(Part::budget_us).iter().sum::<u32>(), CYCLE_BUDGET_US);
        let timings = Timings::default();
        assert_eq!(timings.parts(), []);
        // Of the cycle that goes on nothing is told before its end.
        timings.stage(Stage::PhaseAlign, 1_000);
        assert_eq!(timings.parts(), []);
        let rest = [Stage::Calibration, Stage::Fusion, Stage::Gate, Stage::Pose, Stage::World];
        rest.into_iter().zip(2..).for_each(|(stage, us)| timings.stage(stage, us * 1_000));
        timings.cycle(29_000, 8_000);
        let told: Vec<_> = timings.parts().iter().map(|p| (p.part, p.recent_us[0])).collect();
        let computed = &Part::ALL[..6];
        let us = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0 + 8.0];
        assert_eq!(told, computed.iter().copied().zip(us).collect::<Vec<_>>(), "nothing was published");
        timings.published(40_000, 9_000);
        assert_eq!(timings.parts()[6], PartTime { part: Part::Publish, recent_us: [9.0; 3] });
        // A new cycle begins at nothing.
        timings.cycle(1_000, 1_000);
        timings.cycle(1_000, 1_000);
        assert_eq!(timings.parts()[5].recent_us, [1.0, 14.0, 14.0]);
    }
}
