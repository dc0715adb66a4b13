//! The nearest of few patterns: all sketches by Hamming distance, then the cosines of the nearest of those, first of rounded
//! values, then exactly of the few that are left.
//!
//! All of it is compiled for each width of vectors that a processor may have. The widths give the same bits: no sum is
//! reordered.

use crate::{Cosine, DIM, Found, SCANNED, distance, rank};
use fearless_simd::dispatch;
use wavewitness_identity::{Rotation, SketchBank};

/// Sketches that are looked at further: so many for each candidate that is asked for, and so many at least. (About half as
/// many again are: [`SketchBank::about_k`].)
const PER_CANDIDATE: u32 = 4;
const LEAST: u32 = 40;
/// What 1 is rounded to.
const ONE: f32 = 32767.0;

/// The first patterns of a bank with their sketches.
pub(crate) struct Scan {
    rotation: Rotation,
    sketches: SketchBank,
    /// By number.
    patterns: Vec<[f32; DIM]>,
    /// The same, rounded: half of the memory to read, and in integers.
    rounded: Vec<[i16; DIM]>,
}

impl Scan {
    pub fn new() -> Scan {
        Scan {
            rotation: Rotation::new(),
            sketches: SketchBank::new(SCANNED),
            patterns: Vec::new(),
            rounded: Vec::new(),
        }
    }

    /// Takes the pattern of the next number; those beyond [`SCANNED`] are passed over.
    pub fn put(&mut self, id: u32, pattern: &[f32; DIM]) {
        if self.sketches.put(id, &self.rotation.sketch_of(pattern)) {
            self.patterns.push(*pattern);
            self.rounded.push(rounded(pattern));
        }
    }

    pub fn remove(&mut self, id: u32) {
        self.sketches.remove(id);
    }

    /// About the `k` nearest of a unit vector, in order, into `out`, which is empty.
    pub fn nearest(&self, cosine: Cosine, pattern: &[f32; DIM], k: u32, breadth: u32, out: &mut Vec<Found>) {
        let wanted = breadth.saturating_mul(PER_CANDIDATE).max(LEAST);
        dispatch!(cosine.0, _simd => self.nearest_inline(pattern, k, wanted, out));
        rank(out, k);
    }

    #[inline(always)]
    fn nearest_inline(&self, pattern: &[f32; DIM], k: u32, wanted: u32, out: &mut Vec<Found>) {
        let asked = rounded(pattern);
        let mut keys = Vec::with_capacity(2 * wanted.min(SCANNED) as usize);
        self.sketches.about_k(&self.rotation.sketch_of(pattern), wanted, |c| {
            keys.push(key(rounded_dot(&asked, &self.rounded[c.index as usize]), c.index));
        });
        let k = k as usize;
        if keys.len() > k {
            keys.select_nth_unstable(k - 1);
            keys.truncate(k);
        }
        out.extend(keys.iter().map(|&key| {
            let id = key as u32;
            Found { id, similarity: 1.0 - distance(pattern, &self.patterns[id as usize]) }
        }));
    }
}

/// What sorts by product, the greatest first, then by number, which is its lower half.
#[inline(always)]
fn key(product: i32, id: u32) -> u64 {
    u64::from(i32::MAX.wrapping_sub(product) as u32) << 32 | u64::from(id)
}

#[inline(always)]
fn rounded(pattern: &[f32; DIM]) -> [i16; DIM] {
    pattern.map(|x| (x * ONE) as i16)
}

/// Inner product of rounded unit vectors, 2³⁰ for equal ones. No sum of some of the products can leave `i32`: it is at most
/// the product of lengths (Cauchy and Schwarz), and each is at most 1.001 × 2¹⁵.
#[inline(always)]
fn rounded_dot(a: &[i16; DIM], b: &[i16; DIM]) -> i32 {
    a.iter().zip(b).fold(0i32, |sum, (&x, &y)| sum.wrapping_add(i32::from(x) * i32::from(y)))
}

#[cfg(test)]
mod tests {
    //! Guards: vectors of any width give the bits of the plain loops, and what rounding leaves out is next to nothing.
    use super::*;
    use fearless_simd::Level;
    use wavewitness_fixtures::rng::Rng;

    fn unit(rng: &mut Rng) -> [f32; DIM] {
        let v: [f32; DIM] = std::array::from_fn(|_| rng.gauss() as f32);
        let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
        v.map(|x| x / length)
    }

    #[test]
    fn every_width_of_vectors_gives_the_same_answer() {
        let mut rng = Rng::new(1);
        let mut scan = Scan::new();
        for id in 0..SCANNED {
            scan.put(id, &unit(&mut rng));
        }
        (0..SCANNED).step_by(7).for_each(|id| scan.remove(id));
        let (mut wide, mut plain) = (Vec::new(), Vec::new());
        for k in [1, 10, 100, SCANNED, u32::MAX] {
            for _ in 0..20 {
                let asked = unit(&mut rng);
                wide.clear();
                plain.clear();
                scan.nearest(Cosine(Level::new()), &asked, k, k, &mut wide);
                scan.nearest_inline(&asked, k, k.saturating_mul(PER_CANDIDATE).max(LEAST), &mut plain);
                rank(&mut plain, k);
                assert_eq!(wide, plain);
            }
        }
    }

    #[test]
    fn keys_sort_by_product_downwards_then_by_number() {
        let products = [1_074_000_000, 1 << 30, 1, 0, -1, -(1 << 30), -1_074_000_000];
        let keys: Vec<u64> = products.iter().flat_map(|&p| [0, 7, u32::MAX].map(|id| key(p, id))).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert_eq!(key(-5, 7) as u32, 7);
    }

    #[test]
    fn rounded_products_are_those_of_wide_integers_and_close() {
        let mut rng = Rng::new(2);
        let mut one = [0.0; DIM];
        one[5] = 1.0009;
        for round in 0..500 {
            let (a, b) = match round % 3 {
                0 => (unit(&mut rng), unit(&mut rng)),
                1 => (one, one),
                _ => (one, one.map(|x| -x)),
            };
            let (p, q) = (rounded(&a), rounded(&b));
            let exact: i64 = p.iter().zip(&q).map(|(&x, &y)| i64::from(x) * i64::from(y)).sum();
            assert_eq!(i64::from(rounded_dot(&p, &q)), exact);
            let cosine = exact as f32 / (ONE * ONE);
            assert!((cosine - (1.0 - distance(&a, &b))).abs() < if round % 3 == 0 { 4e-4 } else { 2.1 });
        }
    }
}
