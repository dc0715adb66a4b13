//! Non-negative sparse least squares over the links of one cycle.
//!
//! With `a_v` the whitened column of voxel v (`a_lv = w_lv / σ_l`), `b_v = a_v / ‖a_v‖` and whitened evidence y:
//!
//! ```text
//! minimise F(u) = ½ ‖B u − y‖² + λ Σ u_v,   u ≥ 0;      image x_v = u_v / ‖a_v‖
//! ```
//!
//! That is a lasso on x with the weight `λ‖a_v‖` on voxel v. Unit columns make u a matched-filter response in standard
//! deviations of the noise, so that one λ bounds the noise of every voxel, in the middle of the mesh and at its rim.

use wavewitness_num::math;
use wavewitness_types::limits::MAX_LINKS;

/// Voxels whose column is shorter than this share of the longest are not observed; the image is zero there. Nothing
/// is observed if the longest is itself below this share of the column of a voxel on every link's segment: normalised,
/// the mere rim of a distant mesh would look like a measurement.
const MIN_COVERAGE: f64 = 0.1;
/// Mean of a standard normal that is cut at zero, `1/√(2π)`.
const RECTIFIED_MEAN: f64 = 0.398_942_280_401_432_7;
/// Standard deviation of the same, `√(1/2 − 1/(2π))`.
const RECTIFIED_SD: f64 = 0.583_794_979_302_894_6;
/// Most products of the power method; its bound holds after any number.
const POWER_ITERATIONS: usize = 50;
/// Lanes in which maxima are taken.
const LANES: usize = 8;
/// The power method ends when its two bounds agree within this.
const POWER_TOLERANCE: f64 = 0.01;

/// How the solver is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub lambda_ratio: f64,
    pub noise_factor: f64,
    pub max_iterations: u32,
    pub tolerance: f64,
    /// True if the evidence is cut at zero, so that its noise has a positive mean.
    pub rectified: bool,
}

/// How a solution came about.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Solved {
    pub iterations: u32,
    pub converged: bool,
    pub step: f64,
    pub lambda: f64,
    /// F at the solution.
    pub objective: f64,
}

/// One inverse problem: the operator of the links present, its step, and every vector of the iteration.
#[derive(Clone, Debug)]
pub(crate) struct Solver {
    voxels: usize,
    /// Raw weights, a row of `voxels` for every link id.
    raw: Vec<f64>,
    /// The weight of a voxel on the link's segment, by link id.
    full: [f64; MAX_LINKS],
    /// 1/σ by link id, 0 where absent: what B was made from.
    whitening: [f64; MAX_LINKS],
    stale: bool,
    rows: usize,
    /// Rows of B in order of link id.
    b: Vec<f64>,
    /// ‖a_v‖; 0 where not observed.
    pub norm: Vec<f64>,
    lipschitz: f64,
    noise_lambda: f64,
    pub y: [f64; MAX_LINKS],
    /// 1/σ by row: the whitened evidence of a level that is common to all links.
    pub flat: [f64; MAX_LINKS],
    /// The solution.
    pub u: Vec<f64>,
    /// `∇½‖Bu − y‖²` at the solution.
    pub gradient: Vec<f64>,
    /// `y − Bu`.
    pub residual: [f64; MAX_LINKS],
    next: Vec<f64>,
    next_gradient: Vec<f64>,
    point: Vec<f64>,
    point_gradient: Vec<f64>,
}

impl Solver {
    pub fn new(voxels: usize) -> Solver {
        let zeros = || vec![0.0; voxels];
        Solver {
            voxels,
            raw: vec![0.0; MAX_LINKS * voxels],
            full: [0.0; MAX_LINKS],
            whitening: [0.0; MAX_LINKS],
            stale: true,
            rows: 0,
            b: vec![0.0; MAX_LINKS * voxels],
            norm: zeros(),
            lipschitz: 0.0,
            noise_lambda: 0.0,
            y: [0.0; MAX_LINKS],
            flat: [0.0; MAX_LINKS],
            u: zeros(),
            gradient: zeros(),
            residual: [0.0; MAX_LINKS],
            next: zeros(),
            next_gradient: zeros(),
            point: zeros(),
            point_gradient: zeros(),
        }
    }

