//! Tiles and entry bundles: their names and their bytes (C2SP tlog-tiles).

use core::fmt;

/// Hashes of a full tile, entries of a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// Tree levels that one tile spans.
pub const TILE_HEIGHT: u32 = 8;
/// Tile levels of the largest tree.
pub const TILE_LEVELS: u8 = 8;
/// Longest entry that a bundle can hold.
pub const MAX_BUNDLE_ENTRY_BYTES: usize = u16::MAX as usize;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Entries, each behind its big-endian `u16` length.
    Entries,
    /// Hashes of the tile level: level `l` holds roots of subtrees of 256^l leaves.
    Hashes(u8),
}

/// The name of a tile or bundle. As text: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TilePath {
    /// Entries or hashes.
    pub kind: TileKind,
    /// Number within its level.
    pub index: u64,
    /// Hashes or entries in it, 1 to 256; less than 256 is a partial tile.
    pub width: u16,
}

impl TilePath {
    /// A tile of hashes.
    pub fn hashes(level: u8, index: u64, width: u16) -> TilePath {
        TilePath { kind: TileKind::Hashes(level), index, width }
    }

    /// An entry bundle.
    pub fn entries(index: u64, width: u16) -> TilePath {
        TilePath { kind: TileKind::Entries, index, width }
    }

    /// The tile `index` of a kind as a tree of `size` leaves has it; `None` if that is empty.
    pub fn of(kind: TileKind, index: u64, size: u64) -> Option<TilePath> {
        let level = match kind {
            TileKind::Entries => 0,
            TileKind::Hashes(level) => u32::from(level),
        };
        let hashes = size.checked_shr(TILE_HEIGHT * level).unwrap_or(0);
        let width = hashes.saturating_sub(index.checked_mul(TILE_WIDTH)?);
        let width = if width > TILE_WIDTH { TILE_WIDTH } else { width };
        (width > 0).then_some(TilePath { kind, index, width: width as u16 })
    }

    /// True if it holds 256.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }

    /// One past the last leaf under the full tile: (n + 1) · 256^(l + 1). Saturates.
    pub fn end_index(&self) -> u64 {
        let levels = match self.kind {
            TileKind::Entries => 1,
            TileKind::Hashes(level) => u32::from(level) + 1,
        };
        self.index.saturating_add(1).saturating_mul(TILE_WIDTH.saturating_pow(levels))
    }

    /// Reads a name; `None` unless it is exactly as [`fmt::Display`] writes one: no empty, absolute or `..` elements
    /// can pass, so it is safe to serve the file of that name.
    pub fn parse(text: &str) -> Option<TilePath> {
        let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(u8::try_from(crate::decimal(level)?).ok().filter(|&l| l < 64)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, crate::decimal(width).filter(|w| (1..TILE_WIDTH).contains(w))?),
            None => (rest, TILE_WIDTH),
        };
        let mut index = 0u64;
        for element in number.split('/') {
            let digits = element.strip_prefix('x').unwrap_or(element);
            if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let path = TilePath { kind, index, width: width as u16 };
        (path.to_string() == text).then_some(path)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => f.write_str("tile/entries/")?,
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        // u64::MAX has seven groups of three digits.
        for group in (1..7).rev() {
            let above = self.index / 1000u64.pow(group);
            if above > 0 {
                write!(f, "x{:03}/", above % 1000)?;
            }
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Why bytes are not an entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleFault {
    /// An entry ends behind the end of the bundle.
    Truncated,
    /// More than 256 entries.
    TooMany,
}

impl fmt::Display for BundleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BundleFault::Truncated => "an entry ends behind the end of the bundle",
            BundleFault::TooMany => "more than 256 entries in a bundle",
        })
    }
}

impl std::error::Error for BundleFault {}

/// Appends an entry to a bundle. False, and nothing is appended, if it is too long for one.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The entries of a bundle, in order.
///
/// # Errors
/// If the bytes are not whole entries, or more than 256.
pub fn bundle_entries(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleFault> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk::<2>().ok_or(BundleFault::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, tail) = tail.split_at_checked(length).ok_or(BundleFault::Truncated)?;
        entries.push(entry);
        rest = tail;
        if entries.len() as u64 > TILE_WIDTH {
            return Err(BundleFault::TooMany);
        }
    }
    Ok(entries)
}
