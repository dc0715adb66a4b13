//! `evaluate posture-train`: learns the weights of the posture stage from simulated scenes, and says how well they do on others.
//!
//! Everything here is **simulated**. Scenes are those of the room suite's falls and daily life with seeds of their own, and rough days
//! without a fall ([`activity::rough`]). The same command gives the same weights to the last bit, on any number of threads.

mod looks;
mod network;
mod samples;
mod score;
mod source;

use crate::room::activity;
use crate::room::scenes::ENTER_S;
use crate::{Failure, Report};
use network::{Example, Rate, train};
use samples::{Sample, Seen};
use std::path::PathBuf;
use wavewitness_fixtures::Scene;
use wavewitness_posture::{CLASS_UNITS, CLASSES, FALL_UNITS, Network, Weights};

/// What everybody but who falls does, one cycle in so many is learned from.
const EVERY: usize = 8;
/// Weight of all cycles in which a fall is to be told, over that of all others.
const FALLS: f64 = 0.1;
/// Who is nearer than this to being taken for a fall, in nats, is learned from in every cycle the second time.
const NEAR_NATS: f64 = 4.0;
/// Of the first weights.
const SEED: u64 = 1;

/// What happens in a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody falls again and again: how often.
    Falls(u32),
    /// Daily life without a fall: how long, seconds.
    Daily(u64),
    /// A rough day without a fall: how long, seconds.
    Rough(u64),
}

/// A scene by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What happens.
    pub kind: Kind,
    /// Whose seed.
    pub seed: u64,
    /// Whether surfaces reflect once only, which is faster and less true.
    pub plain: bool,
}

/// How much is learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Minutes, of plainer rooms: what a test repeats. The weights are of no use.
    Short,
    /// Hours: the weights of the stage.
    Full,
}

impl Part {
    fn scene(self) -> Scene {
        let mut scene = match self.kind {
            Kind::Falls(count) => activity::falls(self.seed, count),
            Kind::Daily(seconds) => activity::daily(self.seed, seconds),
            Kind::Rough(seconds) => activity::rough(self.seed, seconds),
        };
        if self.plain {
            scene.surfaces.order = 1;
        }
        scene
    }

    /// Of a file that keeps its looks.
    fn file(self) -> String {
        let plain = if self.plain { "plain-" } else { "" };
        match self.kind {
            Kind::Falls(count) => format!("{plain}falls-{count}-seed-{}.looks", self.seed),
            Kind::Daily(seconds) => format!("{plain}daily-{seconds}-seed-{}.looks", self.seed),
            Kind::Rough(seconds) => format!("{plain}rough-{seconds}-seed-{}.looks", self.seed),
        }
    }
}

impl Extent {
    /// Scenes that are learned from.
    pub fn learned(self) -> Vec<Part> {
        match self {
            Extent::Short => parts([11..12, 111..112, 211..212], [1, 30, 30], true),
            Extent::Full => {
                let mut all = parts([11..17, 111..114, 211..213], [24, 1800, 1200], false);
                all.extend(parts([17..21, 114..116, 214..216], [24, 1800, 1200], true));
                all
            }
        }
    }

    /// Scenes of other people that nothing is learned from.
    pub fn kept_back(self) -> Vec<Part> {
        match self {
            Extent::Short => Vec::new(),
            Extent::Full => {
                let mut all = parts([31..33, 131..132, 231..232], [24, 1800, 1200], false);
                all.extend(parts([33..35, 133..134, 213..214], [24, 1800, 1200], true));
                all
            }
        }
    }

    fn steps(self) -> u32 {
        match self {
            Extent::Short => 10,
            Extent::Full => 600,
        }
    }
}

fn parts(seeds: [std::ops::Range<u64>; 3], long: [u32; 3], plain: bool) -> Vec<Part> {
    let [falls, daily, rough] = long;
    let kinds = [Kind::Falls(falls), Kind::Daily(daily.into()), Kind::Rough(rough.into())];
    let of = |(seeds, kind): (std::ops::Range<u64>, Kind)| seeds.map(move |seed| Part { kind, seed, plain });
    seeds.into_iter().zip(kinds).flat_map(of).collect()
}

/// What came out.
pub struct Outcome {
    /// The weights as `crates/posture/src/weights.rs`.
    pub source: String,
    /// How well they do on the scenes that they were learned from, and on others.
    pub reports: Vec<Report>,
}

