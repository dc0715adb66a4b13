//! Fresnel's integrals, by a table.

use core::f64::consts::FRAC_PI_2;
use wavewitness_num::math;

/// Beyond this the integrals are taken as their limit: they are within 1/(π 12) of it.
const MOST: f64 = 12.0;
const STEP: f64 = 0.01;
const COUNT: usize = (MOST / STEP) as usize + 1;

/// `C(x) = ∫ cos(πt²/2) dt` and `S(x) = ∫ sin(πt²/2) dt` from 0 to x.
#[derive(Clone, Debug)]
pub(crate) struct Fresnel {
    table: Vec<[f64; 2]>,
}

impl Fresnel {
    /// Simpson's rule from each entry to the next.
    pub fn new() -> Fresnel {
        let at = |x: f64| [math::cos(FRAC_PI_2 * x * x), math::sin(FRAC_PI_2 * x * x)];
        let mut table = Vec::with_capacity(COUNT);
        let mut sum = [0.0; 2];
        for n in 0..COUNT {
            table.push(sum);
            let x = n as f64 * STEP;
            let (a, b, c) = (at(x), at(x + 0.5 * STEP), at(x + STEP));
            for k in 0..2 {
                sum[k] += STEP / 6.0 * (a[k] + 4.0 * b[k] + c[k]);
            }
        }
        Fresnel { table }
    }

    fn at(&self, x: f64) -> [f64; 2] {
        let place = x.abs() / STEP;
        let index = place as usize;
        let value = if index + 1 < COUNT {
            let share = place - index as f64;
            [0, 1].map(|k| self.table[index][k] + share * (self.table[index + 1][k] - self.table[index][k]))
        } else {
            [0.5; 2]
        };
        if x < 0.0 { value.map(|v| -v) } else { value }
    }

    /// Share of a wave's field that comes through a strip: `(1 + j)/2 ∫ e^{−jπt²/2} dt` between two edges, which are in units of
    /// `√(λ d₁ d₂ / (2 (d₁ + d₂)))`. All of it is 1.
    pub fn strip(&self, from: f64, to: f64) -> [f64; 2] {
        let (a, b) = (self.at(from), self.at(to));
        let (c, s) = (b[0] - a[0], b[1] - a[1]);
        [0.5 * (c + s), 0.5 * (c - s)]
    }
}

#[cfg(test)]
mod tests {
    //! Guards the table by values of Abramowitz and Stegun (1964), table 7.7, and what strips must do.
    use super::*;

    #[test]
    fn integrals_are_those_of_the_books() {
        let fresnel = Fresnel::new();
        for (x, c, s) in [
            (0.5, 0.492_344_2, 0.064_732_4),
            (1.0, 0.779_893_4, 0.438_259_1),
            (2.0, 0.488_253_4, 0.343_415_7),
        ] {
            let [found_c, found_s] = fresnel.at(x);
            assert!((found_c - c).abs() < 1e-4 && (found_s - s).abs() < 1e-4, "{x}: {found_c}, {found_s}");
            assert_eq!(fresnel.at(-x), [-found_c, -found_s]);
        }
    }

    #[test]
    fn everything_comes_through_a_wide_strip_and_half_past_an_edge() {
        let fresnel = Fresnel::new();
        let all = fresnel.strip(-1e6, 1e6);
        assert!((all[0] - 1.0).abs() < 1e-12 && all[1].abs() < 1e-12, "{all:?}");
        let half = fresnel.strip(0.0, 1e6);
        assert!((half[0] - 0.5).abs() < 1e-12 && half[1].abs() < 1e-12, "{half:?}");
        // Two parts make the whole.
        let (left, right) = (fresnel.strip(-0.7, 0.3), fresnel.strip(0.3, 1.9));
        let both = fresnel.strip(-0.7, 1.9);
        assert!((left[0] + right[0] - both[0]).abs() < 1e-12 && (left[1] + right[1] - both[1]).abs() < 1e-12);
    }
}
