//! What the tests share: a random number generator, frames, and the reader of the real recording.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;
use wavewitness_num::complex::unit;
use wavewitness_num::{C64, math};
use wavewitness_types::{CsiFrame, Layout, Mac, NodeId, RadioMeta, Samples, Timestamp, ToneGrid};

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Uniform in 0..1.
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        math::sqrt(-2.0 * math::ln(u)) * math::cos(core::f64::consts::TAU * v)
    }
    /// Circular complex normal of unit power.
    pub fn complex(&mut self) -> C64 {
        C64::new(self.normal(), self.normal()) * core::f64::consts::FRAC_1_SQRT_2
    }
}

/// The grid that the tests put a layout's samples on.
pub fn grid_of(layout: Layout) -> ToneGrid {
    match layout {
        Layout::Lltf64 => ToneGrid::Legacy20,
        _ => ToneGrid::Ht20,
    }
}

/// A frame of the given channel, with the gain, phase and delay that a receiver adds, in rounded counts.
pub fn frame(at_ns: u64, node: u8, layout: Layout, channel: &[C64], rng: &mut Rng, noise: f64) -> CsiFrame {
    let grid = grid_of(layout);
    let mut samples = Samples::zero(grid);
    let gain = 8.0 + 8.0 * rng.uniform();
    let phase = core::f64::consts::TAU * rng.uniform();
    let slope = 0.4 * (rng.uniform() - 0.5);
    let power: f64 = channel.iter().map(|z| z.norm_sqr()).sum::<f64>() / channel.len() as f64;
    let (re, im) = samples.parts_mut();
    for (k, &tone) in grid.indices().iter().enumerate() {
        let h = channel[k] / math::sqrt(power) + rng.complex() * noise;
        let z = h * unit(phase - slope * f64::from(tone)) * gain;
        (re[k], im[k]) = (z.re.round() as f32, z.im.round() as f32);
    }
    CsiFrame {
        at: Timestamp(at_ns),
        mesh_time: None,
        node: NodeId(node),
        sequence: 0,
        transmitter: None,
        layout,
        radio: RadioMeta::default(),
        samples,
    }
}

pub fn with_mac(mut f: CsiFrame, mac: u8) -> CsiFrame {
    f.transmitter = Some(Mac([2, 0, 0, 0, 0, mac]));
    f
}

/// A raw CSI frame of the two-node recording; `None` if the data is not here.
pub fn recording() -> Option<Vec<CsiFrame>> {
    let root = std::env::var_os("WAVEWITNESS_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join("ruview_2node/pretrain-1775182186.csi.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: no recording in {}", path.display());
        return None;
    };
    Some(
        text.lines()
            .filter(|l| l.contains("\"raw_csi\""))
            .map(|l| parse(l).expect("a row of the recording"))
            .collect(),
    )
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.split_once(&format!("\"{name}\": "))?.1;
    let end = rest.find([',', '}'])?;
    Some(rest[..end].trim_matches('"'))
}

fn parse(line: &str) -> Option<CsiFrame> {
    let seconds: f64 = field(line, "timestamp")?.parse().ok()?;
    let hex = field(line, "iq_hex")?;
    let bytes: Vec<i8> = (0..hex.len() / 2)
        .map(|k| u8::from_str_radix(&hex[2 * k..2 * k + 2], 16).map(|b| b as i8))
        .collect::<Result<_, _>>()
        .ok()?;
    // Of several fields the second is the HT one (fields follow each other in blocks of 64 tones, FFT order).
    let (layout, block) = match bytes.len() / 2 {
        64 => (Layout::Lltf64, 0),
        128 => (Layout::LltfHt20, 64),
        192 => (Layout::LltfHt20Stbc, 64),
        _ => return None,
    };
    let mut samples = Samples::zero(grid_of(layout));
    let tones = samples.grid().indices();
    let (re, im) = samples.parts_mut();
    for (k, &tone) in tones.iter().enumerate() {
        let bin = block + usize::try_from(tone.rem_euclid(64)).ok()?;
        (im[k], re[k]) = (f32::from(bytes[2 * bin]), f32::from(bytes[2 * bin + 1]));
    }
    Some(CsiFrame {
        at: Timestamp((seconds * 1e9) as u64),
        mesh_time: None,
        node: NodeId(field(line, "node_id")?.parse().ok()?),
        sequence: 0,
        transmitter: None,
        layout,
        radio: RadioMeta::default(),
        samples,
    })
}
