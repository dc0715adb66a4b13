//! Guards that no damage goes unnoticed and none is fatal: one flipped bit anywhere is reported with its place and its
//! neighbours, a cut file gives its whole cycles, what is missing is named, and hostile bytes neither panic nor grow.

mod common;

use common::*;
use std::fs;
use std::path::{Path, PathBuf};
use wavewitness_journal::{Fault, FaultKind, Journal};
use wavewitness_types::CycleIndex;

const CYCLES: u64 = 12;

/// A segment of a few small cycles: its bytes, where each chunk begins, and where the last ends.
fn small(cycles: u64) -> (tempfile::TempDir, PathBuf, Vec<u8>, Vec<u64>, u64) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0..cycles, 100);
    let path = Journal::open(dir.path()).unwrap().segments()[0].path.clone();
    let bytes = fs::read(&path).unwrap();
    let offsets: Vec<u64> = read(dir.path()).0.iter().map(|c| c.offset).collect();
    // The last chunk ends where the trailer's first record, DataEnd of 4 bytes, begins.
    let data_end = [0x0f, 4, 0, 0, 0, 0, 0, 0, 0];
    let last = *offsets.last().unwrap() as usize;
    let end = last + bytes[last..].windows(9).position(|w| w == data_end).unwrap();
    (dir, path, bytes, offsets, end as u64)
}

/// Replaces a file. (Written over, some file systems would wait for the disk each time.)
fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The chunk (0 is the start, k holds cycle k - 1) at a file offset.
fn chunk_at(offsets: &[u64], position: u64) -> usize {
    offsets.iter().rposition(|&o| o <= position).unwrap()
}

#[test]
fn every_flipped_bit_is_reported_with_its_cycle() {
    let (_dir, path, mut bytes, offsets, end) = small(CYCLES);
    let everything: Vec<u64> = (0..CYCLES).collect();
    let mut random = Random(7);
    let mut tried = 0;
    for position in 0..end as usize {
        let hit = chunk_at(&offsets, position as u64);
        let bit = 1u8 << random.below(8);
        bytes[position] ^= bit;
        put(&path, &bytes);
        let (chunks, faults) = read(&path);
        bytes[position] ^= bit;
        let kept: Vec<u64> = everything.iter().copied().filter(|&n| n + 1 != hit as u64).collect();
        assert_eq!(numbers(&chunks), kept, "flip at {position}");
        let [fault] = &faults[..] else { panic!("flip at {position}: {faults:?}") };
        assert!(matches!(fault.kind, FaultKind::Damaged { .. }), "flip at {position}: {fault}");
        assert_eq!(fault.segment.number, 0);
        assert_eq!(fault.offset, offsets[hit], "flip at {position}: {fault}");
        let before = (hit as u64).checked_sub(2).map(CycleIndex);
        let after = Some(hit as u64).filter(|&n| n < CYCLES).map(CycleIndex);
        assert_eq!((fault.last_good, fault.next_good), (before, after), "flip at {position}");
        tried += 1;
    }
    assert!(tried >= 1000, "only {tried} positions tried");
}

#[test]
fn a_damaged_index_loses_no_cycle_and_is_reported() {
    let (_dir, path, mut bytes, _, end) = small(4);
    let mut random = Random(8);
    for position in end as usize..bytes.len() {
        // The checksum of the data section: the seals say more, and it is not looked at.
        if (end as usize + 9..end as usize + 13).contains(&position) {
            continue;
        }
        let bit = 1u8 << random.below(8);
        bytes[position] ^= bit;
        put(&path, &bytes);
        let (chunks, faults) = read(&path);
        bytes[position] ^= bit;
        assert_eq!(numbers(&chunks), (0..4).collect::<Vec<_>>(), "flip at {position}");
        assert_eq!(faults.len(), 1, "flip at {position}: {faults:?}");
    }
}

#[test]
fn a_file_cut_anywhere_gives_its_whole_cycles_and_says_so() {
    let (_dir, path, bytes, offsets, end) = small(4);
    let ends: Vec<u64> = offsets[1..].iter().copied().chain([end]).collect();
    // As a crash leaves it: not yet with its final name.
    let part = PathBuf::from(format!("{}.part", path.display()));
    fs::rename(&path, &part).unwrap();
    for cut in 0..bytes.len() {
        put(&part, &bytes[..cut]);
        let (chunks, faults) = read(part.parent().unwrap());
        let whole = ends.iter().filter(|&&e| e <= cut as u64).count() as u64;
        assert_eq!(numbers(&chunks), (0..whole.saturating_sub(1)).collect::<Vec<_>>(), "cut at {cut}");
        let [fault] = &faults[..] else { panic!("cut at {cut}: {faults:?}") };
        let bytes = cut as u64 - ends.iter().filter(|&&e| e <= cut as u64).max().unwrap_or(&0);
        assert_eq!(fault.kind, FaultKind::TornTail { bytes }, "cut at {cut}");
    }
}

