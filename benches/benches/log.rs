//! The transparency log: an append at ten and at a hundred million entries, a cycle's witness and its append together, a
//! checkpoint, inclusion proofs, and how fast a chain is verified.
//!
//! Trees of a hundred million entries are not grown here: a tree resumes from its right edge, and a proof reads two tiles
//! a level, so their bytes are made up on the fly. What is timed is the same; nothing is read from a disk.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use wavewitness_benches::recording::{self, Cycle, Recording};
use wavewitness_benches::rolling::Rolling;
use wavewitness_benches::trace::{Trace, Traced};
use wavewitness_benches::witnessing::Notary;
use wavewitness_log::{
    Entry, EpochKey, Storage, StoredTiles, TileKind, TilePath, Tree, inclusion, leaf_hash, verify_inclusion,
};
use wavewitness_types::{Canonical, Source};
use wavewitness_witness::{Chain, Witness};

/// A storage of any size: hashes that belong to nothing, entries that have the right length.
struct Endless;

impl Storage for Endless {
    fn read(&mut self, path: TilePath, out: &mut Vec<u8>) -> bool {
        out.clear();
        for k in 0..path.width {
            match path.kind {
                TileKind::Entries => {
                    out.extend_from_slice(&50u16.to_be_bytes());
                    out.extend_from_slice(&[k as u8; 50]);
                }
                TileKind::Hashes(0) => out.extend_from_slice(&leaf_hash(&[k as u8; 50]).0),
                TileKind::Hashes(level) => out.extend_from_slice(&[k as u8 ^ level; 32]),
            }
        }
        true
    }
}

fn entry(witness: &Witness) -> Entry {
    let Witness { cycle, at, chain, .. } = *witness;
    Entry::Cycle { cycle, at, source: Source::Simulated, chain: chain.0 }
}

fn bench(c: &mut Criterion) {
    let recording = Recording::of_scene(&recording::room(), 1);
    let window = recording::WALKER_FROM..recording::WALKER_FROM + 40;
    let traced = Traced::record(&recording, window.clone());
    let cycles: Vec<(&Cycle, &Trace)> = recording.cycles[window].iter().zip(&traced.cycles).collect();
    let mut notary = Notary::new(Chain::new(&recording.genesis()));
    let witness = notary.witness(cycles[0].0, cycles[0].1);
    let bytes = entry(&witness).to_canonical_bytes();
    let mut group = common::group(c, "log");
    for (name, size) in [("append_at_10", 10), ("append_at_100_million", 100_000_000)] {
        let tree = Tree::resume(&mut Endless, size).unwrap();
        let mut rolling = Rolling::new(&tree, &[(); 1024]);
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                rolling.time(n, |tree, ()| tree.append(&bytes, |_, tile| _ = black_box(tile.len())))
            });
        });
    }
    let both = (notary, Tree::resume(&mut Endless, 1_000_003).unwrap());
    let mut rolling = Rolling::new(&both, &cycles);
    group.bench_function("witness_and_append", |b| {
        b.iter_custom(|n| {
            rolling.time(n, |(notary, tree), (cycle, trace)| {
                let bytes = entry(&notary.witness(cycle, trace)).to_canonical_bytes();
                tree.append(&bytes, |_, tile| _ = black_box(tile.len()))
            })
        });
    });
    let mut rolling = Rolling::new(&both, &cycles);
    group.bench_function("chain_step_and_append", |b| {
        b.iter_custom(|n| {
            rolling.time(n, |(notary, tree), (_, trace)| {
                let witness = notary.extend(trace, witness.inputs, witness.stages);
                tree.append(&entry(&witness).to_canonical_bytes(), |_, tile| _ = black_box(tile.len()))
            })
        });
    });
    let key = EpochKey::from_seed("example.org/hub", &[7; 32]).unwrap();
    group.bench_function("checkpoint", |b| {
        b.iter(|| key.checkpoint(black_box(both.1.size()), both.1.root()).unwrap());
    });
    for (name, size) in
        [("inclusion_proof_1_million", 1_000_000), ("inclusion_proof_100_million", 100_000_000)]
    {
        group.bench_function(name, |b| {
            b.iter(|| {
                inclusion(&mut StoredTiles::new(&mut Endless, size), black_box(size / 3), size).unwrap()
            });
        });
        let proof = inclusion(&mut StoredTiles::new(&mut Endless, size), size / 3, size).unwrap();
        let (leaf, root) = (leaf_hash(&bytes), both.1.root());
        // The hashes belong to no tree, so the answer is no: after the same work as for a yes.
        group.bench_function(name.replace("proof", "check"), |b| {
            b.iter(|| verify_inclusion(black_box(leaf), size / 3, size, &proof, root).is_err());
        });
    }
    let chain = Chain::new(&recording.genesis());
    let mut links = chain.clone();
    let records: Vec<Witness> =
        std::iter::once(Witness { kind: wavewitness_witness::EntryKind::Boot, ..witness })
            .chain(std::iter::repeat_n(witness, 999))
            .zip(witness.cycle.0..)
            .map(|(w, cycle)| links.extend(Witness { cycle: wavewitness_types::CycleIndex(cycle), ..w }))
            .collect();
    group.bench_function("verify_chain_of_1000", |b| {
        b.iter(|| {
            let mut chain = chain.clone();
            records.iter().filter(|w| chain.verify(black_box(w)).is_ok()).count()
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
