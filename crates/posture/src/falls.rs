//! Falls: fast motion, then none, and a channel that is near the empty room's, because who lies on the floor is below most
//! paths.

use crate::Config;
use crate::look::FEATURES;
use crate::weights::{FALL, FALL_BIAS, FALL_HIDDEN, FALL_HIDDEN_BIAS};
use wavewitness_num::math;
use wavewitness_types::{Fall, Timestamp, TrackId};

/// What was told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Falls {
    newest: Option<Fall>,
}

/// Evidence in nats that somebody reached the floor within the last second: log odds, by a network of one hidden layer of
/// rectified units (the logarithms of energies that are its features make a ratio of energies a difference).
pub(crate) fn evidence(features: &[f64; FEATURES]) -> f64 {
    let mut total = FALL_BIAS;
    for (unit, weight) in FALL.iter().enumerate() {
        let mut sum = FALL_HIDDEN_BIAS[unit];
        for (w, x) in FALL_HIDDEN[unit].iter().zip(features) {
            sum += w * x;
        }
        total += weight * math::max_f64(0.0, sum);
    }
    total
}

impl Falls {
    /// The fall that is told in this cycle, if one is.
    pub fn decide(
        &mut self,
        config: &Config,
        at: Timestamp,
        evidence: f64,
        person: Option<TrackId>,
    ) -> Option<Fall> {
        let again = self.newest.is_none_or(|f| at.seconds_since(f.at) >= config.apart_s);
        if evidence < config.fall_evidence || !again {
            return None;
        }
        let probability = (1.0 / (1.0 + math::exp(-evidence))) as f32;
        self.newest = Some(Fall { at, probability, person });
        self.newest
    }

    /// The newest fall that is still published.
    pub fn newest(&self, config: &Config, at: Timestamp) -> Option<Fall> {
        self.newest.filter(|f| at.seconds_since(f.at) <= config.told_s)
    }
}
