//! Commands of `proof-runner` by subject.

pub mod log;
