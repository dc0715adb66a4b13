//! One link's stream: frames in, a look a cycle.
//!
//! Each frame becomes its modes. A *block* is the median of the last frames, mode by mode: single frames that came by
//! another path through the receiver (other rate, other gain) drop out. A *look* is the newest block against the mean of
//! the blocks of the last second that share no frame with it.

use crate::Config;
use crate::basis::{Basis, MAX_MODES, MAX_TONES};
use crate::periodic::Canceller;
use crate::quiet::{Look, Quiet, Scratch};
use wavewitness_num::{math, sum::median_in_place};
use wavewitness_types::Timestamp;

/// Frames that a block may hold.
const MAX_FRAMES: usize = 16;
/// Blocks that are remembered.
const MAX_BLOCKS: usize = 32;
/// Noise estimates that are remembered: their median is the noise.
const MAX_NOISES: usize = 64;
/// Noise below this is quantisation that vanished: full scale 127 and a rounding variance of 1/12 give 5e-6.
const NOISE_FLOOR: f64 = 5e-6;
/// Seconds without a frame of a link's grid after which it may have another.
const OTHER_GRID_S: f64 = 5.0;
/// Blocks without which there is no mean.
const LEAST_BLOCKS: usize = 3;
/// Variance of the median of n standard normal values, n = 1 … 10 (Hojo 1931, Biometrika 23, table I); beyond, π/2n with
/// the finite-sample factor of the last.
const MEDIAN_VARIANCE: [f64; 10] = [1.0, 0.5, 0.4487, 0.2982, 0.2868, 0.2147, 0.2104, 0.1682, 0.1661, 0.1383];

fn median_variance(n: usize) -> f64 {
    if n <= MEDIAN_VARIANCE.len() { MEDIAN_VARIANCE[n - 1] } else { 1.45 / n as f64 }
}

/// Modes of one frame or block.
#[derive(Clone, Copy, Debug)]
struct Modes {
    at: Timestamp,
    /// A block's first frame; a frame's own time.
    since: Timestamp,
    /// Frames that are new with it.
    frames: u32,
    values: [f32; MAX_MODES],
}

impl Modes {
    const NONE: Modes = Modes { at: Timestamp(0), since: Timestamp(0), frames: 0, values: [0.0; MAX_MODES] };
}

/// The last values, newest last.
#[derive(Clone, Debug)]
struct Ring<T, const N: usize> {
    values: Box<[T; N]>,
    next: usize,
    count: usize,
}

impl<T: Copy, const N: usize> Ring<T, N> {
    fn new(empty: T) -> Ring<T, N> {
        Ring { values: Box::new([empty; N]), next: 0, count: 0 }
    }
    fn push(&mut self, value: T) {
        self.values[self.next] = value;
        self.next = (self.next + 1) % N;
        self.count = (self.count + 1).min(N);
    }
    fn clear(&mut self) {
        (self.next, self.count) = (0, 0);
    }
    /// The `back`-th newest.
    fn newest(&self, back: usize) -> Option<&T> {
        (back < self.count).then(|| &self.values[(self.next + N - 1 - back) % N])
    }
}

/// How far the learning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learning {
    Idle,
    Collecting,
}

/// Everything that is remembered of one link.
#[derive(Clone, Debug)]
pub(crate) struct LinkState {
    basis: Option<usize>,
    shape: Box<[f32; MAX_TONES]>,
    has_shape: bool,
    last: Timestamp,
    /// Frames since the last cycle's end.
    fresh: u32,
    frames: Ring<Modes, MAX_FRAMES>,
    blocks: Ring<Modes, MAX_BLOCKS>,
    noises: Ring<f64, MAX_NOISES>,
    looks: Vec<Look>,
    learning: Learning,
    refused: bool,
    pub quiet: Option<Quiet>,
    look: Look,
    /// Deviations of the look over those of white noise.
    signed: Look,
    /// The deviations themselves.
    change: [f64; MAX_MODES],
    canceller: Canceller,
    last_z: Option<f64>,
    last_cycle: Option<Timestamp>,
    moving_since: Option<Timestamp>,
    disturbed: Timestamp,
}

/// A look with its scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scored {
    pub z: Option<f64>,
    pub evidence: Option<f64>,
    pub moving: bool,
    pub energy: Option<f64>,
    /// Score with the machine that was taken out.
    pub machine_z: Option<f64>,
}

impl LinkState {
    pub fn new(config: &Config) -> LinkState {
        LinkState {
            basis: None,
            shape: Box::new([0.0; MAX_TONES]),
            has_shape: false,
            last: Timestamp(0),
            fresh: 0,
            frames: Ring::new(Modes::NONE),
            blocks: Ring::new(Modes::NONE),
            noises: Ring::new(0.0),
            looks: Vec::with_capacity(config.learn_looks as usize),
            learning: Learning::Collecting,
            refused: false,
            quiet: None,
            look: [0.0; MAX_MODES],
            signed: [0.0; MAX_MODES],
            change: [0.0; MAX_MODES],
            canceller: Canceller::new(config),
            last_z: None,
            last_cycle: None,
            moving_since: None,
            disturbed: Timestamp(0),
        }
    }

