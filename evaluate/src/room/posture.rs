//! Posture classes and falls against the truth. Definitions: [`crate::room`].

use super::drive::Cycle;
use wavewitness_fixtures::body::Posture as Truth;
use wavewitness_types::{Posture, PostureClass};

/// A fall that is reported later than this after the body reached the floor is not found, seconds.
pub const FOUND_WITHIN_S: f64 = 10.0;
/// The bar's delay, seconds.
pub const SOON_S: f64 = 1.0;

/// What can be published of somebody: the classes, `unknown`, and nobody at all.
pub const COLUMNS: usize = PostureClass::COUNT + 2;
const UNKNOWN: usize = PostureClass::COUNT;
const NOBODY: usize = PostureClass::COUNT + 1;

/// Cycles × people by true class and by what is published of the person whom the assignment gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion(pub [[u64; COLUMNS]; PostureClass::COUNT]);

/// The class of the truth.
pub fn class(truth: Truth) -> PostureClass {
    match truth {
        Truth::Standing => PostureClass::Standing,
        Truth::Walking => PostureClass::Walking,
        Truth::Sitting => PostureClass::Sitting,
        Truth::Lying => PostureClass::Lying,
        Truth::Falling => PostureClass::Falling,
    }
}

impl Confusion {
    /// Takes somebody who is there in a cycle; `published` is `None` where nobody is.
    pub fn take(&mut self, truth: Truth, published: Option<&Posture>) {
        let column = match published {
            None => NOBODY,
            Some(Posture::Unknown(_)) => UNKNOWN,
            Some(Posture::Known { class, .. }) => *class as usize,
        };
        self.0[class(truth) as usize][column] += 1;
    }

    /// Share of a class's cycles in a column; not finite without any.
    pub fn share(&self, truth: PostureClass, column: usize) -> f64 {
        let row = &self.0[truth as usize];
        row[column] as f64 / row.iter().sum::<u64>() as f64
    }

    /// Whether a class was ever published.
    pub fn is_published(&self) -> bool {
        self.0.iter().any(|row| row[..UNKNOWN].iter().any(|&n| n > 0))
    }

    /// Adds another run.
    pub fn add(&mut self, other: &Confusion) {
        self.0.iter_mut().flatten().zip(other.0.iter().flatten()).for_each(|(a, b)| *a += b);
    }
}

/// Falls of a run; sums over runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Falls {
    /// True falls.
    pub truths: u64,
    /// Of these reported between their begin and [`FOUND_WITHIN_S`] after the floor: from the floor to the first message that
    /// reports them, seconds (negative: before).
    pub delays_s: Vec<f64>,
    /// Reports that belong to no true fall.
    pub false_alarms: u64,
    /// Cycles.
    pub cycles: u64,
    /// Of these, with falls watched.
    pub watched: u64,
}

/// A true fall: from its begin until the body is on the floor, seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct TrueFall {
    person: u32,
    begin_s: f64,
    floor_s: f64,
}

impl Falls {
    /// Of the cycles of a run.
    pub fn of(cycles: &[Cycle]) -> Falls {
        let falls = true_falls(cycles);
        let mut out = Falls {
            truths: falls.len() as u64,
            cycles: cycles.len() as u64,
            watched: cycles.iter().filter(|c| c.watched).count() as u64,
            ..Falls::default()
        };
        // When each report was first published. What stands at the beginning is older.
        let changes = cycles.windows(2).filter(|w| w[1].fall.is_some() && w[1].fall != w[0].fall);
        let reports: Vec<f64> = changes.map(|w| w[1].t_s).collect();
        let belongs = |t_s: f64, f: &TrueFall| (f.begin_s..=f.floor_s + FOUND_WITHIN_S).contains(&t_s);
        for fall in &falls {
            let first = reports.iter().find(|&&t_s| belongs(t_s, fall));
            out.delays_s.extend(first.map(|t_s| t_s - fall.floor_s));
        }
        let alarms = reports.iter().filter(|&&t_s| !falls.iter().any(|f| belongs(t_s, f)));
        out.false_alarms = alarms.count() as u64;
        out
    }

    /// Share of the true falls that were reported at most [`SOON_S`] after the floor; not finite without a fall.
    pub fn soon(&self) -> f64 {
        self.delays_s.iter().filter(|&&d| d <= SOON_S).count() as f64 / self.truths as f64
    }

    /// False alarms per ten hours; not finite if nothing was watched.
    pub fn false_per_ten_hours(&self, cycle_s: f64) -> f64 {
        self.false_alarms as f64 / (self.watched as f64 * cycle_s / 36_000.0)
    }

