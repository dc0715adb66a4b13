//! A particle filter over place and velocity of one body.

use crate::Config;
use crate::abreast::Readings;
use crate::path::{self, Path, READ_S, READINGS};
use crate::phase::{Loss, Lost};
use crate::proposal;
use crate::rays::MOST_RAYS;
use crate::sequence::Sequence;
use crate::shade::{MOST_CELLS, Shadow};
use crate::spectrum::{Covariance, Scatter, Sight};
use crate::window::LENGTH_S;
use wavewitness_num::math;
use wavewitness_types::Room;

/// Particles that a body's spectrum and shadow are averaged over for the others.
const SPECTRUM_PARTICLES: usize = 16;
/// So many particles are carried at most for each that is weighed by its windows, of which there are no more than these: while phases
/// are learnt, since with fewer some begin in wrong places, and once they are known, when more windows tell more.
const SIEVE: usize = 8;
const MOST_KEPT: [f64; 2] = [400.0, 160.0];
/// Factor on the particles of [`Filter::enough`].
const PLENTY: usize = 4;
/// Nobody is closer to a wall, m.
const WALL_M: f64 = 0.15;
/// Slower is standing, m/s.
const STANDING_M_S: f64 = 0.02;
/// What is believed of a standing body wanders by so much of that: it is held, but grows old.
const STANDING_SHARE: f64 = 0.7;
/// Cells of a side of the room, and least length of one, m: what particles are counted in.
const CELLS: usize = 64;
const CELL_M: f64 = 0.2;
/// ε and the normal's quantile of [`Filter::enough`].
const DIVERGENCE: f64 = 0.05;
const UPPER_1_PERCENT: f64 = 2.326;
/// Share of its departure that ln of the cross-section loses in an update.
const SECTION_PULL: f64 = 0.02;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Particle {
    pub at_m: [f64; 2],
    pub velocity_m_s: [f64; 2],
    pub ln_section: f64,
    /// Weight, normalised after each update.
    pub weight: f64,
    /// Where it was when the last windows were read, by their number.
    trail: [[f32; 2]; READINGS],
}

impl Particle {
    fn is_standing(&self) -> bool {
        self.velocity_m_s[0].abs() + self.velocity_m_s[1].abs() < STANDING_M_S
    }

    /// Where it was in the middle of what is read.
    fn read_m(&self) -> [f64; 2] {
        [0, 1].map(|k| self.at_m[k] - 0.5 * READ_S * self.velocity_m_s[k])
    }

    /// Goes on with another velocity since some time within the window: it is seen late.
    fn turn(&mut self, velocity_m_s: [f64; 2], sequence: &mut Sequence) {
        let since_s = LENGTH_S * sequence.uniform();
        for k in 0..2 {
            self.at_m[k] += since_s * (velocity_m_s[k] - self.velocity_m_s[k]);
        }
        self.velocity_m_s = velocity_m_s;
    }
}

/// Mean and covariance of x, y and their velocities.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate {
    pub mean: [f64; 4],
    pub covariance: [[f64; 4]; 4],
    /// Probability that the body stands.
    pub standing: f64,
}

impl Estimate {
    pub fn distance_m(&self, other: &Estimate) -> f64 {
        math::hypot(self.mean[0] - other.mean[0], self.mean[1] - other.mean[1])
    }

    /// Root mean square of the place's standard deviations.
    pub fn sd_m(&self) -> f64 {
        math::sqrt(0.5 * (self.covariance[0][0] + self.covariance[1][1]))
    }
}

/// Of a cell: the weight of the particles in it, and the readings' log-likelihood.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    weight: f64,
    log: f64,
}

/// Places of a body, as probable as each other.
pub(crate) type Sample = [[f64; 2]; SPECTRUM_PARTICLES];

