//! The signed log: which of its files a check needs, and the check.

use crate::chain::Checked;
use crate::report::{Fault, Report};
use wavewitness_log::store::StoredTiles;
use wavewitness_log::{
    Certificate, Checkpoint, Entry, Frontier, HashReader, Note, Storage, TileKind, TilePath, VerifierKey,
    bundle_entries, leaf_hash,
};
use wavewitness_types::canonical::Reader;

/// Entries of a full bundle.
const BUNDLE: u64 = 256;
/// Entries that may stand between the cycles of a few minutes: boots, calibrations, gaps, and the second or two by
/// which the checkpoint is newer than the answer.
const SLACK: u64 = 256;
/// Longest file that is read.
const MAX_FILE: usize = 1 << 20;

/// Places of [`Report::counts`] after [`check`].
pub mod count {
    /// Entries that the checkpoint signs.
    pub const SIZE: usize = 0;
    /// Cycles that stand in the signed tree with their chain values.
    pub const SIGNED: usize = 1;
    /// Cycles newer than the checkpoint.
    pub const UNSIGNED: usize = 2;
    /// Cycles older than the files that were looked at.
    pub const OLDER: usize = 3;
    /// Number of the epoch whose key signed.
    pub const EPOCH: usize = 4;
    /// Entries whose leaf hashes were computed.
    pub const LEAVES: usize = 5;
}

/// The first entry that is looked at, a multiple of 256.
fn first_entry(size: u64, records: u64) -> u64 {
    size.saturating_sub(records.saturating_add(SLACK)) / BUNDLE * BUNDLE
}

/// The perfect subtrees of the first `from` entries, largest first: height and index.
fn left_subtrees(from: u64) -> impl Iterator<Item = (u32, u64)> {
    (0..u64::BITS).rev().filter(move |j| from >> j & 1 == 1).map(move |j| (j, (from >> j) - 1))
}

/// The files of the log that a check of `records` records wants, one a line, without the checkpoint and the keys.
/// `None` if the bytes are no checkpoint.
pub fn wanted(checkpoint: &[u8], records: u64) -> Option<String> {
    let size = Checkpoint::parse_text(&Note::parse(checkpoint).ok()?.text)?.size;
    let from = first_entry(size, records);
    let mut paths = Vec::new();
    for (height, index) in left_subtrees(from) {
        let level = u8::try_from(height / 8).ok()?;
        paths.push(TilePath::of(TileKind::Hashes(level), (index << (height % 8)) / BUNDLE, size)?);
    }
    for bundle in from / BUNDLE..size.div_ceil(BUNDLE) {
        paths.push(TilePath::of(TileKind::Entries, bundle, size)?);
    }
    paths.dedup();
    Some(paths.iter().map(|p| format!("{p}\n")).collect())
}

/// Files by name.
struct Files<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Files<'a> {
    fn read(bytes: &'a [u8]) -> Option<Files<'a>> {
        let mut r = Reader::new(bytes);
        let mut out = Vec::new();
        while r.remaining() > 0 {
            let name = core::str::from_utf8(r.bytes(200)?).ok()?;
            out.push((name, r.bytes(MAX_FILE)?));
        }
        Some(Files(out))
    }

    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, bytes)| *bytes)
    }
}

impl Storage for Files<'_> {
    fn read(&mut self, path: TilePath, out: &mut Vec<u8>) -> bool {
        let Some(bytes) = self.get(&path.to_string()) else { return false };
        out.clear();
        out.extend_from_slice(bytes);
        true
    }
}

/// Checks the log's files against each other and the cycles of a chain against them. `files` holds, for each: string
/// name · string bytes; the names `checkpoint`, `root.pub` and `certificate`, and those of [`wanted`].
pub fn check(files: &[u8], cycles: &[Checked], records: u64) -> Report {
    let mut report = Report::EMPTY;
    match run(files, cycles, records, &mut report) {
        Ok(()) => report,
        Err((fault, cycle)) => report.with(fault, cycle),
    }
}

