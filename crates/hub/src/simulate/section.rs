//! A section of a scene file: values by kind and range, and nothing left unread.

use crate::config::{string, unknown, wrong};
use std::collections::BTreeSet;
use toml::{Table, Value};
use wavewitness_types::{ConfigError, Mac};

/// A table whose keys are taken one by one; [`Section::end`] refuses what nobody took.
pub(super) struct Section<'a> {
    name: String,
    table: &'a Table,
    known: BTreeSet<&'static str>,
}

impl<'a> Section<'a> {
    pub fn new(name: &str, table: &'a Table) -> Section<'a> {
        Section { name: name.to_owned(), table, known: BTreeSet::new() }
    }

    /// A section of a key, an empty one if it is missing.
    pub fn section(&mut self, key: &'static str) -> Result<Option<Section<'a>>, ConfigError> {
        let field = self.field(key);
        self.take(key)
            .map(|v| {
                v.as_table().map(|t| Section::new(&field, t)).ok_or_else(|| wrong(&field, v, "a section"))
            })
            .transpose()
    }

    /// Sections of a key: `[[key]]`, or a list of tables.
    pub fn sections(&mut self, key: &'static str) -> Result<Vec<Section<'a>>, ConfigError> {
        let field = self.field(key);
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let tables: Option<Vec<&Table>> =
            value.as_array().and_then(|list| list.iter().map(Value::as_table).collect());
        let tables = tables.ok_or_else(|| wrong(&field, value, format_args!("sections: [[{field}]]")))?;
        Ok(tables.into_iter().enumerate().map(|(k, t)| Section::new(&format!("{field}[{k}]"), t)).collect())
    }

    pub fn field(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    pub fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.insert(key);
        self.table.get(key)
    }

    pub fn error(
        &self,
        key: &str,
        value: impl std::fmt::Display,
        allowed: impl std::fmt::Display,
    ) -> ConfigError {
        ConfigError::new(&self.field(key), value, allowed)
    }

    /// A number within bounds.
    pub fn number(&mut self, key: &'static str, low: f64, high: f64) -> Result<Option<f64>, ConfigError> {
        let field = self.field(key);
        self.take(key)
            .map(|v| {
                float(v)
                    .filter(|x| (low..=high).contains(x))
                    .ok_or_else(|| wrong(&field, v, format_args!("a number, {low} to {high}")))
            })
            .transpose()
    }

    /// A number within bounds that may be left out.
    pub fn or(&mut self, key: &'static str, low: f64, high: f64, default: f64) -> Result<f64, ConfigError> {
        Ok(self.number(key, low, high)?.unwrap_or(default))
    }

    /// A number that must be there.
    pub fn needed(&mut self, key: &'static str, low: f64, high: f64) -> Result<f64, ConfigError> {
        self.number(key, low, high)?
            .ok_or_else(|| self.error(key, "(missing)", format_args!("a number, {low} to {high}")))
    }

    /// A whole number within bounds.
    pub fn whole(&mut self, key: &'static str, low: i64, high: i64) -> Result<Option<i64>, ConfigError> {
        let field = self.field(key);
        self.take(key)
            .map(|v| {
                v.as_integer()
                    .filter(|x| (low..=high).contains(x))
                    .ok_or_else(|| wrong(&field, v, format_args!("a whole number, {low} to {high}")))
            })
            .transpose()
    }

    /// True or false.
    pub fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, ConfigError> {
        let field = self.field(key);
        self.take(key).map_or(Ok(default), |v| v.as_bool().ok_or_else(|| wrong(&field, v, "true or false")))
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Result<Option<&'a str>, ConfigError> {
        let field = self.field(key);
        self.take(key).map(|v| string(&field, v)).transpose()
    }

    /// A MAC address.
    pub fn mac(&mut self, key: &'static str) -> Result<Option<Mac>, ConfigError> {
        let field = self.field(key);
        self.text(key)?
            .map(|t| {
                Mac::parse(t).ok_or_else(|| ConfigError::new(&field, t, "a MAC address, aa:bb:cc:dd:ee:ff"))
            })
            .transpose()
    }

    /// A point in metres.
    pub fn point<const N: usize>(&mut self, key: &'static str) -> Result<Option<[f64; N]>, ConfigError> {
        let field = self.field(key);
        self.take(key).map(|v| point(&field, v)).transpose()
    }

    /// A point that must be there.
    pub fn place<const N: usize>(&mut self, key: &'static str) -> Result<[f64; N], ConfigError> {
        self.point(key)?.ok_or_else(|| {
            self.error(key, "(missing)", format_args!("{N} numbers in metres, each -1000 to 1000"))
        })
    }

    /// Seconds as nanoseconds.
    pub fn nanos(&mut self, key: &'static str, high_s: f64, default_ns: u64) -> Result<u64, ConfigError> {
        Ok(self.number(key, 0.0, high_s)?.map_or(default_ns, |s| (s * 1e9).round() as u64))
    }

    /// Refuses keys that nobody took.
    pub fn end(self) -> Result<(), ConfigError> {
        match self.table.keys().find(|k| !self.known.contains(k.as_str())) {
            None => Ok(()),
            Some(key) => {
                let known: Vec<&str> = self.known.iter().copied().collect();
                Err(unknown(&self.field(""), key, &known))
            }
        }
    }
}

pub(super) fn float(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|x| x as f64)).filter(|x| x.is_finite())
}

/// `N` coordinates in metres.
pub(super) fn point<const N: usize>(field: &str, value: &Value) -> Result<[f64; N], ConfigError> {
    let list: Option<Vec<f64>> = value.as_array().and_then(|list| list.iter().map(float).collect());
    list.and_then(|l| <[f64; N]>::try_from(l).ok())
        .filter(|p| p.iter().all(|x| (-1000.0..=1000.0).contains(x)))
        .ok_or_else(|| wrong(field, value, format_args!("{N} numbers in metres, each -1000 to 1000")))
}
