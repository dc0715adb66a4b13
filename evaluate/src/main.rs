//! `evaluate`: recordings of other people, and simulated rooms, through the hub's stages.

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavewitness_evaluate::adapters::ALL;
use wavewitness_evaluate::plots::Drawing;
use wavewitness_evaluate::room::degradation::{Extent, snapshot};
use wavewitness_evaluate::room::{Request, Setting, scenes::Suite};
use wavewitness_evaluate::{Dataset, Failure, Report, crowd, plots, room, simulator, training};
use wavewitness_fixtures::channel::Width;
use wavewitness_types::stage_config::ConfigValue;

/// Runs recordings of other people through the hub's own stages, with their defaults, and prints how well they did.
#[derive(Parser)]
#[command(name = "evaluate", version, after_help = after(), subcommand_precedence_over_arg = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Kind of dataset
    dataset: Option<String>,
    /// Its files, as listed below
    paths: Vec<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// Draw what can be drawn of a dataset into this folder, as SVG
    #[arg(long, global = true, value_name = "DIR")]
    plot: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Every dataset found below a folder, as a table
    All {
        /// The folder
        dir: PathBuf,
        /// Print the tables as Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Simulated rooms through the whole engine, against their truth
    Room {
        /// How long: `quick` (a minute or two of work) or `full`
        #[arg(long, default_value = "quick", value_parser = suite)]
        suite: Suite,
        /// How many seeds of people and noise
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
        seeds: u64,
        /// The first of them
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=1_000_000_000))]
        first_seed: u64,
        /// How many nodes the room has: four near its corners, the others at the middles of its walls
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(4..=8))]
        nodes: u8,
        /// Width of the channel in MHz: nodes send HT20 frames, or HT40 as an ESP32-C5 does
        #[arg(long, default_value = "20", value_parser = width)]
        width: Width,
        /// Only the scene of this title in the tables (`falls`, `daily life`); may be repeated
        #[arg(long, value_name = "TITLE")]
        only: Vec<String>,
        /// A parameter of the engine that is not its default, as `SECTION.KEY=VALUE`; may be repeated
        #[arg(long = "set", value_name = "SECTION.KEY=VALUE", value_parser = setting)]
        settings: Vec<Setting>,
        /// Print the tables as Markdown
        #[arg(long)]
        markdown: bool,
        /// Put the tables into a page, in place of all below its line `## Tables`
        #[arg(long, value_name = "PAGE")]
        write: Option<PathBuf>,
    },
    /// The room simulator beside a recording and beside closed forms of physics
    Simulator {
        /// The folder of recordings
        dir: PathBuf,
        /// Print the table as Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Learns the weights of the posture stage from simulated scenes, and says how well they do on others
    PostureTrain {
        /// Minutes of plainer rooms, as the test does it: the weights are of no use
        #[arg(long)]
        short: bool,
        /// Keep what the stage saw in this folder, and do not simulate again what it has. Delete it when the simulator or a
        /// stage before the weights changes
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
        /// Write the weights into this file (`crates/posture/src/weights.rs`)
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
        /// Print the tables as Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// How many people are said to be there, in simulated rooms of many sizes
    Crowd {
        /// How many rooms, each with one to five people
        #[arg(long, default_value_t = 8)]
        seeds: u64,
        /// The seed of the first
        #[arg(long, default_value_t = 601)]
        first_seed: u64,
        /// Width of the channel that nodes send in, MHz: 20 or 40
        #[arg(long, default_value = "20", value_parser = width)]
        width: Width,
        /// By how much the walls' reflections turn since the room was empty, at most, radians
        #[arg(long, value_name = "RADIANS", default_value_t = 0.0)]
        drift: f64,
        /// Print the table as Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// The degradation table: loss, noise, a missing node and wrong clocks against errors, swaps, ghosts and gates
    Degradation {
        /// Only the few short cells that a test compares
        #[arg(long)]
        short: bool,
        /// Write the snapshots into this folder instead of printing them
        #[arg(long, value_name = "DIR")]
        write: Option<PathBuf>,
    },
}

fn setting(text: &str) -> Result<Setting, String> {
    let wrong = || "a parameter is SECTION.KEY=VALUE, the value true, false or a number".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let (section, key) = name.split_once('.').ok_or_else(wrong)?;
    let whole = value.parse().map(ConfigValue::Bool).or_else(|_| value.parse().map(ConfigValue::Integer));
    let value = whole.or_else(|_| value.parse().map(ConfigValue::Float)).map_err(|_| wrong())?;
    Ok((section.to_owned(), key.to_owned(), value))
}

fn suite(name: &str) -> Result<Suite, String> {
    match name {
        "quick" => Ok(Suite::Quick),
        "full" => Ok(Suite::Full),
        _ => Err("a suite is quick or full".to_owned()),
    }
}

fn width(mhz: &str) -> Result<Width, String> {
    let asked = Width::ALL.into_iter().find(|width| width.mhz().to_string() == mhz);
    asked.ok_or_else(|| "a channel is 20 or 40 MHz wide".to_owned())
}

fn after() -> String {
    let mut text = String::from("Datasets and their arguments:\n");
    for d in ALL {
        text.push_str(&format!("  evaluate {} {}\n", d.name, d.arguments));
    }
    text + "\nExit codes: 0 evaluated, whatever the result; 1 a file can't be read; 2 wrong usage."
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let plot = cli.plot.as_deref();
    let result = match (&cli.command, &cli.dataset) {
        (Some(Command::All { dir, markdown }), _) => all(dir, *markdown, cli.json, plot),
        (Some(Command::Simulator { dir, markdown }), _) => beside(dir, *markdown, cli.json, plot),
        (Some(Command::Degradation { short, write }), _) => degradation(*short, write.as_deref()),
        (Some(Command::Crowd { seeds, first_seed, width, drift, markdown }), _) => {
            let request =
                crowd::Request { first_seed: *first_seed, seeds: *seeds, width: *width, drift_rad: *drift };
            crowd::run(&request).map(|r| print(&[r], *markdown, cli.json))
        }
        (Some(Command::PostureTrain { short, keep, write, markdown }), _) => {
            let extent = if *short { training::Extent::Short } else { training::Extent::Full };
            train(extent, keep.clone(), write.as_deref(), *markdown, cli.json)
        }
        (
            Some(Command::Room { suite, seeds, first_seed, nodes, width, only, settings, markdown, write }),
            _,
        ) => {
            let request = Request {
                suite: *suite,
                first_seed: *first_seed,
                seeds: *seeds,
                nodes: usize::from(*nodes),
                width: *width,
                draw: plot.is_some(),
                only: only.clone(),
                settings: settings.clone(),
            };
            rooms(&request, *markdown, cli.json, plot, write.as_deref())
        }
        (None, Some(name)) => match ALL.iter().find(|d| d.name == name.replace('_', "-")) {
            Some(dataset) if !cli.paths.is_empty() => {
                one(dataset, &cli.paths, plot).map(|r| print(&[r], false, cli.json))
            }
            Some(dataset) => return usage(&format!("{name} takes {}", dataset.arguments)),
            None => return usage(&format!("there is no dataset {name}: {}", names())),
        },
        (None, None) => return usage(&format!("a dataset is needed: {}, or all", names())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("evaluate: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Evaluates, and draws if a folder is given.
fn one(dataset: &Dataset, paths: &[PathBuf], plot: Option<&Path>) -> Result<Report, Failure> {
    let report = (dataset.run)(paths)?;
    if let Some(dir) = plot {
        write(dir, &plots::draw(dataset.name, paths)?)?;
    }
    Ok(report)
}

fn write(dir: &Path, drawings: &[Drawing]) -> Result<(), Failure> {
    std::fs::create_dir_all(dir).map_err(|e| Failure(format!("can't make {}: {e}", dir.display())))?;
    for drawing in drawings {
        let path = dir.join(&drawing.file);
        std::fs::write(&path, &drawing.svg)
            .map_err(|e| Failure(format!("can't write {}: {e}", path.display())))?;
        eprintln!("drawn: {}", path.display());
    }
    Ok(())
}

fn rooms(
    request: &Request,
    markdown: bool,
    json: bool,
    plot: Option<&Path>,
    page: Option<&Path>,
) -> Result<(), Failure> {
    // A page that is none is said before minutes of work.
    let head = page.map(|path| head(path).map(|head| (path, head))).transpose()?;
    let outcome = room::evaluate(request)?;
    if let Some(dir) = plot {
        write(dir, &outcome.drawings)?;
    }
    match head {
        Some((path, head)) => save(path, &format!("{head}{TABLES}\n\n{}", to_markdown(&outcome.reports))),
        None => {
            print(&outcome.reports, markdown, json);
            Ok(())
        }
    }
}

fn beside(dir: &Path, markdown: bool, json: bool, plot: Option<&Path>) -> Result<(), Failure> {
    let comparison = simulator::compare(dir)?;
    if let Some(plots) = plot {
        write(plots, &comparison.draw()?)?;
    }
    print(&[comparison.report()], markdown, json);
    Ok(())
}

/// The line of a page below which the tables are.
const TABLES: &str = "## Tables";

/// A page's text above its tables.
fn head(path: &Path) -> Result<String, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Failure(format!("can't read {}: {e}", path.display())))?;
    let mut lines = text.split_inclusive('\n');
    let above: String = lines.by_ref().take_while(|line| line.trim_end() != TABLES).collect();
    if above.len() == text.len() {
        return Err(Failure(format!("{} has no line `{TABLES}`", path.display())));
    }
    Ok(above)
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|e| Failure(format!("can't write {}: {e}", path.display())))?;
    eprintln!("written: {}", path.display());
    Ok(())
}

fn train(
    extent: training::Extent,
    keep: Option<PathBuf>,
    file: Option<&Path>,
    markdown: bool,
    json: bool,
) -> Result<(), Failure> {
    let outcome = training::run(extent, keep)?;
    print(&outcome.reports, markdown, json);
    file.map_or(Ok(()), |path| save(path, &outcome.source))
}

fn degradation(short: bool, dir: Option<&Path>) -> Result<(), Failure> {
    for extent in Extent::ALL.into_iter().filter(|&e| !short || e == Extent::Short) {
        let text = snapshot(extent)?;
        match dir {
            Some(dir) => save(&dir.join(extent.file()), &text)?,
            None => print!("{text}"),
        }
    }
    Ok(())
}

fn names() -> String {
    ALL.iter().map(|d| d.name).collect::<Vec<_>>().join(", ")
}

fn usage(text: &str) -> ExitCode {
    eprintln!("evaluate: {text}; `evaluate --help` says more");
    ExitCode::from(2)
}

/// What can't be read is said and left out; the others are still evaluated.
fn all(dir: &Path, markdown: bool, json: bool, plot: Option<&Path>) -> Result<(), Failure> {
    let (mut reports, mut failed) = (Vec::<Report>::new(), 0);
    for dataset in ALL {
        let Dataset { name, find, .. } = dataset;
        let sets = find(dir);
        if sets.is_empty() {
            eprintln!("SKIPPED: {name}: nothing of it below {}", dir.display());
        }
        for paths in sets {
            eprintln!("{name} …");
            match (one(dataset, &paths, plot), reports.last_mut()) {
                (Ok(report), Some(last)) if last.dataset == report.dataset => last.append(report),
                (Ok(report), _) => reports.push(report),
                (Err(e), _) => {
                    failed += 1;
                    eprintln!("evaluate: {name}: {e}");
                }
            }
        }
    }
    print(&reports, markdown, json);
    if failed == 0 { Ok(()) } else { Err(Failure(format!("{failed} sets of files could not be evaluated"))) }
}

fn print(reports: &[Report], markdown: bool, json: bool) {
    if json {
        println!("{}", serde_json::Value::from(reports.iter().map(Report::to_json).collect::<Vec<_>>()));
        return;
    }
    match markdown {
        true => print!("{}", to_markdown(reports)),
        false => reports.iter().for_each(|report| println!("{report}")),
    }
}

fn to_markdown(reports: &[Report]) -> String {
    let mut out = String::new();
    for report in reports {
        out += &format!("### {}\n\n{}\n", report.dataset, report.to_markdown());
        report.notes.iter().for_each(|note| out += &format!("{note}\n\n"));
    }
    out
}
