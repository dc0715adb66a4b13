//! Running journalled events through an engine: what `proof-runner replay` compares with the journal.

use crate::config::EngineConfig;
use crate::cycle::{CycleReport, Engine};
use core::fmt;
use wavewitness_num::NUMERICS_VERSION;
use wavewitness_types::{ConfigError, Event};
use wavewitness_witness::{Chain, Genesis, SPECIFICATION, Stage, Witness};

/// Why a chain can't be computed by this build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// It follows another specification.
    Specification {
        /// The chain's.
        chain: u32,
        /// This build's.
        build: u32,
    },
    /// It was computed under another numerics version: use a build that has it. Chain and payloads can still be
    /// verified.
    Numerics {
        /// The chain's.
        chain: u32,
        /// This build's.
        build: u32,
    },
    /// The configuration in its genesis is not one of this build.
    Configuration,
    /// A configuration value can't be used.
    Refused(ConfigError),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Specification { chain, build } => {
                write!(f, "the chain follows specification {chain}, this build {build}")
            }
            ReplayError::Numerics { chain, build } => {
                write!(f, "the chain has numerics version {chain}, this build {build}")
            }
            ReplayError::Configuration => {
                f.write_str("the configuration in the genesis is not one of this build")
            }
            ReplayError::Refused(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ReplayError {}

/// What an event led to.
#[derive(Debug)]
pub enum Applied<'a> {
    /// Taken into the running cycle (or left out: the cycle is full).
    Pending,
    /// A cycle ended.
    Cycle(&'a CycleReport),
    /// A boot or a stop.
    Entry(Box<Witness>),
}

/// An engine that is driven by events alone.
pub struct Replayer {
    engine: Engine,
}

impl Replayer {
    /// A replay of a chain from its genesis.
    ///
    /// # Errors
    /// If this build can't compute the chain.
    pub fn new(genesis: &Genesis) -> Result<Replayer, ReplayError> {
        Replayer::resumed(genesis, Chain::new(genesis))
    }

    /// A replay that begins in the middle of a chain, at a boot, after an entry that the caller has verified.
    ///
    /// # Errors
    /// If this build can't compute the chain.
    pub fn resumed(genesis: &Genesis, chain: Chain) -> Result<Replayer, ReplayError> {
        if genesis.specification != SPECIFICATION {
            return Err(ReplayError::Specification { chain: genesis.specification, build: SPECIFICATION });
        }
        if genesis.numerics != NUMERICS_VERSION {
            return Err(ReplayError::Numerics { chain: genesis.numerics, build: NUMERICS_VERSION });
        }
        let config = EngineConfig::from_canonical_bytes(&genesis.config).ok_or(ReplayError::Configuration)?;
        let engine = Engine::new(&config, genesis.source, chain).map_err(ReplayError::Refused)?;
        Ok(Replayer { engine })
    }

    /// The engine that is driven.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// As [`Engine::keep_stage_values`].
    pub fn keep_stage_values(&mut self, keep: bool) {
        self.engine.keep_stage_values(keep);
    }

    /// Applies one event.
    pub fn apply(&mut self, event: &Event) -> Applied<'_> {
        self.apply_observed(event, |_| {})
    }

    /// As [`Replayer::apply`]; `observe` is called as by [`Engine::tick_observed`].
    pub fn apply_observed(&mut self, event: &Event, observe: impl FnMut(Stage)) -> Applied<'_> {
        match event {
            Event::Datagram { at, from, bytes } => {
                self.engine.datagram(*at, *from, bytes);
                Applied::Pending
            }
            Event::Command { at, command } => {
                self.engine.command(*at, *command);
                Applied::Pending
            }
            Event::Tick { at, cycle } => Applied::Cycle(self.engine.tick_observed(*at, *cycle, observe)),
            Event::Boot { at, record } => Applied::Entry(Box::new(self.engine.boot(*at, record))),
            Event::Stop { at } => Applied::Entry(Box::new(self.engine.stop(*at))),
        }
    }
}
