//! Text lines of ESP32 tools: one line, one channel frame.
//!
//! The heading of the file is not at hand when a line arrives alone, so the variants are told apart by the number of
//! fields before the list, and by what must be a MAC:
//!
//! | fields | tool | field 1 | sequence | transmitter |
//! |---|---|---|---|---|
//! | 14 | esp-csi, C5/C6 and newer | counter | field 1 | field 2 |
//! | 24 | esp-csi, ESP32/S2/S3/C3 | counter | field 1 | field 2 |
//! | 25 | ESP32-CSI-Tool | role | field 18, the node's clock in µs | field 2 |

use crate::layout::{self, FirstWord, Hints};
use crate::packet::Packet;
use crate::parse::{known_noise, known_rssi};
use crate::raw::known_mac;
use crate::reject::Reject;
use wavewitness_types::{CsiFrame, Mac, NodeId, RadioMeta, Timestamp};

/// No format of lines names its node: all of them are this one.
const NODE: NodeId = NodeId(0);
/// What every line says first.
const TAG: &[u8] = b"CSI_DATA";
/// Table indices that a spreadsheet or data frame may have put in front of a line.
const MAX_LEADING_INDICES: usize = 2;
/// How far into a line its heading is looked for.
const HEADING_BYTES: usize = 48;
/// Fields before the list in the longest variant, with room to see that there are too many.
const MAX_FIELDS: usize = 28;
/// Numbers of the longest list (306 pairs), with room to see that there are too many.
const MAX_NUMBERS: usize = 640;
/// Numbers of a legacy field: ESP32-CSI-Tool can be told to print only this much of a longer buffer.
const LEGACY_NUMBERS: usize = 128;

/// Where a variant keeps what we use.
struct Columns {
    sequence: usize,
    noise: usize,
    channel: usize,
    len: usize,
    first_word: Option<usize>,
    legacy_only: bool,
}

const NEW_ESP_CSI: Columns =
    Columns { sequence: 1, noise: 5, channel: 8, len: 12, first_word: Some(13), legacy_only: false };
const OLD_ESP_CSI: Columns =
    Columns { sequence: 1, noise: 14, channel: 16, len: 22, first_word: Some(23), legacy_only: false };
const CSI_TOOL: Columns =
    Columns { sequence: 18, noise: 14, channel: 16, len: 24, first_word: None, legacy_only: true };
const MAC_COLUMN: usize = 2;
const RSSI_COLUMN: usize = 3;

/// True if a datagram starts as a line or a heading does; no binary magic does.
pub(crate) fn looks_like_text(bytes: &[u8]) -> bool {
    bytes.starts_with(TAG)
        || is_heading(bytes)
        || (bytes.first().is_some_and(u8::is_ascii_digit) && bytes.iter().take(24).any(|&b| b == b','))
}

/// A heading names its first column `type`, after the unnamed index columns that a data frame may have put there.
fn is_heading(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(HEADING_BYTES)];
    let first_is_text = start.first().is_some_and(|b| matches!(b, b',' | b't'));
    first_is_text && start.split(|&b| b == b',').any(|name| name == b"type")
}

/// Reads one line.
pub(crate) fn parse(at: Timestamp, line: &[u8]) -> Result<Packet, Reject> {
    if is_heading(line) {
        return Err(Reject::TextHeading);
    }
    let (head, list) = split(line).ok_or(Reject::BadText)?;
    let mut storage: [&[u8]; MAX_FIELDS] = [&[]; MAX_FIELDS];
    let fields = fields(head, &mut storage).ok_or(Reject::BadText)?;
    let columns = match fields.len() {
        14 => NEW_ESP_CSI,
        24 => OLD_ESP_CSI,
        25 => CSI_TOOL,
        _ => return Err(Reject::BadText),
    };
    let mut payload = [0u8; MAX_NUMBERS];
    let payload = numbers(list, &mut payload)?;
    let number = |column: usize| integer(fields[column]).ok_or(Reject::BadText);
    let len = number(columns.len)?;
    let complete = i64::try_from(payload.len()) == Ok(len);
    let legacy_only = columns.legacy_only && payload.len() == LEGACY_NUMBERS && len > 128;
    if !complete && !legacy_only {
        return Err(Reject::WrongLength);
    }
    let first_word = match columns.first_word.map(number).transpose()? {
        None => FirstWord::Unknown,
        Some(0) => FirstWord::Valid,
        Some(_) => FirstWord::Invalid,
    };
    let placed = layout::place(payload, Hints { first_word, high_efficiency: false })?;
    let frame = CsiFrame {
        at,
        mesh_time: None,
        node: NODE,
        sequence: low_word(number(columns.sequence)?),
        transmitter: known_mac(mac(fields[MAC_COLUMN]).ok_or(Reject::BadText)?),
        layout: placed.layout,
        radio: RadioMeta {
            channel_mhz: channel_mhz(number(columns.channel)?)?,
            rssi_dbm: known_rssi(level(number(RSSI_COLUMN)?)?),
            noise_dbm: known_noise(level(number(columns.noise)?)?),
        },
        samples: placed.samples,
    };
    Ok(if placed.restored { Packet::RestoredCsi(frame) } else { Packet::Csi(frame) })
}

