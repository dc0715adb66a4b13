//! Guards the documents against the code: every subcommand and option of `proof-runner` in them exists, and so does every
//! link, heading, configuration key, package, test and interface that they name. (`structure.rs` holds every path.)
//!
//! Has caught: an exit code that nobody had written down, and commands that had moved.

mod told;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use told::{code, commands, documents, root};

#[test]
fn proof_runner_takes_what_the_documents_say() {
    told::hold("proof-runner", "wavewitness-proof", env!("CARGO_BIN_EXE_proof-runner"), &[]);
}

/// The name that GitHub and others give a heading.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn headings(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let lines = text.lines().filter(|l| {
        fenced ^= l.trim_start().starts_with("```");
        !fenced && l.starts_with('#')
    });
    lines.map(|l| slug(l.trim_start_matches('#'))).collect()
}

/// What is wrong with the links of a document that lies at `path`.
fn broken_links(path: &Path, text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let ours = targets.filter(|t| !t.contains("://") && !t.starts_with("mailto:"));
    ours.filter(|target| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let file = if file.is_empty() { path.to_path_buf() } else { path.parent().unwrap().join(file) };
        let there = file.exists();
        let headed = || heading.is_empty() || headings(&fs::read_to_string(&file).unwrap()).contains(heading);
        !(there && headed())
    })
    .map(str::to_owned)
    .collect()
}

#[test]
fn every_link_leads_somewhere() {
    for (name, text) in documents() {
        let broken = broken_links(&root().join(&name), &text);
        assert!(broken.is_empty(), "{name} has links that lead nowhere: {broken:?}");
    }
    let readme = root().join("README.md");
    let wrong = "# A b, c\n[x](docs/nothing.md) [y](docs/wire.md#no-such-heading) [z](#a-b-c) [w](https://example.org)";
    assert_eq!(broken_links(&readme, wrong).len(), 3, "the third is a heading of another text");
}

/// `section.key` of the sample configuration, and its sections.
fn keys() -> (BTreeSet<String>, BTreeSet<String>) {
    let sample = fs::read_to_string(root().join("deploy/wavewitness.toml")).unwrap();
    let (mut section, mut keys, mut sections) = (String::new(), BTreeSet::new(), BTreeSet::new());
    for line in sample.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if line.starts_with('[') && line.ends_with(']') {
            section = line.trim_matches(['[', ']']).to_owned();
            sections.insert(section.clone());
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            keys.insert(format!("{section}.{key}"));
        }
    }
    (keys, sections)
}

/// Configuration keys that a line of code names: `hub.udp_bind`, `[privacy] mode`, `--set cir.lambda_ratio=2`.
fn named_keys(line: &str, sections: &BTreeSet<String>) -> Vec<String> {
    let words: Vec<_> = line.split([' ', '=', ',', ';']).filter(|w| !w.is_empty()).collect();
    let dotted = words.iter().filter_map(|w| {
        let (section, key) = w.split_once('.')?;
        let plain = |s: &str| s.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        // Names of files and of hosts.
        let file =
            ["toml", "md", "rs", "pub", "pin", "key", "sh", "bin", "log", "txt", "example"].contains(&key);
        (sections.contains(section) && plain(key) && !key.is_empty() && !file).then(|| (*w).to_owned())
    });
    let mut out: Vec<_> = dotted.collect();
    if let [first, key, ..] = words[..]
        && let Some(section) = first.strip_prefix('[').and_then(|s| s.strip_suffix(']'))
        && sections.contains(section)
        && key != "…"
    {
        out.push(format!("{section}.{key}"));
    }
    out
}

#[test]
fn every_configuration_key_exists() {
    let (keys, sections) = keys();
    assert!(
        keys.contains("hub.udp_bind") && keys.contains("mqtt.url") && keys.contains("node.id"),
        "{keys:?}"
    );
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        // Rows of the table in docs/privacy.md name fields of messages.
        for line in code(&text).into_iter().filter(|l| !l.ends_with("  x") && !l.ends_with("  ·")) {
            let unknown = named_keys(&line, &sections).into_iter().filter(|key| !keys.contains(key));
            wrong.extend(unknown.map(|key| format!("{name} says `{line}`: no key {key}")));
        }
    }
    assert!(wrong.is_empty(), "deploy/wavewitness.toml has other keys: {wrong:#?}");
    assert_eq!(named_keys("[hub] udp_bnid = 1", &sections), ["hub.udp_bnid"]);
    assert_eq!(named_keys("--set cir.lambda=2", &sections), ["cir.lambda"]);
}

/// Directory of each package, by its name.
fn packages() -> Vec<(String, PathBuf)> {
    let member = |dir: PathBuf| {
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).ok()?;
        let name = manifest.lines().find_map(|l| l.strip_prefix("name = \"")?.strip_suffix('"'))?;
        Some((name.to_owned(), dir))
    };
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|e| e.unwrap().path());
    let others = ["proof", "proof/golden", "benches", "evaluate", "fixtures"].map(|d| root().join(d));
    crates.chain(others).filter_map(member).collect()
}

