//! Making a proof file for one published pose.

use super::pose::{self, Payload, PoseProof};
use super::{LogError, Trust};
use std::path::Path;
use wavewitness_journal::{ChainId, Chunk, Content, Journal};
use wavewitness_ledger::LogDir;
use wavewitness_log::{Entry, Evidence, KeyHistory, TlogProof};
use wavewitness_types::{Canonical, CycleIndex, Timestamp};
use wavewitness_witness::{Digest, Genesis, Witness};

/// A proof file, and what it proves: it was checked as everybody else will check it.
#[derive(Clone, Debug)]
pub struct Made {
    /// The file.
    pub text: String,
    /// What a check of it gives.
    pub proof: PoseProof,
}

/// Makes the proof file of a cycle. `chain` is the beginning of a chain's genesis digest in hexadecimal, to tell chains
/// apart that have the same cycle numbers.
///
/// # Errors
/// [`LogError::Unavailable`] if journal or log do not have the cycle, or not any more, or not yet;
/// [`LogError::Refused`] if what they have does not agree.
pub fn prove(
    trust: &Trust,
    log: &Path,
    journal: &Path,
    cycle: CycleIndex,
    chain: Option<&str>,
) -> Result<Made, LogError> {
    let mut dir = trust.open(log)?;
    let checkpoint = dir.checkpoint()?;
    let keys = dir.keys()?;
    let head = keys.open(&checkpoint).map_err(|e| LogError::refused("the log's checkpoint", e))?;
    let payload = choose(&Journal::open(journal)?, cycle, chain)?;
    payload.check().map_err(|e| {
        LogError::Refused(format!("the journal's record of cycle {} is damaged: {e}", cycle.0))
    })?;
    let index = match locate(&mut dir, head.size, &payload.record) {
        Place::Here(index) => index,
        Place::Other(index) => {
            return Err(LogError::Refused(format!(
                "entry {index} of the log signed another record for cycle {} than the journal holds: the journal was \
                 rewritten (`fsck --journal` tells from where on)",
                cycle.0
            )));
        }
        Place::Nowhere => return Err(why_not(&mut dir, head.size, &payload.record)),
    };
    let missing = |e: &dyn std::fmt::Display| {
        LogError::Unavailable(format!("no proof of entry {index} can be made from the files: {e}"))
    };
    let path = dir.inclusion(index, head.size).map_err(|e| missing(&e))?;
    let (certificate, after) = certificate(&dir, &keys, head.size)?;
    let consistency = dir.consistency(after, head.size).map_err(|e| missing(&e))?;
    let entry = dir.entry(index, head.size).ok_or_else(|| missing(&"its bundle can't be read"))?;
    let evidence = Evidence { entry, certificate, consistency, payload: payload.to_bytes() };
    let extra = Some(evidence.to_canonical_bytes());
    let checkpoint = String::from_utf8_lossy(&checkpoint).into_owned();
    let text = TlogProof { extra, index, path, checkpoint }.text();
    let proof = pose::verify(text.as_bytes(), trust).map_err(|e| match e {
        LogError::Refused(why) => LogError::Refused(format!("the files of the log are damaged: {why}")),
        other => other,
    })?;
    Ok(Made { text, proof })
}

/// The certificate of the key that signed a size, and the size that it is for.
fn certificate(dir: &LogDir, keys: &KeyHistory, size: u64) -> Result<(String, u64), LogError> {
    let gone = || LogError::Unavailable("the certificate of the checkpoint's key is not there".into());
    let valid = keys.valid_for(size).ok_or_else(gone)?;
    let note = dir.certificate(valid.epoch)?.ok_or_else(gone)?;
    Ok((String::from_utf8(note).map_err(|_| gone())?, valid.after))
}

