//! What each stage says about its own condition.

use crate::canonical::{Canonical, Sink};
use crate::ids::{LinkId, NodeId};
use crate::link::{Identification, Link};
use crate::units::Timestamp;

/// What may be done with a link's measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Gate {
    /// Coherent: use it.
    Accept = 0,
    /// Doubtful: use it with inflated noise, or predict only.
    PredictOnly = 1,
    /// Not coherent: do not use it.
    Reject = 2,
    /// Not coherent for so long that the baseline no longer describes the room.
    Recalibrate = 3,
}

impl Gate {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Gate::Accept => "accept",
            Gate::PredictOnly => "predict-only",
            Gate::Reject => "reject",
            Gate::Recalibrate => "recalibrate",
        }
    }
}

/// Why a calibration was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum RefusalReason {
    /// The channel moved while it was collected: the room was not empty or not still.
    Motion = 0,
    /// Too few frames arrived within the time allowed.
    TooFewFrames = 1,
    /// The frames did not resemble each other: several transmitters or noise.
    Incoherent = 2,
}

impl RefusalReason {
    /// The reason in words.
    pub fn name(self) -> &'static str {
        match self {
            RefusalReason::Motion => "the channel moved while it was collected",
            RefusalReason::TooFewFrames => "too few frames arrived in time",
            RefusalReason::Incoherent => "the frames did not resemble each other",
        }
    }
}

/// Condition of a link's baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalibrationState {
    /// No baseline, none being collected.
    None,
    /// `have` of `need` observations are in.
    Collecting {
        /// Observations so far.
        have: u32,
        /// Observations needed.
        need: u32,
    },
    /// A baseline is in use.
    Ready {
        /// True if it was collected on the operator's word that the room was empty; false if the hub merely found the
        /// channel quiet (a person sitting still may be part of it).
        empty_room: bool,
    },
    /// A baseline is in use that no longer describes the channel.
    Stale,
    /// The last collection was refused.
    Refused(RefusalReason),
}

impl CalibrationState {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            CalibrationState::None => "none",
            CalibrationState::Collecting { .. } => "collecting",
            CalibrationState::Ready { .. } => "ready",
            CalibrationState::Stale => "stale",
            CalibrationState::Refused(_) => "refused",
        }
    }
}

/// Condition of one node over the last seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeHealth {
    /// The node.
    pub node: NodeId,
    /// When its last datagram arrived.
    pub last: Timestamp,
    /// Channel frames a second, over a sliding window.
    pub rate_hz: f32,
    /// Channel frames accepted since the chain's (re)start.
    pub frames: u64,
    /// Datagrams rejected since the (re)start, over all reasons.
    pub rejected: u64,
    /// Frames that came after a later one.
    pub reordered: u64,
    /// Frames that came twice.
    pub duplicates: u64,
    /// Restarts seen (counter back to about zero).
    pub reboots: u32,
    /// True while two senders use this node's id.
    pub id_conflict: bool,
    /// True while nothing has arrived for the configured time.
    pub silent: bool,
    /// The node's own vitals hint, as it sent them: provenance `node`, not our measurement.
    pub hint_presence: Option<bool>,
    /// Mean received signal strength in dBm over the window, where the radio said it.
    pub rssi_dbm: Option<f32>,
}

/// Condition of one link in one cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkStatus {
    /// Its dense id.
    pub id: LinkId,
    /// What it is.
    pub link: Link,
    /// By what evidence its frames are recognised.
    pub identification: Identification,
    /// Mean shape distance of its own frames to its centre.
    pub within_distance: Option<f32>,
    /// Distance of its centre to the nearest other link of the same receiver and layout.
    pub between_distance: Option<f32>,
    /// Frames since the (re)start.
    pub frames: u64,
    /// Frames in this cycle.
    pub cycle_frames: u16,
    /// The gate.
    pub gate: Gate,
    /// Coherence with the baseline, 0..=1; `None` without a baseline or a frame.
    pub coherence: Option<f32>,
    /// Attention in the fusion.
    pub attention: f32,
    /// Motion over the quiet level; `None` where not known.
    pub motion: Option<f32>,
    /// Dominant-path ratio of the impulse response.
    pub dominant_ratio: Option<f32>,
    /// RMS delay spread in nanoseconds.
    pub delay_spread_ns: Option<f32>,
    /// The baseline.
    pub calibration: CalibrationState,
}

impl Canonical for Gate {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(*self as u8);
    }
}

impl Canonical for CalibrationState {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            CalibrationState::None => out.u8(0),
            CalibrationState::Collecting { have, need } => {
                out.u8(1);
                out.u32(*have);
                out.u32(*need);
            }
            CalibrationState::Ready { empty_room } => {
                out.u8(2);
                out.bool(*empty_room);
            }
            CalibrationState::Stale => out.u8(3),
            CalibrationState::Refused(reason) => {
                out.u8(4);
                out.u8(*reason as u8);
            }
        }
    }
}

impl Canonical for NodeHealth {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self {
            node,
            last,
            rate_hz,
            frames,
            rejected,
            reordered,
            duplicates,
            reboots,
            id_conflict,
            silent,
            hint_presence,
            rssi_dbm,
        } = self;
        node.canonical(out);
        last.canonical(out);
        out.f32(*rate_hz);
        out.u64(*frames);
        out.u64(*rejected);
        out.u64(*reordered);
        out.u64(*duplicates);
        out.u32(*reboots);
        out.bool(*id_conflict);
        out.bool(*silent);
        out.option(hint_presence.as_ref(), |s, &v| s.bool(v));
        out.option(rssi_dbm.as_ref(), |s, &v| s.f32(v));
    }
}

impl Canonical for LinkStatus {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self {
            id,
            link,
            identification,
            within_distance,
            between_distance,
            frames,
            cycle_frames,
            gate,
            coherence,
            attention,
            motion,
            dominant_ratio,
            delay_spread_ns,
            calibration,
        } = self;
        id.canonical(out);
        link.canonical(out);
        identification.canonical(out);
        out.option(within_distance.as_ref(), |s, &v| s.f32(v));
        out.option(between_distance.as_ref(), |s, &v| s.f32(v));
        out.u64(*frames);
        out.u16(*cycle_frames);
        gate.canonical(out);
        out.option(coherence.as_ref(), |s, &v| s.f32(v));
        out.f32(*attention);
        out.option(motion.as_ref(), |s, &v| s.f32(v));
        out.option(dominant_ratio.as_ref(), |s, &v| s.f32(v));
        out.option(delay_spread_ns.as_ref(), |s, &v| s.f32(v));
        calibration.canonical(out);
    }
}
