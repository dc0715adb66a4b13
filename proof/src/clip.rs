//! A clip: a part of a journal, and a proof file for its last cycle. The chain of the witness binds all that is before that
//! cycle in the clip, so one proof vouches for every one of them.

use crate::log::pose::{self, PoseProof};
use crate::log::{LogError, Trust};
use crate::report::{ChainReport, Report};
use crate::verify::{self, Entry, Progress, Visitor};
use std::path::{Path, PathBuf};
use wavewitness_types::CycleIndex;
use wavewitness_witness::{Chain, Digest, Genesis};

/// The journal of a clip.
pub fn journal(clip: &Path) -> PathBuf {
    clip.join("journal")
}

/// The proof file of a clip.
pub fn proof(clip: &Path) -> PathBuf {
    clip.join("clip.tlog-proof")
}

/// What a clip proves.
#[derive(Debug)]
pub struct Proven {
    /// What verification of its journal found: nothing that is wrong.
    pub report: Report,
    /// The proof of its last cycle.
    pub proof: PoseProof,
    /// The first cycle.
    pub first: CycleIndex,
    /// Cycles that are bound by the proof: all of the clip.
    pub cycles: u64,
    /// True if the clip begins where its chain does, so that the configuration in its genesis is bound, too.
    pub from_genesis: bool,
}

/// Looks for the record that the proof is of.
struct Bound {
    target: Digest,
    first: Option<CycleIndex>,
    before: u64,
    behind: u64,
    found: bool,
    unsound: Option<CycleIndex>,
    from_genesis: bool,
}

impl Visitor for Bound {
    fn begin(&mut self, genesis: &Genesis, chain: &Chain, _: &mut ChainReport) {
        self.from_genesis = chain.head() == genesis.digest();
    }

    fn entry(&mut self, entry: &Entry<'_>, sound: bool, _: &mut ChainReport) {
        let cycle = entry.witness.cycle;
        if !sound {
            self.unsound.get_or_insert(cycle);
        }
        if self.found {
            self.behind += 1;
            return;
        }
        if entry.frame.is_some() {
            self.first.get_or_insert(cycle);
            self.before += 1;
        }
        self.found = entry.witness.chain == self.target;
    }

    fn gap(&mut self) {}
}

/// Checks a clip with the root key alone: its journal in itself, the proof file, and that the journal ends with the record
/// that the proof is of.
///
/// # Errors
/// [`LogError::Refused`] with what does not agree; others if it can't be read.
pub fn verify(clip: &Path, trust: &Trust, progress: Progress<'_>) -> Result<Proven, LogError> {
    let path = proof(clip);
    let file = std::fs::read(&path).map_err(|error| LogError::File { what: "read", path, error })?;
    let proof = pose::verify(&file, trust)?;
    let mut bound = Bound {
        target: proof.record.chain,
        first: None,
        before: 0,
        behind: 0,
        found: false,
        unsound: None,
        from_genesis: false,
    };
    let report = verify::walk(&journal(clip), &mut bound, progress).map_err(LogError::Journal)?;
    let refused = |why: String| Err(LogError::Refused(format!("journal: {why}")));
    if let Some(first) = report.findings().next() {
        return refused(format!("{} faults; the first: {first}", report.findings().count()));
    }
    if report.chains.len() != 1 {
        return refused(format!("it has {} chains, and a clip is of one", report.chains.len()));
    }
    if let Some(cycle) = bound.unsound {
        return refused(format!("the events of cycle {} are not known to be the witnessed ones", cycle.0));
    }
    match bound {
        Bound { found: false, .. } => {
            refused(format!("cycle {} with the chain value of the proof is not in it", proof.record.cycle.0))
        }
        Bound { behind: 1.., .. } => refused(format!(
            "{} records are behind cycle {}, of which the proof is: nobody vouches for them",
            bound.behind, proof.record.cycle.0
        )),
        Bound { first, before, from_genesis, .. } => Ok(Proven {
            first: first.unwrap_or(proof.record.cycle),
            cycles: before,
            from_genesis,
            report,
            proof,
        }),
    }
}
