//! Common phase and slope of one frame against another.
//!
//! With the product `w_k = conj(r_k) h_k` of reference and frame on signed tone indices `i_k`, the alignment maximises
//! `|S(θ)|²`, `S(θ) = Σ w_k e^{−j i_k θ}`: the maximum-likelihood slope for white noise. A frame that came `τ` late has
//! `θ = −2πΔf τ`. As every index is an integer, θ matters only modulo 2π and nothing is ever unwrapped.

use wavewitness_num::complex::{abs, abs2, arg, conj_mul, unit};
use wavewitness_num::{C64, math};
use wavewitness_types::limits::MAX_TONES;
use wavewitness_types::{Samples, ToneGrid};

/// Newton steps. From the lag-1 start the error squares at each: four reach rounding, the fifth is margin.
const STEPS: usize = 5;

/// What was found, and what is removed: `h_k → h_k e^{−j(phase + i_k slope)}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alignment {
    /// Radians.
    pub phase: f64,
    /// Radians a tone, in (−π, π].
    pub slope: f64,
    /// `|S| / √(Σ|r|² Σ|h|²)`, 0..=1.
    pub correlation: f64,
}

/// Delay of a slope, in nanoseconds: `−θ / 2πΔf`.
pub(crate) fn delay_ns(slope: f64, grid: ToneGrid) -> f64 {
    -slope / (core::f64::consts::TAU * grid.spacing_hz()) * 1e9
}

/// Scratch for the product of two frames.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    w: Vec<C64>,
}

/// `S`, `Σ i w e` and `Σ i² w e` at one slope, where `e = e^{−j i θ}`.
struct Moments {
    zeroth: C64,
    first: C64,
    second: C64,
}

impl Product {
    pub(crate) fn new() -> Product {
        Product { w: Vec::with_capacity(MAX_TONES) }
    }

    /// The slope and phase of `frame` relative to `reference`, which has the same grid.
    pub(crate) fn align(&mut self, reference: &Samples, frame: &Samples) -> Alignment {
        let energies = self.fill(reference, frame);
        let indices = frame.grid().indices();
        let start = arg(self.lag_one(indices));
        self.refine(indices, start, energies)
    }

    /// The gauge of a frame without a reference: no mean group delay, real sum. Removing it is as invariant under a
    /// common phase and slope as an alignment is.
    pub(crate) fn own_gauge(&mut self, frame: &Samples) -> Alignment {
        let indices = frame.grid().indices();
        self.w.clear();
        for (&a, &b) in frame.re().iter().zip(frame.im()) {
            self.w.push(C64::new(f64::from(a), f64::from(b)));
        }
        let slope = arg(self.lag_one(indices));
        Alignment { phase: arg(self.moments(indices, slope).zeroth), slope, correlation: 1.0 }
    }

    fn fill(&mut self, reference: &Samples, frame: &Samples) -> f64 {
        let (rr, ri, hr, hi) = (reference.re(), reference.im(), frame.re(), frame.im());
        let (mut reference_energy, mut frame_energy) = (0.0, 0.0);
        self.w.clear();
        for k in 0..hr.len() {
            let r = C64::new(f64::from(rr[k]), f64::from(ri[k]));
            let h = C64::new(f64::from(hr[k]), f64::from(hi[k]));
            reference_energy += abs2(r);
            frame_energy += abs2(h);
            self.w.push(conj_mul(r, h));
        }
        math::sqrt(reference_energy) * math::sqrt(frame_energy)
    }

    /// `Σ conj(w_k) w_{k+1}` over tones that are neighbours in frequency: its argument is the mean slope. Pairs across
    /// the DC gap are 2 or more tones apart and are left out.
    fn lag_one(&self, indices: &[i16]) -> C64 {
        let mut total = C64::new(0.0, 0.0);
        for k in 1..indices.len() {
            if indices[k] - indices[k - 1] == 1 {
                total += conj_mul(self.w[k - 1], self.w[k]);
            }
        }
        total
    }

    fn moments(&self, indices: &[i16], slope: f64) -> Moments {
        let zero = C64::new(0.0, 0.0);
        let mut m = Moments { zeroth: zero, first: zero, second: zero };
        for_each_phasor(indices, 0.0, slope, |k, e| {
            let (i, v) = (f64::from(indices[k]), self.w[k] * e);
            m.zeroth += v;
            m.first += v * i;
            m.second += v * (i * i);
        });
        m
    }

    /// Newton on `J(θ) = |S|²`: with `S' = −jΣ i w e` and `S'' = −Σ i² w e`,
    /// `J' = 2 Re(S* S') = 2 Im(S* Σ i w e)` and `J'' = 2(|S'|² + Re(S* S'')) = 2(|Σ i w e|² − Re(S* Σ i² w e))`.
    fn refine(&self, indices: &[i16], start: f64, energies: f64) -> Alignment {
        let mut slope = start;
        let mut here = self.moments(indices, slope);
        for _ in 0..STEPS {
            let gradient = conj_mul(here.zeroth, here.first).im;
            let curvature = abs2(here.first) - conj_mul(here.zeroth, here.second).re;
            if curvature >= 0.0 {
                break;
            }
            let next_slope = slope - gradient / curvature;
            let next = self.moments(indices, next_slope);
            // Far from a maximum a step may overshoot into another lobe: then the start was as good as it gets.
            if abs2(next.zeroth) <= abs2(here.zeroth) {
                break;
            }
            (slope, here) = (next_slope, next);
        }
        let correlation = if energies > 0.0 { math::min_f64(1.0, abs(here.zeroth) / energies) } else { 0.0 };
        Alignment { phase: arg(here.zeroth), slope: math::wrap_angle(slope), correlation }
    }
}