    /// The raw weight row of a link, to be filled by its geometry; `full` is the greatest that a weight can be.
    pub fn raw_row_mut(&mut self, link: usize, full: f64) -> &mut [f64] {
        self.stale = true;
        self.full[link] = full;
        &mut self.raw[link * self.voxels..(link + 1) * self.voxels]
    }

    /// Links in the operator.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The whitened, normalised column entry of a row.
    pub fn entry(&self, row: usize, voxel: usize) -> f64 {
        self.b[row * self.voxels + voxel]
    }

    /// Takes the evidence of the links whose `whitening` (1/σ, by link id) is not zero. The operator and its step are
    /// made anew only when that set or its noise has changed.
    pub fn load(&mut self, whitening: &[f64; MAX_LINKS], values: &[f64; MAX_LINKS], settings: &Settings) {
        if self.stale || self.whitening != *whitening {
            self.whitening = *whitening;
            self.stale = false;
            self.whiten();
            self.lipschitz = self.largest_eigenvalue();
            self.noise_lambda = self.noise_level(settings.rectified);
        }
        let mut row = 0;
        for link in 0..MAX_LINKS {
            if whitening[link] > 0.0 {
                self.y[row] = values[link] * whitening[link];
                self.flat[row] = whitening[link];
                row += 1;
            }
        }
    }

    /// Fills B and the column norms.
    fn whiten(&mut self) {
        let n = self.voxels;
        self.rows = 0;
        self.norm.fill(0.0);
        let mut full = 0.0;
        for link in 0..MAX_LINKS {
            let scale = self.whitening[link];
            if scale > 0.0 {
                let from = &self.raw[link * n..(link + 1) * n];
                let to = &mut self.b[self.rows * n..(self.rows + 1) * n];
                for v in 0..n {
                    to[v] = from[v] * scale;
                    self.norm[v] += to[v] * to[v];
                }
                full += self.full[link] * scale * self.full[link] * scale;
                self.rows += 1;
            }
        }
        let mut longest = 0.0;
        for norm in &mut self.norm {
            *norm = math::sqrt(*norm);
            longest = math::max_f64(longest, *norm);
        }
        let in_reach = longest >= MIN_COVERAGE * math::sqrt(full);
        for norm in &mut self.norm {
            if !in_reach || *norm < MIN_COVERAGE * longest {
                *norm = 0.0;
            }
        }
        for row in self.b[..self.rows * n].chunks_exact_mut(n) {
            for (entry, &norm) in row.iter_mut().zip(&self.norm) {
                *entry = if norm > 0.0 { *entry / norm } else { 0.0 };
            }
        }
    }

    /// An upper bound of the largest eigenvalue of `BᵀB`, by the power method on `K = BBᵀ` (which has the same).
    ///
    /// K has no negative entry, so for any positive vector p `min (Kp)_i/p_i ≤ λmax ≤ max (Kp)_i/p_i` (Collatz 1942,
    /// Wielandt 1950): unlike a Rayleigh quotient the upper one is safe whenever the iteration ends, and needs no
    /// safety factor. It starts cold, so the step is a function of this cycle's links and not of history.
    fn largest_eigenvalue(&self) -> f64 {
        let (m, n) = (self.rows, self.voxels);
        let mut k = [[0.0; MAX_LINKS]; MAX_LINKS];
        for r in 0..m {
            for c in 0..=r {
                k[r][c] = dot(&self.b[r * n..(r + 1) * n], &self.b[c * n..(c + 1) * n]);
                k[c][r] = k[r][c];
            }
        }
        let mut p = [1.0; MAX_LINKS];
        let mut bound = 0.0;
        for _ in 0..POWER_ITERATIONS {
            let mut q = [0.0; MAX_LINKS];
            let (mut low, mut high, mut largest) = (f64::MAX, 0.0, 0.0);
            for r in 0..m {
                for c in 0..m {
                    q[r] += k[r][c] * p[c];
                }
                low = math::min_f64(low, q[r] / p[r]);
                high = math::max_f64(high, q[r] / p[r]);
                largest = math::max_f64(largest, q[r]);
            }
            bound = if bound > 0.0 { math::min_f64(bound, high) } else { high };
            if largest <= 0.0 || high <= low * (1.0 + POWER_TOLERANCE) {
                break;
            }
            for r in 0..m {
                // A link that shares no voxel with the others decays to zero; the bound needs p > 0.
                p[r] = math::max_f64(q[r] / largest, 1e-9);
            }
        }
        bound
    }

