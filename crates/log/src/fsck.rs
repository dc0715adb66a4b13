//! Checks a stored log from its files alone: rebuilds the root from the entries and names every fault.
//!
//! The walk reads each bundle and tile once, in order, and holds one tile a level. Where a bundle and its level-0 tile
//! disagree, the level above (or the signed root, at the right edge) decides which of them is damaged; the rebuild goes
//! on with the sound one, so that one flipped bit is one fault. A root that can't be reached although no file
//! contradicts another means that the log was rewritten as a whole.

mod walk;

use crate::checkpoint::CheckpointFault;
use crate::entry::{Entry, EntryFault};
use crate::epoch::{EpochFault, KeyHistory};
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::prune::KeptEntry;
use crate::store::Storage;
use crate::tile::{BundleFault, TilePath};
use core::fmt;

/// A size and root that the verifier remembers from an earlier check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Entries.
    pub size: u64,
    /// Root.
    pub root: Hash,
}

/// What to check, beside the storage.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// Name of the log.
    pub origin: &'a str,
    /// Key that certifies its epoch keys.
    pub root_key: &'a VerifierKey,
    /// Its latest checkpoint.
    pub checkpoint: &'a [u8],
    /// Older checkpoints that were kept, in any order.
    pub older: &'a [Vec<u8>],
    /// What an earlier check saw.
    pub pin: Option<Pin>,
    /// Entries before this index may be gone; 0 for a log that was never pruned.
    pub minimum_index: u64,
    /// Entries that survive from pruned bundles, by rising index.
    pub kept: &'a [KeptEntry],
    /// Entries up to the end of the last stored bundle.
    pub stored: u64,
}

/// Whose root is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The latest checkpoint.
    Latest,
    /// The older checkpoint of that number in the list.
    Older(usize),
    /// The pin.
    Pin,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Latest => f.write_str("the latest checkpoint"),
            Subject::Older(n) => write!(f, "older checkpoint {n}"),
            Subject::Pin => f.write_str("the pin"),
        }
    }
}

/// One thing found wrong, or worth saying ([`Fault::is_notice`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A file that must be there is not, or can't be read.
    Missing(TilePath),
    /// A tile's length is not that of its hashes.
    TileLength(TilePath),
    /// A bundle is not whole entries.
    Bundle {
        /// The bundle.
        path: TilePath,
        /// Why.
        fault: BundleFault,
    },
    /// A bundle holds fewer entries than its width.
    BundleShort(TilePath),
    /// An entry does not have the leaf hash that the tile says: the entry was changed.
    Leaf {
        /// Its index.
        index: u64,
    },
    /// Two entries of a bundle stand in each other's place.
    Swapped {
        /// Index of one.
        first: u64,
        /// Index of the other.
        second: u64,
    },
    /// A hash of a tile is not that of the subtree below it: the tile was changed, or all that is below it.
    TileHash {
        /// The tile.
        path: TilePath,
        /// Position of the hash in it.
        position: u16,
    },
    /// An entry can't be read although its hash is right.
    Entry {
        /// Its index.
        index: u64,
        /// Why.
        fault: EntryFault,
    },
    /// A certificate is refused.
    Epoch {
        /// Index of its entry.
        index: u64,
        /// Why.
        fault: EpochFault,
    },
    /// An entry kept from a pruned bundle does not lead to the hash in the level-1 tile.
    Kept {
        /// Its index.
        index: u64,
    },
    /// A checkpoint is refused.
    Checkpoint {
        /// Which.
        subject: Subject,
        /// Why.
        fault: CheckpointFault,
    },
    /// The entries give another root than was signed or pinned: history was rewritten, or this root was.
    Root {
        /// Whose root.
        subject: Subject,
        /// Its size.
        size: u64,
    },
    /// Fewer entries are stored than were signed: the end was cut off.
    Truncated {
        /// Entries stored.
        stored: u64,
        /// Entries signed.
        signed: u64,
    },
    /// The latest checkpoint is of a smaller tree than an older one or the pin: the log was rolled back.
    RolledBack {
        /// What knows a larger tree.
        subject: Subject,
        /// Its size.
        size: u64,
    },
    /// Entries are gone without a retention entry that says so.
    Retention {
        /// The minimum index in force.
        minimum_index: u64,
        /// The largest that the log's entries announce.
        announced: u64,
    },
    /// Neither bundle nor tiles tell a subtree's hash: no later root can be judged.
    NotRebuilt {
        /// First index of the subtree.
        from: u64,
    },
    /// Notice: a root can't be judged, because its size lies in a pruned or lost part.
    Unjudged {
        /// Whose root.
        subject: Subject,
        /// Its size.
        size: u64,
    },
    /// Notice: entries that no checkpoint covers yet. Nobody vouches for them.
    UnsignedTail {
        /// First index.
        from: u64,
        /// One past the last.
        to: u64,
    },
}

