//! The taps of a link's baseline, referred to its direct path, and how far an observation departs from them.
//!
//! The oscillator turns every tap of a frame by the same phase, the receiver's gain scales them all, and an error of
//! timing that alignment left shifts them all: the quotient of an echo and the direct path has none of the three. A body
//! at the direct path changes that quotient for every echo at once, and few delays hold all of it, while the noise of
//! all the others is left out.

use crate::plan::{Plan, Scratch};
use wavewitness_num::complex::{abs2, conj_mul};
use wavewitness_num::{C64, math};
use wavewitness_types::{Baseline, Quiet};

/// Echoes that are compared, the strongest first.
const MAX_ECHOES: usize = 8;

/// The direct path and the echoes of a baseline, on the plan's delay grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    direct: u16,
    echoes: [Echo; MAX_ECHOES],
    count: u16,
    /// What noise alone makes of [`Reference::departure`].
    pub quiet: Quiet,
}

#[derive(Clone, Copy, Debug, Default)]
struct Echo {
    bin: u16,
    /// Its correlation over that of the direct path.
    ratio: C64,
}

impl Reference {
    /// The direct path (the strongest correlation) and those maxima of the sparse solution that lie a resolution cell
    /// or more from it and from each other, where unit columns are near orthogonal. `None` if there are none, or the
    /// baseline's quiet variance is unknown. Overwrites what the last estimate left in `scratch`.
    pub(crate) fn new(plan: &Plan, baseline: &Baseline, scratch: &mut Scratch) -> Option<Reference> {
        plan.solve(&baseline.mean, None, scratch)?;
        let n = plan.delays_ns().len();
        let (b, x) = (scratch.correlation(), scratch.coefficients());
        let strongest = (0..n).reduce(|best, g| if abs2(b(g)) > abs2(b(best)) { g } else { best })?;
        let direct2 = abs2(b(strongest));
        let mut out = Reference {
            direct: strongest as u16,
            echoes: [Echo::default(); MAX_ECHOES],
            count: 0,
            quiet: Quiet::default(),
        };
        while usize::from(out.count) < MAX_ECHOES {
            let free =
                (0..n).filter(|&g| (x.0[g] != 0.0 || x.1[g] != 0.0) && out.is_free(g, plan.cell_bins()));
            let Some(g) = free.reduce(|best, g| if abs2(b(g)) > abs2(b(best)) { g } else { best }) else {
                break;
            };
            out.echoes[usize::from(out.count)] =
                Echo { bin: g as u16, ratio: conj_mul(b(strongest), b(g)) / direct2 };
            out.count += 1;
        }
        let power = baseline.mean.mean_power();
        let tones = baseline.mean.grid().tone_count();
        let mut variance = 0.0;
        for &v in &baseline.variance[..tones] {
            variance += f64::from(v) / tones as f64;
        }
        if out.count == 0 || variance <= 0.0 || power <= 0.0 {
            return None;
        }
        // A correlation (of unit data) has the noise's share over K; a quotient that of both its parts.
        let share = variance / (power * tones as f64) / direct2;
        let mut expected = 0.0;
        for echo in &out.echoes[..usize::from(out.count)] {
            expected += share * (1.0 + abs2(echo.ratio));
        }
        // The sum of m squared magnitudes is Gamma(m): its logarithm has mean ln m − 1/(2m) and variance 1/m, nearly.
        let m = f64::from(out.count);
        out.quiet = Quiet { ln_mean: (math::ln(expected) - 0.5 / m) as f32, ln_sd: (1.0 / m.sqrt()) as f32 };
        Some(out)
    }

    /// Whether a bin is a cell away from every tap.
    fn is_free(&self, g: usize, cell_bins: usize) -> bool {
        let echoes = &self.echoes[..usize::from(self.count)];
        let far = |bin: u16| g.abs_diff(usize::from(bin)) >= cell_bins;
        far(self.direct) && echoes.iter().all(|e| far(e.bin))
    }

    /// `Σ |u_i − u⁰_i|²` over the echoes, `u` the quotients with the direct path of the correlations that the last
    /// estimate left in `scratch`, `u⁰` those of the baseline. `None` if there is no direct path now.
    pub(crate) fn departure(&self, scratch: &Scratch) -> Option<f64> {
        let b = scratch.correlation();
        let direct = b(usize::from(self.direct));
        let direct2 = abs2(direct);
        if direct2 <= 0.0 {
            return None;
        }
        let mut total = 0.0;
        for echo in &self.echoes[..usize::from(self.count)] {
            total += abs2(conj_mul(direct, b(usize::from(echo.bin))) / direct2 - echo.ratio);
        }
        total.is_finite().then_some(total)
    }
}
