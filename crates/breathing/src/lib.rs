//! Breathing rate from the channel of one receiver, with its standard deviation, or nothing.
//!
//! [`Plan::push`] takes one packet's channel at its time: every receive chain and stream of it, or a single one. Gain,
//! common phase and timing slope go out per packet; a ring keeps what is left of the last minute in a few bands of
//! tones. [`Plan::estimate`] looks for one line in the breathing band that log-amplitudes and phases of all bands and
//! chains share, at the true times of the packets, and says how likely noise alone would show such a line anywhere in
//! the band. `docs/algorithms/breathing.md` has the derivation, the measurements and the failures.
//!
//! What this crate does not do: it does not say that somebody is there (a fan that turns its head 10 times a minute has a
//! rate, too), it does not separate two people, it follows no rate from one estimate to the next, and it gives no heart
//! rate.

mod evidence;
mod features;
mod line;
mod significance;
mod spectrum;

pub use evidence::State;

use features::Features;
use spectrum::Spectrum;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{Canonical, ConfigError, Sink, Timestamp};

wavewitness_types::stage_config! {
    /// Breathing rate of the person near a link.
    pub struct Config in "breathing" {
        /// Seconds that an estimate looks back. The resolution is their inverse: one breath a minute at 60 s.
        window_s: f64 = 60.0, 20.0, 120.0;
        /// Least seconds for an estimate.
        least_s: f64 = 20.0, 10.0, 120.0;
        /// Packets within so many seconds are averaged: twelve samples a second leave the fastest breath and its
        /// harmonics as they are.
        slot_s: f64 = 0.08, 0.02, 0.2;
        /// Slowest rate that is looked for, breaths a minute: below it drift has the same shape.
        lowest_bpm: f64 = 6.0, 4.0, 20.0;
        /// Fastest rate that is looked for, breaths a minute: an adult after effort, a small child at rest.
        highest_bpm: f64 = 40.0, 20.0, 60.0;
        /// Least breaths in the window: a line of fewer can't be told from drift.
        least_breaths: f64 = 5.0, 2.0, 10.0;
        /// Probability that stationary noise gives a rate, for each estimate.
        false_alarm: f64 = 0.002, 0.000_001, 0.05;
        /// A second line with at least this share of the first one's strength makes the rate doubtful.
        rival: f64 = 0.5, 0.1, 1.0;
        /// Least coherence of a band with its mean over the window (1: it stands still, 0.77: a swing of ±1 rad).
        least_coherence: f64 = 0.5, 0.1, 0.95;
        /// Bands that the tones are averaged in: 2.5 MHz of a 20 MHz channel, within the coherence bandwidth of a room.
        bands: u32 = 8, 3, 16;
    }
}

/// What a packet of this receiver holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape<'a> {
    /// Receive chains that share an oscillator, 1 to 4.
    pub rx: u32,
    /// Streams of the transmitter, 1 to 4.
    pub tx: u32,
    /// Signed tone indices, strictly ascending, at least two a band.
    pub tones: &'a [i16],
}

/// A breathing rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Breaths a minute, the mean over `span_s`.
    pub bpm: f64,
    /// Its standard deviation.
    pub sigma_bpm: f64,
    /// Probability that noise alone shows so strong a line anywhere in the band.
    pub false_alarm: f64,
    /// Strength of the line over the noise around it, as a ratio of powers.
    pub strength: f64,
    /// Seconds that the estimate rests on.
    pub span_s: f64,
}

/// Why there is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Unknown {
    /// The packets reach back less than `least_s`, or too few of them.
    TooShort = 0,
    /// Packets come too rarely, or with too long a gap, for the band.
    TooSparse = 1,
    /// The channel does not stay near its mean: somebody moves more than a chest does.
    Motion = 2,
    /// No line stands out of the noise.
    NoLine = 3,
    /// Two lines compete, or a slower one than the window resolves is stronger.
    Rivals = 4,
}

/// A rate or the reason for none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// A rate.
    Rate(Rate),
    /// None, and why.
    Unknown(Unknown),
}

impl Reading {
    /// The rate, if there is one.
    pub fn rate(self) -> Option<Rate> {
        match self {
            Reading::Rate(rate) => Some(rate),
            Reading::Unknown(_) => None,
        }
    }
}

impl Canonical for Rate {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { bpm, sigma_bpm, false_alarm, strength, span_s } = self;
        out.f64s(&[*bpm, *sigma_bpm, *false_alarm, *strength, *span_s]);
    }
}

impl Canonical for Reading {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Reading::Rate(rate) => {
                out.u8(255);
                rate.canonical(out);
            }
            Reading::Unknown(reason) => out.u8(*reason as u8),
        }
    }
}

