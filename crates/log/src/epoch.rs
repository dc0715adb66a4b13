//! Epoch keys: a root key certifies each, for a range of tree sizes and the history before it.
//!
//! A certificate is a signed note by the root key and stands as an entry at the index that it names. It says the root
//! of the tree before it, so whoever steals a later key can't seal another history with it: the certificate would not
//! follow from that history. It covers the sizes behind it up to its own limit or to the next certificate, so that a
//! checkpoint of an older size, sealed again with a newer key, is refused.

use crate::MAX_SIZE;
use crate::checkpoint::{Checkpoint, CheckpointFault};
use crate::decimal;
use crate::hash::Hash;
use crate::key::{KeyFault, SignerKey, VerifierKey};
use crate::note::{Note, NoteFault};
use core::fmt;
use wavewitness_types::Timestamp;

const TITLE: &str = "wavewitness epoch key v1";

/// Why a certificate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochFault {
    /// Not a note, or not signed by the root key.
    Note(NoteFault),
    /// The text is not a certificate's.
    Text,
    /// A certificate of another log.
    Origin,
    /// Its number does not follow the one before.
    Number {
        /// The number that must be here.
        expected: u64,
    },
    /// It does not begin later than the one before, or ends before it begins.
    Range,
    /// It stands at another index of the log than it says.
    Place,
    /// The tree before it has another root than it says: history was rewritten.
    History,
}

impl fmt::Display for EpochFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EpochFault::Note(fault) => fmt::Display::fmt(fault, f),
            EpochFault::Text => f.write_str("the text is not a certificate's"),
            EpochFault::Origin => f.write_str("the certificate is of another log"),
            EpochFault::Number { expected } => write!(f, "the certificate must be of epoch {expected}"),
            EpochFault::Range => f.write_str("the certificate's range does not follow the one before"),
            EpochFault::Place => f.write_str("the certificate stands at another index than it says"),
            EpochFault::History => f.write_str("the certificate says another root of the tree before it"),
        }
    }
}

impl std::error::Error for EpochFault {}

impl From<NoteFault> for EpochFault {
    fn from(fault: NoteFault) -> EpochFault {
        EpochFault::Note(fault)
    }
}

/// The statement of a root key that an epoch key signs for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The log. Also the name of the epoch key, so that verifiers see checkpoints signed by the log's name.
    pub origin: String,
    /// Number of the epoch, from 0.
    pub epoch: u64,
    /// The epoch key.
    pub key: VerifierKey,
    /// Size of the tree before the certificate, which is its index. The key signs larger sizes only.
    pub after: u64,
    /// Root of the tree of that size.
    pub root: Hash,
    /// Largest size that the key may sign.
    pub until: u64,
    /// When it was made; for people, nothing depends on it.
    pub issued: Timestamp,
}

impl Certificate {
    /// The note's text.
    pub fn text(&self) -> String {
        let Self { origin, epoch, key, after, root, until, issued } = self;
        format!(
            "{TITLE}\nlog {origin}\nepoch {epoch}\nkey {key}\nafter {after} {root}\nuntil {until}\nissued {}\n",
            issued.0
        )
    }

    /// Reads a note's text; nothing but the exact form passes.
    pub fn parse_text(text: &str) -> Option<Certificate> {
        let mut lines = text.split('\n');
        let mut field = |name: &str| lines.next()?.strip_prefix(name);
        field(TITLE)?;
        let origin = field("log ")?.to_owned();
        let epoch = decimal(field("epoch ")?)?;
        let key = VerifierKey::parse(field("key ")?).ok()?;
        let (after, root) = field("after ")?.split_once(' ')?;
        let (after, root) = (decimal(after)?, Hash::from_base64(root)?);
        let until = decimal(field("until ")?)?;
        let issued = Timestamp(decimal(field("issued ")?)?);
        let certificate = Certificate { origin, epoch, key, after, root, until, issued };
        (certificate.text() == text && certificate.key.name() == certificate.origin).then_some(certificate)
    }

    /// Reads a signed certificate of a log and verifies it with the root key.
    ///
    /// # Errors
    /// If it is none, of another log, not signed by the root key, or covers no size.
    pub fn open(note: &[u8], origin: &str, root_key: &VerifierKey) -> Result<Certificate, EpochFault> {
        let note = Note::parse(note)?;
        let certificate = Certificate::parse_text(&note.text).ok_or(EpochFault::Text)?;
        note.verify(root_key)?;
        if certificate.origin != origin {
            return Err(EpochFault::Origin);
        }
        if certificate.until <= certificate.after {
            return Err(EpochFault::Range);
        }
        Ok(certificate)
    }

