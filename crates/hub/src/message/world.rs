//! The world graph as a message: who is there, on whose evidence, since when, and what happened last.

use super::cycle::{Calibration, calibration};
use super::transmitter;
use crate::clock::iso8601;
use schemars::JsonSchema;
use serde::Serialize;
use wavewitness_engine::world::{EventKind, Graph, PresenceKind};

/// The world graph as of the last second.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct World {
    /// The room; `null` if it is not configured.
    pub room: Option<Room>,
    /// Nodes.
    pub sensors: Vec<Sensor>,
    /// Links.
    pub links: Vec<WorldLink>,
    /// Tracks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<Vec<WorldPerson>>,
    /// The last events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<WorldEvent>>,
    /// Events since the start, those of zones not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_total: Option<u64>,
}

/// A box.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Room {
    /// Lowest corner, m.
    pub min_m: [f64; 3],
    /// Highest corner, m.
    pub max_m: [f64; 3],
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sensor {
    /// Its number.
    pub node: u8,
    /// Whether it is silent.
    pub silent: bool,
    /// Since when it is so, UTC.
    pub since: String,
    /// Whether it hangs in the configured room.
    pub in_room: bool,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WorldLink {
    /// Its number.
    pub id: u16,
    /// The transmitter.
    pub tx: String,
    /// The receiving node.
    pub observed_by: u8,
    /// Its baseline.
    pub calibration: Calibration,
    /// When it was disturbed last, UTC; `null` if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disturbed: Option<Option<String>>,
}

/// A track.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WorldPerson {
    /// Of the track.
    pub id: u32,
    /// Its state.
    pub state: &'static str,
    /// Since when, UTC.
    pub since: String,
    /// Body centre, m.
    pub position_m: [f64; 3],
    /// Whether that is in the room.
    pub in_room: bool,
    /// Links whose evidence it rests on.
    pub supported_by: Vec<u16>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WorldEvent {
    /// When, UTC.
    pub at: String,
    /// What.
    pub event: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Happening {
    /// What is said of presence changed.
    Presence {
        /// `unknown`, `absent` or `present`.
        state: &'static str,
        /// Why it is unknown.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    /// What is said of a zone changed.
    Zone {
        /// Its name.
        zone: String,
        /// `occupied`, `vacant` or `unknown`.
        state: &'static str,
    },
    /// A track was confirmed.
    TrackConfirmed {
        /// Of the track.
        id: u32,
    },
    /// A track was lost.
    TrackLost {
        /// Of the track.
        id: u32,
    },
    /// A baseline changed its state.
    Calibration {
        /// Of the link.
        link: u16,
        /// The new state.
        calibration: Calibration,
    },
    /// A node fell silent.
    NodeSilent {
        /// Its number.
        node: u8,
    },
    /// A node is heard again.
    NodeBack {
        /// Its number.
        node: u8,
    },
}

/// The world graph, nothing withheld; events of zones are the shell's to add.
pub fn world(graph: &Graph) -> World {
    World {
        room: graph.room().map(|r| Room { min_m: r.min_m, max_m: r.max_m }),
        sensors: graph
            .sensors()
            .iter()
            .map(|s| Sensor { node: s.node.0, silent: s.silent, since: iso8601(s.since), in_room: s.in_room })
            .collect(),
        links: graph
            .links()
            .iter()
            .map(|l| WorldLink {
                id: l.link.0,
                tx: transmitter(l.ends.tx()),
                observed_by: l.ends.rx().0,
                calibration: calibration(&l.calibration),
                disturbed: Some(l.disturbed.map(iso8601)),
            })
            .collect(),
        people: Some(people(graph)),
        events: Some(
            graph.events().map(|e| WorldEvent { at: iso8601(e.at), event: happening(&e.kind) }).collect(),
        ),
        events_total: Some(graph.events_total()),
    }
}

fn people(graph: &Graph) -> Vec<WorldPerson> {
    graph
        .people()
        .iter()
        .map(|p| WorldPerson {
            id: p.track.0,
            state: p.state.name(),
            since: iso8601(p.since),
            position_m: p.position_m,
            in_room: p.in_room,
            supported_by: graph.supporters(p).map(|l| l.0).collect(),
        })
        .collect()
}

fn happening(kind: &EventKind) -> Happening {
    match kind {
        EventKind::Presence(PresenceKind::Unknown(why)) => {
            Happening::Presence { state: "unknown", reason: Some(why.name()) }
        }
        EventKind::Presence(PresenceKind::Absent) => Happening::Presence { state: "absent", reason: None },
        EventKind::Presence(PresenceKind::Present) => Happening::Presence { state: "present", reason: None },
        EventKind::TrackConfirmed(id) => Happening::TrackConfirmed { id: id.0 },
        EventKind::TrackLost(id) => Happening::TrackLost { id: id.0 },
        EventKind::Calibration(link, state) => {
            Happening::Calibration { link: link.0, calibration: calibration(state) }
        }
        EventKind::NodeSilent(id) => Happening::NodeSilent { node: id.0 },
        EventKind::NodeBack(id) => Happening::NodeBack { node: id.0 },
    }
}
