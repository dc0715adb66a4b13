//! The last half second of a path: its signals without what is slow, their spectra, and what a line would look like there.

use crate::path::{Ring, Sample};
use crate::spectrum::{BINS, Lanes, SIGNALS};
use core::f64::consts::TAU;
use wavewitness_num::{C64, complex, math};
use wavewitness_types::Timestamp;

/// Length of a window, s.
pub(crate) const LENGTH_S: f64 = 0.5;
/// Spacing of bins: the first is at this.
const BIN_HZ: f64 = 1.0 / LENGTH_S;
/// Doppler shifts that are told apart.
pub(crate) const STEP_HZ: f64 = 0.25;
/// Shifts to either side of zero: to 28 Hz, 1.7 m/s straight along a path.
pub(crate) const SHIFTS: usize = 112;
const BIN_STEPS: usize = (BIN_HZ / STEP_HZ) as usize;
/// Differences of a bin and a shift, to either side.
const DIFFERENCES: usize = SHIFTS + BINS * BIN_STEPS;
/// Functions that a window loses: constant, slope, curvature. Shadows change as slowly.
const SLOW: usize = 3;
/// Samples below which a window says nothing.
pub(crate) const LEAST: usize = 8;
/// Samples of a window at most.
pub(crate) const MOST: usize = 40;
/// Quantile of the bins that is taken for what no line explains.
const FLOOR_QUANTILE: f64 = 0.4;

/// A window, and its spectra in units of the noise.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub re: [Lanes; SIGNALS],
    pub im: [Lanes; SIGNALS],
    /// Level in each bin of what no line explains, at least the noise's.
    pub floor: [f32; SIGNALS],
    /// Power in every bin of a line of power one at each shift.
    pub response: Vec<Lanes>,
    /// Share of a line's power that is left after what is slow is gone, by shift without its sign.
    pub passed: [f32; SHIFTS + 1],
    pub known: bool,
}

/// Times from the window's middle, weights, and the slow functions, orthonormal under the weights.
struct Frame {
    count: usize,
    time_s: [f64; MOST],
    weight: [f64; MOST],
    slow: [[f64; MOST]; SLOW],
    energy: f64,
}

impl Frame {
    fn new(samples: &[Sample], end: Timestamp) -> Frame {
        let mut f = Frame {
            count: samples.len(),
            time_s: [0.0; MOST],
            weight: [0.0; MOST],
            slow: [[0.0; MOST]; SLOW],
            energy: 0.0,
        };
        for (r, sample) in samples.iter().enumerate() {
            let t = 0.5 * LENGTH_S - end.seconds_since(sample.at);
            f.time_s[r] = t;
            f.weight[r] = 0.5 + 0.5 * math::cos(TAU * t / LENGTH_S);
            f.energy += f.weight[r] * f.weight[r];
        }
        for q in 0..SLOW {
            for r in 0..f.count {
                let x = 2.0 * f.time_s[r] / LENGTH_S;
                f.slow[q][r] = f.weight[r] * [1.0, x, x * x][q];
            }
            // Twice: once leaves what rounding left.
            for _ in 0..2 {
                for p in 0..q {
                    let (before, now) = f.slow.split_at_mut(q);
                    remove(&before[p][..f.count], &mut now[0][..f.count]);
                }
            }
            let norm = math::sqrt(dot(&f.slow[q][..f.count], &f.slow[q][..f.count]));
            for x in &mut f.slow[q] {
                *x = if norm > 1e-9 { *x / norm } else { 0.0 };
            }
        }
        f
    }

    /// `Σ values e^{−j2πνt}` at ν = `first`, `first + step`, …
    fn transform(&self, values: &[f64; MOST], first_hz: f64, step_hz: f64, out: &mut [C64]) {
        out.fill(C64::default());
        for r in 0..self.count {
            let mut turn = complex::unit(-TAU * first_hz * self.time_s[r]) * values[r];
            let step = complex::unit(-TAU * step_hz * self.time_s[r]);
            for z in out.iter_mut() {
                *z += turn;
                turn *= step;
            }
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut total = 0.0;
    for (x, y) in a.iter().zip(b) {
        total += x * y;
    }
    total
}

/// Takes the unit vector `e` out of `v`.
fn remove(e: &[f64], v: &mut [f64]) {
    let part = dot(e, v);
    for (x, y) in v.iter_mut().zip(e) {
        *x -= part * y;
    }
}

impl Window {
    pub fn new() -> Window {
        Window {
            re: [[0.0; BINS]; SIGNALS],
            im: [[0.0; BINS]; SIGNALS],
            floor: [1.0; SIGNALS],
            response: vec![[0.0; BINS]; 2 * SHIFTS + 1],
            passed: [0.0; SHIFTS + 1],
            known: false,
        }
    }

    /// Looks at the window that ends at a time.
    pub fn look(&mut self, ring: &Ring, end: Timestamp) {
        let samples = ring.since(end, LENGTH_S);
        self.known = samples.len() >= LEAST;
        if !self.known {
            return;
        }
        let frame = Frame::new(samples, end);
        let scale = 1.0 / math::sqrt(frame.energy);
        let mut values = [0.0; MOST];
        let mut bins = [C64::default(); BINS];
        for k in 0..SIGNALS {
            for (r, sample) in samples.iter().enumerate() {
                values[r] = frame.weight[r] * f64::from(sample.signals[k]);
            }
            for slow in &frame.slow {
                remove(&slow[..frame.count], &mut values[..frame.count]);
            }
            frame.transform(&values, BIN_HZ, BIN_HZ, &mut bins);
            let mut powers = [0.0; BINS];
            for (m, z) in bins.iter().enumerate() {
                (self.re[k][m], self.im[k][m]) = ((z.re * scale) as f32, (z.im * scale) as f32);
                powers[m] = complex::abs2(*z) * scale * scale;
            }
            powers.sort_unstable_by(f64::total_cmp);
            let quantile = powers[((BINS - 1) as f64 * FLOOR_QUANTILE) as usize];
            // Powers of a bin are exponential: their quantile q lies at −ln(1 − q) means.
            self.floor[k] = math::max_f64(1.0, quantile / -math::ln(1.0 - FLOOR_QUANTILE)) as f32;
        }
        self.respond(&frame);
    }

    fn respond(&mut self, frame: &Frame) {
        let mut removed = [0.0; SHIFTS + 1];
        let mut parts = [C64::default(); SHIFTS + 1];
        for slow in &frame.slow {
            let mut values = [0.0; MOST];
            for r in 0..frame.count {
                values[r] = frame.weight[r] * slow[r];
            }
            frame.transform(&values, 0.0, STEP_HZ, &mut parts);
            for (sum, z) in removed.iter_mut().zip(&parts) {
                *sum += complex::abs2(*z);
            }
        }
        for (passed, removed) in self.passed.iter_mut().zip(removed) {
            *passed = math::max_f64(0.0, 1.0 - removed / frame.energy) as f32;
        }
        // The response to a difference of frequencies is even in it.
        let mut kernel = [C64::default(); DIFFERENCES + 1];
        frame.transform(&frame.weight, 0.0, STEP_HZ, &mut kernel);
        for (q, response) in self.response.iter_mut().enumerate() {
            let passed = f64::from(self.passed[q.abs_diff(SHIFTS)]);
            for (m, lane) in response.iter_mut().enumerate() {
                let difference = ((m + 1) * BIN_STEPS + SHIFTS).abs_diff(q);
                *lane = (complex::abs2(kernel[difference]) / frame.energy * passed) as f32;
            }
        }
    }
}
