//! Guards totality: no input makes the tracker panic, overflow its bounds or publish what is not finite.

mod common;

use common::{ROOM, Random, clutter, time, tracker};
use proptest::prelude::*;
use wavewitness_pose::{Belief, Config, Plan, State};
use wavewitness_types::limits::MAX_PEOPLE;
use wavewitness_types::{Canonical, Detection, Gate, Room, Timestamp};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -3.0..9.0f64, 1 => any::<f64>(), 1 => Just(0.0), 1 => Just(f64::NAN)]
}

fn any_detection() -> impl Strategy<Value = Detection> {
    let covariance = prop_oneof![
        3 => (0.001..2.0f64).prop_map(|v| [[v, 0.3 * v, 0.0], [0.3 * v, v, 0.0], [0.0, 0.0, 2.0 * v]]),
        1 => prop::array::uniform3(prop::array::uniform3(number())),
        1 => Just([[1.0; 3]; 3]),
    ];
    (prop::array::uniform3(number()), covariance, number())
        .prop_map(|(position_m, covariance_m2, strength)| Detection { position_m, covariance_m2, strength })
}

fn any_gate() -> impl Strategy<Value = Gate> {
    prop_oneof![4 => Just(Gate::Accept), 1 => Just(Gate::PredictOnly), 1 => Just(Gate::Reject)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_the_output_is_bounded_and_finite(
        cycles in prop::collection::vec(
            (prop::collection::vec(any_detection(), 0..24), any_gate(), number(), 0u64..3_000_000_000), 1..40),
        room in any::<bool>(),
    ) {
        let plan = Plan::new(&Config::default(), room.then_some(ROOM)).unwrap();
        let mut state = State::new(&plan);
        let mut at = Timestamp(0);
        for (seen, gate, inflation, step) in cycles {
            at = at.plus_nanos(if step % 3 == 0 { 50_000_000 } else { step });
            let summary = plan.run(at, &seen, gate, inflation, &mut state);
            // Canonical bytes refuse what is not finite.
            summary.to_canonical_bytes();
            state.tracks().to_canonical_bytes();
            prop_assert!(state.tracks().windows(2).all(|w| w[0].id < w[1].id));
            prop_assert!(state.tracks().len() <= 2 * MAX_PEOPLE);
            let people: Vec<_> = plan.people(&state, &Belief::NOTHING, 0.0).collect();
            prop_assert!(people.len() <= MAX_PEOPLE);
            people.as_slice().to_canonical_bytes();
            for track in state.tracks() {
                plan.skeleton(track).to_canonical_bytes();
                prop_assert!((0.0..=1.0).contains(&track.existence));
            }
        }
    }
}

#[test]
fn empty_input_is_a_cycle_like_any_other() {
    let (plan, mut state) = tracker(&Config::default());
    for cycle in 0..100 {
        let summary = plan.run(time(f64::from(cycle) * 0.05), &[], Gate::Accept, 1.0, &mut state);
        assert_eq!(summary, Default::default());
    }
    assert!(state.tracks().is_empty());
}

#[test]
fn a_crowd_is_bounded_and_allocates_nothing() {
    let (plan, mut state) = tracker(&Config { births_per_cycle: 8, separation_m: 0.0, ..Config::default() });
    let mut random = Random(4);
    let places: Vec<Detection> = (0..30).map(|_| clutter(&mut random, 0.05)).collect();
    let capacity = state.tracks().as_ptr();
    for cycle in 0..200 {
        let summary = plan.run(time(f64::from(cycle) * 0.05), &places, Gate::Accept, 1.0, &mut state);
        assert_eq!(summary.ignored, 14);
        assert!(state.tracks().len() <= 2 * MAX_PEOPLE);
        assert_eq!(state.tracks().as_ptr(), capacity);
    }
    assert_eq!(plan.people(&state, &Belief::NOTHING, 0.0).count(), MAX_PEOPLE);
}

#[test]
fn time_may_stand_still_or_step_back() {
    let (plan, mut state) = tracker(&Config::default());
    let mut random = Random(6);
    for t in [5.0, 5.0, 4.0, 0.0, 5.0, 5.05] {
        let seen = [common::detection(&mut random, [2.0, 2.0, 1.0], 0.1)];
        plan.run(time(t), &seen, Gate::Accept, 1.0, &mut state);
        assert_eq!(state.tracks().len(), 1);
    }
    // Existence has had 50 ms of evidence, however often the same moment was seen.
    assert!(state.tracks()[0].existence < 0.5);
}

#[test]
fn contradictory_configurations_are_refused_by_name() {
    let refused = |c: Config| Plan::new(&c, None).err().map(|e| e.field);
    let c = Config { confirm_hits: 9, confirm_window: 8, ..Config::default() };
    assert_eq!(refused(c).as_deref(), Some("pose.confirm_hits"));
    let c = Config { delete_existence: 0.2, ..Config::default() };
    assert_eq!(refused(c).as_deref(), Some("pose.delete_existence"));
    let c = Config { stature_m: 20.0, ..Config::default() };
    assert_eq!(refused(c).as_deref(), Some("pose.stature_m"));
    let flat = Room { min_m: [0.0; 3], max_m: [1.0, 0.0, 2.0] };
    assert_eq!(Plan::new(&Config::default(), Some(flat)).err().map(|e| e.field).as_deref(), Some("room"));
}