impl Alignment {
    /// Removes the phase and the slope.
    pub(crate) fn remove_from(&self, samples: &mut Samples) {
        let indices = samples.grid().indices();
        let (re, im) = samples.parts_mut();
        for_each_phasor(indices, self.phase, self.slope, |k, e| {
            let z = C64::new(f64::from(re[k]), f64::from(im[k])) * e;
            re[k] = z.re as f32;
            im[k] = z.im as f32;
        });
    }
}

/// `e^{−j(phase + i_k slope)}` for each column, by one rotation a tone: over 489 tones its error stays near 1e−13.
fn for_each_phasor(indices: &[i16], phase: f64, slope: f64, mut visit: impl FnMut(usize, C64)) {
    let turn = unit(-slope);
    let mut index = indices[0];
    let mut e = unit(-(phase + f64::from(index) * slope));
    for (k, &target) in indices.iter().enumerate() {
        while index < target {
            e *= turn;
            index += 1;
        }
        visit(k, e);
    }
}

#[cfg(test)]
mod tests {
    //! Guards the rotation from tone to tone: bit for bit its scalar twin in plain real numbers, on inputs that would show
    //! another order, and close to what each tone gives on its own.
    use super::*;

    /// `cos, sin` of `−(phase + i slope)` for each tone index.
    fn phasors(indices: &[i16], phase: f64, slope: f64) -> Vec<(f64, f64)> {
        let (turn_re, turn_im) = (math::cos(-slope), math::sin(-slope));
        let start = -(phase + f64::from(indices[0]) * slope);
        let (mut re, mut im) = (math::cos(start), math::sin(start));
        let mut out = Vec::new();
        for (k, &index) in indices.iter().enumerate() {
            let steps = if k == 0 { 0 } else { index - indices[k - 1] };
            for _ in 0..steps {
                (re, im) = (re * turn_re - im * turn_im, re * turn_im + im * turn_re);
            }
            out.push((re, im));
        }
        out
    }

    /// Subnormals, signed zeros, huge ratios, all tones alike, one tone odd.
    fn adversarial(grid: ToneGrid) -> Vec<Samples> {
        let tiny = f32::from_bits(1);
        let kinds: [&dyn Fn(usize) -> f32; 6] = [
            &|k| tiny * (k % 5) as f32,
            &|k| [-0.0, 0.0][k % 2],
            &|k| [1e-15, 1e15, -1.0, -0.0, 1e7][k % 5],
            &|_| 0.1,
            &|k| if k == 17 { -3e8 } else { 0.1 },
            &|k| ((k * 37 + 11) % 101) as f32 * 0.02 - 1.0,
        ];
        let mut out = Vec::new();
        for (re_of, im_of) in (0..36).map(|k| (kinds[k / 6], kinds[k % 6])) {
            let mut samples = Samples::zero(grid);
            let (re, im) = samples.parts_mut();
            for k in 0..re.len() {
                (re[k], im[k]) = (re_of(k), im_of(k + 3));
            }
            out.push(samples);
        }
        out
    }

    const SLOPES: [f64; 7] = [0.0, -0.0, 1e-300, 0.013, -0.4, 3.1, -core::f64::consts::PI];

    #[test]
    fn removing_an_alignment_is_its_scalar_twin() {
        for grid in ToneGrid::ALL {
            for before in adversarial(grid) {
                for slope in SLOPES {
                    let alignment = Alignment { phase: 0.7 - slope, slope, correlation: 1.0 };
                    let mut after = before.clone();
                    alignment.remove_from(&mut after);
                    let turns = phasors(grid.indices(), alignment.phase, slope);
                    for (k, (c, s)) in turns.into_iter().enumerate() {
                        let (x, y) = (f64::from(before.re()[k]), f64::from(before.im()[k]));
                        let (re, im) = ((x * c - y * s) as f32, (x * s + y * c) as f32);
                        assert_eq!(after.re()[k].to_bits(), re.to_bits(), "{grid:?} {slope} {k}");
                        assert_eq!(after.im()[k].to_bits(), im.to_bits(), "{grid:?} {slope} {k}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_moments_are_their_scalar_twin() {
        for grid in ToneGrid::ALL {
            let mut product = Product::new();
            for (reference, frame) in adversarial(grid).iter().zip(adversarial(grid).iter().rev()) {
                product.fill(reference, frame);
                for slope in SLOPES {
                    let found = product.moments(grid.indices(), slope);
                    let mut sums = [0.0f64; 6];
                    for (k, (c, s)) in phasors(grid.indices(), 0.0, slope).into_iter().enumerate() {
                        let at = |x: &Samples| (f64::from(x.re()[k]), f64::from(x.im()[k]));
                        let ((a, b), (x, y)) = (at(reference), at(frame));
                        let (wr, wi) = (a * x + b * y, a * y - b * x);
                        let (vr, vi) = (wr * c - wi * s, wr * s + wi * c);
                        let i = f64::from(grid.indices()[k]);
                        for (sum, value) in
                            sums.iter_mut().zip([vr, vi, vr * i, vi * i, vr * (i * i), vi * (i * i)])
                        {
                            *sum += value;
                        }
                    }
                    let Moments { zeroth, first, second } = found;
                    let found = [zeroth.re, zeroth.im, first.re, first.im, second.re, second.im];
                    assert_eq!(found.map(f64::to_bits), sums.map(f64::to_bits), "{grid:?} {slope}");
                }
            }
        }
    }

    #[test]
    fn the_rotation_stays_close_to_each_tones_own_angle() {
        let indices = ToneGrid::He40.indices();
        for_each_phasor(indices, 0.3, -2.9, |k, e| {
            let own = unit(-(0.3 + f64::from(indices[k]) * -2.9));
            assert!(abs2(e - own) < 1e-24, "{k}");
        });
    }
}
