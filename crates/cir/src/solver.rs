//! The minimum of the ℓ1 problem in its Gram form: after `b = Φᴴy` the tones are not needed any more.
//!
//! An active set grows by the delays that break the optimality condition (as the outer loop of Friedman, Hastie &
//! Tibshirani 2010, J. Stat. Softw. 33(1), section 2.5); on it, FISTA (Beck & Teboulle 2009, SIAM J. Imaging Sci. 2(1),
//! eqs. 4.1–4.3) with the gradient restart of O'Donoghue & Candès (2015), Found. Comput. Math. 15.

use wavewitness_num::math;

/// A new member asks for this share of its own violation: a set that will grow again is not worth solving exactly.
const LOOSE: f64 = 0.1;

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

    /// Empty, with room for `n`.
    fn with_room(n: usize) -> Split {
        Split { re: Vec::with_capacity(n), im: Vec::with_capacity(n) }
    }

    pub(crate) fn clear(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }

    fn copy_from(&mut self, other: &Split) {
        self.re.copy_from_slice(&other.re);
        self.im.copy_from_slice(&other.im);
    }

    fn resize(&mut self, n: usize) {
        self.re.resize(n, 0.0);
        self.im.resize(n, 0.0);
    }

    /// Squared magnitude of an entry.
    pub(crate) fn energy(&self, g: usize) -> f64 {
        self.re[g] * self.re[g] + self.im[g] * self.im[g]
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
            total += self.energy(g).sqrt();
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

    pub(crate) fn column(&self, h: usize) -> &[f64] {
        &self.kernel[self.size - 1 - h..2 * self.size - 1 - h]
    }

    /// `out ← G x`, column by column over the nonzero entries of `x`: the sparser, the faster.
    pub(crate) fn apply(&self, x: &Split, out: &mut Split) {
        out.clear();
        for h in 0..self.size {
            if x.re[h] != 0.0 || x.im[h] != 0.0 {
                add_column(self.column(h), x.re[h], x.im[h], out);
            }
        }
    }
}

/// `out ← out + column · (re + j im)`.
fn add_column(column: &[f64], re: f64, im: f64, out: &mut Split) {
    for ((o_re, o_im), k) in out.re.iter_mut().zip(&mut out.im).zip(column) {
        *o_re += k * re;
        *o_im += k * im;
    }
}

/// The members of the active set and everything about them, in the order in which they joined.
#[derive(Clone, Debug)]
struct Active {
    bins: Vec<usize>,
    b: Split,
    x: Split,
    gx: Split,
    x_before: Split,
    gx_before: Split,
    /// Their part of the Gram matrix, column by column.
    gram: Vec<f64>,
}

impl Active {
    fn new(n: usize) -> Active {
        let room = || Split::with_room(n);
        Active {
            bins: Vec::with_capacity(n),
            b: room(),
            x: room(),
            gx: room(),
            x_before: room(),
            gx_before: room(),
            gram: Vec::with_capacity(n * n),
        }
    }

    fn clear(&mut self) {
        let Active { bins, b, x, gx, x_before, gx_before, gram } = self;
        bins.clear();
        gram.clear();
        for v in [b, x, gx, x_before, gx_before] {
            v.resize(0);
        }
    }

    /// `gx ← G x` within the set.
    fn image(&mut self) {
        let m = self.bins.len();
        self.gx.clear();
        for (h, column) in self.gram.chunks_exact(m).enumerate() {
            if self.x.re[h] != 0.0 || self.x.im[h] != 0.0 {
                add_column(column, self.x.re[h], self.x.im[h], &mut self.gx);
            }
        }
    }
}

/// Working storage of [`minimise`]; the data are `b`, the solution is `x`, what it leaves of `b` is `left = b − Gx`.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub b: Split,
    pub x: Split,
    pub left: Split,
    member: Vec<bool>,
    active: Active,
}

impl Work {
    pub(crate) fn new(n: usize) -> Work {
        Work {
            b: Split::zero(n),
            x: Split::zero(n),
            left: Split::zero(n),
            member: vec![false; n],
            active: Active::new(n),
        }
    }

    fn join(&mut self, g: usize) {
        self.member[g] = true;
        let Active { bins, b, x, .. } = &mut self.active;
        bins.push(g);
        b.re.push(self.b.re[g]);
        b.im.push(self.b.im[g]);
        x.re.push(0.0);
        x.im.push(0.0);
    }