#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub particles: Vec<Particle>,
    spare: Vec<Particle>,
    logs: Vec<f64>,
    /// Of what stands in the way: it says where, not whether. By particle, and by cell where it is computed.
    shades: Vec<f64>,
    map: Vec<Option<Asked>>,
    readings: Readings,
    sections_m2: Vec<f64>,
    /// Of the last finished update.
    pub estimate: Estimate,
    /// What it shows to others, by path.
    pub spectrum: Vec<Covariance>,
    /// Cells that were asked at its last begin.
    pub asked: usize,
    /// How much better the readings were explained with this body than without at its last begin, nats.
    pub seen: f64,
    /// The newest window of its particles' trails.
    newest: usize,
}

/// What is the same for all filters in an update.
pub(crate) struct Surroundings<'a> {
    pub config: &'a Config,
    pub room: &'a Room,
    pub paths: &'a [Path],
    pub scatter: Scatter,
}

impl Surroundings<'_> {
    pub fn sight<'a>(&self, path: &'a Path) -> Option<Sight<'a>> {
        let scale = path.scattered(self.config).filter(|_| path.window.known)?;
        Some(Sight {
            ends: [&path.ends[0], &path.ends[1]],
            direct_m: path.direct_m,
            scale,
            steering: &path.gauge.table,
            shade: &path.shade,
        })
    }

    /// Sets `out` to `other` and the lines of a particle of a cross-section, as it was in the window's middle.
    pub fn lines(
        &self,
        sight: &Sight<'_>,
        path: &Path,
        (p, section_m2): (&Particle, f64),
        other: &Covariance,
        out: &mut Covariance,
    ) {
        let back_s = 0.5 * LENGTH_S;
        let at_m = [
            p.at_m[0] - back_s * p.velocity_m_s[0],
            p.at_m[1] - back_s * p.velocity_m_s[1],
            self.room.min_m[2] + self.config.scatter_height_m,
        ];
        sight.lines(&path.window, &self.scatter, at_m, p.velocity_m_s, section_m2, other, out);
    }
}

impl Filter {
    pub fn new(most: usize, paths: usize) -> Filter {
        Filter {
            particles: Vec::with_capacity(most),
            spare: Vec::with_capacity(most),
            logs: Vec::with_capacity(most),
            shades: Vec::with_capacity(most),
            map: Vec::with_capacity(MOST_CELLS),
            readings: Readings::new(),
            sections_m2: Vec::with_capacity(most),
            estimate: Estimate::default(),
            spectrum: vec![Covariance::zero(); paths],
            asked: 0,
            seen: 0.0,
            newest: 0,
        }
    }

    /// Begins anew: anywhere.
    pub fn scatter(
        &mut self,
        count: usize,
        config: &Config,
        room: &Room,
        paths: &[Path],
        sequence: &mut Sequence,
    ) {
        self.particles.clear();
        let share = 1.0 / count as f64;
        self.particles.extend((0..count).map(|_| anywhere(config, room, paths, share, sequence)));
    }

    pub fn predict(
        &mut self,
        dt_s: f64,
        config: &Config,
        room: &Room,
        paths: &[Path],
        sequence: &mut Sequence,
    ) {
        // So much keeps the deviation that sections are drawn with.
        let section_step = config.ln_section_sd * math::sqrt(SECTION_PULL * (2.0 - SECTION_PULL));
        let chance_of = |rate_hz: f64| 1.0 - math::exp(-rate_hz * dt_s);
        let (lost, stop) = (chance_of(config.lost_hz), chance_of(config.stop_hz));
        let start_hz = if path::are_wide(paths) { config.wide_start_hz } else { config.turn_hz };
        let (start, turn) = (chance_of(start_hz), chance_of(config.turn_hz));
        let root_s = math::sqrt(dt_s);
        for p in &mut self.particles {
            let chance = sequence.uniform();
            let standing = p.is_standing();
            let turn = if standing { start } else { turn };
            if chance < lost {
                *p = anywhere(config, room, paths, p.weight, sequence);
            } else if chance < lost + turn {
                p.turn(suggest(config, room, paths, p.at_m, sequence), sequence);
            } else if chance < lost + turn + stop {
                p.turn([0.0; 2], sequence);
            } else if !standing {
                for v in &mut p.velocity_m_s {
                    *v += root_s * config.wander_m_s * sequence.normal();
                }
            }
            let wander_m = root_s * if standing { STANDING_SHARE * config.wander_m } else { config.wander_m };
            for k in 0..2 {
                p.at_m[k] += dt_s * p.velocity_m_s[k] + wander_m * sequence.normal();
                let (low, high) = (room.min_m[k] + WALL_M, room.max_m[k] - WALL_M);
                if p.at_m[k] < low {
                    (p.at_m[k], p.velocity_m_s[k]) = (low, p.velocity_m_s[k].abs());
                } else if p.at_m[k] > high {
                    (p.at_m[k], p.velocity_m_s[k]) = (high, -p.velocity_m_s[k].abs());
                }
            }
            let pull = config.ln_section - p.ln_section;
            p.ln_section += SECTION_PULL * pull + section_step * sequence.normal();
        }
    }

