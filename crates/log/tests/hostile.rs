//! Guards every parser and verifier against bytes that nobody honest made: an answer, never a panic, and what is
//! accepted is what is written.

mod common;

use common::{Memory, ORIGIN, root_verifier};
use proptest::prelude::*;
use wavewitness_log::{
    CalibrationStep, Certificate, Checkpoint, Entry, Evidence, Fault, GapReason, Hash, Input, KeptEntry,
    Note, Pin, SignerKey, StoredTiles, TilePath, TlogProof, Tree, VerifierKey, Watch, bundle_entries,
    consistency, fsck, inclusion, verify_consistency, verify_inclusion,
};
use wavewitness_types::{Canonical, CycleIndex, Source, Timestamp};

fn hashes() -> impl Strategy<Value = Vec<Hash>> {
    prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..70)
}

fn source() -> impl Strategy<Value = Source> {
    (0u8..3).prop_map(|c| Source::from_code(c).unwrap())
}

fn entries() -> impl Strategy<Value = Entry> {
    let time = || any::<u64>().prop_map(Timestamp);
    let cycle = || any::<u64>().prop_map(CycleIndex);
    let chain = any::<[u8; 32]>;
    let reason = prop::sample::select(vec![GapReason::Down, GapReason::Overrun, GapReason::Lost]);
    let step = prop::sample::select(vec![
        CalibrationStep::Started,
        CalibrationStep::Completed,
        CalibrationStep::Cancelled,
        CalibrationStep::Cleared,
        CalibrationStep::Resumed,
    ]);
    prop_oneof![
        (time(), source(), any::<u32>(), chain(), any::<Option<[u8; 32]>>()).prop_map(
            |(at, source, numerics, chain, predecessor)| {
                Entry::Genesis { at, source, numerics, chain, predecessor }
            }
        ),
        (cycle(), time(), source(), any::<u64>(), any::<bool>(), chain()).prop_map(
            |(cycle, at, source, boot, unclean, chain)| Entry::Boot {
                cycle,
                at,
                source,
                boot,
                unclean,
                chain
            }
        ),
        (cycle(), time(), source(), chain()).prop_map(|(cycle, at, source, chain)| Entry::Cycle {
            cycle,
            at,
            source,
            chain
        }),
        (cycle(), time(), source(), chain()).prop_map(|(cycle, at, source, chain)| Entry::Stop {
            cycle,
            at,
            source,
            chain
        }),
        (cycle(), time(), step, chain()).prop_map(|(cycle, at, step, baselines)| Entry::Calibration {
            cycle,
            at,
            step,
            baselines
        }),
        ".{0,99}".prop_map(|certificate| Entry::Epoch { certificate }),
        (cycle(), time(), time()).prop_map(|(cycle, from, to)| Entry::ClockStep { cycle, from, to }),
        (time(), 0u64..99, 1u64..99, reason).prop_map(|(at, first, more, reason)| Entry::Gap {
            at,
            first: CycleIndex(first),
            next: CycleIndex(first + more),
            reason
        }),
        (time(), any::<u64>(), cycle()).prop_map(|(at, minimum_index, first_cycle)| Entry::Retention {
            at,
            minimum_index,
            first_cycle
        }),
    ]
}

#[derive(Default)]
struct Ignore;

impl Watch for Ignore {
    fn fault(&mut self, fault: Fault) {
        assert!(!fault.to_string().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn every_entry_round_trips_and_no_prefix_or_extension_is_one(entry in entries()) {
        let bytes = entry.to_canonical_bytes();
        prop_assert_eq!(Entry::parse(&bytes), Ok(entry.clone()));
        if !matches!(entry, Entry::Epoch { .. }) {
            prop_assert!((0..bytes.len()).all(|k| Entry::parse(&bytes[..k]).is_err()));
            prop_assert!(Entry::parse(&[&bytes[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn what_an_entry_parser_accepts_it_writes_again(mut bytes in prop::collection::vec(any::<u8>(), 0..90), kind in 0u8..10) {
        bytes.insert(0, kind);
        if let Ok(entry) = Entry::parse(&bytes) {
            prop_assert_eq!(entry.to_canonical_bytes(), bytes);
        }
    }

    #[test]
    fn parsers_of_bytes_answer(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Entry::parse(&bytes);
        let _ = bundle_entries(&bytes);
        let _ = Note::parse(&bytes);
        let _ = TlogProof::parse(&bytes);
        let _ = Evidence::from_canonical_bytes(&bytes);
        let _ = KeptEntry::from_canonical_bytes(&bytes);
    }

    #[test]
    fn parsers_of_text_answer(text in "[a-zA-Z0-9+/= \n—.]{0,200}", path in "(tile)?/?(0|1|entries)?/?(x00[0-9]/){0,8}[0-9.p/]{0,12}") {
        let _ = VerifierKey::parse(&text);
        let _ = SignerKey::parse(&format!("PRIVATE+KEY+{text}"));
        let _ = Certificate::parse_text(&text);
        if let Some(checkpoint) = Checkpoint::parse_text(&text) {
            prop_assert_eq!(checkpoint.text(), text);
        }
        if let Some(parsed) = TilePath::parse(&path) {
            prop_assert_eq!(parsed.to_string(), path);
        }
    }

    #[test]
    fn no_invented_proof_is_accepted(
        path in hashes(),
        a in any::<u64>(),
        b in any::<u64>(),
        small in 0u64..70,
        roots in any::<([u8; 32], [u8; 32])>(),
    ) {
        let (x, y) = (Hash(roots.0), Hash(roots.1));
        for (m, n) in [(a, b), (small, b), (small, small + 1), (a % 70, small), (u64::MAX, u64::MAX)] {
            prop_assert!(verify_inclusion(x, m, n, &path, y).is_err());
            prop_assert!(verify_consistency(m, x, n, y, &path).is_err() || (m == n && x == y && path.is_empty()));
        }
    }

    #[test]
    fn makers_of_proofs_answer_for_any_size_over_an_empty_storage(m in any::<u64>(), n in any::<u64>()) {
        let mut empty = Memory::default();
        let mut tiles = StoredTiles::new(&mut empty, n);
        prop_assert!(inclusion(&mut tiles, m, n).is_err() || n == 1);
        let _ = consistency(&mut tiles, m, n);
        prop_assert!(Tree::resume(&mut empty, n).is_err() || n == 0);
    }

    #[test]
    fn fsck_answers_on_any_files(
        bytes in prop::collection::vec(any::<u8>(), 0..9000),
        size in any::<u64>(),
        minimum_index in any::<u64>(),
        stored in 0u64..1500,
        root in any::<[u8; 32]>(),
    ) {
        let mut store = Memory::default();
        for name in ["tile/entries/000", "tile/0/000", "tile/0/001", "tile/1/000", "tile/entries/001"] {
            store.files.insert(name.into(), bytes.clone());
        }
        let key = SignerKey::from_seed(ORIGIN, &[1; 32]).unwrap();
        let size = if size % 3 == 0 { size >> 1 } else { size % 2000 };
        let note = Checkpoint::new(ORIGIN, size, Hash(root)).sign(&[&key]).unwrap();
        let root_key = root_verifier();
        let input = Input {
            origin: ORIGIN,
            root_key: &root_key,
            checkpoint: note.as_bytes(),
            older: &[bytes],
            pin: Some(Pin { size, root: Hash(root) }),
            minimum_index,
            kept: &[],
            stored,
        };
        let summary = fsck(&mut store, &input, &mut Ignore);
        prop_assert!(summary.proven.is_none() && summary.faults > 0);
    }
}
