//! RadioPoints: nobody, one and three people in a room, an Intel 5300 with 3 × 2 antennas.
//!
//! Each pair of antennas is a link on the chip's 30 tones. Quiet is learned on the first looks of the empty recording and
//! carried over; the recordings with people begin cold. A cycle says "somebody" if something moves on most links: one room
//! is seen by all of them. How many people move is said 20 s after they began, from how unsteady the energy of their motion
//! is (`wavewitness_motion::Counter`).

use crate::{Dataset, Failure, Judgement, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_captures::{CaptureFrame, Format, Reader};
use wavewitness_motion::{Basis, Condition, Config, Counter, LinkMotion, People, Plan, State};
use wavewitness_num::math;
use wavewitness_types::{LinkId, Timestamp};

/// The dataset of this module.
pub const RADIOPOINTS: Dataset = Dataset {
    name: "radiopoints",
    arguments: "FOLDER   (with one *_0p.dat and further *_<n>p.dat of the same room)",
    run,
    find,
};

const CYCLE_NS: u64 = super::espectre::CYCLE_NS;
/// The chip's counter of microseconds has 32 bits.
const CLOCK_PERIOD_NS: u64 = (1 << 32) * 1000;

fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let dir = dir.join("presence_radiopoints");
    if dir.is_dir() { vec![vec![dir]] } else { Vec::new() }
}

/// Recordings of one room, each with its number of people, fewest first.
struct Room {
    name: String,
    files: Vec<(u32, PathBuf)>,
}

/// Recordings of a folder by room.
fn rooms(dir: &Path) -> Result<Vec<Room>, Failure> {
    let mut found: Vec<(String, u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| Failure::read(dir, e))?.flatten() {
        let path = entry.path();
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let people =
            stem.rsplit_once('_').and_then(|(room, n)| Some((room, n.strip_suffix('p')?.parse().ok()?)));
        if let (Some((room, people)), Some("dat")) = (people, path.extension().and_then(|e| e.to_str())) {
            found.push((room.to_owned(), people, path));
        }
    }
    found.sort();
    let mut rooms: Vec<Room> = Vec::new();
    for (name, people, path) in found {
        match rooms.last_mut().filter(|room| room.name == name) {
            Some(room) => room.files.push((people, path)),
            None => rooms.push(Room { name, files: vec![(people, path)] }),
        }
    }
    Ok(rooms)
}

/// All pairs of antennas through the stage.
struct Pairs {
    plan: Option<Plan>,
    state: Option<State>,
    out: Vec<LinkMotion>,
    counter: Counter,
    cycle_end: Timestamp,
}

/// What is said in a cycle in which quiet is known.
struct Said {
    /// Something moves.
    moving: bool,
    /// How many people, 3 being three or more; `None` if that is not known.
    people: Option<u32>,
}

impl Pairs {
    /// Streams a recording behind what came before; one value a cycle in which quiet is known.
    fn stream(&mut self, path: &Path) -> Result<Vec<Said>, Failure> {
        let bytes = std::fs::read(path).map_err(|e| Failure::read(path, e))?;
        let mut reader = Reader::new(Format::Intel5300, &bytes);
        let mut frame = CaptureFrame::default();
        let (mut last_ns, mut shape) = (None, None);
        let mut at = self.cycle_end;
        let (mut amplitudes, mut said) = (Vec::new(), Vec::new());
        while let Some(read) = reader.read(&mut frame) {
            let (Ok(()), Some(time)) = (read, frame.time) else { continue };
            // Another number of antennas or streams is another measurement.
            if *shape.get_or_insert((frame.rx, frame.tx)) != (frame.rx, frame.tx) {
                continue;
            }
            let step = last_ns.map_or(0, |last| (time.ns + CLOCK_PERIOD_NS - last) % CLOCK_PERIOD_NS);
            last_ns = Some(time.ns);
            at = at.plus_nanos(step);
            self.begin(&frame, path)?;
            let (Some(plan), Some(state)) = (&self.plan, &mut self.state) else { continue };
            while at >= self.cycle_end {
                plan.end_cycle(self.cycle_end, frame.rx * frame.tx, state, &mut self.out);
                self.counter.cycle(self.cycle_end, &self.out);
                self.cycle_end = self.cycle_end.plus_nanos(CYCLE_NS);
                said.extend(verdict(&self.out).map(|moving| Said {
                    moving,
                    people: if moving { self.counter.people().map(most_probable) } else { Some(0) },
                }));
            }
            for (link, (rx, tx)) in
                (0..frame.rx).flat_map(|rx| (0..frame.tx).map(move |tx| (rx, tx))).enumerate()
            {
                let Some(stream) = frame.stream(rx, tx) else { continue };
                amplitudes.clear();
                amplitudes.extend(stream.values.iter().map(|h| math::hypot(h.re.into(), h.im.into()) as f32));
                // Nine pairs at most.
                plan.amplitudes(LinkId(link as u16), at, &amplitudes, state);
            }
        }
        if let (Some(plan), Some(state)) = (&self.plan, &mut self.state) {
            plan.restart(state);
        }
        self.counter.clear();
        Ok(said)
    }

