//! Guards the proof of one pose: what `prove` makes, `verify-proof` accepts with nothing but the root key, for every
//! cycle and size; no bit of the file can be changed without being found out or changing nothing; what is not there
//! is named with what is. And consistency: an old checkpoint is a beginning of the present log, or it is said why not.

mod log_site;

use log_site::*;
use std::fs;
use std::path::Path;
use std::process::Command as Process;
use wavewitness_log::{Checkpoint, Entry, Evidence, Hash, SignerKey, TlogProof};
use wavewitness_proof::log::pose::{self, Payload};
use wavewitness_proof::log::prove::{Made, prove};
use wavewitness_proof::log::{LogError, Trust, consistency};
use wavewitness_types::{Canonical, CycleIndex, PoseFrame, Timestamp};
use wavewitness_witness::{Chain, Digest};

fn made(cycle: u64) -> Made {
    let root = &site().root;
    prove(&site().trust(), &root.join("log"), &root.join("journal"), CycleIndex(cycle), None).unwrap()
}

fn unavailable(c: &Copy, cycle: u64, chain: Option<&str>) -> String {
    let error = prove(&site().trust(), &c.log(), &c.journal(), CycleIndex(cycle), chain).unwrap_err();
    assert!(!error.is_refusal(), "{error}");
    error.to_string()
}

#[test]
fn a_proof_of_any_cycle_holds_offline() {
    // First and last of segments, bundles and epochs among them.
    for cycle in [0, 1, 99, 100, 101, 238, 239, 240, 251, 252, 253, 299, 300, 456, 507, 508, 598, 599] {
        let made = made(cycle);
        let proof = pose::verify(made.text.as_bytes(), &site().trust()).unwrap();
        assert_eq!(proof, made.proof);
        assert_eq!((proof.record.cycle, proof.origin.as_str()), (CycleIndex(cycle), ORIGIN));
        assert_eq!(proof.head, site().head(&site().root.join("log")));
        let frame = proof.frame.unwrap();
        assert_eq!((frame.cycle, frame.to_canonical_bytes()), (CycleIndex(cycle), proof.published));
    }
}

#[test]
fn the_payload_is_what_the_page_says() {
    let made = made(400);
    let proof = TlogProof::parse(made.text.as_bytes()).unwrap();
    let evidence = Evidence::from_canonical_bytes(proof.extra.as_ref().unwrap()).unwrap();
    let bytes = evidence.payload;
    assert_eq!(bytes[466..], made.proof.published);
    // The chain step of docs/witness.md by another way than the check's.
    let mut step = blake3::Hasher::new_derive_key("wavewitness v1 chain");
    step.update(&bytes[..32 + 434 - 32]);
    assert_eq!(step.finalize().as_bytes()[..], bytes[434..466]);
    assert_eq!(evidence.entry, [&[2], &bytes[33..50], &bytes[434..466]].concat());
    assert_eq!(blake3::derive_key("wavewitness v1 output", &bytes[466..])[..], bytes[402..434]);
}

/// Flips bits of a proof one at a time, on as many threads as there are.
fn flip(made: &Made, bits: &[usize]) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for part in bits.chunks(bits.len() / threads + 1) {
            scope.spawn(move || {
                for &bit in part {
                    let mut changed = made.text.clone().into_bytes();
                    changed[bit / 8] ^= 1 << (bit % 8);
                    match pose::verify(&changed, &site().trust()) {
                        Err(error) => assert!(error.is_refusal(), "bit {bit}: {error}"),
                        Ok(proof) => panic!("bit {bit} is idle, or changes what is proven: {proof:?}"),
                    }
                }
            });
        }
    });
}

#[test]
fn every_flipped_bit_of_a_proof_is_found() {
    // Every bit of a small one (nobody is heard yet), a bit of every byte of one with all that can be published.
    let small = made(0);
    flip(&small, &(0..small.text.len() * 8).collect::<Vec<_>>());
    let large = made(431);
    assert!(large.text.len() > small.text.len());
    flip(&large, &(0..large.text.len()).map(|k| 8 * k + k % 8).collect::<Vec<_>>());
}

