//! That a tree which was signed once is the beginning of one that was signed later.

use super::{LogError, Trust};
use serde::Serialize;
use std::path::Path;
use wavewitness_log::{Checkpoint, Hash, KeyHistory, ProofFault, verify_consistency};

/// Two signed trees, the one a beginning of the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Consistency {
    /// Name of the log.
    pub origin: String,
    /// Entries of the earlier tree.
    pub from_size: u64,
    /// Its root.
    pub from_root: String,
    /// Entries of the later tree.
    pub to_size: u64,
    /// Its root.
    pub to_root: String,
    /// The consistency proof of RFC 9162, section 2.1.4, in base64.
    pub hashes: Vec<String>,
}

/// Proves with the tiles of a log that the tree of checkpoint `from` is the beginning of the tree of checkpoint `to`
/// (the log's present one, if `None`). Both must be signed by keys that the root key certified for their sizes.
///
/// # Errors
/// [`LogError::Refused`] if a checkpoint is refused, the later tree is smaller, or it does not follow.
pub fn prove(trust: &Trust, log: &Path, from: &[u8], to: Option<&[u8]>) -> Result<Consistency, LogError> {
    let mut dir = trust.open(log)?;
    let keys = dir.keys()?;
    let open = |what: &str, note: &[u8]| keys.open(note).map_err(|e| LogError::refused(what, e));
    let from = open("the earlier checkpoint", from)?;
    let to = match to {
        Some(note) => open("the later checkpoint", note)?,
        None => open("the log's checkpoint", &dir.checkpoint()?)?,
    };
    if to.size < from.size {
        return Err(LogError::Refused(format!(
            "rolled back: the earlier checkpoint is of {} entries, the later one of {} only",
            from.size, to.size
        )));
    }
    let hashes = dir.consistency(from.size, to.size).map_err(|e| not_made(&from, &to, e))?;
    verify_consistency(from.size, from.root, to.size, to.root, &hashes).map_err(|_| {
        LogError::Refused(format!(
            "NOT CONSISTENT: the tree of {} entries that was signed then is no beginning of the tree of {} entries: \
             history was rewritten, or the tiles are damaged (`fsck` tells which)",
            from.size, to.size
        ))
    })?;
    certified(&keys, &to, |first, second| dir.consistency(first, second))?;
    Ok(Consistency {
        origin: trust.origin().to_owned(),
        from_size: from.size,
        from_root: from.root.to_string(),
        to_size: to.size,
        to_root: to.root.to_string(),
        hashes: hashes.iter().map(Hash::to_string).collect(),
    })
}

/// The later tree must grow from the history that the root key certified with its key: else a stolen epoch key could
/// have made both.
fn certified(
    keys: &KeyHistory,
    to: &Checkpoint,
    mut consistency: impl FnMut(u64, u64) -> Result<Vec<Hash>, ProofFault>,
) -> Result<(), LogError> {
    let Some(certificate) = keys.valid_for(to.size) else { return Ok(()) };
    let (after, root) = (certificate.after, certificate.root);
    let hashes = consistency(after, to.size).map_err(|e| LogError::refused("certified history", e))?;
    verify_consistency(after, root, to.size, to.root, &hashes)
        .map_err(|e| LogError::refused("certified history", e))
}

fn not_made(from: &Checkpoint, to: &Checkpoint, fault: ProofFault) -> LogError {
    LogError::Unavailable(format!("no proof from {} to {} entries can be made: {fault}", from.size, to.size))
}
