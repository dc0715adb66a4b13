//! Everybody in a room: one filter for each, and one that looks for somebody else.

use crate::body::{Body, LEAST_EVIDENCE};
use crate::crowd::{Crowd, Numbers};
use crate::feature::Scratch;
use crate::filter::{Sample, Surroundings};
use crate::fresnel::Fresnel;
use crate::geometry::Antenna;
use crate::path::{self, Path, READ_S, READINGS};
use crate::phase::Lost;
use crate::rays::{MOST_RAYS, Walls};
use crate::sequence::Sequence;
use crate::shade::{Reading, Shade, Shadow, trust_of};
use crate::spectrum::{Covariance, Scatter};
use crate::window::LENGTH_S;
use crate::{Config, MAX_FOLLOWED, MAX_PATHS};
use wavewitness_num::math;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{Baseline, Canonical, ConfigError, Followed, Room, Samples, Sink, Timestamp};

/// Paths below which nobody is followed.
const LEAST_PATHS: u32 = 3;
/// Time at the least evidence before a search begins anew, s.
const MOST_IDLE_S: f64 = 5.0;
/// Particles of a person at least.
const LEAST_PARTICLES: usize = 600;
/// What is worked on of a window: the filters, then the rays' phases, then nothing.
const PHASES: usize = MAX_FOLLOWED + 1;
const DONE: usize = PHASES + 1;
/// So many particles are moved, and so many cells asked what stands in the way, in the time in which one particle is weighed; and a
/// filter is begun, another is finished, phases are learnt, of each who is followed, and a window is looked at, in the time in which so
/// many are (`docs/performance.md`).
const MOVED: usize = 54;
const ASKED: usize = 9;
const BEGUN: usize = 4;
const FINISHED: usize = 19;
const LEARNT: usize = 40;
const LEARNT_OF: usize = 16;
const LOOKED: usize = 50;
/// So many fewer are weighed while another stage has much to do.
const LIGHT: usize = 30;
/// Share of the readings that is new at which somebody is as likely to stand as to walk (who stands makes less than 0.02 of it new, who
/// walks 0.1 to 0.3), what more of it says, in nats, and the most it says.
const STOOD_NEW: f64 = 0.06;
const STOOD_SLOPE: f64 = 20.0;
const STOOD_LEAST: f64 = -3.0;
/// A silence longer than this is not predicted over, s.
const LONGEST_S: f64 = 1.0;

/// The follower of one room.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    room: Room,
    fresnel: Fresnel,
}

/// Paths, filters and the sequence. All memory is taken here and in [`Plan::add_path`].
#[derive(Clone, Debug)]
pub struct State {
    paths: Vec<Path>,
    /// The last one looks for somebody else.
    bodies: Vec<Body>,
    others: Vec<Covariance>,
    shadows: Vec<Shadow>,
    without: Vec<f64>,
    sequence: Sequence,
    scratch: Scratch,
    looked: Option<Timestamp>,
    /// Whether a cycle has been left to others since all particles were weighed.
    rested: bool,
    /// What is worked on, of this window, and whether it is begun.
    next: usize,
    begun: bool,
    /// In which order the filters are: who walks goes first, since who stands is told from what the others take.
    order: [usize; MAX_FOLLOWED],
    /// How long the search has found nothing, s.
    idle_s: f64,
    /// Power of the log-likelihoods of the filter that is worked on.
    power: f64,
    numbers: u32,
    crowd: Crowd,
    lost: Lost,
    /// Time between the last two windows, s.
    since_s: f64,
    /// How many windows there were.
    windows: usize,
}

/// What a cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Paths of the present window.
    pub paths: u32,
    /// People who are followed.
    pub people: u32,
    /// Evidence that somebody else is there, nats.
    pub evidence: f64,
    /// How many there are, followed or not; `None` before anything was read of it.
    pub numbers: Option<Numbers>,
}

impl Canonical for Summary {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { paths, people, evidence, numbers } = self;
        out.u32(*paths);
        out.u32(*people);
        out.f64(*evidence);
        out.option(numbers.as_ref(), |s, n| n.canonical(s));
    }
}

