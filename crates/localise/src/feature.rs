//! From aligned frames to four real signals of a path, and what a scattered wave of each delay is among them.
//!
//! A frame is `h = g e^{j(φ + kθ)} (b + d)`: the baseline b, what a body adds (d), and each packet's own gain, phase and
//! slope. So what d adds along b, jb and jkb can't be told from the packet's own; what remains of a delay's steering vector
//! `e^{−j2πfτ}` has few dimensions, as all delays of a room lie within the resolution of 20 MHz. The five strongest of
//! them are signals; the sixth is d along b, which the signal strength still tells, if roughly.

use crate::phase::{self, Tones};
use crate::spectrum::{HEARD, PAIRS, SPECTRA, pair};
use core::f64::consts::TAU;
use wavewitness_num::{C64, complex, math};
use wavewitness_types::limits::MAX_TONES;
use wavewitness_types::{Baseline, Samples, Timestamp, ToneGrid};

/// Signals of a path: of its channel's shape, strongest first, and of its strength.
pub(crate) const SIGNALS: usize = SHAPES + 1;
pub(crate) const SHAPES: usize = 5;
/// Entries of a symmetric matrix of the shapes: rows of its lower triangle.
pub(crate) const ENTRIES: usize = SHAPES * (SHAPES + 1) / 2;
/// Degrees of the polynomials in the tone that hold every delay of a room: 0 to 6.
const DEGREES: usize = 7;
const REAL: usize = 2 * DEGREES;
/// Phase, slope, gain.
const LOST: usize = 3;
/// Power iterations to each dimension.
const ITERATIONS: usize = 60;
/// Excess paths that are told apart: −1 to 15 m.
const FIRST_M: f64 = -1.0;
const STEP_M: f64 = 0.25;
const COUNT: usize = 65;
/// Scale of excess paths of bodies, m: what the dimensions are chosen for.
const TYPICAL_EXCESS_M: f64 = 3.0;
/// How far a baseline's mean delay may be from what is taken for it, in steps.
const SMEAR: usize = 1;
const LIGHT_M_S: f64 = 299_792_458.0;
/// Departures of strength beyond this are taken as this, dB.
const MOST_DB: f64 = 8.0;
/// Least noise: of samples relative to their channel, and of strength, dB.
const LEAST_NOISE: f64 = 1e-4;
const LEAST_STRENGTH_DB: f64 = 0.3;

/// A delay among the signals whose spectra are looked at: `a aᴴ` by parts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steering {
    pub diagonal: [f32; SPECTRA],
    pub re: [f32; PAIRS],
    pub im: [f32; PAIRS],
}

/// A delay among all signals: the real part of `a aᴴ`, that of the strength by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub shape: [f32; ENTRIES],
    pub strength: f32,
}

/// Place of row k, column q ≤ k in the lower triangle.
pub(crate) const fn entry(k: usize, q: usize) -> usize {
    k * (k + 1) / 2 + q
}

/// What can be averaged.
trait Mean: Copy + Default {
    fn parts(&mut self) -> impl Iterator<Item = &mut f32>;
}

impl Mean for Steering {
    fn parts(&mut self) -> impl Iterator<Item = &mut f32> {
        self.diagonal.iter_mut().chain(&mut self.re).chain(&mut self.im)
    }
}

impl Mean for Moment {
    fn parts(&mut self) -> impl Iterator<Item = &mut f32> {
        self.shape.iter_mut().chain([&mut self.strength])
    }
}

impl Steering {
    fn new(a: &[C64; SIGNALS]) -> Steering {
        let mut s = Steering::default();
        for (k, heard) in HEARD.into_iter().enumerate() {
            s.diagonal[k] = complex::abs2(a[heard]) as f32;
            for q in 0..k {
                let z = complex::conj_mul(a[HEARD[q]], a[heard]);
                let e = pair(k, q);
                (s.re[e], s.im[e]) = (z.re as f32, z.im as f32);
            }
        }
        s
    }

    /// The nearest of a table.
    pub fn of(table: &[Steering], excess_m: f64) -> &Steering {
        &table[nearest(excess_m)]
    }
}

impl Moment {
    fn new(a: &[C64; SIGNALS]) -> Moment {
        let mut m = Moment { strength: complex::abs2(a[SHAPES]) as f32, ..Moment::default() };
        for k in 0..SHAPES {
            for q in 0..=k {
                m.shape[entry(k, q)] = complex::conj_mul(a[q], a[k]).re as f32;
            }
        }
        m
    }

