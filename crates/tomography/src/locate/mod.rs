//! Who is where, from the likelihood of every place on a fine plan grid, with a memory.
//!
//! A recursive Bayes filter over (nobody | somebody at cell x) for each person: predict by diffusion, entry and leaving,
//! then weigh by the likelihood ratio of the cycle's evidence under "somebody at x" and "nobody" (track before detect:
//! Stone, Barlow and Corwin 1999; the Bernoulli filter of Ristic et al. 2013). The likelihood is direct: no image is
//! inverted, so nothing is regularised and the cell does not bound the error. The model of a link
//! and its constants are in `docs/algorithms/tomography.md`.
//!
//! The grid reaches beyond the room: somebody who passes outside is located there, and is nobody's ghost inside.

mod errors;
mod field;
mod likelihood;
mod model;
#[cfg(test)]
mod twins;

use field::Field;
use likelihood::Likelihood;
use model::ENVIRONMENTS;
use wavewitness_num::math;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{Canonical, ConfigError, Detection, Room, Sink};

/// Most people that are looked for.
pub const MAX_LOCATED: usize = 8;
/// Log odds are kept within ± this: e⁻¹⁴ is one in a million.
const LIMIT: f64 = 14.0;
/// Existence beyond which a person takes part in the explanation of the evidence for the others.
const PRESENT: f64 = 0.5;
/// Longest step of time that the filter takes: after it, nothing is known any more anyway, s.
const MAX_STEP_S: f64 = 60.0;
/// Cells whose likelihood is less than the best one's by more than this (in ln) get none: 10⁻¹⁷ of it. It also keeps
/// densities away from subnormal numbers, with which processors are slow.
const NEGLIGIBLE_LN: f64 = -40.0;
/// Surroundings less probable than this have no say about a person beside another: they are learnt from lone ones.
const UNLIKELY: f64 = 0.01;
/// Sums of cycles are this close to an interval, s.
const TIME_TOLERANCE_S: f64 = 1e-6;
/// Coordinates beyond this are not a place.
const MAX_COORDINATE_M: f64 = 1e4;

wavewitness_types::stage_config! {
    /// The likelihood of places.
    pub struct Config in "locate" {
        /// Cells along the longer side of the room with its margin.
        cells: u32 = 48, 8, 64;
        /// How far outside the room somebody can still be told from somebody inside, m.
        margin_m: f64 = 1.0, 0.0, 5.0;
        /// Density of people there, relative to that in the room: of somebody new, and once for each independent piece of
        /// evidence.
        outside_weight: f64 = 0.5, 0.01, 1.0;
        /// Standard deviation of a link's deviation about the model, in ln: the body is no point, and walls reflect.
        model_sigma: f64 = 0.9, 0.1, 5.0;
        /// The same of a deviation that all links of one place share, in ln: an antenna's surroundings.
        place_sigma: f64 = 0.2, 0.0, 5.0;
        /// The same of a rise that all links share, in ln: interference, drift.
        level_sigma: f64 = 0.15, 0.001, 5.0;
        /// Degrees of freedom with which that size is believed: the fewer, the more a poor fit widens it.
        error_freedom: f64 = 30.0, 1.0, 10000.0;
        /// Weight of a cycle's evidence: links err together, so that many are worth fewer.
        tempering: f64 = 0.3, 0.01, 1.0;
        /// The filter takes a step when at least so much time has passed, and holds its result in between: what is wrong
        /// with the evidence lasts longer than a cycle of the hub, s.
        interval_s: f64 = 0.2, 0.0, 10.0;
        /// Steps closer in time than this repeat each other and count by their share of it, s.
        decorrelation_s: f64 = 0.6, 0.01, 10.0;
        /// Diffusion of a walker, m²/s: variance along an axis that a second adds.
        diffusion_m2_s: f64 = 0.1, 0.001, 10.0;
        /// Mean time until somebody new comes, s.
        mean_entry_s: f64 = 120.0, 1.0, 100000.0;
        /// Mean time that somebody stays, s.
        mean_stay_s: f64 = 300.0, 1.0, 100000.0;
        /// Mean time until a person is somewhere else altogether (what the filter lost, it finds again), s.
        mean_relocation_s: f64 = 60.0, 1.0, 100000.0;
        /// Half width of a body at rest in a position's sigma: where in a body a position is, m.
        body_sigma_m: f64 = 0.1, 0.01, 0.5;
        /// People looked for.
        people: u32 = 2, 1, 8;
        /// What every person beyond the first must explain more than the model's own error does, in ln of the likelihood
        /// for each path.
        crowd_cost: f64 = 0.25, 0.0, 100.0;
        /// Standard deviation of a position along an axis that lasts as long as a person stays where he is, in units of
        /// √(room area / paths): reflections that the model does not know. It does not average out over cycles.
        model_error_cells: f64 = 0.35, 0.0, 3.0;
        /// Paths with evidence below which the stage abstains.
        min_paths: u32 = 5, 3, 64;
        /// Height of a body's centre above the floor, m.
        body_centre_height_m: f64 = 1.0, 0.2, 2.0;
        /// Standard deviation of that height, m.
        body_centre_sigma_m: f64 = 0.5, 0.1, 3.0;
    }
}

