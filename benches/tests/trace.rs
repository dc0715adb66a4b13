//! Guards that the benches measure what the engine does: `Traced::record` panics if one bit of one stage's digest of any
//! cycle differs from the engine's witness. The scenes are the ones that are measured.

use wavewitness_benches::recording::{self, Recording};
use wavewitness_benches::trace::{Imaging, Trace, Traced};
use wavewitness_types::{Gate, TrackState};

#[test]
fn the_stages_of_a_quiet_and_a_walked_room_are_the_engines() {
    let recording = Recording::of_scene(&recording::room(), 1);
    let from = recording::QUIET_UNTIL - 40;
    let traced = Traced::record(&recording, from..recording::WALKER_UNTIL);
    assert_eq!(traced.links.len(), 12);
    assert_eq!(traced.baselines.iter().flatten().count(), 12);
    let quiet = &traced.cycles[..40];
    let frames: usize = quiet.iter().map(|t| t.frames().count()).sum();
    assert!((476..=484).contains(&frames), "{frames} frames in 40 cycles of 12 links");
    let accepted = |t: &Trace| t.gates.iter().flatten().filter(|g| g.gate == Gate::Accept).count();
    let accepted: usize = quiet.iter().map(accepted).sum();
    assert!(accepted > 40 * 12 * 9 / 10, "{accepted} of 480 links accepted in the quiet room");
    let walker = &traced.cycles[recording::WALKER_FROM - from..];
    let imaged = walker.iter().filter(|t| matches!(t.imaging, Imaging::Imaged(..))).count();
    assert!(imaged > walker.len() * 9 / 10, "{imaged} images in {} cycles", walker.len());
    let followed = |t: &Trace| t.tracks.iter().any(|t| t.state == TrackState::Confirmed);
    let followed = walker.iter().filter(|t| followed(t)).count();
    assert!(followed > walker.len() / 2, "a confirmed track in {followed} of {} cycles", walker.len());
}

#[test]
fn the_stages_of_an_ambient_room_are_the_engines() {
    let traced = Traced::record(&Recording::of_scene(&recording::ambient_room(), 6), 900..940);
    let observations: usize = traced.cycles.iter().map(|t| t.observations.len()).sum();
    assert!(observations > 40, "{observations} observations in 40 cycles");
}