    /// The nearest of a table.
    pub fn of(table: &[Moment], excess_m: f64) -> &Moment {
        &table[nearest(excess_m)]
    }
}

/// What arrives over an excess path, at a tone, of amplitude one.
pub(crate) fn arrival(offset_hz: f64, excess_m: f64) -> C64 {
    complex::unit(-TAU * offset_hz * excess_m / LIGHT_M_S)
}

/// Where a table has an excess path.
pub(crate) fn nearest(excess_m: f64) -> usize {
    let place = math::max_f64(0.0, (excess_m - FIRST_M) / STEP_M + 0.5);
    (place as usize).min(COUNT - 1)
}

/// One direction's baseline.
#[derive(Clone, Debug)]
struct Side {
    completed: Option<Timestamp>,
    mean: Vec<C64>,
    /// Turns its gauge into the path's, tone by tone.
    turn: Vec<C64>,
    rssi_dbm: f64,
    rssi_sd_db: f64,
    variance: f64,
}

/// What frames of a path are measured against. All memory is taken in [`Gauge::new`] and [`Scratch::new`].
#[derive(Clone, Debug)]
pub(crate) struct Gauge {
    grid: ToneGrid,
    sides: [Side; 2],
    first: usize,
    base: Vec<C64>,
    energy: f64,
    /// Real and imaginary weights of each shape.
    shapes: Vec<[f64; SHAPES]>,
    noise: [f64; SIGNALS],
    pub table: Vec<Steering>,
    pub moments: Vec<Moment>,
    /// The vectors a of the same delays, as if the room's mean delay were known: real and imaginary parts.
    pub vectors: Vec<[[f32; 2]; SIGNALS]>,
    /// Received strength of the baseline.
    pub level_dbm: Option<f64>,
    /// Excess path of the baseline's mean delay, m: its own gauge has none.
    pub mean_m: f64,
}

type Real = [f64; REAL];

/// What a gauge is made in; of one room, taken once.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    /// What a packet hides, then polynomials, one row of tones after the other.
    rows: Vec<C64>,
    power: Vec<f64>,
    base: Vec<C64>,
    steering: Vec<C64>,
    turned: Vec<C64>,
}

impl Scratch {
    pub fn new() -> Scratch {
        let tones = || vec![C64::default(); MAX_TONES];
        Scratch {
            rows: vec![C64::default(); (LOST + REAL) * MAX_TONES],
            power: vec![0.0; MAX_TONES],
            base: tones(),
            steering: tones(),
            turned: tones(),
        }
    }
}

impl Gauge {
    pub fn new() -> Gauge {
        // Not one and its clone: a clone has no room.
        let side = || Side {
            completed: None,
            mean: Vec::with_capacity(MAX_TONES),
            turn: Vec::with_capacity(MAX_TONES),
            rssi_dbm: 0.0,
            rssi_sd_db: 0.0,
            variance: 0.0,
        };
        Gauge {
            grid: ToneGrid::Ht20,
            sides: [side(), side()],
            first: 0,
            base: Vec::with_capacity(MAX_TONES),
            energy: 0.0,
            shapes: Vec::with_capacity(2 * MAX_TONES),
            noise: [1.0; SIGNALS],
            table: vec![Steering::default(); COUNT],
            moments: vec![Moment::default(); COUNT],
            vectors: vec![[[0.0; 2]; SIGNALS]; COUNT],
            level_dbm: None,
            mean_m: 0.0,
        }
    }

    /// Whether its frames are wider than 20 MHz.
    pub fn is_wide(&self) -> bool {
        self.grid.bandwidth_hz() > 20e6
    }

    /// Takes a direction's baseline, if it is new. True if all before is void.
    pub fn adopt(
        &mut self,
        direction: usize,
        baseline: &Baseline,
        scratch: &mut Scratch,
        rays: impl Iterator<Item = (f64, f64)>,
    ) -> bool {
        let Some(rssi_dbm) = baseline.rssi_dbm else { return false };
        let other = 1 - direction;
        let is_first = self.sides[other].completed.is_none();
        if self.sides[direction].completed == Some(baseline.completed)
            || (!is_first && baseline.mean.grid() != self.grid)
        {
            return false;
        }
        if is_first {
            (self.grid, self.first) = (baseline.mean.grid(), direction);
        }
        let side = &mut self.sides[direction];
        side.completed = Some(baseline.completed);
        side.rssi_dbm = f64::from(rssi_dbm);
        side.rssi_sd_db = baseline.rssi_sd_db.map_or(1.0, f64::from);
        side.mean.clear();
        let mut energy = 0.0;
        for (&a, &b) in baseline.mean.re().iter().zip(baseline.mean.im()) {
            side.mean.push(C64::new(f64::from(a), f64::from(b)));
            energy += f64::from(a) * f64::from(a) + f64::from(b) * f64::from(b);
        }
        let mut variance = 0.0;
        for &v in &baseline.variance[..side.mean.len()] {
            variance += f64::from(v);
        }
        side.variance = variance / math::max_f64(energy, 1e-12);
        self.rebuild(scratch, rays);
        true
    }

