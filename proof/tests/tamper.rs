//! Guards that nothing in a journal can be changed unnoticed: one flipped bit in any stored datagram, tick, command,
//! boot, stop, pose, witness, genesis or segment head is found by the witness alone (the files are written anew around
//! it, with right checksums and seals), one flipped bit anywhere in the files is found by the seals, and so are entries
//! that are taken out, put in, moved or brought from another chain. What a cut end and a chain that was computed anew
//! look like is here, too: `docs/witness.md` says who can forge what.
//!
//! Has caught: findings about a changed witness that named the cycle number which the change had made of it; damage of
//! a segment's last seal that was reported under whatever cycle the damaged seal claimed.

mod common;

use common::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use wavewitness_journal::{ChainId, Chunk, Content, Journal};
use wavewitness_proof::report::{Kind, Report};
use wavewitness_types::{Canonical, Event, PoseFrame};
use wavewitness_witness::{Chain, Genesis, Witness, event_inputs};

/// 3 s in three segments: boot, 60 cycles, stop.
const SECONDS: u64 = 3;
const CYCLES: u64 = 20 * SECONDS;
const PER_SEGMENT: u32 = 20;

struct Recorded {
    dir: tempfile::TempDir,
    genesis: Genesis,
    chunks: Vec<Chunk>,
}

fn recorded(seed: u64) -> Recorded {
    let dir = scratch();
    let genesis = record(dir.path(), &scene(SECONDS), seed, PER_SEGMENT);
    let report = verified(dir.path());
    assert!(report.is_clean(), "{}", findings(&report));
    assert_eq!(report.cycles(), CYCLES);
    let chunks = read(dir.path());
    Recorded { dir, genesis, chunks }
}

impl Recorded {
    fn id(&self) -> ChainId {
        ChainId::from_digest(&self.genesis.digest().0)
    }

    /// Chunks as a sound journal of this chain.
    fn written(&self, chunks: &[Chunk]) -> tempfile::TempDir {
        let dir = scratch();
        write(dir.path(), self.id(), chunks);
        dir
    }

    fn report_of(&self, chunks: &[Chunk]) -> Report {
        verified(self.written(chunks).path())
    }

    /// The place of a cycle among the chunks.
    fn place(&self, cycle: u64) -> usize {
        self.chunks.iter().position(|c| c.cycle().is_some_and(|c| c.0 == cycle)).unwrap()
    }

    /// The cycles on both sides of a chunk; a cycle stands for itself.
    fn neighbours(&self, place: usize) -> (Option<u64>, Option<u64>) {
        let before = self.chunks[..=place].iter().rev().find_map(Chunk::cycle);
        let after = self.chunks[place..].iter().find_map(Chunk::cycle);
        (before.map(|c| c.0), after.map(|c| c.0))
    }
}

/// A stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Genesis,
    Head,
    Event(usize),
    Witness,
    Pose,
}

fn part(chunk: &mut Chunk, part: Part) -> &mut Vec<u8> {
    match (&mut chunk.content, part) {
        (Content::Start { genesis, .. }, Part::Genesis) => genesis,
        (Content::Start { head, .. }, Part::Head) => head,
        (Content::Cycle { events, .. } | Content::Entry { events, .. }, Part::Event(k)) => &mut events[k],
        (Content::Cycle { witness, .. } | Content::Entry { witness, .. }, Part::Witness) => {
            witness.as_mut().unwrap()
        }
        (Content::Cycle { pose, .. }, Part::Pose) => pose.as_mut().unwrap(),
        other => panic!("no such part: {other:?}"),
    }
}

/// Every stored value by what it is.
fn parts(chunks: &[Chunk]) -> BTreeMap<&'static str, Vec<(usize, Part)>> {
    let mut out: BTreeMap<&str, Vec<(usize, Part)>> = BTreeMap::new();
    for (k, chunk) in chunks.iter().enumerate() {
        let mut put = |name, part| out.entry(name).or_default().push((k, part));
        for (e, event) in chunk.events().iter().enumerate() {
            let name = match Event::from_canonical_bytes(event).unwrap() {
                Event::Datagram { .. } => "datagram",
                Event::Tick { .. } => "tick",
                Event::Command { .. } => "command",
                Event::Boot { .. } => "boot",
                Event::Stop { .. } => "stop",
            };
            put(name, Part::Event(e));
        }
        match &chunk.content {
            Content::Start { head, .. } => {
                put("genesis", Part::Genesis);
                if !head.is_empty() {
                    put("head", Part::Head);
                }
            }
            Content::Cycle { .. } => {
                put("witness", Part::Witness);
                put("pose", Part::Pose);
            }
            Content::Entry { .. } => put("entry witness", Part::Witness),
        }
    }
    out
}

