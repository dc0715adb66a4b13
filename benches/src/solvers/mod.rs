//! Ways to solve the impulse response problem, side by side: what the crate's own solver was chosen from.
//!
//! * [`dense`]: the plain reference problem, Φ stored, ISTA on the full grid of G = 3K delays, at most 100 iterations;
//! * [`fft`]: the same with FFT operators;
//! * [`window`]: a room's delays only, through their Gram matrix: ISTA, FISTA with restart, warm start;
//! * [`lanes`]: the windowed FISTA of eight links in eight lanes, bit for bit that of one link.
//!
//! All minimise `F(x) = ½‖Φx − y‖² + λ‖x‖₁` for `‖y‖ = 1`, columns of norm 1 and `λ = 0.1 ‖Φᴴy‖∞` of the full grid.
//! [`Problem::objective`] is F on the full grid, to which a windowed solution is completed by zeros: that is how one is
//! compared with the other. The window's minimum can't be lower than that of the full grid.

pub mod dense;
pub mod fft;
pub mod lanes;
pub mod window;

use crate::recording;
use core::f64::consts::TAU;
use wavewitness_fixtures::channel::{LIGHT_M_S, free_amplitude};
use wavewitness_fixtures::rays::rays;
use wavewitness_fixtures::rng::Rng;
use wavewitness_num::complex::{abs, abs2, unit};
use wavewitness_num::{C64, math};
use wavewitness_types::{LinkId, LinkObservation, Samples, Timestamp, ToneGrid};

/// Delays of the full grid for each tone.
pub const OVERSAMPLING: usize = 3;
/// λ over the largest correlation.
pub const LAMBDA_RATIO: f64 = 0.1;
/// Iterations of the reference problem at most.
pub const DENSE_ITERATIONS: u32 = 100;
/// It also stops when the iterate moves by less than this share of its norm.
pub const DENSE_TOLERANCE: f64 = 1e-4;
/// −32 dB: the noise of an observation.
const ERROR_POWER: f64 = 6.3e-4;

/// One observation for each pair of nodes of the simulated room: the ray tracer's paths on that grid's tones, aligned to
/// the first of them as the aligner would, at unit mean power, with white noise at −32 dB.
pub fn observations(grid: ToneGrid, seed: u64) -> Vec<LinkObservation> {
    let scene = recording::room();
    let centre_hz = f64::from(scene.radio.channel_mhz) * 1e6;
    let mut rng = Rng::new(seed);
    let mut out = Vec::new();
    for tx in &scene.nodes {
        for rx in scene.nodes.iter().filter(|rx| rx.id != tx.id) {
            let paths = rays(&scene.room, &scene.surfaces, tx.position_m, rx.position_m);
            let first_m = paths[0].length_m;
            let mut samples = Samples::zero(grid);
            let (re, im) = samples.parts_mut();
            for path in &paths {
                let a = path.coefficient * free_amplitude(LIGHT_M_S / centre_hz, path.length_m);
                let (carrier, delay) = (path.length_m / LIGHT_M_S, (path.length_m - first_m) / LIGHT_M_S);
                let turn = |hz: f64| unit(-TAU * (hz * delay));
                let mut z = unit(-TAU * (centre_hz * carrier).fract()) * turn(grid.offset_hz(0)) * a;
                let step = turn(grid.spacing_hz());
                for k in 0..grid.tone_count() {
                    re[k] += z.re as f32;
                    im[k] += z.im as f32;
                    let missing = grid.indices().get(k + 1).map_or(1, |next| next - grid.indices()[k]);
                    (0..missing).for_each(|_| z *= step);
                }
            }
            let power = samples.mean_power();
            let (gain, sigma) = (1.0 / power.sqrt(), (0.5 * ERROR_POWER).sqrt());
            let (re, im) = samples.parts_mut();
            for x in re.iter_mut().chain(im) {
                *x = (f64::from(*x) * gain + sigma * rng.gauss()) as f32;
            }
            out.push(LinkObservation {
                link: LinkId(out.len() as u16),
                frames: 1,
                newest: Timestamp(0),
                mean: samples,
                scatter: None,
                change: None,
                rssi_dbm: None,
                noise_dbm: None,
            });
        }
    }
    out
}

/// The reference problem of one tone grid: `Φ[k, g] = exp(−j2π i_k g/G)/√K` with the standard's tone indices.
pub struct Problem {
    /// The tones.
    pub grid: ToneGrid,
    /// Delays of the full grid.
    pub delays: usize,
    /// Φ, one column a delay.
    pub columns: Vec<Vec<C64>>,
}

impl Problem {
    /// Of a tone grid.
    pub fn new(grid: ToneGrid) -> Problem {
        let (tones, delays) = (grid.indices(), OVERSAMPLING * grid.tone_count());
        let norm = 1.0 / (tones.len() as f64).sqrt();
        let entry = |k: i16, g: usize| {
            let turns = (i64::from(k) * g as i64).rem_euclid(delays as i64);
            unit(-TAU * turns as f64 / delays as f64) * norm
        };
        let columns = (0..delays).map(|g| tones.iter().map(|&k| entry(k, g)).collect()).collect();
        Problem { grid, delays, columns }
    }

