//! Guards what alignment is for: a frame's own phase and timing leave no trace, a known delay is recovered on true
//! tone indices (DC gap and HT40 included), a stationary channel stays still, and a change is seen as one.

mod common;

use common::{Random, frame, packet, room, samples};
use std::f64::consts::{PI, TAU};
use wavewitness_phase_align::{Config, Plan, State};
use wavewitness_types::limits::MAX_TONES;
use wavewitness_types::{Baseline, LinkId, Quiet, RadioMeta, Samples, Timestamp, ToneGrid};

fn start() -> (Plan, State) {
    let plan = Plan::new(&Config::default()).unwrap();
    let state = State::new(&plan);
    (plan, state)
}

fn distance(a: &Samples, b: &Samples) -> f64 {
    let mut worst = 0.0f64;
    for k in 0..a.re().len() {
        let d = f64::from(a.re()[k] - b.re()[k]).abs() + f64::from(a.im()[k] - b.im()[k]).abs();
        worst = if d > worst { d } else { worst };
    }
    worst
}

fn baseline(mean: Samples, completed: u64) -> Baseline {
    Baseline {
        link: LinkId(0),
        empty_room: true,
        observations: 400,
        completed: Timestamp(completed),
        mean,
        variance: [0.0; MAX_TONES],
        quiet_incoherence: Quiet::default(),
        quiet_change: Quiet::default(),
        rssi_dbm: None,
        rssi_sd_db: None,
    }
}

#[test]
fn a_frames_own_phase_and_slope_leave_no_trace() {
    for grid in ToneGrid::ALL {
        let mut random = Random(7);
        let h = room(grid, &mut random);
        for first_frame in [true, false] {
            let mut expected: Option<Samples> = None;
            for k in 0..40 {
                let mut noise = Random(99);
                let (plan, mut state) = start();
                if !first_frame {
                    let reference = packet(grid, &h, 0.4, 0.05, 0.01, &mut Random(5));
                    plan.align(frame(0, 0, reference), None, &mut state);
                }
                // Any slope of the circle: also those whose phase wraps many times over the band.
                let (phase, slope) = (0.31 * f64::from(k), TAU * f64::from(k) / 40.0 - 3.0);
                let p = packet(grid, &h, phase, slope, 0.01, &mut noise);
                let aligned = plan.align(frame(10, 0, p), None, &mut state);
                let expected = expected.get_or_insert_with(|| aligned.samples.clone());
                let d = distance(expected, &aligned.samples);
                assert!(d < 5e-6, "{} {first_frame} {k}: {d}", grid.name());
            }
        }
    }
}

#[test]
fn a_known_delay_and_phase_are_recovered() {
    for grid in ToneGrid::ALL {
        let mut random = Random(11);
        let h = room(grid, &mut random);
        let reference = baseline(samples(grid, &h), 1);
        for delay_ns in [-180.0, -40.0, 0.0, 3.0, 75.0, 600.0] {
            let (plan, mut state) = start();
            let slope = -TAU * grid.spacing_hz() * delay_ns * 1e-9;
            let p = packet(grid, &h, 2.0, slope, 1e-3, &mut random);
            let a = plan.align(frame(0, 0, p), Some(&reference), &mut state);
            assert!(
                (f64::from(a.delay_ns) - delay_ns).abs() < 1.0,
                "{} {delay_ns}: {}",
                grid.name(),
                a.delay_ns
            );
            assert!((f64::from(a.common_phase) - 2.0).abs() < 0.05, "{} {}", grid.name(), a.common_phase);
            assert!(a.correlation > 0.998 && a.correlation <= 1.0);
        }
    }
}

/// Cramér–Rao: for white noise of variance σ² a tone and unit power, var τ̂ ≥ σ² / (2 Σ i²) (rad/tone)².
#[test]
fn slope_noise_is_at_the_cramer_rao_bound() {
    let grid = ToneGrid::Ht20;
    let mut random = Random(3);
    let flat: Vec<_> = vec![wavewitness_num::C64::new(1.0, 0.0); grid.tone_count()];
    let reference = baseline(samples(grid, &flat), 1);
    let (plan, mut state) = start();
    let noise = 0.01;
    let mut total = 0.0;
    for k in 0..500 {
        let p = packet(grid, &flat, 1.0, 0.0, noise, &mut random);
        let a = plan.align(frame(k, 0, p), Some(&reference), &mut state);
        let slope = -f64::from(a.delay_ns) * 1e-9 * TAU * grid.spacing_hz();
        total += slope * slope;
    }
    let index_energy: f64 = grid.indices().iter().map(|&i| f64::from(i) * f64::from(i)).sum();
    let bound = noise / (2.0 * index_energy);
    let ratio = total / 500.0 / bound;
    assert!((0.8..1.25).contains(&ratio), "variance over the bound: {ratio}");
}

