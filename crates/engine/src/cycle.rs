//! The state machine: events in, one report a cycle out.

use crate::assemble;
use crate::config::EngineConfig;
use crate::locating;
use crate::stages::{Plans, StageHashers, States};
use core::cmp::Ordering;
use std::collections::BTreeMap;
use wavewitness_cir::gate::{Judgement, Response};
use wavewitness_ingest::{Outcome, Reject};
use wavewitness_links::Resolution;
use wavewitness_motion::LinkMotion;
use wavewitness_posture::Verdict;
use wavewitness_tomography::{self as tomography, LinkEvidence};
use wavewitness_types::limits::{MAX_CYCLE_DATAGRAMS, MAX_DATAGRAM_BYTES, MAX_LINKS, MAX_NODES, MAX_PEOPLE};
use wavewitness_types::{
    BootRecord, Breathing, Canonical, CirEstimate, Command, ConfigError, CsiFrame, CycleIndex, Detection,
    Event, FallWatch, Followed, FusedFrame, Gate, GateDecision, Link, LinkId, LinkObservation, LinkStatus,
    NoBreathing, PoseFrame, Presence, Quality, Sender, Sink, Source, Timestamp, Transmitter, UnknownReason,
    VoxelImage,
};
use wavewitness_witness::{
    Chain, Digest, Digester, EntryKind, InputHasher, Stage, Witness, canonical_order, context,
};
use wavewitness_world::LinkInput;

/// One cycle's result.
#[derive(Clone, Debug)]
pub struct CycleReport {
    /// What is published.
    pub frame: PoseFrame,
    /// Its canonical bytes, which the witness's output digest covers.
    pub published: Vec<u8>,
    /// The witness.
    pub witness: Witness,
}

#[derive(Clone, Copy)]
struct Arrival {
    at: Timestamp,
    from: Sender,
    start: u32,
    length: u32,
}

/// What one cycle works on; emptied and used again.
pub(crate) struct Work {
    arrivals: Vec<Arrival>,
    bytes: Vec<u8>,
    commands: Vec<(Timestamp, Command)>,
    pub links: Vec<Link>,
    pub fused: FusedFrame,
    pub cirs: Vec<Option<CirEstimate>>,
    pub gates: Vec<Option<GateDecision>>,
    pub evidence: Vec<LinkEvidence>,
    pub detections: Vec<Detection>,
    /// Those that strength gives.
    pub located: Vec<Detection>,
    /// Those whom Doppler spectra follow.
    pub followed: Vec<Followed>,
    pub link_inputs: Vec<LinkInput>,
    /// What each link's motion detector says, by link.
    pub motions: Vec<LinkMotion>,
    pub frames: u32,
    pub rejected: u32,
    pub unassigned: u32,
    /// When each link's gate last rejected it, since the boot.
    pub rejected_at: Vec<Option<Timestamp>>,
    /// When the last image was made, since the boot.
    pub imaged: Option<Timestamp>,
    /// When strengths were last looked at, since the boot.
    pub placed: Option<Timestamp>,
    /// Error of a position that does not average out, in metres: of the last image.
    pub model_error_m: f64,
    /// Postures and falls.
    pub verdict: Verdict,
    /// When the last frame arrived, since the boot.
    pub last_frame: Option<Timestamp>,
}

impl Work {
    fn new() -> Work {
        Work {
            arrivals: Vec::with_capacity(MAX_CYCLE_DATAGRAMS),
            bytes: Vec::with_capacity(MAX_CYCLE_DATAGRAMS * MAX_DATAGRAM_BYTES),
            commands: Vec::with_capacity(MAX_COMMANDS),
            links: Vec::with_capacity(MAX_LINKS),
            fused: FusedFrame::empty(),
            cirs: vec![None; MAX_LINKS],
            gates: vec![None; MAX_LINKS],
            evidence: Vec::with_capacity(MAX_LINKS),
            detections: Vec::with_capacity(64),
            located: Vec::with_capacity(64),
            followed: Vec::with_capacity(MAX_PEOPLE),
            link_inputs: Vec::with_capacity(MAX_LINKS),
            motions: Vec::with_capacity(MAX_LINKS),
            frames: 0,
            rejected: 0,
            unassigned: 0,
            rejected_at: vec![None; MAX_LINKS],
            imaged: None,
            placed: None,
            model_error_m: 0.0,
            verdict: Verdict::NOTHING,
            last_frame: None,
        }
    }

