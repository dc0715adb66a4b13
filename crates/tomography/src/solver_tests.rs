//! Guards the optimisation: the solution satisfies its optimality conditions, the objective never rises, the step is
//! safe, and the cached operator is the one that a fresh solver makes.

use super::*;

const SETTINGS: Settings =
    Settings { lambda_ratio: 0.1, noise_factor: 0.1, max_iterations: 100, tolerance: 1e-4, rectified: false };

/// SplitMix64 (Steele, Lea and Flood 2014), as uniform numbers in 0..1.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// A random sparse non-negative operator and evidence.
fn problem(seed: u64, voxels: usize, links: usize) -> (Solver, [f64; MAX_LINKS], [f64; MAX_LINKS]) {
    let mut state = seed;
    let mut solver = Solver::new(voxels);
    let (mut whitening, mut values) = ([0.0; MAX_LINKS], [0.0; MAX_LINKS]);
    for link in 0..links {
        for w in solver.raw_row_mut(link, 1.0) {
            let x = uniform(&mut state);
            *w = if x < 0.6 { 0.0 } else { x };
        }
        whitening[link] = 1.0 / (0.2 + uniform(&mut state));
        values[link] = 6.0 * uniform(&mut state);
    }
    (solver, whitening, values)
}

#[test]
fn the_solution_satisfies_the_optimality_conditions() {
    for seed in 0..20 {
        let (mut solver, whitening, values) = problem(seed, 75, 20);
        let settings = Settings { max_iterations: 20_000, ..SETTINGS };
        solver.load(&whitening, &values, &settings);
        let solved = solver.solve(&settings);
        assert!(solved.converged, "seed {seed}: {solved:?}");
        // Everything from the raw rows, by sums of its own.
        let column =
            |v: usize| -> Vec<f64> { (0..20).map(|l| solver.raw[l * 75 + v] * whitening[l]).collect() };
        let mut residual: Vec<f64> = (0..20).map(|l| values[l] * whitening[l]).collect();
        for v in (0..75).filter(|&v| solver.norm[v] > 0.0) {
            let a = column(v);
            (0..20).for_each(|l| residual[l] -= a[l] * solver.u[v] / solver.norm[v]);
        }
        let mut active = 0;
        for v in (0..75).filter(|&v| solver.norm[v] > 0.0) {
            let pull: f64 = column(v).iter().zip(&residual).map(|(a, r)| a * r).sum::<f64>() / solver.norm[v];
            assert!(pull <= solved.lambda * 1.0002, "seed {seed}, voxel {v}: {pull} > {}", solved.lambda);
            if solver.u[v] > 0.0 {
                active += 1;
                assert!(pull >= solved.lambda * 0.9998, "seed {seed}, voxel {v}: {pull} < {}", solved.lambda);
            }
        }
        assert!(active > 0);
    }
}

#[test]
fn the_objective_never_rises() {
    for seed in 0..10 {
        let (mut solver, whitening, values) = problem(seed, 60, 15);
        let mut last = f64::MAX;
        for max_iterations in 1..=100 {
            let settings = Settings { max_iterations, tolerance: 1e-9, ..SETTINGS };
            solver.load(&whitening, &values, &settings);
            let solved = solver.solve(&settings);
            assert!(solved.objective <= last, "seed {seed}, iteration {max_iterations}");
            let direct =
                0.5 * dot(&solver.residual, &solver.residual) + solved.lambda * solver.u.iter().sum::<f64>();
            assert!((direct - solved.objective).abs() <= 1e-9 * direct);
            last = solved.objective;
        }
    }
}

#[test]
fn the_bound_holds_and_is_tight_even_when_links_share_no_voxel() {
    let mut solver = Solver::new(8);
    for link in 0..4 {
        solver.raw_row_mut(link, 1.0)[2 * link] = 1.0;
        solver.raw_row_mut(link, 1.0)[2 * link + 1] = 0.5;
    }
    // Two links more over the first block: its unit columns add up.
    for link in 4..6 {
        solver.raw_row_mut(link, 1.0)[0] = 1.0;
        solver.raw_row_mut(link, 1.0)[1] = 0.7;
    }
    let mut whitening = [0.0; MAX_LINKS];
    whitening[..6].fill(1.0);
    solver.load(&whitening, &[0.0; MAX_LINKS], &SETTINGS);
    // Each disjoint block of two parallel unit columns has the eigenvalue 2; the first a little less.
    assert!(solver.lipschitz >= 2.0 - 1e-12 && solver.lipschitz <= 2.02, "{}", solver.lipschitz);
}

#[test]
fn the_bound_exceeds_every_rayleigh_quotient() {
    let mut state = 99;
    for seed in 0..10 {
        let (mut solver, whitening, values) = problem(seed, 50, 18);
        solver.load(&whitening, &values, &SETTINGS);
        let mut x: Vec<f64> = (0..50).map(|_| uniform(&mut state)).collect();
        let mut quotient = 0.0;
        for _ in 0..300 {
            let bx: Vec<f64> = (0..18).map(|r| dot(&solver.b[r * 50..(r + 1) * 50], &x)).collect();
            quotient = dot(&bx, &bx) / dot(&x, &x);
            let mut next = vec![0.0; 50];
            correlate(&solver.b, &bx, &mut next);
            x = next.iter().map(|v| v / quotient).collect();
        }
        assert!(solver.lipschitz >= quotient * (1.0 - 1e-12));
        assert!(solver.lipschitz <= quotient * 1.02, "{} against {quotient}", solver.lipschitz);
    }
}

