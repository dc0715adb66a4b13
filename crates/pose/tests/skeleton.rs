//! Guards the skeleton's honesty: what is not told is wide, what is told moves it as bodies are, and nothing else does.

mod common;

use common::{CYCLE_S, time, tracker};
use wavewitness_num::math;
use wavewitness_pose::{Belief, Config, Plan, State};
use wavewitness_types::{
    Basis, Detection, Followed, Gate, KeypointName, NoPosture, Person, PersonTrack, Posture, PostureClass,
    TrackId, TrackState,
};

fn track(velocity: [f64; 2]) -> PersonTrack {
    let mut covariance = [[0.0; 6]; 6];
    for k in 0..6 {
        covariance[k][k] = if k < 3 { 0.04 } else { 0.01 };
    }
    PersonTrack {
        id: TrackId(7),
        state: TrackState::Confirmed,
        mean: [2.0, 3.0, 0.935, velocity[0], velocity[1], 0.0],
        covariance,
        existence: 0.97,
        age_cycles: 100,
        missed_cycles: 0,
    }
}

fn at(person: &wavewitness_types::Person, name: KeypointName) -> [f64; 3] {
    person.keypoints[name as usize].position_m.map(f64::from)
}

/// Somebody whose posture is known for sure.
fn belief(class: PostureClass) -> Belief {
    let mut probability = [0.0; PostureClass::COUNT];
    probability[class as usize] = 1.0;
    let posture = Posture::Known { class, probability: probability.map(|p| p as f32) };
    Belief { posture, probability: Some(probability), on_floor: 0.0 }
}

/// Walks along +x at 1.2 m/s for 3 s, then stands for some seconds; then what is published.
fn after_a_walk(config: &Config, stands_s: f64, belief: &Belief) -> Person {
    let (plan, mut state) = tracker(config);
    walk(&plan, &mut state, stands_s);
    plan.people(&state, belief, 0.0).next().unwrap()
}

fn walk(plan: &Plan, state: &mut State, stands_s: f64) {
    let cycles = ((3.0 + stands_s) / CYCLE_S) as u32;
    for cycle in 0..cycles {
        let t = f64::from(cycle) * CYCLE_S;
        let x = 0.5 + 1.2 * math::min_f64(t, 3.0);
        let mut covariance_m2 = [[0.0; 3]; 3];
        (0..3).for_each(|k| covariance_m2[k][k] = 1e-3);
        let seen = Detection { position_m: [x, 2.0, 1.0], covariance_m2, strength: 10.0 };
        plan.run(time(t), &[seen], Gate::Accept, 1.0, state);
    }
}

#[test]
fn a_body_of_which_nothing_is_told_is_on_its_axis_and_a_prior() {
    let (plan, _) = tracker(&Config::default());
    let person = plan.skeleton(&track([0.05, 0.05]));
    for (k, point) in person.keypoints.iter().enumerate() {
        assert_eq!(point.basis, Basis::Prior);
        assert!((point.position_m[0] - 2.0).abs() < 1e-6 && (point.position_m[1] - 3.0).abs() < 1e-6);
        for axis in 0..2 {
            assert!(point.sigma_m[axis] > person.sigma_m[axis], "keypoint {k} is less certain than its root");
        }
    }
    assert!(matches!(person.posture, Posture::Unknown(_)) && person.heading.is_none());
}

#[test]
fn heights_come_from_the_floor_and_the_posture_not_from_the_track() {
    let (plan, _) = tracker(&Config::default());
    let mut high = track([0.0, 0.0]);
    high.mean[2] = 1.9;
    assert_eq!(plan.skeleton(&high).keypoints, plan.skeleton(&track([0.0, 0.0])).keypoints);
    let height = |class| at(&after_a_walk(&Config::default(), 1.0, &belief(class)), KeypointName::Nose)[2];
    // Nose of a standing body: Drillis and Contini's heights, knees a little soft.
    assert!((height(PostureClass::Standing) - 1.7 * 0.894).abs() < 1e-5);
    assert!(height(PostureClass::Sitting) < 1.3 && height(PostureClass::Lying) < 0.75);
    // Without a room nobody knows where the floor is.
    let anywhere = Plan::new(&Config::default(), None).unwrap();
    let raised = at(&anywhere.skeleton(&high), KeypointName::Nose)[2];
    assert!(
        (raised - at(&anywhere.skeleton(&track([0.0, 0.0])), KeypointName::Nose)[2] - 0.965).abs() < 1e-5
    );
}

