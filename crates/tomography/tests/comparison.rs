//! Three ways from the same evidence to a place: regularised least squares with a spatial prior, this crate's sparse
//! non-negative image, and the likelihood of places. On the basement walk and in simulated rooms of phasors.
//!
//! Guards that the way that is in use is the best of them on the recording, and among the best elsewhere. It prints the table of `docs/algorithms/tomography.md`:
//! `cargo test -p wavewitness-tomography --test comparison -- --nocapture`.

mod common;

use common::walk::{CHANNELS, QUIET, Walk, data};
use common::world::{self, World};
use wavewitness_num::math;
use wavewitness_tomography::locate::{self, PathEvidence};
use wavewitness_tomography::strength::{self, Background};
use wavewitness_tomography::{self as imaging, LinkEvidence};
use wavewitness_types::{LinkId, Room};

/// Pixels of the least-squares image, m.
const PIXEL_M: f64 = 0.25;
/// Error of a path's deviation about any model, ln: what the likelihood takes, too.
const SIGMA: f64 = 0.9;

/// A room, its paths, and looks at it: what each path says, time since the last, s, and
/// where the person is, if that is to count.
struct Case {
    name: &'static str,
    room: Room,
    paths: Vec<([f64; 3], [f64; 3])>,
    looks: Vec<(Vec<PathEvidence>, f64, Option<[f64; 2]>)>,
}

/// Tikhonov with an exponential covariance as the prior (Agrawal and Patwari 2009; Zhao and Patwari 2011):
/// `x = C Wᵀ (W C Wᵀ + σ² I)⁻¹ y`, `C = s² e^{−d/δ}`, `W = e^{−ε/κ}/√d`, or a step at ε = κ.
struct LeastSquares {
    pixels: Vec<[f64; 2]>,
    /// `C Wᵀ`, a row a pixel.
    spread: Vec<Vec<f64>>,
    /// `W C Wᵀ`.
    inner: Vec<Vec<f64>>,
}

impl LeastSquares {
    fn new(case: &Case, kappa_m: f64, is_step: bool, variance: f64) -> LeastSquares {
        let count = |k: usize| ((case.room.max_m[k] - case.room.min_m[k]) / PIXEL_M) as usize + 1;
        let at = |k: usize, i: usize| case.room.min_m[k] + PIXEL_M * i as f64;
        let pixels: Vec<[f64; 2]> =
            (0..count(1)).flat_map(|j| (0..count(0)).map(move |i| [at(0, i), at(1, j)])).collect();
        let flat = |p: [f64; 3], q: [f64; 2]| math::hypot(p[0] - q[0], p[1] - q[1]);
        let weight = |&(a, b): &([f64; 3], [f64; 3]), q: [f64; 2]| {
            let d = flat(a, [b[0], b[1]]);
            let excess = flat(a, q) + flat(b, q) - d;
            let near = if is_step { f64::from(excess < kappa_m) } else { math::exp(-excess / kappa_m) };
            near / math::sqrt(d)
        };
        let w: Vec<Vec<f64>> =
            case.paths.iter().map(|l| pixels.iter().map(|&q| weight(l, q)).collect()).collect();
        // s² = 0.5 and δ = 1 m, as in the peer's code; what depends on the lag alone is tabled by squared lag in pixels.
        let lags = 2 * count(0).max(count(1)) * count(0).max(count(1));
        let table: Vec<f64> =
            (0..lags).map(|n| variance * math::exp(-PIXEL_M * math::sqrt(n as f64))).collect();
        let (nx, mut spread) = (count(0), Vec::new());
        for p in 0..pixels.len() {
            let mut row = vec![0.0; case.paths.len()];
            for q in 0..pixels.len() {
                let (i, j) = ((p % nx).abs_diff(q % nx), (p / nx).abs_diff(q / nx));
                let c = table[i * i + j * j];
                for (sum, w) in row.iter_mut().zip(&w) {
                    *sum += c * w[q];
                }
            }
            spread.push(row);
        }
        let product = |r: usize, c: usize| -> f64 { (0..pixels.len()).map(|p| w[r][p] * spread[p][c]).sum() };
        let inner = (0..w.len()).map(|r| (0..w.len()).map(|c| product(r, c)).collect()).collect();
        LeastSquares { pixels, spread, inner }
    }

