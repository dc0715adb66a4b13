//! A path: what its frames are measured against, and the last of them as signals.

use crate::feature::{Gauge, Scratch};
use crate::geometry::{Antenna, distance_m};
use crate::spectrum::SIGNALS;
use crate::window::{LEAST, LENGTH_S, MOST, Window};
use wavewitness_types::{Baseline, Samples, Timestamp};

/// A frame of either direction as four signals in units of their noise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub at: Timestamp,
    pub signals: [f32; SIGNALS],
}

/// The newest frames, ascending in time.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    samples: [Sample; MOST],
    count: usize,
}

impl Ring {
    pub fn new() -> Ring {
        Ring { samples: [Sample::default(); MOST], count: 0 }
    }

    pub fn clear(&mut self) {
        self.count = 0;
    }

    pub fn push(&mut self, sample: Sample) {
        if self.count == MOST {
            self.samples.copy_within(1.., 0);
            self.count -= 1;
        }
        let place = self.samples[..self.count].partition_point(|s| s.at <= sample.at);
        self.samples.copy_within(place..self.count, place + 1);
        self.samples[place] = sample;
        self.count += 1;
    }

    /// True if the window that ends at a time has enough frames.
    pub fn is_full(&self, end: Timestamp) -> bool {
        self.since(end, LENGTH_S).len() >= LEAST
    }

    /// Frames of the `length_s` before `end`.
    pub fn since(&self, end: Timestamp, length_s: f64) -> &[Sample] {
        let all = &self.samples[..self.count];
        let until = all.partition_point(|s| s.at <= end);
        let from = all[..until].partition_point(|s| end.seconds_since(s.at) >= length_s);
        &all[from..until]
    }
}

/// A pair of antennas.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub ends: [Antenna; 2],
    pub direct_m: f64,
    pub gauge: Gauge,
    pub ring: Ring,
    pub window: Window,
}

impl Path {
    pub fn new(ends: [Antenna; 2]) -> Path {
        Path {
            direct_m: distance_m(ends[0].at_m, ends[1].at_m),
            ends,
            gauge: Gauge::new(),
            ring: Ring::new(),
            window: Window::new(),
        }
    }

    /// Takes a frame; false if it can't be used.
    pub fn observe(
        &mut self,
        direction: usize,
        at: Timestamp,
        baseline: &Baseline,
        samples: &Samples,
        rssi_dbm: Option<f32>,
        scratch: &mut Scratch,
    ) -> bool {
        if self.gauge.adopt(direction, baseline, scratch) {
            self.ring.clear();
        }
        let Some(signals) = self.gauge.signals(direction, samples, rssi_dbm) else { return false };
        self.ring.push(Sample { at, signals });
        true
    }
}
