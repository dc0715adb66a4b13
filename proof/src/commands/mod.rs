//! Commands of `proof-runner` by subject.

pub mod clip;
pub mod log;
