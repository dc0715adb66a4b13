//! Golden chains: scenes that the project made, and the digests that every machine must compute from them.
//!
//! A scene's datagrams come from the simulator, which is deterministic too; their digest is the first line of a golden,
//! so a changed simulator is told from a changed engine.
//!
//! Only the engine and the simulator stand behind it, so that it builds wherever they do (aarch64, wasm32): the binary
//! `golden-check` is what `.ci/cross` runs there.
//!
//! Beside a golden lie the digests of its every cycle and the values of some ([`companion`]); [`names`] tells which link,
//! tone and quantity a value is, and [`difference`] says all that of a golden that fails.
//!
//! [`drive`] is how any scene goes through the engine: the accuracy tables and the whole-system tests use it, too.
//!
//! What this crate does not do: it reads no journal and decides on no new golden (`proof-runner bless` does); it does not
//! say whether a chain is right, only whether it is the one that was minted.

pub mod companion;
pub mod drive;
mod explain;
pub mod names;
mod tap;

pub use companion::Stored;
pub use explain::{ValueDifference, compare_values, difference, first_difference};
pub use tap::{CHANNELS, CycleValues, channel_name};

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use wavewitness_engine::{Applied, EngineConfig, NUMERICS_VERSION, Replayer};
use wavewitness_fixtures::rng::Rng;
use wavewitness_fixtures::{Scene, Simulation, scenes};
use wavewitness_types::{
    BootRecord, Canonical, Command, CycleIndex, Event, PrivacyMode, Sink, Source, Timestamp,
};
use wavewitness_witness::{Digest, Digester, Genesis, SPECIFICATION, Stage, Witness};

const CYCLE_NS: u64 = 50_000_000;
/// Cycles between two chain values in a golden: how finely a divergence is localised.
const EVERY: u64 = 20;

/// A scene with what the operator does in it.
pub struct Golden {
    /// Its name, and that of its file.
    pub name: &'static str,
    /// The scene.
    pub scene: fn() -> Scene,
    /// The simulator's seed.
    pub seed: u64,
    /// Commands, by cycle.
    pub commands: &'static [(u64, Command)],
}

/// Every golden.
pub const GOLDENS: &[Golden] = &[
    Golden { name: "quiet", scene: scenes::quiet, seed: 1, commands: &[] },
    Golden { name: "one-walker", scene: scenes::one_walker, seed: 2, commands: &[] },
    Golden { name: "two-people", scene: scenes::two_people, seed: 3, commands: &[] },
    Golden { name: "heavy-loss", scene: scenes::heavy_loss, seed: 4, commands: &[] },
    Golden { name: "node-dropout", scene: scenes::node_dropout, seed: 5, commands: &[] },
    Golden { name: "every-layout", scene: scenes::every_layout, seed: 6, commands: &[] },
    Golden {
        name: "calibration",
        scene: scenes::calibration,
        seed: 7,
        commands: &[(20, Command::StartCalibration)],
    },
    Golden {
        name: "recalibrate",
        scene: scenes::recalibrate,
        seed: 8,
        commands: &[(20, Command::StartCalibration)],
    },
];

/// What a golden's computation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted {
    /// Digest of the scene's datagrams with their times.
    pub capture: Digest,
    /// Digest of the genesis (configuration included).
    pub genesis: Digest,
    /// Cycles.
    pub cycles: u64,
    /// Digest over every cycle's digest of each stage.
    pub stages: [Digest; Stage::COUNT],
    /// Chain values every second.
    pub chain: Vec<(u64, Digest)>,
    /// The last chain value.
    pub head: Digest,
    /// False if only the first cycles were computed.
    pub complete: bool,
    /// The first digits of every cycle's digests.
    pub cycle_digests: Vec<(u64, companion::Short)>,
    /// The values of the cycles that [`companion::is_sampled`] names.
    pub values: Vec<CycleValues>,
}

/// Short waiting times and an eager gate, so that a short scene gets past its calibration and, where a cabinet moves, to
/// links that are rejected and ask for a new one.
fn config(scene: &Scene) -> EngineConfig {
    let mut config =
        EngineConfig { geometry: scene.geometry(), cycle: scene.cycle_plan(), ..EngineConfig::default() };
    config.calibration.observations = 200;
    config.gate.still_hold_s = 2.0;
    config.gate.recalibrate_after_s = 3.0;
    config.gate.reject_leave = 0.5;
    config.gate.reject_enter = 0.4;
    config
}

/// The events of a golden, cycle by cycle, each ended by its tick: all of them, or those of its first cycles alone
/// (then without the stop).
pub fn events(golden: &Golden, cycles: Option<u64>) -> (EngineConfig, Vec<Event>) {
    let scene = (golden.scene)();
    let config = config(&scene);
    let start = scene.start;
    let mut out =
        vec![Event::Boot { at: start, record: BootRecord { boot_id: golden.seed, ..BootRecord::default() } }];
    let mut cycle = 0;
    let mut end = start.plus_nanos(CYCLE_NS);
    let mut tick = |out: &mut Vec<Event>, end: &mut Timestamp| {
        for (_, command) in golden.commands.iter().filter(|(at, _)| *at == cycle) {
            out.push(Event::Command { at: *end, command: *command });
        }
        out.push(Event::Tick { at: *end, cycle: CycleIndex(cycle) });
        cycle += 1;
        *end = end.plus_nanos(CYCLE_NS);
    };
    for datagram in Simulation::new(&scene, golden.seed) {
        while datagram.at >= end {
            tick(&mut out, &mut end);
            if cycles.is_some_and(|limit| is_last(out.last(), limit)) {
                return (config, out);
            }
        }
        out.push(datagram.into_event());
    }
    tick(&mut out, &mut end);
    out.push(Event::Stop { at: end });
    (config, out)
}

