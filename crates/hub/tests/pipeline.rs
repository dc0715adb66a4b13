//! Guards the way from an event to the journal as the daemon goes it, in simulated time: what the pipeline writes
//! computes again to the same bits, over a restart with carried baselines, and a changed configuration begins a chain
//! that names the one before.

mod common;

use common::{Site, scene};
use std::path::Path;
use wavewitness_fixtures::{Scene, Simulation};
use wavewitness_hub::boot;
use wavewitness_hub::clock::Clock;
use wavewitness_hub::config::HubConfig;
use wavewitness_hub::cycle::{Datagram, Pipeline};
use wavewitness_hub::status::Status;
use wavewitness_hub::store::{Sinks, Store};
use wavewitness_hub::witness_log::Signing;
use wavewitness_types::{CalibrationState, Command, CycleIndex, Event, PoseFrame, Source, Timestamp};

const CYCLE_NS: u64 = 50_000_000;

/// What of a run is looked at.
struct Run {
    notes: String,
    last: PoseFrame,
    /// Links with a baseline after the second cycle in which they were heard.
    ready_early: usize,
}

fn ready(frame: &PoseFrame) -> usize {
    frame.links.iter().filter(|l| matches!(l.calibration, CalibrationState::Ready { .. })).count()
}

/// A scene through boot, cycles (a calibration is begun in the tenth) and stop.
fn run(config: &HubConfig, data_dir: &Path, scene: &Scene, boot_id: u64) -> Run {
    let opened = boot::open(config, data_dir, config.source, scene.start, boot_id).unwrap();
    let status = Status::new(opened.genesis.digest(), config.source, scene.start);
    let store = Store::start(Sinks {
        journal: Some(opened.writer),
        log: opened
            .log
            .map(|(live, publisher)| (live.clone(), Signing::new(publisher, live, status.clone(), None))),
        clock: Clock::start(),
        baselines: Some(opened.baselines),
        messages: None,
        status: status.clone(),
        genesis: opened.genesis.digest(),
    })
    .unwrap();
    let mut pipeline = Pipeline::new(opened.engine, store.sender.clone(), status);
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
    }
    pipeline.stop(scene.start.plus_nanos(scene.duration_ns)).unwrap();
    drop(pipeline);
    store.finish().unwrap();
    let early = frames.iter().filter(|f| f.links.len() == 12).nth(1).unwrap();
    Run { notes: opened.notes.join("; "), ready_early: ready(early), last: frames.pop().unwrap() }
}

#[test]
fn what_the_pipeline_writes_computes_again_over_restarts_and_changes() {
    let site = Site::new("");
    let data_dir = site.dir.path().join("data");
    let mut scene = scene(4);
    let mut config = HubConfig { source: Source::Simulated, ..HubConfig::default() };
    config.engine.geometry = scene.geometry();
    config.engine.cycle = scene.cycle_plan();
    config.engine.calibration.observations = 40;
    config.engine.calibration.least_observations = 40;
    let hour = |scene: &Scene| Timestamp(scene.start.0 + 3_600_000_000_000);

    let first = run(&config, &data_dir, &scene, 1);
    assert!(first.notes.contains("begins"), "{}", first.notes);
    assert_eq!(first.ready_early, 0);
    assert!(ready(&first.last) > 0, "{:?}", first.last.links);
    let report = site.sound();
    assert_eq!((report.cycles(), report.chains[0].missed_cycles), (80, 0));

    // An hour later: the same chain, and the baselines from its first cycles on.
    scene.start = hour(&scene);
    let second = run(&config, &data_dir, &scene, 2);
    assert!(second.notes.contains("goes on from"), "{}", second.notes);
    assert!(second.ready_early > 0, "the baselines were not carried over");
    assert_eq!(second.last.cycle, CycleIndex(72_000 + 79), "cycle numbers go by the clock");
    let report = site.sound();
    let [chain] = &report.chains[..] else { panic!("{report:?}") };
    assert_eq!((chain.boots, chain.unclean_boots, chain.cycles), (2, 0, 160));

    // A changed configuration: another chain, which says after which.
    scene.start = hour(&scene);
    config.engine.calibration.observations = 50;
    let third = run(&config, &data_dir, &scene, 3);
    assert!(third.notes.contains("configuration, source or numerics changed"), "{}", third.notes);
    let report = site.sound();
    let [old, new] = &report.chains[..] else { panic!("{report:?}") };
    assert_eq!(new.predecessor.as_ref().map(|p| &p[..16]), Some(&old.chain[..]));
    assert_eq!((new.boots, new.cycles, old.cycles), (1, 80, 160));
    let boots = site.events().into_iter().filter(|e| matches!(e, Event::Boot { .. })).count();
    assert_eq!(boots, 3);
}
