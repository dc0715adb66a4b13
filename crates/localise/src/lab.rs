#![allow(clippy::all, missing_docs, unused)]
use crate::{Config, Plan, State};
use wavewitness_types::{Baseline, Detection, LinkId, Quiet, Room, Samples, Timestamp, ToneGrid, limits::MAX_TONES};
use std::collections::BTreeMap;

static TUNE: std::sync::OnceLock<[f64; 10]> = std::sync::OnceLock::new();
pub fn tune(k: usize) -> f64 { TUNE.get_or_init(|| { let d = [0.4, 0.0, 2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]; core::array::from_fn(|k| env(&format!("T{k}"), d[k])) })[k] }
pub enum Rec { Frame(u16, u64, i8, Samples), Base(u16, Baseline), Link(u16, u8, u8), Truth(u64, Vec<(u8, u8, [f64; 10])>) }
pub struct Scene { pub room: Room, pub nodes: BTreeMap<u8, [f64; 3]>, pub recs: Vec<Rec> }
struct R<'a>(&'a [u8], usize);
impl R<'_> {
    fn b<const N: usize>(&mut self) -> [u8; N] { let x = self.0[self.1..self.1 + N].try_into().unwrap(); self.1 += N; x }
    fn f(&mut self) -> f64 { f64::from_le_bytes(self.b()) }
    fn s(&mut self) -> f32 { f32::from_le_bytes(self.b()) }
    fn samples(&mut self) -> Samples { let mut s = Samples::zero(ToneGrid::Ht20); let (a, b) = s.parts_mut(); for x in a.iter_mut() { *x = self.s(); } for x in b.iter_mut() { *x = self.s(); } s }
}
pub fn load(path: &str) -> Scene {
    let bytes = std::fs::read(path).unwrap(); let mut r = R(&bytes, 0);
    let max_m = [r.f(), r.f(), r.f()]; let room = Room { min_m: [0.0; 3], max_m };
    let mut nodes = BTreeMap::new();
    for _ in 0..r.b::<1>()[0] { let id = r.b::<1>()[0]; nodes.insert(id, [r.f(), r.f(), r.f()]); }
    let mut recs = Vec::new();
    while r.1 < bytes.len() {
        recs.push(match r.b::<1>()[0] {
            2 => Rec::Link(u16::from_le_bytes(r.b()), r.b::<1>()[0], r.b::<1>()[0]),
            1 => {
                let l = u16::from_le_bytes(r.b()); let c = u64::from_le_bytes(r.b()); let (rs, sd) = (r.s(), r.s());
                let mut variance = [0.0f32; MAX_TONES]; for v in &mut variance[..56] { *v = r.s(); }
                Rec::Base(l, Baseline { link: LinkId(l), empty_room: true, observations: 400, completed: Timestamp(c), mean: r.samples(), variance, quiet_incoherence: Quiet::default(), quiet_change: Quiet::default(), rssi_dbm: Some(rs), rssi_sd_db: Some(sd) })
            }
            0 => { let l = u16::from_le_bytes(r.b()); let t = u64::from_le_bytes(r.b()); let s = r.b::<1>()[0] as i8; Rec::Frame(l, t, s, r.samples()) }
            _ => { let t = u64::from_le_bytes(r.b()); let n = r.b::<1>()[0]; Rec::Truth(t, (0..n).map(|_| { let (a, b) = (r.b::<1>()[0], r.b::<1>()[0]); (a, b, core::array::from_fn(|_| r.f())) }).collect()) }
        });
    }
    Scene { room, nodes, recs }
}
pub fn env(k: &str, d: f64) -> f64 { std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d) }

