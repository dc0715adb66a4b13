//! What a run's cycles say, in sums that add up over seeds. Definitions: [`crate::room`].

use super::drive::Cycle;
use super::keypoints::{Keypoints, Template};
use super::posture::{Confusion, Falls};
use super::told::Told;
use super::tracking::{At, Clear, Identity, Tracking, apart_m, nearest};
use std::collections::BTreeMap;
use wavewitness_fixtures::Scene;
use wavewitness_types::Gate;
use wavewitness_types::limits::MAX_PEOPLE;

/// Who moves less in plan, in metres, is still …
const STILL_M: f64 = 0.1;
/// … for at least this long, seconds …
const STILL_S: f64 = 5.0;
/// … of which this is left out, seconds.
const SETTLE_S: f64 = 2.0;
/// Longest absence that counts as one to come back from, seconds, and within what the track must be there again.
const ABSENCE_S: f64 = 6.0;
const BACK_WITHIN_S: f64 = 5.0;

/// Sums of squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquare {
    /// Sum.
    pub sum: f64,
    /// Of how many.
    pub count: u64,
}

impl MeanSquare {
    /// Root of the mean; not finite without one.
    pub fn root(&self) -> f64 {
        (self.sum / self.count as f64).sqrt()
    }
}

/// Differences of a count from the truth: −8 … 8 at index 0 … 16, and cycles that say no count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountErrors {
    /// Published less true.
    pub by: [u64; 2 * MAX_PEOPLE + 1],
    /// Unknown.
    pub unknown: u64,
}

impl CountErrors {
    fn take(&mut self, said: Option<usize>, truth: usize) {
        match said {
            Some(n) => self.by[(MAX_PEOPLE + n.min(MAX_PEOPLE)).saturating_sub(truth)] += 1,
            None => self.unknown += 1,
        }
    }

    /// Share of all cycles whose difference is from `low` to `high`; an unknown count is none of them.
    pub fn share(&self, low: i32, high: i32) -> f64 {
        let total = self.by.iter().sum::<u64>() + self.unknown;
        let within = (-(MAX_PEOPLE as i32)..).zip(self.by).filter(|(d, _)| (low..=high).contains(d));
        within.map(|(_, n)| n).sum::<u64>() as f64 / total as f64
    }
}

/// Everything that is measured in a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// CLEAR-MOT.
    pub clear: Clear,
    /// Ristani's counts.
    pub identity: Identity,
    /// Root errors of the people who are published, metres.
    pub roots_m: Vec<f64>,
    /// What naming the middle of the room gives for everybody who is there, metres.
    pub middles_m: Vec<f64>,
    /// Published positions within one sigma, along each axis.
    pub roots_within_sigma: [u64; 3],
    /// Jitter of the still.
    pub jitter: MeanSquare,
    /// Returns, and how many to the same track.
    pub returns: u64,
    /// See `returns`.
    pub same_track: u64,
    /// People who came in and were given a track within 5 s, and how many of these a track that was somebody else's.
    pub arrivals: u64,
    /// See `arrivals`.
    pub mistaken: u64,
    /// Cycles with nobody there, and of these: with somebody published, with presence said, with presence unknown.
    pub empty: [u64; 4],
    /// Cycles with somebody there, and of these with presence said.
    pub occupied: [u64; 2],
    /// The count that is published.
    pub count: CountErrors,
    /// The number of published people.
    pub shown: CountErrors,
    /// Cycles by gate: accept, predict only, reject, recalibrate.
    pub gates: [u64; 4],
    /// Joints.
    pub keypoints: Keypoints,
    /// Joints and headings by what they rest on.
    pub told: Told,
    /// Posture classes.
    pub postures: Confusion,
    /// Falls.
    pub falls: Falls,
}

/// Who is there and who is published, in plan, and for each of the former the index of the latter.
struct Pairs {
    truth: Vec<At>,
    shown: Vec<At>,
    nearest: Vec<Option<usize>>,
}

