//! What somebody who walks makes of the rays beside him: fringes.
//!
//! Far from a ray a strip's Fresnel integral is what its two edges leave, `(1 + j)/2 e^{−jπt²/2}/(jπt)` each (the first term of the
//! asymptotic series: Abramowitz and Stegun 1964, 7.3.9 and 7.3.27): a power of 1/(2π²t²) of the ray's, whose phase turns by tṫ/2 a
//! second. A walker passes all rays of a room at once, and what he leaves of them is stronger below 10 Hz than his own line. Which
//! rates are to be expected depends on his place and on the direction in which he walks; the phases are not known.

use crate::feature::Steering;
use crate::fresnel::Fresnel;
use crate::rays::{Crossing, HALF_M, Walls, Way};
use crate::shade::Cells;
use crate::spectrum::{PAIRS, SPECTRA};
use core::f64::consts::{FRAC_PI_8, PI};
use wavewitness_num::math;

/// Directions of walking that are told apart, over half a turn: to and fro are alike.
const DIRECTIONS: usize = 8;
/// Rates that are told apart, Hz for each m/s: each so wide.
pub(crate) const RATES: usize = 8;
pub(crate) const RATE_HZ: f64 = 2.0;
/// Nearer to a ray than this, in units of the integral, the series fails.
const LEAST_T: f64 = 0.5;
/// First Fresnel radii beside a ray where half of the fringes, and where all of them are gone: bodies have no sharp edges.
const FADED_RADII: f64 = 2.5;
/// Way to either side that a walker's cells are averaged over: a window's.
const SMEAR_M: f64 = 0.35;

/// Powers, over the static channel's, of the fringes at a place of who walks in a direction, by their rates.
pub(crate) type Powers = [f32; RATES];

/// Mean of `a aᴴ` of the rays whose fringes are seen at a place: its diagonal, and the real parts beside it. (Either sign of a rate
/// is as probable.)
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mixture {
    pub diagonal: [f32; SPECTRA],
    pub re: [f32; PAIRS],
}

/// Fringes of a path, by cell.
#[derive(Clone, Debug)]
pub(crate) struct Fringes {
    /// By cell and direction.
    powers: Vec<Powers>,
    /// By ray and cell.
    by_ray: Vec<Vec<f32>>,
    mixtures: Vec<Mixture>,
}

/// What an edge beside a ray leaves.
#[derive(Clone, Copy)]
struct Edge {
    /// Over the ray's power.
    power: f64,
    /// How fast its phase turns for each m/s along x and y, Hz.
    gradient: [f64; 2],
}

impl Fringes {
    /// Those of rays of these shares of the static channel's power. All memory is taken here.
    pub fn new<'a>(
        rays: impl Iterator<Item = (f64, &'a Way)>,
        cells: &Cells,
        walls: &Walls,
        fresnel: &Fresnel,
    ) -> Fringes {
        let mut plain = vec![[0.0; RATES]; cells.count() * DIRECTIONS];
        let mut by_ray = Vec::new();
        let directions: [[f64; 2]; DIRECTIONS] = core::array::from_fn(along);
        for (share, way) in rays {
            let mut totals = vec![0.0; cells.count()];
            for (c, total) in totals.iter_mut().enumerate() {
                for crossing in way.crossings(cells.middle_m(c), walls) {
                    for edge in edges(&crossing, walls, fresnel) {
                        let power = (share * edge.power) as f32;
                        if power <= 0.0 {
                            continue;
                        }
                        *total += power;
                        for (d, [x, y]) in directions.iter().enumerate() {
                            let rate = (edge.gradient[0] * x + edge.gradient[1] * y).abs();
                            let k = ((rate / RATE_HZ) as usize).min(RATES - 1);
                            plain[c * DIRECTIONS + d][k] += power;
                        }
                    }
                }
            }
            by_ray.push(totals);
        }
        let powers = smeared(&plain, cells);
        Fringes { powers, by_ray, mixtures: vec![Mixture::default(); cells.count()] }
    }

    /// Takes a new baseline's steering; `excess_m` of each ray.
    pub fn adopt(&mut self, table: &[Steering], excess_m: impl Iterator<Item = f64> + Clone) {
        for (c, mixture) in self.mixtures.iter_mut().enumerate() {
            *mixture = Mixture::default();
            let mut total = 0.0;
            for powers in &self.by_ray {
                total += powers[c];
            }
            for (powers, excess_m) in self.by_ray.iter().zip(excess_m.clone()) {
                let share = powers[c] / math::max_f32(total, f32::MIN_POSITIVE);
                let Steering { diagonal, re, .. } = Steering::of(table, excess_m);
                for (sum, s) in mixture.diagonal.iter_mut().zip(diagonal) {
                    *sum += share * s;
                }
                for (sum, s) in mixture.re.iter_mut().zip(re) {
                    *sum += share * s;
                }
            }
        }
    }

    /// Of who walks in a cell.
    pub fn of(&self, cell: usize, velocity_m_s: [f64; 2]) -> (&Powers, &Mixture) {
        (&self.powers[cell * DIRECTIONS + direction(velocity_m_s)], &self.mixtures[cell])
    }
}

/// A direction's unit vector.
fn along(d: usize) -> [f64; 2] {
    let angle = FRAC_PI_8 * d as f64;
    [math::cos(angle), math::sin(angle)]
}

