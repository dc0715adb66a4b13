//! What the leaves of the log say. Little-endian canonical bytes behind a kind byte; `docs/log.md` lists them.

use core::fmt;
use wavewitness_types::canonical::Reader;
use wavewitness_types::{Canonical, CycleIndex, Sink, Source, Timestamp};

/// Longest entry of this log.
pub const MAX_ENTRY_BYTES: usize = 4096;

/// A step of an empty-room calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CalibrationStep {
    /// It began.
    Started = 0,
    /// New baselines are in use.
    Completed = 1,
    /// It was stopped before its end.
    Cancelled = 2,
    /// All baselines were forgotten.
    Cleared = 3,
    /// A boot took baselines over from the run before.
    Resumed = 4,
}

/// Why cycles are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GapReason {
    /// The hub did not run.
    Down = 0,
    /// The hub ran late and left cycles out.
    Overrun = 1,
    /// Cycles may have been computed, but their journal was lost.
    Lost = 2,
}

/// One entry of the log. A chain value is the 32 bytes of `docs/witness.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A chain began: at first start, or because the configuration changed.
    Genesis {
        /// When.
        at: Timestamp,
        /// Source that the operator declared.
        source: Source,
        /// Numerics version.
        numerics: u32,
        /// Digest of the genesis, which is `chain_0`. It covers the configuration.
        chain: [u8; 32],
        /// Last value of the chain before, if any.
        predecessor: Option<[u8; 32]>,
    },
    /// A boot of the chain.
    Boot {
        /// First cycle that it may use.
        cycle: CycleIndex,
        /// When.
        at: Timestamp,
        /// Source.
        source: Source,
        /// Number of the boot.
        boot: u64,
        /// True if the hub had not stopped in order.
        unclean: bool,
        /// Chain value after it.
        chain: [u8; 32],
    },
    /// A cycle of the chain.
    Cycle {
        /// Its number.
        cycle: CycleIndex,
        /// When it ended.
        at: Timestamp,
        /// Source.
        source: Source,
        /// Chain value after it.
        chain: [u8; 32],
    },
    /// An orderly stop of the chain.
    Stop {
        /// Last cycle that was used.
        cycle: CycleIndex,
        /// When.
        at: Timestamp,
        /// Source.
        source: Source,
        /// Chain value after it.
        chain: [u8; 32],
    },
    /// The baselines changed, or began to.
    Calibration {
        /// Cycle in which it happened.
        cycle: CycleIndex,
        /// When.
        at: Timestamp,
        /// What happened.
        step: CalibrationStep,
        /// Digest of all baselines in use from here; zeros if there are none.
        baselines: [u8; 32],
    },
    /// A new epoch key; [`crate::epoch`].
    Epoch {
        /// The certificate: a note signed by the root key.
        certificate: String,
    },
    /// The host's clock was set.
    ClockStep {
        /// First cycle by the new time.
        cycle: CycleIndex,
        /// What the clock would have said.
        from: Timestamp,
        /// What it says now.
        to: Timestamp,
    },
    /// Cycle numbers that no cycle has.
    Gap {
        /// When it ended.
        at: Timestamp,
        /// First missing cycle.
        first: CycleIndex,
        /// First cycle after the gap.
        next: CycleIndex,
        /// Why.
        reason: GapReason,
    },
    /// Old entries and journal were deleted by policy.
    Retention {
        /// When.
        at: Timestamp,
        /// Entries before this index may be gone from now on.
        minimum_index: u64,
        /// Journal before this cycle may be gone from now on.
        first_cycle: CycleIndex,
    },
}

/// Why bytes are not an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// More than 4,096 bytes.
    TooLong,
    /// No such kind: written by a newer version, or not by this software.
    Kind(u8),
    /// Wrong length or an impossible value for its kind.
    Fields(u8),
}

impl fmt::Display for EntryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryFault::TooLong => f.write_str("an entry has more than 4096 bytes"),
            EntryFault::Kind(kind) => write!(f, "there is no entry of kind {kind}"),
            EntryFault::Fields(kind) => write!(f, "the fields of an entry of kind {kind} are malformed"),
        }
    }
}

impl std::error::Error for EntryFault {}

impl Entry {
    /// The kind byte.
    pub fn kind(&self) -> u8 {
        match self {
            Entry::Genesis { .. } => 0,
            Entry::Boot { .. } => 1,
            Entry::Cycle { .. } => 2,
            Entry::Stop { .. } => 3,
            Entry::Calibration { .. } => 4,
            Entry::Epoch { .. } => 5,
            Entry::ClockStep { .. } => 6,
            Entry::Gap { .. } => 7,
            Entry::Retention { .. } => 8,
        }
    }

