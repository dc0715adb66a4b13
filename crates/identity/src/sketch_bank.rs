//! Sketches by index, and the nearest K of them: ascending in Hamming distance, ties in index order.

use crate::ones::{BYTES, CARRY_SAVE, ones_of_16, ones_of_each};
use crate::sketch::Sketch;

/// Neighbours in index whose least distance is looked at before their own.
const GROUP: usize = 8;
/// Groups side by side in a block.
const LANES: usize = 16;
/// Sketches of a block.
const BLOCK: usize = GROUP * LANES;
/// Blocks that are searched at once: their distances fill a kilobyte on the stack.
const CHUNK_BLOCKS: usize = 8;
/// Sketches that are searched at once.
const CHUNK: usize = CHUNK_BLOCKS * BLOCK;
/// Groups of a chunk: few enough for a byte to count them.
const GROUPS: usize = CHUNK / GROUP;
/// Farther than any sketch (128).
const NOWHERE: u8 = 129;
/// 128 sketches, byte by byte: byte k of all of them stands together. Index i of a block is at place 16 (i mod 8) + i / 8,
/// so that the members of a group lie in one lane.
#[derive(Clone, Debug)]
struct Block {
    bytes: [[u8; BLOCK]; BYTES],
    /// 255 where there is no sketch, else 0.
    absent: [u8; BLOCK],
}

/// What a search works on, a chunk at a time.
struct Chunk {
    /// By block and place.
    distances: [[u8; BLOCK]; CHUNK_BLOCKS],
    /// The least of each group.
    least: [u8; GROUPS],
    /// Groups that can hold one of the nearest.
    groups: [u8; GROUPS],
    /// Sketches that can be among the nearest, ascending: index in the chunk × 256 + distance.
    hits: [u32; CHUNK],
}

/// A sketch that a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Bits that differ, 0..=128.
    pub distance: u8,
    /// Where it stands.
    pub index: u32,
}

/// Sketches by index. Memory is taken when it is made: 17 bytes a place.
#[derive(Clone, Debug)]
pub struct SketchBank {
    blocks: Vec<Block>,
    /// Blocks up to the last that ever held a sketch: no search looks beyond.
    used: usize,
    capacity: u32,
    len: u32,
}

impl SketchBank {
    /// Room for `capacity` sketches.
    pub fn new(capacity: u32) -> SketchBank {
        let empty = Block { bytes: [[0; BLOCK]; BYTES], absent: [255; BLOCK] };
        SketchBank { blocks: vec![empty; (capacity as usize).div_ceil(BLOCK)], used: 0, capacity, len: 0 }
    }

