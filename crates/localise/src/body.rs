//! Somebody who is followed: what is believed of him, since when, and what is said of him.

use crate::Config;
use crate::filter::{Estimate, Filter};
use crate::path::Path;
use crate::sequence::Sequence;
use crate::window::LENGTH_S;
use wavewitness_num::math;
use wavewitness_types::{Followed, Room, Timestamp};

/// An estimate is not carried further ahead than this, s.
const LONGEST_AHEAD_S: f64 = 0.5;
/// Who stands with this probability is held; below the other he walks again.
const STANDS: f64 = 0.5;
const WALKS: f64 = 0.3;
/// Evidence of a window, in nats, that shows somebody.
const SHOWN: f64 = 0.5;
/// Most evidence that is remembered, nats.
const MOST_EVIDENCE: f64 = 20.0;
/// Evidence of the search that is as probable with somebody else there as without.
const EVEN_EVIDENCE: f64 = 5.0;
/// Up to this probability the count doesn't say that somebody else is there: before it has heard anything it says nearly as much.
const UNSURE: f64 = 0.75;
/// Least that is remembered against somebody unknown.
pub(crate) const LEAST_EVIDENCE: f64 = -2.0;

/// A filter and its history.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub filter: Filter,
    /// Of the particles; and of the filter's estimate.
    pub at: Timestamp,
    pub estimated: Timestamp,
    /// When something last showed him.
    pub shown: Timestamp,
    /// Evidence that he is there, given everybody else, nats.
    pub evidence: f64,
    pub known: bool,
    pub number: u32,
    /// The way since his particles began: his mean velocities, added up, m. What shakes or turns in its place goes nowhere.
    way_m: [f64; 2],
    /// Whether that was ever far enough for somebody who walks.
    pub travelled: bool,
    /// Where he stands, while he does.
    held: Option<Estimate>,
}

impl Body {
    pub fn new(most: usize, paths: usize) -> Body {
        Body {
            filter: Filter::new(most, paths),
            at: Timestamp(0),
            estimated: Timestamp(0),
            shown: Timestamp(0),
            evidence: 0.0,
            known: false,
            number: 0,
            way_m: [0.0; 2],
            travelled: false,
            held: None,
        }
    }

    /// Takes over a filter that found somebody.
    pub fn take_up(&mut self, found: &mut Body, number: u32) {
        core::mem::swap(&mut self.filter, &mut found.filter);
        (self.at, self.estimated, self.shown) = (found.at, found.estimated, found.estimated);
        (self.evidence, self.known, self.number) = (found.evidence, true, number);
        (self.way_m, self.travelled, self.held) = (found.way_m, found.travelled, None);
    }

    /// Begins anew: anywhere, nothing proven.
    pub fn scatter(&mut self, config: &Config, room: &Room, paths: &[Path], sequence: &mut Sequence) {
        self.filter.scatter(config.search as usize, config, room, paths, sequence);
        (self.evidence, self.way_m, self.travelled) = (0.0, [0.0; 2], false);
    }

    /// What is left of the evidence before this window's, of which `gained` nats are new.
    fn sum(&self, gained: f64, dt_s: f64, config: &Config) -> f64 {
        math::exp(-config.forget_hz * dt_s) * self.evidence + gained
    }

    /// The search's window was weighed.
    pub fn search(&mut self, gained: f64, config: &Config) {
        let dt_s = self.go(config);
        self.evidence = math::max_f64(LEAST_EVIDENCE, self.sum(gained, dt_s, config));
    }

    /// The estimate is now that of the particles' time. Returns the time since the last one, s.
    fn go(&mut self, config: &Config) -> f64 {
        let dt_s = math::min_f64(self.at.seconds_since(self.estimated), LONGEST_AHEAD_S);
        self.estimated = self.at;
        for k in 0..2 {
            self.way_m[k] += dt_s * self.filter.estimate.mean[2 + k];
        }
        self.travelled |= math::hypot(self.way_m[0], self.way_m[1]) > config.travel_m;
        dt_s
    }

