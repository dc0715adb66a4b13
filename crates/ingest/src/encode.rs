//! The wire formats the other way, for the simulator, the importer and the tests. Appends nothing but clears and
//! fills `out`: one call, one datagram.

use crate::hints::crc32;
use crate::packet::{FeatureState, Sync, Vitals};
use crate::parse::magic;
use wavewitness_types::{Mac, NodeId};

/// What the header of a raw channel frame says. `None` goes out as the wire's own "unknown".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsiHeader {
    /// The node.
    pub node: NodeId,
    /// Its counter.
    pub sequence: u32,
    /// Channel centre in MHz.
    pub channel_mhz: Option<u16>,
    /// Received signal strength in dBm.
    pub rssi_dbm: Option<i8>,
    /// Noise floor in dBm.
    pub noise_dbm: Option<i8>,
    /// PPDU type byte: 0 HT or legacy, 1..=3 HE, 255 unknown.
    pub ppdu: u8,
    /// Flag byte: bit 0 40 MHz, 2 STBC, 3 LDPC, 4 time synchronised, 5 first word zeroed.
    pub flags: u8,
}

impl CsiHeader {
    /// A header in which nothing but the node and its counter is known, as a JSON-lines recording leaves it.
    pub fn bare(node: NodeId, sequence: u32) -> CsiHeader {
        CsiHeader { node, sequence, channel_mhz: None, rssi_dbm: None, noise_dbm: None, ppdu: 0, flags: 0 }
    }

    fn put(&self, magic: u32, pairs: usize, out: &mut Vec<u8>) {
        let Self { node, sequence, channel_mhz, rssi_dbm, noise_dbm, ppdu, flags } = *self;
        out.clear();
        out.extend_from_slice(&magic.to_le_bytes());
        out.extend_from_slice(&[node.0, 1]);
        out.extend_from_slice(&u16::try_from(pairs).expect("a frame has at most 306 pairs").to_le_bytes());
        out.extend_from_slice(&u32::from(channel_mhz.unwrap_or(0)).to_le_bytes());
        out.extend_from_slice(&sequence.to_le_bytes());
        let levels = [rssi_dbm.unwrap_or(0), noise_dbm.unwrap_or(0)];
        out.extend(levels.map(i8::cast_unsigned));
        out.extend_from_slice(&[ppdu, flags]);
    }
}

fn put_pairs(pairs: &[(i8, i8)], out: &mut Vec<u8>) {
    for &(imag, real) in pairs {
        out.extend_from_slice(&[imag.cast_unsigned(), real.cast_unsigned()]);
    }
}

/// A raw channel frame without a transmitter (0xC5110001), of `(imag, real)` pairs as
/// [`crate::layout::write_pairs`] makes them.
///
/// # Panics
/// If there are more than 65,535 pairs.
pub fn encode_csi_v1(header: &CsiHeader, pairs: &[(i8, i8)], out: &mut Vec<u8>) {
    header.put(magic::RAW_CSI, pairs.len(), out);
    put_pairs(pairs, out);
}

/// The same from the bytes of the chip's buffer, `imag, real, imag, real, …`; a last odd byte is left out.
///
/// # Panics
/// If there are more than 65,535 pairs.
pub fn encode_csi_v1_bytes(header: &CsiHeader, iq: &[u8], out: &mut Vec<u8>) {
    let pairs = iq.len() / 2;
    header.put(magic::RAW_CSI, pairs, out);
    out.extend_from_slice(&iq[..2 * pairs]);
}

/// A raw channel frame with its transmitter's MAC (0xC5110008).
///
/// # Panics
/// If there are more than 65,535 pairs.
pub fn encode_csi_v2(header: &CsiHeader, transmitter: Mac, pairs: &[(i8, i8)], out: &mut Vec<u8>) {
    header.put(magic::CSI_V2, pairs.len(), out);
    out.extend_from_slice(&transmitter.0);
    put_pairs(pairs, out);
}

