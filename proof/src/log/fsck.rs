//! Checking a stored log from its files, and against the journal that it stands for.

use super::against::{Against, Boots, Run};
use super::{LogError, Trust, pin};
use crate::report::Report;
use crate::verify::{self, Progress};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use wavewitness_journal::Journal;
use wavewitness_ledger::{LedgerError, LogDir};
use wavewitness_log::{
    Checkpoint, CheckpointFault, Entry, EpochFault, Fault, KeyHistory, NoteFault, Pin, Subject, Summary,
    Watch,
};

/// What to hold a log against, beside itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The journal of its hub.
    pub journal: Option<&'a Path>,
    /// A pin file: made if it is not there, advanced if nothing is wrong.
    pub pin: Option<&'a Path>,
}

/// A fault or notice of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name in `docs/log.md`.
    pub kind: String,
    /// In words.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.kind, self.detail)
    }
}

/// What became of the pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinState {
    /// There was none; it holds the present checkpoint now: trust on first use.
    Made,
    /// It was checked, and holds the present checkpoint now.
    Advanced,
    /// It was checked and is the present checkpoint.
    Unchanged,
    /// It stays as it was, because something is wrong or its root could not be judged.
    Kept,
}

/// The pin in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PinReport {
    /// What became of it.
    pub state: PinState,
    /// Entries that it named before, if there was one.
    pub size_before: Option<u64>,
}

/// The log against its journal.
#[derive(Clone, Debug, Serialize)]
pub struct JournalReport {
    /// The journal on its own, as `verify` reports it.
    pub report: Report,
    /// Records that are in the journal as they were signed.
    pub agree: u64,
    /// Where they part.
    pub differences: Vec<Run>,
}

impl JournalReport {
    /// True if the journal is sound and nothing contradicts the log.
    pub fn is_clean(&self) -> bool {
        self.report.is_clean() && self.differences.iter().all(|run| run.kind.is_notice())
    }
}

/// What a check of a log found.
#[derive(Clone, Debug, Serialize)]
pub struct LogReport {
    /// Name of the log.
    pub origin: String,
    /// The root key that was trusted.
    pub root_key: String,
    /// True if the reader gave it; false if it lay beside the log.
    pub key_given: bool,
    /// Entries that the checkpoint covers; `None` if it can't be read.
    pub signed: Option<u64>,
    /// The signed root in base64.
    pub root: Option<String>,
    /// True if the root was rebuilt from the files and its signature is valid.
    pub proven: bool,
    /// Entries that were read and have their leaf hashes.
    pub entries: u64,
    /// Entries that were pruned.
    pub pruned: u64,
    /// Entries behind the checkpoint.
    pub unsigned: u64,
    /// Certified epoch keys.
    pub epochs: u64,
    /// Faults, in the order in which they were found.
    pub faults: Vec<Finding>,
    /// What limits the proof and is no fault.
    pub notices: Vec<Finding>,
    /// The pin, if one was asked for.
    pub pin: Option<PinReport>,
    /// The journal, if one was given.
    pub journal: Option<JournalReport>,
}

impl LogReport {
    /// True if nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty() && self.proven && self.journal.as_ref().is_none_or(JournalReport::is_clean)
    }
}

/// Listens to the walk.
struct Listener<'a> {
    findings: Vec<Fault>,
    against: Option<Against<'a>>,
}

impl Watch for Listener<'_> {
    fn entry(&mut self, index: u64, entry: &Entry, signed: bool) {
        if let Some(against) = self.against.as_mut().filter(|_| signed) {
            against.entry(index, entry);
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.findings.push(fault);
    }
}

