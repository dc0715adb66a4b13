//! One bit a dimension: signs after a fixed random rotation.

use crate::DIM;
use crate::embedding::Embedding;
#[cfg(test)]
use wavewitness_num::math;
use wavewitness_types::{Canonical, Sink};

/// Rounds of sign flips and Hadamard transforms.
const ROUNDS: usize = 3;
/// Seed of the one rotation that all sketches are made with. Another would make stored sketches meaningless.
const SEED: u64 = 0x5749_4649_5749_5401;
/// Length by which three unnormalised transforms of 128 dimensions stretch: 128^{3/2} = 2^{10.5}.
const STRETCH: f32 = 1024.0 * core::f32::consts::SQRT_2;

/// Mixing function of SplitMix64 (Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).
pub(crate) fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Signs of 128 rotated coordinates: bit k of word k / 64 is that of coordinate k, 1 where it is positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sketch(pub [u64; 2]);

impl Sketch {
    /// Bits that differ, 0..=128.
    pub fn distance(&self, other: &Sketch) -> u32 {
        (self.0[0] ^ other.0[0]).count_ones() + (self.0[1] ^ other.0[1]).count_ones()
    }

    /// The angle that a Hamming distance estimates, radians: π d / 128 (Goemans and Williamson 1995, J. ACM 42(6), lemma
    /// 3.2; Charikar 2002, STOC). Its standard error is at most that of 128 independent bits, π √(p(1−p)/128).
    pub fn angle(&self, other: &Sketch) -> f64 {
        core::f64::consts::PI * f64::from(self.distance(other)) / DIM as f64
    }
}

impl Canonical for Sketch {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self(words) = self;
        words.iter().for_each(|&w| out.u64(w));
    }
}

/// The rotation `H D₃ H D₂ H D₁`: random signs D, Walsh–Hadamard transform H, three times (Ailon and Chazelle 2009, SIAM J.
/// Comput. 39(1); three rounds as Andoni et al. 2015, NeurIPS). Orthogonal by construction, made of additions
/// alone: 2,688 of them in place of 16,384 products of a dense matrix, which would have to be orthonormalised first.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotation {
    signs: [[f32; DIM]; ROUNDS],
}

impl Default for Rotation {
    fn default() -> Rotation {
        Rotation::new()
    }
}

impl Rotation {
    /// The rotation of this crate: signs are the top bits of SplitMix64 from a fixed seed.
    pub fn new() -> Rotation {
        let mut state = SEED;
        let mut signs = [[0.0; DIM]; ROUNDS];
        for sign in signs.iter_mut().flatten() {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            *sign = if mix(state) >> 63 == 1 { -1.0 } else { 1.0 };
        }
        Rotation { signs }
    }

    /// Rotates a vector; length and angles stay, but for the rounding of `f32`.
    pub fn rotate(&self, values: &[f32; DIM]) -> [f32; DIM] {
        self.stretched(values).map(|x| x / STRETCH)
    }

    #[inline(always)]
    fn stretched(&self, values: &[f32; DIM]) -> [f32; DIM] {
        let mut out = *values;
        for signs in &self.signs {
            out.iter_mut().zip(signs).for_each(|(o, s)| *o *= s);
            hadamard(&mut out);
        }
        out
    }

    /// The sketch of an embedding.
    pub fn sketch(&self, embedding: &Embedding) -> Sketch {
        self.sketch_of(embedding.values())
    }

    /// The sketch of any vector of which 1,449 times the length is an `f32`: its length does not matter. (Always inlined: a
    /// caller may compile its own functions for wider vectors than the target promises.)
    #[inline(always)]
    pub fn sketch_of(&self, values: &[f32; DIM]) -> Sketch {
        let rotated = self.stretched(values);
        let mut quarters = [0u64; 4];
        for (quarter, values) in quarters.iter_mut().zip(rotated.as_chunks::<32>().0) {
            let mut bits = 0u32;
            for k in 0..32 {
                bits |= if values[k] > 0.0 { BIT[k] } else { 0 };
            }
            *quarter = u64::from(bits);
        }
        let [a, b, c, d] = quarters;
        Sketch([a | b << 32, c | d << 32])
    }
}

/// The powers of two: a table, so that 32 signs are gathered side by side.
const BIT: [u32; 32] = {
    let mut bits = [1; 32];
    let mut k = 1;
    while k < 32 {
        bits[k] = 2 * bits[k - 1];
        k += 1;
    }
    bits
};

/// Walsh–Hadamard transform in place, not normalised: butterflies of 64, 32, … 1 apart. Those of 16 and more go lane by lane
/// through a column of eight, the others through a row of sixteen.
#[inline(always)]
fn hadamard(v: &mut [f32; DIM]) {
    for column in 0..16 {
        let mut eight = core::array::from_fn(|row| v[16 * row + column]);
        butterflies::<8>(&mut eight);
        for row in 0..8 {
            v[16 * row + column] = eight[row];
        }
    }
    for row in v.as_chunks_mut::<16>().0 {
        for column in 0..4 {
            let mut four = core::array::from_fn(|k| row[4 * k + column]);
            butterflies::<4>(&mut four);
            for k in 0..4 {
                row[4 * k + column] = four[k];
            }
        }
        row.as_chunks_mut::<4>().0.iter_mut().for_each(butterflies);
    }
}

