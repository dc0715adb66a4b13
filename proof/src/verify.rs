//! Chain and payloads of a journal.

use crate::report::{ChainReport, Finding, Kind, Report};
use std::path::Path;
use wavewitness_journal::{ChainId, Chunk, Content, Fault, FaultKind, Journal, JournalError};
use wavewitness_types::{Canonical, CycleIndex, Event, PoseFrame, PrivacyMode, Source};
use wavewitness_witness::{Chain, EntryKind, Genesis, Witness, event_inputs};

/// A cycle, boot or stop whose stored parts agree with each other.
pub struct Entry<'a> {
    /// Its events.
    pub events: &'a [Event],
    /// Its witness.
    pub witness: &'a Witness,
    /// What was published, for a cycle.
    pub frame: Option<&'a PoseFrame>,
    /// The segment that holds it.
    pub segment: String,
}

/// Takes entries as they are verified; [`crate::replay`] computes them again.
pub trait Visitor {
    /// A chain begins, or begins to be readable, with this genesis; `chain` is its state there.
    fn begin(&mut self, genesis: &Genesis, chain: &Chain, report: &mut ChainReport);
    /// An entry was read. `sound` is false if its events are not known to be the witnessed ones.
    fn entry(&mut self, entry: &Entry<'_>, sound: bool, report: &mut ChainReport);
    /// Something of the chain is missing here: what follows can't be computed before the next boot.
    fn gap(&mut self);
}

/// Verifies, and does nothing else.
pub struct VerifyOnly;

impl Visitor for VerifyOnly {
    fn begin(&mut self, _: &Genesis, _: &Chain, _: &mut ChainReport) {}
    fn entry(&mut self, _: &Entry<'_>, _: bool, _: &mut ChainReport) {}
    fn gap(&mut self) {}
}

/// How far a walk is: bytes done, bytes in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Verifies chain and payloads of every chain of a journal.
///
/// # Errors
/// If the path is no journal or can't be read.
pub fn verify(path: &Path, progress: Progress<'_>) -> Result<Report, JournalError> {
    walk(path, &mut VerifyOnly, progress)
}

/// Walks a journal entry by entry, verifying each, and shows it to a visitor.
///
/// # Errors
/// If the path is no journal or can't be read.
pub fn walk(path: &Path, visitor: &mut dyn Visitor, progress: Progress<'_>) -> Result<Report, JournalError> {
    let journal = Journal::open(path)?;
    let total = journal.segments().iter().map(|s| s.bytes).sum();
    let mut before = 0;
    let mut report = Report::default();
    for id in journal.chains() {
        let part = journal.of_chain(id);
        let mut walker = Walker::new(id);
        for item in part.records() {
            match &item {
                Ok(chunk) => {
                    let done: u64 =
                        part.segments().iter().filter(|s| s.name < chunk.segment).map(|s| s.bytes).sum();
                    progress(before + done + chunk.offset, total);
                    walker.chunk(chunk, visitor);
                }
                Err(fault) => walker.fault(fault, visitor),
            }
        }
        before += part.segments().iter().map(|s| s.bytes).sum::<u64>();
        report.chains.push(walker.finish(part.segments().len() as u64));
    }
    progress(total, total);
    find_forks(&mut report);
    Ok(report)
}

/// Two chains that go on from the same chain: a hub never begins two.
fn find_forks(report: &mut Report) {
    for k in 1..report.chains.len() {
        let (before, chain) = report.chains.split_at_mut(k);
        let chain = &mut chain[0];
        let twin = before.iter().find(|b| b.predecessor.is_some() && b.predecessor == chain.predecessor);
        if let Some(twin) = twin {
            chain.findings.push(Finding {
                cycle: None,
                segment: format!("{}-00000000", chain.chain),
                kind: Kind::Continuity,
                detail: format!("its genesis names the same chain before it as chain {} does", twin.chain),
            });
        }
    }
}

const NOT_WITNESSED: &str = "the stored events are not the ones that were witnessed";

/// Events that a journal without inputs never holds: datagrams, and a boot's baselines.
fn must_be_withheld(event: &Event) -> bool {
    match event {
        Event::Datagram { .. } => true,
        Event::Boot { record, .. } => !record.baselines.is_empty(),
        Event::Tick { .. } | Event::Command { .. } | Event::Stop { .. } => false,
    }
}

struct Walker {
    id: ChainId,
    report: ChainReport,
    genesis: Option<Genesis>,
    chain: Option<Chain>,
    /// Canonical bytes of the last witness: what the next segment must say that it continues from.
    last: Option<Vec<u8>>,
    /// The last cycle since the last boot.
    running: Option<CycleIndex>,
    /// True after damage: the next entry can't be bound to one before it.
    broken: bool,
}

impl Walker {
    fn new(id: ChainId) -> Walker {
        let report = ChainReport { chain: id.to_string(), ..ChainReport::default() };
        Walker { id, report, genesis: None, chain: None, last: None, running: None, broken: false }
    }

