//! RadioPoints: nobody, one and three people in a room, an Intel 5300 with 3 × 2 antennas.
//!
//! Each pair of antennas is a link on the chip's 30 tones. Quiet is learned on the first looks of the empty recording and
//! carried over; the recordings with people begin cold. A cycle says "somebody" if something moves on most links: one room
//! is seen by all of them. How many people there are is not said: see `docs/algorithms/motion.md`.

use crate::{Dataset, Failure, Judgement, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_captures::{CaptureFrame, Format, Reader};
use wavewitness_motion::{Basis, Condition, Config, LinkMotion, Plan, State};
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
    cycle_end: Timestamp,
}

impl Pairs {
    /// Streams a recording behind what came before; one value a cycle in which quiet is known: something moves.
    fn stream(&mut self, path: &Path) -> Result<Vec<bool>, Failure> {
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
                self.cycle_end = self.cycle_end.plus_nanos(CYCLE_NS);
                said.extend(verdict(&self.out));
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
            let mut pairs =
                Pairs { plan: None, state: None, out: Vec::new(), cycle_end: Timestamp(CYCLE_NS) };
            let mut shares = Vec::new();
            for (people, path) in &files {
                let said = pairs.stream(path)?;
                let right = said.iter().filter(|moving| **moving == (*people > 0)).count();
                let share = right as f64 / said.len().max(1) as f64;
                let name = format!("{room}, {people} people");
                report.rows.push(Row::new(name, "presence right, cycles", share, ""));
                shares.push(share);
            }
            let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
            let presence = Row::new(&room, "presence right, mean of the recordings", mean, "");
            report.rows.push(presence.bar(Judgement::AtLeast(0.99)));
            let count = Row::new(&room, "count of people", f64::NAN, "");
            report.rows.push(count.bar(Judgement::AtLeast(0.85)));
        }
    }
    report.notes.push(
        "count: not said. What tells one from three in this room can't be set without it (docs/algorithms/motion.md)"
            .to_owned(),
    );
    Ok(report)
}
