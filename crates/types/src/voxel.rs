//! Voxel grids and images, x fastest.

use crate::canonical::{Canonical, Sink};

/// A regular grid of voxels in room coordinates (metres, right-handed, z up).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoxelGrid {
    /// Corner with the least coordinates.
    pub origin_m: [f64; 3],
    /// Edge of a voxel along each axis.
    pub pitch_m: [f64; 3],
    /// Voxels along each axis.
    pub counts: [u16; 3],
}

impl VoxelGrid {
    /// How many voxels.
    pub fn voxel_count(&self) -> usize {
        self.counts.iter().map(|&n| usize::from(n)).product()
    }

    /// Index of a voxel, x fastest.
    pub fn index(&self, x: usize, y: usize, z: usize) -> usize {
        (z * usize::from(self.counts[1]) + y) * usize::from(self.counts[0]) + x
    }

    /// Voxel of an index.
    pub fn coordinates(&self, index: usize) -> [usize; 3] {
        let (nx, ny) = (usize::from(self.counts[0]), usize::from(self.counts[1]));
        [index % nx, (index / nx) % ny, index / (nx * ny)]
    }

    /// Centre of a voxel in metres.
    pub fn centre_m(&self, index: usize) -> [f64; 3] {
        let c = self.coordinates(index);
        let mut out = [0.0; 3];
        for k in 0..3 {
            out[k] = self.origin_m[k] + (c[k] as f64 + 0.5) * self.pitch_m[k];
        }
        out
    }
}

/// A value for every voxel.
#[derive(Clone, Debug, PartialEq)]
pub struct VoxelImage {
    /// The grid.
    pub grid: VoxelGrid,
    /// Values, x fastest.
    pub values: Vec<f32>,
}

impl VoxelImage {
    /// All zeros.
    pub fn zero(grid: VoxelGrid) -> VoxelImage {
        VoxelImage { grid, values: vec![0.0; grid.voxel_count()] }
    }
}

impl Canonical for VoxelGrid {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { origin_m, pitch_m, counts } = self;
        out.f64s(origin_m);
        out.f64s(pitch_m);
        for &n in counts {
            out.u16(n);
        }
    }
}

impl Canonical for VoxelImage {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { grid, values } = self;
        grid.canonical(out);
        out.f32s(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_coordinates_are_inverse() {
        let grid = VoxelGrid { origin_m: [0.0; 3], pitch_m: [0.5, 0.5, 1.0], counts: [3, 4, 2] };
        for i in 0..grid.voxel_count() {
            let [x, y, z] = grid.coordinates(i);
            assert_eq!(grid.index(x, y, z), i);
        }
        assert_eq!(grid.centre_m(0), [0.25, 0.25, 0.5]);
    }
}
