//! What walkers teach of a room's rays: their phases.
//!
//! Where a body takes the complex share m of a ray, each signal of a path loses `Re(z m ϑ)`: z is the ray's steering, known from its
//! delay and its power, and ϑ its phase, with a mean square of one in either part, which depends on millimetres and is not known.
//! But it stays: it is the room's. So every reading of somebody whose place is known otherwise says something of ϑ, and a linear
//! Kalman filter takes it (Kalman 1960), with a diagonal covariance: rays that somebody crosses at once are told apart where he
//! crosses one of them alone. It begins with what the empty room's channel says: that is the sum of all rays, so the strongest are
//! mostly in phase with it. A part of each ray's power stays unexplained, however long it is watched.

use crate::feature::{Gauge, SHAPES, SIGNALS, arrival, nearest};
use crate::rays::MOST_RAYS;
use crate::shade::{Reading, Shadow};
use wavewitness_num::{C64, math};

/// Share of a ray's power that no phase explains: bodies are no strips, and cells no points.
const UNEXPLAINED: f64 = 0.08;
/// Share of a phase that is forgotten in a second in which it is learnt: rooms change where somebody is about.
const FORGET_HZ: f64 = 1.0 / 1800.0;
/// Factor on the covariance of what is not explained: readings follow each other, and so do errors of where somebody is.
const DOUBT: f64 = 3.0;
/// Freedom of the distribution (Student's t) of what is learnt from.
const FREEDOM: f64 = 20.0;
/// Tones at which the empty room's channel is asked, and their real and imaginary parts.
const TONES: usize = 16;
const PARTS: usize = 2 * TONES;
/// Values of a channel, of a mean square of one, and where their tones are, Hz.
pub(crate) type Tones = [(C64, f64); TONES];
/// Mean excess paths that are tried, m.
const FIRST_MEAN_M: f64 = -0.5;
const MEAN_STEP_M: f64 = 0.25;
const MEANS: usize = 31;
/// Power that arrives by more reflections than are taken, over that of the rays.
const BEYOND: f64 = 0.03;

/// A ray's steering and phase.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phase {
    /// z: real and imaginary parts.
    steering: [[f32; 2]; SIGNALS],
    mean: [f64; 2],
    /// Variance of either part.
    variance: f64,
}

/// What is believed to be lost of each ray to everybody in the room, and what else they do to the signals.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    pub rays: Vec<Loss>,
    pub rest: Shadow,
}

/// Of one ray: its mean, and the mean of its square; sums over bodies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    pub mean: [f64; 2],
    /// Sum of the squares of the mean of each body.
    pub sharp: f64,
    pub square: f64,
}

impl Phase {
    /// Nothing known of the phase of a ray of a share of the static channel's power.
    pub fn new(gauge: &Gauge, excess_m: f64, share: f64) -> Phase {
        let scale = -math::sqrt(2.0 * share) as f32;
        let steering = gauge.vectors[nearest(excess_m)].map(|a| a.map(|part| scale * part));
        Phase { steering, mean: [0.0; 2], variance: 1.0 - UNEXPLAINED }
    }

    /// Factor on the power that is lost of the ray, for its share in a covariance.
    pub fn unknown(&self) -> f32 {
        (self.variance + UNEXPLAINED) as f32
    }

    /// What each signal is expected to be by the real and the imaginary part of a loss.
    pub fn expected(&self) -> [[f32; 2]; SIGNALS] {
        let [x, y] = self.mean.map(|part| part as f32);
        self.steering.map(|[re, im]| [re * x - im * y, -(re * y + im * x)])
    }

    /// Rows of the linear model: a signal by both parts of the phase.
    fn row(&self, signal: usize, [re, im]: [f64; 2]) -> [f64; 2] {
        let [x, y] = self.steering[signal].map(f64::from);
        [x * re - y * im, -(x * im + y * re)]
    }

    /// Real part of `z z̄ᵀ`, one entry.
    fn product(&self, k: usize, q: usize) -> f64 {
        let (z, w) = (self.steering[k].map(f64::from), self.steering[q].map(f64::from));
        z[0] * w[0] + z[1] * w[1]
    }

