//! The messages of `/ws/v1`, `/api/v1/events` and `/api/v1/stream`: one type a topic, each a part of one cycle.
//!
//! What a cycle's message withholds, these withhold too: they are made of it and of nothing else, but for image and taps.

use super::cycle::{Breathing, Count, Cycle, FallWatch, Link, Node, Person, Presence, Quality, Zone};
use super::{Dropped, Hello, Stopped};
use crate::publish::{Format, Topic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wavewitness_types::{CirEstimate, VoxelImage};

/// Everything that a subscriber of the second protocol can be sent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Live {
    /// The first message to a client.
    Hello(Hello),
    /// What is sent from now on.
    Subscribed(Subscribed),
    /// What the client asked for can't be done; what was sent before goes on.
    Error(Refusal),
    /// Topic `poses`.
    Poses(Poses),
    /// Topic `presence`.
    Presence(PresenceNow),
    /// Topic `images`.
    Images(Images),
    /// Topic `taps`.
    Taps(Taps),
    /// Topic `witness`.
    Witness(WitnessNow),
    /// Topic `health`.
    Health(Health),
    /// Cycles were left out for this client, because it was slow.
    Dropped(Dropped),
    /// Nothing is published any more.
    Stopped(Stopped),
    /// Nothing else was sent for a while; the connection lives.
    Heartbeat(Heartbeat),
    /// The client was away, and these cycles are not sent again.
    Missed(Missed),
}

/// What a client may send.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Replaces the subscription.
    Subscribe {
        /// Which messages; none ends the subscription.
        topics: Vec<Topic>,
        /// Most messages a second of each topic.
        #[serde(default = "fastest")]
        #[schemars(range(min = 1, max = 20))]
        rate_hz: u32,
        /// In which form.
        #[serde(default)]
        format: Format,
    },
}

/// As fast as cycles come.
pub fn fastest() -> u32 {
    20
}

/// What is sent from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Subscribed {
    /// Which messages.
    pub topics: Vec<Topic>,
    /// Most messages a second of each topic.
    pub rate_hz: u32,
    /// In which form.
    pub format: Format,
}

/// What the client asked for can't be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Refusal {
    /// Which field is wrong.
    pub field: String,
    /// What it holds.
    pub value: String,
    /// What it may hold.
    pub allowed: String,
}

/// Who is where.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Poses {
    /// Number of the cycle.
    pub cycle: u64,
    /// End of the cycle, host time, nanoseconds since 1970.
    pub at_ns: String,
    /// How the hub is fed: `live`, `replay` or `simulated`.
    pub source: &'static str,
    /// Best gate of the links heard.
    pub gate: &'static str,
    /// 0..1, see [`Quality::score`].
    pub quality: f32,
    /// Confirmed and coasting tracks, ascending by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<Vec<Person>>,
}

/// Is anybody there, how many, do they move and breathe?
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PresenceNow {
    /// Number of the cycle.
    pub cycle: u64,
    /// End of the cycle, host time, nanoseconds since 1970.
    pub at_ns: String,
    /// How the hub is fed: `live`, `replay` or `simulated`.
    pub source: &'static str,
    /// Is anybody there?
    pub presence: Presence,
    /// Over the quiet level, 1 is quiet; `null` where not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motion: Option<Option<f32>>,
    /// How many?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// How fast does somebody breathe?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breathing: Option<Breathing>,
    /// Did somebody fall lately?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fall: Option<FallWatch>,
    /// Zones, in the order of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<Zone>>,
}

/// Where something moves, as the tomography sees it; every tenth cycle.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Images {
    /// Number of the cycle.
    pub cycle: u64,
    /// End of the cycle, host time, nanoseconds since 1970.
    pub at_ns: String,
    /// How the hub is fed: `live`, `replay` or `simulated`.
    pub source: &'static str,
    /// `null` if no image was made in this cycle: too few links move, or the room is not configured.
    pub motion: Option<Image>,
}

/// A value for every voxel of the room.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Image {
    /// Lowest corner, m.
    pub origin_m: [f64; 3],
    /// Edges of a voxel, m.
    pub pitch_m: [f64; 3],
    /// Voxels along x, y and z.
    pub counts: [u16; 3],
    /// Motion in ln·√m, x fastest; `docs/algorithms/tomography.md`.
    pub values: Vec<f32>,
}

/// The impulse responses of the links that were heard; every tenth cycle.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Taps {
    /// Number of the cycle.
    pub cycle: u64,
    /// End of the cycle, host time, nanoseconds since 1970.
    pub at_ns: String,
    /// How the hub is fed: `live`, `replay` or `simulated`.
    pub source: &'static str,
    /// One of each link, ascending by link.
    pub links: Vec<LinkTaps>,
}

