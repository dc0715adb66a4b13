//! Sketches by index, and the nearest K of them: ascending in Hamming distance, ties in index order.

use crate::sketch::Sketch;

/// Bytes of a sketch.
const BYTES: usize = 16;
/// Sketches side by side in a block.
const LANES: usize = 32;
/// Blocks that are searched at once: their distances fill a kilobyte on the stack.
const CHUNK_BLOCKS: usize = 32;
/// Sketches that are searched at once.
const CHUNK: usize = CHUNK_BLOCKS * LANES;
/// Farther than any sketch (128).
const NOWHERE: u8 = 129;

/// 32 sketches, byte by byte: byte k of all of them stands together.
#[derive(Clone, Debug)]
struct Block {
    bytes: [[u8; LANES]; BYTES],
    /// 255 where there is no sketch, else 0.
    absent: [u8; LANES],
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
    capacity: u32,
    len: u32,
}

impl SketchBank {
    /// Room for `capacity` sketches.
    pub fn new(capacity: u32) -> SketchBank {
        let empty = Block { bytes: [[0; LANES]; BYTES], absent: [255; LANES] };
        SketchBank { blocks: vec![empty; (capacity as usize).div_ceil(LANES)], capacity, len: 0 }
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
        index < self.capacity && self.blocks[index as usize / LANES].absent[index as usize % LANES] == 0
    }

    /// The sketch at an index.
    pub fn get(&self, index: u32) -> Option<Sketch> {
        if !self.holds(index) {
            return None;
        }
        let block = &self.blocks[index as usize / LANES];
        let mut words = [0u64; 2];
        for (k, bytes) in block.bytes.iter().enumerate() {
            words[k / 8] |= u64::from(bytes[index as usize % LANES]) << (8 * (k % 8));
        }
        Some(Sketch(words))
    }

    /// Puts a sketch at an index, in place of one that is there. False if there is no such place.
    pub fn put(&mut self, index: u32, sketch: &Sketch) -> bool {
        if index >= self.capacity {
            return false;
        }
        self.len += u32::from(!self.holds(index));
        let (block, lane) = (&mut self.blocks[index as usize / LANES], index as usize % LANES);
        for (bytes, byte) in block.bytes.iter_mut().zip(bytes_of(sketch)) {
            bytes[lane] = byte;
        }
        block.absent[lane] = 0;
        true
    }

    /// Takes the sketch at an index out. False if there is none.
    pub fn remove(&mut self, index: u32) -> bool {
        if !self.holds(index) {
            return false;
        }
        self.blocks[index as usize / LANES].absent[index as usize % LANES] = 255;
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
        let mut distances = [[u8::MAX; LANES]; CHUNK_BLOCKS];
        let mut words = [u64::MAX; CHUNK / 8];
        for (c, blocks) in self.blocks.chunks(CHUNK_BLOCKS).enumerate() {
            for (row, block) in distances.iter_mut().zip(blocks) {
                block.distances(&query, row);
            }
            let words = &mut words[..blocks.len() * LANES / 8];
            for (word, eight) in words.iter_mut().zip(distances.as_flattened().chunks_exact(8)) {
                *word = u64::from_le_bytes(eight.try_into().unwrap_or([u8::MAX; 8]));
            }
            // What is as far as the last of K is later in index, and so not nearer.
            let full = out.len() == k;
            let limit = if full { out[k - 1].distance } else { NOWHERE };
            let limit = threshold(words, k, limit);
            for (w, &word) in words.iter().enumerate() {
                let mut found = below(word, limit);
                while found != 0 {
                    let lane = found.trailing_zeros() / 8;
                    found &= found - 1;
                    let distance = (word >> (8 * lane)) as u8;
                    keep(out, k, Candidate { distance, index: (c * CHUNK + 8 * w) as u32 + lane });
                }
            }
        }
    }
}

fn bytes_of(sketch: &Sketch) -> [u8; BYTES] {
    let mut out = [0; BYTES];
    out[..8].copy_from_slice(&sketch.0[0].to_le_bytes());
    out[8..].copy_from_slice(&sketch.0[1].to_le_bytes());
    out
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

/// The least distance t ≤ `limit` below which at least `k` of these sketches lie, else `limit`: nothing that is t or
/// farther can be among the nearest `k`. By bisection: counting is a fraction of the cost of inserting what falls out
/// again.
fn threshold(words: &[u64], k: usize, limit: u8) -> u8 {
    if count_below(words, limit) <= k {
        return limit;
    }
    let (mut low, mut high) = (0, limit);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if count_below(words, middle) >= k { high = middle } else { low = middle }
    }
    high
}

const EACH: u64 = 0x0101_0101_0101_0101;
const TOP: u64 = 0x80 * EACH;

/// The top bit of each byte of `word` that is less than `limit`, which is at most [`NOWHERE`]. Bytes are 0..=128, or 255 for
/// no sketch (Warren, *Hacker's Delight*, 2-18: no byte borrows from its neighbour).
#[inline(always)]
fn below(word: u64, limit: u8) -> u64 {
    if limit == NOWHERE {
        // Everything but 255.
        return !(word & (word & !TOP).wrapping_add(EACH)) & TOP;
    }
    !(word | (word | TOP).wrapping_sub(EACH.wrapping_mul(u64::from(limit)))) & TOP
}