impl Fault {
    /// True for what an honest log may show: it limits what was proven and is no damage.
    pub fn is_notice(&self) -> bool {
        matches!(self, Fault::Unjudged { .. } | Fault::UnsignedTail { .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Missing(path) => write!(f, "missing: {path}"),
            Fault::TileLength(path) => write!(f, "tile length: {path} is not {} hashes", path.width),
            Fault::Bundle { path, fault } => write!(f, "bundle: {path}: {fault}"),
            Fault::BundleShort(path) => {
                write!(f, "bundle short: {path} holds fewer than {} entries", path.width)
            }
            Fault::Leaf { index } => write!(f, "leaf: entry {index} differs from its leaf hash"),
            Fault::Swapped { first, second } => write!(f, "swapped: entries {first} and {second}"),
            Fault::TileHash { path, position } => {
                write!(f, "tile hash: {path}, hash {position} differs from what is below it")
            }
            Fault::Entry { index, fault } => write!(f, "entry: {index}: {fault}"),
            Fault::Epoch { index, fault } => write!(f, "certificate: entry {index}: {fault}"),
            Fault::Kept { index } => write!(f, "kept entry: {index} does not lead to its tile"),
            Fault::Checkpoint { subject, fault } => write!(f, "checkpoint: {subject}: {fault}"),
            Fault::Root { subject, size } => {
                write!(f, "root: the entries do not give the root of {subject} at size {size}")
            }
            Fault::Truncated { stored, signed } => {
                write!(f, "truncated: {stored} entries are stored, {signed} were signed")
            }
            Fault::RolledBack { subject, size } => {
                write!(f, "rolled back: {subject} knows a tree of {size} entries")
            }
            Fault::Retention { minimum_index, announced } => write!(
                f,
                "retention: entries before {minimum_index} may be gone, but the log announced {announced}"
            ),
            Fault::NotRebuilt { from } => {
                write!(f, "not rebuilt: nothing tells the subtree from entry {from}")
            }
            Fault::Unjudged { subject, size } => {
                write!(f, "unjudged: the root of {subject} at size {size} lies in a pruned or lost part")
            }
            Fault::UnsignedTail { from, to } => write!(f, "unsigned tail: entries {from} to {}", to - 1),
        }
    }
}

/// Who is told. The caller checks entries against its journal here.
pub trait Watch {
    /// An entry that could be read. `signed` is false behind the latest checkpoint.
    fn entry(&mut self, index: u64, entry: &Entry, signed: bool) {
        let _ = (index, entry, signed);
    }

    /// A fault, as soon as it is found.
    fn fault(&mut self, fault: Fault);
}

/// What a check showed.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The latest checkpoint's size and root, if its signature is valid, its root was rebuilt from the entries, and
    /// neither pin nor older checkpoint knows a larger tree: what may be pinned next.
    pub proven: Option<Pin>,
    /// Entries read and matched to their leaf hashes.
    pub entries: u64,
    /// Entries that were pruned, of which only subtree hashes and kept entries remain.
    pub pruned: u64,
    /// Entries behind the latest checkpoint.
    pub unsigned: u64,
    /// Faults told, without notices.
    pub faults: u64,
    /// The certificates of the log.
    pub keys: KeyHistory,
}

/// Checks a stored log. Work is linear in the entries stored.
pub fn fsck<S: Storage, W: Watch>(storage: &mut S, input: &Input<'_>, watch: &mut W) -> Summary {
    walk::Walk::new(storage, input, watch).run()
}
