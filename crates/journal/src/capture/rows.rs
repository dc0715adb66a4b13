//! JSON rows that a RuView recorder wrote: each is turned back into the datagram that the node sent, as far as the
//! recorder kept it. What it lost (frequency, noise, boot time) is zero, which the formats read as unknown.

use super::{Parsed, decimal_seconds};
use serde_json::Value;
use std::collections::BTreeMap;
use wavewitness_types::limits::MAX_DATAGRAM_BYTES;
use wavewitness_types::{Event, Sender, Sink, Timestamp};

const RAW: &str = "0xC5110001";
const VITALS: &str = "0xC5110002";
const FEATURE: &str = "0xC5110003";
const COMPRESSED: &str = "0xC5110005";

/// Raw rows seen of each node: the sequence that the recorder lost.
#[derive(Debug, Default)]
pub(super) struct Counts {
    raw: BTreeMap<u8, u32>,
}

impl Counts {
    pub(super) fn datagram(&mut self, line: &[u8]) -> Parsed {
        let row: Value = serde_json::from_slice(line).map_err(|_| "row that is not JSON")?;
        if !row.is_object() {
            return Err("row that is not an object");
        }
        let at = time(&row).ok_or("row without a time")?;
        let bytes = match row["magic"].as_str() {
            Some(RAW) => self.raw(&row).ok_or("raw row without its payload")?,
            Some(VITALS) => vitals(&row).ok_or("vitals row with fields missing")?,
            Some(FEATURE) => feature(&row).ok_or("feature row with fields missing")?,
            Some(COMPRESSED) => return Err("compressed row, not to be decoded alone"),
            Some(_) => return Err("row of an unknown magic"),
            None => return Err("row without a payload"),
        };
        match row["size"].as_u64() {
            Some(size) if size != bytes.len() as u64 => Err("row whose size is not its payload's"),
            _ if bytes.len() > MAX_DATAGRAM_BYTES => Err("row too long"),
            _ => Ok(Event::Datagram { at, from: Sender::default(), bytes }),
        }
    }

    fn raw(&mut self, row: &Value) -> Option<Vec<u8>> {
        let node = node(row)?;
        let pairs = unhex(row["iq_hex"].as_str()?).filter(|p| p.len().is_multiple_of(2))?;
        let count = u16::try_from(pairs.len() / 2).ok()?;
        let seen = self.raw.entry(node).or_default();
        let sequence = *seen;
        *seen = seen.wrapping_add(1);
        let mut out = header(0xC511_0001, node);
        out.u8(1); // antennas: what the firmware always sends
        out.u16(count);
        out.u32(0); // frequency
        out.u32(sequence);
        out.u8(0); // received signal strength: the recorder kept the antenna count in its place
        out.u8(0); // noise floor
        out.u16(0); // reserved
        out.put(&pairs);
        Some(out)
    }
}

fn header(magic: u32, node: u8) -> Vec<u8> {
    let mut out = Vec::new();
    out.u32(magic);
    out.u8(node);
    out
}

fn vitals(row: &Value) -> Option<Vec<u8>> {
    let mut out = header(0xC511_0002, node(row)?);
    out.u8(small(row, "flags")?);
    out.u16(u16::try_from(scaled(row, "breathing_bpm", 100.0)?).ok()?);
    out.u32(scaled(row, "heartrate_bpm", 10_000.0)?);
    out.put(&i8::try_from(row["rssi"].as_i64()?).ok()?.to_le_bytes());
    out.u8(small(row, "n_persons")?);
    out.u16(0); // reserved
    out.put(&single(&row["motion_energy"])?.to_le_bytes());
    out.put(&single(&row["presence_score"])?.to_le_bytes());
    out.u32(0); // milliseconds since start
    out.u32(0); // reserved
    Some(out)
}

fn feature(row: &Value) -> Option<Vec<u8>> {
    let features = row["features"].as_array().filter(|f| f.len() == 8)?;
    let mut out = header(0xC511_0003, node(row)?);
    out.u8(0); // reserved
    out.u16(u16::try_from(row["seq"].as_u64()?).ok()?);
    out.u64(0); // microseconds since start
    for feature in features {
        out.put(&single(feature)?.to_le_bytes());
    }
    Some(out)
}