/// How many bits of each are flipped, one at a time.
const TRIES: [(&str, usize); 10] = [
    ("boot", 50),
    ("command", 20),
    ("datagram", 400),
    ("entry witness", 50),
    ("genesis", 50),
    ("head", 50),
    ("pose", 250),
    ("stop", 20),
    ("tick", 60),
    ("witness", 250),
];

#[test]
fn a_flipped_bit_of_any_stored_value_is_found_with_its_cycle() {
    let recorded = recorded(1);
    let all = parts(&recorded.chunks);
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), TRIES.map(|(name, _)| name));
    let mut random = Random(11);
    let mut chunks = recorded.chunks.clone();
    let mut tried = 0;
    for (name, tries) in TRIES {
        for _ in 0..tries {
            let (k, which) = all[name][random.below(all[name].len())];
            let bytes = part(&mut chunks[k], which);
            let bit = random.below(8 * bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
            let report = recorded.report_of(&chunks);
            part(&mut chunks[k], which)[bit / 8] ^= 1 << (bit % 8);
            judge(&recorded, &report, k, &format!("{name}, bit {bit} of {which:?} of chunk {k}"));
            tried += 1;
        }
    }
    assert_eq!(chunks, recorded.chunks);
    assert!(tried >= 1000);
    println!("{tried} bits of stored values flipped, all found");
}

/// The first finding names the changed chunk's cycle (or, of what lies between cycles, one beside it), and the others
/// are no more than its consequence for the entry behind it.
fn judge(recorded: &Recorded, report: &Report, changed: usize, what: &str) {
    let all = findings(report);
    let first = report.findings().next().unwrap_or_else(|| panic!("{what}: not found"));
    let (before, after) = recorded.neighbours(changed);
    assert!([before, after].contains(&first.cycle), "{what}: named wrongly{all}");
    if recorded.chunks[changed].cycle().is_some() {
        let behind = recorded.neighbours(changed + 1).1;
        for finding in report.findings() {
            let near = [before, behind].contains(&finding.cycle);
            assert!(near, "{what}: named wrongly{all}");
        }
    }
}

/// A segment's file.
struct File {
    path: PathBuf,
    /// Where its chunks begin, and their places among all.
    chunks: Vec<(usize, usize)>,
    /// Where its index begins.
    index: usize,
    bytes: Vec<u8>,
}

fn layout(recorded: &Recorded, path: &Path) -> File {
    let bytes = fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let chunks: Vec<(usize, usize)> = (0..recorded.chunks.len())
        .filter(|&k| recorded.chunks[k].segment.file() == name)
        .map(|k| (recorded.chunks[k].offset as usize, k))
        .collect();
    let last = chunks.last().unwrap().0;
    let data_end = [0x0f, 4, 0, 0, 0, 0, 0, 0, 0];
    let index = last + bytes[last..].windows(9).position(|w| w == data_end).unwrap();
    File { path: path.to_owned(), chunks, index, bytes }
}

fn segments(path: &Path) -> Vec<PathBuf> {
    Journal::open(path).unwrap().segments().iter().map(|s| s.path.clone()).collect()
}

