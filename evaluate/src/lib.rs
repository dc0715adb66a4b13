//! Runs recordings of other people through the hub's own stages, and says how well they did.
//!
//! An adapter reads the files of one kind of dataset, turns them into what a stage takes, runs the stage with its
//! defaults, and compares what comes out with the truth of the dataset. The same parameters for every file: nothing is
//! tuned to a file, a chip or a room beyond what the stage's own calibration learns from quiet data.
//!
//! [`plots`] draws what a person would rather look at. [`room`] runs the whole engine over simulated rooms instead, where poses have a
//! truth; [`crowd`] how many people are said to be in rooms of many sizes; [`simulator`] sets the simulator beside a recording.
//!
//! What this crate does not do: no signal processing of its own. A number that only this crate computes is a metric; the one
//! curve that no stage computed is the plain spectrum in a drawing of breathing, which no metric rests on.

pub mod adapters;
pub mod crowd;
pub mod plots;
pub mod report;
pub mod room;
pub mod simulator;
pub mod training;

pub use report::{Judgement, Report, Row};

use std::path::PathBuf;

/// Why a dataset could not be evaluated: what the user can do about it.
#[derive(Debug)]
pub struct Failure(pub String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// A file that can't be read.
    pub fn read(path: &std::path::Path, error: impl std::fmt::Display) -> Failure {
        Failure(format!("can't read {}: {error}", path.display()))
    }
}

/// A kind of dataset.
pub struct Dataset {
    /// Its name on the command line.
    pub name: &'static str,
    /// What its arguments are, for `--help`.
    pub arguments: &'static str,
    /// Runs it over the files that are named.
    pub run: fn(&[PathBuf]) -> Result<Report, Failure>,
    /// The files of it below a folder that holds all datasets as this project has them; empty if they are not there.
    pub find: fn(&std::path::Path) -> Vec<Vec<PathBuf>>,
}
