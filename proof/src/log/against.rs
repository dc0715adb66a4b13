//! A log held against the journal: every signed record has its entry, and every entry its record.
//!
//! Both are read in their order, side by side, so memory does not grow with them. A chain value is compared with a
//! chain value; where they part, cycle numbers decide which side lacks something.

use crate::report::ChainReport;
use crate::verify::{Entry as Verified, Visitor};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use wavewitness_journal::{ChainId, Content, Journal, Records};
use wavewitness_log::Entry;
use wavewitness_types::CycleIndex;
use wavewitness_witness::{Chain, EntryKind, Genesis, Witness};

/// How log and journal part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// The journal holds other records under these cycle numbers than were signed: it was rewritten.
    Rewritten,
    /// The chain value is the signed one, but cycle, time, source or genesis of the entry are not the record's.
    Fields,
    /// Signed records that the journal lacks, before the first that it has: deleted, and no retention entry says so.
    LostBefore,
    /// Signed records that the journal lacks between others.
    Lost,
    /// Signed records that are in a damaged part of the journal.
    LostDamaged,
    /// Signed records behind the last that the journal has: its end was cut off.
    Cut,
    /// Records of the journal between signed ones that were never signed: put in.
    NotLogged,
    /// Notice: records deleted from the journal, as a retention entry said.
    Pruned,
    /// Notice: records of the journal from before the log began.
    BeforeLog,
    /// Notice: records of the journal behind the last checkpoint: not signed yet.
    Unsigned,
    /// Notice: records whose entries were pruned from the log, or can't be read (which is a fault of the log then).
    EntryGone,
}

impl Difference {
    /// True for what an honest log and journal may show.
    pub fn is_notice(self) -> bool {
        use Difference as D;
        matches!(self, D::Pruned | D::BeforeLog | D::Unsigned | D::EntryGone)
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Difference::Rewritten => "rewritten",
            Difference::Fields => "fields",
            Difference::LostBefore => "lost-before",
            Difference::Lost => "lost",
            Difference::LostDamaged => "lost-damaged",
            Difference::Cut => "cut",
            Difference::NotLogged => "not-logged",
            Difference::Pruned => "pruned",
            Difference::BeforeLog => "before-log",
            Difference::Unsigned => "unsigned",
            Difference::EntryGone => "entry-gone",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Difference::Rewritten => "the journal holds other records than were signed: it was rewritten",
            Difference::Fields => "entry and record have one chain value, but say different things",
            Difference::LostBefore => {
                "signed, but not in the journal, which begins later; no retention entry says that they were deleted"
            }
            Difference::Lost => "signed, but not in the journal",
            Difference::LostDamaged => "signed; the journal is damaged where they were",
            Difference::Cut => "signed, but not in the journal: its end was cut off",
            Difference::NotLogged => "in the journal between signed records, but never signed: put in",
            Difference::Pruned => "deleted from the journal, as the log's retention entry says",
            Difference::BeforeLog => "from before the log began",
            Difference::Unsigned => "behind the last checkpoint: not signed yet, nobody vouches for them",
            Difference::EntryGone => "their entries were pruned from the log or can't be read",
        }
    }
}

/// Neighbouring records of one chain that part from the other side in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// How.
    pub kind: Difference,
    /// The chain.
    pub chain: String,
    /// Cycle of the first record.
    pub first_cycle: u64,
    /// Cycle of the last record.
    pub last_cycle: u64,
    /// Records.
    pub records: u64,
    /// Index of the first entry, where an entry was read.
    pub entry: Option<u64>,
    /// True if it began with a cycle.
    #[serde(skip)]
    cycles_only: bool,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { kind, chain, first_cycle, last_cycle, records, entry, cycles_only: _ } = self;
        write!(f, "[{}] ", kind.name())?;
        match first_cycle == last_cycle {
            true => write!(f, "cycle {first_cycle}")?,
            false => write!(f, "cycles {first_cycle} to {last_cycle}")?,
        }
        write!(f, " of chain {chain}, {records} records")?;
        if let Some(entry) = entry {
            write!(f, " (from entry {entry} on)")?;
        }
        write!(f, ": {}", kind.words())
    }
}

