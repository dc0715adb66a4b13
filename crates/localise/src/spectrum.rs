//! Spectra of one window of one path: what a moving body makes of them, and how probable that makes the measured ones.
//!
//! A path gives four real signals ([`crate::feature`]), whose spectrum at a positive frequency is a vector of four complex
//! numbers. A line at the Doppler shift ν and the delay τ has the covariance `P a(τ) aᴴ(τ)` at ν, and its conjugate at −ν:
//! signals are real. Bins lie side by side in lanes, so that every loop over them is elementwise.

use crate::feature::Steering;
use crate::geometry::{Antenna, Legs, WALLS};
use crate::window::{SHIFTS, STEP_HZ, Window};
use wavewitness_num::math;

/// Signals of a path: three of the channel's shape, one of its strength.
pub(crate) const SIGNALS: usize = 4;
/// Pairs of different signals.
pub(crate) const PAIRS: usize = SIGNALS * (SIGNALS - 1) / 2;
/// Bins, 4 to 24 Hz.
pub(crate) const BINS: usize = 11;
/// Bins side by side, as many as fill vectors of four: the last lane holds no bin. What is in it is finite and counts nowhere.
pub(crate) const LANES: usize = 12;
/// Lines of a body on a path: over it directly, and with one reflection at a wall before or after it.
const LINES: usize = 1 + 2 * WALLS;
/// The legs of each line, from one end and from the other: 0 is the antenna, 1 to 4 its images.
const LINE_LEGS: [(usize, usize); LINES] =
    [(0, 0), (1, 0), (0, 1), (2, 0), (0, 2), (3, 0), (0, 3), (4, 0), (0, 4)];
/// Of the distribution of a path's power about the model's: the fewer, the wider.
const FREEDOM: f64 = 8.0;
/// What is no variance, in units of the noise.
const LEAST_PIVOT: f32 = 1e-6;

pub(crate) type Lanes = [f32; LANES];

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

/// A line in every bin, for a steering of power one.
struct Line<'a> {
    steering: &'a Steering,
    /// At both signs of its shift: on the diagonal with what is found anywhere, beside it without.
    level: Lanes,
    even: Lanes,
    odd: Lanes,
}

impl<'a> Line<'a> {
    fn new(window: &Window, steering: &'a Steering, shift: usize, power: f32, floor_share: f32) -> Line<'a> {
        let (ahead, behind) = (&window.response[shift], &window.response[2 * SHIFTS - shift]);
        let anywhere = floor_share * power;
        let mut line = Line { steering, level: [0.0; LANES], even: [0.0; LANES], odd: [0.0; LANES] };
        for m in 0..LANES {
            line.even[m] = power * (ahead[m] + behind[m]);
            line.odd[m] = power * (ahead[m] - behind[m]);
            line.level[m] = line.even[m] + anywhere * window.noise[m];
        }
        line
    }
}

impl Covariance {
    pub fn zero() -> Covariance {
        Covariance { diagonal: [[0.0; LANES]; SIGNALS], re: [[0.0; LANES]; PAIRS], im: [[0.0; LANES]; PAIRS] }
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
            for m in 0..LANES {
                mine[m] += factor * theirs[m];
            }
        }
    }

