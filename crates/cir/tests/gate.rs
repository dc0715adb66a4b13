//! Guards the gate's semantics: a stationary channel is accepted at any signal-to-noise ratio, noise never is, a person
//! is signal and not a fault, a changed room asks for a new baseline, and nothing chatters. The peer's gate accepted 34
//! of 4,000 frames of a perfectly stationary channel.

mod common;

use common::samples;
use common::scene::{Air, GRID, Scene, calibrate, share};
use wavewitness_cir::gate::{Config, Plan, Response, State};
use wavewitness_num::{C64, complex, math};
use wavewitness_types::{Canonical, CirEstimate, Gate, LinkId, Samples};

#[test]
fn a_stationary_channel_is_accepted_at_any_signal_to_noise_ratio() {
    for snr_db in [3.0, 10.0, 20.0, 30.0, 60.0] {
        let mut scene = Scene::new(1, snr_db, &Config::default());
        let decisions = scene.hear_empty(4000);
        let accepted = share(&decisions, Gate::Accept);
        let mut scores: Vec<f32> = decisions.iter().map(|d| d.coherence.unwrap()).collect();
        scores.sort_by(f32::total_cmp);
        eprintln!("{snr_db} dB: {accepted} accepted, coherence median {} least {}", scores[2000], scores[0]);
        assert!(accepted >= 0.99, "{snr_db} dB: {accepted}");
        assert!(scores[2000] > 0.98, "{snr_db} dB: {}", scores[2000]);
        // It stays accepted once it is.
        assert!(decisions[20..].iter().all(|d| d.gate == Gate::Accept && d.noise_inflation == 1.0));
    }
}

#[test]
fn noise_is_never_accepted_whatever_the_baseline() {
    let mut scene = Scene::new(2, 20.0, &Config::default());
    let of_a_channel: Vec<_> = (0..4000)
        .map(|_| {
            let o = scene.air.noise();
            scene.judge(&o)
        })
        .collect();
    assert_eq!(share(&of_a_channel, Gate::Accept), 0.0);
    assert!(share(&of_a_channel, Gate::Reject) > 0.99);
    assert_eq!(share(&of_a_channel, Gate::Recalibrate), 0.0, "noise is not a changed room");

    let mut air = Air::new(9);
    let heard: Vec<_> = (0..300).map(|_| air.noise()).collect();
    scene.baseline = calibrate(&heard[20..]);
    scene.state = State::new(&scene.plan);
    for _ in 0..4000 {
        let o = air.noise();
        let d = scene.judge(&o);
        assert!(d.gate >= Gate::Reject || d.noise_inflation > 1.0);
        assert_ne!(d.gate, Gate::Accept, "a baseline of noise makes noise no signal");
        assert!(d.coherence.unwrap() < 0.3);
    }
}

#[test]
fn a_link_that_turns_into_noise_is_rejected_and_comes_back() {
    let mut scene = Scene::new(3, 20.0, &Config::default());
    assert_eq!(scene.hear_empty(50).last().unwrap().gate, Gate::Accept);
    let during: Vec<_> = (0..40)
        .map(|_| {
            let o = scene.air.noise();
            scene.judge(&o)
        })
        .collect();
    assert!(during[5..].iter().all(|d| d.gate != Gate::Accept), "out within 0.3 s");
    assert!(during[25..].iter().all(|d| d.gate == Gate::Reject));
    let after = scene.hear_empty(60);
    assert!(after[45..].iter().all(|d| d.gate == Gate::Accept), "back within 2.3 s");
}

