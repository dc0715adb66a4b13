//! What can be set.

wavewitness_types::stage_config! {
    /// Sparse impulse response.
    pub struct Config in "cir" {
        /// Regularisation relative to the largest correlation of the data with one delay: paths weaker than about this
        /// (in amplitude) are not reported. Where a single path at 10 dB per tone leaves noise out.
        lambda_ratio: f64 = 0.1, 0.01, 0.9;
        /// Where the noise is known, the regularisation is at least what noise alone exceeds with this probability.
        noise_false_alarm: f64 = 0.05, 1e-6, 0.5;
        /// Delay bins per resolution cell, 1 / (tones x spacing).
        oversampling: u32 = 3, 1, 6;
        /// Earliest delay of the window, in nanoseconds from the alignment's origin.
        delay_min_ns: f64 = -300.0, -1500.0, 0.0;
        /// Latest delay of the window, in nanoseconds from the alignment's origin.
        delay_max_ns: f64 = 500.0, 50.0, 1500.0;
        /// Most iterations of the solver.
        max_iterations: u32 = 1000, 10, 10000;
        /// How far the optimality condition may be missed at the end, relative to the regularisation.
        tolerance: f64 = 1e-3, 1e-6, 0.1;
    }
}
