//! Seeded channels for the tests of this crate.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod scene;

use wavewitness_num::{C64, complex, math};
use wavewitness_types::{LinkId, LinkObservation, Samples, Timestamp, ToneGrid};

/// SplitMix64 (Steele, Lea & Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Uniform in 0..1.
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    /// Circular complex Gaussian of unit variance (Box & Muller 1958).
    pub fn gaussian(&mut self) -> C64 {
        let radius = math::sqrt(-math::ln(1.0 - self.uniform()));
        complex::unit(core::f64::consts::TAU * self.uniform()) * radius
    }
}

/// A path: delay in nanoseconds and complex amplitude.
pub type Ray = (f64, C64);

/// The channel of some rays, one value a tone: `Σ a exp(−j2πkΔfτ)`, later is more negative phase.
pub fn channel(grid: ToneGrid, rays: &[Ray]) -> Vec<C64> {
    (0..grid.tone_count())
        .map(|k| {
            rays.iter().fold(C64::default(), |total, &(delay_ns, a)| {
                total + a * complex::unit(-core::f64::consts::TAU * grid.offset_hz(k) * delay_ns * 1e-9)
            })
        })
        .collect()
}

/// A room: a direct path and `n` echoes within 300 ns that decay by 1/e in 60 ns.
pub fn room(random: &mut Random, n: usize) -> Vec<Ray> {
    let start = -60.0 + 80.0 * random.uniform();
    let mut rays = vec![(start, complex::unit(random.uniform() * 6.0))];
    for _ in 0..n {
        let excess = 300.0 * random.uniform();
        rays.push((start + excess, random.gaussian() * (0.8 * math::exp(-excess / 60.0))));
    }
    rays
}

/// Adds noise of a total power `10^(−snr_db/10)` of the channel's mean power.
pub fn noisy(random: &mut Random, h: &[C64], snr_db: f64) -> Vec<C64> {
    let power = h.iter().fold(0.0, |total, &z| total + complex::abs2(z)) / h.len() as f64;
    let sigma = math::sqrt(power * math::pow(10.0, -snr_db / 10.0));
    h.iter().map(|z| z + random.gaussian() * sigma).collect()
}

pub fn samples(grid: ToneGrid, h: &[C64]) -> Samples {
    let mut out = Samples::zero(grid);
    let (re, im) = out.parts_mut();
    for (k, z) in h.iter().enumerate() {
        re[k] = z.re as f32;
        im[k] = z.im as f32;
    }
    out
}

pub fn observe(samples: Samples) -> LinkObservation {
    LinkObservation {
        link: LinkId(0),
        frames: 1,
        newest: Timestamp(1_000_000_000),
        mean: samples,
        scatter: None,
        change: None,
        rssi_dbm: None,
        noise_dbm: None,
    }
}