/// One impulse response.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LinkTaps {
    /// The link's number, as in `health`.
    pub link: u16,
    /// Each path: delay in ns from the estimate's origin, real and imaginary part; ascending in delay.
    pub taps: Vec<[f32; 3]>,
    /// What the paths don't explain, relative: ‖Φx − y‖ / ‖y‖.
    pub residual: f32,
    /// Whether the solver converged.
    pub converged: bool,
}

/// What the witness says of a cycle: BLAKE3, hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WitnessNow {
    /// Number of the cycle.
    pub cycle: u64,
    /// End of the cycle, host time, nanoseconds since 1970.
    pub at_ns: String,
    /// How the hub is fed: `live`, `replay` or `simulated`.
    pub source: &'static str,
    /// Of the chain's genesis.
    pub genesis: String,
    /// Of the cycle's inputs.
    pub inputs: String,
    /// Of the canonical bytes of what was computed.
    pub output: String,
    /// Of the chain after this cycle.
    pub chain: String,
}

/// Nodes and links.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Health {
    /// Number of the cycle.
    pub cycle: u64,
    /// End of the cycle, host time, nanoseconds since 1970.
    pub at_ns: String,
    /// How the hub is fed: `live`, `replay` or `simulated`.
    pub source: &'static str,
    /// How good this cycle was.
    pub quality: Quality,
    /// Nodes, ascending by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<Node>>,
    /// Links, ascending by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<Link>>,
}

/// The connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Heartbeat {
    /// Number of the last cycle that was published; `null` before one.
    pub cycle: Option<u64>,
}

/// Cycles between a client's last and its first of this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Missed {
    /// The last cycle that the client has, by its own word.
    pub after: u64,
    /// The last cycle before the first that is sent now.
    pub until: u64,
}

/// Topic `poses` of a cycle.
pub fn poses(cycle: &Cycle) -> Live {
    Live::Poses(Poses {
        cycle: cycle.cycle,
        at_ns: cycle.at_ns.clone(),
        source: cycle.source,
        gate: cycle.gate,
        quality: cycle.quality.score,
        people: cycle.people.clone(),
    })
}

/// Topic `presence` of a cycle.
pub fn presence_now(cycle: &Cycle) -> Live {
    Live::Presence(PresenceNow {
        cycle: cycle.cycle,
        at_ns: cycle.at_ns.clone(),
        source: cycle.source,
        presence: cycle.presence.clone(),
        motion: cycle.motion,
        count: cycle.count.clone(),
        breathing: cycle.breathing.clone(),
        fall: cycle.fall.clone(),
        zones: cycle.zones.clone(),
    })
}

/// Topic `witness` of a cycle.
pub fn witness_now(cycle: &Cycle) -> Live {
    Live::Witness(WitnessNow {
        cycle: cycle.cycle,
        at_ns: cycle.at_ns.clone(),
        source: cycle.source,
        genesis: cycle.witness.genesis.clone(),
        inputs: cycle.witness.inputs.clone(),
        output: cycle.witness.output.clone(),
        chain: cycle.witness.chain.clone(),
    })
}

/// Topic `health` of a cycle.
pub fn health(cycle: &Cycle) -> Live {
    Live::Health(Health {
        cycle: cycle.cycle,
        at_ns: cycle.at_ns.clone(),
        source: cycle.source,
        quality: cycle.quality,
        nodes: cycle.nodes.clone(),
        links: cycle.links.clone(),
    })
}

/// Topic `images` of a cycle.
pub fn images(cycle: &Cycle, motion: Option<&VoxelImage>) -> Live {
    Live::Images(Images {
        cycle: cycle.cycle,
        at_ns: cycle.at_ns.clone(),
        source: cycle.source,
        motion: motion.map(|image| Image {
            origin_m: image.grid.origin_m,
            pitch_m: image.grid.pitch_m,
            counts: image.grid.counts,
            values: image.values.clone(),
        }),
    })
}

/// Topic `taps` of a cycle.
pub fn taps(cycle: &Cycle, estimates: &[CirEstimate]) -> Live {
    let link = |e: &CirEstimate| LinkTaps {
        link: e.link.0,
        taps: e.taps.iter().take(usize::from(e.tap_count)).map(|t| [t.delay_ns, t.re, t.im]).collect(),
        residual: e.residual,
        converged: e.converged,
    };
    Live::Taps(Taps {
        cycle: cycle.cycle,
        at_ns: cycle.at_ns.clone(),
        source: cycle.source,
        links: estimates.iter().map(link).collect(),
    })
}