/// A proof whose evidence was changed and packed anew.
fn repacked(made: &Made, change: impl FnOnce(&mut TlogProof, &mut Evidence)) -> String {
    let mut proof = TlogProof::parse(made.text.as_bytes()).unwrap();
    let mut evidence = Evidence::from_canonical_bytes(proof.extra.as_ref().unwrap()).unwrap();
    change(&mut proof, &mut evidence);
    proof.extra = Some(evidence.to_canonical_bytes());
    let error = pose::verify(proof.text().as_bytes(), &site().trust()).unwrap_err();
    assert!(error.is_refusal());
    error.to_string()
}

/// A payload that was changed.
fn payload(evidence: &mut Evidence, change: impl FnOnce(&mut Payload)) {
    let mut payload = Payload::parse(&evidence.payload).unwrap();
    change(&mut payload);
    evidence.payload = payload.to_bytes();
}

#[test]
fn a_forger_is_stopped_at_the_step_that_he_can_not_make() {
    let made = made(431);
    let person = |published: &mut Vec<u8>| {
        let mut frame = PoseFrame::from_canonical_bytes(published).unwrap();
        frame.quality.frames += 1;
        *published = frame.to_canonical_bytes();
    };
    // Another pose.
    let why = repacked(&made, |_, e| payload(e, |p| person(&mut p.published)));
    assert!(why.contains("published bytes are not the ones"), "{why}");
    // And its digest in the record.
    let why = repacked(&made, |_, e| {
        payload(e, |p| {
            person(&mut p.published);
            p.record.output = pose_digest(&p.published);
        });
    });
    assert!(why.contains("chain value does not follow"), "{why}");
    // And its chain value.
    let again = |p: &mut Payload| {
        person(&mut p.published);
        p.record.output = pose_digest(&p.published);
        let mut before = p.record;
        before.chain = p.previous;
        p.record = Chain::after(&before).extend(p.record);
    };
    let why = repacked(&made, |_, e| payload(e, again));
    assert!(why.contains("does not stand for the record"), "{why}");
    // And the entry.
    let why = repacked(&made, |_, e| {
        let mut chain = Digest::ZERO;
        payload(e, |p| {
            again(p);
            chain = p.record.chain;
        });
        e.entry.splice(18.., chain.0);
    });
    assert!(why.contains("inclusion"), "{why}");
    // And a tree of that one entry, signed by a key of his own: by the log's name, but not certified.
    let why = repacked(&made, |proof, e| {
        let root = wavewitness_log::leaf_hash(&e.entry);
        let key = SignerKey::from_seed(ORIGIN, &[9; 32]).unwrap();
        proof.checkpoint = Checkpoint::new(ORIGIN, 1, root).sign(&[&key]).unwrap();
        (proof.index, proof.path) = (0, Vec::new());
    });
    assert!(why.contains("not signed by the key"), "{why}");
    // Another record of the log under this proof.
    let other = self::made(430);
    let evidence = TlogProof::parse(other.text.as_bytes()).unwrap().extra.unwrap();
    let evidence = Evidence::from_canonical_bytes(&evidence).unwrap();
    let why = repacked(&made, |_, e| e.payload = evidence.payload.clone());
    assert!(why.contains("does not stand for the record"), "{why}");
    // A tree that does not grow from the certified history.
    let why = repacked(&made, |_, e| e.consistency[0] = Hash([1; 32]));
    assert!(why.contains("certified history"), "{why}");
}

fn pose_digest(published: &[u8]) -> Digest {
    wavewitness_witness::Witness::output_digest(published)
}

#[test]
fn a_proof_is_of_no_other_log_and_of_no_other_key() {
    let made = made(10);
    let dir = log_site::common::scratch();
    for origin in [ORIGIN, "another.example"] {
        let key =
            wavewitness_ledger::key::create(&dir.path().join(origin.replace('/', "-")), origin).unwrap();
        let error = pose::verify(made.text.as_bytes(), &Trust { root_key: key, given: true }).unwrap_err();
        assert!(error.is_refusal(), "{error}");
    }
}

#[test]
fn an_entry_that_is_no_cycle_proves_no_pose() {
    // A true proof of the boot's entry, with a cycle's payload.
    let root = site().root.join("log");
    let mut dir = site().trust().open(&root).unwrap();
    let size = site().head(&root).size;
    let entry = dir.entry(2, size).unwrap();
    assert!(matches!(Entry::parse(&entry).unwrap(), Entry::Boot { .. }));
    let path = dir.inclusion(2, size).unwrap();
    let why = repacked(&made(0), |proof, e| {
        (proof.index, proof.path, e.entry) = (2, path, entry);
    });
    assert!(why.contains("does not stand for the record"), "{why}");
}

