//! Reading numbers out of bytes. Everything returns `None` instead of reading past the end.

pub(crate) fn u8_at(b: &[u8], at: usize) -> Option<u8> {
    b.get(at).copied()
}

pub(crate) fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*b.get(at..)?.first_chunk()?))
}

pub(crate) fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*b.get(at..)?.first_chunk()?))
}

pub(crate) fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*b.get(at..)?.first_chunk()?))
}

pub(crate) fn i8_at(b: &[u8], at: usize) -> Option<i8> {
    b.get(at).map(|&x| i8::from_le_bytes([x]))
}

pub(crate) fn six_at(b: &[u8], at: usize) -> Option<[u8; 6]> {
    b.get(at..)?.first_chunk().copied()
}

/// Signed integer of `width ≤ 16` bits that begins at bit `at`, least significant bit first; bits past the end are 0.
pub(crate) fn bits_at(b: &[u8], at: usize, width: u32) -> i16 {
    let byte = |k: usize| u32::from(b.get(at / 8 + k).copied().unwrap_or(0));
    let word = byte(0) | byte(1) << 8 | byte(2) << 16;
    let value = word >> (at % 8) & ((1 << width) - 1);
    let sign = 1u32 << (width - 1);
    // At most 16 bits: the difference fits.
    ((value ^ sign) as i32 - sign as i32) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_integers_are_twos_complement_across_byte_borders() {
        // -1, 1, -512, 511 in ten bits each.
        let word: u64 = 0x3ff | 1 << 10 | 0x200 << 20 | 0x1ff << 30;
        let b = word.to_le_bytes();
        let got: Vec<i16> = (0..4).map(|k| bits_at(&b, 10 * k, 10)).collect();
        assert_eq!(got, [-1, 1, -512, 511]);
        assert_eq!(bits_at(&[0x80], 0, 8), -128);
        assert_eq!(bits_at(&[0xf8, 0x07], 3, 8), -1);
        assert_eq!(bits_at(&[], 3, 8), 0);
    }
}
