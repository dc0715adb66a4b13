//! Configuration of the stage.

wavewitness_types::stage_config! {
    /// How frames without a MAC are told apart. Distances are incoherences, `1 − |ρ|²`, 0..=1.
    pub struct Config in "links" {
        /// Ambient links that are followed at once for one node and layout.
        max_ambient_links: u32 = 6, 1, 6;
        /// Unexplained frames that must look alike before a link is born.
        birth_frames: u32 = 12, 4, 32;
        /// Greatest distance between the frames that found a link.
        birth_radius: f64 = 0.15, 0.001, 0.5;
        /// Unexplained frames older than this are forgotten, in seconds.
        birth_window_s: f64 = 20.0, 1.0, 600.0;
        /// Unexplained frames are collected for this long before they found a link, in seconds.
        learn_s: f64 = 2.0, 0.0, 60.0;
        /// A new link's distance from every other must be this many times the spread of either.
        birth_separation: f64 = 2.5, 1.0, 20.0;
        /// A frame fits a link if its distance is below this many times the link's usual distance.
        gate_ratio: f64 = 4.0, 1.5, 20.0;
        /// The gate is never narrower than this distance: int8 rounding and thermal noise.
        gate_min: f64 = 0.01, 0.0001, 0.5;
        /// The gate is never wider than this distance.
        gate_max: f64 = 0.2, 0.001, 0.9;
        /// A frame on a link's beacon schedule may be this far from its shape: somebody moved.
        beacon_gate: f64 = 0.3, 0.0, 0.9;
        /// A frame's distance from its link must be below this part of its distance from the next.
        rival_ratio: f64 = 0.6, 0.05, 1.0;
        /// Weight of a new frame in its link's shape.
        shape_rate: f64 = 0.15, 0.005, 1.0;
        /// Weight of a new frame in its link's usual distance.
        spread_rate: f64 = 0.05, 0.001, 1.0;
        /// Nominal beacon interval in time units of 1.024 ms.
        beacon_period_tu: u32 = 100, 10, 1000;
        /// Part of a link's frames in the beacon window from which it counts as a schedule (chance: 0.075).
        beacon_share: f64 = 0.25, 0.1, 1.0;
        /// Two links nearer than this part of their spread are one, if it lasts.
        merge_ratio: f64 = 1.0, 0.0, 2.0;
        /// How long they must be that near, in seconds.
        merge_hold_s: f64 = 5.0, 0.1, 600.0;
        /// A link silent for this long gives up its place when another is found, in seconds.
        silence_s: f64 = 300.0, 1.0, 86400.0;
    }
}