    /// Places that there are.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Sketches that there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// True without any sketch.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn holds(&self, index: u32) -> bool {
        let (block, place) = place_of(index);
        index < self.capacity && self.blocks[block].absent[place] == 0
    }

    /// The sketch at an index.
    pub fn get(&self, index: u32) -> Option<Sketch> {
        if !self.holds(index) {
            return None;
        }
        let (block, place) = place_of(index);
        let mut words = [0u64; 2];
        for (k, bytes) in self.blocks[block].bytes.iter().enumerate() {
            words[k / 8] |= u64::from(bytes[place]) << (8 * (k % 8));
        }
        Some(Sketch(words))
    }

    /// Puts a sketch at an index, in place of one that is there. False if there is no such place.
    pub fn put(&mut self, index: u32, sketch: &Sketch) -> bool {
        if index >= self.capacity {
            return false;
        }
        self.len += u32::from(!self.holds(index));
        let (block, place) = place_of(index);
        self.used = core::cmp::max(self.used, block + 1);
        let block = &mut self.blocks[block];
        for (bytes, byte) in block.bytes.iter_mut().zip(bytes_of(sketch)) {
            bytes[place] = byte;
        }
        block.absent[place] = 0;
        true
    }

    /// Takes the sketch at an index out. False if there is none.
    pub fn remove(&mut self, index: u32) -> bool {
        if !self.holds(index) {
            return false;
        }
        let (block, place) = place_of(index);
        self.blocks[block].absent[place] = 255;
        self.len -= 1;
        true
    }

    /// The `k` nearest, ascending by distance and then by index. Clears `out` first; no memory is taken if `out` has room
    /// for `k`.
    pub fn top_k(&self, sketch: &Sketch, k: u32, out: &mut Vec<Candidate>) {
        out.clear();
        let k = k as usize;
        if k == 0 {
            return;
        }
        let query = bytes_of(sketch);
        let mut chunk = Chunk::new();
        for (c, blocks) in self.blocks[..self.used].chunks(CHUNK_BLOCKS).enumerate() {
            chunk.measure::<CARRY_SAVE>(blocks, &query);
            // What is as far as the last of K is later in index, and so not nearer.
            let limit = if out.len() == k { out[k - 1].distance } else { NOWHERE };
            let (hits, _) = chunk.below(blocks.len(), k, limit);
            let from = (c * CHUNK) as u32;
            if out.is_empty() {
                place(out, k, from, hits);
            } else {
                hits.iter().for_each(|&hit| keep(out, k, candidate(from, hit)));
            }
        }
    }

    /// Calls `found` with the index and distance of the `k` nearest, and of some more that are about as near: for a caller
    /// that ranks them by something else. It becomes part of the caller, who may compile their functions for wider vectors
    /// than the target promises; the answer is the same.
    #[inline(always)]
    pub fn about_k(&self, sketch: &Sketch, k: u32, mut found: impl FnMut(Candidate)) {
        if k == 0 {
            return;
        }
        let query = bytes_of(sketch);
        let mut chunk = Chunk::new();
        let mut limit = NOWHERE;
        for (c, blocks) in self.blocks[..self.used].chunks(CHUNK_BLOCKS).enumerate() {
            chunk.measure::<false>(blocks, &query);
            let hits;
            (hits, limit) = chunk.below(blocks.len(), k as usize, limit);
            hits.iter().for_each(|&hit| found(candidate((c * CHUNK) as u32, hit)));
        }
    }
}

fn candidate(from: u32, hit: u32) -> Candidate {
    Candidate { distance: hit as u8, index: from + (hit >> 8) }
}

/// Block and place in it of an index.
fn place_of(index: u32) -> (usize, usize) {
    let index = index as usize;
    (index / BLOCK, LANES * (index % GROUP) + index % BLOCK / GROUP)
}

#[inline(always)]
fn bytes_of(sketch: &Sketch) -> [u8; BYTES] {
    let mut out = [0; BYTES];
    out[..8].copy_from_slice(&sketch.0[0].to_le_bytes());
    out[8..].copy_from_slice(&sketch.0[1].to_le_bytes());
    out
}

/// Puts the `k` nearest of these into `out`, which is empty: by counting how many are at each distance.
fn place(out: &mut Vec<Candidate>, k: usize, from: u32, hits: &[u32]) {
    let mut at = [0u16; NOWHERE as usize];
    for &hit in hits {
        at[usize::from(hit as u8)] += 1;
    }
    let mut nearer = 0;
    for at in &mut at {
        (nearer, *at) = (nearer + *at, nearer);
    }
    let found = if hits.len() < k { hits.len() } else { k };
    out.resize(found, Candidate { distance: 0, index: 0 });
    for &hit in hits {
        let at = &mut at[usize::from(hit as u8)];
        if let Some(place) = out.get_mut(usize::from(*at)) {
            *place = candidate(from, hit);
        }
        *at += 1;
    }
}

/// Adds a candidate that is later in index than all before it.
fn keep(out: &mut Vec<Candidate>, k: usize, new: Candidate) {
    if out.len() == k {
        if new.distance >= out[k - 1].distance {
            return;
        }
        out.pop();
    }
    let mut at = out.len();
    while at > 0 && out[at - 1].distance > new.distance {
        at -= 1;
    }
    out.insert(at, new);
}

/// The least distance t ≤ `limit` below which at least `k` of these distances lie, else `limit`: nothing that is t or
/// farther can be among the nearest `k`. By bisection.
#[inline(always)]
fn threshold(least: &[u8], k: usize, limit: u8) -> u8 {
    if count_below(least, limit) < k {
        return limit;
    }
    let (mut low, mut high) = (0, limit);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if count_below(least, middle) >= k { high = middle } else { low = middle }
    }
    high
}

