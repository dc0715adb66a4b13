//! A zone's outline on the floor: any simple polygon, and how likely somebody whose place is uncertain is inside.
//!
//! With the normal density of x and y (independent axes), Φ and φ those of the standard normal law, Green's theorem turns the
//! integral over the polygon into one along its edges, counterclockwise:
//!
//! P = ∮ Φ(u) φ(v) dv,  u = (x − μx)/σx, v = (y − μy)/σy.
//!
//! Each edge is cut into pieces of at most one sigma, and each piece integrated by Gauss and Legendre's rule of five points
//! (Abramowitz and Stegun, table 25.4), exact for polynomials up to the ninth degree. A test compares the sum with a fine
//! grid, and with the closed form of a box.

use wavewitness_num::math;
use wavewitness_types::ConfigError;

/// Most corners. Each edge costs up to 70 values of Φ a person.
pub const MAX_CORNERS: usize = 16;
/// Beyond this many sigmas nothing is left: Φ(−7) is 1.3e-12.
const REACH: f64 = 7.0;
/// Nobody is placed better than to a millimetre.
const LEAST_SIGMA_M: f64 = 1e-3;
/// Least area, m²: a place to stand.
const LEAST_AREA_M2: f64 = 0.01;
/// Points and weights on −1 to 1.
const GAUSS: [(f64, f64); 5] = [
    (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.0, 0.568_888_888_888_888_9),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.906_179_845_938_664, 0.236_926_885_056_189_1),
];

type Point = [f64; 2];

/// A simple polygon, counterclockwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline(Vec<Point>);

impl Outline {
    /// A polygon of its corners in order, either way round; the last edge leads back to the first corner.
    ///
    /// # Errors
    /// If there are too few or too many corners, the edges meet elsewhere than at corners, or there is no inside.
    pub fn new(corners: &[Point]) -> Result<Outline, ConfigError> {
        let refuse = |value: String, allowed: &str| Err(ConfigError::new("zone.outline_m", value, allowed));
        let n = corners.len();
        if !(3..=MAX_CORNERS).contains(&n) {
            return refuse(format!("{n} corners"), "3 to 16 corners");
        }
        let edge = |k: usize| (corners[k], corners[(k + 1) % n]);
        for (a, b) in (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))) {
            let next_to_each_other = b == a + 1 || (a == 0 && b == n - 1);
            let crossing = if next_to_each_other { folded(corners, a, b) } else { meet(edge(a), edge(b)) };
            if crossing {
                return refuse(
                    format!("edges {} and {}", a + 1, b + 1),
                    "edges that meet at their corners only",
                );
            }
        }
        // Twice the signed area: Gauss's shoelace formula.
        let twice: f64 = (0..n).map(edge).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
        if twice.abs() < 2.0 * LEAST_AREA_M2 {
            return refuse(format!("{:.4} m²", twice.abs() / 2.0), "at least 0.01 m²");
        }
        let mut ordered = corners.to_vec();
        if twice < 0.0 {
            ordered.reverse();
        }
        Ok(Outline(ordered))
    }

    /// Its corners, counterclockwise.
    pub fn corners(&self) -> &[[f64; 2]] {
        &self.0
    }

    /// Probability that a place with this mean and sigma, m, is inside.
    pub fn holds(&self, mean_m: [f64; 2], sigma_m: [f64; 2]) -> f64 {
        let standard = |corner: &Point| {
            [0, 1].map(|k| {
                let sigma = if sigma_m[k] > LEAST_SIGMA_M { sigma_m[k] } else { LEAST_SIGMA_M };
                (corner[k] - mean_m[k]) / sigma
            })
        };
        let mut sum = 0.0;
        for (k, corner) in self.0.iter().enumerate() {
            sum += along(standard(corner), standard(&self.0[(k + 1) % self.0.len()]));
        }
        sum.clamp(0.0, 1.0)
    }
}

/// Whether two edges one after the other lie on top of each other.
fn folded(corners: &[Point], a: usize, b: usize) -> bool {
    let n = corners.len();
    // The corner that they share, and its two neighbours.
    let middle = if b == a + 1 { b } else { a };
    let [before, at, after] = [(middle + n - 1) % n, middle, (middle + 1) % n].map(|k| corners[k]);
    let [p, q] = [before, after].map(|c| [c[0] - at[0], c[1] - at[1]]);
    let none = |v: Point| v == [0.0, 0.0];
    none(p) || none(q) || (p[0] * q[1] == p[1] * q[0] && p[0] * q[0] + p[1] * q[1] > 0.0)
}

