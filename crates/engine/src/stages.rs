//! Plans and states of every stage, and the hashers of their outputs.

use crate::config::EngineConfig;
use crate::{breath, localising, locating};
use wavewitness_cir::gate;
use wavewitness_types::canonical::{Reader, Sink};
use wavewitness_types::{Canonical, ConfigError, CycleIndex, ToneGrid};
use wavewitness_witness::{Digest, Digester, Stage, context};
use {
    wavewitness_calibration as calibration, wavewitness_cir as cir, wavewitness_fusion as fusion,
    wavewitness_ingest as ingest, wavewitness_links as links, wavewitness_motion as motion,
    wavewitness_phase_align as phase_align, wavewitness_pose as pose, wavewitness_posture as posture,
    wavewitness_tomography as tomography, wavewitness_world as world,
};

/// First byte of exported baselines that hold strengths, too; an export of channels alone begins with another.
const ENVELOPE: u8 = 2;

/// Made once from the configuration.
pub(crate) struct Plans {
    pub ingest: ingest::Plan,
    pub links: links::Plan,
    pub calibration: calibration::Plan,
    pub motion: motion::Plan,
    pub breath: breath::Plan,
    pub phase_align: phase_align::Plan,
    pub fusion: fusion::Plan,
    pub cir: Vec<cir::Plan>,
    pub gate: gate::Plan,
    pub tomography: tomography::Plan,
    /// Absent without a room or two antennas with places.
    pub locating: Option<locating::Plan>,
    /// Absent without a room, or where it is not enabled.
    pub localising: Option<localising::Plan>,
    pub posture: posture::Plan,
    pub pose: pose::Plan,
    pub world: world::Plan,
    /// True if the room and at least two antennas have places.
    pub geometry_known: bool,
}

impl Plans {
    pub fn new(config: &EngineConfig) -> Result<Plans, ConfigError> {
        config.check()?;
        let places = config.geometry.nodes.iter().filter(|n| n.position_m.is_some()).count()
            + config.geometry.access_points.iter().filter(|a| a.position_m.is_some()).count();
        Ok(Plans {
            ingest: ingest::Plan::new(&config.ingest)?,
            links: links::Plan::new(&config.links, &config.geometry, &config.cycle)?,
            calibration: calibration::Plan::new(&config.calibration)?,
            motion: motion::Plan::new(&config.motion)?,
            breath: breath::Plan::new(&config.breathing)?,
            phase_align: phase_align::Plan::new(&config.phase_align)?,
            fusion: fusion::Plan::new(&config.fusion)?,
            cir: ToneGrid::ALL
                .into_iter()
                .map(|grid| cir::Plan::new(&config.cir, grid))
                .collect::<Result<_, _>>()?,
            gate: gate::Plan::new(&config.gate)?,
            tomography: tomography::Plan::new(&config.tomography, config.geometry.room)?,
            locating: locating::Plan::new(&config.strength, &config.locate, &config.geometry)?,
            localising: localising::Plan::new(&config.localise, &config.geometry, &config.cycle)?,
            posture: posture::Plan::new(&config.posture)?,
            pose: pose::Plan::new(&config.pose, config.geometry.room)?,
            world: world::Plan::new(&config.world, &config.geometry)?,
            geometry_known: config.geometry.room.is_some() && places >= 2,
        })
    }

    /// The impulse response plan of a grid: grids are numbered as in [`ToneGrid::ALL`].
    pub fn cir_of(&self, grid: ToneGrid) -> &cir::Plan {
        &self.cir[grid as usize]
    }
}

/// What changes from cycle to cycle. A boot begins it anew.
pub(crate) struct States {
    pub ingest: ingest::State,
    pub links: links::State,
    pub calibration: calibration::State,
    pub motion: motion::State,
    pub breath: breath::State,
    pub phase_align: phase_align::State,
    pub fusion: fusion::State,
    pub cir: Vec<cir::Scratch>,
    pub gate: gate::State,
    pub tomography: tomography::State,
    pub locating: Option<locating::State>,
    pub localising: Option<localising::State>,
    pub posture: posture::State,
    pub pose: pose::State,
    pub world: world::State,
}

