//! The coherence gate: how far an observation is from its link's quiet channel, and what may be done with it.
//!
//! Coherence is 1 inside the quiet band of the link's own statistics, so a stationary channel scores about 1 at any
//! signal-to-noise ratio; outside it is the ratio of quiet to present deviation in amplitude. A channel that carries no
//! information scores 0 however quiet it is. Where coherence can't see a person (a body at a dominant direct path is a
//! common factor of every tone), the taps referred to the direct path and the level do; they can deny
//! [`Gate::Accept`] and nothing else. Derivation: `docs/algorithms/gate.md`.
//!
//! A moving person departs from the empty-room baseline: that is signal, and the gate says [`Gate::PredictOnly`] (use it,
//! with inflated noise), not [`Gate::Reject`].

use crate::plan::{Plan as CirPlan, Scratch};
use crate::taps::Reference;
use core::cmp::Ordering;
use wavewitness_num::math;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{
    Baseline, Canonical, CirEstimate, ConfigError, Gate, GateDecision, LinkId, LinkObservation, Quiet, Sink,
    Timestamp,
};

wavewitness_types::stage_config! {
    /// Coherence gate.
    pub struct Config in "gate" {
        /// False: every observation is accepted with its noise as it is (coherence is still reported).
        enabled: bool = true, false, true;
        /// False: the impulse response (its residual, its taps) is no evidence.
        use_cir: bool = true, false, true;
        /// False: the level of the received signal is no evidence.
        use_level: bool = true, false, true;
        /// Width of the quiet band: standard deviations of ln incoherence above its quiet mean that still score 1.
        quiet_z: f64 = 2.0, 0.0, 6.0;
        /// Incoherence that is never held against a link, however quiet its baseline (0.001: 3 % in amplitude).
        quiet_floor: f64 = 1e-3, 1e-6, 0.1;
        /// Width of the quiet band of the taps, in standard deviations of one observation's ln departure.
        tap_z: f64 = 1.0, 0.0, 6.0;
        /// Change of level, in dB, that is never held against a link; in any case twice the level's quiet deviation is not.
        level_db: f64 = 1.5, 0.5, 20.0;
        /// Time constant, in seconds, with which the level's reference follows the level: a receiver's level drifts.
        level_drift_s: f64 = 600.0, 60.0, 86400.0;
        /// Weight of a new observation in the smoothed ln incoherence, change, ln departure of taps, and level.
        smoothing: f64 = 0.25, 0.01, 1.0;
        /// Squared correlation with the baseline at and below which an observation carries no information.
        information_floor: f64 = 0.2, 0.0, 0.5;
        /// Squared correlation with the baseline from which lack of information no longer lowers the score.
        information_full: f64 = 0.5, 0.05, 1.0;
        /// Residual of a converged impulse response above which there is no path structure: not accepted.
        cir_residual_max: f64 = 0.8, 0.1, 1.0;
        /// Score from which a link is accepted again.
        accept_enter: f64 = 0.9, 0.0, 1.0;
        /// Score below which a link is no longer accepted.
        accept_leave: f64 = 0.8, 0.0, 1.0;
        /// Score from which a link is no longer rejected.
        reject_leave: f64 = 0.3, 0.0, 1.0;
        /// Score below which a link is rejected, unless something moves.
        reject_enter: f64 = 0.2, 0.0, 1.0;
        /// Observations in a row that it takes to get worse.
        worse_observations: u32 = 2, 1, 1000;
        /// Observations in a row that it takes to get better.
        better_observations: u32 = 10, 1, 1000;
        /// Standard deviations (of one observation) that smoothed ln change lies above its quiet mean when something moves.
        motion_z: f64 = 2.0, 0.5, 20.0;
        /// Seconds after the last motion in which a departed channel counts as a person who stands still.
        still_hold_s: f64 = 60.0, 0.0, 3600.0;
        /// Seconds of rejection without motion after which the link asks for a new baseline.
        recalibrate_after_s: f64 = 60.0, 1.0, 86400.0;
        /// Cycles of silence after which an accepted link is accepted no longer.
        silent_cycles: u32 = 40, 1, 100000;
        /// Factor on the standard deviation at score 0, and without a baseline.
        inflation_max: f64 = 3.0, 1.0, 100.0;
    }
}

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
}

