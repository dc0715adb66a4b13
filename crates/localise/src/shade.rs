//! What somebody in the room does to a path wherever he keeps still: he is in the way of its rays.
//!
//! A path's static channel is the direct ray and its reflections, and a body takes a share of each ([`crate::rays`]). As far as the rays'
//! phases are not known ([`crate::phase`]), a loss m of a ray of power P adds `P|m|²` of its delay's steering to the covariance of the
//! path's mean signals; as far as they are, it moves their mean.

use crate::feature::{ENTRIES, Gauge, Moment, SHAPES, SIGNALS, entry};
use crate::fresnel::Fresnel;
use crate::fringe::{Fringes, Mixture, Powers};
use crate::geometry::Antenna;
use crate::phase::{self, Loss, Lost, Phase};
use crate::rays::{self, MOST_RAYS, Walls, Way};
use crate::spectrum::{Places, Scatter};
use wavewitness_num::math;
use wavewitness_types::Room;

/// These entries, the strength's variance and the means.
pub(crate) const PARTS: usize = ENTRIES + 1 + SIGNALS;
/// The entries and the strength's variance, in whole vectors.
const SQUARES: usize = (ENTRIES + 1).next_multiple_of(4);
/// Most cells of shadows, and their least length, m: a ray's loss turns by up to 17 rad for each metre aside, half a metre beside it.
pub(crate) const MOST_CELLS: usize = 3000;
const CELL_M: f64 = 0.1;
/// The same of fringes, which are averaged over the way of a window.
const MOST_FRINGE_CELLS: usize = 700;
const FRINGE_CELL_M: f64 = 0.2;
/// Variance of mean signals that nothing explains: of the shapes and of the strength, in units of the noise.
pub(crate) const SHAPE_FLOOR: f32 = 4.0;
pub(crate) const STRENGTH_FLOOR: f32 = 0.2;
/// A signal tells how many there are if one body makes more of it than this, in squares of the noise of a frame: a reading's own is a
/// twentieth.
const STANDS_OUT: f64 = 0.5;
/// Share of what a strip makes on the average over all places that a body makes: its edges are round, and leave less of the fringes far
/// beside a ray. So the levels of one to five people are those that they were with rays of two reflections (room 650 of
/// `evaluate crowd`, simulated).
const ROUND: f64 = 0.82;
/// Part of a reading that has to be new before phases are learnt from it, and in how many parts shadows are renewed.
const LEAST_NEW: f64 = 0.1;
const RENEWED: usize = 32;
/// Freedom of the distributions (Student's t).
pub(crate) const FREEDOM: f32 = 20.0;
/// What the shapes count as long as no phase is known (their covariance is rougher than that of the strength), and how much more where all
/// are.
const SHAPE_POWER: f64 = 0.25;
const KNOWN_SHAPE_POWER: f64 = 0.4;
/// Share of the channel's power with known phases from which on readings begin to say whether somebody is there (before, they say where):
/// with frames of 20 MHz, where wrong phases may long explain themselves, and with wider ones; and how much more it takes until they say
/// all that they can.
const KNOWN: [f64; 2] = [0.5, 0.2];
const WELL_KNOWN: f64 = 0.1;

/// Means of a path's signals, the share of them that is new, and the power of their likelihood.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub signals: [f32; SIGNALS],
    pub new: f64,
    pub power: f64,
    /// Power of the shapes' likelihood, over that.
    pub shapes: f64,
    /// What it is to be trusted of whether somebody is there, on the average over paths: none from 0 down, all from 1 up.
    pub trust: f64,
}

/// [`Reading::trust`] by that share.
pub(crate) fn trust(known: f64, is_wide: bool) -> f64 {
    (known - KNOWN[usize::from(is_wide)]) / WELL_KNOWN
}