    /// Remembers where the particles are while a window is read; they were there in those they missed, too.
    fn remember(&mut self, window: usize) {
        let first = (self.newest + 1).max((window + 1).saturating_sub(READINGS));
        for p in &mut self.particles {
            let at_m = p.read_m().map(|x| x as f32);
            for missed in first..=window {
                p.trail[missed % READINGS] = at_m;
            }
        }
        self.newest = window;
    }

    /// Begins to weigh the particles: by what stands in the way of rays first, which costs little, and `stood`, a log-likelihood of
    /// those that stand. Those that suit it are left to be weighed by their windows. Who stands costs nothing there: where nothing is
    /// new he keeps what is believed of him as it is.
    pub fn begin(
        &mut self,
        around: &Surroundings<'_>,
        shadows: &[Shadow],
        stood: f64,
        window: usize,
        sequence: &mut Sequence,
    ) {
        self.remember(window);
        self.logs.clear();
        (self.asked, self.seen) = (0, 0.0);
        let count = self.particles.len();
        // Who may be anywhere is not found by few: half of what shows the posterior.
        // By the readings of the window before: these are gathered below.
        let most = MOST_KEPT[0] + (MOST_KEPT[1] - MOST_KEPT[0]) * self.readings.trust();
        let kept = (self.enough(around.room) / 2).max(count / SIEVE).min(count / 2).clamp(1, most as usize);
        self.shades.clear();
        self.shades.extend(self.particles.iter().map(|p| if p.is_standing() { stood } else { 0.0 }));
        let new = self.read(around, shadows);
        let fits = take(&mut self.particles, &self.shades).is_some();
        if fits && new || self.particles.iter().filter(|p| !p.is_standing()).count() > kept {
            self.resample(kept, sequence);
            self.merge();
        }
    }

    /// Particles that were drawn more than once become one: they would be weighed alike.
    fn merge(&mut self) {
        self.particles.dedup_by(|next, one| {
            let is_same = next.at_m == one.at_m
                && next.velocity_m_s == one.velocity_m_s
                && next.ln_section == one.ln_section;
            if is_same {
                one.weight += next.weight;
            }
            is_same
        });
    }

    /// Adds to the shades what the readings say. True if they say anything new.
    fn read(&mut self, around: &Surroundings<'_>, shadows: &[Shadow]) -> bool {
        if !self.readings.gather(around.paths, shadows) {
            return false;
        }
        let cells = around.paths[0].shade.cells();
        self.map.clear();
        self.map.resize(cells.count(), None);
        for p in &self.particles {
            self.map[cells.of(p.read_m())].get_or_insert_default().weight += p.weight;
        }
        // In their order, as they lie in memory.
        let mut best = f64::NEG_INFINITY;
        for (cell, asked) in self.map.iter_mut().enumerate() {
            if let Some(asked) = asked {
                asked.log = self.readings.ln_likelihood(around.paths, cell);
                best = math::max_f64(best, asked.log);
                self.asked += 1;
            }
        }
        let mean: f64 = self.map.iter().flatten().map(|cell| cell.weight * math::exp(cell.log - best)).sum();
        let with = best + math::ln(math::max_f64(mean, f64::MIN_POSITIVE));
        self.seen = self.readings.trust() * (with - self.readings.ln_nobody());
        for (p, shade) in self.particles.iter().zip(&mut self.shades) {
            *shade += self.map[cells.of(p.read_m())].unwrap_or_default().log;
        }
        true
    }

