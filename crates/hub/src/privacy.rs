//! What leaves the hub under a privacy mode. `docs/privacy.md` is the table; a test holds it to what really leaves.
//!
//! Two places withhold. Messages are redacted here, once, where the journal thread makes them, so that no interface ever
//! sees more. The journal is redacted by [`stored`]: what is not written can't be found.
//!
//! Every function takes its message apart field by field: a new field does not compile until somebody decides.

use crate::message::{
    Calibration, Count, Cycle, FallWatch, Happening, Link, Node, Person, World, WorldEvent, WorldLink, Zone,
};
use wavewitness_types::{Canonical, Event, PrivacyMode};

/// What a mode can withhold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Datagrams, and the baselines that a boot carries over, in the journal.
    JournalInputs,
    /// What was published, and the configuration, in the journal.
    JournalOutputs,
    /// `people[].id`, and the tracks of the world graph with their events.
    Identity,
    /// `people[].velocity_m_s`, `.posture`, `.heading` and `.keypoints`.
    Body,
    /// `breathing`.
    Breathing,
    /// `fall`.
    Falls,
    /// MAC addresses of transmitters.
    Addresses,
    /// What links measure: `coherence`, `motion` and their like show where somebody moves.
    LinkMeasurements,
    /// The topics `images` and `taps`.
    Images,
    /// `people`.
    People,
    /// `count.probability` and `zones[].probability`.
    Probabilities,
    /// `links[].gate`.
    LinkGates,
    /// `count`.
    Count,
    /// `zones`.
    Zones,
    /// `motion`.
    Motion,
    /// What changed when, in the world graph.
    History,
    /// `nodes[].rssi_dbm` and `nodes[].hint`.
    NodeRadio,
    /// `baselines.bin` in the data directory.
    Baselines,
}

impl What {
    /// Everything that can be withheld: its name in the hello, and the first mode that withholds it.
    pub const ALL: [(What, &'static str, PrivacyMode); 18] = [
        (What::JournalInputs, "journal.inputs", PrivacyMode::ConsentedCare),
        (What::JournalOutputs, "journal.outputs", PrivacyMode::PrivateHome),
        (What::Identity, "people.id", PrivacyMode::PrivateHome),
        (What::Body, "people.body", PrivacyMode::PrivateHome),
        (What::Breathing, "breathing", PrivacyMode::PrivateHome),
        (What::Addresses, "links.tx", PrivacyMode::PrivateHome),
        (What::LinkMeasurements, "links.measurements", PrivacyMode::PrivateHome),
        (What::Images, "images", PrivacyMode::PrivateHome),
        (What::Falls, "fall", PrivacyMode::Anonymous),
        (What::People, "people", PrivacyMode::Anonymous),
        (What::Probabilities, "probabilities", PrivacyMode::Anonymous),
        (What::LinkGates, "links.gate", PrivacyMode::Anonymous),
        (What::Count, "count", PrivacyMode::Strict),
        (What::Zones, "zones", PrivacyMode::Strict),
        (What::Motion, "motion", PrivacyMode::Strict),
        (What::History, "world.events", PrivacyMode::Strict),
        (What::NodeRadio, "nodes.radio", PrivacyMode::Strict),
        (What::Baselines, "baselines", PrivacyMode::Strict),
    ];

    /// True if the mode gives it.
    pub fn given(self, mode: PrivacyMode) -> bool {
        What::ALL.iter().any(|&(what, _, first)| what == self && mode < first)
    }

    /// The value if the mode gives it.
    fn of<T>(self, mode: PrivacyMode, value: Option<T>) -> Option<T> {
        value.filter(|_| self.given(mode))
    }
}

/// Names of what a mode withholds, for the hello.
pub fn withheld(mode: PrivacyMode) -> Vec<&'static str> {
    What::ALL.iter().filter(|(_, _, first)| mode >= *first).map(|&(_, name, _)| name).collect()
}

/// A cycle as the mode allows it.
pub fn cycle(mode: PrivacyMode, message: Cycle) -> Cycle {
    let Cycle {
        cycle,
        at,
        at_ns,
        source,
        presence,
        motion,
        count: how_many,
        people,
        gate,
        breathing,
        fall: fell,
        quality,
        nodes: heard,
        links: known,
        zones,
        witness,
    } = message;
    Cycle {
        cycle,
        at,
        at_ns,
        source,
        presence,
        motion: What::Motion.of(mode, motion),
        count: What::Count.of(mode, how_many).map(|c| count(mode, c)),
        people: What::People.of(mode, people).map(|p| p.into_iter().map(|p| person(mode, p)).collect()),
        gate,
        breathing: What::Breathing.of(mode, breathing),
        fall: What::Falls.of(mode, fell).map(|f| fall(mode, f)),
        quality,
        nodes: heard.map(|n| nodes(mode, n)),
        links: known.map(|l| links(mode, l)),
        zones: What::Zones.of(mode, zones).map(|z| z.into_iter().map(|z| zone(mode, z)).collect()),
        witness,
    }
}

