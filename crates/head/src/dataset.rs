//! Windows with labels, as NumPy arrays.

use crate::window::{CYCLES, Input, LINKS, TONES};
use crate::{KEYPOINTS, PEOPLE};
use ndarray::{Array2, Array3, Array4, Array5, Axis};
use ndarray_npy::{WriteNpyError, write_npy};
use std::path::Path;

/// Where people were at the end of a window: truth of a simulator, or labels of a camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    /// Keypoints of each person in the order of COCO, metres from the room's lowest corner.
    pub people: Vec<[[f32; 3]; KEYPOINTS]>,
}

/// Windows and labels, row by row.
#[derive(Clone, Debug)]
pub struct Dataset {
    cycles: Vec<u64>,
    csi: Vec<f32>,
    seen: Vec<f32>,
    motion: Vec<f32>,
    ends_m: Vec<f32>,
    room_m: Vec<f32>,
    existence: Vec<f32>,
    keypoints_m: Vec<f32>,
}

impl Default for Dataset {
    fn default() -> Dataset {
        Dataset::new()
    }
}

impl Dataset {
    /// Without a row.
    pub fn new() -> Dataset {
        Dataset {
            cycles: Vec::new(),
            csi: Vec::new(),
            seen: Vec::new(),
            motion: Vec::new(),
            ends_m: Vec::new(),
            room_m: Vec::new(),
            existence: Vec::new(),
            keypoints_m: Vec::new(),
        }
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.cycles.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.cycles.is_empty()
    }

    /// Adds a row. Of more than [`PEOPLE`] people the first are taken; their order is the label's.
    pub fn push(&mut self, input: &Input, label: &Label) {
        self.cycles.push(input.cycle.0);
        self.csi.extend(&input.csi);
        self.seen.extend(&input.seen);
        self.motion.extend(&input.motion);
        self.ends_m.extend(&input.ends_m);
        self.room_m.extend(&input.room_m);
        for k in 0..PEOPLE {
            let person = label.people.get(k);
            self.existence.push(f32::from(u8::from(person.is_some())));
            self.keypoints_m.extend(person.unwrap_or(&[[0.0; 3]; KEYPOINTS]).iter().flatten());
        }
    }

    /// Writes one `.npy` file an array into a directory: `cycle`, `csi`, `seen`, `motion`, `ends_m`, `room_m`, `existence`, `keypoints_m`.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn write(&self, directory: &Path) -> Result<(), WriteNpyError> {
        let n = self.len();
        let shaped = "every row has the same size";
        let csi = Array5::from_shape_vec((n, CYCLES, LINKS, TONES, 2), self.csi.clone()).expect(shaped);
        let per_link = |v: &[f32]| Array3::from_shape_vec((n, CYCLES, LINKS), v.to_vec()).expect(shaped);
        let ends = Array3::from_shape_vec((n, LINKS, 6), self.ends_m.clone()).expect(shaped);
        let pairs = |v: &[f32], m: usize| Array2::from_shape_vec((n, m), v.to_vec()).expect(shaped);
        let keypoints =
            Array4::from_shape_vec((n, PEOPLE, KEYPOINTS, 3), self.keypoints_m.clone()).expect(shaped);
        let cycles = Array2::from_shape_vec((n, 1), self.cycles.clone()).expect(shaped);
        write_npy(directory.join("cycle.npy"), &cycles.index_axis(Axis(1), 0))?;
        write_npy(directory.join("csi.npy"), &csi)?;
        write_npy(directory.join("seen.npy"), &per_link(&self.seen))?;
        write_npy(directory.join("motion.npy"), &per_link(&self.motion))?;
        write_npy(directory.join("ends_m.npy"), &ends)?;
        write_npy(directory.join("room_m.npy"), &pairs(&self.room_m, 3))?;
        write_npy(directory.join("existence.npy"), &pairs(&self.existence, PEOPLE))?;
        write_npy(directory.join("keypoints_m.npy"), &keypoints)
    }
}
