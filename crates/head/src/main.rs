//! `pose-head`: training sets of journals, and models run over them.

use clap::{Args, Parser, Subcommand};
use serde_json::json;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavewitness_head::journal::{self, Seen};
use wavewitness_head::labels::Labels;
use wavewitness_head::{Dataset, LINKS};

type Failure = Box<dyn Error + Send + Sync>;

/// Training sets for neural pose heads, and what a trained one says of a journal.
///
/// A head never takes part in what the hub computes and witnesses: it reads a journal, and what it says is evidence of its own.
#[derive(Parser)]
#[command(name = "pose-head", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write windows of the fused channel with labels beside them, as NumPy arrays (docs/pose-head.md)
    Dataset(DatasetArgs),
    /// Run an ONNX model over a journal and write what it says, one JSON line a window
    #[cfg(feature = "onnx")]
    Run(RunArgs),
}

#[derive(Args)]
struct DatasetArgs {
    /// Journal directory or segment
    journal: PathBuf,
    /// Truth of `wavewitness simulate --truth`, or a camera's labels in the same form
    #[arg(long, value_name = "JSONL")]
    labels: PathBuf,
    /// Directory to write to; it is made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Every how many cycles (20 a second) a window is taken
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=72_000))]
    every: u64,
}

#[cfg(feature = "onnx")]
#[derive(Args)]
struct RunArgs {
    /// Journal directory or segment
    journal: PathBuf,
    /// The model: inputs and outputs as docs/pose-head.md says
    #[arg(long, value_name = "ONNX")]
    model: PathBuf,
    /// JSON lines to write
    #[arg(long, value_name = "JSONL")]
    out: PathBuf,
    /// Every how many cycles (20 a second) the model is run
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=72_000))]
    every: u64,
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|e| format!("can't read {}: {e}", path.display()).into())
}

fn dataset(args: &DatasetArgs) -> Result<(), Failure> {
    let labels = Labels::read(&read(&args.labels)?).map_err(|e| format!("{}: {e}", args.labels.display()))?;
    let mut set = Dataset::new();
    let (mut without, mut first, mut last) = (0u64, None, None);
    let report = journal::windows(&args.journal, args.every, |seen: Seen| -> Result<(), Failure> {
        match labels.at(seen.at, seen.corner_m) {
            Some(label) => set.push(&seen.input, &label),
            None => without += 1,
        }
        first.get_or_insert((seen.source, seen.cycle.0));
        last = Some((seen.cycle.0, seen.chain));
        Ok(())
    })?;
    if set.is_empty() {
        let notes: Vec<_> = report.chains.iter().flat_map(|c| c.notes.clone()).collect();
        return Err(format!(
            "no window has a label ({without} without one): do journal and labels overlap in time, are nodes and room \
             placed? {}",
            notes.join("; ")
        )
        .into());
    }
    fs::create_dir_all(&args.out).map_err(|e| format!("can't make {}: {e}", args.out.display()))?;
    set.write(&args.out).map_err(|e| format!("can't write to {}: {e}", args.out.display()))?;
    let manifest = json!({
        "rows": set.len(),
        "windows_without_a_label": without,
        "source": first.map(|(source, _)| source.name()),
        "labels": labels.source,
        "first_cycle": first.map(|(_, cycle)| cycle),
        "last_cycle": last.map(|(cycle, _)| cycle),
        "chain": last.map(|(_, chain)| chain.to_string()),
        "numerics": wavewitness_engine::NUMERICS_VERSION,
        "links": LINKS,
    });
    fs::write(args.out.join("manifest.json"), format!("{manifest:#}\n"))?;
    println!("{} windows with labels of source {}, {without} without one", set.len(), labels.source);
    Ok(())
}

#[cfg(feature = "onnx")]
fn run(args: &RunArgs) -> Result<(), Failure> {
    use std::io::Write;
    use wavewitness_head::{OnnxHead, PoseHead};
    let bytes = fs::read(&args.model).map_err(|e| format!("can't read {}: {e}", args.model.display()))?;
    let model = blake3::hash(&bytes).to_hex().to_string();
    let mut head = OnnxHead::open(&args.model).map_err(|e| format!("{}: {e}", args.model.display()))?;
    let file = fs::File::create(&args.out).map_err(|e| format!("can't write {}: {e}", args.out.display()))?;
    let mut out = std::io::BufWriter::new(file);
    let first = json!({ "type": "pose-head", "model_blake3": model, "witnessed": false });
    writeln!(out, "{first}")?;
    let mut windows = 0u64;
    journal::windows(&args.journal, args.every, |seen: Seen| -> Result<(), Failure> {
        let said = head.run(&seen.input)?;
        windows += 1;
        let line = json!({
            "cycle": seen.cycle.0,
            "at_ns": seen.at.0.to_string(),
            "source": seen.source.name(),
            "chain": seen.chain.to_string(),
            "corner_m": seen.corner_m,
            "existence": said.existence,
            "keypoints_m": said.keypoints_m,
            "sigma_m": said.sigma_m,
        });
        writeln!(out, "{line}")?;
        Ok(())
    })?;
    out.flush()?;
    println!("{windows} windows; model {model}");
    Ok(())
}

fn main() -> ExitCode {
    wavewitness_proof::pipe::end_quietly_when_closed();
    let done = match Cli::parse().command {
        Command::Dataset(args) => dataset(&args),
        #[cfg(feature = "onnx")]
        Command::Run(args) => run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("pose-head: {e}");
            ExitCode::FAILURE
        }
    }
}
