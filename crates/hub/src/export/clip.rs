//! `wavewitness export clip`: a part of a chain as a journal of its own.

use super::{ClipArgs, Failure, Range, harmless};
use std::cmp::Ordering;
use std::path::Path;
use wavewitness_journal::{
    ChainId, Chunk, Content, CycleRecord, EntryRecord, EventBytes, Journal, JournalDir, Options, Writer,
};
use wavewitness_proof::log::{Trust, prove};
use wavewitness_proof::{clip, verify};
use wavewitness_types::{CycleIndex, Event, Source};

/// Runs `export clip`.
///
/// # Errors
/// If the range is empty or of several chains, the journal is damaged within it, or what is asked for can't be written or
/// proven. Then nothing is left behind.
pub(super) fn clip(args: &ClipArgs) -> Result<(), Failure> {
    std::fs::create_dir(&args.out).map_err(|e| format!("can't make {}: {e}", args.out.display()))?;
    let made = make(args);
    if made.is_err() {
        // It was made a moment ago, and is nobody's.
        let _ = std::fs::remove_dir_all(&args.out);
    }
    made
}

fn make(args: &ClipArgs) -> Result<(), Failure> {
    let journal = Journal::open(&args.journal)?;
    let mut found = None;
    for chain in args.range.chains(&journal)? {
        let dir = clip::journal(&args.out);
        let Some(copied) = copy(&journal.of_chain(chain), chain, &args.range, &dir)? else { continue };
        if let Some((other, _)) = found.replace((chain, copied)) {
            return Err(format!(
                "the range is of chains {other} and {chain}, and a clip is of one: choose it with --chain"
            )
            .into());
        }
    }
    let Some((chain, Copied { first, last, cycles })) = found else {
        return Err("no cycle of the journal is in the range".into());
    };
    let report = verify::verify(&clip::journal(&args.out), &mut |_, _| ())?;
    if let Some(fault) = report.findings().next() {
        return Err(format!("the journal does not verify within the range: {fault}").into());
    }
    eprintln!("{cycles} cycles, {} to {} of chain {chain}, in {}", first.0, last.0, args.out.display());
    let Some(log) = &args.log else {
        eprintln!("no proof: it needs the witness log (--log)");
        return Ok(());
    };
    let trust = Trust::find(args.key.as_deref(), log)?;
    if !trust.given {
        eprintln!("warning: the root key was taken from beside the log, not given by a safe way (--key)");
    }
    let made = prove::prove(&trust, log, &clip::journal(&args.out), last, None)?;
    std::fs::write(clip::proof(&args.out), made.text)?;
    // As everybody else will check it.
    clip::verify(&args.out, &trust, &mut |_, _| ())?;
    eprintln!("check it with: proof-runner verify-clip {} --key {}", args.out.display(), trust.root_key);
    Ok(())
}

/// What was copied.
struct Copied {
    first: CycleIndex,
    last: CycleIndex,
    cycles: u64,
}

/// Where the copy stands.
struct Copy<'a> {
    dir: &'a Path,
    chain: ChainId,
    genesis: Vec<u8>,
    source: Source,
    /// The record before: what the clip goes on from.
    before: Vec<u8>,
    /// Boots and stops since the last cycle: they belong to the clip if another cycle follows.
    held: Vec<Chunk>,
    writer: Option<Writer>,
    copied: Option<Copied>,
}

/// Copies a chain's records of the range, and the boots and stops between them, up to the last cycle of it. `None` if no
/// cycle is in it.
fn copy(journal: &Journal, chain: ChainId, range: &Range, dir: &Path) -> Result<Option<Copied>, Failure> {
    let (genesis, source) = (Vec::new(), Source::Replay);
    let (before, held) = (Vec::new(), Vec::new());
    let mut copy = Copy { dir, chain, genesis, source, before, held, writer: None, copied: None };
    let mut cycle = CycleIndex(0);
    for item in journal.records() {
        let chunk = match item {
            Ok(chunk) => chunk,
            Err(fault) if copy.copied.is_none() && !harmless(&fault) => {
                // Damage before the range is not the clip's; what the range goes on from is not known, though.
                copy.before.clear();
                eprintln!("before the range: {fault}");
                continue;
            }
            Err(fault) if harmless(&fault) => continue,
            Err(fault) => return Err(format!("the journal is damaged in the range: {fault}").into()),
        };
        if let Content::Start { genesis, head, source } = chunk.content {
            copy.genesis = genesis;
            copy.source = source;
            if copy.copied.is_none() && copy.held.is_empty() {
                copy.before = head;
            }
            continue;
        }
        cycle = chunk.cycle().or_else(|| next_cycle(&chunk)).unwrap_or(cycle);
        match range.place(chunk.at, cycle) {
            Ordering::Less => copy.before = chunk.witness().unwrap_or_default().to_vec(),
            Ordering::Equal if chunk.cycle().is_some() => copy.cycle(&chunk, cycle)?,
            Ordering::Equal => copy.held.push(chunk),
            Ordering::Greater => break,
        }
    }
    copy.finish()
}

/// The first cycle behind a boot.
fn next_cycle(chunk: &Chunk) -> Option<CycleIndex> {
    chunk.events().iter().find_map(|bytes| match Event::from_canonical_bytes(bytes)? {
        Event::Boot { record, .. } => Some(record.next_cycle),
        _ => None,
    })
}

fn events(chunk: &Chunk) -> Vec<EventBytes<'_>> {
    let at = |bytes: &[u8]| Event::from_canonical_bytes(bytes).map_or(chunk.at, |event| event.at());
    chunk.events().iter().map(|bytes| EventBytes { at: at(bytes), bytes }).collect()
}

impl Copy<'_> {
    fn writer(&mut self, at: wavewitness_types::Timestamp) -> Result<&mut Writer, Failure> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                let dir = JournalDir::lock(self.dir)?;
                Writer::create(
                    dir,
                    self.chain,
                    self.source,
                    &self.genesis,
                    &self.before,
                    at,
                    Options::default(),
                )?
            }
        };
        Ok(self.writer.insert(writer))
    }

    fn entry(&mut self, chunk: &Chunk) -> Result<(), Failure> {
        let record = EntryRecord { at: chunk.at, events: &events(chunk), witness: chunk.witness() };
        self.writer(chunk.at)?.append_entry(&record)?;
        self.before = chunk.witness().unwrap_or_default().to_vec();
        Ok(())
    }

    fn cycle(&mut self, chunk: &Chunk, cycle: CycleIndex) -> Result<(), Failure> {
        for held in std::mem::take(&mut self.held) {
            self.entry(&held)?;
        }
        let events = events(chunk);
        let record = CycleRecord {
            cycle,
            at: chunk.at,
            events: &events,
            witness: chunk.witness(),
            pose: chunk.pose(),
        };
        let before = self.before.clone();
        self.writer(chunk.at)?.append_cycle(&record, || before)?;
        self.before = chunk.witness().unwrap_or_default().to_vec();
        let first = self.copied.as_ref().map_or(cycle, |copied| copied.first);
        let cycles = self.copied.as_ref().map_or(0, |copied| copied.cycles) + 1;
        self.copied = Some(Copied { first, last: cycle, cycles });
        Ok(())
    }

    fn finish(self) -> Result<Option<Copied>, Failure> {
        if let Some(writer) = self.writer {
            drop(writer.close()?);
            // Nobody writes there again.
            let _ = std::fs::remove_file(self.dir.join(JournalDir::LOCK_FILE));
        }
        Ok(self.copied)
    }
}
