//! Guards the promise that others can check the log: Go's `sumdb/note` and `sumdb/tlog` on every file, openssl on the
//! signature. Both must also refuse a damaged log, else their consent means nothing. Skipped, loudly, without the tools.

mod common;

use common::{Log, ORIGIN, root_verifier};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wavewitness_log::{Evidence, Note, StoredTiles, TlogProof, VerifierKey, base64, consistency, inclusion};
use wavewitness_types::Canonical;

/// 1,800 entries with two certificates, on disk as the shell lays it out; the key of the last checkpoint.
fn written(dir: &Path) -> (Log, VerifierKey) {
    let mut log = Log::default();
    log.rotate(1_000_000);
    log.cycles(999);
    log.sign();
    log.rotate(1_000_000);
    log.cycles(799);
    log.sign();
    for (path, bytes) in &log.store.files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(dir.join("checkpoint"), log.checkpoints.last().unwrap()).unwrap();
    std::fs::write(dir.join("certificate"), &log.certificates[1]).unwrap();
    for index in [0u64, 777, 1799] {
        let mut tiles = StoredTiles::new(&mut log.store, 1800);
        let evidence = Evidence {
            entry: log.entries[index as usize].clone(),
            certificate: log.certificates[1].clone(),
            consistency: consistency(&mut tiles, 1000, 1800).unwrap(),
            payload: Vec::new(),
        };
        let path = inclusion(&mut tiles, index, 1800).unwrap();
        let checkpoint = String::from_utf8(log.checkpoints[1].clone()).unwrap();
        let proof = TlogProof { extra: Some(evidence.to_canonical_bytes()), index, path, checkpoint };
        proof.verify_offline(ORIGIN, &root_verifier()).unwrap();
        std::fs::write(dir.join(format!("{index}.tlog-proof")), proof.text()).unwrap();
    }
    let key = log.epochs[1].verifier().clone();
    (log, key)
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

fn told(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

/// The checker of `tests/interop/check.go`, built; `None` where it can't be.
fn go_checker() -> Option<PathBuf> {
    let library = Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog");
    if Command::new("go").arg("version").output().is_err() || !library.exists() {
        eprintln!("SKIPPED: no Go with Debian's golang-golang-x-mod-dev: the log is not checked by sumdb");
        return None;
    }
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let binary = scratch.join("log-check");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/check.go");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&binary).arg(source);
    build
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", scratch.join("go-cache"));
    let built = run(&mut build);
    assert!(built.status.success(), "{}", told(&built));
    Some(binary)
}

#[test]
fn sumdb_accepts_the_log_and_refuses_a_damaged_one() {
    let Some(checker) = go_checker() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (_, key) = written(dir.path());
    let check = || {
        let mut command = Command::new(&checker);
        command.arg("log").arg(dir.path()).arg(key.to_string());
        command.args([0, 777, 1799].map(|k| dir.path().join(format!("{k}.tlog-proof"))));
        run(&mut command)
    };
    let accepted = check();
    assert!(
        accepted.status.success() && told(&accepted).contains("accepted 1800 entries"),
        "{}",
        told(&accepted)
    );
    let mut note = Command::new(&checker);
    note.arg("note").arg(dir.path().join("certificate")).arg(root_verifier().to_string());
    assert!(run(&mut note).status.success());

    // In the proof file behind the index: what is extra is not for sumdb to judge.
    let proof = std::fs::read_to_string(dir.path().join("777.tlog-proof")).unwrap();
    let first_hash = proof.find("index 777\n").unwrap() + 15;
    let damage = [
        ("tile/0/003", 40),
        ("tile/entries/005", 90),
        ("tile/1/000.p/7", 5),
        ("777.tlog-proof", first_hash),
        ("checkpoint", 23),
    ];
    for (file, byte) in damage {
        let path = dir.path().join(file);
        let sound = std::fs::read(&path).unwrap();
        let mut changed = sound.clone();
        // Letters of base64 stay letters of base64.
        changed[byte] = if changed[byte] == b'A' { b'B' } else { b'A' };
        std::fs::write(&path, changed).unwrap();
        assert!(!check().status.success(), "{file} was changed and accepted");
        std::fs::write(&path, sound).unwrap();
    }
    assert!(check().status.success());
}

#[test]
fn openssl_accepts_the_signature_and_refuses_another_text() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: no openssl: the signature is checked by no other software here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (log, key) = written(dir.path());
    let note = Note::parse(log.checkpoints.last().unwrap()).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): a fixed head and the 32 bytes.
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let spki = base64::encode(&[&head[..], &key.public_bytes()].concat());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n");
    let (pem, signature) = (file("key.pem", pem.as_bytes()), file("signature", &note.signatures[0].bytes));
    let verify = |text: &str| {
        let mut command = Command::new("openssl");
        command.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"]).arg(&pem);
        command.arg("-in").arg(file("text", text.as_bytes())).arg("-sigfile").arg(&signature);
        run(&mut command)
    };
    let accepted = verify(&note.text);
    assert!(accepted.status.success(), "{}", told(&accepted));
    assert!(!verify(&note.text.replace("1800", "1801")).status.success());
}