/// What one path says in one cycle; absent if it is not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathEvidence {
    /// The path ([`Plan::add_path`]).
    pub path: u16,
    /// Natural logarithm of the departure from the baseline (as a power) over its quiet level.
    pub deviation: f32,
}

/// How a cycle went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Paths with evidence; below [`Config::min_paths`] the filter only predicts.
    pub paths: u16,
    /// Probability that at least one person is in the room.
    pub presence: f64,
    /// Probability that at least one is there or in the margin around it: then baselines are not to follow.
    pub anybody: f64,
    /// Probability that the surroundings are cluttered (rather than clear).
    pub cluttered: f64,
    /// True if this cycle took a step of the filter; false if it holds an earlier one's result.
    pub is_step: bool,
}

/// The stage, planned for a room.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    room: Room,
    field: Field,
}

/// One person's filter.
#[derive(Clone, Debug)]
struct Hypothesis {
    /// Probability that there is this person, in the room or its margin.
    existence: f64,
    /// Of each cell, given that.
    density: Vec<f64>,
    mean_m: [f64; 2],
}

/// Geometry of the paths, what is believed, and working memory. Allocates at construction and in [`Plan::add_path`] only.
#[derive(Clone, Debug)]
pub struct State {
    likelihood: Likelihood,
    people: Vec<Hypothesis>,
    environments: [f64; ENVIRONMENTS],
    work: Vec<f64>,
    predicted: Vec<f64>,
    ratios: [Vec<f64>; ENVIRONMENTS],
    /// Since the last step, and since the last that weighed evidence; whether new evidence has come since.
    passed_s: f64,
    unweighed_s: f64,
    is_pending: bool,
    held: Summary,
    held_detections: Vec<Detection>,
}

impl State {
    /// Nobody, and no paths yet; `paths` of them can be added.
    pub fn new(plan: &Plan, paths: u16) -> State {
        let cells = plan.field.cells();
        let one = Hypothesis { existence: 0.0, density: plan.field.prior.clone(), mean_m: [0.0; 2] };
        State {
            likelihood: Likelihood::new(cells, usize::from(paths)),
            people: vec![one; plan.config.people as usize],
            environments: [1.0 / ENVIRONMENTS as f64; ENVIRONMENTS],
            work: vec![0.0; cells],
            predicted: vec![0.0; cells],
            ratios: [vec![0.0; cells], vec![0.0; cells]],
            passed_s: 0.0,
            unweighed_s: 0.0,
            is_pending: false,
            held: Summary::default(),
            held_detections: Vec::with_capacity(MAX_LOCATED),
        }
    }
}