    fn begin(&mut self) {
        self.cirs.fill(None);
        self.gates.fill(None);
        self.evidence.clear();
        self.detections.clear();
        self.link_inputs.clear();
        self.motions.clear();
        (self.frames, self.rejected, self.unassigned) = (0, 0, 0);
    }

    fn end(&mut self) {
        self.arrivals.clear();
        self.bytes.clear();
        self.commands.clear();
    }
}

/// What a link compares itself with holds what it heard while it was rejected, for about this long.
const REJECTION_LASTS_NS: u64 = 3_000_000_000;
/// Commands that one cycle takes.
const MAX_COMMANDS: usize = 16;

/// The engine.
pub struct Engine {
    config: EngineConfig,
    source: Source,
    plans: Plans,
    states: States,
    hashers: StageHashers,
    inputs: InputHasher,
    output: Digester,
    chain: Chain,
    work: Work,
    report: CycleReport,
}

impl Engine {
    /// An engine on a chain. It takes cycles after [`Engine::boot`].
    ///
    /// # Errors
    /// If a configuration value can't be used.
    pub fn new(config: &EngineConfig, source: Source, chain: Chain) -> Result<Engine, ConfigError> {
        let plans = Plans::new(config)?;
        let states = States::new(&plans, CycleIndex(0), &[]);
        Ok(Engine {
            config: config.clone(),
            source,
            plans,
            states,
            hashers: StageHashers::new(),
            inputs: InputHasher::default(),
            output: Digester::new(context::OUTPUT),
            chain,
            work: Work::new(),
            report: blank_report(source),
        })
    }

    /// The hub (re)started: every state begins anew, with the baselines that the record carries.
    pub fn boot(&mut self, at: Timestamp, record: &BootRecord) -> Witness {
        self.states = States::new(&self.plans, record.next_cycle, &record.baselines);
        self.work.end();
        self.work.links.clear();
        self.work.rejected_at.fill(None);
        (self.work.imaged, self.work.placed, self.work.last_frame) = (None, None, None);
        self.report.frame.presence = Presence::Unknown(UnknownReason::NoData);
        let inputs = self.inputs.entry(&Event::Boot { at, record: record.clone() });
        self.entry(EntryKind::Boot, record.next_cycle, at, inputs)
    }

    /// The hub stops in order.
    pub fn stop(&mut self, at: Timestamp) -> Witness {
        let inputs = self.inputs.entry(&Event::Stop { at });
        let last = self.chain.last_cycle().unwrap_or_default();
        self.entry(EntryKind::Stop, last, at, inputs)
    }

    /// What the next entry says: whoever is fed by a simulator is simulated, whatever the operator declared, and a
    /// chain that was simulated once stays so.
    fn source(&self) -> Source {
        if self.states.ingest.simulated() || self.chain.last_source() == Some(Source::Simulated) {
            Source::Simulated
        } else {
            self.source
        }
    }

    fn entry(&mut self, kind: EntryKind, cycle: CycleIndex, at: Timestamp, inputs: Digest) -> Witness {
        self.chain.extend(Witness {
            kind,
            cycle,
            at,
            source: self.source(),
            inputs,
            stages: [Digest::ZERO; Stage::COUNT],
            output: Digest::ZERO,
            chain: Digest::ZERO,
        })
    }

