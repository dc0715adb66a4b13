//! Guards the count of people who move: it goes by how unsteady energy is, not by how much there is, and says nothing
//! before it can, nor of those who stopped. On generated energies.

mod support;

use support::Random;
use wavewitness_motion::{Condition, Counter, LinkMotion, People};
use wavewitness_num::math;
use wavewitness_types::Timestamp;

const CYCLE_NS: u64 = 50_000_000;

/// Energies of so many people, each with a level of its own that wanders within seconds: standard deviation of its
/// logarithm 0.9, which means over half a second make about 0.75: a walker in a room.
struct Walkers {
    random: Random,
    levels: Vec<f64>,
    gain: f64,
    cycle: u64,
}

impl Walkers {
    fn new(people: usize, seed: u64, gain: f64) -> Walkers {
        let mut random = Random(seed);
        let levels = (0..people).map(|_| random.normal().re * core::f64::consts::SQRT_2).collect();
        Walkers { random, levels, gain, cycle: 0 }
    }

    fn run(&mut self, seconds: f64, moving: bool, counter: &mut Counter) -> Option<People> {
        for _ in 0..(seconds * 20.0) as u64 {
            self.cycle += 1;
            let mut energy = 0.0;
            for level in &mut self.levels {
                // Ornstein-Uhlenbeck with 1.5 s.
                let kept = math::exp(-0.05 / 1.5);
                *level = kept * *level + math::sqrt(2.0 * (1.0 - kept * kept)) * self.random.normal().re;
                energy += math::exp(0.9 * *level);
            }
            let link = LinkMotion {
                z: Some(9.0),
                evidence: Some(8.0),
                moving,
                energy: Some((energy * self.gain) as f32),
                machine_z: None,
                condition: Condition::Ready,
            };
            counter.cycle(Timestamp(self.cycle * CYCLE_NS), &[link; 4]);
        }
        counter.people()
    }
}

fn mean_of(people: usize, gain: f64) -> [f64; 3] {
    let mut mean = [0.0; 3];
    for seed in 0..40 {
        let said = Walkers::new(people, seed * 7 + 1, gain).run(61.0, true, &mut Counter::new()).unwrap();
        assert_eq!(said.seconds, 60.0);
        let total: f32 = said.probability.iter().sum();
        assert!((total - 1.0).abs() < 1e-5);
        for (m, p) in mean.iter_mut().zip(said.probability) {
            *m += f64::from(p) / 40.0;
        }
    }
    mean
}

#[test]
fn more_people_are_steadier_whatever_their_energy() {
    for gain in [1e-5, 1.0, 1e4] {
        let (one, three) = (mean_of(1, gain), mean_of(3, gain));
        assert!(one[0] > one[1] && one[0] > 1.8 * one[2], "{gain}: one is {one:?}");
        assert!(three[2] > three[1] && three[2] > 1.8 * three[0], "{gain}: three are {three:?}");
    }
}

#[test]
fn nothing_is_said_before_twenty_seconds_nor_of_those_who_stopped() {
    let mut counter = Counter::new();
    let mut walkers = Walkers::new(2, 3, 1.0);
    assert_eq!(walkers.run(19.0, true, &mut counter), None);
    assert!(walkers.run(3.0, true, &mut counter).is_some());
    assert_eq!(walkers.run(1.5, false, &mut counter), None);
    assert_eq!(walkers.run(15.0, true, &mut counter), None);
    assert!(walkers.run(6.0, true, &mut counter).is_some());
}

#[test]
fn no_energy_is_no_number_and_hostile_energies_are_finite() {
    let mut counter = Counter::new();
    let link = |energy| LinkMotion {
        z: None,
        evidence: None,
        moving: true,
        energy,
        machine_z: None,
        condition: Condition::Ready,
    };
    for k in 1..=2000u64 {
        counter.cycle(Timestamp(k * CYCLE_NS), &[link(None)]);
    }
    assert_eq!(counter.people(), None);
    for k in 2001..=4000u64 {
        let energy = [0.0, 1e38, f32::MIN_POSITIVE][(k / 10 % 3) as usize];
        counter.cycle(Timestamp(k * CYCLE_NS), &[link(Some(energy))]);
        counter.cycle(Timestamp(k * CYCLE_NS), &[]);
    }
    assert!(counter.people().is_some_and(|p| p.probability.iter().all(|p| p.is_finite())));
}
