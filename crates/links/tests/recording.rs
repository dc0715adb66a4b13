//! Guards the separation on a real recording: two nodes, three layouts, several transmitters, no MAC. There is no truth
//! in it but the beacons: arrivals that recur every 102.4 ms at the same phase are one access point.

mod common;

use wavewitness_links::{Config, LinkRecord, Plan, Resolution, State, Unassigned};
use wavewitness_num::math::min_f64;
use wavewitness_types::{CsiFrame, CyclePlan, Geometry, Layout, NodeId, Timestamp};

const CYCLE_NS: u64 = 50_000_000;
const BEACON_NS: u64 = 102_400_000;

fn run(frames: &[CsiFrame]) -> (State, Vec<Resolution>) {
    let plan = Plan::new(&Config::default(), &Geometry::default(), &CyclePlan::ambient()).unwrap();
    let mut state = State::new(&plan);
    let mut said = Vec::new();
    let mut end = frames[0].at.plus_nanos(CYCLE_NS);
    for f in frames {
        while f.at >= end {
            plan.end_cycle(end, &mut state);
            end = end.plus_nanos(CYCLE_NS);
        }
        said.push(plan.resolve(f, &mut state));
    }
    (state, said)
}

fn print(state: &State, frames: usize, start: Timestamp) {
    eprintln!("id rx layout          frames  first  within between  beacon ms  ppm share  by");
    for (k, r) in state.links().iter().enumerate() {
        let beacon = r.beacon.map_or("      –    –     –".to_owned(), |b| {
            let ppm = (b.period_ns / BEACON_NS as f64 - 1.0) * 1e6;
            format!("{:7.2} {ppm:4.0} {:5.2}", b.phase_ns * 1e-6, b.concentration)
        });
        eprintln!(
            "{k:2} {:2} {:14} {:7} {:6.1} {:7.4} {:7.3} {beacon}  {}",
            r.link.rx().0,
            r.link.layout().name(),
            r.frames,
            r.first_seen.seconds_since(start),
            r.within_distance.unwrap_or(-1.0),
            r.between_distance.unwrap_or(-1.0),
            r.identification.name(),
        );
    }
    let c = state.counters();
    for why in Unassigned::ALL {
        eprint!("{} {}  ", why.name(), c.unassigned[why as usize]);
    }
    eprintln!("\nassigned {} of {frames}; {c:?}", c.assigned.iter().sum::<u64>());
}

fn links_of(state: &State, node: u8, layout: Layout) -> Vec<&LinkRecord> {
    let at = |r: &&LinkRecord| r.link.rx() == NodeId(node) && r.link.layout() == layout;
    state.links().iter().filter(at).collect()
}

#[test]
fn the_transmitters_of_the_recording_are_found_and_stay() {
    let Some(frames) = common::recording() else { return };
    let (state, said) = run(&frames);
    print(&state, frames.len(), frames[0].at);

    let share = state.counters().assigned.iter().sum::<u64>() as f64 / frames.len() as f64;
    assert!(share >= 0.8, "assigned {share:.3}");
    for r in state.links().iter().filter(|r| r.frames >= 2) {
        if let (Some(within), Some(between)) = (r.within_distance, r.between_distance) {
            assert!(within < between, "{r:?}");
        }
    }
    // Few, and not a table of fragments.
    assert!(state.links().len() <= 18);
    let half = frames[0].at.plus_nanos(60_000_000_000);
    for node in [1, 2] {
        let strong: Vec<_> =
            links_of(&state, node, Layout::Lltf64).into_iter().filter(|r| r.frames >= 200).collect();
        assert!(strong.len() >= 3, "node {node}: {} strong links", strong.len());
        for r in strong {
            let id = state.links().iter().position(|x| x.link == r.link).unwrap();
            let mut counts = [0u64; 2];
            for (f, s) in frames.iter().zip(&said) {
                if matches!(s, Resolution::Link { id: i, .. } if i.index() == id) {
                    counts[usize::from(f.at >= half)] += 1;
                }
            }
            let ratio = counts[0] as f64 / counts[1] as f64;
            assert!((0.6..1.67).contains(&ratio), "link {id}: {counts:?} frames in the halves");
        }
    }
}

/// Beacon phases of a node's strong links, in milliseconds.
fn phases(state: &State, node: u8) -> Vec<f64> {
    let strong = links_of(state, node, Layout::Lltf64).into_iter().filter(|r| r.frames >= 100);
    strong.filter_map(|r| r.beacon.map(|b| b.phase_ns * 1e-6)).collect()
}

fn assert_each_has_a_counterpart(one: &[f64], two: &[f64], within_ms: f64) {
    assert!(one.len() >= 3 && two.len() >= 3, "{one:?} {two:?}");
    for a in one {
        let nearest = two.iter().map(|b| (a - b).abs()).fold(f64::INFINITY, min_f64);
        assert!(nearest < within_ms, "{a} ms has no counterpart in {two:?}");
    }
}

#[test]
fn both_nodes_hear_the_same_beacons() {
    // Nothing is shared between the nodes' tables, so agreement to a few ms is evidence that these are transmitters.
    let Some(frames) = common::recording() else { return };
    let (state, _) = run(&frames);
    assert_each_has_a_counterpart(&phases(&state, 1), &phases(&state, 2), 2.0);
}

#[test]
fn each_half_of_the_recording_alone_finds_the_same_transmitters() {
    let Some(frames) = common::recording() else { return };
    let middle = frames.len() / 2;
    let ((first, _), (second, _)) = (run(&frames[..middle]), run(&frames[middle..]));
    // Ten milliseconds: one transmitter beacons at two phases 7.7 ms apart, at both nodes mostly the earlier in the first
    // half and mostly the later in the second.
    for node in [1, 2] {
        eprintln!("node {node}: {:.2?} and {:.2?} ms", phases(&first, node), phases(&second, node));
        assert_each_has_a_counterpart(&phases(&first, node), &phases(&second, node), 10.0);
    }
}

#[test]
fn frames_on_a_beacon_go_to_the_link_that_has_it() {
    let Some(frames) = common::recording() else { return };
    let (state, said) = run(&frames);
    for node in [1, 2] {
        for r in links_of(&state, node, Layout::Lltf64) {
            let Some(beacon) = r.beacon.filter(|b| r.frames >= 200 && b.concentration > 0.8) else {
                continue;
            };
            let id = state.links().iter().position(|x| x.link == r.link).unwrap();
            let (mut own, mut other) = (0, 0);
            for (f, s) in frames.iter().zip(&said) {
                let off = (f.at.0 % BEACON_NS) as f64 - beacon.phase_ns;
                if f.node == NodeId(node) && f.layout == Layout::Lltf64 && off.abs() < 1.2e6 {
                    match s {
                        Resolution::Link { id: i, .. } if i.index() == id => own += 1,
                        Resolution::Link { .. } => other += 1,
                        Resolution::Unassigned(_) => {}
                    }
                }
            }
            let purity = f64::from(own) / f64::from(own + other);
            eprintln!("node {node} link {id}: {own} of {} frames on its beacon", own + other);
            assert!(own > 100 && purity > 0.85, "{purity:.3}");
        }
    }
}
