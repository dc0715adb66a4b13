//! From a sealed group to what it holds.

use crate::format::{Channel, GroupKind, MAX_CHUNK_BYTES, METADATA_NAME, RECORD_HEADER_BYTES, Seal};
use crate::name::{ChainId, SegmentName};
use mcap::records::op;
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use wavewitness_types::canonical::Reader;
use wavewitness_types::{CycleIndex, Source, Timestamp};

/// A whole, undamaged chunk of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The segment that holds it.
    pub segment: SegmentName,
    /// Offset in its file.
    pub offset: u64,
    /// Time of its last message.
    pub at: Timestamp,
    /// What it holds.
    pub content: Content,
}

/// What a chunk holds. Byte strings are as they were given to the writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The start of a segment.
    Start {
        /// The chain's genesis record.
        genesis: Vec<u8>,
        /// The state of the chain that the segment continues from.
        head: Vec<u8>,
        /// Where its datagrams came from, as the writer was told.
        source: Source,
    },
    /// A cycle.
    Cycle {
        /// The cycle.
        cycle: CycleIndex,
        /// Its events.
        events: Vec<Vec<u8>>,
        /// Its witness record.
        witness: Option<Vec<u8>>,
        /// Its pose frame.
        pose: Option<Vec<u8>>,
    },
    /// An entry between cycles.
    Entry {
        /// Its events.
        events: Vec<Vec<u8>>,
        /// Its witness record.
        witness: Option<Vec<u8>>,
    },
}

impl Chunk {
    /// The cycle, if it is one.
    pub fn cycle(&self) -> Option<CycleIndex> {
        match &self.content {
            Content::Cycle { cycle, .. } => Some(*cycle),
            Content::Start { .. } | Content::Entry { .. } => None,
        }
    }

    /// Its events in order.
    pub fn events(&self) -> &[Vec<u8>] {
        match &self.content {
            Content::Cycle { events, .. } | Content::Entry { events, .. } => events,
            Content::Start { .. } => &[],
        }
    }

    /// Its witness record.
    pub fn witness(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Cycle { witness, .. } | Content::Entry { witness, .. } => witness.as_deref(),
            Content::Start { .. } => None,
        }
    }

    /// Its pose frame.
    pub fn pose(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Cycle { pose, .. } => pose.as_deref(),
            Content::Start { .. } | Content::Entry { .. } => None,
        }
    }
}

/// What the metadata record at a segment's start says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) segment: SegmentName,
    pub(crate) source: Source,
    /// Which chain of the directory this was when it began, from 1; 0 in journals that did not say so.
    pub(crate) order: u64,
}

/// Opens groups, with one decompressor for all.
pub(crate) struct Decoder {
    reader: LinearReader,
}

/// The messages of a chunk, by channel.
#[derive(Default)]
struct Messages {
    at: Timestamp,
    by_channel: [Vec<Vec<u8>>; 5],
}

impl Decoder {
    pub(crate) fn new() -> Decoder {
        Decoder { reader: new_reader() }
    }

