//! Where a cycle's time goes: medians of each part over the windows that `cycle.rs` measures as a whole. Parts are those
//! of `Engine::tick_observed`.

use std::collections::BTreeMap;
use wavewitness_benches::clock::Stopwatch;
use wavewitness_benches::recording::{self, QUIET_FROM, QUIET_UNTIL, Recording, WALKER_FROM, WALKER_UNTIL};
use wavewitness_benches::steady::Steady;
use wavewitness_witness::Stage;

/// Passes over each window.
const PASSES: usize = 10;
const PARTS: [(&str, Option<Stage>); 7] = [
    ("inputs' digest, ingest, links, gain, phase", Some(Stage::PhaseAlign)),
    ("baselines", Some(Stage::Calibration)),
    ("fusion", Some(Stage::Fusion)),
    ("impulse response and gate", Some(Stage::Gate)),
    ("tomography and tracks", Some(Stage::Pose)),
    ("presence, count, quality, graph", Some(Stage::World)),
    ("stages' and output's digest, chain", None),
];

fn main() {
    let room = Recording::of_scene(&recording::room(), 1);
    let busy = Recording::of_scene(&recording::busy_room(), 1);
    show("quiet, 12 links", room.clone(), QUIET_FROM..QUIET_UNTIL);
    show("walker, 12 links", room, WALKER_FROM..WALKER_UNTIL);
    show("walker, 12 links, 60 frames", busy, WALKER_FROM..WALKER_UNTIL);
    if let Some(recording) = Recording::ruview() {
        show("two real nodes", recording, 1200..2400);
    }
}

fn show(name: &str, recording: Recording, window: std::ops::Range<usize>) {
    let mut steady = Steady::new(recording, window, 400);
    let mut times: BTreeMap<Option<Stage>, Vec<u64>> = BTreeMap::new();
    let mut wholes = Vec::new();
    for pass in 0..PASSES {
        if pass > 0 {
            steady.rewind();
        }
        while steady.left() > 0 {
            let watch = Stopwatch::start();
            let mut before = 0;
            let mut take = |stage: Option<Stage>| {
                let now = watch.elapsed().as_nanos() as u64;
                times.entry(stage).or_default().push(now - before);
                before = now;
            };
            steady.step_observed(|stage| take(Some(stage)));
            take(None);
            wholes.push(watch.elapsed().as_nanos() as u64);
        }
    }
    println!("{name}: {} cycles", wholes.len());
    for (part, stage) in PARTS {
        let part_times = times.remove(&stage).unwrap_or_default();
        println!("  {part:<45} {:>9.1} µs", median_us(part_times));
    }
    wholes.sort_unstable();
    let percentile = |p: usize| wholes[(wholes.len() - 1) * p / 100] as f64 / 1e3;
    let (p50, p99, most) = (percentile(50), percentile(99), percentile(100));
    println!("  {:<45} {p50:>9.1} µs (p99 {p99:.1}, most {most:.1})", "whole cycle");
}

fn median_us(mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |ns| *ns as f64 / 1e3)
}
