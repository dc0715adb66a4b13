//! The transparency log of a data directory: opened behind the journal, told what the journal holds, then fed live.

use crate::clock::Clock;
use crate::status::{LogState, Status};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wavewitness_journal::{Chunk, Content, Journal, JournalError, SegmentInfo};
use wavewitness_ledger::key::KeyFile;
use wavewitness_ledger::{Appender, LedgerError, LogDir, Narrator, Published, Publisher, Writer};
use wavewitness_log::{Entry, VerifierKey};
use wavewitness_types::{Command, CycleIndex, Event, Timestamp};
use wavewitness_witness::{EntryKind, Genesis, Witness};

/// Entries of the journal that are told before they are signed, when many have to be.
const CATCH_UP: u64 = 1 << 16;
/// A step of the host's clock that is worth an entry: more than what time servers slew.
const CLOCK_STEP_NS: i128 = 500_000_000;

/// Where the log of a data directory is.
pub fn log_dir(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("log")
}

/// Takes records as they are journalled. Clone it into each thread that has something to tell.
#[derive(Clone)]
pub struct LiveLog(Arc<Mutex<Teller>>);

struct Teller {
    narrator: Narrator,
    appender: Appender,
    /// The first entry that could not be taken.
    failed: Option<LedgerError>,
}

impl Teller {
    fn tell(&mut self, tell: impl FnOnce(&mut Narrator, &mut dyn FnMut(Entry))) {
        let Teller { narrator, appender, failed } = self;
        tell(narrator, &mut |entry| {
            if let Err(e) = appender.append(&entry) {
                failed.get_or_insert(e);
            }
        });
    }
}

impl LiveLog {
    fn hold(&self) -> MutexGuard<'_, Teller> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, tell: impl FnOnce(&mut Narrator, &mut dyn FnMut(Entry))) -> Result<(), LedgerError> {
        let mut teller = self.hold();
        teller.tell(tell);
        teller.failed.take().map_or(Ok(()), Err)
    }

    /// A chain begins.
    ///
    /// # Errors
    /// If the log can't take an entry.
    pub fn genesis(&self, genesis: &Genesis) -> Result<(), LedgerError> {
        self.tell(|narrator, mut out| narrator.genesis(genesis, &mut out))
    }

    /// A boot, cycle or stop was journalled, with these events.
    ///
    /// # Errors
    /// If the log can't take an entry.
    pub fn record<'a>(
        &self,
        witness: &Witness,
        events: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), LedgerError> {
        self.tell(|narrator, mut out| narrate(narrator, witness, events, &mut out))
    }

    /// The baselines changed in the last cycle.
    ///
    /// # Errors
    /// If the log can't take an entry.
    pub fn baselines(&self, exported: &[u8]) -> Result<(), LedgerError> {
        self.tell(|narrator, mut out| narrator.baselines(exported, &mut out))
    }

    fn clock_step(&self, expected: Timestamp, set: Timestamp) -> Result<(), LedgerError> {
        let teller = self.hold();
        let entry = teller.narrator.clock_step(expected, set);
        teller.appender.append(&entry).map(drop)
    }
}

/// The events of a record that the narrator needs are few; the others are skipped by their kind.
fn narrate<'a>(
    narrator: &mut Narrator,
    witness: &Witness,
    events: impl IntoIterator<Item = &'a [u8]>,
    out: &mut impl FnMut(Entry),
) {
    let told = events.into_iter().filter(|bytes| !is_datagram(bytes)).filter_map(Event::from_canonical_bytes);
    match witness.kind {
        EntryKind::Cycle => {
            let commands: Vec<Command> = told
                .filter_map(|event| match event {
                    Event::Command { command, .. } => Some(command),
                    _ => None,
                })
                .collect();
            narrator.cycle(witness, commands, out);
        }
        EntryKind::Boot => {
            let record = told.into_iter().find_map(|event| match event {
                Event::Boot { record, .. } => Some(record),
                _ => None,
            });
            narrator.boot(witness, &record.unwrap_or_default(), out);
        }
        EntryKind::Stop => narrator.stop(witness, out),
    }
}

/// The kind byte of a datagram's event.
fn is_datagram(bytes: &[u8]) -> bool {
    bytes.first() == Some(&Event::DATAGRAM_KIND)
}

/// An open log, up to date with the journal.
pub struct OpenLog {
    /// Takes what is journalled.
    pub live: LiveLog,
    /// Stores and signs.
    pub publisher: Publisher,
    /// The last cycle that the log says was in use, of the chain that it ended with.
    pub last_cycle: Option<CycleIndex>,
    /// What a person should know, one line each.
    pub notes: Vec<String>,
}

/// How the log of a data directory is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// File of the root key; a credential of the service manager comes first.
    pub key_file: Option<std::path::PathBuf>,
    /// Entries of an epoch.
    pub options: wavewitness_ledger::Options,
}

