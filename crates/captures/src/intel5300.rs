//! Intel 5300: the `.dat` files of the Linux 802.11n CSI Tool.
//!
//! Source: Halperin, Hu, Sheth and Wetherall, "Tool release: gathering 802.11n traces with channel state information",
//! ACM SIGCOMM CCR 41 (2011), and the tool's `read_bfee` and `get_scaled_csi`.

use crate::bytes::{bits_at, i8_at, u8_at, u16_at, u32_at};
use crate::fault::Reason;
use crate::frame::{CaptureFrame, Chip, MAX_CHAINS, MICROS_32, Time};
use crate::reader::Step;
use crate::tones::Phy;
use wavewitness_num::{C32, math};

/// The 30 tones of a 20 MHz frame (802.11-2020, table 9-71, grouping 2).
static TONES_20: [i16; 30] = [
    -28, -26, -24, -22, -20, -18, -16, -14, -12, -10, -8, -6, -4, -2, -1, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19,
    21, 23, 25, 27, 28,
];
/// The 30 tones of a 40 MHz frame (grouping 4).
static TONES_40: [i16; 30] = [
    -58, -54, -50, -46, -42, -38, -34, -30, -26, -22, -18, -14, -10, -6, -2, 2, 6, 10, 14, 18, 22, 26, 30,
    34, 38, 42, 46, 50, 54, 58,
];

/// A record with channel measurements.
const BEAMFORMING: u8 = 0xbb;
/// Length field, code, fixed part of a measurement.
const FRONT_BYTES: usize = 3;
const HEADER_BYTES: usize = 20;

/// What PicoScenes records as well.
pub(crate) struct Shape {
    pub rx: usize,
    pub tx: usize,
    /// Two bits a chain: the antenna behind it.
    pub antenna_sel: u8,
    pub wide: bool,
}

impl Shape {
    /// Bytes of the packed matrix: 3 bits, then 16 a pair, 30 times.
    pub(crate) fn packed_bytes(&self) -> usize {
        (30 * (self.rx * self.tx * 16 + 3)).div_ceil(8)
    }

    /// Chains in the order of their antennas, and the antennas; in recorded order and unknown if two are the same.
    fn order(&self) -> ([usize; 3], [Option<u8>; MAX_CHAINS]) {
        let antenna = |chain: usize| self.antenna_sel >> (2 * chain) & 3;
        let mut chains = [0, 1, 2];
        let used = &mut chains[..self.rx];
        used.sort_by_key(|&chain| antenna(chain));
        let sound =
            used.windows(2).all(|w| antenna(w[0]) < antenna(w[1])) && used.iter().all(|&c| antenna(c) < 3);
        if !sound {
            return ([0, 1, 2], [None; MAX_CHAINS]);
        }
        let mut antennas = [None; MAX_CHAINS];
        for (slot, &chain) in antennas.iter_mut().zip(&*used) {
            *slot = Some(antenna(chain));
        }
        (chains, antennas)
    }
}

/// The matrix: 30 times three bits of padding and, for each chain and stream, int8 real and int8 imaginary.
pub(crate) fn samples(shape: &Shape, packed: &[u8], frame: &mut CaptureFrame) {
    let (chains, antennas) = shape.order();
    frame.chip = Chip::Intel5300;
    frame.antennas = antennas;
    (frame.rx, frame.tx) = (shape.rx, shape.tx);
    frame.phy = Some(Phy::Ht);
    frame.bandwidth_mhz = Some(if shape.wide { 40 } else { 20 });
    frame.spacing_hz = Phy::Ht.spacing_hz();
    frame.derotated = !shape.wide;
    frame.tones.extend(if shape.wide { &TONES_40 } else { &TONES_20 });
    let pairs = shape.rx * shape.tx;
    for &chain in &chains[..shape.rx] {
        for stream in 0..shape.tx {
            for tone in 0..30 {
                let at = tone * (3 + 16 * pairs) + 3 + 16 * (chain * shape.tx + stream);
                let part = |at: usize| f32::from(bits_at(packed, at, 8));
                frame.values.push(C32::new(part(at), part(at + 8)));
            }
        }
    }
}

