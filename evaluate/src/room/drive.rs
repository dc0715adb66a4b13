//! A scene through the engine, cycle by cycle, beside its truth.

use crate::Failure;
use wavewitness_engine::EngineConfig;
use wavewitness_fixtures::{Scene, Simulation, TruthPose};
use wavewitness_golden::drive::{CALIBRATE_AT, Drive};
use wavewitness_types::{FallWatch, Gate, Person, PoseFrame, Presence, Timestamp};

/// Who is there: see the definitions of [`crate::room`].
pub(crate) const THERE_WEIGHT: f64 = 0.5;

/// One cycle: what was published, and what is true at its tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Cycle {
    /// Seconds from the scene's start.
    pub t_s: f64,
    /// Who is there, ascending by id.
    pub truth: Vec<TruthPose>,
    /// Who is published, ascending by id.
    pub people: Vec<Person>,
    /// Presence; `None`: unknown.
    pub present: Option<bool>,
    /// The most probable count; `None`: unknown.
    pub count: Option<u8>,
    /// The room's gate.
    pub gate: Gate,
    /// Whether falls are watched.
    pub watched: bool,
    /// When the newest fall that is published was decided, nanoseconds of the host's clock.
    pub fall: Option<Timestamp>,
}

/// Every cycle of a scene. People are those with a skeleton (`Scene::actors`); the stages' parameters are those of `settings`,
/// room and cycle the scene's.
///
/// # Errors
/// If the engine refuses the configuration.
pub fn run(scene: &Scene, seed: u64, settings: &EngineConfig) -> Result<Vec<Cycle>, Failure> {
    let config = EngineConfig { geometry: scene.geometry(), cycle: scene.cycle_plan(), ..settings.clone() };
    // Where the last datagrams are lost, their cycles are still published.
    let until = Some(scene.start.plus_nanos(scene.duration_ns));
    let drive = Drive { scene, config: &config, calibrate_at: Some(CALIBRATE_AT), until };
    let mut out = Vec::new();
    drive
        .run(Simulation::new(scene, seed), |end, report| out.push(cycle(scene, end, &report.frame)))
        .map_err(|e| Failure(e.to_string()))?;
    Ok(out)
}

fn cycle(scene: &Scene, at: Timestamp, frame: &PoseFrame) -> Cycle {
    let mut truth = scene.truth_poses(at);
    truth.retain(|p| p.weight >= THERE_WEIGHT);
    truth.sort_by_key(|p| p.id);
    Cycle {
        t_s: at.seconds_since(scene.start),
        truth,
        people: frame.people.clone(),
        present: match frame.presence {
            Presence::Known { present, .. } => Some(present),
            Presence::Unknown(_) => None,
        },
        count: frame.count.most_probable(),
        gate: frame.gate,
        watched: matches!(frame.fall, FallWatch::Watching(_)),
        fall: match frame.fall {
            FallWatch::Watching(Some(fall)) => Some(fall.at),
            FallWatch::Watching(None) | FallWatch::Unknown(_) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    //! Guards the driving: every cycle once, truth and tick of one time, the same scene the same cycles.
    use super::*;
    use crate::room::Score;
    use wavewitness_fixtures::crowd::Habits;
    use wavewitness_fixtures::scenes;

    #[test]
    fn a_small_scene_gives_the_same_score_again() {
        let habits = Habits { enter_after_s: 3, ..Habits::default() };
        let mut scene = scenes::people(7, 1, 6, habits);
        scene.surfaces.order = 1;
        // Nothing arrives in the end: its cycles are published all the same.
        for node in &mut scene.nodes {
            let outage = wavewitness_fixtures::scene::Outage {
                from_ns: 5_500_000_000,
                until_ns: u64::MAX,
                reboots: false,
            };
            node.outages = vec![outage];
        }
        let settings = EngineConfig::default();
        let cycles = run(&scene, 7, &settings).unwrap();
        assert_eq!(cycles.len(), 120);
        assert!((cycles[119].t_s - 6.0).abs() < 1e-9);
        let there = cycles.iter().find(|c| !c.truth.is_empty()).unwrap();
        assert!((3.0..3.6).contains(&(there.t_s + 0.5)), "{}", there.t_s);
        let again = run(&scene, 7, &settings).unwrap();
        assert_eq!(cycles, again);
        assert_eq!(Score::of(&scene, &cycles, 0.0), Score::of(&scene, &again, 0.0));
    }
}
