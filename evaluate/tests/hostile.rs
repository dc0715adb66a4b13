//! Guards the adapters and the drawings against files that are none, are cut off, or are of another size than those at
//! hand: an error that names the file or a result, never a panic. It has caught a partly written last row, a clock digit
//! that cost hours of empty cycles, and a time stamp far in the future that took 80 GB for a drawing.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use wavewitness_evaluate::adapters::ALL;
use wavewitness_evaluate::{Failure, Report, plots};
use wavewitness_num::math;

fn run(dataset: &str, paths: &[PathBuf]) -> Result<Report, Failure> {
    let found = ALL.iter().find(|d| d.name == dataset).expect("a dataset of that name");
    let report = (found.run)(paths)?;
    for drawing in plots::draw(dataset, paths)? {
        assert!(drawing.svg.starts_with("<svg") && drawing.svg.ends_with("</svg>\n"), "{}", drawing.file);
        assert_eq!(plots::draw(dataset, paths)?[0].svg, plots::draw(dataset, paths)?[0].svg);
    }
    Ok(report)
}

fn refused(dataset: &str, paths: &[PathBuf], word: &str) {
    match run(dataset, paths) {
        Err(failure) => assert!(failure.0.contains(word), "{dataset}: {failure}"),
        Ok(report) => panic!("{dataset} took {paths:?}: {report}"),
    }
}

