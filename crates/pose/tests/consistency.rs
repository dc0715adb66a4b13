//! Guards the tracker's honesty as a whole, through its public interface: on people who move as its model says, the errors of
//! its tracks (NEES) and of its predictions (NIS) are as large as it claims, neither larger nor smaller; and somebody who walks
//! steadily is followed without lag.

mod common;

use common::{Random, confirmed, time};
use wavewitness_num::matrix::Matrix;
use wavewitness_pose::{Config, Plan, State};
use wavewitness_types::{Detection, Gate};

const RUNS: u32 = 300;
/// Longer than a cycle, so that the process noise counts.
const DT_S: f64 = 0.4;
const STEPS: u32 = 60;
/// Measurement noise, full: metres squared.
const NOISE: [[f64; 3]; 3] = [[0.05, 0.02, 0.0], [0.02, 0.03, -0.01], [0.0, -0.01, 0.09]];

/// One axis of a person of the model: white acceleration of spectral density q, sampled exactly (its two variates have
/// the covariance q [dt³/3 dt²/2; dt²/2 dt]).
fn step(random: &mut Random, position: &mut f64, velocity: &mut f64, q: f64) {
    let (a, b) = (random.normal(), random.normal());
    let kick = (q * DT_S).sqrt() * a;
    *position += *velocity * DT_S + 0.5 * DT_S * kick + DT_S * (q * DT_S / 12.0).sqrt() * b;
    *velocity += kick;
}

fn measured(random: &mut Random, place: [f64; 3]) -> Detection {
    let white = [random.normal(), random.normal(), random.normal()];
    let error = Matrix(NOISE).cholesky().unwrap().l.times_vector(&white);
    let position_m = [place[0] + error[0], place[1] + error[1], place[2] + error[2]];
    Detection { position_m, covariance_m2: NOISE, strength: 10.0 }
}

/// Mean of n independent χ² of d degrees of freedom lies within d ± 3.29 √(2d/n) with probability 99.9 % (two-sided; for
/// n d > 500 the normal distribution is close enough).
fn assert_chi_squared(name: &str, mean: f64, freedom: f64, n: u32) {
    let band = 3.29 * (2.0 * freedom / f64::from(n)).sqrt();
    println!("{name}: {mean:.3}, allowed {freedom} ± {band:.3}");
    assert!((mean - freedom).abs() < band, "{name} {mean}, allowed {freedom} ± {band}");
}

/// The mean NEES at five moments over 300 runs, and the mean NIS of all steps, within two-sided 99.9 % bounds. The gate is
/// opened and clutter is out of the question, for what either cuts off by default is a part of the χ² distribution.
#[test]
fn errors_and_innovations_are_as_large_as_claimed() {
    let config = Config { gate_distance2: 30.0, clutter_per_m3: 1e-6, ..Config::default() };
    let q = [config.acceleration_psd, config.acceleration_psd, config.vertical_acceleration_psd];
    let speed =
        [config.birth_speed_sigma_m_s, config.birth_speed_sigma_m_s, config.birth_vertical_speed_sigma_m_s];
    let plan = Plan::new(&config, None).unwrap();
    let mut nees = [0.0; 5];
    let (mut nis, mut updates) = (0.0, 0);
    for seed in 0..RUNS {
        let mut random = Random(u64::from(seed) + 7000);
        let mut state = State::new(&plan);
        let (mut place, mut velocity) = ([0.0; 3], speed.map(|s| s * random.normal()));
        for k in 0..STEPS {
            if k > 0 {
                (0..3).for_each(|axis| step(&mut random, &mut place[axis], &mut velocity[axis], q[axis]));
            }
            let seen = [measured(&mut random, place)];
            let summary = plan.run(time(f64::from(k) * DT_S), &seen, Gate::Accept, 1.0, &mut state);
            assert_eq!(summary.assigned, u16::from(k > 0), "run {seed}: lost at step {k}");
            nis += summary.nis_sum;
            updates += u32::from(summary.assigned);
            let track = state.tracks()[0];
            if k % 12 == 11 {
                let error: Vec<f64> = (0..3)
                    .map(|axis| place[axis] - track.mean[axis])
                    .chain((0..3).map(|axis| velocity[axis] - track.mean[axis + 3]))
                    .collect();
                let factor = Matrix(track.covariance).cholesky().unwrap();
                nees[(k / 12) as usize] +=
                    factor.mahalanobis2(error.as_slice().try_into().unwrap()) / f64::from(RUNS);
            }
        }
    }
    for (k, &mean) in nees.iter().enumerate() {
        assert_chi_squared(
            &format!("NEES after {:.1} s", f64::from(12 * (k as u32 + 1)) * DT_S),
            mean,
            6.0,
            RUNS,
        );
    }
    assert_chi_squared("NIS", nis / f64::from(updates), 3.0, updates);
}

/// 1.2 m/s along a straight line, detections with σ 0.2 m at 20 Hz: behind the walker by less than 0.1 m in the steady state
/// (from 3 s on), in each of 40 runs and not only on average.
#[test]
fn a_constant_velocity_walker_is_followed_with_less_than_a_decimetre_of_lag() {
    let plan = Plan::new(&Config::default(), None).unwrap();
    let (mut worst, mut total) = (0.0, 0.0);
    for seed in 0..40 {
        let mut state = State::new(&plan);
        let mut random = Random(seed + 300);
        let (mut lag, mut n) = (0.0, 0.0);
        for cycle in 0..400 {
            let t = f64::from(cycle) * common::CYCLE_S;
            let truth = [-12.0 + 1.2 * t, 2.0, 1.0];
            let seen = [common::detection(&mut random, truth, 0.2)];
            plan.run(time(t), &seen, Gate::Accept, 1.0, &mut state);
            if t > 3.0 {
                let [track] = confirmed(&state)[..] else {
                    panic!("one walker, one person: seed {seed}, {t} s")
                };
                lag += truth[0] - track.mean[0];
                n += 1.0;
            }
        }
        let lag: f64 = lag / n;
        worst = if lag.abs() > worst { lag.abs() } else { worst };
        total += lag / 40.0;
    }
    println!("lag {total:.4} m on average, {worst:.4} m in the worst run");
    assert!(worst < 0.1, "{worst} m behind");
    assert!(total.abs() < 0.02, "{total} m on average");
}
