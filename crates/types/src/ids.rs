//! Names of things.

use crate::canonical::{Canonical, Sink};
use core::fmt;

/// A sensing node, by the id in its datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub u8);

/// A link, dense in the order of discovery; the order of iteration everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u16);

impl LinkId {
    /// As an index into per-link tables.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A person track; never reused within a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrackId(pub u32);

/// A cycle of a chain. Never reused: after a restart the numbering jumps past what may have been lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CycleIndex(pub u64);

/// An IEEE 802 MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Parses `aa:bb:cc:dd:ee:ff` (either case).
    pub fn parse(text: &str) -> Option<Mac> {
        let mut out = [0u8; 6];
        let mut parts = text.split(':');
        for byte in &mut out {
            let part = parts.next()?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Mac(out))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

macro_rules! canonical_newtype {
    ($($name:ident: $put:ident;)*) => {$(
        impl Canonical for $name {
            fn canonical<S: Sink>(&self, out: &mut S) {
                out.$put(self.0);
            }
        }
    )*};
}

canonical_newtype! { NodeId: u8; LinkId: u16; TrackId: u32; CycleIndex: u64; }

impl Canonical for Mac {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.put(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_text_round_trips() {
        let mac = Mac::parse("A0:b1:02:03:04:fF").unwrap();
        assert_eq!(mac.to_string(), "a0:b1:02:03:04:ff");
        for bad in ["", "a0:b1:02:03:04", "a0:b1:02:03:04:ff:00", "+1:b1:02:03:04:ff", "a:b1:02:03:04:ff"] {
            assert_eq!(Mac::parse(bad), None, "{bad}");
        }
    }
}
