//! Guards the books of the nodes: what counts as late, twice, restarted, shared or silent, and that a gap in the
//! counter is none of these (the counter also counts frames that the node's own gate drops).

mod common;

use common::{legacy_pairs, sender};
use wavewitness_ingest::encode::{
    CsiHeader, encode_csi_v1, encode_simulation_marker, encode_sync, encode_vitals,
};
use wavewitness_ingest::packet::{Sync, Vitals};
use wavewitness_ingest::{Config, Kind, Outcome, Plan, Reject, State};
use wavewitness_types::{NodeHealth, NodeId, Sender, Timestamp};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;

struct Bench {
    plan: Plan,
    state: State,
    bytes: Vec<u8>,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(&Config::default())
    }

    fn with(config: &Config) -> Bench {
        let plan = Plan::new(config).unwrap();
        let state = State::new(&plan);
        Bench { plan, state, bytes: Vec::new() }
    }

    /// A channel frame whose contents follow from `content`, `at` nanoseconds after the start.
    fn frame(&mut self, at: u64, from: Sender, node: u8, sequence: u32, content: u64) -> Outcome {
        let header = CsiHeader { rssi_dbm: Some(-40), ..CsiHeader::bare(NodeId(node), sequence) };
        encode_csi_v1(&header, &legacy_pairs(content), &mut self.bytes);
        self.plan.run(Timestamp(START + at), from, &self.bytes, &mut self.state)
    }

    fn sync(&mut self, at: u64, epoch_ns: u64, highest_sequence: u32, valid: bool) {
        let node = NodeId(1);
        let epoch_us = epoch_ns / 1000;
        let packet =
            Sync { node, leader: false, valid, smoothed: true, local_us: 5, epoch_us, highest_sequence };
        encode_sync(&packet, &mut self.bytes);
        let outcome = self.plan.run(Timestamp(START + at), Sender::default(), &self.bytes, &mut self.state);
        assert_eq!(outcome, Outcome::Other(Kind::Sync));
    }

    fn health(&mut self, at: u64) -> Vec<NodeHealth> {
        self.plan.end_cycle(Timestamp(START + at), &mut self.state);
        let mut out = Vec::new();
        self.state.health(&mut out);
        out
    }
}

fn mesh_time(outcome: Outcome) -> Option<u64> {
    let Outcome::Csi(frame) = outcome else { panic!("{outcome:?}") };
    frame.mesh_time.map(|t| t.0)
}

fn is_csi(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Csi(_))
}

#[test]
fn gaps_are_not_losses_and_the_rate_is_that_of_arrival() {
    let mut bench = Bench::new();
    let from = sender(7, 4000);
    for k in 0..200u64 {
        // 25 Hz, sequence with gaps.
        assert!(is_csi(&bench.frame(k * 40_000_000, from, 3, 17 * k as u32, k)));
    }
    let h = bench.health(200 * 40_000_000)[0];
    assert_eq!((h.node, h.frames, h.reordered, h.duplicates, h.reboots), (NodeId(3), 200, 0, 0, 0));
    assert!((h.rate_hz - 25.0).abs() < 0.6, "{}", h.rate_hz);
    assert_eq!((h.rssi_dbm, h.id_conflict, h.silent), (Some(-40.0), false, false));
}

#[test]
fn the_rate_is_right_before_the_window_is_full_and_falls_to_zero() {
    let mut bench = Bench::new();
    for k in 0..50u64 {
        bench.frame(k * 20_000_000, Sender::default(), 3, k as u32, k);
    }
    let rate = bench.health(SECOND)[0].rate_hz;
    assert!((rate - 50.0).abs() < 2.0, "{rate}");
    let h = bench.health(20 * SECOND)[0];
    assert_eq!((h.rate_hz, h.rssi_dbm, h.silent, h.last), (0.0, None, true, Timestamp(START + 980_000_000)));
}

#[test]
fn late_frames_are_counted_and_used() {
    let mut bench = Bench::new();
    for (k, sequence) in [10, 11, 13, 12, 14, 15].into_iter().enumerate() {
        assert!(is_csi(&bench.frame(k as u64, Sender::default(), 1, sequence, u64::from(sequence))));
    }
    let h = bench.health(SECOND)[0];
    assert_eq!((h.frames, h.reordered, h.reboots), (6, 1, 0));
}

