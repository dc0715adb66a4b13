//! From a track to a person: a body in its posture, facing where it went, at the tracked place.
//!
//! No link tells of a limb. What is told is the place, perhaps the posture, perhaps where the body faces; every keypoint is
//! the mean of the bodies that fit that, and its sigma what is left: error of the place, other postures, the heading's
//! error, stature, and what bodies of one posture do differently. A keypoint moves when one of these moves and for no
//! other reason: there is no animation here. The derivation is in `docs/algorithms/pose.md`.

use crate::Config;
use crate::shape;
use crate::spread::{Part, half_width};
use wavewitness_num::math;
use wavewitness_types::{Basis, Heading, Keypoint, NoPosture, Person, PersonTrack, Posture, PostureClass};

/// How far a walking body faces away from where it goes, radians: a design value, one sigma.
const GAIT_HEADING_SIGMA: f64 = 0.2;
/// A posture of which the heights may be claimed has at least this probability …
const SURE: f64 = 0.95;
/// … and who lies is on the floor with this one, which only a fall that was told makes so. Lying by the look of the room alone is
/// taken for sitting with any probability (`docs/algorithms/pose.md`).
const ON_FLOOR: f64 = 0.75;
/// What is known of the body must account for this share of a joint's whole expected squared error from a standing body.
const LEAST_SHARE: f64 = 0.25;
/// A heading less certain than this is none, radians: e^{−s²/2} leaves less than a third of any offset.
const MAX_HEADING_SIGMA: f64 = 1.5;
/// Shares of postures of whom nothing is known: design values, roughly those of the simulator's people.
const PRIOR: [f64; PostureClass::COUNT] = [0.4, 0.35, 0.2, 0.05, 0.0];
/// Shares where the stage looked and left it undecided: [`PRIOR`] times how often it leaves each class so. Those are shares of the kept-back
/// scenes of its training with one person's daily life (`docs/algorithms/pose.md`).
const UNDECIDED: [f64; PostureClass::COUNT] = [0.39, 0.11, 0.44, 0.06, 0.0];
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
    /// Where a walk goes; `None` if somebody may as well stand.
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

    /// Where somebody goes by a posterior that allows for standing: velocity v of mean v̂ and covariance Σ, no Gaussian.
    ///
    /// The resultant of its direction, E cos(angle to v̂) = E[v·v̂/|v|]/|v̂|, is about |v̂|/√E|v|², with E|v|² = |v̂|² + tr Σ: of a
    /// velocity that may be any, or none, the mean is short. Who moves slower than `heading_speed_m_s` may face anywhere, which
    /// adds its square. A wrapped normal of variance s has the resultant e^{−s/2}.
    fn of_course(config: &Config, track: &PersonTrack) -> Option<Facing> {
        let (vx, vy) = (track.mean[3], track.mean[4]);
        let speed2 = vx * vx + vy * vy;
        let spread = math::max_f64(0.0, track.covariance[3][3]) + math::max_f64(0.0, track.covariance[4][4]);
        let resultant2 = speed2 / (speed2 + spread + config.heading_speed_m_s * config.heading_speed_m_s);
        let variance = GAIT_HEADING_SIGMA * GAIT_HEADING_SIGMA - math::ln(resultant2);
        (resultant2 > 0.0).then(|| Facing { rad: math::atan2(vy, vx), variance })
    }

    /// `dt` seconds after `before`; `None` where nothing tells it any more. Of a filter here a plain walk tells it, and who stands is
    /// seen to. Whom another stage follows it may lose from sight, so where he faced counts for little soon.
    pub fn now(
        config: &Config,
        track: &PersonTrack,
        is_followed: bool,
        before: Option<Facing>,
        dt: f64,
    ) -> Option<Facing> {
        let psd = if is_followed { config.followed_turn_psd } else { config.turn_psd };
        let kept = before.map(|f| Facing { variance: f.variance + psd * dt, ..f });
        let facing = if is_followed {
            let course = Facing::of_course(config, track);
            let surer = |c: &Facing| kept.is_none_or(|k| c.variance <= k.variance);
            course.filter(surer).or(kept)
        } else {
            Facing::of_walk(config, track).or(kept)
        };
        facing.filter(|f| f.variance <= MAX_HEADING_SIGMA * MAX_HEADING_SIGMA)
    }
}

