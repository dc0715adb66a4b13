//! Joints against the truth and two baselines. Definitions: [`crate::room`].

use super::tracking::apart_m;
use wavewitness_fixtures::body::{Build, JOINT_COUNT};
use wavewitness_fixtures::{Actor, Script, TruthPose};
use wavewitness_num::math;
use wavewitness_types::{Basis, KeypointName, Person};

type Point = [f64; 3];

/// Stature of the baselines' body, metres.
const STATURE_M: f64 = 1.70;

/// Distance in three dimensions, metres.
pub fn distance_m(a: Point, b: Point) -> f64 {
    math::hypot(apart_m([a[0], a[1]], [b[0], b[1]]), a[2] - b[2])
}

fn middle(joints: &[Point; JOINT_COUNT], a: KeypointName, b: KeypointName) -> Point {
    [0, 1, 2].map(|k| 0.5 * (joints[a as usize][k] + joints[b as usize][k]))
}

fn hips(joints: &[Point; JOINT_COUNT]) -> Point {
    middle(joints, KeypointName::LeftHip, KeypointName::RightHip)
}

/// From the middle of the shoulders to that of the hips, metres.
pub fn torso_m(joints: &[Point; JOINT_COUNT]) -> f64 {
    distance_m(middle(joints, KeypointName::LeftShoulder, KeypointName::RightShoulder), hips(joints))
}

/// A body that stands and faces nowhere: the mean over all headings, which of all constants has the least squared error. Every
/// joint is on the axis, at its height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Template {
    heights_m: [f64; JOINT_COUNT],
    root_height_m: f64,
    centre_height_m: f64,
}

impl Template {
    /// The simulator's standing body of 1.70 m, without breath and sway.
    pub fn standing() -> Template {
        let build = Build { stature_m: STATURE_M, ..Build::ADULT };
        let script = Script::new(build, 0.0, 0.0, 0.0).stand(1.0);
        let actor = Actor { breathing_mm: 0.0, sway_mm: 0.0, ..Actor::new(1, script) };
        let pose = actor.truth(0).expect("who stands is there");
        Template {
            heights_m: pose.joints_m.map(|j| j[2]),
            root_height_m: pose.root_m[2],
            centre_height_m: pose.centre_m[2],
        }
    }

    fn moved(&self, from_m: f64, to_m: Point) -> [Point; JOINT_COUNT] {
        self.heights_m.map(|height_m| [to_m[0], to_m[1], to_m[2] + height_m - from_m])
    }

    /// With its mid-hip at a point.
    pub fn at_root(&self, root_m: Point) -> [Point; JOINT_COUNT] {
        self.moved(self.root_height_m, root_m)
    }

    /// With its centre of mass at a point.
    pub fn at_centre(&self, centre_m: Point) -> [Point; JOINT_COUNT] {
        self.moved(self.centre_height_m, centre_m)
    }
}

/// One kind of pose: its errors and how many are small.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    /// Sum of distances, metres.
    pub sum_m: f64,
    /// Within 0.2 torsos.
    pub within_02: u64,
    /// Within 0.5 torsos.
    pub within_05: u64,
}

impl Errors {
    fn take(&mut self, error_m: f64, torso_m: f64) {
        self.sum_m += error_m;
        self.within_02 += u64::from(error_m <= 0.2 * torso_m);
        self.within_05 += u64::from(error_m <= 0.5 * torso_m);
    }

    fn add(&mut self, other: &Errors) {
        let Errors { sum_m, within_02, within_05 } = other;
        self.sum_m += sum_m;
        self.within_02 += within_02;
        self.within_05 += within_05;
    }
}

/// One joint over all published people.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Joint {
    /// How many.
    pub count: u64,
    /// As published.
    pub published: Errors,
    /// As published, moved so that the mid-hip is right.
    pub aligned: Errors,
    /// The template at the true root.
    pub at_truth: Errors,
    /// The template at the published position.
    pub at_track: Errors,
    /// Errors within one published sigma, along each axis.
    pub within_sigma: [u64; 3],
    /// The same of the body alone: from the published position to the joint against from the true root to it, along the floor, and
    /// the sigma without the position's. Upwards nothing is left out: heights are from the floor.
    pub body_within_sigma: [u64; 3],
    /// By [`Basis`]: measured, inferred, prior.
    pub basis: [Claim; 3],
}

