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
    /// The result where it is a word and no number.
    pub word: Option<String>,
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
        let value = Some(value).filter(|v| v.is_finite());
        Row { recording, metric, value, word: None, unit, peer: None, bar: None }
    }

    /// A result that is a word.
    pub fn word(recording: impl Into<String>, metric: impl Into<String>, word: impl Into<String>) -> Row {
        Row { word: Some(word.into()), ..Row::new(recording, metric, f64::NAN, "") }
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

    /// The result as it is printed, without its unit.
    fn said(&self) -> String {
        self.word.clone().or(self.value.map(number)).unwrap_or_else(|| "unknown".to_owned())
    }

    fn judged(&self) -> String {
        match (self.bar, self.met()) {
            (Some(bar), Some(true)) => format!("{bar}: met"),
            (Some(bar), _) => format!("{bar}: **not met**"),
            (None, _) => "–".to_owned(),
        }
    }

    /// True if both say the same of two recordings, so that they can share a column.
    fn same_column(&self, other: &Row) -> bool {
        self.metric == other.metric && self.unit == other.unit && self.bar == other.bar
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
    if value == value.trunc() && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:.3}") }
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
                    "recording": r.recording, "metric": r.metric, "value": r.value, "word": r.word, "unit": r.unit,
                    "peer": r.peer, "bar": r.bar.map(|b| b.to_string()), "met": r.met(),
                })
            })
            .collect();
        json!({ "dataset": self.dataset, "rows": rows, "notes": self.notes })
    }

    /// As Markdown: a table of recording, metric, result, peer, bar; where several recordings have the same metrics and
    /// none a peer's figure, one with a line a recording and a column a metric.
    pub fn to_markdown(&self) -> String {
        let mut groups: Vec<&[Row]> = self.rows.chunk_by(|a, b| a.recording == b.recording).collect();
        let mut tables = Vec::new();
        while !groups.is_empty() {
            let same = groups.iter().take_while(|g| alike(groups[0], g)).count();
            if same >= 2 && groups[0].len() >= 3 {
                tables.push(wide(&groups[..same]));
                groups.drain(..same);
            } else {
                let starts_wide = |k: usize| {
                    groups[k].len() >= 3 && groups.get(k + 1).is_some_and(|next| alike(groups[k], next))
                };
                let count = (1..groups.len()).find(|&k| starts_wide(k)).unwrap_or(groups.len());
                tables.push(narrow(&groups[..count]));
                groups.drain(..count);
            }
        }
        tables.join("\n")
    }

    /// Takes the rows and notes of another report on the same dataset.
    pub fn append(&mut self, other: Report) {
        self.rows.extend(other.rows);
        let new: Vec<String> = other.notes.into_iter().filter(|n| !self.notes.contains(n)).collect();
        self.notes.extend(new);
    }
}

/// True if two recordings have the same metrics, and none has a peer's figure.
fn alike(a: &[Row], b: &[Row]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.same_column(b) && a.peer.is_none() && b.peer.is_none())
}

fn narrow(groups: &[&[Row]]) -> String {
    let mut out = String::from("| recording | metric | result | peer | bar |\n|---|---|---|---|---|\n");
    for r in groups.iter().flat_map(|g| g.iter()) {
        let value = if r.value.is_some() { format!("{} {}", r.said(), r.unit) } else { r.said() };
        let peer = r.peer.map_or("–".to_owned(), number);
        let (value, bar) = (value.trim_end(), r.judged());
        out.push_str(&format!("| {} | {} | {value} | {peer} | {bar} |\n", r.recording, r.metric));
    }
    out
}

fn wide(groups: &[&[Row]]) -> String {
    let mut out = String::from("| recording |");
    for r in groups[0] {
        let unit = if r.unit.is_empty() { String::new() } else { format!(", {}", r.unit) };
        out.push_str(&format!(" {}{unit} |", r.metric));
        if r.bar.is_some() {
            out.push_str(" bar |");
        }
    }
    let columns = 1 + groups[0].len() + groups[0].iter().filter(|r| r.bar.is_some()).count();
    out.push_str(&format!("\n|{}\n", "---|".repeat(columns)));
    for group in groups {
        out.push_str(&format!("| {} |", group[0].recording));
        for r in *group {
            out.push_str(&format!(" {} |", r.said()));
            if r.bar.is_some() {
                out.push_str(&format!(" {} |", r.judged()));
            }
        }
        out.push('\n');
    }
    out
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.dataset)?;
        for r in &self.rows {
            write!(f, "  {:<34} {:<44} {:>9} {:<5}", r.recording, r.metric, r.said(), r.unit)?;
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

    #[test]
    fn recordings_with_the_same_metrics_share_a_table_and_others_do_not() {
        let bar = Judgement::AtMost(0.3);
        let of = |name: &str| {
            let error = Row::new(name, "error", 0.5, "bpm").bar(bar);
            [error, Row::new(name, "rate", 6.0, "bpm"), Row::word(name, "by", "phase")]
        };
        let first = Row::new("t", "delay", 0.6, "s").peer(0.65);
        let rows = [vec![first], of("a").into(), of("b").into(), vec![Row::new("all", "share", 1.0, "")]];
        let report = Report { rows: rows.concat(), ..Report::new("x") };
        let text = report.to_markdown();
        assert!(
            text.contains("| recording | error, bpm | bar | rate, bpm | by |\n|---|---|---|---|---|\n"),
            "{text}"
        );
        assert!(text.contains("| b | 0.500 | ≤ 0.3: **not met** | 6 | phase |"), "{text}");
        assert!(text.contains("| t | delay | 0.600 s | 0.650 | – |"), "{text}");
        assert!(text.contains("| all | share | 1 | – | – |"), "{text}");
        assert_eq!(report.to_json()["rows"].as_array().map(Vec::len), Some(8));
    }
}
