//! One module a kind of dataset.

mod breathing_5300;
mod breathing_phantom;
mod cir_frames;
mod espectre;
mod hku;
mod npz;
mod radiopoints;
mod rti;
mod rti_basement;
mod rti_esp32;

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
];
