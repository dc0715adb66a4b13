//! Transcendental functions over the pinned `libm`. The same bits on every target.

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident, $name32:ident: $f64:path, $f32:path;)*) => {$(
        $(#[$doc])* #[inline] pub fn $name(x: f64) -> f64 { $f64(x) }
        $(#[$doc])* #[inline] pub fn $name32(x: f32) -> f32 { $f32(x) }
    )*};
}

unary! {
    /// Sine of an angle in radians.
    sin, sin_f32: libm::sin, libm::sinf;
    /// Cosine of an angle in radians.
    cos, cos_f32: libm::cos, libm::cosf;
    /// Arc cosine in radians.
    acos, acos_f32: libm::acos, libm::acosf;
    /// Arc sine in radians.
    asin, asin_f32: libm::asin, libm::asinf;
    /// Natural exponential.
    exp, exp_f32: libm::exp, libm::expf;
    /// Natural logarithm.
    ln, ln_f32: libm::log, libm::logf;
    /// Base-10 logarithm.
    log10, log10_f32: libm::log10, libm::log10f;
    /// Hyperbolic tangent.
    tanh, tanh_f32: libm::tanh, libm::tanhf;
    /// Square root: IEEE 754 asks for the exact rounding, so the processor's own repeats.
    sqrt, sqrt_f32: f64::sqrt, f32::sqrt;
    /// Cube root.
    cbrt, cbrt_f32: libm::cbrt, libm::cbrtf;
    /// Error function.
    erf, erf_f32: libm::erf, libm::erff;
    /// Complementary error function.
    erfc, erfc_f32: libm::erfc, libm::erfcf;
    /// Natural logarithm of |Γ(x)|.
    ln_gamma, ln_gamma_f32: libm::lgamma, libm::lgammaf;
}

/// Four-quadrant arc tangent of `y / x` in radians.
#[inline]
pub fn atan2(y: f64, x: f64) -> f64 {
    libm::atan2(y, x)
}

/// Four-quadrant arc tangent of `y / x` in radians.
#[inline]
pub fn atan2_f32(y: f32, x: f32) -> f32 {
    libm::atan2f(y, x)
}

/// `x` to the power `y`.
#[inline]
pub fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

/// `√(x² + y²)` without overflow.
#[inline]
pub fn hypot(x: f64, y: f64) -> f64 {
    libm::hypot(x, y)
}

/// The lesser of two, `a` on ties: unlike `f64::min` it treats signed zeros alike on every target.
#[inline]
pub fn min_f64(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

/// The greater of two, `a` on ties: unlike `f64::max` it treats signed zeros alike on every target.
#[inline]
pub fn max_f64(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// The lesser of two, `a` on ties.
#[inline]
pub fn min_f32(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

/// The greater of two, `a` on ties.
#[inline]
pub fn max_f32(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Power ratio to decibels; `None` unless `ratio > 0`.
pub fn power_db(ratio: f64) -> Option<f64> {
    (ratio > 0.0).then(|| 10.0 * log10(ratio))
}

/// Wraps an angle into `(−π, π]`.
pub fn wrap_angle(x: f64) -> f64 {
    use core::f64::consts::{PI, TAU};
    let y = x - TAU * libm::floor(x / TAU);
    if y > PI { y - TAU } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_lands_in_half_open_interval() {
        for k in -20..20 {
            let x = 0.37 + f64::from(k) * core::f64::consts::TAU;
            assert!((wrap_angle(x) - 0.37).abs() < 1e-12);
        }
        assert!(wrap_angle(-core::f64::consts::PI) > 0.0);
    }

    #[test]
    fn signed_zero_ties_take_the_first_argument() {
        assert_eq!(max_f64(-0.0, 0.0).to_bits(), (-0.0f64).to_bits());
        assert_eq!(min_f64(0.0, -0.0).to_bits(), 0.0f64.to_bits());
    }
}
