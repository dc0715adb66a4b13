//! Opening a log for writing, and the half of it that takes entries.

use crate::error::LedgerError;
use crate::files::{Files, numbered};
use crate::key::{self, KeyFile};
use crate::narrate::Narrator;
use crate::publish::{CERTIFICATES, CHECKPOINT, KEPT, OLDER, Publisher, certificate_name};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wavewitness_log::tile::{TILE_LEVELS, TILE_WIDTH};
use wavewitness_log::{Entry, Hash, KeyHistory, TileKind, TilePath, Tree, bundle_entries};
use wavewitness_types::{Canonical, Timestamp};

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Entries after which a new epoch key signs; 1,728,000 cycles are a day.
    pub epoch_entries: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { epoch_entries: 1_728_000 }
    }
}

/// What both halves share.
pub(crate) struct State {
    pub(crate) tree: Tree,
    /// Full bundles and tiles that are not yet stored, in the order in which they were completed.
    pub(crate) complete: Vec<(TilePath, Vec<u8>)>,
}

/// Takes entries: in memory, in about a microsecond, whatever the size of the log. Clone it into the thread that journals.
#[derive(Clone)]
pub struct Appender(pub(crate) Arc<Mutex<State>>);

/// A panic elsewhere leaves the state whole: every change is a single call of the tree.
pub(crate) fn hold(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(crate) fn append(&mut self, entry: &Entry) -> Result<u64, LedgerError> {
        let State { tree, complete } = self;
        let appended =
            tree.append(&entry.to_canonical_bytes(), |path, bytes| complete.push((path, bytes.to_vec())));
        appended.map(|a| a.index).map_err(|e| LedgerError::Append(e.to_string()))
    }
}

impl Appender {
    /// Appends an entry, to be covered by the next checkpoint. Gives its index.
    ///
    /// # Errors
    /// [`LedgerError::Append`]; nothing is changed then.
    pub fn append(&self, entry: &Entry) -> Result<u64, LedgerError> {
        hold(&self.0).append(entry)
    }

    /// Entries so far, signed or not.
    pub fn size(&self) -> u64 {
        hold(&self.0).tree.size()
    }
}

/// A log that is open for writing.
pub struct Writer {
    /// Takes entries.
    pub appender: Appender,
    /// Stores and signs them.
    pub publisher: Publisher,
    /// The last signed entry that stands for a record of a chain; `None` if there is none yet.
    pub last: Option<Entry>,
    /// What a person should know of the opening, one line each.
    pub notes: Vec<String>,
}

/// The log's lock: the operating system releases it when the process ends, however it ends.
fn lock(dir: &Path) -> Result<File, LedgerError> {
    let path = dir.join("log.lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(LedgerError::io("open the lock", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Locked(dir.to_owned())),
        Err(TryLockError::Error(e)) => Err(LedgerError::io("lock", &path)(e)),
    }
}

/// Opens the log in a directory, or begins one. What was stored behind the last checkpoint is removed: nobody vouches
/// for it, and the caller tells it again from its journal, behind [`Writer::last`]. A new epoch begins.
///
/// # Errors
/// If the key can't be used, the directory can't be written or is in use, or the log is of another key or damaged.
pub fn open(dir: &Path, key: KeyFile, options: Options, now: Timestamp) -> Result<Writer, LedgerError> {
    let root_key = key.load()?.verifier().clone();
    let origin = key::origin(&root_key).expect("loading checked the name").to_owned();
    std::fs::create_dir_all(dir).map_err(LedgerError::io("create the directory", dir))?;
    let lock = lock(dir)?;
    let mut files = Files::new(dir);
    let mut notes = Vec::new();
    let (tree, history, signed) = resume(&mut files, &origin, &root_key)?;
    match signed.is_empty() {
        true => notes.push(format!("log {origin} begins; its root key is {root_key}")),
        false => notes.push(format!("log {origin} goes on from {} entries", tree.size())),
    }
    if files.load("root.pub")?.as_deref() != Some(format!("{root_key}\n").as_bytes()) {
        files.write("root.pub", format!("{root_key}\n").as_bytes())?;
    }
    let last = last_of_chain(&mut files, tree.size());
    let state = Arc::new(Mutex::new(State { tree, complete: Vec::new() }));
    let appender = Appender(Arc::clone(&state));
    let mut publisher = Publisher::new(files, state, key, root_key, history, signed, options, lock);
    publisher.rotate(now)?;
    Ok(Writer { appender, publisher, last, notes })
}

