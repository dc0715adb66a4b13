//! How many people move: from how unsteady the energy of their motion is.
//!
//! The energy that one person's motion leaves on a link rises and falls as they come near, turn and pause. That of N
//! independent people is a sum: its relative deviation is smaller by 1/√N. With `x = ln sd(ln E)`, E the energy of the looks
//! in half a second over all antennas of a pair, `x_N ≈ x_1 − ½ ln N`. This is free of gain, chip, distance and the
//! richness of the room, which decide E and its rank. What x is, and how far it differs from walk to walk, is taken from
//! 30 random simulated rooms ([`LEVELS`]; `docs/algorithms/motion.md`), from no recording. There it tells one from three in
//! 72 % of windows: weak evidence, and said as such.
//!
//! One pair of places: of links that lie elsewhere in the room each sees its own share of everybody, which steadies the sum
//! without anybody more.

use crate::LinkMotion;
use wavewitness_num::{math, sum::Welford};
use wavewitness_types::{Canonical, Sink, Timestamp};

/// Seconds of one energy.
const BLOCK_S: f64 = 0.5;
/// Blocks that are remembered: 60 s.
const KEPT: usize = 120;
/// Blocks without which nothing is said: 20 s.
const LEAST: usize = 40;
/// x over so many blocks of simulated walkers, one, two and three: mean and deviation over 30 rooms of 3.5 to 9 m, 2 min
/// each through this stage: walls as images to the second order, up to 12 objects; walkers of five scatterers, 0.3 to 1.5 m/s,
/// who pause.
const LEVELS: [(f64, [(f64, f64); 3]); 4] = [
    (40.0, [(-0.365, 0.280), (-0.584, 0.264), (-0.662, 0.255)]),
    (60.0, [(-0.326, 0.259), (-0.554, 0.257), (-0.638, 0.242)]),
    (90.0, [(-0.297, 0.243), (-0.534, 0.251), (-0.623, 0.232)]),
    (120.0, [(-0.284, 0.237), (-0.526, 0.249), (-0.616, 0.226)]),
];

/// Probabilities of how many people move, if somebody does, each number as likely as the others beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct People {
    /// Of one, of two, of three or more.
    pub probability: [f32; 3],
    /// Seconds that this rests on, 20 to 60.
    pub seconds: f32,
}

/// What is remembered of the energies of one transmitter and receiver.
#[derive(Clone, Debug)]
pub struct Counter {
    /// ln energy of the last blocks.
    blocks: Box<[f64; KEPT]>,
    next: usize,
    count: usize,
    begun: Option<Timestamp>,
    energy: f64,
    looks: u32,
    moving: u32,
    cycles: u32,
}

impl Default for Counter {
    fn default() -> Counter {
        Counter::new()
    }
}

impl Counter {
    /// Nothing seen yet.
    pub fn new() -> Counter {
        Counter {
            blocks: Box::new([0.0; KEPT]),
            next: 0,
            count: 0,
            begun: None,
            energy: 0.0,
            looks: 0,
            moving: 0,
            cycles: 0,
        }
    }

    /// Forgets what was seen.
    pub fn clear(&mut self) {
        (self.next, self.count, self.begun) = (0, 0, None);
        self.begin();
    }

    fn begin(&mut self) {
        (self.energy, self.looks, self.moving, self.cycles) = (0.0, 0, 0, 0);
    }

    /// Takes a cycle that ends at `at`: what the pairs of antennas of one transmitter and receiver said. When nothing moves
    /// on most of them for half a second, it begins anew: who stands still would be counted as unsteady.
    pub fn cycle(&mut self, at: Timestamp, links: &[LinkMotion]) {
        let begun = *self.begun.get_or_insert(at);
        let (mut energy, mut looks) = (0.0, 0u32);
        for e in links.iter().filter_map(|l| l.energy) {
            energy += f64::from(e);
            looks += 1;
        }
        if looks > 0 {
            self.energy += energy / f64::from(looks);
            self.looks += 1;
        }
        self.cycles += 1;
        self.moving += u32::from(2 * links.iter().filter(|l| l.moving).count() >= links.len().max(1));
        if at.seconds_since(begun) < BLOCK_S - 0.001 {
            return;
        }
        self.begun = Some(at);
        if self.moving == 0 {
            (self.next, self.count) = (0, 0);
        } else if self.looks > 0 {
            self.blocks[self.next] = math::ln(math::max_f64(1e-9, self.energy / f64::from(self.looks)));
            self.next = (self.next + 1) % KEPT;
            self.count = (self.count + 1).min(KEPT);
        }
        self.begin();
    }

    /// How many move; `None` before somebody did for 20 s.
    pub fn people(&self) -> Option<People> {
        if self.count < LEAST {
            return None;
        }
        let mut spread = Welford::EMPTY;
        for &e in &self.blocks[..self.count] {
            spread.push(e);
        }
        let x = 0.5 * math::ln(math::max_f64(1e-9, spread.variance()?));
        let levels = levels(self.count as f64);
        let ln_likelihood = levels.map(|(mean, sd)| {
            let z = (x - mean) / sd;
            -0.5 * z * z - math::ln(sd)
        });
        let most = ln_likelihood.into_iter().fold(f64::NEG_INFINITY, math::max_f64);
        let likelihood = ln_likelihood.map(|l| math::exp(l - most));
        let total = likelihood[0] + likelihood[1] + likelihood[2];
        let probability = likelihood.map(|l| (l / total) as f32);
        Some(People { probability, seconds: (self.count as f64 * BLOCK_S) as f32 })
    }
}

/// [`LEVELS`] for a number of blocks between them.
fn levels(blocks: f64) -> [(f64, f64); 3] {
    let mut out = LEVELS[LEVELS.len() - 1].1;
    for pair in LEVELS.windows(2).rev() {
        let ((n0, low), (n1, high)) = (pair[0], pair[1]);
        if blocks <= n1 {
            let share = (blocks - n0) / (n1 - n0);
            for k in 0..3 {
                out[k].0 = low[k].0 + share * (high[k].0 - low[k].0);
                out[k].1 = low[k].1 + share * (high[k].1 - low[k].1);
            }
        }
    }
    out
}

impl Canonical for People {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { probability, seconds } = self;
        probability.iter().for_each(|p| out.f32(*p));
        out.f32(*seconds);
    }
}
