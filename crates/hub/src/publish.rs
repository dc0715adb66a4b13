//! What is published: one [`Update`] a cycle, shared by every client, each of its forms rendered once and only if asked for.

use crate::message::{self, Cycle, Live, Message};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};
use wavewitness_types::{CirEstimate, VoxelImage};

/// Cycles that wait for a client before the oldest is left out: 0.8 s.
pub const CLIENT_QUEUE: usize = 16;
/// Cycles from one image to the next, and from taps to taps: 2 Hz.
pub const DETAIL_EVERY: u64 = 10;

/// Where clients get their updates from, and where the journal thread puts them.
pub type Sender = broadcast::Sender<Published>;

/// A place to publish.
pub fn channel() -> Sender {
    broadcast::channel(CLIENT_QUEUE).0
}

/// What is published.
#[derive(Clone, Debug)]
pub enum Published {
    /// A cycle.
    Cycle(Arc<Update>),
    /// Nothing more, and why.
    Stopped(Arc<str>),
}

/// What a client may subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// People and their keypoints.
    Poses,
    /// Presence, count, motion, breathing.
    Presence,
    /// Where something moves; 2 Hz.
    Images,
    /// Impulse responses; 2 Hz.
    Taps,
    /// Digests.
    Witness,
    /// Nodes and links.
    Health,
}

impl Topic {
    /// Every topic, in the order in which a cycle's messages are sent.
    pub const ALL: [Topic; 6] =
        [Topic::Poses, Topic::Presence, Topic::Images, Topic::Taps, Topic::Witness, Topic::Health];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Poses => "poses",
            Topic::Presence => "presence",
            Topic::Images => "images",
            Topic::Taps => "taps",
            Topic::Witness => "witness",
            Topic::Health => "health",
        }
    }

    /// The topic of a name.
    pub fn of(name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|t| t.name() == name)
    }
}

/// The form of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A JSON text.
    #[default]
    Json,
    /// The same fields in CBOR (RFC 8949).
    Binary,
}

impl Live {
    /// The message as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a message of strings, numbers and lists is JSON")
    }

    /// The message as CBOR.
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut out = Vec::new();
        ciborium::into_writer(self, &mut out).expect("a vector takes whatever is written");
        out
    }
}

/// A message in one of its forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendered {
    /// JSON.
    Text(Utf8Bytes),
    /// CBOR.
    Binary(Bytes),
}

impl Rendered {
    /// A message in a form.
    pub fn of(message: &Live, format: Format) -> Rendered {
        match format {
            Format::Json => Rendered::Text(message.to_json().into()),
            Format::Binary => Rendered::Binary(message.to_cbor().into()),
        }
    }

    /// Its bytes.
    pub fn bytes(self) -> Bytes {
        match self {
            Rendered::Text(text) => text.into(),
            Rendered::Binary(bytes) => bytes,
        }
    }
}

/// What only some cycles carry, because it is large.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// Where something moves.
    pub motion_image: Option<VoxelImage>,
    /// Impulse responses of the links heard.
    pub impulse_responses: Vec<CirEstimate>,
}

/// One cycle for every client: what the privacy mode allows, in whatever form it is asked for.
#[derive(Debug)]
pub struct Update {
    cycle: Cycle,
    detail: Option<Box<Detail>>,
    whole: OnceLock<Utf8Bytes>,
    topics: [[OnceLock<Rendered>; 2]; Topic::ALL.len()],
}

impl Update {
    /// An update of a cycle, and of what its cycle carries beside it.
    pub fn new(cycle: Cycle, detail: Option<Box<Detail>>) -> Update {
        Update { cycle, detail, whole: OnceLock::new(), topics: Default::default() }
    }

    /// The cycle.
    pub fn cycle(&self) -> &Cycle {
        &self.cycle
    }

    /// The message of `/ws/poses`.
    pub fn whole(&self) -> Utf8Bytes {
        let render = || Message::Cycle(Box::new(self.cycle.clone())).to_json().into();
        self.whole.get_or_init(render).clone()
    }

    /// Whether this cycle has something of a topic.
    pub fn carries(&self, topic: Topic) -> bool {
        self.detail.is_some() || !matches!(topic, Topic::Images | Topic::Taps)
    }

    /// A topic's message; `None` if this cycle has none of it.
    pub fn message(&self, topic: Topic) -> Option<Live> {
        let cycle = &self.cycle;
        Some(match topic {
            Topic::Poses => message::live::poses(cycle),
            Topic::Presence => message::live::presence_now(cycle),
            Topic::Witness => message::live::witness_now(cycle),
            Topic::Health => message::live::health(cycle),
            Topic::Images => message::live::images(cycle, self.detail.as_ref()?.motion_image.as_ref()),
            Topic::Taps => message::live::taps(cycle, &self.detail.as_ref()?.impulse_responses),
        })
    }

    /// A topic's message in a form, made when it is first asked for; `None` if this cycle has none of it.
    pub fn rendered(&self, topic: Topic, format: Format) -> Option<Rendered> {
        let place = &self.topics[topic as usize][format as usize];
        if let Some(rendered) = place.get() {
            return Some(rendered.clone());
        }
        let message = self.message(topic)?;
        Some(place.get_or_init(|| Rendered::of(&message, format)).clone())
    }
}