    /// Entry by entry, and line by line in each: an entry stays in registers.
    fn add_lines(&mut self, lines: &[Line<'_>; LINES]) {
        for (k, entry) in self.diagonal.iter_mut().enumerate() {
            accumulate(entry, lines, |line| (line.steering.diagonal[k], &line.level));
        }
        for (e, (re, im)) in self.re.iter_mut().zip(&mut self.im).enumerate() {
            accumulate(re, lines, |line| (line.steering.re[e], &line.even));
            accumulate(im, lines, |line| (line.steering.im[e], &line.odd));
        }
    }

    /// −(ln det C + (n + α) ln(1 + yᴴC⁻¹y/α)) over all bins, by `C = L D Lᴴ` (Golub and Van Loan, section 4.1).
    ///
    /// Complex Gaussian spectra of a covariance sC, where s is of inverse gamma distribution (Student's t; Lange, Little and
    /// Taylor 1989): a body's cross-section depends on which side a path sees, by far more than it varies between people.
    ///
    /// Leaves the factors L and D in place of C.
    pub fn ln_likelihood(&mut self, window: &Window) -> f64 {
        let (mut yr, mut yi) = (window.re, window.im);
        let (mut quadratic, mut ln_determinant) = ([0.0f32; LANES], 0.0);
        for j in 0..SIGNALS {
            for s in 0..j {
                let e = pair(j, s);
                for m in 0..LANES {
                    let square = self.re[e][m] * self.re[e][m] + self.im[e][m] * self.im[e][m];
                    self.diagonal[j][m] -= square * self.diagonal[s][m];
                }
            }
            let (mut inverse, mut determinant) = ([0.0f32; LANES], 1.0);
            for m in 0..LANES {
                let d = math::max_f32(LEAST_PIVOT, self.diagonal[j][m]);
                self.diagonal[j][m] = d;
                inverse[m] = 1.0 / d;
            }
            for &d in &self.diagonal[j][..BINS] {
                // Eleven of at most 1e20 are finite.
                determinant *= math::min_f64(f64::from(d), 1e20);
            }
            ln_determinant += math::ln(determinant);
            self.eliminate(j, &inverse);
            for s in 0..j {
                let e = pair(j, s);
                for m in 0..LANES {
                    let (lr, li) = (self.re[e][m], self.im[e][m]);
                    let (a, b) = (yr[s][m], yi[s][m]);
                    yr[j][m] -= lr * a - li * b;
                    yi[j][m] -= lr * b + li * a;
                }
            }
            for m in 0..LANES {
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
                for m in 0..LANES {
                    let (xr, xi) = (self.re[a][m] * self.diagonal[s][m], self.im[a][m] * self.diagonal[s][m]);
                    let (br, bi) = (self.re[b][m], self.im[b][m]);
                    self.re[e][m] -= xr * br + xi * bi;
                    self.im[e][m] -= xi * br - xr * bi;
                }
            }
            for m in 0..LANES {
                self.re[e][m] *= inverse[m];
                self.im[e][m] *= inverse[m];
            }
        }
    }
}

/// Adds `factor` times the lanes of each line, first to last.
#[inline(always)]
fn accumulate<'a>(
    entry: &mut Lanes,
    lines: &'a [Line<'a>; LINES],
    term: impl Fn(&'a Line<'a>) -> (f32, &'a Lanes),
) {
    let mut sum = *entry;
    for line in lines {
        let (factor, lanes) = term(line);
        for m in 0..LANES {
            sum[m] += factor * lanes[m];
        }
    }
    *entry = sum;
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
        let [p, q] = self.ends.map(|end| end.legs(&body_m, velocity_m_s));
        let places = self.places(&p, &q, scatter, power);
        let lines = core::array::from_fn(|l| {
            let (shift, excess_m, power) = (places.shift[l], places.excess_m[l], places.power[l]);
            let steering = Steering::of(self.steering, excess_m);
            Line::new(window, steering, shift as usize, power as f32, scatter.floor_share)
        });
        into.add_lines(&lines);
    }

    /// Where lines lie, and how strong they are.
    fn places(&self, p: &Legs, q: &Legs, scatter: &Scatter, power: f64) -> Places {
        let (mut length_m, mut rate_m_s, mut product) = ([0.0; LINES], [0.0; LINES], [0.0; LINES]);
        for (l, &(a, b)) in LINE_LEGS.iter().enumerate() {
            length_m[l] = p.length_m[a] + q.length_m[b];
            rate_m_s[l] = p.rate_m_s[a] + q.rate_m_s[b];
            product[l] = p.length_m[a] * q.length_m[b];
        }
        let mut out = Places { shift: [0.0; LINES], excess_m: [0.0; LINES], power: [0.0; LINES] };
        for l in 0..LINES {
            let hz = -rate_m_s[l] / scatter.wavelength_m;
            let shift = math::min_f64(hz / STEP_HZ + SHIFTS as f64 + 0.5, 2.0 * SHIFTS as f64);
            out.shift[l] = math::max_f64(0.0, shift);
            out.excess_m[l] = length_m[l] - self.direct_m;
            let reflected = if l == 0 { power } else { scatter.wall_power * power };
            out.power[l] = reflected / (product[l] * product[l]);
        }
        out
    }
}

/// Lines by their shift in steps above the lowest, excess path, and power.
struct Places {
    shift: [f64; LINES],
    excess_m: [f64; LINES],
    power: [f64; LINES],
}