    /// The λ above which noise alone gives an all-zero image in nearly every cycle.
    ///
    /// At u = 0 voxel v stays out while `b_vᵀ y ≤ λ`. For white y that correlation is N(0, 1), and the largest of N
    /// such stays below `√(2 ln N)` with probability → 1 (Donoho and Johnstone 1994, universal threshold). Evidence
    /// that is cut at zero has the mean 0.399 and the deviation 0.584 per link, hence `0.399 Σ_l b_lv + 0.584 √(2 ln N)`.
    fn noise_level(&mut self, rectified: bool) -> f64 {
        let observed = self.norm.iter().filter(|&&x| x > 0.0).count();
        let universal = math::sqrt(2.0 * math::ln(math::max_f64(observed as f64, 2.0)));
        let mut level = universal;
        if rectified {
            let n = self.voxels;
            self.next.fill(0.0);
            for row in self.b[..self.rows * n].chunks_exact(n) {
                for (total, entry) in self.next.iter_mut().zip(row) {
                    *total += entry;
                }
            }
            for total in &self.next {
                level = math::max_f64(level, RECTIFIED_MEAN * total + RECTIFIED_SD * universal);
            }
        }
        level
    }

    /// Minimises F from zero. FISTA (Beck and Teboulle 2009, equations 4.1 to 4.3) that starts over whenever F would
    /// rise (O'Donoghue and Candès 2015, section 3.2), so F never rises; ends when the optimality condition holds.
    pub fn solve(&mut self, settings: &Settings) -> Solved {
        self.u.fill(0.0);
        self.residual = [0.0; MAX_LINKS];
        self.residual[..self.rows].copy_from_slice(&self.y[..self.rows]);
        correlate(&self.b, &self.residual[..self.rows], &mut self.gradient);
        let mut strongest = 0.0;
        for g in &mut self.gradient {
            *g = -*g;
            strongest = math::max_f64(strongest, -*g);
        }
        let floor = self.noise_lambda * settings.noise_factor;
        let lambda = math::max_f64(settings.lambda_ratio * strongest, floor);
        let objective = 0.5 * dot(&self.y[..self.rows], &self.y[..self.rows]);
        let mut solved = Solved { iterations: 0, converged: true, step: 0.0, lambda, objective };
        if self.lipschitz > 0.0 {
            solved.step = 1.0 / self.lipschitz;
            self.iterate(settings, &mut solved);
        }
        solved
    }