#[test]
fn a_stationary_channel_is_still_whatever_the_packets_do() {
    let grid = ToneGrid::Legacy20;
    let mut random = Random(21);
    let h = room(grid, &mut random);
    let (plan, mut state) = start();
    let noise = 0.002;
    let (mut change, mut scatter, mut n) = (0.0, 0.0, 0);
    for cycle in 0..200u64 {
        for f in 0..4 {
            let (phase, slope) = (TAU * random.uniform(), 0.4 * random.uniform() - 0.2);
            let p = packet(grid, &h, phase, slope, noise, &mut random);
            plan.align(frame(cycle * 50 + f * 12, 0, p), None, &mut state);
        }
        plan.end_cycle(Timestamp((cycle + 1) * 50_000_000), &mut state);
        let [o] = state.observations() else { panic!("one link, one observation") };
        assert_eq!((o.frames, o.change.is_some()), (4, cycle > 0));
        if cycle >= 20 {
            change += f64::from(o.change.unwrap());
            scatter += f64::from(o.scatter.unwrap());
            n += 1;
        }
    }
    let (change, scatter) = (change / f64::from(n), scatter / f64::from(n));
    // Noise to signal of a frame; alignment takes two of the 2K real degrees of freedom. A mean of 4 against one of
    // about 40 cycles has a quarter of it.
    let power = h.iter().map(|z| z.re * z.re + z.im * z.im).sum::<f64>() / h.len() as f64;
    let expected = noise / power;
    assert!((scatter / expected - 1.0).abs() < 0.1, "scatter {scatter}, expected {expected}");
    assert!((change / (expected / 4.0) - 1.0).abs() < 0.15, "change {change}, expected {}", expected / 4.0);
}

#[test]
fn a_moving_path_is_change_and_a_gain_step_is_not() {
    let grid = ToneGrid::Ht20;
    let mut random = Random(5);
    let h = room(grid, &mut random);
    let (plan, mut state) = start();
    let mut seen = [0.0f64; 3];
    for cycle in 0..300u64 {
        // 0..100 still; from 100 on ten times the gain (normalised away upstream); from 200 on a path that walks.
        let mut now: Vec<_> = if cycle < 100 { h.clone() } else { h.iter().map(|&z| z * 10.0).collect() };
        if cycle >= 200 {
            let turn = wavewitness_num::complex::unit(0.9 * (cycle - 200) as f64);
            let echo = common::channel(grid, &[(60.0, turn * 3.0)]);
            now.iter_mut().zip(echo).for_each(|(a, b)| *a += b);
        }
        let noise = if cycle < 100 { 1e-3 } else { 1e-1 };
        let p = packet(grid, &now, TAU * random.uniform(), 0.0, noise, &mut random);
        plan.align(frame(cycle * 50, 3, p), None, &mut state);
        plan.end_cycle(Timestamp((cycle + 1) * 50_000_000), &mut state);
        if cycle % 100 >= 40 {
            seen[(cycle / 100) as usize] += f64::from(state.observations()[0].change.unwrap()) / 60.0;
        }
    }
    assert!((seen[1] / seen[0] - 1.0).abs() < 0.2, "{seen:?}");
    assert!(seen[2] > 10.0 * seen[1], "{seen:?}");
}