#[test]
fn a_duplicate_is_not_delivered_but_equal_numbers_alone_are_none() {
    let mut bench = Bench::new();
    assert!(is_csi(&bench.frame(0, Sender::default(), 1, 10, 100)));
    assert!(is_csi(&bench.frame(1, Sender::default(), 1, 11, 101)));
    assert_eq!(bench.frame(2, Sender::default(), 1, 10, 100), Outcome::Other(Kind::Duplicate));
    assert_eq!(bench.frame(3, Sender::default(), 1, 11, 101), Outcome::Other(Kind::Duplicate));
    assert!(is_csi(&bench.frame(4, Sender::default(), 1, 11, 555)));
    assert!(is_csi(&bench.frame(5, Sender::default(), 2, 11, 101)));
    let h = bench.health(SECOND);
    assert_eq!((h[0].frames, h[0].duplicates, h[0].reordered), (3, 2, 0));
    assert_eq!((h[1].frames, h[1].duplicates), (1, 0));
    assert_eq!(bench.state.kinds()[Kind::Duplicate.index()], 2);
}

#[test]
fn a_restart_is_seen_with_the_old_port_or_a_new_one() {
    for port_after in [4000, 4001] {
        let mut bench = Bench::new();
        for k in 0..5 {
            bench.frame(k, sender(7, 4000), 1, 90_000 + k as u32, k);
        }
        for k in 0..5 {
            bench.frame(10 + k, sender(7, port_after), 1, k as u32, 10 + k);
        }
        let h = bench.health(SECOND)[0];
        assert_eq!((h.reboots, h.reordered, h.id_conflict), (1, 0, false), "port {port_after}");
    }
    // The counter's own end is none.
    let mut bench = Bench::new();
    for k in 0..6u32 {
        bench.frame(u64::from(k), Sender::default(), 1, (u32::MAX - 2).wrapping_add(k), u64::from(k));
    }
    assert_eq!(bench.health(SECOND)[0].reboots, 0);
}

#[test]
fn two_senders_with_one_id_are_a_conflict_and_no_restarts() {
    let mut bench = Bench::new();
    for k in 0..20u64 {
        bench.frame(2 * k * 1_000_000, sender(7, 4000), 1, 100_000 + k as u32, k);
        bench.frame((2 * k + 1) * 1_000_000, sender(8, 4000), 1, k as u32, 1000 + k);
    }
    let h = bench.health(SECOND)[0];
    // The second sender's low counter looks like a restart once, when it appears.
    assert!(h.id_conflict && h.reboots <= 1 && h.reordered == 0, "{h:?}");
    // The second node is switched off: the conflict ends.
    for k in 0..40u64 {
        bench.frame(SECOND + k * SECOND / 2, sender(7, 4000), 1, 200_000 + k as u32, 5000 + k);
    }
    assert!(!bench.health(21 * SECOND)[0].id_conflict);
}

#[test]
fn a_sender_that_the_recording_lost_is_no_conflict() {
    let mut bench = Bench::new();
    for k in 0..20 {
        let from = if k % 2 == 0 { sender(7, 4000) } else { Sender::default() };
        bench.frame(k, from, 1, k as u32, k);
    }
    assert!(!bench.health(SECOND)[0].id_conflict);
}

#[test]
fn a_hint_has_its_time() {
    let mut bench = Bench::new();
    let vitals = Vitals {
        node: NodeId(4),
        presence: true,
        fall: false,
        motion: false,
        breathing_centibpm: 0,
        heart_bpm_e4: 0,
        rssi_dbm: None,
        persons: 4,
        motion_energy: 0.0,
        presence_score: 0.0,
        uptime_ms: 0,
        fused: None,
    };
    encode_vitals(&vitals, &mut bench.bytes);
    let at = Timestamp(START);
    let outcome = bench.plan.run(at, Sender::default(), &bench.bytes, &mut bench.state);
    assert_eq!(outcome, Outcome::Other(Kind::Vitals));
    let h = bench.health(SECOND)[0];
    assert_eq!((h.node, h.hint_presence, h.frames, h.rate_hz), (NodeId(4), Some(true), 0, 0.0));
    assert_eq!(bench.health(60 * SECOND)[0].hint_presence, None);
}

#[test]
fn rejects_are_counted_by_reason_and_known_node() {
    let mut bench = Bench::new();
    bench.frame(0, Sender::default(), 1, 0, 0);
    let at = Timestamp(START);
    for (id, times) in [(1u8, 3), (9, 2)] {
        for _ in 0..times {
            let bytes = [0x02, 0x00, 0x11, 0xc5, id];
            let outcome = bench.plan.run(at, Sender::default(), &bytes, &mut bench.state);
            assert_eq!(outcome, Outcome::Rejected(Reject::WrongLength, Some(NodeId(id))));
        }
    }
    assert_eq!(
        bench.plan.run(at, Sender::default(), b"hello", &mut bench.state),
        Outcome::Rejected(Reject::UnknownMagic, None)
    );
    let h = bench.health(SECOND);
    assert_eq!((h.len(), h[0].rejected), (1, 3));
    assert_eq!(bench.state.rejects()[Reject::WrongLength.index()], 5);
    assert_eq!(bench.state.rejects().iter().sum::<u64>(), 6);
}