/// The payload of a cycle, from the one chain that has it.
fn choose(journal: &Journal, cycle: CycleIndex, chain: Option<&str>) -> Result<Payload, LogError> {
    let wanted = chain.unwrap_or("").to_ascii_lowercase();
    // A genesis digest begins with its chain's id.
    let fits = |id: &ChainId| {
        let id = id.to_string();
        id.starts_with(&wanted) || wanted.starts_with(&id)
    };
    let chains: Vec<ChainId> = journal.chains().into_iter().filter(fits).collect();
    if chains.is_empty() {
        let all: Vec<String> = journal.chains().iter().map(ChainId::to_string).collect();
        return Err(LogError::Usage(format!("no chain {wanted} in the journal; it has {}", all.join(", "))));
    }
    let mut found = Vec::new();
    let mut damage = Vec::new();
    for &id in &chains {
        if let Some(payload) = find(&journal.of_chain(id), cycle, &mut damage) {
            found.push((id, payload));
        }
    }
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|(id, _)| id.to_string()).collect();
        return Err(LogError::Usage(format!(
            "cycle {} is in {} chains; choose one with --chain: {}",
            cycle.0,
            names.len(),
            names.join(", ")
        )));
    }
    found.pop().map(|(_, payload)| payload).ok_or_else(|| {
        let ranges: Vec<String> = chains.iter().map(|&id| range(&journal.of_chain(id), id)).collect();
        let damage =
            damage.first().map_or(String::new(), |d| format!("; the journal is damaged near it: {d}"));
        LogError::Unavailable(format!(
            "no cycle {} in the journal; it has {}{damage}",
            cycle.0,
            ranges.join("; ")
        ))
    })
}

/// The first cycle of a part of a journal.
fn first_cycle(part: &Journal) -> Option<CycleIndex> {
    part.records().filter_map(Result::ok).find_map(|chunk| chunk.cycle())
}

/// The cycles of a chain, in words.
fn range(chain: &Journal, id: ChainId) -> String {
    let last = chain.segments().iter().rev().find_map(|s| {
        chain.of_segment(s.name).records().filter_map(Result::ok).filter_map(|c| c.cycle()).last()
    });
    match (first_cycle(chain), last) {
        (Some(first), Some(last)) => format!("cycles {} to {} of chain {id}", first.0, last.0),
        _ => format!("no cycle of chain {id}"),
    }
}

/// Searches a chain's segments from the last: only the one that holds the cycle is read through.
fn find(chain: &Journal, cycle: CycleIndex, damage: &mut Vec<String>) -> Option<Payload> {
    for segment in chain.segments().iter().rev() {
        let part = chain.of_segment(segment.name);
        if first_cycle(&part).is_some_and(|first| first <= cycle) {
            return within(&part, cycle, damage);
        }
    }
    None
}

/// The payload of a cycle within a segment.
fn within(segment: &Journal, cycle: CycleIndex, damage: &mut Vec<String>) -> Option<Payload> {
    let mut previous = None;
    for item in segment.records() {
        let chunk = match item {
            Ok(chunk) => chunk,
            Err(fault) => {
                // The value before the next record is not known then.
                previous = None;
                damage.push(fault.to_string());
                continue;
            }
        };
        if chunk.cycle() == Some(cycle) {
            let Content::Cycle { witness, pose, .. } = chunk.content else { return None };
            let record = witness.as_deref().and_then(Witness::from_canonical_bytes);
            if record.is_none() {
                damage.push(format!("the witness of cycle {} can't be read", cycle.0));
            }
            return Some(Payload { previous: previous?, record: record?, published: pose? });
        }
        previous = chain_after(&chunk);
    }
    None
}

/// The chain value behind a chunk.
fn chain_after(chunk: &Chunk) -> Option<Digest> {
    match &chunk.content {
        Content::Start { genesis, head, .. } if head.is_empty() => {
            Some(Genesis::from_canonical_bytes(genesis)?.digest())
        }
        Content::Start { head, .. } => Some(Witness::from_canonical_bytes(head)?.chain),
        _ => Some(Witness::from_canonical_bytes(chunk.witness()?)?.chain),
    }
}