#[test]
fn a_changed_room_is_held_then_rejected_then_asks_for_a_new_baseline() {
    let mut scene = Scene::new(7, 25.0, &Config::default());
    scene.hear_empty(100);
    let moved = scene.with((40.0, C64::new(0.0, 0.9)));
    let decisions: Vec<_> = (0..3000).map(|_| scene.hear(&moved)).collect();
    let at = |seconds: usize| decisions[seconds * 20].gate;
    assert_eq!(at(5), Gate::PredictOnly, "it may be a person who stands still");
    assert_eq!(at(50), Gate::PredictOnly);
    assert_eq!(at(70), Gate::Reject);
    assert_eq!(at(110), Gate::Reject);
    assert_eq!(at(130), Gate::Recalibrate);
    assert_eq!(at(149), Gate::Recalibrate, "and it says so until something happens");
    // A moving person does not repair the baseline.
    for i in 0..40 {
        let walker = complex::unit(f64::from(i) * 0.9) * 0.3;
        let h: Vec<C64> = moved
            .iter()
            .zip(scene.with((60.0, walker)))
            .zip(&scene.empty)
            .map(|((m, w), e)| m + w - e)
            .collect();
        let d = scene.hear(&h);
        assert_eq!(d.gate, Gate::Recalibrate, "{i}: {:?}", d.coherence);
    }
    // A baseline of the new room does.
    let heard: Vec<_> = (0..200).map(|_| scene.air.hear(&moved, 25.0)).collect();
    let old = core::mem::replace(&mut scene.baseline, calibrate(&heard));
    let fresh: Vec<_> = (0..40).map(|_| scene.hear(&moved)).collect();
    assert!(fresh[15..].iter().all(|d| d.gate == Gate::Accept));
    // So would the old room with the old baseline.
    scene.baseline = old;
    assert!(scene.hear_empty(40)[15..].iter().all(|d| d.gate == Gate::Accept));
}

#[test]
fn between_the_thresholds_the_gate_stays_where_it_was() {
    // An observation at a chosen incoherence d with the baseline: unit along it and √(d/(1−d)) across.
    let scene = Scene::new(8, 20.0, &Config { smoothing: 1.0, ..Config::default() });
    let quiet = scene.baseline.quiet_incoherence;
    let edge_ln = f64::from(quiet.ln_mean) + 2.0 * f64::from(quiet.ln_sd);
    let reference: Vec<C64> = (0..GRID.tone_count())
        .map(|k| C64::new(f64::from(scene.baseline.mean.re()[k]), f64::from(scene.baseline.mean.im()[k])))
        .collect();
    let mut across: Vec<C64> = (0..GRID.tone_count()).map(|k| complex::unit(k as f64)).collect();
    let energy: f64 = reference.iter().map(|z| z.norm_sqr()).sum();
    let along: C64 = reference.iter().zip(&across).map(|(r, a)| r.conj() * a).sum::<C64>() / energy;
    across.iter_mut().zip(&reference).for_each(|(a, r)| *a -= r * along);
    let across_energy: f64 = across.iter().map(|z| z.norm_sqr()).sum();
    let at_score = |score: f64| -> Samples {
        let d = math::exp(edge_ln - 2.0 * math::ln(score));
        let gain = math::sqrt(d / (1.0 - d) * energy / across_energy);
        let h: Vec<C64> = reference.iter().zip(&across).map(|(r, a)| r + a * gain).collect();
        samples(GRID, &h)
    };
    let run = |score: f64, from: Gate| -> (usize, Gate, f32) {
        let mut s = Scene::new(8, 20.0, &Config { smoothing: 1.0, ..Config::default() });
        s.hear_empty(if from == Gate::Accept { 30 } else { 1 });
        let (mut changes, mut before, mut inflation) = (0, from, 1.0);
        for i in 0..400 {
            // ±0.03 of wobble about the score.
            let wobble = if i % 2 == 0 { 0.03 } else { -0.03 };
            let mut o = s.air.hear(&s.empty.clone(), 20.0);
            o.mean = at_score(score + wobble);
            let d = s.judge(&o);
            assert!((f64::from(d.coherence.unwrap()) - (score + wobble)).abs() < 0.02);
            changes += usize::from(d.gate != before);
            (before, inflation) = (d.gate, d.noise_inflation);
        }
        (changes, before, inflation)
    };
    assert_eq!(run(0.85, Gate::Accept).1, Gate::Accept);
    assert_eq!(run(0.85, Gate::Accept).0, 0);
    let (changes, gate, inflation) = run(0.85, Gate::PredictOnly);
    assert_eq!((changes, gate), (0, Gate::PredictOnly));
    // Noise is inflated the more, the less the channel resembles its baseline.
    let lower = run(0.4, Gate::PredictOnly).2;
    assert!(1.0 < inflation && inflation < lower && lower < 3.0, "{inflation} {lower}");
    // A wobble across the lower threshold alone does not change the gate: it must last.
    assert_eq!(run(0.8, Gate::Accept).1, Gate::Accept);
}

