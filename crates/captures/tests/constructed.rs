//! Frames that the tests encode themselves come back exactly: every value at its chain, stream and tone, every field
//! with its unit, absent fields absent. Guards the byte tables of `docs/captures.md`.

mod common;

use common::*;
use wavewitness_captures::{
    CaptureFrame, Chip, Clock, Format, OffGrid, PhaseSense, Phy, Reason, intel5300 as scale, nexmon as udp,
    tones,
};
use wavewitness_num::{C32, math};
use wavewitness_types::{Mac, Samples, ToneGrid};

fn only(format: Format, bytes: &[u8]) -> CaptureFrame {
    let (mut frames, faults) = read_all(format, bytes);
    assert_eq!((frames.len(), faults.len()), (1, 0), "{faults:?}");
    frames.remove(0)
}

fn complex((re, im): (i32, i32)) -> C32 {
    C32::new(re as f32, im as f32)
}

#[test]
fn intel_ax_samples_are_conjugated_and_turned_back() {
    let mut r = Random(1);
    let formats = [
        (Phy::Legacy, 20),
        (Phy::Ht, 20),
        (Phy::Ht, 40),
        (Phy::Vht, 80),
        (Phy::Vht, 160),
        (Phy::He, 20),
        (Phy::He, 40),
        (Phy::He, 80),
        (Phy::He, 160),
    ];
    for (phy, mhz) in formats {
        let n = tones::count(phy, mhz).unwrap();
        let pairs = r.pairs(2 * 2 * n, 1000);
        let frame = only(Format::FeitCsi, &feitcsi(phy, mhz, 2, 2, &pairs));
        assert_eq!((frame.phy, frame.bandwidth_mhz, frame.rx, frame.tx), (Some(phy), Some(mhz), 2, 2));
        assert_eq!(frame.phase_sense, PhaseSense::Established);
        let all: Vec<i16> = tones::occupied(phy, mhz).collect();
        for (row, (rx, tx)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
            let stream = frame.stream(rx, tx).unwrap();
            let mut measured = stream.tones.iter().zip(stream.values);
            for (place, &k) in all.iter().enumerate() {
                if phy != Phy::Legacy && tones::is_pilot(phy, mhz, k) {
                    assert!(frame.unmeasured.contains(&k));
                    continue;
                }
                let (&tone, &value) = measured.next().unwrap();
                assert_eq!(tone, k);
                // The chip has conj(H)·conj(γ): its conjugate is H·γ, and γ comes off by turning back.
                let chip = complex(pairs[row * n + place]).conj();
                let gamma = [C32::new(1., 0.), C32::new(0., 1.), C32::new(-1., 0.)];
                assert_eq!(value * gamma[usize::from(tones::rotation(phy, mhz, k))], chip);
            }
            assert!(measured.next().is_none());
        }
        assert!(frame.stream(2, 0).is_none() && frame.stream(0, 2).is_none());
    }
}

#[test]
fn intel_ax_meta() {
    let mut bytes = feitcsi(Phy::Ht, 20, 2, 1, &[(1, 2); 112]);
    let frame = only(Format::FeitCsi, &bytes);
    let time = frame.time.unwrap();
    assert_eq!((time.ns, time.clock), (77_000_123_000, Clock::Chip { period_ns: Some(4_294_967_296_000) }));
    assert_eq!(frame.rssi_dbm, [Some(-41.0), Some(-52.0), None, None]);
    assert_eq!((frame.transmitter, frame.sequence), (Some(Mac([2, 4, 6, 8, 10, 12])), Some(9)));
    assert_eq!((frame.centre_mhz, frame.noise_dbm, frame.agc_db), (None, None, None));
    bytes[12..20].copy_from_slice(&1_701_251_234_567_890u64.to_le_bytes());
    let time = only(Format::FeitCsi, &bytes).time.unwrap();
    assert_eq!((time.ns, time.clock), (1_701_251_234_567_890_000, Clock::Host));
    // No antenna: 0 or beyond a byte.
    bytes[60] = 0;
    bytes[67] = 0xff;
    assert_eq!(only(Format::FeitCsi, &bytes).rssi_dbm, [None; 4]);
}

