//! Guards what is said about the room: counts that never contradict presence, quality, the gate, and a graph that
//! knows who is there, on whose evidence, since when, within its bounds.

mod common;

use common::{EMPTY, Hub, READY, geometry, link, track};
use wavewitness_types::limits::{MAX_LINKS, MAX_NODES};
use wavewitness_types::{
    CalibrationState, Canonical, Count, Gate, LinkId, NodeHealth, NodeId, PersonTrack, Presence,
    RefusalReason, Timestamp, TrackId, TrackState, UnknownReason,
};
use wavewitness_world::{
    Config, EdgeKind, Entity, Event, EventKind, Graph, Input, LinkInput, Plan, PresenceKind, State, Verdict,
};

/// Six seconds of the same: long enough for presence to be sure.
fn settled(calibration: CalibrationState, z: f32, tracks: &[PersonTrack]) -> (Hub, Verdict) {
    let mut hub = Hub::new(&Config::default());
    let room: Vec<_> =
        (0..2).map(|k| LinkInput { change_z: Some(z), drift_z: Some(z), ..link(k, calibration) }).collect();
    let mut verdict = hub.cycle(&room, tracks);
    for _ in 0..120 {
        verdict = hub.cycle(&room, tracks);
    }
    (hub, verdict)
}

fn distribution(count: Count) -> Vec<f64> {
    let Count::Known(p) = count else { panic!("{count:?}") };
    let p: Vec<f64> = p.into_iter().map(f64::from).collect();
    assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    p
}

#[test]
fn an_empty_room_holds_nobody_even_if_a_track_lingers() {
    let (_, verdict) = settled(EMPTY, 0.0, &[]);
    assert!(distribution(verdict.count)[0] > 0.99);
    // The tracker still coasts, presence is sure that nobody is there: the count does not contradict presence.
    let ghost = [track(1, TrackState::Coasting, 0.95, [2.0, 2.0, 1.0])];
    let (_, verdict) = settled(EMPTY, 0.0, &ghost);
    let Presence::Known { present: false, probability, .. } = verdict.presence else { panic!() };
    let p = distribution(verdict.count);
    assert!((1.0 - p[0] - f64::from(probability)).abs() < 1e-6 && p[0] > 0.99);
}

#[test]
fn people_are_counted_with_their_uncertainty() {
    let tracks = [
        track(1, TrackState::Confirmed, 0.99, [2.0, 2.0, 1.0]),
        track(4, TrackState::Coasting, 0.6, [4.0, 3.0, 1.0]),
        track(5, TrackState::Tentative, 0.9, [1.0, 1.0, 1.0]),
    ];
    for calibration in [EMPTY, READY] {
        let (_, verdict) = settled(calibration, 6.0, &tracks);
        assert_eq!(verdict.count.most_probable(), Some(2));
        let p = distribution(verdict.count);
        assert!((p[2] - 0.6 * 0.99).abs() < 0.01 && p[3] == 0.0, "{p:?}");
    }
}

#[test]
fn who_is_not_tracked_is_counted_where_the_channels_tell() {
    let numbers = Some([0.05, 0.1, 0.6, 0.25, 0.0, 0.0, 0.0, 0.0]);
    let one = [track(1, TrackState::Confirmed, 0.99, [2.0, 2.0, 1.0])];
    let count = |calibration, z: f32, tracks: &[PersonTrack]| {
        let (hub, _) = settled(calibration, z, tracks);
        let room: Vec<_> = (0..2)
            .map(|k| LinkInput { change_z: Some(z), drift_z: Some(z), ..link(k, calibration) })
            .collect();
        let input = Input { numbers, tomography_active: false, ..hub.input(&room, tracks) };
        hub.plan.run(&input, &mut hub.state.clone())
    };
    for tracks in [&one[..], &[]] {
        let verdict = count(EMPTY, 6.0, tracks);
        assert_eq!(verdict.count.most_probable(), Some(3), "placed or not");
        let Presence::Known { probability, .. } = verdict.presence else { panic!() };
        assert!((1.0 - distribution(verdict.count)[0] - f64::from(probability)).abs() < 1e-6);
    }
    // Presence alone says whether anybody is there.
    assert_eq!(count(EMPTY, 0.0, &[]).count.most_probable(), Some(0));
    // Without an empty room to compare with it is no number of people.
    assert_eq!(count(READY, 6.0, &one).count, Count::Unknown(UnknownReason::TooFewLinks));
}

