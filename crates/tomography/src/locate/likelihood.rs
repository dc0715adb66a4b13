//! The likelihood ratio of a cycle's evidence: a body in each cell against none there.
//!
//! What a lone body does to a path (`model`) does not change while the antennas stay, and with `misfit = yᵀΣ⁻¹y −
//! 2 (Σ⁻¹y)ᵀμ + μᵀΣ⁻¹μ` nor does the last term while the same paths report. So a cycle costs one product a cell and path.
//! Beside a body that is known elsewhere μ is no sum, and every cell is made anew.

use super::errors::{Errors, LANES, Lanes};
use super::field::Field;
use super::model::{ENVIRONMENTS, Effect, Path, distance_m, expected};
use super::{Config, MAX_LOCATED, PathEvidence};
use wavewitness_num::math;
use wavewitness_types::Room;

/// Ends closer than this are one place, m.
const SAME_PLACE_M: f64 = 0.05;
/// Deviations outside are taken as these, ln.
const DEVIATION: (f64, f64) = (-3.0, 12.0);

/// Tables of what a body in each cell does to each path, and the cycle's evidence.
#[derive(Clone, Debug)]
pub(super) struct Likelihood {
    floor_m: f64,
    paths: Vec<Path>,
    places: Vec<[f64; 3]>,
    /// Length of a table's row: the cells, rounded up to whole blocks of lanes.
    stride: usize,
    /// By path, then cell: g; the two shadows; the two μ of a lone body.
    scatter: Vec<f32>,
    shadow: [Vec<f32>; ENVIRONMENTS],
    alone: [Vec<f32>; ENVIRONMENTS],
    /// Paths with a deviation this cycle, in order of id, the deviations, and `Σ⁻¹` times them.
    deviating: Vec<u16>,
    deviation: Vec<f64>,
    whitened: Vec<f64>,
    errors: Errors,
    /// `μᵀΣ⁻¹μ` and `1ᵀΣ⁻¹μ` of a lone body, for the paths of the last cycle; stale if a path was added since.
    square: [Vec<f64>; ENVIRONMENTS],
    slope: [Vec<f64>; ENVIRONMENTS],
    is_stale: bool,
    product: Vec<f64>,
    seen: Vec<bool>,
    others: Vec<Effect>,
}

impl Likelihood {
    pub fn new(cells: usize, paths: usize) -> Likelihood {
        let stride = cells.next_multiple_of(LANES);
        let table = || vec![0.0; stride * paths];
        let row = || vec![0.0; stride];
        let places = (2 * paths).min(128);
        Likelihood {
            floor_m: 0.0,
            paths: vec![Path::NONE; paths],
            places: Vec::with_capacity(places),
            stride,
            scatter: table(),
            shadow: [table(), table()],
            alone: [table(), table()],
            deviating: Vec::with_capacity(paths),
            deviation: Vec::with_capacity(paths),
            whitened: vec![0.0; paths],
            errors: Errors::new(places, paths),
            square: [row(), row()],
            slope: [row(), row()],
            is_stale: true,
            product: row(),
            seen: vec![false; paths],
            others: vec![Effect::default(); paths],
        }
    }

    pub fn add(&mut self, path: usize, a_m: [f64; 3], b_m: [f64; 3], room: &Room, field: &Field) -> bool {
        if path >= self.paths.len() || distance_m(a_m, b_m) < SAME_PLACE_M {
            return false;
        }
        let (Some(a), Some(b)) = (self.place(a_m), self.place(b_m)) else { return false };
        self.floor_m = room.min_m[2];
        self.is_stale = true;
        let one = Path { a_m, b_m, places: [a, b], is_set: true };
        self.paths[path] = one;
        for cell in 0..field.cells() {
            let effect = one.effect(field.centre_m(cell), self.floor_m);
            let at = path * self.stride + cell;
            self.scatter[at] = effect.scatter;
            for e in 0..ENVIRONMENTS {
                self.shadow[e][at] = effect.shadow[e];
                self.alone[e][at] = expected(e, (effect.scatter, effect.shadow[e]));
            }
        }
        true
    }

    fn place(&mut self, p: [f64; 3]) -> Option<usize> {
        if let Some(k) = self.places.iter().position(|&q| distance_m(p, q) < SAME_PLACE_M) {
            return Some(k);
        }
        if self.places.len() == self.errors.capacity() {
            return None;
        }
        self.places.push(p);
        Some(self.places.len() - 1)
    }

