//! How many bits of sixteen bytes are set, in a form that many lanes compute side by side.

/// Bytes of a sketch.
pub(crate) const BYTES: usize = 16;
/// Whether carry-save adders count ones faster than each byte for itself: on processors that can't count those of many
/// bytes at once. (aarch64 and wasm can, x86-64 from AVX2 on.)
pub(crate) const CARRY_SAVE: bool = cfg!(all(target_arch = "x86_64", not(target_feature = "avx2")));

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
pub(crate) fn ones_of_16(w: [u8; BYTES]) -> u8 {
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

/// The same, each byte's for itself.
#[inline(always)]
pub(crate) fn ones_of_each(w: [u8; BYTES]) -> u8 {
    w.iter().fold(0u8, |total, byte| total.wrapping_add(byte.count_ones() as u8))
}

#[cfg(test)]
mod tests {
    //! Guards: both ways of counting are counting.
    use super::*;
    use crate::testing::Rng;

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
            let ones = w.iter().map(|b| b.count_ones()).sum::<u32>();
            assert_eq!((u32::from(ones_of_16(w)), u32::from(ones_of_each(w))), (ones, ones));
        }
    }
}
