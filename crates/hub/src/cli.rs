//! Commands of `wavewitness`.

use crate::client::Client;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A sensing hub for Wi-Fi channel state information: poses out, and a witness for every cycle.
#[derive(Debug, Parser)]
#[command(name = "wavewitness", version, after_help = AFTER)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str =
    "Start with `wavewitness demo`. Verify what a hub wrote with `proof-runner verify JOURNAL`.

Exit codes: 0 done; 1 it could not be done (the message says why); 2 wrong usage or configuration.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the hub: receive datagrams, publish poses, write the journal
    Run(RunArgs),
    /// Run a recording through the hub's pipeline as if it arrived now
    Replay(ReplayArgs),
    /// Turn a recording into a journal with its own chain (a replay at full pace that is kept)
    Import(ImportArgs),
    /// Show everything on a simulated room: datagrams over real UDP, poses, and the journal verified at the end
    Demo(DemoArgs),
    /// Simulate a room with people: datagrams to a hub, a capture, and the truth behind them
    Simulate(SimulateArgs),
    /// Record datagrams as they arrive, without computing anything
    Record(RecordArgs),
    /// Collect an empty-room baseline on a running hub: leave the room first
    Calibrate(CalibrateArgs),
    /// Say what a hub hears, what is wrong, and what to do about it
    Doctor(DoctorArgs),
    /// Make or show the root key of the witness log
    Key(KeyArgs),
    /// Take poses out of a journal as a table, or a part of it with its proof
    Export(crate::export::ExportArgs),
    /// Make a token for a client
    Token(TokenArgs),
    /// Print a description of the interfaces for machines, made of the hub's own types
    Schema(SchemaArgs),
    /// Print a commented configuration with every key
    Config,
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

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Configuration file (TOML); `wavewitness config` prints a commented one
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only check the configuration, and say what would be done
    #[arg(long)]
    pub check: bool,
}

/// How fast a replay goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    /// As it was recorded; poses are served while it runs
    Real,
    /// As fast as it computes
    Fast,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Journal, pcap or pcapng, ESP32 CSV, or JSON lines; told apart by content
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// How fast
    #[arg(long, value_enum, default_value = "fast")]
    pub pace: Pace,
    /// Configuration file, for geometry and stage parameters
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep a journal in this directory
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// Serve poses here while replaying at real pace
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,
    /// Send the datagrams to a running hub over UDP instead of computing here
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with_all = ["journal", "http"])]
    pub send_to: Option<SocketAddr>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Journal, pcap or pcapng, ESP32 CSV, or JSON lines; told apart by content
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// Directory of the journal
    #[arg(value_name = "DIR")]
    pub journal: PathBuf,
    /// Configuration file, for geometry and stage parameters
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Seed of the simulated room
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Keep the journal in this directory instead of a temporary one
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// Serve poses here meanwhile (by default on a free port of the loopback address)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("outputs").args(["send_to", "out", "truth", "hub_config"]).required(true).multiple(true))]
pub struct SimulateArgs {
    /// The scene (TOML): room, furniture, nodes, people and what they do, impairments
    #[arg(value_name = "SCENE.toml")]
    pub scene: PathBuf,
    /// Send the datagrams to a running hub over UDP, each node from a socket of its own
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub send_to: Option<SocketAddr>,
    /// How fast they are sent
    #[arg(long, value_enum, default_value = "real")]
    pub pace: Pace,
    /// Write a capture into this new directory; `wavewitness import` and `replay` take it
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write who was where, every joint, 20 times a second, as JSON lines
    #[arg(long, value_name = "FILE.jsonl")]
    pub truth: Option<PathBuf>,
    /// Write the configuration that a hub needs for this room
    #[arg(long, value_name = "FILE.toml")]
    pub hub_config: Option<PathBuf>,
    /// Another seed than the scene's
    #[arg(long)]
    pub seed: Option<u64>,
}

/// Arguments of `record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Directory of the recording
    #[arg(value_name = "DIR")]
    pub out: PathBuf,
    /// Where datagrams arrive
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5005")]
    pub udp: SocketAddr,
    /// Stop after this many seconds (otherwise on Ctrl-C)
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u32>,
}

/// Where a running hub is asked.
#[derive(Debug, Args)]
pub struct HubAddress {
    /// HTTP address of the running hub
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub hub: SocketAddr,
    /// Token, if the hub has any; better in the environment as WAVEWITNESS_TOKEN, where no list of processes shows it
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The hub speaks TLS: trust this certificate, or what it was signed by (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// The name in its certificate, if that is not the address
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    pub tls_name: Option<String>,
}

impl HubAddress {
    /// How this hub is asked.
    pub fn client(&self) -> Client {
        let token = self.token.clone().or_else(|| std::env::var("WAVEWITNESS_TOKEN").ok());
        let tls = self.tls_ca.clone().map(|ca| (ca, self.tls_name.clone()));
        Client { hub: self.hub, token: token.map(|t| t.trim().to_owned()), tls }
    }
}

/// Arguments of `calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// The hub.
    #[command(flatten)]
    pub hub: HubAddress,
    /// Stop the collection that runs; what was ready stays ready
    #[arg(long, conflicts_with = "clear")]
    pub cancel: bool,
    /// Forget every baseline
    #[arg(long)]
    pub clear: bool,
    /// Seconds until the room must be empty
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub delay: u32,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u32,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The hub.
    #[command(flatten)]
    pub hub: HubAddress,
    /// Configuration file to check, and to listen by if no hub runs
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How long to listen if no hub runs
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub seconds: u32,
    /// Print what a running hub says of itself as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: KeyCommand,
}

/// What to do with a root key.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a root key: the secret goes into a new file of mode 0600, the public half is printed
    ///
    /// The public half is what auditors need, by a way that they trust. The secret certifies the keys that the hub makes
    /// for itself; whoever has it can begin another log of this name. Keep a copy offline. With systemd, encrypt it:
    /// systemd-creds encrypt --name=wavewitness-root-key FILE /etc/credstore.encrypted/wavewitness-root-key
    New {
        /// The file to make; it must not exist
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Name of the log: unique in the world, a domain and path of yours (for instance example.org/hub-1)
        #[arg(long)]
        origin: String,
    },
    /// Print the public half
    Show {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What to do with a token.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token: it is printed once to standard error, and the lines for the configuration to standard output
    ///
    /// The hub knows only its hash. Append the lines to the configuration and send the hub SIGHUP:
    /// wavewitness token new --name tablet >> /etc/wavewitness/wavewitness.toml
    New {
        /// Whose it is
        #[arg(long)]
        name: String,
        /// What it allows
        #[arg(long, value_enum, default_value = "viewer")]
        role: TokenRole,
    },
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TokenRole {
    /// See everything that is published
    Viewer,
    /// Also calibrate
    Operator,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which
    #[arg(value_enum)]
    pub which: SchemaKind,
}

/// Which description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// AsyncAPI 3: what is streamed
    Asyncapi,
    /// OpenAPI 3.1: what is asked
    Openapi,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
