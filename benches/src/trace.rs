//! Every stage's input and output of some cycles, made by the stages themselves and checked against the engine.

use crate::recording::{CALIBRATE_AT, Recording};
use crate::steady;
use crate::witnessing::StageHasher;
use std::ops::Range;
use wavewitness_cir::gate;
use wavewitness_engine::{EngineConfig, breath, locating};
use wavewitness_ingest::Outcome;
use wavewitness_links::{LinkRecord, Resolution};
use wavewitness_tomography::{Abstention, LinkEvidence, Reconstruction};
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::{
    AlignedFrame, Baseline, Breathing, CalibratedFrame, CalibrationState, Canonical, CirEstimate, Command,
    CsiFrame, CycleIndex, Detection, FusedFrame, Gate, GateDecision, Geometry, Link, LinkId, LinkObservation,
    NoBreathing, NodeHealth, PersonTrack, Presence, Timestamp, ToneGrid, Transmitter, VoxelImage,
};
use wavewitness_world::{Graph, Input, LinkInput, Verdict};
use {
    wavewitness_calibration as calibration, wavewitness_cir as cir, wavewitness_fusion as fusion,
    wavewitness_ingest as ingest, wavewitness_links as links, wavewitness_motion as motion,
    wavewitness_phase_align as phase_align, wavewitness_pose as pose, wavewitness_posture as posture,
    wavewitness_tomography as tomography, wavewitness_world as world,
};

/// The engine counts a cycle as imaged for this long after an image.
const IMAGES_HOLD_NS: u64 = 1_000_000_000;

/// Every stage, planned.
pub struct Plans {
    geometry: Geometry,
    /// Datagrams to frames.
    pub ingest: ingest::Plan,
    /// Frames to links.
    pub links: links::Plan,
    /// Gain and baselines.
    pub calibration: calibration::Plan,
    /// Motion of each link.
    pub motion: motion::Plan,
    /// Breathing.
    pub breath: breath::Plan,
    /// Common phase and slope.
    pub phase_align: phase_align::Plan,
    /// All links on one grid.
    pub fusion: fusion::Plan,
    /// Impulse responses, by grid.
    pub cir: Vec<cir::Plan>,
    /// Coherence gate.
    pub gate: gate::Plan,
    /// Images.
    pub tomography: tomography::Plan,
    /// Places by strength.
    pub locating: Option<locating::Plan>,
    /// Tracks.
    pub pose: pose::Plan,
    /// Postures and falls.
    pub posture: posture::Plan,
    /// Presence, count, quality.
    pub world: world::Plan,
}

/// What every stage remembers.
#[derive(Clone)]
pub struct States {
    /// See [`Plans`].
    pub ingest: ingest::State,
    /// See [`Plans`].
    pub links: links::State,
    /// See [`Plans`].
    pub calibration: calibration::State,
    /// See [`Plans`].
    pub motion: motion::State,
    /// See [`Plans`].
    pub breath: breath::State,
    /// See [`Plans`].
    pub phase_align: phase_align::State,
    /// See [`Plans`].
    pub fusion: fusion::State,
    /// See [`Plans`].
    pub cir: Vec<cir::Scratch>,
    /// See [`Plans`].
    pub gate: gate::State,
    /// See [`Plans`].
    pub tomography: tomography::State,
    /// See [`Plans`].
    pub locating: Option<locating::State>,
    /// See [`Plans`].
    pub pose: pose::State,
    /// See [`Plans`].
    pub posture: posture::State,
    /// See [`Plans`].
    pub world: world::State,
}

/// An image that outlives its stage's state.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its voxels.
    pub image: VoxelImage,
    links: u16,
    paths: u16,
    iterations: u16,
    converged: bool,
    step: f64,
    lambda: f64,
}

impl From<Reconstruction<'_>> for Image {
    fn from(r: Reconstruction<'_>) -> Image {
        let Reconstruction { image, links, paths, iterations, converged, step, lambda } = r;
        Image { image: image.clone(), links, paths, iterations, converged, step, lambda }
    }
}

impl Image {
    fn as_reconstruction(&self) -> Reconstruction<'_> {
        let &Image { ref image, links, paths, iterations, converged, step, lambda } = self;
        Reconstruction { image, links, paths, iterations, converged, step, lambda }
    }
}

/// [`tomography::Outcome`] that outlives its stage's state.
#[derive(Clone, Debug)]
pub enum Imaging {
    /// No image.
    Abstained(Abstention),
    /// Motion, and shadowing where there is evidence.
    Imaged(Box<Image>, Option<Box<Image>>),
}

