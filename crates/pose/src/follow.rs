//! Tracks of people whom another stage follows.
//!
//! Its posterior already holds every measurement, so no filter may take it for one: the next cycle's posterior is the last
//! one again, and would count twice. Here it gets an identity of this chain and a life, nothing else.

use crate::state::{Slot, State};
use crate::{Plan, Summary, miss};
use wavewitness_types::limits::MAX_PEOPLE;
use wavewitness_types::{Followed, PersonTrack, Timestamp, TrackState};

impl Plan {
    /// Makes the tracks those of `followed`, the first [`MAX_PEOPLE`] with finite numbers: who was followed before keeps his id,
    /// everybody else gets a new one, and tracks of nobody in it end. Who is not measured coasts. Total: others are counted as
    /// ignored.
    pub fn follow(&self, at: Timestamp, followed: &[Followed], state: &mut State) -> Summary {
        let mut summary = Summary::default();
        state.missing.forget(at, self.config.return_s);
        let dt = state.advance(at);
        let is_of = |f: &Followed, slot: &Slot| slot.follows == Some(f.number);
        let before = state.tracks.len();
        state.retain(|_, slot| followed.iter().any(|f| is_of(f, slot)));
        summary.deleted = (before - state.tracks.len()) as u16;
        for f in followed {
            let known = state.slots.iter().position(|slot| is_of(f, slot));
            if !self.can_be(f) || known.is_none() && state.tracks.len() == MAX_PEOPLE {
                summary.ignored += 1;
                continue;
            }
            let place = match known {
                Some(place) => place,
                None => {
                    let Some(id) = state.take_id() else { return summary };
                    state.tracks.push(PersonTrack {
                        id,
                        state: TrackState::Confirmed,
                        mean: f.mean,
                        covariance: f.covariance,
                        existence: f.existence,
                        age_cycles: 0,
                        missed_cycles: 0,
                    });
                    state.slots.push(Slot::following(at, f));
                    summary.born += 1;
                    continue;
                }
            };
            let (track, slot) = (&mut state.tracks[place], &mut state.slots[place]);
            (track.mean, track.covariance, track.existence) = (f.mean, f.covariance, f.existence);
            track.age_cycles = track.age_cycles.saturating_add(1);
            if f.measured {
                (track.state, track.missed_cycles, slot.measured) = (TrackState::Confirmed, 0, at);
                slot.seen(f);
                summary.assigned += 1;
            } else {
                miss(track);
            }
        }
        state.recognise(self.config.return_speed_m_s);
        self.face(state, dt);
        summary
    }

    fn can_be(&self, f: &Followed) -> bool {
        self.contains(&f.mean[..3])
            && f.mean.iter().chain(f.covariance.as_flattened()).all(|x| x.is_finite())
            && (0.0..=1.0).contains(&f.existence)
    }
}

#[cfg(test)]
mod tests {
    //! Guards: a posterior is published as it is, cycle after cycle; identity lasts as long as the other stage's number.
    use super::*;
    use crate::Config;

    fn someone(number: u32, x: f64, measured: bool) -> Followed {
        let mut covariance = [[0.0; 6]; 6];
        (0..6).for_each(|k| covariance[k][k] = 0.04);
        Followed { number, mean: [x, 1.0, 1.0, 0.0, 0.0, 0.0], covariance, existence: 0.9, measured }
    }

    #[test]
    fn a_posterior_is_not_counted_twice_and_who_keeps_still_stays() {
        let plan = Plan::new(&Config::default(), None).unwrap();
        let mut state = State::new(&plan);
        for cycle in 1..=1200u64 {
            let all = [someone(7, 1.0, cycle < 20), someone(9, 2.0, true)];
            plan.follow(Timestamp(cycle * 50_000_000), &all, &mut state);
            let tracks = state.tracks();
            assert_eq!(tracks.len(), 2, "cycle {cycle}");
            assert_eq!([tracks[0].id.0, tracks[1].id.0], [0, 1]);
            assert_eq!(tracks[0].covariance, all[0].covariance);
            let coasts = cycle >= 20;
            assert_eq!(tracks[0].state == TrackState::Coasting, coasts);
        }
        // Another number where somebody was a moment ago is he again; much later it is somebody else.
        plan.follow(Timestamp(61_000_000_000), &[someone(8, 2.0, true)], &mut state);
        assert_eq!(state.tracks().iter().map(|t| t.id.0).collect::<Vec<_>>(), [1]);
        plan.follow(Timestamp(62_000_000_000), &[], &mut state);
        plan.follow(Timestamp(600_000_000_000), &[someone(10, 2.0, true)], &mut state);
        assert_eq!(state.tracks().iter().map(|t| t.id.0).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn what_is_no_place_is_ignored_and_a_crowd_is_cut() {
        let plan = Plan::new(&Config::default(), None).unwrap();
        let mut state = State::new(&plan);
        let nan = someone(1, f64::NAN, true);
        let summary = plan.follow(
            Timestamp(1),
            &[nan, Followed { existence: 2.0, ..someone(2, 0.0, true) }],
            &mut state,
        );
        assert_eq!((summary.ignored, state.tracks().len()), (2, 0));
        let crowd: Vec<Followed> = (0..20).map(|k| someone(k, 0.0, true)).collect();
        assert_eq!(plan.follow(Timestamp(2), &crowd, &mut state).born as usize, MAX_PEOPLE);
        assert_eq!(state.tracks().len(), MAX_PEOPLE);
    }
}
