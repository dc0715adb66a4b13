//! Guards the log on disk: it goes on over restarts with new epochs, forgets what nobody signed, refuses what
//! contradicts itself, stays verifiable when it is cut, and keeps its key to itself.

use std::fs;
use std::path::{Path, PathBuf};
use wavewitness_ledger::key::{self, KeyFile};
use wavewitness_ledger::{LedgerError, LogDir, Options, Writer, open};
use wavewitness_log::{Entry, Fault, Pin, VerifierKey, Watch};
use wavewitness_types::{CycleIndex, Source, Timestamp};

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

struct Site {
    dir: tempfile::TempDir,
    root: VerifierKey,
}

impl Site {
    fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let root = key::create(&dir.path().join("key"), "example.org/hub").unwrap();
        Site { dir, root }
    }
    fn key(&self) -> KeyFile {
        KeyFile::Private(self.dir.path().join("key"))
    }
    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
    fn open(&self, epoch_entries: u64) -> Result<Writer, LedgerError> {
        open(&self.log(), self.key(), Options { epoch_entries }, NOW)
    }
    /// Appends cycles and signs them.
    fn write(&self, writer: &mut Writer, cycles: std::ops::Range<u64>) -> u64 {
        for n in cycles {
            writer.appender.append(&cycle(n)).unwrap();
        }
        let taken = writer.publisher.take(NOW).unwrap();
        writer.publisher.publish(taken).unwrap().size
    }
    fn reader(&self) -> LogDir {
        LogDir::open(&self.log(), self.root.clone()).unwrap()
    }
    fn fsck(&self, pin: Option<Pin>) -> Findings {
        let mut findings = Findings::default();
        self.reader().fsck(pin, &mut findings).unwrap();
        findings
    }
}

fn cycle(n: u64) -> Entry {
    Entry::Cycle {
        cycle: CycleIndex(n),
        at: NOW.plus_nanos(n * 50_000_000),
        source: Source::Simulated,
        chain: [n as u8; 32],
    }
}

#[derive(Default)]
struct Findings {
    faults: Vec<String>,
    cycles: Vec<u64>,
}

impl Watch for Findings {
    fn entry(&mut self, _: u64, entry: &Entry, _: bool) {
        if let Entry::Cycle { cycle, .. } = entry {
            self.cycles.push(cycle.0);
        }
    }
    fn fault(&mut self, fault: Fault) {
        self.faults.push(fault.to_string());
    }
}

/// The error of an opening that must be refused.
fn refusal(result: Result<Writer, LedgerError>) -> String {
    result.err().expect("it must be refused").to_string()
}

#[test]
fn a_log_goes_on_over_restarts_and_every_start_is_an_epoch() {
    let site = Site::new();
    let mut written = 0u64;
    for start in 0..6u64 {
        let mut writer = site.open(1000).unwrap();
        assert_eq!(writer.publisher.epoch(), start);
        assert_eq!(writer.last, written.checked_sub(1).map(cycle));
        // Every alignment of bundle and restart that a few starts give.
        let more = [1, 254, 255, 256, 300, 700][start as usize];
        site.write(&mut writer, written..written + more);
        written += more;
    }
    let findings = site.fsck(None);
    assert_eq!(findings.faults, [""; 0]);
    assert_eq!(findings.cycles, (0..written).collect::<Vec<_>>());
    assert_eq!(site.reader().keys().unwrap().certificates().len(), 6);
    assert_eq!(site.reader().head().unwrap().size, written + 6);
}

#[test]
fn what_nobody_signed_is_forgotten_and_leaves_no_trace() {
    let site = Site::new();
    let mut writer = site.open(10_000).unwrap();
    site.write(&mut writer, 0..600);
    // Tiles of another future are stored, and the hub dies before it signs them.
    for n in 10_000..10_900 {
        writer.appender.append(&cycle(n)).unwrap();
    }
    let taken = writer.publisher.take(NOW).unwrap();
    let checkpoint = fs::read(site.log().join("checkpoint")).unwrap();
    writer.publisher.publish(taken).unwrap();
    drop(writer);
    // (More than a crash takes: the partial tiles of the old size are gone, too.)
    fs::write(site.log().join("checkpoint"), checkpoint).unwrap();
    assert_eq!(site.fsck(None).faults.len(), 1, "the tail is a notice");

    let mut writer = site.open(10_000).unwrap();
    assert_eq!(writer.last, Some(cycle(599)));
    site.write(&mut writer, 600..650);
    let findings = site.fsck(None);
    assert_eq!(findings.faults, [""; 0]);
    assert_eq!(findings.cycles, (0..650).collect::<Vec<_>>());
}

