//! `evaluate crowd`: how many people are said to be there, in simulated rooms of many sizes.
//!
//! Rooms, node places, walls and people are of chance ([`room_of_chance`]); one to five people in each. Beside what the hub publishes
//! (right, off by one, said against true) stands what it rests on: the level of `wavewitness_localise`, its theory, and how it
//! scatters within a room and from room to room, which the constants of its chain are taken from. Everything here is **simulated**.

use crate::room::{THERE_WEIGHT, in_threads};
use crate::{Failure, Report, Row};
use wavewitness_engine::{Engine, EngineConfig};
use wavewitness_fixtures::channel::Width;
use wavewitness_fixtures::crowd::{Habits, crowd};
use wavewitness_fixtures::drift::Drift;
use wavewitness_fixtures::rng::Rng;
use wavewitness_fixtures::{Scene, Simulation};
use wavewitness_golden::drive::{CALIBRATE_AT, Drive};
use wavewitness_localise::level_of;
use wavewitness_types::{Count, Timestamp};

/// Most people in a room.
const MOST: usize = 5;
/// Nobody comes in before, s: the baseline of the empty room takes 20 s of frames. Then one every 3 s.
const ENTER_S: u32 = 25;
/// How long a scene goes on after that, s.
const LONG_S: u64 = 120;
/// Upper ends of the classes of what is said to be probable.
const CLASSES: [f64; 4] = [0.5, 0.7, 0.85, 1.0];
/// Period of the walls' drift, s: its peak is in the scene.
const DRIFT_S: f64 = 200.0;
/// Distinct stream of chance.
const STREAM: u64 = 77;

/// A room of 4 to 9 by 3.5 to 7 m and 2.4 to 3 m high, walls of a permittivity of 6 to 20, a node near every corner at 0.5 to 2 m.
pub fn room_of_chance(seed: u64, seconds: u64) -> Scene {
    let mut scene = Scene::mesh("crowd", seconds).with_impairments();
    let mut rng = Rng::stream(seed, STREAM);
    let size_m = [4.0 + 5.0 * rng.uniform(), 3.5 + 3.5 * rng.uniform()];
    scene.room.max_m = [size_m[0], size_m[1], 2.4 + 0.6 * rng.uniform()];
    let corners = [[false, false], [true, false], [true, true], [false, true]];
    for (node, corner) in scene.nodes.iter_mut().zip(corners) {
        let mut place = |axis: usize| {
            let off_m = 0.2 + (0.3 * size_m[axis] - 0.2) * rng.uniform() * rng.uniform();
            if corner[axis] { size_m[axis] - off_m } else { off_m }
        };
        let (x_m, y_m) = (place(0), place(1));
        node.position_m = [x_m, y_m, 0.5 + 1.5 * rng.uniform()];
    }
    let cabinet_m = [0.55 * size_m[0], size_m[1] - 0.4, 0.8];
    for piece in &mut scene.furniture {
        (piece.from_m, piece.to_m) = (cabinet_m, cabinet_m);
    }
    scene.surfaces.walls = [6.0 + 14.0 * rng.uniform(); 4];
    for station in &mut scene.stations {
        station.position_m = [size_m[0] - 0.2, 0.5 * size_m[1] - 0.1, 0.9];
    }
    scene
}

/// Levels of one room with as many people as it ever has: weights, and weighted sums.
#[derive(Clone, Copy, Debug, Default)]
struct Levels {
    weight: f64,
    sum: f64,
    squares: f64,
}

impl Levels {
    fn take(&mut self, level: f64, new: f64) {
        self.weight += new;
        self.sum += new * level;
        self.squares += new * level * level;
    }

    fn mean(&self) -> f64 {
        self.sum / self.weight
    }

    fn variance(&self) -> f64 {
        self.squares / self.weight - self.mean() * self.mean()
    }
}