    /// Kalman's correction: `rows` are the linear model by both parts, `off` is `L⁻¹` of what was not expected.
    fn correct<const N: usize>(&mut self, root: &Root<N>, rows: [[f64; N]; 2], off: &[f64; N]) {
        let mut known = 0.0;
        for (row, mean) in rows.into_iter().zip(&mut self.mean) {
            for (a, b) in root.half(row).iter().zip(off) {
                *mean += self.variance * a * b;
                known += 0.5 * a * a;
            }
        }
        self.variance -= self.variance * self.variance * known;
    }

    fn forget(&mut self, dt_s: f64) {
        let left = math::exp(-FORGET_HZ * dt_s);
        for part in &mut self.mean {
            *part *= left;
        }
        self.variance += (1.0 - left * left) * (1.0 - UNEXPLAINED - self.variance);
    }
}

/// What the empty room's channel tells of its rays, whose sum it is: a Gaussian model of it at some tones.
struct Rays {
    /// Rows of the linear model by ray and part of its phase.
    rows: [[[f64; PARTS]; 2]; MOST_RAYS],
    /// Of the channel's covariance.
    root: Root<PARTS>,
}

impl Rays {
    fn new(channel: &Tones, rays: impl Iterator<Item = (f64, f64)>) -> Rays {
        let mut rows = [[[0.0; PARTS]; 2]; MOST_RAYS];
        for ((excess_m, share), rows) in rays.zip(&mut rows) {
            for (t, &(_, offset_hz)) in channel.iter().enumerate() {
                // ϑ has a mean square of two.
                let a = arrival(offset_hz, excess_m) * math::sqrt(0.5 * share);
                (rows[0][t], rows[0][TONES + t]) = (a.re, a.im);
                (rows[1][t], rows[1][TONES + t]) = (-a.im, a.re);
            }
        }
        let mut covariance = [[0.0; PARTS]; PARTS];
        for (n, entries) in covariance.iter_mut().enumerate() {
            for (m, entry) in entries[..=n].iter_mut().enumerate() {
                *entry = rows.iter().flatten().map(|row| row[n] * row[m]).sum();
            }
            entries[n] += 0.5 * BEYOND;
        }
        Rays { rows, root: Root::of(covariance) }
    }

    /// `L⁻¹` of the channel, if its mean excess path is this.
    fn half(&self, channel: &Tones, mean_m: f64) -> [f64; PARTS] {
        let from_direct = channel.map(|(z, offset_hz)| z * arrival(offset_hz, mean_m));
        let part = |n: usize| if n < TONES { from_direct[n].re } else { from_direct[n - TONES].im };
        self.root.half(core::array::from_fn(part))
    }
}

/// Mean excess path, in metres, of an empty room's channel whose mean delay isn't known: its mean given the channel, all being as
/// probable before. `rays`: excess path in metres and share of the power of each.
pub(crate) fn mean_m(channel: &Tones, rays: impl Iterator<Item = (f64, f64)>) -> f64 {
    let model = Rays::new(channel, rays);
    let square = |mean_m| model.half(channel, mean_m).iter().map(|x| x * x).sum::<f64>();
    let squares: [(f64, f64); MEANS] = core::array::from_fn(|n| {
        let mean_m = FIRST_MEAN_M + MEAN_STEP_M * n as f64;
        (mean_m, square(mean_m))
    });
    let least = squares.iter().fold(f64::INFINITY, |least, s| math::min_f64(least, s.1));
    let (mut sum, mut total) = (0.0, 0.0);
    for (mean_m, square) in squares {
        let weight = math::exp(0.5 * (least - square));
        sum += weight * mean_m;
        total += weight;
    }
    sum / total
}

/// Takes in what the empty room's channel says of the phases. Its mean excess path in metres is `mean_m`; `rays` as there.
pub(crate) fn begin(
    phases: &mut [Phase],
    channel: &Tones,
    mean_m: f64,
    rays: impl Iterator<Item = (f64, f64)>,
) {
    let model = Rays::new(channel, rays);
    let off = model.half(channel, mean_m);
    for (phase, &rows) in phases.iter_mut().zip(&model.rows) {
        phase.correct(&model.root, rows, &off);
    }
}

/// Learns from a reading, `lost` being what is believed to be lost where.
pub(crate) fn learn(phases: &mut [Phase], lost: &Lost, reading: &Reading, dt_s: f64) {
    phases.iter_mut().for_each(|phase| phase.forget(dt_s));
    learn_from::<SHAPES>(phases, lost, reading, core::array::from_fn(|k| k));
    learn_from(phases, lost, reading, [SHAPES]);
}

