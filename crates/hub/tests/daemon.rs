//! Guards the daemon as an operator meets it: what it says while it starts, runs and stops, that it refuses what is
//! wrong before it does anything, that nothing from the air ends it, and that what it can't write it does not publish.
//!
//! Has caught: terminal colours in the log of a service.

mod common;

use common::*;
use serde_json::json;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;
use wavewitness_hub::client::Client;
use wavewitness_types::{Command as Order, Event};

#[test]
fn it_starts_says_how_it_is_and_stops_in_order() {
    let site = Site::new("");
    let mut hub = site.start();
    assert!(hub.log().contains("begins"), "a new chain is never begun silently:\n{}", hub.log());
    wait("a cycle", || hub.status()["cycles"].as_u64() > Some(2));
    assert_eq!(hub.get("/health/live"), (200, json!({ "live": true, "reason": null })));
    let unready = |why: &str| (503, json!({ "ready": false, "reasons": [why] }));
    assert_eq!(hub.get("/health/ready"), unready("no node was heard yet"));
    let (code, health) = hub.get("/health");
    assert_eq!((code, &health["live"], &health["ready"]), (503, &true.into(), &false.into()));
    let air = Air::start(20, 1);
    air.aim(&hub);
    wait("four nodes", || hub.status()["nodes"].as_array().is_some_and(|n| n.len() == 4));
    wait("every link", || hub.status()["links"].as_array().is_some_and(|l| l.len() == 12));
    assert_eq!(hub.get("/health/ready"), unready("no link is calibrated"));
    let status = hub.status();
    assert_eq!(status["source"], "simulated");
    assert_eq!(status["udp"], hub.udp.to_string());
    assert_eq!(status["fault"], json!(null));
    assert!(status["cycle_age_ms"].as_u64() < Some(500), "{status}");
    let start = Client::plain(hub.http).post("/api/v1/calibration", &json!({ "action": "start" })).unwrap();
    assert_eq!(start, (202, json!({ "accepted": "start" })));
    let refused = Client::plain(hub.http).post("/api/v1/calibration", &json!({ "action": "stop" })).unwrap();
    assert_eq!(refused.0, 400);
    assert!(refused.1["error"].as_str().unwrap().contains("start, cancel or clear"), "{refused:?}");

    hub.signal("HUP");
    hub.logged("SIGHUP: log.filter, tokens, origins and certificate are reloaded");
    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, text.replace("[hub]", "[hub]\nmax_clients = 0")).unwrap();
    hub.signal("HUP");
    hub.logged("SIGHUP: hub.max_clients = 0: allowed is a whole number, 1 to 10000; nothing is changed");
    std::fs::write(&site.config, text).unwrap();

    // A second one on the same directory.
    let (code, said) = output(site.command());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("journal is in use by process {}", hub.id())), "{said}");

    let before = hub.status();
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    assert!(!log.contains('\x1b'), "colours belong to a terminal:\n{log}");
    assert!(log.contains("stopping: SIGTERM") && log.contains("stopped after"), "{log}");
    let report = site.sound();
    let [chain] = &report.chains[..] else { panic!("{report:?}") };
    assert_eq!((chain.boots, chain.stops, chain.unclean_boots), (1, 1, 0));
    assert_eq!(chain.notes, [] as [&str; 0], "closed in order");
    assert_eq!(before["genesis"].as_str().unwrap()[..16], chain.chain);
    assert!(chain.last_cycle >= before["cycle"].as_u64());
    assert!(log.contains(&format!("head {}", site_head_before_stop(&site))), "{log}");
    let events = site.events();
    assert!(matches!(events.last(), Some(Event::Stop { .. })), "the journal ends with the stop");
    let orders: Vec<_> = events.iter().filter(|e| matches!(e, Event::Command { .. })).collect();
    assert!(matches!(orders[..], [Event::Command { command: Order::StartCalibration, .. }]), "{orders:?}");
}

/// The chain value of the journal's last entry.
#[test]
fn to_be_halted_and_go_on_is_no_trouble_of_the_network() {
    let site = Site::new("");
    let hub = site.start();
    for _ in 0..3 {
        let before = hub.status()["cycles"].as_u64().unwrap();
        hub.signal("STOP");
        std::thread::sleep(Duration::from_millis(200));
        hub.signal("CONT");
        wait("cycles again", || hub.status()["cycles"].as_u64().unwrap() > before + 3);
    }
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    assert!(!log.contains("receiving a datagram"), "{log}");
}