/// Everything that does not change: configuration, and where each band begins.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    rx: usize,
    tx: usize,
    tones: Vec<f64>,
    /// Tones `edges[b]..edges[b + 1]` are band b.
    edges: Vec<usize>,
    /// Mean tone index of each band, about zero.
    places: Vec<f64>,
    /// The spacing that most neighbouring tones have.
    spacing: f64,
}

/// Working memory of an estimate; nothing in it outlives the call, so links of one shape can share one.
#[derive(Clone, Debug)]
pub struct Scratch {
    features: Features,
    spectrum: Spectrum,
    stage: line::Stage,
}

impl Scratch {
    /// Takes all memory that estimates of this plan need.
    pub fn new(plan: &Plan) -> Scratch {
        Scratch { features: Features::new(plan), spectrum: Spectrum::new(plan), stage: line::Stage::Idle }
    }
}

impl Plan {
    /// Checks configuration and shape.
    ///
    /// # Errors
    /// If a value is out of range, two contradict each other, or the shape is not one.
    pub fn new(config: &Config, shape: Shape<'_>) -> Result<Plan, ConfigError> {
        config.check()?;
        let bad = |name: &str, value: &dyn core::fmt::Display, allowed: &str| {
            Err(ConfigError::new(name, value, format_args!("{allowed}")))
        };
        if config.least_s > config.window_s {
            return bad("breathing.least_s", &config.least_s, "at most breathing.window_s");
        }
        if config.lowest_bpm >= config.highest_bpm {
            return bad("breathing.lowest_bpm", &config.lowest_bpm, "below breathing.highest_bpm");
        }
        if !(1..=4).contains(&shape.rx) || !(1..=4).contains(&shape.tx) {
            return bad("breathing: chains", &shape.rx, "1 to 4 receive chains and 1 to 4 streams");
        }
        let (bands, n) = (config.bands as usize, shape.tones.len());
        if n < 2 * bands || shape.tones.windows(2).any(|w| w[0] >= w[1]) {
            return bad("breathing: tones", &n, "ascending, at least two a band");
        }
        let tones: Vec<f64> = shape.tones.iter().map(|&k| f64::from(k)).collect();
        let edges: Vec<usize> = (0..=bands).map(|b| b * n / bands).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let mut places: Vec<f64> = edges.windows(2).map(|e| mean(&tones[e[0]..e[1]])).collect();
        let centre = mean(&places);
        places.iter_mut().for_each(|p| *p -= centre);
        // All grids have one spacing but for a few tones about DC.
        let mut spacings: Vec<f64> = tones.windows(2).map(|w| w[1] - w[0]).collect();
        spacings.sort_unstable_by(f64::total_cmp);
        let spacing = spacings[spacings.len() / 2];
        let (rx, tx) = (shape.rx as usize, shape.tx as usize);
        Ok(Plan { config: config.clone(), rx, tx, tones, edges, places, spacing })
    }

    /// Takes the channel of one packet: `[rx][tx][tone]`, real and imaginary parts. False if it was not used: wrong
    /// length, a chain without power, a number that is not finite, or older than the packet before it.
    pub fn push(&self, at: Timestamp, re: &[f32], im: &[f32], state: &mut State) -> bool {
        state.push(self, at, re, im)
    }

    /// The rate of the last `window_s` before the newest packet, or why there is none.
    pub fn estimate(&self, state: &State, scratch: &mut Scratch) -> Reading {
        let mut found = self.begin(state, scratch);
        loop {
            match found {
                Some(reading) => return reading,
                None => found = self.advance(usize::MAX, scratch),
            }
        }
    }

    /// Begins an estimate that [`Plan::advance`] goes on with, for callers who have little time at once: packets pushed
    /// meanwhile do not enter. The reading at once if there is too little to begin with. An estimate under way is given up.
    pub fn begin(&self, state: &State, scratch: &mut Scratch) -> Option<Reading> {
        line::begin(self, state, scratch).err().map(Reading::Unknown)
    }

    /// Computes the next `frequencies` of an estimate that was begun; the reading once it is done. However it is divided,
    /// the reading is that of [`Plan::estimate`].
    pub fn advance(&self, frequencies: usize, scratch: &mut Scratch) -> Option<Reading> {
        Some(match line::advance(self, frequencies, scratch)? {
            Ok(rate) => Reading::Rate(rate),
            Err(reason) => Reading::Unknown(reason),
        })
    }

    fn streams(&self) -> usize {
        self.rx * self.tx
    }

    fn bands(&self) -> usize {
        self.places.len()
    }

    /// Complex numbers that are kept of a slot: `[rx][tx][band]`.
    fn cells(&self) -> usize {
        self.streams() * self.bands()
    }

    /// Slots of a window.
    fn slots(&self) -> usize {
        (self.config.window_s / self.config.slot_s) as usize + 2
    }
}
