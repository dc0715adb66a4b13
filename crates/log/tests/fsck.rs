//! Guards the check of a stored log: each kind of damage, alone, is told as exactly what it is and where.

mod common;

use common::{Log, ORIGIN, cycle_entry, root_verifier};
use wavewitness_log::{
    CheckpointFault, Entry, EpochFault, EpochKey, Fault, Input, KeptEntry, NoteFault, Pin, StoredTiles,
    Subject, Summary, TilePath, Watch, fsck, inclusion, leaf_hash, prune, verify_inclusion,
};
use wavewitness_types::{Canonical, CycleIndex, Timestamp};

#[derive(Default)]
struct Seen {
    faults: Vec<Fault>,
    signed: u64,
    tail: u64,
}

impl Watch for Seen {
    fn entry(&mut self, _: u64, _: &Entry, signed: bool) {
        if signed { self.signed += 1 } else { self.tail += 1 }
    }

    fn fault(&mut self, fault: Fault) {
        assert!(!fault.to_string().is_empty());
        self.faults.push(fault);
    }
}

/// What a verifier is given.
struct Case {
    log: Log,
    checkpoint: Vec<u8>,
    older: Vec<Vec<u8>>,
    pin: Option<Pin>,
    minimum_index: u64,
    kept: Vec<KeptEntry>,
    stored: u64,
}

impl Case {
    fn of(mut log: Log) -> Case {
        let checkpoint = log.checkpoints.pop().unwrap();
        let (older, stored) = (std::mem::take(&mut log.checkpoints), log.tree.size());
        Case { log, checkpoint, older, pin: None, minimum_index: 0, kept: Vec::new(), stored }
    }

    fn check(&mut self) -> (Seen, Summary) {
        let (mut seen, root_key) = (Seen::default(), root_verifier());
        let input = Input {
            origin: ORIGIN,
            root_key: &root_key,
            checkpoint: &self.checkpoint,
            older: &self.older,
            pin: self.pin,
            minimum_index: self.minimum_index,
            kept: &self.kept,
            stored: self.stored,
        };
        let summary = fsck(&mut self.log.store, &input, &mut seen);
        assert_eq!(summary.faults, seen.faults.iter().filter(|f| !f.is_notice()).count() as u64);
        (seen, summary)
    }
}

/// 900 entries, certificates at 0 and 400, checkpoints at 300, 401, 700 and 900.
fn log() -> Log {
    let mut log = Log::default();
    log.rotate(100_000);
    log.cycles(299);
    log.sign();
    log.cycles(100);
    log.rotate(100_000);
    log.sign();
    log.cycles(299);
    log.sign();
    log.cycles(200);
    log.sign();
    log
}

fn honest() -> Case {
    Case::of(log())
}

#[test]
fn an_honest_log_is_proven() {
    let mut case = honest();
    let (seen, summary) = case.check();
    assert_eq!(seen.faults, []);
    assert_eq!(seen.signed, 900);
    let proven = summary.proven.unwrap();
    assert_eq!(proven, Pin { size: 900, root: case.log.tree.root() });
    case.pin = Some(proven);
    assert_eq!(case.check().0.faults, []);
    assert_eq!(summary.keys.certificates().len(), 2);
}

/// Another letter of base64.
fn exchange_letter(byte: &mut u8) {
    *byte = if *byte == b'A' { b'B' } else { b'A' };
}

fn leaf_tile(n: u64, width: u16) -> TilePath {
    TilePath::hashes(0, n, width)
}

