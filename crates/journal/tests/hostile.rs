//! Guards captures against files that nobody honest wrote: every file is refused or read to its end, and what comes of it is in
//! time that a replay can compute up to. A pcapng with one spoilt time once made an import compute for ever.

use proptest::prelude::*;
use std::fs;
use wavewitness_journal::Capture;
use wavewitness_types::Event;

/// Good files of each kind, small enough that a change hits something.
fn captures() -> [Vec<u8>; 4] {
    let mut pcap =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    let mut frame = [[2u8; 12].as_slice(), &[8, 0]].concat();
    frame.extend([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0x13, 0x88, 0x13, 0x8d, 0, 12, 0, 0, b'd', b'a', b't', b'a']);
    let length = frame.len() as u32;
    let block = |kind: u32, body: &[u8]| {
        let padding = vec![0u8; body.len().next_multiple_of(4) - body.len()];
        let length = (12 + body.len() + padding.len()) as u32;
        [&kind.to_le_bytes()[..], &length.to_le_bytes(), body, &padding, &length.to_le_bytes()].concat()
    };
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &1u16.to_le_bytes(), &[0; 2], &[0xff; 8]].concat();
    let mut pcapng = [block(0x0a0d_0d0a, &section), block(1, &[1, 0, 0, 0, 0xff, 0xff, 0, 0])].concat();
    let (mut csv, mut rows) = (String::from("type,role,mac\n"), String::new());
    for k in 0..4u32 {
        let head = [1_775_182_186 + k, 250_000, length, length].map(u32::to_le_bytes).concat();
        pcap.extend([head, frame.clone()].concat());
        let head = [0, 0x0006_4e8a, k * 50_000, length, length].map(u32::to_le_bytes).concat();
        pcapng.extend(block(6, &[head, frame.clone()].concat()));
        csv += &format!(
            "CSI_DATA,{k},aa:bb:cc:dd:ee:ff,-43,11,159,14,29,8,{},44,0,4,0,\"[17,-25,20,-25]\"\n",
            k * 50_000
        );
        rows += &format!(
            "{{\"timestamp\": 1775182186.{k}5, \"node_id\": 2, \"magic\": \"0xC5110001\", \"iq_hex\": \"00ff0d03\"}}\n"
        );
    }
    [pcap, pcapng, csv.into_bytes(), rows.into_bytes()]
}

/// What a spoilt place is overwritten with: any bytes, and those that numbers and lengths suffer from most.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let extremes = [
        &b"\xff\xff\xff\xff"[..],
        b"\0\0\0\0",
        b"\xff\xff\xff\x7f",
        b"99999999999999999999",
        b"-1",
        b"1e999",
        b"\n",
    ];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 1..9),
        prop::sample::select(extremes.map(<[u8]>::to_vec).to_vec()),
    ]
}

/// Reads a file to its end: its events' times, and how many things were skipped.
fn read(bytes: &[u8]) -> Option<(Vec<u64>, u64)> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capture");
    fs::write(&path, bytes).unwrap();
    let mut capture = Capture::open(&path).ok()?;
    let events: Vec<Event> = capture.by_ref().map_while(Result::ok).collect();
    Some((events.iter().map(|e| e.at().0).collect(), capture.summary().skipped.values().sum()))
}

#[test]
fn what_is_spoilt_below_is_whole_before() {
    for bytes in captures() {
        assert_eq!(read(&bytes).unwrap().0.len(), 4, "{}", String::from_utf8_lossy(&bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoilt_captures_end_and_stay_in_our_time(
        kind in 0usize..4,
        places in prop::collection::vec((any::<prop::sample::Index>(), spoilt()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = captures()[kind].clone();
        for (place, with) in places {
            let from = place.index(bytes.len());
            let until = bytes.len().min(from + with.len());
            bytes[from..until].copy_from_slice(&with[..until - from]);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Some((times, skipped)) = read(&bytes) {
            prop_assert!(times.iter().all(|t| *t <= i64::MAX as u64), "{times:?}");
            prop_assert!(times.len() as u64 + skipped <= 64, "{} from four packets", times.len());
        }
    }
}
