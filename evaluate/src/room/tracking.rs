//! CLEAR-MOT and IDF1 over points in plan. Definitions and sources: [`crate::room`].

use super::assign::assign;
use std::collections::BTreeMap;
use wavewitness_num::math;

/// A match is within this distance in plan, metres.
pub const RADIUS_M: f64 = 1.0;
/// Above any distance: a pair that may not be matched.
const FORBIDDEN: f64 = 1e6;

/// Somebody, or a published person, at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At {
    /// Who.
    pub id: u32,
    /// Where, metres.
    pub plan_m: [f64; 2],
}

/// Distance in plan, metres.
pub fn apart_m(a: [f64; 2], b: [f64; 2]) -> f64 {
    math::hypot(a[0] - b[0], a[1] - b[1])
}

/// For each true person the published one such that the sum of distances is least; no radius.
pub fn nearest(truth: &[At], shown: &[At]) -> Vec<Option<usize>> {
    let cost: Vec<Vec<f64>> =
        truth.iter().map(|t| shown.iter().map(|s| apart_m(t.plan_m, s.plan_m)).collect()).collect();
    assign(&cost)
}

/// Counts of CLEAR-MOT; sums over runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clear {
    /// Cycles.
    pub cycles: u64,
    /// People there, over all cycles.
    pub truths: u64,
    /// Matches.
    pub matches: u64,
    /// People without a match.
    pub misses: u64,
    /// Published people without a match.
    pub false_positives: u64,
    /// Matches with another track than the person's last one.
    pub switches: u64,
    /// Of these, with a track that was somebody else's.
    pub swaps: u64,
    /// Cycles with more people published than there are.
    pub ghost_cycles: u64,
    /// Sum of the distances of matches, metres.
    pub distance_m: f64,
}

impl Clear {
    /// Multiple object tracking accuracy: 1 at best, below 0 where errors outnumber people; not finite without people.
    pub fn mota(&self) -> f64 {
        1.0 - (self.misses + self.false_positives + self.switches) as f64 / self.truths as f64
    }

    /// Mean distance of matches in metres; not finite without one.
    pub fn motp_m(&self) -> f64 {
        self.distance_m / self.matches as f64
    }

    /// Adds another run.
    pub fn add(&mut self, other: &Clear) {
        let Clear {
            cycles,
            truths,
            matches,
            misses,
            false_positives,
            switches,
            swaps,
            ghost_cycles,
            distance_m,
        } = other;
        self.cycles += cycles;
        self.truths += truths;
        self.matches += matches;
        self.misses += misses;
        self.false_positives += false_positives;
        self.switches += switches;
        self.swaps += swaps;
        self.ghost_cycles += ghost_cycles;
        self.distance_m += distance_m;
    }
}

/// Counts of Ristani's measures; sums over runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Cycles in which a person is where the one track is that stands for the person.
    pub true_positives: u64,
    /// People there, over all cycles.
    pub truths: u64,
    /// People published, over all cycles.
    pub shown: u64,
}

impl Identity {
    /// 2·IDTP / (2·IDTP + IDFP + IDFN), whose denominator is all people there and all published.
    pub fn idf1(&self) -> f64 {
        2.0 * self.true_positives as f64 / (self.truths + self.shown) as f64
    }

    /// Adds another run.
    pub fn add(&mut self, other: &Identity) {
        let Identity { true_positives, truths, shown } = other;
        self.true_positives += true_positives;
        self.truths += truths;
        self.shown += shown;
    }
}

/// One run, cycle by cycle.
#[derive(Clone, Debug, Default)]
pub struct Tracking {
    clear: Clear,
    /// The pairs of the cycle before, by person.
    pairs: BTreeMap<u32, u32>,
    /// Each person's last track, and each track's last person.
    last_track: BTreeMap<u32, u32>,
    last_person: BTreeMap<u32, u32>,
    /// Cycles within the radius, by person and track.
    overlap: BTreeMap<(u32, u32), u64>,
    shown: u64,
}

