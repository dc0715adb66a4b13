//! The stored log of somebody who has its files.

use crate::error::LedgerError;
use crate::files::{Files, numbered};
use crate::key;
use crate::publish::{CHECKPOINT, KEPT, OLDER, certificate_name};
use std::path::Path;
use wavewitness_log::tile::TILE_WIDTH;
use wavewitness_log::{
    Checkpoint, Entry, Hash, Input, KeptEntry, KeyHistory, Pin, ProofFault, Storage, StoredTiles, Summary,
    TileKind, TilePath, VerifierKey, Watch, bundle_entries, consistency, fsck, inclusion,
};

/// A stored log, to read. Takes no lock: a log may be read while it is written, because files are replaced whole and the
/// checkpoint last.
pub struct LogDir {
    files: Files,
    origin: String,
    root_key: VerifierKey,
}

impl LogDir {
    /// A log's directory, and the root key that its reader trusts.
    ///
    /// # Errors
    /// If there is no log, or the key is no root key.
    pub fn open(dir: &Path, root_key: VerifierKey) -> Result<LogDir, LedgerError> {
        let origin = key::origin(&root_key).map(str::to_owned).ok_or_else(|| {
            let why = format!("its name is {}, which does not end in {}", root_key.name(), key::ROOT_SUFFIX);
            LedgerError::Key(dir.join("root.pub"), why)
        })?;
        let files = Files::new(dir);
        std::fs::metadata(dir).map_err(LedgerError::io("open", dir))?;
        Ok(LogDir { files, origin, root_key })
    }

    /// The root key that lies beside the log: to be compared with one that came by a safe way, not to be trusted for
    /// lying there.
    ///
    /// # Errors
    /// If there is none, or it is no key.
    pub fn stored_root_key(dir: &Path) -> Result<VerifierKey, LedgerError> {
        let path = dir.join("root.pub");
        let text = std::fs::read_to_string(&path).map_err(LedgerError::io("read", &path))?;
        VerifierKey::parse(text.trim_end()).map_err(|e| LedgerError::Key(path, e.to_string()))
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The root key that the reader trusts.
    pub fn root_key(&self) -> &VerifierKey {
        &self.root_key
    }

    /// The latest checkpoint, not verified; empty if there is none.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn checkpoint(&self) -> Result<Vec<u8>, LedgerError> {
        Ok(self.files.load(CHECKPOINT)?.unwrap_or_default())
    }

    /// Older checkpoints by size.
    ///
    /// # Errors
    /// If one can't be read.
    pub fn older(&self) -> Result<Vec<Vec<u8>>, LedgerError> {
        let mut sizes: Vec<u64> = self.files.sizes_in(OLDER).collect();
        sizes.sort_unstable();
        sizes.iter().filter_map(|size| self.files.load(&format!("{OLDER}/{size}")).transpose()).collect()
    }

