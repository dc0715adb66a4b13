//! `wavewitness`: the hub and its subcommands.

use clap::{CommandFactory, Parser};
use std::path::Path;
use std::process::ExitCode;
use wavewitness_hub::cli::{Cli, Command, KeyCommand, RunArgs, SchemaKind, TokenCommand, TokenRole};
use wavewitness_hub::config::{self, HubConfig};
use wavewitness_hub::{
    access, boot, check, demo, doctor, export, log, record, replay, run, schema, simulate, witness_log,
};
use wavewitness_proof::manual;

fn load(path: Option<&Path>) -> Result<HubConfig, String> {
    let Some(path) = path else { return Ok(HubConfig::default()) };
    let text = std::fs::read_to_string(path).map_err(|e| format!("can't read {}: {e}", path.display()))?;
    HubConfig::from_toml(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn say(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    eprintln!("wavewitness: {error}");
    ExitCode::from(code)
}

fn run(args: RunArgs) -> ExitCode {
    let config = match load(args.config.as_deref()) {
        Ok(config) => config,
        Err(e) => return say(&e, 2),
    };
    if let Err(e) = check::check(&config) {
        return say(&e, 2);
    }
    if args.check {
        println!("configuration is good");
        println!("receive at {}, serve at {}", config.udp_bind, config.http_bind);
        println!("journal in {}", boot::journal_dir(&config.data_dir).display());
        match config.log.key() {
            None => println!("no witness log: it needs a key (`wavewitness key new --help`)"),
            Some(key) => match key.load() {
                Ok(root) => println!(
                    "witness log in {}, root key {}",
                    witness_log::log_dir(&config.data_dir).display(),
                    root.verifier()
                ),
                Err(e) => return say(&e, 2),
            },
        }
        return ExitCode::SUCCESS;
    }
    let logs = match log::Handle::start(&config.log_filter) {
        Ok(logs) => logs,
        Err(e) => return say(&e, 2),
    };
    match run::run(&config, args.config, logs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tracing::error!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn key(command: &KeyCommand) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match command {
        KeyCommand::New { file, origin } => {
            let public = witness_log::new_key(file, origin)?;
            eprintln!("the secret is in {}; the public half, for auditors, is", file.display());
            println!("{public}");
        }
        KeyCommand::Show { file } => println!("{}", witness_log::show_key(file)?),
    }
    Ok(())
}

fn token(command: &TokenCommand) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let TokenCommand::New { name, role } = command;
    let role = match role {
        TokenRole::Viewer => access::Role::Viewer,
        TokenRole::Operator => access::Role::Operator,
    };
    let token = access::new_token()?;
    eprintln!("the token, shown once and kept nowhere:\n{token}\nthe lines for the configuration:");
    println!("{}", access::section(name, role, &token));
    Ok(())
}

fn main() -> ExitCode {
    wavewitness_proof::pipe::end_quietly_when_closed();
    let command = Cli::parse().command;
    let config_file = match &command {
        Command::Replay(args) => args.config.clone(),
        Command::Import(args) => args.config.clone(),
        Command::Doctor(args) => args.config.clone(),
        _ => None,
    };
    let config = match load(config_file.as_deref()) {
        Ok(config) => config,
        Err(e) => return say(&e, 2),
    };
    let result = match command {
        Command::Run(args) => return run(args),
        Command::Config => {
            print!("{}", config::sample());
            Ok(true)
        }
        Command::Export(args) => export::export(&args.command),
        Command::Completions { shell } => {
            manual::completions(Cli::command(), shell, &mut std::io::stdout());
            Ok(true)
        }
        Command::Man { out } => manual::pages(Cli::command(), &out).map(|()| true).map_err(Into::into),
        Command::Token(args) => token(&args.command).map(|()| true),
        Command::Schema(args) => {
            let document = match args.which {
                SchemaKind::Asyncapi => schema::asyncapi(),
                SchemaKind::Openapi => schema::openapi(),
            };
            println!("{document:#}");
            Ok(true)
        }
        Command::Key(args) => key(&args.command).map(|()| true),
        Command::Replay(args) => replay::replay(&config, &args).map(|()| true),
        Command::Import(args) => replay::import(&config, &args).map(|()| true),
        Command::Demo(args) => demo::demo(&args),
        Command::Simulate(args) => simulate::simulate(&args).map(|()| true),
        Command::Record(args) => record::record(&args).map(|()| true),
        Command::Calibrate(args) => doctor::calibrate(&args).map(|()| true),
        Command::Doctor(args) => doctor::doctor(&config, &args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => say(&e, 1),
    }
}
