//! Guards the signed texts: the specification's own example, strict forms, key epochs and proof files.

mod common;

use common::{Log, ORIGIN, cycle_entry, root_key, root_verifier};
use wavewitness_log::{
    Checkpoint, CheckpointFault, EpochFault, EpochKey, Evidence, Hash, KeyFault, KeyHistory, Note, NoteFault,
    SignerKey, StoredTiles, TlogProof, TlogProofFault, VerifierKey, consistency, inclusion, leaf_hash,
};
use wavewitness_types::{Canonical, Timestamp};

/// The example that Go's `sumdb/note` documents: key pair, text and signature by other software.
const GO_SIGNER: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn a_note_of_other_software_is_signed_and_verified_bit_for_bit() {
    let signer = SignerKey::parse(GO_SIGNER).unwrap();
    let verifier = VerifierKey::parse(GO_VERIFIER).unwrap();
    assert_eq!(signer.verifier(), &verifier);
    assert_eq!(verifier.to_string(), GO_VERIFIER);
    assert_eq!(*signer.secret_text(), GO_SIGNER);
    let note = Note::parse(GO_NOTE.as_bytes()).unwrap();
    assert_eq!(note.verify(&verifier), Ok(()));
    assert_eq!(Note::sign(&note.text, &[&signer]).unwrap(), GO_NOTE);
    assert!(!format!("{signer:?}").contains("AYEK"), "a secret is never shown");
}

#[test]
fn every_changed_byte_of_a_note_is_refused() {
    let verifier = VerifierKey::parse(GO_VERIFIER).unwrap();
    for k in 0..GO_NOTE.len() {
        for bit in 0..8 {
            let mut changed = GO_NOTE.as_bytes().to_vec();
            changed[k] ^= 1 << bit;
            let result = Note::parse(&changed).and_then(|n| n.verify(&verifier));
            assert!(result.is_err(), "byte {k} bit {bit}");
        }
        assert!(Note::parse(&GO_NOTE.as_bytes()[..k]).is_err(), "cut at {k}");
    }
}

#[test]
fn unknown_signatures_are_ignored_and_every_own_one_must_hold() {
    let [a, b] = [1, 2].map(|k| SignerKey::from_seed("a.example", &[k; 32]).unwrap());
    let both = Note::parse(Note::sign("x\n\ny\n", &[&a, &b]).unwrap().as_bytes()).unwrap();
    assert_eq!(both.text, "x\n\ny\n", "a text may hold empty lines");
    assert_eq!((both.verify(a.verifier()), both.verify(b.verifier())), (Ok(()), Ok(())));
    let mut repeated = both.clone();
    repeated.signatures.push(repeated.signatures[0].clone());
    repeated.signatures[2].bytes[0] ^= 1;
    assert_eq!(repeated.verify(a.verifier()), Err(NoteFault::BadSignature));
    assert_eq!(repeated.verify(b.verifier()), Ok(()));
    let other = SignerKey::from_seed("b.example", &[1; 32]).unwrap();
    assert_eq!(both.verify(other.verifier()), Err(NoteFault::NotSigned), "same bytes, other name");
}

#[test]
fn malformed_notes_and_keys_are_refused() {
    let key = SignerKey::from_seed("a.example", &[1; 32]).unwrap();
    assert_eq!(Note::sign("no newline", &[&key]), Err(NoteFault::Shape));
    assert_eq!(Note::sign("tab\t\n", &[&key]), Err(NoteFault::Text));
    assert_eq!(Note::sign("unsigned\n", &[]), Err(NoteFault::Shape));
    let line = "— a.example AAAAAAA=\n";
    assert!(Note::parse(format!("x\n\n{line}").as_bytes()).is_ok());
    let bad = [
        "x\n\n- a.example AAAAAAA=\n",
        "x\n\n— a+b AAAAAAA=\n",
        "x\n\n—  AAAAAAA=\n",
        "x\n\n— a.example AAAAAA==\n",
        "x\n\n— a.example AAAAAAB=\n",
        "x\n\n— a.example AAAAAAA\n",
        "x\n\n— a AAAAAAA= \n",
        "x\n\n\n",
    ];
    for note in bad {
        assert!(Note::parse(note.as_bytes()).is_err(), "{note:?}");
    }
    let many = format!("x\n\n{}", line.repeat(65));
    assert_eq!(Note::parse(many.as_bytes()), Err(NoteFault::TooManySignatures));
    assert!(Note::parse(format!("x\n\n{}", line.repeat(64)).as_bytes()).is_ok());

    for name in ["", "a b", "a+b", "a\u{2003}b", "a\n"] {
        assert_eq!(SignerKey::from_seed(name, &[1; 32]).err(), Some(KeyFault::Name), "{name:?}");
    }
    assert_eq!(VerifierKey::parse(&GO_VERIFIER.replace("c74f20a3", "c74f20a4")).err(), Some(KeyFault::Id));
    assert_eq!(VerifierKey::parse(&GO_VERIFIER.replace("c74f20a3", "C74F20A3")).err(), Some(KeyFault::Id));
    assert_eq!(VerifierKey::parse(&GO_VERIFIER.replace("+ARpc", "+Axpc")).err(), Some(KeyFault::Algorithm));
    assert_eq!(SignerKey::parse(GO_VERIFIER).err(), Some(KeyFault::Format));
    assert_eq!(SignerKey::parse(&GO_SIGNER.replace("AYEKF", "AYEKE")).err(), Some(KeyFault::Id));
    let zero = format!("a+00000000+AQ{}", "A".repeat(42));
    assert_eq!(
        VerifierKey::parse(&zero).err(),
        Some(KeyFault::Point),
        "a key of small order signs for everybody"
    );
}

