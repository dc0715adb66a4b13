//! Spectra of one window of one path: what a moving body makes of them, and how probable that makes the measured ones.
//!
//! A path gives four real signals ([`crate::feature`]), whose spectrum at a positive frequency is a vector of four complex
//! numbers. A line at the Doppler shift ν and the delay τ has the covariance `P a(τ) aᴴ(τ)` at ν, and its conjugate at −ν:
//! signals are real. Bins lie side by side in lanes, so that every loop over them is elementwise.

use crate::feature::Steering;
use crate::geometry::{Antenna, Leg, WALLS, leg};
use crate::window::{SHIFTS, STEP_HZ, Window};
use wavewitness_num::math;

/// Signals of a path: three of the channel's shape, one of its strength.
pub(crate) const SIGNALS: usize = 4;
/// Pairs of different signals.
pub(crate) const PAIRS: usize = SIGNALS * (SIGNALS - 1) / 2;
/// Bins, 4 to 24 Hz.
pub(crate) const BINS: usize = 11;
/// Of the distribution of a path's power about the model's: the fewer, the wider.
const FREEDOM: f64 = 8.0;
/// What is no variance, in units of the noise.
const LEAST_PIVOT: f32 = 1e-6;

pub(crate) type Lanes = [f32; BINS];

/// Covariance of the four spectra in every bin: diagonal, and the lower triangle's real and imaginary parts.
#[derive(Clone, Debug)]
pub(crate) struct Covariance {
    pub diagonal: [Lanes; SIGNALS],
    pub re: [Lanes; PAIRS],
    pub im: [Lanes; PAIRS],
}

/// Place of row r, column s < r in the triangle.
const fn pair(r: usize, s: usize) -> usize {
    r * (r - 1) / 2 + s
}

impl Covariance {
    pub fn zero() -> Covariance {
        Covariance { diagonal: [[0.0; BINS]; SIGNALS], re: [[0.0; BINS]; PAIRS], im: [[0.0; BINS]; PAIRS] }
    }

    /// Independent signals of these powers.
    pub fn floor(powers: &[Lanes; SIGNALS]) -> Covariance {
        Covariance { diagonal: *powers, ..Covariance::zero() }
    }

    /// Adds `factor` times another.
    pub fn add(&mut self, other: &Covariance, factor: f32) {
        let Covariance { diagonal, re, im } = other;
        let all = self.diagonal.iter_mut().chain(&mut self.re).chain(&mut self.im);
        for (mine, theirs) in all.zip(diagonal.iter().chain(re).chain(im)) {
            for m in 0..BINS {
                mine[m] += factor * theirs[m];
            }
        }
    }

    fn line(&mut self, window: &Window, steering: &Steering, shift: usize, power: f32, floor_share: f32) {
        let (ahead, behind) = (&window.response[shift], &window.response[2 * SHIFTS - shift]);
        let anywhere = floor_share * power;
        let (mut even, mut odd) = ([0.0f32; BINS], [0.0f32; BINS]);
        for m in 0..BINS {
            even[m] = power * (ahead[m] + behind[m]);
            odd[m] = power * (ahead[m] - behind[m]);
        }
        for k in 0..SIGNALS {
            for m in 0..BINS {
                self.diagonal[k][m] += steering.diagonal[k] * (even[m] + anywhere * window.noise[m]);
            }
        }
        for e in 0..PAIRS {
            for m in 0..BINS {
                self.re[e][m] += steering.re[e] * even[m];
                self.im[e][m] += steering.im[e] * odd[m];
            }
        }
    }

