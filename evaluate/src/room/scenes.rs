//! What is run: a scene for each question, all in the mesh's room of four nodes (or more, if asked for) with the impairments of an
//! ordinary day.

use super::Request;
use super::activity::{PART_S, daily, falls};
use wavewitness_fixtures::body::Build;
use wavewitness_fixtures::crowd::Habits;
use wavewitness_fixtures::scene::{Outage, SECOND_NS};
use wavewitness_fixtures::things::Fan;
use wavewitness_fixtures::{Actor, Scene, Script, scenes};

/// Nobody comes in before, seconds: the baseline of the empty room takes 20 s of frames, at half of them lost 40 s.
pub const ENTER_S: u32 = 60;
const ENTER: f64 = ENTER_S as f64;
/// Where one is alone before two come in: how long, and when they do.
const ALONE_S: u32 = 600;
const AFTER_ONE_S: u32 = ENTER_S + ALONE_S + 30;

/// Who is alone before is nobody of the other scenes.
const OTHER_SEED: u64 = 1 << 32;

/// How long the runs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Two minutes of one and two people and of two after one, five of the empty room, six falls, ten minutes of daily life.
    Quick,
    /// Ten minutes (12,000 cycles) of one and two people and of two after one, an hour of the empty room, 24 falls a seed, ten hours of daily life.
    Full,
}

/// What a scene asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Question {
    /// So many people of chance who walk, stand, sit and wave.
    People(u32),
    /// Two people of chance, after somebody else went about the room alone: what he taught of the room's rays is known.
    AfterOne,
    /// One person stands, sits and stands again.
    Still,
    /// Two people cross each other's way again and again, 0.65 m apart.
    Crossing,
    /// Two people walk and stand side by side, 0.7 m apart.
    SideBySide,
    /// One person goes out and comes back after 2.5 to 5 s, again and again.
    Return,
    /// Two people, never at once: one goes out, and 2.5 to 5 s later the other comes in by the same door.
    Another,
    /// Nobody; a fan runs in the middle half; a node restarts, another is away for a while.
    Empty,
    /// One person falls again and again.
    Falls,
    /// A part of ten hours of daily life without a fall.
    Daily,
}

impl Question {
    /// From when on cycles are scored, seconds.
    pub fn scored_from_s(self) -> f64 {
        match self {
            Question::Empty => 0.0,
            Question::AfterOne => f64::from(AFTER_ONE_S),
            _ => ENTER,
        }
    }

    /// Whether it has a drawing.
    pub fn is_drawn(self) -> bool {
        matches!(self, Question::People(1 | 2))
    }
}

/// A scene to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What it asks.
    pub question: Question,
    /// The scene.
    pub scene: Scene,
    /// Seed of its chance.
    pub seed: u64,
}

impl Job {
    /// A name for progress and tables.
    pub fn title(&self) -> String {
        match self.question {
            Question::People(1) => "one person".to_owned(),
            Question::People(2) => "two people".to_owned(),
            Question::People(3) => "three people".to_owned(),
            Question::People(n) => {
                format!("{} people", if n == 4 { "four".to_owned() } else { n.to_string() })
            }
            Question::AfterOne => "two people after one".to_owned(),
            Question::Still => "still person".to_owned(),
            Question::Crossing => "crossing".to_owned(),
            Question::SideBySide => "side by side".to_owned(),
            Question::Return => "leave and return".to_owned(),
            Question::Another => "another comes in".to_owned(),
            Question::Empty => "empty room".to_owned(),
            Question::Falls => "falls".to_owned(),
            Question::Daily => "daily life".to_owned(),
        }
    }
}

