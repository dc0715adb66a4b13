//! Everything that is not a channel frame: the nodes' own estimates, clock and mesh messages.

use crate::packet::{Feature, FeatureState, FusedVitals, MeshHealth, Packet, Sync, Vitals};
use crate::parse::{known_noise, known_rssi};
use crate::reject::Reject;
use wavewitness_types::NodeId;
use wavewitness_types::canonical::Reader;

const VITALS_BYTES: usize = 32;
const FUSED_BYTES: usize = 48;
const FEATURE_BYTES: usize = 48;
const FEATURE_STATE_BYTES: usize = 60;
const CLASSIFICATION_BYTES: usize = 40;
const SYNC_BYTES: usize = 32;
const MESH_HEADER_BYTES: usize = 16;
const MESH_HEALTH: u8 = 0x06;
const MESH_HEALTH_BYTES: usize = 28;
/// Longest time, in microseconds, whose nanoseconds fit the hub's clock.
const MAX_EPOCH_US: u64 = u64::MAX / 1000;

/// CRC-32 as in IEEE 802.3 (reflected polynomial 0xEDB88320, initial and final complement).
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// A finite float; the wire may hold any bits.
fn float(r: &mut Reader<'_>) -> Result<f32, Reject> {
    let x = f32::from_bits(r.u32().ok_or(Reject::TooShort)?);
    if x.is_finite() { Ok(x + 0.0) } else { Err(Reject::BadHeader) }
}

/// The bytes behind magic and length check.
fn body(bytes: &[u8], length: usize) -> Result<Reader<'_>, Reject> {
    if bytes.len() == length { Ok(Reader::new(&bytes[4..])) } else { Err(Reject::WrongLength) }
}

fn end<T>(value: Option<T>) -> Result<T, Reject> {
    value.ok_or(Reject::TooShort)
}

/// Fields that the plain and the fused vitals share; reads up to byte 28.
fn vitals_head(r: &mut Reader<'_>) -> Result<(Vitals, u8, [u8; 2]), Reject> {
    let node = NodeId(end(r.u8())?);
    let flags = end(r.u8())?;
    let breathing_centibpm = end(r.u16())?;
    let heart_bpm_e4 = end(r.u32())?;
    let rssi_dbm = known_rssi(end(r.u8())?.cast_signed());
    let persons = end(r.u8())?;
    let spare: [u8; 2] = end(r.array())?;
    let vitals = Vitals {
        node,
        presence: flags & 1 != 0,
        fall: flags & 2 != 0,
        motion: flags & 4 != 0,
        breathing_centibpm,
        heart_bpm_e4,
        rssi_dbm,
        persons,
        motion_energy: float(r)?,
        presence_score: float(r)?,
        uptime_ms: end(r.u32())?,
        fused: None,
    };
    Ok((vitals, flags, spare))
}

pub(crate) fn vitals(bytes: &[u8]) -> Result<Vitals, Reject> {
    Ok(vitals_head(&mut body(bytes, VITALS_BYTES)?)?.0)
}

/// One magic, two formats. Module output is `8 + 5·count` bytes long. Fused vitals have 48 bytes, which is also the
/// length of a module output of 8 records; then bytes 6..8 are 8, which as a breathing rate would be 0.08 a minute.
pub(crate) fn fused_or_wasm(bytes: &[u8]) -> Result<Packet, Reject> {
    let mut r = Reader::new(&bytes[4..]);
    let node = NodeId(end(r.u8())?);
    let _module_or_flags = end(r.u8())?;
    let records = end(r.u16())?;
    if bytes.len() == 8 + 5 * usize::from(records) {
        return Ok(Packet::WasmOutput { node, records });
    }
    let mut r = body(bytes, FUSED_BYTES)?;
    let (mut vitals, flags, [radar_type, confidence_percent]) = vitals_head(&mut r)?;
    if flags > 0x0f || confidence_percent > 100 {
        return Err(Reject::BadHeader);
    }
    vitals.fused = Some(FusedVitals {
        radar_present: flags & 8 != 0,
        radar_type,
        confidence_percent,
        heart_bpm: float(&mut r)?,
        breathing_bpm: float(&mut r)?,
        distance_cm: float(&mut r)?,
        targets: end(r.u8())?,
    });
    Ok(Packet::Vitals(vitals))
}

