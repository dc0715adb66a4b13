//! From a track to a person: a body in its posture, facing where it went, at the tracked place.
//!
//! No link tells of a limb. What is told is the place, perhaps the posture, perhaps where the body faces; every keypoint is
//! the mean of the bodies that fit that, and its sigma what is left: error of the place, other postures, the heading's
//! error, stature, and what bodies of one posture do differently. A keypoint moves when one of these moves and for no
//! other reason: there is no animation here. The derivation is in `docs/algorithms/pose.md`.

use crate::Config;
use crate::shape;
use wavewitness_num::math;
use wavewitness_types::{Basis, Heading, Keypoint, NoPosture, Person, PersonTrack, Posture, PostureClass};

/// How far a walking body faces away from where it goes, radians: a design value, one sigma.
const GAIT_HEADING_SIGMA: f64 = 0.2;
/// A heading less certain than this is none, radians: e^{−s²/2} leaves less than a third of any offset.
const MAX_HEADING_SIGMA: f64 = 1.5;
/// Shares of postures of whom nothing is known: design values, roughly those of the simulator's people.
const PRIOR: [f64; PostureClass::COUNT] = [0.4, 0.35, 0.2, 0.05, 0.0];
/// Of somebody who goes somewhere.
const ON_THE_WAY: [f64; PostureClass::COUNT] = [0.05, 0.95, 0.0, 0.0, 0.0];
/// Height of a seat or a bed, m, and what it varies: chairs are about 0.45 m high (ISO 5970 has 0.43 to 0.46 for adults).
const SEAT_M: [f64; 2] = [0.45, 0.02];

/// What is known of somebody's posture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// What is published of it.
    pub posture: Posture,
    /// Probability of each class, by its code; `None`: nothing told it, what is usual holds.
    pub probability: Option<[f64; PostureClass::COUNT]>,
    /// Probability that somebody who lies does so on the floor (who fell), not on a bed.
    pub on_floor: f64,
}

impl Belief {
    /// Nothing is known.
    pub const NOTHING: Belief =
        Belief { posture: Posture::Unknown(NoPosture::NoData), probability: None, on_floor: 0.0 };
}

/// An angle from +x towards +y and its variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Facing {
    pub rad: f64,
    pub variance: f64,
}

impl Facing {
    /// Where a walk goes; `None` if the motion does not say.
    pub fn of_walk(config: &Config, track: &PersonTrack) -> Option<Facing> {
        let (vx, vy) = (track.mean[3], track.mean[4]);
        let speed = math::hypot(vx, vy);
        if speed < config.heading_speed_m_s || speed <= 0.0 {
            return None;
        }
        let (ux, uy) = (vx / speed, vy / speed);
        let p = &track.covariance;
        let along = ux * ux * p[3][3] + 2.0 * ux * uy * p[3][4] + uy * uy * p[4][4];
        let across = uy * uy * p[3][3] - 2.0 * ux * uy * p[3][4] + ux * ux * p[4][4];
        let worst = math::max_f64(along, across);
        if speed * speed < config.heading_sigmas * config.heading_sigmas * worst {
            return None;
        }
        let variance = across / (speed * speed) + GAIT_HEADING_SIGMA * GAIT_HEADING_SIGMA;
        Some(Facing { rad: math::atan2(vy, vx), variance })
    }

    /// `dt` seconds later, of somebody who may have turned; `None` when it says nothing any more.
    pub fn kept(self, config: &Config, dt: f64) -> Option<Facing> {
        let variance = self.variance + config.turn_psd * dt;
        (variance <= MAX_HEADING_SIGMA * MAX_HEADING_SIGMA).then_some(Facing { variance, ..self })
    }
}

/// First and second moments of an offset in metres: x, y, z.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    mean: [f64; 3],
    square: [f64; 3],
}

impl Moments {
    /// Adds a joint of bodies that make up a share, borne at a height in metres, `[mean, sd]`. `stature`: the first and
    /// second moment of stature, which is independent of shape and of what bears a body.
    ///
    /// With the offset u = (forward, left) of second moment M = E[u uᵀ] and the heading θ ~ N(θ₀, s): E[R(θ) u] =
    /// e^{−s/2} R(θ₀) E[u], and E[x²] = ½ tr M + ½ e^{−2s} ((M₁₁ − M₂₂) cos 2θ₀ − 2 M₁₂ sin 2θ₀), E[y²] the same with the
    /// sign changed (Mardia and Jupp 2000, 3.5.7: E cos kθ = e^{−k²s/2} cos kθ₀). No heading is s → ∞.
    fn add(
        &mut self,
        share: f64,
        joint: &shape::Joint,
        borne: [f64; 2],
        facing: Option<Facing>,
        stature: [f64; 2],
    ) {
        let [f, l, up] = joint.mean;
        let [sf, sl, su] = joint.sd;
        let m = [f * f + sf * sf, f * l, l * l + sl * sl];
        let half = 0.5 * (m[0] + m[2]);
        let (mut mean, mut swing) = ([0.0; 2], 0.0);
        if let Some(Facing { rad, variance }) = facing {
            let (c, s) = (math::cos(rad), math::sin(rad));
            let shrink = math::exp(-0.5 * variance);
            mean = [shrink * (c * f - s * l), shrink * (s * f + c * l)];
            let twice = math::cos(2.0 * rad) * (m[0] - m[2]) - 2.0 * math::sin(2.0 * rad) * m[1];
            swing = 0.5 * math::exp(-2.0 * variance) * twice;
        }
        let [h, h2] = stature;
        let [b, sb] = if joint.is_borne { borne } else { [0.0; 2] };
        let mean = [h * mean[0], h * mean[1], h * up + b];
        let height2 = h2 * (up * up + su * su) + 2.0 * h * up * b + b * b + sb * sb;
        let square = [h2 * (half + swing), h2 * (half - swing), height2];
        for k in 0..3 {
            self.mean[k] += share * mean[k];
            self.square[k] += share * square[k];
        }
    }
}

