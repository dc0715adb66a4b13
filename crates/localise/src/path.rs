//! A path: what its frames are measured against, and the last of them as signals.

use crate::Config;
use crate::feature::{Gauge, SIGNALS, Scratch};
use crate::fresnel::Fresnel;
use crate::geometry::{Antenna, distance_m};
use crate::shade::{Reading, Shade, shape_power, trust};
use crate::spectrum::Scatter;
use crate::window::{LEAST, LENGTH_S, MOST, Window};
use wavewitness_num::math;
use wavewitness_types::{Baseline, Room, Samples, Timestamp};

/// What is read of who keeps still is the mean of so long, s, of so many frames at least.
pub(crate) const READ_S: f64 = 0.25;
/// Readings that are remembered: phases are learnt from the oldest of them, since what comes after it tells, too, where somebody was.
pub(crate) const READINGS: usize = 9;
const LEAST_READ: usize = 3;
/// Squared change of a reading's logarithms below which nothing is new, and what more of it makes all new. (Readings of places
/// 0.15 m apart differ by half of what any two do.)
const SAME: f64 = 1.0;
const OTHER: f64 = 5.0;

/// A frame of either direction as signals in units of their noise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub at: Timestamp,
    pub signals: [f32; SIGNALS],
}

/// The newest frames, ascending in time.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    samples: [Sample; MOST],
    count: usize,
}

impl Ring {
    pub fn new() -> Ring {
        Ring { samples: [Sample::default(); MOST], count: 0 }
    }

    pub fn clear(&mut self) {
        self.count = 0;
    }

    pub fn push(&mut self, sample: Sample) {
        if self.count == MOST {
            self.samples.copy_within(1.., 0);
            self.count -= 1;
        }
        let place = self.samples[..self.count].partition_point(|s| s.at <= sample.at);
        self.samples.copy_within(place..self.count, place + 1);
        self.samples[place] = sample;
        self.count += 1;
    }

    /// True if the window that ends at a time has enough frames.
    pub fn is_full(&self, end: Timestamp) -> bool {
        self.since(end, LENGTH_S).len() >= LEAST
    }

    /// Frames of the `length_s` before `end`.
    pub fn since(&self, end: Timestamp, length_s: f64) -> &[Sample] {
        let all = &self.samples[..self.count];
        let until = all.partition_point(|s| s.at <= end);
        let from = all[..until].partition_point(|s| end.seconds_since(s.at) >= length_s);
        &all[from..until]
    }
}

/// A pair of antennas.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub ends: [Antenna; 2],
    pub direct_m: f64,
    pub gauge: Gauge,
    pub ring: Ring,
    pub window: Window,
    pub shade: Shade,
    pub reading: Reading,
    /// It and those before, by the numbers of their windows.
    pub past: [Reading; READINGS],
    /// Whether there were frames enough for the newest one.
    pub is_read: bool,
    /// Logarithms of the reading that was counted last; zero is the empty room's.
    counted: [f64; SIGNALS],
}

impl Path {
    pub fn new(ends: [Antenna; 2], shade: Shade) -> Path {
        Path {
            direct_m: distance_m(ends[0].at_m, ends[1].at_m),
            ends,
            gauge: Gauge::new(),
            ring: Ring::new(),
            window: Window::new(),
            shade,
            reading: Reading::default(),
            past: [Reading::default(); READINGS],
            is_read: false,
            counted: [0.0; SIGNALS],
        }
    }

    /// Scattered power relative to the static channel's of 1 m² at 1 m from both ends: the bistatic radar equation over the
    /// static channel, λ²σ/((4π)³ d₁² d₂²) over 10^((level − sent)/10).
    pub fn scattered(&self, config: &Config) -> Option<f64> {
        let four_pi = 4.0 * core::f64::consts::PI;
        let level_dbm = self.gauge.level_dbm?;
        let channel = math::exp((level_dbm - config.transmit_dbm) * core::f64::consts::LN_10 / 10.0);
        Some(config.wavelength_m * config.wavelength_m / (four_pi * four_pi * four_pi) / channel)
    }

    /// The empty room's reading counts as the last one.
    pub fn forget(&mut self) {
        self.counted = [0.0; SIGNALS];
        self.past = [Reading::default(); READINGS];
    }

    /// Reads what stands in the way: each reading counts by what of it is new.
    pub fn read(&mut self, end: Timestamp, power: f64, window: usize) {
        let reading = self.look(end, power);
        self.is_read = reading.is_some();
        self.reading = reading.unwrap_or_default();
        self.past[window % READINGS] = self.reading;
    }

