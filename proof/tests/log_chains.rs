//! Guards that log and journal are held together over several chains: restarts, a chain that follows another, a chain
//! that is missing, one whose beginning can't be read in the log, and entries that a signer made up.

mod log_site;

use log_site::common::*;
use log_site::{copy, open, publish};
use std::fs;
use std::path::{Path, PathBuf};
use wavewitness_journal::ChainId;
use wavewitness_ledger::{Narrator, Writer};
use wavewitness_log::Entry;
use wavewitness_proof::log::fsck::{LogReport, Options, fsck};
use wavewitness_proof::log::prove::prove;
use wavewitness_proof::log::{LogError, Trust};
use wavewitness_types::{BootRecord, CycleIndex, Event, Timestamp};
use wavewitness_witness::{Genesis, Predecessor, Witness};

const CYCLES: u64 = 40;

struct Chains {
    dir: tempfile::TempDir,
    trust: Trust,
    genesis: [Genesis; 2],
}

/// Makes the entries of a cycle.
type Tell<'a> = dyn FnMut(&mut Narrator, &Witness, &mut dyn FnMut(Entry)) + 'a;

/// Records a chain of idle cycles: boot, cycles, stop.
fn record(journal: &Path, genesis: &Genesis, log: &Writer, from: Timestamp, tell: &mut Tell<'_>) -> Witness {
    let config = config(&scene(1));
    let mut recorder = Recorder::new(journal, genesis, &config, 15);
    let mut narrator = Narrator::default();
    let mut out = |entry: Entry| _ = log.appender.append(&entry).unwrap();
    narrator.genesis(genesis, &mut out);
    let boot = BootRecord::default();
    let witness = recorder.boot(from, boot.clone());
    narrator.boot(&witness, &boot, &mut out);
    for k in 0..CYCLES {
        let at = from.plus_nanos((k + 1) * CYCLE_NS);
        let witness = recorder.cycle(&[Event::Tick { at, cycle: CycleIndex(k) }]);
        tell(&mut narrator, &witness, &mut out);
    }
    let witness = recorder.stop(from.plus_nanos(CYCLES * CYCLE_NS));
    narrator.stop(&witness, &mut out);
    recorder.close();
    witness
}

fn honest(narrator: &mut Narrator, witness: &Witness, mut out: &mut dyn FnMut(Entry)) {
    narrator.cycle(witness, [], &mut out);
}

/// Two chains of the same cycle numbers; the log is opened again between them.
fn chains(tell: &mut Tell<'_>) -> Chains {
    let dir = scratch();
    let (journal, path, key) =
        (dir.path().join("journal"), dir.path().join("log"), dir.path().join("root.key"));
    let root_key = wavewitness_ledger::key::create(&key, log_site::ORIGIN).unwrap();
    let scene = scene(1);
    let first = genesis(&scene, &config(&scene));
    let mut log = open(&path, &key, scene.start);
    let end = record(&journal, &first, &log, scene.start, tell);
    publish(&mut log, end.at);
    drop(log);
    let later = end.at.plus_nanos(1_000_000_000);
    let predecessor = Some(Predecessor { genesis: first.digest(), head: end.chain });
    let second = Genesis { started: later, predecessor, ..first.clone() };
    let mut log = open(&path, &key, later);
    let end = record(&journal, &second, &log, later, tell);
    publish(&mut log, end.at);
    Chains { dir, trust: Trust { root_key, given: true }, genesis: [first, second] }
}

impl Chains {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same files to do harm to.
    fn copy(&self) -> Chains {
        let dir = scratch();
        copy(self.dir.path(), dir.path());
        Chains { dir, trust: self.trust.clone(), genesis: self.genesis.clone() }
    }

    fn id(&self, chain: usize) -> String {
        ChainId::from_digest(&self.genesis[chain].digest().0).to_string()
    }