impl Imaging {
    /// As the stage gave it.
    pub fn as_outcome(&self) -> tomography::Outcome<'_> {
        match self {
            Imaging::Abstained(reason) => tomography::Outcome::Abstained(*reason),
            Imaging::Imaged(motion, shadowing) => tomography::Outcome::Imaged {
                motion: motion.as_reconstruction(),
                shadowing: shadowing.as_ref().map(|s| s.as_reconstruction()),
            },
        }
    }
}

/// One cycle: what each stage took and gave.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The cycle's end.
    pub at: Timestamp,
    /// Its number.
    pub index: CycleIndex,
    /// Of each datagram.
    pub outcomes: Vec<Outcome>,
    /// Links' records at the cycle's end.
    pub records: Vec<LinkRecord>,
    /// Gain-normalised frames.
    pub calibrated: Vec<CalibratedFrame>,
    /// Aligned frames.
    pub aligned: Vec<AlignedFrame>,
    /// The links' observations.
    pub observations: Vec<LinkObservation>,
    /// Condition of each link's baseline.
    pub conditions: Vec<CalibrationState>,
    /// The fused frame.
    pub fused: FusedFrame,
    /// What each link's motion detector says.
    pub motions: Vec<motion::LinkMotion>,
    /// What a link that was looked at says of breathing.
    pub breath: Option<breath::Finding>,
    /// Of each observation.
    pub cirs: Vec<CirEstimate>,
    /// By link id, of every link found and of every link heard.
    pub gates: Vec<Option<GateDecision>>,
    /// What the gate's decision about each observation rests on.
    pub gate_evidence: Vec<gate::Evidence>,
    /// What tomography took.
    pub evidence: Vec<LinkEvidence>,
    /// What tomography gave.
    pub imaging: Imaging,
    /// Canonical bytes of the other way of tomography after the cycle.
    pub strength: Option<Vec<u8>>,
    /// Detections of the way that answers.
    pub detections: Vec<Detection>,
    /// The gate that the tracker went by, and its noise inflation.
    pub room_gate: (Gate, f64),
    /// Tracks after the cycle.
    pub tracks: Vec<PersonTrack>,
    /// What the tracker did.
    pub summary: pose::Summary,
    /// Postures and falls.
    pub postures: posture::Verdict,
    /// Nodes' health.
    pub nodes: Vec<NodeHealth>,
    /// What the world stage took of each link.
    pub link_inputs: Vec<LinkInput>,
    counts: Counts,
    /// What it gave.
    pub verdict: Verdict,
    /// Its graph after the cycle.
    pub graph: Graph,
    /// Canonical bytes that the engine published of this cycle.
    pub published: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    frames: u32,
    rejected: u32,
    unassigned: u32,
    last_frame: Option<Timestamp>,
    tomography_active: bool,
    geometry_known: bool,
}

impl Trace {
    /// The frames among the outcomes.
    pub fn frames(&self) -> impl Iterator<Item = &CsiFrame> {
        self.outcomes.iter().filter_map(|o| match o {
            Outcome::Csi(frame) => Some(frame),
            Outcome::Other(_) | Outcome::Rejected(..) => None,
        })
    }

    /// What the world stage takes.
    pub fn world_input(&self) -> Input<'_> {
        let Counts { frames, rejected, unassigned, last_frame, tomography_active, geometry_known } =
            self.counts;
        Input {
            at: self.at,
            links: &self.link_inputs,
            nodes: &self.nodes,
            tracks: &self.tracks,
            // The follower is off in a trace.
            numbers: None,
            tomography_active,
            geometry_known,
            fused_motion: self.fused.fused_motion,
            cross_coherence: self.fused.cross_coherence,
            frames,
            rejected,
            unassigned,
            last_frame,
        }
    }
}

/// A window of cycles, with the stages as they were before the first.
pub struct Traced {
    /// Every stage.
    pub plans: Plans,
    /// What each remembered before the window's first cycle.
    pub states: States,
    /// Links found before the window, by id.
    pub links: Vec<Link>,
    /// Baselines before the window, by link id.
    pub baselines: Vec<Option<Baseline>>,
    /// The window.
    pub cycles: Vec<Trace>,
}

