//! The message of a cycle.
//!
//! Fields of `Option` are left out where the privacy mode withholds them; `None` inside means not measured.

use super::transmitter;
use crate::clock::iso8601;
use schemars::JsonSchema;
use serde::Serialize;
use wavewitness_types as types;
use wavewitness_types::pose_frame::KEYPOINT_NAMES;
use wavewitness_types::{CalibrationState, PoseFrame, PresenceBasis, Timestamp};
use wavewitness_witness::Digest;

/// One cycle.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cycle {
    /// Number of the cycle; numbers that are left out are cycles that were not computed.
    pub cycle: u64,
    /// End of the cycle, host time, UTC.
    pub at: String,
    /// The same in nanoseconds since 1970.
    pub at_ns: String,
    /// How the hub is fed: `live`, `replay` or `simulated`.
    pub source: &'static str,
    /// Is anybody there?
    pub presence: Presence,
    /// Attention-weighted motion over the quiet level, 1 is quiet; `null` where not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motion: Option<Option<f32>>,
    /// How many?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// Confirmed and coasting tracks, ascending by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<Vec<Person>>,
    /// Best gate of the links heard: `accept`, `predict-only`, `reject` or `recalibrate`.
    pub gate: &'static str,
    /// How fast does somebody breathe?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breathing: Option<Breathing>,
    /// Did somebody fall lately?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fall: Option<FallWatch>,
    /// How good this cycle was.
    pub quality: Quality,
    /// Nodes, ascending by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<Node>>,
    /// Links, ascending by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<Link>>,
    /// Zones, in the order of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<Zone>>,
    /// What the witness says of this cycle.
    pub witness: Witness,
}

/// One zone. Computed by the shell from the people of the cycle: not witnessed itself, but from what is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// `occupied`, `vacant` or `unknown`.
    pub state: &'static str,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Probability that somebody who is located is in it; `null` where that can't be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<Option<f32>>,
    /// Whether somebody in it moves; `null` where that can't be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motion: Option<Option<bool>>,
}

/// Is anybody there?
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Presence {
    /// It can't be said.
    Unknown {
        /// Why.
        reason: &'static str,
    },
    /// Nobody is there (basis `empty-room`), or nobody moves (basis `motion`).
    Absent {
        /// Probability that somebody is there, or moves.
        probability: f32,
        /// What it rests on: `motion` or `empty-room`.
        basis: &'static str,
    },
    /// Somebody is there, or moves.
    Present {
        /// Probability that somebody is there, or moves.
        probability: f32,
        /// What it rests on: `motion` or `empty-room`.
        basis: &'static str,
    },
}

/// How many?
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Count {
    /// It can't be said.
    Unknown {
        /// Why.
        reason: &'static str,
    },
    /// It can.
    Known {
        /// The most probable number.
        most_probable: u8,
        /// Probability of 0, 1, … 8 people; left out where the privacy mode withholds it.
        #[serde(skip_serializing_if = "Option::is_none")]
        probability: Option<Vec<f32>>,
    },
}

/// How fast does somebody breathe?
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Breathing {
    /// It can't be said.
    Unknown {
        /// Why.
        reason: &'static str,
    },
    /// It can.
    Known {
        /// Breaths a minute over `span_s`.
        bpm: f32,
        /// One sigma of it.
        sigma_bpm: f32,
        /// Probability that noise shows as much.
        false_alarm: f32,
        /// Links that agree.
        links: u16,
        /// Seconds that it rests on.
        span_s: f32,
    },
}

/// Did somebody fall lately?
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum FallWatch {
    /// Nobody watches.
    Unknown {
        /// Why.
        reason: &'static str,
    },
    /// Nobody fell in the last minute, as far as it was seen.
    None,
    /// Somebody fell in the last minute.
    Fallen {
        /// When it was decided, UTC.
        at: String,
        /// Probability that it was a fall.
        probability: f32,
        /// The track; `null` if nobody was placed.
        #[serde(skip_serializing_if = "Option::is_none")]
        person: Option<Option<u32>>,
    },
}

/// In which posture is somebody?
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Posture {
    /// It can't be said.
    Unknown {
        /// Why.
        reason: &'static str,
    },
    /// It can.
    Known {
        /// The most probable: `standing`, `walking`, `sitting`, `lying` or `falling`.
        class: &'static str,
        /// Probability of each.
        probability: PostureProbability,
    },
}

