//! What is kept of the packets: a ring of slots, each a few bands of every chain and stream, without gain, common phase
//! and slope.

use crate::Plan;
use wavewitness_num::{C64, complex};
use wavewitness_types::Timestamp;

/// The last window of one receiver. All memory is taken when it is made.
#[derive(Clone, Debug)]
pub struct State {
    /// Mean time of each slot's packets in seconds since `origin`.
    times: Vec<f64>,
    /// `[slot][cell]`, real and imaginary.
    re: Vec<f32>,
    im: Vec<f32>,
    /// Slots in use, and where the oldest is.
    used: usize,
    first: usize,
    /// Packets in the newest slot, and when it began.
    packets: u32,
    slot_began: Timestamp,
    origin: Timestamp,
    newest: Timestamp,
    /// Slope of each stream in radians a tone index, from the first packet: cyclic shifts and cables differ.
    slopes: Vec<f64>,
    /// Slowly following mean that packets are aligned to, and how many made it.
    reference: Vec<C64>,
    behind: u32,
    cells: Vec<C64>,
}

/// The reference follows the mean of so many packets: ten seconds of a slow link, short against drift of hours.
const REFERENCE_PACKETS: u32 = 100;

impl State {
    /// Nothing heard yet.
    pub fn new(plan: &Plan) -> State {
        let (slots, cells) = (plan.slots(), plan.cells());
        State {
            times: vec![0.0; slots],
            re: vec![0.0; slots * cells],
            im: vec![0.0; slots * cells],
            used: 0,
            first: 0,
            packets: 0,
            slot_began: Timestamp(0),
            origin: Timestamp(0),
            newest: Timestamp(0),
            slopes: vec![0.0; plan.streams()],
            reference: vec![C64::default(); cells],
            behind: 0,
            cells: vec![C64::default(); cells],
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.used = 0;
        self.first = 0;
        self.behind = 0;
    }

    /// Slots in use.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// The k-th oldest slot: its time in seconds and its cells.
    pub(crate) fn slot(&self, k: usize) -> (f64, &[f32], &[f32]) {
        let (at, n) = ((self.first + k) % self.times.len(), self.reference.len());
        (self.times[at], &self.re[at * n..(at + 1) * n], &self.im[at * n..(at + 1) * n])
    }

    pub(crate) fn push(&mut self, plan: &Plan, at: Timestamp, re: &[f32], im: &[f32]) -> bool {
        let n = plan.streams() * plan.tones.len();
        if re.len() != n || im.len() != n || (self.used > 0 && at < self.newest) {
            return false;
        }
        // A shape that differs belongs to another plan.
        if self.reference.len() != plan.cells() || self.times.len() != plan.slots() {
            return false;
        }
        if self.used > 0 && at.seconds_since(self.newest) > plan.config.window_s {
            self.clear();
        }
        if self.used == 0 {
            self.origin = at;
            self.behind = 0;
        }
        if !self.reduce(plan, re, im) {
            return false;
        }
        self.align(plan);
        self.store(plan, at);
        self.newest = at;
        true
    }

    /// Tones → bands, each receive chain with unit power. The slope goes out first, or a band's sum would cancel.
    fn reduce(&mut self, plan: &Plan, re: &[f32], im: &[f32]) -> bool {
        let tones = plan.tones.len();
        let at = |k: usize| C64::new(f64::from(re[k]), f64::from(im[k]));
        let mut common = C64::default();
        for stream in 0..plan.streams() {
            let mut lag = C64::default();
            for k in 1..tones {
                if plan.tones[k] - plan.tones[k - 1] == plan.spacing {
                    lag += complex::conj_mul(at(stream * tones + k - 1), at(stream * tones + k));
                }
            }
            if self.behind == 0 {
                self.slopes[stream] = complex::arg(lag) / plan.spacing;
            }
            common += lag * complex::unit(-self.slopes[stream] * plan.spacing);
        }
        let slope = complex::arg(common) / plan.spacing;
        let bands = plan.bands();
        for stream in 0..plan.streams() {
            let turn = self.slopes[stream] + slope;
            for band in 0..bands {
                let mut total = C64::default();
                for k in plan.edges[band]..plan.edges[band + 1] {
                    total += at(stream * tones + k) * complex::unit(-turn * plan.tones[k]);
                }
                self.cells[stream * bands + band] = total;
            }
        }
        let row = plan.tx * bands;
        self.cells.chunks_exact_mut(row).all(|chain| {
            let mut power = 0.0;
            for &z in &*chain {
                power += complex::abs2(z);
            }
            let sound = power.is_finite() && power > 0.0;
            let gain = if sound { 1.0 / wavewitness_num::math::sqrt(power) } else { 0.0 };
            chain.iter_mut().for_each(|z| *z *= gain);
            sound
        })
    }

    /// Turns the packet's common phase and what is left of its slope onto the reference.
    fn align(&mut self, plan: &Plan) {
        let bands = plan.bands();
        if self.behind == 0 {
            self.reference.copy_from_slice(&self.cells);
            self.behind = 1;
            return;
        }
        let mut lag = C64::default();
        for stream in 0..plan.streams() {
            for band in stream * bands + 1..(stream + 1) * bands {
                let before = complex::conj_mul(self.reference[band - 1], self.cells[band - 1]);
                lag += complex::conj_mul(before, complex::conj_mul(self.reference[band], self.cells[band]));
            }
        }
        let slope = complex::arg(lag) / (plan.places[1] - plan.places[0]);
        let mut common = C64::default();
        for (k, cell) in self.cells.iter_mut().enumerate() {
            *cell *= complex::unit(-slope * plan.places[k % bands]);
            common += complex::conj_mul(self.reference[k], *cell);
        }
        let turn = complex::unit(-complex::arg(common));
        self.behind = (self.behind + 1).min(REFERENCE_PACKETS);
        let share = 1.0 / f64::from(self.behind);
        for (cell, reference) in self.cells.iter_mut().zip(&mut self.reference) {
            *cell *= turn;
            *reference += (*cell - *reference) * share;
        }
    }

    /// Into the newest slot, or into a new one.
    fn store(&mut self, plan: &Plan, at: Timestamp) {
        let (slots, n) = (self.times.len(), self.reference.len());
        let fresh = self.used == 0 || at.seconds_since(self.slot_began) >= plan.config.slot_s;
        if fresh {
            if self.used == slots {
                self.first = (self.first + 1) % slots;
                self.used -= 1;
            }
            self.used += 1;
            self.packets = 0;
            self.slot_began = at;
        }
        let slot = (self.first + self.used - 1) % slots;
        self.packets = self.packets.saturating_add(1);
        let share = 1.0 / f64::from(self.packets);
        let time = at.seconds_since(self.origin);
        self.times[slot] = if fresh { time } else { self.times[slot] + (time - self.times[slot]) * share };
        for (k, cell) in self.cells.iter().enumerate() {
            let (re, im) = (&mut self.re[slot * n + k], &mut self.im[slot * n + k]);
            if fresh {
                (*re, *im) = (0.0, 0.0);
            }
            *re += ((cell.re - f64::from(*re)) * share) as f32;
            *im += ((cell.im - f64::from(*im)) * share) as f32;
        }
        while self.used > 1 && time - self.times[self.first] > plan.config.window_s {
            self.first = (self.first + 1) % slots;
            self.used -= 1;
        }
    }
}
