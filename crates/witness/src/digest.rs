//! Digests and the hasher that takes canonical bytes.

use core::fmt;
use wavewitness_types::{Canonical, Sink};

/// A 32-byte BLAKE3 digest.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// All zeros: the digest of something that does not exist.
    pub const ZERO: Digest = Digest([0; 32]);

    /// Parses 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Digest> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return None;
        }
        let nibble = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
        let mut out = [0u8; 32];
        for (k, byte) in out.iter_mut().enumerate() {
            *byte = nibble(bytes[2 * k])? << 4 | nibble(bytes[2 * k + 1])?;
        }
        Some(Digest(out))
    }

    /// The first eight hexadecimal digits.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Canonical for Digest {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.put(&self.0);
    }
}

/// Hashes canonical bytes under a context. Keeps its key on [`Digester::finish`], so one serves every cycle.
///
/// Canonical bytes come four or eight at a time; they are collected, because BLAKE3 hashes sixteen of its chunks side by
/// side as fast as one. The digest is that of the bytes, however they came.
#[derive(Clone)]
pub struct Digester {
    hasher: blake3::Hasher,
    collected: Vec<u8>,
}

/// Sixteen chunks of BLAKE3: as many as its widest implementation takes at once.
const COLLECTED: usize = 16 << 10;

impl Digester {
    /// A hasher for one of [`crate::context`].
    pub fn new(context: &str) -> Digester {
        Digester { hasher: blake3::Hasher::new_derive_key(context), collected: Vec::with_capacity(COLLECTED) }
    }

    /// The digest of what was put; the hasher begins anew.
    pub fn finish(&mut self) -> Digest {
        self.hash_collected();
        let digest = Digest(*self.hasher.finalize().as_bytes());
        self.hasher.reset();
        digest
    }

    fn hash_collected(&mut self) {
        self.hasher.update(&self.collected);
        self.collected.clear();
    }

    /// Digest of one value.
    pub fn of(context: &str, value: &impl Canonical) -> Digest {
        let mut d = Digester::new(context);
        value.canonical(&mut d);
        d.finish()
    }
}

impl Sink for Digester {
    fn put(&mut self, bytes: &[u8]) {
        if self.collected.len() + bytes.len() > COLLECTED {
            self.hash_collected();
            if bytes.len() > COLLECTED {
                self.hasher.update(bytes);
                return;
            }
        }
        self.collected.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digester_begins_anew_after_finish() {
        let mut d = Digester::new("test");
        d.put(b"abc");
        let first = d.finish();
        d.put(b"abc");
        assert_eq!(d.finish(), first);
        assert_eq!(first, Digest(blake3::derive_key("test", b"abc")));
        assert_eq!(Digest::parse(&first.to_string()), Some(first));
        // However the bytes come: in pieces around the size of what is collected, and beyond it.
        let bytes: Vec<u8> = (0..100_000u32).map(|k| (k * 31) as u8).collect();
        let whole = Digest(blake3::derive_key("test", &bytes));
        for piece in [1, 7, 4096, COLLECTED - 1, COLLECTED, COLLECTED + 1, 60_000] {
            bytes.chunks(piece).for_each(|b| d.put(b));
            assert_eq!(d.finish(), whole, "pieces of {piece}");
        }
        assert_eq!(Digest::parse("zz"), None);
    }
}
