//! The journal thread: writes a cycle, then publishes it. Never the other way round.
//!
//! What is published is what was witnessed and handed to the operating system; `fdatasync` follows once a second from
//! a thread of its own, because a storage card may stall for long. A journal that can't be written stops publishing.

use crate::clock::{Clock, Stopwatch};
use crate::message;
use crate::privacy::{self, What};
use crate::publish::{self, Detail, Published, Update};
use crate::retention::Retention;
use crate::status::Status;
use crate::timings::Timings;
use crate::witness_log::{LiveLog, Signing};
use crate::zones::Zones;
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use wavewitness_journal::{CycleRecord, EntryRecord, EventBytes, JournalError, SyncHandle, Writer};
use wavewitness_ledger::LedgerError;
use wavewitness_types::{Canonical, Event, PoseFrame, PrivacyMode, Timestamp};
use wavewitness_witness::{Digest, Witness};

/// Cycles that wait for the journal before the cycle thread has to: about 3 s.
const QUEUE: usize = 64;
/// Seconds between two looks at what is too old or too much, and from the start to the first.
const RETENTION_EVERY: u64 = 600;
const RETENTION_FIRST: u64 = 30;

/// A journalled event.
pub struct EventRecord {
    /// When it happened.
    pub at: Timestamp,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

impl EventRecord {
    /// The record of an event.
    pub fn of(event: &Event) -> EventRecord {
        EventRecord { at: event.at(), bytes: event.to_canonical_bytes() }
    }

