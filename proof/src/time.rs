//! Times in words.

use wavewitness_types::Timestamp;

/// ISO 8601 in UTC with milliseconds: `2026-11-21T03:31:00.250Z`.
pub fn iso8601(at: Timestamp) -> String {
    let ms = at.0 / 1_000_000;
    let (mut days, rest) = (ms / 86_400_000, ms % 86_400_000);
    let leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (h, m, s) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{:02}T{h:02}:{m:02}:{s:02}.{:03}Z", days + 1, rest % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_gregorian() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso8601(Timestamp(seconds * 1_000_000_000)), text);
        }
        assert_eq!(iso8601(Timestamp(u64::MAX)), "2554-07-21T23:34:33.709Z");
    }
}