    /// −(ln det C + (n + α) ln(1 + yᴴC⁻¹y/α)) over all bins, by `C = L D Lᴴ` (Golub and Van Loan, section 4.1).
    ///
    /// Complex Gaussian spectra of a covariance sC, where s is of inverse gamma distribution (Student's t; Lange, Little and
    /// Taylor 1989): a body's cross-section depends on which side a path sees, by far more than it varies between people.
    pub fn ln_likelihood(mut self, window: &Window) -> f64 {
        let (mut yr, mut yi) = (window.re, window.im);
        let (mut quadratic, mut ln_determinant) = ([0.0f32; BINS], 0.0);
        for j in 0..SIGNALS {
            for s in 0..j {
                let e = pair(j, s);
                for m in 0..BINS {
                    let square = self.re[e][m] * self.re[e][m] + self.im[e][m] * self.im[e][m];
                    self.diagonal[j][m] -= square * self.diagonal[s][m];
                }
            }
            let (mut inverse, mut determinant) = ([0.0f32; BINS], 1.0);
            for m in 0..BINS {
                let d = if self.diagonal[j][m] > LEAST_PIVOT { self.diagonal[j][m] } else { LEAST_PIVOT };
                self.diagonal[j][m] = d;
                // Eleven of at most 1e20 are finite.
                determinant *= math::min_f64(f64::from(d), 1e20);
                inverse[m] = 1.0 / d;
            }
            ln_determinant += math::ln(determinant);
            self.eliminate(j, &inverse);
            for s in 0..j {
                let e = pair(j, s);
                for m in 0..BINS {
                    let (lr, li) = (self.re[e][m], self.im[e][m]);
                    let (a, b) = (yr[s][m], yi[s][m]);
                    yr[j][m] -= lr * a - li * b;
                    yi[j][m] -= lr * b + li * a;
                }
            }
            for m in 0..BINS {
                quadratic[m] += (yr[j][m] * yr[j][m] + yi[j][m] * yi[j][m]) * inverse[m];
            }
        }
        let total: f64 = quadratic.iter().map(|&q| f64::from(q)).sum();
        let count = (SIGNALS * BINS) as f64;
        -(ln_determinant + (count + FREEDOM) * math::ln(1.0 + total / FREEDOM))
    }

    /// Column j of L.
    fn eliminate(&mut self, j: usize, inverse: &Lanes) {
        for r in j + 1..SIGNALS {
            let e = pair(r, j);
            for s in 0..j {
                let (a, b) = (pair(r, s), pair(j, s));
                for m in 0..BINS {
                    let (xr, xi) = (self.re[a][m] * self.diagonal[s][m], self.im[a][m] * self.diagonal[s][m]);
                    let (br, bi) = (self.re[b][m], self.im[b][m]);
                    self.re[e][m] -= xr * br + xi * bi;
                    self.im[e][m] -= xi * br - xr * bi;
                }
            }
            for m in 0..BINS {
                self.re[e][m] *= inverse[m];
                self.im[e][m] *= inverse[m];
            }
        }
    }
}

/// What makes lines of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scatter {
    pub wavelength_m: f64,
    pub wall_power: f64,
    pub floor_share: f32,
}

/// A path as lines need it.
#[derive(Clone, Debug)]
pub(crate) struct Sight<'a> {
    pub ends: [&'a Antenna; 2],
    pub direct_m: f64,
    /// Scattered power relative to the static channel's of 1 m² at 1 m from both ends.
    pub scale: f64,
    pub steering: &'a [Steering],
}

impl Sight<'_> {
    /// Adds the lines of a body: the path over it (bistatic radar equation), and with one reflection before or after it.
    pub fn lines(
        &self,
        window: &Window,
        scatter: &Scatter,
        body_m: [f64; 3],
        velocity_m_s: [f64; 2],
        section_m2: f64,
        into: &mut Covariance,
    ) {
        let power = self.scale * section_m2;
        let mut line = |a: Leg, b: Leg, power: f64| {
            let product = a.length_m * b.length_m;
            let hz = -(a.rate_m_s + b.rate_m_s) / scatter.wavelength_m;
            let shift =
                math::max_f64(0.0, math::min_f64(hz / STEP_HZ + SHIFTS as f64 + 0.5, 2.0 * SHIFTS as f64));
            let steering = Steering::of(self.steering, a.length_m + b.length_m - self.direct_m);
            let power = (power / (product * product)) as f32;
            into.line(window, steering, shift as usize, power, scatter.floor_share);
        };
        let [p, q] = self.ends;
        let (a, b) = (leg(&p.at_m, &body_m, velocity_m_s), leg(&q.at_m, &body_m, velocity_m_s));
        line(a, b, power);
        for wall in 0..WALLS {
            line(leg(&p.images_m[wall], &body_m, velocity_m_s), b, scatter.wall_power * power);
            line(a, leg(&q.images_m[wall], &body_m, velocity_m_s), scatter.wall_power * power);
        }
    }
}
