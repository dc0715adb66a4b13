//! What is wrong with a hub, by symptom, each with its remedy: the lines that `doctor` prints as advice and `/api/v1/status`
//! serves. `docs/operations.md` lists them; a test holds that list to this one.
//!
//! What this module does not do: it measures nothing, and guesses no cause that the status does not show.

use crate::status::Snapshot;
use std::collections::BTreeMap;
use wavewitness_types::{
    CalibrationState, Count, Gate, LinkStatus, NodeHealth, PoseFrame, Source, Transmitter, UnknownReason,
};

/// The longest that 99 of 100 cycles should take, in microseconds: a cycle has 50 ms.
const SLOW_CYCLE_US: f64 = 40_000.0;
/// A node that is heard less often than this finds its links late, or not at all.
const FEW_FRAMES_HZ: f32 = 5.0;

/// One line for each symptom: what is seen, then what to do.
pub fn of(s: &Snapshot) -> Vec<String> {
    let mut out = Vec::new();
    hub(s, &mut out);
    if let Some(frame) = &s.frame {
        datagrams(s, frame, &mut out);
        frame.nodes.iter().for_each(|n| node(n, frame, &mut out));
        calibration(frame, &mut out);
        room(frame, &mut out);
    }
    out
}

fn hub(s: &Snapshot, out: &mut Vec<String>) {
    if let Some(fault) = &s.fault {
        out.push(format!("stopped publishing: {fault}: make room or change the disk, then restart"));
    }
    if s.missed > 0 {
        out.push(format!("{} cycles were missed; the machine is too busy", s.missed));
    }
    if let Some([_, p99, _]) = s.compute.summary_us().filter(|[_, p99, _]| *p99 > SLOW_CYCLE_US) {
        out.push(format!(
            "cycles take up to {:.0} ms of their 50: run a release build, with fewer programs beside it",
            p99 / 1e3
        ));
    }
    if s.dropped > 0 {
        out.push(format!("clients missed {} cycles: they, or the network to them, are slow", s.dropped));
    }
    if s.served.refused_clients > 0 {
        out.push(format!("{} clients were turned away: raise hub.max_clients", s.served.refused_clients));
    }
    if s.served.refused_tokens > 0 {
        out.push(format!("{} requests had a wrong token: look for who sends them", s.served.refused_tokens));
    }
}

fn datagrams(s: &Snapshot, frame: &PoseFrame, out: &mut Vec<String>) {
    if let (Some(udp), true) = (s.udp, frame.nodes.is_empty()) {
        let hint = if udp.ip().is_loopback() {
            "; it listens on loopback only: set hub.udp_bind to the address that the nodes reach"
        } else {
            ": check the nodes' target_ip and target_port, and the firewall"
        };
        out.push(format!("no datagram has arrived at {udp}{hint}"));
    }
    if frame.source == Source::Simulated && s.source == Source::Live {
        out.push(
            "a simulator's marker arrived: the chain says SIMULATED from there on; find who sends it"
                .to_owned(),
        );
    }
    let rejected: u64 = s.rejects.values().sum();
    let heard: u64 = frame.nodes.iter().map(|n| n.frames).sum();
    if let Some((reason, n)) = s.rejects.iter().max_by_key(|(_, n)| **n).filter(|_| rejected * 10 > heard) {
        out.push(format!(
            "{rejected} datagrams were not usable, most of them ({n}) for {reason}: docs/wire.md says what that means"
        ));
    }
    if s.overflow > 0 {
        out.push(format!("{} datagrams were left out: more arrive than a cycle takes", s.overflow));
    }
    if s.kernel_dropped > 0 {
        let n = s.kernel_dropped;
        out.push(format!(
            "{n} datagrams were lost in the kernel: more arrive than this machine takes; find who sends them"
        ));
    }
}

fn node(n: &NodeHealth, frame: &PoseFrame, out: &mut Vec<String>) {
    let id = n.node.0;
    if n.silent {
        let s = frame.at.seconds_since(n.last);
        out.push(format!("node {id}: silent for {s:.0} s; check its power and Wi-Fi"));
    }
    if n.id_conflict {
        out.push(format!("node {id}: two senders use this id; give each node its own"));
    }
    if n.reboots > 2 {
        out.push(format!("node {id}: restarted {} times; check its power supply", n.reboots));
    }
    if !n.silent && n.frames > 0 && n.rate_hz < FEW_FRAMES_HZ {
        out.push(format!(
            "node {id}: only {:.1} frames/s; it hears few frames: make it ping the gateway, or move it",
            n.rate_hz
        ));
    }
}

