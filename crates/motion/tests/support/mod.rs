//! A room of a few paths, a mover in it, and the detector that hears it.
// Each test file uses its part of it.
#![allow(dead_code)]

use wavewitness_motion::{Condition, Config, LinkMotion, Plan, State};
use wavewitness_num::{C64, complex, math};
use wavewitness_types::{LinkId, Samples, Timestamp, ToneGrid};

pub const LINK: LinkId = LinkId(0);
pub const CYCLE_NS: u64 = 50_000_000;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    /// Circular complex normal of unit variance (Box, Muller 1958).
    pub fn normal(&mut self) -> C64 {
        complex::unit(core::f64::consts::TAU * self.uniform()) * math::sqrt(-math::ln(1.0 - self.uniform()))
    }
}

/// A room: one direct and five reflected paths up to 150 ns later, unit power in the mean.
pub struct Room {
    pub random: Random,
    pub paths: Vec<(C64, f64)>,
    pub rate_hz: f64,
    pub noise: f64,
    pub time_s: f64,
}

/// What differs from a room at rest, at a time.
#[derive(Clone, Copy, Default)]
pub struct Scene {
    /// Amplitude of a moving path against the direct one, its delay, and its phase in cycles.
    pub mover: Option<(f64, f64, f64)>,
    /// Phase of the first reflection, in cycles: furniture, temperature.
    pub drift: f64,
}

impl Room {
    pub fn new(seed: u64, rate_hz: f64, snr_db: f64) -> Room {
        let mut random = Random(seed.wrapping_mul(0x1234_5678_9abc_def1));
        let mut paths = vec![(C64::new(0.9, 0.0), 10e-9)];
        for _ in 0..5 {
            paths.push((random.normal() * 0.2, 10e-9 + 140e-9 * random.uniform()));
        }
        Room { random, paths, rate_hz, noise: math::pow(10.0, -snr_db / 20.0), time_s: 0.0 }
    }

    /// The next frame, with a gain, phase and timing of its own.
    pub fn frame(&mut self, scene: Scene, gain: f64, phase: f64, delay_s: f64) -> (Timestamp, Samples) {
        let grid = ToneGrid::Ht20;
        let mut samples = Samples::zero(grid);
        let (re, im) = samples.parts_mut();
        let turn = |cycles: f64| complex::unit(core::f64::consts::TAU * cycles);
        for k in 0..grid.tone_count() {
            let f = grid.offset_hz(k);
            let mut h = C64::new(0.0, 0.0);
            for (n, (a, tau)) in self.paths.iter().enumerate() {
                let extra = if n == 1 { scene.drift } else { 0.0 };
                h += a * turn(extra - f * tau);
            }
            if let Some((amplitude, tau, cycles)) = scene.mover {
                h += turn(cycles - f * tau) * amplitude;
            }
            h += self.random.normal() * self.noise;
            h = h * turn(phase - f * delay_s) * gain;
            re[k] = h.re as f32;
            im[k] = h.im as f32;
        }
        let at = Timestamp((self.time_s * 1e9) as u64);
        self.time_s += 1.0 / self.rate_hz;
        (at, samples)
    }
}

pub struct Detector {
    pub plan: Plan,
    pub state: State,
    pub out: Vec<LinkMotion>,
    pub end: Timestamp,
    /// Time, and what was said.
    pub said: Vec<(f64, LinkMotion)>,
}

impl Detector {
    pub fn new(config: &Config) -> Detector {
        let plan = Plan::new(config).unwrap();
        let state = State::new(&plan);
        Detector { plan, state, out: Vec::new(), end: Timestamp(CYCLE_NS), said: Vec::new() }
    }

    pub fn advance(&mut self, to: Timestamp) {
        while to >= self.end {
            self.plan.end_cycle(self.end, 1, &mut self.state, &mut self.out);
            self.said.push((self.end.0 as f64 * 1e-9, self.out[0]));
            self.end = self.end.plus_nanos(CYCLE_NS);
        }
    }

    pub fn take(&mut self, (at, samples): (Timestamp, Samples)) {
        self.advance(at);
        self.plan.samples(LINK, at, &samples, &mut self.state);
    }

    /// Runs a room for so long; `scene` by time.
    pub fn run(&mut self, room: &mut Room, seconds: f64, scene: impl Fn(f64) -> Scene) {
        let end = room.time_s + seconds;
        while room.time_s < end {
            let frame = room.frame(scene(room.time_s), 1.0, 0.0, 0.0);
            self.take(frame);
        }
    }

    pub fn ready(&self) -> bool {
        self.said.last().is_some_and(|(_, m)| m.condition == Condition::Ready)
    }

    /// First time from `start` on at which something moves.
    pub fn found(&self, start: f64) -> Option<f64> {
        self.said.iter().find(|(t, m)| *t >= start && m.moving).map(|(t, _)| t - start)
    }

    pub fn scores(&self) -> impl Iterator<Item = f64> {
        self.said.iter().filter_map(|(_, m)| m.z.map(f64::from))
    }
}
