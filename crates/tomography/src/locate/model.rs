//! What a body at a place does to a link.
//!
//! **Deviation**, in ln over the quiet level: `μ = ln(1 + A g) + B 2^{−(ε/k)²}`. The first term is a single scatterer's
//! power over the direct one's, `g = d²/(d₁²d₂²)` in m⁻² (radar equation over Friis; distances from the nearest point of a
//! body, softened by its half width), the second the shadow of a body in the way, ε the excess path. Two sets of constants
//! for two kinds of surroundings; which one holds is learnt from the evidence itself.

use wavewitness_num::math;

/// Surroundings.
pub(super) const ENVIRONMENTS: usize = 2;

struct Environment {
    /// A: scattered over direct power, at 1 m⁻², over the quiet level.
    scatter: f32,
    /// B: the shadow's part, ln.
    shadow: f32,
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

#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub a_m: [f64; 3],
    pub b_m: [f64; 3],
    /// Numbers of the places at its ends.
    pub places: [usize; 2],
    pub is_set: bool,
}

/// What bodies do to one link.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effect {
    /// g, m⁻².
    pub scatter: f32,
    pub shadow: [f32; ENVIRONMENTS],
}

impl Path {
    pub const NONE: Path = Path { a_m: [0.0; 3], b_m: [0.0; 3], places: [0; 2], is_set: false };

    /// A body is a column on the floor: the nearest point of it counts.
    pub fn effect(&self, at: [f64; 2], floor_m: f64) -> Effect {
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
            if x > 8.0 { 0.0 } else { math::exp(-core::f64::consts::LN_2 * x * x) as f32 }
        };
        Effect {
            scatter: (ratio * ratio) as f32,
            shadow: [shadow(&SURROUNDINGS[0]), shadow(&SURROUNDINGS[1])],
        }
    }
}

impl Effect {
    /// Both bodies: powers add, and the deeper shadow is the shadow.
    #[inline]
    pub fn and(self, scatter: f32, shadow: f32, e: usize) -> (f32, f32) {
        (self.scatter + scatter, math::max_f32(self.shadow[e], shadow))
    }
}

/// μ.
#[inline]
pub(super) fn expected(e: usize, (scatter, shadow): (f32, f32)) -> f32 {
    math::ln_f32(1.0 + SURROUNDINGS[e].scatter * scatter) + SURROUNDINGS[e].shadow * shadow
}

pub(super) fn distance_m(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (x, y, z) = (a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    math::sqrt(x * x + y * y + z * z)
}
