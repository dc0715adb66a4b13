//! Spectra of one window of one path: what a moving body makes of them, and how probable that makes the measured ones.
//!
//! Four of a path's real signals ([`crate::feature`]) are looked at, whose spectrum at a positive frequency is a vector of four complex
//! numbers. A line at the Doppler shift ν and the delay τ has the covariance `P a(τ) aᴴ(τ)` at ν, and its conjugate at −ν:
//! signals are real. Bins lie side by side in lanes, so that every loop over them is elementwise.

use crate::Config;
use crate::feature::{SHAPES, Steering};
use crate::fringe::{Mixture, Powers, RATE_HZ};
use crate::geometry::{Antenna, Legs, WALLS};
use crate::shade::Shade;
use crate::window::{SHIFTS, STEP_HZ, Window};
use wavewitness_num::math;

/// Signals of a path whose spectra are looked at: more of them would tell little more, and cost by their square.
pub(crate) const SPECTRA: usize = 4;
/// Which of the signals: the three strongest of the channel's shape, and its strength.
pub(crate) const HEARD: [usize; SPECTRA] = [0, 1, 2, SHAPES];
/// Pairs of different ones.
pub(crate) const PAIRS: usize = SPECTRA * (SPECTRA - 1) / 2;
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
/// Steps that a line sweeps to either side at most.
const MOST_SWEEP: f64 = 20.0;
/// What is no variance, in units of the noise.
const LEAST_PIVOT: f32 = 1e-6;
/// No greater one counts in the determinant: four of them are finite.
const MOST_PIVOT: f32 = 1e9;

/// 1/n: a division takes as long as all that is done with a line in four bins.
const INVERSES: [f32; 2 * SHIFTS + 2] = {
    let mut inverses = [1.0; 2 * SHIFTS + 2];
    let mut n = 1;
    while n < inverses.len() {
        inverses[n] = 1.0 / n as f32;
        n += 1;
    }
    inverses
};

pub(crate) type Lanes = [f32; LANES];

/// Covariance of the four spectra in every bin: diagonal, and the lower triangle's real and imaginary parts.
#[derive(Clone, Debug)]
pub(crate) struct Covariance {
    pub diagonal: [Lanes; SPECTRA],
    pub re: [Lanes; PAIRS],
    pub im: [Lanes; PAIRS],
}

/// Place of row r, column s < r in the triangle.
pub(crate) const fn pair(r: usize, s: usize) -> usize {
    r * (r - 1) / 2 + s
}

/// A line in every bin, for a steering of power one.
struct Line<'a> {
    steering: &'a Steering,
    /// At both signs of its shift: on the diagonal with what is found anywhere, beside it without.
    level: [Four; GROUPS],
    even: [Four; GROUPS],
    odd: [Four; GROUPS],
}

impl<'a> Line<'a> {
    #[inline(always)]
    fn new(
        window: &Window,
        steering: &'a Steering,
        (shift, sweep): (usize, usize),
        power: f32,
        floor_share: f32,
    ) -> Line<'a> {
        // A line that sweeps leaves in a bin the mean of what lines at all its shifts would.
        let (low, high) = (shift.saturating_sub(sweep), (shift + sweep).min(2 * SHIFTS));
        let sums = |q: usize| groups(&window.sums[q]);
        let (a0, a1) = (sums(low), sums(high + 1));
        let (b0, b1) = (sums(2 * SHIFTS - high), sums(2 * SHIFTS + 1 - low));
        let noise = groups(&window.noise);
        let anywhere = floor_share * power;
        let power = power * INVERSES[high + 1 - low];
        let a = three(|g| four(|m| a1[g][m] - a0[g][m]));
        let b = three(|g| four(|m| b1[g][m] - b0[g][m]));
        let even = three(|g| four(|m| power * (a[g][m] + b[g][m])));
        let odd = three(|g| four(|m| power * (a[g][m] - b[g][m])));
        let level = three(|g| four(|m| even[g][m] + anywhere * noise[g][m]));
        Line { steering, level, even, odd }
    }
}

impl Covariance {
    pub fn zero() -> Covariance {
        Covariance { diagonal: [[0.0; LANES]; SPECTRA], re: [[0.0; LANES]; PAIRS], im: [[0.0; LANES]; PAIRS] }
    }

