//! Presence, count, quality, the room's gate, and a bounded world graph.
//!
//! [`Plan::run`] takes what the links and the tracker say in one cycle and returns the [`Verdict`]: is anybody there,
//! how many, how good was the cycle. [`State::graph`] answers who is in the room, on whose evidence, since when. The
//! method, its constants and its failure cases are in `docs/algorithms/presence.md`.
//!
//! What this crate does not do: it looks at no channel (only at z-scores that other stages made), follows nobody,
//! knows one room and no zones, and never turns "nothing moves" into "nobody is there".

mod breathing;
mod config;
mod count;
mod graph;
mod presence;
mod quality;
mod view;

pub use config::Config;
pub use graph::{Event, EventKind, Graph, LinkNode, PersonNode, PresenceKind, SensorNode};
pub use view::{Edge, EdgeKind, Entity};

use presence::{Detector, Filter};
use wavewitness_num::math;
use wavewitness_types::limits::MAX_PEOPLE;
use wavewitness_types::{
    Breathing, CalibrationState, Canonical, ConfigError, Count, Gate, Geometry, Link, LinkId, NodeHealth,
    PersonTrack, Presence, PresenceBasis, Quality, Sink, Timestamp, UnknownReason, stage_config::StageConfig,
};

/// What one link says in one cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkInput {
    /// The link.
    pub link: LinkId,
    /// Its ends.
    pub ends: Link,
    /// True if a frame of it arrived in this cycle.
    pub heard: bool,
    /// Attention in the fusion, 0..=1.
    pub attention: f32,
    /// How many standard deviations ln(change) lies above its quiet mean (`Quiet::z`); `None` where not known.
    pub change_z: Option<f32>,
    /// The same of the incoherence with the baseline; `None` where not known.
    pub drift_z: Option<f32>,
    /// The gate.
    pub gate: Gate,
    /// The baseline.
    pub calibration: CalibrationState,
    /// Its last look for breathing; `None` before the first.
    pub breathing: Option<LinkBreathing>,
}

/// What a link said of breathing, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkBreathing {
    /// When its window ended.
    pub at: Timestamp,
    /// A rate of one link, or why there is none.
    pub breathing: Breathing,
}

/// What a cycle takes.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// When the cycle's Tick came.
    pub at: Timestamp,
    /// Every known link, ascending by id; those beyond `MAX_LINKS` are not looked at.
    pub links: &'a [LinkInput],
    /// Every known node, ascending by id; those beyond `MAX_NODES` are not looked at.
    pub nodes: &'a [NodeHealth],
    /// The tracker's tracks, ascending by id, tentative ones included.
    pub tracks: &'a [PersonTrack],
    /// Probabilities of one, two, … people if somebody is there, by what the room's channels measure of all of them together against
    /// the empty room; `None` where nothing is measured of it.
    pub numbers: Option<[f64; MAX_PEOPLE]>,
    /// True if tomography made an image in this cycle, or would have with frames (it has the links that it needs).
    pub tomography_active: bool,
    /// True if the positions that tomography needs are configured.
    pub geometry_known: bool,
    /// Attention-weighted motion over the quiet level, of the fused frame.
    pub fused_motion: Option<f32>,
    /// How far the nodes see the same changes, 0..=1, of the fused frame; `None` below two nodes.
    pub cross_coherence: Option<f32>,
    /// Frames used in this cycle.
    pub frames: u32,
    /// Datagrams of this cycle that were rejected.
    pub rejected: u32,
    /// Frames of this cycle that fit no link.
    pub unassigned: u32,
    /// When the last frame of any link arrived; `None` if none ever did.
    pub last_frame: Option<Timestamp>,
}

/// What is published of a cycle beside the people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Is anybody there?
    pub presence: Presence,
    /// Motion over the quiet level; `None` where not known.
    pub motion: Option<f32>,
    /// How many?
    pub count: Count,
    /// The best gate of the links heard in this cycle; `Reject` if none was.
    pub gate: Gate,
    /// How good the cycle was.
    pub quality: Quality,
    /// How fast does somebody breathe?
    pub breathing: Breathing,
}

/// The verdict of one room.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    geometry: Geometry,
    detector: Detector,
}

