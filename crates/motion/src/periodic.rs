//! What repeats itself exactly: fans, machines. Found, and taken out of the score, so that what is left may be a person.
//!
//! A motor turns with a steady phase; its lines can be predicted from what was half a second ago, and from what was three
//! seconds ago too. Nobody can: at 2.4 GHz a limb that comes back 1 cm beside its last place is a radian off. So of the
//! signed, whitened deviations `e(t)` of the looks (test modes), with `r(L) = ⟨e(t)·e(t−L)⟩` over [`MEMORY`], the
//! predictor of a delay Δ
//!
//! ```text
//! ê(t) = Σ_i c_i e(t−Δ−i)      Σ_j r(i−j) c_j = r(Δ+i)      share = Σ_i c_i r(Δ+i) / (r(0) − noise)
//! ```
//!
//! is the adaptive line enhancer (Widrow et al. 1975, Proc. IEEE 63(12), "Adaptive noise cancelling", section VIII). Lines
//! above the Nyquist frequency of cycles are lines there too. `e − ê` has none of the machine and all of a person, whose
//! deviations have forgotten themselves after Δ.

use crate::Config;
use crate::basis::{Basis, MAX_MODES};
use crate::quiet::{Look, Quiet, Scratch};
use wavewitness_num::math;
use wavewitness_types::Timestamp;

/// Delay and taps of the predictor that cancels, in cycles: 0.5 s. Two taps a line: five lines.
const NEAR: (usize, usize) = (10, 11);
/// Delay and taps of the predictor that asks whether it is still in phase: 3 s.
const FAR: (usize, usize) = (60, 16);
/// Lags that the two need: to 20, and from 60 to 75.
const LAGS: usize = FAR.0 + FAR.1;
const MOST_TAPS: usize = 16;
/// Deviations that are remembered.
const KEPT: usize = 80;
/// Time constant of the means, in cycles: 5 s.
const MEMORY: f64 = 100.0;
/// Within so many cycles ρ must fall below zero: a line slower than 1 Hz may breathe.
const TURNS: usize = 5;
/// Less energy than this, against quiet, is not judged.
const LEAST_ENERGY: f64 = 3.0;
/// The predictor is made anew once in so many cycles.
const EVERY: u32 = 10;
/// Added to the diagonal, of r(0): keeps the solution small where lines are few.
const RIDGE: f64 = 1e-3;
/// Whitened deviations beyond this are cut, so that products stay finite.
const CUT: f32 = 1e6;

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// False in a cycle without a look.
    there: bool,
    values: [f32; MAX_MODES],
}

const EMPTY: Slot = Slot { there: false, values: [0.0; MAX_MODES] };

/// The last deviations of a link with their autocorrelation.
#[derive(Clone, Debug)]
struct Repetition {
    slots: Box<[Slot; KEPT]>,
    next: usize,
    count: usize,
    r: Box<[f64; LAGS]>,
}

/// Taps that predict a deviation.
#[derive(Clone, Copy, Debug)]
struct Predictor {
    taps: [f64; MOST_TAPS],
    /// Share of the energy, without noise, that it predicts.
    share: f64,
}

impl Repetition {
    fn new() -> Repetition {
        Repetition { slots: Box::new([EMPTY; KEPT]), next: 0, count: 0, r: Box::new([0.0; LAGS]) }
    }

    fn clear(&mut self) {
        (self.next, self.count) = (0, 0);
        self.r.fill(0.0);
    }

    fn slot(&self, back: usize) -> Option<&Slot> {
        (back < self.count).then(|| &self.slots[(self.next + KEPT - 1 - back) % KEPT]).filter(|s| s.there)
    }