#[test]
fn checkpoints_have_one_form() {
    let root = leaf_hash(b"x");
    let checkpoint = Checkpoint::new(ORIGIN, 42, root);
    assert_eq!(Checkpoint::parse_text(&checkpoint.text()), Some(checkpoint.clone()));
    let extended = Checkpoint { extensions: vec!["a".into(), "b c".into()], ..checkpoint.clone() };
    assert_eq!(Checkpoint::parse_text(&extended.text()), Some(extended));
    let good = format!("{ORIGIN}\n42\n{root}\n");
    for (from, to) in [
        ("42", "042"),
        ("42", "+42"),
        ("42", "-1"),
        ("42", "9223372036854775808"),
        ("42", ""),
        ("42", "4 2"),
        (ORIGIN, ""),
        ("=\n", "\n"),
        ("=\n", "==\n"),
        ("=\n", "="),
        ("=\n", "=\n\n"),
    ] {
        assert_eq!(Checkpoint::parse_text(&good.replace(from, to)), None, "{from:?} as {to:?}");
    }
    let key = SignerKey::from_seed(ORIGIN, &[3; 32]).unwrap();
    let note = checkpoint.sign(&[&key]).unwrap();
    assert_eq!(Checkpoint::open(note.as_bytes(), ORIGIN, key.verifier()), Ok(checkpoint));
    assert_eq!(Checkpoint::open(note.as_bytes(), "other", key.verifier()), Err(CheckpointFault::Origin));
    let broken = Checkpoint::new("two\nlines", 1, root);
    assert_eq!(broken.sign(&[&key]), Err(CheckpointFault::Text));
}

/// Three epochs: from entry 0, 11 and 22; a checkpoint in each.
fn three_epochs() -> Log {
    let mut log = Log::default();
    for _ in 0..3 {
        log.rotate(log.tree.size() + 100);
        log.cycles(10);
        log.sign();
    }
    log
}

fn history(log: &Log) -> KeyHistory {
    let mut keys = KeyHistory::new(ORIGIN, root_verifier());
    for (k, certificate) in log.certificates.iter().enumerate() {
        keys.add(11 * k as u64, certificate.as_bytes()).unwrap();
    }
    keys
}

#[test]
fn a_checkpoint_is_good_only_by_the_key_of_its_epoch() {
    let log = three_epochs();
    let keys = history(&log);
    for (note, size) in log.checkpoints.iter().zip([11, 22, 33]) {
        assert_eq!(keys.open(note).map(|c| c.size), Ok(size));
    }
    // An older size sealed again with a newer key, and a newer size with an older key.
    let root = leaf_hash(b"rewritten");
    let wrong = |epoch: usize, size, valid| {
        let note = log.epochs[epoch].checkpoint(size, root).unwrap();
        let fault = CheckpointFault::WrongEpoch { size, signed_by: epoch as u64, valid };
        assert_eq!(keys.open(note.as_bytes()), Err(fault));
    };
    wrong(2, 11, 0);
    wrong(2, 22, 1);
    wrong(1, 23, 2);
    wrong(0, 12, 1);
    // Behind the last certificate's own limit no key is valid.
    let late = log.epochs[2].checkpoint(123, root).unwrap();
    assert_eq!(keys.open(late.as_bytes()), Err(CheckpointFault::NoKeyForSize { size: 123 }));
    assert!(keys.open(log.epochs[2].checkpoint(122, root).unwrap().as_bytes()).is_ok());
    let empty = log.epochs[0].checkpoint(0, Hash::EMPTY_ROOT).unwrap();
    assert_eq!(keys.open(empty.as_bytes()), Err(CheckpointFault::NoKeyForSize { size: 0 }));
    let stranger = EpochKey::from_seed(ORIGIN, &[99; 32]).unwrap();
    let note = stranger.checkpoint(33, root).unwrap();
    assert_eq!(keys.open(note.as_bytes()), Err(CheckpointFault::Note(NoteFault::NotSigned)));
}

