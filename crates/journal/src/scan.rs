//! From a segment's bytes to sealed groups: framing, checksums, and finding the way again after damage.

use crate::format::{MAX_GROUP_BYTES, MAX_TRAILER_BYTES, RECORD_HEADER_BYTES, Seal};
use mcap::records::op;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use wavewitness_types::CycleIndex;

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A group whose seal holds; its bytes are [`Scanner::group`].
    Group { offset: u64, seal: Seal },
    /// Bytes that can't be used; reading goes on behind them.
    Damage { offset: u64, bytes: u64, reason: &'static str, claimed: Option<CycleIndex> },
    /// The segment's data end in order.
    Trailer { offset: u64, bytes: u64, state: TrailerState },
    /// The segment ends here, `bytes` after the last group.
    End { offset: u64, bytes: u64 },
}

/// How the index behind the data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrailerState {
    Whole,
    Damaged,
    /// The file ends within it.
    Cut,
}

/// Why a group can't be read.
enum Bad {
    /// The seal's place is known, only the contents are wrong.
    Sealed { bytes: usize, reason: &'static str, claimed: Option<CycleIndex> },
    /// The framing is wrong.
    Lost(&'static str),
    /// The file ends within the group.
    Short,
}

/// A window onto a file, and the walk along it.
pub(crate) struct Scanner {
    file: File,
    buffer: Vec<u8>,
    /// Where in `buffer` the next group begins.
    start: usize,
    /// Where in the file it begins.
    offset: u64,
    /// Ordinal of the next group.
    next_ordinal: u32,
    /// Bytes of the group found last.
    group: usize,
    at_end_of_file: bool,
    done: bool,
}

impl Scanner {
    pub(crate) fn open(path: &Path) -> io::Result<Scanner> {
        let file = File::open(path)?;
        Ok(Scanner {
            file,
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            next_ordinal: 0,
            group: 0,
            at_end_of_file: false,
            done: false,
        })
    }

    /// The bytes of the group that [`Scanner::next`] found last.
    pub(crate) fn group(&self) -> &[u8] {
        &self.buffer[self.start - self.group..self.start]
    }

    /// Number of the group that must come next.
    pub(crate) fn next_ordinal(&self) -> u32 {
        self.next_ordinal
    }

    /// The next finding; `None` after the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        if self.done {
            return Ok(None);
        }
        self.release();
        let offset = self.offset;
        if self.at_trailer()? {
            self.done = true;
            let state = self.trailer_state()?;
            return Ok(Some(Found::Trailer { offset, bytes: self.rest().len() as u64, state }));
        }
        match self.parse()? {
            Ok((bytes, seal)) => {
                self.take(bytes);
                self.group = bytes;
                self.next_ordinal = seal.ordinal.saturating_add(1);
                Ok(Some(Found::Group { offset, seal }))
            }
            Err(Bad::Sealed { bytes, reason, claimed }) => {
                self.take(bytes);
                self.next_ordinal = self.next_ordinal.saturating_add(1);
                Ok(Some(Found::Damage { offset, bytes: bytes as u64, reason, claimed }))
            }
            Err(Bad::Lost(reason)) => self.resynchronise(reason).map(Some),
            Err(Bad::Short) => self.resynchronise("a length points beyond the end of the file").map(Some),
        }
    }

