//! RECORDED, by others: two users gesture before an Intel 5300. How well are the two told apart by what moves (Doppler
//! spectra), and by what does not (the shape of the channel, which is the room's and the session's as much as theirs)?
//!
//! Guards the page's figures loosely; `cargo test -p wavewitness-identity --test gesture_5300 -- --nocapture` prints them.
//! Both users' takes may be one session each, so every figure here is an upper bound of what identity there is in them.

mod common;

use common::scores;
use std::path::PathBuf;
use wavewitness_captures::{CaptureFrame, Format, Reader};
use wavewitness_identity::{BINS, DIM, Embedding, PARTS, similarity};
use wavewitness_num::math;

/// 3 receive antennas × 2 streams.
const STREAMS: usize = 6;
/// Frequencies: k / 3 s, up to 40 Hz.
const FREQUENCIES: usize = 120;

struct Take {
    user: usize,
    gesture: usize,
    take: usize,
    still: Embedding,
    moving: Embedding,
}

fn folder() -> Option<PathBuf> {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var_os("WAVEWITNESS_DATA").map_or_else(|| PathBuf::from(here), PathBuf::from);
    Some(root.join("gesture_5300")).filter(|p| p.is_dir())
}

/// Amplitudes `[stream][tone]` of each packet, each receive antenna at unit power: gain is not identity.
fn amplitudes(bytes: &[u8]) -> Vec<Vec<f64>> {
    let mut frame = CaptureFrame::default();
    let mut reader = Reader::new(Format::Intel5300, bytes);
    let mut out: Vec<Vec<f64>> = Vec::new();
    while let Some(read) = reader.read(&mut frame) {
        if read.is_err() || frame.rx * frame.tx != STREAMS {
            continue;
        }
        let mut packet: Vec<f64> =
            frame.values.iter().map(|z| math::hypot(f64::from(z.re), f64::from(z.im))).collect();
        let chain = packet.len() / frame.rx;
        for values in packet.chunks_exact_mut(chain) {
            let power = math::sqrt(values.iter().map(|a| a * a).sum::<f64>() / chain as f64);
            values.iter_mut().for_each(|a| *a /= math::max_f64(power, 1e-9));
        }
        out.push(packet);
    }
    out
}

/// 16 values a stream, less their mean, in the first six parts.
fn embed(blocks: &[[f64; BINS]]) -> Embedding {
    let mut values = [0.0f32; DIM];
    let mut looks = [0; PARTS];
    for (p, block) in blocks.iter().enumerate() {
        let mean = block.iter().sum::<f64>() / BINS as f64;
        looks[p] = 1;
        (0..BINS).for_each(|k| values[p * BINS + k] = (block[k] - mean) as f32);
    }
    Embedding::new(&values, looks).unwrap()
}

/// The mean channel's amplitude in 16 groups of tones.
fn still(packets: &[Vec<f64>]) -> Embedding {
    let tones = packets[0].len() / STREAMS;
    let mut blocks = [[0.0; BINS]; STREAMS];
    for packet in packets {
        for (block, stream) in blocks.iter_mut().zip(packet.chunks_exact(tones)) {
            stream.iter().enumerate().for_each(|(k, a)| block[k * BINS / tones] += a);
        }
    }
    for block in &mut blocks {
        for (g, value) in block.iter_mut().enumerate() {
            *value /= (0..tones).filter(|k| k * BINS / tones == g).count() as f64;
        }
    }
    embed(&blocks)
}

/// Logarithm of the fluctuation's power in 16 bands of a third of a hertz to 40 Hz, equal steps in the logarithm.
fn moving(packets: &[Vec<f64>]) -> Embedding {
    let (n, width) = (packets.len(), packets[0].len());
    let mut mean = vec![0.0; width];
    packets.iter().for_each(|p| mean.iter_mut().zip(p).for_each(|(m, a)| *m += a / n as f64));
    let mut blocks = [[0.0f64; BINS]; STREAMS];
    for f in 1..=FREQUENCIES {
        let (mut re, mut im) = (vec![0.0; width], vec![0.0; width]);
        for (t, packet) in packets.iter().enumerate() {
            let phase = std::f64::consts::TAU * (f * t % n) as f64 / n as f64;
            let (c, s) = (math::cos(phase), math::sin(phase));
            for k in 0..width {
                let x = packet[k] - mean[k];
                re[k] += c * x;
                im[k] += s * x;
            }
        }
        let band = (math::ln(f as f64) / math::ln(FREQUENCIES as f64 + 1.0) * BINS as f64) as usize;
        for k in 0..width {
            blocks[k * STREAMS / width][band] += re[k] * re[k] + im[k] * im[k];
        }
    }
    // Bands without a frequency take the one below.
    for block in &mut blocks {
        for b in 0..BINS {
            block[b] = if block[b] > 0.0 { math::ln(block[b]) } else { block[b - 1] };
        }
    }
    embed(&blocks)
}

fn takes(folder: &std::path::Path) -> Vec<Take> {
    let mut out = Vec::new();
    for (user, name) in ["kq", "mj"].into_iter().enumerate() {
        for gesture in 1..=6 {
            for take in 1..=10 {
                let Ok(bytes) = std::fs::read(folder.join(format!("{name}_{gesture}_{take}.dat"))) else {
                    continue;
                };
                let packets = amplitudes(&bytes);
                if packets.len() >= 2 * FREQUENCIES {
                    let (still, moving) = (still(&packets), moving(&packets));
                    out.push(Take { user, gesture, take, still, moving });
                }
            }
        }
    }
    out
}

/// Share of takes that are nearer to the other user's mean of the takes that are not of the same group.
fn error(takes: &[Take], of: impl Fn(&Take) -> &Embedding, group: impl Fn(&Take) -> usize) -> f64 {
    let mut wrong = 0;
    for one in takes {
        let mut means = [[0.0f32; DIM]; 2];
        for other in takes.iter().filter(|t| group(t) != group(one)) {
            means[other.user].iter_mut().zip(of(other).values()).for_each(|(m, v)| *m += v);
        }
        let likeness = means.map(|m| similarity(&Embedding::new(&m, *of(one).looks()).unwrap(), of(one)));
        wrong += usize::from(likeness[1 - one.user] >= likeness[one.user]);
    }
    wrong as f64 / takes.len() as f64
}

#[test]
fn two_users_by_what_moves_and_by_what_does_not() {
    let Some(folder) = folder() else {
        eprintln!("SKIPPED: gesture_5300 is not there");
        return;
    };
    let takes = takes(&folder);
    eprintln!("{} takes", takes.len());
    assert!(takes.len() > 100);
    type Of = fn(&Take) -> &Embedding;
    let kinds: [(&str, Of); 2] = [("still", |t| &t.still), ("moving", |t| &t.moving)];
    for (name, of) in kinds {
        let by_take = error(&takes, of, |t| t.take);
        let by_gesture = error(&takes, of, |t| t.gesture);
        let sessions: Vec<Vec<Embedding>> =
            (0..2).map(|u| takes.iter().filter(|t| t.user == u).map(|t| *of(t)).collect()).collect();
        eprintln!(
            "{name}: error leaving a take number out {by_take:.3}, a gesture out {by_gesture:.3}; {}",
            scores(&sessions).line("pairs of takes")
        );
        assert!(by_gesture >= by_take - 0.1 && by_take < 0.5);
    }
}
