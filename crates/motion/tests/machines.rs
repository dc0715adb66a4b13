//! Guards what is taken out as a machine: a fan that starts after quiet was learned stops being motion within a stated time, a
//! person beside it does not, and nobody is taken for one, however regularly they move. On generated signals.

mod support;

use support::{Detector, Random, Room, Scene};
use wavewitness_motion::Config;
use wavewitness_num::math;

const TURN: f64 = core::f64::consts::TAU;
/// The machine runs from here.
const START_S: f64 = 8.0;

/// A fan of three blades that are not quite alike: a reflection whose phase swings by a quarter turn as a blade passes. Its speed wanders (standard deviation `wander`, 10 s).
struct Fan {
    blades_hz: f64,
    wander: f64,
    speed: f64,
    turns: f64,
}

impl Fan {
    fn new(blades_hz: f64, wander: f64) -> Fan {
        Fan { blades_hz, wander, speed: 0.0, turns: 0.0 }
    }

    fn swing(&mut self, dt: f64, random: &mut Random) -> f64 {
        self.speed += -self.speed * dt / 10.0 + self.wander * math::sqrt(0.4 * dt) * random.normal().re;
        self.turns += self.blades_hz * (1.0 + self.speed) * dt;
        0.25 * math::sin(TURN * self.turns) + 0.05 * math::sin(TURN * self.turns / 3.0)
    }
}

/// Hears the fan until `until`; `walks`: phase of a walker's path 12 dB down, in cycles.
fn hear(room: &mut Room, d: &mut Detector, fan: &mut Fan, until: f64, walks: impl Fn(f64) -> Option<f64>) {
    let mut random = Random(room.time_s.to_bits());
    let mut last = room.time_s;
    while room.time_s < until {
        // Frames come up to some milliseconds late.
        let due = room.time_s;
        room.time_s += 0.002 * random.normal().re.abs();
        let t = room.time_s;
        let swing = if t < START_S { 0.0 } else { fan.swing(t - last, &mut random) };
        last = t;
        // The fan is the first reflection, 13 to 20 dB below the direct path.
        let mover = walks(t).map(|cycles| (0.16, 45e-9, cycles));
        let frame = room.frame(Scene { drift: swing, mover }, 1.0, 0.0, 0.0);
        room.time_s = due + 1.0 / room.rate_hz;
        d.take(frame);
    }
}

/// A walker's phase, in cycles: never the same speed for long.
fn walks(t: f64) -> f64 {
    7.0 * t + 0.8 * math::sin(TURN * 0.7 * t) + 0.5 * math::sin(TURN * 1.7 * t)
}

#[test]
fn a_fan_that_starts_is_no_motion_after_twenty_seconds_and_a_walker_beside_it_is() {
    for (blades_hz, wander) in [(3.0, 0.01), (5.7, 0.002), (7.3, 0.0)] {
        let mut late = 0u32;
        for seed in 0..3 {
            let mut room = Room::new(seed + 7, 100.0, 25.0);
            let mut d = Detector::new(&Config::default());
            let mut fan = Fan::new(blades_hz, wander);
            hear(&mut room, &mut d, &mut fan, 50.0, |_| Some(0.0));
            hear(&mut room, &mut d, &mut fan, 53.0, |t| Some(walks(t - 50.0)));
            late += u32::from(d.found(50.0).is_none_or(|t| t > 0.7));
            // The walker leaves, the fan is switched off.
            d.run(&mut room, 8.0, |_| Scene { drift: 0.1, mover: Some((0.25, 45e-9, walks(3.0))) });
            let said = |from: f64, to: f64| d.said.iter().filter(move |(t, _)| (from..to).contains(t));
            let which = format!("{blades_hz} Hz, seed {seed}");
            assert!(said(0.0, START_S).all(|(_, m)| !m.moving && m.machine_z.is_none()), "{which}");
            assert!(said(START_S, 12.0).any(|(_, m)| m.moving), "{which}: nothing to find");
            assert!(said(30.0, 50.0).all(|(_, m)| !m.moving && m.machine_z.is_some()), "{which}");
            assert!(said(57.0, 61.0).all(|(_, m)| !m.moving && m.machine_z.is_none()), "{which}");
        }
        assert!(late == 0, "{blades_hz} Hz: walker late beside {late} of 3 fans");
    }
}

#[test]
fn nobody_is_a_machine() {
    type Phase = fn(f64, f64) -> f64;
    // Phases in cycles of the wave; `t` in seconds, `wobble` in −1 … 1, changing twice a second.
    let people: [(&str, Phase); 5] = [
        ("a walk across the room", |t, wobble| 8.0 * t + 0.8 * math::sin(TURN * 1.8 * t) + 0.3 * wobble),
        ("steps on a treadmill", |t, wobble| {
            0.9 * math::sin(TURN * (1.8 * t + 0.03 * wobble)) + 0.3 * wobble
        }),
        ("a hand that waves", |t, wobble| {
            1.2 * math::sin(TURN * (2.2 * t + 0.05 * wobble)) * (1.0 + 0.15 * wobble)
        }),
        ("breath, strictly in time", |t, _| 0.25 * math::sin(TURN * 0.3 * t)),
        ("deep breath at 5 GHz", |t, _| 0.6 * math::sin(TURN * 0.45 * t)),
    ];
    for (name, phase) in people {
        for seed in 0..2 {
            let mut room = Room::new(seed, 50.0, 25.0);
            let mut random = Random(seed + 31);
            let mut d = Detector::new(&Config::default());
            let (mut wobble, mut aim, mut next) = (0.0, 0.0, 0.0);
            while room.time_s < 60.0 {
                let t = room.time_s;
                if t >= next {
                    (aim, next) = (2.0 * random.uniform() - 1.0, t + 0.5);
                }
                wobble += 0.1 * (aim - wobble);
                let cycles = if t < START_S { 0.0 } else { phase(t - START_S, wobble) };
                let frame =
                    room.frame(Scene { mover: Some((0.3, 45e-9, cycles)), drift: 0.0 }, 1.0, 0.0, 0.0);
                d.take(frame);
            }
            let moved = d.said.iter().filter(|(_, m)| m.moving).count();
            assert!(moved > 800, "{name}, seed {seed}: moved in {moved} cycles");
            assert!(d.said.iter().all(|(_, m)| m.machine_z.is_none()), "{name}, seed {seed}");
        }
    }
}
