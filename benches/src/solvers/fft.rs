//! The full grid with FFT operators: Φx is a transform of G points read at the tones, Φᴴr the inverse of one that has
//! the tones and zeros. Plans as in `wavewitness_num::fft` (scalar, so that the bits don't depend on the CPU).

use super::{DENSE_ITERATIONS, DENSE_TOLERANCE, OVERSAMPLING, Problem};
use wavewitness_num::fft::FftPlan;
use wavewitness_num::{C32, C64};

/// The solver with its plan and its working storage.
pub struct Full {
    plan: FftPlan,
    /// Of each tone: its place in the transform.
    bins: Vec<usize>,
    norm: f32,
    x: Vec<C32>,
    image: Vec<C32>,
    residual: Vec<C32>,
    scratch: Vec<C32>,
}

impl Full {
    /// Of a problem.
    pub fn new(problem: &Problem) -> Full {
        let plan = FftPlan::new(problem.delays);
        let bin = |&k: &i16| i64::from(k).rem_euclid(problem.delays as i64) as usize;
        Full {
            scratch: vec![C32::default(); plan.scratch_length()],
            bins: problem.grid.indices().iter().map(bin).collect(),
            norm: 1.0 / (problem.grid.tone_count() as f32).sqrt(),
            x: vec![C32::default(); problem.delays],
            image: vec![C32::default(); problem.delays],
            residual: vec![C32::default(); problem.delays],
            plan,
        }
    }

    /// Solves by ISTA from zero; returns the iterations.
    pub fn solve(&mut self, y: &[C64], lambda: f64) -> u32 {
        let inverse = 1.0 / OVERSAMPLING as f32;
        let threshold = lambda as f32 * inverse;
        self.x.fill(C32::default());
        for iteration in 1..=DENSE_ITERATIONS {
            self.image.copy_from_slice(&self.x);
            self.plan.forward(&mut self.image, &mut self.scratch);
            // The residual at the tones, zero elsewhere.
            self.residual.fill(C32::default());
            for (&bin, z) in self.bins.iter().zip(y) {
                self.residual[bin] = C32::new(z.re as f32, z.im as f32) - self.image[bin] * self.norm;
            }
            core::mem::swap(&mut self.image, &mut self.residual);
            self.plan.inverse(&mut self.image, &mut self.scratch);
            let (mut moved2, mut norm2) = (0.0f32, 0.0f32);
            for (x, b) in self.x.iter_mut().zip(&self.image) {
                let v = *x + b * (self.norm * inverse);
                let size = (v.re * v.re + v.im * v.im).sqrt();
                let keep = if size > threshold { (size - threshold) / size } else { 0.0 };
                let after = v * keep;
                let d = after - *x;
                moved2 += d.re * d.re + d.im * d.im;
                norm2 += after.re * after.re + after.im * after.im;
                *x = after;
            }
            if f64::from(moved2) <= DENSE_TOLERANCE * DENSE_TOLERANCE * f64::from(norm2) {
                return iteration;
            }
        }
        DENSE_ITERATIONS
    }

    /// The solution.
    pub fn coefficients(&self) -> Vec<C64> {
        self.x.iter().map(|z| wavewitness_num::complex::widen(*z)).collect()
    }
}