    /// Independent signals of these powers.
    pub fn floor(powers: &[Lanes; SPECTRA]) -> Covariance {
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

    /// Becomes `other` and these lines: entry by entry, and line by line in each, so that an entry stays in registers.
    fn set(&mut self, other: &Covariance, lines: &[Line<'_>; LINES]) {
        for k in 0..SPECTRA {
            self.diagonal[k] =
                sum(&other.diagonal[k], lines, |line| &line.level, |line| line.steering.diagonal[k]);
        }
        for e in 0..PAIRS {
            self.re[e] = sum(&other.re[e], lines, |line| &line.even, |line| line.steering.re[e]);
            self.im[e] = sum(&other.im[e], lines, |line| &line.odd, |line| line.steering.im[e]);
        }
    }

    /// Adds what has this power in every bin, times a factor, at either sign of its shift.
    fn add_mixture(&mut self, mixture: &Mixture, level: &Lanes, factor: f32) {
        let mine = self.diagonal.iter_mut().chain(&mut self.re);
        for (lanes, s) in mine.zip(mixture.diagonal.iter().chain(&mixture.re)) {
            for m in 0..LANES {
                lanes[m] += factor * s * level[m];
            }
        }
    }

    /// −(ln det C + (n + α) ln(1 + yᴴC⁻¹y/α)) over all bins, by `C = L D Lᴴ` (Golub and Van Loan, section 4.1).
    ///
    /// Complex Gaussian spectra of a covariance sC, where s is of inverse gamma distribution (Student's t; Lange, Little and
    /// Taylor 1989): a body's cross-section depends on which side a path sees, by far more than it varies between people.
    pub fn ln_likelihood(&self, window: &Window) -> f64 {
        let (mut quadratic, mut determinant) = ([0.0f32; LANES], [0.0f32; LANES]);
        for g in 0..GROUPS {
            let (q, d) = Factors::at(self, g).solve(window, g);
            *group_mut(&mut quadratic, g) = q;
            *group_mut(&mut determinant, g) = d;
        }
        let total: f64 = quadratic.iter().map(|&q| f64::from(q)).sum();
        let count = (SPECTRA * BINS) as f64;
        -(ln_product(&determinant[..BINS]) + (count + FREEDOM) * math::ln_short(1.0 + total / FREEDOM))
    }
}

/// Lanes of a processor's vector, and vectors of all bins.
const FOUR: usize = 4;
const GROUPS: usize = LANES / FOUR;
type Four = [f32; FOUR];

#[inline(always)]
fn four(lane: impl Fn(usize) -> f32) -> Four {
    [lane(0), lane(1), lane(2), lane(3)]
}

#[inline(always)]
fn three(of: impl Fn(usize) -> Four) -> [Four; GROUPS] {
    [of(0), of(1), of(2)]
}

#[inline(always)]
fn groups(lanes: &Lanes) -> [Four; GROUPS] {
    three(|g| *group(lanes, g))
}

#[inline(always)]
fn group(lanes: &Lanes, g: usize) -> &Four {
    &lanes.as_chunks().0[g]
}

#[inline(always)]
fn group_mut(lanes: &mut Lanes, g: usize) -> &mut Four {
    &mut lanes.as_chunks_mut().0[g]
}

/// Covariances of four bins, which become their L and D.
struct Factors {
    diagonal: [Four; SPECTRA],
    re: [Four; PAIRS],
    im: [Four; PAIRS],
}

impl Factors {
    #[inline(always)]
    fn at(c: &Covariance, g: usize) -> Factors {
        let none = [[0.0; FOUR]; PAIRS];
        let mut f = Factors { diagonal: [[0.0; FOUR]; SPECTRA], re: none, im: none };
        for k in 0..SPECTRA {
            f.diagonal[k] = *group(&c.diagonal[k], g);
        }
        for e in 0..PAIRS {
            (f.re[e], f.im[e]) = (*group(&c.re[e], g), *group(&c.im[e], g));
        }
        f
    }

    /// `yᴴC⁻¹y` of each bin, and the determinant.
    #[inline(always)]
    fn solve(mut self, window: &Window, g: usize) -> (Four, Four) {
        let (mut yr, mut yi) = ([[0.0; FOUR]; SPECTRA], [[0.0; FOUR]; SPECTRA]);
        let (mut quadratic, mut determinant) = ([0.0; FOUR], [1.0; FOUR]);
        for j in 0..SPECTRA {
            let (mut d, mut zr, mut zi) =
                (self.diagonal[j], *group(&window.re[j], g), *group(&window.im[j], g));
            for s in 0..j {
                let (lr, li, ds) = (self.re[pair(j, s)], self.im[pair(j, s)], self.diagonal[s]);
                let (a, b) = (yr[s], yi[s]);
                d = four(|m| d[m] - (lr[m] * lr[m] + li[m] * li[m]) * ds[m]);
                zr = four(|m| zr[m] - (lr[m] * a[m] - li[m] * b[m]));
                zi = four(|m| zi[m] - (lr[m] * b[m] + li[m] * a[m]));
            }
            let d = four(|m| math::max_f32(LEAST_PIVOT, d[m]));
            let inverse = four(|m| 1.0 / d[m]);
            quadratic = four(|m| quadratic[m] + (zr[m] * zr[m] + zi[m] * zi[m]) * inverse[m]);
            determinant = four(|m| determinant[m] * math::min_f32(d[m], MOST_PIVOT));
            (self.diagonal[j], yr[j], yi[j]) = (d, zr, zi);
            for r in j + 1..SPECTRA {
                self.eliminate(r, j, inverse);
            }
        }
        (quadratic, determinant)
    }

    /// Row r, column j of L.
    #[inline(always)]
    fn eliminate(&mut self, r: usize, j: usize, inverse: Four) {
        let (mut er, mut ei) = (self.re[pair(r, j)], self.im[pair(r, j)]);
        for s in 0..j {
            let (ar, ai, d) = (self.re[pair(r, s)], self.im[pair(r, s)], self.diagonal[s]);
            let (br, bi) = (self.re[pair(j, s)], self.im[pair(j, s)]);
            let (xr, xi) = (four(|m| ar[m] * d[m]), four(|m| ai[m] * d[m]));
            er = four(|m| er[m] - (xr[m] * br[m] + xi[m] * bi[m]));
            ei = four(|m| ei[m] - (xi[m] * br[m] - xr[m] * bi[m]));
        }
        self.re[pair(r, j)] = four(|m| er[m] * inverse[m]);
        self.im[pair(r, j)] = four(|m| ei[m] * inverse[m]);
    }
}

/// `first`, and each line's lanes times its factor, first to last.
#[inline(always)]
fn sum<'a>(
    first: &Lanes,
    lines: &'a [Line<'a>; LINES],
    lanes: impl Fn(&'a Line<'a>) -> &'a [Four; GROUPS],
    factor: impl Fn(&'a Line<'a>) -> f32,
) -> Lanes {
    let mut total = groups(first);
    for line in lines {
        let (y, f) = (lanes(line), factor(line));
        total = three(|g| four(|m| total[g][m] + f * y[g][m]));
    }
    let mut out = [0.0; LANES];
    for (to, from) in out.as_chunks_mut().0.iter_mut().zip(total) {
        *to = from;
    }
    out
}

