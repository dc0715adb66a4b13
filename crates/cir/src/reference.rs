//! A plain dense solver of the impulse response problem, to hold the fast one to.
//!
//! Same minimum, other way: cyclic coordinate descent on the dense matrix (Friedman, Hastie, Höfling & Tibshirani 2007,
//! Ann. Appl. Stat. 1(2), for complex coefficients), stopped by its duality gap, which bounds the distance to the
//! minimum without regard to how the iterate was found. It allocates and is slow; nothing in a cycle calls it.

use wavewitness_num::complex::{abs, abs2, conj_mul, unit, widen};
use wavewitness_num::{C32, C64, math};
use wavewitness_types::{Samples, ToneGrid};

/// A dense dictionary `Φ[k, g] = exp(−j2πkΔfτ_g)/√K`.
#[derive(Clone, Debug)]
pub struct Dense {
    /// One unit-norm column a delay.
    columns: Vec<Vec<C64>>,
}

/// What the reference found.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// One coefficient a delay.
    pub coefficients: Vec<C64>,
    /// `½‖Φx − y‖² + λ‖x‖₁`.
    pub objective: f64,
    /// How far above the minimum that can be at most.
    pub gap: f64,
}

impl Dense {
    /// The dictionary of a tone grid and delays in nanoseconds.
    pub fn new(grid: ToneGrid, delays_ns: &[f64]) -> Dense {
        let norm = 1.0 / math::sqrt(grid.tone_count() as f64);
        let column = |delay_ns: &f64| -> Vec<C64> {
            (0..grid.tone_count())
                .map(|k| unit(-core::f64::consts::TAU * grid.offset_hz(k) * (delay_ns * 1e-9)) * norm)
                .collect()
        };
        Dense { columns: delays_ns.iter().map(column).collect() }
    }

    /// Minimises the objective for `y` = samples over their norm, with λ = `lambda_ratio` · ‖Φᴴy‖∞, until the duality
    /// gap is below `relative_gap` of the objective or `sweeps` are over. `None` for samples without energy.
    pub fn solve(
        &self,
        samples: &Samples,
        lambda_ratio: f64,
        relative_gap: f64,
        sweeps: u32,
    ) -> Option<Minimum> {
        let y = normalised(samples)?;
        let lambda = lambda_ratio * largest_correlation(&self.columns, &y);
        let mut x = vec![C64::default(); self.columns.len()];
        let mut left = y.clone();
        let (mut objective, mut gap) = (0.5, f64::MAX);
        for _ in 0..sweeps {
            for (column, value) in self.columns.iter().zip(&mut x) {
                let v = *value + correlation(column, &left);
                let magnitude = abs(v);
                let next = if magnitude > lambda { v * (1.0 - lambda / magnitude) } else { C64::default() };
                let change = *value - next;
                left.iter_mut().zip(column).for_each(|(r, c)| *r += c * change);
                *value = next;
            }
            (objective, gap) = self.duality_gap(&y, &x, &left, lambda);
            if gap <= relative_gap * objective {
                break;
            }
        }
        Some(Minimum { coefficients: x, objective, gap })
    }

    /// `½‖Φx − y‖² + λ‖x‖₁` by its definition, for `y` = samples over their norm. `None` for samples without energy.
    pub fn objective(&self, samples: &Samples, x: &[C64], lambda: f64) -> Option<f64> {
        let mut left = normalised(samples)?;
        for (column, value) in self.columns.iter().zip(x) {
            left.iter_mut().zip(column).for_each(|(r, c)| *r -= c * value);
        }
        let norm1 = x.iter().fold(0.0, |total, &z| total + abs(z));
        Some(0.5 * left.iter().fold(0.0, |total, &z| total + abs2(z)) + lambda * norm1)
    }

    /// The largest eigenvalue of `ΦᴴΦ`, from below, by power iteration from a fixed start.
    pub fn largest_eigenvalue(&self, iterations: u32) -> f64 {
        let n = self.columns.len();
        let mut x: Vec<C64> = (0..n).map(|g| C64::new(1.0, (g % 7) as f64 * 0.1)).collect();
        let mut eigenvalue = 0.0;
        for _ in 0..iterations {
            let mut image = vec![C64::default(); self.columns[0].len()];
            for (column, value) in self.columns.iter().zip(&x) {
                image.iter_mut().zip(column).for_each(|(y, c)| *y += c * value);
            }
            let back: Vec<C64> = self.columns.iter().map(|c| correlation(c, &image)).collect();
            let norm = math::sqrt(back.iter().fold(0.0, |total, &z| total + abs2(z)));
            eigenvalue = norm / math::sqrt(x.iter().fold(0.0, |total, &z| total + abs2(z)));
            x = back.iter().map(|z| z / norm).collect();
        }
        eigenvalue
    }

    /// Objective and duality gap. The dual point is the residual scaled into `‖Φᴴθ‖∞ ≤ λ`; the dual objective is
    /// `½‖y‖² − ½‖y − θ‖²`.
    fn duality_gap(&self, y: &[C64], x: &[C64], left: &[C64], lambda: f64) -> (f64, f64) {
        let norm1 = x.iter().fold(0.0, |total, &z| total + abs(z));
        let left2 = left.iter().fold(0.0, |total, &z| total + abs2(z));
        let primal = 0.5 * left2 + lambda * norm1;
        let shrink = math::min_f64(1.0, lambda / largest_correlation(&self.columns, left));
        let distance2 = y.iter().zip(left).fold(0.0, |total, (a, r)| total + abs2(a - r * shrink));
        let y2 = y.iter().fold(0.0, |total, &z| total + abs2(z));
        (primal, primal - 0.5 * (y2 - distance2))
    }
}

fn normalised(samples: &Samples) -> Option<Vec<C64>> {
    let pairs = samples.re().iter().zip(samples.im());
    let raw: Vec<C64> = pairs.map(|(&re, &im)| widen(C32::new(re, im))).collect();
    let norm = math::sqrt(raw.iter().fold(0.0, |total, &z| total + abs2(z)));
    (norm > 0.0).then(|| raw.iter().map(|z| z / norm).collect())
}

fn correlation(column: &[C64], v: &[C64]) -> C64 {
    column.iter().zip(v).fold(C64::default(), |total, (&c, &z)| total + conj_mul(c, z))
}

fn largest_correlation(columns: &[Vec<C64>], v: &[C64]) -> f64 {
    columns.iter().fold(0.0, |largest, c| math::max_f64(largest, abs(correlation(c, v))))
}
