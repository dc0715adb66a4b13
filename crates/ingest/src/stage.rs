//! The stage: datagrams in, frames out, and the books of the nodes.

use crate::node::{Node, Spans, Taken};
use crate::packet::{Kind, Packet};
use crate::parse::{claimed_node, parse};
use crate::reject::Reject;
use wavewitness_types::limits::MAX_NODES;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{ConfigError, CsiFrame, NodeHealth, NodeId, Sender, Timestamp, stage_config};

stage_config! {
    /// Bookkeeping of the nodes' streams.
    pub struct Config in "ingest" {
        /// A node that sent nothing for this many seconds is silent.
        silence_s: f64 = 3.0, 0.1, 3600.0;
        /// Window of a node's frame rate and mean signal strength, in seconds.
        rate_window_s: f64 = 5.0, 0.5, 60.0;
        /// A node's own opinion on presence is shown for this many seconds.
        hint_s: f64 = 10.0, 1.0, 3600.0;
        /// Two senders that take turns under one node id within this many seconds are a conflict.
        conflict_s: f64 = 10.0, 1.0, 3600.0;
        /// Sync packets of this many seconds map a node's frames to mesh time.
        clock_window_s: f64 = 30.0, 1.0, 3600.0;
        /// Accept frames whose tone +1 the chip spoilt (legacy field of the ESP32), with the straight line through
        /// its neighbours in its place; if false they are rejected.
        restore_first_tone: bool = true, false, true;
    }
}

/// What became of a datagram. By value: a channel frame makes it large, and nothing allocates.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A channel measurement to use.
    Csi(CsiFrame),
    /// Understood and entered in the books; nothing to use.
    Other(Kind),
    /// Of no use, and the node that it claims to come from, where it names one.
    Rejected(Reject, Option<NodeId>),
}

/// The stage, configured.
#[derive(Clone, Debug)]
pub struct Plan {
    spans: Spans,
    restore_first_tone: bool,
}

/// The books.
#[derive(Clone, Debug)]
pub struct State {
    /// Ascending by id, at most [`MAX_NODES`].
    nodes: Vec<Node>,
    now: Timestamp,
    rejects: [u64; Reject::ALL.len()],
    kinds: [u64; Kind::ALL.len()],
    simulated: bool,
    spans: Spans,
}

impl Plan {
    /// Checks the configuration.
    ///
    /// # Errors
    /// Names the field that is out of range.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        config.check()?;
        // In range, so the nanoseconds are positive and far below 2⁶⁴.
        let nanos = |seconds: f64| (seconds * 1e9) as u64;
        let spans = Spans {
            silence: nanos(config.silence_s),
            rate_window: nanos(config.rate_window_s),
            hint: nanos(config.hint_s),
            conflict: nanos(config.conflict_s),
            clock_window: nanos(config.clock_window_s),
        };
        Ok(Plan { spans, restore_first_tone: config.restore_first_tone })
    }

    /// Takes one datagram that `from` sent and that arrived at `at`. Datagrams go in in one order that does not
    /// depend on scheduling (time, then sender, then bytes): order, duplicates and clocks are read from it.
    pub fn run(&self, at: Timestamp, from: Sender, bytes: &[u8], state: &mut State) -> Outcome {
        match parse(at, bytes) {
            Ok(packet) => self.accept(at, from, packet, state),
            Err(reason) => state.reject(reason, claimed_node(bytes)),
        }
    }

    fn accept(&self, at: Timestamp, from: Sender, packet: Packet, state: &mut State) -> Outcome {
        let mut kind = packet.kind();
        if kind == Kind::RestoredCsi && !self.restore_first_tone {
            return state.reject(Reject::MissingTone, packet.node());
        }
        if let Packet::SimulationMarker { .. } = packet {
            state.simulated = true;
        }
        let Some(id) = packet.node() else { return state.other(kind) };
        let Some(node) = state.node_mut(id, at) else { return state.reject(Reject::TooManyNodes, Some(id)) };
        node.heard(at);
        match packet {
            Packet::Csi(mut frame) | Packet::RestoredCsi(mut frame) => {
                if node.take(from, &mut frame, &self.spans) == Taken::New {
                    state.kinds[kind.index()] += 1;
                    return Outcome::Csi(frame);
                }
                kind = Kind::Duplicate;
            }
            Packet::Vitals(vitals) => node.hinted(at, vitals.presence),
            Packet::Sync(sync) => node.clock.observe(at, &sync),
            _ => {}
        }
        state.other(kind)
    }

    /// Ends a cycle at `at`: health is as of then.
    pub fn end_cycle(&self, at: Timestamp, state: &mut State) {
        state.now = at;
    }
}

impl State {
    /// Empty books.
    pub fn new(plan: &Plan) -> State {
        State {
            nodes: Vec::with_capacity(MAX_NODES),
            now: Timestamp(0),
            rejects: [0; Reject::ALL.len()],
            kinds: [0; Kind::ALL.len()],
            simulated: false,
            spans: plan.spans,
        }
    }

    /// Every node's condition at the end of the last cycle, ascending by id; clears `out` first.
    pub fn health(&self, out: &mut Vec<NodeHealth>) {
        out.clear();
        out.extend(self.nodes.iter().map(|n| n.health(self.now, &self.spans)));
    }

    /// Rejected datagrams by reason, indexed by [`Reject::index`].
    pub fn rejects(&self) -> &[u64] {
        &self.rejects
    }

    /// Accepted datagrams by kind, indexed by [`Kind::index`].
    pub fn kinds(&self) -> &[u64] {
        &self.kinds
    }

    /// True once a simulation marker was seen; for good.
    pub fn simulated(&self) -> bool {
        self.simulated
    }

    fn node_mut(&mut self, id: NodeId, at: Timestamp) -> Option<&mut Node> {
        let k = match self.nodes.binary_search_by_key(&id, |n| n.id) {
            Ok(k) => k,
            Err(_) if self.nodes.len() >= MAX_NODES => return None,
            Err(k) => {
                self.nodes.insert(k, Node::new(id, at));
                k
            }
        };
        self.nodes.get_mut(k)
    }

    /// Only a node that was accepted once has books: a forged id can't fill the table with rejects.
    fn reject(&mut self, reason: Reject, claimed: Option<NodeId>) -> Outcome {
        self.rejects[reason.index()] += 1;
        if let Some(Ok(k)) = claimed.map(|id| self.nodes.binary_search_by_key(&id, |n| n.id)) {
            self.nodes[k].rejected += 1;
        }
        Outcome::Rejected(reason, claimed)
    }

    fn other(&mut self, kind: Kind) -> Outcome {
        self.kinds[kind.index()] += 1;
        Outcome::Other(kind)
    }
}
