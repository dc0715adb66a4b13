//! What a body at a place does to a link, and the likelihood ratio of a cycle's evidence.
//!
//! **Deviation**, in ln over the quiet level: `μ = ln(1 + A g) + B 2^{−(ε/k)²}`. The first term is a single scatterer's
//! power over the direct one's, `g = d²/(d₁²d₂²)` in m⁻² (radar equation over Friis; distances from the nearest point of a
//! body, softened by its half width), the second the shadow of a body in the way, ε the excess path. Two sets of constants
//! for two kinds of surroundings; which one holds is learnt from the evidence itself. The error about μ is normal and is
//! shared in part by the links of a place (`nodes`).

use super::field::Field;
use super::nodes::Nodes;
use super::{Config, MAX_LOCATED, PathEvidence};
use wavewitness_num::math;
use wavewitness_types::Room;

/// Surroundings.
pub(super) const ENVIRONMENTS: usize = 2;

struct Environment {
    /// A: scattered over direct power, at 1 m⁻², over the quiet level.
    scatter: f64,
    /// B: the shadow's part, ln.
    shadow: f64,
    /// k: excess path at which it is half, m.
    half_m: f64,
}

/// Cluttered: the direct path is one of many, so a body anywhere near changes a link. Clear: antennas see each other.
const SURROUNDINGS: [Environment; ENVIRONMENTS] = [
    Environment { scatter: 18.0, shadow: 1.2, half_m: 0.17 },
    Environment { scatter: 2.0, shadow: 3.0, half_m: HALF_FRESNEL_M },
];
/// Excess path at which a body's hold on the direct path is half: most of λ/2 at 2.4 GHz.
const HALF_FRESNEL_M: f64 = 0.05;
/// A body's half width and more: no scatterer is closer to an antenna, m.
const SOFTENING_M: f64 = 0.4;
/// Height of a body, m.
const BODY_M: f64 = 1.8;
/// Ends closer than this are one place, m.
const SAME_PLACE_M: f64 = 0.05;
/// Deviations outside are taken as these, ln.
const DEVIATION: (f64, f64) = (-3.0, 12.0);

#[derive(Clone, Copy, Debug)]
struct Path {
    a_m: [f64; 3],
    b_m: [f64; 3],
    places: [usize; 2],
    is_set: bool,
}

/// One body's part in one link.
#[derive(Clone, Copy, Debug, Default)]
struct Effect {
    /// g, m⁻².
    scatter: f64,
    shadow: [f64; ENVIRONMENTS],
}

/// Tables of what a body in each cell does to each path, and the cycle's evidence.
#[derive(Clone, Debug)]
pub(super) struct Likelihood {
    floor_m: f64,
    paths: Vec<Path>,
    places: Vec<[f64; 3]>,
    /// By cell, then path: g; the two shadows; the two μ of a lone body.
    scatter: Vec<f32>,
    shadow: [Vec<f32>; ENVIRONMENTS],
    alone: [Vec<f32>; ENVIRONMENTS],
    /// Paths with a deviation this cycle, in order of id, and the deviations.
    deviating: Vec<u16>,
    deviation: Vec<f64>,
    nodes: Nodes,
    u: Vec<f64>,
    level: Vec<f64>,
    stiffness: f64,
    seen: Vec<bool>,
    others: Vec<Effect>,
    weight: f64,
    freedom: f64,
}

impl Likelihood {
    pub fn new(cells: usize, paths: usize) -> Likelihood {
        let zero = Path { a_m: [0.0; 3], b_m: [0.0; 3], places: [0; 2], is_set: false };
        let table = || vec![0.0; cells * paths];
        let places = (2 * paths).min(128);
        Likelihood {
            floor_m: 0.0,
            paths: vec![zero; paths],
            places: Vec::with_capacity(places),
            scatter: table(),
            shadow: [table(), table()],
            alone: [table(), table()],
            deviating: Vec::with_capacity(paths),
            deviation: Vec::with_capacity(paths),
            nodes: Nodes::new(places),
            u: vec![0.0; places],
            level: vec![0.0; places],
            stiffness: 1.0,
            seen: vec![false; paths],
            others: vec![Effect::default(); paths],
            weight: 0.0,
            freedom: 1.0,
        }
    }

