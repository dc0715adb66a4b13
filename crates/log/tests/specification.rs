//! Guards the worked example of `docs/log.md`: the page and the code say the same bytes.

use wavewitness_log::{Entry, EpochKey, Hash, RootKey, SignerKey, Tree, leaf_hash};
use wavewitness_types::{Canonical, CycleIndex, Source, Timestamp};

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/log.md")).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The example: a certificate and one cycle.
fn example() -> (SignerKey, EpochKey, String, Vec<u8>, Tree) {
    let signer = |seed| SignerKey::from_seed("hub.example/root", &[seed; 32]).unwrap();
    let epoch = EpochKey::from_seed("hub.example", &[2; 32]).unwrap();
    let root = RootKey::new(signer(1));
    let at = Timestamp(1_800_000_000_000_000_000);
    let certificate = root.certify(&epoch, 0, (0, Hash::EMPTY_ROOT), 1_728_000, at).unwrap();
    let cycle = Entry::Cycle {
        cycle: CycleIndex(2),
        at: Timestamp(1_050_000_000),
        source: Source::Simulated,
        chain: [0xab; 32],
    };
    let cycle = cycle.to_canonical_bytes();
    let mut tree = Tree::default();
    let entry = Entry::Epoch { certificate: certificate.clone() }.to_canonical_bytes();
    tree.append(&entry, |_, _| ()).unwrap();
    tree.append(&cycle, |_, _| ()).unwrap();
    (signer(1), epoch, certificate, cycle, tree)
}

#[test]
fn the_worked_example_is_what_the_code_computes() {
    let (root, epoch, certificate, cycle, tree) = example();
    let checkpoint = epoch.checkpoint(tree.size(), tree.root()).unwrap();
    let page = document();
    let parts = [
        format!("root key     {}\n", root.verifier()),
        format!("```\n{certificate}```\n"),
        format!("entry 1      {}\n", hex(&cycle)),
        format!("leaf 1       {}\n", hex(&leaf_hash(&cycle).0)),
        format!("```\n{checkpoint}```\n"),
    ];
    let lacking: Vec<_> = parts.into_iter().filter(|part| !page.contains(part)).collect();
    assert!(lacking.is_empty(), "docs/log.md lacks this:\n{}", lacking.join("\n"));
}

#[test]
fn every_kind_of_entry_has_the_length_that_the_page_says() {
    let (cycle, at, source, chain) = (CycleIndex(1), Timestamp(2), Source::Live, [0; 32]);
    let step = wavewitness_log::CalibrationStep::Started;
    let reason = wavewitness_log::GapReason::Down;
    let entries = [
        Entry::Genesis { at, source, numerics: 1, chain, predecessor: None },
        Entry::Boot { cycle, at, source, boot: 1, unclean: false, chain },
        Entry::Cycle { cycle, at, source, chain },
        Entry::Stop { cycle, at, source, chain },
        Entry::Calibration { cycle, at, step, baselines: chain },
        Entry::ClockStep { cycle, from: at, to: at },
        Entry::Gap { at, first: cycle, next: CycleIndex(2), reason },
        Entry::Retention { at, minimum_index: 0, first_cycle: cycle },
    ];
    let page = document();
    for entry in entries {
        let bytes = entry.to_canonical_bytes();
        let row = format!("| {} | {} |", bytes[0], bytes.len());
        assert!(page.contains(&row), "docs/log.md has no row {row} for {entry:?}");
    }
}
