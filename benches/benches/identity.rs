//! Identity: sketches, search, exact similarity; and the approximate bank outside the witness.
//!
//! The bank of 100,000 patterns is built once a run, which takes a minute or more.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use wavewitness_bank::{PatternBank, Settings};
use wavewitness_fixtures::rng::Rng;
use wavewitness_identity::{Bank, DIM, Embedding, PARTS, Rotation, Sketch, SketchBank, similarity};

/// Values about a centre, ten of each: what a bank of several visits of everybody holds.
fn about(centre: &[f32; DIM], noise: f64, rng: &mut Rng) -> Embedding {
    let values: [f32; DIM] = std::array::from_fn(|k| centre[k] + (noise * rng.gauss()) as f32);
    Embedding::new(&values, [20; PARTS]).expect("normal numbers are an embedding")
}

fn embeddings(n: usize, rng: &mut Rng) -> Vec<Embedding> {
    let centres: Vec<Embedding> = (0..n.div_ceil(10)).map(|_| about(&[0.0; DIM], 1.0, rng)).collect();
    (0..n).map(|k| about(centres[k % centres.len()].values(), 0.08, rng)).collect()
}

fn sketches(c: &mut Criterion) {
    let mut group = common::group(c, "identity");
    let mut rng = Rng::new(1);
    let some = embeddings(1024, &mut rng);
    let rotation = Rotation::new();
    let mut at = 0;
    let mut next = move || {
        at = (at + 389) % 1024;
        at
    };
    group.bench_function("sketch", |b| b.iter(|| rotation.sketch(black_box(&some[next()]))));
    group.bench_function("similarity", |b| {
        b.iter(|| similarity(black_box(&some[next()]), black_box(&some[3])))
    });
    for (name, n) in [("top_16_of_1024", 1024u32), ("top_16_of_1000000", 1_000_000)] {
        let mut bank = SketchBank::new(n);
        (0..n).for_each(|k| _ = bank.put(k, &Sketch([rng.next_u64(), rng.next_u64()])));
        let queries: Vec<Sketch> = some.iter().map(|e| rotation.sketch(e)).collect();
        let mut out = Vec::with_capacity(16);
        group.bench_function(name, |b| {
            b.iter(|| {
                bank.top_k(black_box(&queries[next()]), 16, &mut out);
                out[0]
            })
        });
    }
    let mut bank = Bank::new(1000);
    some[..1000].iter().zip(0..).for_each(|(e, k)| assert!(bank.insert(k, e)));
    let mut out = Vec::with_capacity(16);
    group.bench_function("search_of_1000", |b| {
        b.iter(|| {
            bank.search(black_box(&some[next()]), 16, &mut out);
            out[0]
        })
    });
    group.finish();
}

fn patterns(c: &mut Criterion) {
    let mut group = common::group(c, "bank");
    for n in [1000, 100_000] {
        let mut rng = Rng::new(2);
        let all = embeddings(n, &mut rng);
        let settings = Settings { expected: n as u32, ..Settings::default() };
        let mut bank = PatternBank::new(settings).expect("the defaults are allowed");
        all.iter().for_each(|e| _ = bank.insert(e.values()).expect("embeddings are unit vectors"));
        let queries: Vec<Embedding> =
            (0..1000).map(|k| about(all[37 * k % n].values(), 0.05, &mut rng)).collect();
        let (mut at, mut out) = (0, Vec::with_capacity(64));
        for breadth in [10, 64] {
            group.bench_function(format!("nearest_10_of_{n}_breadth_{breadth}"), |b| {
                b.iter(|| {
                    at = (at + 389) % 1000;
                    let asked = black_box(queries[at].values());
                    bank.nearest(asked, 10, breadth, &mut out).expect("a unit vector");
                    out[0]
                })
            });
        }
    }
    group.finish();
}

criterion_group!(benches, sketches, patterns);
criterion_main!(benches);