impl Tracking {
    /// Takes a cycle.
    pub fn cycle(&mut self, truth: &[At], shown: &[At]) {
        for (t, s) in truth.iter().flat_map(|t| shown.iter().map(move |s| (t, s))) {
            if apart_m(t.plan_m, s.plan_m) <= RADIUS_M {
                *self.overlap.entry((t.id, s.id)).or_default() += 1;
            }
        }
        let pairs = self.matches(truth, shown);
        self.clear.cycles += 1;
        self.clear.truths += truth.len() as u64;
        self.shown += shown.len() as u64;
        self.clear.matches += pairs.len() as u64;
        self.clear.misses += (truth.len() - pairs.len()) as u64;
        self.clear.false_positives += (shown.len() - pairs.len()) as u64;
        self.clear.ghost_cycles += u64::from(shown.len() > truth.len());
        for &(person, track, distance_m) in &pairs {
            self.clear.distance_m += distance_m;
            if self.last_track.insert(person, track).is_some_and(|last| last != track) {
                self.clear.switches += 1;
                self.clear.swaps += u64::from(self.last_person.get(&track).is_some_and(|&p| p != person));
            }
        }
        self.last_person.extend(pairs.iter().map(|&(person, track, _)| (track, person)));
        self.pairs = pairs.into_iter().map(|(person, track, _)| (person, track)).collect();
    }

    /// Person, track and distance of every match.
    fn matches(&self, truth: &[At], shown: &[At]) -> Vec<(u32, u32, f64)> {
        let mut out = Vec::new();
        let kept = |t: &At| {
            let track = self.pairs.get(&t.id)?;
            let s = shown.iter().find(|s| s.id == *track)?;
            Some((t.id, s.id, apart_m(t.plan_m, s.plan_m))).filter(|pair| pair.2 <= RADIUS_M)
        };
        out.extend(truth.iter().filter_map(kept));
        let people: Vec<&At> = truth.iter().filter(|t| out.iter().all(|o| o.0 != t.id)).collect();
        let tracks: Vec<&At> = shown.iter().filter(|s| out.iter().all(|o| o.1 != s.id)).collect();
        let allowed = |m: f64| if m <= RADIUS_M { m } else { FORBIDDEN };
        let cost: Vec<Vec<f64>> = people
            .iter()
            .map(|t| tracks.iter().map(|s| allowed(apart_m(t.plan_m, s.plan_m))).collect())
            .collect();
        for (row, column) in assign(&cost).into_iter().enumerate() {
            if let Some(c) = column.filter(|&c| cost[row][c] <= RADIUS_M) {
                out.push((people[row].id, tracks[c].id, cost[row][c]));
            }
        }
        out
    }

    /// The counts so far.
    pub fn clear(&self) -> Clear {
        self.clear
    }

    /// The identity counts so far: one track for each person such that the agreement is greatest.
    pub fn identity(&self) -> Identity {
        let unique = |pick: fn(&(u32, u32)) -> u32| {
            let mut ids: Vec<u32> = self.overlap.keys().map(pick).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let (people, tracks) = (unique(|k| k.0), unique(|k| k.1));
        let agreement = |p: u32, t: u32| self.overlap.get(&(p, t)).copied().unwrap_or(0);
        let cost: Vec<Vec<f64>> =
            people.iter().map(|&p| tracks.iter().map(|&t| -(agreement(p, t) as f64)).collect()).collect();
        let chosen = assign(&cost).into_iter().enumerate();
        Identity {
            true_positives: chosen.filter_map(|(row, c)| Some(agreement(people[row], tracks[c?]))).sum(),
            truths: self.clear.truths,
            shown: self.shown,
        }
    }
}

#[cfg(test)]
mod tests {
    //! Guards the measures on sequences whose values are counted by hand.
    use super::*;

