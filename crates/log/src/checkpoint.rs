//! Checkpoints: signed tree heads (C2SP tlog-checkpoint).

use crate::hash::Hash;
use crate::key::{SignerKey, VerifierKey};
use crate::note::{Note, NoteFault};
use core::fmt;

/// Why bytes are not a checkpoint to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointFault {
    /// Not a note, or not signed as wanted.
    Note(NoteFault),
    /// The text is not a checkpoint's.
    Text,
    /// A checkpoint of another log.
    Origin,
    /// No certificate covers its size.
    NoKeyForSize {
        /// The checkpoint's size.
        size: u64,
    },
    /// Signed by a key of this log that is not valid for its size: history sealed again with another key.
    WrongEpoch {
        /// The checkpoint's size.
        size: u64,
        /// Epoch of the key that signed.
        signed_by: u64,
        /// Epoch of the key that is valid for the size.
        valid: u64,
    },
}

impl fmt::Display for CheckpointFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckpointFault::Note(fault) => fmt::Display::fmt(fault, f),
            CheckpointFault::Text => f.write_str("the text is not a checkpoint's: origin, size, root"),
            CheckpointFault::Origin => f.write_str("the checkpoint is of another log"),
            CheckpointFault::NoKeyForSize { size } => write!(f, "no certified key covers size {size}"),
            CheckpointFault::WrongEpoch { size, signed_by, valid } => write!(
                f,
                "size {size} is signed by the key of epoch {signed_by}, but the key of epoch {valid} is valid there"
            ),
        }
    }
}

impl std::error::Error for CheckpointFault {}

impl From<NoteFault> for CheckpointFault {
    fn from(fault: NoteFault) -> CheckpointFault {
        CheckpointFault::Note(fault)
    }
}

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log: one non-empty line.
    pub origin: String,
    /// Entries of the tree.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// Further non-empty lines. This log writes none: the specification advises against them.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// The note's text.
    pub fn text(&self) -> String {
        let Self { origin, size, root, extensions } = self;
        let mut text = format!("{origin}\n{size}\n{root}\n");
        extensions.iter().for_each(|line| text.extend([line, "\n"]));
        text
    }

    /// Reads a note's text; nothing but the exact form passes.
    pub fn parse_text(text: &str) -> Option<Checkpoint> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let checkpoint = Checkpoint {
            origin: lines.next()?.to_owned(),
            size: crate::decimal(lines.next()?)?,
            root: Hash::from_base64(lines.next()?)?,
            extensions: lines.map(str::to_owned).collect(),
        };
        let empty = checkpoint.origin.is_empty() || checkpoint.extensions.iter().any(String::is_empty);
        (!empty).then_some(checkpoint)
    }

    /// The signed note. The caller must not sign two roots of one size, nor a size that is not a continuation of all
    /// that it signed before.
    ///
    /// # Errors
    /// If origin or extension lines can't stand in a checkpoint.
    pub fn sign(&self, keys: &[&SignerKey]) -> Result<String, CheckpointFault> {
        let text = self.text();
        if Checkpoint::parse_text(&text).as_ref() != Some(self) {
            return Err(CheckpointFault::Text);
        }
        Ok(Note::sign(&text, keys)?)
    }

    /// Reads a signed checkpoint of a log without verifying it.
    ///
    /// # Errors
    /// If it is none, or of another log.
    pub fn read_unverified(note: &[u8], origin: &str) -> Result<(Checkpoint, Note), CheckpointFault> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse_text(&note.text).ok_or(CheckpointFault::Text)?;
        if checkpoint.origin == origin { Ok((checkpoint, note)) } else { Err(CheckpointFault::Origin) }
    }

    /// Reads a signed checkpoint of a log and verifies it with one key.
    ///
    /// # Errors
    /// If it is none, of another log, or not signed by the key.
    pub fn open(note: &[u8], origin: &str, key: &VerifierKey) -> Result<Checkpoint, CheckpointFault> {
        let (checkpoint, note) = Checkpoint::read_unverified(note, origin)?;
        note.verify(key)?;
        Ok(checkpoint)
    }
}