    /// The highest pixel.
    fn place(&self, evidence: &[PathEvidence]) -> [f64; 2] {
        let on: Vec<usize> = evidence.iter().map(|e| usize::from(e.path)).collect();
        let n = on.len();
        let mut l = vec![vec![0.0; n]; n];
        let mut z: Vec<f64> = evidence.iter().map(|e| f64::from(e.deviation)).collect();
        for r in 0..n {
            for c in 0..=r {
                let mut sum = self.inner[on[r]][on[c]] + if r == c { SIGMA * SIGMA } else { 0.0 };
                for k in 0..c {
                    sum -= l[r][k] * l[c][k];
                }
                l[r][c] = if r == c { math::sqrt(sum) } else { sum / l[c][c] };
            }
            for k in 0..r {
                z[r] -= l[r][k] * z[k];
            }
            z[r] /= l[r][r];
        }
        for r in (0..n).rev() {
            for k in r + 1..n {
                z[r] -= l[k][r] * z[k];
            }
            z[r] /= l[r][r];
        }
        let (mut best, mut peak) = (0, f64::MIN);
        for (pixel, row) in self.spread.iter().enumerate() {
            let value: f64 = on.iter().zip(&z).map(|(&p, z)| row[p] * z).sum();
            if value > peak {
                (best, peak) = (pixel, value);
            }
        }
        self.pixels[best]
    }
}

/// Squared errors of the looks that were given a place, and how many were.
fn rate(case: &Case, mut place: impl FnMut(&[PathEvidence], f64) -> Option<[f64; 2]>) -> (f64, f64) {
    let (mut squared, mut placed, mut count) = (0.0, 0.0, 0.0);
    for (evidence, dt_s, truth) in &case.looks {
        let found = place(evidence, *dt_s);
        let Some(truth) = truth else { continue };
        count += 1.0;
        if let Some(p) = found {
            squared += (p[0] - truth[0]) * (p[0] - truth[0]) + (p[1] - truth[1]) * (p[1] - truth[1]);
            placed += 1.0;
        }
    }
    (math::sqrt(squared / placed), placed / count)
}

fn image(case: &Case, voxels: u32, tolerant: bool) -> (f64, f64) {
    let strict = imaging::Config::default();
    let config = imaging::Config {
        voxels_x: voxels,
        voxels_y: voxels,
        voxels_z: 1,
        min_strength_sigma: if tolerant { 2.0 } else { strict.min_strength_sigma },
        min_contrast_sigma: if tolerant { 0.0 } else { strict.min_contrast_sigma },
        cfar_factor: if tolerant { 1.0 } else { strict.cfar_factor },
        ..strict
    };
    let plan = imaging::Plan::new(&config, Some(case.room)).unwrap();
    let mut state = imaging::State::new(&plan);
    for (k, &(a, b)) in (0..).zip(&case.paths) {
        assert!(plan.add_link(LinkId(k), a, b, &mut state));
    }
    let mut detections = Vec::new();
    rate(case, |evidence, _| {
        let links: Vec<LinkEvidence> = evidence
            .iter()
            .map(|e| LinkEvidence {
                link: LinkId(e.path),
                motion: Some(math::max_f32(0.0, e.deviation)),
                motion_sigma: SIGMA as f32,
                shadowing_db: None,
                shadowing_sigma_db: 0.0,
            })
            .collect();
        plan.run(&links, &mut state, &mut detections);
        detections.first().map(|d| [d.position_m[0], d.position_m[1]])
    })
}

fn likelihood(case: &Case, remembers: bool) -> (f64, f64) {
    let plain = locate::Config::default();
    let config = if remembers {
        plain
    } else {
        // A minute from look to look, after which nothing is known any more.
        locate::Config { mean_relocation_s: 1.0, tempering: 1.0, people: 1, ..plain }
    };
    let plan = locate::Plan::new(&config, case.room).unwrap();
    let mut state = locate::State::new(&plan, case.paths.len() as u16);
    for (k, &(a, b)) in (0..).zip(&case.paths) {
        assert!(plan.add_path(k, a, b, &mut state));
    }
    let mut detections = Vec::new();
    rate(case, |evidence, dt_s| {
        plan.run(if remembers { dt_s } else { 60.0 }, true, evidence, &mut state, &mut detections);
        detections.first().map(|d| [d.position_m[0], d.position_m[1]])
    })
}

