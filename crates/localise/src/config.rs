//! What can be set.

wavewitness_types::stage_config! {
    /// The follower of walkers.
    pub struct Config in "localise" {
        /// Whether it runs at all. Two people are mostly shown as one, and it takes a cabinet that slides, or a machine that turns
        /// while somebody is there, for a walker.
        enabled: bool = true, false, true;
        /// Wavelength of the carrier, m (0.123: channel 6).
        wavelength_m: f64 = 0.123, 0.03, 0.4;
        /// What the antennas radiate, dBm; an error of it is one of the cross-section, which is estimated.
        transmit_dbm: f64 = 15.0, -10.0, 30.0;
        /// Particles of each person at most: who is known well needs fewer.
        particles: u32 = 2000, 50, 5000;
        /// Particles of the search for somebody else.
        search: u32 = 400, 50, 5000;
        /// Particles that one cycle weighs; a window is worked off over as many cycles as it takes.
        per_cycle: u32 = 125, 10, 20000;
        /// So many for each path, if that is more: many paths show many people, each of whom has to be asked in every window.
        per_path: u32 = 20, 0, 1000;
        /// Time between two windows of a second, s, if the particles are weighed by then.
        update_s: f64 = 0.25, 0.05, 1.0;
        /// Power of the log-likelihood for each second since the window before: bins of a Hann window are correlated, and the model is
        /// rough.
        temper: f64 = 0.4, 0.001, 10.0;
        /// Power of the log-likelihood of what stands in the way of rays, where its reading is new. 0: it isn't asked.
        shadow: f64 = 1.0, 0.0, 10.0;
        /// What of a second a line is spread over by how fast its rate grows, s: shifts within that are taken as equally probable.
        sweep_s: f64 = 0.4, 0.0, 1.0;
        /// Power of the fringes of the rays that somebody passes, over that of the model. 0: none are expected.
        fringes: f64 = 1.0, 0.0, 10.0;
        /// Share of the background's estimate that is taken: the rest of it are people's limbs and echoes.
        background: f64 = 0.7, 0.0, 2.0;
        /// Rays of a path whose phases are learnt, at most: the strongest of those of up to four reflections. Memory grows with them.
        rays: u32 = 129, 1, 129;
        /// Power reflected by a wall.
        wall_power: f64 = 0.25, 0.0, 1.0;
        /// Share of a line's power that is found in each bin anywhere.
        floor_share: f64 = 0.05, 0.0, 0.5;
        /// Height of the middle of what scatters, m above the floor.
        scatter_height_m: f64 = 1.15, 0.2, 2.5;
        /// Height of a body's centre, m above the floor: nothing is measured of it.
        centre_height_m: f64 = 0.9, 0.1, 2.0;
        /// Its standard deviation.
        centre_height_sd_m: f64 = 0.2, 0.01, 1.0;
        /// ln of a body's cross-section in m².
        ln_section: f64 = -0.8, -4.0, 3.0;
        /// Its standard deviation.
        ln_section_sd: f64 = 0.6, 0.0, 3.0;
        /// How often a walker turns anywhere, 1/s.
        turn_hz: f64 = 0.8, 0.0, 10.0;
        /// How often somebody who stands is tried as a walker, 1/s, where frames are wider than 20 MHz: more often than people begin to walk,
        /// since who is taken to stand where nobody is is found elsewhere only by walking. Elsewhere `turn_hz` counts for him, too.
        wide_start_hz: f64 = 1.6, 0.0, 10.0;
        /// How often he stops, 1/s.
        stop_hz: f64 = 0.12, 0.0, 10.0;
        /// Standard deviation of a velocity at random, m/s an axis.
        speed_m_s: f64 = 0.7, 0.1, 3.0;
        /// What a velocity wanders in a second, m/s.
        wander_m_s: f64 = 0.18, 0.0, 2.0;
        /// What a place wanders, m.
        wander_m: f64 = 0.045, 0.0, 1.0;
        /// How often a particle begins anew anywhere, 1/s.
        lost_hz: f64 = 0.045, 0.0, 5.0;
        /// Time between two searches for somebody else where nobody else is likely, s …
        search_s: f64 = 1.0, 0.0, 1.0;
        /// … which is up to this probability.
        search_chance: f64 = 0.5, 0.0, 1.0;
        /// Share of what the search sees that is kept from those who are known.
        search_share: f64 = 0.7, 0.0, 1.0;
        /// Evidence in nats that somebody else is there …
        proof: f64 = 45.0, 0.1, 1000.0;
        /// … the same of a second one where frames are wider than 20 MHz: a reading tells more …
        wide_proof: f64 = 10.0, 0.1, 1000.0;
        /// … and so many times more as the count says that nobody else is, by the probability of that …
        uncounted: f64 = 10.0, 0.0, 1000.0;
        /// … or for the first, of whom presence speaks already …
        first_proof: f64 = 3.0, 0.1, 1000.0;
        /// … who is known to this, m.
        proof_sd_m: f64 = 1.2, 0.05, 10.0;
        /// Who is found is shown once his mean velocities have added up to this way, m.
        travel_m: f64 = 0.6, 0.0, 10.0;
        /// Who moves and whose own evidence is less than this, in nats, is somebody else seen twice.
        disproof: f64 = -2.0, -1000.0, 0.0;
        /// Nobody new begins closer than this to somebody, m.
        apart_m: f64 = 0.8, 0.0, 5.0;
        /// What a second forgets of the evidence.
        forget_hz: f64 = 0.11, 0.0, 10.0;
        /// Somebody whom nothing has shown for so long is gone, if others are there, s.
        patience_s: f64 = 60.0, 1.0, 36000.0;
        /// Mean time that somebody stays who is not shown, s.
        stay_s: f64 = 600.0, 1.0, 100000.0;
        /// Added to the deviation of each axis, m.
        least_sd_m: f64 = 0.07, 0.0, 2.0;
        /// Factor on the deviation: what the model lacks …
        inflation: f64 = 0.5, 0.1, 10.0;
        /// … and what is added to it where somebody is there who isn't followed, by the probability of that: he moves the others.
        unseen: f64 = 0.85, 0.0, 10.0;
    }
}