/// Joints that are published with one basis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Claim {
    /// How many.
    pub count: u64,
    /// Sum of distances as published, metres.
    pub published_m: f64,
    /// The same of the template at the published position.
    pub at_track_m: f64,
}

impl Claim {
    /// Takes a joint.
    pub fn take(&mut self, published_m: f64, at_track_m: f64) {
        self.count += 1;
        self.published_m += published_m;
        self.at_track_m += at_track_m;
    }

    /// Adds others.
    pub fn add(&mut self, other: &Claim) {
        let Claim { count, published_m, at_track_m } = other;
        self.count += count;
        self.published_m += published_m;
        self.at_track_m += at_track_m;
    }

    /// Mean distances in metres, as published and of the template; not finite without any.
    pub fn means_m(&self) -> [f64; 2] {
        [self.published_m, self.at_track_m].map(|sum| sum / self.count as f64)
    }
}

impl Joint {
    /// A share of the joints.
    pub fn share(&self, count: u64) -> f64 {
        count as f64 / self.count as f64
    }

    /// Mean distance of a kind, metres.
    pub fn mean_m(&self, errors: &Errors) -> f64 {
        errors.sum_m / self.count as f64
    }

    /// True if it is published as more than a prior and is no better than the template where it is.
    pub fn claims_too_much(&self) -> bool {
        let mut claimed = self.basis[0];
        claimed.add(&self.basis[1]);
        claimed.count > 0 && claimed.published_m >= claimed.at_track_m
    }

    /// Adds another run's, or another joint's.
    pub fn add(&mut self, other: &Joint) {
        let Joint { count, published, aligned, at_truth, at_track, .. } = other;
        let Joint { within_sigma, body_within_sigma, basis, .. } = other;
        self.count += count;
        self.published.add(published);
        self.aligned.add(aligned);
        self.at_truth.add(at_truth);
        self.at_track.add(at_track);
        for k in 0..3 {
            self.within_sigma[k] += within_sigma[k];
            self.body_within_sigma[k] += body_within_sigma[k];
            self.basis[k].add(&basis[k]);
        }
    }
}

/// All joints in COCO order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Keypoints(pub [Joint; JOINT_COUNT]);

impl Keypoints {
    /// Takes a published person and whom the assignment gives him.
    pub fn take(&mut self, template: &Template, truth: &TruthPose, person: &Person) {
        let wide = |p: [f32; 3]| p.map(f64::from);
        let published = person.keypoints.map(|k| wide(k.position_m));
        let shift = hips(&published);
        let at_truth = template.at_root(truth.root_m);
        let at_track = template.at_centre(wide(person.position_m));
        let torso = torso_m(&truth.joints_m);
        for (j, joint) in self.0.iter_mut().enumerate() {
            let (is, key) = (truth.joints_m[j], &person.keypoints[j]);
            let aligned = [0, 1, 2].map(|k| published[j][k] - shift[k] + truth.root_m[k]);
            joint.count += 1;
            joint.published.take(distance_m(published[j], is), torso);
            joint.aligned.take(distance_m(aligned, is), torso);
            joint.at_truth.take(distance_m(at_truth[j], is), torso);
            joint.at_track.take(distance_m(at_track[j], is), torso);
            for k in 0..3 {
                let (off, sigma_m) = (published[j][k] - is[k], f64::from(key.sigma_m[k]));
                joint.within_sigma[k] += u64::from(off.abs() <= sigma_m);
                let (root_off, root_sigma_m) = match k {
                    2 => (0.0, 0.0),
                    _ => (f64::from(person.position_m[k]) - truth.root_m[k], f64::from(person.sigma_m[k])),
                };
                let body_off = off - root_off;
                let within = body_off * body_off <= sigma_m * sigma_m - root_sigma_m * root_sigma_m;
                joint.body_within_sigma[k] += u64::from(within);
            }
            joint.basis[match key.basis {
                Basis::Measured => 0,
                Basis::Inferred => 1,
                Basis::Prior => 2,
            }]
            .take(distance_m(published[j], is), distance_m(at_track[j], is));
        }
    }

    /// All joints as one.
    pub fn all(&self) -> Joint {
        let mut out = Joint::default();
        self.0.iter().for_each(|j| out.add(j));
        out
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Keypoints) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| a.add(b));
    }
}

