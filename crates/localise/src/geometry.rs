//! Antennas, their images in the walls, and how fast a path over a moving point grows.

use wavewitness_num::math;
use wavewitness_types::Room;

/// Upright walls.
pub(crate) const WALLS: usize = 4;
/// No body comes closer to an antenna, m.
const LEAST_M: f64 = 0.25;

/// An antenna and its four images (image sources: Allen and Berkley 1979).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Antenna {
    pub at_m: [f64; 3],
    pub images_m: [[f64; 3]; WALLS],
}

/// Legs from an antenna and from its images.
pub(crate) const LEGS: usize = 1 + WALLS;

/// Distances of a moving body from an antenna (the first) and from its images, and how fast they grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Legs {
    pub length_m: [f64; LEGS],
    pub rate_m_s: [f64; LEGS],
    /// How fast the rates grow while the velocity stays as it is, m/s².
    pub growth_m_s2: [f64; LEGS],
}

/// How fast the distance of a moving body from a point grows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg {
    pub rate_m_s: f64,
}

impl Antenna {
    pub fn new(at_m: [f64; 3], room: &Room) -> Antenna {
        let mut images_m = [at_m; WALLS];
        for axis in 0..2 {
            images_m[2 * axis][axis] = 2.0 * room.min_m[axis] - at_m[axis];
            images_m[2 * axis + 1][axis] = 2.0 * room.max_m[axis] - at_m[axis];
        }
        Antenna { at_m, images_m }
    }

    /// [`leg`] of the antenna and of each image, side by side.
    pub fn legs(&self, body_m: &[f64; 3], velocity_m_s: [f64; 2]) -> Legs {
        let (mut x, mut y, mut z) = ([0.0; LEGS], [0.0; LEGS], [0.0; LEGS]);
        for (k, from_m) in [&self.at_m].into_iter().chain(&self.images_m).enumerate() {
            (x[k], y[k], z[k]) = (body_m[0] - from_m[0], body_m[1] - from_m[1], body_m[2] - from_m[2]);
        }
        let speed2 = velocity_m_s[0] * velocity_m_s[0] + velocity_m_s[1] * velocity_m_s[1];
        let mut out = Legs { length_m: [0.0; LEGS], rate_m_s: [0.0; LEGS], growth_m_s2: [0.0; LEGS] };
        for k in 0..LEGS {
            out.length_m[k] = math::max_f64(math::sqrt(x[k] * x[k] + y[k] * y[k] + z[k] * z[k]), LEAST_M);
            out.rate_m_s[k] = (x[k] * velocity_m_s[0] + y[k] * velocity_m_s[1]) / out.length_m[k];
            out.growth_m_s2[k] = (speed2 - out.rate_m_s[k] * out.rate_m_s[k]) / out.length_m[k];
        }
        out
    }
}

pub(crate) fn distance_m(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (x, y, z) = (a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    math::sqrt(x * x + y * y + z * z)
}

pub(crate) fn leg(from_m: &[f64; 3], body_m: &[f64; 3], velocity_m_s: [f64; 2]) -> Leg {
    let (x, y, z) = (body_m[0] - from_m[0], body_m[1] - from_m[1], body_m[2] - from_m[2]);
    let length_m = math::max_f64(math::sqrt(x * x + y * y + z * z), LEAST_M);
    Leg { rate_m_s: (x * velocity_m_s[0] + y * velocity_m_s[1]) / length_m }
}
