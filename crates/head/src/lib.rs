//! What a neural pose head is given, and what it may answer.
//!
//! A [`Window`] keeps the last 32 cycles of the fused channel; [`Input`] is its tensor, in an order that depends on the room's
//! configuration alone; a [`PoseHead`] makes [`Evidence`] of it. [`Dataset`] writes the same tensors, with truth or with
//! camera labels beside them, for those who train a head. `docs/pose-head.md` specifies the tensors.
//!
//! What this crate does not do: it holds no model and trains none; nothing of it enters a witness. A head's floating point may
//! differ from machine to machine, so what it says is logged as evidence with the model's digest, and is never our computation.

mod dataset;
pub mod journal;
pub mod labels;
#[cfg(feature = "onnx")]
mod onnx;
mod window;

pub use dataset::{Dataset, Label};
#[cfg(feature = "onnx")]
pub use onnx::{HeadError, OnnxHead};
pub use window::{CYCLES, Input, LINKS, TONES, Window};

/// People that a head may name.
pub const PEOPLE: usize = 4;
/// Keypoints of a person, in the order of COCO.
pub const KEYPOINTS: usize = 17;

/// What a head said: raw, as it came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Probability that each is a person, `PEOPLE` numbers.
    pub existence: Vec<f32>,
    /// Metres from the room's lowest corner, `PEOPLE × KEYPOINTS × 3`, row-major.
    pub keypoints_m: Vec<f32>,
    /// One sigma along each axis, the same shape; empty if the model does not say.
    pub sigma_m: Vec<f32>,
}

/// Something that makes poses of a window.
pub trait PoseHead {
    /// What it failed with.
    type Error: std::error::Error;

    /// One answer.
    ///
    /// # Errors
    /// If the model can't be run on the window, or what it says has another shape than it promised.
    fn run(&mut self, input: &Input) -> Result<Evidence, Self::Error>;
}
