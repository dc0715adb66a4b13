//! Guards the kernels that go over all delays at once: each gives, bit for bit, what one delay after the other gives, on
//! subnormals, signed zeros, huge ratios, all alike and one odd.

use crate::solver::{Gram, Split};
use crate::{Config, Plan, Scratch};
use wavewitness_num::sum;
use wavewitness_types::{Samples, ToneGrid};

/// Values of a kind over an index.
type Kind = fn(usize) -> f64;

const KINDS: &[(&str, Kind)] = &[
    ("ordinary", |k| (k as f64 * 0.7).fract() - 0.4),
    ("subnormal", |k| f64::from(f32::from_bits(1 + k as u32 % 7)) * if k % 3 == 0 { -1.0 } else { 1.0 }),
    ("signed zeros and ones", |k| [0.0, -0.0, 1.0, -1.0][k % 4]),
    ("huge ratios", |k| if k % 5 == 0 { 3e30 } else { -2e-30 } * (1.0 + k as f64)),
    ("all alike", |_| 0.1),
    ("one odd", |k| if k == 11 { -7e8 } else { 0.1 }),
];

fn bits(v: &[f64]) -> Vec<u64> {
    v.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn correlating_all_delays_at_once_is_one_delay_after_the_other() {
    for grid in ToneGrid::ALL {
        let plan = Plan::new(&Config::default(), grid).unwrap();
        let mut scratch = Scratch::new(&plan);
        for (name, kind) in KINDS {
            let mut samples = Samples::zero(grid);
            let (re, im) = samples.parts_mut();
            re.iter_mut().enumerate().for_each(|(k, v)| *v = kind(k) as f32);
            im.iter_mut().enumerate().for_each(|(k, v)| *v = kind(k * 3 + 1) as f32);
            let energy =
                plan.correlate(&samples, &mut scratch).unwrap_or_else(|| panic!("{name}: no energy"));
            let scale = 1.0 / energy.sqrt();
            assert_eq!(energy.to_bits(), sum::energy(samples.re(), samples.im()).to_bits());
            let (re, im) = plan.one_by_one(&samples, scale);
            let b: Vec<_> = (0..re.len()).map(scratch.correlation()).collect();
            let parts: (Vec<f64>, Vec<f64>) = b.iter().map(|z| (z.re, z.im)).unzip();
            assert_eq!(bits(&parts.0), bits(&re), "{grid:?} {name}, real parts");
            assert_eq!(bits(&parts.1), bits(&im), "{grid:?} {name}, imaginary parts");
        }
    }
}

#[test]
fn the_gram_matrix_by_columns_is_row_after_row() {
    let n = 37;
    for (column_name, column) in KINDS {
        let first: Vec<f64> = (0..n).map(column).collect();
        let gram = Gram::new(&first);
        for (name, kind) in KINDS {
            let mut x = Split::zero(n);
            x.re.iter_mut().enumerate().for_each(|(k, v)| *v = kind(k));
            x.im.iter_mut().enumerate().for_each(|(k, v)| *v = kind(k + 5));
            let mut out = Split::zero(n);
            gram.apply(&x, &mut out);
            for g in 0..n {
                let (mut re, mut im) = (0.0, 0.0);
                for h in (0..n).filter(|&h| x.re[h] != 0.0 || x.im[h] != 0.0) {
                    re += first[g.abs_diff(h)] * x.re[h];
                    im += first[g.abs_diff(h)] * x.im[h];
                }
                let got = (out.re[g].to_bits(), out.im[g].to_bits());
                assert_eq!(got, (re.to_bits(), im.to_bits()), "{column_name} × {name}, row {g}");
            }
        }
    }
}