#[test]
fn keys_rotate_within_a_run_and_old_checkpoints_stay_provable() {
    let site = Site::new();
    let mut writer = site.open(100).unwrap();
    for k in 0..10 {
        site.write(&mut writer, k * 70..(k + 1) * 70);
    }
    assert!(writer.publisher.epoch() >= 4);
    let mut reader = site.reader();
    let head = reader.head().unwrap();
    let older = reader.older().unwrap();
    assert_eq!(older.len() as u64, writer.publisher.epoch());
    for checkpoint in older {
        let old = reader.keys().unwrap().open(&checkpoint).unwrap();
        let proof = reader.consistency(old.size, head.size).unwrap();
        wavewitness_log::verify_consistency(old.size, old.root, head.size, head.root, &proof).unwrap();
    }
    assert_eq!(site.fsck(None).faults, [""; 0]);
}

#[test]
fn a_cut_log_keeps_its_events_and_its_root() {
    let site = Site::new();
    let mut writer = site.open(300).unwrap();
    for k in 0..8 {
        site.write(&mut writer, k * 200..(k + 1) * 200);
    }
    let before = site.reader().head().unwrap();
    let pin = Some(Pin { size: before.size, root: before.root });
    for (wanted, first) in [(300, 256), (300, 256), (1000, 768), (99_999_999, 1536)] {
        let done = writer.publisher.prune::<LedgerError>(wanted, CycleIndex(9), NOW, || Ok(())).unwrap();
        assert_eq!((done, site.reader().first()), (first, first));
        assert!(!site.log().join("tile/entries/000").exists());
        let findings = site.fsck(pin);
        assert!(findings.faults.iter().all(|f| f.starts_with("unjudged")), "{:?}", findings.faults);
        assert_eq!(site.reader().kept().unwrap().iter().filter(|k| k.index == 0).count(), 1);
    }
    site.write(&mut writer, 1600..1700);
    drop(writer);
    let mut writer = site.open(300).unwrap();
    site.write(&mut writer, 1700..1710);
    let findings = site.fsck(pin);
    assert!(findings.faults.iter().all(|f| f.starts_with("unjudged")), "{:?}", findings.faults);
    // The first certificate is still told, and so is every key.
    assert_eq!(site.reader().keys().unwrap().certificates().len() as u64, writer.publisher.epoch() + 1);
}

#[test]
fn a_failed_write_ends_the_signing() {
    let site = Site::new();
    let mut writer = site.open(1000).unwrap();
    site.write(&mut writer, 0..10);
    // A file stands where a directory is needed.
    fs::remove_dir_all(site.log().join("tile")).unwrap();
    fs::write(site.log().join("tile"), "").unwrap();
    writer.appender.append(&cycle(10)).unwrap();
    let taken = writer.publisher.take(NOW).unwrap();
    assert!(writer.publisher.publish(taken).is_err());
    fs::remove_file(site.log().join("tile")).unwrap();
    assert!(matches!(writer.publisher.take(NOW), Err(LedgerError::Failed)));
}

