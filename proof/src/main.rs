//! `proof-runner`: verify, replay and inspect journals; check witness logs, make and check proofs of single poses; check
//! and re-mint the golden chains.

mod commands;

use clap::{CommandFactory, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavewitness_journal::{Content, Journal, JournalError};
use wavewitness_proof::golden::{self, GOLDENS};
use wavewitness_proof::recompute::Change;
use wavewitness_proof::report::{Kind, Report};
use wavewitness_proof::{diff, manual, profile, recompute, replay, verify};
use wavewitness_types::{Event, PoseFrame};
use wavewitness_witness::{Genesis, Stage, Witness};

/// Verifies and replays journals of the Wavewitness hub, and checks its witness log.
#[derive(Parser)]
#[command(name = "proof-runner", version, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "A witness proves that these poses follow from these datagrams under this code and configuration. It \
does not prove that the datagrams came from the air, nor that a pose is true.

Exit codes: 0 everything agrees; 1 something does not (each fault is named with its cycle or entry); 2 wrong usage,
or journal, log or proof can't be opened, or do not have what was asked for; 3 replay only: chain and payloads agree,
but not every cycle could be computed again by this build; 4 inputs withheld by privacy mode: chain and what is there
agree, but the mode of some chain kept inputs (and poses) out of the journal, so they can be neither checked nor computed.";

#[derive(Subcommand)]
enum Command {
    /// Check chain and payloads: every flipped bit, missing or moved entry
    Verify {
        /// Journal directory or one segment
        journal: PathBuf,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Compute every cycle again and compare; name the first divergence by cycle and stage
    Replay {
        /// Journal directory or one segment
        journal: PathBuf,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Compute a journal's events by this build into a new journal, to compare it with `diff`
    Recompute {
        /// Journal directory or one segment
        journal: PathBuf,
        /// Directory of the new journal
        out: PathBuf,
        /// Change a stage parameter first
        #[arg(long, value_name = "SECTION.KEY=VALUE")]
        set: Vec<Change>,
    },
    /// Compute a journal's events by this build twice, as configured and with changes, and compare: an A/B test
    ///
    /// For instance --set gate.enabled=false: what the gate is good for. Exit code 0, whatever differs.
    Compare {
        /// Journal directory or one segment
        journal: PathBuf,
        /// What to change: a stage parameter of the configuration
        #[arg(long, value_name = "SECTION.KEY=VALUE", required = true)]
        set: Vec<Change>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Compare two runs of the same datagrams: where the bits part, and how far apart the poses are in metres
    Diff {
        /// The one journal
        a: PathBuf,
        /// The other
        b: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Time every stage over a journal, computed again by this build
    Profile {
        /// Journal directory or one segment
        journal: PathBuf,
        /// Change a stage parameter first
        #[arg(long, value_name = "SECTION.KEY=VALUE")]
        set: Vec<Change>,
        /// Print how many cycles took how long, too
        #[arg(long)]
        histogram: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a journal holds, or one cycle of it
    Inspect {
        /// Journal directory or one segment
        journal: PathBuf,
        /// Show this cycle
        #[arg(long)]
        cycle: Option<u64>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Compute the golden chains and compare
    Check {
        /// Directory of the goldens, by default that of the checkout
        #[arg(long, default_value = default_goldens(), hide_default_value = true)]
        goldens: PathBuf,
        /// Only this one
        #[arg(long)]
        only: Option<String>,
        /// Print what was computed for a golden that differs
        #[arg(long)]
        verbose: bool,
    },
    /// Mint the golden chains anew; a change of them is a release event
    Bless {
        /// Directory of the goldens, by default that of the checkout
        #[arg(long, default_value = default_goldens(), hide_default_value = true)]
        goldens: PathBuf,
        /// Why the numbers changed: it belongs into the commit, too
        #[arg(long)]
        reason: String,
    },
    #[command(flatten)]
    Log(commands::log::LogCommand),
    /// Check a clip that `wavewitness export clip` made: its journal, and the proof that it was signed
    #[command(after_help = commands::clip::HELP)]
    VerifyClip(commands::clip::ClipArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages
    Man {
        /// Directory, which must exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// The goldens of the checkout that one stands in, or of the one that this was built from.
fn default_goldens() -> &'static str {
    if Path::new("proof/goldens").is_dir() {
        "proof/goldens"
    } else {
        concat!(env!("CARGO_MANIFEST_DIR"), "/goldens")
    }
}

fn main() -> ExitCode {
    wavewitness_proof::pipe::end_quietly_when_closed();
    match Cli::parse().command {
        Command::Verify { journal, json } => {
            finish(with_progress(json, |p| verify::verify(&journal, p)), json, false)
        }
        Command::Replay { journal, json } => {
            finish(with_progress(json, |p| replay::replay(&journal, p)), json, true)
        }
        Command::Recompute { journal, out, set } => {
            match with_progress(false, |p| recompute::recompute(&journal, &out, &set, p)) {
                Ok(cycles) => {
                    println!("{cycles} cycles computed by this build into {}", out.display());
                    ExitCode::SUCCESS
                }
                Err(e) => failed(&e),
            }
        }
        Command::Compare { journal, set, json } => match compare(&journal, &set, json) {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => failed(&e),
        },
        Command::Diff { a, b, json } => match diff::diff(&a, &b) {
            Ok(difference) => {
                match json {
                    true => println!("{}", json!(difference)),
                    false => println!("{difference}"),
                }
                if difference.is_equal() { ExitCode::SUCCESS } else { ExitCode::from(1) }
            }
            Err(e) => failed(&e),
        },
        Command::Profile { journal, set, histogram, json } => {
            match with_progress(json, |p| profile::profile(&journal, &set, p)) {
                Ok(profile) => {
                    match json {
                        true => println!("{}", profile.to_json()),
                        false => {
                            print!("{profile}{}", if histogram { profile.histogram() } else { String::new() })
                        }
                    }
                    ExitCode::SUCCESS
                }
                Err(e) => failed(&e),
            }
        }
        Command::Inspect { journal, cycle, json } => match inspect(&journal, cycle, json) {
            Ok(code) => code,
            Err(e) => failed(&e),
        },
        Command::Check { goldens, only, verbose } => check(&goldens, only.as_deref(), verbose),
        Command::Bless { goldens, reason } => bless(&goldens, &reason),
        Command::Log(command) => commands::log::run(command),
        Command::VerifyClip(args) => commands::log::finish(args.json, commands::clip::run(&args)),
        Command::Completions { shell } => {
            manual::completions(Cli::command(), shell, &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::Man { out } => {
            manual::pages(Cli::command(), &out).map_or_else(|e| failed(&e), |()| ExitCode::SUCCESS)
        }
    }
}

fn compare(journal: &Path, changes: &[Change], json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let (a, b) = (scratch.path().join("a"), scratch.path().join("b"));
    let cycles = with_progress(json, |p| recompute::recompute(journal, &a, &[], p))?;
    with_progress(json, |p| recompute::recompute(journal, &b, changes, p))?;
    let difference = diff::diff(&a, &b)?;
    match json {
        true => println!("{}", json!(difference)),
        false => println!("{cycles} cycles as configured (a) and with the changes (b):\n{difference}"),
    }
    Ok(())
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("proof-runner: {error}");
    ExitCode::from(2)
}

fn with_progress<T>(quiet: bool, work: impl FnOnce(verify::Progress<'_>) -> T) -> T {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let result = work(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    result
}

fn finish(report: Result<Report, JournalError>, json: bool, replayed: bool) -> ExitCode {
    let report = match report {
        Ok(report) => report,
        Err(e) => return failed(&e),
    };
    let clean = report.is_clean();
    let complete = !replayed || report.replayed_cycles() == report.cycles();
    if json {
        let value = json!({ "clean": clean, "complete": complete, "report": report });
        println!("{value}");
    } else {
        for chain in &report.chains {
            println!("{chain}");
        }
        println!("{}", verdict(&report, replayed));
    }
    match (clean, complete) {
        (false, _) => ExitCode::from(1),
        _ if report.withheld() > 0 => ExitCode::from(4),
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(3),
    }
}

fn verdict(report: &Report, replayed: bool) -> String {
    let cycles = report.cycles();
    if let Some(first) = report.findings().next() {
        let n = report.findings().count();
        let divergences = report.findings().filter(|f| f.kind == Kind::Divergence).count();
        return format!("NOT VERIFIED: {n} faults ({divergences} divergences); the first: {first}");
    }
    let withheld = report.withheld();
    if withheld > 0 {
        return format!(
            "CHAIN VERIFIED, inputs withheld by privacy mode: {cycles} cycles follow each other; of {withheld} entries \
             the inputs or poses are not here to be checked"
        );
    }
    if !replayed {
        return format!("VERIFIED: chain and payloads of {cycles} cycles agree");
    }
    let again = report.replayed_cycles();
    if again == cycles {
        format!("VERIFIED AND REPLAYED: all {cycles} cycles agree bit for bit")
    } else {
        format!("VERIFIED, replayed in part: {again} of {cycles} cycles computed again, all of them agree")
    }
}

fn inspect(path: &Path, cycle: Option<u64>, json: bool) -> Result<ExitCode, JournalError> {
    let journal = Journal::open(path)?;
    match cycle {
        None => {
            let report = with_progress(json, |p| verify::verify(path, p))?;
            let segments: Vec<_> = journal
                .segments()
                .iter()
                .map(|s| json!({ "name": s.name.to_string(), "bytes": s.bytes, "unfinished": s.part }))
                .collect();
            if json {
                println!("{}", json!({ "segments": segments, "report": report }));
                return Ok(ExitCode::SUCCESS);
            }
            for s in journal.segments() {
                let mark = if s.part { "  (unfinished)" } else { "" };
                println!("segment {}  {} bytes{mark}", s.name, s.bytes);
            }
            report.chains.iter().for_each(|c| println!("{c}"));
            Ok(ExitCode::SUCCESS)
        }
        Some(wanted) => {
            let mut genesis = None;
            for chunk in journal.records().flatten() {
                match &chunk.content {
                    Content::Start { genesis: bytes, .. } => genesis = Genesis::from_canonical_bytes(bytes),
                    Content::Cycle { cycle, events, witness, pose } if cycle.0 == wanted => {
                        let value = describe(genesis.as_ref(), events, witness.as_deref(), pose.as_deref());
                        let text = if json { value.to_string() } else { format!("{value:#}") };
                        println!("{text}");
                        return Ok(ExitCode::SUCCESS);
                    }
                    Content::Cycle { .. } | Content::Entry { .. } => {}
                }
            }
            eprintln!("proof-runner: no cycle {wanted} in {}", path.display());
            Ok(ExitCode::from(2))
        }
    }
}

fn describe(
    genesis: Option<&Genesis>,
    events: &[Vec<u8>],
    witness: Option<&[u8]>,
    pose: Option<&[u8]>,
) -> serde_json::Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let events: Vec<_> = events
        .iter()
        .map(|bytes| match Event::from_canonical_bytes(bytes) {
            Some(Event::Datagram { at, from, bytes }) => {
                json!({ "kind": "datagram", "at_ns": at.0.to_string(), "port": from.port, "bytes": hex(&bytes) })
            }
            Some(other) => json!({ "kind": format!("{other:?}") }),
            None => json!({ "kind": "unreadable", "bytes": hex(bytes) }),
        })
        .collect();
    let witness = witness.and_then(Witness::from_canonical_bytes).map(|w| {
        let stages: serde_json::Map<_, _> = Stage::ALL
            .into_iter()
            .map(|s| (s.name().to_owned(), json!(w.stages[s as usize].to_string())))
            .collect();
        json!({
            "cycle": w.cycle.0, "at_ns": w.at.0.to_string(), "source": w.source.name(),
            "inputs": w.inputs.to_string(), "stages": stages,
            "output": w.output.to_string(), "chain": w.chain.to_string(),
        })
    });
    let frame = pose.and_then(PoseFrame::from_canonical_bytes).map(|f| format!("{f:?}"));
    json!({
        "genesis": genesis.map(|g| g.digest().to_string()),
        "witness": witness,
        "events": events,
        "published": frame,
    })
}

fn check(directory: &Path, only: Option<&str>, verbose: bool) -> ExitCode {
    let mut bad = 0;
    let mut seen = 0;
    for golden in GOLDENS.iter().filter(|g| only.is_none_or(|name| name == g.name)) {
        seen += 1;
        let stored = match golden::Stored::read(directory, golden.name) {
            Ok(stored) => stored,
            Err(e) => return failed(&e),
        };
        let minted = golden::mint(golden);
        match golden::difference(golden.name, &stored, &minted) {
            None => println!("golden {:<14} {:>5} cycles  head {}", golden.name, minted.cycles, minted.head),
            Some(text) => {
                bad += 1;
                print!("{text}");
                if verbose {
                    print!("{}", minted.to_text(golden.name));
                }
            }
        }
    }
    if seen == 0 {
        let names: Vec<_> = GOLDENS.iter().map(|g| g.name).collect();
        return failed(&format!("no such golden; there are: {}", names.join(", ")));
    }
    println!("{} goldens agree, {bad} differ", seen - bad);
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn bless(directory: &Path, reason: &str) -> ExitCode {
    if reason.trim().len() < 10 {
        return failed(&"--reason must say why the numbers changed");
    }
    println!(
        "Re-minting goldens is a release event: journals written before were computed by other numbers, and only a\n\
         build with their numerics version can replay them. Unless the goldens were new or only their scenes changed,\n\
         raise NUMERICS_VERSION in crates/num. Commit the goldens alone, with this reason:\n\n    {reason}\n"
    );
    if let Err(e) = std::fs::create_dir_all(directory) {
        return failed(&format!("can't make {}: {e}", directory.display()));
    }
    for golden in GOLDENS {
        let old = golden::Stored::read(directory, golden.name).unwrap_or_default();
        let minted = golden::mint(golden);
        let new = golden::Stored::of(golden.name, &minted);
        let verb = match (old.golden.is_empty(), old.golden == new.golden, old == new) {
            (true, ..) => "new",
            (false, true, true) => "unchanged",
            (false, true, false) => "beside it", // Its digests are the same; the files that explain them are not.
            (false, false, _) => "CHANGED",
        };
        if let Err(e) = new.write(directory, golden) {
            return failed(&e);
        }
        println!("{verb:<9} {:<14} head {}", golden.name, minted.head);
    }
    ExitCode::SUCCESS
}