#[cfg(test)]
mod tests {
    //! Guards MPJPE, PCK, the baselines and the share within sigma on poses whose values are known.
    use super::*;
    use crate::room::testing::{person, standing};

    /// The truth of a standing body at a place, and a published person that is off by a vector.
    fn pair(off: Point, sigma_m: f32) -> (TruthPose, Person) {
        let truth = standing(1, [2.0, 3.0], STATURE_M);
        (truth, person(1, &truth, off, sigma_m))
    }

    #[test]
    fn a_pose_that_is_off_by_a_known_vector_has_that_error_and_none_aligned() {
        let template = Template::standing();
        let torso = torso_m(&pair([0.0; 3], 1.0).0.joints_m);
        assert!((torso - 0.288 * STATURE_M).abs() < 0.02, "{torso}");
        for (part, near, half) in [(0.19, 1, 1), (0.21, 0, 1), (0.49, 0, 1), (0.51, 0, 0)] {
            let mut found = Keypoints::default();
            let off = part * torso;
            let (truth, person) = pair([0.6 * off, -0.8 * off, 0.0], (0.7 * off) as f32);
            found.take(&template, &truth, &person);
            for joint in found.0 {
                let e = joint.published;
                assert!((e.sum_m - off).abs() < 1e-6);
                assert_eq!((e.within_02, e.within_05), (near, half), "{part} torsos");
                assert!(joint.aligned.sum_m < 1e-6);
                assert_eq!((joint.within_sigma, joint.basis.map(|b| b.count)), ([1, 0, 1], [0, 1, 0]));
                assert!((joint.basis[1].published_m - off).abs() < 1e-6);
            }
            assert_eq!(found.all().count, 17);
        }
    }

    #[test]
    fn the_template_is_right_in_height_and_off_by_what_a_heading_would_tell() {
        let (truth, person) = pair([0.0; 3], 1.0);
        let mut found = Keypoints::default();
        found.take(&Template::standing(), &truth, &person);
        let shoulder = &found.0[KeypointName::LeftShoulder as usize];
        assert!((shoulder.at_truth.sum_m - 0.129 * STATURE_M).abs() < 0.02, "{shoulder:?}");
        for (joint, is) in found.0.iter().zip(&truth.joints_m) {
            let beside = apart_m([is[0], is[1]], [truth.root_m[0], truth.root_m[1]]);
            assert!((joint.at_truth.sum_m - beside).abs() < 1e-9);
            // The centre of mass is within centimetres of the axis.
            assert!((joint.at_track.sum_m - beside).abs() < 0.06, "{joint:?}");
        }
    }

    #[test]
    fn the_body_s_sigma_is_what_the_position_s_leaves() {
        // The root is off by half a metre, the wrist by 0.1 m more along x: 0.5 m of the root's sigma, 0.12 m of the body's.
        let (truth, mut person) = pair([0.5, 0.0, 0.0], 0.5);
        let wrist = KeypointName::LeftWrist as usize;
        person.keypoints[wrist].position_m[0] += 0.1;
        for (body_m, within) in [(0.12f32, 1), (0.08, 0)] {
            person.keypoints[wrist].sigma_m = [(0.25 + body_m * body_m).sqrt(); 3];
            let mut found = Keypoints::default();
            found.take(&Template::standing(), &truth, &person);
            assert_eq!(found.0[wrist].body_within_sigma, [within, 1, 1]);
            assert_eq!(found.0[wrist].within_sigma, [0, 1, 1]);
        }
    }

    #[test]
    fn who_claims_more_than_a_prior_must_beat_the_template() {
        let (truth, good) = pair([0.0; 3], 1.0);
        let (_, mut bad) = pair([0.0; 3], 1.0);
        let wrist = KeypointName::LeftWrist as usize;
        bad.keypoints[wrist].position_m[2] += 2.0;
        let mut found = Keypoints::default();
        found.take(&Template::standing(), &truth, &good);
        found.take(&Template::standing(), &truth, &bad);
        let too_much: Vec<usize> = (0..JOINT_COUNT).filter(|&j| found.0[j].claims_too_much()).collect();
        assert_eq!(too_much, [wrist]);
        bad.keypoints[wrist].basis = Basis::Prior;
        let mut modest = Keypoints::default();
        modest.take(&Template::standing(), &truth, &bad);
        assert!(modest.0.iter().all(|j| !j.claims_too_much()));
    }
}
