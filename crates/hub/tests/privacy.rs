//! Guards what leaves the hub: a room with two people and a calibration, over a restart, under each privacy mode, and
//! every field that any interface, the journal or the data directory then shows. `docs/privacy.md` holds the table; the
//! test computes it anew. To mint it: WAVEWITNESS_BLESS=1 cargo test -p wavewitness-hub --test privacy
//!
//! Has caught: nothing yet.

mod common;

use common::written::{config, run_watched};
use common::{Air, Site, connect, next, runtime, scene, wait};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use wavewitness_fixtures::Scene;
use wavewitness_fixtures::motion::{Person, Walk};
use wavewitness_hub::dashboard;
use wavewitness_hub::message::{self, Message};
use wavewitness_hub::metrics;
use wavewitness_hub::mqtt::{MqttConfig, Session, View};
use wavewitness_hub::status::Status;
use wavewitness_hub::zones::{Shape, ZoneConfig};
use wavewitness_journal::Content;
use wavewitness_proof::{recompute, replay, verify};
use wavewitness_types::{Event, PrivacyMode, Source, Timestamp};
use wavewitness_witness::Genesis;

/// Empty for four seconds, in which the baseline is taken; then two people.
fn two_people(seconds: u64) -> Scene {
    let mut scene = scene(seconds);
    let one = Walk::from(1.3, 1.2).laps(&[[1.3, 1.2], [4.7, 1.2], [4.7, 3.1], [1.3, 3.1]], 9, 1.0);
    let other = Walk::from(4.2, 2.8).laps(&[[4.2, 2.8], [2.0, 2.8]], 9, 0.8);
    let visit = |id, walk| Person::new(id, walk).visiting(4_000_000_000);
    scene.people = vec![visit(1, one), visit(2, other)];
    scene
}

/// What has many forms by what is known just then is named as one.
const AS_ONE: [&str; 10] = [
    ".breathing",
    ".fall",
    ".posture",
    ".heading",
    ".calibration",
    ".presence",
    ".keypoints[]",
    ".compute_us",
    ".stages_us[]",
    ".rejected",
];

/// Every path of a value: `people[].position_m`.
fn paths(prefix: &str, value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if !AS_ONE.iter().any(|one| prefix.ends_with(one)) => {
            for (key, value) in fields {
                paths(&format!("{prefix}.{key}"), value, out);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for value in list {
                paths(&format!("{prefix}[]"), value, out);
            }
        }
        _ => {
            out.insert(prefix.to_owned());
        }
    }
}

/// Everything that a hub showed, by path, and as text.
#[derive(Default)]
struct Shown {
    paths: BTreeSet<String>,
    text: String,
}

impl Shown {
    fn take(&mut self, name: &str, value: &Value) {
        paths(name, value, &mut self.paths);
        self.text.push_str(&value.to_string());
        self.text.push('\n');
    }

    fn json(&mut self, name: &str, text: &str) {
        self.take(name, &serde_json::from_str(text).unwrap());
    }

    /// What the interfaces say at one moment.
    fn interfaces(&mut self, status: &Status, mqtt: &mut Session) {
        let metrics = metrics::text(status);
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            // What the machine does, not the room: how long stages take.
            if !["_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end)) {
                self.paths.insert(format!("metrics.{name}"));
            }
        }
        self.text.push_str(&metrics);
        let snapshot = &status.snapshot();
        let view = View::of(snapshot, snapshot.frame.as_ref().unwrap().at).unwrap();
        self.json("cycle", &Message::Cycle(Box::new((*view.cycle).clone())).to_json());
        let told = status.message(snapshot.frame.as_ref().unwrap().at);
        self.take("status", &serde_json::to_value(told).unwrap());
        if let Some(world) = snapshot.world_message() {
            self.take("world", &serde_json::to_value(world).unwrap());
        }
        for publication in mqtt.tick(&view) {
            let value: Value = serde_json::from_str(&publication.payload).unwrap_or(Value::Null);
            let rest = publication.topic.split_once('/').unwrap().1;
            if rest.ends_with("/config") {
                // Entities by their keys; what each consists of is Home Assistant's.
                let components = value["components"].as_object().unwrap();
                self.paths.extend(components.keys().map(|key| format!("mqtt.discovery.{key}")));
                self.text.push_str(&value.to_string());
                continue;
            }
            self.take(&format!("mqtt.{}", rest.replace('/', ".")), &value);
        }
        self.text.push_str(&snapshot.one_line());
    }

    /// What the data directory holds.
    fn disk(&mut self, site: &Site, macs: &[[u8; 6]]) {
        for chunk in site.chunks() {
            let mut messages: Vec<&[u8]> = chunk.events().iter().map(Vec::as_slice).collect();
            for event in chunk.events() {
                self.paths.insert(match Event::from_canonical_bytes(event).unwrap() {
                    Event::Datagram { .. } => "journal.datagram".to_owned(),
                    Event::Tick { .. } => "journal.tick".to_owned(),
                    Event::Command { .. } => "journal.command".to_owned(),
                    Event::Stop { .. } => "journal.stop".to_owned(),
                    Event::Boot { record, .. } if record.baselines.is_empty() => "journal.boot".to_owned(),
                    Event::Boot { .. } => "journal.boot.baselines".to_owned(),
                });
            }
            if let Content::Start { genesis, .. } = &chunk.content {
                let whole = Genesis::from_canonical_bytes(genesis).unwrap().config.len() > 32;
                let form = if whole { "configuration" } else { "configuration digest" };
                self.paths.insert(format!("journal.genesis.{form}"));
                messages.push(genesis);
            }
            messages.extend(chunk.pose());
            messages.extend(chunk.witness());
            self.paths.extend(chunk.pose().map(|_| "journal.pose".to_owned()));
            self.paths.extend(chunk.witness().map(|_| "journal.witness".to_owned()));
            if messages.iter().any(|m| m.windows(6).any(|w| macs.iter().any(|mac| mac == w))) {
                self.paths.insert("journal: bytes of a MAC address".to_owned());
            }
        }
        if site.dir.path().join("data/baselines.bin").exists() {
            self.paths.insert("data_dir/baselines.bin".to_owned());
        }
    }
}