    fn begin(&mut self, frame: &CaptureFrame, path: &Path) -> Result<(), Failure> {
        if self.plan.is_some() {
            return Ok(());
        }
        let basis = Basis::new(&frame.tones, frame.spacing_hz);
        let basis = basis.ok_or_else(|| Failure::read(path, "too few tones for modes"))?;
        let plan = Plan::with_tones(&Config::default(), basis).map_err(|e| Failure(e.to_string()))?;
        self.state = Some(State::new(&plan));
        self.plan = Some(plan);
        Ok(())
    }
}

fn most_probable(people: People) -> u32 {
    let mut best = 0;
    for k in 1..people.probability.len() {
        if people.probability[k] > people.probability[best] {
            best = k;
        }
    }
    best as u32 + 1
}

/// Most of the links say so; `None` while quiet is not known on all.
fn verdict(links: &[LinkMotion]) -> Option<bool> {
    let ready = links.iter().all(|l| l.condition == Condition::Ready);
    let moving = links.iter().filter(|l| l.moving).count();
    (ready && !links.is_empty()).then_some(2 * moving >= links.len())
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let mut report = Report::new("radiopoints");
    for dir in paths {
        for Room { name: room, files } in rooms(dir)? {
            if files.first().is_none_or(|(people, _)| *people != 0) {
                return Err(Failure::read(
                    dir,
                    format!("{room} has no recording of nobody to learn quiet from"),
                ));
            }
            let (out, counter, cycle_end) = (Vec::new(), Counter::new(), Timestamp(CYCLE_NS));
            let mut pairs = Pairs { plan: None, state: None, out, counter, cycle_end };
            let (mut shares, mut counted) = (Vec::new(), Vec::new());
            for (people, path) in &files {
                let said = pairs.stream(path)?;
                let right = said.iter().filter(|s| s.moving == (*people > 0)).count();
                let share = right as f64 / said.len().max(1) as f64;
                let name = format!("{room}, {people} people");
                report.rows.push(Row::new(&name, "presence right, cycles", share, ""));
                shares.push(share);
                let counts = said.iter().filter_map(|s| s.people);
                let (known, all) = (counts.clone().count(), said.len().max(1) as f64);
                let share = counts.filter(|n| *n == (*people).min(3)).count() as f64 / known.max(1) as f64;
                report.rows.push(Row::new(&name, "count right, cycles that say one", share, ""));
                report.rows.push(Row::new(&name, "cycles that say no count", 1.0 - known as f64 / all, ""));
                counted.push(share);
            }
            let mean = |shares: &[f64]| shares.iter().sum::<f64>() / shares.len().max(1) as f64;
            let presence = Row::new(&room, "presence right, mean of the recordings", mean(&shares), "");
            report.rows.push(presence.bar(Judgement::AtLeast(0.99)));
            let count = Row::new(&room, "count right, mean of the recordings", mean(&counted), "");
            report.rows.push(count.bar(Judgement::AtLeast(0.85)));
        }
    }
    report.notes.push(
        "count: the most probable of nobody, one, two, three or more, once somebody moved for 20 s; levels from simulated \
         rooms (docs/algorithms/motion.md)"
            .to_owned(),
    );
    Ok(report)
}