/// Probability of each posture; sums to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct PostureProbability {
    pub standing: f32,
    pub walking: f32,
    pub sitting: f32,
    pub lying: f32,
    pub falling: f32,
}

/// Where a body faces.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Heading {
    /// From +x towards +y, −π to π.
    pub rad: f32,
    /// One sigma.
    pub sigma_rad: f32,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Person {
    /// Of the track; never reused in a chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// `confirmed`, or `coasting`: predicted, not measured in this cycle.
    pub state: &'static str,
    /// Probability that this is a person.
    pub existence: f32,
    /// Body centre, m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_m: Option<[f32; 3]>,
    /// One sigma along each axis, m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma_m: Option<[f32; 3]>,
    /// Velocity of the body centre, m/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub velocity_m_s: Option<[f32; 3]>,
    /// In which posture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posture: Option<Posture>,
    /// Where the body faces; `null` if nothing told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<Option<Heading>>,
    /// Seventeen, COCO order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keypoints: Option<Vec<Keypoint>>,
}

/// One keypoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Keypoint {
    /// COCO name.
    pub name: &'static str,
    /// In the room, m.
    pub position_m: [f32; 3],
    /// One sigma along each axis, m.
    pub sigma_m: [f32; 3],
    /// `measured`, `inferred` or `prior`.
    pub basis: &'static str,
}

/// How good a cycle was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Quality {
    /// 0..1: links heard × coherence × baselines, geometric mean.
    pub score: f32,
    /// Frames used.
    pub frames: u32,
    /// Datagrams rejected.
    pub rejected: u32,
    /// Frames that fit no link.
    pub unassigned: u32,
    /// Links heard.
    pub links_heard: u16,
    /// Links known.
    pub links_known: u16,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Node {
    /// Its number.
    pub node: u8,
    /// When it was heard last, UTC.
    pub last: String,
    /// The same before the end of the cycle, ms.
    pub age_ms: u64,
    /// Channel frames a second.
    pub rate_hz: f32,
    /// Since the hub's start.
    pub frames: u64,
    /// Since the hub's start.
    pub rejected: u64,
    /// Since the hub's start.
    pub reordered: u64,
    /// Since the hub's start.
    pub duplicates: u64,
    /// Since the hub's start.
    pub reboots: u32,
    /// Two senders use this id.
    pub id_conflict: bool,
    /// Nothing was heard of it lately.
    pub silent: bool,
    /// Mean signal strength; `null` if the radio did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rssi_dbm: Option<Option<f32>>,
    /// What the node itself claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
}

/// What a node claims; not our measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Hint {
    /// Presence; `null` if it claims nothing.
    pub presence: Option<bool>,
    /// Always `node`.
    pub provenance: &'static str,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Link {
    /// Its number.
    pub id: u16,
    /// `node 1`, a MAC address, or `ambient 1`; `station` where the privacy mode withholds the address.
    pub tx: String,
    /// The receiving node.
    pub rx: u8,
    /// Arrangement on the wire.
    pub layout: &'static str,
    /// `mac`, `slot`, `beacon-phase` or `shape`.
    pub identified_by: &'static str,
    /// Incoherence of its own frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_distance: Option<Option<f32>>,
    /// And to the nearest other link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between_distance: Option<Option<f32>>,
    /// Since the hub's start.
    pub frames: u64,
    /// In this cycle.
    pub cycle_frames: u16,
    /// `accept`, `predict-only`, `reject` or `recalibrate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<&'static str>,
    /// With the baseline, 0..1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coherence: Option<Option<f32>>,
    /// Share in the fusion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention: Option<f32>,
    /// Over the quiet level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motion: Option<Option<f32>>,
    /// Of the impulse response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dominant_ratio: Option<Option<f32>>,
    /// Of the impulse response, ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_spread_ns: Option<Option<f32>>,
    /// Of its baseline.
    pub calibration: Calibration,
}

/// State of a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Calibration {
    /// `none`, `collecting`, `ready`, `stale` or `refused`.
    pub state: &'static str,
    /// Frames collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub have: Option<u32>,
    /// Frames needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub need: Option<u32>,
    /// Whether the room was empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_room: Option<bool>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// What the witness says of a cycle: BLAKE3, hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Witness {
    /// Of the chain's genesis.
    pub genesis: String,
    /// Of the cycle's inputs.
    pub inputs: String,
    /// Of the canonical bytes of what was computed.
    pub output: String,
    /// Of the chain after this cycle.
    pub chain: String,
}

