//! What FeitCSI and PicoScenes have in common: the 272-byte header of the AX200/AX210 firmware and its samples.
//!
//! Source: FeitCSI, "CSI format" (its documentation); PicoScenes' `MVMExtra` segment, which holds the same header.

use crate::bytes::{six_at, u8_at, u16_at, u32_at, u64_at};
use crate::fault::Reason;
use crate::frame::{CaptureFrame, Chip, Clock, MAX_CHAINS, MICROS_32, PhaseSense, Time, unturn};
use crate::tones::{Phy, count, is_pilot, occupied, rotation};
use wavewitness_num::C32;
use wavewitness_types::Mac;

pub(crate) const HEADER_BYTES: usize = 272;
/// Tones that a record can hold: HE160 with the firmware's 28 surplus words, rounded up.
const MAX_TONES: usize = 2048;

pub(crate) struct Header {
    pub rx: usize,
    pub tx: usize,
    pub tones: usize,
    pub data_bytes: usize,
    rate: u32,
}

/// The shape of what follows; `None` if it contradicts itself, or there are not 272 bytes.
pub(crate) fn header(bytes: &[u8]) -> Option<Header> {
    let bytes = bytes.get(..HEADER_BYTES)?;
    let rx = usize::from(u8_at(bytes, 46)?);
    let tx = usize::from(u8_at(bytes, 47)?);
    let tones = usize::try_from(u32_at(bytes, 52)?).ok()?;
    let data_bytes = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let chains = 1..=MAX_CHAINS;
    let sound = chains.contains(&rx)
        && chains.contains(&tx)
        && (1..=MAX_TONES).contains(&tones)
        && data_bytes == 4 * rx * tx * tones;
    sound.then_some(Header { rx, tx, tones, data_bytes, rate: u32_at(bytes, 92)? })
}

impl Header {
    /// The header of samples that PicoScenes describes by packet format (0 legacy to 3 HE), width, and
    /// `[rx, tx, tones]`.
    pub(crate) fn of(packet_format: u8, mhz: u16, [rx, tx, tones]: [usize; 3]) -> Option<Header> {
        let chains = 1..=MAX_CHAINS;
        let width = [20, 40, 80, 160].iter().position(|&w| w == mhz)?;
        let sound = packet_format <= 3 && chains.contains(&rx) && chains.contains(&tx) && tones <= MAX_TONES;
        let rate = (u32::from(packet_format) + 1) << 8 | u32::try_from(width).ok()? << 11;
        sound.then_some(Header { rx, tx, tones, data_bytes: 4 * rx * tx * tones, rate })
    }

    /// Format and width of the PPDU out of `rate_n_flags`: bits 8–10 and 11–13.
    fn ppdu(&self) -> Option<(Phy, u16)> {
        let phy = match self.rate >> 8 & 7 {
            1 => Phy::Legacy,
            2 => Phy::Ht,
            3 => Phy::Vht,
            4 => Phy::He,
            _ => return None,
        };
        let mhz = [20, 40, 80, 160].get(usize::try_from(self.rate >> 11 & 7).ok()?)?;
        Some((phy, *mhz))
    }
}

/// Time, address, RSSI and counter of the header.
pub(crate) fn meta(bytes: &[u8], frame: &mut CaptureFrame) {
    frame.chip = Chip::IntelAx;
    // Newer FeitCSI writes the computer's clock; the firmware leaves zeros there.
    frame.time = match (u64_at(bytes, 12), u32_at(bytes, 88)) {
        (Some(us), _) if us != 0 => us.checked_mul(1000).map(|ns| Time { ns, clock: Clock::Host }),
        (_, Some(us)) => Some(Time { ns: u64::from(us) * 1000, clock: MICROS_32 }),
        _ => None,
    };
    for (slot, at) in frame.rssi_dbm.iter_mut().zip([60, 64]) {
        // Written as a positive number of dB below a milliwatt.
        *slot = u32_at(bytes, at)
            .and_then(|below| i8::try_from(below).ok())
            .filter(|&below| below > 0)
            .map(|below| -f32::from(below));
    }
    frame.transmitter = six_at(bytes, 68).map(Mac);
    frame.sequence = u8_at(bytes, 76).map(u16::from);
}

/// The samples: int16 real, int16 imaginary, `[rx][tx][tone]`. The chip's values are the conjugate channel, and in all
/// but legacy frames it measures no pilots.
pub(crate) fn samples(header: &Header, data: &[u8], frame: &mut CaptureFrame) -> Result<(), Reason> {
    let (phy, mhz) = header.ppdu().ok_or(Reason::Unsupported)?;
    let wanted = count(phy, mhz).ok_or(Reason::Unsupported)?;
    // Some firmware leaves the words of the central nulls in 160 MHz records, after the lower half.
    let surplus = match (phy, header.tones.checked_sub(wanted)) {
        (_, Some(0)) => 0,
        (Phy::Vht, Some(14)) if mhz == 160 => 14,
        (Phy::He, Some(28)) if mhz == 160 => 28,
        _ => return Err(Reason::Unsupported),
    };
    if data.len() < header.data_bytes {
        return Err(Reason::Malformed);
    }
    frame.phy = Some(phy);
    frame.bandwidth_mhz = Some(mhz);
    frame.spacing_hz = phy.spacing_hz();
    frame.phase_sense = PhaseSense::Established;
    frame.derotated = true;
    (frame.rx, frame.tx) = (header.rx, header.tx);
    let absent = |k: i16| phy != Phy::Legacy && is_pilot(phy, mhz, k);
    for k in occupied(phy, mhz) {
        if absent(k) { &mut frame.unmeasured } else { &mut frame.tones }.push(k);
    }
    for row in data[..header.data_bytes].chunks_exact(4 * header.tones) {
        for (place, k) in occupied(phy, mhz).enumerate() {
            if absent(k) {
                continue;
            }
            let word = if place < wanted / 2 { place } else { place + surplus };
            let part = |at: usize| u16_at(row, at).map_or(0.0, |x| f32::from(x.cast_signed()));
            let channel = C32::new(part(4 * word), -part(4 * word + 2));
            frame.values.push(unturn(channel, rotation(phy, mhz, k)));
        }
    }
    Ok(())
}
