//! Our messages in the words of the peer's protocol.
//!
//! Only what was measured is said: fields of theirs that we have no quantity for are left out, `null`, or empty where their page
//! needs a list. Their skeletons live on a picture; ours are shown as seen from the side of the room where y is least: x to the
//! right, z up, both as a share of the room.

use crate::message::{Breathing, Count, Cycle, FallWatch, Keypoint, Node, Person, Posture, Presence};
use serde::Serialize;
use std::sync::Arc;
use wavewitness_num::math;
use wavewitness_types::Room;

/// A keypoint counts as known by the probability that it lies this near to where it is said, m.
const NEAR_M: f64 = 0.25;
/// Above this many times the quiet level somebody moves about.
const MOVING: f32 = 2.0;
/// Above this, vigorously.
const ACTIVE: f32 = 6.0;
/// A usual walk, m/s: a motion score of 100.
const WALKING_M_S: f64 = 1.4;

/// What a translation needs beside the cycle.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// The room, if it is configured.
    pub room: Option<Room>,
    /// Nodes that are placed.
    pub places: Arc<[(u8, [f64; 3])]>,
    /// Time from tick to witness of the last cycle, ms.
    pub compute_ms: Option<f64>,
}

/// `sensing_update` of `/ws/sensing`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SensingUpdate {
    r#type: &'static str,
    timestamp: f64,
    source: &'static str,
    tick: u64,
    nodes: Vec<SensingNode>,
    features: Features,
    classification: Classification,
    #[serde(skip_serializing_if = "Option::is_none")]
    vital_signs: Option<VitalSigns>,
    signal_quality_score: f32,
    estimated_persons: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    posture: Option<&'static str>,
    pose_keypoints: Option<()>,
    model_status: Option<()>,
    persons: Vec<PeerPerson>,
    node_features: Vec<NodeFeatures>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct SensingNode {
    node_id: u8,
    rssi_dbm: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<[f64; 3]>,
    amplitude: [f32; 0],
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Features {
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_rssi: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dominant_freq_hz: Option<f32>,
}

/// Theirs: absent, present_still, present_moving or active. Ours as well: unknown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Classification {
    motion_level: &'static str,
    presence: Option<bool>,
    confidence: f32,
    /// Whether somebody fell in the last minute; absent where nobody watches.
    #[serde(skip_serializing_if = "Option::is_none")]
    fall_detected: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VitalSigns {
    breathing_rate_bpm: f32,
    breathing_confidence: f32,
    heart_rate_bpm: Option<f32>,
    heartbeat_confidence: f32,
    signal_quality: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct NodeFeatures {
    node_id: u8,
    rssi_dbm: Option<f32>,
    last_seen_ms: u64,
    frame_rate_hz: f32,
    stale: bool,
    /// None of ours are a node's own.
    features: Features,
    /// Unknown: presence is of the room. Without it their page shows every node as absent.
    classification: Classification,
}

/// A person in either stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerPerson {
    id: u32,
    /// Probability that this is a person.
    pub confidence: f32,
    zone: &'static str,
    bbox: BoundingBox,
    keypoints: Vec<PeerKeypoint>,
    /// Metres, as [`in_their_axes`] has them.
    position: [f64; 3],
    /// Speed of the body centre as a share of [`WALKING_M_S`], 0 to 100; absent where it is withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    motion_score: Option<f64>,
    /// `standing`, `walking`, `sitting`, `lying` or `fallen`; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pose: Option<&'static str>,
    /// Radians that their figure, which looks along their +z, is turned from +x towards +z; absent where nothing told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    facing: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct BoundingBox {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct PeerKeypoint {
    name: &'static str,
    x: f64,
    y: f64,
    z: f64,
    confidence: f64,
    basis: &'static str,
}

/// `pose_data` of `/api/v1/stream/pose`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoseData {
    r#type: &'static str,
    zone_id: &'static str,
    timestamp: String,
    payload: PosePayload,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct PosePayload {
    pose: Pose,
    confidence: f32,
    activity: &'static str,
    pose_source: &'static str,
    metadata: PoseMetadata,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Pose {
    persons: Vec<PeerPerson>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct PoseMetadata {
    frame_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    processing_time_ms: Option<f64>,
    source: &'static str,
    tick: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal_strength: Option<f32>,
    estimated_persons: Option<u8>,
}

/// Their page shows LIVE for `esp32`, `wifi` and `live` alone.
pub fn source(ours: &str) -> &'static str {
    match ours {
        "live" => "esp32",
        "simulated" => "simulated",
        _ => "replay",
    }
}

/// One cycle as their sensing stream says it.
pub fn sensing_update(cycle: &Cycle, context: &Context) -> SensingUpdate {
    let nodes = cycle.nodes.as_deref().unwrap_or_default();
    SensingUpdate {
        r#type: "sensing_update",
        timestamp: seconds(cycle),
        source: source(cycle.source),
        tick: cycle.cycle,
        nodes: nodes.iter().map(|n| sensing_node(n, context)).collect(),
        features: Features { mean_rssi: mean_rssi(nodes), dominant_freq_hz: breathing_hz(cycle) },
        classification: classification(cycle),
        vital_signs: vital_signs(cycle),
        signal_quality_score: cycle.quality.score,
        estimated_persons: estimated(cycle),
        posture: only_posture(cycle),
        pose_keypoints: None,
        model_status: None,
        persons: persons(cycle, context),
        node_features: nodes.iter().map(node_features).collect(),
    }
}

/// One cycle as their pose stream says it; people below `least_confidence` are left out.
pub fn pose_data(cycle: &Cycle, context: &Context, least_confidence: f32) -> PoseData {
    let mut persons = persons(cycle, context);
    persons.retain(|p| p.confidence >= least_confidence);
    let class = classification(cycle);
    PoseData {
        r#type: "pose_data",
        zone_id: ZONE,
        timestamp: cycle.at.clone(),
        payload: PosePayload {
            confidence: persons.iter().fold(0.0, |best: f32, p| math::max_f32(best, p.confidence)),
            pose: Pose { persons },
            activity: class.motion_level,
            pose_source: "signal_derived",
            metadata: PoseMetadata {
                frame_id: format!("cycle_{}", cycle.cycle),
                processing_time_ms: context.compute_ms,
                source: source(cycle.source),
                tick: cycle.cycle,
                signal_strength: mean_rssi(cycle.nodes.as_deref().unwrap_or_default()),
                estimated_persons: estimated(cycle),
            },
        },
    }
}

/// Theirs are named; one room is one zone.
pub const ZONE: &str = "zone_1";

/// People in their words; empty where the mode withholds them or the room is not configured.
pub fn persons(cycle: &Cycle, context: &Context) -> Vec<PeerPerson> {
    let (Some(people), Some(room)) = (&cycle.people, &context.room) else { return Vec::new() };
    people.iter().filter_map(|p| person(p, room)).collect()
}

fn person(person: &Person, room: &Room) -> Option<PeerPerson> {
    let position = person.position_m?;
    let keypoints: Vec<_> =
        person.keypoints.as_deref().unwrap_or_default().iter().map(|k| keypoint(k, room)).collect();
    Some(PeerPerson {
        id: person.id.unwrap_or(0),
        confidence: person.existence,
        zone: ZONE,
        bbox: bounds(&keypoints, position, room),
        keypoints,
        position: in_their_axes(position.map(f64::from), room),
        motion_score: person.velocity_m_s.map(motion_score),
        pose: posture(person),
        facing: person.heading.flatten().map(|h| facing(f64::from(h.rad))),
    })
}

/// Their pages draw with y up and the room about the origin: x to the right, height above the floor, and z towards the
/// viewer, who stands where our y is least. A rotation, not a mirror.
fn in_their_axes(at_m: [f64; 3], room: &Room) -> [f64; 3] {
    let middle = |axis: usize| f64::midpoint(room.min_m[axis], room.max_m[axis]);
    [at_m[0] - middle(0), at_m[2] - room.min_m[2], middle(1) - at_m[1]]
}

/// Our heading h looks along (cos h, −sin h) of their x and z; their figure, turned by a, along (−sin a, cos a).
fn facing(heading_rad: f64) -> f64 {
    let turned = -heading_rad - std::f64::consts::FRAC_PI_2;
    if turned < -std::f64::consts::PI { turned + std::f64::consts::TAU } else { turned }
}

fn motion_score(velocity_m_s: [f32; 3]) -> f64 {
    let squares: f64 = velocity_m_s.into_iter().map(|v| f64::from(v) * f64::from(v)).sum();
    math::min_f64(100.0 * squares.sqrt() / WALKING_M_S, 100.0)
}

fn posture(person: &Person) -> Option<&'static str> {
    match person.posture {
        // Their page has a figure for who has fallen, none for who is falling.
        Some(Posture::Known { class: "falling", .. }) => Some("fallen"),
        Some(Posture::Known { class, .. }) => Some(class),
        _ => None,
    }
}

/// They have one posture a room: it is said where one person is there.
fn only_posture(cycle: &Cycle) -> Option<&'static str> {
    match cycle.people.as_deref() {
        Some([person]) => posture(person),
        _ => None,
    }
}