/// Everything that a request runs: in the order of the questions, seeds next to each other.
pub fn jobs(request: &Request) -> Vec<Job> {
    let quick = request.suite == Suite::Quick;
    let minutes = |short: u64, long: u64| 60 * if quick { short } else { long };
    let seeds = request.first_seed..request.first_seed + request.seeds;
    let mut out = Vec::new();
    let mut add = |question: Question, scene: &dyn Fn(u64) -> Scene| {
        out.extend(seeds.clone().map(|seed| Job { question, scene: scene(seed), seed }));
    };
    for (count, seconds) in [(1, minutes(2, 10)), (2, minutes(2, 10)), (3, minutes(1, 5)), (4, minutes(1, 5))]
    {
        add(Question::People(count), &|seed| people(seed, count, seconds));
    }
    add(Question::AfterOne, &|seed| after_one(seed, minutes(2, 10)));
    add(Question::Still, &|_| still());
    add(Question::Crossing, &|_| crossing());
    add(Question::SideBySide, &|_| side_by_side());
    add(Question::Return, &|_| leave_and_return());
    add(Question::Another, &|_| another_comes_in());
    add(Question::Empty, &|_| empty(minutes(5, 60)));
    add(Question::Falls, &|seed| falls(seed, if quick { 6 } else { 24 }));
    // Ten hours in all, however many seeds are asked for.
    let (parts, seconds) = if quick { (2, 300) } else { (20, PART_S) };
    for part in 0..parts {
        let seed = request.first_seed + part;
        out.push(Job { question: Question::Daily, scene: daily(seed, seconds), seed });
    }
    out.retain(|job| request.only.is_empty() || request.only.contains(&job.title()));
    let asked = |job: Job| {
        let mut scene = job.scene.with_nodes(request.nodes);
        scene.radio.width = request.width;
        Job { scene, ..job }
    };
    out.into_iter().map(asked).collect()
}

/// People of chance who are scored for so many seconds.
pub fn people(seed: u64, count: u32, seconds: u64) -> Scene {
    people_from(ENTER_S, seed, count, seconds)
}

/// The same who come in so late.
fn people_from(enter_s: u32, seed: u64, count: u32, seconds: u64) -> Scene {
    let habits = Habits { sit: true, wave: true, enter_after_s: enter_s, ..Habits::default() };
    scenes::people(seed, count, u64::from(enter_s) + seconds, habits)
}

/// Two people who are scored for so many seconds, once somebody else has been there and gone.
fn after_one(seed: u64, seconds: u64) -> Scene {
    let mut scene = people_from(AFTER_ONE_S, seed, 2, seconds);
    for actor in people(seed + OTHER_SEED, 1, u64::from(ALONE_S)).actors {
        scene.actors.push(Actor { id: 3, script: actor.script.done().away(seconds as f64 + 60.0), ..actor });
    }
    scene
}

/// A scene that lasts as long as its people do something.
pub(super) fn scripted(name: &str, scripts: Vec<Script>) -> Scene {
    let scripts: Vec<Script> = scripts.into_iter().map(Script::done).collect();
    let longest_ns = scripts.iter().map(Script::duration_ns).max().unwrap_or(0);
    let mut scene = Scene::mesh(name, longest_ns.div_ceil(SECOND_NS)).with_impairments();
    scene.actors = (1..).zip(scripts).map(|(id, script)| Actor::new(id, script)).collect();
    scene
}

fn adult(stature_m: f64, x_m: f64, y_m: f64, outside_s: f64) -> Script {
    Script::new(Build { stature_m, ..Build::ADULT }, x_m, y_m, 0.0).away(outside_s)
}

fn still() -> Scene {
    let script = adult(1.75, 0.8, 2.6, ENTER).walk(2.6, 2.2, 1.0).stand(30.0).sit(40.0, 0.45).stand(10.0);
    scripted("still", vec![script.walk(4.2, 3.2, 1.0).stand(30.0)])
}

fn crossing() -> Scene {
    let (mut one, mut other) = (adult(1.75, 1.2, 1.2, ENTER), adult(1.65, 1.2, 3.8, ENTER).stand(0.8));
    for _ in 0..6 {
        one = one.walk(4.8, 3.8, 1.0).walk(1.2, 1.2, 1.0);
        other = other.walk(4.8, 1.2, 1.0).walk(1.2, 3.8, 1.0);
    }
    scripted("crossing", vec![one, other])
}

fn side_by_side() -> Scene {
    let (mut one, mut other) = (adult(1.75, 2.6, 1.2, ENTER), adult(1.65, 3.3, 1.2, ENTER));
    for _ in 0..2 {
        one = one.walk(2.6, 3.4, 0.9).stand(15.0).walk(2.6, 1.2, 0.9).stand(15.0);
        other = other.walk(3.3, 3.4, 0.9).stand(15.0).walk(3.3, 1.2, 0.9).stand(15.0);
    }
    scripted("side by side", vec![one.walk(1.0, 2.5, 0.9).stand(5.0), other.walk(5.0, 2.5, 0.9).stand(5.0)])
}

