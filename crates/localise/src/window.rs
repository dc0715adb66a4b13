//! The last second of a path: its signals without what is slow, their spectra, and what a line would look like there.

use crate::path::{Ring, Sample};
use crate::spectrum::{BINS, HEARD, LANES, Lanes, SPECTRA};
use core::f64::consts::TAU;
use wavewitness_num::{C64, complex, math};
use wavewitness_types::Timestamp;

/// Length of a window, s.
pub(crate) const LENGTH_S: f64 = 1.0;
/// Spacing of bins: half the width of a line in a Hann window, so that neighbours are nearly independent.
const BIN_HZ: f64 = 2.0 / LENGTH_S;
/// First bin, in spacings: what is below is for the most part slow.
const FIRST_BIN: usize = 2;
const FIRST_HZ: f64 = FIRST_BIN as f64 * BIN_HZ;
/// Doppler shifts that are told apart.
pub(crate) const STEP_HZ: f64 = 0.5;
/// Shifts to either side of zero: to 28 Hz, 1.7 m/s straight along a path.
pub(crate) const SHIFTS: usize = 56;
const BIN_STEPS: usize = (BIN_HZ / STEP_HZ) as usize;
/// Differences of a bin and a shift, to either side.
const DIFFERENCES: usize = SHIFTS + (FIRST_BIN + BINS - 1) * BIN_STEPS;
/// Functions that a window loses: powers of the time up to the third. Shadows change as slowly.
const SLOW: usize = 4;
/// Samples below which a window says nothing.
pub(crate) const LEAST: usize = 16;
/// Samples of a window at most.
pub(crate) const MOST: usize = 64;
/// Power of a bin that stands out, in units of the floor.
const PEAK: f64 = 1.5;
/// Quantile of the bins that is taken for what no line explains.
const FLOOR_QUANTILE: f64 = 0.2;
/// What is slow is not all gone, and its alias is where frames leave one. It is taken for lines at these shifts, whose power falls
/// with the fourth power of the frequency from this share of the last function's that was taken out.
const SLOW_FIRST: usize = 4;
const SLOW_LAST: usize = 12;
const SLOW_LEFT: f32 = 1.0;

/// A window, and its spectra in units of the noise.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub re: [Lanes; SPECTRA],
    pub im: [Lanes; SPECTRA],
    /// Power in each bin of what no line explains, at least the noise's.
    pub floor: [Lanes; SPECTRA],
    /// Power in every bin of a line of power one at each shift.
    response: Vec<Lanes>,
    /// Sums of the responses to all lower shifts: their differences are responses to a line that sweeps.
    pub sums: Vec<Lanes>,
    /// The same of lines at both signs of a shift, from 0 on.
    pub folded: Vec<Lanes>,
    /// Power in every bin of white noise of power one.
    pub noise: Lanes,
    /// What is slow leaves in every bin, by the power of the last function that was taken out.
    slow: Lanes,
    /// Where the spectra stand out most, Hz without its sign.
    pub peak_hz: Option<f64>,
    pub known: bool,
}

/// Times from the window's middle, weights, and the slow functions, orthonormal under the weights.
struct Frame {
    count: usize,
    time_s: [f64; MOST],
    weight: [f64; MOST],
    slow: [[f64; MOST]; SLOW],
    energy: f64,
    /// `e^{−j2πνt}` at a step of the shifts, and at every bin.
    shift_turn: [C64; MOST],
    bin_turns: [[C64; BINS]; MOST],
}

