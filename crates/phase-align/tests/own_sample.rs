//! Guards that `change` is taken against a mean that does not contain the observation itself. White noise of variance σ²
//! then gives σ²(1 + 1/N) for a mean that is worth N observations. With itself in a plain mean it would be σ²(1 − 1/N): every quiet level,
//! and every z-score against it, too low by 2/N. (That of the baseline: `calibration/tests/behaviour.rs`.)

mod common;

use common::{Random, frame, packet, room};
use wavewitness_num::math;
use wavewitness_phase_align::{Config, Plan, State};
use wavewitness_types::{Timestamp, ToneGrid};

/// An exponential mean of weight w is worth N = (2 − w)/w observations: 10.0 at 5 Hz and a time constant of 1 s. Without itself
/// that is 1.10 σ², with itself (1 − w)² of it, 0.74 σ². 40 rooms, 200 observations each.
#[test]
fn change_is_against_a_mean_without_the_observation() {
    let grid = ToneGrid::Ht20;
    let (noise, step_ms) = (0.002, 200);
    let (mut total, mut n) = (0.0, 0.0);
    for seed in 0..40 {
        let mut random = Random(seed);
        let h = room(grid, &mut random);
        let power = h.iter().map(|z| z.re * z.re + z.im * z.im).sum::<f64>() / h.len() as f64;
        let plan = Plan::new(&Config::default()).unwrap();
        let mut state = State::new(&plan);
        for k in 0..230u64 {
            let p = packet(grid, &h, random.uniform(), 0.1 * random.uniform(), noise, &mut random);
            plan.align(frame(k * step_ms, 0, p), None, &mut state);
            plan.end_cycle(Timestamp((k * step_ms + 1) * 1_000_000), &mut state);
            if k >= 30 {
                total += f64::from(state.observations()[0].change.unwrap()) / (noise / power);
                n += 1.0;
            }
        }
    }
    // Incoherence is blind to a complex factor and alignment takes the slope: of 2·56 real degrees of freedom 3 are gone.
    let seen: f64 = total / n / (1.0 - 3.0 / 112.0);
    let weight = 1.0 - math::exp(-0.2 / Config::default().recent_s);
    let worth = (2.0 - weight) / weight;
    println!(
        "change over the noise {seen:.4}; without itself {:.4}, with itself {:.4}",
        1.0 + 1.0 / worth,
        { (1.0 - weight) * (1.0 - weight) * (1.0 + 1.0 / worth) }
    );
    assert!((seen - (1.0 + 1.0 / worth)).abs() < 0.02, "{seen} of {}", 1.0 + 1.0 / worth);
}
