//! Guards presence: no ghosts in a quiet room, nobody overlooked for long, no flicker, no claim beyond the evidence.

mod common;

use common::{CYCLE_S, EMPTY, Hub, READY, Random, known, link};
use wavewitness_types::{CalibrationState, Gate, Presence, PresenceBasis, UnknownReason};
use wavewitness_world::{Config, LinkInput};

fn links(n: u16, calibration: CalibrationState) -> Vec<LinkInput> {
    (0..n).map(|k| LinkInput { attention: 1.0 / f32::from(n), ..link(k, calibration) }).collect()
}

/// Stationary Gaussian z-scores with unit variance and a correlation time.
struct Quiet {
    random: Random,
    values: Vec<f64>,
    keep: f64,
}

impl Quiet {
    fn new(seed: u64, n: usize, correlation_s: f64) -> Quiet {
        let keep =
            if correlation_s > 0.0 { wavewitness_num::math::exp(-CYCLE_S / correlation_s) } else { 0.0 };
        let mut random = Random(seed);
        let values = (0..n).map(|_| random.normal()).collect();
        Quiet { random, values, keep }
    }

    fn step(&mut self) -> &[f64] {
        for v in &mut self.values {
            *v = self.keep * *v + (1.0 - self.keep * self.keep).sqrt() * self.random.normal();
        }
        &self.values
    }
}

#[test]
fn an_empty_room_is_empty() {
    // 30 min each: one link, two links of one node, four and twelve links of several nodes; z-scores fresh in every
    // cycle, and correlated over the decorrelation time and over twice that.
    for (case, (n, coherence)) in
        [(1u16, None), (2, None), (4, Some(0.1)), (12, Some(0.0))].into_iter().enumerate()
    {
        for correlation_s in [0.0, 0.4, 0.8] {
            for calibration in [READY, EMPTY] {
                let mut hub = Hub::new(&Config::default());
                hub.cross_coherence = coherence;
                let mut room = links(n, calibration);
                let mut change = Quiet::new(case as u64, room.len(), correlation_s);
                let mut drift = Quiet::new(77 + case as u64, room.len(), correlation_s);
                let (mut false_cycles, mut highest) = (0, 0.0);
                for cycle in 0..36_000 {
                    for (l, (&c, &d)) in room.iter_mut().zip(change.step().iter().zip(drift.step())) {
                        l.change_z = Some(c as f32);
                        l.drift_z = Some(d as f32);
                    }
                    let (present, p) = known(hub.cycle(&room, &[]).presence);
                    false_cycles += u32::from(present);
                    highest = if p > highest && cycle > 200 { p } else { highest };
                }
                println!(
                    "{n} links, {correlation_s} s, {calibration:?}: {false_cycles} false of 36000, highest p {highest:.3}"
                );
                assert!(false_cycles < 360, "{n} links, {correlation_s} s: {false_cycles} false cycles");
            }
        }
    }
}

#[test]
fn outliers_are_nobody() {
    // One cycle in twenty is hit by interference (z = 20 on every link at once), for 30 min.
    let mut hub = Hub::new(&Config::default());
    let mut random = Random(8);
    let mut room = links(2, READY);
    let mut false_cycles = 0;
    for _ in 0..36_000 {
        let hit = random.uniform() < 0.05;
        room.iter_mut().for_each(|l| l.change_z = Some(if hit { 20.0 } else { random.normal() as f32 }));
        false_cycles += u32::from(known(hub.cycle(&room, &[]).presence).0);
    }
    assert_eq!(false_cycles, 0);
}

#[test]
fn a_walker_is_seen_within_a_second() {
    let mut slowest = 0;
    for (n, coherence) in [(1u16, None), (2, None), (4, Some(0.6)), (4, Some(1.0)), (12, Some(0.3))] {
        for calibration in [READY, EMPTY] {
            for seed in 0..20 {
                let mut hub = Hub::new(&Config::default());
                hub.cross_coherence = coherence;
                let mut room = links(n, calibration);
                let mut noise = Quiet::new(seed, room.len(), 0.2);
                let mut delay = None;
                for cycle in 0..440 {
                    let walker = cycle >= 400;
                    for (l, &z) in room.iter_mut().zip(noise.step()) {
                        l.change_z = Some((z + if walker { 5.0 } else { 0.0 }) as f32);
                    }
                    let (present, _) = known(hub.cycle(&room, &[]).presence);
                    if walker && present && delay.is_none() {
                        delay = Some(cycle - 400 + 1);
                    }
                }
                let delay = delay.expect("the walker is seen at all");
                slowest = slowest.max(delay);
            }
        }
    }
    println!("slowest detection {:.2} s", f64::from(slowest) * CYCLE_S);
    assert!(f64::from(slowest) * CYCLE_S <= 1.0);
}

