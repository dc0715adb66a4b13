//! Which I/Q pair of a payload is which tone.
//!
//! A payload is one or more training fields one after another, each a list of `(imag, real)` pairs over its tones,
//! in one of two orders: *FFT order* (0, 1, …, then the negative tones from the lowest to −1) or *ascending* (from
//! the lowest tone to the highest). Neither the header nor the length says which, and three arrangements share the
//! length of 192 pairs. What does say it is the frame itself: tones that are never sent read zero. So each
//! arrangement of the right length is tried, and the first whose null tones are (nearly) zero and whose other tones
//! are (nearly all) not is taken; if none fits, the frame is refused rather than put on the wrong tones.
//!
//! Sources: Espressif, *ESP-IDF Programming Guide*, Wi-Fi Vendor Features, tables of sub-carrier indices (ESP32,
//! S2, S3, C3 in one table; C5 in another; there is none for C6). Checked against recordings of an S3, C3, C5, C6
//! and ESP32 (64,000 frames, all recognised): one field of 64 in either order, 128 and 192 pairs in FFT order, and
//! 117. The rest follows the tables and is verified by its null tones at run time only.

use crate::reject::Reject;
use wavewitness_num::complex::{C64, arg, conj_mul, unit};
use wavewitness_types::{Layout, Samples, ToneGrid};

/// What is known of the first four bytes of the payload, which some chips spoil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstWord {
    /// The format says that they are good.
    Valid,
    /// The format says that they are bad (or were zeroed because they were).
    Invalid,
    /// The format does not say.
    Unknown,
}

/// What a header says that helps to place the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// The first two pairs.
    pub first_word: FirstWord,
    /// The frame was an HE (802.11ax) one, so it has no HT field.
    pub high_efficiency: bool,
}

/// A payload on its tone grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The arrangement that the null tones confirmed.
    pub layout: Layout,
    /// The samples, in counts of the chip.
    pub samples: Samples,
    /// True if tone +1 was not measured, because the first four bytes of the payload were invalid, and stands for
    /// the straight line through its measured neighbours, `(H[−1] + 2·H[+2]) / 3`. All other tones are measured.
    pub restored: bool,
}

/// How the pairs of a field follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// 0, 1, …, then from the lowest tone to −1.
    Fft,
    /// From the lowest tone to the highest; the pair that holds DC.
    Ascending(i16),
}

/// One training field of a payload.
#[derive(Clone, Copy, Debug)]
struct Field {
    start: i16,
    pairs: i16,
    order: Order,
    grid: ToneGrid,
}

/// One way to arrange a number of pairs.
struct Arrangement {
    pairs: usize,
    layout: Layout,
    /// Every field has to pass the null check.
    fields: &'static [Field],
    /// The field that becomes the samples: HT or HE where there is one.
    samples: usize,
}

const fn fft(start: i16, pairs: i16, grid: ToneGrid) -> Field {
    Field { start, pairs, order: Order::Fft, grid }
}

const fn ascending(start: i16, pairs: i16, dc: i16, grid: ToneGrid) -> Field {
    Field { start, pairs, order: Order::Ascending(dc), grid }
}

const fn arrangement(pairs: usize, layout: Layout, fields: &'static [Field], samples: usize) -> Arrangement {
    Arrangement { pairs, layout, fields, samples }
}

use Layout as L;
use ToneGrid::{He20, Ht20, Ht40, Legacy20};