    /// Takes a cycle's evidence; how many paths say something.
    pub fn load(&mut self, config: &Config, evidence: &[PathEvidence]) -> usize {
        self.seen.fill(false);
        self.deviating.clear();
        self.deviation.clear();
        for item in evidence {
            let (path, y) = (usize::from(item.path), f64::from(item.deviation));
            if path < self.paths.len() && self.paths[path].is_set && !self.seen[path] && y.is_finite() {
                self.seen[path] = true;
                let at = self.deviating.partition_point(|&p| p < item.path);
                self.deviating.insert(at, item.path);
                self.deviation.insert(at, math::max_f64(DEVIATION.0, math::min_f64(y, DEVIATION.1)));
            }
        }
        let (all, places) = (&self.paths, self.places.len());
        let paths = self.deviating.iter().map(|&p| all[usize::from(p)]);
        self.is_stale |= self.errors.load(config, places, paths);
        self.deviating.len()
    }

    /// Paths with evidence this cycle.
    pub fn deviations(&self) -> usize {
        self.deviating.len()
    }

    /// Logarithm of the likelihood ratio of a body in each cell, times `weight`, if there is nobody else.
    pub fn ratios_alone(&mut self, weight: f64, out: &mut [Vec<f64>; ENVIRONMENTS]) {
        if self.is_stale {
            self.tabulate();
        }
        let (square, slope) = self.errors.whiten(&self.deviation, &mut self.whitened);
        let without = self.errors.surprise(square, slope);
        for e in 0..ENVIRONMENTS {
            self.product.fill(0.0);
            for (k, &path) in self.deviating.iter().enumerate() {
                let row = &self.alone[e][usize::from(path) * self.stride..][..self.stride];
                let y = self.whitened[k];
                for (sum, &mu) in self.product.iter_mut().zip(row) {
                    *sum += y * f64::from(mu);
                }
            }
            for (c, value) in out[e].iter_mut().enumerate() {
                let with = square - 2.0 * self.product[c] + self.square[e][c];
                *value = 0.5 * weight * (without - self.errors.surprise(with, slope - self.slope[e][c]));
            }
        }
    }

    /// `μᵀΣ⁻¹μ` and `1ᵀΣ⁻¹μ` of a lone body in each cell.
    fn tabulate(&mut self) {
        self.is_stale = false;
        for e in 0..ENVIRONMENTS {
            for from in (0..self.stride).step_by(LANES) {
                let (table, paths, stride) = (&self.alone[e], &self.deviating, self.stride);
                let (square, slope) = self.errors.forms(|k| {
                    let row = &table[usize::from(paths[k]) * stride + from..][..LANES];
                    core::array::from_fn(|lane| f64::from(row[lane]))
                });
                self.square[e][from..from + LANES].copy_from_slice(&square);
                self.slope[e][from..from + LANES].copy_from_slice(&slope);
            }
        }
    }

    /// The same given bodies at `others`. Surroundings that are not `likely` give no cell any likelihood.
    pub fn ratios_beside(
        &mut self,
        others: &[[f64; 2]],
        likely: [bool; ENVIRONMENTS],
        weight: f64,
        out: &mut [Vec<f64>; ENVIRONMENTS],
    ) {
        self.explain(others);
        let Likelihood { deviating, deviation, others, scatter, shadow, stride, errors, .. } = self;
        for e in 0..ENVIRONMENTS {
            if !likely[e] {
                out[e].fill(f64::MIN);
                continue;
            }
            let residual = |k: usize, with: (f32, f32)| deviation[k] - f64::from(expected(e, with));
            let (square, slope) = errors.forms(|k| {
                let other = &others[usize::from(deviating[k])];
                [residual(k, other.and(0.0, 0.0, e)); LANES]
            });
            let without = errors.surprise(square[0], slope[0]);
            for (block, out) in out[e].chunks_mut(LANES).enumerate() {
                let (square, slope) = errors.forms(|k| -> Lanes {
                    let path = usize::from(deviating[k]);
                    let at = path * *stride + block * LANES;
                    let (g, s) = (&scatter[at..at + LANES], &shadow[e][at..at + LANES]);
                    core::array::from_fn(|lane| residual(k, others[path].and(g[lane], s[lane], e)))
                });
                for (lane, value) in out.iter_mut().enumerate() {
                    *value = 0.5 * weight * (without - errors.surprise(square[lane], slope[lane]));
                }
            }
        }
    }

    /// What the bodies that are known do to each path.
    fn explain(&mut self, others: &[[f64; 2]]) {
        debug_assert!(others.len() <= MAX_LOCATED);
        for (path, out) in self.paths.iter().zip(&mut self.others) {
            *out = Effect::default();
            for &at in others {
                let effect = path.effect(at, self.floor_m);
                out.scatter += effect.scatter;
                for e in 0..ENVIRONMENTS {
                    out.shadow[e] = math::max_f32(out.shadow[e], effect.shadow[e]);
                }
            }
        }
    }
}
