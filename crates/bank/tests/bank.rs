//! Guards: the approximate search finds what the exact one finds, the same patterns give the same answers, what was
//! removed is gone, and a damaged file is refused before the library reads it.

use std::fs;
use wavewitness_bank::{DIM, Found, LoadError, PatternBank, Refused, SCANNED, Settings};
use wavewitness_fixtures::rng::Rng;
use wavewitness_identity::{Embedding, Rotation, SketchBank};

/// A unit vector about another: `noise` in each dimension.
fn about(rng: &mut Rng, centre: &[f32; DIM], noise: f32) -> [f32; DIM] {
    let mut v: [f32; DIM] = std::array::from_fn(|k| centre[k] + noise * rng.gauss() as f32);
    let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
    v.iter_mut().for_each(|x| *x /= length);
    v
}

/// Ten sessions of each of `n / 10` people: cosine 0.55 between two of one person, 0 ± 0.09 between people.
fn patterns(n: usize, rng: &mut Rng) -> Vec<[f32; DIM]> {
    let centres: Vec<[f32; DIM]> = (0..n / 10).map(|_| about(rng, &[0.0; DIM], 1.0)).collect();
    (0..n).map(|k| about(rng, &centres[k % centres.len()], 0.08)).collect()
}

fn bank_of(patterns: &[[f32; DIM]]) -> PatternBank {
    let mut bank =
        PatternBank::new(Settings { expected: patterns.len() as u32, ..Settings::default() }).unwrap();
    for (k, p) in patterns.iter().enumerate() {
        assert_eq!(bank.insert(p), Ok(k as u32));
    }
    bank
}

/// Share of the exact ten nearest that are found.
fn recall(bank: &PatternBank, patterns: &[[f32; DIM]], queries: &[[f32; DIM]], breadth: u32) -> f64 {
    let mut hits = 0;
    let mut out = Vec::new();
    for q in queries {
        bank.nearest(q, 10, breadth, &mut out).unwrap();
        hits += exact(patterns, q).iter().filter(|&id| out.iter().any(|f| f.id == *id)).count();
    }
    hits as f64 / (10 * queries.len()) as f64
}

/// The same of the exact search over sketches that keeps `k` candidates.
fn sketch_recall(patterns: &[[f32; DIM]], queries: &[[f32; DIM]], k: u32) -> f64 {
    let rotation = Rotation::new();
    let sketch = |p: &[f32; DIM]| rotation.sketch(&Embedding::new(p, [1; 8]).unwrap());
    let mut bank = SketchBank::new(patterns.len() as u32);
    patterns.iter().zip(0..).for_each(|(p, id)| assert!(bank.put(id, &sketch(p))));
    let (mut hits, mut out) = (0, Vec::new());
    for q in queries {
        bank.top_k(&sketch(q), k, &mut out);
        hits += exact(patterns, q).iter().filter(|&id| out.iter().any(|c| c.index == *id)).count();
    }
    hits as f64 / (10 * queries.len()) as f64
}