/// Learns from some of the signals.
fn learn_from<const N: usize>(phases: &mut [Phase], lost: &Lost, reading: &Reading, signals: [usize; N]) {
    let (mut known, mut noise) = ([[0.0; N]; N], [[0.0; N]; N]);
    let mut off = signals.map(|k| f64::from(reading.signals[k]) - lost.rest.mean(k));
    for (phase, loss) in phases.iter().zip(&lost.rays) {
        for (n, &k) in signals.iter().enumerate() {
            let row = phase.row(k, loss.mean);
            off[n] -= row[0] * phase.mean[0] + row[1] * phase.mean[1];
            for m in 0..=n {
                let other = phase.row(signals[m], loss.mean);
                known[n][m] += phase.variance * (row[0] * other[0] + row[1] * other[1]);
                let vague = UNEXPLAINED * loss.square + loss.square - loss.sharp;
                noise[n][m] += vague * phase.product(k, signals[m]);
            }
        }
    }
    for n in 0..N {
        for m in 0..=n {
            noise[n][m] += lost.rest.with_floor(signals[n], signals[m]);
        }
    }
    let sum = |factor: f64| -> [[f64; N]; N] {
        core::array::from_fn(|n| core::array::from_fn(|m| known[n][m] + factor * noise[n][m]))
    };
    // What fits badly counts less.
    let misfit = Root::of(sum(1.0)).half(off).iter().map(|x| x * x).sum::<f64>();
    let doubt = DOUBT * math::max_f64(1.0, (FREEDOM + misfit) / (FREEDOM + N as f64)) / reading.new;
    let root = Root::of(sum(doubt));
    let off = root.half(off);
    for (phase, loss) in phases.iter_mut().zip(&lost.rays) {
        let rows = signals.map(|k| phase.row(k, loss.mean));
        phase.correct(&root, [0, 1].map(|part| rows.map(|row| row[part])), &off);
    }
}

/// Lower triangle L of a covariance `L Lᵀ`.
struct Root<const N: usize>([[f64; N]; N]);

impl<const N: usize> Root<N> {
    /// By Cholesky; of a positive definite matrix's lower triangle.
    fn of(mut a: [[f64; N]; N]) -> Root<N> {
        for c in 0..N {
            for r in c..N {
                for k in 0..c {
                    a[r][c] -= a[r][k] * a[c][k];
                }
                a[r][c] = if r == c { math::sqrt(a[r][c]) } else { a[r][c] / a[c][c] };
            }
        }
        Root(a)
    }

    /// `L⁻¹ x`.
    fn half(&self, mut x: [f64; N]) -> [f64; N] {
        for r in 0..N {
            for k in 0..r {
                x[r] -= self.0[r][k] * x[k];
            }
            x[r] /= self.0[r][r];
        }
        x
    }
}

impl Lost {
    pub fn new(rays: usize) -> Lost {
        Lost { rays: Vec::with_capacity(rays), rest: Shadow::none() }
    }

    pub fn clear(&mut self, rays: usize) {
        self.rays.clear();
        self.rays.resize(rays, Loss::default());
        self.rest = Shadow::none();
    }
}

#[cfg(test)]
mod tests {
    //! Guards that phases are recovered from readings that the model draws, with the deviations it states; that who may be anywhere
    //! teaches nothing; and that what is known grows old.
    use super::*;
    use crate::sequence::Sequence;

    const RAYS: usize = 12;
    const NEW: Reading = Reading { signals: [0.0; SIGNALS], new: 1.0, power: 1.0, shapes: 1.0, trust: 0.0 };

    fn two(sequence: &mut Sequence) -> [f64; 2] {
        [sequence.normal(), sequence.normal()]
    }

    fn nothing_known(sequence: &mut Sequence) -> Vec<Phase> {
        let steering = |n: usize, s: &mut Sequence| {
            [0; SIGNALS].map(|_| two(s).map(|x| (20.0 / (1.0 + n as f64) * x) as f32))
        };
        let phase =
            |n| Phase { steering: steering(n, sequence), mean: [0.0; 2], variance: 1.0 - UNEXPLAINED };
        (0..RAYS).map(phase).collect()
    }

