//! One published pose, proven by a file: checked offline, with the root key alone.

use super::{LogError, Trust};
use wavewitness_log::{Certificate, Checkpoint, Entry, Evidence, TlogProof};
use wavewitness_types::{Canonical, PoseFrame, Sink};
use wavewitness_witness::Digester;
use wavewitness_witness::{Digest, EntryKind, Witness, context};

/// What a log's entry of a cycle stands for: the payload of its proof files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Chain value before the record.
    pub previous: Digest,
    /// The witness record.
    pub record: Witness,
    /// The published bytes.
    pub published: Vec<u8>,
}

impl Payload {
    /// Previous chain value (32 bytes), record (434), published bytes (the rest).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.previous.0.to_vec();
        out.extend(self.record.to_canonical_bytes());
        out.extend_from_slice(&self.published);
        out
    }

    /// Reads the bytes of a payload; `None` if they are none.
    pub fn parse(bytes: &[u8]) -> Option<Payload> {
        let (previous, rest) = bytes.split_first_chunk::<32>()?;
        let (record, published) = rest.split_at_checked(Witness::BYTES)?;
        let record = Witness::from_canonical_bytes(record)?;
        Some(Payload { previous: Digest(*previous), record, published: published.to_vec() })
    }

    /// Checks what the payload says of itself: the record's chain value follows from the one before
    /// (`docs/witness.md`), and its output is the digest of the published bytes.
    ///
    /// # Errors
    /// In words, if either is not so.
    pub fn check(&self) -> Result<(), &'static str> {
        let Payload { previous, record, published } = self;
        let bytes = record.to_canonical_bytes();
        let mut step = Digester::new(context::CHAIN);
        step.put(&previous.0);
        step.put(&bytes[..Witness::BYTES - 32]);
        if step.finish() != record.chain {
            return Err("the record's chain value does not follow from the value before and the record");
        }
        if Witness::output_digest(published) != record.output {
            return Err("the published bytes are not the ones that the record names");
        }
        Ok(())
    }
}

/// A pose that was published, journalled and signed.
#[derive(Clone, Debug, PartialEq)]
pub struct PoseProof {
    /// Name of the log.
    pub origin: String,
    /// Index of the entry.
    pub index: u64,
    /// The signed tree that holds it.
    pub head: Checkpoint,
    /// Epoch of the key that signed.
    pub epoch: u64,
    /// The witness record.
    pub record: Witness,
    /// The published bytes.
    pub published: Vec<u8>,
    /// What they say; `None` if this build can't read them (they are then those of another version, and proven
    /// nevertheless).
    pub frame: Option<PoseFrame>,
}

/// Checks a proof file with the root key alone.
///
/// # Errors
/// [`LogError::Refused`] with the part that fails.
pub fn verify(file: &[u8], trust: &Trust) -> Result<PoseProof, LogError> {
    let refused = |part: &str, why: &dyn std::fmt::Display| LogError::refused(part, why);
    let proof = TlogProof::parse(file).map_err(|e| refused("form", &e))?;
    let origin = trust.origin();
    let (head, evidence) = proof.verify_offline(origin, &trust.root_key).map_err(|e| refused("log", &e))?;
    let Evidence { entry, certificate, payload, .. } = evidence;
    let certificate = Certificate::open(certificate.as_bytes(), origin, &trust.root_key)
        .map_err(|e| refused("certificate", &e))?;
    let payload = Payload::parse(&payload)
        .ok_or_else(|| refused("payload", &"it is not a chain value, a record and published bytes"))?;
    payload.check().map_err(|e| refused("payload", &e))?;
    let Payload { record, published, .. } = payload;
    let stands_for =
        Entry::Cycle { cycle: record.cycle, at: record.at, source: record.source, chain: record.chain.0 };
    let entry = Entry::parse(&entry).map_err(|e| refused("entry", &e))?;
    if record.kind != EntryKind::Cycle || entry != stands_for {
        return Err(refused(
            "entry",
            &"it does not stand for the record: cycle, time, source or chain differ",
        ));
    }
    let frame = PoseFrame::from_canonical_bytes(&published);
    let fits = |f: &PoseFrame| (f.cycle, f.at, f.source) == (record.cycle, record.at, record.source);
    if frame.as_ref().is_some_and(|f| !fits(f)) {
        return Err(refused("published", &"the pose names another cycle, time or source than its record"));
    }
    Ok(PoseProof {
        origin: origin.to_owned(),
        index: proof.index,
        head,
        epoch: certificate.epoch,
        record,
        published,
        frame,
    })
}