impl Pairs {
    fn of(cycle: &Cycle) -> Pairs {
        let truth: Vec<At> =
            cycle.truth.iter().map(|p| At { id: p.id, plan_m: [p.root_m[0], p.root_m[1]] }).collect();
        let place = |p: [f32; 3]| [f64::from(p[0]), f64::from(p[1])];
        let shown: Vec<At> =
            cycle.people.iter().map(|p| At { id: p.id.0, plan_m: place(p.position_m) }).collect();
        let nearest = nearest(&truth, &shown);
        Pairs { truth, shown, nearest }
    }
}

impl Score {
    /// Of the cycles from a time on.
    pub fn of(scene: &Scene, cycles: &[Cycle], from_s: f64) -> Score {
        // A microsecond: seconds are rounded, cycles are not.
        let first = cycles.partition_point(|c| c.t_s <= from_s + 1e-6);
        let cycles = &cycles[first..];
        let middle = [0, 1].map(|k| 0.5 * (scene.room.min_m[k] + scene.room.max_m[k]));
        let template = Template::standing();
        let (mut out, mut tracking) = (Score::default(), Tracking::default());
        let (mut stills, mut returns) = (Stills::default(), Returns::default());
        out.falls = Falls::of(cycles);
        for cycle in cycles {
            let pairs = Pairs::of(cycle);
            tracking.cycle(&pairs.truth, &pairs.shown);
            out.cycle(cycle);
            out.middles_m.extend(pairs.truth.iter().map(|t| apart_m(t.plan_m, middle)));
            for (who, at) in pairs.nearest.iter().enumerate() {
                let posture = at.map(|index| &cycle.people[index].posture);
                out.postures.take(cycle.truth[who].posture, posture);
                let Some(index) = *at else { continue };
                let (truth, person) = (&cycle.truth[who], &cycle.people[index]);
                out.roots_m.push(apart_m(pairs.truth[who].plan_m, pairs.shown[index].plan_m));
                out.keypoints.take(&template, truth, person);
                out.told.take(&template, truth, person);
                for k in 0..3 {
                    // The published position is a body's centre; in plan it is compared with the root as all else is.
                    let is = if k < 2 { truth.root_m[k] } else { truth.centre_m[k] };
                    let within = (f64::from(person.position_m[k]) - is).abs() <= f64::from(person.sigma_m[k]);
                    out.roots_within_sigma[k] += u64::from(within);
                }
            }
            stills.cycle(cycle, &pairs, &mut out.jitter);
            returns.cycle(cycle.t_s, &pairs, &mut out);
        }
        stills.finish(&mut out.jitter);
        (out.clear, out.identity) = (tracking.clear(), tracking.identity());
        out
    }

    /// What needs no assignment.
    fn cycle(&mut self, cycle: &Cycle) {
        if cycle.truth.is_empty() {
            let said = [true, !cycle.people.is_empty(), cycle.present == Some(true), cycle.present.is_none()];
            self.empty.iter_mut().zip(said).for_each(|(n, is)| *n += u64::from(is));
        } else {
            self.occupied[0] += 1;
            self.occupied[1] += u64::from(cycle.present == Some(true));
        }
        self.count.take(cycle.count.map(usize::from), cycle.truth.len());
        self.shown.take(Some(cycle.people.len()), cycle.truth.len());
        self.gates[match cycle.gate {
            Gate::Accept => 0,
            Gate::PredictOnly => 1,
            Gate::Reject => 2,
            Gate::Recalibrate => 3,
        }] += 1;
    }

    /// Share of people there, over all cycles, whom the assignment gives somebody published.
    pub fn published(&self) -> f64 {
        self.roots_m.len() as f64 / self.clear.truths as f64
    }

