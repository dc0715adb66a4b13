//! Lines that an ESP32 prints: ESP32-CSI-Tool and esp-csi, with or without a header.

use super::{IGNORED, Parsed, decimal_seconds};
use wavewitness_types::limits::MAX_DATAGRAM_BYTES;
use wavewitness_types::{Event, Sender, Timestamp};

/// Every data line holds it; what stands before it on the line (an index column, a logger's prefix) is not ours.
pub(super) const MARK: &[u8] = b"CSI_DATA";

/// Where the time stands, counted from the column of `CSI_DATA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    /// Microseconds since the node's start; 32 bits, which some print as signed.
    local: usize,
    /// 1 if the node had set its clock, and the clock in seconds.
    real: Option<(usize, usize)>,
}

impl Columns {
    /// From a header line.
    fn of_header(line: &str) -> Option<Columns> {
        let first = line.split(',').position(|name| name.trim() == "type")?;
        let column = |name: &str| line.split(',').skip(first).position(|n| n.trim() == name);
        let real = column("real_time_set").zip(column("real_timestamp"));
        Some(Columns { local: column("local_timestamp")?, real })
    }

    /// Without a header, by the number of columns before the list of values.
    fn of_count(count: usize) -> Option<Columns> {
        match count {
            // ESP32-CSI-Tool
            25 => Some(Columns { local: 18, real: Some((22, 23)) }),
            // esp-csi on ESP32, S2, S3, C3
            24 => Some(Columns { local: 18, real: None }),
            // esp-csi on C5, C6
            14 => Some(Columns { local: 9, real: None }),
            _ => None,
        }
    }
}

/// Puts lines on one time line.
///
/// The first line's time is the node's own clock if it had been set (`real_time_set`), else its time since start. From
/// there on the microsecond counter decides, unwrapped at 32 bits; when it steps back (a restart), time stands still
/// for that line.
#[derive(Debug, Default)]
pub(super) struct Clock {
    header: Option<Columns>,
    last: Option<(u32, Timestamp)>,
}

impl Clock {
    pub(super) fn datagram(&mut self, line: &[u8]) -> Parsed {
        let text = std::str::from_utf8(line).map_err(|_| "line that is not text")?;
        if text.contains("local_timestamp") {
            self.header = Columns::of_header(text);
            return Err(IGNORED);
        }
        let start = line.windows(MARK.len()).position(|w| w == MARK).ok_or("line without CSI")?;
        let text = &text[start..];
        if text.len() > MAX_DATAGRAM_BYTES {
            return Err("line too long");
        }
        let (fields, _) = text.split_once('[').ok_or("line without values")?;
        let fields: Vec<&str> =
            fields.trim_end_matches(['"', ' ']).trim_end_matches(',').split(',').collect();
        let columns = self.header.or(Columns::of_count(fields.len())).ok_or("line of an unknown layout")?;
        let at = self.time(&fields, columns).ok_or("line without a time")?;
        Ok(Event::Datagram { at, from: Sender::default(), bytes: text.as_bytes().to_vec() })
    }

    fn time(&mut self, fields: &[&str], columns: Columns) -> Option<Timestamp> {
        let local: i64 = fields.get(columns.local)?.trim().parse().ok()?;
        let local = u32::try_from(local).or_else(|_| i32::try_from(local).map(|x| x as u32)).ok()?;
        let at = match self.last {
            None => {
                let real = columns.real.filter(|(set, _)| fields.get(*set).is_some_and(|f| f.trim() == "1"));
                let real = real.and_then(|(_, real)| decimal_seconds(fields.get(real)?.trim()));
                real.unwrap_or(Timestamp(u64::from(local) * 1000))
            }
            Some((before, at)) => {
                let ahead = local.wrapping_sub(before);
                at.plus_nanos(if ahead < 1 << 31 { u64::from(ahead) * 1000 } else { 0 })
            }
        };
        self.last = Some((local, at));
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn esp_csi(local: &str) -> String {
        format!("CSI_DATA,1,aa:bb:cc:dd:ee:ff,-43,11,159,14,29,8,{local},44,0,4,0,\"[17,-25,20,-25]\"")
    }

    fn at(parsed: Parsed) -> u64 {
        parsed.unwrap().at().0
    }

    #[test]
    fn the_counter_is_unwrapped_signed_or_not() {
        let mut clock = Clock::default();
        let first = at(clock.datagram(esp_csi("-1000").as_bytes()));
        assert_eq!(first, ((1u64 << 32) - 1000) * 1000);
        assert_eq!(at(clock.datagram(esp_csi("4294967000").as_bytes())) - first, 704_000);
        assert_eq!(at(clock.datagram(esp_csi("500").as_bytes())) - first, 1_500_000);
        // A restart: the counter steps back, time does not.
        assert_eq!(at(clock.datagram(esp_csi("100").as_bytes())) - first, 1_500_000);
        assert_eq!(at(clock.datagram(esp_csi("1100").as_bytes())) - first, 2_500_000);
    }

    #[test]
    fn a_header_moves_the_columns_and_a_prefix_is_cut() {
        let mut clock = Clock::default();
        let header = ",type,id,mac,local_timestamp,len,data";
        assert_eq!(clock.datagram(header.as_bytes()), Err(IGNORED));
        let line = "0,CSI_DATA,7,aa:bb,2000,2,\"[1,2]\"";
        match clock.datagram(line.as_bytes()) {
            Ok(Event::Datagram { at: Timestamp(2_000_000), bytes, .. }) => {
                assert_eq!(bytes, b"CSI_DATA,7,aa:bb,2000,2,\"[1,2]\"");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_clock_that_was_set_gives_the_start() {
        let line = |set: u8| {
            format!(
                "CSI_DATA,AP,m,-73,11,1,0,1,1,1,0,0,0,0,-93,0,1,1,80272146,0,101,0,{set},1775182186.5,4,[1 2 3 4 ]"
            )
        };
        assert_eq!(at(Clock::default().datagram(line(1).as_bytes())), 1_775_182_186_500_000_000);
        assert_eq!(at(Clock::default().datagram(line(0).as_bytes())), 80_272_146_000);
    }

    #[test]
    fn what_has_no_time_is_not_given_one() {
        let mut clock = Clock::default();
        assert_eq!(clock.datagram(b"CSI_DATA,1,2,3,[1 2]"), Err("line of an unknown layout"));
        assert_eq!(clock.datagram(esp_csi("soon").as_bytes()), Err("line without a time"));
        assert_eq!(clock.datagram(b"I (300) boot: hello"), Err("line without CSI"));
        assert_eq!(clock.datagram(b"CSI_DATA,1,2"), Err("line without values"));
    }
}