    /// Takes a datagram into the running cycle. False if it was left out because the cycle is full or the datagram is
    /// longer than any that is accepted: it must then not be journalled either.
    pub fn datagram(&mut self, at: Timestamp, from: Sender, bytes: &[u8]) -> bool {
        let work = &mut self.work;
        if work.arrivals.len() == MAX_CYCLE_DATAGRAMS || bytes.len() > MAX_DATAGRAM_BYTES {
            return false;
        }
        // Both fit: the arena's capacity is 4 MiB.
        let (start, length) = (work.bytes.len() as u32, bytes.len() as u32);
        work.arrivals.push(Arrival { at, from, start, length });
        work.bytes.extend_from_slice(bytes);
        true
    }

    /// Takes a command into the running cycle. False if it was left out because there are too many.
    pub fn command(&mut self, at: Timestamp, command: Command) -> bool {
        let room = self.work.commands.len() < MAX_COMMANDS;
        if room {
            self.work.commands.push((at, command));
        }
        room
    }

    /// Ends the cycle: computes every stage and the witness.
    pub fn tick(&mut self, at: Timestamp, cycle: CycleIndex) -> &CycleReport {
        self.tick_observed(at, cycle, |_| {})
    }

    /// As [`Engine::tick`]; `observe` is called after each stage's work, so that the shell can time it.
    pub fn tick_observed(
        &mut self,
        at: Timestamp,
        cycle: CycleIndex,
        mut observe: impl FnMut(Stage),
    ) -> &CycleReport {
        self.work.begin();
        self.hashers.begin();
        let inputs = self.hash_inputs(at, cycle);
        self.take_commands(at);
        self.take_frames(at);
        observe(Stage::PhaseAlign);
        self.calibrate(at);
        observe(Stage::Calibration);
        self.fuse(at);
        observe(Stage::Fusion);
        self.estimate_and_gate();
        observe(Stage::Gate);
        self.locate(at);
        observe(Stage::Pose);
        self.conclude(at, cycle);
        observe(Stage::World);
        self.witness(at, cycle, inputs);
        self.work.end();
        &self.report
    }