#[test]
fn a_walk_tells_left_from_right_in_every_direction() {
    let (plan, _) = tracker(&Config::default());
    for step in 0..16 {
        let angle = f64::from(step) * core::f64::consts::TAU / 16.0;
        let (ux, uy) = (math::cos(angle), math::sin(angle));
        let person = plan.skeleton(&track([1.2 * ux, 1.2 * uy]));
        let along = |name, dx: f64, dy: f64| {
            let p = at(&person, name);
            (p[0] - 2.0) * dx + (p[1] - 3.0) * dy
        };
        // Left of a walk along (ux, uy) is (−uy, ux), seen from above.
        let left = along(KeypointName::LeftShoulder, -uy, ux);
        let right = along(KeypointName::RightShoulder, -uy, ux);
        assert!(left > 0.2 && left < 0.129 * 1.7 && (left + right).abs() < 1e-6);
        assert!(along(KeypointName::Nose, ux, uy) > 0.1);
        let heading = person.heading.unwrap();
        assert!(math::wrap_angle(f64::from(heading.rad) - angle).abs() < 1e-6 && heading.sigma_rad < 0.4);
        // What lies aside is claimed; the nose lies ahead, where a walker's place is wrong too.
        for (name, basis) in [
            (KeypointName::LeftShoulder, Basis::Inferred),
            (KeypointName::RightWrist, Basis::Inferred),
            (KeypointName::Nose, Basis::Prior),
        ] {
            assert_eq!(person.keypoints[name as usize].basis, basis, "{name:?}");
        }
    }
}

#[test]
fn limbs_are_claimed_only_where_they_tell_something_beside_the_errors_of_the_place() {
    let (plan, mut state) = tracker(&Config::default());
    walk(&plan, &mut state, 0.0);
    let claims = |belief: &Belief, place_error_m: f64| {
        let person = plan.people(&state, belief, place_error_m).next().unwrap();
        let of = |name: KeypointName| person.keypoints[name as usize].basis == Basis::Inferred;
        [of(KeypointName::LeftShoulder), of(KeypointName::LeftHip), of(KeypointName::Nose)]
    };
    assert_eq!(claims(&Belief::NOTHING, 0.0), [true, true, false]);
    assert_eq!(claims(&Belief::NOTHING, 0.22), [true, false, false]);
    assert_eq!(claims(&Belief::NOTHING, 0.7), [false; 3]);
    // A head on the floor is a metre lower than a template's over the same centre; a posture that may be wrong claims no height, and
    // lying without a fall may always be.
    let mut lies = belief(PostureClass::Lying);
    assert!(!claims(&lies, 0.0)[2]);
    lies.on_floor = 0.9;
    assert_eq!(claims(&lies, 0.0), [true; 3]);
    lies.probability = Some([0.05, 0.0, 0.05, 0.9, 0.0]);
    assert!(!claims(&lies, 0.0)[2]);
    // Standing is what the template does.
    assert!(!claims(&belief(PostureClass::Standing), 0.5)[2]);
}

#[test]
fn a_posture_that_is_not_published_moves_no_joint() {
    let mut doubt = belief(PostureClass::Lying);
    doubt.posture = Posture::Unknown(NoPosture::NoData);
    let (config, nothing) = (Config::default(), Belief::NOTHING);
    assert_eq!(after_a_walk(&config, 9.0, &doubt).keypoints, after_a_walk(&config, 9.0, &nothing).keypoints);
}

/// Somebody whom another stage follows, with a velocity along +y and its standard deviation an axis.
fn followed(velocity_m_s: f64, sigma_m_s: f64) -> Followed {
    let mut covariance = [[0.0; 6]; 6];
    (0..6).for_each(|k| covariance[k][k] = if k < 3 { 0.04 } else { sigma_m_s * sigma_m_s });
    let mean = [2.0, 2.0, 0.9, 0.0, velocity_m_s, 0.0];
    Followed { number: 1, mean, covariance, existence: 0.9, measured: true }
}

