//! Made-up cycles to write, and what must come back.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use wavewitness_journal::{
    ChainId, Chunk, Content, CycleRecord, EntryRecord, EventBytes, Fault, Journal, JournalDir, Options,
    Writer,
};
use wavewitness_types::{Canonical, CycleIndex, Event, Sender, Source, Timestamp};

pub const CHAIN: ChainId = ChainId(0x0123_4567_89ab_cdef);
pub const START: u64 = 1_775_182_186_000_000_000;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

/// What a cycle consists of, from its number alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    pub cycle: CycleIndex,
    pub at: Timestamp,
    pub events: Vec<Event>,
    pub witness: Vec<u8>,
    pub pose: Vec<u8>,
}

pub fn cycle(number: u64, datagram_bytes: usize) -> Cycle {
    let mut random = Random(number);
    let at = |k: u64| Timestamp(START + number * 50_000_000 + k * 4_000_000);
    let mut events: Vec<Event> = (0..3)
        .map(|k| Event::Datagram {
            at: at(k),
            from: Sender { ip: [k as u8; 16], port: 5005 },
            bytes: random.bytes(datagram_bytes),
        })
        .collect();
    events.push(Event::Tick { at: at(12), cycle: CycleIndex(number) });
    Cycle { cycle: CycleIndex(number), at: at(12), events, witness: random.bytes(80), pose: random.bytes(60) }
}

pub fn head(number: u64) -> Vec<u8> {
    format!("head before {number}").into_bytes()
}

pub const GENESIS: &[u8] = b"a genesis record";

pub fn writer(dir: JournalDir, first: u64, cycles_per_segment: u32) -> Writer {
    let options = Options { cycles_per_segment, ..Options::default() };
    let at = Timestamp(START + first * 50_000_000);
    Writer::create(dir, CHAIN, Source::Replay, GENESIS, &head(first), at, options).unwrap()
}

pub fn append(writer: &mut Writer, cycle: &Cycle) {
    let bytes: Vec<Vec<u8>> = cycle.events.iter().map(Canonical::to_canonical_bytes).collect();
    let events: Vec<EventBytes<'_>> =
        cycle.events.iter().zip(&bytes).map(|(e, b)| EventBytes { at: e.at(), bytes: b }).collect();
    let record = CycleRecord {
        cycle: cycle.cycle,
        at: cycle.at,
        events: &events,
        witness: Some(&cycle.witness),
        pose: Some(&cycle.pose),
    };
    writer.append_cycle(&record, || head(cycle.cycle.0)).unwrap();
}

pub fn append_stop(writer: &mut Writer, at: Timestamp) {
    let bytes = Event::Stop { at }.to_canonical_bytes();
    let events = [EventBytes { at, bytes: &bytes }];
    writer.append_entry(&EntryRecord { at, events: &events, witness: Some(b"stop record") }).unwrap();
}

/// Writes cycles into a directory and closes in order.
pub fn write(path: &Path, cycles: std::ops::Range<u64>, per_segment: u32) {
    let mut w = writer(JournalDir::lock(path).unwrap(), cycles.start, per_segment);
    for number in cycles {
        append(&mut w, &cycle(number, 40));
    }
    w.close().unwrap();
}

pub fn read(path: &Path) -> (Vec<Chunk>, Vec<Fault>) {
    let (mut chunks, mut faults) = (Vec::new(), Vec::new());
    for item in Journal::open(path).unwrap().records() {
        match item {
            Ok(chunk) => chunks.push(chunk),
            Err(fault) => faults.push(fault),
        }
    }
    (chunks, faults)
}

/// The cycles among chunks, in the shape that they were written from.
pub fn cycles(chunks: &[Chunk]) -> Vec<Cycle> {
    chunks
        .iter()
        .filter_map(|chunk| match &chunk.content {
            Content::Cycle { cycle, events, witness, pose } => Some(Cycle {
                cycle: *cycle,
                at: chunk.at,
                events: events.iter().map(|b| Event::from_canonical_bytes(b).unwrap()).collect(),
                witness: witness.clone().unwrap(),
                pose: pose.clone().unwrap(),
            }),
            _ => None,
        })
        .collect()
}

pub fn numbers(chunks: &[Chunk]) -> Vec<u64> {
    chunks.iter().filter_map(|c| c.cycle()).map(|c| c.0).collect()
}