type Edit = fn(&mut Case);
type Table = Vec<(&'static str, Edit, Vec<Fault>)>;

fn bundle(n: u64, width: u16) -> TilePath {
    TilePath::entries(n, width)
}

fn refused(fault: CheckpointFault) -> Fault {
    Fault::Checkpoint { subject: Subject::Latest, fault }
}

fn damaged_bundles() -> Table {
    vec![
        (
            "flip in a full bundle",
            |c| c.log.store.flip("tile/entries/002", 60),
            vec![Fault::Leaf { index: 513 }],
        ),
        (
            "flip in the partial bundle",
            |c| c.log.store.flip("tile/entries/003.p/132", 60),
            vec![Fault::Leaf { index: 769 }],
        ),
        (
            "flip of a length in a bundle",
            |c| c.log.store.flip("tile/entries/002", 0),
            vec![Fault::Bundle { path: bundle(2, 256), fault: wavewitness_log::BundleFault::Truncated }],
        ),
        ("missing bundle", |c| c.log.store.remove("tile/entries/002"), vec![Fault::Missing(bundle(2, 256))]),
        (
            "a bundle cut between entries",
            |c| c.log.store.files.get_mut("tile/entries/002").unwrap().truncate(520),
            vec![Fault::BundleShort(bundle(2, 256))],
        ),
        (
            "swapped entries",
            |c| {
                let file = c.log.store.files.get_mut("tile/entries/002").unwrap();
                let (a, b) = (file[..52].to_vec(), file[104..156].to_vec());
                file[..52].copy_from_slice(&b);
                file[104..156].copy_from_slice(&a);
            },
            vec![Fault::Swapped { first: 512, second: 514 }],
        ),
    ]
}

fn damaged_tiles() -> Table {
    vec![
        (
            "flip in a leaf tile",
            |c| c.log.store.flip("tile/0/002", 33),
            vec![Fault::TileHash { path: leaf_tile(2, 256), position: 1 }],
        ),
        (
            "flip in the partial leaf tile",
            |c| c.log.store.flip("tile/0/003.p/132", 33),
            vec![Fault::TileHash { path: leaf_tile(3, 132), position: 1 }],
        ),
        (
            "flip in a level-1 tile",
            |c| c.log.store.flip("tile/1/000.p/3", 65),
            vec![Fault::TileHash { path: TilePath::hashes(1, 0, 3), position: 2 }],
        ),
        ("missing leaf tile", |c| c.log.store.remove("tile/0/002"), vec![Fault::Missing(leaf_tile(2, 256))]),
        (
            "missing level-1 tile",
            |c| c.log.store.remove("tile/1/000.p/3"),
            vec![Fault::Missing(TilePath::hashes(1, 0, 3))],
        ),
        (
            "bundle and leaf tile missing",
            |c| {
                c.log.store.remove("tile/entries/002");
                c.log.store.remove("tile/0/002");
            },
            vec![
                Fault::Missing(bundle(2, 256)),
                Fault::Missing(leaf_tile(2, 256)),
                Fault::Unjudged { subject: Subject::Older(2), size: 700 },
            ],
        ),
        (
            "a tile cut",
            |c| c.log.store.files.get_mut("tile/0/002").unwrap().truncate(8000),
            vec![Fault::TileLength(leaf_tile(2, 256))],
        ),
    ]
}

fn damaged_heads() -> Table {
    vec![
        (
            "flip in the checkpoint's root",
            |c| {
                let at = c.checkpoint.windows(2).rposition(|w| w == b"\n\n").unwrap() - 20;
                exchange_letter(&mut c.checkpoint[at]);
            },
            vec![
                Fault::Root { subject: Subject::Latest, size: 900 },
                refused(CheckpointFault::Note(NoteFault::BadSignature)),
            ],
        ),
        (
            "flip in the checkpoint's signature",
            |c| {
                let at = c.checkpoint.len() - 20;
                exchange_letter(&mut c.checkpoint[at]);
            },
            vec![refused(CheckpointFault::Note(NoteFault::BadSignature))],
        ),
        (
            "end cut off",
            |c| c.stored = 768,
            vec![
                Fault::Truncated { stored: 768, signed: 900 },
                Fault::Unjudged { subject: Subject::Latest, size: 900 },
            ],
        ),
        (
            "rolled back to an older checkpoint",
            |c| {
                c.pin = Some(Pin { size: 900, root: c.log.tree.root() });
                c.checkpoint = c.older.pop().unwrap();
                c.stored = 700;
            },
            vec![
                Fault::RolledBack { subject: Subject::Pin, size: 900 },
                Fault::Unjudged { subject: Subject::Pin, size: 900 },
            ],
        ),
    ]
}

fn other_histories() -> Table {
    vec![
        (
            "another pin",
            |c| c.pin = Some(Pin { size: 555, root: leaf_hash(b"another past") }),
            vec![Fault::Root { subject: Subject::Pin, size: 555 }],
        ),
        (
            "an old size sealed again with a newer key",
            |c| c.older[0] = c.log.epochs[1].checkpoint(300, leaf_hash(b"rewritten")).unwrap().into_bytes(),
            vec![
                Fault::Root { subject: Subject::Older(0), size: 300 },
                Fault::Checkpoint {
                    subject: Subject::Older(0),
                    fault: CheckpointFault::WrongEpoch { size: 300, signed_by: 1, valid: 0 },
                },
            ],
        ),
        (
            "sealed by nobody's key",
            |c| {
                let key = EpochKey::from_seed(ORIGIN, &[99; 32]).unwrap();
                c.checkpoint = key.checkpoint(900, c.log.tree.root()).unwrap().into_bytes();
            },
            vec![refused(CheckpointFault::Note(NoteFault::NotSigned))],
        ),
        (
            "pruned without saying so",
            |c| {
                c.minimum_index = 512;
                for path in prune::deletions(0, 512) {
                    c.log.store.remove(&path.to_string());
                }
            },
            // With the certificate the key is gone as well: this history proves nothing any more.
            vec![
                Fault::Unjudged { subject: Subject::Older(0), size: 300 },
                Fault::Unjudged { subject: Subject::Older(1), size: 401 },
                Fault::Retention { minimum_index: 512, announced: 0 },
                Fault::Checkpoint {
                    subject: Subject::Older(0),
                    fault: CheckpointFault::NoKeyForSize { size: 300 },
                },
                Fault::Checkpoint {
                    subject: Subject::Older(1),
                    fault: CheckpointFault::NoKeyForSize { size: 401 },
                },
                Fault::Checkpoint {
                    subject: Subject::Older(2),
                    fault: CheckpointFault::NoKeyForSize { size: 700 },
                },
                refused(CheckpointFault::NoKeyForSize { size: 900 }),
            ],
        ),
    ]
}

#[test]
fn each_damage_is_told_as_what_it_is() {
    let tables = [damaged_bundles(), damaged_tiles(), damaged_heads(), other_histories()];
    for (name, edit, expected) in tables.into_iter().flatten() {
        let mut case = honest();
        edit(&mut case);
        let (seen, summary) = case.check();
        let (mut found, mut wanted) = (seen.faults.clone(), expected);
        found.sort_by_key(|f| format!("{f:?}"));
        wanted.sort_by_key(|f| format!("{f:?}"));
        // A lost subtree is bridged by level 1, so what its inside would tell can't be judged.
        assert_eq!(found, wanted, "{name}");
        let latest_stands = !wanted.iter().any(|f| {
            let latest = |s: &Subject| *s == Subject::Latest;
            matches!(f, Fault::Root { subject, .. } | Fault::Checkpoint { subject, .. } if latest(subject))
                || matches!(f, Fault::Truncated { .. } | Fault::RolledBack { .. })
        });
        assert_eq!(summary.proven.is_some(), latest_stands, "{name}");
    }
}

#[test]
fn a_tail_not_yet_signed_is_a_notice() {
    let mut log = log();
    log.cycles(150);
    log.store_partials();
    let mut case = Case::of(log);
    let (seen, summary) = case.check();
    assert_eq!(seen.faults, [Fault::UnsignedTail { from: 900, to: 1050 }]);
    assert!(seen.faults[0].is_notice());
    assert_eq!((seen.signed, seen.tail, summary.unsigned, summary.faults), (900, 150, 150, 0));
    assert_eq!(summary.proven.map(|p| p.size), Some(900));
}

#[test]
fn a_log_rewritten_as_a_whole_contradicts_its_certificate_and_older_roots() {
    // Somebody with the second epoch key changes entry 100 and rebuilds every file.
    let honest = log();
    let mut forged = Log::default();
    for (k, entry) in honest.entries.iter().enumerate() {
        let changed = cycle_entry(4_000_000).to_canonical_bytes();
        forged.append_bytes(if k == 100 { &changed } else { entry });
    }
    forged.epochs.push(EpochKey::from_seed(ORIGIN, &[11; 32]).unwrap());
    forged.sign();
    let mut case = Case::of(forged);
    let (seen, _) = case.check();
    assert_eq!(seen.faults, [Fault::Epoch { index: 400, fault: EpochFault::History }]);
    case.older = honest.checkpoints[..1].to_vec();
    case.pin = Some(Pin { size: 900, root: honest.tree.root() });
    let (seen, summary) = case.check();
    assert!(seen.faults.contains(&Fault::Root { subject: Subject::Older(0), size: 300 }));
    assert!(seen.faults.contains(&Fault::Root { subject: Subject::Pin, size: 900 }));
    assert!(summary.faults == 3);
}

/// Announces a cut, signs, and deletes as the shell does.
fn pruned(minimum_index: u64) -> Case {
    let mut log = log();
    let first_cycle = CycleIndex(minimum_index);
    log.append(&Entry::Retention { at: Timestamp(9), minimum_index, first_cycle });
    log.sign();
    let mut case = Case::of(log);
    case.minimum_index = minimum_index;
    for index in 0..minimum_index / 256 * 256 {
        if Entry::parse(&case.log.entries[index as usize]).unwrap().is_event() {
            let n = index / 256;
            let file = |path: TilePath| &case.log.store.files[&path.to_string()];
            let kept =
                KeptEntry::extract(index, file(TilePath::entries(n, 256)), file(leaf_tile(n, 256))).unwrap();
            let bytes = kept.to_canonical_bytes();
            assert_eq!(KeptEntry::from_canonical_bytes(&bytes), Some(kept.clone()));
            case.kept.push(kept);
        }
    }
    for path in prune::deletions(0, minimum_index) {
        assert!(prune::may_lack(path, minimum_index));
        case.log.store.remove(&path.to_string());
    }
    case
}

#[test]
fn a_pruned_log_is_still_proven_with_its_events() {
    let mut case = pruned(600);
    assert_eq!(case.kept.iter().map(|k| k.index).collect::<Vec<_>>(), [0, 400]);
    case.pin = Some(Pin { size: 901, root: case.log.tree.root() });
    let (seen, summary) = case.check();
    let unjudged = |n, size| Fault::Unjudged { subject: Subject::Older(n), size };
    assert_eq!(seen.faults, [unjudged(0, 300), unjudged(1, 401)], "700 is still judged");
    assert_eq!((summary.faults, summary.pruned, summary.entries), (0, 512, 901 - 512));
    assert_eq!(summary.proven.map(|p| p.size), Some(901));
    assert_eq!(summary.keys.certificates().len(), 2);
    // What the specification promises of a pruned log: proofs of what is left.
    let size = case.log.tree.size();
    for index in [600, 800, 900] {
        let path = inclusion(&mut StoredTiles::new(&mut case.log.store, size), index, size).unwrap();
        let leaf = leaf_hash(&case.log.entries[index as usize]);
        verify_inclusion(leaf, index, size, &path, case.log.tree.root()).unwrap();
    }
    assert!(inclusion(&mut StoredTiles::new(&mut case.log.store, size), 5, size).is_err());
}

#[test]
fn a_kept_entry_that_was_changed_and_a_cut_beyond_the_announced_are_told() {
    let mut case = pruned(600);
    let before = case.kept[1].tile_root();
    case.kept[1].entry[5] ^= 1;
    assert_ne!(case.kept[1].tile_root(), before);
    assert!(case.check().0.faults.contains(&Fault::Kept { index: 400 }));
    let mut case = pruned(600);
    case.minimum_index = 700;
    assert!(case.check().0.faults.contains(&Fault::Retention { minimum_index: 700, announced: 600 }));
    let mut case = pruned(600);
    case.log.store.flip("tile/1/000.p/3", 3);
    let faults = case.check().0.faults;
    assert!(faults.contains(&Fault::Root { subject: Subject::Latest, size: 901 }), "{faults:?}");
    assert!(faults.contains(&Fault::Kept { index: 0 }));
}

#[test]
fn deletions_are_whole_tiles_below_the_index_once() {
    let list = |before, now| prune::deletions(before, now).map(|p| p.to_string()).collect::<Vec<_>>();
    assert_eq!(list(0, 255), [] as [&str; 0]);
    assert_eq!(list(0, 512), ["tile/entries/000", "tile/0/000", "tile/entries/001", "tile/0/001"]);
    assert_eq!(list(512, 800), ["tile/entries/002", "tile/0/002"]);
    assert_eq!(list(800, 512), [] as [&str; 0]);
    assert!(!prune::may_lack(TilePath::hashes(1, 0, 256), 65_535));
    assert!(prune::may_lack(TilePath::hashes(1, 0, 256), 65_536));
    assert!(!prune::may_lack(TilePath::hashes(9, 0, 256), wavewitness_log::MAX_SIZE));
}
