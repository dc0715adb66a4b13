//! The shape of a channel over the tones, without what changes from frame to frame: gain, common phase, mean delay.

use wavewitness_num::C32;
use wavewitness_num::complex::{C64, abs, abs2, arg, conj_mul, unit, widen};
use wavewitness_num::math::{max_f64, min_f64, sqrt};
use wavewitness_types::{Samples, ToneGrid};

/// Tones of a shape at most; wider grids are thinned evenly.
pub(crate) const SHAPE_TONES: usize = 64;

/// A unit vector over the tones whose mean delay is about zero. Its common phase is arbitrary, and two shapes are
/// compared at the relative delay that fits best.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    grid: ToneGrid,
    len: usize,
    h: [C32; SHAPE_TONES],
}

/// Slopes that are tried first, in radians a step: a shape of 52 to 64 tones resolves about 0.1, so the best of these is
/// on the slope of the highest peak within ±0.15 (±75 ns at 20 MHz).
const FIRST_SLOPES: [f64; 5] = [0.0, -0.06, 0.06, -0.12, 0.12];
/// Lanes that they are tried in: whole vectors of two; the last one is idle.
const FIRST_LANES: usize = 6;
/// Newton steps from the best of them, each at most this long.
const NEWTON_STEPS: usize = 2;
const MAX_NEWTON_STEP: f64 = 0.04;

/// How one shape is turned onto another.
#[derive(Clone, Copy, Debug)]
struct Alignment {
    /// Slope in radians a step.
    slope: f64,
    /// `ρ(s) = Σ conj(a_k) b_k e^{−jsk}` at the slope.
    rho: C64,
}

/// How far a shape is from another, and how the two agree best.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Likeness {
    pub distance: f64,
    /// `None` between grids.
    alignment: Option<Alignment>,
}

impl Likeness {
    /// None at all.
    pub(crate) const NONE: Likeness = Likeness { distance: 1.0, alignment: None };
}

/// The products `g_k = conj(a_k) b_k` of two shapes of one grid.
struct Products {
    len: usize,
    jump_steps: f64,
    g: [C64; SHAPE_TONES],
}

/// Calls `visit` with each index, its position in steps from the first tone, and `e^{−js·position}`.
fn turning(len: usize, jump_steps: f64, slope: f64, mut visit: impl FnMut(usize, f64, C64)) {
    let (step, jump) = (unit(-slope), unit(-slope * jump_steps));
    let (mut turn, mut position) = (C64::new(1.0, 0.0), 0.0);
    for k in 0..len {
        if is_jump(len, k) {
            turn *= jump;
            position += jump_steps;
        } else if k > 0 {
            turn *= step;
            position += 1.0;
        }
        visit(k, position, turn);
    }
}

impl Products {
    /// [`Products::rho`] of the first slopes, one in each lane: a sum depends on the term before it, so that one alone waits for
    /// its additions.
    fn first_rhos(&self) -> [C64; FIRST_LANES] {
        let zeros = [0.0f64; FIRST_LANES];
        let (mut steps, mut jumps) = ((zeros, zeros), (zeros, zeros));
        for (l, slope) in FIRST_SLOPES.into_iter().enumerate() {
            let (step, jump) = (unit(-slope), unit(-slope * self.jump_steps));
            (steps.0[l], steps.1[l]) = (step.re, step.im);
            (jumps.0[l], jumps.1[l]) = (jump.re, jump.im);
        }
        let (mut re, mut im) = (zeros, zeros);
        let (mut turn_re, mut turn_im) = ([1.0; FIRST_LANES], zeros);
        for k in 0..self.len {
            if k > 0 {
                let (by_re, by_im) = if is_jump(self.len, k) { &jumps } else { &steps };
                for l in 0..FIRST_LANES {
                    let (a, b) = (turn_re[l], turn_im[l]);
                    (turn_re[l], turn_im[l]) = (a * by_re[l] - b * by_im[l], a * by_im[l] + b * by_re[l]);
                }
            }
            let g = self.g[k];
            for l in 0..FIRST_LANES {
                re[l] += g.re * turn_re[l] - g.im * turn_im[l];
                im[l] += g.re * turn_im[l] + g.im * turn_re[l];
            }
        }
        core::array::from_fn(|l| C64::new(re[l], im[l]))
    }