fn leave_and_return() -> Scene {
    let mut script = adult(1.75, 0.8, 2.6, ENTER);
    for k in 0..8 {
        let out_s = 2.5 + 2.5 * f64::from(k) / 7.0;
        script = script.walk(4.2, 2.0, 1.0).stand(3.0).walk(0.8, 2.6, 1.0).away(out_s);
    }
    scripted("leave and return", vec![script.walk(3.0, 2.2, 1.0).stand(5.0)])
}

fn another_comes_in() -> Scene {
    let visit = |s: &Script| s.clone().walk(4.2, 2.0, 1.0).stand(3.0).walk(0.8, 2.6, 1.0);
    let end_s = |s: &Script| s.clone().done().duration_ns() as f64 / SECOND_NS as f64;
    let gap_s = |k: usize| 2.5 + 2.5 * k as f64 / 7.0;
    let first = visit(&adult(1.75, 0.8, 2.6, ENTER));
    let outside_s = end_s(&first) + gap_s(0);
    let mut scripts = [first, adult(1.6, 0.8, 2.6, outside_s)];
    for k in 1..8 {
        let (who, other) = (k % 2, 1 - k % 2);
        scripts[who] = visit(&scripts[who]);
        let wait_s = gap_s(k) + end_s(&scripts[who]) - end_s(&scripts[other]);
        scripts[other] = scripts[other].clone().away(wait_s);
    }
    // Who came last is out as well.
    scripts[1] = scripts[1].clone().away(5.0);
    scripted("another comes in", scripts.into())
}

fn empty(seconds: u64) -> Scene {
    let mut scene = Scene::mesh("empty", seconds).with_impairments();
    let part = |quarters: u64| quarters * seconds * SECOND_NS / 4;
    let fan = Fan::stand([4.6, 1.4, 1.1], 2.2);
    scene.fans = vec![Fan { swing: 0.6, from_ns: part(1), until_ns: part(3), ..fan }];
    for node in &mut scene.nodes {
        let away = |from_ns: u64, seconds: u64, reboots| Outage {
            from_ns,
            until_ns: from_ns + seconds * SECOND_NS,
            reboots,
        };
        match node.id.0 {
            2 => node.outages = vec![away(part(2), 3, true)],
            3 => node.outages = vec![away(part(3) + 30 * SECOND_NS, 20, false)],
            _ => {}
        }
    }
    scene
}

#[cfg(test)]
mod tests {
    //! Guards that the scripted scenes ask what they say.
    use super::*;
    use crate::room::tracking::apart_m;
    use wavewitness_fixtures::channel::Width;

    fn plan(scene: &Scene, t_ns: u64) -> Vec<[f64; 2]> {
        let poses = scene.truth_poses(scene.start.plus_nanos(t_ns));
        poses.iter().filter(|p| p.weight > 0.5).map(|p| [p.root_m[0], p.root_m[1]]).collect()
    }

    /// Distances of two people, every 0.1 s.
    fn distances(scene: &Scene) -> Vec<f64> {
        let times = (0..scene.duration_ns).step_by(100_000_000).map(|t| plan(scene, t));
        times.filter_map(|p| <[[f64; 2]; 2]>::try_from(p).ok()).map(|[a, b]| apart_m(a, b)).collect()
    }

    #[test]
    fn nobody_is_there_before_the_entry_and_everybody_after() {
        for scene in [still(), crossing(), side_by_side(), leave_and_return(), people(3, 4, 30)] {
            assert!(plan(&scene, 59 * SECOND_NS).is_empty(), "{}", scene.name);
            let late_s = if scene.name == "people" { 72 } else { 62 };
            assert_eq!(plan(&scene, late_s * SECOND_NS).len(), scene.actors.len(), "{}", scene.name);
            assert!(scene.duration_ns > 90 * SECOND_NS - 1, "{}: {}", scene.name, scene.duration_ns);
        }
    }

