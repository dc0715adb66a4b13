//! Commands about the transparency log.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavewitness_proof::log::pose::{self, PoseProof};
use wavewitness_proof::log::{LogError, Trust, consistency, fsck, prove};
use wavewitness_proof::{time, words};
use wavewitness_types::CycleIndex;

/// What is asked of a log.
#[derive(Subcommand)]
pub enum LogCommand {
    /// Rebuild a witness log's root from its files, name every fault, hold the journal against it
    #[command(after_help = FSCK_HELP)]
    Fsck(FsckArgs),
    /// Make a self-contained proof file for the pose of one cycle
    #[command(after_help = PROVE_HELP)]
    Prove(ProveArgs),
    /// Check a proof file offline, with the root key alone
    #[command(after_help = VERIFY_HELP)]
    VerifyProof(VerifyArgs),
    /// Prove that an older checkpoint is of a beginning of the present log
    #[command(after_help = CONSISTENCY_HELP)]
    Consistency(ConsistencyArgs),
}

const FSCK_HELP: &str = "Examples:
  proof-runner fsck /var/lib/wavewitness/log --key hub.pub
  proof-runner fsck d/log --key hub.pub --journal d/journal --pin ~/hub.pin

Get the root key from the hub's operator (`wavewitness key show FILE` prints it), not from the log's directory.
--pin FILE remembers the checkpoint between two checks, as a file in the form of a checkpoint (the log's name, size,
root, a line each; a saved `checkpoint` of the log serves, too). It is made at the first check, and moved on only behind
a check without any fault. A log that was rolled back or replaced then shows.
Entries behind the last checkpoint (`unsigned tail`) are no fault: nobody vouches for them yet.";

const PROVE_HELP: &str = "Example:
  proof-runner prove --cycle 4711 --log d/log --journal d/journal --key hub.pub -o pose-4711.tlog-proof

The file is a C2SP tlog-proof. It holds the published pose in full: give it only to those who may see it.";

const VERIFY_HELP: &str = "Example:
  proof-runner verify-proof pose-4711.tlog-proof --key example.org/hub/root+12345678+A...

Reads nothing but the file. The key must come by a safe way: whoever can give you another key can prove anything.";

const CONSISTENCY_HELP: &str = "Example:
  cp d/log/checkpoint then; ...; proof-runner consistency d/log --key hub.pub --from then

Both checkpoints must be signed by keys that the root key certified for their sizes. A pin file of `fsck` serves as
checkpoint, too.";

