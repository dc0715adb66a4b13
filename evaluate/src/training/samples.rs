//! What is learned from: the stage's features in a cycle, and what is right then.

use super::looks::Moment;
use wavewitness_fixtures::body::Posture as Truth;
use wavewitness_posture::{CLASSES, FEATURES, History, recent};

/// Cycles of 50 ms.
pub const CYCLE_NS: u64 = 50_000_000;
/// A fall is to be told from so many cycles after the floor: 0.4 s, when it has become still.
const TOLD_FROM: usize = 8;
/// To so many: 1 s.
pub const TOLD_UNTIL: usize = 20;
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
}

/// A scene.
pub struct Seen {
    /// Every cycle.
    pub moments: Vec<Moment>,
    /// The first that counts.
    pub from_cycle: usize,
    /// Cycles in which a fall begins and in which the body is on the floor.
    pub falls: Vec<[usize; 2]>,
    /// Those that are learned from.
    pub samples: Vec<Sample>,
}

/// Begins and floors of falls, by cycle.
fn falls(moments: &[Moment]) -> Vec<[usize; 2]> {
    let falling = |k: usize| moments[k].truth == Some(Truth::Falling);
    let begins = (1..moments.len()).filter(|&k| falling(k) && !falling(k - 1));
    begins.map(|b| [b, (b..moments.len()).find(|&k| !falling(k)).unwrap_or(moments.len())]).collect()
}

impl Seen {
    /// Of every cycle of a scene.
    pub fn of(moments: Vec<Moment>, from_cycle: usize) -> Seen {
        let falls = falls(&moments);
        let mut out = Seen { moments, from_cycle, falls, samples: Vec::new() };
        let mut history = History::new();
        for (k, Moment { look, truth }) in out.moments.iter().enumerate() {
            history.push(*look, CYCLE_NS);
            if !history.is_full() || !history.is_steady() || k < from_cycle {
                continue;
            }
            let told = |n: usize| {
                let floor = out.falls[n][1];
                (floor + TOLD_FROM..=floor + TOLD_UNTIL).contains(&k).then_some(true)
            };
            let features = history.features();
            out.samples.push(Sample {
                recent: recent(&features),
                features,
                class: truth.map(|t| t as usize).filter(|&class| class < CLASSES),
                fall: out.fall_at(k).map_or(Some(false), told),
            });
        }
        out
    }

    /// The fall that lasts in a cycle or is just over: from its begin to 3 s after the floor.
    pub fn fall_at(&self, cycle: usize) -> Option<usize> {
        self.falls.iter().position(|&[begin, floor]| (begin..floor + OVER).contains(&cycle))
    }
}
