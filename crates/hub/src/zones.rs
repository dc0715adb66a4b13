//! Zones: parts of the room, and whether somebody is in them.
//!
//! What is said of a zone follows from the people, presence and count of the same cycle, which are witnessed; the
//! verdict itself is the shell's, and is not.
//!
//! A person with mean μ and sigma σ on each axis is inside the box [a, b] with probability
//! existence · Π (Φ((b − μ)/σ) − Φ((a − μ)/σ)), the axes taken as independent, because only their sigmas are published.
//! Within an outline on the floor the first two factors are the integral of [`outline`]. Somebody is in the zone with 1 − Π (1 − p) over the people.
//!
//! A zone becomes occupied when that stays at [`ENTER`] or above for [`SETTLE_NS`], and is given up when it stays at
//! [`LEAVE`] or below for as long. It is *vacant* only if everybody is accounted for: as many people are located as are
//! counted (or nobody is in the empty-room sense), and none of them is likely enough to be inside. Somebody who is there and not located could be in any zone: then every
//! zone in which nobody is seen is `unknown`.

pub mod outline;
pub(crate) mod section;

use crate::clock::iso8601;
use crate::message::{Happening, WorldEvent, Zone};
use outline::Outline;
use std::collections::VecDeque;
use wavewitness_num::math;
use wavewitness_types::{
    ConfigError, Count, Person, PoseFrame, Presence, PresenceBasis, Timestamp, TrackState, UnknownReason,
};

/// Probability from which on a zone becomes occupied: more likely than not, with a margin.
pub const ENTER: f64 = 0.6;
/// Probability down from which it is given up. Between the two nothing changes, so that somebody on its edge does not
/// make it flicker.
pub const LEAVE: f64 = 0.3;
/// How long either has to hold: ten cycles.
pub const SETTLE_NS: u64 = 500_000_000;
/// Speed over ground from which on somebody moves, m/s: a slow step. Below it is what a filter makes of standing.
pub const MOVING_M_S: f64 = 0.3;
/// Most zones of a configuration.
pub const MAX_ZONES: usize = 32;
/// Least extent along an axis, m.
const LEAST_EXTENT_M: f64 = 0.1;
/// Events of zones that are kept for the world graph, as many as it keeps of its own.
const MAX_EVENTS: usize = 64;

/// Where a zone is.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Between two corners, m.
    Box {
        /// The lowest.
        min_m: [f64; 3],
        /// The highest.
        max_m: [f64; 3],
    },
    /// What stands on a polygon of the floor.
    Prism {
        /// The polygon.
        outline: Outline,
        /// From which height to which, m; `None` for any.
        z_m: Option<[f64; 2]>,
    },
}

/// A part of the room.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneConfig {
    /// Its name: 1 to 32 letters, digits, spaces, `-` or `_`.
    pub name: String,
    /// Where it is.
    pub shape: Shape,
}

impl ZoneConfig {
    /// A checked zone.
    ///
    /// # Errors
    /// If the name can't be used in a topic, or the shape has no inside.
    pub fn new(name: &str, shape: Shape) -> Result<ZoneConfig, ConfigError> {
        let allowed = |c: char| c.is_alphanumeric() || " -_".contains(c);
        if name.trim() != name || !(1..=32).contains(&name.chars().count()) || !name.chars().all(allowed) {
            let range = "1 to 32 letters, digits, spaces, - or _";
            return Err(ConfigError::new("zone.name", name, range));
        }
        match &shape {
            Shape::Box { min_m, max_m } if (0..3).any(|k| max_m[k] - min_m[k] < LEAST_EXTENT_M) => {
                let size = format!("{min_m:?} to {max_m:?}");
                let allowed = "at least 0.1 m beyond zone.min_m on every axis";
                Err(ConfigError::new("zone.max_m", size, allowed))
            }
            Shape::Prism { z_m: Some([low, high]), .. } if high - low < LEAST_EXTENT_M => {
                let size = format!("{low} to {high}");
                Err(ConfigError::new("zone.z_m", size, "[lowest, highest], at least 0.1 m apart"))
            }
            Shape::Box { .. } | Shape::Prism { .. } => Ok(ZoneConfig { name: name.to_owned(), shape }),
        }
    }

    /// Its corners on the floor, counterclockwise, m.
    pub fn floor_m(&self) -> Vec<[f64; 2]> {
        match &self.shape {
            Shape::Box { min_m: [x, y, _], max_m: [far_x, far_y, _] } => {
                vec![[*x, *y], [*far_x, *y], [*far_x, *far_y], [*x, *far_y]]
            }
            Shape::Prism { outline, .. } => outline.corners().to_vec(),
        }
    }

    /// From which height to which, m; `None` for any.
    pub fn z_m(&self) -> Option<[f64; 2]> {
        match &self.shape {
            Shape::Box { min_m, max_m } => Some([min_m[2], max_m[2]]),
            Shape::Prism { z_m, .. } => *z_m,
        }
    }

    /// The name as part of a topic or an id: lower case, without spaces.
    pub fn slug(&self) -> String {
        self.name.to_lowercase().replace([' ', '-'], "_")
    }

