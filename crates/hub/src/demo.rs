//! `wavewitness demo`: a simulated room over real UDP into the hub, poses in the terminal, the journal verified.

use crate::cli::DemoArgs;
use crate::clock::Clock;
use crate::config::HubConfig;
use crate::run;
use crate::terminal;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wavewitness_fixtures::{Simulation, scenes};
use wavewitness_proof::{replay, verify};
use wavewitness_types::{Command, Source};

type Failure = Box<dyn Error + Send + Sync>;

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

/// Runs the demo; false if the journal did not verify.
///
/// # Errors
/// If the hub can't be started, or the journal can't be read.
pub fn demo(args: &DemoArgs) -> Result<bool, Failure> {
    let scene = scenes::demo();
    let (data_dir, temporary) = match &args.journal {
        Some(dir) => (dir.clone(), None),
        None => {
            let dir = temporary_dir()?;
            (dir.clone(), Some(TemporaryDir(dir)))
        }
    };
    let mut config = HubConfig {
        data_dir: data_dir.clone(),
        udp_bind: (LOOPBACK, 0).into(),
        http_bind: args.http.unwrap_or_else(|| (LOOPBACK, 0).into()),
        source: Source::Simulated,
        ..HubConfig::default()
    };
    config.engine.geometry = scene.geometry();
    config.engine.cycle = scene.cycle_plan();
    // The room is empty for 20 s only.
    config.engine.calibration.observations = 300;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let seconds = scene.duration_ns / 1_000_000_000;
    runtime.block_on(async {
        let hub = run::start(&config, |_| {}).await?;
        println!(
            "This is a SIMULATED room: {} nodes, a mesh of {} links, {seconds} s.",
            scene.nodes.len(),
            { scene.nodes.len() * (scene.nodes.len() - 1) }
        );
        println!(
            "Its datagrams go over UDP to {} at their real pace. Poses: ws://{}/ws/poses",
            hub.udp, hub.http
        );
        println!("dashboard: http://{}/   chain {}", hub.http, hub.genesis.digest().short());
        println!("The room is empty at first, and the hub is told so: it collects its baseline. Then people come.\n");
        let done = Arc::new(AtomicBool::new(false));
        let sender = {
            let (target, done, seed) = (hub.udp, Arc::clone(&done), args.seed);
            let simulation = Simulation::new(&scene, seed);
            tokio::task::spawn_blocking(move || send(simulation, target, &done))
        };
        let interrupted = watch(&hub, &sender).await;
        done.store(true, Ordering::Relaxed);
        sender.await??;
        let status = hub.status.clone();
        hub.stop().await?;
        let s = status.snapshot();
        let [p50, p99, max] = s.compute.summary_us().unwrap_or_default();
        println!(
            "\n{} cycles, {} missed; compute p50/p99/max {p50:.0}/{p99:.0}/{max:.0} us",
            s.cycles, s.missed
        );
        if interrupted {
            println!("interrupted; what was written is verified all the same");
        }
        Ok::<(), Failure>(())
    })?;
    let verified = check(&data_dir)?;
    match temporary {
        Some(_) => println!("The journal was temporary; keep one with --journal DIR."),
        None => println!("The journal is in {}.", crate::boot::journal_dir(&data_dir).display()),
    }
    Ok(verified)
}

/// Shows a line a second until everything was sent; true if interrupted.
async fn watch(hub: &run::Hub, sender: &tokio::task::JoinHandle<std::io::Result<()>>) -> bool {
    let mut second = tokio::time::interval(std::time::Duration::from_secs(1));
    let mut told = false;
    while !sender.is_finished() && !hub.ended() {
        tokio::select! {
            _ = second.tick() => {
                if let Some(frame) = hub.status.snapshot().frame {
                    // The operator of this room: once its links are there, the room is known to be empty.
                    if !told && !frame.links.is_empty() {
                        told = hub.commands.try_send(Command::StartCalibration).is_ok();
                    }
                    println!("{}", terminal::line(&frame));
                }
            }
            _ = tokio::signal::ctrl_c() => return true,
        }
    }
    false
}

fn send(simulation: Simulation, target: SocketAddr, done: &AtomicBool) -> std::io::Result<()> {
    let clock = Clock::start();
    let begun = clock.now();
    let start = simulation.scene().start;
    // One socket a node: the hub tells senders apart by it.
    let mut sockets = BTreeMap::new();
    for datagram in simulation {
        if done.load(Ordering::Relaxed) {
            return Ok(());
        }
        std::thread::sleep(clock.until(begun.plus_nanos(datagram.at.nanos_since(start))));
        let socket = match sockets.entry(datagram.from) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(UdpSocket::bind(SocketAddr::from((LOOPBACK, 0)))?)
            }
        };
        socket.send_to(&datagram.bytes, target)?;
    }
    Ok(())
}

fn check(data_dir: &std::path::Path) -> Result<bool, Failure> {
    let journal = crate::boot::journal_dir(data_dir);
    let verified = verify::verify(&journal, &mut |_, _| {})?;
    let replayed = replay::replay(&journal, &mut |_, _| {})?;
    for finding in replayed.findings() {
        println!("FAULT {finding}");
    }
    let good = verified.is_clean() && replayed.is_clean() && replayed.replayed_cycles() == replayed.cycles();
    println!(
        "journal: {} cycles verified (chain and payloads), {} computed again and equal bit for bit: {}",
        verified.cycles(),
        replayed.replayed_cycles(),
        if good { "VERIFIED" } else { "NOT VERIFIED" }
    );
    Ok(good)
}

fn temporary_dir() -> std::io::Result<PathBuf> {
    let name = format!("wavewitness-demo-{}-{}", std::process::id(), Clock::start().now().0);
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir(&dir)?;
    Ok(dir)
}

struct TemporaryDir(PathBuf);

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        // What stays behind is in the system's directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