impl Plan {
    /// # Errors
    /// Names the parameter that is out of range, or the room.
    pub fn new(config: &Config, room: Room) -> Result<Plan, ConfigError> {
        config.check()?;
        for axis in 0..3 {
            let (low, high) = (room.min_m[axis], room.max_m[axis]);
            if !(low.abs() <= MAX_COORDINATE_M && (0.5..=200.0).contains(&(high - low))) {
                return Err(ConfigError::new(
                    "room",
                    format_args!("{low} to {high} m"),
                    "sides of 0.5 to 200 m, coordinates to 10000 m",
                ));
            }
        }
        Ok(Plan { config: config.clone(), room, field: Field::new(config, &room) })
    }

    /// Says where a path runs; a second call moves it. False, and nothing happens, if the id was not foreseen, the ends
    /// are no places, or are one.
    pub fn add_path(&self, path: u16, a_m: [f64; 3], b_m: [f64; 3], state: &mut State) -> bool {
        let place = |p: [f64; 3]| p.iter().all(|x| x.is_finite() && x.abs() <= MAX_COORDINATE_M);
        place(a_m) && place(b_m) && state.likelihood.add(usize::from(path), a_m, b_m, &self.room, &self.field)
    }

    /// The part of a position's error that does not average out over cycles, in metres (1 sigma along x and y): to be added
    /// in quadrature to what is published, and not to what a tracker filters. [`Config::model_error_cells`].
    pub fn model_error_m(&self, paths: u16) -> f64 {
        let side = |k: usize| self.room.max_m[k] - self.room.min_m[k];
        self.config.model_error_cells * math::sqrt(side(0) * side(1) / f64::from(paths.max(1)))
    }

    /// Takes a cycle's evidence, `dt_s` seconds after the last. `detections` is cleared and filled, a person each, the
    /// surest first; give it the capacity of [`MAX_LOCATED`] and nothing is allocated. `is_new` is false if the evidence is
    /// the last cycle's over again: if it has been since the last step, the filter only predicts. The order of evidence does
    /// not matter, except that of two entries for one path the first counts.
    ///
    /// To be called in each cycle. A step is taken every [`Config::interval_s`], with the evidence of that cycle and all the
    /// time since the last; in between, the last step's result is held ([`Summary::is_step`]).
    pub fn run(
        &self,
        dt_s: f64,
        is_new: bool,
        evidence: &[PathEvidence],
        state: &mut State,
        detections: &mut Vec<Detection>,
    ) -> Summary {
        let dt_s = if dt_s > 0.0 { math::min_f64(dt_s, MAX_STEP_S) } else { 0.0 };
        state.passed_s = math::min_f64(state.passed_s + dt_s, MAX_STEP_S);
        state.unweighed_s = math::min_f64(state.unweighed_s + dt_s, MAX_STEP_S);
        state.is_pending |= is_new;
        state.held.is_step = state.passed_s >= self.config.interval_s - TIME_TOLERANCE_S;
        if state.held.is_step {
            self.take_step(evidence, state);
        }
        detections.clear();
        detections.extend_from_slice(&state.held_detections);
        state.held
    }

    /// A step of every person's filter, and what comes of it.
    fn take_step(&self, evidence: &[PathEvidence], state: &mut State) {
        let paths = state.likelihood.load(&self.config, evidence);
        let mut share = 0.0;
        if state.is_pending && paths >= self.config.min_paths as usize {
            share = math::min_f64(1.0, state.unweighed_s / self.config.decorrelation_s);
            (state.unweighed_s, state.is_pending) = (0.0, false);
        }
        let dt_s = state.passed_s;
        state.passed_s = 0.0;
        for person in 0..state.people.len() {
            let earlier = state.people[..person].iter().all(|p| p.existence > PRESENT);
            if earlier || state.people[person].existence > PRESENT {
                self.step(person, dt_s, share, state);
            } else if state.people[person].existence > 0.0 {
                state.people[person].existence = 0.0;
                state.people[person].density.copy_from_slice(&self.field.prior);
            }
        }
        self.report(state);
        let (mut absent, mut nobody) = (1.0, 1.0);
        for person in &state.people {
            if person.existence > 0.0 {
                absent *= 1.0 - person.existence * self.field.inside(&person.density);
                nobody *= 1.0 - person.existence;
            }
        }
        state.held = Summary {
            paths: paths as u16,
            presence: 1.0 - absent,
            anybody: 1.0 - nobody,
            cluttered: state.environments[0],
            is_step: true,
        };
    }

