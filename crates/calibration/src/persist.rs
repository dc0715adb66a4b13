//! Baselines as bytes, to be carried over a restart. Version byte, count, then link and baseline, ascending by link.

use crate::{Plan, State};
use wavewitness_types::canonical::Reader;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::{Baseline, Canonical, Link, Quiet, Sink};

const VERSION: u8 = 1;

impl State {
    /// Every baseline, in use or waiting for its link to be seen. The same baselines give the same bytes whatever ids
    /// their links had.
    pub fn export(&self) -> Vec<u8> {
        let bound = self.slots.iter().zip(&self.baselines).filter_map(|(s, b)| Some((s.link?, b.as_ref()?)));
        let waiting = self.unbound.iter().map(|(link, b)| (*link, b));
        // Those in use come first: of the others, what exceeds the bound is left out.
        let mut all: Vec<(Link, &Baseline)> = bound.chain(waiting).take(MAX_LINKS).collect();
        all.sort_by_key(|(link, _)| *link);
        let mut out = Vec::new();
        out.u8(VERSION);
        out.count(all.len());
        for (link, baseline) in all {
            link.canonical(&mut out);
            // The id is what a restart changes; [`Plan::bind`] gives the new one.
            let mut baseline = baseline.clone();
            baseline.link.0 = 0;
            baseline.canonical(&mut out);
        }
        out
    }

    /// A state whose baselines wait for [`Plan::bind`] to give their links ids. `None` if the bytes are not an export:
    /// truncated, with bytes to spare, unsorted, or with a value that no baseline has.
    pub fn import(plan: &Plan, bytes: &[u8]) -> Option<State> {
        let mut r = Reader::new(bytes);
        let mut state = State::new(plan);
        if r.u8()? != VERSION {
            return None;
        }
        for _ in 0..r.count(MAX_LINKS)? {
            let link = Link::read(&mut r)?;
            let baseline = Baseline::read(&mut r)?;
            let ascending = state.unbound.last().is_none_or(|(last, _)| *last < link);
            if !ascending || !plausible(&baseline) {
                return None;
            }
            state.unbound.push((link, baseline));
        }
        r.finished()?;
        Some(state)
    }
}

/// Values that a collection can give: means of unit-power frames, logarithms of quantities in `Quiet::FLOOR..=1`.
fn plausible(b: &Baseline) -> bool {
    let Baseline {
        link,
        empty_room: _,
        observations,
        completed: _,
        mean,
        variance,
        quiet_incoherence,
        quiet_change,
        rssi_dbm,
        rssi_sd_db,
    } = b;
    let power = mean.mean_power();
    let quiet = |q: &Quiet| (-30.0..=1.0).contains(&q.ln_mean) && (0.0..=30.0).contains(&q.ln_sd);
    link.0 == 0
        && *observations > 0
        && power > 0.0
        && power < 1.01
        && variance.iter().all(|&v| (0.0..=2.0 * mean.grid().tone_count() as f32).contains(&v))
        && quiet(quiet_incoherence)
        && quiet(quiet_change)
        && rssi_dbm.is_none_or(|x| (-128.0..=127.0).contains(&x))
        && rssi_sd_db.is_none_or(|x| (0.0..=255.0).contains(&x))
}
