//! The real daemon on free ports of the loopback address, a simulated room that sends to it, and clients.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod written;

use futures_util::StreamExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use wavewitness_fixtures::motion::{Person, Walk};
use wavewitness_fixtures::{Datagram, Scene, Simulation};
use wavewitness_hub::boot;
use wavewitness_hub::client::Client;
use wavewitness_hub::clock::Clock;
use wavewitness_journal::{Chunk, Journal};
use wavewitness_proof::report::Report;
use wavewitness_proof::{replay, verify};
use wavewitness_types::Event;

const PATIENCE: Duration = Duration::from_secs(20);

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

/// A mesh of four nodes in which one person walks.
pub fn scene(seconds: u64) -> Scene {
    let mut scene = Scene::mesh("system test", seconds);
    let walk = Walk::from(1.3, 1.2).laps(&[[1.3, 1.2], [4.7, 1.2], [4.7, 3.1], [1.3, 3.1]], 20, 1.0);
    scene.people = vec![Person::new(1, walk)];
    scene
}

/// The configuration of [`scene`]'s room, with free ports; `hub` is more of the section `[hub]`.
pub fn configuration(data_dir: &Path, hub: &str) -> String {
    let scene = scene(1);
    let mut text = format!(
        "[hub]\ndata_dir = \"{}\"\nudp_bind = \"127.0.0.1:0\"\nhttp_bind = \"127.0.0.1:0\"\n\
         source = \"simulated\"\n{hub}\n[room]\nmin_m = {:?}\nmax_m = {:?}\n[tdma]\nslots = [1, 2, 3, 4]\n",
        data_dir.display(),
        scene.room.min_m,
        scene.room.max_m
    );
    for node in &scene.nodes {
        let (id, mac, position) = (node.id.0, node.mac, node.position_m);
        text.push_str(&format!("[[node]]\nid = {id}\nmac = \"{mac}\"\nposition_m = {position:?}\n"));
    }
    text
}

/// A data directory with its configuration file.
pub struct Site {
    pub dir: tempfile::TempDir,
    pub config: PathBuf,
}

impl Site {
    pub fn new(hub: &str) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("hub.toml");
        std::fs::write(&config, configuration(&dir.path().join("data"), hub)).unwrap();
        Site { dir, config }
    }

    pub fn journal(&self) -> PathBuf {
        boot::journal_dir(&self.dir.path().join("data"))
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavewitness"));
        command.args(["run", "--config"]).arg(&self.config);
        command
    }

    pub fn start(&self) -> Daemon {
        Daemon::start(self.command())
    }

    /// Every chunk of a sound journal.
    pub fn chunks(&self) -> Vec<Chunk> {
        let journal = Journal::open(&self.journal()).unwrap();
        journal.records().map(|item| item.unwrap_or_else(|fault| panic!("{fault}"))).collect()
    }

    pub fn events(&self) -> Vec<Event> {
        let chunks = self.chunks();
        let bytes = chunks.iter().flat_map(|c| c.events().iter());
        bytes.map(|b| Event::from_canonical_bytes(b).unwrap()).collect()
    }

    pub fn verified(&self) -> Report {
        verify::verify(&self.journal(), &mut |_, _| {}).unwrap()
    }

    /// Verified, every cycle computed again: nothing is wrong, and nothing left out.
    pub fn sound(&self) -> Report {
        let report = replay::replay(&self.journal(), &mut |_, _| {}).unwrap();
        let findings: String = report.findings().map(|f| format!("\n  {f}")).collect();
        assert!(report.is_clean(), "{findings}");
        assert_eq!(report.replayed_cycles(), report.cycles(), "{report:?}");
        report
    }
}

/// A running hub. It is killed if a test ends before it does.
pub struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    pub udp: SocketAddr,
    pub http: SocketAddr,
}

