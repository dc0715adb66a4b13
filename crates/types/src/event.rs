//! The closed vocabulary of the engine: everything that it ever sees.

use crate::canonical::{Canonical, Reader, Sink};
use crate::ids::CycleIndex;
use crate::limits::MAX_DATAGRAM_BYTES;
use crate::units::Timestamp;

/// Where datagrams come from. Part of every message, journal and witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Source {
    /// Received from a network now.
    Live = 0,
    /// Read from a recording of something that was live once.
    Replay = 1,
    /// Made by a simulator, or by anything fed by one.
    Simulated = 2,
}

impl Source {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Source::Live => "live",
            Source::Replay => "replay",
            Source::Simulated => "simulated",
        }
    }

    /// The source of a canonical code.
    pub fn from_code(code: u8) -> Option<Source> {
        [Source::Live, Source::Replay, Source::Simulated].into_iter().find(|s| *s as u8 == code)
    }
}

/// Who sent a datagram: IPv6 address (IPv4 mapped) and port; all zero where the recording lost it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sender {
    /// Address, IPv4 as `::ffff:a.b.c.d`.
    pub ip: [u8; 16],
    /// UDP port.
    pub port: u16,
}

/// What an operator asks of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Collect an empty-room baseline on every link; the operator says that the room is empty.
    StartCalibration,
    /// Stop collecting; what was ready stays ready.
    CancelCalibration,
    /// Forget every baseline.
    ClearCalibration,
}

/// A (re)start of the hub on an existing chain. The engine's state begins empty but for what is carried here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootRecord {
    /// A number that differs at each start, from the shell.
    pub boot_id: u64,
    /// The last cycle of the chain that the journal still holds; `None` at a chain's first boot.
    pub resumed_after: Option<CycleIndex>,
    /// The first cycle that this boot may use: later than any that may have been published and lost.
    pub next_cycle: CycleIndex,
    /// True if the chain before was not ended by an orderly stop.
    pub unclean: bool,
    /// Bytes at the end of the journal that could not be read and were set aside.
    pub discarded_bytes: u64,
    /// Baselines carried over, as the engine exported them; empty if there were none.
    pub baselines: Vec<u8>,
}

/// Everything that the engine ever sees. The journal holds exactly these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A datagram arrived.
    Datagram {
        /// Host time of arrival.
        at: Timestamp,
        /// Who sent it.
        from: Sender,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// The cycle ends: compute.
    Tick {
        /// Host time of the cycle's end.
        at: Timestamp,
        /// The cycle.
        cycle: CycleIndex,
    },
    /// An operator asks.
    Command {
        /// When.
        at: Timestamp,
        /// What.
        command: Command,
    },
    /// The hub (re)started on this chain.
    Boot {
        /// When.
        at: Timestamp,
        /// How.
        record: BootRecord,
    },
    /// The hub stopped in order.
    Stop {
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// First of the canonical bytes of a datagram's event.
    pub const DATAGRAM_KIND: u8 = 0;

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Event::Datagram { at, .. }
            | Event::Tick { at, .. }
            | Event::Command { at, .. }
            | Event::Boot { at, .. }
            | Event::Stop { at } => *at,
        }
    }

    /// Reads canonical bytes; `None` if they are not exactly one event.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Option<Event> {
        let mut r = Reader::new(bytes);
        let kind = r.u8()?;
        let at = Timestamp(r.u64()?);
        let event = match kind {
            0 => {
                let from = Sender { ip: r.array()?, port: r.u16()? };
                Event::Datagram { at, from, bytes: r.bytes(MAX_DATAGRAM_BYTES)?.to_vec() }
            }
            1 => Event::Tick { at, cycle: CycleIndex(r.u64()?) },
            2 => Event::Command {
                at,
                command: match r.u8()? {
                    0 => Command::StartCalibration,
                    1 => Command::CancelCalibration,
                    2 => Command::ClearCalibration,
                    _ => return None,
                },
            },
            3 => Event::Boot { at, record: BootRecord::read(&mut r)? },
            4 => Event::Stop { at },
            _ => return None,
        };
        r.finished()?;
        Some(event)
    }
}

impl BootRecord {
    /// Longest baseline export that is carried.
    pub const MAX_BASELINE_BYTES: usize = 4 << 20;

    fn read(r: &mut Reader<'_>) -> Option<BootRecord> {
        Some(BootRecord {
            boot_id: r.u64()?,
            resumed_after: r.option(Reader::u64)?.map(CycleIndex),
            next_cycle: CycleIndex(r.u64()?),
            unclean: r.bool()?,
            discarded_bytes: r.u64()?,
            baselines: r.bytes(BootRecord::MAX_BASELINE_BYTES)?.to_vec(),
        })
    }
}

impl Canonical for Source {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(*self as u8);
    }
}

impl Canonical for Sender {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { ip, port } = self;
        out.put(ip);
        out.u16(*port);
    }
}

impl Canonical for Command {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(match self {
            Command::StartCalibration => 0,
            Command::CancelCalibration => 1,
            Command::ClearCalibration => 2,
        });
    }
}

impl Canonical for BootRecord {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { boot_id, resumed_after, next_cycle, unclean, discarded_bytes, baselines } = self;
        out.u64(*boot_id);
        out.option(resumed_after.as_ref(), |s, v| v.canonical(s));
        next_cycle.canonical(out);
        out.bool(*unclean);
        out.u64(*discarded_bytes);
        out.bytes(baselines);
    }
}

impl Canonical for Event {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Event::Datagram { at, from, bytes } => {
                out.u8(Event::DATAGRAM_KIND);
                at.canonical(out);
                from.canonical(out);
                out.bytes(bytes);
            }
            Event::Tick { at, cycle } => {
                out.u8(1);
                at.canonical(out);
                cycle.canonical(out);
            }
            Event::Command { at, command } => {
                out.u8(2);
                at.canonical(out);
                command.canonical(out);
            }
            Event::Boot { at, record } => {
                out.u8(3);
                at.canonical(out);
                record.canonical(out);
            }
            Event::Stop { at } => {
                out.u8(4);
                at.canonical(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_round_trip_and_trailing_bytes_are_refused() {
        let at = Timestamp(42);
        let events = [
            Event::Datagram { at, from: Sender { ip: [7; 16], port: 5005 }, bytes: vec![1, 2, 3] },
            Event::Tick { at, cycle: CycleIndex(9) },
            Event::Command { at, command: Command::ClearCalibration },
            Event::Boot {
                at,
                record: BootRecord {
                    boot_id: 1,
                    resumed_after: Some(CycleIndex(4)),
                    next_cycle: CycleIndex(60),
                    unclean: true,
                    discarded_bytes: 17,
                    baselines: vec![9; 40],
                },
            },
            Event::Stop { at },
        ];
        for event in events {
            let mut bytes = event.to_canonical_bytes();
            assert_eq!(Event::from_canonical_bytes(&bytes), Some(event));
            bytes.push(0);
            assert_eq!(Event::from_canonical_bytes(&bytes), None);
        }
    }
}
