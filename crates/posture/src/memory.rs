//! What is concluded from looks, cycle by cycle. `evaluate posture-train` judges new weights by this, so that what it scores is
//! what runs.

use crate::classes::{self, Fallen, Rest};
use crate::falls::Falls;
use crate::look::{History, Look, recent};
use crate::{Config, Plan, Verdict};
use wavewitness_types::{FallWatch, NoPosture, Posture, PostureClass, Timestamp, TrackId, UnknownReason};

/// What is remembered of the looks of a room, and of what they said.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    history: History,
    rest: Rest,
    fallen: Fallen,
    falls: Falls,
    now: Timestamp,
}

impl Memory {
    /// The newest look; one that is not known before the first.
    pub(crate) fn newest(&self) -> &Look {
        self.history.newest()
    }
}

impl Plan {
    /// Takes the look of the cycle that ends at a time. `person`: the only one who is published, if there is just one. `unknown`: why
    /// nothing is said, where nothing is.
    pub fn conclude(
        &self,
        at: Timestamp,
        look: Look,
        person: Option<TrackId>,
        unknown: UnknownReason,
        memory: &mut Memory,
    ) -> Verdict {
        let (dt, since_ns) = (at.seconds_since(memory.now), at.nanos_since(memory.now));
        memory.now = memory.now.max(at);
        memory.history.push(look, since_ns);
        if !memory.history.is_full() {
            memory.rest = Rest::default();
            let fall = self.watch(at, Some(unknown), &memory.falls);
            return Verdict { fall, look, ..Verdict::NOTHING };
        }
        let features = memory.history.features();
        let steady = memory.history.is_steady();
        let evidence = steady.then(|| self.weights.fall.run(&recent(&features))[0]);
        let is_there = look.departure >= self.config.least_departure;
        let is_still = memory.history.newest_change() <= self.config.most_change;
        // Who lies where he fell does not fall.
        if let Some(evidence) = evidence
            && is_there
            && is_still
            && !memory.fallen.is_down()
            && let Some(fall) = memory.falls.decide(&self.config, at, evidence, person)
        {
            memory.fallen.fall(f64::from(fall.probability));
        }
        let seen = classes::probability(&self.weights.class, &features);
        let probability = memory.fallen.step(&memory.rest.step(&seen, is_still, dt), dt);
        let doubt = evidence.is_none().then_some(UnknownReason::Gaps);
        Verdict {
            posture: published(&self.config, &probability),
            probability: Some(probability),
            on_floor: memory.fallen.on_floor(),
            fall: self.watch(at, doubt, &memory.falls),
            evidence,
            look,
        }
    }

    /// What is published of falls: the newest for as long as it is, whatever became of the watch since.
    fn watch(&self, at: Timestamp, doubt: Option<UnknownReason>, falls: &Falls) -> FallWatch {
        match (falls.newest(&self.config, at), doubt) {
            (None, Some(reason)) => FallWatch::Unknown(reason),
            (fall, _) => FallWatch::Watching(fall),
        }
    }
}

fn published(config: &Config, probability: &[f64; PostureClass::COUNT]) -> Posture {
    for class in PostureClass::ALL {
        let least = match class {
            PostureClass::Sitting => config.known_sitting,
            _ => config.known_probability,
        };
        if probability[class as usize] >= least {
            return Posture::Known { class, probability: probability.map(|p| p as f32) };
        }
    }
    Posture::Unknown(NoPosture::Undecided)
}