/// Butterflies of N / 2, … 1 apart.
#[inline(always)]
fn butterflies<const N: usize>(v: &mut [f32; N]) {
    let mut half = N / 2;
    while half > 0 {
        for k in 0..N {
            if k & half == 0 {
                (v[k], v[k + half]) = (v[k] + v[k + half], v[k] - v[k + half]);
            }
        }
        half /= 2;
    }
}

/// Angle between two vectors in radians, for tests of what sketches estimate.
#[cfg(test)]
fn angle(a: &[f64; DIM], b: &[f64; DIM]) -> f64 {
    let dot = |x: &[f64; DIM], y: &[f64; DIM]| x.iter().zip(y).map(|(p, q)| p * q).sum::<f64>();
    let cosine = dot(a, b) / math::sqrt(dot(a, a) * dot(b, b));
    math::acos(math::max_f64(-1.0, math::min_f64(1.0, cosine)))
}

#[cfg(test)]
mod tests {
    //! Guards: the rotation is one, and a Hamming distance means an angle, also for the vectors that embeddings are
    //! (sparse blocks), not for Gaussian ones alone.
    use super::*;
    use crate::testing::Rng;
    use crate::{BINS, PARTS};
    use core::f64::consts::PI;

    fn widen(v: &[f32; DIM]) -> [f64; DIM] {
        v.map(f64::from)
    }

    #[test]
    fn rotation_keeps_lengths_and_angles() {
        let (rotation, mut rng) = (Rotation::new(), Rng(1));
        for _ in 0..200 {
            let (a, b) = (rng.embedding(), rng.embedding());
            let (ra, rb) = (rotation.rotate(a.values()), rotation.rotate(b.values()));
            let (ra, rb) = (widen(&ra), widen(&rb));
            let length: f64 = ra.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-6);
            assert!((angle(&widen(a.values()), &widen(b.values())) - angle(&ra, &rb)).abs() < 1e-6);
        }
    }

    /// Pairs at an angle: b = cos θ a + sin θ (a direction across a).
    fn pair(rng: &mut Rng, theta: f64, sparse: bool) -> (Embedding, Embedding) {
        let mut draw = || -> [f64; DIM] {
            core::array::from_fn(|k| if sparse && k % BINS > 2 { 0.0 } else { rng.gauss() })
        };
        let (mut a, mut c) = (draw(), draw());
        let unit = |v: &mut [f64; DIM]| {
            let length = math::sqrt(v.iter().map(|x| x * x).sum::<f64>());
            v.iter_mut().for_each(|x| *x /= length);
        };
        unit(&mut a);
        let along: f64 = a.iter().zip(&c).map(|(x, y)| x * y).sum();
        c.iter_mut().zip(&a).for_each(|(x, y)| *x -= along * y);
        unit(&mut c);
        let b: [f64; DIM] = core::array::from_fn(|k| math::cos(theta) * a[k] + math::sin(theta) * c[k]);
        let embed = |v: &[f64; DIM]| Embedding::from_f64(v, [1; PARTS]).unwrap();
        (embed(&a), embed(&b))
    }

    #[test]
    fn hamming_distance_estimates_the_angle() {
        let (rotation, mut rng) = (Rotation::new(), Rng(2));
        let n = 600;
        for sparse in [false, true] {
            for step in 1..12 {
                let theta = PI * f64::from(step) / 12.0;
                let p = theta / PI;
                let (mut sum, mut squares) = (0.0, 0.0);
                for _ in 0..n {
                    let (a, b) = pair(&mut rng, theta, sparse);
                    let share = f64::from(rotation.sketch(&a).distance(&rotation.sketch(&b))) / 128.0;
                    sum += share;
                    squares += (share - p) * (share - p);
                }
                let bound = p * (1.0 - p) / 128.0;
                let bias = (sum / f64::from(n) - p).abs();
                // Five standard errors of the mean of n sketches with independent bits.
                assert!(bias < 5.0 * math::sqrt(bound / f64::from(n)), "{theta} {sparse}: {bias}");
                // Bits after an orthogonal rotation scatter less than independent ones, never much more.
                assert!(squares / f64::from(n) < 1.25 * bound, "{theta} {sparse}");
            }
        }
    }

    #[test]
    fn a_vector_and_its_opposite_differ_in_every_bit() {
        let (rotation, mut rng) = (Rotation::new(), Rng(3));
        let a = rng.embedding();
        let b = Embedding::new(&a.values().map(|v| -v), [1; PARTS]).unwrap();
        let (a, b) = (rotation.sketch(&a), rotation.sketch(&b));
        assert_eq!((a.distance(&a), a.distance(&b)), (0, 128));
        assert_eq!(a.angle(&b), PI);
    }

    #[test]
    fn the_sketch_of_a_known_vector_never_changes() {
        let e = Embedding::new(&core::array::from_fn(|k| (k % 7) as f32 - 2.5), [1; PARTS]).unwrap();
        let s = Rotation::new().sketch(&e);
        assert_eq!(s.0, KNOWN, "stored sketches would lose their meaning");
    }

    const KNOWN: [u64; 2] = [9_531_020_039_860_243_883, 3_700_890_132_928_042_995];
}