#[test]
fn what_can_not_be_proven_is_named_with_what_can() {
    let copy = site().copy();
    let text = unavailable(&copy, 600, None);
    assert!(text.contains("no cycle 600") && text.contains("cycles 0 to 599"), "{text}");
    let text = unavailable(&copy, 1, Some("00ff00ff00ff"));
    assert!(text.contains("no chain") && text.contains(&site().genesis.digest().to_string()[..16]), "{text}");
    // The chain by a few digits, or by its whole genesis digest.
    for digits in [4, 16, 64] {
        let chain = &site().genesis.digest().to_string()[..digits];
        prove(&site().trust(), &copy.log(), &copy.journal(), CycleIndex(1), Some(chain)).unwrap();
    }
    // Pruned.
    prune(&mut copy.writer(), 300, 0, Timestamp(2_000_000_000_000_000_000));
    let text = unavailable(&copy, 100, None);
    assert!(text.contains("pruned") && text.contains("cycles 252 to 599"), "{text}");
    assert_eq!(
        prove(&site().trust(), &copy.log(), &copy.journal(), CycleIndex(252), None).unwrap().proof.index,
        256
    );
}

#[test]
fn a_journal_that_was_rewritten_gives_no_proof() {
    let copy = site().copy();
    let chunks = log_site::common::read(&copy.journal());
    // The chain of another genesis: right in itself.
    let mut chain =
        Chain::new(&wavewitness_witness::Genesis { software: "x".into(), ..site().genesis.clone() });
    let mut last = Vec::new();
    let mut out = Vec::new();
    for mut chunk in chunks {
        use wavewitness_journal::Content;
        match &mut chunk.content {
            Content::Start { head, .. } => head.clone_from(&last),
            Content::Cycle { witness, .. } | Content::Entry { witness, .. } => {
                let w =
                    wavewitness_witness::Witness::from_canonical_bytes(witness.as_ref().unwrap()).unwrap();
                last = chain.extend(w).to_canonical_bytes();
                *witness = Some(last.clone());
            }
        }
        out.push(chunk);
    }
    fs::remove_dir_all(copy.journal()).unwrap();
    let id = wavewitness_journal::ChainId::from_digest(&site().genesis.digest().0);
    log_site::common::write(&copy.journal(), id, &out);
    let error = prove(&site().trust(), &copy.log(), &copy.journal(), CycleIndex(50), None).unwrap_err();
    assert!(
        error.is_refusal() && error.to_string().contains("signed another record for cycle 50"),
        "{error}"
    );
}

#[test]
fn an_old_checkpoint_is_a_beginning_of_the_present_log_or_it_is_said_why_not() {
    let trust = site().trust();
    let log = site().root.join("log");
    let old = fs::read(site().snapshot().join("checkpoint")).unwrap();
    let proven = consistency::prove(&trust, &log, &old, None).unwrap();
    assert_eq!((proven.from_size, proven.to_size), (305, 607));
    assert!(!proven.hashes.is_empty());
    let refused = |log: &Path, from: &[u8], to: Option<&[u8]>| {
        let error = consistency::prove(&trust, log, from, to).unwrap_err();
        assert!(error.is_refusal(), "{error}");
        error.to_string()
    };
    // Backwards: what was kept is of more entries than the log has now.
    let now = fs::read(log.join("checkpoint")).unwrap();
    assert!(refused(&log, &now, Some(&old)).contains("rolled back"));
    assert!(refused(&site().snapshot(), &now, None).contains("no certified key covers size 607"));
    // The same name and keys, another history: two logs of one root key.
    let copy = site().copy();
    fs::remove_dir_all(copy.log()).unwrap();
    fs::copy(site().root.join("root.key"), copy.path("root.key")).unwrap();
    let mut other = copy.writer();
    for _ in 0..2 {
        publish(&mut other, Timestamp(1));
        other
            .appender
            .append(&Entry::ClockStep { cycle: CycleIndex(1), from: Timestamp(1), to: Timestamp(2) })
            .unwrap();
    }
    let foreign = copy.read("log/checkpoint");
    let why = refused(&log, &foreign, None);
    assert!(why.contains("not signed by the key"), "{why}");
    // A checkpoint that was signed by a newer key than its size allows.
    let copy = site().copy();
    let newer = copy.rotate();
    let head = site().head(&site().snapshot());
    let resealed = newer.checkpoint(head.size, head.root).unwrap();
    let why = refused(&copy.log(), resealed.as_bytes(), None);
    assert!(why.contains("signed by the key of epoch 3"), "{why}");
    // Who has the present epoch key can sign another tree, but not one that holds the old checkpoint.
    let after = site().head(&copy.log());
    let forged = newer.checkpoint(after.size, Hash([3; 32])).unwrap();
    let why = refused(&copy.log(), &old, Some(forged.as_bytes()));
    assert!(why.contains("NOT CONSISTENT"), "{why}");
    // No note at all.
    assert!(refused(&log, b"hub.example/room\n1\n", None).contains("the earlier checkpoint"));
}

