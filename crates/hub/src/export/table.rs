//! Columns and values of a table, whatever it is written as.

use crate::clock::iso8601;
use std::borrow::Cow;
use std::fmt;
use wavewitness_types::Timestamp;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// Text.
    Text,
    /// A time, UTC.
    Time,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, unit last.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A value; its kind is the column's.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known.
    Absent,
    /// A whole number.
    Whole(u64),
    /// A number.
    Number(f32),
    /// Text.
    Text(Cow<'static, str>),
    /// A time.
    Time(Timestamp),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Value {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(Cow::Owned(text))
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Value {
        Value::Number(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Whole(number)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Absent, Into::into)
    }
}

impl fmt::Display for Value {
    /// As in CSV: nothing where it is not known, floats with the fewest digits that read back as the same bits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Absent => Ok(()),
            Value::Whole(n) => n.fmt(f),
            Value::Number(x) => x.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::Time(at) => f.write_str(&iso8601(*at)),
        }
    }
}
