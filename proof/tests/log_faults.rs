//! Guards that every fault of a stored log, of its journal, and between the two is named as what it is: the table below
//! is what `proof-runner fsck --journal --pin` reports. Each row does one thing to a copy of an honest site. The rows
//! that report nothing say what can't be found without a pin.

mod log_site;

use log_site::common::{read as read_chunks, write as write_chunks};
use log_site::*;
use std::fs;
use std::path::{Path, PathBuf};
use wavewitness_journal::{ChainId, Chunk, Content};
use wavewitness_log::tile::push_entry;
use wavewitness_log::{Tree, bundle_entries};
use wavewitness_proof::log::fsck::{LogReport, Options, PinState, fsck};
use wavewitness_types::{Canonical, PoseFrame, Timestamp};
use wavewitness_witness::{Chain, Witness};

/// What is done, and everything that is reported then.
type Row = (&'static str, fn(&Copy), &'static [&'static str]);

const TABLE: &[Row] = &[
    ("nothing", |_| (), &[]),
    (
        "journal: a bit of its file",
        damaged_file,
        &["journal storage at cycle 320", "FAULT lost-damaged 320 to 320, 1 records"],
    ),
    ("journal: a bit of a datagram, seals made anew", payload_bit, &["journal inputs at cycle 320"]),
    ("journal: a bit of a pose, seals made anew", pose_bit, &["journal output at cycle 320"]),
    (
        "journal: a bit of a chain value, seals made anew",
        chain_bit,
        &[
            "journal chain at cycle 320",
            "journal chain at cycle 321",
            "FAULT rewritten 320 to 320, 1 records",
        ],
    ),
    (
        "journal: a pose changed, the chain computed anew",
        rechained,
        &["FAULT rewritten 320 to 599, 281 records"],
    ),
    (
        "journal: a cycle taken out, the chain computed anew",
        taken_out,
        &["FAULT lost 320 to 320, 1 records", "FAULT rewritten 321 to 599, 280 records"],
    ),
    ("journal: its end cut off", journal_cut, &["FAULT cut 550 to 599, 51 records"]),
    (
        "journal: its beginning deleted",
        |c| remove(&c.segments()[0]),
        &["FAULT lost-before 0 to 99, 101 records"],
    ),
    (
        "journal: a segment deleted",
        |c| remove(&c.segments()[2]),
        &[
            "journal storage at cycle 200",
            "journal continuity at cycle 199",
            "FAULT lost-damaged 200 to 299, 100 records",
        ],
    ),
    (
        "log: a bit of an entry",
        |c| c.edit("log/tile/entries/001", |b| b[20] ^= 1),
        &["FAULT leaf: entry 256 differs from its leaf hash", "note entry-gone 252 to 252, 1 records"],
    ),
    (
        "log: a bit of an entry's length",
        |c| c.edit("log/tile/entries/000", |b| b[0] ^= 0x40),
        &[
            "FAULT bundle: tile/entries/000: an entry ends behind the end of the bundle",
            "note follows from what can't be read: certificate: entry 264: the certificate must be of epoch 0; the stored certificate is good",
            "note follows from what can't be read: certificate: entry 525: the certificate must be of epoch 0; the stored certificate is good",
            "note follows from what can't be read: checkpoint: older checkpoint 0: no certified key covers size 244; the stored certificate is good",
            "note follows from what can't be read: checkpoint: older checkpoint 1: no certified key covers size 505; the stored certificate is good",
            "note follows from what can't be read: checkpoint: the latest checkpoint: no certified key covers size 607; the stored certificate is good",
            "note entry-gone 0 to 251, 253 records",
        ],
    ),
    (
        "log: two entries exchanged",
        swapped,
        &["FAULT swapped: entries 306 and 307", "note entry-gone 301 to 302, 2 records"],
    ),
    (
        "log: a bit of a tile of level 0",
        |c| c.edit("log/tile/0/001", |b| b[100] ^= 1),
        &["FAULT tile hash: tile/0/001, hash 3 differs from what is below it"],
    ),
    (
        "log: a bit of a tile of level 1",
        |c| c.edit("log/tile/1/000.p/2", |b| b[0] ^= 1),
        &["FAULT tile hash: tile/1/000.p/2, hash 0 differs from what is below it"],
    ),
    (
        "log: a bit of the checkpoint's root",
        |c| other_digit(c, "log/checkpoint", |_| 24),
        &[
            "FAULT root: the entries do not give the root of the latest checkpoint at size 607",
            "FAULT checkpoint: the latest checkpoint: the signature does not belong to the text and key",
        ],
    ),
    (
        "log: a bit of the checkpoint's signature",
        |c| other_digit(c, "log/checkpoint", |b| b.len() - 40),
        &["FAULT checkpoint: the latest checkpoint: the signature does not belong to the text and key"],
    ),
    (
        "log: the checkpoint's size made smaller",
        smaller,
        &[
            "FAULT rolled back: the pin knows a tree of 607 entries",
            "FAULT root: the entries do not give the root of the latest checkpoint at size 606",
            "FAULT checkpoint: the latest checkpoint: the signature does not belong to the text and key",
            "note unsigned tail: entries 606 to 606",
            "note unsigned 599 to 599, 1 records",
        ],
    ),
    (
        "log: the checkpoint deleted",
        |c| remove(&c.path("log/checkpoint")),
        &["FAULT checkpoint: there is none"],
    ),
    (
        "log: a bundle deleted",
        |c| remove(&c.path("log/tile/entries/001")),
        &[
            "FAULT missing: tile/entries/001",
            "note follows from what can't be read: certificate: entry 525: the certificate must be of epoch 1; the stored certificate is good",
            "note follows from what can't be read: checkpoint: older checkpoint 1: no certified key covers size 505; the stored certificate is good",
            "note follows from what can't be read: checkpoint: the latest checkpoint: no certified key covers size 607; the stored certificate is good",
            "note entry-gone 252 to 506, 255 records",
        ],
    ),
    (
        "log: a bundle and its tile deleted",
        |c| both(c, 1),
        &[
            "FAULT missing: tile/entries/001",
            "FAULT missing: tile/0/001",
            "note unjudged: the root of older checkpoint 1 at size 505 lies in a pruned or lost part",
            "note follows from what can't be read: certificate: entry 525: the certificate must be of epoch 1; the stored certificate is good",
            "note follows from what can't be read: checkpoint: older checkpoint 1: no certified key covers size 505; the stored certificate is good",
            "note follows from what can't be read: checkpoint: the latest checkpoint: no certified key covers size 607; the stored certificate is good",
            "note entry-gone 252 to 506, 255 records",
        ],
    ),
    (
        "log: the first bundle and its tile deleted",
        |c| both(c, 0),
        &[
            "FAULT retention: entries before 256 may be gone, but the log announced 0",
            "note unjudged: the root of older checkpoint 0 at size 244 lies in a pruned or lost part",
            "note follows from what can't be read: certificate: entry 264: the certificate must be of epoch 0; the stored certificate is good",
            "note follows from what can't be read: certificate: entry 525: the certificate must be of epoch 0; the stored certificate is good",
            "note follows from what can't be read: checkpoint: older checkpoint 0: no certified key covers size 244; the stored certificate is good",
            "note follows from what can't be read: checkpoint: older checkpoint 1: no certified key covers size 505; the stored certificate is good",
            "note follows from what can't be read: checkpoint: the latest checkpoint: no certified key covers size 607; the stored certificate is good",
            "note entry-gone 0 to 251, 253 records",
        ],
    ),
    (
        "log: a bundle cut off",
        |c| entries(c, 1, |all| all.truncate(100)),
        &[
            "FAULT bundle short: tile/entries/001 holds fewer than 256 entries",
            "note follows from what can't be read: certificate: entry 525: the certificate must be of epoch 1; the stored certificate is good",
            "note follows from what can't be read: checkpoint: older checkpoint 1: no certified key covers size 505; the stored certificate is good",
            "note follows from what can't be read: checkpoint: the latest checkpoint: no certified key covers size 607; the stored certificate is good",
            "note entry-gone 252 to 506, 255 records",
        ],
    ),
    (
        "log: a bundle cut off within an entry",
        |c| c.edit("log/tile/entries/001", |b| b.truncate(5000)),
        &[
            "FAULT bundle: tile/entries/001: an entry ends behind the end of the bundle",
            "note follows from what can't be read: certificate: entry 525: the certificate must be of epoch 1; the stored certificate is good",
            "note follows from what can't be read: checkpoint: older checkpoint 1: no certified key covers size 505; the stored certificate is good",
            "note follows from what can't be read: checkpoint: the latest checkpoint: no certified key covers size 607; the stored certificate is good",
            "note entry-gone 252 to 506, 255 records",
        ],
    ),
    (
        "log: its end cut off",
        last_bundle,
        &[
            "FAULT truncated: 512 entries are stored, 607 were signed",
            "note unjudged: the root of the pin at size 607 lies in a pruned or lost part",
            "note unjudged: the root of the latest checkpoint at size 607 lies in a pruned or lost part",
            "note follows from what can't be read: checkpoint: the latest checkpoint: no certified key covers size 607; the stored certificate is good",
            "note entry-gone 507 to 599, 94 records",
        ],
    ),
    (
        "log: a tile cut off",
        |c| c.edit("log/tile/0/001", |b| b.truncate(100)),
        &["FAULT tile length: tile/0/001 is not 256 hashes"],
    ),
    (
        "log: a bit of a stored certificate",
        |c| c.edit("log/certificates/000001", |b| b[40] ^= 1),
        &["FAULT certificate: stored certificate of epoch 1: the text is not a certificate's"],
    ),
    (
        "log: an entry changed and every tile computed anew",
        rewritten,
        &[
            "FAULT root: the entries do not give the root of older checkpoint 1 at size 505",
            "FAULT certificate: entry 525: the certificate says another root of the tree before it",
            "FAULT root: the entries do not give the root of the pin at size 607",
            "FAULT root: the entries do not give the root of the latest checkpoint at size 607",
            "FAULT rewritten 301 to 301, 1 records",
        ],
    ),
    (
        "log: another key beside it",
        |c| c.edit("log/root.pub", |b| b[45] ^= 1),
        &["FAULT root key: root.pub beside the log is not the key that was given"],
    ),
    (
        "log: made anew with another root key",
        other_key,
        &[
            "FAULT rolled back: the pin knows a tree of 607 entries",
            "FAULT certificate: entry 0: the note is not signed by the key",
            "FAULT checkpoint: the latest checkpoint: no certified key covers size 1",
            "FAULT certificate: stored certificate of epoch 0: the note is not signed by the key",
            "FAULT root key: root.pub beside the log is not the key that was given",
            "note unsigned 0 to 599, 602 records",
        ],
    ),
    (
        "log: an old size sealed again with a newer key",
        resealed,
        &[
            "FAULT rolled back: older checkpoint 1 knows a tree of 505 entries",
            "FAULT rolled back: the pin knows a tree of 607 entries",
            "FAULT checkpoint: the latest checkpoint: size 305 is signed by the key of epoch 3, but the key of epoch 1 is valid there",
            "note unsigned tail: entries 305 to 607",
            "note unsigned 300 to 599, 301 records",
        ],
    ),
    (
        "log: an old checkpoint sealed again with a newer key, among the older ones",
        resealed_older,
        &[
            "FAULT checkpoint: older checkpoint 1: size 305 is signed by the key of epoch 3, but the key of epoch 1 is valid there",
        ],
    ),
    (
        "log: rolled back, with a pin",
        |c| c.roll_back(),
        &["FAULT rolled back: the pin knows a tree of 607 entries", "note unsigned 300 to 599, 301 records"],
    ),
    ("log: rolled back, no pin", |c| c.roll_back(), &["note unsigned 300 to 599, 301 records"]),
    (
        "log: not signed since cycle 299, no pin",
        unsigned,
        &["note unsigned tail: entries 305 to 606", "note unsigned 300 to 599, 301 records"],
    ),
    ("both rolled back, with a pin", both_back, &["FAULT rolled back: the pin knows a tree of 607 entries"]),
    ("both rolled back, no pin", both_back, &[]),
];

/// The cycle to which harm is done.
const CYCLE: u64 = 320;

fn remove(path: &Path) {
    fs::remove_file(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// File and place of a cycle's chunk.
fn chunk(c: &Copy, cycle: u64) -> (PathBuf, usize) {
    let chunks = read_chunks(&c.journal());
    let chunk = chunks.iter().find(|c| c.cycle().is_some_and(|n| n.0 == cycle)).unwrap();
    (c.journal().join(chunk.segment.file()), chunk.offset as usize)
}

fn damaged_file(c: &Copy) {
    let (path, offset) = chunk(c, CYCLE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[offset + 300] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Changes the chunks of the journal and writes it with right seals: only the witness can tell.
fn resealed_journal(c: &Copy, change: impl FnOnce(&mut Vec<Chunk>)) {
    let mut chunks = read_chunks(&c.journal());
    change(&mut chunks);
    fs::remove_dir_all(c.journal()).unwrap();
    write_chunks(&c.journal(), ChainId::from_digest(&site().genesis.digest().0), &chunks);
}

/// Parts of the harmed cycle: events, witness, pose.
fn cycle(chunks: &mut [Chunk]) -> (&mut Vec<Vec<u8>>, &mut Vec<u8>, &mut Vec<u8>) {
    let chunk = chunks.iter_mut().find(|c| c.cycle().is_some_and(|n| n.0 == CYCLE)).unwrap();
    match &mut chunk.content {
        Content::Cycle { events, witness, pose, .. } => {
            (events, witness.as_mut().unwrap(), pose.as_mut().unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn payload_bit(c: &Copy) {
    resealed_journal(c, |chunks| *cycle(chunks).0[0].last_mut().unwrap() ^= 1);
}

fn pose_bit(c: &Copy) {
    resealed_journal(c, |chunks| *cycle(chunks).2.last_mut().unwrap() ^= 1);
}

fn chain_bit(c: &Copy) {
    resealed_journal(c, |chunks| *cycle(chunks).1.last_mut().unwrap() ^= 1);
}

/// What somebody with the journal and this software can do: digests and chain values that are right again.
fn chain_anew(chunks: &mut [Chunk]) {
    let mut chain = Chain::new(&site().genesis);
    let mut last = Vec::new();
    for chunk in chunks {
        match &mut chunk.content {
            Content::Start { head, .. } => head.clone_from(&last),
            Content::Cycle { witness, pose, .. } => {
                let mut w = Witness::from_canonical_bytes(witness.as_ref().unwrap()).unwrap();
                w.output = Witness::output_digest(pose.as_ref().unwrap());
                last = chain.extend(w).to_canonical_bytes();
                *witness = Some(last.clone());
            }
            Content::Entry { witness, .. } => {
                let w = Witness::from_canonical_bytes(witness.as_ref().unwrap()).unwrap();
                last = chain.extend(w).to_canonical_bytes();
                *witness = Some(last.clone());
            }
        }
    }
}

fn rechained(c: &Copy) {
    resealed_journal(c, |chunks| {
        let pose = cycle(chunks).2;
        let mut frame = PoseFrame::from_canonical_bytes(pose).unwrap();
        frame.quality.frames += 1;
        *pose = frame.to_canonical_bytes();
        chain_anew(chunks);
    });
}

fn taken_out(c: &Copy) {
    resealed_journal(c, |chunks| {
        chunks.retain(|c| c.cycle().is_none_or(|n| n.0 != CYCLE));
        chain_anew(chunks);
    });
}

/// As a crash would leave it, so that the journal alone can't tell: under its final name a segment has its trailer.
fn journal_cut(c: &Copy) {
    let (path, offset) = chunk(c, 550);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(format!("{}.part", path.display()), &bytes[..offset + 300]).unwrap();
}

/// Another digit of base64 at a place.
fn other_digit(c: &Copy, name: &str, place: impl FnOnce(&[u8]) -> usize) {
    c.edit(name, |bytes| {
        let k = place(bytes);
        bytes[k] = if bytes[k] == b'A' { b'B' } else { b'A' };
    });
}

/// Makes a bundle of changed entries.
fn entries(c: &Copy, bundle: u64, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    c.edit(&format!("log/tile/entries/{bundle:03}"), |bytes| {
        let mut all: Vec<Vec<u8>> = bundle_entries(bytes).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        change(&mut all);
        bytes.clear();
        all.iter().for_each(|e| assert!(push_entry(bytes, e)));
    });
}

fn swapped(c: &Copy) {
    entries(c, 1, |all| all.swap(50, 51));
}

fn both(c: &Copy, bundle: u64) {
    remove(&c.path(&format!("log/tile/entries/{bundle:03}")));
    remove(&c.path(&format!("log/tile/0/{bundle:03}")));
}

fn last_bundle(c: &Copy) {
    fs::remove_dir_all(c.path("log/tile/entries/002.p")).unwrap();
}

/// The size in the checkpoint and nothing else.
fn smaller(c: &Copy) {
    c.edit("log/checkpoint", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let size = site().head(&site().root.join("log")).size;
        *bytes = text.replacen(&size.to_string(), &(size - 1).to_string(), 1).into_bytes();
    });
}

/// One entry changed, and all tiles made of what is then there; nobody but a signer can do more.
fn rewritten(c: &Copy) {
    entries(c, 1, |all| *all[50].last_mut().unwrap() ^= 1);
    let mut tree = Tree::default();
    let put = |path: wavewitness_log::TilePath, bytes: &[u8]| c.write(&format!("log/{path}"), bytes);
    let size = site().head(&c.log()).size;
    for bundle in ["000".to_owned(), "001".to_owned(), format!("002.p/{}", size % 256)] {
        for entry in bundle_entries(&c.read(&format!("log/tile/entries/{bundle}"))).unwrap() {
            tree.append(entry, put).unwrap();
        }
    }
    tree.partials(0, put);
}

/// A log of the same name by somebody else, whose root key lies beside it.
fn other_key(c: &Copy) {
    fs::remove_dir_all(c.log()).unwrap();
    wavewitness_ledger::key::create(&c.path("other.key"), ORIGIN).unwrap();
    let mut log = open(&c.log(), &c.path("other.key"), Timestamp(1));
    publish(&mut log, Timestamp(1));
}

fn resealed(c: &Copy) {
    let newer = c.rotate();
    let old = site().head(&site().snapshot());
    c.write("log/checkpoint", newer.checkpoint(old.size, old.root).unwrap().as_bytes());
}

fn resealed_older(c: &Copy) {
    let newer = c.rotate();
    let old = site().head(&site().snapshot());
    let note = newer.checkpoint(old.size, old.root).unwrap();
    c.write(&format!("log/checkpoints/{}", old.size), note.as_bytes());
}

/// What a crash leaves between storing and signing.
fn unsigned(c: &Copy) {
    fs::copy(site().snapshot().join("checkpoint"), c.path("log/checkpoint")).unwrap();
    for older in fs::read_dir(c.path("log/checkpoints")).unwrap() {
        let path = older.unwrap().path();
        let size: u64 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        if size > site().head(&site().snapshot()).size {
            remove(&path);
        }
    }
}

/// Log and journal as they were.
fn both_back(c: &Copy) {
    c.roll_back();
    c.segments()[3..].iter().for_each(|s| remove(s));
}

fn reported(report: &LogReport) -> Vec<String> {
    let mut out = Vec::new();
    out.extend(report.faults.iter().map(|f| format!("FAULT {}", f.detail)));
    out.extend(report.notices.iter().map(|f| format!("note {}", f.detail)));
    let journal = report.journal.as_ref().unwrap();
    for f in journal.report.findings() {
        out.push(format!("journal {} at cycle {}", f.kind.name(), f.cycle.unwrap_or(0)));
    }
    for run in &journal.differences {
        let mark = if run.kind.is_notice() { "note" } else { "FAULT" };
        let (first, last) = (run.first_cycle, run.last_cycle);
        out.push(format!("{mark} {} {first} to {last}, {} records", run.kind.name(), run.records));
    }
    out
}

#[test]
fn every_fault_is_named_as_what_it_is() {
    let mut wrong = String::new();
    for (name, harm, expected) in TABLE {
        let copy = site().copy();
        let pin = copy.path("pin");
        if !name.ends_with("no pin") {
            fs::copy(copy.path("log/checkpoint"), &pin).unwrap();
        }
        harm(&copy);
        let before = fs::read(&pin).ok();
        let (log, journal) = (copy.log(), copy.journal());
        let options = Options { journal: Some(&journal), pin: Some(&pin) };
        let report = fsck(&site().trust(), &log, &options, &mut |_, _| {}).unwrap();
        let found = reported(&report);
        if found != *expected {
            wrong +=
                &format!("{name}:\n{}\n", found.iter().map(|l| format!("    {l:?},\n")).collect::<String>());
        }
        let fault = expected.iter().any(|l| !l.starts_with("note"));
        assert_eq!(report.is_clean(), !fault, "{name}: {report}");
        // A pin never follows a fault.
        if fault {
            assert_eq!(report.pin.as_ref().unwrap().state, PinState::Kept, "{name}");
            assert_eq!(fs::read(&pin).ok(), before, "{name}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
