//! What several test files use: hexadecimal text, a random number generator, channels with known delays, recordings.
#![allow(dead_code)]

use std::path::PathBuf;
use wavewitness_ingest::layout::write_pairs;
use wavewitness_num::complex::unit;
use wavewitness_types::{CsiFrame, Layout, Samples, Sender, ToneGrid};

/// Bytes of hexadecimal text; spaces are ignored.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).expect("hex") as u8).collect();
    assert_eq!(digits.len() % 2, 0);
    digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()
}

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }
}

/// Every layout with a grid that it holds.
pub const LAYOUTS: [(Layout, ToneGrid); 12] = [
    (Layout::Lltf64, ToneGrid::Legacy20),
    (Layout::ShiftedHt20, ToneGrid::Ht20),
    (Layout::LltfHt20, ToneGrid::Ht20),
    (Layout::LltfHt20Stbc, ToneGrid::Ht20),
    (Layout::Ht20StbcSecondary, ToneGrid::Ht20),
    (Layout::LltfHt40, ToneGrid::Ht40),
    (Layout::LltfHt40Stbc, ToneGrid::Ht40),
    (Layout::ShiftedHe20, ToneGrid::He20),
    (Layout::Compact, ToneGrid::Legacy20),
    (Layout::Compact, ToneGrid::Ht20),
    (Layout::Compact, ToneGrid::Ht40),
    (Layout::Compact, ToneGrid::He20),
];

/// `H[k] = Σ a·exp(−j2π·f_k·τ)` over paths of (amplitude, delay in seconds).
pub fn channel(grid: ToneGrid, paths: &[(f64, f64)]) -> Samples {
    let mut samples = Samples::zero(grid);
    let (re, im) = samples.parts_mut();
    for k in 0..re.len() {
        for &(amplitude, delay_s) in paths {
            let turn = unit(-std::f64::consts::TAU * grid.offset_hz(k) * delay_s);
            re[k] += (amplitude * turn.re) as f32;
            im[k] += (amplitude * turn.im) as f32;
        }
    }
    samples
}

/// Pairs of a channel with two paths that no other seed has, in the FFT order of a lone legacy field.
pub fn legacy_pairs(seed: u64) -> Vec<(i8, i8)> {
    let mut random = Random(seed);
    let delay_s = 1e-9 * random.below(300) as f64;
    let mut pairs = Vec::new();
    let samples = channel(ToneGrid::Legacy20, &[(60.0, 0.0), (10.0 + random.below(30) as f64, delay_s)]);
    assert!(write_pairs(Layout::Lltf64, &samples, &mut pairs));
    pairs
}

/// Mean phase step from one tone to the next (over neighbours one spacing apart), in radians.
pub fn phase_step(frame: &CsiFrame) -> f64 {
    let s = &frame.samples;
    let (mut x, mut y) = (0.0, 0.0);
    let indices = s.grid().indices();
    for k in 1..indices.len() {
        if indices[k] == indices[k - 1] + 1 {
            let (a, b) = (f64::from(s.re()[k - 1]), f64::from(s.im()[k - 1]));
            let (c, d) = (f64::from(s.re()[k]), f64::from(s.im()[k]));
            x += a * c + b * d;
            y += a * d - b * c;
        }
    }
    wavewitness_num::math::atan2(y, x)
}

/// A sender.
pub fn sender(host: u8, port: u16) -> Sender {
    let mut ip = [0; 16];
    ip[10..12].fill(0xff);
    ip[12..].copy_from_slice(&[192, 168, 1, host]);
    Sender { ip, port }
}

/// The directory of recordings, if it is there.
pub fn recordings(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("WAVEWITNESS_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.is_dir() {
        Some(path)
    } else {
        eprintln!("SKIPPED: no recordings at {}", path.display());
        None
    }
}
