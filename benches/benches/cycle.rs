//! The whole engine cycle: datagrams in, every stage, the witness. Four nodes × 56 tones with twelve links, in steady
//! state after calibration; and two real nodes, where the recording is on this machine.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Duration;
use wavewitness_benches::clock::Stopwatch;
use wavewitness_benches::recording::{self, QUIET_FROM, QUIET_UNTIL, Recording, WALKER_FROM, WALKER_UNTIL};
use wavewitness_benches::steady::Steady;
use wavewitness_witness::Stage;

fn bench(c: &mut Criterion) {
    let room = Recording::of_scene(&recording::room(), 1);
    let busy = Recording::of_scene(&recording::busy_room(), 1);
    let two = Recording::of_scene(&recording::two_in_a_room(), 1);
    let mut group = common::group(c, "cycle");
    let mut cases = vec![
        ("quiet_12_links", room.clone(), QUIET_FROM..QUIET_UNTIL),
        ("walker_12_links", room.clone(), WALKER_FROM..WALKER_UNTIL),
        ("walker_12_links_every_stage", room.with_every_stage(), WALKER_FROM..WALKER_UNTIL),
        ("two_people_12_links", two.clone(), WALKER_FROM..WALKER_UNTIL),
        ("two_people_12_links_every_stage", two.with_every_stage(), WALKER_FROM..WALKER_UNTIL),
        ("walker_12_links_60_frames", busy, WALKER_FROM..WALKER_UNTIL),
    ];
    match Recording::ruview() {
        Some(recording) => cases.push(("ruview_2_nodes", recording, 1200..2400)),
        None => eprintln!("SKIPPED: cycle/ruview_2_nodes, the recording is not on this machine"),
    }
    for (name, recording, window) in cases {
        let mut steady = Steady::new(recording, window, 400);
        group.bench_function(name, |b| b.iter_custom(|n| steady.time(n)));
    }
    group.finish();
}

/// Images, the follower of walkers, tracks and poses: what lies between the gates' mark and the poses'.
fn places(c: &mut Criterion) {
    let mut group = common::group(c, "places");
    let two = Recording::of_scene(&recording::two_in_a_room(), 1);
    for (name, recording) in
        [("two_people", two.clone()), ("two_people_followed_200_a_cycle", two.with_every_stage())]
    {
        let mut steady = Steady::new(recording, WALKER_FROM..WALKER_UNTIL, 400);
        group.bench_function(name, |b| b.iter_custom(|n| places_of(&mut steady, n)));
    }
    group.finish();
}

fn places_of(steady: &mut Steady, cycles: u64) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..cycles {
        if steady.left() == 0 {
            steady.rewind();
        }
        let mut gated = None;
        steady.step_observed(|stage| match stage {
            Stage::Gate => gated = Some(Stopwatch::start()),
            Stage::Pose => total += gated.take().map_or(Duration::ZERO, |watch| watch.elapsed()),
            _ => {}
        });
    }
    total
}

criterion_group!(benches, bench, places);
criterion_main!(benches);
