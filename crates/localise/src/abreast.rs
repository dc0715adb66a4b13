//! Readings of many paths, side by side: how likely a place is by eight of them is computed at once.

use crate::MAX_PATHS;
use crate::feature::{ENTRIES, SHAPES, SIGNALS, entry};
use crate::path::Path;
use crate::shade::{FREEDOM, PARTS, Reading, SHAPE_FLOOR, STRENGTH_FLOOR, Shadow, trust_of};
use wavewitness_num::math;

const ABREAST: usize = 8;
/// No greater one counts in the determinant: five of them are finite.
const MOST_PIVOT: f32 = 1e7;
type Lanes = [f32; ABREAST];

/// What is new of all paths, and what everybody else makes of it.
#[derive(Clone, Debug)]
pub(crate) struct Readings(Vec<Eight>);

/// Of up to eight paths; where there are fewer the rest has no power.
#[derive(Clone, Debug)]
struct Eight {
    count: usize,
    paths: [usize; ABREAST],
    /// Signals less the means of everybody else.
    signals: [Lanes; SIGNALS],
    /// Of everybody else, with what nothing explains.
    others: [Lanes; ENTRIES + 1],
    power: Lanes,
    /// Of the shapes, over that.
    shapes: Lanes,
    /// Sum of what is said of whether somebody is there.
    trust: f64,
}

impl Eight {
    fn none() -> Eight {
        let mut others = [[0.0; ABREAST]; ENTRIES + 1];
        for k in 0..SHAPES {
            others[entry(k, k)] = [SHAPE_FLOOR; ABREAST];
        }
        others[ENTRIES] = [STRENGTH_FLOOR; ABREAST];
        let signals = [[0.0; ABREAST]; SIGNALS];
        Eight {
            count: 0,
            paths: [0; ABREAST],
            signals,
            others,
            power: [0.0; ABREAST],
            shapes: [0.0; ABREAST],
            trust: 0.0,
        }
    }

    /// The first of them.
    fn of(path: usize, reading: &Reading, other: &Shadow) -> Eight {
        let mut eight = Eight::none();
        eight.put(path, reading, other);
        eight
    }

    /// Another one; there are fewer than eight.
    fn put(&mut self, path: usize, reading: &Reading, other: &Shadow) {
        let (lane, parts) = (self.count, other.parts());
        (self.paths[lane], self.power[lane]) = (path, reading.power as f32);
        self.shapes[lane] = reading.shapes as f32;
        self.trust += reading.trust;
        for (lanes, part) in self.others.iter_mut().zip(parts) {
            lanes[lane] += part;
        }
        for (q, lanes) in self.signals.iter_mut().enumerate() {
            lanes[lane] = reading.signals[q] - parts[ENTRIES + 1 + q];
        }
        self.count += 1;
    }
}

impl Readings {
    /// All memory is taken here.
    pub fn new() -> Readings {
        Readings(Vec::with_capacity(MAX_PATHS.div_ceil(ABREAST)))
    }

    /// Takes what is new of the paths. True if anything is.
    pub fn gather(&mut self, paths: &[Path], others: &[Shadow]) -> bool {
        self.0.clear();
        for (k, (path, other)) in paths.iter().zip(others).enumerate() {
            if path.reading.power <= 0.0 {
                continue;
            }
            match self.0.last_mut() {
                Some(eight) if eight.count < ABREAST => eight.put(k, &path.reading, other),
                _ => self.0.push(Eight::of(k, &path.reading, other)),
            }
        }
        !self.0.is_empty()
    }

    /// What their likelihoods are to be trusted of whether somebody is there: all, where the phases are well known.
    pub fn trust(&self) -> f64 {
        let count: usize = self.0.iter().map(|eight| eight.count).sum();
        let trust: f64 = self.0.iter().map(|eight| eight.trust).sum();
        trust_of(trust, count)
    }

    /// Log-likelihood of all of them with nobody else, but for the same constant.
    pub fn ln_nobody(&self) -> f64 {
        self.0.iter().map(|eight| weigh(eight, &[[0.0; ABREAST]; PARTS])).sum()
    }

    /// Log-likelihood of all of them with somebody in a cell, but for a constant.
    pub fn ln_likelihood(&self, paths: &[Path], cell: usize) -> f64 {
        let mut total = 0.0;
        for eight in &self.0 {
            let mut parts = [[0.0; ABREAST]; PARTS];
            for (lane, &k) in eight.paths[..eight.count].iter().enumerate() {
                for (lanes, part) in parts.iter_mut().zip(paths[k].shade.in_cell(cell).parts()) {
                    lanes[lane] = part;
                }
            }
            total += weigh(eight, &parts);
        }
        total
    }
}