/// How many are less than `limit`. There are at most 128 words, so that a byte can count.
fn count_below(words: &[u64], limit: u8) -> usize {
    let mut counts = 0u64;
    for &word in words {
        counts = counts.wrapping_add(below(word, limit) >> 7);
    }
    counts.to_le_bytes().iter().map(|&n| usize::from(n)).sum()
}

/// Sum and carry of three bits, in each bit of a byte.
#[inline(always)]
fn add3(a: u8, b: u8, c: u8) -> (u8, u8) {
    let half = a ^ b;
    (half ^ c, (a & b) | (half & c))
}

/// Sum and carry of two bits, in each bit of a byte.
#[inline(always)]
fn add2(a: u8, b: u8) -> (u8, u8) {
    (a ^ b, a & b)
}

/// Bits that are set. (Nothing here can overflow; the wrapping forms spare a check in each lane, which would keep the
/// lanes from being computed side by side.)
#[inline(always)]
fn ones(x: u8) -> u8 {
    let x = x.wrapping_sub((x >> 1) & 0x55);
    let x = (x & 0x33).wrapping_add((x >> 2) & 0x33);
    x.wrapping_add(x >> 4) & 0x0f
}

/// Bits that are set in sixteen bytes, by carry-save adders (Muła, Kurz and Lemire 2018, Comput. J. 61(1); Warren,
/// *Hacker's Delight*, 5-1): the same instructions in each lane, and no instruction that a processor may lack.
#[inline(always)]
fn ones_of_16(w: [u8; BYTES]) -> u8 {
    let (s0, c0) = add3(w[0], w[1], w[2]);
    let (s1, c1) = add3(w[3], w[4], w[5]);
    let (s2, c2) = add3(w[6], w[7], w[8]);
    let (s3, c3) = add3(w[9], w[10], w[11]);
    let (s4, c4) = add3(w[12], w[13], w[14]);
    let (s5, c5) = add3(s0, s1, s2);
    let (s6, c6) = add3(s3, s4, w[15]);
    let (one, c7) = add2(s5, s6);
    let (t0, d0) = add3(c0, c1, c2);
    let (t1, d1) = add3(c3, c4, c5);
    let (t2, d2) = add3(c6, c7, t0);
    let (two, d3) = add2(t1, t2);
    let (f0, e0) = add3(d0, d1, d2);
    let (four, e1) = add2(f0, d3);
    let (eight, sixteen) = add2(e0, e1);
    // Horner: 16 n₁₆ + 8 n₈ + 4 n₄ + 2 n₂ + n₁, at most 128.
    let mut total = ones(sixteen);
    for plane in [eight, four, two, one] {
        total = total.wrapping_shl(1).wrapping_add(ones(plane));
    }
    total
}

impl Block {
    fn distances(&self, query: &[u8; BYTES], out: &mut [u8; LANES]) {
        let b = &self.bytes;
        for l in 0..LANES {
            let w = core::array::from_fn(|k| b[k][l] ^ query[k]);
            out[l] = ones_of_16(w) | self.absent[l];
        }
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
        for capacity in [1, 31, 32, 33, 1000, 1024, 1025, 5000] {
            let mut bank = SketchBank::new(capacity);
            for fill in [1, 3, 1] {
                for index in 0..capacity {
                    if rng.next() % 4 < fill {
                        assert!(bank.put(index, &draw(&mut rng)));
                    } else {
                        bank.remove(index);
                    }
                }
                for k in [0, 1, 2, 16, 100, 6000] {
                    let mut query = draw(&mut rng);
                    bank.top_k(&query, k, &mut out);
                    assert_eq!(out, brute_force(&bank, &query, k), "{capacity} {k}");
                    if let Some(stored) = bank.get(rng.next() as u32 % capacity) {
                        query = stored;
                        bank.top_k(&query, k, &mut out);
                        assert_eq!(out, brute_force(&bank, &query, k), "{capacity} {k}");
                    }
                }
            }
        }
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

    #[test]
    fn bytes_below_a_limit_are_found_in_words() {
        let mut rng = Rng(4);
        for limit in 0..=NOWHERE {
            for _ in 0..200 {
                let near = |r: u64| (u64::from(limit) + r % 3).saturating_sub(1) as u8;
                let bytes: [u8; 8] = core::array::from_fn(|_| match rng.next() % 3 {
                    0 => u8::MAX,
                    1 => (rng.next() % 129) as u8,
                    _ => core::cmp::min(near(rng.next()), 128),
                });
                let expected = bytes.map(|b| if b < limit && b != 255 { 0x80 } else { 0 });
                assert_eq!(below(u64::from_le_bytes(bytes), limit), u64::from_le_bytes(expected));
            }
        }
    }

    #[test]
    fn carry_save_counting_is_counting() {
        let mut rng = Rng(3);
        for round in 0..5000u32 {
            let w: [u8; BYTES] = core::array::from_fn(|k| match round % 4 {
                0 => rng.next() as u8,
                1 => 0xff,
                2 => 1 << (rng.next() % 8),
                _ => u8::from(k as u32 == round % 16) * 0x81,
            });
            assert_eq!(u32::from(ones_of_16(w)), w.iter().map(|b| b.count_ones()).sum::<u32>());
        }
    }
}
