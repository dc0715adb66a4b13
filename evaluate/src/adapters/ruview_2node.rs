//! Two ESP32-S3 nodes in a home (`ruview_2node`), JSON rows of what they sent: the whole engine with its defaults, event by
//! event as `wavewitness replay` feeds it. Nobody wrote down who was there: what the engine says is shown, not judged.
//!
//! Every number is one that the engine published. Any capture that `wavewitness replay` takes is taken.

use crate::{Dataset, Failure, Report, Row};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wavewitness_engine::{Applied, EngineConfig, NUMERICS_VERSION, Replayer};
use wavewitness_journal::Capture;
use wavewitness_types::{
    BootRecord, CalibrationState, Canonical, CycleIndex, Event, LinkId, LinkStatus, PoseFrame, Presence,
    PresenceBasis, PrivacyMode, Timestamp, Transmitter,
};
use wavewitness_witness::{Genesis, SPECIFICATION};

/// The dataset of this module.
pub const RUVIEW_2NODE: Dataset = Dataset {
    name: "ruview-2node",
    arguments: "FILE.jsonl   (or any capture that `wavewitness replay` takes)",
    run,
    find,
};

const CYCLE_NS: u64 = 50_000_000;
/// A pause in a recording that is longer is jumped over: its cycles count as missed, as in `wavewitness replay`.
const LONGEST_PAUSE_NS: u64 = 60_000_000_000;

fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir.join("ruview_2node")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    if files.is_empty() { Vec::new() } else { vec![files] }
}

/// What a replay left behind besides its frames.
pub(crate) struct Replayed {
    /// Digest of the chain's last entry.
    pub head: String,
    /// Datagrams, and what of the file was none, by reason.
    pub datagrams: u64,
    pub skipped: BTreeMap<&'static str, u64>,
    /// Datagrams that ingest refused, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
}

/// Runs a capture through an engine with its defaults; `each` sees the seconds since the first datagram and what was
/// published, every cycle.
pub(crate) fn replay(path: &Path, mut each: impl FnMut(f64, &PoseFrame)) -> Result<Replayed, Failure> {
    let mut capture = Capture::open(path).map_err(|e| Failure(e.to_string()))?;
    // As the hub does: a command before the first datagram has no cycle yet.
    let first = capture
        .by_ref()
        .find(|event| !matches!(event, Ok(event) if !matches!(event, Event::Datagram { .. })))
        .ok_or_else(|| Failure::read(path, "no datagram in it"))?
        .map_err(|e| Failure(e.to_string()))?;
    let start = first.at();
    let genesis = Genesis {
        specification: SPECIFICATION,
        numerics: NUMERICS_VERSION,
        source: capture.source(),
        started: start,
        // With the hub's own words the chain is the hub's, digest by digest.
        software: concat!("wavewitness ", env!("CARGO_PKG_VERSION")).to_owned(),
        config: EngineConfig::default().to_canonical_bytes(),
        predecessor: None,
        privacy: PrivacyMode::RawResearch,
    };
    let mut engine = Replayer::new(&genesis).map_err(|e| Failure(e.to_string()))?;
    engine.apply(&Event::Boot { at: start, record: BootRecord::default() });
    let (mut cycle, mut end) = (0u64, start.plus_nanos(CYCLE_NS));
    let mut until = |at: Timestamp, engine: &mut Replayer| {
        while at >= end {
            if let Applied::Cycle(report) = engine.apply(&Event::Tick { at: end, cycle: CycleIndex(cycle) }) {
                each(end.seconds_since(start), &report.frame);
            }
            let pause = at.nanos_since(end.plus_nanos(CYCLE_NS));
            let steps = 1 + if pause > LONGEST_PAUSE_NS { pause / CYCLE_NS } else { 0 };
            cycle += steps;
            end = end.plus_nanos(steps.saturating_mul(CYCLE_NS));
        }
        end
    };
    let mut last = start;
    for event in std::iter::once(Ok(first)).chain(&mut capture) {
        let event = event.map_err(|e| Failure(e.to_string()))?;
        if let Event::Datagram { at, .. } = event {
            last = last.max(at);
            until(at, &mut engine);
        }
        if matches!(event, Event::Datagram { .. } | Event::Command { .. }) {
            engine.apply(&event);
        }
    }
    // The cycle that was running ends.
    let running = until(last, &mut engine);
    until(running, &mut engine);
    engine.apply(&Event::Stop { at: running });
    let summary = capture.summary();
    Ok(Replayed {
        head: engine.engine().head().to_string(),
        datagrams: summary.datagrams,
        skipped: summary.skipped.clone(),
        rejected: engine.engine().rejects(),
    })
}

/// A link in words: who to whom, in which layout.
pub(crate) fn name(status: &LinkStatus) -> String {
    let tx = match status.link.tx() {
        Transmitter::Node(id) => format!("node {}", id.0),
        Transmitter::Station(mac) => mac.to_string(),
        Transmitter::Ambient(n) => format!("ambient {n}"),
    };
    format!("{tx} → node {}, {}", status.link.rx().0, status.link.layout().name())
}

