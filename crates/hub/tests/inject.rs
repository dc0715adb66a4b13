//! Guards what is left when the hub is killed, or the disk refuses, at any single write, rename, sync or removal of
//! journal and log: it always verifies up to the last checkpoint, no checkpoint that was signed is ever contradicted,
//! and the next start brings journal and log together again.
//!
//! The injector is strace. The child is this test program again, running [`child`] alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wavewitness_hub::boot::{self, journal_dir};
use wavewitness_hub::config::HubConfig;
use wavewitness_hub::status::Status;
use wavewitness_hub::store::StoreError;
use wavewitness_hub::witness_log::{self, LogConfig, Signing};
use wavewitness_journal::{CycleRecord, EntryRecord, EventBytes, Journal};
use wavewitness_ledger::{LogDir, Narrator, Options};
use wavewitness_log::{Entry, Fault, Hash, Watch, verify_consistency};
use wavewitness_proof::verify;
use wavewitness_types::{Canonical, Command as Order, CycleIndex, Event, Source, Timestamp};
use wavewitness_witness::Witness;

const DIR: &str = "WAVEWITNESS_INJECT_DIR";
const START: Timestamp = Timestamp(1_800_000_000_000_000_000);
const CYCLE_NS: u64 = 50_000_000;

fn config(dir: &Path) -> HubConfig {
    let options = Options { epoch_entries: 30 };
    let log = LogConfig { key_file: Some(dir.join("root.key")), options };
    HubConfig { data_dir: dir.join("data"), source: Source::Simulated, log, ..HubConfig::default() }
}

/// Runs a hub's writing for `cycles` cycles in one thread: a checkpoint every ten, and at the end a cut and an orderly
/// stop. Prints each checkpoint once it is signed.
fn run(dir: &Path, cycles: u64, orderly: bool) -> Result<(), StoreError> {
    let config = config(dir);
    // Each start is a second behind the end of the one before, whatever was lost.
    let starts = std::fs::read_dir(dir).unwrap().count() as u64;
    std::fs::write(dir.join(format!("start-{starts}")), "").unwrap();
    let mut now = Timestamp(START.0 + starts * 1000 * CYCLE_NS);
    let opened = boot::open(&config, &config.data_dir, config.source, now, starts).map_err(|e| {
        let boot::OpenError::Log(e) = e else { panic!("the data directory can't be opened: {e}") };
        StoreError::Log(e)
    })?;
    let (mut engine, mut journal) = (opened.engine, opened.writer);
    let (live, publisher) = opened.log.expect("there is a key");
    let status = Status::new(opened.genesis.digest(), config.source, now);
    let mut signing = Signing::new(publisher, live.clone(), status.clone(), None);
    let first = opened.boot.next_cycle.0;
    let witness = engine.boot(now, &opened.boot);
    let bytes = Event::Boot { at: now, record: opened.boot }.to_canonical_bytes();
    let events = [EventBytes { at: now, bytes: &bytes }];
    let mut last = witness.to_canonical_bytes();
    journal.append_entry(&EntryRecord { at: now, events: &events, witness: Some(&last) })?;
    live.record(&witness, [bytes.as_slice()])?;
    for k in 0..cycles {
        now = now.plus_nanos(CYCLE_NS);
        let mut bytes = Vec::new();
        if k == 3 && engine.command(now, Order::StartCalibration) {
            bytes.push(Event::Command { at: now, command: Order::StartCalibration }.to_canonical_bytes());
        }
        let cycle = CycleIndex(first + k);
        let report = engine.tick(now, cycle);
        bytes.push(Event::Tick { at: now, cycle }.to_canonical_bytes());
        let events: Vec<_> = bytes.iter().map(|bytes| EventBytes { at: now, bytes }).collect();
        let witness = report.witness.to_canonical_bytes();
        let record = CycleRecord {
            cycle,
            at: now,
            events: &events,
            witness: Some(&witness),
            pose: Some(&report.published),
        };
        journal.append_cycle(&record, || std::mem::take(&mut last))?;
        last = witness;
        live.record(&report.witness, bytes.iter().map(Vec::as_slice))?;
        if k % 10 == 9 {
            signing.sign::<StoreError>(now, || Ok(journal.sync()?))?;
            say(&status);
        }
    }
    if !orderly {
        return Ok(());
    }
    signing.prune::<StoreError>(512, CycleIndex(0), now, || Ok(journal.sync()?))?;
    say(&status);
    let witness = engine.stop(now);
    let bytes = Event::Stop { at: now }.to_canonical_bytes();
    let events = [EventBytes { at: now, bytes: &bytes }];
    let last = witness.to_canonical_bytes();
    journal.append_entry(&EntryRecord { at: now, events: &events, witness: Some(&last) })?;
    live.record(&witness, [bytes.as_slice()])?;
    journal.close()?;
    signing.sign::<StoreError>(now, || Ok(()))?;
    say(&status);
    Ok(())
}