fn count(mode: PrivacyMode, message: Count) -> Count {
    match message {
        Count::Unknown { reason } => Count::Unknown { reason },
        Count::Known { most_probable, probability } => {
            Count::Known { most_probable, probability: What::Probabilities.of(mode, probability) }
        }
    }
}

fn person(mode: PrivacyMode, message: Person) -> Person {
    let Person { id, state, existence, position_m, sigma_m, velocity_m_s, posture, heading, keypoints } =
        message;
    Person {
        id: What::Identity.of(mode, id),
        state,
        existence,
        position_m,
        sigma_m,
        velocity_m_s: What::Body.of(mode, velocity_m_s),
        posture: What::Body.of(mode, posture),
        heading: What::Body.of(mode, heading),
        keypoints: What::Body.of(mode, keypoints),
    }
}

fn fall(mode: PrivacyMode, message: FallWatch) -> FallWatch {
    match message {
        FallWatch::Fallen { at, probability, person } => {
            FallWatch::Fallen { at, probability, person: What::Identity.of(mode, person) }
        }
        FallWatch::Unknown { .. } | FallWatch::None => message,
    }
}

fn zone(mode: PrivacyMode, message: Zone) -> Zone {
    let Zone { name, state, reason, probability, motion } = message;
    Zone { name, state, reason, probability: What::Probabilities.of(mode, probability), motion }
}

/// Nodes as the mode allows them.
pub fn nodes(mode: PrivacyMode, messages: Vec<Node>) -> Vec<Node> {
    let node = |message: Node| {
        let Node {
            node,
            last,
            age_ms,
            rate_hz,
            frames,
            rejected,
            reordered,
            duplicates,
            reboots,
            id_conflict,
            silent,
            rssi_dbm,
            hint,
        } = message;
        let (rssi_dbm, hint) = (What::NodeRadio.of(mode, rssi_dbm), What::NodeRadio.of(mode, hint));
        Node {
            node,
            last,
            age_ms,
            rate_hz,
            frames,
            rejected,
            reordered,
            duplicates,
            reboots,
            id_conflict,
            silent,
            rssi_dbm,
            hint,
        }
    };
    messages.into_iter().map(node).collect()
}

/// Links as the mode allows them.
pub fn links(mode: PrivacyMode, messages: Vec<Link>) -> Vec<Link> {
    messages.into_iter().map(|message| link(mode, message)).collect()
}

fn link(mode: PrivacyMode, message: Link) -> Link {
    let Link {
        id,
        tx,
        rx,
        layout,
        identified_by,
        within_distance,
        between_distance,
        frames,
        cycle_frames,
        gate,
        coherence,
        attention,
        motion,
        dominant_ratio,
        delay_spread_ns,
        calibration,
    } = message;
    let measured = What::LinkMeasurements;
    Link {
        id,
        tx: transmitter(mode, tx),
        rx,
        layout,
        identified_by,
        within_distance: measured.of(mode, within_distance),
        between_distance: measured.of(mode, between_distance),
        frames,
        cycle_frames,
        gate: What::LinkGates.of(mode, gate),
        coherence: measured.of(mode, coherence),
        attention: measured.of(mode, attention),
        motion: measured.of(mode, motion),
        dominant_ratio: measured.of(mode, dominant_ratio),
        delay_spread_ns: measured.of(mode, delay_spread_ns),
        calibration: baseline(calibration),
    }
}

/// What is said of a baseline is the same in every mode: without it nobody can calibrate.
fn baseline(message: Calibration) -> Calibration {
    let Calibration { state, have, need, empty_room, reason } = message;
    Calibration { state, have, need, empty_room, reason }
}

/// A transmitter as the mode allows it: `node 1` and `ambient 1` are names of ours; all else is a MAC address.
pub fn transmitter(mode: PrivacyMode, tx: String) -> String {
    let ours = tx.starts_with("node ") || tx.starts_with("ambient ");
    if ours || What::Addresses.given(mode) { tx } else { "station".to_owned() }
}

