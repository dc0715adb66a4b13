//! How a journal can fail: errors of the machine, and faults in what was read.

use crate::name::SegmentName;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use wavewitness_types::CycleIndex;

/// The journal can't be used or written.
#[derive(Debug)]
pub enum JournalError {
    /// The file system refused: see what, and free or repair it.
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// Another process writes to this directory: stop it, or use another directory.
    Locked {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote into it.
        holder: String,
    },
    /// The path holds no segment of ours.
    NotAJournal(PathBuf),
    /// A record is larger than a chunk may be: the caller must send less in one cycle.
    TooLarge {
        /// Bytes that were given.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// An earlier write failed; what is on the disk after it is not known. Restart: salvage cuts it.
    Poisoned,
    /// The MCAP library refused a record.
    Encode(mcap::McapError),
}

impl JournalError {
    pub(crate) fn io(doing: &'static str, path: &Path, error: io::Error) -> JournalError {
        JournalError::Io { doing, path: path.to_owned(), error }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Io { doing, path, error } => write!(f, "can't {doing} {}: {error}", path.display()),
            JournalError::Locked { path, holder } => {
                write!(f, "journal is in use by {holder} (lock {})", path.display())
            }
            JournalError::NotAJournal(path) => write!(f, "no journal segment in {}", path.display()),
            JournalError::TooLarge { bytes, limit } => {
                write!(f, "journal record of {bytes} bytes: allowed is {limit}")
            }
            JournalError::Poisoned => write!(f, "an earlier journal write failed; restart to salvage"),
            JournalError::Encode(error) => write!(f, "can't encode an MCAP record: {error}"),
        }
    }
}

impl std::error::Error for JournalError {}

/// Something wrong in what was read. Reading goes on after it where it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The segment.
    pub segment: SegmentName,
    /// Offset in its file.
    pub offset: u64,
    /// What is wrong.
    pub kind: FaultKind,
    /// The last whole cycle of the chain before it.
    pub last_good: Option<CycleIndex>,
    /// The first whole cycle after it, within the segment.
    pub next_good: Option<CycleIndex>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A `.part` ends without its trailer: a crash, or it is still being written.
    TornTail {
        /// Bytes after the last whole chunk.
        bytes: u64,
    },
    /// Bytes of one or more chunks are not what was written.
    Damaged {
        /// How many bytes can't be used.
        bytes: u64,
        /// What gave it away.
        reason: &'static str,
        /// The cycle that the damaged chunk's seal claims; unproven.
        claimed: Option<CycleIndex>,
    },
    /// Whole chunks were taken out.
    MissingChunks {
        /// How many.
        count: u32,
    },
    /// Whole segments are not there.
    MissingSegments {
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
    /// The index at the segment's end is damaged; no cycle is.
    BadIndex,
    /// The file system refused to read.
    Unreadable(String),
}

impl Fault {
    /// True for what a crash leaves behind; false for what only damage or a hand does.
    pub fn is_expected_after_a_crash(&self) -> bool {
        matches!(self.kind, FaultKind::TornTail { .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {} at byte {}: ", self.segment, self.offset)?;
        match &self.kind {
            FaultKind::TornTail { bytes } => write!(f, "torn tail of {bytes} bytes")?,
            FaultKind::Damaged { bytes, reason, claimed } => {
                write!(f, "{bytes} bytes damaged ({reason}")?;
                if let Some(CycleIndex(cycle)) = claimed {
                    write!(f, "; its seal says cycle {cycle}")?;
                }
                write!(f, ")")?;
            }
            FaultKind::MissingChunks { count } => write!(f, "{count} chunks missing")?,
            FaultKind::MissingSegments { first, last } => write!(f, "segments {first} to {last} missing")?,
            FaultKind::BadIndex => write!(f, "index damaged, no cycle lost")?,
            FaultKind::Unreadable(error) => write!(f, "can't read: {error}")?,
        }
        match self.last_good {
            Some(CycleIndex(cycle)) => write!(f, "; last whole cycle {cycle}")?,
            None => write!(f, "; no whole cycle before")?,
        }
        match self.next_good {
            Some(CycleIndex(cycle)) => write!(f, ", next {cycle}"),
            None => Ok(()),
        }
    }
}