/// Rebuilds the root from a log's files, names every fault, and holds every signed record against the journal.
///
/// # Errors
/// If log, journal or pin can't be opened. What is wrong in them is in the report.
pub fn fsck(
    trust: &Trust,
    log: &Path,
    options: &Options<'_>,
    progress: Progress<'_>,
) -> Result<LogReport, LogError> {
    let mut dir = trust.open(log)?;
    let pinned = options.pin.map(|path| pin::load(path, trust.origin())).transpose()?.flatten();
    // The checkpoint first: what it covers is then in every file that is read after it.
    let checkpoint = dir.checkpoint()?;
    let mut boots = Boots::default();
    let verified = options.journal.map(|path| verify::walk(path, &mut boots, progress)).transpose()?;
    let journal = options.journal.map(Journal::open).transpose()?;
    let against = journal.as_ref().map(|journal| Against::new(journal, boots));
    let mut listener = Listener { findings: Vec::new(), against };
    let summary = dir.fsck_at(&checkpoint, pinned, &mut listener)?;
    let head = Checkpoint::read_unverified(&checkpoint, trust.origin()).ok().map(|(c, _)| c);
    let mut report = describe(trust, &dir, &summary, head.as_ref(), &checkpoint, &listener.findings);
    report.faults.extend(other_root_key(trust, log));
    if let (Some(verified), Some(against)) = (verified, listener.against) {
        let (agree, differences) = against.finish(head.map_or(0, |c| c.size));
        report.journal = Some(JournalReport { report: verified, agree, differences });
    }
    if let Some(path) = options.pin {
        let unjudged = |f: &Fault| matches!(f, Fault::Unjudged { subject: Subject::Pin, .. });
        let sound = report.is_clean() && !listener.findings.iter().any(unjudged);
        report.pin = Some(advance(path, pinned, summary.proven.filter(|_| sound), &checkpoint)?);
    }
    Ok(report)
}

/// The key beside the log proves nothing, but the hub hands it out: one that is not the reader's was changed.
fn other_root_key(trust: &Trust, log: &Path) -> Option<Finding> {
    // A mirror may go without one.
    let is_there = log.join("root.pub").exists();
    let same = || LogDir::stored_root_key(log).is_ok_and(|stored| stored == trust.root_key);
    (is_there && !same()).then(|| Finding {
        kind: "root key".to_owned(),
        detail: "root key: root.pub beside the log is not the key that was given".to_owned(),
    })
}

fn describe(
    trust: &Trust,
    dir: &LogDir,
    summary: &Summary,
    head: Option<&Checkpoint>,
    checkpoint: &[u8],
    findings: &[Fault],
) -> LogReport {
    let mut report = LogReport {
        origin: trust.origin().to_owned(),
        root_key: trust.root_key.to_string(),
        key_given: trust.given,
        signed: head.map(|c| c.size),
        root: head.map(|c| c.root.to_string()),
        proven: summary.proven.is_some(),
        entries: summary.entries,
        pruned: summary.pruned,
        unsigned: summary.unsigned,
        epochs: summary.keys.certificates().len() as u64,
        faults: Vec::new(),
        notices: Vec::new(),
        pin: None,
        journal: None,
    };
    let context = Context { dir, checkpoint, findings, stored: dir.keys() };
    for fault in findings {
        match context.judge(*fault) {
            Verdict::Fault(finding) => report.faults.push(finding),
            Verdict::Notice(finding) => report.notices.push(finding),
            Verdict::Said => {}
        }
    }
    report.faults.extend(context.stored_certificates(summary));
    report
}

/// What else is known when a fault is judged.
struct Context<'a> {
    dir: &'a LogDir,
    checkpoint: &'a [u8],
    findings: &'a [Fault],
    /// The certificates stored beside the entries. Signed by the root key, so they are good evidence of what an entry
    /// said that can't be read.
    stored: Result<KeyHistory, LedgerError>,
}

enum Verdict {
    Fault(Finding),
    Notice(Finding),
    /// Another fault says it.
    Said,
}

