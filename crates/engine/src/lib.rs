//! The deterministic state machine that runs every stage.
//!
//! Everything that the engine ever sees is an event; the same events give the same witnesses on any machine. Live and
//! replay run this code and no other. A cycle collects datagrams until its tick and then computes: the order in which
//! they arrived within the cycle does not matter, only what arrived and when.
//!
//! What this crate does not do: no I/O, no clock, no threads, no randomness, no decision of its own. It names every
//! stage, carries values from one to the next, and hashes what each made.

mod assemble;
pub mod breath;
mod config;
mod cycle;
pub mod localising;
pub mod locating;
mod replay;
mod stages;

pub use config::EngineConfig;
pub use cycle::{CycleReport, Engine};
pub use replay::{Applied, ReplayError, Replayer};
pub use wavewitness_num::NUMERICS_VERSION;
/// The world graph, as the shell may show it.
pub use wavewitness_world as world;