impl Traced {
    /// Runs the stages and an engine over a recording up to the window's end, and keeps the window. Without the follower of
    /// walkers: whole cycles and `proof-runner profile` time it.
    ///
    /// # Panics
    /// If the configuration is refused, or any stage's digest of any cycle differs from the engine's.
    pub fn record(recording: &Recording, window: Range<usize>) -> Traced {
        let mut recording = recording.clone();
        recording.config.localise.enabled = false;
        let recording = &recording;
        let mut engine = steady::engine(recording);
        let mut runner = Runner::new(&recording.config);
        let mut hasher = StageHasher::default();
        let (mut before, mut cycles) = (None, Vec::new());
        for (k, cycle) in recording.cycles.iter().enumerate().take(window.end) {
            if k == window.start {
                let baselines = runner.states.calibration.baselines().to_vec();
                before = Some((runner.states.clone(), runner.links.clone(), baselines));
            }
            steady::feed(&mut engine, recording, k);
            let report = engine.tick(cycle.at, cycle.index);
            if recording.calibrate && k == CALIBRATE_AT {
                let Runner { plans, states, .. } = &mut runner;
                plans.calibration.command(Command::StartCalibration, cycle.at, &mut states.calibration);
                plans.motion.learn(&mut states.motion);
            }
            let mut datagrams: Vec<_> = cycle.datagrams.iter().collect();
            datagrams.sort_by(|a, b| (a.at, a.from, &a.bytes).cmp(&(b.at, b.from, &b.bytes)));
            let inputs = datagrams.iter().map(|d| (d.at, d.from, d.bytes.as_slice()));
            let mut trace = runner.cycle(cycle.at, cycle.index, inputs);
            assert_eq!(hasher.stages(&trace), report.witness.stages, "cycle {k} is not the engine's");
            if window.contains(&k) {
                trace.published.clone_from(&report.published);
                cycles.push(trace);
            }
        }
        let (states, links, baselines) = before.unwrap_or_else(|| panic!("no cycle {}", window.start));
        Traced { plans: runner.plans, states, links, baselines, cycles }
    }
}

struct Runner {
    plans: Plans,
    states: States,
    links: Vec<Link>,
    imaged: Option<Timestamp>,
    counts: Counts,
    rejected_at: Vec<Option<Timestamp>>,
    placed: Option<Timestamp>,
    presence: Presence,
}

impl Runner {
    fn new(config: &EngineConfig) -> Runner {
        let plans = Plans::new(config);
        let states = States::new(&plans);
        let g = &config.geometry;
        let places = g.nodes.iter().filter(|n| n.position_m.is_some()).count()
            + g.access_points.iter().filter(|a| a.position_m.is_some()).count();
        let counts = Counts { geometry_known: g.room.is_some() && places >= 2, ..Counts::default() };
        Runner {
            plans,
            states,
            links: Vec::new(),
            imaged: None,
            counts,
            rejected_at: vec![None; MAX_LINKS],
            placed: None,
            presence: BLANK.presence,
        }
    }

