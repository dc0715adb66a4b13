//! Guards that noise has nothing in common: receivers that hear nothing but independent noise, or whose own noise comes and
//! goes, do not cohere. (What weight noise gets: `behaviour.rs`.)

mod common;

use common::{Random, Source, at, link, room};
use wavewitness_fusion::{Config, Plan, State};
use wavewitness_num::{C64, math};
use wavewitness_types::{FusedFrame, LinkObservation, ToneGrid};

const GRID: ToneGrid = ToneGrid::Ht20;
const NODES: u16 = 4;

/// Mean cross-coherence of four nodes over 12 seeds of 20 s, from 5 s on; `noise(node, second)` is the variance of
/// a node's noise (its channel has 1), infinite where it hears nothing else.
fn cross_coherence(mut noise: impl FnMut(u16, u64, &mut Random) -> f64) -> f64 {
    let plan = Plan::new(&Config::default()).unwrap();
    let (mut total, mut n) = (0.0, 0.0);
    for seed in 0..12 {
        let mut random = Random(900 + seed);
        let mut state = State::new(&plan);
        let mut out = FusedFrame::empty();
        let links: Vec<_> = (0..NODES).map(link).collect();
        let rooms: Vec<_> = (0..NODES).map(|_| room(GRID, &mut random)).collect();
        let mut sources: Vec<_> = (0..NODES).map(|k| Source::new(k, GRID, random.next())).collect();
        let mut levels = [0.0; NODES as usize];
        for cycle in 1..=400u64 {
            if cycle % 20 == 1 {
                (0..NODES).for_each(|k| levels[usize::from(k)] = noise(k, cycle / 20, &mut random));
            }
            let t = cycle as f64 * 0.05;
            let observations: Vec<LinkObservation> = (0..usize::from(NODES))
                .map(|k| match levels[k].is_finite() {
                    true => sources[k].observe(t, &rooms[k], levels[k]),
                    false => sources[k].observe(t, &vec![C64::new(0.0, 0.0); GRID.tone_count()], 1.0),
                })
                .collect();
            plan.run(&observations, &links, &[None, None, None, None], at(t), &mut state, &mut out);
            if cycle > 100 {
                total += f64::from(out.cross_coherence.unwrap());
                n += 1.0;
            }
        }
    }
    total / n
}

/// Four receivers of pure noise: no coherence but what chance leaves above zero, below 0.03 in the mean.
#[test]
fn pure_noise_does_not_cohere() {
    let mean = cross_coherence(|_, _, _| f64::INFINITY);
    println!("pure noise: {mean:.4}");
    assert!(mean < 0.03, "{mean}");
}

/// Noise whose level jumps every second by a log-normal factor (σ 1 in ln), of each node its own: below 0.1 in the mean, though a
/// window of 4 s then holds only four independent levels. The same jumps at all nodes at once are common, and above 0.8.
#[test]
fn noise_that_comes_and_goes_at_each_node_by_itself_does_not_cohere() {
    let level = |random: &mut Random| 1e-3 * math::exp(core::f64::consts::SQRT_2 * random.gaussian(1.0).re);
    let own = cross_coherence(|_, _, random| level(random));
    let mut shared = 0.0;
    let common = cross_coherence(|node, _, random| {
        if node == 0 {
            shared = level(random);
        }
        shared
    });
    println!("levels of their own: {own:.4}, a common one: {common:.4}");
    assert!(own < 0.1, "{own}");
    assert!(common > 0.8, "{common}: else the first figure means nothing");
}
