//! The one module that reads clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
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

/// ISO 8601 in UTC with milliseconds: `2026-11-21T03:31:00.250Z`.
pub fn iso8601(at: Timestamp) -> String {
    let ms = at.0 / 1_000_000;
    let (days, in_day) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = civil_from_days(days);
    let (h, m, s, frac) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1000 % 60, in_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{frac:03}Z")
}

/// Proleptic Gregorian date of a day number since 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`, for days that are not negative).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
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
