//! The way from an event to journal and log as the daemon goes it, in simulated time.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use wavewitness_fixtures::{Scene, Simulation};
use wavewitness_hub::boot;
use wavewitness_hub::clock::Clock;
use wavewitness_hub::config::HubConfig;
use wavewitness_hub::cycle::{Datagram, Pipeline};
use wavewitness_hub::retention::Retention;
use wavewitness_hub::status::Status;
use wavewitness_hub::store::{Sinks, Store};
use wavewitness_hub::witness_log::Signing;
use wavewitness_hub::zones::Zones;
use wavewitness_types::{CalibrationState, Command, CycleIndex, PoseFrame, Source};

pub const CYCLE_NS: u64 = 50_000_000;

/// A configuration for a scene's room, calibrated soon.
pub fn config(scene: &Scene) -> HubConfig {
    let mut config = HubConfig { source: Source::Simulated, ..HubConfig::default() };
    config.engine.geometry = scene.geometry();
    config.engine.cycle = scene.cycle_plan();
    config.engine.calibration.observations = 40;
    config.engine.calibration.least_observations = 40;
    config
}

/// What of a run is looked at.
pub struct Run {
    pub notes: String,
    pub last: PoseFrame,
    /// Links with a baseline after the second cycle in which they were heard.
    pub ready_early: usize,
}

/// Links with a baseline.
pub fn ready(frame: &PoseFrame) -> usize {
    frame.links.iter().filter(|l| matches!(l.calibration, CalibrationState::Ready { .. })).count()
}

/// A scene through boot, cycles (a calibration is begun in the tenth) and stop.
pub fn run(config: &HubConfig, data_dir: &Path, scene: &Scene, boot_id: u64) -> Run {
    run_watched(config, data_dir, scene, boot_id, |_| {})
}

/// As [`run`]; shows what the hub knows about itself after each tenth cycle, once that is published.
pub fn run_watched(
    config: &HubConfig,
    data_dir: &Path,
    scene: &Scene,
    boot_id: u64,
    mut watch: impl FnMut(&Status),
) -> Run {
    let opened = boot::open(config, data_dir, config.source, scene.start, boot_id).unwrap();
    let status = Status::new(opened.genesis.digest(), config.source, scene.start);
    let store = Store::start(Sinks {
        journal: Some(opened.writer),
        log: opened
            .log
            .map(|(live, publisher)| (live.clone(), Signing::new(publisher, live, status.clone(), None))),
        retention: Retention::default(),
        clock: Clock::start(),
        baselines: Some(opened.baselines),
        messages: None,
        status: status.clone(),
        genesis: opened.genesis.digest(),
        privacy: config.privacy.mode,
        zones: Zones::new(&config.zones),
    })
    .unwrap();
    let mut pipeline = Pipeline::new(opened.engine, store.sender.clone(), status.clone());
    let first = opened.boot.next_cycle.0;
    pipeline.boot(scene.start, opened.boot).unwrap();
    let mut datagrams = Simulation::new(scene, boot_id).peekable();
    let mut frames = Vec::new();
    for k in 0..scene.duration_ns / CYCLE_NS {
        let end = scene.start.plus_nanos((k + 1) * CYCLE_NS);
        while let Some(d) = datagrams.next_if(|d| d.at < end) {
            pipeline.datagram(Datagram { at: d.at, from: d.from, bytes: d.bytes });
        }
        if k == 10 {
            pipeline.command(end, Command::StartCalibration);
        }
        frames.push(pipeline.tick(end, CycleIndex(first + k)).unwrap().clone());
        if k % 10 == 9 {
            super::wait("the cycle to be published", || {
                status.snapshot().cycle.is_some_and(|c| c.cycle == first + k)
            });
            watch(&status);
        }
    }
    pipeline.stop(scene.start.plus_nanos(scene.duration_ns)).unwrap();
    drop(pipeline);
    store.finish().unwrap();
    let early = frames.iter().filter(|f| f.links.len() == 12).nth(1).unwrap();
    Run { notes: opened.notes.join("; "), ready_early: ready(early), last: frames.pop().unwrap() }
}