/// See `Shadow::ln_likelihood`, which is the same in double precision for one path.
fn weigh(eight: &Eight, parts: &[Lanes; PARTS]) -> f64 {
    let mut logs = [0.0; ABREAST];
    for lane in 0..ABREAST {
        let s = |k: usize| parts[k][lane] + eight.others[k][lane];
        let y = |k: usize| eight.signals[k][lane] - parts[ENTRIES + 1 + k][lane];
        // C = L D Lᵀ: `rows` are of L. Pivots are at least what nothing explains, but for rounding.
        let (mut rows, mut z) = ([[0.0; SHAPES]; SHAPES], [0.0; SHAPES]);
        let (mut pivots, mut inverses) = ([0.0; SHAPES], [0.0; SHAPES]);
        let (mut shape, mut determinant) = (0.0, 1.0);
        for k in 0..SHAPES {
            (pivots[k], z[k]) = (s(entry(k, k)), y(k));
            for q in 0..k {
                let mut part = s(entry(k, q));
                for p in 0..q {
                    part -= rows[k][p] * pivots[p] * rows[q][p];
                }
                rows[k][q] = part * inverses[q];
                pivots[k] -= part * rows[k][q];
                z[k] -= rows[k][q] * z[q];
            }
            pivots[k] = math::max_f32(pivots[k], SHAPE_FLOOR);
            inverses[k] = 1.0 / pivots[k];
            shape += z[k] * z[k] * inverses[k];
            determinant *= math::min_f32(pivots[k], MOST_PIVOT);
        }
        let variance = s(ENTRIES);
        let off = y(SHAPES);
        let t = |quadratic: f32, count: usize| {
            (count as f32 + FREEDOM) * math::ln_short_f32(1.0 + quadratic / FREEDOM)
        };
        let shapes = math::ln_short_f32(determinant) + t(shape, SHAPES);
        let strengths = math::ln_short_f32(variance) + t(off * off / variance, 1);
        logs[lane] = -0.5 * eight.power[lane] * (eight.shapes[lane] * shapes + strengths);
    }
    logs.iter().map(|&log| f64::from(log)).sum()
}

#[cfg(test)]
mod tests {
    //! Guards that eight at once are one after the other, and that readings say that somebody is there once phases are known.
    use super::*;
    use crate::sequence::Sequence;
    use crate::shade::trust;

    /// Nine paths, trusted so much.
    fn gathered(trust: f64) -> Readings {
        let mut path = Path::along_a_wall();
        path.reading = Reading { signals: [9.0; SIGNALS], new: 1.0, power: 1.0, shapes: 0.4, trust };
        let (mut readings, others) = (Readings::new(), [Shadow::none(); 9]);
        assert!(readings.gather(&vec![path; 9], &others));
        readings
    }

    #[test]
    fn readings_are_trusted_once_phases_are_known() {
        let trusted = |known, is_wide| gathered(trust(known, is_wide)).trust();
        for (is_wide, none, all) in [(false, 0.5, 0.6), (true, 0.2, 0.3)] {
            assert_eq!([trusted(0.0, is_wide), trusted(0.9, is_wide)], [0.0, 1.0]);
            for (known, expected) in [(none, 0.0), (0.5 * (none + all), 0.5), (all, 1.0)] {
                assert!((trusted(known, is_wide) - expected).abs() < 1e-9, "{known}, wide: {is_wide}");
            }
        }
        assert_eq!(Readings::new().trust(), 0.0);
    }

    #[test]
    fn loud_readings_are_not_explained_by_nobody() {
        let readings = gathered(0.9);
        let loud = Shadow::drawn(&mut Sequence::new());
        let explained: f64 =
            readings.0.iter().map(|eight| weigh(eight, &loud.parts().map(|part| [part; ABREAST]))).sum();
        assert!(explained > readings.ln_nobody() + 10.0, "{explained}, {}", readings.ln_nobody());
    }

    #[test]
    fn side_by_side_is_the_sum_of_each() {
        let mut sequence = Sequence::new();
        for count in 1..=ABREAST {
            let mut eight = Eight::none();
            let mut parts = [[0.0; ABREAST]; PARTS];
            let mut expected = 0.0;
            for lane in 0..count {
                let (one, other) = (Shadow::drawn(&mut sequence), Shadow::drawn(&mut sequence));
                let signals = [0; SIGNALS].map(|_| (10.0 * sequence.normal()) as f32);
                let power = sequence.uniform();
                let reading = Reading { signals, power, ..Reading::default() };
                eight.put(lane, &reading, &other);
                for (lanes, part) in parts.iter_mut().zip(one.parts()) {
                    lanes[lane] = part;
                }
                expected += one.ln_likelihood(&other, &reading);
            }
            let found = weigh(&eight, &parts);
            assert!((found - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{found} for {expected}");
        }
    }
}