/// Parts of which a height is made up at most: every posture, lying on a bed or the floor, and falling anywhere between.
const MOST_PARTS: usize = PostureClass::COUNT + 2;

/// First and second moments of an offset in metres: x, y, z; and the parts of the last.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    mean: [f64; 3],
    square: [f64; 3],
    heights: [Part; MOST_PARTS],
    parts: usize,
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
        let variance = math::max_f64(0.0, height2 - mean[2] * mean[2]);
        self.heights[self.parts] = Part::new(share, mean[2], variance);
        self.parts += 1;
    }

    fn variance(&self, axis: usize) -> f64 {
        math::max_f64(0.0, self.square[axis] - self.mean[axis] * self.mean[axis])
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

/// Of a joint or the centre of mass, in a posture.
fn part_of(class: PostureClass, half: usize) -> shape::Joint {
    if half == shape::CENTRE { shape::centre(class) } else { shape::of(class, 2 * half) }
}

/// First and second moment of stature.
fn stature(config: &Config) -> [f64; 2] {
    let Config { stature_m, stature_sigma_m, .. } = *config;
    [stature_m, stature_m * stature_m + stature_sigma_m * stature_sigma_m]
}

/// Sigmas of heights over the floor, m: of each joint of a half, and of the centre of mass.
pub(crate) type HeightSigmas = [f64; shape::CENTRE + 1];

/// Of a body whose posture has these probabilities.
fn height_sigmas(config: &Config, probability: &[f64; PostureClass::COUNT], on_floor: f64) -> HeightSigmas {
    core::array::from_fn(|half| {
        let m = moments(probability, on_floor, None, stature(config), |class| part_of(class, half));
        half_width(&m.heights[..m.parts], m.mean[2], math::sqrt(m.variance(2)))
    })
}

/// What is usual of somebody of whom no posture is told: shares of postures, and what follows for heights.
#[derive(Clone, Debug)]
pub(crate) struct Usual {
    shares: [[f64; PostureClass::COUNT]; 3],
    heights: [HeightSigmas; 3],
}

impl Usual {
    pub fn new(config: &Config) -> Usual {
        let shares = [PRIOR, UNDECIDED, ON_THE_WAY];
        Usual { shares, heights: shares.map(|p| height_sigmas(config, &p, 0.0)) }
    }

    /// Which of them it is.
    fn kind(config: &Config, track: &PersonTrack, belief: &Belief) -> usize {
        if Facing::of_walk(config, track).is_some() {
            2
        } else {
            usize::from(belief.posture == Posture::Unknown(NoPosture::Undecided))
        }
    }
}

/// What a person's body is put together from.
struct Body<'a> {
    config: &'a Config,
    track: &'a PersonTrack,
    facing: Option<Facing>,
    probability: [f64; PostureClass::COUNT],
    on_floor: f64,
    /// Height of the floor and its variance.
    floor: (f64, f64),
    place_error_m: f64,
    height_sigmas: HeightSigmas,
}

/// A joint of a body, or its centre of mass.
struct Point {
    position_m: [f64; 3],
    /// From the root along the floor, and upwards from the floor.
    offset_m: [f64; 3],
    /// Of place and body together.
    variance_m2: [f64; 3],
    /// Half the interval that holds as much as one sigma of a normal distribution.
    sigma_m: [f64; 3],
}