    /// What the journal holds of it.
    fn stored(&self, mode: PrivacyMode) -> Option<(Timestamp, Cow<'_, [u8]>)> {
        Some((self.at, privacy::stored(mode, &self.bytes)?))
    }
}

/// What the cycle thread hands over.
pub enum StoreMessage {
    /// A computed cycle.
    Cycle(Box<CycleBatch>),
    /// A boot or a stop.
    Entry {
        /// The event.
        event: EventRecord,
        /// Its witness.
        witness: Box<Witness>,
    },
    /// New baselines, to be carried over a restart.
    Baselines(Vec<u8>),
}

/// A cycle with everything that the journal and the clients need.
pub struct CycleBatch {
    /// The cycle's events in the order in which they were read, its tick last.
    pub events: Vec<EventRecord>,
    /// Its witness.
    pub witness: Witness,
    /// Canonical bytes of what is published.
    pub published: Vec<u8>,
    /// What is published.
    pub frame: PoseFrame,
    /// What only some cycles carry.
    pub detail: Option<Box<Detail>>,
    /// From tick to witness.
    pub compute_ns: u64,
    /// Started at the tick.
    pub watch: Stopwatch,
}

/// The thread and the way to it.
pub struct Store {
    /// Takes cycles; full while the journal is behind.
    pub sender: SyncSender<StoreMessage>,
    thread: JoinHandle<Result<(), StoreError>>,
}

/// Why nothing more can be stored.
#[derive(Debug)]
pub enum StoreError {
    /// The journal.
    Journal(JournalError),
    /// The transparency log.
    Log(LedgerError),
    /// The file of the baselines, or a thread: what, and why.
    System(&'static str, std::io::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Journal(e) => e.fmt(f),
            StoreError::Log(e) => e.fmt(f),
            StoreError::System(what, e) => write!(f, "{what}: {e}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<JournalError> for StoreError {
    fn from(e: JournalError) -> StoreError {
        StoreError::Journal(e)
    }
}

impl From<LedgerError> for StoreError {
    fn from(e: LedgerError) -> StoreError {
        StoreError::Log(e)
    }
}

/// Where the thread writes, and where it publishes.
pub struct Sinks {
    /// The journal; `None` for a replay that keeps none.
    pub journal: Option<Writer>,
    /// The log over the journal: who is told, and who signs.
    pub log: Option<(LiveLog, Signing)>,
    /// What is deleted by age or size.
    pub retention: Retention,
    /// Time, for signing.
    pub clock: Clock,
    /// Where baselines are kept; `None` to keep none.
    pub baselines: Option<PathBuf>,
    /// Clients.
    pub messages: Option<publish::Sender>,
    /// What the hub knows about itself.
    pub status: Status,
    /// Digest of the chain's genesis.
    pub genesis: Digest,
    /// What is withheld, from the journal and from everybody who is told something.
    pub privacy: PrivacyMode,
    /// Parts of the room that are watched.
    pub zones: Zones,
}

impl Store {
    /// Starts the thread.
    pub fn start(sinks: Sinks) -> std::io::Result<Store> {
        let (sender, receiver) = sync_channel(QUEUE);
        sinks.status.update(|s| s.privacy = sinks.privacy);
        let thread =
            std::thread::Builder::new().name("journal".into()).spawn(move || run(sinks, &receiver))?;
        Ok(Store { sender, thread })
    }

    /// Ends the thread after everything that was handed over is written.
    ///
    /// # Errors
    /// If the journal could not be written.
    pub fn finish(self) -> Result<(), StoreError> {
        drop(self.sender);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Makes the journal durable, and signs it if a log is kept.
struct Durable {
    journal: SyncHandle,
    directory: PathBuf,
    signing: Option<Signing>,
    clock: Clock,
    retention: Retention,
    timings: Timings,
    syncs: u64,
}

impl Durable {
    fn sync(&mut self) -> Result<(), StoreError> {
        let Durable { journal, directory, signing, clock, retention, timings, syncs } = self;
        let sync = || {
            let watch = Stopwatch::start();
            journal.sync()?;
            timings.sync(watch.nanos());
            Ok(())
        };
        match signing {
            Some(signing) => signing.sign::<StoreError>(clock.now(), sync)?,
            None => sync()?,
        }
        if *syncs % RETENTION_EVERY == RETENTION_FIRST {
            retention.apply(directory, signing.as_mut(), clock.now(), || Ok(journal.sync()?))?;
        }
        *syncs += 1;
        Ok(())
    }
}

/// Calls [`Durable::sync`] once a second until it is finished.
struct Syncer {
    stop: SyncSender<()>,
    thread: JoinHandle<Durable>,
    failed: Arc<Mutex<Option<StoreError>>>,
}

impl Syncer {
    fn start(mut durable: Durable) -> std::io::Result<Syncer> {
        let (stop, stopped) = sync_channel::<()>(0);
        let failed = Arc::new(Mutex::new(None));
        let failure = Arc::clone(&failed);
        let thread = std::thread::Builder::new().name("journal-sync".into()).spawn(move || {
            use std::sync::mpsc::RecvTimeoutError::Timeout;
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(Timeout) {
                if let Err(e) = durable.sync() {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
                    break;
                }
            }
            durable
        })?;
        Ok(Syncer { stop, thread, failed })
    }

    fn check(&self) -> Result<(), StoreError> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn finish(self) -> Result<Durable, StoreError> {
        drop(self.stop);
        let durable = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(durable), Err)
    }
}

fn run(mut sinks: Sinks, receiver: &Receiver<StoreMessage>) -> Result<(), StoreError> {
    let result = write_all(&mut sinks, receiver);
    if let Err(e) = &result {
        let what = match e {
            StoreError::Log(_) => "the witness log",
            StoreError::Journal(_) | StoreError::System(..) => "the journal",
        };
        tracing::error!("{what} can't be written, publishing stops: {e}");
        sinks.status.update(|s| s.fault = Some(format!("{what} can't be written: {e}")));
        if let Some(messages) = &sinks.messages {
            let reason = format!("{what} can't be written: {e}");
            let _ = messages.send(Published::Stopped(reason.into()));
        }
    }
    result
}

/// Journal, log, and the thread that syncs both.
struct Written {
    journal: Writer,
    log: Option<LiveLog>,
    syncer: Syncer,
    /// The last witness: where a new segment says that it continues from.
    last: Vec<u8>,
    privacy: PrivacyMode,
}

fn borrowed<'a>(events: &'a [(Timestamp, Cow<'_, [u8]>)]) -> Vec<EventBytes<'a>> {
    events.iter().map(|(at, bytes)| EventBytes { at: *at, bytes }).collect()
}

impl Written {
    fn start(sinks: &mut Sinks) -> Result<Option<Written>, StoreError> {
        let Some(journal) = sinks.journal.take() else { return Ok(None) };
        let (log, signing) = sinks.log.take().unzip();
        let durable = Durable {
            journal: journal.sync_handle(),
            directory: journal.directory().to_owned(),
            signing,
            clock: sinks.clock,
            retention: sinks.retention,
            timings: sinks.status.timings().clone(),
            syncs: 0,
        };
        let syncer = Syncer::start(durable)
            .map_err(|e| StoreError::System("can't start the thread that syncs the journal", e))?;
        Ok(Some(Written { journal, log, syncer, last: Vec::new(), privacy: sinks.privacy }))
    }

    fn cycle(&mut self, batch: &CycleBatch) -> Result<(), StoreError> {
        let witness = batch.witness.to_canonical_bytes();
        let stored: Vec<_> = batch.events.iter().filter_map(|e| e.stored(self.privacy)).collect();
        let events = borrowed(&stored);
        let record = CycleRecord {
            cycle: batch.witness.cycle,
            at: batch.witness.at,
            events: &events,
            witness: Some(&witness),
            pose: Some(&batch.published[..]).filter(|_| What::JournalOutputs.given(self.privacy)),
        };
        self.journal.append_cycle(&record, || std::mem::take(&mut self.last))?;
        self.last = witness;
        match &self.log {
            Some(log) => Ok(log.record(&batch.witness, events.iter().map(|e| e.bytes))?),
            None => Ok(()),
        }
    }

    fn entry(&mut self, event: &EventRecord, witness: &Witness) -> Result<(), StoreError> {
        self.last = witness.to_canonical_bytes();
        let stored: Vec<_> = event.stored(self.privacy).into_iter().collect();
        let (at, events) = (witness.at, borrowed(&stored));
        self.journal.append_entry(&EntryRecord { at, events: &events, witness: Some(&self.last) })?;
        match &self.log {
            Some(log) => Ok(log.record(witness, events.iter().map(|e| e.bytes))?),
            None => Ok(()),
        }
    }

    /// The journal is closed; the last checkpoint covers all of it.
    fn finish(self) -> Result<(), StoreError> {
        let mut durable = self.syncer.finish()?;
        self.journal.close()?;
        match &mut durable.signing {
            Some(signing) => signing.sign(durable.clock.now(), || Ok(())),
            None => Ok(()),
        }
    }
}

fn write_all(sinks: &mut Sinks, receiver: &Receiver<StoreMessage>) -> Result<(), StoreError> {
    let mut written = Written::start(sinks)?;
    for message in receiver {
        if let Some(written) = &written {
            written.syncer.check()?;
        }
        match message {
            StoreMessage::Cycle(batch) => {
                if let Some(written) = &mut written {
                    let watch = Stopwatch::start();
                    written.cycle(&batch)?;
                    sinks.status.timings().written(watch.nanos());
                }
                publish(sinks, *batch);
            }
            StoreMessage::Entry { event, witness } => {
                if let Some(written) = &mut written {
                    written.entry(&event, &witness)?;
                }
                sinks.status.update(|s| s.head = witness.chain);
            }
            StoreMessage::Baselines(bytes) => {
                if let Some(path) = sinks.baselines.as_ref().filter(|_| What::Baselines.given(sinks.privacy))
                {
                    write_atomically(path, &bytes)
                        .map_err(|e| StoreError::System("can't write the baselines", e))?;
                }
                if let Some(log) = written.as_ref().and_then(|w| w.log.as_ref()) {
                    log.baselines(&bytes)?;
                }
            }
        }
    }
    written.map_or(Ok(()), Written::finish)
}

/// Makes the cycle's message, the only place where one is made: what the privacy mode withholds is gone behind it.
fn publish(sinks: &mut Sinks, batch: CycleBatch) {
    let mut cycle = message::cycle(&batch.frame, &batch.witness, &sinks.genesis);
    cycle.zones = Some(sinks.zones.update(&batch.frame));
    let cycle = privacy::cycle(sinks.privacy, cycle);
    if let Some(messages) = &sinks.messages
        && messages.receiver_count() > 0
    {
        // Where something moves is where somebody is.
        let detail = batch.detail.filter(|_| What::Images.given(sinks.privacy));
        // No receiver left is no error: the next subscriber gets the next cycle.
        let _ = messages.send(Published::Cycle(Arc::new(Update::new(cycle.clone(), detail))));
    }
    let delay_ns = sinks.clock.now().nanos_since(batch.frame.at);
    let own_ns = batch.watch.nanos().saturating_sub(batch.compute_ns);
    sinks.status.update(|s| {
        // A replay's cycles ended when they were recorded.
        if s.udp.is_some() {
            sinks.status.timings().published(delay_ns, own_ns);
        }
        s.cycles += 1;
        s.head = batch.witness.chain;
        s.computed(batch.compute_ns);
        s.frame = Some(batch.frame);
        s.cycle = Some(Arc::new(cycle));
        s.zone_events = sinks.zones.events().cloned().collect();
    });
}

/// Replaces a file so that after a crash either the old or the new content is there, whole.
fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    match path.parent() {
        Some(dir) => std::fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
