//! Peaks of an image, as detections with covariances.
//!
//! People stand on a floor: the image is summed over height first, so that one body is never two detections.

use crate::Config;
use crate::solver::Solver;
use wavewitness_num::math;
use wavewitness_num::matrix::Matrix;
use wavewitness_types::{Detection, VoxelGrid};

/// Plan cells along an axis, at most.
const MAX_SIDE: usize = 32;
/// Voxels farther than this many smoothing radii from a peak are no part of it.
const REACH: f64 = 3.0;

/// What the detector needs to know beside the image.
pub(crate) struct Scene<'a> {
    pub config: &'a Config,
    pub grid: &'a VoxelGrid,
    /// True if the antennas of this cycle's links are spread over enough height.
    pub height_observed: bool,
    /// Degrees of freedom: distinct paths.
    pub paths: usize,
}

/// Plan maps, reused from cycle to cycle.
#[derive(Clone, Debug)]
pub(crate) struct Maps {
    plan: Vec<f64>,
    half: Vec<f64>,
    smooth: Vec<f64>,
    claimed: Vec<bool>,
}

impl Maps {
    pub fn new(grid: &VoxelGrid) -> Maps {
        let cells = usize::from(grid.counts[0]) * usize::from(grid.counts[1]);
        Maps {
            plan: vec![0.0; cells],
            half: vec![0.0; cells],
            smooth: vec![0.0; cells],
            claimed: vec![false; cells],
        }
    }
}

/// One person's share of the image.
struct Blob {
    /// Sum of Gaussian weights times u.
    mass: f64,
    centre_m: [f64; 3],
    spread_m2: [[f64; 3]; 3],
    /// Voxel nearest to the centre.
    voxel: usize,
}

