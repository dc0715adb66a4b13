//! The growing tree: entries in, tiles and bundles out.

use crate::MAX_SIZE;
use crate::frontier::Frontier;
use crate::hash::{Hash, leaf_hash};
use crate::store::{Storage, StoredTiles, perfect_root};
use crate::tile::{
    BundleFault, MAX_BUNDLE_ENTRY_BYTES, TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH, TilePath, bundle_entries,
    push_entry,
};
use core::fmt;

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Index of the entry: the number of entries before it.
    pub index: u64,
    /// SHA-256 computations: the leaf and the nodes that it completed. Two an append on average at any size.
    pub hashes: u32,
}

/// An entry that can't be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeFull {
    /// The entry has more than 65,535 bytes.
    EntryTooLong,
    /// The tree has 2^63 − 1 entries.
    Size,
}

impl fmt::Display for TreeFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TreeFull::EntryTooLong => "an entry has more than 65535 bytes",
            TreeFull::Size => "the tree has 2^63 - 1 entries",
        })
    }
}

impl std::error::Error for TreeFull {}

/// Why a tree can't be resumed from its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeFault {
    /// More entries than a tree can have.
    Size,
    /// A tile or bundle of the right edge is missing or shorter than its width.
    Missing(TilePath),
    /// The last bundle is malformed.
    Bundle(BundleFault),
    /// An entry of the last bundle does not have the leaf hash that the tile says.
    Leaf {
        /// Index of the entry.
        index: u64,
    },
}

impl fmt::Display for ResumeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResumeFault::Size => f.write_str("the size is more than 2^63 - 1"),
            ResumeFault::Missing(path) => write!(f, "{path} is missing or too short"),
            ResumeFault::Bundle(fault) => write!(f, "the last bundle: {fault}"),
            ResumeFault::Leaf { index } => write!(f, "entry {index} differs from its leaf hash"),
        }
    }
}

impl std::error::Error for ResumeFault {}

/// A tree that grows. Holds the frontier, the partial tile of each level and the partial bundle: 64 KiB and the bytes
/// of at most 255 entries, whatever the size.
#[derive(Clone)]
pub struct Tree {
    frontier: Frontier,
    tiles: [Vec<u8>; TILE_LEVELS as usize],
    bundle: Vec<u8>,
}

impl Default for Tree {
    fn default() -> Tree {
        let full = TILE_WIDTH as usize * Hash::BYTES;
        Tree {
            frontier: Frontier::default(),
            tiles: core::array::from_fn(|_| Vec::with_capacity(full)),
            bundle: Vec::with_capacity(TILE_WIDTH as usize * 128),
        }
    }
}

impl Tree {
    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of the tree so far.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends an entry. `write` receives each bundle and tile that it completes, bundle first, then rising levels:
    /// stored in this order, a tile never stands without what it is made of.
    ///
    /// # Errors
    /// If the entry is too long or the tree full; nothing is changed then.
    pub fn append(
        &mut self,
        entry: &[u8],
        mut write: impl FnMut(TilePath, &[u8]),
    ) -> Result<Appended, TreeFull> {
        let index = self.size();
        if entry.len() > MAX_BUNDLE_ENTRY_BYTES {
            return Err(TreeFull::EntryTooLong);
        }
        let tiles = &mut self.tiles;
        let nodes = self.frontier.push(0, leaf_hash(entry), |height, hash| {
            if height.is_multiple_of(TILE_HEIGHT) {
                tiles[(height / TILE_HEIGHT) as usize].extend_from_slice(&hash.0);
            }
        });
        let nodes = nodes.ok_or(TreeFull::Size)?;
        push_entry(&mut self.bundle, entry);
        let mut above = index + 1;
        if above.is_multiple_of(TILE_WIDTH) {
            write(TilePath::entries(above / TILE_WIDTH - 1, TILE_WIDTH as u16), &self.bundle);
            self.bundle.clear();
        }
        for (level, tile) in (0u8..).zip(self.tiles.iter_mut()) {
            if !above.is_multiple_of(TILE_WIDTH) {
                break;
            }
            above /= TILE_WIDTH;
            write(TilePath::hashes(level, above - 1, TILE_WIDTH as u16), tile);
            tile.clear();
        }
        Ok(Appended { index, hashes: nodes + 1 })
    }