/// What so many readings are to be trusted together, by the sum of what each is: 0..=1.
pub(crate) fn trust_of(sum: f64, count: usize) -> f64 {
    math::max_f64(0.0, math::min_f64(1.0, sum / count.max(1) as f64))
}

/// What the shapes count, by the share of the channel's power of which the phases are known.
pub(crate) fn shape_power(known: f64) -> f64 {
    SHAPE_POWER + KNOWN_SHAPE_POWER * known * known
}

/// What a body at one place makes of the mean signals: their covariance (strengths are taken as independent of shapes), and their
/// means.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shadow {
    /// Rows of the lower triangle.
    shape: [f32; ENTRIES],
    strength: f32,
    means: [f32; SIGNALS],
}

impl Shadow {
    /// Nobody.
    pub fn none() -> Shadow {
        Shadow::default()
    }

    /// Adds a weighted mean of covariances and means, and the products of the means.
    pub fn add_one_of_many(&mut self, other: &Shadow, weight: f32) {
        for (mine, theirs) in self.shape.iter_mut().zip(other.shape) {
            *mine += weight * theirs;
        }
        self.strength += weight * other.strength;
        for (mine, theirs) in self.means.iter_mut().zip(other.means) {
            *mine += weight * theirs;
        }
        self.add_products(&other.means, weight);
    }

    /// Ends a mean of many.
    pub fn settle(&mut self) {
        let means = self.means;
        self.add_products(&means, -1.0);
    }

    fn add_products(&mut self, m: &[f32; SIGNALS], weight: f32) {
        for k in 0..SHAPES {
            for q in 0..=k {
                self.shape[entry(k, q)] += weight * m[k] * m[q];
            }
        }
        self.strength += weight * m[SHAPES] * m[SHAPES];
    }

    /// Somebody else's, who is there with a probability.
    pub fn add(&mut self, other: &Shadow, probability: f32) {
        self.add_one_of_many(other, probability);
        self.add_products(&other.means, -probability * probability);
    }

    /// Of a signal.
    pub fn mean(&self, signal: usize) -> f64 {
        f64::from(self.means[signal])
    }

    /// Covariance of two signals of the shape, or the variance of the strength, with what nothing explains.
    pub fn with_floor(&self, k: usize, q: usize) -> f64 {
        if k == SHAPES {
            return f64::from(self.strength + STRENGTH_FLOOR);
        }
        let entry = f64::from(self.shape[entry(k, q)]);
        if k == q { entry + f64::from(SHAPE_FLOOR) } else { entry }
    }

    /// Rows of the shape's lower triangle, the strength's variance, and the means.
    pub fn parts(&self) -> [f32; PARTS] {
        let mut parts = [0.0; PARTS];
        parts[..ENTRIES].copy_from_slice(&self.shape);
        parts[ENTRIES] = self.strength;
        parts[ENTRIES + 1..].copy_from_slice(&self.means);
        parts
    }

    fn add_sums(&mut self, sums: &Sums) {
        let mine = self.shape.iter_mut().chain([&mut self.strength]);
        mine.zip(sums.squares).for_each(|(sum, part)| *sum += part);
        self.means.iter_mut().zip(sums.means).for_each(|(sum, part)| *sum += part);
    }

    /// Mean squares of the signals.
    fn squares(&self) -> [f64; SIGNALS] {
        let mut squares = self.means.map(|m| f64::from(m) * f64::from(m));
        for (k, square) in squares[..SHAPES].iter_mut().enumerate() {
            *square += f64::from(self.shape[entry(k, k)]);
        }
        squares[SHAPES] += f64::from(self.strength);
        squares
    }

    fn add_ray(&mut self, moment: &Moment, power: f32) {
        for (entry, part) in self.shape.iter_mut().zip(moment.shape) {
            *entry += 2.0 * power * part;
        }
        self.strength += 2.0 * power * moment.strength;
    }

