//! Guards what fusion says: noise costs a link its attention and motion does not, links agree when they see one mover and
//! not when they see noise, and what was not measured is absent.

mod common;

use common::{Random, Source, at, link, room, with_path};
use wavewitness_fusion::{Config, Plan, State};
use wavewitness_num::{C64, math};
use wavewitness_types::limits::{FUSION_TONES, MAX_TONES};
use wavewitness_types::{
    Baseline, FusedFrame, Link, LinkId, LinkObservation, Quiet, Samples, Timestamp, ToneGrid,
};

const GRID: ToneGrid = ToneGrid::Ht20;

/// Links to as many nodes, each with its own room, run at 20 Hz.
struct Bench {
    plan: Plan,
    state: State,
    out: FusedFrame,
    links: Vec<Link>,
    baselines: Vec<Option<Baseline>>,
    rooms: Vec<Vec<C64>>,
    sources: Vec<Source>,
    cycle: u64,
}

impl Bench {
    fn new(nodes: u16, seed: u64) -> Bench {
        let plan = Plan::new(&Config::default()).unwrap();
        let state = State::new(&plan);
        let mut random = Random(seed);
        Bench {
            plan,
            state,
            out: FusedFrame::empty(),
            links: (0..nodes).map(link).collect(),
            baselines: vec![None; usize::from(nodes)],
            rooms: (0..nodes).map(|_| room(GRID, &mut random)).collect(),
            sources: (0..nodes).map(|n| Source::new(n, GRID, random.next())).collect(),
            cycle: 0,
        }
    }

    fn now_s(&self) -> f64 {
        self.cycle as f64 * 0.05
    }

    /// One cycle: `seen(link, time, room)` gives a channel and its noise, or nothing.
    fn cycle(&mut self, mut seen: impl FnMut(usize, f64, &[C64]) -> Option<(Vec<C64>, f64)>) {
        self.cycle += 1;
        let t = self.now_s();
        let mut observations: Vec<LinkObservation> = Vec::new();
        for (n, source) in self.sources.iter_mut().enumerate() {
            if let Some((h, noise)) = seen(n, t, &self.rooms[n]) {
                observations.push(source.observe(t, &h, noise));
            }
        }
        let Bench { plan, state, out, links, baselines, .. } = self;
        plan.run(&observations, links, baselines, at(t), state, out);
    }

    fn attention(&self, n: usize) -> f64 {
        f64::from(self.out.attention[n])
    }
}

fn still(h: &[C64]) -> Option<(Vec<C64>, f64)> {
    Some((h.to_vec(), 1e-3))
}

/// Somebody who walks for about two seconds and stands for about two; a path's length in metres by link.
fn stop_and_go(n: usize, t: f64, phase: f64) -> f64 {
    let beat = t / 4.3 + phase;
    let (turns, within) = (beat.floor(), beat - beat.floor());
    let walked = turns + math::min_f64(1.0, 2.0 * within);
    4.0 + 0.7 * n as f64 + (1.1 + 0.2 * n as f64) * walked * 2.0 * 0.7 % 9.0
}

fn baseline(ln_quiet_change: f32) -> Baseline {
    Baseline {
        link: LinkId(0),
        empty_room: true,
        observations: 400,
        completed: Timestamp(1),
        mean: Samples::zero(GRID),
        variance: [0.0; MAX_TONES],
        quiet_incoherence: Quiet::default(),
        quiet_change: Quiet { ln_mean: ln_quiet_change, ln_sd: 0.2 },
        rssi_dbm: None,
        rssi_sd_db: None,
    }
}

