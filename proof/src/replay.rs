//! Every cycle computed again and compared.

use crate::describe;
use crate::report::{ChainReport, Finding, Kind, Report};
use crate::verify::{Entry, Progress, Visitor, walk};
use std::path::Path;
use wavewitness_engine::{Applied, Replayer};
use wavewitness_journal::JournalError;
use wavewitness_types::PoseFrame;
use wavewitness_witness::{Chain, EntryKind, Genesis, Witness, stages_equal_until};

/// Verifies a journal and computes every cycle again.
///
/// # Errors
/// If the path is no journal or can't be read.
pub fn replay(path: &Path, progress: Progress<'_>) -> Result<Report, JournalError> {
    walk(path, &mut Recompute::default(), progress)
}

/// Computes cycles again as they are verified.
#[derive(Default)]
struct Recompute {
    genesis: Option<Genesis>,
    replayer: Option<Replayer>,
    /// The last witness of the journal: where a replay can begin again at the next boot.
    last: Option<Witness>,
    /// False while cycles can't be computed: before the first boot that is here, and after a gap or a divergence.
    running: bool,
    skipped: u64,
}

impl Visitor for Recompute {
    fn begin(&mut self, genesis: &Genesis, chain: &Chain, report: &mut ChainReport) {
        *self = Recompute::default();
        if !genesis.privacy.keeps_inputs() {
            let mode = genesis.privacy.name();
            report.notes.push(format!("not computed again: inputs withheld by privacy mode {mode}"));
            return;
        }
        match Replayer::resumed(genesis, chain.clone()) {
            Ok(replayer) => {
                self.genesis = Some(genesis.clone());
                self.replayer = Some(replayer);
            }
            Err(e) => report.notes.push(format!("not computed again: {e}")),
        }
    }

    fn entry(&mut self, entry: &Entry<'_>, sound: bool, report: &mut ChainReport) {
        let previous = self.last.replace(*entry.witness);
        if entry.witness.kind == EntryKind::Boot && !self.running {
            // A boot begins every state anew, so a replay can begin here; the chain value before it is the journal's.
            if let (Some(genesis), Some(previous)) = (&self.genesis, previous) {
                self.replayer = Replayer::resumed(genesis, Chain::after(&previous)).ok();
            }
            self.running = self.replayer.is_some();
        }
        if !self.running {
            self.skip(report);
            return;
        }
        if !sound {
            self.running = false;
            return;
        }
        self.compute(entry, report);
    }

    fn gap(&mut self) {
        self.running = false;
    }
}

impl Recompute {
    fn skip(&mut self, report: &mut ChainReport) {
        if self.genesis.is_some() && self.skipped == 0 && report.withheld_inputs == 0 {
            report
                .notes
                .push("some cycles were not computed again: their chain has no boot here before them".into());
        }
        self.skipped += 1;
    }

    fn compute(&mut self, entry: &Entry<'_>, report: &mut ChainReport) {
        let Some(replayer) = &mut self.replayer else { return };
        let mut found = None;
        for event in entry.events {
            match replayer.apply(event) {
                Applied::Pending => {}
                Applied::Cycle(cycle) => found = compare(entry, &cycle.witness, Some(&cycle.frame)),
                Applied::Entry(witness) => found = compare(entry, &witness, None),
            }
        }
        match found {
            Some(detail) => {
                self.running = false;
                report.findings.push(Finding {
                    cycle: Some(entry.witness.cycle.0),
                    segment: entry.segment.clone(),
                    kind: Kind::Divergence,
                    detail,
                });
            }
            None if entry.witness.kind == EntryKind::Cycle => report.replayed_cycles += 1,
            None => {}
        }
    }
}

/// `None` if the computed witness is the stored one; else what differs first, and how to look further.
fn compare(entry: &Entry<'_>, computed: &Witness, frame: Option<&PoseFrame>) -> Option<String> {
    let stored = entry.witness;
    if computed == stored {
        return None;
    }
    if let Some(stage) = stages_equal_until(stored, computed) {
        let k = stage as usize;
        let mut text = format!(
            "computed again, stage {} differs first: stored {}, computed {}",
            stage.name(),
            stored.stages[k].short(),
            computed.stages[k].short()
        );
        if let (Some(a), Some(b)) = (entry.frame, frame)
            && let Some(difference) = describe::first_difference(a, b)
        {
            text.push_str(&format!("; first published difference: {difference}"));
        }
        return Some(text);
    }
    let field = if computed.output != stored.output {
        "published output"
    } else if computed.inputs != stored.inputs {
        "inputs"
    } else if computed.chain != stored.chain {
        "chain value"
    } else {
        "kind, time or source"
    };
    Some(format!("computed again, every stage agrees but the {field} differs"))
}
