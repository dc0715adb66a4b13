//! The recordings show that the tone indices, the order of chains, the conjugation and the turning back are physically
//! right: a mistake in any of them breaks the phase, spreads the impulse response or parts what belongs together.
//! Guards what no comparison with another parser can: those take the bytes as they come.

mod common;

use common::*;
use std::f64::consts::{FRAC_PI_2, PI, TAU};
use wavewitness_captures::{CaptureFrame, Chip, Format, PhaseSense, Phy, Reason, Stream};
use wavewitness_num::complex::{arg, conj_mul, unit, widen};
use wavewitness_num::{C32, C64, math};

fn files(prefix: &str) -> Vec<(String, Vec<CaptureFrame>)> {
    let all = parsers().into_iter().filter(|(name, ..)| name.starts_with(prefix));
    all.map(|(name, format, bytes)| (name, read_all(format, &bytes).0)).collect()
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

/// Phase turn a tone, from neighbours.
fn slope(stream: &Stream<'_>) -> f64 {
    let mut sum = C64::default();
    for (k, h) in stream.tones.windows(2).zip(stream.values.windows(2)) {
        if k[1] - k[0] == 1 {
            let step = conj_mul(widen(h[0]), widen(h[1]));
            let length = math::max_f64(step.norm_sqr().sqrt(), 1e-9);
            sum += C64::new(step.re / length, step.im / length);
        }
    }
    arg(sum)
}

/// Residual phase step between two tones, slope taken out.
fn step(stream: &Stream<'_>, from: i16, to: i16, slope: f64) -> f64 {
    let at = |k: i16| widen(stream.values[stream.tones.binary_search(&k).unwrap()]);
    arg(conj_mul(at(from), at(to)) * unit(-slope * f64::from(to - from)))
}

/// `|h(τ)|²` by the inverse transform, tones weighted by a raised cosine; `cycles` is τ·spacing.
fn response(stream: &Stream<'_>, cycles: f64) -> f64 {
    let first = stream.tones[0];
    let span = f64::from(stream.tones[stream.tones.len() - 1] - first + 2);
    let (mut sum, mut turn) = (C64::default(), unit(TAU * cycles * f64::from(first)));
    let forward = unit(TAU * cycles);
    let mut tone = first;
    for (&k, &h) in stream.tones.iter().zip(stream.values) {
        while tone < k {
            turn *= forward;
            tone += 1;
        }
        let weight = 1.0 - unit(TAU * f64::from(k - first + 1) / span).re;
        sum += widen(h) * turn * weight;
    }
    sum.norm_sqr()
}

fn width(frame: &CaptureFrame) -> f64 {
    f64::from(frame.bandwidth_mhz.unwrap()) * 1e6 / frame.spacing_hz
}

/// The strongest delay, in samples of the band, to an eighth.
fn peak(stream: &Stream<'_>, width: f64) -> f64 {
    let strongest = |candidates: std::ops::RangeInclusive<i32>| {
        let levels = candidates.map(|eighths| (response(stream, f64::from(eighths) / 8.0 / width), eighths));
        levels.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1
    };
    // A lobe is four samples wide: whole samples cannot miss it.
    let whole = (-48..=48).map(|n| (response(stream, f64::from(n) / width), n));
    let coarse = 8 * whole.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1;
    f64::from(strongest(coarse - 8..=coarse + 8)) / 8.0
}

#[test]
fn intel_ax_phase_is_smooth_over_the_whole_band() {
    for (name, frames) in files("feitcsi_") {
        let frame = &frames[0];
        let mut faded = 0;
        // Chain 1 of each frame: its slope and usual power.
        let lines: Vec<(Stream<'_>, f64, f64)> = frames
            .iter()
            .map(|f| {
                let stream = f.stream(1, 0).unwrap();
                let usual = median(stream.values.iter().map(|h| f64::from(h.norm_sqr())).collect());
                (stream, slope(&stream), usual)
            })
            .collect();
        for (place, border) in frame.tones.windows(2).enumerate() {
            let (from, to) = (border[0], border[1]);
            // Pilots in between, DC, the middle of a 160 MHz band: all of them in one line. Not where it fades.
            let heard = lines.iter().filter(|(stream, _, usual)| {
                stream.values[place..place + 2].iter().all(|h| f64::from(h.norm_sqr()) > 0.1 * usual)
            });
            let steps: Vec<f64> =
                heard.map(|(stream, slope, _)| step(stream, from, to, *slope).abs()).collect();
            if steps.len() < frames.len() / 2 {
                faded += 1;
                continue;
            }
            let typical = median(steps);
            assert!(typical < 0.6, "{name}: {typical} between {from} and {to}");
        }
        assert!(10 * faded < frame.tones.len(), "{name}: {faded} tones fade");
    }
}

#[test]
fn intel_ax_has_the_standards_rotation_conjugated() {
    // Without turning back there is a step at each border: by −γ of the standard, as the values are conjugate.
    for (name, frames) in files("feitcsi_HT40").into_iter().chain(files("feitcsi_VHT40")) {
        for frame in &frames {
            assert!(frame.derotated && frame.phase_sense == PhaseSense::Established);
            let stream = frame.stream(0, 0).unwrap();
            let recorded: Vec<C32> = stream
                .tones
                .iter()
                .zip(stream.values)
                .map(|(&k, &h)| if k >= 0 { (h * C32::new(0.0, 1.0)).conj() } else { h.conj() })
                .collect();
            let raw = Stream { values: &recorded, ..stream };
            let jump = step(&raw, -2, 2, slope(&raw));
            assert!((jump + FRAC_PI_2).abs() < 0.5, "{name}: {jump}");
        }
    }
}

#[test]
fn echoes_follow_the_first_path() {
    for (name, frames) in files("feitcsi_") {
        let (mut before, mut after) = (0.0, 0.0);
        for frame in frames.iter().take(12) {
            let width = width(frame);
            for rx in 0..frame.rx {
                let stream = frame.stream(rx, 0).unwrap();
                let peak = peak(&stream, width);
                let highest = response(&stream, peak / width);
                for eighths in 16..32 {
                    let offset = f64::from(eighths) / 8.0;
                    after += response(&stream, (peak + offset) / width) / highest;
                    before += response(&stream, (peak - offset) / width) / highest;
                }
            }
        }
        println!("{name}: energy 2 to 4 samples after the peak {after:.2}, before it {before:.2}");
        assert!(after > before, "{name}");
    }
}

#[test]
fn the_impulse_response_is_short() {
    for (name, frames) in files("feitcsi_HESU") {
        let frame = &frames[0];
        let samples = width(frame);
        for rx in 0..frame.rx {
            let stream = frame.stream(rx, 0).unwrap();
            let peak = peak(&stream, samples);
            let energy = |from: i32, to: i32| -> f64 {
                (from..to).map(|n| response(&stream, (peak + f64::from(n)) / samples)).sum()
            };
            let all = energy(0, samples as i32);
            // 100 ns before the strongest path to 400 ns after it, of 12.8 µs.
            let us = samples / 12.8;
            let near = energy(-(us * 0.1) as i32, (us * 0.4) as i32 + 1);
            println!("{name}: {:.4} of the energy within 500 ns", near / all);
            assert!(near > 0.9 * all, "{name}: {}", near / all);
        }
    }
}

#[test]
fn streams_of_the_4358_are_400_ns_apart_as_the_standard_shifts_them() {
    // VHT: the second of two streams is advanced by 400 ns (802.11-2020, table 21-11): its phase turns up.
    let Some((_, frames)) = files("nexmon_example_4358").pop() else { return };
    for pair in frames.chunks(2) {
        assert_eq!([pair[0].first_stream, pair[1].first_stream], [0, 1]);
        assert_eq!(pair[0].phase_sense, PhaseSense::Established);
        let relative: Vec<C32> =
            pair[0].values.iter().zip(&pair[1].values).map(|(a, b)| a.conj() * b).collect();
        let stream = Stream { values: &relative, ..pair[0].stream(0, 0).unwrap() };
        let nanoseconds = slope(&stream) / TAU / 312_500.0 * 1e9;
        println!("4358: second stream turns up by {nanoseconds:.1} ns");
        assert!((nanoseconds - 400.0).abs() < 10.0);
    }
    // Its rotation of the 80 MHz band comes off with the format that was sent.
    let mut frame = frames[0].clone();
    let jump = |f: &CaptureFrame| {
        let stream = f.stream(0, 0).unwrap();
        step(&stream, -65, -64, slope(&stream)).abs()
    };
    assert!(jump(&frame) > PI - 0.3);
    frame.derotate(Phy::Vht);
    assert!(jump(&frame) < 0.3);
}

#[test]
fn nexmon_bins_lie_where_the_chanspec_says() {
    for (name, blocks) in [
        ("nexmon_example_4339", &[0][..]),
        ("nexmon_example_4366c0", &[0]),
        ("nexmon_example_43455c0", &[0, 1]),
    ] {
        let Some((_, frames)) = files(name).pop() else { return };
        let mut power = [0.0; 4];
        for frame in frames.iter().step_by(7) {
            assert_eq!(frame.primary_tone, Some(-96));
            for (&k, &h) in frame.tones.iter().zip(&frame.values) {
                let inside = (k + 128) % 64;
                // A legacy frame: 26 tones either side of the middle of its 20 MHz.
                if (6..=58).contains(&inside) && inside != 32 {
                    power[usize::from((k + 128).unsigned_abs()) / 64] += f64::from(h.norm_sqr());
                }
            }
        }
        let all: f64 = power.iter().sum();
        let sent: f64 = blocks.iter().map(|&b| power[b]).sum();
        println!("{name}: {:.4} of the power in the 20 MHz that were sent", sent / all);
        assert!(sent > 0.95 * all, "{name}: {power:?}");
    }
}

#[test]
fn power_of_5300_chains_is_their_antennas_rssi() {
    for (name, frames) in
        files("intel_").into_iter().chain(files("csiread_5300")).chain(files("pico_picoscenes_iwl"))
    {
        let spreads = frames.iter().filter(|f| f.rx > 1).map(|frame| {
            let differences: Vec<f64> = (0..frame.rx)
                .map(|rx| {
                    let energy: f64 = (0..frame.tx)
                        .flat_map(|tx| frame.stream(rx, tx).unwrap().values.to_vec())
                        .map(|h| f64::from(h.norm_sqr()))
                        .sum();
                    10.0 * math::log10(energy) - f64::from(frame.rssi_dbm[rx].unwrap())
                })
                .collect();
            let high = differences.iter().copied().fold(f64::MIN, |a, b| if b > a { b } else { a });
            let low = differences.iter().copied().fold(f64::MAX, |a, b| if b < a { b } else { a });
            high - low
        });
        let spread = median(spreads.collect());
        println!("{name}: power less RSSI differs by {spread:.2} dB between chains");
        // Misplaced chains differ by 4 dB and more. PicoScenes' file has a chain near saturation (gain 63).
        let limit = if name.starts_with("pico") { 6.0 } else { 1.5 };
        assert!(spread < limit, "{name}: {spread}");
    }
}

#[test]
fn gain_of_an_ar9300_chain_moves_all_its_streams() {
    let Some((_, frames)) = files("csiread_atheros").pop() else { return };
    let level = |rx: usize, tx: usize| -> Vec<f64> {
        let energy = |f: &CaptureFrame| {
            math::ln(f.stream(rx, tx).unwrap().values.iter().map(|h| f64::from(h.norm_sqr())).sum())
        };
        frames.iter().map(energy).collect()
    };
    let correlation = |a: &[f64], b: &[f64]| {
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let sum =
            |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(&x, &y)| f(x - ma, y - mb)).sum::<f64>();
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    };
    for one in 0..3 {
        for other in 0..3 {
            let together = correlation(&level(one, 0), &level(other, 1));
            assert_eq!(together > 0.95, one == other, "chains {one} and {other}: {together}");
        }
    }
}

#[test]
fn every_other_5300_recording_reads_to_its_end() {
    let mut frames = 0;
    for folder in ["gesture_5300", "breathing_human_5300", "presence_radiopoints"] {
        let Some(directory) = recordings(folder) else { return };
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            if path.extension().is_some_and(|e| e == "dat")
                && Format::detect(&bytes) == Some(Format::Intel5300)
            {
                let (read, faults) = read_all(Format::Intel5300, &bytes);
                // One of them was cut off while it was being written.
                assert!(faults.iter().all(|f| f.reason == Reason::Truncated), "{path:?}: {faults:?}");
                assert!(read.iter().all(|f| f.chip == Chip::Intel5300 && f.antennas[0].is_some()));
                frames += read.len();
            }
        }
    }
    println!("{frames} more frames of the 5300");
    assert!(frames > 10_000);
}