    /// Weighs at most so many more particles by their windows, `others` being the spectra of everybody else and of what nothing
    /// explains, and `without` their log-likelihoods. Returns how many were left to weigh. Who stands shows nothing and isn't counted.
    pub fn weigh(
        &mut self,
        around: &Surroundings<'_>,
        others: &[Covariance],
        without: &[f64],
        power: f64,
        most: usize,
    ) -> usize {
        let from = self.logs.len();
        let (mut until, mut walking) = (from, 0);
        while until < self.particles.len() && walking < most {
            walking += usize::from(!self.particles[until].is_standing());
            until += 1;
        }
        self.logs.resize(until, 0.0);
        self.sections_m2.clear();
        self.sections_m2.extend(self.particles[from..until].iter().map(|p| math::exp(p.ln_section)));
        let mut covariance = Covariance::zero();
        for ((path, other), without) in around.paths.iter().zip(others).zip(without) {
            let Some(sight) = around.sight(path) else { continue };
            let particles = self.particles[from..until].iter().zip(self.sections_m2.iter().copied());
            for (particle, log) in particles.zip(&mut self.logs[from..]) {
                // Who stands still shows nothing anywhere: a share of his power would prefer places far from all antennas.
                if particle.0.is_standing() {
                    continue;
                }
                around.lines(&sight, path, particle, other, &mut covariance);
                *log += power * (covariance.ln_likelihood(&path.window) - without);
            }
        }
        walking
    }

    /// True if all particles are weighed.
    pub fn is_weighed(&self) -> bool {
        self.logs.len() == self.particles.len()
    }

    /// Takes the weights in. Returns the logarithm of how much better the windows are explained with this body than without.
    pub fn finish(&mut self, least: usize, most: usize, room: &Room, sequence: &mut Sequence) -> f64 {
        let Some(gained) = take(&mut self.particles, &self.logs) else { return 0.0 };
        let squares: f64 = self.particles.iter().map(|p| p.weight * p.weight).sum();
        self.summarise();
        let wanted = (PLENTY * self.enough(room)).max(least).min(most);
        let count = self.particles.len();
        if squares * count as f64 > 2.0 || wanted > count || 2 * wanted < count {
            self.resample(wanted, sequence);
        }
        gained
    }

    /// How many particles show this posterior (Fox 2003, eq. 7): with k cells occupied, so many that the Kullback-Leibler
    /// distance between them and the posterior is below ε with 99 %.
    fn enough(&self, room: &Room) -> usize {
        let mut cells = [0u64; CELLS];
        let scale = [0, 1]
            .map(|k| CELLS as f64 / math::max_f64(room.max_m[k] - room.min_m[k], CELLS as f64 * CELL_M));
        for p in &self.particles {
            let cell = |k: usize| (((p.at_m[k] - room.min_m[k]) * scale[k]) as usize).min(CELLS - 1);
            cells[cell(1)] |= 1 << cell(0);
        }
        let occupied: u32 = cells.iter().map(|c| c.count_ones()).sum();
        let free = math::max_f64(f64::from(occupied) - 1.0, 1.0);
        let a = 2.0 / (9.0 * free);
        let root = 1.0 - a + math::sqrt(a) * UPPER_1_PERCENT;
        (free / (2.0 * DIVERGENCE) * root * root * root) as usize
    }

