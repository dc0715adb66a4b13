//! Chain records to log entries.

use wavewitness_log::{CalibrationStep, Entry, GapReason};
use wavewitness_types::{BootRecord, Command, CycleIndex, Timestamp};
use wavewitness_witness::{EntryKind, Genesis, Witness};

/// Digest of exported baselines as an entry holds it: BLAKE3 of the bytes as they are stored in `baselines.bin`.
pub fn baselines_digest(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// Tells the records of a chain, in their order, as log entries: what they are, and what lies between them. The
/// running hub and the recovery after a crash use the same narrator, so they give the same entries.
#[derive(Clone, Debug, Default)]
pub struct Narrator {
    last: Option<Last>,
    /// The cycle whose command forgot every baseline: that the baselines changed then is no completed calibration.
    cleared: Option<CycleIndex>,
    baselines: [u8; 32],
}

/// The record before.
#[derive(Clone, Copy, Debug)]
struct Last {
    kind: EntryKind,
    cycle: CycleIndex,
    at: Timestamp,
}

impl Last {
    /// The first cycle that is not yet in use: a boot names it itself.
    fn next(&self) -> CycleIndex {
        match self.kind {
            EntryKind::Boot => self.cycle,
            EntryKind::Cycle | EntryKind::Stop => CycleIndex(self.cycle.0.saturating_add(1)),
        }
    }
}

impl Narrator {
    /// A narrator that goes on behind an entry that the log holds already.
    pub fn after(entry: &Entry) -> Narrator {
        let last = match entry {
            Entry::Boot { cycle, at, .. } => Some(Last { kind: EntryKind::Boot, cycle: *cycle, at: *at }),
            Entry::Cycle { cycle, at, .. } => Some(Last { kind: EntryKind::Cycle, cycle: *cycle, at: *at }),
            Entry::Stop { cycle, at, .. } => Some(Last { kind: EntryKind::Stop, cycle: *cycle, at: *at }),
            _ => None,
        };
        Narrator { last, ..Narrator::default() }
    }

    /// A chain begins.
    pub fn genesis(&mut self, genesis: &Genesis, out: &mut impl FnMut(Entry)) {
        self.last = None;
        out(Entry::Genesis {
            at: genesis.started,
            source: genesis.source,
            numerics: genesis.numerics,
            chain: genesis.digest().0,
            predecessor: genesis.predecessor.as_ref().map(|p| p.head.0),
        });
    }

    /// The hub booted: its record and the witness of it.
    pub fn boot(&mut self, witness: &Witness, record: &BootRecord, out: &mut impl FnMut(Entry)) {
        let Witness { cycle, at, source, chain, .. } = *witness;
        if let Some(last) = self.last {
            if at < last.at {
                out(Entry::ClockStep { cycle, from: last.at, to: at });
            }
            let first = last.next();
            if first < cycle {
                out(Entry::Gap { at, first, next: cycle, reason: GapReason::Down });
            }
        }
        let BootRecord { boot_id: boot, unclean, ref baselines, .. } = *record;
        out(Entry::Boot { cycle, at, source, boot, unclean, chain: chain.0 });
        self.baselines = if baselines.is_empty() { [0; 32] } else { baselines_digest(baselines) };
        if !baselines.is_empty() {
            out(Entry::Calibration { cycle, at, step: CalibrationStep::Resumed, baselines: self.baselines });
        }
        self.note(EntryKind::Boot, witness);
    }

    /// A cycle was computed, with the commands among its events.
    pub fn cycle(
        &mut self,
        witness: &Witness,
        commands: impl IntoIterator<Item = Command>,
        out: &mut impl FnMut(Entry),
    ) {
        let Witness { cycle, at, source, chain, .. } = *witness;
        if let Some(last) = self.last {
            let first = last.next();
            if first < cycle {
                out(Entry::Gap { at, first, next: cycle, reason: GapReason::Overrun });
            }
        }
        out(Entry::Cycle { cycle, at, source, chain: chain.0 });
        for command in commands {
            let step = match command {
                Command::StartCalibration => CalibrationStep::Started,
                Command::CancelCalibration => CalibrationStep::Cancelled,
                Command::ClearCalibration => {
                    self.cleared = Some(cycle);
                    self.baselines = [0; 32];
                    CalibrationStep::Cleared
                }
            };
            out(Entry::Calibration { cycle, at, step, baselines: self.baselines });
        }
        self.note(EntryKind::Cycle, witness);
    }

    /// The baselines in use changed in the last cycle; `exported` is their new export.
    pub fn baselines(&mut self, exported: &[u8], out: &mut impl FnMut(Entry)) {
        let Some(last) = self.last else { return };
        if self.cleared == Some(last.cycle) {
            return;
        }
        self.baselines = baselines_digest(exported);
        let Last { cycle, at, .. } = last;
        out(Entry::Calibration { cycle, at, step: CalibrationStep::Completed, baselines: self.baselines });
    }

    /// The hub stopped in order.
    pub fn stop(&mut self, witness: &Witness, out: &mut impl FnMut(Entry)) {
        let Witness { cycle, at, source, chain, .. } = *witness;
        out(Entry::Stop { cycle, at, source, chain: chain.0 });
        self.note(EntryKind::Stop, witness);
    }

    /// The host's clock says another time than the one by which cycles are counted.
    pub fn clock_step(&self, expected: Timestamp, set: Timestamp) -> Entry {
        let cycle = self.last.map_or(CycleIndex(0), |last| last.cycle);
        Entry::ClockStep { cycle, from: expected, to: set }
    }

    /// The record of a chain that a log entry stands for.
    pub fn chain_of(entry: &Entry) -> Option<[u8; 32]> {
        match entry {
            Entry::Genesis { chain, .. }
            | Entry::Boot { chain, .. }
            | Entry::Cycle { chain, .. }
            | Entry::Stop { chain, .. } => Some(*chain),
            _ => None,
        }
    }

    /// The last cycle that an entry says was in use.
    pub fn last_cycle_of(entry: &Entry) -> Option<CycleIndex> {
        match entry {
            Entry::Cycle { cycle, .. } | Entry::Stop { cycle, .. } => Some(*cycle),
            Entry::Boot { cycle, .. } => cycle.0.checked_sub(1).map(CycleIndex),
            _ => None,
        }
    }

    fn note(&mut self, kind: EntryKind, witness: &Witness) {
        self.last = Some(Last { kind, cycle: witness.cycle, at: witness.at });
    }
}
