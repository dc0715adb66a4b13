//! Journals in crash-safe MCAP segments, and captures that other tools made.
//!
//! A journal holds everything that the engine ever saw ([`wavewitness_types::Event`]), and beside it what the engine
//! made of it: a witness record and a pose frame a cycle. A cycle is one *chunk*, handed to the operating system in
//! one `write` before [`Writer::append_cycle`] returns, and sealed: a checksum over every byte of it. So `kill -9`
//! loses at most the cycle being written, and damage is one named cycle. `docs/journal.md` has the format by example
//! and the table of failures.
//!
//! * [`JournalDir`] — a journal directory, locked for one writer; [`JournalDir::salvage`] repairs what a crash left.
//! * [`Writer`], [`SyncHandle`] — append cycles; make them durable from another thread.
//! * [`Journal`] — read chains back, with faults as values that name segment, offset and neighbouring cycles.
//! * [`Capture`] — datagrams of our journals and of other tools' files, in one stream.
//!
//! What this crate does not do: it knows nothing of witnesses, genesis records and pose frames (they are byte strings
//! here; whether they are true is the verifier's question), reads no clock, starts no thread, deletes nothing that it
//! ever wrote (pruning is the operator's). A seal
//! finds accidents, not forgers: that is the witness's work.

pub mod capture;
mod chunk;
mod dir;
mod error;
mod format;
mod name;
mod read;
mod salvage;
mod scan;
mod sync;
mod write;

pub use capture::{Capture, CaptureError, CaptureKind, CaptureSummary};
pub use chunk::{Chunk, Content};
pub use dir::JournalDir;
pub use error::{Fault, FaultKind, JournalError};
pub use format::MAX_CHUNK_BYTES;
pub use name::{ChainId, SegmentName};
pub use read::{Journal, Records, SegmentInfo};
pub use salvage::{ChainEnd, Salvage, TornPiece};
pub use sync::SyncHandle;
pub use write::{CycleRecord, EntryRecord, EventBytes, Options, Writer};
