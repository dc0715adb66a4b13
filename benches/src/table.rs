//! The table of results: what criterion measured, as medians and as ratios to the calibration kernel of the same
//! group; the committed baseline; and the comparison of the two.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// The bench to which all of its group are compared.
pub const KERNEL: &str = "calibration_kernel";

/// One bench.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Median time of one iteration in nanoseconds.
    pub median_ns: f64,
    /// The median over that of the calibration kernel of the same group.
    pub ratio: f64,
}

/// Benches by name (`group/bench`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(pub BTreeMap<String, Row>);

/// How a bench compares with the baseline.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Within the tolerance: new ratio over old, less 1.
    Same(f64),
    /// Faster by more than the tolerance.
    Faster(f64),
    /// Slower by more than the tolerance.
    Slower(f64),
    /// In the baseline and not measured.
    Missing,
    /// Measured and not in the baseline.
    New,
}

impl Verdict {
    /// True if a comparison must fail: slower, or not measured. Faster is good news (and a reason to write the
    /// baseline again), a bench of a recording that is not here is excused by the caller.
    pub fn is_failure(&self) -> bool {
        matches!(self, Verdict::Slower(_) | Verdict::Missing)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Same(change) => write!(f, "{:+.1} %", 100.0 * change),
            Verdict::Faster(change) => write!(f, "{:+.1} %  FASTER", 100.0 * change),
            Verdict::Slower(change) => write!(f, "{:+.1} %  SLOWER", 100.0 * change),
            Verdict::Missing => f.write_str("NOT MEASURED"),
            Verdict::New => f.write_str("new"),
        }
    }
}

impl Table {
    /// Reads what criterion left under its directory.
    ///
    /// # Errors
    /// If there is nothing, a file is not criterion's, or a group has no calibration kernel.
    pub fn measured(criterion: &Path) -> Result<Table, String> {
        let mut medians: BTreeMap<(String, String), f64> = BTreeMap::new();
        for group in directories(criterion)? {
            for bench in directories(&criterion.join(&group))? {
                let path = criterion.join(&group).join(&bench).join("new/estimates.json");
                if path.exists() {
                    medians.insert((group.clone(), bench), median(&path)?);
                }
            }
        }
        if medians.is_empty() {
            return Err(format!("no results under {}: run the benches first", criterion.display()));
        }
        let mut out = BTreeMap::new();
        for ((group, bench), median_ns) in &medians {
            let kernel = medians.get(&(group.clone(), KERNEL.to_owned()));
            let kernel = kernel.ok_or_else(|| format!("group {group} has no {KERNEL}"))?;
            out.insert(format!("{group}/{bench}"), Row { median_ns: *median_ns, ratio: median_ns / kernel });
        }
        Ok(Table(out))
    }

    /// Reads the committed text.
    ///
    /// # Errors
    /// Names the line that is none.
    pub fn parse(text: &str) -> Result<Table, String> {
        let mut out = BTreeMap::new();
        for line in text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let name = words.next().map(str::to_owned);
            let mut number = || words.next().and_then(|w| w.parse::<f64>().ok()).filter(|x| *x > 0.0);
            let row = name.zip(number().zip(number()));
            let (name, (median_ns, ratio)) = row.ok_or_else(|| format!("not a row of a baseline: {line}"))?;
            out.insert(name, Row { median_ns, ratio });
        }
        Ok(Table(out))
    }

    /// The text to commit.
    pub fn to_text(&self) -> String {
        let mut out = String::from(
            "# Medians of one iteration, and their ratios to the calibration kernel of the same group and run.\n\
             # Written by: cargo bench --profile quick -p wavewitness-benches, then\n\
             # cargo run --profile quick -p wavewitness-benches --bin baseline -- write\n\
             # The ratio is what is compared; the nanoseconds are those of the machine in docs/performance.md.\n",
        );
        out += &format!("{:<45} {:>12} {:>10}\n", "# bench", "median ns", "ratio");
        for (name, Row { median_ns, ratio }) in &self.0 {
            out += &format!("{name:<45} {median_ns:>12.1} {ratio:>10.5}\n");
        }
        out
    }

    /// Every bench of either table, and how it compares.
    pub fn compare(&self, baseline: &Table, tolerance: f64) -> BTreeMap<String, Verdict> {
        let mut out = BTreeMap::new();
        for name in self.0.keys().chain(baseline.0.keys()).filter(|n| !n.ends_with(KERNEL)) {
            let verdict = match (self.0.get(name), baseline.0.get(name)) {
                (Some(new), Some(old)) => {
                    let change = new.ratio / old.ratio - 1.0;
                    if change > tolerance {
                        Verdict::Slower(change)
                    } else if change < -tolerance {
                        Verdict::Faster(change)
                    } else {
                        Verdict::Same(change)
                    }
                }
                (None, _) => Verdict::Missing,
                (Some(_), None) => Verdict::New,
            };
            out.insert(name.clone(), verdict);
        }
        out
    }
}

fn directories(path: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(path).map_err(|e| format!("can't read {}: {e}", path.display()))?;
    let names = entries.filter_map(Result::ok).filter(|e| e.path().is_dir());
    Ok(names.map(|e| e.file_name().to_string_lossy().into_owned()).collect())
}

fn median(path: &Path) -> Result<f64, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("can't read {}: {e}", path.display()))?;
    let value: Option<Value> = serde_json::from_str(&text).ok();
    let median = value.as_ref().and_then(|v| v["median"]["point_estimate"].as_f64());
    median.filter(|m| *m > 0.0).ok_or_else(|| format!("{} is not criterion's", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, f64)]) -> Table {
        let row = |ratio| Row { median_ns: 100.0 * ratio, ratio };
        Table(rows.iter().map(|&(name, ratio)| (name.to_owned(), row(ratio))).collect())
    }

    #[test]
    fn the_text_round_trips_and_damage_is_named() {
        let before = table(&[("a/calibration_kernel", 1.0), ("a/x", 0.25), ("b/y", 3.5)]);
        assert_eq!(Table::parse(&before.to_text()), Ok(before));
        assert!(Table::parse("a/x 12.0\n").unwrap_err().contains("a/x 12.0"));
    }

    #[test]
    fn only_what_leaves_the_tolerance_or_is_missing_fails() {
        let old = table(&[("a/same", 1.0), ("a/slow", 1.0), ("a/fast", 1.0), ("a/gone", 1.0)]);
        let new = table(&[("a/same", 1.09), ("a/slow", 1.11), ("a/fast", 0.5), ("a/new", 1.0)]);
        let failed: Vec<String> =
            new.compare(&old, 0.1).into_iter().filter(|(_, v)| v.is_failure()).map(|(n, _)| n).collect();
        assert_eq!(failed, ["a/gone", "a/slow"]);
    }

    #[test]
    fn a_result_is_read_as_criterion_leaves_it_and_a_group_without_kernel_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let put = |bench: &str, ns: f64| {
            let path = dir.path().join(bench).join("new");
            fs::create_dir_all(&path).unwrap();
            let text =
                format!("{{\"median\":{{\"point_estimate\":{ns}}},\"mean\":{{\"point_estimate\":1}}}}");
            fs::write(path.join("estimates.json"), text).unwrap();
        };
        put("cir/estimate", 50.0);
        assert!(Table::measured(dir.path()).unwrap_err().contains("cir"));
        put("cir/calibration_kernel", 200.0);
        let table = Table::measured(dir.path()).unwrap();
        assert_eq!(table.0["cir/estimate"], Row { median_ns: 50.0, ratio: 0.25 });
    }
}