    fn cycle<'a>(
        &mut self,
        at: Timestamp,
        index: CycleIndex,
        datagrams: impl Iterator<Item = (Timestamp, wavewitness_types::Sender, &'a [u8])>,
    ) -> Trace {
        let (outcomes, calibrated, aligned) = self.take_all(datagrams);
        let Runner { plans, states, .. } = self;
        plans.ingest.end_cycle(at, &mut states.ingest);
        plans.links.end_cycle(at, &mut states.links);
        plans.phase_align.end_cycle(at, &mut states.phase_align);
        let records = states.links.links().to_vec();
        let observations = states.phase_align.observations().to_vec();
        observations.iter().for_each(|o| plans.calibration.observe(o, at, &mut states.calibration));
        plans.calibration.end_cycle(at, &mut states.calibration);
        let ids = (0..self.links.len() as u16).map(LinkId);
        let conditions = ids.map(|id| states.calibration.condition(id)).collect();
        let baselines = states.calibration.baselines();
        let mut fused = FusedFrame::empty();
        plans.fusion.run(&observations, &self.links, baselines, at, &mut states.fusion, &mut fused);
        let mut motions = Vec::new();
        plans.motion.end_cycle(at, self.links.len(), &mut states.motion, &mut motions);
        let moving = motions.iter().enumerate().filter(|(_, m)| m.moving);
        moving.for_each(|(k, _)| states.breath.disturb(LinkId(k as u16), at));
        let is_there = |k: usize| records.get(k).is_some_and(|r| r.retired.is_none());
        let breath = plans.breath.end_cycle(at, is_there, &mut states.breath);
        let (cirs, gates, gate_evidence) = self.estimate_and_gate(&observations);
        self.note_rejected(at, &gates);
        let (evidence, imaging, mut detections) = self.image(at, &observations, &motions, &gates);
        self.place(at, &observations, &mut detections);
        let room_gate = room_gate(&gates);
        let Runner { plans, states, .. } = self;
        let summary = plans.pose.run(at, &detections, room_gate.0, room_gate.1, &mut states.pose);
        let tracks = states.pose.tracks().to_vec();
        let postures = plans.posture.end_cycle(at, states.pose.only_person(), &mut states.posture);
        let mut nodes = Vec::new();
        states.ingest.health(&mut nodes);
        self.counts.tomography_active =
            self.imaged.is_some_and(|then| at.nanos_since(then) <= IMAGES_HOLD_NS);
        let link_inputs = self.link_inputs(&observations, &fused, &motions, &gates);
        let mut trace = Trace {
            at,
            index,
            outcomes,
            records,
            calibrated,
            aligned,
            observations,
            conditions,
            fused,
            motions,
            breath,
            cirs,
            gates,
            gate_evidence,
            evidence,
            imaging,
            strength: self.states.locating.as_ref().map(Canonical::to_canonical_bytes),
            detections,
            room_gate,
            tracks,
            summary,
            postures,
            nodes,
            link_inputs,
            counts: self.counts,
            // Replaced at once, by what the stage makes of the rest.
            verdict: BLANK,
            graph: self.states.world.graph().clone(),
            published: Vec::new(),
        };
        trace.verdict = self.plans.world.run(&trace.world_input(), &mut self.states.world);
        trace.graph = self.states.world.graph().clone();
        self.presence = trace.verdict.presence;
        trace
    }

    /// Datagrams into what ingest, calibration and phase alignment make of them.
    fn take_all<'a>(
        &mut self,
        datagrams: impl Iterator<Item = (Timestamp, wavewitness_types::Sender, &'a [u8])>,
    ) -> (Vec<Outcome>, Vec<CalibratedFrame>, Vec<AlignedFrame>) {
        (self.counts.frames, self.counts.rejected, self.counts.unassigned) = (0, 0, 0);
        let (mut outcomes, mut calibrated, mut aligned) = (Vec::new(), Vec::new(), Vec::new());
        for (arrived, from, bytes) in datagrams {
            let outcome = self.plans.ingest.run(arrived, from, bytes, &mut self.states.ingest);
            match &outcome {
                Outcome::Csi(frame) => self.take(frame, &mut calibrated, &mut aligned),
                Outcome::Other(_) => {}
                Outcome::Rejected(..) => self.counts.rejected += 1,
            }
            outcomes.push(outcome);
        }
        (outcomes, calibrated, aligned)
    }

    fn note_rejected(&mut self, at: Timestamp, gates: &[Option<GateDecision>]) {
        for (gate, rejected) in gates.iter().zip(&mut self.rejected_at) {
            if gate.is_some_and(|g| matches!(g.gate, Gate::Reject | Gate::Recalibrate)) {
                *rejected = Some(at);
            }
        }
    }

    fn take(
        &mut self,
        frame: &CsiFrame,
        calibrated: &mut Vec<CalibratedFrame>,
        aligned: &mut Vec<AlignedFrame>,
    ) {
        let Runner { plans, states, links, counts, .. } = self;
        counts.frames += 1;
        counts.last_frame = Some(frame.at);
        let Resolution::Link { id, .. } = plans.links.resolve(frame, &mut states.links) else {
            counts.unassigned += 1;
            return;
        };
        while links.len() <= id.index() {
            let met = LinkId(links.len() as u16);
            let link = states.links.links()[met.index()].link;
            links.push(link);
            plans.calibration.bind(met, link, &mut states.calibration);
            plans.posture.meet(link, &mut states.posture);
            let tx = match link.tx() {
                Transmitter::Node(node) => plans.geometry.node_position(node),
                Transmitter::Station(mac) => plans.geometry.access_point_position(mac),
                Transmitter::Ambient(_) => None,
            };
            if let (Some(tx), Some(rx)) = (tx, plans.geometry.node_position(link.rx())) {
                plans.tomography.add_link(met, tx, rx, &mut states.tomography);
            }
        }
        let Some(normalised) = plans.calibration.normalise(frame.clone(), id) else { return };
        calibrated.push(normalised.clone());
        plans.motion.frame(&normalised, &mut states.motion);
        plans.breath.frame(&normalised, &mut states.breath);
        let baseline = states.calibration.baselines()[id.index()].as_ref();
        let frame = plans.phase_align.align(normalised, baseline, &mut states.phase_align);
        plans.posture.frame(&frame, baseline, &mut states.posture);
        aligned.push(frame);
    }

