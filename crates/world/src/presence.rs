//! Two filters: is somebody moving, is somebody there.
//!
//! Each is a two-state hidden Markov chain with stated mean times in either state, and log-likelihood ratios of the
//! links' z-scores as evidence (forward recursion: Rabiner 1989, Proc. IEEE 77(2), 257–286, eq. 20).
//!
//! One link. A quiet z is standard normal by construction (z-scores of logarithms of quiet statistics). Disturbed, it is
//! at least the weakest shift that a detector of the designed false-alarm rate tells as often as it misses it: with
//! threshold z₀ = Φ⁻¹(1 − α), shift 2 z₀, so ln L(z) = 2 z₀ (z − z₀), zero at the threshold and monotone. Somebody
//! disturbs only a share d of the links, so ln(d·L + 1 − d), which a quiet link bounds below by ln(1 − d); the cap above
//! is Huber's (1965, Ann. Math. Statist. 36(6), 1753–1758): quiet statistics have outliers.
//!
//! All links: the attention-weighted mean times the effective number of independent links, Kish's n/(1 + (n − 1)ρ)
//! (1965, Survey Sampling, 5.4) with n = 1/Σa² and ρ the cross-node coherence: what all nodes see alike is one look.
//! The share d is not known (a small room or a large one): the likelihood is averaged over [`SHARES`].
//!
//! Over time: one cycle adds its share of the decorrelation time, as changes are taken against a running mean.

use crate::config::Config;
use crate::{Input, LinkInput, finite};
use wavewitness_num::math;
use wavewitness_types::{CalibrationState, Gate, PresenceBasis};

/// Beyond this a z-score is as far as one can be.
const Z_LIMIT: f64 = 1e3;

/// Shares of the links that somebody who is there may disturb, equally probable beforehand.
const SHARES: [f64; 4] = [0.1, 0.3, 0.6, 0.9];

/// True if the link's baseline is ready.
pub(crate) fn ready(link: &LinkInput) -> bool {
    matches!(link.calibration, CalibrationState::Ready { .. })
}

/// True if the link's word counts at all: baseline ready, gate not closed.
pub(crate) fn usable(link: &LinkInput) -> bool {
    ready(link) && matches!(link.gate, Gate::Accept | Gate::PredictOnly)
}

fn empty_room(link: &LinkInput) -> bool {
    link.calibration == CalibrationState::Ready { empty_room: true }
}

/// `EmptyRoom` if at least half of the usable links know the empty room. Whether a link was heard in this very cycle
/// does not enter, so the basis does not flicker with the traffic.
pub(crate) fn basis(links: &[LinkInput]) -> PresenceBasis {
    let usable_links = links.iter().filter(|l| usable(l)).count();
    let knowing = links.iter().filter(|l| usable(l) && empty_room(l)).count();
    if knowing > 0 && 2 * knowing >= usable_links { PresenceBasis::EmptyRoom } else { PresenceBasis::Motion }
}

/// Log-likelihood ratios of one cycle, present over absent, in nats per independent look; `None` if no link spoke.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Evidence {
    pub motion: Option<f64>,
    pub occupancy: Option<f64>,
}

impl Evidence {
    pub const NONE: Evidence = Evidence { motion: None, occupancy: None };
}

/// The designed detectors.
#[derive(Clone, Debug)]
pub(crate) struct Detector {
    /// Threshold of one z-score alone.
    pub one: f64,
    /// Threshold of the greater of two (each has half of the false-alarm rate: Bonferroni).
    two: f64,
    cap: f64,
    max_links: f64,
    decorrelation_s: f64,
}

impl Detector {
    pub fn new(config: &Config) -> Detector {
        Detector {
            one: upper_quantile(config.link_false_alarm),
            two: upper_quantile(0.5 * config.link_false_alarm),
            cap: config.evidence_cap,
            max_links: config.max_independent_links,
            decorrelation_s: config.decorrelation_s,
        }
    }

    /// ln(d·L(z) + 1 − d), capped, for every share d.
    fn ln_ratios(&self, z: f64, threshold: f64) -> Ratios {
        // Beyond 50 nats the cap decides; it also keeps the exponential finite.
        let ratio = math::exp(math::min_f64(50.0, 2.0 * threshold * (z - threshold)));
        SHARES.map(|d| math::min_f64(self.cap, math::ln(d * ratio + 1.0 - d)))
    }

    /// What the links say in this cycle.
    pub fn evidence(&self, input: &Input<'_>) -> Evidence {
        let correlation = finite(input.cross_coherence, 0.0, 1.0).unwrap_or(1.0);
        let (mut motion, mut occupancy) = (Pool::default(), Pool::default());
        for link in input.links.iter().filter(|l| l.heard && usable(l)) {
            let attention = finite(Some(link.attention), 0.0, 1.0).unwrap_or(0.0);
            let change = finite(link.change_z, -Z_LIMIT, Z_LIMIT);
            let drift = finite(link.drift_z, -Z_LIMIT, Z_LIMIT).filter(|_| empty_room(link));
            if let Some(z) = change {
                motion.add(attention, self.ln_ratios(z, self.one));
            }
            match (change, drift) {
                (Some(a), Some(b)) => occupancy.add(attention, self.ln_ratios(math::max_f64(a, b), self.two)),
                (None, Some(z)) => occupancy.add(attention, self.ln_ratios(z, self.one)),
                // A still channel says nothing about somebody still; a moving one says a lot.
                (Some(z), None) => {
                    let ratios = self.ln_ratios(z, self.one).map(|r| math::max_f64(0.0, r));
                    occupancy.add(attention, ratios);
                }
                (None, None) => {}
            }
        }
        Evidence {
            motion: motion.total(correlation, self.max_links),
            occupancy: occupancy.total(correlation, self.max_links),
        }
    }
}

