//! What quiet looks like on one link, learned from looks of which most were quiet; and the score of a look against it.
//!
//! A look is the vector of whitened mode energies `Y_m`: squared deviation of a short median from the recent mean, over the
//! variance that white receiver noise would give it. On an ideal receiver `Y_m` is χ² with one degree of freedom and
//! mean 1, whatever chip, gain, rate and number of frames. Real receivers ripple: their own shapes show in the low modes,
//! at up to 35 times the white noise. So `q_m`, the quiet mean of `Y_m`, is learned, and
//!
//! ```text
//! T = mean over test modes of Y_m/q_m  /  max(1, mean over guard modes of Y_m/q_m)
//! ```
//!
//! Quiet T is a scaled χ²: ln T has mean μ and deviation s, learned too, widened by `level_spread` for what changes
//! between learning and use. Its degrees of freedom are ν with ψ′(ν/2) = s², and its cube root is normal (Wilson and
//! Hilferty 1931, PNAS 17(12)): z, standard normal in quiet.

use crate::basis::{Basis, MAX_MODES};
use wavewitness_num::math;

/// Energies of one look; beyond the modes of the basis unused.
pub(crate) type Look = [f32; MAX_MODES];

/// z-scores are cut here: beyond it nothing is said that is not said already.
pub(crate) const Z_LIMIT: f64 = 50.0;
/// Looks up to this many deviations above the quiet centre are taken for quiet.
const CLIP: f64 = 2.5;
/// Standard deviation of a normal that was cut at 2.5 deviations above its mean: 0.979; its inverse.
const CLIP_GAIN: f64 = 1.02;
/// No statistic of χ² kind is steadier than this over a few modes.
const LEAST_SPREAD: f64 = 0.1;
/// Standard normal quantiles of the 5 % and 30 % points.
const Z05: f64 = -1.644_853_627;
const Z30: f64 = -0.524_400_513;
/// No mode is quieter than half of the white noise: an estimate from few looks that says so is wrong.
const LEAST_LEVEL: f64 = 0.5;
/// Energies above this are no receiver's ripple.
const MOST_LEVEL: f64 = 50.0;
/// From here on it depends on how steady they are: ripple is (half the spread of a walker or less).
const DOUBTFUL_LEVEL: f64 = 8.0;
const MOST_SPREAD: f64 = 0.9;

/// What quiet looks like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quiet {
    /// Quiet mean of each mode's energy.
    level: [f64; MAX_MODES],
    /// The same as it was learned: bounds of the tracking.
    learned: [f64; MAX_MODES],
    mean: f64,
    freedom: f64,
}

/// Whether looks were quiet enough to learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotQuiet;

/// Memory for learning.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    ln_t: Vec<f64>,
    sorted: Vec<f64>,
    kept: Vec<bool>,
}

impl Scratch {
    pub fn new(looks: usize) -> Scratch {
        let (ln_t, sorted) = (Vec::with_capacity(looks), Vec::with_capacity(looks));
        Scratch { ln_t, sorted, kept: Vec::with_capacity(looks) }
    }
}

impl Quiet {
    /// Learns from looks, of which up to about 40 % may have seen motion: they are found by their energy against the
    /// white noise and left out.
    pub fn learn(basis: &Basis, looks: &[Look], spread: f64, work: &mut Scratch) -> Result<Quiet, NotQuiet> {
        let modes = basis.modes();
        let Scratch { ln_t, sorted, kept } = work;
        ln_t.clear();
        ln_t.extend(looks.iter().map(|y| ln_mean(&y[..modes])));
        let (centre, scale) = lower_bulk(ln_t, sorted);
        let level = math::exp(centre);
        if level > MOST_LEVEL || (level > DOUBTFUL_LEVEL && scale > MOST_SPREAD) {
            return Err(NotQuiet);
        }
        kept.clear();
        kept.extend(ln_t.iter().map(|&t| t < centre + CLIP * scale));
        let mut quiet = Quiet { level: [1.0; MAX_MODES], learned: [1.0; MAX_MODES], mean: 1.0, freedom: 1.0 };
        for m in 0..modes {
            let (mut total, mut count) = (0.0, 0u32);
            for (look, _) in looks.iter().zip(kept.iter()).filter(|(_, keep)| **keep) {
                total += f64::from(look[m]);
                count += 1;
            }
            quiet.level[m] = math::max_f64(LEAST_LEVEL, total / f64::from(count.max(1)));
        }
        quiet.learned = quiet.level;
        ln_t.clear();
        let quiet_looks = looks.iter().zip(kept.iter()).filter(|(_, keep)| **keep);
        ln_t.extend(quiet_looks.map(|(look, _)| math::ln(quiet.ratio(basis, look))));
        let (centre, scale) = lower_bulk(ln_t, sorted);
        // ψ′(κ) ≈ 1/κ + 1/(2κ²) and ψ(κ) − ln κ ≈ −1/(2κ) − 1/(12κ²) (Abramowitz, Stegun 6.4.12, 6.3.18).
        let half = 1.0 / (scale * scale + spread * spread) + 0.5;
        quiet.freedom = 2.0 * half;
        quiet.mean = math::exp(centre + 0.5 / half + 1.0 / (12.0 * half * half));
        Ok(quiet)
    }