/// Replaces a file. (Written over, some file systems would wait for the disk each time.)
fn put(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A flipped bit of a chunk at `position`, and what verification says of it.
fn judge_damage(recorded: &Recorded, file: &File, position: usize, report: &Report) {
    let hit = file.chunks.iter().rev().find(|(offset, _)| *offset <= position).unwrap().1;
    let what = format!("byte {position}, of chunk {hit}");
    let first = report.findings().next().unwrap_or_else(|| panic!("{what}: not found"));
    assert_eq!(first.kind, Kind::Storage, "{what}");
    let cycle = recorded.chunks[hit].cycle().map(|c| c.0);
    let (before, after) = recorded.neighbours(hit);
    let named = match cycle {
        // With no cycle before it and its own number damaged, the one behind it is all that is known.
        Some(0) => [Some(0), Some(1)].contains(&first.cycle),
        Some(_) => first.cycle == cycle,
        // Of what lies between cycles the first that can't be relied on is named.
        None => [after, before.map(|c| c + 1)].contains(&first.cycle),
    };
    assert!(named, "{what}: named wrongly{}", findings(report));
}

#[test]
fn a_flipped_bit_anywhere_in_the_files_is_found_beside_its_cycle() {
    let recorded = recorded(2);
    let files: Vec<File> = segments(recorded.dir.path()).iter().map(|p| layout(&recorded, p)).collect();
    let mut random = Random(12);
    let mut flipped = |file: &File, position: usize| {
        let mut changed = file.bytes.clone();
        changed[position] ^= 1 << random.below(8);
        put(&file.path, &changed);
        let report = verified(recorded.dir.path());
        put(&file.path, &file.bytes);
        report
    };
    let mut places = Random(13);
    let mut tried = 0;
    for _ in 0..500 {
        let file = &files[places.below(files.len())];
        let position = places.below(file.index);
        judge_damage(&recorded, file, position, &flipped(file, position));
        tried += 1;
    }
    // Every seal's cycle number: it must not be believed that the damage is where the damaged number says.
    for file in &files {
        let ends = file.chunks[1..].iter().map(|(offset, _)| *offset).chain([file.index]);
        for end in ends {
            let position = end - 20 + places.below(8);
            judge_damage(&recorded, file, position, &flipped(file, position));
            tried += 1;
        }
    }
    println!("{tried} bits of chunks flipped, all found");
}

#[test]
fn a_flipped_bit_of_an_index_is_found_and_costs_no_cycle() {
    let recorded = recorded(8);
    let files: Vec<File> = segments(recorded.dir.path()).iter().map(|p| layout(&recorded, p)).collect();
    let mut random = Random(14);
    for _ in 0..100 {
        let s = random.below(files.len());
        let file = &files[s];
        let position = file.index + random.below(file.bytes.len() - file.index);
        // The checksum of MCAP's data section says less than the seals, and nothing of ours looks at it.
        if (file.index + 9..file.index + 13).contains(&position) {
            continue;
        }
        let mut changed = file.bytes.clone();
        changed[position] ^= 1 << random.below(8);
        put(&file.path, &changed);
        let report = verified(recorded.dir.path());
        put(&file.path, &file.bytes);
        let what = format!("byte {position} of segment {s}");
        // At the very end it may look as a crash leaves it, which is noted.
        let noted = s + 1 == files.len() && !report.chains[0].notes.is_empty();
        assert!(!report.is_clean() || noted, "{what}: not found");
        assert!(report.findings().all(|f| f.kind == Kind::Storage), "{what}{}", findings(&report));
        assert_eq!(report.cycles(), CYCLES, "{what}");
    }
}

#[test]
fn cycles_that_are_removed_repeated_or_exchanged_are_found() {
    let recorded = recorded(3);
    for cycle in [0, 7, PER_SEGMENT as usize - 1, PER_SEGMENT as usize, CYCLES as usize - 1] {
        let k = recorded.place(cycle as u64);
        let expected = |chunks: &[Chunk], named: &[Option<u64>], what: &str| {
            let report = recorded.report_of(chunks);
            let first = report.findings().next().unwrap_or_else(|| panic!("{what} {cycle}: not found"));
            assert!(named.contains(&first.cycle), "{what} {cycle}{}", findings(&report));
            assert!(matches!(first.kind, Kind::Chain | Kind::Continuity), "{what} {cycle}: {first}");
        };
        let named = Some(cycle as u64);
        let (before, behind) = ((cycle as u64).checked_sub(1), recorded.neighbours(k + 1).1);
        let mut removed = recorded.chunks.clone();
        removed.remove(k);
        // What is not there can't be named: the entry behind it is, or the segment that does not continue.
        expected(&removed, &[behind, before, named], "removed");
        let mut repeated = recorded.chunks.clone();
        repeated.insert(k, repeated[k].clone());
        expected(&repeated, &[named], "repeated");
        let other =
            if matches!(recorded.chunks.get(k + 1), Some(c) if c.cycle().is_some()) { k + 1 } else { k - 1 };
        let mut exchanged = recorded.chunks.clone();
        exchanged.swap(k, other);
        let first = recorded.chunks[k.max(other)].cycle().map(|c| c.0);
        expected(&exchanged, &[first], "exchanged");
    }
    let mut stopless = recorded.chunks.clone();
    stopless.pop();
    let report = recorded.report_of(&stopless);
    assert!(
        report.is_clean() && report.chains[0].stops == 0,
        "an end that was cut off is no fault of what is here"
    );
}

#[test]
fn a_segment_of_another_chain_is_not_taken_for_one_of_this() {
    let (ours, theirs) = (recorded(4), recorded_later(5));
    let (our_paths, their_paths) = (segments(ours.dir.path()), segments(theirs.dir.path()));
    // Under its own name it is a chain of its own, which begins in its middle.
    let stray = ours.dir.path().join(their_paths[1].file_name().unwrap());
    fs::copy(&their_paths[1], &stray).unwrap();
    let report = verified(ours.dir.path());
    assert!(report.is_clean(), "{}", findings(&report));
    let starts: Vec<bool> = report.chains.iter().map(|c| c.from_genesis).collect();
    assert_eq!(starts, [true, false]);
    fs::remove_file(stray).unwrap();
    // Under our name it is found, by its first cycle.
    let kept = fs::read(&our_paths[1]).unwrap();
    put(&our_paths[1], &fs::read(&their_paths[1]).unwrap());
    let report = verified(ours.dir.path());
    let last = u64::from(PER_SEGMENT) - 1;
    let first = report.findings().next().unwrap();
    assert!([Some(last), Some(last + 1)].contains(&first.cycle), "{}", findings(&report));
    assert!(report.findings().any(|f| f.kind == Kind::Genesis), "{}", findings(&report));
    put(&our_paths[1], &kept);
    // With our genesis and head around it, their cycles still do not follow.
    let starts: Vec<usize> = (0..ours.chunks.len()).filter(|&k| ours.chunks[k].cycle().is_none()).collect();
    let (from, to) = (starts[2], starts[3]);
    let mut grafted = ours.chunks.clone();
    grafted[from + 1..to].clone_from_slice(&theirs.chunks[from + 1..to]);
    let report = ours.report_of(&grafted);
    let first = report.findings().next().unwrap();
    assert_eq!((first.cycle, first.kind), (Some(last + 1), Kind::Chain), "{}", findings(&report));
}

/// The same, a year later: another chain.
fn recorded_later(seed: u64) -> Recorded {
    let dir = scratch();
    let mut scene = scene(SECONDS);
    scene.start = scene.start.plus_nanos(365 * 86_400_000_000_000);
    let genesis = record(dir.path(), &scene, seed, PER_SEGMENT);
    let chunks = read(dir.path());
    Recorded { dir, genesis, chunks }
}

#[test]
fn a_cut_end_is_noted_and_shows_by_a_chain_value_that_was_kept() {
    let recorded = recorded(6);
    let whole = verified(recorded.dir.path()).chains[0].head.clone();
    let last = segments(recorded.dir.path()).pop().unwrap();
    let bytes = fs::read(&last).unwrap();
    put(&last, &bytes[..bytes.len() * 2 / 3]);
    // A finished segment has its trailer: without it somebody cut it.
    let report = verified(recorded.dir.path());
    let first = report.findings().next().unwrap();
    assert_eq!(first.kind, Kind::Storage, "{}", findings(&report));
    assert!(findings(&report).contains("ends without its trailer"), "{}", findings(&report));
    // Under the name that it has while it is written it can't be told from a crash.
    fs::rename(&last, format!("{}.part", last.display())).unwrap();
    let report = verified(recorded.dir.path());
    assert!(report.is_clean(), "{}", findings(&report));
    let chain = &report.chains[0];
    assert!(chain.notes.iter().any(|n| n.contains("torn tail")), "{:?}", chain.notes);
    assert!(chain.cycles < CYCLES && chain.stops == 0);
    assert_ne!(chain.head, whole, "the head tells what was cut off to whoever kept a later one");
    // Cut between two chunks and finished in order, it leaves no trace but that.
    let kept = recorded.place(CYCLES - 10);
    let report = recorded.report_of(&recorded.chunks[..kept]);
    assert!(report.is_clean());
    let before = Witness::from_canonical_bytes(recorded.chunks[kept - 1].witness().unwrap()).unwrap();
    assert_eq!(report.chains[0].head, before.chain.to_string());
    // A segment from the middle is missed.
    let dir = recorded.written(&recorded.chunks);
    fs::remove_file(&segments(dir.path())[1]).unwrap();
    let report = verified(dir.path());
    let first = report.findings().next().unwrap();
    assert_eq!((first.cycle, first.kind), (Some(u64::from(PER_SEGMENT)), Kind::Storage));
}

/// What somebody with the journal, this software and no scruple can do: change a cycle and compute every digest and
/// chain value behind it anew.
fn rechained(recorded: &Recorded, change: impl FnOnce(&mut Vec<Chunk>)) -> Vec<Chunk> {
    let mut chunks = recorded.chunks.clone();
    change(&mut chunks);
    let mut chain = Chain::new(&recorded.genesis);
    let mut previous = Vec::new();
    for chunk in &mut chunks {
        let events: Option<Vec<Event>> =
            chunk.events().iter().map(|b| Event::from_canonical_bytes(b)).collect();
        match &mut chunk.content {
            Content::Start { head, .. } => head.clone_from(&previous),
            Content::Cycle { witness, .. } | Content::Entry { witness, .. } => {
                let mut w = Witness::from_canonical_bytes(witness.as_ref().unwrap()).unwrap();
                w.inputs = event_inputs(&events.unwrap()).unwrap();
                *witness = Some(w.to_canonical_bytes());
            }
        }
        if let Content::Cycle { witness, pose, .. } = &mut chunk.content {
            let mut w = Witness::from_canonical_bytes(witness.as_ref().unwrap()).unwrap();
            w.output = Witness::output_digest(pose.as_ref().unwrap());
            *witness = Some(w.to_canonical_bytes());
        }
        if let Content::Cycle { witness, .. } | Content::Entry { witness, .. } = &mut chunk.content {
            let w = Witness::from_canonical_bytes(witness.as_ref().unwrap()).unwrap();
            previous = chain.extend(w).to_canonical_bytes();
            *witness = Some(previous.clone());
        }
    }
    chunks
}

fn only_divergence(recorded: &Recorded, chunks: &[Chunk], cycle: u64) -> String {
    let dir = recorded.written(chunks);
    let report = verified(dir.path());
    assert!(report.is_clean(), "a chain computed anew is consistent in itself{}", findings(&report));
    let whole = verified(recorded.dir.path());
    assert_ne!(report.chains[0].head, whole.chains[0].head);
    let report = replayed(dir.path());
    let all: Vec<_> = report.findings().collect();
    assert_eq!(all.len(), 1, "{}", findings(&report));
    assert_eq!((all[0].cycle, all[0].kind), (Some(cycle), Kind::Divergence), "{}", all[0]);
    assert_eq!(report.replayed_cycles(), cycle);
    all[0].detail.clone()
}

#[test]
fn a_chain_computed_anew_around_a_changed_cycle_is_found_by_replay() {
    let recorded = recorded(7);
    let cycle = 33;
    let k = recorded.place(cycle);
    // Nothing changed: the tool makes the chain that was there, and replay agrees.
    assert_eq!(rechained(&recorded, |_| {}), recorded.chunks);
    // A pose changed.
    let chunks = rechained(&recorded, |chunks| {
        let pose = part(&mut chunks[k], Part::Pose);
        let mut frame = PoseFrame::from_canonical_bytes(pose).unwrap();
        frame.quality.frames += 1;
        *pose = frame.to_canonical_bytes();
    });
    let detail = only_divergence(&recorded, &chunks, cycle);
    assert!(detail.contains("output differs"), "{detail}");
    // The digest of its stage, too.
    let chunks = rechained(&recorded, |chunks| {
        let witness = part(&mut chunks[k], Part::Witness);
        let mut w = Witness::from_canonical_bytes(witness).unwrap();
        w.stages[8].0[0] ^= 1;
        *witness = w.to_canonical_bytes();
    });
    let detail = only_divergence(&recorded, &chunks, cycle);
    assert!(detail.contains("stage pose differs first"), "{detail}");
    // A datagram left out, as if it had never come.
    let chunks = rechained(&recorded, |chunks| match &mut chunks[k].content {
        Content::Cycle { events, .. } => drop(events.remove(0)),
        other => panic!("{other:?}"),
    });
    let detail = only_divergence(&recorded, &chunks, cycle);
    assert!(detail.contains("stage ingest differs first"), "{detail}");
    assert!(replayed(recorded.dir.path()).is_clean());
}