#[test]
fn the_surplus_words_of_160_mhz_are_left_out() {
    for (phy, words, surplus) in [(Phy::Vht, 484, 14), (Phy::He, 1992, 28)] {
        let row: Vec<(i32, i32)> = (0..words).map(|k| (k, -k)).collect();
        let (low, high) = row.split_at(row.len() / 2);
        let pairs = [low, &vec![(9999, 9999); surplus], high].concat();
        let header = ax_header(1, 1, pairs.len(), ax_rate(phy, 160));
        let with = only(Format::FeitCsi, &[header, int16_pairs(&pairs)].concat());
        assert_eq!(with, only(Format::FeitCsi, &feitcsi(phy, 160, 1, 1, &row)));
    }
}

#[test]
fn intel_5300_values_go_to_the_antennas_behind_the_chains() {
    let mut r = Random(2);
    // Chain 0 → antenna B, chain 1 → C, chain 2 → A.
    let pairs = r.pairs(30 * 6, 128);
    let frame = only(Format::Intel5300, &intel5300(3, 2, 0b00_10_01, 0x0108, &pairs));
    assert_eq!(frame.antennas, [Some(0), Some(1), Some(2), None]);
    for (antenna, chain) in [(0, 2), (1, 0), (2, 1)] {
        for tx in 0..2 {
            let stream = frame.stream(antenna, tx).unwrap();
            for (tone, &value) in stream.values.iter().enumerate() {
                assert_eq!(value, complex(pairs[tone * 6 + chain * 2 + tx]));
            }
        }
    }
    assert_eq!((frame.tones[0], frame.tones[14], frame.tones[15], frame.tones[29]), (-28, -1, 1, 28));
    // Antenna B has no signal; the others' RSSI is less 44 and the gain.
    assert_eq!(frame.rssi_dbm, [Some(33.0 - 82.0), None, Some(41.0 - 82.0), None]);
    assert_eq!((frame.noise_dbm, frame.agc_db, frame.sequence), (Some(-90), Some(38), Some(777)));
    assert_eq!(frame.time.unwrap().ns, 123_456_000);
    assert!(frame.derotated && frame.phase_sense == PhaseSense::AsRecorded);

    // Two chains on antennas C and A.
    let pairs = r.pairs(60, 128);
    let frame = only(Format::Intel5300, &intel5300(2, 1, 0b01_00_10, 0x0908, &pairs));
    assert_eq!((frame.antennas, frame.rssi_dbm[1]), ([Some(0), Some(2), None, None], Some(-41.0)));
    assert_eq!(frame.stream(0, 0).unwrap().values[7], complex(pairs[15]));
    assert_eq!((frame.bandwidth_mhz, frame.tones[1], frame.derotated), (Some(40), -54, false));
    // The same antenna twice says nothing.
    let frame = only(Format::Intel5300, &intel5300(2, 1, 0, 0x0108, &pairs));
    assert_eq!((frame.antennas, frame.stream(0, 0).unwrap().values[7]), ([None; 4], complex(pairs[14])));
}

#[test]
fn intel_5300_scales_to_power_and_to_snr() {
    // One stream of constant amplitude 5 on one chain: its power is the RSSI.
    let bytes = intel5300(1, 1, 0b10_01_00, 0x0101, &[(3, 4); 30]);
    let frame = only(Format::Intel5300, &bytes);
    let received = math::pow(10.0, (33.0 - 44.0 - 38.0) / 10.0);
    let root = frame.sqrt_mw().unwrap();
    assert!((25.0 * root * root / received - 1.0).abs() < 1e-12);
    let snr = received / (1e-9 + received / 25.0);
    let root = scale::sqrt_snr(&frame, None).unwrap();
    assert!((25.0 * root * root / snr - 1.0).abs() < 1e-12);
    // Without a noise floor nobody makes one up.
    let mut monitor = bytes;
    monitor[3 + 13] = (-127i8) as u8;
    let frame = only(Format::Intel5300, &monitor);
    assert_eq!((frame.noise_dbm, scale::sqrt_snr(&frame, None)), (None, None));
    assert!(scale::sqrt_snr(&frame, Some(-90.0)).is_some_and(|s| (s / root - 1.0).abs() < 1e-12));
    let silent = only(Format::Intel5300, &intel5300(1, 1, 0, 0x0101, &[(0, 0); 30]));
    assert_eq!(silent.sqrt_mw(), None);
}