    fn rebuild(&mut self, scratch: &mut Scratch, rays: impl Iterator<Item = (f64, f64)>) {
        let indices = self.grid.indices();
        let (mut levels, mut count, mut variance, mut strength) = (0.0, 0.0, 0.0, 0.0);
        self.base.clear();
        self.base.extend_from_slice(&self.sides[self.first].mean);
        remove_delay(&mut self.base, indices);
        self.energy = self.base.iter().map(|&z| complex::abs2(z)).sum();
        for side in &mut self.sides {
            if side.completed.is_none() {
                continue;
            }
            let (phase, slope) = align(&self.base, &side.mean, indices);
            side.turn.clear();
            side.turn.extend(indices.iter().map(|&i| complex::unit(-(phase + f64::from(i) * slope))));
            levels += side.rssi_dbm;
            variance += side.variance;
            strength += side.rssi_sd_db;
            count += 1.0;
        }
        self.level_dbm = (self.energy > 0.0).then_some(levels / count);
        if self.level_dbm.is_none() {
            return;
        }
        // Of one real dimension, in units of the baseline's norm: half the variance a tone, over their number.
        let tones = self.base.len() as f64;
        let shape = math::sqrt(math::max_f64(0.5 * variance / count / tones, LEAST_NOISE * LEAST_NOISE));
        let db = math::max_f64(strength / count, LEAST_STRENGTH_DB);
        self.noise = [shape; SIGNALS];
        self.noise[SHAPES] = db * core::f64::consts::LN_10 / 20.0;
        self.mean_m = phase::mean_m(&self.channel(), rays);
        self.choose_shapes(scratch);
    }

    /// Inner product of tone vectors as real ones.
    fn real_dot(a: &[C64], b: &[C64]) -> f64 {
        let mut total = 0.0;
        for (x, y) in a.iter().zip(b) {
            total += x.re * y.re + x.im * y.im;
        }
        total
    }

    /// Polynomials in the tone, orthonormal, real and imaginary, less what a packet hides: the last rows of the scratch.
    fn polynomials(&self, scratch: &mut Scratch) {
        let indices = self.grid.indices();
        let tones = indices.len();
        let last = f64::from(indices[tones - 1]);
        let norm = 1.0 / math::sqrt(self.energy);
        let j = C64::new(0.0, 1.0);
        let (hidden, out) = scratch.rows.split_at_mut(LOST * tones);
        for which in 0..LOST {
            let (before, row) = hidden.split_at_mut(which * tones);
            for k in 0..tones {
                let b = self.base[k] * norm;
                row[k] = [b, j * b, j * b * (f64::from(indices[k]) / last)][which];
            }
            orthonormal(&mut row[..tones], before);
        }
        let power = &mut scratch.power[..tones];
        power.fill(1.0);
        for degree in 0..DEGREES {
            for (part, unit) in [C64::new(1.0, 0.0), j].into_iter().enumerate() {
                let (before, row) = out.split_at_mut((2 * degree + part) * tones);
                for (z, &a) in row.iter_mut().zip(&*power) {
                    *z = unit * a;
                }
                orthonormal(&mut row[..tones], before);
            }
            for (a, &i) in power.iter_mut().zip(indices) {
                *a *= f64::from(i) / last;
            }
        }
        for v in out[..REAL * tones].chunks_exact_mut(tones) {
            for h in hidden.chunks_exact(tones) {
                subtract(v, h);
            }
        }
    }

    /// A delay's steering vector, and that times j.
    fn steer(&self, n: usize, steering: &mut [C64], turned: &mut [C64]) {
        let norm = 1.0 / math::sqrt(self.base.len() as f64);
        let excess_m = FIRST_M + STEP_M * n as f64;
        for (k, (z, t)) in steering.iter_mut().zip(turned).enumerate() {
            *z = arrival(self.grid.offset_hz(k), excess_m - self.mean_m) * norm;
            *t = *z * C64::new(0.0, 1.0);
        }
    }

