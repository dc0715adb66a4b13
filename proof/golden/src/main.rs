//! `golden-check`: computes the golden chains and compares. Small enough to build for any target that Rust's standard
//! library has; `proof-runner check` does the same among the tools for journals.

use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavewitness_golden::{GOLDENS, Golden, capture, difference, events, genesis, mint_events};
use wavewitness_golden::{prefix_difference, shuffled};

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
fn check(cli: &Cli, golden: &Golden) -> Result<String, (u8, String)> {
    let (config, mut events) = events(golden, cli.cycles);
    let genesis = genesis(golden, &config);
    let in_order = capture(&events);
    if let Some(seed) = cli.shuffle {
        let before = events.clone();
        events = shuffled(events, seed);
        if events == before {
            return Err((1, format!("golden {}: shuffling changed nothing\n", golden.name)));
        }
    }
    let mut minted = mint_events(&genesis, &events);
    minted.capture = in_order;
    if cli.print {
        return Ok(minted.to_text(golden.name).trim_end().to_owned());
    }
    let stored = read(&cli.goldens, golden.name)?;
    let parted = match cli.cycles {
        None => difference(golden.name, &stored, &minted),
        Some(_) => prefix_difference(golden.name, &stored, &minted),
    };
    match parted {
        None => Ok(format!("{} {} {}", golden.name, minted.cycles, minted.head)),
        Some(text) => Err((1, text)),
    }
}

fn read(directory: &Path, name: &str) -> Result<String, (u8, String)> {
    let path = directory.join(format!("{name}.golden"));
    std::fs::read_to_string(&path)
        .map_err(|e| (2, format!("golden-check: can't read {}: {e}\n", path.display())))
}