/// Every arrangement, the likelier first where lengths are equal. The first of a layout is the one that
/// [`write_pairs`] uses.
static ARRANGEMENTS: &[Arrangement] = &[
    // C5: no edge nulls, only DC. STBC appends the field of the second stream.
    arrangement(53, L::Compact, &[fft(0, 53, Legacy20)], 0),
    arrangement(53, L::Compact, &[ascending(0, 53, 26, Legacy20)], 0),
    arrangement(57, L::Compact, &[fft(0, 57, Ht20)], 0),
    arrangement(57, L::Compact, &[ascending(0, 57, 28, Ht20)], 0),
    arrangement(114, L::Compact, &[fft(0, 57, Ht20), fft(57, 57, Ht20)], 0),
    arrangement(114, L::Compact, &[ascending(0, 57, 28, Ht20), ascending(57, 57, 28, Ht20)], 0),
    arrangement(117, L::Compact, &[ascending(0, 117, 58, Ht40)], 0),
    arrangement(117, L::Compact, &[fft(0, 117, Ht40)], 0),
    arrangement(234, L::Compact, &[ascending(0, 117, 58, Ht40), ascending(117, 117, 58, Ht40)], 0),
    arrangement(234, L::Compact, &[fft(0, 117, Ht40), fft(117, 117, Ht40)], 0),
    arrangement(245, L::Compact, &[fft(0, 245, He20)], 0),
    arrangement(245, L::Compact, &[ascending(0, 245, 122, He20)], 0),
    // One field of 64. The legacy field is ascending beside a secondary channel, and on the C6. The legacy
    // arrangements must come before the HT ones: a legacy field passes the HT check, not the other way round.
    arrangement(64, L::Lltf64, &[fft(0, 64, Legacy20)], 0),
    arrangement(64, L::Lltf64, &[ascending(0, 64, 32, Legacy20)], 0),
    arrangement(64, L::ShiftedHt20, &[ascending(0, 64, 32, Ht20)], 0),
    // The same field in FFT order: S3, C3, ESP32 with the legacy field switched off.
    arrangement(64, L::ShiftedHt20, &[fft(0, 64, Ht20)], 0),
    arrangement(128, L::LltfHt20, &[fft(0, 64, Legacy20), fft(64, 64, Ht20)], 1),
    arrangement(128, L::LltfHt20, &[ascending(0, 64, 32, Legacy20), ascending(64, 64, 32, Ht20)], 1),
    arrangement(188, L::Ht20StbcSecondary, &STBC_ABOVE, 1),
    arrangement(190, L::Ht20StbcSecondary, &STBC_BELOW, 1),
    arrangement(192, L::LltfHt20Stbc, &[fft(0, 64, Legacy20), fft(64, 64, Ht20), fft(128, 64, Ht20)], 1),
    arrangement(192, L::LltfHt40, &[ascending(0, 64, 32, Legacy20), fft(64, 128, Ht40)], 1),
    arrangement(192, L::LltfHt40, &[fft(0, 64, Legacy20), fft(64, 128, Ht40)], 1),
    // HT40 alone: C6 ascending, S3 with the legacy field switched off in FFT order.
    arrangement(128, L::LltfHt40, &[ascending(0, 128, 64, Ht40)], 0),
    arrangement(128, L::LltfHt40, &[fft(0, 128, Ht40)], 0),
    arrangement(256, L::ShiftedHe20, &[ascending(0, 256, 128, He20)], 0),
    arrangement(
        306,
        L::LltfHt40Stbc,
        &[ascending(0, 64, 32, Legacy20), fft(64, 121, Ht40), fft(185, 121, Ht40)],
        1,
    ),
];

/// 188 pairs, secondary channel above: HT fields over −62..=−1 of the 40 MHz plan, whose lower half is centred at
/// −32, so DC of the 20 MHz channel is pair 30.
static STBC_ABOVE: [Field; 3] =
    [ascending(0, 64, 32, Legacy20), ascending(64, 62, 30, Ht20), ascending(126, 62, 30, Ht20)];
/// 190 pairs, secondary channel below: HT fields over 0..=62, centred at 32.
static STBC_BELOW: [Field; 3] =
    [ascending(0, 64, 32, Legacy20), ascending(64, 63, 32, Ht20), ascending(127, 63, 32, Ht20)];

/// Mean power in the null tones, relative to the mean power of the field's tones, that still counts as zero. Chips
/// compute a channel estimate only where the field has a tone. For a legacy field this also tells it from an HT
/// field, whose tones ±28 are null tones here.
const NULL_RATIO: f64 = 0.01;
/// The same for an HT field: the ESP32 leaves a count or two around its tones (0.6 % measured).
const HT_NULL_RATIO: f64 = 0.05;
/// Total power of all null tones, in counts², that counts as zero however weak the field is.
const NULL_FLOOR: f64 = 2.0;
/// Part of the tones, in percent, that must not be zero: a deep fade or weak quantisation takes a few.
const LEAST_NONZERO_PERCENT: usize = 90;

