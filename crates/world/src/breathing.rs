//! One breathing rate from what the links say, or nothing.
//!
//! Each link's reading has a probability p that noise alone gives it. Looking at n links and taking the best is n
//! chances (Bonferroni), so a lone link needs p ≤ α/n; each further link whose rate agrees would by chance fall within
//! the tolerance of the first with p times the tolerance over the band, which is multiplied in, with the number of ways to
//! choose the links. Links that disagree as often as they agree are two people, or a machine and a person: no rate.

use crate::config::Config;
use crate::{Input, LinkBreathing};
use wavewitness_num::math;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::{Breathing, BreathingRate, NoBreathing};

/// How far a rate may wander between the windows of two links, breaths a minute.
const WANDER_BPM: f64 = 0.5;
/// Sigmas within which two rates agree.
const AGREE_SIGMAS: f64 = 3.0;
/// Rates that are looked for, breaths a minute: chance would spread over them.
const BAND_BPM: f64 = 34.0;
/// No claim is surer than this.
const LEAST_CHANCE: f64 = 1e-9;

/// What the room's links say together. `moving`: somebody moves now.
pub(crate) fn fuse(config: &Config, input: &Input<'_>, moving: bool) -> Breathing {
    let fresh = || {
        input.links.iter().take(MAX_LINKS).filter_map(|l| l.breathing.as_ref()).filter(|b| {
            let LinkBreathing { at, .. } = b;
            input.at.seconds_since(*at) <= config.breathing_hold_s
        })
    };
    if moving && fresh().next().is_some() {
        return Breathing::Unknown(NoBreathing::Motion);
    }
    let rates = || {
        fresh().filter_map(|b| match b.breathing {
            Breathing::Rate(rate) => Some(rate),
            Breathing::Unknown(_) => None,
        })
    };
    let Some(best) = rates().reduce(|a, b| if b.false_alarm < a.false_alarm { b } else { a }) else {
        return Breathing::Unknown(reason(fresh().map(|b| b.breathing)));
    };
    let looked = fresh().count();
    let (mut agreeing, mut disagreeing) = (0usize, 0usize);
    let (mut weight, mut weighted, mut span) = (0.0, 0.0, 0.0);
    let mut chance = 1.0;
    for rate in rates() {
        let tolerance = tolerance_bpm(&rate, &best);
        if (f64::from(rate.bpm) - f64::from(best.bpm)).abs() > tolerance {
            disagreeing += 1;
            continue;
        }
        // The number of ways to choose k + 1 of n links, from that for k.
        chance *= (looked - agreeing) as f64 / (agreeing + 1) as f64;
        chance *= f64::from(rate.false_alarm) * if agreeing > 0 { 2.0 * tolerance / BAND_BPM } else { 1.0 };
        agreeing += 1;
        let sigma = math::max_f64(f64::from(rate.sigma_bpm), 1e-3);
        let w = 1.0 / (sigma * sigma);
        weight += w;
        weighted += w * f64::from(rate.bpm);
        span += w * f64::from(rate.span_s);
    }
    if disagreeing >= agreeing {
        return Breathing::Unknown(NoBreathing::Rivals);
    }
    let alone = looked as f64 * f64::from(best.false_alarm);
    let chance = math::max_f64(LEAST_CHANCE, math::min_f64(alone, chance));
    if chance > config.breathing_false_alarm {
        return Breathing::Unknown(NoBreathing::NoLine);
    }
    let bpm = weighted / weight;
    let mut spread = 0.0;
    for rate in rates() {
        let off = f64::from(rate.bpm) - bpm;
        if (f64::from(rate.bpm) - f64::from(best.bpm)).abs() <= tolerance_bpm(&rate, &best) {
            let sigma = math::max_f64(f64::from(rate.sigma_bpm), 1e-3);
            spread += off * off / (sigma * sigma) / weight;
        }
    }
    // What the links share (the breath itself wanders) does not average out: no better than the best of them.
    let sigma2 = math::max_f64(f64::from(best.sigma_bpm) * f64::from(best.sigma_bpm), spread);
    Breathing::Rate(BreathingRate {
        bpm: bpm as f32,
        sigma_bpm: math::sqrt(sigma2) as f32,
        false_alarm: chance as f32,
        links: agreeing as u16,
        span_s: (span / weight) as f32,
    })
}

fn tolerance_bpm(a: &BreathingRate, b: &BreathingRate) -> f64 {
    AGREE_SIGMAS * math::hypot(f64::from(a.sigma_bpm), f64::from(b.sigma_bpm)) + WANDER_BPM
}

/// Why no link has a rate: what the most telling of them says.
fn reason(readings: impl Iterator<Item = Breathing>) -> NoBreathing {
    use NoBreathing as R;
    let telling = |r: NoBreathing| match r {
        R::NoData => 0,
        R::TooShort => 1,
        R::TooSparse => 2,
        R::NoLine => 3,
        R::Rivals => 4,
        R::Motion => 5,
    };
    let mut most = R::NoData;
    for reading in readings {
        if let Breathing::Unknown(r) = reading
            && telling(r) > telling(most)
        {
            most = r;
        }
    }
    most
}
