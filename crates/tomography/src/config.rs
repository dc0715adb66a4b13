//! The stage's parameters.

wavewitness_types::stage_config! {
    /// How links become an image and an image becomes detections. The cost grows with links times voxels: the default
    /// grid takes about 0.1 ms with 12 links, 32 × 32 × 8 voxels with 56 links take 25 ms, beyond the cycle's budget.
    pub struct Config in "tomography" {
        /// Voxels along the room's x axis.
        voxels_x: u32 = 8, 2, 32;
        /// Voxels along the room's y axis.
        voxels_y: u32 = 8, 2, 32;
        /// Voxels from floor to ceiling.
        voxels_z: u32 = 4, 1, 8;
        /// Excess path in metres over which a link's response to a mover falls by e. Wide, because the evidence is the
        /// logarithm of a scattered power.
        motion_decay_m: f64 = 2.0, 0.05, 10.0;
        /// Excess path in metres over which a body's shadow falls by e. Narrow, because a shadow needs the direct path.
        shadowing_decay_m: f64 = 0.3, 0.05, 10.0;
        /// Regularisation as a share of the strongest voxel's correlation; below the noise floor the floor is taken.
        lambda_ratio: f64 = 0.4, 0.01, 0.95;
        /// Factor on the regularisation that noise alone demands (universal threshold).
        noise_factor: f64 = 1.1, 0.5, 10.0;
        /// Most iterations of the solver, for each image.
        max_iterations: u32 = 100, 1, 100;
        /// Violation of the optimality condition, relative to the regularisation, at which the solver stops.
        tolerance: f64 = 0.02, 0.00001, 0.2;
        /// Links with evidence below which the stage abstains.
        min_links: u32 = 6, 3, 64;
        /// Distinct transmitter-receiver segments below which the stage abstains: both directions of a link are one.
        min_paths: u32 = 5, 3, 64;
        /// Radius in metres (1 sigma) over which voxels are taken together before peaks are looked for.
        smoothing_m: f64 = 0.6, 0.1, 3.0;
        /// A peak must exceed the mean of the cells around it by this factor.
        cfar_factor: f64 = 3.0, 1.0, 100.0;
        /// A peak must exceed the noise of the evidence by this many standard deviations.
        min_strength_sigma: f64 = 6.0, 2.0, 100.0;
        /// Its response to what is not common to all links must exceed this many: a rise of all links alike is nobody.
        min_contrast_sigma: f64 = 2.5, 0.0, 100.0;
        /// Standard deviation of a position along an axis in units of √(room area / distinct paths): the error of the model
        /// itself, which lasts as long as a person stays in one place and so does not average out over cycles.
        model_error_cells: f64 = 0.65, 0.0, 3.0;
        /// Most detections in a cycle.
        max_detections: u32 = 8, 1, 16;
        /// Detections closer than this in plan are one, in metres.
        min_separation_m: f64 = 1.0, 0.2, 5.0;
        /// Height in metres over which the antennas must be spread for a detection's height to be measured at all.
        min_height_spread_m: f64 = 0.8, 0.1, 10.0;
        /// Height of a body's centre above the floor in metres, reported where height can't be measured.
        body_centre_height_m: f64 = 1.0, 0.2, 2.0;
        /// Standard deviation in metres of that height.
        body_centre_sigma_m: f64 = 0.5, 0.5, 3.0;
    }
}
