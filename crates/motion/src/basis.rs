//! A frame's amplitude over its tones as cosine modes, and its white noise.
//!
//! `|H|` over a band of width `B` is a sum of beats between paths: two paths whose delays differ by τ beat with τ·B periods
//! over the band, which is mode `m = 2τB` of the cosines `cos(π m u)`, `u` = 0..1 from edge to edge. So the low modes hold
//! what a room can do, and the modes beyond hold noise: test cells and guard cells of a CFAR detector (Rohling 1983, IEEE
//! Trans. AES-19(4)) that lie in delay instead of range. Mode 0 is the gain: not used.
//!
//! The receiver's noise is white over the tones, what a room does is smooth. Of the difference of two frames, the second
//! difference over three neighbouring tones leaves 6σ² of noise and `(2 sin πΔfτ)⁴` of a beat: 0.002 at 100 ns.

use wavewitness_num::math;

/// Most modes of a basis.
pub const MAX_MODES: usize = 48;
/// Most tones of a basis.
pub const MAX_TONES: usize = wavewitness_types::limits::MAX_TONES;
/// Test modes a [`BAND_HZ`]: beats of 10/(2 · 17.5 MHz) = 285 ns, 85 m of excess path.
const TEST_MODES: usize = 10;
/// All modes a [`BAND_HZ`]: to 690 ns.
const MODES: usize = 24;
/// The span of the HT20 tones.
const BAND_HZ: f64 = 17.5e6;
/// Fewer tones than this hold no modes worth the name.
const LEAST_TONES: usize = 26;

/// The modes of one set of tones: orthonormal, zero mean. Planned once.
#[derive(Clone, Debug)]
pub struct Basis {
    tones: usize,
    modes: usize,
    test: usize,
    /// Mode-major: `mode · tones + tone`.
    rows: Vec<f64>,
    /// Middle columns of three equally spaced tones.
    middles: Vec<usize>,
}

impl Basis {
    /// The modes of tones with these ascending indices, `spacing_hz` apart for each step of the index. `None` below 26
    /// tones, above 484, or if they are not ascending.
    pub fn new(indices: &[i16], spacing_hz: f64) -> Option<Basis> {
        let tones = indices.len();
        let ascending = indices.windows(2).all(|w| w[0] < w[1]);
        if !(LEAST_TONES..=MAX_TONES).contains(&tones) || !ascending || !spacing_hz.is_finite() {
            return None;
        }
        let (first, last) = (f64::from(indices[0]), f64::from(indices[tones - 1]));
        let bands = if (last - first) * spacing_hz >= 1.5 * BAND_HZ { 2 } else { 1 };
        // Never more modes than the tones can tell from each other.
        let modes = (bands * MODES).min(tones * 4 / 5).min(MAX_MODES);
        let mut rows = vec![1.0 / math::sqrt(tones as f64); tones];
        for m in 1..=modes {
            let start = m * tones;
            rows.extend(indices.iter().map(|&i| {
                let u = (f64::from(i) - first) / (last - first);
                math::cos(core::f64::consts::PI * m as f64 * u)
            }));
            // Gram–Schmidt, twice: the tones have a hole at DC, so the cosines are not orthogonal by themselves.
            for _ in 0..2 {
                for earlier in 0..m {
                    let inner = dot(&rows[earlier * tones..][..tones], &rows[start..][..tones]);
                    for k in 0..tones {
                        rows[start + k] -= inner * rows[earlier * tones + k];
                    }
                }
            }
            let row = &mut rows[start..][..tones];
            let scale = 1.0 / math::sqrt(dot(row, row));
            row.iter_mut().for_each(|x| *x *= scale);
        }
        rows.drain(..tones);
        let even = |k: &usize| indices[k + 1] - indices[*k] == indices[*k] - indices[k - 1];
        let middles = (1..tones - 1).filter(even).collect();
        Some(Basis { tones, modes, test: (bands * TEST_MODES).min(modes / 2), rows, middles })
    }

    /// How many tones a frame must have.
    pub fn tones(&self) -> usize {
        self.tones
    }

    /// How many modes there are.
    pub fn modes(&self) -> usize {
        self.modes
    }

    /// How many of them, from the first, are test cells; the others are guard cells.
    pub fn test_modes(&self) -> usize {
        self.test
    }

    /// The modes of an amplitude shape of [`Basis::tones`] values; entries of `out` beyond [`Basis::modes`] stay.
    pub(crate) fn project(&self, shape: &[f32], out: &mut [f32; MAX_MODES]) {
        for (row, out) in self.rows.chunks_exact(self.tones).zip(out) {
            let mut total = 0.0;
            for (a, b) in row.iter().zip(shape) {
                total += a * f64::from(*b);
            }
            *out = total as f32;
        }
    }

    /// Variance of the white noise of one tone of one frame, from two frames.
    pub(crate) fn noise(&self, a: &[f32], b: &[f32]) -> f64 {
        let d = |k: usize| f64::from(b[k]) - f64::from(a[k]);
        let mut total = 0.0;
        for &k in &self.middles {
            let e = d(k - 1) - 2.0 * d(k) + d(k + 1);
            total += e * e;
        }
        // Six for the second difference, two for the two frames.
        total / (12.0 * self.middles.len() as f64)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut total = 0.0;
    for (x, y) in a.iter().zip(b) {
        total += x * y;
    }
    total
}

#[cfg(test)]
mod tests {
    //! Guards the modes: orthonormal on every grid, blind to gain, and the noise estimate blind to smooth change.
    use super::*;
    use wavewitness_types::ToneGrid;

    #[test]
    fn modes_are_orthonormal_and_blind_to_gain() {
        for grid in ToneGrid::ALL {
            let b = Basis::new(grid.indices(), grid.spacing_hz()).unwrap();
            assert_eq!(b.rows.len(), b.modes * b.tones);
            for i in 0..b.modes {
                let row = |k: usize| &b.rows[k * b.tones..][..b.tones];
                assert!(row(i).iter().sum::<f64>().abs() < 1e-9, "{} {i}", grid.name());
                for j in 0..=i {
                    let want = if i == j { 1.0 } else { 0.0 };
                    assert!((dot(row(i), row(j)) - want).abs() < 1e-9, "{} {i} {j}", grid.name());
                }
            }
        }
    }

    #[test]
    fn the_noise_estimate_does_not_see_a_moving_path() {
        let grid = ToneGrid::Ht20;
        let b = Basis::new(grid.indices(), grid.spacing_hz()).unwrap();
        let shape = |phase: f64| -> Vec<f32> {
            let beat = |k| math::cos(core::f64::consts::TAU * grid.offset_hz(k) * 60e-9 + phase);
            (0..b.tones).map(|k| (1.0 + 0.3 * beat(k)) as f32).collect()
        };
        let (one, other) = (shape(0.0), shape(1.0));
        let moved: f64 =
            one.iter().zip(&other).map(|(a, b)| f64::from((a - b) * (a - b))).sum::<f64>() / 112.0;
        assert!(b.noise(&one, &other) < 1e-3 * moved);
    }

    #[test]
    fn tones_that_hold_no_modes_are_refused() {
        assert!(Basis::new(&[1, 2, 3], 312_500.0).is_none());
        assert!(Basis::new(&[5; 30], 312_500.0).is_none());
        assert!(Basis::new(ToneGrid::Ht20.indices(), f64::NAN).is_none());
    }
}
