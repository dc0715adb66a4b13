//! A network of one hidden layer of rectified units over the features: these are logarithms of energies, so a unit's sum is a ratio of
//! energies against a threshold.

use crate::look::FEATURES;
use crate::weights::{CLASS, CLASS_UNITS, CLASSES, FALL, FALL_UNITS};
use wavewitness_num::math;

/// Everything that was learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Evidence of a fall, by the [`crate::recent`] features.
    pub fall: Network<FALL_UNITS, 1>,
    /// Classes, in the order of their codes; falling is none of them.
    pub class: Network<CLASS_UNITS, CLASSES>,
}

impl Weights {
    /// Those that the stage has.
    pub const TRAINED: Weights = Weights { fall: FALL, class: CLASS };
}

/// Probabilities whose logarithms are the scores but for their sum.
pub fn softmax<const N: usize>(scores: &[f64; N]) -> [f64; N] {
    let mut most = f64::MIN;
    for &score in scores {
        most = math::max_f64(most, score);
    }
    let mut out = [0.0; N];
    let mut total = 0.0;
    for (out, &score) in out.iter_mut().zip(scores) {
        *out = math::exp(score - most);
        total += *out;
    }
    out.map(|x| x / total)
}

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
