//! The half of the writer that stores and signs.

use crate::error::LedgerError;
use crate::files::{Files, numbered};
use crate::key::{self, KeyFile};
use crate::writer::{Head, Options, State, hold};
use std::fs::File;
use std::sync::{Arc, Mutex};
use wavewitness_log::prune::deletions;
use wavewitness_log::tile::TILE_WIDTH;
use wavewitness_log::{
    Entry, EpochKey, KeptEntry, KeyHistory, Storage, TileKind, TilePath, VerifierKey, bundle_entries,
};
use wavewitness_types::{Canonical, CycleIndex, Timestamp};

/// The signed head.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// Certificates of the epoch keys by number.
pub(crate) const CERTIFICATES: &str = "certificates";
/// Older checkpoints by size.
pub(crate) const OLDER: &str = "checkpoints";
/// Entries kept from pruned bundles.
pub(crate) const KEPT: &str = "kept";

/// Name of the certificate of an epoch.
pub(crate) fn certificate_name(epoch: u64) -> String {
    format!("{CERTIFICATES}/{epoch:06}")
}

/// Stores and signs. Owns the directory.
pub struct Publisher {
    files: Files,
    state: Arc<Mutex<State>>,
    key: KeyFile,
    origin: String,
    root_key: VerifierKey,
    history: KeyHistory,
    options: Options,
    epoch: Option<Epoch>,
    /// Size of the last checkpoint, and its text.
    signed: (u64, String),
    /// Partial tiles that the last checkpoint needed and a full tile replaced.
    obsolete: Vec<TilePath>,
    failed: bool,
    _lock: File,
}

/// The key that signs now.
struct Epoch {
    key: EpochKey,
    until: u64,
}

/// What the next checkpoint will cover. Everything in it was journalled before it was taken.
#[must_use = "what was taken is lost unless it is published"]
pub struct Taken {
    files: Vec<(TilePath, Vec<u8>)>,
    head: Head,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Entries covered.
    pub size: u64,
    /// The checkpoint.
    pub checkpoint: String,
}

