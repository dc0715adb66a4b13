//! How well weights do on scenes, in the stage's own hands: its gates, its memory, and what it publishes.

use super::Seen;
use super::samples::{CYCLE_NS, TOLD_UNTIL};
use crate::{Report, Row};
use wavewitness_posture::{CLASSES, Config, Memory, Plan, Verdict, Weights};
use wavewitness_types::{FallWatch, Posture, Timestamp, UnknownReason};

const HOUR: f64 = 72_000.0;
const NAMES: [&str; CLASSES] = ["standing", "walking", "sitting", "lying"];
/// Other thresholds of falls than the stage's, nats.
const BARS: [f64; 10] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0];

/// Falls: found if told at most 1 s after the floor. False: told outside of falls. Classes: of cycles with one person who does not fall.
pub fn report(of: &'static str, weights: &Weights, seen: &[Seen]) -> Report {
    let mut rows = falls(weights, seen);
    rows.extend(classes(weights, seen));
    Report { dataset: of, rows, notes: Vec::new() }
}

/// What the stage says in each cycle of a scene.
fn verdicts(config: &Config, weights: &Weights, scene: &Seen) -> Vec<Verdict> {
    let plan = Plan::with(config, weights.clone()).expect("a threshold within its range");
    let mut memory = Memory::default();
    let each = scene.moments.iter().zip(1u64..).map(|(moment, k)| {
        let at = Timestamp(k * CYCLE_NS);
        plan.conclude(at, moment.look, None, UnknownReason::NoData, &mut memory)
    });
    each.collect()
}

/// Falls, how many of them are found, and how often one is told that is none.
fn told(config: &Config, weights: &Weights, seen: &[Seen]) -> [usize; 3] {
    let mut out = [0; 3];
    for scene in seen {
        let mut found = vec![false; scene.falls.len()];
        for (k, verdict) in verdicts(config, weights, scene).iter().enumerate().skip(scene.from_cycle) {
            let now = Timestamp((k as u64 + 1) * CYCLE_NS);
            if !matches!(verdict.fall, FallWatch::Watching(Some(fall)) if fall.at == now) {
                continue;
            }
            match scene.fall_at(k) {
                Some(n) if k <= scene.falls[n][1] + TOLD_UNTIL => found[n] = true,
                Some(_) => {}
                None => out[2] += 1,
            }
        }
        out[0] += found.len();
        out[1] += found.iter().filter(|&&f| f).count();
    }
    out
}

fn falls(weights: &Weights, seen: &[Seen]) -> Vec<Row> {
    let row = |metric: &str, value: f64, unit| Row::new("falls", metric, value, unit);
    let stage = Config::default();
    let [all, found, wrong] = told(&stage, weights, seen);
    let without = |s: &Seen| (s.from_cycle..s.moments.len()).filter(|&k| s.fall_at(k).is_none()).count();
    let mut rows = vec![
        row("falls", all as f64, ""),
        row("hours without", seen.iter().map(without).sum::<usize>() as f64 / HOUR, "h"),
        row("threshold of the stage", stage.fall_evidence, "nats"),
        row("found within 1 s of the floor", found as f64, ""),
        row("false falls", wrong as f64, ""),
    ];
    for bar in BARS {
        let [_, found, wrong] = told(&Config { fall_evidence: bar, ..stage.clone() }, weights, seen);
        rows.push(row(&format!("found at {bar} nats"), found as f64, ""));
        rows.push(row(&format!("false at {bar} nats"), wrong as f64, ""));
    }
    rows
}

