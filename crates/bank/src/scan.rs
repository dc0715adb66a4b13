//! The nearest of few patterns: all sketches by Hamming distance, then exact similarity of the nearest of those.

use crate::{Cosine, DIM, Found, SCANNED, rank};
use hnsw_rs::prelude::Distance;
use wavewitness_identity::{Rotation, SketchBank};

/// Sketches that are looked at exactly: so many for each candidate that is asked for, and so many at least.
const PER_CANDIDATE: u32 = 4;
const LEAST: u32 = 64;

/// The first patterns of a bank with their sketches.
pub(crate) struct Scan {
    rotation: Rotation,
    sketches: SketchBank,
    /// By number.
    patterns: Vec<[f32; DIM]>,
}

impl Scan {
    pub fn new() -> Scan {
        Scan { rotation: Rotation::new(), sketches: SketchBank::new(SCANNED), patterns: Vec::new() }
    }

    /// Takes the pattern of the next number; those beyond [`SCANNED`] are passed over.
    pub fn put(&mut self, id: u32, pattern: &[f32; DIM]) {
        if self.sketches.put(id, &self.rotation.sketch_of(pattern)) {
            self.patterns.push(*pattern);
        }
    }

    pub fn remove(&mut self, id: u32) {
        self.sketches.remove(id);
    }

    /// About the `k` nearest of a unit vector, in order, into `out`, which is empty.
    pub fn nearest(&self, pattern: &[f32; DIM], k: u32, breadth: u32, out: &mut Vec<Found>) {
        let wanted = breadth.saturating_mul(PER_CANDIDATE).max(LEAST).min(self.sketches.len());
        let mut candidates = Vec::with_capacity(wanted as usize);
        self.sketches.top_k(&self.rotation.sketch_of(pattern), wanted, &mut candidates);
        out.extend(candidates.iter().map(|c| {
            let distance = Cosine.eval(pattern, &self.patterns[c.index as usize]);
            Found { id: c.index, similarity: 1.0 - distance }
        }));
        rank(out, k);
    }
}
