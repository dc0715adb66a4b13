//! The world graph: room, sensors, links, people and the last events. Bounded by construction.

use crate::config::Config;
use crate::presence::{self, Detector};
use crate::{Input, LinkInput, Verdict};
use std::collections::VecDeque;
use wavewitness_num::math;
use wavewitness_types::limits::{MAX_LINKS, MAX_NODES, MAX_PEOPLE};
use wavewitness_types::{
    CalibrationState, Geometry, Link, LinkId, NodeHealth, NodeId, PersonTrack, Presence, Room, Timestamp,
    TrackId, TrackState, Transmitter, UnknownReason,
};

/// A sensing node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SensorNode {
    /// Which.
    pub node: NodeId,
    /// True while nothing arrives from it.
    pub silent: bool,
    /// Since when it is silent, or not.
    pub since: Timestamp,
    /// True if it is known to be in the room.
    pub in_room: bool,
}

/// A link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkNode {
    /// Which.
    pub link: LinkId,
    /// Its ends.
    pub ends: Link,
    /// Its baseline.
    pub calibration: CalibrationState,
    /// When it was last disturbed, by more than its designed false-alarm rate explains.
    pub disturbed: Option<Timestamp>,
}

/// A confirmed or coasting track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonNode {
    /// Which.
    pub track: TrackId,
    /// Life of the track.
    pub state: TrackState,
    /// When it was confirmed.
    pub since: Timestamp,
    /// Its mean, m.
    pub position_m: [f64; 3],
    /// True if its mean lies in the room.
    pub in_room: bool,
    /// Bit k: link k was disturbed lately and passes the person.
    pub supported_by: u64,
}

/// What presence says, without its probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceKind {
    /// It can't be said.
    Unknown(UnknownReason),
    /// Nobody (or nobody moving: see the basis of the presence itself).
    Absent,
    /// Somebody.
    Present,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventKind {
    /// Presence changed to this.
    Presence(PresenceKind),
    /// A person was confirmed.
    TrackConfirmed(TrackId),
    /// A person's track ended.
    TrackLost(TrackId),
    /// A link's baseline changed its condition to this.
    Calibration(LinkId, CalibrationState),
    /// Nothing arrives from a node any more.
    NodeSilent(NodeId),
    /// Something arrives from a node again.
    NodeBack(NodeId),
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
}

/// The graph. Its edges are in [`Graph::edges`].
#[derive(Clone, Debug)]
pub struct Graph {
    pub(crate) room: Option<Room>,
    pub(crate) sensors: Vec<SensorNode>,
    pub(crate) links: Vec<LinkNode>,
    pub(crate) people: Vec<PersonNode>,
    pub(crate) presence: PresenceKind,
    pub(crate) events: VecDeque<Event>,
    pub(crate) events_total: u64,
}

impl Graph {
    /// Events that are kept.
    pub const MAX_EVENTS: usize = 64;

    pub(crate) fn new(geometry: &Geometry) -> Graph {
        Graph {
            room: geometry.room,
            sensors: Vec::with_capacity(MAX_NODES),
            links: Vec::with_capacity(MAX_LINKS),
            people: Vec::with_capacity(MAX_PEOPLE),
            presence: PresenceKind::Unknown(UnknownReason::NoData),
            events: VecDeque::with_capacity(Graph::MAX_EVENTS),
            events_total: 0,
        }
    }