/// A raw channel frame with its transmitter's MAC and the received frame's own number (0xC511000A).
///
/// # Panics
/// If there are more than 65,535 pairs.
pub fn encode_csi_v3(
    header: &CsiHeader,
    transmitter: Mac,
    rx_sequence: u16,
    pairs: &[(i8, i8)],
    out: &mut Vec<u8>,
) {
    header.put(magic::CSI_V3, pairs.len(), out);
    out.extend_from_slice(&transmitter.0);
    out.extend_from_slice(&rx_sequence.to_le_bytes());
    put_pairs(pairs, out);
}

/// A clock synchronisation packet (0xC511A110).
pub fn encode_sync(packet: &Sync, out: &mut Vec<u8>) {
    let Sync { node, leader, valid, smoothed, local_us, epoch_us, highest_sequence } = *packet;
    out.clear();
    out.extend_from_slice(&magic::SYNC.to_le_bytes());
    let flags = u8::from(leader) | u8::from(valid) << 1 | u8::from(smoothed) << 2;
    out.extend_from_slice(&[node.0, 1, flags, 0]);
    out.extend_from_slice(&local_us.to_le_bytes());
    out.extend_from_slice(&epoch_us.to_le_bytes());
    out.extend_from_slice(&highest_sequence.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
}

/// Vitals (0xC5110002), or fused vitals (0xC5110004) where there is a radar.
pub fn encode_vitals(packet: &Vitals, out: &mut Vec<u8>) {
    let Vitals {
        node,
        presence,
        fall,
        motion,
        breathing_centibpm,
        heart_bpm_e4,
        rssi_dbm,
        persons,
        motion_energy,
        presence_score,
        uptime_ms,
        fused,
    } = *packet;
    out.clear();
    let magic = if fused.is_some() { magic::FUSED_OR_WASM } else { magic::VITALS };
    out.extend_from_slice(&magic.to_le_bytes());
    let radar = fused.is_some_and(|f| f.radar_present);
    let flags = u8::from(presence) | u8::from(fall) << 1 | u8::from(motion) << 2 | u8::from(radar) << 3;
    out.extend_from_slice(&[node.0, flags]);
    out.extend_from_slice(&breathing_centibpm.to_le_bytes());
    out.extend_from_slice(&heart_bpm_e4.to_le_bytes());
    out.extend_from_slice(&[rssi_dbm.unwrap_or(0).cast_unsigned(), persons]);
    out.extend_from_slice(&fused.map_or([0; 2], |f| [f.radar_type, f.confidence_percent]));
    out.extend_from_slice(&motion_energy.to_le_bytes());
    out.extend_from_slice(&presence_score.to_le_bytes());
    out.extend_from_slice(&uptime_ms.to_le_bytes());
    match fused {
        None => out.extend_from_slice(&[0; 4]),
        Some(f) => {
            out.extend_from_slice(&f.heart_bpm.to_le_bytes());
            out.extend_from_slice(&f.breathing_bpm.to_le_bytes());
            out.extend_from_slice(&f.distance_cm.to_le_bytes());
            out.extend_from_slice(&[f.targets, 0, 0, 0, 0, 0, 0, 0]);
        }
    }
}

/// State of features (0xC5110006) with its CRC.
pub fn encode_feature_state(packet: &FeatureState, out: &mut Vec<u8>) {
    let FeatureState { node, mode, sequence, uptime_us, values, quality_flags, rssi_dbm } = *packet;
    out.clear();
    out.extend_from_slice(&magic::FEATURE_STATE.to_le_bytes());
    out.extend_from_slice(&[node.0, mode]);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&uptime_us.to_le_bytes());
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&quality_flags.to_le_bytes());
    out.extend_from_slice(&[rssi_dbm.unwrap_or(0).cast_unsigned(), 0]);
    let crc = crc32(out);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// The simulation marker: whoever is fed by a simulator gets one at the start and once a second.
pub fn encode_simulation_marker(seed: u64, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(magic::SIMULATION);
    out.extend_from_slice(&seed.to_le_bytes());
}
