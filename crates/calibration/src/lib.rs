//! Gain normalisation of frames, and the baseline: what each link looks like when nothing moves.
//!
//! Frame part: [`Plan::normalise`] takes the receiver's gain out (`CsiFrame → CalibratedFrame`). Cycle part, after phase
//! alignment: [`Plan::observe`] and [`Plan::end_cycle`] collect, test, keep and age one baseline a link, by the
//! operator's [`Command`] or by themselves. `docs/algorithms/calibration.md` has the tests and their derivation.
//!
//! What this crate does not do: it does not align phases, it does not say that a room is empty (only the operator can),
//! and it never alters a baseline in use: a baseline is replaced as a whole or it stays.

mod collection;
mod persist;
mod slot;
mod white;

use slot::Slot;
use wavewitness_num::math;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{
    Baseline, CalibratedFrame, CalibrationState, Command, ConfigError, CsiFrame, Link, LinkId,
    LinkObservation, RefusalReason, Timestamp,
};
pub use white::departure_z;

wavewitness_types::stage_config! {
    /// Calibration: the baseline of each link.
    pub struct Config in "calibration" {
        /// Observations (cycles in which the link was heard) that a baseline rests on.
        observations: u32 = 400, 40, 2000;
        /// Observations that will do when the time is up.
        least_observations: u32 = 100, 40, 2000;
        /// Seconds that a collection may take.
        timeout_s: f64 = 120.0, 5.0, 3600.0;
        /// Whether the hub collects by itself on a link without a baseline, or whose own baseline went stale. It can
        /// then say that the channel was quiet, not that the room was empty.
        auto: bool = true, false, true;
        /// Seconds from a refusal to the next attempt of its own.
        retry_s: f64 = 10.0, 1.0, 3600.0;
        /// Most variation about the mean, relative to the white noise of the receiver, that passes as still.
        max_excess: f64 = 10.0, 2.0, 1000.0;
        /// Most spread of ln change (half of the 16 to 84 % range) that passes as still where the excess is doubtful.
        max_spread: f64 = 0.75, 0.2, 5.0;
        /// Most drift between blocks of a collection, relative to the white noise, that passes as still.
        max_drift: f64 = 5.0, 0.5, 1000.0;
        /// Most mean incoherence of observations with their mean: above it they are not one channel.
        max_incoherence: f64 = 0.5, 0.05, 0.95;
        /// Standard deviations above its quiet level from which an incoherence speaks against the baseline.
        stale_z: f64 = 4.0, 1.0, 20.0;
        /// Seconds of such evidence, while the channel is quiet, that make a baseline stale.
        stale_s: f64 = 600.0, 5.0, 86400.0;
    }
}

/// What does not change from cycle to cycle.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
}

/// Baselines, collections and their condition, of every link.
#[derive(Clone, Debug)]
pub struct State {
    baselines: Vec<Option<Baseline>>,
    slots: Vec<Slot>,
    /// Imported baselines of links that were not seen yet; ascending by link, at most [`MAX_LINKS`].
    unbound: Vec<(Link, Baseline)>,
    version: u64,
}