    fn estimate_and_gate(
        &mut self,
        observations: &[LinkObservation],
    ) -> (Vec<CirEstimate>, Vec<Option<GateDecision>>, Vec<gate::Evidence>) {
        let Runner { plans, states, links, .. } = self;
        let mut cirs = Vec::new();
        let mut evidence = Vec::new();
        let mut gates = vec![None; MAX_LINKS];
        for observation in observations {
            let (grid, link) = (observation.mean.grid() as usize, observation.link.index());
            let (plan, scratch) = (&plans.cir[grid], &mut states.cir[grid]);
            let estimate = plan.estimate(observation, scratch);
            let baseline = states.calibration.baselines()[link].as_ref();
            let response = Some(gate::Response { estimate: &estimate, plan, scratch });
            let judged = plans.gate.run(observation, baseline, response, &mut states.gate);
            gates[link] = Some(judged.decision);
            evidence.push(judged.evidence);
            cirs.push(estimate);
        }
        for (link, gate) in gates.iter_mut().enumerate().take(links.len()) {
            gate.get_or_insert_with(|| plans.gate.silent(LinkId(link as u16), &mut states.gate));
        }
        (cirs, gates, evidence)
    }

    fn image(
        &mut self,
        at: Timestamp,
        observations: &[LinkObservation],
        motions: &[motion::LinkMotion],
        gates: &[Option<GateDecision>],
    ) -> (Vec<LinkEvidence>, Imaging, Vec<Detection>) {
        let baselines = self.states.calibration.baselines();
        let rejected_at = &self.rejected_at;
        let of = |o: &LinkObservation| {
            if !is_trusted(rejected_at, o.link, at) {
                return None;
            }
            let inflation = gates[o.link.index()].map_or(1.0, |g| g.noise_inflation);
            let machine = motions.get(o.link.index()).is_some_and(|m| m.machine_z.is_some() && !m.moving);
            let mut evidence = evidence_of(o, baselines[o.link.index()].as_ref()?, inflation)?;
            evidence.motion = evidence.motion.filter(|_| !machine);
            Some(evidence)
        };
        let evidence: Vec<_> = observations.iter().filter_map(of).collect();
        let mut detections = Vec::new();
        let imaging = match self.plans.tomography.run(&evidence, &mut self.states.tomography, &mut detections)
        {
            tomography::Outcome::Abstained(reason) => Imaging::Abstained(reason),
            tomography::Outcome::Imaged { motion, shadowing } => {
                self.imaged = Some(at);
                Imaging::Imaged(Box::new(motion.into()), shadowing.map(|s| Box::new(s.into())))
            }
        };
        (evidence, imaging, detections)
    }

    fn place(&mut self, at: Timestamp, observations: &[LinkObservation], detections: &mut Vec<Detection>) {
        let dt_s = self.placed.map_or(0.0, |then| at.seconds_since(then));
        self.placed = Some(at);
        let Runner { plans, states, links, rejected_at, presence, .. } = self;
        let room = locating::Room {
            learning: states.calibration.learns_empty_room(),
            baselines: states.calibration.version(),
            presence: *presence,
        };
        if let (Some(plan), Some(state)) = (&plans.locating, &mut states.locating) {
            let trusted = observations.iter().filter(|o| is_trusted(rejected_at, o.link, at));
            let mut located = Vec::new();
            if plan.run(dt_s, links, trusted, room, state, &mut located) {
                *detections = located;
            }
        }
    }

    fn link_inputs(
        &self,
        observations: &[LinkObservation],
        fused: &FusedFrame,
        motions: &[motion::LinkMotion],
        gates: &[Option<GateDecision>],
    ) -> Vec<LinkInput> {
        let mut out = Vec::new();
        for (id, ends) in self.links.iter().enumerate() {
            if self.states.links.links()[id].retired.is_some() {
                continue;
            }
            let link = LinkId(id as u16);
            let observation = observations.iter().find(|o| o.link == link);
            let baseline = self.states.calibration.baselines()[id].as_ref();
            let both = observation.zip(baseline);
            out.push(LinkInput {
                link,
                ends: *ends,
                heard: observation.is_some(),
                attention: fused.attention[id],
                change_z: match motions[id].condition {
                    motion::Condition::Ready => motions[id].z,
                    _ => both.and_then(|(o, b)| Some(b.quiet_change.z(f64::from(o.change?)) as f32)),
                },
                drift_z: both.map(|(o, b)| calibration::departure_z(b, o) as f32),
                gate: gates[id].map_or(Gate::PredictOnly, |g| g.gate),
                calibration: self.states.calibration.condition(link),
                breathing: self.states.breath.reading(link),
            });
        }
        out
    }
}

