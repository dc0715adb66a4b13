//! The plan of one tone grid and the estimate.

use crate::config::Config;
use crate::paths::{self, Path};
use crate::solver::{self, Gram, Limits, Split, Work};
use wavewitness_num::{C64, math, sum};
use wavewitness_types::limits::MAX_TAPS;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{CirEstimate, ConfigError, LinkId, LinkObservation, Samples, Tap, ToneGrid};

/// Everything that depends on the tone grid alone: delay grid, Gram matrix, correlation table. No dense Φ: the table
/// holds one sine and one cosine for a pair of tones ±k and a pair of delays ±τ ([`Plan::heap_bytes`]).
#[derive(Clone, Debug)]
pub struct Plan {
    grid: ToneGrid,
    delays_ns: Vec<f64>,
    gram: Gram,
    /// Where delay 0 is in the window.
    origin: usize,
    /// Whole bins from delay 0 to the farther end of the window, both included.
    reach: usize,
    /// `cos 2πkΔfτ_g / √K` for the positive tones k ascending, the bins 0, 1, … `reach − 1` innermost.
    cosines: Vec<f64>,
    /// `sin 2πkΔfτ_g / √K` likewise.
    sines: Vec<f64>,
    oversampling: u32,
    lambda_ratio: f64,
    /// λ² over the noise power of a correlation: the most that noise alone reaches but for the false alarms allowed.
    noise_factor: f64,
    lipschitz: f64,
    max_iterations: u32,
    tolerance: f64,
}

/// Working storage, reused from call to call; one fits every plan it was made for.
#[derive(Clone, Debug)]
pub struct Scratch {
    work: Work,
    /// Even and odd part of the correlation by delay: what `y_k + y_−k` and `y_k − y_−k` give.
    even: Split,
    odd: Split,
    one: Split,
    image: Split,
    paths: Vec<Path>,
}

impl Scratch {
    /// Storage for `plan`.
    pub fn new(plan: &Plan) -> Scratch {
        let n = plan.gram.size();
        Scratch {
            work: Work::new(n),
            even: Split::zero(plan.reach),
            odd: Split::zero(plan.reach),
            one: Split::zero(n),
            image: Split::zero(n),
            paths: Vec::with_capacity(n),
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let n = self.one.re.len();
        // Five vectors of the window and five of the active set, the two parts; the matrix, members, bins, paths.
        let complex = 16 * (5 * n + 5 * n + 2 * self.even.re.len());
        complex + 8 * n * n + n + 8 * n + n * size_of::<Path>()
    }

    /// Correlation of unit data with each delay, as the last solution found it.
    pub(crate) fn correlation(&self) -> impl Fn(usize) -> C64 {
        |g| C64::new(self.work.b.re[g], self.work.b.im[g])
    }

    /// Coefficients that the last [`Plan::solve`] left here: real and imaginary parts, one a delay of the grid.
    pub fn coefficients(&self) -> (&[f64], &[f64]) {
        (&self.work.x.re, &self.work.x.im)
    }
}

/// How the ℓ1 problem ended. In units of the data's norm and of unit-norm columns: `y/‖y‖ ≈ Φx`,
/// `Φ[k, g] = exp(−j2πkΔfτ_g)/√K`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Solution {
    /// The regularisation λ.
    pub lambda: f64,
    /// `½‖Φx − y‖² + λ‖x‖₁`.
    pub objective: f64,
    /// `‖Φx − y‖`.
    pub residual: f64,
    /// Iterations taken.
    pub iterations: u32,
    /// True if the optimality condition holds to the configured tolerance.
    pub converged: bool,
}

