//! Where people were: truth of `wavewitness simulate --truth`, or labels of a camera in the same form.
//!
//! JSON lines. The first says what the others are of: `source` (`simulated`, `camera`, …). Each other has `at_ns` and `people`, each with
//! `joints_m`, 17 points in metres in the room's frame, and optionally `in_room`, 0 to 1.

use crate::{KEYPOINTS, Label};
use serde::Deserialize;
use std::fmt;
use wavewitness_types::Timestamp;

/// Farther from a label in time there is none.
const NEAREST_NS: u64 = 30_000_000;
/// Who is less in the room than this is on the way in or out, and not in it.
const IN_ROOM: f32 = 0.5;

/// Labels in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// What they come from.
    pub source: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Deserialize)]
struct Head {
    source: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Line {
    at_ns: u64,
    people: Vec<Someone>,
}

#[derive(Clone, Debug, Deserialize)]
struct Someone {
    joints_m: [[f32; 3]; KEYPOINTS],
    #[serde(default = "inside")]
    in_room: f32,
}

fn inside() -> f32 {
    1.0
}

/// A line that is no label.
#[derive(Debug)]
pub struct LabelError {
    line: usize,
    what: String,
}

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for LabelError {}

impl Labels {
    /// Reads JSON lines.
    ///
    /// # Errors
    /// Names the line that is not as the module's head says, or is earlier than the one before.
    pub fn read(text: &str) -> Result<Labels, LabelError> {
        let error = |line: usize, what: String| LabelError { line: line + 1, what };
        let mut lines = text.lines().enumerate();
        let (_, head) =
            lines.next().ok_or_else(|| error(0, "a first line with the source is needed".into()))?;
        let head: Head = serde_json::from_str(head).map_err(|e| error(0, e.to_string()))?;
        let mut labels = Labels { source: head.source, lines: Vec::new() };
        for (k, text) in lines.filter(|(_, l)| !l.trim().is_empty()) {
            let line: Line = serde_json::from_str(text).map_err(|e| error(k, e.to_string()))?;
            if labels.lines.last().is_some_and(|l| l.at_ns >= line.at_ns) {
                return Err(error(k, format!("at_ns = {} is not later than the line before", line.at_ns)));
            }
            labels.lines.push(line);
        }
        Ok(labels)
    }

    /// The label nearest to a time, relative to the room's lowest corner; `None` if none is within 30 ms.
    pub fn at(&self, at: Timestamp, corner_m: [f64; 3]) -> Option<Label> {
        let after = self.lines.partition_point(|l| l.at_ns < at.0);
        let near = [after.checked_sub(1), Some(after)];
        let line = near
            .into_iter()
            .flatten()
            .filter_map(|k| self.lines.get(k))
            .min_by_key(|l| l.at_ns.abs_diff(at.0))?;
        (line.at_ns.abs_diff(at.0) <= NEAREST_NS).then(|| Label {
            people: line
                .people
                .iter()
                .filter(|p| p.in_room >= IN_ROOM)
                .map(|p| p.joints_m.map(|j| std::array::from_fn(|k| j[k] - corner_m[k] as f32)))
                .collect(),
        })
    }
}
