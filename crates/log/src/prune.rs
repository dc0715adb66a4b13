//! Retention: what may go, and how single entries outlive it (C2SP tlog-tiles, "Pruning").

use crate::hash::{Hash, leaf_hash, node_hash};
use crate::store::perfect_root;
use crate::tile::{MAX_BUNDLE_ENTRY_BYTES, TILE_HEIGHT, TILE_WIDTH, TilePath, bundle_entries};
use wavewitness_types::canonical::Reader;
use wavewitness_types::{Canonical, Sink};

/// True if the specification lets a log with this minimum index lack a tile or bundle: all under it lies before the
/// index. A partial tile may also go when its full tile exists, which is for the shell to know.
pub fn may_lack(path: TilePath, minimum_index: u64) -> bool {
    path.end_index() <= minimum_index
}

/// What this log deletes when its minimum index rises from `before` to `now`: the bundles and level-0 tiles that the
/// specification lets it lack. Levels from 1 on stay: they are 1/255 of level 0, and with them the root of the whole
/// tree can still be rebuilt and every kept entry still be checked.
pub fn deletions(before: u64, now: u64) -> impl Iterator<Item = TilePath> {
    let full = TILE_WIDTH as u16;
    (before / TILE_WIDTH..now / TILE_WIDTH)
        .flat_map(move |n| [TilePath::entries(n, full), TilePath::hashes(0, n, full)])
}

/// An entry kept on its own although its bundle was pruned: with the eight siblings up to its hash in the level-1 tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEntry {
    /// Index in the log.
    pub index: u64,
    /// Its bytes.
    pub entry: Vec<u8>,
    /// Siblings from the leaf's up.
    pub siblings: [Hash; TILE_HEIGHT as usize],
}

impl KeptEntry {
    /// Takes an entry out of its full bundle and full level-0 tile before they are deleted. `None` if these are not
    /// full and well-formed, or the entry differs from its leaf hash.
    pub fn extract(index: u64, bundle: &[u8], tile: &[u8]) -> Option<KeptEntry> {
        let entries = bundle_entries(bundle).ok()?;
        let full = TILE_WIDTH as usize;
        if entries.len() != full || tile.len() != full * Hash::BYTES {
            return None;
        }
        let place = (index % TILE_WIDTH) as usize;
        let entry = entries[place].to_vec();
        let mut siblings = [Hash::EMPTY_ROOT; TILE_HEIGHT as usize];
        for (height, sibling) in siblings.iter_mut().enumerate() {
            let from = (place >> height ^ 1) << height;
            *sibling = perfect_root(&tile[from * Hash::BYTES..(from + (1 << height)) * Hash::BYTES])?;
        }
        (Hash::nth(tile, place as u64)? == leaf_hash(&entry)).then_some(KeptEntry { index, entry, siblings })
    }

    /// The hash that the level-1 tile must hold at [`KeptEntry::level_1`].
    pub fn tile_root(&self) -> Hash {
        let mut hash = leaf_hash(&self.entry);
        for (height, sibling) in self.siblings.iter().enumerate() {
            let right = self.index >> height & 1 == 1;
            hash = if right { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) };
        }
        hash
    }

    /// Index of its subtree among all hashes of level 1: tile by 256, hash by the rest.
    pub fn level_1(&self) -> u64 {
        self.index / TILE_WIDTH
    }

    /// Reads canonical bytes; `None` if they are not exactly one kept entry.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Option<KeptEntry> {
        let mut r = Reader::new(bytes);
        let (index, entry) = (r.u64()?, r.bytes(MAX_BUNDLE_ENTRY_BYTES)?.to_vec());
        let mut siblings = [Hash::EMPTY_ROOT; TILE_HEIGHT as usize];
        for sibling in &mut siblings {
            *sibling = Hash(r.array()?);
        }
        r.finished().map(|()| KeptEntry { index, entry, siblings })
    }
}

impl Canonical for KeptEntry {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { index, entry, siblings } = self;
        out.u64(*index);
        out.bytes(entry);
        siblings.iter().for_each(|h| out.put(&h.0));
    }
}