/// ln of a product of up to a thousand positive normal numbers: exponents are added, and one logarithm is taken of the
/// product of the mantissas.
fn ln_product(factors: &[f32]) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE: u64 = 1023 << 52;
    let (mut mantissa, mut exponent) = (1.0, 0);
    for factor in factors {
        let bits = f64::from(*factor).to_bits();
        mantissa *= f64::from_bits(bits & MANTISSA | ONE);
        exponent += (bits >> 52) as i32 - 1023;
    }
    math::ln_short(mantissa) + f64::from(exponent) * core::f64::consts::LN_2
}

/// Parts of a step of the shifts that rates are counted in.
const PARTS: usize = 1 << 16;

/// Power in every bin of fringes, each of whose rates is spread evenly over its width.
fn fringe_level(window: &Window, powers: &Powers, speed_m_s: f64) -> Lanes {
    let mut level = [0.0; LANES];
    // In whole numbers, which are faster.
    let steps = (math::min_f64(speed_m_s * RATE_HZ / STEP_HZ, SHIFTS as f64) * PARTS as f64) as usize;
    let (mut low, mut before) = (0, &window.folded[0]);
    for (k, power) in powers.iter().enumerate() {
        if low > SHIFTS {
            break;
        }
        let until = ((k + 1) * steps).min(SHIFTS * PARTS) + PARTS / 2;
        let high = (until / PARTS).max(low + 1);
        let share = power * INVERSES[high - low];
        let sums = &window.folded[high];
        for m in 0..LANES {
            level[m] += share * (sums[m] - before[m]);
        }
        (low, before) = (high, sums);
    }
    level
}

/// What makes lines of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scatter {
    pub wavelength_m: f64,
    pub wall_power: f64,
    pub floor_share: f32,
    pub sweep_s: f64,
    pub fringes: f32,
}

impl Scatter {
    pub fn new(config: &Config) -> Scatter {
        Scatter {
            wavelength_m: config.wavelength_m,
            wall_power: config.wall_power,
            floor_share: config.floor_share as f32,
            sweep_s: config.sweep_s,
            fringes: config.fringes as f32,
        }
    }
}