    fn rho(&self, slope: f64) -> C64 {
        let mut rho = C64::new(0.0, 0.0);
        turning(self.len, self.jump_steps, slope, |k, _, turn| rho += self.g[k] * turn);
        rho
    }

    /// The Newton step of `J(s) = |ρ(s)|²` towards its peak, 0 where `J` is not concave.
    ///
    /// With p_k the position less its mean, `ρ′ = −j Σ p g e^{−jsp}` and `ρ″ = −Σ p² g e^{−jsp}`, so
    /// `J′ = 2 Re(ρ̄ρ′)`, `J″ = 2 (|ρ′|² + Re(ρ̄ρ″))`. (The mean only turns ρ, and keeps the terms small.)
    fn newton(&self, slope: f64) -> f64 {
        let middle = 0.5 * (self.len as f64 - 2.0 + self.jump_steps);
        let zero = C64::new(0.0, 0.0);
        let (mut rho, mut first, mut second) = (zero, zero, zero);
        turning(self.len, self.jump_steps, slope, |k, position, turn| {
            let (z, p) = (self.g[k] * turn, position - middle);
            rho += z;
            first += C64::new(z.im, -z.re) * p;
            second += z * (-p * p);
        });
        let gradient = conj_mul(rho, first).re;
        let curvature = abs2(first) + conj_mul(rho, second).re;
        if curvature < 0.0 {
            max_f64(-MAX_NEWTON_STEP, min_f64(MAX_NEWTON_STEP, -gradient / curvature))
        } else {
            0.0
        }
    }
}

impl Shape {
    /// The shape of a frame; `None` if it holds no energy.
    ///
    /// The mean delay is the angle of the lag-1 autocorrelation `L = Σ h̄_k h_{k+1}` over neighbouring tones: a delay τ
    /// turns it by exactly `−2πΔf·τ`, and gain and common phase not at all. So `h_k e^{−jk·arg L}` has none of them.
    pub(crate) fn of(samples: &Samples) -> Option<Shape> {
        let (re, im) = (samples.re(), samples.im());
        let tones = samples.grid().indices();
        let at = |k: usize| widen(C32::new(re[k], im[k]));
        let mut lag1 = C64::new(0.0, 0.0);
        for k in 1..tones.len() {
            if tones[k] - tones[k - 1] == 1 {
                lag1 += conj_mul(at(k - 1), at(k));
            }
        }
        let slope = arg(lag1);
        let stride = stride_of(samples.grid());
        let mut energy = 0.0;
        for k in (0..tones.len()).step_by(stride) {
            energy += abs2(at(k));
        }
        if !(energy.is_finite() && energy > 0.0 && slope.is_finite()) {
            return None;
        }
        let scale = 1.0 / sqrt(energy);
        let mut out = Shape { grid: samples.grid(), len: 0, h: [C32::new(0.0, 0.0); SHAPE_TONES] };
        for k in (0..tones.len()).step_by(stride) {
            out.h[out.len] = narrow(at(k) * unit(-slope * f64::from(tones[k])) * scale);
            out.len += 1;
        }
        Some(out)
    }

