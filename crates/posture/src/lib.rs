//! Postures and falls of a room, from how fast its channels change and how far they are from the empty room's.
//!
//! No place enters: all paths are added up. So one person's posture is told where one person is there, and a fall is the
//! room's. The method, how it was trained and what it can't tell are in `docs/algorithms/posture.md`.
//!
//! What this crate does not do: it places nobody, tells nobody apart, and knows no posture but by the empty-room baseline of
//! its links: without one everything is unknown.

mod classes;
mod config;
mod falls;
mod look;
mod memory;
mod network;
mod path;
// Generated: `evaluate posture-train` writes it as it is.
#[rustfmt::skip]
mod weights;

pub use config::Config;
pub use look::{FEATURES, History, Look, recent};
pub use memory::Memory;
pub use network::{Network, Weights, softmax};
pub use weights::{CLASS_UNITS, CLASSES, FALL_UNITS};

use look::Sum;
use path::Path;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{
    AlignedFrame, Baseline, Canonical, ConfigError, FallWatch, Layout, Link, NoPosture, Posture,
    PostureClass, Sink, Timestamp, TrackId, Transmitter, UnknownReason,
};

/// Pairs of antennas that are followed.
const MAX_PATHS: usize = MAX_LINKS;

/// Made once.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    weights: Weights,
}

/// A pair of antennas, in the order of [`Transmitter`], and what is sent between them.
#[derive(Clone, Copy, Debug)]
struct Pair {
    ends: [Transmitter; 2],
    layout: Layout,
}

/// What changes from cycle to cycle. Allocates at construction only.
#[derive(Clone, Debug)]
pub struct State {
    pairs: Vec<Pair>,
    paths: Vec<Path>,
    /// By link.
    ways: Vec<Option<u16>>,
    memory: Memory,
}

/// What a cycle says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The posture of the one who is there, if one is.
    pub posture: Posture,
    /// Probability of each class, published or not; `None`: nothing was looked at.
    pub probability: Option<[f64; PostureClass::COUNT]>,
    /// Probability that somebody who lies does so on the floor.
    pub on_floor: f64,
    /// Falls of the room.
    pub fall: FallWatch,
    /// Evidence of a fall just now, nats; `None`: nothing was looked at, or too much was missed.
    pub evidence: Option<f64>,
    /// What it was concluded from.
    pub look: Look,
}

impl Plan {
    /// # Errors
    /// Names the parameter that is out of range.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        Plan::with(config, Weights::TRAINED)
    }

    /// With weights that are to be tried.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with(config: &Config, weights: Weights) -> Result<Plan, ConfigError> {
        config.check()?;
        Ok(Plan { config: config.clone(), weights })
    }

    /// A link was found; links are met in the order of their ids. Of several layouts between the same antennas the first
    /// is followed.
    pub fn meet(&self, link: Link, state: &mut State) {
        let (tx, rx) = (link.tx(), Transmitter::Node(link.rx()));
        let ends = if tx > rx { [rx, tx] } else { [tx, rx] };
        let known = state.pairs.iter().position(|p| p.ends == ends);
        let path = match known {
            Some(k) => (state.pairs[k].layout == link.layout()).then_some(k as u16),
            None if state.paths.len() == MAX_PATHS => None,
            None => {
                state.pairs.push(Pair { ends, layout: link.layout() });
                state.paths.push(Path::new());
                Some(state.paths.len() as u16 - 1)
            }
        };
        state.ways.push(path);
    }

    /// Takes a frame, with its link's baseline.
    pub fn frame(&self, frame: &AlignedFrame, baseline: Option<&Baseline>, state: &mut State) {
        let way = state.ways.get(frame.link.index()).copied().flatten();
        if let (true, Some(path), Some(baseline)) =
            (self.config.enabled, way, baseline.filter(|b| b.empty_room))
        {
            state.paths[usize::from(path)].push(frame, baseline);
        }
    }

    /// Ends the cycle. `person`: the only one who is published, if there is just one.
    pub fn end_cycle(&self, at: Timestamp, person: Option<TrackId>, state: &mut State) -> Verdict {
        let mut sum = Sum::default();
        for path in &mut state.paths {
            sum.add(&path.end_cycle(at));
        }
        let look = sum.look(state.memory.newest());
        let unknown = if !self.config.enabled || look.is_known {
            // Enough paths, but not for long enough yet; or nobody looks.
            UnknownReason::NoData
        } else if !state.paths.iter().any(Path::is_calibrated) {
            UnknownReason::NotCalibrated
        } else {
            UnknownReason::TooFewLinks
        };
        self.conclude(at, look, person, unknown, &mut state.memory)
    }
}

impl Verdict {
    /// Nothing was looked at.
    pub const NOTHING: Verdict = Verdict {
        posture: Posture::Unknown(NoPosture::NoData),
        probability: None,
        on_floor: 0.0,
        fall: FallWatch::Unknown(UnknownReason::NoData),
        evidence: None,
        look: Look::NOTHING,
    };
}

impl State {
    /// Nothing heard.
    pub fn new() -> State {
        State {
            pairs: Vec::with_capacity(MAX_PATHS),
            paths: Vec::with_capacity(MAX_PATHS),
            ways: Vec::with_capacity(MAX_LINKS),
            memory: Memory::default(),
        }
    }
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

impl Canonical for Look {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { change, departure, typical_change, typical_departure, is_known, is_steady } = self;
        out.f64s(change);
        out.f64(*departure);
        out.f64s(typical_change);
        out.f64(*typical_departure);
        out.bool(*is_known);
        out.bool(*is_steady);
    }
}

impl Canonical for Verdict {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { posture, probability, on_floor, fall, evidence, look } = self;
        posture.canonical(out);
        out.option(probability.as_ref(), |s, p| s.f64s(p));
        out.f64(*on_floor);
        fall.canonical(out);
        out.option(evidence.as_ref(), |s, &e| s.f64(e));
        look.canonical(out);
    }
}
