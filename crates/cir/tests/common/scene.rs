//! A simulated HT20 link, its calibration, and its gate.

use super::{Random, Ray, channel, noisy, room, samples};
use wavewitness_cir::gate::{Config, Judgement, Plan, Response, State};
use wavewitness_cir::{Config as CirConfig, Plan as CirPlan, Scratch};
use wavewitness_num::{C64, complex, math, sum::Welford};
use wavewitness_types::limits::MAX_TONES;
use wavewitness_types::{
    Baseline, Gate, GateDecision, LinkId, LinkObservation, Quiet, Samples, Timestamp, ToneGrid,
};

pub const GRID: ToneGrid = ToneGrid::Ht20;
pub const CYCLE_NS: u64 = 50_000_000;

/// One link on the air: observations at 20 Hz, of unit mean power as calibration leaves them, with the change against
/// the link's recent mean and (where asked for) the level, in whole dB with a jitter of half a dB.
pub struct Air {
    pub random: Random,
    pub recent: Option<Vec<C64>>,
    pub at: Timestamp,
    /// Level of a channel of unit mean power.
    pub level_dbm: Option<f64>,
}

impl Air {
    pub fn new(seed: u64) -> Air {
        Air { random: Random(seed), recent: None, at: Timestamp(1_000_000_000_000), level_dbm: None }
    }

    pub fn hear(&mut self, h: &[C64], snr_db: f64) -> LinkObservation {
        let now = noisy(&mut self.random, h, snr_db);
        self.observe(&now)
    }

    pub fn noise(&mut self) -> LinkObservation {
        let now: Vec<C64> = (0..GRID.tone_count()).map(|_| self.random.gaussian()).collect();
        self.observe(&now)
    }

    pub fn observe(&mut self, now: &[C64]) -> LinkObservation {
        self.at = self.at.plus_nanos(CYCLE_NS);
        let power = now.iter().map(|z| complex::abs2(*z)).sum::<f64>() / now.len() as f64;
        let now: Vec<C64> = now.iter().map(|z| z / math::sqrt(power)).collect();
        let now = now.as_slice();
        let jitter = 0.5 * core::f64::consts::SQRT_2 * self.random.gaussian().re;
        let level = self.level_dbm.map(|dbm| (dbm + 10.0 * math::log10(power) + jitter).round() as f32);
        let mean = samples(GRID, now);
        let change = self.recent.as_ref().map(|r| mean.incoherence(&samples(GRID, r)) as f32);
        let recent = self.recent.get_or_insert_with(|| now.to_vec());
        recent.iter_mut().zip(now).for_each(|(r, z)| *r += (z - *r) * 0.2);
        LinkObservation {
            link: LinkId(0),
            frames: 1,
            newest: self.at,
            mean,
            scatter: None,
            change,
            rssi_dbm: level,
            noise_dbm: None,
        }
    }
}

pub fn quiet(stats: &Welford) -> Quiet {
    let sd = math::sqrt(stats.variance().unwrap()) as f32;
    Quiet { ln_mean: stats.mean() as f32, ln_sd: math::max_f32(sd, Quiet::MIN_SD) }
}

/// A baseline as calibration makes it: mean of the observations, then their quiet statistics.
pub fn calibrate(quiet_observations: &[LinkObservation]) -> Baseline {
    let mut mean = Samples::zero(GRID);
    let share = 1.0 / quiet_observations.len() as f32;
    let (re, im) = mean.parts_mut();
    for o in quiet_observations {
        for k in 0..re.len() {
            re[k] += share * o.mean.re()[k];
            im[k] += share * o.mean.im()[k];
        }
    }
    let (mut incoherence, mut change, mut level) = (Welford::EMPTY, Welford::EMPTY, Welford::EMPTY);
    let mut variance = [0.0; MAX_TONES];
    for o in quiet_observations {
        for k in 0..GRID.tone_count() {
            let (re, im) = (o.mean.re()[k] - mean.re()[k], o.mean.im()[k] - mean.im()[k]);
            variance[k] += share * (re * re + im * im);
        }
        o.rssi_dbm.iter().for_each(|&dbm| level.push(f64::from(dbm)));
        incoherence.push(Quiet::ln(o.mean.incoherence(&mean)));
        // The first seconds, until the recent mean has settled, are not quiet statistics.
        if let Some(x) = o.change {
            change.push(Quiet::ln(f64::from(x)));
        }
    }
    Baseline {
        link: LinkId(0),
        empty_room: true,
        observations: quiet_observations.len() as u32,
        completed: quiet_observations.last().unwrap().newest,
        mean,
        variance,
        quiet_incoherence: quiet(&incoherence),
        quiet_change: quiet(&change),
        rssi_dbm: level.variance().map(|_| level.mean() as f32),
        rssi_sd_db: level.variance().map(|v| math::sqrt(v) as f32),
    }
}

/// A calibrated link in an empty room.
pub struct Scene {
    pub plan: Plan,
    pub state: State,
    pub cir: CirPlan,
    pub scratch: Scratch,
    pub air: Air,
    pub rays: Vec<Ray>,
    pub empty: Vec<C64>,
    pub snr_db: f64,
    pub baseline: Baseline,
}

impl Scene {
    pub fn new(seed: u64, snr_db: f64, config: &Config) -> Scene {
        Scene::with_level(seed, snr_db, config, None)
    }

    pub fn with_level(seed: u64, snr_db: f64, config: &Config, level_dbm: Option<f64>) -> Scene {
        let rays = room(&mut Random(seed), 6);
        let empty = channel(GRID, &rays);
        let mut air = Air { level_dbm, ..Air::new(seed + 100) };
        let heard: Vec<_> = (0..300).map(|_| air.hear(&empty, snr_db)).collect();
        let plan = Plan::new(config).unwrap();
        let state = State::new(&plan);
        let cir = CirPlan::new(&CirConfig::default(), GRID).unwrap();
        let scratch = Scratch::new(&cir);
        Scene { plan, state, cir, scratch, air, rays, empty, snr_db, baseline: calibrate(&heard[20..]) }
    }

    pub fn judge(&mut self, observation: &LinkObservation) -> GateDecision {
        self.judge_fully(observation).decision
    }

    pub fn judge_fully(&mut self, observation: &LinkObservation) -> Judgement {
        let estimate = self.cir.estimate(observation, &mut self.scratch);
        let response = Some(Response { estimate: &estimate, plan: &self.cir, scratch: &mut self.scratch });
        self.plan.run(observation, Some(&self.baseline), response, &mut self.state)
    }

    pub fn hear(&mut self, h: &[C64]) -> GateDecision {
        let o = self.air.hear(h, self.snr_db);
        self.judge(&o)
    }

    pub fn hear_empty(&mut self, cycles: usize) -> Vec<GateDecision> {
        let h = self.empty.clone();
        (0..cycles).map(|_| self.hear(&h)).collect()
    }

    /// The room with one more ray.
    pub fn with(&self, ray: Ray) -> Vec<C64> {
        let mut rays = self.rays.clone();
        rays.push(ray);
        channel(GRID, &rays)
    }
}

pub fn share(decisions: &[GateDecision], gate: Gate) -> f64 {
    decisions.iter().filter(|d| d.gate == gate).count() as f64 / decisions.len() as f64
}
