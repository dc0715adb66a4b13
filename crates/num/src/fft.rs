//! FFT plans whose bits do not depend on the CPU.

use crate::C32;
use rustfft::{Fft, FftPlannerScalar};
use std::sync::Arc;

/// A forward and inverse complex `f32` transform of one length, planned once. Unnormalised both ways.
pub struct FftPlan {
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
}

impl FftPlan {
    /// Plans transforms of `length` points.
    pub fn new(length: usize) -> FftPlan {
        let mut planner = FftPlannerScalar::new();
        FftPlan { forward: planner.plan_fft_forward(length), inverse: planner.plan_fft_inverse(length) }
    }

    /// Number of points.
    pub fn length(&self) -> usize {
        self.forward.len()
    }

    /// Elements of scratch that a call needs.
    pub fn scratch_length(&self) -> usize {
        self.forward.get_inplace_scratch_len().max(self.inverse.get_inplace_scratch_len())
    }

    /// Forward transform in place, `X[k] = Σ x[n] e^{−j2πkn/N}`.
    ///
    /// # Panics
    /// If `data` is not one transform long or `scratch` is shorter than [`FftPlan::scratch_length`].
    pub fn forward(&self, data: &mut [C32], scratch: &mut [C32]) {
        assert_eq!(data.len(), self.length());
        self.forward.process_with_scratch(data, scratch);
    }

    /// Inverse transform in place, `x[n] = Σ X[k] e^{+j2πkn/N}` (no 1/N).
    ///
    /// # Panics
    /// If `data` is not one transform long or `scratch` is shorter than [`FftPlan::scratch_length`].
    pub fn inverse(&self, data: &mut [C32], scratch: &mut [C32]) {
        assert_eq!(data.len(), self.length());
        self.inverse.process_with_scratch(data, scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::complex::unit;

    #[test]
    fn forward_agrees_with_the_naive_transform() {
        for n in [52usize, 56, 64, 156, 342] {
            let x: Vec<C32> =
                (0..n).map(|k| C32::new((k * 37 % 11) as f32 - 5.0, (k * 17 % 7) as f32)).collect();
            let plan = FftPlan::new(n);
            let mut fast = x.clone();
            let mut scratch = vec![C32::default(); plan.scratch_length()];
            plan.forward(&mut fast, &mut scratch);
            for (k, value) in fast.iter().enumerate() {
                let naive = x.iter().enumerate().fold(crate::C64::default(), |acc, (m, &v)| {
                    acc + crate::complex::widen(v)
                        * unit(-core::f64::consts::TAU * ((k * m) % n) as f64 / n as f64)
                });
                assert!((naive.re - f64::from(value.re)).abs() < 1e-3 * n as f64);
                assert!((naive.im - f64::from(value.im)).abs() < 1e-3 * n as f64);
            }
        }
    }
}
