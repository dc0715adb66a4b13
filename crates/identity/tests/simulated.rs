//! SIMULATED: how well bodies of different size are told apart by cross-section and shadow in the room simulator, from
//! the true channel with a receiver's noise and a tracker's position error. Nothing here is a recording of a person.
//!
//! `cargo test -p wavewitness-identity --release --test simulated -- --ignored --nocapture`

mod common;

use common::{Rng, part_scores, scores};
use std::f64::consts::PI;
use wavewitness_fixtures::motion::{Person, Walk};
use wavewitness_fixtures::{Scene, Simulation};
use wavewitness_identity::{CALIBRATION, Embedding, Observation, Part, Reading, Signature};
use wavewitness_num::{complex, math};
use wavewitness_types::NodeId;

const WAVELENGTH_M: f64 = 0.123;
const CYCLE_NS: u64 = 50_000_000;
/// Noise of a tone over its power: −30 dB.
const NOISE: f64 = 1e-3;
/// Standard deviation of a position's error along each axis; a new one every three seconds.
const POSITION_M: f64 = 0.2;
/// Standard deviation in dB of one exponentially distributed power.
const FADING_DB: f64 = 5.57;

#[derive(Clone, Copy)]
struct Build {
    height_m: f64,
    radius_m: f64,
}

impl Build {
    /// Statures as of 101 adults, 1.706 ± 0.089 m; widths in proportion and 8 % about it; cross-section as the area seen.
    fn draw(rng: &mut Rng) -> Build {
        let height_m = 1.706 + 0.089 * rng.gauss();
        Build { height_m, radius_m: 0.25 * height_m / 1.75 * (1.0 + 0.08 * rng.gauss()) }
    }

    fn person(&self, walk: Walk) -> Person {
        let area = self.height_m * self.radius_m / (1.75 * 0.25);
        Person {
            height_m: self.height_m,
            radius_m: self.radius_m,
            torso_rcs_m2: 0.5 * area,
            limb_rcs_m2: 0.08 * area,
            ..Person::new(1, walk)
        }
    }
}

fn wander(rng: &mut Rng, seconds: f64) -> Walk {
    let mut point = || (0.7 + 4.6 * rng.uniform(), 0.7 + 3.6 * rng.uniform());
    let (x, y) = point();
    let mut walk = Walk::from(x, y);
    while (walk.duration_ns() as f64) < seconds * 1e9 {
        let (x, y) = point();
        walk = walk.to(x, y, 1.0);
    }
    walk
}

/// Mean power over tones, and of the change against the empty room.
fn powers(sim: &Simulation, empty: &Simulation, at: u64, tx: u8, rx: u8, rng: &mut Rng) -> (f64, f64, f64) {
    let at = sim.scene().start.plus_nanos(at);
    let get = |s: &Simulation| s.true_channel(at, NodeId(tx), NodeId(rx)).expect("the nodes are there");
    let (h, h0) = (get(sim), get(empty));
    let p0 = h0.iter().map(|&z| complex::abs2(z)).sum::<f64>();
    let sigma = math::sqrt(0.5 * NOISE * p0 / h.len() as f64);
    let (mut p, mut change) = (0.0, 0.0);
    for (z, z0) in h.iter().zip(&h0) {
        let mut z = *z;
        z.re += sigma * rng.gauss();
        z.im += sigma * rng.gauss();
        p += complex::abs2(z);
        change += complex::abs2(z - z0);
    }
    (p, p0, math::max_f64(change - NOISE * p0, 0.0))
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    math::sqrt((0..3).map(|k| (a[k] - b[k]) * (a[k] - b[k])).sum())
}

/// Where along the link (0 to 1) and how far off it in plan (signed) a position is.
fn across(a: [f64; 3], b: [f64; 3], p: [f64; 3]) -> (f64, f64) {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = math::sqrt(dx * dx + dy * dy);
    let (x, y) = (p[0] - a[0], p[1] - a[1]);
    ((x * dx + y * dy) / (length * length), (x * dy - y * dx) / length)
}

#[derive(Default)]
struct Crossing {
    depth_db: f64,
    reference_db: f64,
    area: f64,
    before: Option<f64>,
}

