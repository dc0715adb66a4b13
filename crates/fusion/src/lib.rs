//! All links of one cycle on one grid, each with the attention that it deserves, and what they see together.
//!
//! * the cells: every link's mean channel on the HT20 tones, a mask for what was measured ([`grid`]);
//! * attention: how far a link's measurement can be trusted, from its noise and not from its motion ([`attention`]);
//! * motion: each link's change over its quiet level, and the attention-weighted mean of it;
//! * cross-coherence: whether different receivers see the same changes ([`coherence`]).
//!
//! `docs/algorithms/fusion.md` has the derivations.
//!
//! What this crate does not do: it never averages the samples of different links (their phases have nothing in common),
//! it does not decide presence, and it fills no gap: an absent cell is zero and its mask says so.

pub mod attention;
pub mod coherence;
pub mod grid;

use attention::Reliability;
use coherence::Window;
use wavewitness_num::C64;
use wavewitness_types::limits::{FUSION_TONES, MAX_LINKS};
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{Baseline, ConfigError, FusedFrame, Link, LinkObservation, Quiet, Timestamp};

wavewitness_types::stage_config! {
    /// Fusion of the links of a cycle.
    pub struct Config in "fusion" {
        /// Noise-to-signal ratio below which a quieter link gets no more attention (0.02: 17 dB).
        noise_cap: f64 = 0.02, 1e-4, 1.0;
        /// Seconds of the window over which links are compared.
        window_s: f64 = 4.0, 1.0, 6.0;
        /// Seconds that a link's last value stands for it between its observations.
        hold_s: f64 = 0.5, 0.05, 2.0;
    }
}

/// What does not change from cycle to cycle.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
}

/// What is remembered of each link, and the window of changes.
#[derive(Clone, Debug)]
pub struct State {
    reliability: Vec<Reliability>,
    last: Vec<Last>,
    window: Window,
    row: Vec<C64>,
}

/// A link's last known values.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    at: Timestamp,
    ln_change: Option<f64>,
    motion: Option<f64>,
}

impl Plan {
    /// Checks the configuration.
    ///
    /// # Errors
    /// If a value is out of range.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        config.check()?;
        Ok(Plan { config: config.clone() })
    }

    /// Fuses the observations of the cycle that ends at `at`. `links` and `baselines` are indexed by link id;
    /// observations of ids beyond either [`MAX_LINKS`] or `links` are left out, missing baselines are `None`.
    ///
    /// `out.attention` and `out.motion` are zero for links that were not heard in this cycle. `out.fused_motion` and
    /// `out.cross_coherence` take a link's last value for at most `hold_s` more.
    pub fn run(
        &self,
        observations: &[LinkObservation],
        links: &[Link],
        baselines: &[Option<Baseline>],
        at: Timestamp,
        state: &mut State,
        out: &mut FusedFrame,
    ) {
        out.clear();
        let links = &links[..links.len().min(MAX_LINKS)];
        for seen in observations.iter().filter(|o| o.link.index() < links.len()) {
            let baseline = baselines.get(seen.link.index()).and_then(Option::as_ref);
            self.take(seen, baseline, at, state, out);
        }
        normalise(&mut out.attention);
        out.fused_motion = self.fused_motion(at, state);
        let State { last, window, .. } = state;
        window.advance(at, |link| {
            let l = last.get(link)?;
            l.ln_change.filter(|_| at.seconds_since(l.at) <= self.config.hold_s)
        });
        let reliability = |link: usize| state.reliability[link].value(self.config.noise_cap);
        out.cross_coherence =
            state.window.cross_coherence(links, at, self.config.window_s, reliability).map(|c| c as f32);
    }

    fn take(
        &self,
        seen: &LinkObservation,
        baseline: Option<&Baseline>,
        at: Timestamp,
        state: &mut State,
        out: &mut FusedFrame,
    ) {
        let link = seen.link.index();
        let mask = grid::onto_fusion_grid(&seen.mean, &mut state.row);
        out.mask[link] = mask;
        let cells = link * FUSION_TONES..(link + 1) * FUSION_TONES;
        let (re, im) = (&mut out.re[cells.clone()], &mut out.im[cells]);
        for (k, z) in state.row.iter().enumerate() {
            // Exact: the row was widened from f32.
            re[k] = z.re as f32 + 0.0;
            im[k] = z.im as f32 + 0.0;
        }
        let reliability = &mut state.reliability[link];
        reliability.observe(seen, &state.row, mask, at, self.config.hold_s);
        out.attention[link] = reliability.value(self.config.noise_cap) as f32;
        let change = seen.change.map(f64::from);
        let motion = change.zip(baseline).map(|(c, b)| b.quiet_change.ratio(c));
        out.motion[link] = motion.unwrap_or(0.0) as f32;
        state.last[link] = Last { at, ln_change: change.map(Quiet::ln), motion };
    }

    fn fused_motion(&self, at: Timestamp, state: &State) -> Option<f32> {
        let (mut total, mut weights) = (0.0, 0.0);
        for (last, reliability) in state.last.iter().zip(&state.reliability) {
            let Some(motion) = last.motion.filter(|_| at.seconds_since(last.at) <= self.config.hold_s) else {
                continue;
            };
            let weight = reliability.value(self.config.noise_cap);
            total += weight * motion;
            weights += weight;
        }
        (weights > 0.0).then(|| (total / weights) as f32)
    }
}

/// Present links sum to 1; if there is none, all stay 0.
fn normalise(attention: &mut [f32]) {
    let total = wavewitness_num::sum::sum(attention);
    if total > 0.0 {
        for a in attention {
            *a = (f64::from(*a) / total) as f32;
        }
    }
}

impl State {
    /// Nothing heard yet. All memory is taken here.
    pub fn new(_plan: &Plan) -> State {
        State {
            reliability: vec![Reliability::new(); MAX_LINKS],
            last: vec![Last::default(); MAX_LINKS],
            window: Window::new(),
            row: vec![C64::new(0.0, 0.0); FUSION_TONES],
        }
    }
}
