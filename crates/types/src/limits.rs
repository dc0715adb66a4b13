//! The bounds of everything. Each collection of the engine has one; what exceeds it is counted, never grown.

/// Tones of the largest grid (HE40).
pub const MAX_TONES: usize = 484;
/// Tones of the fusion grid (HT20).
pub const FUSION_TONES: usize = 56;
/// Links that the engine follows at once.
pub const MAX_LINKS: usize = 64;
/// Nodes that the engine follows at once.
pub const MAX_NODES: usize = 16;
/// People that a cycle publishes.
pub const MAX_PEOPLE: usize = 8;
/// Taps that an impulse response estimate carries.
pub const MAX_TAPS: usize = 16;
/// Datagrams that one cycle takes; the daemon drops and counts what exceeds it before the journal.
pub const MAX_CYCLE_DATAGRAMS: usize = 1024;
/// Bytes of the longest datagram that is accepted.
pub const MAX_DATAGRAM_BYTES: usize = 4096;
