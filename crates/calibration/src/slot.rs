//! One link's part of the state: what is being collected, what was refused, how the baseline ages.

use crate::Config;
use crate::collection::Collection;
use crate::white::departure_z;
use wavewitness_num::math;
use wavewitness_types::{Baseline, CalibrationState, Link, LinkObservation, RefusalReason, Timestamp};

/// Observations further apart than this say nothing about the time between them.
const LONGEST_STEP_S: f64 = 1.0;
/// Change above this many quiet standard deviations is motion.
const MOTION_Z: f64 = 3.0;
/// A moment of motion outweighs so many of quiet incoherence: who moves now and then explains it, furniture does not
/// move. (More, and the few per cent of outliers of a quiet channel would hide what is stale.)
const MOTION_WEIGHT: f64 = 3.0;

/// A collection in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collecting {
    pub since: Timestamp,
    pub empty_room: bool,
}

/// A refused collection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub reason: RefusalReason,
    pub at: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The link that the id stands for.
    pub link: Option<Link>,
    pub collection: Collection,
    /// `need` of the condition.
    need: u32,
    pub collecting: Option<Collecting>,
    /// The refusal that the condition shows.
    pub refused: Option<Refused>,
    pub last_refusal: Option<Refused>,
    stale: bool,
    /// Seconds of evidence against the baseline, net of evidence for it.
    against_s: f64,
    last: Option<Timestamp>,
}

impl Slot {
    pub(crate) fn new(config: &Config) -> Slot {
        Slot {
            link: None,
            collection: Collection::new(config),
            need: config.observations,
            collecting: None,
            refused: None,
            last_refusal: None,
            stale: false,
            against_s: 0.0,
            last: None,
        }
    }

    /// As new, for `link`; without allocating.
    pub(crate) fn restart(&mut self, link: Option<Link>) {
        self.link = link;
        self.collection.clear();
        self.collecting = None;
        self.refused = None;
        self.last_refusal = None;
        self.forget_age();
    }

    pub(crate) fn start(&mut self, empty_room: bool, at: Timestamp) {
        self.collection.clear();
        self.collecting = Some(Collecting { since: at, empty_room });
        self.refused = None;
    }

    pub(crate) fn cancel(&mut self) {
        self.collecting = None;
        self.collection.clear();
    }

    pub(crate) fn refuse(&mut self, reason: RefusalReason, at: Timestamp) {
        self.cancel();
        self.refused = Some(Refused { reason, at });
        self.last_refusal = self.refused;
    }

    /// The collection became the baseline.
    pub(crate) fn accept(&mut self) {
        self.cancel();
        self.last_refusal = None;
        self.forget_age();
    }

    fn forget_age(&mut self) {
        self.stale = false;
        self.against_s = 0.0;
        self.last = None;
    }

    /// The hub collects by itself where there is no baseline, or where one of its own went stale. It never replaces what
    /// the operator vouched for: a person who sits still looks like furniture that was moved.
    pub(crate) fn wants_auto(&self, baseline: Option<&Baseline>) -> bool {
        match baseline {
            None => true,
            Some(b) => self.stale && !b.empty_room,
        }
    }

    /// Weighs one observation for or against the baseline. `stale_s` of net evidence against it, in quiet, make it stale;
    /// it is good again when all of that is outweighed in quiet (a door that was closed again).
    pub(crate) fn age(
        &mut self,
        config: &Config,
        seen: &LinkObservation,
        baseline: &Baseline,
        at: Timestamp,
    ) {
        let step_s = match self.last.replace(at) {
            Some(last) => math::min_f64(LONGEST_STEP_S, at.seconds_since(last)),
            None => return,
        };
        let Some(change) = seen.change else { return };
        let moving = baseline.quiet_change.z(f64::from(change)) > MOTION_Z;
        if moving && self.stale {
            return;
        }
        let z = departure_z(baseline, seen);
        self.against_s += match (moving, z > config.stale_z) {
            (true, _) => -MOTION_WEIGHT * step_s,
            (false, true) => step_s,
            (false, false) => -step_s,
        };
        self.against_s = math::max_f64(0.0, math::min_f64(config.stale_s, self.against_s));
        if self.against_s >= config.stale_s {
            self.stale = true;
        } else if self.against_s <= 0.0 {
            self.stale = false;
        }
    }

    pub(crate) fn condition(&self, baseline: Option<&Baseline>) -> CalibrationState {
        if let Some(c) = self.collecting
            && (c.empty_room || baseline.is_none())
        {
            return CalibrationState::Collecting { have: self.collection.count(), need: self.need };
        }
        match (self.refused, baseline) {
            (Some(r), _) => CalibrationState::Refused(r.reason),
            (None, None) => CalibrationState::None,
            (None, Some(_)) if self.stale => CalibrationState::Stale,
            (None, Some(b)) => CalibrationState::Ready { empty_room: b.empty_room },
        }
    }
}