    fn choose_shapes(&mut self, scratch: &mut Scratch) {
        self.polynomials(scratch);
        let tones = self.base.len();
        let Scratch { rows, base, steering, turned, .. } = scratch;
        let (base, steering, turned) = (&mut base[..tones], &mut steering[..tones], &mut turned[..tones]);
        let polynomials = &rows[LOST * tones..(LOST + REAL) * tones];
        let polynomial = |r: usize| &polynomials[r * tones..(r + 1) * tones];
        let mut moment = [[0.0; REAL]; REAL];
        let mut parts = [[[0.0; REAL]; 2]; COUNT];
        for (n, both) in parts.iter_mut().enumerate() {
            self.steer(n, steering, turned);
            for r in 0..REAL {
                both[0][r] = Gauge::real_dot(polynomial(r), steering);
                both[1][r] = Gauge::real_dot(polynomial(r), turned);
            }
            let weight = math::exp(-math::max_f64(0.0, FIRST_M + STEP_M * n as f64) / TYPICAL_EXCESS_M);
            for v in &*both {
                for r in 0..REAL {
                    for c in 0..REAL {
                        moment[r][c] += weight * v[r] * v[c];
                    }
                }
            }
        }
        let axes = principal(moment);
        self.shapes.clear();
        self.shapes.resize(2 * tones, [0.0; SHAPES]);
        for (s, axis) in axes.iter().enumerate() {
            for k in 0..tones {
                for r in 0..REAL {
                    self.shapes[k][s] += axis[r] * polynomial(r)[k].re;
                    self.shapes[tones + k][s] += axis[r] * polynomial(r)[k].im;
                }
            }
        }
        let norm = 1.0 / math::sqrt(self.energy);
        for (z, &b) in base.iter_mut().zip(&self.base) {
            *z = b * norm;
        }
        for (n, both) in parts.iter().enumerate() {
            let mut a = [C64::default(); SIGNALS];
            for (s, axis) in axes.iter().enumerate() {
                // E = |A|e^{jωt} gives α Re E + β Im E = ((α − jβ) E + its conjugate)/2.
                let (mut alpha, mut beta) = (0.0, 0.0);
                for r in 0..REAL {
                    alpha += axis[r] * both[0][r];
                    beta += axis[r] * both[1][r];
                }
                a[s] = C64::new(0.5 * alpha, -0.5 * beta) / self.noise[s];
            }
            self.steer(n, steering, turned);
            let (alpha, beta) = (Gauge::real_dot(base, steering), Gauge::real_dot(base, turned));
            a[SHAPES] = C64::new(0.5 * alpha, -0.5 * beta) / self.noise[SHAPES];
            self.table[n] = Steering::new(&a);
            self.moments[n] = Moment::new(&a);
            self.vectors[n] = a.map(|z| [z.re as f32, z.im as f32]);
        }
        // A room's mean delay is not known, so a delay's steering is averaged over what it may be.
        smear(&mut self.table);
        smear(&mut self.moments);
    }

    /// The empty room's channel at some tones.
    pub fn channel(&self) -> Tones {
        let tones = self.base.len();
        let scale = math::sqrt(tones as f64 / self.energy);
        let last = Tones::default().len() - 1;
        core::array::from_fn(|n| {
            let k = n * (tones - 1) / last;
            (self.base[k] * scale, self.grid.offset_hz(k))
        })
    }

    /// A frame's signals in units of their noise.
    pub fn signals(&self, direction: usize, h: &Samples, rssi_dbm: Option<f32>) -> Option<[f32; SIGNALS]> {
        let side = &self.sides[direction];
        self.level_dbm?;
        if side.completed.is_none() || h.grid() != self.grid {
            return None;
        }
        let db = f64::from(rssi_dbm?) - side.rssi_dbm;
        let db = math::max_f64(-MOST_DB, math::min_f64(db, MOST_DB));
        let gain = math::exp(db * core::f64::consts::LN_10 / 20.0);
        let tones = self.base.len();
        let (mut along, mut energy) = (0.0, 0.0);
        let mut sums = [0.0; SHAPES];
        for k in 0..tones {
            let z = C64::new(f64::from(h.re()[k]), f64::from(h.im()[k])) * side.turn[k];
            along += self.base[k].re * z.re + self.base[k].im * z.im;
            energy += complex::abs2(z);
            for s in 0..SHAPES {
                sums[s] += self.shapes[k][s] * z.re + self.shapes[tones + k][s] * z.im;
            }
        }
        if along * along < 0.01 * self.energy * energy || along <= 0.0 {
            return None;
        }
        let scale = math::sqrt(self.energy) * gain / along;
        let mut out = [0.0; SIGNALS];
        for s in 0..SHAPES {
            out[s] = (sums[s] * scale / self.noise[s]) as f32;
        }
        out[SHAPES] = ((gain - 1.0) / self.noise[SHAPES]) as f32;
        Some(out)
    }
}

