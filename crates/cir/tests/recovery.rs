//! Guards what the estimate finds of paths that are known: by tier, number of paths, spacing and noise, held to the
//! committed table `docs/algorithms/cir-recovery.txt`. `WAVEWITNESS_REWRITE=1 cargo test -p wavewitness-cir --test recovery`
//! writes it anew. The objective is held to the dense reference's in every row, wherever both converge.

mod common;

use common::{Random, Ray, channel, noisy, observe, samples};
use std::fmt::Write as _;
use std::path::Path;
use wavewitness_cir::reference::Dense;
use wavewitness_cir::{Config, Plan, Scratch};
use wavewitness_num::{C64, complex, math};
use wavewitness_types::ToneGrid;

const SNRS_DB: [f64; 5] = [0.0, 10.0, 20.0, 30.0, 40.0];
const TRIALS: usize = 40;
/// (paths, spacing in resolution cells).
const CASES: [(usize, f64); 10] =
    [(1, 2.0), (2, 0.5), (2, 0.75), (2, 1.0), (2, 1.5), (2, 2.0), (3, 2.0), (4, 2.0), (5, 2.0), (6, 2.0)];

/// Paths at equal spacing from a random delay on, each 2 dB weaker than the one before, of random phase.
fn truth(random: &mut Random, paths: usize, spacing_ns: f64) -> Vec<Ray> {
    let start_ns = -spacing_ns * random.uniform();
    (0..paths)
        .map(|i| {
            let amplitude = math::pow(10.0, -0.1 * i as f64);
            let phase = complex::unit(core::f64::consts::TAU * random.uniform());
            (start_ns + i as f64 * spacing_ns, phase * amplitude)
        })
        .collect()
}

#[derive(Default)]
struct Score {
    paths: usize,
    found: usize,
    error2: f64,
    extra: usize,
}

impl Score {
    /// A path is found if a tap that belongs to no stronger one is within half a cell of it.
    fn add(&mut self, truth: &[Ray], mut taps_ns: Vec<f64>, cell_ns: f64) {
        self.paths += truth.len();
        for (delay_ns, _) in truth {
            let off = |tap: &f64| (tap - delay_ns).abs();
            let nearest = (0..taps_ns.len()).min_by(|&a, &b| off(&taps_ns[a]).total_cmp(&off(&taps_ns[b])));
            if let Some(i) = nearest.filter(|&i| off(&taps_ns[i]) <= 0.5 * cell_ns) {
                let error = taps_ns.remove(i) - delay_ns;
                self.error2 += error * error;
                self.found += 1;
            }
        }
        self.extra += taps_ns.len();
    }

    fn text(&self) -> String {
        let rms = if self.found > 0 { math::sqrt(self.error2 / self.found as f64) } else { 0.0 };
        let share = 100.0 * self.found as f64 / self.paths as f64;
        format!("{share:>4.0} {rms:>5.1} {:>4.1}", self.extra as f64 / TRIALS as f64)
    }
}

fn table() -> String {
    let mut out = String::from(
        "Known paths found, by tier, number of paths, their spacing in resolution cells 1/(K*spacing), and noise.\n\
         Paths are 2 dB apart in strength, of random phase and random place on the delay grid; 40 trials a cell.\n\
         Each cell: per cent of the paths with a tap within half a resolution cell of them, RMS error of those taps in\n\
         nanoseconds, taps that belong to no path (mean of a trial).\n\
         Written by: WAVEWITNESS_REWRITE=1 cargo test -p wavewitness-cir --test recovery\n\n\
         tier      cell ns  paths  cells  ",
    );
    for snr_db in SNRS_DB {
        write!(out, "|{:>11} dB  ", snr_db).unwrap();
    }
    out.push('\n');
    for grid in ToneGrid::ALL {
        let plan = Plan::new(&Config::default(), grid).unwrap();
        let mut scratch = Scratch::new(&plan);
        let cell_ns = 1e9 / (grid.tone_count() as f64 * grid.spacing_hz());
        for (paths, cells) in CASES {
            write!(out, "{:<9} {cell_ns:>7.1} {paths:>6} {cells:>6.2}  ", grid.name()).unwrap();
            for snr_db in SNRS_DB {
                let mut random = Random(1000 * paths as u64 + snr_db as u64);
                let mut score = Score::default();
                for _ in 0..TRIALS {
                    let rays = truth(&mut random, paths, cells * cell_ns);
                    let h = noisy(&mut random, &channel(grid, &rays), snr_db);
                    let e = plan.estimate(&observe(samples(grid, &h)), &mut scratch);
                    let taps = e.taps[..usize::from(e.tap_count)].iter().map(|t| f64::from(t.delay_ns));
                    score.add(&rays, taps.collect(), cell_ns);
                }
                write!(out, "|{} ", score.text()).unwrap();
            }
            out = out.trim_end().to_owned() + "\n";
        }
    }
    out
}

