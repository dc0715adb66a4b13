//! FISTA on the Gram form of the problem: after `b = Φᴴy` the tones are not needed any more.
//!
//! Beck & Teboulle (2009), SIAM J. Imaging Sci. 2(1), eqs. 4.1–4.3; adaptive restart by the gradient scheme of
//! O'Donoghue & Candès (2015), Found. Comput. Math. 15.

use wavewitness_num::math;

/// A complex vector, real and imaginary parts apart.
#[derive(Clone, Debug)]
pub(crate) struct Split {
    pub re: Vec<f64>,
    pub im: Vec<f64>,
}

impl Split {
    pub(crate) fn zero(n: usize) -> Split {
        Split { re: vec![0.0; n], im: vec![0.0; n] }
    }

    pub(crate) fn clear(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }

    /// `Re⟨self, other⟩ = Re Σ conj(self) other`, first to last.
    pub(crate) fn inner_re(&self, other: &Split) -> f64 {
        let mut total = 0.0;
        for g in 0..self.re.len() {
            total += self.re[g] * other.re[g] + self.im[g] * other.im[g];
        }
        total
    }

    /// `Σ |self|`, first to last.
    pub(crate) fn norm1(&self) -> f64 {
        let mut total = 0.0;
        for g in 0..self.re.len() {
            total += math::sqrt(self.re[g] * self.re[g] + self.im[g] * self.im[g]);
        }
        total
    }
}

/// The real symmetric Toeplitz matrix `ΦᴴΦ` of a window of delays (real because the tones are symmetric about DC).
#[derive(Clone, Debug)]
pub(crate) struct Gram {
    /// `kernel[n − 1 + d]` is the entry at column distance `d`: column `h` is the slice that starts at `n − 1 − h`.
    kernel: Vec<f64>,
    size: usize,
}

impl Gram {
    /// From the entries at distance 0, 1, … `n − 1`.
    pub(crate) fn new(first_column: &[f64]) -> Gram {
        let size = first_column.len();
        let kernel = (0..2 * size - 1).map(|i| first_column[i.abs_diff(size - 1)]).collect();
        Gram { kernel, size }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// `out ← G x`, column by column over the nonzero entries of `x`: the sparser, the faster.
    pub(crate) fn apply(&self, x: &Split, out: &mut Split) {
        out.clear();
        for h in 0..self.size {
            let (xr, xi) = (x.re[h], x.im[h]);
            if xr == 0.0 && xi == 0.0 {
                continue;
            }
            let column = &self.kernel[self.size - 1 - h..2 * self.size - 1 - h];
            for ((o_re, o_im), k) in out.re.iter_mut().zip(&mut out.im).zip(column) {
                *o_re += k * xr;
                *o_im += k * xi;
            }
        }
    }
}

/// Working storage of [`fista`]; the solution is `x`, its image under the Gram matrix `gx`.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub b: Split,
    pub x: Split,
    pub gx: Split,
    x_before: Split,
    gx_before: Split,
}

impl Work {
    pub(crate) fn new(n: usize) -> Work {
        Work {
            b: Split::zero(n),
            x: Split::zero(n),
            gx: Split::zero(n),
            x_before: Split::zero(n),
            gx_before: Split::zero(n),
        }
    }
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub lambda: f64,
    /// Upper bound of the largest eigenvalue of the Gram matrix.
    pub lipschitz: f64,
    pub max_iterations: u32,
    pub tolerance: f64,
}

/// Minimises `½ xᴴGx − Re bᴴx + λ‖x‖₁` from zero. Returns the iterations and whether the optimality condition holds.
pub(crate) fn fista(gram: &Gram, w: &mut Work, limits: Limits) -> (u32, bool) {
    w.x.clear();
    w.gx.clear();
    w.x_before.clear();
    w.gx_before.clear();
    let mut t = 1.0f64;
    let mut beta = 0.0f64;
    for iteration in 1..=limits.max_iterations {
        core::mem::swap(&mut w.x, &mut w.x_before);
        core::mem::swap(&mut w.gx, &mut w.gx_before);
        // Now `before` is the newest iterate, and `x`, `gx` hold the one before it until they are overwritten.
        let rising = step(w, beta, &limits);
        gram.apply(&w.x, &mut w.gx);
        if optimal(w, &limits) {
            return (iteration, true);
        }
        if rising {
            t = 1.0;
            beta = 0.0;
        } else {
            let t_next = 0.5 * (1.0 + math::sqrt(1.0 + 4.0 * t * t));
            beta = (t - 1.0) / t_next;
            t = t_next;
        }
    }
    (limits.max_iterations, false)
}