/// What was published in cycles with somebody there.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    cycles: u64,
    known: u64,
    right: u64,
    within_one: u64,
    /// By class of the most probable number's probability: cycles, sum of probabilities, right ones.
    classes: [(u64, f64, u64); CLASSES.len()],
}

impl Said {
    fn take(&mut self, count: &Count, truth: usize) {
        self.cycles += 1;
        let (Count::Known(p), Some(n)) = (count, count.most_probable()) else { return };
        let (n, probability) = (usize::from(n), f64::from(p[usize::from(n)]));
        self.known += 1;
        self.right += u64::from(n == truth);
        self.within_one += u64::from(n.abs_diff(truth) <= 1);
        let class = CLASSES.iter().position(|&most| probability <= most).unwrap_or(CLASSES.len() - 1);
        let (cycles, promised, right) = &mut self.classes[class];
        (*cycles, *promised) = (*cycles + 1, *promised + probability);
        *right += u64::from(n == truth);
    }
}

/// One room with so many people.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    levels: Levels,
    said: Said,
}

fn see(seed: u64, people: usize, request: &Request) -> Result<Seen, Failure> {
    let mut scene = room_of_chance(seed, u64::from(ENTER_S) + LONG_S);
    scene.radio.width = request.width;
    scene.drift = Drift { phase_rad: request.drift_rad, period_s: DRIFT_S, ..Drift::NONE };
    let habits = Habits { sit: true, wave: true, enter_after_s: ENTER_S, ..Habits::default() };
    scene.actors = crowd(&scene, seed, people as u32, habits);
    let settings = EngineConfig::default();
    let config = EngineConfig { geometry: scene.geometry(), cycle: scene.cycle_plan(), ..settings };
    let until = Some(scene.start.plus_nanos(scene.duration_ns));
    let drive = Drive { scene: &scene, config: &config, calibrate_at: Some(CALIBRATE_AT), until };
    let mut seen = Seen::default();
    let mut take = |at: Timestamp, engine: &Engine| {
        let truth = scene.truth_poses(at).iter().filter(|p| p.weight >= THERE_WEIGHT).count();
        if truth == 0 {
            return;
        }
        seen.said.take(&engine.report().frame.count, truth);
        if let Some(numbers) = engine.numbers().filter(|n| n.new > 0.0 && truth == people) {
            seen.levels.take(numbers.level, numbers.new);
        }
    };
    drive.watch(Simulation::new(&scene, seed), |_| true, &mut take).map_err(|e| Failure(e.to_string()))?;
    Ok(seen)
}

/// Which rooms.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The seed of the first.
    pub first_seed: u64,
    /// How many, one a seed.
    pub seeds: u64,
    /// Of the channel that nodes send in.
    pub width: Width,
    /// By how much the walls' reflections turn after the baseline was taken, at most, radians.
    pub drift_rad: f64,
}

/// Rooms of so many seeds, each with one to five people.
///
/// # Errors
/// If the engine refuses a configuration.
pub fn run(request: &Request) -> Result<Report, Failure> {
    let Request { first_seed, seeds, width, drift_rad } = *request;
    let jobs: Vec<(u64, usize)> =
        (first_seed..first_seed + seeds).flat_map(|seed| (1..=MOST).map(move |n| (seed, n))).collect();
    let seen = in_threads(jobs.len(), |k| {
        let (seed, people) = jobs[k];
        let seen = see(seed, people, request)?;
        eprintln!("room {seed}, {people} people: level {:.3}", seen.levels.mean());
        Ok(seen)
    })?;
    let mut report = Report::new("crowd: how many are said to be there (simulated)");
    for people in 1..=MOST {
        let rooms = jobs.iter().zip(&seen).filter(|(job, _)| job.1 == people).map(|(_, seen)| *seen);
        rows(people, &rooms.collect::<Vec<_>>(), &mut report);
    }
    said_and_true(&seen, &mut report);
    report.notes.push(format!(
        "{seeds} rooms of chance from seed {first_seed} on, {LONG_S} s each, {} MHz; reflections turn by up to {drift_rad} rad",
        width.mhz()
    ));
    Ok(report)
}

