//! `evaluate room`: the whole engine over simulated rooms, and how well what it published agrees with the truth.
//!
//! Everything here is **simulated**: a result on the simulator's bodies says nothing about a real room
//! (`docs/algorithms/simulator.md`). Definitions, so that figures can be compared:
//!
//! * **Run.** A scene's datagrams go through the engine with its defaults (`--set` changes one, and the report says so), event by event as `proof-runner replay` does it.
//!   At 1 s the operator says that the room is empty; nobody comes before [`scenes::ENTER_S`]. What a tick publishes is
//!   compared with the truth at that tick, so latency counts as error. Scored are the cycles from [`scenes::ENTER_S`] on,
//!   with the time that a track takes to be born; an empty room is scored from its first cycle.
//! * **There.** Somebody is there while the simulator has at least half of him in the room (a door takes half a second). A track
//!   that outlives its person is a false positive at once.
//! * **Root.** In plan, metres: the truth's mid-hip against the published `position_m`. **Root error** is that of the assignment
//!   with the least sum of distances *without a radius*: somebody who is published far off counts with his whole error. Who is
//!   not published has no error; the share that is published stands beside it. "Naming the middle" is the error of a constant: the
//!   middle of the room.
//! * **MOTA, MOTP, switches** (Bernardin & Stiefelhagen 2008, CLEAR-MOT): a match is within [`tracking::RADIUS_M`]; pairs of the
//!   cycle before stay while they are, the rest is matched by least distance. MOTA = 1 − (misses + false positives +
//!   switches) / (people × cycles); MOTP is the mean distance of matches (less is better). A *switch* is a match with another
//!   track than the person's last one; it is a *swap* if that track's last match was somebody else.
//! * **IDF1** (Ristani et al. 2016): one track a person over the whole run, chosen so that most cycles agree within
//!   the radius; 2·IDTP / (2·IDTP + IDFP + IDFN).
//! * **False positive**: a published person without a match, far off or not there. **Ghost cycle**: one with more people published
//!   than there are.
//! * **Jitter**: published position about its mean in stretches of at least 5 s in which the true root stays within 0.1 m and
//!   one track has the person; root mean square of the distance in three dimensions. The first two seconds are left out.
//! * **Return**: somebody was out for at most six seconds; the same if the first track assigned within 5 s after is the
//!   last one before.
//! * **Arrival**: somebody came in, for the first time or after any absence, and a track was assigned within 5 s; *under another's track* if
//!   that track's last person was somebody else.
//! * **MPJPE**: mean distance of joints in three dimensions over published people. **PCK@α** (Yang & Ramanan 2013): share of these
//!   joints within α times the torso, which is the true distance of mid-shoulders to mid-hip in that cycle. Baselines of the same
//!   cycles: a *template*, the simulator's standing body of 1.70 m without a heading (the mean over all headings: every joint on
//!   the vertical axis at its height), once with its mid-hip at the true root in three dimensions, once with its centre of mass at
//!   the published position. *Aligned*: the published pose moved so that its mid-hip is the true one.
//! * **Claims**: a joint that is published as `measured` or `inferred` must beat the template at the published position; `prior`
//!   claims nothing.
//! * **Within 1 sigma**: share of errors along each axis that are at most the published sigma; 0.683 if errors are Gaussian and
//!   sigmas right. *Of the body*: of the joint less the root, with the sigma that the position's leaves (along the floor; heights are
//!   from the floor anyway).
//! * **Heading**: mean cosine of its errors, against the e^{−σ²/2} that a wrapped normal of the published sigma has.
//!
//! * **Posture**: cycles × people by the truth's class (a transition belongs to its beginning until half of it is over) and by
//!   what is published of the person whom the assignment gives: a class, `unknown`, or nobody at all.
//! * **Falls**: a fall lasts until the body is on the floor. It is *found* if a new fall is reported between its begin and
//!   [`posture::FOUND_WITHIN_S`] after the floor; its delay counts from the floor to the first message that says so. A *false fall* is a
//!   report that belongs to no fall; rates are of the hours in which falls are watched.
//!
//! Nothing random: the same suite and seeds give the same report on any number of threads.
//!
//! Sources: Bernardin, Stiefelhagen, *Evaluating multiple object tracking performance: the CLEAR MOT metrics*, EURASIP J. Image
//! Video Process. 2008. Ristani et al., *Performance measures and a data set for multi-target, multi-camera tracking*, ECCV Workshops 2016.
//! Yang, Ramanan, *Articulated human detection with flexible mixtures of parts*, IEEE TPAMI 35(12), 2013.

