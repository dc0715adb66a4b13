//! A scene through the engine as the daemon would drive it: datagrams as they arrive, a tick at each cycle's end.

use wavewitness_engine::{CycleReport, Engine, EngineConfig, NUMERICS_VERSION, ReplayError, Replayer};
use wavewitness_fixtures::{Datagram, Scene};
use wavewitness_types::{BootRecord, Canonical, Command, CycleIndex, Event, Source, Timestamp};
use wavewitness_witness::{Genesis, SPECIFICATION};

/// The cycle in which the operator says that the room is empty, where it lasts 50 ms: at 1 s.
pub const CALIBRATE_AT: u64 = 20;

/// What is driven.
#[derive(Clone, Copy, Debug)]
pub struct Drive<'a> {
    /// Whose clock begins the first cycle.
    pub scene: &'a Scene,
    /// The engine's configuration, room and cycle included.
    pub config: &'a EngineConfig,
    /// The cycle in which the operator says that the room is empty; `None`: never.
    pub calibrate_at: Option<u64>,
    /// Until when there are cycles though nothing arrives; `None`: until the cycle before that of the last datagram.
    pub until: Option<Timestamp>,
}

impl Drive<'_> {
    /// Gives every cycle's end and report to `take`.
    ///
    /// # Errors
    /// If the engine refuses the configuration.
    pub fn run(
        &self,
        datagrams: impl IntoIterator<Item = Datagram>,
        mut take: impl FnMut(Timestamp, &CycleReport),
    ) -> Result<(), ReplayError> {
        self.watch(datagrams, |_| true, |end, engine| take(end, engine.report()))
    }

    /// Gives every computed cycle's end, and the engine after it, to `take`. Cycles that `computes` does not name are missed as
    /// a busy hub misses them: their numbers are left out, and the next one has their datagrams.
    ///
    /// # Errors
    /// If the engine refuses the configuration.
    pub fn watch(
        &self,
        datagrams: impl IntoIterator<Item = Datagram>,
        computes: impl Fn(u64) -> bool,
        mut take: impl FnMut(Timestamp, &Engine),
    ) -> Result<(), ReplayError> {
        let mut engine = Replayer::new(&self.genesis())?;
        engine.apply(&Event::Boot { at: self.scene.start, record: BootRecord::default() });
        let period_ns = self.config.cycle.cycle_ns;
        let (mut index, mut end) = (0, self.scene.start.plus_nanos(period_ns));
        let mut ticks = |at: Timestamp, engine: &mut Replayer| {
            while at >= end {
                if self.calibrate_at == Some(index) {
                    engine.apply(&Event::Command { at: end, command: Command::StartCalibration });
                }
                if computes(index) {
                    engine.apply(&Event::Tick { at: end, cycle: CycleIndex(index) });
                    take(end, engine.engine());
                }
                index += 1;
                end = end.plus_nanos(period_ns);
            }
        };
        for datagram in datagrams {
            ticks(datagram.at, &mut engine);
            engine.apply(&datagram.into_event());
        }
        if let Some(until) = self.until {
            ticks(until, &mut engine);
        }
        Ok(())
    }

    fn genesis(&self) -> Genesis {
        Genesis {
            specification: SPECIFICATION,
            numerics: NUMERICS_VERSION,
            source: Source::Simulated,
            started: self.scene.start,
            software: "scene".to_owned(),
            config: self.config.to_canonical_bytes(),
            predecessor: None,
            privacy: wavewitness_types::PrivacyMode::RawResearch,
        }
    }
}