impl Frame {
    fn new(samples: &[Sample], end: Timestamp) -> Frame {
        let mut f = Frame {
            count: samples.len(),
            time_s: [0.0; MOST],
            weight: [0.0; MOST],
            slow: [[0.0; MOST]; SLOW],
            energy: 0.0,
            shift_turn: [C64::default(); MOST],
            bin_turns: [[C64::default(); BINS]; MOST],
        };
        for (r, sample) in samples.iter().enumerate() {
            let t = 0.5 * LENGTH_S - end.seconds_since(sample.at);
            f.time_s[r] = t;
            f.weight[r] = 0.5 + 0.5 * math::cos(TAU * t / LENGTH_S);
            f.energy += f.weight[r] * f.weight[r];
            f.shift_turn[r] = complex::unit(-TAU * STEP_HZ * t);
            let step = complex::unit(-TAU * BIN_HZ * t);
            let mut turn = complex::unit(-TAU * FIRST_HZ * t);
            for bin in &mut f.bin_turns[r] {
                *bin = turn;
                turn *= step;
            }
        }
        for q in 0..SLOW {
            for r in 0..f.count {
                let x = 2.0 * f.time_s[r] / LENGTH_S;
                f.slow[q][r] = f.weight[r] * [1.0, x, x * x, x * x * x][q];
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

    /// `Σ values e^{−j2πνt}` at every bin.
    fn at_bins(&self, values: &[f64; MOST]) -> [C64; BINS] {
        let mut out = [C64::default(); BINS];
        for (value, turns) in values.iter().zip(&self.bin_turns).take(self.count) {
            for (z, turn) in out.iter_mut().zip(turns) {
                *z += turn * value;
            }
        }
        out
    }

    /// The transform of the weights at every difference of a bin and a shift, and of each slow function under them at every shift from
    /// 0 on.
    fn at_shifts(&self, kernel: &mut [C64; DIFFERENCES + 1], slow: &mut [[C64; SLOW]; SHIFTS + 1]) {
        for r in 0..self.count {
            let values: [f64; SLOW] = core::array::from_fn(|k| self.weight[r] * self.slow[k][r]);
            let step = self.shift_turn[r];
            // Even and odd multiples, so that a product doesn't wait for the one before.
            let (mut turns, two) = ([C64::new(1.0, 0.0), step], step * step);
            for (k, z) in kernel.iter_mut().enumerate() {
                let turn = &mut turns[k % 2];
                *z += *turn * self.weight[r];
                if let Some(sums) = slow.get_mut(k) {
                    for (z, value) in sums.iter_mut().zip(values) {
                        *z += *turn * value;
                    }
                }
                *turn *= two;
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

/// Takes the unit vector `e` out of `v`, and says how much of it there was.
fn remove(e: &[f64], v: &mut [f64]) -> f64 {
    let part = dot(e, v);
    for (x, y) in v.iter_mut().zip(e) {
        *x -= part * y;
    }
    part
}

impl Window {
    pub fn new() -> Window {
        Window {
            re: [[0.0; LANES]; SPECTRA],
            im: [[0.0; LANES]; SPECTRA],
            floor: [[1.0; LANES]; SPECTRA],
            response: vec![[0.0; LANES]; 2 * SHIFTS + 1],
            sums: vec![[0.0; LANES]; 2 * SHIFTS + 2],
            folded: vec![[0.0; LANES]; SHIFTS + 2],
            noise: [1.0; LANES],
            slow: [0.0; LANES],
            peak_hz: None,
            known: false,
        }
    }

    /// Looks at the window that ends at a time.
    pub fn look(&mut self, ring: &Ring, end: Timestamp) {
        let samples = ring.since(end, LENGTH_S);
        self.known = samples.len() >= LEAST;
        if !self.known {
            self.peak_hz = None;
            return;
        }
        let frame = Frame::new(samples, end);
        self.respond(&frame);
        let scale = 1.0 / math::sqrt(frame.energy);
        let mut values = [0.0; MOST];
        for (k, heard) in HEARD.into_iter().enumerate() {
            for (r, sample) in samples.iter().enumerate() {
                values[r] = frame.weight[r] * f64::from(sample.signals[heard]);
            }
            let mut last = 0.0;
            for slow in &frame.slow {
                last = scale * remove(&slow[..frame.count], &mut values[..frame.count]);
            }
            let bins = frame.at_bins(&values);
            let mut powers = [0.0; BINS];
            for (m, z) in bins.iter().enumerate() {
                (self.re[k][m], self.im[k][m]) = ((z.re * scale) as f32, (z.im * scale) as f32);
                powers[m] = complex::abs2(*z) * scale * scale;
            }
            powers.sort_unstable_by(f64::total_cmp);
            let quantile = powers[((BINS - 1) as f64 * FLOOR_QUANTILE) as usize];
            // Powers of a bin are exponential: their quantile q lies at −ln(1 − q) means.
            let level = math::max_f64(1.0, quantile / -math::ln(1.0 - FLOOR_QUANTILE));
            for m in 0..BINS {
                self.floor[k][m] = level as f32 * self.noise[m] + (last * last) as f32 * self.slow[m];
            }
        }
        self.peak_hz = self.peak_hz();
    }

    /// The centre of mass of the bins about the greatest, if it stands out.
    fn peak_hz(&self) -> Option<f64> {
        let mut powers = [0.0; BINS];
        for k in 0..SPECTRA {
            for m in 0..BINS {
                let power = self.re[k][m] * self.re[k][m] + self.im[k][m] * self.im[k][m];
                powers[m] += f64::from(power / (self.floor[k][m] * SPECTRA as f32));
            }
        }
        let mut top = 0;
        for m in 1..BINS {
            if powers[m] > powers[top] {
                top = m;
            }
        }
        let (mut mass, mut moment) = (0.0, 0.0);
        for (m, &power) in powers.iter().enumerate().take(top + 2).skip(top.saturating_sub(1)) {
            mass += power;
            moment += power * (FIRST_BIN + m) as f64 * BIN_HZ;
        }
        (powers[top] > PEAK).then_some(moment / mass)
    }

    /// What a line at each shift, and white noise, leave in every bin once what is slow is gone.
    fn respond(&mut self, frame: &Frame) {
        // z(ω) = Σ (P w x)(t) e^{−jωt}, P = 1 − Σ s sᵀ: for x = e^{jνt} this is W(ω − ν) − Σ A*(ν) B(ω), where W, A and B
        // are the transforms of w, s w and s; of real functions, so that negative frequencies have the conjugate.
        let mut kernel = [C64::default(); DIFFERENCES + 1];
        let mut shifted = [[C64::default(); SLOW]; SHIFTS + 1];
        frame.at_shifts(&mut kernel, &mut shifted);
        let binned = [0, 1, 2, 3].map(|k: usize| frame.at_bins(&frame.slow[k]));
        for (q, response) in self.response.iter_mut().enumerate() {
            let (ahead, size) = (q >= SHIFTS, q.abs_diff(SHIFTS));
            for (m, lane) in response.iter_mut().enumerate().take(BINS) {
                let bin = (FIRST_BIN + m) * BIN_STEPS + SHIFTS;
                let w = kernel[bin.abs_diff(q)];
                let mut z = if q > bin { w.conj() } else { w };
                for k in 0..SLOW {
                    let a = shifted[size][k];
                    z -= if ahead { complex::conj_mul(a, binned[k][m]) } else { a * binned[k][m] };
                }
                *lane = (complex::abs2(z) / frame.energy) as f32;
            }
        }
        for q in 0..self.response.len() {
            for m in 0..LANES {
                self.sums[q + 1][m] = self.sums[q][m] + self.response[q][m];
            }
        }
        for size in 0..=SHIFTS {
            for m in 0..LANES {
                let both = self.response[SHIFTS + size][m] + self.response[SHIFTS - size][m];
                self.folded[size + 1][m] = self.folded[size][m] + both;
            }
        }
        self.slow = [0.0; LANES];
        for size in SLOW_FIRST..=SLOW_LAST {
            let share = SLOW_FIRST as f32 / size as f32;
            let share = SLOW_LEFT * share * share * share * share;
            for m in 0..BINS {
                self.slow[m] += share * (self.response[SHIFTS + size][m] + self.response[SHIFTS - size][m]);
            }
        }
        let mut totals = [0.0; BINS];
        for r in 0..frame.count {
            for (m, total) in totals.iter_mut().enumerate() {
                let mut z = frame.bin_turns[r][m];
                for k in 0..SLOW {
                    z -= binned[k][m] * frame.slow[k][r];
                }
                *total += frame.weight[r] * frame.weight[r] * complex::abs2(z);
            }
        }
        for (noise, total) in self.noise.iter_mut().zip(totals) {
            *noise = (total / frame.energy) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    //! Guards that the responses are those of what the window does, and that what is slow leaves nothing.
    use super::*;
    use crate::feature::SIGNALS;

    const END: Timestamp = Timestamp(10_000_000_000);

    /// The window over a signal, heard as two nodes of a mesh hear it in turn.
    fn looked(signal: impl Fn(f64) -> f64) -> Window {
        let mut ring = Ring::new();
        for n in 0..25 {
            for slot_ns in [6_250_000, 18_750_000] {
                let at = Timestamp(8_800_000_000 + n * 50_000_000 + slot_ns);
                ring.push(Sample { at, signals: [signal(at.0 as f64 * 1e-9 - 9.5) as f32; SIGNALS] });
            }
        }
        let mut window = Window::new();
        window.look(&ring, END);
        assert!(window.known);
        window
    }

    #[test]
    fn a_line_has_the_power_that_the_response_says() {
        for hz in [3.0, 7.5, 18.0] {
            let mut powers = [0.0f32; BINS];
            let mut window = Window::new();
            for phase in 0..32 {
                let phase = TAU * f64::from(phase) / 32.0;
                window = looked(|t| 20.0 * math::cos(TAU * hz * t + phase));
                for (m, power) in powers.iter_mut().enumerate() {
                    *power += (window.re[0][m] * window.re[0][m] + window.im[0][m] * window.im[0][m]) / 32.0;
                }
            }
            // A cosine of amplitude 20 is two lines of power 100.
            let shift = (hz / STEP_HZ) as usize;
            for m in 0..BINS {
                let (ahead, behind) =
                    (window.response[SHIFTS + shift][m], window.response[SHIFTS - shift][m]);
                let expected = 100.0 * (ahead + behind);
                let off = (powers[m] - expected).abs();
                assert!(off < 0.01 * expected + 0.01, "{hz} Hz, bin {m}: {} for {expected}", powers[m]);
            }
        }
    }

    #[test]
    fn what_is_slow_is_gone() {
        let window = looked(|t| 3000.0 * (1.0 + t - 2.0 * t * t + t * t * t));
        for m in 0..BINS {
            let power = window.re[0][m] * window.re[0][m] + window.im[0][m] * window.im[0][m];
            assert!(power < 1e-3, "bin {m}: {power}");
        }
    }

    #[test]
    fn the_strongest_shift_is_found_whatever_is_slow() {
        let window = looked(|t| 3000.0 * t + 10.0 * math::cos(TAU * 6.5 * t));
        let hz = window.peak_hz.unwrap();
        assert!((hz - 6.5).abs() < 0.5, "{hz} Hz");
    }
}