/// One proximal step from `z = x₁ + β (x₁ − x₀)`, where `x₁` is `x_before` and `x₀` lies in `x`, which it overwrites.
/// `Gz` follows from `Gx₁` and `Gx₀` by linearity. True if the step goes against the momentum (restart).
fn step(w: &mut Work, beta: f64, limits: &Limits) -> bool {
    let inverse_l = 1.0 / limits.lipschitz;
    let threshold = limits.lambda * inverse_l;
    let threshold2 = threshold * threshold;
    let mut against = 0.0;
    for g in 0..w.x.re.len() {
        let (x1_re, x1_im) = (w.x_before.re[g], w.x_before.im[g]);
        let z_re = x1_re + beta * (x1_re - w.x.re[g]);
        let z_im = x1_im + beta * (x1_im - w.x.im[g]);
        let gz_re = w.gx_before.re[g] + beta * (w.gx_before.re[g] - w.gx.re[g]);
        let gz_im = w.gx_before.im[g] + beta * (w.gx_before.im[g] - w.gx.im[g]);
        let v_re = z_re + (w.b.re[g] - gz_re) * inverse_l;
        let v_im = z_im + (w.b.im[g] - gz_im) * inverse_l;
        let magnitude2 = v_re * v_re + v_im * v_im;
        // Complex soft threshold: shorten the vector by the threshold, keep its direction.
        let keep = if magnitude2 > threshold2 { 1.0 - threshold / math::sqrt(magnitude2) } else { 0.0 };
        let (x_re, x_im) = (keep * v_re, keep * v_im);
        against += (z_re - x_re) * (x_re - x1_re) + (z_im - x_im) * (x_im - x1_im);
        w.x.re[g] = x_re;
        w.x.im[g] = x_im;
    }
    against > 0.0
}

/// Whether `r = b − Gx` is λ times a subgradient of `‖x‖₁`, to the tolerance: `r = λ x/|x|` on the support, `|r| ≤ λ` off.
fn optimal(w: &Work, limits: &Limits) -> bool {
    let lambda = limits.lambda;
    let slack = lambda * limits.tolerance;
    let ceiling2 = (lambda + slack) * (lambda + slack);
    for g in 0..w.x.re.len() {
        let (x_re, x_im) = (w.x.re[g], w.x.im[g]);
        let (r_re, r_im) = (w.b.re[g] - w.gx.re[g], w.b.im[g] - w.gx.im[g]);
        let missed = if x_re == 0.0 && x_im == 0.0 {
            r_re * r_re + r_im * r_im > ceiling2
        } else {
            let scale = lambda / math::sqrt(x_re * x_re + x_im * x_im);
            let (e_re, e_im) = (r_re - scale * x_re, r_im - scale * x_im);
            e_re * e_re + e_im * e_im > slack * slack
        };
        if missed {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    //! Guards the matrix form: the Toeplitz slices are the matrix that they stand for.
    use super::*;

    #[test]
    fn the_kernel_slices_are_the_symmetric_matrix() {
        let first = [1.0, 0.8, 0.3, -0.2];
        let gram = Gram::new(&first);
        let x = Split { re: vec![1.0, 0.0, -2.0, 0.5], im: vec![0.0, 0.0, 1.0, -1.0] };
        let mut out = Split::zero(4);
        gram.apply(&x, &mut out);
        for g in 0..4usize {
            let (mut re, mut im) = (0.0, 0.0);
            for h in 0..4usize {
                re += first[g.abs_diff(h)] * x.re[h];
                im += first[g.abs_diff(h)] * x.im[h];
            }
            assert!((out.re[g] - re).abs() < 1e-15 && (out.im[g] - im).abs() < 1e-15);
        }
    }
}
