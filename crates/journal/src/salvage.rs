//! Repairs what a crash left. The failure table is in `docs/journal.md`.
//!
//! Each step leaves a directory that the next salvage can start from, so that a crash during salvage is one more crash.

use crate::chunk::{Chunk, Content};
use crate::dir::{self, JournalDir, sync_dir};
use crate::error::{Fault, JournalError};
use crate::format::minimal_trailer;
use crate::name::{ChainId, SegmentName};
use crate::read::Journal;
use crate::scan::{Found, Scanner, TrailerState, crc_of_prefix};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use wavewitness_types::CycleIndex;

/// What salvage found and did.
#[derive(Clone, Debug)]
pub struct Salvage {
    /// Where the chain ends; `None` in a directory without a readable one.
    pub end: Option<ChainEnd>,
    /// What was set aside now, in the order in which it was.
    pub set_aside: Vec<TornPiece>,
    /// Segments of any chain that had to be finished: not empty after an unclean stop.
    pub finished: Vec<SegmentName>,
    /// Faults in the segments that were read to find the end.
    pub faults: Vec<Fault>,
}

/// Bytes that could not be kept in the journal. They stay in `torn/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornPiece {
    /// The segment that they were in.
    pub segment: SegmentName,
    /// Where in its file they began.
    pub offset: u64,
    /// How many.
    pub bytes: u64,
    /// The greatest cycle that a whole chunk among them holds, if there is one: it may have been published.
    pub last_cycle: Option<CycleIndex>,
    /// Where they are now.
    pub path: PathBuf,
}

/// The end of a chain.
#[derive(Clone, Debug)]
pub struct ChainEnd {
    /// The chain.
    pub chain: ChainId,
    /// Its genesis record, from its newest segment that can be read.
    pub genesis: Vec<u8>,
    /// The head that this segment began with.
    pub head: Vec<u8>,
    /// This segment.
    pub segment: SegmentName,
    /// Its file: read it for the witness records since `head`.
    pub path: PathBuf,
    /// The last whole cycle or entry of the chain; `None` if there is none yet.
    pub last: Option<Chunk>,
    /// The last whole cycle.
    pub last_cycle: Option<CycleIndex>,
}

impl Salvage {
    /// Bytes that were set aside now.
    pub fn discarded_bytes(&self) -> u64 {
        self.set_aside.iter().map(|p| p.bytes).sum()
    }
}

/// What one `.part` is.
struct Survey {
    name: SegmentName,
    /// Where its good chunks end.
    keep: u64,
    bytes: u64,
    /// True if its trailer is whole: a crash came between it and the renaming.
    complete: bool,
    /// True if nothing but a broken trailer is behind `keep`: nothing of the journal, and not worth keeping.
    only_trailer: bool,
    /// The greatest cycle behind `keep`.
    lost_cycle: Option<CycleIndex>,
    /// The greatest cycle in it.
    last_cycle: Option<CycleIndex>,
}