pub(crate) fn feature(bytes: &[u8]) -> Result<Feature, Reject> {
    let mut r = body(bytes, FEATURE_BYTES)?;
    let node = NodeId(end(r.u8())?);
    let _reserved = end(r.u8())?;
    let sequence = end(r.u16())?;
    let uptime_us = end(r.u64())?.cast_signed();
    let mut values = [0.0; 8];
    for value in &mut values {
        *value = float(&mut r)?;
    }
    Ok(Feature { node, sequence, uptime_us, values })
}

pub(crate) fn feature_state(bytes: &[u8]) -> Result<FeatureState, Reject> {
    let mut r = body(bytes, FEATURE_STATE_BYTES)?;
    let (covered, stored) = bytes.split_at(FEATURE_STATE_BYTES - 4);
    if crc32(covered).to_le_bytes() != *stored {
        return Err(Reject::BadCrc);
    }
    let node = NodeId(end(r.u8())?);
    let mode = end(r.u8())?;
    let sequence = end(r.u16())?;
    let uptime_us = end(r.u64())?;
    let mut values = [0.0; 9];
    for value in &mut values {
        *value = float(&mut r)?;
    }
    let quality_flags = end(r.u16())?;
    let rssi_dbm = known_rssi(end(r.u8())?.cast_signed());
    Ok(FeatureState { node, mode, sequence, uptime_us, values, quality_flags, rssi_dbm })
}

pub(crate) fn classification(bytes: &[u8]) -> Result<Packet, Reject> {
    let mut r = body(bytes, CLASSIFICATION_BYTES)?;
    Ok(Packet::Classification { node: NodeId(end(r.u8())?) })
}

pub(crate) fn sync(bytes: &[u8]) -> Result<Sync, Reject> {
    let mut r = body(bytes, SYNC_BYTES)?;
    let node = NodeId(end(r.u8())?);
    let protocol = end(r.u8())?;
    let flags = end(r.u8())?;
    let _reserved = end(r.u8())?;
    let local_us = end(r.u64())?;
    let epoch_us = end(r.u64())?;
    let highest_sequence = end(r.u32())?;
    if protocol != 1 || epoch_us > MAX_EPOCH_US {
        return Err(Reject::BadHeader);
    }
    Ok(Sync {
        node,
        leader: flags & 1 != 0,
        valid: flags & 2 != 0,
        smoothed: flags & 4 != 0,
        local_us,
        epoch_us,
        highest_sequence,
    })
}

pub(crate) fn mesh(bytes: &[u8]) -> Result<Packet, Reject> {
    if bytes.len() < MESH_HEADER_BYTES + 4 {
        return Err(Reject::TooShort);
    }
    let mut r = Reader::new(&bytes[4..]);
    let version = end(r.u8())?;
    let message = end(r.u8())?;
    let _role_and_auth_class: [u8; 2] = end(r.array())?;
    let _epoch = end(r.u32())?;
    let payload_bytes = usize::from(end(r.u16())?);
    let _reserved = end(r.u16())?;
    if bytes.len() != MESH_HEADER_BYTES + payload_bytes + 4 {
        return Err(Reject::WrongLength);
    }
    let (covered, stored) = bytes.split_at(bytes.len() - 4);
    if crc32(covered).to_le_bytes() != *stored {
        return Err(Reject::BadCrc);
    }
    if version != 1 {
        return Err(Reject::BadHeader);
    }
    if message != MESH_HEALTH {
        return Ok(Packet::Mesh { message });
    }
    if payload_bytes != MESH_HEALTH_BYTES {
        return Err(Reject::WrongLength);
    }
    Ok(Packet::MeshHealth(MeshHealth {
        node_id: end(r.array())?,
        local_us: end(r.u64())?,
        role: end(r.u8())?,
        channel: end(r.u8())?,
        bandwidth: end(r.u8())?,
        noise_dbm: known_noise(end(r.u8())?.cast_signed()),
        packet_yield: end(r.u16())?,
        sync_error_us: end(r.u16())?,
        flags: end(r.u16())?,
    }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn crc_is_the_one_of_ieee() {
        // The check value that every catalogue of CRCs gives for CRC-32/ISO-HDLC.
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