fn say(status: &Status) {
    let log = status.snapshot().log.expect("signed");
    let root = log.checkpoint.lines().nth(2).unwrap().to_owned();
    println!("signed {} {root}", log.size);
}

/// Not a test of its own: what the injector runs.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    if let Err(e) = run(Path::new(&dir), 40, true) {
        println!("refused: {e}");
        std::process::exit(3);
    }
}

#[derive(Default)]
struct Findings {
    faults: Vec<String>,
    /// Chain values of the entries, and how many of them are signed.
    chains: Vec<([u8; 32], bool)>,
}

impl Watch for Findings {
    fn entry(&mut self, _: u64, entry: &Entry, signed: bool) {
        self.chains.extend(Narrator::chain_of(entry).map(|chain| (chain, signed)));
    }
    fn fault(&mut self, fault: Fault) {
        if !fault.is_notice() {
            self.faults.push(fault.to_string());
        }
    }
}

/// Chain values of the journal's records.
fn journalled(dir: &Path) -> BTreeSet<[u8; 32]> {
    let Ok(journal) = Journal::open(&journal_dir(&config(dir).data_dir)) else { return BTreeSet::new() };
    let chunks = journal.records().filter_map(Result::ok);
    chunks.filter_map(|c| Some(Witness::from_canonical_bytes(c.witness()?)?.chain.0)).collect()
}

fn log(dir: &Path) -> LogDir {
    let root = witness_log::show_key(&dir.join("root.key")).unwrap();
    witness_log::reader(&config(dir).data_dir, root).unwrap()
}