/// Log-likelihood ratios, one for each of [`SHARES`].
type Ratios = [f64; SHARES.len()];

/// An attention-weighted sum over links.
#[derive(Default)]
struct Pool {
    weighted: Ratios,
    weight: f64,
    weight2: f64,
}

impl Pool {
    fn add(&mut self, attention: f64, ln_ratios: Ratios) {
        for k in 0..SHARES.len() {
            self.weighted[k] += attention * ln_ratios[k];
        }
        self.weight += attention;
        self.weight2 += attention * attention;
    }

    fn total(&self, correlation: f64, max_links: f64) -> Option<f64> {
        // Weights whose squares vanish are no weights.
        if self.weight2 <= 0.0 {
            return None;
        }
        let links = self.weight * self.weight / self.weight2;
        let independent = math::min_f64(max_links, links / (1.0 + (links - 1.0) * correlation));
        let mut likelihood = 0.0;
        for sum in self.weighted {
            likelihood += math::exp(independent * sum / self.weight);
        }
        Some(math::ln(likelihood / SHARES.len() as f64))
    }
}

/// One two-state chain.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    log_odds: f64,
    /// The decision, with hysteresis.
    pub present: bool,
    mean_present_s: f64,
    mean_absent_s: f64,
}

impl Filter {
    /// For somebody moving.
    pub fn motion(config: &Config) -> Filter {
        Filter::start(config.mean_moving_s, config.mean_still_s)
    }

    /// For somebody there.
    pub fn occupancy(config: &Config) -> Filter {
        Filter::start(config.mean_occupied_s, config.mean_vacant_s)
    }

    fn start(mean_present_s: f64, mean_absent_s: f64) -> Filter {
        Filter {
            log_odds: math::ln(mean_present_s / mean_absent_s),
            present: false,
            mean_present_s,
            mean_absent_s,
        }
    }

    pub fn probability(&self) -> f64 {
        1.0 / (1.0 + math::exp(-self.log_odds))
    }

    /// `dt` seconds pass, then `evidence` (nats per independent look) arrives.
    pub fn step(&mut self, detector: &Detector, config: &Config, dt: f64, evidence: Option<f64>) {
        let (leave, enter) = (1.0 / self.mean_present_s, 1.0 / self.mean_absent_s);
        let stationary = enter / (leave + enter);
        let kept = math::exp(-(leave + enter) * dt);
        let p = stationary + (self.probability() - stationary) * kept;
        let share = math::min_f64(1.0, dt / detector.decorrelation_s);
        let odds = math::ln(p / (1.0 - p)) + share * evidence.unwrap_or(0.0);
        let floor = math::ln(config.probability_floor / (1.0 - config.probability_floor));
        self.log_odds = math::max_f64(floor, math::min_f64(-floor, odds));
        let p = self.probability();
        self.present = if self.present { p > config.off_probability } else { p >= config.on_probability };
    }
}

/// z with P(Z > z) = `tail` for a standard normal Z, by bisection on the complementary error function.
fn upper_quantile(tail: f64) -> f64 {
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if 0.5 * math::erfc(middle / core::f64::consts::SQRT_2) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    //! Guards the detector's design: thresholds, monotony, bounds.
    use super::*;

    #[test]
    fn thresholds_are_normal_quantiles() {
        for (tail, z) in [(0.5, 0.0), (0.01, 2.326_347_874), (0.005, 2.575_829_304), (1e-6, 4.753_424_309)] {
            assert!((upper_quantile(tail) - z).abs() < 1e-8, "{tail}");
        }
    }

    #[test]
    fn evidence_grows_with_z_within_its_bounds() {
        let d = Detector::new(&Config::default());
        let mut last = [f64::NEG_INFINITY; SHARES.len()];
        for k in -100..=1000 {
            let e = d.ln_ratios(f64::from(k) * 0.1, d.one);
            for (share, (now, before)) in SHARES.iter().zip(e.iter().zip(last)) {
                assert!(*now >= before && *now >= math::ln(1.0 - share) - 1e-12 && *now <= 4.0);
            }
            last = e;
        }
        assert!(d.ln_ratios(d.one, d.one)[0].abs() < 1e-12, "the threshold says nothing either way");
        assert_eq!(last, [4.0; SHARES.len()]);
    }

    #[test]
    fn what_all_nodes_see_alike_is_one_look() {
        let pool = |n: usize, correlation| {
            let mut p = Pool::default();
            (0..n).for_each(|_| p.add(1.0 / n as f64, [2.0; SHARES.len()]));
            p.total(correlation, 64.0).unwrap()
        };
        assert!((pool(4, 0.0) - 8.0).abs() < 1e-12);
        assert!((pool(4, 1.0) - 2.0).abs() < 1e-12);
        assert!((pool(1, 0.3) - 2.0).abs() < 1e-12);
        assert_eq!(Pool::default().total(0.0, 4.0), None);
    }
}