fn site_head_before_stop(site: &Site) -> String {
    let chunks = site.chunks();
    let last = chunks.last().unwrap().witness().unwrap();
    wavewitness_witness::Witness::from_canonical_bytes(last).unwrap().chain.to_string()
}

#[test]
fn a_wrong_configuration_is_refused_before_anything_is_done() {
    let site = Site::new("");
    let good = std::fs::read_to_string(&site.config).unwrap();
    for (from, to, said) in [
        (
            "udp_bind = \"127.0.0.1:0\"",
            "udp_bind = \"5005\"",
            "hub.udp_bind = \"5005\": allowed is address:port",
        ),
        (
            "[hub]",
            "[hub]\nmax_clients = 20000",
            "hub.max_clients = 20000: allowed is a whole number, 1 to 10000",
        ),
        ("[hub]", "[hub]\nprot = 1", "hub.prot = (unknown key): allowed is one of: data_dir, udp_bind"),
        ("id = 3", "id = 2", "node.id = 2: allowed is each id once"),
        ("[room]", "[calibration]\nobservations = 3\n[room]", "calibration.observations = 3: allowed is"),
        ("[room]", "[room", "a TOML document"),
        ("[hub]", "[log]\nfilter = \"no=such=level\"\n[hub]", "log.filter = no=such=level"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(&site.config, good.replacen(from, to, 1)).unwrap();
        let (code, text) = output(site.command());
        assert_eq!(code, Some(2), "{to}: {text}");
        assert!(text.contains(said), "{to}: {text}");
        assert!(!site.journal().exists(), "{to}: a journal was begun");
    }
    std::fs::remove_file(&site.config).unwrap();
    let (code, text) = output(site.command());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("can't read") && text.contains("hub.toml"), "{text}");
}

#[test]
fn garbage_is_counted_by_reason_and_ends_nothing() {
    let site = Site::new("");
    let hub = site.start();
    let air = Air::start(20, 2);
    air.aim(&hub);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut random = Random(5);
    let csi = |length: usize| {
        let mut bytes = 0xC511_0001u32.to_le_bytes().to_vec();
        bytes.resize(length, 0);
        bytes
    };
    let mut sent = 0;
    for k in 0..120 {
        let bytes = match k % 4 {
            0 => random.bytes(1 + (k as usize * 37) % 1500),
            1 => Vec::new(),
            2 => csi(21),
            _ => csi(1400),
        };
        socket.send_to(&bytes, hub.udp).unwrap();
        sent += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    // Longer than any that is accepted: left out before the journal, and counted apart.
    for _ in 0..3 {
        socket.send_to(&random.bytes(20_000), hub.udp).unwrap();
    }
    wait("every one counted", || {
        let rejected = hub.status()["rejected"].clone();
        let counts = rejected.as_object().into_iter().flatten();
        counts.filter_map(|(_, n)| n.as_u64()).sum::<u64>() >= sent
    });
    let status = hub.status();
    let reasons = status["rejected"].as_object().unwrap();
    let total: u64 = reasons.values().filter_map(|n| n.as_u64()).sum();
    assert_eq!(total, sent, "what the room sends is not rejected: {reasons:?}");
    assert!(reasons.len() >= 2, "{reasons:?}");
    assert_eq!(status["overflow_datagrams"], 3);
    assert_eq!(hub.get("/health/live").0, 200);
    assert_eq!(status["nodes"].as_array().unwrap().len(), 4, "garbage makes no node: {}", status["nodes"]);
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "never logged per packet:\n{log}");
    site.sound();
}

/// The limit of a process's file size stands for the full disk.
#[test]
fn what_can_not_be_written_is_not_published() {
    let site = Site::new("");
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ && ulimit -f 128 && exec \"$0\" run --config \"$1\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_wavewitness")]).arg(&site.config);
    let hub = Daemon::start(command);
    let air = Air::start(30, 3);
    air.aim(&hub);
    let (mut received, mut told) = (Vec::new(), None);
    runtime().block_on(async {
        let mut socket = connect(hub.http).await;
        while let Some(message) = next(&mut socket).await {
            match message["type"].as_str().unwrap() {
                "cycle" => {
                    assert_eq!(told, None, "published after it stopped");
                    received.push(chained(&message));
                }
                "stopped" => told = Some(message["reason"].as_str().unwrap().to_owned()),
                _ => {}
            }
        }
    });
    let (exit, log) = hub.ended();
    assert_eq!(exit.code(), Some(1), "{log}");
    assert!(log.contains("the journal can't be written, publishing stops"), "{log}");
    let told = told.unwrap_or_else(|| panic!("clients were not told:\n{log}"));
    assert!(told.contains("the journal can't be written"), "{told}");
    assert!(received.len() > 3, "{received:?}");
    // What was published is in the journal; what could not be written whole is set aside at the next start.
    assert!(site.verified().is_clean());
    let (exit, log) = site.start().terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    assert!(log.contains("goes on from"), "{log}");
    let report = site.sound();
    assert_eq!((report.chains.len(), report.chains[0].boots, report.chains[0].unclean_boots), (1, 2, 1));
    let stored = chain_values(&site.chunks());
    for (cycle, chain) in received {
        assert_eq!(stored.get(&cycle), Some(&chain), "cycle {cycle}");
    }
}

