//! What the posture stage sees of simulated people, cycle by cycle, beside what they do.

use crate::Failure;
use std::path::Path;
use wavewitness_engine::EngineConfig;
use wavewitness_fixtures::body::Posture as Truth;
use wavewitness_fixtures::{Scene, Simulation};
use wavewitness_golden::drive::{CALIBRATE_AT, Drive};
use wavewitness_posture::Look;

/// Who is less than this in the room is not there.
const THERE_WEIGHT: f64 = 0.5;
/// Numbers of a look: its changes, its departure, and both of them typically.
const NUMBERS: usize = 12;
/// Bytes of a moment in a file: the numbers, whether it is known and steady, the truth, and one that is 0.
const BYTES: usize = 4 * NUMBERS + 4;
/// Code of a truth that is none.
const NOBODY: u8 = 255;

/// One cycle. Numbers have the precision of `f32`, so that what was kept in a file trains to the same bits as what was just seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// What was seen.
    pub look: Look,
    /// What the only one who is there does; `None`: nobody or several are there.
    pub truth: Option<Truth>,
}

/// Every cycle of a scene. The stages before the posture's do what they always do; those that only place people are left out: the
/// engine is not told the room's walls.
///
/// # Errors
/// If the engine refuses the configuration.
pub fn watch(scene: &Scene, seed: u64) -> Result<Vec<Moment>, Failure> {
    let mut geometry = scene.geometry();
    geometry.room = None;
    let config = EngineConfig { geometry, cycle: scene.cycle_plan(), ..EngineConfig::default() };
    let until = Some(scene.start.plus_nanos(scene.duration_ns));
    let drive = Drive { scene, config: &config, calibrate_at: Some(CALIBRATE_AT), until };
    let mut out = Vec::new();
    let every = |_| true;
    drive
        .watch(Simulation::new(scene, seed), every, |end, engine| {
            let mut poses = scene.truth_poses(end);
            poses.retain(|p| p.weight >= THERE_WEIGHT);
            let truth = match &poses[..] {
                [only] => Some(only.posture),
                _ => None,
            };
            out.push(Moment { look: rounded(&engine.postures().look), truth });
        })
        .map_err(|e| Failure(e.to_string()))?;
    Ok(out)
}

fn numbers(look: &Look) -> [f32; NUMBERS] {
    let Look { change: c, departure, typical_change: t, typical_departure, .. } = look;
    let [d, td] = [departure, typical_departure];
    [c[0], c[1], c[2], c[3], c[4], *d, t[0], t[1], t[2], t[3], t[4], *td].map(|x| x as f32)
}

fn look(n: [f32; NUMBERS], is_known: bool, is_steady: bool) -> Look {
    let five = |from: usize| [0, 1, 2, 3, 4].map(|k| f64::from(n[from + k]));
    let (departure, typical_departure) = (f64::from(n[5]), f64::from(n[11]));
    Look { change: five(0), departure, typical_change: five(6), typical_departure, is_known, is_steady }
}

fn rounded(seen: &Look) -> Look {
    look(numbers(seen), seen.is_known, seen.is_steady)
}

/// As [`watch`]; what a file of that name has is not simulated again, what was is kept in it.
///
/// # Errors
/// As [`watch`], and if the file can't be written or has another form.
pub fn watch_or_read(scene: &Scene, seed: u64, file: Option<&Path>) -> Result<Vec<Moment>, Failure> {
    let Some(path) = file else { return watch(scene, seed) };
    if let Ok(bytes) = std::fs::read(path) {
        return read(&bytes).ok_or_else(|| Failure(format!("{} has no looks: delete it", path.display())));
    }
    let moments = watch(scene, seed)?;
    std::fs::write(path, write(&moments))
        .map_err(|e| Failure(format!("can't write {}: {e}", path.display())))?;
    Ok(moments)
}

fn write(moments: &[Moment]) -> Vec<u8> {
    let mut out = Vec::with_capacity(BYTES * moments.len());
    for Moment { look, truth } in moments {
        numbers(look).iter().for_each(|x| out.extend(x.to_le_bytes()));
        let truth = truth.map_or(NOBODY, |t| t as u8);
        out.extend([u8::from(look.is_known), u8::from(look.is_steady), truth, 0]);
    }
    out
}

fn read(bytes: &[u8]) -> Option<Vec<Moment>> {
    const TRUTHS: [Truth; 5] =
        [Truth::Standing, Truth::Walking, Truth::Sitting, Truth::Lying, Truth::Falling];
    if !bytes.len().is_multiple_of(BYTES) {
        return None;
    }
    let moment = |record: &[u8]| {
        let mut n = [0.0; NUMBERS];
        for (x, b) in n.iter_mut().zip(record.chunks_exact(4)) {
            *x = f32::from_le_bytes(b.try_into().ok()?);
        }
        let [known, steady, truth, 0] = record[4 * NUMBERS..] else { return None };
        let code = |c: u8| TRUTHS.get(usize::from(c)).copied();
        let truth = if truth == NOBODY { None } else { Some(code(truth)?) };
        Some(Moment { look: look(n, known == 1, steady == 1), truth })
    };
    bytes.chunks_exact(BYTES).map(moment).collect()
}

#[cfg(test)]
mod tests {
    //! Guards that kept looks are those that were seen, and that other files are none.
    use super::*;

    #[test]
    fn kept_looks_are_the_same_bits_and_others_are_refused() {
        let seen = look([0.1, 2.0, -0.3, 4.5, 1e6, 0.7, -2.3, -2.2, 0.0, 1.0, 3.0, -1.2], true, false);
        let all =
            [Some(Truth::Falling), Some(Truth::Standing), None].map(|truth| Moment { look: seen, truth });
        let bytes = write(&all);
        assert_eq!(read(&bytes).unwrap(), all);
        assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        let mut wrong = bytes;
        wrong[4 * NUMBERS + 2] = 17;
        assert_eq!(read(&wrong), None);
    }
}
