//! Guards what a failing golden says: exactly the stage, link and element that differ, with both bit patterns.

use std::path::Path;
use wavewitness_golden::companion::{read_cycles, read_values, values_bytes};
use wavewitness_golden::names::{Value, segments};
use wavewitness_golden::{CHANNELS, CycleValues, GOLDENS, Golden, Minted, Stored, channel_name, difference};
use wavewitness_golden::{compare_values, events, first_difference, genesis, mint_events};
use wavewitness_types::ToneGrid;
use wavewitness_witness::Stage;

fn stored(name: &str) -> Stored {
    Stored::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../goldens"), name).unwrap()
}

fn golden(name: &str) -> &'static Golden {
    GOLDENS.iter().find(|g| g.name == name).unwrap()
}

/// The first 120 cycles, with the values of the cycles 19 and 99.
fn computed(name: &str) -> Minted {
    let (config, events) = events(golden(name), Some(120));
    mint_events(&genesis(golden(name), &config), &events)
}

fn bytes_of(value: Value) -> Vec<u8> {
    match value {
        Value::U8(x) | Value::I8(x) => vec![x],
        Value::U16(x) => x.to_le_bytes().to_vec(),
        Value::U32(x) | Value::F32(x) => x.to_le_bytes().to_vec(),
        Value::U64(x) | Value::F64(x) => x.to_le_bytes().to_vec(),
        Value::Mac(x) => x.to_vec(),
    }
}

/// The stored values of a cycle of "calibration" in which all the stages have something to say.
fn busy_cycle() -> CycleValues {
    let values = read_values(&stored("calibration").values).unwrap();
    let busy = |v: &&CycleValues| v.channels[Stage::Tomography as usize].len() > 1000;
    values.iter().rev().find(busy).expect("an image was made").clone()
}

#[test]
fn every_byte_of_every_stored_cycle_has_a_name() {
    for golden in GOLDENS {
        let values = read_values(&stored(golden.name).values).unwrap();
        assert!(values.len() >= 3, "{}", golden.name);
        for cycle in &values {
            assert!(cycle.channels.iter().all(|bytes| !bytes.is_empty() || cycle.cycle < 100));
            let mut named = vec![Vec::new(); CHANNELS];
            for segment in segments(cycle) {
                let place = (golden.name, cycle.cycle, channel_name(segment.channel));
                let leaves =
                    segment.leaves.unwrap_or_else(|| panic!("{place:?}: not what the encoder writes"));
                leaves.iter().for_each(|leaf| named[segment.channel].extend(bytes_of(leaf.value)));
            }
            // Calibration's two parts are adjacent: what is named is what is there, in order.
            assert!(named == cycle.channels, "{} cycle {}", golden.name, cycle.cycle);
        }
    }
}

#[test]
fn every_name_is_used_once_in_a_cycle() {
    for segment in segments(&busy_cycle()) {
        let mut names: Vec<_> = segment.leaves.unwrap().into_iter().map(|leaf| leaf.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{}", channel_name(segment.channel));
    }
}

#[test]
fn one_flipped_bit_is_found_in_its_stage_with_both_patterns() {
    let before = busy_cycle();
    let mut chance = 1u64;
    for channel in 0..CHANNELS {
        for _ in 0..20 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bit = (chance >> 20) as usize % (before.channels[channel].len() * 8);
            let mut after = before.clone();
            after.channels[channel][bit / 8] ^= 1 << (bit % 8);
            let found = first_difference(&before, &after).expect("a difference");
            assert_eq!(found.channel, channel, "{found}");
            if let (Some(a), Some(b)) = (found.stored, found.computed) {
                let ones: u32 = bytes_of(a).iter().zip(bytes_of(b)).map(|(x, y)| (x ^ y).count_ones()).sum();
                assert_eq!(ones, 1, "{found}");
            }
        }
    }
}