    /// A window was weighed: `gained` nats better explained with him.
    pub fn learn(&mut self, gained: f64, config: &Config) {
        let dt_s = self.go(config);
        let e = self.filter.estimate;
        if gained > SHOWN {
            self.shown = self.at;
        }
        // Who stands shows nothing: that is no evidence against him.
        if e.standing < STANDS || gained > 0.0 {
            self.evidence = math::min_f64(MOST_EVIDENCE, self.sum(gained, dt_s, config));
        }
        if let Some(held) = &mut self.held {
            // Chance moves the mean; he is held until it is a deviation away.
            let [x, y] = [e.mean[0] - held.mean[0], e.mean[1] - held.mean[1]];
            if e.standing < WALKS || x * x + y * y > e.covariance[0][0] + e.covariance[1][1] {
                self.held = None;
            } else {
                held.covariance = e.covariance;
            }
        } else if e.standing > STANDS {
            self.held = Some(e);
        }
    }

    /// Probability that the search is about somebody: by its evidence, or as far as the count is sure that somebody is there whom nobody
    /// follows.
    pub fn chance_of_more(&self, counted: f64) -> f64 {
        let odds = math::exp(self.evidence - EVEN_EVIDENCE);
        math::max_f64((counted - UNSURE) / (1.0 - UNSURE), odds / (1.0 + odds))
    }

    /// True if he is somebody else seen twice, or nothing.
    pub fn is_disproved(&self, config: &Config) -> bool {
        self.evidence < config.disproof
    }

    /// What is said of him, as of `at`; `more`: probability that somebody is there who isn't followed.
    pub fn report(&self, at: Timestamp, more: f64, config: &Config, room: &Room) -> Followed {
        let e = self.held.as_ref().unwrap_or(&self.filter.estimate);
        let ahead_s = if self.held.is_some() {
            0.0
        } else {
            math::min_f64(at.seconds_since(self.estimated), LONGEST_AHEAD_S)
        };
        let mut out = Followed {
            number: self.number,
            mean: [0.0; 6],
            covariance: [[0.0; 6]; 6],
            existence: math::exp(-at.seconds_since(self.shown) / config.stay_s) * (1.0 - UNLIKELY),
            measured: at.seconds_since(self.shown) < MEASURED_S,
        };
        let deviation = config.inflation + config.unseen * more;
        let factor = deviation * deviation;
        let least = config.least_sd_m * config.least_sd_m;
        // A turn is hardly seen before its window is over. At a rate r it leaves r v² ∫ s² ds an axis over that time.
        let unseen_s = LENGTH_S + ahead_s;
        let speed2 = e.mean[2] * e.mean[2] + e.mean[3] * e.mean[3];
        let turned = if self.held.is_some() {
            0.0
        } else {
            config.turn_hz * speed2 * unseen_s * unseen_s * unseen_s / 3.0
        };
        for r in 0..4 {
            // x, y, their velocities among x, y, z, and theirs.
            let row = r + r / 2;
            for c in 0..4 {
                out.covariance[row][c + c / 2] = factor * e.covariance[r][c];
            }
            out.covariance[row][row] += if r < 2 { least + turned } else { least };
        }
        for k in 0..2 {
            let velocity = if self.held.is_some() { 0.0 } else { e.mean[2 + k] };
            let x = e.mean[k] + ahead_s * velocity;
            out.mean[k] = math::max_f64(room.min_m[k], math::min_f64(x, room.max_m[k]));
            out.mean[3 + k] = velocity;
        }
        out.mean[2] = room.min_m[2] + config.centre_height_m;
        out.covariance[2][2] = config.centre_height_sd_m * config.centre_height_sd_m;
        out.covariance[5][5] = VERTICAL_SPEED_M_S * VERTICAL_SPEED_M_S;
        out
    }
}

/// Probability that who is shown is nobody.
const UNLIKELY: f64 = 0.02;
/// Who was shown this long ago is measured, s.
const MEASURED_S: f64 = 1.0;
/// Standard deviation of a vertical speed of which nothing is measured, m/s.
const VERTICAL_SPEED_M_S: f64 = 0.2;

#[cfg(test)]
mod tests {
    //! Guards what the count says for the search.
    use super::*;

    #[test]
    fn a_count_that_is_sure_speaks_for_the_search() {
        let mut body = Body::new(1, 0);
        let nothing = body.chance_of_more(0.0);
        assert!(nothing < 0.01, "{nothing}");
        assert_eq!(
            body.chance_of_more(0.7),
            nothing,
            "as much as it says of a room of which it has heard nothing"
        );
        assert!((body.chance_of_more(0.875) - 0.5).abs() < 1e-9 && body.chance_of_more(1.0) == 1.0);
        body.evidence = 3.0 * EVEN_EVIDENCE;
        assert!(body.chance_of_more(0.0) > 0.99, "so does evidence");
    }
}
