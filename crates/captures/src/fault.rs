//! What can be wrong with a recording.

use core::fmt;

/// Why some bytes gave no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The recording ends inside a record. More bytes may complete it (see [`crate::Reader::consumed`]); nothing after
    /// this is read.
    Truncated,
    /// No record begins here. The reader goes on at the next place where one does.
    Framing,
    /// The record's parts contradict each other; it was skipped as a whole.
    Malformed,
    /// The record is sound, but of a chip, format or width that this crate does not read; it was skipped as a whole.
    Unsupported,
}

impl Reason {
    /// The stable name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Truncated => "truncated",
            Reason::Framing => "framing",
            Reason::Malformed => "malformed",
            Reason::Unsupported => "unsupported",
        }
    }
}

/// A stretch of a recording that gave no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it begins, in bytes from the start of the recording.
    pub offset: usize,
    /// How many bytes it has.
    pub bytes: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {} bytes skipped", self.reason.name(), self.offset, self.bytes)
    }
}

impl std::error::Error for Fault {}