    /// The room, where known.
    pub fn room(&self) -> Option<Room> {
        self.room
    }
    /// Sensing nodes, ascending by id.
    pub fn sensors(&self) -> &[SensorNode] {
        &self.sensors
    }
    /// Links, ascending by id.
    pub fn links(&self) -> &[LinkNode] {
        &self.links
    }
    /// People, ascending by id.
    pub fn people(&self) -> &[PersonNode] {
        &self.people
    }
    /// The last events, oldest first.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &Event> {
        self.events.iter()
    }
    /// Events ever; the last of [`Graph::events`] has this number, counted from 1.
    pub fn events_total(&self) -> u64 {
        self.events_total
    }

    fn push(&mut self, at: Timestamp, kind: EventKind) {
        if self.events.len() == Graph::MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { at, kind });
        self.events_total += 1;
    }

    /// Takes over a cycle. Events of one cycle come in a fixed order: presence, nodes, links, people.
    pub(crate) fn update(
        &mut self,
        config: &Config,
        detector: &Detector,
        geometry: &Geometry,
        input: &Input<'_>,
        verdict: &Verdict,
    ) {
        let kind = presence_kind(verdict.presence);
        if kind != self.presence {
            self.presence = kind;
            self.push(input.at, EventKind::Presence(kind));
        }
        for health in input.nodes.iter().take(MAX_NODES) {
            self.update_sensor(geometry, input.at, health);
        }
        for link in input.links.iter().take(MAX_LINKS) {
            self.update_link(detector, input.at, link);
        }
        self.update_people(input.at, input.tracks);
        self.support(config, geometry, input.at);
    }

    fn update_sensor(&mut self, geometry: &Geometry, at: Timestamp, health: &NodeHealth) {
        let place = self.sensors.partition_point(|s| s.node < health.node);
        let known = self.sensors.get(place).is_some_and(|s| s.node == health.node);
        if !known {
            if self.sensors.len() == MAX_NODES {
                return;
            }
            let in_room = geometry.node_position(health.node).is_some_and(|p| inside(self.room, &p));
            let sensor = SensorNode { node: health.node, silent: false, since: at, in_room };
            self.sensors.insert(place, sensor);
        }
        let sensor = &mut self.sensors[place];
        if sensor.silent == health.silent {
            return;
        }
        sensor.silent = health.silent;
        sensor.since = at;
        let kind = if health.silent { EventKind::NodeSilent } else { EventKind::NodeBack };
        self.push(at, kind(health.node));
    }

    fn update_link(&mut self, detector: &Detector, at: Timestamp, input: &LinkInput) {
        let place = self.links.partition_point(|l| l.link < input.link);
        if self.links.get(place).is_none_or(|l| l.link != input.link) {
            if self.links.len() == MAX_LINKS {
                return;
            }
            let calibration = CalibrationState::None;
            self.links
                .insert(place, LinkNode { link: input.link, ends: input.ends, calibration, disturbed: None });
        }
        let link = &mut self.links[place];
        link.ends = input.ends;
        if input.heard && detector.disturbed(input) {
            link.disturbed = Some(at);
        }
        let changed = !same_condition(link.calibration, input.calibration);
        link.calibration = input.calibration;
        if changed {
            self.push(at, EventKind::Calibration(input.link, input.calibration));
        }
    }

    fn update_people(&mut self, at: Timestamp, tracks: &[PersonTrack]) {
        let people = || tracks.iter().filter(|t| t.state != TrackState::Tentative).take(MAX_PEOPLE);
        let mut k = 0;
        while k < self.people.len() {
            let id = self.people[k].track;
            if people().any(|t| t.id == id) {
                k += 1;
            } else {
                self.people.remove(k);
                self.push(at, EventKind::TrackLost(id));
            }
        }
        for track in people() {
            let place = self.people.partition_point(|p| p.track < track.id);
            if self.people.get(place).is_none_or(|p| p.track != track.id) {
                let new = PersonNode {
                    track: track.id,
                    state: track.state,
                    since: at,
                    position_m: [0.0; 3],
                    in_room: false,
                    supported_by: 0,
                };
                self.people.insert(place, new);
                self.push(at, EventKind::TrackConfirmed(track.id));
            }
            let in_room = inside(self.room, &track.mean);
            let person = &mut self.people[place];
            person.state = track.state;
            person.in_room = in_room;
            person.position_m = [track.mean[0], track.mean[1], track.mean[2]];
        }
    }

    /// Which links speak for whom: disturbed lately, and the person on or near their path.
    fn support(&mut self, config: &Config, geometry: &Geometry, at: Timestamp) {
        for person in &mut self.people {
            person.supported_by = 0;
            for link in &self.links {
                let recent = link.disturbed.is_some_and(|d| at.seconds_since(d) <= config.support_s);
                let bit = 1u64.checked_shl(u32::from(link.link.0)).unwrap_or(0);
                let near = || {
                    excess_path_m(geometry, link.ends, &person.position_m)
                        .is_some_and(|excess| excess <= config.support_excess_m)
                };
                if recent && near() {
                    person.supported_by |= bit;
                }
            }
        }
    }
}

impl Detector {
    /// True if a link's channel is disturbed beyond the designed false-alarm rate of a single score.
    fn disturbed(&self, link: &LinkInput) -> bool {
        let over = |z: Option<f32>| z.is_some_and(|z| f64::from(z) >= self.one);
        let empty_room = link.calibration == CalibrationState::Ready { empty_room: true };
        presence::usable(link) && (over(link.change_z) || (empty_room && over(link.drift_z)))
    }
}

/// How much longer the way over a point is than the direct one, m; `None` unless both ends are known.
fn excess_path_m(geometry: &Geometry, ends: Link, point: &[f64; 3]) -> Option<f64> {
    let tx = match ends.tx() {
        Transmitter::Node(id) => geometry.node_position(id)?,
        Transmitter::Station(mac) => geometry.access_point_position(mac)?,
        Transmitter::Ambient(_) => return None,
    };
    let rx = geometry.node_position(ends.rx())?;
    Some(distance(&tx, point) + distance(point, &rx) - distance(&tx, &rx))
}

fn distance(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    let mut total = 0.0;
    for k in 0..3 {
        total += (a[k] - b[k]) * (a[k] - b[k]);
    }
    math::sqrt(total)
}

fn inside(room: Option<Room>, position: &[f64]) -> bool {
    room.is_some_and(|r| (0..3).all(|k| position[k] >= r.min_m[k] && position[k] <= r.max_m[k]))
}

/// True if only the progress of a collection differs.
fn same_condition(a: CalibrationState, b: CalibrationState) -> bool {
    use CalibrationState::Collecting;
    a == b || matches!((a, b), (Collecting { .. }, Collecting { .. }))
}

fn presence_kind(presence: Presence) -> PresenceKind {
    match presence {
        Presence::Unknown(reason) => PresenceKind::Unknown(reason),
        Presence::Known { present: true, .. } => PresenceKind::Present,
        Presence::Known { present: false, .. } => PresenceKind::Absent,
    }
}
