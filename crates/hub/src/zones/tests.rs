use super::*;
use wavewitness_types::{
    Basis, Breathing, CycleIndex, FallWatch, Gate, Keypoint, NoBreathing, NoPosture, Posture, Quality,
    Source, TrackId,
};

const STEP_NS: u64 = 50_000_000;

fn person(x: f32, y: f32, sigma: f32) -> Person {
    let keypoint = Keypoint { position_m: [x, y, 1.0], sigma_m: [sigma; 3], basis: Basis::Prior };
    Person {
        id: TrackId(1),
        state: TrackState::Confirmed,
        existence: 1.0,
        position_m: [x, y, 1.0],
        sigma_m: [sigma; 3],
        velocity_m_s: [0.0; 3],
        posture: Posture::Unknown(NoPosture::NoData),
        heading: None,
        keypoints: [keypoint; 17],
    }
}

fn count(n: usize) -> Count {
    let mut p = [0.0; 9];
    p[n] = 1.0;
    Count::Known(p)
}

fn present(basis: PresenceBasis) -> Presence {
    Presence::Known { present: true, probability: 0.99, basis }
}

fn absent(basis: PresenceBasis) -> Presence {
    Presence::Known { present: false, probability: 0.01, basis }
}

fn frame(cycle: u64, presence: Presence, count: Count, people: Vec<Person>) -> PoseFrame {
    PoseFrame {
        cycle: CycleIndex(cycle),
        at: Timestamp(1_000_000_000 + cycle * STEP_NS),
        source: Source::Simulated,
        presence,
        motion: None,
        count,
        people,
        gate: Gate::Accept,
        quality: Quality {
            score: 1.0,
            frames: 0,
            rejected: 0,
            unassigned: 0,
            links_heard: 0,
            links_known: 0,
        },
        nodes: Vec::new(),
        links: Vec::new(),
        breathing: Breathing::Unknown(NoBreathing::TooShort),
        fall: FallWatch::Unknown(UnknownReason::TooFewLinks),
    }
}

/// Sofa at x 0 to 2 m, desk at x 2 to 4 m, both over the whole depth of 3 m.
fn zones() -> Zones {
    let at = |name, min_m, max_m| ZoneConfig::new(name, Shape::Box { min_m, max_m }).unwrap();
    Zones::new(&[
        at("sofa", [0.0, 0.0, -1.0], [2.0, 3.0, 3.0]),
        at("desk", [2.0, 0.0, -1.0], [4.0, 3.0, 3.0]),
    ])
}

/// What is said after `seconds` of the same.
fn after(zones: &mut Zones, cycle: &mut u64, seconds: f64, of: impl Fn(u64) -> PoseFrame) -> Vec<Zone> {
    let mut said = Vec::new();
    for _ in 0..(seconds * 20.0) as u64 {
        said = zones.update(&of(*cycle));
        *cycle += 1;
    }
    said
}

fn states(said: &[Zone]) -> Vec<&'static str> {
    said.iter().map(|z| z.state).collect()
}

#[test]
fn somebody_who_is_well_located_occupies_one_zone_and_the_other_is_vacant() {
    let (mut zones, mut cycle) = (zones(), 0);
    let motion = present(PresenceBasis::EmptyRoom);
    let of = |x| move |c| frame(c, motion, count(1), vec![person(x, 1.5, 0.2)]);
    assert_eq!(states(&after(&mut zones, &mut cycle, 0.4, of(1.0))), ["unknown", "vacant"], "not settled");
    assert_eq!(states(&after(&mut zones, &mut cycle, 0.4, of(1.0))), ["occupied", "vacant"]);
    assert_eq!(states(&after(&mut zones, &mut cycle, 1.0, of(3.0))), ["vacant", "occupied"]);
    let told: Vec<_> =
        zones.events().filter(|e| matches!(&e.event, Happening::Zone { state: "occupied", .. })).collect();
    assert_eq!(told.len(), 2);
}

#[test]
fn on_the_border_the_last_word_stays() {
    let (mut zones, mut cycle) = (zones(), 0);
    let of = |x| move |c| frame(c, present(PresenceBasis::EmptyRoom), count(1), vec![person(x, 1.5, 0.2)]);
    after(&mut zones, &mut cycle, 1.0, of(1.0));
    // Half inside either: 0.5 lies between giving up and taking.
    let said = after(&mut zones, &mut cycle, 5.0, of(2.0));
    assert_eq!(states(&said), ["occupied", "unknown"]);
    assert_eq!(said[1].reason, Some("undecided"));
    let p = said[0].probability.unwrap().unwrap();
    assert!((p - 0.5).abs() < 1e-3, "{p}");
}

