//! Proof files for one entry (C2SP tlog-proof), and what they carry to be checked with the root key alone.

use crate::base64;
use crate::checkpoint::{Checkpoint, CheckpointFault};
use crate::decimal;
use crate::entry::MAX_ENTRY_BYTES;
use crate::epoch::{Certificate, EpochFault};
use crate::hash::{Hash, leaf_hash};
use crate::key::VerifierKey;
use crate::note::MAX_NOTE_BYTES;
use crate::proof::{MAX_PROOF_HASHES, ProofFault, verify_consistency, verify_inclusion};
use core::fmt;
use wavewitness_types::canonical::Reader;
use wavewitness_types::{Canonical, Sink};

const TITLE: &str = "c2sp.org/tlog-proof@v1";
/// Longest payload beside the entry.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;
/// Longest proof file that is read: a payload in base64 and what stands around it.
pub const MAX_PROOF_BYTES: usize = MAX_PAYLOAD_BYTES / 3 * 4 + (1 << 20);

/// Why a proof file does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlogProofFault {
    /// Not in the form of a proof file.
    Format,
    /// Its checkpoint is refused.
    Checkpoint(CheckpointFault),
    /// Its inclusion proof fails.
    Inclusion(ProofFault),
    /// It does not carry the evidence that the root key alone can check.
    NoEvidence,
    /// Its certificate is refused.
    Certificate(EpochFault),
    /// The tree does not grow from the history that the root key certified.
    History(ProofFault),
}

impl fmt::Display for TlogProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlogProofFault::Format => f.write_str("not a proof file"),
            TlogProofFault::Checkpoint(fault) => write!(f, "checkpoint: {fault}"),
            TlogProofFault::Inclusion(fault) => write!(f, "inclusion: {fault}"),
            TlogProofFault::NoEvidence => f.write_str("the proof carries no certificate"),
            TlogProofFault::Certificate(fault) => write!(f, "certificate: {fault}"),
            TlogProofFault::History(fault) => write!(f, "certified history: {fault}"),
        }
    }
}

impl std::error::Error for TlogProofFault {}

/// A proof that an entry stands in a signed tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Bytes that the format carries and does not authenticate; this log's are [`Evidence`].
    pub extra: Option<Vec<u8>>,
    /// Index of the entry.
    pub index: u64,
    /// Inclusion proof.
    pub path: Vec<Hash>,
    /// Signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl TlogProof {
    /// The text of the file.
    pub fn text(&self) -> String {
        let Self { extra, index, path, checkpoint } = self;
        let mut text = format!("{TITLE}\n");
        if let Some(extra) = extra {
            text.extend(["extra ", &base64::encode(extra), "\n"]);
        }
        text.push_str(&format!("index {index}\n"));
        path.iter().for_each(|hash| text.push_str(&format!("{hash}\n")));
        text.push('\n');
        text + checkpoint
    }

    /// Reads the text of a file; nothing is verified yet.
    ///
    /// # Errors
    /// [`TlogProofFault::Format`] unless it is exactly in the form.
    pub fn parse(bytes: &[u8]) -> Result<TlogProof, TlogProofFault> {
        TlogProof::read(bytes).ok_or(TlogProofFault::Format)
    }

    fn read(bytes: &[u8]) -> Option<TlogProof> {
        if bytes.len() > MAX_PROOF_BYTES {
            return None;
        }
        let (head, checkpoint) = core::str::from_utf8(bytes).ok()?.split_once("\n\n")?;
        let mut lines = head.split('\n').peekable();
        if lines.next()? != TITLE {
            return None;
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => Some(base64::decode(line.strip_prefix("extra ")?)?),
            None => None,
        };
        let index = decimal(lines.next()?.strip_prefix("index ")?)?;
        let path = lines.take(MAX_PROOF_HASHES + 1).map(Hash::from_base64).collect::<Option<Vec<_>>>()?;
        let fits = path.len() <= MAX_PROOF_HASHES && checkpoint.len() <= MAX_NOTE_BYTES;
        fits.then(|| TlogProof { extra, index, path, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that `entry` stands at the index in a tree whose head `open` accepts, and gives that head.
    ///
    /// # Errors
    /// If the checkpoint is refused or the proof fails.
    pub fn verify(
        &self,
        entry: &[u8],
        open: impl FnOnce(&[u8]) -> Result<Checkpoint, CheckpointFault>,
    ) -> Result<Checkpoint, TlogProofFault> {
        let head = open(self.checkpoint.as_bytes()).map_err(TlogProofFault::Checkpoint)?;
        verify_inclusion(leaf_hash(entry), self.index, head.size, &self.path, head.root)
            .map_err(TlogProofFault::Inclusion)?;
        Ok(head)
    }

    /// Checks the proof of this log's own files with nothing but the log's name and root key: the certificate, the
    /// checkpoint by its key, the entry by the inclusion proof, the certified history by the consistency proof. The
    /// payload is for the caller to check against the entry.
    ///
    /// # Errors
    /// If the file lacks the evidence or any part of it fails.
    pub fn verify_offline(
        &self,
        origin: &str,
        root_key: &VerifierKey,
    ) -> Result<(Checkpoint, Evidence), TlogProofFault> {
        let evidence = self.extra.as_deref().and_then(Evidence::from_canonical_bytes);
        let evidence = evidence.ok_or(TlogProofFault::NoEvidence)?;
        let certificate = Certificate::open(evidence.certificate.as_bytes(), origin, root_key)
            .map_err(TlogProofFault::Certificate)?;
        let head = self.verify(&evidence.entry, |note| certificate.open_checkpoint(note))?;
        verify_consistency(certificate.after, certificate.root, head.size, head.root, &evidence.consistency)
            .map_err(TlogProofFault::History)?;
        Ok((head, evidence))
    }
}

/// The extra bytes of this log's proof files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Certificate of the key that signed the checkpoint.
    pub certificate: String,
    /// Consistency proof from the certificate's tree to the checkpoint's.
    pub consistency: Vec<Hash>,
    /// What the entry stands for: the caller's, for instance witness record and published bytes.
    pub payload: Vec<u8>,
}

impl Evidence {
    const VERSION: u8 = 1;

    /// Reads canonical bytes; `None` if they are not exactly one evidence.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Option<Evidence> {
        let mut r = Reader::new(bytes);
        if r.u8()? != Evidence::VERSION {
            return None;
        }
        let entry = r.bytes(MAX_ENTRY_BYTES)?.to_vec();
        let certificate = core::str::from_utf8(r.bytes(MAX_NOTE_BYTES)?).ok()?.to_owned();
        let mut consistency = Vec::new();
        for _ in 0..r.count(MAX_PROOF_HASHES)? {
            consistency.push(Hash(r.array()?));
        }
        let payload = r.bytes(MAX_PAYLOAD_BYTES)?.to_vec();
        r.finished().map(|()| Evidence { entry, certificate, consistency, payload })
    }
}

impl Canonical for Evidence {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { entry, certificate, consistency, payload } = self;
        out.u8(Evidence::VERSION);
        out.bytes(entry);
        out.bytes(certificate.as_bytes());
        out.count(consistency.len());
        consistency.iter().for_each(|h| out.put(&h.0));
        out.bytes(payload);
    }
}