    /// Adds another run.
    pub fn add(&mut self, other: &Falls) {
        let Falls { truths, delays_s, false_alarms, cycles, watched } = other;
        self.truths += truths;
        self.delays_s.extend(delays_s);
        self.false_alarms += false_alarms;
        self.cycles += cycles;
        self.watched += watched;
    }
}

fn true_falls(cycles: &[Cycle]) -> Vec<TrueFall> {
    let mut going: Vec<TrueFall> = Vec::new();
    let mut out = Vec::new();
    for cycle in cycles {
        for who in &cycle.truth {
            let index = going.iter().position(|f| f.person == who.id);
            match (who.posture, index) {
                (Truth::Falling, None) => {
                    going.push(TrueFall { person: who.id, begin_s: cycle.t_s, floor_s: cycle.t_s });
                }
                (Truth::Falling, Some(_)) | (_, None) => {}
                (_, Some(index)) => {
                    out.push(TrueFall { floor_s: cycle.t_s, ..going.swap_remove(index) });
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    //! Guards the counting on cycles that are made by hand.
    use super::*;
    use crate::room::testing::{empty_cycle, standing};
    use wavewitness_types::{NoPosture, Timestamp};

    /// Somebody falls from 3 to 3.7 s and lies.
    fn cycles() -> Vec<Cycle> {
        (0..600)
            .map(|k| {
                let mut cycle = empty_cycle(k);
                let mut who = standing(1, [3.0, 2.5], 1.7);
                who.posture = match cycle.t_s {
                    t if t < 3.0 => Truth::Standing,
                    t if t < 3.7 => Truth::Falling,
                    _ => Truth::Lying,
                };
                cycle.truth = vec![who];
                cycle.watched = true;
                cycle
            })
            .collect()
    }

    fn report(cycles: &mut [Cycle], from_s: f64, name: u64) {
        cycles.iter_mut().filter(|c| c.t_s >= from_s).for_each(|c| c.fall = Some(Timestamp(name)));
    }

    #[test]
    fn a_fall_is_found_once_with_the_delay_of_its_first_message() {
        let mut run = cycles();
        report(&mut run, 4.2, 1);
        report(&mut run, 5.0, 2);
        let falls = Falls::of(&run);
        assert_eq!((falls.truths, falls.false_alarms, falls.delays_s.len()), (1, 0, 1));
        assert!((falls.delays_s[0] - 0.5).abs() < 0.06 && falls.soon() == 1.0, "{:?}", falls.delays_s);
        let mut late = cycles();
        report(&mut late, 5.5, 1);
        assert_eq!((Falls::of(&late).soon(), Falls::of(&late).delays_s.len()), (0.0, 1));
    }

    #[test]
    fn a_report_without_a_fall_is_false_and_an_old_one_is_none() {
        let mut run = cycles();
        report(&mut run, 0.0, 1);
        report(&mut run, 1.0, 2);
        report(&mut run, 25.0, 3);
        let falls = Falls::of(&run);
        assert_eq!((falls.false_alarms, falls.delays_s.len(), falls.soon()), (2, 0, 0.0));
        assert!((falls.false_per_ten_hours(0.05) - 2.0 * 1200.0).abs() < 1e-9);
    }

    #[test]
    fn who_does_not_watch_has_neither_found_nor_cried_wolf() {
        let mut run = cycles();
        run.iter_mut().for_each(|c| c.watched = false);
        let falls = Falls::of(&run);
        assert_eq!((falls.truths, falls.watched, falls.soon()), (1, 0, 0.0));
        assert!(!falls.false_per_ten_hours(0.05).is_finite());
    }

    #[test]
    fn unknown_and_nobody_have_columns_of_their_own() {
        let mut table = Confusion::default();
        let known = |class| Posture::Known { class, probability: [0.2; 5] };
        table.take(Truth::Sitting, Some(&known(PostureClass::Standing)));
        table.take(Truth::Sitting, Some(&Posture::Unknown(NoPosture::Undecided)));
        assert!(table.is_published());
        table.take(Truth::Sitting, None);
        table.take(Truth::Sitting, None);
        let shares: Vec<f64> = (0..COLUMNS).map(|c| table.share(PostureClass::Sitting, c)).collect();
        assert_eq!(shares, [0.25, 0.0, 0.0, 0.0, 0.0, 0.25, 0.5]);
        assert!(!table.share(PostureClass::Lying, 0).is_finite());
    }
}