impl Field {
    fn pair_of(&self, tone: i16) -> usize {
        let offset = match self.order {
            Order::Fft if tone >= 0 => tone,
            Order::Fft => self.pairs + tone,
            Order::Ascending(dc) => dc + tone,
        };
        usize::from((self.start + offset).cast_unsigned())
    }

    fn tone_of(&self, offset: i16) -> i16 {
        match self.order {
            Order::Fft if offset < (self.pairs + 1) / 2 => offset,
            Order::Fft => offset - self.pairs,
            Order::Ascending(dc) => offset - dc,
        }
    }

    /// True if no tone may be there. A bin beside the outermost tone is left out, since the ESP32 leaks into it. So
    /// is DC, where chips put other things (the cyclic shift of an STBC stream, a leak of the carrier), unless there
    /// is nothing else to look at. The neighbours of DC count where the list is compact, and for HE, whose order in
    /// 256 pairs is known from one damaged capture only: one pair off must be noticed.
    fn is_null(&self, tone: i16) -> bool {
        let indices = self.grid.indices();
        let (first, last) = (indices[indices.len() / 2], indices[indices.len() - 1]);
        let magnitude = tone.abs();
        let around_dc = magnitude < first && (magnitude > 0 || first == 1);
        match (self.is_compact(), self.grid) {
            (true, _) => around_dc,
            (false, He20) => around_dc || magnitude >= last + 2,
            (false, _) => magnitude >= last + 2,
        }
    }

    /// A list of nothing but the tones and the bins between them, without nulls at the edges.
    fn is_compact(&self) -> bool {
        self.pairs == 2 * self.grid.indices()[self.grid.tone_count() - 1] + 1
    }

    /// True if the null tones are as good as zero and nearly all others are not. A first word that is spoilt, or was
    /// zeroed because it was, proves nothing; if nothing else is left to look at, the field does not pass.
    fn passes(&self, payload: &[u8], first_word: FirstWord) -> bool {
        let first_word_counts = match first_word {
            FirstWord::Valid => true,
            FirstWord::Invalid => false,
            FirstWord::Unknown => self.is_compact() && power(payload, 1) > 0.0,
        };
        let (mut null_power, mut nulls) = (0.0, 0u32);
        for offset in 0..self.pairs {
            let pair = usize::from((self.start + offset).cast_unsigned());
            if self.is_null(self.tone_of(offset)) && (pair >= 2 || first_word_counts) {
                null_power += power(payload, pair);
                nulls += 1;
            }
        }
        let (mut tone_power, mut nonzero, mut tones) = (0.0, 0usize, 0usize);
        for &tone in self.grid.indices() {
            let pair = self.pair_of(tone);
            if pair >= 2 {
                let p = power(payload, pair);
                tone_power += p;
                nonzero += usize::from(p > 0.0);
                tones += 1;
            }
        }
        let leaky = matches!(self.grid, Ht20 | Ht40) && !self.is_compact();
        let ratio = if leaky { HT_NULL_RATIO } else { NULL_RATIO };
        let mean_tone_power = tone_power / tones as f64;
        nulls > 0
            && null_power <= NULL_FLOOR + ratio * mean_tone_power * f64::from(nulls)
            && 100 * nonzero >= LEAST_NONZERO_PERCENT * tones
    }
}

/// `(imag, real)` of a pair.
fn pair(payload: &[u8], pair: usize) -> (i8, i8) {
    (payload[2 * pair].cast_signed(), payload[2 * pair + 1].cast_signed())
}

fn power(payload: &[u8], k: usize) -> f64 {
    let (im, re) = pair(payload, k);
    f64::from(im) * f64::from(im) + f64::from(re) * f64::from(re)
}

