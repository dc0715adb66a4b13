//! Guards `/ws/poses` as `docs/protocol.md` has it: a hello, then every cycle at 20 Hz with the chain value that the
//! journal holds; a client that does not read costs nobody else a cycle and is told what it missed; who may not
//! subscribe does not. Once with a client that others wrote (Python's `websockets`).

mod common;

use common::*;
use futures_util::SinkExt;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// What a client received is what the journal holds, cycle by cycle, from the first to the last that it got. (A cycle
/// that a busy machine misses is in neither.)
fn complete(site: &Site, received: &[(u64, String)]) {
    let (first, last) = (received[0].0, received[received.len() - 1].0);
    let stored: Vec<_> =
        chain_values(&site.chunks()).into_iter().filter(|(k, _)| (first..=last).contains(k)).collect();
    assert_eq!(received, stored, "what was received and what is in the journal");
    let missed = site.sound().chains[0].missed_cycles;
    if missed > 0 {
        eprintln!("this machine was too busy for {missed} cycles");
    }
}

#[test]
fn every_cycle_comes_with_the_chain_value_of_the_journal() {
    let site = Site::new("");
    let hub = site.start();
    let air = Air::start(20, 1);
    air.aim(&hub);
    let (hello, messages) = runtime().block_on(async {
        let mut socket = connect(hub.http).await;
        let hello = next(&mut socket).await.unwrap();
        let mut messages = Vec::new();
        while messages.len() < 100 {
            messages.push(next(&mut socket).await.unwrap());
        }
        (hello, messages)
    });
    let status = hub.status();
    assert_eq!(status["dropped_cycles"], 0);
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");

    assert_eq!((&hello["type"], &hello["schema"]), (&"hello".into(), &1.into()));
    assert_eq!((&hello["source"], &hello["cycle_hz"]), (&"simulated".into(), &20.into()));
    assert_eq!(hello["keypoints"].as_array().unwrap().len(), 17);
    assert_eq!(hello["genesis"], status["genesis"]);
    complete(&site, &messages.iter().map(chained).collect::<Vec<_>>());
    let at = |m: &Value| m["at_ns"].as_str().unwrap().parse::<u64>().unwrap();
    let (cycle, begun) = (chained(&messages[0]).0, at(&messages[0]));
    for message in &messages {
        assert_eq!(at(message) - begun, (chained(message).0 - cycle) * 50_000_000, "20 Hz");
        assert_eq!((&message["type"], &message["source"]), (&"cycle".into(), &"simulated".into()));
        assert_eq!(message["witness"]["genesis"], hello["genesis"]);
    }
    assert_eq!(messages[99]["nodes"].as_array().unwrap().len(), 4);
    assert_eq!(messages[99]["links"].as_array().unwrap().len(), 12);
}

/// A connection that takes in little: it stands for a client on a bad network.
async fn narrow(http: std::net::SocketAddr) -> Socket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    open(socket.connect(http).await.unwrap(), None).await.unwrap()
}

#[test]
fn a_client_that_does_not_read_is_told_what_it_missed_and_costs_nobody_a_cycle() {
    let site = Site::new("");
    let hub = site.start();
    let air = Air::start(60, 2);
    air.aim(&hub);
    let (good, slow, missed) = runtime().block_on(async {
        wait("every link", || hub.status()["links"].as_array().is_some_and(|l| l.len() == 12));
        let mut slow = narrow(hub.http).await;
        let mut good = connect(hub.http).await;
        assert_eq!(next(&mut good).await.unwrap()["type"], "hello");
        let mut messages = Vec::new();
        // The slow one reads nothing for 5 s. (For 10 s, and it would be disconnected.)
        while messages.len() < 100 {
            messages.push(next(&mut good).await.unwrap());
        }
        let newest = chained(&messages[99]).0;
        let (mut cycles, mut missed, mut waited) = (Vec::new(), 0, 0);
        while missed == 0 || cycles.len() < 60 {
            let message = next(&mut slow).await.expect("the slow one stays connected");
            match message["type"].as_str().unwrap() {
                "cycle" => cycles.push(chained(&message)),
                "dropped" => {
                    missed += message["cycles"].as_u64().unwrap();
                    assert_eq!(message["total"], missed);
                    waited = cycles.len();
                }
                _ => {}
            }
            let told = missed > 0 || cycles.last().is_none_or(|c| c.0 < newest);
            assert!(told, "the latest did not win: nothing was left out");
            while messages.len() < 100 + cycles.len() {
                messages.push(next(&mut good).await.unwrap());
            }
        }
        // Had the kernel its way, it would keep the oldest seconds for the slow one.
        println!("{waited} cycles had waited for the slow one, {missed} were left out");
        assert!(waited < 80, "{waited} cycles had waited for the slow one, {missed} were left out");
        (messages, cycles, missed)
    });
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    assert!(good.iter().all(|m| m["type"] == "cycle"));
    complete(&site, &good.iter().map(chained).collect::<Vec<_>>());
    // What the slow one got, and as many as it was told, are all that there were.
    let stored = chain_values(&site.chunks());
    let (first, last) = (slow[0].0, slow[slow.len() - 1].0);
    assert_eq!(stored.range(first..=last).count() as u64, slow.len() as u64 + missed);
    assert!(slow.is_sorted() && slow.iter().all(|(cycle, chain)| stored.get(cycle) == Some(chain)));
}