    /// Ends a cycle: deviations over the deviation that white noise would give them, `None` without a look.
    fn push(&mut self, signed: Option<&Look>, basis: &Basis, quiet: &Quiet) {
        let mut slot = Slot { there: signed.is_some(), ..EMPTY };
        if let Some(signed) = signed {
            for m in 0..basis.modes() {
                slot.values[m] = signed[m].clamp(-CUT, CUT);
            }
        }
        self.slots[self.next] = slot;
        self.next = (self.next + 1) % KEPT;
        self.count = (self.count + 1).min(KEPT);
        if !slot.there {
            return;
        }
        let test = basis.test_modes();
        let mut weighted = [0.0f64; MAX_MODES];
        for m in 0..test {
            weighted[m] = f64::from(slot.values[m]) / quiet.level(m);
        }
        for lag in (0..NEAR.0 + NEAR.1).chain(FAR.0..LAGS) {
            let Some(before) = self.slot(lag) else { continue };
            let mut product = 0.0;
            for m in 0..test {
                product += weighted[m] * f64::from(before.values[m]);
            }
            self.r[lag] += (product - self.r[lag]) / MEMORY;
        }
    }

    /// The predictor of a delay, if there is enough that moves, and none of it slowly.
    fn predictor(&self, (delay, taps): (usize, usize), basis: &Basis) -> Option<Predictor> {
        let noise = basis.test_modes() as f64;
        let energy = self.r[0] - noise;
        let turns = self.r[1..=TURNS].iter().any(|r| *r < 0.0);
        if energy < (LEAST_ENERGY - 1.0) * noise || !turns {
            return None;
        }
        let wanted = &self.r[delay..delay + taps];
        let taps = solve_toeplitz(&self.r[..taps], wanted)?;
        let mut predicted = 0.0;
        for (c, r) in taps.iter().zip(wanted) {
            predicted += c * r;
        }
        Some(Predictor { taps, share: predicted / energy })
    }

    /// Energies of what the newest deviation is beside its prediction, as of a look.
    fn cancelled(&self, predictor: &Predictor, basis: &Basis) -> Option<Look> {
        let mut left = [0.0f64; MAX_MODES];
        let mut gain = 1.0;
        let modes = basis.modes();
        for (x, value) in left[..modes].iter_mut().zip(&self.slot(0)?.values) {
            *x = f64::from(*value);
        }
        for (i, &c) in predictor.taps[..NEAR.1].iter().enumerate() {
            let before = self.slot(NEAR.0 + i)?;
            gain += c * c;
            for m in 0..modes {
                left[m] -= c * f64::from(before.values[m]);
            }
        }
        Some(left.map(|x| math::min_f64(1e12, x * x / gain) as f32))
    }
}

/// Solves `Σ_j r(|i−j|) c_j = b_i` with a small ridge, by Cholesky's decomposition; `None` if that is not positive.
fn solve_toeplitz(r: &[f64], b: &[f64]) -> Option<[f64; MOST_TAPS]> {
    let n = b.len();
    let mut l = [[0.0f64; MOST_TAPS]; MOST_TAPS];
    let mut y = [0.0f64; MOST_TAPS];
    for i in 0..n {
        for j in 0..=i {
            let mut s = r[i - j] + if i == j { RIDGE * r[0] } else { 0.0 };
            for k in 0..j {
                s -= l[i][k] * l[j][k];
            }
            l[i][j] = if i > j {
                s / l[j][j]
            } else if s > 1e-9 * r[0] {
                math::sqrt(s)
            } else {
                return None;
            };
        }
        let mut s = b[i];
        for k in 0..i {
            s -= l[i][k] * y[k];
        }
        y[i] = s / l[i][i];
    }
    for i in (0..n).rev() {
        let mut s = y[i];
        for k in i + 1..n {
            s -= l[k][i] * y[k];
        }
        y[i] = s / l[i][i];
    }
    Some(y)
}

/// What repeats, once that is known.
#[derive(Clone, Debug)]
struct Machine {
    predictor: Predictor,
    /// What the link looks like without it.
    quiet: Quiet,
    /// Since when the link is as quiet as without any machine.
    stopped: Option<Timestamp>,
}

/// Finds what repeats, learns what is left of it, and scores that.
#[derive(Clone, Debug)]
pub(crate) struct Canceller {
    repetition: Repetition,
    cycle: u32,
    /// What seems to repeat, since when, and what is left of it.
    candidate: Option<(Predictor, Timestamp)>,
    looks: Vec<Look>,
    machine: Option<Machine>,
}

