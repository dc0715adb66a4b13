//! A signature as one vector of unit length, and how alike two are.

use crate::signature::Part;
use crate::{BINS, DIM, PARTS};
use wavewitness_num::math;
use wavewitness_types::{Canonical, Sink};

/// Why a vector is no embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A value is NaN or infinite.
    NotFinite,
    /// All values are zero: there is no direction.
    Zero,
    /// A value of a part without looks is not zero.
    Unmeasured,
}

/// A vector of unit length, part by part; parts without looks are zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Embedding {
    values: [f32; DIM],
    looks: [u32; PARTS],
    /// Sum of squares of each part, from `values`.
    energy: [f64; PARTS],
    /// Sum of the energies, first part to last.
    total: f64,
    /// Bit k: part k was measured.
    measured: u8,
}

impl Embedding {
    /// Scales `values` to unit length. `looks` tells how often each part was measured.
    ///
    /// # Errors
    /// If a value is not finite, all are zero, or a part without looks has values.
    pub fn new(values: &[f32; DIM], looks: [u32; PARTS]) -> Result<Embedding, Refused> {
        let mut wide = [0.0; DIM];
        wide.iter_mut().zip(values).for_each(|(w, &v)| *w = f64::from(v));
        Embedding::from_f64(&wide, looks)
    }

    pub(crate) fn from_f64(values: &[f64; DIM], looks: [u32; PARTS]) -> Result<Embedding, Refused> {
        let mut greatest = 0.0;
        for (k, &value) in values.iter().enumerate() {
            if !value.is_finite() {
                return Err(Refused::NotFinite);
            }
            if value != 0.0 && looks[k / BINS] == 0 {
                return Err(Refused::Unmeasured);
            }
            greatest = math::max_f64(greatest, value.abs());
        }
        if greatest == 0.0 {
            return Err(Refused::Zero);
        }
        // By the greatest first: neither squares nor their reciprocal can leave the range of f64.
        let mut total = 0.0;
        for value in values {
            let scaled = value / greatest;
            total += scaled * scaled;
        }
        let length = math::sqrt(total);
        let mut out = Embedding { values: [0.0; DIM], looks, energy: [0.0; PARTS], total: 0.0, measured: 0 };
        for (to, value) in out.values.iter_mut().zip(values) {
            *to = (value / greatest / length) as f32 + 0.0;
        }
        for (energy, block) in out.energy.iter_mut().zip(out.values.chunks_exact(BINS)) {
            for &v in block {
                *energy += f64::from(v) * f64::from(v);
            }
        }
        for (k, energy) in out.energy.iter().enumerate() {
            out.total += energy;
            out.measured |= u8::from(looks[k] > 0) << k;
        }
        Ok(out)
    }

    /// The 128 values.
    pub fn values(&self) -> &[f32; DIM] {
        &self.values
    }

    /// Looks of each part.
    pub fn looks(&self) -> &[u32; PARTS] {
        &self.looks
    }
}

/// Inner product in `f64`: lane l adds the products of elements l, l + 8, l + 16, …, and the eight lanes are added from
/// the first to the last.
#[inline]
fn dot(a: &[f32; DIM], b: &[f32; DIM]) -> f64 {
    let mut lanes = [0.0f64; 8];
    for (x, y) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for l in 0..8 {
            lanes[l] += f64::from(x[l]) * f64::from(y[l]);
        }
    }
    let mut total = 0.0;
    for lane in lanes {
        total += lane;
    }
    total
}

/// Energy of `a` in the parts that `b` has as well, first to last.
fn common_energy(a: &Embedding, b: &Embedding) -> f64 {
    let mut total = 0.0;
    for k in 0..PARTS {
        if b.measured >> k & 1 == 1 {
            total += a.energy[k];
        }
    }
    total
}

/// Cosine over the parts that both have measured, −1..=1; 0 if there is none, or one has nothing but zeros in them.
///
/// The numerator needs no mask: where one was not measured it is zero. The lengths are those of the common parts alone,
/// each summed from the first part to the last.
#[inline]
pub fn similarity(a: &Embedding, b: &Embedding) -> f32 {
    let (of_a, of_b) = if a.measured == b.measured {
        // The same sums: what was not measured adds zero.
        (a.total, b.total)
    } else {
        (common_energy(a, b), common_energy(b, a))
    };
    let lengths = math::sqrt(of_a * of_b);
    if lengths == 0.0 {
        return 0.0;
    }
    let cosine = (dot(&a.values, &b.values) / lengths) as f32;
    math::max_f32(math::min_f32(cosine, 1.0), -1.0)
}

/// Cosine of one part, −1..=1; `None` unless both measured it and it says something in either.
pub fn part_similarity(a: &Embedding, b: &Embedding, part: Part) -> Option<f64> {
    let k = part as usize;
    let lengths = math::sqrt(a.energy[k] * b.energy[k]);
    if a.looks[k] == 0 || b.looks[k] == 0 || lengths == 0.0 {
        return None;
    }
    let mut total = 0.0;
    for i in k * BINS..(k + 1) * BINS {
        total += f64::from(a.values[i]) * f64::from(b.values[i]);
    }
    Some(math::max_f64(math::min_f64(total / lengths, 1.0), -1.0))
}