/// Where the log has a record.
enum Place {
    Here(u64),
    /// At this index is another record of the same cycle and time.
    Other(u64),
    Nowhere,
}

/// Searches the entry of a record: by time, in which entries are ordered unless a clock was set back; else through all.
fn locate(dir: &mut LogDir, size: u64, record: &Witness) -> Place {
    let mut other = Place::Nowhere;
    let mut judge = |index: u64, entry: &Entry| match entry {
        Entry::Cycle { chain, .. } if *chain == record.chain.0 => Some(Place::Here(index)),
        Entry::Cycle { cycle, at, .. } if (*cycle, *at) == (record.cycle, record.at) => {
            other = Place::Other(index);
            None
        }
        _ => None,
    };
    let (mut low, mut high) = (dir.first(), size);
    while low < high {
        let middle = low + (high - low) / 2;
        match timed(dir, middle, high, size) {
            Some((_, entry)) if time(&entry).is_some_and(|at| at < record.at) => low = middle + 1,
            _ => high = middle,
        }
    }
    while let Some((index, entry)) = timed(dir, low, size, size) {
        if let Some(place) = judge(index, &entry) {
            return place;
        }
        if time(&entry) != Some(record.at) {
            break;
        }
        low = index + 1;
    }
    let found = dir.find_back(size, |e| matches!(e, Entry::Cycle { chain, .. } if *chain == record.chain.0));
    found.map_or(other, |(index, _)| Place::Here(index))
}

/// The first entry from an index on that has a time.
fn timed(dir: &mut LogDir, from: u64, to: u64, size: u64) -> Option<(u64, Entry)> {
    (from..to).find_map(|index| {
        let entry = Entry::parse(&dir.entry(index, size)?).ok()?;
        time(&entry).map(|_| (index, entry))
    })
}

/// When an entry was made, by the clock of the cycles.
fn time(entry: &Entry) -> Option<Timestamp> {
    match entry {
        Entry::Genesis { at, .. }
        | Entry::Boot { at, .. }
        | Entry::Cycle { at, .. }
        | Entry::Stop { at, .. }
        | Entry::Calibration { at, .. }
        | Entry::Gap { at, .. } => Some(*at),
        // A genesis may be made long before it is told, and these are of other clocks.
        Entry::Epoch { .. } | Entry::ClockStep { .. } | Entry::Retention { .. } => None,
    }
}

/// Why a record that the journal has is not in the log.
fn why_not(dir: &mut LogDir, size: u64, record: &Witness) -> LogError {
    let cycle = |entry: &Entry| match entry {
        Entry::Cycle { cycle, at, .. } => Some((cycle.0, *at)),
        _ => None,
    };
    let last = dir.find_back(size, |e| cycle(e).is_some());
    let last = last.and_then(|(_, bytes)| cycle(&Entry::parse(&bytes).ok()?));
    let from = dir.first();
    let first = (from..size).find_map(|i| cycle(&Entry::parse(&dir.entry(i, size)?).ok()?));
    let wanted = record.cycle.0;
    let text = match (first, last) {
        (_, Some((last, at))) if at < record.at => format!(
            "cycle {wanted} is not signed yet: the checkpoint covers {size} entries, up to cycle {last} (the hub signs \
             each second, and when it starts again after a crash)"
        ),
        (Some((first, at)), Some((last, _))) if from > 0 && record.at < at => format!(
            "cycle {wanted} was pruned from the log: entries before {from} are gone; provable are cycles {first} to {last}"
        ),
        (Some((first, _)), Some((last, _))) => {
            format!(
                "cycle {wanted} is in the journal, but not in the log, which has cycles {first} to {last}"
            )
        }
        _ => format!("no cycle is signed yet: the checkpoint covers {size} entries"),
    };
    LogError::Unavailable(text)
}