    fn at(id: u32, x: f64) -> At {
        At { id, plan_m: [x, 0.0] }
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn perfect_tracks_are_perfect_and_no_tracks_are_nothing() {
        let (mut perfect, mut nothing) = (Tracking::default(), Tracking::default());
        for k in 0..10 {
            let people = [at(1, f64::from(k)), at(2, 20.0)];
            perfect.cycle(&people, &[at(71, f64::from(k)), at(72, 20.0)]);
            nothing.cycle(&people, &[]);
        }
        assert_eq!(
            (perfect.clear().mota(), perfect.identity().idf1(), perfect.clear().motp_m()),
            (1.0, 1.0, 0.0)
        );
        assert_eq!((nothing.clear().mota(), nothing.identity().idf1()), (0.0, 0.0));
        assert!(!nothing.clear().motp_m().is_finite());
    }

    #[test]
    fn two_tracks_that_change_places_are_two_swaps() {
        let mut run = Tracking::default();
        for k in 0..10 {
            let (a, b) = if k < 6 { (71, 72) } else { (72, 71) };
            run.cycle(&[at(1, 0.0), at(2, 5.0)], &[at(a, 0.1), at(b, 5.3)]);
        }
        let (clear, identity) = (run.clear(), run.identity());
        assert_eq!((clear.switches, clear.swaps, clear.misses, clear.false_positives), (2, 2, 0, 0));
        assert!(close(clear.mota(), 1.0 - 2.0 / 20.0));
        assert!(close(clear.motp_m(), 0.2));
        // Each person's best track agrees in six of ten cycles.
        assert!(close(identity.idf1(), 2.0 * 12.0 / 40.0));
    }

    #[test]
    fn a_new_track_after_a_gap_is_a_switch_and_no_swap() {
        let mut run = Tracking::default();
        for k in 0..10 {
            let shown = match k {
                0..=3 => vec![at(71, 0.0)],
                4..=5 => vec![],
                _ => vec![at(80, 0.0)],
            };
            run.cycle(&[at(1, 0.0)], &shown);
        }
        let clear = run.clear();
        assert_eq!((clear.switches, clear.swaps, clear.misses), (1, 0, 2));
        assert!(close(clear.mota(), 1.0 - 3.0 / 10.0));
        // Track 71 has 4 cycles, 80 has 4: either is one person's.
        assert!(close(run.identity().idf1(), 2.0 * 4.0 / 18.0));
    }

    #[test]
    fn far_off_is_a_miss_and_a_false_positive_but_a_ghost_only_beyond_the_count() {
        let mut run = Tracking::default();
        run.cycle(&[at(1, 0.0)], &[at(71, 1.0)]);
        run.cycle(&[at(1, 0.0)], &[at(71, 1.01)]);
        run.cycle(&[at(1, 0.0)], &[at(71, 0.5), at(72, 9.0)]);
        run.cycle(&[], &[at(72, 9.0)]);
        let clear = run.clear();
        assert_eq!((clear.matches, clear.misses, clear.false_positives, clear.ghost_cycles), (2, 1, 3, 2));
        assert!(close(clear.motp_m(), 0.75));
        assert!(close(clear.mota(), 1.0 - 4.0 / 3.0));
    }

    #[test]
    fn a_pair_stays_while_it_is_within_the_radius_though_another_is_nearer() {
        let mut run = Tracking::default();
        run.cycle(&[at(1, 0.0)], &[at(71, 0.0)]);
        run.cycle(&[at(1, 0.0)], &[at(71, 0.9), at(72, 0.0)]);
        assert_eq!((run.clear().switches, run.clear().false_positives), (0, 1));
        run.cycle(&[at(1, 0.0)], &[at(71, 1.1), at(72, 0.0)]);
        assert_eq!(run.clear().switches, 1);
    }

    #[test]
    fn the_nearest_assignment_has_no_radius_and_leaves_out_the_farther() {
        assert_eq!(nearest(&[at(1, 0.0), at(2, 3.0)], &[at(71, 9.0)]), vec![None, Some(0)]);
        assert_eq!(nearest(&[at(1, 0.0)], &[at(71, 9.0), at(72, 8.0)]), vec![Some(1)]);
        assert_eq!(nearest(&[at(1, 0.0), at(2, 3.0)], &[at(71, 4.0), at(72, -2.0)]), vec![Some(1), Some(0)]);
    }
}
