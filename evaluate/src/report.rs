//! What an evaluation says, as text, table and JSON.

use serde_json::{Value, json};
use std::fmt;

/// A bar to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judgement {
    /// At most.
    AtMost(f64),
    /// At least.
    AtLeast(f64),
}

impl Judgement {
    /// True if the value reaches it.
    pub fn met(self, value: f64) -> bool {
        match self {
            Judgement::AtMost(bar) => value <= bar,
            Judgement::AtLeast(bar) => value >= bar,
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Judgement::AtMost(bar) => write!(f, "≤ {bar}"),
            Judgement::AtLeast(bar) => write!(f, "≥ {bar}"),
        }
    }
}

/// One metric of one recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which recording, or what of several.
    pub recording: String,
    /// What was measured.
    pub metric: String,
    /// The result; `None` if the stage said that it can't tell.
    pub value: Option<f64>,
    /// Its unit; empty for a share or a count.
    pub unit: &'static str,
    /// What the best-known system gets on the same data, if it was measured.
    pub peer: Option<f64>,
    /// What this project wants to reach.
    pub bar: Option<Judgement>,
}

impl Row {
    /// A metric without a comparison.
    pub fn new(
        recording: impl Into<String>,
        metric: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Row {
        let (recording, metric) = (recording.into(), metric.into());
        Row { recording, metric, value: Some(value).filter(|v| v.is_finite()), unit, peer: None, bar: None }
    }

    /// With the peer's figure.
    pub fn peer(self, peer: f64) -> Row {
        Row { peer: Some(peer), ..self }
    }

    /// With a bar.
    pub fn bar(self, bar: Judgement) -> Row {
        Row { bar: Some(bar), ..self }
    }

    /// `None` without a bar; an abstention misses it.
    pub fn met(&self) -> Option<bool> {
        self.bar.map(|bar| self.value.is_some_and(|value| bar.met(value)))
    }
}

/// What an adapter says of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The dataset.
    pub dataset: &'static str,
    /// Metrics in order.
    pub rows: Vec<Row>,
    /// What a reader must know to read the metrics rightly.
    pub notes: Vec<String>,
}

fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e6 { format!("{value:.0}") } else { format!("{value:.3}") }
}

impl Report {
    /// A report without metrics yet.
    pub fn new(dataset: &'static str) -> Report {
        Report { dataset, rows: Vec::new(), notes: Vec::new() }
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|r| {
                json!({
                    "recording": r.recording, "metric": r.metric, "value": r.value, "unit": r.unit,
                    "peer": r.peer, "bar": r.bar.map(|b| b.to_string()), "met": r.met(),
                })
            })
            .collect();
        json!({ "dataset": self.dataset, "rows": rows, "notes": self.notes })
    }

    /// As rows of a Markdown table: recording, metric, result, peer, bar.
    pub fn to_markdown(&self) -> String {
        let mut out = String::from("| recording | metric | result | peer | bar |\n|---|---|---|---|---|\n");
        for r in &self.rows {
            let value = r.value.map_or("unknown".to_owned(), |v| format!("{} {}", number(v), r.unit));
            let bar = match (r.bar, r.met()) {
                (Some(bar), Some(true)) => format!("{bar}: met"),
                (Some(bar), _) => format!("{bar}: **not met**"),
                (None, _) => "–".to_owned(),
            };
            let peer = r.peer.map_or("–".to_owned(), number);
            out.push_str(&format!(
                "| {} | {} | {} | {peer} | {bar} |\n",
                r.recording,
                r.metric,
                value.trim_end()
            ));
        }
        out
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.dataset)?;
        for r in &self.rows {
            let value = r.value.map_or("unknown".to_owned(), number);
            write!(f, "  {:<34} {:<44} {value:>9} {:<5}", r.recording, r.metric, r.unit)?;
            if let Some(peer) = r.peer {
                write!(f, " peer {}", number(peer))?;
            }
            match (r.bar, r.met()) {
                (Some(bar), Some(true)) => writeln!(f, "  bar {bar}: met")?,
                (Some(bar), _) => writeln!(f, "  bar {bar}: NOT MET")?,
                (None, _) => writeln!(f)?,
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abstention_misses_a_bar_and_is_unknown() {
        let mut row = Row::new("a", "error", f64::NAN, "m").peer(1.5).bar(Judgement::AtMost(0.5));
        assert_eq!((row.value, row.met()), (None, Some(false)));
        row.value = Some(0.25);
        assert_eq!(row.met(), Some(true));
        let report = Report { rows: vec![row], ..Report::new("x") };
        assert!(report.to_markdown().contains("| a | error | 0.250 m | 1.500 | ≤ 0.5: met |"));
        assert_eq!(report.to_json()["rows"][0]["met"], true);
    }
}
