//! Which transmitter did a CSI frame come from?
//!
//! A node hears access points, other nodes and their stations in turn, mostly without being told which. The channel of
//! one says nothing about the channel of another, so frames must be separated before anything is averaged or compared.
//! In order of evidence: the transmitter's MAC, where the format carries it; its TDMA slot, where clocks are
//! synchronised; otherwise layout, shape over the tones and beacon phase (`docs/algorithms/links.md`).
//!
//! What this crate does not do: it does not say who an ambient transmitter *is* (two nodes number their ambient links
//! independently), it does not track people, and it does not force a frame that fits no link into one.
//!
//! ```
//! use wavewitness_links::{Config, Plan, State};
//! use wavewitness_types::{CyclePlan, Geometry};
//! let plan = Plan::new(&Config::default(), &Geometry::default(), &CyclePlan::ambient()).unwrap();
//! let state = State::new(&plan);
//! assert!(state.links().is_empty());
//! ```

mod beacon;
mod config;
mod group;
mod maintain;
mod plan;
mod record;
mod shape;
mod state;

pub use beacon::BeaconEvidence;
pub use config::Config;
pub use plan::Plan;
pub use record::{Counters, LinkRecord, Resolution, Retired, Unassigned};
pub use state::{MAX_GROUPS, State};