impl Context<'_> {
    fn judge(&self, fault: Fault) -> Verdict {
        let finding = |detail: String| Finding { kind: kind(&fault).to_owned(), detail };
        match fault {
            Fault::Unjudged { subject, size } => {
                let told = Fault::RolledBack { subject, size };
                match self.findings.contains(&told) {
                    true => Verdict::Said,
                    false => Verdict::Notice(finding(fault.to_string())),
                }
            }
            Fault::Checkpoint { subject: Subject::Latest, .. } if self.checkpoint.is_empty() => {
                Verdict::Fault(finding("checkpoint: there is none".to_owned()))
            }
            _ if self.follows(&fault) => Verdict::Notice(Finding {
                kind: "follows".to_owned(),
                detail: format!("follows from what can't be read: {fault}; the stored certificate is good"),
            }),
            Fault::Checkpoint { subject: Subject::Latest, fault: why } if why == NOT_SIGNED => {
                // A key that was certified later: the past sealed again. The entries up to this size can't tell.
                let later = self.stored.as_ref().ok().and_then(|keys| keys.open(self.checkpoint).err());
                let fault = Fault::Checkpoint { subject: Subject::Latest, fault: later.unwrap_or(why) };
                Verdict::Fault(finding(fault.to_string()))
            }
            _ if fault.is_notice() => Verdict::Notice(finding(fault.to_string())),
            _ => Verdict::Fault(finding(fault.to_string())),
        }
    }

    /// True if a certificate seems to be missing only because its entry can't be read, which is a fault of its own.
    fn follows(&self, fault: &Fault) -> bool {
        let unread = self.findings.iter().any(|f| {
            use Fault as F;
            matches!(
                f,
                F::Missing(_)
                    | F::Bundle { .. }
                    | F::BundleShort(_)
                    | F::Leaf { .. }
                    | F::Swapped { .. }
                    | F::Kept { .. }
                    | F::Truncated { .. }
                    | F::Retention { .. }
            )
        });
        let Some(stored) = self.stored.as_ref().ok().filter(|_| unread) else { return false };
        match *fault {
            Fault::Epoch { index, fault: EpochFault::Number { .. } } => {
                stored.certificates().iter().any(|c| c.after == index)
            }
            Fault::Checkpoint { subject, fault } => {
                let unknown = fault == NOT_SIGNED || matches!(fault, CheckpointFault::NoKeyForSize { .. });
                unknown && self.note(subject).is_some_and(|note| stored.open(&note).is_ok())
            }
            _ => false,
        }
    }

    fn note(&self, subject: Subject) -> Option<Vec<u8>> {
        match subject {
            Subject::Latest => Some(self.checkpoint.to_vec()),
            Subject::Older(n) => self.dir.older().ok()?.into_iter().nth(n),
            Subject::Pin => None,
        }
    }

    /// The certificates stored beside the entries serve proofs: they must be the entries'.
    fn stored_certificates(&self, summary: &Summary) -> Option<Finding> {
        let finding = |detail: String| Finding { kind: "certificate".to_owned(), detail };
        let stored = match &self.stored {
            Ok(stored) => stored.certificates(),
            Err(LedgerError::Damaged(_, why)) => return Some(finding(format!("certificate: stored {why}"))),
            Err(error) => return Some(finding(format!("certificate: {error}"))),
        };
        let read = summary.keys.certificates();
        let differs = (0..read.len()).find(|&k| stored.get(k) != Some(&read[k]))?;
        Some(finding(format!(
            "certificate: the file of epoch {differs} is not the certificate in the entries"
        )))
    }
}

const NOT_SIGNED: CheckpointFault = CheckpointFault::Note(NoteFault::NotSigned);

/// The fault's name in `docs/log.md`.
fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Missing(_) => "missing",
        Fault::TileLength(_) => "tile-length",
        Fault::Bundle { .. } => "bundle",
        Fault::BundleShort(_) => "bundle-short",
        Fault::Leaf { .. } => "leaf",
        Fault::Swapped { .. } => "swapped",
        Fault::TileHash { .. } => "tile-hash",
        Fault::Entry { .. } => "entry",
        Fault::Epoch { .. } => "certificate",
        Fault::Kept { .. } => "kept-entry",
        Fault::Checkpoint { .. } => "checkpoint",
        Fault::Root { .. } => "root",
        Fault::Truncated { .. } => "truncated",
        Fault::RolledBack { .. } => "rolled-back",
        Fault::Retention { .. } => "retention",
        Fault::NotRebuilt { .. } => "not-rebuilt",
        Fault::Unjudged { .. } => "unjudged",
        Fault::UnsignedTail { .. } => "unsigned-tail",
    }
}

