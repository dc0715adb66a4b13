//! The right edge of a tree: all that an append or a root needs.

use crate::MAX_SIZE;
use crate::hash::{Hash, node_hash};

/// The roots of the perfect subtrees into which a tree of `size` leaves falls, one for each set bit of `size`, from the
/// largest to the smallest. At most 63 hashes whatever the size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Default for Frontier {
    fn default() -> Frontier {
        Frontier { size: 0, subtrees: Vec::with_capacity(64) }
    }
}

impl Frontier {
    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a perfect subtree of 2^`height` leaves (a leaf hash at height 0), and calls `node(height, hash)` for it
    /// and for every larger perfect subtree that it completes. Returns the node hashes computed: as many as the size
    /// had trailing ones, so one an append on average and never more than 62.
    ///
    /// `None`, and nothing is changed, if the size is no multiple of 2^`height` or the tree is full.
    pub fn push(&mut self, height: u32, hash: Hash, mut node: impl FnMut(u32, &Hash)) -> Option<u32> {
        let leaves = 1u64.checked_shl(height)?;
        let size = self.size.checked_add(leaves).filter(|&n| n <= MAX_SIZE)?;
        if !self.size.is_multiple_of(leaves) {
            return None;
        }
        let (mut height, mut hash, mut computed) = (height, hash, 0);
        node(height, &hash);
        while self.size >> height & 1 == 1 {
            let left = self.subtrees.pop().expect("one subtree for each set bit of the size");
            hash = node_hash(&left, &hash);
            height += 1;
            computed += 1;
            node(height, &hash);
        }
        self.subtrees.push(hash);
        self.size = size;
        Some(computed)
    }

    /// Root of the tree so far: the subtrees folded from the smallest (RFC 6962, section 2.1).
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.subtrees.iter().rev();
        let Some(&first) = smallest_first.next() else { return Hash::EMPTY_ROOT };
        smallest_first.fold(first, |right, left| node_hash(left, &right))
    }
}
