//! The degradation table: loss × noise × missing node × clocks → errors, identities, ghosts, gates; kept as text snapshots.
//!
//! `evaluate/snapshots/degradation.txt` is the whole table. `evaluate/snapshots/degradation-short.txt` holds a few cells of a
//! minute that a test computes again and compares byte by byte: the engine and the simulator are deterministic, so a difference is
//! a change of numbers. `evaluate degradation --write evaluate/snapshots` renews both.

use super::scenes::people;
use super::score::{Score, quantile};
use super::{drive, in_threads};
use crate::Failure;
use wavewitness_engine::{EngineConfig, NUMERICS_VERSION};
use wavewitness_fixtures::clock::{ClockStep, HostClock, SyncLoss};
use wavewitness_fixtures::crowd::Habits;
use wavewitness_fixtures::scene::{Outage, SECOND_NS};
use wavewitness_fixtures::{Scene, scenes};
use wavewitness_types::NodeId;

/// The node that is missing where one is.
const MISSING: NodeId = NodeId(3);
/// Of the short table: nobody comes in before, seconds; how long people are scored; quiet observations of a baseline.
const SHORT_ENTER_S: u32 = 15;
const SHORT_S: u64 = 45;
const SHORT_OBSERVATIONS: u32 = 100;
/// Seconds scored in each run of the whole table, and its seeds.
const WHOLE_S: u64 = 120;
const SEEDS: [u64; 2] = [1, 2];

/// Which clocks are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// Nodes drift by up to 12 ppm and miss their slots by 0.1 ms, one sigma.
    Default,
    /// They drift by up to 120 ppm and miss their slots by 2 ms.
    Off,
    /// They drift by up to 120 ppm; node 2's clock steps by 15 ms every 20 s, node 4 hears no beacon in two thirds of the time; the hub
    /// stamps 0.5 ms late in the mean and stalls every 5 s for 60 ms.
    Broken,
}

/// A cell of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Share of datagrams lost, one by one.
    pub loss: f64,
    /// Error vector and noise floor above the default, dB.
    pub noise_db: i8,
    /// Whether node 3 is away throughout, though the configuration names it.
    pub missing: bool,
    /// Clocks.
    pub clocks: Clocks,
    /// Whether frames name their transmitter; otherwise their slot does.
    pub named: bool,
}

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Five cells of 45 s.
    Short,
    /// Every cell, two seeds of two minutes each.
    Whole,
}

impl Extent {
    /// Both.
    pub const ALL: [Extent; 2] = [Extent::Short, Extent::Whole];

    /// The snapshot's file.
    pub fn file(self) -> &'static str {
        match self {
            Extent::Short => "degradation-short.txt",
            Extent::Whole => "degradation.txt",
        }
    }

    /// Its cells.
    pub fn cells(self) -> Vec<Cell> {
        let plain = Cell { loss: 0.0, noise_db: 0, missing: false, clocks: Clocks::Default, named: true };
        if self == Extent::Short {
            return vec![
                plain,
                Cell { loss: 0.3, ..plain },
                Cell { noise_db: 6, ..plain },
                Cell { missing: true, ..plain },
                Cell { clocks: Clocks::Broken, named: false, ..plain },
            ];
        }
        let mut out = Vec::new();
        for noise_db in [0, 6] {
            for missing in [false, true] {
                for clocks in [Clocks::Default, Clocks::Off, Clocks::Broken] {
                    out.extend([0.0, 0.1, 0.3, 0.5].map(|loss| Cell {
                        loss,
                        noise_db,
                        missing,
                        clocks,
                        named: true,
                    }));
                }
            }
        }
        out.extend([Clocks::Default, Clocks::Off, Clocks::Broken].map(|clocks| Cell {
            clocks,
            named: false,
            ..plain
        }));
        out
    }

    fn settings(self) -> EngineConfig {
        let mut config = EngineConfig::default();
        if self == Extent::Short {
            config.calibration.observations = SHORT_OBSERVATIONS;
        }
        config
    }

    fn scene(self, cell: Cell, seed: u64) -> Scene {
        let mut scene = match self {
            Extent::Whole => people(seed, 2, WHOLE_S),
            Extent::Short => {
                let habits =
                    Habits { sit: true, wave: true, enter_after_s: SHORT_ENTER_S, ..Habits::default() };
                scenes::people(seed, 2, u64::from(SHORT_ENTER_S) + SHORT_S, habits)
            }
        };
        // A quarter of the simulator's time; every cell alike.
        scene.surfaces.order = 2;
        cell.impair(&mut scene);
        scene
    }

    fn scored_from_s(self) -> f64 {
        match self {
            Extent::Short => f64::from(SHORT_ENTER_S),
            Extent::Whole => f64::from(super::scenes::ENTER_S),
        }
    }

    fn seeds(self) -> &'static [u64] {
        match self {
            Extent::Short => &SEEDS[..1],
            Extent::Whole => &SEEDS,
        }
    }
}