    /// T of a look.
    fn ratio(&self, basis: &Basis, look: &Look) -> f64 {
        let mean = |from: usize, to: usize| {
            let mut total = 0.0;
            for m in from..to {
                total += f64::from(look[m]) / self.level[m];
            }
            total / (to - from) as f64
        };
        let (test, modes) = (basis.test_modes(), basis.modes());
        math::max_f64(1e-6, mean(0, test) / math::max_f64(1.0, mean(test, modes)))
    }

    /// z of a look: standard normal in quiet.
    pub fn z(&self, basis: &Basis, look: &Look) -> f64 {
        let w = 2.0 / (9.0 * self.freedom);
        let z = (math::cbrt(self.ratio(basis, look) / self.mean) - (1.0 - w)) / math::sqrt(w);
        math::min_f64(Z_LIMIT, math::max_f64(-Z_LIMIT, z))
    }

    /// Follows slow changes of the receiver: `share` of the way to a quiet look, within a factor of 4 of what was learned.
    pub fn track(&mut self, basis: &Basis, look: &Look, share: f64) {
        for m in 0..basis.modes() {
            let moved = self.level[m] + share * (f64::from(look[m]) - self.level[m]);
            self.level[m] =
                math::max_f64(0.25 * self.learned[m], math::min_f64(4.0 * self.learned[m], moved));
        }
    }

    /// Quiet mean of a mode's energy.
    pub fn level(&self, mode: usize) -> f64 {
        self.level[mode]
    }

    /// Mean quiet energy over the test modes, relative to white noise: the receiver's own ripple.
    pub fn ripple(&self, basis: &Basis) -> f64 {
        let mut total = 0.0;
        for m in 0..basis.test_modes() {
            total += self.level[m];
        }
        total / basis.test_modes() as f64
    }
}

fn ln_mean(y: &[f32]) -> f64 {
    math::ln(math::max_f64(1e-6, wavewitness_num::sum::sum(y) / y.len() as f64))
}

/// Mean and standard deviation of the normal to which the lower bulk of `values` belongs, whatever lies above it: begun
/// from the 5 % and 30 % points, then mean and deviation of what lies below [`CLIP`] deviations, until it stands.
fn lower_bulk(values: &[f64], sorted: &mut Vec<f64>) -> (f64, f64) {
    sorted.clear();
    sorted.extend_from_slice(values);
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    if n < 2 {
        return (sorted.first().copied().unwrap_or(0.0), LEAST_SPREAD);
    }
    let mut centre = sorted[(n - 1) * 30 / 100];
    let mut scale = math::max_f64(LEAST_SPREAD, (centre - sorted[(n - 1) * 5 / 100]) / (Z30 - Z05));
    for _ in 0..20 {
        let edge = centre + CLIP * scale;
        let mut below = wavewitness_num::sum::Welford::EMPTY;
        for &v in sorted.iter().take_while(|v| **v < edge) {
            below.push(v);
        }
        centre = below.mean();
        scale = math::max_f64(LEAST_SPREAD, CLIP_GAIN * math::sqrt(below.variance().unwrap_or(0.0)));
    }
    (centre, scale)
}
