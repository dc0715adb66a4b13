use super::*;
use std::collections::BTreeMap;
use std::path::Path;
use wavewitness_types::{
    BreathingRate, CycleIndex, Fall, FallWatch, Identification, Layout, Link, LinkId, Mac, NodeId,
    PresenceBasis, Quality, RefusalReason, Transmitter, UnknownReason,
};
use wavewitness_witness::{Digest, Stage};

fn node(id: u8) -> NodeHealth {
    NodeHealth {
        node: NodeId(id),
        last: Timestamp(9_000_000_000),
        rate_hz: 19.5,
        frames: 1000,
        rejected: 3,
        reordered: 2,
        duplicates: 1,
        reboots: 4,
        id_conflict: false,
        silent: id == 2,
        hint_presence: None,
        rssi_dbm: (id == 1).then_some(-51.5),
    }
}

fn link(id: u16, tx: Transmitter, calibration: CalibrationState) -> LinkStatus {
    LinkStatus {
        id: LinkId(id),
        link: Link::new(tx, NodeId(1), Layout::Lltf64).unwrap(),
        identification: Identification::Mac,
        within_distance: None,
        between_distance: None,
        frames: 77,
        cycle_frames: 1,
        gate: Gate::PredictOnly,
        coherence: Some(0.5),
        attention: 0.25,
        motion: Some(1.5),
        dominant_ratio: None,
        delay_spread_ns: None,
        calibration,
    }
}

/// A hub of which everything is known.
fn full() -> Status {
    let status = Status::new(Digest::ZERO, Source::Simulated, Timestamp(1_000_000_000));
    let station = Transmitter::Station(Mac([0xaa, 0xbb, 0xcc, 0, 0, 1]));
    let mut probabilities = [0.0; wavewitness_types::limits::MAX_PEOPLE + 1];
    probabilities[2] = 1.0;
    let frame = PoseFrame {
        cycle: CycleIndex(42),
        at: Timestamp(9_500_000_000),
        source: Source::Simulated,
        presence: Presence::Known { present: true, probability: 0.75, basis: PresenceBasis::Motion },
        motion: Some(2.5),
        count: Count::Known(probabilities),
        people: Vec::new(),
        gate: Gate::Accept,
        quality: Quality {
            score: 0.5,
            frames: 12,
            rejected: 1,
            unassigned: 0,
            links_heard: 2,
            links_known: 2,
        },
        nodes: vec![node(1), node(2)],
        links: vec![
            link(0, station, CalibrationState::Collecting { have: 30, need: 120 }),
            link(1, Transmitter::Node(NodeId(2)), CalibrationState::Refused(RefusalReason::Motion)),
        ],
        breathing: Breathing::Rate(BreathingRate {
            bpm: 15.0,
            sigma_bpm: 0.5,
            false_alarm: 0.01,
            links: 2,
            span_s: 60.0,
        }),
        fall: FallWatch::Watching(Some(Fall {
            at: Timestamp(8_000_000_000),
            probability: 0.9,
            person: None,
        })),
    };
    status.update(|s| {
        s.rejects = BTreeMap::from([("null-tones", 7)]);
        s.frame = Some(frame);
        s.cycles = 40;
        s.missed = 2;
        s.served.refused_tokens = 6;
        s.log = Some(crate::status::LogState {
            origin: "example.org/hub".into(),
            root_key: String::new(),
            epoch: 3,
            size: 99,
            checkpoint: String::new(),
            signed: Timestamp(9_000_000_000),
        });
    });
    let timings = status.timings();
    Stage::ALL.into_iter().for_each(|stage| timings.stage(stage, 20_000));
    timings.cycle(1_200_000, 5_000);
    timings.late(80_000);
    timings.written(300_000);
    timings.sync(12_000_000);
    timings.published(2_000_000, 1_000_000);
    status
}

