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