/// Reads what is signed, and removes what is not.
fn resume(
    files: &mut Files,
    origin: &str,
    root_key: &wavewitness_log::VerifierKey,
) -> Result<(Tree, KeyHistory, String), LedgerError> {
    let dir = files.root().to_owned();
    let damaged = |why: String| LedgerError::Damaged(dir.clone(), why);
    let mut history = KeyHistory::new(origin, root_key.clone());
    let Some(checkpoint) = files.load(CHECKPOINT)? else {
        // Before the first checkpoint there can be one certificate and what it was to sign.
        let began = files.load(&certificate_name(1))?.is_some()
            || files.path(OLDER).exists()
            || files.path(KEPT).exists();
        if began {
            return Err(damaged("its checkpoint is gone".into()));
        }
        files.remove(&certificate_name(0))?;
        discard_behind(files, 0)?;
        return Ok((Tree::default(), history, String::new()));
    };
    let text =
        String::from_utf8(checkpoint.clone()).map_err(|_| damaged("the checkpoint is no text".into()))?;
    let size = wavewitness_log::Checkpoint::read_unverified(&checkpoint, origin)
        .map_err(|e| damaged(format!("its checkpoint: {e}")))?
        .0
        .size;
    let rolled_back =
        |what: &str| damaged(format!("it was rolled back: {what} is behind its checkpoint of size {size}"));
    if files.sizes_in(OLDER).any(|older| older > size) {
        return Err(rolled_back("an older checkpoint"));
    }
    let mut unsigned = Vec::new();
    for epoch in 0.. {
        let name = certificate_name(epoch);
        let Some(note) = files.load(&name)? else { break };
        let refused = |e: wavewitness_log::EpochFault| damaged(format!("{CERTIFICATES}: epoch {epoch}: {e}"));
        let certificate = wavewitness_log::Certificate::open(&note, origin, root_key).map_err(refused)?;
        match certificate.after < size {
            true => drop(history.add(certificate.after, &note).map_err(refused)?),
            false => unsigned.push(name),
        }
    }
    // A crash before the first checkpoint of an epoch leaves its certificate, and no other.
    if unsigned.len() > 1 {
        return Err(rolled_back("a certificate"));
    }
    let signed = history.open(&checkpoint).map_err(|e| damaged(format!("its checkpoint: {e}")))?;
    let tree = Tree::resume(files, size).map_err(|e| damaged(e.to_string()))?;
    if tree.root() != signed.root {
        return Err(damaged(format!(
            "its files give root {} and not the signed {}",
            tree.root(),
            signed.root
        )));
    }
    // Everything signed is there and right. What it needs must not be only the beginning of a file that goes now.
    let mut edge = Vec::new();
    tree.partials(0, |path, bytes| edge.push((path, bytes.to_vec())));
    for (path, bytes) in &edge {
        if files.widest(*path) > path.width {
            files.write(&path.to_string(), bytes)?;
        }
    }
    files.sync_names()?;
    unsigned.iter().try_for_each(|name| files.remove(name))?;
    discard_behind(files, size)?;
    Ok((tree, history, text))
}

/// Removes bundles and tiles behind `size`.
fn discard_behind(files: &mut Files, size: u64) -> Result<(), LedgerError> {
    let kinds = (0..TILE_LEVELS).map(TileKind::Hashes).chain([TileKind::Entries]);
    for kind in kinds {
        let hashes = match kind {
            TileKind::Entries => size,
            TileKind::Hashes(level) => size >> (8 * u32::from(level)),
        };
        let edge = numbered(kind, hashes / TILE_WIDTH);
        // The tile at the edge is partial at this size, if it has anything at all.
        files.remove(&edge.to_string())?;
        files.remove_partials(edge, (hashes % TILE_WIDTH) as u16)?;
        for index in edge.index + 1.. {
            let tile = numbered(kind, index);
            if files.widest(tile) == 0 {
                break;
            }
            files.remove(&tile.to_string())?;
            files.remove_partials(tile, 0)?;
        }
    }
    Ok(())
}

/// The last entry that stands for a record of a chain, searched from the end.
fn last_of_chain(files: &mut Files, size: u64) -> Option<Entry> {
    let mut bytes = Vec::new();
    for index in (0..size.div_ceil(TILE_WIDTH)).rev() {
        let path = TilePath::of(TileKind::Entries, index, size)?;
        if !wavewitness_log::Storage::read(files, path, &mut bytes) {
            return None;
        }
        let entries = bundle_entries(&bytes).ok()?;
        let of_chain = |entry: &&[u8]| {
            let entry = Entry::parse(entry).ok()?;
            Narrator::chain_of(&entry).map(|_| entry)
        };
        if let Some(entry) = entries.iter().take(usize::from(path.width)).rev().find_map(of_chain) {
            return Some(entry);
        }
    }
    None
}

/// A size and root, for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}
