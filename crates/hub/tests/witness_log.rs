//! Guards the log beside the journal: what is told live is what the journal tells, a log begun late covers the whole
//! journal, a lost log tail is told again, a changed configuration is told, and what is too old goes from both.

mod common;

use common::scene;
use common::written::{CYCLE_NS, config, run};
use std::fs;
use std::path::Path;
use wavewitness_hub::boot;
use wavewitness_hub::config::HubConfig;
use wavewitness_hub::retention::Retention;
use wavewitness_hub::status::Status;
use wavewitness_hub::store::StoreError;
use wavewitness_hub::witness_log::{self, LogConfig, OpenLog, Signing};
use wavewitness_journal::Journal;
use wavewitness_ledger::Options;
use wavewitness_log::{CalibrationStep, Entry, Fault, GapReason, Watch};
use wavewitness_proof::log::{Trust, fsck};
use wavewitness_proof::verify;
use wavewitness_types::Timestamp;
use wavewitness_witness::Digest;

#[derive(Default)]
struct Entries {
    entries: Vec<Entry>,
    faults: Vec<String>,
}

impl Watch for Entries {
    fn entry(&mut self, _: u64, entry: &Entry, _: bool) {
        self.entries.push(entry.clone());
    }
    fn fault(&mut self, fault: Fault) {
        self.faults.push(fault.to_string());
    }
}

/// The log of a data directory, without the certificates: they differ at each start.
fn entries(dir: &Path) -> Vec<Entry> {
    let root = witness_log::show_key(&dir.join("root.key")).unwrap();
    let mut found = Entries::default();
    witness_log::reader(&dir.join("data"), root).unwrap().fsck(None, &mut found).unwrap();
    assert_eq!(found.faults, [""; 0]);
    found.entries.retain(|e| !matches!(e, Entry::Epoch { .. }));
    found.entries
}

/// What the journal alone can tell: that a calibration came to its end is the engine's to say.
fn told_by_journal(entries: Vec<Entry>) -> Vec<Entry> {
    let completed = |e: &Entry| matches!(e, Entry::Calibration { step: CalibrationStep::Completed, .. });
    let mut entries: Vec<_> = entries.into_iter().filter(|e| !completed(e)).collect();
    for entry in &mut entries {
        if let Entry::Calibration { baselines, .. } = entry {
            *baselines = [0; 32];
        }
    }
    entries
}

fn with_key(mut config: HubConfig, dir: &Path) -> HubConfig {
    let key = dir.join("root.key");
    if !key.exists() {
        witness_log::new_key(&key, "example.org/hub").unwrap();
    }
    config.log = LogConfig { key_file: Some(key), options: Options::default() };
    config
}

/// Opens the log as a start does, and signs what the journal tells. Gives the notes of the opening.
fn tell(config: &HubConfig, data: &Path, now: Timestamp) -> String {
    let log = witness_log::open(&config.log, data, &boot::journal_dir(data), now).unwrap().unwrap();
    let OpenLog { mut publisher, notes, .. } = log;
    let taken = publisher.take(now).unwrap();
    publisher.publish(taken).unwrap();
    notes.join("; ")
}