#[test]
fn a_noise_node_loses_its_weight() {
    // White noise, and noise that is smooth over the tones (another random room at each observation).
    for smooth in [false, true] {
        for rate_divider in [1, 2, 10] {
            let mut b = Bench::new(4, 1);
            let mut random = Random(77);
            let mut worst = 0.0;
            for k in 0..900u64 {
                b.cycle(|n, _, h| match n {
                    _ if k % rate_divider != 0 => None,
                    2 if smooth => {
                        let paths: Vec<_> =
                            (0..6).map(|p| (30.0 * f64::from(p), random.gaussian(1.0))).collect();
                        Some((common::channel(GRID, &paths), 1e-3))
                    }
                    2 => Some((vec![C64::new(0.0, 0.0); GRID.tone_count()], 1.0)),
                    _ => still(h),
                });
                if k > 200 && k % rate_divider == 0 {
                    worst = math::max_f64(worst, b.attention(2));
                }
            }
            assert!(worst < 0.1, "smooth {smooth}, every {rate_divider} cycles: {worst}");
        }
    }
}

#[test]
fn somebody_walking_near_a_link_does_not_take_its_weight() {
    for rate_divider in [1, 2, 4] {
        let mut b = Bench::new(4, 2);
        let mut least = 1.0;
        for k in 0..1200u64 {
            b.cycle(|n, t, h| match n {
                _ if k % rate_divider != 0 => None,
                // 1.2 m a second without a pause, half the direct path's amplitude.
                1 => Some((with_path(GRID, h, 4.0 + (1.2 * t) % 20.0, 0.5), 1e-3)),
                _ => still(h),
            });
            if k > 200 && k % rate_divider == 0 {
                least = math::min_f64(least, b.attention(1));
            }
        }
        assert!(least > 0.15, "every {rate_divider} cycles: {least} of a fair 0.25");
    }
}