/// One cycle, nothing withheld; zones are the shell's to fill in.
pub fn cycle(frame: &PoseFrame, witness: &wavewitness_witness::Witness, genesis: &Digest) -> Cycle {
    Cycle {
        cycle: frame.cycle.0,
        at: iso8601(frame.at),
        at_ns: frame.at.0.to_string(),
        source: frame.source.name(),
        presence: presence(&frame.presence),
        motion: Some(frame.motion),
        count: Some(count(&frame.count)),
        people: Some(frame.people.iter().map(person).collect()),
        gate: frame.gate.name(),
        breathing: Some(breathing(&frame.breathing)),
        fall: Some(fall(&frame.fall)),
        quality: quality(&frame.quality),
        nodes: Some(nodes(frame)),
        links: Some(links(frame)),
        zones: Some(Vec::new()),
        witness: Witness {
            genesis: genesis.to_string(),
            inputs: witness.inputs.to_string(),
            output: witness.output.to_string(),
            chain: witness.chain.to_string(),
        },
    }
}

/// What is said of presence.
pub fn presence(presence: &types::Presence) -> Presence {
    match *presence {
        types::Presence::Unknown(reason) => Presence::Unknown { reason: reason.name() },
        types::Presence::Known { present, probability, basis } => {
            let basis = match basis {
                PresenceBasis::Motion => "motion",
                PresenceBasis::EmptyRoom => "empty-room",
            };
            if present {
                Presence::Present { probability, basis }
            } else {
                Presence::Absent { probability, basis }
            }
        }
    }
}

fn count(count: &types::Count) -> Count {
    match count {
        types::Count::Unknown(reason) => Count::Unknown { reason: reason.name() },
        types::Count::Known(p) => {
            Count::Known { most_probable: count.most_probable().unwrap_or(0), probability: Some(p.to_vec()) }
        }
    }
}

fn breathing(breathing: &types::Breathing) -> Breathing {
    match breathing {
        types::Breathing::Unknown(reason) => Breathing::Unknown { reason: reason.name() },
        types::Breathing::Rate(rate) => Breathing::Known {
            bpm: rate.bpm,
            sigma_bpm: rate.sigma_bpm,
            false_alarm: rate.false_alarm,
            links: rate.links,
            span_s: rate.span_s,
        },
    }
}

fn fall(watch: &types::FallWatch) -> FallWatch {
    match watch {
        types::FallWatch::Unknown(reason) => FallWatch::Unknown { reason: reason.name() },
        types::FallWatch::Watching(None) => FallWatch::None,
        types::FallWatch::Watching(Some(fall)) => FallWatch::Fallen {
            at: iso8601(fall.at),
            probability: fall.probability,
            person: Some(fall.person.map(|id| id.0)),
        },
    }
}

fn posture(posture: &types::Posture) -> Posture {
    match posture {
        types::Posture::Unknown(reason) => Posture::Unknown { reason: reason.name() },
        &types::Posture::Known { class, probability: [standing, walking, sitting, lying, falling] } => {
            Posture::Known {
                class: class.name(),
                probability: PostureProbability { standing, walking, sitting, lying, falling },
            }
        }
    }
}

fn quality(quality: &types::Quality) -> Quality {
    let &types::Quality { score, frames, rejected, unassigned, links_heard, links_known } = quality;
    Quality { score, frames, rejected, unassigned, links_heard, links_known }
}

fn person(person: &types::Person) -> Person {
    let keypoints = person.keypoints.iter().zip(KEYPOINT_NAMES).map(|(k, name)| Keypoint {
        name,
        position_m: k.position_m,
        sigma_m: k.sigma_m,
        basis: k.basis.name(),
    });
    Person {
        id: Some(person.id.0),
        state: person.state.name(),
        existence: person.existence,
        position_m: Some(person.position_m),
        sigma_m: Some(person.sigma_m),
        velocity_m_s: Some(person.velocity_m_s),
        posture: Some(posture(&person.posture)),
        heading: Some(person.heading.map(|h| Heading { rad: h.rad, sigma_rad: h.sigma_rad })),
        keypoints: Some(keypoints.collect()),
    }
}