/// Moments over the postures of a joint, or of the centre of mass.
fn moments(
    probability: &[f64; PostureClass::COUNT],
    on_floor: f64,
    facing: Option<Facing>,
    stature: [f64; 2],
    joint: impl Fn(PostureClass) -> shape::Joint,
) -> Moments {
    let mut out = Moments::default();
    for class in PostureClass::ALL {
        let p = probability[class as usize];
        match class {
            PostureClass::Lying => {
                out.add(p * on_floor, &joint(class), [0.0; 2], facing, stature);
                out.add(p * (1.0 - on_floor), &joint(class), SEAT_M, facing, stature);
            }
            // Anywhere on the way from upright to the floor: half of each.
            PostureClass::Falling => {
                out.add(0.5 * p, &joint(PostureClass::Standing), [0.0; 2], facing, stature);
                out.add(0.5 * p, &joint(PostureClass::Lying), [0.0; 2], facing, stature);
            }
            _ => out.add(p, &joint(class), SEAT_M, facing, stature),
        }
    }
    out
}

/// What a person's body is put together from.
struct Body<'a> {
    config: &'a Config,
    track: &'a PersonTrack,
    facing: Option<Facing>,
    probability: [f64; PostureClass::COUNT],
    on_floor: f64,
    floor_m: f64,
    floor_variance: f64,
}

impl Body<'_> {
    fn point(&self, joint: impl Fn(PostureClass) -> shape::Joint) -> ([f64; 3], [f64; 3]) {
        let Config { stature_m, stature_sigma_m, .. } = *self.config;
        let stature = [stature_m, stature_m * stature_m + stature_sigma_m * stature_sigma_m];
        let m = moments(&self.probability, self.on_floor, self.facing, stature, joint);
        let (mut position, mut variance) = ([0.0; 3], [0.0; 3]);
        for k in 0..3 {
            let offset = m.mean[k];
            let shape = math::max_f64(0.0, m.square[k] - offset * offset);
            let (root, root_variance) = if k < 2 {
                (self.track.mean[k], self.track.covariance[k][k])
            } else {
                (self.floor_m, self.floor_variance)
            };
            position[k] = root + offset;
            variance[k] = math::max_f64(0.0, root_variance) + shape;
        }
        (position, variance)
    }
}

/// The person of a track. `floor_m`: where the room's floor is; without one the track's height stands for a standing body's centre.
pub(crate) fn person(
    config: &Config,
    track: &PersonTrack,
    kept: Option<Facing>,
    floor_m: Option<f64>,
    belief: &Belief,
) -> Person {
    let walk = Facing::of_walk(config, track);
    let facing = walk.or(kept);
    let usual = if walk.is_some() { ON_THE_WAY } else { PRIOR };
    let centre_up = config.stature_m * shape::centre(PostureClass::Standing).mean[2];
    let body = Body {
        config,
        track,
        facing,
        probability: belief.probability.unwrap_or(usual),
        on_floor: belief.on_floor,
        floor_m: floor_m.unwrap_or(track.mean[2] - centre_up),
        floor_variance: if floor_m.is_some() { 0.0 } else { track.covariance[2][2] },
    };
    let told = matches!(belief.posture, Posture::Known { .. }) || walk.is_some();
    let basis = if told { Basis::Inferred } else { Basis::Prior };
    let mut keypoints = [Keypoint { position_m: [0.0; 3], sigma_m: [0.0; 3], basis }; 17];
    for (k, point) in keypoints.iter_mut().enumerate() {
        let (position, variance) = body.point(|class| shape::of(class, k));
        point.position_m = position.map(|x| x as f32);
        point.sigma_m = variance.map(|v| math::sqrt(v) as f32);
    }
    let (centre, variance) = body.point(shape::centre);
    Person {
        id: track.id,
        state: track.state,
        existence: track.existence as f32,
        position_m: [track.mean[0], track.mean[1], centre[2]].map(|x| x as f32),
        sigma_m: [track.covariance[0][0], track.covariance[1][1], variance[2]]
            .map(|v| math::sqrt(math::max_f64(0.0, v)) as f32),
        velocity_m_s: [track.mean[3], track.mean[4], track.mean[5]].map(|v| v as f32),
        keypoints,
        posture: belief.posture,
        heading: facing.map(|f| Heading { rad: f.rad as f32, sigma_rad: math::sqrt(f.variance) as f32 }),
    }
}