#[test]
fn zero_is_not_said_by_motion_alone_nor_when_somebody_is_not_placed() {
    let unknown = |v: Verdict| match v.count {
        Count::Unknown(reason) => reason,
        Count::Known(p) => panic!("{p:?}"),
    };
    assert_eq!(unknown(settled(READY, 0.0, &[]).1), UnknownReason::NotCalibrated);
    assert_eq!(unknown(settled(EMPTY, 6.0, &[]).1), UnknownReason::TooFewLinks);
    assert_eq!(unknown(settled(READY, 6.0, &[]).1), UnknownReason::TooFewLinks);
}

#[test]
fn a_count_needs_data_geometry_baselines_and_an_image() {
    let (hub, _) = settled(EMPTY, 6.0, &[]);
    let tracks = [track(1, TrackState::Confirmed, 0.99, [2.0, 2.0, 1.0])];
    let room = [link(0, EMPTY), link(1, EMPTY)];
    let closed = room.map(|l| LinkInput { gate: Gate::Reject, ..l });
    let raw = room.map(|l| LinkInput { calibration: CalibrationState::None, ..l });
    let good = hub.input(&room, &tracks);
    let count = |input: Input<'_>| match hub.plan.run(&input, &mut hub.state.clone()).count {
        Count::Unknown(reason) => Some(reason),
        Count::Known(_) => None,
    };
    assert_eq!(count(good), None);
    assert_eq!(count(Input { geometry_known: false, ..good }), Some(UnknownReason::NoGeometry));
    assert_eq!(count(Input { tomography_active: false, ..good }), Some(UnknownReason::TooFewLinks));
    assert_eq!(count(Input { links: &raw, ..good }), Some(UnknownReason::NotCalibrated));
    assert_eq!(count(Input { links: &closed, ..good }), Some(UnknownReason::PoorCoherence));
    assert_eq!(count(Input { last_frame: None, geometry_known: false, ..good }), Some(UnknownReason::NoData));
}

#[test]
fn quality_is_the_geometric_mean_of_its_shares_and_the_gate_the_best() {
    let hub = Hub::new(&Config::default());
    let mut room: Vec<_> = (0..4).map(|k| link(k, READY)).collect();
    room[0].heard = false;
    room[1].gate = Gate::PredictOnly;
    room[2].gate = Gate::Reject;
    room[3].calibration = CalibrationState::Stale;
    let run = |room: &[LinkInput]| {
        let mut input = hub.input(room, &[]);
        (input.rejected, input.unassigned) = (7, 2);
        hub.plan.run(&input, &mut hub.state.clone())
    };
    let verdict = run(&room);
    // Heard 3 of 4; coherent ½ + 0 + 1 of 3; baselines 3½ of 4.
    let expected = wavewitness_num::math::cbrt(0.75 * 0.5 * 0.875);
    assert!((f64::from(verdict.quality.score) - expected).abs() < 1e-6);
    let q = verdict.quality;
    assert_eq!((q.frames, q.rejected, q.unassigned, q.links_heard, q.links_known), (20, 7, 2, 3, 4));
    assert_eq!(verdict.gate, Gate::Accept);
    room[3].gate = Gate::Recalibrate;
    assert_eq!(run(&room).gate, Gate::PredictOnly);
    room.iter_mut().for_each(|l| l.heard = false);
    assert_eq!((run(&room).gate, run(&room).quality.score), (Gate::Reject, 0.0));
    assert_eq!(run(&[]).quality.score, 0.0);
}

