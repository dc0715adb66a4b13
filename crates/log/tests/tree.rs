//! Guards the hashing of the tree, its proofs and its files: RFC 6962's published vectors, a naive tree written from the
//! RFC's recursive definitions, every proof mutated, and the cost of an append.

mod common;

use common::{Log, Memory, SplitMix64, cycle_entry, hex};
use wavewitness_log::{
    Frontier, Hash, HashReader, ProofFault, ResumeFault, Storage, StoredTiles, TileKind, TilePath, Tree,
    TreeFull, bundle_entries, consistency, inclusion, leaf_hash, node_hash, root, tile, verify_consistency,
    verify_inclusion,
};
use wavewitness_types::Canonical;

/// The leaves of the reference implementation of Certificate Transparency.
const LEAVES: [&[u8]; 8] = [
    b"",
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
];

/// Their published roots at sizes 1 to 8.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// The definitions of RFC 6962, section 2.1, as they are written there.
mod naive {
    use super::*;

    fn k(n: usize) -> usize {
        let mut k = 1;
        while k * 2 < n {
            k *= 2;
        }
        k
    }

    pub fn mth(d: &[Hash]) -> Hash {
        match d {
            [] => Hash::EMPTY_ROOT,
            [leaf] => *leaf,
            _ => node_hash(&mth(&d[..k(d.len())]), &mth(&d[k(d.len())..])),
        }
    }

    pub fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
        if d.len() == 1 {
            return Vec::new();
        }
        let (left, right) = d.split_at(k(d.len()));
        let (mut out, sibling) = if m < left.len() {
            (path(m, left), mth(right))
        } else {
            (path(m - left.len(), right), mth(left))
        };
        out.push(sibling);
        out
    }

    pub fn subproof(m: usize, d: &[Hash], b: bool) -> Vec<Hash> {
        if m == d.len() {
            return if b { Vec::new() } else { vec![mth(d)] };
        }
        let (left, right) = d.split_at(k(d.len()));
        let (mut out, sibling) = if m <= left.len() {
            (subproof(m, left, b), mth(right))
        } else {
            (subproof(m - left.len(), right, false), mth(left))
        };
        out.push(sibling);
        out
    }
}

/// Reads subtree hashes from all leaf hashes, and only of perfect subtrees.
struct Leaves<'a>(&'a [Hash]);

impl HashReader for Leaves<'_> {
    fn hash(&mut self, height: u32, index: u64) -> Option<Hash> {
        let from = (index << height) as usize;
        self.0.get(from..from + (1 << height)).map(naive::mth)
    }
}

fn strings(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(hex).collect()
}

fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|k| leaf_hash(&k.to_be_bytes())).collect()
}

