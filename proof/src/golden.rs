//! Golden chains: scenes that the project made, and the digests that every machine must compute from them.
//!
//! A scene's datagrams come from the simulator, which is deterministic too; their digest is the first line of a golden,
//! so a changed simulator is told from a changed engine.

use std::fmt::Write as _;
use wavewitness_engine::{Applied, EngineConfig, NUMERICS_VERSION, Replayer};
use wavewitness_fixtures::{Scene, Simulation, scenes};
use wavewitness_types::{BootRecord, Canonical, Command, CycleIndex, Event, Sink, Source, Timestamp};
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
}

/// The events of a golden, cycle by cycle, each ended by its tick.
pub fn events(golden: &Golden) -> (EngineConfig, Vec<Event>) {
    let scene = (golden.scene)();
    let config =
        EngineConfig { geometry: scene.geometry(), cycle: scene.cycle_plan(), ..EngineConfig::default() };
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
        }
        out.push(datagram.into_event());
    }
    tick(&mut out, &mut end);
    out.push(Event::Stop { at: end });
    (config, out)
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
    }
}

/// Computes a golden.
///
/// # Panics
/// If the default configuration is refused: then nothing works.
pub fn mint(golden: &Golden) -> Minted {
    let (config, events) = events(golden);
    mint_events(&genesis(golden, &config), &events)
}

/// Computes a chain from events.
///
/// # Panics
/// If this build can't compute the genesis.
pub fn mint_events(genesis: &Genesis, events: &[Event]) -> Minted {
    let mut capture = Digester::new("wavewitness golden capture");
    let mut stages = Stage::ALL.map(|_| Digester::new("wavewitness golden stage"));
    let mut replayer = Replayer::new(genesis).unwrap_or_else(|e| panic!("a golden's genesis: {e}"));
    let mut minted = Minted {
        capture: Digest::ZERO,
        genesis: genesis.digest(),
        cycles: 0,
        stages: [Digest::ZERO; Stage::COUNT],
        chain: Vec::new(),
        head: Digest::ZERO,
    };
    for event in events {
        if let Event::Datagram { .. } = event {
            event.canonical(&mut capture);
        }
        match replayer.apply(event) {
            Applied::Pending => {}
            Applied::Cycle(report) => minted.take(&report.witness, &mut stages),
            Applied::Entry(witness) => minted.head = witness.chain,
        }
    }
    minted.capture = capture.finish();
    for (digest, hasher) in minted.stages.iter_mut().zip(&mut stages) {
        *digest = hasher.finish();
    }
    minted
}

impl Minted {
    fn take(&mut self, witness: &Witness, stages: &mut [Digester; Stage::COUNT]) {
        for (hasher, digest) in stages.iter_mut().zip(&witness.stages) {
            hasher.put(&digest.0);
        }
        self.cycles += 1;
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

/// Compares a golden's file with what was computed now: `None` if equal, else what parted first, what that means, and
/// what to do next.
pub fn difference(name: &str, stored: &str, minted: &Minted) -> Option<String> {
    let computed = minted.to_text(name);
    if stored == computed {
        return None;
    }
    let field = |text: &str, key: &str| {
        text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ').map(str::to_owned))
    };
    let parted = |key: &str| field(stored, key) != field(&computed, key);
    let mut out = format!("golden {name} differs:\n");
    let mut say = |text: &str| {
        let _ = writeln!(out, "  {text}");
    };
    let first = Stage::ALL.into_iter().find(|s| parted(&format!("stage.{}", s.name())));
    let cycle = minted.chain.iter().find(|(cycle, _)| parted(&format!("chain.{cycle}")));
    if parted("numerics") {
        say("it is of another numerics version");
    }
    if parted("capture") {
        say("the scene's datagrams differ: the simulator changed, or its numbers are not repeatable here");
    }
    if parted("genesis") {
        say("the genesis differs: a default of the configuration changed");
    }
    if let Some(stage) = first {
        say(&format!("the first stage that differs is {}", stage.name()));
    }
    if let Some((cycle, _)) = cycle {
        say(&format!("the chain parts within the {EVERY} cycles before cycle {cycle}"));
    }
    say(
        "possible causes: an intended change of numbers (then: a new numerics version, `proof-runner bless`, a commit",
    );
    say(
        "of its own that says why); a platform-dependent operation (see docs/determinism.md and .clippy.toml); a changed",
    );
    say(
        "default; an uninitialised or order-dependent value. Next: `proof-runner check --verbose`, and compare builds.",
    );
    Some(out)
}