fn health(node: u8, silent: bool) -> NodeHealth {
    NodeHealth {
        node: NodeId(node),
        last: Timestamp(0),
        rate_hz: 100.0,
        frames: 0,
        rejected: 0,
        reordered: 0,
        duplicates: 0,
        reboots: 0,
        id_conflict: false,
        silent,
        hint_presence: None,
        rssi_dbm: None,
    }
}

#[test]
fn the_graph_says_who_is_there_on_whose_evidence_since_when() {
    let plan = Plan::new(&Config::default(), &geometry()).unwrap();
    let mut state = State::new(&plan);
    let hub = Hub::new(&Config::default());
    // Link 1 runs from node 10 to node 11 along y = 2.5; link 0 comes from a station that is nowhere.
    let mut room = [link(0, READY), link(1, READY)];
    room.iter_mut().for_each(|l| l.change_z = Some(6.0));
    let mut run = |seconds: f64, room: &[LinkInput], tracks: &[PersonTrack], nodes: &[NodeHealth]| {
        let at = Timestamp(hub.at.0 + (seconds * 1e9) as u64);
        let input = Input { at, nodes, last_frame: Some(at), ..hub.input(room, tracks) };
        plan.run(&input, &mut state);
        (at, state.graph().clone())
    };
    let nodes = [health(10, false), health(11, false)];
    let near = track(3, TrackState::Confirmed, 0.99, [3.0, 2.7, 1.0]);
    let far = track(4, TrackState::Confirmed, 0.99, [3.0, 4.9, 1.0]);
    let outside = track(6, TrackState::Coasting, 0.99, [6.2, 2.5, 1.0]);
    let (since, graph) = run(0.0, &room, &[near, far, outside], &nodes);
    let person = |id| Entity::Person(TrackId(id));
    let expected = [
        (EdgeKind::Observes, Entity::Sensor(NodeId(10)), Entity::Link(LinkId(0))),
        (EdgeKind::Observes, Entity::Sensor(NodeId(11)), Entity::Link(LinkId(1))),
        (EdgeKind::LocatedIn, Entity::Sensor(NodeId(10)), Entity::Room),
        (EdgeKind::LocatedIn, Entity::Sensor(NodeId(11)), Entity::Room),
        (EdgeKind::LocatedIn, person(3), Entity::Room),
        (EdgeKind::LocatedIn, person(4), Entity::Room),
        (EdgeKind::Supports, Entity::Link(LinkId(1)), person(3)),
        (EdgeKind::Supports, Entity::Link(LinkId(1)), person(6)),
    ];
    assert!(graph.edges().map(|e| (e.kind, e.from, e.to)).eq(expected));

    room.iter_mut().for_each(|l| l.change_z = Some(0.0));
    let moved = track(3, TrackState::Coasting, 0.9, [3.1, 2.7, 1.0]);
    let (_, graph) = run(0.5, &room, &[moved, far], &nodes);
    let people = graph.people();
    assert_eq!((people.len(), people[0].since, people[0].state), (2, since, TrackState::Coasting));
    assert_eq!(graph.supporters(&people[0]).collect::<Vec<_>>(), [LinkId(1)]);
    let (_, graph) = run(1.1, &room, &[moved], &nodes);
    assert_eq!(graph.supporters(&graph.people()[0]).count(), 0, "the disturbance is over a second old");

    room[0].calibration = CalibrationState::Collecting { have: 1, need: 9 };
    run(1.2, &room, &[], &[health(10, false), health(11, true)]);
    room[0].calibration = CalibrationState::Collecting { have: 2, need: 9 };
    run(1.3, &room, &[], &[health(10, false), health(11, true)]);
    room[0].calibration = CalibrationState::Refused(RefusalReason::Motion);
    let (_, graph) = run(1.4, &room, &[], &nodes);
    let kinds: Vec<_> = graph.events().map(|e| e.kind).collect();
    let calibration = |k: u16| EventKind::Calibration(LinkId(k), READY);
    assert_eq!(
        kinds[..6],
        [
            EventKind::Presence(PresenceKind::Absent),
            calibration(0),
            calibration(1),
            EventKind::TrackConfirmed(TrackId(3)),
            EventKind::TrackConfirmed(TrackId(4)),
            EventKind::TrackConfirmed(TrackId(6)),
        ]
    );
    let lost = |id| EventKind::TrackLost(TrackId(id));
    let collecting = CalibrationState::Collecting { have: 1, need: 9 };
    assert_eq!(
        kinds[6..],
        [
            lost(6),
            lost(4),
            EventKind::NodeSilent(NodeId(11)),
            EventKind::Calibration(LinkId(0), collecting),
            lost(3),
            EventKind::NodeBack(NodeId(11)),
            EventKind::Calibration(LinkId(0), CalibrationState::Refused(RefusalReason::Motion)),
        ]
    );
    assert_eq!(graph.events_total(), 13);
}