    /// Log-likelihood of a reading with these people in the room, but for a constant: the reference of [`crate::abreast`].
    #[cfg(test)]
    pub fn ln_likelihood(&self, others: &Shadow, reading: &Reading) -> f64 {
        let off: [f64; SIGNALS] =
            core::array::from_fn(|k| f64::from(reading.signals[k] - self.means[k] - others.means[k]));
        // C = L D Lᵀ: `rows` are of L D.
        let (mut rows, mut pivots, mut z) = ([[0.0; SHAPES]; SHAPES], [0.0; SHAPES], [0.0; SHAPES]);
        let (mut shape, mut determinant) = (0.0, 1.0);
        for k in 0..SHAPES {
            (pivots[k], z[k]) = (f64::from(SHAPE_FLOOR), off[k]);
            for q in 0..=k {
                let mut part = f64::from(self.shape[entry(k, q)]) + f64::from(others.shape[entry(k, q)]);
                for p in 0..q {
                    part -= rows[k][p] * rows[q][p] / pivots[p];
                }
                if q == k {
                    pivots[k] += part;
                } else {
                    rows[k][q] = part;
                    z[k] -= part * z[q] / pivots[q];
                }
            }
            shape += z[k] * z[k] / pivots[k];
            determinant *= pivots[k];
        }
        let variance = f64::from(self.strength) + f64::from(others.strength) + f64::from(STRENGTH_FLOOR);
        let t = |quadratic: f64, count: f64| {
            let freedom = f64::from(FREEDOM);
            (count + freedom) * math::ln_short(1.0 + quadratic / freedom)
        };
        let shapes = math::ln_short(determinant) + t(shape, SHAPES as f64);
        let strengths = math::ln_short(variance) + t(off[SHAPES] * off[SHAPES] / variance, 1.0);
        -0.5 * reading.power * (reading.shapes * shapes + strengths)
    }
}

/// A ray of the empty room.
#[derive(Clone, Debug)]
struct Ray {
    /// Of the static channel's power.
    share: f64,
    excess_m: f64,
    /// At its delay, for a power of one.
    moment: Moment,
}

/// What a loss of a ray makes of the signals: by its square as far as its phase is not known (entries of the shape, the strength's
/// variance, and nothing), and by its real and its imaginary part as far as it is. So wide that they are added side by side.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    square: [f32; SQUARES],
    re: [f32; SIGNALS],
    im: [f32; SIGNALS],
}

/// Sums of that over rays.
#[derive(Default)]
struct Sums {
    squares: [f32; SQUARES],
    means: [f32; SIGNALS],
}

impl Part {
    fn of(ray: &Ray, phase: &Phase) -> Part {
        let mut unknown = Shadow::none();
        unknown.add_ray(&ray.moment, ray.share as f32 * phase.unknown());
        let mut out = Part::default();
        out.square[..=ENTRIES].copy_from_slice(&unknown.parts()[..=ENTRIES]);
        for (k, [by_re, by_im]) in phase.expected().into_iter().enumerate() {
            (out.re[k], out.im[k]) = (by_re, by_im);
        }
        out
    }

    fn add_to(&self, sums: &mut Sums, [re, im]: [f32; 2]) {
        let square = re * re + im * im;
        for (sum, part) in sums.squares.iter_mut().zip(&self.square) {
            *sum += square * part;
        }
        for k in 0..SIGNALS {
            sums.means[k] += re * self.re[k] + im * self.im[k];
        }
    }
}

/// Cells of a room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells {
    from_m: [f64; 2],
    step_m: f64,
    counts: [usize; 2],
}

impl Cells {
    pub fn new(room: &Room, least_m: f64, most: usize) -> Cells {
        let size = [0, 1].map(|k| room.max_m[k] - room.min_m[k]);
        let step_m = math::max_f64(least_m, math::sqrt(size[0] * size[1] / most as f64));
        let counts = size.map(|length_m| ((length_m / step_m) as usize).max(1));
        Cells { from_m: [room.min_m[0], room.min_m[1]], step_m, counts }
    }

