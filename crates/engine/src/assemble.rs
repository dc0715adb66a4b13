//! From one stage's output to the next one's input, and to what is published. No judgement of its own beyond the
//! mapping that each function states.

use crate::cycle::{CycleReport, Work, observation_of};
use crate::stages::{Plans, States};
use wavewitness_calibration::departure_z;
use wavewitness_motion::{Condition, LinkMotion};
use wavewitness_pose::Belief;
use wavewitness_tomography::LinkEvidence;
use wavewitness_types::limits::MAX_PEOPLE;
use wavewitness_types::{
    Baseline, CycleIndex, Gate, GateDecision, LinkId, LinkObservation, LinkStatus, Source, Timestamp,
};
use wavewitness_world::{Input, LinkInput};

/// Links that gave an image give the next one about now: a cycle without frames in between is no loss of sight.
const IMAGES_HOLD_NS: u64 = 1_000_000_000;

/// What tomography may use of each observation: motion as the excess of ln change over its quiet mean, and shadowing
/// as the loss against the baseline's signal strength. A walking person makes a link incoherent with its empty-room
/// baseline, which is signal and no fault, so a doubtful gate does not remove a link here: it widens its sigma. A link that
/// is or was lately rejected hears no channel at all, or compares with a memory of none.
pub(crate) fn evidence(
    trusted: impl Fn(LinkId) -> bool,
    motions: &[LinkMotion],
    observations: &[LinkObservation],
    baselines: &[Option<Baseline>],
    gates: &[Option<GateDecision>],
    out: &mut Vec<LinkEvidence>,
) {
    for observation in observations {
        let Some(baseline) = &baselines[observation.link.index()] else { continue };
        if !trusted(observation.link) {
            continue;
        }
        let inflation = gates[observation.link.index()].map_or(1.0, |g| g.noise_inflation);
        // What a machine moves, and nobody beside it, is no mover's.
        let machine =
            motions.get(observation.link.index()).is_some_and(|m| m.machine_z.is_some() && !m.moving);
        let motion = observation.change.filter(|_| !machine).map(|change| {
            let excess = baseline.quiet_change.z(f64::from(change)) as f32 * baseline.quiet_change.ln_sd;
            if excess > 0.0 { excess } else { 0.0 }
        });
        let shadowing_db = match (baseline.rssi_dbm, observation.rssi_dbm) {
            (Some(empty), Some(now)) => Some(empty - now),
            _ => None,
        };
        out.push(LinkEvidence {
            link: observation.link,
            motion,
            motion_sigma: baseline.quiet_change.ln_sd * inflation,
            shadowing_db,
            shadowing_sigma_db: baseline.rssi_sd_db.unwrap_or(0.0) * inflation,
        });
    }
}

/// The gate that the tracker goes by: the best of the links' gates, with that link's noise inflation.
pub(crate) fn room_gate(gates: &[Option<GateDecision>]) -> (Gate, f64) {
    let mut best = (Gate::Reject, 1.0);
    let mut found = false;
    for decision in gates.iter().flatten() {
        let candidate = (decision.gate, f64::from(decision.noise_inflation));
        if !found || candidate.0 < best.0 || (candidate.0 == best.0 && candidate.1 < best.1) {
            best = candidate;
            found = true;
        }
    }
    best
}

/// Presence, count, quality; then everything into the published frame.
pub(crate) fn conclude(
    at: Timestamp,
    cycle: CycleIndex,
    source: Source,
    plans: &Plans,
    states: &mut States,
    work: &mut Work,
    report: &mut CycleReport,
) {
    let frame = &mut report.frame;
    states.ingest.health(&mut frame.nodes);
    link_inputs(states, work);
    let verdict = plans.world.run(
        &Input {
            at,
            links: &work.link_inputs,
            nodes: &frame.nodes,
            tracks: states.pose.tracks(),
            numbers: states.localising.as_ref().and_then(|s| s.summary.numbers).map(|n| n.probability),
            tomography_active: work.imaged.is_some_and(|then| at.nanos_since(then) <= IMAGES_HOLD_NS),
            geometry_known: plans.geometry_known,
            fused_motion: work.fused.fused_motion,
            cross_coherence: work.fused.cross_coherence,
            frames: work.frames,
            rejected: work.rejected,
            unassigned: work.unassigned,
            last_frame: work.last_frame,
        },
        &mut states.world,
    );
    frame.cycle = cycle;
    frame.at = at;
    frame.source = source;
    frame.presence = verdict.presence;
    frame.motion = verdict.motion;
    frame.count = verdict.count;
    frame.gate = verdict.gate;
    frame.quality = verdict.quality;
    frame.breathing = verdict.breathing;
    frame.people.clear();
    let belief = Belief {
        posture: work.verdict.posture,
        probability: work.verdict.probability,
        on_floor: work.verdict.on_floor,
    };
    frame.fall = work.verdict.fall;
    frame.people.extend(plans.pose.people(&states.pose, &belief, work.model_error_m).take(MAX_PEOPLE));
    frame.links.clear();
    for id in 0..work.links.len() {
        if states.links.links()[id].retired.is_none() {
            frame.links.push(link_status(LinkId(id as u16), states, work));
        }
    }
}

fn link_inputs(states: &States, work: &mut Work) {
    let observations = states.phase_align.observations();
    for id in 0..work.links.len() {
        if states.links.links()[id].retired.is_some() {
            continue;
        }
        let link = LinkId(id as u16);
        let observation = observation_of(observations, link);
        let baseline = states.calibration.baselines()[id].as_ref();
        let (coarse_z, drift_z) = match (observation, baseline) {
            (Some(o), Some(b)) => {
                (o.change.map(|c| b.quiet_change.z(f64::from(c)) as f32), Some(departure_z(b, o) as f32))
            }
            _ => (None, None),
        };
        // The detector of its own frames knows the link's quiet better than the baseline's change, once it knows it.
        let change_z = match work.motions.get(id).map(|m| (m.condition, m.z)) {
            Some((Condition::Ready, z)) => z,
            _ => coarse_z,
        };
        work.link_inputs.push(LinkInput {
            link,
            ends: work.links[id],
            heard: observation.is_some(),
            attention: work.fused.attention[id],
            change_z,
            drift_z,
            gate: work.gates[id].map_or(Gate::PredictOnly, |g| g.gate),
            calibration: states.calibration.condition(link),
            breathing: states.breath.reading(link),
        });
    }
}

fn link_status(id: LinkId, states: &States, work: &Work) -> LinkStatus {
    let record = &states.links.links()[id.index()];
    let observation = observation_of(states.phase_align.observations(), id);
    let decision = work.gates[id.index()];
    let cir = work.cirs[id.index()];
    let motion = work.fused.motion[id.index()];
    LinkStatus {
        id,
        link: record.link,
        identification: record.identification,
        within_distance: record.within_distance,
        between_distance: record.between_distance,
        frames: record.frames,
        cycle_frames: observation.map_or(0, |o| o.frames),
        gate: decision.map_or(Gate::PredictOnly, |d| d.gate),
        coherence: decision.and_then(|d| d.coherence),
        attention: work.fused.attention[id.index()],
        motion: (motion > 0.0).then_some(motion),
        dominant_ratio: cir.map(|c| c.dominant_ratio),
        delay_spread_ns: cir.map(|c| c.delay_spread_ns),
        calibration: states.calibration.condition(id),
    }
}