/// The ten nearest.
fn exact(patterns: &[[f32; DIM]], q: &[f32; DIM]) -> Vec<u32> {
    let dot = |p: &[f32; DIM]| p.iter().zip(q).map(|(a, b)| a * b).sum::<f32>();
    let mut all: Vec<(f32, u32)> = patterns.iter().zip(0..).map(|(p, id)| (-dot(p), id)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all[..10].iter().map(|x| x.1).collect()
}

#[test]
fn nearly_all_of_the_nearest_are_found() {
    let mut rng = Rng::new(1);
    let all = patterns(2000, &mut rng);
    let bank = bank_of(&all);
    let queries: Vec<[f32; DIM]> = (0..40).map(|k| about(&mut rng, &all[37 * k], 0.05)).collect();
    let found = recall(&bank, &all, &queries, 64);
    assert!(found >= 0.98, "recall at 10: {found}");
    // With a narrow search less is found: else the figure above would mean nothing.
    assert!(recall(&bank, &all, &queries, 10) <= found);
}

/// The figures of docs/algorithms/identity.md: `cargo test -p wavewitness-bank --release -- --ignored --nocapture`.
#[test]
#[ignore = "builds a graph of 100,000 patterns: minutes"]
fn recall_and_memory_at_a_hundred_thousand() {
    let resident = || {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:").map(str::to_owned));
        line.unwrap_or_default().trim().to_owned()
    };
    for n in [1000, 10_000, 100_000] {
        let mut rng = Rng::new(2);
        let all = patterns(n, &mut rng);
        let before = resident();
        let bank = bank_of(&all);
        eprintln!("{n} patterns: resident {before} before, {} after", resident());
        let queries: Vec<[f32; DIM]> = (0..200).map(|k| about(&mut rng, &all[37 * k % n], 0.05)).collect();
        for breadth in [10, 32, 64, 128, 256] {
            eprintln!("  breadth {breadth}: recall at 10 {:.4}", recall(&bank, &all, &queries, breadth));
        }
        assert!(recall(&bank, &all, &queries, 256) >= 0.95);
        for k in [16, 64, 256, 1024] {
            eprintln!("  {k} nearest sketches: recall at 10 {:.4}", sketch_recall(&all, &queries, k));
        }
    }
}

#[test]
fn few_patterns_are_scanned_and_many_are_walked_to() {
    let mut rng = Rng::new(7);
    let few = patterns(1000, &mut rng);
    let many = patterns(SCANNED as usize + 10 - few.len(), &mut rng);
    let mut bank = bank_of(&few);
    let queries: Vec<[f32; DIM]> = (0..500).map(|k| about(&mut rng, &few[37 * k % 1000], 0.05)).collect();
    for breadth in [16, 32] {
        eprintln!("1,000, breadth {breadth}: recall at 10 {:.4}", recall(&bank, &few, &queries, breadth));
    }
    let narrow = recall(&bank, &few, &queries, 10);
    eprintln!("1,000, breadth 10: recall at 10 {narrow:.4}");
    assert!(narrow >= 0.95, "recall at 10 among 1,000, breadth 10: {narrow}");
    // Past the border answers go on to be right.
    let mut out = Vec::new();
    for (k, p) in (1000..).zip(&many) {
        assert_eq!(bank.insert(p), Ok(k));
        bank.nearest(p, 1, 64, &mut out).unwrap();
        assert_eq!(out[0].id, k);
    }
}

#[test]
fn the_same_patterns_give_the_same_answers() {
    let all = patterns(500, &mut Rng::new(3));
    let (a, b) = (bank_of(&all), bank_of(&all));
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for q in &all {
        a.nearest(q, 10, 10, &mut x).unwrap();
        b.nearest(q, 10, 10, &mut y).unwrap();
        assert_eq!(x, y);
    }
}

#[test]
fn what_was_removed_is_not_found() {
    let all = patterns(300, &mut Rng::new(4));
    let mut bank = bank_of(&all);
    let mut out = Vec::new();
    for id in 0..300 {
        bank.nearest(&all[id as usize], 1, 32, &mut out).unwrap();
        assert_eq!(out[0].id, id);
        assert!(bank.remove(id) && !bank.remove(id));
        bank.nearest(&all[id as usize], 10, 32, &mut out).unwrap();
        assert!(out.iter().all(|f| f.id > id), "{id} {out:?}");
    }
    assert!(bank.is_empty() && out.is_empty() && !bank.remove(300));
}

#[test]
fn hostile_patterns_and_settings_are_refused() {
    let mut bank = PatternBank::new(Settings::default()).unwrap();
    let mut out = vec![Found { id: 7, similarity: 1.0 }];
    for (value, why) in
        [(f32::NAN, Refused::NotFinite), (f32::INFINITY, Refused::NotFinite), (0.0, Refused::NotUnit)]
    {
        assert_eq!(bank.insert(&[value; DIM]), Err(why));
        assert_eq!(bank.nearest(&[value; DIM], 1, 1, &mut out), Err(why));
        assert!(out.is_empty());
    }
    for (neighbours, build_breadth) in [(3, 64), (65, 500), (16, 32), (16, 2001)] {
        let settings = Settings { neighbours, build_breadth, ..Settings::default() };
        assert!(matches!(PatternBank::new(settings), Err(Refused::Settings)));
    }
}

#[test]
fn a_bank_is_loaded_as_it_was_saved_or_not_at_all() {
    let all = patterns(200, &mut Rng::new(5));
    let mut bank = bank_of(&all);
    bank.remove(17);
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("bank");
    bank.save(&place).unwrap();
    assert!(bank.save(&place).is_err(), "what is there must not be overwritten");
    let loaded = PatternBank::load(&place).unwrap();
    assert_eq!(loaded.len(), 199);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for q in &all {
        bank.nearest(q, 10, 64, &mut x).unwrap();
        loaded.nearest(q, 10, 64, &mut y).unwrap();
        assert_eq!(x, y);
    }
    // One bit anywhere, or a missing end.
    for name in ["bank.seal", "bank.hnsw.graph", "bank.hnsw.data"] {
        let path = place.join(name);
        let bytes = fs::read(&path).unwrap();
        let mut rng = Rng::new(6);
        for round in 0..20 {
            let mut bad = bytes.clone();
            match round {
                0 => bad.truncate(bytes.len() - 1),
                1 => bad.clear(),
                _ => bad[(rng.next_u64() % bytes.len() as u64) as usize] ^= 1 << (rng.next_u64() % 8),
            }
            fs::write(&path, &bad).unwrap();
            assert!(matches!(PatternBank::load(&place), Err(LoadError::Damaged(_))), "{name} {round}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(PatternBank::load(&place), Err(LoadError::Read(..))));
        fs::write(&path, &bytes).unwrap();
    }
    assert!(PatternBank::load(&place).is_ok());
}
