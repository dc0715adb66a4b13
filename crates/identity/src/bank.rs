//! Embeddings by index: a Hamming prefilter, then exact similarity of what it leaves.

use crate::embedding::{Embedding, similarity};
use crate::sketch::{Rotation, Sketch};
use crate::sketch_bank::{Candidate, SketchBank};

/// An entry that a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Where it stands.
    pub index: u32,
    /// Cosine over common parts.
    pub similarity: f32,
}

/// Embeddings by index, with their sketches. Memory is taken when it is made (about 650 bytes a place); searches and
/// replacements take none.
#[derive(Clone, Debug)]
pub struct Bank {
    rotation: Rotation,
    sketches: SketchBank,
    entries: Vec<Option<Embedding>>,
    candidates: Vec<Candidate>,
}

impl Bank {
    /// Room for `capacity` embeddings.
    pub fn new(capacity: u32) -> Bank {
        Bank {
            rotation: Rotation::new(),
            sketches: SketchBank::new(capacity),
            entries: vec![None; capacity as usize],
            candidates: Vec::with_capacity(capacity as usize),
        }
    }

    /// Entries that there are.
    pub fn len(&self) -> u32 {
        self.sketches.len()
    }

    /// True without any entry.
    pub fn is_empty(&self) -> bool {
        self.sketches.is_empty()
    }

    /// Places that there are.
    pub fn capacity(&self) -> u32 {
        self.sketches.capacity()
    }

    /// The entry at an index.
    pub fn get(&self, index: u32) -> Option<&Embedding> {
        self.entries.get(index as usize)?.as_ref()
    }

    /// Takes a free place. False if there is no such place, or it is taken.
    pub fn insert(&mut self, index: u32, embedding: &Embedding) -> bool {
        self.get(index).is_none() && self.put(index, embedding)
    }

    /// Replaces what is at an index. False if nothing is.
    pub fn replace(&mut self, index: u32, embedding: &Embedding) -> bool {
        self.get(index).is_some() && self.put(index, embedding)
    }

    fn put(&mut self, index: u32, embedding: &Embedding) -> bool {
        let room = self.sketches.put(index, &self.rotation.sketch(embedding));
        if room {
            self.entries[index as usize] = Some(*embedding);
        }
        room
    }

    /// Gives a place back. False if nothing is there.
    pub fn remove(&mut self, index: u32) -> bool {
        let was = self.sketches.remove(index);
        if was {
            self.entries[index as usize] = None;
        }
        was
    }

    /// The sketch of an embedding, as this bank makes them.
    pub fn sketch(&self, embedding: &Embedding) -> Sketch {
        self.rotation.sketch(embedding)
    }

    /// The `k` nearest by Hamming distance, ties in index order: see [`SketchBank::top_k`].
    pub fn top_k(&self, sketch: &Sketch, k: u32, out: &mut Vec<Candidate>) {
        self.sketches.top_k(sketch, k, out);
    }

    /// The prefilter's `k` candidates by exact similarity, greatest first, ties in index order. Clears `out` first.
    ///
    /// A sketch is of the whole vector, so a part that only one of the two has turns them apart: the prefilter favours
    /// entries that were measured in the same parts, and `k` must leave room for that.
    pub fn search(&mut self, embedding: &Embedding, k: u32, out: &mut Vec<Match>) {
        out.clear();
        let sketch = self.rotation.sketch(embedding);
        let k = if k < self.len() { k } else { self.len() };
        self.sketches.top_k(&sketch, k, &mut self.candidates);
        for candidate in &self.candidates {
            if let Some(entry) = &self.entries[candidate.index as usize] {
                out.push(Match { index: candidate.index, similarity: similarity(embedding, entry) });
            }
        }
        out.sort_unstable_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.index.cmp(&b.index)));
    }
}

#[cfg(test)]
mod tests {
    //! Guards: a search finds what is there, ranks it exactly, and its answer does not depend on history.
    use super::*;
    use crate::testing::Rng;
    use crate::{DIM, PARTS};

    fn near(rng: &mut Rng, e: &Embedding, noise: f32) -> Embedding {
        let values: [f32; DIM] = core::array::from_fn(|k| e.values()[k] + noise * rng.gauss() as f32);
        Embedding::new(&values, [20; PARTS]).unwrap()
    }

    #[test]
    fn everybody_is_found_again_among_a_thousand() {
        let mut rng = Rng(1);
        let people: Vec<Embedding> = (0..1000).map(|_| rng.embedding()).collect();
        let mut bank = Bank::new(1024);
        people.iter().enumerate().for_each(|(k, e)| assert!(bank.insert(k as u32, e)));
        let mut out = Vec::new();
        for (k, e) in people.iter().enumerate() {
            // Noise of 0.06 in each of 128 dimensions: a cosine of about 0.83.
            let seen = near(&mut rng, e, 0.06);
            bank.search(&seen, 16, &mut out);
            assert_eq!(out[0].index, k as u32);
            assert_eq!(out[0].similarity, similarity(&seen, e));
            assert!(out.windows(2).all(|w| w[0].similarity >= w[1].similarity));
        }
    }

    #[test]
    fn equal_entries_come_in_index_order_whatever_was_there_before() {
        let mut rng = Rng(2);
        let (a, b) = (rng.embedding(), rng.embedding());
        let mut bank = Bank::new(8);
        for index in [5, 1, 7, 3] {
            assert!(bank.insert(index, &b));
            assert!(bank.replace(index, &a));
        }
        assert!(bank.insert(0, &a) && bank.remove(0) && !bank.remove(0) && bank.get(0).is_none());
        assert!(!bank.insert(5, &b) && !bank.replace(0, &b) && !bank.insert(8, &b) && !bank.replace(8, &b));
        let mut out = Vec::new();
        bank.search(&a, 8, &mut out);
        assert_eq!(out.iter().map(|m| m.index).collect::<Vec<_>>(), [1, 3, 5, 7]);
        assert_eq!(bank.len(), 4);
    }
}
