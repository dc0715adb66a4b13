//! Frames on their way through the stages. Each constructor consumes the type before it, so stage order is a
//! compile-time fact: `CsiFrame → CalibratedFrame → AlignedFrame → LinkObservation → FusedFrame`.

use crate::canonical::{Canonical, Sink};
use crate::ids::{LinkId, Mac, NodeId};
use crate::limits::{FUSION_TONES, MAX_LINKS, MAX_TONES};
use crate::link::Layout;
use crate::tones::ToneGrid;
use crate::units::Timestamp;

/// Complex samples of one frame, one a tone of its grid, real and imaginary parts apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    grid: ToneGrid,
    re: [f32; MAX_TONES],
    im: [f32; MAX_TONES],
}

impl Samples {
    /// All tones exactly zero.
    pub fn zero(grid: ToneGrid) -> Samples {
        Samples { grid, re: [0.0; MAX_TONES], im: [0.0; MAX_TONES] }
    }
    /// The tone grid.
    pub fn grid(&self) -> ToneGrid {
        self.grid
    }
    /// Real parts, one a tone.
    pub fn re(&self) -> &[f32] {
        &self.re[..self.grid.tone_count()]
    }
    /// Imaginary parts, one a tone.
    pub fn im(&self) -> &[f32] {
        &self.im[..self.grid.tone_count()]
    }
    /// Both parts, writable.
    pub fn parts_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        let n = self.grid.tone_count();
        (&mut self.re[..n], &mut self.im[..n])
    }
    /// Mean squared magnitude over the tones.
    pub fn mean_power(&self) -> f64 {
        wavewitness_num::sum::energy(self.re(), self.im()) / self.grid.tone_count() as f64
    }
}

/// What the radio said about a frame. Absent where the firmware did not say; never a stand-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RadioMeta {
    /// Channel centre in MHz.
    pub channel_mhz: Option<u16>,
    /// Received signal strength in dBm.
    pub rssi_dbm: Option<i8>,
    /// Noise floor in dBm.
    pub noise_dbm: Option<i8>,
}

/// One channel measurement of one node, parsed and put on its tone grid; counts as the chip gave them.
#[derive(Clone, Debug, PartialEq)]
pub struct CsiFrame {
    /// When the datagram arrived at the hub (host time).
    pub at: Timestamp,
    /// Mesh time of the measurement, where the node's clock is synchronised.
    pub mesh_time: Option<Timestamp>,
    /// The receiving node.
    pub node: NodeId,
    /// The node's counter; gaps are not losses (it also counts frames that the node's own gate drops).
    pub sequence: u32,
    /// The transmitter's MAC, where the format carries it.
    pub transmitter: Option<Mac>,
    /// Arrangement on the wire.
    pub layout: Layout,
    /// What the radio said.
    pub radio: RadioMeta,
    /// Samples on the layout's tone grid.
    pub samples: Samples,
}

/// A frame of a known link with its gain normalised: unit mean power over the tones.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibratedFrame {
    /// When the datagram arrived.
    pub at: Timestamp,
    /// The link it belongs to.
    pub link: LinkId,
    /// What the radio said.
    pub radio: RadioMeta,
    /// Mean power before normalisation in dB relative to one count²: the gain that was removed.
    pub power_db: f32,
    /// Normalised samples.
    pub samples: Samples,
}

/// A frame whose common phase and timing slope were removed against its link's reference.
#[derive(Clone, Debug, PartialEq)]
pub struct AlignedFrame {
    /// When the datagram arrived.
    pub at: Timestamp,
    /// The link it belongs to.
    pub link: LinkId,
    /// What the radio said.
    pub radio: RadioMeta,
    /// Gain that calibration removed, in dB.
    pub power_db: f32,
    /// Common phase that was removed, in radians.
    pub common_phase: f32,
    /// Delay that was removed, in nanoseconds (positive: the frame came late).
    pub delay_ns: f32,
    /// Correlation magnitude with the reference after alignment, 0..=1.
    pub correlation: f32,
    /// Aligned samples.
    pub samples: Samples,
}

/// What one link said in one cycle: the mean of its aligned frames and how far they agree.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkObservation {
    /// The link.
    pub link: LinkId,
    /// Frames in this cycle (at least 1).
    pub frames: u16,
    /// When the newest of them arrived.
    pub newest: Timestamp,
    /// Mean of the aligned samples.
    pub mean: Samples,
    /// Mean over tones of the variance between the frames of the cycle (per complex sample); `None` for one frame.
    pub scatter: Option<f32>,
    /// Incoherence of [`LinkObservation::mean`] with the link's own recent mean (see [`Samples::incoherence`]); `None`
    /// until there is one.
    pub change: Option<f32>,
    /// Mean received signal strength in dBm, where the radio said it.
    pub rssi_dbm: Option<f32>,
    /// Mean noise floor in dBm, where the radio said it.
    pub noise_dbm: Option<f32>,
}

