//! Guards against formats as they really are: every line and row of the recordings parses, or is refused with the
//! reason that is written here. Needs the recordings of other people, which are not part of the project.

mod common;

use common::{hex, phase_step, recordings};
use std::collections::BTreeMap;
use wavewitness_ingest::encode::{CsiHeader, encode_csi_v1_bytes};
use wavewitness_ingest::{Config, Kind, Outcome, Packet, Plan, State, parse};
use wavewitness_num::math::atan2;
use wavewitness_types::{Layout, NodeId, Sender, Timestamp};

/// The text between `"key": ` and the next comma or brace, without quotes.
fn field<'a>(row: &'a str, key: &str) -> Option<&'a str> {
    let start = row.find(&format!("\"{key}\":"))? + key.len() + 3;
    Some(row[start..].split([',', '}']).next()?.trim().trim_matches('"'))
}

#[test]
fn every_raw_row_of_two_nodes_parses() {
    let Some(directory) = recordings("ruview_2node") else { return };
    let text = std::fs::read_to_string(directory.join("pretrain-1775182186.csi.jsonl")).unwrap();
    let plan = Plan::new(&Config::default()).unwrap();
    let mut state = State::new(&plan);
    let (mut layouts, mut rows, mut bytes) = (BTreeMap::new(), BTreeMap::<u8, u32>::new(), Vec::new());
    let (mut slope, mut last) = (0.0, Timestamp(0));
    for row in text.lines().filter(|r| field(r, "type") == Some("raw_csi")) {
        let node: u8 = field(row, "node_id").unwrap().parse().unwrap();
        let seconds: f64 = field(row, "timestamp").unwrap().parse().unwrap();
        let sequence = rows.entry(node).or_default();
        let iq = hex(field(row, "iq_hex").unwrap());
        encode_csi_v1_bytes(&CsiHeader::bare(NodeId(node), *sequence), &iq, &mut bytes);
        *sequence += 1;
        assert_eq!(field(row, "size").unwrap().parse(), Ok(bytes.len()));
        last = Timestamp((seconds * 1e6) as u64 * 1000);
        match plan.run(last, Sender::default(), &bytes, &mut state) {
            Outcome::Csi(frame) => {
                slope += phase_step(&frame);
                *layouts.entry(frame.layout).or_insert(0) += 1;
            }
            other => panic!("{other:?}: {row}"),
        }
    }
    let expected = [(Layout::Lltf64, 4127), (Layout::LltfHt20, 1134), (Layout::LltfHt20Stbc, 48)];
    assert_eq!(layouts, expected.into());
    assert_eq!(state.kinds()[Kind::Csi.index()], 5309);
    plan.end_cycle(last, &mut state);
    let mut health = Vec::new();
    state.health(&mut health);
    assert_eq!(health.iter().map(|h| (h.node.0, h.frames)).collect::<Vec<_>>(), [(1, 2659), (2, 2650)]);
    for h in &health {
        assert!((h.rate_hz - 22.0).abs() < 4.0, "{h:?}");
        assert_eq!((h.reordered, h.duplicates, h.reboots, h.rejected), (0, 0, 0, 0));
    }
    println!("mean phase step {:.4} rad a tone", slope / 5309.0);
}

/// (frames by layout and kind, rejects by reason) of every line of a file.
fn read_lines(path: &std::path::Path) -> BTreeMap<String, u32> {
    let text = std::fs::read(path).unwrap();
    let mut counts = BTreeMap::new();
    for line in text.split(|&b| b == b'\n').filter(|l| !l.trim_ascii().is_empty()) {
        let name = match parse(Timestamp(1), line) {
            Ok(Packet::Csi(f)) => f.layout.name().to_owned(),
            Ok(Packet::RestoredCsi(f)) => f.layout.name().to_owned() + " restored",
            Ok(other) => panic!("{other:?}"),
            Err(reason) => reason.name().to_owned(),
        };
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

#[test]
fn every_line_of_the_esp32_files_is_accounted_for() {
    let Some(directory) = recordings("parsers") else { return };
    let expected: [(&str, &[(&str, u32)]); 4] = [
        // One line was cut off by a lost byte on the serial line.
        (
            "esp32_example_100hz_pitraffic.csv",
            &[("lltf64 restored", 833), ("text-heading", 1), ("wrong-length", 1)],
        ),
        ("esp32_example_data.csv", &[("lltf64 restored", 60), ("text-heading", 1)]),
        ("csiread_esp32_example_csi.csv", &[("lltf64", 13)]),
        ("espcsi_csi_data_with_head.csv", &[("lltf+ht20+stbc", 116), ("text-heading", 1)]),
    ];
    for (name, counts) in expected {
        let got = read_lines(&directory.join(name));
        println!("{name}: {got:?}");
        assert_eq!(got, counts.iter().map(|&(n, c)| (n.to_owned(), c)).collect(), "{name}");
    }
}

#[test]
fn every_line_of_a_c5_parses_and_is_continuous_at_dc() {
    let Some(directory) = recordings("motion_hku") else { return };
    let (mut frames, mut headings) = (0, 0);
    let mut steps: Vec<f64> = Vec::new();
    for sub in ["evaluation_motion", "evaluation_static"] {
        for entry in std::fs::read_dir(directory.join(sub)).unwrap() {
            let text = std::fs::read(entry.unwrap().path()).unwrap();
            for line in text.split(|&b| b == b'\n').filter(|l| !l.trim_ascii().is_empty()) {
                match parse(Timestamp(1), line) {
                    Ok(Packet::Csi(f)) => {
                        assert_eq!(f.layout, Layout::Compact);
                        frames += 1;
                        // Tone +2 against −2, less four mean steps.
                        let s = &f.samples;
                        let (a, b) = ((s.re()[56], s.im()[56]), (s.re()[57], s.im()[57]));
                        let jump = atan2(f64::from(a.0 * b.1 - a.1 * b.0), f64::from(a.0 * b.0 + a.1 * b.1));
                        steps.push(wavewitness_num::math::wrap_angle(jump - 4.0 * phase_step(&f)));
                    }
                    Err(wavewitness_ingest::Reject::TextHeading) => headings += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert_eq!((frames, headings), (9000, 30));
    let median = wavewitness_num::sum::median_in_place(&mut steps).unwrap();
    // As the chip gives it, it would be π/2.
    assert!(median.abs() < 0.1, "{median}");
    println!("median step at DC {median:.3} rad");
}