fn trimmed<'a>(bytes: &'a [u8], extra: &[u8]) -> &'a [u8] {
    let surplus = |b: &u8| b.is_ascii_whitespace() || extra.contains(b);
    let start = bytes.iter().position(|b| !surplus(b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !surplus(b)).map_or(start, |k| k + 1);
    &bytes[start..end]
}

/// The fields before the list, and the inside of its brackets; nothing may follow them but a quote.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = trimmed(line, b"\"");
    let open = line.iter().position(|&b| b == b'[')?;
    let inside = line[open + 1..].strip_suffix(b"]")?;
    Some((trimmed(&line[..open], b"\","), inside))
}

/// Splits at commas, from the tag on.
fn fields<'a, 'b>(head: &'a [u8], storage: &'b mut [&'a [u8]; MAX_FIELDS]) -> Option<&'b [&'a [u8]]> {
    let mut parts = head.split(|&b| b == b',').map(|f| trimmed(f, b"\""));
    for _ in 0..MAX_LEADING_INDICES {
        match parts.clone().next() {
            Some(index) if integer(index).is_some() => parts.next(),
            _ => break,
        };
    }
    let mut count = 0;
    for part in parts {
        *storage.get_mut(count)? = part;
        count += 1;
    }
    (count > 0 && storage[0] == TAG).then_some(&storage[..count])
}

/// The list as the bytes of a binary payload; commas and spaces separate.
fn numbers<'a>(list: &[u8], storage: &'a mut [u8; MAX_NUMBERS]) -> Result<&'a [u8], Reject> {
    let mut count = 0;
    for token in list.split(|&b| b == b',' || b.is_ascii_whitespace()).filter(|t| !t.is_empty()) {
        let value = integer(token).and_then(|x| i8::try_from(x).ok()).ok_or(Reject::BadText)?;
        *storage.get_mut(count).ok_or(Reject::WrongLength)? = value.cast_unsigned();
        count += 1;
    }
    if count % 2 == 0 { Ok(&storage[..count]) } else { Err(Reject::WrongLength) }
}

/// A decimal integer of at most 12 digits.
fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || digits.len() > 12 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |v, &d| 10 * v + i64::from(d - b'0'));
    Some(if negative { -value } else { value })
}

/// Clocks are printed as signed 32-bit numbers by some tools: the bits are the counter.
fn low_word(value: i64) -> u32 {
    (value & 0xffff_ffff) as u32
}

/// A level in dBm; some tools print the byte unsigned.
fn level(value: i64) -> Result<i8, Reject> {
    match value {
        -128..=127 => Ok(value as i8),
        128..=255 => Ok((value - 256) as i8),
        _ => Err(Reject::BadHeader),
    }
}

/// Centre of a channel in MHz (IEEE Std 802.11-2020, 15.4.4.3 and 17.3.8.4.2); 0 is unknown.
fn channel_mhz(channel: i64) -> Result<Option<u16>, Reject> {
    match channel {
        0 => Ok(None),
        1..=13 => Ok(Some(2407 + 5 * channel as u16)),
        14 => Ok(Some(2484)),
        32..=177 => Ok(Some(5000 + 5 * channel as u16)),
        _ => Err(Reject::BadHeader),
    }
}

fn mac(text: &[u8]) -> Option<Mac> {
    Mac::parse(core::str::from_utf8(text).ok()?)
}

#[cfg(test)]
mod tests {
    //! Guards the small readers against the shapes that files really have.
    use super::*;

    #[test]
    fn numbers_are_strict() {
        assert_eq!(integer(b"-646763950"), Some(-646_763_950));
        for bad in [&b""[..], b"-", b"+1", b"1.5", b"0x1", b"1234567890123"] {
            assert_eq!(integer(bad), None);
        }
        assert_eq!(low_word(-1), u32::MAX);
        assert_eq!(level(159), Ok(-97));
        assert_eq!(level(300), Err(Reject::BadHeader));
        let mut storage = [0; MAX_NUMBERS];
        assert_eq!(numbers(b" 1 -2, 3,4 ", &mut storage), Ok(&[1, 254, 3, 4][..]));
        assert_eq!(numbers(b"1 2 3", &mut storage), Err(Reject::WrongLength));
        assert_eq!(numbers(b"1 200", &mut storage), Err(Reject::BadText));
        assert_eq!(numbers("1 ".repeat(700).as_bytes(), &mut storage), Err(Reject::WrongLength));
    }

    #[test]
    fn channels_have_their_centres() {
        assert_eq!(channel_mhz(1), Ok(Some(2412)));
        assert_eq!(channel_mhz(14), Ok(Some(2484)));
        assert_eq!(channel_mhz(36), Ok(Some(5180)));
        assert_eq!(channel_mhz(0), Ok(None));
        assert_eq!(channel_mhz(200), Err(Reject::BadHeader));
    }
}
