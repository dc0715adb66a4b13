//! Guards what a frame means physically: a later path turns the phase down as the tone index rises, in every layout;
//! every tone lands on its own column; a 40 MHz frame is continuous across DC; a frame whose null tones are elsewhere
//! is refused rather than put on the wrong tones. The peer swaps the pair and so mirrors every delay.

mod common;

use common::{LAYOUTS, Random, channel, phase_step};
use std::f64::consts::TAU;
use wavewitness_ingest::encode::{CsiHeader, encode_csi_v1};
use wavewitness_ingest::layout::{FirstWord, Hints, place, write_pairs};
use wavewitness_ingest::{Packet, Reject, parse};
use wavewitness_num::math::max_f32;
use wavewitness_types::{CsiFrame, Layout, NodeId, Samples, Timestamp, ToneGrid};

const HINTS: Hints = Hints { first_word: FirstWord::Unknown, high_efficiency: false };

fn parsed(pairs: &[(i8, i8)]) -> CsiFrame {
    let mut bytes = Vec::new();
    encode_csi_v1(&CsiHeader::bare(NodeId(1), 7), pairs, &mut bytes);
    match parse(Timestamp(5), &bytes) {
        Ok(Packet::Csi(frame)) => frame,
        other => panic!("{} pairs: {other:?}", pairs.len()),
    }
}

fn worst_error(a: &Samples, b: &Samples) -> f32 {
    assert_eq!(a.grid(), b.grid());
    let difference = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| (p - q).abs()).fold(0.0, max_f32);
    max_f32(difference(a.re(), b.re()), difference(a.im(), b.im()))
}

#[test]
fn every_layout_gives_back_its_channel() {
    let mut random = Random(1);
    let mut pairs = Vec::new();
    for (layout, grid) in LAYOUTS {
        for _ in 0..20 {
            let late_s = 1e-9 * random.below(200) as f64;
            let sent = channel(grid, &[(70.0, 30e-9), (20.0, 30e-9 + late_s)]);
            assert!(write_pairs(layout, &sent, &mut pairs));
            let frame = parsed(&pairs);
            assert_eq!(frame.layout, layout);
            // Rounding to whole counts.
            assert!(worst_error(&frame.samples, &sent) <= 0.5001, "{layout:?} {grid:?}");
        }
    }
}

#[test]
fn a_later_path_turns_the_phase_down() {
    let mut pairs = Vec::new();
    for (layout, grid) in LAYOUTS {
        for delay_ns in [0.0, 50.0, 250.0] {
            let delay_s = delay_ns * 1e-9;
            assert!(write_pairs(layout, &channel(grid, &[(100.0, delay_s)]), &mut pairs));
            let step = phase_step(&parsed(&pairs));
            let expected = -TAU * grid.spacing_hz() * delay_s;
            assert!(
                (step - expected).abs() < 2e-3,
                "{layout:?} {grid:?} {delay_ns} ns: {step} for {expected}"
            );
        }
    }
}

#[test]
fn forty_megahertz_is_continuous_whether_or_not_the_chip_rotates() {
    let sent = channel(ToneGrid::Ht40, &[(80.0, 40e-9), (25.0, 160e-9)]);
    let mut pairs = Vec::new();
    assert!(write_pairs(Layout::LltfHt40, &sent, &mut pairs));
    assert!(worst_error(&parsed(&pairs).samples, &sent) <= 0.5001);
    // Tones +2..58 of the HT field, which starts at pair 64, times j.
    for (imag, real) in &mut pairs[64 + 2..64 + 59] {
        (*imag, *real) = (*real, -*imag);
    }
    assert!(worst_error(&parsed(&pairs).samples, &sent) <= 0.5001);
}

#[test]
fn a_hundred_and_ninety_two_pairs_are_told_apart_by_their_nulls() {
    let mut pairs = Vec::new();
    for (layout, grid) in [(Layout::LltfHt20Stbc, ToneGrid::Ht20), (Layout::LltfHt40, ToneGrid::Ht40)] {
        assert!(write_pairs(layout, &channel(grid, &[(50.0, 80e-9)]), &mut pairs));
        assert_eq!((pairs.len(), parsed(&pairs).layout), (192, layout));
    }
}

#[test]
fn both_orders_of_a_field_of_64_are_recognised() {
    for (grid, layout) in [(ToneGrid::Legacy20, Layout::Lltf64), (ToneGrid::Ht20, Layout::ShiftedHt20)] {
        let sent = channel(grid, &[(50.0, 80e-9), (20.0, 300e-9)]);
        for ascending in [false, true] {
            let mut iq = vec![0u8; 128];
            for (column, &tone) in grid.indices().iter().enumerate() {
                let at = if ascending { 32 + tone } else { tone.rem_euclid(64) } as usize;
                iq[2 * at] = (sent.im()[column].round() as i8).cast_unsigned();
                iq[2 * at + 1] = (sent.re()[column].round() as i8).cast_unsigned();
            }
            let placed = place(&iq, HINTS).unwrap();
            assert_eq!((placed.layout, placed.restored), (layout, false), "ascending: {ascending}");
            assert!(worst_error(&placed.samples, &sent) <= 0.5001);
            // An HE frame has no HT field; its legacy field may be all that was kept.
            let he = place(&iq, Hints { high_efficiency: true, ..HINTS });
            assert_eq!(he.is_ok(), grid == ToneGrid::Legacy20);
        }
    }
}

#[test]
fn noise_and_wrong_nulls_are_refused() {
    let mut random = Random(2);
    for pairs in [53, 57, 64, 114, 117, 128, 188, 190, 192, 234, 245, 256, 306] {
        let mut accepted = 0;
        for _ in 0..200 {
            let iq: Vec<u8> = (0..2 * pairs).map(|_| random.bits() as u8).collect();
            accepted += u32::from(place(&iq, HINTS).is_ok());
        }
        // A compact list of 20 MHz has one null bin: noise is as small there about once in a hundred frames.
        assert!(accepted <= if pairs == 53 || pairs == 57 { 6 } else { 0 }, "{pairs} pairs: {accepted}");
    }
}

#[test]
fn a_damaged_or_displaced_he_field_is_refused() {
    let mut pairs = Vec::new();
    assert!(write_pairs(Layout::ShiftedHe20, &channel(ToneGrid::He20, &[(60.0, 0.0)]), &mut pairs));
    let iq = |pairs: &[(i8, i8)]| -> Vec<u8> {
        pairs.iter().flat_map(|&(q, i)| [q.cast_unsigned(), i.cast_unsigned()]).collect()
    };
    assert!(place(&iq(&pairs), HINTS).is_ok());
    // What the peer's C6 HE capture looks like: above bin 151 the buffer was not filled.
    let mut garbage = pairs.clone();
    let mut random = Random(3);
    garbage[152..].iter_mut().for_each(|pair| *pair = (random.bits() as i8, random.bits() as i8));
    assert_eq!(place(&iq(&garbage), HINTS), Err(Reject::NullTones));
    let mut empty = pairs.clone();
    empty[152..].fill((0, 0));
    assert_eq!(place(&iq(&empty), HINTS), Err(Reject::NullTones));
    for by in [1, 255] {
        let mut displaced = pairs.clone();
        displaced.rotate_right(by);
        assert_eq!(place(&iq(&displaced), HINTS), Err(Reject::NullTones));
    }
}