    fn delete(&self, chain: usize) {
        for file in fs::read_dir(self.path("journal")).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with(&self.id(chain)) {
                fs::remove_file(path).unwrap();
            }
        }
    }

    fn check(&self) -> (LogReport, Vec<String>) {
        let journal = self.path("journal");
        let options = Options { journal: Some(&journal), pin: None };
        let report = fsck(&self.trust, &self.path("log"), &options, &mut |_, _| {}).unwrap();
        let chain = |name: &str| if name == self.id(0) { "first" } else { "second" };
        let runs = report.journal.iter().flat_map(|j| &j.differences);
        let runs = runs.map(|r| {
            format!("{} {} {}-{} {}", chain(&r.chain), r.kind.name(), r.first_cycle, r.last_cycle, r.records)
        });
        let runs = runs.collect();
        (report, runs)
    }
}

#[test]
fn two_chains_agree_and_each_is_missed() {
    let site = chains(&mut honest);
    let (report, runs) = site.check();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.journal.unwrap().agree, runs), (2 * (CYCLES + 2), vec![]));
    let first = site.copy();
    first.delete(0);
    assert_eq!(first.check().1, ["first lost-before 0-39 42"]);
    let second = site.copy();
    second.delete(1);
    assert_eq!(second.check().1, ["second cut 0-39 42"]);
}

#[test]
fn a_chain_whose_beginning_can_not_be_read_in_the_log_is_found_again() {
    let site = chains(&mut honest);
    let mut dir = site.trust.open(&site.path("log")).unwrap();
    let size = dir.head().unwrap().size;
    // The second chain's genesis and the boot behind it.
    let (genesis, _) = dir.find_back(size, |e| matches!(e, Entry::Genesis { .. })).unwrap();
    let name = site.path(&format!("log/tile/entries/000.p/{size}"));
    let mut bytes = fs::read(&name).unwrap();
    for index in [genesis, genesis + 1] {
        let entry = dir.entry(index, size).unwrap();
        let at = bytes.windows(entry.len()).position(|w| w == entry).unwrap();
        bytes[at + 10] ^= 1;
    }
    fs::write(&name, bytes).unwrap();
    let (report, runs) = site.check();
    let faults: Vec<_> = report.faults.iter().map(|f| f.kind.as_str()).collect();
    assert_eq!(faults, ["leaf", "leaf"], "{report}");
    assert_eq!(runs, ["second entry-gone 0-0 1"], "{report}");
}

#[test]
fn entries_that_a_signer_made_up_do_not_agree() {
    // Another time and another source under the right chain value, a cycle that never was, and one left out.
    let mut tell = |narrator: &mut Narrator, witness: &Witness, mut out: &mut dyn FnMut(Entry)| {
        let (at, chain) = (witness.at, witness.chain.0);
        match witness.cycle.0 {
            10 => narrator.cycle(&Witness { at: at.plus_nanos(1), ..*witness }, [], &mut out),
            20 => {
                narrator.cycle(witness, [], &mut out);
                let invented = wavewitness_witness::Digest([chain[0]; 32]);
                narrator.cycle(&Witness { chain: invented, ..*witness }, [], &mut out);
            }
            30 => {}
            _ => narrator.cycle(witness, [], &mut out),
        }
    };
    let (report, runs) = chains(&mut tell).check();
    assert!(!report.is_clean() && report.faults.is_empty(), "the log is sound in itself: {report}");
    let expected = |chain: &str| {
        ["fields 10-10 1", "lost 20-20 1", "not-logged 30-30 1"].map(|run| format!("{chain} {run}"))
    };
    assert_eq!(runs, [expected("first"), expected("second")].concat());
}

#[test]
fn a_cycle_of_two_chains_is_proven_by_its_chain() {
    let site = chains(&mut honest);
    let prove = |chain: Option<&str>| {
        prove(&site.trust, &site.path("log"), &site.path("journal"), CycleIndex(5), chain)
    };
    let error = prove(None).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, LogError::Usage(_)) && text.contains(&site.id(0)) && text.contains(&site.id(1)),
        "{text}"
    );
    let index = |chain: usize| prove(Some(&site.id(chain)[..6])).unwrap().proof.index;
    assert!(index(0) < index(1));
}
