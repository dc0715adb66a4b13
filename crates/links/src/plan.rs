//! One frame at a time: the order of evidence.

use crate::Config;
use crate::beacon::{BeaconClock, phase_of};
use crate::group::MAX_MEMBERS;
use crate::record::{LinkRecord, Resolution, Unassigned};
use crate::shape::{Likeness, Shape};
use crate::state::{Model, State, is_configured};
use wavewitness_num::math::{max_f64, min_f64};
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{
    ConfigError, CsiFrame, CyclePlan, Geometry, Identification, Link, LinkId, Timestamp, Transmitter,
};

/// Frames of an unknown station before it is a link: a stray probe request takes no place.
const STATION_FRAMES: u32 = 3;
/// Links that unknown stations may take, so that a crowd of phones leaves room for the others.
const MAX_STATION_LINKS: usize = MAX_LINKS / 2;
/// Weight of a new interval between a link's frames in the usual one.
const INTERVAL_RATE: f64 = 0.1;
/// A time unit of IEEE 802.11 in nanoseconds.
const TIME_UNIT_NS: u64 = 1_024_000;

/// The stage, ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) config: Config,
    pub(crate) geometry: Geometry,
    pub(crate) cycle: CyclePlan,
    pub(crate) period_ns: u64,
}

/// How a frame without a name fits the links of its group.
enum Fit {
    /// Its shape fits this one.
    Shape(LinkId, Likeness),
    /// The beacon schedule decides for this one.
    Beacon(LinkId, Likeness),
    /// It fits several.
    Ambiguous,
    /// It fits none.
    None,
}

impl Plan {
    /// Plans the stage.
    ///
    /// # Errors
    /// If a parameter is out of its range, or the widest gate is narrower than the narrowest.
    pub fn new(config: &Config, geometry: &Geometry, cycle: &CyclePlan) -> Result<Plan, ConfigError> {
        config.check()?;
        if config.gate_max < config.gate_min {
            let allowed = format!("at least links.gate_min ({})", config.gate_min);
            return Err(ConfigError::new("links.gate_max", config.gate_max, allowed));
        }
        Ok(Plan {
            config: config.clone(),
            geometry: geometry.clone(),
            cycle: cycle.clone(),
            period_ns: u64::from(config.beacon_period_tu) * TIME_UNIT_NS,
        })
    }

    /// Says to which link a frame belongs, and learns from it.
    ///
    /// The order of evidence: MAC, TDMA slot, then shape and beacon phase among the ambient links of the frame's node
    /// and layout. Every frame is counted in [`State::counters`].
    pub fn resolve(&self, frame: &CsiFrame, state: &mut State) -> Resolution {
        let resolution = self.place(frame, state);
        match resolution {
            Resolution::Link { by, .. } => state.counters.assigned[by as usize] += 1,
            Resolution::Unassigned(why) => state.counters.unassigned[why as usize] += 1,
        }
        resolution
    }

    fn place(&self, frame: &CsiFrame, state: &mut State) -> Resolution {
        let Some(shape) = Shape::of(&frame.samples) else {
            return Resolution::Unassigned(Unassigned::NoEnergy);
        };
        if let Some(mac) = frame.transmitter {
            let tx = self.geometry.node_by_mac(mac).map_or(Transmitter::Station(mac), Transmitter::Node);
            return self.named(frame, &shape, tx, Identification::Mac, state);
        }
        if let Some(node) = frame.mesh_time.and_then(|t| self.cycle.transmitter_at(t)) {
            return self.named(frame, &shape, Transmitter::Node(node), Identification::Slot, state);
        }
        self.ambient(frame, shape, state)
    }

    /// A frame whose transmitter is known by name.
    fn named(
        &self,
        frame: &CsiFrame,
        shape: &Shape,
        tx: Transmitter,
        by: Identification,
        state: &mut State,
    ) -> Resolution {
        let Some(link) = Link::new(tx, frame.node, frame.layout) else {
            return Resolution::Unassigned(Unassigned::OwnNode);
        };
        let known = state.records.iter().position(|r| r.link == link);
        if let Some(index) = known {
            let likeness = state.models[index].shape.compare(shape);
            self.give(index, frame.at, shape, likeness, true, state);
            // The stronger evidence (the lesser code) names the link.
            if by < state.records[index].identification {
                state.records[index].identification = by;
            }
            return Resolution::Link { id: state_id(index), by };
        }
        if let Transmitter::Station(mac) = tx
            && !is_configured(self, mac)
        {
            if state.meet_stranger(link, frame.at) < STATION_FRAMES {
                return Resolution::Unassigned(Unassigned::Learning);
            }
            if state.station_count() >= MAX_STATION_LINKS {
                return Resolution::Unassigned(Unassigned::TableFull);
            }
            state.forget_stranger(link);
        }
        match self.found(link, by, frame.at, frame.at, shape.clone(), 0.0, state) {
            Some(id) => {
                let likeness = state.models[id.index()].shape.compare(shape);
                self.give(id.index(), frame.at, shape, likeness, true, state);
                Resolution::Link { id, by }
            }
            None => Resolution::Unassigned(Unassigned::TableFull),
        }
    }

