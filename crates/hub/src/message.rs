//! JSON messages, rendered once a cycle whatever the number of clients. `docs/protocol.md` describes them.
//!
//! Every number comes from the witnessed [`PoseFrame`]: what is `null` was not measured.

use crate::clock::iso8601;
use serde::Serialize;
use serde_json::{Value, json};
use wavewitness_engine::world::{EventKind, Graph, PresenceKind};
use wavewitness_types::pose_frame::KEYPOINT_NAMES;
use wavewitness_types::{
    Breathing, CalibrationState, Count, FallWatch, LinkStatus, NodeHealth, Person, PoseFrame, Posture,
    PostureClass, Presence, PresenceBasis, Source, Timestamp, Transmitter,
};
use wavewitness_witness::{Digest, Genesis, Witness};

/// Version of the message schema: `docs/protocol.md`.
pub const SCHEMA_VERSION: u32 = 1;

/// The first message to a client.
pub fn hello(genesis: &Genesis, source: Source) -> String {
    json!({
        "type": "hello",
        "schema": SCHEMA_VERSION,
        "software": genesis.software,
        "numerics": genesis.numerics,
        "genesis": genesis.digest().to_string(),
        "started": iso8601(genesis.started),
        "source": source.name(),
        "cycle_hz": 20,
        "keypoints": KEYPOINT_NAMES,
    })
    .to_string()
}

/// Told to a client when cycles were left out for it because it was slow.
pub fn dropped(now: u64, total: u64) -> String {
    json!({ "type": "dropped", "cycles": now, "total": total }).to_string()
}

/// Told to every client when nothing is published any more.
pub fn stopped(reason: &str) -> String {
    json!({ "type": "stopped", "reason": reason }).to_string()
}

#[derive(Serialize)]
struct CycleMessage<'a> {
    r#type: &'static str,
    cycle: u64,
    at: String,
    at_ns: String,
    source: &'static str,
    presence: Value,
    motion: Option<f32>,
    count: Value,
    people: Vec<Value>,
    gate: &'static str,
    breathing: Value,
    fall: Value,
    quality: Value,
    nodes: Vec<Value>,
    links: Vec<Value>,
    witness: WitnessMessage<'a>,
}

#[derive(Serialize)]
struct WitnessMessage<'a> {
    genesis: &'a str,
    inputs: String,
    output: String,
    chain: String,
}

/// One cycle.
pub fn cycle(frame: &PoseFrame, witness: &Witness, genesis: &Digest) -> String {
    let message = CycleMessage {
        r#type: "cycle",
        cycle: frame.cycle.0,
        at: iso8601(frame.at),
        at_ns: frame.at.0.to_string(),
        source: frame.source.name(),
        presence: presence(&frame.presence),
        motion: frame.motion,
        count: count(&frame.count),
        people: frame.people.iter().map(person).collect(),
        gate: frame.gate.name(),
        breathing: breathing(&frame.breathing),
        fall: fall(&frame.fall),
        quality: json!({
            "score": frame.quality.score,
            "frames": frame.quality.frames,
            "rejected": frame.quality.rejected,
            "unassigned": frame.quality.unassigned,
            "links_heard": frame.quality.links_heard,
            "links_known": frame.quality.links_known,
        }),
        nodes: nodes(frame),
        links: links(frame),
        witness: WitnessMessage {
            genesis: &genesis.to_string(),
            inputs: witness.inputs.to_string(),
            output: witness.output.to_string(),
            chain: witness.chain.to_string(),
        },
    };
    serde_json::to_string(&message).expect("a message of strings, numbers and lists is JSON")
}

/// What is said of presence.
pub fn presence(presence: &Presence) -> Value {
    match presence {
        Presence::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        Presence::Known { present, probability, basis } => json!({
            "state": if *present { "present" } else { "absent" },
            "probability": probability,
            "basis": match basis {
                PresenceBasis::Motion => "motion",
                PresenceBasis::EmptyRoom => "empty-room",
            },
        }),
    }
}

fn count(count: &Count) -> Value {
    match count {
        Count::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        Count::Known(p) => {
            json!({ "state": "known", "most_probable": count.most_probable(), "probability": p })
        }
    }
}

fn breathing(breathing: &Breathing) -> Value {
    match breathing {
        Breathing::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        Breathing::Rate(rate) => json!({
            "state": "known",
            "bpm": rate.bpm,
            "sigma_bpm": rate.sigma_bpm,
            "false_alarm": rate.false_alarm,
            "links": rate.links,
            "span_s": rate.span_s,
        }),
    }
}

