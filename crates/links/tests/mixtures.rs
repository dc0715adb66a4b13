//! Guards the separation of transmitters without MACs against synthetic mixtures of known truth: several multipath
//! channels, receiver noise, int8 rounding, a random gain, common phase and delay in every frame, people who move.

mod common;

use common::{Rng, frame, grid_of};
use wavewitness_links::{Config, Plan, Resolution, Retired, State, Unassigned};
use wavewitness_num::complex::unit;
use wavewitness_num::{C64, math};
use wavewitness_types::{Canonical, CyclePlan, Geometry, Layout, LinkId, Timestamp, Transmitter};

const CYCLE_NS: u64 = 50_000_000;
const BEACON_NS: f64 = 102_400_000.0;

/// A transmitter: six paths within 200 ns, of which one is a moving person.
struct Station {
    paths: Vec<(f64, C64)>,
    /// Amplitude of the moving path; all still paths together have unit power.
    moving: C64,
    /// Turns a second of the moving path: 2 is a person at 0.25 m/s (bistatic, 2.4 GHz).
    doppler_hz: f64,
    /// Where in the beacon interval it sends; `None`: at random times.
    beacon_ns: Option<f64>,
    /// Part of its beacons that this node hears.
    heard: f64,
}

impl Station {
    fn new(rng: &mut Rng, motion: f64, beacon_ns: Option<f64>, heard: f64) -> Station {
        let mut paths: Vec<(f64, C64)> = (0..6)
            .map(|k| (rng.uniform() * 200e-9, rng.complex() * if k == 0 { 1.5 } else { 0.7 }))
            .collect();
        let power: f64 = paths.iter().map(|(_, a)| a.norm_sqr()).sum();
        paths.iter_mut().for_each(|(_, a)| *a /= power.sqrt());
        let moving = unit(core::f64::consts::TAU * rng.uniform()) * motion;
        Station { paths, moving, doppler_hz: 0.5 + 2.0 * rng.uniform(), beacon_ns, heard }
    }

    fn channel(&self, layout: Layout, seconds: f64) -> Vec<C64> {
        let grid = grid_of(layout);
        let turn = unit(core::f64::consts::TAU * self.doppler_hz * seconds);
        (0..grid.tone_count())
            .map(|k| {
                let w = core::f64::consts::TAU * grid.offset_hz(k);
                let still =
                    self.paths.iter().fold(C64::new(0.0, 0.0), |sum, (tau, a)| sum + a * unit(-w * tau));
                still + self.moving * turn * unit(-w * 120e-9)
            })
            .collect()
    }
}

/// Arrivals in order: time in nanoseconds and transmitter.
fn schedule(stations: &[Station], seconds: f64, rng: &mut Rng) -> Vec<(u64, usize)> {
    let mut out = Vec::new();
    for (s, station) in stations.iter().enumerate() {
        let mut k = 0.0;
        while k * BEACON_NS < seconds * 1e9 {
            if rng.uniform() < station.heard {
                let offset = match station.beacon_ns {
                    // Contention and Wi-Fi delivery to the hub: mostly prompt, sometimes late.
                    Some(phase) => phase + if rng.uniform() < 0.8 { 1.5e6 } else { 12e6 } * rng.uniform(),
                    None => BEACON_NS * rng.uniform(),
                };
                out.push(((k * BEACON_NS + offset) as u64 + 1_000_000_000, s));
            }
            k += 1.0;
        }
    }
    out.sort_unstable();
    out
}

struct Outcome {
    state: State,
    /// Per frame: truth and what was said.
    said: Vec<(u64, usize, Resolution)>,
}

fn run(config: &Config, stations: &[Station], seconds: f64, noise: f64, rng: &mut Rng) -> Outcome {
    run_with(config, seconds, rng, stations, |s, at, rng| {
        let channel = stations[s].channel(Layout::Lltf64, at as f64 * 1e-9);
        frame(at, 1, Layout::Lltf64, &channel, rng, noise)
    })
}

fn run_with(
    config: &Config,
    seconds: f64,
    rng: &mut Rng,
    stations: &[Station],
    mut make: impl FnMut(usize, u64, &mut Rng) -> wavewitness_types::CsiFrame,
) -> Outcome {
    let plan = Plan::new(config, &Geometry::default(), &CyclePlan::ambient()).unwrap();
    let mut state = State::new(&plan);
    let mut said = Vec::new();
    let mut end = CYCLE_NS;
    for (at, s) in schedule(stations, seconds, rng) {
        while at >= end {
            plan.end_cycle(Timestamp(end), &mut state);
            end += CYCLE_NS;
        }
        said.push((at, s, plan.resolve(&make(s, at, rng), &mut state)));
    }
    Outcome { state, said }
}

