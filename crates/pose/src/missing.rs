//! Who was lost lately, and where: so that who comes back is the same person.
//!
//! It goes by time and place alone: whoever else comes in by the same door within the window is taken for the one who
//! left. Radio does not tell them apart (`docs/algorithms/identity.md`).

use wavewitness_num::math;
use wavewitness_types::limits::MAX_PEOPLE;
use wavewitness_types::{PersonTrack, Timestamp, TrackId};

/// Squared distance that is still the same place: 99 % of χ² with two degrees of freedom.
const GATE_DISTANCE2: f64 = 9.21;

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

    /// Of those who may have come to a track's place at `speed_m_s` the most probable one, who is then missing no more.
    pub fn take(&mut self, track: &PersonTrack, now: Timestamp, speed_m_s: f64) -> Option<TrackId> {
        let mut best: Option<(usize, f64)> = None;
        for (k, lost) in self.lost.iter().enumerate() {
            let Some(lost) = lost else { continue };
            let way_m = speed_m_s * now.seconds_since(lost.at);
            let (mut distance2, mut ln_determinant) = (0.0, 0.0);
            for axis in 0..2 {
                let d = track.mean[axis] - lost.place_m[axis];
                let variance = track.covariance[axis][axis] + lost.variance_m2[axis] + way_m * way_m;
                distance2 += d * d / variance;
                ln_determinant += math::ln(variance);
            }
            let cost = distance2 + ln_determinant;
            if distance2 <= GATE_DISTANCE2 && best.is_none_or(|(_, least)| cost < least) {
                best = Some((k, cost));
            }
        }
        let id = self.lost[best?.0].map(|l| l.id);
        self.lost[best?.0] = None;
        id
    }
}
