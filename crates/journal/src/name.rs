//! Names of chains and segments, in file names and reports.

use std::fmt;

/// The first eight bytes of a chain's genesis digest, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainId(pub u64);

impl ChainId {
    /// From a digest of the genesis record: its hexadecimal text starts with this id's.
    pub fn from_digest(digest: &[u8; 32]) -> ChainId {
        let [a, b, c, d, e, f, g, h, ..] = *digest;
        ChainId(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// Reads 16 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<ChainId> {
        let hex = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        hex.then(|| u64::from_str_radix(text, 16).ok().map(ChainId)).flatten()
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A segment of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// The chain.
    pub chain: ChainId,
    /// Its number, from 0.
    pub number: u32,
}

impl SegmentName {
    /// File name once finished.
    pub fn file(self) -> String {
        format!("{self}.mcap")
    }

    /// File name while being written.
    pub fn part_file(self) -> String {
        format!("{self}.mcap.part")
    }

    /// Reads a file name; the second value is true for a `.part`.
    pub fn parse_file(name: &str) -> Option<(SegmentName, bool)> {
        let (stem, part) = match name.strip_suffix(".mcap") {
            Some(stem) => (stem, false),
            None => (name.strip_suffix(".mcap.part")?, true),
        };
        Some((SegmentName::parse(stem)?, part))
    }

    /// Reads `<chain>-<number>`.
    pub fn parse(text: &str) -> Option<SegmentName> {
        let (chain, number) = text.split_once('-')?;
        if number.len() != 8 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(SegmentName { chain: ChainId::parse(chain)?, number: number.parse().ok()? })
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08}", self.chain, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_round_trip_and_strangers_are_ignored() {
        let name = SegmentName { chain: ChainId(0x00ab_cdef_0123_4567), number: 42 };
        assert_eq!(name.file(), "00abcdef01234567-00000042.mcap");
        assert_eq!(SegmentName::parse_file(&name.file()), Some((name, false)));
        assert_eq!(SegmentName::parse_file(&name.part_file()), Some((name, true)));
        for stranger in
            ["a.mcap", "00ABCDEF01234567-00000042.mcap", "00abcdef01234567-42.mcap", "journal.lock"]
        {
            assert_eq!(SegmentName::parse_file(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_chain_id_is_the_start_of_its_digest() {
        let mut digest = [0xee; 32];
        digest[..8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(ChainId::from_digest(&digest).to_string(), "0102030405060708");
    }
}