/// What a link came to.
struct Seen {
    /// As last published.
    status: LinkStatus,
    found_s: f64,
    ready_s: Option<f64>,
    /// Cycles with a motion level, and their sum.
    moved: (u32, f64),
}

/// What was said of presence, cycle by cycle.
#[derive(Default)]
struct Tally {
    cycles: u32,
    /// By word: present or absent with what it rests on, or unknown with the reason.
    presence: BTreeMap<String, u32>,
    motions: Vec<f64>,
    frames: u64,
    unassigned: u64,
    rejected: u64,
    most_people: usize,
}

impl Tally {
    fn add(&mut self, frame: &PoseFrame) {
        self.cycles += 1;
        let word = match frame.presence {
            Presence::Unknown(reason) => format!("unknown: {}", reason.name()),
            Presence::Known { present, basis, .. } => {
                let rests = match basis {
                    PresenceBasis::Motion => "from motion alone",
                    PresenceBasis::EmptyRoom => "against an empty room",
                };
                format!("{}, {rests}", if present { "present" } else { "absent" })
            }
        };
        *self.presence.entry(word).or_default() += 1;
        self.motions.extend(frame.motion.map(f64::from));
        self.frames += u64::from(frame.quality.frames);
        self.unassigned += u64::from(frame.quality.unassigned);
        self.rejected += u64::from(frame.quality.rejected);
        self.most_people = self.most_people.max(frame.people.len());
    }
}

fn watch(links: &mut BTreeMap<LinkId, Seen>, at_s: f64, frame: &PoseFrame) {
    for status in &frame.links {
        let new = || Seen { status: *status, found_s: at_s, ready_s: None, moved: (0, 0.0) };
        let seen = links.entry(status.id).or_insert_with(new);
        seen.status = *status;
        if matches!(status.calibration, CalibrationState::Ready { .. }) && seen.ready_s.is_none() {
            seen.ready_s = Some(at_s);
        }
        if let Some(motion) = status.motion {
            seen.moved = (seen.moved.0 + 1, seen.moved.1 + f64::from(motion));
        }
    }
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let mut report = Report::new("ruview-2node");
    for path in paths {
        let (mut links, mut tally) = (BTreeMap::new(), Tally::default());
        let replayed = replay(path, |at_s, frame| {
            watch(&mut links, at_s, frame);
            tally.add(frame);
        })?;
        let stem = path.file_stem().map_or(String::new(), |s| s.to_string_lossy().into_owned());
        report.rows.extend(links.values().flat_map(link_rows));
        report.rows.extend(room_rows(&stem, links.len(), &tally));
        report.notes.push(format!(
            "{stem}: {} datagrams, {} cycles of 50 ms, skipped {:?}, rejected {:?}; chain head {} (`wavewitness replay` says the same)",
            replayed.datagrams, tally.cycles, replayed.skipped, replayed.rejected, replayed.head
        ));
    }
    report.notes.push(
        "distance: of a frame's shape from its link's centre (within), of that centre from the nearest other link of the same \
         receiver and layout (between; none if there is no other); ready: a baseline of what the hub found quiet, without an \
         operator's word that the room was empty"
            .to_owned(),
    );
    Ok(report)
}

fn link_rows(seen: &Seen) -> Vec<Row> {
    let Seen { status, found_s, ready_s, moved } = seen;
    let row = |metric: &str, value: f64, unit| Row::new(name(status), metric, value, unit);
    let level = moved.1 / f64::from(moved.0);
    vec![
        Row::word(name(status), "identified by", status.identification.name()),
        row("within-link distance", status.within_distance.map_or(f64::NAN, f64::from), ""),
        row("between-link distance", status.between_distance.map_or(f64::NAN, f64::from), ""),
        row("frames", status.frames as f64, ""),
        row("found after", *found_s, "s"),
        Row::word(name(status), "baseline at the end", status.calibration.name()),
        row("ready after", ready_s.unwrap_or(f64::NAN), "s"),
        row("motion over quiet, mean", level, ""),
    ]
}

fn room_rows(stem: &str, links: usize, tally: &Tally) -> Vec<Row> {
    let row = |metric: &str, value: f64| Row::new(stem, metric, value, "");
    let share = |some: f64, all: f64| if all > 0.0 { some / all } else { f64::NAN };
    let (frames, cycles) = (tally.frames as f64, f64::from(tally.cycles));
    let mut rows = vec![
        row("links found", links as f64),
        row("frames", frames),
        row("share of frames assigned to a link", share(frames - tally.unassigned as f64, frames)),
    ];
    rows.extend(tally.presence.iter().map(|(word, &n)| {
        let metric = format!("share of cycles: {word}");
        row(&metric, share(f64::from(n), cycles))
    }));
    let mut motions = tally.motions.clone();
    motions.sort_unstable_by(f64::total_cmp);
    let quantile = |q: f64| {
        let k = (q * motions.len() as f64) as usize;
        motions.get(k.min(motions.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    };
    rows.extend([
        row("share of cycles with a motion level", share(motions.len() as f64, cycles)),
        row("motion over quiet, median", quantile(0.5)),
        row("motion over quiet, 95th percentile", quantile(0.95)),
        row("most people shown at once", tally.most_people as f64),
    ]);
    rows
}