/// The direction nearest to a velocity's, or to its opposite.
fn direction([x, y]: [f64; 2]) -> usize {
    /// tan of 11.25°, and so on in steps of 22.5°: where a direction ends and the next one begins.
    const BORDERS: [f64; 4] =
        [0.198_912_367_379_658, 0.668_178_637_919_298_9, 1.496_605_762_665_489, 5.027_339_492_125_846];
    let steep = BORDERS.iter().filter(|&&border| y.abs() > border * x.abs()).count();
    if x * y < 0.0 { (DIRECTIONS - steep) % DIRECTIONS } else { steep }
}

/// Means over the way of a window.
fn smeared(plain: &[Powers], cells: &Cells) -> Vec<Powers> {
    let mut out = vec![[0.0; RATES]; plain.len()];
    for (n, sum) in out.iter_mut().enumerate() {
        let (c, d) = (n / DIRECTIONS, n % DIRECTIONS);
        let ([x, y], [dx, dy]) = (cells.middle_m(c), along(d));
        for way_m in [-SMEAR_M, 0.0, SMEAR_M] {
            let near = cells.of([x + way_m * dx, y + way_m * dy]);
            for (total, power) in sum.iter_mut().zip(plain[near * DIRECTIONS + d]) {
                *total += power / 3.0;
            }
        }
    }
    out
}

/// Both edges of a body beside a leg.
fn edges(c: &Crossing, walls: &Walls, fresnel: &Fresnel) -> [Edge; 2] {
    let radii = c.beside_m.abs() * math::sqrt(c.bend / walls.wavelength_m);
    let left = math::max_f64(0.0, math::min_f64(1.0, 2.0 * (1.0 - radii / FADED_RADII)));
    if left <= 0.0 {
        return [Edge { power: 0.0, gradient: [0.0; 2] }; 2];
    }
    let upright = c.upright(walls, fresnel);
    let upright = upright[0] * upright[0] + upright[1] * upright[1];
    [-HALF_M, HALF_M].map(|half_m| {
        let edge_m = c.beside_m + half_m;
        let t = math::max_f64(LEAST_T, c.scale(walls) * edge_m.abs());
        let hz = c.bend / walls.wavelength_m * edge_m;
        Edge { power: left * upright / (2.0 * PI * PI * t * t), gradient: c.normal.map(|n| hz * n) }
    })
}

#[cfg(test)]
mod tests {
    //! Guards rates against the geometry of edges, powers against the integral that they approximate, and that a direction is its
    //! own opposite.
    use super::*;
    use crate::geometry::distance_m;
    use crate::rays::{HEIGHT_M, strongest};
    use wavewitness_types::Room;

    const WAVELENGTH_M: f64 = 0.123;
    const ENDS_M: [[f64; 3]; 2] = [[0.3, 0.4, 1.0], [5.7, 0.4, 1.0]];

    fn walls() -> Walls {
        let room = Room { min_m: [0.0; 3], max_m: [6.0, 5.0, 2.6] };
        Walls { room, reflected: 0.25, wavelength_m: WAVELENGTH_M }
    }

    fn beside(body_m: [f64; 2]) -> Crossing {
        let walls = walls();
        strongest(ENDS_M, &walls, 1)[0].crossings(body_m, &walls).next().expect("beside the leg")
    }

    #[test]
    fn rates_are_those_of_paths_over_the_edges() {
        let fresnel = Fresnel::new();
        for body_m in [[3.0, 0.8], [1.9, 1.1], [4.4, 0.2]] {
            let way = |aside_m: f64| {
                let edge = [body_m[0], body_m[1] + aside_m, 1.0];
                distance_m(ENDS_M[0], edge) + distance_m(edge, ENDS_M[1])
            };
            for (edge, half_m) in edges(&beside(body_m), &walls(), &fresnel).iter().zip([-HALF_M, HALF_M]) {
                let rate = (way(half_m + 1e-4) - way(half_m - 1e-4)) / 2e-4 / WAVELENGTH_M;
                let found = edge.gradient[1];
                assert!((found - rate).abs() < 0.1 * rate.abs() + 0.05, "{body_m:?}: {found} for {rate} Hz");
                assert!(edge.gradient[0].abs() < 1e-9);
            }
        }
    }

    #[test]
    fn powers_are_those_of_the_integral() {
        let (fresnel, walls) = (Fresnel::new(), walls());
        let (mut exact, mut found) = (0.0, 0.0);
        // Beside the body's edges, where nothing has faded; over a way of more than a fringe, since two edges beat.
        for n in 0..40 {
            let c = beside([3.0, 0.4 + 0.3 + 0.005 * f64::from(n)]);
            let [across, upright] = [
                [c.beside_m - HALF_M, c.beside_m + HALF_M].map(|x| c.scale(&walls) * x),
                [-c.z_m, HEIGHT_M - c.z_m].map(|z| c.scale(&walls) * z),
            ]
            .map(|[from, to]| fresnel.strip(from, to))
            .map(|[re, im]| re * re + im * im);
            exact += across * upright;
            found += edges(&c, &walls, &fresnel).iter().map(|edge| edge.power).sum::<f64>();
        }
        assert!(found > 0.6 * exact && found < 1.6 * exact, "{found} for {exact}");
    }

    #[test]
    fn far_from_a_ray_nothing_is_left() {
        let fresnel = Fresnel::new();
        assert!(edges(&beside([3.0, 2.4]), &walls(), &fresnel).iter().all(|edge| edge.power == 0.0));
    }

    #[test]
    fn to_and_fro_are_alike() {
        for d in 0..DIRECTIONS {
            let [x, y] = along(d);
            assert_eq!(direction([x, y]), d);
            assert_eq!(direction([-x, -y]), d);
            assert_eq!(direction([3.0 * x, 3.0 * y]), d);
        }
        assert!(direction([0.0, 0.0]) < DIRECTIONS);
    }
}