fn node(node: &types::NodeHealth, at: Timestamp) -> Node {
    Node {
        node: node.node.0,
        last: iso8601(node.last),
        age_ms: at.nanos_since(node.last) / 1_000_000,
        rate_hz: node.rate_hz,
        frames: node.frames,
        rejected: node.rejected,
        reordered: node.reordered,
        duplicates: node.duplicates,
        reboots: node.reboots,
        id_conflict: node.id_conflict,
        silent: node.silent,
        rssi_dbm: Some(node.rssi_dbm),
        hint: Some(Hint { presence: node.hint_presence, provenance: "node" }),
    }
}

/// Every node of a frame.
pub fn nodes(frame: &PoseFrame) -> Vec<Node> {
    frame.nodes.iter().map(|n| node(n, frame.at)).collect()
}

/// Every link of a frame.
pub fn links(frame: &PoseFrame) -> Vec<Link> {
    frame.links.iter().map(link).collect()
}

/// What is said of a calibration.
pub fn calibration(state: &CalibrationState) -> Calibration {
    let plain = Calibration { state: state.name(), have: None, need: None, empty_room: None, reason: None };
    match state {
        &CalibrationState::Collecting { have, need } => {
            Calibration { have: Some(have), need: Some(need), ..plain }
        }
        &CalibrationState::Ready { empty_room } => Calibration { empty_room: Some(empty_room), ..plain },
        CalibrationState::Refused(reason) => Calibration { reason: Some(reason.name()), ..plain },
        CalibrationState::None | CalibrationState::Stale => plain,
    }
}

fn link(status: &types::LinkStatus) -> Link {
    Link {
        id: status.id.0,
        tx: transmitter(status.link.tx()),
        rx: status.link.rx().0,
        layout: status.link.layout().name(),
        identified_by: status.identification.name(),
        within_distance: Some(status.within_distance),
        between_distance: Some(status.between_distance),
        frames: status.frames,
        cycle_frames: status.cycle_frames,
        gate: Some(status.gate.name()),
        coherence: Some(status.coherence),
        attention: Some(status.attention),
        motion: Some(status.motion),
        dominant_ratio: Some(status.dominant_ratio),
        delay_spread_ns: Some(status.delay_spread_ns),
        calibration: calibration(&status.calibration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use wavewitness_types::{CycleIndex, Gate, NoBreathing, Source, UnknownReason};
    use wavewitness_witness::{EntryKind, Stage};

    #[test]
    fn what_is_not_known_says_so() {
        let frame = PoseFrame {
            cycle: CycleIndex(7),
            at: Timestamp(1_775_182_186_250_000_000),
            source: Source::Simulated,
            presence: types::Presence::Unknown(UnknownReason::NotCalibrated),
            motion: None,
            count: types::Count::Unknown(UnknownReason::NoGeometry),
            people: Vec::new(),
            gate: Gate::Reject,
            quality: types::Quality {
                score: 0.0,
                frames: 0,
                rejected: 2,
                unassigned: 0,
                links_heard: 0,
                links_known: 0,
            },
            nodes: Vec::new(),
            links: Vec::new(),
            breathing: types::Breathing::Unknown(NoBreathing::TooShort),
            fall: types::FallWatch::Unknown(UnknownReason::TooFewLinks),
        };
        let witness = wavewitness_witness::Witness {
            kind: EntryKind::Cycle,
            cycle: frame.cycle,
            at: frame.at,
            source: frame.source,
            inputs: Digest::ZERO,
            stages: [Digest::ZERO; Stage::COUNT],
            output: Digest::ZERO,
            chain: Digest([0xab; 32]),
        };
        let message = super::super::Message::Cycle(Box::new(cycle(&frame, &witness, &Digest::ZERO)));
        let value: Value = serde_json::from_str(&message.to_json()).unwrap();
        assert_eq!(value["type"], "cycle");
        assert_eq!(value["source"], "simulated");
        assert_eq!(value["at"], "2026-04-03T02:09:46.250Z");
        assert_eq!(value["at_ns"], "1775182186250000000");
        assert_eq!(value["presence"], json!({ "state": "unknown", "reason": "not-calibrated" }));
        assert_eq!(value["count"]["reason"], "no-geometry");
        assert!(value.as_object().unwrap().contains_key("motion"), "unknown is null, not absent");
        assert_eq!(value["motion"], Value::Null);
        assert_eq!(value["breathing"], json!({ "state": "unknown", "reason": "too-short" }));
        assert_eq!(value["fall"], json!({ "state": "unknown", "reason": "too-few-links" }));
        assert_eq!(value["witness"]["chain"], "ab".repeat(32));
    }
}