fn run(files: &[u8], cycles: &[Checked], records: u64, report: &mut Report) -> Result<(), (Fault, u64)> {
    let mut files = Files::read(files).ok_or((Fault::Files, 0))?;
    let file = |name| files.get(name).ok_or((Fault::Files, 0));
    let (note, root_key, certificate) = (file("checkpoint")?, file("root.pub")?, file("certificate")?);
    let root_key =
        core::str::from_utf8(root_key).ok().and_then(|text| VerifierKey::parse(text.trim_end()).ok());
    let root_key = root_key.ok_or((Fault::RootKey, 0))?;
    let text = Note::parse(note).map_err(|_| (Fault::Checkpoint, 0))?.text;
    let origin = Checkpoint::parse_text(&text).ok_or((Fault::Checkpoint, 0))?.origin;
    let certificate =
        Certificate::open(certificate, &origin, &root_key).map_err(|_| (Fault::Certificate, 0))?;
    let head = certificate.open_checkpoint(note).map_err(|_| (Fault::Checkpoint, 0))?;
    report.counts[count::SIZE] = head.size;
    report.counts[count::EPOCH] = certificate.epoch;

    let from = first_entry(head.size, records);
    let mut frontier = left_frontier(&mut files, from, head.size).ok_or((Fault::Files, 0))?;
    let mut logged: Vec<Checked> = Vec::new();
    for index in from / BUNDLE..head.size.div_ceil(BUNDLE) {
        let path = TilePath::of(TileKind::Entries, index, head.size).ok_or((Fault::Files, 0))?;
        let bundle = files.get(&path.to_string()).ok_or((Fault::Files, 0))?;
        let entries = bundle_entries(bundle).map_err(|_| (Fault::Files, 0))?;
        for entry in entries.get(..usize::from(path.width)).ok_or((Fault::Files, 0))? {
            frontier.push(0, leaf_hash(entry), |_, _| ()).ok_or((Fault::Files, 0))?;
            report.counts[count::LEAVES] += 1;
            if let Ok(Entry::Cycle { cycle, at, source, chain }) = Entry::parse(entry) {
                let chain = wavewitness_witness::Digest(chain);
                logged.push(Checked { cycle: cycle.0, at, source, chain });
            }
        }
    }
    if frontier.size() != head.size || frontier.root() != head.root {
        return Err((Fault::Root, 0));
    }
    compare(&mut logged, cycles, from == 0, report)
}

fn left_frontier(files: &mut Files<'_>, from: u64, size: u64) -> Option<Frontier> {
    let mut frontier = Frontier::default();
    let mut tiles = StoredTiles::new(files, size);
    for (height, index) in left_subtrees(from) {
        frontier.push(height, tiles.hash(height, index)?, |_, _| ())?;
    }
    Some(frontier)
}

fn compare(
    logged: &mut [Checked],
    cycles: &[Checked],
    whole: bool,
    report: &mut Report,
) -> Result<(), (Fault, u64)> {
    // By cycle: a hub never writes them otherwise, but nothing here depends on it.
    logged.sort_by_key(|entry| entry.cycle);
    let (first, last) = match (logged.first(), logged.last()) {
        (Some(first), Some(last)) => (if whole { 0 } else { first.cycle }, last.cycle),
        _ => (u64::MAX, 0),
    };
    for cycle in cycles {
        if cycle.cycle > last {
            report.counts[count::UNSIGNED] += 1;
        } else if cycle.cycle < first {
            report.counts[count::OLDER] += 1;
        } else {
            let place = logged.binary_search_by_key(&cycle.cycle, |entry| entry.cycle);
            if place.ok().is_none_or(|k| logged[k] != *cycle) {
                return Err((Fault::NotLogged, cycle.cycle));
            }
            report.counts[count::SIGNED] += 1;
        }
    }
    Ok(())
}
