//! Datagrams cut into cycles, with the configuration that they need.

use std::path::{Path, PathBuf};
use wavewitness_engine::{EngineConfig, NUMERICS_VERSION};
use wavewitness_fixtures::motion::{Person, Walk};
use wavewitness_fixtures::scene::{Mesh, SECOND_NS};
use wavewitness_fixtures::{Datagram, Scene, Simulation};
use wavewitness_journal::Capture;
use wavewitness_types::{Canonical, CycleIndex, CyclePlan, Event, PrivacyMode, Source, Timestamp};
use wavewitness_witness::{Genesis, SPECIFICATION};

const CYCLE_NS: u64 = 50_000_000;
/// Cycle in which the operator says that the room is empty.
pub const CALIBRATE_AT: usize = 20;

/// What arrived in one cycle.
#[derive(Clone, Debug)]
pub struct Cycle {
    /// Its end.
    pub at: Timestamp,
    /// Its number.
    pub index: CycleIndex,
    /// In order of arrival.
    pub datagrams: Vec<Datagram>,
}

/// Cycles, and the configuration of an engine for them.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The engine's configuration.
    pub config: EngineConfig,
    /// What the operator would declare.
    pub source: Source,
    /// When it begins.
    pub start: Timestamp,
    /// Whether a calibration is commanded in cycle [`CALIBRATE_AT`].
    pub calibrate: bool,
    /// The cycles.
    pub cycles: Vec<Cycle>,
}

/// First cycle in which the baselines of [`room`] are complete and the filters have settled.
pub const QUIET_FROM: usize = 460;
/// First cycle in which nobody is known to be there any more.
pub const QUIET_UNTIL: usize = 700;
/// First cycle in which the person of [`room`] has been walking for a while.
pub const WALKER_FROM: usize = 760;
/// First cycle in which the walk is over.
pub const WALKER_UNTIL: usize = 1120;

/// The room of `Scene::mesh`: four nodes in a mesh of 20 Hz, twelve links of 56 tones. Nobody for 36 s, then one person
/// comes in and walks rounds at 1 m/s.
pub fn room() -> Scene {
    let mut scene = Scene::mesh("bench", 58);
    let laps = [[1.3, 1.2], [4.7, 1.2], [4.7, 3.1], [1.3, 3.1]];
    let walk = Walk::from(0.5, 2.6).laps(&laps, 3, 1.0);
    scene.people = vec![Person::new(1, walk).visiting(36 * SECOND_NS)];
    scene
}

/// [`room`] with a second person, who walks rounds of his own the other way.
pub fn two_in_a_room() -> Scene {
    let mut scene = room();
    let laps = [[3.0, 4.0], [1.2, 2.0], [3.4, 0.8], [5.0, 2.4]];
    let walk = Walk::from(3.4, 3.6).laps(&laps, 4, 0.8);
    scene.people.push(Person::new(2, walk).visiting(37 * SECOND_NS));
    scene
}

/// [`room`] with nodes that transmit five times a cycle: 60 frames, as many as DESIGN's 100 Hz a node gives.
pub fn busy_room() -> Scene {
    Scene { mesh: Some(Mesh { cycle_ns: CYCLE_NS / 5, slot_jitter_ns: 100_000 }), ..room() }
}

/// Two access points, no mesh, frames of several layouts without MAC: links are told apart by shape and beacon phase.
pub fn ambient_room() -> Scene {
    Scene { duration_ns: 58 * SECOND_NS, ..wavewitness_fixtures::scenes::every_layout() }
}

impl Recording {
    /// What a scene's nodes send. Its transmitters are known by MAC or not at all, so that the cycle needs no slots.
    pub fn of_scene(scene: &Scene, seed: u64) -> Recording {
        let config = EngineConfig {
            geometry: scene.geometry(),
            cycle: CyclePlan::ambient(),
            ..EngineConfig::default()
        };
        let cycles = cut(scene.start, Simulation::new(scene, seed));
        Recording { config, source: Source::Simulated, start: scene.start, calibrate: true, cycles }
    }

    /// A capture file, without geometry. `None` if there is none at the path.
    ///
    /// # Panics
    /// If it is there and can't be read.
    pub fn of_capture(path: &Path) -> Option<Recording> {
        if !path.exists() {
            return None;
        }
        let capture = Capture::open(path).unwrap_or_else(|e| panic!("{e}"));
        let source = capture.source();
        let mut datagrams = capture
            .filter_map(|event| match event.unwrap_or_else(|e| panic!("{e}")) {
                Event::Datagram { at, from, bytes } => Some(Datagram { at, from, bytes }),
                _ => None,
            })
            .peekable();
        let start = datagrams.peek()?.at;
        let cycles = cut(start, datagrams);
        Some(Recording { config: EngineConfig::default(), source, start, calibrate: false, cycles })
    }

    /// The recording of two real nodes (RuView), if it is on this machine.
    pub fn ruview() -> Option<Recording> {
        Recording::of_capture(&data().join("ruview_2node/pretrain-1775182186.csi.jsonl"))
    }

    /// The same with every stage on that the defaults leave off; the follower weighs 200 particles a cycle.
    pub fn with_every_stage(mut self) -> Recording {
        self.config.localise.enabled = true;
        self.config.localise.per_cycle = 200;
        self
    }

    /// The genesis of a chain over it.
    pub fn genesis(&self) -> Genesis {
        Genesis {
            specification: SPECIFICATION,
            numerics: NUMERICS_VERSION,
            source: self.source,
            started: self.start,
            software: "benches".to_owned(),
            config: self.config.to_canonical_bytes(),
            predecessor: None,
            privacy: PrivacyMode::RawResearch,
        }
    }
}

/// Where recordings are that are not part of the repository.
fn data() -> PathBuf {
    std::env::var_os("WAVEWITNESS_DATA").map_or_else(
        || Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).to_owned(),
        PathBuf::from,
    )
}

fn cut(start: Timestamp, datagrams: impl Iterator<Item = Datagram>) -> Vec<Cycle> {
    let empty = |index: u64| Cycle {
        at: start.plus_nanos((index + 1) * CYCLE_NS),
        index: CycleIndex(index),
        datagrams: Vec::new(),
    };
    let mut current = empty(0);
    let mut out = Vec::new();
    for datagram in datagrams {
        while datagram.at >= current.at {
            let next = empty(current.index.0 + 1);
            out.push(std::mem::replace(&mut current, next));
        }
        current.datagrams.push(datagram);
    }
    out.push(current);
    out
}
