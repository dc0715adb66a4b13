//! What similarities say about who is who.

use crate::PARTS;
use crate::embedding::{Embedding, part_similarity, similarity};
use crate::signature::Part;
use wavewitness_num::math;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{Canonical, ConfigError, Sink};

wavewitness_types::stage_config! {
    /// When a track that begins is one that was there before.
    pub struct Config in "identity" {
        /// Parts that both must have measured `least_looks` times before anything is said.
        least_parts: u32 = 2, 1, 8;
        /// Looks at a part in either before it counts.
        least_looks: u32 = 8, 1, 100000;
        /// Largest log-likelihood ratio that is claimed either way, nats.
        most_nats: f64 = 2.0, 0.0, 20.0;
    }
}

/// How a part's scores are distributed: N(`same`, `sd`²) between two visits of one person, N(`different`, `sd`²) between
/// two people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Mean score of one person.
    pub same: f64,
    /// Mean score of two people.
    pub different: f64,
    /// Standard deviation about either mean.
    pub sd: f64,
}

const fn calibration(same: f64, different: f64, sd: f64) -> Option<Calibration> {
    Some(Calibration { same, different, sd })
}

/// Scores of each part over visits of half a minute: generated (gait, stature) or simulated (shadow depth), not recorded
/// (`docs/algorithms/identity.md`). A part says nothing where nothing is known of how it scatters (torso to limb, breathing)
/// or it separated nobody (cross-section, shadow width).
pub const CALIBRATION: [Option<Calibration>; PARTS] = [
    None,
    calibration(2.69, 1.30, 0.77),
    None,
    calibration(1.68, 1.35, 1.01),
    calibration(2.24, 1.11, 0.95),
    None,
    None,
    calibration(1.88, 0.95, 0.89),
];

/// A similarity beyond this is taken as this, so that scores are finite.
const MOST_SIMILAR: f64 = 0.999;

/// The inverse hyperbolic tangent of a similarity: nearly normal, where a similarity is squeezed at 1 (Fisher 1915,
/// Biometrika 10(4)).
pub fn score(similarity: f64) -> f64 {
    let x = math::max_f64(-MOST_SIMILAR, math::min_f64(MOST_SIMILAR, similarity));
    0.5 * math::ln((1.0 + x) / (1.0 - x))
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Cosine over all common parts.
    pub similarity: f32,
    /// ln p(scores | same person) − ln p(scores | different people), within ± `most_nats`.
    pub log_likelihood_ratio: f64,
    /// Parts that it rests on.
    pub parts: u8,
}

/// The decision, planned.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
}

impl Plan {
    /// Checks the configuration.
    ///
    /// # Errors
    /// If a value is out of range.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        config.check()?;
        Ok(Plan { config: config.clone() })
    }

    /// Compares two embeddings; `None` if too little of them was measured in common.
    ///
    /// With scores z = N(m₁, s²) for one person and N(m₀, s²) for two, a part's log-likelihood ratio is
    /// (m₁ − m₀)/s² · (z − (m₁ + m₀)/2): a straight line (with two different variances a parabola, on whose far side a
    /// greater likeness spoke against). A part that separates nobody has m₁ = m₀ and says nothing. Parts are added up as
    /// if independent; they are not quite, and `most_nats` bounds what that can do.
    pub fn compare(&self, a: &Embedding, b: &Embedding) -> Option<Verdict> {
        let c = &self.config;
        let (mut parts, mut ratio) = (0u8, 0.0);
        for part in Part::ALL {
            let k = part as usize;
            let enough = a.looks()[k] >= c.least_looks && b.looks()[k] >= c.least_looks;
            if let (true, Some(Calibration { same, different, sd })) = (enough, CALIBRATION[k])
                && let Some(likeness) = part_similarity(a, b, part)
            {
                parts += 1;
                ratio += (same - different) / (sd * sd) * (score(likeness) - 0.5 * (same + different));
            }
        }
        if u32::from(parts) < c.least_parts {
            return None;
        }
        let log_likelihood_ratio = math::max_f64(-c.most_nats, math::min_f64(c.most_nats, ratio));
        Some(Verdict { similarity: similarity(a, b), log_likelihood_ratio, parts })
    }

    /// What an assignment adds to a position's cost in nats (−ln of its likelihood: half the squared Mahalanobis
    /// distance and half the log-determinant): less for the same person, 0 if nothing can be said.
    pub fn cost_nats(&self, a: Option<&Embedding>, b: Option<&Embedding>) -> f64 {
        match (a, b) {
            (Some(a), Some(b)) => self.compare(a, b).map_or(0.0, |v| 0.0 - v.log_likelihood_ratio),
            _ => 0.0,
        }
    }
}

impl Canonical for Verdict {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { similarity, log_likelihood_ratio, parts } = self;
        out.f32(*similarity);
        out.f64(*log_likelihood_ratio);
        out.u8(*parts);
    }
}
