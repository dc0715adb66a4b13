//! Guards the order of evidence (MAC, slot, shape), the bounds of the tables, and that no input panics.

mod common;

use common::{Rng, frame, with_mac};
use proptest::prelude::*;
use wavewitness_links::{Config, MAX_GROUPS, Plan, Resolution, State, Unassigned};
use wavewitness_num::C64;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::stage_config::{ConfigValue, StageConfig};
use wavewitness_types::{
    AccessPointPlace, Canonical, CsiFrame, CyclePlan, Geometry, Identification, Layout, LinkId, Mac, NodeId,
    NodePlace, RadioMeta, Samples, Timestamp, ToneGrid, Transmitter,
};

fn geometry() -> Geometry {
    Geometry {
        room: None,
        nodes: vec![
            NodePlace { id: NodeId(1), mac: Some(Mac([2, 0, 0, 0, 0, 1])), position_m: None },
            NodePlace { id: NodeId(2), mac: Some(Mac([2, 0, 0, 0, 0, 2])), position_m: None },
        ],
        access_points: vec![AccessPointPlace { mac: Mac([2, 0, 0, 0, 0, 9]), position_m: None }],
    }
}

fn tdma() -> CyclePlan {
    CyclePlan { cycle_ns: 50_000_000, slots: vec![NodeId(1), NodeId(2)], guard_permille: 100 }
}

fn flat(at_ns: u64, node: u8, rng: &mut Rng) -> CsiFrame {
    frame(at_ns, node, Layout::Lltf64, &[C64::new(1.0, 0.0); 52], rng, 0.02)
}

#[test]
fn a_mac_outranks_a_slot_and_a_slot_outranks_the_shape() {
    let plan = Plan::new(&Config::default(), &geometry(), &tdma()).unwrap();
    let mut state = State::new(&plan);
    let mut rng = Rng(1);
    let in_slot_2 = Some(Timestamp(37_000_000));
    let mut f = with_mac(flat(1, 1, &mut rng), 9);
    f.mesh_time = in_slot_2;
    let by_mac = plan.resolve(&f, &mut state);
    assert_eq!(by_mac, Resolution::Link { id: LinkId(0), by: Identification::Mac });
    assert_eq!(state.links()[0].link.tx(), Transmitter::Station(Mac([2, 0, 0, 0, 0, 9])));

    let mut f = flat(2, 1, &mut rng);
    f.mesh_time = in_slot_2;
    assert_eq!(plan.resolve(&f, &mut state), Resolution::Link { id: LinkId(1), by: Identification::Slot });
    assert_eq!(state.links()[1].link.tx(), Transmitter::Node(NodeId(2)));

    // The node's MAC names the same link, and is the stronger evidence for it.
    let f = with_mac(flat(3, 1, &mut rng), 2);
    assert_eq!(plan.resolve(&f, &mut state), Resolution::Link { id: LinkId(1), by: Identification::Mac });
    assert_eq!(state.links()[1].identification, Identification::Mac);

    // In a guard interval, or without mesh time, only the shape is left.
    let mut f = flat(4, 1, &mut rng);
    f.mesh_time = Some(Timestamp(25_000_000));
    assert_eq!(plan.resolve(&f, &mut state), Resolution::Unassigned(Unassigned::Learning));
}

#[test]
fn a_node_does_not_hear_itself() {
    let plan = Plan::new(&Config::default(), &geometry(), &tdma()).unwrap();
    let mut state = State::new(&plan);
    let mut rng = Rng(2);
    let own = Resolution::Unassigned(Unassigned::OwnNode);
    assert_eq!(plan.resolve(&with_mac(flat(1, 2, &mut rng), 2), &mut state), own);
    let mut f = flat(2, 1, &mut rng);
    f.mesh_time = Some(Timestamp(12_000_000));
    assert_eq!(plan.resolve(&f, &mut state), own);
    assert_eq!(state.counters().unassigned[Unassigned::OwnNode as usize], 2);
    assert!(state.links().is_empty());
}

#[test]
fn frames_with_and_without_a_mac_never_share_a_link() {
    let plan = Plan::new(&Config::default(), &geometry(), &CyclePlan::ambient()).unwrap();
    let mut state = State::new(&plan);
    let mut rng = Rng(3);
    for k in 0..400u64 {
        let at = k * 25_000_000;
        let f = flat(at, 1, &mut rng);
        let f = if k % 2 == 0 { with_mac(f, 9) } else { f };
        let r = plan.resolve(&f, &mut state);
        if let Resolution::Link { id, by } = r {
            let named = matches!(state.links()[id.index()].link.tx(), Transmitter::Station(_));
            assert_eq!(named, k % 2 == 0);
            assert_eq!(by == Identification::Mac, k % 2 == 0);
        }
        plan.end_cycle(Timestamp(at), &mut state);
    }
    assert_eq!(state.links().len(), 2);
    // The record shows what a reader would want to know: the two look the same.
    assert!(state.links()[1].between_distance.unwrap() < 0.01);
}