#[test]
fn what_is_found_is_what_the_committed_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/algorithms/cir-recovery.txt");
    let found = table();
    if std::env::var_os("WAVEWITNESS_REWRITE").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    for (line, (found, committed)) in found.lines().zip(committed.lines()).enumerate() {
        assert_eq!(found, committed, "line {}: see the head of the table for how to write it anew", line + 1);
    }
    assert_eq!(found.len(), committed.len());
}

#[test]
fn the_objective_is_the_references_wherever_both_converge() {
    for grid in ToneGrid::ALL {
        let plan = Plan::new(&Config::default(), grid).unwrap();
        let mut scratch = Scratch::new(&plan);
        let dense = Dense::new(grid, plan.delays_ns());
        let cell_ns = 1e9 / (grid.tone_count() as f64 * grid.spacing_hz());
        let (mut compared, mut worst, mut total) = (0, 0.0f64, 0);
        for (paths, cells) in CASES {
            for snr_db in [0.0, 20.0, 40.0] {
                let mut random = Random(1000 * paths as u64 + snr_db as u64);
                let rays = truth(&mut random, paths, cells * cell_ns);
                let y = samples(grid, &noisy(&mut random, &channel(grid, &rays), snr_db));
                let fast = plan.solve(&y, None, &mut scratch).unwrap();
                let exact = dense.solve(&y, Config::default().lambda_ratio, 1e-5, 2_000).unwrap();
                total += 1;
                if fast.converged && exact.gap <= 1e-5 * exact.objective {
                    compared += 1;
                    worst = math::max_f64(worst, (fast.objective / exact.objective - 1.0).abs());
                }
            }
        }
        eprintln!("{}: {compared} of {total} compared, worst {worst:.1e}", grid.name());
        assert!(worst <= 1e-4, "{}: {worst:e}", grid.name());
        assert!(compared * 10 >= total * 9, "{}: only {compared} of {total}", grid.name());
    }
}

#[test]
fn one_path_is_always_found_and_finer_where_the_band_is_wider() {
    let mut errors = Vec::new();
    for grid in [ToneGrid::Ht20, ToneGrid::Ht40] {
        let plan = Plan::new(&Config::default(), grid).unwrap();
        let mut scratch = Scratch::new(&plan);
        let mut random = Random(4);
        let mut error2 = 0.0;
        for _ in 0..TRIALS {
            let delay_ns = 50.0 * random.uniform();
            let h = noisy(&mut random, &channel(grid, &[(delay_ns, C64::new(1.0, 0.0))]), 10.0);
            let e = plan.estimate(&observe(samples(grid, &h)), &mut scratch);
            let strongest = e.taps[..usize::from(e.tap_count)]
                .iter()
                .max_by(|a, b| {
                    math::hypot(a.re.into(), a.im.into()).total_cmp(&math::hypot(b.re.into(), b.im.into()))
                })
                .unwrap();
            let error = f64::from(strongest.delay_ns) - delay_ns;
            error2 += error * error / TRIALS as f64;
        }
        errors.push(math::sqrt(error2));
    }
    assert!(errors[0] < 5.0 && errors[1] < 0.6 * errors[0], "{errors:?}");
}
