//! The weights as a source file.

use wavewitness_num::math;
use wavewitness_posture::{FEATURES, Network, Weights};

/// Numbers on a line.
const ON_A_LINE: usize = 13;
/// Digits behind the point: what rounds off changes evidence by hundredths of a nat.
const DIGITS: usize = 4;

const HEAD: &str = "//! Weights over [`crate::History::features`], as `evaluate posture-train` wrote them: change nothing here by hand. They rest on
//! the simulator alone (`docs/algorithms/posture.md`).
#![allow(clippy::approx_constant, reason = \"a weight that is near a constant of mathematics is none\")]

use crate::network::Network;

/// Standing, walking, sitting, lying.
pub const CLASSES: usize = 4;
";

/// The weights with the digits that are printed.
pub fn rounded(weights: &Weights) -> Weights {
    let Weights { fall, class } = weights;
    Weights { fall: each(fall), class: each(class) }
}

fn each<const H: usize, const O: usize>(n: &Network<H, O>) -> Network<H, O> {
    let round = |x: f64| {
        let scale = math::pow(10.0, DIGITS as f64);
        (x * scale).round() / scale
    };
    Network {
        hidden: n.hidden.map(|row| row.map(round)),
        hidden_bias: n.hidden_bias.map(round),
        output: n.output.map(|row| row.map(round)),
        output_bias: n.output_bias.map(round),
    }
}

/// The file's text.
pub fn text(weights: &Weights) -> String {
    let Weights { fall, class } = weights;
    let falls = constants("FALL", "of a fall", "1", fall);
    HEAD.to_owned() + &falls + &constants("CLASS", "of the class", "CLASSES", class)
}

fn constants<const H: usize, const O: usize>(
    name: &str,
    of: &str,
    outputs: &str,
    n: &Network<H, O>,
) -> String {
    let Network { hidden, hidden_bias, output, output_bias } = n;
    let mut out = format!("/// Hidden units of the network {of}.\npub const {name}_UNITS: usize = {H};\n");
    out += &format!("/// The network {of}.\n");
    out += &format!("pub(crate) const {name}: Network<{name}_UNITS, {outputs}> = Network {{\n");
    out += "    hidden: [\n";
    hidden.iter().for_each(|row| out += &format!("        [\n{}        ],\n", lines(row, 12)));
    out += &format!("    ],\n    hidden_bias: [\n{}    ],\n    output: [\n", lines(hidden_bias, 8));
    output.iter().for_each(|row| out += &format!("        [\n{}        ],\n", lines(row, 12)));
    out += &format!("    ],\n    output_bias: [\n{}    ],\n}};\n", lines(output_bias, 8));
    debug_assert!(hidden.iter().all(|row| row.len() == FEATURES));
    out
}

fn lines(numbers: &[f64], indent: usize) -> String {
    let mut out = String::new();
    for line in numbers.chunks(ON_A_LINE) {
        // Not minus nought.
        let words: Vec<String> = line.iter().map(|x| format!("{:.DIGITS$},", x + 0.0)).collect();
        out += &format!("{}{}\n", " ".repeat(indent), words.join(" "));
    }
    out
}