#[test]
fn who_may_not_subscribe_does_not() {
    let site = Site::new("max_clients = 2");
    let hub = site.start();
    runtime().block_on(async {
        let stream = || TcpStream::connect(hub.http);
        for origin in ["http://evil.example", "null", "http://127.0.0.1", "https://localhost"] {
            let refused = open(stream().await.unwrap(), Some(origin)).await.err();
            assert_eq!(refused, Some(403), "{origin}");
        }
        let own = format!("http://{}", hub.http);
        let mut first = open(stream().await.unwrap(), Some(&own)).await.unwrap();
        assert_eq!(next(&mut first).await.unwrap()["type"], "hello");
        let mut second = connect(hub.http).await;
        assert_eq!(hub.status()["clients"], 2);
        assert_eq!(open(stream().await.unwrap(), None).await.err(), Some(503), "one too many");
        // What a client says has no meaning, unless it is too much.
        second.send(Message::text("x".repeat(4000))).await.unwrap();
        assert_eq!(next(&mut second).await.unwrap()["type"], "hello");
        assert_eq!(next(&mut second).await.unwrap()["type"], "cycle");
        second.send(Message::text("x".repeat(5000))).await.unwrap();
        while next(&mut second).await.is_some() {}
        wait("the place of the one that was closed", || hub.status()["clients"] == 1);
        let mut third = connect(hub.http).await;
        assert_eq!(next(&mut third).await.unwrap()["type"], "hello");
        assert_eq!(next(&mut first).await.unwrap()["type"], "cycle", "the first one has lost nothing by it");
    });
    // No upgrade, no socket.
    assert!(client_error(hub.http).contains("426"));
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
}

/// The first line of the answer to a plain request.
fn client_error(http: std::net::SocketAddr) -> String {
    use std::io::{BufRead, Write};
    let mut stream = std::net::TcpStream::connect(http).unwrap();
    write!(stream, "GET /ws/poses HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n").unwrap();
    std::io::BufReader::new(stream).lines().next().unwrap().unwrap()
}

const PYTHON: &str = r#"
import json, sys, time
from websockets.sync.client import connect
url, seconds = sys.argv[1], float(sys.argv[2])
wanted = round(20 * seconds)
with connect(url) as socket:
    hello = json.loads(socket.recv())
    cycles, others, began = [], [], time.monotonic()
    while len(cycles) < wanted:
        message = json.loads(socket.recv(timeout=5))
        (cycles if message["type"] == "cycle" else others).append(message)
    lasted = time.monotonic() - began
print(json.dumps({"hello": hello["type"], "others": len(others), "lasted": lasted,
                  "cycles": [[m["cycle"], m["witness"]["chain"]] for m in cycles]}))
"#;

#[test]
fn a_client_that_others_wrote_receives_without_a_gap() {
    let python = std::env::var("WAVEWITNESS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "from websockets.sync.client import connect"]).output();
    if !has.is_ok_and(|o| o.status.success()) {
        eprintln!(
            "SKIPPED: {python} has no package `websockets` (12 or later); set WAVEWITNESS_PYTHON to one that has"
        );
        return;
    }
    let seconds: u64 = std::env::var("WAVEWITNESS_WS_SECONDS").map_or(10, |s| s.parse().unwrap());
    let site = Site::new("");
    let hub = site.start();
    let air = Air::start(seconds + 10, 3);
    air.aim(&hub);
    std::thread::sleep(Duration::from_millis(500));
    let url = format!("ws://{}/ws/poses", hub.http);
    let out = Command::new(&python).args(["-c", PYTHON, &url, &seconds.to_string()]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    let said: Value = serde_json::from_str(&text).unwrap();
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    assert_eq!((&said["hello"], &said["others"]), (&"hello".into(), &0.into()));
    let pairs = said["cycles"].as_array().unwrap().iter();
    let received: Vec<(u64, String)> =
        pairs.map(|p| (p[0].as_u64().unwrap(), p[1].as_str().unwrap().to_owned())).collect();
    complete(&site, &received);
    let numbers = received[received.len() - 1].0 - received[0].0 + 1;
    println!(
        "{} cycles in {} s, numbers {numbers}, without a gap against the journal",
        received.len(),
        said["lasted"]
    );
    assert_eq!(received.len() as u64, 20 * seconds);
}
