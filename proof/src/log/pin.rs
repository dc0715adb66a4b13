//! Pins: what a reader remembers of a log between two checks.
//!
//! A pin file is a checkpoint: the log's name, a size, a root, a line each, and behind a blank line the signature that
//! the log gave it then. The signature is not asked for again (the file is the reader's own), so the three lines
//! alone will do; with it, the file serves `consistency --from`, too.

use super::LogError;
use std::io::Write;
use std::path::Path;
use wavewitness_log::{Checkpoint, Pin};

/// Reads a pin file of a log; `None` if there is no file yet.
///
/// # Errors
/// If it can't be read, is no checkpoint, or one of another log.
pub fn load(path: &Path, origin: &str) -> Result<Option<Pin>, LogError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(LogError::file("read the pin", path)(e)),
    };
    let lines = match text.split_once("\n\n") {
        Some((lines, _)) => format!("{lines}\n"),
        None => text,
    };
    let checkpoint = Checkpoint::parse_text(&lines).ok_or_else(|| {
        let why = "is no pin: it must begin with three lines: the log's name, a size, a root in base64";
        LogError::Usage(format!("{} {why}", path.display()))
    })?;
    if checkpoint.origin != origin {
        return Err(LogError::Usage(format!(
            "{} is a pin of {}, and the log is {origin}",
            path.display(),
            checkpoint.origin
        )));
    }
    Ok(Some(Pin { size: checkpoint.size, root: checkpoint.root }))
}

/// Replaces a pin file by a checkpoint, or makes it; it is on the disk when this returns.
///
/// # Errors
/// If it can't be written; the old pin is then unchanged.
pub fn store(path: &Path, checkpoint: &[u8]) -> Result<(), LogError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = path.with_file_name(name);
    let mut file = std::fs::File::create(&draft).map_err(LogError::file("create", &draft))?;
    file.write_all(checkpoint)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&draft, path))
        .map_err(LogError::file("write the pin", path))
}
