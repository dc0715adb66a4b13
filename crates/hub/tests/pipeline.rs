//! Guards the way from an event to the journal as the daemon goes it, in simulated time: what the pipeline writes
//! computes again to the same bits, over a restart with carried baselines, and a changed configuration begins a chain
//! that names the one before.

mod common;

use common::written::{config, ready, run};
use common::{Site, scene};
use wavewitness_fixtures::Scene;
use wavewitness_types::{CycleIndex, Event, Timestamp};

#[test]
fn what_the_pipeline_writes_computes_again_over_restarts_and_changes() {
    let site = Site::new("");
    let data_dir = site.dir.path().join("data");
    let mut scene = scene(4);
    let mut config = config(&scene);
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

#[test]
fn a_clock_that_goes_back_forks_no_chain() {
    let site = Site::new("");
    let data_dir = site.dir.path().join("data");
    let mut scene = scene(4);
    let mut config = config(&scene);
    let start = scene.start;
    // Another configuration at each start, and the clock stands, goes back, goes on.
    for (boot, (hours, observations)) in
        [(0, 40), (0, 50), (0, 40), (-2, 50), (1, 40), (-1, 40)].iter().enumerate()
    {
        scene.start = Timestamp((start.0 as i64 + hours * 3_600_000_000_000) as u64);
        config.engine.calibration.observations = *observations;
        run(&config, &data_dir, &scene, boot as u64);
    }
    let report = site.sound();
    assert_eq!(report.chains.len(), 5, "the last start goes on with the chain before it");
    for pair in report.chains.windows(2) {
        assert_eq!(pair[1].predecessor.as_ref().map(|p| &p[..16]), Some(&pair[0].chain[..]));
    }
    assert_eq!(report.chains[4].boots, 2);
}