fn classes(weights: &Weights, seen: &[Seen]) -> Vec<Row> {
    // True class by what is said; the last: nothing.
    let mut table = [[0u64; CLASSES + 1]; CLASSES];
    for scene in seen {
        let verdicts = verdicts(&Config::default(), weights, scene);
        for (moment, verdict) in scene.moments.iter().zip(&verdicts).skip(scene.from_cycle) {
            let Some(class) = moment.truth.map(|t| t as usize).filter(|&c| c < CLASSES) else { continue };
            let said = match verdict.posture {
                Posture::Known { class, .. } => class as usize,
                Posture::Unknown(_) => CLASSES,
            };
            table[class][said] += 1;
        }
    }
    let mut rows = Vec::new();
    for (k, name) in NAMES.into_iter().enumerate() {
        let said: u64 = table.iter().map(|row| row[k]).sum();
        let all: u64 = table[k].iter().sum();
        rows.push(Row::new(name, "cycles", all as f64, ""));
        rows.push(Row::new(name, "said of these", table[k][k] as f64 / all as f64, ""));
        rows.push(Row::new(name, "undecided of these", table[k][CLASSES] as f64 / all as f64, ""));
        rows.push(Row::new(name, "right where said", table[k][k] as f64 / said as f64, ""));
    }
    rows
}

#[cfg(test)]
mod tests {
    //! Guards that what is scored is what the stage says: its gates hold here, and a fall is told once.
    use super::*;
    use crate::training::looks::Moment;
    use wavewitness_fixtures::body::Posture as Truth;
    use wavewitness_posture::Look;

    /// Somebody falls from cycle 200 to 215 and lies, or moves on by as much change a cycle.
    fn scene(change: f64) -> Seen {
        let look = |k: usize| {
            let moving = if k < 215 { 20.0 } else { change };
            Look { change: [moving; 5], departure: 5.0, is_known: true, is_steady: true, ..Look::NOTHING }
        };
        let truth = |k: usize| match k {
            0..200 => Truth::Walking,
            200..215 => Truth::Falling,
            _ => Truth::Lying,
        };
        Seen::of((0..400).map(|k| Moment { look: look(k), truth: Some(truth(k)) }).collect(), 130)
    }

    /// Weights to which everything is a fall, and nobody walks: nothing else is known of classes.
    fn alarmist() -> Weights {
        let mut weights = Weights::TRAINED;
        weights.fall.output = [[0.0; _]];
        weights.fall.output_bias = [9.0];
        weights.class.output = [[0.0; _]; CLASSES];
        weights.class.output_bias = [0.0, -50.0, 0.0, 0.0];
        weights
    }

    #[test]
    fn falls_are_told_by_the_stage_and_its_gates() {
        let config = Config::default();
        assert_eq!(told(&config, &alarmist(), &[scene(0.0)]), [1, 1, 0]);
        // Still moving: the stage does not tell it, whatever the evidence.
        assert_eq!(told(&config, &alarmist(), &[scene(2.0)]), [1, 0, 0]);
        let deaf = Config { fall_evidence: 10.0, ..config.clone() };
        assert_eq!(told(&deaf, &alarmist(), &[scene(0.0)]), [1, 0, 0]);
        // Nobody falls, and all is still from the beginning.
        let mut still = scene(0.0);
        still.moments.iter_mut().for_each(|m| (m.look.change, m.truth) = ([0.0; 5], Some(Truth::Sitting)));
        // Told as soon as there are looks enough, and then he is known to lie there.
        let still = Seen::of(still.moments, 100);
        assert_eq!(told(&config, &alarmist(), &[still]), [0, 0, 1]);
    }

    #[test]
    fn classes_are_what_the_stage_publishes() {
        let value = |rows: &[Row], of: &str, metric: &str| {
            rows.iter().find(|r| r.recording == of && r.metric == metric).and_then(|r| r.value).unwrap()
        };
        // By the network nothing is known; who fell lies, because that is remembered.
        let rows = classes(&alarmist(), &[scene(0.0)]);
        assert_eq!(value(&rows, "walking", "said of these"), 0.0);
        assert!(value(&rows, "lying", "said of these") > 0.9);
        assert_eq!(value(&rows, "lying", "right where said"), 1.0);
    }
}