    /// The last cycle that was read, by its chunk: what lies between cycles is named by the one before. (A number in
    /// a witness or an event may be what was changed.)
    fn last_cycle(&self) -> Option<CycleIndex> {
        self.report.last_cycle.map(CycleIndex)
    }

    fn find(&mut self, cycle: Option<CycleIndex>, segment: impl ToString, kind: Kind, detail: impl ToString) {
        self.report.findings.push(Finding {
            cycle: cycle.map(|c| c.0),
            segment: segment.to_string(),
            kind,
            detail: detail.to_string(),
        });
    }

    fn fault(&mut self, fault: &Fault, visitor: &mut dyn Visitor) {
        if fault.is_expected_after_a_crash() {
            self.report.notes.push(fault.to_string());
            return;
        }
        if fault.kind != FaultKind::BadIndex {
            self.broken = true;
            visitor.gap();
        }
        let claimed = match fault.kind {
            FaultKind::Damaged { claimed, .. } => claimed,
            _ => None,
        };
        let after_last = fault.last_good.map(|c| CycleIndex(c.0 + 1));
        // A damaged chunk's claim is believed only between whole cycles: the claim may be what is damaged.
        let claimed = claimed.filter(|c| {
            fault.last_good.is_none_or(|last| *c > last) && fault.next_good.is_some_and(|next| *c < next)
        });
        self.find(claimed.or(after_last).or(fault.next_good), fault.segment, Kind::Storage, fault);
    }

    fn chunk(&mut self, chunk: &Chunk, visitor: &mut dyn Visitor) {
        match &chunk.content {
            Content::Start { genesis, head, source } => self.start(chunk, genesis, head, *source, visitor),
            Content::Cycle { cycle, events, witness, pose } => {
                self.cycle(chunk, *cycle, events, witness.as_deref(), pose.as_deref(), visitor);
            }
            Content::Entry { events, witness } => self.entry(chunk, events, witness.as_deref(), visitor),
        }
    }

    fn start(
        &mut self,
        chunk: &Chunk,
        genesis: &[u8],
        head: &[u8],
        source: Source,
        visitor: &mut dyn Visitor,
    ) {
        let at = self.last_cycle();
        let Some(parsed) = Genesis::from_canonical_bytes(genesis) else {
            self.find(at, chunk.segment, Kind::Genesis, "the genesis can't be read");
            return;
        };
        if ChainId::from_digest(&parsed.digest().0) != self.id || parsed.source != source {
            let detail = "the genesis is not the one of this chain";
            self.find(at, chunk.segment, Kind::Genesis, detail);
            return;
        }
        let previous = match head {
            [] => None,
            bytes => match Witness::from_canonical_bytes(bytes) {
                Some(witness) => Some(witness),
                None => {
                    self.find(at, chunk.segment, Kind::Continuity, "the segment's head can't be read");
                    return;
                }
            },
        };
        if self.chain.is_some() {
            if self.last.as_deref().unwrap_or_default() != head {
                let detail = "the segment does not continue the one before it";
                // After damage the entries between are missing: the segment's own head is the best that there is.
                self.find(at, chunk.segment, Kind::Continuity, detail);
                if let Some(witness) = previous {
                    self.chain = Some(Chain::after(&witness));
                    self.last = Some(head.to_vec());
                    visitor.gap();
                }
            }
            self.broken = false;
            return;
        }
        let chain = previous.as_ref().map_or_else(|| Chain::new(&parsed), Chain::after);
        self.report.software = parsed.software.clone();
        self.report.numerics = parsed.numerics;
        self.report.privacy = parsed.privacy.name();
        self.report.predecessor = parsed.predecessor.map(|p| p.genesis.to_string());
        self.report.from_genesis = previous.is_none();
        if let Some(witness) = &previous {
            let note = format!(
                "begins in the middle, after cycle {}: earlier segments are not here",
                witness.cycle.0
            );
            self.report.notes.push(note);
        }
        visitor.begin(&parsed, &chain, &mut self.report);
        self.last = Some(head.to_vec());
        self.chain = Some(chain);
        self.genesis = Some(parsed);
    }