    /// The alignment of `other` with `self` at the relative delay at which they agree best.
    ///
    /// The mean delay of a faded channel moves with every person in the room, so the delays that the two removed by
    /// themselves are not those at which they agree.
    fn align(&self, other: &Shape) -> Alignment {
        let mut products = Products {
            len: self.len,
            jump_steps: jump_in_steps(self.grid),
            g: [C64::new(0.0, 0.0); SHAPE_TONES],
        };
        for k in 0..self.len {
            products.g[k] = conj_mul(widen(self.h[k]), widen(other.h[k]));
        }
        let mut best = Alignment { slope: 0.0, rho: C64::new(0.0, 0.0) };
        for (slope, rho) in FIRST_SLOPES.into_iter().zip(products.first_rhos()) {
            if abs2(rho) > abs2(best.rho) {
                best = Alignment { slope, rho };
            }
        }
        let mut slope = best.slope;
        for _ in 0..NEWTON_STEPS {
            slope += products.newton(slope);
        }
        let rho = products.rho(slope);
        if abs2(rho) > abs2(best.rho) {
            best = Alignment { slope, rho };
        }
        best
    }

    /// Compares with another shape, at the relative delay at which they agree best.
    pub(crate) fn compare(&self, other: &Shape) -> Likeness {
        if self.grid != other.grid {
            return Likeness::NONE;
        }
        let alignment = self.align(other);
        let distance = max_f64(0.0, min_f64(1.0, 1.0 - abs2(alignment.rho)));
        Likeness { distance, alignment: Some(alignment) }
    }

    /// `1 − |ρ|²`: 0 for the same channel, about 1 for unrelated ones.
    pub(crate) fn distance(&self, other: &Shape) -> f64 {
        self.compare(other).distance
    }

    /// Moves towards `other` by the given weight, its common phase and delay first turned to agree; `likeness` is what
    /// [`Shape::compare`] says of the two.
    pub(crate) fn follow(&mut self, other: &Shape, weight: f64, likeness: Likeness) {
        let Some(Alignment { slope, rho }) = likeness.alignment else {
            *self = other.clone();
            return;
        };
        let size = abs(rho);
        let phase = if size > 0.0 { rho.conj() / size } else { C64::new(1.0, 0.0) };
        let mut moved = [C64::new(0.0, 0.0); SHAPE_TONES];
        let mut energy = 0.0;
        turning(self.len, jump_in_steps(self.grid), slope, |k, _, turn| {
            moved[k] = widen(self.h[k]) * (1.0 - weight) + widen(other.h[k]) * turn * phase * weight;
            energy += abs2(moved[k]);
        });
        // After the turn the two have a non-negative inner product, so their mean can't vanish for weights below 1.
        if energy > 0.0 {
            let scale = 1.0 / sqrt(energy);
            for k in 0..self.len {
                self.h[k] = narrow(moved[k] * scale);
            }
        }
    }
}

/// Every how many tones of a grid a shape takes one.
fn stride_of(grid: ToneGrid) -> usize {
    grid.tone_count().div_ceil(SHAPE_TONES)
}

/// Whether the step to tone `k` of a shape leads over DC. Grids are symmetric, so the lower half (rounded up, as the
/// first tone is always taken) lies below it.
fn is_jump(len: usize, k: usize) -> bool {
    k == len.div_ceil(2)
}

/// The step over DC in steps of the stride.
fn jump_in_steps(grid: ToneGrid) -> f64 {
    let (tones, stride) = (grid.indices(), stride_of(grid));
    let above = tones.len().div_ceil(stride).div_ceil(2) * stride;
    f64::from(tones[above] - tones[above - stride]) / stride as f64
}

fn narrow(z: C64) -> C32 {
    C32::new(z.re as f32, z.im as f32)
}

#[cfg(test)]
mod tests {
    //! Guards the invariances that make shapes of one transmitter comparable.
    use super::*;
    use wavewitness_types::ToneGrid;

    fn two_paths(grid: ToneGrid, gain: f64, phase: f64, delay_s: f64, excess_s: f64) -> Samples {
        let mut s = Samples::zero(grid);
        let (re, im) = s.parts_mut();
        for k in 0..grid.tone_count() {
            let w = core::f64::consts::TAU * grid.offset_hz(k);
            let z = (unit(-w * delay_s) + unit(-w * (delay_s + excess_s)) * 0.6) * unit(phase) * gain;
            (re[k], im[k]) = (z.re as f32, z.im as f32);
        }
        s
    }

