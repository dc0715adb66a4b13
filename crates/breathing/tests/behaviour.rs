//! Guards what the stage promises, on generated channels whose truth is known: rates are found at their sigma, noise
//! gives none, and what a receiver adds (gain, phase, timing, rhythm of packets) changes nothing.

use wavewitness_breathing::{Config, Plan, Rate, Reading, Scratch, Shape, State, Unknown};
use wavewitness_num::{C64, complex, math};
use wavewitness_types::{Canonical, Timestamp, ToneGrid};

struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    fn normal(&mut self) -> f64 {
        let r = math::sqrt(-2.0 * math::ln(1.0 - self.uniform()));
        r * math::cos(core::f64::consts::TAU * self.uniform())
    }
}

/// A scene; what is not said is harmless.
#[derive(Clone)]
struct Scene {
    seed: u64,
    rx: u32,
    tx: u32,
    bpm: f64,
    /// Power of the path off the chest over that of the static channel, and its swing in radians.
    path: f64,
    swing: f64,
    /// Share of the second harmonic in the swing.
    harmonic: f64,
    /// Noise of a tone over its mean amplitude.
    noise: f64,
    seconds: f64,
    rate_hz: f64,
    /// Jitter of the times as a share of their distance, and share of packets lost.
    jitter: f64,
    loss: f64,
    /// Gain jumps in dB (one draw a chain and packet), common phase and slope new with each packet.
    gain_db: f64,
    radio: bool,
    /// A second person, at another rate, with the same strength.
    second_bpm: f64,
    /// Step of a random walk of the static paths' phases, a packet.
    drift: f64,
}

const CALM: Scene = Scene {
    seed: 1,
    rx: 2,
    tx: 1,
    bpm: 15.0,
    path: 0.02,
    swing: 0.7,
    harmonic: 0.0,
    noise: 0.1,
    seconds: 60.0,
    rate_hz: 10.0,
    jitter: 0.0,
    loss: 0.0,
    gain_db: 0.0,
    radio: true,
    second_bpm: 0.0,
    drift: 0.0,
};

struct Bench {
    plan: Plan,
    state: State,
    scratch: Scratch,
}

impl Bench {
    fn new(rx: u32, tx: u32) -> Bench {
        let tones = ToneGrid::Ht20.indices();
        let plan = Plan::new(&Config::default(), Shape { rx, tx, tones }).unwrap();
        Bench { state: State::new(&plan), scratch: Scratch::new(&plan), plan }
    }

    /// Pushes a whole scene.
    fn play(&mut self, s: &Scene) {
        let mut rng = SplitMix(s.seed);
        let tones = ToneGrid::Ht20.indices();
        let streams = (s.rx * s.tx) as usize;
        // Three static paths and two moving ones a stream: amplitude, delay in 1/(tone spacing), phase.
        let paths: Vec<[(f64, f64, f64); 5]> = (0..streams)
            .map(|_| {
                core::array::from_fn(|p| {
                    let power = [1.0, 0.4, 0.2, s.path, if s.second_bpm > 0.0 { s.path } else { 0.0 }][p];
                    (math::sqrt(power), 0.002 + 0.03 * rng.uniform(), core::f64::consts::TAU * rng.uniform())
                })
            })
            .collect();
        let start = rng.uniform();
        let mut wander = [0.0; 3];
        let mut t = 0.0;
        let (mut re, mut im) = (Vec::new(), Vec::new());
        while t < s.seconds {
            t += (1.0 + s.jitter * (rng.uniform() - 0.5)) / s.rate_hz;
            wander.iter_mut().for_each(|w| *w += s.drift * rng.normal());
            if rng.uniform() < s.loss {
                continue;
            }
            let wave = |bpm: f64| {
                let phase = core::f64::consts::TAU * (bpm / 60.0 * t + start);
                s.swing * (math::sin(phase) + s.harmonic * math::cos(2.0 * phase))
            };
            let moving = [wander[0], wander[1], wander[2], wave(s.bpm), wave(s.second_bpm)];
            let (turn, slope) = match s.radio {
                true => (core::f64::consts::TAU * rng.uniform(), 0.1 * rng.normal()),
                false => (0.0, 0.0),
            };
            re.clear();
            im.clear();
            for stream in 0..streams {
                let gain = math::pow(10.0, s.gain_db * rng.normal() / 20.0);
                for &k in tones {
                    let mut h = C64::default();
                    for (&(a, delay, phase), m) in paths[stream].iter().zip(moving) {
                        h += complex::unit(phase + m - core::f64::consts::TAU * delay * f64::from(k)) * a;
                    }
                    h += C64::new(rng.normal(), rng.normal()) * (s.noise * 0.9);
                    h = h * complex::unit(turn + slope * f64::from(k)) * gain;
                    re.push(h.re as f32);
                    im.push(h.im as f32);
                }
            }
            assert!(self.plan.push(Timestamp((t * 1e9) as u64), &re, &im, &mut self.state));
        }
    }