/// What must hold of a directory in any state: gives the size of its last checkpoint.
fn check(dir: &Path, signed: &[(u64, Hash)], what: &str) -> u64 {
    let mut log = log(dir);
    if log.checkpoint().unwrap().is_empty() {
        assert!(signed.is_empty(), "{what}: the checkpoint is gone");
        return 0;
    }
    let head = log.head().unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut findings = Findings::default();
    log.fsck(None, &mut findings).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(findings.faults, [""; 0], "{what}");
    let journal = journalled(dir);
    let genesis = journal_genesis(dir);
    for (chain, _) in findings.chains.iter().filter(|(_, signed)| *signed) {
        assert!(journal.contains(chain) || genesis.contains(chain), "{what}: signed, and not in the journal");
    }
    for (size, root) in signed {
        assert!(*size <= head.size, "{what}: signed {size} entries before, {} now", head.size);
        let proof = log.consistency(*size, head.size).unwrap_or_else(|e| panic!("{what}: {e}"));
        verify_consistency(*size, *root, head.size, head.root, &proof)
            .unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    let report = verify::verify(&journal_dir(&config(dir).data_dir), &mut |_, _| ()).unwrap();
    let findings: Vec<_> = report.chains.iter().flat_map(|c| &c.findings).collect();
    assert!(findings.is_empty(), "{what}: the journal does not verify: {findings:?}");
    head.size
}

fn journal_genesis(dir: &Path) -> BTreeSet<[u8; 32]> {
    let Ok(journal) = Journal::open(&journal_dir(&config(dir).data_dir)) else { return BTreeSet::new() };
    let chunks = journal.records().filter_map(Result::ok);
    chunks
        .filter_map(|c| match c.content {
            wavewitness_journal::Content::Start { genesis, .. } => {
                Some(wavewitness_witness::Genesis::from_canonical_bytes(&genesis)?.digest().0)
            }
            _ => None,
        })
        .collect()
}

/// The next start: afterwards the log says all that the journal holds.
fn recovers(dir: &Path, signed: &[(u64, Hash)], what: &str) {
    run(dir, 10, false).unwrap_or_else(|e| panic!("{what}: the next start is refused: {e}"));
    check(dir, signed, what);
    let mut findings = Findings::default();
    log(dir).fsck(None, &mut findings).unwrap();
    let told: BTreeSet<_> = findings.chains.iter().map(|(chain, _)| *chain).collect();
    // What was pruned on the way there is told by nobody; all else must be.
    let pruned = log(dir).first() > 0;
    let missing = journalled(dir).difference(&told).count();
    assert!(pruned || missing == 0, "{what}: {missing} records are not in the log");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Runs the child on a copy of `base` with the `n`th call of `call` ending by `end`. `None` if there was no such call;
/// else the directory and what the child says that it signed.
fn injected(base: &Path, into: &Path, call: &str, end: &str, n: u32) -> Option<(PathBuf, Vec<(u64, Hash)>)> {
    let dir = into.join(format!("{call}-{}-{n}", end.replace('=', "-")));
    copy(base, &dir);
    let output = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:{end}:when={n}")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(DIR, &dir)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let signed = text.lines().filter_map(|line| {
        let (size, root) = line.rsplit_once("signed ")?.1.split_once(' ')?;
        Some((size.parse().ok()?, Hash::from_base64(root)?))
    });
    let signed = signed.collect();
    (!output.status.success()).then_some((dir, signed))
}

fn injector() -> bool {
    let works = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "trace=write", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        eprintln!("SKIPPED: strace is not installed or may not trace here (Debian: apt-get install strace)");
    }
    works
}

/// Every call of a kind, each ended by each way, from a base directory. Gives how many there were.
fn every_call(base: &Path, scratch: &Path, call: &str) -> u32 {
    let mut calls = 0;
    for n in 1.. {
        let mut happened = false;
        for end in ["signal=KILL", "error=EIO"] {
            if let Some((dir, signed)) = injected(base, scratch, call, end, n) {
                happened = true;
                let what = format!("{call} {n} {end}");
                check(&dir, &signed, &what);
                recovers(&dir, &signed, &what);
                std::fs::remove_dir_all(dir).unwrap();
            } else {
                let _ =
                    std::fs::remove_dir_all(scratch.join(format!("{call}-{}-{n}", end.replace('=', "-"))));
            }
        }
        if !happened {
            break;
        }
        calls = n;
    }
    calls
}

fn base(at: &Path, cycles: u64) -> PathBuf {
    let base = at.join("base");
    std::fs::create_dir(&base).unwrap();
    witness_log::new_key(&base.join("root.key"), "example.org/injected").unwrap();
    for _ in 0..cycles.div_ceil(250) {
        run(&base, cycles.min(250), false).unwrap();
    }
    base
}

#[test]
fn whatever_call_fails_or_is_the_last_what_is_left_verifies() {
    if !injector() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    // Two runs that were killed, 480 entries: the child salvages, tells the log again, fills bundles, cuts the log.
    let base = base(scratch.path(), 500);
    let (base, scratch) = (&base, scratch.path());
    std::thread::scope(|scope| {
        for call in ["write", "rename", "fsync", "fdatasync", "unlink"] {
            scope.spawn(move || {
                let calls = every_call(base, scratch, call);
                println!("{call}: {calls} calls, each killed at and each failed");
                assert!(calls >= 5, "{call}: only {calls} calls: is it the right one?");
            });
        }
    });
}

#[test]
fn a_first_start_may_be_killed_at_any_call() {
    if !injector() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let base = base(scratch.path(), 0);
    for call in ["rename", "fdatasync"] {
        assert!(every_call(&base, scratch.path(), call) >= 5, "{call}");
    }
}
