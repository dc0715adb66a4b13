//! When a transmitter sends: an access point's beacons recur every 100 TU, so their arrivals agree modulo 102.4 ms.

use wavewitness_num::math::wrap_angle;
use wavewitness_types::{Canonical, Sink, Timestamp};

/// Bins of a beacon interval: 2.56 ms each, about the width of a beacon's arrival jitter through a busy channel.
const BINS: usize = 40;
/// Half the width of the beacon window (three bins), in turns of the beacon interval.
const HALF_WINDOW_TURNS: f64 = 1.5 / BINS as f64;
/// Frames that the histogram remembers (exponentially).
const MEMORY_FRAMES: f64 = 200.0;
/// Frames below which nothing is said about a schedule.
const MIN_FRAMES: f64 = 30.0;
/// Below this the period is not refined: the phase is good to about 0.3 ms, so 30 s give 10 ppm.
const REFINE_NS: u64 = 30_000_000_000;

/// A link's beacon schedule, as its arrivals show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BeaconEvidence {
    /// Beacon interval in nanoseconds of host time: nominal until the schedule has been seen for 30 s.
    pub period_ns: f64,
    /// Where in the nominal interval (host time modulo it) the beacons now fall, in nanoseconds.
    pub phase_ns: f64,
    /// Part of the link's recent frames within ±3.75 % of the interval around the phase; 0.075 would be chance.
    pub concentration: f32,
}

impl Canonical for BeaconEvidence {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { period_ns, phase_ns, concentration } = self;
        out.f64(*period_ns);
        out.f64(*phase_ns);
        out.f32(*concentration);
    }
}

/// Arrival phases of one link: a decaying histogram over the nominal interval, its peak, and the peak's drift.
///
/// A histogram and not a circular mean: data frames between the beacons pull a mean away, but don't move the peak.
#[derive(Clone, Debug)]
pub(crate) struct BeaconClock {
    bins: [f64; BINS],
    weight: f64,
    /// Peak in turns, and its share.
    phase: f64,
    share: f64,
    /// When the drift was first measured, the phase at the last measurement, turns drifted since.
    anchor: Option<(Timestamp, f64, f64)>,
}

/// Signed distance of two phases in turns, in (−½, ½].
fn turns_between(a: f64, b: f64) -> f64 {
    use core::f64::consts::TAU;
    wrap_angle((a - b) * TAU) / TAU
}

/// Whether a phase this far from the peak lies in the beacon window.
fn in_window(turns: f64) -> bool {
    (-HALF_WINDOW_TURNS..=HALF_WINDOW_TURNS).contains(&turns)
}

/// Position of a moment in the nominal interval, in turns, 0..1.
pub(crate) fn phase_of(at: Timestamp, period_ns: u64) -> f64 {
    (at.0 % period_ns) as f64 / period_ns as f64
}

impl BeaconClock {
    pub(crate) const EMPTY: BeaconClock =
        BeaconClock { bins: [0.0; BINS], weight: 0.0, phase: 0.0, share: 0.0, anchor: None };

    /// Adds an arrival at a phase in turns, 0..1.
    pub(crate) fn push(&mut self, phase: f64) {
        let keep = 1.0 - 1.0 / MEMORY_FRAMES;
        for b in &mut self.bins {
            *b *= keep;
        }
        // A phase just below 1 may round to BINS.
        let bin = (phase * BINS as f64) as usize % BINS;
        self.bins[bin] += 1.0;
        self.weight = self.weight * keep + 1.0;
        self.find_peak();
    }

    fn find_peak(&mut self) {
        let mut best = 0.0;
        for b in 0..BINS {
            let (before, after) = (self.bins[(b + BINS - 1) % BINS], self.bins[(b + 1) % BINS]);
            let window = before + self.bins[b] + after;
            if window > best {
                best = window;
                let turns = (b as f64 + 0.5 + (after - before) / window) / BINS as f64;
                self.phase = if turns < 0.0 {
                    turns + 1.0
                } else if turns >= 1.0 {
                    turns - 1.0
                } else {
                    turns
                };
            }
        }
        self.share = best / self.weight;
    }

