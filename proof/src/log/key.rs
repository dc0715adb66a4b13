//! The root key that a reader trusts.

use super::LogError;
use std::path::Path;
use wavewitness_ledger::{LedgerError, LogDir, key};
use wavewitness_log::VerifierKey;

/// A root key, and how the reader came by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The key.
    pub root_key: VerifierKey,
    /// True if the reader gave it; false if it lay beside the log, where whoever replaced the log replaced it, too.
    pub given: bool,
}

impl Trust {
    /// A key that the reader has by a safe way: its text, or the path of a file that holds it.
    ///
    /// # Errors
    /// If it is neither, or not a root key's public half.
    pub fn given(text_or_path: &str) -> Result<Trust, LogError> {
        let text = text_or_path.trim();
        if text.starts_with("PRIVATE+KEY+") {
            return Err(LogError::Usage(SECRET.into()));
        }
        let root_key = match VerifierKey::parse(text) {
            Ok(key) => key,
            Err(fault) => {
                let path = Path::new(text_or_path);
                let read = std::fs::read_to_string(path).map_err(|e| {
                    LogError::Usage(format!(
                        "--key {text:?} is no verifier key ({fault}) and no file that can be read ({e}); a key looks \
                         like example.org/hub/root+12345678+A…"
                    ))
                })?;
                if read.starts_with("PRIVATE+KEY+") {
                    return Err(LogError::Usage(SECRET.into()));
                }
                VerifierKey::parse(read.trim_end())
                    .map_err(|e| LogError::Usage(format!("{} holds no verifier key: {e}", path.display())))?
            }
        };
        if key::origin(&root_key).is_none() {
            return Err(LogError::Usage(format!(
                "{} is no root key: its name does not end in {}",
                root_key.name(),
                key::ROOT_SUFFIX
            )));
        }
        Ok(Trust { root_key, given: true })
    }

    /// The given key, or else the one that lies beside the log.
    ///
    /// # Errors
    /// If the given one can't be used, or there is none beside the log.
    pub fn find(given: Option<&str>, log: &Path) -> Result<Trust, LogError> {
        if let Some(text) = given {
            return Trust::given(text);
        }
        // A directory that can't be opened is named before a file in it.
        std::fs::metadata(log).map_err(LogError::file("open the log", log))?;
        match LogDir::stored_root_key(log) {
            Ok(root_key) => Ok(Trust { root_key, given: false }),
            Err(error @ LedgerError::Io { .. }) => {
                Err(LogError::Usage(format!("{error}; without it, give the log's root key with --key")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Name of the log that the key is for.
    pub fn origin(&self) -> &str {
        key::origin(&self.root_key).expect("only root keys get here")
    }

    /// Opens the log in a directory.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(&self, log: &Path) -> Result<LogDir, LogError> {
        let dir = LogDir::open(log, self.root_key.clone())?;
        if dir.checkpoint()?.is_empty() && !log.join("tile").exists() {
            return Err(LogError::Unavailable(format!(
                "no log in {}: neither checkpoint nor tiles (a hub keeps it in `log` of its data directory)",
                log.display()
            )));
        }
        Ok(dir)
    }
}

const SECRET: &str = "--key got a SECRET key; verifiers need the public half only (`wavewitness key show`). Whoever has \
seen the secret can make another log";
