//! What all paths say in a cycle, and what is remembered of that.

use crate::path::{LAGS, Reading};
use wavewitness_num::math;

/// Cycles that are remembered: 6 s.
pub(crate) const MEMORY: usize = 120;
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
/// Departures so many cycles ago.
const DEPARTURES: [usize; 5] = [0, 12, 24, 60, 119];
/// Numbers of a room's motion and departure over the last seconds.
pub const FEATURES: usize = USED_LAGS.len() * BLOCKS.len() + DEPARTURES.len();

/// All paths' mean in a cycle, in units of the noise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// Mean squared difference of two frames of a path, by the time between them (4, 19, 38, 75, 150 to 300 ms), less noise.
    pub change: [f64; LAGS],
    /// Squared mean departure from the empty room's channel over half a second, less noise.
    pub departure: f64,
    /// Whether enough paths said so.
    pub is_known: bool,
}

impl Look {
    /// No path said anything.
    pub const NOTHING: Look = Look { change: [0.0; LAGS], departure: 0.0, is_known: false };
}

/// Adds paths up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    change: [f64; LAGS],
    changes: [u32; LAGS],
    departure: f64,
    noise: f64,
    paths: u32,
}

impl Sum {
    pub fn add(&mut self, reading: &Reading) {
        let Some(level) = reading.level else { return };
        for (k, change) in reading.change.iter().enumerate() {
            if let Some(change) = change {
                self.change[k] += change;
                self.changes[k] += 1;
            }
        }
        self.departure += level;
        self.noise += reading.noise;
        self.paths += 1;
    }

    /// The mean; a lag without a pair in this cycle takes the last cycle's.
    pub fn look(&self, last: &Look) -> Look {
        if self.paths < LEAST_PATHS || self.noise <= 0.0 {
            return Look::default();
        }
        let noise = self.noise / f64::from(self.paths);
        let mut out = Look { departure: self.departure / self.noise, is_known: true, ..*last };
        for k in 0..LAGS {
            if self.changes[k] > 0 {
                out.change[k] = self.change[k] / f64::from(self.changes[k]) / noise;
            }
        }
        out
    }
}

/// The newest looks; the newest at the end.
#[derive(Clone, Debug)]
pub(crate) struct History {
    looks: [Look; MEMORY],
    /// Known looks in a row, at most [`MEMORY`].
    known: usize,
}

impl History {
    pub fn new() -> History {
        History { looks: [Look::default(); MEMORY], known: 0 }
    }

    pub fn push(&mut self, look: Look) {
        self.looks.copy_within(1.., 0);
        self.looks[MEMORY - 1] = look;
        self.known = if look.is_known { (self.known + 1).min(MEMORY) } else { 0 };
    }

    pub fn newest(&self) -> &Look {
        &self.looks[MEMORY - 1]
    }

    /// Whether every look of the memory is known.
    pub fn is_full(&self) -> bool {
        self.known == MEMORY
    }

    /// Logarithms: of the mean change of each block and lag, block by block, and of the departures.
    pub fn features(&self) -> [f64; FEATURES] {
        let mut out = [0.0; FEATURES];
        let mut at = 0;
        for [from, until] in BLOCKS {
            let block = &self.looks[MEMORY - until..MEMORY - from];
            for lag in USED_LAGS {
                let mut total = 0.0;
                for look in block {
                    total += look.change[lag];
                }
                out[at] = math::ln(math::max_f64(total / block.len() as f64, LEAST_CHANGE));
                at += 1;
            }
        }
        for ago in DEPARTURES {
            let departure = self.looks[MEMORY - 1 - ago].departure;
            out[at] = math::ln(math::max_f64(departure, LEAST_LEVEL));
            at += 1;
        }
        out
    }
}
