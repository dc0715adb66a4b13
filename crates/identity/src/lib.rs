//! Who is who, as far as radio tells: a signature of a track, its embedding, one-bit sketches, a bank to search, and the
//! cost that a tracker adds to that of a position.
//!
//! * [`Signature`]: what was measured of one track, accumulated look by look into eight histograms ([`Part`]).
//! * [`Embedding`]: 128 numbers of unit length, made of a signature; parts that nobody measured are zero, and
//!   [`similarity`] uses only what both have.
//! * [`Rotation`], [`Sketch`]: signs after a fixed orthogonal rotation; their Hamming distance estimates the angle.
//! * [`SketchBank`], [`Bank`]: the nearest K by Hamming distance with ties in index order, then exact similarity.
//! * [`Plan`]: similarities of parts → log-likelihood ratio of *the same person* over *somebody else*, or nothing.
//!
//! The method, its constants, what it was measured on and where it fails are in `docs/algorithms/identity.md`.
//!
//! What this crate does not do: it measures nothing itself (a stage that knows positions fills [`Observation`]); it
//! recognises nobody by name; it makes no decision (assignment is the tracker's); and it does not claim that radio tells
//! people apart who are alike in size and gait. It does not.

mod bank;
mod decision;
mod embedding;
mod ones;
mod signature;
mod sketch;
mod sketch_bank;
#[cfg(test)]
mod testing;

pub use bank::{Bank, Match};
pub use decision::{CALIBRATION, Calibration, Config, Plan, Verdict, score};
pub use embedding::{Embedding, Refused, part_similarity, similarity};
pub use signature::{Observation, Part, Reading, Signature};
pub use sketch::{Rotation, Sketch};
pub use sketch_bank::{Candidate, SketchBank};

/// Parts of a signature.
pub const PARTS: usize = 8;
/// Bins of each part's histogram.
pub const BINS: usize = 16;
/// Dimensions of an embedding: parts × bins, part by part.
pub const DIM: usize = PARTS * BINS;
