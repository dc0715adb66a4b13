//! Time of every stage over a journal: its events computed again by this build, with a clock beside.

use crate::recompute::{Change, this_builds_genesis};
use crate::verify::Progress;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Instant;
use wavewitness_engine::{Applied, Replayer};
use wavewitness_journal::{Content, Journal};
use wavewitness_types::Event;
use wavewitness_witness::Stage;

/// Longest time that is told apart, nanoseconds: a minute. What is longer counts as that.
const LONGEST_NS: u64 = 60_000_000_000;
/// Decimal digits that a histogram keeps: values are right to 0.1 %.
const DIGITS: u8 = 3;

/// What is timed: the work up to each of the engine's marks (`Engine::tick_observed`), what remains of a cycle, and all of it.
const PARTS: [(&str, Option<Stage>); 7] = [
    ("ingest, links, gain, phase", Some(Stage::PhaseAlign)),
    ("baselines", Some(Stage::Calibration)),
    ("fusion, motion, breathing", Some(Stage::Fusion)),
    ("impulse response, gate", Some(Stage::Gate)),
    ("places, tracks, poses", Some(Stage::Pose)),
    ("presence, count, quality", Some(Stage::World)),
    ("digests, chain", None),
];

/// Times of one part of a cycle.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    times_ns: Histogram<u64>,
}

impl Part {
    fn new(name: &'static str) -> Part {
        let times_ns =
            Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("bounds and digits are constants");
        Part { name, times_ns }
    }

    fn take(&mut self, nanos: u64) {
        self.times_ns.saturating_record(nanos);
    }

    /// How many cycles.
    pub fn cycles(&self) -> u64 {
        self.times_ns.len()
    }

    /// Time in microseconds below or at which a share of the cycles stays, 0 to 1.
    pub fn quantile_us(&self, share: f64) -> f64 {
        self.times_ns.value_at_quantile(share) as f64 / 1e3
    }

    /// The longest, in microseconds.
    pub fn most_us(&self) -> f64 {
        self.times_ns.max() as f64 / 1e3
    }

    /// Mean in microseconds.
    pub fn mean_us(&self) -> f64 {
        self.times_ns.mean() / 1e3
    }

    /// Cycles by time: from so many microseconds up to twice as many, those ranges that have any.
    pub fn octaves(&self) -> Vec<(f64, u64)> {
        let mut out: Vec<(f64, u64)> = Vec::new();
        for value in self.times_ns.iter_recorded() {
            let octave = value.value_iterated_to().max(1).ilog2();
            let from_us = (1u64 << octave) as f64 / 1e3;
            match out.last_mut() {
                Some(last) if last.0 == from_us => last.1 += value.count_at_value(),
                _ => out.push((from_us, value.count_at_value())),
            }
        }
        out
    }
}

/// Times of a journal's cycles, part by part; the last is the whole cycle.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The parts in order of computation, then the whole.
    pub parts: Vec<Part>,
}

impl Profile {
    fn new() -> Profile {
        let names = PARTS.iter().map(|(name, _)| *name).chain(["whole cycle"]);
        Profile { parts: names.map(Part::new).collect() }
    }

    /// One cycle's marks: stage and nanoseconds since its begin.
    fn take(&mut self, marks: &[(Stage, u64)], whole_ns: u64) {
        let mut before = 0;
        for (part, (_, stage)) in self.parts.iter_mut().zip(PARTS) {
            let until = marks.iter().find(|(mark, _)| Some(*mark) == stage).map_or(whole_ns, |(_, ns)| *ns);
            part.take(until.saturating_sub(before));
            before = until;
        }
        if let Some(whole) = self.parts.last_mut() {
            whole.take(whole_ns);
        }
    }

    /// As JSON: times in microseconds.
    pub fn to_json(&self) -> serde_json::Value {
        #[derive(Serialize)]
        struct Row {
            part: &'static str,
            cycles: u64,
            mean_us: f64,
            p50_us: f64,
            p99_us: f64,
            p999_us: f64,
            max_us: f64,
            octaves_us: Vec<(f64, u64)>,
        }
        let row = |p: &Part| Row {
            part: p.name,
            cycles: p.cycles(),
            mean_us: p.mean_us(),
            p50_us: p.quantile_us(0.5),
            p99_us: p.quantile_us(0.99),
            p999_us: p.quantile_us(0.999),
            max_us: p.most_us(),
            octaves_us: p.octaves(),
        };
        serde_json::json!(self.parts.iter().map(row).collect::<Vec<_>>())
    }