    /// Probability that a person is in it.
    fn holds(&self, person: &Person) -> f64 {
        let (mean, sigma) = (person.position_m.map(f64::from), person.sigma_m.map(f64::from));
        let between =
            |k: usize, low: f64, high: f64| below(high - mean[k], sigma[k]) - below(low - mean[k], sigma[k]);
        let mut p = f64::from(person.existence);
        match &self.shape {
            Shape::Box { min_m, max_m } => {
                for k in 0..3 {
                    p *= between(k, min_m[k], max_m[k]);
                }
            }
            Shape::Prism { outline, z_m } => {
                p *= outline.holds([mean[0], mean[1]], [sigma[0], sigma[1]]);
                if let Some([low, high]) = *z_m {
                    p *= between(2, low, high);
                }
            }
        }
        p
    }
}

/// Φ(x/σ); a step where there is no uncertainty.
fn below(x: f64, sigma: f64) -> f64 {
    if sigma > 0.0 {
        0.5 * math::erfc(-x / (sigma * std::f64::consts::SQRT_2))
    } else {
        f64::from(u8::from(x >= 0.0))
    }
}

/// What is known of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Occupied,
    Vacant,
    Unknown(&'static str),
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Occupied => "occupied",
            State::Vacant => "vacant",
            State::Unknown(_) => "unknown",
        }
    }
}

/// One zone over time.
#[derive(Clone, Debug)]
struct Follower {
    occupied: bool,
    /// Since when the probability has asked for the other state.
    since: Option<Timestamp>,
    /// What was said last.
    said: Option<&'static str>,
}

/// Every zone, from cycle to cycle.
#[derive(Clone, Debug)]
pub struct Zones {
    zones: Vec<(ZoneConfig, Follower)>,
    events: VecDeque<WorldEvent>,
}

impl Zones {
    /// Zones about which nothing is known yet.
    pub fn new(zones: &[ZoneConfig]) -> Zones {
        let follower = Follower { occupied: false, since: None, said: None };
        Zones {
            zones: zones.iter().map(|z| (z.clone(), follower.clone())).collect(),
            events: VecDeque::new(),
        }
    }

    /// What the last cycle says of each.
    pub fn update(&mut self, frame: &PoseFrame) -> Vec<Zone> {
        let unseen = not_accounted_for(frame);
        let Zones { zones, events } = self;
        let mut out = Vec::with_capacity(zones.len());
        for (zone, follower) in zones {
            let inside: Vec<f64> = frame.people.iter().map(|p| zone.holds(p)).collect();
            let probability = 1.0 - inside.iter().fold(1.0, |nobody, p| nobody * (1.0 - p));
            follower.follow(probability, frame.at);
            let state = match (follower.occupied, unseen) {
                (true, _) => State::Occupied,
                // Somebody who could as well be inside: neither can be said.
                (false, None) if probability > LEAVE => State::Unknown("undecided"),
                (false, None) => State::Vacant,
                (false, Some(reason)) => State::Unknown(reason),
            };
            if follower.said.replace(state.name()) != Some(state.name()) {
                if events.len() == MAX_EVENTS {
                    events.pop_front();
                }
                let event = Happening::Zone { zone: zone.name.clone(), state: state.name() };
                events.push_back(WorldEvent { at: iso8601(frame.at), event });
            }
            let known = !matches!(state, State::Unknown(_));
            out.push(Zone {
                name: zone.name.clone(),
                state: state.name(),
                reason: match state {
                    State::Unknown(reason) => Some(reason),
                    State::Occupied | State::Vacant => None,
                },
                probability: Some(known.then_some(probability as f32)),
                motion: Some(known.then(|| moves(&frame.people, &inside))),
            });
        }
        out
    }

    /// The last changes, oldest first.
    pub fn events(&self) -> impl Iterator<Item = &WorldEvent> {
        self.events.iter()
    }
}

impl Follower {
    fn follow(&mut self, probability: f64, at: Timestamp) {
        let other = if self.occupied { probability <= LEAVE } else { probability >= ENTER };
        if !other {
            self.since = None;
            return;
        }
        let since = *self.since.get_or_insert(at);
        if at.nanos_since(since) >= SETTLE_NS {
            self.occupied = !self.occupied;
            self.since = None;
        }
    }
}

/// Whether somebody who is more likely inside than not was measured to move.
fn moves(people: &[Person], inside: &[f64]) -> bool {
    people.iter().zip(inside).any(|(person, p)| {
        let [vx, vy, _] = person.velocity_m_s.map(f64::from);
        *p >= 0.5 && person.state == TrackState::Confirmed && math::hypot(vx, vy) >= MOVING_M_S
    })
}

/// Why somebody could be in a zone without being seen there; `None` if everybody is accounted for.
fn not_accounted_for(frame: &PoseFrame) -> Option<&'static str> {
    match (&frame.count, &frame.presence) {
        (_, Presence::Unknown(reason)) => Some(reason.name()),
        (Count::Unknown(reason @ UnknownReason::NoGeometry), _) => Some(reason.name()),
        (_, Presence::Known { present: false, basis: PresenceBasis::Motion, .. })
            if frame.people.is_empty() =>
        {
            Some("motion-only")
        }
        (_, Presence::Known { present: true, .. }) if frame.people.is_empty() => Some("not-located"),
        (count, _) => {
            let counted = count.most_probable().unwrap_or(0);
            (usize::from(counted) > frame.people.len()).then_some("not-located")
        }
    }
}

#[cfg(test)]
#[path = "zones/tests.rs"]
mod tests;
