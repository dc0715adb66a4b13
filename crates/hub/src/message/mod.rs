//! What the hub says: every message that leaves it over an interface is one of these types. `docs/protocol.md` describes them.
//!
//! Every number comes from the witnessed `PoseFrame`: what is `null` was not measured, what is absent is withheld by the
//! privacy mode. Nothing leaves the hub but through these types, so that one place can redact them.

mod cycle;
pub mod live;
mod status;
mod world;

pub use cycle::{
    Breathing, Calibration, Count, Cycle, FallWatch, Heading, Hint, Keypoint, Link, Node, Person, Posture,
    Presence, Quality, Witness, Zone, cycle, links, nodes, presence,
};
pub use live::Live;
pub use status::{ComputeUs, Last, LogStatus, StageUs, Status, status};

pub use world::{Happening, Room, Sensor, World, WorldEvent, WorldLink, WorldPerson, world};

use crate::clock::iso8601;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wavewitness_types::pose_frame::KEYPOINT_NAMES;
use wavewitness_types::{Source, Transmitter};
use wavewitness_witness::Genesis;

/// Version of the message schema: `docs/protocol.md`.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that a subscriber can be sent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Message {
    /// The first message to a client.
    Hello(Hello),
    /// One cycle.
    Cycle(Box<Cycle>),
    /// Cycles were left out for this client, because it was slow.
    Dropped(Dropped),
    /// Nothing is published any more.
    Stopped(Stopped),
}

/// The first message to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hello {
    /// Version of the message schema.
    pub schema: u32,
    /// Name and version of the program.
    pub software: String,
    /// Version of the numbers.
    pub numerics: u32,
    /// BLAKE3 of the chain's genesis, hex.
    pub genesis: String,
    /// When the chain began, UTC.
    pub started: String,
    /// How the hub is fed: `live`, `replay` or `simulated`.
    pub source: &'static str,
    /// Cycles a second.
    pub cycle_hz: u32,
    /// Names of the keypoints in their order.
    pub keypoints: Vec<&'static str>,
    /// The privacy mode: `docs/privacy.md`.
    pub privacy: &'static str,
    /// What it withholds, by name.
    pub withheld: Vec<&'static str>,
}

/// Cycles were left out for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Dropped {
    /// Since the last message.
    pub cycles: u64,
    /// Since the connection began.
    pub total: u64,
}

/// Nothing is published any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stopped {
    /// Why.
    pub reason: String,
}

/// The answer of `/api/v1`: what is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Index {
    /// Always `wavewitness`.
    pub service: &'static str,
    /// Paths, each with its method if that is not GET, and an example of what it takes.
    pub endpoints: Vec<&'static str>,
}

/// The answer of `/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HealthAnswer {
    /// `ok` as long as it publishes; only where the peer's protocol is served, whose pages look for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// Whether it publishes.
    pub live: bool,
    /// Whether it is to be relied on.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

/// The answer of `/health/live`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LiveAnswer {
    /// Whether it publishes.
    pub live: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// The answer of `/health/ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReadyAnswer {
    /// Whether it is to be relied on.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErrorAnswer {
    /// Field, value and what is allowed.
    pub error: String,
}

/// The body of `POST /api/v1/calibration`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibrationRequest {
    /// What to do.
    #[schemars(extend("enum" = ["start", "cancel", "clear"]))]
    pub action: String,
}

/// An order was taken into the running cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Accepted {
    /// The order.
    pub accepted: String,
}

impl Message {
    /// The message as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a message of strings, numbers and lists is JSON")
    }
}

/// The first message to a client.
pub fn hello(genesis: &Genesis, source: Source) -> Hello {
    Hello {
        schema: SCHEMA_VERSION,
        software: genesis.software.clone(),
        numerics: genesis.numerics,
        genesis: genesis.digest().to_string(),
        started: iso8601(genesis.started),
        source: source.name(),
        cycle_hz: 20,
        keypoints: KEYPOINT_NAMES.to_vec(),
        privacy: genesis.privacy.name(),
        withheld: crate::privacy::withheld(genesis.privacy),
    }
}

/// A transmitter in words.
pub fn transmitter(tx: Transmitter) -> String {
    match tx {
        Transmitter::Node(id) => format!("node {}", id.0),
        Transmitter::Station(mac) => mac.to_string(),
        Transmitter::Ambient(n) => format!("ambient {n}"),
    }
}
