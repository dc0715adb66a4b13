//! What posture and falls are scored on: somebody who falls again and again, and hours of daily life without a fall.

use super::scenes::{ENTER_S, scripted};
use wavewitness_fixtures::body::script::CHAIR_M;
use wavewitness_fixtures::crowd::{Habits, Manner, somebody};
use wavewitness_fixtures::rng::Rng;
use wavewitness_fixtures::scene::SECOND_NS;
use wavewitness_fixtures::{Actor, Scene, Script, scenes};
use wavewitness_num::math;

/// Length of a part of the daily life, seconds.
pub const PART_S: u64 = 1800;
/// How far from its feet a falling body reaches, over the stature.
const REACH: f64 = 1.05;
/// Nothing of a falling body comes nearer to a wall, or to a node, metres.
const CLEARANCE_M: f64 = 0.3;
/// Places that are tried for a fall before it is the middle of the room.
const TRIES: usize = 300;

/// How a fall comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// At the end of a way, in its direction or backwards.
    Walking,
    /// After standing a while, facing anywhere.
    Standing,
    /// On getting up from a chair.
    Sitting,
}

/// Somebody of chance who falls `count` times: half of the falls after a walk, a quarter from standing, a quarter on getting up
/// from a chair; half of them backwards; anywhere in the room, in any direction. After 6 to 12 s on the floor he gets up.
pub fn falls(seed: u64, count: u32) -> Scene {
    let mut rng = Rng::stream(seed, 2000);
    let room = Scene::mesh("falls", 1);
    let (build, manner) = somebody(&mut rng);
    let Manner { step, arm_swing, speed_m_s, breathing_mm, breathing_hz } = manner;
    let mut script =
        Script::new(build, 0.8, 2.6, 0.0).manner(step, arm_swing).away(f64::from(ENTER_S)).stand(1.0);
    for k in 0..count {
        let from = [Before::Walking, Before::Standing, Before::Walking, Before::Sitting][(k % 4) as usize];
        let backwards = rng.chance(0.5);
        let spot = spot(&room, &script, from, backwards, &mut rng);
        let ([x, y], heading) = spot;
        let wait_s = 3.0 + 5.0 * rng.uniform();
        script = script.walk(x, y, speed_m_s * (0.85 + 0.3 * rng.uniform()));
        script = match from {
            Before::Walking => script,
            Before::Standing => script.turn(heading).stand(wait_s),
            Before::Sitting => script.turn(heading).sit(2.0 * wait_s, CHAIR_M),
        };
        // On his feet again before the next way is chosen: they are elsewhere then.
        script = script.fall(backwards, 6.0 + 6.0 * rng.uniform()).stand(2.0 + 3.0 * rng.uniform()).done();
    }
    let mut scene = scripted("falls", vec![script]);
    scene.actors = vec![Actor { breathing_mm, breathing_hz, ..scene.actors.remove(0) }];
    scene
}

/// Where the next fall is, and which way the person faces there.
fn spot(room: &Scene, script: &Script, from: Before, backwards: bool, rng: &mut Rng) -> ([f64; 2], f64) {
    let at = script.place_m();
    let reach_m = REACH * script.build().stature_m;
    let free = |p: [f64; 2], clearance_m: f64| {
        let inside = (0..2)
            .all(|k| p[k] >= room.room.min_m[k] + clearance_m && p[k] <= room.room.max_m[k] - clearance_m);
        let off_node = |n: &[f64; 3]| math::hypot(n[0] - p[0], n[1] - p[1]) >= CLEARANCE_M + clearance_m;
        inside && room.nodes.iter().all(|n| off_node(&n.position_m))
    };
    for _ in 0..TRIES {
        let p =
            [0, 1].map(|k| room.room.min_m[k] + rng.uniform() * (room.room.max_m[k] - room.room.min_m[k]));
        let along = math::atan2(p[1] - at[1], p[0] - at[0]);
        let heading = match from {
            Before::Walking => along,
            Before::Standing | Before::Sitting => core::f64::consts::TAU * (rng.uniform() - 0.5),
        };
        let forward_m = if backwards { -reach_m } else { reach_m };
        let head = [p[0] + forward_m * math::cos(heading), p[1] + forward_m * math::sin(heading)];
        if free(p, 2.0 * CLEARANCE_M)
            && free(head, CLEARANCE_M)
            && math::hypot(p[0] - at[0], p[1] - at[1]) > 1.0
        {
            return (p, heading);
        }
    }
    ([0, 1].map(|k| 0.5 * (room.room.min_m[k] + room.room.max_m[k])), 0.0)
}

