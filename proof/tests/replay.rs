//! Guards that a recording is a replay: every cycle of a journal computes again to the same bits, over restarts with
//! carried baselines, from the first boot that is still there, and in `proof-runner`'s exit codes. What this build
//! can't compute is said to be so and verified as what it was; a genesis that was tampered with is refused. (What the
//! hub's own pipeline writes is replayed in `crates/hub/tests`.)

mod common;

use common::*;
use std::path::Path;
use std::process::Command as Process;
use wavewitness_engine::{Engine, NUMERICS_VERSION, ReplayError, Replayer};
use wavewitness_journal::{ChainId, Content, Journal};
use wavewitness_proof::report::Kind;
use wavewitness_types::{
    BootRecord, CalibrationState, Canonical, CycleIndex, Event, PoseFrame, Source, Timestamp,
};
use wavewitness_witness::{Chain, Genesis};

#[test]
fn every_cycle_of_a_journal_computes_again_to_the_same_bits() {
    let dir = scratch();
    record(dir.path(), &scene(3), 1, 16);
    let report = replayed(dir.path());
    assert!(report.is_clean(), "{}", findings(&report));
    assert_eq!((report.cycles(), report.replayed_cycles()), (60, 60));
    let chain = &report.chains[0];
    assert_eq!((chain.boots, chain.stops, chain.segments), (1, 1, 4));
    assert_eq!((chain.sources.simulated, chain.missed_cycles), (60, 0));
    assert_eq!(chain.notes, [] as [&str; 0]);
}

/// Where a second boot's cycles begin.
const RESUMED: u64 = 140;

/// A second boot on the same chain: `unclean` leaves out the stop before it.
fn record_two_boots(path: &Path, unclean: bool) -> Genesis {
    let scene = scene(3);
    let config = config(&scene);
    let genesis = genesis(&scene, &config);
    let cycles = cycles(&scene, 9);
    let mut recorder = Recorder::new(path, &genesis, &config, 25);
    recorder.boot(scene.start, BootRecord::default());
    for (k, events) in cycles.iter().enumerate() {
        recorder.cycle(&with_calibration(k, events));
    }
    let mut end = recorder.engine.report().witness;
    let baselines = recorder.engine.export_baselines();
    assert!(!baselines.is_empty());
    if !unclean {
        end = recorder.stop(scene.start.plus_nanos(cycles.len() as u64 * CYCLE_NS));
    }
    recorder.close();
    // As the hub: a new engine on the chain, a new segment with the chain's head.
    let engine = Engine::new(&config, Source::Simulated, Chain::after(&end)).unwrap();
    let at = scene.start.plus_nanos(RESUMED * CYCLE_NS);
    let head = end.to_canonical_bytes();
    let writer = begin(path, &genesis, &head, at, 25);
    let mut recorder = Recorder { engine, writer, last: head };
    recorder.boot(
        at,
        BootRecord {
            boot_id: 2,
            resumed_after: Some(CycleIndex(cycles.len() as u64 - 1)),
            next_cycle: CycleIndex(RESUMED),
            unclean,
            discarded_bytes: 0,
            baselines,
        },
    );
    for events in &cycles {
        recorder.cycle(&events.iter().map(|e| later(e, RESUMED)).collect::<Vec<_>>());
    }
    recorder.stop(at.plus_nanos(cycles.len() as u64 * CYCLE_NS));
    recorder.close();
    genesis
}

/// An event as many cycles later.
fn later(event: &Event, cycles: u64) -> Event {
    let shift = |at: Timestamp| at.plus_nanos(cycles * CYCLE_NS);
    match event.clone() {
        Event::Datagram { at, from, bytes } => Event::Datagram { at: shift(at), from, bytes },
        Event::Tick { at, cycle } => Event::Tick { at: shift(at), cycle: CycleIndex(cycle.0 + cycles) },
        other => panic!("{other:?}"),
    }
}

fn frame_of(path: &Path, cycle: u64) -> PoseFrame {
    let chunk = read(path).into_iter().find(|c| c.cycle() == Some(CycleIndex(cycle))).unwrap();
    PoseFrame::from_canonical_bytes(chunk.pose().unwrap()).unwrap()
}

#[test]
fn a_restart_in_the_middle_computes_again_with_the_baselines_that_it_carried() {
    for unclean in [false, true] {
        let dir = scratch();
        record_two_boots(dir.path(), unclean);
        let report = replayed(dir.path());
        assert!(report.is_clean(), "{}", findings(&report));
        assert_eq!((report.cycles(), report.replayed_cycles()), (120, 120));
        let chain = &report.chains[0];
        assert_eq!((chain.boots, chain.unclean_boots), (2, u64::from(unclean)));
        assert_eq!(chain.stops, 2 - u64::from(unclean));
        assert_eq!(chain.notes.iter().any(|n| n.contains("not in order")), unclean, "{:?}", chain.notes);
        // The links of the second boot are calibrated at once, which they could not be without what was carried.
        let ready = |cycle| {
            let frame = frame_of(dir.path(), cycle);
            let links = frame.links.iter();
            links.filter(|l| matches!(l.calibration, CalibrationState::Ready { .. })).count()
        };
        assert_eq!(ready(10), 0);
        assert!(ready(RESUMED + 10) > 0, "{:?}", frame_of(dir.path(), RESUMED + 10).links);
    }
}