#[test]
fn the_published_vectors_come_out() {
    assert_eq!(hex(&Hash::EMPTY_ROOT), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let mut tree = Tree::default();
    assert_eq!(tree.root(), Hash::EMPTY_ROOT);
    for (leaf, expected) in LEAVES.iter().zip(ROOTS) {
        tree.append(leaf, |_, _| ()).unwrap();
        assert_eq!(hex(&tree.root()), expected);
    }
    let hashes = LEAVES.map(leaf_hash);
    let of = |m, n| strings(&inclusion(&mut Leaves(&hashes), m, n).unwrap());
    let leaf_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    let leaves_23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    let leaves_47 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    let leaf_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    let leaves_67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    let leaves_45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    assert_eq!(of(0, 8), [leaf_1, leaves_23, leaves_47]);
    assert_eq!(of(5, 8), [leaf_4, leaves_67, ROOTS[3]]);
    assert_eq!(of(2, 3), [ROOTS[1]]);
    assert_eq!(of(1, 5), [ROOTS[0], leaves_23, leaf_4]);
    let between = |m, n| strings(&consistency(&mut Leaves(&hashes), m, n).unwrap());
    assert_eq!(between(1, 8), [leaf_1, leaves_23, leaves_47]);
    assert_eq!(between(6, 8), [leaves_45, leaves_67, ROOTS[3]]);
    assert_eq!(between(2, 5), [leaves_23, leaf_4]);
}

#[test]
fn every_proof_up_to_two_hundred_entries_is_the_naive_one_and_verifies() {
    let all = leaves(200);
    let roots: Vec<Hash> = (0..=200).map(|n| naive::mth(&all[..n])).collect();
    let mut frontier = Frontier::default();
    for n in 1..=200usize {
        frontier.push(0, all[n - 1], |_, _| ()).unwrap();
        assert_eq!(frontier.root(), roots[n], "size {n}");
        let mut reader = Leaves(&all[..n]);
        assert_eq!(root(&mut reader, n as u64).unwrap(), roots[n]);
        for m in 0..n {
            let path = inclusion(&mut reader, m as u64, n as u64).unwrap();
            assert_eq!(path, naive::path(m, &all[..n]), "inclusion of {m} in {n}");
            verify_inclusion(all[m], m as u64, n as u64, &path, roots[n]).unwrap();
        }
        for m in 0..=n {
            let path = consistency(&mut reader, m as u64, n as u64).unwrap();
            if m > 0 {
                assert_eq!(path, naive::subproof(m, &all[..n], true), "consistency of {m} with {n}");
            }
            verify_consistency(m as u64, roots[m], n as u64, roots[n], &path).unwrap();
        }
    }
}

fn mutations(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut out = Vec::new();
    for k in 0..path.len() {
        let mut flipped = path.to_vec();
        flipped[k].0[k % 32] ^= 1;
        let mut removed = path.to_vec();
        removed.remove(k);
        let mut doubled = path.to_vec();
        doubled.insert(k, path[k]);
        out.extend([flipped, removed, doubled]);
        if k > 0 {
            let mut swapped = path.to_vec();
            swapped.swap(k - 1, k);
            out.push(swapped);
        }
    }
    out.push([path, &[Hash::EMPTY_ROOT]].concat());
    out
}

#[test]
fn every_mutated_proof_is_refused() {
    let all = leaves(70);
    for n in 1..=70usize {
        let (size, full) = (n as u64, naive::mth(&all[..n]));
        let mut reader = Leaves(&all[..n]);
        for m in 0..n {
            let path = inclusion(&mut reader, m as u64, size).unwrap();
            for changed in mutations(&path) {
                assert!(verify_inclusion(all[m], m as u64, size, &changed, full).is_err(), "{m} in {n}");
            }
            assert!(verify_inclusion(all[(m + 1) % 70], m as u64, size, &path, full).is_err());
            assert!(verify_inclusion(all[m], m as u64, size, &path, Hash::EMPTY_ROOT).is_err());
            let others = (0..=size).filter(|&i| i != m as u64);
            others
                .for_each(|i| assert!(verify_inclusion(all[m], i, size, &path, full).is_err(), "{m} as {i}"));
        }
        for m in 1..=n {
            let (first, prefix) = (m as u64, naive::mth(&all[..m]));
            let path = consistency(&mut reader, first, size).unwrap();
            for changed in mutations(&path) {
                assert!(verify_consistency(first, prefix, size, full, &changed).is_err(), "{m} with {n}");
            }
            let wrong = leaf_hash(b"other");
            assert!(verify_consistency(first, wrong, size, full, &path).is_err());
            assert!(verify_consistency(first, prefix, size, wrong, &path).is_err());
            assert_eq!(verify_consistency(size + 1, prefix, size, full, &path), Err(ProofFault::OutOfRange));
        }
    }
    assert!(
        verify_consistency(0, leaf_hash(b""), 5, leaf_hash(b"x"), &[]).is_err(),
        "only one tree is empty"
    );
}

#[test]
fn the_specification_s_tree_of_seventy_thousand_has_its_tiles() {
    let mut log = Log::default();
    let mut sizes = SplitMix64(3);
    let mut roots = Vec::new();
    for n in 0..70_000u64 {
        log.append(&cycle_entry(n));
        if sizes.below(10_000) == 0 {
            roots.push((log.tree.size(), log.tree.root()));
        }
    }
    log.store_partials();
    let full = |level: u8| {
        let prefix = format!("tile/{level}/");
        log.store.files.keys().filter(|k| k.starts_with(&prefix) && !k.contains(".p/")).count()
    };
    assert_eq!((full(0), full(1), full(2)), (273, 1, 0));
    let partial: Vec<_> = log.store.files.keys().filter(|k| k.contains(".p/")).cloned().collect();
    let expected = ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"];
    assert_eq!(partial, expected);
    assert_eq!(log.store.files["tile/0/273.p/112"].len(), 112 * 32);

    let hashes: Vec<Hash> = log.entries.iter().map(|e| leaf_hash(e)).collect();
    assert_eq!(naive::mth(&hashes), log.tree.root());
    let size = log.tree.size();
    let whole = log.tree.root();
    let mut random = SplitMix64(4);
    let mut tiles = StoredTiles::new(&mut log.store, size);
    for _ in 0..50 {
        let m = random.below(size);
        let path = inclusion(&mut tiles, m, size).unwrap();
        verify_inclusion(hashes[m as usize], m, size, &path, whole).unwrap();
    }
    for (n, then) in roots {
        assert_eq!(root(&mut tiles, n).unwrap(), then, "the root of a past size from the present tiles");
        let path = consistency(&mut tiles, n, size).unwrap();
        verify_consistency(n, then, size, whole, &path).unwrap();
    }
}

#[test]
fn a_tree_resumed_from_its_files_goes_on_as_if_never_stopped() {
    let mut random = SplitMix64(5);
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537 + random.below(9000)] {
        let mut log = Log::default();
        log.cycles(size);
        log.store_partials();
        let mut resumed = Tree::resume(&mut log.store.clone(), size).unwrap();
        assert_eq!((resumed.size(), resumed.root()), (size, log.tree.root()));
        let mut again = log.store.clone();
        for k in 0..300 {
            resumed.append(&cycle_entry(size + k).to_canonical_bytes(), |p, b| again.put(p, b)).unwrap();
            log.append(&cycle_entry(size + k));
        }
        assert_eq!(resumed.root(), log.tree.root());
        assert_eq!(again.files, log.store.files, "size {size}");
    }
}

