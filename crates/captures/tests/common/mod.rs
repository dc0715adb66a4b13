//! What several test files use: a random number generator, encoders of every format (written from the byte tables of
//! `docs/captures.md`, not from the readers), the recordings.
#![allow(dead_code)]

use std::path::PathBuf;
use wavewitness_captures::{CaptureFrame, Fault, Format, Phy, Reader, tones};

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
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }
    /// An integer of `-limit..limit`.
    pub fn count(&mut self, limit: i32) -> i32 {
        self.below(2 * limit as usize) as i32 - limit
    }
    /// `n` pairs of such integers.
    pub fn pairs(&mut self, n: usize, limit: i32) -> Vec<(i32, i32)> {
        (0..n).map(|_| (self.count(limit), self.count(limit))).collect()
    }
}

/// Where the recordings are; `None`, said loudly, where they are not.
pub fn recordings(folder: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var_os("WAVEWITNESS_DATA").map_or_else(|| PathBuf::from(default), PathBuf::from);
    let directory = root.join(folder);
    if directory.is_dir() {
        return Some(directory);
    }
    skipped(&format!("no recordings at {}", directory.display()));
    None
}

/// Says so past the test harness, which keeps what a passing test prints to itself.
pub fn skipped(why: &str) {
    use std::io::Write;
    std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

/// Format of a recording by its name in `parsers/`; `None` for those of other crates.
pub fn format_of(name: &str) -> Option<Format> {
    Some(match name {
        n if n.starts_with("feitcsi_") => Format::FeitCsi,
        n if n.starts_with("nexmon_") => Format::NexmonPcap,
        n if n.starts_with("intel_") || n.starts_with("csiread_5300") => Format::Intel5300,
        n if n.starts_with("csiread_atheros") => Format::Atheros,
        n if n.starts_with("pico_") || n.starts_with("csiread_picoscenes") => Format::PicoScenes,
        _ => return None,
    })
}

/// Every recording in `parsers/` that these readers are for: name and bytes, by name.
pub fn parsers() -> Vec<(String, Format, Vec<u8>)> {
    let Some(directory) = recordings("parsers") else { return Vec::new() };
    let mut all: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name()?.to_string_lossy().into_owned();
            format_of(&name).map(|format| (name, format, std::fs::read(path).unwrap()))
        })
        .collect();
    all.sort();
    all
}

/// Everything that a reader gives.
pub fn read_all(format: Format, bytes: &[u8]) -> (Vec<CaptureFrame>, Vec<Fault>) {
    let (mut frames, mut faults) = (Vec::new(), Vec::new());
    for item in Reader::new(format, bytes) {
        match item {
            Ok(frame) => frames.push(frame),
            Err(fault) => faults.push(fault),
        }
    }
    (frames, faults)
}

/// The 272-byte header of the AX200 firmware.
pub fn ax_header(rx: usize, tx: usize, words: usize, rate: u32) -> Vec<u8> {
    let mut h = vec![0u8; 272];
    h[..4].copy_from_slice(&((4 * rx * tx * words) as u32).to_le_bytes());
    h[46] = rx as u8;
    h[47] = tx as u8;
    h[52..56].copy_from_slice(&(words as u32).to_le_bytes());
    h[60] = 41;
    h[64] = 52;
    h[68..74].copy_from_slice(&[2, 4, 6, 8, 10, 12]);
    h[76] = 9;
    h[88..92].copy_from_slice(&77_000_123u32.to_le_bytes());
    h[92..96].copy_from_slice(&rate.to_le_bytes());
    h
}

/// `rate_n_flags` of a format and width.
pub fn ax_rate(phy: Phy, mhz: u16) -> u32 {
    let kind = [Phy::Legacy, Phy::Ht, Phy::Vht, Phy::He].iter().position(|&p| p == phy).unwrap() as u32 + 1;
    let width = [20, 40, 80, 160].iter().position(|&w| w == mhz).unwrap() as u32;
    0x0011_c000 | kind << 8 | width << 11 | 3
}

/// Interleaved int16 pairs.
pub fn int16_pairs(pairs: &[(i32, i32)]) -> Vec<u8> {
    pairs
        .iter()
        .flat_map(|&(re, im)| [(re as i16).to_le_bytes(), (im as i16).to_le_bytes()])
        .flatten()
        .collect()
}

/// A FeitCSI record of a full band.
pub fn feitcsi(phy: Phy, mhz: u16, rx: usize, tx: usize, pairs: &[(i32, i32)]) -> Vec<u8> {
    let words = tones::count(phy, mhz).unwrap();
    assert_eq!(pairs.len(), rx * tx * words);
    [ax_header(rx, tx, words, ax_rate(phy, mhz)), int16_pairs(pairs)].concat()
}