#[test]
fn the_table_of_nodes_is_bounded_and_ascending() {
    let mut bench = Bench::new();
    for id in (0..=255u8).rev() {
        let outcome = bench.frame(0, Sender::default(), id, 1, u64::from(id));
        let full = Outcome::Rejected(Reject::TooManyNodes, Some(NodeId(id)));
        assert_eq!(outcome == full, id < 240);
    }
    let ids: Vec<u8> = bench.health(1).iter().map(|h| h.node.0).collect();
    assert_eq!(ids, (240..=255).collect::<Vec<u8>>());
}

#[test]
fn a_simulation_is_never_forgotten() {
    let mut bench = Bench::new();
    bench.frame(0, Sender::default(), 1, 0, 0);
    assert!(!bench.state.simulated());
    encode_simulation_marker(42, &mut bench.bytes);
    let at = Timestamp(START);
    let outcome = bench.plan.run(at, Sender::default(), &bench.bytes, &mut bench.state);
    assert_eq!(outcome, Outcome::Other(Kind::SimulationMarker));
    for k in 1..100 {
        bench.frame(k * SECOND, Sender::default(), 1, k as u32, k);
    }
    assert!(bench.state.simulated());
}

#[test]
fn a_restored_tone_is_counted_and_can_be_refused() {
    let header = CsiHeader { flags: 1 << 5, ..CsiHeader::bare(NodeId(1), 1) };
    let mut pairs = legacy_pairs(1);
    pairs[..2].fill((0, 0));
    for restore_first_tone in [true, false] {
        let mut bench = Bench::with(&Config { restore_first_tone, ..Config::default() });
        encode_csi_v1(&header, &pairs, &mut bench.bytes);
        let at = Timestamp(START);
        let outcome = bench.plan.run(at, Sender::default(), &bench.bytes, &mut bench.state);
        assert_eq!(is_csi(&outcome), restore_first_tone);
        assert_eq!(bench.state.kinds()[Kind::RestoredCsi.index()], u64::from(restore_first_tone));
        assert_eq!(bench.state.rejects()[Reject::MissingTone.index()], u64::from(!restore_first_tone));
    }
}

#[test]
fn mesh_time_is_exact_for_the_named_frame_and_bounded_by_delay_for_others() {
    let mut bench = Bench::new();
    // Mesh time runs from 1000 s at the start; the network's delay is 1 to 9 ms.
    let mesh = |at: u64| 1000 * SECOND + at;
    assert_eq!(mesh_time(bench.frame(0, Sender::default(), 1, 0, 0)), None);
    for k in 0..10u64 {
        let sent = SECOND + k * SECOND / 10;
        bench.sync(sent + 1_000_000 * (1 + k * 7 % 9), mesh(sent), 100, true);
    }
    let sent = 2 * SECOND;
    let named = mesh_time(bench.frame(sent + 5_000_000, Sender::default(), 1, 100, 1));
    assert_eq!(named, Some(mesh(SECOND + 9 * SECOND / 10)));
    let other = mesh_time(bench.frame(sent + 5_000_000, Sender::default(), 1, 101, 2)).unwrap();
    // Late by the frame's own delay beyond the least one: 4 ms.
    assert_eq!(other, mesh(sent) + 4_000_000);
    // No sync within the window.
    assert_eq!(mesh_time(bench.frame(60 * SECOND, Sender::default(), 1, 102, 3)), None);
}

#[test]
fn mesh_time_ends_with_the_mesh_and_with_a_restart() {
    let mut bench = Bench::new();
    let frame = |bench: &mut Bench, at: u64, sequence: u32| {
        mesh_time(bench.frame(at, Sender::default(), 1, sequence, u64::from(sequence)))
    };
    bench.sync(0, 7 * SECOND, 1, true);
    assert_eq!(frame(&mut bench, 5, 20_000), Some(7 * SECOND + 5));
    // A new leader with another time, 3 s behind: not a delay.
    bench.sync(10, 4 * SECOND, 1, true);
    assert_eq!(frame(&mut bench, 15, 20_001), Some(4 * SECOND + 5));
    bench.sync(20, 4 * SECOND, 1, false);
    assert_eq!(frame(&mut bench, 25, 20_002), None);
    bench.sync(30, 9 * SECOND, 1, true);
    assert_eq!(frame(&mut bench, 35, 20_003), Some(9 * SECOND + 5));
    // The counter starts anew: so did the clock.
    assert_eq!(frame(&mut bench, 40, 3), None);
}