impl Canonical for Embedding {
    fn canonical<S: Sink>(&self, out: &mut S) {
        // The rest follows from them.
        let Self { values, looks, energy: _, total: _, measured: _ } = self;
        out.f32s(values);
        looks.iter().for_each(|&n| out.u32(n));
    }
}

#[cfg(test)]
mod tests {
    //! Guards: the lanes are the scalar loop, on numbers that would show any other order; only common parts count; no
    //! hostile vector becomes an embedding.
    use super::*;
    use crate::testing::Rng;

    fn scalar_dot(a: &[f32; DIM], b: &[f32; DIM]) -> f64 {
        let mut total = 0.0;
        for l in 0..8 {
            let mut lane = 0.0;
            let mut k = l;
            while k < DIM {
                lane += f64::from(a[k]) * f64::from(b[k]);
                k += 8;
            }
            total += lane;
        }
        total
    }

    #[test]
    fn the_lanes_of_dot_are_their_scalar_twin() {
        let odd = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f32::MIN_POSITIVE,
            -f32::from_bits(1),
            f32::MAX,
            -f32::MAX,
            1e-30,
            3.000_000_2,
        ];
        let mut rng = Rng(5);
        let mut differs_in_plain_order = 0;
        for round in 0..2000 {
            let mut next = |k: usize| match round % 5 {
                0 => rng.gauss() as f32,
                1 => odd[(rng.next() % odd.len() as u64) as usize],
                2 => odd[k % odd.len()],
                // One lane odd, the others alike.
                3 if k % 8 == round / 5 % 8 => rng.gauss() as f32 * 1e20,
                _ => 0.1,
            };
            let mut a = [0.0; DIM];
            let mut b = [0.0; DIM];
            (0..DIM).for_each(|k| (a[k], b[k]) = (next(k), next(k + 3)));
            assert_eq!(dot(&a, &b).to_bits(), scalar_dot(&a, &b).to_bits(), "round {round}");
            let plain = a.iter().zip(&b).fold(0.0, |t, (&x, &y)| t + f64::from(x) * f64::from(y));
            differs_in_plain_order += u32::from(plain.to_bits() != dot(&a, &b).to_bits());
        }
        assert!(differs_in_plain_order > 500, "the inputs would not show another order");
    }

    #[test]
    fn hostile_vectors_are_refused() {
        let all = [1; PARTS];
        assert_eq!(Embedding::new(&[0.0; DIM], all), Err(Refused::Zero));
        assert_eq!(Embedding::new(&[-0.0; DIM], all), Err(Refused::Zero));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 64, 127] {
                let mut v = [1.0; DIM];
                v[at] = bad;
                assert_eq!(Embedding::new(&v, all), Err(Refused::NotFinite));
            }
        }
        let mut looks = all;
        looks[3] = 0;
        assert_eq!(Embedding::new(&[1.0; DIM], looks), Err(Refused::Unmeasured));
    }

    #[test]
    fn extreme_scales_give_unit_vectors() {
        for size in [f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1)] {
            let e = Embedding::new(&[size; DIM], [1; PARTS]).unwrap();
            let length: f64 = e.values().iter().map(|&v| f64::from(v) * f64::from(v)).sum();
            assert!((length - 1.0).abs() < 1e-6, "{size}: {length}");
            assert!((similarity(&e, &e) - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn only_parts_that_both_have_count() {
        let mut rng = Rng(9);
        let full: [f32; DIM] = core::array::from_fn(|_| rng.gauss() as f32);
        let mut part = |keep: &[usize], extra: f32| {
            let mut v = [0.0; DIM];
            let mut looks = [0; PARTS];
            for &p in keep {
                looks[p] = 5;
                for k in p * BINS..(p + 1) * BINS {
                    v[k] = full[k] + extra * rng.gauss() as f32;
                }
            }
            Embedding::new(&v, looks).unwrap()
        };
        // The common parts 2 and 3 are equal; what only one has must not matter.
        let (mut a, mut b) = (part(&[0, 2, 3], 0.0), part(&[2, 3, 7], 0.0));
        assert!((similarity(&a, &b) - 1.0).abs() < 1e-6);
        assert_eq!(similarity(&a, &b).to_bits(), similarity(&b, &a).to_bits());
        // The short way, where the same parts were measured, is the long one.
        for e in [&a, &b] {
            assert_eq!(common_energy(e, e).to_bits(), e.total.to_bits());
        }
        a = part(&[0, 1], 0.0);
        b = part(&[4, 5], 0.0);
        assert_eq!(similarity(&a, &b), 0.0);
        let (c, d) = (part(&[0, 1, 2], 1.0), part(&[0, 1, 2], 1.0));
        assert!(similarity(&c, &d) < 0.9);
    }
}
