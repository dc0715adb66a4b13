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

/// Variance of a level about its mean: what all paths have in common, and what each has for itself (simulated rooms:
/// `evaluate crowd`, `docs/algorithms/localise.md`).
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

    /// Probability of more people than these.
    pub fn chance_of_more_than(&self, people: usize) -> f64 {
        self.probability.iter().skip(people).sum()
    }

    /// `dt_s` passed, and the paths have been read.
    pub fn look(&mut self, dt_s: f64, paths: &[Path]) {
        let known = paths.iter().filter(|p| p.window.known);
        self.take(dt_s, known.filter_map(|p| Some((p.shade.level(&p.reading)?, p.reading.new))));
    }

    /// `dt_s` passed; the level of each path, and what share of it is new.
    fn take(&mut self, dt_s: f64, levels: impl Iterator<Item = (f64, f64)>) {
        self.pass(dt_s);
        let (mut sum, mut new, mut count) = (0.0, 0.0, 0.0);
        for (level, share) in levels {
            sum += level;
            new += share;
            count += 1.0;
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

#[cfg(test)]
mod tests {
    //! Guards the theory of levels, and that the number is recovered from what it says that people leave.
    use super::*;
    use crate::sequence::Sequence;

    const PATHS: usize = 6;
    const DT_S: f64 = 0.25;

    /// Standard normal, tails included (Box and Muller 1958).
    fn normal(sequence: &mut Sequence) -> f64 {
        let radius = math::sqrt(-2.0 * math::ln(1.0 - sequence.uniform()));
        radius * math::cos(2.0 * PI * sequence.uniform())
    }

    /// Mean over four signals of one path.
    fn draw(people: f64, sequence: &mut Sequence) -> f64 {
        let mut sum = 0.0;
        for _ in 0..4 {
            let z = normal(sequence);
            sum += people * z * z / (1.0 + people * z * z);
        }
        0.25 * sum
    }

    /// `seconds` of so many people who are elsewhere every second.
    fn look(crowd: &mut Crowd, people: usize, seconds: u32, sequence: &mut Sequence) {
        for _ in 0..seconds {
            let levels: [f64; PATHS] = core::array::from_fn(|_| draw(people as f64, sequence));
            for part in 0..4 {
                let new = if part == 0 { 1.0 } else { 0.0 };
                crowd.take(DT_S, levels.into_iter().map(|level| (level, new)));
            }
        }
    }

    fn most_probable(crowd: &Crowd) -> usize {
        let p = crowd.numbers().unwrap().probability;
        1 + (0..MAX_PEOPLE).fold(0, |best, k| if p[k] > p[best] { k } else { best })
    }

    fn assert_is_distribution(p: &[f64; MAX_PEOPLE]) {
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9 && p.iter().all(|p| *p > 0.0), "{p:?}");
    }

    #[test]
    fn the_mean_level_is_that_of_its_definition() {
        let mut sequence = Sequence::new();
        for people in 1..=MAX_PEOPLE {
            let count = 40_000;
            let mean = (0..count).map(|_| draw(people as f64, &mut sequence)).sum::<f64>() / f64::from(count);
            assert!((mean - level_of(people)).abs() < 0.003, "{people}: {mean} for {}", level_of(people));
        }
        assert_eq!(level_of(0), 0.0);
    }

    #[test]
    fn the_number_is_recovered_and_follows_who_comes_and_goes() {
        let (mut right, mut near, mut all) = (0, 0, 0);
        let mut sequence = Sequence::new();
        for _ in 0..20 {
            let mut crowd = Crowd::new();
            for people in [1, 3, 4, 2, 1, 4] {
                look(&mut crowd, people, 60, &mut sequence);
                let off = most_probable(&crowd).abs_diff(people);
                all += 1;
                right += i32::from(off == 0);
                near += i32::from(off <= 1);
                assert_is_distribution(&crowd.numbers().unwrap().probability);
            }
        }
        assert!(near >= all * 95 / 100 && right >= all * 60 / 100, "{right} and {near} of {all}");
    }

    #[test]
    fn what_is_not_new_says_nothing() {
        let mut crowd = Crowd::new();
        let before = crowd.probability;
        for _ in 0..100 {
            crowd.take(DT_S, [(0.7, 0.0); PATHS].into_iter());
            crowd.take(DT_S, core::iter::empty());
        }
        assert_eq!(crowd.numbers(), None);
        let off = |p: [f64; MAX_PEOPLE]| before.iter().zip(p).map(|(a, b)| (a - b).abs()).sum::<f64>();
        assert!(off(crowd.probability) < 1e-12, "the steady state stays");
        look(&mut crowd, 4, 60, &mut Sequence::new());
        assert!(off(crowd.probability) > 0.5);
        for _ in 0..4000 {
            crowd.take(1.0, core::iter::empty());
        }
        assert!(off(crowd.probability) < 1e-3, "what was known is forgotten");
        crowd.forget();
        assert!(crowd.numbers().is_none() && crowd.probability == before);
    }

    #[test]
    fn hostile_levels_and_times_leave_a_distribution() {
        let mut crowd = Crowd::new();
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 0.0, 1.0] {
            for dt_s in [0.0, 1e9, -1.0, f64::NAN] {
                crowd.take(dt_s, [(bad, 1.0); PATHS].into_iter());
                assert_is_distribution(&crowd.probability);
            }
        }
    }
}