#[test]
fn what_the_status_says_the_metrics_say() {
    let text = text(&full());
    for line in [
        "wavewitness_cycles_total 40",
        "wavewitness_missed_cycles_total 2",
        "wavewitness_rejected_datagrams_total{reason=\"null-tones\"} 7",
        "wavewitness_source_info{source=\"simulated\"} 1",
        "wavewitness_source_info{source=\"live\"} 0",
        "wavewitness_people{source=\"simulated\"} 2",
        "wavewitness_presence{source=\"simulated\",state=\"present\"} 1",
        "wavewitness_presence{source=\"simulated\",state=\"unknown\"} 0",
        "wavewitness_breathing_hertz{source=\"simulated\"} 0.25",
        "wavewitness_node_signal_dbm{node=\"1\"} -51.5",
        "wavewitness_node_silent{node=\"2\"} 1",
        "wavewitness_node_reboots_total{node=\"1\"} 4",
        "wavewitness_link_gate{gate=\"predict-only\",link=\"0\",rx=\"1\",tx=\"aa:bb:cc:00:00:01\"} 1",
        "wavewitness_link_gate{gate=\"accept\",link=\"0\",rx=\"1\",tx=\"aa:bb:cc:00:00:01\"} 0",
        "wavewitness_link_calibration{link=\"1\",rx=\"1\",state=\"refused\",tx=\"node 2\"} 1",
        "wavewitness_link_calibration_progress_ratio{link=\"0\",rx=\"1\",tx=\"aa:bb:cc:00:00:01\"} 0.25",
        "wavewitness_last_cycle_timestamp_seconds 9.5",
        "wavewitness_log_entries 99",
        "wavewitness_fall_timestamp_seconds{source=\"simulated\"} 8",
        "wavewitness_client_faults_total{reason=\"wrong-token\"} 6",
        "wavewitness_client_faults_total{reason=\"stalled\"} 0",
        "wavewitness_stage_compute_seconds_bucket{stage=\"gate\",le=\"0.000025\"} 1",
        "wavewitness_stage_compute_seconds_bucket{stage=\"gate\",le=\"0.00001\"} 0",
        "wavewitness_stage_compute_seconds_count{stage=\"witness\"} 1",
        "wavewitness_cycle_compute_seconds_sum 0.0012",
        "wavewitness_journal_sync_seconds_bucket{le=\"0.01\"} 0",
        "wavewitness_journal_sync_seconds_bucket{le=\"0.02\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[test]
fn what_is_not_known_has_no_sample() {
    let status = full();
    status.update(|s| {
        let frame = s.frame.as_mut().unwrap();
        frame.presence = Presence::Unknown(UnknownReason::NoData);
        frame.count = Count::Unknown(UnknownReason::NoData);
        frame.motion = None;
        frame.links.clear();
        s.log = None;
    });
    let text = text(&status);
    for gone in [
        "wavewitness_people{",
        "wavewitness_presence_probability",
        "wavewitness_motion_ratio",
        "wavewitness_link_",
        "wavewitness_log_",
        "wavewitness_node_signal_dbm{node=\"2\"}",
    ] {
        assert!(!text.contains(gone), "{gone} is in\n{text}");
    }
    assert!(text.contains("wavewitness_presence{source=\"simulated\",state=\"unknown\"} 1"));
    let empty = super::text(&Status::new(Digest::ZERO, Source::Live, Timestamp(0)));
    assert!(empty.contains("wavewitness_ready 0") && !empty.contains("wavewitness_presence"), "{empty}");
}

/// The names of series and the labels that each has.
fn series(text: &str) -> BTreeMap<String, Vec<String>> {
    let samples = text.lines().filter(|l| !l.starts_with('#'));
    let of = |line: &str| {
        let key = line.rsplit_once(' ').unwrap().0;
        let (name, labels) = key.split_once('{').unwrap_or((key, "}"));
        let labels = labels.trim_end_matches('}').split("\",");
        let labels = labels.filter_map(|l| Some(l.split_once('=')?.0.to_owned())).collect();
        (name.to_owned(), labels)
    };
    samples.map(of).collect()
}

/// Every `name` and `name{label…}` of our own in an expression, and every label that it groups by, with where it stands.
fn selectors(expression: &str) -> Vec<(String, Vec<String>)> {
    let mut out = Vec::new();
    for prefix in ["wavewitness_", "process_"] {
        for (at, _) in expression.match_indices(prefix) {
            let rest = &expression[at..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let labels = rest[end..].strip_prefix('{').and_then(|l| l.split_once('}')).map_or("", |(l, _)| l);
            let labels = labels
                .split(',')
                .filter_map(|l| Some(l.split_once('=')?.0.trim_end_matches(['!']).to_owned()));
            out.push((rest[..end].to_owned(), labels.collect()));
        }
    }
    out
}

fn deploy(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The values of a key anywhere in a document.
fn strings<'a>(value: &'a serde_json::Value, key: &str, out: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::Object(map) => {
            out.extend(map.get(key).and_then(|v| v.as_str()));
            map.values().for_each(|v| strings(v, key, out));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|v| strings(v, key, out)),
        _ => {}
    }
}

fn check(expressions: &[&str], least: usize) {
    let known = series(&text(&full()));
    let mut used = 0;
    for expression in expressions {
        for (name, labels) in selectors(expression) {
            used += 1;
            let has = known.get(&name).unwrap_or_else(|| panic!("{expression}: there is no {name}"));
            // What Prometheus adds when it scrapes.
            let missing =
                labels.iter().find(|l| !has.contains(l) && !["job", "instance"].contains(&l.as_str()));
            assert_eq!(missing, None, "{expression}: {name} has {has:?}");
        }
    }
    assert!(used >= least, "{used} series are used");
}

#[test]
fn the_dashboard_uses_what_is_there() {
    let dashboard: serde_json::Value = serde_json::from_str(&deploy("grafana/wavewitness.json")).unwrap();
    let mut expressions = Vec::new();
    strings(&dashboard, "expr", &mut expressions);
    strings(&dashboard, "query", &mut expressions);
    check(&expressions, 25);
    let mut sources = Vec::new();
    strings(&dashboard, "uid", &mut sources);
    assert!(sources.iter().all(|uid| ["${datasource}", "wavewitness"].contains(uid)), "{sources:?}");
}

#[test]
fn the_alerts_use_what_is_there() {
    let rules = deploy("prometheus/wavewitness.rules.yml");
    let expressions: Vec<_> = rules.lines().filter_map(|l| l.trim().strip_prefix("expr:")).collect();
    check(&expressions, 10);
}
