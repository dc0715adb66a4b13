//! Guards what more noise does to the gate, which the degradation table once made look odd: louder rooms accept *more*. The gate
//! asks whether a channel is that of its baseline within the baseline's own scatter. Where the baseline was learned in the noise,
//! the scatter is wider and hides more of a person; an empty room is accepted at either level; and noise that comes
//! after the baseline is out of it. So it is no defect, and the gate's acceptance is no measure of a good link.

mod air;

use air::{Air, CYCLE_NS, READY_S, between, config, publish};
use wavewitness_types::Gate;

const SECONDS: u64 = 40;
/// When the person comes, or the noise.
const FROM_S: f64 = 12.0;

/// Share of links × cycles accepted from [`FROM_S`] on, a second to settle. Noise doubles (6 dB) by `louder` from the start or late.
fn accepted(person: bool, louder_from_s: f64) -> f64 {
    let mut air = Air::new(5, [0.03, 0.03]);
    let datagrams = air.datagrams(SECONDS, |frame, _| {
        if frame.t_s >= louder_from_s {
            frame.noise *= 4.0;
        }
        if person && frame.t_s >= FROM_S {
            // An echo 28 dB below the channel, of somebody who walks at 1 m/s.
            frame.path(0.04, 4.0 + frame.t_s);
        }
    });
    let run = publish(&air.scene, &config(&air.scene), datagrams);
    let (mut all, mut accepted) = (0u32, 0u32);
    for frame in between(&run, FROM_S + 1.0, SECONDS as f64 - CYCLE_NS as f64 * 1e-9) {
        all += frame.links.len() as u32;
        accepted += frame.links.iter().filter(|l| l.gate == Gate::Accept).count() as u32;
    }
    assert!(FROM_S > READY_S && all > 5_000, "{all}");
    f64::from(accepted) / f64::from(all)
}

#[test]
fn noise_in_the_baseline_hides_a_person_from_the_gate() {
    let (quiet, loud) = (accepted(true, f64::INFINITY), accepted(true, 0.0));
    eprintln!("accepted with a person: {quiet:.3} in quiet, {loud:.3} in noise");
    assert!(loud > quiet + 0.1, "{quiet} {loud}");
}

#[test]
fn an_empty_room_is_accepted_in_any_noise_that_its_baseline_knew() {
    for louder_from_s in [f64::INFINITY, 0.0] {
        let share = accepted(false, louder_from_s);
        assert!(share > 0.97, "{share}");
    }
}

#[test]
fn noise_that_came_after_the_baseline_is_not_accepted() {
    let share = accepted(false, FROM_S);
    assert!(share < 0.2, "{share}");
}