fn across(value: f32, axis: usize, room: &Room) -> f64 {
    ((f64::from(value) - room.min_m[axis]) / (room.max_m[axis] - room.min_m[axis])).clamp(0.0, 1.0)
}

fn keypoint(keypoint: &Keypoint, room: &Room) -> PeerKeypoint {
    PeerKeypoint {
        name: keypoint.name,
        x: across(keypoint.position_m[0], 0, room),
        y: 1.0 - across(keypoint.position_m[2], 2, room),
        z: f64::from(keypoint.position_m[1]) - room.min_m[1],
        confidence: near(keypoint.sigma_m),
        basis: keypoint.basis,
    }
}

/// Probability that all three errors are below [`NEAR_M`], by the logistic approximation of the normal distribution.
fn near(sigma_m: [f32; 3]) -> f64 {
    let within = |sigma: f32| {
        let x = NEAR_M / math::max_f64(f64::from(sigma), 1e-6);
        2.0 / (1.0 + math::exp(-1.702 * x)) - 1.0
    };
    sigma_m.into_iter().map(within).product::<f64>().clamp(0.0, 1.0)
}

/// Of the keypoints; without any a person's width and height about the position.
fn bounds(keypoints: &[PeerKeypoint], position_m: [f32; 3], room: &Room) -> BoundingBox {
    let points: Vec<[f64; 2]> = if keypoints.is_empty() {
        vec![[across(position_m[0], 0, room), 1.0 - across(position_m[2], 2, room)]]
    } else {
        keypoints.iter().map(|k| [k.x, k.y]).collect()
    };
    let range = |axis: usize| {
        points
            .iter()
            .fold([1.0f64, 0.0], |[low, high], p| [math::min_f64(low, p[axis]), math::max_f64(high, p[axis])])
    };
    let ([left, right], [top, bottom]) = (range(0), range(1));
    BoundingBox { x: left, y: top, width: right - left, height: bottom - top }
}