impl State {
    /// Nothing heard, nobody known.
    pub fn new(plan: &Plan) -> State {
        let most = plan.config.particles.max(plan.config.search) as usize;
        State {
            paths: Vec::with_capacity(MAX_PATHS),
            bodies: (0..=MAX_FOLLOWED).map(|_| Body::new(most, MAX_PATHS)).collect(),
            others: vec![Covariance::zero(); MAX_PATHS],
            shadows: vec![Shadow::none(); MAX_PATHS],
            without: vec![0.0; MAX_PATHS],
            sequence: Sequence::new(),
            scratch: Scratch::new(),
            looked: None,
            rested: false,
            next: DONE,
            begun: false,
            order: core::array::from_fn(|k| k),
            idle_s: 0.0,
            power: 0.0,
            numbers: 0,
            crowd: Crowd::new(),
            lost: Lost::new(MOST_RAYS),
            since_s: LENGTH_S,
            windows: 0,
        }
    }

    /// How many are followed.
    fn followed(&self) -> usize {
        self.bodies[..MAX_FOLLOWED].iter().filter(|b| b.known).count()
    }

    /// Probability, by the count, that somebody is there who isn't followed.
    fn chance_of_more(&self) -> f64 {
        self.crowd.chance_of_more_than(self.followed())
    }

    /// What readings are to be trusted of whether somebody is there, 0..=1: with them, the count is.
    fn trust(&self) -> f64 {
        let (mut sum, mut count) = (0.0, 0);
        for path in self.paths.iter().filter(|p| p.is_read) {
            sum += path.reading.trust;
            count += 1;
        }
        trust_of(sum, count)
    }

    /// Probability that the search is about somebody.
    fn chance_of_search(&self) -> f64 {
        self.bodies[MAX_FOLLOWED].chance_of_more(self.trust() * self.chance_of_more())
    }
}

impl Plan {
    /// # Errors
    /// Names the parameter that is out of range.
    pub fn new(config: &Config, room: Room) -> Result<Plan, ConfigError> {
        config.check()?;
        Ok(Plan { config: config.clone(), room, fresnel: Fresnel::new() })
    }

    /// Adds the path between two antennas; `None` if there are [`MAX_PATHS`].
    pub fn add_path(&self, ends_m: [[f64; 3]; 2], state: &mut State) -> Option<u16> {
        if state.paths.len() == MAX_PATHS {
            return None;
        }
        let walls = Walls {
            room: self.room,
            reflected: self.config.wall_power,
            wavelength_m: self.config.wavelength_m,
        };
        let shade = Shade::new(ends_m, &walls, self.config.rays as usize, &self.fresnel);
        state.paths.push(Path::new(ends_m.map(|at_m| Antenna::new(at_m, &self.room)), shade));
        Some(state.paths.len() as u16 - 1)
    }

    /// Takes an aligned frame of one direction (0 or 1) of a path, in the gauge of `baseline`, which was sent at `at` (or so
    /// long after it as all others: see [`crate::Slot`]). Means over cycles won't do: a frame that is late into the next cycle
    /// makes one of two moments. False if it can't be used: no baseline with a strength, or other tones than the path's.
    pub fn observe(
        &self,
        path: u16,
        direction: usize,
        at: Timestamp,
        baseline: &Baseline,
        frame: &Samples,
        rssi_dbm: Option<f32>,
        state: &mut State,
    ) -> bool {
        let State { paths, scratch, .. } = state;
        match paths.get_mut(usize::from(path)) {
            Some(p) if direction < 2 => {
                let around = (&self.config, &self.room, &self.fresnel);
                p.observe(direction, at, baseline, frame, rssi_dbm, scratch, around)
            }
            _ => false,
        }
    }

    /// Whether [`Plan::run`] at a time closes a window or weighs particles, if somebody may be there: what else costs much can wait. A
    /// cycle without comes after every window.
    pub fn has_work(&self, at: Timestamp, state: &State) -> bool {
        state.looked.is_some_and(|then| state.next < DONE || self.is_due(at, then, state))
    }

    fn is_due(&self, at: Timestamp, looked: Timestamp, state: &State) -> bool {
        state.rested && at.seconds_since(looked) >= self.config.update_s - 0.01
    }

    /// Ends a cycle: a window closes, or the next particles of the last one are weighed. `followed` is cleared and filled with
    /// everybody who is known, as of `at`. `empty`: somebody else knows that nobody is there; then nothing is done. `light`: another
    /// stage has much to do in this cycle.
    pub fn run(
        &self,
        at: Timestamp,
        empty: bool,
        light: bool,
        state: &mut State,
        followed: &mut Vec<Followed>,
    ) -> Summary {
        followed.clear();
        if empty {
            self.forget(state);
            let paths = state.paths.iter().filter(|p| p.ring.is_full(at)).count() as u32;
            return Summary { paths, ..Summary::default() };
        }
        let all = self.config.share(state.paths.len());
        let share = if light { all - LIGHT.min(all / 2) } else { all };
        if state.next < DONE {
            self.work(state.looked.unwrap_or(at), [share; 2], state);
        } else if state.looked.is_none_or(|then| self.is_due(at, then, state)) {
            self.look(at, state);
            self.work(at, [share.saturating_sub(LOOKED), share], state);
        } else {
            state.rested = true;
        }
        let paths = state.paths.iter().filter(|p| p.window.known).count() as u32;
        self.report(at, paths, state, followed)
    }

