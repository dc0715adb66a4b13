//! The walk over a stored log.

use super::{Fault, Input, Pin, Subject, Summary, Watch};
use crate::checkpoint::{Checkpoint, CheckpointFault};
use crate::entry::Entry;
use crate::epoch::{EpochFault, KeyHistory};
use crate::frontier::Frontier;
use crate::hash::{Hash, leaf_hash};
use crate::prune::may_lack;
use crate::store::{Storage, perfect_root};
use crate::tile::{TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH, TileKind, TilePath, bundle_entries};
use std::collections::BTreeMap;

/// The last tile read of a level: its name, and its hashes if they are usable.
type Cached = Option<(TilePath, Option<Vec<u8>>)>;

pub(super) struct Walk<'a, S, W> {
    storage: &'a mut S,
    input: &'a Input<'a>,
    watch: &'a mut W,
    /// Entries that the latest checkpoint covers and the storage has.
    end: u64,
    /// The latest checkpoint as read, before its signature is verified.
    latest: Result<Checkpoint, CheckpointFault>,
    frontier: Frontier,
    /// A subtree hash is unknown: the frontier has the right size only.
    lost: bool,
    expected: BTreeMap<u64, Vec<(Subject, Hash)>>,
    upper: [Cached; TILE_LEVELS as usize],
    keys: KeyHistory,
    announced: u64,
    root_is_rebuilt: bool,
    rolled_back: bool,
    entries: u64,
    pruned: u64,
    faults: u64,
}

impl<'a, S: Storage, W: Watch> Walk<'a, S, W> {
    pub(super) fn new(storage: &'a mut S, input: &'a Input<'a>, watch: &'a mut W) -> Self {
        let latest = Checkpoint::read_unverified(input.checkpoint, input.origin).map(|(c, _)| c);
        let signed = latest.as_ref().map_or(input.stored, |c| c.size);
        Walk {
            storage,
            input,
            watch,
            end: if signed < input.stored { signed } else { input.stored },
            latest,
            frontier: Frontier::default(),
            lost: false,
            expected: BTreeMap::new(),
            upper: core::array::from_fn(|_| None),
            keys: KeyHistory::new(input.origin, input.root_key.clone()),
            announced: 0,
            root_is_rebuilt: false,
            rolled_back: false,
            entries: 0,
            pruned: 0,
            faults: 0,
        }
    }

    pub(super) fn run(mut self) -> Summary {
        self.expect_roots();
        self.judge();
        for n in 0..self.end.div_ceil(TILE_WIDTH) {
            self.bundle(n);
        }
        self.upper_edge();
        self.leave_unjudged();
        let unsigned = self.tail();
        if self.input.minimum_index > self.announced {
            let (minimum_index, announced) = (self.input.minimum_index, self.announced);
            self.tell(Fault::Retention { minimum_index, announced });
        }
        let valid = self.signatures();
        let proven = self.latest.ok().filter(|_| valid && self.root_is_rebuilt && !self.rolled_back);
        Summary {
            proven: proven.map(|c| Pin { size: c.size, root: c.root }),
            entries: self.entries,
            pruned: self.pruned,
            unsigned,
            faults: self.faults,
            keys: self.keys,
        }
    }

    fn tell(&mut self, fault: Fault) {
        self.faults += u64::from(!fault.is_notice());
        self.watch.fault(fault);
    }

    /// Collects every root that the walk will pass, and tells what is larger than the latest checkpoint.
    fn expect_roots(&mut self) {
        let mut roots = Vec::new();
        for (n, note) in self.input.older.iter().enumerate() {
            if let Ok((c, _)) = Checkpoint::read_unverified(note, self.input.origin) {
                roots.push((Subject::Older(n), c.size, c.root));
            }
        }
        roots.extend(self.input.pin.map(|pin| (Subject::Pin, pin.size, pin.root)));
        if let Ok(latest) = &self.latest {
            let signed = latest.size;
            let stored = self.input.stored;
            let larger: Vec<_> = roots.iter().copied().filter(|(_, size, _)| *size > signed).collect();
            roots.push((Subject::Latest, signed, latest.root));
            if stored < signed {
                self.tell(Fault::Truncated { stored, signed });
            }
            for (subject, size, _) in larger {
                self.rolled_back = true;
                self.tell(Fault::RolledBack { subject, size });
            }
        }
        for (subject, size, root) in roots {
            self.expected.entry(size).or_default().push((subject, root));
        }
    }

