//! Digest of a cycle's inputs in canonical order: what arrived and when, never in which order it was read.

use crate::context;
use crate::digest::{Digest, Digester};
use core::cmp::Ordering;
use wavewitness_types::{Canonical, Command, CycleIndex, Event, Sender, Sink, Timestamp};

/// Canonical order of two datagrams: by time, then sender, then bytes. Equal ones are interchangeable.
pub fn canonical_order(a: (Timestamp, Sender, &[u8]), b: (Timestamp, Sender, &[u8])) -> Ordering {
    a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)).then_with(|| a.2.cmp(b.2))
}

/// Hashes a cycle's inputs: commands in order, then datagrams in [`canonical_order`], then the tick.
#[derive(Clone)]
pub struct InputHasher(Digester);

impl Default for InputHasher {
    fn default() -> InputHasher {
        InputHasher(Digester::new(context::INPUTS))
    }
}

impl InputHasher {
    /// An operator's command.
    pub fn command(&mut self, at: Timestamp, command: Command) {
        self.0.u8(2);
        at.canonical(&mut self.0);
        command.canonical(&mut self.0);
    }

    /// A datagram: the caller gives them in canonical order.
    pub fn datagram(&mut self, at: Timestamp, from: Sender, bytes: &[u8]) {
        self.0.u8(0);
        at.canonical(&mut self.0);
        from.canonical(&mut self.0);
        self.0.bytes(bytes);
    }

    /// The tick that ends the cycle.
    pub fn tick(&mut self, at: Timestamp, cycle: CycleIndex) -> Digest {
        self.0.u8(1);
        at.canonical(&mut self.0);
        cycle.canonical(&mut self.0);
        self.0.finish()
    }

    /// A boot or stop event, which is an entry of its own.
    pub fn entry(&mut self, event: &Event) -> Digest {
        event.canonical(&mut self.0);
        self.0.finish()
    }
}

/// Digest of the inputs of one entry from its journalled events, in whatever order they were stored. `None` if they
/// are not what one entry may hold: exactly one boot or stop alone, or datagrams and commands with exactly one tick.
pub fn event_inputs(events: &[Event]) -> Option<Digest> {
    let mut hasher = InputHasher::default();
    if let [only @ (Event::Boot { .. } | Event::Stop { .. })] = events {
        return Some(hasher.entry(only));
    }
    let mut datagrams = Vec::with_capacity(events.len());
    let mut commands = Vec::new();
    let mut tick = None;
    for event in events {
        match event {
            Event::Datagram { at, from, bytes } => datagrams.push((*at, *from, bytes.as_slice())),
            Event::Command { at, command } => commands.push((*at, *command)),
            Event::Tick { at, cycle } if tick.is_none() => tick = Some((*at, *cycle)),
            Event::Tick { .. } | Event::Boot { .. } | Event::Stop { .. } => return None,
        }
    }
    let (at, cycle) = tick?;
    commands.sort_by_key(|(at, command)| (*at, command.to_canonical_bytes()));
    datagrams.sort_unstable_by(|a, b| canonical_order(*a, *b));
    commands.into_iter().for_each(|(at, command)| hasher.command(at, command));
    datagrams.into_iter().for_each(|(at, from, bytes)| hasher.datagram(at, from, bytes));
    Some(hasher.tick(at, cycle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(at: u64, port: u16, bytes: &[u8]) -> Event {
        Event::Datagram { at: Timestamp(at), from: Sender { ip: [0; 16], port }, bytes: bytes.to_vec() }
    }

    #[test]
    fn order_of_arrival_does_not_matter_but_content_does() {
        let tick = Event::Tick { at: Timestamp(9), cycle: CycleIndex(1) };
        let a = [datagram(5, 1, b"x"), datagram(5, 1, b"y"), datagram(4, 2, b"z"), tick.clone()];
        let mut b = a.clone();
        b.reverse();
        let digest = event_inputs(&a).unwrap();
        assert_eq!(event_inputs(&b), Some(digest));
        let changed = [
            [datagram(6, 1, b"x"), a[1].clone(), a[2].clone(), tick.clone()],
            [datagram(5, 2, b"x"), a[1].clone(), a[2].clone(), tick.clone()],
            [datagram(5, 1, b"w"), a[1].clone(), a[2].clone(), tick.clone()],
        ];
        for c in changed {
            assert_ne!(event_inputs(&c), Some(digest));
        }
        assert_ne!(event_inputs(&a[1..]), Some(digest));
    }

    #[test]
    fn an_entry_has_exactly_one_end() {
        let tick = Event::Tick { at: Timestamp(9), cycle: CycleIndex(1) };
        assert_eq!(event_inputs(&[]), None);
        assert_eq!(event_inputs(&[tick.clone(), tick.clone()]), None);
        assert_eq!(event_inputs(&[tick, Event::Stop { at: Timestamp(1) }]), None);
        assert!(event_inputs(&[Event::Stop { at: Timestamp(1) }]).is_some());
    }
}
