//! The error about the model: each path's own, one that all paths of a place share, one that all paths share.
//!
//! The residual of path l between places a and b is `r_l = e_l + n_a + n_b`, e_l ~ N(0, 1/w), n ~ N(0, τ²). With
//! `Z` the incidence of paths and places the quadratic form of its covariance Σ is (Woodbury)
//! `rᵀΣ⁻¹r = w rᵀr − uᵀ M⁻¹ u`, `u = w Zᵀr`, `M = τ⁻²I + w ZᵀZ`. A level common to all paths is one rank more.

use super::Config;
use super::model::Path;
use wavewitness_num::math;

/// Cells that are worked on side by side. Each does exactly the arithmetic that it would do alone.
pub(super) const LANES: usize = 16;
/// A number for each of so many cells.
pub(super) type Lanes = [f64; LANES];

/// The error of a set of paths, factored.
#[derive(Clone, Debug)]
pub(super) struct Errors {
    /// What it was factored for: (place, place) of each path, the number of places, and 1/w, τ, the level's σ.
    ends: Vec<[usize; 2]>,
    places: usize,
    sigmas: [f64; 3],
    weight: f64,
    freedom: f64,
    /// Places whose shared error is taken out: all of them or none.
    n: usize,
    /// Lower Cholesky factor of M, row by row.
    factor: Vec<f64>,
    /// `L⁻¹Zᵀ1w`: what the level puts on the places.
    level: Vec<f64>,
    /// `1ᵀΣ⁻¹1` and the level's own information.
    stiffness: f64,
    u: Vec<Lanes>,
}

impl Errors {
    pub fn new(places: usize, paths: usize) -> Errors {
        Errors {
            ends: Vec::with_capacity(paths),
            places: 0,
            sigmas: [0.0; 3],
            weight: 1.0,
            freedom: 1.0,
            n: 0,
            factor: vec![0.0; places * places],
            level: vec![0.0; places],
            stiffness: 1.0,
            u: vec![[0.0; LANES]; places],
        }
    }

    /// Places, at most.
    pub fn capacity(&self) -> usize {
        self.level.len()
    }

    /// Factors the error of these paths. False, and nothing is done, if they are those of the last time.
    pub fn load(
        &mut self,
        config: &Config,
        places: usize,
        paths: impl Iterator<Item = Path> + Clone,
    ) -> bool {
        self.freedom = config.error_freedom;
        let sigmas = [config.model_sigma, config.place_sigma, config.level_sigma];
        let same = self.ends.iter().copied().eq(paths.clone().map(|p| p.places));
        if same && self.places == places && self.sigmas == sigmas {
            return false;
        }
        self.ends.clear();
        self.ends.extend(paths.map(|p| p.places));
        (self.places, self.sigmas) = (places, sigmas);
        let [own, shared, common] = sigmas;
        self.weight = 1.0 / (own * own);
        self.n = if shared > 0.0 { places } else { 0 };
        self.factor(shared);
        let n = self.n;
        let one: Lanes = [1.0; LANES];
        self.gather(|_| one);
        let mut taken = 0.0;
        for (level, u) in self.level[..n].iter_mut().zip(&self.u) {
            *level = u[0];
            taken += u[0] * u[0];
        }
        let all = self.weight * self.ends.len() as f64;
        self.stiffness = math::max_f64(0.0, all - taken) + 1.0 / (common * common);
        true
    }

    fn factor(&mut self, tau: f64) {
        let (n, w) = (self.n, self.weight);
        let m = &mut self.factor[..n * n];
        m.fill(0.0);
        if n > 0 {
            for k in 0..n {
                m[k * n + k] = 1.0 / (tau * tau);
            }
            for &[a, b] in &self.ends {
                m[a * n + a] += w;
                m[b * n + b] += w;
                m[a * n + b] += w;
                m[b * n + a] += w;
            }
        }
        for r in 0..n {
            for c in 0..=r {
                let mut sum = m[r * n + c];
                for k in 0..c {
                    sum -= m[r * n + k] * m[c * n + k];
                }
                // M exceeds τ⁻²I, so the pivot is positive but for rounding.
                m[r * n + c] =
                    if r == c { math::sqrt(math::max_f64(sum, 1e-12)) } else { sum / m[c * n + c] };
            }
        }
    }

