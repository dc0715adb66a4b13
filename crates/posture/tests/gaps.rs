//! Guards that the watch for falls doubts itself: after missed cycles, lost frames and frames that arrive at once it says that it does
//! not watch, and takes neither for motion; and that it watches again once all is well.

use wavewitness_num::math::{cos, sin};
use wavewitness_posture::{Config, Plan, State, Verdict};
use wavewitness_types::limits::MAX_TONES;
use wavewitness_types::{
    AlignedFrame, Baseline, FallWatch, Layout, Link, LinkId, NodeId, Quiet, RadioMeta, Samples, Timestamp,
    ToneGrid, Transmitter, UnknownReason,
};

const CYCLE_NS: u64 = 50_000_000;
const SECOND: u64 = 20;
/// Paths of four nodes, each heard at both of its ends.
const ENDS: [[u8; 2]; 6] = [[1, 2], [1, 3], [1, 4], [2, 3], [2, 4], [3, 4]];

/// An empty channel with somebody in it who sways at 1 Hz.
fn samples(t_ns: u64) -> Samples {
    let mut out = Samples::zero(ToneGrid::Ht20);
    let (re, im) = out.parts_mut();
    let angle = core::f64::consts::TAU * t_ns as f64 * 1e-9;
    re.fill((1.0 + 0.2 * cos(angle)) as f32);
    im.fill((0.2 * sin(angle)) as f32);
    out
}

fn baseline(link: LinkId) -> Baseline {
    let mut mean = Samples::zero(ToneGrid::Ht20);
    mean.parts_mut().0.fill(1.0);
    Baseline {
        link,
        empty_room: true,
        observations: 400,
        completed: Timestamp(1),
        mean,
        variance: [1e-3; MAX_TONES],
        quiet_incoherence: Quiet { ln_mean: 0.0, ln_sd: 0.1 },
        quiet_change: Quiet { ln_mean: 0.0, ln_sd: 0.1 },
        rssi_dbm: None,
        rssi_sd_db: None,
    }
}

struct Room {
    plan: Plan,
    state: State,
    baselines: Vec<Baseline>,
    cycle: u64,
}

impl Room {
    fn new() -> Room {
        let (plan, mut state) = (Plan::new(&Config::default()).unwrap(), State::new());
        let both = ENDS.iter().flat_map(|&[a, b]| [[a, b], [b, a]]);
        let links: Vec<Link> = both
            .map(|[tx, rx]| Link::new(Transmitter::Node(NodeId(tx)), NodeId(rx), Layout::LltfHt20).unwrap())
            .collect();
        links.iter().for_each(|&link| plan.meet(link, &mut state));
        let baselines = (0..links.len()).map(|k| baseline(LinkId(k as u16))).collect();
        Room { plan, state, baselines, cycle: 20 }
    }

    /// A cycle of frames, sent 12.5 ms apart from each node in turn; `arrives`: when one that was sent at a time does, if it does.
    fn hear(&mut self, arrives: impl Fn(u64) -> Option<u64>) {
        let begin = self.cycle * CYCLE_NS;
        for (k, baseline) in self.baselines.iter().enumerate() {
            let sender = u64::from(ENDS[k / 2][k % 2] - 1);
            let sent = begin + sender * CYCLE_NS / 4 + 1_000_000 + k as u64;
            let Some(at) = arrives(sent) else { continue };
            let frame = AlignedFrame {
                at: Timestamp(at),
                link: LinkId(k as u16),
                radio: RadioMeta { channel_mhz: None, rssi_dbm: None, noise_dbm: None },
                power_db: 0.0,
                common_phase: 0.0,
                delay_ns: 0.0,
                correlation: 1.0,
                samples: samples(sent),
            };
            self.plan.frame(&frame, Some(baseline), &mut self.state);
        }
        self.cycle += 1;
    }

    fn end(&mut self) -> Verdict {
        self.plan.end_cycle(Timestamp(self.cycle * CYCLE_NS), None, &mut self.state)
    }

    fn quiet(&mut self, cycles: u64) -> Verdict {
        let mut last = Verdict::NOTHING;
        for _ in 0..cycles {
            self.hear(Some);
            last = self.end();
        }
        last
    }

