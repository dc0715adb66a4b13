//! Guards `/metrics` of a running hub: the counters move, `promtool` of Prometheus finds nothing to object to, and it takes the
//! alert rules and the scrape configuration of `deploy`.

mod common;

use common::{Air, Daemon, Site, wait};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

fn scrape(hub: &Daemon) -> String {
    let mut stream = TcpStream::connect(hub.http).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", hub.http).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/plain; version=0.0.4"), "{head}");
    body.to_owned()
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

/// What promtool says; `None` if there is none.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let started = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        eprintln!("SKIPPED: no promtool (Debian package prometheus) to be had: {arguments:?}");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|o| String::from_utf8_lossy(&o).into_owned());
    Some((output.status.success(), said.concat()))
}

#[test]
fn a_running_hub_is_measured() {
    let site = Site::new("");
    let hub = site.start();
    let air = Air::start(20, 7);
    air.aim(&hub);
    let mut text = String::new();
    wait("cycles with frames", || {
        text = scrape(&hub);
        text.contains("wavewitness_node_frames_total{node=\"4\"}")
            && value(&text, "wavewitness_cycles_total") > 40.0
    });
    let first = value(&text, "wavewitness_cycles_total");
    assert_eq!(value(&text, "wavewitness_source_info{source=\"simulated\"}"), 1.0);
    for histogram in ["cycle_compute", "cycle_lateness", "journal_write", "publish_delay"] {
        let count = value(&text, &format!("wavewitness_{histogram}_seconds_count"));
        assert!((count - first).abs() <= 3.0, "{histogram}: {count} of {first} cycles");
    }
    assert!(value(&text, "wavewitness_journal_sync_seconds_count") >= 1.0);
    // What the stages take is what the cycle takes, but for the stopwatch itself.
    let stages = ["phase-align", "calibration", "fusion", "gate", "pose", "world", "witness"]
        .map(|s| value(&text, &format!("wavewitness_stage_compute_seconds_sum{{stage=\"{s}\"}}")));
    let cycle = value(&text, "wavewitness_cycle_compute_seconds_sum");
    let sum: f64 = stages.iter().sum();
    assert!(stages.iter().all(|&s| s > 0.0) && (sum / cycle - 1.0).abs() < 0.02, "{stages:?} of {cycle}");
    wait("more cycles", || value(&scrape(&hub), "wavewitness_cycles_total") > first);
    if let Some((good, said)) = promtool(&["check", "metrics"], &text) {
        assert!(good && said.trim().is_empty(), "{said}");
    }
    let (ended, log) = hub.terminate();
    assert!(ended.success(), "{log}");
}

#[test]
fn prometheus_takes_what_deploy_gives_it() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus");
    for (what, file) in [("rules", "wavewitness.rules.yml"), ("config", "prometheus.yml")] {
        let path = dir.join(file);
        if let Some((good, said)) = promtool(&["check", what, path.to_str().unwrap()], "") {
            assert!(good, "{said}");
        }
    }
}
