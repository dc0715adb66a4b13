//! Which posture: a small network over the room's last six seconds.
//!
//! A hidden Markov model over the same evidence was tried and is worse: what tells sitting from standing hardly changes while
//! somebody keeps still, so a filter counts one observation again and again and becomes sure of it (`docs/algorithms/posture.md`).
//! What is remembered is a fall: who fell lies on the floor until something says that he walks.

use crate::look::FEATURES;
use crate::network::{Network, softmax};
use crate::weights::{CLASS_UNITS, CLASSES};
use wavewitness_num::math;
use wavewitness_types::PostureClass;

/// Who fell lies there, as far as that is remembered.
const FALLEN: [f64; PostureClass::COUNT] = [0.01, 0.0, 0.01, 0.98, 0.0];
/// Rate of getting up from the floor unseen, 1/s: a design value.
const UP_PER_S: f64 = 0.01;
/// The same while somebody walks.
const WALKING_PER_S: f64 = 2.0;
/// Share of those who lie on a floor, if nobody saw them fall: a design value.
const USUALLY_ON_FLOOR: f64 = 0.2;

/// Whether somebody lies where he fell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fallen {
    probability: f64,
}

impl Fallen {
    /// Somebody fell, with a probability.
    pub fn fall(&mut self, probability: f64) {
        self.probability = probability;
    }

    /// Probability of each class with what is remembered, `dt` seconds after the last time. `seen`: from the features alone.
    pub fn step(&mut self, seen: &[f64; PostureClass::COUNT], dt: f64) -> [f64; PostureClass::COUNT] {
        let rate = UP_PER_S + WALKING_PER_S * seen[PostureClass::Walking as usize];
        self.probability *= math::exp(-rate * dt);
        let mut out = [0.0; PostureClass::COUNT];
        for k in 0..out.len() {
            out[k] = self.probability * FALLEN[k] + (1.0 - self.probability) * seen[k];
        }
        out
    }

    /// Whether somebody still lies there, as far as is known.
    pub fn is_down(&self) -> bool {
        self.probability > 0.5
    }

    /// Probability that somebody who lies does so on the floor.
    pub fn on_floor(&self) -> f64 {
        self.probability + (1.0 - self.probability) * USUALLY_ON_FLOOR
    }
}

/// So long after the last motion its end still tells something new, s.
const SETTLED_S: f64 = 1.0;

/// What the features say while nothing moves: their mean since it settled. Who keeps still keeps his posture, so what changes is
/// noise, and a posture that came and went with it would move his joints.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rest {
    still_s: f64,
    mean: [f64; PostureClass::COUNT],
}

impl Rest {
    /// Takes in what is seen, `dt` seconds after the last time.
    pub fn step(
        &mut self,
        seen: &[f64; PostureClass::COUNT],
        is_still: bool,
        dt: f64,
    ) -> [f64; PostureClass::COUNT] {
        self.still_s = if is_still { self.still_s + dt } else { 0.0 };
        let settled_s = self.still_s - SETTLED_S;
        let share = if settled_s > dt { dt / settled_s } else { 1.0 };
        for (mean, seen) in self.mean.iter_mut().zip(seen) {
            *mean += share * (seen - *mean);
        }
        self.mean
    }
}

/// Probability of each class from the features alone. Falling is not among the classes: it is over when it is known.
pub(crate) fn probability(
    network: &Network<CLASS_UNITS, CLASSES>,
    features: &[f64; FEATURES],
) -> [f64; PostureClass::COUNT] {
    let mut out = [0.0; PostureClass::COUNT];
    out[..CLASSES].copy_from_slice(&softmax(&network.run(features)));
    out
}

#[cfg(test)]
mod tests {
    //! Guards that probabilities are some, that they settle where nothing moves, and that a fall is remembered until somebody walks.
    use super::*;
    use crate::weights::CLASS;

    fn step(fallen: &mut Fallen, features: &[f64; FEATURES]) -> [f64; PostureClass::COUNT] {
        fallen.step(&probability(&CLASS, features), 0.05)
    }

    /// Features that are departures, the last ones.
    const DEPARTURES: usize = 10;

    /// Logarithms of energies, all the same.
    fn level(ln: f64) -> [f64; FEATURES] {
        [ln; FEATURES]
    }

    #[test]
    fn any_features_give_probabilities() {
        for ln in [-1000.0, -2.3, 0.0, 3.0, 1000.0] {
            let p = step(&mut Fallen::default(), &level(ln));
            assert!(p.iter().all(|x| (0.0..=1.0).contains(x)), "{p:?}");
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn what_flickers_settles_until_something_moves() {
        let (stands, lies) = ([1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0]);
        let mut rest = Rest::default();
        let said: Vec<f64> =
            (0..400).map(|k| rest.step(if k % 4 == 0 { &lies } else { &stands }, true, 0.05)[0]).collect();
        assert!(said[..19].contains(&0.0) && said[..19].contains(&1.0), "{:?}", &said[..19]);
        assert!(said[200..].iter().all(|p| (p - 0.75).abs() < 0.02), "{:?}", &said[200..]);
        assert_eq!(rest.step(&lies, false, 0.05), lies, "at once where something moves");
        assert_eq!(rest.step(&stands, true, 0.05), stands, "and for a second after");
    }

    #[test]
    fn who_fell_lies_on_the_floor_until_he_walks() {
        // Nothing moves, near the empty room's channel.
        let mut still = level(-2.3);
        still[FEATURES - DEPARTURES..].fill(1.0);
        // As walking is: little change within 12 ms, much within 200.
        let mut walk = level(0.0);
        walk[..FEATURES - DEPARTURES].as_chunks_mut::<3>().0.fill([-1.5, 1.4, 3.2]);
        walk[FEATURES - DEPARTURES..].fill(2.5);
        let mut fallen = Fallen::default();
        assert!(fallen.on_floor() < 0.3);
        fallen.fall(0.99);
        for _ in 0..200 {
            let p = step(&mut fallen, &still);
            assert!(p[PostureClass::Lying as usize] > 0.8, "{p:?}");
        }
        assert!(fallen.is_down() && fallen.on_floor() > 0.8);
        for _ in 0..60 {
            step(&mut fallen, &walk);
        }
        assert!(!fallen.is_down());
    }
}
