//! Where people are, from the Doppler spectra that they leave on every path between antennas, and from the rays that they are in
//! the way of.
//!
//! A walker's path over a body grows at a rate that depends on place and velocity; so do its echoes in the walls. A
//! particle filter for each person (Gordon, Salmond and Smith 1993) asks of every window of a second how probable the
//! spectra of all paths are, given a place and a velocity (Whittle 1953), and carries the answer on. What changes slowly
//! (shadows of reflected rays, 15 dB above the lines of a walker) is regressed out of each window before. It is not lost: the mean of
//! a quarter of a second is asked which rays somebody shadows, where it is new; the phases of these rays are learnt from the empty room's
//! channel and from those who are followed. The models are in `docs/algorithms/localise.md`.
//!
//! The same means tell how many people there are, followed or not ([`Numbers`]).
//!
//! What this crate does not do: it says nothing of somebody who was never seen to move, makes no track identities, and needs
//! a baseline and a box-shaped room whose walls reflect. Somebody who stops is held where he stopped.

mod abreast;
mod body;
mod config;
mod crowd;
mod feature;
mod filter;
mod fresnel;
mod fringe;
mod geometry;
mod path;
mod phase;
mod proposal;
mod rays;
mod room;
mod sequence;
mod shade;
mod slot;
mod spectrum;
mod window;

pub use config::Config;
pub use crowd::{Numbers, level_of};
pub use room::{Plan, State, Summary};
pub use slot::Slot;

/// Most people that are followed.
pub const MAX_FOLLOWED: usize = 4;
/// Most paths that are used; the cost grows with them.
pub const MAX_PATHS: usize = 28;