    /// A frame that is known only by how it looks and when it came.
    fn ambient(&self, frame: &CsiFrame, shape: Shape, state: &mut State) -> Resolution {
        let Some(group) = state.group(frame.node, frame.layout) else {
            return Resolution::Unassigned(Unassigned::TableFull);
        };
        let phase = phase_of(frame.at, self.period_ns);
        match self.fit(state.groups[group].members(), &state.models, &shape, phase) {
            Fit::Shape(id, likeness) => {
                let clock = &state.models[id.index()].clock;
                let on_schedule = clock.is_schedule(self.config.beacon_share) && clock.agrees(phase);
                self.give(id.index(), frame.at, &shape, likeness, true, state);
                let by = if on_schedule { Identification::BeaconPhase } else { Identification::Shape };
                Resolution::Link { id, by }
            }
            Fit::Beacon(id, likeness) => {
                self.give(id.index(), frame.at, &shape, likeness, false, state);
                Resolution::Link { id, by: Identification::BeaconPhase }
            }
            Fit::Ambiguous => Resolution::Unassigned(Unassigned::Ambiguous),
            Fit::None => {
                let learning = state.groups[group].members().is_empty();
                state.groups[group].wait(frame.at, shape);
                Resolution::Unassigned(if learning { Unassigned::Learning } else { Unassigned::NoFit })
            }
        }
    }

    fn fit(&self, members: &[LinkId], models: &[Model], shape: &Shape, phase: f64) -> Fit {
        let mut found = [Likeness::NONE; MAX_MEMBERS];
        let mut nearest: Option<usize> = None;
        let mut inside: Option<usize> = None;
        for (k, id) in members.iter().enumerate() {
            let model = &models[id.index()];
            found[k] = model.shape.compare(shape);
            if nearest.is_none_or(|n| found[k].distance < found[n].distance) {
                nearest = Some(k);
            }
            if found[k].distance <= self.gate(model.spread)
                && inside.is_none_or(|n| found[k].distance < found[n].distance)
            {
                inside = Some(k);
            }
        }
        if let Some(k) = inside {
            let mut rival = f64::INFINITY;
            for other in 0..members.len() {
                if other != k {
                    rival = min_f64(rival, found[other].distance);
                }
            }
            if found[k].distance <= self.config.rival_ratio * rival {
                return Fit::Shape(members[k], found[k]);
            }
        }
        // Within the gates where the shape is ambiguous, within the beacon gate where it fits nothing.
        let reach = |k: usize, model: &Model| match inside {
            Some(_) => found[k].distance <= self.gate(model.spread),
            None => nearest == Some(k) && found[k].distance <= self.config.beacon_gate,
        };
        let on_schedule =
            |clock: &BeaconClock| clock.is_schedule(self.config.beacon_share) && clock.agrees(phase);
        let mut decided: Option<usize> = None;
        for (k, id) in members.iter().enumerate() {
            let model = &models[id.index()];
            if reach(k, model) && on_schedule(&model.clock) {
                if decided.is_some() {
                    return Fit::Ambiguous;
                }
                decided = Some(k);
            }
        }
        match decided {
            Some(k) => Fit::Beacon(members[k], found[k]),
            None if inside.is_some() => Fit::Ambiguous,
            None => Fit::None,
        }
    }

    /// How far from a link's shape a frame may be, by the usual distance of its frames.
    pub(crate) fn gate(&self, spread: f64) -> f64 {
        let c = &self.config;
        min_f64(c.gate_max, max_f64(c.gate_min, c.gate_ratio * spread))
    }

    /// Gives a frame to a link, which learns from it; from its arrival phase only if the phase had no part in the
    /// decision, or a schedule would confirm itself.
    fn give(
        &self,
        index: usize,
        at: Timestamp,
        shape: &Shape,
        likeness: Likeness,
        phase_is_evidence: bool,
        state: &mut State,
    ) {
        let (model, record) = (&mut state.models[index], &mut state.records[index]);
        if record.frames > 0 {
            model.spread += self.config.spread_rate * (likeness.distance - model.spread);
            let gap = at.nanos_since(record.last_seen) as f64;
            model.interval_ns += INTERVAL_RATE * (gap - model.interval_ns);
        }
        model.shape.follow(shape, self.config.shape_rate, likeness);
        if phase_is_evidence {
            model.clock.push(phase_of(at, self.period_ns));
        }
        record.frames += 1;
        if at > record.last_seen {
            record.last_seen = at;
        }
        if record.frames > 1 {
            record.within_distance = Some(model.spread as f32);
        }
    }

    /// Enters a new link in the table; `None` if it is full.
    pub(crate) fn found(
        &self,
        link: Link,
        by: Identification,
        first_seen: Timestamp,
        last_seen: Timestamp,
        shape: Shape,
        spread: f64,
        state: &mut State,
    ) -> Option<LinkId> {
        if state.records.len() >= MAX_LINKS {
            return None;
        }
        let id = state_id(state.records.len());
        state.records.push(LinkRecord {
            link,
            identification: by,
            first_seen,
            last_seen,
            frames: 0,
            within_distance: None,
            between_distance: None,
            beacon: None,
            retired: None,
        });
        state.models.push(Model { shape, spread, interval_ns: 0.0, clock: BeaconClock::EMPTY, near: None });
        Some(id)
    }
}

/// The id of a table entry; tables hold at most `MAX_LINKS`, which fits `u16`.
pub(crate) fn state_id(index: usize) -> LinkId {
    LinkId(index as u16)
}