#[test]
fn the_graph_is_bounded_whatever_it_is_fed() {
    let mut hub = Hub::new(&Config::default());
    let mut next = 0;
    for cycle in 0..300u32 {
        let links: Vec<_> = (0..100).map(|k| LinkInput { change_z: Some(9.0), ..link(k, READY) }).collect();
        let nodes: Vec<_> = (0..40).map(|k| health(k, cycle % 2 == 0)).collect();
        let tracks: Vec<_> = (0..20)
            .map(|_| {
                next += 1;
                track(next, TrackState::Confirmed, 0.9, [1.0, 1.0, 1.0])
            })
            .collect();
        hub.at = hub.at.plus_nanos(50_000_000);
        let input = Input { nodes: &nodes, last_frame: Some(hub.at), ..hub.input(&links, &tracks) };
        let verdict = hub.plan.run(&input, &mut hub.state);
        let mut bytes = verdict.to_canonical_bytes();
        hub.state.graph().canonical(&mut bytes);
        assert!(bytes.len() < 8192, "{}", bytes.len());
    }
    let graph = hub.state.graph();
    assert_eq!((graph.links().len(), graph.sensors().len(), graph.people().len()), (MAX_LINKS, MAX_NODES, 8));
    assert_eq!(graph.events().len(), Graph::MAX_EVENTS);
    assert!(graph.events().collect::<Vec<&Event>>().windows(2).all(|w| w[0].at <= w[1].at));
}

#[test]
fn canonical_bytes_tell_every_field_apart() {
    let (hub, verdict) = settled(EMPTY, 6.0, &[track(1, TrackState::Confirmed, 0.9, [2.0, 2.0, 1.0])]);
    let bytes = verdict.to_canonical_bytes();
    let mut others = [verdict; 4];
    others[0].gate = Gate::Reject;
    others[1].motion = None;
    others[2].quality.frames += 1;
    others[3].count = Count::Unknown(UnknownReason::NoData);
    assert!(others.iter().all(|o| o.to_canonical_bytes() != bytes));
    let graph = hub.state.graph().to_canonical_bytes();
    assert_ne!(graph, settled(EMPTY, 6.0, &[]).0.state.graph().to_canonical_bytes());
}

#[test]
fn contradictory_configurations_are_refused_by_name() {
    let c = Config { on_probability: 0.5, off_probability: 0.5, ..Config::default() };
    let refused = Plan::new(&c, &geometry()).err().map(|e| e.field);
    assert_eq!(refused.as_deref(), Some("world.off_probability"));
    let c = Config { silence_s: 0.0, ..Config::default() };
    assert_eq!(Plan::new(&c, &geometry()).err().map(|e| e.field).as_deref(), Some("world.silence_s"));
}
