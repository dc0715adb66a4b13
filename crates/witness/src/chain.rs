//! The chain: one fixed-size witness an entry.

use crate::context;
use crate::digest::{Digest, Digester};
use crate::genesis::Genesis;
use core::fmt;
use wavewitness_types::canonical::Reader;
use wavewitness_types::{Canonical, CycleIndex, Sink, Source, Timestamp};

/// The stages, in the order in which they run and are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Stage {
    Ingest = 0,
    Links = 1,
    Calibration = 2,
    PhaseAlign = 3,
    Fusion = 4,
    Cir = 5,
    Gate = 6,
    Tomography = 7,
    Pose = 8,
    World = 9,
}

impl Stage {
    /// How many.
    pub const COUNT: usize = 10;
    /// Every stage in order.
    pub const ALL: [Stage; Stage::COUNT] = [
        Stage::Ingest,
        Stage::Links,
        Stage::Calibration,
        Stage::PhaseAlign,
        Stage::Fusion,
        Stage::Cir,
        Stage::Gate,
        Stage::Tomography,
        Stage::Pose,
        Stage::World,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Ingest => "ingest",
            Stage::Links => "links",
            Stage::Calibration => "calibration",
            Stage::PhaseAlign => "phase-align",
            Stage::Fusion => "fusion",
            Stage::Cir => "cir",
            Stage::Gate => "gate",
            Stage::Tomography => "tomography",
            Stage::Pose => "pose",
            Stage::World => "world",
        }
    }
}

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// The hub (re)started.
    Boot = 0,
    /// A cycle.
    Cycle = 1,
    /// The hub stopped in order.
    Stop = 2,
}

/// One entry of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What it stands for.
    pub kind: EntryKind,
    /// The cycle; for a boot the first that it may use, for a stop the last that was used.
    pub cycle: CycleIndex,
    /// Host time of the tick, boot or stop.
    pub at: Timestamp,
    /// Where the cycle's datagrams came from.
    pub source: Source,
    /// Digest of what came in.
    pub inputs: Digest,
    /// One digest a stage, indexed by [`Stage`]; zeros for a boot or stop.
    pub stages: [Digest; Stage::COUNT],
    /// Digest of what was published; zeros for a boot or stop.
    pub output: Digest,
    /// The chain value after this entry.
    pub chain: Digest,
}

impl Witness {
    /// Length of the canonical bytes.
    pub const BYTES: usize = 1 + 8 + 8 + 1 + 32 * (Stage::COUNT + 3);

    fn canonical_without_chain<S: Sink>(&self, out: &mut S) {
        let Self { kind, cycle, at, source, inputs, stages, output, chain: _ } = self;
        out.u8(*kind as u8);
        cycle.canonical(out);
        at.canonical(out);
        source.canonical(out);
        inputs.canonical(out);
        stages.iter().for_each(|d| d.canonical(out));
        output.canonical(out);
    }

    /// Reads canonical bytes; `None` if they are not exactly one witness.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Option<Witness> {
        let mut r = Reader::new(bytes);
        let witness = Witness {
            kind: match r.u8()? {
                0 => EntryKind::Boot,
                1 => EntryKind::Cycle,
                2 => EntryKind::Stop,
                _ => return None,
            },
            cycle: CycleIndex(r.u64()?),
            at: Timestamp(r.u64()?),
            source: Source::from_code(r.u8()?)?,
            inputs: Digest(r.array()?),
            stages: {
                let mut stages = [Digest::ZERO; Stage::COUNT];
                for d in &mut stages {
                    *d = Digest(r.array()?);
                }
                stages
            },
            output: Digest(r.array()?),
            chain: Digest(r.array()?),
        };
        r.finished()?;
        Some(witness)
    }

    /// Digest of published bytes, as [`Witness::output`] holds it.
    pub fn output_digest(published: &[u8]) -> Digest {
        let mut d = Digester::new(context::OUTPUT);
        d.put(published);
        d.finish()
    }
}

impl Canonical for Witness {
    fn canonical<S: Sink>(&self, out: &mut S) {
        self.canonical_without_chain(out);
        self.chain.canonical(out);
    }
}

