//! Guards that timing a journal counts every cycle once, with changed parameters too, and refuses what is no journal. (Times
//! themselves are not tested.)

mod common;

use common::*;
use wavewitness_proof::profile::{Profile, profile};

fn timed(dir: &std::path::Path, changes: &[&str]) -> Result<Profile, String> {
    let changes: Vec<_> = changes.iter().map(|c| c.parse().unwrap()).collect();
    profile(dir, &changes, &mut |_, _| {}).map_err(|e| e.to_string())
}

#[test]
fn every_cycle_is_counted_once_in_every_part() {
    let dir = scratch();
    record(dir.path(), &scene(3), 1, 16);
    for changes in [&[][..], &["localise.enabled=true"]] {
        let profile = timed(dir.path(), changes).unwrap();
        assert!(profile.parts.iter().all(|p| p.cycles() == 60), "{profile}");
        let (whole, parts) = profile.parts.split_last().unwrap();
        // Each is right to a thousandth.
        let sum: f64 = parts.iter().map(|p| p.mean_us()).sum();
        assert!((sum - whole.mean_us()).abs() < 0.01 * whole.mean_us(), "{profile}");
        assert!(parts.iter().all(|p| p.most_us() <= 1.002 * whole.most_us()), "{profile}");
        let rows = profile.to_json();
        assert_eq!(rows.as_array().unwrap().len(), profile.parts.len());
        assert_eq!(rows[0]["cycles"], 60);
    }
}

#[test]
fn what_is_no_journal_is_refused() {
    let dir = scratch();
    assert!(timed(&dir.path().join("nothing"), &[]).is_err());
    assert!(timed(dir.path(), &[]).is_err());
}