/// Learns and judges. `keep`: a folder in which looks are kept, so that a second training need not simulate.
///
/// # Errors
/// If a scene can't be run, or a kept file be read or written.
pub fn run(extent: Extent, keep: Option<PathBuf>) -> Result<Outcome, Failure> {
    if let Some(dir) = &keep {
        std::fs::create_dir_all(dir).map_err(|e| Failure(format!("can't make {}: {e}", dir.display())))?;
    }
    let see = |parts: Vec<Part>| {
        crate::room::in_threads(parts.len(), |k| {
            let file = keep.as_ref().map(|dir| dir.join(parts[k].file()));
            let moments = looks::watch_or_read(&parts[k].scene(), parts[k].seed, file.as_deref())?;
            let seen = Seen::of(moments, 20 * ENTER_S as usize);
            eprintln!("{}: {} cycles, {} falls", parts[k].file(), seen.samples.len(), seen.falls.len());
            Ok(seen)
        })
    };
    let learned = see(extent.learned())?;
    let weights = learn(&learned, extent.steps());
    // Printed digits are what the stage has: these are judged.
    let weights = source::rounded(&weights);
    let mut reports = vec![score::report("learned from (simulated)", &weights, &learned)];
    let (plain, rich): (Vec<Part>, Vec<Part>) = extent.kept_back().into_iter().partition(|p| p.plain);
    for (title, parts) in [("kept back (simulated)", rich), ("kept back, a plainer room (simulated)", plain)]
    {
        if !parts.is_empty() {
            reports.push(score::report(title, &weights, &see(parts)?));
        }
    }
    Ok(Outcome { source: source::text(&weights), reports })
}

fn learn(seen: &[Seen], steps: u32) -> Weights {
    let samples: Vec<&Sample> = seen.iter().flat_map(|s| &s.samples).collect();
    let rate = Rate { steps, first: 0.02, decay: 1e-4 };
    let fall = std::thread::scope(|scope| {
        let fall = scope.spawn(|| {
            let first = learn_falls(&samples, |k, _| k.is_multiple_of(EVERY), rate);
            let near = |s: &Sample| first.run(&s.recent)[0] > -NEAR_NATS;
            learn_falls(&samples, |k, s| k.is_multiple_of(EVERY) || near(s), rate)
        });
        let class = learn_classes(&samples, rate);
        (fall.join().expect("no thread panicked"), class)
    });
    Weights { fall: fall.0, class: fall.1 }
}

/// `takes`: which of the others are learned from; those that are every eighth stand for their neighbours, too.
fn learn_falls(
    samples: &[&Sample],
    takes: impl Fn(usize, &Sample) -> bool,
    rate: Rate,
) -> Network<FALL_UNITS, 1> {
    let mut examples: Vec<Example<'_>> = Vec::new();
    for (k, sample) in samples.iter().enumerate() {
        if sample.fall == Some(true) || sample.fall == Some(false) && takes(k, sample) {
            let wanted = usize::from(sample.fall == Some(true));
            let weight = if k.is_multiple_of(EVERY) && wanted == 0 { EVERY as f64 } else { 1.0 };
            examples.push(Example { features: &sample.recent, wanted, weight });
        }
    }
    let mut total = [0.0; 2];
    for e in &examples {
        total[e.wanted] += e.weight;
    }
    let odds = FALLS * total[0] / wavewitness_num::math::max_f64(total[1], 1.0);
    examples.iter_mut().filter(|e| e.wanted == 1).for_each(|e| e.weight *= odds);
    let mut out = train::<FALL_UNITS, 1>(&examples, rate, SEED);
    // Evidence is the log odds at even odds beforehand.
    out.output_bias[0] -= wavewitness_num::math::ln(FALLS);
    out
}

fn learn_classes(samples: &[&Sample], rate: Rate) -> Network<CLASS_UNITS, CLASSES> {
    let every = samples.iter().step_by(EVERY);
    let examples: Vec<Example<'_>> = every
        .filter_map(|s| Some(Example { features: &s.features, wanted: s.class?, weight: 1.0 }))
        .collect();
    train::<CLASS_UNITS, CLASSES>(&examples, rate, SEED)
}

#[cfg(test)]
mod tests {
    //! Guards that training is one: the same again, of scenes that nobody else is judged on.
    use super::*;

    #[test]
    fn a_short_training_repeats_from_the_scenes_and_from_what_was_kept() {
        let dir = tempfile::tempdir().unwrap();
        let keep = || Some(dir.path().to_path_buf());
        let one = run(Extent::Short, keep()).unwrap();
        // The second time nothing is simulated; the third time all is.
        assert_eq!(one.source, run(Extent::Short, keep()).unwrap().source);
        assert_eq!(one.source, run(Extent::Short, None).unwrap().source);
        assert!(one.source.contains("pub(crate) const FALL"));
    }

    #[test]
    fn nobody_is_learned_from_and_judged_by() {
        let (learned, others) = (Extent::Full.learned(), Extent::Full.kept_back());
        assert!(learned.iter().all(|a| others.iter().all(|b| a.seed != b.seed)));
        // Published suites begin at 1 and have at most twenty parts.
        assert!(learned.iter().all(|p| match p.kind {
            Kind::Falls(_) => p.seed > 2,
            Kind::Daily(_) => p.seed > 20,
            Kind::Rough(_) => true,
        }));
    }
}