    fn look(&mut self, end: Timestamp, power: f64) -> Option<Reading> {
        let samples = self.ring.since(end, READ_S);
        if samples.len() < LEAST_READ || !self.shade.known {
            return None;
        }
        let mut signals = [0.0; SIGNALS];
        let (mut change, mut logs) = (0.0, [0.0; SIGNALS]);
        for k in 0..SIGNALS {
            let sum: f64 = samples.iter().map(|s| f64::from(s.signals[k])).sum();
            let mean = sum / samples.len() as f64;
            signals[k] = mean as f32;
            let size = math::ln(1.0 + 0.5 * mean.abs());
            logs[k] = if mean < 0.0 { -size } else { size };
            change += (logs[k] - self.counted[k]) * (logs[k] - self.counted[k]);
        }
        let new = math::max_f64(0.0, math::min_f64(1.0, (change - SAME) / OTHER));
        for k in 0..SIGNALS {
            self.counted[k] += new * (logs[k] - self.counted[k]);
        }
        let known = self.shade.phases_known();
        let trust = trust(known, self.gauge.is_wide());
        Some(Reading { signals, new, power: power * new, shapes: shape_power(known), trust })
    }

    /// Takes a frame; false if it can't be used.
    pub fn observe(
        &mut self,
        direction: usize,
        at: Timestamp,
        baseline: &Baseline,
        samples: &Samples,
        rssi_dbm: Option<f32>,
        scratch: &mut Scratch,
        (config, room, fresnel): (&Config, &Room, &Fresnel),
    ) -> bool {
        if self.gauge.adopt(direction, baseline, scratch, self.shade.rays()) {
            self.ring.clear();
            self.forget();
            if let Some(scale) = self.scattered(config) {
                let body_z_m = room.min_m[2] + config.scatter_height_m;
                let power = scale * math::exp(config.ln_section);
                let scatter = Scatter::new(config);
                self.shade.adopt(&self.gauge, &self.ends, self.direct_m, body_z_m, &scatter, power, fresnel);
            }
        }
        let Some(signals) = self.gauge.signals(direction, samples, rssi_dbm) else { return false };
        self.ring.push(Sample { at, signals });
        true
    }
}

/// Whether all frames of the present windows are wider than 20 MHz.
pub(crate) fn are_wide(paths: &[Path]) -> bool {
    paths.iter().filter(|p| p.window.known).all(|p| p.gauge.is_wide())
}

#[cfg(test)]
mod tests {
    //! Guards that a reading counts once, and again when something else stands in the way.
    use super::*;
    use crate::rays::{MOST_RAYS, Walls};

    const ROOM: Room = Room { min_m: [0.0; 3], max_m: [6.0, 5.0, 2.6] };

    impl Path {
        /// Whose shadows are known.
        pub fn along_a_wall() -> Path {
            let ends_m = [[0.3, 0.4, 1.4], [5.7, 0.4, 1.8]];
            let walls = Walls { room: ROOM, reflected: 0.25, wavelength_m: 0.123 };
            let mut shade = Shade::new(ends_m, &walls, MOST_RAYS, &Fresnel::new());
            shade.known = true;
            Path::new(ends_m.map(|at_m| Antenna::new(at_m, &ROOM)), shade)
        }
    }

    /// Half a second of a level, then a look.
    fn hear(path: &mut Path, level: f32, end_ns: u64) -> f64 {
        for n in 0..20 {
            let wobble = if n % 2 == 0 { 0.5 } else { -0.5 };
            let at = Timestamp(end_ns - 475_000_000 + n * 25_000_000);
            path.ring.push(Sample { at, signals: [level + wobble; SIGNALS] });
        }
        path.read(Timestamp(end_ns), 1.0, 0);
        path.reading.power
    }

    #[test]
    fn who_keeps_still_counts_once() {
        let mut path = Path::along_a_wall();
        assert_eq!(hear(&mut path, 0.2, 10_000_000_000), 0.0, "an empty room");
        assert_eq!(hear(&mut path, 12.0, 11_000_000_000), 1.0, "somebody");
        for n in 12..20 {
            assert_eq!(hear(&mut path, 12.0, n * 1_000_000_000), 0.0, "the same");
        }
        assert_eq!(hear(&mut path, -9.0, 20_000_000_000), 1.0, "elsewhere");
        path.forget();
        assert_eq!(hear(&mut path, -9.0, 21_000_000_000), 1.0, "somebody new");
    }

    #[test]
    fn few_frames_or_no_baseline_are_no_reading() {
        let mut path = Path::along_a_wall();
        path.ring.push(Sample { at: Timestamp(1_000_000_000), signals: [12.0; SIGNALS] });
        path.read(Timestamp(1_000_000_000), 1.0, 0);
        assert_eq!(path.reading.power, 0.0);
        path.shade.known = false;
        assert_eq!(hear(&mut path, 12.0, 3_000_000_000), 0.0);
    }
}
