//! Detections and tracks of people.

use crate::canonical::{Canonical, Sink};
use crate::ids::TrackId;

/// A place where the image shows someone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Position in the room, metres.
    pub position_m: [f64; 3],
    /// Covariance, m².
    pub covariance_m2: [[f64; 3]; 3],
    /// Peak over the image's noise, in its standard deviations.
    pub strength: f64,
}

/// Somebody whom a stage follows by itself: a posterior that holds all that was measured, and so no measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Followed {
    /// That stage's own number of him, given once between two boots.
    pub number: u32,
    /// x, y, z in metres, then velocities in m/s: of the body's centre.
    pub mean: [f64; 6],
    /// Joint covariance.
    pub covariance: [[f64; 6]; 6],
    /// Probability that this is a person.
    pub existence: f64,
    /// False while nothing shows him: he keeps still, and is held where he stopped.
    pub measured: bool,
}

/// Life of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum TrackState {
    /// Seen, not yet often enough; not published as a person.
    Tentative = 0,
    /// Measured repeatedly.
    Confirmed = 1,
    /// Confirmed before, not measured now; predicted.
    Coasting = 2,
}

impl TrackState {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            TrackState::Tentative => "tentative",
            TrackState::Confirmed => "confirmed",
            TrackState::Coasting => "coasting",
        }
    }
}

/// A person followed over cycles: joint position and velocity with full covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonTrack {
    /// Identity within the chain.
    pub id: TrackId,
    /// Life.
    pub state: TrackState,
    /// x, y, z in metres, then velocities in m/s: of the body's centre.
    pub mean: [f64; 6],
    /// Joint covariance.
    pub covariance: [[f64; 6]; 6],
    /// Probability that this is a person, from hits and misses.
    pub existence: f64,
    /// Cycles since birth.
    pub age_cycles: u32,
    /// Cycles since the last measurement.
    pub missed_cycles: u32,
}

impl Canonical for Detection {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { position_m, covariance_m2, strength } = self;
        out.f64s(position_m);
        covariance_m2.iter().for_each(|row| out.f64s(row));
        out.f64(*strength);
    }
}

impl Canonical for Followed {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { number, mean, covariance, existence, measured } = self;
        out.u32(*number);
        out.f64s(mean);
        covariance.iter().for_each(|row| out.f64s(row));
        out.f64(*existence);
        out.bool(*measured);
    }
}

impl Canonical for TrackState {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(*self as u8);
    }
}

impl Canonical for PersonTrack {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { id, state, mean, covariance, existence, age_cycles, missed_cycles } = self;
        id.canonical(out);
        state.canonical(out);
        out.f64s(mean);
        covariance.iter().for_each(|row| out.f64s(row));
        out.f64(*existence);
        out.u32(*age_cycles);
        out.u32(*missed_cycles);
    }
}