impl Outcome {
    /// Counts of frames by truth and link.
    fn table(&self, stations: usize) -> Vec<Vec<u64>> {
        let mut table = vec![vec![0; self.state.links().len()]; stations];
        for (_, s, r) in &self.said {
            if let Resolution::Link { id, .. } = r {
                table[*s][id.index()] += 1;
            }
        }
        table
    }

    /// Part of the assigned frames whose link is mostly of their transmitter, and part of all frames assigned.
    fn purity_and_share(&self, stations: usize) -> (f64, f64) {
        let table = self.table(stations);
        let (mut pure, mut assigned) = (0, 0);
        for link in 0..self.state.links().len() {
            let column: Vec<u64> = table.iter().map(|row| row[link]).collect();
            pure += column.iter().max().copied().unwrap_or(0);
            assigned += column.iter().sum::<u64>();
        }
        (pure as f64 / assigned as f64, assigned as f64 / self.said.len() as f64)
    }
}

/// Incoherence of two channels at the delay at which they agree best, by trying many.
fn apart(a: &[C64], b: &[C64]) -> f64 {
    let tones = grid_of(Layout::Lltf64).indices();
    let power = |h: &[C64]| h.iter().map(|z| z.norm_sqr()).sum::<f64>();
    let rho = |slope: f64| {
        let sum: C64 = (0..52).map(|k| a[k].conj() * b[k] * unit(slope * f64::from(tones[k]))).sum();
        sum.norm_sqr() / power(a) / power(b)
    };
    (-60..=60).map(|s| 1.0 - rho(f64::from(s) * 0.01)).fold(1.0, |least, d| if d < least { d } else { least })
}

/// Three transmitters whose channels differ: two that look alike are one to every observer.
fn three(rng: &mut Rng, motion: f64, beacons: bool) -> Vec<Station> {
    let phase = |ms: f64| beacons.then_some(ms * 1e6);
    loop {
        let stations = vec![
            Station::new(rng, motion, phase(20.0), 0.9),
            Station::new(rng, motion, phase(55.0), 0.7),
            Station::new(rng, motion, phase(88.0), 0.4),
        ];
        let h: Vec<_> = stations.iter().map(|s| s.channel(Layout::Lltf64, 0.0)).collect();
        if apart(&h[0], &h[1]) > 0.3 && apart(&h[0], &h[2]) > 0.3 && apart(&h[1], &h[2]) > 0.3 {
            return stations;
        }
    }
}

#[test]
fn three_transmitters_are_told_apart_under_noise_and_motion() {
    // Moving path (amplitude beside the still power), noise (likewise), beacons, least share assigned.
    let cases = [
        (0.0, 0.05, false, 0.9),
        (0.2, 0.05, true, 0.85),
        (0.2, 0.1, false, 0.75),
        (0.2, 0.15, true, 0.8),
        (0.25, 0.05, true, 0.75),
        (0.3, 0.05, true, 0.7),
    ];
    for (motion, noise, beacons, least_share) in cases {
        let (mut worst_purity, mut mean_purity, mut worst_share, mut links) = (1.0f64, 0.0, 1.0f64, 0);
        for seed in 0..16u64 {
            let mut rng = Rng(seed);
            let stations = three(&mut rng, motion, beacons);
            let out = run(&Config::default(), &stations, 40.0, noise, &mut rng);
            let (purity, share) = out.purity_and_share(3);
            mean_purity += purity / 16.0;
            worst_purity = math::min_f64(worst_purity, purity);
            worst_share = math::min_f64(worst_share, share);
            links += out.state.links().iter().filter(|r| r.frames >= 20).count();
        }
        let report = format!(
            "motion {motion} noise {noise} beacons {beacons}: purity {mean_purity:.3} (worst {worst_purity:.3}), \
             worst share {worst_share:.3}, {:.2} links",
            links as f64 / 16.0
        );
        eprintln!("{report}");
        assert!(mean_purity >= 0.98 && worst_purity >= 0.95, "{report}");
        assert!(worst_share >= least_share, "{report}");
        // A path that moves all the time now and then splits a transmitter in two.
        assert!((48..=60).contains(&links), "{report}");
    }
}

#[test]
fn each_link_lies_nearer_to_itself_than_to_others() {
    let mut rng = Rng(5);
    let stations = three(&mut rng, 0.15, true);
    let out = run(&Config::default(), &stations, 40.0, 0.05, &mut rng);
    assert_eq!(out.state.links().len(), 3);
    for r in out.state.links() {
        let (within, between) = (r.within_distance.unwrap(), r.between_distance.unwrap());
        assert!(within < 0.5 * between, "{within} {between}");
        assert!(r.beacon.is_some(), "beacons every 102.4 ms are a schedule");
    }
}