fn is_last(event: Option<&Event>, cycles: u64) -> bool {
    matches!(event, Some(Event::Tick { cycle, .. }) if cycle.0 + 1 >= cycles)
}

/// The same events with the datagrams and commands of each cycle in an order of chance: the chain must not change.
pub fn shuffled(mut events: Vec<Event>, seed: u64) -> Vec<Event> {
    let mut rng = Rng::new(seed);
    for cycle in
        events.split_mut(|e| matches!(e, Event::Boot { .. } | Event::Tick { .. } | Event::Stop { .. }))
    {
        // Fisher and Yates.
        for k in (1..cycle.len()).rev() {
            cycle.swap(k, rng.below(k as u64 + 1) as usize);
        }
    }
    events
}

/// The genesis of a golden.
pub fn genesis(golden: &Golden, config: &EngineConfig) -> Genesis {
    Genesis {
        specification: SPECIFICATION,
        numerics: NUMERICS_VERSION,
        source: Source::Simulated,
        started: (golden.scene)().start,
        software: "golden".to_owned(),
        config: config.to_canonical_bytes(),
        predecessor: None,
        privacy: PrivacyMode::RawResearch,
    }
}

/// Computes a golden.
///
/// # Panics
/// If the default configuration is refused: then nothing works.
pub fn mint(golden: &Golden) -> Minted {
    let (config, events) = events(golden, None);
    mint_events(&genesis(golden, &config), &events)
}

/// Digest of the datagrams among events, in the order given.
pub fn capture(events: &[Event]) -> Digest {
    let mut capture = Digester::new("wavewitness golden capture");
    events.iter().filter(|e| matches!(e, Event::Datagram { .. })).for_each(|e| e.canonical(&mut capture));
    capture.finish()
}

/// Computes a chain from events.
///
/// # Panics
/// If this build can't compute the genesis.
pub fn mint_events(genesis: &Genesis, events: &[Event]) -> Minted {
    let mut stages = Stage::ALL.map(|_| Digester::new("wavewitness golden stage"));
    let mut replayer = Replayer::new(genesis).unwrap_or_else(|e| panic!("a golden's genesis: {e}"));
    let mut minted = Minted {
        capture: capture(events),
        genesis: genesis.digest(),
        cycles: 0,
        stages: [Digest::ZERO; Stage::COUNT],
        chain: Vec::new(),
        head: Digest::ZERO,
        complete: matches!(events.last(), Some(Event::Stop { .. })),
        cycle_digests: Vec::new(),
        values: Vec::new(),
    };
    run(&mut replayer, events, companion::is_sampled, |entry| match entry {
        Entry::Cycle(witness, values) => {
            minted.take(witness, &mut stages);
            minted.values.extend(values);
        }
        Entry::Other(witness) => minted.head = witness.chain,
    });
    for (digest, hasher) in minted.stages.iter_mut().zip(&mut stages) {
        *digest = hasher.finish();
    }
    minted
}

enum Entry<'a> {
    Cycle(&'a Witness, Option<CycleValues>),
    Other(&'a Witness),
}

/// Drives a replay; of the cycles that are `wanted`, the values go along.
fn run(
    replayer: &mut Replayer,
    events: &[Event],
    wanted: impl Fn(u64) -> bool,
    mut take: impl FnMut(Entry<'_>),
) {
    for event in events {
        let values = matches!(event, Event::Tick { cycle, .. } if wanted(cycle.0));
        tap::keep(replayer, values);
        match replayer.apply(event) {
            Applied::Pending => {}
            Applied::Cycle(report) => {
                let (witness, report) = (report.witness, values.then(|| report.clone()));
                take(Entry::Cycle(&witness, report.map(|report| tap::values(replayer, &report))));
            }
            Applied::Entry(witness) => take(Entry::Other(&witness)),
        }
    }
}

/// The values of every stage in a window of cycles.
///
/// # Panics
/// If this build can't compute the genesis.
pub fn trace(genesis: &Genesis, events: &[Event], window: &RangeInclusive<u64>) -> Vec<CycleValues> {
    let mut replayer = Replayer::new(genesis).unwrap_or_else(|e| panic!("a golden's genesis: {e}"));
    let mut out = Vec::new();
    run(
        &mut replayer,
        events,
        |cycle| window.contains(&cycle),
        |entry| {
            if let Entry::Cycle(_, values) = entry {
                out.extend(values);
            }
        },
    );
    out
}

impl Minted {
    fn take(&mut self, witness: &Witness, stages: &mut [Digester; Stage::COUNT]) {
        for (hasher, digest) in stages.iter_mut().zip(&witness.stages) {
            hasher.put(&digest.0);
        }
        self.cycles += 1;
        self.cycle_digests.push((witness.cycle.0, companion::short(witness)));
        self.head = witness.chain;
        if self.cycles.is_multiple_of(EVERY) {
            self.chain.push((witness.cycle.0, witness.chain));
        }
    }

    /// The text of a golden's file.
    pub fn to_text(&self, name: &str) -> String {
        let mut out = format!("# Golden chain \"{name}\". Minted by: proof-runner bless\n");
        let mut line = |key: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(out, "{key} {value}");
        };
        line("numerics", &NUMERICS_VERSION);
        line("capture", &self.capture);
        line("genesis", &self.genesis);
        line("cycles", &self.cycles);
        for stage in Stage::ALL {
            line(&format!("stage.{}", stage.name()), &self.stages[stage as usize]);
        }
        for (cycle, value) in &self.chain {
            line(&format!("chain.{cycle}"), value);
        }
        line("head", &self.head);
        out
    }
}