impl Daemon {
    /// Starts a command that is the hub, and waits until it serves.
    pub fn start(mut command: Command) -> Daemon {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, sink) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        let reader = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                *sink.lock().unwrap() += &(line + "\n");
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut hub = Daemon { child, log, reader: Some(reader), udp: nowhere, http: nowhere };
        hub.udp = hub.address("receiving on ");
        hub.http = hub.address("serving http");
        hub
    }

    fn address(&mut self, before: &str) -> SocketAddr {
        self.logged(before);
        let log = self.log();
        let rest = &log[log.find(before).unwrap() + before.len()..];
        let rest = rest.trim_start_matches('s').trim_start_matches("://");
        let text = rest.split([' ', '/', '\n']).next().unwrap();
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log holds a text.
    pub fn logged(&mut self, text: &str) {
        wait(&format!("\"{text}\" in the log"), || {
            // A line is only whole with the next one or the process's end.
            let found = self.log().contains(text);
            assert!(found || self.child.try_wait().unwrap().is_none(), "the hub ended:\n{}", self.log());
            found
        });
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end; the whole log is then there.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let mut status = None;
        wait("the hub's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        self.reader.take().unwrap().join().unwrap();
        (status.unwrap(), self.log())
    }

    pub fn terminate(self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.ended()
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        Client::plain(self.http).get(path).unwrap()
    }

    pub fn status(&self) -> Value {
        self.get("/api/v1/status").1
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end: its exit code and what it wrote.
pub fn output(mut command: Command) -> (Option<i32>, String) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

/// Looks every 10 ms.
pub fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let clock = Clock::start();
    let end = clock.now().plus_nanos(PATIENCE.as_nanos() as u64);
    while !done() {
        assert!(clock.now() < end, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A simulated room that sends at its real pace, to whatever hub is there.
pub struct Air {
    target: Arc<Mutex<Option<SocketAddr>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Air {
    pub fn start(seconds: u64, seed: u64) -> Air {
        let datagrams: Vec<Datagram> = Simulation::new(&scene(seconds), seed).collect();
        let (target, stop) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let (aim, ended) = (Arc::clone(&target), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let clock = Clock::start();
            let (begun, start) = (clock.now(), scene(1).start);
            // One socket a node: the hub tells senders apart by it.
            let mut sockets = BTreeMap::new();
            for datagram in datagrams {
                std::thread::sleep(clock.until(begun.plus_nanos(datagram.at.nanos_since(start))));
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let socket = sockets
                    .entry(datagram.from)
                    .or_insert_with(|| UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap());
                if let Some(target) = *aim.lock().unwrap() {
                    // Nobody is there while the hub is down.
                    let _ = socket.send_to(&datagram.bytes, target);
                }
            }
        });
        Air { target, stop, thread: Some(thread) }
    }

    pub fn aim(&self, hub: &Daemon) {
        *self.target.lock().unwrap() = Some(hub.udp);
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub type Socket = WebSocketStream<TcpStream>;

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A WebSocket client over a connection, with an `Origin` if one is given; else the answer's code.
pub async fn open(stream: TcpStream, origin: Option<&str>) -> Result<Socket, u16> {
    let host = stream.peer_addr().unwrap();
    let mut request = format!("ws://{host}/ws/poses").into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("Origin", origin.parse().unwrap());
    }
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(e) => panic!("{e}"),
    }
}

pub async fn connect(http: SocketAddr) -> Socket {
    open(TcpStream::connect(http).await.unwrap(), None).await.unwrap()
}

/// The next JSON message; `None` when the hub closes or is gone.
pub async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("no message for a long time") {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

/// Cycle and chain value of a cycle's message.
pub fn chained(message: &Value) -> (u64, String) {
    (message["cycle"].as_u64().unwrap(), message["witness"]["chain"].as_str().unwrap().to_owned())
}

/// Chain value by cycle, of a journal.
pub fn chain_values(chunks: &[Chunk]) -> BTreeMap<u64, String> {
    let mut out = BTreeMap::new();
    for chunk in chunks {
        if let (Some(cycle), Some(bytes)) = (chunk.cycle(), chunk.witness()) {
            let chain = wavewitness_witness::Witness::from_canonical_bytes(bytes).unwrap().chain;
            let before = out.insert(cycle.0, chain.to_string());
            assert_eq!(before, None, "cycle {} is there twice", cycle.0);
        }
    }
    out
}