/// Feeds a scene: `each` sees time, truth, detections and state after every cycle.
pub fn feed(scene: &Scene, config: &Config, mut each: impl FnMut(u64, &[(u8, u8, [f64; 10])], &[Detection], &mut State, &Plan)) {
    let mode = env("MODE", 2.0) as u32;
    let plan = Plan::new(config, scene.room).unwrap();
    let mut state = State::new(&plan);
    let mut pairs: BTreeMap<(u8, u8), u16> = BTreeMap::new();
    let mut ways: BTreeMap<u16, (u16, usize)> = BTreeMap::new();
    let mut bases: BTreeMap<u16, Baseline> = BTreeMap::new();
    let mut pending: BTreeMap<u16, Vec<(u64, f32, Samples)>> = BTreeMap::new();
    let mut phase: BTreeMap<u16, (f64, f64)> = BTreeMap::new();
    let mut detections = Vec::new();
    let moved = |p: [f64; 3], a: u8| { let e = env("NODEERR", 0.0); [p[0] + e * ((a as f64 * 2.7).sin()), p[1] + e * ((a as f64 * 5.1).cos()), p[2] + e * ((a as f64 * 3.3).sin())] };
    for rec in &scene.recs {
        match rec {
            Rec::Link(l, tx, rx) => {
                let (a, b) = (*tx.min(rx), *tx.max(rx));
                let p = *pairs.entry((a, b)).or_insert_with(|| plan.add_path([moved(scene.nodes[&a], a), moved(scene.nodes[&b], b)], &mut state).unwrap());
                ways.insert(*l, (p, usize::from(tx > rx)));
            }
            Rec::Base(l, b) => { bases.insert(*l, b.clone()); }
            Rec::Frame(l, t, r, s) => pending.entry(*l).or_default().push((*t, f32::from(*r), s.clone())),
            Rec::Truth(t, people) => {
                for (l, mut list) in std::mem::take(&mut pending) {
                    let (path, dir) = ways[&l];
                    list.sort_by_key(|x| x.0);
                    if mode == 0 && list.len() > 1 {
                        let n = list.len() as f32; let mut s = Samples::zero(ToneGrid::Ht20); let mut rs = 0.0;
                        for (_, r, x) in &list { rs += r / n; let (a, b) = s.parts_mut(); for k in 0..a.len() { a[k] += x.re()[k] / n; b[k] += x.im()[k] / n; } }
                        list = vec![(list.last().unwrap().0, rs, s)];
                    }
                    for (at, r, s) in list {
                        let mut at2 = at;
                        if mode >= 2 {
                            // Least phase of arrival in the period, which may drift.
                            let base = 1_700_000_000_000_000_000u64; let x = (at - base) as f64 * 1e-9;
                            let e = phase.entry(l).or_insert((x, x));
                            let d = x - e.0; let n = (d / 0.05).round(); let off = d - n * 0.05;
                            // off: lateness against the predicted earliest arrival
                            let relax = 30e-6 * (x - e.1).max(0.0);
                            e.1 = x;
                            let late = (d - relax).rem_euclid(0.05); let late = if late > 0.045 { late - 0.05 } else { late };
                            if late < 0.0 { e.0 += relax + late; } else { e.0 += relax; }
                            let late2 = late.max(0.0);
                            at2 = at - (late2 * 1e9) as u64;
                        }
                        plan.observe(path, dir, Timestamp(at2), &bases[&l], &s, Some(r), &mut state);
                    }
                }
                plan.run(Timestamp(*t), false, &mut state, &mut detections);
                each(*t, people, &detections, &mut state, &plan);
            }
        }
    }
}
pub fn config() -> Config {
    let mut c = Config { particles: env("N", 2000.0) as u32, ..Config::default() };
    macro_rules! s { ($($f:ident),*) => { $( c.$f = env(stringify!($f), c.$f); )* } }
    s!(temper, wall_power, floor_share, scatter_height_m, ln_section, ln_section_sd, turn, stop, speed_m_s, wander_m_s, wander_m, lost, update_s, inflation, least_sd_m);
    c
}
pub fn files() -> Vec<String> {
    let f = std::env::var("FILES").unwrap_or("r0_1_101,r0_1_102,r1_1_101,r1_1_102,r2_1_101,r2_1_102".into());
    f.split(',').map(|s| s.to_string()).collect()
}
pub fn q(v: &mut Vec<f64>, p: f64) -> f64 { if v.is_empty() { return f64::NAN; } v.sort_by(f64::total_cmp); v[((v.len() - 1) as f64 * p) as usize] }