#[test]
fn probabilities_are_those_of_the_normal_law_and_of_people_apart() {
    let (mut zones, mut cycle) = (zones(), 0);
    // One sigma below the border: Φ(1) = 0.8413; the depth holds ±7.5 sigma.
    let of = |c| frame(c, present(PresenceBasis::EmptyRoom), count(1), vec![person(1.8, 1.5, 0.2)]);
    let p = after(&mut zones, &mut cycle, 1.0, of)[0].probability.unwrap().unwrap();
    assert!((p - 0.8413).abs() < 1e-3, "{p}");
    let two = |c| {
        let half = |x| Person { existence: 0.5, ..person(x, 1.5, 0.05) };
        frame(c, present(PresenceBasis::EmptyRoom), count(2), vec![half(0.5), half(1.0)])
    };
    let p = after(&mut zones, &mut cycle, 1.0, two)[0].probability.unwrap().unwrap();
    assert!((p - 0.75).abs() < 1e-3, "{p}");
}

#[test]
fn a_zone_is_vacant_only_if_everybody_is_accounted_for() {
    let cases = [
        (present(PresenceBasis::EmptyRoom), count(1), "not-located"),
        (present(PresenceBasis::Motion), count(1), "not-located"),
        (absent(PresenceBasis::Motion), count(0), "motion-only"),
        (Presence::Unknown(UnknownReason::NoData), count(0), "no-data"),
        (present(PresenceBasis::Motion), Count::Unknown(UnknownReason::NoGeometry), "no-geometry"),
    ];
    for (presence, count, reason) in cases {
        let (mut zones, mut cycle) = (zones(), 0);
        let said = after(&mut zones, &mut cycle, 2.0, |c| frame(c, presence, count, Vec::new()));
        assert_eq!(states(&said), ["unknown", "unknown"]);
        assert_eq!(said[0].reason, Some(reason));
        assert_eq!((said[0].probability, said[0].motion), (Some(None), Some(None)));
    }
    let (mut zones, mut cycle) = (zones(), 0);
    let empty = |c| frame(c, absent(PresenceBasis::EmptyRoom), count(0), Vec::new());
    assert_eq!(states(&after(&mut zones, &mut cycle, 1.0, empty)), ["vacant", "vacant"]);
    // Two are counted, one is located: the other could be at the desk.
    let one = |c| frame(c, present(PresenceBasis::EmptyRoom), count(2), vec![person(1.0, 1.5, 0.2)]);
    assert_eq!(states(&after(&mut zones, &mut cycle, 1.0, one)), ["occupied", "unknown"]);
}

#[test]
fn motion_is_of_somebody_inside_who_was_measured() {
    let walker = |state, v: f32| Person { state, velocity_m_s: [v, 0.0, 0.0], ..person(1.0, 1.5, 0.2) };
    for (state, v, expected) in [
        (TrackState::Confirmed, 0.8, true),
        (TrackState::Confirmed, 0.1, false),
        (TrackState::Coasting, 0.8, false),
    ] {
        let (mut zones, mut cycle) = (zones(), 0);
        let of = |c| frame(c, present(PresenceBasis::EmptyRoom), count(1), vec![walker(state, v)]);
        let said = after(&mut zones, &mut cycle, 1.0, of);
        assert_eq!(said[0].motion, Some(Some(expected)));
        assert_eq!(said[1].motion, Some(Some(false)));
    }
}

#[test]
fn an_outline_goes_around_corners_and_any_height_is_its_own() {
    // An L: the corner beyond (2, 1.5) is not part of it, though it is within its extent.
    let outline =
        || Outline::new(&[[0.0, 0.0], [4.0, 0.0], [4.0, 1.5], [2.0, 1.5], [2.0, 3.0], [0.0, 3.0]]).unwrap();
    let zone = |name, z_m| ZoneConfig::new(name, Shape::Prism { outline: outline(), z_m }).unwrap();
    let said = |x, y| {
        let mut zones =
            Zones::new(&[zone("any", None), zone("low", Some([0.0, 0.5])), zone("room", Some([0.0, 2.5]))]);
        let of = |c| frame(c, present(PresenceBasis::EmptyRoom), count(1), vec![person(x, y, 0.1)]);
        states(&after(&mut zones, &mut 0, 1.0, of))
    };
    // Everybody's middle is at 1 m.
    assert_eq!(said(1.0, 2.5), ["occupied", "vacant", "occupied"]);
    assert_eq!(said(3.5, 0.5), ["occupied", "vacant", "occupied"]);
    assert_eq!(said(3.5, 2.5), ["vacant"; 3], "within the extent, not within the outline");
    let flat = ZoneConfig::new("flat", Shape::Prism { outline: outline(), z_m: Some([1.0, 1.0]) });
    assert!(flat.unwrap_err().to_string().contains("zone.z_m = 1 to 1"));
    assert_eq!(zone("any", None).floor_m(), outline().corners());
}

#[test]
fn events_are_bounded() {
    let (mut zones, mut cycle) = (zones(), 0);
    let of = |x| move |c| frame(c, present(PresenceBasis::EmptyRoom), count(1), vec![person(x, 1.5, 0.2)]);
    for _ in 0..60 {
        after(&mut zones, &mut cycle, 1.0, of(1.0));
        after(&mut zones, &mut cycle, 1.0, of(3.0));
    }
    assert_eq!(zones.events().count(), MAX_EVENTS);
}
