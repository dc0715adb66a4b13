//! What all paths say in a cycle, and what is remembered of that.

use crate::path::{LAGS, Reading};
use wavewitness_num::math;

/// Cycles that are remembered: 6 s.
pub(crate) const MEMORY: usize = 120;
/// Length of a cycle that the memory is made for.
const CYCLE_NS: u64 = 50_000_000;
/// After a longer gap nothing of what was before counts, cycles: 1 s.
const LONGEST_GAP: u64 = 20;
/// Newest cycles that falls are told from: 3 s.
const WATCHED: usize = 60;
/// Of these so many may be missed or poorly heard before falls are not watched: chance takes one now and then.
const MOST_UNSTEADY: usize = 2;
/// Paths below which a cycle says nothing.
const LEAST_PATHS: u32 = 3;
/// Least squared difference, in units of what noise makes of it.
const LEAST_CHANGE: f64 = 0.1;
/// Least squared departure, in the same units.
const LEAST_LEVEL: f64 = 0.3;
/// Lags that are used: a quarter of a cycle to three of them apart, one cycle, three to six.
pub(crate) const USED_LAGS: [usize; 3] = [0, 2, 4];
/// Blocks of cycles, from how long ago to how long ago.
const BLOCKS: [[usize; 2]; 7] = [[0, 6], [6, 12], [12, 18], [18, 24], [24, 30], [30, 60], [60, 120]];
/// Of each block: of each lag, in the mean and typically.
const OF_BLOCK: usize = 2 * USED_LAGS.len();
/// Of [`Look::change`], that over one cycle.
const CYCLE_LAG: usize = 2;
/// Departures so many cycles ago, in the mean and typically.
const DEPARTURES: [usize; 5] = [0, 12, 24, 59, 119];
/// Numbers of a room's motion and departure over the last seconds.
pub const FEATURES: usize = OF_BLOCK * BLOCKS.len() + 2 * DEPARTURES.len();

/// All paths' mean in a cycle, in units of the noise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// Mean squared difference of two frames of a path, by the time between them (4, 19, 38, 75, 150 to 300 ms), less noise.
    pub change: [f64; LAGS],
    /// Squared mean departure from the empty room's channel over half a second, less noise.
    pub departure: f64,
    /// Mean over the paths of the logarithm of each one's own change over its noise (at least 0.1): what most paths
    /// show, where [`Look::change`] is what the nearest do.
    pub typical_change: [f64; LAGS],
    /// The same of the departures (at least 0.3).
    pub typical_departure: f64,
    /// Whether enough paths said so.
    pub is_known: bool,
    /// Whether more than half of the paths were heard in this cycle, and hardly any had frames that arrived together though they were
    /// sent apart.
    pub is_steady: bool,
}

impl Look {
    /// No path said anything.
    pub const NOTHING: Look = Look {
        change: [0.0; LAGS],
        departure: 0.0,
        typical_change: [0.0; LAGS],
        typical_departure: 0.0,
        is_known: false,
        is_steady: false,
    };
}

/// Adds paths up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    change: [f64; LAGS],
    changes: [u32; LAGS],
    departure: f64,
    noise: f64,
    ln_change: [f64; LAGS],
    ln_departure: f64,
    paths: u32,
    heard: u32,
    crowded: u32,
}

impl Sum {
    pub fn add(&mut self, reading: &Reading) {
        let Some(level) = reading.level else { return };
        for (k, change) in reading.change.iter().enumerate() {
            if let Some(change) = change {
                self.change[k] += change;
                self.changes[k] += 1;
                self.ln_change[k] += ln_ratio(*change, reading.noise, LEAST_CHANGE);
            }
        }
        self.departure += level;
        // Of a path, noise is that of a difference of two frames; a departure's is half of it.
        self.ln_departure += ln_ratio(level, reading.noise, LEAST_LEVEL);
        self.heard += u32::from(reading.heard);
        self.crowded += u32::from(reading.crowded);
        self.noise += reading.noise;
        self.paths += 1;
    }

    /// The mean; a lag without a pair in this cycle takes the last cycle's.
    pub fn look(&self, last: &Look) -> Look {
        if self.paths < LEAST_PATHS || self.noise <= 0.0 {
            return Look::default();
        }
        let noise = self.noise / f64::from(self.paths);
        let mut out = Look {
            departure: self.departure / self.noise,
            typical_departure: self.ln_departure / f64::from(self.paths),
            is_known: true,
            is_steady: 2 * self.heard > self.paths && 4 * self.crowded <= self.paths,
            ..*last
        };
        for k in 0..LAGS {
            if self.changes[k] > 0 {
                let paths = f64::from(self.changes[k]);
                out.change[k] = self.change[k] / paths / noise;
                out.typical_change[k] = self.ln_change[k] / paths;
            }
        }
        out
    }
}