impl Publisher {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        files: Files,
        state: Arc<Mutex<State>>,
        key: KeyFile,
        root_key: VerifierKey,
        history: KeyHistory,
        signed: String,
        options: Options,
        lock: File,
    ) -> Publisher {
        let origin = key::origin(&root_key).expect("loading checked the name").to_owned();
        let size = hold(&state).tree.size();
        Publisher {
            files,
            state,
            key,
            origin,
            root_key,
            history,
            options,
            epoch: None,
            signed: (size, signed),
            obsolete: Vec::new(),
            failed: false,
            _lock: lock,
        }
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What verifiers must be given by a safe way.
    pub fn root_key(&self) -> &VerifierKey {
        &self.root_key
    }

    /// What was signed last; an empty text before the first checkpoint.
    pub fn published(&self) -> Published {
        Published { size: self.signed.0, checkpoint: self.signed.1.clone() }
    }

    /// Number of the present epoch.
    pub fn epoch(&self) -> u64 {
        (self.history.certificates().len() as u64).saturating_sub(1)
    }

    /// Begins an epoch: a new key in memory, certified by the root key, its certificate an entry of the log.
    pub(crate) fn rotate(&mut self, now: Timestamp) -> Result<(), LedgerError> {
        let refuse = |why: String| LedgerError::Key(self.key.path().to_owned(), why);
        let root = self.key.load()?;
        if *root.verifier() != self.root_key {
            return Err(refuse(format!("it is now another key than {}", self.root_key)));
        }
        let epoch = key::epoch(&self.origin).map_err(refuse)?;
        let number = self.history.certificates().len() as u64;
        let state = Arc::clone(&self.state);
        let mut state = hold(&state);
        let after = state.tree.size();
        let until = after.saturating_add(self.options.epoch_entries.max(1));
        let certificate = root
            .certify(&epoch, number, (after, state.tree.root()), until, now)
            .map_err(|e| refuse(e.to_string()))?;
        drop(root);
        state.append(&Entry::Epoch { certificate: certificate.clone() })?;
        drop(state);
        self.history.add(after, certificate.as_bytes()).map_err(|e| refuse(e.to_string()))?;
        self.files.write(&certificate_name(number), certificate.as_bytes())?;
        self.epoch = Some(Epoch { key: epoch, until });
        Ok(())
    }

    /// Takes everything appended so far. Make the journal durable, then [`Publisher::publish`] it.
    ///
    /// # Errors
    /// If a new epoch is due and the root key can't be read, or a write failed before.
    pub fn take(&mut self, now: Timestamp) -> Result<Taken, LedgerError> {
        if self.failed {
            return Err(LedgerError::Failed);
        }
        let due = self.epoch.as_ref().is_none_or(|epoch| hold(&self.state).tree.size() > epoch.until);
        if due {
            self.keep_checkpoint().and_then(|()| self.rotate(now)).inspect_err(|_| self.failed = true)?;
        }
        let mut state = hold(&self.state);
        let mut files = std::mem::take(&mut state.complete);
        state.tree.partials(self.signed.0, |path, bytes| files.push((path, bytes.to_vec())));
        Ok(Taken { files, head: Head { size: state.tree.size(), root: state.tree.root() } })
    }

    /// Stores what was taken, then signs it. When this returns, all of it is on the disk.
    ///
    /// # Errors
    /// If a file can't be written: then nothing more is signed, because what is on the disk is not known any more.
    pub fn publish(&mut self, taken: Taken) -> Result<Published, LedgerError> {
        if self.failed {
            return Err(LedgerError::Failed);
        }
        let done = self.store_and_sign(taken);
        done.inspect_err(|_| self.failed = true)
    }

    fn store_and_sign(&mut self, taken: Taken) -> Result<Published, LedgerError> {
        let Taken { files, head } = taken;
        for (path, bytes) in &files {
            self.files.write(&path.to_string(), bytes)?;
            if path.is_full() {
                self.obsolete.push(*path);
            }
        }
        self.files.sync_names()?;
        let epoch = self.epoch.as_ref().ok_or(LedgerError::Failed)?;
        let checkpoint =
            epoch.key.checkpoint(head.size, head.root).map_err(|e| LedgerError::Append(e.to_string()))?;
        self.files.write(CHECKPOINT, checkpoint.as_bytes())?;
        self.files.sync_names()?;
        self.signed = (head.size, checkpoint.clone());
        // Only now: until the new checkpoint stood, the old one needed them.
        for path in std::mem::take(&mut self.obsolete) {
            self.files.remove_partials(path, 0)?;
        }
        Ok(Published { size: head.size, checkpoint })
    }

    /// Keeps the present checkpoint among the older ones, so that `fsck` can hold the log to it later.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn keep_checkpoint(&mut self) -> Result<(), LedgerError> {
        let (size, text) = &self.signed;
        if text.is_empty() {
            return Ok(());
        }
        self.files.write(&format!("{OLDER}/{size}"), text.as_bytes())
    }

    /// Index of the first stored entry that is not older than `cutoff`, by its bundle: reads the bundles that are older.
    pub fn first_since(&self, cutoff: Timestamp) -> u64 {
        let end = self.signed.0 / TILE_WIDTH;
        let mut bundle = self.files.first_bundle().unwrap_or(end);
        while bundle < end {
            let path = self.files.path(&numbered(TileKind::Entries, bundle).to_string());
            let bytes = std::fs::read(path).unwrap_or_default();
            let entries = bundle_entries(&bytes).unwrap_or_default();
            let newest = entries.iter().filter_map(|e| Entry::parse(e).ok()?.at()).max();
            // One that can't be read, or says no time, is no reason to delete what is behind it.
            if newest.is_none_or(|at| at >= cutoff) {
                break;
            }
            bundle += 1;
        }
        bundle * TILE_WIDTH
    }

    /// Deletes the entries before `minimum_index` (rounded down to whole bundles) but for those that are no cycles:
    /// first a retention entry that says so is signed, then what is kept is stored, then the rest is deleted. The root
    /// can still be rebuilt. Gives the first index that remains.
    ///
    /// `first_cycle` is the first cycle whose journal is kept: it is announced also where no whole bundle is as old.
    /// `sync` makes the journal durable.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub fn prune<E: From<LedgerError>>(
        &mut self,
        minimum_index: u64,
        first_cycle: CycleIndex,
        now: Timestamp,
        sync: impl FnOnce() -> Result<(), E>,
    ) -> Result<u64, E> {
        let first = self.files.first_bundle().unwrap_or(0) * TILE_WIDTH;
        let minimum_index = (minimum_index.min(self.signed.0) / TILE_WIDTH * TILE_WIDTH).max(first);
        hold(&self.state).append(&Entry::Retention { at: now, minimum_index, first_cycle })?;
        let taken = self.take(now)?;
        sync()?;
        self.publish(taken)?;
        if minimum_index > first {
            self.cut(first, minimum_index).inspect_err(|_| self.failed = true)?;
        }
        Ok(minimum_index)
    }

    fn cut(&mut self, first: u64, minimum_index: u64) -> Result<(), LedgerError> {
        self.keep_checkpoint()?;
        let mut kept = self.files.load(KEPT)?.unwrap_or_default();
        for index in first / TILE_WIDTH..minimum_index / TILE_WIDTH {
            self.keep_events(index, &mut kept)?;
        }
        self.files.write(KEPT, &kept)?;
        self.files.sync_names()?;
        for path in deletions(first, minimum_index) {
            self.files.remove(&path.to_string())?;
        }
        Ok(())
    }

    /// Adds the entries of a bundle that are no cycles to `kept`.
    fn keep_events(&mut self, bundle: u64, kept: &mut Vec<u8>) -> Result<(), LedgerError> {
        let damaged = |files: &Files, why: String| {
            LedgerError::Damaged(files.root().to_owned(), format!("bundle {bundle}: {why}"))
        };
        let (mut entries, mut hashes) = (Vec::new(), Vec::new());
        let whole = Storage::read(&mut self.files, numbered(TileKind::Entries, bundle), &mut entries)
            && Storage::read(&mut self.files, numbered(TileKind::Hashes(0), bundle), &mut hashes);
        if !whole {
            return Err(damaged(
                &self.files,
                "can't be read, so what must be kept of it is not known".into(),
            ));
        }
        let parsed = bundle_entries(&entries).map_err(|e| damaged(&self.files, e.to_string()))?;
        for (k, bytes) in (0u64..).zip(parsed) {
            if Entry::parse(bytes).is_ok_and(|entry| !entry.is_event()) {
                continue;
            }
            let entry = KeptEntry::extract(bundle * TILE_WIDTH + k, &entries, &hashes)
                .ok_or_else(|| damaged(&self.files, format!("entry {k} does not have its leaf hash")))?;
            let bytes = entry.to_canonical_bytes();
            kept.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            kept.extend_from_slice(&bytes);
        }
        Ok(())
    }
}
