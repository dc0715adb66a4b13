//! A log in memory, written as the shell writes one, and pseudo-random numbers.
#![allow(dead_code)]

use std::collections::BTreeMap;
use wavewitness_log::{Entry, EpochKey, Hash, RootKey, SignerKey, Storage, TilePath, Tree, VerifierKey};
use wavewitness_types::{Canonical, CycleIndex, Source, Timestamp};

pub const ORIGIN: &str = "example.com/hub";

/// Files by path.
#[derive(Clone, Default)]
pub struct Memory {
    pub files: BTreeMap<String, Vec<u8>>,
    pub reads: u64,
}

impl Memory {
    pub fn put(&mut self, path: TilePath, bytes: &[u8]) {
        self.files.insert(path.to_string(), bytes.to_vec());
    }

    pub fn flip(&mut self, path: &str, byte: usize) {
        self.files.get_mut(path).unwrap_or_else(|| panic!("no file {path}"))[byte] ^= 0x10;
    }

    pub fn remove(&mut self, path: &str) {
        self.files.remove(path).unwrap_or_else(|| panic!("no file {path}"));
    }
}

impl Storage for Memory {
    fn read(&mut self, path: TilePath, out: &mut Vec<u8>) -> bool {
        self.reads += 1;
        let found =
            (path.width..=256).find_map(|width| self.files.get(&TilePath { width, ..path }.to_string()));
        out.clear();
        found.inspect(|bytes| out.extend_from_slice(bytes)).is_some()
    }
}

pub struct SplitMix64(pub u64);

impl SplitMix64 {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

pub fn root_key() -> RootKey {
    RootKey::new(SignerKey::from_seed("example.com/hub/root", &[1; 32]).unwrap())
}

/// A log as the hub would write it.
#[derive(Default)]
pub struct Log {
    pub tree: Tree,
    pub store: Memory,
    pub epochs: Vec<EpochKey>,
    pub certificates: Vec<String>,
    pub checkpoints: Vec<Vec<u8>>,
    pub entries: Vec<Vec<u8>>,
    written: u64,
}

impl Log {
    pub fn append(&mut self, entry: &Entry) -> u64 {
        self.append_bytes(&entry.to_canonical_bytes())
    }

    pub fn append_bytes(&mut self, bytes: &[u8]) -> u64 {
        let store = &mut self.store;
        self.entries.push(bytes.to_vec());
        self.tree.append(bytes, |path, bytes| store.put(path, bytes)).unwrap().index
    }

    pub fn cycles(&mut self, n: u64) {
        for _ in 0..n {
            let cycle = self.tree.size();
            self.append(&cycle_entry(cycle));
        }
    }

    pub fn rotate(&mut self, until: u64) {
        let epoch = self.epochs.len() as u64;
        let key = EpochKey::from_seed(ORIGIN, &[10 + epoch as u8; 32]).unwrap();
        let head = (self.tree.size(), self.tree.root());
        let certificate = root_key().certify(&key, epoch, head, until, Timestamp(7)).unwrap();
        self.append(&Entry::Epoch { certificate: certificate.clone() });
        self.certificates.push(certificate);
        self.epochs.push(key);
    }

    /// Stores partial tiles, then the checkpoint.
    pub fn sign(&mut self) {
        self.store_partials();
        let key = self.epochs.last().unwrap();
        let note = key.checkpoint(self.tree.size(), self.tree.root()).unwrap();
        self.checkpoints.push(note.into_bytes());
    }

    pub fn store_partials(&mut self) {
        let store = &mut self.store;
        self.tree.partials(self.written, |path, bytes| store.put(path, bytes));
        self.written = self.tree.size();
    }
}

pub fn cycle_entry(cycle: u64) -> Entry {
    Entry::Cycle {
        cycle: CycleIndex(cycle),
        at: Timestamp(cycle * 50_000_000),
        source: Source::Simulated,
        chain: [cycle as u8; 32],
    }
}

pub fn root_verifier() -> VerifierKey {
    root_key().verifier().clone()
}

pub fn hex(hash: &Hash) -> String {
    format!("{hash:?}")
}