#[test]
fn without_a_baseline_a_link_serves_for_motion_only() {
    let mut scene = Scene::new(10, 20.0, &Config::default());
    for _ in 0..100 {
        let o = scene.air.hear(&scene.empty.clone(), 20.0);
        let d = scene.plan.run(&o, None, None, &mut scene.state).decision;
        assert_eq!((d.gate, d.coherence, d.noise_inflation), (Gate::PredictOnly, None, 3.0));
        let _ = d.to_canonical_bytes();
    }
}

#[test]
fn a_silent_link_is_not_accepted_for_long() {
    let mut scene = Scene::new(11, 20.0, &Config::default());
    scene.hear_empty(50);
    let silence: Vec<_> = (0..100).map(|_| scene.plan.silent(LinkId(0), &mut scene.state)).collect();
    assert_eq!((silence[10].gate, silence[10].coherence), (Gate::Accept, None));
    assert_eq!(silence[99].gate, Gate::PredictOnly);
    assert!(silence[99].noise_inflation > 1.0);
    assert_eq!(scene.hear_empty(15).last().unwrap().gate, Gate::Accept);
    // Beyond the engine's bound there is no memory, and no panic.
    assert_eq!(scene.plan.silent(LinkId(u16::MAX), &mut scene.state).gate, Gate::PredictOnly);
}

#[test]
fn each_switch_is_an_ab_test() {
    let off = Config { enabled: false, ..Config::default() };
    let mut scene = Scene::new(12, 20.0, &off);
    let o = scene.air.noise();
    let d = scene.judge(&o);
    assert_eq!((d.gate, d.noise_inflation), (Gate::Accept, 1.0));
    assert!(d.coherence.unwrap() < 0.3, "the coherence is still told");

    for (use_cir, residual, expected) in
        [(true, 0.95, Gate::PredictOnly), (false, 0.95, Gate::Accept), (true, 0.3, Gate::Accept)]
    {
        let mut scene = Scene::new(13, 20.0, &Config { use_cir, ..Config::default() });
        let mut last = Gate::Reject;
        for _ in 0..60 {
            let o = scene.air.hear(&scene.empty.clone(), 20.0);
            let estimate = scene.cir.estimate(&o, &mut scene.scratch);
            let estimate = CirEstimate { residual, converged: true, ..estimate };
            let response =
                Some(Response { estimate: &estimate, plan: &scene.cir, scratch: &mut scene.scratch });
            last = scene.plan.run(&o, Some(&scene.baseline), response, &mut scene.state).decision.gate;
        }
        assert_eq!(last, expected, "use_cir {use_cir}, residual {residual}");
    }
}

#[test]
fn thresholds_out_of_order_are_refused_by_name() {
    let e = Plan::new(&Config { accept_leave: 0.95, ..Config::default() }).unwrap_err();
    assert_eq!(e.to_string(), "gate.accept_leave = 0.95: allowed is at most gate.accept_enter (0.9)");
    let e = Plan::new(&Config { information_floor: 0.5, ..Config::default() }).unwrap_err();
    assert_eq!(e.field, "gate.information_floor");
}