#[test]
#[ignore]
fn lab_run() {
    let (mut all, mut medians): (Vec<f64>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut in1, mut in2, mut n, mut seen, mut cycles) = (0, 0, 0, 0, 0);
    
    let mut cost = 0.0; let mut runs = 0;
    for f in files() {
        let scene = load(&format!("/tmp/lik/d/{f}"));
        let mut errors = Vec::new();
        let mut first = 0u64;
        let t0 = std::time::Instant::now();
        feed(&scene, &config(), |t, people, det, _, _| {
            runs += 1;
            let Some(p) = people.iter().find(|p| p.2[0] > 0.5) else { return };
            if first == 0 { first = t; }
            if t < first + 4_000_000_000 { return; }
            cycles += 1;
            if let Some(d) = det.first() {
                let (x, y) = (d.position_m[0] - p.2[1], d.position_m[1] - p.2[2]);
                let e = x.hypot(y); errors.push(e); seen += 1;
                let c = d.covariance_m2; let det2 = c[0][0] * c[1][1] - c[0][1] * c[0][1];
                let m = (c[1][1] * x * x - 2.0 * c[0][1] * x * y + c[0][0] * y * y) / det2;
                n += 1; if m < 2.279 { in1 += 1; } if m < 5.991 { in2 += 1; }
            }
        });
        cost += t0.elapsed().as_secs_f64();
        all.extend(&errors);
        medians.push(format!("{:.2}", q(&mut errors, 0.5)));
    }
    println!("LAB median {:.3} p90 {:.3} cover68 {:.2} cover95 {:.2} seen {:.2} per-file {} ms/cycle {:.3}", q(&mut all, 0.5), q(&mut all, 0.9), in1 as f64 / n as f64, in2 as f64 / n as f64, seen as f64 / cycles as f64, medians.join(" "), 1e3 * cost / runs as f64);
}

