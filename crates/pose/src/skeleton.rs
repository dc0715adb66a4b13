//! From a track to a person: a standing template at the measured root.
//!
//! Nothing about limbs is measured, so every keypoint says `Prior`, and its sigma is that of the root plus that of what
//! bodies do. A keypoint moves when the track moves and for no other reason: there is no animation here.
//!
//! Fractions of stature: Winter 2009, Biomechanics and Motor Control of Human Movement, figure 4.1, after Drillis and
//! Contini 1966 (heights of eye 0.936, shoulder 0.818, elbow 0.630, wrist 0.485, hip 0.530, knee 0.285, ankle 0.039;
//! half widths of shoulders 0.129, hips 0.0955). That figure has no nose, ears or depth of the head: the nose is put
//! halfway between eye and chin (0.870), the ears at half a head's breadth (0.15 m), eyes and nose at half a head's
//! length (0.195 m, the nose 2 cm more), the eyes at half the distance of the pupils (0.063 m), all over 1.70 m
//! (rounded from Gordon et al. 2014, ANSUR II).

use wavewitness_num::math;
use wavewitness_types::{Basis, Heading, Keypoint, NoPosture, Person, PersonTrack, Posture};

use crate::Config;

/// Height of the whole body's centre of mass as a fraction of stature (about 0.55 standing): the root of the template.
const CENTRE: f64 = 0.55;
/// How far a walking body faces away from where it goes, radians: a design value, one sigma.
const GAIT_HEADING_SIGMA: f64 = 0.2;

/// A keypoint of the template, in fractions of stature.
struct Joint {
    /// Ahead of the body axis.
    forward: f64,
    /// Left of the body axis.
    left: f64,
    /// Above the floor.
    height: f64,
    /// One sigma of where bodies really have it, each horizontal axis. Design values: a limb's joint may swing by
    /// half of the lengths that it hangs from (upper arm 0.186, forearm 0.146, thigh 0.245, shank 0.246), the trunk
    /// sways by a few centimetres.
    spread: f64,
    /// The same, vertically: less, because arms hang and legs carry most of the time.
    spread_up: f64,
}

const fn joint(forward: f64, left: f64, height: f64, spread: f64, spread_up: f64) -> Joint {
    Joint { forward, left, height, spread, spread_up }
}

/// In COCO order.
const TEMPLATE: [Joint; 17] = [
    joint(0.069, 0.0, 0.903, 0.04, 0.03),
    joint(0.057, 0.0185, 0.936, 0.04, 0.03),
    joint(0.057, -0.0185, 0.936, 0.04, 0.03),
    joint(0.0, 0.044, 0.936, 0.04, 0.03),
    joint(0.0, -0.044, 0.936, 0.04, 0.03),
    joint(0.0, 0.129, 0.818, 0.03, 0.03),
    joint(0.0, -0.129, 0.818, 0.03, 0.03),
    joint(0.0, 0.129, 0.630, 0.093, 0.06),
    joint(0.0, -0.129, 0.630, 0.093, 0.06),
    joint(0.0, 0.129, 0.485, 0.166, 0.12),
    joint(0.0, -0.129, 0.485, 0.166, 0.12),
    joint(0.0, 0.0955, 0.530, 0.03, 0.03),
    joint(0.0, -0.0955, 0.530, 0.03, 0.03),
    joint(0.0, 0.0955, 0.285, 0.12, 0.04),
    joint(0.0, -0.0955, 0.285, 0.12, 0.04),
    joint(0.0, 0.0955, 0.039, 0.15, 0.04),
    joint(0.0, -0.0955, 0.039, 0.15, 0.04),
];

/// Where a body faces: an angle from +x towards +y, and its variance; `None` if the motion does not say.
fn heading(config: &Config, track: &PersonTrack) -> Option<(f64, f64)> {
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
    Some((math::atan2(vy, vx), across / (speed * speed) + GAIT_HEADING_SIGMA * GAIT_HEADING_SIGMA))
}

/// First and second moments of the unit offset `a·(cos θ, sin θ)`, θ = heading + the joint's own angle.
///
/// For θ ~ N(θ₀, s): E cos θ = e^{−s/2} cos θ₀ and E cos² θ = (1 + e^{−2s} cos 2θ₀)/2, likewise the sine with the sign
/// changed (Mardia and Jupp 2000, 3.5.7). An unknown heading is s → ∞: the mean is the body axis, E cos² = ½.
fn horizontal_moments(joint: &Joint, heading: Option<(f64, f64)>) -> ([f64; 2], [f64; 2]) {
    let a2 = joint.forward * joint.forward + joint.left * joint.left;
    let Some((angle, variance)) = heading else {
        return ([0.0; 2], [0.5 * a2; 2]);
    };
    let a = math::sqrt(a2);
    let theta = angle + math::atan2(joint.left, joint.forward);
    let shrink = math::exp(-0.5 * variance);
    let twice = math::exp(-2.0 * variance) * math::cos(2.0 * theta);
    let mean = [a * shrink * math::cos(theta), a * shrink * math::sin(theta)];
    (mean, [0.5 * a2 * (1.0 + twice), 0.5 * a2 * (1.0 - twice)])
}

fn keypoint(config: &Config, track: &PersonTrack, joint: &Joint, heading: Option<(f64, f64)>) -> Keypoint {
    let stature = config.stature_m;
    let stature2 = config.stature_sigma_m * config.stature_sigma_m;
    let (mean, second) = horizontal_moments(joint, heading);
    let up = joint.height - CENTRE;
    let offset = [stature * mean[0], stature * mean[1], stature * up];
    let spread = [joint.spread, joint.spread, joint.spread_up];
    let mut out = Keypoint { position_m: [0.0; 3], sigma_m: [0.0; 3], basis: Basis::Prior };
    for k in 0..3 {
        // Offset = H·u with independent stature H and shape u: Var = E[H²]·E[u²] − (E H · E u)².
        let u2 = if k == 2 { up * up } else { second[k] };
        let shape = (stature * stature + stature2) * (u2 + spread[k] * spread[k]) - offset[k] * offset[k];
        let variance = math::max_f64(0.0, track.covariance[k][k]) + math::max_f64(0.0, shape);
        out.position_m[k] = (track.mean[k] + offset[k]) as f32;
        out.sigma_m[k] = math::sqrt(variance) as f32;
    }
    out
}

pub(crate) fn person(config: &Config, track: &PersonTrack) -> Person {
    let heading = heading(config, track);
    let mut out = Person {
        id: track.id,
        state: track.state,
        existence: track.existence as f32,
        position_m: [0.0; 3],
        sigma_m: [0.0; 3],
        velocity_m_s: [0.0; 3],
        keypoints: TEMPLATE.each_ref().map(|joint| keypoint(config, track, joint, heading)),
        posture: Posture::Unknown(NoPosture::NoData),
        heading: heading
            .map(|(rad, variance)| Heading { rad: rad as f32, sigma_rad: math::sqrt(variance) as f32 }),
    };
    for k in 0..3 {
        out.position_m[k] = track.mean[k] as f32;
        out.sigma_m[k] = math::sqrt(math::max_f64(0.0, track.covariance[k][k])) as f32;
        out.velocity_m_s[k] = track.mean[k + 3] as f32;
    }
    out
}
