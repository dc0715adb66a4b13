//! The hashes of the tree: RFC 6962, section 2.1, with SHA-256.

use core::fmt;
use sha2::{Digest, Sha256};

/// A SHA-256 hash: of a leaf, of a subtree, or of the whole tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Bytes of a hash.
    pub const BYTES: usize = 32;

    /// Root of the tree without entries: SHA-256 of nothing.
    pub const EMPTY_ROOT: Hash = Hash([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// Reads the base64 of exactly 32 bytes.
    pub fn from_base64(text: &str) -> Option<Hash> {
        crate::base64::decode(text)?.try_into().ok().map(Hash)
    }

    /// The `n`-th hash of concatenated hashes; `None` behind their end.
    pub fn nth(bytes: &[u8], n: u64) -> Option<Hash> {
        let (hashes, _) = bytes.as_chunks::<32>();
        hashes.get(usize::try_from(n).ok()?).copied().map(Hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::base64::encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Hash of a leaf: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// Hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// SHA-256 of bytes as they are.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|p| hasher.update(p));
    hasher.finalize().into()
}
