//! What a body does: posture, where it faces, falls.

use crate::canonical::{Canonical, Sink};
use crate::ids::TrackId;
use crate::pose_frame::UnknownReason;
use crate::units::Timestamp;

/// Classes of posture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PostureClass {
    /// Upright, in one place.
    Standing = 0,
    /// Upright, on the way.
    Walking = 1,
    /// On a seat.
    Sitting = 2,
    /// On a surface or the floor.
    Lying = 3,
    /// On the way to the floor, not by own will.
    Falling = 4,
}

impl PostureClass {
    /// How many there are.
    pub const COUNT: usize = 5;
    /// Every class, by its code.
    pub const ALL: [PostureClass; PostureClass::COUNT] = [
        PostureClass::Standing,
        PostureClass::Walking,
        PostureClass::Sitting,
        PostureClass::Lying,
        PostureClass::Falling,
    ];

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            PostureClass::Standing => "standing",
            PostureClass::Walking => "walking",
            PostureClass::Sitting => "sitting",
            PostureClass::Lying => "lying",
            PostureClass::Falling => "falling",
        }
    }
}

/// Why no posture is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum NoPosture {
    /// Nothing that tells postures apart has been looked at lately.
    NoData = 0,
    /// It has, and no class stands out.
    Undecided = 1,
}

impl NoPosture {
    /// The reason's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            NoPosture::NoData => "no-data",
            NoPosture::Undecided => "undecided",
        }
    }

    pub(super) fn from_code(code: u8) -> Option<NoPosture> {
        [NoPosture::NoData, NoPosture::Undecided].into_iter().find(|r| *r as u8 == code)
    }
}

/// In which posture is somebody?
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Posture {
    /// It can't be said, and why.
    Unknown(NoPosture),
    /// In this one.
    Known {
        /// The class.
        class: PostureClass,
        /// Probability of each class, by its code; sums to 1.
        probability: [f32; PostureClass::COUNT],
    },
}

/// Where a body faces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heading {
    /// From +x towards +y, −π to π.
    pub rad: f32,
    /// Its standard deviation, radians.
    pub sigma_rad: f32,
}

/// Somebody fell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fall {
    /// End of the cycle that decided it.
    pub at: Timestamp,
    /// Probability that it was a fall.
    pub probability: f32,
    /// Whose; `None` where the room's links tell of a fall and nobody is placed.
    pub person: Option<TrackId>,
}

/// Did somebody fall lately?
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FallWatch {
    /// Nobody watches, and why.
    Unknown(UnknownReason),
    /// The newest fall of the last minute, if there was one.
    Watching(Option<Fall>),
}

impl Canonical for Posture {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Posture::Unknown(reason) => {
                out.u8(0);
                out.u8(*reason as u8);
            }
            Posture::Known { class, probability } => {
                out.u8(1);
                out.u8(*class as u8);
                out.f32s(probability);
            }
        }
    }
}

impl Canonical for Heading {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { rad, sigma_rad } = self;
        out.f32(*rad);
        out.f32(*sigma_rad);
    }
}

impl Canonical for Fall {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { at, probability, person } = self;
        at.canonical(out);
        out.f32(*probability);
        out.option(person.as_ref(), |s, id| id.canonical(s));
    }
}

impl Canonical for FallWatch {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            FallWatch::Unknown(reason) => {
                out.u8(0);
                out.u8(*reason as u8);
            }
            FallWatch::Watching(fall) => {
                out.u8(1);
                out.option(fall.as_ref(), |s, f| f.canonical(s));
            }
        }
    }
}
