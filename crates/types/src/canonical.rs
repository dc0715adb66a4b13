//! Canonical bytes: the one encoding that is hashed.
//!
//! Little-endian, fixed width, no padding, no self-description; floats by their bits after `+ 0.0`; collections as a
//! `u32` count and then the elements. An encoder destructures its value (`let Self { a, b } = self;`), so that a new
//! field does not compile until it is encoded.

use wavewitness_num::{canonical_f32, canonical_f64};

/// Where canonical bytes go: a buffer or a hasher.
pub trait Sink {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Appends one byte.
    fn u8(&mut self, x: u8) {
        self.put(&[x]);
    }
    /// Appends a boolean as 0 or 1.
    fn bool(&mut self, x: bool) {
        self.put(&[u8::from(x)]);
    }
    /// Appends a little-endian `u16`.
    fn u16(&mut self, x: u16) {
        self.put(&x.to_le_bytes());
    }
    /// Appends a little-endian `i16`.
    fn i16(&mut self, x: i16) {
        self.put(&x.to_le_bytes());
    }
    /// Appends a little-endian `u32`.
    fn u32(&mut self, x: u32) {
        self.put(&x.to_le_bytes());
    }
    /// Appends a little-endian `u64`.
    fn u64(&mut self, x: u64) {
        self.put(&x.to_le_bytes());
    }
    /// Appends the bits of a finite `f32`, `−0.0` as `+0.0`.
    fn f32(&mut self, x: f32) {
        self.put(&canonical_f32(x).to_bits().to_le_bytes());
    }
    /// Appends the bits of a finite `f64`, `−0.0` as `+0.0`.
    fn f64(&mut self, x: f64) {
        self.put(&canonical_f64(x).to_bits().to_le_bytes());
    }
    /// Appends a `u32` count; counts are bounded far below it.
    ///
    /// # Panics
    /// If `n` does not fit `u32`.
    fn count(&mut self, n: usize) {
        self.u32(u32::try_from(n).expect("a canonical count fits u32"));
    }
    /// Appends a length-prefixed byte string.
    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.put(bytes);
    }
    /// Appends every element of an `f32` array (no count), through one small buffer so that a hasher sees blocks.
    fn f32s(&mut self, values: &[f32]) {
        let mut block = [[0u8; 4]; 64];
        for chunk in values.chunks(64) {
            // All at once, without a branch a value; which one was not finite is said only if one was.
            let mut finite = true;
            for (bytes, &x) in block.iter_mut().zip(chunk) {
                *bytes = (x + 0.0).to_bits().to_le_bytes();
                finite &= x.is_finite();
            }
            if !finite {
                chunk.iter().for_each(|&x| _ = canonical_f32(x));
            }
            self.put(block[..chunk.len()].as_flattened());
        }
    }
    /// Appends every element of an `f64` array (no count).
    fn f64s(&mut self, values: &[f64]) {
        for &x in values {
            self.f64(x);
        }
    }
    /// Appends `0`, or `1` and the value.
    fn option<T>(&mut self, value: Option<&T>, put: impl FnOnce(&mut Self, &T))
    where
        Self: Sized,
    {
        match value {
            None => self.u8(0),
            Some(v) => {
                self.u8(1);
                put(self, v);
            }
        }
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A value that has canonical bytes.
pub trait Canonical {
    /// Appends the canonical bytes of `self`.
    fn canonical<S: Sink>(&self, out: &mut S);

    /// The canonical bytes as a buffer.
    fn to_canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.canonical(&mut out);
        out
    }
}

impl<T: Canonical> Canonical for [T] {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.count(self.len());
        for item in self {
            item.canonical(out);
        }
    }
}

