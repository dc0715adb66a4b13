//! Captures: datagrams of our journals and of other tools' files, in one stream.
//!
//! The kind is told by the content, never by the name. What can't be used is counted by reason; only the file system
//! can stop a capture. Ticks are not part of it: who replays makes them.

mod csv;
mod lines;
mod pcap;
mod rows;

use crate::chunk::Content;
use crate::error::{FaultKind, JournalError};
use crate::read::{Journal, Records};
use lines::Lines;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use wavewitness_types::{Event, Source, Timestamp};

/// What kind of file a capture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureKind {
    /// A journal of ours, or one segment of it.
    Journal,
    /// Lines of an ESP32's serial port (ESP32-CSI-Tool, esp-csi). A datagram is the text from `CSI_DATA` on.
    Esp32Csv,
    /// A pcap or pcapng file with the nodes' UDP traffic.
    Pcap,
    /// JSON lines with the payload of RuView nodes in hexadecimal; see `docs/journal.md` for what is restored.
    RuviewRows,
}

impl CaptureKind {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            CaptureKind::Journal => "journal",
            CaptureKind::Esp32Csv => "esp32-csv",
            CaptureKind::Pcap => "pcap",
            CaptureKind::RuviewRows => "ruview-rows",
        }
    }
}

/// The capture can't be opened or read on.
#[derive(Debug)]
pub enum CaptureError {
    /// The file system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// No format that is known.
    NotRecognised {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        starts_with: Vec<u8>,
    },
    /// A file of a kind that is read at once and is too long for that: split it (`editcap -c`, `tcpdump -C`).
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        bytes: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// A journal that can't be opened.
    Journal(JournalError),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaptureError::Io { path, error } => write!(f, "can't read {}: {error}", path.display()),
            CaptureError::NotRecognised { path, starts_with } => write!(
                f,
                "{} is no capture that is known (journal, pcap, ESP32 CSV, JSON rows); it starts with \"{}\"",
                path.display(),
                starts_with.escape_ascii()
            ),
            CaptureError::TooLong { path, bytes, limit } => {
                write!(f, "{} has {bytes} bytes: allowed is {limit}; split it", path.display())
            }
            CaptureError::Journal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CaptureError {}

/// What a capture gave so far; all of it once the stream has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSummary {
    /// The kind.
    pub kind: CaptureKind,
    /// Datagrams.
    pub datagrams: u64,
    /// What could not be used, by reason: lines, rows, packets, events or damaged places.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Time of the first datagram.
    pub first: Option<Timestamp>,
    /// Time of the last datagram.
    pub last: Option<Timestamp>,
}

/// A stream of the datagrams of a capture, and of the operator's commands where it is a journal, in the order of the file.
pub struct Capture {
    path: PathBuf,
    source: Source,
    input: Input,
    summary: CaptureSummary,
}

enum Input {
    Journal { records: Box<Records>, events: VecDeque<Vec<u8>> },
    Csv { lines: Lines, clock: csv::Clock },
    Rows { lines: Lines, counts: rows::Counts },
    Pcap { packets: std::vec::IntoIter<Parsed> },
}

/// A datagram, or why there is none.
type Parsed = Result<Event, &'static str>;

impl Capture {
    /// Opens a file or a journal directory.
    ///
    /// # Errors
    /// [`CaptureError`].
    pub fn open(path: &Path) -> Result<Capture, CaptureError> {
        let error = |error| CaptureError::Io { path: path.to_owned(), error };
        if path.is_dir() {
            return Capture::journal(path);
        }
        let mut start = Vec::new();
        let mut file = File::open(path).map_err(error)?;
        (&mut file).take(64 << 10).read_to_end(&mut start).map_err(error)?;
        if start.starts_with(mcap::MAGIC) {
            return Capture::journal(path);
        }
        if pcap::is_one(&start) {
            let input = Input::Pcap { packets: pcap::read(path)?.into_iter() };
            return Ok(Capture::new(path, CaptureKind::Pcap, Source::Replay, input));
        }
        let lines = Lines::open(path).map_err(error)?;
        let (kind, input) = if start.trim_ascii_start().starts_with(b"{") {
            (CaptureKind::RuviewRows, Input::Rows { lines, counts: rows::Counts::default() })
        } else if start.windows(csv::MARK.len()).any(|w| w == csv::MARK) {
            (CaptureKind::Esp32Csv, Input::Csv { lines, clock: csv::Clock::default() })
        } else {
            start.truncate(16);
            return Err(CaptureError::NotRecognised { path: path.to_owned(), starts_with: start });
        };
        Ok(Capture::new(path, kind, Source::Replay, input))
    }

