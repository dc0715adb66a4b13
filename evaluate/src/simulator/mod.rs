//! `evaluate simulator`: the room simulator beside a recording of two ESP32-S3 (`ruview_2node`) and beside closed forms of physics.
//!
//! Both sides are read from the bytes that nodes send, by the same lines, so that nothing of the hub stands between: the
//! legacy field of every frame, and when the frame arrived. What is compared:
//!
//! * **Spread**: standard deviation of 20 log₁₀|H| over the legacy tones ±2…26 (those beside DC are mutilated by chips), dB.
//! * **Slope noise**: |slope − median slope| of the phase over the tones, rad a tone; the slope is the phase of the sum of
//!   products of neighbours.
//! * **Resultant**: length of the mean unit phasor of tone 6: 0 where the common phase is random.
//! * **Arrivals**: frames a second, and the time between two of a node.
//!
//! Everything of the model is *simulated*: that it resembles a recording in these says nothing about accuracy in a real room.

mod draw;
mod physics;

use crate::plots::Drawing;
use crate::room::quantile;
use crate::{Failure, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_fixtures::crowd::{Habits, crowd};
use wavewitness_fixtures::material::by_name;
use wavewitness_fixtures::radio::Radio;
use wavewitness_fixtures::things::Piece;
use wavewitness_fixtures::{Scene, Simulation};
use wavewitness_journal::Capture;
use wavewitness_num::{C64, complex, math};
use wavewitness_types::Event;

/// Length of the simulated scenes, seconds.
const SCENE_S: u64 = 60;
/// Tone whose common phase is looked at.
const PHASE_TONE: i32 = 6;

/// One frame of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Which node.
    pub node: u8,
    /// When it arrived, seconds.
    pub seconds: f64,
    /// Its legacy field in FFT order.
    pub legacy: Vec<C64>,
}

impl Heard {
    /// Reads a channel frame of either version; `None` for anything else.
    fn read(seconds: f64, bytes: &[u8]) -> Option<Heard> {
        let magic = bytes.get(..4)?.try_into().ok().map(u32::from_le_bytes)?;
        let header = match magic {
            0xC511_0001 => 20,
            0xC511_0008 => 26,
            _ => return None,
        };
        let part = |b: u8| f64::from(b as i8);
        let pairs = bytes.get(header..header + 128)?.chunks_exact(2);
        let legacy = pairs.map(|p| C64::new(part(p[1]), part(p[0]))).collect();
        Some(Heard { node: bytes[4], seconds, legacy })
    }

    fn tone(&self, k: i32) -> C64 {
        self.legacy[k.rem_euclid(64) as usize]
    }
}

/// What is compared, of one node; lists ascend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// Frames a second.
    pub rate_hz: f64,
    /// Time between frames, milliseconds.
    pub gaps_ms: Vec<f64>,
    /// Spread over the tones, dB.
    pub spread_db: Vec<f64>,
    /// |slope − median|, rad a tone.
    pub slope: Vec<f64>,
    /// Length of the mean unit phasor.
    pub resultant: f64,
}

/// Legacy tones without those beside DC.
fn tones() -> impl Iterator<Item = i32> {
    (-26..=26).filter(|k: &i32| k.abs() >= 2)
}

impl Numbers {
    /// Of a node's frames; nothing if there are fewer than two.
    pub fn of(frames: &[Heard], node: u8) -> Numbers {
        let own: Vec<&Heard> = frames.iter().filter(|f| f.node == node).collect();
        let [first, .., last] = own[..] else { return Numbers::default() };
        let mut out = Numbers {
            rate_hz: (own.len() - 1) as f64 / (last.seconds - first.seconds),
            gaps_ms: own.windows(2).map(|w| 1e3 * (w[1].seconds - w[0].seconds)).collect(),
            ..Numbers::default()
        };
        let mut phases = C64::default();
        for f in &own {
            let db: Vec<f64> = tones().filter_map(|k| math::power_db(complex::abs2(f.tone(k)))).collect();
            let mean = db.iter().sum::<f64>() / db.len() as f64;
            let variance = db.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / db.len() as f64;
            out.spread_db.push(math::sqrt(variance));
            let mut turn = C64::default();
            for k in tones().filter(|k| !(-2..2).contains(k) && *k < 26) {
                turn += complex::conj_mul(f.tone(k), f.tone(k + 1));
            }
            out.slope.push(complex::arg(turn));
            let z = f.tone(PHASE_TONE);
            phases += z * (1.0 / math::max_f64(1e-9, complex::abs(z)));
        }
        let middle = quantile(&out.slope, 0.5);
        out.slope.iter_mut().for_each(|s| *s = math::wrap_angle(*s - middle).abs());
        out.resultant = complex::abs(phases) / own.len() as f64;
        for list in [&mut out.gaps_ms, &mut out.spread_db, &mut out.slope] {
            list.retain(|x| x.is_finite());
            list.sort_by(f64::total_cmp);
        }
        out
    }
}