/// Reads canonical bytes back. Every method returns `None` at the end of the input or on an impossible value; a
/// decoder that ends must also check [`Reader::finished`], so that trailing bytes are an error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Takes the next `n` bytes.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        if n > self.rest.len() {
            return None;
        }
        let (head, rest) = self.rest.split_at(n);
        self.rest = rest;
        Some(head)
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Option<u8> {
        Some(self.array::<1>()?[0])
    }
    /// Reads a boolean that was written as 0 or 1.
    pub fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    /// Reads a little-endian `u16`.
    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.array()?))
    }
    /// Reads a little-endian `i16`.
    pub fn i16(&mut self) -> Option<i16> {
        Some(i16::from_le_bytes(self.array()?))
    }
    /// Reads a little-endian `u32`.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }
    /// Reads a little-endian `u64`.
    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }
    /// Reads a finite, canonical `f32`.
    pub fn f32(&mut self) -> Option<f32> {
        let x = f32::from_bits(self.u32()?);
        (x.is_finite() && x.to_bits() != (-0.0f32).to_bits()).then_some(x)
    }
    /// Reads a finite, canonical `f64`.
    pub fn f64(&mut self) -> Option<f64> {
        let x = f64::from_bits(self.u64()?);
        (x.is_finite() && x.to_bits() != (-0.0f64).to_bits()).then_some(x)
    }
    /// Reads a count that is at most `limit`.
    pub fn count(&mut self, limit: usize) -> Option<usize> {
        let n = usize::try_from(self.u32()?).ok()?;
        (n <= limit).then_some(n)
    }
    /// Reads a length-prefixed byte string of at most `limit` bytes.
    pub fn bytes(&mut self, limit: usize) -> Option<&'a [u8]> {
        let n = self.count(limit)?;
        self.take(n)
    }
    /// Reads an optional value; the outer `None` is an error.
    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.u8()? {
            0 => Some(None),
            1 => Some(Some(read(self)?)),
            _ => None,
        }
    }
    /// `Some(())` if every byte was read.
    pub fn finished(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        out.u16(7);
        out.f64(-0.0);
        out.bytes(b"abc");
        out.option(Some(&9u32), |s, &v| s.u32(v));
        out.option(None::<&u32>, |s, &v| s.u32(v));
        let mut r = Reader::new(&out);
        assert_eq!(r.u16(), Some(7));
        assert_eq!(r.f64().map(f64::to_bits), Some(0));
        assert_eq!(r.bytes(8), Some(&b"abc"[..]));
        assert_eq!(r.option(Reader::u32), Some(Some(9)));
        assert_eq!(r.option(Reader::u32), Some(None));
        assert_eq!(r.finished(), Some(()));
    }

    #[test]
    fn hostile_lengths_are_refused() {
        let mut r = Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]);
        assert_eq!(r.bytes(1000), None);
    }

    #[test]
    fn block_writes_equal_single_writes() {
        let odd = [
            0.0,
            -0.0,
            f32::MIN_POSITIVE,
            -f32::MIN_POSITIVE / 8.0,
            f32::from_bits(1),
            f32::MAX,
            f32::MIN,
            1.0,
        ];
        for length in [0, 1, 7, 63, 64, 65, 128, 150] {
            let values: Vec<f32> =
                (0..length).map(|k| odd[(k * 5 + k / 8) % 8] * (1.0 - k as f32 % 3.0)).collect();
            let values: Vec<f32> = values.into_iter().map(|v| if v.is_finite() { v } else { -0.0 }).collect();
            let (mut a, mut b) = (Vec::new(), Vec::new());
            a.f32s(&values);
            values.iter().for_each(|&v| b.f32(v));
            assert_eq!(a, b);
        }
    }

    #[test]
    fn one_value_that_is_not_finite_is_refused_wherever_it_stands_in_a_block() {
        for length in [1, 64, 65, 130] {
            for at in 0..length {
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut values = vec![1.0f32; length];
                    values[at] = bad;
                    let refused = std::panic::catch_unwind(|| Vec::new().f32s(&values));
                    assert!(refused.is_err(), "{bad} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "not finite")]
    fn nan_is_unrepresentable() {
        Vec::new().f32(f32::NAN);
    }
}