    /// An observation at unit norm.
    pub fn data(&self, observation: &LinkObservation) -> Vec<C64> {
        let pairs = observation.mean.re().iter().zip(observation.mean.im());
        let raw: Vec<C64> = pairs.map(|(&re, &im)| C64::new(f64::from(re), f64::from(im))).collect();
        let norm = raw.iter().map(|z| abs2(*z)).sum::<f64>().sqrt();
        raw.iter().map(|z| z / norm).collect()
    }

    /// λ of some data.
    pub fn lambda(&self, y: &[C64]) -> f64 {
        let correlation = |c: &Vec<C64>| abs(c.iter().zip(y).map(|(c, y)| c.conj() * y).sum());
        LAMBDA_RATIO * self.columns.iter().map(correlation).fold(0.0, math::max_f64)
    }

    /// F of coefficients on the full grid.
    pub fn objective(&self, y: &[C64], x: &[C64], lambda: f64) -> f64 {
        let mut left = y.to_vec();
        for (column, x) in self.columns.iter().zip(x) {
            left.iter_mut().zip(column).for_each(|(r, c)| *r -= c * x);
        }
        0.5 * left.iter().map(|z| abs2(*z)).sum::<f64>() + lambda * x.iter().map(|z| abs(*z)).sum::<f64>()
    }

    /// Coefficients of consecutive delays, the first of them at bin `first`, as coefficients on the full grid.
    pub fn embed(&self, first: i32, re: &[f64], im: &[f64]) -> Vec<C64> {
        let mut out = vec![C64::default(); self.delays];
        for (i, (&re, &im)) in re.iter().zip(im).enumerate() {
            out[(i64::from(first) + i as i64).rem_euclid(self.delays as i64) as usize] = C64::new(re, im);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    //! Guards the comparison: every candidate solves the problem that it is said to solve, and the solver in use reaches
    //! an objective on the full grid at least as good as the plain reference's.
    use super::*;
    use wavewitness_cir::{Config, Plan, Scratch};

    #[test]
    fn the_solver_in_use_beats_a_hundred_plain_iterations_on_their_own_problem() {
        for grid in ToneGrid::ALL {
            let problem = Problem::new(grid);
            let plan = Plan::new(&Config::default(), grid).unwrap();
            let mut scratch = Scratch::new(&plan);
            let first = -(plan.delays_ns().iter().filter(|&&ns| ns < 0.0).count() as i32);
            let mut dense = dense::Dense::<f32>::new(&problem);
            let (mut better, mut worst) = (0, f64::MIN);
            // The wide grids are slow to solve densely in a test.
            let links = if grid == ToneGrid::He40 { 2 } else { 8 };
            for o in observations(grid, 3).iter().take(links) {
                let y = problem.data(o);
                let lambda = problem.lambda(&y);
                let solution = plan.solve(&o.mean, None, &mut scratch).unwrap();
                assert!(solution.converged);
                let (re, im) = scratch.coefficients();
                let ours = problem.objective(&y, &problem.embed(first, re, im), lambda);
                assert!((solution.objective - ours).abs() < 1e-9, "the window holds the strongest delay");
                dense.solve(&y, lambda);
                let plain = problem.objective(&y, &dense.coefficients(), lambda);
                worst = math::max_f64(worst, ours / plain - 1.0);
                better += u32::from(ours <= plain);
            }
            eprintln!("{}: better in {better} of {links}, at most {worst:+.2e} relative", grid.name());
            assert_eq!(better as usize, links, "{}", grid.name());
        }
    }

    #[test]
    fn the_window_costs_nothing_against_the_full_grids_own_minimum() {
        for grid in [ToneGrid::Legacy20, ToneGrid::Ht20] {
            let problem = Problem::new(grid);
            let window = window::Window::new(grid);
            let mut full = dense::Dense::<f64>::new(&problem);
            full.max_iterations = 20_000;
            full.tolerance = 1e-9;
            for o in observations(grid, 3).iter().take(4) {
                let y = problem.data(o);
                let lambda = problem.lambda(&y);
                full.solve(&y, lambda);
                let minimum = problem.objective(&y, &full.coefficients(), lambda);
                let mut work = window::Work::new(&window);
                window.correlate(&y, &mut work);
                assert!(window.fista(lambda, &mut work, false).1);
                let x = problem.embed(window.first, &work.x.re, &work.x.im);
                let excess = problem.objective(&y, &x, lambda) / minimum - 1.0;
                assert!((-1e-4..1e-4).contains(&excess), "{}: {excess:e}", grid.name());
            }
        }
    }

    #[test]
    fn the_fft_operators_are_the_dense_ones() {
        let problem = Problem::new(ToneGrid::Ht40);
        let o = &observations(ToneGrid::Ht40, 3)[0];
        let y = problem.data(o);
        let lambda = problem.lambda(&y);
        let (mut dense, mut fft) = (dense::Dense::<f32>::new(&problem), fft::Full::new(&problem));
        let iterations = (dense.solve(&y, lambda), fft.solve(&y, lambda));
        assert_eq!(iterations.0, iterations.1);
        let (a, b) = (dense.coefficients(), fft.coefficients());
        let gap = a.iter().zip(&b).map(|(a, b)| abs(a - b)).fold(0.0, math::max_f64);
        assert!(gap < 1e-4, "{gap}");
    }
}
