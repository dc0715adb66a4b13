//! Guards what a journal is for: what was written is read back, in order, by our reader and by the MCAP library's; a
//! reader that does not know us finds a valid file; one writer a directory; a plain capture needs no witness.

mod common;

use common::*;
use std::fs;
use wavewitness_journal::{
    Content, CycleRecord, EventBytes, Journal, JournalDir, JournalError, MAX_CHUNK_BYTES,
};
use wavewitness_types::{CycleIndex, Source, Timestamp};

#[test]
fn what_is_written_is_read_back_across_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(JournalDir::lock(dir.path()).unwrap(), 0, 4);
    for number in 0..10 {
        append(&mut w, &cycle(number, 40));
    }
    append_stop(&mut w, Timestamp(START + 1_000_000_000));
    w.close().unwrap();

    let journal = Journal::open(dir.path()).unwrap();
    let names: Vec<String> =
        journal.segments().iter().map(|s| s.path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let expected: Vec<String> = (0..3).map(|n| format!("0123456789abcdef-{n:08}.mcap")).collect();
    assert_eq!(names, expected);
    let (chunks, faults) = read(dir.path());
    assert_eq!(faults, []);
    assert_eq!(cycles(&chunks), (0..10).map(|n| cycle(n, 40)).collect::<Vec<_>>());
    // Each segment begins with the genesis and the state before its first cycle.
    let starts: Vec<_> = chunks
        .iter()
        .filter_map(|c| match &c.content {
            Content::Start { genesis, head, source } => {
                Some((c.segment.number, genesis.clone(), head.clone(), *source))
            }
            _ => None,
        })
        .collect();
    let start = |n: u32| (n, GENESIS.to_vec(), head(u64::from(n) * 4), Source::Replay);
    assert_eq!(starts, [start(0), start(1), start(2)]);
    // The stop is the last thing, and no cycle.
    let last = chunks.last().unwrap();
    assert!(matches!(last.content, Content::Entry { .. }));
    assert_eq!((last.witness(), last.events().len()), (Some(&b"stop record"[..]), 1));
}

#[test]
fn every_cycle_is_with_the_operating_system_when_append_returns() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(JournalDir::lock(dir.path()).unwrap(), 0, 3);
    for number in 0..8 {
        append(&mut w, &cycle(number, 40));
        // Another reader, now: what a kill -9 would leave. Segments are still .part: nothing has synced.
        let (chunks, faults) = read(dir.path());
        assert_eq!(numbers(&chunks), (0..=number).collect::<Vec<_>>());
        assert!(faults.iter().all(|f| f.is_expected_after_a_crash()), "{faults:?}");
    }
    assert!(Journal::open(dir.path()).unwrap().segments().iter().all(|s| s.part));
    // A sync gives full segments their names, and not the current one.
    w.sync_handle().sync().unwrap();
    let parts: Vec<bool> = Journal::open(dir.path()).unwrap().segments().iter().map(|s| s.part).collect();
    assert_eq!(parts, [false, false, true]);
}

#[test]
fn a_sync_from_another_thread_does_not_disturb_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(JournalDir::lock(dir.path()).unwrap(), 0, 5);
    let handle = w.sync_handle();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let syncing = std::thread::spawn(move || {
        while stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
            handle.sync().unwrap();
        }
    });
    for number in 0..60 {
        append(&mut w, &cycle(number, 40));
    }
    drop(stop);
    syncing.join().unwrap();
    w.close().unwrap();
    let (chunks, faults) = read(dir.path());
    assert_eq!((numbers(&chunks), faults), ((0..60).collect(), vec![]));
}