/// What is wrong with a command of cargo, if anything is.
fn cargo_fault(words: &[String], packages: &[(String, PathBuf)]) -> Option<String> {
    let mut given = words.iter().take_while(|w| *w != "--").zip(words.iter().skip(1));
    let named = given.clone().find(|(flag, _)| *flag == "-p").map(|(_, p)| p);
    let dirs: Vec<&PathBuf> =
        packages.iter().filter(|(p, _)| named.is_none_or(|n| n == p)).map(|(_, dir)| dir).collect();
    if dirs.is_empty() {
        return Some(format!("no package {}", named?));
    }
    let missing = given.find(|(flag, name)| {
        let places: &[&str] = match flag.as_str() {
            "--test" => &["tests"],
            "--bench" => &["benches", "src", ""],
            "--bin" => return !dirs.iter().any(|dir| has_program(dir, name)),
            _ => return false,
        };
        !dirs.iter().any(|dir| places.iter().any(|place| dir.join(place).join(format!("{name}.rs")).exists()))
    });
    missing.map(|(flag, name)| format!("nothing is called {flag} {name} there"))
}

fn has_program(dir: &Path, name: &str) -> bool {
    let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
    manifest.contains(&format!("name = \"{name}\"")) || dir.join(format!("src/bin/{name}.rs")).exists()
}

#[test]
fn every_package_test_bench_and_program_exists() {
    let packages = packages();
    for (name, text) in documents() {
        for words in code(&text).iter().flat_map(|line| commands(line)).filter(|w| w[0] == "cargo") {
            if let Some(fault) = cargo_fault(&words, &packages) {
                panic!("{name} says `{}`: {fault}", words.join(" "));
            }
        }
    }
    let wrong = ["cargo test -p wavewitness-nothing", "cargo test -p wavewitness-hub --test kil"];
    for line in wrong {
        assert!(cargo_fault(&commands(line)[0], &packages).is_some(), "{line} passes");
    }
}

/// Tests are named in sentences of their own; one that is renamed would leave its claim without a guard.
#[test]
fn every_test_that_is_named_exists() {
    let mut sources = String::new();
    rust(&root(), &mut sources);
    for (name, text) in documents() {
        if !["docs/testing.md", "docs/interfaces.md", "docs/determinism.md"].contains(&name.as_str()) {
            continue;
        }
        for span in code(&text) {
            let test = span.trim_end_matches('…');
            let named = test.matches('_').count() >= 3
                && test.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            assert!(!named || sources.contains(test), "{name} names `{span}`, which no source has");
        }
    }
}

fn rust(dir: &Path, out: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            rust(&path, out);
        } else if name.ends_with(".rs") && !path.ends_with("proof/tests/documents.rs") {
            out.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Addresses that documents name, and that the hub's own OpenAPI document does not know.
#[test]
fn every_request_that_is_named_is_served() {
    let served = fs::read_to_string(root().join("docs/openapi.json")).unwrap();
    let served: serde_json::Value = serde_json::from_str(&served).unwrap();
    let paths: Vec<&String> = served["paths"].as_object().unwrap().keys().collect();
    for (name, text) in documents().into_iter().filter(|(name, _)| name != "docs/peer.md") {
        for span in code(&text) {
            for word in span.split([' ', '\'', '"', ',', '`']).filter(|w| w.contains("/api/v1/")) {
                let path = &word[word.find("/api/v1/").unwrap()..];
                let path = path.split(['?', '#', '…']).next().unwrap().trim_end_matches(['.', ')']);
                let peer = ["/api/v1/stream/pose"].contains(&path);
                let known = path.ends_with('/') || peer || paths.iter().any(|p| *p == path);
                assert!(known, "{name} says `{span}`: docs/openapi.json has no {path}, but {paths:?}");
            }
        }
    }
}

/// Whoever mints goldens must say so in the document that quotes them.
#[test]
fn the_golden_table_is_that_of_the_goldens() {
    let text = fs::read_to_string(root().join("docs/determinism.md")).unwrap();
    let mut rows = 0;
    for line in
        text.lines().skip_while(|l| !l.starts_with("| golden |")).skip(2).take_while(|l| !l.is_empty())
    {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let golden = fs::read_to_string(root().join(format!("proof/goldens/{}.golden", cells[1]))).unwrap();
        let value = |name: &str| golden.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim().to_owned();
        assert!(
            value("head ").starts_with(cells[3].trim_matches('`')),
            "docs/determinism.md: {line} is not {}",
            value("head ")
        );
        assert_eq!(value("cycles "), cells[2], "docs/determinism.md: {line}");
        rows += 1;
    }
    assert!(rows >= 8, "docs/determinism.md has no table of goldens any more");
}
