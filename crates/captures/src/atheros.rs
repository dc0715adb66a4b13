//! Atheros: the files of the Atheros CSI Tool (`recv_csi`), in either byte order.
//!
//! Source: Xie, Li and Li, "Precise power delay profiling with commodity WiFi", MobiCom 2015, and the tool's user guide.

use crate::bytes::{bits_at, u8_at, u16_at, u64_at};
use crate::frame::{CaptureFrame, Chip, Clock, Time};
use crate::reader::Step;
use crate::tones::{Phy, occupied};
use wavewitness_num::C32;

const HEADER_BYTES: usize = 25;

/// A record's shape; every length in bytes.
#[derive(Clone, Copy)]
struct Record {
    big: bool,
    /// Without the length field.
    length: usize,
    csi: usize,
    payload: usize,
    rx: usize,
    tx: usize,
    mhz: u16,
}

fn number(bytes: &[u8], at: usize, big: bool) -> Option<u16> {
    u16_at(bytes, at).map(|x| if big { x.swap_bytes() } else { x })
}

fn record_in(bytes: &[u8], big: bool) -> Option<Record> {
    let body = bytes.get(2..2 + HEADER_BYTES)?;
    let length = usize::from(number(bytes, 0, big)?);
    let csi = usize::from(number(body, 8, big)?);
    let payload = usize::from(number(body, 23, big)?);
    let (tones, rx, tx) = (u8_at(body, 16)?, usize::from(u8_at(body, 17)?), usize::from(u8_at(body, 18)?));
    let mhz = match (tones, u8_at(body, 15)?) {
        (56, 0 | 1) => 20,
        (114, 1) => 40,
        _ if csi == 0 => 0,
        _ => return None,
    };
    let chains = 1..=3;
    let shaped =
        chains.contains(&rx) && chains.contains(&tx) && csi == packed_bytes(rx, tx, usize::from(tones));
    let sound = length == HEADER_BYTES + csi + payload && (csi == 0 || shaped);
    sound.then_some(Record { big, length, csi, payload, rx, tx, mhz })
}

fn record(bytes: &[u8]) -> Option<Record> {
    record_in(bytes, false).or_else(|| record_in(bytes, true))
}

pub(crate) fn begins(bytes: &[u8]) -> bool {
    // A record without a channel is too easily matched by chance to find the way back with.
    record(bytes).is_some_and(|r| r.csi > 0)
}

pub(crate) fn step(bytes: &[u8], frame: &mut CaptureFrame) -> Step {
    if bytes.len() < 2 + HEADER_BYTES {
        return Step::Short;
    }
    let Some(record) = record(bytes) else { return Step::Lost };
    let Some(body) = bytes.get(2..2 + record.length) else { return Step::Short };
    if record.csi == 0 {
        return Step::Other(2 + record.length);
    }
    read(&record, body, frame);
    Step::Frame(2 + record.length)
}

fn read(record: &Record, body: &[u8], frame: &mut CaptureFrame) {
    let (header, rest) = body.split_at(HEADER_BYTES);
    let (csi, mpdu) = rest.split_at(record.csi);
    samples(record.rx, record.tx, record.mhz, csi, frame);
    let micros = u64_at(header, 0).map(|x| if record.big { x.swap_bytes() } else { x });
    frame.time = time(micros);
    if record.mhz == 20 {
        frame.centre_mhz = number(header, 10, record.big).filter(|&mhz| mhz != 0);
    }
    for chain in 0..record.rx {
        frame.rssi_over_noise_db[chain] = u8_at(header, 20 + chain).filter(|&r| r != 0x80).map(f32::from);
    }
    frame.mpdu(&mpdu[..record.payload]);
}

/// A time of the chip's 64-bit microsecond counter.
pub(crate) fn time(micros: Option<u64>) -> Option<Time> {
    let ns = micros?.checked_mul(1000)?;
    Some(Time { ns, clock: Clock::Chip { period_ns: None } })
}

/// Bytes of a packed matrix.
pub(crate) fn packed_bytes(rx: usize, tx: usize, tones: usize) -> usize {
    (rx * tx * tones * 20).div_ceil(8)
}

/// The matrix: `[tone][tx][rx]`, ten bits imaginary and ten bits real, two's complement, least significant bit first.
pub(crate) fn samples(rx: usize, tx: usize, mhz: u16, packed: &[u8], frame: &mut CaptureFrame) {
    frame.chip = Chip::Ar9300;
    frame.phy = Some(Phy::Ht);
    frame.bandwidth_mhz = Some(mhz);
    frame.spacing_hz = Phy::Ht.spacing_hz();
    frame.derotated = mhz == 20;
    (frame.rx, frame.tx) = (rx, tx);
    frame.tones.extend(occupied(Phy::Ht, mhz));
    for chain in 0..rx {
        for stream in 0..tx {
            for tone in 0..frame.tones.len() {
                let at = 20 * ((tone * tx + stream) * rx + chain);
                let part = |at: usize| f32::from(bits_at(packed, at, 10));
                frame.values.push(C32::new(part(at + 10), part(at)));
            }
        }
    }
}