    /// Forgets the group before, so that the buffer stays bounded.
    fn release(&mut self) {
        self.group = 0;
        if self.start > 1 << 20 || self.start == self.buffer.len() {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }

    fn take(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// True if the file holds `bytes` from the group's start; they are then in the buffer.
    fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        const BLOCK: usize = 64 << 10;
        while self.buffer.len() - self.start < bytes && !self.at_end_of_file {
            let read = (&mut self.file).take(BLOCK as u64).read_to_end(&mut self.buffer)?;
            self.at_end_of_file = read == 0;
        }
        Ok(self.buffer.len() - self.start >= bytes)
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Opcode and content length of the record at `position`.
    fn record(&mut self, position: usize) -> io::Result<Option<(u8, u64)>> {
        if !self.fill(position + RECORD_HEADER_BYTES)? {
            return Ok(None);
        }
        let bytes = &self.rest()[position..];
        let mut length = [0; 8];
        length.copy_from_slice(&bytes[1..RECORD_HEADER_BYTES]);
        Ok(Some((bytes[0], u64::from_le_bytes(length))))
    }

    /// True at the first record behind the data, or at what the end of the file left of it.
    fn at_trailer(&mut self) -> io::Result<bool> {
        const DATA_END: [u8; RECORD_HEADER_BYTES] = [op::DATA_END, 4, 0, 0, 0, 0, 0, 0, 0];
        self.fill(DATA_END.len())?;
        let start = &self.rest()[..self.rest().len().min(DATA_END.len())];
        Ok(self.offset > 0 && !start.is_empty() && DATA_END.starts_with(start))
    }

    /// Walks the records of a group up to its seal.
    fn parse(&mut self) -> io::Result<Result<(usize, Seal), Bad>> {
        let mut position = 0;
        let mut chunks = 0;
        if self.offset == 0 {
            if !self.fill(mcap::MAGIC.len())? {
                return Ok(Err(Bad::Short));
            }
            if !self.rest().starts_with(mcap::MAGIC) {
                return Ok(Err(Bad::Lost("not an MCAP file")));
            }
            position = mcap::MAGIC.len();
        }
        loop {
            let Some((opcode, length)) = self.record(position)? else {
                return Ok(Err(Bad::Short));
            };
            match opcode {
                op::HEADER | op::METADATA if self.offset == 0 && chunks == 0 => {}
                op::CHUNK if chunks == 0 => chunks = 1,
                op::MESSAGE_INDEX if chunks == 1 => {}
                Seal::OPCODE if chunks == 1 && length == Seal::BYTES as u64 => {}
                _ => return Ok(Err(Bad::Lost("a record that can't be here"))),
            }
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let end = position.saturating_add(RECORD_HEADER_BYTES).saturating_add(length);
            if end > MAX_GROUP_BYTES {
                return Ok(Err(Bad::Lost("a record too long")));
            }
            if !self.fill(end)? {
                return Ok(Err(Bad::Short));
            }
            if opcode == Seal::OPCODE {
                return Ok(self.check(end));
            }
            position = end;
        }
    }

    /// Checks the seal that ends the group of `bytes` bytes.
    fn check(&self, bytes: usize) -> Result<(usize, Seal), Bad> {
        let group = &self.rest()[..bytes];
        let Some((seal, crc)) = Seal::decode(&group[bytes - Seal::BYTES..]) else {
            return Err(Bad::Sealed { bytes, reason: "the seal is not one", claimed: None });
        };
        if crc32fast::hash(&group[..bytes - 4]) != crc {
            return Err(Bad::Sealed { bytes, reason: "checksum", claimed: seal.cycle });
        }
        Ok((bytes, seal))
    }

    /// Finds the next seal by its magic. The group that it ends is lost; the one behind it may be read again.
    fn resynchronise(&mut self, reason: &'static str) -> io::Result<Found> {
        let offset = self.offset;
        let mut bytes = 0u64;
        loop {
            // One byte on at least: a seal's magic is never the first thing of a group.
            let window = self.fill(1 << 20).map(|_| self.rest())?;
            let hit = window.windows(Seal::MAGIC.len()).position(|w| w == Seal::MAGIC);
            let step = match hit {
                Some(at) => {
                    self.fill(at + Seal::BYTES)?;
                    let seal = self.rest().get(at..at + Seal::BYTES).and_then(Seal::decode);
                    if let Some((seal, _)) = seal.filter(|(seal, _)| self.is_near(seal)) {
                        let end = at + Seal::BYTES;
                        self.take(end);
                        self.next_ordinal = seal.ordinal.saturating_add(1);
                        let claimed = seal.cycle;
                        return Ok(Found::Damage { offset, bytes: bytes + end as u64, reason, claimed });
                    }
                    at + 1
                }
                None if self.at_end_of_file => {
                    self.done = true;
                    let bytes = bytes + self.rest().len() as u64;
                    return Ok(Found::End { offset, bytes });
                }
                None => window.len() - (Seal::MAGIC.len() - 1),
            };
            self.take(step);
            bytes += step as u64;
            self.release();
        }
    }

    /// False for what only looks like a seal.
    fn is_near(&self, seal: &Seal) -> bool {
        seal.ordinal >= self.next_ordinal && seal.ordinal - self.next_ordinal < 1 << 20
    }

    /// Checks the index behind the last group: footer, magic and checksum.
    fn trailer_state(&mut self) -> io::Result<TrailerState> {
        const FOOTER: usize = RECORD_HEADER_BYTES + 20;
        let summary = RECORD_HEADER_BYTES + 4;
        self.fill(MAX_TRAILER_BYTES)?;
        let rest = self.rest();
        let footer = rest.len().checked_sub(FOOTER + mcap::MAGIC.len()).filter(|&f| f >= summary);
        let Some(footer) = footer.filter(|_| rest.ends_with(mcap::MAGIC)) else {
            return Ok(TrailerState::Cut);
        };
        let crc_at = footer + FOOTER - 4;
        let crc = crc32fast::hash(&rest[summary..crc_at]).to_le_bytes();
        let whole = rest[footer] == op::FOOTER && rest[crc_at..crc_at + 4] == crc && self.at_end_of_file;
        Ok(if whole { TrailerState::Whole } else { TrailerState::Damaged })
    }
}

/// CRC-32 of the first `bytes` bytes of a file, as MCAP's `DataEnd` wants it.
pub(crate) fn crc_of_prefix(file: &mut File, bytes: u64) -> io::Result<u32> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = crc32fast::Hasher::new();
    let mut block = vec![0; 64 << 10];
    let mut source = file.take(bytes);
    loop {
        let read = source.read(&mut block)?;
        if read == 0 {
            return Ok(hasher.finalize());
        }
        hasher.update(&block[..read]);
    }
}