/// Appends bits, least significant first.
#[derive(Default)]
pub struct BitWriter {
    pub bytes: Vec<u8>,
    used: usize,
}

impl BitWriter {
    pub fn put(&mut self, value: i32, width: usize) {
        for bit in 0..width {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= ((value >> bit & 1) as u8) << (self.used % 8);
            self.used += 1;
        }
    }
}

/// The packed matrix of the 5300 out of `[tone][rx][tx]`.
pub fn pack_5300(chains: usize, pairs: &[(i32, i32)]) -> Vec<u8> {
    let mut w = BitWriter::default();
    for tone in pairs.chunks(chains) {
        w.put(0b101, 3);
        for &(re, im) in tone {
            w.put(re, 8);
            w.put(im, 8);
        }
    }
    w.bytes
}

/// A record of the Linux 802.11n CSI Tool.
pub fn intel5300(rx: usize, tx: usize, antenna_sel: u8, rate: u16, pairs: &[(i32, i32)]) -> Vec<u8> {
    let packed = pack_5300(rx * tx, pairs);
    let mut body = Vec::new();
    body.extend(123_456u32.to_le_bytes());
    body.extend(777u16.to_le_bytes());
    body.extend([0, 0, rx as u8, tx as u8, 33, 0, 41, (-90i8) as u8, 38, antenna_sel]);
    body.extend((packed.len() as u16).to_le_bytes());
    body.extend(rate.to_le_bytes());
    body.extend(packed);
    framed_5300(0xbb, &body)
}

/// Any record of that tool.
pub fn framed_5300(code: u8, body: &[u8]) -> Vec<u8> {
    [&((body.len() + 1) as u16).to_be_bytes()[..], &[code], body].concat()
}

/// The packed matrix of the AR9300 out of `[tone][tx][rx]`.
pub fn pack_9300(pairs: &[(i32, i32)]) -> Vec<u8> {
    let mut w = BitWriter::default();
    for &(re, im) in pairs {
        w.put(im, 10);
        w.put(re, 10);
    }
    w.bytes
}

/// An 802.11 QoS data header.
pub fn mpdu() -> Vec<u8> {
    let mut m = vec![0x88, 0x01, 0x2c, 0];
    m.extend([1; 6]);
    m.extend([2; 6]);
    m.extend([3; 6]);
    m.extend((1234u16 << 4 | 5).to_le_bytes());
    m.extend([0; 6]);
    m
}

/// A record of the Atheros CSI Tool.
pub fn atheros(big: bool, tones: u8, rx: u8, tx: u8, pairs: &[(i32, i32)]) -> Vec<u8> {
    let put = |x: u16| if big { x.to_be_bytes() } else { x.to_le_bytes() };
    let (csi, payload) = (pack_9300(pairs), mpdu());
    let mut r = put((25 + csi.len() + payload.len()) as u16).to_vec();
    let micros = 987_654_321_012u64;
    r.extend(if big { micros.to_be_bytes() } else { micros.to_le_bytes() });
    r.extend(put(csi.len() as u16));
    r.extend(put(2437));
    r.extend([0, 0, 0x8f, u8::from(tones == 114), tones, rx, tx, 52, 38, 0x80, 36]);
    r.extend(put(payload.len() as u16));
    [r, csi, payload].concat()
}

/// A Nexmon payload: `words` in FFT order.
pub fn nexmon(chanspec: u16, chip: u16, words: &[u32]) -> Vec<u8> {
    let mut p = vec![0x11, 0x11, (-61i8) as u8, 0x88, 2, 4, 6, 8, 10, 12];
    p.extend((3551u16 << 4).to_le_bytes());
    p.extend(0x0019u16.to_le_bytes());
    p.extend(chanspec.to_le_bytes());
    p.extend(chip.to_le_bytes());
    p.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    p
}

/// An Ethernet frame with a UDP datagram; `tail` is what the link appends.
pub fn ethernet(payload: &[u8], tail: &[u8]) -> Vec<u8> {
    let udp_bytes = (payload.len() + 8) as u16;
    let mut p = vec![0xff; 6];
    p.extend([1; 6]);
    p.extend([8, 0, 0x45, 0]);
    p.extend((udp_bytes + 20).to_be_bytes());
    p.extend([0, 0, 0, 0, 1, 17, 0, 0, 10, 10, 10, 10, 255, 255, 255, 255]);
    p.extend(5500u16.to_be_bytes());
    p.extend(5500u16.to_be_bytes());
    p.extend(udp_bytes.to_be_bytes());
    p.extend([0, 0]);
    [&p[..], payload, tail].concat()
}

