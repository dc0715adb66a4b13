//! What the tracker remembers.

use crate::assignment::SIZE;
use crate::missing::{Missing, Place};
use crate::skeleton::Facing;
use crate::{Measurement, Plan};
use wavewitness_types::{CycleIndex, Followed, PersonTrack, Timestamp, TrackId, TrackState};

/// A track's history beside what is published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Whose posterior this track is; `None` if it is made of detections.
    pub follows: Option<u32>,
    pub born: Timestamp,
    pub measured: Timestamp,
    /// Where that was.
    pub place_m: [f64; 2],
    /// And its variance.
    pub variance_m2: [f64; 2],
    /// Confirmed in this cycle for the first time.
    pub is_new: bool,
    /// Where the body faces, as far as a walk told it.
    pub facing: Option<Facing>,
    /// Bit k: the image k images ago showed it.
    history: u32,
    /// Images since (and with) birth, at most 32.
    images: u32,
}

impl Slot {
    pub fn new(now: Timestamp) -> Slot {
        Slot {
            follows: None,
            born: now,
            measured: now,
            place_m: [0.0; 2],
            variance_m2: [0.0; 2],
            is_new: false,
            facing: None,
            history: 1,
            images: 1,
        }
    }

    /// A track that is somebody's posterior.
    pub fn following(now: Timestamp, f: &Followed) -> Slot {
        let mut slot = Slot { follows: Some(f.number), is_new: true, ..Slot::new(now) };
        slot.seen(f);
        slot
    }

    /// Seen where the posterior is.
    pub fn seen(&mut self, f: &Followed) {
        self.place_m = [f.mean[0], f.mean[1]];
        self.variance_m2 = [f.covariance[0][0], f.covariance[1][1]];
    }

    pub fn push(&mut self, hit: bool) {
        self.history = (self.history << 1) | u32::from(hit);
        self.images = (self.images + 1).min(32);
    }

    /// Hits within the last `window` images.
    pub fn hits(&self, window: u32) -> u32 {
        (self.history & (u32::MAX >> (32 - window))).count_ones()
    }

    /// Misses within the last `window` images.
    pub fn misses(&self, window: u32) -> u32 {
        window.min(self.images) - self.hits(window)
    }
}

/// Tracks, ascending by id. Allocates at construction only.
#[derive(Clone)]
pub struct State {
    pub(crate) tracks: Vec<PersonTrack>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) measurements: Vec<Measurement>,
    pub(crate) missing: Missing,
    pub(crate) now: Timestamp,
    started: bool,
    next_id: u32,
}

impl State {
    /// Nobody; ids from 0.
    pub fn new(plan: &Plan) -> State {
        State::resumed(plan, CycleIndex(0))
    }

    /// Nobody, at a (re)start of a chain: ids begin beyond any that earlier cycles can have given, so that none is
    /// reused within the chain.
    pub fn resumed(plan: &Plan, first_cycle: CycleIndex) -> State {
        let next_id = first_cycle.0.saturating_mul(u64::from(plan.config.births_per_cycle));
        State {
            tracks: Vec::with_capacity(SIZE),
            slots: Vec::with_capacity(SIZE),
            measurements: Vec::with_capacity(SIZE),
            missing: Missing::default(),
            now: Timestamp::default(),
            started: false,
            next_id: u32::try_from(next_id).unwrap_or(u32::MAX),
        }
    }

    /// Every track, ascending by id: at most [`wavewitness_types::limits::MAX_PEOPLE`] confirmed or coasting, and as
    /// many tentative.
    pub fn tracks(&self) -> &[PersonTrack] {
        &self.tracks
    }

    /// Moves the time on; returns the seconds that passed.
    pub(crate) fn advance(&mut self, at: Timestamp) -> f64 {
        let dt = if self.started { at.seconds_since(self.now) } else { 0.0 };
        self.started = true;
        self.now = self.now.max(at);
        dt
    }

    /// Keeps the tracks of which `keep` is true.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&PersonTrack, &Slot) -> bool) {
        let mut kept = 0;
        for t in 0..self.tracks.len() {
            if keep(&self.tracks[t], &self.slots[t]) {
                self.tracks[kept] = self.tracks[t];
                self.slots[kept] = self.slots[t];
                kept += 1;
            } else if self.tracks[t].state != TrackState::Tentative {
                let Slot { measured, place_m, variance_m2, .. } = self.slots[t];
                self.missing.remember(self.tracks[t].id, measured, place_m, variance_m2);
            }
        }
        self.tracks.truncate(kept);
        self.slots.truncate(kept);
    }

    /// Gives those who were confirmed in this cycle the ids of who is missing there, if somebody is; tracks stay in order.
    pub(crate) fn recognise(&mut self, speed_m_s: f64) {
        let (mut places, mut who, mut count) = ([Place::default(); SIZE], [0; SIZE], 0);
        for (t, (track, slot)) in self.tracks.iter().zip(&mut self.slots).enumerate() {
            if core::mem::take(&mut slot.is_new) {
                places[count] = Place {
                    mean_m: [track.mean[0], track.mean[1]],
                    variance_m2: [track.covariance[0][0], track.covariance[1][1]],
                };
                who[count] = t;
                count += 1;
            }
        }
        if count == 0 {
            return;
        }
        let names = self.missing.name(&places[..count], self.now, speed_m_s);
        for (&t, name) in who[..count].iter().zip(names) {
            self.tracks[t].id = name.unwrap_or(self.tracks[t].id);
        }
        for t in 1..self.tracks.len() {
            let mut place = t;
            while place > 0 && self.tracks[place - 1].id > self.tracks[place].id {
                self.tracks.swap(place - 1, place);
                self.slots.swap(place - 1, place);
                place -= 1;
            }
        }
    }

    /// Confirmed and coasting tracks.
    pub(crate) fn people_count(&self) -> usize {
        self.tracks.iter().filter(|t| t.state != TrackState::Tentative).count()
    }

    /// The confirmed or coasting track, if there is just one.
    pub fn only_person(&self) -> Option<TrackId> {
        let mut people = self.tracks.iter().filter(|t| t.state != TrackState::Tentative);
        people.next().filter(|_| people.next().is_none()).map(|t| t.id)
    }

    /// An id never given before; `None` when there is none left.
    pub(crate) fn take_id(&mut self) -> Option<TrackId> {
        let id = self.next_id;
        self.next_id = id.checked_add(1)?;
        Some(TrackId(id))
    }
}
