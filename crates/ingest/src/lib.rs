//! Datagram bytes to channel frames, for every wire format of the nodes, and what each node's stream says about the
//! node. `docs/wire.md` has every byte table.
//!
//! * [`parse`]: one datagram to one [`Packet`], or a counted [`Reject`]; pure and total.
//! * [`layout`]: which pair of the payload is which tone, verified against the null tones of the very frame.
//! * [`Plan`], [`State`]: the per-node bookkeeping: rate, order, duplicates, reboots, shared ids, silence, hints.
//! * [`NodeClock`]: node time to mesh time from sync packets.
//! * [`encode`]: the same formats the other way, for the simulator and the tests.
//! * [`pcap`]: UDP payloads out of the capture files that tcpdump writes.
//!
//! Conventions: everything on the wire is little-endian; an I/Q pair is `(imag, real)`, as the chip writes it; a
//! frame holds `H[k] = Σ a·exp(−j2π·f_k·τ)`, so a path that arrives later turns the phase down as the tone index
//! rises.
//!
//! What this crate does not do: no sockets, no files, no clock; no link separation (`links`), no gain or phase
//! correction (`calibration`, `phase-align`); it does not use a node's own vitals as a measurement, does not decode
//! the delta-compressed packets (they need a predecessor that may never have been sent), and does not authenticate
//! anybody: the nodes sign nothing.

pub mod clock;
mod csv;
pub mod encode;
mod hints;
pub mod layout;
mod node;
pub mod packet;
mod parse;
pub mod pcap;
mod raw;
pub mod reject;
pub mod stage;

pub use clock::NodeClock;
pub use packet::{Kind, Packet};
pub use parse::parse;
pub use reject::Reject;
pub use stage::{Config, Outcome, Plan, State};
