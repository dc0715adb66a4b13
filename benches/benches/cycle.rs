//! The whole engine cycle: datagrams in, every stage, the witness. Four nodes × 56 tones with twelve links, in steady
//! state after calibration; and two real nodes, where the recording is on this machine.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use wavewitness_benches::recording::{self, QUIET_FROM, QUIET_UNTIL, Recording, WALKER_FROM, WALKER_UNTIL};
use wavewitness_benches::steady::Steady;

fn bench(c: &mut Criterion) {
    let room = Recording::of_scene(&recording::room(), 1);
    let busy = Recording::of_scene(&recording::busy_room(), 1);
    let mut group = common::group(c, "cycle");
    let mut cases = vec![
        ("quiet_12_links", room.clone(), QUIET_FROM..QUIET_UNTIL),
        ("walker_12_links", room.clone(), WALKER_FROM..WALKER_UNTIL),
        ("walker_12_links_every_stage", room.with_every_stage(), WALKER_FROM..WALKER_UNTIL),
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

criterion_group!(benches, bench);
criterion_main!(benches);
