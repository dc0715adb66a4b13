//! Node time to mesh time.
//!
//! A sync packet says what mesh time it was when the node sent it. Its arrival is later by the network's delay, which
//! is never negative: so over a window the least `arrival − mesh time` is the best estimate of the offset between the
//! two clocks (the minimum filter of Cristian 1989 and of NTP's clock filter, RFC 5905 section 10), and a frame's
//! mesh time is its own arrival minus that offset, late by the frame's delay beyond the least one. Where the sync
//! packet names the very frame, its mesh time is the frame's.

use crate::packet::Sync;
use wavewitness_types::Timestamp;

/// Sync packets that are remembered: at the nodes' rate of one in 20 frames, about half a minute.
const REMEMBERED: usize = 32;
/// An offset this far above the least one is no delay: the mesh has a new leader with another time.
const STEP_NS: i128 = 1_000_000_000;

/// What one sync packet said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Observation {
    at: Timestamp,
    /// Arrival minus mesh time, in nanoseconds.
    offset_ns: i128,
}

/// The mapping of one node's frames to mesh time; no mapping until a valid sync packet has come.
#[derive(Clone, Debug)]
pub struct NodeClock {
    observations: [Option<Observation>; REMEMBERED],
    next: usize,
    newest: Option<(Timestamp, Sync)>,
}

impl Default for NodeClock {
    fn default() -> NodeClock {
        NodeClock::new()
    }
}

impl NodeClock {
    /// Nothing known.
    pub fn new() -> NodeClock {
        NodeClock { observations: [None; REMEMBERED], next: 0, newest: None }
    }

    /// Forgets everything: the node restarted, or lost the mesh.
    pub fn reset(&mut self) {
        *self = NodeClock::new();
    }

    /// Takes a sync packet of this node that arrived at `at`.
    pub fn observe(&mut self, at: Timestamp, sync: &Sync) {
        if !sync.valid {
            self.reset();
            return;
        }
        let offset_ns = i128::from(at.0) - 1000 * i128::from(sync.epoch_us);
        if self.observations.iter().flatten().any(|o| offset_ns - o.offset_ns > STEP_NS) {
            self.reset();
        }
        self.observations[self.next] = Some(Observation { at, offset_ns });
        self.next = (self.next + 1) % REMEMBERED;
        self.newest = Some((at, *sync));
    }

    /// Mesh time of a frame that arrived at `at`, from the sync packets of the `window_ns` before; `None` if there
    /// are none.
    pub fn mesh_time(&self, at: Timestamp, sequence: u32, window_ns: u64) -> Option<Timestamp> {
        let (newest_at, newest) = self.newest?;
        if at.nanos_since(newest_at) > window_ns {
            return None;
        }
        if newest.highest_sequence == sequence {
            return newest.epoch_us.checked_mul(1000).map(Timestamp);
        }
        let recent = self.observations.iter().flatten().filter(|o| at.nanos_since(o.at) <= window_ns);
        let offset_ns = recent.map(|o| o.offset_ns).min()?;
        u64::try_from(i128::from(at.0) - offset_ns).ok().map(Timestamp)
    }
}