/// The framing is our own code: the library's reader must see the same messages, and a valid file, index and all.
#[test]
fn the_mcap_library_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0..20, 100);
    let path = Journal::open(dir.path()).unwrap().segments()[0].path.clone();
    let bytes = fs::read(&path).unwrap();

    let mut theirs = Vec::new();
    for message in mcap::MessageStream::new(&bytes).unwrap() {
        let message = message.unwrap();
        theirs.push((message.channel.topic.clone(), message.data.to_vec()));
    }
    let mut ours = Vec::new();
    for chunk in read(dir.path()).0 {
        match chunk.content {
            Content::Start { genesis, head, .. } => {
                ours.push(("genesis".to_owned(), genesis));
                ours.push(("head".to_owned(), head));
            }
            Content::Cycle { events, witness, pose, .. } => {
                ours.extend(events.into_iter().map(|e| ("events".to_owned(), e)));
                ours.push(("witness".to_owned(), witness.unwrap()));
                ours.push(("pose".to_owned(), pose.unwrap()));
            }
            Content::Entry { .. } => unreachable!("none was written"),
        }
    }
    assert_eq!(ours, theirs);

    // Every checksum that MCAP knows, on.
    let options = mcap::sans_io::LinearReaderOptions::default()
        .with_prevalidate_chunk_crcs(true)
        .with_validate_data_section_crc(true)
        .with_validate_summary_section_crc(true)
        .with_check_finishes_after_end_magic(true);
    let mut reader = mcap::sans_io::LinearReader::new_with_options(options);
    let mut rest = &bytes[..];
    while let Some(event) = reader.next_event() {
        if let mcap::sans_io::LinearReadEvent::ReadRequest(need) = event.unwrap() {
            let n = need.min(rest.len());
            reader.insert(need)[..n].copy_from_slice(&rest[..n]);
            reader.notify_read(n);
            rest = &rest[n..];
        }
    }
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    assert_eq!(summary.chunk_indexes.len(), 21);
    assert_eq!(summary.channels.len(), 5);
}

#[test]
fn a_second_writer_is_told_who_holds_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let held = JournalDir::lock(dir.path()).unwrap();
    match JournalDir::lock(dir.path()) {
        Err(JournalError::Locked { holder, .. }) => {
            assert_eq!(holder, format!("process {}", std::process::id()));
        }
        other => panic!("{other:?}"),
    }
    // Held through a writer too, and free again after.
    let w = writer(held, 0, 10);
    assert!(matches!(JournalDir::lock(dir.path()), Err(JournalError::Locked { .. })));
    let held = w.close().unwrap();
    assert!(matches!(JournalDir::lock(dir.path()), Err(JournalError::Locked { .. })));
    drop(held);
    JournalDir::lock(dir.path()).unwrap();
}

#[test]
fn a_plain_capture_has_events_only_and_segments_have_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(JournalDir::lock(dir.path()).unwrap(), 0, 10);
    let event = EventBytes { at: Timestamp(START), bytes: b"\x04 not looked at" };
    let record = CycleRecord {
        cycle: CycleIndex(u64::MAX - 1),
        at: Timestamp(START),
        events: &[event],
        witness: None,
        pose: None,
    };
    w.append_cycle(&record, Vec::new).unwrap();
    let path = dir.path().join(w.segment().file());
    w.close().unwrap();
    let elsewhere = dir.path().join("evening.capture");
    fs::rename(path, &elsewhere).unwrap();
    let (chunks, faults) = read(&elsewhere);
    assert_eq!(faults, []);
    assert_eq!(chunks[1].segment.chain, CHAIN);
    let events = vec![event.bytes.to_vec()];
    assert_eq!(chunks[1].content, Content::Cycle { cycle: record.cycle, events, witness: None, pose: None });
}

#[test]
fn what_is_too_large_for_a_chunk_is_refused_and_the_writer_lives() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(JournalDir::lock(dir.path()).unwrap(), 0, 10);
    let huge = vec![0; MAX_CHUNK_BYTES / 2];
    let record = CycleRecord {
        cycle: CycleIndex(0),
        at: Timestamp(START),
        events: &[],
        witness: Some(&huge),
        pose: None,
    };
    assert!(matches!(w.append_cycle(&record, Vec::new), Err(JournalError::TooLarge { .. })));
    // The largest that is allowed can be read back.
    let witness = Random(1).bytes(MAX_CHUNK_BYTES / 2 - 31);
    w.append_cycle(&CycleRecord { witness: Some(&witness), ..record }, Vec::new).unwrap();
    w.close().unwrap();
    let (chunks, faults) = read(dir.path());
    assert_eq!((chunks[1].witness(), faults), (Some(&witness[..]), vec![]));
}

#[test]
fn chains_come_in_the_order_in_which_they_were_begun_whatever_the_clock_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut held = JournalDir::lock(dir.path()).unwrap();
    for (chain, start) in [(9, 2_000), (5, 1_000), (7, 3_000)] {
        let chain = wavewitness_journal::ChainId(chain);
        let at = Timestamp(start);
        let w = wavewitness_journal::Writer::create(
            held,
            chain,
            Source::Live,
            GENESIS,
            b"",
            at,
            Default::default(),
        );
        held = w.unwrap().close().unwrap();
    }
    let chains: Vec<u64> = Journal::open(dir.path()).unwrap().chains().iter().map(|c| c.0).collect();
    assert_eq!(chains, [9, 5, 7]);
}
