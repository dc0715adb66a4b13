//! Stage digests, the cycle chain and its verification.
//!
//! A chain begins with a [`Genesis`] and grows by one fixed-size [`Witness`] for every cycle, boot and orderly stop.
//! Each witness holds a digest of what came in (in canonical order), one digest a stage, a digest of what was
//! published, and the chain value that binds it to everything before. `docs/witness.md` is the specification.
//!
//! What this crate does not do: it does not know what the stages compute (it compiles without any DSP), it does not
//! read files, and it does not prove that datagrams came from the air or that a pose is true.

mod chain;
mod digest;
mod genesis;
mod inputs;

pub use chain::{Chain, ChainFault, EntryKind, Stage, Witness, stages_equal_until};
pub use digest::{Digest, Digester};
pub use genesis::{Genesis, Predecessor};
pub use inputs::{InputHasher, canonical_order, event_inputs};

/// Version of the specification in `docs/witness.md`.
pub const SPECIFICATION: u32 = 1;

/// Domain separation: every digest of the system is BLAKE3 in `derive_key` mode with one of these contexts.
pub mod context {
    /// Digest of a genesis, the chain's value before any entry.
    pub const GENESIS: &str = "wavewitness v1 genesis";
    /// Digest of a cycle's inputs, or of a boot or stop event.
    pub const INPUTS: &str = "wavewitness v1 inputs";
    /// Digest of one stage's output; the stage's number is hashed first.
    pub const STAGE: &str = "wavewitness v1 stage";
    /// Digest of what was published.
    pub const OUTPUT: &str = "wavewitness v1 output";
    /// What stands in a genesis for a configuration that its privacy mode withholds.
    pub const CONFIG: &str = "wavewitness v1 configuration";
    /// The chain step.
    pub const CHAIN: &str = "wavewitness v1 chain";
}
