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
