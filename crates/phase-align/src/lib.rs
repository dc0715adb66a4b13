//! Per-packet common phase and timing slope: frames of one link on one gauge, and what they say in one cycle.
//!
//! A radio adds to every packet a phase that is its own (`φ`, carrier offset and synthesiser) and a timing error
//! (`τ`, symbol timing), which is a phase slope over the tones. [`Plan::align`] removes both against the link's
//! reference, on true signed tone indices and without unwrapping; [`Plan::end_cycle`] closes a cycle into one
//! [`LinkObservation`] a link. `docs/algorithms/phase-align.md` has the derivation.
//!
//! What this crate does not do: it knows no absolute phase or delay (the gauge is the link's own reference), it does
//! not compare links with each other, it does not judge whether a frame is good, and it does not decide which link a
//! frame belongs to.

mod slope;

use slope::{Alignment, Product};
use wavewitness_num::math;
use wavewitness_types::limits::{MAX_LINKS, MAX_TONES};
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{
    AlignedFrame, Baseline, CalibratedFrame, ConfigError, LinkId, LinkObservation, Samples, Timestamp,
    ToneGrid,
};

wavewitness_types::stage_config! {
    /// Phase alignment.
    pub struct Config in "phase_align" {
        /// Time constant, in seconds, of the recent mean that an observation's change is measured against.
        recent_s: f64 = 1.0, 0.1, 30.0;
        /// Time constant, in seconds, of the running reference of a link that has no baseline.
        reference_s: f64 = 10.0, 0.5, 600.0;
        /// Silence of a link, in seconds, after which its recent mean is forgotten.
        forget_s: f64 = 5.0, 0.5, 600.0;
    }
}

/// What does not change from frame to frame.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
}

/// Running references, recent means and the cycle being collected, of every link.
#[derive(Clone, Debug)]
pub struct State {
    links: Vec<LinkState>,
    observations: Vec<LinkObservation>,
    product: Product,
}

/// A mean with exponential forgetting by time.
#[derive(Clone, Debug)]
struct Mean {
    samples: Samples,
    /// Observations in it.
    count: u32,
}

#[derive(Clone, Debug)]
struct LinkState {
    /// The running reference; a gauge only while its count is 0.
    reference: Mean,
    has_reference: bool,
    recent: Mean,
    last: Timestamp,
    /// When the baseline that gives the gauge was completed.
    gauge: Option<Timestamp>,
    cycle: Cycle,
}

/// Sums over the frames of the cycle.
#[derive(Clone, Debug)]
struct Cycle {
    frames: u16,
    newest: Timestamp,
    grid: ToneGrid,
    sum_re: Vec<f64>,
    sum_im: Vec<f64>,
    energy: f64,
    rssi: (i32, u16),
    noise: (i32, u16),
}

impl Plan {
    /// Checks the configuration.
    ///
    /// # Errors
    /// If a value is out of range.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        config.check()?;
        Ok(Plan { config: config.clone() })
    }

    /// Aligns one frame with its link's reference and adds it to the link's cycle. The reference is the baseline's mean
    /// where there is one on the same tones, else the link's running mean, else (a link's first frame) the frame itself.
    ///
    /// The reference does not move within a cycle, so the order of a cycle's frames matters only to rounding, and to
    /// which frame is a link's very first: feed a cycle in canonical order.
    ///
    /// # Panics
    /// If the link's id is not below [`MAX_LINKS`]: ids are dense.
    pub fn align(
        &self,
        frame: CalibratedFrame,
        baseline: Option<&Baseline>,
        state: &mut State,
    ) -> AlignedFrame {
        let State { links, product, .. } = state;
        let link = &mut links[frame.link.index()];
        let CalibratedFrame { at, link: id, radio, power_db, mut samples } = frame;
        let grid = samples.grid();
        if link.reference.samples.grid() != grid {
            link.restart(grid);
        }
        let baseline = baseline.filter(|b| b.mean.grid() == grid);
        link.adopt_gauge(baseline, product);
        let alignment = match baseline {
            Some(b) => product.align(&b.mean, &samples),
            None if link.has_reference => product.align(&link.reference.samples, &samples),
            None => product.own_gauge(&samples),
        };
        alignment.remove_from(&mut samples);
        if !link.has_reference {
            // The gauge of the rest of this cycle: with count 0, `end_cycle` replaces it by the cycle's mean.
            link.reference = Mean { samples: samples.clone(), count: 0 };
            link.has_reference = true;
        }
        link.cycle.add(at, &samples, radio.rssi_dbm, radio.noise_dbm);
        let Alignment { phase, slope, correlation } = alignment;
        AlignedFrame {
            at,
            link: id,
            radio,
            power_db,
            common_phase: phase as f32,
            delay_ns: slope::delay_ns(slope, grid) as f32,
            correlation: correlation as f32,
            samples,
        }
    }

    /// Closes the cycle that ends at `at`: [`State::observations`] then holds one entry for each link heard in it.
    pub fn end_cycle(&self, at: Timestamp, state: &mut State) {
        let State { links, observations, .. } = state;
        observations.clear();
        for (id, link) in (0u16..).zip(links) {
            if link.cycle.frames > 0 {
                observations.push(self.observe(LinkId(id), at, link));
            }
        }
    }

    fn observe(&self, id: LinkId, at: Timestamp, link: &mut LinkState) -> LinkObservation {
        let cycle = &mut link.cycle;
        // Arrival is not later than the end of the cycle; a clock that says otherwise must not reach the averages.
        let newest = if cycle.newest > at { at } else { cycle.newest };
        let (mean, scatter) = cycle.mean_and_scatter();
        let elapsed_s = newest.seconds_since(link.last);
        if elapsed_s > self.config.forget_s {
            link.recent.count = 0;
        }
        let change = (link.recent.count > 0).then(|| mean.incoherence(&link.recent.samples) as f32);
        link.recent.push(&mean, elapsed_s, self.config.recent_s);
        link.reference.push(&mean, elapsed_s, self.config.reference_s);
        link.last = newest;
        let observation = LinkObservation {
            link: id,
            frames: cycle.frames,
            newest,
            mean,
            scatter,
            change,
            rssi_dbm: mean_level(cycle.rssi),
            noise_dbm: mean_level(cycle.noise),
        };
        cycle.clear();
        observation
    }
}