use crate::geometry::Antenna;
use crate::path::Path;
use crate::spectrum::{Covariance, Scatter, Sight};
use wavewitness_num::math;
pub fn feed_paths(scene: &Scene, mut each: impl FnMut(u64, &[(u8, u8, [f64; 10])], &mut [Path])) {
    let mode = env("MODE", 2.0) as u32;
    let mut paths: Vec<Path> = Vec::new();
    let mut pairs: BTreeMap<(u8, u8), u16> = BTreeMap::new();
    let mut ways: BTreeMap<u16, (u16, usize)> = BTreeMap::new();
    let mut bases: BTreeMap<u16, Baseline> = BTreeMap::new();
    let mut pending: BTreeMap<u16, Vec<(u64, f32, Samples)>> = BTreeMap::new();
    let mut phase: BTreeMap<u16, (f64, f64)> = BTreeMap::new();
    let moved = |p: [f64; 3], a: u8| { let e = env("NODEERR", 0.0); [p[0] + e * ((a as f64 * 2.7).sin()), p[1] + e * ((a as f64 * 5.1).cos()), p[2] + e * ((a as f64 * 3.3).sin())] };
    for rec in &scene.recs {
        match rec {
            Rec::Link(l, tx, rx) => {
                let (a, b) = (*tx.min(rx), *tx.max(rx));
                let p = *pairs.entry((a, b)).or_insert_with(|| { paths.push(Path::new([Antenna::new(moved(scene.nodes[&a], a), &scene.room), Antenna::new(moved(scene.nodes[&b], b), &scene.room)])); paths.len() as u16 - 1 });
                ways.insert(*l, (p, usize::from(tx > rx)));
            }
            Rec::Base(l, b) => { bases.insert(*l, b.clone()); }
            Rec::Frame(l, t, r, s) => pending.entry(*l).or_default().push((*t, f32::from(*r), s.clone())),
            Rec::Truth(t, people) => {
                for (l, mut list) in std::mem::take(&mut pending) {
                    let (path, dir) = ways[&l];
                    list.sort_by_key(|x| x.0);
                    if mode == 0 && list.len() > 1 {
                        let n = list.len() as f32; let mut s = Samples::zero(ToneGrid::Ht20); let mut rs = 0.0;
                        for (_, r, x) in &list { rs += r / n; let (a, b) = s.parts_mut(); for k in 0..a.len() { a[k] += x.re()[k] / n; b[k] += x.im()[k] / n; } }
                        list = vec![(list.last().unwrap().0, rs, s)];
                    }
                    for (at, r, s) in list {
                        let mut at2 = at;
                        if mode >= 2 {
                            let base = 1_700_000_000_000_000_000u64; let x = (at - base) as f64 * 1e-9;
                            let e = phase.entry(l).or_insert((x, x));
                            let relax = 30e-6 * (x - e.1).max(0.0); e.1 = x;
                            let late = (x - e.0 - relax).rem_euclid(0.05); let late = if late > 0.045 { late - 0.05 } else { late };
                            e.0 += relax + late.min(0.0);
                            at2 = at - (late.max(0.0) * 1e9) as u64;
                        }
                        paths[usize::from(path)].observe(dir, Timestamp(at2), &bases[&l], &s, Some(r));
                    }
                }
                each(*t, people, &mut paths);
            }
        }
    }
}
pub fn sight<'a>(path: &'a Path, wavelength_m: f64) -> Option<Sight<'a>> {
    let level_dbm = path.gauge.level_dbm.filter(|_| path.window.known)?;
    let four_pi = 4.0 * core::f64::consts::PI;
    let channel = math::exp((level_dbm - 15.0) * core::f64::consts::LN_10 / 10.0);
    let scale = wavelength_m * wavelength_m / (four_pi * four_pi * four_pi) / channel;
    Some(Sight { ends: [&path.ends[0], &path.ends[1]], direct_m: path.direct_m, scale, steering: &path.gauge.table })
}
const G: usize = 11; const H: usize = 5;
/// ln likelihood gain of a body, its power on this path marginalised over levels.
pub fn gain(s: &Sight<'_>, path: &Path, scatter: &Scatter, at: [f64; 3], v: [f64; 2], ln_section: f64, other: &Covariance, without: f64, levels: i32, sd: f64) -> f64 {
    let mut unit = Covariance::zero();
    s.lines(&path.window, scatter, at, v, math::exp(ln_section), &mut unit);
    let mut terms = Vec::new(); let (mut total, mut top) = (0.0, f64::NEG_INFINITY);
    for k in -levels..=levels {
        let z = if levels == 0 { 0.0 } else { 2.0 * k as f64 / levels as f64 };
        let mut c = other.clone(); c.add(&unit, (sd * z).exp() as f32);
        let w = (-0.5 * z * z).exp(); total += w;
        let l = c.ln_likelihood(&path.window) - without + w.ln(); if l > top { top = l; } terms.push(l);
    }
    top + terms.iter().map(|l| (l - top).exp()).sum::<f64>().ln() - f64::ln(total)
}
#[test]
#[ignore]
fn lab_shift() {
    let config = config();
    let scatter = Scatter { wavelength_m: config.wavelength_m, wall_power: config.wall_power, floor_share: config.floor_share as f32 };
    let half = env("HALF", 1.0); let levels = env("LEVELS", 0.0) as i32; let lsd = env("LSD", 1.0); let segment = env("SEG", 12.0) as usize;
    let back = 0.5 * crate::window::LENGTH_S; let back_n = (back / 0.05).round() as usize;
    let (mut errors, mut gaps, mut biasx, mut vgaps, mut verr) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut along = Vec::new();
    let mut along_mean = Vec::new();
    let mut rank = Vec::new();
    let mut perwin = Vec::new(); let (mut allg, mut allv): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
    for f in files() {
        let scene = load(&format!("/tmp/lik/d/{f}"));
        let mut history: Vec<Option<[f64; 4]>> = Vec::new();
        let mut grid = vec![0.0f64; G * G]; let mut vgrid = vec![0.0f64; G * G]; let mut count = 0; let mut heading = [0.0f64; 2]; let mut last = 0u64;
        feed_paths(&scene, |t, people, paths| {
            history.push(people.iter().find(|p| p.2[0] > 0.99).map(|p| [p.2[1], p.2[2], p.2[4], p.2[5]]));
            if last != 0 && t < last + 240_000_000 { return; }
            last = t;
            let n = history.len(); if n < 2 * back_n + 2 { return; }
            let walking = history[n - 2 * back_n - 1..].iter().all(|h| h.is_some_and(|h| h[2].hypot(h[3]) > 0.3));
            if !walking { count = 0; grid.fill(0.0); vgrid.fill(0.0); heading = [0.0; 2]; return; }
            let now = history[n - 1 - back_n].unwrap();
            // mean velocity over the window
            let (a, b) = (history[n - 1 - 2 * back_n].unwrap(), history[n - 1].unwrap());
            let v = [(b[0] - a[0]) / (2.0 * back), (b[1] - a[1]) / (2.0 * back)];
            let sp = v[0].hypot(v[1]); heading[0] += v[0] / sp; heading[1] += v[1] / sp;
            let mut w = vec![0.0f64; G * G];
            for path in paths.iter_mut() {
                path.window.look(&path.ring, Timestamp(t));
                let Some(s) = sight(path, config.wavelength_m) else { continue };
                let other = Covariance::floor(&path.window);
                let without = other.clone().ln_likelihood(&path.window);
                for gx in 0..G { for gy in 0..G {
                    let d = [half * (gx as f64 / H as f64 - 1.0), half * (gy as f64 / H as f64 - 1.0)];
                    let at = [now[0] + d[0], now[1] + d[1], config.scatter_height_m];
                    let l = gain(&s, path, &scatter, at, v, config.ln_section, &other, without, levels, lsd); grid[gx * G + gy] += l; w[gx * G + gy] += l;
                    vgrid[gx * G + gy] += gain(&s, path, &scatter, [now[0], now[1], config.scatter_height_m], [v[0] + 0.5 * d[0], v[1] + 0.5 * d[1]], config.ln_section, &other, without, levels, lsd);
                } }
            }
            let c0 = w[H * G + H]; rank.push(w.iter().filter(|&&x| x < c0).count() as f64 / (G * G) as f64); perwin.push(c0);
            count += 1;
            if count == segment {
                let best = (0..G * G).max_by(|&a, &b| grid[a].total_cmp(&grid[b])).unwrap();
                let d = [half * ((best / G) as f64 / H as f64 - 1.0), half * ((best % G) as f64 / H as f64 - 1.0)];
                errors.push(d[0].hypot(d[1])); gaps.push(grid[best] - grid[H * G + H]);
                let h = heading[0].hypot(heading[1]).max(1e-9);
                along.push((d[0] * heading[0] + d[1] * heading[1]) / h);
                let vb = (0..G * G).max_by(|&a, &b| vgrid[a].total_cmp(&vgrid[b])).unwrap();
                let dv = [0.5 * half * ((vb / G) as f64 / H as f64 - 1.0), 0.5 * half * ((vb % G) as f64 / H as f64 - 1.0)];
                verr.push(dv[0].hypot(dv[1])); vgaps.push(vgrid[vb] - vgrid[H * G + H]);
                allg.push(grid.clone()); allv.push(vgrid.clone()); biasx.push(d[0]); along_mean.push((dv[0] * heading[0] + dv[1] * heading[1]) / h);
                count = 0; grid.fill(0.0); vgrid.fill(0.0); heading = [0.0; 2];
            }
        });
    }
    let mean = |v: &Vec<f64>| v.iter().sum::<f64>() / v.len() as f64;
    let score = |all: &Vec<Vec<f64>>, unit: f64| {
        let mut best = (f64::NEG_INFINITY, 0.0, 0.0);
        for k in 0..40 { let tau = 0.005 * 1.15f64.powi(k);
            let mut total = 0.0; let mut errs = Vec::new();
            for g in all {
                let top = g.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let z: f64 = g.iter().map(|x| (tau * (x - top)).exp()).sum();
                total += tau * (g[H * G + H] - top) - z.ln() + ((G * G) as f64).ln();
                let (mut mx, mut my) = (0.0, 0.0);
                for gx in 0..G { for gy in 0..G { let w = (tau * (g[gx * G + gy] - top)).exp() / z; mx += w * (gx as f64 / H as f64 - 1.0); my += w * (gy as f64 / H as f64 - 1.0); } }
                errs.push(unit * mx.hypot(my));
            }
            let s = total / all.len() as f64; if s > best.0 { best = (s, tau, q(&mut errs, 0.5)); } }
        best
    };
    let (sg, sv) = (score(&allg, half), score(&allv, 0.5 * half));
    println!("LAB score place {:.3} at {:.3} err {:.3} | velocity {:.3} at {:.3} err {:.3}", sg.0, sg.1, sg.2, sv.0, sv.1, sv.2);
    println!("LAB shift n {} err median {:.2} p75 {:.2} p90 {:.2} mean gap {:.1} median gap {:.1} bias-along {:+.3} | verr median {:.2} p90 {:.2} gap {:.1} bias-along {:+.3} | window truth gain {:.1} rank {:.3}", errors.len(), q(&mut errors, 0.5), q(&mut errors, 0.75), q(&mut errors, 0.9), mean(&gaps), q(&mut gaps, 0.5), mean(&along), q(&mut verr, 0.5), q(&mut verr, 0.9), mean(&vgaps), mean(&along_mean), mean(&perwin), mean(&rank));
}

