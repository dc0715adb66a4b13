//! What can be set.

wavewitness_types::stage_config! {
    /// Presence, count and the world graph.
    pub struct Config in "world" {
        /// Presence is unknown when no frame arrived for this long, s.
        silence_s: f64 = 2.0, 0.1, 60.0;
        /// Designed false-alarm rate of one link's detectors together, per independent look at a quiet channel.
        link_false_alarm: f64 = 0.01, 0.000001, 0.2;
        /// Most that one link may say for presence in one independent look, in nats: e⁻⁴ is the share of outliers
        /// (interference, gain steps) that its quiet statistics know nothing of.
        evidence_cap: f64 = 4.0, 0.5, 20.0;
        /// Looks closer in time than this repeat each other: one cycle's evidence counts by its length over this, s.
        decorrelation_s: f64 = 0.4, 0.01, 10.0;
        /// Links count as this many independent ones at most.
        max_independent_links: f64 = 8.0, 1.0, 64.0;
        /// Mean time that somebody moves before keeping still, s (basis: motion).
        mean_moving_s: f64 = 20.0, 0.5, 86400.0;
        /// Mean time that nobody moves, s (basis: motion).
        mean_still_s: f64 = 300.0, 0.5, 86400.0;
        /// Mean time that the room is occupied, s (basis: empty room).
        mean_occupied_s: f64 = 600.0, 0.5, 604800.0;
        /// Mean time that the room is vacant, s (basis: empty room).
        mean_vacant_s: f64 = 1800.0, 0.5, 604800.0;
        /// No probability of presence below this or above one minus this is claimed.
        probability_floor: f64 = 0.002, 0.000001, 0.1;
        /// "Present" begins at this probability …
        on_probability: f64 = 0.75, 0.5, 0.999;
        /// … and ends at this.
        off_probability: f64 = 0.25, 0.001, 0.5;
        /// A link's look for breathing counts for this long, s: links take turns.
        breathing_hold_s: f64 = 30.0, 1.0, 600.0;
        /// Probability that noise gives the room a rate, per independent window.
        breathing_false_alarm: f64 = 0.002, 0.000001, 0.1;
        /// A link supports a person if it was disturbed within this time, s.
        support_s: f64 = 1.0, 0.05, 60.0;
        /// And if its path by way of the person is longer than the direct one by no more than this, m.
        support_excess_m: f64 = 1.0, 0.05, 20.0;
    }
}