impl Scene<'_> {
    fn sides(&self) -> (usize, usize) {
        (usize::from(self.grid.counts[0]), usize::from(self.grid.counts[1]))
    }

    fn cell_distance_m(&self, a: usize, b: usize) -> f64 {
        let (nx, _) = self.sides();
        let x = ((a % nx) as f64 - (b % nx) as f64) * self.grid.pitch_m[0];
        let y = ((a / nx) as f64 - (b / nx) as f64) * self.grid.pitch_m[1];
        math::sqrt(x * x + y * y)
    }

    /// Fills `detections`, strongest peak first.
    pub fn detect(&self, solver: &Solver, maps: &mut Maps, detections: &mut Vec<Detection>) {
        self.project(&solver.u, maps);
        let limit = self.config.max_detections as usize;
        maps.claimed.fill(false);
        while detections.len() < limit {
            let Some(peak) = self.next_peak(maps) else { break };
            if self.stands_out(peak, maps)
                && let Some(blob) = self.blob(peak, &solver.u)
            {
                let strength = self.strength(&blob, solver);
                let contrast = self.contrast(blob.voxel, solver);
                if strength >= self.config.min_strength_sigma && contrast >= self.config.min_contrast_sigma {
                    detections.push(self.detection(&blob, strength, solver));
                }
            }
            for cell in 0..maps.claimed.len() {
                maps.claimed[cell] |= self.cell_distance_m(cell, peak) < self.config.min_separation_m;
            }
        }
    }

    /// Sums u over height, then smooths by a separable Gaussian.
    fn project(&self, u: &[f64], maps: &mut Maps) {
        let (nx, ny) = self.sides();
        maps.plan.fill(0.0);
        for layer in u.chunks_exact(nx * ny) {
            for (p, &value) in maps.plan.iter_mut().zip(layer) {
                *p += value;
            }
        }
        let (gx, gy) = (self.taps(0), self.taps(1));
        for y in 0..ny {
            for x in 0..nx {
                let mut total = 0.0;
                for k in 0..nx {
                    total += gx[k.abs_diff(x)] * maps.plan[y * nx + k];
                }
                maps.half[y * nx + x] = total;
            }
        }
        for y in 0..ny {
            for x in 0..nx {
                let mut total = 0.0;
                for k in 0..ny {
                    total += gy[k.abs_diff(y)] * maps.half[k * nx + x];
                }
                maps.smooth[y * nx + x] = total;
            }
        }
    }

    fn taps(&self, axis: usize) -> [f64; MAX_SIDE] {
        let mut taps = [0.0; MAX_SIDE];
        for (k, tap) in taps.iter_mut().enumerate() {
            let z = k as f64 * self.grid.pitch_m[axis] / self.config.smoothing_m;
            *tap = math::exp(-0.5 * z * z);
        }
        taps
    }

    /// The highest unclaimed cell that is positive and not lower than its eight neighbours; the first of equals.
    fn next_peak(&self, maps: &Maps) -> Option<usize> {
        let (nx, ny) = self.sides();
        let mut best: Option<usize> = None;
        for (cell, &value) in maps.smooth.iter().enumerate() {
            if maps.claimed[cell] || value <= 0.0 || best.is_some_and(|b| maps.smooth[b] >= value) {
                continue;
            }
            let (x, y) = (cell % nx, cell / nx);
            let mut is_peak = true;
            for j in y.saturating_sub(1)..(y + 2).min(ny) {
                for i in x.saturating_sub(1)..(x + 2).min(nx) {
                    is_peak &= maps.smooth[j * nx + i] <= value;
                }
            }
            if is_peak {
                best = Some(cell);
            }
        }
        best
    }

    /// Cell-averaging CFAR (Finn and Johnson 1968): the peak against the mean of all cells outside its guard radius.
    fn stands_out(&self, peak: usize, maps: &Maps) -> bool {
        let (mut total, mut count) = (0.0, 0.0);
        let guard_m = self.config.min_separation_m + self.config.smoothing_m;
        for cell in 0..maps.smooth.len() {
            if self.cell_distance_m(cell, peak) > guard_m {
                total += maps.smooth[cell];
                count += 1.0;
            }
        }
        maps.smooth[peak] * count >= self.config.cfar_factor * total
    }

    /// Gaussian-weighted centroid and spread about the peak's column, over all heights.
    fn blob(&self, peak: usize, u: &[f64]) -> Option<Blob> {
        let (nx, ny) = self.sides();
        let reach_m = REACH * self.config.smoothing_m;
        let (mut mass, mut first, mut second) = (0.0, [0.0; 3], [[0.0; 3]; 3]);
        for (voxel, &value) in u.iter().enumerate() {
            let distance_m = self.cell_distance_m(voxel % (nx * ny), peak);
            if value <= 0.0 || distance_m > reach_m {
                continue;
            }
            let z = distance_m / self.config.smoothing_m;
            let w = value * math::exp(-0.5 * z * z);
            let p = self.grid.centre_m(voxel);
            mass += w;
            for r in 0..3 {
                first[r] += w * p[r];
                for c in 0..3 {
                    second[r][c] += w * p[r] * p[c];
                }
            }
        }
        if mass <= 0.0 {
            return None;
        }
        let mut blob = Blob { mass, centre_m: [0.0; 3], spread_m2: [[0.0; 3]; 3], voxel: 0 };
        let mut index = [0; 3];
        for r in 0..3 {
            blob.centre_m[r] = first[r] / mass;
            let cell = (blob.centre_m[r] - self.grid.origin_m[r]) / self.grid.pitch_m[r];
            index[r] = (math::max_f64(cell, 0.0) as usize).min(usize::from(self.grid.counts[r]) - 1);
        }
        for r in 0..3 {
            for c in 0..3 {
                blob.spread_m2[r][c] = second[r][c] / mass - blob.centre_m[r] * blob.centre_m[c];
            }
            // A difference of large numbers: rounding can leave a hair below zero.
            blob.spread_m2[r][r] = math::max_f64(blob.spread_m2[r][r], 0.0);
        }
        blob.voxel = self.grid.index(index[0], index[1], index[2]);
        Some(blob)
    }

    /// Response of the blob's own voxel to the evidence that the rest of the image leaves, in standard deviations of
    /// the noise: the residual's correlation plus the blob's contribution, which undoes the shrinkage of the lasso.
    fn strength(&self, blob: &Blob, solver: &Solver) -> f64 {
        let v = blob.voxel;
        math::max_f64(0.0, blob.mass - solver.gradient[v])
    }

    /// Response of the blob's voxel to what of the evidence is not common to all links, in standard deviations.
    ///
    /// Interference, a change of channel or of gain raises every link alike, and the best place to explain that is a
    /// ghost in the middle of the mesh. With the whitened flat level `f_l ∝ 1/σ_l` taken out of column and evidence, a
    /// flat rise leaves N(0, 1) here, and a person leaves the contrast between links near and far.
    fn contrast(&self, voxel: usize, solver: &Solver) -> f64 {
        let (mut ff, mut fb, mut fy) = (0.0, 0.0, 0.0);
        for row in 0..solver.rows() {
            let (f, b) = (solver.flat[row], solver.entry(row, voxel));
            ff += f * f;
            fb += f * b;
            fy += f * solver.y[row];
        }
        let (mut bb, mut by) = (0.0, 0.0);
        for row in 0..solver.rows() {
            let b = solver.entry(row, voxel) - solver.flat[row] * fb / ff;
            bb += b * b;
            by += b * (solver.y[row] - solver.flat[row] * fy / ff);
        }
        // A column that is itself flat can't tell the two apart.
        if bb > 1e-9 { by / math::sqrt(bb) } else { 0.0 }
    }

    fn detection(&self, blob: &Blob, strength: f64, solver: &Solver) -> Detection {
        let mut position_m = blob.centre_m;
        let mut covariance = self.fisher_covariance(blob.voxel, strength, solver);
        for r in 0..3 {
            for c in 0..3 {
                covariance.0[r][c] += blob.spread_m2[r][c];
            }
            // Uniform within a voxel.
            covariance.0[r][r] += self.grid.pitch_m[r] * self.grid.pitch_m[r] / 12.0;
        }
        if !self.height_observed {
            let sigma_m = self.config.body_centre_sigma_m;
            let ceiling_m = self.grid.origin_m[2] + self.grid.pitch_m[2] * f64::from(self.grid.counts[2]);
            position_m[2] =
                math::min_f64(self.grid.origin_m[2] + self.config.body_centre_height_m, ceiling_m);
            for k in 0..2 {
                covariance.0[k][2] = 0.0;
                covariance.0[2][k] = 0.0;
            }
            covariance.0[2][2] = sigma_m * sigma_m;
        }
        Detection { position_m, covariance_m2: covariance.symmetrised().0, strength }
    }

    /// Covariance of the position from the curvature of the misfit (inverse Fisher information, amplitude unknown).
    ///
    /// A lone source of amplitude α at p gives `y_l = α a_l(p)`. With `h = a/‖a‖` the information on p is
    /// `J = α² Σ_l ∇a_l ∇a_lᵀ − (α Σ h_l ∇a_l)(…)ᵀ`; `α‖a‖` is the strength. It is divided by the reduced χ² of the
    /// residual where that exceeds 1, so a scene that the model explains badly gives a wide covariance; the room (and
    /// for height the body's prior) bounds what no link measures.
    fn fisher_covariance(&self, voxel: usize, strength: f64, solver: &Solver) -> Matrix<3, 3> {
        let norm = solver.norm[voxel];
        let (mut information, mut along) = ([[0.0; 3]; 3], [0.0; 3]);
        let mut misfit = 0.0;
        if norm > 0.0 {
            let alpha = strength / norm;
            for row in 0..solver.rows() {
                let mut slope = [0.0; 3];
                for (axis, s) in slope.iter_mut().enumerate() {
                    *s = alpha * self.slope(voxel, axis, row, solver);
                }
                let h = solver.entry(row, voxel);
                for r in 0..3 {
                    along[r] += h * slope[r];
                    for c in 0..3 {
                        information[r][c] += slope[r] * slope[c];
                    }
                }
                misfit += solver.residual[row] * solver.residual[row];
            }
        }
        // Two coordinates and an amplitude are fitted.
        let freedom =
            math::max_f64(1.0, self.paths as f64 - 3.0) * solver.rows() as f64 / self.paths.max(1) as f64;
        let scale = 1.0 / math::max_f64(1.0, misfit / math::max_f64(1.0, freedom));
        for r in 0..3 {
            for c in 0..3 {
                information[r][c] = (information[r][c] - along[r] * along[c]) * scale;
            }
            let side_m = self.grid.pitch_m[r] * f64::from(self.grid.counts[r]);
            let sigma_m = self.config.body_centre_sigma_m;
            information[r][r] += if r == 2 { 1.0 / (sigma_m * sigma_m) } else { 12.0 / (side_m * side_m) };
        }
        match Matrix(information).symmetrised().cholesky() {
            Some(factor) => factor.solve_matrix(&Matrix::identity()),
            // Only rounding can take positive definiteness away from a sum of squares and a prior.
            None => Matrix::diagonal([0, 1, 2].map(|r| {
                let side_m = self.grid.pitch_m[r] * f64::from(self.grid.counts[r]);
                side_m * side_m / 12.0
            })),
        }
    }

    /// Slope of the whitened weight of a link along an axis, per metre, from the neighbouring voxels that are
    /// observed.
    fn slope(&self, voxel: usize, axis: usize, row: usize, solver: &Solver) -> f64 {
        let stride = [1, self.sides().0, self.sides().0 * self.sides().1][axis];
        let position = self.grid.coordinates(voxel)[axis];
        let weight = |v: usize| solver.entry(row, v) * solver.norm[v];
        let is_observed = |v: &usize| solver.norm[*v] > 0.0;
        let below = (position > 0).then(|| voxel - stride).filter(is_observed).unwrap_or(voxel);
        let above = (position + 1 < usize::from(self.grid.counts[axis]))
            .then(|| voxel + stride)
            .filter(is_observed)
            .unwrap_or(voxel);
        let steps = (above - below) / stride;
        if steps == 0 {
            0.0
        } else {
            (weight(above) - weight(below)) / (steps as f64 * self.grid.pitch_m[axis])
        }
    }
}

