//! `wavewitness record`: datagrams as they arrive, and nothing else.

use crate::cli::RecordArgs;
use crate::clock::Clock;
use crate::cycle::Datagram;
use crate::status::Status;
use crate::udp;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use wavewitness_journal::{ChainId, CycleRecord, EventBytes, JournalDir, Options, Writer};
use wavewitness_types::{Canonical, CycleIndex, Event, Source};
use wavewitness_witness::Digest;

const CYCLE_NS: u64 = 50_000_000;

/// Records until the time is over or SIGINT or SIGTERM comes.
///
/// # Errors
/// If the address can't be bound or the recording can't be written.
pub fn record(args: &RecordArgs) -> Result<(), Box<dyn Error + Send + Sync>> {
    let clock = Clock::start();
    let start = clock.now();
    let socket = udp::bind(args.udp).map_err(|e| format!("can't receive on {}: {e}", args.udp))?;
    let dir = JournalDir::lock(&args.out)?;
    dir.salvage(None)?;
    let id = ChainId(start.0);
    let mut writer = Writer::create(dir, id, Source::Live, &[], &[], start, Options::default())?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signals(Arc::clone(&stop))?;
    let status = Status::new(Digest::ZERO, Source::Live, start);
    let (sender, datagrams) = sync_channel::<Datagram>(udp::QUEUE);
    let receiver = udp::receive(socket, clock, sender, status.clone(), Arc::clone(&stop))?;
    eprintln!("recording datagrams that arrive at {} into {}", args.udp, args.out.display());

    let end = args.seconds.map(|s| start.plus_nanos(u64::from(s) * 1_000_000_000));
    let (mut total, mut cycle) = (0u64, 0u64);
    let mut last = None;
    while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| clock.now() < end) {
        let cycle_end = start.plus_nanos((cycle + 1) * CYCLE_NS);
        let mut batch = Vec::new();
        while let Ok(Datagram { at, from, bytes }) = datagrams.recv_timeout(clock.until(cycle_end)) {
            last = Some(at);
            batch.push((at, Event::Datagram { at, from, bytes }.to_canonical_bytes()));
        }
        if !batch.is_empty() {
            let events: Vec<_> = batch.iter().map(|(at, bytes)| EventBytes { at: *at, bytes }).collect();
            let record = CycleRecord {
                cycle: CycleIndex(cycle),
                at: cycle_end,
                events: &events,
                witness: None,
                pose: None,
            };
            writer.append_cycle(&record, Vec::new)?;
            total += batch.len() as u64;
        }
        if cycle.is_multiple_of(20) {
            writer.sync()?;
        }
        if cycle.is_multiple_of(200) {
            let age = last
                .map_or("none yet".to_owned(), |at| format!("{:.1} s ago", clock.now().seconds_since(at)));
            eprintln!("{total} datagrams; the last one: {age}");
        }
        cycle = (clock.now().nanos_since(start) / CYCLE_NS).max(cycle + 1);
    }
    stop.store(true, Ordering::Relaxed);
    writer.close()?;
    let _ = receiver.join();
    let (overflow, lost) = status.update(|s| (s.overflow, s.kernel_dropped));
    println!(
        "{total} datagrams recorded, {overflow} left out, {lost} lost in the kernel; replay them with `wavewitness replay {}`",
        args.out.display()
    );
    Ok(())
}

/// Sets `stop` at SIGINT or SIGTERM.
///
/// # Errors
/// If the thread can't be started.
pub fn stop_on_signals(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
                (Ok(mut interrupt), Ok(mut terminate)) => {
                    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                    stop.store(true, Ordering::Relaxed);
                }
                (Err(e), _) | (_, Err(e)) => eprintln!("can't wait for signals: {e}"),
            }
        });
    })?;
    Ok(())
}
