//! How far a link can be trusted: from its noise, which a person does not change, and not from its motion.
//!
//! Two observations of one link, at most half a second apart, differ by noise and by what moved in between. After a
//! complex gain fit the difference `d` is split by its shape over the tones. Noise is white over them: the second
//! difference over neighbouring tones leaves `6σ²` of it. A path that moved is smooth: with delay τ, `(2 sin πΔfτ)⁴` of
//! its power is left, 0.002 at 100 ns. So `v = E|d_{k−1} − 2d_k + d_{k+1}|²/6 / 2` is the noise-to-signal ratio of one
//! observation, whoever walks about; the median over the last [`MEMORY`] differences also drops outliers.
//!
//! Noise that is not white (frames of several transmitters under one name, interference) shows in the whole of the
//! difference. Motion does too, but it leaves the static paths alone: a moving path with the share m of the static power
//! changes at most `1 − ((1 − m)/(1 + m))²` of it, half of it for m = 0.17 (−8 dB), and that only where every step is half
//! a wavelength. So the median share `q` that differs counts from a half on: what repeats less than half of itself from
//! one moment to the next is not one channel. Where a cycle had several frames, their scatter is taken for this: it
//! spans less time.
//!
//! Reliability is `a² / (v + cap)` with `a = min(1, (1 − q)/q)`: a signal-to-noise ratio, capped because beyond some 17 dB
//! a link is no better a witness of a room, times the square of what repeats over what does not, where that is less.

use wavewitness_num::complex::{abs2, conj_mul};
use wavewitness_num::sum::median_in_place;
use wavewitness_num::{C64, math};
use wavewitness_types::limits::FUSION_TONES;
use wavewitness_types::{LinkObservation, Timestamp, ToneGrid};

/// Differences that are remembered of each link.
pub const MEMORY: usize = 64;
/// Fewer differences than this are no estimate.
const LEAST: usize = 8;
/// Noise that is assumed of a link not known yet: so much that it can't outweigh one that is.
const UNKNOWN: f64 = 1.0;

const ZERO: C64 = C64::new(0.0, 0.0);

/// A ring of the last values.
#[derive(Clone, Copy, Debug)]
struct Ring {
    values: [f64; MEMORY],
    count: usize,
    next: usize,
}

impl Ring {
    const EMPTY: Ring = Ring { values: [0.0; MEMORY], count: 0, next: 0 };

    fn push(&mut self, value: f64) {
        self.values[self.next] = value;
        self.next = (self.next + 1) % MEMORY;
        self.count = if self.count < MEMORY { self.count + 1 } else { MEMORY };
    }

    /// `None` while there are too few.
    fn median(&self) -> Option<f64> {
        let mut sorted = self.values;
        if self.count < LEAST { None } else { median_in_place(&mut sorted[..self.count]) }
    }
}

/// What is known of one link's noise.
#[derive(Clone, Debug)]
pub struct Reliability {
    noise: Ring,
    unlike: Ring,
    previous: [C64; FUSION_TONES],
    previous_mask: u64,
    previous_at: Timestamp,
    noise_ratio: f64,
    unlike_share: f64,
}

impl Default for Reliability {
    fn default() -> Reliability {
        Reliability::new()
    }
}

impl Reliability {
    /// Nothing known.
    pub const fn new() -> Reliability {
        Reliability {
            noise: Ring::EMPTY,
            unlike: Ring::EMPTY,
            previous: [ZERO; FUSION_TONES],
            previous_mask: 0,
            previous_at: Timestamp(0),
            noise_ratio: UNKNOWN,
            unlike_share: 0.0,
        }
    }

    /// Noise power of one observation relative to its signal, from the white part of short differences.
    pub fn noise_ratio(&self) -> f64 {
        self.noise_ratio
    }

    /// Median share of the power that differs between two moments, 0..=1.
    pub fn unlike_share(&self) -> f64 {
        self.unlike_share
    }

    /// `a² / (v + cap)`, `a = min(1, (1 − q)/q)`.
    pub fn value(&self, noise_cap: f64) -> f64 {
        let q = self.unlike_share;
        let alike = if q > 0.5 { (1.0 - q) / q } else { 1.0 };
        alike * alike / (self.noise_ratio + noise_cap)
    }

    /// Takes one observation, on the fusion grid, of the cycle that ends at `at`; differences over more than `longest_s`
    /// are not taken.
    pub fn observe(&mut self, seen: &LinkObservation, row: &[C64], mask: u64, at: Timestamp, longest_s: f64) {
        let pair = (self.previous_mask == mask && at.seconds_since(self.previous_at) <= longest_s)
            .then(|| difference(&self.previous, row, mask));
        if let Some((_, noise)) = pair {
            self.noise.push(noise);
        }
        // Frames have unit power: the scatter is the share of it that differs between the frames of a cycle.
        let scatter = seen.scatter.map(|s| math::min_f64(1.0, f64::from(s)));
        if let Some(unlike) = scatter.or(pair.map(|(unlike, _)| unlike)) {
            self.unlike.push(unlike);
        }
        self.noise_ratio = self.noise.median().unwrap_or(UNKNOWN);
        self.unlike_share = self.unlike.median().unwrap_or(0.0);
        self.previous.copy_from_slice(row);
        self.previous_mask = mask;
        self.previous_at = at;
    }
}

/// Of `b` against `a`: the incoherence of the two, and the white noise of one of them relative to its power.
fn difference(a: &[C64], b: &[C64], mask: u64) -> (f64, f64) {
    let (mut inner, mut aa, mut bb) = (ZERO, 0.0, 0.0);
    for k in 0..FUSION_TONES {
        inner += conj_mul(a[k], b[k]);
        aa += abs2(a[k]);
        bb += abs2(b[k]);
    }
    if aa <= 0.0 || bb <= 0.0 {
        return (1.0, 1.0);
    }
    let unlike = math::max_f64(0.0, 1.0 - abs2(inner) / aa / bb);
    let gain = inner / aa;
    let indices = ToneGrid::Ht20.indices();
    let (mut white, mut count) = (0.0, 0u32);
    for k in 1..FUSION_TONES - 1 {
        // Three measured cells that are neighbours in frequency: not across DC.
        if mask >> (k - 1) & 7 == 7 && indices[k + 1] - indices[k - 1] == 2 {
            let d = |i: usize| b[i] - gain * a[i];
            white += abs2(d(k - 1) - d(k) * 2.0 + d(k + 1));
            count += 1;
        }
    }
    if count == 0 {
        return (unlike, 1.0);
    }
    let power = bb / f64::from(mask.count_ones());
    (unlike, math::min_f64(1.0, white / f64::from(count) / 6.0 / 2.0 / power))
}
