//! The calibration kernel: a fixed amount of the arithmetic that the stages do, written here so that no change of a
//! stage changes it. Results are given as ratios to it: that takes out most of the difference between two machines,
//! and of a machine that is busy.

/// Points of the kernel's vectors: about a wide impulse response's grid.
const POINTS: usize = 512;
/// Passes over them.
const PASSES: usize = 16;

/// Inputs of the kernel: fixed, from a linear congruential sequence.
#[derive(Clone, Debug)]
pub struct Kernel {
    re: Vec<f64>,
    im: Vec<f64>,
}

impl Default for Kernel {
    fn default() -> Kernel {
        let mut state = 1u64;
        let mut next = || {
            // Knuth's MMIX multiplier and increment.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        Kernel { re: (0..POINTS).map(|_| next()).collect(), im: (0..POINTS).map(|_| next()).collect() }
    }
}

impl Kernel {
    /// Elementwise complex products (which vectorise), ordered sums (which may not be reordered, so that they wait for
    /// each addition), square roots and divisions: the mix of the numeric stages.
    pub fn run(&self, turn: f64) -> f64 {
        let (mut x_re, mut x_im) = (self.re.clone(), self.im.clone());
        let mut total = 0.0;
        for pass in 0..PASSES {
            let (a, b) = (turn, 0.25 / (pass + 1) as f64);
            for k in 0..POINTS {
                let (re, im) = (x_re[k] * a - x_im[k] * b, x_re[k] * b + x_im[k] * a);
                x_re[k] = re + self.re[k];
                x_im[k] = im + self.im[k];
            }
            let mut energy = 0.0;
            for k in 0..POINTS {
                energy += x_re[k] * x_re[k] + x_im[k] * x_im[k];
            }
            let scale = 1.0 / (1.0 + energy.sqrt());
            x_re.iter_mut().chain(&mut x_im).for_each(|x| *x *= scale);
            total += energy;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_depends_on_its_argument_and_stays_finite() {
        let kernel = Kernel::default();
        assert!(kernel.run(0.9).is_finite());
        assert_ne!(kernel.run(0.9), kernel.run(0.8));
    }
}
