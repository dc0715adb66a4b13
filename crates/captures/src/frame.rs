//! One channel measurement of another tool, and how to get one antenna pair of it on a tone grid.

use crate::tones::{Phy, rotation};
use wavewitness_num::{C32, math};
use wavewitness_types::{Mac, Samples, ToneGrid};

/// Receive chains, and space-time streams, of a frame at most.
pub const MAX_CHAINS: usize = 4;

/// The chip that measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chip {
    /// Intel AX200, AX201, AX210, AX211.
    #[default]
    IntelAx,
    /// Intel 5300.
    Intel5300,
    /// Qualcomm Atheros AR9300 family.
    Ar9300,
    /// Broadcom BCM4339 (Nexus 5).
    Bcm4339,
    /// Broadcom BCM43455c0 (Raspberry Pi 3B+, 4).
    Bcm43455c0,
    /// Broadcom BCM4358 (Nexus 6P).
    Bcm4358,
    /// Broadcom BCM4366c0 (Asus RT-AC86U).
    Bcm4366c0,
}

/// Which way delay turns the phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhaseSense {
    /// `H[k] = Σ a·exp(−j2π·f_k·τ)`: a path that arrives later turns the phase down as the index rises. The
    /// recordings show it (`docs/captures.md`); the reader conjugated where the chip has it the other way.
    Established,
    /// As the tool recorded it; nothing in the recordings that we have shows which way it is.
    #[default]
    AsRecorded,
}

/// What a frame's time counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// The Unix epoch, by the clock of the computer that recorded.
    Host,
    /// Some start of the chip's own counter; it wraps after `period_ns` (`None`: not in our lifetimes).
    Chip {
        /// When the counter begins again at 0.
        period_ns: Option<u64>,
    },
}

/// When a frame was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Nanoseconds on `clock`. The resolution is a microsecond in every format.
    pub ns: u64,
    /// What they count from.
    pub clock: Clock,
}

/// The period of a 32-bit microsecond counter: 71.6 minutes.
pub(crate) const MICROS_32: Clock = Clock::Chip { period_ns: Some((1 << 32) * 1000) };

/// One channel measurement. What the format does not say is absent, never a stand-in.
///
/// Read into one frame again and again: its vectors keep their capacity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CaptureFrame {
    /// The chip.
    pub chip: Chip,
    /// When it was received.
    pub time: Option<Time>,
    /// Format of the PPDU.
    pub phy: Option<Phy>,
    /// Width in MHz of the band that the tones span: the PPDU's where `phy` is known, else the channel's.
    pub bandwidth_mhz: Option<u16>,
    /// Frequency in MHz of tone 0.
    pub centre_mhz: Option<u16>,
    /// Tone at the centre of the primary 20 MHz channel, where that is not the whole band.
    pub primary_tone: Option<i16>,
    /// Distance between tones in hertz.
    pub spacing_hz: f64,
    /// Receive chains, 1..=[`MAX_CHAINS`].
    pub rx: usize,
    /// Space-time streams of the transmitter, 1..=[`MAX_CHAINS`]. An antenna each only if it maps them so.
    pub tx: usize,
    /// The antenna (or Broadcom's "core") behind each receive chain, where the format says; ascending.
    pub antennas: [Option<u8>; MAX_CHAINS],
    /// The number of the first stream: Nexmon records streams one by one.
    pub first_stream: u8,
    /// Signed indices of the measured tones, ascending.
    pub tones: Vec<i16>,
    /// Tones of the band for which the recording holds no measurement (`docs/captures.md` says why), ascending.
    pub unmeasured: Vec<i16>,
    /// The channel, `[rx][tx][tone]`, in the chip's counts: the receiver's gain is in them.
    pub values: Vec<C32>,
    /// Which way delay turns the phase.
    pub phase_sense: PhaseSense,
    /// Whether the standard's rotation of parts of the band ([`rotation`]) is out of the values.
    pub derotated: bool,
    /// Received power at each chain in dBm; for Nexmon of the frame, in the first place.
    pub rssi_dbm: [Option<f32>; MAX_CHAINS],
    /// Received power at each chain in dB above the noise floor, where that floor is not recorded.
    pub rssi_over_noise_db: [Option<f32>; MAX_CHAINS],
    /// Noise floor in dBm.
    pub noise_dbm: Option<i8>,
    /// Gain setting of the receiver in dB.
    pub agc_db: Option<u8>,
    /// The transmitter's address.
    pub transmitter: Option<Mac>,
    /// The addressee.
    pub receiver: Option<Mac>,
    /// 802.11 sequence number (12 bits), or the tool's own counter: see the format.
    pub sequence: Option<u16>,
}

impl CaptureFrame {
    /// Makes it empty without giving memory back.
    pub(crate) fn clear(&mut self) {
        let mut kept = [core::mem::take(&mut self.tones), core::mem::take(&mut self.unmeasured)];
        let mut values = core::mem::take(&mut self.values);
        kept.iter_mut().for_each(Vec::clear);
        values.clear();
        let [tones, unmeasured] = kept;
        *self = CaptureFrame { tones, unmeasured, values, ..CaptureFrame::default() };
    }

