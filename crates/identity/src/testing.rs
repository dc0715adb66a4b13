//! Pseudo-random numbers for tests: SplitMix64 (Steele, Lea, Flood 2014).

use crate::{DIM, Embedding, PARTS};
use wavewitness_num::math;

pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        crate::sketch::mix(self.0)
    }

    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    pub fn gauss(&mut self) -> f64 {
        let radius = math::sqrt(-2.0 * math::ln(1.0 - self.uniform()));
        radius * math::cos(core::f64::consts::TAU * self.uniform())
    }

    pub fn embedding(&mut self) -> Embedding {
        let values = core::array::from_fn::<f32, DIM, _>(|_| self.gauss() as f32);
        Embedding::new(&values, [20; PARTS]).unwrap()
    }
}