    fn journal(path: &Path) -> Result<Capture, CaptureError> {
        let journal = Journal::open(path).map_err(CaptureError::Journal)?;
        let simulated = journal.chains().into_iter().any(|chain| {
            let sources = journal.of_chain(chain).records().filter_map(|item| match item.ok()?.content {
                Content::Start { source, .. } => Some(source),
                Content::Cycle { .. } | Content::Entry { .. } => None,
            });
            sources.take(1).any(|source| source == Source::Simulated)
        });
        let source = if simulated { Source::Simulated } else { Source::Replay };
        let input = Input::Journal { records: Box::new(journal.records()), events: VecDeque::new() };
        Ok(Capture::new(path, CaptureKind::Journal, source, input))
    }

    fn new(path: &Path, kind: CaptureKind, source: Source, input: Input) -> Capture {
        let skipped = BTreeMap::new();
        let summary = CaptureSummary { kind, datagrams: 0, skipped, first: None, last: None };
        Capture { path: path.to_owned(), source, input, summary }
    }

    /// The source that a replay of it must carry: `simulated` if any chain of the journal was, else `replay`. For
    /// the files of other tools it is `replay`: nothing in them tells.
    pub fn source(&self) -> Source {
        self.source
    }

    /// What it gave so far.
    pub fn summary(&self) -> &CaptureSummary {
        &self.summary
    }

    /// The next thing of the file; `None` at its end.
    fn step(&mut self) -> Option<io::Result<Parsed>> {
        match &mut self.input {
            Input::Journal { records, events } => step_journal(records, events).map(Ok),
            Input::Csv { lines, clock } => lines.step(|line| clock.datagram(line)),
            Input::Pcap { packets } => packets.next().map(Ok),
            Input::Rows { lines, counts } => lines.step(|line| counts.datagram(line)),
        }
    }
}

impl Iterator for Capture {
    type Item = Result<Event, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step()? {
                // A replay computes every cycle up to a datagram's time: one spoilt bit must not make it compute for ever.
                Ok(Ok(event)) if event.at() > LATEST => {
                    *self.summary.skipped.entry("time after the year 2262").or_default() += 1;
                }
                Ok(Ok(event)) => {
                    if let Event::Datagram { at, .. } = event {
                        let summary = &mut self.summary;
                        summary.datagrams += 1;
                        summary.first = summary.first.or(Some(at));
                        summary.last = Some(at);
                    }
                    return Some(Ok(event));
                }
                Ok(Err(IGNORED)) => {}
                Ok(Err(reason)) => *self.summary.skipped.entry(reason).or_default() += 1,
                Err(error) => return Some(Err(CaptureError::Io { path: self.path.clone(), error })),
            }
        }
    }
}

/// 2⁶³ ns: April 2262.
const LATEST: Timestamp = Timestamp(i64::MAX as u64);
/// What is no datagram and does not want to be one: ticks, headers, empty lines.
const IGNORED: &str = "";

fn step_journal(records: &mut Records, events: &mut VecDeque<Vec<u8>>) -> Option<Parsed> {
    let Some(bytes) = events.pop_front() else {
        return Some(match records.next()? {
            Ok(chunk) => {
                if let Content::Cycle { events: new, .. } | Content::Entry { events: new, .. } = chunk.content
                {
                    events.extend(new);
                }
                Err(IGNORED)
            }
            Err(fault) => Err(match fault.kind {
                FaultKind::TornTail { bytes: 0 } | FaultKind::BadIndex => IGNORED,
                FaultKind::TornTail { .. } => "torn tail of the journal",
                FaultKind::Damaged { .. } => "damaged place in the journal",
                FaultKind::MissingChunks { .. } | FaultKind::MissingSegments { .. } => "gap in the journal",
                FaultKind::Unreadable(_) => "segment of the journal that can't be read",
            }),
        });
    };
    Some(match Event::from_canonical_bytes(&bytes) {
        // An operator's commands are part of what happened: a replay takes them too.
        Some(event @ (Event::Datagram { .. } | Event::Command { .. })) => Ok(event),
        Some(_) => Err(IGNORED),
        None => Err("event that can't be decoded"),
    })
}

/// Decimal seconds as nanoseconds, by digits: no float comes between. Digits behind the ninth are cut.
fn decimal_seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut nanos = 0u64;
    for place in 0..9 {
        nanos = nanos * 10 + fraction.as_bytes().get(place).map_or(0, |b| u64::from(b - b'0'));
    }
    let seconds: u64 = whole.parse().ok()?;
    Some(Timestamp(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_seconds_keep_every_digit() {
        let ns = |text| decimal_seconds(text).map(|t| t.0);
        assert_eq!(ns("1775182186.9577758"), Some(1_775_182_186_957_775_800));
        assert_eq!(ns("0.285197"), Some(285_197_000));
        assert_eq!(ns("12"), Some(12_000_000_000));
        for bad in ["", ".5", "-1", "1e9", "1.5x", "99999999999999"] {
            assert_eq!(ns(bad), None, "{bad}");
        }
    }
}