    /// Transmitter, addressee and sequence number out of an 802.11 management or data frame.
    pub(crate) fn mpdu(&mut self, mpdu: &[u8]) {
        let Some(head) = mpdu.first_chunk::<24>() else { return };
        let kind = head[0] >> 2 & 3;
        if head[0] & 3 != 0 || (kind != 0 && kind != 2) {
            return;
        }
        let six = |at: usize| Mac(core::array::from_fn(|k| head[at + k]));
        self.receiver = Some(six(4));
        self.transmitter = Some(six(10));
        self.sequence = Some(u16::from_le_bytes([head[22], head[23]]) >> 4);
    }

    /// One pair of receive chain and stream; `None` if the frame has no such pair.
    pub fn stream(&self, rx: usize, tx: usize) -> Option<Stream<'_>> {
        if rx >= self.rx || tx >= self.tx {
            return None;
        }
        let n = self.tones.len();
        let at = (rx * self.tx + tx) * n;
        let values = self.values.get(at..at + n)?;
        Some(Stream { spacing_hz: self.spacing_hz, tones: &self.tones, values })
    }

    /// Takes the standard's rotation for a PPDU of the whole band out of the values, exactly, once. For Nexmon, whose
    /// recordings do not name the PPDU: call it with the format that was sent.
    pub fn derotate(&mut self, phy: Phy) {
        let (Some(mhz), false) = (self.bandwidth_mhz, self.derotated) else { return };
        self.derotated = true;
        for row in self.values.chunks_exact_mut(self.tones.len().max(1)) {
            for (value, &k) in row.iter_mut().zip(&self.tones) {
                *value = unturn(*value, rotation(phy, mhz, k));
            }
        }
    }

    /// Factor that brings the values to √mW: `Σ|factor·H|²` over all pairs, averaged over the tones, is the received
    /// power of all chains. `None` without an RSSI in dBm or without signal.
    ///
    /// Source: the power balance of Halperin et al., "Tool release: gathering 802.11n traces with channel state
    /// information", CCR 41 (2011), and its `get_scaled_csi`.
    pub fn sqrt_mw(&self) -> Option<f64> {
        let mut milliwatts = 0.0;
        for dbm in self.rssi_dbm.iter().flatten() {
            milliwatts += math::pow(10.0, f64::from(*dbm) / 10.0);
        }
        let mut energy = 0.0;
        for value in &self.values {
            energy += f64::from(value.re) * f64::from(value.re) + f64::from(value.im) * f64::from(value.im);
        }
        let sound = milliwatts > 0.0 && energy > 0.0;
        sound.then(|| math::sqrt(milliwatts * self.tones.len() as f64 / energy))
    }
}

/// `z · γ*` for γ of so many quarter turns; exact.
pub(crate) fn unturn(z: C32, quarters: u8) -> C32 {
    match quarters & 3 {
        0 => z,
        1 => C32::new(z.im, -z.re),
        2 => C32::new(-z.re, -z.im),
        _ => C32::new(-z.im, z.re),
    }
}

/// One pair of receive chain and stream.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// Distance between tones in hertz.
    pub spacing_hz: f64,
    /// Signed indices of the measured tones, ascending.
    pub tones: &'a [i16],
    /// The channel at each of them, in counts.
    pub values: &'a [C32],
}

/// Why a stream is not on a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffGrid {
    /// Its tones have another spacing.
    Spacing,
    /// It has no measurement of these tones, counted from the grid's centre.
    Missing(Vec<i16>),
}

impl Stream<'_> {
    /// The stream on a grid whose centre is this stream's tone `centre` (0, or [`CaptureFrame::primary_tone`] for a
    /// 20 MHz frame in a wider band). Exact: every tone of the grid was measured, or it is refused.
    ///
    /// # Errors
    /// [`OffGrid`], naming the tones that are missing.
    pub fn on_grid(&self, grid: ToneGrid, centre: i16) -> Result<Samples, OffGrid> {
        let mut samples = Samples::zero(grid);
        let mut missing = Vec::new();
        self.place(&mut samples, centre, &mut missing)?;
        if missing.is_empty() { Ok(samples) } else { Err(OffGrid::Missing(missing)) }
    }

    /// The same without allocating and without refusing: cells without a measurement are exactly `+0.0`, and `missing`
    /// names their tones. Whoever takes such samples has to leave those cells out.
    ///
    /// # Errors
    /// [`OffGrid::Spacing`]; nothing is written then.
    pub fn place(&self, samples: &mut Samples, centre: i16, missing: &mut Vec<i16>) -> Result<(), OffGrid> {
        missing.clear();
        let grid = samples.grid();
        if grid.spacing_hz() != self.spacing_hz {
            return Err(OffGrid::Spacing);
        }
        let (re, im) = samples.parts_mut();
        for (k, &tone) in grid.indices().iter().enumerate() {
            let value = match self.tones.binary_search(&tone.saturating_add(centre)) {
                Ok(at) => self.values[at],
                Err(_) => {
                    missing.push(tone);
                    C32::new(0.0, 0.0)
                }
            };
            re[k] = value.re;
            im[k] = value.im;
        }
        Ok(())
    }
}
