//! Nexmon: one UDP datagram for each received frame, core and spatial stream of a Broadcom chip; in the wild as pcap.
//!
//! Source: Gringoli, Schulz, Link and Hollick, "Free your CSI", WiNTECH 2019; README and `csi_extractor.c` of
//! nexmon_csi; the pcap format of draft-ietf-opsawg-pcap.

use crate::bytes::{i8_at, six_at, u8_at, u16_at, u32_at};
use crate::fault::Reason;
use crate::frame::{CaptureFrame, Chip, Clock, PhaseSense, Time};
use crate::reader::Step;
use crate::tones::{Phy, occupied};
use wavewitness_num::C32;
use wavewitness_types::Mac;

const HEADER_BYTES: usize = 18;
/// The signed range of the 14-bit parts of the 4339 and 43455c0; what lies outside was never measured.
const INT14: core::ops::RangeInclusive<i16> = -8192..=8191;

/// Reads one UDP payload into `frame`; its time is for the caller to set.
///
/// # Errors
/// [`Reason::Malformed`] if it is no Nexmon payload or too short, [`Reason::Unsupported`] for another chip or width.
pub fn payload(bytes: &[u8], frame: &mut CaptureFrame) -> Result<(), Reason> {
    frame.clear();
    read(bytes, frame).ok_or(Reason::Malformed)?
}

fn read(bytes: &[u8], frame: &mut CaptureFrame) -> Option<Result<(), Reason>> {
    if bytes.get(..2)? != [0x11, 0x11] || bytes.len() < HEADER_BYTES {
        return None;
    }
    let chanspec = u16_at(bytes, 14)?;
    frame.chip = match u16_at(bytes, 16)? {
        1 => Chip::Bcm4339,
        0x65 => Chip::Bcm43455c0,
        3 | 0xdead => Chip::Bcm4358,
        0x6a => Chip::Bcm4366c0,
        _ => return Some(Err(Reason::Unsupported)),
    };
    let (mhz, bins) = match chanspec >> 11 & 7 {
        2 => (20, 64),
        3 => (40, 128),
        4 => (80, 256),
        _ => return Some(Err(Reason::Unsupported)),
    };
    let words = bytes.get(HEADER_BYTES..HEADER_BYTES + 4 * bins)?;
    // Without the patch that adds them, the magic number goes on where RSSI and frame control would be.
    if bytes.get(2..4)? != [0x11, 0x11] {
        frame.rssi_dbm[0] = i8_at(bytes, 2).filter(|&r| r < 0).map(f32::from);
    }
    frame.transmitter = six_at(bytes, 4).map(Mac);
    frame.sequence = u16_at(bytes, 10).map(|s| s >> 4);
    let stream = u8_at(bytes, 12)?;
    frame.antennas[0] = Some(stream & 7);
    frame.first_stream = stream >> 3 & 7;
    frame.bandwidth_mhz = Some(mhz);
    frame.centre_mhz = centre_mhz(chanspec);
    frame.primary_tone = primary_tone(chanspec, mhz);
    frame.spacing_hz = Phy::Vht.spacing_hz();
    (frame.rx, frame.tx) = (1, 1);
    frame.derotated = mhz == 20;
    if frame.chip == Chip::Bcm4358 {
        frame.phase_sense = PhaseSense::Established;
    }
    samples(words, mhz, bins, frame);
    Some(Ok(()))
}

/// Centre of the channel: the chanspec's low byte is its number, its top bits the band.
fn centre_mhz(chanspec: u16) -> Option<u16> {
    let number = chanspec & 0xff;
    match (chanspec >> 14, number) {
        (0, 14) => Some(2484),
        (0, 1..=13) => Some(2407 + 5 * number),
        (3, 1..=200) => Some(5000 + 5 * number),
        _ => None,
    }
}

/// Tone at the centre of the primary 20 MHz channel, counted from below by bits 8–10.
fn primary_tone(chanspec: u16, mhz: u16) -> Option<i16> {
    let sideband = (chanspec >> 8 & 7).cast_signed();
    match mhz {
        40 if sideband < 2 => Some(64 * sideband - 32),
        80 if sideband < 4 => Some(64 * sideband - 96),
        _ => None,
    }
}

/// The words, in FFT order: bin 0 is DC, the upper half of the array the negative tones. Null bins hold leftovers of the
/// firmware's memory, so only the tones that an HT or VHT frame of this width occupies are kept, and of these only
/// those that can have been measured.
fn samples(words: &[u8], mhz: u16, bins: usize, frame: &mut CaptureFrame) {
    let word = |k: i16| {
        let bin = usize::from(k.rem_euclid(bins as i16).unsigned_abs());
        u32_at(words, 4 * bin).unwrap_or(0)
    };
    let halves = |w: u32| [(w & 0xffff) as u16, (w >> 16) as u16].map(u16::cast_signed);
    let integers = matches!(frame.chip, Chip::Bcm4339 | Chip::Bcm43455c0);
    // A receive header over the first words: seen at 80 MHz, where it reaches tone 2.
    let header_on_top = integers && bins == 256 && !halves(word(1)).iter().all(|x| INT14.contains(x));
    for k in occupied(Phy::Vht, mhz) {
        let value = match frame.chip {
            Chip::Bcm4358 => Some(float(word(k), 9, 5)),
            Chip::Bcm4366c0 => Some(float(word(k), 12, 6)),
            _ => {
                let [re, im] = halves(word(k));
                let measured = INT14.contains(&re) && INT14.contains(&im) && !(header_on_top && k == 2);
                measured.then(|| C32::new(f32::from(re), f32::from(im)))
            }
        };
        match value {
            Some(value) => {
                frame.tones.push(k);
                frame.values.push(value);
            }
            None => frame.unmeasured.push(k),
        }
    }
}

