//! Complex helpers. `num_complex` supplies the type and `+ − ×`; magnitude and argument come from [`crate::math`]
//! because `num_complex`'s own go through whichever float library its features select.

use crate::math;
use num_complex::Complex;

/// Complex `f32`.
pub type C32 = Complex<f32>;
/// Complex `f64`.
pub type C64 = Complex<f64>;

/// `e^{jφ}` for an angle in radians.
#[inline]
pub fn unit(phase: f64) -> C64 {
    C64::new(math::cos(phase), math::sin(phase))
}

/// Argument in radians, in `(−π, π]`; 0 for the zero vector.
#[inline]
pub fn arg(z: C64) -> f64 {
    math::atan2(z.im, z.re)
}

/// Magnitude.
#[inline]
pub fn abs(z: C64) -> f64 {
    math::sqrt(z.re * z.re + z.im * z.im)
}

/// Squared magnitude.
#[inline]
pub fn abs2(z: C64) -> f64 {
    z.re * z.re + z.im * z.im
}

/// Widens to `f64`; exact.
#[inline]
pub fn widen(z: C32) -> C64 {
    C64::new(f64::from(z.re), f64::from(z.im))
}

/// `conj(a) · b`, written out so that the order of operations is fixed.
#[inline]
pub fn conj_mul(a: C64, b: C64) -> C64 {
    C64::new(a.re * b.re + a.im * b.im, a.re * b.im - a.im * b.re)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conjugate_product_of_itself_is_its_energy() {
        let z = C64::new(3.0, -4.0);
        assert_eq!(conj_mul(z, z), C64::new(25.0, 0.0));
        assert_eq!(abs(z), 5.0);
    }

    #[test]
    fn unit_and_arg_are_inverse() {
        for k in -31..=31 {
            let phase = f64::from(k) * 0.1;
            assert!((arg(unit(phase)) - phase).abs() < 1e-12);
        }
    }
}