/// A hub under a mode: boot, empty room, two people, stop, and a second boot.
fn show(mode: PrivacyMode) -> (Site, Shown) {
    let site = Site::new("");
    let data_dir = site.dir.path().join("data");
    let mut scene = two_people(20);
    let mut config = config(&scene);
    config.privacy.mode = mode;
    let zone = |name, min_m, max_m| ZoneConfig::new(name, Shape::Box { min_m, max_m }).unwrap();
    config.zones = vec![
        zone("whole", [-1.0, -1.0, -1.0], [8.0, 6.0, 5.0]),
        zone("right", [3.0, 0.0, -1.0], [7.0, 5.0, 4.0]),
    ];
    let macs: Vec<[u8; 6]> = scene.nodes.iter().map(|node| node.mac.0).collect();
    let mut shown = Shown::default();
    let mut mqtt = Session::new(MqttConfig::new("mqtt://unused").unwrap());
    let genesis = wavewitness_hub::boot::genesis(&config, Source::Simulated, scene.start, None);
    let hello = message::hello(&genesis, Source::Simulated);
    shown.take("hello", &serde_json::to_value(hello).unwrap());
    // What a person configured of the room, not what was measured in it: the words of `check_text` are not of it.
    paths("geometry", &dashboard::places(&config.engine.geometry, &config.zones, mode), &mut shown.paths);
    run_watched(&config, &data_dir, &scene, 1, |s| shown.interfaces(s, &mut mqtt));
    scene.start = Timestamp(scene.start.0 + 60_000_000_000);
    scene.duration_ns = 1_000_000_000;
    run_watched(&config, &data_dir, &scene, 2, |s| shown.interfaces(s, &mut mqtt));
    shown.disk(&site, &macs);
    (site, shown)
}

fn table(shown: &[(PrivacyMode, BTreeSet<String>)]) -> String {
    let mut rows: BTreeMap<&str, [bool; 5]> = BTreeMap::new();
    for (mode, paths) in shown {
        for path in paths {
            rows.entry(path).or_default()[*mode as usize] = true;
        }
    }
    let mut out = format!("{:<44}raw  care  home  anon  strict\n", "what leaves the hub");
    for (path, modes) in rows {
        let marks = modes.map(|there| if there { "x" } else { "·" });
        out.push_str(&format!(
            "{path:<45}{}     {}     {}     {}     {}\n",
            marks[0], marks[1], marks[2], marks[3], marks[4]
        ));
    }
    out
}

#[test]
fn the_table_of_the_document_is_what_really_leaves() {
    let shown: Vec<_> = PrivacyMode::ALL
        .into_iter()
        .map(|mode| {
            let (site, shown) = show(mode);
            check_text(mode, &shown.text);
            check_journal(mode, &site);
            (mode, shown.paths)
        })
        .collect();
    for pair in shown.windows(2) {
        let more: Vec<_> = pair[1]
            .1
            .difference(&pair[0].1)
            .filter(|p| !["journal.genesis.configuration digest", "journal.boot"].contains(&p.as_str()))
            .collect();
        assert!(more.is_empty(), "{} gives what {} withholds: {more:?}", pair[1].0.name(), pair[0].0.name());
    }
    let table = table(&shown);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/privacy.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once("<!-- table -->\n```\n").expect("the table's place");
    let (written, after) = rest.split_once("```\n").expect("the table's end");
    if std::env::var_os("WAVEWITNESS_BLESS").is_some() {
        std::fs::write(path, format!("{before}<!-- table -->\n```\n{table}```\n{after}")).unwrap();
    } else {
        assert!(written == table, "docs/privacy.md says something else; what leaves is:\n{table}");
    }
}

