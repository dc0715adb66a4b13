//! Guards that the order in which a cycle's datagrams were read means nothing, and their times mean everything:
//! any order inside a cycle gives the same witnesses, one nanosecond gives others from that cycle on.

mod common;

use common::*;
use wavewitness_engine::Engine;
use wavewitness_types::{BootRecord, Event, Source, Timestamp};
use wavewitness_witness::{Chain, Witness, event_inputs};

/// The witnesses of 2 s whose cycles hold these events.
fn witnesses(cycles: &[Vec<Event>]) -> Vec<Witness> {
    let scene = scene(2);
    let config = config(&scene);
    let chain = Chain::new(&genesis(&scene, &config));
    let mut engine = Engine::new(&config, Source::Simulated, chain).unwrap();
    let mut out = vec![engine.boot(scene.start, &BootRecord::default())];
    for event in cycles.iter().flatten() {
        match event {
            Event::Datagram { at, from, bytes } => assert!(engine.datagram(*at, *from, bytes)),
            Event::Command { at, command } => assert!(engine.command(*at, *command)),
            Event::Tick { at, cycle } => out.push(engine.tick(*at, *cycle).witness),
            Event::Boot { .. } | Event::Stop { .. } => panic!("not of a cycle"),
        }
    }
    out
}

fn simulated(seed: u64) -> Vec<Vec<Event>> {
    cycles(&scene(2), seed).iter().enumerate().map(|(k, events)| with_calibration(k, events)).collect()
}

/// Every event of each cycle but its tick in any order.
fn shuffled(cycles: &[Vec<Event>], random: &mut Random) -> Vec<Vec<Event>> {
    let mut out = cycles.to_vec();
    for events in &mut out {
        let tick = events.len() - 1;
        random.shuffle(&mut events[..tick]);
    }
    assert_ne!(out, cycles, "a shuffle that changes nothing tests nothing");
    out
}

#[test]
fn any_order_of_reading_inside_a_cycle_gives_the_same_witnesses() {
    for seed in 1..=3 {
        let cycles = simulated(seed);
        let expected = witnesses(&cycles);
        let mut random = Random(seed);
        for _ in 0..2 {
            let shuffled = shuffled(&cycles, &mut random);
            assert_eq!(witnesses(&shuffled), expected, "seed {seed}");
            for (events, witness) in shuffled.iter().zip(&expected[1..]) {
                assert_eq!(event_inputs(events), Some(witness.inputs), "seed {seed}");
            }
        }
    }
}

#[test]
fn datagrams_with_the_same_timestamp_are_interchangeable() {
    for seed in 1..=3 {
        let mut cycles = simulated(seed);
        let (mut same, mut seen) = (0, 0);
        for events in &mut cycles {
            let mut last = None;
            for event in events.iter_mut() {
                // A clock of 10 ms: half a dozen datagrams share each of its times.
                if let Event::Datagram { at, .. } = event {
                    *at = Timestamp(at.0 / 10_000_000 * 10_000_000);
                    seen += 1;
                    same += usize::from(last.replace(*at) == Some(*at));
                }
            }
            // And one arrives twice, the same in every byte.
            let copy = events[0].clone();
            events.insert(0, copy);
        }
        assert!(same * 2 > seen, "only {same} of {seen} share a timestamp");
        let expected = witnesses(&cycles);
        assert_eq!(witnesses(&shuffled(&cycles, &mut Random(seed))), expected, "seed {seed}");
    }
}

#[test]
fn one_nanosecond_changes_the_witness_from_its_cycle_on() {
    for seed in 1..=4 {
        let cycles = simulated(seed);
        let expected = witnesses(&cycles);
        let mut random = Random(100 + seed);
        let k = random.below(cycles.len());
        let mut changed = cycles.clone();
        let tick = changed[k].len() - 1;
        let e = random.below(tick);
        match &mut changed[k][e] {
            Event::Datagram { at, .. } | Event::Command { at, .. } => *at = at.plus_nanos(1),
            other => panic!("{other:?}"),
        }
        let got = witnesses(&changed);
        // Entry 0 is the boot.
        assert_eq!(got[..=k], expected[..=k], "seed {seed}: cycles before are as they were");
        assert_ne!(got[k + 1].inputs, expected[k + 1].inputs, "seed {seed}");
        for (a, b) in got[k + 1..].iter().zip(&expected[k + 1..]) {
            assert_ne!(a.chain, b.chain, "seed {seed}");
        }
    }
}