    /// Each part's octaves as bars.
    pub fn histogram(&self) -> String {
        let mut out = String::new();
        for part in &self.parts {
            out += &format!("\n{}\n", part.name);
            let octaves = part.octaves();
            let most = octaves.iter().map(|o| o.1).max().unwrap_or(1);
            for (from_us, count) in octaves {
                let bar = "█".repeat((count * 50).div_ceil(most) as usize);
                out += &format!("  {from_us:>9.1} µs {count:>9}  {bar}\n");
            }
        }
        out
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<28} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "µs a cycle", "mean", "p50", "p99", "p99.9", "most"
        )?;
        for p in &self.parts {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| p.quantile_us(q));
            let (mean, most) = (p.mean_us(), p.most_us());
            writeln!(f, "{:<28} {mean:>10.1} {p50:>10.1} {p99:>10.1} {p999:>10.1} {most:>10.1}", p.name)?;
        }
        Ok(())
    }
}

/// Computes a journal's first chain again by this build, with stage parameters changed as asked, and times it. What is computed is not
/// compared with the journal: `replay` does that.
///
/// # Errors
/// If the journal can't be read, is damaged, or this build can't compute it.
pub fn profile(path: &Path, changes: &[Change], progress: Progress<'_>) -> Result<Profile, Box<dyn Error>> {
    let journal = Journal::open(path)?;
    let first = *journal.chains().first().ok_or("the journal holds no chain")?;
    let journal = journal.of_chain(first);
    let total: u64 = journal.segments().iter().map(|s| s.bytes).sum();
    let (mut replayer, mut booted) = (None, false);
    let mut out = Profile::new();
    for item in journal.records() {
        let chunk = item.map_err(|fault| format!("only an undamaged journal can be timed: {fault}"))?;
        let done: u64 = journal.segments().iter().filter(|s| s.name < chunk.segment).map(|s| s.bytes).sum();
        progress(done + chunk.offset, total);
        let events = match &chunk.content {
            Content::Start { genesis, .. } if replayer.is_none() => {
                replayer = Some(Replayer::new(&this_builds_genesis(genesis, changes)?)?);
                continue;
            }
            Content::Start { .. } => continue,
            Content::Cycle { events, .. } | Content::Entry { events, .. } => events,
        };
        let Some(replayer) = &mut replayer else { continue };
        let events: Option<Vec<Event>> = events.iter().map(|b| Event::from_canonical_bytes(b)).collect();
        let events = events.ok_or("an event can't be read")?;
        booted |= matches!(events.as_slice(), [Event::Boot { .. }]);
        if booted {
            time(replayer, &events, &mut out);
        }
    }
    progress(total, total);
    if out.parts.iter().all(|p| p.cycles() == 0) {
        return Err("the journal has no cycle after a boot".into());
    }
    Ok(out)
}

/// One chunk's events. Datagrams are taken one by one as they come, and count to the first part.
#[allow(clippy::disallowed_methods, reason = "timing is what this is for; no result depends on it")]
fn time(replayer: &mut Replayer, events: &[Event], out: &mut Profile) {
    let begin = Instant::now();
    let since = || u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut marks = Vec::with_capacity(PARTS.len());
    for event in events {
        if let Applied::Cycle(_) = replayer.apply_observed(event, |stage| marks.push((stage, since()))) {
            let whole_ns = since();
            out.take(&marks, whole_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    //! Guards the arithmetic: parts add up to the whole, and octaves count every cycle.
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        let mut profile = Profile::new();
        let stages = PARTS.iter().filter_map(|p| p.1);
        let marks: Vec<(Stage, u64)> = stages.zip((1..).map(|k| k * 1000)).collect();
        for _ in 0..10 {
            profile.take(&marks, 9_000);
        }
        let (whole, parts) = profile.parts.split_last().unwrap();
        let sum: f64 = parts.iter().map(Part::mean_us).sum();
        assert!((sum - 9.0).abs() < 0.02 && (whole.mean_us() - 9.0).abs() < 0.01, "{sum}");
        assert!((parts[6].quantile_us(0.99) - 3.0).abs() < 0.01);
        assert_eq!(whole.cycles(), 10);
    }

    #[test]
    fn octaves_hold_every_cycle_once() {
        let mut part = Part::new("test");
        [1_000, 1_500, 2_100, 90_000, 0].iter().for_each(|&ns| part.take(ns));
        let octaves = part.octaves();
        assert_eq!(octaves.iter().map(|o| o.1).sum::<u64>(), 5);
        assert!(octaves.windows(2).all(|w| w[0].0 < w[1].0), "{octaves:?}");
    }
}
