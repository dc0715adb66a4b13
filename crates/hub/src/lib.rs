//! The daemon and its subcommands: sockets, time, disks, people.
//!
//! The shell around the engine. It stamps datagrams, ends cycles on time, writes the journal before anything is
//! published, and tells people what it knows. All that it computes itself is when a cycle ends.
//!
//! What this crate does not do: no signal processing, no decision about presence or pose, no default that stands in
//! for a measurement.

pub mod access;
pub mod advice;
pub mod boot;
pub mod check;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod cycle;
pub mod dashboard;
pub mod demo;
pub mod doctor;
pub mod export;
pub mod log;
pub mod message;
pub mod metrics;

pub mod mqtt;
pub mod peer;
pub mod privacy;
pub mod publish;
pub mod recent;
pub mod record;
pub mod replay;
pub mod retention;
pub mod run;
pub mod schema;
pub mod server;
pub mod simulate;
pub mod status;
pub mod store;
pub mod terminal;
pub mod timings;
pub mod udp;
pub mod witness_log;
pub mod zones;
