//! The transparency log (`docs/log.md`) on disk: the one writer of a hub, and the reader of an auditor.
//!
//! * [`key`] — the root key: made by a command, read from a file that nobody else can read.
//! * [`Narrator`] — chain records to log entries, the same for the running hub and for what is taken again after a crash.
//! * [`open`] — recovers what a crash left and gives the two halves of the writer: an [`Appender`] for the thread that
//!   journals (memory only, never waits) and a [`Publisher`] for the thread that makes things durable and signs.
//! * [`LogDir`] — the stored log of somebody who has its files: checkpoint, certificates, entries, proofs, fsck.
//!
//! Order is everything here: journal durable, then bundles and tiles durable, then the checkpoint. So a checkpoint never
//! covers a cycle that a power cut can take away, and whatever is on the disk verifies up to the last checkpoint.
//!
//! What this crate does not do: it reads no clock and starts no thread, it does not read journals (the hub gives it what
//! they hold), it serves nothing.

mod error;
mod files;
pub mod key;
mod narrate;
mod publish;
mod reader;
mod writer;

pub use error::LedgerError;
pub use narrate::{Narrator, baselines_digest};
pub use publish::{Published, Publisher, Taken};
pub use reader::LogDir;
pub use writer::{Appender, Options, Writer, open};