    /// Predicts one person and weighs the prediction by the evidence, given the others who are there. The evidence counts by
    /// its `share` of an independent piece.
    fn step(&self, person: usize, dt_s: f64, share: f64, state: &mut State) {
        let prior = self.predict(person, dt_s, share, state);
        let State { likelihood, people, environments, work, predicted, ratios, .. } = state;
        let mut others = [[0.0; 2]; MAX_LOCATED];
        let mut count = 0;
        for (k, other) in people.iter().enumerate() {
            if k != person && other.existence > PRESENT {
                others[count] = other.mean_m;
                count += 1;
            }
        }
        // The first explains what the model leaves over as well; a second body would always be welcome to that.
        let earlier = people[..person].iter().filter(|p| p.existence > PRESENT).count();
        let hypothesis = &mut people[person];
        let weight = self.config.tempering * share;
        if weight == 0.0 || prior <= 0.0 {
            hypothesis.existence = prior;
            hypothesis.density.copy_from_slice(predicted);
            hypothesis.mean_m = self.field.moments(&hypothesis.density).0;
            return;
        }
        let cost = weight * self.config.crowd_cost * earlier as f64 * likelihood.deviations() as f64;
        if count == 0 {
            likelihood.ratios_alone(weight, ratios);
        } else {
            let likely = environments.map(|p| p > UNLIKELY);
            likelihood.ratios_beside(&others[..count], likely, weight, ratios);
        }
        let (peak, totals) = weigh(predicted, ratios, environments, work);
        let mut total = 0.0;
        for &mass in work.iter() {
            total += mass;
        }
        if total > 0.0 {
            for (d, &mass) in hypothesis.density.iter_mut().zip(work.iter()) {
                *d = mass / total;
            }
            let odds =
                math::ln(prior / (1.0 - math::min_f64(prior, 1.0 - 1e-9))) + peak + math::ln(total) - cost;
            let odds = math::max_f64(-LIMIT, math::min_f64(LIMIT, odds));
            hypothesis.existence = 1.0 / (1.0 + math::exp(-odds));
        }
        hypothesis.mean_m = self.field.moments(&hypothesis.density).0;
        if count == 0 {
            learn_environment(prior, peak, &totals, dt_s / self.config.mean_stay_s, environments);
        }
    }

    /// Fills `state.predicted` with where a person will be, given that he is; the probability that he is.
    fn predict(&self, person: usize, dt_s: f64, share: f64, state: &mut State) -> f64 {
        let config = &self.config;
        let Hypothesis { existence, density, .. } = &state.people[person];
        let stay = existence * math::exp(-dt_s / config.mean_stay_s);
        let come = (1.0 - existence) * (1.0 - math::exp(-dt_s / config.mean_entry_s));
        let prior = stay + come;
        let variance_m2 = config.diffusion_m2_s * dt_s;
        // The doubt about a place outside goes with every independent piece of evidence: the model's error is there each
        // time. Steps without any don't repeat it, so that it does not depend on how often the filter is called.
        let outside = math::pow(config.outside_weight, share);
        self.field.diffuse(variance_m2, outside, density, &mut state.work, &mut state.predicted);
        let relocated = 1.0 - math::exp(-dt_s / config.mean_relocation_s);
        let kept = if prior > 0.0 { stay * (1.0 - relocated) / prior } else { 0.0 };
        for (p, &born) in state.predicted.iter_mut().zip(&self.field.prior) {
            *p = kept * *p + (1.0 - kept) * born;
        }
        prior
    }

