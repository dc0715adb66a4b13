//! Motion of one link: a detector with a false-alarm rate by design, on what quiet data shows.
//!
//! Every frame gives the shape of its amplitude over the tones ([`Plan::frame`]); every cycle a *look* ([`Plan::end_cycle`]):
//! the newest 0.1 s against the last second, in cosine modes over the band, whitened by the receiver's present noise and
//! by what the link's own quiet looks showed. Its score z is standard normal in quiet. `docs/algorithms/motion.md` has the
//! derivation.
//!
//! What can't count as motion, by construction: gain (shapes have unit power), common phase, frequency offset and timing
//! (amplitudes only), noise of any level (measured on every pair of frames), single odd frames (medians), drift slower than a
//! second (the mean follows).
//!
//! What repeats itself exactly (a fan) is found and taken out of the score ([`LinkMotion::machine_z`]). Of antennas that lie
//! together, [`Counter`] tells how probable one, two or more who move are.
//!
//! What this crate does not do: it does not say that anybody is *there* (who keeps still does not move: that is for
//! `world`, from the baseline), it counts nobody over links that lie apart, it tells no place, and it looks at no phase.

pub mod basis;
mod count;
mod link;
mod periodic;
mod quiet;

pub use basis::Basis;
pub use count::{Counter, People};

use link::LinkState;
use quiet::Scratch;
use wavewitness_num::math;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{
    CalibratedFrame, Canonical, ConfigError, LinkId, Samples, Sink, Timestamp, ToneGrid,
};

wavewitness_types::stage_config! {
    /// Motion of each link.
    pub struct Config in "motion" {
        /// Frames of the last so many seconds make a block …
        block_s: f64 = 0.1, 0.02, 0.3;
        /// … and at least so many frames, …
        block_frames: u32 = 5, 1, 16;
        /// … if they are not older than this, s.
        block_longest_s: f64 = 0.3, 0.05, 1.0;
        /// A block is compared with the mean of the blocks of the last so many seconds.
        reference_s: f64 = 1.0, 0.3, 1.5;
        /// Looks (cycles with frames) from which quiet is learned; up to 40 % of them may have seen motion.
        learn_looks: u32 = 90, 40, 400;
        /// How far the quiet level may wander after learning, as a standard deviation of its logarithm.
        level_spread: f64 = 0.35, 0.0, 1.0;
        /// Mean z of two looks in a row from which something moves. For Gaussian noise this is less than one false alarm
        /// in a year; receivers have heavier tails.
        on_z: f64 = 5.5, 2.0, 20.0;
        /// A look counts as this much at most: one alone can say so only if the other is not quiet either.
        single_look: f64 = 8.0, 2.0, 50.0;
        /// The same mean from which motion that was found goes on.
        keep_z: f64 = 3.5, 1.0, 20.0;
        /// z up to which a look counts as quiet, and is learned from: 1 % of quiet looks lie above.
        quiet_z: f64 = 2.33, 0.5, 10.0;
        /// Motion lasts this much longer than its last trace, s: people pause.
        hold_s: f64 = 1.0, 0.0, 30.0;
        /// Time constant with which the quiet level follows quiet looks, s.
        track_s: f64 = 60.0, 5.0, 86400.0;
        /// What moves without a pause for this long is learned as background, s.
        background_s: f64 = 600.0, 10.0, 86400.0;
        /// Share of the energy that must be predictable from half a second ago, and from three, for a machine.
        machine_share: f64 = 0.6, 0.5, 0.99;
        /// For so long that must hold, s.
        machine_s: f64 = 5.0, 1.0, 600.0;
    }
}

/// What does not change from cycle to cycle.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    /// By code of the grid, then that of [`Plan::with_tones`].
    bases: Vec<Basis>,
}

/// What is remembered of every link: its last frames and blocks, what quiet looks like, what repeats. About 65 kB a link.
#[derive(Clone, Debug)]
pub struct State {
    links: Vec<LinkState>,
    work: Scratch,
}

/// How far a link's quiet level is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// So many looks of those that are needed.
    Learning {
        /// Looks so far.
        have: u32,
        /// Looks needed.
        need: u32,
        /// True if the attempt before this one saw too much motion to learn from.
        refused: bool,
    },
    /// Known.
    Ready,
}

/// What one link says in one cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkMotion {
    /// Score of this cycle's look: standard normal in quiet. `None` without frames, without a recent mean (the first
    /// 0.3 s), or before quiet is known.
    pub z: Option<f32>,
    /// Mean of the last two scores, each cut at `single_look`: what [`LinkMotion::moving`] rests on. `None` as z.
    pub evidence: Option<f32>,
    /// Something moves, or did within `hold_s`.
    pub moving: bool,
    /// Energy of this cycle's look: mean square change of the amplitude shape, whose own mean square is 1. `None` without one.
    pub energy: Option<f32>,
    /// A fan or the like runs beside the link. It is taken out of `z`, `evidence` and `moving`; this is the score with it.
    /// `None` without a machine, and in a cycle without a look.
    pub machine_z: Option<f32>,
    /// Whether quiet is known.
    pub condition: Condition,
}

