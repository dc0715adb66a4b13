//! What the hub knows about itself, for people and for `/api/v1/status`.

use crate::message;
use crate::privacy;
use crate::timings::{Durations, Timings};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use wavewitness_engine::world::Graph;
use wavewitness_types::{CalibrationState, PoseFrame, PrivacyMode, Source, Timestamp};
use wavewitness_witness::Digest;

/// The transparency log as of its last checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// Its name.
    pub origin: String,
    /// The public half of its root key.
    pub root_key: String,
    /// Number of the present epoch.
    pub epoch: u64,
    /// Entries covered.
    pub size: u64,
    /// The checkpoint.
    pub checkpoint: String,
    /// When it was signed.
    pub signed: Timestamp,
}

/// Clients and requests that were refused or given up, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Served {
    /// Connections closed at once: there were too many.
    pub refused_connections: u64,
    /// Clients beyond `hub.max_clients`.
    pub refused_clients: u64,
    /// Requests of a page of another origin.
    pub refused_origins: u64,
    /// Requests with a wrong token.
    pub refused_tokens: u64,
    /// Messages without a meaning.
    pub malformed: u64,
    /// Clients that sent too much at once.
    pub oversized: u64,
    /// Clients that took nothing for 10 s.
    pub stalled: u64,
    /// Clients that said nothing for 60 s.
    pub silent: u64,
}

/// One look at the hub.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Digest of the chain's genesis.
    pub genesis: Digest,
    /// The chain's value after the last journalled cycle.
    pub head: Digest,
    /// The address where datagrams arrive; `None` for a replay.
    pub udp: Option<SocketAddr>,
    /// The address of HTTP and WebSocket.
    pub http: Option<SocketAddr>,
    /// When the process began.
    pub started: Timestamp,
    /// The source that the chain declares.
    pub source: Source,
    /// The last published cycle, whole. Never shown as it is: what leaves the hub is `cycle`.
    pub frame: Option<PoseFrame>,
    /// The last published cycle as the privacy mode allows it.
    pub cycle: Option<Arc<message::Cycle>>,
    /// What is withheld.
    pub privacy: PrivacyMode,
    /// The last changes of zones.
    pub zone_events: Vec<message::WorldEvent>,
    /// Cycles published since the start.
    pub cycles: u64,
    /// Cycles that were not computed because the one before took too long.
    pub missed: u64,
    /// Datagrams that the shell left out before journal and engine, because a cycle was full.
    pub overflow: u64,
    /// Datagrams that the kernel dropped, because the hub did not take them in time.
    pub kernel_dropped: u64,
    /// Time from tick to witness, a cycle.
    pub compute: Durations,
    /// Rejected datagrams by reason.
    pub rejects: BTreeMap<&'static str, u64>,
    /// The world graph, as of the last second.
    pub world: Option<Graph>,
    /// Clients connected now.
    pub clients: u32,
    /// Clients and requests that were refused or given up, since the start.
    pub served: Served,
    /// Cycles left out for slow clients since the start.
    pub dropped: u64,
    /// The transparency log; `None` if none is kept, or nothing is signed yet.
    pub log: Option<LogState>,
    /// Why nothing is published any more, if so.
    pub fault: Option<String>,
}

/// The shared snapshot, and beside it how long things took.
#[derive(Clone)]
pub struct Status(Arc<Mutex<Snapshot>>, Timings);

impl Status {
    /// A status before the first cycle.
    pub fn new(genesis: Digest, source: Source, started: Timestamp) -> Status {
        let snapshot = Snapshot {
            genesis,
            head: genesis,
            udp: None,
            http: None,
            started,
            source,
            frame: None,
            cycle: None,
            privacy: PrivacyMode::default(),
            zone_events: Vec::new(),
            cycles: 0,
            missed: 0,
            overflow: 0,
            kernel_dropped: 0,
            compute: Durations::default(),
            rejects: BTreeMap::new(),
            world: None,
            clients: 0,
            served: Served::default(),
            dropped: 0,
            log: None,
            fault: None,
        };
        Status(Arc::new(Mutex::new(snapshot)), Timings::default())
    }

    /// How long things took.
    pub fn timings(&self) -> &Timings {
        &self.1
    }

    /// Changes the snapshot.
    pub fn update<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Source of the last cycle; what was declared before there is one.
    pub fn source(&self) -> Source {
        self.update(|s| s.frame.as_ref().map_or(s.source, |f| f.source))
    }

    /// A copy of the snapshot.
    pub fn snapshot(&self) -> Snapshot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The answer of `/api/v1/status`.
    pub fn message(&self, now: Timestamp) -> message::Status {
        message::status(&self.snapshot(), self.timings().parts(), now)
    }
}

impl Snapshot {
    /// Takes a compute time in.
    pub fn computed(&mut self, ns: u64) {
        self.compute.push(ns);
    }

    /// Reasons why the hub is not ready to be relied on; empty if it is.
    pub fn not_ready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(fault) = &self.fault {
            reasons.push(format!("stopped publishing: {fault}"));
        }
        let Some(frame) = &self.frame else {
            reasons.push("no cycle was computed yet".to_owned());
            return reasons;
        };
        if frame.nodes.is_empty() {
            reasons.push("no node was heard yet".to_owned());
        } else if frame.nodes.iter().all(|n| n.silent) {
            reasons.push("every node is silent".to_owned());
        }
        if !frame.links.is_empty()
            && !frame
                .links
                .iter()
                .any(|l| matches!(l.calibration, CalibrationState::Ready { .. } | CalibrationState::Stale))
        {
            reasons.push("no link is calibrated".to_owned());
        }
        reasons
    }

    /// One line for a service manager's status and the log.
    pub fn one_line(&self) -> String {
        let Some(frame) = &self.frame else { return "no cycle yet".to_owned() };
        let heard = frame.nodes.iter().filter(|n| !n.silent).count();
        let calibrated =
            frame.links.iter().filter(|l| matches!(l.calibration, CalibrationState::Ready { .. })).count();
        let us = self.compute.summary_us().map_or("-".to_owned(), |[_, p99, _]| format!("{p99:.0}"));
        format!(
            "{}: cycle {}, {} missed, p99 {us} us, {heard} of {} nodes heard, {} links ({calibrated} calibrated), \
             {} clients",
            frame.source.name(),
            frame.cycle.0,
            self.missed,
            frame.nodes.len(),
            frame.links.len(),
            self.clients,
        )
    }

    /// What to do about what is wrong, one line each: symptom, then remedy.
    pub fn advice(&self) -> Vec<String> {
        crate::advice::of(self)
    }

    /// The world graph and the changes of zones, as the privacy mode allows them.
    pub fn world_message(&self) -> Option<message::World> {
        let mut world = message::world(self.world.as_ref()?);
        if let Some(events) = &mut world.events {
            events.extend(self.zone_events.iter().cloned());
            // Times of one form: their order is that of their text.
            events.sort_by(|a, b| a.at.cmp(&b.at));
        }
        Some(privacy::world(self.privacy, world))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_without_a_cycle_is_not_ready_and_says_why() {
        let status = Status::new(Digest::ZERO, Source::Live, Timestamp(0));
        assert_eq!(status.snapshot().not_ready(), ["no cycle was computed yet"]);
        let message = status.message(Timestamp(5));
        assert!(!message.ready && message.compute_us.is_none() && message.stages_us.is_empty());
    }
}