/// Puts a payload of `(imag, real)` byte pairs on its tone grid.
///
/// # Errors
/// [`Reject::AllZero`]; [`Reject::UnknownLayout`] if nothing has this length; [`Reject::NullTones`] if the null
/// tones fit nothing that has it; [`Reject::MissingTone`] if a tone was not measured and is not the one that can be
/// restored.
pub fn place(payload: &[u8], hints: Hints) -> Result<Placed, Reject> {
    if payload.iter().all(|&b| b == 0) {
        return Err(Reject::AllZero);
    }
    let mut of_this_length = false;
    for candidate in ARRANGEMENTS {
        let field = candidate.fields[candidate.samples];
        let is_ht = matches!(field.grid, Ht20 | Ht40);
        if 2 * candidate.pairs != payload.len() || (hints.high_efficiency && is_ht) {
            continue;
        }
        of_this_length = true;
        if candidate.fields.iter().all(|f| f.passes(payload, hints.first_word)) {
            return take(payload, candidate.layout, field, hints.first_word);
        }
    }
    Err(if of_this_length { Reject::NullTones } else { Reject::UnknownLayout })
}

fn take(payload: &[u8], layout: Layout, field: Field, first_word: FirstWord) -> Result<Placed, Reject> {
    let spoilt = first_word_is_spoilt(payload, field, first_word);
    let indices = field.grid.indices();
    let mut samples = Samples::zero(field.grid);
    let mut restore = None;
    let (re, im) = samples.parts_mut();
    for (column, &tone) in indices.iter().enumerate() {
        let source = field.pair_of(tone);
        if spoilt && source < 2 {
            // Only +1 between −1 and +2 has measured neighbours on both sides.
            if tone != 1 || field.order != Order::Fft {
                return Err(Reject::MissingTone);
            }
            restore = Some(column);
            continue;
        }
        let (q, i) = pair(payload, source);
        im[column] = f32::from(q);
        re[column] = f32::from(i);
    }
    if let Some(k) = restore {
        // Neighbours in the grid: −1 (two tone spacings away) and +2 (one).
        re[k] = (re[k - 1] + 2.0 * re[k + 1]) / 3.0;
        im[k] = (im[k - 1] + 2.0 * im[k + 1]) / 3.0;
    }
    if field.grid == Ht40 {
        unrotate_upper_half(re, im, field);
    }
    Ok(Placed { layout, samples, restored: restore.is_some() })
}

/// Whether the first two pairs are not measurements. Where the format does not say: in FFT order pair 0 is DC, which
/// a sound legacy or HT20 buffer leaves zero and a spoilt one does not; a zeroed one has zeros in pair 1 as well.
fn first_word_is_spoilt(payload: &[u8], field: Field, first_word: FirstWord) -> bool {
    match first_word {
        FirstWord::Valid => false,
        FirstWord::Invalid => true,
        FirstWord::Unknown => {
            field.start == 0
                && field.order == Order::Fft
                && (power(payload, 0) > 0.0 || power(payload, 1) == 0.0)
        }
    }
}

/// Tones on either side of the gap at DC that decide whether the upper half is rotated.
const GAP_TONES: usize = 9;

/// Takes out the +90° that a 40 MHz transmission adds to its upper 20 MHz (IEEE Std 802.11-2020, 19.3.7, Υ_k = j for
/// k > 0), which Espressif's newer chips leave in their estimate: over 9,000 frames of a C5 the phase steps by
/// 1.57 rad at DC with a standard deviation of about 0.1, and a C6 does the same. For the older chips nothing is
/// documented and no recording was to be had, so there the frame itself decides: a channel is continuous across
/// four tone spacings, and 0° and 90° are far apart.
fn unrotate_upper_half(re: &mut [f32], im: &mut [f32], field: Field) {
    let newer_chip = field.is_compact() || matches!(field.order, Order::Ascending(_));
    let quarter = core::f64::consts::FRAC_PI_2;
    let rotated = newer_chip || (step_at_dc(re, im, field.grid) - quarter).abs() < 0.5 * quarter;
    if rotated {
        let upper = re.len() / 2;
        for (a, b) in re[upper..].iter_mut().zip(&mut im[upper..]) {
            // Times −j.
            (*a, *b) = (*b, -*a + 0.0);
        }
    }
}