/// The recorder's clock, by the digits it wrote.
fn time(row: &Value) -> Option<Timestamp> {
    decimal_seconds(&row["timestamp"].as_number()?.to_string())
}

fn node(row: &Value) -> Option<u8> {
    small(row, "node_id")
}

fn small(row: &Value, key: &str) -> Option<u8> {
    u8::try_from(row[key].as_u64()?).ok()
}

/// The recorder wrote the shortest text of the node's `f32`, widened: narrowing gives its bits back.
fn single(value: &Value) -> Option<f32> {
    Some(value.as_f64()? as f32).filter(|x| x.is_finite())
}

/// A rate as the integer that was sent: the recorder divided it.
fn scaled(row: &Value, key: &str, by: f64) -> Option<u32> {
    let x = row[key].as_f64()? * by + 0.5;
    (x >= 0.0 && x < f64::from(u32::MAX)).then_some(x as u32)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(counts: &mut Counts, line: &str) -> Vec<u8> {
        match counts.datagram(line.as_bytes()) {
            Ok(Event::Datagram { bytes, .. }) => bytes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_raw_row_is_the_datagram_again() {
        let mut counts = Counts::default();
        let line = r#"{"timestamp": 1.5, "node_id": 2, "magic": "0xC5110001", "size": 24, "rssi": 1, "iq_hex": "00ff0d03"}"#;
        for sequence in 0..3u8 {
            let expected =
                [0x01, 0, 0x11, 0xc5, 2, 1, 2, 0, 0, 0, 0, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 13, 3];
            assert_eq!(bytes(&mut counts, line), expected);
        }
    }

    #[test]
    fn vitals_and_features_have_the_wire_layout() {
        let mut counts = Counts::default();
        let line = r#"{"timestamp": 1, "node_id": 1, "magic": "0xC5110002", "size": 32, "rssi": -21, "flags": 4,
            "breathing_bpm": 28.74, "heartrate_bpm": 79.0123, "n_persons": 4, "motion_energy": 6.833011150360107,
            "presence_score": 6.833011150360107}"#;
        let vitals = bytes(&mut counts, &line.replace('\n', " "));
        assert_eq!(vitals.len(), 32);
        assert_eq!(vitals[5], 4);
        assert_eq!(u16::from_le_bytes([vitals[6], vitals[7]]), 2874);
        assert_eq!(u32::from_le_bytes([vitals[8], vitals[9], vitals[10], vitals[11]]), 790_123);
        assert_eq!((vitals[12] as i8, vitals[13]), (-21, 4));
        assert_eq!(f32::from_le_bytes([vitals[16], vitals[17], vitals[18], vitals[19]]), 6.833_011);
        let line = r#"{"timestamp": 1, "node_id": 1, "magic": "0xC5110003", "size": 48, "features": [0.5,1,2,3,4,5,6,7], "seq": 9504}"#;
        let feature = bytes(&mut counts, line);
        assert_eq!((feature.len(), u16::from_le_bytes([feature[6], feature[7]])), (48, 9504));
        assert_eq!(f32::from_le_bytes([feature[16], feature[17], feature[18], feature[19]]), 0.5);
    }

    #[test]
    fn what_can_not_be_restored_is_named() {
        let mut counts = Counts::default();
        for (line, reason) in [
            ("{", "row that is not JSON"),
            ("[1]", "row that is not an object"),
            (r#"{"node_id": 1}"#, "row without a time"),
            (r#"{"timestamp": 1, "node_id": 1}"#, "row without a payload"),
            (
                r#"{"timestamp": 1, "node_id": 300, "magic": "0xC5110001", "iq_hex": "0000"}"#,
                "raw row without its payload",
            ),
            (
                r#"{"timestamp": 1, "node_id": 1, "magic": "0xC5110001", "iq_hex": "0"}"#,
                "raw row without its payload",
            ),
            (
                r#"{"timestamp": 1, "node_id": 1, "magic": "0xC5110001", "size": 9, "iq_hex": "0000"}"#,
                "row whose size is not its payload's",
            ),
            (
                r#"{"timestamp": 1, "magic": "0xC5110005", "size": 9}"#,
                "compressed row, not to be decoded alone",
            ),
        ] {
            assert_eq!(counts.datagram(line.as_bytes()), Err(reason), "{line}");
        }
    }
}