    #[test]
    fn gain_phase_and_delay_do_not_matter_and_excess_delay_does() {
        for grid in ToneGrid::ALL {
            let a = Shape::of(&two_paths(grid, 1.0, 0.0, 0.0, 90e-9)).unwrap();
            let b = Shape::of(&two_paths(grid, 31.0, 2.2, 140e-9, 90e-9)).unwrap();
            let c = Shape::of(&two_paths(grid, 1.0, 0.0, 0.0, 190e-9)).unwrap();
            assert!(a.distance(&b) < 1e-5, "{grid:?} {}", a.distance(&b));
            assert!(a.distance(&c) > 0.05, "{grid:?} {}", a.distance(&c));
        }
    }

    #[test]
    fn shapes_of_other_grids_are_far_and_no_energy_has_none() {
        assert!(Shape::of(&Samples::zero(ToneGrid::Ht20)).is_none());
        let a = Shape::of(&two_paths(ToneGrid::Ht20, 1.0, 0.0, 0.0, 90e-9)).unwrap();
        let b = Shape::of(&two_paths(ToneGrid::Legacy20, 1.0, 0.0, 0.0, 90e-9)).unwrap();
        assert_eq!(a.distance(&b), 1.0);
    }

    #[test]
    fn the_one_step_that_is_not_a_stride_leads_over_dc() {
        for grid in ToneGrid::ALL {
            let (tones, stride) = (grid.indices(), stride_of(grid));
            let taken: Vec<i16> = tones.iter().copied().step_by(stride).collect();
            assert!(taken.len() <= SHAPE_TONES && taken.len() > SHAPE_TONES / 2);
            for k in 1..taken.len() {
                let step = f64::from(taken[k] - taken[k - 1]) / stride as f64;
                let expected = if is_jump(taken.len(), k) { jump_in_steps(grid) } else { 1.0 };
                assert_eq!(step, expected, "{grid:?} {k}");
                assert_eq!(is_jump(taken.len(), k), taken[k - 1] < 0 && taken[k] > 0);
            }
        }
    }

    #[test]
    fn the_relative_delay_found_is_about_the_best() {
        // Two states of one moving channel: their own mean delays differ, which must not look like a change of shape.
        for excess_ns in [60.0, 120.0, 250.0] {
            let state = |phase: f64| {
                let mut s = Samples::zero(ToneGrid::Legacy20);
                let (re, im) = s.parts_mut();
                for k in 0..52 {
                    let w = core::f64::consts::TAU * ToneGrid::Legacy20.offset_hz(k);
                    let z = unit(-w * 20e-9) + unit(-w * excess_ns * 1e-9 + phase) * 0.6;
                    (re[k], im[k]) = (z.re as f32, z.im as f32);
                }
                Shape::of(&s).unwrap()
            };
            for turn in 1..8 {
                let (a, b) = (state(0.0), state(f64::from(turn) * 0.4));
                let g: Vec<C64> = (0..52).map(|k| conj_mul(widen(a.h[k]), widen(b.h[k]))).collect();
                let tones = ToneGrid::Legacy20.indices();
                let best = (-150..=150)
                    .map(|s| {
                        let sum: C64 =
                            (0..52).map(|k| g[k] * unit(f64::from(s) * 0.001 * f64::from(tones[k]))).sum();
                        1.0 - abs2(sum)
                    })
                    .fold(1.0, min_f64);
                let found = a.distance(&b);
                assert!(found - best < 0.002 + 0.03 * best, "{excess_ns} ns, turn {turn}: {found} {best}");
            }
        }
    }

