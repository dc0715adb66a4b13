//! `verify-clip`.

use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use wavewitness_proof::clip::{self, Proven};
use wavewitness_proof::log::{LogError, Trust};
use wavewitness_proof::time;

/// Help behind the options.
pub const HELP: &str = "Example:
  wavewitness export clip d/journal evening --from 2026-11-20T18:00:00Z --to 2026-11-20T18:05:00Z --log d/log
  proof-runner verify-clip evening --key example.org/hub/root+12345678+A...

Reads nothing but the clip. The key must come by a safe way: whoever can give you another key can prove anything.";

/// Arguments of `verify-clip`.
#[derive(Args)]
pub struct ClipArgs {
    /// Directory of the clip
    clip: PathBuf,
    /// The log's root key, or a file that holds it
    #[arg(long, value_name = "VKEY")]
    key: String,
    /// Print what the clip proves as JSON
    #[arg(long)]
    pub json: bool,
}

/// Checks a clip and says what it proves.
pub fn run(args: &ClipArgs) -> Result<bool, LogError> {
    let trust = Trust::given(&args.key)?;
    let proven = crate::with_progress(args.json, |p| clip::verify(&args.clip, &trust, p))?;
    match args.json {
        true => println!("{}", json(&proven)),
        false => println!("{}", text(&proven, &args.clip)),
    }
    Ok(true)
}

/// What a clip does not show.
fn not_proven(proven: &Proven) -> Vec<&'static str> {
    let mut out = vec![
        "that the datagrams came from the air, or that the poses are true",
        "that the poses follow from the datagrams: a clip that begins with a boot can be replayed (`proof-runner replay`)",
        "that the clock of the hub was right",
    ];
    if !proven.from_genesis {
        out.push("the configuration in its genesis: the clip begins later than its chain");
    }
    out
}

fn text(proven: &Proven, clip: &Path) -> String {
    let Proven { proof, first, cycles, .. } = proven;
    let mut lines = vec![
        format!(
            "PROVEN: {cycles} cycles, {} to {} ({}), datagrams and poses as journalled, are entries of {} up to entry {}",
            first.0,
            proof.record.cycle.0,
            proof.record.source.name(),
            proof.origin,
            proof.index
        ),
        format!("  ends      {}", time::iso8601(proof.record.at)),
        format!("  tree      {} entries, root {}", proof.head.size, proof.head.root),
        format!("  journal   {}", clip::journal(clip).display()),
        "not proven:".to_owned(),
    ];
    lines.extend(not_proven(proven).iter().map(|line| format!("  {line}")));
    lines.join("\n")
}

fn json(proven: &Proven) -> serde_json::Value {
    let Proven { report, proof, first, cycles, from_genesis } = proven;
    json!({
        "verified": true,
        "origin": proof.origin,
        "first_cycle": first.0,
        "last_cycle": proof.record.cycle.0,
        "cycles": cycles,
        "source": proof.record.source.name(),
        "until": time::iso8601(proof.record.at),
        "entry": proof.index,
        "tree_size": proof.head.size,
        "root": proof.head.root.to_string(),
        "from_genesis": from_genesis,
        "not_proven": not_proven(proven),
        "report": report,
    })
}
