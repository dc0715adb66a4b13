//! The root key: made by a command, kept in a file that only its owner can read, never printed and never logged.
//!
//! The name of the key is the log's name and `/root`. Under systemd the file may be a credential (`LoadCredential=` or
//! `LoadCredentialEncrypted=`), which the service manager keeps from everybody else.

use crate::error::LedgerError;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use wavewitness_log::{EpochKey, RootKey, SignerKey, VerifierKey};
use zeroize::Zeroizing;

/// What the root key's name ends with, behind the name of the log.
pub const ROOT_SUFFIX: &str = "/root";
/// Name of the credential that holds the root key.
pub const CREDENTIAL: &str = "wavewitness-root-key";

/// Where a root key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// A file that must be readable by its owner alone.
    Private(PathBuf),
    /// A credential of the service manager, which guards it.
    Credential(PathBuf),
}

impl KeyFile {
    /// The credential if the service manager gives one (`directory` is `$CREDENTIALS_DIRECTORY`), else the configured
    /// file, else none.
    pub fn find(directory: Option<&Path>, configured: Option<&Path>) -> Option<KeyFile> {
        let credential = directory.map(|dir| dir.join(CREDENTIAL)).filter(|path| path.is_file());
        credential
            .map(KeyFile::Credential)
            .or_else(|| configured.map(|path| KeyFile::Private(path.to_owned())))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        match self {
            KeyFile::Private(path) | KeyFile::Credential(path) => path,
        }
    }

    /// Reads the key. Its secret is overwritten when the value is dropped; it is read again when it is needed again.
    ///
    /// # Errors
    /// If the file can't be read, others can read it, or it is no root key.
    pub fn load(&self) -> Result<RootKey, LedgerError> {
        let path = self.path();
        let refuse = |why: String| LedgerError::Key(path.to_owned(), why);
        if let KeyFile::Private(path) = self {
            guarded(path)?;
        }
        let text = fs::read(path).map(Zeroizing::new).map_err(LedgerError::io("read the key", path))?;
        let text = std::str::from_utf8(&text).map_err(|_| refuse("not UTF-8".into()))?;
        let key = SignerKey::parse(text.trim_end()).map_err(|e| refuse(e.to_string()))?;
        origin(key.verifier()).ok_or_else(|| {
            refuse(format!("its name is {}, which does not end in {ROOT_SUFFIX}", key.verifier().name()))
        })?;
        Ok(RootKey::new(key))
    }
}

/// The log that a root key is for: its name without `/root`.
pub fn origin(root: &VerifierKey) -> Option<&str> {
    root.name().strip_suffix(ROOT_SUFFIX).filter(|origin| !origin.is_empty())
}

/// Refuses a file that others can read.
#[cfg(unix)]
fn guarded(path: &Path) -> Result<(), LedgerError> {
    use std::os::unix::fs::PermissionsExt;
    let meta = fs::metadata(path).map_err(LedgerError::io("read the key", path))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(LedgerError::Key(
        path.to_owned(),
        format!("its mode is {mode:04o}: others can read it; allowed is 0600 or 0400 (chmod 600)"),
    ))
}

#[cfg(not(unix))]
fn guarded(_: &Path) -> Result<(), LedgerError> {
    Ok(())
}

/// Makes a root key for a log and writes it into a new file of mode 0600. Gives the public half.
///
/// # Errors
/// If the name can't be a log's, the file exists or can't be written, or there is no randomness.
pub fn create(path: &Path, origin: &str) -> Result<VerifierKey, LedgerError> {
    let refuse = |why: String| LedgerError::Key(path.to_owned(), why);
    let key = SignerKey::from_seed(&format!("{origin}{ROOT_SUFFIX}"), &*seed().map_err(refuse)?)
        .map_err(|e| refuse(format!("origin {origin:?}: {e}")))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(LedgerError::io("create", path))?;
    file.write_all(key.secret_text().as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(LedgerError::io("write", path))?;
    Ok(key.verifier().clone())
}

/// Thirty-two bytes of the operating system's randomness.
fn seed() -> Result<Zeroizing<[u8; 32]>, String> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|e| format!("no randomness: {e}"))?;
    Ok(seed)
}

/// A new epoch key of a log, in memory only.
pub(crate) fn epoch(origin: &str) -> Result<EpochKey, String> {
    EpochKey::from_seed(origin, &*seed()?).map_err(|e| e.to_string())
}
