//! Guards what is carried over a restart: baselines belong to links and not to ids, and bytes that nobody exported give
//! nothing.

mod common;

use common::{Random, Source, at, link, room};
use proptest::prelude::*;
use wavewitness_calibration::{Config, Plan, State};
use wavewitness_types::{CalibrationState, Command, LinkId, ToneGrid};

const READY: CalibrationState = CalibrationState::Ready { empty_room: true };

/// Links 0, 1 and 2 calibrated; link n has id `ids[n]`.
fn calibrated(ids: [u16; 3]) -> (Plan, State) {
    let config = Config { observations: 40, least_observations: 40, ..Config::default() };
    let plan = Plan::new(&config).unwrap();
    let mut state = State::new(&plan);
    for n in 0..3u16 {
        plan.bind(LinkId(ids[usize::from(n)]), link(n), &mut state);
    }
    plan.command(Command::StartCalibration, at(0.0), &mut state);
    for n in 0..3u16 {
        let grid = if n == 1 { ToneGrid::Legacy20 } else { ToneGrid::Ht20 };
        let mut random = Random(u64::from(n));
        let h = room(grid, &mut random);
        let mut source = Source::new(ids[usize::from(n)], grid, random.next());
        for k in 1..=40 {
            let t = f64::from(k) * 0.1;
            plan.observe(&source.observe(t, &h, 1e-3), at(t), &mut state);
        }
    }
    (plan, state)
}

#[test]
fn baselines_follow_their_links_through_a_restart() {
    let (plan, state) = calibrated([0, 1, 2]);
    let bytes = state.export();
    let mut after = State::import(&plan, &bytes).unwrap();
    assert_eq!(after.export(), bytes, "nothing is lost before the links are seen again");
    assert!(after.baselines().iter().all(Option::is_none));
    plan.bind(LinkId(0), link(2), &mut after);
    plan.bind(LinkId(1), link(9), &mut after);
    plan.bind(LinkId(7), link(0), &mut after);
    let mean = |s: &State, id: usize| s.baselines()[id].as_ref().map(|b| (b.link, b.mean.clone()));
    assert_eq!(mean(&after, 0).unwrap(), (LinkId(0), mean(&state, 2).unwrap().1));
    assert_eq!(mean(&after, 7).unwrap(), (LinkId(7), mean(&state, 0).unwrap().1));
    assert_eq!(mean(&after, 1), None);
    assert_eq!((after.condition(LinkId(0)), after.condition(LinkId(1))), (READY, CalibrationState::None));
    assert_eq!(after.export(), bytes, "link 1 was not seen and is kept");
}

#[test]
fn the_bytes_do_not_depend_on_ids() {
    assert_eq!(calibrated([0, 1, 2]).1.export(), calibrated([5, 3, 60]).1.export());
}

#[test]
fn an_id_that_changes_its_link_does_not_take_the_baseline_along() {
    let (plan, mut state) = calibrated([0, 1, 2]);
    let bytes = state.export();
    plan.bind(LinkId(0), link(8), &mut state);
    assert_eq!(state.condition(LinkId(0)), CalibrationState::None);
    plan.bind(LinkId(9), link(0), &mut state);
    assert_eq!((state.condition(LinkId(9)), state.export()), (READY, bytes));
}

#[test]
fn every_truncation_and_every_spare_byte_is_refused() {
    let (plan, state) = calibrated([0, 1, 2]);
    let mut bytes = state.export();
    for n in (0..bytes.len()).step_by(7) {
        assert!(State::import(&plan, &bytes[..n]).is_none(), "{n} bytes");
    }
    bytes.push(0);
    assert!(State::import(&plan, &bytes).is_none());
    let empty = State::new(&plan).export();
    assert_eq!(State::import(&plan, &empty).unwrap().export(), empty);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_bytes_give_nothing_or_a_state_that_exports_them(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        static EXPORT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let plan = Plan::new(&Config::default()).unwrap();
        let mut bytes = EXPORT.get_or_init(|| calibrated([0, 1, 2]).1.export()).clone();
        for (index, value) in flips {
            // Half of the flips go where the structure is.
            let at = if value % 2 == 0 { index.index(bytes.len()) } else { index.index(30) };
            bytes[at] = value;
        }
        if let Some(mut state) = State::import(&plan, &bytes) {
            prop_assert_eq!(state.export(), bytes);
            for n in 0..3 {
                plan.bind(LinkId(n), link(n), &mut state);
            }
            for b in state.baselines().iter().flatten() {
                prop_assert!(b.quiet_change.ratio(1.0).is_finite() && b.quiet_incoherence.z(0.0).is_finite());
            }
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let plan = Plan::new(&Config::default()).unwrap();
        let imported = State::import(&plan, &bytes);
        prop_assert!(imported.is_none() || bytes == [1, 0, 0, 0, 0]);
    }
}