impl LogConfig {
    /// The key that would be used; `None` if there is none, and so no log.
    pub fn key(&self) -> Option<KeyFile> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        KeyFile::find(credentials.as_deref().map(Path::new), self.key_file.as_deref())
    }
}

/// Opens the log beside a salvaged journal, and tells it what the journal holds and the log does not: what was written
/// since the last checkpoint before a crash, or everything if the log is new. `None` without a key.
///
/// # Errors
/// If the key can't be used, or the log is damaged or can't be written.
pub fn open(
    config: &LogConfig,
    data_dir: &Path,
    journal: &Path,
    now: Timestamp,
) -> Result<Option<OpenLog>, LedgerError> {
    let Some(key) = config.key() else { return Ok(None) };
    let Writer { appender, mut publisher, last, mut notes } =
        wavewitness_ledger::open(&log_dir(data_dir), key, config.options, now)?;
    let narrator = last.as_ref().map_or_else(Narrator::default, Narrator::after);
    let before = appender.size();
    let live = LiveLog(Arc::new(Mutex::new(Teller { narrator, appender, failed: None })));
    match Journal::open(journal) {
        Ok(journal) => {
            let found =
                catch_up(&journal, last.as_ref().and_then(Narrator::chain_of), &live, &mut publisher, now)?;
            let told = live.hold().appender.size() - before;
            if told > 0 {
                notes.push(format!("{told} entries were told to the log from the journal"));
            }
            if !found {
                notes.push("the log's last entry is not in the journal: what is between is lost".to_owned());
            }
        }
        Err(JournalError::NotAJournal(_)) => {}
        Err(e) => return Err(LedgerError::Append(format!("the journal can't be read: {e}"))),
    }
    let last_cycle = last.as_ref().and_then(Narrator::last_cycle_of);
    Ok(Some(OpenLog { live, publisher, last_cycle, notes }))
}

/// Tells what is behind the record of chain value `target`. False if the journal does not hold it: then nothing is
/// told, because what is between can't be known.
fn catch_up(
    journal: &Journal,
    target: Option<[u8; 32]>,
    live: &LiveLog,
    publisher: &mut Publisher,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let segments = journal.segments();
    let mut skip = None;
    let mut from = 0;
    if let Some(target) = target {
        let found =
            segments.iter().enumerate().rev().find_map(|(i, s)| Some((i, position(journal, s, target)?)));
        let Some((i, ordinal)) = found else { return Ok(false) };
        (from, skip) = (i, Some(ordinal));
    }
    let mut chain = skip.map(|_| segments[from].name.chain);
    let mut predecessor = None;
    let mut signed = live.hold().appender.size();
    for (k, info) in segments.iter().enumerate().skip(from) {
        let records = journal.of_segment(info.name).records();
        let begun = if k == from { skip.map_or(0, |n| n + 1) } else { 0 };
        for chunk in records.filter_map(Result::ok).skip(begun) {
            if let Content::Start { genesis, .. } = &chunk.content
                && let Some(genesis) = Genesis::from_canonical_bytes(genesis)
            {
                let follows =
                    target.is_none() || genesis.predecessor.as_ref().map(|p| p.genesis) == predecessor;
                if chain != Some(info.name.chain) {
                    // Journals that don't number their chains list them by time: one that does not name the last
                    // before it is an older one.
                    if !follows {
                        break;
                    }
                    chain = Some(info.name.chain);
                    live.genesis(&genesis)?;
                }
                predecessor = Some(genesis.digest());
                continue;
            }
            if chain == Some(info.name.chain) {
                tell(&chunk, live)?;
            }
        }
        let size = live.hold().appender.size();
        if size - signed >= CATCH_UP {
            let taken = publisher.take(now)?;
            signed = publisher.publish(taken)?.size;
            tracing::info!("{signed} entries of the journal are in the log");
        }
        if predecessor.is_none() {
            predecessor = genesis_of(journal, info);
        }
    }
    Ok(true)
}

fn tell(chunk: &Chunk, live: &LiveLog) -> Result<(), LedgerError> {
    let Some(witness) = chunk.witness().and_then(Witness::from_canonical_bytes) else { return Ok(()) };
    live.record(&witness, chunk.events().iter().map(Vec::as_slice))
}

fn genesis_of(journal: &Journal, info: &SegmentInfo) -> Option<wavewitness_witness::Digest> {
    journal.of_segment(info.name).records().find_map(|item| match item.ok()?.content {
        Content::Start { genesis, .. } => Some(Genesis::from_canonical_bytes(&genesis)?.digest()),
        _ => None,
    })
}

