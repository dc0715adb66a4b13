//! The writer: one chunk a cycle, one `write` a chunk.

use crate::dir::{self, JournalDir, sync_dir};
use crate::error::JournalError;
use crate::format::{Channel, FORMAT_VERSION, GroupKind, MAX_CHUNK_BYTES, METADATA_NAME, PROFILE, Seal};
use crate::name::{ChainId, SegmentName};
use crate::read;
use crate::sync::SyncHandle;
use mcap::records::{MessageHeader, Metadata};
use mcap::write::NoSeek;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use wavewitness_types::{CycleIndex, Source, Timestamp};

/// How a journal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Cycles of a segment; 1,280 are 64 s.
    pub cycles_per_segment: u32,
    /// zstd level; 0 is zstd's default.
    pub zstd_level: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { cycles_per_segment: 1280, zstd_level: 1 }
    }
}

/// An event to be written.
#[derive(Clone, Copy, Debug)]
pub struct EventBytes<'a> {
    /// When it happened.
    pub at: Timestamp,
    /// Its canonical bytes.
    pub bytes: &'a [u8],
}

/// A cycle to be written.
#[derive(Clone, Copy, Debug)]
pub struct CycleRecord<'a> {
    /// The cycle.
    pub cycle: CycleIndex,
    /// Its end: the time of its tick.
    pub at: Timestamp,
    /// Its events in the order in which the engine saw them, the tick last.
    pub events: &'a [EventBytes<'a>],
    /// The witness record; `None` in a plain capture.
    pub witness: Option<&'a [u8]>,
    /// The pose frame; `None` in a plain capture.
    pub pose: Option<&'a [u8]>,
}

/// An entry between cycles: boot, stop.
#[derive(Clone, Copy, Debug)]
pub struct EntryRecord<'a> {
    /// When.
    pub at: Timestamp,
    /// Its events.
    pub events: &'a [EventBytes<'a>],
    /// Its witness record; `None` in a plain capture.
    pub witness: Option<&'a [u8]>,
}

/// Appends to one chain of a journal.
///
/// Dropping a writer without [`Writer::close`] is what a crash does: the segment stays a `.part` for the next salvage.
pub struct Writer {
    dir: JournalDir,
    chain: ChainId,
    source: Source,
    /// Which chain of the directory it is, from 1: in a directory whose clock was set back, times don't say.
    order: u64,
    genesis: Vec<u8>,
    options: Options,
    sync: SyncHandle,
    segment: Segment,
    last_cycle: Option<CycleIndex>,
    failed: bool,
}

/// The file being written.
struct Segment {
    number: u32,
    path: PathBuf,
    file: Arc<File>,
    mcap: mcap::Writer<NoSeek<Sink>>,
    sink: Sink,
    ordinal: u32,
    cycles: u32,
}

/// Where the MCAP library writes to: memory, so that a chunk reaches the file in one piece.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn with<T>(&self, f: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|buffer| buffer.extend_from_slice(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A message of a chunk.
struct Message<'a> {
    channel: Channel,
    at: Timestamp,
    bytes: &'a [u8],
}

impl Writer {
    /// Begins a new segment of a chain, numbered after the last one in the directory, with the chain's genesis and
    /// the state that the chain continues from. Salvage first.
    ///
    /// `source` is written into the segment, so that a capture of a simulation is known as one.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::TooLarge`].
    pub fn create(
        dir: JournalDir,
        chain: ChainId,
        source: Source,
        genesis: &[u8],
        head: &[u8],
        at: Timestamp,
        options: Options,
    ) -> Result<Writer, JournalError> {
        let taken = dir::list(dir.path())?;
        let last = taken.iter().filter(|(name, _)| name.chain == chain).map(|(name, _)| name.number).max();
        let name = SegmentName { chain, number: last.map_or(0, |n| n + 1) };
        let sync = SyncHandle::new(dir.path().to_owned());
        let (greatest, own) = read::orders(dir.path(), chain)?;
        let order = own.unwrap_or(greatest + 1);
        let segment = Segment::create(&dir, name, source, order, options)?;
        sync.begin(segment.file.clone(), segment.path.clone());
        sync_dir(dir.path())?;
        let genesis = genesis.to_vec();
        let mut writer = Writer {
            dir,
            chain,
            source,
            order,
            genesis,
            options,
            sync,
            segment,
            last_cycle: None,
            failed: false,
        };
        writer.begin(head, at)?;
        Ok(writer)
    }

