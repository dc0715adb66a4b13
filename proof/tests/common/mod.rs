//! Small simulated journals, written as the hub writes them: engine, then journal, cycle by cycle.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use wavewitness_engine::{Engine, EngineConfig, NUMERICS_VERSION};
use wavewitness_fixtures::motion::{Person, Walk};
use wavewitness_fixtures::{Scene, Simulation};
use wavewitness_journal::{
    ChainId, Chunk, Content, CycleRecord, EntryRecord, EventBytes, Journal, JournalDir, Options, Writer,
};
use wavewitness_proof::report::Report;
use wavewitness_proof::{replay, verify};
use wavewitness_types::{BootRecord, Canonical, Command, CycleIndex, Event, PrivacyMode, Source, Timestamp};
use wavewitness_witness::{Chain, Genesis, SPECIFICATION, Witness};

pub const CYCLE_NS: u64 = 50_000_000;

/// A directory that is gone afterwards; in memory where there is such a place, for journals are synced when closed.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for k in (1..items.len()).rev() {
            items.swap(k, self.below(k + 1));
        }
    }
}

/// A mesh of four nodes in which one person walks.
pub fn scene(seconds: u64) -> Scene {
    let mut scene = Scene::mesh("system test", seconds);
    let walk = Walk::from(1.3, 1.2).to(4.7, 1.2, 1.0).to(4.7, 3.1, 1.0).to(1.3, 3.1, 1.0);
    scene.people = vec![Person::new(1, walk)];
    scene
}

/// Baselines as soon as may be: short journals are to have calibrated links.
pub fn config(scene: &Scene) -> EngineConfig {
    let mut config =
        EngineConfig { geometry: scene.geometry(), cycle: scene.cycle_plan(), ..EngineConfig::default() };
    config.calibration.observations = 40;
    config.calibration.least_observations = 40;
    config
}

pub fn genesis(scene: &Scene, config: &EngineConfig) -> Genesis {
    Genesis {
        specification: SPECIFICATION,
        numerics: NUMERICS_VERSION,
        source: Source::Simulated,
        started: scene.start,
        software: "system test".to_owned(),
        config: config.to_canonical_bytes(),
        predecessor: None,
        privacy: PrivacyMode::RawResearch,
    }
}

/// A scene's whole cycles: the datagrams that arrived in each, then its tick.
pub fn cycles(scene: &Scene, seed: u64) -> Vec<Vec<Event>> {
    let mut datagrams = Simulation::new(scene, seed).peekable();
    let cycle = |k: u64| {
        let end = scene.start.plus_nanos((k + 1) * CYCLE_NS);
        let mut events = Vec::new();
        while let Some(datagram) = datagrams.next_if(|d| d.at < end) {
            events.push(datagram.into_event());
        }
        events.push(Event::Tick { at: end, cycle: CycleIndex(k) });
        events
    };
    (0..scene.duration_ns / CYCLE_NS).map(cycle).collect()
}

/// Engine and journal, driven as the hub drives them.
pub struct Recorder {
    pub engine: Engine,
    pub writer: Writer,
    pub last: Vec<u8>,
}

impl Recorder {
    pub fn new(path: &Path, genesis: &Genesis, config: &EngineConfig, cycles_per_segment: u32) -> Recorder {
        let engine = Engine::new(config, genesis.source, Chain::new(genesis)).unwrap();
        let writer = begin(path, genesis, &[], genesis.started, cycles_per_segment);
        Recorder { engine, writer, last: Vec::new() }
    }

    pub fn boot(&mut self, at: Timestamp, record: BootRecord) -> Witness {
        let witness = self.engine.boot(at, &record);
        self.entry(&Event::Boot { at, record }, &witness);
        witness
    }

    pub fn stop(&mut self, at: Timestamp) -> Witness {
        let witness = self.engine.stop(at);
        self.entry(&Event::Stop { at }, &witness);
        witness
    }

    fn entry(&mut self, event: &Event, witness: &Witness) {
        self.last = witness.to_canonical_bytes();
        append_entry(&mut self.writer, &[event.to_canonical_bytes()], &self.last);
    }

    /// A whole cycle: its events, the tick last.
    pub fn cycle(&mut self, events: &[Event]) -> Witness {
        let bytes: Vec<Vec<u8>> = events.iter().map(Canonical::to_canonical_bytes).collect();
        for event in events {
            match event {
                Event::Datagram { at, from, bytes } => assert!(self.engine.datagram(*at, *from, bytes)),
                Event::Command { at, command } => assert!(self.engine.command(*at, *command)),
                Event::Tick { at, cycle } => {
                    self.engine.tick(*at, *cycle);
                }
                Event::Boot { .. } | Event::Stop { .. } => panic!("not of a cycle"),
            }
        }
        let report = self.engine.report();
        let (witness, pose) = (report.witness, report.published.clone());
        let stored = witness.to_canonical_bytes();
        append_cycle(&mut self.writer, witness.cycle, &bytes, &stored, &pose, &self.last);
        self.last = stored;
        witness
    }

