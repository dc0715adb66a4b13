//! One collection: running statistics of a link's observations, and the tests that they have to pass.
//!
//! Every observation is scored against the mean of those *before* it (prequential, Dawid 1984): that is how a finished
//! baseline will be used, and it makes the score unbiased without a second pass. With unit-power channel h, noise of
//! variance σ² an observation and a mean of m, the two errors are independent and `E incoherence = σ²(1 + 1/m)` to first
//! order in σ². Scores are divided by `1 + 1/m`, and multiplied by `1 + 1/N` in the end.

use crate::Config;
use crate::white::distance;
use wavewitness_num::complex::{abs2, conj_mul};
use wavewitness_num::sum::{Welford, median_in_place};
use wavewitness_num::{C64, math};
use wavewitness_types::limits::MAX_TONES;
use wavewitness_types::{
    Baseline, LinkId, LinkObservation, Quiet, RefusalReason, Samples, Timestamp, ToneGrid,
};

/// Blocks that a full collection is tested in.
const BLOCKS: u32 = 8;
/// Drift below this incoherence (−30 dB) is the radio's own, however quiet it is: warm-up of an ESP32-C5 gives 1e−4 in
/// ten seconds.
const LEAST_DRIFT: f64 = 1e-3;
/// Observations in the mean before the first is scored against it.
const WARM_UP: u32 = 5;

const ZERO: C64 = C64::new(0.0, 0.0);

#[derive(Clone, Debug)]
pub(crate) struct Collection {
    grid: Option<ToneGrid>,
    count: u32,
    /// Mean aligned channel so far.
    mean: Vec<C64>,
    /// Sum of squared deviations from the mean, one a tone (Welford).
    squares: Vec<f64>,
    block_sum: Vec<C64>,
    block_count: u32,
    /// First score of the block.
    block_start: usize,
    scores: Scores,
    rssi: Welford,
    x: Vec<C64>,
    sorted: Vec<f64>,
}

/// One entry for each scored observation; all natural logarithms.
#[derive(Clone, Debug)]
struct Scores {
    /// Incoherence with the mean before, without that mean's share of noise.
    incoherence: Vec<f64>,
    /// White part of it.
    noise: Vec<f64>,
    /// `LinkObservation::change`; only of observations that have one.
    change: Vec<f64>,
}