    /// Systematic resampling (Kitagawa 1996) to `count` particles.
    fn resample(&mut self, count: usize, sequence: &mut Sequence) {
        let (offset, weight) = (sequence.uniform(), 1.0 / count as f64);
        self.spare.clear();
        self.spare.extend(systematic(&self.particles, count, offset).map(|p| Particle { weight, ..*p }));
        core::mem::swap(&mut self.particles, &mut self.spare);
    }

    fn summarise(&mut self) {
        let state = |p: &Particle| [p.at_m[0], p.at_m[1], p.velocity_m_s[0], p.velocity_m_s[1]];
        let mut e = Estimate::default();
        for p in &self.particles {
            let x = state(p);
            for k in 0..4 {
                e.mean[k] += p.weight * x[k];
            }
            if p.is_standing() {
                e.standing += p.weight;
            }
        }
        for p in &self.particles {
            let x = state(p);
            for r in 0..4 {
                for c in 0..4 {
                    e.covariance[r][c] += p.weight * (x[r] - e.mean[r]) * (x[c] - e.mean[c]);
                }
            }
        }
        self.estimate = e;
    }

    /// Averages what this body shows in the present windows.
    pub fn show(&mut self, around: &Surroundings<'_>) {
        let Filter { particles, spectrum, .. } = self;
        for (path, spectrum) in around.paths.iter().zip(spectrum) {
            *spectrum = Covariance::zero();
            let Some(sight) = around.sight(path) else { continue };
            let none = Covariance::zero();
            let mut lines = Covariance::zero();
            for p in systematic(particles, SPECTRUM_PARTICLES, 0.5).filter(|p| !p.is_standing()) {
                around.lines(&sight, path, (p, math::exp(p.ln_section)), &none, &mut lines);
                spectrum.add(&lines, 1.0 / SPECTRUM_PARTICLES as f32);
            }
        }
    }

    /// Where this body is `ahead_s` after its particles' time, if it is anywhere.
    pub fn sample(&self, ahead_s: f64) -> Option<Sample> {
        let mut out = Sample::default();
        self.particles.first()?;
        for (at_m, p) in out.iter_mut().zip(systematic(&self.particles, SPECTRUM_PARTICLES, 0.5)) {
            *at_m = [0, 1].map(|k| p.at_m[k] + ahead_s * p.velocity_m_s[k]);
        }
        Some(out)
    }

    /// Adds what this body takes of a path's rays while it is read.
    pub fn lose(&self, path: &Path, window: usize, lost: &mut Lost) {
        let (mut mine, mut rest) = ([Loss::default(); MOST_RAYS], Shadow::none());
        let mine = &mut mine[..lost.rays.len()];
        for p in systematic(&self.particles, SPECTRUM_PARTICLES, 0.5) {
            let at_m = p.trail[window % READINGS].map(f64::from);
            path.shade.lost(at_m, 1.0 / SPECTRUM_PARTICLES as f64, mine, &mut rest);
        }
        rest.settle();
        for (sum, loss) in lost.rays.iter_mut().zip(mine) {
            let [re, im] = loss.mean;
            sum.mean[0] += re;
            sum.mean[1] += im;
            sum.sharp += re * re + im * im;
            sum.square += loss.square;
        }
        lost.rest.add(&rest, 1.0);
    }
}

/// So many particles at even steps of the sum of their weights, the first after `offset` of a step.
fn systematic(particles: &[Particle], count: usize, offset: f64) -> impl Iterator<Item = &Particle> {
    let share = 1.0 / count as f64;
    let (mut reached, mut at) = (particles[0].weight, 0);
    (0..count).map(move |r| {
        let wanted = (r as f64 + offset) * share;
        while wanted > reached && at + 1 < particles.len() {
            at += 1;
            reached += particles[at].weight;
        }
        &particles[at]
    })
}