/// The world graph as the mode allows it.
pub fn world(mode: PrivacyMode, message: World) -> World {
    let World { room, sensors, links, people, events, events_total } = message;
    let link = |message: WorldLink| {
        let WorldLink { id, tx, observed_by, calibration, disturbed } = message;
        let disturbed = What::LinkMeasurements.of(mode, disturbed);
        WorldLink {
            id,
            tx: transmitter(mode, tx),
            observed_by,
            calibration: baseline(calibration),
            disturbed,
        }
    };
    let events = events.map(|events| events.into_iter().filter(|e| tells(mode, e)).collect());
    World {
        room,
        sensors,
        links: links.into_iter().map(link).collect(),
        // With since when, and on whose evidence: a track's story.
        people: What::Identity.of(mode, people),
        events,
        events_total: What::Identity.of(mode, events_total),
    }
}

/// Whether the mode lets an event be told.
fn tells(mode: PrivacyMode, event: &WorldEvent) -> bool {
    match event.event {
        Happening::Presence { .. } => What::History.given(mode),
        Happening::Zone { .. } => What::History.given(mode) && What::Zones.given(mode),
        Happening::TrackConfirmed { .. } | Happening::TrackLost { .. } => What::Identity.given(mode),
        Happening::Calibration { .. } | Happening::NodeSilent { .. } | Happening::NodeBack { .. } => true,
    }
}

/// What the journal holds of an event, given by its canonical bytes: the same, less of it, or `None` for nothing.
pub fn stored(mode: PrivacyMode, event: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    if What::JournalInputs.given(mode) {
        return Some(event.into());
    }
    if event.first() == Some(&Event::DATAGRAM_KIND) {
        return None;
    }
    match Event::from_canonical_bytes(event)? {
        Event::Datagram { .. } => None,
        Event::Boot { at, mut record } => {
            record.baselines.clear();
            Some(Event::Boot { at, record }.to_canonical_bytes().into())
        }
        Event::Tick { .. } | Event::Command { .. } | Event::Stop { .. } => Some(event.into()),
    }
}

/// What a person should know of the mode at a start.
pub fn notes(mode: PrivacyMode, set: bool) -> Vec<String> {
    let name = mode.name();
    let mut notes = vec![match (set, mode) {
        (false, _) => {
            format!("privacy.mode is not set: {name}, nothing is withheld; docs/privacy.md names the others")
        }
        (true, PrivacyMode::RawResearch) => format!("privacy mode {name}: nothing is withheld"),
        (true, _) => format!("privacy mode {name}: withheld are {}", withheld(mode).join(", ")),
    }];
    if !mode.keeps_inputs() {
        notes.push("this chain can't be replayed: inputs are withheld by the privacy mode".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use wavewitness_types::{BootRecord, CycleIndex, Sender, Timestamp};

    #[test]
    fn each_mode_withholds_all_that_the_one_before_does() {
        let names = PrivacyMode::ALL.map(withheld);
        assert!(names[0].is_empty());
        for pair in names.windows(2) {
            assert!(pair[0].len() < pair[1].len() && pair[0].iter().all(|name| pair[1].contains(name)));
        }
        assert_eq!(names[4].len(), What::ALL.len());
        for mode in PrivacyMode::ALL {
            assert_eq!(What::JournalInputs.given(mode), mode.keeps_inputs());
            assert_eq!(What::JournalOutputs.given(mode), mode.keeps_outputs());
        }
    }

    #[test]
    fn a_journal_without_inputs_gets_ticks_and_commands_but_no_datagram_and_no_baselines() {
        let at = Timestamp(7);
        let sender = Sender { ip: [0; 16], port: 9 };
        let datagram = Event::Datagram { at, from: sender, bytes: vec![1, 2] }.to_canonical_bytes();
        let record = BootRecord { boot_id: 3, baselines: vec![9; 40], ..BootRecord::default() };
        let boot = Event::Boot { at, record: record.clone() }.to_canonical_bytes();
        let tick = Event::Tick { at, cycle: CycleIndex(1) }.to_canonical_bytes();
        let raw = PrivacyMode::RawResearch;
        for event in [&datagram, &boot, &tick] {
            assert_eq!(stored(raw, event).as_deref(), Some(&event[..]));
        }
        for mode in &PrivacyMode::ALL[1..] {
            assert_eq!(stored(*mode, &datagram), None);
            assert_eq!(stored(*mode, &tick).as_deref(), Some(&tick[..]));
            let kept = Event::from_canonical_bytes(&stored(*mode, &boot).unwrap());
            let record = BootRecord { baselines: Vec::new(), ..record.clone() };
            assert_eq!(kept, Some(Event::Boot { at, record }));
            assert_eq!(stored(*mode, b"not an event"), None);
        }
    }
}
