//! Signed notes (C2SP signed-note).

use crate::base64;
use crate::key::{SignerKey, VerifierKey, is_name};
use core::fmt;

/// Longest note that is read.
pub const MAX_NOTE_BYTES: usize = 64 << 10;
/// Most signatures that are read; the specification asks for 16 or more.
pub const MAX_SIGNATURES: usize = 64;

/// Why bytes are not a note, or not signed as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteFault {
    /// More than 64 KiB.
    TooLong,
    /// Not UTF-8, or a control character other than newline.
    Text,
    /// No blank line between text and signatures, or no newline at the end.
    Shape,
    /// A line behind the blank line is no signature.
    SignatureLine,
    /// More than 64 signatures.
    TooManySignatures,
    /// No signature by the key.
    NotSigned,
    /// A signature that names the key is not the key's: the text or the signature was changed.
    BadSignature,
}

impl fmt::Display for NoteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoteFault::TooLong => "the note has more than 64 KiB",
            NoteFault::Text => "the note is not UTF-8 text without control characters",
            NoteFault::Shape => "the note is not a text, a blank line and signature lines",
            NoteFault::SignatureLine => "a line behind the blank line is not a signature",
            NoteFault::TooManySignatures => "the note has more than 64 signatures",
            NoteFault::NotSigned => "the note is not signed by the key",
            NoteFault::BadSignature => "the signature does not belong to the text and key",
        })
    }
}

impl std::error::Error for NoteFault {}

/// One signature of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Hash of the key.
    pub id: [u8; 4],
    /// What the key made of the text.
    pub bytes: Vec<u8>,
}

/// A text with signatures. Not trusted before [`Note::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed text with its final newline.
    pub text: String,
    /// At least one.
    pub signatures: Vec<NoteSignature>,
}

/// The lines that both sides of a note end with.
const BLANK_LINE: &str = "\n\n";

impl Note {
    /// Signs a text.
    ///
    /// # Errors
    /// If the text can't be a note's: no final newline, a control character, too long.
    pub fn sign(text: &str, keys: &[&SignerKey]) -> Result<String, NoteFault> {
        let mut note = format!("{text}\n");
        for key in keys {
            let mut bytes = [0u8; 68];
            bytes[..4].copy_from_slice(&key.verifier().id());
            bytes[4..].copy_from_slice(&key.sign(text.as_bytes()));
            note.extend(["— ", key.verifier().name(), " ", &base64::encode(&bytes), "\n"]);
        }
        Note::parse(note.as_bytes()).map(|_| note)
    }

    /// Reads a note; its signatures are not yet verified.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(bytes: &[u8]) -> Result<Note, NoteFault> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteFault::TooLong);
        }
        let note = core::str::from_utf8(bytes).map_err(|_| NoteFault::Text)?;
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NoteFault::Text);
        }
        let blank = note.rfind(BLANK_LINE).ok_or(NoteFault::Shape)?;
        let (text, lines) = (&note[..=blank], &note[blank + BLANK_LINE.len()..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteFault::Shape)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteFault::TooManySignatures);
        }
        let signatures = lines.split('\n').map(parse_signature).collect::<Option<Vec<_>>>();
        Ok(Note { text: text.to_owned(), signatures: signatures.ok_or(NoteFault::SignatureLine)? })
    }

    /// Checks that the key signed the text. Signatures of other keys are ignored; all that name this key must verify.
    ///
    /// # Errors
    /// [`NoteFault::NotSigned`] or [`NoteFault::BadSignature`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteFault> {
        let mut found = false;
        for s in self.signatures.iter().filter(|s| s.name == key.name() && s.id == key.id()) {
            if !key.verifies(self.text.as_bytes(), &s.bytes) {
                return Err(NoteFault::BadSignature);
            }
            found = true;
        }
        if found { Ok(()) } else { Err(NoteFault::NotSigned) }
    }
}

fn parse_signature(line: &str) -> Option<NoteSignature> {
    let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = base64::decode(encoded)?;
    let (id, bytes) = bytes.split_first_chunk::<4>()?;
    (is_name(name) && !bytes.is_empty()).then(|| NoteSignature {
        name: name.to_owned(),
        id: *id,
        bytes: bytes.to_vec(),
    })
}
