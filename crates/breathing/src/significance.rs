//! How likely noise gives a line of a certain strength.

use wavewitness_num::math;

/// Law of the energy of noise at one frequency: of both coefficients of all series, relative to its mean, it is
/// `1 + deviation·(G − shape)/√shape` with G from a gamma law of that shape; what is used of it is the part with one phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Law {
    shape: f64,
    deviation: f64,
}

/// Slices that the law of r is cut in, each half as likely as the one before.
const SLICES: u32 = 20;

/// Sums that are added up side by side.
const LANES: usize = 8;

impl Law {
    /// From the eigenvalues γ of the noise's covariance over the series, Σγ = 1, by their sums of squares and cubes.
    ///
    /// The energy of both coefficients is Σ γᵢ Eᵢ with exponential Eᵢ: its cumulants are 1, Σγ², 2Σγ³. Three-moment
    /// matching (Hall 1983, Buckley and Eagleson 1988) gives a gamma law of shape (Σγ²)³/(Σγ³)².
    pub fn new(squares: f64, cubes: f64) -> Law {
        let shape = squares * squares * squares / (cubes * cubes);
        Law { shape, deviation: math::sqrt(squares) }
    }

    /// The same from a Gram matrix of m noise vectors over the series: sums over distinct indices, which are unbiased.
    pub fn from_gram(gram: &mut [f64], m: usize, series: usize) -> Law {
        let (mut p1, mut p2, mut p3) = (0.0, 0.0, 0.0);
        for k in 0..m {
            let d = gram[k * m + k];
            p1 += d;
            p2 += d * d;
            p3 += d * d * d;
            gram[k * m + k] = 0.0;
        }
        let (mut pairs, mut triples) = (0.0, 0.0);
        // Rows are columns, too, so that a few sums lie side by side; each is added up in the order of k.
        for row in gram[..m * m].chunks_exact(m) {
            for first in (0..m).step_by(LANES) {
                let lanes = LANES.min(m - first);
                let mut around = [0.0; LANES];
                for (k, &a) in row.iter().enumerate() {
                    let others = &gram[k * m + first..k * m + first + lanes];
                    match <&[f64; LANES]>::try_from(others) {
                        Ok(all) => around.iter_mut().zip(all).for_each(|(sum, g)| *sum += g * a),
                        Err(_) => around.iter_mut().zip(others).for_each(|(sum, g)| *sum += g * a),
                    }
                }
                for (g, around) in row[first..first + lanes].iter().zip(around) {
                    pairs += g * g;
                    triples += g * around;
                }
            }
        }
        let (all_pairs, all_triples) = (p1 * p1 - p2, p1 * p1 * p1 - 3.0 * p1 * p2 + 2.0 * p3);
        if !(all_pairs > 0.0 && all_triples > 0.0) {
            return Law::new(1.0, 1.0);
        }
        let within = |x: f64, low: f64, high: f64| math::min_f64(math::max_f64(x, low), high);
        // Of positive numbers that add up to 1: Σγ² ≥ 1/n, and (Σγ²)² ≤ Σγ³ ≤ (Σγ²)^{3/2}.
        // Few vectors estimate both badly, and what counts is a tail: two relative standard deviations more, of the order
        // of 1/√m for squares and 2/√m for cubes.
        let doubt = 2.0 / math::sqrt(m as f64);
        let squares = within(pairs / all_pairs * (1.0 + doubt), 1.0 / series.max(1) as f64, 1.0);
        let most = squares * math::sqrt(squares);
        let cubes = within(triples / all_triples * (1.0 + 2.0 * doubt), squares * squares, most);
        Law::new(squares, cubes)
    }

