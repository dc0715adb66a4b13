//! Every recording, frame by frame and value by value, against the readers of CSIKit and csiread (PyPI). Where those
//! are wrong the test says how, shows it, and compares the rest. Guards the interpretation of real files, which
//! constructed ones cannot.
//!
//! Needs a Python with both packages: `$WAVEWITNESS_PYTHON`, else `python3`. Without it, or without the recordings, the
//! test says SKIPPED. `cargo test -p wavewitness-captures --test reference -- --nocapture` prints the table.

mod common;

use common::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use wavewitness_captures::{CaptureFrame, Chip, Format, intel5300, tones};
use wavewitness_num::{C64, math};

/// A frame as a library sees it.
struct Theirs {
    rx: usize,
    tx: usize,
    tones: usize,
    /// Time, RSSI of three chains, noise, gain or stream, counter, scale to √SNR.
    meta: [f64; 8],
    values: Vec<C64>,
}

impl Theirs {
    fn at(&self, rx: usize, tx: usize, tone: usize) -> C64 {
        self.values[(rx * self.tx + tx) * self.tones + tone]
    }
}

fn python() -> Option<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference.py");
    let named = std::env::var_os("WAVEWITNESS_PYTHON").map(PathBuf::from);
    let found = named.into_iter().chain([PathBuf::from("python3")]).find(|python| {
        Command::new(python).args([script, "probe"]).output().is_ok_and(|o| o.status.success())
    });
    if found.is_none() {
        skipped("no python with the packages csiread and CSIKit (set WAVEWITNESS_PYTHON)");
    }
    found
}

fn ask(python: &Path, library: &str, kind: &str, name: &str, more: &[&str]) -> Vec<Theirs> {
    let file = recordings("parsers").unwrap().join(name);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference.py");
    let output = Command::new(python).args([script, library, kind]).arg(file).args(more).output().unwrap();
    assert!(output.status.success(), "{library} {name}: {}", String::from_utf8_lossy(&output.stderr));
    let mut rest = &output.stdout[..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let int = |k: usize| u32::from_le_bytes(*rest[4 * k..].first_chunk().unwrap()) as usize;
        let (rx, tx, tones) = (int(0), int(1), int(2));
        let real = |k: usize| f64::from_le_bytes(*rest[12 + 8 * k..].first_chunk().unwrap());
        let meta = std::array::from_fn(real);
        let values =
            (0..rx * tx * tones).map(|k| C64::new(real(8 + 2 * k), real(9 + 2 * k))).collect::<Vec<_>>();
        rest = &rest[12 + 64 + 16 * values.len()..];
        frames.push(Theirs { rx, tx, tones, meta, values });
    }
    frames
}

/// The value as the chip wrote it: the reader's conjugation and turning undone.
fn as_recorded(frame: &CaptureFrame, rx: usize, tx: usize, place: usize) -> C64 {
    let stream = frame.stream(rx, tx).unwrap();
    let value = stream.values[place];
    let value = C64::new(f64::from(value.re), f64::from(value.im));
    if frame.chip != Chip::IntelAx {
        return value;
    }
    let turn = [C64::new(1., 0.), C64::new(0., 1.), C64::new(-1., 0.)];
    let quarters = tones::rotation(frame.phy.unwrap(), frame.bandwidth_mhz.unwrap(), stream.tones[place]);
    (value * turn[usize::from(quarters)]).conj()
}

fn distance(a: C64, b: C64) -> f64 {
    math::max_f64((a.re - b.re).abs(), (a.im - b.im).abs())
}

/// Largest difference over all values; `their_row` maps our chain to theirs, `their_tone` a tone index to their place.
fn compare(
    ours: &[CaptureFrame],
    theirs: &[Theirs],
    their_row: impl Fn(&CaptureFrame, usize) -> usize,
    their_tone: impl Fn(&CaptureFrame, i16) -> usize,
    offset: C64,
) -> f64 {
    assert_eq!(ours.len(), theirs.len(), "frames");
    let mut largest: f64 = 0.0;
    for (frame, other) in ours.iter().zip(theirs) {
        assert_eq!((frame.rx, frame.tx), (other.rx, other.tx));
        for (rx, tx) in (0..frame.rx).flat_map(|rx| (0..frame.tx).map(move |tx| (rx, tx))) {
            for (place, &k) in frame.tones.iter().enumerate() {
                let other = other.at(their_row(frame, rx), tx, their_tone(frame, k)) - offset;
                // NaN where the library gives no value.
                if !other.re.is_nan() {
                    largest = math::max_f64(largest, distance(as_recorded(frame, rx, tx, place), other));
                }
            }
        }
    }
    largest
}

