//! When a frame was sent, of a transmitter that sends at even intervals.
//!
//! A frame arrives late by what the network holds it up: milliseconds, of which a walker's Doppler shift of 15 Hz makes
//! tenths of a cycle. The least lateness of many frames is next to none (Cristian 1989), and what is sent every period
//! was sent at the same phase of it.

use wavewitness_types::Timestamp;

/// Frames over which the least lateness is taken: two seconds of a mesh at 20 Hz, in which clocks drift by microseconds.
const BLOCK: u32 = 40;
/// A frame that is early by less than this is the new earliest one; by more, it is late by nearly a period.
const EARLY_NS: u64 = 5_000_000;

/// The sending times of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The newest time at which a frame without lateness would have come.
    due: Option<Timestamp>,
    least_ns: u64,
    frames: u32,
}

impl Slot {
    /// When a frame would have arrived that nothing held up, for one that arrived at `at` and is sent every `period_ns`. Frames
    /// that are held up for nearly a period or more are taken for the next one.
    pub fn sent(&mut self, at: Timestamp, period_ns: u64) -> Timestamp {
        let late_ns = match self.due {
            Some(due) if at >= due && period_ns > EARLY_NS => at.nanos_since(due) % period_ns,
            Some(_) => return at,
            None => 0,
        };
        if self.due.is_none() || late_ns > period_ns - EARLY_NS {
            *self = Slot { due: Some(at), least_ns: u64::MAX, frames: 0 };
            return at;
        }
        let sent = Timestamp(at.0 - late_ns);
        self.least_ns = self.least_ns.min(late_ns);
        self.frames += 1;
        self.due = Some(sent);
        if self.frames == BLOCK {
            *self = Slot { due: Some(sent.plus_nanos(self.least_ns)), least_ns: u64::MAX, frames: 0 };
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    //! Guards that lateness goes, that a clock's drift and a jump are followed, and that nothing is made of disorder.
    use super::*;
    use crate::sequence::Sequence;

    const PERIOD_NS: u64 = 50_000_000;

    /// Largest and root mean square error over frames from `first` on, s.
    fn errors(first: u64, frames: u64, sent: impl Fn(u64) -> u64) -> (f64, f64) {
        let (mut slot, mut sequence) = (Slot::default(), Sequence::new());
        let (mut most, mut squares) = (0.0, 0.0);
        for n in 0..frames {
            let late = -3e6 * wavewitness_num::math::ln(1.0 - sequence.uniform());
            let got = slot.sent(Timestamp(sent(n) + late as u64), PERIOD_NS);
            if n >= first {
                let error = (got.0 as f64 - sent(n) as f64) * 1e-9;
                most = wavewitness_num::math::max_f64(most, error.abs());
                squares += error * error / (frames - first) as f64;
            }
        }
        (most, wavewitness_num::math::sqrt(squares))
    }

    #[test]
    fn lateness_goes_also_where_the_clock_drifts() {
        for ppm in [0, 40] {
            let (_, rms) =
                errors(100, 5_000, |n| 1_000_000_000 + n * (PERIOD_NS + PERIOD_NS * ppm / 1_000_000));
            assert!(rms < 4e-4, "{ppm} ppm: {rms} s");
        }
    }

    #[test]
    fn another_slot_is_found_within_two_blocks() {
        let moved = |n: u64| 1_000_000_000 + n * PERIOD_NS + if n < 1000 { 0 } else { 12_000_000 };
        let (most, _) = errors(1_100, 1_200, moved);
        assert!(most < 3e-3, "{most} s");
    }

    #[test]
    fn without_order_or_period_a_frame_keeps_its_time() {
        let mut slot = Slot::default();
        assert_eq!(slot.sent(Timestamp(7_000_000_000), PERIOD_NS), Timestamp(7_000_000_000));
        assert_eq!(slot.sent(Timestamp(6_000_000_000), PERIOD_NS), Timestamp(6_000_000_000));
        assert_eq!(slot.sent(Timestamp(8_001_000_000), 0), Timestamp(8_001_000_000));
    }
}
