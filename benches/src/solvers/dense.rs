//! The plain dense solver: ISTA (Daubechies, Defrise & De Mol 2004) with Φ stored, in either precision.
//!
//! It is no straw man: Φ is stored twice, by row and by column, so that both products are elementwise updates that
//! vectorise, and the step is the true one, 1/3.

use super::{DENSE_ITERATIONS, DENSE_TOLERANCE, OVERSAMPLING, Problem};
use wavewitness_num::C64;

/// A float type of the dense solver.
pub trait Real: Copy + PartialOrd + core::ops::AddAssign + core::ops::SubAssign {
    /// Zero.
    const ZERO: Self;
    /// Rounded from `f64`.
    fn of(x: f64) -> Self;
    /// Exactly as `f64`.
    fn wide(self) -> f64;
    /// Sum.
    fn plus(self, other: Self) -> Self;
    /// Product.
    fn times(self, other: Self) -> Self;
    /// Quotient.
    fn over(self, other: Self) -> Self;
    /// Square root.
    fn root(self) -> Self;
}

macro_rules! real {
    ($t:ty) => {
        impl Real for $t {
            const ZERO: $t = 0.0;
            fn of(x: f64) -> $t {
                x as $t
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
            fn plus(self, other: $t) -> $t {
                self + other
            }
            fn times(self, other: $t) -> $t {
                self * other
            }
            fn over(self, other: $t) -> $t {
                self / other
            }
            fn root(self) -> $t {
                self.sqrt()
            }
        }
    };
}
real!(f32);
real!(f64);

/// The solver with its matrix and its working storage.
pub struct Dense<T> {
    /// Iterations at most.
    pub max_iterations: u32,
    /// Relative step at which it stops.
    pub tolerance: f64,
    tones: usize,
    delays: usize,
    /// By column (delay): real, imaginary.
    columns: (Vec<T>, Vec<T>),
    /// By row (tone).
    rows: (Vec<T>, Vec<T>),
    x: (Vec<T>, Vec<T>),
    left: (Vec<T>, Vec<T>),
    gradient: (Vec<T>, Vec<T>),
}

impl<T: Real> Dense<T> {
    /// Of a problem.
    pub fn new(problem: &Problem) -> Dense<T> {
        let (tones, delays) = (problem.grid.tone_count(), problem.delays);
        let table = |f: fn(&C64) -> f64| -> (Vec<T>, Vec<T>) {
            let columns = problem.columns.iter().flatten().map(|z| T::of(f(z))).collect();
            let rows =
                (0..tones * delays).map(|i| T::of(f(&problem.columns[i % delays][i / delays]))).collect();
            (columns, rows)
        };
        let (re, im) = (table(|z| z.re), table(|z| z.im));
        let zero = |n: usize| (vec![T::ZERO; n], vec![T::ZERO; n]);
        Dense {
            max_iterations: DENSE_ITERATIONS,
            tolerance: DENSE_TOLERANCE,
            tones,
            delays,
            columns: (re.0, im.0),
            rows: (re.1, im.1),
            x: zero(delays),
            left: zero(tones),
            gradient: zero(delays),
        }
    }

    /// Solves from zero; returns the iterations.
    pub fn solve(&mut self, y: &[C64], lambda: f64) -> u32 {
        self.x.0.fill(T::ZERO);
        self.x.1.fill(T::ZERO);
        for iteration in 1..=self.max_iterations {
            self.residual(y);
            self.correlate();
            let (moved2, norm2) = self.step(lambda);
            if moved2 <= self.tolerance * self.tolerance * norm2 {
                return iteration;
            }
        }
        self.max_iterations
    }

    /// The solution.
    pub fn coefficients(&self) -> Vec<C64> {
        self.x.0.iter().zip(&self.x.1).map(|(re, im)| C64::new(re.wide(), im.wide())).collect()
    }

    /// `left ← y − Φx`.
    fn residual(&mut self, y: &[C64]) {
        for (k, z) in y.iter().enumerate() {
            (self.left.0[k], self.left.1[k]) = (T::of(z.re), T::of(z.im));
        }
        for g in 0..self.delays {
            let (x_re, x_im) = (self.x.0[g], self.x.1[g]);
            let part = g * self.tones..(g + 1) * self.tones;
            let column = self.columns.0[part.clone()].iter().zip(&self.columns.1[part]);
            for ((r_re, r_im), (&c_re, &c_im)) in self.left.0.iter_mut().zip(&mut self.left.1).zip(column) {
                *r_re -= c_re.times(x_re);
                *r_re += c_im.times(x_im);
                *r_im -= c_re.times(x_im);
                *r_im -= c_im.times(x_re);
            }
        }
    }

    /// `gradient ← Φᴴ left`.
    fn correlate(&mut self) {
        self.gradient.0.fill(T::ZERO);
        self.gradient.1.fill(T::ZERO);
        for k in 0..self.tones {
            let (r_re, r_im) = (self.left.0[k], self.left.1[k]);
            let part = k * self.delays..(k + 1) * self.delays;
            let row = self.rows.0[part.clone()].iter().zip(&self.rows.1[part]);
            for ((b_re, b_im), (&c_re, &c_im)) in
                self.gradient.0.iter_mut().zip(&mut self.gradient.1).zip(row)
            {
                *b_re += c_re.times(r_re);
                *b_re += c_im.times(r_im);
                *b_im += c_re.times(r_im);
                *b_im -= c_im.times(r_re);
            }
        }
    }

    /// One proximal step; how far it went and how long the iterate is, squared.
    fn step(&mut self, lambda: f64) -> (f64, f64) {
        let inverse = T::of(1.0 / OVERSAMPLING as f64);
        let threshold = T::of(lambda / OVERSAMPLING as f64);
        let (mut moved2, mut norm2) = (T::ZERO, T::ZERO);
        for g in 0..self.delays {
            let (x_re, x_im) = (self.x.0[g], self.x.1[g]);
            let re = x_re.plus(self.gradient.0[g].times(inverse));
            let im = x_im.plus(self.gradient.1[g].times(inverse));
            let size = re.times(re).plus(im.times(im)).root();
            let mut keep = T::ZERO;
            if size > threshold {
                keep = size;
                keep -= threshold;
                keep = keep.over(size);
            }
            let (next_re, next_im) = (re.times(keep), im.times(keep));
            let (mut d_re, mut d_im) = (next_re, next_im);
            d_re -= x_re;
            d_im -= x_im;
            moved2 += d_re.times(d_re).plus(d_im.times(d_im));
            norm2 += next_re.times(next_re).plus(next_im.times(next_im));
            (self.x.0[g], self.x.1[g]) = (next_re, next_im);
        }
        (moved2.wide(), norm2.wide())
    }
}