/// Each of a table becomes the mean of its neighbourhood.
fn smear<T: Mean>(table: &mut [T]) {
    let mut sharp = [T::default(); COUNT];
    sharp.copy_from_slice(table);
    for (n, s) in table.iter_mut().enumerate() {
        *s = T::default();
        let near = &mut sharp[n.saturating_sub(SMEAR)..(n + SMEAR + 1).min(COUNT)];
        let share = 1.0 / near.len() as f32;
        for other in near {
            s.parts().zip(other.parts()).for_each(|(sum, part)| *sum += *part);
        }
        s.parts().for_each(|part| *part *= share);
    }
}

fn subtract(v: &mut [C64], unit: &[C64]) {
    let part = Gauge::real_dot(v, unit);
    for (x, &u) in v.iter_mut().zip(unit) {
        *x -= u * part;
    }
}

/// Gram and Schmidt, twice; the rows before are as long.
fn orthonormal(v: &mut [C64], before: &[C64]) {
    for _ in 0..2 {
        for b in before.chunks_exact(v.len()) {
            subtract(v, b);
        }
    }
    let norm = math::sqrt(Gauge::real_dot(v, v));
    for x in v {
        *x = if norm > 1e-9 { *x / norm } else { C64::default() };
    }
}

/// Turns a channel so that it has no mean group delay: the mean slope between neighbouring tones goes.
fn remove_delay(h: &mut [C64], indices: &[i16]) {
    let mut lag = C64::default();
    for k in 1..h.len() {
        if indices[k] - indices[k - 1] == 1 {
            lag += complex::conj_mul(h[k - 1], h[k]);
        }
    }
    let slope = complex::arg(lag);
    for (z, &i) in h.iter_mut().zip(indices) {
        *z *= complex::unit(-f64::from(i) * slope);
    }
}

/// The strongest eigenvectors, by power iteration and deflation.
fn principal(mut moment: [Real; REAL]) -> [Real; SHAPES] {
    let mut axes = [[0.0; REAL]; SHAPES];
    for axis in &mut axes {
        let mut v: Real = [1.0; REAL];
        let mut value = 0.0;
        for (r, x) in v.iter_mut().enumerate() {
            *x += 0.1 * r as f64;
        }
        for _ in 0..ITERATIONS {
            let mut next = [0.0; REAL];
            for r in 0..REAL {
                for c in 0..REAL {
                    next[r] += moment[r][c] * v[c];
                }
            }
            value = math::sqrt(next.iter().map(|x| x * x).sum::<f64>());
            for r in 0..REAL {
                v[r] = if value > 1e-12 { next[r] / value } else { 0.0 };
            }
        }
        for r in 0..REAL {
            for c in 0..REAL {
                moment[r][c] -= value * v[r] * v[c];
            }
        }
        *axis = v;
    }
    axes
}

/// Phase and slope of `b` against `a`: the greatest of `|Σ conj(a) b e^{−jiθ}|` from the lag-one start, by Newton.
fn align(a: &[C64], b: &[C64], indices: &[i16]) -> (f64, f64) {
    let product = |k: usize| complex::conj_mul(a[k], b[k]);
    let mut lag = C64::default();
    for k in 1..a.len() {
        if indices[k] - indices[k - 1] == 1 {
            lag += complex::conj_mul(product(k - 1), product(k));
        }
    }
    let mut slope = complex::arg(lag);
    let mut sum = C64::default();
    for step in 0..6 {
        let (mut first, mut second) = (C64::default(), C64::default());
        sum = C64::default();
        for (k, &i) in indices.iter().enumerate() {
            let i = f64::from(i);
            let v = product(k) * complex::unit(-i * slope);
            sum += v;
            first += v * i;
            second += v * (i * i);
        }
        let curvature = complex::abs2(first) - complex::conj_mul(sum, second).re;
        if step == 5 || curvature >= 0.0 {
            break;
        }
        slope -= complex::conj_mul(sum, first).im / curvature;
    }
    (complex::arg(sum), slope)
}
