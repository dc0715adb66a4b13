//! Sparse channel impulse response of a link, and the coherence gate.
//!
//! * [`Plan`]: one link observation → [`CirEstimate`](wavewitness_types::CirEstimate), the few delays that explain the
//!   tones (an ℓ1-regularised fit by FISTA that stops on its optimality condition and says whether it got there);
//! * [`gate`]: how far an observation is from its link's quiet channel, and what may be done with it;
//! * [`reference`](mod@reference): a plain dense solver of the same problem by another algorithm, to hold the fast one to.
//!
//! Model and derivation: `docs/algorithms/cir.md`, `docs/algorithms/gate.md`.
//!
//! What this crate does not do: no ranging (one unsynchronised receiver has no time of flight; delays count from the
//! alignment's origin), no resolution beyond the bandwidth (57 ns at 17.5 MHz: a tap is a bundle of paths), no
//! smoothing of the estimate over time, no recalibration (the gate asks for it).

mod config;
pub mod gate;
mod paths;
mod plan;
pub mod reference;
mod solver;
mod taps;
#[cfg(test)]
mod twins;

pub use config::Config;
pub use plan::{Plan, Scratch, Solution};