fn value(report: &Report, metric: &str) -> Option<f64> {
    report.rows.iter().find(|r| r.metric == metric).unwrap_or_else(|| panic!("no {metric}")).value
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn noise(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

const CORNERS: [[f64; 2]; 4] = [[0.0, 0.0], [5.0, 0.0], [5.0, 4.0], [0.0, 4.0]];

/// Distance of a point from the line between two others.
fn off(p: [f64; 2], a: [f64; 2], b: [f64; 2]) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let t = (((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    let (x, y) = (p[0] - a[0] - t * dx, p[1] - a[1] - t * dy);
    (x * x + y * y).sqrt()
}

/// Strength of a link that a person shadows, dBm.
fn strength(p: Option<[f64; 2]>, a: usize, b: usize, seed: &mut u64) -> f64 {
    let shadow = p.map_or(0.0, |p| if off(p, CORNERS[a], CORNERS[b]) < 0.4 { 6.0 } else { 0.0 });
    -50.0 - shadow - 2.0 * noise(seed)
}

/// A walk of four nodes on two channels, so many rows.
fn walk(folder: &Folder, rows: usize) -> [PathBuf; 4] {
    let (mut text, mut seed) = (String::new(), 1);
    for row in 0..rows {
        let at_s = 0.63 * row as f64;
        let person = (at_s >= 56.0).then(|| [1.0 + 3.0 * ((at_s - 56.0) / 16.0).fract(), 2.0]);
        for _ in 0..2 {
            for (a, b) in (0..4).flat_map(|a| (0..4).filter(move |b| *b != a).map(move |b| (a, b))) {
                write!(text, "{:.0} ", strength(person, a, b, &mut seed)).unwrap();
            }
        }
        writeln!(text, "{:.0}", 1e3 * at_s).unwrap();
    }
    let sensors: String = CORNERS.iter().map(|p| format!("{} {}\n", p[0], p[1])).collect();
    [
        folder.file("walk.txt", text),
        folder.file("sensors.txt", sensors),
        folder.file("pivots.txt", "1 2\n4 2\n"),
        folder.file("path.txt", "0\n1\n0\n1\n0\n"),
    ]
}

#[test]
fn a_walk_of_another_size_is_evaluated_and_a_cut_one_too() {
    let folder = Folder::new();
    let files = walk(&folder, 160);
    let report = run("rti-basement", &files).unwrap();
    assert!(value(&report, "presence accuracy").is_some());
    let text = std::fs::read(&files[0]).unwrap();
    for cut in [1, 2, 9, 33] {
        folder.file("walk.txt", &text[..text.len() - cut]);
        run("rti-basement", &files).unwrap();
    }
    refused("rti-basement", &walk(&folder, 50), "50 are the empty room");
    let [observations, _, pivots, path] = walk(&folder, 80);
    let five = folder.file("five.txt", "0 0\n5 0\n5 4\n0 4\n1 4\n");
    refused("rti-basement", &[observations.clone(), five, pivots, path.clone()], "5 nodes");
    for (name, places) in [("same.txt", "1 1\n1 1\n1 1\n1 1\n"), ("nan.txt", "0 0\n5 0\n5 nan\n0 4\n")] {
        let [_, _, pivots, path] = walk(&folder, 80);
        let odd = folder.file(name, places);
        assert!(run("rti-basement", &[observations.clone(), odd, pivots, path]).is_err());
    }
    let far = folder.file("far.txt", "0\n7\n");
    let [o, s, p, _] = walk(&folder, 80);
    refused("rti-basement", &[o, s, p, far], "pivot");
}

/// A log of scans among four nodes, one a second.
fn scans(person: Option<[f64; 2]>, seconds: usize, seed: &mut u64) -> String {
    let mut text = String::new();
    for s in 0..seconds {
        let at = 86_400 - 60 + s;
        let clock = format!("{:02}:{:02}:{:02}:000123", at / 3600 % 24, at / 60 % 60, at % 60);
        let rx = s % 4;
        writeln!(text, "[{clock}] From: Measure{} scan", rx + 1).unwrap();
        for tx in (0..4).filter(|tx| *tx != rx) {
            let dbm = strength(person, rx, tx, seed);
            writeln!(text, "[{clock}] SSID: Measure{} RSSI: {dbm:.0}", tx + 1).unwrap();
        }
    }
    text
}

#[test]
fn scans_of_other_nodes_past_midnight_with_odd_clocks_are_read() {
    let (folder, mut seed) = (Folder::new(), 2);
    let empty = folder.file("empty.txt", scans(None, 200, &mut seed));
    let text = scans(Some([2.5, 2.0]), 200, &mut seed);
    let person = folder.file("person.txt", &text);
    let sensors = folder.file("sensors.txt", "0 0\n5 0\n5 4\n0 4\n");
    let arguments = [empty.clone(), person.clone(), sensors.clone(), "2.5,2.0".into()];
    let report = run("rti-esp32", &arguments).unwrap();
    assert!(value(&report, "cycles with the person").is_some());
    // Without a truth the room is taken for empty.
    let report = run("rti-esp32", &[empty.clone(), person.clone(), sensors.clone()]).unwrap();
    assert!(value(&report, "cycles with a ghost").is_some());
    let odd = [("00:01:", "23:01:"), ("[00:", "[inf:"), ("00:00:", "09:00:"), ("RSSI: -", "RSSI: nan")];
    for (from, to) in odd {
        folder.file("person.txt", text.replace(from, to));
        let _ = run("rti-esp32", &arguments);
    }
    folder.file("person.txt", &text[..text.len() / 200]);
    let _ = run("rti-esp32", &arguments);
    folder.file("person.txt", "no log\n");
    refused("rti-esp32", &arguments, "no scan");
    let crowd: String = (0..400).map(|k| format!("{k} {}\n", k % 7)).collect();
    refused("rti-esp32", &[empty.clone(), person.clone(), folder.file("crowd.txt", crowd)], "400 nodes");
    refused("rti-esp32", &[empty], "takes");
}

/// A phantom's run: one chain or more, phase difference that swings at a rate.
fn phantom(folder: &Folder, bpm: f64, rx: usize) -> PathBuf {
    let (mut re, mut im, mut status) = (String::new(), String::new(), String::new());
    for k in 0..560 {
        let at_s = 0.107 * f64::from(k);
        let phase = 0.3 * math::sin(std::f64::consts::TAU * bpm / 60.0 * at_s);
        let mut parts = [const { String::new() }; 2];
        for cell in 0..9 * 114 {
            let (chain, tone) = (cell / 342, cell % 114);
            let there = chain < rx && cell % 342 < 114 && tone < 56;
            let level = if there { 100.0 + 40.0 * f64::from(chain as u32) * phase } else { 0.0 };
            let angle = phase * f64::from(chain as u32) + 0.05 * tone as f64;
            let comma = if cell == 0 { "" } else { "," };
            write!(parts[0], "{comma}{:.0}", level * math::cos(angle)).unwrap();
            write!(parts[1], "{comma}{:.0}", level * math::sin(angle)).unwrap();
        }
        writeln!(re, "{}", parts[0]).unwrap();
        writeln!(im, "{}", parts[1]).unwrap();
        writeln!(status, "{:.3},0,0,0,{rx},1,56", 1.6e9 + at_s).unwrap();
    }
    folder.file("r_csi_real_log.csv", re);
    folder.file("r_csi_imag_log.csv", im);
    folder.file("r_csi_status_log.csv", status);
    folder.file("r.csv", format!("bpm,{bpm}\n")).parent().map(Path::to_owned).unwrap()
}

#[test]
fn a_phantom_at_another_rate_is_found_and_a_broken_run_is_a_miss() {
    let folder = Folder::new();
    let report = run("breathing-phantom", &[phantom(&folder, 17.5, 2)]).unwrap();
    assert!(value(&report, "error").is_some_and(|e| e < 0.3), "{report}");
    let one = run("breathing-phantom", &[phantom(&folder, 12.0, 1)]).unwrap();
    assert_eq!(value(&one, "true rate"), Some(12.0));
    for (name, text) in [("s_csi_real_log.csv", "1,2,3\n"), ("s_csi_imag_log.csv", "a,b\n")] {
        folder.file(name, text);
        let report = run("breathing-phantom", &[folder.0.path().to_owned()]).unwrap();
        assert!(report.rows.last().unwrap().value.is_some_and(|share| share <= 0.5), "{report}");
    }
    folder.file("r_csi_status_log.csv", "1,2,3,4,99999999999,-1,56\n");
    assert!(run("breathing-phantom", &[folder.0.path().to_owned()]).is_err());
}

/// JSON rows of two nodes, as the recorder wrote them.
fn rows(count: u32) -> String {
    let (mut text, mut seed) = (String::new(), 5);
    for k in 0..count {
        // Carriers that are not sent are zero.
        let sent = |pair: u32| pair != 0 && !(27..=37).contains(&pair);
        let mut byte = |k: u32| if sent(k / 2) { 1 + (16.0 * noise(&mut seed)) as u8 } else { 0 };
        let pairs: String = (0..128).map(|k| format!("{:02x}", byte(k))).collect();
        let at = 1.7e9 + 0.02 * f64::from(k);
        let node = 1 + k % 2;
        writeln!(
            text,
            r#"{{"timestamp": {at:.3}, "node_id": {node}, "magic": "0xC5110001", "size": 148, "rssi": 1, "type": "raw_csi", "iq_hex": "{pairs}", "subcarriers": 64}}"#
        )
        .unwrap();
    }
    text
}

#[test]
fn rows_with_odd_times_and_damage_go_through_the_engine() {
    let folder = Folder::new();
    let text = rows(200);
    let report = run("ruview-2node", &[folder.file("a.jsonl", &text)]).unwrap();
    assert_eq!(value(&report, "frames"), Some(200.0));
    let cases = [
        text[..text.len() / 2].to_owned(),
        text.replacen("1700000002", "9700000002", 3),
        text.replacen("1700000001", "1600000001", 9),
        text.replacen("iq_hex\": \"0000", "iq_hex\": \"x000", 50),
        text.replace("\"node_id\": 2", "\"node_id\": 999"),
    ];
    for case in cases {
        run("ruview-2node", &[folder.file("a.jsonl", case)]).unwrap();
    }
    refused("ruview-2node", &[folder.file("a.jsonl", "{}\n{}\n")], "no datagram");
    refused("ruview-2node", &[folder.file("a.jsonl", "")], "no capture");
}

#[test]
fn what_is_no_file_of_the_dataset_is_refused_by_name() {
    let folder = Folder::new();
    for (k, bytes) in [&b""[..], b"\n\n", b"\x00\xff\x10 not this", b"1 2 3\n4 5\n"].iter().enumerate() {
        let file = folder.file(&format!("f{k}"), bytes);
        for dataset in ALL.iter().filter(|d| d.name != "radiopoints") {
            for count in [1, 2, 4] {
                let paths = vec![file.clone(); count];
                assert!(run(dataset.name, &paths).is_err(), "{} took {k} {count} times", dataset.name);
            }
        }
    }
    let nowhere = vec![PathBuf::from("/nowhere/at/all"), PathBuf::from("15")];
    for dataset in ALL {
        assert!(run(dataset.name, &nowhere).is_err(), "{}", dataset.name);
    }
    refused("breathing-5300", &[folder.file("b.dat", "x"), "nan".into()], "rate");
}