    /// Closes a window, which is worked on if enough paths have one.
    fn look(&self, at: Timestamp, state: &mut State) {
        let since_s = state.looked.map_or(LENGTH_S, |then| at.seconds_since(then));
        state.windows += 1;
        for path in &mut state.paths {
            path.window.look(&path.ring, at);
            path.read(at, self.config.shadow, state.windows);
        }
        let is_enough = state.paths.iter().filter(|p| p.window.known).count() as u32 >= LEAST_PATHS;
        if is_enough {
            state.crowd.look(since_s, &state.paths);
        }
        (state.looked, state.since_s) = (Some(at), since_s);
        let State { order, bodies, .. } = state;
        let standing = |k: usize| bodies[k].filter.estimate.standing;
        *order = core::array::from_fn(|k| k);
        order.sort_by(|&a, &b| standing(a).total_cmp(&standing(b)));
        (state.next, state.begun, state.rested) = (if is_enough { 0 } else { DONE }, false, false);
    }

    fn forget(&self, state: &mut State) {
        for body in &mut state.bodies {
            body.known = false;
        }
        state.paths.iter_mut().for_each(Path::forget);
        state.crowd.forget();
        state.bodies[MAX_FOLLOWED].filter.particles.clear();
        (state.looked, state.next, state.begun, state.rested) = (None, DONE, false, false);
    }

    /// Weighs what is left of a cycle's share of particles, of all of it.
    fn work(&self, looked: Timestamp, [mut left, all]: [usize; 2], state: &mut State) {
        while left > 0 && state.next < DONE {
            let which = state.order.get(state.next).copied().unwrap_or(state.next);
            if which == PHASES {
                let cost = LEARNT + LEARNT_OF * state.followed();
                if left >= cost.min(all) {
                    learn(state);
                    state.next = DONE;
                }
                break;
            }
            if !state.begun {
                if !self.is_asked(which, looked, state) {
                    state.next += 1;
                    continue;
                }
                let filter = &state.bodies[which].filter;
                // It can't be done by halves.
                if left < all && cost_of(filter.particles.len(), filter.asked) > left {
                    break;
                }
                left = left.saturating_sub(self.begin(which, looked, state));
            }
            let State { paths, bodies, others, without, power, .. } = state;
            let filter = &mut bodies[which].filter;
            left -= filter.weigh(&self.around(paths), &others[..paths.len()], without, *power, left);
            if filter.is_weighed() {
                self.finish(which, state);
                (state.next, state.begun) = (state.next + 1, false);
                left = left.saturating_sub(FINISHED);
            }
        }
    }

    /// Whether a filter is asked in this window. Somebody else is looked for less often while the count says that there is nobody.
    fn is_asked(&self, which: usize, looked: Timestamp, state: &State) -> bool {
        if which < MAX_FOLLOWED {
            return state.bodies[which].known;
        }
        let probe = &state.bodies[MAX_FOLLOWED];
        state.followed() == 0
            || state.chance_of_more() > self.config.search_chance
            || looked.seconds_since(probe.at) >= self.config.search_s - 0.01
    }

    fn around<'a>(&'a self, paths: &'a [Path]) -> Surroundings<'a> {
        let scatter = Scatter::new(&self.config);
        Surroundings { config: &self.config, room: &self.room, paths, scatter }
    }

