//! What can be set.

wavewitness_types::stage_config! {
    /// Postures and falls of a room.
    pub struct Config in "posture" {
        /// Whether postures and falls are looked for.
        enabled: bool = true, false, true;
        /// Evidence of a fall, in nats, from which on one is told.
        fall_evidence: f64 = 6.0, 0.0, 50.0;
        /// Squared mean departure of the channel from the empty room's, in units of its noise, below which nobody is
        /// there: nobody falls who went out. Who lies on the floor of a room with few reflections has 0.05 to 3.4, of one with many 0.8
        /// and more (simulated).
        least_departure: f64 = 0.1, 0.0, 100.0;
        /// Mean squared change of the channel over a cycle's time in the last 0.3 s, in units of its noise, above which nobody lies
        /// still: who moves on has not fallen. Who fell in a simulated room was at 0 (192 falls).
        most_change: f64 = 0.5, 0.0, 100.0;
        /// After a fall another one is told no sooner than this, s.
        apart_s: f64 = 5.0, 0.5, 600.0;
        /// How long a fall is published, s.
        told_s: f64 = 60.0, 1.0, 3600.0;
        /// A posture is published from this probability on.
        known_probability: f64 = 0.8, 0.3, 0.999;
        /// The same of sitting, which is taken for standing and for lying more than these are for anything.
        known_sitting: f64 = 0.95, 0.3, 0.999;
    }
}