/// What the gate remembers of one link.
#[derive(Clone, Copy, Debug)]
struct LinkState {
    gate: Gate,
    /// Smoothed ln incoherence with the present baseline.
    ln_incoherence: Option<f64>,
    /// Smoothed z-score of the change.
    change_z: Option<f64>,
    /// Taps of that baseline, where it has any.
    reference: Option<Reference>,
    /// Smoothed ln departure of the taps.
    ln_departure: Option<f64>,
    /// Level in dBm that counts as no change, the smoothed change from it, and when it was last heard.
    level: Option<(f64, f64, Timestamp)>,
    /// When that baseline was completed.
    baseline: Option<Timestamp>,
    /// Whether the evidence asks for a worse or a better gate, and for how many observations in a row.
    direction: Ordering,
    asked_for: u32,
    /// When last something moved, or it could not be known that nothing did.
    moved: Timestamp,
    /// Since when the link is rejected.
    rejected: Timestamp,
    silent_for: u32,
}

impl LinkState {
    const NEW: LinkState = LinkState {
        gate: Gate::PredictOnly,
        ln_incoherence: None,
        change_z: None,
        reference: None,
        ln_departure: None,
        level: None,
        baseline: None,
        direction: Ordering::Equal,
        asked_for: 0,
        moved: Timestamp(0),
        rejected: Timestamp(0),
        silent_for: 0,
    };
}

/// What the gate remembers of every link.
#[derive(Clone, Debug)]
pub struct State {
    links: Vec<LinkState>,
}

impl State {
    /// Nothing observed: every link is [`Gate::PredictOnly`].
    pub fn new(_plan: &Plan) -> State {
        State { links: vec![LinkState::NEW; MAX_LINKS] }
    }

    /// Forgets a link.
    pub fn forget(&mut self, link: LinkId) {
        if let Some(state) = self.links.get_mut(link.index()) {
            *state = LinkState::NEW;
        }
    }
}

/// The impulse response of an observation as evidence.
pub struct Response<'a> {
    /// What was estimated.
    pub estimate: &'a CirEstimate,
    /// The plan that estimated it.
    pub plan: &'a CirPlan,
    /// Scratch as that estimate left it. A new baseline's own response is computed in it.
    pub scratch: &'a mut Scratch,
}

/// What a decision about an observation rests on, beside the coherence that it tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The link.
    pub link: LinkId,
    /// Share of the strongest path in the energy of all, of the estimate.
    pub dominant_ratio: Option<f32>,
    /// RMS delay spread in nanoseconds, of the estimate.
    pub delay_spread_ns: Option<f32>,
    /// What the estimate leaves of the tones' norm, 0..=1.
    pub residual: Option<f32>,
    /// Temporal coherence of the taps referred to the direct path: 1 within the quiet band, else the ratio of quiet to
    /// present deviation. `None` without a baseline that has echoes.
    pub tap_coherence: Option<f32>,
    /// Smoothed change of level from the link's reference, in dB. `None` where the radio says no level.
    pub level_db: Option<f32>,
}

impl Canonical for Evidence {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { link, dominant_ratio, delay_spread_ns, residual, tap_coherence, level_db } = self;
        link.canonical(out);
        for value in [dominant_ratio, delay_spread_ns, residual, tap_coherence, level_db] {
            out.option(value.as_ref(), |s, &v| s.f32(v));
        }
    }
}

/// A decision and its evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The decision.
    pub decision: GateDecision,
    /// What it rests on.
    pub evidence: Evidence,
}

/// What one observation says.
#[derive(Clone, Copy)]
struct Verdict {
    score: f64,
    /// At most the score: what must be high for the gate to accept.
    accept: f64,
    /// Something moves and the channel still carries information.
    signal: bool,
}

