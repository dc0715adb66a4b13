//! One module a kind of dataset.

pub(crate) mod breathing_5300;
pub(crate) mod breathing_phantom;
mod cir_frames;
pub(crate) mod espectre;
mod hku;
mod npz;
mod radiopoints;
pub(crate) mod rti;
pub(crate) mod rti_basement;
pub(crate) mod rti_esp32;
pub(crate) mod ruview_2node;

use crate::Dataset;

/// Every dataset, in the order of the table.
pub const ALL: &[Dataset] = &[
    breathing_phantom::BREATHING_PHANTOM,
    breathing_5300::BREATHING_5300,
    cir_frames::CIR_FRAMES,
    espectre::ESPECTRE,
    hku::HKU,
    radiopoints::RADIOPOINTS,
    rti_basement::RTI_BASEMENT,
    rti_esp32::RTI_ESP32,
    ruview_2node::RUVIEW_2NODE,
];