/// A path as lines need it.
#[derive(Clone, Debug)]
pub(crate) struct Sight<'a> {
    pub ends: [&'a Antenna; 2],
    pub direct_m: f64,
    /// Scattered power relative to the static channel's of 1 m² at 1 m from both ends.
    pub scale: f64,
    pub steering: &'a [Steering],
    pub shade: &'a Shade,
}

impl Sight<'_> {
    /// Sets `out` to `other`, the lines of a body (the path over it by the bistatic radar equation, and with one reflection before or
    /// after it), and its fringes.
    pub fn lines(
        &self,
        window: &Window,
        scatter: &Scatter,
        body_m: [f64; 3],
        velocity_m_s: [f64; 2],
        section_m2: f64,
        other: &Covariance,
        out: &mut Covariance,
    ) {
        let power = self.scale * section_m2;
        let [p, q] = self.ends.map(|end| end.legs(&body_m, velocity_m_s));
        let places = Places::new([&p, &q], self.direct_m, scatter, power);
        let lines = core::array::from_fn(|l| {
            let (shift, excess_m, power) = (places.shift[l], places.excess_m[l], places.power[l]);
            let steering = Steering::of(self.steering, excess_m);
            let sweep = places.sweep[l] as usize;
            Line::new(window, steering, (shift as usize, sweep), power as f32, scatter.floor_share)
        });
        out.set(other, &lines);
        let fringes = self.shade.fringes([body_m[0], body_m[1]], velocity_m_s);
        if let Some((powers, mixture)) = fringes.filter(|_| scatter.fringes > 0.0) {
            let speed_m_s = math::sqrt(velocity_m_s[0] * velocity_m_s[0] + velocity_m_s[1] * velocity_m_s[1]);
            out.add_mixture(mixture, &fringe_level(window, powers, speed_m_s), scatter.fringes);
        }
    }
}

/// Lines by their shift in steps above the lowest, excess path, and power.
pub(crate) struct Places {
    shift: [f64; LINES],
    /// To either side.
    sweep: [f64; LINES],
    pub excess_m: [f64; LINES],
    pub power: [f64; LINES],
}