    /// Adds another run.
    pub fn add(&mut self, other: &Score) {
        self.clear.add(&other.clear);
        self.identity.add(&other.identity);
        self.roots_m.extend(&other.roots_m);
        self.middles_m.extend(&other.middles_m);
        self.jitter.sum += other.jitter.sum;
        self.jitter.count += other.jitter.count;
        self.returns += other.returns;
        self.same_track += other.same_track;
        self.arrivals += other.arrivals;
        self.mistaken += other.mistaken;
        self.count.unknown += other.count.unknown;
        self.shown.unknown += other.shown.unknown;
        let sums = [
            (&mut self.roots_within_sigma[..], &other.roots_within_sigma[..]),
            (&mut self.empty, &other.empty),
            (&mut self.occupied, &other.occupied),
            (&mut self.count.by, &other.count.by),
            (&mut self.shown.by, &other.shown.by),
            (&mut self.gates, &other.gates),
        ];
        for (to, from) in sums {
            to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
        }
        self.keypoints.add(&other.keypoints);
        self.told.add(&other.told);
        self.postures.add(&other.postures);
        self.falls.add(&other.falls);
    }
}

/// Quantile of values, 0 to 1, by the nearest rank; not finite without one.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// A stretch in which somebody keeps still and has one track.
struct Stretch {
    since_s: f64,
    root_m: [f64; 2],
    track: u32,
    at_m: Vec<(f64, [f64; 3])>,
}

impl Stretch {
    fn finish(&self, out: &mut MeanSquare) {
        let last_s = self.at_m.last().map_or(self.since_s, |x| x.0);
        if last_s - self.since_s < STILL_S {
            return;
        }
        let kept: Vec<[f64; 3]> =
            self.at_m.iter().filter(|x| x.0 >= self.since_s + SETTLE_S).map(|x| x.1).collect();
        for k in 0..3 {
            let mean = kept.iter().map(|p| p[k]).sum::<f64>() / kept.len() as f64;
            out.sum += kept.iter().map(|p| (p[k] - mean) * (p[k] - mean)).sum::<f64>();
        }
        out.count += kept.len() as u64;
    }
}

#[derive(Default)]
struct Stills(BTreeMap<u32, Stretch>);

impl Stills {
    fn cycle(&mut self, cycle: &Cycle, pairs: &Pairs, out: &mut MeanSquare) {
        let mut going = BTreeMap::new();
        for (who, at) in pairs.truth.iter().zip(&pairs.nearest) {
            let Some(index) = *at else { continue };
            let track = pairs.shown[index].id;
            let fresh = || Stretch { since_s: cycle.t_s, root_m: who.plan_m, track, at_m: Vec::new() };
            let mut stretch = match self.0.remove(&who.id) {
                Some(s) if s.track == track && apart_m(s.root_m, who.plan_m) <= STILL_M => s,
                Some(s) => {
                    s.finish(out);
                    fresh()
                }
                None => fresh(),
            };
            stretch.at_m.push((cycle.t_s, cycle.people[index].position_m.map(f64::from)));
            going.insert(who.id, stretch);
        }
        // Whoever is left has no track any more.
        self.finish(out);
        self.0 = going;
    }

    fn finish(&mut self, out: &mut MeanSquare) {
        core::mem::take(&mut self.0).values().for_each(|s| s.finish(out));
    }
}

/// One person's last cycle there and last track, since when a return waits for its track, and since when an arrival does.
#[derive(Clone, Copy)]
struct Seen {
    t_s: f64,
    track: Option<u32>,
    waits: Option<f64>,
    arrived: Option<f64>,
}

#[derive(Default)]
struct Returns {
    people: BTreeMap<u32, Seen>,
    /// Each track's last person.
    owners: BTreeMap<u32, u32>,
}

impl Returns {
    fn cycle(&mut self, t_s: f64, pairs: &Pairs, out: &mut Score) {
        for (who, at) in pairs.truth.iter().zip(&pairs.nearest) {
            let track = at.map(|index| pairs.shown[index].id);
            let fresh = Seen { t_s, track: None, waits: None, arrived: Some(t_s) };
            let seen = self.people.entry(who.id).or_insert(fresh);
            // Cycles are 0.05 s apart: a longer step is an absence.
            let away_s = t_s - seen.t_s;
            if away_s >= 0.1 {
                seen.arrived = Some(t_s);
            }
            if (0.1..=ABSENCE_S).contains(&away_s) {
                out.returns += 1;
                seen.waits = Some(t_s);
            }
            if let (Some(since_s), Some(track)) = (seen.waits, track) {
                out.same_track += u64::from(t_s - since_s <= BACK_WITHIN_S && seen.track == Some(track));
                seen.waits = None;
            }
            if let (Some(since_s), Some(track)) = (seen.arrived, track) {
                let is_soon = t_s - since_s <= BACK_WITHIN_S;
                let is_anothers = self.owners.get(&track).is_some_and(|&owner| owner != who.id);
                out.arrivals += u64::from(is_soon);
                out.mistaken += u64::from(is_soon && is_anothers);
                seen.arrived = None;
            }
            *seen = Seen { t_s, track: track.or(seen.track), ..*seen };
        }
        for (who, at) in pairs.truth.iter().zip(&pairs.nearest) {
            self.owners.extend(at.map(|index| (pairs.shown[index].id, who.id)));
        }
    }
}

