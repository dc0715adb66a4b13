//! A path's newest frames, and how much they differ by the time between them.

use wavewitness_num::math;
use wavewitness_types::limits::MAX_TONES;
use wavewitness_types::{AlignedFrame, Baseline, Timestamp};

/// Parts of the band whose mean departure is looked at.
const BANDS: usize = 4;
/// Real numbers of a frame.
const PARTS: usize = 2 * BANDS;
/// Frames that are kept.
const KEPT: usize = 48;
/// Classes of time between two frames of a path.
pub const LAGS: usize = 5;
/// Their limits, s: two directions of a pair of nodes, then a cycle and twos of it.
const LAG_S: [f64; LAGS + 1] = [0.004, 0.0188, 0.0375, 0.075, 0.15, 0.3];
/// Over which the mean departure is taken, s.
const LEVEL_S: f64 = 0.5;

/// A frame's departure from the empty room's channel, relative to that: `⟨h, b⟩/⟨b, b⟩ − 1` in each part of the band.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    at: Timestamp,
    departure: [f32; PARTS],
}

/// One pair of antennas. Both directions have the same departure, whatever their receivers.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    samples: [Sample; KEPT],
    count: usize,
    /// When the newest baseline was completed.
    completed: Timestamp,
    /// Sums and numbers of squared differences, by lag, of this cycle.
    sums: [f64; LAGS],
    numbers: [u32; LAGS],
    /// Frames of this cycle, and pairs of frames that are closer than any two that a radio sends.
    heard: u32,
    crowded: u32,
    /// Variance of a frame's departure by noise, all parts together.
    noise: f64,
}

/// What a path says in a cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Reading {
    /// Mean squared difference of two frames by the time between them, less that of noise; `None` without a pair.
    pub change: [Option<f64>; LAGS],
    /// Squared mean departure over the last half second, less that of noise.
    pub level: Option<f64>,
    /// What noise adds to a squared difference.
    pub noise: f64,
    /// Whether a frame arrived in this cycle.
    pub heard: bool,
    /// Whether frames arrived together that were sent apart: then nothing is known of the time between them.
    pub crowded: bool,
}

impl Path {
    pub fn new() -> Path {
        Path {
            samples: [Sample::default(); KEPT],
            count: 0,
            completed: Timestamp::default(),
            sums: [0.0; LAGS],
            numbers: [0; LAGS],
            heard: 0,
            crowded: 0,
            noise: 0.0,
        }
    }

    /// Takes a frame of either direction with that direction's baseline.
    pub fn push(&mut self, frame: &AlignedFrame, baseline: &Baseline) {
        if baseline.completed > self.completed {
            // What was before was measured against another room.
            (self.completed, self.count) = (baseline.completed, 0);
        }
        let Some((departure, noise)) = departure(frame, baseline) else { return };
        // Directions may differ in noise; a mean of the last few is enough.
        self.noise = if self.noise > 0.0 { 0.9 * self.noise + 0.1 * noise } else { noise };
        let sample = Sample { at: frame.at, departure };
        self.heard += 1;
        for other in &self.samples[..self.count] {
            // Datagrams may overtake each other.
            let apart_s = frame.at.seconds_since(other.at) + other.at.seconds_since(frame.at);
            self.crowded += u32::from(apart_s < LAG_S[0]);
            let Some(lag) = (0..LAGS).find(|&k| apart_s >= LAG_S[k] && apart_s < LAG_S[k + 1]) else {
                continue;
            };
            let mut square = 0.0;
            for k in 0..PARTS {
                let d = f64::from(sample.departure[k]) - f64::from(other.departure[k]);
                square += d * d;
            }
            self.sums[lag] += square;
            self.numbers[lag] += 1;
        }
        if self.count == KEPT {
            self.samples.copy_within(1.., 0);
            self.count -= 1;
        }
        self.samples[self.count] = sample;
        self.count += 1;
    }

    /// Whether it has an empty room to compare with.
    pub fn is_calibrated(&self) -> bool {
        self.completed > Timestamp::default()
    }

    /// What the cycle's frames said, and forgets it.
    pub fn end_cycle(&mut self, at: Timestamp) -> Reading {
        let noise = 2.0 * self.noise;
        let (heard, crowded) = (self.heard > 0, self.crowded > 0);
        let mut out = Reading { noise, heard, crowded, ..Reading::default() };
        for k in 0..LAGS {
            if self.numbers[k] > 0 {
                out.change[k] = Some(self.sums[k] / f64::from(self.numbers[k]) - noise);
            }
        }
        (self.sums, self.numbers) = ([0.0; LAGS], [0; LAGS]);
        (self.heard, self.crowded) = (0, 0);
        let mut mean = [0.0; PARTS];
        let mut n = 0.0;
        for s in &self.samples[..self.count] {
            if at.seconds_since(s.at) < LEVEL_S {
                for (m, &d) in mean.iter_mut().zip(&s.departure) {
                    *m += f64::from(d);
                }
                n += 1.0;
            }
        }
        if n > 3.0 {
            let mut square = 0.0;
            for m in mean {
                square += (m / n) * (m / n);
            }
            out.level = Some(square - self.noise / n);
        }
        out
    }
}

