//! Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4; the hashes are those of RFC 6962).

use crate::MAX_SIZE;
use crate::hash::{Hash, node_hash};
use crate::store::HashReader;
use core::fmt;

/// Longest proof: the largest tree has 63 levels above its leaves, and a consistency proof one hash more.
pub const MAX_PROOF_HASHES: usize = 64;

/// Why a proof can't be made or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofFault {
    /// The index is not in the tree, or the first tree is larger than the second.
    OutOfRange,
    /// A subtree hash can't be had: its tile was pruned or is damaged.
    Missing {
        /// Its height.
        height: u32,
        /// Its index within the height.
        index: u64,
    },
    /// The proof has more or fewer hashes than index and sizes ask for.
    WrongLength,
    /// The hashes do not lead to the root.
    RootMismatch,
}

impl fmt::Display for ProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProofFault::OutOfRange => {
                f.write_str("the index is not in the tree, or the trees are out of order")
            }
            ProofFault::Missing { height, index } => {
                write!(f, "the hash {index} at height {height} can't be read: pruned or damaged")
            }
            ProofFault::WrongLength => f.write_str("the proof has too many or too few hashes"),
            ProofFault::RootMismatch => f.write_str("the proof does not lead to the root"),
        }
    }
}

impl std::error::Error for ProofFault {}

/// The largest power of two that is smaller than `n`, for n > 1.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// `MTH(D[from : to])`, where `from` is a multiple of the largest power of two in `to − from`: perfect subtrees for the
/// set bits of its length, folded from the right.
fn range_root(reader: &mut impl HashReader, from: u64, to: u64) -> Result<Hash, ProofFault> {
    let (mut end, mut root) = (to, None);
    while end > from {
        let height = (end - from).trailing_zeros();
        end -= 1 << height;
        let index = end >> height;
        let left = reader.hash(height, index).ok_or(ProofFault::Missing { height, index })?;
        root = Some(root.map_or(left, |right| node_hash(&left, &right)));
    }
    Ok(root.unwrap_or(Hash::EMPTY_ROOT))
}

/// Root of the tree of the first `size` leaves.
///
/// # Errors
/// If a hash can't be read.
pub fn root(reader: &mut impl HashReader, size: u64) -> Result<Hash, ProofFault> {
    if size > MAX_SIZE {
        return Err(ProofFault::OutOfRange);
    }
    range_root(reader, 0, size)
}

/// `PATH(index, D[size])` of RFC 9162, section 2.1.3.1: the siblings from the leaf's up to the root's child.
///
/// # Errors
/// If the index is not in the tree, or a hash can't be read.
pub fn inclusion(reader: &mut impl HashReader, index: u64, size: u64) -> Result<Vec<Hash>, ProofFault> {
    if index >= size || size > MAX_SIZE {
        return Err(ProofFault::OutOfRange);
    }
    let (mut from, mut to) = (0, size);
    let mut path = Vec::with_capacity(MAX_PROOF_HASHES);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(range_root(reader, middle, to)?);
            to = middle;
        } else {
            path.push(range_root(reader, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// `PROOF(first, D[second])` of RFC 9162, section 2.1.4.1. Empty if both are equal, or the first tree is empty.
///
/// # Errors
/// If the first tree is larger, or a hash can't be read.
pub fn consistency(reader: &mut impl HashReader, first: u64, second: u64) -> Result<Vec<Hash>, ProofFault> {
    if first > second || second > MAX_SIZE {
        return Err(ProofFault::OutOfRange);
    }
    let mut path = Vec::with_capacity(MAX_PROOF_HASHES);
    if first == 0 {
        return Ok(path);
    }
    // SUBPROOF's flag b: the subtree is the whole first tree, whose root the verifier has.
    let (mut from, mut to, mut known) = (0, second, true);
    while first != to {
        let middle = from + split(to - from);
        if first <= middle {
            path.push(range_root(reader, middle, to)?);
            to = middle;
        } else {
            path.push(range_root(reader, from, middle)?);
            (from, known) = (middle, false);
        }
    }
    if !known {
        path.push(range_root(reader, from, to)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that the leaf of hash `leaf` stands at `index` in the tree of `size` leaves with that root (RFC 9162,
/// section 2.1.3.2, its variables).
///
/// # Errors
/// If it does not follow.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: Hash,
) -> Result<(), ProofFault> {
    if index >= size || size > MAX_SIZE {
        return Err(ProofFault::OutOfRange);
    }
    let (mut fnode, mut snode, mut r) = (index, size - 1, leaf);
    for p in path {
        if snode == 0 {
            return Err(ProofFault::WrongLength);
        }
        if fnode & 1 == 1 || fnode == snode {
            r = node_hash(p, &r);
            skip_missing_siblings(&mut fnode, &mut snode);
        } else {
            r = node_hash(&r, p);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    finish(snode, r == root)
}

/// Checks that the tree of `first` leaves is a prefix of the tree of `second` leaves (RFC 9162, section 2.1.4.2, its
/// variables). The empty tree is a prefix of every tree.
///
/// # Errors
/// If it does not follow.
pub fn verify_consistency(
    first: u64,
    first_root: Hash,
    second: u64,
    second_root: Hash,
    path: &[Hash],
) -> Result<(), ProofFault> {
    if first > second || second > MAX_SIZE {
        return Err(ProofFault::OutOfRange);
    }
    if first == 0 || first == second {
        let same = if first == second { first_root == second_root } else { true };
        let empty = first != 0 || first_root == Hash::EMPTY_ROOT;
        return if path.is_empty() { finish(0, same && empty) } else { Err(ProofFault::WrongLength) };
    }
    let (mut fnode, mut snode) = (first - 1, second - 1);
    while fnode & 1 == 1 {
        fnode >>= 1;
        snode >>= 1;
    }
    // A first tree that is one perfect subtree is its own first component.
    let (start, rest) = if first.is_power_of_two() {
        (first_root, path)
    } else {
        let (&start, rest) = path.split_first().ok_or(ProofFault::WrongLength)?;
        (start, rest)
    };
    let (mut fr, mut sr) = (start, start);
    for c in rest {
        if snode == 0 {
            return Err(ProofFault::WrongLength);
        }
        if fnode & 1 == 1 || fnode == snode {
            fr = node_hash(c, &fr);
            sr = node_hash(c, &sr);
            skip_missing_siblings(&mut fnode, &mut snode);
        } else {
            sr = node_hash(&sr, c);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    finish(snode, fr == first_root && sr == second_root)
}

/// On the right edge a node without a right sibling stands for its parent: rise until the node is a right child.
fn skip_missing_siblings(fnode: &mut u64, snode: &mut u64) {
    while *fnode & 1 == 0 && *fnode != 0 {
        *fnode >>= 1;
        *snode >>= 1;
    }
}

fn finish(snode: u64, matches: bool) -> Result<(), ProofFault> {
    match (snode, matches) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofFault::RootMismatch),
        _ => Err(ProofFault::WrongLength),
    }
}
