//! Least-squares spectrum of all series at the true times, and the noise model under it.

use crate::Plan;
use crate::features::Features;
use crate::line::WIDE;
use wavewitness_num::{C64, complex, math};

/// Frequencies in each 1/T: half of them are independent, the others keep a line between two from being missed.
pub(crate) const OVERSAMPLING: f64 = 2.0;

/// Series whose sums are made together.
const BLOCK: usize = 8;

/// Coefficients of every series at equally spaced frequencies, orthonormal: with white noise of unit variance each is a
/// standard normal number.
#[derive(Clone, Debug)]
pub(crate) struct Spectrum {
    /// First frequency and distance, in hertz.
    pub first_hz: f64,
    pub step_hz: f64,
    /// Frequencies in use, and how many of them are computed.
    pub count: usize,
    done: usize,
    /// Energy of the strongest line that all series share with one phase, at each frequency.
    pub energy: Vec<f64>,
    /// Expected energy of noise, at each frequency.
    pub model: Vec<f64>,
    /// Series in use.
    width: usize,
    cosine: Vec<f64>,
    sine: Vec<f64>,
    turn: Vec<C64>,
    step: Vec<C64>,
    /// Inner products of noise vectors.
    pub gram: Vec<f64>,
    /// What a fit rests on: the model's three parts at a frequency, and its energy.
    noise: Vec<([f64; 3], f64)>,
}

impl Spectrum {
    pub fn new(plan: &Plan) -> Spectrum {
        // A span exceeds the window by one part in 31 at most, since it has 32 slots at least.
        let resolution = 32.0 / 31.0 * plan.config.window_s * OVERSAMPLING;
        let count = (2.0 * plan.config.highest_bpm / 60.0 * resolution) as usize + 2;
        let (width, slots) = (plan.cells() * 2, plan.slots());
        Spectrum {
            first_hz: 0.0,
            step_hz: 0.0,
            count: 0,
            done: 0,
            energy: vec![0.0; count],
            model: vec![0.0; count],
            width: 0,
            cosine: vec![0.0; count * width],
            sine: vec![0.0; count * width],
            turn: vec![C64::default(); slots],
            step: vec![C64::default(); slots],
            gram: vec![0.0; 4 * WIDE * WIDE],
            noise: Vec::with_capacity(count),
        }
    }

    /// Frequency k.
    pub fn hz(&self, k: usize) -> f64 {
        self.first_hz + k as f64 * self.step_hz
    }

    /// Coefficients at frequency k: cosine and sine, one a series.
    pub fn row(&self, k: usize) -> (&[f64], &[f64]) {
        let range = k * self.width..(k + 1) * self.width;
        (&self.cosine[range.clone()], &self.sine[range])
    }

    /// Prepares `count` frequencies from `first_hz` on, or as many as there is room for; [`Spectrum::advance`] computes them.
    pub fn begin(&mut self, features: &Features, first_hz: f64, step_hz: f64, count: usize) {
        (self.first_hz, self.step_hz) = (first_hz, step_hz);
        self.count = count.min(self.energy.len());
        self.done = 0;
        self.width = features.count;
        for (k, &t) in features.times.iter().enumerate() {
            self.turn[k] = complex::unit(core::f64::consts::TAU * first_hz * t);
            self.step[k] = complex::unit(core::f64::consts::TAU * step_hz * t);
        }
    }

    /// Computes the next `most` frequencies; true when all are done. How they are divided changes no number.
    pub fn advance(&mut self, features: &Features, most: usize) -> bool {
        let n = features.times.len();
        for k in self.done..self.count.min(self.done.saturating_add(most)) {
            let range = k * self.width..(k + 1) * self.width;
            let (u, v) = (&mut self.cosine[range.clone()], &mut self.sine[range]);
            project(&self.turn[..n], &features.values, u, v);
            self.energy[k] = shared(u, v).0;
            for (turn, step) in self.turn[..n].iter_mut().zip(&self.step) {
                *turn *= *step;
            }
            self.done = k + 1;
        }
        self.done == self.count
    }

    /// Fits the expected energy of noise, a + b/f + c/f² with a, b, c ≥ 0 (white noise, flicker, a random walk), to the
    /// energies for which `noise` holds: the likelihood of a gamma law of that mean, by the multiplicative updates of
    /// Févotte, Bertin and Durrieu 2009 (Itakura–Saito divergence; equation 2.19 with the exponent 1/2).
    pub fn fit(&mut self, noise: impl Fn(f64) -> bool) {
        let scale = self.first_hz;
        let basis = |hz: f64| [1.0, scale / hz, scale * scale / (hz * hz)];
        let mean = |t: &[f64; 3], p: &[f64; 3]| t[0] * p[0] + t[1] * p[1] + t[2] * p[2];
        let (first, step) = (self.first_hz, self.step_hz);
        let hz = |k: usize| first + k as f64 * step;
        let chosen = (0..self.count).filter(|&k| noise(hz(k)));
        self.noise.clear();
        self.noise.extend(chosen.map(|k| (basis(hz(k)), self.energy[k])));
        let mut total = 0.0;
        for (_, energy) in &self.noise {
            total += energy;
        }
        let level = if total > 0.0 { total / self.noise.len() as f64 / 3.0 } else { 1.0 };
        let mut theta = [level; 3];
        for _ in 0..60 {
            let (mut up, mut down) = ([0.0; 3], [0.0; 3]);
            for (p, energy) in &self.noise {
                let mu = mean(&theta, p);
                for j in 0..3 {
                    up[j] += p[j] * energy / (mu * mu);
                    down[j] += p[j] / mu;
                }
            }
            for j in 0..3 {
                // A part that dies out stays a little alive, so that no division meets a zero.
                let factor = if down[j] > 0.0 { math::sqrt(up[j] / down[j]) } else { 1.0 };
                theta[j] = math::max_f64(theta[j] * factor, level * 1e-9);
            }
        }
        for k in 0..self.count {
            self.model[k] = mean(&theta, &basis(self.hz(k)));
        }
    }
}