    pub fn count(&self) -> usize {
        self.counts[0] * self.counts[1]
    }

    /// The one of a place, or the nearest.
    pub fn of(&self, at_m: [f64; 2]) -> usize {
        let cell = |k: usize| {
            (math::max_f64(0.0, (at_m[k] - self.from_m[k]) / self.step_m) as usize).min(self.counts[k] - 1)
        };
        cell(1) * self.counts[0] + cell(0)
    }

    pub fn middle_m(&self, cell: usize) -> [f64; 2] {
        let place = [cell % self.counts[0], cell / self.counts[0]];
        [0, 1].map(|k| self.from_m[k] + (place[k] as f64 + 0.5) * self.step_m)
    }
}

/// The rays of a path, and what somebody in each cell of the room makes of them.
#[derive(Clone, Debug)]
pub(crate) struct Shade {
    cells: Cells,
    fringe_cells: Cells,
    rays: Vec<Ray>,
    walls: Walls,
    ways: Vec<Way>,
    /// Real and imaginary part of what a body takes, by cell and ray: computed with the first baseline, so that who has none starts at once.
    losses: Vec<[f32; 2]>,
    is_measured: bool,
    phases: Vec<Phase>,
    shadows: Vec<Shadow>,
    /// What of them doesn't depend on the rays' phases.
    rest: Vec<Shadow>,
    /// The cell from which on shadows are renewed next.
    oldest: usize,
    /// Mean squares of the signals over all places of one body.
    typical: [f64; SIGNALS],
    fringes: Fringes,
    /// Whether all three are those of the present baseline.
    pub known: bool,
}

/// Share of a body's cross-section that counts: what scatters near straight ahead is the shadow.
const SECTION_SHARE: f64 = 0.4;

impl Shade {
    /// The strongest rays between two antennas. All memory is taken here.
    pub fn new(ends_m: [[f64; 3]; 2], walls: &Walls, most_rays: usize, fresnel: &Fresnel) -> Shade {
        let cells = Cells::new(&walls.room, CELL_M, MOST_CELLS);
        let fringe_cells = Cells::new(&walls.room, FRINGE_CELL_M, MOST_FRINGE_CELLS);
        let ways = rays::strongest(ends_m, walls, most_rays);
        let total: f64 = ways.iter().map(|way| way.power).sum();
        let direct_m = ways[0].length_m;
        let ray = |way: &Way| Ray {
            share: way.power / total,
            excess_m: way.length_m - direct_m,
            moment: Moment::default(),
        };
        let rays: Vec<Ray> = ways.iter().map(ray).collect();
        let shares = rays.iter().map(|ray| ray.share);
        let fringes = Fringes::new(shares.zip(&ways), &fringe_cells, walls, fresnel);
        let shadows = vec![Shadow::none(); cells.count()];
        let (phases, rest) = (vec![Phase::default(); rays.len()], shadows.clone());
        let typical = [0.0; SIGNALS];
        Shade {
            cells,
            fringe_cells,
            walls: *walls,
            losses: vec![[0.0; 2]; cells.count() * ways.len()],
            ways,
            is_measured: false,
            rays,
            phases,
            shadows,
            rest,
            oldest: 0,
            typical,
            fringes,
            known: false,
        }
    }