const BLANK: Verdict = Verdict {
    presence: Presence::Unknown(wavewitness_types::UnknownReason::NoData),
    motion: None,
    count: wavewitness_types::Count::Unknown(wavewitness_types::UnknownReason::NoData),
    gate: Gate::Reject,
    quality: wavewitness_types::Quality {
        score: 0.0,
        frames: 0,
        rejected: 0,
        unassigned: 0,
        links_heard: 0,
        links_known: 0,
    },
    breathing: Breathing::Unknown(NoBreathing::NoData),
};

/// True unless the link's gate rejects it or did so in the last three seconds.
fn is_trusted(rejected_at: &[Option<Timestamp>], link: LinkId, at: Timestamp) -> bool {
    rejected_at[link.index()].is_none_or(|then| at.nanos_since(then) > 3_000_000_000)
}

fn evidence_of(o: &LinkObservation, baseline: &Baseline, inflation: f32) -> Option<LinkEvidence> {
    let motion = o.change.map(|change| {
        let excess = baseline.quiet_change.z(f64::from(change)) as f32 * baseline.quiet_change.ln_sd;
        if excess > 0.0 { excess } else { 0.0 }
    });
    Some(LinkEvidence {
        link: o.link,
        motion,
        motion_sigma: baseline.quiet_change.ln_sd * inflation,
        shadowing_db: baseline.rssi_dbm.zip(o.rssi_dbm).map(|(empty, now)| empty - now),
        shadowing_sigma_db: baseline.rssi_sd_db.unwrap_or(0.0) * inflation,
    })
}

/// The best gate of the links, and the least inflation among its links.
fn room_gate(gates: &[Option<GateDecision>]) -> (Gate, f64) {
    let mut best: Option<(Gate, f64)> = None;
    for decision in gates.iter().flatten() {
        let candidate = (decision.gate, f64::from(decision.noise_inflation));
        if best.is_none_or(|b| candidate.0 < b.0 || (candidate.0 == b.0 && candidate.1 < b.1)) {
            best = Some(candidate);
        }
    }
    best.unwrap_or((Gate::Reject, 1.0))
}

impl Plans {
    /// # Panics
    /// If the configuration is refused.
    pub fn new(config: &EngineConfig) -> Plans {
        Plans::try_new(config).unwrap_or_else(|e| panic!("{e}"))
    }

    fn try_new(config: &EngineConfig) -> Result<Plans, wavewitness_types::ConfigError> {
        let grids = ToneGrid::ALL.into_iter();
        Ok(Plans {
            geometry: config.geometry.clone(),
            ingest: ingest::Plan::new(&config.ingest)?,
            links: links::Plan::new(&config.links, &config.geometry, &config.cycle)?,
            calibration: calibration::Plan::new(&config.calibration)?,
            motion: motion::Plan::new(&config.motion)?,
            breath: breath::Plan::new(&config.breathing)?,
            phase_align: phase_align::Plan::new(&config.phase_align)?,
            fusion: fusion::Plan::new(&config.fusion)?,
            cir: grids.map(|grid| cir::Plan::new(&config.cir, grid)).collect::<Result<_, _>>()?,
            gate: gate::Plan::new(&config.gate)?,
            tomography: tomography::Plan::new(&config.tomography, config.geometry.room)?,
            locating: locating::Plan::new(&config.strength, &config.locate, &config.geometry)?,
            pose: pose::Plan::new(&config.pose, config.geometry.room)?,
            posture: posture::Plan::new(&config.posture)?,
            world: world::Plan::new(&config.world, &config.geometry)?,
        })
    }
}

impl States {
    /// Nothing known yet.
    pub fn new(plans: &Plans) -> States {
        States {
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
            pose: pose::State::new(&plans.pose),
            posture: posture::State::new(),
            world: world::State::new(&plans.world),
        }
    }
}