#[test]
fn beacons_of_known_phase_are_reported_where_they_are() {
    let mut rng = Rng(11);
    let stations = three(&mut rng, 0.1, true);
    let out = run(&Config::default(), &stations, 40.0, 0.05, &mut rng);
    let table = out.table(3);
    for (s, row) in table.iter().enumerate() {
        let link = (0..row.len()).max_by_key(|&l| row[l]).unwrap();
        let e = out.state.links()[link].beacon.unwrap();
        let true_ns = (stations[s].beacon_ns.unwrap() + 0.75e6 + 1e9) % BEACON_NS;
        assert!((e.phase_ns - true_ns).abs() < 2e6, "{} {true_ns}", e.phase_ns);
        assert!((e.period_ns / BEACON_NS - 1.0).abs() < 50e-6);
        assert!(e.concentration > 0.6);
    }
}

#[test]
fn foreign_noise_is_counted_and_not_forced() {
    let mut rng = Rng(21);
    let mut stations = three(&mut rng, 0.1, true);
    stations.push(Station::new(&mut rng, 0.0, None, 0.5));
    let truth = three(&mut Rng(21), 0.1, true);
    let out = run_with(&Config::default(), 40.0, &mut rng, &stations, |s, at, rng| {
        let channel = if s == 3 {
            (0..52).map(|_| rng.complex()).collect()
        } else {
            truth[s].channel(Layout::Lltf64, at as f64 * 1e-9)
        };
        frame(at, 1, Layout::Lltf64, &channel, rng, 0.05)
    });
    let (mut noise, mut taken) = (0, 0);
    for (_, s, r) in &out.said {
        if *s == 3 {
            noise += 1;
            taken += i32::from(matches!(r, Resolution::Link { .. }));
        }
    }
    assert!(noise > 150);
    assert_eq!(taken, 0, "of {noise} frames of noise");
    let counted = out.state.counters().unassigned;
    assert!(counted[Unassigned::NoFit as usize] + counted[Unassigned::Learning as usize] >= noise);
    assert_eq!(out.state.links().len(), 3);
}

#[test]
fn gain_phase_and_delay_of_a_frame_change_nothing() {
    // The same frames twice, the second time through a receiver with another gain, phase and delay in every frame.
    let stations = three(&mut Rng(31), 0.1, true);
    let decide = |turned: bool| {
        let mut added = Rng(5);
        run_with(&Config::default(), 30.0, &mut Rng(77), &stations, |s, at, rng| {
            let channel = stations[s].channel(Layout::Lltf64, at as f64 * 1e-9);
            let mut f = frame(at, 1, Layout::Lltf64, &channel, rng, 0.05);
            if turned {
                let tones = f.samples.grid().indices();
                let (gain, phase) = (0.1 + 20.0 * added.uniform(), 6.3 * added.uniform());
                let slope = added.uniform() - 0.5;
                let (re, im) = f.samples.parts_mut();
                for k in 0..tones.len() {
                    let z = C64::new(f64::from(re[k]), f64::from(im[k]));
                    let z = z * unit(phase + slope * f64::from(tones[k])) * gain;
                    (re[k], im[k]) = (z.re as f32, z.im as f32);
                }
            }
            f
        })
    };
    let (a, b) = (decide(false), decide(true));
    assert!(a.state.counters().births >= 3);
    assert!(a.said == b.said);
}

