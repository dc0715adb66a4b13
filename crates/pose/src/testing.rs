//! Pseudo-random numbers for tests: SplitMix64 (Steele, Lea and Flood 2014) and Box–Muller.

#![allow(dead_code)]

use wavewitness_num::math;

pub(crate) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In 0..1, never 0.
    pub fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        let r = math::sqrt(-2.0 * math::ln(self.uniform()));
        r * math::cos(core::f64::consts::TAU * self.uniform())
    }
}