#[cfg(test)]
mod tests {
    //! Guards what is counted of cycles, on cycles that are made by hand.
    use super::*;
    use crate::room::testing::{empty_cycle, person, standing};
    use wavewitness_fixtures::TruthPose;
    use wavewitness_types::Person;

    fn cycle(k: u32, truth: Vec<TruthPose>, people: Vec<Person>) -> Cycle {
        let (count, present) = (u8::try_from(people.len()).ok(), Some(!people.is_empty()));
        Cycle { present, truth, people, count, ..empty_cycle(k) }
    }

    fn score(cycles: &[Cycle], from_s: f64) -> Score {
        Score::of(&Scene::mesh("a room of 6 by 5 m", 1), cycles, from_s)
    }

    #[test]
    fn an_empty_room_counts_ghosts_and_nothing_else() {
        let somebody = standing(1, [1.0, 1.0], 1.7);
        let ghost = person(1, &somebody, [0.0; 3], 0.1);
        let mut cycles: Vec<Cycle> = (0..10).map(|k| cycle(k, vec![], vec![])).collect();
        cycles[4].people = vec![ghost];
        cycles[4].present = Some(true);
        cycles[5].present = None;
        let all = score(&cycles, 0.0);
        assert_eq!((all.empty, all.occupied, all.clear.ghost_cycles), ([10, 1, 1, 1], [0, 0], 1));
        assert_eq!(all.roots_m, [0.0; 0]);
        // Scored from a time on: the ghost is before it.
        assert_eq!(score(&cycles, 0.25).empty, [5, 0, 0, 1]);
    }

    #[test]
    fn a_root_error_has_no_radius_and_a_person_who_is_not_published_has_none() {
        let truth = standing(1, [1.0, 2.5], 1.7);
        let shown = vec![person(5, &truth, [3.0, 4.0, 0.0], 3.5)];
        let cycles = [cycle(0, vec![truth], shown), cycle(1, vec![truth], vec![])];
        let found = score(&cycles, 0.0);
        assert_eq!((found.roots_m.len(), found.published(), found.clear.misses), (1, 0.5, 2));
        // Between mid-hip and centre of mass there are centimetres.
        assert!((found.roots_m[0] - 5.0).abs() < 0.06, "{:?}", found.roots_m);
        assert!((found.middles_m[0] - 2.0).abs() < 0.06);
        assert_eq!(found.roots_within_sigma, [1, 0, 1]);
    }

    #[test]
    fn counts_are_off_by_what_they_are_and_unknown_is_never_right() {
        let truth = [1, 2].map(|id| standing(id, [1.0 + f64::from(id), 2.0], 1.7));
        let mut cycles: Vec<Cycle> = (0..4).map(|k| cycle(k, truth.to_vec(), vec![])).collect();
        cycles.iter_mut().zip([Some(2), Some(3), Some(0), None]).for_each(|(c, n)| c.count = n);
        let found = score(&cycles, 0.0);
        assert_eq!((found.count.share(0, 0), found.count.share(-1, 1), found.count.unknown), (0.25, 0.5, 1));
        assert_eq!(found.shown.share(-2, -2), 1.0);
    }

