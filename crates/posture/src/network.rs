//! A network of one hidden layer of rectified units over the features: these are logarithms of energies, so a unit's sum is a ratio of
//! energies against a threshold.

use crate::look::FEATURES;
use wavewitness_num::math;

/// `H` hidden units, `O` outputs: log odds, or the logarithms of probabilities but for their sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Network<const H: usize, const O: usize> {
    /// For each feature, by hidden unit.
    pub hidden: [[f64; FEATURES]; H],
    /// Of each hidden unit.
    pub hidden_bias: [f64; H],
    /// For each hidden unit, by output.
    pub output: [[f64; H]; O],
    /// Of each output.
    pub output_bias: [f64; O],
}

impl<const H: usize, const O: usize> Network<H, O> {
    /// The outputs.
    pub fn run(&self, features: &[f64; FEATURES]) -> [f64; O] {
        self.outputs(&self.units(features))
    }

    /// The hidden units.
    pub fn units(&self, features: &[f64; FEATURES]) -> [f64; H] {
        let mut units = [0.0; H];
        for (k, unit) in units.iter_mut().enumerate() {
            let mut sum = self.hidden_bias[k];
            for (w, x) in self.hidden[k].iter().zip(features) {
                sum += w * x;
            }
            *unit = math::max_f64(0.0, sum);
        }
        units
    }

    /// The outputs by the hidden units.
    pub fn outputs(&self, units: &[f64; H]) -> [f64; O] {
        let mut out = self.output_bias;
        for (sum, weights) in out.iter_mut().zip(&self.output) {
            for (w, unit) in weights.iter().zip(units) {
                *sum += w * unit;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    //! Guards the arithmetic on a network that is made by hand.
    use super::*;

    #[test]
    fn a_difference_of_two_features_is_rectified() {
        let mut network = Network::<2, 1> {
            hidden: [[0.0; FEATURES]; 2],
            hidden_bias: [0.0, -1.0],
            output: [[2.0, -1.0]],
            output_bias: [0.5],
        };
        (network.hidden[0][0], network.hidden[0][1], network.hidden[1][2]) = (1.0, -1.0, 1.0);
        let with = |first: [f64; 3]| {
            let mut features = [0.0; FEATURES];
            features[..3].copy_from_slice(&first);
            network.run(&features)[0]
        };
        assert_eq!(with([3.0, 1.0, 0.0]), 0.5 + 2.0 * 2.0);
        assert_eq!(with([1.0, 3.0, 0.0]), 0.5);
        assert_eq!(with([0.0, 0.0, 4.0]), 0.5 - 3.0);
    }
}