impl JournalDir {
    /// Finishes every `.part`: cuts it behind its last good chunk, keeps what it cuts in `torn/`, ends it in order and
    /// gives it its final name. Then reads where `chain` ends, or the chain that began last.
    ///
    /// It refuses nothing that it finds; only the file system can stop it. Doing it twice changes nothing.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn salvage(&self, chain: Option<ChainId>) -> Result<Salvage, JournalError> {
        let listed = dir::list(self.path())?;
        let parts: Vec<SegmentName> =
            listed.iter().filter(|(_, part)| *part).map(|(name, _)| *name).collect();
        let mut out = Salvage { end: None, set_aside: Vec::new(), finished: Vec::new(), faults: Vec::new() };
        for group in parts.chunk_by(|a, b| a.chain == b.chain) {
            self.salvage_chain(group, &mut out)?;
        }
        if !parts.is_empty() {
            sync_dir(self.path())?;
        }
        out.end = self.end_of(chain, &mut out.faults)?;
        Ok(out)
    }

    /// Salvages the `.part`s of one chain, ascending.
    fn salvage_chain(&self, parts: &[SegmentName], out: &mut Salvage) -> Result<(), JournalError> {
        let mut surveys = Vec::new();
        for name in parts {
            surveys.push(survey(self.path(), *name)?);
        }
        // The writer completes a segment before it begins the next, and the next is made durable only after it. So an
        // incomplete one before others means that a power cut came before a sync: the others hang in the air, and
        // hold no more than was written since the last sync. They go first: were the incomplete one finished first, a
        // crash here would make them look like its continuation.
        let whole = surveys.iter().position(|s| !s.complete).map_or(surveys.len(), |i| i + 1);
        for stray in surveys.drain(whole..).rev() {
            self.set_aside_whole(&stray, out)?;
        }
        for survey in &surveys {
            let taken = self.path().join(survey.name.file()).exists();
            if survey.keep == 0 || taken {
                self.set_aside_whole(survey, out)?;
            } else {
                self.finish(survey, out)?;
            }
        }
        Ok(())
    }

    fn set_aside_whole(&self, survey: &Survey, out: &mut Salvage) -> Result<(), JournalError> {
        let from = self.path().join(survey.name.part_file());
        if survey.bytes == 0 {
            // Nothing was ever written to it.
            return fs::remove_file(&from).map_err(|e| JournalError::io("remove the empty", &from, e));
        }
        let path = self.free_name(&survey.name.part_file(), None)?;
        fs::rename(&from, &path).map_err(|e| JournalError::io("set aside", &from, e))?;
        sync_dir(&self.torn())?;
        let Survey { name, bytes, last_cycle, .. } = *survey;
        out.set_aside.push(TornPiece { segment: name, offset: 0, bytes, last_cycle, path });
        Ok(())
    }

    fn finish(&self, survey: &Survey, out: &mut Salvage) -> Result<(), JournalError> {
        let part = self.path().join(survey.name.part_file());
        let error = |e| JournalError::io("finish", &part, e);
        let mut file = OpenOptions::new().read(true).write(true).open(&part).map_err(error)?;
        if !survey.complete {
            if survey.keep < survey.bytes {
                if !survey.only_trailer {
                    out.set_aside.push(self.keep_tail(&mut file, &part, survey)?);
                }
                file.set_len(survey.keep).map_err(error)?;
            }
            let crc = crc_of_prefix(&mut file, survey.keep).map_err(error)?;
            file.seek(SeekFrom::Start(survey.keep)).map_err(error)?;
            file.write_all(&minimal_trailer(crc)).map_err(error)?;
        }
        file.sync_all().map_err(error)?;
        let done = self.path().join(survey.name.file());
        fs::rename(&part, &done).map_err(|e| JournalError::io("rename", &part, e))?;
        out.finished.push(survey.name);
        Ok(())
    }

    /// Copies a tail into `torn/`, durably, before it is cut.
    fn keep_tail(&self, file: &mut File, part: &Path, survey: &Survey) -> Result<TornPiece, JournalError> {
        let Survey { name: segment, keep: offset, lost_cycle: last_cycle, .. } = *survey;
        let torn = self.torn();
        fs::create_dir_all(&torn).map_err(|e| JournalError::io("create the directory", &torn, e))?;
        let draft = torn.join("draft");
        let error = |e| JournalError::io("copy the tail of", part, e);
        file.seek(SeekFrom::Start(offset)).map_err(error)?;
        let mut copy = File::create(&draft).map_err(error)?;
        let bytes = io::copy(file, &mut copy).map_err(error)?;
        copy.sync_all().map_err(error)?;
        let path = self.free_name(&format!("{segment}.at-{offset}"), Some(&draft))?;
        fs::rename(&draft, &path).map_err(error)?;
        sync_dir(&torn)?;
        Ok(TornPiece { segment, offset, bytes, last_cycle, path })
    }

    /// A name in `torn/` that is free, or that holds what `draft` holds: then a salvage before this one did not come to
    /// its end.
    fn free_name(&self, name: &str, draft: Option<&Path>) -> Result<PathBuf, JournalError> {
        let torn = self.torn();
        fs::create_dir_all(&torn).map_err(|e| JournalError::io("create the directory", &torn, e))?;
        let mut path = torn.join(name);
        let mut number = 1u32;
        while path.exists() && !draft.is_some_and(|draft| same(draft, &path).unwrap_or(false)) {
            path = torn.join(format!("{name}.{number}"));
            number += 1;
        }
        Ok(path)
    }

    /// Reads a chain backwards by segment until its end is known.
    fn end_of(
        &self,
        chain: Option<ChainId>,
        faults: &mut Vec<Fault>,
    ) -> Result<Option<ChainEnd>, JournalError> {
        let journal = match Journal::open(self.path()) {
            Err(JournalError::NotAJournal(_)) => return Ok(None),
            other => other?,
        };
        let Some(chain) = chain.or(journal.chains().last().copied()) else {
            return Ok(None);
        };
        let (mut start, mut last, mut last_cycle) = (None, None, None);
        for info in journal.of_chain(chain).segments().iter().rev() {
            let (mut here, mut here_last, mut here_cycle) = (None, None, None);
            for item in journal.of_segment(info.name).records() {
                match item {
                    Ok(Chunk { content: Content::Start { genesis, head, .. }, .. }) => {
                        here = Some((genesis, head, info.clone()));
                    }
                    Ok(chunk) => {
                        here_cycle = chunk.cycle().or(here_cycle);
                        here_last = Some(chunk);
                    }
                    Err(fault) => faults.push(fault),
                }
            }
            start = start.or(here);
            last = last.or(here_last);
            last_cycle = last_cycle.or(here_cycle);
            if start.is_some() && last.is_some() && last_cycle.is_some() {
                break;
            }
        }
        Ok(start.map(|(genesis, head, info)| {
            let (segment, path) = (info.name, info.path);
            ChainEnd { chain, genesis, head, segment, path, last, last_cycle }
        }))
    }
}