    /// Moves a filter's particles to the window's end, and adds up what everybody else shows there. Returns in the time of how many
    /// that are weighed.
    fn begin(&self, which: usize, looked: Timestamp, state: &mut State) -> usize {
        let is_alone = state.followed() <= 1 && state.chance_of_more() < 0.5;
        let searched = state.chance_of_search();
        let State { paths, bodies, others, shadows, without, sequence, .. } = state;
        let config = &self.config;
        // Everybody else: where he was in the middle of what is read (half a metre beside a ray what is taken of it turns with every
        // decimetre), what share of his spectrum counts, and the chance that he is there.
        let rest: [Option<(Sample, f32, f32)>; MAX_FOLLOWED + 1] = core::array::from_fn(|b| {
            let body = &bodies[b];
            if b == which || b < MAX_FOLLOWED && !body.known {
                return None;
            }
            let ahead_s = math::min_f64(looked.seconds_since(body.at), LONGEST_S) - 0.5 * READ_S;
            let (share, chance) =
                if b == MAX_FOLLOWED { (config.search_share as f32, searched as f32) } else { (1.0, 1.0) };
            Some((body.filter.sample(ahead_s)?, share, chance))
        });
        for (k, (path, other)) in paths.iter().zip(others.iter_mut()).enumerate() {
            let mut levels = path.window.floor;
            for level in &mut levels {
                for (bin, noise) in level.iter_mut().zip(&path.window.noise) {
                    *bin = math::max_f32(*noise, config.background as f32 * *bin);
                }
            }
            *other = Covariance::floor(&levels);
            shadows[k] = Shadow::none();
            for (body, there) in bodies.iter().zip(&rest) {
                let Some((sample, share, chance)) = there else { continue };
                other.add(&body.filter.spectrum[k], *share);
                shadows[k].add(&path.shade.among(sample), *chance);
            }
            without[k] = if path.window.known { other.clone().ln_likelihood(&path.window) } else { 0.0 };
        }
        let stood = if which == MAX_FOLLOWED { 0.0 } else { stood(paths, is_alone) };
        let body = &mut bodies[which];
        let dt_s = looked.seconds_since(body.at);
        // Windows overlap: each counts by what is new in it.
        state.power = config.temper * math::min_f64(dt_s, LENGTH_S);
        if body.filter.particles.is_empty() || dt_s > LONGEST_S && which == MAX_FOLLOWED {
            body.scatter(config, &self.room, paths, sequence);
        } else {
            body.filter.predict(math::min_f64(dt_s, LONGEST_S), config, &self.room, paths, sequence);
        }
        body.at = looked;
        state.begun = true;
        let moved = body.filter.particles.len();
        body.filter.begin(&self.around(paths), shadows, stood, state.windows, sequence);
        cost_of(moved, body.filter.asked)
    }

    fn finish(&self, which: usize, state: &mut State) {
        let State { paths, bodies, sequence, .. } = state;
        let config = &self.config;
        let body = &mut bodies[which];
        if which == MAX_FOLLOWED {
            let gained =
                body.filter.finish(config.search as usize, config.search as usize, &self.room, sequence);
            body.filter.show(&self.around(paths));
            let since = body.estimated;
            body.search(gained + body.filter.seen, config);
            let dt_s = math::min_f64(body.at.seconds_since(since), LONGEST_S);
            state.idle_s = if body.evidence <= LEAST_EVIDENCE { state.idle_s + dt_s } else { 0.0 };
            self.meet(state);
        } else {
            let gained = body.filter.finish(LEAST_PARTICLES, config.particles as usize, &self.room, sequence);
            body.learn(gained + body.filter.seen, config);
            body.filter.show(&self.around(paths));
            let unseen_s = body.at.seconds_since(body.shown);
            let is_lost = body.is_disproved(config) || unseen_s >= config.patience_s;
            // Presence speaks for who is alone, and he is nobody else seen twice.
            let is_alone = state.followed() == 1;
            state.bodies[which].known = is_alone || !is_lost;
        }
    }

    /// Takes up whoever the search found.
    fn meet(&self, state: &mut State) {
        let is_wide = path::are_wide(&state.paths);
        let wanted = self.config.wanted(state.followed(), is_wide, state.chance_of_more());
        let State { paths, bodies, sequence, idle_s, numbers, .. } = state;
        let (known, probe) = bodies.split_at_mut(MAX_FOLLOWED);
        let probe = &mut probe[0];
        if *idle_s >= MOST_IDLE_S {
            probe.scatter(&self.config, &self.room, paths, sequence);
            *idle_s = 0.0;
            return;
        }
        let e = probe.filter.estimate;
        let near = |b: &Body| b.known && b.filter.estimate.distance_m(&e) < self.config.apart_m;
        if probe.evidence < wanted || e.sd_m() > self.config.proof_sd_m || known.iter().any(near) {
            return;
        }
        if let Some(free) = known.iter_mut().find(|b| !b.known) {
            free.take_up(probe, *numbers);
            *numbers = numbers.wrapping_add(1);
            free.filter.show(&self.around(paths));
            probe.scatter(&self.config, &self.room, paths, sequence);
            *idle_s = 0.0;
        }
    }