impl Plan {
    /// Checks the configuration.
    ///
    /// # Errors
    /// If a value is out of range, or `least_observations` exceeds `observations`.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        config.check()?;
        if config.least_observations > config.observations {
            return Err(ConfigError::new(
                "calibration.least_observations",
                config.least_observations,
                format_args!("at most calibration.observations = {}", config.observations),
            ));
        }
        Ok(Plan { config: config.clone() })
    }

    /// Takes the gain out of a frame: unit mean power over its tones. `None` if it has no power (or is not finite):
    /// such a frame carries no channel.
    pub fn normalise(&self, frame: CsiFrame, link: LinkId) -> Option<CalibratedFrame> {
        let CsiFrame { at, radio, mut samples, .. } = frame;
        let power = samples.mean_power();
        if !power.is_finite() {
            return None;
        }
        let power_db = math::power_db(power)? as f32;
        let gain = 1.0 / math::sqrt(power);
        let (re, im) = samples.parts_mut();
        for x in re.iter_mut().chain(im) {
            *x = (f64::from(*x) * gain) as f32;
        }
        Some(CalibratedFrame { at, link, radio, power_db, samples })
    }

    /// Says which link an id stands for: ids are given in the order of discovery, which a restart may change, and a
    /// baseline belongs to the link. Takes over an imported baseline of the link. Needed once for each id; repeating it
    /// changes nothing. Ids that are not below [`MAX_LINKS`] are ignored.
    pub fn bind(&self, id: LinkId, link: Link, state: &mut State) {
        let Some(slot) = state.slots.get_mut(id.index()) else { return };
        if slot.link == Some(link) {
            return;
        }
        let before = slot.link;
        slot.restart(Some(link));
        let old = state.baselines[id.index()].take();
        if let (Some(link), Some(baseline)) = (before, old) {
            state.set_aside(link, baseline);
        }
        if let Ok(k) = state.unbound.binary_search_by_key(&link, |(l, _)| *l) {
            let (_, mut baseline) = state.unbound.remove(k);
            baseline.link = id;
            state.baselines[id.index()] = Some(baseline);
        }
    }

    /// Takes one observation of a bound link (others are ignored), made in the cycle that ends at `at`.
    pub fn observe(&self, observation: &LinkObservation, at: Timestamp, state: &mut State) {
        let index = observation.link.index();
        let Some(slot) = state.slots.get_mut(index).filter(|s| s.link.is_some()) else { return };
        if let Some(baseline) = &state.baselines[index] {
            slot.age(&self.config, observation, baseline, at);
        }
        if slot.collecting.is_none() {
            return;
        }
        let verdict = slot.collection.push(observation, &self.config);
        match verdict {
            Err(reason) => slot.refuse(reason, at),
            Ok(()) if slot.collection.count() >= self.config.observations => self.close(index, at, state),
            Ok(()) => {}
        }
    }

    /// Ends a cycle: collections that ran out of time are closed, and those that the hub starts by itself are started.
    pub fn end_cycle(&self, at: Timestamp, state: &mut State) {
        for index in 0..MAX_LINKS {
            let slot = &mut state.slots[index];
            if slot.link.is_none() {
                continue;
            }
            if let Some(collecting) = slot.collecting {
                if at.seconds_since(collecting.since) < self.config.timeout_s {
                    continue;
                }
                if slot.collection.count() >= self.config.least_observations {
                    self.close(index, at, state);
                } else {
                    slot.refuse(RefusalReason::TooFewFrames, at);
                }
                continue;
            }
            let waiting = slot.refused.is_some_and(|r| at.seconds_since(r.at) < self.config.retry_s);
            if self.config.auto && !waiting && slot.wants_auto(state.baselines[index].as_ref()) {
                slot.start(false, at);
            } else if !waiting && state.baselines[index].is_some() {
                slot.refused = None;
            }
        }
    }

    /// Does what the operator asks. A calibration starts on every bound link; a baseline in use stays in use until the
    /// new one is complete. The operator's word that the room is empty holds for this one attempt: after a refusal he is
    /// to say it again.
    pub fn command(&self, command: Command, at: Timestamp, state: &mut State) {
        let bound = state.slots.iter_mut().filter(|s| s.link.is_some());
        match command {
            Command::StartCalibration => bound.for_each(|s| s.start(true, at)),
            Command::CancelCalibration => bound.for_each(Slot::cancel),
            Command::ClearCalibration => {
                bound.for_each(|s| s.restart(s.link));
                state.baselines.fill(None);
                state.unbound.clear();
                state.version += 1;
            }
        }
    }

    fn close(&self, index: usize, at: Timestamp, state: &mut State) {
        let slot = &mut state.slots[index];
        let Some(collecting) = slot.collecting else { return };
        // An index is below MAX_LINKS, which fits.
        let id = LinkId(index as u16);
        match slot.collection.finish(id, collecting.empty_room, at, &self.config) {
            Ok(baseline) => {
                slot.accept();
                state.baselines[index] = Some(baseline);
                state.version += 1;
            }
            Err(reason) => slot.refuse(reason, at),
        }
    }
}

impl State {
    /// No link known. All memory is taken here.
    pub fn new(plan: &Plan) -> State {
        State {
            baselines: vec![None; MAX_LINKS],
            slots: (0..MAX_LINKS).map(|_| Slot::new(&plan.config)).collect(),
            unbound: Vec::with_capacity(MAX_LINKS),
            version: 0,
        }
    }

    /// The baselines in use, by [`LinkId`]: always [`MAX_LINKS`] entries.
    pub fn baselines(&self) -> &[Option<Baseline>] {
        &self.baselines
    }

    /// Condition of a link's baseline. While the operator's collection or a link's first one runs it is `Collecting`;
    /// a refusal shows for `retry_s`, or until something else happens.
    pub fn condition(&self, link: LinkId) -> CalibrationState {
        match self.slots.get(link.index()) {
            Some(slot) => slot.condition(self.baselines[link.index()].as_ref()),
            None => CalibrationState::None,
        }
    }

    /// True while a collection runs on the operator's word that the room is empty.
    pub fn learns_empty_room(&self) -> bool {
        self.slots.iter().any(|slot| slot.collecting.is_some_and(|c| c.empty_room))
    }

    /// The last refusal of a link since its last success, and when: also while the next attempt runs.
    pub fn last_refusal(&self, link: LinkId) -> Option<(RefusalReason, Timestamp)> {
        self.slots.get(link.index())?.last_refusal.map(|r| (r.reason, r.at))
    }

    /// Grows whenever a baseline is completed or cleared: then [`State::export`] is worth keeping.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Keeps the baseline of a link that has no id now, if there is room.
    fn set_aside(&mut self, link: Link, baseline: Baseline) {
        match self.unbound.binary_search_by_key(&link, |(l, _)| *l) {
            Ok(k) => self.unbound[k].1 = baseline,
            Err(k) if self.unbound.len() < MAX_LINKS => self.unbound.insert(k, (link, baseline)),
            Err(_) => {}
        }
    }
}
