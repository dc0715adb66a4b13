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
mod network;
mod path;
// Generated: `evaluate posture-train` writes it as it is.
#[rustfmt::skip]
mod weights;

pub use config::Config;
pub use look::{FEATURES, History, Look, recent};
pub use network::Network;
pub use weights::{CLASS_UNITS, CLASSES, FALL_UNITS};

use classes::Fallen;
use falls::Falls;
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
    history: History,
    fallen: Fallen,
    falls: Falls,
    now: Timestamp,
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
        config.check()?;
        Ok(Plan { config: config.clone() })
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
        let (dt, since_ns) = (at.seconds_since(state.now), at.nanos_since(state.now));
        state.now = state.now.max(at);
        let look = sum.look(state.history.newest());
        state.history.push(look, since_ns);
        if !state.history.is_full() {
            return self.unknown(at, look, state);
        }
        let features = state.history.features();
        let evidence = state.history.is_steady().then(|| falls::evidence(&recent(&features)));
        let is_there = look.departure >= self.config.least_departure;
        let is_still = state.history.newest_change() <= self.config.most_change;
        // Who lies where he fell does not fall.
        if let Some(evidence) = evidence
            && is_there
            && is_still
            && !state.fallen.is_down()
            && let Some(fall) = state.falls.decide(&self.config, at, evidence, person)
        {
            state.fallen.fall(f64::from(fall.probability));
        }
        let probability = state.fallen.step(&features, dt);
        let doubt = evidence.is_none().then_some(UnknownReason::Gaps);
        Verdict {
            posture: self.published(&probability),
            probability: Some(probability),
            on_floor: state.fallen.on_floor(),
            fall: self.watch(at, doubt, state),
            evidence,
            look,
        }
    }

    /// What is published of falls: the newest for as long as it is, whatever became of the watch since.
    fn watch(&self, at: Timestamp, doubt: Option<UnknownReason>, state: &State) -> FallWatch {
        match (state.falls.newest(&self.config, at), doubt) {
            (None, Some(reason)) => FallWatch::Unknown(reason),
            (fall, _) => FallWatch::Watching(fall),
        }
    }

    fn unknown(&self, at: Timestamp, look: Look, state: &mut State) -> Verdict {
        let reason = if !self.config.enabled || look.is_known {
            // Enough paths, but not for long enough yet; or nobody looks.
            UnknownReason::NoData
        } else if !state.paths.iter().any(Path::is_calibrated) {
            UnknownReason::NotCalibrated
        } else {
            UnknownReason::TooFewLinks
        };
        let fall = self.watch(at, Some(reason), state);
        let posture = Posture::Unknown(NoPosture::NoData);
        Verdict { posture, probability: None, on_floor: 0.0, fall, evidence: None, look }
    }

    fn published(&self, probability: &[f64; PostureClass::COUNT]) -> Posture {
        for class in PostureClass::ALL {
            let least = match class {
                PostureClass::Sitting => self.config.known_sitting,
                _ => self.config.known_probability,
            };
            if probability[class as usize] >= least {
                return Posture::Known { class, probability: probability.map(|p| p as f32) };
            }
        }
        Posture::Unknown(NoPosture::Undecided)
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
            history: History::new(),
            fallen: Fallen::default(),
            falls: Falls::default(),
            now: Timestamp::default(),
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