/// What a record and its entry have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    /// Orders a boot before the cycle of its number, and a stop behind it.
    rank: u8,
    cycle: u64,
    at: u64,
    source: u8,
    chain: [u8; 32],
}

impl Record {
    fn of_entry(entry: &Entry) -> Option<Record> {
        let (rank, cycle, at, source, chain) = match entry {
            Entry::Boot { cycle, at, source, chain, .. } => (0, cycle, at, source, chain),
            Entry::Cycle { cycle, at, source, chain } => (1, cycle, at, source, chain),
            Entry::Stop { cycle, at, source, chain } => (2, cycle, at, source, chain),
            _ => return None,
        };
        Some(Record { rank, cycle: cycle.0, at: at.0, source: *source as u8, chain: *chain })
    }

    fn of_witness(w: &Witness) -> Record {
        let rank = match w.kind {
            EntryKind::Boot => 0,
            EntryKind::Cycle => 1,
            EntryKind::Stop => 2,
        };
        Record { rank, cycle: w.cycle.0, at: w.at.0, source: w.source as u8, chain: w.chain.0 }
    }

    fn place(&self) -> (u64, u8) {
        (self.cycle, self.rank)
    }
}

/// The records of one chain of the journal, one ahead.
struct Stream {
    records: Records,
    next: Option<Record>,
    genesis: Option<Genesis>,
    /// True if damage lies between the last record taken and the next.
    damaged: bool,
    /// True once a record was taken.
    begun: bool,
}

impl Stream {
    fn open(journal: &Journal, id: ChainId) -> Stream {
        let records = journal.of_chain(id).records();
        let mut stream = Stream { records, next: None, genesis: None, damaged: false, begun: false };
        stream.advance();
        stream.begun = false;
        stream
    }

    fn is_next(&self, signed: &Record) -> bool {
        self.next.is_some_and(|record| record.chain == signed.chain)
    }

    /// Takes the next record and reads the one behind it.
    fn advance(&mut self) -> Option<Record> {
        let taken = self.next.take();
        (self.damaged, self.begun) = (false, true);
        for item in self.records.by_ref() {
            let Ok(chunk) = item else {
                self.damaged = true;
                continue;
            };
            if let Content::Start { genesis, .. } = &chunk.content {
                self.genesis = self.genesis.take().or_else(|| Genesis::from_canonical_bytes(genesis));
                continue;
            }
            match chunk.witness().and_then(Witness::from_canonical_bytes) {
                Some(witness) => {
                    self.next = Some(Record::of_witness(&witness));
                    break;
                }
                None => self.damaged = true,
            }
        }
        taken
    }
}

/// The boots of a journal by their chain values: how the log's entries find their chain even if its genesis can't be
/// read. Collected while the journal is verified.
#[derive(Default)]
pub struct Boots {
    chain: Option<ChainId>,
    found: BTreeMap<[u8; 32], ChainId>,
}

impl Visitor for Boots {
    fn begin(&mut self, genesis: &Genesis, _: &Chain, _: &mut ChainReport) {
        self.chain = Some(ChainId::from_digest(&genesis.digest().0));
    }

    fn entry(&mut self, entry: &Verified<'_>, _: bool, _: &mut ChainReport) {
        if let (EntryKind::Boot, Some(chain)) = (entry.witness.kind, self.chain) {
            self.found.insert(entry.witness.chain.0, chain);
        }
    }

    fn gap(&mut self) {}
}

/// Takes the log's entries in order, and holds them against the journal.
pub struct Against<'a> {
    journal: &'a Journal,
    boots: Boots,
    chains: Vec<ChainId>,
    /// Which of `chains` the log has named.
    named: Vec<bool>,
    current: Option<(ChainId, Stream)>,
    /// The log's chains in its order.
    seen: Vec<ChainId>,
    /// The index that the next entry should have, and entries before it that were not shown.
    next_index: u64,
    hidden: u64,
    /// True once a record was compared.
    begun: bool,
    agree: u64,
    runs: Vec<Run>,
}