#[test]
fn a_cached_operator_is_the_fresh_one() {
    let (mut solver, whitening, values) = problem(5, 40, 12);
    let mut fewer = whitening;
    fewer[3] = 0.0;
    for w in [whitening, whitening, fewer, whitening] {
        solver.load(&w, &values, &SETTINGS);
        let cached = (solver.solve(&SETTINGS), solver.u.clone());
        let (mut fresh, _, _) = problem(5, 40, 12);
        fresh.load(&w, &values, &SETTINGS);
        assert_eq!(cached, (fresh.solve(&SETTINGS), fresh.u));
    }
}

#[test]
fn lanes_add_up_to_the_sum() {
    for n in [0, 1, 7, 8, 9, 31, 64] {
        let a: Vec<f64> = (0..n).map(f64::from).collect();
        let b = vec![2.0; a.len()];
        assert_eq!(dot(&a, &b), f64::from(n * (n - 1)));
    }
}

/// Arrays that lanes could treat differently: subnormals, signed zeros, huge ratios, all lanes alike, one lane odd.
fn adversarial(length: usize, kind: usize, state: &mut u64) -> Vec<f64> {
    let tiny = f64::from_bits(1);
    (0..length)
        .map(|k| {
            let x = uniform(state) - 0.5;
            match kind {
                0 => tiny * (1e6 * x).round(),
                1 => [0.0, -0.0][usize::from(x < 0.0)],
                2 => x * [1e-150, 1e150, 1.0, 1e-12, 1e15][k % 5],
                3 => 0.1,
                4 => [0.1, -1e16][usize::from(k % 8 == 5)],
                5 => [x, -0.0, tiny, 1e-160, f64::MIN_POSITIVE][k % 5],
                _ => x,
            }
        })
        .collect()
}

/// Every pair of kinds of input, with lengths around whole blocks.
fn each_adversarial_pair(mut check: impl FnMut(&[f64], &[f64])) {
    let mut state = 2;
    for (p, q) in (0..49).map(|k| (k / 7, k % 7)) {
        for length in [0, 1, 7, 8, 9, 15, 16, 17, 64, 75, 257] {
            check(&adversarial(length, p, &mut state), &adversarial(length, q, &mut state));
        }
    }
}

#[test]
fn the_lanes_of_dot_are_their_scalar_twin() {
    // The remainder first, then lane after lane, each on its own.
    let twin = |a: &[f64], b: &[f64]| {
        let whole = a.len() / 8 * 8;
        let mut total = 0.0;
        for k in whole..a.len() {
            total += a[k] * b[k];
        }
        for lane in 0..8 {
            let (mut sum, mut k) = (0.0, lane);
            while k < whole {
                sum += a[k] * b[k];
                k += 8;
            }
            total += sum;
        }
        total
    };
    let (mut other_order, mut count) = (0, 0);
    each_adversarial_pair(|a, b| {
        assert_eq!(dot(a, b).to_bits(), twin(a, b).to_bits(), "{a:?} {b:?}");
        let sequential = a.iter().zip(b).fold(0.0, |sum: f64, (x, y)| sum + x * y);
        other_order += usize::from(sequential.to_bits() != dot(a, b).to_bits());
        count += 1;
    });
    assert!(other_order > count / 10, "inputs on which the order matters: {other_order} of {count}");
}

#[test]
fn correlating_row_by_row_is_voxel_by_voxel() {
    each_adversarial_pair(|a, r| {
        let voxels = if a.len() >= 8 { 8 } else { 1 };
        let rows = a.len() / voxels;
        let mut out = vec![f64::NAN; voxels];
        correlate(&a[..rows * voxels], &r[..rows], &mut out);
        for v in 0..voxels {
            let mut total = 0.0;
            for row in 0..rows {
                total += a[row * voxels + v] * r[row];
            }
            assert_eq!(out[v].to_bits(), total.to_bits());
        }
    });
}

#[test]
fn the_operator_made_row_by_row_is_made_voxel_by_voxel() {
    let mut state = 3;
    for kind in 0..7 {
        let (voxels, links) = (37, 11);
        let mut solver = Solver::new(voxels);
        // Weights are not negative, and a link's greatest is 1; their squares may underflow.
        let raw: Vec<Vec<f64>> = (0..links)
            .map(|_| {
                adversarial(voxels, kind, &mut state).iter().map(|x| math::min_f64(1.0, x.abs())).collect()
            })
            .collect();
        let mut whitening = [0.0; MAX_LINKS];
        for link in 0..links {
            solver.raw_row_mut(link, 1.0).copy_from_slice(&raw[link]);
            whitening[link] = [1.0, 0.0, 1e-3, 20.0][link % 4];
        }
        solver.load(&whitening, &[0.0; MAX_LINKS], &SETTINGS);
        let norm = |v: usize| {
            let mut total = 0.0;
            for link in (0..links).filter(|l| whitening[*l] > 0.0) {
                let a = raw[link][v] * whitening[link];
                total += a * a;
            }
            math::sqrt(total)
        };
        let mut full = 0.0;
        for link in 0..links {
            full += whitening[link] * whitening[link];
        }
        let longest = (0..voxels).map(norm).fold(0.0, math::max_f64);
        let reach = longest >= MIN_COVERAGE * math::sqrt(full);
        for v in 0..voxels {
            let observed = reach && norm(v) >= MIN_COVERAGE * longest;
            let expected = if observed { norm(v) } else { 0.0 };
            assert_eq!(solver.norm[v].to_bits(), expected.to_bits(), "kind {kind}, voxel {v}");
            for (row, link) in (0..links).filter(|l| whitening[*l] > 0.0).enumerate() {
                let entry = if expected > 0.0 { raw[link][v] * whitening[link] / expected } else { 0.0 };
                assert_eq!(solver.entry(row, v).to_bits(), entry.to_bits());
            }
        }
    }
}