    #[test]
    fn people_cross_without_touching_and_stand_side_by_side() {
        let apart = distances(&crossing());
        let near = apart.windows(3).filter(|w| w[1] < w[0] && w[1] <= w[2] && w[1] < 1.0).count();
        assert_eq!(near, 12, "closest approaches");
        assert!(
            apart.iter().all(|&m| m > 0.55),
            "{:?}",
            apart.iter().copied().reduce(|a, b| if b < a { b } else { a })
        );
        let beside = distances(&side_by_side());
        let close = beside.iter().filter(|&&m| (0.6..0.8).contains(&m)).count();
        assert!(close > 500 && close * 10 > beside.len() * 7, "{close} of {}", beside.len());
    }

    #[test]
    fn a_full_request_has_ten_hours_of_daily_life_however_many_seeds() {
        for seeds in [1, 2] {
            let request = Request {
                suite: Suite::Full,
                first_seed: 1,
                seeds,
                nodes: 4,
                width: Width::Twenty,
                draw: false,
                only: Vec::new(),
                settings: Vec::new(),
            };
            let jobs = jobs(&request);
            let daily: Vec<&Job> = jobs.iter().filter(|j| j.question == Question::Daily).collect();
            let scored_ns: u64 =
                daily.iter().map(|j| j.scene.duration_ns - u64::from(ENTER_S) * SECOND_NS).sum();
            assert_eq!(scored_ns, 36_000 * SECOND_NS);
            assert!(daily.windows(2).all(|w| w[0].seed != w[1].seed));
        }
    }

    #[test]
    fn one_goes_out_before_the_other_comes_in() {
        let scene = another_comes_in();
        let who = |t: u64| {
            let poses = scene.truth_poses(scene.start.plus_nanos(t));
            let there: Vec<u32> = poses.iter().filter(|p| p.weight > 0.5).map(|p| p.id).collect();
            assert!(there.len() < 2, "{there:?} at {} s", t / SECOND_NS);
            there.first().copied()
        };
        let times = (60 * SECOND_NS..scene.duration_ns).step_by(100_000_000);
        let all: Vec<Option<u32>> = times.map(who).collect();
        let stays: Vec<(Option<u32>, usize)> =
            all.chunk_by(|a, b| a == b).map(|c| (c[0], c.len())).filter(|s| s.1 > 10).collect();
        let visits: Vec<u32> = stays.iter().filter_map(|s| s.0).collect();
        assert_eq!(visits, [1, 2, 1, 2, 1, 2, 1, 2]);
        let gaps = stays.windows(3).filter(|w| w[1].0.is_none()).map(|w| w[1].1);
        assert!(gaps.clone().count() == 7 && gaps.clone().all(|g| (15..=60).contains(&g)), "{stays:?}");
    }

    #[test]
    fn only_what_is_asked_for_is_run() {
        let only = vec!["falls".to_owned(), "still person".to_owned()];
        let request = Request {
            suite: Suite::Quick,
            first_seed: 1,
            seeds: 2,
            nodes: 4,
            width: Width::Twenty,
            draw: false,
            only,
            settings: Vec::new(),
        };
        let titles: Vec<String> = jobs(&request).iter().map(Job::title).collect();
        assert_eq!(titles, ["still person", "still person", "falls", "falls"]);
    }

    #[test]
    fn two_come_in_after_one_has_gone() {
        let scene = after_one(1, 60);
        let there = |t_s: u64| plan(&scene, t_s * SECOND_NS).len();
        let counts = [59, 70, 200, 655, 689, 691, 694, 740].map(there);
        assert_eq!(counts, [0, 1, 1, 1, 0, 1, 2, 2]);
        assert_eq!(scene.duration_ns, 750 * SECOND_NS);
    }

    #[test]
    fn an_absence_is_at_most_five_seconds() {
        let scene = leave_and_return();
        let there: Vec<bool> = (60 * SECOND_NS..scene.duration_ns)
            .step_by(100_000_000)
            .map(|t| !plan(&scene, t).is_empty())
            .skip(10)
            .collect();
        let gaps: Vec<usize> = there.chunk_by(|a, b| a == b).filter(|c| !c[0]).map(<[bool]>::len).collect();
        assert_eq!(gaps.len(), 8);
        assert!(gaps.iter().all(|&g| (15..=50).contains(&g)), "{gaps:?}");
    }
}
