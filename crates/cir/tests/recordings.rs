//! Guards the estimate on channels that nobody simulated: it converges, explains most of the energy with few paths, and
//! its window holds the timing origin of real chips. Skipped, and said so, where the recordings are absent.

mod common;

use common::{observe, samples};
use std::path::PathBuf;
use wavewitness_cir::{Config, Plan, Scratch};
use wavewitness_num::C64;
use wavewitness_types::{CirEstimate, Samples, ToneGrid};

fn recording(name: &str) -> Option<Vec<u8>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var_os("WAVEWITNESS_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let bytes = std::fs::read(root.join(name)).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: no recording {name} under {}", root.display());
    }
    bytes
}

/// Legacy and HT20 training fields of an ESP32-S3 pair list: (imag, real) bytes in FFT order, 64 bins a field.
fn esp32_frames(text: &str) -> Vec<Samples> {
    let mut out = Vec::new();
    for row in text.lines().filter(|row| row.contains("\"type\": \"raw_csi\"")) {
        let hex = row.split("\"iq_hex\": \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let signed = |i: usize| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap().cast_signed();
        for (field, grid) in
            [ToneGrid::Legacy20, ToneGrid::Ht20].into_iter().enumerate().take(hex.len() / 256)
        {
            let bin = |k: i16| 2 * (64 * field + k.rem_euclid(64) as usize);
            let h: Vec<C64> = grid
                .indices()
                .iter()
                .map(|&k| C64::new(f64::from(signed(bin(k) + 1)), f64::from(signed(bin(k)))))
                .collect();
            out.push(samples(grid, &h));
        }
    }
    out
}

/// First receive chain of FeitCSI frames: 272-byte header (data length u32 at 0, tones u32 at 52), then (real, imag) i16.
fn feit_frames(bytes: &[u8], grid: ToneGrid) -> Vec<Samples> {
    let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap()) as usize;
    let (mut at, mut out) = (0, Vec::new());
    while at + 272 <= bytes.len() {
        assert_eq!(u32_at(at + 52), grid.tone_count());
        let data = &bytes[at + 272..at + 272 + u32_at(at)];
        let i16_at = |i: usize| f64::from(i16::from_le_bytes([data[2 * i], data[2 * i + 1]]));
        let h: Vec<C64> =
            (0..grid.tone_count()).map(|k| C64::new(i16_at(2 * k), i16_at(2 * k + 1))).collect();
        out.push(samples(grid, &h));
        at += 272 + data.len();
    }
    out
}

/// Prints and checks what the estimates of some frames have in common.
fn check(name: &str, frames: &[Samples], residual_limit: f32) {
    let plans = ToneGrid::ALL.map(|grid| Plan::new(&Config::default(), grid).unwrap());
    let mut scratches: Vec<Scratch> = plans.iter().map(Scratch::new).collect();
    let estimates: Vec<CirEstimate> = frames
        .iter()
        .map(|s| plans[s.grid() as usize].estimate(&observe(s.clone()), &mut scratches[s.grid() as usize]))
        .collect();
    assert!(estimates.len() >= 20, "{name}: only {} frames", estimates.len());
    let median = |value: fn(&CirEstimate) -> f32| {
        let mut all: Vec<f32> = estimates.iter().map(value).collect();
        all.sort_by(f32::total_cmp);
        all[all.len() / 2]
    };
    let converged = estimates.iter().filter(|e| e.converged).count();
    let residual = median(|e| e.residual);
    let most = estimates.iter().map(|e| e.iterations).max().unwrap();
    eprintln!(
        "{name}: {converged} of {} converged, at most {most} iterations; medians: residual {residual:.3}, paths {}, \
         dominant {:.2}, spread {:.1} ns",
        estimates.len(),
        median(|e| f32::from(e.tap_count)),
        median(|e| e.dominant_ratio),
        median(|e| e.delay_spread_ns),
    );
    assert!(converged * 1000 >= estimates.len() * 999, "{name}: {converged} of {}", estimates.len());
    assert!(residual < residual_limit, "{name}: {residual}");
}

#[test]
fn esp32_frames_are_sparse() {
    if let Some(bytes) = recording("ruview_2node/pretrain-1775182186.csi.jsonl") {
        let frames = esp32_frames(&String::from_utf8(bytes).unwrap());
        for grid in [ToneGrid::Legacy20, ToneGrid::Ht20] {
            let of_grid: Vec<Samples> =
                frames.iter().filter(|s| s.grid() == grid).step_by(4).cloned().collect();
            check(&format!("esp32-s3 {}", grid.name()), &of_grid, 0.4);
        }
    }
}

#[test]
fn intel_frames_are_sparse() {
    for (name, grid) in [
        ("feitcsi_HT20_2452", ToneGrid::Ht20),
        ("feitcsi_HT40_2452", ToneGrid::Ht40),
        ("feitcsi_HESU20_5500", ToneGrid::He20),
        ("feitcsi_HESU40_5500", ToneGrid::He40),
    ] {
        if let Some(bytes) = recording(&format!("parsers/{name}.csi")) {
            check(name, &feit_frames(&bytes, grid), 0.5);
        }
    }
}
