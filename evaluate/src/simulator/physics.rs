//! The model's channel and closed forms of physics over the same places and times, for the eye. (`fixtures/tests/physics.rs` and
//! `fixtures/tests/figures.rs` judge them.)

use core::f64::consts::{PI, TAU};
use wavewitness_fixtures::channel::{self, LIGHT_M_S, Tones};
use wavewitness_fixtures::fresnel::knife_edge;
use wavewitness_fixtures::motion::{Person, Walk};
use wavewitness_fixtures::scene::{Node, Surfaces};
use wavewitness_fixtures::{Scene, Simulation};
use wavewitness_num::{C64, complex, math};
use wavewitness_types::{NodeId, Timestamp};

const CENTRE_HZ: f64 = 2.437e9;
const WAVELENGTH_M: f64 = LIGHT_M_S / CENTRE_HZ;
/// Permittivity of the floor: concrete.
const FLOOR: f64 = 5.24;

/// Model and closed form at a place or time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Metres or seconds.
    pub at: f64,
    /// What the simulator says.
    pub model: f64,
    /// What the formula says.
    pub formula: f64,
}

/// Everything that is drawn.
pub struct Curves {
    /// Gain in dB of a link over a concrete floor by its length: direct and bounced ray.
    pub two_ray: Vec<Point>,
    /// Loss in dB behind a tall absorber of 0.25 m radius, by its distance from the middle of a 4 m link: two knife edges.
    pub shadow: Vec<Point>,
    /// Doppler shift in Hz of a walker's echo over time: minus the bistatic range rate over the wavelength.
    pub doppler: Vec<Point>,
}

fn free_space(places_m: &[[f64; 3]]) -> Scene {
    let mut scene = Scene::mesh("physics", 10);
    scene.surfaces = Surfaces::NONE;
    scene.furniture.clear();
    scene.room.max_m = [60.0, 60.0, 20.0];
    scene.nodes = (1..).zip(places_m).map(|(id, p)| Node::new(id, p[0], p[1], p[2])).collect();
    scene
}

fn channels(scene: &Scene, times_ns: impl Iterator<Item = u64>) -> Vec<Tones> {
    let simulation = Simulation::new(scene, 1);
    let at = |t_ns: u64| Timestamp(scene.start.0 + t_ns);
    times_ns.filter_map(|t| simulation.true_channel(at(t), NodeId(1), NodeId(2))).collect()
}

fn centre(h: &Tones) -> C64 {
    h[channel::entry(0)]
}

impl Curves {
    /// Computes them.
    pub fn new() -> Curves {
        Curves {
            two_ray: (0..400).map(|k| two_ray(1.5 + 0.035 * f64::from(k))).collect(),
            shadow: (0..=300).map(|k| shadow(-1.5 + 0.01 * f64::from(k))).collect(),
            doppler: doppler(),
        }
    }
}

fn db(z: C64) -> f64 {
    20.0 * math::log10(complex::abs(z))
}

fn two_ray(metres: f64) -> Point {
    let (low, high) = (1.2, 1.9);
    let mut scene = free_space(&[[5.0, 5.0, low], [5.0 + metres, 5.0, high]]);
    scene.surfaces = Surfaces { floor: FLOOR, order: 1, ..Surfaces::NONE };
    let model = channels(&scene, 0..1).first().map_or(f64::NAN, |h| db(centre(h)));
    let (direct, bounced) = (math::hypot(metres, high - low), math::hypot(metres, high + low));
    let ray = |d: f64, a: f64| complex::unit(-TAU * d / WAVELENGTH_M) * (a * WAVELENGTH_M / (4.0 * PI * d));
    // Vertical polarisation at a grazing angle whose sine is (h₁ + h₂)/d.
    let sine = (low + high) / bounced;
    let root = math::sqrt(FLOOR - (1.0 - sine * sine));
    let reflection = (FLOOR * sine - root) / (FLOOR * sine + root);
    Point { at: metres, model, formula: db(ray(direct, 1.0) + ray(bounced, reflection)) }
}

