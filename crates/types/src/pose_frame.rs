//! The only published value. Plain public fields; every number was measured, or is absent with a reason.

use crate::canonical::{Canonical, Sink};
use crate::event::Source;
use crate::ids::{CycleIndex, TrackId};
use crate::limits::MAX_PEOPLE;
use crate::people::TrackState;
use crate::status::{Gate, LinkStatus, NodeHealth};
use crate::units::Timestamp;

mod body;
mod decode;

pub use body::{Fall, FallWatch, Heading, NoPosture, Posture, PostureClass};

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Basis {
    /// The radio measured this quantity.
    Measured = 0,
    /// It follows from measured quantities through a physical model.
    Inferred = 1,
    /// It is what bodies are like on average; nothing of this person entered but where they are.
    Prior = 2,
}

impl Basis {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Measured => "measured",
            Basis::Inferred => "inferred",
            Basis::Prior => "prior",
        }
    }
}

/// The 17 COCO keypoints in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum KeypointName {
    Nose = 0,
    LeftEye = 1,
    RightEye = 2,
    LeftEar = 3,
    RightEar = 4,
    LeftShoulder = 5,
    RightShoulder = 6,
    LeftElbow = 7,
    RightElbow = 8,
    LeftWrist = 9,
    RightWrist = 10,
    LeftHip = 11,
    RightHip = 12,
    LeftKnee = 13,
    RightKnee = 14,
    LeftAnkle = 15,
    RightAnkle = 16,
}

/// COCO names, indexed by [`KeypointName`].
pub const KEYPOINT_NAMES: [&str; 17] = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
];

/// One keypoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keypoint {
    /// Position in the room, metres.
    pub position_m: [f32; 3],
    /// One standard deviation along each axis, metres.
    pub sigma_m: [f32; 3],
    /// Where it comes from.
    pub basis: Basis,
}

/// One person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Person {
    /// Identity within the chain.
    pub id: TrackId,
    /// Life of the track (never tentative).
    pub state: TrackState,
    /// Probability that this is a person.
    pub existence: f32,
    /// Body centre, metres.
    pub position_m: [f32; 3],
    /// One standard deviation along each axis, metres.
    pub sigma_m: [f32; 3],
    /// Velocity of the body centre, m/s.
    pub velocity_m_s: [f32; 3],
    /// COCO order.
    pub keypoints: [Keypoint; 17],
    /// In which posture.
    pub posture: Posture,
    /// Where the body faces; `None` if nothing told it.
    pub heading: Option<Heading>,
}

/// Why something is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum UnknownReason {
    /// No frame arrived lately.
    NoData = 0,
    /// No baseline is ready.
    NotCalibrated = 1,
    /// Positions of nodes or room are not configured.
    NoGeometry = 2,
    /// Too few links for this question.
    TooFewLinks = 3,
    /// The links that there are can't be trusted now.
    PoorCoherence = 4,
    /// Cycles were missed, or frames were lost or came at once, within the last seconds.
    Gaps = 5,
}

impl UnknownReason {
    /// The reason's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            UnknownReason::NoData => "no-data",
            UnknownReason::NotCalibrated => "not-calibrated",
            UnknownReason::NoGeometry => "no-geometry",
            UnknownReason::TooFewLinks => "too-few-links",
            UnknownReason::PoorCoherence => "poor-coherence",
            UnknownReason::Gaps => "gaps",
        }
    }

    fn from_code(code: u8) -> Option<UnknownReason> {
        use UnknownReason as R;
        [R::NoData, R::NotCalibrated, R::NoGeometry, R::TooFewLinks, R::PoorCoherence, R::Gaps]
            .into_iter()
            .find(|r| *r as u8 == code)
    }
}

/// What a statement about presence rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PresenceBasis {
    /// Only motion: somebody who keeps still is not seen.
    Motion = 0,
    /// An empty-room baseline: somebody who keeps still is seen as well.
    EmptyRoom = 1,
}

/// Is anybody there?
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Presence {
    /// It can't be said, and why.
    Unknown(UnknownReason),
    /// It can.
    Known {
        /// The decision.
        present: bool,
        /// Probability that somebody is there, 0..=1.
        probability: f32,
        /// What it rests on.
        basis: PresenceBasis,
    },
}

/// How many?
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Count {
    /// It can't be said, and why.
    Unknown(UnknownReason),
    /// Probability of 0, 1, … `MAX_PEOPLE` people; sums to 1.
    Known([f32; MAX_PEOPLE + 1]),
}

impl Count {
    /// The most probable number (the least of equals).
    pub fn most_probable(&self) -> Option<u8> {
        let Count::Known(p) = self else { return None };
        let mut best = 0;
        for k in 1..p.len() {
            if p[k] > p[best] {
                best = k;
            }
        }
        u8::try_from(best).ok()
    }
}

/// Why no breathing rate is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum NoBreathing {
    /// No link has been looked at lately.
    NoData = 0,
    /// The channel is known for too short a time.
    TooShort = 1,
    /// Frames come too rarely, or with too long a gap.
    TooSparse = 2,
    /// Somebody moves more than a chest does.
    Motion = 3,
    /// No line stands out of the noise.
    NoLine = 4,
    /// Links, or lines on one link, disagree.
    Rivals = 5,
}

impl NoBreathing {
    const ALL: [NoBreathing; 6] = [
        NoBreathing::NoData,
        NoBreathing::TooShort,
        NoBreathing::TooSparse,
        NoBreathing::Motion,
        NoBreathing::NoLine,
        NoBreathing::Rivals,
    ];

