//! What is deleted by age or size: whole segments of the journal, and the entries of the log for cycles, after the log has said
//! so under a signature.

use crate::store::StoreError;
use crate::witness_log::Signing;
use std::path::{Path, PathBuf};
use wavewitness_journal::{Content, Journal, JournalError, SegmentInfo};
use wavewitness_types::{CycleIndex, Timestamp};

const DAY_NS: u64 = 86_400_000_000_000;

/// What is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days of journal and log; 0 keeps everything.
    pub days: u32,
    /// Bytes of the journal, the segment being written included; 0 knows no limit. The log's entries go with the cycles that
    /// they stand for.
    pub bytes: u64,
}

/// Segments that are due, and where the journal will begin.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    segments: Vec<PathBuf>,
    first_cycle: CycleIndex,
    /// No entry of the log before this is kept.
    cutoff: Timestamp,
}

impl Retention {
    /// The time before which nothing is kept; `None` if age is no reason.
    pub fn cutoff(&self, now: Timestamp) -> Option<Timestamp> {
        let kept = u64::from(self.days).checked_mul(DAY_NS).filter(|&ns| ns > 0)?;
        now.0.checked_sub(kept).map(Timestamp)
    }

    /// Deletes what is too old at `now`, or too much: gives how many segments. First the log says what goes, and is
    /// signed; then it is cut; then segments are deleted, oldest first. A crash in between leaves more than is due,
    /// never less.
    ///
    /// # Errors
    /// If journal or log can't be read or written.
    pub fn apply(
        &self,
        journal: &Path,
        signing: Option<&mut Signing>,
        now: Timestamp,
        sync: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<usize, StoreError> {
        let cutoff = self.cutoff(now);
        if cutoff.is_none() && self.bytes == 0 {
            return Ok(0);
        }
        let due = self.due(journal, cutoff.unwrap_or_default())?;
        if due.segments.is_empty() {
            return Ok(0);
        }
        if let Some(signing) = signing {
            let index = signing.first_since(due.cutoff);
            signing.prune(index, due.first_cycle, now, sync)?;
        }
        for path in &due.segments {
            std::fs::remove_file(path).map_err(|e| StoreError::System("can't delete an old segment", e))?;
        }
        tracing::info!(
            "{} segments of the journal went, as retention.days = {} and retention.gigabytes = {} say",
            due.segments.len(),
            self.days,
            self.bytes as f64 / 1e9
        );
        Ok(due.segments.len())
    }

    /// The oldest segments, as long as the one behind each begins before `cutoff`, or what is left is too much. The
    /// newest stays whatever its age and size: the chain goes on from it.
    fn due(&self, journal: &Path, cutoff: Timestamp) -> Result<Due, StoreError> {
        let mut due = Due { segments: Vec::new(), first_cycle: CycleIndex(0), cutoff };
        let journal = match Journal::open(journal) {
            Err(JournalError::NotAJournal(_)) => return Ok(due),
            other => other?,
        };
        let mut left: u64 = journal.segments().iter().map(|s| s.bytes).sum();
        let mut segments = journal.segments().iter().peekable();
        while let Some(segment) = segments.next() {
            // A `.part` that is not the newest is what a crash left: the next start looks after it.
            let next = segments.peek().filter(|_| !segment.part);
            let too_much = self.bytes > 0 && left > self.bytes;
            let goes = next
                .is_some_and(|next| too_much || begins(&journal, next).is_some_and(|(at, _)| at < cutoff));
            if !goes {
                let begins = begins(&journal, segment);
                // Cycle numbers are a chain's own. A reader of the log takes this one for the newest chain's, of which nothing
                // goes while an older one is there.
                let newest = journal.segments().last().is_some_and(|s| s.name.chain == segment.name.chain);
                let cycle = begins.and_then(|(_, cycle)| cycle).filter(|_| newest);
                due.first_cycle = cycle.unwrap_or(CycleIndex(0));
                if let (Some((at, _)), false) = (begins, due.segments.is_empty()) {
                    // Behind a cut by size the log keeps what the journal keeps.
                    due.cutoff = due.cutoff.max(if self.bytes > 0 { at } else { cutoff });
                }
                break;
            }
            left -= segment.bytes;
            due.segments.push(segment.path.clone());
        }
        Ok(due)
    }
}

/// When a segment begins, and its first cycle.
fn begins(journal: &Journal, segment: &SegmentInfo) -> Option<(Timestamp, Option<CycleIndex>)> {
    let mut records = journal.of_segment(segment.name).records().filter_map(Result::ok);
    let first = records.next()?;
    let cycle = records.find_map(|chunk| match chunk.content {
        Content::Cycle { cycle, .. } => Some(cycle),
        _ => None,
    });
    Some((first.at, cycle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_too_old_without_a_limit_or_before_it() {
        let days = |days| Retention { days, bytes: 0 };
        assert_eq!(days(0).cutoff(Timestamp(u64::MAX)), None);
        assert_eq!(days(2).cutoff(Timestamp(DAY_NS)), None);
        assert_eq!(days(2).cutoff(Timestamp(5 * DAY_NS)), Some(Timestamp(3 * DAY_NS)));
    }
}