/// The first stage at which two witnesses of one cycle part; `None` if all agree.
pub fn stages_equal_until(a: &Witness, b: &Witness) -> Option<Stage> {
    Stage::ALL.into_iter().find(|s| a.stages[*s as usize] != b.stages[*s as usize])
}

/// Why an entry does not continue a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// Its chain value does not follow from the one before and its content: it, or an entry before it, was changed,
    /// removed, inserted or reordered.
    Broken,
    /// Its cycle number is not later than the one before.
    CycleNotLater,
    /// A cycle stands where only a boot may: at the beginning or after a stop.
    NotBooted,
    /// A stop names another cycle than the last that was in use.
    NotTheLast,
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChainFault::Broken => "the chain value does not follow from the entry and its predecessor",
            ChainFault::CycleNotLater => "the cycle number is not later than the one before",
            ChainFault::NotBooted => "a cycle stands where only a boot may",
            ChainFault::NotTheLast => "the stop names another cycle than the last in use",
        })
    }
}

impl std::error::Error for ChainFault {}

/// The state of a chain: what the next entry is bound to.
#[derive(Clone)]
pub struct Chain {
    head: Digest,
    /// The last cycle in use, or the one before the first that a boot allows.
    last: Option<CycleIndex>,
    running: bool,
    source: Option<Source>,
    step: Digester,
}

impl Chain {
    /// The chain of a genesis, before any entry.
    pub fn new(genesis: &Genesis) -> Chain {
        Chain {
            head: genesis.digest(),
            last: None,
            running: false,
            source: None,
            step: Digester::new(context::CHAIN),
        }
    }

    /// A chain that continues after `witness`, which the caller has verified or trusts.
    pub fn after(witness: &Witness) -> Chain {
        let mut chain = Chain {
            head: witness.chain,
            last: None,
            running: witness.kind != EntryKind::Stop,
            source: None,
            step: Digester::new(context::CHAIN),
        };
        chain.note(witness);
        chain
    }

    /// The present chain value.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// The last cycle in use.
    pub fn last_cycle(&self) -> Option<CycleIndex> {
        self.last
    }

    /// Source of the last entry.
    pub fn last_source(&self) -> Option<Source> {
        self.source
    }

    fn note(&mut self, witness: &Witness) {
        self.head = witness.chain;
        self.running = witness.kind != EntryKind::Stop;
        self.source = Some(witness.source);
        self.last = match witness.kind {
            EntryKind::Boot => witness.cycle.0.checked_sub(1).map(CycleIndex),
            EntryKind::Cycle | EntryKind::Stop => Some(witness.cycle),
        };
    }

    fn value(&mut self, witness: &Witness) -> Digest {
        self.head.canonical(&mut self.step);
        witness.canonical_without_chain(&mut self.step);
        self.step.finish()
    }

    /// Appends an entry: fills in its chain value.
    pub fn extend(&mut self, mut witness: Witness) -> Witness {
        witness.chain = self.value(&witness);
        self.note(&witness);
        witness
    }

    /// Checks that `witness` continues this chain, and takes it as the new head.
    ///
    /// # Errors
    /// If it does not; the chain is then unchanged.
    pub fn verify(&mut self, witness: &Witness) -> Result<(), ChainFault> {
        if self.value(witness) != witness.chain {
            return Err(ChainFault::Broken);
        }
        let later = self.last.is_none_or(|last| witness.cycle > last);
        match witness.kind {
            EntryKind::Boot if !later => return Err(ChainFault::CycleNotLater),
            EntryKind::Cycle | EntryKind::Stop if !self.running => return Err(ChainFault::NotBooted),
            EntryKind::Cycle if !later => return Err(ChainFault::CycleNotLater),
            EntryKind::Stop if witness.cycle != self.last.unwrap_or_default() => {
                return Err(ChainFault::NotTheLast);
            }
            EntryKind::Boot | EntryKind::Cycle | EntryKind::Stop => {}
        }
        self.note(witness);
        Ok(())
    }

