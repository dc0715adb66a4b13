//! What a browser checks of the witness, compiled to wasm32: batches of bytes in, a row of numbers out.
//!
//! * [`chain::check`]: every chain value of the last minutes from the one before and its record, every output digest
//!   from the published bytes, and both against what the page received live: the chain values, and what it showed.
//! * [`log::wanted`] and [`log::check`]: the signed checkpoint by the certified key, and that the chain values stand in
//!   the tree that it signs.
//!
//! `docs/dashboard.md` says what that proves and what not. What this crate does not do: no network, no clock, no
//! storage (the page has them); it does not compute poses from datagrams (`proof-runner replay` does).

pub mod chain;
#[cfg(target_arch = "wasm32")]
mod exports;
pub mod log;
pub mod report;

pub use report::{Fault, REPORT_LENGTH, Report};