impl Plan {
    /// Checks the configuration and plans the modes of every tone grid.
    ///
    /// # Errors
    /// If a value is out of range, or they contradict each other.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        config.check()?;
        if config.block_longest_s < config.block_s {
            let allowed = format_args!("at least motion.block_s = {}", config.block_s);
            return Err(ConfigError::new("motion.block_longest_s", config.block_longest_s, allowed));
        }
        // Every grid has at least 52 tones in ascending order.
        let bases = ToneGrid::ALL.iter().filter_map(|g| Basis::new(g.indices(), g.spacing_hz())).collect();
        Ok(Plan { config: config.clone(), bases })
    }

    /// The same for frames that are on no grid of ours, as of an Intel 5300: [`Plan::amplitudes`] takes them.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with_tones(config: &Config, basis: Basis) -> Result<Plan, ConfigError> {
        let mut plan = Plan::new(config)?;
        plan.bases.push(basis);
        Ok(plan)
    }

    /// Takes a frame of a link. Ids that are not below [`MAX_LINKS`] are ignored, as are frames without power.
    pub fn frame(&self, frame: &CalibratedFrame, state: &mut State) {
        self.samples(frame.link, frame.at, &frame.samples, state);
    }

    /// Takes the samples of a frame, at any gain and with any phase.
    pub fn samples(&self, link: LinkId, at: Timestamp, samples: &Samples, state: &mut State) {
        let Some(link) = state.links.get_mut(link.index()) else { return };
        let parts = samples.re().iter().zip(samples.im());
        let amplitudes = parts.map(|(&re, &im)| math::sqrt_f32(re * re + im * im));
        let index = samples.grid() as usize;
        link.frame(at, &self.bases[index], index, amplitudes);
    }

    /// Takes amplitudes on the tones of [`Plan::with_tones`]; ignored without it, or if there are too few.
    pub fn amplitudes(&self, link: LinkId, at: Timestamp, amplitudes: &[f32], state: &mut State) {
        let index = ToneGrid::ALL.len();
        let (Some(link), Some(basis)) = (state.links.get_mut(link.index()), self.bases.get(index)) else {
            return;
        };
        if amplitudes.len() == basis.tones() {
            link.frame(at, basis, index, amplitudes.iter().copied());
        }
    }

    /// Ends the cycle that ends at `at`; appends what each of the first `links` links says to `out`, which it clears first.
    pub fn end_cycle(&self, at: Timestamp, links: usize, state: &mut State, out: &mut Vec<LinkMotion>) {
        out.clear();
        let State { links: known, work } = state;
        for link in known.iter_mut().take(links) {
            let scored = link.end_cycle(at, &self.bases, &self.config, work);
            let condition = match link.learning() {
                Some(have) if link.quiet.is_none() => {
                    Condition::Learning { have, need: self.config.learn_looks, refused: link.refused() }
                }
                _ => Condition::Ready,
            };
            out.push(LinkMotion {
                z: scored.z.map(|z| z as f32),
                evidence: scored.evidence.map(|e| e as f32),
                moving: scored.moving,
                energy: scored.energy.map(|e| e as f32),
                machine_z: scored.machine_z.map(|z| z as f32),
                condition,
            });
        }
    }

    /// Learns quiet anew on every link, as on the operator's word that nothing moves; what is known stays in use until
    /// then.
    pub fn learn(&self, state: &mut State) {
        state.links.iter_mut().for_each(LinkState::learn);
    }

    /// Forgets the last seconds of every link but not what quiet looks like: for a stream that begins anew.
    pub fn restart(&self, state: &mut State) {
        state.links.iter_mut().for_each(LinkState::restart);
    }

    /// The receiver's own ripple in quiet over its white noise, of a link whose quiet is known; 1 is ideal.
    pub fn ripple(&self, link: LinkId, state: &State) -> Option<f64> {
        state.links.get(link.index())?.ripple(&self.bases)
    }
}

impl State {
    /// Nothing heard yet. All memory is taken here.
    pub fn new(plan: &Plan) -> State {
        State {
            links: (0..MAX_LINKS).map(|_| LinkState::new(&plan.config)).collect(),
            work: Scratch::new(plan.config.learn_looks as usize),
        }
    }
}

impl Canonical for Condition {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match *self {
            Condition::Learning { have, need, refused } => {
                out.u8(0);
                out.u32(have);
                out.u32(need);
                out.bool(refused);
            }
            Condition::Ready => out.u8(1),
        }
    }
}

impl Canonical for LinkMotion {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { z, evidence, moving, energy, machine_z, condition } = self;
        out.option(z.as_ref(), |s, &v| s.f32(v));
        out.option(evidence.as_ref(), |s, &v| s.f32(v));
        out.bool(*moving);
        out.option(energy.as_ref(), |s, &v| s.f32(v));
        out.option(machine_z.as_ref(), |s, &v| s.f32(v));
        condition.canonical(out);
    }
}
