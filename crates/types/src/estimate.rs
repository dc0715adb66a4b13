//! Estimates that one stage hands to others: baselines, impulse responses, gate decisions.

use crate::canonical::{Canonical, Reader, Sink};
use crate::frame::Samples;
use crate::ids::LinkId;
use crate::limits::{MAX_TAPS, MAX_TONES};
use crate::status::Gate;
use crate::tones::ToneGrid;
use crate::units::Timestamp;
use wavewitness_num::math;

/// Quiet-time statistics of a positive quantity, in natural logarithm: such quantities are near log-normal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quiet {
    /// Mean of ln x.
    pub ln_mean: f32,
    /// Standard deviation of ln x (at least [`Quiet::MIN_SD`]).
    pub ln_sd: f32,
}

impl Quiet {
    /// No quiet channel is steadier than this; keeps z-scores finite.
    pub const MIN_SD: f32 = 0.05;
    /// Values below this (quantisation noise is far above it) are taken as this.
    pub const FLOOR: f64 = 1e-9;

    /// `ln max(x, FLOOR)`.
    pub fn ln(x: f64) -> f64 {
        math::ln(math::max_f64(x, Quiet::FLOOR))
    }

    /// How many standard deviations ln x lies above its quiet mean.
    pub fn z(&self, x: f64) -> f64 {
        (Quiet::ln(x) - f64::from(self.ln_mean)) / f64::from(math::max_f32(self.ln_sd, Quiet::MIN_SD))
    }

    /// x over its quiet level: 1 when quiet.
    pub fn ratio(&self, x: f64) -> f64 {
        math::exp(Quiet::ln(x) - f64::from(self.ln_mean))
    }
}

/// What a link looks like when nothing moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// The link.
    pub link: LinkId,
    /// True if collected on the operator's word that the room was empty.
    pub empty_room: bool,
    /// Observations that it rests on.
    pub observations: u32,
    /// When it was completed.
    pub completed: Timestamp,
    /// Mean aligned channel.
    pub mean: Samples,
    /// Variance of the complex sample about the mean, one a tone (unused entries 0).
    pub variance: [f32; MAX_TONES],
    /// Incoherence of an observation with [`Baseline::mean`] (see [`Samples::incoherence`]).
    pub quiet_incoherence: Quiet,
    /// [`crate::LinkObservation::change`].
    pub quiet_change: Quiet,
    /// Mean received signal strength in dBm, where the radio said it.
    pub rssi_dbm: Option<f32>,
    /// Standard deviation of the received signal strength in dB.
    pub rssi_sd_db: Option<f32>,
}

/// One path of an impulse response.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tap {
    /// Delay in nanoseconds from the origin of the estimate.
    pub delay_ns: f32,
    /// Real part.
    pub re: f32,
    /// Imaginary part.
    pub im: f32,
}

/// A sparse channel impulse response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CirEstimate {
    /// The link.
    pub link: LinkId,
    /// Tones that it was made from.
    pub grid: ToneGrid,
    /// The strongest taps, ascending in delay; entries from `tap_count` are zero.
    pub taps: [Tap; MAX_TAPS],
    /// How many taps are in use.
    pub tap_count: u16,
    /// Nonzero coefficients of the solution, before the strongest were kept.
    pub support: u16,
    /// ‖Φx − y‖ / ‖y‖.
    pub residual: f32,
    /// Iterations that the solver took.
    pub iterations: u16,
    /// True if the optimality condition held at the end.
    pub converged: bool,
    /// Share of the strongest path in the energy of all, 0..=1.
    pub dominant_ratio: f32,
    /// RMS delay spread in nanoseconds.
    pub delay_spread_ns: f32,
}

/// What the coherence gate decided for a link, with its evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateDecision {
    /// The link.
    pub link: LinkId,
    /// The decision.
    pub gate: Gate,
    /// About 1 for the channel of the baseline by construction; `None` without a baseline.
    pub coherence: Option<f32>,
    /// Factor on the measurement's standard deviation: 1 when accepted, more when doubtful.
    pub noise_inflation: f32,
}

impl Samples {
    /// `1 − |⟨a, b⟩|² / (⟨a, a⟩⟨b, b⟩)` over the tones, in 0..=1: 0 for the same channel whatever its gain and common
    /// phase, about 1 for unrelated ones; 1 if either is all zero or the grids differ.
    pub fn incoherence(&self, other: &Samples) -> f64 {
        if self.grid() != other.grid() {
            return 1.0;
        }
        let (mut re, mut im, mut aa, mut bb) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
        let (ar, ai, br, bi) = (self.re(), self.im(), other.re(), other.im());
        for k in 0..ar.len() {
            let (a, b) = (f64::from(ar[k]), f64::from(ai[k]));
            let (c, d) = (f64::from(br[k]), f64::from(bi[k]));
            re += a * c + b * d;
            im += a * d - b * c;
            aa += a * a + b * b;
            bb += c * c + d * d;
        }
        if aa <= 0.0 || bb <= 0.0 {
            return 1.0;
        }
        let rho2 = (re * re + im * im) / aa / bb;
        math::max_f64(0.0, math::min_f64(1.0, 1.0 - rho2))
    }
}

