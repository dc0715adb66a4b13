//! Guards the watch for falls of a hub that is starved: a part of daily life without a fall, simulated, through the whole engine with missed cycles,
//! losses and late stamps. Before, it went on watching whatever it missed. `docs/algorithms/posture.md` has a
//! table of five minutes and more patterns of the same kinds.

use wavewitness_engine::EngineConfig;
use wavewitness_evaluate::room::activity;
use wavewitness_fixtures::{Datagram, Scene, Simulation};
use wavewitness_golden::drive::{CALIBRATE_AT, Drive};
use wavewitness_types::{FallWatch, Timestamp, UnknownReason};

const SEED: u64 = 213;
/// Of the day; a minute of an empty room comes before.
const SECONDS: u64 = 20;
const CYCLE_NS: u64 = 50_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// All is well before: the empty room is learned.
const FROM_NS: u64 = 45 * SECOND_NS;
const EVERY_NS: u64 = 4 * SECOND_NS;

/// A number of chance for each number.
fn chance(k: u64) -> u64 {
    let x = (k.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 32)
}

/// The stall of some milliseconds, one every four seconds, in which a time since the start is: its end.
fn stall_until(t_ns: u64, shortest_ms: u64, longest_ms: u64) -> Option<u64> {
    let window = t_ns / EVERY_NS;
    let from = window * EVERY_NS + chance(window) % (EVERY_NS - longest_ms * 1_000_000);
    let long = (shortest_ms + chance(window + 77) % (longest_ms - shortest_ms)) * 1_000_000;
    (t_ns >= FROM_NS && (from..from + long).contains(&t_ns)).then_some(from + long)
}

/// Share of the day's cycles with falls watched, and of those without because of gaps.
fn watched(scene: &Scene, mut data: Vec<Datagram>, computes: impl Fn(u64) -> bool) -> [f64; 2] {
    data.sort_by_key(|d| d.at);
    let mut geometry = scene.geometry();
    geometry.room = None;
    let config = EngineConfig { geometry, cycle: scene.cycle_plan(), ..EngineConfig::default() };
    let until = Some(scene.start.plus_nanos(scene.duration_ns));
    let drive = Drive { scene, config: &config, calibrate_at: Some(CALIBRATE_AT), until };
    let mut n = [0u32; 3];
    drive
        .watch(data, computes, |end, engine| {
            if end.nanos_since(scene.start) < 60 * SECOND_NS {
                return;
            }
            n[2] += 1;
            match engine.postures().fall {
                FallWatch::Watching(fall) => {
                    assert_eq!(fall, None, "nobody falls");
                    n[0] += 1;
                }
                FallWatch::Unknown(reason) => n[1] += u32::from(reason == UnknownReason::Gaps),
            }
        })
        .unwrap();
    [n[0], n[1]].map(|k| f64::from(k) / f64::from(n[2]))
}

#[test]
fn a_starved_hub_neither_watches_nor_announces_a_fall() {
    let scene = activity::daily(SEED, SECONDS);
    let data: Vec<Datagram> = Simulation::new(&scene, SEED).collect();
    let since = |d: &Datagram| d.at.nanos_since(scene.start);
    let every = |_: u64| true;
    let is_fifth = |k: u64| k * CYCLE_NS >= FROM_NS && k % 5 == 4;

    let [well, _] = watched(&scene, data.clone(), every);
    println!("all is well: {well:.3}");
    assert!(well > 0.9);

    let [missed, gaps] = watched(&scene, data.clone(), |k| !is_fifth(k));
    println!("every fifth cycle missed: {missed:.3}");
    assert!(missed < 0.05 && gaps > 0.9, "{missed} {gaps}");

    let mut heard = data.clone();
    heard.retain(|d| !is_fifth(since(d) / CYCLE_NS));
    let [lost, gaps] = watched(&scene, heard, every);
    println!("what arrives in every fifth cycle lost: {lost:.3}");
    assert!(lost < 0.05 && gaps > 0.9, "{lost} {gaps}");

    let mut heard = data.clone();
    heard.retain(|d| stall_until(since(d), 200, 1000).is_none());
    let [bursts, _] = watched(&scene, heard, every);
    println!("bursts of losses: {bursts:.3}");
    assert!(bursts < 0.5, "{bursts}");

    let mut late = data;
    for d in &mut late {
        if let Some(end) = stall_until(since(d), 60, 300) {
            d.at = Timestamp(scene.start.0 + end);
        }
    }
    let [clumps, _] = watched(&scene, late, every);
    println!("frames late in clumps: {clumps:.3}");
    assert!(clumps < 0.8, "{clumps}");
}
