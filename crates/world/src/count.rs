//! How many: from what all people do to the channels together, else from the tracks; consistent with presence.
//!
//! Tracks exist independently with their probabilities, so their number is Poisson-binomial: one convolution a track
//! (Hong 2013, Comput. Stat. Data Anal. 59, 41–51, section 2). That is t. Who is tracked is there, but not everybody who is there
//! is tracked: where the channels tell how many there are (n, of those who are there), `q(N) ∝ n(N) Σ t(k ≤ N)`. Where they don't, q = t.
//! Presence says p = P(at least one), from other evidence, and the two must not contradict each other in one message:
//!
//! | basis | presence | n | tracks (most probable) | count |
//! |---|---|---|---|---|
//! | any | unknown | any | any | unknown, same reason |
//! | empty room | known | told | any | P(≥ 1) = p, shared out as in q |
//! | any | present | not told | nobody | unknown, too few links: somebody is there whom the image does not place |
//! | empty room | otherwise | not told | any | P(≥ 1) = p, shared out as in q; what q lacks of p goes to one person |
//! | motion | present | not used | somebody | q = t |
//! | motion | nobody moves | not used | any | unknown, not calibrated: somebody still would not be counted, so zero can't be said |

use crate::{Input, Presence};
use wavewitness_num::math;
use wavewitness_types::limits::MAX_PEOPLE;
use wavewitness_types::{Count, PersonTrack, PresenceBasis, TrackState, UnknownReason};

/// No number of people is quite impossible.
const LEAST: f64 = 1e-12;

/// Probabilities of 0, 1, … people.
type Numbers = [f64; MAX_PEOPLE + 1];

pub(crate) fn count(input: &Input<'_>, presence: Presence) -> Count {
    let (present, probability, basis) = match presence {
        Presence::Unknown(UnknownReason::NoData) => return Count::Unknown(UnknownReason::NoData),
        _ if !input.geometry_known => return Count::Unknown(UnknownReason::NoGeometry),
        Presence::Unknown(reason) => return Count::Unknown(reason),
        Presence::Known { present, probability, basis } => (present, f64::from(probability), basis),
    };
    let tracked = poisson_binomial(input.tracks);
    // What the channels say is of people against the empty room.
    if let Some(numbers) = input.numbers.filter(|_| basis == PresenceBasis::EmptyRoom) {
        return Count::Known(shared(&numbers, &tracked, probability).map(|p| p as f32));
    }
    if !input.tomography_active {
        return Count::Unknown(UnknownReason::TooFewLinks);
    }
    if present && tracked[0] > 0.5 {
        return Count::Unknown(UnknownReason::TooFewLinks);
    }
    match basis {
        PresenceBasis::EmptyRoom => Count::Known(reconciled(&tracked, probability).map(|p| p as f32)),
        PresenceBasis::Motion if present => Count::Known(tracked.map(|p| p as f32)),
        PresenceBasis::Motion => Count::Unknown(UnknownReason::NotCalibrated),
    }
}

/// The distribution of the number of people behind confirmed and coasting tracks.
fn poisson_binomial(tracks: &[PersonTrack]) -> Numbers {
    let mut p = [0.0; MAX_PEOPLE + 1];
    p[0] = 1.0;
    let people = tracks.iter().filter(|t| t.state != TrackState::Tentative);
    for track in people.take(MAX_PEOPLE) {
        // Not a number counts as no existence.
        let r = if track.existence > 0.0 { math::min_f64(1.0, track.existence) } else { 0.0 };
        for k in (0..p.len()).rev() {
            let one_fewer = if k > 0 { p[k - 1] } else { 0.0 };
            p[k] = p[k] * (1.0 - r) + one_fewer * r;
        }
    }
    p
}

