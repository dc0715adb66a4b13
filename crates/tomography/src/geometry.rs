//! The voxel grid of a room, and how much of a link each voxel takes part in.

use crate::Config;
use wavewitness_num::math;
use wavewitness_types::{ConfigError, Room, VoxelGrid};

/// A weight row ends where the excess path reaches this many decay lengths (`e⁻⁴ ≈ 2 %`).
const CUTOFF_DECAYS: f64 = 4.0;
/// Antennas closer than this are one place: the link has no path.
const MIN_LINK_M: f64 = 0.05;
/// Coordinates beyond this are not a place.
const MAX_COORDINATE_M: f64 = 1e4;
/// Longest side of a room.
const MAX_ROOM_M: f64 = 200.0;
/// Shortest side of a room.
const MIN_ROOM_M: f64 = 0.5;
/// Segments whose ends agree within this are the same path.
const SAME_PLACE_M: f64 = 0.05;

/// A link's antennas in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Segment {
    pub tx_m: [f64; 3],
    pub rx_m: [f64; 3],
}

impl Segment {
    /// `None` unless both ends are places and differ.
    pub fn new(tx_m: [f64; 3], rx_m: [f64; 3]) -> Option<Segment> {
        let is_place = |p: [f64; 3]| p.iter().all(|x| x.is_finite() && x.abs() <= MAX_COORDINATE_M);
        (is_place(tx_m) && is_place(rx_m) && distance_m(tx_m, rx_m) >= MIN_LINK_M)
            .then_some(Segment { tx_m, rx_m })
    }

    /// True if both run between the same two places, in either direction.
    pub fn same_path(&self, other: &Segment) -> bool {
        let near = |a, b| distance_m(a, b) < SAME_PLACE_M;
        (near(self.tx_m, other.tx_m) && near(self.rx_m, other.rx_m))
            || (near(self.tx_m, other.rx_m) && near(self.rx_m, other.tx_m))
    }

    /// Weight of a voxel on the segment.
    pub fn full_weight(&self) -> f64 {
        1.0 / math::sqrt(distance_m(self.tx_m, self.rx_m))
    }

    /// Weights of every voxel: `w = (e^{−ε/κ} − e^{−4}) / (1 − e^{−4}) / √d` for an excess path ε below 4κ, else 0.
    ///
    /// The ellipse with `ε = d(tx,v) + d(v,rx) − d` and the `1/√d` are Wilson and Patwari (2010), equation 8; instead
    /// of their step at the rim the weight falls smoothly (Kaltiokallio, Bocca and Patwari 2014), so that a position
    /// between voxel centres changes every link a little.
    pub fn weights(&self, grid: &VoxelGrid, decay_m: f64, row: &mut [f64]) {
        let d = distance_m(self.tx_m, self.rx_m);
        let rim = math::exp(-CUTOFF_DECAYS);
        let scale = self.full_weight() / (1.0 - rim);
        for (v, w) in row.iter_mut().enumerate() {
            let p = grid.centre_m(v);
            // Rounding can make the excess of a voxel on the segment a hair negative.
            let excess = math::max_f64(0.0, distance_m(self.tx_m, p) + distance_m(p, self.rx_m) - d);
            let decays = excess / decay_m;
            *w = if decays < CUTOFF_DECAYS { (math::exp(-decays) - rim) * scale } else { 0.0 };
        }
    }
}

/// Distance of two places.
pub(crate) fn distance_m(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (x, y, z) = (a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    math::sqrt(x * x + y * y + z * z)
}

/// The grid that fills a room.
pub(crate) fn grid(config: &Config, room: &Room) -> Result<VoxelGrid, ConfigError> {
    let counts = [config.voxels_x, config.voxels_y, config.voxels_z];
    let mut grid = VoxelGrid { origin_m: room.min_m, pitch_m: [0.0; 3], counts: [0; 3] };
    for k in 0..3 {
        let (low, high) = (room.min_m[k], room.max_m[k]);
        let side = high - low;
        if !(low.abs() <= MAX_COORDINATE_M && (MIN_ROOM_M..=MAX_ROOM_M).contains(&side)) {
            return Err(ConfigError::new(
                "room",
                format_args!("{low} to {high} m along {}", ["x", "y", "z"][k]),
                format_args!("sides of {MIN_ROOM_M} to {MAX_ROOM_M} m, coordinates to {MAX_COORDINATE_M} m"),
            ));
        }
        grid.counts[k] = u16::try_from(counts[k]).expect("the configuration bounds the counts");
        grid.pitch_m[k] = side / f64::from(counts[k]);
    }
    Ok(grid)
}

#[cfg(test)]
mod tests {
    //! Guards the forward model: where the weight lies, and that direction doesn't matter.
    use super::*;

    fn unit_grid() -> VoxelGrid {
        VoxelGrid { origin_m: [0.0; 3], pitch_m: [1.0, 1.0, 1.0], counts: [6, 6, 1] }
    }

    fn row(tx_m: [f64; 3], rx_m: [f64; 3], decay_m: f64) -> Vec<f64> {
        let mut row = vec![0.0; 36];
        Segment::new(tx_m, rx_m).unwrap().weights(&unit_grid(), decay_m, &mut row);
        row
    }

    #[test]
    fn weight_falls_with_excess_path_and_ends_at_four_decays() {
        let (tx, rx) = ([0.5, 0.5, 0.5], [5.5, 0.5, 0.5]);
        let r = row(tx, rx, 0.2);
        let full = 1.0 / math::sqrt(5.0);
        assert!((r[2] - full).abs() < 1e-12, "a voxel on the segment has the whole weight");
        // (2.5, 1.5): √5 + √10 − 5 = 0.398 m excess is 1.99 decays; (2.5, 2.5): 1.434 m is beyond four.
        let rim = math::exp(-4.0);
        let excess = math::sqrt(5.0) + math::sqrt(10.0) - 5.0;
        let expected = full * (math::exp(-excess / 0.2) - rim) / (1.0 - rim);
        assert!((r[8] - expected).abs() < 1e-12);
        assert_eq!(r[14], 0.0);
    }

    #[test]
    fn both_directions_are_one_path() {
        let (a, b) = ([0.1, 0.2, 1.0], [5.0, 4.0, 0.4]);
        let (forward, back) = (Segment::new(a, b).unwrap(), Segment::new(b, a).unwrap());
        assert!(forward.same_path(&back));
        for (f, g) in row(a, b, 1.0).iter().zip(row(b, a, 1.0)) {
            assert!((f - g).abs() < 1e-12);
        }
    }

    #[test]
    fn places_that_are_none_make_no_segment() {
        assert_eq!(Segment::new([1.0; 3], [1.0; 3]), None);
        assert_eq!(Segment::new([f64::NAN, 0.0, 0.0], [1.0; 3]), None);
        assert_eq!(Segment::new([1e300, 0.0, 0.0], [1.0; 3]), None);
    }
}