/// Puts the RSSI of antennas A, B, C (dB relative to the chip's reference; 0: none) at their chains, in dBm.
pub(crate) fn rssi(by_antenna: [u8; 3], agc_db: u8, frame: &mut CaptureFrame) {
    let dbm = |rssi: u8| (rssi != 0).then(|| f32::from(rssi) - 44.0 - f32::from(agc_db));
    for chain in 0..frame.rx {
        let antenna = frame.antennas[chain].map_or(chain, usize::from);
        frame.rssi_dbm[chain] = by_antenna.get(antenna).and_then(|&r| dbm(r));
    }
    frame.agc_db = Some(agc_db);
}

fn shape(body: &[u8]) -> Option<Shape> {
    let rx = usize::from(u8_at(body, 8)?);
    let tx = usize::from(u8_at(body, 9)?);
    let wide = u16_at(body, 18)? & 0x0800 != 0;
    let shape = Shape { rx, tx, antenna_sel: u8_at(body, 15)?, wide };
    let sound = (1..=3).contains(&rx)
        && (1..=3).contains(&tx)
        && usize::from(u16_at(body, 16)?) == shape.packed_bytes();
    sound.then_some(shape)
}

/// Length field of a record: it counts the code.
fn length(bytes: &[u8]) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(*bytes.first_chunk()?)))
}

pub(crate) fn begins(bytes: &[u8]) -> bool {
    let body = || shape(bytes.get(FRONT_BYTES..FRONT_BYTES + HEADER_BYTES)?);
    let fits = |s: Shape| length(bytes) == Some(1 + HEADER_BYTES + s.packed_bytes());
    bytes.get(2) == Some(&BEAMFORMING) && body().is_some_and(fits)
}

pub(crate) fn step(bytes: &[u8], frame: &mut CaptureFrame) -> Step {
    let (Some(length), Some(&code)) = (length(bytes), bytes.get(2)) else { return Step::Short };
    // 0xbb and 0xc1 (the received frame) are the codes that the driver sends; anything else is no boundary.
    if length == 0 || !matches!(code, BEAMFORMING | 0xc1) {
        return Step::Lost;
    }
    let end = 2 + length;
    if code != BEAMFORMING {
        return if end <= bytes.len() { Step::Other(end) } else { Step::Short };
    }
    if length < 1 + HEADER_BYTES {
        return Step::Lost;
    }
    if bytes.len() < FRONT_BYTES + HEADER_BYTES {
        return Step::Short;
    }
    if !begins(bytes) {
        return Step::Lost;
    }
    let Some(body) = bytes.get(FRONT_BYTES..end) else { return Step::Short };
    match read(body, frame) {
        Some(()) => Step::Frame(end),
        None => Step::Bad(end, Reason::Malformed),
    }
}

fn read(body: &[u8], frame: &mut CaptureFrame) -> Option<()> {
    let shape = shape(body)?;
    samples(&shape, body.get(HEADER_BYTES..)?, frame);
    frame.time = Some(Time { ns: u64::from(u32_at(body, 0)?) * 1000, clock: MICROS_32 });
    // The driver's counter, not the frame's sequence number.
    frame.sequence = Some(u16_at(body, 4)?);
    rssi([u8_at(body, 10)?, u8_at(body, 11)?, u8_at(body, 12)?], u8_at(body, 14)?, frame);
    // −127: no estimate, as in monitor mode.
    frame.noise_dbm = i8_at(body, 13).filter(|&n| n != -127);
    Some(())
}

/// Factor that brings an Intel 5300 frame to √SNR: thermal noise and the quantisation of the 8-bit entries in the
/// denominator, and the transmit power that the chip splits over its streams in the numerator. `None` for frames of
/// other chips, without RSSI, or without noise floor; where the chip gave none, the tool's scripts assume −92 dBm:
/// whoever wants that passes it.
///
/// Source: Halperin et al., `get_scaled_csi`.
pub fn sqrt_snr(frame: &CaptureFrame, assumed_noise_dbm: Option<f64>) -> Option<f64> {
    if frame.chip != Chip::Intel5300 {
        return None;
    }
    let scale = frame.sqrt_mw()?;
    let noise_dbm = frame.noise_dbm.map(f64::from).or(assumed_noise_dbm)?;
    let thermal = math::pow(10.0, noise_dbm / 10.0);
    // An error of one count² an entry, on one tone.
    let quantisation = scale * scale * (frame.rx * frame.tx) as f64;
    // 3 dB, and the 4.5 dB by which Intel approximates a factor of three.
    let split = match frame.tx {
        2 => 2.0,
        3 => math::pow(10.0, 0.45),
        _ => 1.0,
    };
    Some(scale * math::sqrt(split / (thermal + quantisation)))
}
