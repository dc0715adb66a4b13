//! Guards the restart: whatever a crash left, salvage makes a journal of it that reads without a fault and goes on;
//! nothing is thrown away; doing it twice changes nothing; and a crash in the middle of salvage is one more crash.

mod common;

use common::*;
use std::fs;
use std::path::{Path, PathBuf};
use wavewitness_journal::{Journal, JournalDir, SegmentName};
use wavewitness_types::CycleIndex;

/// A journal of which nothing was closed: cycles 0..`n` in segments of `per_segment`, all `.part` unless synced.
fn crashed(path: &Path, n: u64, per_segment: u32) {
    let mut w = writer(JournalDir::lock(path).unwrap(), 0, per_segment);
    for number in 0..n {
        append(&mut w, &cycle(number, 40));
    }
}

fn part(path: &Path, number: u32) -> PathBuf {
    path.join(SegmentName { chain: CHAIN, number }.part_file())
}

fn listing(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    for dir in [path.to_owned(), path.join("torn")] {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_file() {
                out.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    out.sort();
    out
}

/// Salvages, then writes on, and checks that the whole reads as one chain without a fault.
fn resume(path: &Path, kept: u64) {
    let dir = JournalDir::lock(path).unwrap();
    let salvage = dir.salvage(None).unwrap();
    assert_eq!(salvage.faults, []);
    let next = kept + 100;
    if let Some(end) = &salvage.end {
        assert_eq!((end.chain, &end.genesis[..]), (CHAIN, GENESIS));
        assert_eq!(end.last_cycle, kept.checked_sub(1).map(CycleIndex));
        assert_eq!(end.last.as_ref().and_then(|c| c.cycle()), end.last_cycle);
    } else {
        assert_eq!(kept, 0);
    }
    let before = listing(path);
    let again = dir.salvage(Some(CHAIN)).unwrap();
    assert!(again.set_aside.is_empty() && again.finished.is_empty());
    assert_eq!(again.end.map(|e| (e.head, e.last)), salvage.end.map(|e| (e.head, e.last)));
    assert_eq!(listing(path), before, "a second salvage changes nothing");
    let mut w = writer(dir, next, 4);
    for number in next..next + 6 {
        append(&mut w, &cycle(number, 40));
    }
    w.close().unwrap();
    let (chunks, faults) = read(path);
    assert_eq!(faults, []);
    assert_eq!(numbers(&chunks), (0..kept).chain(next..next + 6).collect::<Vec<_>>());
}

#[test]
fn a_kill_between_cycles_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    crashed(dir.path(), 10, 4);
    resume(dir.path(), 10);
    assert!(!dir.path().join("torn").exists());
}

#[test]
fn a_cut_anywhere_keeps_the_whole_cycles_and_the_tail() {
    let origin = tempfile::tempdir().unwrap();
    crashed(origin.path(), 5, 100);
    let bytes = fs::read(part(origin.path(), 0)).unwrap();
    let offsets: Vec<u64> = read(origin.path()).0.iter().map(|c| c.offset).collect();
    for cut in (0..bytes.len()).step_by(83).chain(offsets.iter().map(|&o| o as usize)) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(part(dir.path(), 0), &bytes[..cut]).unwrap();
        let whole = offsets[1..].iter().chain([&(bytes.len() as u64)]).filter(|&&e| e <= cut as u64).count();
        resume(dir.path(), (whole as u64).saturating_sub(1));
        // Kept bytes and torn bytes together are what was there.
        let torn: u64 = fs::read_dir(dir.path().join("torn"))
            .into_iter()
            .flatten()
            .map(|e| e.unwrap().metadata().unwrap().len())
            .sum();
        let kept = if whole == 0 { 0 } else { offsets.get(whole).copied().unwrap_or(bytes.len() as u64) };
        assert_eq!(kept + torn, cut as u64, "cut at {cut}");
    }
}