/// Status code and body of a GET, as they are.
fn fetch(http: std::net::SocketAddr, path: &str) -> (u16, Vec<u8>) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(http).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let code = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (code, answer.split_off(end))
}

/// What somebody sees of a log who has its address and its root key, and nothing else.
struct Remote(std::net::SocketAddr);

impl wavewitness_log::Storage for Remote {
    fn read(&mut self, path: wavewitness_log::TilePath, out: &mut Vec<u8>) -> bool {
        let (code, body) = fetch(self.0, &format!("/log/{path}"));
        *out = body;
        code == 200
    }
}

#[test]
fn the_log_is_signed_each_second_and_can_be_checked_from_afar() {
    use wavewitness_log::{Checkpoint, Hash, KeyHistory, StoredTiles, root};
    let site = Site::new("");
    let key = site.dir.path().join("root.key");
    let public = wavewitness_hub::witness_log::new_key(&key, "example.org/hub").unwrap();
    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, format!("{text}[witness_log]\nkey_file = \"{}\"\n", key.display())).unwrap();
    let mut heads: Vec<Checkpoint> = Vec::new();
    let mut logs = String::new();
    for end in ["KILL", "KILL", "TERM"] {
        let hub = site.start();
        let epoch = heads.len() as u64 / 2;
        wait("a checkpoint", || hub.status()["log"]["epoch"].as_u64() == Some(epoch));
        for _ in 0..2 {
            let before = hub.status()["log"]["size"].as_u64();
            wait("the next checkpoint", || hub.status()["log"]["size"].as_u64() > before);
            let mut keys = KeyHistory::new("example.org/hub", public.clone());
            for epoch in 0.. {
                let (code, note) = fetch(hub.http, &format!("/log/certificates/{epoch:06}"));
                if code == 404 {
                    break;
                }
                let certificate =
                    wavewitness_log::Certificate::open(&note, "example.org/hub", &public).unwrap();
                keys.add(certificate.after, &note).unwrap();
            }
            let (code, note) = fetch(hub.http, "/log/checkpoint");
            assert_eq!(code, 200);
            let head = keys.open(&note).unwrap();
            for old in heads.iter().chain([&head]) {
                let rebuilt: Hash =
                    root(&mut StoredTiles::new(&mut Remote(hub.http), head.size), old.size).unwrap();
                assert_eq!(rebuilt, old.root, "at size {}", old.size);
            }
            heads.push(head);
        }
        for refused in
            ["log.lock", "../root.key", "%2e%2e/root.key", "tile/0/../../log.lock", "tile/0/999", "x", ""]
        {
            assert_eq!(fetch(hub.http, &format!("/log/{refused}")).0, 404, "{refused}");
        }
        match end {
            "KILL" => hub.kill(),
            _ => logs = hub.terminate().1,
        }
    }
    let sizes: Vec<_> = heads.iter().map(|h| h.size).collect();
    assert!(sizes.is_sorted() && sizes[0] > 10, "{sizes:?}");
    site.sound();
    let secret = std::fs::read_to_string(&key).unwrap();
    // `PRIVATE+KEY+name+hash+base64`, of which base64 has plus signs too.
    let private = secret.trim_end().splitn(5, '+').last().unwrap();
    assert!(private.len() == 44 && !logs.contains(private), "the key is never logged");

    // A key that others can read stops the start, and says what to do.
    let mode = Command::new("chmod").arg("644").arg(&key).status().unwrap();
    assert!(mode.success());
    let (code, said) = output(site.command());
    assert!(code == Some(1) && said.contains("0644") && said.contains("chmod 600"), "{said}");
}
