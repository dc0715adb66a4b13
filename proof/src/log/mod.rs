//! The transparency log (`docs/log.md`) for its readers: auditors with the files, and people with one proof.
//!
//! * [`fsck`]: rebuilds the root from the files, and holds every signed record against the journal.
//! * [`pin`]: what a reader keeps from one check to the next, so that the log can't be rolled back or replaced.
//! * [`consistency`]: that a tree which somebody once saw signed is the beginning of a later one.
//! * [`prove`] and [`pose`]: a proof file for one published pose, and its check with nothing but the root key.
//! * [`key`]: which root key is trusted, and whether it came by a safe way.
//!
//! What this module does not do: it writes nothing into a log, and it does not compute poses again (that is
//! [`crate::replay`]).

pub mod against;
pub mod consistency;
mod error;
pub mod fsck;
pub mod key;
pub mod pin;
pub mod pose;
pub mod prove;

pub use error::LogError;
pub use key::Trust;