/// A power cut: pages reach the disk in any order. What was not synced and lies behind a hole is not of the chain.
#[test]
fn a_hole_in_what_was_never_synced_is_where_the_chain_ends() {
    let dir = tempfile::tempdir().unwrap();
    crashed(dir.path(), 12, 100);
    let offsets: Vec<u64> = read(dir.path()).0.iter().map(|c| c.offset).collect();
    let mut bytes = fs::read(part(dir.path(), 0)).unwrap();
    bytes[offsets[6] as usize..offsets[7] as usize].fill(0);
    fs::write(part(dir.path(), 0), &bytes).unwrap();
    let held = JournalDir::lock(dir.path()).unwrap();
    let salvage = held.salvage(None).unwrap();
    // Cycle 5 is the hole; 11 was there, and may have been published.
    assert_eq!(salvage.end.unwrap().last_cycle, Some(CycleIndex(4)));
    assert_eq!(salvage.set_aside[0].last_cycle, Some(CycleIndex(11)));
    assert_eq!(salvage.set_aside[0].bytes, bytes.len() as u64 - offsets[6]);
    drop(held);
    resume(dir.path(), 5);
}

/// Damage in what had been synced is no crash: nothing behind it is given up, and the reader names it.
#[test]
fn rot_in_what_was_synced_stays_to_be_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(JournalDir::lock(dir.path()).unwrap(), 0, 100);
    for number in 0..12 {
        append(&mut w, &cycle(number, 40));
        if number == 8 {
            w.sync().unwrap();
        }
    }
    drop(w);
    let offsets: Vec<u64> = read(dir.path()).0.iter().map(|c| c.offset).collect();
    let mut bytes = fs::read(part(dir.path(), 0)).unwrap();
    bytes[offsets[6] as usize + 60] ^= 4;
    bytes.truncate(bytes.len() - 10);
    fs::write(part(dir.path(), 0), &bytes).unwrap();
    let held = JournalDir::lock(dir.path()).unwrap();
    let salvage = held.salvage(None).unwrap();
    assert_eq!(salvage.end.unwrap().last_cycle, Some(CycleIndex(10)));
    assert_eq!(salvage.faults.len(), 1);
    let (chunks, faults) = read(dir.path());
    assert_eq!(numbers(&chunks), [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]);
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].last_good, faults[0].next_good), (Some(CycleIndex(4)), Some(CycleIndex(6))));
}

/// A power cut after a rotation: the full segment lost its end, the next one reached the disk.
#[test]
fn a_segment_that_hangs_in_the_air_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    crashed(dir.path(), 10, 4);
    let path = part(dir.path(), 1);
    let bytes = fs::read(&path).unwrap();
    let lost_trailer = bytes.len() - 200;
    fs::write(&path, &bytes[..lost_trailer]).unwrap();
    // It happened in the trailer or in the last cycle: in both cases segment 2 continues from what is not there.
    let held = JournalDir::lock(dir.path()).unwrap();
    let salvage = held.salvage(None).unwrap();
    let end = salvage.end.unwrap();
    assert_eq!(end.segment.number, 1);
    assert_eq!(end.last_cycle, Some(CycleIndex(7)));
    assert_eq!(salvage.set_aside[0].segment.number, 2);
    assert_eq!(salvage.set_aside[0].last_cycle, Some(CycleIndex(9)));
    drop(held);
    resume(dir.path(), 8);
}

