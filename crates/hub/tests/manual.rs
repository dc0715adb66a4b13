//! Guards manual pages and completions: a page for every command, completions that the shell takes, and nothing of the machine
//! that built them.

use clap::CommandFactory;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use wavewitness_hub::cli::Cli;

/// `wavewitness`, `wavewitness-run`, …, `wavewitness-export-clip`.
fn names(command: &clap::Command, prefix: &str, out: &mut BTreeSet<String>) {
    let name = format!("{prefix}{}", command.get_name());
    command.get_subcommands().filter(|c| !c.is_hide_set()).for_each(|c| names(c, &format!("{name}-"), out));
    out.insert(format!("{name}.1"));
}

fn page(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn every_command_has_a_page_that_says_what_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_wavewitness"))
        .args(["man", "--out"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut wanted = BTreeSet::new();
    names(&Cli::command(), "", &mut wanted);
    let found: BTreeSet<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, wanted);
    for name in &found {
        let page = page(dir.path(), name);
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".TH"), "{name}");
        assert!(!page.contains(env!("CARGO_MANIFEST_DIR")), "{name} names the build's directory");
    }
    let clip = page(dir.path(), "wavewitness-export-clip.1");
    assert!(clip.contains("proof\\-runner verify\\-clip") && clip.contains("\\-\\-log"), "{clip}");
    let missing = dir.path().join("missing");
    let refused =
        Command::new(env!("CARGO_BIN_EXE_wavewitness")).args(["man", "--out"]).arg(missing).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn shells_take_the_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let made =
            Command::new(env!("CARGO_BIN_EXE_wavewitness")).args(["completions", shell]).output().unwrap();
        assert!(made.status.success());
        let text = String::from_utf8(made.stdout).unwrap();
        assert!(text.contains("calibrate") && text.contains("export"), "{shell}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let started = Command::new(shell).arg("-n").arg(file.path()).stderr(Stdio::piped()).output();
        match started {
            Ok(checked) => assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr)),
            Err(_) => eprintln!("SKIPPED: no {shell} to be had"),
        }
    }
}
