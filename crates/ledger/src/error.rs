//! What can go wrong.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a log can't be opened, read or written.
#[derive(Debug)]
pub enum LedgerError {
    /// The file system: what was tried, where, why not.
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Another process writes this log.
    Locked(PathBuf),
    /// A key file that can't be used: which, and why.
    Key(PathBuf, String),
    /// The stored log contradicts itself. Nothing is written to it.
    Damaged(PathBuf, String),
    /// The log is full, or an entry too long for it.
    Append(String),
    /// A write failed before: nothing more is signed.
    Failed,
}

impl LedgerError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
        let path = path.to_owned();
        move |error| LedgerError::Io { what, path, error }
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LedgerError::Io { what, path, error } => write!(f, "can't {what} {}: {error}", path.display()),
            LedgerError::Locked(path) => {
                write!(f, "the log in {} is in use by another process", path.display())
            }
            LedgerError::Key(path, why) => write!(f, "key file {}: {why}", path.display()),
            LedgerError::Damaged(path, why) => write!(
                f,
                "the log in {} is damaged: {why}; `proof-runner fsck` says more. Restore it, or move it away to begin \
                 a new log (readers with a pin of the old one will notice)",
                path.display()
            ),
            LedgerError::Append(why) => write!(f, "the log can't take an entry: {why}"),
            LedgerError::Failed => f.write_str("the log could not be written before: nothing more is signed"),
        }
    }
}

impl std::error::Error for LedgerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LedgerError::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
