//! The ring → real series with unit noise: one of log-amplitude and one of phase for each cell that can be trusted.

use crate::evidence::State;
use crate::{Plan, Unknown};
use wavewitness_num::{C64, complex, math};

/// Real series, detrended, in units of their own white noise.
#[derive(Clone, Debug)]
pub(crate) struct Features {
    /// Seconds about the middle of the window.
    pub times: Vec<f64>,
    /// `[slot][series]`, `count` series.
    pub values: Vec<f32>,
    /// Series in use.
    pub count: usize,
    /// Seconds that the slots stand for: one mean distance more than from the first to the last.
    pub span_s: f64,
    mean: Vec<C64>,
    size: Vec<f64>,
    kept: Vec<usize>,
    /// `[slot][kept cell]`, as they were when the estimate began.
    cells: Vec<[f32; 2]>,
    fit: Fit,
    /// Slots that are filled in.
    filled: usize,
    row: Vec<f64>,
    sums: Vec<[f64; 3]>,
}

/// A weighted straight line over the kept cells' places: the sum of the weights, where it turns, and what a slope is worth.
#[derive(Clone, Copy, Debug, Default)]
struct Fit {
    weight: f64,
    middle: f64,
    spread: f64,
}

impl Features {
    pub fn new(plan: &Plan) -> Features {
        let (slots, cells) = (plan.slots(), plan.cells());
        Features {
            times: Vec::with_capacity(slots),
            values: Vec::with_capacity(slots * cells * 2),
            count: 0,
            span_s: 0.0,
            mean: vec![C64::default(); cells],
            size: vec![0.0; cells],
            kept: Vec::with_capacity(cells),
            cells: Vec::with_capacity(slots * cells),
            fit: Fit::default(),
            filled: 0,
            row: vec![0.0; cells],
            sums: vec![[0.0; 3]; cells * 2],
        }
    }

    /// Takes a window: what is pushed from now on does not enter.
    pub fn begin(&mut self, plan: &Plan, state: &State) -> Result<(), Unknown> {
        self.clock(plan, state)?;
        self.select(plan, state)?;
        self.take(plan, state);
        Ok(())
    }

    /// Removes trends, and sets the unit, once all slots are filled in.
    pub fn end(&mut self) -> Result<(), Unknown> {
        self.detrend();
        self.whiten()
    }

    /// Times, and whether they will do.
    fn clock(&mut self, plan: &Plan, state: &State) -> Result<(), Unknown> {
        self.times.clear();
        let n = state.used();
        if n < 32 {
            return Err(Unknown::TooShort);
        }
        let mut gap = 0.0;
        for k in 0..n {
            let at = state.slot(k).0;
            gap = self.times.last().map_or(gap, |&before| math::max_f64(gap, at - before));
            self.times.push(at);
        }
        let (first, last) = (self.times[0], self.times[n - 1]);
        self.span_s = (last - first) * n as f64 / (n - 1) as f64;
        if self.span_s < plan.config.least_s {
            return Err(Unknown::TooShort);
        }
        // The band must lie below 0.9 of the mean Nyquist rate; a longer gap would leave sidelobes like lines.
        if n as f64 / self.span_s * 0.45 < plan.config.highest_bpm / 60.0 || gap > 0.25 * self.span_s {
            return Err(Unknown::TooSparse);
        }
        let middle = 0.5 * (first + last);
        self.times.iter_mut().for_each(|t| *t -= middle);
        Ok(())
    }

    /// Which cells stay near their mean: the phase of others is noise, or wraps.
    fn select(&mut self, plan: &Plan, state: &State) -> Result<(), Unknown> {
        self.mean.fill(C64::default());
        self.size.fill(0.0);
        for k in 0..state.used() {
            let (_, re, im) = state.slot(k);
            for c in 0..self.mean.len() {
                let z = C64::new(f64::from(re[c]), f64::from(im[c]));
                self.mean[c] += z;
                self.size[c] += complex::abs(z);
            }
        }
        self.kept.clear();
        let (mut good, mut all) = (0.0, 0.0);
        for c in 0..self.mean.len() {
            all += self.size[c];
            if complex::abs(self.mean[c]) > plan.config.least_coherence * self.size[c] {
                good += self.size[c];
                self.kept.push(c);
            }
        }
        // Two numbers of a packet's phases are its own.
        if self.kept.len() < 3 || good < 0.5 * all { Err(Unknown::Motion) } else { Ok(()) }
    }