#[test]
fn a_damaged_right_edge_is_not_resumed_from() {
    let mut log = Log::default();
    log.cycles(300);
    log.store_partials();
    let resume = |edit: &dyn Fn(&mut Memory)| {
        let mut store = log.store.clone();
        edit(&mut store);
        Tree::resume(&mut store, 300).map(|t| t.root())
    };
    assert_eq!(resume(&|_| ()), Ok(log.tree.root()));
    assert_eq!(resume(&|s| s.flip("tile/entries/001.p/44", 100)), Err(ResumeFault::Leaf { index: 257 }));
    assert_eq!(resume(&|s| s.flip("tile/0/001.p/44", 32)), Err(ResumeFault::Leaf { index: 257 }));
    let missing = ResumeFault::Missing(TilePath::hashes(0, 1, 44));
    assert_eq!(resume(&|s| s.remove("tile/0/001.p/44")), Err(missing));
    assert!(matches!(resume(&|s| s.flip("tile/entries/001.p/44", 0)), Err(ResumeFault::Bundle(_))));
    // A changed upper tile resumes, and gives another root than the checkpoint says.
    assert_ne!(resume(&|s| s.flip("tile/1/000.p/1", 0)).unwrap(), log.tree.root());
}

/// A storage of any size whose upper hashes are arbitrary and whose last bundle is right.
struct Arbitrary {
    reads: u64,
}

impl Storage for Arbitrary {
    fn read(&mut self, path: TilePath, out: &mut Vec<u8>) -> bool {
        self.reads += 1;
        out.clear();
        for k in 0..path.width {
            let entry = [path.index.to_be_bytes().as_slice(), &k.to_be_bytes()].concat();
            match path.kind {
                TileKind::Entries => assert!(tile::push_entry(out, &entry)),
                TileKind::Hashes(0) => out.extend_from_slice(&leaf_hash(&entry).0),
                TileKind::Hashes(l) => out.extend_from_slice(&leaf_hash(&[&[l], &entry[..]].concat()).0),
            }
        }
        true
    }
}

