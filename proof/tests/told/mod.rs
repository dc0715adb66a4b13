//! What the documents of this repository tell a reader to type, taken out of them, and held to what a program says of itself
//! with `--help`. For the tests named `documents` of every package that has a program.

// Each package uses a part.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
pub fn root() -> PathBuf {
    let mut dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    while !dir.join("rust-toolchain.toml").exists() {
        assert!(dir.pop(), "no rust-toolchain.toml above {}", env!("CARGO_MANIFEST_DIR"));
    }
    dir
}

/// Every Markdown document that a reader meets, with its path from the root.
pub fn documents() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    markdown(&root().join("docs"), &mut paths);
    markdown(&root().join("deploy"), &mut paths);
    paths.sort();
    let named = |p: PathBuf| {
        let text = fs::read_to_string(&p).unwrap_or_else(|e| panic!("{}: {e}", p.display()));
        (p.strip_prefix(root()).unwrap().display().to_string(), text)
    };
    paths.into_iter().map(named).collect()
}

fn markdown(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown(&path, out);
        } else if path.extension().is_some_and(|e| e == "md") {
            out.push(path);
        }
    }
}

/// Code of a document: each line of its fenced and indented blocks, and each `span` in its sentences.
pub fn code(text: &str) -> Vec<String> {
    let (mut out, mut prose) = (Vec::new(), String::new());
    let (mut fenced, mut held) = (false, String::new());
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            match line.trim_end().strip_suffix('\\') {
                Some(part) => held.push_str(part),
                None => out.push(std::mem::take(&mut held) + line.trim()),
            }
        } else {
            // A span may go over the end of a line, not over that of a paragraph or a table's row.
            prose.push_str(line);
            prose.push(if line.trim().is_empty() || line.starts_with('|') { '\n' } else { ' ' });
        }
    }
    for paragraph in prose.lines() {
        out.extend(paragraph.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    out
}

/// Each simple command of a line of shell, in words: without comments, redirections, assignments and what only starts another.
pub fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let line = line.replace("\"$(", " ; ").replace("$(", " ; ").replace("&&", ";").replace(['|', ')'], ";");
    let simple = line.split(';').map(|c| {
        let words = c.split_whitespace().take_while(|w| !w.starts_with(['>', '<', '#']) && *w != "2>");
        let mut words: Vec<_> = words.map(|w| w.trim_matches(['"', '\'']).to_owned()).collect();
        while let Some(first) = words.first() {
            let starts = first == "sudo" || first.contains('=');
            let numbers = ["nice", "chrt"].contains(&first.as_str());
            match (starts, numbers) {
                (true, _) => drop(words.remove(0)),
                (_, true) => drop(words.drain(..3.min(words.len()))),
                _ => break,
            }
        }
        words
    });
    simple.filter(|words| !words.is_empty()).collect()
}

/// The words behind a program's name, if this command runs it: by name, by path, or with `cargo run`.
pub fn arguments<'a>(words: &'a [String], program: &str, package: &str) -> Option<&'a [String]> {
    if words[0].rsplit('/').next() == Some(program) {
        return Some(&words[1..]);
    }
    let cargo = words[0] == "cargo" && words.get(1).is_some_and(|w| w == "run");
    let end = words.iter().position(|w| w == "--")?;
    let after = |flag: &str| words[..end].iter().position(|w| w == flag).and_then(|i| words.get(i + 1));
    let named = match (after("--bin"), after("-p")) {
        (Some(bin), _) => bin == program,
        (None, Some(p)) => p == package,
        // The workspace's default member.
        (None, None) => package == "wavewitness-hub",
    };
    (cargo && named).then(|| &words[end + 1..])
}

/// A program that is asked for its help.
pub struct Program {
    exe: &'static str,
    known: BTreeMap<Vec<String>, Help>,
}

/// What a program says of one of its commands.
struct Help {
    commands: Vec<String>,
    options: Vec<String>,
    text: String,
}

impl Program {
    /// The program at this path.
    pub fn new(exe: &'static str) -> Program {
        Program { exe, known: BTreeMap::new() }
    }

    fn help(&mut self, command: &[String]) -> &Help {
        let exe = self.exe;
        self.known.entry(command.to_vec()).or_insert_with(|| {
            let said = Command::new(exe).args(command).arg("--help").output().unwrap();
            assert!(said.status.success(), "{exe} {command:?} --help fails");
            let text = String::from_utf8(said.stdout).unwrap();
            let list = text.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
            let names = list.filter(|l| l.starts_with("  ") && !l.starts_with("   "));
            let commands = names.filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect();
            let words = text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
            let options = words.filter(|w| w.starts_with('-') && w.len() > 1).map(str::to_owned).collect();
            Help { commands, options, text }
        })
    }

    /// What is wrong with these words behind the program's name, if anything is.
    pub fn fault(&mut self, words: &[String]) -> Option<String> {
        let name = Path::new(self.exe).file_name().unwrap().to_string_lossy().into_owned();
        let (mut command, mut words) = (Vec::new(), words);
        while let [first, rest @ ..] = words {
            let help = self.help(&command);
            if help.commands.is_empty() || first.starts_with('-') || first == "…" {
                break;
            }
            if !help.commands.contains(first) {
                // `evaluate` takes the name of a dataset, too; its help lists them.
                if help.text.contains(&format!("  {name} {first} ")) {
                    break;
                }
                return Some(format!("no subcommand {first:?}, but {}", help.commands.join(", ")));
            }
            command.push(first.clone());
            words = rest;
        }
        let options = &self.help(&command).options;
        let given = words.iter().map(|w| w.trim_matches(['[', ']', ','])).take_while(|w| *w != "--");
        let mut given = given.filter(|w| w.starts_with('-') && w.len() > 1);
        let wrong = given.find(|w| !options.iter().any(|o| Some(o.as_str()) == w.split('=').next()))?;
        Some(format!("no option {wrong:?} of {command:?}"))
    }
}

/// The first line of a certificate of the log, which looks like a command.
const NO_COMMAND: &str = "wavewitness epoch key v1";

/// Fails if a document names a subcommand or option that the program does not have, or no document names any of its commands.
/// `elsewhere`: subcommands that this build leaves out.
pub fn hold(program: &str, package: &str, exe: &'static str, elsewhere: &[&str]) {
    let mut asked = Program::new(exe);
    let mut seen = 0;
    for (document, text) in documents() {
        for words in code(&text).iter().filter(|l| *l != NO_COMMAND).flat_map(|l| commands(l)) {
            let Some(arguments) = arguments(&words, program, package) else { continue };
            seen += 1;
            if arguments.first().is_some_and(|a| elsewhere.contains(&a.as_str())) {
                continue;
            }
            if let Some(fault) = asked.fault(arguments) {
                panic!("{document} says `{}`: {fault}", words.join(" "));
            }
        }
    }
    assert!(seen > 0, "no document names {program}: is it still called so?");
}
