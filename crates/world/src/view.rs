//! The graph as typed edges, and as canonical bytes.

use crate::graph::{Event, EventKind, Graph, LinkNode, PersonNode, PresenceKind, SensorNode};
use wavewitness_types::{Canonical, LinkId, NodeId, Sink, TrackId};

/// A node of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entity {
    /// The room.
    Room,
    /// A sensing node.
    Sensor(NodeId),
    /// A link.
    Link(LinkId),
    /// A person.
    Person(TrackId),
}

/// What an edge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// The sensor receives the link.
    Observes,
    /// The sensor or person is in the room.
    LocatedIn,
    /// The link's disturbance speaks for the person.
    Supports,
}

/// An edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// What it says.
    pub kind: EdgeKind,
    /// Its subject.
    pub from: Entity,
    /// Its object.
    pub to: Entity,
}

impl Graph {
    /// Every edge, in the order of kinds and then of subjects. Made from the nodes, without allocating.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        let observes = self.links.iter().map(|l| Edge {
            kind: EdgeKind::Observes,
            from: Entity::Sensor(l.ends.rx()),
            to: Entity::Link(l.link),
        });
        let located = |from| Edge { kind: EdgeKind::LocatedIn, from, to: Entity::Room };
        let sensors = self.sensors.iter().filter(|s| s.in_room).map(move |s| located(Entity::Sensor(s.node)));
        let people = self.people.iter().filter(|p| p.in_room).map(move |p| located(Entity::Person(p.track)));
        let supports = self.people.iter().flat_map(move |p| {
            self.supporters(p).map(move |l| Edge {
                kind: EdgeKind::Supports,
                from: Entity::Link(l),
                to: Entity::Person(p.track),
            })
        });
        observes.chain(sensors).chain(people).chain(supports)
    }

    /// The links that speak for a person, ascending.
    pub fn supporters(&self, person: &PersonNode) -> impl Iterator<Item = LinkId> + '_ {
        let bits = person.supported_by;
        self.links.iter().map(|l| l.link).filter(move |l| l.0 < 64 && bits >> l.0 & 1 == 1)
    }
}

impl Canonical for SensorNode {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { node, silent, since, in_room } = self;
        node.canonical(out);
        out.bool(*silent);
        since.canonical(out);
        out.bool(*in_room);
    }
}

impl Canonical for LinkNode {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { link, ends, calibration, disturbed } = self;
        link.canonical(out);
        ends.canonical(out);
        calibration.canonical(out);
        out.option(disturbed.as_ref(), |s, v| v.canonical(s));
    }
}

impl Canonical for PersonNode {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { track, state, since, position_m, in_room, supported_by } = self;
        track.canonical(out);
        state.canonical(out);
        since.canonical(out);
        out.f64s(position_m);
        out.bool(*in_room);
        out.u64(*supported_by);
    }
}

impl Canonical for PresenceKind {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            PresenceKind::Unknown(reason) => {
                out.u8(0);
                out.u8(*reason as u8);
            }
            PresenceKind::Absent => out.u8(1),
            PresenceKind::Present => out.u8(2),
        }
    }
}

impl Canonical for EventKind {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            EventKind::Presence(kind) => {
                out.u8(0);
                kind.canonical(out);
            }
            EventKind::TrackConfirmed(id) => {
                out.u8(1);
                id.canonical(out);
            }
            EventKind::TrackLost(id) => {
                out.u8(2);
                id.canonical(out);
            }
            EventKind::Calibration(link, state) => {
                out.u8(3);
                link.canonical(out);
                state.canonical(out);
            }
            EventKind::NodeSilent(id) => {
                out.u8(4);
                id.canonical(out);
            }
            EventKind::NodeBack(id) => {
                out.u8(5);
                id.canonical(out);
            }
        }
    }
}

impl Canonical for Event {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { at, kind } = self;
        at.canonical(out);
        kind.canonical(out);
    }
}

impl Canonical for Graph {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { room, sensors, links, people, presence, events, events_total } = self;
        out.option(room.as_ref(), |s, v| v.canonical(s));
        sensors.as_slice().canonical(out);
        links.as_slice().canonical(out);
        people.as_slice().canonical(out);
        presence.canonical(out);
        out.count(events.len());
        events.iter().for_each(|e| e.canonical(out));
        out.u64(*events_total);
    }
}
