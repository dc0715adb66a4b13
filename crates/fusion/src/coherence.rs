//! Whether different receivers see the same changes.
//!
//! Over a window of some seconds the logarithm of each link's change is a series: it rises when somebody moves in its
//! reach. Series of links with different receivers share no hardware, so what they have in common happened in the room.
//! The measure is Pearson's correlation of two series, corrected for the few independent samples that a window holds.
//!
//! A link's last value stands for it for a moment between its observations; that, like motion itself, makes neighbouring
//! samples alike. The number that counts is Bartlett's (1935) effective one, `n' = n (1 − ρ_a ρ_b)/(1 + ρ_a ρ_b)` with the
//! lag-1 autocorrelations of the two; two independent series have `E r² = 1/(n' − 1)`, which the adjusted value
//! `r² − (1 − r²)/(n' − 2)` (Ezekiel 1930) takes away.

use wavewitness_num::math;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::{Link, Timestamp};

/// Cycles that the window can hold: 6.4 s at 20 Hz.
const SLOTS: usize = 128;
/// Cycles in which both links of a pair have a value, below which they are not compared.
const LEAST_SAMPLES: usize = 20;

/// The last cycles, and each link's value in them.
#[derive(Clone, Debug)]
pub struct Window {
    /// Link-major, NaN-free: absent values are `None`.
    values: Vec<Option<f64>>,
    times: Vec<Timestamp>,
    /// Slot of the newest cycle, and how many are in use.
    newest: usize,
    used: usize,
}

impl Default for Window {
    fn default() -> Window {
        Window::new()
    }
}

impl Window {
    /// No cycle yet.
    pub fn new() -> Window {
        Window {
            values: vec![None; MAX_LINKS * SLOTS],
            times: vec![Timestamp(0); SLOTS],
            newest: SLOTS - 1,
            used: 0,
        }
    }

    /// Adds the cycle that ends at `at`, with each link's value by `value`.
    pub fn advance(&mut self, at: Timestamp, value: impl Fn(usize) -> Option<f64>) {
        self.newest = (self.newest + 1) % SLOTS;
        self.used = if self.used < SLOTS { self.used + 1 } else { SLOTS };
        self.times[self.newest] = at;
        for link in 0..MAX_LINKS {
            self.values[link * SLOTS + self.newest] = value(link);
        }
    }

    /// Attention-weighted mean correlation of pairs of links with different receivers over the last `window_s` before
    /// `at`, 0..=1 (less than 0 counts as 0); `None` if no pair has values enough. `weight` is the attention of a link.
    pub fn cross_coherence(
        &self,
        links: &[Link],
        at: Timestamp,
        window_s: f64,
        weight: impl Fn(usize) -> f64,
    ) -> Option<f64> {
        let inside = (0..self.used)
            .take_while(|age| at.seconds_since(self.times[(self.newest + SLOTS - age) % SLOTS]) < window_s)
            .count();
        let least = if inside / 2 > LEAST_SAMPLES { inside / 2 } else { LEAST_SAMPLES };
        if inside < least || spans_less(&self.times, self.newest, inside, 0.5 * window_s) {
            return None;
        }
        let (mut total, mut weights) = (0.0, 0.0);
        for a in 0..links.len().min(MAX_LINKS) {
            for b in a + 1..links.len().min(MAX_LINKS) {
                if links[a].rx() == links[b].rx() {
                    continue;
                }
                if let Some(r) = self.correlation(a, b, inside, least) {
                    let w = weight(a) * weight(b);
                    total += w * r;
                    weights += w;
                }
            }
        }
        (weights > 0.0).then(|| math::max_f64(0.0, math::min_f64(1.0, total / weights)))
    }

    /// Adjusted, signed correlation of two links over the newest `inside` cycles.
    fn correlation(&self, a: usize, b: usize, inside: usize, least: usize) -> Option<f64> {
        let pair = |age: usize| {
            let slot = (self.newest + SLOTS - age) % SLOTS;
            Some((self.values[a * SLOTS + slot]?, self.values[b * SLOTS + slot]?))
        };
        let (mut n, mut mean_a, mut mean_b) = (0usize, 0.0, 0.0);
        for (x, y) in (0..inside).filter_map(pair) {
            n += 1;
            mean_a += x;
            mean_b += y;
        }
        if n < least {
            return None;
        }
        let count = n as f64;
        (mean_a, mean_b) = (mean_a / count, mean_b / count);
        let (mut aa, mut bb, mut ab, mut aa1, mut bb1) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let mut previous: Option<(f64, f64)> = None;
        for age in 0..inside {
            let now = pair(age).map(|(x, y)| (x - mean_a, y - mean_b));
            if let Some((x, y)) = now {
                aa += x * x;
                bb += y * y;
                ab += x * y;
                if let Some((x1, y1)) = previous {
                    aa1 += x * x1;
                    bb1 += y * y1;
                }
            }
            previous = now;
        }
        // Two series of which one did not vary have no correlation; below this it is rounding.
        if aa <= 1e-12 * count || bb <= 1e-12 * count {
            return None;
        }
        let rr = ab * ab / aa / bb;
        let lag = math::max_f64(0.0, math::min_f64(0.99, (aa1 / aa) * (bb1 / bb)));
        let free = math::max_f64(1.0, count * (1.0 - lag) / (1.0 + lag) - 2.0);
        let adjusted = math::max_f64(0.0, rr - (1.0 - rr) / free);
        let r = math::sqrt(math::min_f64(1.0, adjusted));
        Some(if ab < 0.0 { -r } else { r })
    }
}

/// True if the newest `inside` cycles span less than `least_s`.
fn spans_less(times: &[Timestamp], newest: usize, inside: usize, least_s: f64) -> bool {
    let oldest = times[(newest + SLOTS - (inside - 1)) % SLOTS];
    times[newest].seconds_since(oldest) < least_s
}