    /// Puts the cycle's inputs into canonical order and hashes them.
    fn hash_inputs(&mut self, at: Timestamp, cycle: CycleIndex) -> Digest {
        let Work { arrivals, bytes, commands, .. } = &mut self.work;
        arrivals.sort_unstable_by(|a, b| {
            canonical_order((a.at, a.from, payload(bytes, a)), (b.at, b.from, payload(bytes, b)))
        });
        commands.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| command_order(a.1, b.1)));
        for (at, command) in commands.iter() {
            self.inputs.command(*at, *command);
        }
        for arrival in arrivals.iter() {
            self.inputs.datagram(arrival.at, arrival.from, payload(bytes, arrival));
        }
        self.inputs.tick(at, cycle)
    }

    fn take_commands(&mut self, at: Timestamp) {
        for (_, command) in &self.work.commands {
            self.plans.calibration.command(*command, at, &mut self.states.calibration);
            match command {
                Command::StartCalibration => self.plans.motion.learn(&mut self.states.motion),
                Command::ClearCalibration => {
                    if let Some(locating) = &mut self.states.locating {
                        locating.clear();
                    }
                }
                Command::CancelCalibration => {}
            }
        }
    }

    /// Every datagram through ingest, link, gain and phase, into its link's observation.
    fn take_frames(&mut self, at: Timestamp) {
        for k in 0..self.work.arrivals.len() {
            let arrival = self.work.arrivals[k];
            let bytes = payload(&self.work.bytes, &arrival);
            let outcome = self.plans.ingest.run(arrival.at, arrival.from, bytes, &mut self.states.ingest);
            let hasher = self.hashers.of(Stage::Ingest);
            match outcome {
                Outcome::Csi(frame) => {
                    hasher.u8(0);
                    frame.canonical(hasher);
                    self.work.frames += 1;
                    self.work.last_frame = Some(frame.at);
                    self.take_frame(frame);
                }
                Outcome::Other(kind) => {
                    hasher.u8(1);
                    kind.canonical(hasher);
                }
                Outcome::Rejected(reason, _) => {
                    hasher.u8(2);
                    hasher.u8(reason.index() as u8);
                    self.work.rejected += 1;
                }
            }
        }
        self.plans.ingest.end_cycle(at, &mut self.states.ingest);
        self.plans.links.end_cycle(at, &mut self.states.links);
        self.plans.phase_align.end_cycle(at, &mut self.states.phase_align);
        self.hashers.add(Stage::Links, self.states.links.links());
        self.hashers.add(Stage::PhaseAlign, self.states.phase_align.observations());
    }

    fn take_frame(&mut self, frame: CsiFrame) {
        let id = match self.plans.links.resolve(&frame, &mut self.states.links) {
            Resolution::Link { id, .. } => id,
            Resolution::Unassigned(_) => {
                self.work.unassigned += 1;
                return;
            }
        };
        // Several links may be found at once, and be heard in another order than that of their ids.
        while self.work.links.len() <= id.index() {
            self.meet(LinkId(self.work.links.len() as u16));
        }
        let Some(calibrated) = self.plans.calibration.normalise(frame, id) else { return };
        self.hashers.add(Stage::Calibration, &calibrated);
        self.plans.motion.frame(&calibrated, &mut self.states.motion);
        self.plans.breath.frame(&calibrated, &mut self.states.breath);
        let baseline = self.states.calibration.baselines()[id.index()].as_ref();
        let aligned = self.plans.phase_align.align(calibrated, baseline, &mut self.states.phase_align);
        self.hashers.add(Stage::PhaseAlign, &aligned);
        self.plans.posture.frame(&aligned, baseline, &mut self.states.posture);
        if let (Some(plan), Some(state)) = (&self.plans.localising, &mut self.states.localising)
            && let Some(baseline) = baseline
            && is_trusted(&self.work.rejected_at, aligned.link, aligned.at)
        {
            plan.hear(&aligned, baseline, state);
        }
    }

    /// A link was found: whoever keeps something by link is told.
    fn meet(&mut self, id: LinkId) {
        let link = self.states.links.links()[id.index()].link;
        self.work.links.push(link);
        self.plans.calibration.bind(id, link, &mut self.states.calibration);
        let geometry = &self.config.geometry;
        let tx = match link.tx() {
            Transmitter::Node(node) => geometry.node_position(node),
            Transmitter::Station(mac) => geometry.access_point_position(mac),
            Transmitter::Ambient(_) => None,
        };
        let ends_m = tx.zip(geometry.node_position(link.rx())).map(|(tx, rx)| [tx, rx]);
        if let Some([tx, rx]) = ends_m {
            self.plans.tomography.add_link(id, tx, rx, &mut self.states.tomography);
        }
        self.plans.posture.meet(link, &mut self.states.posture);
        if let (Some(plan), Some(state)) = (&self.plans.localising, &mut self.states.localising) {
            plan.meet(link, ends_m, state);
        }
    }

    fn calibrate(&mut self, at: Timestamp) {
        for observation in self.states.phase_align.observations() {
            self.plans.calibration.observe(observation, at, &mut self.states.calibration);
        }
        self.plans.calibration.end_cycle(at, &mut self.states.calibration);
        for id in 0..self.work.links.len() {
            let condition = self.states.calibration.condition(LinkId(id as u16));
            self.hashers.add(Stage::Calibration, &condition);
        }
    }

    fn fuse(&mut self, at: Timestamp) {
        self.plans.fusion.run(
            self.states.phase_align.observations(),
            &self.work.links,
            self.states.calibration.baselines(),
            at,
            &mut self.states.fusion,
            &mut self.work.fused,
        );
        self.hashers.add(Stage::Fusion, &self.work.fused);
        let Work { links, motions, .. } = &mut self.work;
        self.plans.motion.end_cycle(at, links.len(), &mut self.states.motion, motions);
        self.hashers.add(Stage::Fusion, self.work.motions.as_slice());
        for (k, motion) in self.work.motions.iter().enumerate() {
            if motion.moving {
                self.states.breath.disturb(LinkId(k as u16), at);
            }
        }
        let records = self.states.links.links();
        let is_there = |k: usize| records.get(k).is_some_and(|r| r.retired.is_none());
        let finding = self.plans.breath.end_cycle(at, is_there, &mut self.states.breath);
        self.hashers.of(Stage::Fusion).option(finding.as_ref(), |s, f| f.canonical(s));
    }

    fn estimate_and_gate(&mut self) {
        for observation in self.states.phase_align.observations() {
            let link = observation.link.index();
            let plan = self.plans.cir_of(observation.mean.grid());
            let scratch = &mut self.states.cir[observation.mean.grid() as usize];
            let estimate = plan.estimate(observation, scratch);
            self.hashers.add(Stage::Cir, &estimate);
            let baseline = self.states.calibration.baselines()[link].as_ref();
            let response = Some(Response { estimate: &estimate, plan, scratch });
            let Judgement { decision, evidence } =
                self.plans.gate.run(observation, baseline, response, &mut self.states.gate);
            self.hashers.add(Stage::Gate, &evidence);
            self.work.cirs[link] = Some(estimate);
            self.work.gates[link] = Some(decision);
        }
        for link in 0..self.work.links.len() {
            let gates = &mut self.work.gates[link];
            let decision = gates
                .get_or_insert_with(|| self.plans.gate.silent(LinkId(link as u16), &mut self.states.gate));
            self.hashers.add(Stage::Gate, decision);
        }
    }

    /// Images, detections, tracks.
    fn locate(&mut self, at: Timestamp) {
        let Work { gates, rejected_at, evidence, motions, .. } = &mut self.work;
        for (gate, rejected) in gates.iter().zip(rejected_at.iter_mut()) {
            if gate.is_some_and(|g| matches!(g.gate, Gate::Reject | Gate::Recalibrate)) {
                *rejected = Some(at);
            }
        }
        let trusted = |link: LinkId| is_trusted(rejected_at, link, at);
        assemble::evidence(
            trusted,
            motions,
            self.states.phase_align.observations(),
            self.states.calibration.baselines(),
            gates,
            evidence,
        );
        let tomography = &self.plans.tomography;
        // Whom the follower answers for needs no image: it is made in the cycles in which the follower has nothing to do.
        let following = self.plans.localising.as_ref().zip(self.states.localising.as_ref());
        let outcome = if following.is_some_and(|(plan, state)| plan.is_busy(at, state)) {
            tomography.leave_out(&mut self.work.detections)
        } else {
            let Work { evidence, detections, .. } = &mut self.work;
            tomography.run(evidence, &mut self.states.tomography, detections)
        };
        if let tomography::Outcome::Imaged { motion, .. } = &outcome {
            self.work.imaged = Some(at);
            self.work.model_error_m = self.plans.tomography.model_error_m(motion.paths).unwrap_or(0.0);
        }
        self.hashers.add(Stage::Tomography, &outcome);
        let is_followed = self.follow(at);
        self.place(at);
        self.hashers.add(Stage::Tomography, self.work.detections.as_slice());
        let summary = if is_followed {
            // However many paths there are: what the follower reads is more than strengths. It has its own model's error in its
            // covariance.
            self.work.model_error_m = 0.0;
            self.plans.pose.follow(at, &self.work.followed, &mut self.states.pose)
        } else {
            let (gate, inflation) = assemble::room_gate(&self.work.gates);
            self.plans.pose.run(at, &self.work.detections, gate, inflation, &mut self.states.pose)
        };
        self.hashers.add(Stage::Pose, self.states.pose.tracks());
        self.hashers.add(Stage::Pose, &summary);
        let person = self.states.pose.only_person();
        self.work.verdict = self.plans.posture.end_cycle(at, person, &mut self.states.posture);
        self.hashers.add(Stage::Pose, &self.work.verdict);
    }

    /// Walkers by their Doppler spectra. True if enough paths tell who is there: then their tracks are the room's.
    fn follow(&mut self, at: Timestamp) -> bool {
        let mut answers = false;
        self.work.followed.clear();
        if let (Some(plan), Some(state)) = (&self.plans.localising, &mut self.states.localising) {
            // Baselines that no longer hold show the room's changes as people.
            let empty = matches!(
                self.report.frame.presence,
                Presence::Known { present: false, .. } | Presence::Unknown(UnknownReason::NotCalibrated)
            );
            let light = self.states.breath.is_looking();
            answers = plan.run(at, empty, light, state, &mut self.work.followed);
        }
        let hasher = self.hashers.of(Stage::Tomography);
        hasher.option(self.states.localising.as_ref(), |s, state| state.summary.canonical(s));
        self.work.followed.as_slice().canonical(hasher);
        answers
    }

    /// People by the likelihood of places, instead of the image's, where strengths tell it.
    fn place(&mut self, at: Timestamp) {
        let dt_s = self.work.placed.map_or(0.0, |then| at.seconds_since(then));
        self.work.placed = Some(at);
        let room = locating::Room {
            learning: self.states.calibration.learns_empty_room(),
            baselines: self.states.calibration.version(),
            presence: self.report.frame.presence,
        };
        if let (Some(plan), Some(state)) = (&self.plans.locating, &mut self.states.locating) {
            let observations = self.states.phase_align.observations();
            let located = &mut self.work.located;
            let trusted = |link: LinkId| is_trusted(&self.work.rejected_at, link, at);
            let answers = plan.run(
                dt_s,
                &self.work.links,
                observations.iter().filter(|o| trusted(o.link)),
                room,
                state,
                located,
            );
            if answers {
                core::mem::swap(&mut self.work.detections, located);
                self.work.model_error_m = plan.model_error_m(state);
            }
        }
        let hasher = self.hashers.of(Stage::Tomography);
        hasher.option(self.states.locating.as_ref(), |s, state| state.canonical(s));
    }

    fn conclude(&mut self, at: Timestamp, cycle: CycleIndex) {
        let source = self.source();
        assemble::conclude(
            at,
            cycle,
            source,
            &self.plans,
            &mut self.states,
            &mut self.work,
            &mut self.report,
        );
        let frame = &self.report.frame;
        let hasher = self.hashers.of(Stage::World);
        frame.presence.canonical(hasher);
        frame.count.canonical(hasher);
        frame.gate.canonical(hasher);
        frame.quality.canonical(hasher);
        frame.breathing.canonical(hasher);
        self.states.world.graph().canonical(hasher);
    }

    fn witness(&mut self, at: Timestamp, cycle: CycleIndex, inputs: Digest) {
        self.report.published.clear();
        self.report.frame.canonical(&mut self.report.published);
        self.output.put(&self.report.published);
        self.report.witness = self.chain.extend(Witness {
            kind: EntryKind::Cycle,
            cycle,
            at,
            source: self.report.frame.source,
            inputs,
            stages: self.hashers.finish(),
            output: self.output.finish(),
            chain: Digest::ZERO,
        });
    }

    /// Whether the bytes behind each stage's digest are kept from now on, for [`Engine::stage_values`]. Changes no digest;
    /// keeping allocates.
    pub fn keep_stage_values(&mut self, keep: bool) {
        self.hashers.keep(keep);
    }

    /// The canonical bytes that a stage's digest of the last cycle covers, without the stage's number before them; empty
    /// if they were not kept.
    pub fn stage_values(&self, stage: Stage) -> &[u8] {
        self.hashers.values(stage)
    }

    /// Who is there, on whose evidence, since when: as of the last cycle.
    pub fn world(&self) -> &wavewitness_world::Graph {
        self.states.world.graph()
    }

    /// What it was made with.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The fused channel of the last cycle, and the links whose rows it has.
    pub fn fused_channel(&self) -> (&FusedFrame, &[Link]) {
        (&self.work.fused, &self.work.links)
    }

    /// What was concluded about postures and falls in the last cycle, published or not.
    pub fn postures(&self) -> &Verdict {
        &self.work.verdict
    }

    /// What all people together change in the channels, and how many that makes, as of the last cycle; `None` where it is not told.
    pub fn numbers(&self) -> Option<&wavewitness_localise::Numbers> {
        self.states.localising.as_ref().and_then(|state| state.summary.numbers.as_ref())
    }

    /// Where something moved, as of the last cycle; `None` if no image was made in it.
    pub fn motion_image(&self) -> Option<&VoxelImage> {
        let made = self.work.imaged.is_some_and(|then| then == self.report.frame.at);
        self.states.tomography.motion_image().filter(|_| made)
    }

    /// The impulse responses of the last cycle, ascending by link; a link that was not heard in it has none.
    pub fn impulse_responses(&self) -> impl Iterator<Item = &CirEstimate> {
        self.work.cirs.iter().flatten()
    }

    /// The last cycle's report.
    pub fn report(&self) -> &CycleReport {
        &self.report
    }

    /// The chain's present value.
    pub fn head(&self) -> Digest {
        self.chain.head()
    }

    /// The last cycle in use.
    pub fn last_cycle(&self) -> Option<CycleIndex> {
        self.chain.last_cycle()
    }

    /// Grows whenever a baseline is completed, replaced or cleared.
    pub fn baseline_version(&self) -> u64 {
        self.states.calibration.version()
    }

    /// Every baseline, to be carried over a restart in [`BootRecord::baselines`].
    pub fn export_baselines(&self) -> Vec<u8> {
        self.states.export(&self.plans)
    }

    /// Rejected datagrams since the boot, by reason; reasons without any are left out.
    pub fn rejects(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.states.ingest.rejects();
        Reject::ALL.iter().map(|r| (r.name(), counts[r.index()])).filter(|(_, n)| *n > 0).collect()
    }
}