impl Cell {
    fn impair(self, scene: &mut Scene) {
        scene.network.loss = self.loss;
        scene.network.burst_begin = 0.0;
        scene.radio.error_vector_db += f64::from(self.noise_db);
        scene.radio.noise_floor_dbm += self.noise_db;
        scene.firmware.transmitter_mac = self.named;
        if self.missing {
            let node = scene.nodes.iter_mut().find(|n| n.id == MISSING);
            let away = Outage { from_ns: 0, until_ns: u64::MAX, reboots: false };
            node.into_iter().for_each(|n| n.outages = vec![away]);
        }
        if self.clocks != Clocks::Default {
            scene.nodes.iter_mut().for_each(|n| n.drift_ppm *= 10);
        }
        match self.clocks {
            Clocks::Default => {}
            Clocks::Off => scene.mesh.iter_mut().for_each(|m| m.slot_jitter_ns = 2_000_000),
            Clocks::Broken => break_clocks(scene),
        }
    }

    fn columns(self) -> [String; 5] {
        let clocks = match self.clocks {
            Clocks::Default => "default",
            Clocks::Off => "off",
            Clocks::Broken => "broken",
        };
        [
            format!("{:.0} %", 100.0 * self.loss),
            format!("+{} dB", self.noise_db),
            if self.missing { "3 of 4" } else { "4" }.to_owned(),
            clocks.to_owned(),
            if self.named { "named" } else { "by slot" }.to_owned(),
        ]
    }
}

fn break_clocks(scene: &mut Scene) {
    scene.network.host =
        HostClock { jitter_ns: 500_000, stall_every_ns: 5 * SECOND_NS, stall_ns: 60_000_000 };
    let end_ns = scene.duration_ns;
    for node in &mut scene.nodes {
        match node.id.0 {
            2 => {
                let times = (10 * SECOND_NS..end_ns).step_by(20 * SECOND_NS as usize);
                node.steps = times.map(|at_ns| ClockStep { at_ns, by_ns: 15_000_000 }).collect();
            }
            4 => {
                let times = (5 * SECOND_NS..end_ns).step_by(30 * SECOND_NS as usize);
                let loss = |from_ns| SyncLoss { from_ns, until_ns: from_ns + 20 * SECOND_NS };
                node.sync_losses = times.map(loss).collect();
            }
            _ => {}
        }
    }
}

const HEAD: [&str; 15] = [
    "loss",
    "noise",
    "nodes",
    "clocks",
    "links",
    "root, m",
    "published",
    "MOTA",
    "switches",
    "swaps",
    "ghosts",
    "accept",
    "predict",
    "reject",
    "recal",
];

