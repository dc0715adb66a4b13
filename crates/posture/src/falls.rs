//! Falls: fast motion, then none, and a channel that is near the empty room's, because who lies on the floor is below most
//! paths.

use crate::Config;
use wavewitness_num::math;
use wavewitness_types::{Fall, Timestamp, TrackId};

/// What was told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Falls {
    newest: Option<Fall>,
}

impl Falls {
    /// The fall that is told in this cycle, if one is. `evidence`: in nats, that somebody reached the floor within the last second: log
    /// odds at even odds beforehand.
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

#[cfg(test)]
mod tests {
    //! Guards when a fall is told, and for how long.
    use super::*;
    use crate::look::FEATURES;
    use crate::weights::FALL;

    fn evidence(features: &[f64; FEATURES]) -> f64 {
        FALL.run(features)[0]
    }

    fn at(seconds: f64) -> Timestamp {
        Timestamp((seconds * 1e9) as u64)
    }

    #[test]
    fn one_fall_is_told_once_and_for_a_minute() {
        let config = Config::default();
        let mut falls = Falls::default();
        assert_eq!(falls.decide(&config, at(10.0), config.fall_evidence - 0.1, None), None);
        let told = falls.decide(&config, at(10.0), 8.0, Some(TrackId(3))).unwrap();
        assert!(told.probability > 0.999 && told.person == Some(TrackId(3)));
        assert_eq!(falls.decide(&config, at(10.05), 20.0, None), None);
        assert!(falls.decide(&config, at(15.1), 20.0, None).is_some());
        assert!(falls.newest(&config, at(75.0)).is_some());
        assert_eq!(falls.newest(&config, at(75.2)), None);
    }

    #[test]
    fn nothing_moving_and_a_walk_throughout_are_no_falls() {
        // Logarithms of energies: quiet throughout; as a walk is, little change within 12 ms and much within 200.
        let quiet = [-2.3; FEATURES];
        let mut walk = [2.5; FEATURES];
        let blocks = FEATURES / 6 * 6;
        walk[..blocks].as_chunks_mut::<3>().0.fill([-1.5, 1.4, 3.2]);
        for features in [quiet, walk] {
            let evidence = evidence(&features);
            assert!(evidence < Config::default().fall_evidence, "{evidence}");
        }
        for ln in [-1e6, 1e6] {
            assert!(evidence(&[ln; FEATURES]).is_finite());
        }
    }
}
