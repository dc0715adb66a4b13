//! What a segment's file is made of: channels, seals, limits. `docs/journal.md` shows it by example.

use mcap::records::op;
use wavewitness_types::canonical::Reader;
use wavewitness_types::{CycleIndex, Sink};

/// Bytes of the largest chunk, before and after compression.
pub const MAX_CHUNK_BYTES: usize = 16 << 20;
/// Bytes of the largest chunk with its message indexes and its seal; an index entry takes 16 bytes a message and a
/// message at least 31.
pub(crate) const MAX_GROUP_BYTES: usize = 2 * MAX_CHUNK_BYTES;
/// Bytes of the largest index at a segment's end that is checked.
pub(crate) const MAX_TRAILER_BYTES: usize = 64 << 20;
/// Opcode and length of a record.
pub(crate) const RECORD_HEADER_BYTES: usize = 9;
/// The MCAP profile.
pub(crate) const PROFILE: &str = "wavewitness";
/// Name of the metadata record that says what the segment is.
pub(crate) const METADATA_NAME: &str = "wavewitness.segment";
/// Version of this format.
pub(crate) const FORMAT_VERSION: &str = "1";

/// The channels of a segment, in the order of their ids, which are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Channel {
    Genesis = 1,
    Head = 2,
    Events = 3,
    Witness = 4,
    Pose = 5,
}

impl Channel {
    pub(crate) const ALL: [Channel; 5] =
        [Channel::Genesis, Channel::Head, Channel::Events, Channel::Witness, Channel::Pose];

    pub(crate) fn topic(self) -> &'static str {
        match self {
            Channel::Genesis => "genesis",
            Channel::Head => "head",
            Channel::Events => "events",
            Channel::Witness => "witness",
            Channel::Pose => "pose",
        }
    }

    /// A text that tells a stranger how to read the bytes.
    pub(crate) fn schema(self) -> &'static str {
        match self {
            Channel::Genesis => "canonical bytes of the chain's genesis record: docs/witness.md",
            Channel::Head => "state of the witness chain that this segment continues from: docs/witness.md",
            Channel::Events => {
                "little-endian, no padding: kind u8, at u64 (ns since 1970), then by kind\n\
                 0 datagram: sender ip [u8;16] (IPv4 mapped), sender port u16, length u32, bytes\n\
                 1 tick: cycle u64\n\
                 2 command: code u8 (0 start, 1 cancel, 2 clear calibration)\n\
                 3 boot: boot id u64, resumed after (u8 0, or u8 1 and u64), next cycle u64, unclean u8,\n\
                 \x20 discarded bytes u64, baselines (length u32, bytes)\n\
                 4 stop\n"
            }
            Channel::Witness => "canonical bytes of the cycle's witness record: docs/witness.md",
            Channel::Pose => {
                "canonical bytes of the cycle's pose frame: crate wavewitness-types, module pose_frame"
            }
        }
    }

    pub(crate) fn from_id(id: u16) -> Option<Channel> {
        Channel::ALL.into_iter().find(|c| *c as u16 == id)
    }
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum GroupKind {
    /// Genesis and head: the first chunk of a segment.
    Start = 0,
    /// A cycle.
    Cycle = 1,
    /// An entry between cycles.
    Entry = 2,
}

/// The private record after each chunk and its message indexes. Its checksum is the CRC-32 of everything from the end
/// of the seal before (or the start of the file) up to the checksum itself.
///
/// > Why? MCAP's own chunk checksum covers the uncompressed content only: a flipped bit in a chunk's header, in a
/// > message index or in an unused bit of the compressed frame passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) kind: GroupKind,
    /// Number of the chunk in its segment, from 0.
    pub(crate) ordinal: u32,
    /// The cycle; for other kinds the cycle written before, or `None`.
    pub(crate) cycle: Option<CycleIndex>,
    /// Bytes of this file that were known to be on the disk when the chunk was written. Salvage tells by it what a
    /// power cut lost (after) from what rotted (before).
    pub(crate) durable: u64,
}

impl Seal {
    /// Private records have opcodes from 0x80.
    pub(crate) const OPCODE: u8 = 0x97;
    /// First bytes of the content: found again by them when lengths are damaged.
    pub(crate) const MAGIC: [u8; 8] = *b"\x97wwSeal1";
    /// Bytes of the content.
    pub(crate) const BYTES: usize = 8 + 1 + 4 + 8 + 8 + 4;
    const NO_CYCLE: u64 = u64::MAX;

    /// The content, given everything since the seal before.
    pub(crate) fn encode(&self, group: &[u8]) -> Vec<u8> {
        let Seal { kind, ordinal, cycle, durable } = *self;
        let mut record = vec![Seal::OPCODE];
        record.u64(Seal::BYTES as u64);
        record.put(&Seal::MAGIC);
        record.u8(kind as u8);
        record.u32(ordinal);
        record.u64(cycle.map_or(Seal::NO_CYCLE, |c| c.0));
        record.u64(durable);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(group);
        hasher.update(&record);
        record.u32(hasher.finalize());
        record.split_off(RECORD_HEADER_BYTES)
    }

    /// Reads the content; the second value is the checksum that it holds.
    pub(crate) fn decode(content: &[u8]) -> Option<(Seal, u32)> {
        let mut r = Reader::new(content);
        if r.array()? != Seal::MAGIC {
            return None;
        }
        let kind = match r.u8()? {
            0 => GroupKind::Start,
            1 => GroupKind::Cycle,
            2 => GroupKind::Entry,
            _ => return None,
        };
        let ordinal = r.u32()?;
        let cycle = Some(r.u64()?).filter(|&c| c != Seal::NO_CYCLE).map(CycleIndex);
        let seal = Seal { kind, ordinal, cycle, durable: r.u64()? };
        let crc = r.u32()?;
        r.finished()?;
        Some((seal, crc))
    }
}

/// The least end of a segment: `DataEnd`, `Footer` and the end magic, without an index. Readers that want one read
/// from front to back instead.
pub(crate) fn minimal_trailer(data_crc: u32) -> Vec<u8> {
    let mut out = vec![op::DATA_END];
    out.u64(4);
    out.u32(data_crc);
    let footer = out.len();
    out.u8(op::FOOTER);
    out.u64(20);
    out.u64(0);
    out.u64(0);
    let crc = crc32fast::hash(&out[footer..]);
    out.u32(crc);
    out.put(mcap::MAGIC);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_round_trips_and_covers_the_group() {
        let seal = Seal { kind: GroupKind::Cycle, ordinal: 7, cycle: Some(CycleIndex(99)), durable: 1 << 40 };
        let content = seal.encode(b"group");
        assert_eq!(content.len(), Seal::BYTES);
        let (read, crc) = Seal::decode(&content).unwrap();
        assert_eq!(read, seal);
        assert_ne!(crc, Seal::decode(&seal.encode(b"gruop")).unwrap().1);
    }

    #[test]
    fn channel_ids_round_trip() {
        for channel in Channel::ALL {
            assert_eq!(Channel::from_id(channel as u16), Some(channel));
        }
        assert_eq!(Channel::from_id(6), None);
    }
}
