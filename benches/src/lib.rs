//! What the benches have in common: recordings cut into cycles, an engine in steady state, every stage's real inputs,
//! the calibration kernel, and the table of results.
//!
//! A stage is measured on what the stages before it made of a simulated room ([`trace`]) or of a recording, never on
//! zeros. [`trace::Traced::record`] runs the stages beside the engine and refuses to go on if a single bit of any
//! stage's output differs, so a bench can't measure something that the engine does not do.
//!
//! What this crate does not do: it publishes no result of a person's machine (docs/performance.md does, with the machine
//! named), it does not measure the daemon (sockets, journal, WebSocket), and nothing in it is needed to run the hub.

pub mod clock;
pub mod kernel;
pub mod recording;
pub mod rolling;
pub mod solvers;
pub mod steady;
pub mod table;
pub mod trace;
pub mod witnessing;