impl Plan {
    /// Plans the estimate for one tone grid.
    ///
    /// # Errors
    /// If a configuration value is out of its range.
    pub fn new(config: &Config, grid: ToneGrid) -> Result<Plan, ConfigError> {
        config.check()?;
        let tones = grid.indices();
        let tone_count = tones.len() as f64;
        let pitch_hz = grid.spacing_hz();
        // Oversampled resolution cell: `oversampling · K` bins in one period 1/Δf, so that the bound below is exact.
        let pitch_s = 1.0 / (f64::from(config.oversampling) * tone_count * pitch_hz);
        let pitch_ns = pitch_s * 1e9;
        let first = -bins(-config.delay_min_ns, pitch_ns);
        let last = bins(config.delay_max_ns, pitch_ns);
        let delays_ns: Vec<f64> = (first..=last).map(|g| f64::from(g) * pitch_ns).collect();
        let n = delays_ns.len();
        let phase = |k: i16, bins: f64| {
            // 2π k Δf τ with the spacing cancelled: k · bins / (oversampling · K) turns.
            core::f64::consts::TAU * (f64::from(k) * bins / (f64::from(config.oversampling) * tone_count))
        };
        let positive = &tones[tones.len() / 2..];
        let reach = 1 + (if last > -first { last } else { -first }) as usize;
        let norm = 1.0 / tone_count.sqrt();
        let table = |f: fn(f64) -> f64| -> Vec<f64> {
            let row = |&k: &i16| (0..reach).map(move |g| f(phase(k, g as f64)) * norm);
            positive.iter().flat_map(row).collect()
        };
        let first_column: Vec<f64> = (0..n)
            .map(|d| {
                let mut total = 0.0;
                for &k in positive {
                    total += math::cos(phase(k, d as f64));
                }
                2.0 * total / tone_count
            })
            .collect();
        Ok(Plan {
            grid,
            delays_ns,
            gram: Gram::new(&first_column),
            origin: -first as usize,
            reach,
            cosines: table(math::cos),
            sines: table(math::sin),
            oversampling: config.oversampling,
            lambda_ratio: config.lambda_ratio,
            noise_factor: math::ln(n as f64 / config.noise_false_alarm),
            // The full period of delays gives ΦΦᴴ = oversampling · I; a window is a choice of its columns, so its
            // largest eigenvalue is at most that. Rounding is far below the margin of 1e-9.
            lipschitz: f64::from(config.oversampling) * (1.0 + 1e-9),
            max_iterations: config.max_iterations,
            tolerance: config.tolerance,
        })
    }

    /// The tone grid that this plan is for.
    pub fn grid(&self) -> ToneGrid {
        self.grid
    }

    /// The delays of the grid in nanoseconds, ascending, 0 among them.
    pub fn delays_ns(&self) -> &[f64] {
        &self.delays_ns
    }

    /// Bins of a resolution cell.
    pub(crate) fn cell_bins(&self) -> usize {
        self.oversampling as usize
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        8 * (self.delays_ns.len() + 2 * self.gram.size() - 1 + self.cosines.len() + self.sines.len())
    }

    /// Upper bound of the largest eigenvalue of the Gram matrix: the inverse of the solver's step.
    pub fn lipschitz(&self) -> f64 {
        self.lipschitz
    }

    /// Solves the ℓ1 problem; the coefficients stay in `scratch`. `noise_power` is that of one sample, in its unit
    /// squared, where it is known. `None` if the samples are all zero, not finite, or of another grid.
    ///
    /// # Panics
    /// If `scratch` was made for a plan with another number of delays.
    pub fn solve(
        &self,
        samples: &Samples,
        noise_power: Option<f64>,
        scratch: &mut Scratch,
    ) -> Option<Solution> {
        let energy = self.correlate(samples, scratch)?;
        let work = &mut scratch.work;
        let mut largest2 = 0.0;
        for g in 0..self.gram.size() {
            largest2 = math::max_f64(largest2, work.b.energy(g));
        }
        let mut lambda = self.lambda_ratio * largest2.sqrt();
        if let Some(power) = noise_power.filter(|&p| p > 0.0) {
            // A unit column's correlation with noise of that power on every tone is a complex Gaussian of the same
            // power (here over ‖y‖²); the largest of n exceeds √(P ln(n/α)) with probability α, or less (they are not
            // independent).
            let floor2 = math::min_f64(power / energy * self.noise_factor, 1.0);
            lambda = math::max_f64(lambda, floor2.sqrt());
        }
        let limits = Limits {
            lambda,
            lipschitz: self.lipschitz,
            max_iterations: self.max_iterations,
            tolerance: self.tolerance,
        };
        let (iterations, converged) = solver::minimise(&self.gram, work, limits);
        // ‖Φx − y‖² = ‖y‖² − 2 Re xᴴb + xᴴGx with ‖y‖ = 1 and Gx = b − left.
        let left = 1.0 - work.x.inner_re(&work.b) - work.x.inner_re(&work.left);
        let residual2 = math::max_f64(0.0, left);
        let objective = 0.5 * residual2 + lambda * work.x.norm1();
        Some(Solution { lambda, objective, residual: residual2.sqrt(), iterations, converged })
    }