/// Phase of the tones just above DC against those just below, each continued to DC along their common slope.
fn step_at_dc(re: &[f32], im: &[f32], grid: ToneGrid) -> f64 {
    let upper = re.len() / 2;
    let at = |k: usize| C64::new(f64::from(re[k]), f64::from(im[k]));
    let mut adjacent = C64::new(0.0, 0.0);
    for k in (upper - GAP_TONES..upper - 1).chain(upper..upper + GAP_TONES - 1) {
        adjacent += conj_mul(at(k), at(k + 1));
    }
    let slope = arg(adjacent);
    let to_dc = |k: usize| at(k) * unit(-slope * f64::from(grid.indices()[k]));
    let (mut below, mut above) = (C64::new(0.0, 0.0), C64::new(0.0, 0.0));
    for k in upper - GAP_TONES..upper {
        below += to_dc(k);
    }
    for k in upper..upper + GAP_TONES {
        above += to_dc(k);
    }
    arg(conj_mul(below, above))
}

/// Writes `samples` as `(imag, real)` pairs in the first arrangement of `layout`, rounded to whole counts within
/// ±127, every field of the payload with the tones of the same channel; for simulators and tests. Returns false, and
/// writes nothing, if the layout does not hold the grid of the samples.
pub fn write_pairs(layout: Layout, samples: &Samples, out: &mut Vec<(i8, i8)>) -> bool {
    let found =
        ARRANGEMENTS.iter().find(|a| a.layout == layout && a.fields[a.samples].grid == samples.grid());
    let Some(arrangement) = found else { return false };
    out.clear();
    out.resize(arrangement.pairs, (0, 0));
    let source = samples.grid().indices();
    for field in arrangement.fields {
        let rotates = field.grid == Ht40 && field.is_compact();
        for &tone in field.grid.indices() {
            // A legacy field beside an HT40 one spans the 20 MHz of the primary channel only; its tones are written
            // as if it were centred. It is never read.
            let Ok(column) = source.binary_search(&nearest(source, tone)) else { continue };
            let (mut re, mut im) = (samples.re()[column], samples.im()[column]);
            if rotates && tone > 0 {
                (re, im) = (-im, re);
            }
            out[field.pair_of(tone)] = (count(im), count(re));
        }
    }
    true
}

/// The tone itself, or the nearest that the grid has (an HT40 grid lacks ±1).
fn nearest(indices: &[i16], tone: i16) -> i16 {
    let first = indices[indices.len() / 2];
    if tone.abs() >= first { tone } else { first * tone.signum() }
}

/// Nearest whole count; a NaN is 0.
fn count(x: f32) -> i8 {
    x.round().clamp(-127.0, 127.0) as i8
}

#[cfg(test)]
mod tests {
    //! Guards the arithmetic of the tables: every tone of every arrangement has its own pair within its field, and
    //! every arrangement has something to verify.
    use super::*;

    #[test]
    fn fields_tile_their_payload_and_tones_invert() {
        for a in ARRANGEMENTS {
            let total: i16 = a.fields.iter().map(|f| f.pairs).sum();
            assert_eq!(usize::from(total.cast_unsigned()), a.pairs);
            for field in a.fields {
                assert!((0..field.pairs).any(|o| field.is_null(field.tone_of(o))), "{} {field:?}", a.pairs);
                for offset in 0..field.pairs {
                    let at = field.pair_of(field.tone_of(offset));
                    assert_eq!(at, usize::from((field.start + offset).cast_unsigned()), "{field:?} {offset}");
                }
                for &tone in field.grid.indices() {
                    assert!(!field.is_null(tone));
                    let at = field.pair_of(tone);
                    let start = usize::from(field.start.cast_unsigned());
                    assert!(at >= start && at < start + usize::from(field.pairs.cast_unsigned()));
                }
            }
        }
    }

    #[test]
    fn the_edges_are_those_of_the_tables() {
        // ESP-IDF: 188 pairs hold −62..=−1 of the 40 MHz plan, whose lower half is centred at −32.
        assert_eq!((STBC_ABOVE[1].tone_of(0), STBC_ABOVE[1].tone_of(61)), (-62 + 32, -1 + 32));
        assert_eq!((STBC_BELOW[1].tone_of(0), STBC_BELOW[1].tone_of(62)), (-32, 62 - 32));
        let ht40_stbc = fft(64, 121, Ht40);
        assert_eq!((ht40_stbc.tone_of(60), ht40_stbc.tone_of(61)), (60, -60));
    }
}
