//! A journal directory, locked for one writer.

use crate::error::JournalError;
use crate::name::SegmentName;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A journal directory that this process alone may write to, until this value is dropped. The operating system
/// releases the lock when the process ends, however it ends.
#[derive(Debug)]
pub struct JournalDir {
    path: PathBuf,
    _lock: File,
}

impl JournalDir {
    /// Name of the lock file.
    pub const LOCK_FILE: &'static str = "journal.lock";
    /// Name of the directory for what was set aside.
    pub const TORN_DIR: &'static str = "torn";

    /// Makes the directory if needed and locks it.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if another writer has it; [`JournalError::Io`].
    pub fn lock(path: &Path) -> Result<JournalDir, JournalError> {
        fs::create_dir_all(path).map_err(|e| JournalError::io("create the directory", path, e))?;
        let lock_path = path.join(JournalDir::LOCK_FILE);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|e| JournalError::io("open the lock", &lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: an unreadable note must not hide that the journal is in use.
                let read = (&mut lock).take(200).read_to_string(&mut holder);
                let holder = match read {
                    Ok(_) if !holder.trim().is_empty() => holder.trim().to_owned(),
                    _ => "another process".to_owned(),
                };
                return Err(JournalError::Locked { path: lock_path, holder });
            }
            Err(TryLockError::Error(e)) => return Err(JournalError::io("lock", &lock_path, e)),
        }
        let note = format!("process {}\n", std::process::id());
        lock.set_len(0)
            .and_then(|()| lock.seek(SeekFrom::Start(0)))
            .and_then(|_| lock.write_all(note.as_bytes()))
            .map_err(|e| JournalError::io("write the lock", &lock_path, e))?;
        Ok(JournalDir { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn torn(&self) -> PathBuf {
        self.path.join(JournalDir::TORN_DIR)
    }
}

/// Makes names in a directory durable. (Elsewhere than on Unix a directory can't be opened, nor need be.)
pub(crate) fn sync_dir(path: &Path) -> Result<(), JournalError> {
    if cfg!(unix) {
        let dir = File::open(path).map_err(|e| JournalError::io("open the directory", path, e))?;
        dir.sync_all().map_err(|e| JournalError::io("sync the directory", path, e))?;
    }
    Ok(())
}

/// The segments of a directory, ascending by chain and number, and whether each is a `.part`. Strangers are ignored.
pub(crate) fn list(path: &Path) -> Result<Vec<(SegmentName, bool)>, JournalError> {
    let error = |e| JournalError::io("list", path, e);
    let mut out = Vec::new();
    for entry in fs::read_dir(path).map_err(error)? {
        let name = entry.map_err(error)?.file_name();
        if let Some(found) = name.to_str().and_then(SegmentName::parse_file) {
            out.push(found);
        }
    }
    out.sort();
    Ok(out)
}
