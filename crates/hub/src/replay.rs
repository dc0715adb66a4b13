//! `wavewitness replay` and `import`: a recording through the same pipeline as the live path.

use crate::boot;
use crate::cli::{ImportArgs, Pace, ReplayArgs};
use crate::clock::{Clock, Stopwatch, iso8601};
use crate::config::HubConfig;
use crate::cycle::{Datagram, JournalGone, Pipeline};
use crate::publish;
use crate::retention::Retention;
use crate::server::{self, Shared};
use crate::status::Status;
use crate::store::{Sinks, Store};
use crate::terminal;
use crate::witness_log::Signing;
use crate::zones::Zones;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use wavewitness_engine::{Engine, EngineConfig};
use wavewitness_journal::{Capture, Chunk, Content, Journal};
use wavewitness_types::{BootRecord, CycleIndex, Event, Presence, Source, Timestamp};
use wavewitness_witness::{Chain, Genesis};

type Failure = Box<dyn Error + Send + Sync>;

const CYCLE_NS: u64 = 50_000_000;
/// A pause in a recording that is longer is jumped over: its cycles count as missed.
const LONGEST_PAUSE_NS: u64 = 60_000_000_000;

/// Somebody who waits for an hour's recording wants to see it go on.
const PROGRESS_EVERY_NS: u64 = 10_000_000_000;

/// Turns the times of a recording into the ticks of its cycles.
struct Ticks {
    cycle: u64,
    end: Timestamp,
}

impl Ticks {
    fn new(first: Timestamp, cycle: CycleIndex) -> Ticks {
        Ticks { cycle: cycle.0, end: first.plus_nanos(CYCLE_NS) }
    }

    /// Ends every cycle that is over at `at`.
    fn until(
        &mut self,
        at: Timestamp,
        mut tick: impl FnMut(Timestamp, CycleIndex) -> Result<(), JournalGone>,
    ) -> Result<(), JournalGone> {
        while at >= self.end {
            tick(self.end, CycleIndex(self.cycle))?;
            self.step(1);
            let pause = at.nanos_since(self.end);
            if pause > LONGEST_PAUSE_NS {
                self.step(pause / CYCLE_NS);
            }
        }
        Ok(())
    }

    fn step(&mut self, cycles: u64) {
        self.cycle += cycles;
        self.end = self.end.plus_nanos(cycles.saturating_mul(CYCLE_NS));
    }
}

/// What presence said over a replay.
#[derive(Default)]
struct Tally {
    present: u64,
    absent: u64,
    unknown: u64,
    most_people: usize,
}

/// Runs `replay`.
///
/// # Errors
/// If the capture can't be read, or the journal can't be written.
pub fn replay(config: &HubConfig, args: &ReplayArgs) -> Result<(), Failure> {
    if let Some(target) = args.send_to {
        return send(&args.capture, target, args.pace);
    }
    let config = &with_recorded(config, args.config.is_some(), &args.capture);
    let summary = run(config, &args.capture, args.pace, args.journal.as_deref(), args.http)?;
    if args.json {
        println!("{summary}");
    } else {
        print(&summary);
    }
    Ok(())
}

/// Runs `import`.
///
/// # Errors
/// If the capture can't be read, or the journal can't be written.
pub fn import(config: &HubConfig, args: &ImportArgs) -> Result<(), Failure> {
    let config = &with_recorded(config, args.config.is_some(), &args.capture);
    let summary = run(config, &args.capture, Pace::Fast, Some(&args.journal), None)?;
    print(&summary);
    println!(
        "journal in {}: verify it with `proof-runner verify`",
        boot::journal_dir(&args.journal).display()
    );
    Ok(())
}

/// In the directory of a live hub a recording's chain would follow the hub's, and its baselines replace the hub's. On an
/// imported journal another import goes on.
fn is_free(dir: &Path) -> Result<(), Failure> {
    let Ok(journal) = Journal::open(&boot::journal_dir(dir)) else { return Ok(()) };
    let is_live = |chain| {
        let first = journal.of_chain(chain).records().next();
        let Some(Ok(Chunk { content: Content::Start { genesis, .. }, .. })) = first else { return false };
        Genesis::from_canonical_bytes(&genesis).is_some_and(|g| g.source == Source::Live)
    };
    if journal.chains().into_iter().any(is_live) {
        return Err(
            format!("{} holds the journal of a live hub: give another directory", dir.display()).into()
        );
    }
    Ok(())
}

