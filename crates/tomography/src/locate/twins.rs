//! Guards the fast kernels: each lane is bit for bit what it would be alone, and the tables of a lone body are what the whole
//! quadratic form gives; and that a filter that is called often gives what one that is called rarely gives.

use super::errors::{Errors, LANES};
use super::model::Path;
use super::*;

/// SplitMix64 (Steele, Lea and Flood 2014), as uniform numbers in 0..1.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// All paths between so many places.
fn mesh(places: usize) -> Vec<Path> {
    let path = |a, b| Path { places: [a, b], is_set: true, ..Path::NONE };
    (0..places).flat_map(|a| (a + 1..places).map(move |b| path(a, b))).collect()
}

#[test]
fn a_lane_is_its_scalar_twin() {
    let tiny = f64::from_bits(1);
    for (places, tau) in [(4, 0.2), (7, 0.2), (5, 0.0)] {
        let paths = mesh(places);
        let config = Config { place_sigma: tau, ..Config::default() };
        let mut errors = Errors::new(places, paths.len());
        assert!(errors.load(&config, places, paths.iter().copied()));
        assert!(!errors.load(&config, places, paths.iter().copied()));
        // Lanes of their own kind: ordinary, subnormal, signed zeros, huge ratios, all alike.
        let mut seed = 3;
        let random: Vec<f64> = (0..LANES * paths.len()).map(|_| 4.0 * uniform(&mut seed) - 2.0).collect();
        let value = |k: usize, lane: usize| match lane % 5 {
            0 => random[k * LANES + lane],
            1 => tiny * (k + lane) as f64,
            2 => [-0.0, 0.0][k % 2],
            3 => [1e-200, 1e150, -1.0][k % 3],
            _ => 0.7,
        };
        let (squares, slopes) = errors.forms(|k| core::array::from_fn(|lane| value(k, lane)));
        for lane in 0..LANES {
            let (square, slope) = errors.forms(|k| [value(k, lane); LANES]);
            assert_eq!(squares[lane].to_bits(), square[0].to_bits(), "{places} places, lane {lane}");
            assert_eq!(slopes[lane].to_bits(), slope[0].to_bits(), "{places} places, lane {lane}");
        }
    }
}

#[test]
fn whitened_evidence_gives_the_whole_form() {
    let paths = mesh(6);
    let mut errors = Errors::new(6, paths.len());
    errors.load(&Config::default(), 6, paths.iter().copied());
    let mut seed = 9;
    let mut draw = || -> Vec<f64> { (0..paths.len()).map(|_| 5.0 * uniform(&mut seed)).collect() };
    let (y, mu) = (draw(), draw());
    let (direct, slope) = errors.forms(|k| [y[k] - mu[k]; LANES]);
    let (own, own_slope) = errors.forms(|k| [mu[k]; LANES]);
    let mut whitened = vec![0.0; paths.len()];
    let (square, all) = errors.whiten(&y, &mut whitened);
    let product: f64 = whitened.iter().zip(&mu).map(|(a, b)| a * b).sum();
    assert!((square - 2.0 * product + own[0] - direct[0]).abs() < 1e-9 * square);
    assert!((all - own_slope[0] - slope[0]).abs() < 1e-9 * square);
    // Against a covariance that is inverted by hand in no way: Σ (Σ⁻¹y) = y.
    let sigmas = Config::default();
    for (k, path) in paths.iter().enumerate() {
        let mut back = sigmas.model_sigma * sigmas.model_sigma * whitened[k];
        for (other, &a) in paths.iter().zip(&whitened) {
            let ends = path.places.iter().filter(|p| other.places.contains(p)).count() as f64;
            back += sigmas.place_sigma * sigmas.place_sigma * ends * a;
        }
        assert!((back - y[k]).abs() < 1e-9, "path {k}: {back} instead of {}", y[k]);
    }
}

/// A room with nodes in a ring, and evidence of somebody at (2, 4) m by the crate's own law.
fn watched() -> (Plan, State, Vec<PathEvidence>) {
    let room = Room { min_m: [0.0; 3], max_m: [6.0, 6.0, 2.6] };
    let plan = Plan::new(&Config::default(), room).unwrap();
    let nodes = [[0.0, 0.0], [6.0, 0.0], [6.0, 6.0], [0.0, 6.0], [3.0, 0.0], [3.0, 6.0]];
    let mut state = State::new(&plan, 15);
    let mut evidence = Vec::new();
    for (path, ends) in (0..).zip(mesh(6)) {
        let [a, b] = ends.places.map(|k| [nodes[k][0], nodes[k][1], 1.0]);
        assert!(plan.add_path(path, a, b, &mut state));
        let effect = Path { a_m: a, b_m: b, ..ends }.effect([2.0, 4.0], 0.0);
        let deviation = model::expected(0, (effect.scatter, effect.shadow[0]));
        evidence.push(PathEvidence { path, deviation });
    }
    (plan, state, evidence)
}

#[test]
fn how_often_it_is_called_does_not_matter() {
    let mut ends = Vec::new();
    for (cycle_s, cycles) in [(0.05, 240), (0.2, 60), (0.6, 20)] {
        let (plan, mut state, evidence) = watched();
        let (mut detections, mut summary) = (Vec::new(), Summary::default());
        let mut steps = 0;
        for cycle in 0..cycles {
            // New evidence each 0.6 s, as in a scan, however often the filter is called.
            let is_new = cycle % (0.6 / cycle_s + 0.5) as usize == 0;
            summary = plan.run(cycle_s, is_new, &evidence, &mut state, &mut detections);
            steps += usize::from(summary.is_step);
        }
        assert!(steps == if cycle_s < 0.6 { 60 } else { 20 }, "{steps} steps of {cycle_s} s");
        assert_eq!(detections.len(), 1, "{cycle_s} s: {summary:?}");
        ends.push((summary.presence, detections[0]));
    }
    for (presence, d) in &ends {
        assert!((presence - ends[0].0).abs() < 0.02, "{ends:?}");
        for axis in 0..2 {
            assert!((d.position_m[axis] - ends[0].1.position_m[axis]).abs() < 0.1, "{ends:?}");
            assert!((d.position_m[axis] - [2.0, 4.0][axis]).abs() < 0.4, "{ends:?}");
        }
    }
    // Hub and quarter-rate caller see the very same steps but for the sum of four cycles' time.
    assert!((ends[0].0 - ends[1].0).abs() < 0.01);
}

#[test]
fn between_steps_the_last_one_is_held() {
    let (plan, mut state, evidence) = watched();
    let mut detections = Vec::new();
    for _ in 0..40 {
        plan.run(0.05, true, &evidence, &mut state, &mut detections);
    }
    let before = detections.clone();
    let held = plan.run(0.05, true, &evidence, &mut state, &mut detections);
    assert!(!held.is_step && detections == before && detections.len() == 1);
    let work = state.people[0].density.clone();
    plan.run(0.05, true, &[], &mut state, &mut detections);
    assert_eq!(state.people[0].density, work);
}
