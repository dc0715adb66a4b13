//! Tone grids: every column of a frame has a signed tone index and so a frequency.
//!
//! Source: IEEE Std 802.11-2020, table 17-5 and figure 17-3 (legacy, ±1..26), 19.3.9 (HT20 ±1..28, HT40 ±2..58);
//! IEEE Std 802.11ax-2021, 27.3.10 (HE20 242-tone RU ±2..122, HE40 484-tone RU ±3..244).

use crate::canonical::{Canonical, Sink};

/// Which tones a frame holds, in ascending signed index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ToneGrid {
    /// Legacy long training field, 20 MHz: ±1..26, 52 tones.
    Legacy20 = 0,
    /// HT 20 MHz: ±1..28, 56 tones.
    Ht20 = 1,
    /// HT 40 MHz: ±2..58, 114 tones.
    Ht40 = 2,
    /// HE 20 MHz, 242-tone RU: ±2..122.
    He20 = 3,
    /// HE 40 MHz, 484-tone RU: ±3..244.
    He40 = 4,
}

const fn indices<const N: usize>(first: i16, last: i16) -> [i16; N] {
    let mut out = [0i16; N];
    let half = N / 2;
    assert!(N == 2 * (last - first + 1) as usize);
    let mut k = 0;
    while k < half {
        out[k] = -last + k as i16;
        out[half + k] = first + k as i16;
        k += 1;
    }
    out
}

static LEGACY20: [i16; 52] = indices(1, 26);
static HT20: [i16; 56] = indices(1, 28);
static HT40: [i16; 114] = indices(2, 58);
static HE20: [i16; 242] = indices(2, 122);
static HE40: [i16; 484] = indices(3, 244);

impl ToneGrid {
    /// Every grid.
    pub const ALL: [ToneGrid; 5] =
        [ToneGrid::Legacy20, ToneGrid::Ht20, ToneGrid::Ht40, ToneGrid::He20, ToneGrid::He40];

    /// Signed tone indices, ascending; DC is 0 and absent.
    pub fn indices(self) -> &'static [i16] {
        match self {
            ToneGrid::Legacy20 => &LEGACY20,
            ToneGrid::Ht20 => &HT20,
            ToneGrid::Ht40 => &HT40,
            ToneGrid::He20 => &HE20,
            ToneGrid::He40 => &HE40,
        }
    }

    /// How many tones.
    pub fn tone_count(self) -> usize {
        self.indices().len()
    }

    /// Tone spacing in hertz: 312.5 kHz, or 78.125 kHz for HE.
    pub fn spacing_hz(self) -> f64 {
        match self {
            ToneGrid::Legacy20 | ToneGrid::Ht20 | ToneGrid::Ht40 => 312_500.0,
            ToneGrid::He20 | ToneGrid::He40 => 78_125.0,
        }
    }

    /// Channel bandwidth in hertz.
    pub fn bandwidth_hz(self) -> f64 {
        match self {
            ToneGrid::Legacy20 | ToneGrid::Ht20 | ToneGrid::He20 => 20e6,
            ToneGrid::Ht40 | ToneGrid::He40 => 40e6,
        }
    }

    /// Frequency of column `k` relative to the channel centre, in hertz.
    ///
    /// # Panics
    /// If `k` is not a column of this grid.
    pub fn offset_hz(self, k: usize) -> f64 {
        f64::from(self.indices()[k]) * self.spacing_hz()
    }

    /// The grid's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            ToneGrid::Legacy20 => "legacy20",
            ToneGrid::Ht20 => "ht20",
            ToneGrid::Ht40 => "ht40",
            ToneGrid::He20 => "he20",
            ToneGrid::He40 => "he40",
        }
    }

    /// The grid of a canonical code.
    pub fn from_code(code: u8) -> Option<ToneGrid> {
        ToneGrid::ALL.into_iter().find(|g| *g as u8 == code)
    }
}

impl Canonical for ToneGrid {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(*self as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_are_the_standards() {
        let edges = [
            (ToneGrid::Legacy20, 52, 1, 26),
            (ToneGrid::Ht20, 56, 1, 28),
            (ToneGrid::Ht40, 114, 2, 58),
            (ToneGrid::He20, 242, 2, 122),
            (ToneGrid::He40, 484, 3, 244),
        ];
        for (grid, count, first, last) in edges {
            let ix = grid.indices();
            assert_eq!(ix.len(), count);
            assert!(ix.windows(2).all(|w| w[0] < w[1]));
            assert_eq!((ix[0], ix[count - 1]), (-last, last));
            assert_eq!(ix[count / 2], first);
            assert!(ix.iter().zip(ix.iter().rev()).all(|(a, b)| *a == -*b));
            assert_eq!(ToneGrid::from_code(grid as u8), Some(grid));
        }
    }
}
