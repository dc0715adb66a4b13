//! Windows of a journal: every cycle is computed again, and its fused channel looked at.

use crate::{Input, Window};
use std::path::Path;
use wavewitness_engine::{Applied, Replayer};
use wavewitness_proof::report::{ChainReport, Report};
use wavewitness_proof::verify::{Entry, Visitor, walk};
use wavewitness_types::{CycleIndex, Source, Timestamp};
use wavewitness_witness::{Chain, Digest, EntryKind, Genesis};

/// A window, and which cycle of which chain it ends with.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The cycle.
    pub cycle: CycleIndex,
    /// Its end.
    pub at: Timestamp,
    /// How the hub was fed.
    pub source: Source,
    /// Lowest corner of the room.
    pub corner_m: [f64; 3],
    /// The chain's value after it.
    pub chain: Digest,
    /// The tensors.
    pub input: Input,
}

/// Calls `each` with the window of every `every`th cycle of a journal that has one; stops at its first error.
///
/// A cycle counts only if it computes to the witness that the journal has.
///
/// # Errors
/// If the path is no journal, or `each` fails.
pub fn windows<E: From<wavewitness_journal::JournalError>>(
    path: &Path,
    every: u64,
    each: impl FnMut(Seen) -> Result<(), E>,
) -> Result<Report, E> {
    let mut looker = Looker { every, each, replayer: None, window: None, corner_m: [0.0; 3], failed: None };
    let report = walk(path, &mut looker, &mut |_, _| {})?;
    looker.failed.map_or(Ok(report), Err)
}

struct Looker<F, E> {
    every: u64,
    each: F,
    replayer: Option<Replayer>,
    window: Option<Window>,
    corner_m: [f64; 3],
    failed: Option<E>,
}

impl<E, F: FnMut(Seen) -> Result<(), E>> Visitor for Looker<F, E> {
    fn begin(&mut self, genesis: &Genesis, chain: &Chain, report: &mut ChainReport) {
        (self.replayer, self.window) = (None, None);
        match Replayer::resumed(genesis, chain.clone()) {
            Ok(replayer) => {
                let geometry = &replayer.engine().config().geometry;
                self.window = Window::new(geometry);
                self.corner_m = geometry.room.map_or([0.0; 3], |r| r.min_m);
                if self.window.is_none() {
                    report.notes.push("no window: the room is not configured".into());
                }
                self.replayer = Some(replayer);
            }
            Err(e) => report.notes.push(format!("no window: {e}")),
        }
    }

    fn entry(&mut self, entry: &Entry<'_>, sound: bool, _: &mut ChainReport) {
        if self.failed.is_some() {
            return;
        }
        let (Some(replayer), Some(window)) = (&mut self.replayer, &mut self.window) else { return };
        if entry.witness.kind == EntryKind::Boot {
            window.clear();
        }
        for event in entry.events {
            let Applied::Cycle(report) = replayer.apply(event) else { continue };
            if !sound || report.witness != *entry.witness {
                // What follows rests on it.
                self.replayer = None;
                return;
            }
            let (cycle, at, source, chain) =
                (entry.witness.cycle, entry.witness.at, entry.witness.source, entry.witness.chain);
            let (fused, links) = replayer.engine().fused_channel();
            window.push(cycle, fused, links);
            if cycle.0.is_multiple_of(self.every)
                && let Some(input) = window.input()
            {
                let corner_m = self.corner_m;
                self.failed = (self.each)(Seen { cycle, at, source, corner_m, chain, input }).err();
            }
            return;
        }
    }

    fn gap(&mut self) {
        self.replayer = None;
    }
}
