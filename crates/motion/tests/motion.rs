//! Guards what the detector promises: a false-alarm rate that is the designed one whatever rate and noise; blindness to
//! gain, phase, timing and loss; a walker found soon; drift and fans that are no people. On generated signals.

mod support;

use support::{Detector, LINK, Random, Room, Scene};
use wavewitness_motion::{Condition, Config, Plan};
use wavewitness_num::math;
use wavewitness_types::{LinkId, Samples, ToneGrid};

fn quiet(_: f64) -> Scene {
    Scene::default()
}

/// A walker whose path changes by `doppler_hz` wavelengths a second, from `start` on.
fn walker(start: f64, amplitude: f64, doppler_hz: f64) -> impl Fn(f64) -> Scene {
    move |t| {
        let mover = (t >= start).then_some((amplitude, 45e-9, doppler_hz * (t - start)));
        // The path is there before, at rest: only motion is new.
        Scene { mover: mover.or(Some((amplitude, 45e-9, 0.0))), ..Scene::default() }
    }
}

#[test]
fn a_quiet_channel_alarms_at_the_designed_rate_at_any_rate_and_noise() {
    for rate_hz in [20.0, 33.0, 50.0, 100.0] {
        for snr_db in [12.0, 20.0, 35.0] {
            let (mut looks, mut above, mut total, mut alarms) = (0u32, 0u32, 0.0, 0u32);
            for seed in 0..6 {
                // Nothing for wandering levels: these don't wander, and the designed rate is to be seen.
                let mut d = Detector::new(&Config { level_spread: 0.0, ..Config::default() });
                d.run(&mut Room::new(seed, rate_hz, snr_db), 35.0, quiet);
                assert!(d.ready());
                d.scores().for_each(|z| {
                    looks += 1;
                    above += u32::from(z > 2.326);
                    total += z;
                });
                alarms += d.said.iter().filter(|(_, m)| m.moving).count() as u32;
            }
            let (share, mean) = (f64::from(above) / f64::from(looks), total / f64::from(looks));
            assert!((0.001..0.03).contains(&share), "{rate_hz} Hz, {snr_db} dB: {share} of 0.01");
            assert!(mean.abs() < 0.35, "{rate_hz} Hz, {snr_db} dB: mean z {mean}");
            assert_eq!(alarms, 0, "{rate_hz} Hz, {snr_db} dB");
        }
    }
}

#[test]
fn gain_phase_timing_and_loss_are_no_motion() {
    for seed in 0..4 {
        let mut room = Room::new(seed, 100.0, 25.0);
        let mut d = Detector::new(&Config::default());
        let mut random = Random(seed + 900);
        while room.time_s < 40.0 {
            let t = room.time_s;
            // Gain steps of 6 dB, any phase at each frame, timing that drifts by 100 ns and jumps.
            let step = if ((t * 0.7) as u64).is_multiple_of(2) { 30.0 } else { 15.0 };
            let gain = step * (0.8 + 0.4 * random.uniform());
            let delay = 1e-9 * (2.5 * t + 50.0 * random.uniform());
            let frame = room.frame(Scene::default(), gain, random.uniform(), delay);
            // Half of all frames are lost, and bursts of 0.1, 0.7 and 2 s.
            let burst =
                [(8.0, 0.1), (12.0, 0.7), (20.0, 2.0)].iter().any(|(at, s)| (*at..at + s).contains(&t));
            if !burst && random.uniform() > 0.5 {
                d.take(frame);
            }
        }
        assert!(d.ready());
        assert_eq!(d.found(0.0), None, "seed {seed}");
        let (above, all) = d.scores().fold((0u32, 0u32), |(a, n), z| (a + u32::from(z > 2.326), n + 1));
        assert!(above * 50 < all, "{above} of {all}");
    }
}

#[test]
fn frames_of_another_kind_now_and_then_are_no_motion() {
    // An ESP32-C6 gives every thirtieth frame another filter: half the amplitude on a third of the tones.
    let mut room = Room::new(3, 100.0, 25.0);
    let mut d = Detector::new(&Config::default());
    let mut random = Random(5);
    while room.time_s < 30.0 {
        let (at, mut samples) = room.frame(Scene::default(), 1.0, 0.0, 0.0);
        if random.uniform() < 1.0 / 30.0 {
            let (re, im) = samples.parts_mut();
            re[..18].iter_mut().chain(&mut im[..18]).for_each(|x| *x *= 0.5);
        }
        d.take((at, samples));
    }
    assert_eq!(d.found(0.0), None);
}

#[test]
fn a_walker_is_found_within_half_a_second() {
    // A path 15 dB below the direct one at 25 dB of SNR, from a slow step (3 Hz) to a brisk one (15 Hz at 2.4 GHz). At 20 Hz
    // a block of five frames spans two periods of 8 Hz and holds little of them: 11 dB below the direct path.
    for (rate_hz, amplitude, most_s) in [(100.0, 0.16, 0.35), (50.0, 0.16, 0.4), (20.0, 0.25, 0.5)] {
        for doppler_hz in [3.0, 8.0, 15.0] {
            let mut late = 0u32;
            for seed in 0..20 {
                let mut room = Room::new(seed, rate_hz, 25.0);
                let mut d = Detector::new(&Config::default());
                d.run(&mut room, 10.0, walker(9.0, amplitude, doppler_hz));
                assert!(d.found(0.0).is_none_or(|t| t >= 9.0), "seed {seed}: before it begins");
                late += u32::from(d.found(9.0).is_none_or(|t| t > most_s));
            }
            assert!(late <= 1, "{rate_hz} Hz, Doppler {doppler_hz} Hz: {late} of 20 later than {most_s} s");
        }
    }
}

