//! Stage configurations, declared once: value, range, documentation, canonical bytes and setting by name.
//!
//! The shell walks [`KeyDoc`]s to read a configuration file and to write the commented sample, so a parameter that
//! is declared can be set, is documented, is refused outside its range, and is in the genesis.

use crate::canonical::{Reader, Sink};
use crate::config::ConfigError;

/// A value from a configuration file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ConfigValue {
    /// A number with a fraction (an integer will do where one is expected).
    Float(f64),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
}

impl core::fmt::Display for ConfigValue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ConfigValue::Float(x) => write!(f, "{x:?}"),
            ConfigValue::Integer(x) => write!(f, "{x}"),
            ConfigValue::Bool(x) => write!(f, "{x}"),
        }
    }
}

/// What is known of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDoc {
    /// Its name within the section.
    pub name: &'static str,
    /// What it means, with its unit.
    pub doc: &'static str,
    /// The default.
    pub default: ConfigValue,
    /// What is allowed, in words.
    pub allowed: String,
}

/// A type that a stage parameter may have.
pub trait ConfigScalar: Copy + PartialOrd + core::fmt::Debug {
    /// From a configuration value of a fitting kind.
    fn from_value(value: ConfigValue) -> Option<Self>;
    /// As a configuration value.
    fn to_value(self) -> ConfigValue;
    /// Appends canonical bytes.
    fn put<S: Sink>(self, out: &mut S);
    /// Reads canonical bytes.
    fn read(r: &mut Reader<'_>) -> Option<Self>;
}

impl ConfigScalar for f64 {
    fn from_value(value: ConfigValue) -> Option<f64> {
        match value {
            ConfigValue::Float(x) if x.is_finite() => Some(x),
            ConfigValue::Integer(x) => Some(x as f64),
            _ => None,
        }
    }
    fn to_value(self) -> ConfigValue {
        ConfigValue::Float(self)
    }
    fn put<S: Sink>(self, out: &mut S) {
        out.f64(self);
    }
    fn read(r: &mut Reader<'_>) -> Option<f64> {
        r.f64()
    }
}

impl ConfigScalar for u32 {
    fn from_value(value: ConfigValue) -> Option<u32> {
        match value {
            ConfigValue::Integer(x) => u32::try_from(x).ok(),
            _ => None,
        }
    }
    fn to_value(self) -> ConfigValue {
        ConfigValue::Integer(i64::from(self))
    }
    fn put<S: Sink>(self, out: &mut S) {
        out.u32(self);
    }
    fn read(r: &mut Reader<'_>) -> Option<u32> {
        r.u32()
    }
}

impl ConfigScalar for bool {
    fn from_value(value: ConfigValue) -> Option<bool> {
        match value {
            ConfigValue::Bool(x) => Some(x),
            _ => None,
        }
    }
    fn to_value(self) -> ConfigValue {
        ConfigValue::Bool(self)
    }
    fn put<S: Sink>(self, out: &mut S) {
        out.bool(self);
    }
    fn read(r: &mut Reader<'_>) -> Option<bool> {
        r.bool()
    }
}

/// A stage's configuration, as the shell sees it.
pub trait StageConfig: Default {
    /// The section of the configuration file.
    const SECTION: &'static str;
    /// Every key, in order of declaration.
    fn keys() -> Vec<KeyDoc>;
    /// Sets one key.
    ///
    /// # Errors
    /// If there is no such key, or the value is of another kind or out of range.
    fn set(&mut self, key: &str, value: ConfigValue) -> Result<(), ConfigError>;
    /// Every key with its present value, in order of declaration.
    fn values(&self) -> Vec<(&'static str, ConfigValue)>;
    /// Checks every range.
    ///
    /// # Errors
    /// Names the first field out of range.
    fn check(&self) -> Result<(), ConfigError>;
    /// Reads canonical bytes; `None` if they end early or a value is out of range.
    fn read(r: &mut Reader<'_>) -> Option<Self>;
}

/// Declares a stage configuration.
///
/// ```
/// wavewitness_types::stage_config! {
///     /// What the stage does.
///     pub struct Config in "demo" {
///         /// Regularisation relative to the largest correlation.
///         lambda_ratio: f64 = 0.1, 0.001, 0.9;
///         /// Most iterations.
///         max_iterations: u32 = 100, 1, 1000;
///         /// Whether the stage takes part.
///         enabled: bool = true, false, true;
///     }
/// }
/// use wavewitness_types::stage_config::{ConfigValue, StageConfig};
/// let mut c = Config::default();
/// c.set("lambda_ratio", ConfigValue::Float(0.2)).unwrap();
/// let e = c.set("lambda_ratio", ConfigValue::Float(2.0)).unwrap_err();
/// assert_eq!(e.to_string(), "demo.lambda_ratio = 2.0: allowed is 0.001 to 0.9");
/// ```
#[macro_export]
macro_rules! stage_config {
    (
        $(#[doc = $struct_doc:literal])*
        pub struct $name:ident in $section:literal {
            $( $(#[doc = $doc:literal])* $field:ident: $ty:ty = $default:expr, $low:expr, $high:expr; )*
        }
    ) => {
        $(#[doc = $struct_doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $( $(#[doc = $doc])* pub $field: $ty, )* }

        impl Default for $name {
            fn default() -> Self { Self { $( $field: $default, )* } }
        }

        impl $crate::stage_config::StageConfig for $name {
            const SECTION: &'static str = $section;

            fn keys() -> Vec<$crate::stage_config::KeyDoc> {
                use $crate::stage_config::ConfigScalar;
                vec![ $( $crate::stage_config::KeyDoc {
                    name: stringify!($field),
                    doc: concat!($($doc, "\n",)*),
                    default: <$ty as ConfigScalar>::to_value($default),
                    allowed: $crate::stage_config::allowed::<$ty>($low, $high),
                }, )* ]
            }

            fn set(&mut self, key: &str, value: $crate::stage_config::ConfigValue)
                -> Result<(), $crate::ConfigError>
            {
                match key {
                    $( stringify!($field) => {
                        self.$field = $crate::stage_config::checked::<$ty>(
                            concat!($section, ".", stringify!($field)), value, $low, $high)?;
                        Ok(())
                    } )*
                    _ => Err($crate::ConfigError::new(
                        &format!("{}.{key}", $section), value,
                        format_args!("one of: {}", [$(stringify!($field)),*].join(", ")))),
                }
            }

            fn values(&self) -> Vec<(&'static str, $crate::stage_config::ConfigValue)> {
                use $crate::stage_config::ConfigScalar;
                vec![ $( (stringify!($field), self.$field.to_value()), )* ]
            }

            fn check(&self) -> Result<(), $crate::ConfigError> {
                use $crate::stage_config::ConfigScalar;
                $( $crate::stage_config::checked::<$ty>(
                    concat!($section, ".", stringify!($field)), self.$field.to_value(), $low, $high)?; )*
                Ok(())
            }

            fn read(r: &mut $crate::canonical::Reader<'_>) -> Option<Self> {
                use $crate::stage_config::ConfigScalar;
                let out = Self { $( $field: <$ty as ConfigScalar>::read(r)?, )* };
                $crate::stage_config::StageConfig::check(&out).ok()?;
                Some(out)
            }
        }

        impl $crate::Canonical for $name {
            fn canonical<S: $crate::Sink>(&self, out: &mut S) {
                let Self { $( $field, )* } = self;
                $( $crate::stage_config::ConfigScalar::put(*$field, out); )*
            }
        }
    };
}

/// What a range allows, in words.
pub fn allowed<T: ConfigScalar>(low: T, high: T) -> String {
    match low.to_value() {
        ConfigValue::Bool(_) => "true or false".to_owned(),
        ConfigValue::Integer(_) => format!("a whole number, {} to {}", low.to_value(), high.to_value()),
        ConfigValue::Float(_) => format!("{} to {}", low.to_value(), high.to_value()),
    }
}

/// A value of kind `T` within `low..=high`.
///
/// # Errors
/// Names the field, the value and what is allowed.
pub fn checked<T: ConfigScalar>(field: &str, value: ConfigValue, low: T, high: T) -> Result<T, ConfigError> {
    match T::from_value(value) {
        Some(x) if x >= low && x <= high => Ok(x),
        _ => Err(ConfigError::new(field, value, allowed(low, high))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Canonical;

    stage_config! {
        /// A test configuration.
        pub struct Config in "test" {
            /// A ratio.
            ratio: f64 = 0.5, 0.0, 1.0;
            /// A number.
            number: u32 = 3, 1, 9;
            /// A switch.
            switch: bool = true, false, true;
        }
    }

    #[test]
    fn a_configuration_round_trips_and_refuses_by_name() {
        let mut c = Config::default();
        c.set("ratio", ConfigValue::Integer(1)).unwrap();
        c.set("switch", ConfigValue::Bool(false)).unwrap();
        let bytes = c.to_canonical_bytes();
        let mut r = Reader::new(&bytes);
        assert_eq!(Config::read(&mut r), Some(c.clone()));
        assert_eq!(r.finished(), Some(()));
        let kind = c.set("number", ConfigValue::Float(2.5)).unwrap_err().to_string();
        assert_eq!(kind, "test.number = 2.5: allowed is a whole number, 1 to 9");
        let key = c.set("nmber", ConfigValue::Integer(2)).unwrap_err().to_string();
        assert_eq!(key, "test.nmber = 2: allowed is one of: ratio, number, switch");
        assert_eq!(Config::keys()[0].doc.trim(), "A ratio.");
    }
}
