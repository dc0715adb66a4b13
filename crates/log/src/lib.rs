//! The transparency log over the witness chain, as pure code on bytes.
//!
//! Entries ([`Entry`]) are leaves of an append-only Merkle tree (RFC 6962 and 9162, SHA-256). The tree is stored as
//! tiles and entry bundles (C2SP tlog-tiles), its head is signed as a checkpoint (C2SP signed-note, tlog-checkpoint),
//! and one entry is proven by a self-contained file (C2SP tlog-proof). A root key certifies the epoch keys that sign
//! ([`epoch`]). `docs/log.md` is the specification of what C2SP leaves open.
//!
//! What this crate does not do: it reads no file, no clock and no randomness (seeds come from the caller); it does not
//! know what a chain value is made of; it does not talk to witnesses in the sense of C2SP (cosignatures are kept and
//! ignored as unknown signatures); it does not decide what to prune or when to sign.

pub mod base64;
pub mod checkpoint;
pub mod entry;
pub mod epoch;
pub mod frontier;
pub mod fsck;
pub mod hash;
pub mod key;
pub mod note;
pub mod proof;
pub mod prune;
pub mod store;
pub mod tile;
pub mod tlog_proof;
pub mod tree;

pub use checkpoint::{Checkpoint, CheckpointFault};
pub use entry::{CalibrationStep, Entry, EntryFault, GapReason};
pub use epoch::{Certificate, EpochFault, EpochKey, KeyHistory, RootKey};
pub use frontier::Frontier;
pub use fsck::{Fault, Input, Pin, Subject, Summary, Watch, fsck};
pub use hash::{Hash, leaf_hash, node_hash};
pub use key::{KeyFault, SignerKey, VerifierKey};
pub use note::{Note, NoteFault};
pub use proof::{ProofFault, consistency, inclusion, root, verify_consistency, verify_inclusion};
pub use prune::KeptEntry;
pub use store::{HashReader, Storage, StoredTiles};
pub use tile::{BundleFault, TileKind, TilePath, bundle_entries};
pub use tlog_proof::{Evidence, TlogProof, TlogProofFault};
pub use tree::{Appended, ResumeFault, Tree, TreeFull};

/// Most entries of a tree: what fits the signed 64-bit sizes of other implementations.
pub const MAX_SIZE: u64 = i64::MAX as u64;

/// Reads an ASCII decimal without sign and without leading zeros, at most [`MAX_SIZE`].
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    if text.is_empty() || !canonical || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|&n| n <= MAX_SIZE)
}
