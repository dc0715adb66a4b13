//! Guards `export`: a table has what the journal has, a clip verifies on its own and is refused when a byte of it was changed,
//! and what can't be exported is said.

mod common;

use common::scene;
use common::written::{config, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wavewitness_hub::witness_log::{self, LogConfig};
use wavewitness_journal::Journal;
use wavewitness_ledger::Options;
use wavewitness_proof::log::Trust;
use wavewitness_proof::{clip, replay};
use wavewitness_types::{PoseFrame, PrivacyMode};

/// A journal of two starts of a minute, two segments each, with its log.
struct Made {
    dir: tempfile::TempDir,
    frames: Vec<PoseFrame>,
}

impl Made {
    fn new() -> Made {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("root.key");
        witness_log::new_key(&key, "example.org/hub").unwrap();
        let mut scene = scene(6);
        let mut config = config(&scene);
        config.log = LogConfig { key_file: Some(key), options: Options::default() };
        for boot in 0..2 {
            run(&config, &dir.path().join("data"), &scene, boot);
            scene.start = scene.start.plus_nanos(60_000_000_000);
        }
        let journal = Journal::open(&dir.path().join("data/journal")).unwrap();
        let frames =
            journal.records().filter_map(|c| PoseFrame::from_canonical_bytes(c.unwrap().pose()?)).collect();
        Made { dir, frames }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn trust(&self) -> Trust {
        let key = witness_log::show_key(&self.path("root.key")).unwrap();
        Trust::given(&key.to_string()).unwrap()
    }

    fn export(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavewitness"));
        command.current_dir(self.dir.path()).arg("export").args(arguments).output().unwrap()
    }

    fn clip(&self, name: &str, from: u64, to: u64) -> Output {
        let (from, to) = (from.to_string(), to.to_string());
        self.export(&["clip", "data/journal", name, "--from", &from, "--to", &to, "--log", "data/log"])
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_table_has_every_cycle_of_the_range_and_says_its_source() {
    let made = Made::new();
    let all = made.export(&["poses", "data/journal", "-", "--rows", "cycles"]);
    assert!(all.status.success(), "{}", said(&all));
    let mut rows = csv::Reader::from_reader(all.stdout.as_slice());
    let header = rows.headers().unwrap().clone();
    let of = |row: &csv::StringRecord, name: &str| {
        row[header.iter().position(|h| h == name).unwrap_or_else(|| panic!("{name}"))].to_owned()
    };
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 240);
    assert_eq!(rows.len(), made.frames.len());
    for (row, frame) in rows.iter().zip(&made.frames) {
        assert_eq!(of(row, "cycle"), frame.cycle.0.to_string());
        assert_eq!(of(row, "source"), "simulated");
        assert_eq!(of(row, "quality").parse::<f32>().unwrap().to_bits(), frame.quality.score.to_bits());
        assert_eq!(of(row, "frames"), frame.quality.frames.to_string());
        assert_eq!(of(row, "motion"), frame.motion.map_or(String::new(), |m| m.to_string()));
        assert_eq!(of(row, "tracks"), frame.people.len().to_string());
    }
    // Both ends belong to it, by cycle and by time.
    let (a, b) = (&made.frames[10], &made.frames[29]);
    let by = |from: String, to: String| {
        let out = made.export(&[
            "poses",
            "data/journal",
            "part.csv",
            "--rows",
            "cycles",
            "--from",
            &from,
            "--to",
            &to,
        ]);
        assert!(out.status.success(), "{}", said(&out));
        fs::read_to_string(made.path("part.csv")).unwrap().lines().count() - 1
    };
    assert_eq!(by(a.cycle.0.to_string(), b.cycle.0.to_string()), 20);
    assert_eq!(by(of(&rows[10], "time"), of(&rows[29], "time")), 20);

    let refused = made.export(&["poses", "data/journal", "x.csv", "--from", "yesterday"]);
    assert_eq!(refused.status.code(), Some(2));
    let refused = made.export(&["poses", "data/journal", "x.csv", "--from", "9", "--to", "3"]);
    assert!(
        refused.status.code() == Some(1) && said(&refused).contains("--from is behind --to"),
        "{}",
        said(&refused)
    );
    let refused = made.export(&["poses", "data/journal", "x.csv", "--chain", "zz"]);
    assert!(refused.status.code() == Some(1) && said(&refused).contains("no chain zz"), "{}", said(&refused));
    if !cfg!(feature = "parquet") {
        let refused = made.export(&["poses", "data/journal", "x.parquet"]);
        assert!(said(&refused).contains("--features parquet"), "{}", said(&refused));
    }
}

#[test]
fn what_is_damaged_is_left_out_and_said() {
    let made = Made::new();
    let journal = Journal::open(&made.path("data/journal")).unwrap();
    let segment = &journal.segments()[0];
    let chunk = journal.records().nth(50).unwrap().unwrap();
    flip(&segment.path, chunk.offset + 200);
    let out = made.export(&["poses", "data/journal", "x.csv", "--rows", "cycles"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(said(&out).contains("left out:"), "{}", said(&out));
    assert_eq!(fs::read_to_string(made.path("x.csv")).unwrap().lines().count(), 240);
}

#[test]
fn poses_that_a_privacy_mode_withheld_are_not_just_missing() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = scene(6);
    let mut config = config(&scene);
    // A chain with poses, then one without.
    for (boot, mode) in [(0, PrivacyMode::RawResearch), (1, PrivacyMode::Anonymous)] {
        config.privacy.mode = mode;
        run(&config, &dir.path().join("data"), &scene, boot);
        scene.start = scene.start.plus_nanos(60_000_000_000);
    }
    let made = Made { dir, frames: Vec::new() };
    let out = made.export(&["poses", "data/journal", "x.csv", "--rows", "cycles"]);
    assert!(out.status.success(), "{}", said(&out));
    let told = said(&out);
    assert!(told.contains("120 rows of 120 cycles in x.csv"), "{told}");
    assert!(told.contains("120 cycles without poses: privacy mode anonymous withheld them"), "{told}");
    let first = Journal::open(&made.path("data/journal")).unwrap().chains()[0].to_string();
    let out = made.export(&["poses", "data/journal", "x.csv", "--chain", &first]);
    assert!(out.status.success() && !said(&out).contains("without poses"), "{}", said(&out));
}

fn flip(path: &Path, offset: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset as usize] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_clip_is_proven_and_no_byte_of_it_can_be_changed() {
    let made = Made::new();
    let cycle = |k: usize| made.frames[k].cycle.0;
    // From the middle of the first start to the middle of the second: a stop and a boot are in it.
    let out = made.clip("clip", cycle(60), cycle(200));
    assert!(out.status.success(), "{}", said(&out));
    let check = |name: &str| clip::verify(&made.path(name), &made.trust(), &mut |_, _| ());
    let proven = check("clip").unwrap();
    assert_eq!((proven.first.0, proven.proof.record.cycle.0, proven.cycles), (cycle(60), cycle(200), 141));
    assert!(!proven.from_genesis);
    let again = made.clip("clip", cycle(60), cycle(200));
    assert!(again.status.code() == Some(1) && said(&again).contains("can't make"), "{}", said(&again));
    check("clip").unwrap();

    // Its poses and datagrams are the journal's.
    let copied = Journal::open(&made.path("clip/journal")).unwrap();
    let poses = copied.records().filter_map(|c| PoseFrame::from_canonical_bytes(c.unwrap().pose()?));
    assert_eq!(poses.collect::<Vec<_>>(), made.frames[60..=200]);

    let segment = copied.segments()[0].path.clone();
    let whole = fs::read(&segment).unwrap();
    let offsets: Vec<u64> = copied.records().skip(1).step_by(17).map(|c| c.unwrap().offset + 100).collect();
    for offset in offsets {
        flip(&segment, offset);
        assert!(check("clip").is_err(), "a flipped bit at {offset} passes");
        fs::write(&segment, &whole).unwrap();
    }
    // Another clip's proof vouches for nothing here, nor this one's for a shorter clip.
    assert!(made.clip("shorter", cycle(60), cycle(199)).status.success());
    fs::copy(made.path("shorter/clip.tlog-proof"), made.path("clip/clip.tlog-proof")).unwrap();
    let refusal = check("clip").unwrap_err().to_string();
    assert!(refusal.contains("1 records are behind"), "{refusal}");
    assert!(made.clip("later", cycle(60), cycle(201)).status.success());
    fs::copy(made.path("later/clip.tlog-proof"), made.path("clip/clip.tlog-proof")).unwrap();
    let refusal = check("clip").unwrap_err().to_string();
    assert!(refusal.contains("is not in it"), "{refusal}");
}

#[test]
fn a_clip_from_a_start_of_the_hub_can_be_computed_again() {
    let made = Made::new();
    let out = made.clip("clip", made.frames[120].cycle.0, made.frames[239].cycle.0);
    assert!(out.status.success(), "{}", said(&out));
    let report = replay::replay(&made.path("clip/journal"), &mut |_, _| ()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.cycles(), report.replayed_cycles()), (120, 120));
    let out = made.clip("first", 0, made.frames[9].cycle.0);
    assert!(out.status.success(), "{}", said(&out));
    let proven = clip::verify(&made.path("first"), &made.trust(), &mut |_, _| ()).unwrap();
    assert!(proven.from_genesis && proven.cycles == 10);
}

#[test]
fn a_clip_of_nothing_or_of_damage_leaves_nothing_behind() {
    let made = Made::new();
    let out = made.clip("none", 900_000_000, 900_000_001);
    assert!(said(&out).contains("no cycle of the journal is in the range"), "{}", said(&out));
    assert!(!made.path("none").exists());
    let journal = Journal::open(&made.path("data/journal")).unwrap();
    let chunk = journal.records().nth(50).unwrap().unwrap();
    flip(&journal.segments()[0].path, chunk.offset + 200);
    let out = made.clip("damaged", made.frames[20].cycle.0, made.frames[100].cycle.0);
    assert!(said(&out).contains("damaged in the range"), "{}", said(&out));
    assert!(!made.path("damaged").exists());
    // Behind the damage it works.
    assert!(made.clip("behind", made.frames[70].cycle.0, made.frames[100].cycle.0).status.success());
}
