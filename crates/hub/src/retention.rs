//! What is deleted by age: whole segments of the journal, and the entries of the log for cycles, after the log has said
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
}

/// Segments that are due, and where the journal will begin.
struct Due {
    segments: Vec<PathBuf>,
    first_cycle: CycleIndex,
}

impl Retention {
    /// The time before which nothing is kept; `None` if everything is.
    pub fn cutoff(&self, now: Timestamp) -> Option<Timestamp> {
        let kept = u64::from(self.days).checked_mul(DAY_NS).filter(|&ns| ns > 0)?;
        now.0.checked_sub(kept).map(Timestamp)
    }

    /// Deletes what is too old at `now`: gives how many segments. First the log says what goes, and is signed; then it
    /// is cut; then segments are deleted, oldest first. A crash in between leaves more than is due, never less.
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
        let Some(cutoff) = self.cutoff(now) else { return Ok(0) };
        let Due { segments, first_cycle } = due(journal, cutoff)?;
        if segments.is_empty() {
            return Ok(0);
        }
        if let Some(signing) = signing {
            let index = signing.first_since(cutoff);
            signing.prune(index, first_cycle, now, sync)?;
        }
        for path in &segments {
            std::fs::remove_file(path).map_err(|e| StoreError::System("can't delete an old segment", e))?;
        }
        tracing::info!("{} segments of the journal were older than {} days", segments.len(), self.days);
        Ok(segments.len())
    }
}

/// The oldest segments, as far as the one behind each begins before `cutoff`. The newest of a chain stays: the chain
/// goes on from it.
fn due(journal: &Path, cutoff: Timestamp) -> Result<Due, StoreError> {
    let mut due = Due { segments: Vec::new(), first_cycle: CycleIndex(0) };
    let journal = match Journal::open(journal) {
        Err(JournalError::NotAJournal(_)) => return Ok(due),
        other => other?,
    };
    let mut segments = journal.segments().iter().peekable();
    while let Some(segment) = segments.next() {
        let behind = segments.peek().filter(|next| next.name.chain == segment.name.chain && !segment.part);
        let old = behind.is_some_and(|next| begins(&journal, next).is_some_and(|(at, _)| at < cutoff));
        if !old {
            due.first_cycle = begins(&journal, segment).and_then(|(_, cycle)| cycle).unwrap_or(CycleIndex(0));
            break;
        }
        due.segments.push(segment.path.clone());
    }
    Ok(due)
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
        assert_eq!(Retention { days: 0 }.cutoff(Timestamp(u64::MAX)), None);
        assert_eq!(Retention { days: 2 }.cutoff(Timestamp(DAY_NS)), None);
        assert_eq!(Retention { days: 2 }.cutoff(Timestamp(5 * DAY_NS)), Some(Timestamp(3 * DAY_NS)));
    }
}