fn calibration(frame: &PoseFrame, out: &mut Vec<String>) {
    let links = &frame.links;
    if links.iter().any(|l| matches!(l.calibration, CalibrationState::Stale)) {
        out.push("a baseline is stale: leave the room and run `wavewitness calibrate`".to_owned());
    }
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for link in links {
        if let CalibrationState::Refused(reason) = link.calibration {
            *refused.entry(reason.name()).or_default() += 1;
        }
    }
    for (reason, n) in refused {
        out.push(format!("calibration of {n} links was refused: {reason}; it is tried again by itself"));
    }
    if !links.iter().any(|l| l.calibration == CalibrationState::Ready { empty_room: true }) {
        out.push(
            "no empty-room calibration: people who keep still are not seen; run `wavewitness calibrate`"
                .to_owned(),
        );
    }
    let rejecting = links.iter().filter(|l| matches!(l.gate, Gate::Reject | Gate::Recalibrate)).count();
    if rejecting * 2 > links.len() {
        out.push(format!(
            "{rejecting} of {} links don't fit their baseline: the room changed, or a node was moved; calibrate again",
            links.len()
        ));
    }
}

fn room(frame: &PoseFrame, out: &mut Vec<String>) {
    let nameless = |l: &LinkStatus| matches!(l.link.tx(), Transmitter::Ambient(_));
    match frame.count {
        // Neither places nor more of the same nodes would help.
        Count::Unknown(UnknownReason::NoGeometry | UnknownReason::TooFewLinks)
            if !frame.links.is_empty() && frame.links.iter().all(nameless) =>
        {
            out.push(
                "no people: no frame says who sent it, so no link has a known place; see docs/first-steps.md"
                    .to_owned(),
            );
        }
        Count::Unknown(UnknownReason::NoGeometry) => out.push(
            "no people without places: configure [room], and position_m of nodes and access points"
                .to_owned(),
        ),
        Count::Unknown(UnknownReason::TooFewLinks) => {
            out.push(
                "no people with so few links: it takes six on five different paths; add nodes".to_owned(),
            );
        }
        Count::Unknown(_) | Count::Known(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;
    use wavewitness_types::{
        Breathing, CycleIndex, FallWatch, Identification, Layout, Link, LinkId, NoBreathing, NodeId,
        Presence, Quality, RefusalReason, Timestamp,
    };
    use wavewitness_witness::Digest;

    fn frame() -> PoseFrame {
        PoseFrame {
            cycle: CycleIndex(1),
            at: Timestamp(100_000_000_000),
            source: Source::Simulated,
            presence: Presence::Unknown(UnknownReason::NoData),
            motion: None,
            count: Count::Unknown(UnknownReason::NoGeometry),
            people: Vec::new(),
            gate: Gate::Reject,
            quality: Quality {
                score: 0.0,
                frames: 0,
                rejected: 0,
                unassigned: 0,
                links_heard: 0,
                links_known: 0,
            },
            nodes: Vec::new(),
            links: Vec::new(),
            breathing: Breathing::Unknown(NoBreathing::NoData),
            fall: FallWatch::Unknown(UnknownReason::NoData),
        }
    }

    fn node(silent: bool) -> NodeHealth {
        NodeHealth {
            node: NodeId(3),
            last: Timestamp(13_000_000_000),
            rate_hz: 2.1,
            frames: 10,
            rejected: 0,
            reordered: 0,
            duplicates: 0,
            reboots: 3,
            id_conflict: true,
            silent,
            hint_presence: None,
            rssi_dbm: None,
        }
    }

    fn link(calibration: CalibrationState) -> LinkStatus {
        LinkStatus {
            id: LinkId(0),
            link: Link::new(Transmitter::Node(NodeId(1)), NodeId(3), Layout::Lltf64).unwrap(),
            identification: Identification::Shape,
            within_distance: None,
            between_distance: None,
            frames: 1,
            cycle_frames: 0,
            gate: Gate::Recalibrate,
            coherence: None,
            attention: 0.0,
            motion: None,
            dominant_ratio: None,
            delay_spread_ns: None,
            calibration,
        }
    }

    /// A hub on which everything is wrong that can be at once.
    fn all_wrong() -> Vec<String> {
        let status = Status::new(Digest::ZERO, Source::Live, Timestamp(0));
        let mut silent = Vec::new();
        status.update(|s| {
            s.fault = Some("disk full".into());
            (s.missed, s.dropped, s.overflow) = (4, 5, 6);
            s.kernel_dropped = 9;
            (s.served.refused_clients, s.served.refused_tokens) = (7, 8);
            (0..100).for_each(|_| s.computed(45_000_000));
            s.udp = Some("192.0.2.1:5005".parse().unwrap());
            s.rejects = BTreeMap::from([("null-tones", 40), ("length", 2)]);
            s.frame = Some(frame());
            silent.extend(of(s));
            s.udp = Some("127.0.0.1:5005".parse().unwrap());
            silent.extend(of(s));
            let frame = s.frame.as_mut().unwrap();
            frame.nodes = vec![node(true), node(false)];
            frame.links =
                vec![link(CalibrationState::Stale), link(CalibrationState::Refused(RefusalReason::Motion))];
            frame.count = Count::Unknown(UnknownReason::TooFewLinks);
            silent.extend(of(s));
            let frame = s.frame.as_mut().unwrap();
            let nameless = Link::new(Transmitter::Ambient(1), NodeId(3), Layout::Lltf64).unwrap();
            frame.links.iter_mut().for_each(|l| l.link = nameless);
            let more = of(s);
            assert!(!more.iter().any(|l| l.contains("add nodes")), "more of them would not help: {more:#?}");
            silent.extend(more);
        });
        silent
    }

    #[test]
    fn every_symptom_has_its_line_and_every_line_its_place_in_the_document() {
        let lines = all_wrong();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
        let document = std::fs::read_to_string(path).unwrap();
        // What stands in the document between the numbers of a line.
        let symptoms = [
            "stopped publishing: ",
            " cycles were missed; the machine is too busy",
            "cycles take up to ",
            "clients missed ",
            " clients were turned away: raise hub.max_clients",
            " requests had a wrong token",
            "it listens on loopback only",
            "check the nodes' target_ip and target_port, and the firewall",
            "a simulator's marker arrived",
            " datagrams were not usable, most of them (",
            " datagrams were left out: more arrive than a cycle takes",
            " datagrams were lost in the kernel: more arrive than this machine takes",
            "; check its power and Wi-Fi",
            "two senders use this id",
            "; check its power supply",
            "it hears few frames",
            "a baseline is stale",
            " links was refused: the channel moved",
            "no empty-room calibration",
            " links don't fit their baseline",
            "no people without places",
            "no people with so few links",
            "no people: no frame says who sent it",
        ];
        for symptom in symptoms {
            assert!(lines.iter().any(|l| l.contains(symptom)), "no line says {symptom:?}: {lines:#?}");
            assert!(document.contains(symptom.trim()), "docs/operations.md does not have {symptom:?}");
        }
        for line in &lines {
            assert!(symptoms.iter().any(|s| line.contains(s)), "{line:?} is not in the list of this test");
        }
    }

    #[test]
    fn nothing_is_said_of_a_hub_that_is_well() {
        let status = Status::new(Digest::ZERO, Source::Live, Timestamp(0));
        status.update(|s| {
            let mut frame = frame();
            frame.source = Source::Live;
            let well = NodeHealth { rate_hz: 20.0, reboots: 0, id_conflict: false, ..node(false) };
            frame.nodes = vec![well];
            let ready =
                LinkStatus { gate: Gate::Accept, ..link(CalibrationState::Ready { empty_room: true }) };
            frame.links = vec![ready];
            frame.count = Count::Unknown(UnknownReason::PoorCoherence);
            s.frame = Some(frame);
            s.computed(3_000_000);
            assert_eq!(of(s), [""; 0]);
        });
    }
}
