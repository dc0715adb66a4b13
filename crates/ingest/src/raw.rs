//! Raw channel frames: 0xC5110001 and its two successors with the transmitter's MAC.

use crate::layout::{self, FirstWord, Hints};
use crate::packet::Packet;
use crate::parse::{known_noise, known_rssi};
use crate::reject::Reject;
use wavewitness_types::canonical::Reader;
use wavewitness_types::{CsiFrame, Mac, NodeId, RadioMeta, Timestamp};

/// Which header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
    V3,
}

impl Version {
    fn header_bytes(self) -> usize {
        match self {
            Version::V1 => 20,
            Version::V2 => 26,
            Version::V3 => 28,
        }
    }
}

/// Antennas that a node may claim. The known firmware has 1 hard-coded; more than 4 is no ESP32.
const MAX_ANTENNAS: u8 = 4;
/// 802.11 in the 2.4, 5 and 6 GHz bands, in MHz.
const CHANNEL_MHZ: core::ops::RangeInclusive<u32> = 2400..=7125;
/// Flag bit: the first word of the buffer was invalid and was zeroed.
const FLAG_SANITISED: u8 = 1 << 5;

pub(crate) fn parse(at: Timestamp, bytes: &[u8], version: Version) -> Result<Packet, Reject> {
    let header_bytes = version.header_bytes();
    if bytes.len() < header_bytes {
        return Err(Reject::TooShort);
    }
    let (header, payload) = bytes.split_at(header_bytes);
    let fields = Fields::read(header, version).ok_or(Reject::TooShort)?;
    // Forks use the same magic for other things, so the length must be the header's word exactly.
    if payload.len() != 2 * usize::from(fields.pairs) {
        return Err(Reject::WrongLength);
    }
    if fields.antennas == 0 || fields.antennas > MAX_ANTENNAS {
        return Err(Reject::BadHeader);
    }
    let channel_mhz = match fields.channel_mhz {
        0 => None,
        mhz if CHANNEL_MHZ.contains(&mhz) => u16::try_from(mhz).ok(),
        _ => return Err(Reject::BadHeader),
    };
    let first_word = if fields.flags & FLAG_SANITISED != 0 { FirstWord::Invalid } else { FirstWord::Unknown };
    let hints = Hints { first_word, high_efficiency: (1..=3).contains(&fields.ppdu) };
    let placed = layout::place(payload, hints)?;
    let frame = CsiFrame {
        at,
        mesh_time: None,
        node: fields.node,
        sequence: fields.sequence,
        transmitter: fields.transmitter,
        layout: placed.layout,
        radio: RadioMeta {
            channel_mhz,
            rssi_dbm: known_rssi(fields.rssi),
            noise_dbm: known_noise(fields.noise),
        },
        samples: placed.samples,
    };
    Ok(if placed.restored { Packet::RestoredCsi(frame) } else { Packet::Csi(frame) })
}

struct Fields {
    node: NodeId,
    antennas: u8,
    pairs: u16,
    channel_mhz: u32,
    sequence: u32,
    rssi: i8,
    noise: i8,
    ppdu: u8,
    flags: u8,
    transmitter: Option<Mac>,
}

impl Fields {
    fn read(header: &[u8], version: Version) -> Option<Fields> {
        let mut r = Reader::new(header);
        let _magic = r.u32()?;
        Some(Fields {
            node: NodeId(r.u8()?),
            antennas: r.u8()?,
            pairs: r.u16()?,
            channel_mhz: r.u32()?,
            sequence: r.u32()?,
            rssi: r.u8()?.cast_signed(),
            noise: r.u8()?.cast_signed(),
            ppdu: r.u8()?,
            flags: r.u8()?,
            transmitter: if version == Version::V1 { None } else { known_mac(Mac(r.array()?)) },
        })
    }
}

/// A MAC that names somebody: not all zeros, not the broadcast address.
pub(crate) fn known_mac(mac: Mac) -> Option<Mac> {
    (mac.0 != [0; 6] && mac.0 != [0xff; 6]).then_some(mac)
}