/// Which good chunk of a segment has the chain value.
fn position(journal: &Journal, info: &SegmentInfo, target: [u8; 32]) -> Option<usize> {
    let good = journal.of_segment(info.name).records().filter_map(Result::ok);
    good.enumerate().find_map(|(k, chunk)| {
        let here = match &chunk.content {
            Content::Start { genesis, head, .. } if head.is_empty() => {
                Genesis::from_canonical_bytes(genesis).is_some_and(|g| g.digest().0 == target)
            }
            Content::Start { .. } => false,
            _ => chunk.witness().and_then(Witness::from_canonical_bytes).is_some_and(|w| w.chain.0 == target),
        };
        here.then_some(k)
    })
}

/// What the thread does that makes things durable once a second.
pub struct Signing {
    publisher: Publisher,
    live: LiveLog,
    status: Status,
    /// The hub's clock and how far the host's was from it; `None` for a replay.
    clock: Option<(Clock, i128)>,
}

impl Signing {
    /// Signing for a running hub (with its clock) or a replay.
    pub fn new(publisher: Publisher, live: LiveLog, status: Status, clock: Option<Clock>) -> Signing {
        let clock = clock.map(|clock| (clock, clock.host_offset_ns()));
        Signing { publisher, live, status, clock }
    }

    /// Takes what was told so far, makes the journal durable, then stores and signs.
    ///
    /// # Errors
    /// What `sync` says, or the log.
    pub fn sign<E: From<LedgerError>>(
        &mut self,
        now: Timestamp,
        sync: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.watch_clock()?;
        let taken = self.publisher.take(now)?;
        sync()?;
        let published = self.publisher.publish(taken)?;
        self.say(published, now);
        Ok(())
    }

    /// Index of the first stored entry that is not older than `cutoff`.
    pub fn first_since(&self, cutoff: Timestamp) -> u64 {
        self.publisher.first_since(cutoff)
    }

    /// Deletes entries before `minimum_index` as [`Publisher::prune`] does.
    ///
    /// # Errors
    /// What `sync` says, or the log.
    pub fn prune<E: From<LedgerError>>(
        &mut self,
        minimum_index: u64,
        first_cycle: CycleIndex,
        now: Timestamp,
        sync: impl FnOnce() -> Result<(), E>,
    ) -> Result<u64, E> {
        let first = self.publisher.prune(minimum_index, first_cycle, now, sync)?;
        self.say(self.publisher.published(), now);
        Ok(first)
    }

    fn say(&self, published: Published, now: Timestamp) {
        let state = LogState {
            origin: self.publisher.origin().to_owned(),
            root_key: self.publisher.root_key().to_string(),
            epoch: self.publisher.epoch(),
            size: published.size,
            checkpoint: published.checkpoint,
            signed: now,
        };
        self.status.update(|s| s.log = Some(state));
    }

    fn watch_clock(&mut self) -> Result<(), LedgerError> {
        let Some((clock, offset)) = &mut self.clock else { return Ok(()) };
        let present = clock.host_offset_ns();
        if (present - *offset).abs() > CLOCK_STEP_NS {
            let expected = clock.now();
            let set = i128::from(expected.0) + present;
            let set = Timestamp(u64::try_from(set).unwrap_or(0));
            tracing::warn!(
                "the host's clock was set by {:.3} s; cycles keep their own time until a restart",
                (present - *offset) as f64 / 1e9
            );
            self.live.clock_step(expected, set)?;
            *offset = present;
        }
        Ok(())
    }
}

/// The public files of a log by the names under which they are served.
pub fn served(data_dir: &Path, name: &str) -> Option<(std::path::PathBuf, Served)> {
    let dir = log_dir(data_dir);
    let number =
        |text: &str| text.len() <= 20 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let kind = match name.split_once('/') {
        None if name == "checkpoint" => Served::Changing,
        None if name == "root.pub" || name == "kept" => Served::Changing,
        Some(("certificates" | "checkpoints", n)) if number(n) => Served::Text,
        Some(("tile", _)) if wavewitness_log::TilePath::parse(name).is_some() => Served::Tile,
        _ => return None,
    };
    Some((dir.join(name), kind))
}

/// What kind of file is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Replaced as the log grows.
    Changing,
    /// Text that never changes.
    Text,
    /// Bytes that never change.
    Tile,
}

/// Makes a root key.
///
/// # Errors
/// If it can't be made or written.
pub fn new_key(path: &Path, origin: &str) -> Result<VerifierKey, LedgerError> {
    wavewitness_ledger::key::create(path, origin)
}

/// The public half of a root key.
///
/// # Errors
/// If the file can't be used.
pub fn show_key(path: &Path) -> Result<VerifierKey, LedgerError> {
    Ok(KeyFile::Private(path.to_owned()).load()?.verifier().clone())
}

/// The log of a data directory for somebody with the root key.
///
/// # Errors
/// If there is none.
pub fn reader(data_dir: &Path, root_key: VerifierKey) -> Result<LogDir, LedgerError> {
    LogDir::open(&log_dir(data_dir), root_key)
}
