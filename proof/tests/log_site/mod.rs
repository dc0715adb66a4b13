//! A witness log beside its journal, written as the hub writes them: engine, journal, narrator, publisher, a checkpoint
//! a second. Made once a test binary; every test works on copies.
#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../common/mod.rs"]
pub mod common;

use common::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use wavewitness_ledger::key::{self, KeyFile};
use wavewitness_ledger::{LedgerError, Narrator, Options, Writer};
use wavewitness_log::{Checkpoint, Entry, EpochKey, Storage, TilePath, Tree, VerifierKey};
use wavewitness_proof::log::Trust;
use wavewitness_types::{BootRecord, Canonical, Command, Event, Timestamp};
use wavewitness_witness::Genesis;

pub const ORIGIN: &str = "hub.example/room";
/// 30 s: boot, 600 cycles, stop; six segments of the journal, three bundles and three epochs of the log.
pub const SECONDS: u64 = 30;
pub const CYCLES: u64 = 20 * SECONDS;
pub const PER_SEGMENT: u32 = 100;
const EPOCH: Options = Options { epoch_entries: 250 };
/// The log is copied when this cycle was signed.
pub const SNAPSHOT: u64 = 299;

pub struct Site {
    _dir: tempfile::TempDir,
    pub root: PathBuf,
    pub genesis: Genesis,
    pub key: VerifierKey,
}

/// The site of this process.
pub fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(Site::make)
}

fn narrate(log: &Writer, tell: impl FnOnce(&mut dyn FnMut(Entry))) {
    tell(&mut |entry| {
        log.appender.append(&entry).unwrap();
    });
}

pub fn publish(log: &mut Writer, at: Timestamp) {
    let taken = log.publisher.take(at).unwrap();
    log.publisher.publish(taken).unwrap();
}

pub fn open(log: &Path, key: &Path, at: Timestamp) -> Writer {
    wavewitness_ledger::open(log, KeyFile::Private(key.to_owned()), EPOCH, at).unwrap()
}

fn commands(events: &[Event]) -> Vec<Command> {
    let command = |e: &Event| match e {
        Event::Command { command, .. } => Some(*command),
        _ => None,
    };
    events.iter().filter_map(command).collect()
}

impl Site {
    fn make() -> Site {
        let dir = scratch();
        let root = dir.path().to_owned();
        let key = key::create(&root.join("root.key"), ORIGIN).unwrap();
        let scene = scene(SECONDS);
        let config = config(&scene);
        let genesis = genesis(&scene, &config);
        let mut recorder = Recorder::new(&root.join("journal"), &genesis, &config, PER_SEGMENT);
        let mut log = open(&root.join("log"), &root.join("root.key"), scene.start);
        let mut narrator = Narrator::default();
        narrate(&log, |mut out| narrator.genesis(&genesis, &mut out));
        let record = BootRecord { boot_id: 1, ..BootRecord::default() };
        let witness = recorder.boot(scene.start, record.clone());
        narrate(&log, |mut out| narrator.boot(&witness, &record, &mut out));
        for (k, events) in (0..).zip(cycles(&scene, 1)) {
            let events = with_calibration(k as usize, &events);
            let witness = recorder.cycle(&events);
            narrate(&log, |mut out| narrator.cycle(&witness, commands(&events), &mut out));
            if k % 20 == 19 {
                publish(&mut log, witness.at);
            }
            if k == SNAPSHOT {
                copy(&root.join("log"), &root.join("snapshot"));
            }
        }
        let end = scene.start.plus_nanos(CYCLES * CYCLE_NS);
        let witness = recorder.stop(end);
        narrate(&log, |mut out| narrator.stop(&witness, &mut out));
        publish(&mut log, end);
        recorder.close();
        Site { _dir: dir, root, genesis, key }
    }

    pub fn trust(&self) -> Trust {
        Trust { root_key: self.key.clone(), given: true }
    }

    /// Log, journal and key to do harm to.
    pub fn copy(&self) -> Copy {
        let dir = scratch();
        for name in ["log", "journal"] {
            copy(&self.root.join(name), &dir.path().join(name));
        }
        fs::copy(self.root.join("root.key"), dir.path().join("root.key")).unwrap();
        Copy { dir }
    }

    /// The log as it was at [`SNAPSHOT`].
    pub fn snapshot(&self) -> PathBuf {
        self.root.join("snapshot")
    }

    /// The checkpoint of a log.
    pub fn head(&self, log: &Path) -> Checkpoint {
        Checkpoint::read_unverified(&fs::read(log.join("checkpoint")).unwrap(), ORIGIN).unwrap().0
    }
}

/// A site's files, to be changed.
pub struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Changes a file.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.read(name);
        change(&mut bytes);
        self.write(name, &bytes);
    }

    /// Puts the log of the snapshot in place of the copy's.
    pub fn roll_back(&self) {
        fs::remove_dir_all(self.log()).unwrap();
        copy(&site().snapshot(), &self.log());
    }

    /// Files of the journal in order.
    pub fn segments(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.journal()).unwrap().map(|e| e.unwrap().path());
        let mut names: Vec<_> = names.filter(|p| p.extension().is_some_and(|e| e == "mcap")).collect();
        names.sort();
        names
    }

    /// Opens the log to write on.
    pub fn writer(&self) -> Writer {
        open(&self.log(), &self.path("root.key"), Timestamp(2_000_000_000_000_000_000))
    }

    /// Appends a certificate for a key that the test knows, as the hub does at a rotation, and signs with it.
    pub fn rotate(&self) -> EpochKey {
        let root = KeyFile::Private(self.path("root.key")).load().unwrap();
        let epoch = EpochKey::from_seed(ORIGIN, &[7; 32]).unwrap();
        let head = site().head(&self.log());
        let mut files = Files(self.log());
        let mut tree = Tree::resume(&mut files, head.size).unwrap();
        let number = (0..).find(|n| !self.log().join(format!("certificates/{n:06}")).exists()).unwrap();
        let range = (head.size, head.root);
        let note = root.certify(&epoch, number, range, head.size + 100, Timestamp(1)).unwrap();
        self.write(&format!("log/certificates/{number:06}"), note.as_bytes());
        let put = |path: TilePath, bytes: &[u8]| self.write(&format!("log/{path}"), bytes);
        tree.append(&Entry::Epoch { certificate: note }.to_canonical_bytes(), put).unwrap();
        tree.partials(head.size, put);
        self.write("log/checkpoint", epoch.checkpoint(tree.size(), tree.root()).unwrap().as_bytes());
        epoch
    }
}

/// Stored tiles.
pub struct Files(pub PathBuf);

impl Storage for Files {
    fn read(&mut self, path: TilePath, out: &mut Vec<u8>) -> bool {
        fs::read(self.0.join(path.to_string())).is_ok_and(|bytes| {
            *out = bytes;
            true
        })
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(fs::copy(&path, &to).unwrap()),
        }
    }
}

/// Prunes a log as the hub does.
pub fn prune(log: &mut Writer, minimum_index: u64, first_cycle: u64, at: Timestamp) -> u64 {
    let synced = || Ok::<(), LedgerError>(());
    log.publisher.prune(minimum_index, wavewitness_types::CycleIndex(first_cycle), at, synced).unwrap()
}