    /// Somebody in the way of some of the rays, who is known to be there to this share of what he takes.
    fn somebody(sharp: f64, sequence: &mut Sequence) -> Lost {
        let mut lost = Lost::new(RAYS);
        lost.clear(RAYS);
        for loss in &mut lost.rays {
            let taken = if sequence.uniform() < 0.3 { 0.3 } else { 0.02 };
            loss.mean = two(sequence).map(|x| taken * x);
            let square = loss.mean[0] * loss.mean[0] + loss.mean[1] * loss.mean[1];
            loss.mean = loss.mean.map(|x| x * math::sqrt(sharp));
            (loss.sharp, loss.square) = (sharp * square, square);
        }
        lost
    }

    /// What the model draws for him.
    fn reading(phases: &[Phase], truth: &[[f64; 2]], lost: &Lost, sequence: &mut Sequence) -> Reading {
        let mut signals = [0.0; SIGNALS];
        for ((phase, truth), loss) in phases.iter().zip(truth).zip(&lost.rays) {
            let more = two(sequence);
            for (k, y) in signals.iter_mut().enumerate() {
                let row = phase.row(k, loss.mean);
                for part in 0..2 {
                    *y += row[part] * (truth[part] + math::sqrt(UNEXPLAINED) * more[part]);
                }
            }
        }
        for (k, y) in signals.iter_mut().enumerate() {
            *y += math::sqrt(Shadow::none().with_floor(k, k)) * sequence.normal();
        }
        Reading { signals: signals.map(|y| y as f32), ..NEW }
    }

    fn drawn(sequence: &mut Sequence) -> Vec<[f64; 2]> {
        (0..RAYS).map(|_| two(sequence).map(|x| math::sqrt(1.0 - UNEXPLAINED) * x)).collect()
    }

    #[test]
    fn phases_are_recovered_with_the_deviations_that_are_stated() {
        let mut sequence = Sequence::new();
        let (mut before, mut after, mut stated, mut count) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..40 {
            let (mut phases, truth) = (nothing_known(&mut sequence), drawn(&mut sequence));
            for _ in 0..60 {
                let lost = somebody(1.0, &mut sequence);
                let reading = reading(&phases, &truth, &lost, &mut sequence);
                learn(&mut phases, &lost, &reading, 0.5);
            }
            // The strongest rays, which show.
            for (phase, truth) in phases.iter().zip(&truth).take(4) {
                for part in 0..2 {
                    before += truth[part] * truth[part];
                    after += (phase.mean[part] - truth[part]) * (phase.mean[part] - truth[part]);
                    stated += phase.variance;
                    count += 1.0;
                }
            }
        }
        assert!(after < 0.3 * before, "{} of {}", after / count, before / count);
        // Deviations are stated too large here: for readings that follow each other ([`DOUBT`]), which these don't.
        assert!(after < stated && after > 0.25 * stated, "{} stated as {}", after / count, stated / count);
    }

    struct Empty {
        rays: Vec<(f64, f64)>,
        truth: Vec<[f64; 2]>,
        channel: Tones,
    }

    /// An empty room's channel by the model.
    fn empty(sequence: &mut Sequence) -> Empty {
        let weights = [0; RAYS - 1].map(|_| -math::ln(1.0 - sequence.uniform()));
        let total: f64 = weights.iter().sum();
        let mut rays: Vec<_> = weights.iter().map(|w| (8.0 * sequence.uniform(), 0.4 * w / total)).collect();
        rays.push((0.0, 0.6));
        rays.sort_by(|a, b| b.1.total_cmp(&a.1));
        let truth = drawn(sequence);
        let mut channel = core::array::from_fn(|t| (C64::default(), 2.4e6 * (t as f64 - 3.5)));
        for ((excess_m, share), [re, im]) in rays.iter().zip(&truth) {
            let more = two(sequence).map(|x| math::sqrt(UNEXPLAINED) * x);
            for (z, hz) in &mut channel {
                let theta = C64::new(re + more[0], im + more[1]);
                *z += arrival(*hz, *excess_m) * theta * math::sqrt(0.5 * share);
            }
        }
        for (z, _) in &mut channel {
            let [re, im] = two(sequence);
            *z += C64::new(re, im) * math::sqrt(0.5 * BEYOND);
        }
        Empty { rays, truth, channel }
    }