#[test]
fn a_walker_that_two_of_twelve_links_see_is_seen() {
    let mut hub = Hub::new(&Config::default());
    hub.cross_coherence = Some(0.05);
    let mut room = links(12, READY);
    let mut noise = Quiet::new(5, 12, 0.2);
    let mut seen_after = None;
    for cycle in 0..600 {
        for (k, (l, &z)) in room.iter_mut().zip(noise.step()).enumerate() {
            l.change_z = Some((z + if k < 2 && cycle >= 400 { 5.0 } else { 0.0 }) as f32);
        }
        if known(hub.cycle(&room, &[]).presence).0 && seen_after.is_none() {
            seen_after = Some(f64::from(cycle - 400) * CYCLE_S);
        }
    }
    println!("two of twelve: after {seen_after:?} s");
    assert!(seen_after.is_some_and(|s| (0.0..4.0).contains(&s)));
}

#[test]
fn somebody_still_is_seen_against_an_empty_room_only() {
    for (calibration, basis) in [(EMPTY, PresenceBasis::EmptyRoom), (READY, PresenceBasis::Motion)] {
        let mut hub = Hub::new(&Config::default());
        let mut room = links(2, calibration);
        let mut noise = Quiet::new(9, 2, 0.4);
        for cycle in 0..2400 {
            // Walks in for 3 s, then sits down: the channel is still, and not that of the empty room.
            for (l, &z) in room.iter_mut().zip(noise.step()) {
                l.change_z = Some((z + if cycle < 60 { 6.0 } else { 0.0 }) as f32);
                l.drift_z = Some(4.0 + z as f32);
            }
            let presence = hub.cycle(&room, &[]).presence;
            let Presence::Known { basis: told, .. } = presence else { panic!() };
            assert_eq!(told, basis);
            if cycle == 59 || (cycle > 59 && basis == PresenceBasis::EmptyRoom) {
                assert!(known(presence).0, "cycle {cycle}");
            }
            if cycle > 260 && basis == PresenceBasis::Motion {
                assert!(!known(presence).0, "nobody moves");
            }
        }
    }
}

#[test]
fn the_decision_does_not_flicker() {
    // Pauses of a second within a walk do not end it, and a score about the threshold for ten minutes does not toggle.
    let mut changes = [0, 0];
    for (case, changed) in changes.iter_mut().enumerate() {
        let mut hub = Hub::new(&Config::default());
        let mut room = links(2, READY);
        let mut noise = Quiet::new(3, 2, 0.2);
        let mut before = false;
        for cycle in 0..12_000 {
            let shift = match case {
                0 if cycle % 60 < 40 => 5.0,
                0 => 0.0,
                _ => 2.3,
            };
            for (l, &z) in room.iter_mut().zip(noise.step()) {
                l.change_z = Some((z + shift) as f32);
            }
            let (present, _) = known(hub.cycle(&room, &[]).presence);
            *changed += u32::from(present != before);
            before = present;
        }
    }
    println!("changes in ten minutes: paused walk {}, score about the threshold {}", changes[0], changes[1]);
    assert_eq!(changes[0], 1);
    assert!(changes[1] <= 20);
}

