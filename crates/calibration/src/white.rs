//! How far an observation lies from a mean: all of it, and the white part of it.

use wavewitness_num::complex::{abs2, conj_mul};
use wavewitness_num::{C64, math};
use wavewitness_types::{Baseline, LinkObservation, Quiet, Samples, ToneGrid};

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

/// Distance of `x` from `mean`, both by tone.
///
/// With `d = x − g·mean` and the complex gain `g = ⟨mean, x⟩ / ⟨mean, mean⟩`, `‖d‖²/‖x‖²` is the incoherence exactly. Its
/// white part shows in the second difference over neighbouring tones, `e_k = d_{k−1} − 2 d_k + d_{k+1}`: white noise of
/// variance σ² gives `E|e|² = (1 + 4 + 1) σ²`, while the change of a path of delay τ (relative to the alignment) is left
/// with the factor `(2 sin πΔfτ)⁴/6`: 3e−4 at 100 ns and 312.5 kHz.
pub(crate) fn distance(grid: ToneGrid, mean: impl Fn(usize) -> C64, x: impl Fn(usize) -> C64) -> Distance {
    let indices = grid.indices();
    let n = indices.len();
    let (mut inner, mut mean_energy, mut energy) = (C64::new(0.0, 0.0), 0.0, 0.0);
    for k in 0..n {
        inner += conj_mul(mean(k), x(k));
        mean_energy += abs2(mean(k));
        energy += abs2(x(k));
    }
    if mean_energy <= 0.0 || energy <= 0.0 {
        return Distance { incoherence: 1.0, noise: 1.0 };
    }
    let gain = inner / mean_energy;
    let rest = |k: usize| x(k) - gain * mean(k);
    let (mut white, mut count) = (0.0, 0u32);
    let (mut before, mut here) = (rest(0), rest(1));
    for k in 1..n - 1 {
        let next = rest(k + 1);
        if indices[k + 1] - indices[k - 1] == 2 {
            white += abs2(before - here * 2.0 + next);
            count += 1;
        }
        (before, here) = (here, next);
    }
    let rho2 = abs2(inner) / mean_energy / energy;
    let noise = white / f64::from(count) / 6.0 / (energy / n as f64);
    Distance {
        incoherence: math::max_f64(0.0, math::min_f64(1.0, 1.0 - rho2)),
        noise: math::max_f64(NOISE_FLOOR, noise),
    }
}

/// How many standard deviations the incoherence of an observation with its baseline lies above its quiet level, at the
/// present noise: a receiver that hears worse than when the baseline was made is no change of the channel.
///
/// White noise of variance σ² adds σ² to the incoherence. What it is now beyond the quiet level, `e`, is taken out, and the
/// scatter that it leaves enters: incoherence and noise both rest on about K tones, so `sd e ≈ 2e/√K`.
pub fn departure_z(baseline: &Baseline, observation: &LinkObservation) -> f64 {
    let (mean, seen) = (&baseline.mean, &observation.mean);
    let level =
        |samples: &Samples, k: usize| C64::new(f64::from(samples.re()[k]), f64::from(samples.im()[k]));
    let quiet = &baseline.quiet_incoherence;
    if mean.grid() != seen.grid() {
        return quiet.z(1.0);
    }
    let d = distance(seen.grid(), |k| level(mean, k), |k| level(seen, k));
    let usual = math::exp(f64::from(quiet.ln_mean));
    let excess = math::max_f64(0.0, d.noise - usual);
    let left = math::max_f64(d.incoherence - excess, math::min_f64(d.incoherence, usual));
    let scatter = 2.0 * excess / left / math::sqrt(seen.grid().tone_count() as f64);
    let sd = math::hypot(f64::from(math::max_f32(quiet.ln_sd, Quiet::MIN_SD)), scatter);
    (Quiet::ln(left) - f64::from(quiet.ln_mean)) / sd
}
