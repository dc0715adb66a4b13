//! The room's gate, and how good a cycle was.

use crate::{Input, LinkInput, presence};
use wavewitness_num::math;
use wavewitness_types::{CalibrationState, Gate, Quality};

/// The best gate of the links heard in this cycle; `Reject` if none was.
pub(crate) fn gate(links: &[LinkInput]) -> Gate {
    links.iter().filter(|l| l.heard).map(|l| l.gate).min().unwrap_or(Gate::Reject)
}

/// Geometric mean of three shares: links heard of those known; coherence of those heard (accepted 1, doubtful ½);
/// baselines of those known (ready 1, stale ½). One missing altogether makes it 0: without frames, coherence or a
/// baseline the cycle says nothing, however good the rest.
pub(crate) fn quality(input: &Input<'_>) -> Quality {
    let heard = input.links.iter().filter(|l| l.heard);
    let coherence = share(heard.clone().map(|l| match l.gate {
        Gate::Accept => 1.0,
        Gate::PredictOnly => 0.5,
        Gate::Reject | Gate::Recalibrate => 0.0,
    }));
    let arrival = share(input.links.iter().map(|l| if l.heard { 1.0 } else { 0.0 }));
    let calibration = share(input.links.iter().map(|l| {
        if presence::ready(l) {
            1.0
        } else if l.calibration == CalibrationState::Stale {
            0.5
        } else {
            0.0
        }
    }));
    Quality {
        score: math::min_f64(1.0, math::cbrt(arrival * coherence * calibration)) as f32,
        frames: input.frames,
        rejected: input.rejected,
        unassigned: input.unassigned,
        links_heard: heard.count().min(usize::from(u16::MAX)) as u16,
        links_known: input.links.len().min(usize::from(u16::MAX)) as u16,
    }
}

/// The mean, first to last; 0 of nothing.
fn share(values: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut n) = (0.0, 0.0);
    for v in values {
        total += v;
        n += 1.0;
    }
    if n > 0.0 { total / n } else { 0.0 }
}