/// Every state that salvage itself passes through, as if it had been killed there.
#[test]
fn a_crash_during_salvage_is_one_more_crash() {
    let origin = tempfile::tempdir().unwrap();
    crashed(origin.path(), 6, 100);
    let bytes = fs::read(part(origin.path(), 0)).unwrap();
    let offsets: Vec<u64> = read(origin.path()).0.iter().map(|c| c.offset).collect();
    let torn_at = offsets[6] as usize;
    let torn = &bytes[..bytes.len() - 7];
    let tail_name = format!("{}.at-{torn_at}", SegmentName { chain: CHAIN, number: 0 });
    let finished = {
        let dir = tempfile::tempdir().unwrap();
        fs::write(part(dir.path(), 0), torn).unwrap();
        JournalDir::lock(dir.path()).unwrap().salvage(None).unwrap();
        fs::read(Journal::open(dir.path()).unwrap().segments()[0].path.clone()).unwrap()
    };
    let check = |prepare: &dyn Fn(&Path), what: &str| {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("torn")).unwrap();
        prepare(dir.path());
        resume(dir.path(), 5);
        // Whatever happened, the tail is there once, whole.
        let held = fs::read(dir.path().join("torn").join(&tail_name)).unwrap();
        assert_eq!(held, &torn[torn_at..], "{what}");
        assert!(!dir.path().join("torn").join(format!("{tail_name}.1")).exists(), "{what}");
    };
    let keep_tail = |dir: &Path| fs::write(dir.join("torn").join(&tail_name), &torn[torn_at..]).unwrap();
    check(&|dir| fs::write(part(dir, 0), torn).unwrap(), "before anything");
    check(
        &|dir| {
            fs::write(part(dir, 0), torn).unwrap();
            fs::write(dir.join("torn/draft"), &torn[torn_at..torn_at + 3]).unwrap();
        },
        "while the tail is copied",
    );
    check(
        &|dir| {
            fs::write(part(dir, 0), torn).unwrap();
            keep_tail(dir);
        },
        "before the cut",
    );
    for extra in (0..finished.len() - torn_at).step_by(4) {
        check(
            &|dir| {
                fs::write(part(dir, 0), &finished[..torn_at + extra]).unwrap();
                keep_tail(dir);
            },
            "while the trailer is written",
        );
    }
    check(
        &|dir| {
            fs::write(part(dir, 0), &finished).unwrap();
            keep_tail(dir);
        },
        "before the renaming",
    );
}

/// What salvage finishes is a valid MCAP file, checksum of the data section included.
#[test]
fn a_salvaged_segment_is_a_whole_mcap_file() {
    let dir = tempfile::tempdir().unwrap();
    crashed(dir.path(), 6, 100);
    let bytes = fs::read(part(dir.path(), 0)).unwrap();
    fs::write(part(dir.path(), 0), &bytes[..bytes.len() - 7]).unwrap();
    JournalDir::lock(dir.path()).unwrap().salvage(None).unwrap();
    let bytes = fs::read(&Journal::open(dir.path()).unwrap().segments()[0].path).unwrap();
    let options = mcap::sans_io::LinearReaderOptions::default()
        .with_prevalidate_chunk_crcs(true)
        .with_validate_data_section_crc(true)
        .with_validate_summary_section_crc(true)
        .with_check_finishes_after_end_magic(true);
    let mut reader = mcap::sans_io::LinearReader::new_with_options(options);
    let (mut rest, mut messages) = (&bytes[..], 0);
    while let Some(event) = reader.next_event() {
        match event.unwrap() {
            mcap::sans_io::LinearReadEvent::ReadRequest(need) => {
                let n = need.min(rest.len());
                reader.insert(need)[..n].copy_from_slice(&rest[..n]);
                reader.notify_read(n);
                rest = &rest[n..];
            }
            mcap::sans_io::LinearReadEvent::Record { opcode: mcap::records::op::MESSAGE, .. } => {
                messages += 1
            }
            mcap::sans_io::LinearReadEvent::Record { .. } => {}
        }
    }
    // Genesis and head; four events, witness and pose a cycle.
    assert_eq!(messages, 2 + 5 * 6);
}

#[test]
fn an_empty_directory_and_another_chain_are_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let held = JournalDir::lock(dir.path()).unwrap();
    assert!(held.salvage(None).unwrap().end.is_none());
    drop(held);
    fs::write(part(dir.path(), 3), b"").unwrap();
    fs::write(dir.path().join("notes.txt"), b"hello").unwrap();
    let other = dir.path().join("00000000000000ff-00000000.mcap.part");
    fs::write(&other, Random(3).bytes(3000)).unwrap();
    let held = JournalDir::lock(dir.path()).unwrap();
    let salvage = held.salvage(None).unwrap();
    assert!(salvage.end.is_none() && !other.exists() && !part(dir.path(), 3).exists());
    assert_eq!(salvage.discarded_bytes(), 3000);
    assert_eq!(salvage.set_aside[0].segment.chain.0, 0xff);
}
