//! What the evaluations share: pseudo-random numbers and equal error rates.
#![allow(dead_code, reason = "each test file uses a part")]

use wavewitness_identity::{Embedding, Part, Plan, part_similarity, score, similarity};
use wavewitness_num::math;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    pub fn gauss(&mut self) -> f64 {
        let radius = math::sqrt(-2.0 * math::ln(1.0 - self.uniform()));
        radius * math::cos(std::f64::consts::TAU * self.uniform())
    }
}

/// Scores (inverse hyperbolic tangent of the similarity) of pairs of sessions: of one person, and of two.
pub struct Scores {
    pub same: Vec<f64>,
    pub different: Vec<f64>,
}

/// `sessions[p][s]`: session s of person p. Pairs without a score are left out.
pub fn scores_by(sessions: &[Vec<Embedding>], z: impl Fn(&Embedding, &Embedding) -> Option<f64>) -> Scores {
    let mut out = Scores { same: Vec::new(), different: Vec::new() };
    for (p, of_p) in sessions.iter().enumerate() {
        for (s, a) in of_p.iter().enumerate() {
            for (q, of_q) in sessions.iter().enumerate().skip(p) {
                for (t, b) in of_q.iter().enumerate() {
                    match z(a, b) {
                        Some(z) if p != q => out.different.push(z),
                        Some(z) if s < t => out.same.push(z),
                        _ => {}
                    }
                }
            }
        }
    }
    out
}

/// Scores of the whole: the cosine over all common parts.
pub fn scores(sessions: &[Vec<Embedding>]) -> Scores {
    scores_by(sessions, |a, b| Some(score(f64::from(similarity(a, b)))))
}

/// Scores of one part.
pub fn part_scores(sessions: &[Vec<Embedding>], part: Part) -> Scores {
    scores_by(sessions, |a, b| part_similarity(a, b, part).map(score))
}

/// Log-likelihood ratios.
pub fn ratios(sessions: &[Vec<Embedding>], plan: &Plan) -> Scores {
    scores_by(sessions, |a, b| Some(plan.compare(a, b)?.log_likelihood_ratio))
}

pub fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, math::sqrt(values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)))
}

impl Scores {
    /// Equal error rate: where as many of one person's pairs are refused as of two people's are accepted.
    pub fn equal_error_rate(&self) -> f64 {
        let mut all: Vec<(f64, bool)> = self.same.iter().map(|&z| (z, true)).collect();
        all.extend(self.different.iter().map(|&z| (z, false)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (same, different) = (self.same.len() as f64, self.different.len() as f64);
        let (mut refused, mut accepted) = (0.0, different);
        for (_, is_same) in all {
            if is_same {
                refused += 1.0
            } else {
                accepted -= 1.0
            }
            if refused / same >= accepted / different {
                return 0.5 * (refused / same + accepted / different);
            }
        }
        1.0
    }

    /// Means of one person's and of two people's scores, and the standard deviation about them.
    pub fn calibration(&self) -> (f64, f64, f64) {
        let ((same, a), (different, b)) = (mean_and_sd(&self.same), mean_and_sd(&self.different));
        (same, different, math::sqrt(0.5 * (a * a + b * b)))
    }

    pub fn line(&self, name: &str) -> String {
        let (same, different, sd) = self.calibration();
        format!(
            "{name}: equal error rate {:.3}; same {same:.2} ({}), different {different:.2} ({}), sd {sd:.2}",
            self.equal_error_rate(),
            self.same.len(),
            self.different.len()
        )
    }
}