    /// Forgets the stream, not what quiet looks like.
    pub fn restart(&mut self) {
        self.has_shape = false;
        self.fresh = 0;
        self.frames.clear();
        self.blocks.clear();
        self.noises.clear();
        self.canceller.clear();
        (self.last_z, self.last_cycle, self.moving_since) = (None, None, None);
    }

    /// Begins to learn; what is known stays in use until it is replaced.
    pub fn learn(&mut self) {
        self.looks.clear();
        self.learning = Learning::Collecting;
        self.refused = false;
    }

    pub fn learning(&self) -> Option<u32> {
        // At most learn_looks, a u32.
        (self.learning == Learning::Collecting).then_some(self.looks.len() as u32)
    }

    pub fn ripple(&self, bases: &[Basis]) -> Option<f64> {
        Some(self.quiet.as_ref()?.ripple(bases.get(self.basis?)?))
    }

    pub fn refused(&self) -> bool {
        self.refused
    }

    /// Takes one frame's amplitudes (any scale) on basis number `index`.
    pub fn frame(
        &mut self,
        at: Timestamp,
        basis: &Basis,
        index: usize,
        amplitudes: impl Iterator<Item = f32>,
    ) {
        if self.basis != Some(index) {
            // Another grid is another measurement: nothing of it can be compared. A link that mixes them keeps its first.
            if self.basis.is_some() && at.seconds_since(self.last) < OTHER_GRID_S {
                return;
            }
            self.restart();
            self.quiet = None;
            self.learn();
            self.basis = Some(index);
        }
        let n = basis.tones();
        let mut shape = [0.0f32; MAX_TONES];
        let mut power = 0.0;
        for (out, a) in shape[..n].iter_mut().zip(amplitudes) {
            *out = a;
            power += f64::from(a) * f64::from(a);
        }
        if !power.is_finite() || power <= 0.0 {
            return;
        }
        let gain = 1.0 / math::sqrt(power / n as f64);
        shape[..n].iter_mut().for_each(|x| *x = (f64::from(*x) * gain) as f32);
        if self.has_shape {
            self.noises.push(basis.noise(&self.shape[..n], &shape[..n]));
        }
        self.shape[..n].copy_from_slice(&shape[..n]);
        self.has_shape = true;
        let mut modes = Modes { at, since: at, frames: 1, ..Modes::NONE };
        basis.project(&shape[..n], &mut modes.values);
        self.frames.push(modes);
        self.fresh += 1;
        self.last = at;
    }

    /// Ends the cycle that ends at `at`.
    pub fn end_cycle(
        &mut self,
        at: Timestamp,
        bases: &[Basis],
        config: &Config,
        work: &mut Scratch,
    ) -> Scored {
        let seen = self.basis.filter(|_| self.fresh > 0).map(|k| &bases[k]);
        let mut z = None;
        let looked = seen.is_some_and(|basis| self.take_look(at, basis, config));
        if let Some(basis) = seen.filter(|_| looked) {
            z = self.quiet.as_ref().map(|q| q.z(basis, &self.look));
            self.collect(basis, config, work);
        }
        let plain_z = z;
        if let (Some(b), Some(quiet)) = (self.basis, self.quiet.as_ref()) {
            let basis = &bases[b];
            self.canceller.push(looked.then_some(&self.signed), basis, quiet);
            let moving = self.moving_since.is_some();
            let cancelled = plain_z.map(|z| self.canceller.look(at, z, moving, basis, config, work));
            if cancelled.as_ref().is_some_and(|c| c.found) {
                (self.moving_since, self.last_z) = (None, None);
            }
            z = cancelled.and_then(|c| c.z);
        }
        self.fresh = 0;
        let evidence = z.map(|now| self.decide(now, at, config));
        if self.moving_since.is_some() && at.seconds_since(self.disturbed) > config.hold_s {
            self.moving_since = None;
        }
        let moving = self.moving_since.is_some();
        if let Some(basis) = seen.filter(|_| looked) {
            self.follow(basis, plain_z, at, config);
        }
        if looked {
            self.last_cycle = Some(at);
        }
        let machine_z = plain_z.filter(|_| self.canceller.cancels());
        let energy = seen.filter(|_| looked).map(|basis| {
            let mut total = 0.0;
            for m in 0..basis.test_modes() {
                total += self.change[m] * self.change[m];
            }
            total / basis.tones() as f64
        });
        Scored { z, evidence, moving, energy, machine_z }
    }