/// Least squares of all series on a cosine and a sine at the samples' own times: with the Gram matrix
/// `[[cc, cs], [cs, ss]] = L Lᵀ` the coefficients are `L⁻¹ [Σ c x, Σ s x]`, whose squares add up to the energy explained
/// (Lomb 1976, without its rotation).
fn project(turn: &[C64], values: &[f32], u: &mut [f64], v: &mut [f64]) {
    let width = u.len();
    let (mut cc, mut cs, mut ss) = (0.0, 0.0, 0.0);
    for z in turn {
        cc += z.re * z.re;
        cs += z.re * z.im;
        ss += z.im * z.im;
    }
    // A few series at a time, so that their sums stay in registers; each is added up in the order of the slots.
    let mut first = 0;
    while first + BLOCK <= width {
        let (a, b) = correlate::<BLOCK>(turn, values, width, first);
        u[first..first + BLOCK].copy_from_slice(&a);
        v[first..first + BLOCK].copy_from_slice(&b);
        first += BLOCK;
    }
    for d in first..width {
        let (a, b) = correlate::<1>(turn, values, width, d);
        (u[d], v[d]) = (a[0], b[0]);
    }
    let l11 = math::sqrt(cc);
    let l21 = if l11 > 0.0 { cs / l11 } else { 0.0 };
    let l22 = math::sqrt(math::max_f64(ss - l21 * l21, 0.0));
    let inverse = |x: f64| if x > 1e-6 { 1.0 / x } else { 0.0 };
    for (a, b) in u.iter_mut().zip(v.iter_mut()) {
        *a *= inverse(l11);
        *b = (*b - l21 * *a) * inverse(l22);
    }
}

/// Sums of cosine and sine times each of `N` series from `first` on.
fn correlate<const N: usize>(
    turn: &[C64],
    values: &[f32],
    width: usize,
    first: usize,
) -> ([f64; N], [f64; N]) {
    let (mut a, mut b) = ([0.0; N], [0.0; N]);
    for (z, row) in turn.iter().zip(values.chunks_exact(width.max(1))) {
        for (d, &x) in row[first..first + N].iter().enumerate() {
            a[d] += z.re * f64::from(x);
            b[d] += z.im * f64::from(x);
        }
    }
    (a, b)
}

/// Energy of the best rank-one part of the two-column matrix [u v], the greater eigenvalue of its Gram matrix, and the
/// angle of its right vector.
pub(crate) fn shared(u: &[f64], v: &[f64]) -> (f64, f64) {
    let (mut a, mut b, mut c) = (0.0, 0.0, 0.0);
    for (&x, &y) in u.iter().zip(v) {
        a += x * x;
        b += y * y;
        c += x * y;
    }
    let root = math::sqrt((a - b) * (a - b) + 4.0 * c * c);
    (0.5 * (a + b + root), 0.5 * math::atan2(2.0 * c, a - b))
}

#[cfg(test)]
mod tests {
    //! Guards that series projected together are each projected alone, bit for bit.
    use super::*;

    #[test]
    fn eight_series_at_once_are_one_after_the_other() {
        const ODD: [f32; 8] = [0.0, -0.0, 1e-42, -3e-39, 1e30, -1e30, 1.0, f32::MIN_POSITIVE];
        let turn: Vec<C64> = (0..97).map(|k| complex::unit(0.37 * f64::from(k))).collect();
        for (case, width) in [(0, 8), (1, 8), (2, 16), (3, 24)] {
            let values: Vec<f32> = (0..turn.len() * width)
                .map(|k| match case {
                    0 => ODD[(k * 7 + k / 8) % 8],
                    1 => {
                        if k % width == 5 {
                            ODD[k % 8]
                        } else {
                            0.5
                        }
                    }
                    _ => math::sin(k as f64) as f32,
                })
                .collect();
            for first in (0..width).step_by(BLOCK) {
                let (a, b) = correlate::<BLOCK>(&turn, &values, width, first);
                for d in 0..BLOCK {
                    let (x, y) = correlate::<1>(&turn, &values, width, first + d);
                    assert_eq!(
                        (a[d].to_bits(), b[d].to_bits()),
                        (x[0].to_bits(), y[0].to_bits()),
                        "case {case}, series {d}"
                    );
                }
            }
        }
    }
}