fn basement() -> Option<Case> {
    let walk = Walk::read(&data()?);
    let n = walk.sensors.len();
    let place = |k: usize| [walk.sensors[k][0], walk.sensors[k][1], 1.0];
    let ends: Vec<[u16; 2]> = (0..n).flat_map(|a| (a + 1..n).map(move |b| [a as u16, b as u16])).collect();
    let paths = ends.iter().map(|&[a, b]| (place(usize::from(a)), place(usize::from(b)))).collect();
    let plan = strength::Plan::new(&strength::Config::default()).unwrap();
    let mut state = strength::State::new(&ends, 2 * CHANNELS as u16);
    let (mut looks, mut evidence) = (Vec::new(), Vec::new());
    for row in 0..walk.rows.len() {
        let at_s = walk.seconds(row);
        for (path, &[a, b]) in (0..).zip(&ends) {
            for channel in 0..CHANNELS {
                for (direction, tx, rx) in [(0, a, b), (1, b, a)] {
                    let dbm = walk.rows[row][Walk::column(channel, usize::from(tx), usize::from(rx))];
                    plan.sample(path, 2 * channel as u16 + direction, dbm as f32, &mut state);
                }
            }
        }
        let dt_s = if row > 0 { at_s - walk.seconds(row - 1) } else { 0.0 };
        let truth = walk.truth_m(at_s);
        let background = match (row < QUIET, truth) {
            (true, _) => Background::Learning,
            (false, None) => Background::Empty,
            (false, Some(_)) => Background::Occupied,
        };
        plan.close(dt_s, background, &mut state, &mut evidence);
        if let (Some(truth), false) = (truth, row < QUIET) {
            looks.push((evidence.clone(), dt_s, Some(truth)));
        }
    }
    let room = Room { min_m: [0.0; 3], max_m: [8.128, 7.8232, 2.5] };
    Some(Case { name: "basement walk 1", room, paths, looks })
}

/// Somebody who stands at random places of random rooms.
fn simulated(name: &'static str, nodes: usize) -> Case {
    let (mut looks, mut paths) = (Vec::new(), Vec::new());
    for seed in 0..8 {
        let mut world = World::new(world::ring(nodes), 700 + seed);
        paths = world.paths().into_iter().map(|(a, b)| (world.nodes[a], world.nodes[b])).collect();
        for _ in 0..3 {
            let at = [0.8 + 4.4 * world.random.uniform(), 0.8 + 4.4 * world.random.uniform()];
            for look in 0..16 {
                world.stand(&[at], 1);
                // Nobody jumps from place to place: a memory has some seconds to forget.
                looks.push((world.evidence.clone(), world::CYCLE_S, (look >= 8).then_some(at)));
            }
        }
    }
    Case { name, room: world::ROOM, paths, looks }
}

#[test]
fn the_likelihood_of_places_is_no_worse_than_an_image() {
    let mut cases =
        vec![simulated("simulated, 6 nodes (15 paths)", 6), simulated("simulated, 10 nodes (45 paths)", 10)];
    match basement() {
        Some(case) => cases.insert(0, case),
        None => eprintln!("SKIPPED: no rti_basement recording; set WAVEWITNESS_DATA"),
    }
    eprintln!("| data | method | RMSE | looks placed |\n|---|---|---|---|");
    for case in &cases {
        let row = |method: &str, (rmse_m, placed): (f64, f64)| {
            eprintln!("| {} | {method} | {rmse_m:.2} m | {:.0} % |", case.name, 100.0 * placed);
            (rmse_m, placed)
        };
        let squares = |kappa_m: f64, is_step: bool, variance: f64| {
            let solver = LeastSquares::new(case, kappa_m, is_step, variance);
            rate(case, |evidence, _| (!evidence.is_empty()).then(|| solver.place(evidence)))
        };
        let images = [
            row("least squares, ellipse of 0.1 m, s² = 0.5 (the peer's)", squares(0.1, true, 0.5)),
            row("least squares, ellipse of 0.1 m, s² = 0.01", squares(0.1, true, 0.01)),
            row("least squares, e^(−ε/0.5 m), s² = 0.5", squares(0.5, false, 0.5)),
            row("least squares, e^(−ε/0.5 m), s² = 0.01", squares(0.5, false, 0.01)),
            row("least squares, e^(−ε/2 m), s² = 0.01", squares(2.0, false, 0.01)),
            row("sparse non-negative, 8 × 8, κ = 2 m", image(case, 8, false)),
            row("sparse non-negative, 16 × 16, κ = 2 m", image(case, 16, false)),
            row("the same, any peak", image(case, 16, true)),
        ];
        let single = row("likelihood of places, one look", likelihood(case, false));
        let filter = row("likelihood of places with its memory", likelihood(case, true));
        // Who places only whom he is sure of has it easier. In simulated rooms with many paths the sparse image is better
        // (0.57 m against 0.73 m); on the recording it is not.
        let slack = if case.name.starts_with("simulated") { 1.4 } else { 1.0 };
        for (rmse_m, placed) in images {
            assert!(placed < 0.9 || filter.0 < slack * rmse_m, "{}: an image has {rmse_m} m", case.name);
        }
        assert!(single.1 > 0.7 && filter.1 > 0.9, "{}: {single:?}, {filter:?}", case.name);
    }
}