    fn report(&self, at: Timestamp, paths: u32, state: &State, followed: &mut Vec<Followed>) -> Summary {
        let evidence = state.bodies[MAX_FOLLOWED].evidence;
        let numbers = state.crowd.numbers().filter(|_| paths >= LEAST_PATHS);
        let mut summary = Summary { paths, evidence, people: 0, numbers };
        let more = state.chance_of_more();
        for body in state.bodies[..MAX_FOLLOWED].iter().filter(|b| b.known && b.travelled) {
            followed.push(body.report(at, more, &self.config, &self.room));
            summary.people += 1;
        }
        summary
    }
}

/// Log-likelihood ratio of somebody who stands to one who walks, by what of the readings is new: who stands changes nothing. Where others
/// may change it, it says nothing against him.
fn stood(paths: &[Path], is_alone: bool) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for path in paths.iter().filter(|p| p.is_read) {
        sum += path.reading.new;
        count += 1.0;
    }
    if count < f64::from(LEAST_PATHS) {
        return 0.0;
    }
    let ratio = STOOD_SLOPE * (STOOD_NEW - sum / count);
    math::max_f64(ratio, if is_alone { STOOD_LEAST } else { 0.0 })
}

/// Of moving so many particles and asking so many cells, in particles that are weighed.
fn cost_of(moved: usize, asked: usize) -> usize {
    BEGUN + moved / MOVED + asked / ASKED
}

/// Learns the phases of rays from where everybody was at the oldest reading that is remembered, as is believed now.
fn learn(state: &mut State) {
    if state.followed() == 0 {
        return;
    }
    let oldest = (state.windows + 1) % READINGS;
    let (more, trust) = (state.chance_of_more(), state.trust());
    // While somebody is there whom nobody follows, more likely than not, his shadows would teach what is wrong; unless the search may be
    // believed to know where.
    let alone = trust + (1.0 - trust) * math::min_f64(1.0, 2.0 * (1.0 - more));
    let chance = state.chance_of_search() as f32;
    let State { paths, bodies, lost, since_s, .. } = state;
    let (known, probe) = bodies.split_at(MAX_FOLLOWED);
    let somebody = probe[0].filter.sample(0.0);
    for path in paths {
        let reading = Reading { new: alone * path.past[oldest].new, ..path.past[oldest] };
        if reading.power <= 0.0 {
            continue;
        }
        lost.clear(path.shade.rays().count());
        for body in known.iter().filter(|b| b.known) {
            body.filter.lose(path, oldest, lost);
        }
        if let Some(sample) = &somebody {
            lost.rest.add(&path.shade.among(sample), chance);
        }
        path.shade.learn(lost, &reading, *since_s);
    }
}

#[cfg(test)]
mod tests {
    //! Guards that every window is worked off however little a cycle may weigh, what the readings' change says of standing, and that it
    //! says nothing where nothing was read.
    use super::*;

    #[test]
    fn the_least_share_of_light_cycles_ends_a_window() {
        let config = Config { per_cycle: 10, per_path: 0, ..Config::default() };
        let plan = Plan::new(&config, Room { min_m: [0.0; 3], max_m: [6.0, 5.0, 2.6] }).unwrap();
        let mut state = State::new(&plan);
        state.paths = paths(1.0, true);
        (state.looked, state.next) = (Some(Timestamp(1_000_000_000)), 0);
        let mut followed = Vec::new();
        let cycles = (0..2_000).take_while(|n| {
            plan.run(Timestamp(1_050_000_000 + n), false, true, &mut state, &mut followed);
            state.next < DONE
        });
        assert!((2..1_000).contains(&cycles.count()));
    }

    /// Paths of whose readings so much is new.
    fn paths(new: f64, is_read: bool) -> Vec<Path> {
        let mut path = Path::along_a_wall();
        path.reading.new = new;
        path.is_read = is_read;
        vec![path; 4]
    }

    #[test]
    fn who_changes_nothing_stands() {
        let ratio = |new| stood(&paths(new, true), true);
        assert!(ratio(0.0) > 1.0 && ratio(0.02) > 0.5, "{} {}", ratio(0.0), ratio(0.02));
        assert!(ratio(0.15) < -1.0 && ratio(1.0) == STOOD_LEAST, "{} {}", ratio(0.15), ratio(1.0));
    }

    #[test]
    fn others_who_walk_make_nobody_walk() {
        assert_eq!(stood(&paths(0.5, true), false), 0.0);
        assert!(stood(&paths(0.0, true), false) > 1.0, "but where nothing changes everybody stands");
    }

    #[test]
    fn without_readings_nothing_is_said() {
        assert_eq!(stood(&paths(0.0, false), true), 0.0);
        assert_eq!(stood(&paths(0.0, true)[..2], true), 0.0);
    }
}