/// The configuration for a recording: what was given, or else, for a journal, the one that it was computed under.
fn with_recorded(config: &HubConfig, given: bool, path: &Path) -> HubConfig {
    let mut config = config.clone();
    if !given
        && let Ok(journal) = Journal::open(path)
        && let Some(Ok(Chunk { content: Content::Start { genesis, .. }, .. })) = journal.records().next()
        && let Some(genesis) = Genesis::from_canonical_bytes(&genesis)
        && let Some(engine) = EngineConfig::from_canonical_bytes(&genesis.config)
    {
        eprintln!(
            "configuration of the journal's chain {}; give --config for another",
            genesis.digest().short()
        );
        config.engine = engine;
    }
    config
}

fn run(
    config: &HubConfig,
    path: &Path,
    pace: Pace,
    journal: Option<&Path>,
    http: Option<SocketAddr>,
) -> Result<Value, Failure> {
    if let Some(dir) = journal {
        is_free(dir)?;
    }
    let mut capture = Capture::open(path)?;
    let source = capture.source();
    let first = loop {
        match capture.next() {
            None => return Err(no_datagram(path).into()),
            Some(Ok(event @ Event::Datagram { .. })) => break event,
            Some(Ok(_)) => {}
            Some(Err(e)) => return Err(e.into()),
        }
    };
    let start = first.at();
    let (writer, log, engine, genesis, boot_record, baselines) = match journal {
        Some(dir) => {
            let opened = boot::open(config, dir, source, start, 0)?;
            opened.notes.iter().for_each(|note| eprintln!("{note}"));
            let baselines = Some(opened.baselines);
            (Some(opened.writer), opened.log, opened.engine, opened.genesis, opened.boot, baselines)
        }
        None => {
            let genesis = boot::genesis(config, source, start, None);
            let engine = Engine::new(&config.engine, source, Chain::new(&genesis))?;
            (None, None, engine, genesis, BootRecord::default(), None)
        }
    };
    let status = Status::new(genesis.digest(), source, start);
    let messages = publish::channel();
    let serving = match (pace, http) {
        (Pace::Real, address) => {
            Some(Serving::start(config, address.unwrap_or(config.http_bind), &status, &messages, &genesis)?)
        }
        (Pace::Fast, Some(_)) => return Err("--http needs --pace real".into()),
        (Pace::Fast, None) => None,
    };
    let store = Store::start(Sinks {
        journal: writer,
        log: log.map(|(live, publisher)| (live.clone(), Signing::new(publisher, live, status.clone(), None))),
        retention: Retention::default(),
        clock: Clock::start(),
        baselines,
        messages: Some(messages),
        status: status.clone(),
        genesis: genesis.digest(),
        privacy: config.privacy.mode,
        zones: Zones::new(&config.zones),
    })?;
    let mut pipeline = Pipeline::new(engine, store.sender.clone(), status.clone());
    let watch = Stopwatch::start();
    let fed = feed(&mut pipeline, &mut capture, first, boot_record, pace, &status);
    drop(pipeline);
    store.finish()?;
    let tally = fed?.map_err(|JournalGone| "the journal thread has ended")?;
    let seconds = watch.nanos() as f64 / 1e9;
    drop(serving);
    Ok(summarise(&capture, &status, &tally, seconds))
}

/// Why a capture gives nothing to replay.
fn no_datagram(path: &Path) -> String {
    let mut reason = format!("{} holds no datagram", path.display());
    let first = Journal::open(path).ok().and_then(|journal| journal.records().next()?.ok());
    if let Some(Chunk { content: Content::Start { genesis, .. }, .. }) = first
        && let Some(mode) = Genesis::from_canonical_bytes(&genesis).map(|g| g.privacy)
        && !mode.keeps_inputs()
    {
        reason.push_str(&format!(": inputs withheld by privacy mode {}; it can't be replayed", mode.name()));
    }
    reason
}