impl Config {
    /// Particles that a cycle weighs among so many paths.
    pub(crate) fn share(&self, paths: usize) -> usize {
        self.per_cycle.max(self.per_path * paths as u32) as usize
    }

    /// Evidence in nats that somebody else is to be shown by, beside so many others, where all frames are wide or not; `more`: probability,
    /// by the count, that somebody is there whom nobody follows.
    pub(crate) fn wanted(&self, beside: usize, is_wide: bool, more: f64) -> f64 {
        let doubted = 1.0 + self.uncounted * (1.0 - more);
        match beside {
            0 => self.first_proof,
            1 if is_wide => self.wide_proof * doubted,
            _ => self.proof * doubted,
        }
    }
}

#[cfg(test)]
mod tests {
    //! Guards what more paths and the count change.
    use super::*;

    #[test]
    fn who_is_not_counted_has_to_show_more() {
        let config =
            Config { proof: 40.0, wide_proof: 8.0, uncounted: 10.0, first_proof: 3.0, ..Config::default() };
        for (beside, is_wide) in [(1, false), (2, false), (2, true)] {
            let wanted = [1.0, 0.5, 0.0].map(|more| config.wanted(beside, is_wide, more));
            assert_eq!(wanted, [40.0, 240.0, 440.0]);
        }
        assert_eq!([1.0, 0.5, 0.0].map(|more| config.wanted(1, true, more)), [8.0, 48.0, 88.0]);
        assert_eq!(
            [1.0, 0.0].map(|more| config.wanted(0, true, more)),
            [3.0, 3.0],
            "presence speaks for him"
        );
    }

    #[test]
    fn more_paths_take_more_particles() {
        let config = Config { per_cycle: 125, per_path: 20, ..Config::default() };
        assert_eq!([3, 6, 11, 12, 28].map(|paths| config.share(paths)), [125, 125, 220, 240, 560]);
    }
}
