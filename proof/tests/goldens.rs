//! Guards the numbers: a golden scene computed now has the digests that were minted, stage by stage. A failure tells
//! what parted first, what that may mean, and what to do next.
//!
//! All of them are computed, in this development build; `.ci/run` does it in the release build, too, with
//! `proof-runner check`: the optimiser must not change a bit.

use std::fs;
use std::path::Path;
use wavewitness_proof::golden::{self, GOLDENS, Stored};

fn stored(name: &str) -> Option<Stored> {
    Stored::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens"), name).ok()
}

/// True, and says so, if none was minted yet.
fn not_minted() -> bool {
    let none = GOLDENS.iter().all(|g| stored(g.name).is_none());
    if none {
        eprintln!("SKIPPED: there is no golden in proof/goldens; mint them with `proof-runner bless`");
    }
    none
}

#[test]
fn golden_scenes_give_the_digests_that_were_minted() {
    if not_minted() {
        return;
    }
    let mut bad = String::new();
    std::thread::scope(|scope| {
        let computed: Vec<_> = GOLDENS.iter().map(|g| (g.name, scope.spawn(|| golden::mint(g)))).collect();
        for (name, minted) in computed {
            let minted = minted.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            bad.extend(golden::difference(name, &stored(name).unwrap_or_default(), &minted));
        }
    });
    assert!(bad.is_empty(), "{bad}");
}

#[test]
fn there_is_a_golden_for_every_scene_of_the_list_and_no_other() {
    if not_minted() {
        return;
    }
    let mut files: Vec<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    let kinds = ["golden", "cycles", "values"];
    let mut names: Vec<_> =
        GOLDENS.iter().flat_map(|g| kinds.map(|kind| format!("{}.{kind}", g.name))).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names, "run `proof-runner bless`, and commit what it writes");
}