    /// Appends a cycle. When it returns, the operating system has it. `head` is called only when the cycle begins a
    /// new segment, and gives the state that the chain continues from: the one before this cycle.
    ///
    /// # Errors
    /// [`JournalError::TooLarge`], with nothing written; anything else is final: every later call gives
    /// [`JournalError::Poisoned`].
    pub fn append_cycle(
        &mut self,
        record: &CycleRecord<'_>,
        head: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), JournalError> {
        let CycleRecord { cycle, at, events, witness, pose } = *record;
        if self.segment.cycles >= self.options.cycles_per_segment {
            self.rotate(&head(), at)?;
        }
        let mut messages = messages(events, at, witness);
        messages.extend(pose.map(|bytes| Message { channel: Channel::Pose, at, bytes }));
        self.append(GroupKind::Cycle, Some(cycle), &messages)?;
        self.segment.cycles += 1;
        self.last_cycle = Some(cycle);
        Ok(())
    }

    /// Appends an entry in a chunk of its own.
    ///
    /// # Errors
    /// As [`Writer::append_cycle`].
    pub fn append_entry(&mut self, record: &EntryRecord<'_>) -> Result<(), JournalError> {
        let EntryRecord { at, events, witness } = *record;
        self.append(GroupKind::Entry, self.last_cycle, &messages(events, at, witness))
    }

    /// Waits until everything appended is on the disk, in the caller's thread.
    ///
    /// # Errors
    /// As [`SyncHandle::sync`].
    pub fn sync(&self) -> Result<(), JournalError> {
        self.sync.sync()
    }

    /// The handle for the thread that syncs once a second.
    pub fn sync_handle(&self) -> SyncHandle {
        self.sync.clone()
    }

    /// The segment being written.
    pub fn segment(&self) -> SegmentName {
        SegmentName { chain: self.chain, number: self.segment.number }
    }

    /// Where the journal is.
    pub fn directory(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Ends the segment, makes everything durable and gives the directory back, still locked.
    ///
    /// # Errors
    /// [`JournalError::Io`]; what was appended is then as safe as after a crash.
    pub fn close(mut self) -> Result<JournalDir, JournalError> {
        self.check()?;
        self.finish_segment()?;
        self.sync.sync()?;
        Ok(self.dir)
    }

    fn check(&self) -> Result<(), JournalError> {
        if self.failed { Err(JournalError::Poisoned) } else { Ok(()) }
    }

    fn begin(&mut self, head: &[u8], at: Timestamp) -> Result<(), JournalError> {
        let genesis = std::mem::take(&mut self.genesis);
        let messages = [
            Message { channel: Channel::Genesis, at, bytes: &genesis },
            Message { channel: Channel::Head, at, bytes: head },
        ];
        let result = self.append(GroupKind::Start, self.last_cycle, &messages);
        self.genesis = genesis;
        result
    }

    /// Ends the segment and begins the next. Nothing waits for the disk here: [`SyncHandle::sync`] does that.
    fn rotate(&mut self, head: &[u8], at: Timestamp) -> Result<(), JournalError> {
        self.check()?;
        self.finish_segment()?;
        let name = SegmentName { chain: self.chain, number: self.segment.number + 1 };
        let segment = Segment::create(&self.dir, name, self.source, self.order, self.options);
        self.segment = segment.inspect_err(|_| self.failed = true)?;
        self.sync.begin(self.segment.file.clone(), self.segment.path.clone());
        self.begin(head, at)
    }

    fn finish_segment(&mut self) -> Result<(), JournalError> {
        let finished = self.segment.mcap.finish().map_err(JournalError::Encode).map(|_| ());
        finished.and_then(|()| self.segment.hand_over(&self.sync)).inspect_err(|_| self.failed = true)?;
        let done = self.dir.path().join(self.segment().file());
        self.sync.retire(done);
        Ok(())
    }

    fn append(
        &mut self,
        kind: GroupKind,
        cycle: Option<CycleIndex>,
        messages: &[Message<'_>],
    ) -> Result<(), JournalError> {
        self.check()?;
        // Opcode, length and message header.
        let bytes: usize = messages.iter().map(|m| 31 + m.bytes.len()).sum();
        if bytes > MAX_CHUNK_BYTES / 2 {
            return Err(JournalError::TooLarge { bytes, limit: MAX_CHUNK_BYTES / 2 });
        }
        let seal = Seal { kind, ordinal: self.segment.ordinal, cycle, durable: self.sync.durable() };
        let done = self.segment.append(&seal, messages, &self.sync);
        done.inspect_err(|_| self.failed = true)
    }
}

fn messages<'a>(events: &[EventBytes<'a>], at: Timestamp, witness: Option<&'a [u8]>) -> Vec<Message<'a>> {
    let events = events.iter().map(|e| Message { channel: Channel::Events, at: e.at, bytes: e.bytes });
    events.chain(witness.map(|bytes| Message { channel: Channel::Witness, at, bytes })).collect()
}

impl Segment {
    fn create(
        dir: &JournalDir,
        name: SegmentName,
        source: Source,
        order: u64,
        options: Options,
    ) -> Result<Segment, JournalError> {
        let path = dir.path().join(name.part_file());
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|e| JournalError::io("create", &path, e))?;
        let sink = Sink::default();
        let mcap = preamble(name, source, order, options, sink.clone()).map_err(JournalError::Encode)?;
        Ok(Segment { number: name.number, path, file: Arc::new(file), mcap, sink, ordinal: 0, cycles: 0 })
    }

