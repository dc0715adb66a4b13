//! Lines of a text file, with a bound.

use super::{IGNORED, Parsed};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Bytes of the longest line that is looked at.
const MAX_LINE_BYTES: usize = 64 << 10;

/// A text file, line by line.
pub(super) struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Lines> {
        Ok(Lines { file: BufReader::new(File::open(path)?), line: Vec::new() })
    }

    /// Parses the next line; `None` at the end.
    pub(super) fn step(&mut self, parse: impl FnOnce(&[u8]) -> Parsed) -> Option<io::Result<Parsed>> {
        match self.read() {
            Ok(None) => None,
            Ok(Some(false)) => Some(Ok(Err("line too long"))),
            Ok(Some(true)) => {
                let line = self.line.trim_ascii();
                Some(Ok(if line.is_empty() { Err(IGNORED) } else { parse(line) }))
            }
            Err(e) => Some(Err(e)),
        }
    }

    /// Reads a line; `Some(false)` if it is too long, and then its rest is passed over.
    fn read(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let read = (&mut self.file).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        if read < MAX_LINE_BYTES || self.line.ends_with(b"\n") {
            return Ok(Some(true));
        }
        self.file.skip_until(b'\n')?;
        Ok(Some(false))
    }
}