/// Arguments of `fsck`.
#[derive(Args)]
pub struct FsckArgs {
    /// Directory of the log: `log` in the hub's data directory
    log: PathBuf,
    /// The log's root key, or a file that holds it; without it the key beside the log is used, which proves less
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// Verify this journal, too, and hold it against the log
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Remember the checkpoint in this file, and hold the log to it
    #[arg(long, value_name = "FILE")]
    pin: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `prove`.
#[derive(Args)]
pub struct ProveArgs {
    /// Number of the cycle
    #[arg(long)]
    cycle: u64,
    /// Directory of the log
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The journal that holds the cycle
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// The log's root key, or a file that holds it
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// First digits of the chain's genesis digest, if several chains have this cycle number
    #[arg(long, value_name = "HEX")]
    chain: Option<String>,
    /// File to write; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print what the file proves as JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `verify-proof`.
#[derive(Args)]
pub struct VerifyArgs {
    /// The proof file
    file: PathBuf,
    /// The log's root key, or a file that holds it
    #[arg(long, value_name = "VKEY")]
    key: String,
    /// Print what the file proves as JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `consistency`.
#[derive(Args)]
pub struct ConsistencyArgs {
    /// Directory of the log
    log: PathBuf,
    /// The log's root key, or a file that holds it
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// The older checkpoint: a file with the signed note
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The later checkpoint; the log's present one if left out
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Write the hashes of the consistency proof (RFC 9162), in base64, a line each
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub fn run(command: LogCommand) -> ExitCode {
    let (json, result) = match command {
        LogCommand::Fsck(args) => (args.json, check(&args)),
        LogCommand::Prove(args) => (args.json, make(&args)),
        LogCommand::VerifyProof(args) => (args.json, verify(&args)),
        LogCommand::Consistency(args) => (args.json, consistent(&args)),
    };
    finish(json, result)
}

/// The exit code of an answer; what went wrong is said.
pub fn finish(json: bool, result: Result<bool, LogError>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            if json {
                println!("{}", json!({ "verified": false, "error": error.to_string() }));
            }
            match error.is_refusal() {
                true => eprintln!("NOT VERIFIED: {error}"),
                false => eprintln!("proof-runner: {error}"),
            }
            ExitCode::from(if error.is_refusal() { 1 } else { 2 })
        }
    }
}

fn warn(trust: &Trust) {
    if !trust.given {
        eprintln!("warning: the root key was taken from beside the log, not given by a safe way (--key)");
    }
}

fn check(args: &FsckArgs) -> Result<bool, LogError> {
    let trust = Trust::find(args.key.as_deref(), &args.log)?;
    let options = fsck::Options { journal: args.journal.as_deref(), pin: args.pin.as_deref() };
    let report = crate::with_progress(args.json, |p| fsck::fsck(&trust, &args.log, &options, p))?;
    match args.json {
        true => println!("{}", json!({ "verified": report.is_clean(), "report": report })),
        false => println!("{report}"),
    }
    Ok(report.is_clean())
}

fn make(args: &ProveArgs) -> Result<bool, LogError> {
    let trust = Trust::find(args.key.as_deref(), &args.log)?;
    warn(&trust);
    let cycle = CycleIndex(args.cycle);
    let made = prove::prove(&trust, &args.log, &args.journal, cycle, args.chain.as_deref())?;
    if args.output == Path::new("-") {
        print!("{}", made.text);
        return Ok(true);
    }
    write(&args.output, &made.text)?;
    let PoseProof { origin, index, head, .. } = &made.proof;
    match args.json {
        true => println!("{}", json!({ "verified": true, "proof": proof_json(&made.proof) })),
        false => println!(
            "proof of cycle {} (entry {index} of the {} signed by {origin}) in {}, {} bytes\n\
             check it with: proof-runner verify-proof {} --key {}",
            args.cycle,
            head.size,
            args.output.display(),
            made.text.len(),
            args.output.display(),
            trust.root_key
        ),
    }
    Ok(true)
}

fn verify(args: &VerifyArgs) -> Result<bool, LogError> {
    let trust = Trust::given(&args.key)?;
    let proof = pose::verify(&read(&args.file)?, &trust)?;
    match args.json {
        true => println!("{}", json!({ "verified": true, "proof": proof_json(&proof) })),
        false => println!("{}", proof_text(&proof)),
    }
    Ok(true)
}

fn consistent(args: &ConsistencyArgs) -> Result<bool, LogError> {
    let trust = Trust::find(args.key.as_deref(), &args.log)?;
    warn(&trust);
    let from = read(&args.from)?;
    let to = args.to.as_deref().map(read).transpose()?;
    let proven = consistency::prove(&trust, &args.log, &from, to.as_deref())?;
    if let Some(path) = &args.output {
        write(path, &proven.hashes.iter().map(|hash| format!("{hash}\n")).collect::<String>())?;
    }
    match args.json {
        true => println!("{}", json!({ "verified": true, "proof": proven })),
        false => println!(
            "CONSISTENT: the {} entries that {} signed then are the beginning of these {}\n  then {}\n  now  {}\n  \
             {} hashes; both checkpoints are signed by certified keys",
            proven.from_size,
            proven.origin,
            proven.to_size,
            proven.from_root,
            proven.to_root,
            proven.hashes.len()
        ),
    }
    Ok(true)
}

fn read(path: &Path) -> Result<Vec<u8>, LogError> {
    std::fs::read(path).map_err(|error| LogError::File { what: "read", path: path.to_owned(), error })
}

fn write(path: &Path, text: &str) -> Result<(), LogError> {
    std::fs::write(path, text).map_err(|error| LogError::File { what: "write", path: path.to_owned(), error })
}

/// What no proof file shows.
const NOT_PROVEN: [&str; 4] = [
    "that the datagrams came from the air, or that the pose is true",
    "that the pose follows from the datagrams: replay the journal for that (`proof-runner replay`)",
    "that the clock of the hub was right",
    "that everybody is shown this log: compare the checkpoint with somebody else's (`fsck --pin`, `consistency`)",
];

fn proof_text(proof: &PoseProof) -> String {
    let PoseProof { origin, index, head, epoch, record, published, frame } = proof;
    let mut lines = vec![
        format!(
            "PROVEN: cycle {} of {} ({}), as published, is entry {index} of {origin}",
            record.cycle.0,
            time::iso8601(record.at),
            record.source.name()
        ),
        format!("  tree      {} entries, root {}, signed by the key of epoch {epoch}", head.size, head.root),
        format!("  chain     {}", record.chain),
    ];
    match frame {
        None => lines.push(format!(
            "  published {} bytes of another version, which this build can't read",
            published.len()
        )),
        Some(frame) => lines.extend(words::frame(frame).iter().map(|line| format!("  {line}"))),
    }
    lines.push("not proven:".to_owned());
    lines.extend(NOT_PROVEN.iter().map(|line| format!("  {line}")));
    lines.join("\n")
}

fn proof_json(proof: &PoseProof) -> Value {
    let PoseProof { origin, index, head, epoch, record, published, frame } = proof;
    json!({
        "origin": origin,
        "entry": index,
        "tree_size": head.size,
        "root": head.root.to_string(),
        "epoch": epoch,
        "cycle": record.cycle.0,
        "at": time::iso8601(record.at),
        "at_ns": record.at.0.to_string(),
        "source": record.source.name(),
        "inputs": record.inputs.to_string(),
        "output": record.output.to_string(),
        "chain": record.chain.to_string(),
        "published_bytes": published.len(),
        "published": frame.as_ref().map(words::frame_json),
        "not_proven": NOT_PROVEN,
    })
}
