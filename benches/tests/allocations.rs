//! Guards the rule that a cycle in steady state takes nothing from the heap: memory is taken in constructors, and a hub
//! that runs for a year neither grows nor fragments. Counts every allocation of the thread that runs the engine.

use allocation_counter::measure;
use wavewitness_benches::recording::{self, QUIET_FROM, QUIET_UNTIL, Recording, WALKER_FROM, WALKER_UNTIL};
use wavewitness_benches::steady::Steady;

/// Allocations of each cycle of the window that had any, by cycle.
fn allocations(recording: Recording, window: std::ops::Range<usize>) -> Vec<(usize, u64)> {
    let mut steady = Steady::new(recording, window.clone(), 0);
    let mut out = Vec::new();
    for cycle in window {
        let info = measure(|| steady.step());
        if info.count_total > 0 {
            out.push((cycle, info.count_total));
        }
    }
    out
}

#[test]
fn the_counter_counts() {
    assert_eq!(measure(|| drop(std::hint::black_box(vec![1u8; 100]))).count_total, 1);
}

#[test]
fn a_quiet_room_takes_nothing() {
    let recording = Recording::of_scene(&recording::room(), 1);
    const { assert!(QUIET_UNTIL - QUIET_FROM >= 200) };
    assert_eq!(allocations(recording, QUIET_FROM..QUIET_UNTIL), []);
}

#[test]
fn a_walker_takes_nothing() {
    let recording = Recording::of_scene(&recording::room(), 1);
    const { assert!(WALKER_UNTIL - WALKER_FROM >= 200) };
    assert_eq!(allocations(recording, WALKER_FROM..WALKER_UNTIL), []);
}

/// With the follower of walkers, who must be somebody's: an idle one proves nothing.
#[test]
fn every_stage_takes_nothing() {
    for recording in [recording::room(), recording::two_in_a_room()] {
        let recording = Recording::of_scene(&recording, 1).with_every_stage();
        let mut steady = Steady::new(recording.clone(), WALKER_FROM..WALKER_UNTIL, 0);
        let mut shown = 0;
        while steady.left() > 0 {
            steady.step();
            shown += steady.engine().report().frame.people.len();
        }
        assert!(shown > 100, "people in all cycles: {shown}");
        assert_eq!(allocations(recording, WALKER_FROM..WALKER_UNTIL), []);
    }
}

#[test]
fn calibration_and_its_end_take_nothing() {
    let recording = Recording::of_scene(&recording::room(), 1);
    assert_eq!(allocations(recording, 100..QUIET_FROM), []);
}

#[test]
fn links_without_names_take_nothing() {
    let recording = Recording::of_scene(&recording::ambient_room(), 6);
    assert_eq!(allocations(recording, 400..1000), []);
}

#[test]
fn a_real_recording_takes_nothing() {
    let Some(recording) = Recording::ruview() else {
        eprintln!("SKIPPED: the recording of two nodes is not on this machine");
        return;
    };
    assert_eq!(allocations(recording, 1200..2400), []);
}