    /// When it happened; `None` for a certificate, whose time nothing depends on.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Entry::Genesis { at, .. }
            | Entry::Boot { at, .. }
            | Entry::Cycle { at, .. }
            | Entry::Stop { at, .. }
            | Entry::Calibration { at, .. }
            | Entry::ClockStep { to: at, .. }
            | Entry::Gap { at, .. }
            | Entry::Retention { at, .. } => Some(*at),
            Entry::Epoch { .. } => None,
        }
    }

    /// True for everything but cycles: what outlives a retention cut.
    pub fn is_event(&self) -> bool {
        !matches!(self, Entry::Cycle { .. })
    }

    /// Reads the bytes of an entry; nothing but the exact form passes.
    ///
    /// # Errors
    /// If they are none.
    pub fn parse(bytes: &[u8]) -> Result<Entry, EntryFault> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryFault::TooLong);
        }
        let (&kind, fields) = bytes.split_first().ok_or(EntryFault::Fields(0))?;
        if kind > 8 {
            return Err(EntryFault::Kind(kind));
        }
        let mut reader = Reader::new(fields);
        let entry = parse_fields(kind, &mut reader).ok_or(EntryFault::Fields(kind))?;
        reader.finished().map(|()| entry).ok_or(EntryFault::Fields(kind))
    }
}

fn parse_fields(kind: u8, r: &mut Reader<'_>) -> Option<Entry> {
    Some(match kind {
        0 => Entry::Genesis {
            at: time(r)?,
            source: source(r)?,
            numerics: r.u32()?,
            chain: r.array()?,
            predecessor: r.option(Reader::array)?,
        },
        1 => Entry::Boot {
            cycle: cycle(r)?,
            at: time(r)?,
            source: source(r)?,
            boot: r.u64()?,
            unclean: r.bool()?,
            chain: r.array()?,
        },
        2 => Entry::Cycle { cycle: cycle(r)?, at: time(r)?, source: source(r)?, chain: r.array()? },
        3 => Entry::Stop { cycle: cycle(r)?, at: time(r)?, source: source(r)?, chain: r.array()? },
        4 => Entry::Calibration {
            cycle: cycle(r)?,
            at: time(r)?,
            step: match r.u8()? {
                0 => CalibrationStep::Started,
                1 => CalibrationStep::Completed,
                2 => CalibrationStep::Cancelled,
                3 => CalibrationStep::Cleared,
                4 => CalibrationStep::Resumed,
                _ => return None,
            },
            baselines: r.array()?,
        },
        5 => Entry::Epoch { certificate: core::str::from_utf8(r.take(r.remaining())?).ok()?.to_owned() },
        6 => Entry::ClockStep { cycle: cycle(r)?, from: time(r)?, to: time(r)? },
        7 => parse_gap(r)?,
        8 => Entry::Retention { at: time(r)?, minimum_index: r.u64()?, first_cycle: cycle(r)? },
        _ => return None,
    })
}

fn parse_gap(r: &mut Reader<'_>) -> Option<Entry> {
    let (at, first, next) = (time(r)?, cycle(r)?, cycle(r)?);
    let reason = match r.u8()? {
        0 => GapReason::Down,
        1 => GapReason::Overrun,
        2 => GapReason::Lost,
        _ => return None,
    };
    (first < next).then_some(Entry::Gap { at, first, next, reason })
}

fn time(r: &mut Reader<'_>) -> Option<Timestamp> {
    r.u64().map(Timestamp)
}

fn cycle(r: &mut Reader<'_>) -> Option<CycleIndex> {
    r.u64().map(CycleIndex)
}

fn source(r: &mut Reader<'_>) -> Option<Source> {
    Source::from_code(r.u8()?)
}

impl Canonical for Entry {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(self.kind());
        match self {
            Entry::Genesis { at, source, numerics, chain, predecessor } => {
                at.canonical(out);
                source.canonical(out);
                out.u32(*numerics);
                out.put(chain);
                out.option(predecessor.as_ref(), |s, p| s.put(p));
            }
            Entry::Boot { cycle, at, source, boot, unclean, chain } => {
                cycle.canonical(out);
                at.canonical(out);
                source.canonical(out);
                out.u64(*boot);
                out.bool(*unclean);
                out.put(chain);
            }
            Entry::Cycle { cycle, at, source, chain } | Entry::Stop { cycle, at, source, chain } => {
                cycle.canonical(out);
                at.canonical(out);
                source.canonical(out);
                out.put(chain);
            }
            Entry::Calibration { cycle, at, step, baselines } => {
                cycle.canonical(out);
                at.canonical(out);
                out.u8(*step as u8);
                out.put(baselines);
            }
            Entry::Epoch { certificate } => out.put(certificate.as_bytes()),
            Entry::ClockStep { cycle, from, to } => {
                cycle.canonical(out);
                from.canonical(out);
                to.canonical(out);
            }
            Entry::Gap { at, first, next, reason } => {
                at.canonical(out);
                first.canonical(out);
                next.canonical(out);
                out.u8(*reason as u8);
            }
            Entry::Retention { at, minimum_index, first_cycle } => {
                at.canonical(out);
                out.u64(*minimum_index);
                first_cycle.canonical(out);
            }
        }
    }
}
