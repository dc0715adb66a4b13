//! Durability, off the cycle thread.

use crate::dir::sync_dir;
use crate::error::JournalError;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Makes a journal durable; clone it into the thread that calls it once a second.
///
/// The writer never waits for the disk: it hands bytes to the operating system, and when a segment is full it goes on
/// with the next. This handle does the waiting: it flushes the full segments, gives them their final names, then
/// flushes the current one. A full segment keeps its `.part` name until a sync has done so.
#[derive(Clone, Debug)]
pub struct SyncHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    /// Held during a whole sync: two at once would rename twice.
    turn: Mutex<()>,
    /// Held for moments only: the writer takes it every cycle.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    full: Vec<Full>,
    current: Option<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    file: Arc<File>,
    path: PathBuf,
    written: u64,
    durable: u64,
    /// True once the directory's entry for it is durable.
    named: bool,
}

/// A segment that is complete but not yet durable under its final name.
#[derive(Clone, Debug)]
struct Full {
    file: Arc<File>,
    part: PathBuf,
    done: PathBuf,
}

/// A panic elsewhere leaves these plain values whole.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SyncHandle {
    pub(crate) fn new(dir: PathBuf) -> SyncHandle {
        SyncHandle {
            shared: Arc::new(Shared { dir, turn: Mutex::new(()), state: Mutex::new(State::default()) }),
        }
    }

    /// Waits until everything that was appended before this call is on the disk.
    ///
    /// # Errors
    /// [`JournalError::Io`]. Treat it as a failed write: after a failed sync the operating system may have dropped
    /// the data, and a second sync that succeeds proves nothing.
    pub fn sync(&self) -> Result<(), JournalError> {
        let _turn = hold(&self.shared.turn);
        let (full, current) = {
            let state = hold(&self.shared.state);
            (state.full.clone(), state.current.clone())
        };
        for Full { file, part, done } in &full {
            file.sync_all().map_err(|e| JournalError::io("sync", part, e))?;
            fs::rename(part, done).map_err(|e| JournalError::io("rename", part, e))?;
            hold(&self.shared.state).full.remove(0);
        }
        if let Some(current) = &current {
            current.file.sync_data().map_err(|e| JournalError::io("sync", &current.path, e))?;
        }
        if !full.is_empty() || current.as_ref().is_some_and(|c| !c.named) {
            sync_dir(&self.shared.dir)?;
        }
        let mut state = hold(&self.shared.state);
        if let (Some(now), Some(synced)) = (&mut state.current, &current)
            && now.path == synced.path
        {
            now.durable = synced.written;
            now.named = true;
        }
        Ok(())
    }

    /// A new segment became the current one.
    pub(crate) fn begin(&self, file: Arc<File>, path: PathBuf) {
        hold(&self.shared.state).current = Some(Current { file, path, written: 0, durable: 0, named: false });
    }

    /// Bytes were handed to the operating system.
    pub(crate) fn wrote(&self, bytes: u64) {
        if let Some(current) = &mut hold(&self.shared.state).current {
            current.written += bytes;
        }
    }

    /// Bytes of the current segment that a sync has put on the disk.
    pub(crate) fn durable(&self) -> u64 {
        hold(&self.shared.state).current.as_ref().map_or(0, |c| c.durable)
    }

    /// The current segment is complete.
    pub(crate) fn retire(&self, done: PathBuf) {
        let mut state = hold(&self.shared.state);
        if let Some(Current { file, path, .. }) = state.current.take() {
            state.full.push(Full { file, part: path, done });
        }
    }
}
