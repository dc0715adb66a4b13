//! What the stage says: to which link a frame belongs, by what evidence, and what is known of every link.

use crate::beacon::BeaconEvidence;
use wavewitness_types::{Canonical, Identification, Link, LinkId, Sink, Timestamp};

/// Why a frame belongs to no link. It is counted, not forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Unassigned {
    /// No link is known yet at this node in this layout.
    Learning = 0,
    /// It fits none of the known links.
    NoFit = 1,
    /// It fits two links about equally well, and no beacon schedule decides.
    Ambiguous = 2,
    /// Its link is new and there is no room for it.
    TableFull = 3,
    /// Its transmitter is the node that received it.
    OwnNode = 4,
    /// Its samples are all zero.
    NoEnergy = 5,
}

impl Unassigned {
    /// Every reason, in the order of [`Counters::unassigned`].
    pub const ALL: [Unassigned; 6] = [
        Unassigned::Learning,
        Unassigned::NoFit,
        Unassigned::Ambiguous,
        Unassigned::TableFull,
        Unassigned::OwnNode,
        Unassigned::NoEnergy,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Unassigned::Learning => "learning",
            Unassigned::NoFit => "no-fit",
            Unassigned::Ambiguous => "ambiguous",
            Unassigned::TableFull => "table-full",
            Unassigned::OwnNode => "own-node",
            Unassigned::NoEnergy => "no-energy",
        }
    }
}

/// To which link a frame belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// To this one.
    Link {
        /// The link.
        id: LinkId,
        /// The evidence for this frame.
        by: Identification,
    },
    /// To none.
    Unassigned(Unassigned),
}

/// Why a link is followed no more. Its id is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// Its shape became that of another link; the frames go there.
    Merged {
        /// The other link.
        into: LinkId,
        /// When.
        at: Timestamp,
    },
    /// It had been silent for long and its place was needed.
    Silent {
        /// When.
        at: Timestamp,
    },
}

/// What is known of one link.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkRecord {
    /// Transmitter, receiver and layout.
    pub link: Link,
    /// The strongest evidence that it stands on now.
    pub identification: Identification,
    /// Arrival of the first frame that was found to be its.
    pub first_seen: Timestamp,
    /// Arrival of its newest frame.
    pub last_seen: Timestamp,
    /// Frames that were given to it.
    pub frames: u64,
    /// Usual distance (incoherence `1 − |ρ|²`) of its frames from its shape; `None` below two frames.
    pub within_distance: Option<f32>,
    /// Distance of its shape from that of the nearest other link of this node and layout; `None` if it is alone.
    pub between_distance: Option<f32>,
    /// Its beacon schedule, if its arrivals show one.
    pub beacon: Option<BeaconEvidence>,
    /// Why it is followed no more; `None` while it is.
    pub retired: Option<Retired>,
}

/// How often what happened, since the state began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames given to a link, by [`Identification`] (mac, slot, beacon phase, shape).
    pub assigned: [u64; 4],
    /// Frames given to none, by [`Unassigned`].
    pub unassigned: [u64; 6],
    /// Ambient links found.
    pub births: u32,
    /// Ambient links found for which there was no room.
    pub births_refused: u32,
    /// Links that became another.
    pub merges: u32,
    /// Links that were found again with a changed shape.
    pub reanchors: u32,
    /// Links that lost their place by silence.
    pub silenced: u32,
}

impl Counters {
    /// Frames seen.
    pub fn frames(&self) -> u64 {
        self.assigned.iter().sum::<u64>() + self.unassigned.iter().sum::<u64>()
    }
}

impl Canonical for Unassigned {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(*self as u8);
    }
}

impl Canonical for Resolution {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Resolution::Link { id, by } => {
                out.u8(1);
                id.canonical(out);
                by.canonical(out);
            }
            Resolution::Unassigned(why) => {
                out.u8(0);
                why.canonical(out);
            }
        }
    }
}

impl Canonical for Retired {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Retired::Merged { into, at } => {
                out.u8(0);
                into.canonical(out);
                at.canonical(out);
            }
            Retired::Silent { at } => {
                out.u8(1);
                at.canonical(out);
            }
        }
    }
}

impl Canonical for LinkRecord {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self {
            link,
            identification,
            first_seen,
            last_seen,
            frames,
            within_distance,
            between_distance,
            beacon,
            retired,
        } = self;
        link.canonical(out);
        identification.canonical(out);
        first_seen.canonical(out);
        last_seen.canonical(out);
        out.u64(*frames);
        out.option(within_distance.as_ref(), |s, &v| s.f32(v));
        out.option(between_distance.as_ref(), |s, &v| s.f32(v));
        out.option(beacon.as_ref(), |s, v| v.canonical(s));
        out.option(retired.as_ref(), |s, v| v.canonical(s));
    }
}

impl Canonical for Counters {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { assigned, unassigned, births, births_refused, merges, reanchors, silenced } = self;
        for &n in assigned.iter().chain(unassigned) {
            out.u64(n);
        }
        for &n in [births, births_refused, merges, reanchors, silenced] {
            out.u32(n);
        }
    }
}
