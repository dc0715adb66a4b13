//! PicoScenes: frames of named, versioned segments and, behind them, the received 802.11 frame.
//!
//! Source: PicoScenes' public parser `rxs_parsing_core` and its documentation (Jiang et al., "Eliminating the barriers:
//! demystifying Wi-Fi baseband design and introducing the PicoScenes Wi-Fi sensing platform", IEEE IoT Journal 2022).

use crate::bytes::{i8_at, u8_at, u16_at, u32_at, u64_at};
use crate::fault::Reason;
use crate::frame::CaptureFrame;
use crate::intel5300::{self, Shape};
use crate::reader::Step;
use crate::{atheros, intel_ax};

const MAGIC: u32 = 0x2015_0315;
/// Length, magic, version, number of segments.
const FRONT_BYTES: usize = 11;
/// Longer than any frame of the chips that are read.
const MAX_FRAME: usize = 1 << 22;

/// Tones by which a frame can lie beside the centre of the channel: within 160 MHz.
const MAX_TONE_OFFSET: u16 = 224;

mod device {
    pub const QCA9300: u16 = 0x9300;
    pub const INTEL_5300: u16 = 0x5300;
    pub const AX200: u16 = 0x2000;
    pub const AX210: u16 = 0x2100;
}

pub(crate) fn begins(bytes: &[u8]) -> bool {
    let length = u32_at(bytes, 0).and_then(|n| usize::try_from(n).ok());
    u32_at(bytes, 4) == Some(MAGIC) && length.is_some_and(|n| (FRONT_BYTES - 4..=MAX_FRAME).contains(&n))
}

pub(crate) fn step(bytes: &[u8], frame: &mut CaptureFrame) -> Step {
    if bytes.len() < FRONT_BYTES {
        return Step::Short;
    }
    let length = u32_at(bytes, 0).and_then(|n| usize::try_from(n).ok());
    let (true, Some(length)) = (begins(bytes), length) else { return Step::Lost };
    let end = 4 + length;
    let Some(whole) = bytes.get(..end) else { return Step::Short };
    match read(whole, frame) {
        Some(Ok(true)) => Step::Frame(end),
        Some(Ok(false)) => Step::Other(end),
        Some(Err(reason)) => Step::Bad(end, reason),
        None => Step::Bad(end, Reason::Malformed),
    }
}

/// One segment: its name, version and content.
struct Segment<'a> {
    name: &'a [u8],
    version: u16,
    body: &'a [u8],
}

/// The segment at the start of `bytes`, and what follows it.
fn segment(bytes: &[u8]) -> Option<(Segment<'_>, &[u8])> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let (inner, rest) = bytes.get(4..)?.split_at_checked(length)?;
    let name_bytes = usize::from(u8_at(inner, 0)?);
    let name = inner.get(1..1 + name_bytes)?;
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    let version = u16_at(inner, 1 + name_bytes)?;
    let body = inner.get(3 + name_bytes..)?;
    Some((Segment { name, version, body }, rest))
}

/// Whether there was a channel in it.
fn read(whole: &[u8], frame: &mut CaptureFrame) -> Option<Result<bool, Reason>> {
    if u16_at(whole, 8)? != 1 {
        return Some(Err(Reason::Unsupported));
    }
    let mut rest = whole.get(FRONT_BYTES..)?;
    let (mut basic, mut extra, mut firmware, mut csi) = (None, None, None, None);
    for _ in 0..u8_at(whole, 10)? {
        let (found, after) = segment(rest)?;
        rest = after;
        match found.name {
            b"RxSBasic" => basic = Some(found),
            b"ExtraInfo" => extra = Some(found),
            b"MVMExtra" => firmware = Some(found),
            b"CSI" => csi = Some(found),
            _ => {}
        }
    }
    let Some(csi) = csi else { return Some(Ok(false)) };
    let device = match channel(&csi, frame)? {
        Ok(device) => device,
        Err(reason) => return Some(Err(reason)),
    };
    if let Some(firmware) = firmware.filter(|s| s.version == 1 && device != device::QCA9300) {
        intel_ax::meta(firmware.body.get(2..)?, frame);
    }
    // Control frames have no sequence number, and the firmware's counter is none.
    frame.sequence = None;
    frame.mpdu(rest);
    let agc = extra.filter(|s| s.version == 1).and_then(|s| agc_db(s.body));
    if let Some(basic) = basic {
        receiver(&basic, device, agc, frame);
    }
    Some(Ok(true))
}

/// The fixed part of a CSI segment of any version, and where the samples are in it.
struct Content<'a> {
    device: u16,
    packet_format: u8,
    mhz: u16,
    carrier_hz: u64,
    tones: usize,
    streams: usize,
    rx: usize,
    measurements: u16,
    antenna_sel: u8,
    tone_offset: i16,
    samples: &'a [u8],
}