/// One look through the canceller.
pub(crate) struct Cancelled {
    pub z: Option<f64>,
    /// The machine was found in this cycle: what moved until now was it.
    pub found: bool,
}

impl Canceller {
    pub fn new(config: &Config) -> Canceller {
        let looks = Vec::with_capacity(config.learn_looks as usize);
        Canceller { repetition: Repetition::new(), cycle: 0, candidate: None, looks, machine: None }
    }

    /// Forgets the stream and the machine: its phase can't be known again.
    pub fn clear(&mut self) {
        self.repetition.clear();
        self.looks.clear();
        (self.cycle, self.candidate, self.machine) = (0, None, None);
    }

    /// True while a machine is taken out.
    pub fn cancels(&self) -> bool {
        self.machine.is_some()
    }

    /// Remembers a cycle's deviations, `None` without a look.
    pub fn push(&mut self, signed: Option<&Look>, basis: &Basis, quiet: &Quiet) {
        self.repetition.push(signed, basis, quiet);
        self.cycle = (self.cycle + 1) % EVERY;
    }

    /// The look that was pushed, of score `z`; `moving`: something did until now.
    pub fn look(
        &mut self,
        at: Timestamp,
        z: f64,
        moving: bool,
        basis: &Basis,
        config: &Config,
        work: &mut Scratch,
    ) -> Cancelled {
        if self.cycle == 0 {
            self.predict(at, moving, basis, config);
        }
        let found = self.candidate.is_some() && self.learn(at, basis, config, work);
        Cancelled { z: self.score(z, at, basis, config), found }
    }

    /// Makes the predictor anew: begins, keeps or drops a candidate; follows a machine beside which nothing moves.
    fn predict(&mut self, at: Timestamp, moving: bool, basis: &Basis, config: &Config) {
        let repeats = |p: &Predictor| p.share >= config.machine_share;
        let far = self.repetition.predictor(FAR, basis).filter(repeats);
        let near = far.and_then(|_| self.repetition.predictor(NEAR, basis)).filter(repeats);
        match (near, &mut self.machine) {
            (Some(now), Some(machine)) if !moving => machine.predictor = now,
            (Some(now), _) if moving && self.candidate.is_none() => {
                self.looks.clear();
                self.candidate = Some((now, at));
            }
            (Some(_), _) => {}
            (None, _) => self.candidate = None,
        }
    }

    /// Learns what is left of a candidate; takes it once it has lasted and what is left is quiet.
    fn learn(&mut self, at: Timestamp, basis: &Basis, config: &Config, work: &mut Scratch) -> bool {
        let Some((predictor, since)) = self.candidate else { return false };
        let Some(look) = self.repetition.cancelled(&predictor, basis) else { return false };
        if self.looks.len() < config.learn_looks as usize {
            self.looks.push(look);
        }
        if at.seconds_since(since) < config.machine_s || self.looks.len() < config.learn_looks as usize {
            return false;
        }
        let learned = Quiet::learn(basis, &self.looks, config.level_spread, work);
        self.candidate = None;
        self.looks.clear();
        let Ok(quiet) = learned else { return false };
        self.machine = Some(Machine { predictor, quiet, stopped: None });
        true
    }

    /// The lesser of the scores with and without the machine: one that has stopped leaves a quiet link.
    fn score(&mut self, z: f64, at: Timestamp, basis: &Basis, config: &Config) -> Option<f64> {
        let Some(machine) = self.machine.as_mut() else { return Some(z) };
        let stopped = machine.stopped.filter(|_| z < config.quiet_z);
        machine.stopped = stopped.or_else(|| (z < config.quiet_z).then_some(at));
        if machine.stopped.is_some_and(|since| at.seconds_since(since) > config.hold_s) {
            self.machine = None;
            return Some(z);
        }
        let Some(look) = self.repetition.cancelled(&machine.predictor, basis) else {
            // Something was not heard before: only quiet can be told.
            return (z < config.quiet_z).then_some(z);
        };
        Some(math::min_f64(z, machine.quiet.z(basis, &look)))
    }
}