    /// Lets the delays join that break the condition `|left| ≤ limit`: the peaks among them, or all if no peak is new.
    /// Returns by how much the worst of them does, if any.
    fn grow(&mut self, limit: f64) -> Option<f64> {
        let limit2 = limit * limit;
        let n = self.member.len();
        let mut worst2 = -1.0;
        for peaks_only in [true, false] {
            let mut before = -1.0;
            let mut here = self.left.energy(0);
            for g in 0..n {
                let after = if g + 1 < n { self.left.energy(g + 1) } else { -1.0 };
                let peak = here >= before && here > after;
                if here > limit2 && !self.member[g] && (peak || !peaks_only) {
                    self.join(g);
                    worst2 = math::max_f64(worst2, here);
                }
                (before, here) = (here, after);
            }
            if worst2 >= 0.0 {
                return Some(worst2.sqrt() - limit);
            }
        }
        None
    }

    /// Spreads the solution over the whole window and takes it out of the data.
    fn settle(&mut self, gram: &Gram) {
        self.x.clear();
        self.left.copy_from(&self.b);
        for (a, &g) in self.active.bins.iter().enumerate() {
            let (re, im) = (self.active.x.re[a], self.active.x.im[a]);
            if re != 0.0 || im != 0.0 {
                self.x.re[g] = re;
                self.x.im[g] = im;
                add_column(gram.column(g), -re, -im, &mut self.left);
            }
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

/// Minimises `½ xᴴGx − Re bᴴx + λ‖x‖₁` from zero. Returns the iterations and whether the optimality condition holds:
/// `r = b − Gx` is λ times a subgradient of `‖x‖₁` to the tolerance, `r = λ x/|x|` on the support and `|r| ≤ λ` off it.
pub(crate) fn minimise(gram: &Gram, w: &mut Work, limits: Limits) -> (u32, bool) {
    w.active.clear();
    w.member.fill(false);
    w.x.clear();
    w.left.copy_from(&w.b);
    let slack = limits.lambda * limits.tolerance;
    // Half for the set, so that the other half is there for what rounding adds when all is computed anew.
    let tight = 0.5 * slack;
    let mut reached = tight;
    let mut iterations = 0;
    loop {
        let grown = w.grow(limits.lambda + slack);
        if grown.is_none() && reached <= tight {
            return (iterations, true);
        }
        reached = math::max_f64(tight, LOOSE * grown.unwrap_or(0.0));
        let solved = fista(gram, &mut w.active, &limits, reached, &mut iterations);
        w.settle(gram);
        if !solved {
            return (iterations, false);
        }
    }
}

/// FISTA on the active set from where it is, until the condition holds within it to `slack`. False if the iterations ran
/// out.
fn fista(gram: &Gram, active: &mut Active, limits: &Limits, slack: f64, iterations: &mut u32) -> bool {
    let m = active.bins.len();
    active.gram.clear();
    // Gershgorin: no eigenvalue of the part exceeds its largest absolute row sum (nor the bound of the whole).
    let mut lipschitz = 0.0;
    for h in 0..m {
        let column = gram.column(active.bins[h]);
        let mut row = 0.0;
        for &g in &active.bins {
            row += column[g].abs();
            active.gram.push(column[g]);
        }
        lipschitz = math::max_f64(lipschitz, row);
    }
    lipschitz = math::min_f64(lipschitz, limits.lipschitz);
    for v in [&mut active.gx, &mut active.x_before, &mut active.gx_before] {
        v.resize(m);
    }
    active.image();
    active.x_before.copy_from(&active.x);
    active.gx_before.copy_from(&active.gx);
    let mut t = 1.0f64;
    let mut beta = 0.0f64;
    while *iterations < limits.max_iterations {
        *iterations += 1;
        core::mem::swap(&mut active.x, &mut active.x_before);
        core::mem::swap(&mut active.gx, &mut active.gx_before);
        // Now `before` is the newest iterate, and `x`, `gx` hold the one before it until they are overwritten.
        let rising = step(active, beta, limits.lambda, lipschitz);
        active.image();
        if optimal(active, limits.lambda, slack) {
            return true;
        }
        if rising {
            t = 1.0;
            beta = 0.0;
        } else {
            let t_next = 0.5 * (1.0 + (1.0 + 4.0 * t * t).sqrt());
            beta = (t - 1.0) / t_next;
            t = t_next;
        }
    }
    false
}

/// One proximal step from `z = x₁ + β (x₁ − x₀)`, where `x₁` is `x_before` and `x₀` lies in `x`, which it overwrites.
/// `Gz` follows from `Gx₁` and `Gx₀` by linearity. True if the step goes against the momentum (restart).
fn step(active: &mut Active, beta: f64, lambda: f64, lipschitz: f64) -> bool {
    let inverse_l = 1.0 / lipschitz;
    let threshold = lambda * inverse_l;
    let threshold2 = threshold * threshold;
    let m = active.bins.len();
    let (b_re, b_im) = (&active.b.re[..m], &active.b.im[..m]);
    let (x1_re, x1_im) = (&active.x_before.re[..m], &active.x_before.im[..m]);
    let (g1_re, g1_im) = (&active.gx_before.re[..m], &active.gx_before.im[..m]);
    let (g0_re, g0_im) = (&active.gx.re[..m], &active.gx.im[..m]);
    let (x0_re, x0_im) = (&mut active.x.re[..m], &mut active.x.im[..m]);
    let mut against = 0.0;
    for a in 0..m {
        let z_re = x1_re[a] + beta * (x1_re[a] - x0_re[a]);
        let z_im = x1_im[a] + beta * (x1_im[a] - x0_im[a]);
        let gz_re = g1_re[a] + beta * (g1_re[a] - g0_re[a]);
        let gz_im = g1_im[a] + beta * (g1_im[a] - g0_im[a]);
        let v_re = z_re + (b_re[a] - gz_re) * inverse_l;
        let v_im = z_im + (b_im[a] - gz_im) * inverse_l;
        let magnitude2 = v_re * v_re + v_im * v_im;
        // Complex soft threshold: shorten the vector by the threshold, keep its direction.
        let keep = if magnitude2 > threshold2 { 1.0 - threshold / magnitude2.sqrt() } else { 0.0 };
        let (x_re, x_im) = (keep * v_re, keep * v_im);
        against += (z_re - x_re) * (x_re - x1_re[a]) + (z_im - x_im) * (x_im - x1_im[a]);
        x0_re[a] = x_re;
        x0_im[a] = x_im;
    }
    against > 0.0
}

/// Whether the optimality condition holds within the set, to `slack`.
fn optimal(active: &Active, lambda: f64, slack: f64) -> bool {
    let ceiling2 = (lambda + slack) * (lambda + slack);
    for a in 0..active.bins.len() {
        let (x_re, x_im) = (active.x.re[a], active.x.im[a]);
        let (r_re, r_im) = (active.b.re[a] - active.gx.re[a], active.b.im[a] - active.gx.im[a]);
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

#[cfg(test)]
mod tests {
    //! Guards the matrix form (the Toeplitz slices are the matrix that they stand for) and the growth of the active set.
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

    #[test]
    fn the_set_grows_by_peaks_first_then_by_whatever_is_left_above_the_limit() {
        let mut w = Work::new(6);
        w.left.re = vec![0.5, 3.0, 2.0, 0.1, 2.5, 2.5];
        assert_eq!(w.grow(1.0), Some(2.0));
        assert_eq!(w.active.bins, [1, 5], "of equal neighbours the later is the peak");
        assert_eq!(w.grow(1.0), Some(1.5));
        assert_eq!(w.active.bins, [1, 5, 2, 4]);
        assert_eq!(w.grow(1.0), None);
    }

    #[test]
    fn without_correlation_the_minimum_is_the_soft_threshold() {
        let gram = Gram::new(&[1.0, 0.0, 0.0]);
        let mut w = Work::new(3);
        w.b = Split { re: vec![3.0, 0.5, 0.0], im: vec![4.0, 0.0, -2.0] };
        let limits = Limits { lambda: 1.0, lipschitz: 1.0, max_iterations: 50, tolerance: 1e-9 };
        let (iterations, converged) = minimise(&gram, &mut w, limits);
        assert!(converged && iterations < 50);
        for (found, exact) in w.x.re.iter().zip([2.4, 0.0, 0.0]).chain(w.x.im.iter().zip([3.2, 0.0, -1.0])) {
            assert!((found - exact).abs() < 1e-9, "{:?}", w.x);
        }
    }
}