#[test]
fn only_a_segment_without_its_final_name_may_be_torn() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0..9, 3);
    let segments = Journal::open(dir.path()).unwrap();
    let paths: Vec<PathBuf> = segments.segments().iter().map(|s| s.path.clone()).collect();
    for (k, path) in paths.iter().enumerate() {
        let bytes = fs::read(path).unwrap();
        put(path, &bytes[..bytes.len() / 3]);
        let (chunks, faults) = read(dir.path());
        put(path, &bytes);
        assert_eq!(faults.len(), 1);
        assert!(!faults[0].is_expected_after_a_crash(), "{}", faults[0]);
        assert!(faults[0].to_string().contains("the segment ends without its trailer"), "{}", faults[0]);
        assert_eq!(faults[0].segment.number, k as u32);
        // The segments behind it are read all the same.
        assert!(numbers(&chunks).ends_with(if k == 2 { &[3, 4, 5] } else { &[6, 7, 8] }) || k == 2);
    }
    let part = PathBuf::from(format!("{}.part", paths[2].display()));
    fs::rename(&paths[2], &part).unwrap();
    let bytes = fs::read(&part).unwrap();
    put(&part, &bytes[..bytes.len() / 3]);
    let (_, faults) = read(dir.path());
    assert!(faults.len() == 1 && faults[0].is_expected_after_a_crash(), "{faults:?}");
}

#[test]
fn what_is_taken_out_is_named() {
    // A segment.
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0..12, 3);
    let second = Journal::open(dir.path()).unwrap().segments()[1].path.clone();
    fs::remove_file(second).unwrap();
    let (chunks, faults) = read(dir.path());
    assert_eq!(numbers(&chunks), [0, 1, 2, 6, 7, 8, 9, 10, 11]);
    let kinds: Vec<&FaultKind> = faults.iter().map(|f| &f.kind).collect();
    assert_eq!(kinds, [&FaultKind::MissingSegments { first: 1, last: 1 }]);
    assert_eq!(faults[0].last_good, Some(CycleIndex(2)));

    // Chunks, cut out cleanly or put in twice.
    let (_dir, path, bytes, offsets, _) = small(CYCLES);
    let (a, b) = (offsets[4] as usize, offsets[6] as usize);
    put(&path, [&bytes[..a], &bytes[b..]].concat());
    let (chunks, faults) = read(&path);
    assert_eq!(numbers(&chunks), [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]);
    let around = |f: &Fault| (f.last_good.map(|c| c.0), f.next_good.map(|c| c.0));
    assert_eq!(faults.iter().map(|f| &f.kind).collect::<Vec<_>>(), [&FaultKind::MissingChunks { count: 2 }]);
    assert_eq!(around(&faults[0]), (Some(2), Some(5)));
    put(&path, [&bytes[..b], &bytes[a..]].concat());
    let (chunks, faults) = read(&path);
    assert_eq!(numbers(&chunks), (0..CYCLES).collect::<Vec<_>>());
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn a_long_stretch_of_zeros_is_one_fault() {
    let (_dir, path, mut bytes, offsets, _) = small(CYCLES);
    let (a, b) = (offsets[3] as usize + 5, offsets[7] as usize - 90);
    bytes[a..b].fill(0);
    put(&path, &bytes);
    let (chunks, faults) = read(&path);
    assert_eq!(numbers(&chunks), [0, 1, 6, 7, 8, 9, 10, 11]);
    let [fault] = &faults[..] else { panic!("{faults:?}") };
    assert_eq!((fault.last_good, fault.next_good), (Some(CycleIndex(1)), Some(CycleIndex(6))));
    assert_eq!(fault.offset, offsets[3]);
}

/// Random bytes behind valid beginnings, lengths of every size, seals that hold over nonsense.
#[test]
fn hostile_bytes_neither_panic_nor_grow() {
    let (dir, path, bytes, offsets, end) = small(CYCLES);
    let mut random = Random(9);
    for round in 0..800u64 {
        let mut hostile = bytes.clone();
        let group = 1 + random.below(offsets.len() as u64 - 2) as usize;
        let (from, to) = (offsets[group] as usize, offsets[group + 1] as usize);
        match round % 5 {
            // A length: of the chunk record, or of a field in its header.
            0 => {
                let at = from + [1, 9 + 16, 9 + 28, 9 + 36][random.below(4) as usize];
                let value =
                    [u64::MAX, u64::MAX >> random.below(63), random.below(1 << 34)][random.below(3) as usize];
                hostile[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
            1 => hostile[from..to].fill_with(|| random.next() as u8),
            2 => hostile.truncate(from + random.below((to - from) as u64) as usize),
            3 => {
                let at = random.below(end) as usize;
                hostile.splice(at..at, (0..random.below(40)).map(|k| k as u8).collect::<Vec<_>>());
            }
            _ => {
                let at = random.below(end) as usize;
                hostile.drain(at..(at + random.below(60) as usize).min(bytes.len()));
            }
        }
        if round % 2 == 0 && round % 5 < 2 {
            // Seal it again: now the checksum holds and the decoder must bear it.
            let crc = crc32fast::hash(&hostile[from..to - 4]);
            hostile[to - 4..to].copy_from_slice(&crc.to_le_bytes());
        }
        put(&path, &hostile);
        let (chunks, faults) = read(dir.path());
        assert!(numbers(&chunks).len() as u64 <= CYCLES);
        assert!(!faults.is_empty() || hostile == bytes, "round {round}");
    }
    for length in [0, 1, 7, 8, 9, 17, 100, 5000] {
        put(&path, random.bytes(length));
        let (chunks, faults) = read(dir.path());
        assert_eq!((chunks.len(), faults.len()), (0, 1));
    }
}