fn fall(watch: &FallWatch) -> Value {
    match watch {
        FallWatch::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        FallWatch::Watching(None) => json!({ "state": "none" }),
        FallWatch::Watching(Some(fall)) => json!({
            "state": "fallen",
            "at": iso8601(fall.at),
            "probability": fall.probability,
            "person": fall.person.map(|id| id.0),
        }),
    }
}

fn posture(posture: &Posture) -> Value {
    match posture {
        Posture::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        Posture::Known { class, probability } => json!({
            "state": "known",
            "class": class.name(),
            "probability": PostureClass::ALL
                .iter()
                .zip(probability)
                .map(|(class, p)| (class.name().to_owned(), json!(p)))
                .collect::<serde_json::Map<_, _>>(),
        }),
    }
}

fn person(person: &Person) -> Value {
    let keypoints: Vec<_> = person
        .keypoints
        .iter()
        .zip(KEYPOINT_NAMES)
        .map(|(k, name)| {
            json!({ "name": name, "position_m": k.position_m, "sigma_m": k.sigma_m, "basis": k.basis.name() })
        })
        .collect();
    json!({
        "id": person.id.0,
        "state": person.state.name(),
        "existence": person.existence,
        "position_m": person.position_m,
        "sigma_m": person.sigma_m,
        "velocity_m_s": person.velocity_m_s,
        "posture": posture(&person.posture),
        "heading": person.heading.map(|h| json!({ "rad": h.rad, "sigma_rad": h.sigma_rad })),
        "keypoints": keypoints,
    })
}

fn node(node: &NodeHealth, at: Timestamp) -> Value {
    json!({
        "node": node.node.0,
        "last": iso8601(node.last),
        "age_ms": at.nanos_since(node.last) / 1_000_000,
        "rate_hz": node.rate_hz,
        "frames": node.frames,
        "rejected": node.rejected,
        "reordered": node.reordered,
        "duplicates": node.duplicates,
        "reboots": node.reboots,
        "id_conflict": node.id_conflict,
        "silent": node.silent,
        "rssi_dbm": node.rssi_dbm,
        "hint": { "presence": node.hint_presence, "provenance": "node" },
    })
}

/// Every node of a frame.
pub fn nodes(frame: &PoseFrame) -> Vec<Value> {
    frame.nodes.iter().map(|n| node(n, frame.at)).collect()
}

/// Every link of a frame.
pub fn links(frame: &PoseFrame) -> Vec<Value> {
    frame.links.iter().map(link).collect()
}

/// A transmitter in words.
pub fn transmitter(tx: Transmitter) -> String {
    match tx {
        Transmitter::Node(id) => format!("node {}", id.0),
        Transmitter::Station(mac) => mac.to_string(),
        Transmitter::Ambient(n) => format!("ambient {n}"),
    }
}

/// What is said of a calibration.
pub fn calibration(state: &CalibrationState) -> Value {
    match state {
        CalibrationState::Collecting { have, need } => {
            json!({ "state": state.name(), "have": have, "need": need })
        }
        CalibrationState::Ready { empty_room } => json!({ "state": state.name(), "empty_room": empty_room }),
        CalibrationState::Refused(reason) => json!({ "state": state.name(), "reason": reason.name() }),
        CalibrationState::None | CalibrationState::Stale => json!({ "state": state.name() }),
    }
}

fn link(status: &LinkStatus) -> Value {
    json!({
        "id": status.id.0,
        "tx": transmitter(status.link.tx()),
        "rx": status.link.rx().0,
        "layout": status.link.layout().name(),
        "identified_by": status.identification.name(),
        "within_distance": status.within_distance,
        "between_distance": status.between_distance,
        "frames": status.frames,
        "cycle_frames": status.cycle_frames,
        "gate": status.gate.name(),
        "coherence": status.coherence,
        "attention": status.attention,
        "motion": status.motion,
        "dominant_ratio": status.dominant_ratio,
        "delay_spread_ns": status.delay_spread_ns,
        "calibration": calibration(&status.calibration),
    })
}