impl Collection {
    pub(crate) fn new(config: &Config) -> Collection {
        let most = config.observations as usize;
        Collection {
            grid: None,
            count: 0,
            mean: vec![ZERO; MAX_TONES],
            squares: vec![0.0; MAX_TONES],
            block_sum: vec![ZERO; MAX_TONES],
            block_count: 0,
            block_start: 0,
            scores: Scores {
                incoherence: Vec::with_capacity(most),
                noise: Vec::with_capacity(most),
                change: Vec::with_capacity(most),
            },
            rssi: Welford::EMPTY,
            x: vec![ZERO; MAX_TONES],
            sorted: Vec::with_capacity(most),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.grid = None;
        self.count = 0;
        self.mean.fill(ZERO);
        self.squares.fill(0.0);
        self.block_sum.fill(ZERO);
        self.block_count = 0;
        self.block_start = 0;
        self.scores.incoherence.clear();
        self.scores.noise.clear();
        self.scores.change.clear();
        self.rssi = Welford::EMPTY;
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Adds an observation. At the end of each block the block is tested, so that a hopeless collection ends early.
    pub(crate) fn push(&mut self, seen: &LinkObservation, config: &Config) -> Result<(), RefusalReason> {
        let grid = *self.grid.get_or_insert(seen.mean.grid());
        if grid != seen.mean.grid() || self.count >= config.observations {
            return Ok(());
        }
        for (x, (&re, &im)) in self.x.iter_mut().zip(seen.mean.re().iter().zip(seen.mean.im())) {
            *x = C64::new(f64::from(re), f64::from(im));
        }
        if self.count >= WARM_UP {
            let d = distance(grid, |k| self.mean[k], |k| self.x[k]);
            let share = 1.0 + 1.0 / f64::from(self.count);
            self.scores.incoherence.push(Quiet::ln(d.incoherence / share));
            self.scores.noise.push(math::ln(d.noise / share));
            if let Some(change) = seen.change {
                self.scores.change.push(Quiet::ln(f64::from(change)));
            }
        }
        if let Some(rssi) = seen.rssi_dbm {
            self.rssi.push(f64::from(rssi));
        }
        self.count += 1;
        let n = f64::from(self.count);
        for k in 0..grid.tone_count() {
            let before = self.x[k] - self.mean[k];
            self.mean[k] += before / n;
            // Welford for complex samples: Re[conj(x − mean before)(x − mean after)].
            self.squares[k] += conj_mul(before, self.x[k] - self.mean[k]).re;
            self.block_sum[k] += self.x[k];
        }
        self.block_count += 1;
        if self.block_count >= config.observations / BLOCKS {
            let verdict = self.test_block(grid, config);
            self.block_sum.fill(ZERO);
            self.block_count = 0;
            self.block_start = self.scores.incoherence.len();
            verdict?;
        }
        Ok(())
    }

    fn median(sorted: &mut Vec<f64>, values: impl Iterator<Item = f64>) -> f64 {
        sorted.clear();
        sorted.extend(values);
        median_in_place(sorted).unwrap_or(0.0)
    }

    /// Median of ln(variation about the mean / white noise) of scores from `start` on.
    fn ln_excess(&mut self, start: usize) -> f64 {
        let Scores { incoherence, noise, .. } = &self.scores;
        let both = incoherence[start..].iter().zip(&noise[start..]);
        Self::median(&mut self.sorted, both.map(|(i, n)| i - n))
    }

    fn test_block(&mut self, grid: ToneGrid, config: &Config) -> Result<(), RefusalReason> {
        let start = self.block_start;
        if self.scores.incoherence.len() == start {
            return Ok(());
        }
        let mut total = 0.0;
        for &ln in &self.scores.incoherence[start..] {
            total += math::exp(ln);
        }
        let scored = (self.scores.incoherence.len() - start) as f64;
        if total / scored > config.max_incoherence {
            return Err(RefusalReason::Incoherent);
        }
        if self.ln_excess(start) > math::ln(config.max_excess) {
            return Err(RefusalReason::Motion);
        }
        let ln_noise = Self::median(&mut self.sorted, self.scores.noise[start..].iter().copied());
        if self.block_drift(grid) > math::max_f64(LEAST_DRIFT, config.max_drift * math::exp(ln_noise)) {
            return Err(RefusalReason::Motion);
        }
        Ok(())
    }

    /// Incoherence of the block's mean with the mean of all before it; 0 for the first block.
    fn block_drift(&self, grid: ToneGrid) -> f64 {
        let before = self.count - self.block_count;
        if before == 0 {
            return 0.0;
        }
        let n = f64::from(self.count);
        let (mut inner, mut aa, mut bb) = (ZERO, 0.0, 0.0);
        for k in 0..grid.tone_count() {
            let block = self.block_sum[k];
            let rest = self.mean[k] * n - block;
            inner += conj_mul(block, rest);
            aa += abs2(block);
            bb += abs2(rest);
        }
        if aa <= 0.0 || bb <= 0.0 {
            return 1.0;
        }
        math::max_f64(0.0, 1.0 - abs2(inner) / aa / bb)
    }

    /// Half of the range from the 16 % to the 84 % point: the standard deviation of a Gaussian, deaf to outliers.
    fn change_spread(&mut self) -> f64 {
        self.sorted.clear();
        self.sorted.extend_from_slice(&self.scores.change);
        self.sorted.sort_unstable_by(f64::total_cmp);
        let n = self.sorted.len();
        if n < 2 {
            return 0.0;
        }
        0.5 * (self.sorted[(n - 1) * 84 / 100] - self.sorted[(n - 1) * 16 / 100])
    }

    /// The baseline, or why there is none.
    pub(crate) fn finish(
        &mut self,
        link: LinkId,
        empty_room: bool,
        at: Timestamp,
        config: &Config,
    ) -> Result<Baseline, RefusalReason> {
        let few = RefusalReason::TooFewFrames;
        let grid = self.grid.ok_or(few)?;
        // A collection that ran out of time ends within a block. The mean of a few observations is too noisy to judge.
        if self.block_count >= config.observations / BLOCKS / 2 {
            self.test_block(grid, config)?;
        }
        // In the doubtful range, geometrically the upper half of what is allowed, motion shows by its unsteadiness.
        let doubtful = 2.0 * self.ln_excess(0) > math::ln(config.max_excess);
        if doubtful && self.change_spread() > config.max_spread {
            return Err(RefusalReason::Motion);
        }
        let n = f64::from(self.count);
        // The second half of either: by then the mean, and the recent mean that change is measured against, have settled.
        let Scores { incoherence, change, .. } = &self.scores;
        let own_share = math::ln(1.0 + 1.0 / n);
        let quiet_incoherence = quiet(&incoherence[incoherence.len() / 2..], own_share).ok_or(few)?;
        let quiet_change = quiet(&change[change.len() / 2..], 0.0).ok_or(few)?;
        let mut mean = Samples::zero(grid);
        let mut variance = [0.0f32; MAX_TONES];
        let (re, im) = mean.parts_mut();
        for k in 0..grid.tone_count() {
            re[k] = self.mean[k].re as f32;
            im[k] = self.mean[k].im as f32;
            variance[k] = math::max_f64(0.0, self.squares[k] / (n - 1.0)) as f32;
        }
        let heard = self.rssi.count() > 0;
        Ok(Baseline {
            link,
            empty_room,
            observations: self.count,
            completed: at,
            mean,
            variance,
            quiet_incoherence,
            quiet_change,
            rssi_dbm: heard.then(|| self.rssi.mean() as f32),
            rssi_sd_db: self.rssi.variance().map(|v| math::sqrt(v) as f32),
        })
    }
}

/// Mean and standard deviation of logarithms; `None` below two.
fn quiet(ln_values: &[f64], offset: f64) -> Option<Quiet> {
    let mut w = Welford::EMPTY;
    for &v in ln_values {
        w.push(v + offset);
    }
    let sd = math::sqrt(w.variance()?) as f32;
    Some(Quiet { ln_mean: w.mean() as f32, ln_sd: math::max_f32(sd, Quiet::MIN_SD) })
}