#[test]
fn unknown_stations_must_repeat_and_can_not_fill_the_table() {
    let plan = Plan::new(&Config::default(), &geometry(), &CyclePlan::ambient()).unwrap();
    let mut state = State::new(&plan);
    let mut rng = Rng(4);
    let mut at = 0;
    let mut hear = |mac: u8, rng: &mut Rng, state: &mut State| {
        at += 1_000_000;
        plan.resolve(&with_mac(flat(at, 1, rng), mac), state)
    };
    assert_eq!(hear(100, &mut rng, &mut state), Resolution::Unassigned(Unassigned::Learning));
    for mac in 100..200 {
        for _ in 0..4 {
            hear(mac, &mut rng, &mut state);
        }
    }
    assert_eq!(state.links().len(), MAX_LINKS / 2);
    assert_eq!(hear(199, &mut rng, &mut state), Resolution::Unassigned(Unassigned::TableFull));
    assert!(state.counters().unassigned[Unassigned::TableFull as usize] > 60);
    // A configured access point still finds its place, at its first frame.
    let r = hear(9, &mut rng, &mut state);
    assert_eq!(r, Resolution::Link { id: LinkId(MAX_LINKS as u16 / 2), by: Identification::Mac });
    // Old links kept their ids.
    assert!(matches!(hear(100, &mut rng, &mut state), Resolution::Link { id: LinkId(0), .. }));
}

#[test]
fn a_full_table_is_counted() {
    let slots: Vec<NodeId> = (0..16).map(NodeId).collect();
    let cycle = CyclePlan { cycle_ns: 50_000_000, slots, guard_permille: 0 };
    let plan = Plan::new(&Config::default(), &Geometry::default(), &cycle).unwrap();
    let mut state = State::new(&plan);
    let mut rng = Rng(5);
    let mut full = 0;
    for rx in 0..6u8 {
        for slot in 0..16u64 {
            let mut f = flat(1, rx, &mut rng);
            f.mesh_time = Some(Timestamp(slot * 3_125_000 + 1));
            full += u64::from(plan.resolve(&f, &mut state) == Resolution::Unassigned(Unassigned::TableFull));
        }
    }
    assert_eq!(state.links().len(), MAX_LINKS);
    assert_eq!(full, 6 * 15 - MAX_LINKS as u64);
    assert_eq!(state.counters().unassigned[Unassigned::TableFull as usize], full);
    assert_eq!(state.counters().frames(), 96);
    // Ambient groups have a bound of their own.
    let plan = Plan::new(&Config::default(), &Geometry::default(), &CyclePlan::ambient()).unwrap();
    let mut state = State::new(&plan);
    for node in 0..=MAX_GROUPS as u8 {
        let r = plan.resolve(&flat(1, node, &mut rng), &mut state);
        let last = usize::from(node) == MAX_GROUPS;
        let why = if last { Unassigned::TableFull } else { Unassigned::Learning };
        assert_eq!(r, Resolution::Unassigned(why));
    }
}

#[test]
fn a_bad_configuration_is_refused_by_name() {
    let mut c = Config::default();
    let e = c.set("rival_ratio", ConfigValue::Float(1.5)).unwrap_err();
    assert_eq!(e.field, "links.rival_ratio");
    c.gate_min = 0.3;
    let e = Plan::new(&c, &Geometry::default(), &CyclePlan::ambient()).unwrap_err();
    assert_eq!(e.to_string(), "links.gate_max = 0.2: allowed is at least links.gate_min (0.3)");
    c.shape_rate = f64::NAN;
    assert_eq!(
        Plan::new(&c, &Geometry::default(), &CyclePlan::ambient()).unwrap_err().field,
        "links.shape_rate"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_frame_panics_and_every_one_is_counted(
        seed in any::<u64>(),
        scale in prop_oneof![Just(0.0f32), Just(1e-30), Just(1.0), Just(f32::MAX), Just(f32::NAN)],
    ) {
        let plan = Plan::new(&Config { learn_s: 0.0, ..Config::default() }, &geometry(), &tdma()).unwrap();
        let mut state = State::new(&plan);
        let mut rng = Rng(seed);
        for _ in 0..120u64 {
            let grid = ToneGrid::ALL[rng.next() as usize % 5];
            let mut samples = Samples::zero(grid);
            let (re, im) = samples.parts_mut();
            let few = rng.next() as usize % re.len();
            for k in few..re.len() {
                (re[k], im[k]) = (rng.uniform() as f32 * scale, -(rng.uniform() as f32) * scale);
            }
            let f = CsiFrame {
                at: Timestamp(rng.next() >> (rng.next() % 60)),
                mesh_time: rng.next().is_multiple_of(3).then(|| Timestamp(rng.next())),
                node: NodeId(rng.next() as u8 % 3),
                sequence: 0,
                transmitter: rng.next().is_multiple_of(3).then(|| Mac([2, 0, 0, 0, 0, rng.next() as u8 % 4])),
                layout: Layout::ALL[rng.next() as usize % 2],
                radio: RadioMeta::default(),
                samples,
            };
            plan.resolve(&f, &mut state);
            plan.end_cycle(f.at, &mut state);
        }
        prop_assert_eq!(state.counters().frames(), 120);
        // Every value is finite: the encoder refuses others.
        state.links().to_canonical_bytes();
    }
}