    pub fn add(&mut self, path: usize, a_m: [f64; 3], b_m: [f64; 3], room: &Room, field: &Field) -> bool {
        if path >= self.paths.len() || distance_m(a_m, b_m) < SAME_PLACE_M {
            return false;
        }
        let (Some(a), Some(b)) = (self.place(a_m), self.place(b_m)) else { return false };
        self.floor_m = room.min_m[2];
        let one = Path { a_m, b_m, places: [a, b], is_set: true };
        self.paths[path] = one;
        let n = self.paths.len();
        for cell in 0..field.cells() {
            let effect = one.effect(field.centre_m(cell), self.floor_m);
            let at = cell * n + path;
            self.scatter[at] = effect.scatter as f32;
            for e in 0..ENVIRONMENTS {
                self.shadow[e][at] = effect.shadow[e] as f32;
                self.alone[e][at] = expected(e, effect.scatter, effect.shadow[e]) as f32;
            }
        }
        true
    }

    fn place(&mut self, p: [f64; 3]) -> Option<usize> {
        if let Some(k) = self.places.iter().position(|&q| distance_m(p, q) < SAME_PLACE_M) {
            return Some(k);
        }
        if self.places.len() == self.u.len() {
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
        self.freedom = config.error_freedom;
        self.weight = 1.0 / (config.model_sigma * config.model_sigma);
        let (weight, all) = (self.weight, &self.paths);
        let ends = self.deviating.iter().map(|&p| all[usize::from(p)].places);
        self.nodes.load(self.places.len(), config.place_sigma, ends.map(|[a, b]| (a, b, weight)));
        self.prepare_level(config.level_sigma);
        self.deviating.len()
    }

    /// Paths with evidence this cycle.
    pub fn deviations(&self) -> usize {
        self.deviating.len()
    }

    /// Logarithm of the likelihood ratio of a body in each cell, given bodies at `others`, times `weight`.
    pub fn ratios(
        &mut self,
        field: &Field,
        others: &[[f64; 2]],
        weight: f64,
        out: &mut [Vec<f64>; ENVIRONMENTS],
    ) {
        if weight == 0.0 {
            out.iter_mut().for_each(|o| o.fill(0.0));
            return;
        }
        self.explain(others);
        for e in 0..ENVIRONMENTS {
            let without = self.misfit(|this, k, path| {
                let Effect { scatter, shadow } = &this.others[path];
                this.deviation[k] - expected(e, *scatter, shadow[e])
            });
            let n = self.paths.len();
            for cell in 0..field.cells() {
                let base = cell * n;
                let with = if others.is_empty() {
                    self.misfit(|this, k, path| this.deviation[k] - f64::from(this.alone[e][base + path]))
                } else {
                    self.misfit(|this, k, path| {
                        let other = &this.others[path];
                        let scatter = other.scatter + f64::from(this.scatter[base + path]);
                        let shadow = math::max_f64(other.shadow[e], f64::from(this.shadow[e][base + path]));
                        this.deviation[k] - expected(e, scatter, shadow)
                    })
                };
                out[e][cell] = 0.5 * weight * (self.surprise(without) - self.surprise(with));
            }
        }
    }

    /// Twice the negative logarithm of the density of residuals with this misfit, but for a constant. That the model's
    /// error is as large as configured is itself only believed: its variance is inverse-gamma about it, which makes the
    /// residuals a multivariate Student t. A baseline that has drifted all over is a poor fit with a body or without.
    fn surprise(&self, misfit: f64) -> f64 {
        (self.deviating.len() as f64 + self.freedom)
            * math::ln(1.0 + math::max_f64(0.0, misfit) / self.freedom)
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
                    out.shadow[e] = math::max_f64(out.shadow[e], effect.shadow[e]);
                }
            }
        }
    }

    /// `rᵀΣ⁻¹r` of the residuals that `residual` gives for each path with a deviation, less what a rise of all links
    /// alike explains of it (interference, drift), which is nobody and may be there beside somebody.
    fn misfit(&mut self, residual: impl Fn(&Likelihood, usize, usize) -> f64) -> f64 {
        let mut u = core::mem::take(&mut self.u);
        let n = self.nodes.n;
        u[..n].fill(0.0);
        let (mut total, mut sum) = (0.0, 0.0);
        for (k, &path) in self.deviating.iter().enumerate() {
            let path = usize::from(path);
            let r = residual(self, k, path);
            total += r * r;
            sum += r;
            if n > 0 {
                let [a, b] = self.paths[path].places;
                u[a] += r;
                u[b] += r;
            }
        }
        for value in &mut u[..n] {
            *value *= self.weight;
        }
        total = total * self.weight - self.nodes.explained(&mut u);
        // 1ᵀΣ⁻¹r, with what `explained` left in u.
        let mut slope = sum * self.weight;
        for (a, b) in self.level[..n].iter().zip(&u) {
            slope -= a * b;
        }
        self.u = u;
        if slope > 0.0 { total - slope * slope / self.stiffness } else { total }
    }

    /// What `misfit` needs to know of a level common to all links: L⁻¹Zᵀw and 1ᵀΣ⁻¹1 + 1/τ².
    fn prepare_level(&mut self, sigma: f64) {
        let n = self.nodes.n;
        self.level.fill(0.0);
        for &path in &self.deviating {
            for place in self.paths[usize::from(path)].places {
                if n > 0 {
                    self.level[place] += self.weight;
                }
            }
        }
        let explained = self.nodes.explained(&mut self.level);
        let own = math::max_f64(0.0, self.weight * self.deviating.len() as f64 - explained);
        self.stiffness = own + 1.0 / (sigma * sigma);
    }
}