/// Takes logarithms of likelihoods into the weights, which sum to 1 again. Returns the logarithm of the mean likelihood; `None` if
/// nothing fits: then nothing is learnt.
fn take(particles: &mut [Particle], logs: &[f64]) -> Option<f64> {
    let best = logs.iter().fold(f64::NEG_INFINITY, |best, &log| math::max_f64(best, log));
    let mut total = 0.0;
    for (p, log) in particles.iter_mut().zip(logs) {
        p.weight *= math::exp(log - best);
        total += p.weight;
    }
    let fits = total > 1e-300;
    let even = 1.0 / particles.len() as f64;
    particles.iter_mut().for_each(|p| p.weight = if fits { p.weight / total } else { even });
    fits.then(|| math::ln(total) + best)
}

/// A velocity that the spectra suggest to somebody at a place, or one at random where they don't.
fn suggest(
    config: &Config,
    room: &Room,
    paths: &[Path],
    at_m: [f64; 2],
    sequence: &mut Sequence,
) -> [f64; 2] {
    let body_m = [at_m[0], at_m[1], room.min_m[2] + config.scatter_height_m];
    let random = [config.speed_m_s * sequence.normal(), config.speed_m_s * sequence.normal()];
    proposal::velocity(paths, body_m, config.wavelength_m, sequence).unwrap_or(random)
}

fn anywhere(config: &Config, room: &Room, paths: &[Path], weight: f64, sequence: &mut Sequence) -> Particle {
    let mut at_m = [0.0; 2];
    for k in 0..2 {
        let (low, high) = (room.min_m[k] + WALL_M, room.max_m[k] - WALL_M);
        at_m[k] = low + (high - low) * sequence.uniform();
    }
    Particle {
        at_m,
        velocity_m_s: suggest(config, room, paths, at_m, sequence),
        ln_section: config.ln_section + config.ln_section_sd * sequence.normal(),
        weight,
        trail: [[at_m[0] as f32, at_m[1] as f32]; READINGS],
    }
}

#[cfg(test)]
mod tests {
    //! Guards that who was drawn more than once is weighed once, with all of his weight, and how often who stands is tried as a walker.
    use super::*;

    const ROOM: Room = Room { min_m: [0.0; 3], max_m: [6.0, 5.0, 2.6] };

    /// What share of those who stand walks or is elsewhere after a second.
    fn gone_in_a_second(paths: &[Path]) -> f64 {
        let config =
            Config { lost_hz: 0.0, turn_hz: 0.2, wide_start_hz: 1.0, stop_hz: 0.0, ..Config::default() };
        let (mut filter, count) = (Filter::new(4_000, 0), 4_000);
        filter.particles.resize(count, Particle { at_m: [3.0, 2.5], ..Particle::default() });
        filter.predict(1.0, &config, &ROOM, paths, &mut Sequence::new());
        filter.particles.iter().filter(|p| !p.is_standing()).count() as f64 / count as f64
    }

    #[test]
    fn who_stands_is_tried_as_a_walker_more_often_where_frames_are_wide() {
        let mut narrow = Path::along_a_wall();
        narrow.window.known = true;
        for (paths, rate_hz) in [(vec![narrow], 0.2), (vec![], 1.0)] {
            let (gone, expected) = (gone_in_a_second(&paths), 1.0 - math::exp(-rate_hz));
            assert!((gone - expected).abs() < 0.03, "{gone} for {expected}");
        }
    }

    #[test]
    fn who_was_drawn_twice_is_one() {
        let mut filter = Filter::new(8, 0);
        let at = |x: f64, vx: f64| Particle {
            at_m: [x, 1.0],
            velocity_m_s: [vx, 0.0],
            weight: 0.125,
            ..Particle::default()
        };
        let drawn =
            [(1.0, 0.5), (1.0, 0.5), (1.0, 0.6), (2.0, 0.6), (2.0, 0.6), (2.0, 0.6), (1.0, 0.5), (3.0, 0.0)];
        filter.particles.extend(drawn.map(|(x, vx)| at(x, vx)));
        filter.merge();
        let weights: Vec<f64> = filter.particles.iter().map(|p| p.weight).collect();
        assert_eq!(weights, [0.25, 0.125, 0.375, 0.125, 0.125]);
        assert_eq!(filter.particles[2].at_m, [2.0, 1.0]);
    }
}
