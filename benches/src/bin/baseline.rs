//! Writes the committed baseline from what `cargo bench` left, or compares with it.
//!
//! Exit codes: 0 equal within the tolerance or written, 1 slower or not measured, 2 the results or the baseline can't be
//! read or written.

use clap::{Parser, Subcommand};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavewitness_benches::table::{Table, Verdict};

/// Benches that need a recording which is not part of the repository: they may be missing.
const OPTIONAL: &[&str] = &["cycle/ruview_2_nodes"];

/// The benches' baseline. Run `cargo bench -p wavewitness-benches` first.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: What,
    /// Where criterion left its results; otherwise its usual place.
    #[arg(long, global = true)]
    criterion: Option<PathBuf>,
    /// The baseline.
    #[arg(long, global = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt"))]
    file: PathBuf,
}

#[derive(Subcommand)]
enum What {
    /// Writes the baseline.
    Write,
    /// Compares with the baseline; fails if a ratio rose by more than the tolerance.
    Compare {
        /// Tolerance of a ratio, in per cent.
        #[arg(long, default_value_t = 10.0)]
        tolerance: f64,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<bool, String> {
    let table = Table::measured(&args.criterion.clone().unwrap_or_else(results))?;
    match args.command {
        What::Write => {
            let error = |e| format!("can't write {}: {e}", args.file.display());
            fs::write(&args.file, table.to_text()).map_err(error)?;
            println!("{} benches written to {}", table.0.len(), args.file.display());
            Ok(true)
        }
        What::Compare { tolerance } => {
            let error = |e| format!("can't read {}: {e}", args.file.display());
            let baseline = Table::parse(&fs::read_to_string(&args.file).map_err(error)?)?;
            let verdicts = table.compare(&baseline, tolerance / 100.0);
            verdicts.iter().for_each(|(name, verdict)| println!("{name:<45} {verdict}"));
            let excused = |name: &str, v: &Verdict| *v == Verdict::Missing && OPTIONAL.contains(&name);
            Ok(!verdicts.iter().any(|(name, v)| v.is_failure() && !excused(name, v)))
        }
    }
}

/// Criterion's own rule: CRITERION_HOME, else `criterion` in the target directory.
fn results() -> PathBuf {
    if let Some(home) = std::env::var_os("CRITERION_HOME") {
        return PathBuf::from(home);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")).join("criterion")
}
