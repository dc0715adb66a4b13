//! What can be set.

wavewitness_types::stage_config! {
    /// The tracker of people.
    pub struct Config in "pose" {
        /// Spectral density of a body's horizontal acceleration, m²/s³ (turns of about 1 m/s² over half a second).
        acceleration_psd: f64 = 0.5, 0.001, 50.0;
        /// The same, vertically.
        vertical_acceleration_psd: f64 = 0.05, 0.0001, 50.0;
        /// One sigma of a new track's unknown horizontal velocity along each axis, m/s.
        birth_speed_sigma_m_s: f64 = 1.0, 0.05, 5.0;
        /// The same, vertically.
        birth_vertical_speed_sigma_m_s: f64 = 0.3, 0.01, 5.0;
        /// Largest squared Mahalanobis distance of a measurement that may belong to a track (11.345: 99 % of χ² with
        /// three degrees of freedom).
        gate_distance2: f64 = 11.345, 3.0, 30.0;
        /// Probability that an image shows a person who is there.
        detection_probability: f64 = 0.9, 0.1, 0.999;
        /// False detections per image and cubic metre.
        clutter_per_m3: f64 = 0.002, 0.000001, 1.0;
        /// Images closer in time than this repeat each other: one cycle's evidence counts by its length over this, s.
        decorrelation_s: f64 = 0.25, 0.001, 10.0;
        /// Mean time that somebody stays, s.
        mean_stay_s: f64 = 600.0, 1.0, 100000.0;
        /// Probability that an unexplained detection is a new person.
        birth_existence: f64 = 0.1, 0.001, 0.9;
        /// A track is confirmed only at this probability of existence.
        confirm_existence: f64 = 0.9, 0.5, 0.9999;
        /// A track is deleted below this probability of existence.
        delete_existence: f64 = 0.02, 0.0001, 0.5;
        /// A track is confirmed when measured this often …
        confirm_hits: u32 = 4, 1, 32;
        /// … within this number of images.
        confirm_window: u32 = 8, 1, 32;
        /// A track not confirmed by this age, nor by `confirm_window` images, is deleted, s.
        confirm_within_s: f64 = 2.0, 0.1, 30.0;
        /// A track not measured for this long is deleted, s.
        coast_s: f64 = 2.0, 0.1, 10.0;
        /// A track whose position is less certain than this along a horizontal axis is deleted, m.
        max_sigma_m: f64 = 2.0, 0.1, 20.0;
        /// New tracks per cycle at most.
        births_per_cycle: u32 = 2, 1, 8;
        /// Nobody new begins closer than this to a track: one body often makes two peaks, m.
        separation_m: f64 = 0.5, 0.0, 5.0;
        /// Who is confirmed so soon after somebody was lost, and near enough, is taken for him, s; 0: nobody is.
        return_s: f64 = 8.0, 0.0, 60.0;
        /// How fast somebody may have moved meanwhile, m/s.
        return_speed_m_s: f64 = 0.4, 0.0, 5.0;
        /// How far outside the room a track may be, m.
        room_margin_m: f64 = 0.5, 0.0, 10.0;
        /// Slower than this a walk does not tell where a body faces, m/s.
        heading_speed_m_s: f64 = 0.3, 0.05, 3.0;
        /// Nor if the speed is less than this many of its sigmas.
        heading_sigmas: f64 = 3.0, 1.0, 10.0;
        /// How soon somebody who stands turns: growth of the heading's variance, rad²/s.
        turn_psd: f64 = 0.02, 0.0, 10.0;
        /// The same of whom another stage follows, which may miss that he walks off, rad²/s.
        followed_turn_psd: f64 = 2.0, 0.0, 100.0;
        /// Mean stature, m (adults of both sexes).
        stature_m: f64 = 1.7, 0.5, 2.5;
        /// One sigma of stature, m (ANSUR II, Gordon et al. 2014: 1.756 ± 0.069 m of men, 1.629 ± 0.064 m of women; half
        /// of each is 1.693 ± 0.092 m).
        stature_sigma_m: f64 = 0.092, 0.0, 0.5;
    }
}
