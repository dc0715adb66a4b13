//! Guards behaviour under impairment: a few short cells are computed again and must be what the snapshot holds, byte by byte; the
//! whole table is too long for a test and must at least be of these numerics and have every cell.

use std::path::{Path, PathBuf};
use wavewitness_engine::NUMERICS_VERSION;
use wavewitness_evaluate::room::degradation::{Extent, snapshot};

const RENEW: &str = "renew both, in the commit that changed the numbers:\n  \
    cargo run --profile quick -p wavewitness-evaluate -- degradation --write evaluate/snapshots";

fn path(extent: Extent) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots")).join(extent.file())
}

fn stored(extent: Extent) -> String {
    let path = path(extent);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}; {RENEW}", path.display()))
}

#[test]
fn the_short_table_is_what_the_snapshot_holds() {
    let (stored, now) = (stored(Extent::Short), snapshot(Extent::Short).unwrap());
    let parted = stored.lines().zip(now.lines()).find(|(a, b)| a != b);
    if let Some((was, is)) = parted {
        panic!("degradation changed:\n  was {was}\n  is  {is}\n{RENEW}");
    }
    assert_eq!(stored, now, "{RENEW}");
}

#[test]
fn the_whole_table_is_of_these_numerics_and_has_every_cell() {
    if !path(Extent::Whole).exists() {
        eprintln!("SKIPPED: the whole degradation table is not here; {RENEW}");
        return;
    }
    let whole = stored(Extent::Whole);
    assert!(whole.contains(&format!("numerics {NUMERICS_VERSION},")), "{RENEW}");
    let rows = whole.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(rows, 1 + Extent::Whole.cells().len(), "{RENEW}");
}