#[test]
fn atheros_in_both_byte_orders_and_widths() {
    let mut r = Random(3);
    for (big, tones, rx, tx) in [(false, 56, 3, 2), (true, 56, 1, 1), (true, 114, 3, 3), (false, 114, 2, 1)] {
        let pairs = r.pairs(usize::from(tones) * rx * tx, 512);
        let frame = only(Format::Atheros, &atheros(big, tones, rx as u8, tx as u8, &pairs));
        for (chain, stream) in (0..rx).flat_map(|chain| (0..tx).map(move |stream| (chain, stream))) {
            let got = frame.stream(chain, stream).unwrap();
            assert_eq!(got.tones.len(), usize::from(tones));
            for (tone, &value) in got.values.iter().enumerate() {
                assert_eq!(value, complex(pairs[(tone * tx + stream) * rx + chain]));
            }
        }
        assert_eq!(frame.time.unwrap().ns, 987_654_321_012_000);
        assert_eq!(frame.centre_mhz, (tones == 56).then_some(2437));
        assert_eq!(frame.rssi_over_noise_db[0], Some(38.0));
        assert_eq!(frame.rssi_over_noise_db[1], None);
        assert_eq!((frame.rssi_dbm, frame.noise_dbm), ([None; 4], None));
        assert_eq!((frame.transmitter, frame.receiver), (Some(Mac([2; 6])), Some(Mac([1; 6]))));
        assert_eq!(frame.sequence, Some(1234));
    }
}

fn word(re: i16, im: i16) -> u32 {
    u32::from(im.cast_unsigned()) << 16 | u32::from(re.cast_unsigned())
}

#[test]
fn nexmon_bins_are_in_fft_order_and_leftovers_are_dropped() {
    // Bin k holds (k, −k).
    let mut words: Vec<u32> = (0..64).map(|k| word(k, -k)).collect();
    words[28] = word(31_000, 0);
    words[0] = word(139, 909);
    let mut frame = CaptureFrame::default();
    udp::payload(&nexmon(0x100d, 0x65, &words), &mut frame).unwrap();
    assert_eq!(frame.tones, (-28..=27).filter(|&k| k != 0).collect::<Vec<i16>>());
    assert_eq!(frame.unmeasured, [28]);
    for (&k, &value) in frame.tones.iter().zip(&frame.values) {
        let bin = f32::from(k.rem_euclid(64));
        assert_eq!(value, C32::new(bin, -bin));
    }
    assert_eq!((frame.centre_mhz, frame.bandwidth_mhz, frame.primary_tone), (Some(2472), Some(20), None));
    assert_eq!(
        (frame.rssi_dbm[0], frame.sequence, frame.transmitter),
        (Some(-61.0), Some(3551), Some(Mac([2, 4, 6, 8, 10, 12])))
    );
    assert_eq!((frame.antennas[0], frame.first_stream, frame.phy), (Some(1), 3, None));
    assert_eq!(frame.stream(0, 0).unwrap().on_grid(ToneGrid::Ht20, 0), Err(OffGrid::Missing(vec![28])));
    assert!(frame.stream(0, 0).unwrap().on_grid(ToneGrid::Legacy20, 0).is_ok());

    // At 80 MHz a receive header over the first words takes tone 2 with it.
    let mut words = vec![word(1, 1); 256];
    udp::payload(&nexmon(0xe29b, 0x65, &words), &mut frame).unwrap();
    assert_eq!((frame.tones.len(), frame.unmeasured.len()), (242, 0));
    assert_eq!((frame.centre_mhz, frame.primary_tone), (Some(5775), Some(32)));
    words[1] = word(-14_848, -32_640);
    udp::payload(&nexmon(0xe02a, 0x65, &words), &mut frame).unwrap();
    assert_eq!((frame.unmeasured.as_slice(), frame.primary_tone), (&[2][..], Some(-96)));
}