    #[test]
    fn jitter_is_the_spread_of_a_still_person_and_not_the_offset_or_the_first_seconds() {
        let truth = standing(1, [3.0, 2.5], 1.7);
        // ±30 mm along x about 0.5 m off; at first it is a metre farther.
        let at = |k: u32| {
            if k < 30 {
                1.5
            } else if k.is_multiple_of(2) {
                0.53
            } else {
                0.47
            }
        };
        let cycles: Vec<Cycle> = (0..200)
            .map(|k| cycle(k, vec![truth], vec![person(5, &truth, [at(k), 0.0, 0.0], 0.1)]))
            .collect();
        let found = score(&cycles, 0.0);
        assert!((found.jitter.root() - 0.03).abs() < 1e-3, "{}", found.jitter.root());
        assert_eq!(found.jitter.count, 160);
        // Another track every four seconds: no stretch is long enough to judge.
        let cut: Vec<Cycle> =
            (0..200).map(|k| cycle(k, vec![truth], vec![person(k / 80, &truth, [0.0; 3], 0.1)])).collect();
        assert!(!score(&cut, 0.0).jitter.root().is_finite());
    }

    #[test]
    fn who_returns_has_the_same_track_or_another_one_or_one_too_late() {
        let truth = standing(1, [3.0, 2.5], 1.7);
        let run = |back_after: u32, track: u32, away: u32| {
            let cycles: Vec<Cycle> = (0..400)
                .map(|k| {
                    let shown = |id| vec![person(id, &truth, [0.0; 3], 0.1)];
                    match k {
                        0..100 => cycle(k, vec![truth], shown(5)),
                        _ if k < 100 + away => cycle(k, vec![], vec![]),
                        _ if k < 100 + away + back_after => cycle(k, vec![truth], vec![]),
                        _ => cycle(k, vec![truth], shown(track)),
                    }
                })
                .collect();
            let found = score(&cycles, 0.0);
            (found.same_track, found.returns)
        };
        assert_eq!(
            [run(20, 5, 80), run(20, 6, 80), run(120, 5, 80), run(20, 5, 140)],
            [(1, 1), (0, 1), (0, 1), (0, 0)]
        );
    }

    #[test]
    fn who_comes_in_under_another_s_track_is_mistaken() {
        let truth = [1, 2].map(|id| standing(id, [3.0, 2.5], 1.7));
        let run = |track: u32, late: u32| {
            let cycles: Vec<Cycle> = (0..400)
                .map(|k| match k {
                    0..100 => cycle(k, vec![truth[0]], vec![person(5, &truth[0], [0.0; 3], 0.1)]),
                    100..160 => cycle(k, vec![], vec![]),
                    _ if k < 160 + late => cycle(k, vec![truth[1]], vec![]),
                    _ => cycle(k, vec![truth[1]], vec![person(track, &truth[1], [0.0; 3], 0.1)]),
                })
                .collect();
            let found = score(&cycles, 0.0);
            (found.mistaken, found.arrivals)
        };
        assert_eq!([run(5, 20), run(6, 20), run(5, 120)], [(1, 2), (0, 2), (0, 1)]);
    }

    #[test]
    fn scores_of_seeds_add_up() {
        let truth = standing(1, [3.0, 2.5], 1.7);
        let cycles: Vec<Cycle> =
            (0..200).map(|k| cycle(k, vec![truth], vec![person(5, &truth, [0.3, 0.0, 0.0], 0.1)])).collect();
        let one = score(&cycles, 0.0);
        let mut two = one.clone();
        two.add(&one);
        assert_eq!((two.clear.cycles, two.roots_m.len(), two.keypoints.0[0].count), (400, 400, 400));
        assert_eq!((two.clear.mota(), two.identity.idf1()), (one.clear.mota(), one.identity.idf1()));
        assert_eq!(two.gates, [400, 0, 0, 0]);
        assert_eq!(quantile(&two.roots_m, 0.5), quantile(&one.roots_m, 0.5));
    }

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let values: Vec<f64> = (1..=10).rev().map(f64::from).collect();
        assert_eq!((quantile(&values, 0.5), quantile(&values, 0.9), quantile(&values, 0.0)), (5.0, 9.0, 1.0));
        assert!(!quantile(&[], 0.5).is_finite());
    }
}