impl Places {
    /// Where the lines of a body that scatters so much power over 1 m to either side lie, and how strong they are.
    pub fn new([p, q]: [&Legs; 2], direct_m: f64, scatter: &Scatter, power: f64) -> Places {
        let (mut length_m, mut rate_m_s, mut product) = ([0.0; LINES], [0.0; LINES], [0.0; LINES]);
        let mut growth_m_s2 = [0.0; LINES];
        for (l, &(a, b)) in LINE_LEGS.iter().enumerate() {
            length_m[l] = p.length_m[a] + q.length_m[b];
            rate_m_s[l] = p.rate_m_s[a] + q.rate_m_s[b];
            growth_m_s2[l] = p.growth_m_s2[a] + q.growth_m_s2[b];
            product[l] = p.length_m[a] * q.length_m[b];
        }
        let none = [0.0; LINES];
        let steps = 1.0 / (scatter.wavelength_m * STEP_HZ);
        let mut out = Places { shift: none, sweep: none, excess_m: none, power: none };
        for l in 0..LINES {
            let shift = math::min_f64(-rate_m_s[l] * steps + SHIFTS as f64 + 0.5, 2.0 * SHIFTS as f64);
            out.shift[l] = math::max_f64(0.0, shift);
            out.sweep[l] = math::min_f64(scatter.sweep_s * growth_m_s2[l] * steps + 0.5, MOST_SWEEP);
            out.excess_m[l] = length_m[l] - direct_m;
            let reflected = if l == 0 { power } else { scatter.wall_power * power };
            out.power[l] = reflected / (product[l] * product[l]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    //! Guards that the likelihood is that of its definition, whatever the covariance.
    use super::*;
    use crate::feature::SIGNALS;
    use crate::fringe::RATES;
    use crate::path::{Ring, Sample};
    use crate::sequence::Sequence;
    use wavewitness_num::{C64, complex};
    use wavewitness_types::Timestamp;

    #[test]
    fn the_logarithm_of_a_product_is_the_sum_of_logarithms() {
        let mut sequence = Sequence::new();
        for _ in 0..200 {
            let factors: [f32; BINS] =
                core::array::from_fn(|_| math::exp(130.0 * (sequence.uniform() - 0.4)) as f32);
            let sum: f64 = factors.iter().map(|&f| math::ln(f64::from(f))).sum();
            assert!((ln_product(&factors) - sum).abs() < 1e-10 * math::max_f64(sum.abs(), 1.0));
        }
        assert_eq!(ln_product(&[]), 0.0);
    }

    /// `L D Lᴴ` in full, bin by bin, in double precision.
    fn by_definition(c: &Covariance, window: &Window) -> f64 {
        let (mut ln_determinant, mut quadratic) = (0.0, 0.0);
        for m in 0..BINS {
            let mut a = [[C64::default(); SPECTRA]; SPECTRA];
            for r in 0..SPECTRA {
                a[r][r] = C64::new(f64::from(c.diagonal[r][m]), 0.0);
                for s in 0..r {
                    let e = pair(r, s);
                    a[r][s] = C64::new(f64::from(c.re[e][m]), f64::from(c.im[e][m]));
                    a[s][r] = a[r][s].conj();
                }
            }
            let y: [C64; SPECTRA] =
                core::array::from_fn(|k| C64::new(f64::from(window.re[k][m]), f64::from(window.im[k][m])));
            // Gauss: C x = y.
            let mut x = y;
            for k in 0..SPECTRA {
                ln_determinant += math::ln(a[k][k].re);
                for r in k + 1..SPECTRA {
                    let factor = a[r][k] / a[k][k];
                    for s in k..SPECTRA {
                        let product = factor * a[k][s];
                        a[r][s] -= product;
                    }
                    let product = factor * x[k];
                    x[r] -= product;
                }
            }
            for k in (0..SPECTRA).rev() {
                for s in k + 1..SPECTRA {
                    let product = a[k][s] * x[s];
                    x[k] -= product;
                }
                x[k] /= a[k][k];
                quadratic += complex::conj_mul(y[k], x[k]).re;
            }
        }
        let count = (SPECTRA * BINS) as f64;
        -(ln_determinant + (count + FREEDOM) * math::ln(1.0 + quadratic / FREEDOM))
    }

    #[test]
    fn the_likelihood_is_that_of_its_definition() {
        let mut sequence = Sequence::new();
        for round in 0..50 {
            let mut window = Window::new();
            let mut covariance = Covariance::floor(&[[1.0; LANES]; SPECTRA]);
            for m in 0..BINS {
                for k in 0..SPECTRA {
                    window.re[k][m] = (30.0 * sequence.normal()) as f32;
                    window.im[k][m] = (30.0 * sequence.normal()) as f32;
                }
                // A few lines of rank one.
                for _ in 0..round % 5 {
                    let a: [C64; SPECTRA] =
                        core::array::from_fn(|_| C64::new(9.0 * sequence.normal(), 9.0 * sequence.normal()));
                    for r in 0..SPECTRA {
                        covariance.diagonal[r][m] += complex::abs2(a[r]) as f32;
                        for s in 0..r {
                            let z = complex::conj_mul(a[s], a[r]);
                            covariance.re[pair(r, s)][m] += z.re as f32;
                            covariance.im[pair(r, s)][m] += z.im as f32;
                        }
                    }
                }
            }
            let expected = by_definition(&covariance, &window);
            let found = covariance.ln_likelihood(&window);
            assert!((found - expected).abs() < 1e-3 * expected.abs(), "{round}: {found} for {expected}");
        }
    }

    /// Mean of the bins' frequencies, Hz, by what one rate's fringes leave in them at a speed; and their sum.
    fn middle(window: &Window, rate: usize, speed_m_s: f64) -> (f64, f64) {
        let mut powers = [0.0; RATES];
        powers[rate] = 8.0;
        let level = fringe_level(window, &powers, speed_m_s);
        let (mut total, mut moment) = (0.0, 0.0);
        for (m, &power) in level.iter().enumerate().take(BINS) {
            total += f64::from(power);
            moment += f64::from(power) * (4.0 + 2.0 * m as f64);
        }
        (moment / total, total)
    }

    #[test]
    fn fringes_lie_where_rate_and_speed_say() {
        let mut ring = Ring::new();
        for n in 0..40 {
            let at = Timestamp(9_012_500_000 + n * 25_000_000);
            ring.push(Sample { at, signals: [1.0; SIGNALS] });
        }
        let mut window = Window::new();
        window.look(&ring, Timestamp(10_000_000_000));
        assert!(window.known);
        // Rates of 6 to 8 and of 10 to 12 Hz for each m/s.
        for (rate, speed_m_s, expected_hz) in [(3, 1.0, 7.0), (3, 1.5, 10.5), (5, 0.8, 8.8), (5, 1.2, 13.2)] {
            let (hz, _) = middle(&window, rate, speed_m_s);
            assert!((hz - expected_hz).abs() < 1.0, "rate {rate} at {speed_m_s} m/s: {hz} Hz");
        }
        // Who hardly moves leaves them below all bins.
        assert!(middle(&window, 3, 0.05).1 < 0.05 * middle(&window, 3, 1.0).1);
    }
}