    /// Takes `witness` as the new head although it does not verify, so that the entries after it can be judged on
    /// their own.
    pub fn resynchronise(&mut self, witness: &Witness) {
        self.note(witness);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn genesis() -> Genesis {
        Genesis {
            specification: 1,
            numerics: 1,
            source: Source::Simulated,
            started: Timestamp(0),
            software: "test".into(),
            config: Vec::new(),
            predecessor: None,
            privacy: wavewitness_types::PrivacyMode::RawResearch,
        }
    }

    fn entry(kind: EntryKind, cycle: u64) -> Witness {
        Witness {
            kind,
            cycle: CycleIndex(cycle),
            at: Timestamp(cycle * 50_000_000),
            source: Source::Simulated,
            inputs: Digest([cycle as u8; 32]),
            stages: [Digest([1; 32]); Stage::COUNT],
            output: Digest([2; 32]),
            chain: Digest::ZERO,
        }
    }

    fn chain_of(n: u64) -> Vec<Witness> {
        let mut chain = Chain::new(&genesis());
        let mut out = vec![chain.extend(entry(EntryKind::Boot, 0))];
        out.extend((0..n).map(|k| chain.extend(entry(EntryKind::Cycle, k))));
        out.push(chain.extend(entry(EntryKind::Stop, n - 1)));
        out
    }

    fn first_fault(entries: &[Witness]) -> Option<(usize, ChainFault)> {
        let mut chain = Chain::new(&genesis());
        entries.iter().enumerate().find_map(|(k, w)| chain.verify(w).err().map(|e| (k, e)))
    }

    #[test]
    fn an_honest_chain_verifies_and_continues() {
        let entries = chain_of(5);
        assert_eq!(first_fault(&entries), None);
        let mut resumed = Chain::after(entries.last().unwrap());
        assert_eq!(resumed.verify(&entries[0]), Err(ChainFault::Broken));
        let boot = resumed.extend(entry(EntryKind::Boot, 50));
        assert_eq!(first_fault(&[entries, vec![boot]].concat()), None);
    }

    #[test]
    fn every_flipped_bit_of_every_entry_is_found_at_its_entry() {
        let entries = chain_of(3);
        for (k, witness) in entries.iter().enumerate() {
            let bytes = witness.to_canonical_bytes();
            assert_eq!(bytes.len(), Witness::BYTES);
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                // A change that is no witness any more is found by the reader.
                let Some(w) = Witness::from_canonical_bytes(&changed) else { continue };
                let mut tampered = entries.clone();
                tampered[k] = w;
                assert_eq!(first_fault(&tampered).map(|f| f.0), Some(k), "entry {k} bit {bit}");
            }
        }
    }

    #[test]
    fn removal_insertion_and_exchange_break_the_chain() {
        let entries = chain_of(4);
        let mut removed = entries.clone();
        removed.remove(2);
        assert!(first_fault(&removed).is_some());
        let mut exchanged = entries.clone();
        exchanged.swap(2, 3);
        assert_eq!(first_fault(&exchanged), Some((2, ChainFault::Broken)));
        let mut repeated = entries.clone();
        repeated.insert(2, entries[1]);
        assert_eq!(first_fault(&repeated), Some((2, ChainFault::Broken)));
    }

    #[test]
    fn an_entry_made_out_of_order_is_refused_even_with_a_right_chain_value() {
        let mut chain = Chain::new(&genesis());
        let boot = chain.extend(entry(EntryKind::Boot, 10));
        let early = chain.clone().extend(entry(EntryKind::Cycle, 9));
        assert_eq!(first_fault(&[boot, early]), Some((1, ChainFault::CycleNotLater)));
        let mut unbooted = Chain::new(&genesis());
        let cycle = unbooted.extend(entry(EntryKind::Cycle, 0));
        assert_eq!(first_fault(&[cycle]), Some((0, ChainFault::NotBooted)));
        for named in [9, 11, 0] {
            let mut chain = Chain::new(&genesis());
            let boot = chain.extend(entry(EntryKind::Boot, 10));
            let cycle = chain.extend(entry(EntryKind::Cycle, 10));
            let stop = chain.extend(entry(EntryKind::Stop, named));
            assert_eq!(first_fault(&[boot, cycle, stop]), Some((2, ChainFault::NotTheLast)));
        }
    }
}
