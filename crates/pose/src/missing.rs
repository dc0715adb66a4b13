//! Who was lost lately, and where: so that who comes back is the same person.
//!
//! It goes by time and place alone: whoever else comes in by the same door within the window is taken for the one who
//! left. Radio does not tell them apart (`docs/algorithms/identity.md`), and when somebody is named, nothing of him has been measured yet.

use crate::assignment::{self, Costs, SIZE};
use wavewitness_num::math;
use wavewitness_types::limits::MAX_PEOPLE;
use wavewitness_types::{Timestamp, TrackId};

/// Squared distance that is still the same place: 99 % of χ² with two degrees of freedom.
const GATE_DISTANCE2: f64 = 9.21;

/// More than any cost within the gate can be, so that naming one more person always costs less.
const NAMED: f64 = 1e6;

/// Where somebody is who is new.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub mean_m: [f64; 2],
    pub variance_m2: [f64; 2],
}

/// A track that ended.
#[derive(Clone, Copy, Debug)]
struct Lost {
    id: TrackId,
    /// When and where it was measured last.
    at: Timestamp,
    place_m: [f64; 2],
    variance_m2: [f64; 2],
}

/// The last of those who were lost, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Missing {
    lost: [Option<Lost>; MAX_PEOPLE],
}

impl Missing {
    /// Somebody was lost, who was measured last at a time and place.
    pub fn remember(&mut self, id: TrackId, at: Timestamp, place_m: [f64; 2], variance_m2: [f64; 2]) {
        let free = self.lost.iter().position(Option::is_none).unwrap_or_else(|| {
            self.lost.rotate_left(1);
            self.lost.len() - 1
        });
        self.lost[free] = Some(Lost { id, at, place_m, variance_m2 });
    }

    /// Who was measured longer ago than `return_s` does not come back.
    pub fn forget(&mut self, now: Timestamp, return_s: f64) {
        for lost in &mut self.lost {
            *lost = lost.filter(|l| now.seconds_since(l.at) <= return_s);
        }
    }

    /// Who of the missing each of `places` is, by the assignment of least total cost (−2 ln of the likelihood of the way) among those
    /// that give most of them a name; who is named is missing no more. `places` has at most [`SIZE`] of mean and variance.
    pub fn name(&mut self, places: &[Place], now: Timestamp, speed_m_s: f64) -> [Option<TrackId>; SIZE] {
        let mut costs: Costs = [[0.0; SIZE]; SIZE];
        for (row, place) in costs.iter_mut().zip(places) {
            for (cost, lost) in row.iter_mut().zip(&self.lost) {
                *cost = lost.and_then(|l| l.cost(place, now, speed_m_s)).map_or(0.0, |c| c - NAMED);
            }
        }
        let columns = assignment::assign(&costs, places.len().max(self.lost.len()));
        let mut names = [None; SIZE];
        for (row, name) in names.iter_mut().enumerate().take(places.len()) {
            let column = columns[row];
            if costs[row][column] < 0.0 {
                *name = self.lost[column].take().map(|l| l.id);
            }
        }
        names
    }
}

impl Lost {
    /// Of having come to a place at `speed_m_s`; `None` beyond the gate.
    fn cost(&self, place: &Place, now: Timestamp, speed_m_s: f64) -> Option<f64> {
        let way_m = speed_m_s * now.seconds_since(self.at);
        let (mut distance2, mut ln_determinant) = (0.0, 0.0);
        for axis in 0..2 {
            let d = place.mean_m[axis] - self.place_m[axis];
            let variance = place.variance_m2[axis] + self.variance_m2[axis] + way_m * way_m;
            distance2 += d * d / variance;
            ln_determinant += math::ln(variance);
        }
        (distance2 <= GATE_DISTANCE2).then_some(distance2 + ln_determinant)
    }
}