    /// `L⁻¹Zᵀr w` of residuals into `self.u`; sum of squares and sum of the residuals.
    fn gather(&mut self, residual: impl Fn(usize) -> Lanes) -> (Lanes, Lanes) {
        let n = self.n;
        let u = &mut self.u[..n];
        u.fill([0.0; LANES]);
        let (mut squares, mut sum) = ([0.0; LANES], [0.0; LANES]);
        for (k, &[a, b]) in self.ends.iter().enumerate() {
            let r = residual(k);
            for lane in 0..LANES {
                squares[lane] += r[lane] * r[lane];
                sum[lane] += r[lane];
            }
            if n > 0 {
                for lane in 0..LANES {
                    u[a][lane] += r[lane];
                }
                for lane in 0..LANES {
                    u[b][lane] += r[lane];
                }
            }
        }
        for r in 0..n {
            let (done, rest) = u.split_at_mut(r);
            let row = &self.factor[r * n..r * n + r + 1];
            let mut total = rest[0];
            for value in &mut total {
                *value *= self.weight;
            }
            for (&l, v) in row.iter().zip(done.iter()) {
                for lane in 0..LANES {
                    total[lane] -= l * v[lane];
                }
            }
            let pivot = 1.0 / row[r];
            for value in &mut total {
                *value *= pivot;
            }
            rest[0] = total;
        }
        (squares, sum)
    }

    /// `rᵀΣ⁻¹r` and `1ᵀΣ⁻¹r`, without the level, of the residuals that `residual` gives for each path.
    pub fn forms(&mut self, residual: impl Fn(usize) -> Lanes) -> (Lanes, Lanes) {
        let (mut square, mut slope) = self.gather(residual);
        for lane in 0..LANES {
            square[lane] *= self.weight;
            slope[lane] *= self.weight;
        }
        for (u, &level) in self.u[..self.n].iter().zip(&self.level) {
            for lane in 0..LANES {
                square[lane] -= u[lane] * u[lane];
                slope[lane] -= level * u[lane];
            }
        }
        (square, slope)
    }

    /// `Σ⁻¹y` without the level, into `out`; `yᵀΣ⁻¹y` and `1ᵀΣ⁻¹y`.
    pub fn whiten(&mut self, y: &[f64], out: &mut [f64]) -> (f64, f64) {
        let (square, slope) = self.forms(|k| [y[k]; LANES]);
        let n = self.n;
        // Lᵀx = L⁻¹u, in the first lane.
        for r in (0..n).rev() {
            let mut total = self.u[r][0];
            for below in r + 1..n {
                total -= self.factor[below * n + r] * self.u[below][0];
            }
            self.u[r][0] = total / self.factor[r * n + r];
        }
        for (k, &[a, b]) in self.ends.iter().enumerate() {
            let shared = if n > 0 { self.u[a][0] + self.u[b][0] } else { 0.0 };
            out[k] = self.weight * (y[k] - shared);
        }
        (square[0], slope[0])
    }

    /// Twice the negative logarithm of the density of residuals with these forms, but for a constant.
    ///
    /// What a rise of all links alike explains (interference, drift) is taken off: that is nobody and may be there beside
    /// somebody. And that the model's error is as large as configured is itself only believed: its variance is
    /// inverse-gamma about it, which makes the residuals a multivariate Student t. A baseline that has drifted all over is
    /// a poor fit with a body or without.
    #[inline]
    pub fn surprise(&self, square: f64, slope: f64) -> f64 {
        let misfit = if slope > 0.0 { square - slope * slope / self.stiffness } else { square };
        (self.ends.len() as f64 + self.freedom) * math::ln(1.0 + math::max_f64(0.0, misfit) / self.freedom)
    }
}