#[test]
fn certificates_follow_one_another_and_are_the_root_key_s() {
    let log = three_epochs();
    let add = |list: &[(u64, &str)]| {
        let mut keys = KeyHistory::new(ORIGIN, root_verifier());
        list.iter().try_for_each(|(index, note)| keys.add(*index, note.as_bytes()).map(|_| ()))
    };
    let [a, b, c] = [0, 1, 2].map(|k| log.certificates[k].as_str());
    assert_eq!(add(&[(0, a), (11, b), (22, c)]), Ok(()));
    assert_eq!(add(&[(0, a), (22, c)]), Err(EpochFault::Number { expected: 1 }));
    assert_eq!(add(&[(0, a), (12, b)]), Err(EpochFault::Place));
    assert_eq!(
        add(&[(0, &a.replace("until 100", "until 101"))]),
        Err(EpochFault::Note(NoteFault::BadSignature))
    );
    assert_eq!(add(&[(0, &a.replace("epoch 0", "epoch 00"))]), Err(EpochFault::Text));
    assert_eq!(add(&[(0, std::str::from_utf8(&log.checkpoints[0]).unwrap())]), Err(EpochFault::Text));
    let impostor =
        wavewitness_log::RootKey::new(SignerKey::from_seed("example.com/hub/root", &[77; 32]).unwrap());
    let head = (0, Hash::EMPTY_ROOT);
    let forged = impostor.certify(&log.epochs[0], 0, head, 9, Timestamp(1)).unwrap();
    assert_eq!(add(&[(0, &forged)]), Err(EpochFault::Note(NoteFault::NotSigned)));
    assert_eq!(root_key().certify(&log.epochs[0], 0, (5, head.1), 5, Timestamp(1)), Err(EpochFault::Range));
    let other = EpochKey::from_seed("other.example", &[1; 32]).unwrap();
    let elsewhere = root_key().certify(&other, 0, head, 9, Timestamp(1)).unwrap();
    assert_eq!(add(&[(0, &elsewhere)]), Err(EpochFault::Origin));
    // A certificate is no checkpoint of any log.
    assert_eq!(Checkpoint::parse_text(&Note::parse(a.as_bytes()).unwrap().text), None);
}

fn proof_of(log: &mut Log, index: u64) -> TlogProof {
    let size = log.tree.size();
    let mut tiles = StoredTiles::new(&mut log.store, size);
    let path = inclusion(&mut tiles, index, size).unwrap();
    let evidence = Evidence {
        entry: log.entries[index as usize].clone(),
        certificate: log.certificates[2].clone(),
        consistency: consistency(&mut tiles, 22, size).unwrap(),
        payload: b"record and published bytes".to_vec(),
    };
    let checkpoint = String::from_utf8(log.checkpoints[2].clone()).unwrap();
    TlogProof { extra: Some(evidence.to_canonical_bytes()), index, path, checkpoint }
}

#[test]
fn a_proof_file_convinces_with_the_root_key_alone_and_any_change_spoils_it() {
    let mut log = three_epochs();
    let key = root_verifier();
    for index in 0..log.tree.size() {
        let text = proof_of(&mut log, index).text();
        let read = TlogProof::parse(text.as_bytes()).unwrap();
        assert_eq!(read.text(), text);
        let (head, evidence) = read.verify_offline(ORIGIN, &key).unwrap();
        assert_eq!((head.size, &evidence.entry), (33, &log.entries[index as usize]));
    }
    let proof = proof_of(&mut log, 5);
    let text = proof.text();
    let payload_bytes = text.find("index ").unwrap() - 45..text.find("index ").unwrap();
    for k in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        changed[k] ^= 1;
        let verified = TlogProof::parse(&changed).and_then(|p| p.verify_offline(ORIGIN, &key));
        // The payload is not authenticated by the file: the caller checks it against the entry.
        assert!(verified.is_err() || payload_bytes.contains(&k), "byte {k}");
    }
    let bare = TlogProof { extra: None, ..proof.clone() };
    assert_eq!(bare.verify_offline(ORIGIN, &key).err(), Some(TlogProofFault::NoEvidence));
    assert!(TlogProof::parse(bare.text().as_bytes()).is_ok_and(|p| p == bare));
    let keys = history(&log);
    let other = cycle_entry(999).to_canonical_bytes();
    assert!(bare.verify(&log.entries[5], |note| keys.open(note)).is_ok());
    assert!(matches!(bare.verify(&other, |note| keys.open(note)), Err(TlogProofFault::Inclusion(_))));
}

#[test]
fn a_thief_of_an_epoch_key_can_t_prove_another_past() {
    let honest = three_epochs();
    // The thief has the third key and builds a log in which entry 5 differs.
    let mut forged = Log::default();
    for (k, entry) in honest.entries.iter().enumerate() {
        let entry = if k == 5 { cycle_entry(999).to_canonical_bytes() } else { entry.clone() };
        forged.append_bytes(&entry);
    }
    forged.certificates = honest.certificates.clone();
    forged.epochs = (0..3).map(|k| EpochKey::from_seed(ORIGIN, &[10 + k; 32]).unwrap()).collect();
    forged.checkpoints = honest.checkpoints.clone();
    forged.sign();
    forged.checkpoints.swap(2, 3);
    let proof = proof_of(&mut forged, 5);
    let refused = proof.verify_offline(ORIGIN, &root_verifier());
    assert!(matches!(refused, Err(TlogProofFault::History(_))), "{refused:?}");
}
