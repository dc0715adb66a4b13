//! An engine in steady state, cycle after cycle.

use crate::clock::Stopwatch;
use crate::recording::{CALIBRATE_AT, Cycle, Recording};
use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;
use wavewitness_engine::Engine;
use wavewitness_types::{BootRecord, Command, Timestamp};
use wavewitness_witness::{Chain, Stage};

/// An engine that goes through a window of a recording again and again. At the window's end it boots at some cycles
/// before the window with the baselines that it had at the window's start, and runs up to it.
pub struct Steady {
    engine: Engine,
    recording: Recording,
    window: Range<usize>,
    settle: usize,
    baselines: Vec<u8>,
    next: usize,
}

impl Steady {
    /// Runs a recording up to the window. `settle` cycles before it find links and tracks again after a rewind.
    ///
    /// # Panics
    /// If the configuration is refused, or the recording has no such cycles.
    pub fn new(recording: Recording, window: Range<usize>, settle: usize) -> Steady {
        assert!(settle <= window.start && !window.is_empty() && window.end <= recording.cycles.len());
        let mut engine = engine(&recording);
        for k in 0..window.start {
            feed(&mut engine, &recording, k);
            engine.tick(recording.cycles[k].at, recording.cycles[k].index);
        }
        let baselines = engine.export_baselines();
        let next = window.start;
        Steady { engine, recording, window, settle, baselines, next }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Cycles until the engine has to be rewound.
    pub fn left(&self) -> usize {
        self.window.end - self.next
    }

    /// Boots before the window and runs up to it.
    pub fn rewind(&mut self) {
        let first = self.window.start - self.settle;
        let cycle = &self.recording.cycles[first];
        let record = BootRecord {
            boot_id: 1,
            resumed_after: None,
            next_cycle: cycle.index,
            unclean: false,
            discarded_bytes: 0,
            baselines: self.baselines.clone(),
        };
        self.engine.boot(Timestamp(cycle.at.0 - 50_000_000), &record);
        for k in first..self.window.start {
            feed(&mut self.engine, &self.recording, k);
            self.engine.tick(self.recording.cycles[k].at, self.recording.cycles[k].index);
        }
        self.next = self.window.start;
    }

    /// One cycle: its datagrams and its tick.
    ///
    /// # Panics
    /// At the window's end.
    pub fn step(&mut self) {
        self.step_observed(|_| {});
    }

    /// As [`Steady::step`], with the engine's callback after each stage.
    ///
    /// # Panics
    /// At the window's end.
    pub fn step_observed(&mut self, observe: impl FnMut(Stage)) {
        assert!(self.left() > 0, "rewind first");
        let cycle = &self.recording.cycles[self.next];
        for datagram in &cycle.datagrams {
            self.engine.datagram(datagram.at, datagram.from, &datagram.bytes);
        }
        black_box(self.engine.tick_observed(cycle.at, cycle.index, observe));
        self.next += 1;
    }

    /// Time of `count` cycles, without rewinding.
    pub fn time(&mut self, count: u64) -> Duration {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            if self.left() == 0 {
                self.rewind();
            }
            let watch = Stopwatch::start();
            self.step();
            total += watch.elapsed();
        }
        total
    }
}

/// A booted engine for a recording.
///
/// # Panics
/// If the configuration is refused.
pub fn engine(recording: &Recording) -> Engine {
    let chain = Chain::new(&recording.genesis());
    let mut engine =
        Engine::new(&recording.config, recording.source, chain).unwrap_or_else(|e| panic!("{e}"));
    engine.boot(recording.start, &BootRecord::default());
    engine
}

/// Gives an engine the datagrams and commands of a cycle.
pub fn feed(engine: &mut Engine, recording: &Recording, k: usize) {
    let Cycle { at, datagrams, .. } = &recording.cycles[k];
    for datagram in datagrams {
        engine.datagram(datagram.at, datagram.from, &datagram.bytes);
    }
    if recording.calibrate && k == CALIBRATE_AT {
        engine.command(*at, Command::StartCalibration);
    }
}