impl Body<'_> {
    /// A joint on either side, or the centre of mass: `half` is its place in a half.
    fn point(&self, half: usize, joint: impl Fn(PostureClass) -> shape::Joint) -> Point {
        let m = moments(&self.probability, self.on_floor, self.facing, stature(self.config), joint);
        let mut point =
            Point { position_m: [0.0; 3], offset_m: m.mean, variance_m2: [0.0; 3], sigma_m: [0.0; 3] };
        for k in 0..3 {
            let (root, root_variance) =
                if k < 2 { (self.track.mean[k], self.place_variance(k)) } else { self.floor };
            point.position_m[k] = root + m.mean[k];
            point.variance_m2[k] = root_variance + m.variance(k);
            let shape =
                if k < 2 { m.variance(k) } else { self.height_sigmas[half] * self.height_sigmas[half] };
            point.sigma_m[k] = math::sqrt(root_variance + shape);
        }
        point
    }

    fn place_variance(&self, axis: usize) -> f64 {
        math::max_f64(0.0, self.track.covariance[axis][axis]) + self.place_error_m * self.place_error_m
    }

    /// `Inferred` if what is known of this body accounts for [`LEAST_SHARE`] of the squared error that a body has which only
    /// stands, faces nowhere, and has its centre of mass where this one has it, `centre_up_m` from the floor.
    ///
    /// With the mean m over what is known and the other body's joint t, E|x − t|² = |m − t|² + tr Var x. Of |m − t|² what lies
    /// forward is left out: a walker's place is wrong along its walk more than across, so it may undo that part. Heights count where
    /// the posture is sure.
    fn basis(&self, keypoint: usize, point: &Point, centre_up_m: f64, is_sure: bool) -> Basis {
        let left = self
            .facing
            .map_or(0.0, |f| math::cos(f.rad) * point.offset_m[1] - math::sin(f.rad) * point.offset_m[0]);
        let above = shape::of(PostureClass::Standing, keypoint).mean[2]
            - shape::centre(PostureClass::Standing).mean[2];
        let raised = centre_up_m + self.config.stature_m * above;
        let height = if is_sure { point.offset_m[2] - raised } else { 0.0 };
        let gain = left * left + height * height;
        let rest: f64 = point.variance_m2[0] + point.variance_m2[1] + point.variance_m2[2];
        if gain > 0.0 && gain >= LEAST_SHARE * (gain + rest) { Basis::Inferred } else { Basis::Prior }
    }
}

/// The person of a track. `floor_m`: where the room's floor is; without one the track's height stands for a standing body's centre.
/// `place_error_m`: an error of places along x and y that the track's covariance does not hold.
pub(crate) fn person(
    config: &Config,
    track: &PersonTrack,
    facing: Option<Facing>,
    floor_m: Option<f64>,
    place_error_m: f64,
    usual: &Usual,
    belief: &Belief,
) -> Person {
    let centre_up = config.stature_m * shape::centre(PostureClass::Standing).mean[2];
    let sought = |z: f64| (z - centre_up, math::max_f64(0.0, track.covariance[2][2]));
    // Which posture it is most likely says little of heights while it is not sure enough to be published.
    let told = belief.probability.filter(|_| matches!(belief.posture, Posture::Known { .. }));
    let kind = Usual::kind(config, track, belief);
    let body = Body {
        config,
        track,
        facing,
        probability: told.unwrap_or(usual.shares[kind]),
        on_floor: if told.is_some() { belief.on_floor } else { 0.0 },
        floor: floor_m.map_or_else(|| sought(track.mean[2]), |floor| (floor, 0.0)),
        place_error_m,
        height_sigmas: told.map_or(usual.heights[kind], |p| height_sigmas(config, &p, belief.on_floor)),
    };
    let is_sure = told.is_some_and(|p| {
        let lies = p[PostureClass::Lying as usize] >= SURE;
        if lies { belief.on_floor >= ON_FLOOR } else { p.iter().any(|&p| p >= SURE) }
    });
    let centre = body.point(shape::CENTRE, shape::centre);
    let mut keypoints = [Keypoint { position_m: [0.0; 3], sigma_m: [0.0; 3], basis: Basis::Prior }; 17];
    for (k, keypoint) in keypoints.iter_mut().enumerate() {
        let point = body.point(k.div_ceil(2), |class| shape::of(class, k));
        keypoint.position_m = point.position_m.map(|x| x as f32);
        keypoint.sigma_m = point.sigma_m.map(|s| s as f32);
        keypoint.basis = body.basis(k, &point, centre.offset_m[2], is_sure);
    }
    Person {
        id: track.id,
        state: track.state,
        existence: track.existence as f32,
        position_m: [track.mean[0], track.mean[1], centre.position_m[2]].map(|x| x as f32),
        sigma_m: [math::sqrt(body.place_variance(0)), math::sqrt(body.place_variance(1)), centre.sigma_m[2]]
            .map(|s| s as f32),
        velocity_m_s: [track.mean[3], track.mean[4], track.mean[5]].map(|v| v as f32),
        keypoints,
        posture: belief.posture,
        heading: facing.map(|f| Heading { rad: f.rad as f32, sigma_rad: math::sqrt(f.variance) as f32 }),
    }
}
