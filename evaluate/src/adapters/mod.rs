//! One module a kind of dataset.

use crate::Dataset;

/// Every dataset, in the order of the table.
pub const ALL: &[Dataset] = &[];