    fn append(
        &mut self,
        seal: &Seal,
        messages: &[Message<'_>],
        sync: &SyncHandle,
    ) -> Result<(), JournalError> {
        // The low bits: MCAP has 32 for a sequence.
        let sequence = seal.cycle.map_or(0, |c| c.0 as u32);
        for Message { channel, at, bytes } in messages {
            let header =
                MessageHeader { channel_id: *channel as u16, sequence, log_time: at.0, publish_time: at.0 };
            self.mcap.write_to_known_channel(&header, bytes).map_err(JournalError::Encode)?;
        }
        self.mcap.flush().map_err(JournalError::Encode)?;
        let content = self.sink.with(|group| seal.encode(group));
        let sealed = self.mcap.write_private_record(Seal::OPCODE, &content, Default::default());
        sealed.map_err(JournalError::Encode)?;
        self.hand_over(sync)?;
        self.ordinal += 1;
        Ok(())
    }

    /// Hands what the library has encoded to the operating system.
    fn hand_over(&mut self, sync: &SyncHandle) -> Result<(), JournalError> {
        let (file, path) = (&self.file, &self.path);
        self.sink.with(|buffer| {
            (&**file).write_all(buffer).map_err(|e| JournalError::io("write", path, e))?;
            sync.wrote(buffer.len() as u64);
            buffer.clear();
            Ok(())
        })
    }
}

/// Everything before the first message: header, metadata, schemas and channels (these two in the first chunk).
fn preamble(
    name: SegmentName,
    source: Source,
    order: u64,
    options: Options,
    sink: Sink,
) -> mcap::McapResult<mcap::Writer<NoSeek<Sink>>> {
    let mut mcap = mcap::WriteOptions::new()
        .profile(PROFILE)
        .library(concat!("wavewitness-journal ", env!("CARGO_PKG_VERSION")))
        // A seeking writer leaves a chunk length of 2^64 - 1 when it is killed, and breaks readers.
        .disable_seeking(true)
        .chunk_size(None)
        .compression(Some(mcap::Compression::Zstd))
        .compression_level(options.zstd_level)
        .compression_threads(0)
        .create(NoSeek::new(sink))?;
    let entries = [
        ("chain", name.chain.to_string()),
        ("order", order.to_string()),
        ("segment", name.number.to_string()),
        ("source", source.name().to_owned()),
        ("version", FORMAT_VERSION.to_owned()),
    ];
    let metadata: BTreeMap<String, String> = entries.map(|(k, v)| (k.to_owned(), v)).into();
    mcap.write_metadata(&Metadata { name: METADATA_NAME.to_owned(), metadata })?;
    for channel in Channel::ALL {
        let id = channel as u16;
        let schema = format!("wavewitness.{}", channel.topic());
        mcap.add_schema_with_id(id, &schema, "text", channel.schema().as_bytes())?;
        mcap.add_channel_with_id(id, id, channel.topic(), "wavewitness-canonical", &BTreeMap::new())?;
    }
    Ok(mcap)
}