#[test]
fn who_is_followed_faces_where_he_goes_as_surely_as_that_is_known_and_soon_anywhere() {
    let (plan, mut state) = tracker(&Config::default());
    let mut at = 0.0;
    let mut heading = |velocity_m_s: f64, sigma_m_s: f64, cycles: u32| {
        for _ in 0..cycles {
            at += CYCLE_S;
            plan.follow(time(at), &[followed(velocity_m_s, sigma_m_s)], &mut state);
        }
        let person = plan.people(&state, &Belief::NOTHING, 0.0).next().unwrap();
        person.heading.map(|h| (f64::from(h.rad), f64::from(h.sigma_rad)))
    };
    let (rad, plain) = heading(1.2, 0.1, 1).unwrap();
    assert!((rad - core::f64::consts::FRAC_PI_2).abs() < 1e-6 && plain < 0.4);
    // Half a second after he was lost from sight it is about that yet; after three seconds nobody knows.
    let (_, soon) = heading(0.0, 0.3, 10).unwrap();
    assert!(soon > 0.9, "{soon}");
    assert_eq!(heading(0.0, 0.3, 50), None);
    // The resultant of N(0.6, 0.4²) an axis is about 0.6/√(0.36 + 0.32 + 0.09): e^{−s/2} = 0.68, and the gait's 0.2 rad.
    let (_, doubtful) = heading(0.6, 0.4, 1).unwrap();
    assert!((doubtful * doubtful - (-2.0 * math::ln(0.6838) + 0.04)).abs() < 1e-3, "{doubtful}");
}

#[test]
fn a_heading_is_kept_while_somebody_stands_and_fades() {
    let sigma = |stands_s| {
        let person = after_a_walk(&Config::default(), stands_s, &Belief::NOTHING);
        person.heading.map(|h| (f64::from(h.rad).abs() < 0.2, h.sigma_rad))
    };
    let (right, soon) = sigma(2.0).unwrap();
    let (still_right, later) = sigma(30.0).unwrap();
    assert!(right && still_right && later > soon);
    assert_eq!(sigma(120.0), None, "a heading two minutes old says nothing");
}

#[test]
fn of_two_postures_the_mean_is_between_and_the_sigma_holds_two_thirds() {
    let config = Config::default();
    let nose = |b: &Belief| {
        let point = after_a_walk(&config, 1.0, b).keypoints[KeypointName::Nose as usize];
        (f64::from(point.position_m[2]), f64::from(point.sigma_m[2]))
    };
    let heaps = [nose(&belief(PostureClass::Standing)), nose(&belief(PostureClass::Sitting))];
    for standing in [0.5, 0.8, 0.95] {
        let mut mixed = belief(PostureClass::Standing);
        mixed.probability = Some([standing, 0.0, 1.0 - standing, 0.0, 0.0]);
        let (mean, sigma) = nose(&mixed);
        assert!((mean - standing * heaps[0].0 - (1.0 - standing) * heaps[1].0).abs() < 1e-5);
        let below = |x: f64, (mean, sd): (f64, f64)| 0.5 * (1.0 + math::erf((x - mean) / (sd * 2f64.sqrt())));
        let within = |heap| below(mean + sigma, heap) - below(mean - sigma, heap);
        let held = standing * within(heaps[0]) + (1.0 - standing) * within(heaps[1]);
        // Sigmas are computed to 0.4 % of the whole deviation, which is 0.3 points here.
        assert!((held - 0.683).abs() < 0.004, "{standing}: {held}");
    }
}

#[test]
fn an_undecided_posture_is_sitting_more_often_than_none_that_was_looked_for() {
    let undecided =
        Belief { posture: Posture::Unknown(NoPosture::Undecided), probability: None, on_floor: 0.0 };
    let head = |b: &Belief| at(&after_a_walk(&Config::default(), 9.0, b), KeypointName::Nose)[2];
    let [standing, sitting] = [PostureClass::Standing, PostureClass::Sitting].map(|c| head(&belief(c)));
    let (nothing, undecided) = (head(&Belief::NOTHING), head(&undecided));
    assert!(sitting < undecided && undecided < nothing && nothing < standing, "{undecided} {nothing}");
}

#[test]
fn two_people_have_no_posture() {
    let (plan, mut state) = tracker(&Config::default());
    let mut random = common::Random(5);
    for cycle in 0..60 {
        let seen = [[1.0, 1.0, 1.0], [4.0, 3.0, 1.0]].map(|p| common::detection(&mut random, p, 0.1));
        plan.run(time(f64::from(cycle) * CYCLE_S), &seen, Gate::Accept, 1.0, &mut state);
    }
    let sitting = belief(PostureClass::Sitting);
    let people: Vec<Person> = plan.people(&state, &sitting, 0.0).collect();
    assert_eq!(people.len(), 2);
    assert!(people.iter().all(|p| matches!(p.posture, Posture::Unknown(_))));
    assert_eq!(state.only_person(), None);
}

#[test]
fn nothing_but_the_track_moves_it() {
    let (plan, _) = tracker(&Config::default());
    let mut later = track([1.0, 0.3]);
    let before = plan.skeleton(&later);
    later.age_cycles += 1;
    later.missed_cycles += 1;
    later.existence = 0.5;
    assert_eq!(plan.skeleton(&later).keypoints, before.keypoints);
}