/// Moves the pin on to what is proven, if anything is. An empty log is not worth a pin.
fn advance(
    path: &Path,
    pinned: Option<Pin>,
    proven: Option<Pin>,
    checkpoint: &[u8],
) -> Result<PinReport, LogError> {
    let state = match (proven.filter(|p| p.size > 0), pinned) {
        (None, _) => PinState::Kept,
        (Some(proven), Some(pin)) if proven == pin => PinState::Unchanged,
        (Some(_), _) => {
            pin::store(path, checkpoint)?;
            if pinned.is_some() { PinState::Advanced } else { PinState::Made }
        }
    };
    Ok(PinReport { state, size_before: pinned.map(|p| p.size) })
}

impl fmt::Display for LogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "log {}", self.origin)?;
        match self.key_given {
            true => writeln!(f, "  root key {}", self.root_key)?,
            false => writeln!(
                f,
                "  root key {}\n  WARNING: this key lay beside the log and did not come by a safe way. Whoever replaced \
                 the log\n  replaced it, too. Compare it with the key from the operator, or give that with --key",
                self.root_key
            )?,
        }
        match (&self.signed, &self.root) {
            (Some(size), Some(root)) => writeln!(f, "  checkpoint of {size} entries, root {root}")?,
            _ => writeln!(f, "  no checkpoint that can be read")?,
        }
        let LogReport { entries, pruned, unsigned, epochs, .. } = self;
        writeln!(f, "  {entries} entries read, {pruned} pruned, {unsigned} not signed, {epochs} epoch keys")?;
        self.notices.iter().try_for_each(|n| writeln!(f, "  note: {n}"))?;
        self.faults.iter().try_for_each(|n| writeln!(f, "  FAULT {n}"))?;
        if let Some(journal) = &self.journal {
            journal.report.chains.iter().try_for_each(|chain| writeln!(f, "{chain}"))?;
            writeln!(f, "journal against log: {} records are as they were signed", journal.agree)?;
            for run in &journal.differences {
                let mark = if run.kind.is_notice() { "note:" } else { "FAULT" };
                writeln!(f, "  {mark} {run}")?;
            }
        }
        if let Some(PinReport { state, size_before }) = &self.pin {
            let before = size_before.unwrap_or(0);
            match state {
                PinState::Made => writeln!(
                    f,
                    "pin made: from now on this log can't be rolled back or replaced unnoticed. What was before, it \
                     can't tell: compare the root with somebody else's once (trust on first use)"
                )?,
                PinState::Advanced => writeln!(f, "pin of {before} entries: holds; advanced")?,
                PinState::Unchanged => {
                    writeln!(f, "pin of {before} entries: holds; it is the present checkpoint")?
                }
                PinState::Kept if size_before.is_some() => {
                    writeln!(f, "pin of {before} entries: left as it was")?
                }
                PinState::Kept => writeln!(f, "no pin was made")?,
            }
        }
        self.verdict(f)
    }
}

impl LogReport {
    fn verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = self.signed.unwrap_or(0);
        if self.is_clean() {
            let with = match &self.journal {
                Some(_) => ", and the journal is what was signed",
                None => "",
            };
            let whose = if self.key_given { "" } else { " by a key that nobody vouched for" };
            return write!(f, "VERIFIED: the files give the signed root of {signed} entries{with}{whose}");
        }
        let parts =
            self.journal.iter().flat_map(|j| j.differences.iter()).filter(|run| !run.kind.is_notice());
        let verified = self.journal.iter().map(|j| j.report.findings().count()).sum::<usize>();
        write!(
            f,
            "NOT VERIFIED: {} faults of the log, {verified} of the journal, {} between them",
            self.faults.len(),
            parts.count()
        )
    }
}