    fn report(&self, state: &mut State) {
        let State { people, held_detections: detections, .. } = state;
        detections.clear();
        for person in people.iter() {
            if person.existence <= PRESENT {
                continue;
            }
            let inside = self.field.inside(&person.density);
            let existence = person.existence * inside;
            if existence <= PRESENT {
                continue;
            }
            let (mean_m, spread_m2) = self.field.moments(&person.density);
            let body_m2 = self.config.body_sigma_m * self.config.body_sigma_m;
            let height_m2 = self.config.body_centre_sigma_m * self.config.body_centre_sigma_m;
            let mut covariance_m2 = [[0.0; 3]; 3];
            for r in 0..2 {
                for c in 0..2 {
                    covariance_m2[r][c] = spread_m2[r][c];
                }
                covariance_m2[r][r] += body_m2 + self.field.pitch_m * self.field.pitch_m / 12.0;
            }
            covariance_m2[2][2] = height_m2;
            let height_m = self.room.min_m[2] + self.config.body_centre_height_m;
            let odds = math::ln(existence / (1.0 - math::min_f64(existence, 1.0 - 1e-9)));
            let detection = Detection {
                position_m: [mean_m[0], mean_m[1], math::min_f64(height_m, self.room.max_m[2])],
                covariance_m2,
                strength: math::sqrt(2.0 * math::max_f64(0.0, odds)),
            };
            let place = detections.partition_point(|d| d.strength >= detection.strength);
            detections.insert(place, detection);
        }
    }
}

/// Weighs `predicted` by the ratios into `work`, with the environments averaged over: the greatest ratio, which is taken out
/// (one scale for both environments keeps their comparison), and the mass under each environment.
fn weigh(
    predicted: &[f64],
    ratios: &[Vec<f64>; ENVIRONMENTS],
    environments: &[f64; ENVIRONMENTS],
    work: &mut [f64],
) -> (f64, [f64; ENVIRONMENTS]) {
    let mut peak = f64::MIN;
    for ratio in ratios {
        for &value in ratio {
            peak = math::max_f64(peak, value);
        }
    }
    let mut totals = [0.0; ENVIRONMENTS];
    work.fill(0.0);
    for (e, total) in totals.iter_mut().enumerate() {
        for c in 0..work.len() {
            let below = ratios[e][c] - peak;
            if below > NEGLIGIBLE_LN {
                let mass = predicted[c] * math::exp(below);
                *total += mass;
                work[c] += environments[e] * mass;
            }
        }
    }
    (peak, totals)
}

/// Bayes over the environments by the evidence of a cycle, with a slow leak between them.
fn learn_environment(
    prior: f64,
    peak: f64,
    totals: &[f64; ENVIRONMENTS],
    leak: f64,
    environments: &mut [f64; ENVIRONMENTS],
) {
    let scale = math::exp(-math::max_f64(0.0, peak));
    let leak = math::min_f64(0.1, leak);
    let mut sum = 0.0;
    for (p, total) in environments.iter_mut().zip(totals) {
        let held = (1.0 - leak) * *p + leak / ENVIRONMENTS as f64;
        *p = held * ((1.0 - prior) * scale + prior * total * math::exp(peak) * scale);
        sum += *p;
    }
    for p in environments.iter_mut() {
        *p = if sum > 0.0 { *p / sum } else { 1.0 / ENVIRONMENTS as f64 };
    }
}

impl Canonical for PathEvidence {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { path, deviation } = self;
        out.u16(*path);
        out.f32(*deviation);
    }
}

impl Canonical for Summary {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { paths, presence, anybody, cluttered, is_step } = self;
        out.u16(*paths);
        out.f64(*presence);
        out.f64(*anybody);
        out.f64(*cluttered);
        out.bool(*is_step);
    }
}