    /// The reason's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            NoBreathing::NoData => "no-data",
            NoBreathing::TooShort => "too-short",
            NoBreathing::TooSparse => "too-sparse",
            NoBreathing::Motion => "motion",
            NoBreathing::NoLine => "no-line",
            NoBreathing::Rivals => "rivals",
        }
    }

    fn from_code(code: u8) -> Option<NoBreathing> {
        NoBreathing::ALL.into_iter().find(|r| *r as u8 == code)
    }
}

/// A breathing rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreathingRate {
    /// Breaths a minute, the mean over `span_s`.
    pub bpm: f32,
    /// Its standard deviation.
    pub sigma_bpm: f32,
    /// Probability that noise alone shows as much.
    pub false_alarm: f32,
    /// Links that agree on it.
    pub links: u16,
    /// Seconds that it rests on.
    pub span_s: f32,
}

/// How fast does somebody breathe?
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Breathing {
    /// It can't be said, and why.
    Unknown(NoBreathing),
    /// So fast.
    Rate(BreathingRate),
}

/// How good this cycle was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// 0..=1: geometric mean of data arrival, coherence and calibration; 0 if nothing arrived.
    pub score: f32,
    /// Frames used in this cycle.
    pub frames: u32,
    /// Datagrams of this cycle that were rejected.
    pub rejected: u32,
    /// Frames of this cycle that fit no link.
    pub unassigned: u32,
    /// Links heard in this cycle.
    pub links_heard: u16,
    /// Links known.
    pub links_known: u16,
}

/// One cycle's published result.
#[derive(Clone, Debug, PartialEq)]
pub struct PoseFrame {
    /// The cycle.
    pub cycle: CycleIndex,
    /// When its Tick came.
    pub at: Timestamp,
    /// Whether the datagrams were live, replayed or simulated.
    pub source: Source,
    /// Is anybody there?
    pub presence: Presence,
    /// Attention-weighted motion over the quiet level (1 when quiet); `None` where not known.
    pub motion: Option<f32>,
    /// How many?
    pub count: Count,
    /// People, ascending by id.
    pub people: Vec<Person>,
    /// The room's gate: the best of its links' gates.
    pub gate: Gate,
    /// How good this cycle was.
    pub quality: Quality,
    /// Nodes, ascending by id.
    pub nodes: Vec<NodeHealth>,
    /// Links, ascending by id.
    pub links: Vec<LinkStatus>,
    /// How fast does somebody in the room breathe?
    pub breathing: Breathing,
    /// Did somebody in the room fall lately?
    pub fall: FallWatch,
}

impl Canonical for Keypoint {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { position_m, sigma_m, basis } = self;
        out.f32s(position_m);
        out.f32s(sigma_m);
        out.u8(*basis as u8);
    }
}

impl Canonical for Person {
    fn canonical<S: Sink>(&self, out: &mut S) {
        self.place(out);
        self.body(out);
    }
}

impl Person {
    /// What frames of every numerics version say of a person.
    fn place<S: Sink>(&self, out: &mut S) {
        let Self {
            id,
            state,
            existence,
            position_m,
            sigma_m,
            velocity_m_s,
            keypoints,
            posture: _,
            heading: _,
        } = self;
        id.canonical(out);
        state.canonical(out);
        out.f32(*existence);
        out.f32s(position_m);
        out.f32s(sigma_m);
        out.f32s(velocity_m_s);
        keypoints.iter().for_each(|k| k.canonical(out));
    }

    /// What they say of him since: the frame has it at its end, so that older frames are their beginning.
    fn body<S: Sink>(&self, out: &mut S) {
        let Self { posture, heading, .. } = self;
        posture.canonical(out);
        out.option(heading.as_ref(), |s, h| h.canonical(s));
    }
}

impl Canonical for Presence {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Presence::Unknown(reason) => {
                out.u8(0);
                out.u8(*reason as u8);
            }
            Presence::Known { present, probability, basis } => {
                out.u8(1);
                out.bool(*present);
                out.f32(*probability);
                out.u8(*basis as u8);
            }
        }
    }
}

impl Canonical for Count {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Count::Unknown(reason) => {
                out.u8(0);
                out.u8(*reason as u8);
            }
            Count::Known(p) => {
                out.u8(1);
                out.f32s(p);
            }
        }
    }
}

impl Canonical for Breathing {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Breathing::Unknown(reason) => {
                out.u8(0);
                out.u8(*reason as u8);
            }
            Breathing::Rate(BreathingRate { bpm, sigma_bpm, false_alarm, links, span_s }) => {
                out.u8(1);
                out.f32s(&[*bpm, *sigma_bpm, *false_alarm]);
                out.u16(*links);
                out.f32(*span_s);
            }
        }
    }
}

impl Canonical for Quality {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { score, frames, rejected, unassigned, links_heard, links_known } = self;
        out.f32(*score);
        out.u32(*frames);
        out.u32(*rejected);
        out.u32(*unassigned);
        out.u16(*links_heard);
        out.u16(*links_known);
    }
}

impl Canonical for PoseFrame {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self {
            cycle,
            at,
            source,
            presence,
            motion,
            count,
            people,
            gate,
            quality,
            nodes,
            links,
            breathing,
            fall,
        } = self;
        cycle.canonical(out);
        at.canonical(out);
        source.canonical(out);
        presence.canonical(out);
        out.option(motion.as_ref(), |s, &v| s.f32(v));
        count.canonical(out);
        out.count(people.len());
        people.iter().for_each(|p| p.place(out));
        gate.canonical(out);
        quality.canonical(out);
        nodes.as_slice().canonical(out);
        links.as_slice().canonical(out);
        breathing.canonical(out);
        people.iter().for_each(|p| p.body(out));
        fall.canonical(out);
    }
}
