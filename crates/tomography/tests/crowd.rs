//! Guards what is shown of two people: nobody where nobody is, and as two only who can be told apart. Apart, side by side
//! and crossing; four nodes (6 paths) and ten (45 paths).
//!
//! The deviations are those of the law that the crate weighs by, with an error of the size and of the memory of the one on
//! the recordings: own part 0.9 in ln, 3 s; a place's part 0.2. What limits here is the links, not the law. The test prints
//! the table that is in `docs/algorithms/tomography.md`.

mod common;

use common::world::{ROOM, ring};
use common::{Random, distance};
use wavewitness_num::math;
use wavewitness_tomography::locate::{Config, PathEvidence, Plan, State};
use wavewitness_types::Detection;

const STEP_S: f64 = 0.4;
const SEEDS: u64 = 3;
/// Seconds of a run, and of its beginning that do not count.
const RUN_S: f64 = 40.0;
const BEGIN_S: f64 = 10.0;
/// Error in ln: a path's own, its memory in s, a place's.
const OWN: (f64, f64) = (0.9, 3.0);
const PLACE: f64 = 0.2;
/// A detection farther than this from everybody is a ghost.
const GHOST_M: f64 = 2.0;

type Scene = fn(f64) -> Vec<[f64; 2]>;

const SCENES: [(&str, Scene); 6] = [
    ("nobody", |_| vec![]),
    ("one who stands", |_| vec![[2.0, 3.6]]),
    ("two, 4.2 m apart", |_| vec![[1.5, 1.5], [4.5, 4.5]]),
    ("two, 2 m apart", |_| vec![[2.0, 3.0], [4.0, 3.0]]),
    ("two, 0.7 m apart", |_| vec![[2.6, 3.0], [3.3, 3.0]]),
    ("two who cross", |t| {
        let s = 0.5 + 5.0 * (t / RUN_S);
        vec![[s, s], [6.0 - s, s]]
    }),
];

/// ln of the departure over the quiet level in a cluttered place: scattered powers add, the deeper shadow counts.
fn law(a: [f64; 3], b: [f64; 3], people: &[[f64; 2]]) -> f64 {
    let d = distance(a, b);
    let (mut scatter, mut shadow) = (0.0, 0.0);
    for &[x, y] in people {
        let p = [x, y, 1.0];
        let soft = |q: [f64; 3]| math::hypot(distance(p, q), 0.4);
        let ratio = d / (soft(a) * soft(b));
        scatter += ratio * ratio;
        let narrow = (distance(a, p) + distance(p, b) - d) / 0.17;
        shadow = math::max_f64(shadow, math::exp(-std::f64::consts::LN_2 * narrow * narrow));
    }
    math::ln(1.0 + 18.0 * scatter) + 1.2 * shadow
}

/// Shares of the steps: with nobody, one, two, more shown, and with a ghost; RMS distance of a detection to the nearest.
#[derive(Debug, Default)]
struct Shown {
    counts: [f64; 4],
    ghost: f64,
    rms_m: f64,
}

fn watch(nodes: usize, scene: Scene) -> Shown {
    let nodes = ring(nodes);
    let mut ends = Vec::new();
    for a in 0..nodes.len() {
        ends.extend((a + 1..nodes.len()).map(|b| (a, b)));
    }
    let plan = Plan::new(&Config::default(), ROOM).unwrap();
    let (mut shown, mut steps, mut squared, mut found) = (Shown::default(), 0.0, 0.0, 0.0);
    for seed in 0..SEEDS {
        let mut random = Random(40 + seed);
        let mut state = State::new(&plan, ends.len() as u16);
        for (path, &(a, b)) in (0..).zip(&ends) {
            assert!(plan.add_path(path, nodes[a], nodes[b], &mut state));
        }
        let mut own: Vec<f64> = ends.iter().map(|_| OWN.0 * random.normal()).collect();
        let place: Vec<f64> = nodes.iter().map(|_| PLACE * random.normal()).collect();
        let keep = math::exp(-STEP_S / OWN.1);
        let mut detections: Vec<Detection> = Vec::new();
        for step in 0..(RUN_S / STEP_S) as usize {
            let at_s = step as f64 * STEP_S;
            let people = scene(at_s);
            let mut evidence = Vec::new();
            for (path, &(a, b)) in (0..).zip(&ends) {
                let k = usize::from(path);
                own[k] = keep * own[k] + OWN.0 * math::sqrt(1.0 - keep * keep) * random.normal();
                let error = if people.is_empty() { 0.3 * own[k] } else { own[k] + place[a] + place[b] };
                let deviation = (law(nodes[a], nodes[b], &people) + error) as f32;
                evidence.push(PathEvidence { path, deviation });
            }
            plan.run(STEP_S, true, &evidence, &mut state, &mut detections);
            if at_s < BEGIN_S {
                continue;
            }
            steps += 1.0;
            shown.counts[detections.len().min(3)] += 1.0;
            let off_m = |d: &Detection| {
                let at = d.position_m;
                people.iter().map(|p| math::hypot(at[0] - p[0], at[1] - p[1])).fold(f64::MAX, math::min_f64)
            };
            shown.ghost += f64::from(detections.iter().any(|d| off_m(d) > GHOST_M));
            for d in detections.iter().filter(|_| !people.is_empty()) {
                squared += off_m(d) * off_m(d);
                found += 1.0;
            }
        }
    }
    shown.counts.iter_mut().for_each(|c| *c /= steps);
    Shown { ghost: shown.ghost / steps, rms_m: math::sqrt(squared / math::max_f64(found, 1.0)), ..shown }
}

#[test]
fn two_people_are_never_more_and_no_ghost() {
    eprintln!(
        "| paths | scene | 0 shown | 1 | 2 | more | ghost | RMS to the nearest person |\n|---|---|---|---|---|---|---|---|"
    );
    for nodes in [4, 6, 10] {
        for (name, scene) in SCENES {
            let s = watch(nodes, scene);
            let percent = |x: f64| format!("{:.0} %", 100.0 * x);
            let [zero, one, two, more] = s.counts.map(percent);
            eprintln!(
                "| {} | {name} | {zero} | {one} | {two} | {more} | {} | {:.2} m |",
                nodes * (nodes - 1) / 2,
                percent(s.ghost),
                s.rms_m
            );
            let alone = scene(BEGIN_S).len();
            assert_eq!(s.counts[3], 0.0, "{name}: more than two");
            if alone < 2 {
                assert_eq!(s.counts[alone], 1.0, "{name} was miscounted with {nodes} nodes: {s:?}");
            } else {
                assert!(s.counts[0] == 0.0, "{name}: with {nodes} nodes nobody was seen: {s:?}");
            }
            // Six paths can't tell two from one in between.
            assert!(s.ghost <= if nodes == 4 { 0.4 } else { 0.1 }, "{name}: {nodes} nodes, {s:?}");
            if nodes == 10 && name.contains("4.2 m") {
                assert!(s.counts[2] > 0.8, "45 paths did not tell two 4.2 m apart: {s:?}");
            }
        }
    }
}