/// All links of one cycle on the fusion grid (HT20 tones): fixed shape, a presence mask, absent cells exactly `+0.0`.
#[derive(Clone, Debug, PartialEq)]
pub struct FusedFrame {
    /// Real parts, link-major: `link · FUSION_TONES + tone`.
    pub re: Vec<f32>,
    /// Imaginary parts.
    pub im: Vec<f32>,
    /// Bit k of entry `link`: tone k was measured.
    pub mask: Vec<u64>,
    /// Attention of each link: 0 for an absent one, the present ones sum to 1 (or all are 0).
    pub attention: Vec<f32>,
    /// Motion of each link: temporal change over its quiet level, 1 when quiet; 0 where not known.
    pub motion: Vec<f32>,
    /// Attention-weighted motion over the links; `None` when no link's quiet level is known.
    pub fused_motion: Option<f32>,
    /// How far the nodes see the same changes, 0..=1: about 0 for independent noise; `None` below two nodes.
    pub cross_coherence: Option<f32>,
}

impl FusedFrame {
    /// A frame in which every cell is absent.
    pub fn empty() -> FusedFrame {
        FusedFrame {
            re: vec![0.0; MAX_LINKS * FUSION_TONES],
            im: vec![0.0; MAX_LINKS * FUSION_TONES],
            mask: vec![0; MAX_LINKS],
            attention: vec![0.0; MAX_LINKS],
            motion: vec![0.0; MAX_LINKS],
            fused_motion: None,
            cross_coherence: None,
        }
    }

    /// Makes every cell absent, without allocating.
    pub fn clear(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
        self.mask.fill(0);
        self.attention.fill(0.0);
        self.motion.fill(0.0);
        self.fused_motion = None;
        self.cross_coherence = None;
    }
}

impl Canonical for Samples {
    fn canonical<S: Sink>(&self, out: &mut S) {
        self.grid.canonical(out);
        out.f32s(self.re());
        out.f32s(self.im());
    }
}

impl Canonical for RadioMeta {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { channel_mhz, rssi_dbm, noise_dbm } = self;
        out.option(channel_mhz.as_ref(), |s, &v| s.u16(v));
        out.option(rssi_dbm.as_ref(), |s, &v| s.put(&v.to_le_bytes()));
        out.option(noise_dbm.as_ref(), |s, &v| s.put(&v.to_le_bytes()));
    }
}

impl Canonical for CsiFrame {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { at, mesh_time, node, sequence, transmitter, layout, radio, samples } = self;
        at.canonical(out);
        out.option(mesh_time.as_ref(), |s, v| v.canonical(s));
        node.canonical(out);
        out.u32(*sequence);
        out.option(transmitter.as_ref(), |s, v| v.canonical(s));
        layout.canonical(out);
        radio.canonical(out);
        samples.canonical(out);
    }
}

impl Canonical for CalibratedFrame {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { at, link, radio, power_db, samples } = self;
        at.canonical(out);
        link.canonical(out);
        radio.canonical(out);
        out.f32(*power_db);
        samples.canonical(out);
    }
}

impl Canonical for AlignedFrame {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { at, link, radio, power_db, common_phase, delay_ns, correlation, samples } = self;
        at.canonical(out);
        link.canonical(out);
        radio.canonical(out);
        out.f32s(&[*power_db, *common_phase, *delay_ns, *correlation]);
        samples.canonical(out);
    }
}

impl Canonical for LinkObservation {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { link, frames, newest, mean, scatter, change, rssi_dbm, noise_dbm } = self;
        link.canonical(out);
        out.u16(*frames);
        newest.canonical(out);
        mean.canonical(out);
        out.option(scatter.as_ref(), |s, &v| s.f32(v));
        out.option(change.as_ref(), |s, &v| s.f32(v));
        out.option(rssi_dbm.as_ref(), |s, &v| s.f32(v));
        out.option(noise_dbm.as_ref(), |s, &v| s.f32(v));
    }
}

impl Canonical for FusedFrame {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { re, im, mask, attention, motion, fused_motion, cross_coherence } = self;
        // Rows of absent links are exactly +0.0 by construction: only present rows are hashed, after the mask.
        for &bits in mask {
            out.u64(bits);
        }
        for (link, &bits) in mask.iter().enumerate() {
            if bits != 0 {
                let row = link * FUSION_TONES..(link + 1) * FUSION_TONES;
                out.f32s(&re[row.clone()]);
                out.f32s(&im[row]);
            }
        }
        out.f32s(attention);
        out.f32s(motion);
        out.option(fused_motion.as_ref(), |s, &v| s.f32(v));
        out.option(cross_coherence.as_ref(), |s, &v| s.f32(v));
    }
}