    /// Takes a new baseline's steering. `power` over the static channel's is what somebody with 1 m from both antennas scatters.
    pub fn adopt(
        &mut self,
        gauge: &Gauge,
        ends: &[Antenna; 2],
        direct_m: f64,
        body_z_m: f64,
        scatter: &Scatter,
        power: f64,
        fresnel: &Fresnel,
    ) {
        self.measure(fresnel);
        for (ray, phase) in self.rays.iter_mut().zip(&mut self.phases) {
            ray.moment = *Moment::of(&gauge.moments, ray.excess_m);
            *phase = Phase::new(gauge, ray.excess_m, ray.share);
        }
        phase::begin(
            &mut self.phases,
            &gauge.channel(),
            gauge.mean_m,
            self.rays.iter().map(|ray| (ray.excess_m, ray.share)),
        );
        for (c, rest) in self.rest.iter_mut().enumerate() {
            *rest = Shadow::none();
            let [x, y] = self.cells.middle_m(c);
            let [p, q] = ends.each_ref().map(|end| end.legs(&[x, y, body_z_m], [0.0; 2]));
            let places = Places::new([&p, &q], direct_m, scatter, SECTION_SHARE * power);
            for (&excess_m, &power) in places.excess_m.iter().zip(&places.power) {
                rest.add_ray(Moment::of(&gauge.moments, excess_m), power as f32);
            }
        }
        self.renew(self.cells.count());
        self.typical = [0.0; SIGNALS];
        let share = ROUND / self.cells.count() as f64;
        for shadow in &self.shadows {
            for (mean, square) in self.typical.iter_mut().zip(shadow.squares()) {
                *mean += share * square;
            }
        }
        self.fringes.adopt(&gauge.table, self.rays.iter().map(|ray| ray.excess_m));
        self.known = true;
    }

    fn measure(&mut self, fresnel: &Fresnel) {
        if !self.is_measured {
            for (c, losses) in self.losses.chunks_exact_mut(self.ways.len()).enumerate() {
                let at_m = self.cells.middle_m(c);
                for (loss, way) in losses.iter_mut().zip(&self.ways) {
                    *loss = way.lost(at_m, &self.walls, fresnel);
                }
            }
            self.is_measured = true;
        }
    }

    /// Mean over a reading's signals of `q/(1 + q)`, q being their squares in units of what one body makes on the average over all
    /// places: 0 (nothing) to 1. `None` if nothing is known of one body, or it would make nothing that stands out on this path.
    pub fn level(&self, reading: &Reading) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for (&signal, &typical) in reading.signals.iter().zip(&self.typical) {
            if typical > STANDS_OUT {
                let square = f64::from(signal) * f64::from(signal);
                sum += square / (square + typical);
                count += 1.0;
            }
        }
        (self.known && count > 0.0).then(|| sum / count)
    }

    /// Powers by rate and steering of the fringes of who walks at a place.
    pub fn fringes(&self, at_m: [f64; 2], velocity_m_s: [f64; 2]) -> Option<(&Powers, &Mixture)> {
        self.known.then(|| self.fringes.of(self.fringe_cells.of(at_m), velocity_m_s))
    }

    /// Adds what `weight` of somebody at a place takes, and the rest of what he makes.
    pub fn lost(&self, at_m: [f64; 2], weight: f64, lost: &mut [Loss], rest: &mut Shadow) {
        let c = self.cells.of(at_m);
        for (sum, loss) in lost.iter_mut().zip(self.losses_in(c)) {
            let [re, im] = loss.map(f64::from);
            sum.mean[0] += weight * re;
            sum.mean[1] += weight * im;
            sum.square += weight * (re * re + im * im);
        }
        rest.add_one_of_many(&self.rest[c], weight as f32);
    }

    /// Learns the rays' phases from the reading, and renews a part of the shadows.
    pub fn learn(&mut self, lost: &Lost, reading: &Reading, dt_s: f64) {
        if self.known && reading.new > LEAST_NEW {
            phase::learn(&mut self.phases, lost, reading, dt_s);
        }
        self.renew(self.cells.count() / RENEWED);
    }

    /// Share of the channel's power of which the phases are known.
    pub fn phases_known(&self) -> f64 {
        let rays = self.rays.iter().zip(&self.phases);
        rays.map(|(ray, phase)| ray.share * (1.0 - f64::from(phase.unknown()))).sum()
    }

    /// What a body in a cell takes of each ray.
    fn losses_in(&self, cell: usize) -> &[[f32; 2]] {
        &self.losses[cell * self.rays.len()..][..self.rays.len()]
    }

    /// Brings the next shadows up to what is known of the phases.
    fn renew(&mut self, count: usize) {
        let mut parts = [Part::default(); MOST_RAYS];
        for ((part, ray), phase) in parts.iter_mut().zip(&self.rays).zip(&self.phases) {
            *part = Part::of(ray, phase);
        }
        let parts = &parts[..self.rays.len()];
        for _ in 0..count {
            let c = self.oldest;
            let mut sums = Sums::default();
            for (part, &loss) in parts.iter().zip(self.losses_in(c)) {
                part.add_to(&mut sums, loss);
            }
            let mut shadow = self.rest[c];
            shadow.add_sums(&sums);
            self.shadows[c] = shadow;
            self.oldest = (c + 1) % self.shadows.len();
        }
    }

    /// Excess path in metres and share of the power of each ray.
    pub fn rays(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.rays.iter().map(|ray| (ray.excess_m, ray.share))
    }

    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// What somebody in a cell makes.
    pub fn in_cell(&self, cell: usize) -> &Shadow {
        &self.shadows[cell]
    }

    /// What somebody makes who is at any of these places.
    pub fn among(&self, places_m: &[[f64; 2]]) -> Shadow {
        let mut out = Shadow::none();
        for &at_m in places_m {
            out.add_one_of_many(&self.shadows[self.cells.of(at_m)], 1.0 / places_m.len() as f32);
        }
        out.settle();
        out
    }
}

