//! Verifying and replaying journals, and the golden chains.
//!
//! * [`verify`]: chain and payloads, without computing anything again: works for every numerics version.
//! * [`replay`]: every cycle computed again and compared, with the first divergence by cycle and stage.
//! * [`recompute`] and [`diff`]: the same datagrams under another build or numerics version, and what that changes.
//! * [`profile`]: how long each stage takes over a journal.
//! * [`log`]: the transparency log over the chain: fsck, pins, consistency, and proof files for one pose.
//! * [`clip`]: a part of a journal and the proof that it was signed.
//! * [`golden`]: chains of scenes that the project made, whose digests must never change by accident.
//!
//! What this crate does not do: it never changes a journal or a log, and it does not say whether a pose is true.

pub mod clip;
pub mod describe;
pub mod diff;
pub mod log;
pub mod manual;
pub mod pipe;
pub mod profile;
pub mod recompute;
pub mod replay;
pub mod report;
pub mod time;
pub mod verify;
pub mod words;

pub use wavewitness_golden as golden;
