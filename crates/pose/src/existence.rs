//! Whether a track is a person at all: recursive Bayes over hits and misses.
//!
//! Source: Mušicki, Evans and Stanković 1994, Integrated probabilistic data association, IEEE Trans. Autom. Control
//! 39(6), 1237–1241, Markov chain one, for the one detection that the optimal assignment chose:
//! `r⁺ = (1 − δ) r⁻ / (1 − δ r⁻)`, δ = P_D P_G without a detection, δ = P_D P_G − P_D Λ/λ with one, Λ its density
//! N(ν; 0, S), λ the clutter density. In log odds that is `l⁺ = l⁻ + ln(1 − δ)`.
//!
//! Departure: the recursion takes clutter of successive images as independent, while a tomogram averages a good part of
//! a second and keeps a false peak as long. So the evidence of a cycle is weighted by its share of the decorrelation
//! time (a tempered likelihood): peaks of twenty cycles in a row count as those of a few independent images.

use wavewitness_num::math;

/// ln 2π.
pub(crate) const LN_TAU: f64 = 1.837_877_066_409_345_5;
/// Log odds are kept within ± this: e⁻¹⁴ is one in a million.
const LIMIT: f64 = 14.0;

/// Constants of the recursion.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// ln(1 − P_D P_G).
    ln_miss: f64,
    ln_detection: f64,
    ln_clutter: f64,
    /// Existence of a track about to be deleted.
    least: f64,
    mean_stay_s: f64,
    decorrelation_s: f64,
}

impl Evidence {
    pub fn new(config: &crate::Config) -> Evidence {
        let g = config.gate_distance2;
        // P_G: χ² with three degrees of freedom, erf √(g/2) − √(2g/π) e^{−g/2}.
        let inside = math::erf(math::sqrt(0.5 * g))
            - math::sqrt(2.0 * g / core::f64::consts::PI) * math::exp(-0.5 * g);
        Evidence {
            ln_miss: math::ln(1.0 - config.detection_probability * inside),
            ln_detection: math::ln(config.detection_probability),
            ln_clutter: math::ln(config.clutter_per_m3),
            least: config.delete_existence,
            mean_stay_s: config.mean_stay_s,
            decorrelation_s: config.decorrelation_s,
        }
    }

    /// ln P_D Λ/λ for an assignment cost (squared Mahalanobis distance + ln det S).
    fn ln_hit(&self, cost: f64) -> f64 {
        self.ln_detection - 0.5 * (3.0 * LN_TAU + cost) - self.ln_clutter
    }

    /// The assignment cost at which a pair is as likely as none: −2 ln of `P_D Λ/λ` over `1 − P_D P_G` is zero.
    pub fn miss_cost(&self) -> f64 {
        2.0 * (self.ln_hit(0.0) - self.ln_miss)
    }

    /// What existence r takes off the cost of a track's pairs: 2 ln of `r/(1 − r P_D P_G)`, its factor in the odds of a
    /// joint event (Mušicki and Evans 2004, Joint integrated probabilistic data association, IEEE Trans. Aerosp.
    /// Electron. Syst. 40(3), 1093–1099), over that of a track about to be deleted; so a newborn track can't take a
    /// detection from a proven one. It is not in the miss cost: a detection that nobody else wants is a newborn's only
    /// way to prove itself.
    pub fn priority(&self, existence: f64) -> f64 {
        let weight = |r: f64| math::ln(r / (1.0 - r * (1.0 - math::exp(self.ln_miss))));
        2.0 * math::max_f64(0.0, weight(math::max_f64(existence, self.least)) - weight(self.least))
    }

    /// Existence after `dt` seconds in which people may have left.
    pub fn survive(&self, existence: f64, dt: f64) -> f64 {
        existence * math::exp(-dt / self.mean_stay_s)
    }

    /// Existence after an image, `dt` seconds after the last; `cost` is that of the detection that was assigned.
    pub fn update(&self, existence: f64, dt: f64, cost: Option<f64>) -> f64 {
        let miss = math::exp(self.ln_miss);
        let evidence = match cost {
            None => self.ln_miss,
            Some(cost) => {
                let ln_hit = math::min_f64(self.ln_hit(cost), 30.0);
                math::ln(miss + math::exp(ln_hit))
            }
        };
        let weight = math::min_f64(1.0, dt / self.decorrelation_s);
        let odds = math::ln(existence / (1.0 - existence)) + weight * evidence;
        1.0 / (1.0 + math::exp(-clamp(odds)))
    }
}

fn clamp(x: f64) -> f64 {
    math::max_f64(-LIMIT, math::min_f64(LIMIT, x))
}

#[cfg(test)]
mod tests {
    //! Guards: existence is the Bayes posterior it claims to be, and repeated images do not multiply evidence.
    use super::*;
    use crate::Config;

    #[test]
    fn independent_images_give_the_recursion_of_the_paper() {
        let config = Config { decorrelation_s: 0.05, ..Config::default() };
        let e = Evidence::new(&config);
        let (r, cost) = (0.3, 2.0 - 4.0);
        let density = (-0.5f64 * (3.0 * LN_TAU + cost)).clamp(-50.0, 50.0);
        let inside = 0.99;
        let delta = 0.9 * inside - 0.9 * math::exp(density) / 0.002;
        let expected = (1.0 - delta) * r / (1.0 - delta * r);
        assert!((e.update(r, 0.05, Some(cost)) - expected).abs() < 1e-5);
        let expected = (1.0 - 0.9 * inside) * r / (1.0 - 0.9 * inside * r);
        assert!((e.update(r, 0.05, None) - expected).abs() < 1e-5);
    }

    #[test]
    fn the_frame_rate_is_no_evidence() {
        // The same quarter second in 5 or in 50 images says the same.
        let e = Evidence::new(&Config::default());
        let (mut slow, mut fast) = (0.2, 0.2);
        for _ in 0..5 {
            slow = e.update(slow, 0.05, Some(-4.0));
        }
        for _ in 0..50 {
            fast = e.update(fast, 0.005, Some(-4.0));
        }
        assert!((slow - fast).abs() < 1e-9);
    }

    #[test]
    fn existence_stays_a_probability() {
        let e = Evidence::new(&Config::default());
        let mut r = 0.1;
        for k in 0..2000 {
            r = e.update(r, 10.0, if k < 1000 { Some(-200.0) } else { None });
            r = e.survive(r, 1e6 * f64::from(k % 2));
            assert!((0.0..=1.0).contains(&r));
            r = e.update(r, 1.0, None);
            assert!(r > 0.0 && r < 1.0);
        }
    }
}