#[cfg(test)]
mod tests {
    //! Guards the maps: layer by layer and with tabled weights, they are what each cell gives on its own.
    use super::*;

    #[test]
    fn the_plan_map_is_its_scalar_twin() {
        let config = Config::default();
        let grid = VoxelGrid { origin_m: [0.0; 3], pitch_m: [0.5, 0.25, 1.0], counts: [9, 7, 3] };
        let scene = Scene { config: &config, grid: &grid, height_observed: false, paths: 6 };
        let (nx, ny) = scene.sides();
        let voxels = grid.voxel_count();
        let tiny = f64::from_bits(1);
        // Subnormals, signed zeros, huge ratios, all alike, one odd.
        let kinds: [&dyn Fn(usize) -> f64; 5] = [
            &|v| tiny * (v % 7) as f64,
            &|v| [-0.0, 0.0, 0.0][v % 3],
            &|v| [1e-200, 1e200, 1.0, -0.0, 1e16][v % 5],
            &|_| 0.1,
            &|v| if v == 77 { 1e16 } else { 0.1 },
        ];
        for (kind, value) in kinds.iter().enumerate() {
            let u: Vec<f64> = (0..voxels).map(value).collect();
            let mut maps = Maps::new(&grid);
            scene.project(&u, &mut maps);
            let plan = |x: usize, y: usize| {
                let mut total = 0.0;
                for z in 0..3 {
                    total += u[grid.index(x, y, z)];
                }
                total
            };
            let weight = |steps: usize, axis: usize| {
                let z = steps as f64 * grid.pitch_m[axis] / config.smoothing_m;
                math::exp(-0.5 * z * z)
            };
            let half = |x: usize, y: usize| {
                let mut total = 0.0;
                for k in 0..nx {
                    total += weight(k.abs_diff(x), 0) * plan(k, y);
                }
                total
            };
            for (x, y) in (0..nx * ny).map(|cell| (cell % nx, cell / nx)) {
                let mut smooth = 0.0;
                for k in 0..ny {
                    smooth += weight(k.abs_diff(y), 1) * half(x, k);
                }
                assert_eq!(maps.smooth[y * nx + x].to_bits(), smooth.to_bits(), "kind {kind}, cell {x}, {y}");
            }
        }
    }
}
