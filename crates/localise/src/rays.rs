//! The rays of an empty box between two antennas, and what a body takes of each.
//!
//! Rays are the direct one and its reflections (image sources: Allen and Berkley 1979), the strongest of those of up to four. A body is
//! an upright strip of absorber: what a ray loses in it is the Fresnel integral over the strip (Babinet; ITU-R P.526, section 4).

use crate::fresnel::Fresnel;
use crate::geometry::distance_m;
use wavewitness_num::math;
use wavewitness_types::Room;

/// Reflections of a ray at most.
const MOST_REFLECTIONS: usize = 4;
/// Rays of up to so many reflections in a box: one for each image, of which there are 4n² + 2 of n reflections.
pub(crate) const MOST_RAYS: usize = 1 + 6 + 18 + 38 + 66;
/// Share of the power of a wall's reflection that floor and ceiling reflect: their angles are steeper, and antennas upright.
const LEVEL_SHARE: f64 = 0.4;
/// Half the width of a body as an absorber, m, and its height.
pub(crate) const HALF_M: f64 = 0.15;
pub(crate) const HEIGHT_M: f64 = 1.5;
/// Nobody is in the way of the first and last part of a leg.
const END_SHARE: f64 = 0.02;
/// Nor closer to an antenna, m.
const LEAST_M: f64 = 0.2;

/// What of the room a path's rays depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walls {
    pub room: Room,
    /// Power that is reflected.
    pub reflected: f64,
    pub wavelength_m: f64,
}

/// The way of a ray.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    legs: Vec<Leg>,
    pub length_m: f64,
    /// Over the direct ray's.
    pub power: f64,
}

/// A straight part of a way, as seen from above.
#[derive(Clone, Copy, Debug)]
struct Leg {
    from_m: [f64; 3],
    /// Its direction in the plan, its length there, and how much it rises for each metre of that.
    along: [f64; 2],
    plan_m: f64,
    rise: f64,
    /// Its length, and the way's before it.
    length_m: f64,
    before_m: f64,
}

impl Leg {
    fn new(from_m: [f64; 3], to_m: [f64; 3], before_m: f64) -> Leg {
        let [x, y, z] = [0, 1, 2].map(|k| to_m[k] - from_m[k]);
        let plan_m = math::max_f64(math::sqrt(x * x + y * y), 1e-6);
        let (along, rise) = ([x / plan_m, y / plan_m], z / plan_m);
        Leg { from_m, along, plan_m, rise, length_m: distance_m(from_m, to_m), before_m }
    }
}

/// So many of the strongest ways from one antenna to another: the direct one, then the others by their power.
pub(crate) fn strongest(ends_m: [[f64; 3]; 2], walls: &Walls, most: usize) -> Vec<Way> {
    let direct_m = math::max_f64(distance_m(ends_m[0], ends_m[1]), LEAST_M);
    let mut out = Vec::new();
    reflect(ends_m, &walls.room, &mut Vec::new(), &mut |corners| {
        let mut length_m = 0.0;
        let legs: Vec<Leg> = corners
            .windows(2)
            .map(|ends| {
                let leg = Leg::new(ends[0], ends[1], length_m);
                length_m += leg.length_m;
                leg
            })
            .collect();
        let mut power = (direct_m / length_m) * (direct_m / length_m);
        for corner in &corners[1..corners.len() - 1] {
            power *= walls.reflected * if is_level(corner, &walls.room) { LEVEL_SHARE } else { 1.0 };
        }
        out.push(Way { legs, length_m, power });
    });
    // The direct one is found first, and stays there.
    out[1..].sort_by(|a, b| b.power.total_cmp(&a.power));
    out.truncate(most.max(1));
    out
}

/// A plane: its axis, and where it is.
type Surface = (usize, f64);

/// Finds every way that is reflected at these surfaces, one after the other, and at up to so many more.
fn reflect(
    ends_m: [[f64; 3]; 2],
    room: &Room,
    surfaces: &mut Vec<Surface>,
    found: &mut impl FnMut(Vec<[f64; 3]>),
) {
    if let Some(corners) = corners(ends_m, surfaces, room) {
        found(corners);
    }
    if surfaces.len() == MOST_REFLECTIONS {
        return;
    }
    for axis in 0..3 {
        for next in [(axis, room.min_m[axis]), (axis, room.max_m[axis])] {
            if surfaces.last() != Some(&next) {
                surfaces.push(next);
                reflect(ends_m, room, surfaces, found);
                surfaces.pop();
            }
        }
    }
}

