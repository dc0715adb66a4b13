//! `wavewitness simulate`: a room of a scene file, as datagrams to a hub, as a capture, and as the truth behind them.
//!
//! Everything that goes out says that it is simulated: the stream carries the simulator's markers, the capture's source and
//! the truth's first line name it.

mod clocks;
mod scene_file;
mod section;

pub use scene_file::SceneFile;

use crate::cli::{Pace, SimulateArgs};
use crate::clock::{Clock, Stopwatch};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use wavewitness_fixtures::{Datagram, Scene, Simulation, TruthPose};
use wavewitness_journal::{ChainId, CycleRecord, EventBytes, JournalDir, Options, Writer};
use wavewitness_types::pose_frame::KEYPOINT_NAMES;
use wavewitness_types::{Canonical, CycleIndex, Event, Sender, Source, Timestamp};

type Failure = Box<dyn Error + Send + Sync>;

const CYCLE_NS: u64 = 50_000_000;

/// Runs `simulate`.
///
/// # Errors
/// If the scene is refused, or what was asked for can't be sent or written.
pub fn simulate(args: &SimulateArgs) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&args.scene)
        .map_err(|e| format!("can't read {}: {e}", args.scene.display()))?;
    let SceneFile { scene, seed } =
        SceneFile::from_toml(&text).map_err(|e| format!("{}: {e}", args.scene.display()))?;
    let seed = args.seed.unwrap_or(seed);
    if let Some(path) = &args.hub_config {
        std::fs::write(path, hub_config(&scene))
            .map_err(|e| format!("can't write {}: {e}", path.display()))?;
    }
    let watch = Stopwatch::start();
    if let Some(path) = &args.truth {
        write_truth(&scene, seed, path).map_err(|e| format!("can't write {}: {e}", path.display()))?;
    }
    let mut sockets = args.send_to.map(|target| Sockets::new(target, args.pace));
    let mut capture = args.out.as_deref().map(|dir| Recording::begin(dir, scene.start)).transpose()?;
    let mut simulation = Simulation::new(&scene, seed);
    let mut total = 0u64;
    for datagram in simulation.by_ref() {
        total += 1;
        if let Some(sockets) = &mut sockets {
            sockets.send(&scene, &datagram)?;
        }
        if let Some(capture) = &mut capture {
            capture.take(datagram)?;
        }
    }
    if let Some(capture) = capture {
        capture.end()?;
    }
    let (seconds, elapsed) = (scene.duration_ns as f64 / 1e9, watch.nanos() as f64 / 1e9);
    let stats = simulation.stats();
    println!(
        "SIMULATED {}: {total} datagrams over {seconds:.0} s in {elapsed:.2} s, {:.0} × real time; seed {seed}; {} lost on the way, {} twice",
        scene.name,
        seconds / elapsed,
        stats.lost,
        stats.duplicated
    );
    Ok(())
}

/// One socket a node: a hub tells senders apart by it.
struct Sockets {
    target: SocketAddr,
    pace: Pace,
    clock: Clock,
    begun: Timestamp,
    open: BTreeMap<Sender, UdpSocket>,
}

impl Sockets {
    fn new(target: SocketAddr, pace: Pace) -> Sockets {
        let clock = Clock::start();
        Sockets { target, pace, clock, begun: clock.now(), open: BTreeMap::new() }
    }

    fn send(&mut self, scene: &Scene, datagram: &Datagram) -> std::io::Result<()> {
        if self.pace == Pace::Real {
            let due = self.begun.plus_nanos(datagram.at.nanos_since(scene.start));
            std::thread::sleep(self.clock.until(due));
        }
        let socket = match self.open.entry(datagram.from) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let any: SocketAddr =
                    if self.target.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
                entry.insert(UdpSocket::bind(any)?)
            }
        };
        socket.send_to(&datagram.bytes, self.target).map(|_| ())
    }
}

/// A capture as `wavewitness record` makes it, with the source `simulated`.
struct Recording {
    writer: Writer,
    start: Timestamp,
    cycle: u64,
    batch: Vec<(Timestamp, Vec<u8>)>,
}

impl Recording {
    fn begin(dir: &Path, start: Timestamp) -> Result<Recording, Failure> {
        if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(format!("{} is not empty: give a new directory", dir.display()).into());
        }
        let lock = JournalDir::lock(dir)?;
        let id = ChainId(start.0);
        let writer = Writer::create(lock, id, Source::Simulated, &[], &[], start, Options::default())?;
        Ok(Recording { writer, start, cycle: 0, batch: Vec::new() })
    }

    fn take(&mut self, Datagram { at, from, bytes }: Datagram) -> Result<(), Failure> {
        let cycle = at.nanos_since(self.start) / CYCLE_NS;
        if cycle != self.cycle {
            self.flush()?;
            self.cycle = cycle;
        }
        self.batch.push((at, Event::Datagram { at, from, bytes }.to_canonical_bytes()));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let events: Vec<_> = self.batch.iter().map(|(at, bytes)| EventBytes { at: *at, bytes }).collect();
        let record = CycleRecord {
            cycle: CycleIndex(self.cycle),
            at: self.start.plus_nanos((self.cycle + 1) * CYCLE_NS),
            events: &events,
            witness: None,
            pose: None,
        };
        self.writer.append_cycle(&record, Vec::new)?;
        self.batch.clear();
        Ok(())
    }

    fn end(mut self) -> Result<(), Failure> {
        self.flush()?;
        self.writer.close()?;
        Ok(())
    }
}

