//! The one module that reads clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
pub use wavewitness_proof::time::iso8601;
use wavewitness_types::Timestamp;

/// Wall time at one moment, carried on by the monotonic clock: timestamps never step back within a process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Instant,
    wall_ns: u64,
}

impl Clock {
    /// Anchors the monotonic clock to the wall clock now.
    #[allow(clippy::disallowed_methods)]
    pub fn start() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { anchor: Instant::now(), wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX) }
    }

    /// Now.
    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.anchor.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Timestamp(self.wall_ns.saturating_add(elapsed))
    }

    /// How far the host's clock is before this one, in nanoseconds: it changes when somebody sets the host's clock.
    #[allow(clippy::disallowed_methods)]
    pub fn host_offset_ns(&self) -> i128 {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        wall.as_nanos() as i128 - i128::from(self.now().0)
    }

    /// How long until `at`; zero if it has passed.
    pub fn until(&self, at: Timestamp) -> Duration {
        Duration::from_nanos(at.nanos_since(self.now()))
    }
}

/// A stopwatch for durations that are reported, never computed with.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[allow(clippy::disallowed_methods)]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Nanoseconds since the start.
    pub fn nanos(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_gregorian() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_775_182_186, "2026-04-03T02:09:46.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso8601(Timestamp(seconds * 1_000_000_000)), text);
        }
    }

    #[test]
    fn the_clock_does_not_step_back() {
        let clock = Clock::start();
        let a = clock.now();
        assert!(clock.now() >= a);
        assert_eq!(clock.until(a), Duration::ZERO);
    }
}
