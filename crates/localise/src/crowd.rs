//! How many people are in the room: by how much of the static channel they change together, on all paths.
//!
//! A body changes the mean signals of every path by random phases (see [`crate::shade`]), whether it moves or not. So each mean signal
//! is normal over the places of N bodies, with N times the variance S that one body leaves, which follows from room, antennas and
//! baseline. Squares have long tails (somebody beside an antenna), so what is taken is `q/(1 + q)` of `q = y²/S`, whose mean is
//!
//! `E = 1 − √(π/2N) e^{1/2N} erfc(1/√2N)`: 0.34, 0.45, 0.52, 0.56, 0.59 … for one, two, three, four, five people,
//!
//! by `E[1/(1 + N z²)] = ∫₀^∞ e^{−s} (1 + 2Ns)^{−½} ds` for a standard normal z. No coefficient of it is fitted. A hidden Markov chain over
//! the number of people (forward recursion: Rabiner 1989, Proc. IEEE 77(2), eq. 20) takes in the mean over signals and paths. Who
//! stands gives the same reading again and again, so a reading counts by what of it is new.

use crate::path::Path;
use core::f64::consts::PI;
use wavewitness_num::math;
use wavewitness_types::limits::MAX_PEOPLE;
use wavewitness_types::{Canonical, Sink};

/// Variance of a level about its mean: what all paths have in common, and what each has for itself (simulated rooms; `evaluate
/// count-check`).
const COMMON: f64 = 0.001;
const APART: f64 = 0.016;
/// Power of the likelihood of a level that is all new: levels of one walk are alike, and rooms differ from their model.
const POWER: f64 = 0.3;
/// Mean time until one more comes in, s.
const COMES_S: f64 = 90.0;
/// Each number is so much as probable as the one before, if nothing is known.
const FEWER: f64 = 0.7;
/// No number becomes less probable than this: who comes in must be found again.
const LEAST: f64 = 1e-4;
/// Longer silences are as this one, s.
const LONGEST_S: f64 = 30.0;

/// What is said of how many people are in the room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Numbers {
    /// Probabilities of one, two, … people, if somebody is there; they sum to 1. The last one is of so many or more.
    pub probability: [f64; MAX_PEOPLE],
    /// The newest level, 0..=1: [`level_of`] says what it is on the average.
    pub level: f64,
    /// What share of it was new, 0..=1.
    pub new: f64,
}

impl Canonical for Numbers {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { probability, level, new } = self;
        probability.iter().for_each(|p| out.f64(*p));
        out.f64(*level);
        out.f64(*new);
    }
}

/// Mean level of so many people; 0 of nobody.
pub fn level_of(people: usize) -> f64 {
    if people == 0 {
        return 0.0;
    }
    let half = 0.5 / people as f64;
    1.0 - math::sqrt(PI * half) * math::exp(half) * math::erfc(math::sqrt(half))
}

/// The chain.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    levels: [f64; MAX_PEOPLE],
    probability: [f64; MAX_PEOPLE],
    numbers: Option<Numbers>,
}

impl Crowd {
    /// Nothing is known but that somebody is there.
    pub fn new() -> Crowd {
        let levels = core::array::from_fn(|n| level_of(n + 1));
        let mut crowd = Crowd { levels, probability: [0.0; MAX_PEOPLE], numbers: None };
        crowd.forget();
        crowd
    }

    /// Forgets everybody.
    pub fn forget(&mut self) {
        let (mut left, mut total) = (1.0, 0.0);
        for p in &mut self.probability {
            *p = left;
            total += left;
            left *= FEWER;
        }
        self.probability.iter_mut().for_each(|p| *p /= total);
        self.numbers = None;
    }

    /// What is said; `None` before anything new was read.
    pub fn numbers(&self) -> Option<Numbers> {
        self.numbers
    }

    /// `dt_s` passed, and the paths have been read.
    pub fn look(&mut self, dt_s: f64, paths: &[Path]) {
        self.pass(dt_s);
        let (mut sum, mut new, mut count) = (0.0, 0.0, 0.0);
        for path in paths.iter().filter(|p| p.window.known) {
            if let Some(level) = path.shade.level(&path.reading) {
                sum += level;
                new += path.reading.new;
                count += 1.0;
            }
        }
        if new > 0.0 {
            self.weigh(sum / count, COMMON + APART / count, POWER * new / count);
            let probability = self.probability;
            self.numbers = Some(Numbers { probability, level: sum / count, new: new / count });
        } else if let Some(numbers) = &mut self.numbers {
            (numbers.probability, numbers.new) = (self.probability, 0.0);
        }
    }

    /// People come and go: a birth and death chain whose steady state is that of [`Crowd::forget`].
    fn pass(&mut self, dt_s: f64) {
        let comes = math::max_f64(0.0, math::min_f64(dt_s, LONGEST_S)) / COMES_S;
        let before = self.probability;
        for n in 1..MAX_PEOPLE {
            let moved = comes * (before[n - 1] - before[n] / FEWER);
            self.probability[n - 1] -= moved;
            self.probability[n] += moved;
        }
    }

    fn weigh(&mut self, level: f64, variance: f64, power: f64) {
        let logs = self.levels.map(|mean| -0.5 * power * (level - mean) * (level - mean) / variance);
        let best = logs.into_iter().fold(f64::NEG_INFINITY, math::max_f64);
        let mut total = 0.0;
        for (p, log) in self.probability.iter_mut().zip(logs) {
            *p = math::max_f64(LEAST, *p * math::exp(log - best));
            total += *p;
        }
        self.probability.iter_mut().for_each(|p| *p /= total);
    }
}