/// True unless the link's gate rejects it or did so lately.
fn is_trusted(rejected_at: &[Option<Timestamp>], link: LinkId, at: Timestamp) -> bool {
    rejected_at[link.index()].is_none_or(|then| at.nanos_since(then) > REJECTION_LASTS_NS)
}

fn payload<'a>(bytes: &'a [u8], arrival: &Arrival) -> &'a [u8] {
    let start = arrival.start as usize;
    &bytes[start..start + arrival.length as usize]
}

fn command_order(a: Command, b: Command) -> Ordering {
    (a as u8).cmp(&(b as u8))
}

fn blank_report(source: Source) -> CycleReport {
    CycleReport {
        frame: PoseFrame {
            cycle: CycleIndex(0),
            at: Timestamp(0),
            source,
            presence: Presence::Unknown(UnknownReason::NoData),
            motion: None,
            count: wavewitness_types::Count::Unknown(UnknownReason::NoData),
            people: Vec::with_capacity(MAX_PEOPLE),
            gate: Gate::Reject,
            quality: Quality {
                score: 0.0,
                frames: 0,
                rejected: 0,
                unassigned: 0,
                links_heard: 0,
                links_known: 0,
            },
            nodes: Vec::with_capacity(MAX_NODES),
            links: Vec::<LinkStatus>::with_capacity(MAX_LINKS),
            breathing: Breathing::Unknown(NoBreathing::NoData),
            fall: FallWatch::Unknown(UnknownReason::NoData),
        },
        published: Vec::with_capacity(64 << 10),
        witness: Witness {
            kind: EntryKind::Cycle,
            cycle: CycleIndex(0),
            at: Timestamp(0),
            source,
            inputs: Digest::ZERO,
            stages: [Digest::ZERO; Stage::COUNT],
            output: Digest::ZERO,
            chain: Digest::ZERO,
        },
    }
}

/// A link's observation of this cycle; observations ascend by link.
pub(crate) fn observation_of(observations: &[LinkObservation], link: LinkId) -> Option<&LinkObservation> {
    observations.binary_search_by_key(&link, |o| o.link).ok().map(|k| &observations[k])
}