/// The truth as JSON lines: what it is of, then one line a cycle of 50 ms, at its end.
fn write_truth(scene: &Scene, seed: u64, path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let head = json!({
        "source": "simulated",
        "scene": scene.name,
        "seed": seed,
        "start_ns": scene.start.0,
        "duration_s": scene.duration_ns as f64 / 1e9,
        "cycle_ms": CYCLE_NS / 1_000_000,
        "joints": KEYPOINT_NAMES,
    });
    writeln!(out, "{head}")?;
    for cycle in 1..=scene.duration_ns / CYCLE_NS {
        let at = scene.start.plus_nanos(cycle * CYCLE_NS);
        let people: Vec<Value> = scene.truth_poses(at).iter().map(person).collect();
        let line = json!({"t_s": (cycle * CYCLE_NS) as f64 / 1e9, "at_ns": at.0, "people": people});
        writeln!(out, "{line}")?;
    }
    out.flush()
}

fn person(p: &TruthPose) -> Value {
    // A tenth of a millimetre is beyond what any estimate resolves.
    let short = |x: f64| (x * 1e4).round() / 1e4;
    let three = |v: [f64; 3]| v.map(short);
    json!({
        "id": p.id,
        "posture": p.posture.name(),
        "in_room": short(p.weight),
        "stature_m": short(p.stature_m),
        "heading_rad": short(p.heading_rad),
        "root_m": three(p.root_m),
        "root_velocity_m_s": three(p.root_velocity_m_s),
        "centre_m": three(p.centre_m),
        "centre_velocity_m_s": three(p.centre_velocity_m_s),
        "joints_m": p.joints_m.map(three),
    })
}

/// What a hub has to know of the room.
fn hub_config(scene: &Scene) -> String {
    let geometry = scene.geometry();
    let mut out = format!(
        "# Of the simulated scene {}.\n[hub]\nsource = \"simulated\"\n\n[room]\nmin_m = {:?}\nmax_m = {:?}\n",
        scene.name, scene.room.min_m, scene.room.max_m
    );
    for node in &geometry.nodes {
        out.push_str(&format!("\n[[node]]\nid = {}\n", node.id.0));
        if let Some(mac) = node.mac {
            out.push_str(&format!("mac = \"{mac}\"\n"));
        }
        if let Some(place) = node.position_m {
            out.push_str(&format!("position_m = {place:?}\n"));
        }
    }
    for point in &geometry.access_points {
        out.push_str(&format!("\n[[access_point]]\nmac = \"{}\"\n", point.mac));
        if let Some(place) = point.position_m {
            out.push_str(&format!("position_m = {place:?}\n"));
        }
    }
    let slots: Vec<String> = scene.cycle_plan().slots.iter().map(|id| id.0.to_string()).collect();
    if !slots.is_empty() {
        out.push_str(&format!("\n[tdma]\nslots = [{}]\n", slots.join(", ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HubConfig;
    use wavewitness_journal::Capture;

    const SCENE: &str =
        "duration_s = 3\nname = \"small\"\n[[person]]\nstart_m = [2, 2]\nscript = [{ walk = [4, 3] }]\n";

    fn run(dir: &Path, send_to: Option<SocketAddr>) -> SimulateArgs {
        let scene = dir.join("scene.toml");
        std::fs::write(&scene, SCENE).unwrap();
        let args = SimulateArgs {
            scene,
            send_to,
            pace: Pace::Fast,
            out: Some(dir.join("capture")),
            truth: Some(dir.join("truth.jsonl")),
            hub_config: Some(dir.join("hub.toml")),
            seed: None,
        };
        simulate(&args).unwrap();
        args
    }

    #[test]
    fn capture_truth_and_configuration_fit_together_and_say_simulated() {
        let dir = tempfile::tempdir().unwrap();
        let args = run(dir.path(), None);
        let file = SceneFile::from_toml(SCENE).unwrap();
        let sent: Vec<Event> = Simulation::new(&file.scene, 1).map(Datagram::into_event).collect();
        let mut capture = Capture::open(&args.out.unwrap()).unwrap();
        assert_eq!(capture.source(), Source::Simulated);
        let kept: Vec<Event> = capture.by_ref().map(Result::unwrap).collect();
        assert_eq!(kept, sent);
        let config =
            HubConfig::from_toml(&std::fs::read_to_string(args.hub_config.unwrap()).unwrap()).unwrap();
        assert_eq!(config.source, Source::Simulated);
        assert_eq!(config.engine.geometry, file.scene.geometry());
        assert_eq!(config.engine.cycle, file.scene.cycle_plan());
        let truth = std::fs::read_to_string(args.truth.unwrap()).unwrap();
        let lines: Vec<Value> = truth.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 61);
        assert_eq!(lines[0]["source"], "simulated");
        assert_eq!(lines[0]["joints"].as_array().unwrap().len(), 17);
        let last = &lines[60]["people"][0];
        let pose = file.scene.truth_poses(file.scene.start.plus_nanos(3_000_000_000))[0];
        assert_eq!(last["posture"], "walking");
        assert!((last["joints_m"][15][1].as_f64().unwrap() - pose.joints_m[15][1]).abs() < 1e-4);
    }

    #[test]
    fn every_node_sends_from_a_socket_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let hub = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = hub.local_addr().unwrap();
        let reader = std::thread::spawn(move || {
            let mut senders = BTreeMap::new();
            let mut bytes = [0; 2048];
            hub.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
            while let Ok((n, from)) = hub.recv_from(&mut bytes) {
                senders.entry(from).or_insert_with(|| bytes[..n].to_vec());
            }
            senders
        });
        run(dir.path(), Some(address));
        let senders = reader.join().unwrap();
        // Four nodes and the marker.
        assert_eq!(senders.len(), 5);
        assert!(senders.values().any(|first| first.starts_with(b"WWSIM001")));
    }
}
