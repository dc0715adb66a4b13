//! The journal thread: writes a cycle, then publishes it. Never the other way round.
//!
//! What is published is what was witnessed and handed to the operating system; `fdatasync` follows once a second from
//! a thread of its own, because a storage card may stall for long. A journal that can't be written stops publishing.

use crate::message;
use crate::status::Status;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use wavewitness_journal::{CycleRecord, EntryRecord, EventBytes, JournalError, Writer};
use wavewitness_types::{Canonical, Event, PoseFrame, Timestamp};
use wavewitness_witness::{Digest, Witness};

/// Cycles that wait for the journal before the cycle thread has to: about 3 s.
const QUEUE: usize = 64;

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

    fn borrowed(&self) -> EventBytes<'_> {
        EventBytes { at: self.at, bytes: &self.bytes }
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
    /// From tick to witness.
    pub compute_ns: u64,
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
    /// The file of the baselines, or a thread: what, and why.
    System(&'static str, std::io::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Journal(e) => e.fmt(f),
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

/// Where the thread writes, and where it publishes.
pub struct Sinks {
    /// The journal; `None` for a replay that keeps none.
    pub journal: Option<Writer>,
    /// Where baselines are kept; `None` to keep none.
    pub baselines: Option<PathBuf>,
    /// Clients.
    pub messages: Option<broadcast::Sender<Utf8Bytes>>,
    /// What the hub knows about itself.
    pub status: Status,
    /// Digest of the chain's genesis.
    pub genesis: Digest,
}

impl Store {
    /// Starts the thread.
    pub fn start(sinks: Sinks) -> std::io::Result<Store> {
        let (sender, receiver) = sync_channel(QUEUE);
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

/// Calls `sync` once a second until dropped.
struct Syncer {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<Mutex<Option<JournalError>>>,
}

impl Syncer {
    fn start(sync: impl Fn() -> Result<(), JournalError> + Send + 'static) -> std::io::Result<Syncer> {
        let (stop, stopped) = sync_channel::<()>(0);
        let failed = Arc::new(Mutex::new(None));
        let failure = Arc::clone(&failed);
        let thread = std::thread::Builder::new().name("journal-sync".into()).spawn(move || {
            use std::sync::mpsc::RecvTimeoutError::Timeout;
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(Timeout) {
                if let Err(e) = sync() {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
                    return;
                }
            }
        })?;
        Ok(Syncer { stop: Some(stop), thread: Some(thread), failed })
    }

    fn check(&self) -> Result<(), JournalError> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut sinks: Sinks, receiver: &Receiver<StoreMessage>) -> Result<(), StoreError> {
    let result = write_all(&mut sinks, receiver);
    if let Err(e) = &result {
        tracing::error!("the journal can't be written, publishing stops: {e}");
        sinks.status.update(|s| s.fault = Some(format!("the journal can't be written: {e}")));
        if let Some(messages) = &sinks.messages {
            let _ = messages.send(message::stopped(&format!("the journal can't be written: {e}")).into());
        }
    }
    result
}

fn write_all(sinks: &mut Sinks, receiver: &Receiver<StoreMessage>) -> Result<(), StoreError> {
    let syncer = match &sinks.journal {
        Some(journal) => {
            let handle = journal.sync_handle();
            Some(
                Syncer::start(move || handle.sync())
                    .map_err(|e| StoreError::System("can't start the thread that syncs the journal", e))?,
            )
        }
        None => None,
    };
    // The last witness: where a new segment says that it continues from.
    let mut last = Vec::new();
    for message in receiver {
        if let Some(syncer) = &syncer {
            syncer.check()?;
        }
        match message {
            StoreMessage::Cycle(batch) => {
                if let Some(journal) = &mut sinks.journal {
                    let witness = batch.witness.to_canonical_bytes();
                    let events: Vec<_> = batch.events.iter().map(EventRecord::borrowed).collect();
                    let record = CycleRecord {
                        cycle: batch.witness.cycle,
                        at: batch.witness.at,
                        events: &events,
                        witness: Some(&witness),
                        pose: Some(&batch.published),
                    };
                    journal.append_cycle(&record, || std::mem::take(&mut last))?;
                    last = witness;
                }
                publish(sinks, *batch);
            }
            StoreMessage::Entry { event, witness } => {
                if let Some(journal) = &mut sinks.journal {
                    last = witness.to_canonical_bytes();
                    let (at, events) = (witness.at, [event.borrowed()]);
                    journal.append_entry(&EntryRecord { at, events: &events, witness: Some(&last) })?;
                }
                sinks.status.update(|s| s.head = witness.chain);
            }
            StoreMessage::Baselines(bytes) => {
                if let Some(path) = &sinks.baselines {
                    write_atomically(path, &bytes)
                        .map_err(|e| StoreError::System("can't write the baselines", e))?;
                }
            }
        }
    }
    drop(syncer);
    match sinks.journal.take() {
        Some(journal) => Ok(journal.close().map(drop)?),
        None => Ok(()),
    }
}

fn publish(sinks: &Sinks, batch: CycleBatch) {
    if let Some(messages) = &sinks.messages
        && messages.receiver_count() > 0
    {
        let text = message::cycle(&batch.frame, &batch.witness, &sinks.genesis);
        // No receiver left is no error: the next subscriber gets the next cycle.
        let _ = messages.send(text.into());
    }
    sinks.status.update(|s| {
        s.cycles += 1;
        s.head = batch.witness.chain;
        s.computed(batch.compute_ns);
        s.frame = Some(batch.frame);
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