/// How many are less than `limit`: in a byte, since there are at most [`GROUPS`].
#[inline(always)]
fn count_below(least: &[u8], limit: u8) -> usize {
    usize::from(least.iter().fold(0u8, |n, &distance| n.wrapping_add(u8::from(distance < limit))))
}

impl Chunk {
    #[inline(always)]
    fn new() -> Chunk {
        Chunk {
            distances: [[0; BLOCK]; CHUNK_BLOCKS],
            least: [0; GROUPS],
            groups: [0; GROUPS],
            hits: [0; CHUNK],
        }
    }

    /// Distances of up to eight blocks, and the least of each group.
    #[inline(always)]
    fn measure<const CARRY_SAVE: bool>(&mut self, blocks: &[Block], query: &[u8; BYTES]) {
        let least = self.least.as_chunks_mut::<LANES>().0;
        for ((block, out), least) in blocks.iter().zip(&mut self.distances).zip(least) {
            for p in 0..BLOCK {
                let w = core::array::from_fn(|k| block.bytes[k][p] ^ query[k]);
                let ones = if CARRY_SAVE { ones_of_16(w) } else { ones_of_each(w) };
                out[p] = ones | block.absent[p];
            }
            let mut of_groups = [u8::MAX; LANES];
            for row in out.as_chunks::<LANES>().0 {
                for l in 0..LANES {
                    of_groups[l] = if row[l] < of_groups[l] { row[l] } else { of_groups[l] };
                }
            }
            *least = of_groups;
        }
    }

    /// All of the first `blocks` that can be among the `k` nearest and are nearer than `limit`, and some more: those below a
    /// limit, at most the given one, which is the other value.
    ///
    /// K groups whose least distance is below t hold K sketches below t, at least. So the K-th least of the groups' is a
    /// limit for the sketches', found among an eighth as many; and as the nearest seldom share a group, it is a close one.
    #[inline(always)]
    fn below(&mut self, blocks: usize, k: usize, limit: u8) -> (&[u32], u8) {
        let least = &self.least[..blocks * LANES];
        if count_below(least, limit) == 0 {
            return (&[], limit);
        }
        let limit = threshold(least, k, limit);
        // What may not be wanted is written, too, and overwritten: no branch depends on distances. (Neither remainder
        // changes an index; they spare a check.)
        let mut n = 0usize;
        for (group, &distance) in least.iter().enumerate() {
            self.groups[n % GROUPS] = group as u8;
            n = n.wrapping_add(usize::from(distance < limit));
        }
        let mut found = 0usize;
        for &group in &self.groups[..n] {
            let (block, lane) = (usize::from(group) / LANES % CHUNK_BLOCKS, usize::from(group) % LANES);
            let distances = &self.distances[block];
            let index = u32::from(group).wrapping_mul(GROUP as u32);
            for row in 0..GROUP {
                let distance = distances[row * LANES + lane];
                self.hits[found % CHUNK] = (index | row as u32) << 8 | u32::from(distance);
                found = found.wrapping_add(usize::from(distance < limit));
            }
        }
        (&self.hits[..found], limit)
    }
}

#[cfg(test)]
mod tests {
    //! Guards: the fast search is the slow one, whatever the bank holds and wherever ties are.
    use super::*;
    use crate::testing::Rng;