    /// Estimates the sparse impulse response of an observation. Data without energy (or of another grid, or not
    /// finite) gives no taps and residual 1.
    ///
    /// # Panics
    /// If `scratch` was made for a plan with another number of delays.
    pub fn estimate(&self, observation: &LinkObservation, scratch: &mut Scratch) -> CirEstimate {
        let samples = &observation.mean;
        let Some(solution) = self.solve(samples, noise_power(observation), scratch) else {
            return self.nothing(observation.link);
        };
        let Scratch { work, one, image, paths, .. } = scratch;
        paths::group(&work.x, &self.delays_ns, paths);
        let residual = match paths::debias(&self.gram, &work.b, &work.x, paths, one, image) {
            Some(left) => left.sqrt(),
            None => solution.residual,
        };
        let mut out = self.nothing(observation.link);
        out.support = support(&work.x);
        out.residual = residual as f32;
        out.iterations = solution.iterations as u16;
        out.converged = solution.converged;
        summarise(paths, &mut out);
        // A coefficient is relative to ‖y‖ and to columns of norm 1; a tap is the amplitude that each tone sees.
        let scale = samples.mean_power().sqrt();
        keep_strongest(paths, scale, &mut out);
        out
    }

    /// `b ← Φᴴy/‖y‖`; returns ‖y‖², or `None` as [`Plan::solve`] does. With the tones k and −k taken together,
    /// `s = y_k + y_−k` and `d = y_k − y_−k`: `y_k e^{jθ} + y_−k e^{−jθ} = s cos θ + j d sin θ`. The first
    /// is even in the delay, the second odd, so that one sum serves τ and −τ.
    pub(crate) fn correlate(&self, samples: &Samples, scratch: &mut Scratch) -> Option<f64> {
        assert_eq!(scratch.work.b.re.len(), self.gram.size(), "scratch of another plan");
        if samples.grid() != self.grid {
            return None;
        }
        let (re, im) = (samples.re(), samples.im());
        let energy = sum::energy(re, im);
        if !(energy > 0.0 && energy.is_finite()) {
            return None;
        }
        let scale = 1.0 / energy.sqrt();
        let Scratch { work, even, odd, .. } = scratch;
        let half = re.len() / 2;
        even.clear();
        odd.clear();
        let rows = self.cosines.chunks_exact(self.reach).zip(self.sines.chunks_exact(self.reach));
        for (p, (cosines, sines)) in rows.enumerate() {
            let (hi, lo) = (half + p, half - 1 - p);
            let (a_re, a_im) = (f64::from(re[hi]) * scale, f64::from(im[hi]) * scale);
            let (c_re, c_im) = (f64::from(re[lo]) * scale, f64::from(im[lo]) * scale);
            let (s_re, s_im, d_re, d_im) = (a_re + c_re, a_im + c_im, a_re - c_re, a_im - c_im);
            let sums = even.re.iter_mut().zip(&mut even.im).zip(&mut odd.re).zip(&mut odd.im);
            for ((((e_re, e_im), o_re), o_im), (c, s)) in sums.zip(cosines.iter().zip(sines)) {
                *e_re += s_re * c;
                *e_im += s_im * c;
                *o_re -= d_im * s;
                *o_im += d_re * s;
            }
        }
        for g in 0..self.gram.size() {
            let u = g.abs_diff(self.origin);
            let (re, im) = (odd.re[u], odd.im[u]);
            let (re, im) = if g < self.origin { (-re, -im) } else { (re, im) };
            work.b.re[g] = even.re[u] + re;
            work.b.im[g] = even.im[u] + im;
        }
        Some(energy)
    }

