//! Links with stated statistics on the air: four nodes whose frames are a fixed channel, white Gaussian noise and
//! exactly the impairments that a test asks for, in the wire format of the nodes; and what the engine publishes of them.
#![allow(dead_code, reason = "each test file uses its part")]

use wavewitness_engine::EngineConfig;
use wavewitness_fixtures::channel::{LAST_TONE, LIGHT_M_S, TONE_COUNT, Tones, add_path, entry, mean_power};
use wavewitness_fixtures::rng::Rng;
use wavewitness_fixtures::wire::{self, CsiHeader};
use wavewitness_fixtures::{Datagram, Scene, Simulation};
use wavewitness_golden::drive::{CALIBRATE_AT, Drive};
use wavewitness_types::{LinkStatus, NodeHealth, PoseFrame, Presence, Sender, Transmitter};

pub const CYCLE_NS: u64 = 50_000_000;
const CENTRE_HZ: f64 = 2.437e9;
/// One turn of phase, as a path in metres.
pub const WAVELENGTH_M: f64 = LIGHT_M_S / CENTRE_HZ;
/// Counts (rms) of a field at gain 0 dB, as the chip's gain control leaves them.
const COUNTS: f64 = 44.0;
const LEVEL_DBM: f64 = -48.0;

/// One frame of a link before it is sent. What a test does not touch is an ideal receiver in a room that stands still.
pub struct Frame {
    pub t_s: f64,
    /// Node ids, 1 to 4.
    pub tx: u8,
    pub rx: u8,
    /// Channel of unit mean power, entry k + 28 is tone k.
    pub h: Tones,
    /// White complex Gaussian noise: variance a tone.
    pub noise: f64,
    /// Common phase in turns.
    pub turns: f64,
    /// Symbol timing in nanoseconds, late is positive.
    pub timing_ns: f64,
    /// Factor on the samples, of amplitude.
    pub gain: f64,
    /// Signal strength before its jitter of 0.5 dB (normal) and rounding.
    pub level_dbm: f64,
    pub lost: bool,
}

impl Frame {
    /// Adds a path of a relative amplitude and a length in metres beyond the direct one.
    pub fn path(&mut self, amplitude: f64, metres: f64) {
        add_path(&mut self.h, CENTRE_HZ, amplitude, metres);
    }

    /// Nothing but unit noise.
    pub fn drown(&mut self) {
        self.h = silence();
        self.noise = 1.0;
    }
}

fn silence() -> Tones {
    [Default::default(); TONE_COUNT]
}

/// Four nodes as in [`Scene::mesh`] in TDMA at 20 Hz: twelve links. Each pair of nodes has a fixed channel (a direct
/// path, five echoes within 150 ns with Rayleigh amplitudes of −12 dB in the mean).
pub struct Air {
    pub scene: Scene,
    rng: Rng,
    rooms: Vec<Tones>,
    sigma: [f64; 2],
    sequence: [u32; 4],
}

impl Air {
    /// The noise of links lies evenly between two standard deviations, relative to the channel (0.1: SNR 20 dB).
    pub fn new(seed: u64, sigma: [f64; 2]) -> Air {
        let mut rng = Rng::stream(seed, 1);
        let rooms = (0..16).map(|_| room(&mut rng)).collect();
        Air { scene: Scene::mesh("air", 60), rng: Rng::stream(seed, 2), rooms, sigma, sequence: [0; 4] }
    }

    /// The datagrams of so many seconds. `world` changes frames as it likes.
    pub fn datagrams(&mut self, seconds: u64, mut world: impl FnMut(&mut Frame, &mut Rng)) -> Vec<Datagram> {
        let mut out = Vec::new();
        for slot in 0..seconds * 80 {
            let (tx, t_ns) = ((slot % 4) as u8 + 1, slot * CYCLE_NS / 4 + CYCLE_NS / 8);
            for rx in (1..=4).filter(|&rx| rx != tx) {
                let mut frame = self.frame(t_ns as f64 * 1e-9, tx, rx);
                world(&mut frame, &mut self.rng);
                if frame.lost {
                    continue;
                }
                let bytes = self.encode(&frame);
                let at = self.scene.start.plus_nanos(t_ns + 1_500_000 + 20_000 * u64::from(rx));
                out.push(Datagram { at, from: Sender { ip: [9; 16], port: 5000 + u16::from(rx) }, bytes });
            }
        }
        out
    }

    fn frame(&self, t_s: f64, tx: u8, rx: u8) -> Frame {
        let (low, high) = (tx.min(rx), tx.max(rx));
        let h = self.rooms[usize::from((low - 1) * 4 + high - 1)];
        let place = f64::from((tx - 1) * 4 + rx - 2) / 13.0;
        let sigma = self.sigma[0] + (self.sigma[1] - self.sigma[0]) * place;
        Frame {
            t_s,
            tx,
            rx,
            h,
            noise: sigma * sigma,
            turns: 0.1,
            timing_ns: 0.0,
            gain: 1.0,
            level_dbm: LEVEL_DBM,
            lost: false,
        }
    }