/// The recording and the models, each with its name.
pub struct Comparison {
    /// Name and frames; the recording is the first.
    pub sides: Vec<(&'static str, Vec<Heard>)>,
}

/// Nodes that are compared.
pub const NODES: [u8; 2] = [1, 2];

/// Where the recording is below a folder of recordings.
fn recording(dir: &Path) -> Result<PathBuf, Failure> {
    let entries = std::fs::read_dir(dir.join("ruview_2node")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    files
        .into_iter()
        .next()
        .ok_or_else(|| Failure(format!("no ruview_2node recording below {}", dir.display())))
}

fn recorded(path: &Path) -> Result<Vec<Heard>, Failure> {
    let capture = Capture::open(path).map_err(|e| Failure(e.to_string()))?;
    let mut out = Vec::new();
    for event in capture {
        if let Event::Datagram { at, bytes, .. } = event.map_err(|e| Failure(e.to_string()))? {
            out.extend(Heard::read(at.0 as f64 * 1e-9, &bytes));
        }
    }
    Ok(out)
}

/// The recording's situation: nodes that only listen to two access points and a foreign transmitter, and two people. `hidden` puts a metal
/// cabinet before the second access point, which stands for a transmitter in another room.
fn simulated(radio: Radio, hidden: bool) -> Vec<Heard> {
    let mut scene = Scene::ambient("beside", SCENE_S).with_impairments();
    scene.radio = radio;
    scene.surfaces.order = 2;
    scene.nodes.truncate(NODES.len());
    // The recording is mostly beacons, and its firmware lets everything through.
    scene.firmware.send_gate_ns = 0;
    scene.stations.iter_mut().filter(|s| s.known).for_each(|s| s.data_hz = 1.0);
    if hidden {
        let metal = *by_name("metal").expect("metal is a material");
        scene.pieces = vec![Piece { material: metal, min_m: [0.7, 1.6, 0.0], max_m: [1.1, 3.2, 2.0] }];
    }
    scene.actors = crowd(&scene, 3, 2, Habits { sit: true, ..Habits::default() });
    let frames = Simulation::new(&scene, 2);
    frames.filter_map(|d| Heard::read(d.at.seconds_since(scene.start), &d.bytes)).collect()
}

/// Reads the recording below a folder and simulates its situation.
///
/// # Errors
/// If there is no recording, or it can't be read.
pub fn compare(dir: &Path) -> Result<Comparison, Failure> {
    Ok(Comparison {
        sides: vec![
            ("recorded", recorded(&recording(dir)?)?),
            ("model, default radio", simulated(Radio::default(), false)),
            ("model, recorded timing", simulated(Radio::recorded_timing(), false)),
            ("model, recorded timing, one transmitter hidden", simulated(Radio::recorded_timing(), true)),
        ],
    })
}

impl Comparison {
    /// As a table: a line for each side and node.
    pub fn report(&self) -> Report {
        let mut out = Report::new("simulator beside ruview_2node");
        for (name, frames) in &self.sides {
            for node in NODES {
                let n = Numbers::of(frames, node);
                let title = format!("{name}, node {node}");
                let mut row = |metric: String, value: f64, unit: &'static str| {
                    out.rows.push(Row::new(title.as_str(), metric, value, unit));
                };
                row("frames".to_owned(), n.rate_hz, "a second");
                for part in [0.05, 0.5, 0.95] {
                    row(format!("gap, {:.0} %", 100.0 * part), quantile(&n.gaps_ms, part), "ms");
                }
                for part in [0.1, 0.5, 0.9] {
                    row(format!("spread, {:.0} %", 100.0 * part), quantile(&n.spread_db, part), "dB");
                }
                for part in [0.5, 0.75, 0.97] {
                    row(
                        format!("slope noise, {:.0} %", 100.0 * part),
                        1e3 * quantile(&n.slope, part),
                        "mrad a tone",
                    );
                }
                row("resultant".to_owned(), n.resultant, "");
            }
        }
        out.notes.push("model: simulated; definitions in evaluate/src/simulator/mod.rs".to_owned());
        out
    }

    /// Distributions of the recording and of the models, and the model's physics beside closed forms.
    ///
    /// # Errors
    /// If something can't be drawn.
    pub fn draw(&self) -> Result<Vec<Drawing>, Failure> {
        Ok(vec![draw::beside(self)?, draw::physics(&physics::Curves::new())?])
    }
}

#[cfg(test)]
mod tests {
    //! Guards that the model keeps resembling the recording in what it is meant to, and that the numbers are what they say.
    use super::*;