#[test]
fn what_a_key_may_be() {
    let root = &site().root;
    let text = site().key.to_string();
    assert_eq!(Trust::given(&text).unwrap(), site().trust());
    let beside = root.join("log/root.pub");
    assert_eq!(Trust::given(beside.to_str().unwrap()).unwrap(), site().trust());
    let secret = root.join("root.key");
    for (given, why) in [
        (secret.to_str().unwrap(), "SECRET"),
        ("nothing", "no verifier key"),
        (root.join("log/checkpoint").to_str().unwrap(), "holds no verifier key"),
        ("hub.example+a32fae39+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU", "no root key"),
    ] {
        let error = Trust::given(given).unwrap_err();
        assert!(matches!(error, LogError::Usage(_)) && error.to_string().contains(why), "{error}");
    }
}

fn runner(arguments: &[&str], code: i32) -> String {
    let out = Process::new(env!("CARGO_BIN_EXE_proof-runner")).args(arguments).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(code), "{arguments:?}: {text}");
    text
}

#[test]
fn the_commands_say_it_and_exit_with_it() {
    let copy = site().copy();
    let path = |name: &str| copy.path(name).to_str().unwrap().to_owned();
    let (log, journal, pin, proof) = (path("log"), path("journal"), path("pin"), path("proof"));
    let key = site().key.to_string();
    let all = ["fsck", &log, "--key", &key, "--journal", &journal, "--pin", &pin];
    let text = runner(&all, 0);
    assert!(
        text.contains("VERIFIED: the files give the signed root of 607 entries, and the journal"),
        "{text}"
    );
    assert!(text.contains("trust on first use"), "{text}");
    assert!(runner(&["fsck", &log], 0).contains("did not come by a safe way"));
    let prove = |cycle| {
        ["prove", "--cycle", cycle, "--log", &log, "--journal", &journal, "--key", &key, "-o", &proof]
    };
    assert!(runner(&prove("580"), 0).contains("proof of cycle 580"));
    assert!(runner(&prove("999"), 2).contains("cycles 0 to 599"));
    let text = runner(&["verify-proof", &proof, "--key", &key], 0);
    for part in ["PROVEN: cycle 580", "presence", "count", "not proven:", "came from the air"] {
        assert!(text.contains(part), "{text}");
    }
    let json = runner(&["verify-proof", &proof, "--key", &key, "--json"], 0);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["verified"], &value["proof"]["cycle"]), (&true.into(), &580.into()));
    runner(&["consistency", &log, "--key", &key, "--from", &pin], 0);
    let hashes = path("hashes");
    let old = site().snapshot().join("checkpoint").to_str().unwrap().to_owned();
    runner(&["consistency", &log, "--key", &key, "--from", &old, "-o", &hashes], 0);
    assert!(fs::read_to_string(&hashes).unwrap().lines().all(|l| Hash::from_base64(l).is_some()));
    // Faults.
    copy.edit("proof", |bytes| bytes[100] ^= 1);
    assert!(runner(&["verify-proof", &proof, "--key", &key], 1).contains("NOT VERIFIED"));
    copy.roll_back();
    let text = runner(&all, 1);
    assert!(text.contains("[rolled-back]") && text.contains("NOT VERIFIED"), "{text}");
    let json = runner(&["fsck", &log, "--key", &key, "--pin", &pin, "--json"], 1);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["report"]["faults"][0]["kind"], "rolled-back");
    runner(&["fsck", &path("nowhere"), "--key", &key], 2);
    runner(&["verify-proof", &proof, "--key", "nonsense"], 2);
    runner(&["verify-proof", &proof], 2);
}