impl Baseline {
    /// Reads canonical bytes.
    pub fn read(r: &mut Reader<'_>) -> Option<Baseline> {
        let link = LinkId(r.u16()?);
        let empty_room = r.bool()?;
        let observations = r.u32()?;
        let completed = Timestamp(r.u64()?);
        let grid = ToneGrid::from_code(r.u8()?)?;
        let mut mean = Samples::zero(grid);
        let (re, im) = mean.parts_mut();
        for x in re.iter_mut().chain(im) {
            *x = r.f32()?;
        }
        let mut variance = [0.0; MAX_TONES];
        for x in &mut variance[..grid.tone_count()] {
            *x = r.f32()?;
        }
        Some(Baseline {
            link,
            empty_room,
            observations,
            completed,
            mean,
            variance,
            quiet_incoherence: Quiet { ln_mean: r.f32()?, ln_sd: r.f32()? },
            quiet_change: Quiet { ln_mean: r.f32()?, ln_sd: r.f32()? },
            rssi_dbm: r.option(Reader::f32)?,
            rssi_sd_db: r.option(Reader::f32)?,
        })
    }
}

impl Canonical for Quiet {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { ln_mean, ln_sd } = self;
        out.f32(*ln_mean);
        out.f32(*ln_sd);
    }
}

impl Canonical for Baseline {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self {
            link,
            empty_room,
            observations,
            completed,
            mean,
            variance,
            quiet_incoherence,
            quiet_change,
            rssi_dbm,
            rssi_sd_db,
        } = self;
        link.canonical(out);
        out.bool(*empty_room);
        out.u32(*observations);
        completed.canonical(out);
        mean.canonical(out);
        out.f32s(&variance[..mean.grid().tone_count()]);
        quiet_incoherence.canonical(out);
        quiet_change.canonical(out);
        out.option(rssi_dbm.as_ref(), |s, &v| s.f32(v));
        out.option(rssi_sd_db.as_ref(), |s, &v| s.f32(v));
    }
}

impl Canonical for CirEstimate {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self {
            link,
            grid,
            taps,
            tap_count,
            support,
            residual,
            iterations,
            converged,
            dominant_ratio,
            delay_spread_ns,
        } = self;
        link.canonical(out);
        grid.canonical(out);
        out.u16(*tap_count);
        for tap in &taps[..usize::from(*tap_count)] {
            let Tap { delay_ns, re, im } = tap;
            out.f32s(&[*delay_ns, *re, *im]);
        }
        out.u16(*support);
        out.f32(*residual);
        out.u16(*iterations);
        out.bool(*converged);
        out.f32(*dominant_ratio);
        out.f32(*delay_spread_ns);
    }
}

impl Canonical for GateDecision {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { link, gate, coherence, noise_inflation } = self;
        link.canonical(out);
        gate.canonical(out);
        out.option(coherence.as_ref(), |s, &v| s.f32(v));
        out.f32(*noise_inflation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(scale: f32, phase: f64) -> Samples {
        let mut s = Samples::zero(ToneGrid::Ht20);
        let (re, im) = s.parts_mut();
        for k in 0..re.len() {
            let z = wavewitness_num::complex::unit(phase + 0.02 * (k * k) as f64);
            re[k] = scale * (1.0 + 0.1 * k as f32) * z.re as f32;
            im[k] = scale * (1.0 + 0.1 * k as f32) * z.im as f32;
        }
        s
    }

    #[test]
    fn incoherence_ignores_gain_and_common_phase() {
        assert!(ramp(1.0, 0.0).incoherence(&ramp(7.5, 2.1)) < 1e-6);
        assert_eq!(ramp(1.0, 0.0).incoherence(&Samples::zero(ToneGrid::Ht20)), 1.0);
        assert_eq!(ramp(1.0, 0.0).incoherence(&Samples::zero(ToneGrid::Ht40)), 1.0);
    }

    #[test]
    fn a_baseline_round_trips() {
        let baseline = Baseline {
            link: LinkId(3),
            empty_room: true,
            observations: 600,
            completed: Timestamp(5),
            mean: ramp(1.0, 0.3),
            variance: [0.25; MAX_TONES],
            quiet_incoherence: Quiet { ln_mean: -5.0, ln_sd: 0.4 },
            quiet_change: Quiet { ln_mean: -6.0, ln_sd: 0.3 },
            rssi_dbm: Some(-40.0),
            rssi_sd_db: None,
        };
        let bytes = baseline.to_canonical_bytes();
        let back = Baseline::read(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(back.to_canonical_bytes(), bytes);
    }

    #[test]
    fn quiet_statistics_are_logarithmic() {
        let q = Quiet { ln_mean: 0.0, ln_sd: 0.5 };
        assert!((q.z(math::exp(1.0)) - 2.0).abs() < 1e-6);
        assert!((q.ratio(3.0) - 3.0).abs() < 1e-6);
        assert!(q.z(0.0).is_finite());
    }
}