/// On which side of the line from a to b a point is.
fn side((a, b): (Point, Point), p: Point) -> f64 {
    (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])
}

/// Whether two edges have a point in common.
fn meet(one: (Point, Point), other: (Point, Point)) -> bool {
    let [a, b] = [side(one, other.0), side(one, other.1)];
    let [c, d] = [side(other, one.0), side(other, one.1)];
    if a == 0.0 && b == 0.0 {
        // On one line: do their extents overlap on both axes?
        return (0..2).all(|k| {
            let sorted = |(p, q): (Point, Point)| if p[k] < q[k] { (p[k], q[k]) } else { (q[k], p[k]) };
            let ((low, high), (least, most)) = (sorted(one), sorted(other));
            low <= most && least <= high
        });
    }
    a * b <= 0.0 && c * d <= 0.0
}

/// Φ.
fn below(x: f64) -> f64 {
    0.5 * math::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// φ.
fn density(x: f64) -> f64 {
    const OF_ZERO: f64 = 0.398_942_280_401_432_7;
    OF_ZERO * math::exp(-0.5 * x * x)
}

/// ∫ Φ(u) φ(v) dv along an edge.
fn along(a: Point, b: Point) -> f64 {
    let delta = [b[0] - a[0], b[1] - a[1]];
    if delta[1] == 0.0 {
        return 0.0;
    }
    // Cuts where nothing is left, so that only what is near is computed point by point.
    let mut cuts = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    for (k, cut) in cuts[2..].iter_mut().enumerate() {
        let (axis, level) = (k / 2, if k % 2 == 0 { -REACH } else { REACH });
        // An axis along which nothing changes has no cut.
        let t = if delta[axis] == 0.0 { 0.0 } else { (level - a[axis]) / delta[axis] };
        *cut = t.clamp(0.0, 1.0);
    }
    cuts.sort_unstable_by(f64::total_cmp);
    let at = |t: f64| [a[0] + t * delta[0], a[1] + t * delta[1]];
    let mut sum = 0.0;
    for pair in cuts.windows(2) {
        let (from, to) = (at(pair[0]), at(pair[1]));
        let [u, v] = at(0.5 * (pair[0] + pair[1]));
        if v.abs() <= REACH && u > REACH {
            sum += below(to[1]) - below(from[1]);
        } else if v.abs() <= REACH && u >= -REACH {
            sum += near(from, to);
        }
    }
    sum
}

/// The same where both are near.
fn near(a: Point, b: Point) -> f64 {
    let delta = [b[0] - a[0], b[1] - a[1]];
    let longest = if delta[0].abs() > delta[1].abs() { delta[0].abs() } else { delta[1].abs() };
    let pieces = longest.ceil().clamp(1.0, 2.0 * REACH) as u32;
    let half = 0.5 / f64::from(pieces);
    let mut sum = 0.0;
    for piece in 0..pieces {
        let middle = (f64::from(piece) + 0.5) / f64::from(pieces);
        for (x, weight) in GAUSS {
            let t = middle + half * x;
            sum += weight * below(a[0] + t * delta[0]) * density(a[1] + t * delta[1]);
        }
    }
    sum * half * delta[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(corners: &[Point]) -> Outline {
        Outline::new(corners).unwrap()
    }

    /// A room with a niche.
    const L: [Point; 6] = [[0.0, 0.0], [4.0, 0.0], [4.0, 1.5], [2.0, 1.5], [2.0, 3.0], [0.0, 3.0]];

    #[test]
    fn a_rectangle_is_what_the_closed_form_says() {
        let (mean, sigma) = ([1.7, 0.2], [0.3, 0.6]);
        let [x, y] = [(0, [0.5, 2.0]), (1, [-0.4, 1.1])]
            .map(|(k, [low, high])| below((high - mean[k]) / sigma[k]) - below((low - mean[k]) / sigma[k]));
        let rectangle = outline(&[[0.5, -0.4], [2.0, -0.4], [2.0, 1.1], [0.5, 1.1]]);
        assert!((rectangle.holds(mean, sigma) - x * y).abs() < 1e-12);
        // The other way round it is the same zone.
        let reversed = outline(&[[0.5, -0.4], [0.5, 1.1], [2.0, 1.1], [2.0, -0.4]]);
        assert!((rectangle.holds(mean, sigma) - reversed.holds(mean, sigma)).abs() < 1e-15);
    }

    /// Sum of the density over a fine grid of cells whose middle is inside.
    fn grid(outline: &Outline, mean: Point, sigma: Point) -> f64 {
        let n = 1200;
        let inside = |p: Point| {
            let mut odd = false;
            for (k, a) in outline.0.iter().enumerate() {
                let b = outline.0[(k + 1) % outline.0.len()];
                if (a[1] > p[1]) != (b[1] > p[1]) {
                    odd ^= p[0] < a[0] + (p[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
                }
            }
            odd
        };
        let step = 12.0 / f64::from(n);
        let mut sum = 0.0;
        for k in 0..n * n {
            let [u, v] = [k % n, k / n].map(|k| -6.0 + (f64::from(k) + 0.5) * step);
            if inside([mean[0] + u * sigma[0], mean[1] + v * sigma[1]]) {
                sum += density(u) * density(v) * step * step;
            }
        }
        sum
    }

    #[test]
    fn any_shape_holds_what_a_fine_grid_finds() {
        let triangle = [[0.0, 0.0], [3.0, 0.5], [1.0, 2.5]];
        let star =
            [[0.0, 0.0], [1.5, 0.6], [3.0, 0.0], [2.2, 1.4], [3.0, 3.0], [1.5, 2.0], [0.0, 3.0], [0.7, 1.5]];
        for corners in [&L[..], &triangle, &star] {
            let outline = outline(corners);
            for (mean, sigma) in [
                ([1.0, 1.0], [0.3, 0.3]),
                ([2.1, 1.6], [0.2, 1.1]),
                ([3.5, 2.0], [1.5, 0.1]),
                ([-1.0, 4.0], [2.0, 2.0]),
            ] {
                let (got, expected) = (outline.holds(mean, sigma), grid(&outline, mean, sigma));
                assert!(
                    (got - expected).abs() < 2e-3,
                    "{corners:?} {mean:?} {sigma:?}: {got} and {expected}"
                );
            }
        }
    }

    #[test]
    fn parts_of_a_zone_make_the_zone() {
        // The L cut along a slanted line; the sum must not depend on where it is cut.
        let left = outline(&[[0.0, 0.0], [1.2, 0.0], [0.7, 3.0], [0.0, 3.0]]);
        let right = outline(&[[1.2, 0.0], [4.0, 0.0], [4.0, 1.5], [2.0, 1.5], [2.0, 3.0], [0.7, 3.0]]);
        for sigma in [0.05, 0.4, 3.0] {
            let of = |o: &Outline| o.holds([1.1, 1.2], [sigma, 1.3 * sigma]);
            let whole = of(&outline(&L));
            assert!((of(&left) + of(&right) - whole).abs() < 1e-9, "{sigma}: {whole}");
        }
    }

    #[test]
    fn who_is_placed_exactly_is_inside_or_not() {
        let l = outline(&L);
        let exactly = |place: Point| l.holds(place, [0.0, 0.0]);
        assert!(exactly([1.0, 2.0]) > 1.0 - 1e-9 && exactly([3.0, 1.0]) > 1.0 - 1e-9);
        assert!(exactly([3.0, 2.0]) < 1e-9 && exactly([-3.0, 2.0]) < 1e-9);
        assert!((exactly([2.0, 2.5]) - 0.5).abs() < 1e-9, "on the edge");
    }

    #[test]
    fn what_is_no_outline_is_refused() {
        let refused = |corners: &[Point]| Outline::new(corners).unwrap_err().to_string();
        assert!(refused(&[[0.0, 0.0], [1.0, 0.0]]).contains("2 corners: allowed is 3 to 16"));
        assert!(refused(&[[0.0, 0.0]; 17]).contains("17 corners"));
        let hourglass = [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
        assert!(refused(&hourglass).contains("edges 1 and 3"), "{}", refused(&hourglass));
        let same = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        let spike = [[0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 1.0]];
        let touching = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [1.0, 0.0], [0.0, 2.0]];
        let closed = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 0.0]];
        for corners in [&same[..], &spike, &touching, &closed] {
            assert!(refused(corners).contains("edges that meet at their corners only"), "{corners:?}");
        }
        assert!(refused(&[[0.0, 0.0], [0.1, 0.0], [0.0, 0.1]]).contains("0.0050 m²: allowed is at least"));
        // A corner on a straight edge is allowed.
        assert_eq!(outline(&[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 2.0]]).corners().len(), 4);
    }
}