fn sensing_node(node: &Node, context: &Context) -> SensingNode {
    SensingNode {
        node_id: node.node,
        rssi_dbm: node.rssi_dbm.flatten(),
        position: context.places.iter().find(|(id, _)| *id == node.node).map(|(_, at)| {
            context.room.as_ref().map_or([at[0], at[2], -at[1]], |room| in_their_axes(*at, room))
        }),
        amplitude: [],
    }
}

fn node_features(node: &Node) -> NodeFeatures {
    NodeFeatures {
        node_id: node.node,
        rssi_dbm: node.rssi_dbm.flatten(),
        last_seen_ms: node.age_ms,
        frame_rate_hz: node.rate_hz,
        stale: node.silent,
        features: Features { mean_rssi: None, dominant_freq_hz: None },
        classification: Classification {
            motion_level: "unknown",
            presence: None,
            confidence: 0.0,
            fall_detected: None,
        },
    }
}

fn mean_rssi(nodes: &[Node]) -> Option<f32> {
    let known: Vec<f32> = nodes.iter().filter(|n| !n.silent).filter_map(|n| n.rssi_dbm.flatten()).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f32>() / known.len() as f32)
}

fn breathing_hz(cycle: &Cycle) -> Option<f32> {
    match cycle.breathing {
        Some(Breathing::Known { bpm, .. }) => Some(bpm / 60.0),
        _ => None,
    }
}

pub fn vital_signs(cycle: &Cycle) -> Option<VitalSigns> {
    let Some(Breathing::Known { bpm, false_alarm, .. }) = cycle.breathing else { return None };
    Some(VitalSigns {
        breathing_rate_bpm: bpm,
        breathing_confidence: 1.0 - false_alarm,
        // Nothing here measures a heart.
        heart_rate_bpm: None,
        heartbeat_confidence: 0.0,
        signal_quality: cycle.quality.score,
    })
}

fn classification(cycle: &Cycle) -> Classification {
    let (motion_level, presence, confidence) = match cycle.presence {
        Presence::Unknown { .. } => ("unknown", None, 0.0),
        Presence::Absent { probability, .. } => ("absent", Some(false), 1.0 - probability),
        Presence::Present { probability, .. } => {
            let motion_level = match cycle.motion.flatten() {
                Some(m) if m >= ACTIVE => "active",
                Some(m) if m >= MOVING => "present_moving",
                _ => "present_still",
            };
            (motion_level, Some(true), probability)
        }
    };
    let fall_detected = match cycle.fall {
        Some(FallWatch::Fallen { .. }) => Some(true),
        Some(FallWatch::None) => Some(false),
        Some(FallWatch::Unknown { .. }) | None => None,
    };
    Classification { motion_level, presence, confidence, fall_detected }
}

pub fn estimated(cycle: &Cycle) -> Option<u8> {
    match cycle.count {
        Some(Count::Known { most_probable, .. }) => Some(most_probable),
        _ => None,
    }
}

fn seconds(cycle: &Cycle) -> f64 {
    cycle.at_ns.parse::<u64>().map_or(0.0, |ns| ns as f64 / 1e9)
}