    pub fn close(self) {
        self.writer.close().unwrap();
    }
}

pub fn begin(path: &Path, genesis: &Genesis, head: &[u8], at: Timestamp, cycles_per_segment: u32) -> Writer {
    let dir = JournalDir::lock(path).unwrap();
    let id = ChainId::from_digest(&genesis.digest().0);
    let options = Options { cycles_per_segment, ..Options::default() };
    Writer::create(dir, id, genesis.source, &genesis.to_canonical_bytes(), head, at, options).unwrap()
}

fn borrowed(events: &[Vec<u8>]) -> Vec<EventBytes<'_>> {
    // A damaged event has no time that could be read; it goes under any.
    let at = |b: &[u8]| Event::from_canonical_bytes(b).map_or(Timestamp(0), |e| e.at());
    events.iter().map(|b| EventBytes { at: at(b), bytes: b }).collect()
}

fn time(witness: &[u8]) -> Timestamp {
    Witness::from_canonical_bytes(witness).map_or(Timestamp(0), |w| w.at)
}

pub fn append_cycle(
    writer: &mut Writer,
    cycle: CycleIndex,
    events: &[Vec<u8>],
    witness: &[u8],
    pose: &[u8],
    head: &[u8],
) {
    let events = borrowed(events);
    let record =
        CycleRecord { cycle, at: time(witness), events: &events, witness: Some(witness), pose: Some(pose) };
    writer.append_cycle(&record, || head.to_vec()).unwrap();
}

pub fn append_entry(writer: &mut Writer, events: &[Vec<u8>], witness: &[u8]) {
    let events = borrowed(events);
    writer.append_entry(&EntryRecord { at: time(witness), events: &events, witness: Some(witness) }).unwrap();
}

/// Records a boot, a scene's cycles (a calibration is begun in the fifth), a stop.
pub fn record(path: &Path, scene: &Scene, seed: u64, cycles_per_segment: u32) -> Genesis {
    let config = config(scene);
    let genesis = genesis(scene, &config);
    let mut recorder = Recorder::new(path, &genesis, &config, cycles_per_segment);
    recorder.boot(scene.start, BootRecord { boot_id: seed, ..BootRecord::default() });
    let cycles = cycles(scene, seed);
    for (k, events) in cycles.iter().enumerate() {
        recorder.cycle(&with_calibration(k, events));
    }
    recorder.stop(scene.start.plus_nanos(cycles.len() as u64 * CYCLE_NS));
    recorder.close();
    genesis
}

pub fn with_calibration(cycle: usize, events: &[Event]) -> Vec<Event> {
    let mut events = events.to_vec();
    if cycle == 5 {
        let tick = events.len() - 1;
        let command = Event::Command { at: events[tick].at(), command: Command::StartCalibration };
        events.insert(tick, command);
    }
    events
}

/// Everything that a sound journal holds.
pub fn read(path: &Path) -> Vec<Chunk> {
    Journal::open(path)
        .unwrap()
        .records()
        .map(|item| item.unwrap_or_else(|fault| panic!("{fault}")))
        .collect()
}

/// Writes chunks as a sound journal: right checksums, seals, indexes. Only a witness can tell what was changed.
pub fn write(path: &Path, chain: ChainId, chunks: &[Chunk]) {
    let mut dir = Some(JournalDir::lock(path).unwrap());
    let mut writer: Option<Writer> = None;
    for chunk in chunks {
        match &chunk.content {
            Content::Start { genesis, head, source } => {
                if let Some(writer) = writer.take() {
                    dir = Some(writer.close().unwrap());
                }
                let dir = dir.take().unwrap();
                let options = Options { cycles_per_segment: u32::MAX, ..Options::default() };
                let created = Writer::create(dir, chain, *source, genesis, head, chunk.at, options);
                writer = Some(created.unwrap());
            }
            Content::Cycle { cycle, events, witness, pose } => {
                let (witness, pose) = (witness.as_ref().unwrap(), pose.as_ref().unwrap());
                append_cycle(writer.as_mut().unwrap(), *cycle, events, witness, pose, &[]);
            }
            Content::Entry { events, witness } => {
                append_entry(writer.as_mut().unwrap(), events, witness.as_ref().unwrap());
            }
        }
    }
    writer.unwrap().close().unwrap();
}

pub fn verified(path: &Path) -> Report {
    verify::verify(path, &mut |_, _| {}).unwrap()
}

pub fn replayed(path: &Path) -> Report {
    replay::replay(path, &mut |_, _| {}).unwrap()
}

pub fn findings(report: &Report) -> String {
    report.findings().map(|f| format!("\n  {f}")).collect()
}