    /// Judges the roots of the present size.
    fn judge(&mut self) {
        let size = self.frontier.size();
        while let Some(first) = self.expected.first_entry().filter(|e| *e.key() <= size) {
            let (at, subjects) = first.remove_entry();
            for (subject, root) in subjects {
                if at < size || self.lost {
                    self.tell(Fault::Unjudged { subject, size: at });
                } else if self.frontier.root() != root {
                    self.tell(Fault::Root { subject, size });
                } else if subject == Subject::Latest {
                    self.root_is_rebuilt = true;
                }
            }
        }
    }

    /// Roots behind the end: rolled back or cut off, which was told.
    fn leave_unjudged(&mut self) {
        while let Some((size, subjects)) = self.expected.pop_first() {
            subjects.into_iter().for_each(|(subject, _)| self.tell(Fault::Unjudged { subject, size }));
        }
    }

    /// Reads a tile; tells what is wrong with it unless it may be lacking.
    fn read_tile(&mut self, path: TilePath) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        if !self.storage.read(path, &mut bytes) {
            if path.kind != TileKind::Hashes(0) || !may_lack(path, self.input.minimum_index) {
                self.tell(Fault::Missing(path));
            }
            return None;
        }
        let wanted = usize::from(path.width) * Hash::BYTES;
        let most = TILE_WIDTH as usize * Hash::BYTES;
        if bytes.len() < wanted || bytes.len() > most || !bytes.len().is_multiple_of(Hash::BYTES) {
            self.tell(Fault::TileLength(path));
            return None;
        }
        bytes.truncate(wanted);
        Some(bytes)
    }

    /// Hash of a subtree of 256^level leaves as its tile says.
    fn upper(&mut self, level: u8, index: u64) -> Option<(TilePath, Hash)> {
        let path = TilePath::of(TileKind::Hashes(level), index / TILE_WIDTH, self.end)?;
        let slot = usize::from(level);
        if self.upper.get(slot)?.as_ref().is_none_or(|(cached, _)| *cached != path) {
            let bytes = self.read_tile(path);
            self.upper[slot] = Some((path, bytes));
        }
        let (_, bytes) = self.upper[slot].as_ref()?;
        Hash::nth(bytes.as_deref()?, index % TILE_WIDTH).map(|hash| (path, hash))
    }

    /// Appends a subtree to the rebuilt tree and compares the hashes that it completes with the tiles above.
    fn push(&mut self, height: u32, hash: Hash) {
        let mut completed = [(0u32, hash); TILE_LEVELS as usize];
        let mut count = 0;
        let lost = self.lost;
        let pushed = self.frontier.push(height, hash, |h, node| {
            // After a lost subtree only level 1 stands on what was read.
            if h >= TILE_HEIGHT && h.is_multiple_of(TILE_HEIGHT) && (!lost || h == TILE_HEIGHT) {
                completed[count] = (h, *node);
                count += 1;
            }
        });
        assert!(pushed.is_some(), "the walk appends aligned subtrees");
        for (h, node) in completed.into_iter().take(count) {
            let index = (self.frontier.size() >> h) - 1;
            if let Some((path, stored)) = self.upper((h / TILE_HEIGHT) as u8, index)
                && stored != node
            {
                self.tell(Fault::TileHash { path, position: (index % TILE_WIDTH) as u16 });
            }
        }
        self.judge();
    }

    /// One bundle, its level-0 tile, and what they complete.
    fn bundle(&mut self, n: u64) {
        let path = TilePath::of(TileKind::Entries, n, self.end).expect("a bundle before the end has entries");
        let tile_path = TilePath { kind: TileKind::Hashes(0), ..path };
        let mut bytes = Vec::new();
        let entries = self.read_bundle(path, &mut bytes);
        let tile = self.read_tile(tile_path);
        match (entries, tile) {
            (Some(entries), Some(tile)) => {
                let trusted = self.settle(tile_path, &entries, &tile);
                self.leaves(n, Some(&entries), &trusted);
            }
            (Some(entries), None) => {
                let leaves: Vec<Hash> = entries.iter().map(|e| leaf_hash(e)).collect();
                self.leaves(n, Some(&entries), &leaves);
            }
            // A cut that a crash ended before its last file.
            (None, Some(_)) if may_lack(path, self.input.minimum_index) => self.without_files(n, path),
            (None, Some(tile)) => self.leaves(n, None, &hashes(&tile)),
            (None, None) => self.without_files(n, path),
        }
    }

    fn read_bundle<'b>(&mut self, path: TilePath, bytes: &'b mut Vec<u8>) -> Option<Vec<&'b [u8]>> {
        if !self.storage.read(path, bytes) {
            if !may_lack(path, self.input.minimum_index) {
                self.tell(Fault::Missing(path));
            }
            return None;
        }
        match bundle_entries(bytes) {
            Err(fault) => {
                self.tell(Fault::Bundle { path, fault });
                None
            }
            Ok(entries) if entries.len() < usize::from(path.width) => {
                self.tell(Fault::BundleShort(path));
                None
            }
            Ok(mut entries) => {
                entries.truncate(usize::from(path.width));
                Some(entries)
            }
        }
    }

    /// The leaf hashes to go on with where bundle and tile may disagree, after telling which of them is damaged.
    fn settle(&mut self, path: TilePath, entries: &[&[u8]], tile: &[u8]) -> Vec<Hash> {
        let from_bundle: Vec<Hash> = entries.iter().map(|e| leaf_hash(e)).collect();
        let from_tile = hashes(tile);
        if from_bundle == from_tile {
            return from_bundle;
        }
        let differing: Vec<usize> =
            (0..from_tile.len()).filter(|&k| from_bundle[k] != from_tile[k]).collect();
        let tile_is_sound = self.is_confirmed(path, &from_tile);
        if !tile_is_sound && self.is_confirmed(path, &from_bundle) {
            for k in differing {
                self.tell(Fault::TileHash { path, position: k as u16 });
            }
            return from_bundle;
        }
        let base = path.index * TILE_WIDTH;
        for &k in &differing {
            let twin =
                differing.iter().find(|&&j| from_bundle[k] == from_tile[j] && from_bundle[j] == from_tile[k]);
            match twin {
                Some(&j) if j > k => {
                    self.tell(Fault::Swapped { first: base + k as u64, second: base + j as u64 });
                }
                Some(_) => {}
                None => self.tell(Fault::Leaf { index: base + k as u64 }),
            }
        }
        if tile_is_sound { from_tile } else { from_bundle }
    }

    /// True if what stands above confirms the leaf hashes of a tile: level 1, or the signed root at the right edge.
    fn is_confirmed(&mut self, path: TilePath, leaves: &[Hash]) -> bool {
        if path.is_full() {
            let bytes: Vec<u8> = leaves.iter().flat_map(|h| h.0).collect();
            return self.upper(1, path.index).is_some_and(|(_, hash)| perfect_root(&bytes) == Some(hash));
        }
        let mut frontier = self.frontier.clone();
        leaves.iter().for_each(|&h| _ = frontier.push(0, h, |_, _| ()));
        let root = frontier.root();
        !self.lost && self.latest.as_ref().is_ok_and(|c| c.size == frontier.size() && c.root == root)
    }

    /// Appends the leaves of a bundle; reads those entries whose hash is the trusted one.
    fn leaves(&mut self, n: u64, entries: Option<&[&[u8]]>, trusted: &[Hash]) {
        for (k, &hash) in trusted.iter().enumerate() {
            let index = n * TILE_WIDTH + k as u64;
            if let Some(entry) = entries.map(|e| e[k]).filter(|e| leaf_hash(e) == hash) {
                self.entries += 1;
                self.entry(index, entry, true);
            }
            self.push(0, hash);
        }
    }

    /// A bundle of which neither file is usable: its subtree is what level 1 says, if it says anything.
    fn without_files(&mut self, n: u64, path: TilePath) {
        let from = n * TILE_WIDTH;
        let above = if path.is_full() { self.upper(1, n) } else { None };
        let kept = self.input.kept;
        let begin = kept.partition_point(|k| k.index < from);
        for entry in kept[begin..].iter().take_while(|k| k.level_1() == n) {
            if above.is_some_and(|(_, hash)| hash == entry.tile_root()) {
                self.entry(entry.index, &entry.entry, true);
            } else {
                self.tell(Fault::Kept { index: entry.index });
            }
        }
        self.pruned += if may_lack(path, self.input.minimum_index) { TILE_WIDTH } else { 0 };
        match above {
            Some((_, hash)) => self.push(TILE_HEIGHT, hash),
            None => {
                self.tell(Fault::NotRebuilt { from });
                self.lost = true;
                // Keeps the frontier's size right; its hashes are not used any more.
                (0..path.width).for_each(|_| _ = self.frontier.push(0, Hash::EMPTY_ROOT, |_, _| ()));
                self.judge();
            }
        }
    }

    /// Reads an entry; a certificate extends the key history, and what it says of the tree before it is checked.
    fn entry(&mut self, index: u64, bytes: &[u8], signed: bool) {
        let entry = match Entry::parse(bytes) {
            Ok(entry) => entry,
            Err(fault) => return self.tell(Fault::Entry { index, fault }),
        };
        match &entry {
            Entry::Epoch { certificate } if signed => {
                let added = self.keys.add(index, certificate.as_bytes()).map(|c| c.root);
                // Of a kept entry only the subtree before its bundle is known.
                let here = self.frontier.size() == index && !self.lost;
                match added {
                    Err(fault) => self.tell(Fault::Epoch { index, fault }),
                    Ok(root) if here && root != self.frontier.root() => {
                        self.tell(Fault::Epoch { index, fault: EpochFault::History });
                    }
                    Ok(_) => {}
                }
            }
            Entry::Retention { minimum_index, .. } if signed && *minimum_index > self.announced => {
                self.announced = *minimum_index;
            }
            _ => {}
        }
        self.watch.entry(index, &entry, signed);
    }

    /// The tiles of the right edge must be there for every level of the signed size, also where nothing was compared.
    fn upper_edge(&mut self) {
        for level in 1..TILE_LEVELS {
            let hashes = self.end >> (TILE_HEIGHT * u32::from(level));
            if hashes > 0 {
                self.upper(level, hashes - 1);
            }
        }
    }

    /// Entries behind the latest checkpoint; how many.
    fn tail(&mut self) -> u64 {
        let (from, to) = (self.end, self.input.stored);
        if from >= to {
            return 0;
        }
        for n in from / TILE_WIDTH..to.div_ceil(TILE_WIDTH) {
            let path = TilePath::of(TileKind::Entries, n, to).expect("a bundle before the end has entries");
            let mut bytes = Vec::new();
            let Some(entries) = self.read_bundle(path, &mut bytes) else { continue };
            for (index, entry) in (n * TILE_WIDTH..).zip(entries).filter(|(index, _)| *index >= from) {
                self.entry(index, entry, false);
            }
        }
        self.tell(Fault::UnsignedTail { from, to });
        to - from
    }

    /// Verifies every checkpoint with the key that is valid for its size; true if the latest is good.
    fn signatures(&mut self) -> bool {
        let input = self.input;
        for (n, note) in input.older.iter().enumerate() {
            if let Err(fault) = self.keys.open(note) {
                self.tell(Fault::Checkpoint { subject: Subject::Older(n), fault });
            }
        }
        let latest = self.keys.open(input.checkpoint);
        if let Err(fault) = latest {
            self.tell(Fault::Checkpoint { subject: Subject::Latest, fault });
        }
        latest.is_ok()
    }
}

fn hashes(tile: &[u8]) -> Vec<Hash> {
    tile.as_chunks::<32>().0.iter().map(|h| Hash(*h)).collect()
}
