//! From a cycle's strengths to who is where: which path a link runs on, and what is background.
//!
//! A *path* is a pair of antennas whose places are configured; both directions and all fields between them are streams of
//! it, each in a few groups of tones, as a body changes neighbouring tones alike and distant ones apart.
//!
//! Baselines are learnt while a calibration runs on the operator's word that the room is empty, and follow drift while
//! nobody is there. A drift that looks like a body must not become one: somebody who was not there before cannot appear
//! without moving, so what this says counts only while presence, which rests on motion, says that somebody is there.

use wavewitness_num::math;
use wavewitness_num::sum::energy;
use wavewitness_tomography::locate::{self, PathEvidence};
use wavewitness_tomography::strength::{self, Background};
use wavewitness_types::canonical::Reader;
use wavewitness_types::{
    Canonical, ConfigError, Detection, Geometry, Layout, Link, LinkObservation, Presence, Samples, Sink,
    Transmitter,
};

/// Groups of neighbouring tones whose strength is followed apart: 2.5 MHz of a 20 MHz channel, about the coherence
/// bandwidth of a room.
const GROUPS: usize = 8;
/// Directions of a path.
const DIRECTIONS: usize = 2;
/// Fields that pass different filters in a chip: the legacy one, and all others.
const FIELDS: usize = 2;
const STREAMS: usize = DIRECTIONS * FIELDS * GROUPS;
/// Power of a group over the mean of all below which it is no measurement.
const LEAST_SHARE: f64 = 1e-6;
/// Paths with evidence below which the image answers instead: with the six of four nodes, a node that is moved looks like a
/// person beside it, and one person is misplaced by 1.4 m (`docs/algorithms/tomography.md`).
const LEAST_PATHS: u16 = 15;
/// Below this probability that anybody is around, baselines follow drift.
const NOBODY: f64 = 0.1;

/// An antenna whose place is configured.
#[derive(Clone, Copy, Debug)]
struct Place {
    holder: Transmitter,
    at_m: [f64; 3],
}

/// Made once: places, paths between them, both stages.
#[derive(Clone, Debug)]
pub struct Plan {
    places: Vec<Place>,
    /// Places of each path, ascending.
    ends: Vec<[u16; 2]>,
    strength: strength::Plan,
    locate: locate::Plan,
    interval_s: f64,
}

/// What is remembered, and working memory.
#[derive(Clone, Debug)]
pub struct State {
    strength: strength::State,
    /// What it was before the calibration that runs, and the baselines' version then.
    before: strength::State,
    learning_since: Option<u64>,
    locate: locate::State,
    evidence: Vec<PathEvidence>,
    summary: locate::Summary,
}

/// What the cycle before says of the room.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// The operator says that it is empty, and a calibration runs.
    pub learning: bool,
    /// Grows when a baseline is completed or cleared.
    pub baselines: u64,
    /// Is anybody there?
    pub presence: Presence,
}

impl Plan {
    /// Absent without a room or a path.
    ///
    /// # Errors
    /// Names the parameter that is out of range.
    pub fn new(
        strength: &strength::Config,
        locate: &locate::Config,
        geometry: &Geometry,
    ) -> Result<Option<Plan>, ConfigError> {
        let strength = strength::Plan::new(strength)?;
        let interval_s = locate.interval_s;
        let Some(room) = geometry.room else { return Ok(None) };
        let locate = locate::Plan::new(locate, room)?;
        let node = |n: &wavewitness_types::NodePlace| {
            Some(Place { holder: Transmitter::Node(n.id), at_m: n.position_m? })
        };
        let mut places: Vec<Place> = geometry.nodes.iter().filter_map(node).collect();
        let nodes = places.len();
        let station = |a: &wavewitness_types::AccessPointPlace| {
            Some(Place { holder: Transmitter::Station(a.mac), at_m: a.position_m? })
        };
        places.extend(geometry.access_points.iter().filter_map(station));
        // An access point hears nobody for us, so no path joins two of them.
        let mut ends = Vec::new();
        for a in 0..nodes {
            ends.extend((a + 1..places.len()).map(|b| [a as u16, b as u16]));
        }
        let plan = Plan { places, ends, strength, locate, interval_s };
        Ok((!plan.ends.is_empty()).then_some(plan))
    }

    /// The path of a link and its first stream there; none where an antenna's place is not configured.
    fn path(&self, link: Link) -> Option<(u16, usize)> {
        let place = |holder: Transmitter| self.places.iter().position(|p| p.holder == holder);
        let (tx, rx) = (place(link.tx())?, place(Transmitter::Node(link.rx()))?);
        let ends = [tx.min(rx) as u16, tx.max(rx) as u16];
        // At most 16 nodes and 64 access points.
        let path = self.ends.binary_search(&ends).ok()? as u16;
        let field = usize::from(link.layout() != Layout::Lltf64);
        Some((path, (usize::from(tx > rx) * FIELDS + field) * GROUPS))
    }