#[test]
fn slow_drift_is_no_motion_and_does_not_dull() {
    let mut room = Room::new(11, 50.0, 25.0);
    let mut d = Detector::new(&Config::default());
    let drift = |t: f64| t / 120.0;
    d.run(&mut room, 300.0, |t| Scene { drift: drift(t), mover: Some((0.16, 45e-9, 0.0)) });
    assert_eq!(d.found(0.0), None);
    let walks = walker(300.0, 0.16, 8.0);
    d.run(&mut room, 2.0, |t| Scene { drift: drift(t), ..walks(t) });
    assert!(d.found(300.0).is_some_and(|t| t <= 0.4), "{:?}", d.found(300.0));
}

#[test]
fn a_fan_is_background_and_a_walker_beside_it_is_not() {
    let mut room = Room::new(21, 100.0, 25.0);
    let mut d = Detector::new(&Config::default());
    // Blades pass 11 times a second: a path of −30 dB whose phase swings by a sixth of a turn either way.
    let fan = |t: f64| math::sin(core::f64::consts::TAU * 11.0 * t) / 6.0;
    d.run(&mut room, 60.0, |t| Scene { mover: Some((0.03, 60e-9, fan(t))), ..Scene::default() });
    assert!(d.ready());
    assert_eq!(d.found(0.0), None);
    d.run(&mut room, 1.0, |t| Scene { mover: Some((0.16, 45e-9, 8.0 * t)), ..Scene::default() });
    assert!(d.found(60.0).is_some_and(|t| t <= 0.4), "{:?}", d.found(60.0));
}

#[test]
fn furniture_that_was_moved_is_background_after_the_stated_time() {
    let mut room = Room::new(31, 100.0, 30.0);
    let config = Config::default();
    let mut d = Detector::new(&config);
    d.run(&mut room, 20.0, |t| Scene { drift: if t < 10.0 { 0.0 } else { 0.3 }, ..Scene::default() });
    assert!(d.found(10.0).is_some_and(|t| t < 0.3));
    let last = d.said.iter().rev().find(|(_, m)| m.moving).unwrap().0;
    assert!(last < 10.0 + config.reference_s + config.block_s + config.hold_s + 0.2, "{last}");
}

#[test]
fn somebody_who_leaves_while_quiet_is_learned_does_not_dull() {
    for seed in 0..5 {
        let mut room = Room::new(seed, 100.0, 25.0);
        let mut d = Detector::new(&Config::default());
        let leaves =
            |t: f64| Scene { mover: Some((0.2, 45e-9, 6.0 * math::min_f64(t, 1.4))), ..Scene::default() };
        d.run(&mut room, 9.0, leaves);
        assert!(d.ready(), "seed {seed}");
        assert!(d.found(5.5).is_none());
        d.run(&mut room, 1.0, |t| Scene { mover: Some((0.2, 45e-9, 8.0 * t)), ..Scene::default() });
        assert!(d.found(9.0).is_some_and(|t| t <= 0.4), "seed {seed}");
    }
}

#[test]
fn motion_is_not_learned_as_quiet() {
    let mut room = Room::new(41, 100.0, 30.0);
    let mut d = Detector::new(&Config::default());
    // Several paths that move unevenly, as a person's do.
    let wild = |t: f64| 5.0 * t + 1.5 * math::sin(2.0 * t) + math::sin(5.3 * t);
    d.run(&mut room, 20.0, |t| Scene { mover: Some((0.5, 80e-9, wild(t))), drift: wild(0.8 * t) });
    assert!(!d.ready());
    assert!(matches!(d.said.last().unwrap().1.condition, Condition::Learning { refused: true, .. }));
    assert_eq!(d.scores().count(), 0, "no score without a quiet level");
}

#[test]
fn hostile_frames_change_nothing() {
    let run = |hostile: bool| {
        let mut room = Room::new(51, 50.0, 25.0);
        let mut d = Detector::new(&Config::default());
        while room.time_s < 12.0 {
            let (at, samples) = room.frame(Scene::default(), 1.0, 0.0, 0.0);
            if hostile {
                let mut bad = Samples::zero(ToneGrid::Ht20);
                d.plan.samples(LINK, at, &bad, &mut d.state);
                bad.parts_mut().0[3] = f32::NAN;
                d.plan.samples(LINK, at, &bad, &mut d.state);
                bad.parts_mut().0.fill(f32::INFINITY);
                d.plan.samples(LINK, at, &bad, &mut d.state);
                d.plan.samples(LinkId(9999), at, &samples, &mut d.state);
                d.plan.amplitudes(LINK, at, &[1.0; 30], &mut d.state);
                if at.0 > 0 {
                    // A link that mixes layouts keeps its first.
                    let mut other = Samples::zero(ToneGrid::Legacy20);
                    other.parts_mut().0.fill(1.0);
                    d.plan.samples(LINK, at, &other, &mut d.state);
                }
            }
            d.take((at, samples));
        }
        d.said
    };
    let (clean, dirty) = (run(false), run(true));
    assert_eq!(clean, dirty);
    assert!(clean.iter().any(|(_, m)| m.z.is_some()));
}

#[test]
fn a_contradiction_is_refused_by_name() {
    let config = Config { block_s: 0.3, block_longest_s: 0.1, ..Config::default() };
    let error = Plan::new(&config).unwrap_err().to_string();
    assert!(error.starts_with("motion.block_longest_s"), "{error}");
}