impl States {
    /// Empty, but for baselines carried over; bytes that are not baselines are taken as none.
    pub fn new(plans: &Plans, first_cycle: CycleIndex, baselines: &[u8]) -> States {
        let mut states = States {
            ingest: ingest::State::new(&plans.ingest),
            links: links::State::new(&plans.links),
            calibration: calibration::State::new(&plans.calibration),
            motion: motion::State::new(&plans.motion),
            breath: breath::State::new(&plans.breath),
            phase_align: phase_align::State::new(&plans.phase_align),
            fusion: fusion::State::new(&plans.fusion),
            cir: plans.cir.iter().map(cir::Scratch::new).collect(),
            gate: gate::State::new(&plans.gate),
            tomography: tomography::State::new(&plans.tomography),
            locating: plans.locating.as_ref().map(locating::State::new),
            localising: plans.localising.as_ref().map(localising::State::new),
            posture: posture::State::new(),
            pose: pose::State::resumed(&plans.pose, first_cycle),
            world: world::State::new(&plans.world),
        };
        states.import(plans, baselines);
        states
    }

    fn import(&mut self, plans: &Plans, baselines: &[u8]) {
        let mut r = Reader::new(baselines);
        // Without an envelope (numerics version 3 and before) all of it is the channels' baselines.
        let channels = match baselines.first() {
            Some(&ENVELOPE) => r.u8().and_then(|_| r.bytes(baselines.len())).unwrap_or_default(),
            _ => baselines,
        };
        if let Some(calibration) = calibration::State::import(&plans.calibration, channels) {
            self.calibration = calibration;
        }
        if let (Some(plan), Some(state), true) =
            (&plans.locating, &mut self.locating, baselines.first() == Some(&ENVELOPE))
        {
            plan.import(&mut r, state);
        }
    }

    /// Baselines of channels and of strengths, as [`States::new`] takes them.
    pub fn export(&self, plans: &Plans) -> Vec<u8> {
        let channels = self.calibration.export();
        let mut out = Vec::new();
        out.u8(ENVELOPE);
        out.bytes(&channels);
        match (&plans.locating, &self.locating) {
            (Some(plan), Some(state)) => plan.export(state, &mut out),
            _ => out.count(0),
        }
        out
    }
}

/// A stage's hasher; it can keep what it hashes.
pub(crate) struct StageHasher {
    digester: Digester,
    values: Vec<u8>,
    keeps: bool,
}

impl Sink for StageHasher {
    fn put(&mut self, bytes: &[u8]) {
        self.digester.put(bytes);
        if self.keeps {
            self.values.extend_from_slice(bytes);
        }
    }
}

/// One hasher a stage.
pub(crate) struct StageHashers([StageHasher; Stage::COUNT]);

impl StageHashers {
    pub fn new() -> StageHashers {
        StageHashers(Stage::ALL.map(|_| StageHasher {
            digester: Digester::new(context::STAGE),
            values: Vec::new(),
            keeps: false,
        }))
    }

    /// Begins a cycle: every digest starts with its stage's number.
    pub fn begin(&mut self) {
        for (stage, hasher) in Stage::ALL.into_iter().zip(&mut self.0) {
            hasher.values.clear();
            hasher.digester.u8(stage as u8);
        }
    }

    /// Whether the values behind the digests are kept from now on.
    pub fn keep(&mut self, keeps: bool) {
        self.0.iter_mut().for_each(|hasher| hasher.keeps = keeps);
    }

    /// The bytes that the stage's digest of the last cycle covers, after the stage's number; empty if they were not kept.
    pub fn values(&self, stage: Stage) -> &[u8] {
        &self.0[stage as usize].values
    }

    /// The hasher of a stage.
    pub fn of(&mut self, stage: Stage) -> &mut StageHasher {
        &mut self.0[stage as usize]
    }

    /// Adds a value to a stage's digest.
    pub fn add(&mut self, stage: Stage, value: &(impl Canonical + ?Sized)) {
        value.canonical(self.of(stage));
    }

    /// The digests.
    pub fn finish(&mut self) -> [Digest; Stage::COUNT] {
        let mut out = [Digest::ZERO; Stage::COUNT];
        for (digest, hasher) in out.iter_mut().zip(&mut self.0) {
            *digest = hasher.digester.finish();
        }
        out
    }
}