    fn watching() -> Room {
        let mut room = Room::new();
        assert_eq!(room.quiet(8 * SECOND).fall, FallWatch::Watching(None));
        room
    }
}

fn doubts(verdict: &Verdict) -> bool {
    verdict.fall == FallWatch::Unknown(UnknownReason::Gaps) && verdict.evidence.is_none()
}

#[test]
fn who_misses_every_fifth_cycle_does_not_watch_and_does_again_when_none_is_missed() {
    let mut room = Room::watching();
    let mut last = Verdict::NOTHING;
    for k in 0..5 * SECOND {
        room.hear(Some);
        // The datagrams of a missed cycle are there; it is never ended.
        if k % 5 != 4 {
            last = room.end();
        }
    }
    assert!(doubts(&last), "{last:?}");
    assert!(doubts(&room.quiet(2 * SECOND)));
    assert_eq!(room.quiet(2 * SECOND).fall, FallWatch::Watching(None));
}

#[test]
fn one_missed_cycle_is_no_reason_for_doubt_and_leaves_no_trace() {
    let (mut room, mut other) = (Room::watching(), Room::watching());
    room.hear(Some);
    other.quiet(1);
    let (verdict, same) = (room.quiet(SECOND), other.quiet(SECOND));
    assert_eq!(verdict.fall, FallWatch::Watching(None));
    let apart = verdict.evidence.unwrap() - same.evidence.unwrap();
    assert!(apart.abs() < 0.2, "{apart}");
}

#[test]
fn bursts_of_losses_are_doubted_and_are_no_motion() {
    for lost in [4, 8, 12] {
        let mut room = Room::watching();
        let before = room.quiet(1).look;
        for _ in 0..lost {
            room.hear(|_| None);
            room.end();
        }
        // Two frames across the gap are not compared as if they were neighbours. (Of a class of lags only the longest are left.)
        for _ in 0..5 {
            let now = room.quiet(1).look;
            for (k, (a, b)) in now.change.iter().zip(before.change).enumerate() {
                assert!(*a <= 2.0 * b + 0.5, "lag {k}, {lost} cycles lost: {a} after {b}");
            }
        }
        let verdict = room.quiet(SECOND);
        assert!(verdict.evidence.is_none(), "{lost}: {verdict:?}");
        assert!(matches!(verdict.fall, FallWatch::Unknown(_)), "{lost}: {verdict:?}");
        assert_eq!(room.quiet(7 * SECOND).fall, FallWatch::Watching(None));
    }
}

#[test]
fn frames_that_arrive_at_once_are_doubted_though_none_is_lost() {
    let mut room = Room::watching();
    let stalled_until = (room.cycle + 4) * CYCLE_NS;
    for _ in 0..5 {
        room.hear(|sent| Some(if sent < stalled_until { stalled_until } else { sent }));
    }
    // As a hub that was not scheduled: the stamps are of when it woke.
    assert!(doubts(&room.end()));
    assert!(doubts(&room.quiet(2 * SECOND)));
    assert_eq!(room.quiet(2 * SECOND).fall, FallWatch::Watching(None));
}

#[test]
fn after_a_second_without_cycles_nothing_of_before_counts() {
    let mut room = Room::watching();
    for _ in 0..2 * SECOND {
        room.hear(Some);
    }
    let verdict = room.end();
    assert!(verdict.probability.is_none() && verdict.evidence.is_none());
    // Six seconds are looked at before anything is said.
    assert!(room.quiet(5 * SECOND).probability.is_none());
    assert!(room.quiet(2 * SECOND).probability.is_some());
}

#[test]
fn losses_one_by_one_do_not_end_the_watch() {
    let mut room = Room::watching();
    let (mut watched, all) = (0, 20 * SECOND);
    for _ in 0..all {
        // A tenth of the frames, by a hash of their time.
        room.hear(|sent| Some(sent).filter(|t| (t.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 10 != 0));
        watched += u64::from(matches!(room.end().fall, FallWatch::Watching(_)));
    }
    assert_eq!(watched, all);
}