#[test]
fn the_same_frames_give_the_same_bytes() {
    let bytes = || {
        let mut rng = Rng(41);
        let stations = three(&mut rng, 0.3, true);
        let out = run(&Config::default(), &stations, 20.0, 0.1, &mut rng);
        let mut all = out.state.links().to_canonical_bytes();
        out.said.iter().for_each(|(_, _, r)| r.canonical(&mut all));
        out.state.counters().canonical(&mut all);
        all
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_beaconing_link_keeps_its_id_when_the_room_changes() {
    // The room changes at once at 20 s (a door shuts): another channel altogether, the same beacons.
    let mut rng = Rng(51);
    let stations = three(&mut rng, 0.1, true);
    let before = stations[1].channel(Layout::Lltf64, 0.0);
    let changed = loop {
        let s = Station::new(&mut rng, 0.1, None, 1.0);
        let h = s.channel(Layout::Lltf64, 0.0);
        if stations.iter().all(|o| apart(&h, &o.channel(Layout::Lltf64, 0.0)) > 0.4)
            && apart(&h, &before) > 0.5
        {
            break s;
        }
    };
    let out = run_with(&Config::default(), 50.0, &mut rng, &stations, |s, at, rng| {
        let from = if s == 1 && at > 21_000_000_000 { &changed } else { &stations[s] };
        let channel = from.channel(Layout::Lltf64, at as f64 * 1e-9);
        frame(at, 1, Layout::Lltf64, &channel, rng, 0.05)
    });
    let of = |from: u64, to: u64| {
        let mut counts = vec![0; out.state.links().len()];
        for (at, s, r) in &out.said {
            if let Resolution::Link { id, .. } = r
                && *s == 1
                && (from..to).contains(at)
            {
                counts[id.index()] += 1;
            }
        }
        (0..counts.len()).max_by_key(|&l| counts[l]).unwrap()
    };
    let (first, last) = (of(10_000_000_000, 21_000_000_000), of(30_000_000_000, 51_000_000_000));
    assert_eq!(first, last, "{:?}", out.table(3));
    assert_eq!(out.state.counters().reanchors, 1);
    assert_eq!(out.state.links().len(), 3);
}

#[test]
fn transmitters_that_come_to_look_alike_keep_their_ids() {
    let mut rng = Rng(61);
    let stations: Vec<Station> = three(&mut rng, 0.0, false);
    // The second transmitter walks over to the first between 20 s and 40 s: from then on they are one to the node.
    let out = run_with(&Config::default(), 70.0, &mut rng, &stations, |s, at, rng| {
        let seconds = at as f64 * 1e-9;
        let mut channel = stations[s].channel(Layout::Lltf64, seconds);
        if s == 1 {
            let part = ((seconds - 20.0) / 20.0).clamp(0.0, 1.0);
            let to = stations[0].channel(Layout::Lltf64, seconds);
            channel.iter_mut().zip(to).for_each(|(c, t)| *c = *c * (1.0 - part) + t * part);
        }
        frame(at, 1, Layout::Lltf64, &channel, rng, 0.05)
    });
    let late: Vec<_> = out
        .said
        .iter()
        .filter(|(at, s, _)| *at > 50_000_000_000 && *s < 2)
        .filter_map(|(_, _, r)| if let Resolution::Link { id, .. } = r { Some(*id) } else { None })
        .collect();
    assert!(late.len() > 100 && late.iter().all(|id| *id == late[0]));
    // Names follow the order of discovery and were never given twice.
    for (n, r) in out.state.links().iter().enumerate() {
        assert_eq!(r.link.tx(), Transmitter::Ambient(n as u8 + 1));
    }
}

#[test]
fn two_states_of_one_beaconing_transmitter_are_merged_and_the_younger_retired() {
    // Its channel flips between two states from the start, so that each founds a link before a schedule is known.
    let mut rng = Rng(81);
    let (a, b) = loop {
        let s = Station::new(&mut rng, 0.3, Some(30e6), 1.0);
        let a = s.channel(Layout::Lltf64, 0.0);
        let b = s.channel(Layout::Lltf64, 0.5 / s.doppler_hz);
        if (0.12..0.25).contains(&apart(&a, &b)) {
            break (a, b);
        }
    };
    let one = [Station::new(&mut rng, 0.0, Some(30e6), 1.0)];
    let out = run_with(&Config::default(), 40.0, &mut rng, &one, |_, at, rng| {
        let channel = if rng.uniform() < 0.6 { &a } else { &b };
        frame(at, 1, Layout::Lltf64, channel, rng, 0.05)
    });
    assert_eq!(out.state.counters().births, 2);
    assert_eq!(out.state.counters().merges, 1);
    let Some(Retired::Merged { into, at }) = out.state.links()[1].retired else {
        panic!("the younger is not retired")
    };
    assert_eq!((into, out.state.links()[0].retired), (LinkId(0), None));
    let late = out.said.iter().filter(|(t, _, _)| *t > at.0 + 1_000_000_000);
    let (mut to_first, mut all) = (0, 0);
    for (_, _, r) in late {
        all += 1;
        assert!(!matches!(r, Resolution::Link { id: LinkId(1), .. }), "a retired id is never used again");
        to_first += i32::from(matches!(r, Resolution::Link { id: LinkId(0), .. }));
    }
    assert!(all > 100 && to_first * 10 > all * 7, "{to_first} of {all}");
}

#[test]
fn more_transmitters_than_places_are_refused_and_counted() {
    let mut rng = Rng(71);
    let stations: Vec<Station> = (0..5).map(|_| Station::new(&mut rng, 0.0, None, 0.5)).collect();
    let config = Config { max_ambient_links: 3, ..Config::default() };
    let out = run(&config, &stations, 40.0, 0.05, &mut rng);
    assert_eq!(out.state.links().len(), 3);
    assert!(out.state.counters().births_refused >= 2);
    assert!(out.purity_and_share(5).0 > 0.95);
}
