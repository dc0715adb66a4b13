//! Why a question about a log has no answer, or a bad one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use wavewitness_journal::JournalError;
use wavewitness_ledger::LedgerError;

/// What went wrong.
#[derive(Debug)]
pub enum LogError {
    /// The log can't be opened or read.
    Ledger(LedgerError),
    /// The journal can't be opened or read.
    Journal(JournalError),
    /// Another file can't be read or written.
    File {
        /// What was tried.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The question can't be asked like this: what is wrong with it.
    Usage(String),
    /// What was asked for is not there: what is.
    Unavailable(String),
    /// It is there and does not prove what it should.
    Refused(String),
}

impl LogError {
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
        let path = path.to_owned();
        move |error| LogError::File { what, path, error }
    }

    pub(crate) fn refused(part: &str, why: impl fmt::Display) -> LogError {
        LogError::Refused(format!("{part}: {why}"))
    }

    /// True if something was found that does not agree; false if nothing could be judged.
    pub fn is_refusal(&self) -> bool {
        matches!(self, LogError::Refused(_) | LogError::Ledger(LedgerError::Damaged(..)))
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Its own words are for the hub that writes; a reader restores nothing.
            LogError::Ledger(LedgerError::Damaged(path, why)) => {
                write!(f, "the log in {} is damaged: {why}", path.display())
            }
            LogError::Ledger(error) => fmt::Display::fmt(error, f),
            LogError::Journal(error) => fmt::Display::fmt(error, f),
            LogError::File { what, path, error } => write!(f, "can't {what} {}: {error}", path.display()),
            LogError::Usage(text) | LogError::Unavailable(text) | LogError::Refused(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for LogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LogError::Ledger(error) => Some(error),
            LogError::Journal(error) => Some(error),
            LogError::File { error, .. } => Some(error),
            LogError::Usage(_) | LogError::Unavailable(_) | LogError::Refused(_) => None,
        }
    }
}

impl From<LedgerError> for LogError {
    fn from(error: LedgerError) -> LogError {
        LogError::Ledger(error)
    }
}

impl From<JournalError> for LogError {
    fn from(error: JournalError) -> LogError {
        LogError::Journal(error)
    }
}
