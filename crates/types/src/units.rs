//! Units. Time is an integer; other quantities are finite floats with their unit in the type.

use crate::canonical::{Canonical, Sink};

/// Nanoseconds since the Unix epoch. The daemon derives it once from the wall clock and then from the monotonic
/// clock, so it never steps back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Nanoseconds from `earlier` to `self`; 0 if `earlier` is later.
    pub fn nanos_since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds from `earlier` to `self`; 0 if `earlier` is later.
    pub fn seconds_since(self, earlier: Timestamp) -> f64 {
        self.nanos_since(earlier) as f64 * 1e-9
    }

    /// This instant `nanos` later, saturating.
    pub fn plus_nanos(self, nanos: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos))
    }
}

impl Canonical for Timestamp {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u64(self.0);
    }
}

macro_rules! quantity {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// The quantity; `None` unless finite.
            pub fn new(value: f64) -> Option<$name> {
                value.is_finite().then_some($name(value))
            }
            /// The number, in the unit of the type.
            pub fn get(self) -> f64 {
                self.0
            }
        }
        impl Canonical for $name {
            fn canonical<S: Sink>(&self, out: &mut S) {
                out.f64(self.0);
            }
        }
    )*};
}

quantity! {
    /// Frequency in hertz.
    Hertz;
    /// Length in metres.
    Metres;
    /// Duration in seconds.
    Seconds;
    /// Angle in radians.
    Radians;
    /// Level in decibels.
    Decibels;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_underflows() {
        assert_eq!(Timestamp(3).nanos_since(Timestamp(5)), 0);
        assert_eq!(Timestamp(u64::MAX).plus_nanos(1), Timestamp(u64::MAX));
    }

    #[test]
    fn quantities_are_finite() {
        assert_eq!(Hertz::new(f64::NAN), None);
        assert_eq!(Metres::new(2.5).map(Metres::get), Some(2.5));
    }
}
