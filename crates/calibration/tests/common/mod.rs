//! Pseudo-random channels and frames for the tests.
#![allow(dead_code)] // each test file uses its part

use wavewitness_num::complex::unit;
use wavewitness_num::{C64, math};
use wavewitness_types::{
    Layout, Link, LinkId, LinkObservation, NodeId, Samples, Timestamp, ToneGrid, Transmitter,
};

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }
    /// Circular complex Gaussian of the given variance.
    pub fn gaussian(&mut self, variance: f64) -> C64 {
        unit(std::f64::consts::TAU * self.uniform()) * math::sqrt(-variance * math::ln(self.uniform()))
    }
}

/// Paths of (delay in ns, complex gain).
pub fn channel(grid: ToneGrid, paths: &[(f64, C64)]) -> Vec<C64> {
    (0..grid.tone_count())
        .map(|k| {
            let mut h = C64::new(0.0, 0.0);
            for &(delay_ns, gain) in paths {
                h += gain * unit(-std::f64::consts::TAU * grid.offset_hz(k) * delay_ns * 1e-9);
            }
            h
        })
        .collect()
}

/// A room: direct path and five echoes within 150 ns.
pub fn room(grid: ToneGrid, random: &mut Random) -> Vec<C64> {
    let mut paths = vec![(0.0, C64::new(1.0, 0.0))];
    for k in 0..5 {
        paths.push((20.0 + 25.0 * f64::from(k) + 10.0 * random.uniform(), random.gaussian(0.06)));
    }
    channel(grid, &paths)
}

/// Unit mean power.
pub fn samples(grid: ToneGrid, h: &[C64]) -> Samples {
    let power = h.iter().map(|z| z.re * z.re + z.im * z.im).sum::<f64>() / h.len() as f64;
    let g = 1.0 / math::sqrt(power);
    let mut out = Samples::zero(grid);
    let (re, im) = out.parts_mut();
    for k in 0..h.len() {
        re[k] = (h[k].re * g) as f32;
        im[k] = (h[k].im * g) as f32;
    }
    out
}

/// A link's observations as alignment would hand them over: unit power, white noise, and the change against a recent
/// mean with a time constant of 1 s.
pub struct Source {
    pub link: u16,
    pub grid: ToneGrid,
    pub random: Random,
    recent: Option<Vec<C64>>,
    last_s: f64,
    seen: f64,
}

impl Source {
    pub fn new(link: u16, grid: ToneGrid, seed: u64) -> Source {
        Source { link, grid, random: Random(seed), recent: None, last_s: 0.0, seen: 0.0 }
    }

    pub fn observe(&mut self, at_s: f64, h: &[C64], noise: f64) -> LinkObservation {
        let noisy: Vec<C64> = h.iter().map(|&z| z + self.random.gaussian(noise)).collect();
        let mean = samples(self.grid, &noisy);
        let recent = self.recent.take().map(|r| samples(self.grid, &r));
        let change = recent.as_ref().map(|r| mean.incoherence(r) as f32);
        self.seen += 1.0;
        let weight = math::max_f64(1.0 / self.seen, 1.0 - math::exp(-(at_s - self.last_s)));
        let next = (0..noisy.len()).map(|k| {
            let x = C64::new(mean.re()[k].into(), mean.im()[k].into());
            match &recent {
                Some(r) => {
                    let r = C64::new(r.re()[k].into(), r.im()[k].into());
                    r + (x - r) * weight
                }
                None => x,
            }
        });
        self.recent = Some(next.collect());
        self.last_s = at_s;
        LinkObservation {
            link: LinkId(self.link),
            frames: 1,
            newest: at(at_s),
            mean,
            scatter: None,
            change,
            rssi_dbm: Some(-40.0 + (self.random.uniform() - 0.5) as f32),
            noise_dbm: None,
        }
    }
}

pub fn at(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1e9) as u64)
}

pub fn link(n: u16) -> Link {
    Link::new(Transmitter::Ambient(n as u8 + 1), NodeId(1), Layout::LltfHt20).unwrap()
}

/// Somebody who walks: a path of the given amplitude whose length changes by up to 2.4 m a second (both ways).
pub fn walker(grid: ToneGrid, h: &[C64], at_s: f64, amplitude: f64) -> Vec<C64> {
    let metres = 9.0 + 3.0 * math::sin(0.8 * at_s);
    let carrier = std::f64::consts::TAU * metres / 0.123;
    let echo = channel(grid, &[(metres / 0.2998, unit(-carrier) * amplitude)]);
    h.iter().zip(echo).map(|(&a, b)| a + b).collect()
}