const ZERO: C64 = C64::new(0.0, 0.0);

/// Place of tone `k` in the full band of an Intel AX frame.
fn in_band(frame: &CaptureFrame, k: i16) -> usize {
    tones::occupied(frame.phy.unwrap(), frame.bandwidth_mhz.unwrap()).position(|t| t == k).unwrap()
}

fn report(name: &str, ours: usize, library: &str, theirs: usize, largest: f64, note: &str) {
    println!("{name:<68} {ours:>5} {library:>8} {theirs:>5}  {largest:<6} {note}");
}

fn feitcsi(python: &Path, name: &str, ours: &[CaptureFrame]) {
    let theirs = ask(python, "csikit", "feitcsi", name, &[]);
    let largest = compare(ours, &theirs, |_, rx| rx, in_band, ZERO);
    for (frame, other) in ours.iter().zip(&theirs) {
        assert_eq!(frame.time.unwrap().ns, other.meta[0] as u64 * 1000);
        assert_eq!([frame.rssi_dbm[0], frame.rssi_dbm[1]], [1, 2].map(|k| Some(-other.meta[k] as f32)));
        // What we call unmeasured is exactly zero in the file; what we call measured hardly ever is.
        for (rx, &k) in (0..frame.rx).flat_map(|rx| frame.unmeasured.iter().map(move |k| (rx, k))) {
            assert_eq!(other.at(rx, 0, in_band(frame, k)), ZERO);
        }
    }
    report(name, ours.len(), "CSIKit", theirs.len(), largest, "pilots, exact zeros, left out");
    assert_eq!(largest, 0.0);
}

fn intel(python: &Path, name: &str, ours: &[CaptureFrame]) {
    for library in ["csiread", "csikit"] {
        let theirs = ask(python, library, "intel", name, &[]);
        let place = |frame: &CaptureFrame, k| frame.tones.iter().position(|&t| t == k).unwrap();
        let largest = compare(ours, &theirs, |_, rx| rx, place, ZERO);
        let mut scale: f64 = 0.0;
        for (frame, other) in ours.iter().zip(&theirs) {
            let [time, a, b, c, noise, agc, count, snr] = other.meta;
            assert_eq!(frame.time.unwrap().ns, time as u64 * 1000);
            assert_eq!((frame.agc_db, frame.sequence), (Some(agc as u8), Some(count as u16)));
            assert_eq!(frame.noise_dbm, (noise != -127.0).then_some(noise as i8));
            for (chain, rssi) in [a, b, c].into_iter().enumerate() {
                assert_eq!(frame.rssi_dbm[chain], (rssi != 0.0).then_some((rssi - 44.0 - agc) as f32));
            }
            if snr.is_finite() {
                // What the library assumes where the chip gave no noise floor.
                let mine = intel5300::sqrt_snr(frame, Some(-92.0)).unwrap();
                scale = math::max_f64(scale, (mine / snr - 1.0).abs());
            }
        }
        report(name, ours.len(), library, theirs.len(), largest, &format!("√SNR scale within {scale:.0e}"));
        assert!(largest == 0.0 && scale < 1e-5);
    }
}

fn atheros(python: &Path, name: &str, ours: &[CaptureFrame]) {
    let place = |frame: &CaptureFrame, k| frame.tones.iter().position(|&t| t == k).unwrap();
    // csiread takes a tone's values for [chain][stream]. They are [stream][chain]: the gain of a chain, which changes
    // from frame to frame, moves values n and n + chains together (tests/physics.rs). Put back before comparing.
    let mut theirs = ask(python, "csiread", "atheros", name, &[]);
    for t in &mut theirs {
        let (rx, tx, n) = (t.rx, t.tx, t.tones);
        let moved = |rx_of: usize, tx_of: usize| {
            let place = tx_of * rx + rx_of;
            place * n..(place + 1) * n
        };
        let pairs = (0..rx).flat_map(|r| (0..tx).map(move |s| (r, s)));
        t.values = pairs.flat_map(|(r, s)| t.values[moved(r, s)].to_vec()).collect();
    }
    let largest = compare(ours, &theirs, |_, rx| rx, place, ZERO);
    for (frame, other) in ours.iter().zip(&theirs) {
        assert_eq!(frame.time.unwrap().ns, other.meta[0] as u64 * 1000);
        assert_eq!(frame.rssi_over_noise_db[1], Some(other.meta[2] as f32));
    }
    report(
        name,
        ours.len(),
        "csiread",
        theirs.len(),
        largest,
        "after undoing its mix-up of chains and streams",
    );
    assert_eq!(largest, 0.0);
    // CSIKit adds 1 + j to every value: ten-bit two's complement needs no such thing, and csiread has none.
    let theirs = ask(python, "csikit", "atheros", name, &[]);
    let largest = compare(ours, &theirs, |_, rx| rx, place, C64::new(1.0, 1.0));
    report(
        name,
        ours.len(),
        "CSIKit",
        theirs.len(),
        largest,
        "after taking off the 1 + j that it adds to everything",
    );
    assert_eq!(largest, 0.0);
}

