//! Pseudo-random channels and frames for the tests.
#![allow(dead_code)] // each test file uses its part

use wavewitness_num::complex::unit;
use wavewitness_num::{C64, math};
use wavewitness_types::{CalibratedFrame, LinkId, RadioMeta, Samples, Timestamp, ToneGrid};

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

/// `h e^{j(phase + i·slope)}` plus white noise of the given variance a tone, gain normalised.
pub fn packet(grid: ToneGrid, h: &[C64], phase: f64, slope: f64, noise: f64, random: &mut Random) -> Samples {
    let h: Vec<C64> = grid
        .indices()
        .iter()
        .zip(h)
        .map(|(&i, &z)| (z + random.gaussian(noise)) * unit(phase + f64::from(i) * slope))
        .collect();
    samples(grid, &h)
}

pub fn frame(at_ms: u64, link: u16, samples: Samples) -> CalibratedFrame {
    CalibratedFrame {
        at: Timestamp(at_ms * 1_000_000),
        link: LinkId(link),
        radio: RadioMeta::default(),
        power_db: 0.0,
        samples,
    }
}
