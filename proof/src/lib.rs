//! Verifying and replaying journals, and the golden chains.
//!
//! * [`verify`]: chain and payloads, without computing anything again: works for every numerics version.
//! * [`replay`]: every cycle computed again and compared, with the first divergence by cycle and stage.
//! * [`golden`]: chains of scenes that the project made, whose digests must never change by accident.
//!
//! What this crate does not do: it never writes to a journal, and it does not say whether a pose is true.

pub mod describe;
pub mod golden;
pub mod replay;
pub mod report;
pub mod verify;