#[test]
fn a_tone_of_a_link_is_named() {
    let right = read_values(&stored("quiet").values).unwrap().into_iter().filter(|v| v.cycle < 120).collect();
    let computed = Minted { values: right, ..computed("quiet") };
    let mut stored = Stored::of("quiet", &computed);
    assert_eq!(difference("quiet", &stored, &computed), None);
    // By hand: 64 masks of 8 bytes, then for every present link 56 real and 56 imaginary parts.
    let mut values = read_values(&stored.values).unwrap();
    let cycle = values.iter_mut().find(|v| v.cycle == 99).unwrap();
    let fused = &mut cycle.channels[Stage::Fusion as usize];
    let present = |link: usize| fused[8 * link..8 * link + 8] != [0; 8];
    assert!(present(3));
    let rows = (0..3).filter(|link| present(*link)).count();
    let column = ToneGrid::Ht20.indices().iter().position(|tone| *tone == 17).unwrap();
    let at = 512 + (rows * 2 * 56 + 56 + column) * 4;
    let bits = |fused: &[u8]| u32::from_le_bytes(fused[at..at + 4].try_into().unwrap());
    let right = bits(fused);
    fused[at] ^= 1;
    let wrong = bits(fused);
    stored.values = values_bytes(&values);
    let said = difference("quiet", &stored, &computed).unwrap();
    assert!(said.contains("at cycle 99, stage fusion, link 3 (node "), "{said}");
    assert!(said.contains("), tone +17, imaginary part:"), "{said}");
    assert!(said.contains(&format!("stored   {:?} ({wrong:#010x})", f32::from_bits(wrong))), "{said}");
    assert!(said.contains(&format!("computed {:?} ({right:#010x})", f32::from_bits(right))), "{said}");
    assert!(said.contains("the next float to it") && said.contains("rounding"), "{said}");
    assert!(said.contains("stale, missing or changed"), "{said}");
}

#[test]
fn the_first_cycle_and_stage_are_exact_without_any_value() {
    let computed = computed("quiet");
    let mut stored = Stored::of("quiet", &computed);
    let (cycle, digests) = read_cycles(&stored.cycles)[47];
    let digest = format!("{:08x}", digests[Stage::Cir as usize]);
    assert_eq!(stored.cycles.matches(&digest).count(), 1);
    stored.cycles = stored.cycles.replace(&digest, "00000000");
    let said = difference("quiet", &stored, &computed).unwrap();
    assert!(said.contains(&format!("the first cycle that differs is {cycle}, in: cir\n")), "{said}");
    assert!(said.contains("no stored value of that stage differs. By a build"), "{said}");
}

#[test]
fn a_golden_that_differs_says_what_parted_first() {
    let computed = computed("quiet");
    let now = Stored::of("quiet", &computed);
    assert_eq!(difference("quiet", &now, &computed), None);
    // Without what lies beside it: a stage, and the chain from there on.
    let bare = Stored { golden: now.golden.clone(), ..Stored::default() };
    let mut other = Minted { complete: true, ..computed.clone() };
    other.stages[5].0[3] ^= 4;
    other.chain[0].1.0[0] ^= 1;
    let said = difference("quiet", &bare, &other).unwrap();
    assert!(said.contains("the first stage that differs is cir"), "{said}");
    assert!(said.contains(&format!("before cycle {}", other.chain[0].0)), "{said}");
    assert!(!said.contains("datagrams differ"), "{said}");
    // A changed simulator is told from a changed engine.
    let mut other = Minted { complete: true, ..computed };
    other.capture.0[0] ^= 1;
    let said = difference("quiet", &bare, &other).unwrap();
    assert!(said.contains("the scene's datagrams differ"), "{said}");
}

#[test]
fn what_is_missing_is_said_to_be_missing() {
    let before = busy_cycle();
    let mut after = before.clone();
    // A count of detections that is one too many.
    let tomography = &mut after.channels[Stage::Tomography as usize];
    let detections = segments(&before)
        .into_iter()
        .find(|s| s.channel == Stage::Tomography as usize)
        .unwrap()
        .leaves
        .unwrap()
        .iter()
        .filter(|leaf| leaf.name.ends_with("strength"))
        .count();
    let at = tomography.len() - detections * 13 * 8 - 4;
    assert_eq!(usize::from(tomography[at]), detections);
    tomography[at] += 1;
    tomography.extend(vec![0; 13 * 8]);
    let said = compare_values("calibration", &[before], &[after]).unwrap();
    assert!(said.contains("stage tomography, number of detections:"), "{said}");
    assert!(said.contains("a count or a decision"), "{said}");
}

#[test]
fn values_survive_their_file() {
    let values = vec![busy_cycle()];
    let bytes = values_bytes(&values);
    assert_eq!(read_values(&bytes), Some(values));
    assert_eq!(read_values(&bytes[..bytes.len() - 1]), None);
    assert_eq!(read_values(b"something else"), None);
}