    #[test]
    fn numbers_of_a_known_channel_are_known() {
        // Two equal frames 10 ms apart, one late by a known slope; one tone 6 dB above the others.
        let field = |slope: f64| -> Vec<C64> {
            let tone = |bin: i32| if bin < 32 { bin } else { bin - 64 };
            let z = |k: i32| complex::unit(slope * f64::from(k)) * if k == 5 { 20.0 } else { 10.0 };
            (0..64).map(|bin| z(tone(bin))).collect()
        };
        let heard = |seconds: f64, slope| Heard { node: 1, seconds, legacy: field(slope) };
        let frames = [heard(0.0, 0.01), heard(0.01, 0.01), heard(0.03, 0.04)];
        let n = Numbers::of(&frames, 1);
        assert!((n.rate_hz - 2.0 / 0.03).abs() < 1e-9);
        assert!((n.gaps_ms[0] - 10.0).abs() < 1e-9 && (n.gaps_ms[1] - 20.0).abs() < 1e-9);
        // One of 50 tones 6.02 dB off: 6.02·√(49)/50.
        assert!((n.spread_db[0] - 6.0206 * 7.0 / 50.0).abs() < 1e-3, "{:?}", n.spread_db);
        assert!((n.slope[2] - 0.03).abs() < 1e-9 && n.slope[0] < 1e-12);
        assert!((n.resultant - 1.0).abs() < 0.02);
        assert_eq!(Numbers::of(&frames, 2), Numbers::default());
    }

    #[test]
    fn the_model_stands_beside_the_recording() {
        let dir = std::env::var("WAVEWITNESS_DATA")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").to_owned());
        if recording(Path::new(&dir)).is_err() {
            eprintln!("SKIPPED: no recording ruview_2node");
            return;
        }
        let sides = compare(Path::new(&dir)).unwrap().sides;
        let ratio = |a: f64, b: f64| math::max_f64(a / b, b / a);
        for node in NODES {
            let [real, model, steady, hidden] = [0, 1, 2, 3].map(|k| Numbers::of(&sides[k].1, node));
            assert!(real.resultant < 0.1 && model.resultant < 0.1, "the common phase is random in both");
            assert!(ratio(real.rate_hz, model.rate_hz) < 1.5);
            let median = |list: &[f64]| quantile(list, 0.5);
            assert!(ratio(median(&real.gaps_ms), median(&model.gaps_ms)) < 2.0);
            assert!((median(&real.spread_db) - median(&model.spread_db)).abs() < 2.5);
            // The default timing is far worse than the recorded one; the other matches it (transmitters have slopes of their own,
            // and their mixture is part of this).
            assert!(median(&model.slope) > 4.0 * median(&real.slope));
            assert!(ratio(median(&real.slope), median(&steady.slope)) < 3.0);
            // A hidden transmitter fades deeper, at one node far more than at the other.
            assert!(quantile(&hidden.spread_db, 0.9) > 1.1 * quantile(&steady.spread_db, 0.9));
        }
    }
}
