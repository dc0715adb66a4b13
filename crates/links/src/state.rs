//! What the stage remembers.

use crate::beacon::BeaconClock;
use crate::group::{Group, Scratch};
use crate::plan::Plan;
use crate::record::{Counters, LinkRecord};
use crate::shape::Shape;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::{Layout, Link, LinkId, Mac, NodeId, Timestamp};

/// Pairs of node and layout that are followed; frames of others are counted as [`TableFull`].
///
/// [`TableFull`]: crate::Unassigned::TableFull
pub const MAX_GROUPS: usize = 32;
/// Unknown stations that are watched until they have sent enough to be links.
pub(crate) const MAX_STRANGERS: usize = 32;

/// How a link's frames look and when they come.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Exponential mean of its frames.
    pub(crate) shape: Shape,
    /// Usual distance of a frame from it.
    pub(crate) spread: f64,
    /// Usual time between its frames.
    pub(crate) interval_ns: f64,
    pub(crate) clock: BeaconClock,
    /// The older link that it has become hard to tell from, and since when.
    pub(crate) near: Option<(LinkId, Timestamp)>,
}

/// A station with an unknown MAC that has not sent enough yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stranger {
    pub(crate) link: Link,
    pub(crate) frames: u32,
    pub(crate) last_seen: Timestamp,
}

/// What the stage remembers. All memory is taken in [`State::new`].
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) records: Vec<LinkRecord>,
    pub(crate) models: Vec<Model>,
    pub(crate) groups: Vec<Group>,
    pub(crate) groups_used: usize,
    /// Whose turn it is to be maintained.
    pub(crate) turn: usize,
    pub(crate) strangers: Vec<Stranger>,
    pub(crate) counters: Counters,
    pub(crate) scratch: Scratch,
}

impl State {
    /// Nothing known yet.
    pub fn new(_plan: &Plan) -> State {
        State {
            records: Vec::with_capacity(MAX_LINKS),
            models: Vec::with_capacity(MAX_LINKS),
            groups: (0..MAX_GROUPS).map(|_| Group::vacant()).collect(),
            groups_used: 0,
            turn: 0,
            strangers: Vec::with_capacity(MAX_STRANGERS),
            counters: Counters::default(),
            scratch: Scratch::new(),
        }
    }

    /// Every link that was ever found, by its id: entry `k` is `LinkId(k)`. Only grows; at most
    /// [`MAX_LINKS`] entries.
    pub fn links(&self) -> &[LinkRecord] {
        &self.records
    }

    /// What happened how often.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The group of a node and layout, new if need be; `None` if there are too many.
    pub(crate) fn group(&mut self, node: NodeId, layout: Layout) -> Option<usize> {
        let known = self.groups[..self.groups_used].iter().position(|g| g.node == node && g.layout == layout);
        if known.is_some() || self.groups_used == MAX_GROUPS {
            return known;
        }
        let index = self.groups_used;
        self.groups_used += 1;
        (self.groups[index].node, self.groups[index].layout) = (node, layout);
        Some(index)
    }

    /// Counts a frame of an unknown station; the number of frames so far. The longest unseen one makes room.
    pub(crate) fn meet_stranger(&mut self, link: Link, at: Timestamp) -> u32 {
        if let Some(s) = self.strangers.iter_mut().find(|s| s.link == link) {
            s.frames = s.frames.saturating_add(1);
            s.last_seen = at;
            return s.frames;
        }
        let fresh = Stranger { link, frames: 1, last_seen: at };
        if self.strangers.len() < MAX_STRANGERS {
            self.strangers.push(fresh);
        } else if let Some(oldest) = self.strangers.iter_mut().min_by_key(|s| s.last_seen) {
            *oldest = fresh;
        }
        1
    }

    /// Forgets a stranger that became a link.
    pub(crate) fn forget_stranger(&mut self, link: Link) {
        self.strangers.retain(|s| s.link != link);
    }

    /// Links of stations that are known by MAC.
    pub(crate) fn station_count(&self) -> usize {
        use wavewitness_types::Transmitter;
        self.records.iter().filter(|r| matches!(r.link.tx(), Transmitter::Station(_))).count()
    }
}

/// Whether an access point's MAC is configured.
pub(crate) fn is_configured(plan: &Plan, mac: Mac) -> bool {
    plan.geometry.access_points.iter().any(|a| a.mac == mac)
}
