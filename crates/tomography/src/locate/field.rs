//! The plan grid: a room and its margin in square cells, densities on it, and how they spread.

use super::Config;
use wavewitness_num::math;
use wavewitness_types::Room;

/// A Gaussian is cut at this many standard deviations.
const REACH: f64 = 4.0;
/// Cells along a side, at most.
pub(super) const MAX_SIDE: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub counts: [usize; 2],
    pub origin_m: [f64; 2],
    pub pitch_m: f64,
    is_inside: Vec<bool>,
    /// Where somebody new is.
    pub prior: Vec<f64>,
}

/// Half of a symmetric kernel.
struct Taps {
    values: [f64; MAX_SIDE],
    reach: usize,
}

impl Field {
    pub fn new(config: &Config, room: &Room) -> Field {
        let side = |k: usize| room.max_m[k] - room.min_m[k] + 2.0 * config.margin_m;
        let pitch_m = math::max_f64(side(0), side(1)) / f64::from(config.cells);
        let count = |k: usize| ((side(k) / pitch_m + 1.0 - 1e-9) as usize).clamp(1, MAX_SIDE);
        let counts = [count(0), count(1)];
        let mut field = Field {
            counts,
            // Centred: what the last cells reach beyond is shared by both ends.
            origin_m: [0, 1]
                .map(|k| 0.5 * (room.min_m[k] + room.max_m[k]) - 0.5 * counts[k] as f64 * pitch_m),
            pitch_m,
            is_inside: Vec::new(),
            prior: Vec::new(),
        };
        let mut total = 0.0;
        for cell in 0..field.cells() {
            let p = field.centre_m(cell);
            let inside = (0..2).all(|k| p[k] >= room.min_m[k] && p[k] <= room.max_m[k]);
            let weight = if inside { 1.0 } else { config.outside_weight };
            field.is_inside.push(inside);
            field.prior.push(weight);
            total += weight;
        }
        for prior in &mut field.prior {
            *prior /= total;
        }
        field
    }

    pub fn cells(&self) -> usize {
        self.counts[0] * self.counts[1]
    }

    pub fn centre_m(&self, cell: usize) -> [f64; 2] {
        let (i, j) = (cell % self.counts[0], cell / self.counts[0]);
        [
            self.origin_m[0] + (i as f64 + 0.5) * self.pitch_m,
            self.origin_m[1] + (j as f64 + 0.5) * self.pitch_m,
        ]
    }

    /// Share of a density that is in the room.
    pub fn inside(&self, density: &[f64]) -> f64 {
        let mut total = 0.0;
        for (&d, &inside) in density.iter().zip(&self.is_inside) {
            total += if inside { d } else { 0.0 };
        }
        total
    }

    /// Mean and covariance of a density given that it is in the room; about the middle if it is not.
    pub fn moments(&self, density: &[f64]) -> ([f64; 2], [[f64; 2]; 2]) {
        let middle = [0, 1].map(|k| self.origin_m[k] + 0.5 * self.counts[k] as f64 * self.pitch_m);
        let (mut mass, mut first, mut second) = (0.0, [0.0; 2], [[0.0; 2]; 2]);
        for (cell, &d) in density.iter().enumerate() {
            if !self.is_inside[cell] {
                continue;
            }
            let p = self.centre_m(cell);
            let p = [p[0] - middle[0], p[1] - middle[1]];
            mass += d;
            for r in 0..2 {
                first[r] += d * p[r];
                for c in 0..2 {
                    second[r][c] += d * p[r] * p[c];
                }
            }
        }
        if mass < 1e-12 {
            let side = self.counts[0] as f64 * self.pitch_m;
            return (middle, [[side * side, 0.0], [0.0, side * side]]);
        }
        let mean = [first[0] / mass, first[1] / mass];
        let mut spread = [[0.0; 2]; 2];
        for r in 0..2 {
            for c in 0..2 {
                spread[r][c] = second[r][c] / mass - mean[r] * mean[c];
            }
            spread[r][r] = math::max_f64(spread[r][r], 0.0);
        }
        ([middle[0] + mean[0], middle[1] + mean[1]], spread)
    }

    /// Spreads a density by a Gaussian of this variance along each axis, weighs what is outside the room by `outside`, and
    /// normalises it.
    pub fn diffuse(
        &self,
        variance_m2: f64,
        outside: f64,
        density: &[f64],
        half: &mut [f64],
        out: &mut [f64],
    ) {
        self.spread(&self.taps(variance_m2), density, half, out);
        let mut total = 0.0;
        for (p, &inside) in out.iter_mut().zip(&self.is_inside) {
            *p *= if inside { 1.0 } else { outside };
            total += *p;
        }
        for (p, &prior) in out.iter_mut().zip(&self.prior) {
            *p = if total > 0.0 { *p / total } else { prior };
        }
    }

    /// Convolves with a symmetric kernel along x, then along y; what leaves the grid is gone.
    fn spread(&self, taps: &Taps, density: &[f64], half: &mut [f64], out: &mut [f64]) {
        let [nx, ny] = self.counts;
        for (from, to) in density.chunks_exact(nx).zip(half.chunks_exact_mut(nx)) {
            scale(taps.values[0], from, to);
            for k in 1..(taps.reach + 1).min(nx) {
                add(taps.values[k], &from[k..], &mut to[..nx - k]);
                add(taps.values[k], &from[..nx - k], &mut to[k..]);
            }
        }
        scale(taps.values[0], half, out);
        for k in 1..(taps.reach + 1).min(ny) {
            let by = k * nx;
            add(taps.values[k], &half[by..], &mut out[..(ny - k) * nx]);
            add(taps.values[k], &half[..(ny - k) * nx], &mut out[by..]);
        }
    }

    /// One side of a symmetric kernel: a sampled Gaussian where it is wide, three taps of exactly the variance where it
    /// is narrower than a cell (samples of it would have less).
    fn taps(&self, variance_m2: f64) -> Taps {
        let mut taps = [0.0; MAX_SIDE];
        let variance = variance_m2 / (self.pitch_m * self.pitch_m);
        if variance < 0.6 {
            taps[0] = 1.0 - variance;
            taps[1] = 0.5 * variance;
            return Taps { values: taps, reach: 1 };
        }
        let (mut total, mut reach) = (0.0, 0);
        for (k, tap) in taps.iter_mut().enumerate() {
            let z2 = (k * k) as f64 / variance;
            if z2 > REACH * REACH {
                break;
            }
            *tap = math::exp(-0.5 * z2);
            total += if k == 0 { *tap } else { 2.0 * *tap };
            reach = k;
        }
        for tap in &mut taps {
            *tap /= total;
        }
        Taps { values: taps, reach }
    }
}

fn scale(by: f64, from: &[f64], to: &mut [f64]) {
    for (t, &f) in to.iter_mut().zip(from) {
        *t = by * f;
    }
}

fn add(by: f64, from: &[f64], to: &mut [f64]) {
    for (t, &f) in to.iter_mut().zip(from) {
        *t += by * f;
    }
}