/// What is remembered from cycle to cycle: the two presence filters and the graph. Fixed size.
#[derive(Clone, Debug)]
pub struct State {
    now: Option<Timestamp>,
    motion: Filter,
    occupancy: Filter,
    graph: Graph,
}

impl Plan {
    /// Plans for a configuration and what is known of the place.
    ///
    /// # Errors
    /// If a parameter is out of range or two contradict each other.
    pub fn new(config: &Config, geometry: &Geometry) -> Result<Plan, ConfigError> {
        config.check()?;
        if config.off_probability >= config.on_probability {
            let allowed = format_args!("less than on_probability, {}", config.on_probability);
            return Err(ConfigError::new("world.off_probability", config.off_probability, allowed));
        }
        Ok(Plan { config: config.clone(), geometry: geometry.clone(), detector: Detector::new(config) })
    }

    /// Judges a cycle. Total: numbers that are not finite count as not known.
    pub fn run(&self, input: &Input<'_>, state: &mut State) -> Verdict {
        let dt = state.now.map_or(0.0, |now| input.at.seconds_since(now));
        state.now = Some(state.now.map_or(input.at, |now| now.max(input.at)));

        let silent = input.last_frame.is_none_or(|last| input.at.seconds_since(last) > self.config.silence_s);
        let evidence = if silent { presence::Evidence::NONE } else { self.detector.evidence(input) };
        state.motion.step(&self.detector, &self.config, dt, evidence.motion);
        let breathing = breathing::fuse(&self.config, input, state.motion.present);
        // Who breathes and keeps still leaves the links quiet: then quiet says nothing against somebody. It says nothing
        // for somebody either, as a fan that turns its head has a rate, too.
        let occupancy = match breathing {
            Breathing::Rate(_) => evidence.occupancy.map(|e| math::max_f64(0.0, e)),
            Breathing::Unknown(_) => evidence.occupancy,
        };
        state.occupancy.step(&self.detector, &self.config, dt, occupancy);

        let presence = match unknown(input, silent) {
            Some(reason) => Presence::Unknown(reason),
            None => state.presence(presence::basis(input.links)),
        };
        let known = matches!(presence, Presence::Known { .. });
        let verdict = Verdict {
            presence,
            motion: input.fused_motion.filter(|m| known && m.is_finite()),
            count: count::count(input, presence),
            gate: quality::gate(input.links),
            quality: quality::quality(input),
            breathing,
        };
        state.graph.update(&self.config, &self.detector, &self.geometry, input, &verdict);
        verdict
    }
}

impl State {
    /// Nothing seen yet.
    pub fn new(plan: &Plan) -> State {
        State {
            now: None,
            motion: Filter::motion(&plan.config),
            occupancy: Filter::occupancy(&plan.config),
            graph: Graph::new(&plan.geometry),
        }
    }

    /// Who is there, on whose evidence, since when; and what happened last.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    fn presence(&self, basis: PresenceBasis) -> Presence {
        let filter = match basis {
            PresenceBasis::Motion => &self.motion,
            PresenceBasis::EmptyRoom => &self.occupancy,
        };
        Presence::Known { present: filter.present, probability: filter.probability() as f32, basis }
    }
}

/// Why presence can't be told, if it can't.
fn unknown(input: &Input<'_>, silent: bool) -> Option<UnknownReason> {
    if silent {
        return Some(UnknownReason::NoData);
    }
    if !input.links.iter().any(presence::ready) {
        return Some(UnknownReason::NotCalibrated);
    }
    (!input.links.iter().any(presence::usable)).then_some(UnknownReason::PoorCoherence)
}

/// A finite number within `low..=high`, or nothing.
fn finite(x: Option<f32>, low: f64, high: f64) -> Option<f64> {
    let x = x.filter(|x| x.is_finite())?;
    Some(math::max_f64(low, math::min_f64(high, f64::from(x))))
}

impl Canonical for Verdict {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { presence, motion, count, gate, quality, breathing } = self;
        presence.canonical(out);
        out.option(motion.as_ref(), |s, &v| s.f32(v));
        count.canonical(out);
        gate.canonical(out);
        quality.canonical(out);
        breathing.canonical(out);
    }
}