/// `presence`, shared out over how many there are: as `numbers` says, of which no fewer are there than are tracked.
fn shared(numbers: &[f64; MAX_PEOPLE], tracked: &Numbers, presence: f64) -> Numbers {
    let mut out = [0.0; MAX_PEOPLE + 1];
    let (mut no_more, mut total) = (tracked[0], 0.0);
    for n in 1..out.len() {
        no_more += tracked[n];
        // Not a number counts as no chance; a floor leaves something to share out, whatever the two say.
        let chance = if numbers[n - 1] > 0.0 { math::min_f64(1.0, numbers[n - 1]) } else { 0.0 };
        out[n] = math::max_f64(LEAST, chance * no_more);
        total += out[n];
    }
    for p in &mut out[1..] {
        *p *= presence / total;
    }
    out[0] = 1.0 - presence;
    out
}

/// `tracked` with P(at least one) made `presence`.
fn reconciled(tracked: &Numbers, presence: f64) -> Numbers {
    let somebody = 1.0 - tracked[0];
    let mut out = *tracked;
    out[0] = 1.0 - presence;
    if presence <= somebody {
        for p in &mut out[1..] {
            *p *= presence / somebody;
        }
    } else {
        out[1] += presence - somebody;
    }
    out
}

#[cfg(test)]
mod tests {
    //! Guards the arithmetic of numbers of people.
    use super::*;
    use wavewitness_types::TrackId;

    fn tracks(existence: &[f64]) -> Vec<PersonTrack> {
        let track = |(k, &existence): (usize, &f64)| PersonTrack {
            id: TrackId(k as u32),
            state: if k % 2 == 0 { TrackState::Confirmed } else { TrackState::Coasting },
            mean: [0.0; 6],
            covariance: [[0.0; 6]; 6],
            existence,
            age_cycles: 9,
            missed_cycles: 0,
        };
        existence.iter().enumerate().map(track).collect()
    }

    #[test]
    fn it_is_the_sum_over_every_subset() {
        let r = [0.9, 0.3, 0.55, 0.99];
        let p = poisson_binomial(&tracks(&r));
        let mut expected = [0.0; MAX_PEOPLE + 1];
        for subset in 0..16u32 {
            let product: f64 = (0..4).map(|k| if subset >> k & 1 == 1 { r[k] } else { 1.0 - r[k] }).product();
            expected[subset.count_ones() as usize] += product;
        }
        assert!(p.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn hostile_tracks_and_crowds_stay_a_distribution() {
        for list in [vec![0.7; 20], vec![f64::NAN, 2.0, -1.0], vec![]] {
            let p = poisson_binomial(&tracks(&list));
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12 && p.iter().all(|x| (0.0..=1.0).contains(x)));
        }
    }

    #[test]
    fn what_the_channels_say_is_shared_out_and_nobody_tracked_is_left_out() {
        let numbers = [0.1, 0.4, 0.3, 0.2, 0.0, 0.0, 0.0, 0.0];
        let p = shared(&numbers, &poisson_binomial(&tracks(&[0.98])), 0.9);
        assert!((p[0] - 0.1).abs() < 1e-12 && (p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((p[2] / p[3] - 4.0 / 3.0).abs() < 1e-9, "one who is tracked is one of any number: {p:?}");
        let p = shared(&numbers, &poisson_binomial(&tracks(&[0.98, 0.98])), 0.9);
        assert!(p[1] < 0.01 && p[2] > 0.35, "two who are tracked are not one: {p:?}");
        for hostile in
            [[f64::NAN; MAX_PEOPLE], [f64::INFINITY; MAX_PEOPLE], [-1.0; MAX_PEOPLE], [0.0; MAX_PEOPLE]]
        {
            let p = shared(&hostile, &poisson_binomial(&tracks(&[0.9; 8])), 0.7);
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9 && p.iter().all(|x| (0.0..=1.0).contains(x)));
        }
    }

    #[test]
    fn reconciling_keeps_the_shape_and_takes_the_probability_of_presence() {
        let q = poisson_binomial(&tracks(&[0.9, 0.8]));
        for presence in [0.002, 0.3, 0.95, 0.998] {
            let p = reconciled(&q, presence);
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!((1.0 - p[0] - presence).abs() < 1e-12);
        }
        let p = reconciled(&q, 0.3);
        assert!((p[1] / p[2] - q[1] / q[2]).abs() < 1e-12);
        let nobody = reconciled(&poisson_binomial(&[]), 0.1);
        assert!((nobody[1] - 0.1).abs() < 1e-12);
    }
}