#[cfg(test)]
mod tests {
    //! Guards the likelihood against its definition, and levels.
    use super::*;
    use crate::sequence::Sequence;

    impl Shadow {
        /// Of chance.
        pub fn drawn(sequence: &mut Sequence) -> Shadow {
            let mut shadow = Shadow::none();
            shadow.means[SHAPES] = sequence.normal() as f32;
            for _ in 0..SIGNALS + 1 {
                let mut products = [0; SIGNALS].map(|_| (3.0 * sequence.normal()) as f32);
                products[SHAPES] = core::f32::consts::SQRT_2 * products[0];
                shadow.add_products(&products, 1.0);
            }
            shadow
        }
    }

    const ROOM: Room = Room { min_m: [0.0; 3], max_m: [6.0, 5.0, 2.6] };
    const ENDS_M: [[f64; 3]; 2] = [[0.3, 0.4, 0.9], [5.7, 0.4, 1.1]];

    fn walls() -> Walls {
        Walls { room: ROOM, reflected: 0.25, wavelength_m: 0.123 }
    }

    /// Determinant of the shapes' covariance C, and `yᵀC⁻¹y`: Gauss and Jordan on the whole matrix.
    fn eliminated(one: &Shadow, other: &Shadow, y: &[f64]) -> (f64, f64) {
        let mut c = [[0.0; SHAPES]; SHAPES];
        for k in 0..SHAPES {
            for q in 0..=k {
                let floor = if k == q { SHAPE_FLOOR } else { 0.0 };
                c[k][q] = f64::from(one.shape[entry(k, q)] + other.shape[entry(k, q)] + floor);
                c[q][k] = c[k][q];
            }
        }
        let (mut determinant, mut x) = (1.0, y.to_vec());
        for k in 0..SHAPES {
            let (pivot, row) = (c[k][k], c[k]);
            determinant *= pivot;
            for r in (0..SHAPES).filter(|&r| r != k) {
                let factor = c[r][k] / pivot;
                c[r].iter_mut().zip(row).for_each(|(a, b)| *a -= factor * b);
                x[r] -= factor * x[k];
            }
        }
        (determinant, (0..SHAPES).map(|k| y[k] * x[k] / c[k][k]).sum())
    }