    /// Gives `write` the partial bundle and the partial tiles of the present size, which must be stored before a
    /// checkpoint of this size is published. Those that a tree of `since` entries already had are left out; pass 0 for
    /// all.
    pub fn partials(&self, since: u64, mut write: impl FnMut(TilePath, &[u8])) {
        let size = self.size();
        if !size.is_multiple_of(TILE_WIDTH) && size != since {
            write(TilePath::entries(size / TILE_WIDTH, (size % TILE_WIDTH) as u16), &self.bundle);
        }
        for (level, tile) in (0u8..).zip(&self.tiles) {
            let (hashes, had) = (size >> (8 * u32::from(level)), since >> (8 * u32::from(level)));
            if !tile.is_empty() && hashes != had {
                write(TilePath::hashes(level, hashes / TILE_WIDTH, (hashes % TILE_WIDTH) as u16), tile);
            }
        }
    }

    /// The tree of the first `size` entries of a storage. Reads only its right edge: a tile a level and one bundle. The
    /// caller compares [`Tree::root`] with the checkpoint of that size.
    ///
    /// # Errors
    /// If the right edge is not there or its bundle does not match its tile.
    pub fn resume<S: Storage>(storage: &mut S, size: u64) -> Result<Tree, ResumeFault> {
        if size > MAX_SIZE {
            return Err(ResumeFault::Size);
        }
        let mut tree = Tree::default();
        for level in (0..TILE_LEVELS).rev() {
            let hashes = size >> (TILE_HEIGHT * u32::from(level));
            let width = (hashes % TILE_WIDTH) as u16;
            if width == 0 {
                continue;
            }
            let path = TilePath::hashes(level, hashes / TILE_WIDTH, width);
            let mut tiles = StoredTiles::new(storage, size);
            let tile = tiles.tile(level, path.index).ok_or(ResumeFault::Missing(path))?;
            tree.take_edge(level, tile);
        }
        let width = (size % TILE_WIDTH) as usize;
        if width > 0 {
            let path = TilePath::entries(size / TILE_WIDTH, width as u16);
            let mut bytes = Vec::new();
            if !storage.read(path, &mut bytes) {
                return Err(ResumeFault::Missing(path));
            }
            let entries = bundle_entries(&bytes).map_err(ResumeFault::Bundle)?;
            let entries = entries.get(..width).ok_or(ResumeFault::Missing(path))?;
            for (k, entry) in (0u64..).zip(entries) {
                if Hash::nth(&tree.tiles[0], k) != Some(leaf_hash(entry)) {
                    return Err(ResumeFault::Leaf { index: size - width as u64 + k });
                }
                push_entry(&mut tree.bundle, entry);
            }
        }
        Ok(tree)
    }

    /// Takes a partial tile of the right edge, highest level first: its hashes fall into one perfect subtree for each
    /// set bit of its width, largest first, as the frontier wants them.
    fn take_edge(&mut self, level: u8, tile: &[u8]) {
        self.tiles[usize::from(level)].extend_from_slice(tile);
        let width = tile.len() / Hash::BYTES;
        let mut from = 0;
        for within in (0..TILE_HEIGHT).rev().filter(|j| width >> j & 1 == 1) {
            let to = from + (Hash::BYTES << within);
            let root = perfect_root(&tile[from..to]).expect("a power of two of hashes");
            let pushed = self.frontier.push(TILE_HEIGHT * u32::from(level) + within, root, |_, _| ());
            pushed.expect("subtrees of falling size are aligned");
            from = to;
        }
    }
}