    /// Whether there is a schedule: enough frames, and at least `share` of them in the window.
    pub(crate) fn is_schedule(&self, share: f64) -> bool {
        self.weight >= MIN_FRAMES && self.share >= share
    }

    /// Whether a phase lies in the beacon window.
    pub(crate) fn agrees(&self, phase: f64) -> bool {
        in_window(turns_between(phase, self.phase))
    }

    /// The peak, in turns.
    pub(crate) fn phase(&self) -> f64 {
        self.phase
    }

    /// Measures the peak's drift; to be called now and then.
    pub(crate) fn track(&mut self, at: Timestamp, share: f64) {
        if !self.is_schedule(share) {
            self.anchor = None;
            return;
        }
        self.anchor = match self.anchor {
            Some((since, last, drift)) => {
                let step = turns_between(self.phase, last);
                // A jump of the peak is another schedule of the same radio (several BSSIDs), not drift.
                if !in_window(step) {
                    Some((at, self.phase, 0.0))
                } else {
                    Some((since, self.phase, drift + step))
                }
            }
            None => Some((at, self.phase, 0.0)),
        };
    }

    /// What the arrivals show; `None` without a schedule.
    ///
    /// Beacons of period P′ drift by P′ − P in each of the T/P′ intervals, so `P′ ≈ P (1 + turns·P/T)`.
    pub(crate) fn evidence(&self, at: Timestamp, period_ns: u64, share: f64) -> Option<BeaconEvidence> {
        if !self.is_schedule(share) {
            return None;
        }
        let nominal = period_ns as f64;
        let period = match self.anchor {
            Some((since, _, drift)) if at.nanos_since(since) >= REFINE_NS => {
                nominal + nominal * nominal * drift / at.nanos_since(since) as f64
            }
            _ => nominal,
        };
        Some(BeaconEvidence {
            period_ns: period,
            phase_ns: self.phase * nominal,
            concentration: self.share as f32,
        })
    }
}

#[cfg(test)]
mod tests {
    //! Guards: beacons are found under data frames, chance is not a schedule, a crystal's error is measured.
    use super::*;

    const PERIOD: u64 = 102_400_000;

    fn noise(state: &mut u64) -> f64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    #[test]
    fn beacons_between_data_frames_are_found_and_their_period_measured() {
        let mut clock = BeaconClock::EMPTY;
        let mut rng = 7;
        let true_period = PERIOD as f64 * (1.0 + 40e-6);
        let mut at = Timestamp(0);
        for k in 0..1200u32 {
            at = Timestamp((f64::from(k) * true_period + 100e6 + 1.5e6 * noise(&mut rng)) as u64);
            clock.push(phase_of(at, PERIOD));
            clock.push(noise(&mut rng));
            clock.track(at, 0.25);
        }
        let e = clock.evidence(at, PERIOD, 0.25).unwrap();
        let ppm = (e.period_ns / PERIOD as f64 - 1.0) * 1e6;
        assert!((ppm - 40.0).abs() < 12.0, "{ppm}");
        assert!((e.concentration - 0.54).abs() < 0.08, "{}", e.concentration);
        let now = phase_of(at, PERIOD);
        assert!(clock.agrees(now) && !clock.agrees((now + 0.5) % 1.0));
    }

    #[test]
    fn uniform_arrivals_are_no_schedule() {
        let mut clock = BeaconClock::EMPTY;
        let mut rng = 3;
        for _ in 0..5000 {
            clock.push(noise(&mut rng));
            assert!(!clock.is_schedule(0.25));
        }
        assert_eq!(clock.evidence(Timestamp(1), PERIOD, 0.25), None);
    }
}
