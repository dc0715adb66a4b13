//! A room whose links answer to bodies by a model that is not the one the crate inverts.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod walk;
pub mod world;

use wavewitness_num::math;
use wavewitness_tomography::{Config, LinkEvidence, Plan, State};
use wavewitness_types::{LinkId, Room};

pub const ROOM: Room = Room { min_m: [0.0; 3], max_m: [6.0, 6.0, 2.6] };
/// Quiet deviation of the logarithm of a link's change.
pub const SIGMA: f64 = 0.35;

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        math::sqrt(-2.0 * math::ln(u)) * math::cos(std::f64::consts::TAU * v)
    }
}

/// Four nodes in the corners at socket and shelf heights, each hearing each: 12 directed links.
pub fn four_nodes() -> Vec<[f64; 3]> {
    vec![[0.2, 0.2, 0.6], [5.8, 0.3, 1.8], [5.7, 5.8, 0.6], [0.3, 5.7, 1.8]]
}

/// Five nodes: 20 directed links.
pub fn five_nodes() -> Vec<[f64; 3]> {
    vec![[0.2, 0.2, 0.6], [5.8, 0.3, 1.8], [5.7, 5.8, 0.6], [0.3, 5.7, 1.8], [3.1, 0.1, 1.2]]
}

/// Eight nodes around the walls: 56 directed links.
pub fn eight_nodes() -> Vec<[f64; 3]> {
    let mut nodes = four_nodes();
    nodes.extend([[3.0, 0.1, 1.2], [5.9, 3.0, 1.2], [3.0, 5.9, 0.5], [0.1, 3.0, 2.0]]);
    nodes
}

pub fn links(nodes: &[[f64; 3]]) -> Vec<(LinkId, [f64; 3], [f64; 3])> {
    let mut out = Vec::new();
    for (a, &tx) in nodes.iter().enumerate() {
        for (b, &rx) in nodes.iter().enumerate() {
            if a != b {
                out.push((LinkId(out.len() as u16), tx, rx));
            }
        }
    }
    out
}

pub fn plan_and_state(config: &Config, nodes: &[[f64; 3]]) -> (Plan, State) {
    let plan = Plan::new(config, Some(ROOM)).unwrap();
    let mut state = State::new(&plan);
    for (id, tx, rx) in links(nodes) {
        assert!(plan.add_link(id, tx, rx, &mut state));
    }
    (plan, state)
}

pub fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    math::sqrt((0..3).map(|k| (a[k] - b[k]) * (a[k] - b[k])).sum())
}

/// A standing body: points on a cylinder of 0.2 m radius, 1.7 m tall.
pub fn body(x: f64, y: f64) -> Vec<[f64; 3]> {
    let mut points = Vec::new();
    for level in 0..6 {
        let z = 0.15 + 0.3 * f64::from(level);
        for k in 0..6 {
            let angle = f64::from(k) * std::f64::consts::TAU / 6.0;
            points.push([x + 0.2 * math::cos(angle), y + 0.2 * math::sin(angle), z]);
        }
    }
    points
}

/// How a link answers to the people in a room: excess ln of its change.
pub type Response = fn(tx: [f64; 3], rx: [f64; 3], people: &[[f64; 2]]) -> f64;

/// Line integral of Gaussian bodies of 0.25 m deviation along the direct path, over √d: a shadow, or a mover that
/// touches only the links it stands in.
pub fn line_integral(tx: [f64; 3], rx: [f64; 3], people: &[[f64; 2]]) -> f64 {
    line(tx, rx, people, 0.25)
}

/// The same with 0.5 m deviation: a body that swings about.
pub fn wide_line_integral(tx: [f64; 3], rx: [f64; 3], people: &[[f64; 2]]) -> f64 {
    line(tx, rx, people, 0.5)
}

fn line(tx: [f64; 3], rx: [f64; 3], people: &[[f64; 2]], width_m: f64) -> f64 {
    let d = distance(tx, rx);
    let mut total = 0.0;
    let steps = 200;
    for k in 0..steps {
        let f = (f64::from(k) + 0.5) / f64::from(steps);
        let (x, y) = (tx[0] + f * (rx[0] - tx[0]), tx[1] + f * (rx[1] - tx[1]));
        for p in people {
            let r2 = (x - p[0]) * (x - p[0]) + (y - p[1]) * (y - p[1]);
            total += math::exp(-0.5 * r2 / (width_m * width_m)) * d / f64::from(steps);
        }
    }
    5.0 * total / (width_m * math::sqrt(d))
}

/// Single scattering: a moving point adds a power `G d² / (d₁² d₂²)` to the quiet change (bistatic radar equation over
/// the direct path's), and the evidence is the logarithm of the ratio.
pub fn scattering(tx: [f64; 3], rx: [f64; 3], people: &[[f64; 2]]) -> f64 {
    let d = distance(tx, rx);
    let mut power = 0.0;
    for p in people {
        let points = body(p[0], p[1]);
        for q in &points {
            let (a, b) = (distance(tx, *q), distance(*q, rx));
            power += 20.0 * d * d / (a * a * b * b) / points.len() as f64;
        }
    }
    math::ln(1.0 + power)
}

/// One cycle's evidence, with noise of [`SIGMA`] when a generator is given.
pub fn evidence(
    nodes: &[[f64; 3]],
    people: &[[f64; 2]],
    response: Response,
    mut random: Option<&mut Random>,
) -> Vec<LinkEvidence> {
    links(nodes)
        .into_iter()
        .map(|(link, tx, rx)| {
            let noise = random.as_mut().map_or(0.0, |r| SIGMA * r.normal());
            LinkEvidence {
                link,
                motion: Some(math::max_f64(0.0, response(tx, rx, people) + noise) as f32),
                motion_sigma: SIGMA as f32,
                shadowing_db: None,
                shadowing_sigma_db: 0.0,
            }
        })
        .collect()
}