pub mod activity;
mod assign;
pub mod degradation;
mod drive;
mod keypoints;
mod plot;
pub mod posture;
pub mod scenes;
mod score;
mod tables;
#[cfg(test)]
mod testing;
pub mod told;
pub mod tracking;

pub(crate) use drive::THERE_WEIGHT;
pub use drive::{Cycle, run};
pub use keypoints::{Claim, Joint, Keypoints, Template};
pub use score::{Score, quantile};

use crate::plots::Drawing;
use crate::{Failure, Report};
use scenes::{Job, Suite};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use wavewitness_engine::EngineConfig;
use wavewitness_fixtures::channel::Width;
use wavewitness_types::stage_config::ConfigValue;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// How long.
    pub suite: Suite,
    /// Seeds of people and noise: `seeds` of them, from `first_seed` on.
    pub first_seed: u64,
    /// How many.
    pub seeds: u64,
    /// Nodes of the room, 4 to 8.
    pub nodes: usize,
    /// Width of the channel.
    pub width: Width,
    /// Whether to draw the runs of one and two people.
    pub draw: bool,
    /// Scenes by their titles; empty: all of the suite's.
    pub only: Vec<String>,
    /// Parameters that are not the engine's defaults: section, key, value.
    pub settings: Vec<Setting>,
}

/// Section, key and value of a parameter of the engine.
pub type Setting = (String, String, ConfigValue);

impl Request {
    /// The engine's configuration but for room and cycle.
    fn config(&self) -> Result<EngineConfig, Failure> {
        let mut config = EngineConfig::default();
        for (section, key, value) in &self.settings {
            config.set(section, key, *value).map_err(|e| Failure(e.to_string()))?;
        }
        Ok(config)
    }
}

/// What came out.
pub struct Outcome {
    /// Tables in order.
    pub reports: Vec<Report>,
    /// Drawings, if they were asked for.
    pub drawings: Vec<Drawing>,
}

/// Runs a suite on all cores; progress goes to stderr.
///
/// # Errors
/// If the engine refuses a setting, or something can't be drawn.
pub fn evaluate(request: &Request) -> Result<Outcome, Failure> {
    let jobs = scenes::jobs(request);
    if jobs.is_empty() {
        return Err(Failure(format!("there is no scene {}", request.only.join(", "))));
    }
    let config = request.config()?;
    let finished = AtomicUsize::new(0);
    let done = in_threads(jobs.len(), |k| {
        let result = one(&jobs[k], request.draw, &config);
        let count = finished.fetch_add(1, Ordering::Relaxed) + 1;
        eprintln!("{count}/{}: {}, seed {}", jobs.len(), jobs[k].title(), jobs[k].seed);
        result
    })?;
    let mut drawings = Vec::new();
    let mut scores = Vec::new();
    for (score, drawing) in done {
        scores.push(score);
        drawings.extend(drawing);
    }
    Ok(Outcome { reports: tables::reports(request, &jobs, &scores), drawings })
}

type Done = (Score, Option<Drawing>);

/// Results in the order of the numbers from 0 on, whichever thread did them.
pub(crate) fn in_threads<T: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count);
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<Result<T, Failure>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&k| k < count) {
                    let result = work(index);
                    *slots[index].lock().expect("no thread panicked") = Some(result);
                }
            });
        }
    });
    let taken = slots.into_iter().map(|slot| slot.into_inner().expect("no thread panicked"));
    taken.map(|result| result.expect("every number was done")).collect()
}

fn one(job: &Job, draw: bool, config: &EngineConfig) -> Result<Done, Failure> {
    let cycles = run(&job.scene, job.seed, config)?;
    let drawing = if draw && job.question.is_drawn() { Some(plot::draw(job, &cycles)?) } else { None };
    Ok((Score::of(&job.scene, &cycles, job.question.scored_from_s()), drawing))
}
