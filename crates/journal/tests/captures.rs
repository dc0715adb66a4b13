//! Guards that captures of other tools become datagrams, none made up and none lost silently. The recordings are other
//! people's and are not part of the project: where they are absent, these tests say so and pass.

mod common;

use common::*;
use std::fs;
use std::path::PathBuf;
use wavewitness_journal::{Capture, CaptureError, CaptureKind, Journal, JournalDir};
use wavewitness_types::{Event, Source};

fn data(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("WAVEWITNESS_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")));
    let path = root.join(path);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    }
    Some(path)
}

fn all(capture: &mut Capture) -> Vec<Event> {
    capture.map(|event| event.unwrap()).collect()
}

fn datagram(event: &Event) -> (u64, &[u8]) {
    match event {
        Event::Datagram { at, bytes, .. } => (at.0, bytes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_journal_is_a_capture_of_its_datagrams() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0..10, 4);
    let expected: Vec<Event> =
        (0..10).flat_map(|n| cycle(n, 40).events).filter(|e| matches!(e, Event::Datagram { .. })).collect();
    let mut capture = Capture::open(dir.path()).unwrap();
    assert_eq!(capture.source(), Source::Replay);
    assert_eq!(all(&mut capture), expected);
    assert_eq!((capture.summary().kind, capture.summary().datagrams), (CaptureKind::Journal, 30));
    assert!(capture.summary().skipped.is_empty());
    assert_eq!(capture.summary().first.unwrap().0, START);

    // One segment, damaged: what is left comes, what is not is counted.
    let segment = Journal::open(dir.path()).unwrap().segments()[1].path.clone();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4].fill(0x55);
    fs::write(&segment, bytes).unwrap();
    let mut capture = Capture::open(&segment).unwrap();
    assert!(all(&mut capture).len() < 12);
    assert_eq!(capture.summary().skipped.get("damaged place in the journal"), Some(&1));
}

#[test]
fn a_simulated_journal_stays_simulated() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0..3, 4);
    let held = JournalDir::lock(dir.path()).unwrap();
    let chain = wavewitness_journal::ChainId(1);
    let at = wavewitness_types::Timestamp(5);
    let w = wavewitness_journal::Writer::create(
        held,
        chain,
        Source::Simulated,
        b"g",
        b"h",
        at,
        Default::default(),
    );
    w.unwrap().close().unwrap();
    assert_eq!(Capture::open(dir.path()).unwrap().source(), Source::Simulated);
}

#[test]
fn what_is_no_capture_is_refused_by_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.mcap");
    fs::write(&path, b"hello, this is prose").unwrap();
    match Capture::open(&path) {
        Err(e @ CaptureError::NotRecognised { .. }) => assert!(e.to_string().contains("hello, this is p")),
        other => panic!("{:?}", other.map(|c| c.source())),
    }
    assert!(matches!(Capture::open(&dir.path().join("absent")), Err(CaptureError::Io { .. })));
    assert!(matches!(Capture::open(dir.path()), Err(CaptureError::Journal(_))));
}

#[test]
fn a_line_without_end_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    let line = r#"{"timestamp": 1.25, "node_id": 2, "magic": "0xC5110001", "iq_hex": "00ff0d03"}"#;
    fs::write(&path, format!("{line}\n{}\n\n{line}", "x".repeat(1 << 20))).unwrap();
    let mut capture = Capture::open(&path).unwrap();
    let events = all(&mut capture);
    assert_eq!(events.len(), 2);
    assert_eq!(datagram(&events[0]).0, 1_250_000_000);
    assert_eq!(capture.summary().skipped.get("line too long"), Some(&1));
}

#[test]
fn the_two_node_recording_becomes_its_datagrams_again() {
    let Some(path) = data("ruview_2node/pretrain-1775182186.csi.jsonl") else { return };
    let mut capture = Capture::open(&path).unwrap();
    let events = all(&mut capture);
    let of =
        |magic: u8, node: u8| events.iter().map(datagram).filter(move |(_, b)| b[0] == magic && b[4] == node);
    assert_eq!((of(1, 1).count(), of(1, 2).count()), (2659, 2650));
    assert_eq!((of(2, 1).count() + of(2, 2).count(), of(3, 1).count() + of(3, 2).count()), (236, 236));
    assert_eq!(capture.summary().datagrams, 5781);
    let skipped: Vec<_> = capture.summary().skipped.iter().map(|(k, v)| (*k, *v)).collect();
    assert_eq!(skipped, [("compressed row, not to be decoded alone", 2)]);
    // Each raw datagram has the length that its header says, and the node's own count.
    for node in [1, 2] {
        for (k, (_, bytes)) in of(1, node).enumerate() {
            let pairs = usize::from(u16::from_le_bytes([bytes[6], bytes[7]]));
            assert_eq!(bytes.len(), 20 + 2 * pairs);
            assert_eq!(bytes[12..16], (k as u32).to_le_bytes());
        }
    }
    // The digits of the recorder's clock, all of them.
    assert_eq!(datagram(&events[0]).0, 1_775_182_186_957_775_800);
    let seconds = capture.summary().last.unwrap().seconds_since(capture.summary().first.unwrap());
    assert!((119.0..121.0).contains(&seconds), "{seconds}");
}

