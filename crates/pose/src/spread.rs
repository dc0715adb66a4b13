//! The sigma of what is one of several things: half the interval that holds as much as a normal distribution holds within one sigma.

use wavewitness_num::math;

/// Share of a normal distribution within one sigma.
const WITHIN: f64 = 0.682_689_492;
/// By Chebyshev's inequality 1 − 1/1.8² = 0.691 of any distribution is within so many standard deviations.
const WIDEST: f64 = 1.8;
/// Halvings: to 0.4 % of a standard deviation.
const STEPS: u32 = 8;
/// A part of a mixture has at least this variance, m².
const LEAST_VARIANCE: f64 = 1e-12;
/// Parts that make up less than this are passed over.
const LEAST_SHARE: f64 = 1e-4;

/// A normal distribution that makes up a share of a mixture.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    share: f64,
    mean: f64,
    /// `1/√(2 variance)`.
    scale: f64,
}

impl Part {
    pub fn new(share: f64, mean: f64, variance: f64) -> Part {
        Part { share, mean, scale: 1.0 / math::sqrt(2.0 * math::max_f64(variance, LEAST_VARIANCE)) }
    }
}

/// The half width about `centre` that holds [`WITHIN`] of a mixture whose root mean square distance from there is `sd`. Of one normal
/// distribution about its mean it is that one's standard deviation. Of standing and sitting it is not: they are two narrow heaps, and
/// one standard deviation about the middle holds both whole.
pub(crate) fn half_width(parts: &[Part], centre: f64, sd: f64) -> f64 {
    let mut total = 0.0;
    for part in parts {
        total += part.share;
    }
    let (mut low, mut high) = (0.0, WIDEST * sd);
    for _ in 0..STEPS {
        let middle = 0.5 * (low + high);
        if held(parts, centre, middle) < WITHIN * total { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Share within a distance.
fn held(parts: &[Part], centre: f64, half: f64) -> f64 {
    let mut out = 0.0;
    for part in parts.iter().filter(|p| p.share >= LEAST_SHARE) {
        let off = centre - part.mean;
        out +=
            0.5 * part.share * (math::erf((off + half) * part.scale) - math::erf((off - half) * part.scale));
    }
    out
}

#[cfg(test)]
mod tests {
    //! Guards the interval on mixtures whose own is known.
    use super::*;

    fn part(share: f64, mean: f64, sd: f64) -> Part {
        Part::new(share, mean, sd * sd)
    }

    #[test]
    fn one_normal_distribution_has_its_own_sigma() {
        for (mean, sd) in [(0.0, 1.0), (1.5, 0.08), (-3.0, 20.0)] {
            let found = half_width(&[part(1.0, mean, sd)], mean, sd);
            assert!((found - sd).abs() < 4e-3 * sd, "{found} {sd}");
        }
    }

    #[test]
    fn two_heaps_are_held_as_far_as_they_are_right() {
        // Three quarters at 0.1 ± 0.05 m, a quarter at −0.3 ± 0.05: 0.683 of all is 0.91 of the first heap.
        let parts = [part(0.75, 0.1, 0.05), part(0.25, -0.3, 0.05)];
        let sd = math::sqrt(0.05 * 0.05 + 0.75 * 0.01 + 0.25 * 0.09);
        let found = half_width(&parts, 0.0, sd);
        assert!((found - (0.1 + 0.05 * 1.346)).abs() < 2e-3, "{found}");
        assert!(sd > 0.18, "its standard deviation holds more than three quarters");
        // The same of a mixture that does not add up to one, and with a part that is next to nothing.
        let thirds = [part(0.25, 0.1, 0.05), part(0.25 / 3.0, -0.3, 0.05), part(1e-9, 900.0, 1.0)];
        assert!((half_width(&thirds, 0.0, sd) - found).abs() < 1e-3);
    }

    #[test]
    fn whatever_the_parts_it_holds_its_share_or_is_nothing() {
        let parts = [part(0.7, 0.0, 0.0), part(0.3, 5.0, 0.0)];
        let found = half_width(&parts, 1.5, math::sqrt(0.7 * 1.5 * 1.5 + 0.3 * 3.5 * 3.5));
        assert!((found - 1.5).abs() < 0.01, "{found}");
        assert_eq!(half_width(&[part(1.0, 2.0, 0.0)], 2.0, 0.0), 0.0);
        assert_eq!(half_width(&[], 0.0, 0.0), 0.0);
    }
}
