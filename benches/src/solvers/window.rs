//! A room's delays only, through their Gram matrix, over the whole window in every iteration: ISTA, FISTA with restart,
//! and FISTA begun at an earlier solution.

use super::{LAMBDA_RATIO, OVERSAMPLING};
use core::f64::consts::TAU;
use wavewitness_num::{C64, math};
use wavewitness_types::ToneGrid;

/// Iterations at most.
pub const ITERATIONS: u32 = 1000;
/// How far the optimality condition may be missed, relative to λ.
pub const TOLERANCE: f64 = 1e-3;
const LIPSCHITZ: f64 = OVERSAMPLING as f64;

/// A complex vector, real and imaginary parts apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// Real parts.
    pub re: Vec<f64>,
    /// Imaginary parts.
    pub im: Vec<f64>,
}

impl Split {
    fn zero(n: usize) -> Split {
        Split { re: vec![0.0; n], im: vec![0.0; n] }
    }

    fn clear(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }
}

/// What belongs to a tone grid: −300 … +500 ns of delays.
pub struct Window {
    /// Bin of the earliest delay.
    pub first: i32,
    /// Delays.
    pub size: usize,
    /// Gram matrix by column distance: column `h` begins at `size − 1 − h`.
    pub kernel: Vec<f64>,
    /// `exp(+j2πkg/G)/√K`, one row a tone.
    rows: Vec<Split>,
}

/// Working storage.
pub struct Work {
    /// Correlation of the data.
    pub b: Split,
    /// The solution.
    pub x: Split,
    gx: Split,
    x_before: Split,
    gx_before: Split,
}

impl Work {
    /// Of a window.
    pub fn new(window: &Window) -> Work {
        let zero = || Split::zero(window.size);
        Work { b: zero(), x: zero(), gx: zero(), x_before: zero(), gx_before: zero() }
    }
}

impl Window {
    /// Of a tone grid.
    pub fn new(grid: ToneGrid) -> Window {
        let (tones, full) = (grid.tone_count() as f64, (OVERSAMPLING * grid.tone_count()) as f64);
        let pitch_ns = 1e9 / (full * grid.spacing_hz());
        let (first, last) = (-(300.0 / pitch_ns + 1e-9) as i32, (500.0 / pitch_ns + 1e-9) as i32);
        let size = (last - first + 1) as usize;
        let phase = |k: i16, bin: i32| TAU * f64::from(k) * f64::from(bin) / full;
        let entry = |d: usize| -> f64 {
            grid.indices().iter().map(|&k| math::cos(phase(k, d as i32))).sum::<f64>() / tones
        };
        let row = |&k: &i16| Split {
            re: (first..=last).map(|g| math::cos(phase(k, g)) / tones.sqrt()).collect(),
            im: (first..=last).map(|g| math::sin(phase(k, g)) / tones.sqrt()).collect(),
        };
        Window {
            first,
            size,
            kernel: (0..2 * size - 1).map(|i| entry(i.abs_diff(size - 1))).collect(),
            rows: grid.indices().iter().map(row).collect(),
        }
    }

    /// `b ← Φᴴy`; returns λ of the window.
    pub fn correlate(&self, y: &[C64], w: &mut Work) -> f64 {
        w.b.clear();
        for (row, z) in self.rows.iter().zip(y) {
            let parts = row.re.iter().zip(&row.im);
            for ((b_re, b_im), (c, s)) in w.b.re.iter_mut().zip(&mut w.b.im).zip(parts) {
                *b_re += z.re * c - z.im * s;
                *b_im += z.re * s + z.im * c;
            }
        }
        let mut largest2 = 0.0;
        for g in 0..self.size {
            largest2 = math::max_f64(largest2, w.b.re[g] * w.b.re[g] + w.b.im[g] * w.b.im[g]);
        }
        LAMBDA_RATIO * largest2.sqrt()
    }

    /// `out ← G x`, over the nonzero entries of `x`.
    fn image(&self, x: &Split, out: &mut Split) {
        out.clear();
        for h in 0..self.size {
            let (re, im) = (x.re[h], x.im[h]);
            if re == 0.0 && im == 0.0 {
                continue;
            }
            let column = &self.kernel[self.size - 1 - h..2 * self.size - 1 - h];
            for ((o_re, o_im), k) in out.re.iter_mut().zip(&mut out.im).zip(column) {
                *o_re += k * re;
                *o_im += k * im;
            }
        }
    }

