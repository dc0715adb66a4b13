//! What is published of bodies, by what it rests on: the posture that is said, and the heading. Definitions: [`crate::room`].

use super::keypoints::{Claim, Template, distance_m};
use wavewitness_fixtures::TruthPose;
use wavewitness_num::math;
use wavewitness_types::{Basis, Person, Posture, PostureClass};

/// Rows of claims: each posture that is said, then a heading without one, then neither.
pub const ROWS: usize = PostureClass::COUNT + 2;
/// Upper borders of the classes of headings by the resultant e^{−σ²/2} that their sigma promises; the last ends at 1.
pub const RESULTANTS: [f64; 4] = [0.5, 0.7, 0.85, 1.0];

/// Headings of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Headings {
    /// How many.
    pub count: u64,
    /// Sum of the cosines of their errors.
    pub cosines: f64,
    /// Sum of what their sigmas promise of it.
    pub promised: f64,
}

/// Sums over published people.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// Joints by row of [`ROWS`]: more than a prior, prior.
    pub claims: [[Claim; 2]; ROWS],
    /// Headings by class of [`RESULTANTS`].
    pub headings: [Headings; RESULTANTS.len()],
}

/// The name of a row.
pub fn row_name(row: usize) -> &'static str {
    match PostureClass::ALL.get(row) {
        Some(class) => class.name(),
        None if row == PostureClass::COUNT => "heading alone",
        None => "neither",
    }
}

impl Told {
    /// Takes a published person and whom the assignment gives him.
    pub fn take(&mut self, template: &Template, truth: &TruthPose, person: &Person) {
        let row = match (&person.posture, &person.heading) {
            (Posture::Known { class, .. }, _) => *class as usize,
            (Posture::Unknown(_), Some(_)) => PostureClass::COUNT,
            (Posture::Unknown(_), None) => PostureClass::COUNT + 1,
        };
        let at_track = template.at_centre(person.position_m.map(f64::from));
        for (j, key) in person.keypoints.iter().enumerate() {
            let is = truth.joints_m[j];
            let column = usize::from(key.basis == Basis::Prior);
            let published_m = distance_m(key.position_m.map(f64::from), is);
            self.claims[row][column].take(published_m, distance_m(at_track[j], is));
        }
        if let Some(heading) = person.heading {
            let sigma = f64::from(heading.sigma_rad);
            let promised = math::exp(-0.5 * sigma * sigma);
            let class = RESULTANTS.iter().position(|&most| promised <= most).unwrap_or(RESULTANTS.len() - 1);
            let h = &mut self.headings[class];
            h.count += 1;
            h.cosines += math::cos(f64::from(heading.rad) - truth.heading_rad);
            h.promised += promised;
        }
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Told) {
        let Told { claims, headings } = other;
        self.claims.iter_mut().flatten().zip(claims.iter().flatten()).for_each(|(a, b)| a.add(b));
        for (a, b) in self.headings.iter_mut().zip(headings) {
            a.count += b.count;
            a.cosines += b.cosines;
            a.promised += b.promised;
        }
    }
}

#[cfg(test)]
mod tests {
    //! Guards that joints go to the row of what is said, and that a heading's error is measured against its promise.
    use super::*;
    use crate::room::testing::{person, standing};
    use wavewitness_types::Heading;

    #[test]
    fn joints_go_to_what_they_rest_on_and_headings_to_their_promise() {
        let truth = standing(1, [2.0, 3.0], 1.7);
        let template = Template::standing();
        let (mut told, mut shown) = (Told::default(), person(1, &truth, [0.0; 3], 0.1));
        told.take(&template, &truth, &shown);
        assert_eq!(told.claims[ROWS - 1].map(|c| c.count), [17, 0]);
        // Off by a right angle, with a sigma of 0.5.
        let rad = truth.heading_rad + core::f64::consts::FRAC_PI_2;
        shown.heading = Some(Heading { rad: rad as f32, sigma_rad: 0.5 });
        shown.keypoints[3].basis = Basis::Prior;
        told.take(&template, &truth, &shown);
        shown.posture = Posture::Known { class: PostureClass::Sitting, probability: [0.0; 5] };
        told.take(&template, &truth, &shown);
        assert_eq!(told.claims[PostureClass::COUNT].map(|c| c.count), [16, 1]);
        assert_eq!(told.claims[PostureClass::Sitting as usize].map(|c| c.count), [16, 1]);
        let [published_m, at_track_m] = told.claims[PostureClass::Sitting as usize][0].means_m();
        assert!(published_m < 1e-6 && at_track_m > 0.1);
        let h = told.headings[RESULTANTS.iter().position(|&r| r > 0.8825).unwrap()];
        assert!(h.count == 2 && h.cosines.abs() < 1e-6 && (h.promised - 2.0 * 0.8825).abs() < 1e-4, "{h:?}");
        let mut twice = told;
        twice.add(&told);
        assert_eq!(twice.claims[ROWS - 1][0].count, 34);
        assert_eq!(row_name(0), "standing");
    }
}
