//! Reading chains back, front to back, with faults as values.

use crate::chunk::{Chunk, Content, Decoder, identity};
use crate::dir;
use crate::error::{Fault, FaultKind, JournalError};
use crate::format::Seal;
use crate::name::{ChainId, SegmentName};
use crate::scan::{Found, Scanner, TrailerState};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use wavewitness_types::{CycleIndex, Timestamp};

/// A segment's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// What it is.
    pub name: SegmentName,
    /// Where it is.
    pub path: PathBuf,
    /// True while it is being written, and after a crash.
    pub part: bool,
    /// Bytes of the file when it was listed.
    pub bytes: u64,
}

/// A journal to read: a directory, or one segment. Reading takes no lock: a journal may be read while it is written.
#[derive(Clone, Debug)]
pub struct Journal {
    segments: Vec<SegmentInfo>,
}

impl Journal {
    /// Lists a directory, or takes one segment's file (under any name).
    ///
    /// # Errors
    /// [`JournalError::NotAJournal`] if there is no segment; [`JournalError::Io`].
    pub fn open(path: &Path) -> Result<Journal, JournalError> {
        let meta = fs::metadata(path).map_err(|e| JournalError::io("open", path, e))?;
        let segments =
            if meta.is_dir() { list(path)? } else { vec![single(path)?.ok_or_else(|| not_one(path))?] };
        if segments.is_empty() { Err(not_one(path)) } else { Ok(Journal { segments }) }
    }

    /// Its segments: chains in the order in which they began, segments by number.
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }

    /// Its chains, in the order in which they were begun in this directory.
    pub fn chains(&self) -> Vec<ChainId> {
        let mut out: Vec<ChainId> = self.segments.iter().map(|s| s.name.chain).collect();
        out.dedup();
        out
    }

    /// Only the segments of one chain.
    pub fn of_chain(&self, chain: ChainId) -> Journal {
        Journal { segments: self.segments.iter().filter(|s| s.name.chain == chain).cloned().collect() }
    }

    /// One segment alone.
    pub fn of_segment(&self, name: SegmentName) -> Journal {
        Journal { segments: self.segments.iter().filter(|s| s.name == name).cloned().collect() }
    }

    /// Everything in order.
    pub fn records(&self) -> Records {
        Records {
            segments: self.segments.clone().into(),
            previous: None,
            open: None,
            decoder: Decoder::new(),
            queue: VecDeque::new(),
            last_good: None,
        }
    }
}

fn not_one(path: &Path) -> JournalError {
    JournalError::NotAJournal(path.to_owned())
}

fn list(path: &Path) -> Result<Vec<SegmentInfo>, JournalError> {
    let mut segments: Vec<SegmentInfo> = Vec::new();
    for (name, part) in dir::list(path)? {
        // Finished sorts first: a `.part` of the same number is what a crash left of its renaming.
        if segments.last().is_some_and(|s| s.name == name) {
            continue;
        }
        let path = path.join(if part { name.part_file() } else { name.file() });
        match fs::metadata(&path) {
            Ok(meta) => segments.push(SegmentInfo { name, path, part, bytes: meta.len() }),
            // Renamed since it was listed: its writer is alive.
            Err(_) if part => {
                let path = path.with_extension("");
                let meta = fs::metadata(&path).map_err(|e| JournalError::io("open", &path, e))?;
                segments.push(SegmentInfo { name, path, part: false, bytes: meta.len() });
            }
            Err(e) => return Err(JournalError::io("open", &path, e)),
        }
    }
    let mut chains: Vec<((u64, Timestamp), ChainId)> = Vec::new();
    for of_chain in segments.chunk_by(|a, b| a.name.chain == b.name.chain) {
        // The end of time if nothing of it can be read: then it does not hide what can.
        let begun = of_chain.iter().find_map(begun).unwrap_or((u64::MAX, Timestamp(u64::MAX)));
        chains.push((begun, of_chain[0].name.chain));
    }
    chains.sort();
    segments.sort_by_key(|s| (chains.iter().position(|(_, chain)| *chain == s.name.chain), s.name));
    Ok(segments)
}

/// Which chain of its directory a segment's is, and when the segment begins; `None` if that can't be read. The number
/// decides: clocks are set back, and what is imported has times of its own.
fn begun(segment: &SegmentInfo) -> Option<(u64, Timestamp)> {
    let mut scanner = Scanner::open(&segment.path).ok()?;
    let order = match scanner.next() {
        Ok(Some(Found::Group { .. })) => identity(scanner.group())?.order,
        _ => return None,
    };
    let mut records = Journal { segments: vec![segment.clone()] }.records();
    Some((order, records.next()?.ok()?.at))
}

/// The greatest number of a chain in a directory, and that of `chain` if it is there.
pub(crate) fn orders(path: &Path, chain: ChainId) -> Result<(u64, Option<u64>), JournalError> {
    let segments = list(path)?;
    let mut greatest = 0;
    let mut own = None;
    for of_chain in segments.chunk_by(|a, b| a.name.chain == b.name.chain) {
        let order = of_chain.iter().find_map(begun).map_or(0, |(order, _)| order);
        greatest = greatest.max(order);
        if of_chain[0].name.chain == chain {
            own = Some(order);
        }
    }
    Ok((greatest, own))
}

/// One segment under any name: by its metadata, or else by its file name.
fn single(path: &Path) -> Result<Option<SegmentInfo>, JournalError> {
    let error = |e| JournalError::io("read", path, e);
    let bytes = fs::metadata(path).map_err(error)?.len();
    let named = path.file_name().and_then(|n| n.to_str()).and_then(SegmentName::parse_file);
    let mut scanner = Scanner::open(path).map_err(error)?;
    let inside = match scanner.next().map_err(error)? {
        Some(Found::Group { .. }) => identity(scanner.group()).map(|i| i.segment),
        _ => None,
    };
    let part = named.is_some_and(|(_, part)| part);
    let name = inside.or(named.map(|(name, _)| name));
    Ok(name.map(|name| SegmentInfo { name, path: path.to_owned(), part, bytes }))
}

