//! A room of phasors: a direct wave, a cylinder of scattering points and fixed reflectors, whose strength goes through the
//! crate's own baselines and locator.

use super::{Random, body, distance};
use wavewitness_num::math;
use wavewitness_tomography::locate::{self, PathEvidence};
use wavewitness_tomography::strength::{self, Background};
use wavewitness_types::{Detection, Room};

pub const ROOM: Room = Room { min_m: [0.0; 3], max_m: [6.0, 6.0, 2.6] };
pub const CHANNELS: usize = 8;
pub const CYCLE_S: f64 = 0.5;
/// Decibels of noise of one reading.
pub const NOISE_DB: f64 = 0.7;

pub struct World {
    pub nodes: Vec<[f64; 3]>,
    pub reflectors: Vec<[f64; 3]>,
    /// Added to every reading of a path, dB.
    pub path_db: Vec<f64>,
    pub strength: (strength::Plan, strength::State),
    pub locate: (locate::Plan, locate::State),
    pub evidence: Vec<PathEvidence>,
    pub detections: Vec<Detection>,
    pub summary: locate::Summary,
    pub random: Random,
}

/// Nodes around the walls.
pub fn ring(n: usize) -> Vec<[f64; 3]> {
    let place = |k: usize| {
        let s = 24.0 * k as f64 / n as f64;
        let (side, f) = ((s / 6.0) as usize, s % 6.0);
        let [x, y] = [[f, 0.0], [6.0, f], [6.0 - f, 6.0], [0.0, 6.0 - f]][side];
        [x, y, 1.0]
    };
    (0..n).map(place).collect()
}

impl World {
    pub fn new(nodes: Vec<[f64; 3]>, seed: u64) -> World {
        let mut random = Random(seed);
        let reflectors = (0..25)
            .map(|_| [7.0 * random.uniform() - 0.5, 7.0 * random.uniform() - 0.5, 2.0 * random.uniform()])
            .collect();
        let mut ends = Vec::new();
        for a in 0..nodes.len() {
            ends.extend((a + 1..nodes.len()).map(|b| [a as u16, b as u16]));
        }
        let plan = locate::Plan::new(&locate::Config::default(), ROOM).unwrap();
        let mut state = locate::State::new(&plan, ends.len() as u16);
        for (k, &[a, b]) in ends.iter().enumerate() {
            assert!(plan.add_path(k as u16, nodes[usize::from(a)], nodes[usize::from(b)], &mut state));
        }
        let strength_plan = strength::Plan::new(&strength::Config::default()).unwrap();
        let mut world = World {
            nodes,
            reflectors,
            path_db: vec![0.0; ends.len()],
            strength: (strength_plan, strength::State::new(&ends, CHANNELS as u16)),
            locate: (plan, state),
            evidence: Vec::new(),
            detections: Vec::new(),
            summary: locate::Summary::default(),
            random,
        };
        for _ in 0..40 {
            world.cycle(&[], true);
        }
        world
    }

    pub fn paths(&self) -> Vec<(usize, usize)> {
        (0..self.nodes.len()).flat_map(|a| (a + 1..self.nodes.len()).map(move |b| (a, b))).collect()
    }

    /// Strength of a path on a channel: the power of all phasors.
    pub fn dbm(&self, a: [f64; 3], b: [f64; 3], channel: usize, people: &[[f64; 2]]) -> f64 {
        let wavelength_m = 0.299_792_458 / (2.405 + 0.01 * channel as f64);
        let (mut re, mut im) = (0.0, 0.0);
        let mut add = |length_m: f64, amplitude: f64| {
            let phase = std::f64::consts::TAU * length_m / wavelength_m;
            re += amplitude * math::cos(phase);
            im += amplitude * math::sin(phase);
        };
        let d = distance(a, b);
        let mut direct = 1.0 / d;
        for &[x, y] in people {
            let (tx, rx) = (distance(a, [x, y, 1.0]), distance(b, [x, y, 1.0]));
            let excess = tx + rx - d;
            direct *= 1.0 - 0.7 * math::exp(-(excess / 0.06) * (excess / 0.06));
            for p in body(x, y) {
                add(distance(a, p) + distance(p, b), 0.12 / (distance(a, p) * distance(p, b)));
            }
        }
        add(d, direct);
        for &p in &self.reflectors {
            add(distance(a, p) + distance(p, b), 0.3 / (distance(a, p) * distance(p, b)));
        }
        -30.0 + 10.0 * math::ln(re * re + im * im) / std::f64::consts::LN_10
    }

    pub fn cycle(&mut self, people: &[[f64; 2]], learning: bool) {
        for (k, (a, b)) in self.paths().into_iter().enumerate() {
            for channel in 0..CHANNELS {
                for _ in 0..2 {
                    let noise = NOISE_DB * self.random.normal() + self.path_db[k];
                    let dbm = self.dbm(self.nodes[a], self.nodes[b], channel, people) + noise;
                    let (plan, state) = &mut self.strength;
                    assert!(plan.sample(k as u16, channel as u16, dbm.round() as f32, state));
                }
            }
        }
        let background = match (learning, self.summary.anybody < 0.1) {
            (true, _) => Background::Learning,
            (false, true) => Background::Empty,
            (false, false) => Background::Occupied,
        };
        let (plan, state) = &mut self.strength;
        let is_new = plan.close(CYCLE_S, background, state, &mut self.evidence);
        if !learning {
            let (plan, state) = &mut self.locate;
            self.summary = plan.run(CYCLE_S, is_new, &self.evidence, state, &mut self.detections);
        }
    }

    pub fn stand(&mut self, people: &[[f64; 2]], cycles: usize) {
        (0..cycles).for_each(|_| self.cycle(people, false));
    }
}