    /// Opens a checkpoint with this certificate's key alone.
    ///
    /// # Errors
    /// If it is none, of another log, not signed by the key, or of a size that the key must not sign.
    pub fn open_checkpoint(&self, note: &[u8]) -> Result<Checkpoint, CheckpointFault> {
        let checkpoint = Checkpoint::open(note, &self.origin, &self.key)?;
        let covered = self.after < checkpoint.size && checkpoint.size <= self.until;
        if covered { Ok(checkpoint) } else { Err(CheckpointFault::NoKeyForSize { size: checkpoint.size }) }
    }
}

/// The key that certifies epoch keys and signs nothing else.
#[derive(Debug)]
pub struct RootKey(SignerKey);

impl RootKey {
    /// Takes a signer key as root key.
    pub fn new(key: SignerKey) -> RootKey {
        RootKey(key)
    }

    /// What verifiers must be given by a safe way.
    pub fn verifier(&self) -> &VerifierKey {
        self.0.verifier()
    }

    /// Certifies the epoch key for the tree that grows from `after` entries with that root. The note is the payload of
    /// the entry that must be appended next.
    ///
    /// # Errors
    /// If the range is empty or too large.
    pub fn certify(
        &self,
        key: &EpochKey,
        epoch: u64,
        (after, root): (u64, Hash),
        until: u64,
        issued: Timestamp,
    ) -> Result<String, EpochFault> {
        if until <= after || until > MAX_SIZE {
            return Err(EpochFault::Range);
        }
        let key = key.verifier().clone();
        let certificate =
            Certificate { origin: key.name().to_owned(), epoch, key, after, root, until, issued };
        let text = certificate.text();
        if Certificate::parse_text(&text).as_ref() != Some(&certificate) {
            return Err(EpochFault::Text);
        }
        Ok(Note::sign(&text, &[&self.0])?)
    }
}

/// A key that signs checkpoints for one epoch. Its secret is overwritten when it is dropped.
#[derive(Debug)]
pub struct EpochKey(SignerKey);

impl EpochKey {
    /// The epoch key of a log from a fresh random seed, which the caller overwrites.
    ///
    /// # Errors
    /// If the origin can't name a key.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<EpochKey, KeyFault> {
        SignerKey::from_seed(origin, seed).map(EpochKey)
    }

    /// Its public half.
    pub fn verifier(&self) -> &VerifierKey {
        self.0.verifier()
    }

    /// Signs the head of a tree as a checkpoint.
    ///
    /// # Errors
    /// Does not happen with an origin that could name the key.
    pub fn checkpoint(&self, size: u64, root: Hash) -> Result<String, CheckpointFault> {
        Checkpoint::new(self.verifier().name(), size, root).sign(&[&self.0])
    }
}

/// The certificates of a log in order.
#[derive(Clone, Debug)]
pub struct KeyHistory {
    origin: String,
    root_key: VerifierKey,
    certificates: Vec<Certificate>,
}

impl KeyHistory {
    /// The history of a log before its first certificate.
    pub fn new(origin: &str, root_key: VerifierKey) -> KeyHistory {
        KeyHistory { origin: origin.to_owned(), root_key, certificates: Vec::new() }
    }

    /// Takes the certificate that stands at an index of the log.
    ///
    /// # Errors
    /// If it is none, or does not continue the history; the history is then unchanged.
    pub fn add(&mut self, index: u64, note: &[u8]) -> Result<&Certificate, EpochFault> {
        let certificate = Certificate::open(note, &self.origin, &self.root_key)?;
        let expected = self.certificates.len() as u64;
        if certificate.epoch != expected {
            return Err(EpochFault::Number { expected });
        }
        if certificate.after != index {
            return Err(EpochFault::Place);
        }
        if self.certificates.last().is_some_and(|last| certificate.after <= last.after) {
            return Err(EpochFault::Range);
        }
        self.certificates.push(certificate);
        Ok(&self.certificates[self.certificates.len() - 1])
    }

    /// The certificates in order.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The certificate whose key must sign checkpoints of a size: the last that stands before it, if its own limit
    /// allows the size.
    pub fn valid_for(&self, size: u64) -> Option<&Certificate> {
        self.certificates.iter().rev().find(|c| c.after < size).filter(|c| size <= c.until)
    }

    /// Opens a checkpoint with the key that is valid for its size.
    ///
    /// # Errors
    /// If it is none, of another log, or not signed by that key; tells a key of another epoch from no key.
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, CheckpointFault> {
        let (checkpoint, note) = Checkpoint::read_unverified(note, &self.origin)?;
        let size = checkpoint.size;
        let valid = self.valid_for(size).ok_or(CheckpointFault::NoKeyForSize { size })?;
        match note.verify(&valid.key) {
            Ok(()) => Ok(checkpoint),
            Err(NoteFault::NotSigned) => {
                let signer = self.certificates.iter().find(|c| note.verify(&c.key).is_ok());
                Err(signer.map_or(CheckpointFault::Note(NoteFault::NotSigned), |c| {
                    CheckpointFault::WrongEpoch { size, signed_by: c.epoch, valid: valid.epoch }
                }))
            }
            Err(fault) => Err(fault.into()),
        }
    }
}