#[test]
fn an_append_costs_the_same_at_ten_and_at_a_hundred_million_and_more() {
    let rounds = 4096u32;
    for size in [10, 100_000_000, 100_000_077, 1_000_000_000_000, (1 << 62) - 100] {
        let mut storage = Arbitrary { reads: 0 };
        let mut tree = Tree::resume(&mut storage, size).unwrap();
        assert!(storage.reads <= 9, "resuming read {} files", storage.reads);
        let (mut hashes, mut most) = (0, 0);
        for k in 0..rounds {
            let done = tree.append(&k.to_be_bytes(), |_, _| ()).unwrap();
            assert_eq!(done.index, size + u64::from(k));
            hashes += done.hashes;
            most = if done.hashes > most { done.hashes } else { most };
        }
        // One leaf, and on average less than one node, but for the carries that the start's own digits bring.
        assert!(hashes <= 2 * rounds + 64, "{hashes} hashes for {rounds} appends at {size}");
        assert!(most <= 64);
        // A proof reads at most two tiles a level.
        let mut counted = Arbitrary { reads: 0 };
        inclusion(&mut StoredTiles::new(&mut counted, size), size / 3, size).unwrap();
        let levels = u64::from(size.ilog2() / 8 + 1);
        assert!(counted.reads <= 2 * levels, "{} reads at {size}", counted.reads);
    }
}

#[test]
fn limits_refuse_and_change_nothing() {
    let mut tree = Tree::default();
    tree.append(b"a", |_, _| ()).unwrap();
    let before = tree.root();
    assert_eq!(tree.append(&vec![0; 65_536], |_, _| ()), Err(TreeFull::EntryTooLong));
    assert_eq!((tree.size(), tree.root()), (1, before));
    assert!(tree.append(&vec![0; 65_535], |_, _| ()).is_ok());
    let last = wavewitness_log::MAX_SIZE;
    assert!(matches!(Tree::resume(&mut Arbitrary { reads: 0 }, last + 1), Err(ResumeFault::Size)));
    let mut full = Tree::resume(&mut Arbitrary { reads: 0 }, last).unwrap();
    assert_eq!(full.append(b"a", |_, _| ()), Err(TreeFull::Size));
    let mut frontier = Frontier::default();
    frontier.push(0, before, |_, _| ()).unwrap();
    assert_eq!(frontier.push(1, before, |_, _| ()), None, "a pair can't stand at an odd index");
}

#[test]
fn paths_are_those_of_the_specification() {
    let cases = [
        (TilePath::hashes(0, 0, 256), "tile/0/000"),
        (TilePath::hashes(2, 1_234_067, 256), "tile/2/x001/x234/067"),
        (TilePath::hashes(1, 1, 17), "tile/1/001.p/17"),
        (TilePath::entries(1000, 1), "tile/entries/x001/000.p/1"),
        (TilePath::hashes(63, u64::MAX, 256), "tile/63/x018/x446/x744/x073/x709/x551/615"),
    ];
    for (path, text) in cases {
        assert_eq!(path.to_string(), text);
        assert_eq!(TilePath::parse(text), Some(path));
    }
    let hostile = [
        "tile/0/../000",
        "tile/0/x000/001",
        "tile/00/000",
        "tile/64/000",
        "tile/0/0000",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/-1/000",
        "tile/0/+01",
        "tile/entries/",
        "",
    ];
    for text in hostile {
        assert_eq!(TilePath::parse(text), None, "{text}");
    }
}

#[test]
fn bundles_are_big_endian_lengths_and_entries() {
    let mut bundle = Vec::new();
    assert!(tile::push_entry(&mut bundle, b"hello") && tile::push_entry(&mut bundle, b""));
    assert_eq!(bundle, b"\x00\x05hello\x00\x00");
    assert_eq!(bundle_entries(&bundle), Ok(vec![&b"hello"[..], b""]));
    assert!(bundle_entries(&bundle[..8]).is_err());
    assert!(bundle_entries(&vec![0; 514]).is_err(), "257 empty entries");
}