impl<'a> Against<'a> {
    /// A journal whose verification collected its boots.
    pub fn new(journal: &'a Journal, boots: Boots) -> Against<'a> {
        let chains = journal.chains();
        let named = vec![false; chains.len()];
        Against {
            journal,
            boots,
            chains,
            named,
            current: None,
            seen: Vec::new(),
            next_index: 0,
            hidden: 0,
            begun: false,
            agree: 0,
            runs: Vec::new(),
        }
    }

    /// The next signed entry that could be read.
    pub fn entry(&mut self, index: u64, entry: &Entry) {
        self.hidden += index.saturating_sub(self.next_index);
        self.next_index = index + 1;
        match entry {
            Entry::Genesis { chain, .. } => {
                self.enter(ChainId::from_digest(chain));
                self.genesis(index, entry);
            }
            Entry::Retention { first_cycle, .. } => self.retention(*first_cycle),
            _ => {
                if let Some(record) = Record::of_entry(entry) {
                    self.record(index, record);
                }
            }
        }
    }

    /// What was found, given the signed size: agreeing records, and runs of those that do not.
    pub fn finish(mut self, signed: u64) -> (u64, Vec<Run>) {
        self.hidden += signed.saturating_sub(self.next_index);
        let last = self.current.as_ref().and_then(|(id, _)| self.chains.iter().position(|c| c == id));
        self.drain(Difference::Unsigned);
        self.cut_chains();
        let first = self.named.iter().position(|&n| n);
        for (k, id) in self.chains.clone().into_iter().enumerate() {
            if self.named[k] {
                continue;
            }
            let kind = match (first, last) {
                (Some(first), _) if k < first => Difference::BeforeLog,
                (_, Some(last)) if k < last => Difference::NotLogged,
                _ => Difference::Unsigned,
            };
            let mut stream = Stream::open(self.journal, id);
            while let Some(record) = stream.advance() {
                self.note(kind, id, record, None);
            }
        }
        (self.agree, joined(self.runs))
    }

    /// A chain that the journal lacks behind one that it has was cut off.
    fn cut_chains(&mut self) {
        let has = |id: &ChainId| self.chains.contains(id);
        let Some(first) = self.seen.iter().position(has) else { return };
        let cut = self.seen[first..].iter().filter(|id| !has(id)).map(ChainId::to_string);
        let cut: Vec<String> = cut.collect();
        for run in self.runs.iter_mut().filter(|run| run.kind == Difference::LostBefore) {
            if cut.contains(&run.chain) {
                run.kind = Difference::Cut;
            }
        }
    }

    /// The log goes on with a chain.
    fn enter(&mut self, id: ChainId) {
        if self.current.as_ref().is_some_and(|(current, _)| *current == id) {
            return;
        }
        self.drain(Difference::NotLogged);
        self.seen.push(id);
        if let Some(k) = self.chains.iter().position(|c| *c == id) {
            self.named[k] = true;
        }
        self.current = Some((id, Stream::open(self.journal, id)));
    }

    /// What is left of the present chain in the journal.
    fn drain(&mut self, kind: Difference) {
        let Some((id, mut stream)) = self.current.take() else { return };
        while let Some(record) = stream.advance() {
            self.left_over(kind, id, record);
        }
    }

    /// A record of the journal that has no entry.
    fn left_over(&mut self, kind: Difference, id: ChainId, record: Record) {
        let kind = match (self.begun, self.hidden) {
            (_, 1..) => {
                self.hidden -= 1;
                Difference::EntryGone
            }
            (false, 0) if kind == Difference::NotLogged => Difference::BeforeLog,
            _ => kind,
        };
        self.note(kind, id, record, None);
    }

    fn genesis(&mut self, index: u64, entry: &Entry) {
        let Entry::Genesis { at, source, numerics, chain, predecessor } = entry else { return };
        let Some((id, stream)) = &self.current else { return };
        let Some(genesis) = &stream.genesis else { return };
        let same = genesis.digest().0 == *chain
            && (genesis.started, genesis.source, genesis.numerics) == (*at, *source, *numerics)
            && genesis.predecessor.as_ref().map(|p| p.head.0) == *predecessor;
        if !same {
            let record = Record { rank: 0, cycle: 0, at: at.0, source: *source as u8, chain: *chain };
            self.note(Difference::Fields, *id, record, Some(index));
        }
    }

    fn record(&mut self, index: u64, signed: Record) {
        if signed.rank == 0
            && let Some(&id) = self.boots.found.get(&signed.chain)
        {
            self.enter(id);
        }
        let lost = self.hidden > 0 && self.current.as_ref().is_none_or(|(_, s)| !s.is_next(&signed));
        if lost && let Some(id) = self.seek(&signed) {
            self.enter(id);
        }
        let Some((id, mut stream)) = self.current.take() else { return };
        loop {
            match stream.next {
                Some(record) if record.chain == signed.chain => {
                    match record == signed {
                        true => self.agree += 1,
                        false => self.note(Difference::Fields, id, signed, Some(index)),
                    }
                    stream.advance();
                    self.hidden = 0;
                    break;
                }
                Some(record) if record.place() == signed.place() => {
                    self.note(Difference::Rewritten, id, signed, Some(index));
                    stream.advance();
                    break;
                }
                Some(record) if record.place() < signed.place() => {
                    self.left_over(Difference::NotLogged, id, record);
                    stream.advance();
                }
                next => {
                    let kind = match (stream.begun, next, stream.damaged) {
                        (true, None, _) => Difference::Cut,
                        (_, _, true) => Difference::LostDamaged,
                        (false, _, false) => Difference::LostBefore,
                        (true, Some(_), false) => Difference::Lost,
                    };
                    self.note(kind, id, signed, Some(index));
                    break;
                }
            }
        }
        self.current = Some((id, stream));
        self.begun = true;
    }

    /// The chain of a record, if it is one that the log has not named: its genesis and boot can't be read then.
    fn seek(&self, signed: &Record) -> Option<ChainId> {
        let unnamed = self.chains.iter().zip(&self.named).filter(|(_, named)| !**named).map(|(id, _)| *id);
        unnamed.into_iter().find(|&id| {
            let mut stream = Stream::open(self.journal, id);
            while stream.next.is_some() && !stream.is_next(signed) {
                stream.advance();
            }
            stream.next.is_some()
        })
    }

    /// What was announced as deleted is no loss: older chains, and the present one before a cycle.
    fn retention(&mut self, first_kept: CycleIndex) {
        let current = self.current.as_ref().map(|(id, _)| id.to_string());
        let mut out = Vec::with_capacity(self.runs.len() + 1);
        for mut run in std::mem::take(&mut self.runs) {
            let older = current.as_ref() != Some(&run.chain);
            let lost = run.kind == Difference::LostBefore;
            if lost && (older || run.last_cycle < first_kept.0) {
                run.kind = Difference::Pruned;
            } else if lost && run.first_cycle < first_kept.0 {
                // Only its beginning was announced. It has one record a cycle: see `note`.
                let records = first_kept.0 - run.first_cycle;
                let last_cycle = first_kept.0 - 1;
                out.push(Run { kind: Difference::Pruned, last_cycle, records, ..run.clone() });
                run = Run { first_cycle: first_kept.0, records: run.records - records, entry: None, ..run };
            }
            out.push(run);
        }
        self.runs = out;
    }

    /// Adds a record to the last run, or begins one. While it may turn out that a part of a run was announced as
    /// deleted, runs are of cycles without a gap.
    fn note(&mut self, kind: Difference, id: ChainId, record: Record, entry: Option<u64>) {
        let Record { rank, cycle, .. } = record;
        let chain = id.to_string();
        let divisible = kind == Difference::LostBefore;
        let goes_on = |run: &&mut Run| {
            let next = rank == 1 && run.cycles_only && cycle == run.last_cycle.saturating_add(1);
            run.kind == kind && run.chain == chain && (!divisible || next)
        };
        match self.runs.last_mut().filter(goes_on) {
            Some(run) => {
                run.last_cycle = cycle;
                run.records += 1;
            }
            None => self.runs.push(Run {
                kind,
                chain,
                first_cycle: cycle,
                last_cycle: cycle,
                records: 1,
                entry,
                cycles_only: rank == 1,
            }),
        }
    }
}

/// Neighbouring runs of one kind and chain as one.
fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for run in runs {
        match out.last_mut().filter(|last| last.kind == run.kind && last.chain == run.chain) {
            Some(last) => {
                last.last_cycle = run.last_cycle;
                last.records += run.records;
            }
            None => out.push(run),
        }
    }
    out
}
