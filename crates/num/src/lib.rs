//! How numbers are computed: the determinism contract has one home.
//!
//! Domain: IEEE-754 binary32/64, round to nearest, no FMA contraction, subnormals kept; targets that are known to be
//! outside do not compile. Within it `+ − × ÷ √`, `floor`, `round` and comparisons repeat everywhere; everything else
//! goes through this crate:
//!
//! * [`math`]: transcendental functions over an exactly pinned `libm`, never over `std`;
//! * [`sum`]: reductions with one written order, and Welford statistics;
//! * [`fft`]: scalar FFT plans (the automatic planner's bits depend on the CPU);
//! * [`matrix`]: small static matrices, Cholesky, solve-don't-invert;
//! * [`complex`]: complex helpers that avoid `std` transcendental paths.
//!
//! What this crate does not do: no SIMD intrinsics, no threads, no dynamic matrices, no random numbers.

pub mod complex;
mod domain;
pub mod fft;
pub mod math;
pub mod matrix;
pub mod sum;

pub use complex::{C32, C64};

/// The numerics version: part of every genesis. Any change that alters output bits increments it.
pub const NUMERICS_VERSION: u32 = 17;

/// Canonical form of a digested `f32`: `−0.0` becomes `+0.0`.
///
/// # Panics
/// If `x` is NaN or infinite: such a value is a broken invariant of the stage that made it.
#[inline]
pub fn canonical_f32(x: f32) -> f32 {
    assert!(x.is_finite(), "a digested value is not finite: {x}");
    x + 0.0
}

/// Canonical form of a digested `f64`: `−0.0` becomes `+0.0`.
///
/// # Panics
/// If `x` is NaN or infinite: such a value is a broken invariant of the stage that made it.
#[inline]
pub fn canonical_f64(x: f64) -> f64 {
    assert!(x.is_finite(), "a digested value is not finite: {x}");
    x + 0.0
}

#[cfg(test)]
mod tests {
    #[test]
    fn negative_zero_is_canonicalised() {
        assert_eq!(super::canonical_f32(-0.0).to_bits(), 0);
        assert_eq!(super::canonical_f64(-0.0).to_bits(), 0);
    }
}
