//! `golden-check`: computes the golden chains and compares. Small enough to build for any target that Rust's standard
//! library has; `proof-runner check` does the same among the tools for journals.

use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavewitness_golden::companion::{read_values, values_bytes};
use wavewitness_golden::{GOLDENS, Golden, Stored, capture, compare_values, difference, events, genesis};
use wavewitness_golden::{mint_events, shuffled, trace};
use wavewitness_types::Event;
use wavewitness_witness::Genesis;

/// Computes the golden chains and compares them with the files. Prints name, cycles and head of each.
#[derive(Parser)]
#[command(name = "golden-check", version)]
struct Cli {
    /// Directory of the goldens
    #[arg(long, default_value = "proof/goldens")]
    goldens: PathBuf,
    /// Only these
    #[arg(long)]
    only: Vec<String>,
    /// Only the first so many cycles of each: for slow machines
    #[arg(long)]
    cycles: Option<u64>,
    /// Compute so many goldens side by side
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Shuffle the arrivals within each cycle, by this seed
    #[arg(long)]
    shuffle: Option<u64>,
    /// Print the text of each golden as this build computes it, and compare with nothing
    #[arg(long)]
    print: bool,
    /// Write every stage's values in a window of cycles of the one golden into this file, and compare with nothing
    #[arg(long, value_name = "FILE", requires = "from")]
    trace: Option<PathBuf>,
    /// First cycle of the window
    #[arg(long, value_name = "CYCLE")]
    from: Option<u64>,
    /// Last cycle of the window [default: the first]
    #[arg(long, value_name = "CYCLE", requires = "from")]
    to: Option<u64>,
    /// Compare every stage's values with those of a file that another build's --trace wrote
    #[arg(long, value_name = "FILE", conflicts_with = "trace")]
    against: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let wanted = |g: &&Golden| cli.only.is_empty() || cli.only.iter().any(|name| name == g.name);
    let goldens: Vec<&Golden> = GOLDENS.iter().filter(wanted).collect();
    if goldens.is_empty() {
        let names: Vec<_> = GOLDENS.iter().map(|g| g.name).collect();
        eprintln!("golden-check: no such golden; there are: {}", names.join(", "));
        return ExitCode::from(2);
    }
    if (cli.trace.is_some() || cli.against.is_some()) && goldens.len() != 1 {
        eprintln!("golden-check: --trace and --against take one golden: say which with --only");
        return ExitCode::from(2);
    }
    let mut worst = 0;
    for result in side_by_side(&goldens, cli.threads, |golden| check(&cli, golden)) {
        match result {
            Ok(line) => println!("{line}"),
            Err((code, text)) => {
                worst = worst.max(code);
                eprint!("{text}");
            }
        }
    }
    ExitCode::from(worst)
}

/// Runs `work` for each item, on `threads` threads; results in the order of the items.
fn side_by_side<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let mut out: Vec<(usize, R)> = std::thread::scope(|scope| {
        let work = &work;
        let share = |first| (first..items.len()).step_by(threads);
        let threads: Vec<_> = (0..threads)
            .map(|t| scope.spawn(move || share(t).map(|k| (k, work(&items[k]))).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|t| t.join().expect("a golden's thread panicked")).collect()
    });
    out.sort_unstable_by_key(|(k, _)| *k);
    out.into_iter().map(|(_, r)| r).collect()
}

/// A line of the result, or the exit code and what to say.
type Checked = Result<String, (u8, String)>;

fn check(cli: &Cli, golden: &Golden) -> Checked {
    let against = cli.against.as_deref().map(read_trace).transpose()?;
    let window = match &against {
        Some(values) => values.first().zip(values.last()).map(|(a, b)| (a.cycle, b.cycle)),
        None => cli.trace.as_ref().and(cli.from).map(|from| (from, cli.to.unwrap_or(from))),
    };
    let cycles = window.map_or(cli.cycles, |(_, last)| Some(last.saturating_add(1)));
    let (config, mut events) = events(golden, cycles);
    let genesis = genesis(golden, &config);
    let in_order = capture(&events);
    if let Some(seed) = cli.shuffle {
        let before = events.clone();
        events = shuffled(events, seed);
        if events == before {
            return Err((1, format!("golden {}: shuffling changed nothing\n", golden.name)));
        }
    }
    if let Some((from, to)) = window {
        let values = trace(&genesis, &events, &(from..=to));
        return match (&cli.trace, against) {
            (Some(file), _) => write(file, &values_bytes(&values))
                .map(|()| format!("{}: values of {} cycles from {from} on", golden.name, values.len())),
            (None, against) => match compare_values(golden.name, &against.unwrap_or_default(), &values) {
                None => Ok(format!("{}: the values of cycles {from} to {to} agree", golden.name)),
                Some(text) => Err((1, text)),
            },
        };
    }
    compare(cli, golden, &genesis, &events, in_order)
}

fn compare(
    cli: &Cli,
    golden: &Golden,
    genesis: &Genesis,
    events: &[Event],
    capture: wavewitness_witness::Digest,
) -> Checked {
    let mut minted = mint_events(genesis, events);
    minted.capture = capture;
    if cli.print {
        return Ok(minted.to_text(golden.name).trim_end().to_owned());
    }
    let stored = Stored::read(&cli.goldens, golden.name).map_err(|e| (2, format!("golden-check: {e}\n")))?;
    match difference(golden.name, &stored, &minted) {
        None => Ok(format!("{} {} {}", golden.name, minted.cycles, minted.head)),
        Some(text) => Err((1, text)),
    }
}

fn read_trace(file: &Path) -> Result<Vec<wavewitness_golden::CycleValues>, (u8, String)> {
    let failed = |why: &dyn std::fmt::Display| (2, format!("golden-check: {}: {why}\n", file.display()));
    let bytes = std::fs::read(file).map_err(|e| failed(&e))?;
    read_values(&bytes).filter(|v| !v.is_empty()).ok_or_else(|| failed(&"no values of this numerics version"))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), (u8, String)> {
    std::fs::write(file, bytes)
        .map_err(|e| (2, format!("golden-check: can't write {}: {e}\n", file.display())))
}
