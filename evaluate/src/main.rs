//! `evaluate`: recordings of other people through the hub's stages.

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use wavewitness_evaluate::adapters::ALL;
use wavewitness_evaluate::{Dataset, Failure, Report};

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
    let result = match (&cli.command, &cli.dataset) {
        (Some(Command::All { dir, markdown }), _) => all(dir, *markdown, cli.json),
        (None, Some(name)) => match ALL.iter().find(|d| d.name == name) {
            Some(dataset) if !cli.paths.is_empty() => {
                (dataset.run)(&cli.paths).map(|r| print(&[r], false, cli.json))
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

fn names() -> String {
    ALL.iter().map(|d| d.name).collect::<Vec<_>>().join(", ")
}

fn usage(text: &str) -> ExitCode {
    eprintln!("evaluate: {text}; `evaluate --help` says more");
    ExitCode::from(2)
}

fn all(dir: &std::path::Path, markdown: bool, json: bool) -> Result<(), Failure> {
    let mut reports = Vec::new();
    for Dataset { name, run, find, .. } in ALL {
        let sets = find(dir);
        if sets.is_empty() {
            eprintln!("SKIPPED: {name}: nothing of it below {}", dir.display());
        }
        for paths in sets {
            eprintln!("{name} …");
            reports.push(run(&paths)?);
        }
    }
    print(&reports, markdown, json);
    Ok(())
}

fn print(reports: &[Report], markdown: bool, json: bool) {
    if json {
        println!("{}", serde_json::Value::from(reports.iter().map(Report::to_json).collect::<Vec<_>>()));
        return;
    }
    for report in reports {
        if markdown {
            println!("### {}\n\n{}", report.dataset, report.to_markdown());
            report.notes.iter().for_each(|note| println!("{note}\n"));
        } else {
            println!("{report}");
        }
    }
}