#[test]
fn attention_follows_the_noise_and_is_capped() {
    let mut b = Bench::new(4, 3);
    let noise = [1e-4, 1e-3, 0.1, 0.5];
    for _ in 0..300 {
        b.cycle(|n, _, h| Some((h.to_vec(), noise[n])));
    }
    let a: Vec<f64> = (0..4).map(|n| b.attention(n)).collect();
    assert!((a.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    assert!(a[0] > a[1] && a[1] > 2.0 * a[2] && a[2] > 2.0 * a[3], "{a:?}");
    assert!(a[0] < 1.2 * a[1], "one excellent link must not take all: {a:?}");
}

#[test]
fn what_was_not_measured_is_absent() {
    let mut b = Bench::new(3, 4);
    for k in 0..40 {
        b.cycle(|n, _, h| if n == 1 && k % 4 != 0 { None } else { still(h) });
        let heard = k % 4 == 0;
        let cells = FUSION_TONES..2 * FUSION_TONES;
        assert_eq!(b.out.mask[1] != 0, heard);
        assert_eq!(b.out.attention[1] > 0.0, heard);
        let bits = b.out.re[cells.clone()].iter().chain(&b.out.im[cells]).fold(0, |acc, x| acc | x.to_bits());
        assert_eq!(bits != 0, heard, "absent cells are +0.0");
        assert!((b.out.attention.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
    b.cycle(|_, _, _| None);
    assert_eq!(b.out.attention.iter().sum::<f32>(), 0.0);
}

#[test]
fn motion_is_one_in_quiet_and_many_when_somebody_moves() {
    let mut b = Bench::new(2, 5);
    b.cycle(|_, _, h| still(h));
    assert_eq!(b.out.fused_motion, None, "no quiet level is known");
    let mut ln_change = Vec::new();
    for _ in 0..200 {
        // What calibration would learn, from link 0's own observations.
        let h = b.rooms[0].clone();
        b.cycle(|_, _, h| still(h));
        let now_s = b.now_s();
        let o = b.sources[0].observe(now_s + 0.025, &h, 1e-3);
        ln_change.extend(o.change.map(|c| Quiet::ln(f64::from(c))));
    }
    let quiet = ln_change[100..].iter().sum::<f64>() / (ln_change.len() - 100) as f64;
    b.baselines[0] = Some(baseline(quiet as f32));
    let mut total = 0.0;
    for _ in 0..100 {
        b.cycle(|_, _, h| still(h));
        total += f64::from(b.out.fused_motion.unwrap()) / 100.0;
        assert_eq!(b.out.motion[1], 0.0, "link 1 has no quiet level");
    }
    assert!((total - 1.0).abs() < 0.15, "quiet motion {total}");
    for _ in 0..40 {
        b.cycle(|_, t, h| Some((with_path(GRID, h, 4.0 + 1.2 * t, 0.3), 1e-3)));
    }
    assert!(b.out.fused_motion.unwrap() > 8.0 && b.out.motion[0] > 8.0);
    // Not heard: the last value stands for half a second, and no longer.
    for k in 0..12 {
        b.cycle(|_, _, _| None);
        assert_eq!(b.out.fused_motion.is_some(), k < 10, "cycle {k}");
        assert_eq!(b.out.motion[0], 0.0);
    }
}

#[test]
fn independent_noise_does_not_cohere() {
    for (nodes, rate_divider) in [(2, 1), (2, 4), (4, 1), (4, 9)] {
        let (mut total, mut n, mut most) = (0.0, 0, 0.0);
        for seed in 0..12 {
            let mut b = Bench::new(nodes, 100 + seed);
            for k in 0..400u64 {
                b.cycle(|n, _, h| if (k + n as u64).is_multiple_of(rate_divider) { still(h) } else { None });
                if k >= 100 {
                    let c = f64::from(b.out.cross_coherence.unwrap());
                    (total, n) = (total + c, n + 1);
                    most = math::max_f64(most, c);
                }
            }
        }
        let mean = total / f64::from(n);
        assert!(mean < 0.06, "{nodes} nodes, every {rate_divider} cycles: mean {mean}, most {most}");
    }
}

#[test]
fn one_mover_that_all_see_coheres_and_movers_of_each_their_own_do_not() {
    for (dividers, least) in [([1, 1, 1], 0.75), ([1, 3, 7], 0.5)] {
        let mut mean = [0.0; 2];
        for own in [false, true] {
            let mut b = Bench::new(3, 9);
            for k in 0..1200u64 {
                b.cycle(|n, t, h| {
                    let phase = if own { 0.37 * n as f64 + 0.11 * n as f64 * t / 4.3 } else { 0.0 };
                    (k % dividers[n] == 0).then(|| (with_path(GRID, h, stop_and_go(n, t, phase), 0.4), 1e-3))
                });
                if k >= 200 {
                    mean[usize::from(own)] += f64::from(b.out.cross_coherence.unwrap()) / 1000.0;
                }
            }
        }
        assert!(mean[0] > least, "rates {dividers:?}: {mean:?}");
        assert!(mean[1] < 0.3, "rates {dividers:?}: {mean:?}");
    }
}

#[test]
fn one_node_has_nobody_to_agree_with() {
    let mut b = Bench::new(2, 6);
    b.links = vec![
        link(0),
        Link::new(wavewitness_types::Transmitter::Ambient(2), link(0).rx(), link(0).layout()).unwrap(),
    ];
    for _ in 0..200 {
        b.cycle(|_, _, h| still(h));
        assert_eq!(b.out.cross_coherence, None);
    }
    let mut b = Bench::new(2, 6);
    for k in 0..60 {
        b.cycle(|_, _, h| still(h));
        assert!(k >= 39 || b.out.cross_coherence.is_none(), "two seconds are the least");
    }
    assert!(b.out.cross_coherence.is_some());
}

#[test]
fn degenerate_observations_stay_finite_and_unknown_ids_are_left_out() {
    let mut b = Bench::new(2, 7);
    let mut o = b.sources[0].observe(0.0, &b.rooms[0].clone(), 1e-3);
    o.mean = Samples::zero(GRID);
    o.change = Some(0.0);
    let mut stranger = o.clone();
    stranger.link = LinkId(900);
    b.baselines[0] = Some(baseline(-7.0));
    for k in 0..100u64 {
        let Bench { plan, state, out, links, baselines, .. } = &mut b;
        plan.run(&[o.clone(), stranger.clone()], links, baselines, at(k as f64 * 0.05), state, out);
        assert!(
            b.out.attention.iter().chain(&b.out.motion).chain(&b.out.fused_motion).all(|x| x.is_finite())
        );
    }
}
