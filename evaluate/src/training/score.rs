//! How well weights do on scenes.

use super::{Seen, Weights};
use crate::{Report, Row};
use wavewitness_num::math;
use wavewitness_posture::{CLASSES, Config};

const HOUR: f64 = 72_000.0;
/// Cycles that are one occasion: what is told once is not told again within 5 s.
const OCCASION: usize = 100;
const NAMES: [&str; CLASSES] = ["standing", "walking", "sitting", "lying"];

/// Falls: found if the evidence reaches the threshold at most 1 s after the floor. False: occasions of 5 s outside of falls in which
/// it does. Here without the stage's memory of who lies where he fell, which passes over some of these.
pub fn report(of: &'static str, weights: &Weights, seen: &[Seen]) -> Report {
    let mut rows = falls(weights, seen);
    rows.extend(classes(weights, seen));
    Report { dataset: of, rows, notes: Vec::new() }
}

fn falls(weights: &Weights, seen: &[Seen]) -> Vec<Row> {
    let config = Config::default();
    let (mut best, mut others, mut cycles) = (Vec::new(), Vec::new(), 0);
    for scene in seen {
        let mut of_fall = vec![f64::MIN; scene.falls];
        let mut occasions = vec![f64::MIN; scene.samples.len().div_ceil(OCCASION)];
        for (k, sample) in scene.samples.iter().enumerate() {
            let [evidence] = weights.fall.run(&sample.recent);
            let told = if sample.departure >= config.least_departure { evidence } else { f64::MIN };
            if let Some(n) = sample.of_fall {
                of_fall[n] = math::max_f64(of_fall[n], told);
            } else if sample.fall == Some(false) {
                cycles += 1;
                occasions[k / OCCASION] = math::max_f64(occasions[k / OCCASION], told);
            }
        }
        best.extend(of_fall);
        others.extend(occasions);
    }
    best.sort_by(f64::total_cmp);
    others.sort_by(|a, b| b.total_cmp(a));
    let row = |metric: &str, value: f64, unit| Row::new("falls", metric, value, unit);
    let above = |bar: f64| others.iter().filter(|&&e| e >= bar).count() as f64;
    let found = |bar: f64| best.iter().filter(|&&e| e >= bar).count() as f64 / best.len() as f64;
    let mut rows = vec![
        row("falls", best.len() as f64, ""),
        row("hours without", cycles as f64 / HOUR, "h"),
        row("least of a fall's evidence", best.first().copied().unwrap_or(f64::NAN), "nats"),
        row("most evidence of no fall", others.first().copied().unwrap_or(f64::NAN), "nats"),
        row("threshold of the stage", config.fall_evidence, "nats"),
    ];
    for bar in [0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0] {
        rows.push(row(&format!("found at {bar} nats"), found(bar), ""));
        rows.push(row(&format!("false at {bar} nats"), above(bar), ""));
    }
    rows
}

/// Of [`NAMES`], the one that has a bar of its own.
const SITTING: usize = 2;

/// Said with the probability from which on the stage publishes it.
fn classes(weights: &Weights, seen: &[Seen]) -> Vec<Row> {
    let config = Config::default();
    let bars = |k: usize| if k == SITTING { config.known_sitting } else { config.known_probability };
    // True class by what is said; the last: nothing.
    let mut table = [[0u64; CLASSES + 1]; CLASSES];
    for sample in seen.iter().flat_map(|s| &s.samples) {
        let Some(class) = sample.class else { continue };
        let scores = weights.class.run(&sample.features);
        let mut total = 0.0;
        for score in scores {
            total += math::exp(score - scores[class]);
        }
        let said = (0..CLASSES).find(|&k| math::exp(scores[k] - scores[class]) / total >= bars(k));
        table[class][said.unwrap_or(CLASSES)] += 1;
    }
    let mut rows = Vec::new();
    for (k, name) in NAMES.into_iter().enumerate() {
        let said: u64 = table.iter().map(|row| row[k]).sum();
        let all: u64 = table[k].iter().sum();
        rows.push(Row::new(name, "cycles", all as f64, ""));
        rows.push(Row::new(name, "said of these", table[k][k] as f64 / all as f64, ""));
        rows.push(Row::new(name, "right where said", table[k][k] as f64 / said as f64, ""));
    }
    rows
}