#[test]
fn a_journal_whose_beginning_was_pruned_computes_again_from_its_next_boot() {
    let dir = scratch();
    record_two_boots(dir.path(), false);
    let first = Journal::open(dir.path()).unwrap().segments()[0].path.clone();
    std::fs::remove_file(first).unwrap();
    let report = replayed(dir.path());
    assert!(report.is_clean(), "{}", findings(&report));
    // 25 cycles were in the segment that is gone; the 35 before the second boot can't be computed without them.
    assert_eq!((report.cycles(), report.replayed_cycles()), (95, 60));
    let notes = report.chains[0].notes.join("; ");
    assert!(notes.contains("begins in the middle, after cycle 24"), "{notes}");
    assert!(notes.contains("not computed again"), "{notes}");
}

#[test]
fn a_chain_of_other_numerics_is_verified_as_what_it_was_and_not_computed() {
    let dir = scratch();
    let scene = scene(1);
    let config = config(&scene);
    let genesis = Genesis { numerics: NUMERICS_VERSION + 1, ..genesis(&scene, &config) };
    let mut recorder = Recorder::new(dir.path(), &genesis, &config, 100);
    recorder.boot(scene.start, BootRecord::default());
    for events in cycles(&scene, 3) {
        recorder.cycle(&events);
    }
    recorder.close();
    let report = verified(dir.path());
    assert!(report.is_clean() && report.cycles() == 20, "{}", findings(&report));
    assert_eq!(report.chains[0].numerics, NUMERICS_VERSION + 1);
    let report = replayed(dir.path());
    assert!(report.is_clean(), "{}", findings(&report));
    assert_eq!((report.cycles(), report.replayed_cycles()), (20, 0));
    let notes = report.chains[0].notes.join("; ");
    assert!(notes.contains(&format!("numerics version {}", NUMERICS_VERSION + 1)), "{notes}");
    let refused = Replayer::new(&genesis).err();
    let expected = ReplayError::Numerics { chain: NUMERICS_VERSION + 1, build: NUMERICS_VERSION };
    assert_eq!(refused, Some(expected));
    // A changed cycle is found all the same.
    let mut chunks = read(dir.path());
    let last = chunks.len() - 1;
    match &mut chunks[last].content {
        Content::Cycle { pose: Some(pose), .. } => pose[30] ^= 1,
        other => panic!("{other:?}"),
    }
    let changed = scratch();
    write(changed.path(), ChainId::from_digest(&genesis.digest().0), &chunks);
    let report = replayed(changed.path());
    assert_eq!(report.findings().next().and_then(|f| f.cycle), Some(19), "{}", findings(&report));
}

#[test]
fn a_genesis_with_another_configuration_is_refused() {
    let dir = scratch();
    let genesis = record(dir.path(), &scene(2), 4, 100);
    let id = ChainId::from_digest(&genesis.digest().0);
    let chunks = read(dir.path());
    let mut random = Random(4);
    for _ in 0..20 {
        let mut other = genesis.clone();
        let bit = random.below(8 * other.config.len());
        other.config[bit / 8] ^= 1 << (bit % 8);
        let mut changed = chunks.clone();
        if let Content::Start { genesis, .. } = &mut changed[0].content {
            *genesis = other.to_canonical_bytes();
        }
        // In place: it is not the genesis that the chain is named after.
        let tampered = scratch();
        write(tampered.path(), id, &changed);
        let report = replayed(tampered.path());
        assert_eq!(report.findings().next().map(|f| f.kind), Some(Kind::Genesis), "config bit {bit}");
        assert_eq!(report.replayed_cycles(), 0);
        // Under its own name: no entry follows from it.
        let tampered = scratch();
        write(tampered.path(), ChainId::from_digest(&other.digest().0), &changed);
        let report = replayed(tampered.path());
        let first = report.findings().next().unwrap_or_else(|| panic!("config bit {bit}: not found"));
        assert_eq!(first.kind, Kind::Chain, "config bit {bit}");
        assert_eq!(report.replayed_cycles(), 0);
    }
    // One that no build wrote can't be computed by.
    let cut = Genesis { config: genesis.config[1..].to_vec(), ..genesis };
    assert_eq!(Replayer::new(&cut).err(), Some(ReplayError::Configuration));
}

fn proof_runner(arguments: &[&str], path: &Path) -> (Option<i32>, String) {
    let out = Process::new(env!("CARGO_BIN_EXE_proof-runner")).args(arguments).arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code(), text)
}

#[test]
fn exit_codes_say_what_was_found() {
    let dir = scratch();
    record_two_boots(dir.path(), false);
    for command in [["verify", "--json"], ["replay", "--json"]] {
        let (code, text) = proof_runner(&command, dir.path());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &value["clean"], &value["complete"]), (Some(0), &true.into(), &true.into()));
    }
    let (code, text) = proof_runner(&["replay"], dir.path());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("VERIFIED AND REPLAYED: all 120 cycles agree bit for bit"), "{text}");
    let paths =
        Journal::open(dir.path()).unwrap().segments().iter().map(|s| s.path.clone()).collect::<Vec<_>>();
    // In part: the beginning is gone.
    let first = std::fs::read(&paths[0]).unwrap();
    std::fs::remove_file(&paths[0]).unwrap();
    assert_eq!(proof_runner(&["verify"], dir.path()).0, Some(0));
    let (code, text) = proof_runner(&["replay"], dir.path());
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("60 of 95 cycles computed again"), "{text}");
    // A fault.
    let mut damaged = first.clone();
    damaged[first.len() / 2] ^= 8;
    std::fs::write(&paths[0], damaged).unwrap();
    for command in ["verify", "replay"] {
        let (code, text) = proof_runner(&[command], dir.path());
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("NOT VERIFIED: 1 faults"), "{text}");
    }
    // No journal.
    let empty = scratch();
    let (code, text) = proof_runner(&["verify"], empty.path());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("no journal segment"), "{text}");
}