    /// [`Plan::correlate`] with one sum a delay, for the test that holds it to this.
    #[cfg(test)]
    pub(crate) fn one_by_one(&self, samples: &Samples, scale: f64) -> (Vec<f64>, Vec<f64>) {
        let (re, im) = (samples.re(), samples.im());
        let half = re.len() / 2;
        let one = |g: usize| {
            let u = g.abs_diff(self.origin);
            let (mut e_re, mut e_im, mut o_re, mut o_im) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
            for p in 0..half {
                let (hi, lo) = (half + p, half - 1 - p);
                let (a_re, a_im) = (f64::from(re[hi]) * scale, f64::from(im[hi]) * scale);
                let (c_re, c_im) = (f64::from(re[lo]) * scale, f64::from(im[lo]) * scale);
                let (c, s) = (self.cosines[p * self.reach + u], self.sines[p * self.reach + u]);
                e_re += (a_re + c_re) * c;
                e_im += (a_im + c_im) * c;
                o_re -= (a_im - c_im) * s;
                o_im += (a_re - c_re) * s;
            }
            if g < self.origin { (e_re + -o_re, e_im + -o_im) } else { (e_re + o_re, e_im + o_im) }
        };
        (0..self.gram.size()).map(one).unzip()
    }

    fn nothing(&self, link: LinkId) -> CirEstimate {
        CirEstimate {
            link,
            grid: self.grid,
            taps: [Tap::default(); MAX_TAPS],
            tap_count: 0,
            support: 0,
            residual: 1.0,
            iterations: 0,
            converged: true,
            dominant_ratio: 0.0,
            delay_spread_ns: 0.0,
        }
    }
}

/// Noise power of one sample of an observation's mean, where it is known: the spread between its frames (noise, and what
/// moved meanwhile) or what the radio's noise floor leaves of its signal strength, whichever is more.
fn noise_power(observation: &LinkObservation) -> Option<f64> {
    let of_one_frame = observation.scatter.map(f64::from);
    let of_the_radio = observation.rssi_dbm.zip(observation.noise_dbm).map(|(signal, noise)| {
        observation.mean.mean_power() * math::pow(10.0, 0.1 * (f64::from(noise) - f64::from(signal)))
    });
    let power = match (of_one_frame, of_the_radio) {
        (Some(a), Some(b)) => math::max_f64(a, b),
        (a, b) => a.or(b)?,
    };
    power.is_finite().then(|| power / f64::from(observation.frames))
}

/// Whole bins within `span_ns`.
fn bins(span_ns: f64, pitch_ns: f64) -> i32 {
    (span_ns / pitch_ns + 1e-9) as i32
}

fn support(x: &Split) -> u16 {
    let mut count = 0;
    for g in 0..x.re.len() {
        count += u16::from(x.re[g] != 0.0 || x.im[g] != 0.0);
    }
    count
}

fn energy(z: C64) -> f64 {
    z.re * z.re + z.im * z.im
}

/// Energy share of the strongest path, and the RMS width of the energy over delay.
fn summarise(paths: &[Path], out: &mut CirEstimate) {
    let (mut total, mut largest, mut moment) = (0.0, 0.0, 0.0);
    for path in paths {
        let e = energy(path.gain);
        total += e;
        largest = math::max_f64(largest, e);
        moment += e * path.delay_ns;
    }
    if total <= 0.0 {
        return;
    }
    let mean = moment / total;
    let mut spread2 = 0.0;
    for path in paths {
        let off = path.delay_ns - mean;
        spread2 += energy(path.gain) / total * (off * off);
    }
    out.dominant_ratio = (largest / total) as f32;
    out.delay_spread_ns = spread2.sqrt() as f32;
}

/// Puts the strongest [`MAX_TAPS`] paths into the estimate, ascending in delay.
fn keep_strongest(paths: &mut [Path], scale: f64, out: &mut CirEstimate) {
    // Of equally strong paths the earlier comes first: the order is total, whatever the sort.
    paths.sort_unstable_by(|a, b| {
        energy(b.gain).total_cmp(&energy(a.gain)).then(a.delay_ns.total_cmp(&b.delay_ns))
    });
    let kept = if paths.len() < MAX_TAPS { paths.len() } else { MAX_TAPS };
    let strongest = &mut paths[..kept];
    strongest.sort_unstable_by(|a, b| a.delay_ns.total_cmp(&b.delay_ns));
    for (tap, path) in out.taps.iter_mut().zip(strongest.iter()) {
        *tap = Tap {
            delay_ns: path.delay_ns as f32,
            re: finite(path.gain.re * scale),
            im: finite(path.gain.im * scale),
        };
    }
    out.tap_count = kept as u16;
}

/// As `f32`, held inside its finite range: samples near its end may have a gain just beyond.
fn finite(x: f64) -> f32 {
    let limit = f64::from(f32::MAX);
    math::max_f64(-limit, math::min_f64(limit, x)) as f32
}