/// Corners of the way that is reflected at these surfaces, its ends included, if there is one in the room.
fn corners([from, to]: [[f64; 3]; 2], surfaces: &[Surface], room: &Room) -> Option<Vec<[f64; 3]>> {
    let mut images = vec![from];
    for &(axis, at_m) in surfaces {
        let mut image = images[images.len() - 1];
        image[axis] = 2.0 * at_m - image[axis];
        images.push(image);
    }
    let mut corners = vec![to];
    for (&surface, &image) in surfaces.iter().zip(&images[1..]).rev() {
        corners.push(crossing(image, corners[corners.len() - 1], surface, room)?);
    }
    corners.push(from);
    corners.reverse();
    Some(corners)
}

/// Where the line from an image to a point goes through a surface, if inside the room.
fn crossing(image: [f64; 3], to: [f64; 3], (axis, at_m): Surface, room: &Room) -> Option<[f64; 3]> {
    let way = to[axis] - image[axis];
    let share = (at_m - image[axis]) / way;
    if way.abs() < 1e-9 || share <= 0.0 || share >= 1.0 {
        return None;
    }
    let mut hit = [0.0; 3];
    for k in 0..3 {
        hit[k] = image[k] + share * (to[k] - image[k]);
    }
    hit[axis] = at_m;
    let inside = (0..3).all(|k| hit[k] > room.min_m[k] - 1e-6 && hit[k] < room.max_m[k] + 1e-6);
    inside.then_some(hit)
}

/// Whether a corner is on the floor or the ceiling.
fn is_level(corner: &[f64; 3], room: &Room) -> bool {
    corner[2] == room.min_m[2] || corner[2] == room.max_m[2]
}

/// A body beside a leg of a ray.
pub(crate) struct Crossing {
    /// Sum of the inverse distances along the ray to its ends, 1/m.
    pub bend: f64,
    /// How far the body is beside the leg in the plan, to its left, and which way that is.
    pub beside_m: f64,
    pub normal: [f64; 2],
    /// Height of the leg there, above the floor.
    pub z_m: f64,
}

impl Crossing {
    /// Arguments of the Fresnel integral for each metre aside.
    pub fn scale(&self, walls: &Walls) -> f64 {
        math::sqrt(2.0 * self.bend / walls.wavelength_m)
    }

    /// Share of the field that comes by at the body's heights.
    pub fn upright(&self, walls: &Walls, fresnel: &Fresnel) -> [f64; 2] {
        let scale = self.scale(walls);
        fresnel.strip(-scale * self.z_m, scale * (HEIGHT_M - self.z_m))
    }

    /// Share of the ray's field that the body takes.
    fn taken(&self, walls: &Walls, fresnel: &Fresnel) -> [f64; 2] {
        let scale = self.scale(walls);
        let across = fresnel.strip(scale * (self.beside_m - HALF_M), scale * (self.beside_m + HALF_M));
        product(across, self.upright(walls, fresnel))
    }
}

