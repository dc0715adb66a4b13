//! How far an observation lies from a mean: all of it, and the white part of it.

use wavewitness_num::complex::{abs2, conj_mul};
use wavewitness_num::{C64, math};
use wavewitness_types::ToneGrid;

/// No 8-bit receiver is quieter: full scale 127 in both parts and a rounding variance of 1/12 each give 5e-6 relative to
/// the power at best. Keeps ratios to the noise finite.
pub(crate) const NOISE_FLOOR: f64 = 5e-6;

/// Distance of an observation from a mean, each relative to the observation's power.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Distance {
    /// `1 − |ρ|²`, as `Samples::incoherence` defines it.
    pub incoherence: f64,
    /// The part of it that is white over the tones, at least [`NOISE_FLOOR`].
    pub noise: f64,
}

/// Distance of `x` from `mean`; `scratch` takes one value a tone.
///
/// With `d = x − g·mean` and the complex gain `g = ⟨mean, x⟩ / ⟨mean, mean⟩`, `‖d‖²/‖x‖²` is the incoherence exactly. Its
/// white part shows in the second difference over neighbouring tones, `e_k = d_{k−1} − 2 d_k + d_{k+1}`: white noise of
/// variance σ² gives `E|e|² = (1 + 4 + 1) σ²`, while the change of a path of delay τ (relative to the alignment) is left
/// with the factor `(2 sin πΔfτ)⁴/6`: 3e−4 at 100 ns and 312.5 kHz.
pub(crate) fn distance(grid: ToneGrid, mean: &[C64], x: &[C64], scratch: &mut [C64]) -> Distance {
    let indices = grid.indices();
    let n = indices.len();
    let (mut inner, mut mean_energy, mut energy) = (C64::new(0.0, 0.0), 0.0, 0.0);
    for k in 0..n {
        inner += conj_mul(mean[k], x[k]);
        mean_energy += abs2(mean[k]);
        energy += abs2(x[k]);
    }
    if mean_energy <= 0.0 || energy <= 0.0 {
        return Distance { incoherence: 1.0, noise: 1.0 };
    }
    let gain = inner / mean_energy;
    for k in 0..n {
        scratch[k] = x[k] - gain * mean[k];
    }
    let (mut white, mut count) = (0.0, 0u32);
    for k in 1..n - 1 {
        if indices[k + 1] - indices[k - 1] == 2 {
            white += abs2(scratch[k - 1] - scratch[k] * 2.0 + scratch[k + 1]);
            count += 1;
        }
    }
    let rho2 = abs2(inner) / mean_energy / energy;
    let noise = white / f64::from(count) / 6.0 / (energy / n as f64);
    Distance {
        incoherence: math::max_f64(0.0, math::min_f64(1.0, 1.0 - rho2)),
        noise: math::max_f64(NOISE_FLOOR, noise),
    }
}