/// The world graph: who is there, on whose evidence, since when, and what happened last.
pub fn world(graph: &Graph) -> Value {
    let sensors: Vec<_> = graph
        .sensors()
        .iter()
        .map(|s| json!({ "node": s.node.0, "silent": s.silent, "since": iso8601(s.since), "in_room": s.in_room }))
        .collect();
    let links: Vec<_> = graph
        .links()
        .iter()
        .map(|l| {
            json!({
                "id": l.link.0,
                "tx": transmitter(l.ends.tx()),
                "observed_by": l.ends.rx().0,
                "calibration": calibration(&l.calibration),
                "disturbed": l.disturbed.map(iso8601),
            })
        })
        .collect();
    let people: Vec<_> = graph
        .people()
        .iter()
        .map(|p| {
            json!({
                "id": p.track.0,
                "state": p.state.name(),
                "since": iso8601(p.since),
                "position_m": p.position_m,
                "in_room": p.in_room,
                "supported_by": graph.supporters(p).map(|l| l.0).collect::<Vec<_>>(),
            })
        })
        .collect();
    let events: Vec<_> =
        graph.events().map(|e| json!({ "at": iso8601(e.at), "event": happening(&e.kind) })).collect();
    json!({
        "room": graph.room().map(|r| json!({ "min_m": r.min_m, "max_m": r.max_m })),
        "sensors": sensors,
        "links": links,
        "people": people,
        "events": events,
        "events_total": graph.events_total(),
    })
}

fn happening(kind: &EventKind) -> Value {
    match kind {
        EventKind::Presence(PresenceKind::Unknown(why)) => {
            json!({ "kind": "presence", "state": "unknown", "reason": why.name() })
        }
        EventKind::Presence(PresenceKind::Absent) => json!({ "kind": "presence", "state": "absent" }),
        EventKind::Presence(PresenceKind::Present) => json!({ "kind": "presence", "state": "present" }),
        EventKind::TrackConfirmed(id) => json!({ "kind": "track-confirmed", "id": id.0 }),
        EventKind::TrackLost(id) => json!({ "kind": "track-lost", "id": id.0 }),
        EventKind::Calibration(link, state) => {
            json!({ "kind": "calibration", "link": link.0, "calibration": calibration(state) })
        }
        EventKind::NodeSilent(id) => json!({ "kind": "node-silent", "node": id.0 }),
        EventKind::NodeBack(id) => json!({ "kind": "node-back", "node": id.0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wavewitness_types::{CycleIndex, Gate, NoBreathing, Quality, UnknownReason};
    use wavewitness_witness::{EntryKind, Stage};

    #[test]
    fn what_is_not_known_says_so() {
        let frame = PoseFrame {
            cycle: CycleIndex(7),
            at: Timestamp(1_775_182_186_250_000_000),
            source: Source::Simulated,
            presence: Presence::Unknown(UnknownReason::NotCalibrated),
            motion: None,
            count: Count::Unknown(UnknownReason::NoGeometry),
            people: Vec::new(),
            gate: Gate::Reject,
            quality: Quality {
                score: 0.0,
                frames: 0,
                rejected: 2,
                unassigned: 0,
                links_heard: 0,
                links_known: 0,
            },
            nodes: Vec::new(),
            links: Vec::new(),
            breathing: Breathing::Unknown(NoBreathing::TooShort),
            fall: FallWatch::Unknown(UnknownReason::TooFewLinks),
        };
        let witness = Witness {
            kind: EntryKind::Cycle,
            cycle: frame.cycle,
            at: frame.at,
            source: frame.source,
            inputs: Digest::ZERO,
            stages: [Digest::ZERO; Stage::COUNT],
            output: Digest::ZERO,
            chain: Digest([0xab; 32]),
        };
        let value: Value = serde_json::from_str(&cycle(&frame, &witness, &Digest::ZERO)).unwrap();
        assert_eq!(value["source"], "simulated");
        assert_eq!(value["at"], "2026-04-03T02:09:46.250Z");
        assert_eq!(value["at_ns"], "1775182186250000000");
        assert_eq!(value["presence"], json!({ "state": "unknown", "reason": "not-calibrated" }));
        assert_eq!(value["count"]["reason"], "no-geometry");
        assert_eq!(value["motion"], Value::Null);
        assert_eq!(value["breathing"], json!({ "state": "unknown", "reason": "too-short" }));
        assert_eq!(value["fall"], json!({ "state": "unknown", "reason": "too-few-links" }));
        assert_eq!(value["witness"]["chain"], "ab".repeat(32));
    }
}