#[test]
fn probabilities_are_about_calibrated() {
    // Truth is a chain with the model's own mean times, looked at once a decorrelation time, on one link that is
    // disturbed or not as the model says. Of the moments when it says p, about p are occupied. There are no outliers
    // here, so the cap against them is lifted; with it the middle probabilities are too low (0.52 said, 0.69 observed).
    let config = Config { mean_moving_s: 12.0, mean_still_s: 30.0, evidence_cap: 20.0, ..Config::default() };
    let z0 = 2.326_348;
    let mut hub = Hub::new(&config);
    let mut random = Random(1);
    let mut room = links(1, READY);
    let (mut moving, mut bins) = (false, [[0.0f64; 3]; 5]);
    for _ in 0..60_000 {
        let leave = 0.4 / if moving { config.mean_moving_s } else { config.mean_still_s };
        moving ^= random.uniform() < leave;
        let shares = [0.1, 0.3, 0.6, 0.9];
        let share = shares[(random.uniform() * 4.0) as usize];
        let disturbed = moving && random.uniform() < share;
        room[0].change_z = Some((random.normal() + if disturbed { 2.0 * z0 } else { 0.0 }) as f32);
        hub.at = hub.at.plus_nanos(350_000_000);
        let (_, p) = known(hub.cycle(&room, &[]).presence);
        let bin = &mut bins[((p * 5.0) as usize).min(4)];
        bin[0] += 1.0;
        bin[1] += p;
        bin[2] += f64::from(u8::from(moving));
    }
    for [n, p, truth] in bins {
        println!("said {:.3}, was {:.3}, {n} times", p / n, truth / n);
        assert!(n > 300.0 && (p / n - truth / n).abs() < 0.05);
    }
}

#[test]
fn silence_is_unknown_and_recovers() {
    let mut hub = Hub::new(&Config::default());
    let never = hub.cycle(&[], &[]);
    assert_eq!(never.presence, Presence::Unknown(UnknownReason::NoData));
    let mut room = links(2, READY);
    for _ in 0..100 {
        room.iter_mut().for_each(|l| l.change_z = Some(6.0));
        hub.cycle(&room, &[]);
    }
    assert!(known(hub.cycle(&room, &[]).presence).0);
    room.iter_mut().for_each(|l| l.heard = false);
    for cycle in 0..400 {
        let presence = hub.cycle(&room, &[]).presence;
        let silent = f64::from(cycle + 1) * CYCLE_S > 2.0 + 1e-9;
        assert_eq!(presence == Presence::Unknown(UnknownReason::NoData), silent, "cycle {cycle}");
    }
    // After an hour without a frame the last decision is forgotten.
    hub.at = hub.at.plus_nanos(3_600_000_000_000);
    hub.cycle(&room, &[]);
    room.iter_mut().for_each(|l| (l.heard, l.change_z) = (true, Some(0.0)));
    let (present, p) = known(hub.cycle(&room, &[]).presence);
    assert!(!present && p < 0.1);
    room.iter_mut().for_each(|l| l.change_z = Some(6.0));
    let delay = (0..40).find(|_| known(hub.cycle(&room, &[]).presence).0);
    assert!(delay.is_some_and(|d| d < 20));
}

#[test]
fn each_kind_of_ignorance_has_its_reason() {
    let mut hub = Hub::new(&Config::default());
    let mut reason = |calibration: CalibrationState, gate| {
        let room: Vec<_> = links(2, calibration).into_iter().map(|l| LinkInput { gate, ..l }).collect();
        match hub.cycle(&room, &[]).presence {
            Presence::Unknown(reason) => Some(reason),
            Presence::Known { .. } => None,
        }
    };
    let collecting = CalibrationState::Collecting { have: 3, need: 600 };
    assert_eq!(reason(collecting, Gate::Accept), Some(UnknownReason::NotCalibrated));
    assert_eq!(reason(CalibrationState::Stale, Gate::Accept), Some(UnknownReason::NotCalibrated));
    assert_eq!(reason(READY, Gate::Reject), Some(UnknownReason::PoorCoherence));
    assert_eq!(reason(READY, Gate::Recalibrate), Some(UnknownReason::PoorCoherence));
    assert_eq!(reason(READY, Gate::PredictOnly), None);
}

#[test]
fn hostile_numbers_are_not_evidence() {
    use wavewitness_types::Canonical;
    let mut hub = Hub::new(&Config::default());
    let mut room = links(3, EMPTY);
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38, -1e38, 0.0];
    for a in values {
        for b in values {
            room.iter_mut().for_each(|l| (l.change_z, l.drift_z, l.attention) = (Some(a), Some(b), b));
            hub.cross_coherence = Some(a);
            hub.cycle(&room, &[]).to_canonical_bytes();
        }
    }
    let mut hub = Hub::new(&Config::default());
    room.iter_mut().for_each(|l| (l.change_z, l.drift_z, l.attention) = (Some(f32::NAN), None, 0.3));
    let first = known(hub.cycle(&room, &[]).presence).1;
    assert!((known(hub.cycle(&room, &[]).presence).1 - first).abs() < 1e-4);
}
