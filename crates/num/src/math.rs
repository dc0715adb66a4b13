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

/// ln of a positive normal number to within 3e-11, in a third of the time of [`ln`]: for sums of many logarithms that model errors
/// of more than that go into. Other arguments give some number.
///
/// With x = 2^e m, m in [√½, √2), and t = (m − 1)/(m + 1): `ln m = 2 artanh t = 2 (t + t³/3 + t⁵/5 + …)`, |t| < 0.172.
#[inline]
pub fn ln_short(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE: u64 = 1023 << 52;
    let bits = x.to_bits();
    let m = f64::from_bits(bits & MANTISSA | ONE);
    let e = (bits >> 52 & 0x7FF) as i32 - 1023;
    let (m, e) = if m > core::f64::consts::SQRT_2 { (0.5 * m, e + 1) } else { (m, e) };
    let t = (m - 1.0) / (m + 1.0);
    let s = t * t;
    let odd = 1.0
        + s * (1.0 / 3.0
            + s * (1.0 / 5.0 + s * (1.0 / 7.0 + s * (1.0 / 9.0 + s * (1.0 / 11.0 + s * (1.0 / 13.0))))));
    f64::from(e) * core::f64::consts::LN_2 + 2.0 * t * odd
}

/// The same in single precision, to within 3e-7 of 1 + |ln x|, without a branch: several can be computed side by side.
#[inline]
pub fn ln_short_f32(x: f32) -> f32 {
    const MANTISSA: u32 = (1 << 23) - 1;
    const ONE: u32 = 127 << 23;
    let bits = x.to_bits();
    let m = f32::from_bits(bits & MANTISSA | ONE);
    let e = (bits >> 23 & 0xFF) as i32 - 127;
    let (m, e) = if m > core::f32::consts::SQRT_2 { (0.5 * m, e + 1) } else { (m, e) };
    let t = (m - 1.0) / (m + 1.0);
    let s = t * t;
    let odd = 1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0)));
    e as f32 * core::f32::consts::LN_2 + 2.0 * t * odd
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

    #[test]
    fn the_shortest_logarithm_is_near_the_long_one() {
        for k in -3000..3000 {
            let x = exp(f64::from(k) * 0.0237) as f32;
            let (short, long) = (f64::from(ln_short_f32(x)), ln(f64::from(x)));
            assert!((short - long).abs() < 3e-7 * (1.0 + long.abs()), "ln {x}: {short} for {long}");
        }
        assert_eq!(ln_short_f32(1.0), 0.0);
    }

    #[test]
    fn the_short_logarithm_is_near_the_long_one() {
        let mut x = 1e-300;
        while x < 1e300 {
            let (short, long) = (ln_short(x), ln(x));
            assert!((short - long).abs() < 3e-11 + 1e-15 * long.abs(), "{x}: {short} for {long}");
            x *= 1.003_7;
        }
        assert_eq!(ln_short(1.0), 0.0);
    }
}