/// Logarithm of a ratio, or of the least that counts.
fn ln_ratio(value: f64, noise: f64, least: f64) -> f64 {
    // A path without noise has no frames.
    if noise > 0.0 { math::ln(math::max_f64(value / noise, least)) } else { math::ln(least) }
}

/// The newest looks; the newest at the end.
#[derive(Clone, Debug)]
pub struct History {
    looks: [Look; MEMORY],
    /// Known looks in a row, at most [`MEMORY`].
    known: usize,
}

impl History {
    /// Nothing seen.
    pub fn new() -> History {
        History { looks: [Look::default(); MEMORY], known: 0 }
    }

    /// Takes the look of a cycle that ends so long after the last one. Where cycles were missed between them it stands for these,
    /// too: the memory is one of time, not of cycles.
    pub fn push(&mut self, look: Look, since_ns: u64) {
        let cycles = since_ns.saturating_add(CYCLE_NS / 2) / CYCLE_NS;
        if cycles > LONGEST_GAP {
            self.known = 0;
        } else {
            for _ in 1..cycles {
                self.take(Look { is_steady: false, ..look });
            }
        }
        self.take(look);
    }

    fn take(&mut self, look: Look) {
        self.looks.copy_within(1.., 0);
        self.looks[MEMORY - 1] = look;
        self.known = if look.is_known { (self.known + 1).min(MEMORY) } else { 0 };
    }

    /// Whether hardly a cycle of the last seconds was missed, or heard poorly or at once. Otherwise what looks like fast
    /// motion and its end may be nothing but that.
    pub fn is_steady(&self) -> bool {
        let newest = &self.looks[MEMORY - WATCHED..];
        newest.iter().filter(|look| !look.is_steady).count() <= MOST_UNSTEADY
    }

    pub(crate) fn newest(&self) -> &Look {
        &self.looks[MEMORY - 1]
    }

    /// Whether every look of the memory is known.
    pub fn is_full(&self) -> bool {
        self.known == MEMORY
    }

    /// Mean change over a cycle's time, in the newest block.
    pub fn newest_change(&self) -> f64 {
        let [from, until] = BLOCKS[0];
        let mut total = 0.0;
        for look in &self.looks[MEMORY - until..MEMORY - from] {
            total += look.change[CYCLE_LAG];
        }
        total / (until - from) as f64
    }

    /// Logarithms, block by block: of the mean change at each lag, and of the typical one; then of the mean and of the typical
    /// departures.
    pub fn features(&self) -> [f64; FEATURES] {
        let mut out = [0.0; FEATURES];
        for (k, [from, until]) in BLOCKS.into_iter().enumerate() {
            let block = &self.looks[MEMORY - until..MEMORY - from];
            for (j, lag) in USED_LAGS.into_iter().enumerate() {
                let (mut total, mut typical) = (0.0, 0.0);
                for look in block {
                    total += look.change[lag];
                    typical += look.typical_change[lag];
                }
                let n = block.len() as f64;
                let at = OF_BLOCK * k + j;
                out[at] = math::ln(math::max_f64(total / n, LEAST_CHANGE));
                out[at + USED_LAGS.len()] = typical / n;
            }
        }
        for (k, ago) in DEPARTURES.into_iter().enumerate() {
            let look = &self.looks[MEMORY - 1 - ago];
            let at = OF_BLOCK * BLOCKS.len() + 2 * k;
            out[at] = math::ln(math::max_f64(look.departure, LEAST_LEVEL));
            out[at + 1] = look.typical_departure;
        }
        out
    }
}

/// Features with zero for those of the older half of the memory.
pub fn recent(features: &[f64; FEATURES]) -> [f64; FEATURES] {
    let mut out = *features;
    for (k, [_, until]) in BLOCKS.into_iter().enumerate() {
        if until > WATCHED {
            out[OF_BLOCK * k..OF_BLOCK * (k + 1)].fill(0.0);
        }
    }
    for (k, ago) in DEPARTURES.into_iter().enumerate() {
        if ago >= WATCHED {
            let at = OF_BLOCK * BLOCKS.len() + 2 * k;
            out[at..at + 2].fill(0.0);
        }
    }
    out
}

impl Default for History {
    fn default() -> History {
        History::new()
    }
}
