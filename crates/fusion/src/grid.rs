//! Every tone grid on the fusion grid: the HT20 tones ±1..28 at 312.5 kHz.
//!
//! * Legacy20 and HT20 by signed index; a legacy frame has no ±27, ±28.
//! * HE20 by every fourth tone: 78.125 kHz · 4m = 312.5 kHz · m, the same frequency.
//! * HT40 and HE40 by their lower 20 MHz half, whose centre is 10 MHz (32 tones of 312.5 kHz) below theirs: cell m is
//!   tone m − 32 of HT40 and 4(m − 32) of HE40. Which half is the primary channel is not on the wire; the lower one is
//!   taken for all, so that a link stays comparable with itself. HT40 has no tones −59, −60: cells −27, −28 are absent.
//!
//! A tone is never interpolated.

use wavewitness_num::C64;
use wavewitness_types::limits::FUSION_TONES;
use wavewitness_types::{Samples, ToneGrid};

/// Tone of `grid` at the frequency of fusion cell index `m` (±1..28).
fn source_tone(grid: ToneGrid, m: i16) -> i16 {
    match grid {
        ToneGrid::Legacy20 | ToneGrid::Ht20 => m,
        ToneGrid::Ht40 => m - 32,
        ToneGrid::He20 => 4 * m,
        ToneGrid::He40 => 4 * (m - 32),
    }
}

/// Column of a tone: the grids are `−last..=−first, first..=last`.
fn column(grid: ToneGrid, tone: i16) -> Option<usize> {
    grid.indices().binary_search(&tone).ok()
}

/// Writes the cells (absent ones zero); returns the mask, bit k for cell k.
pub fn onto_fusion_grid(samples: &Samples, row: &mut [C64]) -> u64 {
    let grid = samples.grid();
    let mut mask = 0;
    for (k, &m) in ToneGrid::Ht20.indices().iter().enumerate().take(FUSION_TONES) {
        row[k] = match column(grid, source_tone(grid, m)) {
            Some(c) => {
                mask |= 1 << k;
                C64::new(f64::from(samples.re()[c]), f64::from(samples.im()[c]))
            }
            None => C64::new(0.0, 0.0),
        };
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pure delay is a straight phase line in frequency: whatever grid it was measured on, it has to be one on the
    /// fusion grid, with the slope of 312.5 kHz.
    #[test]
    fn a_delay_has_the_same_slope_from_every_grid() {
        let delay_s = 70e-9;
        for grid in ToneGrid::ALL {
            let mut s = Samples::zero(grid);
            let (re, im) = s.parts_mut();
            for k in 0..re.len() {
                let z = wavewitness_num::complex::unit(-core::f64::consts::TAU * grid.offset_hz(k) * delay_s);
                (re[k], im[k]) = (z.re as f32, z.im as f32);
            }
            let mut row = [C64::new(0.0, 0.0); FUSION_TONES];
            let mask = onto_fusion_grid(&s, &mut row);
            let expected = match grid {
                ToneGrid::Legacy20 => 52,
                ToneGrid::Ht40 => 54,
                _ => 56,
            };
            assert_eq!(mask.count_ones(), expected, "{}", grid.name());
            let ix = ToneGrid::Ht20.indices();
            for k in 1..FUSION_TONES {
                if mask >> (k - 1) & 3 == 3 {
                    let step =
                        wavewitness_num::complex::arg(wavewitness_num::complex::conj_mul(row[k - 1], row[k]));
                    let tones = f64::from(ix[k] - ix[k - 1]);
                    let want = -core::f64::consts::TAU * 312_500.0 * delay_s * tones;
                    assert!((step - want).abs() < 1e-5, "{} cell {k}", grid.name());
                }
                if mask >> k & 1 == 0 {
                    assert_eq!((row[k].re.to_bits(), row[k].im.to_bits()), (0, 0));
                }
            }
        }
    }
}