    /// Opens a group whose seal holds. An error says what is impossible in it: only a faulty or hostile writer
    /// makes such a one.
    pub(crate) fn decode(
        &mut self,
        segment: SegmentName,
        offset: u64,
        seal: &Seal,
        group: &[u8],
    ) -> Result<Chunk, &'static str> {
        let chunk = records(group).find(|(opcode, _)| *opcode == op::CHUNK).ok_or("no chunk")?.1;
        let Messages { at, by_channel } = self.messages(chunk).inspect_err(|_| self.reader = new_reader())?;
        let [genesis, head, events, witness, pose] = by_channel;
        let (witness, pose) = (at_most_one(witness)?, at_most_one(pose)?);
        let content = match seal.kind {
            GroupKind::Start => {
                let source = identity(group).ok_or("no metadata")?.source;
                let genesis = at_most_one(genesis)?.ok_or("no genesis")?;
                Content::Start { genesis, head: at_most_one(head)?.ok_or("no head")?, source }
            }
            GroupKind::Cycle => {
                let cycle = seal.cycle.ok_or("a cycle without its number")?;
                Content::Cycle { cycle, events, witness, pose }
            }
            GroupKind::Entry => Content::Entry { events, witness },
        };
        Ok(Chunk { segment, offset, at, content })
    }

    /// Decompresses a chunk (its whole record) and sorts its messages.
    fn messages(&mut self, chunk: &[u8]) -> Result<Messages, &'static str> {
        let declared = Reader::new(&chunk[RECORD_HEADER_BYTES..]).skip(16).and_then(|mut r| r.u64());
        let declared = declared.filter(|&n| n <= MAX_CHUNK_BYTES as u64).ok_or("a chunk too large")?;
        self.reader.insert(chunk.len()).copy_from_slice(chunk);
        self.reader.notify_read(chunk.len());
        let mut out = Messages::default();
        let mut seen = 0u64;
        loop {
            match self.reader.next_event() {
                Some(Ok(LinearReadEvent::Record { opcode, data })) => {
                    seen += (RECORD_HEADER_BYTES + data.len()) as u64;
                    if opcode == op::MESSAGE {
                        out.push(data).ok_or("a message that is none")?;
                    }
                }
                // It asks for the record behind the chunk.
                Some(Ok(LinearReadEvent::ReadRequest(_))) if seen == declared => return Ok(out),
                Some(Ok(LinearReadEvent::ReadRequest(_))) => return Err("a chunk that ends early"),
                Some(Err(_)) | None => return Err("a chunk that can't be decompressed"),
            }
        }
    }
}

fn new_reader() -> LinearReader {
    let options = LinearReaderOptions::default()
        .with_skip_start_magic(true)
        .with_skip_end_magic(true)
        // Off by default: one flipped bit then returns every message without an error.
        .with_prevalidate_chunk_crcs(true)
        .with_record_length_limit(MAX_CHUNK_BYTES);
    LinearReader::new_with_options(options)
}

impl Messages {
    fn push(&mut self, data: &[u8]) -> Option<()> {
        let mut r = Reader::new(data);
        let channel = Channel::from_id(r.u16()?)?;
        let _sequence = r.u32()?;
        self.at = Timestamp(r.u64()?);
        let _publish_time = r.u64()?;
        self.by_channel[channel as usize - 1].push(r.take(r.remaining())?.to_vec());
        Some(())
    }
}

fn at_most_one(mut messages: Vec<Vec<u8>>) -> Result<Option<Vec<u8>>, &'static str> {
    match messages.len() {
        0 | 1 => Ok(messages.pop()),
        _ => Err("two messages where one belongs"),
    }
}

/// The records of a group: opcode, and the whole record with opcode and length.
fn records(group: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = group.strip_prefix(mcap::MAGIC).unwrap_or(group);
    std::iter::from_fn(move || {
        let mut r = Reader::new(rest);
        let opcode = r.u8()?;
        let length = usize::try_from(r.u64()?).ok()?;
        r.take(length)?;
        let (record, tail) = rest.split_at(rest.len() - r.remaining());
        rest = tail;
        Some((opcode, record))
    })
}

/// Reads the metadata record of a segment's first group.
pub(crate) fn identity(group: &[u8]) -> Option<Identity> {
    let record = records(group).find(|(opcode, _)| *opcode == op::METADATA)?.1;
    let mut r = Reader::new(&record[RECORD_HEADER_BYTES..]);
    if r.bytes(64)? != METADATA_NAME.as_bytes() {
        return None;
    }
    let map_bytes = r.bytes(4096)?;
    let (mut chain, mut number, mut source, mut order) = (None, None, None, 0);
    let mut map = Reader::new(map_bytes);
    while map.finished().is_none() {
        let (key, value) = (map.bytes(64)?, std::str::from_utf8(map.bytes(4096)?).ok()?);
        match key {
            b"chain" => chain = ChainId::parse(value),
            b"segment" => number = value.parse().ok(),
            b"order" => order = value.parse().ok()?,
            b"source" => {
                source =
                    [Source::Live, Source::Replay, Source::Simulated].into_iter().find(|s| s.name() == value);
            }
            _ => {}
        }
    }
    Some(Identity { segment: SegmentName { chain: chain?, number: number? }, source: source?, order })
}

/// A reader that has gone on by `n` bytes.
trait Skip: Sized {
    fn skip(self, n: usize) -> Option<Self>;
}

impl Skip for Reader<'_> {
    fn skip(mut self, n: usize) -> Option<Self> {
        self.take(n)?;
        Some(self)
    }
}