/// Departure of a frame, and the variance that noise gives it; `None` where the grids differ or there is no power.
fn departure(frame: &AlignedFrame, baseline: &Baseline) -> Option<([f32; PARTS], f64)> {
    if frame.samples.grid() != baseline.mean.grid() {
        return None;
    }
    let tones = frame.samples.re().len();
    let mut out = [0.0; PARTS];
    let mut noise = 0.0;
    for band in 0..BANDS {
        let range = band * tones / BANDS..(band + 1) * tones / BANDS;
        let (mut re, mut im, mut power, mut variance) = (0.0, 0.0, 0.0, 0.0);
        for k in range {
            let (a, b) = (f64::from(baseline.mean.re()[k]), f64::from(baseline.mean.im()[k]));
            let (x, y) = (f64::from(frame.samples.re()[k]), f64::from(frame.samples.im()[k]));
            re += a * x + b * y;
            im += a * y - b * x;
            power += a * a + b * b;
            variance += (a * a + b * b) * f64::from(baseline.variance[k.min(MAX_TONES - 1)]);
        }
        if power <= 0.0 {
            return None;
        }
        out[2 * band] = (re / power - 1.0) as f32;
        out[2 * band + 1] = (im / power) as f32;
        noise += variance / (power * power);
    }
    Some((out, math::max_f64(noise, 1e-9)))
}

#[cfg(test)]
mod tests {
    //! Guards that both directions of a pair say the same, that noise alone is no change, and that fast is told from slow.
    use super::*;
    use wavewitness_num::math::{cos, sin};
    use wavewitness_types::{LinkId, Quiet, RadioMeta, Samples, ToneGrid};

    fn samples(phase: impl Fn(usize) -> f64, extra: [f64; 2]) -> Samples {
        let mut out = Samples::zero(ToneGrid::Ht20);
        let (re, im) = out.parts_mut();
        for k in 0..re.len() {
            // The same relative departure through another receiver: (b)(1 + extra).
            let (c, s) = (cos(phase(k)), sin(phase(k)));
            re[k] = (c * (1.0 + extra[0]) - s * extra[1]) as f32;
            im[k] = (s * (1.0 + extra[0]) + c * extra[1]) as f32;
        }
        out
    }

    fn baseline(phase: impl Fn(usize) -> f64) -> Baseline {
        Baseline {
            link: LinkId(0),
            empty_room: true,
            observations: 400,
            completed: Timestamp(1),
            mean: samples(phase, [0.0; 2]),
            variance: [1e-3; MAX_TONES],
            quiet_incoherence: Quiet { ln_mean: 0.0, ln_sd: 0.1 },
            quiet_change: Quiet { ln_mean: 0.0, ln_sd: 0.1 },
            rssi_dbm: None,
            rssi_sd_db: None,
        }
    }

    fn frame(at: Timestamp, samples: Samples) -> AlignedFrame {
        AlignedFrame {
            at,
            link: LinkId(0),
            radio: RadioMeta { channel_mhz: None, rssi_dbm: None, noise_dbm: None },
            power_db: 0.0,
            common_phase: 0.0,
            delay_ns: 0.0,
            correlation: 1.0,
            samples,
        }
    }

    /// Readings of a scatterer that turns at a frequency, heard alternately by two unlike receivers.
    fn turning(hz: f64, amplitude: f64) -> Reading {
        let receivers: [fn(usize) -> f64; 2] = [|k| 0.1 * k as f64, |k| 1.0 - 0.03 * k as f64];
        let baselines = receivers.map(baseline);
        let mut path = Path::new();
        let mut reading = Reading::default();
        for cycle in 0..20u64 {
            for (side, b) in baselines.iter().enumerate() {
                let at = Timestamp(1_000_000_000 + cycle * 50_000_000 + side as u64 * 12_500_000);
                let angle = core::f64::consts::TAU * hz * at.0 as f64 * 1e-9;
                let extra = [amplitude * cos(angle), amplitude * sin(angle)];
                path.push(&frame(at, samples(receivers[side], extra)), b);
            }
            reading = path.end_cycle(Timestamp(1_000_000_000 + (cycle + 1) * 50_000_000));
        }
        reading
    }

    #[test]
    fn a_room_that_stands_still_changes_nothing_through_whatever_receiver() {
        let reading = turning(0.0, 0.1);
        let changes: Vec<f64> = reading.change.into_iter().flatten().collect();
        // 12.5 ms between the directions, then multiples of a cycle: no pair is 19 to 37 ms apart.
        assert_eq!(changes.len(), LAGS - 1);
        for change in changes {
            assert!((change + reading.noise).abs() < 1e-6, "exact frames have less than their noise");
        }
        // |departure|² is 0.1² in each part of the band.
        assert!((reading.level.unwrap() - 0.04).abs() < 1e-3);
    }

    #[test]
    fn fast_changes_between_the_directions_and_slow_does_not() {
        // 2 a² (1 − cos 2πfτ) in each part of the band.
        let expected = |hz: f64, lag_s: f64| 8.0 * 0.01 * (1.0 - cos(core::f64::consts::TAU * hz * lag_s));
        for hz in [1.0, 5.0, 20.0] {
            let reading = turning(hz, 0.1);
            let near = reading.change[0].unwrap() + reading.noise;
            let cycle = reading.change[2].unwrap() + reading.noise;
            assert!((near - expected(hz, 0.0125)).abs() < 0.02 * expected(hz, 0.0125) + 1e-6, "{hz} Hz");
            // The lags of a cycle are 37.5 (not in the class), 50 and 62.5 ms.
            assert!(cycle > 0.5 * expected(hz, 0.05) - 1e-6, "{hz} Hz");
        }
        let ratio = |hz| turning(hz, 0.1).change[0].unwrap() / turning(hz, 0.1).change[2].unwrap();
        assert!(ratio(20.0) > 5.0 * ratio(3.0));
    }

    #[test]
    fn another_grid_is_passed_over() {
        let mut path = Path::new();
        let b = baseline(|_| 0.0);
        path.push(&frame(Timestamp(2_000_000_000), Samples::zero(ToneGrid::Legacy20)), &b);
        assert_eq!(path.end_cycle(Timestamp(2_000_000_001)).level, None);
        assert_eq!(path.count, 0);
    }
}