#[test]
fn what_is_told_live_is_what_the_journal_tells() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut scene = scene(4);
    let mut config = with_key(config(&scene), dir.path());
    run(&config, &data, &scene, 1);
    scene.start = scene.start.plus_nanos(3_600_000_000_000);
    run(&config, &data, &scene, 2);
    config.engine.calibration.observations = 50;
    scene.start = scene.start.plus_nanos(3_600_000_000_000);
    run(&config, &data, &scene, 3);

    let live = entries(dir.path());
    let count = |wanted: fn(&Entry) -> bool| live.iter().filter(|e| wanted(e)).count();
    assert_eq!(count(|e| matches!(e, Entry::Genesis { .. })), 2);
    assert_eq!(count(|e| matches!(e, Entry::Genesis { predecessor: Some(_), .. })), 1);
    assert_eq!(count(|e| matches!(e, Entry::Boot { .. })), 3);
    assert_eq!(count(|e| matches!(e, Entry::Cycle { .. })), 240);
    assert_eq!(count(|e| matches!(e, Entry::Stop { .. })), 3);
    assert_eq!(count(|e| matches!(e, Entry::Gap { reason: GapReason::Down, .. })), 1);
    let step =
        |step| live.iter().filter(|e| matches!(e, Entry::Calibration { step: s, .. } if *s == step)).count();
    assert_eq!(step(CalibrationStep::Started), 3);
    assert!(step(CalibrationStep::Completed) >= 1, "{}", step(CalibrationStep::Completed));
    assert_eq!(step(CalibrationStep::Resumed), 2);

    // The log is lost as a whole: a new one tells the same.
    fs::remove_dir_all(data.join("log")).unwrap();
    assert!(tell(&config, &data, scene.start).contains("were told to the log from the journal"));
    assert_eq!(told_by_journal(entries(dir.path())), told_by_journal(live.clone()));

    // It is there up to some checkpoint, for instance in the middle of the second run.
    fs::remove_dir_all(data.join("log")).unwrap();
    let all = data.join("journal");
    let hidden = dir.path().join("hidden");
    fs::create_dir(&hidden).unwrap();
    let segments = Journal::open(&all).unwrap().segments().to_vec();
    assert_eq!(segments.len(), 3);
    for segment in &segments[2..] {
        fs::rename(&segment.path, hidden.join(segment.path.file_name().unwrap())).unwrap();
    }
    tell(&config, &data, scene.start);
    let before = entries(dir.path()).len();
    for segment in &segments[2..] {
        fs::rename(hidden.join(segment.path.file_name().unwrap()), &segment.path).unwrap();
    }
    tell(&config, &data, scene.start);
    let after = entries(dir.path());
    assert!(after.len() > before + 80);
    assert_eq!(told_by_journal(after), told_by_journal(live));
    // And telling again tells nothing.
    assert!(!tell(&config, &data, scene.start).contains("told"));
}

#[test]
fn a_journal_that_lost_what_the_log_signed_is_not_told_around() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut scene = scene(4);
    let config = with_key(config(&scene), dir.path());
    run(&config, &data, &scene, 1);
    // A restored backup: the journal of another moment.
    let backup = dir.path().join("backup");
    fs::rename(data.join("journal"), &backup).unwrap();
    scene.start = scene.start.plus_nanos(3_600_000_000_000);
    let second = run(&config, &data, &scene, 2);
    assert!(second.notes.contains("begins"), "{}", second.notes);
    fs::remove_dir_all(data.join("journal")).unwrap();
    fs::rename(&backup, data.join("journal")).unwrap();
    scene.start = scene.start.plus_nanos(3_600_000_000_000);
    let third = run(&config, &data, &scene, 3);
    assert!(third.notes.contains("what is between is lost"), "{}", third.notes);
    let entries = entries(dir.path());
    assert_eq!(entries.iter().filter(|e| matches!(e, Entry::Cycle { .. })).count(), 240);
}