/// A classic pcap file.
pub fn pcap(big: bool, nanos: bool, packets: &[Vec<u8>]) -> Vec<u8> {
    let put = |x: u32| if big { x.to_be_bytes() } else { x.to_le_bytes() };
    let mut file = put(if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }).to_vec();
    file.extend(if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
    [0, 0, 262_144, 1].iter().for_each(|&x| file.extend(put(x)));
    for packet in packets {
        [1_700_000_000, 250, packet.len() as u32, packet.len() as u32]
            .iter()
            .for_each(|&x| file.extend(put(x)));
        file.extend(packet);
    }
    file
}

fn segment(name: &str, version: u16, body: &[u8]) -> Vec<u8> {
    let mut s = ((3 + name.len() + body.len()) as u32).to_le_bytes().to_vec();
    s.push(name.len() as u8);
    s.extend(name.bytes());
    s.extend(version.to_le_bytes());
    s.extend(body);
    s
}

/// A PicoScenes frame: device, version of the CSI segment, width in MHz, `[tones, streams, rx]`, samples.
pub fn picoscenes(
    device: u16,
    version: u16,
    mhz: u16,
    shape: [usize; 3],
    antenna_sel: u8,
    samples: &[u8],
) -> Vec<u8> {
    let mut csi = device.to_le_bytes().to_vec();
    if version >= 4 {
        csi.push(67);
    }
    csi.push(1);
    csi.extend(mhz.to_le_bytes());
    csi.extend(5_180_000_000u64.to_le_bytes());
    csi.extend(20_000_000u64.to_le_bytes());
    csi.extend(312_500u32.to_le_bytes());
    csi.extend((shape[0] as u16).to_le_bytes());
    csi.extend([shape[1] as u8, shape[2] as u8, 0]);
    if version >= 3 {
        csi.extend(1u16.to_le_bytes());
    }
    csi.push(antenna_sel);
    if version >= 2 {
        csi.extend(0i16.to_le_bytes());
    }
    csi.extend((samples.len() as u32).to_le_bytes());
    csi.extend(samples);
    let mut basic = device.to_le_bytes().to_vec();
    basic.extend(55_000_000u64.to_le_bytes());
    basic.extend(5180u16.to_le_bytes());
    basic.extend([1, 20, 0, 0x90, 1, 4, 1, 0, shape[2] as u8, (-95i8) as u8, 79, 70, 60, 0x80]);
    // Length, AGC: bits 0 and 19.
    let extra = [&0x0008_0001u32.to_le_bytes()[..], &[3, 0, 40]].concat();
    let mut segments = vec![segment("RxSBasic\0", 1, &basic), segment("ExtraInfo", 1, &extra)];
    if device == 0x2000 {
        let header = ax_header(shape[2], shape[1], shape[0], 0);
        segments.push(segment("MVMExtra\0", 1, &[&[16, 1][..], &header].concat()));
    }
    segments.push(segment("Unheard-of", 9, &[1, 2, 3]));
    segments.push(segment("CSI", version, &csi));
    let body = [segments.concat(), mpdu()].concat();
    let mut frame = ((body.len() + 7) as u32).to_le_bytes().to_vec();
    frame.extend(0x2015_0315u32.to_le_bytes());
    frame.extend([1, 0, segments.len() as u8]);
    [frame, body].concat()
}

/// One valid record of every kind, as a stream of that format without a file header.
pub fn one_of_each() -> Vec<(Format, Vec<u8>)> {
    let mut r = Random(5);
    let words: Vec<u32> = (0..64).map(|_| r.bits() as u32 & 0x0fff_0fff).collect();
    vec![
        (Format::FeitCsi, feitcsi(Phy::He, 20, 2, 1, &r.pairs(484, 300))),
        (Format::Intel5300, intel5300(3, 2, 0x09, 0x0108, &r.pairs(180, 128))),
        (Format::Atheros, atheros(false, 56, 3, 2, &r.pairs(336, 512))),
        (Format::NexmonPcap, pcap(false, false, &[ethernet(&nexmon(0x100d, 0x65, &words), &[])])),
        (Format::PicoScenes, picoscenes(0x2000, 4, 20, [56, 1, 2], 0, &int16_pairs(&r.pairs(112, 300)))),
        (Format::PicoScenes, picoscenes(0x9300, 2, 20, [56, 1, 3], 0, &pack_9300(&r.pairs(168, 512)))),
        (Format::PicoScenes, picoscenes(0x5300, 2, 20, [30, 1, 2], 6, &pack_5300(2, &r.pairs(60, 128)))),
    ]
}