#[test]
#[ignore]
fn lab_bins() {
    let config = config();
    let scatter = Scatter { wavelength_m: config.wavelength_m, wall_power: config.wall_power, floor_share: config.floor_share as f32 };
    let back_n = 5; let back = 0.25;
    let nb = crate::spectrum::BINS;
    let mut quads = vec![Vec::new(); nb]; let mut floors = vec![Vec::new(); 4]; let mut pows = vec![vec![Vec::new(); nb]; 4]; let mut model = vec![vec![Vec::new(); nb]; 4];
    for f in files() {
        let scene = load(&format!("/tmp/lik/d/{f}"));
        let mut history: Vec<Option<[f64; 4]>> = Vec::new(); let mut last = 0u64;
        feed_paths(&scene, |t, people, paths| {
            history.push(people.iter().find(|p| p.2[0] > 0.99).map(|p| [p.2[1], p.2[2], p.2[4], p.2[5]]));
            if last != 0 && t < last + 240_000_000 { return; }
            last = t;
            let n = history.len(); if n < 2 * back_n + 2 { return; }
            if !history[n - 2 * back_n - 1..].iter().all(|h| h.is_some_and(|h| h[2].hypot(h[3]) > 0.3)) { return; }
            let now = history[n - 1 - back_n].unwrap();
            let (a, b) = (history[n - 1 - 2 * back_n].unwrap(), history[n - 1].unwrap());
            let v = [(b[0] - a[0]) / (2.0 * back), (b[1] - a[1]) / (2.0 * back)];
            for path in paths.iter_mut() {
                path.window.look(&path.ring, Timestamp(t));
                let Some(s) = sight(path, config.wavelength_m) else { continue };
                let mut c = Covariance::floor(&path.window);
                s.lines(&path.window, &scatter, [now[0], now[1], config.scatter_height_m], v, math::exp(config.ln_section), &mut c);
                for k in 0..4 { floors[k].push(path.window.floor[k] as f64); for m in 0..nb { pows[k][m].push((path.window.re[k][m].powi(2) + path.window.im[k][m].powi(2)) as f64); model[k][m].push(c.diagonal[k][m] as f64); } }
                // quadratic per bin, dense solve
                for m in 0..nb { quads[m].push(c.quad_bin(&path.window, m)); }
            }
        });
    }
    for m in 0..nb { let mean = quads[m].iter().sum::<f64>() / quads[m].len() as f64; println!("LAB {:>2} Hz quad mean {:>7.1} median {:>5.1} (3.67) p90 {:>6.1} (6.7) | power mean dB {} | model mean dB {}", 2 * (m + 2), mean, q(&mut quads[m], 0.5), q(&mut quads[m], 0.9),
        (0..4).map(|k| format!("{:5.1}", 10.0 * (pows[k][m].iter().sum::<f64>() / pows[k][m].len() as f64).log10())).collect::<Vec<_>>().join(" "),
        (0..4).map(|k| format!("{:5.1}", 10.0 * (model[k][m].iter().sum::<f64>() / model[k][m].len() as f64).log10())).collect::<Vec<_>>().join(" ")); }
    println!("LAB floors median {:?}", floors.iter_mut().map(|f| (q(f, 0.1), q(f, 0.5), q(f, 0.9))).collect::<Vec<_>>());
}