impl Plan {
    /// Plans the gate.
    ///
    /// # Errors
    /// If a value is out of range, or the thresholds are not in the order
    /// reject_enter ≤ reject_leave ≤ accept_leave ≤ accept_enter and information_floor < information_full.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        config.check()?;
        let Config { accept_enter, accept_leave, reject_leave, reject_enter, .. } = *config;
        let ordered = |field: &str, value: f64, ceiling_name: &str, ceiling: f64| {
            if value <= ceiling {
                return Ok(());
            }
            Err(ConfigError::new(field, value, format_args!("at most {ceiling_name} ({ceiling})")))
        };
        ordered("gate.accept_leave", accept_leave, "gate.accept_enter", accept_enter)?;
        ordered("gate.reject_leave", reject_leave, "gate.accept_leave", accept_leave)?;
        ordered("gate.reject_enter", reject_enter, "gate.reject_leave", reject_leave)?;
        if config.information_floor >= config.information_full {
            let allowed =
                format_args!("below gate.information_full ({})", config.information_full).to_string();
            return Err(ConfigError::new("gate.information_floor", config.information_floor, allowed));
        }
        Ok(Plan { config: config.clone() })
    }

    /// Judges one observation of a link. Without a baseline: no coherence, and [`Gate::PredictOnly`] at the greatest
    /// inflation (a link that is not calibrated may serve for motion, not for shadowing). A link beyond the engine's
    /// bound is treated the same.
    pub fn run(
        &self,
        observation: &LinkObservation,
        baseline: Option<&Baseline>,
        mut response: Option<Response<'_>>,
        state: &mut State,
    ) -> Judgement {
        let link = observation.link;
        let estimate = response.as_ref().map(|r| r.estimate);
        let mut evidence = Evidence {
            link,
            dominant_ratio: estimate.map(|e| e.dominant_ratio),
            delay_spread_ns: estimate.map(|e| e.delay_spread_ns),
            residual: estimate.map(|e| e.residual),
            tap_coherence: None,
            level_db: None,
        };
        let Some((s, baseline)) = state.links.get_mut(link.index()).map(|s| (s, baseline)) else {
            return Judgement { decision: self.decision(link, Gate::PredictOnly, None), evidence };
        };
        s.silent_for = 0;
        let Some(baseline) = baseline else {
            *s = LinkState { moved: observation.newest, ..LinkState::NEW };
            return Judgement { decision: self.decision(link, Gate::PredictOnly, None), evidence };
        };
        if s.baseline != Some(baseline.completed) {
            *s =
                LinkState { baseline: Some(baseline.completed), moved: observation.newest, ..LinkState::NEW };
            if let Some(Response { plan, scratch, .. }) = &mut response {
                s.reference = Reference::new(plan, baseline, scratch);
                plan.correlate(&observation.mean, scratch);
            }
        }
        let mut verdict = self.verdict(observation, baseline, estimate, s);
        evidence.tap_coherence = response.and_then(|r| self.tap_coherence(&r, s)).map(|x| x as f32);
        let level = self.level(observation, baseline, s);
        evidence.level_db = level.map(|(change_db, _)| change_db as f32);
        if let Some(coherence) = evidence.tap_coherence.filter(|_| self.config.use_cir) {
            verdict.accept = math::min_f64(verdict.accept, f64::from(coherence));
        }
        if let Some((_, likeness)) = level.filter(|_| self.config.use_level) {
            verdict.accept = math::min_f64(verdict.accept, likeness);
        }
        self.advance(verdict, observation.newest, s);
        Judgement { decision: self.decision(link, s.gate, Some(verdict.score)), evidence }
    }

    /// Notes a cycle in which a link was not heard, and gives its standing decision (without coherence). An accepted
    /// link is accepted no longer after [`Config::silent_cycles`], and what was smoothed is forgotten.
    pub fn silent(&self, link: LinkId, state: &mut State) -> GateDecision {
        let Some(s) = state.links.get_mut(link.index()) else {
            return self.decision(link, Gate::PredictOnly, None);
        };
        s.silent_for = s.silent_for.saturating_add(1);
        if s.silent_for >= self.config.silent_cycles {
            s.ln_incoherence = None;
            s.change_z = None;
            s.ln_departure = None;
            s.asked_for = 0;
            if s.gate == Gate::Accept {
                s.gate = Gate::PredictOnly;
            }
        }
        self.decision(link, s.gate, None)
    }

    /// Updates the smoothed incoherence and the time of the last motion.
    fn verdict(
        &self,
        observation: &LinkObservation,
        baseline: &Baseline,
        cir: Option<&CirEstimate>,
        s: &mut LinkState,
    ) -> Verdict {
        let c = &self.config;
        let ln_now = Quiet::ln(observation.mean.incoherence(&baseline.mean));
        let ln_smooth = smoothed(s.ln_incoherence, ln_now, c.smoothing);
        s.ln_incoherence = Some(ln_smooth);
        let quiet = &baseline.quiet_incoherence;
        let sd = f64::from(math::max_f32(quiet.ln_sd, Quiet::MIN_SD));
        let edge = math::max_f64(f64::from(quiet.ln_mean) + c.quiet_z * sd, math::ln(c.quiet_floor));
        // Deviation in amplitude goes with the root of the incoherence.
        let likeness = math::exp(-0.5 * math::max_f64(0.0, ln_smooth - edge));
        let correlation2 = 1.0 - math::exp(ln_smooth);
        let span = c.information_full - c.information_floor;
        let information = math::max_f64(0.0, math::min_f64(1.0, (correlation2 - c.information_floor) / span));
        let mut score = likeness * information;
        let structureless = |cir: &CirEstimate| cir.converged && f64::from(cir.residual) > c.cir_residual_max;
        if c.use_cir && cir.is_some_and(structureless) {
            score = math::min_f64(score, 0.5 * (c.accept_leave + c.reject_leave));
        }
        // One observation in a few hundred lies 3 standard deviations out; a smoothed one doesn't.
        let z_now = observation.change.map(|x| baseline.quiet_change.z(f64::from(x)));
        s.change_z = z_now.map(|z| smoothed(s.change_z, z, c.smoothing));
        // What can't be known to be still counts as moving.
        if s.change_z.is_none_or(|z| z >= c.motion_z) {
            s.moved = observation.newest;
        }
        let held = observation.newest.seconds_since(s.moved) <= c.still_hold_s;
        Verdict { score, accept: score, signal: held && information >= 0.5 }
    }

    /// Coherence of the taps referred to the direct path; `None` if the baseline has no echoes or the observation no taps.
    fn tap_coherence(&self, response: &Response<'_>, s: &mut LinkState) -> Option<f64> {
        let c = &self.config;
        let reference = s.reference.as_ref().filter(|_| response.estimate.tap_count > 0)?;
        let ln_now = Quiet::ln(reference.departure(response.scratch)?);
        let ln_smooth = smoothed(s.ln_departure, ln_now, c.smoothing);
        s.ln_departure = Some(ln_smooth);
        let Quiet { ln_mean, ln_sd } = reference.quiet;
        let edge = math::max_f64(f64::from(ln_mean) + c.tap_z * f64::from(ln_sd), math::ln(c.quiet_floor));
        Some(math::exp(-0.5 * math::max_f64(0.0, ln_smooth - edge)))
    }

    /// Smoothed change of the level in dB, and its likeness to none: 1 within the quiet band, else the band over the change.
    fn level(
        &self,
        observation: &LinkObservation,
        baseline: &Baseline,
        s: &mut LinkState,
    ) -> Option<(f64, f64)> {
        let c = &self.config;
        let now = f64::from(observation.rssi_dbm?);
        let at = observation.newest;
        let (reference, before, since) = match s.level {
            Some(level) => level,
            None => (f64::from(baseline.rssi_dbm?), 0.0, at),
        };
        let change = before + c.smoothing * (now - reference - before);
        let follow = 1.0 - math::exp(-at.seconds_since(since) / c.level_drift_s);
        s.level = Some((reference + follow * (now - reference), change, at));
        let sd = f64::from(baseline.rssi_sd_db.unwrap_or(0.0));
        let band = math::max_f64(c.level_db, 2.0 * sd);
        Some((change, math::min_f64(1.0, band / math::max_f64(band, change.abs()))))
    }

    /// Moves the gate: a change must be asked for in several observations in a row.
    fn advance(&self, verdict: Verdict, at: Timestamp, s: &mut LinkState) {
        let c = &self.config;
        let wanted = self.wanted(verdict, s.gate);
        let direction = wanted.cmp(&s.gate);
        s.asked_for = if direction == s.direction { s.asked_for.saturating_add(1) } else { 1 };
        s.direction = direction;
        let needed = match direction {
            Ordering::Equal => u32::MAX,
            Ordering::Greater => c.worse_observations,
            Ordering::Less => c.better_observations,
        };
        if s.asked_for >= needed {
            s.gate = wanted;
            s.asked_for = 0;
            if wanted == Gate::Reject {
                s.rejected = at;
            }
        }
        let since = if s.rejected > s.moved { s.rejected } else { s.moved };
        if s.gate == Gate::Reject && at.seconds_since(since) >= c.recalibrate_after_s {
            s.gate = Gate::Recalibrate;
        }
    }

    /// The gate that one observation asks for, given the present one (hysteresis).
    fn wanted(&self, verdict: Verdict, gate: Gate) -> Gate {
        let c = &self.config;
        let Verdict { score, accept, signal } = verdict;
        let accept_from = if gate == Gate::Accept { c.accept_leave } else { c.accept_enter };
        if accept >= accept_from {
            return Gate::Accept;
        }
        let reject_below = if gate >= Gate::Reject { c.reject_leave } else { c.reject_enter };
        // A baseline that was found not to describe the room does so again only by its score, not because somebody moves.
        if score >= reject_below || (signal && gate != Gate::Recalibrate) {
            return Gate::PredictOnly;
        }
        if gate == Gate::Recalibrate { Gate::Recalibrate } else { Gate::Reject }
    }

    fn decision(&self, link: LinkId, gate: Gate, score: Option<f64>) -> GateDecision {
        let gate = if self.config.enabled { gate } else { Gate::Accept };
        // A link on its way back scores up to 1: its inflation stays that of the score that will let it in.
        let doubt = 1.0 - math::min_f64(score.unwrap_or(0.0), self.config.accept_enter);
        let inflation = 1.0 + (self.config.inflation_max - 1.0) * doubt;
        GateDecision {
            link,
            gate,
            coherence: score.map(|x| x as f32),
            noise_inflation: if gate == Gate::Accept { 1.0 } else { inflation as f32 },
        }
    }
}

/// `before` moved towards `now` by `weight`; `now` if there is no before.
fn smoothed(before: Option<f64>, now: f64, weight: f64) -> f64 {
    match before {
        Some(before) => before + weight * (now - before),
        None => now,
    }
}