fn content<'a>(csi: &Segment<'a>) -> Option<Content<'a>> {
    let body = csi.body;
    // Version 4 put the firmware's version behind the device.
    let at = if csi.version >= 4 { 3 } else { 2 };
    let (measurements, mut then) =
        if csi.version >= 3 { (u16_at(body, at + 28)?, at + 30) } else { (1, at + 28) };
    let antenna_sel = u8_at(body, then)?;
    then += 1;
    let mut tone_offset = 0;
    if csi.version >= 2 {
        tone_offset = u16_at(body, then)?.cast_signed();
        then += 2;
    }
    let length = usize::try_from(u32_at(body, then)?).ok()?;
    Some(Content {
        device: u16_at(body, 0)?,
        packet_format: u8_at(body, at)?,
        mhz: u16_at(body, at + 1)?,
        carrier_hz: u64_at(body, at + 3)?,
        tones: usize::from(u16_at(body, at + 23)?),
        streams: usize::from(u8_at(body, at + 25)?) + usize::from(u8_at(body, at + 27)?),
        rx: usize::from(u8_at(body, at + 26)?),
        measurements,
        antenna_sel,
        tone_offset,
        samples: body.get(then + 4..)?.get(..length)?,
    })
}

/// The channel of a CSI segment; gives the device.
fn channel(csi: &Segment<'_>, frame: &mut CaptureFrame) -> Option<Result<u16, Reason>> {
    if !(1..=4).contains(&csi.version) {
        return Some(Err(Reason::Unsupported));
    }
    let c = content(csi)?;
    if c.measurements != 1 || c.tone_offset.unsigned_abs() > MAX_TONE_OFFSET {
        return Some(Err(Reason::Unsupported));
    }
    let length = c.samples.len();
    let chains = |most: usize| (1..=most).contains(&c.rx) && (1..=most).contains(&c.streams);
    match c.device {
        device::QCA9300 => {
            let mhz = match c.tones {
                56 => 20,
                114 => 40,
                _ => return Some(Err(Reason::Unsupported)),
            };
            if !chains(3) || length != atheros::packed_bytes(c.rx, c.streams, c.tones) {
                return None;
            }
            atheros::samples(c.rx, c.streams, mhz, c.samples, frame);
        }
        device::INTEL_5300 => {
            let shape = Shape { rx: c.rx, tx: c.streams, antenna_sel: c.antenna_sel, wide: c.mhz == 40 };
            if !chains(3) || c.tones != 30 || length != shape.packed_bytes() {
                return None;
            }
            intel5300::samples(&shape, c.samples, frame);
        }
        device::AX200 | device::AX210 => {
            let header = intel_ax::Header::of(c.packet_format, c.mhz, [c.rx, c.streams, c.tones]);
            let Some(header) = header else { return Some(Err(Reason::Unsupported)) };
            if length != header.data_bytes {
                return None;
            }
            if let Err(reason) = intel_ax::samples(&header, c.samples, frame) {
                return Some(Err(reason));
            }
        }
        _ => return Some(Err(Reason::Unsupported)),
    }
    // A 20 MHz frame in a 40 MHz channel: its tones lie beside the channel's centre.
    frame.tones.iter_mut().chain(&mut frame.unmeasured).for_each(|k| *k += c.tone_offset);
    frame.centre_mhz = u16::try_from(c.carrier_hz / 1_000_000).ok().filter(|&mhz| mhz != 0);
    Some(Ok(c.device))
}

/// Time, noise and RSSI of the basic segment.
fn receiver(basic: &Segment<'_>, device: u16, agc: Option<u8>, frame: &mut CaptureFrame) {
    let noise_at = match basic.version {
        1 => 21,
        2 => 23,
        3 => 27,
        _ => return,
    };
    let at = |k: usize| i8_at(basic.body, noise_at + k).filter(|&x| x != -128);
    frame.noise_dbm = at(0);
    if frame.time.is_none() {
        frame.time = atheros::time(u64_at(basic.body, 2));
    }
    match (device, frame.noise_dbm, agc) {
        // As ath9k has it: dB above the noise floor.
        (device::QCA9300, Some(noise), _) if basic.version < 3 => {
            for chain in 0..frame.rx {
                frame.rssi_dbm[chain] = at(2 + chain).map(|r| f32::from(r) + f32::from(noise));
            }
        }
        // As the chip has it: dB relative to its own reference.
        (device::INTEL_5300, _, Some(agc)) if basic.version < 3 => {
            let antenna = |k: usize| at(2 + k).and_then(|r| u8::try_from(r).ok()).unwrap_or(0);
            intel5300::rssi([antenna(0), antenna(1), antenna(2)], agc, frame);
        }
        _ => {}
    }
}

/// The gain out of the optional fields: each bit of the first word is a field that is there.
fn agc_db(extra: &[u8]) -> Option<u8> {
    const AGC: usize = 19;
    /// Bytes of the fields before it.
    const SIZES: [usize; AGC] = [2, 8, 6, 6, 4, 1, 20, 1, 1, 1, 8, 4, 4, 2, 1, 1, 2, 1, 1];
    let fields = u32_at(extra, 0)?;
    let has = |bit: usize| fields >> bit & 1 == 1;
    let before: usize = SIZES.iter().enumerate().filter(|&(bit, _)| has(bit)).map(|(_, size)| size).sum();
    if has(AGC) { u8_at(extra, 4 + before) } else { None }
}