impl Path {
    /// A body is a column on the floor: the nearest point of it counts.
    fn effect(&self, at: [f64; 2], floor_m: f64) -> Effect {
        let across = |p: [f64; 3]| math::hypot(p[0] - at[0], p[1] - at[1]);
        let bound = |z: f64| math::max_f64(floor_m, math::min_f64(z, floor_m + BODY_M));
        let away = |p: [f64; 3], z: f64| math::hypot(across(p), p[2] - z);
        let d = distance_m(self.a_m, self.b_m);
        let (h1, h2) = (across(self.a_m), across(self.b_m));
        // The height at which the path over the column is shortest: where the unfolded path is straight.
        let f = if h1 + h2 > 0.0 { h1 / (h1 + h2) } else { 0.5 };
        let z = bound(self.a_m[2] + f * (self.b_m[2] - self.a_m[2]));
        let excess = math::max_f64(0.0, away(self.a_m, z) + away(self.b_m, z) - d);
        let soft = |p: [f64; 3]| math::hypot(away(p, bound(p[2])), SOFTENING_M);
        let ratio = d / (soft(self.a_m) * soft(self.b_m));
        let shadow = |e: &Environment| {
            let x = excess / e.half_m;
            if x > 8.0 { 0.0 } else { math::exp(-core::f64::consts::LN_2 * x * x) }
        };
        Effect { scatter: ratio * ratio, shadow: [shadow(&SURROUNDINGS[0]), shadow(&SURROUNDINGS[1])] }
    }
}

/// μ.
fn expected(e: usize, scatter: f64, shadow: f64) -> f64 {
    math::ln(1.0 + SURROUNDINGS[e].scatter * scatter) + SURROUNDINGS[e].shadow * shadow
}

fn distance_m(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (x, y, z) = (a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    math::sqrt(x * x + y * y + z * z)
}