    /// Takes a cycle's strengths, `dt_s` after the last. `detections` is cleared and filled. True if this way of tomography
    /// answers at all: baselines are learnt, and enough paths speak.
    pub fn run<'a>(
        &self,
        dt_s: f64,
        links: &[Link],
        observations: impl Iterator<Item = &'a LinkObservation>,
        room: Room,
        state: &mut State,
        detections: &mut Vec<Detection>,
    ) -> bool {
        state.learn(&room);
        self.sample(links, observations, state);
        self.conclude(dt_s, room, state, detections)
    }

    fn sample<'a>(
        &self,
        links: &[Link],
        observations: impl Iterator<Item = &'a LinkObservation>,
        state: &mut State,
    ) {
        for observation in observations {
            let link = links.get(observation.link.index()).and_then(|l| self.path(*l));
            let (Some(rssi_dbm), Some((path, first))) = (observation.rssi_dbm, link) else { continue };
            for (k, share) in shares(&observation.mean).into_iter().enumerate() {
                if share > LEAST_SHARE {
                    let dbm = f64::from(rssi_dbm) + 10.0 / core::f64::consts::LN_10 * math::ln(share);
                    self.strength.sample(path, (first + k) as u16, dbm as f32, &mut state.strength);
                }
            }
        }
    }

    fn conclude(&self, dt_s: f64, room: Room, state: &mut State, detections: &mut Vec<Detection>) -> bool {
        let present = matches!(room.presence, Presence::Known { present: true, .. });
        let background = match (room.learning, present || state.summary.anybody >= NOBODY) {
            (true, _) => Background::Learning,
            (false, true) => Background::Occupied,
            (false, false) => Background::Empty,
        };
        let State { strength, locate, evidence, summary, .. } = state;
        let is_new = self.strength.close(dt_s, background, strength, evidence);
        *summary = self.locate.run(dt_s, is_new, evidence, locate, detections);
        if !present {
            detections.clear();
        }
        // Between two steps a detection is the last one again: so many are worth one.
        let repeats = if dt_s > 0.0 { math::max_f64(1.0, self.interval_s / dt_s) } else { 1.0 };
        for variance in detections.iter_mut().flat_map(|d| d.covariance_m2.iter_mut().flatten()) {
            *variance *= repeats;
        }
        summary.paths >= LEAST_PATHS
    }

    /// See [`locate::Plan::model_error_m`].
    pub fn model_error_m(&self, state: &State) -> f64 {
        self.locate.model_error_m(state.summary.paths)
    }

    /// Baselines by the antennas that they are between, to be carried over a restart.
    pub fn export<S: Sink>(&self, state: &State, out: &mut S) {
        out.u32(self.ends.len() as u32);
        out.u32(STREAMS as u32);
        for (path, ends) in self.ends.iter().enumerate() {
            for end in ends {
                self.places[usize::from(*end)].holder.canonical(out);
            }
            state.strength.export(path, out);
        }
    }

    /// Takes what was exported, path by path, as far as the paths are still there. False if the bytes are not that.
    pub fn import(&self, r: &mut Reader<'_>, state: &mut State) -> bool {
        let mut read = || {
            let paths = r.u32()?;
            if r.u32()? as usize != STREAMS {
                return None;
            }
            for _ in 0..paths {
                let ends = [Transmitter::read(r)?, Transmitter::read(r)?];
                let is_it = |e: &[u16; 2]| e.map(|p| self.places[usize::from(p)].holder) == ends;
                state.strength.import(self.ends.iter().position(is_it), r)?;
            }
            Some(())
        };
        read().is_some()
    }
}

impl State {
    /// Nothing learnt.
    pub fn new(plan: &Plan) -> State {
        let paths = plan.ends.len();
        let mut locate = locate::State::new(&plan.locate, paths as u16);
        for (path, &[a, b]) in plan.ends.iter().enumerate() {
            let at = |place: u16| plan.places[usize::from(place)].at_m;
            plan.locate.add_path(path as u16, at(a), at(b), &mut locate);
        }
        State {
            strength: strength::State::new(&plan.ends, STREAMS as u16),
            before: strength::State::new(&plan.ends, STREAMS as u16),
            learning_since: None,
            locate,
            evidence: Vec::with_capacity(paths),
            summary: locate::Summary::default(),
        }
    }

    /// The operator takes every baseline back.
    pub fn clear(&mut self) {
        self.strength.clear();
        self.learning_since = None;
    }

    /// A calibration that begins learns anew; one that ends without a single baseline leaves what was known before.
    fn learn(&mut self, room: &Room) {
        match (room.learning, self.learning_since) {
            (true, None) => {
                self.before.copy_from(&self.strength);
                self.strength.clear();
                self.learning_since = Some(room.baselines);
            }
            (false, Some(version)) => {
                if version == room.baselines {
                    self.strength.copy_from(&self.before);
                }
                self.learning_since = None;
            }
            _ => {}
        }
    }
}

/// The evidence and what was concluded from it; detections are encoded beside it.
impl Canonical for State {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { strength: _, before: _, learning_since: _, locate: _, evidence, summary } = self;
        evidence.as_slice().canonical(out);
        summary.canonical(out);
    }
}

/// Mean power of each group of tones over that of all; zeros without power.
fn shares(samples: &Samples) -> [f64; GROUPS] {
    let (re, im) = (samples.re(), samples.im());
    let n = re.len();
    let (mut out, mut total) = ([0.0; GROUPS], 0.0);
    for (g, share) in out.iter_mut().enumerate() {
        let (from, to) = (g * n / GROUPS, (g + 1) * n / GROUPS);
        let group = energy(&re[from..to], &im[from..to]);
        total += group;
        *share = group / (to - from) as f64;
    }
    if total > 0.0 {
        out.iter_mut().for_each(|share| *share *= n as f64 / total);
    }
    out
}