/// Has caught: an imported baseline has another delay gauge, and the first `change` after it was the gauge's.
#[test]
fn a_new_baseline_changes_the_gauge_and_nothing_else() {
    let grid = ToneGrid::Ht20;
    let mut random = Random(8);
    let h = room(grid, &mut random);
    let other_gauge = packet(grid, &h, -1.3, 0.7, 0.0, &mut random);
    let imported = baseline(other_gauge.clone(), 77);
    let (plan, mut state) = start();
    for cycle in 0..40u64 {
        let p = packet(grid, &h, TAU * random.uniform(), PI * random.uniform(), 1e-3, &mut random);
        let b = (cycle >= 20).then_some(&imported);
        let a = plan.align(frame(cycle * 50, 0, p), b, &mut state);
        plan.end_cycle(Timestamp((cycle + 1) * 50_000_000), &mut state);
        let change = state.observations()[0].change.unwrap_or(0.0);
        assert!(change < 0.004, "cycle {cycle}: {change}");
        if b.is_some() {
            assert!(distance(&a.samples, &other_gauge) < 0.3);
        }
    }
}

#[test]
fn the_recent_mean_forgets_by_time_not_by_count() {
    // A step of the channel, seen at 20 Hz and at 4 Hz: one second later the same share of it is left in `change`.
    let grid = ToneGrid::Ht20;
    let mut left = Vec::new();
    for step_ms in [50u64, 250] {
        let (plan, mut state) = start();
        let before = common::channel(grid, &[(0.0, wavewitness_num::C64::new(1.0, 0.0))]);
        let after = common::channel(
            grid,
            &[(0.0, wavewitness_num::C64::new(1.0, 0.0)), (150.0, wavewitness_num::C64::new(0.0, 0.5))],
        );
        let mut change = 0.0;
        for at in (0..=11_000).step_by(step_ms as usize) {
            let h = if at < 10_000 { &before } else { &after };
            plan.align(frame(at, 0, samples(grid, h)), None, &mut state);
            plan.end_cycle(Timestamp((at + 1) * 1_000_000), &mut state);
            change = state.observations()[0].change.unwrap_or(0.0);
        }
        left.push(change);
    }
    assert!((left[0] / left[1] - 1.0).abs() < 0.25, "{left:?}");
}

#[test]
fn silence_forgets_and_absence_is_absence() {
    let grid = ToneGrid::Legacy20;
    let mut random = Random(2);
    let h = room(grid, &mut random);
    let (plan, mut state) = start();
    let mut send = |at_ms: u64, link: u16, state: &mut State| {
        let mut f = frame(at_ms, link, packet(grid, &h, 0.3, 0.1, 1e-3, &mut random));
        f.radio = RadioMeta { rssi_dbm: (link == 5).then_some(-40), ..RadioMeta::default() };
        plan.align(f, None, state);
    };
    send(0, 9, &mut state);
    send(1, 5, &mut state);
    send(2, 5, &mut state);
    plan.end_cycle(Timestamp(50_000_000), &mut state);
    let ids: Vec<_> = state.observations().iter().map(|o| (o.link.0, o.frames, o.rssi_dbm)).collect();
    assert_eq!(ids, [(5, 2, Some(-40.0)), (9, 1, None)]);
    assert_eq!(state.observations()[1].scatter, None);
    plan.end_cycle(Timestamp(100_000_000), &mut state);
    assert!(state.observations().is_empty());
    send(120, 5, &mut state);
    plan.end_cycle(Timestamp(150_000_000), &mut state);
    assert!(state.observations()[0].change.is_some());
    send(20_000, 5, &mut state);
    plan.end_cycle(Timestamp(20_050_000_000), &mut state);
    assert_eq!(state.observations()[0].change, None);
}

#[test]
fn degenerate_frames_stay_finite() {
    let (plan, mut state) = start();
    for grid in ToneGrid::ALL {
        let zero = Samples::zero(grid);
        for at in 0..3 {
            let a = plan.align(frame(at, 1, zero.clone()), Some(&baseline(zero.clone(), 1)), &mut state);
            assert!(a.correlation.is_finite() && a.delay_ns.is_finite() && a.common_phase.is_finite());
        }
        // Only one tone alive: no slope can be known.
        let mut one = Samples::zero(grid);
        one.parts_mut().0[7] = 3.0;
        let a = plan.align(frame(9, 1, one), None, &mut state);
        assert!(a.samples.re().iter().chain(a.samples.im()).all(|x| x.is_finite()));
        plan.end_cycle(Timestamp(50_000_000), &mut state);
        assert!(state.observations()[0].mean.re().iter().all(|x| x.is_finite()));
    }
}
