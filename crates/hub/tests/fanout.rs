//! How the hub serves very many subscribers beside its cycle. A measurement, not a test: it prints figures and judges only
//! what must hold on any machine. Ignored by default:
//!
//! `cargo test --profile quick -p wavewitness-hub --test fanout -- --ignored --nocapture`
//!
//! `FANOUT_CLIENTS` (1000; 0 for the hub alone), `FANOUT_STALLED` (100), `FANOUT_SECONDS` (20), `FANOUT_TOPICS` (`poses`), `FANOUT_FORMAT` (`json`).
//! Clients are in this process, on one thread: with the hub that makes two busy cores.

mod common;

use common::*;
use futures_util::StreamExt;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use wavewitness_hub::clock::Clock;

fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// Subscribes; a stalled one takes in little and reads nothing.
async fn client(http: SocketAddr, path: String, narrow: bool) -> Socket {
    let socket = TcpSocket::new_v4().unwrap();
    if narrow {
        socket.set_recv_buffer_size(4096).unwrap();
    }
    let stream = socket.connect(http).await.unwrap();
    let request = format!("ws://{http}{path}").into_client_request().unwrap();
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

/// The end of a cycle, from the first `at_ns` of a message in either form.
fn at_ns(bytes: &[u8]) -> Option<u64> {
    let at = bytes.windows(5).position(|w| w == b"at_ns")? + 5;
    let digits = bytes[at..].iter().skip_while(|b| !b.is_ascii_digit()).take_while(|b| b.is_ascii_digit());
    std::str::from_utf8(&digits.copied().collect::<Vec<_>>()).ok()?.parse().ok()
}

/// Latencies in ns, and messages that said that something was left out.
async fn receive(mut socket: Socket, clock: Clock, seconds: u64) -> (Vec<u64>, u64) {
    let (mut latencies, mut told) = (Vec::with_capacity(20 * seconds as usize), 0);
    let deadline = tokio::time::sleep(Duration::from_secs(seconds));
    tokio::pin!(deadline);
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = &mut deadline => break,
        };
        let bytes = match message {
            Some(Ok(Message::Text(text))) => tokio_tungstenite::tungstenite::Bytes::from(text),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(_)) => continue,
            Some(Err(_)) | None => break,
        };
        match at_ns(&bytes) {
            Some(at) => latencies.push(clock.now().0.saturating_sub(at)),
            None => told += u64::from(bytes.windows(7).any(|w| w == b"dropped")),
        }
    }
    let _ = socket.close(None).await;
    (latencies, told)
}

/// Processor time of a process, in the kernel's ticks of 10 ms.
fn cpu_s(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |k: usize| fields.get(k).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

#[test]
#[ignore = "a measurement: see the top of the file"]
fn very_many_subscribers() {
    let number = |name, otherwise| setting(name, otherwise).parse::<u64>().unwrap();
    let (clients, stalled) = (number("FANOUT_CLIENTS", "1000"), number("FANOUT_STALLED", "100"));
    let seconds = number("FANOUT_SECONDS", "20");
    let (topics, format) = (setting("FANOUT_TOPICS", "poses"), setting("FANOUT_FORMAT", "json"));
    let site = Site::new("max_clients = 4000");
    let hub = site.start();
    let air = Air::start(seconds + 60, 1);
    air.aim(&hub);
    wait("every link", || hub.status()["links"].as_array().is_some_and(|l| l.len() == 12));
    let before = hub.status();
    let path = format!("/ws/v1?topics={topics}&format={format}");
    let clock = Clock::start();
    let spent = [cpu_s(hub.id()), cpu_s(std::process::id())];
    let (mut latencies, told, complete) = runtime().block_on(async {
        let mut kept = Vec::new();
        for _ in 0..stalled {
            kept.push(client(hub.http, "/ws/poses".to_owned(), true).await);
        }
        let mut tasks = Vec::new();
        for _ in 0..clients {
            let socket = client(hub.http, path.clone(), false).await;
            tasks.push(tokio::spawn(receive(socket, clock, seconds)));
        }
        println!("{clients} clients of {topics} ({format}), {stalled} stalled beside them");
        let (mut all, mut told, mut least) = (Vec::new(), 0, usize::MAX);
        if clients == 0 {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        for task in tasks {
            let (latencies, drops) = task.await.unwrap();
            least = least.min(latencies.len());
            all.extend(latencies);
            told += drops;
        }
        (all, told, least)
    });
    let after = hub.status();
    let used = [cpu_s(hub.id()) - spent[0], cpu_s(std::process::id()) - spent[1]];
    let memory = std::fs::read_to_string(format!("/proc/{}/status", hub.id())).unwrap_or_default();
    let resident = memory.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("VmHWM unknown").to_owned();
    let took = |key: &str| after[key].as_u64().unwrap_or(0) - before[key].as_u64().unwrap_or(0);
    latencies.sort_unstable();
    if let Some(last) = latencies.len().checked_sub(1) {
        let at = |permille: usize| latencies[last * permille / 1000] as f64 / 1e6;
        println!("{} messages, the least of a client {complete}, told of drops {told}", latencies.len());
        println!(
            "from the end of the cycle to the client: p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms",
            at(500),
            at(990),
            at(999)
        );
    }
    println!("cycles {}, missed {}, compute {}", took("cycles"), took("missed_cycles"), after["compute_us"]);
    println!("served {}, left out for all {}, {resident}", after["served"], took("dropped_cycles"));
    println!("cores: the hub used {:.1} s, the clients {:.1} s", used[0], used[1]);
    println!("the room is SIMULATED, the sockets are real");
    assert!(clients == 0 || latencies.len() as u64 > clients, "nobody got anything");
    if stalled > 0 && seconds > 12 {
        assert!(after["served"]["stalled"].as_u64() > Some(0), "stalled clients stay: {}", after["served"]);
    }
}