/// What must not be in any text, whatever the field is called.
fn check_text(mode: PrivacyMode, text: &str) {
    let people = text.contains("\"position_m\"");
    assert_eq!(people, mode < PrivacyMode::Anonymous, "{}: positions", mode.name());
    for (word, last) in [
        ("\"keypoints\":[{", PrivacyMode::ConsentedCare),
        ("velocity_m_s", PrivacyMode::ConsentedCare),
        ("track-confirmed", PrivacyMode::ConsentedCare),
        ("\"coherence\"", PrivacyMode::ConsentedCare),
        ("\"x\":", PrivacyMode::PrivateHome),
        ("most_probable", PrivacyMode::Anonymous),
        ("\"occupied\"", PrivacyMode::Anonymous),
        ("rssi_dbm", PrivacyMode::Anonymous),
    ] {
        assert_eq!(text.contains(word), mode <= last, "{}: {word}", mode.name());
    }
    assert!(text.contains(&format!("\"privacy\":\"{}\"", mode.name())));
}

/// A journal without inputs verifies as a chain, says so, and can't be replayed.
fn check_journal(mode: PrivacyMode, site: &Site) {
    let report = verify::verify(&site.journal(), &mut |_, _| {}).unwrap();
    assert!(report.is_clean(), "{}: {:?}", mode.name(), report.findings().collect::<Vec<_>>());
    let [chain] = &report.chains[..] else { panic!("{report:?}") };
    assert_eq!((chain.privacy, chain.boots, chain.cycles), (mode.name(), 2, 420));
    let computed = replay::replay(&site.journal(), &mut |_, _| {}).unwrap();
    let again = recompute::recompute(&site.journal(), &site.dir.path().join("again"), &[], &mut |_, _| {});
    if mode == PrivacyMode::RawResearch {
        assert_eq!((report.withheld(), computed.replayed_cycles()), (0, 420));
        again.unwrap();
        return;
    }
    assert!(chain.withheld_inputs >= 200, "{chain:?}");
    assert_eq!(chain.withheld_outputs, if mode.keeps_outputs() { 0 } else { 420 });
    assert_eq!(computed.replayed_cycles(), 0);
    assert!(computed.is_clean());
    assert!(again.unwrap_err().to_string().contains("withheld by privacy mode"));
    let mut replay = Command::new(env!("CARGO_BIN_EXE_wavewitness"));
    replay.arg("replay").arg(site.journal());
    let (code, said) = common::output(replay);
    assert_ne!(code, Some(0));
    assert!(said.contains(&format!("inputs withheld by privacy mode {}", mode.name())), "{said}");
}

#[test]
fn a_changed_mode_begins_a_chain_that_names_the_one_before() {
    let site = Site::new("");
    let data_dir = site.dir.path().join("data");
    let mut scene = two_people(2);
    let mut config = config(&scene);
    run_watched(&config, &data_dir, &scene, 1, |_| {});
    scene.start = Timestamp(scene.start.0 + 60_000_000_000);
    config.privacy.mode = PrivacyMode::Strict;
    let strict = run_watched(&config, &data_dir, &scene, 2, |_| {});
    assert!(strict.notes.contains("journalled under privacy mode raw-research"), "{}", strict.notes);
    let report = site.verified();
    assert!(report.is_clean());
    let [raw, strict] = &report.chains[..] else { panic!("{report:?}") };
    assert_eq!(strict.predecessor.as_ref().map(|p| &p[..16]), Some(&raw.chain[..]));
    assert_eq!((raw.privacy, strict.privacy), ("raw-research", "strict"));
}

/// The daemon itself: over every address that it has, nothing of a person but presence.
#[test]
fn a_strict_daemon_tells_presence_alone() {
    let site = Site::new(
        "[privacy]\nmode = \"strict\"\n[[zone]]\nname = \"left\"\nmin_m = [0, 0, 0]\nmax_m = [3, 5, 3]\n",
    );
    let hub = site.start();
    let air = Air::start(60, 3);
    air.aim(&hub);
    wait("every link", || hub.status()["links"].as_array().is_some_and(|l| l.len() == 12));
    let mut told = String::new();
    for path in ["/", "/health", "/health/live", "/health/ready", "/api/v1/status", "/api/v1/world"] {
        told.push_str(&hub.get(path).1.to_string());
    }
    runtime().block_on(async {
        let mut socket = connect(hub.http).await;
        for _ in 0..10 {
            told.push_str(&next(&mut socket).await.unwrap().to_string());
        }
    });
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    assert!(log.contains("privacy mode strict"), "{log}");
    for word in [
        "position_m",
        "people\":",
        "\"count\":",
        "\"motion\":",
        "\"coherence\":",
        "rssi_dbm",
        "\"hint\":",
        "\"zones\":[",
    ] {
        assert!(!told.contains(word), "{word} in {told}");
    }
    assert!(told.contains("\"presence\""));
}
