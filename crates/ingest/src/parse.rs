//! One datagram to one packet: by magic and exact length.

use crate::packet::Packet;
use crate::reject::Reject;
use crate::{csv, hints, raw};
use wavewitness_types::limits::MAX_DATAGRAM_BYTES;
use wavewitness_types::{NodeId, Timestamp};

/// First four bytes of each binary format, little-endian.
pub(crate) mod magic {
    pub const RAW_CSI: u32 = 0xC511_0001;
    pub const VITALS: u32 = 0xC511_0002;
    pub const FEATURE: u32 = 0xC511_0003;
    pub const FUSED_OR_WASM: u32 = 0xC511_0004;
    pub const COMPRESSED_CSI: u32 = 0xC511_0005;
    pub const FEATURE_STATE: u32 = 0xC511_0006;
    pub const CLASSIFICATION: u32 = 0xC511_0007;
    pub const CSI_V2: u32 = 0xC511_0008;
    pub const CSI_V3: u32 = 0xC511_000A;
    pub const SYNC: u32 = 0xC511_A110;
    pub const MESH: u32 = 0xC511_8100;
    /// The first eight bytes of our own simulation marker.
    pub const SIMULATION: &[u8; 8] = b"WWSIM001";
}

/// Reads one datagram that arrived at `at`. Pure, total, without allocation.
///
/// # Errors
/// Why the datagram is of no use; see [`Reject`].
pub fn parse(at: Timestamp, bytes: &[u8]) -> Result<Packet, Reject> {
    if bytes.len() > MAX_DATAGRAM_BYTES {
        return Err(Reject::TooLong);
    }
    if let Some(rest) = bytes.strip_prefix(magic::SIMULATION) {
        let seed = rest.try_into().map_err(|_| Reject::WrongLength)?;
        return Ok(Packet::SimulationMarker { seed: u64::from_le_bytes(seed) });
    }
    if csv::looks_like_text(bytes) {
        return csv::parse(at, bytes);
    }
    let first = bytes.first_chunk::<4>().ok_or(Reject::TooShort)?;
    match u32::from_le_bytes(*first) {
        magic::RAW_CSI => raw::parse(at, bytes, raw::Version::V1),
        magic::CSI_V2 => raw::parse(at, bytes, raw::Version::V2),
        magic::CSI_V3 => raw::parse(at, bytes, raw::Version::V3),
        magic::VITALS => hints::vitals(bytes).map(Packet::Vitals),
        magic::FEATURE => hints::feature(bytes).map(Packet::Feature),
        magic::FUSED_OR_WASM => hints::fused_or_wasm(bytes),
        magic::COMPRESSED_CSI => Err(Reject::NotAlone),
        magic::FEATURE_STATE => hints::feature_state(bytes).map(Packet::FeatureState),
        magic::CLASSIFICATION => hints::classification(bytes),
        magic::SYNC => hints::sync(bytes).map(Packet::Sync),
        magic::MESH => hints::mesh(bytes),
        _ => Err(Reject::UnknownMagic),
    }
}

/// The node that a rejected datagram claims to come from: byte 4 of every binary format of the nodes but the mesh's.
pub(crate) fn claimed_node(bytes: &[u8]) -> Option<NodeId> {
    let first = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
    let known =
        (magic::RAW_CSI..=magic::CSI_V2).contains(&first) || first == magic::CSI_V3 || first == magic::SYNC;
    if known { bytes.get(4).map(|&id| NodeId(id)) } else { None }
}

/// A level that the node may not know: 0 and 127 are its ways of saying so.
pub(crate) fn known_rssi(dbm: i8) -> Option<i8> {
    (dbm != 0 && dbm != 127).then_some(dbm)
}

/// A noise floor that the node may not know: 0 is its way of saying so.
pub(crate) fn known_noise(dbm: i8) -> Option<i8> {
    (dbm != 0).then_some(dbm)
}