/// Events of the capture into the pipeline; the inner error is the journal's.
fn feed(
    pipeline: &mut Pipeline,
    capture: &mut Capture,
    first: Event,
    boot: BootRecord,
    pace: Pace,
    status: &Status,
) -> Result<Result<Tally, JournalGone>, Failure> {
    let clock = Clock::start();
    let (begun, start) = (clock.now(), first.at());
    let mut ticks = Ticks::new(start, boot.next_cycle);
    let mut tally = Tally::default();
    if let Err(gone) = pipeline.boot(start, boot) {
        return Ok(Err(gone));
    }
    let (mut printed, mut reported) = (0, begun);
    let mut tick = |pipeline: &mut Pipeline, at: Timestamp, cycle| {
        if pace == Pace::Real {
            std::thread::sleep(clock.until(begun.plus_nanos(at.nanos_since(start))));
        }
        if pace == Pace::Fast && clock.now().nanos_since(reported) >= PROGRESS_EVERY_NS {
            reported = clock.now();
            let (done_s, took_s) = (at.seconds_since(start), reported.seconds_since(begun));
            eprintln!("{done_s:.0} s of the recording in {took_s:.0} s: {:.0} × real time", done_s / took_s);
        }
        let frame = pipeline.tick(at, cycle)?;
        match frame.presence {
            Presence::Known { present: true, .. } => tally.present += 1,
            Presence::Known { present: false, .. } => tally.absent += 1,
            Presence::Unknown(_) => tally.unknown += 1,
        }
        tally.most_people = tally.most_people.max(frame.people.len());
        if pace == Pace::Real && at.nanos_since(start) / 1_000_000_000 > printed {
            printed = at.nanos_since(start) / 1_000_000_000;
            println!("{}", terminal::line(frame));
        }
        Ok(())
    };
    let mut last = start;
    for event in std::iter::once(Ok(first)).chain(capture) {
        match event? {
            Event::Datagram { at, from, bytes } => {
                last = last.max(at);
                if let Err(gone) = ticks.until(at, |at, cycle| tick(pipeline, at, cycle)) {
                    return Ok(Err(gone));
                }
                pipeline.datagram(Datagram { at, from, bytes });
            }
            Event::Command { at, command } => pipeline.command(at, command),
            Event::Tick { .. } | Event::Boot { .. } | Event::Stop { .. } => {}
        }
    }
    let end = ticks.end;
    let ended =
        ticks.until(last.max(end), |at, cycle| tick(pipeline, at, cycle)).and_then(|()| pipeline.stop(end));
    let rejects = pipeline.rejects();
    status.update(|s| s.rejects = rejects);
    Ok(ended.map(|()| tally))
}

/// A server for the length of a replay.
struct Serving {
    runtime: Option<tokio::runtime::Runtime>,
    stop: watch::Sender<bool>,
}