fn row(cell: Cell, score: &Score) -> Vec<String> {
    let clear = &score.clear;
    let number = |x: f64| if x.is_finite() { format!("{x:.3}") } else { "unknown".to_owned() };
    let share = |n: u64| number(n as f64 / clear.cycles as f64);
    let mut out: Vec<String> = cell.columns().into();
    out.extend([
        number(quantile(&score.roots_m, 0.5)),
        number(score.published()),
        number(clear.mota()),
        clear.switches.to_string(),
        clear.swaps.to_string(),
        share(clear.ghost_cycles),
    ]);
    out.extend(score.gates.iter().map(|&n| share(n)));
    out
}

/// Words in columns.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(word, &width)| format!("{word:>width$}"));
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(|row| line(row) + "\n").collect()
}

fn preface(extent: Extent) -> String {
    let what = match extent {
        Extent::Short => format!(
            "seed {}, {SHORT_S} s scored after {SHORT_ENTER_S} s of an empty room, baselines of {SHORT_OBSERVATIONS} observations",
            SEEDS[0]
        ),
        Extent::Whole => format!("seeds {SEEDS:?}, {WHOLE_S} s each"),
    };
    format!(
        "# Degradation of two people (simulated): {what}; reflections to second order; numerics {NUMERICS_VERSION}, the engine's defaults.\n\
         # Renewed by: cargo run --profile quick -p wavewitness-evaluate -- degradation --write evaluate/snapshots\n\
         # Columns: evaluate/src/room/degradation.rs; measures: evaluate/src/room/mod.rs. Gates and ghosts: share of cycles.\n"
    )
}

/// Computes a snapshot on all cores.
///
/// # Errors
/// If the engine refuses its defaults.
pub fn snapshot(extent: Extent) -> Result<String, Failure> {
    let (cells, seeds, settings) = (extent.cells(), extent.seeds(), extent.settings());
    let scores = in_threads(cells.len() * seeds.len(), |k| {
        let (cell, seed) = (cells[k / seeds.len()], seeds[k % seeds.len()]);
        let scene = extent.scene(cell, seed);
        let cycles = drive::run(&scene, seed, &settings)?;
        eprintln!("{}/{}: {:?}, seed {seed}", k + 1, cells.len() * seeds.len(), cell.columns());
        Ok(Score::of(&scene, &cycles, extent.scored_from_s()))
    })?;
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    for (cell, of_seeds) in cells.iter().zip(scores.chunks(seeds.len())) {
        let mut sum = of_seeds[0].clone();
        of_seeds[1..].iter().for_each(|score| sum.add(score));
        rows.push(row(*cell, &sum));
    }
    Ok(preface(extent) + &aligned(&rows))
}

#[cfg(test)]
mod tests {
    //! Guards that the table has every cell once and that a cell impairs what it says.
    use super::*;

    #[test]
    fn the_whole_table_has_every_cell_once() {
        let cells = Extent::Whole.cells();
        assert_eq!(cells.len(), 4 * 2 * 2 * 3 + 3);
        for (k, cell) in cells.iter().enumerate() {
            assert!(!cells[..k].contains(cell), "{cell:?}");
        }
        assert!(Extent::Short.cells().iter().all(|cell| cells.iter().any(|c| c.columns() == cell.columns())));
    }

    #[test]
    fn a_cell_impairs_what_it_says_and_nothing_else() {
        let plain = Extent::Short.cells()[0];
        let scene = Extent::Short.scene(plain, 1);
        for cell in Extent::Whole.cells() {
            let impaired = Extent::Short.scene(cell, 1);
            assert_eq!(impaired.actors, scene.actors);
            assert_eq!(impaired.network.loss, cell.loss);
            assert_eq!(impaired.radio == scene.radio, cell.noise_db == 0);
            assert_eq!(impaired.nodes[2].is_on(SECOND_NS), !cell.missing);
            assert_eq!(impaired.mesh == scene.mesh, cell.clocks != Clocks::Off);
            assert_eq!(impaired.network.host == scene.network.host, cell.clocks != Clocks::Broken);
            assert_eq!(impaired.nodes[3].is_synced(10 * SECOND_NS), cell.clocks != Clocks::Broken);
            assert_eq!(impaired.firmware == scene.firmware, cell.named);
        }
    }
}