fn nexmon(python: &Path, name: &str, ours: &[CaptureFrame]) {
    let mhz = ours[0].bandwidth_mhz.unwrap().to_string();
    let chip = match ours[0].chip {
        Chip::Bcm4339 => "4339",
        Chip::Bcm4358 => "4358",
        Chip::Bcm4366c0 => "4366c0",
        _ => "43455c0",
    };
    let theirs = ask(python, "csiread", "nexmon", name, &[chip, &mhz]);
    for (frame, other) in ours.iter().zip(&theirs) {
        let [time, rssi, .., stream, sequence, _] = other.meta;
        assert_eq!(frame.time.unwrap().ns, time as u64 * 1000);
        assert_eq!(frame.rssi_dbm[0], (rssi < 0.0).then_some(rssi as f32));
        assert_eq!(8 * frame.first_stream + frame.antennas[0].unwrap(), stream as u8);
        assert_eq!(frame.sequence, Some(sequence as u16 >> 4));
    }
    let place = |other: &Theirs, k: i16| usize::from(k.rem_euclid(other.tones as i16).unsigned_abs());
    if matches!(ours[0].chip, Chip::Bcm4339 | Chip::Bcm43455c0) {
        let largest = compare(ours, &theirs, |_, rx| rx, |_, k| place(&theirs[0], k), ZERO);
        let dropped: usize = ours.iter().map(|f| f.unmeasured.len()).sum();
        let note = format!("{dropped} tones that firmware memory lies over left out");
        report(name, ours.len(), "csiread", theirs.len(), largest, &note);
        assert_eq!(largest, 0.0);
        for (frame, other) in ours.iter().zip(&theirs) {
            let outside = |k: i16| distance(other.at(0, 0, place(other, k)), ZERO) > 8191.0;
            assert!(frame.unmeasured.iter().all(|&k| outside(k) || k == 2));
        }
        return;
    }
    // Both libraries shift each frame's mantissas by a common power of two and cut off what falls below 1.
    assert_eq!(ours.len(), theirs.len());
    let (mut largest, mut shifts): (f64, Vec<i32>) = (0.0, Vec::new());
    for (frame, other) in ours.iter().zip(&theirs) {
        let values = || frame.tones.iter().zip(&frame.values);
        let strongest = values().max_by(|a, b| a.1.norm_sqr().total_cmp(&b.1.norm_sqr())).unwrap();
        let theirs = other.at(0, 0, place(other, *strongest.0));
        let ratio = theirs.norm_sqr() / f64::from(strongest.1.norm_sqr());
        let shift = (math::log10(ratio) / math::log10(4.0)).round();
        shifts.push(shift as i32);
        for (&k, &value) in values() {
            let mine = C64::new(f64::from(value.re), f64::from(value.im)) * math::pow(2.0, shift);
            let cut = C64::new(mine.re.trunc(), mine.im.trunc());
            largest = math::max_f64(largest, distance(cut, other.at(0, 0, place(other, k))));
        }
    }
    let span = (shifts.iter().min().unwrap(), shifts.iter().max().unwrap());
    let note = format!("after its shift by 2^{}..{} and truncation, which we do not do", span.0, span.1);
    report(name, ours.len(), "csiread", theirs.len(), largest, &note);
    assert_eq!(largest, 0.0);
}