    #[test]
    fn an_empty_room_tells_of_phases_as_much_as_is_stated() {
        let mut sequence = Sequence::new();
        let (mut before, mut after, mut stated) = ([0.0; RAYS], [0.0; RAYS], [0.0; RAYS]);
        for _ in 0..400 {
            let Empty { rays, truth, channel } = empty(&mut sequence);
            let mut phases = nothing_known(&mut sequence);
            begin(&mut phases, &channel, 0.0, rays.iter().copied());
            for (n, (phase, truth)) in phases.iter().zip(&truth).enumerate() {
                for part in 0..2 {
                    before[n] += truth[part] * truth[part];
                    after[n] += (phase.mean[part] - truth[part]) * (phase.mean[part] - truth[part]);
                    stated[n] += phase.variance;
                }
            }
        }
        assert!(after[0] < 0.8 * before[0], "of the strongest: {} of {}", after[0], before[0]);
        for n in 0..RAYS {
            assert!(
                (after[n] / stated[n] - 1.0).abs() < 0.15,
                "ray {n}: {} stated as {}",
                after[n],
                stated[n]
            );
        }
    }

    #[test]
    fn a_mean_delay_that_is_not_known_is_found() {
        let mut sequence = Sequence::new();
        let range_m = MEAN_STEP_M * (MEANS - 1) as f64;
        let (mut off, mut before) = (0.0, 0.0);
        for _ in 0..400 {
            let Empty { rays, channel, .. } = empty(&mut sequence);
            let truth_m = FIRST_MEAN_M + range_m * sequence.uniform();
            let without = channel.map(|(z, hz)| (z * arrival(hz, -truth_m), hz));
            let off_m = mean_m(&without, rays.iter().copied()) - truth_m;
            let middle_m = FIRST_MEAN_M + 0.5 * range_m;
            off += off_m * off_m;
            before += (middle_m - truth_m) * (middle_m - truth_m);
        }
        assert!(off < 0.6 * before, "{off} of {before}");
    }

    #[test]
    fn who_may_be_anywhere_teaches_nothing() {
        let mut sequence = Sequence::new();
        let mut phases = nothing_known(&mut sequence);
        let lost = somebody(0.0, &mut sequence);
        learn(&mut phases, &lost, &Reading { signals: [20.0, -9.0, 5.0, 4.0, -4.0, 3.0], ..NEW }, 0.5);
        for phase in &phases {
            assert_eq!(phase.mean, [0.0; 2]);
            assert!((phase.variance - (1.0 - UNEXPLAINED)).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_known_grows_old() {
        let mut sequence = Sequence::new();
        let (mut phases, truth) = (nothing_known(&mut sequence), drawn(&mut sequence));
        let lost = somebody(1.0, &mut sequence);
        let reading = reading(&phases, &truth, &lost, &mut sequence);
        learn(&mut phases, &lost, &reading, 0.5);
        let known = phases[0];
        assert!(known.variance < 1.0 - UNEXPLAINED);
        phases[0].forget(600.0);
        assert!(phases[0].variance > known.variance && phases[0].mean[0].abs() < known.mean[0].abs());
        phases[0].forget(1e6);
        assert!((phases[0].unknown() - 1.0).abs() < 1e-6 && phases[0].mean[0].abs() < 1e-9);
    }

    #[test]
    fn signals_are_expected_as_they_are_learnt() {
        let mut sequence = Sequence::new();
        let mut phase = nothing_known(&mut sequence)[0];
        phase.mean = two(&mut sequence);
        let loss = two(&mut sequence);
        for (k, by) in phase.expected().into_iter().enumerate() {
            let mean = by[0] * loss[0] as f32 + by[1] * loss[1] as f32;
            let row = phase.row(k, loss);
            let expected = row[0] * phase.mean[0] + row[1] * phase.mean[1];
            assert!(
                (f64::from(mean) - expected).abs() < 1e-4 * (1.0 + expected.abs()),
                "{mean} for {expected}"
            );
        }
    }

    #[test]
    fn a_root_squared_is_what_it_is_of() {
        let a = [[4.0, 0.0, 0.0], [1.0, 3.0, 0.0], [-0.5, 0.7, 2.0]];
        let root = Root::of(a);
        for r in 0..3 {
            for c in 0..=r {
                let product: f64 = (0..=c).map(|k| root.0[r][k] * root.0[c][k]).sum();
                assert!((product - a[r][c]).abs() < 1e-12);
            }
        }
        let half = root.half([1.0, 2.0, 3.0]);
        for r in 0..3 {
            let back: f64 = (0..=r).map(|k| root.0[r][k] * half[k]).sum();
            assert!((back - [1.0, 2.0, 3.0][r]).abs() < 1e-12);
        }
    }
}