    /// The stored certificate of an epoch, not verified.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn certificate(&self, epoch: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        self.files.load(&certificate_name(epoch))
    }

    /// The certificates in order, each verified by the root key and against the one before.
    ///
    /// # Errors
    /// If one can't be read or is refused.
    pub fn keys(&self) -> Result<KeyHistory, LedgerError> {
        let mut history = KeyHistory::new(&self.origin, self.root_key.clone());
        for epoch in 0.. {
            let Some(note) = self.certificate(epoch)? else { break };
            let refused = |e: &dyn std::fmt::Display| {
                LedgerError::Damaged(
                    self.files.root().to_owned(),
                    format!("certificate of epoch {epoch}: {e}"),
                )
            };
            let certificate = wavewitness_log::Certificate::open(&note, &self.origin, &self.root_key);
            let after = certificate.map_err(|e| refused(&e))?.after;
            history.add(after, &note).map_err(|e| refused(&e))?;
        }
        Ok(history)
    }

    /// The latest checkpoint, verified by root key and certificate. (The certificate's place in the log is `fsck`'s
    /// to check, or the proof's.)
    ///
    /// # Errors
    /// If there is none or it is refused.
    pub fn head(&self) -> Result<Checkpoint, LedgerError> {
        let checkpoint = self.checkpoint()?;
        let refused = |e: &dyn std::fmt::Display| {
            LedgerError::Damaged(self.files.root().to_owned(), format!("its checkpoint: {e}"))
        };
        self.keys()?.open(&checkpoint).map_err(|e| refused(&e))
    }

    /// Entries kept from pruned bundles.
    ///
    /// # Errors
    /// If they can't be read, or the file is not whole.
    pub fn kept(&self) -> Result<Vec<KeptEntry>, LedgerError> {
        let bytes = self.files.load(KEPT)?.unwrap_or_default();
        let mut out = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let next = rest.split_first_chunk::<4>().and_then(|(length, tail)| {
                let (entry, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                Some((KeptEntry::from_canonical_bytes(entry)?, tail))
            });
            let Some((entry, tail)) = next else {
                let why = format!("{KEPT}: malformed at byte {}", bytes.len() - rest.len());
                return Err(LedgerError::Damaged(self.files.root().to_owned(), why));
            };
            out.push(entry);
            rest = tail;
        }
        Ok(out)
    }

    /// First entry whose bundle is stored.
    pub fn first(&self) -> u64 {
        self.files.first_bundle().unwrap_or(0) * TILE_WIDTH
    }

    /// Entries up to the end of the last stored bundle, at least those before `size` that are there.
    pub fn stored(&self, size: u64) -> u64 {
        let width = |index| u64::from(self.files.widest(numbered(TileKind::Entries, index)));
        let first = self.files.first_bundle().unwrap_or(0);
        let mut index = size / TILE_WIDTH;
        if width(index) == 0 && !size.is_multiple_of(TILE_WIDTH) {
            // Cut off: the last that is there. Holes before it are for fsck to name.
            return (first..index).rev().find(|&i| width(i) > 0).map_or(0, |i| i * TILE_WIDTH + width(i));
        }
        while width(index) == TILE_WIDTH {
            index += 1;
        }
        let end = index * TILE_WIDTH + width(index);
        if end < size {
            (first..index).rev().find(|&i| width(i) > 0).map_or(0, |i| i * TILE_WIDTH + width(i))
        } else {
            end
        }
    }

    /// Rebuilds the root from the files and tells every fault.
    ///
    /// # Errors
    /// If something beside bundles and tiles can't be read.
    pub fn fsck(&mut self, pin: Option<Pin>, watch: &mut impl Watch) -> Result<Summary, LedgerError> {
        let checkpoint = self.checkpoint()?;
        self.fsck_at(&checkpoint, pin, watch)
    }

    /// The same, for the tree of a checkpoint that was read before: the log may grow meanwhile, and what was signed
    /// must be older than what it is compared with.
    ///
    /// # Errors
    /// If something beside bundles and tiles can't be read.
    pub fn fsck_at(
        &mut self,
        checkpoint: &[u8],
        pin: Option<Pin>,
        watch: &mut impl Watch,
    ) -> Result<Summary, LedgerError> {
        let (older, kept) = (self.older()?, self.kept()?);
        let size = Checkpoint::read_unverified(checkpoint, &self.origin).map_or(0, |(c, _)| c.size);
        let (minimum_index, stored) = (self.first(), self.stored(size));
        let input = Input {
            origin: &self.origin.clone(),
            root_key: &self.root_key.clone(),
            checkpoint,
            older: &older,
            pin,
            minimum_index,
            kept: &kept,
            stored,
        };
        Ok(fsck(&mut self.files, &input, watch))
    }

    /// The bytes of an entry of a log of `size` entries; `None` if it is not there.
    pub fn entry(&mut self, index: u64, size: u64) -> Option<Vec<u8>> {
        let path = TilePath::of(TileKind::Entries, index / TILE_WIDTH, size)?;
        let mut bytes = Vec::new();
        let read = self.files.read(path, &mut bytes);
        let found = if read {
            bundle_entries(&bytes).ok()?.get((index % TILE_WIDTH) as usize).map(|e| e.to_vec())
        } else {
            None
        };
        found.or_else(|| self.kept().ok()?.into_iter().find(|k| k.index == index).map(|k| k.entry))
    }

    /// The newest entry of a log of `size` entries that `wanted` accepts, with its index. Reads from the end.
    pub fn find_back(&mut self, size: u64, mut wanted: impl FnMut(&Entry) -> bool) -> Option<(u64, Vec<u8>)> {
        let mut bytes = Vec::new();
        for bundle in (0..size.div_ceil(TILE_WIDTH)).rev() {
            let path = TilePath::of(TileKind::Entries, bundle, size)?;
            if !self.files.read(path, &mut bytes) {
                continue;
            }
            let Ok(entries) = bundle_entries(&bytes) else { continue };
            let hit = entries.iter().take(usize::from(path.width)).enumerate().rev();
            for (k, entry) in hit {
                if Entry::parse(entry).is_ok_and(|e| wanted(&e)) {
                    return Some((bundle * TILE_WIDTH + k as u64, entry.to_vec()));
                }
            }
        }
        None
    }

    /// The siblings of an entry up to the root of the first `size` entries.
    ///
    /// # Errors
    /// If a hash is not there.
    pub fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>, ProofFault> {
        inclusion(&mut StoredTiles::new(&mut self.files, size), index, size)
    }

    /// That the first `first` entries are the beginning of the first `second`.
    ///
    /// # Errors
    /// If a hash is not there.
    pub fn consistency(&mut self, first: u64, second: u64) -> Result<Vec<Hash>, ProofFault> {
        consistency(&mut StoredTiles::new(&mut self.files, second), first, second)
    }
}
