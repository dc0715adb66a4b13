//! One module a kind of dataset.

mod cir_frames;

use crate::Dataset;

/// Every dataset, in the order of the table.
pub const ALL: &[Dataset] = &[cir_frames::CIR_FRAMES];