    fn cycle(
        &mut self,
        chunk: &Chunk,
        cycle: CycleIndex,
        events: &[Vec<u8>],
        witness: Option<&[u8]>,
        pose: Option<&[u8]>,
        visitor: &mut dyn Visitor,
    ) {
        let named = Some(cycle);
        self.number(cycle);
        let Some(witness) = self.witness(chunk, named, witness) else {
            visitor.gap();
            return;
        };
        let before = self.report.findings.len();
        let (events, whole) = self.inputs(chunk, named, &witness, events);
        let tick = events.as_deref().and_then(<[Event]>::last);
        if witness.kind != EntryKind::Cycle
            || witness.cycle != cycle
            || tick != Some(&Event::Tick { at: witness.at, cycle })
        {
            self.find(named, chunk.segment, Kind::Witness, "witness and tick name different cycles or times");
        }
        let sound = whole && before == self.report.findings.len();
        let frame = self.output(chunk, cycle, &witness, pose);
        self.link(chunk, named, &witness);
        self.count(witness.source, events.as_deref());
        let Some(events) = events else {
            visitor.gap();
            return;
        };
        let segment = chunk.segment.to_string();
        let entry = Entry { events: &events, witness: &witness, frame: frame.as_ref(), segment };
        visitor.entry(&entry, sound, &mut self.report);
    }

    fn entry(
        &mut self,
        chunk: &Chunk,
        events: &[Vec<u8>],
        witness: Option<&[u8]>,
        visitor: &mut dyn Visitor,
    ) {
        let named = self.last_cycle();
        let Some(witness) = self.witness(chunk, named, witness) else {
            visitor.gap();
            return;
        };
        let before = self.report.findings.len();
        let (events, whole) = self.inputs(chunk, named, &witness, events);
        let fits = match events.as_deref() {
            Some([Event::Boot { at, record }]) => {
                self.boot(record.resumed_after, record.unclean, chunk);
                witness.kind == EntryKind::Boot && *at == witness.at && record.next_cycle == witness.cycle
            }
            Some([Event::Stop { at }]) => witness.kind == EntryKind::Stop && *at == witness.at,
            Some(_) => false,
            None => true,
        };
        if !fits {
            self.find(named, chunk.segment, Kind::Witness, "witness and event are of different kinds");
        }
        let sound = whole && before == self.report.findings.len();
        self.link(chunk, named, &witness);
        self.running = None;
        let Some(events) = events else {
            visitor.gap();
            return;
        };
        let segment = chunk.segment.to_string();
        let entry = Entry { events: &events, witness: &witness, frame: None, segment };
        visitor.entry(&entry, sound, &mut self.report);
    }

    fn boot(&mut self, resumed_after: Option<CycleIndex>, unclean: bool, chunk: &Chunk) {
        self.report.boots += 1;
        self.report.unclean_boots += u64::from(unclean);
        let last = self.last_cycle();
        // Where the chain is read from its genesis on, the boot's memory of it can be checked.
        if self.report.from_genesis && resumed_after != last && !self.broken {
            let name = |c: Option<CycleIndex>| c.map_or("no cycle".to_owned(), |c| format!("cycle {}", c.0));
            let detail =
                format!("a boot resumed after {}, the journal has {}", name(resumed_after), name(last));
            self.find(last, chunk.segment, Kind::Continuity, detail);
        }
        if unclean {
            let last = last.map_or("the beginning".to_owned(), |c| format!("cycle {}", c.0));
            self.report
                .notes
                .push(format!("the stop after {last} was not in order; cycles may have been lost"));
        }
    }

    fn witness(&mut self, chunk: &Chunk, named: Option<CycleIndex>, bytes: Option<&[u8]>) -> Option<Witness> {
        let witness = bytes.and_then(Witness::from_canonical_bytes);
        if witness.is_none() {
            let detail = if bytes.is_none() { "there is no witness" } else { "the witness can't be read" };
            self.find(named, chunk.segment, Kind::Witness, detail);
            self.broken = true;
        }
        witness
    }

