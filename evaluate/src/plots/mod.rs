//! Drawings of results as SVG: the same input gives the same bytes.
//!
//! A drawing is 1600 units wide, so that whole pixels are half pixels at the usual 800; text is sized for that. Colours are
//! those of Okabe and Ito (2008), which people who do not tell red from green can tell apart.

mod breathing;
pub(crate) mod panel;
mod person;
mod presence;
mod timeline;
mod walk;

use crate::Failure;
use std::path::{Path, PathBuf};

/// A drawing.
pub struct Drawing {
    /// Its file's name.
    pub file: String,
    /// Its content.
    pub svg: String,
}

/// What can be drawn of a dataset, over the files that its adapter takes.
///
/// # Errors
/// If a file can't be read.
pub fn draw(dataset: &str, paths: &[PathBuf]) -> Result<Vec<Drawing>, Failure> {
    match dataset {
        "rti-basement" => walk::draw(paths),
        "rti-esp32" => person::draw(paths),
        "espectre" => timeline::draw(paths),
        "ruview-2node" => presence::draw(paths),
        "breathing-phantom" => breathing::phantom(paths),
        "breathing-5300" => breathing::human(paths),
        _ => Ok(Vec::new()),
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or(String::new(), |f| f.to_string_lossy().into_owned())
}

/// The command that makes a drawing, with the names of files alone.
fn command(dataset: &str, paths: &[PathBuf]) -> String {
    let names =
        paths.iter().map(|p| p.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned()));
    format!("evaluate {dataset} {} --plot DIR", names.collect::<Vec<_>>().join(" "))
}

/// A name of a file without what a file system or a shell could mind.
fn file(parts: &[&str]) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("{}.svg", parts.join("-").chars().map(plain).collect::<String>())
}