    /// Makes the newest block and, if there is a recent mean, the look.
    fn take_look(&mut self, at: Timestamp, basis: &Basis, config: &Config) -> bool {
        let modes = basis.modes();
        let within = |m: &Modes, seconds: f64| at.seconds_since(m.at) < seconds;
        let mut n = 0;
        while let Some(f) = self.frames.newest(n) {
            let wanted = within(f, config.block_s)
                || (n < config.block_frames as usize && within(f, config.block_longest_s));
            if !wanted {
                break;
            }
            n += 1;
        }
        let Some(oldest) = n.checked_sub(1).and_then(|k| self.frames.newest(k)) else { return false };
        let mut block = Modes { at, since: oldest.at, frames: self.fresh, ..Modes::NONE };
        let mut column = [0.0f64; MAX_FRAMES];
        for m in 0..modes {
            for (k, x) in column[..n].iter_mut().enumerate() {
                *x = self.frames.newest(k).map_or(0.0, |f| f64::from(f.values[m]));
            }
            block.values[m] = median_in_place(&mut column[..n]).unwrap_or(0.0) as f32;
        }
        let made = self.compare(&block, n, modes, at, config);
        self.blocks.push(block);
        made
    }

    /// The look: `block` against the mean of those before it.
    fn compare(
        &mut self,
        block: &Modes,
        frames: usize,
        modes: usize,
        at: Timestamp,
        config: &Config,
    ) -> bool {
        let mut mean = [0.0f64; MAX_MODES];
        let (mut blocks, mut behind) = (0u32, 0u32);
        for k in 0..self.blocks.count {
            let Some(b) = self.blocks.newest(k) else { break };
            if at.seconds_since(b.at) > config.reference_s {
                break;
            }
            if b.at > block.since {
                continue;
            }
            for m in 0..modes {
                mean[m] += f64::from(b.values[m]);
            }
            blocks += 1;
            behind += b.frames;
        }
        let Some(noise) = self.noise().filter(|_| blocks as usize >= LEAST_BLOCKS) else { return false };
        // Blocks of the mean overlap and are medians: 1.3 of the variance of a mean of all frames.
        let variance = noise * (median_variance(frames) + 1.3 / f64::from(behind.max(1)));
        let deviation = math::sqrt(variance);
        for m in 0..modes {
            let d = f64::from(block.values[m]) - mean[m] / f64::from(blocks);
            self.look[m] = math::min_f64(1e12, d * d / variance) as f32;
            self.signed[m] = (d / deviation) as f32;
            self.change[m] = d;
        }
        true
    }

    /// Variance of the receiver's noise at present.
    fn noise(&self) -> Option<f64> {
        let mut sorted = *self.noises.values;
        let median = median_in_place(&mut sorted[..self.noises.count])?;
        (self.noises.count >= LEAST_BLOCKS).then(|| math::max_f64(NOISE_FLOOR, median))
    }

    fn collect(&mut self, basis: &Basis, config: &Config, work: &mut Scratch) {
        if self.learning != Learning::Collecting {
            return;
        }
        self.looks.push(self.look);
        if self.looks.len() < config.learn_looks as usize {
            return;
        }
        match Quiet::learn(basis, &self.looks, config.level_spread, work) {
            Ok(quiet) => {
                self.quiet = Some(quiet);
                self.canceller.clear();
                self.learning = Learning::Idle;
                self.refused = false;
                (self.moving_since, self.last_z) = (None, None);
                self.looks.clear();
            }
            Err(_) => {
                // What moved was perhaps the beginning: somebody who left.
                self.refused = true;
                self.looks.drain(..self.looks.len() / 4);
            }
        }
    }

    /// Mean of this look and the one before, cut so that one look alone needs to be far out; and the state that follows.
    fn decide(&mut self, z: f64, at: Timestamp, config: &Config) -> f64 {
        let cut = |z: f64| math::min_f64(config.single_look, z);
        let recent = self.last_cycle.is_some_and(|t| at.seconds_since(t) < config.block_longest_s);
        let before = self.last_z.filter(|_| recent).unwrap_or(0.0);
        self.last_z = Some(z);
        let evidence = 0.5 * (cut(before) + cut(z));
        if evidence >= config.on_z {
            self.moving_since = self.moving_since.or(Some(at));
            self.disturbed = at;
        } else if self.moving_since.is_some() && evidence >= config.keep_z {
            self.disturbed = at;
        }
        evidence
    }

    /// After the decision: tracks the quiet level, learns anew what moves without a pause for long.
    fn follow(&mut self, basis: &Basis, z: Option<f64>, at: Timestamp, config: &Config) {
        if self.moving_since.is_none()
            && let (Some(z), Some(quiet), Some(last)) = (z, self.quiet.as_mut(), self.last_cycle)
            && z < config.quiet_z
        {
            let dt = math::min_f64(1.0, at.seconds_since(last));
            quiet.track(basis, &self.look, dt / config.track_s);
        }
        if let Some(since) = self.moving_since
            && at.seconds_since(since) > config.background_s
            && self.learning == Learning::Idle
        {
            self.learn();
        }
    }
}