    #[test]
    fn the_likelihood_is_that_of_its_definition() {
        let mut sequence = Sequence::new();
        for _ in 0..50 {
            let (one, other) = (Shadow::drawn(&mut sequence), Shadow::drawn(&mut sequence));
            let signals = [0; SIGNALS].map(|_| (8.0 * sequence.normal()) as f32);
            let reading = Reading { signals, power: 0.7, shapes: 0.4, ..Reading::default() };
            let off: [f64; SIGNALS] =
                core::array::from_fn(|k| f64::from(signals[k]) - one.mean(k) - other.mean(k));
            let (determinant, quadratic) = eliminated(&one, &other, &off);
            let variance = f64::from(one.strength + other.strength + STRENGTH_FLOOR);
            let t = |q: f64, n: f64| (n + f64::from(FREEDOM)) * math::ln(1.0 + q / f64::from(FREEDOM));
            let shapes = math::ln(determinant) + t(quadratic, SHAPES as f64);
            let strength = math::ln(variance) + t(off[SHAPES] * off[SHAPES] / variance, 1.0);
            let expected = -0.35 * (0.4 * shapes + strength);
            let found = one.ln_likelihood(&other, &reading);
            assert!((found - expected).abs() < 1e-3 * expected.abs() + 1e-3, "{found} for {expected}");
        }
    }

    #[test]
    fn who_may_be_at_two_places_is_as_uncertain_as_they_differ() {
        let (mut shade, mut sequence) =
            (Shade::new(ENDS_M, &walls(), MOST_RAYS, &Fresnel::new()), Sequence::new());
        let places = [[1.05, 1.05], [4.05, 3.05]];
        for at_m in places {
            shade.shadows[shade.cells.of(at_m)] = Shadow::drawn(&mut sequence);
        }
        let [one, other] = places.map(|at_m| shade.among(&[at_m]));
        let either = shade.among(&places);
        let half = 0.5 * (one.mean(SHAPES) - other.mean(SHAPES));
        assert!((either.mean(SHAPES) - 0.5 * (one.mean(SHAPES) + other.mean(SHAPES))).abs() < 1e-5);
        let expected = 0.5 * f64::from(one.strength + other.strength) + half * half;
        assert!((f64::from(either.strength) - expected).abs() < 1e-4, "{} for {expected}", either.strength);
    }

    #[test]
    fn a_level_is_in_units_of_one_body() {
        let mut shade = Shade::new(ENDS_M, &walls(), MOST_RAYS, &Fresnel::new());
        shade.typical = [100.0, 25.0, 4.0, 0.1, 0.1, 0.1];
        let reading = Reading { signals: [10.0, -5.0, 2.0, 9.0, -9.0, 50.0], ..Reading::default() };
        assert_eq!(shade.level(&reading), None, "without a baseline");
        shade.known = true;
        // One body makes nothing of two shapes and of the strength here, so they are not asked.
        assert_eq!(shade.level(&reading), Some(0.5));
        assert_eq!(shade.level(&Reading::default()), Some(0.0));
        shade.typical = [0.1; SIGNALS];
        assert_eq!(shade.level(&reading), None, "a body that nothing shows");
    }

    #[test]
    fn nobody_is_sought_where_others_explain_everything() {
        let mut sequence = Sequence::new();
        let (one, other) = (Shadow::drawn(&mut sequence), Shadow::drawn(&mut sequence));
        let loud = Reading {
            signals: [60.0, 40.0, 30.0, 30.0, 30.0, 20.0],
            power: 1.0,
            new: 1.0,
            shapes: 0.3,
            trust: 0.0,
        };
        let (alone, both) = (one.ln_likelihood(&Shadow::none(), &loud), one.ln_likelihood(&other, &loud));
        assert!(both > alone, "{both}, {alone}");
        let none = Reading { power: 0.0, ..loud };
        assert_eq!(one.ln_likelihood(&other, &none), 0.0);
    }
}