    /// The mode that the chain's genesis says.
    fn privacy(&self) -> PrivacyMode {
        self.genesis.as_ref().map_or(PrivacyMode::RawResearch, |genesis| genesis.privacy)
    }

    /// The events of an entry, and whether they are all that were witnessed.
    fn inputs(
        &mut self,
        chunk: &Chunk,
        named: Option<CycleIndex>,
        witness: &Witness,
        events: &[Vec<u8>],
    ) -> (Option<Vec<Event>>, bool) {
        let parsed: Option<Vec<Event>> = events.iter().map(|b| Event::from_canonical_bytes(b)).collect();
        let Some(events) = &parsed else {
            self.find(named, chunk.segment, Kind::Inputs, "a stored event can't be read");
            return (None, false);
        };
        let whole = event_inputs(events) == Some(witness.inputs);
        if !self.privacy().keeps_inputs() {
            if events.iter().any(must_be_withheld) {
                let detail = "the journal holds inputs that its privacy mode withholds";
                self.find(named, chunk.segment, Kind::Inputs, detail);
            } else if !whole && witness.kind == EntryKind::Stop {
                self.find(named, chunk.segment, Kind::Inputs, NOT_WITNESSED);
            }
            self.report.withheld_inputs += u64::from(!whole);
        } else if !whole {
            self.find(named, chunk.segment, Kind::Inputs, NOT_WITNESSED);
        }
        (parsed, whole)
    }

    /// What a cycle published, if it is the witnessed one.
    fn output(
        &mut self,
        chunk: &Chunk,
        cycle: CycleIndex,
        witness: &Witness,
        pose: Option<&[u8]>,
    ) -> Option<PoseFrame> {
        let detail = match pose {
            None if !self.privacy().keeps_outputs() => {
                self.report.withheld_outputs += 1;
                return None;
            }
            Some(_) if !self.privacy().keeps_outputs() => {
                "the journal holds a pose that its privacy mode withholds"
            }
            _ => "the stored pose is not the one that was witnessed",
        };
        let frame = pose.and_then(PoseFrame::from_canonical_bytes);
        if !self.privacy().keeps_outputs() || pose.map(Witness::output_digest) != Some(witness.output) {
            self.find(Some(cycle), chunk.segment, Kind::Output, detail);
        } else if !frame
            .as_ref()
            .is_some_and(|f| f.cycle == cycle && f.at == witness.at && f.source == witness.source)
        {
            let detail = "pose and witness name different cycles, times or sources";
            self.find(Some(cycle), chunk.segment, Kind::Output, detail);
        }
        frame
    }

    fn link(&mut self, chunk: &Chunk, named: Option<CycleIndex>, witness: &Witness) {
        let bytes = witness.to_canonical_bytes();
        let Some(chain) = &mut self.chain else {
            let detail = "an entry without a genesis before it";
            self.find(named, chunk.segment, Kind::Continuity, detail);
            return;
        };
        if self.broken {
            // The damage is a finding already; what follows it is bound to it and judged from here on.
            chain.resynchronise(witness);
            self.broken = false;
        } else if let Err(fault) = chain.verify(witness) {
            chain.resynchronise(witness);
            self.find(named, chunk.segment, Kind::Chain, fault);
        }
        self.last = Some(bytes);
        match witness.kind {
            EntryKind::Stop => self.report.stops += 1,
            EntryKind::Boot | EntryKind::Cycle => {}
        }
    }

    fn number(&mut self, cycle: CycleIndex) {
        let r = &mut self.report;
        r.cycles += 1;
        if let Some(before) = self.running {
            r.missed_cycles += cycle.0.saturating_sub(before.0.saturating_add(1));
        }
        self.running = Some(cycle);
        r.first_cycle.get_or_insert(cycle.0);
        r.last_cycle = Some(cycle.0);
    }

    fn count(&mut self, source: Source, events: Option<&[Event]>) {
        let r = &mut self.report;
        match source {
            Source::Live => r.sources.live += 1,
            Source::Replay => r.sources.replay += 1,
            Source::Simulated => r.sources.simulated += 1,
        }
        let datagrams = events.into_iter().flatten().filter(|e| matches!(e, Event::Datagram { .. }));
        r.datagrams += datagrams.count() as u64;
    }

    fn finish(mut self, segments: u64) -> ChainReport {
        self.report.segments = segments;
        self.report.head = self.chain.map(|c| c.head().to_string()).unwrap_or_default();
        self.report
    }
}