/// The chunks of a journal and the faults between them. Memory is bounded by the largest chunk.
pub struct Records {
    segments: VecDeque<SegmentInfo>,
    previous: Option<SegmentName>,
    open: Option<Open>,
    decoder: Decoder,
    queue: VecDeque<Result<Chunk, Fault>>,
    last_good: Option<CycleIndex>,
}

/// The segment being read.
struct Open {
    info: SegmentInfo,
    scanner: Scanner,
    next_ordinal: u32,
    /// Damage that waits for the cycle behind it.
    damage: Option<Fault>,
}

impl Iterator for Records {
    type Item = Result<Chunk, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                return Some(item);
            }
            match self.open.take() {
                Some(open) => self.step(open),
                None => {
                    let info = self.segments.pop_front()?;
                    self.begin(info);
                }
            }
        }
    }
}

impl Records {
    fn begin(&mut self, info: SegmentInfo) {
        let name = info.name;
        match self.previous.replace(name) {
            Some(before) if before.chain == name.chain => {
                if name.number > before.number + 1 {
                    let kind = FaultKind::MissingSegments { first: before.number + 1, last: name.number - 1 };
                    self.fault(name, 0, kind);
                }
            }
            _ => self.last_good = None,
        }
        // A `.part` may have got its final name since it was listed.
        let opened = match Scanner::open(&info.path) {
            Err(_) if info.part => Scanner::open(&info.path.with_extension("")),
            other => other,
        };
        match opened {
            Ok(scanner) => {
                self.open = Some(Open { info, scanner, next_ordinal: 0, damage: None });
            }
            Err(e) => self.fault(name, 0, FaultKind::Unreadable(e.to_string())),
        }
    }

    fn new_fault(&self, segment: SegmentName, offset: u64, kind: FaultKind) -> Fault {
        Fault { segment, offset, kind, last_good: self.last_good, next_good: None }
    }

    fn fault(&mut self, segment: SegmentName, offset: u64, kind: FaultKind) {
        let fault = self.new_fault(segment, offset, kind);
        self.queue.push_back(Err(fault));
    }

    /// Reads on by one finding.
    fn step(&mut self, mut open: Open) {
        let name = open.info.name;
        // A segment gets its final name when its trailer is on the disk: only a `.part` can have been torn by a crash.
        let torn = open.info.part;
        let end = match open.scanner.next() {
            Ok(Some(Found::Group { offset, seal })) => {
                self.group(&mut open, offset, &seal);
                self.open = Some(open);
                return;
            }
            Ok(Some(Found::Damage { offset, bytes, reason, claimed })) => {
                let fault = self.new_fault(name, offset, FaultKind::Damaged { bytes, reason, claimed });
                self.queue.extend(open.damage.replace(fault).map(Err));
                // The scanner counts on: what the damage swallowed is not also reported as missing.
                open.next_ordinal = open.scanner.next_ordinal();
                self.open = Some(open);
                return;
            }
            Ok(Some(Found::Trailer { state: TrailerState::Whole, .. })) | Ok(None) => None,
            Ok(Some(Found::Trailer { offset, bytes, state: TrailerState::Cut })) if torn => {
                Some((offset, FaultKind::TornTail { bytes }))
            }
            Ok(Some(Found::Trailer { offset, .. })) => Some((offset, FaultKind::BadIndex)),
            Ok(Some(Found::End { offset, bytes })) => {
                let reason = "the segment ends without its trailer";
                let damaged = FaultKind::Damaged { bytes, reason, claimed: None };
                Some((offset, if torn { FaultKind::TornTail { bytes } } else { damaged }))
            }
            Err(e) => Some((0, FaultKind::Unreadable(e.to_string()))),
        };
        self.queue.extend(open.damage.take().map(Err));
        if let Some((offset, kind)) = end {
            self.fault(name, offset, kind);
        }
    }

    /// A group whose seal holds.
    fn group(&mut self, open: &mut Open, offset: u64, seal: &Seal) {
        let name = open.info.name;
        let damaged =
            |reason, bytes: usize| FaultKind::Damaged { bytes: bytes as u64, reason, claimed: seal.cycle };
        let bytes = open.scanner.group().len();
        if seal.ordinal < open.next_ordinal {
            return self.fault(name, offset, damaged("a chunk that was there before", bytes));
        }
        let missing = seal.ordinal - open.next_ordinal;
        open.next_ordinal = seal.ordinal.saturating_add(1);
        let chunk = match self.decoder.decode(name, offset, seal, open.scanner.group()) {
            Ok(chunk) => chunk,
            Err(reason) => return self.fault(name, offset, damaged(reason, bytes)),
        };
        if let Some(mut fault) = open.damage.take() {
            fault.next_good = chunk.cycle();
            self.queue.push_back(Err(fault));
        }
        if missing > 0 {
            let mut fault = self.new_fault(name, offset, FaultKind::MissingChunks { count: missing });
            fault.next_good = chunk.cycle();
            self.queue.push_back(Err(fault));
        }
        if matches!(chunk.content, Content::Start { .. }) {
            let stranger = identity(open.scanner.group()).is_none_or(|i| i.segment != name);
            if stranger {
                self.fault(name, offset, damaged("it is another segment's", bytes));
            }
        }
        self.last_good = chunk.cycle().or(self.last_good);
        self.queue.push_back(Ok(chunk));
    }
}