#[test]
fn csv_recordings_give_every_data_line_with_its_time() {
    for (name, lines, rate) in [
        ("parsers/csiread_esp32_example_csi.csv", 13, 1.0..1000.0),
        ("parsers/esp32_example_100hz_pitraffic.csv", 834, 60.0..140.0),
        ("parsers/esp32_example_data.csv", 60, 1.0..1000.0),
        ("parsers/espcsi_csi_data_with_head.csv", 116, 1.0..1000.0),
    ] {
        let Some(path) = data(name) else { continue };
        let mut capture = Capture::open(&path).unwrap();
        let events = all(&mut capture);
        assert_eq!(capture.summary().kind, CaptureKind::Esp32Csv);
        assert_eq!(events.len(), lines, "{name}: {:?}", capture.summary());
        assert!(events.iter().map(datagram).all(|(_, b)| b.starts_with(b"CSI_DATA,")));
        assert!(events.windows(2).all(|w| w[0].at() <= w[1].at()), "{name}");
        let seconds = capture.summary().last.unwrap().seconds_since(capture.summary().first.unwrap());
        let measured = (lines - 1) as f64 / seconds;
        assert!(rate.contains(&measured), "{name}: {measured} lines a second");
    }
}

/// A classic pcap, byte by byte: Ethernet, IPv4, UDP to port 5005; and an ARP packet.
#[test]
fn a_pcap_gives_its_udp_payloads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traffic");
    let mut file =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    let mut packet = |micros: u32, frame: &[u8]| {
        let length = frame.len() as u32;
        for word in [1_775_182_186, micros, length, length] {
            file.extend_from_slice(&u32::to_le_bytes(word));
        }
        file.extend_from_slice(frame);
    };
    let mut frame = vec![0u8; 12];
    frame.extend_from_slice(&[
        0x08, 0x00, 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 1, 7, 192, 168, 1, 9,
    ]);
    frame.extend_from_slice(&[0xc0, 0x01, 0x13, 0x8d, 0, 12, 0, 0, b'w', b'a', b'v', b'e']);
    packet(250_000, &frame);
    packet(300_000, &[[0u8; 12].as_slice(), &[0x08, 0x06], &[0; 28]].concat());
    fs::write(&path, file).unwrap();
    let mut capture = Capture::open(&path).unwrap();
    let events = all(&mut capture);
    let [Event::Datagram { at, from, bytes }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((at.0, &bytes[..]), (1_775_182_186_250_000_000, &b"wave"[..]));
    assert_eq!((from.ip[12..].to_vec(), from.port), (vec![192, 168, 1, 7], 0xc001));
    assert_eq!(capture.summary().kind, CaptureKind::Pcap);
    assert_eq!(capture.summary().skipped.get("packet that is not UDP"), Some(&1));
}

/// A pcapng file of UDP packets with these times, in µs.
fn pcapng(times_us: &[u64]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let padding = vec![0u8; body.len().next_multiple_of(4) - body.len()];
        let length = (12 + body.len() + padding.len()) as u32;
        [&kind.to_le_bytes()[..], &length.to_le_bytes(), body, &padding, &length.to_le_bytes()].concat()
    };
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &1u16.to_le_bytes(), &[0; 2], &[0xff; 8]].concat();
    let ethernet = [1u16.to_le_bytes(), [0; 2], [0xff, 0xff], [0; 2]].concat();
    let mut file = [block(0x0a0d_0d0a, &section), block(1, &ethernet)].concat();
    let mut packet = [[2u8; 12].as_slice(), &[8, 0]].concat();
    packet.extend([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend([0x13, 0x88, 0x13, 0x8d, 0, 12, 0, 0, b'd', b'a', b't', b'a']);
    for time in times_us {
        let (high, low, length) = ((time >> 32) as u32, *time as u32, packet.len() as u32);
        let head: Vec<u8> =
            [0, high, low, length, length].iter().flat_map(|x: &u32| x.to_le_bytes()).collect();
        file.extend(block(6, &[head, packet.clone()].concat()));
    }
    file
}

#[test]
fn a_time_that_no_clock_shows_is_counted_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spoilt.pcapng");
    let start = 1_700_000_000_000_000;
    fs::write(&path, pcapng(&[start, u64::MAX, start + 50_000, u64::MAX / 1000 - 1, start + 100_000]))
        .unwrap();
    let mut capture = Capture::open(&path).unwrap();
    let times: Vec<u64> = all(&mut capture).iter().map(|e| datagram(e).0 / 1000).collect();
    assert_eq!(times, [start, start + 50_000, start + 100_000]);
    assert_eq!(capture.summary().skipped.get("time after the year 2262"), Some(&2));
    assert_eq!(capture.summary().last.unwrap().0, (start + 100_000) * 1000);
}

#[test]
fn pcap_recordings_give_a_datagram_a_packet() {
    for (name, packets) in [("parsers/nexmon_example_43455c0.pcap", 566)] {
        let Some(path) = data(name) else { continue };
        let mut capture = Capture::open(&path).unwrap();
        let events = all(&mut capture);
        let skipped: u64 = capture.summary().skipped.values().sum();
        assert_eq!(events.len() as u64 + skipped, packets, "{:?}", capture.summary());
        assert!(events.len() > 500, "{:?}", capture.summary());
    }
}

/// ESP32-C5 clips of three seconds at 100 Hz; their counter is printed as signed.
#[test]
fn clips_of_a_c5_have_their_rate() {
    let Some(folder) = data("motion_hku/evaluation_motion") else { return };
    let mut clips = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "csv") {
            continue;
        }
        let mut capture = Capture::open(&path).unwrap();
        let events = all(&mut capture);
        // The median: a clip has gaps of up to a second.
        let mut steps: Vec<u64> = events.windows(2).map(|w| w[1].at().nanos_since(w[0].at())).collect();
        steps.sort_unstable();
        let median = steps[steps.len() / 2];
        assert!((9_000_000..11_000_000).contains(&median), "{}: {median} ns", path.display());
        clips += 1;
    }
    assert!(clips >= 10);
}
