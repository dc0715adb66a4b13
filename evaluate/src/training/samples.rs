//! What is learned from: the stage's features in a cycle, and what is right then.

use super::looks::Moment;
use wavewitness_fixtures::body::Posture as Truth;
use wavewitness_posture::{CLASSES, FEATURES, History, recent};

/// Cycles of 50 ms.
const CYCLE_NS: u64 = 50_000_000;
/// A fall is to be told from so many cycles after the floor: 0.4 s, when it has become still.
const TOLD_FROM: usize = 8;
/// To so many: 1 s.
const TOLD_UNTIL: usize = 20;
/// After so many cycles more it is daily life again: 3 s after the floor.
const OVER: usize = 60;

/// A cycle in which the stage has something to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// All features.
    pub features: [f64; FEATURES],
    /// Those of the last 3 s.
    pub recent: [f64; FEATURES],
    /// Standing, walking, sitting, lying; `None` in a fall, and where nobody or several are there.
    pub class: Option<usize>,
    /// Whether a fall is to be told; `None`: neither asked for nor wrong.
    pub fall: Option<bool>,
    /// The number of the fall whose time, from its begin to a second after the floor, this is.
    pub of_fall: Option<usize>,
    /// Departure from the empty room.
    pub departure: f64,
}

/// Begins and floors of falls, by cycle.
fn falls(moments: &[Moment]) -> Vec<[usize; 2]> {
    let falling = |k: usize| moments[k].truth == Some(Truth::Falling);
    let begins = (1..moments.len()).filter(|&k| falling(k) && !falling(k - 1));
    begins.map(|b| [b, (b..moments.len()).find(|&k| !falling(k)).unwrap_or(moments.len())]).collect()
}

/// Samples of a scene, and how many falls it has.
pub fn of(moments: &[Moment], from_cycle: usize) -> (Vec<Sample>, usize) {
    let falls = falls(moments);
    let mut history = History::new();
    let mut out = Vec::new();
    for (k, Moment { look, truth }) in moments.iter().enumerate() {
        history.push(*look, CYCLE_NS);
        if !history.is_full() || !history.is_steady() || k < from_cycle {
            continue;
        }
        let near = falls.iter().position(|&[begin, floor]| (begin..floor + OVER).contains(&k));
        let since = near.map(|n| (n, k as i64 - falls[n][1] as i64));
        let fall = match since {
            None => Some(false),
            Some((_, s)) => (TOLD_FROM as i64..=TOLD_UNTIL as i64).contains(&s).then_some(true),
        };
        let features = history.features();
        out.push(Sample {
            recent: recent(&features),
            features,
            class: truth.map(|t| t as usize).filter(|&class| class < CLASSES),
            fall,
            of_fall: since.filter(|s| s.1 <= TOLD_UNTIL as i64).map(|s| s.0),
            departure: look.departure,
        });
    }
    (out, falls.len())
}