#[test]
fn nexmon_floats_are_sign_magnitude_with_a_shared_exponent() {
    let mut r = Random(4);
    let mut frame = CaptureFrame::default();
    for (chip, man, exp, limit) in [(0x03, 9, 5, 256), (0x6a, 12, 6, 2048)] {
        let made: Vec<(i32, i32, i32)> = (0..128)
            .map(|_| (r.count(limit), r.count(limit), r.count(1 << (exp - 1))))
            .map(|(re, im, e)| (re.max(1 - limit), im.max(1 - limit), e))
            .collect();
        let words: Vec<u32> = made
            .iter()
            .map(|&(re, im, e)| {
                let part = |x: i32| (u32::from(x < 0) << (man - 1)) | x.unsigned_abs();
                part(re) << (man + exp) | part(im) << exp | e as u32 & ((1 << exp) - 1)
            })
            .collect();
        udp::payload(&nexmon(0xd826, chip, &words), &mut frame).unwrap();
        assert_eq!((frame.tones.len(), frame.bandwidth_mhz), (114, Some(40)));
        for (&k, &value) in frame.tones.iter().zip(&frame.values) {
            let (re, im, e) = made[usize::from(k.rem_euclid(128).unsigned_abs())];
            let scale = if e < 0 { 1.0 / (1u64 << -e) as f32 } else { (1u64 << e) as f32 };
            assert_eq!(value, C32::new(re as f32 * scale, im as f32 * scale));
        }
    }
}

#[test]
fn nexmon_refuses_what_it_cannot_know() {
    let mut frame = CaptureFrame::default();
    let good = nexmon(0x100d, 0x65, &[0; 64]);
    assert_eq!(udp::payload(&good[..good.len() - 1], &mut frame), Err(Reason::Malformed));
    assert_eq!(udp::payload(&[], &mut frame), Err(Reason::Malformed));
    for (at, value) in [(15, 0x28), (17, 0x77)] {
        let mut other = good.clone();
        other[at] = value;
        assert_eq!(udp::payload(&other, &mut frame), Err(Reason::Unsupported));
    }
    // The old magic of four bytes has neither RSSI nor frame control.
    let mut old = good;
    old[2..4].copy_from_slice(&[0x11, 0x11]);
    udp::payload(&old, &mut frame).unwrap();
    assert_eq!(frame.rssi_dbm[0], None);
}

#[test]
fn pcap_in_its_four_kinds_with_trailers_and_other_packets() {
    let payload = nexmon(0x100d, 0x65, &[word(5, 6); 64]);
    for (big, nanos, fraction) in
        [(false, false, 250_000), (true, false, 250_000), (false, true, 250), (true, true, 250)]
    {
        let packets = [
            ethernet(&payload, &[]),
            ethernet(b"something else", &[]),
            ethernet(&payload, &[0xaa; 4]),
            vec![0; 60],
        ];
        let file = pcap(big, nanos, &packets);
        let (frames, faults) = read_all(Format::NexmonPcap, &file);
        assert_eq!((frames.len(), faults.len()), (2, 0));
        assert_eq!(frames[0], frames[1]);
        let time = frames[0].time.unwrap();
        assert_eq!((time.ns, time.clock), (1_700_000_000_000_000_000 + fraction, Clock::Host));
    }
}