fn shadow(aside_m: f64) -> Point {
    const RADIUS_M: f64 = 0.25;
    let clear = free_space(&[[5.0, 5.0, 1.0], [9.0, 5.0, 1.0]]);
    let mut scene = clear.clone();
    let walk = Walk::from(7.0, 5.0 + aside_m);
    scene.people = vec![Person {
        radius_m: RADIUS_M,
        torso_rcs_m2: 0.0,
        limb_rcs_m2: 0.0,
        breathing_mm: 0.0,
        height_m: 60.0,
        ..Person::new(1, walk)
    }];
    let gain = |scene: &Scene| channels(scene, 0..1).first().map_or(f64::NAN, |h| db(centre(h)));
    // ITU-R P.526-15, equation (26), 2 m to either side; what passes the screen passes one edge or the other.
    let per_metre = math::sqrt(2.0 / WAVELENGTH_M * (1.0 / 2.0 + 1.0 / 2.0));
    let passed = knife_edge((RADIUS_M - aside_m) * per_metre) + knife_edge((RADIUS_M + aside_m) * per_metre);
    Point { at: aside_m, model: gain(&clear) - gain(&scene), formula: -db(passed) }
}

fn doppler() -> Vec<Point> {
    const STEP_NS: u64 = 2_000_000;
    let places = [[5.0, 5.0, 1.0], [9.0, 6.0, 1.6]];
    let clear = free_space(&places);
    let mut scene = clear.clone();
    let walk = Walk::from(4.0, 9.0).to(12.0, 7.5, 1.3);
    scene.people = vec![Person {
        radius_m: 0.0,
        torso_rcs_m2: 0.5,
        limb_rcs_m2: 0.0,
        breathing_mm: 0.0,
        ..Person::new(1, walk)
    }];
    let times: Vec<u64> = (0..60u64).map(|k| k * 100_000_000).collect();
    let still = channels(&clear, 0..1);
    let pairs = times.iter().flat_map(|&t| [t, t + STEP_NS]);
    let echoes: Vec<C64> = channels(&scene, pairs).iter().map(|h| centre(h) - centre(&still[0])).collect();
    let turned = echoes.chunks_exact(2).map(|two| complex::arg(two[0].conj() * two[1]));
    let point = |(&t_ns, turned): (&u64, f64)| {
        let body = scene.people[0].body(t_ns)?;
        let place = body.scatterers.first()?.position_m;
        let rate: f64 = places
            .iter()
            .map(|q| {
                let d = math::sqrt((0..3).map(|k| (place[k] - q[k]) * (place[k] - q[k])).sum::<f64>());
                (0..3).map(|k| body.velocity_m_s[k] * (place[k] - q[k]) / d).sum::<f64>()
            })
            .sum();
        let model = turned / (TAU * STEP_NS as f64 * 1e-9);
        Some(Point { at: t_ns as f64 * 1e-9, model, formula: -rate / WAVELENGTH_M })
    };
    times.iter().zip(turned).filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    //! Guards that what is drawn agrees; the bounds are those of the page.
    use super::*;

    #[test]
    fn curves_lie_on_their_closed_forms() {
        let curves = Curves::new();
        let worst = |points: &[Point]| {
            assert!(points.len() >= 50);
            points.iter().map(|p| (p.model - p.formula).abs()).fold(0.0, math::max_f64)
        };
        assert!(worst(&curves.two_ray) < 1e-6);
        assert!(worst(&curves.doppler) < 0.05);
        let near: Vec<Point> = curves.shadow.iter().filter(|p| p.at.abs() < 0.5).copied().collect();
        assert!(worst(&near) < 0.05, "{}", worst(&near));
        // Farther out the model's fade ends the ripple that sharp edges have.
        let far: Vec<Point> = curves.shadow.iter().filter(|p| p.at.abs() > 1.4).copied().collect();
        assert!(far.iter().all(|p| p.model.abs() < 0.3));
        // Concrete reflects little at these angles: fades of 2 dB either way about free space.
        let friis = |m: f64| 20.0 * math::log10(WAVELENGTH_M / (4.0 * PI * math::hypot(m, 0.7)));
        let over: Vec<f64> = curves.two_ray.iter().map(|p| p.model - friis(p.at)).collect();
        assert!(over.iter().any(|&x| x < -2.0) && over.iter().any(|&x| x > 2.0));
    }
}