    fn read(&mut self) -> Reading {
        self.plan.estimate(&self.state, &mut self.scratch)
    }
}

fn run(s: &Scene) -> Reading {
    let mut bench = Bench::new(s.rx, s.tx);
    bench.play(s);
    bench.read()
}

fn rate(s: &Scene) -> Rate {
    run(s).rate().unwrap_or_else(|| panic!("no rate at {} bpm: {:?}", s.bpm, run(s)))
}

#[test]
fn every_rate_of_the_band_is_found() {
    for (k, bpm) in [6.0, 8.3, 12.0, 15.7, 20.0, 27.1, 33.0, 40.0].into_iter().enumerate() {
        for (rx, tx) in [(1, 1), (2, 1), (3, 2)] {
            let s = Scene { bpm, rx, tx, seed: k as u64, ..CALM };
            let found = rate(&s);
            assert!((found.bpm - bpm).abs() < 4.0 * found.sigma_bpm + 0.02, "{rx}x{tx} {bpm}: {found:?}");
            assert!(found.sigma_bpm < 0.3, "{rx}x{tx} {bpm}: {found:?}");
        }
    }
}

#[test]
fn what_the_receiver_adds_changes_nothing() {
    let plain = Scene { radio: false, ..CALM };
    let expected = rate(&plain).bpm;
    let changed = [
        ("common phase and slope", Scene { radio: true, ..plain.clone() }),
        ("gain jumps", Scene { gain_db: 6.0, ..plain.clone() }),
        ("jitter", Scene { jitter: 1.5, ..plain.clone() }),
        ("a third lost", Scene { loss: 0.33, ..plain.clone() }),
        ("fast packets", Scene { rate_hz: 47.0, ..plain.clone() }),
        ("slow packets", Scene { rate_hz: 3.0, ..plain.clone() }),
        ("a strong harmonic", Scene { harmonic: 0.5, ..plain.clone() }),
        ("slow drift", Scene { drift: 0.003, ..plain }),
    ];
    for (what, s) in changed {
        let found = rate(&s);
        assert!((found.bpm - expected).abs() < 0.15, "{what}: {} against {expected}", found.bpm);
    }
}

#[test]
fn noise_gives_a_rate_as_rarely_as_designed() {
    // Without a chest. With p = 0.002 0.3 rates are expected of 150; more than 2 have a probability of 0.4 %.
    for (rx, seconds) in [(2, 60.0), (1, 40.0), (1, 20.5)] {
        let mut bench = Bench::new(rx, 1);
        let mut given = 0;
        for seed in 0..150 {
            let s = Scene { rx, seconds, seed: 1000 + seed, path: 0.0, rate_hz: 3.0, ..CALM };
            bench.state.clear();
            bench.play(&s);
            given += u32::from(bench.read().rate().is_some());
        }
        eprintln!("{rx} chains, {seconds} s: {given} of 150");
        assert!(given <= 2, "{rx} chains, {seconds} s: {given} of 150");
    }
}

#[test]
fn drift_alone_rarely_gives_a_rate() {
    // A random walk of three paths is no stationary noise, so the design does not hold: a few in a hundred.
    for (rx, drift, seconds) in [(2, 0.01, 60.0), (1, 0.03, 60.0), (2, 0.03, 30.0)] {
        let mut bench = Bench::new(rx, 1);
        let mut given = 0;
        for seed in 0..100 {
            let s = Scene { rx, drift, seconds, seed: 5000 + seed, path: 0.0, rate_hz: 3.0, ..CALM };
            bench.state.clear();
            bench.play(&s);
            given += u32::from(bench.read().rate().is_some());
        }
        eprintln!("{rx} chains, drift {drift}, {seconds} s: {given} of 100");
        assert!(given <= 6, "{rx} chains, drift {drift}, {seconds} s: {given} of 100");
    }
}

#[test]
fn two_thirds_of_the_errors_are_within_one_sigma() {
    for (rx, noise, path) in [(2, 0.3, 0.004), (1, 0.1, 0.01), (3, 0.5, 0.02)] {
        let mut bench = Bench::new(rx, 1);
        let (mut within, mut given, mut squares) = (0, 0, 0.0);
        for seed in 0..150 {
            let bpm = 9.0 + 0.137 * f64::from(seed as u32);
            let s = Scene { rx, noise, path, bpm, seed: 9000 + seed, rate_hz: 4.0, jitter: 0.5, ..CALM };
            bench.state.clear();
            bench.play(&s);
            let Some(r) = bench.read().rate() else { continue };
            let z = (r.bpm - bpm) / r.sigma_bpm;
            given += 1;
            within += u32::from(z.abs() <= 1.0);
            squares += z * z;
        }
        let share = f64::from(within) / f64::from(given);
        eprintln!("{rx} chains: {given} given, {share:.2} within, mean z² {:.2}", squares / f64::from(given));
        assert!(given >= 75, "{rx} chains: {given} of 150");
        assert!((share - 0.68).abs() <= 0.10, "{rx} chains: {share} of {given} within 1 sigma");
    }
}