impl Serving {
    fn start(
        config: &HubConfig,
        address: SocketAddr,
        status: &Status,
        messages: &publish::Sender,
        genesis: &wavewitness_witness::Genesis,
    ) -> Result<Serving, Failure> {
        config.access.may_listen("--http", address)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .map_err(|e| format!("can't serve on {address}: {e}"))?;
        let bound = listener.local_addr()?;
        status.update(|s| s.http = Some(bound));
        let door = server::Door::new(&config.access)?;
        let shared = Shared::new(config, genesis, status, messages.clone(), door, stopped);
        runtime.spawn(server::serve(listener, shared));
        eprintln!("serving ws://{bound}/ws/poses and http://{bound}/api/v1/status");
        Ok(Serving { runtime: Some(runtime), stop })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

/// Sends a recording's datagrams to a hub.
fn send(path: &Path, target: SocketAddr, pace: Pace) -> Result<(), Failure> {
    let bind: SocketAddr = if target.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    // One socket a recorded sender, so that the hub tells senders apart as it did when it was recorded.
    let mut sockets = BTreeMap::new();
    let clock = Clock::start();
    let begun = clock.now();
    let mut start = None;
    let mut sent = 0u64;
    let mut capture = Capture::open(path)?;
    for event in &mut capture {
        let Event::Datagram { at, from, bytes } = event? else { continue };
        let start = *start.get_or_insert(at);
        if pace == Pace::Real {
            std::thread::sleep(clock.until(begun.plus_nanos(at.nanos_since(start))));
        }
        let socket = match sockets.entry(from) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(UdpSocket::bind(bind)?),
        };
        socket.send_to(&bytes, target)?;
        sent += 1;
    }
    println!("{sent} datagrams sent to {target}; skipped: {:?}", capture.summary().skipped);
    Ok(())
}

fn summarise(capture: &Capture, status: &Status, tally: &Tally, seconds: f64) -> Value {
    let snapshot = status.snapshot();
    let summary = capture.summary();
    let recorded = match (summary.first, summary.last) {
        (Some(first), Some(last)) => last.seconds_since(first),
        _ => 0.0,
    };
    let compute =
        snapshot.compute.summary_us().map(|[p50, p99, max]| json!({"p50": p50, "p99": p99, "max": max}));
    json!({
        "kind": summary.kind.name(),
        "source": snapshot.source.name(),
        "first": summary.first.map(iso8601),
        "recorded_s": recorded,
        "datagrams": summary.datagrams,
        "skipped": summary.skipped,
        "rejected": snapshot.rejects,
        "overflow_datagrams": snapshot.overflow,
        "cycles": snapshot.cycles,
        "elapsed_s": seconds,
        "times_real_time": recorded / seconds,
        "compute_us": compute,
        "presence_cycles": {"present": tally.present, "absent": tally.absent, "unknown": tally.unknown},
        "most_people": tally.most_people,
        "genesis": snapshot.genesis.to_string(),
        "head": snapshot.head.to_string(),
        "nodes": snapshot.cycle.as_ref().map(|c| &c.nodes),
        "links": snapshot.cycle.as_ref().map(|c| &c.links),
    })
}

fn print(summary: &Value) {
    let number = |v: &Value| v.as_f64().unwrap_or(f64::NAN);
    println!(
        "{} of {}: {} datagrams over {:.1} s, {} cycles, in {:.2} s: {:.0} × real time",
        summary["source"].as_str().unwrap_or_default().to_uppercase(),
        summary["kind"].as_str().unwrap_or_default(),
        summary["datagrams"],
        number(&summary["recorded_s"]),
        summary["cycles"],
        number(&summary["elapsed_s"]),
        number(&summary["times_real_time"]),
    );
    let us = &summary["compute_us"];
    println!(
        "compute p50/p99/max {:.0}/{:.0}/{:.0} us   skipped {}   rejected {}",
        number(&us["p50"]),
        number(&us["p99"]),
        number(&us["max"]),
        summary["skipped"],
        summary["rejected"]
    );
    let p = &summary["presence_cycles"];
    println!(
        "presence: {} cycles present, {} absent, {} unknown; at most {} people at once",
        p["present"], p["absent"], p["unknown"], summary["most_people"]
    );
    print!("{}", terminal::links(&summary["links"]));
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    println!("chain {}   head {}", text(&summary["genesis"]), text(&summary["head"]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_live_hub_takes_no_recording() {
        let dir = tempfile::tempdir().unwrap();
        is_free(dir.path()).unwrap();
        let at = Timestamp(1_700_000_000_000_000_000);
        for (source, boot) in [(Source::Replay, 1), (Source::Live, 2)] {
            is_free(dir.path()).unwrap();
            let opened = boot::open(&HubConfig::default(), dir.path(), source, at, boot).unwrap();
            opened.writer.close().unwrap();
        }
        let refusal = is_free(dir.path()).unwrap_err().to_string();
        assert!(refusal.ends_with("holds the journal of a live hub: give another directory"), "{refusal}");
    }

    fn ticked(times: &[u64]) -> Vec<(u64, u64)> {
        let mut out = Vec::new();
        let mut ticks = Ticks::new(Timestamp(times[0]), CycleIndex(10));
        for t in times {
            ticks
                .until(Timestamp(*t), |at, cycle| {
                    out.push((at.0, cycle.0));
                    Ok(())
                })
                .unwrap();
        }
        out
    }

    #[test]
    fn every_cycle_is_ticked_once_at_its_end() {
        assert_eq!(ticked(&[0, 49_999_999]), []);
        assert_eq!(ticked(&[0, 50_000_000]), [(50_000_000, 10)]);
        assert_eq!(ticked(&[7, 120_000_007]), [(50_000_007, 10), (100_000_007, 11)]);
        // A clock that steps back ticks nothing twice.
        assert_eq!(ticked(&[0, 60_000_000, 10, 110_000_000]), [(50_000_000, 10), (100_000_000, 11)]);
    }

    #[test]
    fn a_long_pause_is_jumped_over_and_its_cycles_are_missed() {
        let year = 31_536_000_000_000_000;
        let ticks = ticked(&[0, year, year + 50_000_000]);
        assert!(ticks.len() <= 3);
        assert_eq!(ticks[0], (50_000_000, 10));
        let (at, cycle) = ticks[ticks.len() - 1];
        assert_eq!(at, (cycle - 10 + 1) * CYCLE_NS);
    }
}
