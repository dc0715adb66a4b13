//! Guards the architecture: layers, bans, sizes, and every path that a document names. Reads manifests and sources.

use std::fs;
use std::path::{Path, PathBuf};

const LAYERS: &[(&str, u8)] = &[
    ("crates/num", 0),
    ("crates/types", 1),
    ("crates/ingest", 2),
    ("crates/captures", 2),
    ("crates/links", 2),
    ("crates/calibration", 2),
    ("crates/phase-align", 2),
    ("crates/fusion", 2),
    ("crates/cir", 2),
    ("crates/tomography", 2),
    ("crates/localise", 2),
    ("crates/posture", 2),
    ("crates/pose", 2),
    ("crates/identity", 2),
    ("crates/world", 2),
    ("crates/breathing", 2),
    ("crates/motion", 2),
    ("crates/witness", 2),
    ("crates/log", 2),
    ("crates/engine", 3),
    ("crates/verify-web", 3),
    ("crates/bank", 4),
    ("crates/journal", 4),
    ("crates/ledger", 4),
    ("crates/head", 4),
    ("crates/hub", 4),
    ("proof", 4),
    ("proof/golden", 4),
    ("benches", 4),
    ("evaluate", 4),
    ("fixtures", 2),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn files(dir: &Path, ending: &str, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                files(&path, ending, out);
            }
        } else if name.ends_with(ending) {
            out.push(path);
        }
    }
}

fn sources(member: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    files(&root().join(member).join("src"), ".rs", &mut out);
    out.into_iter().map(|p| (p.display().to_string(), fs::read_to_string(&p).unwrap())).collect()
}

/// Dependencies of a member on other members, without dev-dependencies.
fn edges(member: &str) -> Vec<String> {
    let manifest = read(format!("{member}/Cargo.toml"));
    let mut section = "";
    let mut out = Vec::new();
    for line in manifest.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]"
            && let Some(name) = line.strip_prefix("wavewitness-")
        {
            out.push(name.split(['.', ' ', '=']).next().unwrap().to_owned());
        }
    }
    out
}

fn layer_of(package: &str) -> u8 {
    let found = LAYERS.iter().find(|(dir, _)| dir.rsplit('/').next() == Some(package));
    found.unwrap_or_else(|| panic!("{package} has no layer: add it to LAYERS")).1
}

/// Source without line comments and without anything from the first test module on.
fn code(source: &str) -> String {
    let end = source.find("#[cfg(test)]").unwrap_or(source.len());
    source[..end].lines().map(|l| l.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_member_has_a_layer_and_no_edge_goes_up_or_sideways() {
    let mut manifests = Vec::new();
    files(&root(), "Cargo.toml", &mut manifests);
    assert_eq!(manifests.len(), LAYERS.len() + 1, "a member is missing in LAYERS: {manifests:?}");
    for (member, layer) in LAYERS {
        for edge in edges(member) {
            let below = layer_of(&edge);
            let sideways_shell = *layer == 4 && below == 4;
            assert!(
                below < *layer || sideways_shell,
                "{member} (layer {layer}) depends on {edge} (layer {below})"
            );
        }
    }
}

#[test]
fn only_the_engine_names_every_stage() {
    for (member, layer) in LAYERS.iter().filter(|(_, layer)| *layer == 4) {
        let stages: Vec<_> = edges(member)
            .into_iter()
            .filter(|e| {
                // The bank searches with the sketches of identity, which are no stage's work.
                layer_of(e) == 2
                    && (*member, e.as_str()) != ("crates/bank", "identity")
                    && !["witness", "log", "fixtures", "ingest", "captures"].contains(&e.as_str())
            })
            .collect();
        assert!(
            ["benches", "evaluate"].contains(member) || stages.is_empty(),
            "{member} (layer {layer}) names stages: {stages:?}"
        );
    }
}

#[test]
fn below_the_shell_there_is_no_system_and_no_order_that_leaks() {
    let banned = [
        "std::net",
        "std::fs",
        "std::time",
        "std::thread",
        "std::env",
        "std::process",
        "tokio",
        "async fn",
        "serde",
        "HashMap",
        "HashSet",
        "println!",
        "eprintln!",
        "rand::",
        "SystemTime",
        "Instant",
    ];
    for (member, _) in LAYERS.iter().filter(|(_, layer)| *layer < 4) {
        for (path, source) in sources(member) {
            // A test module of its own file is named in its parent behind cfg(test).
            if path.ends_with("/tests.rs") || path.ends_with("/testing.rs") {
                continue;
            }
            let code = code(&source);
            for word in banned {
                assert!(!code.contains(word), "{path} uses {word}: layer 4 only");
            }
        }
    }
}

#[test]
fn tokio_lives_in_the_hub_alone() {
    for (member, _) in LAYERS.iter().filter(|(member, _)| *member != "crates/hub") {
        assert!(!read(format!("{member}/Cargo.toml")).contains("\ntokio"), "{member} depends on tokio");
    }
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    assert!(read("Cargo.toml").contains("unsafe_code = \"forbid\""));
    for (member, _) in LAYERS.iter().filter(|(member, _)| *member != "crates/verify-web") {
        let manifest = read(format!("{member}/Cargo.toml"));
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{member} does not take the workspace's lints"
        );
    }
}

/// Functions that JavaScript calls need an attribute that `forbid` refuses. It is all that the exception is for.
#[test]
fn what_the_browser_calls_is_named_and_nothing_else_is_unsafe() {
    assert!(read("crates/verify-web/Cargo.toml").contains("unsafe_code = \"deny\""));
    for (path, source) in sources("crates/verify-web") {
        let code = code(&source).replace("#[unsafe(no_mangle)]", "").replace("#![allow(unsafe_code)]", "");
        assert!(!code.contains("unsafe"), "{path} holds unsafe code");
        assert!(path.ends_with("/exports.rs") || code == self::code(&source), "{path} exports functions");
    }
}

#[test]
fn files_stay_readable() {
    let mut all = Vec::new();
    files(&root(), ".rs", &mut all);
    for path in all {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 800, "{} has {lines} lines; at most 800", path.display());
    }
}

#[test]
fn nothing_unfinished_is_left_behind() {
    let words = ["todo", "unimplemented"].map(|w| format!("{w}!("));
    let mut all = Vec::new();
    files(&root(), ".rs", &mut all);
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        for word in &words {
            assert!(!text.contains(word.as_str()), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut documents = vec![root().join("README.md")];
    files(&root().join("docs"), ".md", &mut documents);
    let tops = ["crates/", "docs/", "proof/", "benches/", "fixtures/", "deploy/", ".ci/"];
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for word in text.split(|c: char| c.is_whitespace() || "()[]`,;:\"'|".contains(c)) {
            let word = word.trim_end_matches(['.', '/']);
            let named = tops.iter().any(|t| word.starts_with(t)) && !word.contains(['*', '<', '{', '…']);
            if named {
                let path = root().join(word.split('#').next().unwrap());
                assert!(path.exists(), "{} names {word}, which is not there", document.display());
            }
        }
    }
}