/// One visit: what an engine with a tracker of the stated error would have measured.
fn visit(build: Build, seconds: f64, rng: &mut Rng) -> Embedding {
    let walk = wander(rng, seconds);
    let scene_with = |people: Vec<Person>| {
        let mut scene = Scene::mesh("identity", seconds as u64 + 1);
        scene.people = people;
        scene
    };
    let nodes: Vec<(u8, [f64; 3])> =
        scene_with(Vec::new()).nodes.iter().map(|n| (n.id.0, n.position_m)).collect();
    let sim = Simulation::new(&scene_with(vec![build.person(walk.clone())]), 1);
    let reference = Simulation::new(&scene_with(vec![Person::new(1, walk)]), 1);
    let empty = Simulation::new(&scene_with(Vec::new()), 1);
    let links: Vec<(usize, usize)> = (0..4).flat_map(|a| (a + 1..4).map(move |b| (a, b))).collect();
    let mut crossings: Vec<Option<Crossing>> = links.iter().map(|_| None).collect();
    let mut signature = Signature::new();
    let mut error = [0.0; 3];
    for cycle in 0..(seconds * 20.0) as u64 {
        let t = cycle * CYCLE_NS;
        let at = sim.scene().start.plus_nanos(t);
        if cycle % 60 == 0 {
            error = [POSITION_M * rng.gauss(), POSITION_M * rng.gauss(), 0.0];
        }
        let mut position = sim.truth(at)[0].position_m;
        (0..3).for_each(|k| position[k] += error[k]);
        position[2] = 0.95;
        let (mut ratios, mut n) = (0.0, 0);
        for (l, &(a, b)) in links.iter().enumerate() {
            let (pa, pb) = (nodes[a].1, nodes[b].1);
            let (near, far) = (distance(pa, position), distance(position, pb));
            let (along, off) = across(pa, pb, position);
            let (p, p0, change) = powers(&sim, &empty, t, nodes[a].0, nodes[b].0, rng);
            if near + far - distance(pa, pb) > 0.5 && near > 0.7 && far > 0.7 {
                let one = WAVELENGTH_M * WAVELENGTH_M / (64.0 * PI * PI * PI * near * near * far * far);
                ratios += change / 57.0 / one;
                n += 1;
            }
            let inside = off.abs() < 0.8 && (0.15..0.85).contains(&along);
            if inside {
                let (r, r0, _) = powers(&reference, &empty, t, nodes[a].0, nodes[b].0, rng);
                let crossing = crossings[l].get_or_insert_with(Crossing::default);
                let depth = -10.0 * math::log10(p / p0);
                crossing.depth_db = math::max_f64(crossing.depth_db, depth);
                crossing.reference_db = math::max_f64(crossing.reference_db, -10.0 * math::log10(r / r0));
                let step = crossing.before.map_or(0.0, |b| (off - b).abs());
                crossing.area += math::max_f64(depth, 0.0) * math::min_f64(step, 0.1);
                crossing.before = Some(off);
            } else if let Some(done) = crossings[l].take()
                && done.depth_db > 3.0
            {
                // Multipath moves both by some decibels, a position's error moves neither.
                let reading = |value, sigma| Some(Reading { value, sigma });
                signature.push(
                    at,
                    &Observation {
                        shadow_depth_db: reading(done.depth_db - done.reference_db, 1.0),
                        shadow_width_m: reading(done.area / done.depth_db, 0.05),
                        ..Observation::default()
                    },
                );
            }
        }
        if n > 0 && ratios > 0.0 {
            let value = 10.0 * math::log10(ratios / f64::from(n));
            let sigma = FADING_DB / math::sqrt(f64::from(n));
            let cross_section_dbsm = Some(Reading { value, sigma });
            signature.push(at, &Observation { cross_section_dbsm, ..Observation::default() });
        }
    }
    signature.embedding().expect("somebody walked")
}

fn visits(builds: &[Build], sessions: usize, seconds: f64, rng: &mut Rng) -> Vec<Vec<Embedding>> {
    builds.iter().map(|&b| (0..sessions).map(|_| visit(b, seconds, rng)).collect()).collect()
}

#[test]
#[ignore = "a minute in release: the table of docs/algorithms/identity.md"]
fn equal_error_rates_of_simulated_bodies() {
    let mut rng = Rng(1);
    let extremes = [Build { height_m: 1.55, radius_m: 0.20 }, Build { height_m: 1.90, radius_m: 0.29 }];
    let drawn: Vec<Build> = (0..10).map(|_| Build::draw(&mut rng)).collect();
    for seconds in [30.0, 120.0] {
        let of_two = scores(&visits(&extremes, 6, seconds, &mut rng));
        eprintln!("{}", of_two.line(&format!("small and tall, {seconds} s")));
        let all = visits(&drawn, 3, seconds, &mut rng);
        let of_ten = scores(&all);
        eprintln!("{}", of_ten.line(&format!("ten drawn, {seconds} s")));
        for part in [Part::CrossSection, Part::ShadowDepth, Part::ShadowWidth] {
            eprintln!("{}", part_scores(&all, part).line(&format!("  {part:?}")));
        }
        if seconds == 30.0 {
            let c = CALIBRATION[Part::ShadowDepth as usize].unwrap();
            let (same, different, sd) = part_scores(&all, Part::ShadowDepth).calibration();
            for (measured, used) in [(same, c.same), (different, c.different), (sd, c.sd)] {
                assert!((measured - used).abs() < 0.02, "measured {measured:.3}, used {used}");
            }
        }
        assert!(of_two.equal_error_rate() < 0.5 && of_ten.equal_error_rate() < 0.6);
    }
}

#[test]
fn a_walk_through_the_room_is_measured_in_three_parts() {
    let mut rng = Rng(2);
    let seen = visit(Build { height_m: 1.75, radius_m: 0.25 }, 12.0, &mut rng);
    for part in Part::ALL {
        let radio = (part as usize) < 3;
        assert_eq!(seen.looks()[part as usize] > 0, radio, "{part:?}: {:?}", seen.looks());
    }
}