    /// ISTA from zero. Returns the iterations and whether the optimality condition holds.
    pub fn ista(&self, lambda: f64, w: &mut Work) -> (u32, bool) {
        w.x.clear();
        w.gx.clear();
        for iteration in 1..=ITERATIONS {
            core::mem::swap(&mut w.x, &mut w.x_before);
            core::mem::swap(&mut w.gx, &mut w.gx_before);
            step(w, 0.0, lambda);
            self.image(&w.x, &mut w.gx);
            if optimal(w, lambda) {
                return (iteration, true);
            }
        }
        (ITERATIONS, false)
    }

    /// FISTA with restart, from zero or (`warm`) from what `w.x` holds.
    pub fn fista(&self, lambda: f64, w: &mut Work, warm: bool) -> (u32, bool) {
        if !warm {
            w.x.clear();
        }
        self.image(&w.x, &mut w.gx);
        w.x_before.clone_from(&w.x);
        w.gx_before.clone_from(&w.gx);
        let (mut t, mut beta) = (1.0f64, 0.0f64);
        for iteration in 1..=ITERATIONS {
            core::mem::swap(&mut w.x, &mut w.x_before);
            core::mem::swap(&mut w.gx, &mut w.gx_before);
            let against = step(w, beta, lambda);
            self.image(&w.x, &mut w.gx);
            if optimal(w, lambda) {
                return (iteration, true);
            }
            (t, beta) = momentum(t, against);
        }
        (ITERATIONS, false)
    }
}

/// The next step size parameter and momentum.
pub(super) fn momentum(t: f64, against: f64) -> (f64, f64) {
    if against > 0.0 {
        return (1.0, 0.0);
    }
    let next = 0.5 * (1.0 + (1.0 + 4.0 * t * t).sqrt());
    (next, (t - 1.0) / next)
}

/// A proximal step from `x₁ + β(x₁ − x₀)`; `x₁` is `x_before`, `x₀` lies in `x`. Returns how much it goes against the
/// momentum.
fn step(w: &mut Work, beta: f64, lambda: f64) -> f64 {
    let (inverse, threshold) = (1.0 / LIPSCHITZ, lambda / LIPSCHITZ);
    let mut against = 0.0;
    for g in 0..w.x.re.len() {
        let (x1_re, x1_im) = (w.x_before.re[g], w.x_before.im[g]);
        let z_re = x1_re + beta * (x1_re - w.x.re[g]);
        let z_im = x1_im + beta * (x1_im - w.x.im[g]);
        let gz_re = w.gx_before.re[g] + beta * (w.gx_before.re[g] - w.gx.re[g]);
        let gz_im = w.gx_before.im[g] + beta * (w.gx_before.im[g] - w.gx.im[g]);
        let v_re = z_re + (w.b.re[g] - gz_re) * inverse;
        let v_im = z_im + (w.b.im[g] - gz_im) * inverse;
        let size2 = v_re * v_re + v_im * v_im;
        let keep = if size2 > threshold * threshold { 1.0 - threshold / size2.sqrt() } else { 0.0 };
        let (x_re, x_im) = (keep * v_re, keep * v_im);
        against += (z_re - x_re) * (x_re - x1_re) + (z_im - x_im) * (x_im - x1_im);
        w.x.re[g] = x_re;
        w.x.im[g] = x_im;
    }
    against
}

fn optimal(w: &Work, lambda: f64) -> bool {
    let slack = lambda * TOLERANCE;
    let ceiling2 = (lambda + slack) * (lambda + slack);
    for g in 0..w.x.re.len() {
        let (x_re, x_im) = (w.x.re[g], w.x.im[g]);
        let (r_re, r_im) = (w.b.re[g] - w.gx.re[g], w.b.im[g] - w.gx.im[g]);
        let missed = if x_re == 0.0 && x_im == 0.0 {
            r_re * r_re + r_im * r_im > ceiling2
        } else {
            let scale = lambda / (x_re * x_re + x_im * x_im).sqrt();
            let (e_re, e_im) = (r_re - scale * x_re, r_im - scale * x_im);
            e_re * e_re + e_im * e_im > slack * slack
        };
        if missed {
            return false;
        }
    }
    true
}
