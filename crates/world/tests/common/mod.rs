//! A clock, links whose z-scores a test sets, and pseudo-random numbers (SplitMix64, Box–Muller).

#![allow(dead_code)]

use wavewitness_num::math;
use wavewitness_types::{
    CalibrationState, Gate, Geometry, Layout, Link, LinkId, Mac, NodeId, NodePlace, PersonTrack, Presence,
    Room, Timestamp, TrackId, TrackState, Transmitter,
};
use wavewitness_world::{Config, Input, LinkInput, Plan, State, Verdict};

pub const CYCLE_S: f64 = 0.05;
pub const READY: CalibrationState = CalibrationState::Ready { empty_room: false };
pub const EMPTY: CalibrationState = CalibrationState::Ready { empty_room: true };

pub struct Random(pub u64);

impl Random {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        let r = math::sqrt(-2.0 * math::ln(self.uniform()));
        r * math::cos(core::f64::consts::TAU * self.uniform())
    }
}

/// Link k: from access point 1 (or node k, for odd k) to node 10 + k.
pub fn link(k: u16, calibration: CalibrationState) -> LinkInput {
    let tx = if k.is_multiple_of(2) {
        Transmitter::Station(Mac([1; 6]))
    } else {
        Transmitter::Node(NodeId(10 + k as u8 - 1))
    };
    LinkInput {
        link: LinkId(k),
        ends: Link::new(tx, NodeId(10 + k as u8), Layout::LltfHt20).unwrap(),
        heard: true,
        attention: 0.25,
        change_z: Some(0.0),
        drift_z: Some(0.0),
        gate: Gate::Accept,
        calibration,
        breathing: None,
    }
}

pub fn track(id: u32, state: TrackState, existence: f64, place: [f64; 3]) -> PersonTrack {
    let mut covariance = [[0.0; 6]; 6];
    (0..6).for_each(|k| covariance[k][k] = 0.05);
    let mean = [place[0], place[1], place[2], 0.0, 0.0, 0.0];
    PersonTrack { id: TrackId(id), state, mean, covariance, existence, age_cycles: 40, missed_cycles: 0 }
}

/// A room of 6 × 5 m with nodes 10 and 11 at opposite walls.
pub fn geometry() -> Geometry {
    let node = |id, position_m| NodePlace { id: NodeId(id), mac: None, position_m: Some(position_m) };
    Geometry {
        room: Some(Room { min_m: [0.0; 3], max_m: [6.0, 5.0, 2.5] }),
        nodes: vec![node(10, [0.1, 2.5, 1.0]), node(11, [5.9, 2.5, 1.0])],
        access_points: vec![],
    }
}

/// A hub whose cycles a test drives.
pub struct Hub {
    pub plan: Plan,
    pub state: State,
    pub at: Timestamp,
    pub last_frame: Option<Timestamp>,
    pub cross_coherence: Option<f32>,
}

impl Hub {
    pub fn new(config: &Config) -> Hub {
        let plan = Plan::new(config, &geometry()).unwrap();
        let state = State::new(&plan);
        Hub { plan, state, at: Timestamp(1_000_000_000), last_frame: None, cross_coherence: None }
    }

    /// One cycle later; a frame arrived if any link was heard.
    pub fn cycle(&mut self, links: &[LinkInput], tracks: &[PersonTrack]) -> Verdict {
        self.at = self.at.plus_nanos((CYCLE_S * 1e9) as u64);
        if links.iter().any(|l| l.heard) {
            self.last_frame = Some(self.at);
        }
        let input = Input { cross_coherence: self.cross_coherence, ..self.input(links, tracks) };
        self.plan.run(&input, &mut self.state)
    }

    pub fn input<'a>(&self, links: &'a [LinkInput], tracks: &'a [PersonTrack]) -> Input<'a> {
        Input {
            at: self.at,
            links,
            nodes: &[],
            tracks,
            numbers: None,
            tomography_active: true,
            geometry_known: true,
            fused_motion: Some(1.0),
            cross_coherence: None,
            frames: 5 * links.len() as u32,
            rejected: 0,
            unassigned: 0,
            last_frame: self.last_frame,
        }
    }
}

/// The decision and its probability.
pub fn known(presence: Presence) -> (bool, f64) {
    match presence {
        Presence::Known { present, probability, .. } => (present, f64::from(probability)),
        Presence::Unknown(reason) => panic!("unknown: {reason:?}"),
    }
}