/// A packed complex float: sign and magnitude of the real part (`man` bits together), the same of the imaginary part,
/// and a common two's-complement exponent of `exp` bits. Exact in `f32`.
fn float(word: u32, man: u32, exp: u32) -> C32 {
    let power = (word & ((1 << exp) - 1)).cast_signed();
    let power = if power >= 1 << (exp - 1) { power - (1 << exp) } else { power };
    // 2^power, a normal number for every 6-bit exponent.
    let scale = f32::from_bits((127 + power).cast_unsigned() << 23);
    let part = |shift: u32| {
        let magnitude = (word >> shift & ((1 << (man - 1)) - 1)) as f32 * scale;
        if word >> (shift + man - 1) & 1 == 1 { -magnitude } else { magnitude }
    };
    C32::new(part(exp + man), part(exp))
}

/// What a pcap file's header says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    big: bool,
    /// Nanoseconds in a unit of the fraction.
    unit_ns: u64,
    /// Bytes of the link layer before the network layer's, and whether they name a protocol.
    ethernet: bool,
}

/// No capture of such datagrams is longer.
const MAX_PACKET: usize = 65_535;
const RECORD_BYTES: usize = 16;

impl File {
    pub(crate) const HEADER_BYTES: usize = 24;

    pub(crate) fn open(bytes: &[u8]) -> Option<File> {
        let (big, unit_ns) = match *bytes.first_chunk::<4>()? {
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1000),
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1),
            _ => return None,
        };
        let file = File { big, unit_ns, ethernet: true };
        match file.u32(bytes, 20)? & 0xffff {
            1 => Some(file),
            101 => Some(File { ethernet: false, ..file }),
            _ => None,
        }
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        u32_at(bytes, at).map(|x| if self.big { x.swap_bytes() } else { x })
    }

    /// Bytes of the packet in the record at the start of `bytes`, if that can be a record.
    fn kept(self, bytes: &[u8]) -> Option<usize> {
        let fraction = u64::from(self.u32(bytes, 4)?) * self.unit_ns;
        let kept = usize::try_from(self.u32(bytes, 8)?).ok()?;
        let sent = usize::try_from(self.u32(bytes, 12)?).ok()?;
        (fraction < 1_000_000_000 && kept <= sent && sent <= MAX_PACKET).then_some(kept)
    }

    pub(crate) fn begins(self, bytes: &[u8]) -> bool {
        let packet = || bytes.get(RECORD_BYTES..RECORD_BYTES + self.kept(bytes)?);
        packet().and_then(|p| self.udp(p)).is_some_and(|p| p.starts_with(&[0x11, 0x11]))
    }

    pub(crate) fn step(self, bytes: &[u8], frame: &mut CaptureFrame) -> Step {
        if bytes.len() < RECORD_BYTES {
            return Step::Short;
        }
        let Some(kept) = self.kept(bytes) else { return Step::Lost };
        let end = RECORD_BYTES + kept;
        let Some(packet) = bytes.get(RECORD_BYTES..end) else { return Step::Short };
        let Some(datagram) = self.udp(packet).filter(|p| p.starts_with(&[0x11, 0x11])) else {
            return Step::Other(end);
        };
        if let Err(reason) = payload(datagram, frame) {
            return Step::Bad(end, reason);
        }
        if let (Some(s), Some(fraction)) = (self.u32(bytes, 0), self.u32(bytes, 4)) {
            let ns = u64::from(s) * 1_000_000_000 + u64::from(fraction) * self.unit_ns;
            frame.time = Some(Time { ns, clock: Clock::Host });
        }
        Step::Frame(end)
    }

    /// What an unfragmented UDP datagram over IPv4 carries, without what the link appended to it.
    fn udp(self, packet: &[u8]) -> Option<&[u8]> {
        let be = |b: &[u8], at: usize| u16_at(b, at).map(u16::swap_bytes);
        let ip = if self.ethernet {
            if be(packet, 12)? != 0x0800 {
                return None;
            }
            packet.get(14..)?
        } else {
            packet
        };
        let head = usize::from(u8_at(ip, 0)? & 15) * 4;
        let fragment = be(ip, 6)? & 0x3fff != 0;
        if u8_at(ip, 0)? >> 4 != 4 || head < 20 || u8_at(ip, 9)? != 17 || fragment {
            return None;
        }
        let udp = ip.get(head..)?;
        let length = usize::from(be(udp, 4)?);
        udp.get(8..length.min(udp.len()))
    }
}