/// A part of the daily life without a fall: one person, in every fourth part two, who walk, stand, sit, wave, lie down on a bed,
/// go out and come back.
pub fn daily(seed: u64, seconds: u64) -> Scene {
    let habits = Habits { sit: true, lie: true, wave: true, leave: true, enter_after_s: ENTER_S };
    let count = if seed.is_multiple_of(4) { 2 } else { 1 };
    scenes::people(seed, count, u64::from(ENTER_S) + seconds, habits)
}

/// A part of a rough day without a fall: one person who hurries, stops dead, drops onto chairs and beds within 0.4 to 1 s, and squats
/// as fast. What falls are most easily taken for.
pub fn rough(seed: u64, seconds: u64) -> Scene {
    let mut rng = Rng::stream(seed, 3000);
    let room = Scene::mesh("rough day", 1);
    let (build, manner) = somebody(&mut rng);
    let Manner { step, arm_swing, speed_m_s, breathing_mm, breathing_hz } = manner;
    let mut script =
        Script::new(build, 0.8, 2.6, 0.0).manner(step, arm_swing).away(f64::from(ENTER_S)).stand(1.0);
    while script.duration_ns() < (u64::from(ENTER_S) + seconds) * SECOND_NS {
        // A bed behind him needs as much room as a fall backwards.
        let ([x, y], heading) = spot(&room, &script, Before::Standing, true, &mut rng);
        let (within_s, rest_s) = (0.4 + 0.6 * rng.uniform(), 3.0 + 6.0 * rng.uniform());
        script = script.walk(x, y, speed_m_s * (0.9 + 0.7 * rng.uniform()));
        script = match (4.0 * rng.uniform()) as u32 {
            0 => script.stand(rest_s),
            1 => script.turn(heading).plump(within_s, rest_s, CHAIR_M),
            2 => script.turn(heading).drop_onto(within_s, rest_s, CHAIR_M),
            _ => script.turn(heading).squat(within_s, rest_s),
        };
        script = script.stand(1.0 + 2.0 * rng.uniform()).done();
    }
    let mut scene = scripted("rough day", vec![script]);
    scene.actors = vec![Actor { breathing_mm, breathing_hz, ..scene.actors.remove(0) }];
    scene
}

#[cfg(test)]
mod tests {
    //! Guards that falls are falls, inside the room, of every kind, and that daily life has none.
    use super::*;
    use std::collections::BTreeSet;
    use wavewitness_fixtures::body::Posture;

    /// Every 50 ms, the only person.
    fn poses(scene: &Scene) -> Vec<wavewitness_fixtures::TruthPose> {
        let times = (0..scene.duration_ns).step_by(50_000_000);
        times.flat_map(|t| scene.truth_poses(scene.start.plus_nanos(t))).collect()
    }

    #[test]
    fn somebody_falls_as_often_as_asked_within_the_room() {
        let mut ways = BTreeSet::new();
        for seed in 1..=3 {
            let scene = falls(seed, 12);
            let poses = poses(&scene);
            let falling = |k: usize| poses[k].posture == Posture::Falling;
            let begins: Vec<usize> = (1..poses.len()).filter(|&k| falling(k) && !falling(k - 1)).collect();
            assert_eq!(begins.len(), 12, "seed {seed}");
            for &k in &begins {
                let sat = poses[k.saturating_sub(60)..k].iter().any(|p| p.posture == Posture::Sitting);
                let walked = poses[k.saturating_sub(20)..k].iter().any(|p| p.posture == Posture::Walking);
                // Where the head is, against where the body faces, on the floor a second later.
                let late = &poses[k + 25];
                let toward = [0, 1].map(|axis| late.joints_m[0][axis] - late.root_m[axis]);
                let (facing_x, facing_y) = (math::cos(late.heading_rad), math::sin(late.heading_rad));
                ways.insert((sat, walked, toward[0] * facing_x + toward[1] * facing_y < 0.0));
            }
            for joint in poses.iter().flat_map(|p| p.joints_m) {
                let inside = (0..2).all(|k| joint[k] > 0.0 && joint[k] < scene.room.max_m[k]);
                assert!(inside, "seed {seed}: {joint:?}");
            }
        }
        // After a walk, from standing, on getting up; each forwards and backwards.
        assert_eq!(ways.len(), 6, "{ways:?}");
    }

    #[test]
    fn daily_life_has_every_posture_but_falling() {
        let mut seen = BTreeSet::new();
        for seed in 3..=4 {
            let scene = daily(seed, 900);
            assert_eq!(scene.actors.len(), if seed == 4 { 2 } else { 1 });
            seen.extend(poses(&scene).iter().map(|p| p.posture));
        }
        let all = [Posture::Standing, Posture::Walking, Posture::Sitting, Posture::Lying];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
    }
}