    fn brute_force(bank: &SketchBank, sketch: &Sketch, k: u32) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = (0..bank.capacity())
            .filter_map(|index| {
                bank.get(index).map(|s| Candidate { distance: s.distance(sketch) as u8, index })
            })
            .collect();
        all.sort();
        all.truncate(k as usize);
        all
    }

    fn draw(rng: &mut Rng) -> Sketch {
        Sketch([rng.next(), rng.next()])
    }

    #[test]
    fn the_nearest_are_those_of_brute_force() {
        let mut rng = Rng(1);
        let mut out = Vec::new();
        for capacity in [1, 127, 128, 129, 1000, 1024, 1025, 5000] {
            let mut bank = SketchBank::new(capacity);
            for fill in [1, 3, 1] {
                for index in 0..capacity {
                    if rng.next() % 4 < fill {
                        assert!(bank.put(index, &draw(&mut rng)));
                    } else {
                        bank.remove(index);
                    }
                }
                for k in [0, 1, 2, 16, 127, 128, 129, 6000] {
                    let mut query = draw(&mut rng);
                    bank.top_k(&query, k, &mut out);
                    let nearest = brute_force(&bank, &query, k);
                    assert_eq!(out, nearest, "{capacity} {k}");
                    assert!(nearest.iter().all(|c| about(&bank, &query, k).contains(c)), "{capacity} {k}");
                    if let Some(stored) = bank.get(rng.next() as u32 % capacity) {
                        query = stored;
                        bank.top_k(&query, k, &mut out);
                        assert_eq!(out, brute_force(&bank, &query, k), "{capacity} {k}");
                    }
                }
            }
        }
    }

    fn about(bank: &SketchBank, sketch: &Sketch, k: u32) -> Vec<Candidate> {
        let mut out = Vec::new();
        bank.about_k(sketch, k, |c| out.push(c));
        out
    }

    #[test]
    fn about_k_are_hardly_more_and_each_once() {
        let mut rng = Rng(5);
        let mut bank = SketchBank::new(3000);
        (0..3000).for_each(|index| assert!(bank.put(index, &draw(&mut rng))));
        let mut more = 0;
        for _ in 0..100 {
            let query = draw(&mut rng);
            let found = about(&bank, &query, 16);
            assert!(found.windows(2).all(|w| w[0].index < w[1].index));
            let true_distance = |c: &Candidate| bank.get(c.index).map(|s| s.distance(&query) as u8);
            assert!(found.iter().all(|c| true_distance(c) == Some(c.distance)));
            more += found.len() - 16;
        }
        // Three chunks, each no farther than the nearest sixteen groups of those before: 16 more each time, and ties.
        assert!(more < 100 * 64, "{more}");
    }

    #[test]
    fn ties_come_in_index_order() {
        let mut bank = SketchBank::new(4000);
        let mut rng = Rng(2);
        let few: Vec<Sketch> = (0..3).map(|_| draw(&mut rng)).collect();
        for index in 0..4000 {
            bank.put(index, &few[(rng.next() % 3) as usize]);
        }
        let mut out = Vec::new();
        for k in [1, 7, 1500, 4000] {
            bank.top_k(&few[1], k, &mut out);
            assert_eq!(out, brute_force(&bank, &few[1], k));
            assert!(out.windows(2).all(|w| w[0] < w[1]));
        }
        // All alike: the first K indices.
        (0..4000).for_each(|index| assert!(bank.put(index, &few[0])));
        bank.top_k(&few[2], 5, &mut out);
        assert_eq!(out.iter().map(|c| c.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn order_of_insertion_does_not_matter() {
        let (mut up, mut down) = (SketchBank::new(300), SketchBank::new(300));
        let sketches: Vec<Sketch> = (0..300).map(|k| draw(&mut Rng(k / 2))).collect();
        (0..300).for_each(|k| assert!(up.put(k, &sketches[k as usize])));
        (0..300).rev().for_each(|k| assert!(down.put(k, &sketches[k as usize])));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        up.top_k(&sketches[17], 40, &mut a);
        down.top_k(&sketches[17], 40, &mut b);
        assert_eq!(a, b);
    }

    #[test]
    fn places_are_taken_replaced_and_given_back() {
        let mut bank = SketchBank::new(33);
        let (a, b) = (Sketch([1, 2]), Sketch([u64::MAX, 7]));
        assert!(bank.put(32, &a) && !bank.put(33, &a) && !bank.put(u32::MAX, &a));
        assert!(bank.put(32, &b));
        assert_eq!((bank.len(), bank.get(32), bank.get(33), bank.get(0)), (1, Some(b), None, None));
        assert!(bank.remove(32) && !bank.remove(32) && !bank.remove(33));
        assert!(bank.is_empty());
        let mut out = vec![Candidate { distance: 0, index: 0 }];
        bank.top_k(&a, 4, &mut out);
        assert_eq!(out, []);
    }
}