#[test]
fn a_log_that_contradicts_itself_is_refused_and_left_alone() {
    let site = Site::new();
    site.write(&mut site.open(1000).unwrap(), 0..300);
    let log = site.log();
    let width = 301 - 256;
    let cases: [(&str, &str); 4] = [
        ("checkpoint", "checkpoint"),
        ("certificates/000000", "epoch 0"),
        (&format!("tile/0/001.p/{width}"), "leaf hash"),
        (&format!("tile/entries/001.p/{width}"), "entry"),
    ];
    for (name, says) in cases {
        let path = log.join(name);
        let bytes = fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        let at = changed.len() - 20;
        changed[at] ^= 4;
        fs::write(&path, changed).unwrap();
        let text = refusal(site.open(1000));
        assert!(text.contains("damaged") && text.contains(says), "{name}: {text}");
        fs::write(&path, bytes).unwrap();
    }
    fs::rename(log.join("checkpoint"), log.join("moved")).unwrap();
    // With a second epoch a log without its checkpoint is not a first start.
    fs::copy(log.join("certificates/000000"), log.join("certificates/000001")).unwrap();
    assert!(refusal(site.open(1000)).contains("checkpoint is gone"));
    fs::remove_file(log.join("certificates/000001")).unwrap();
    fs::rename(log.join("moved"), log.join("checkpoint")).unwrap();
    site.write(&mut site.open(1000).unwrap(), 300..310);
    assert_eq!(site.fsck(None).faults, [""; 0]);
}

#[test]
fn a_checkpoint_from_a_backup_is_not_gone_on_from() {
    let site = Site::new();
    let mut writer = site.open(100).unwrap();
    site.write(&mut writer, 0..90);
    let old = fs::read(site.log().join("checkpoint")).unwrap();
    for k in 1..5 {
        site.write(&mut writer, k * 90..(k + 1) * 90);
    }
    drop(writer);
    let new = fs::read(site.log().join("checkpoint")).unwrap();
    fs::write(site.log().join("checkpoint"), old).unwrap();
    assert!(refusal(site.open(100)).contains("rolled back"));
    fs::remove_dir_all(site.log().join("checkpoints")).unwrap();
    assert!(refusal(site.open(100)).contains("rolled back"));
    fs::write(site.log().join("checkpoint"), new).unwrap();
    site.open(100).unwrap();
}

#[test]
fn one_writer_and_one_key() {
    let site = Site::new();
    let mut first = site.open(1000).unwrap();
    assert!(refusal(site.open(1000)).contains("in use by another process"));
    site.write(&mut first, 0..5);
    drop(first);
    fs::remove_file(site.dir.path().join("key")).unwrap();
    key::create(&site.dir.path().join("key"), "example.org/hub").unwrap();
    let text = refusal(site.open(1000));
    assert!(text.contains("damaged") && text.contains("epoch 0"), "another key of the same name: {text}");
}

#[test]
#[cfg(unix)]
fn a_key_that_others_can_read_is_refused_and_a_credential_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    let path = site.dir.path().join("key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let text = site.key().load().unwrap_err().to_string();
    assert!(text.contains("0640") && text.contains("0600"), "{text}");
    let credentials = site.dir.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    assert_eq!(KeyFile::find(Some(&credentials), None), None);
    fs::copy(&path, credentials.join(key::CREDENTIAL)).unwrap();
    let found = KeyFile::find(Some(&credentials), Some(&path)).unwrap();
    assert_eq!(found, KeyFile::Credential(credentials.join(key::CREDENTIAL)));
    found.load().unwrap();
}

#[test]
fn a_key_file_is_never_overwritten_and_its_secret_is_in_no_message() {
    let site = Site::new();
    let path = site.dir.path().join("key");
    let secret = fs::read_to_string(&path).unwrap();
    assert!(secret.starts_with("PRIVATE+KEY+example.org/hub/root+"));
    assert!(key::create(&path, "example.org/hub").unwrap_err().to_string().contains("create"));
    assert_eq!(fs::read_to_string(&path).unwrap(), secret);
    // `PRIVATE+KEY+name+hash+base64`, of which base64 has plus signs too.
    let tail = secret.trim_end().splitn(5, '+').last().unwrap().to_owned();
    assert_eq!(tail.len(), 44);
    fs::write(&path, secret.replace("hub/root+", "hub/other+")).unwrap();
    let debug = format!("{:?}", site.key().load());
    assert!(!debug.contains(&tail), "{debug}");
    fs::write(&path, &secret).unwrap();
    assert!(!format!("{:?}", site.key().load().unwrap()).contains(&tail));
    assert!(key::create(&site.dir.path().join("other"), "has space").is_err());
    assert!(!Path::new(&site.dir.path().join("other")).exists());
}
