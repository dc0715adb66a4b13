//! The cycle thread: collects datagrams until the cycle's end, computes, hands over.

use crate::clock::{Clock, Stopwatch};
use crate::publish::{DETAIL_EVERY, Detail};
use crate::status::Status;
use crate::store::{CycleBatch, EventRecord, StoreMessage};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use wavewitness_engine::Engine;
use wavewitness_types::{BootRecord, Command, CycleIndex, Event, PoseFrame, Sender, Timestamp};

/// A received datagram.
pub struct Datagram {
    /// When it arrived.
    pub at: Timestamp,
    /// Who sent it.
    pub from: Sender,
    /// Its payload.
    pub bytes: Vec<u8>,
}

/// The journal thread has ended; its error says why.
#[derive(Debug)]
pub struct JournalGone;

/// Engine and the way to the journal: whatever the engine takes is journalled, and nothing else.
pub struct Pipeline {
    engine: Engine,
    store: SyncSender<StoreMessage>,
    status: Status,
    events: Vec<EventRecord>,
    baselines_seen: u64,
}

impl Pipeline {
    /// A pipeline around an engine.
    pub fn new(engine: Engine, store: SyncSender<StoreMessage>, status: Status) -> Pipeline {
        let baselines_seen = engine.baseline_version();
        Pipeline { engine, store, status, events: Vec::new(), baselines_seen }
    }

    fn record(&mut self, event: &Event) {
        self.events.push(EventRecord::of(event));
    }

    fn send(&mut self, message: StoreMessage) -> Result<(), JournalGone> {
        self.store.send(message).map_err(|_| JournalGone)
    }

    /// The hub (re)starts.
    ///
    /// # Errors
    /// If the journal thread has ended.
    pub fn boot(&mut self, at: Timestamp, record: BootRecord) -> Result<(), JournalGone> {
        let witness = Box::new(self.engine.boot(at, &record));
        self.baselines_seen = self.engine.baseline_version();
        let event = EventRecord::of(&Event::Boot { at, record });
        self.send(StoreMessage::Entry { event, witness })
    }

    /// The hub stops in order.
    ///
    /// # Errors
    /// If the journal thread has ended.
    pub fn stop(&mut self, at: Timestamp) -> Result<(), JournalGone> {
        let witness = Box::new(self.engine.stop(at));
        let event = EventRecord::of(&Event::Stop { at });
        self.send(StoreMessage::Entry { event, witness })
    }

    /// A datagram arrived.
    pub fn datagram(&mut self, datagram: Datagram) {
        let Datagram { at, from, bytes } = datagram;
        if self.engine.datagram(at, from, &bytes) {
            self.record(&Event::Datagram { at, from, bytes });
        } else {
            self.status.update(|s| s.overflow += 1);
        }
    }

    /// An operator asks.
    pub fn command(&mut self, at: Timestamp, command: Command) {
        if self.engine.command(at, command) {
            self.record(&Event::Command { at, command });
        }
    }

    /// The cycle ends.
    ///
    /// # Errors
    /// If the journal thread has ended.
    pub fn tick(&mut self, at: Timestamp, cycle: CycleIndex) -> Result<&PoseFrame, JournalGone> {
        let watch = Stopwatch::start();
        let (timings, mut before) = (self.status.timings(), 0);
        let report = self.engine.tick_observed(at, cycle, |stage| {
            let now = watch.nanos();
            timings.stage(stage, now - before);
            before = now;
        });
        let compute_ns = watch.nanos();
        timings.cycle(compute_ns, compute_ns - before);
        let (witness, published, frame) = (report.witness, report.published.clone(), report.frame.clone());
        let detail = cycle.0.is_multiple_of(DETAIL_EVERY).then(|| {
            Box::new(Detail {
                motion_image: self.engine.motion_image().cloned(),
                impulse_responses: self.engine.impulse_responses().copied().collect(),
            })
        });
        self.record(&Event::Tick { at, cycle });
        let events = std::mem::take(&mut self.events);
        self.send(StoreMessage::Cycle(Box::new(CycleBatch {
            events,
            witness,
            published,
            frame,
            detail,
            compute_ns,
            watch,
        })))?;
        if cycle.0.is_multiple_of(20) {
            let (rejects, world) = (self.engine.rejects(), self.engine.world().clone());
            self.status.update(|s| (s.rejects, s.world) = (rejects, Some(world)));
        }
        let version = self.engine.baseline_version();
        if version != self.baselines_seen {
            self.baselines_seen = version;
            let bytes = self.engine.export_baselines();
            self.send(StoreMessage::Baselines(bytes))?;
        }
        Ok(&self.engine.report().frame)
    }

    /// Rejected datagrams since the boot, by reason.
    pub fn rejects(&self) -> BTreeMap<&'static str, u64> {
        self.engine.rejects()
    }
}

/// Runs cycles on time until `stop`: collects what arrives, computes when the cycle's time is over. Cycles whose time
/// has passed while one was computed are missed: their numbers are left out, and they are counted.
///
/// # Errors
/// If the journal thread has ended.
pub fn run_live(
    pipeline: &mut Pipeline,
    clock: &Clock,
    first: CycleIndex,
    datagrams: &Receiver<Datagram>,
    commands: &Receiver<Command>,
    stop: &AtomicBool,
    mut heartbeat: impl FnMut(u64),
) -> Result<(), JournalGone> {
    const CYCLE_NS: u64 = 50_000_000;
    let begun = clock.now();
    let mut done = 0u64;
    let mut late: Option<Datagram> = None;
    while !stop.load(Ordering::Relaxed) {
        let end = begun.plus_nanos((done + 1) * CYCLE_NS);
        if let Some(datagram) = late.take() {
            pipeline.datagram(datagram);
        }
        loop {
            // With no time left this still takes what has arrived, until a datagram is of the next cycle.
            match datagrams.recv_timeout(clock.until(end)) {
                Ok(datagram) if datagram.at >= end => {
                    late = Some(datagram);
                    break;
                }
                Ok(datagram) => pipeline.datagram(datagram),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    std::thread::sleep(clock.until(end));
                    break;
                }
            }
        }
        while let Ok(command) = commands.try_recv() {
            pipeline.command(clock.now(), command);
        }
        pipeline.status.timings().late(clock.now().nanos_since(end));
        pipeline.tick(end, CycleIndex(first.0 + done))?;
        heartbeat(done);
        done += 1;
        let behind = clock.now().nanos_since(begun) / CYCLE_NS;
        if behind > done {
            pipeline.status.update(|s| s.missed += behind - done);
            done = behind;
        }
    }
    Ok(())
}