    fn iterate(&mut self, settings: &Settings, solved: &mut Solved) {
        let (lambda, step, n) = (solved.lambda, solved.step, self.voxels);
        self.point.copy_from_slice(&self.u);
        self.point_gradient.copy_from_slice(&self.gradient);
        let mut t = 1.0;
        solved.converged = self.violation(lambda) <= settings.tolerance * lambda;
        while !solved.converged && solved.iterations < settings.max_iterations {
            solved.iterations += 1;
            let (next, point, slope) = (&mut self.next[..n], &self.point[..n], &self.point_gradient[..n]);
            for v in 0..n {
                next[v] = math::max_f64(0.0, point[v] - step * (slope[v] + lambda));
            }
            let mut penalty = 0.0;
            for &u in &*next {
                penalty += u;
            }
            let mut residual = [0.0; MAX_LINKS];
            for row in 0..self.rows {
                residual[row] = self.y[row] - dot(&self.b[row * n..(row + 1) * n], next);
            }
            let misfit = dot(&residual[..self.rows], &residual[..self.rows]);
            let objective = 0.5 * misfit + lambda * penalty;
            if objective > solved.objective {
                if t == 1.0 {
                    break; // A plain gradient step can't descend any more: this is as exact as the arithmetic.
                }
                t = 1.0;
                self.point.copy_from_slice(&self.u);
                self.point_gradient.copy_from_slice(&self.gradient);
                continue;
            }
            correlate(&self.b, &residual[..self.rows], &mut self.next_gradient);
            let t_next = 0.5 * (1.0 + math::sqrt(1.0 + 4.0 * t * t));
            self.advance((t - 1.0) / t_next);
            self.residual = residual;
            solved.objective = objective;
            t = t_next;
            solved.converged = self.violation(lambda) <= settings.tolerance * lambda;
        }
    }

    /// Takes the step to `next`, and extrapolates the point of the one after it.
    fn advance(&mut self, momentum: f64) {
        let n = self.voxels;
        let (u, gradient) = (&mut self.u[..n], &mut self.gradient[..n]);
        let (point, slope) = (&mut self.point[..n], &mut self.point_gradient[..n]);
        let (next, correlation) = (&self.next[..n], &self.next_gradient[..n]);
        for v in 0..n {
            // The gradient is affine in u, so its value at the extrapolated point costs no product.
            let at_next = -correlation[v];
            point[v] = next[v] + momentum * (next[v] - u[v]);
            slope[v] = at_next + momentum * (at_next - gradient[v]);
            u[v] = next[v];
            gradient[v] = at_next;
        }
    }

    /// Largest violation of the Karush–Kuhn–Tucker conditions: `g_v + λ = 0` where u_v > 0, `g_v + λ ≥ 0` elsewhere.
    pub fn violation(&self, lambda: f64) -> f64 {
        // In lanes: a greatest value is the same in any order.
        let slack = |u: f64, g: f64| {
            let slack = g + lambda;
            if u > 0.0 { slack.abs() } else { -slack }
        };
        let mut worst = [0.0; LANES];
        let (u, g) = (self.u.chunks_exact(LANES), self.gradient.chunks_exact(LANES));
        for (&u, &g) in u.remainder().iter().zip(g.remainder()) {
            worst[0] = math::max_f64(worst[0], slack(u, g));
        }
        for (u, g) in u.zip(g) {
            for l in 0..LANES {
                worst[l] = math::max_f64(worst[l], slack(u[l], g[l]));
            }
        }
        worst.into_iter().fold(0.0, math::max_f64)
    }
}

/// `out = Bᵀ r`, rows in order: two at a time, so that `out` is read and written half as often.
fn correlate(b: &[f64], r: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    let n = out.len();
    let (rows, values) = (b.chunks_exact(2 * n), r.chunks_exact(2));
    let last = values.remainder();
    for (rows, values) in rows.zip(values) {
        let (first, second) = rows.split_at(n);
        for v in 0..n {
            out[v] = out[v] + first[v] * values[0] + second[v] * values[1];
        }
    }
    if let [value] = last {
        let from = (r.len() - 1) * n;
        for (o, &w) in out.iter_mut().zip(&b[from..from + n]) {
            *o += w * value;
        }
    }
}

/// Inner product in eight lanes, which are then added in order: one written order, and it vectorises.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let mut tail = 0.0;
    for (x, y) in a_blocks.remainder().iter().zip(b_blocks.remainder()) {
        tail += x * y;
    }
    for (x, y) in a_blocks.zip(b_blocks) {
        for k in 0..8 {
            lanes[k] += x[k] * y[k];
        }
    }
    for lane in lanes {
        tail += lane;
    }
    tail
}

#[cfg(test)]
#[path = "solver_tests.rs"]
mod tests;