    /// The kept cells of every slot, and the line that phases are fitted with: its weights are the power of the mean.
    fn take(&mut self, plan: &Plan, state: &State) {
        let bands = plan.bands();
        let (mut w0, mut w1, mut w2) = (0.0, 0.0, 0.0);
        for &c in &self.kept {
            let (w, x) = (complex::abs2(self.mean[c]), plan.places[c % bands]);
            w0 += w;
            w1 += w * x;
            w2 += w * x * x;
        }
        let middle = w1 / w0;
        self.fit = Fit { weight: w0, middle, spread: w2 - w1 * middle };
        self.count = 2 * self.kept.len();
        self.values.clear();
        self.cells.clear();
        self.filled = 0;
        for k in 0..state.used() {
            let (_, re, im) = state.slot(k);
            self.cells.extend(self.kept.iter().map(|&c| [re[c], im[c]]));
        }
    }

    /// Fills in up to `most` more slots: log-amplitudes about each packet's mean, phases about its common phase and slope. True
    /// once all are.
    pub fn fill(&mut self, plan: &Plan, most: usize) -> bool {
        let (bands, m, used) = (plan.bands(), self.kept.len(), self.times.len());
        let Fit { weight, middle, spread } = self.fit;
        let until = self.filled.saturating_add(most).min(used);
        for cells in self.cells[self.filled * m..until * m].chunks_exact(m) {
            let z = |k: usize| C64::new(f64::from(cells[k][0]), f64::from(cells[k][1]));
            let mut level = 0.0;
            for (k, (value, &c)) in self.row.iter_mut().zip(&self.kept).enumerate() {
                // A cell that is exactly zero has no logarithm; one part in 10⁹ of its usual power stands in.
                let floor = 1e-9 * complex::abs2(self.mean[c]) / (used * used) as f64;
                *value = 0.5 * math::ln(complex::abs2(z(k)) + floor);
                level += *value;
            }
            level /= m as f64;
            self.values.extend(self.row[..m].iter().map(|value| (value - level) as f32));
            let (mut offset, mut slope) = (0.0, 0.0);
            for (k, (value, &c)) in self.row.iter_mut().zip(&self.kept).enumerate() {
                *value = complex::arg(complex::conj_mul(self.mean[c], z(k)));
                offset += complex::abs2(self.mean[c]) * *value;
                slope += complex::abs2(self.mean[c]) * (plan.places[c % bands] - middle) * *value;
            }
            offset /= weight;
            slope = if spread > 0.0 { slope / spread } else { 0.0 };
            let line = |c: usize| offset + slope * (plan.places[c % bands] - middle);
            let rest = self.row[..m].iter().zip(&self.kept).map(|(value, &c)| (value - line(c)) as f32);
            self.values.extend(rest);
        }
        self.filled = until;
        until == used
    }

    /// Takes mean and straight line in time out of every series.
    fn detrend(&mut self) {
        let n = self.times.len() as f64;
        let (mut t1, mut t2) = (0.0, 0.0);
        for &t in &self.times {
            t1 += t;
            t2 += t * t;
        }
        let spread = t2 - t1 * t1 / n;
        self.sums.fill([0.0; 3]);
        for (&t, row) in self.times.iter().zip(self.values.chunks_exact(self.count)) {
            for (s, &x) in self.sums.iter_mut().zip(row) {
                s[0] += f64::from(x);
                s[1] += f64::from(x) * t;
            }
        }
        for s in &mut self.sums {
            let slope = (s[1] - s[0] * t1 / n) / spread;
            *s = [s[0] / n - slope * t1 / n, slope, 0.0];
        }
        for (&t, row) in self.times.iter().zip(self.values.chunks_exact_mut(self.count)) {
            for (s, x) in self.sums.iter().zip(row) {
                *x = (f64::from(*x) - s[0] - s[1] * t) as f32;
            }
        }
    }

    /// Divides every series by its white noise, half the mean square of successive differences (von Neumann 1941).
    fn whiten(&mut self) -> Result<(), Unknown> {
        self.sums.fill([0.0; 3]);
        let (m, n) = (self.count, self.times.len());
        for k in 1..n {
            let (before, now) = self.values[(k - 1) * m..(k + 1) * m].split_at(m);
            for (s, (a, b)) in self.sums.iter_mut().zip(before.iter().zip(now)) {
                let d = f64::from(*b) - f64::from(*a);
                s[0] += d * d;
            }
        }
        let mut alive = false;
        for s in &mut self.sums[..m] {
            let noise = math::sqrt(s[0] / (2 * (n - 1)) as f64);
            // A series that never changes says nothing.
            s[1] = if noise > 1e-7 { 1.0 / noise } else { 0.0 };
            alive |= s[1] > 0.0;
        }
        for row in self.values.chunks_exact_mut(m) {
            for (s, x) in self.sums.iter().zip(row) {
                *x = (f64::from(*x) * s[1]) as f32;
            }
        }
        if alive { Ok(()) } else { Err(Unknown::NoLine) }
    }
}