#[test]
fn what_is_too_old_goes_from_journal_and_log_and_the_rest_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut scene = scene(70);
    scene.people.clear();
    let config = with_key(config(&scene), dir.path());
    for boot in 0..3u64 {
        run(&config, &data, &scene, boot);
        scene.start = scene.start.plus_nanos(86_400_000_000_000);
    }
    let journal = boot::journal_dir(&data);
    let segments = Journal::open(&journal).unwrap().segments().len();
    assert_eq!(segments, 6, "each run has more cycles than a segment");
    let log = witness_log::open(&config.log, &data, &journal, scene.start).unwrap().unwrap();
    let status = Status::new(Digest::ZERO, config.source, scene.start);
    let mut signing = Signing::new(log.publisher, log.live.clone(), status, None);
    // The last run ended a day less 70 s ago, the first two more than a day.
    let now = scene.start;
    let kept = Retention { days: 1, ..Retention::default() };
    let sync = || Ok::<(), StoreError>(());
    assert_eq!(kept.apply(&journal, Some(&mut signing), now, sync).unwrap(), 3);
    assert_eq!(kept.apply(&journal, Some(&mut signing), now, sync).unwrap(), 0);
    let old = scene.start.0 - 86_400_000_000_000;
    let report = verify::verify(&journal, &mut |_, _| ()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings().collect::<Vec<_>>());
    let entries = entries(dir.path());
    let cycles: Vec<_> = entries.iter().filter(|e| matches!(e, Entry::Cycle { .. })).collect();
    let per_run = (70_000_000_000 / CYCLE_NS) as usize;
    assert!((per_run..per_run + 512).contains(&cycles.len()), "{}", cycles.len());
    assert!(cycles.iter().filter(|e| e.at().unwrap().0 >= old).count() == per_run);
    assert_eq!(
        entries.iter().filter(|e| matches!(e, Entry::Boot { .. })).count(),
        3,
        "events outlive the cut"
    );
    let announced = entries.iter().find_map(|e| match e {
        Entry::Retention { first_cycle, .. } => Some(*first_cycle),
        _ => None,
    });
    assert!(announced.unwrap().0 > 0);
    drop(signing);
    run(&config, &data, &scene, 9);
    assert!(verify::verify(&journal, &mut |_, _| ()).unwrap().is_clean());
}

fn status_key(dir: &Path) -> String {
    witness_log::show_key(&dir.join("root.key")).unwrap().to_string()
}

#[test]
fn what_is_too_much_goes_from_journal_and_log_across_chains() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut scene = scene(4);
    scene.people.clear();
    let mut config = with_key(config(&scene), dir.path());
    // Two chains: a configuration that changes must not keep what is before it for ever.
    for boot in 0..4u64 {
        config.engine.calibration.observations = if boot < 2 { 40 } else { 50 };
        run(&config, &data, &scene, boot);
        scene.start = scene.start.plus_nanos(60_000_000_000);
    }
    let journal = boot::journal_dir(&data);
    let segments = Journal::open(&journal).unwrap().segments().to_vec();
    assert_eq!(segments.len(), 4);
    assert_eq!(Journal::open(&journal).unwrap().chains().len(), 2);
    let log = witness_log::open(&config.log, &data, &journal, scene.start).unwrap().unwrap();
    let status = Status::new(Digest::ZERO, config.source, scene.start);
    let mut signing = Signing::new(log.publisher, log.live.clone(), status, None);
    let mut apply = |bytes: u64| {
        let kept = Retention { bytes, ..Retention::default() };
        kept.apply(&journal, Some(&mut signing), scene.start, || Ok::<(), StoreError>(())).unwrap()
    };
    let all: u64 = segments.iter().map(|s| s.bytes).sum();
    assert_eq!(apply(all), 0, "as much as is allowed is not too much");
    assert_eq!(apply(all - 1), 1);
    assert_eq!(apply(segments[3].bytes + segments[2].bytes), 1, "the end of a chain goes, too");
    assert_eq!(apply(1), 1, "the newest stays whatever its size");
    let left = Journal::open(&journal).unwrap();
    assert_eq!(left.segments()[0].name, segments[3].name);
    let report = verify::verify(&journal, &mut |_, _| ()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings().collect::<Vec<_>>());
    let announced = entries(dir.path()).iter().filter(|e| matches!(e, Entry::Retention { .. })).count();
    assert_eq!(announced, 3, "each cut is announced, also of less than a bundle");
    // An auditor who holds the log against the journal finds what was announced, and no loss.
    let trust = Trust::given(&status_key(dir.path())).unwrap();
    let options = fsck::Options { journal: Some(&journal), pin: None };
    let report = fsck::fsck(&trust, &data.join("log"), &options, &mut |_, _| ()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.to_string().contains("[pruned]"), "{report}");
    drop(signing);
    run(&config, &data, &scene, 9);
    assert!(verify::verify(&journal, &mut |_, _| ()).unwrap().is_clean());
}