fn product(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

impl Way {
    /// Where a body is beside the legs of the ray.
    pub fn crossings(&self, body_m: [f64; 2], walls: &Walls) -> impl Iterator<Item = Crossing> {
        let (length_m, floor_m) = (self.length_m, walls.room.min_m[2]);
        self.legs.iter().filter_map(move |leg| {
            let [x, y] = [0, 1].map(|k| body_m[k] - leg.from_m[k]);
            let plan_m = x * leg.along[0] + y * leg.along[1];
            let end_m = END_SHARE * leg.plan_m;
            (plan_m > end_m && plan_m < leg.plan_m - end_m).then(|| {
                let along_m = leg.before_m + plan_m / leg.plan_m * leg.length_m;
                Crossing {
                    bend: 1.0 / math::max_f64(along_m, LEAST_M)
                        + 1.0 / math::max_f64(length_m - along_m, LEAST_M),
                    beside_m: y * leg.along[0] - x * leg.along[1],
                    normal: [-leg.along[1], leg.along[0]],
                    z_m: leg.from_m[2] + plan_m * leg.rise - floor_m,
                }
            })
        })
    }

    /// Share of the ray's field that is lost in a body: real and imaginary part.
    pub fn lost(&self, body_m: [f64; 2], walls: &Walls, fresnel: &Fresnel) -> [f32; 2] {
        let mut passed = [1.0, 0.0];
        for c in self.crossings(body_m, walls) {
            let [re, im] = c.taken(walls, fresnel);
            passed = product(passed, [1.0 - re, -im]);
        }
        [(1.0 - passed[0]) as f32, -passed[1] as f32]
    }
}

#[cfg(test)]
mod tests {
    //! Guards the rays against their images, and losses against the geometry of shadows.
    use super::*;

    const ROOM: Room = Room { min_m: [0.0; 3], max_m: [6.0, 5.0, 2.6] };
    const ENDS_M: [[f64; 3]; 2] = [[0.3, 0.4, 0.9], [5.7, 0.4, 1.1]];

    fn walls() -> Walls {
        Walls { room: ROOM, reflected: 0.25, wavelength_m: 0.123 }
    }

    /// A ray without reflections.
    fn direct(ends_m: [[f64; 3]; 2]) -> Way {
        strongest(ends_m, &walls(), 1).remove(0)
    }

    #[test]
    fn there_is_a_ray_for_each_image_and_it_is_as_long_as_that_is_far() {
        let rays = strongest(ENDS_M, &walls(), MOST_RAYS);
        // Images of a point in one dimension by n reflections: two, one to either side.
        let along = |axis: usize, n: i32| {
            let (size, at) = (ROOM.max_m[axis], ENDS_M[0][axis]);
            let shift = |m: i32| {
                if m.rem_euclid(2) == 0 { f64::from(m) * size + at } else { f64::from(m + 1) * size - at }
            };
            if n == 0 { vec![at] } else { vec![shift(n), shift(-n)] }
        };
        let mut count = 0;
        for (nx, ny, nz) in (0..125).map(|n| (n % 5, n / 5 % 5, n / 25)) {
            let reflections = nx + ny + nz;
            if reflections > 4 {
                continue;
            }
            for x in along(0, nx) {
                for y in along(1, ny) {
                    for z in along(2, nz) {
                        let far_m = distance_m([x, y, z], ENDS_M[1]);
                        let same = |ray: &&Way| {
                            ray.legs.len() == reflections as usize + 1 && (ray.length_m - far_m).abs() < 1e-9
                        };
                        assert!(rays.iter().any(|ray| same(&ray)), "{x}, {y}, {z}");
                        count += 1;
                    }
                }
            }
        }
        assert_eq!((rays.len(), count), (MOST_RAYS, MOST_RAYS));
        for ray in &rays {
            assert!(
                ray.legs.iter().all(|leg| {
                    (0..3).all(|k| leg.from_m[k] > -1e-9 && leg.from_m[k] < ROOM.max_m[k] + 1e-9)
                }),
                "{ray:?}"
            );
        }
    }

    #[test]
    fn the_strongest_are_taken_and_the_direct_one_is_first() {
        let all = strongest(ENDS_M, &walls(), MOST_RAYS);
        let few = strongest(ENDS_M, &walls(), 20);
        assert_eq!((all[0].legs.len(), all[0].power), (1, 1.0));
        assert!(all.windows(2).all(|pair| pair[0].power >= pair[1].power));
        assert!(few.iter().zip(&all).all(|(a, b)| a.length_m == b.length_m));
        assert_eq!((few.len(), strongest(ENDS_M, &walls(), 0).len()), (20, 1));
    }

    #[test]
    fn a_body_takes_most_where_it_stands_in_the_way() {
        let fresnel = Fresnel::new();
        let ray = direct(ENDS_M);
        let squared = |[re, im]: [f32; 2]| re * re + im * im;
        let power = |y_m: f64| squared(ray.lost([3.0, y_m], &walls(), &fresnel));
        let (on, left, right, far) = (power(0.4), power(0.1), power(0.7), power(3.0));
        assert!((left - right).abs() < 1e-6 * on, "{left}, {right}");
        assert!(on > 0.2 && left < 0.5 * on && far < 0.02 * on, "{on}, {left}, {far}");
        // Beyond an antenna nobody is in the way.
        assert_eq!(ray.lost([5.9, 0.4], &walls(), &fresnel), [0.0, 0.0]);
        // A low body leaves a ray over it alone.
        let high = direct([[0.3, 0.4, 2.5], [5.7, 0.4, 2.5]]);
        assert!(squared(high.lost([3.0, 0.4], &walls(), &fresnel)) < 0.1 * on);
    }
}
