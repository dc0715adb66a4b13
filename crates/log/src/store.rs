//! What the shell lends: stored tiles, and the hashes of the tree read from them.

use crate::hash::{Hash, node_hash};
use crate::tile::{TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH, TileKind, TilePath};

/// Stored tiles and entry bundles.
pub trait Storage {
    /// Replaces `out` by the bytes stored for `path`; false if they can't be had.
    ///
    /// A partial tile may be deleted once a wider one of the same level and index exists: the shell then gives the
    /// wider one, and the caller takes its beginning.
    fn read(&mut self, path: TilePath, out: &mut Vec<u8>) -> bool;
}

/// The hashes of a tree's perfect subtrees.
pub trait HashReader {
    /// Root of the subtree over the leaves `index · 2^height .. (index + 1) · 2^height`; `None` if it can't be had.
    fn hash(&mut self, height: u32, index: u64) -> Option<Hash>;
}

/// Reads subtree hashes from stored tiles of a tree of `size` leaves. Keeps the last tile of each level: a proof then
/// reads each tile once, two or fewer a level.
pub struct StoredTiles<'a, S> {
    storage: &'a mut S,
    size: u64,
    cached: Vec<(Option<TilePath>, Vec<u8>)>,
}

impl<'a, S: Storage> StoredTiles<'a, S> {
    /// The tree of `size` leaves in a storage, which may hold more.
    pub fn new(storage: &'a mut S, size: u64) -> StoredTiles<'a, S> {
        StoredTiles { storage, size, cached: (0..TILE_LEVELS).map(|_| (None, Vec::new())).collect() }
    }

    /// The hashes of a tile, as many as the tree has of it; `None` if they can't be had.
    pub fn tile(&mut self, level: u8, index: u64) -> Option<&[u8]> {
        let path = TilePath::of(TileKind::Hashes(level), index, self.size)?;
        let (cached, bytes) = self.cached.get_mut(usize::from(level))?;
        if *cached != Some(path) {
            *cached = None;
            if !self.storage.read(path, bytes) {
                return None;
            }
            let wanted = usize::from(path.width) * Hash::BYTES;
            let whole = bytes.len().is_multiple_of(Hash::BYTES);
            if bytes.len() < wanted || bytes.len() as u64 > TILE_WIDTH * Hash::BYTES as u64 || !whole {
                return None;
            }
            bytes.truncate(wanted);
            *cached = Some(path);
        }
        Some(bytes)
    }
}

impl<S: Storage> HashReader for StoredTiles<'_, S> {
    fn hash(&mut self, height: u32, index: u64) -> Option<Hash> {
        let level = u8::try_from(height / TILE_HEIGHT).ok()?;
        let within = height % TILE_HEIGHT;
        let first = index.checked_mul(1 << within)?;
        let hashes = self.tile(level, first / TILE_WIDTH)?;
        let from = (first % TILE_WIDTH) as usize * Hash::BYTES;
        perfect_root(hashes.get(from..from + (Hash::BYTES << within))?)
    }
}

/// Root of a perfect subtree over concatenated hashes; `None` unless their count is a power of two, at most 256.
pub fn perfect_root(hashes: &[u8]) -> Option<Hash> {
    let (hashes, rest) = hashes.as_chunks::<32>();
    if !rest.is_empty() || !hashes.len().is_power_of_two() || hashes.len() as u64 > TILE_WIDTH {
        return None;
    }
    let mut row = [Hash([0; 32]); TILE_WIDTH as usize];
    row.iter_mut().zip(hashes).for_each(|(to, from)| to.0 = *from);
    let mut count = hashes.len();
    while count > 1 {
        count /= 2;
        for k in 0..count {
            row[k] = node_hash(&row[2 * k], &row[2 * k + 1]);
        }
    }
    Some(row[0])
}