#[test]
fn more_chains_see_weaker_breath() {
    let given = |rx| (0..40).filter(|&seed| run(&weak(rx, seed)).rate().is_some()).count();
    let weak_one = given(1);
    assert!(given(3) > weak_one + 5, "one chain: {weak_one} of 40, three: {}", given(3));
}

fn weak(rx: u32, seed: u64) -> Scene {
    Scene { rx, seed: 300 + seed, noise: 0.5, path: 0.004, rate_hz: 6.0, ..CALM }
}

#[test]
fn two_people_of_equal_strength_are_no_rate() {
    let mut wrong = 0;
    for seed in 0..20 {
        let s = Scene { rx: 3, second_bpm: 23.0, seed, path: 0.02, noise: 0.05, ..CALM };
        match run(&s) {
            Reading::Unknown(Unknown::Rivals) => {}
            // One may be nearer to a fade than the other: then it is that one's rate or none.
            Reading::Rate(r) => wrong += u32::from((r.bpm - 15.0).abs() > 0.5 && (r.bpm - 23.0).abs() > 0.5),
            Reading::Unknown(_) => {}
        }
    }
    assert_eq!(wrong, 0);
    let strong = Scene { rx: 3, second_bpm: 23.0, path: 0.02, noise: 0.05, ..CALM };
    let doubtful = (0..20).filter(|&seed| run(&Scene { seed, ..strong.clone() }).rate().is_none()).count();
    assert!(doubtful >= 5, "{doubtful} of 20");
}

#[test]
fn too_little_is_said_to_be_too_little() {
    assert_eq!(run(&Scene { seconds: 15.0, ..CALM }), Reading::Unknown(Unknown::TooShort));
    assert_eq!(run(&Scene { rate_hz: 1.0, ..CALM }), Reading::Unknown(Unknown::TooSparse));
    assert_eq!(run(&Scene { drift: 0.5, ..CALM }).rate(), None);
    // Two and a half breaths in the window; the harmonic at 15 is not the rate.
    let slow = Scene { seconds: 20.5, bpm: 7.5, harmonic: 0.3, path: 0.05, ..CALM };
    assert_eq!(run(&slow).rate(), None);
}

#[test]
fn hostile_packets_are_refused_and_leave_no_trace() {
    let mut bench = Bench::new(1, 1);
    bench.play(&CALM1);
    let mut before = Vec::new();
    bench.read().canonical(&mut before);
    let n = ToneGrid::Ht20.tone_count();
    let late = Timestamp(61_000_000_000);
    let ones = vec![1.0f32; n];
    for (at, re) in [
        (late, vec![0.0; n]),
        (late, vec![f32::NAN; n]),
        (late, vec![f32::INFINITY; n]),
        (late, vec![1.0; n - 1]),
        (Timestamp(0), ones.clone()),
    ] {
        let im = vec![0.0; re.len()];
        assert!(!bench.plan.push(at, &re, &im, &mut bench.state));
    }
    let mut after = Vec::new();
    bench.read().canonical(&mut after);
    assert_eq!(before, after);
    // Extreme but finite: never a value that is not.
    for (k, x) in [f32::MAX, 1e-38, f32::MIN_POSITIVE, 1.0, 1e30].into_iter().cycle().take(400).enumerate() {
        let at = Timestamp(62_000_000_000 + k as u64 * 100_000_000);
        bench.plan.push(at, &vec![x; n], &vec![0.0; n], &mut bench.state);
        bench.read().canonical(&mut after);
    }
}

const CALM1: Scene = Scene { rx: 1, ..CALM };

#[test]
fn the_same_packets_give_the_same_bytes_in_a_used_state() {
    let mut bench = Bench::new(2, 1);
    let mut bytes = |seed| {
        bench.state.clear();
        bench.play(&Scene { seed, jitter: 0.5, ..CALM });
        let mut out = Vec::new();
        bench.read().canonical(&mut out);
        out
    };
    let first = bytes(3);
    let _ = bytes(4);
    assert_eq!(first, bytes(3));
}

#[test]
fn an_estimate_divided_over_calls_is_the_same_estimate() {
    for scene in [CALM, Scene { path: 0.0, ..CALM }, Scene { second_bpm: 22.0, ..CALM }] {
        let mut bench = Bench::new(scene.rx, scene.tx);
        bench.play(&scene);
        let whole = bench.plan.estimate(&bench.state, &mut bench.scratch);
        for step in [1, 7, 64] {
            assert_eq!(bench.plan.begin(&bench.state, &mut bench.scratch), None);
            let mut calls = 0;
            let divided = loop {
                calls += 1;
                if let Some(reading) = bench.plan.advance(step, &mut bench.scratch) {
                    break reading;
                }
            };
            assert_eq!(divided, whole);
            assert!(calls > 100 / step, "{calls} calls of {step}");
            assert_eq!(bench.plan.advance(step, &mut bench.scratch), None, "nothing is under way");
        }
    }
}