    #[test]
    fn following_converges_whatever_the_common_phase() {
        let mut a = Shape::of(&two_paths(ToneGrid::Legacy20, 1.0, 0.0, 0.0, 90e-9)).unwrap();
        for step in 0..60 {
            let phase = f64::from(step) * 1.7;
            let b = Shape::of(&two_paths(ToneGrid::Legacy20, 2.0, phase, 0.0, 190e-9)).unwrap();
            a.follow(&b, 0.15, a.compare(&b));
            if step == 59 {
                assert!(a.distance(&b) < 1e-3);
            }
        }
    }

    /// Subnormals, signed zeros, huge ratios, all tones alike, one tone odd.
    fn adversarial(kind: usize, k: usize) -> C32 {
        let tiny = f32::from_bits(1);
        let re = [
            tiny * (k % 5) as f32,
            [-0.0, 0.0][k % 2],
            [1e-15, 1e15, -1.0, -0.0, 1e7][k % 5],
            0.1,
            if k == 17 { -3e8 } else { 0.1 },
            ((k * 37 + 11) % 101) as f32 * 0.02 - 1.0,
        ];
        C32::new(re[kind % 6], re[kind / 6])
    }

    #[test]
    fn turning_from_tone_to_tone_is_its_scalar_twin() {
        for (grid, kind) in ToneGrid::ALL.into_iter().flat_map(|grid| (0..36).map(move |kind| (grid, kind))) {
            let taken: Vec<i16> = grid.indices().iter().copied().step_by(stride_of(grid)).collect();
            let mut products = Products {
                len: taken.len(),
                jump_steps: jump_in_steps(grid),
                g: [widen(C32::default()); SHAPE_TONES],
            };
            let pair = |k: usize| (adversarial(kind, k), adversarial(35 - kind, k + 3));
            for k in 0..taken.len() {
                let (a, b) = pair(k);
                products.g[k] = conj_mul(widen(a), widen(b));
            }
            for slope in [0.0, -0.0, 1e-300, 0.06, -0.12, 0.31, 3.1] {
                // In plain real numbers: steps of a stride, but for the one over DC.
                let turn = |steps: f64| {
                    let angle = if steps == 1.0 { -slope } else { -slope * steps };
                    (wavewitness_num::math::cos(angle), wavewitness_num::math::sin(angle))
                };
                let (mut c, mut s, mut position) = (1.0, 0.0, 0.0);
                let middle = 0.5 * (taken.len() as f64 - 2.0 + jump_in_steps(grid));
                let mut sums = [0.0f64; 6];
                for k in 0..taken.len() {
                    if k > 0 {
                        let steps = f64::from(taken[k] - taken[k - 1]) / stride_of(grid) as f64;
                        let (tc, ts) = turn(steps);
                        (c, s) = (c * tc - s * ts, c * ts + s * tc);
                        position += steps;
                    }
                    let (a, b) = pair(k);
                    let [ar, ai, br, bi] = [a.re, a.im, b.re, b.im].map(f64::from);
                    let (gr, gi) = (ar * br + ai * bi, ar * bi - ai * br);
                    let (zr, zi) = (gr * c - gi * s, gr * s + gi * c);
                    let p: f64 = position - middle;
                    let terms = [zr, zi, zi * p, -zr * p, zr * (-p * p), zi * (-p * p)];
                    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
                }
                let rho = products.rho(slope);
                assert_eq!((rho.re.to_bits(), rho.im.to_bits()), (sums[0].to_bits(), sums[1].to_bits()));
                let [rr, ri, fr, fi, sr, si] = sums;
                let gradient = rr * fr + ri * fi;
                let curvature = fr * fr + fi * fi + (rr * sr + ri * si);
                let step = -gradient / curvature;
                let bounded = max_f64(-MAX_NEWTON_STEP, min_f64(MAX_NEWTON_STEP, step));
                let expected = if curvature < 0.0 { bounded } else { 0.0 };
                assert_eq!(products.newton(slope).to_bits(), expected.to_bits(), "{grid:?} {kind} {slope}");
            }
        }
    }
}
