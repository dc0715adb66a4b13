//! Errors that all links of a place share, taken out by marginalisation.
//!
//! The residual of path l between places a and b is `r_l = e_l + n_a + n_b`, e_l ~ N(0, 1/w_l), n ~ N(0, τ²). With
//! `Z` the incidence of paths and places and `W = diag(w)` the quadratic form of its covariance is (Woodbury)
//! `rᵀΣ⁻¹r = rᵀWr − uᵀ M⁻¹ u`, `u = ZᵀWr`, `M = τ⁻²I + ZᵀWZ`.

use wavewitness_num::math;

/// The factor of M for the paths of a cycle.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    pub n: usize,
    /// Lower Cholesky factor, row by row.
    factor: Vec<f64>,
    capacity: usize,
}

impl Nodes {
    pub fn new(capacity: usize) -> Nodes {
        Nodes { n: 0, factor: vec![0.0; capacity * capacity], capacity }
    }

    /// Factors M; `paths` yields (place, place, weight). τ = 0 leaves nothing to take out.
    pub fn load(&mut self, n: usize, tau: f64, paths: impl Iterator<Item = (usize, usize, f64)>) {
        self.n = if tau > 0.0 { n.min(self.capacity) } else { 0 };
        let n = self.n;
        self.factor[..n * n].fill(0.0);
        for k in 0..n {
            self.factor[k * n + k] = 1.0 / (tau * tau);
        }
        if n > 0 {
            for (a, b, w) in paths {
                self.factor[a * n + a] += w;
                self.factor[b * n + b] += w;
                self.factor[a * n + b] += w;
                self.factor[b * n + a] += w;
            }
        }
        for r in 0..n {
            for c in 0..=r {
                let mut sum = self.factor[r * n + c];
                for k in 0..c {
                    sum -= self.factor[r * n + k] * self.factor[c * n + k];
                }
                // M exceeds τ⁻²I, so the pivot is positive but for rounding.
                self.factor[r * n + c] =
                    if r == c { math::sqrt(math::max_f64(sum, 1e-12)) } else { sum / self.factor[c * n + c] };
            }
        }
    }

    /// `uᵀ M⁻¹ u`; `u` is overwritten.
    pub fn explained(&self, u: &mut [f64]) -> f64 {
        let n = self.n;
        let mut total = 0.0;
        for r in 0..n {
            let mut sum = u[r];
            for k in 0..r {
                sum -= self.factor[r * n + k] * u[k];
            }
            u[r] = sum / self.factor[r * n + r];
            total += u[r] * u[r];
        }
        total
    }
}
