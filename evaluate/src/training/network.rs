//! Training of a network of one hidden layer: softmax or logistic loss, by Adam (Kingma and Ba 2015, ICLR) over the whole set in each
//! step. One written order of every sum, so that the same examples give the same weights.

use wavewitness_fixtures::rng::Rng;
use wavewitness_num::math;
use wavewitness_posture::{FEATURES, Network, softmax};

/// What is learned from: features, the wanted output, and how much it counts.
pub struct Example<'a> {
    /// The features.
    pub features: &'a [f64; FEATURES],
    /// With one output 1 or 0, else which of them.
    pub wanted: usize,
    /// Its weight.
    pub weight: f64,
}

/// How it is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Steps.
    pub steps: u32,
    /// First step's length, falling to a hundredth.
    pub first: f64,
    /// Weight decay, over the mean loss.
    pub decay: f64,
}

/// Mean and standard deviation of each feature.
struct Scale {
    mean: [f64; FEATURES],
    sd: [f64; FEATURES],
}

impl Scale {
    fn of(examples: &[Example<'_>]) -> Scale {
        let n = examples.len() as f64;
        let (mut mean, mut square) = ([0.0; FEATURES], [0.0; FEATURES]);
        for e in examples {
            for (m, x) in mean.iter_mut().zip(e.features) {
                *m += x / n;
            }
        }
        for e in examples {
            for k in 0..FEATURES {
                let d = e.features[k] - mean[k];
                square[k] += d * d / n;
            }
        }
        // A feature that is always the same says nothing.
        Scale { mean, sd: square.map(|s| if s > 1e-12 { math::sqrt(s) } else { f64::INFINITY }) }
    }

    fn apply(&self, x: &[f64; FEATURES]) -> [f64; FEATURES] {
        core::array::from_fn(|k| (x[k] - self.mean[k]) / self.sd[k])
    }
}

/// All weights in one row: hidden, their biases, outputs, their biases.
fn flat<const H: usize, const O: usize>(n: &Network<H, O>) -> Vec<f64> {
    let hidden = n.hidden.iter().flatten().chain(&n.hidden_bias);
    hidden.chain(n.output.iter().flatten()).chain(&n.output_bias).copied().collect()
}

fn shaped<const H: usize, const O: usize>(w: &[f64]) -> Network<H, O> {
    let (a, b, c) = (H * FEATURES, H * FEATURES + H, H * FEATURES + H + O * H);
    Network {
        hidden: core::array::from_fn(|h| core::array::from_fn(|k| w[h * FEATURES + k])),
        hidden_bias: core::array::from_fn(|h| w[a + h]),
        output: core::array::from_fn(|o| core::array::from_fn(|h| w[b + o * H + h])),
        output_bias: core::array::from_fn(|o| w[c + o]),
    }
}

/// Loss's derivative by each output, over the example's weight.
fn slope<const O: usize>(outputs: &[f64; O], wanted: usize) -> [f64; O] {
    if O == 1 {
        let p = 1.0 / (1.0 + math::exp(-outputs[0]));
        return [p - wanted as f64; O];
    }
    let mut p = softmax(outputs);
    p.iter_mut().enumerate().for_each(|(k, x)| *x -= f64::from(u8::from(k == wanted)));
    p
}

/// Gradient of the mean loss, in the order of [`flat`].
fn gradient<const H: usize, const O: usize>(
    network: &Network<H, O>,
    inputs: &[[f64; FEATURES]],
    examples: &[Example<'_>],
    whole: f64,
    out: &mut [f64],
) {
    let (a, b, c) = (H * FEATURES, H * FEATURES + H, H * FEATURES + H + O * H);
    out.fill(0.0);
    for (x, example) in inputs.iter().zip(examples) {
        let units = network.units(x);
        let slopes = slope(&network.outputs(&units), example.wanted).map(|s| s * example.weight / whole);
        for (o, s) in slopes.iter().enumerate() {
            out[c + o] += s;
            for (h, unit) in units.iter().enumerate() {
                out[b + o * H + h] += s * unit;
            }
        }
        for h in (0..H).filter(|&h| units[h] > 0.0) {
            let mut back = 0.0;
            for (s, weights) in slopes.iter().zip(&network.output) {
                back += s * weights[h];
            }
            out[a + h] += back;
            for (g, x) in out[h * FEATURES..(h + 1) * FEATURES].iter_mut().zip(x) {
                *g += back * x;
            }
        }
    }
}

/// Learns a network; `seed` is of its first weights. Weights come out for features as they are, not scaled.
pub fn train<const H: usize, const O: usize>(
    examples: &[Example<'_>],
    rate: Rate,
    seed: u64,
) -> Network<H, O> {
    let scale = Scale::of(examples);
    let inputs: Vec<[f64; FEATURES]> = examples.iter().map(|e| scale.apply(e.features)).collect();
    let mut whole = 0.0;
    for e in examples {
        whole += e.weight;
    }
    let mut rng = Rng::new(seed);
    let mut first = |n: usize| rng.gauss() / math::sqrt(n as f64);
    let mut network = Network::<H, O> {
        hidden: core::array::from_fn(|_| core::array::from_fn(|_| first(FEATURES))),
        hidden_bias: [0.0; H],
        output: core::array::from_fn(|_| core::array::from_fn(|_| first(H))),
        output_bias: [0.0; O],
    };
    let mut weights = flat(&network);
    let (mut mean, mut square) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
    let mut slopes = vec![0.0; weights.len()];
    let (mut beta1, mut beta2) = (1.0, 1.0);
    for step in 0..rate.steps {
        gradient(&network, &inputs, examples, whole, &mut slopes);
        (beta1, beta2) = (beta1 * 0.9, beta2 * 0.999);
        let length = rate.first * (1.0 - 0.99 * f64::from(step) / f64::from(rate.steps));
        for k in 0..weights.len() {
            let g = slopes[k] + rate.decay * weights[k];
            mean[k] = 0.9 * mean[k] + 0.1 * g;
            square[k] = 0.999 * square[k] + 0.001 * g * g;
            let root = math::sqrt(square[k] / (1.0 - beta2)) + 1e-10;
            weights[k] -= length * (mean[k] / (1.0 - beta1)) / root;
        }
        network = shaped(&weights);
    }
    // Of the features as they are: w·(x − m)/s = (w/s)·x − (w/s)·m.
    for h in 0..H {
        for k in 0..FEATURES {
            network.hidden[h][k] /= scale.sd[k];
            network.hidden_bias[h] -= network.hidden[h][k] * scale.mean[k];
        }
    }
    network
}

#[cfg(test)]
mod tests {
    //! Guards that a known truth is learned, again to the same bits.
    use super::*;

    #[test]
    fn a_rule_that_no_line_divides_is_learned_and_learned_again() {
        let mut rng = Rng::new(3);
        let inputs: Vec<[f64; FEATURES]> =
            (0..400).map(|_| core::array::from_fn(|k| if k < 3 { 5.0 + rng.gauss() } else { 0.0 })).collect();
        // Between two planes, or outside.
        let wanted = |x: &[f64; FEATURES]| usize::from((x[0] - x[1]).abs() < 1.0);
        let examples: Vec<Example<'_>> =
            inputs.iter().map(|x| Example { features: x, wanted: wanted(x), weight: 1.0 }).collect();
        let rate = Rate { steps: 500, first: 0.03, decay: 1e-5 };
        let one = train::<6, 1>(&examples, rate, 1);
        let right = inputs.iter().filter(|x| (one.run(x)[0] > 0.0) == (wanted(x) == 1)).count();
        assert!(right > 390, "{right} of 400");
        assert_eq!(one, train::<6, 1>(&examples, rate, 1));
        let two = train::<6, 2>(&examples, rate, 1);
        let right = inputs.iter().filter(|x| (two.run(x)[1] > two.run(x)[0]) == (wanted(x) == 1)).count();
        assert!(right > 390, "{right} of 400");
    }
}