/// True if two files hold the same bytes.
fn same(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let bytes = a.metadata()?.len();
    let crc = |file: &mut File| crc_of_prefix(file, bytes);
    Ok(bytes == b.metadata()?.len() && crc(&mut a)? == crc(&mut b)?)
}

/// Walks a `.part`.
///
/// What to keep: everything before the first damage that lies behind what was known to be on the disk. Damage before
/// that point is not a crash's: bits rotted, or a hand was there. It stays where it is, for the reader to name, and so
/// do the cycles behind it.
fn survey(dir: &Path, name: SegmentName) -> Result<Survey, JournalError> {
    let path = dir.join(name.part_file());
    let error = |e| JournalError::io("read", &path, e);
    let bytes = fs::metadata(&path).map_err(error)?.len();
    let mut scanner = Scanner::open(&path).map_err(error)?;
    let (mut damages, mut groups) = (Vec::new(), Vec::new());
    let (mut durable, mut trailer, mut only_trailer) = (0, false, false);
    while let Some(found) = scanner.next().map_err(error)? {
        match found {
            Found::Group { offset, seal } => {
                durable = durable.max(seal.durable);
                groups.push((offset + scanner.group().len() as u64, seal.cycle));
            }
            Found::Damage { offset, .. } => damages.push(offset),
            Found::Trailer { state, .. } => {
                trailer = state == TrailerState::Whole;
                only_trailer = !trailer;
            }
            Found::End { .. } => {}
        }
    }
    let torn_at = damages.into_iter().find(|&offset| offset >= durable);
    let kept = |end: u64| torn_at.is_none_or(|at| end <= at);
    let keep = groups.iter().map(|(end, _)| *end).filter(|&end| kept(end)).max().unwrap_or(0);
    let lost_cycle = groups.iter().filter(|(end, _)| !kept(*end)).filter_map(|(_, cycle)| *cycle).max();
    let last_cycle = groups.iter().filter_map(|(_, cycle)| *cycle).max();
    let complete = trailer && torn_at.is_none() && keep > 0;
    let only_trailer = only_trailer && torn_at.is_none();
    Ok(Survey { name, keep, bytes, complete, only_trailer, lost_cycle, last_cycle })
}