#[test]
fn picoscenes_of_three_chips_and_every_version() {
    let mut r = Random(6);
    for version in 1..=4 {
        let pairs = r.pairs(168, 512);
        let frame =
            only(Format::PicoScenes, &picoscenes(0x9300, version, 20, [56, 1, 3], 0, &pack_9300(&pairs)));
        assert_eq!((frame.chip, frame.rx, frame.tx, frame.centre_mhz), (Chip::Ar9300, 3, 1, Some(5180)));
        assert_eq!(frame.stream(2, 0).unwrap().values[55], complex(pairs[167]));
        assert_eq!(frame.rssi_dbm, [Some(-25.0), Some(-35.0), None, None]);
        assert_eq!((frame.noise_dbm, frame.time.unwrap().ns), (Some(-95), 55_000_000_000));
        // The transmitter is the second address, not the first.
        assert_eq!((frame.transmitter, frame.sequence), (Some(Mac([2; 6])), Some(1234)));

        let pairs = r.pairs(60, 128);
        let frame = only(
            Format::PicoScenes,
            &picoscenes(0x5300, version, 20, [30, 1, 2], 0b10_00_01, &pack_5300(2, &pairs)),
        );
        assert_eq!((frame.chip, frame.antennas[0], frame.antennas[1]), (Chip::Intel5300, Some(0), Some(1)));
        assert_eq!(frame.stream(0, 0).unwrap().values[3], complex(pairs[7]));
        assert_eq!((frame.rssi_dbm[0], frame.agc_db), (Some(70.0 - 44.0 - 40.0), Some(40)));

        let pairs = r.pairs(112, 300);
        let frame =
            only(Format::PicoScenes, &picoscenes(0x2000, version, 20, [56, 1, 2], 0, &int16_pairs(&pairs)));
        assert_eq!((frame.chip, frame.unmeasured.as_slice()), (Chip::IntelAx, &[-21, -7, 7, 21][..]));
        assert_eq!(frame.stream(1, 0).unwrap().values[0], complex(pairs[56]).conj());
        assert_eq!((frame.rssi_dbm[0], frame.time.unwrap().ns), (Some(-41.0), 77_000_123_000));
    }
}

#[test]
fn grids_take_measured_tones_only() {
    let mut r = Random(7);
    let frame = only(Format::FeitCsi, &feitcsi(Phy::He, 40, 1, 1, &r.pairs(484, 300)));
    let stream = frame.stream(0, 0).unwrap();
    let Err(OffGrid::Missing(missing)) = stream.on_grid(ToneGrid::He40, 0) else { panic!() };
    assert_eq!(missing, frame.unmeasured);
    assert_eq!(stream.on_grid(ToneGrid::Ht40, 0), Err(OffGrid::Spacing));
    let (mut samples, mut named) = (Samples::zero(ToneGrid::He40), vec![1, 2, 3]);
    stream.place(&mut samples, 0, &mut named).unwrap();
    assert_eq!(named, missing);
    for (k, tone) in ToneGrid::He40.indices().iter().enumerate() {
        let value = C32::new(samples.re()[k], samples.im()[k]);
        match stream.tones.binary_search(tone) {
            Ok(at) => assert_eq!(value, stream.values[at]),
            Err(_) => assert_eq!((value.re.to_bits(), value.im.to_bits()), (0, 0)),
        }
    }
    // Legacy frames hold their pilots; a 20 MHz grid also fits beside the centre of a wider band.
    let frame = only(Format::FeitCsi, &feitcsi(Phy::Legacy, 20, 1, 1, &[(7, -8); 52]));
    assert!(frame.stream(0, 0).unwrap().on_grid(ToneGrid::Legacy20, 0).is_ok());
    let mut wide = CaptureFrame::default();
    udp::payload(&nexmon(0xe02a, 1, &(0..256).map(|k| word(k, 0)).collect::<Vec<_>>()), &mut wide).unwrap();
    let block = wide.stream(0, 0).unwrap().on_grid(ToneGrid::Legacy20, wide.primary_tone.unwrap()).unwrap();
    assert_eq!((block.re()[0], block.re()[51]), (134.0, 186.0));
}

#[test]
fn derotation_is_exact_and_happens_once() {
    let mut frame = CaptureFrame::default();
    udp::payload(&nexmon(0xe29b, 3, &[3 << 14 | 5 << 5; 256]), &mut frame).unwrap();
    let before = frame.values.clone();
    frame.derotate(Phy::Vht);
    for ((&k, a), b) in frame.tones.iter().zip(&before).zip(&frame.values) {
        assert_eq!(*b, if k < -64 { *a } else { -*a });
    }
    let once = frame.values.clone();
    frame.derotate(Phy::Vht);
    assert_eq!(frame.values, once);
}