/// CSIKit leaves out the datagrams behind which the link recorded four more bytes, and puts empty frames at the end.
fn nexmon_of_csikit(python: &Path, ours: &[CaptureFrame]) {
    let name = "nexmon_example_43455c0.pcap";
    let theirs = ask(python, "csikit", "nexmon", name, &[]);
    let (empty, real): (Vec<_>, Vec<_>) =
        theirs.into_iter().partition(|t| t.values.iter().all(|v| *v == ZERO));
    assert_eq!((ours.len(), real.len(), empty.len()), (566, 548, 18));
    let mut left = ours.iter();
    let mut largest: f64 = 0.0;
    for other in &real {
        let frame = left.find(|f| (f.time.unwrap().ns as f64 / 1e9 - other.meta[0]).abs() < 1e-6).unwrap();
        for (&k, &value) in frame.tones.iter().zip(&frame.values) {
            let value = C64::new(f64::from(value.re), f64::from(value.im));
            let bin = usize::from(k.rem_euclid(256).unsigned_abs());
            largest = math::max_f64(largest, distance(value, other.at(0, 0, bin)));
        }
    }
    report(
        name,
        ours.len(),
        "CSIKit",
        real.len(),
        largest,
        "18 frames with a link trailer it replaces by zeros",
    );
    assert_eq!(largest, 0.0);
}

fn picoscenes(python: &Path, name: &str, ours: &[CaptureFrame]) {
    let chip = ours[0].chip;
    let place = |frame: &CaptureFrame, k: i16| match frame.chip {
        Chip::IntelAx => in_band(frame, k),
        _ => frame.tones.iter().position(|&t| t == k).unwrap(),
    };
    // csiread leaves the 5300's chains in recorded order; ours are in the order of their antennas. For two chains the
    // order of antennas in these files is always the reverse of the order of chains.
    let row = |frame: &CaptureFrame, rx: usize| {
        if frame.chip == Chip::Intel5300 { frame.rx - 1 - rx } else { rx }
    };
    let theirs = ask(python, "csiread", "picoscenes", name, &[]);
    let largest = compare(ours, &theirs, row, place, ZERO);
    for (frame, other) in ours.iter().zip(&theirs) {
        let [time, first, second, _, noise, ..] = other.meta;
        assert_eq!(frame.time.unwrap().ns, time as u64 * 1000);
        assert_eq!(frame.noise_dbm, (noise != -128.0).then_some(noise as i8));
        // Control frames have none; csiread reads whatever stands there.
        assert!(frame.sequence.is_none_or(|s| s == other.meta[6] as u16));
        if chip != Chip::Intel5300 {
            assert_eq!([frame.rssi_dbm[0], frame.rssi_dbm[1]], [first, second].map(|r| Some(r as f32)));
        }
    }
    let note = match chip {
        Chip::Intel5300 => "rows in order of antennas; its RSSI takes the noise floor for the reference",
        Chip::IntelAx => "chain 0 only: its tones of chain 1 are mixed up",
        _ => "",
    };
    report(name, ours.len(), "csiread", theirs.len(), largest, note);
    assert_eq!(largest, 0.0);

    let theirs = ask(python, "csikit", "picoscenes", name, &[]);
    let (offset, note) = match chip {
        Chip::IntelAx => (ZERO, "HT pilots, not channel, left out"),
        Chip::Ar9300 => (C64::new(1.0, 1.0), "after taking off the 1 + j that it adds to everything"),
        _ => (ZERO, ""),
    };
    let largest = compare(ours, &theirs, row, place, offset);
    report(name, ours.len(), "CSIKit", theirs.len(), largest, note);
    assert_eq!(largest, 0.0);
}

#[test]
fn every_recording_agrees_with_the_reference_readers() {
    let files = parsers();
    let (false, Some(python)) = (files.is_empty(), python()) else { return };
    println!("{:<68} {:>5} {:>8} {:>5}  {:<6} note", "file", "ours", "library", "its", "diff");
    for (name, format, bytes) in &files {
        let (ours, faults) = read_all(*format, bytes);
        assert_eq!(faults, [], "{name}");
        match format {
            Format::FeitCsi => feitcsi(&python, name, &ours),
            Format::Intel5300 => intel(&python, name, &ours),
            Format::Atheros => atheros(&python, name, &ours),
            Format::NexmonPcap => nexmon(&python, name, &ours),
            Format::PicoScenes => picoscenes(&python, name, &ours),
        }
        if name == "nexmon_example_43455c0.pcap" {
            nexmon_of_csikit(&python, &ours);
        }
    }
    assert_eq!(files.len(), 25);
}