    /// Probability that noise at one frequency exceeds `ratio` times its mean, which is known from `bins` others.
    ///
    /// For n equal eigenvalues the Gram matrix of both coefficients is W₂(n). Its trace s and r = (λ₁ − λ₂)/s are
    /// independent, and r² is from Beta(1, (n−1)/2) (from the joint density, Muirhead 1982, theorem 3.2.18): the part with
    /// one phase is λ₁ = s(1 + r)/2. The quantile of r is r² = 1 − u^{2/(n−1)}, and the sum below goes over slices of u.
    pub fn exceedance(self, ratio: f64, bins: f64) -> f64 {
        let b = 0.5 * (self.shape - 1.0);
        let freedom = 2.0 * self.shape;
        let single = b < 5e-4;
        let mean = match single {
            true => 1.0,
            false => b * math::exp(math::ln_gamma(1.5) + math::ln_gamma(b) - math::ln_gamma(1.5 + b)),
        };
        let (mut total, mut weight, mut u) = (0.0, 0.5, 0.75);
        for _ in 0..SLICES {
            let r = if single { 1.0 } else { math::sqrt(1.0 - math::pow(u, 1.0 / b)) };
            let trace = self.gamma(ratio * (1.0 + mean) / (1.0 + r));
            total += weight * paulson(trace / self.shape, freedom, freedom * bins);
            weight *= 0.5;
            u *= 0.5;
        }
        total
    }

    /// Probability that noise does so anywhere in a band of `cells` = B·T.
    ///
    /// Baluev 2008 (MNRAS 385, equation 6): up-crossings of a spectrum of even sampling are as many as independent
    /// frequencies √(π/3) B T times √z, z the level in units of an exponential tail.
    pub fn anywhere(self, ratio: f64, bins: f64, cells: f64) -> f64 {
        let z = math::max_f64(self.gamma(ratio), 1.0);
        let trials = cells * math::sqrt(core::f64::consts::PI / 3.0 * z);
        math::min_f64(trials * self.exceedance(ratio, bins), 1.0)
    }

    fn gamma(self, ratio: f64) -> f64 {
        let g = self.shape + (ratio - 1.0) / self.deviation * math::sqrt(self.shape);
        math::max_f64(g, 0.0)
    }
}

/// Upper tail of the F law by cube roots (Paulson 1942, Ann. Math. Stat. 13, 233–235).
fn paulson(f: f64, n1: f64, n2: f64) -> f64 {
    let (a, b) = (2.0 / (9.0 * n1), 2.0 / (9.0 * n2));
    let root = math::cbrt(f);
    let z = ((1.0 - b) * root - (1.0 - a)) / math::sqrt(b * root * root + a);
    0.5 * math::erfc(z * core::f64::consts::FRAC_1_SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponential_law_has_an_exponential_tail() {
        for x in [2.0, 5.0, 9.0] {
            let tail = Law::new(1.0, 1.0).exceedance(x, 1e9);
            assert!((math::ln(tail) + x).abs() < 0.05 * x + 0.1, "{x}: {tail:e}");
        }
    }

    #[test]
    fn the_tail_of_f_is_that_of_tables() {
        // NIST/SEMATECH e-Handbook 1.3.6.7.3: upper 1 % points.
        for (n1, n2, f) in [(2.0, 20.0, 5.849), (10.0, 20.0, 3.368), (10.0, 60.0, 2.632)] {
            assert!((paulson(f, n1, n2) - 0.01).abs() < 5e-4);
        }
    }

    #[test]
    fn a_spike_among_many_small_ones_keeps_the_spikes_tail() {
        // 0.8 E + 0.2: at 9 exp(−8.8/0.8).
        let law = Law::new(0.64, 0.512);
        let exact = math::exp(-8.8 / 0.8);
        assert!((math::ln(law.exceedance(9.0, 1e9)) - math::ln(exact)).abs() < 0.7);
    }

    #[test]
    fn the_part_with_one_phase_is_that_of_wishart() {
        // λ₁ of W₂(n) over its mean, 400,000 draws: n, ratio, share above.
        for (n, ratio, tail) in
            [(2.0, 2.0, 0.0946), (2.0, 3.0, 0.0196), (20.0, 1.5, 0.0357), (20.0, 2.0, 8.8e-4)]
        {
            let p = Law::new(1.0 / n, 1.0 / (n * n)).exceedance(ratio, 1e9);
            assert!((math::ln(p) - math::ln(tail)).abs() < 0.25, "{n} {ratio}: {p} against {tail}");
        }
    }
}