    fn encode(&mut self, frame: &Frame) -> Vec<u8> {
        let mut turned = silence();
        add_path(&mut turned, CENTRE_HZ, 1.0, frame.turns * WAVELENGTH_M);
        let mut timed = silence();
        add_path(&mut timed, CENTRE_HZ, 1.0, frame.timing_ns * 1e-9 * LIGHT_M_S);
        let scale = COUNTS * frame.gain;
        let sigma = (0.5 * frame.noise).sqrt();
        let mut samples = Vec::with_capacity(256);
        // Legacy field, then HT field, each in FFT order, imaginary part before real.
        for last in [26, LAST_TONE] {
            for bin in 0..64 {
                let tone: i32 = if bin < 32 { bin } else { bin - 64 };
                let k = if tone != 0 && tone.abs() <= last { Some(entry(tone)) } else { None };
                let (mut re, mut im) = (0.0, 0.0);
                if let Some(k) = k {
                    let z = frame.h[k] * turned[k] * timed[k];
                    re = (z.re + sigma * self.rng.gauss()) * scale;
                    im = (z.im + sigma * self.rng.gauss()) * scale;
                }
                samples.extend([im, re].map(|x: f64| x.round().clamp(-128.0, 127.0) as i8));
            }
        }
        let rx = usize::from(frame.rx - 1);
        let header = CsiHeader {
            node: self.scene.nodes[rx].id,
            channel_mhz: 2437,
            sequence: self.sequence[rx],
            rssi_dbm: (frame.level_dbm + 0.5 * self.rng.gauss()).round() as i8,
            noise_dbm: -95,
            transmitter: Some(self.scene.nodes[usize::from(frame.tx - 1)].mac),
            time_valid: false,
        };
        self.sequence[rx] += 1;
        wire::csi(&header, &samples)
    }
}

fn room(rng: &mut Rng) -> Tones {
    let mut h = silence();
    add_path(&mut h, CENTRE_HZ, 1.0, 0.0);
    for _ in 0..5 {
        let (a, b) = (rng.gauss(), rng.gauss());
        let amplitude = 0.25 * (0.5 * (a * a + b * b)).sqrt();
        add_path(&mut h, CENTRE_HZ, amplitude, 6.0 + 39.0 * rng.uniform());
    }
    let gain = 1.0 / mean_power(&h).sqrt();
    h.map(|z| z * gain)
}

/// The engine's defaults, but for a baseline from 5 s of quiet instead of 20 s.
pub fn config(scene: &Scene) -> EngineConfig {
    let mut config =
        EngineConfig { geometry: scene.geometry(), cycle: scene.cycle_plan(), ..EngineConfig::default() };
    config.calibration.observations = 100;
    config
}

/// What is published of datagrams, cycle by cycle with its time in seconds. The operator says at 1 s that the room is empty;
/// from [`READY_S`] on baselines and motion's quiet levels are there.
pub fn publish(
    scene: &Scene,
    config: &EngineConfig,
    datagrams: impl IntoIterator<Item = Datagram>,
) -> Vec<(f64, PoseFrame)> {
    let mut out = Vec::new();
    Drive { scene, config, calibrate_at: Some(CALIBRATE_AT), until: None }
        .run(datagrams, |end, report| out.push((end.seconds_since(scene.start), report.frame.clone())))
        .unwrap();
    out
}

/// When a collection that began at 1 s is over, with a second to settle.
pub const READY_S: f64 = 8.0;

/// The simulator's datagrams of a scene.
pub fn simulated(scene: &Scene, seed: u64) -> Vec<Datagram> {
    Simulation::new(scene, seed).collect()
}

pub fn present(frame: &PoseFrame) -> Option<bool> {
    match frame.presence {
        Presence::Known { present, .. } => Some(present),
        Presence::Unknown(_) => None,
    }
}

/// Transmitting and receiving node.
pub fn ends(link: &LinkStatus) -> (u8, u8) {
    match link.link.tx() {
        Transmitter::Node(tx) => (tx.0, link.link.rx().0),
        _ => panic!("every transmitter of these scenes is a node"),
    }
}

pub fn node(frame: &PoseFrame, id: u8) -> &NodeHealth {
    frame.nodes.iter().find(|n| n.node.0 == id).unwrap()
}

/// The frames within a time in seconds.
pub fn between(run: &[(f64, PoseFrame)], from_s: f64, until_s: f64) -> impl Iterator<Item = &PoseFrame> {
    run.iter().filter(move |(t, _)| (from_s..until_s).contains(t)).map(|(_, frame)| frame)
}