fn rows(people: usize, rooms: &[Seen], report: &mut Report) {
    let name = if people == 1 { "one person".to_owned() } else { format!("{people} people") };
    let total = |of: fn(&Said) -> u64| rooms.iter().map(|r| of(&r.said)).sum::<u64>() as f64;
    let mean = |of: &dyn Fn(&Seen) -> f64| rooms.iter().map(of).sum::<f64>() / rooms.len() as f64;
    let level = mean(&|r| r.levels.mean());
    let between = mean(&|r| (r.levels.mean() - level) * (r.levels.mean() - level));
    let cycles = total(|s| s.cycles);
    for (metric, value) in [
        ("level by theory", level_of(people)),
        ("level, mean over rooms", level),
        ("its deviation within a room", mean(&|r| r.levels.variance()).sqrt()),
        ("its deviation from room to room", between.sqrt()),
        ("cycles", cycles),
        ("count unknown", 1.0 - total(|s| s.known) / cycles),
        ("count right", total(|s| s.right) / cycles),
        ("count off by at most one", total(|s| s.within_one) / cycles),
    ] {
        report.rows.push(Row::new(name.clone(), metric, value, ""));
    }
}

fn said_and_true(seen: &[Seen], report: &mut Report) {
    for (class, most) in CLASSES.into_iter().enumerate() {
        let name = format!("said with a probability to {most}");
        let (mut cycles, mut promised, mut right) = (0, 0.0, 0);
        for (n, p, r) in seen.iter().map(|s| s.said.classes[class]) {
            (cycles, promised, right) = (cycles + n, promised + p, right + r);
        }
        report.rows.push(Row::new(name.clone(), "cycles", cycles as f64, ""));
        report.rows.push(Row::new(name.clone(), "promised", promised / cycles as f64, ""));
        report.rows.push(Row::new(name, "right", right as f64 / cycles as f64, ""));
    }
}

#[cfg(test)]
mod tests {
    //! Guards the rooms and the counting.
    use super::*;

    #[test]
    fn nodes_are_near_the_corners_of_rooms_that_differ() {
        let mut widths: Vec<u64> = Vec::new();
        for seed in 0..50 {
            let scene = room_of_chance(seed, 1);
            let [w, l, h] = scene.room.max_m;
            assert!((4.0..=9.0).contains(&w) && (3.5..=7.0).contains(&l) && (2.4..=3.0).contains(&h));
            for node in &scene.nodes {
                let [x, y, z] = node.position_m;
                assert!(x > 0.1 && x < w - 0.1 && y > 0.1 && y < l - 0.1 && z < h, "{seed}: {x} {y} {z}");
                assert!((x - 0.5 * w).abs() > 0.19 * w && (y - 0.5 * l).abs() > 0.19 * l, "{seed}: {x} {y}");
            }
            widths.push(w.to_bits());
        }
        widths.sort_unstable();
        widths.dedup();
        assert_eq!(widths.len(), 50);
    }

    #[test]
    fn what_is_said_is_set_against_the_truth() {
        let mut said = Said::default();
        let mut p = [0.0; 9];
        (p[2], p[3]) = (0.6, 0.4);
        [1, 2, 3, 4].into_iter().for_each(|truth| said.take(&Count::Known(p), truth));
        said.take(&Count::Unknown(wavewitness_types::UnknownReason::NoData), 2);
        assert_eq!((said.cycles, said.known, said.right, said.within_one), (5, 4, 1, 3));
        let (cycles, promised, right) = said.classes[1];
        assert!(cycles == 4 && right == 1 && (promised - 2.4).abs() < 1e-6);
        let mut levels = Levels::default();
        [(0.3, 1.0), (0.5, 3.0)].into_iter().for_each(|(level, new)| levels.take(level, new));
        assert!((levels.mean() - 0.45).abs() < 1e-12 && (levels.variance() - 0.0075).abs() < 1e-12);
    }
}