fn mean_level((sum, count): (i32, u16)) -> Option<f32> {
    (count > 0).then(|| (f64::from(sum) / f64::from(count)) as f32)
}

impl State {
    /// Nothing heard yet. All memory is taken here.
    pub fn new(_plan: &Plan) -> State {
        State {
            links: (0..MAX_LINKS).map(|_| LinkState::new()).collect(),
            observations: Vec::with_capacity(MAX_LINKS),
            product: Product::new(),
        }
    }

    /// One entry for each link heard in the last closed cycle, ascending in [`LinkId`].
    pub fn observations(&self) -> &[LinkObservation] {
        &self.observations
    }
}

impl Mean {
    fn none(grid: ToneGrid) -> Mean {
        Mean { samples: Samples::zero(grid), count: 0 }
    }

    /// Weight of the new value: `1 − e^{−Δt/T}`, but at least 1/n, so that the start is a plain mean of few.
    fn push(&mut self, value: &Samples, elapsed_s: f64, constant_s: f64) {
        self.count = self.count.saturating_add(1);
        let by_time = 1.0 - math::exp(-elapsed_s / constant_s);
        let weight = math::max_f64(1.0 / f64::from(self.count), by_time);
        let (re, im) = self.samples.parts_mut();
        blend(re, value.re(), weight);
        blend(im, value.im(), weight);
    }
}

fn blend(mean: &mut [f32], value: &[f32], weight: f64) {
    for (m, &v) in mean.iter_mut().zip(value) {
        *m = (f64::from(*m) + weight * (f64::from(v) - f64::from(*m))) as f32;
    }
}

impl LinkState {
    fn new() -> LinkState {
        let grid = ToneGrid::Legacy20;
        LinkState {
            reference: Mean::none(grid),
            has_reference: false,
            recent: Mean::none(grid),
            last: Timestamp(0),
            gauge: None,
            cycle: Cycle {
                frames: 0,
                newest: Timestamp(0),
                grid,
                sum_re: vec![0.0; MAX_TONES],
                sum_im: vec![0.0; MAX_TONES],
                energy: 0.0,
                rssi: (0, 0),
                noise: (0, 0),
            },
        }
    }

    fn restart(&mut self, grid: ToneGrid) {
        self.reference = Mean::none(grid);
        self.has_reference = false;
        self.recent = Mean::none(grid);
        self.last = Timestamp(0);
        self.gauge = None;
        self.cycle.clear();
        self.cycle.grid = grid;
    }

    /// A new baseline has its own gauge (an imported one certainly): what is remembered moves onto it, or the next
    /// `change` would be the difference of two gauges.
    fn adopt_gauge(&mut self, baseline: Option<&Baseline>, product: &mut Product) {
        let Some(b) = baseline else { return };
        if self.gauge == Some(b.completed) {
            return;
        }
        self.gauge = Some(b.completed);
        for mean in [&mut self.reference, &mut self.recent] {
            product.align(&b.mean, &mean.samples).remove_from(&mut mean.samples);
        }
    }
}

impl Cycle {
    fn clear(&mut self) {
        self.frames = 0;
        self.newest = Timestamp(0);
        self.sum_re.fill(0.0);
        self.sum_im.fill(0.0);
        self.energy = 0.0;
        self.rssi = (0, 0);
        self.noise = (0, 0);
    }

    fn add(&mut self, at: Timestamp, samples: &Samples, rssi: Option<i8>, noise: Option<i8>) {
        if self.frames == u16::MAX {
            return;
        }
        self.frames += 1;
        self.newest = self.newest.max(at);
        for (sum, &x) in self.sum_re.iter_mut().zip(samples.re()) {
            *sum += f64::from(x);
        }
        for (sum, &x) in self.sum_im.iter_mut().zip(samples.im()) {
            *sum += f64::from(x);
        }
        self.energy += wavewitness_num::sum::energy(samples.re(), samples.im());
        for (level, sum) in [(rssi, &mut self.rssi), (noise, &mut self.noise)] {
            if let Some(dbm) = level {
                sum.0 += i32::from(dbm);
                sum.1 += 1;
            }
        }
    }

    /// The mean of n frames, and `(Σ|h|² − n|h̄|²)/(n − 1)` averaged over the tones: the unbiased variance between them.
    fn mean_and_scatter(&self) -> (Samples, Option<f32>) {
        let n = f64::from(self.frames);
        let mut mean = Samples::zero(self.grid);
        let tones = self.grid.tone_count();
        let (re, im) = mean.parts_mut();
        let mut mean_energy = 0.0;
        for k in 0..tones {
            let (a, b) = (self.sum_re[k] / n, self.sum_im[k] / n);
            mean_energy += a * a + b * b;
            re[k] = a as f32;
            im[k] = b as f32;
        }
        let scatter = (self.frames >= 2).then(|| {
            let between = (self.energy - n * mean_energy) / (n - 1.0) / tones as f64;
            math::max_f64(0.0, between) as f32
        });
        (mean, scatter)
    }
}
