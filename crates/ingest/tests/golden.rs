//! One datagram of each magic, written byte by byte from the tables in docs/wire.md, and what it must mean. Guards
//! offsets, byte order, exact lengths, checksums and the values that mean "unknown". The peer's server has read
//! signal strength and noise from the wrong offsets for a year; a round trip through one's own encoder cannot see that.

mod common;

use common::hex;
use wavewitness_ingest::packet::{FusedVitals, Packet, Sync, Vitals};
use wavewitness_ingest::{Kind, Reject, encode, parse};
use wavewitness_types::{CsiFrame, Layout, Mac, NodeId, RadioMeta, Timestamp, ToneGrid};

const AT: Timestamp = Timestamp(1_000);

/// A legacy field in FFT order: imaginary −16, real 17 on tones +1..26; imaginary 18, real −19 on −26..−1.
fn legacy_iq() -> String {
    ["0000", &"f011".repeat(26), &"0000".repeat(11), &"12ed".repeat(26)].concat()
}

fn frame(bytes: &[u8]) -> CsiFrame {
    match parse(AT, bytes) {
        Ok(Packet::Csi(frame)) => frame,
        other => panic!("not a channel frame: {other:?}"),
    }
}

fn check_legacy_samples(f: &CsiFrame) {
    assert_eq!(f.layout, Layout::Lltf64);
    assert_eq!(f.samples.grid(), ToneGrid::Legacy20);
    // Columns ascend from tone −26; +1 is column 26.
    assert_eq!((f.samples.im()[0], f.samples.re()[0]), (18.0, -19.0));
    assert_eq!((f.samples.im()[25], f.samples.re()[25]), (18.0, -19.0));
    assert_eq!((f.samples.im()[26], f.samples.re()[26]), (-16.0, 17.0));
    assert_eq!((f.samples.im()[51], f.samples.re()[51]), (-16.0, 17.0));
}

#[test]
fn raw_csi() {
    //            magic    id n pairs freq     sequence rssi noise ppdu flags
    let header = "010011c5 02 01 4000 6c090000 2a000001 c4   a1    00   00";
    let f = frame(&hex(&(header.to_owned() + &legacy_iq())));
    check_legacy_samples(&f);
    assert_eq!((f.at, f.mesh_time, f.node, f.transmitter), (AT, None, NodeId(2), None));
    assert_eq!(f.sequence, 0x0100_002a);
    assert_eq!(f.radio, RadioMeta { channel_mhz: Some(2412), rssi_dbm: Some(-60), noise_dbm: Some(-95) });
}

#[test]
fn raw_csi_says_unknown_by_zero_or_127() {
    let f = frame(&hex(&("010011c5 02 01 4000 00000000 00000000 00 00 ff 10".to_owned() + &legacy_iq())));
    assert_eq!(f.radio, RadioMeta::default());
    let f = frame(&hex(&("010011c5 02 01 4000 00000000 00000000 7f 00 00 00".to_owned() + &legacy_iq())));
    assert_eq!(f.radio.rssi_dbm, None);
}

#[test]
fn raw_csi_v2_and_v3() {
    let v2 = "080011c5 07 01 4000 3c140000 05000000 d8 a5 00 00 a0b1c2d3e4f5";
    let f = frame(&hex(&(v2.to_owned() + &legacy_iq())));
    check_legacy_samples(&f);
    assert_eq!(f.node, NodeId(7));
    assert_eq!(f.transmitter, Some(Mac([0xa0, 0xb1, 0xc2, 0xd3, 0xe4, 0xf5])));
    assert_eq!(f.radio.channel_mhz, Some(5180));
    let v3 = "0a0011c5 07 01 4000 3c140000 05000000 d8 a5 00 00 000000000000 3412";
    let f = frame(&hex(&(v3.to_owned() + &legacy_iq())));
    check_legacy_samples(&f);
    assert_eq!(f.transmitter, None);
}

#[test]
fn raw_csi_is_refused_by_reason() {
    let good = hex(&("010011c5 02 01 4000 6c090000 2a000000 c4 a1 00 00".to_owned() + &legacy_iq()));
    let with = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        parse(AT, &bytes).unwrap_err()
    };
    assert_eq!(parse(AT, &good[..3]), Err(Reject::TooShort));
    assert_eq!(parse(AT, &good[..19]), Err(Reject::TooShort));
    assert_eq!(parse(AT, &good[..147]), Err(Reject::WrongLength));
    assert_eq!(with(0, &[0x84]), Reject::UnknownMagic);
    assert_eq!(with(5, &[0]), Reject::BadHeader);
    assert_eq!(with(5, &[9]), Reject::BadHeader);
    assert_eq!(with(6, &[63]), Reject::WrongLength);
    assert_eq!(with(8, &[1, 0]), Reject::BadHeader);
    // The second version's header is six bytes longer: the same bytes under its magic have the wrong length.
    assert_eq!(with(0, &[0x08]), Reject::WrongLength);
    // An edge tone where none may be, then a payload of zeros, then a number of pairs that nothing has.
    assert_eq!(with(20 + 2 * 32, &[9, 9]), Reject::NullTones);
    assert_eq!(with(20, &[0; 128]), Reject::AllZero);
    let odd = hex(&("010011c5 02 01 0300 6c090000 2a000000 c4 a1 00 00".to_owned() + "010203040506"));
    assert_eq!(parse(AT, &odd), Err(Reject::UnknownLayout));
    assert_eq!(parse(AT, &[0; 5000]), Err(Reject::TooLong));
}

#[test]
fn an_invalid_first_word_is_restored_or_refused() {
    // Flag bit 5: the first two pairs (DC and tone +1) were zeroed.
    let header = "010011c5 02 01 4000 6c090000 2a000000 c4 a1 00 20";
    let iq = ["0000", "0000", &"f010".repeat(25), &"0000".repeat(11), &"12ec".repeat(26)].concat();
    let Ok(Packet::RestoredCsi(f)) = parse(AT, &hex(&(header.to_owned() + &iq))) else { panic!() };
    // Between −1 (18, −20), two spacings away, and +2 (−16, 16), one away.
    assert_eq!((f.samples.im()[26], f.samples.re()[26]), ((18.0 - 32.0) / 3.0, (-20.0 + 32.0) / 3.0));
    assert_eq!((f.samples.im()[27], f.samples.re()[27]), (-16.0, 16.0));
    // Without the flag, garbage at DC says the same.
    let header = "010011c5 02 01 4000 6c090000 2a000000 c4 a1 00 00";
    let iq = ["1226", "6100", &"f010".repeat(25), &"0000".repeat(11), &"12ec".repeat(26)].concat();
    let Ok(Packet::RestoredCsi(g)) = parse(AT, &hex(&(header.to_owned() + &iq))) else { panic!() };
    assert_eq!(g.samples, f.samples);
    // An ascending compact list (C5) has its lowest tones there: they have no neighbour on the other side.
    let header = "010011c5 02 01 3500 6c090000 2a000000 c4 a1 00 20";
    let iq = ["00000000", &"f010".repeat(24), "0000", &"12ec".repeat(26)].concat();
    assert_eq!(parse(AT, &hex(&(header.to_owned() + &iq))), Err(Reject::MissingTone));
    // In FFT order the zeroed word takes the only null bin with it: nothing is left to verify the order by.
    let iq = ["00000000", &"f010".repeat(25), &"12ec".repeat(26)].concat();
    assert_eq!(parse(AT, &hex(&(header.to_owned() + &iq))), Err(Reject::NullTones));
}

#[test]
fn vitals() {
    //           magic    id fl  br   heart    rssi n rsv  motion   presence uptime   rsv
    let bytes = "020011c5 01 05 d204 80fc0a00 eb 04 0000 0000803f 00000040 e8030000 00000000";
    let expected = Vitals {
        node: NodeId(1),
        presence: true,
        fall: false,
        motion: true,
        breathing_centibpm: 1234,
        heart_bpm_e4: 720_000,
        rssi_dbm: Some(-21),
        persons: 4,
        motion_energy: 1.0,
        presence_score: 2.0,
        uptime_ms: 1000,
        fused: None,
    };
    assert_eq!(parse(AT, &hex(bytes)), Ok(Packet::Vitals(expected)));
    assert_eq!(parse(AT, &hex(bytes)[..31]), Err(Reject::WrongLength));
    let mut nan = hex(bytes);
    nan[16..20].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(parse(AT, &nan), Err(Reject::BadHeader));
}

#[test]
fn fused_vitals_and_module_output_share_a_magic() {
    let fused = "040011c5 03 09 d204 80fc0a00 eb 01 02 5f 0000803f 00000040 e8030000 \
                 00009042 00007041 0000fa43 01 50 0000 00000000";
    let Ok(Packet::Vitals(v)) = parse(AT, &hex(fused)) else { panic!() };
    let radar = FusedVitals {
        radar_present: true,
        radar_type: 2,
        confidence_percent: 95,
        heart_bpm: 72.0,
        breathing_bpm: 15.0,
        distance_cm: 500.0,
        targets: 1,
    };
    assert_eq!((v.node, v.presence, v.fused), (NodeId(3), true, Some(radar)));
    let two_records = "040011c5 03 01 0200 01 0000803f 02 00000040";
    assert_eq!(parse(AT, &hex(two_records)), Ok(Packet::WasmOutput { node: NodeId(3), records: 2 }));
    // 8 records make 48 bytes, the length of fused vitals; as a breathing rate 8 would be 0.08 a minute.
    let eight_records = "040011c5 03 01 0800".to_owned() + &"05 0000803f".repeat(8);
    assert_eq!(hex(&eight_records).len(), 48);
    assert_eq!(parse(AT, &hex(&eight_records)), Ok(Packet::WasmOutput { node: NodeId(3), records: 8 }));
    assert_eq!(parse(AT, &hex("040011c5 03 01 0300 01 0000803f")), Err(Reject::WrongLength));
    let bad_confidence = fused.replacen("02 5f", "02 65", 1);
    assert_eq!(parse(AT, &hex(&bad_confidence)), Err(Reject::BadHeader));
}

#[test]
fn feature_vector() {
    let bytes = "030011c5 02 00 0700 40420f0000000000".to_owned() + &"0000803e".repeat(7) + "0000c03f";
    let Ok(Packet::Feature(f)) = parse(AT, &hex(&bytes)) else { panic!() };
    assert_eq!((f.node, f.sequence, f.uptime_us), (NodeId(2), 7, 1_000_000));
    assert_eq!(f.values, [0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 1.5]);
    // Older firmware used the magic for channel frames: only the length tells.
    assert_eq!(parse(AT, &hex(&(bytes + "00"))), Err(Reject::WrongLength));
}

#[test]
fn compressed_csi_and_classification() {
    let compressed = hex("050011c5 01 06 8000 0400 0000 0000");
    assert_eq!(parse(AT, &compressed), Err(Reject::NotAlone));
    let classification = hex(&("070011c5 09".to_owned() + &"00".repeat(35)));
    assert_eq!(parse(AT, &classification), Ok(Packet::Classification { node: NodeId(9) }));
    assert_eq!(parse(AT, &classification[..39]), Err(Reject::WrongLength));
}

#[test]
fn feature_state_with_its_crc() {
    let bytes = "060011c5 03 02 0700 40420f0000000000 0000003f 0000803f 00007041 0000403f 00009042 \
                 0000003e 00000000 00000000 0000803f 0500 ce00 78806b01";
    let Ok(Packet::FeatureState(s)) = parse(AT, &hex(bytes)) else { panic!() };
    assert_eq!((s.node, s.mode, s.sequence, s.uptime_us), (NodeId(3), 2, 7, 1_000_000));
    assert_eq!(s.values, [0.5, 1.0, 15.0, 0.75, 72.0, 0.125, 0.0, 0.0, 1.0]);
    assert_eq!((s.quality_flags, s.rssi_dbm), (5, Some(-50)));
    let good = hex(bytes);
    for bit in 0..8 * good.len() {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(parse(AT, &bad).is_err(), "bit {bit}");
    }
}

#[test]
fn sync() {
    let bytes = "10a111c5 04 01 03 00 40420f0000000000 80841e0000000000 e7030000 00000000";
    let expected = Sync {
        node: NodeId(4),
        leader: true,
        valid: true,
        smoothed: false,
        local_us: 1_000_000,
        epoch_us: 2_000_000,
        highest_sequence: 999,
    };
    assert_eq!(parse(AT, &hex(bytes)), Ok(Packet::Sync(expected)));
    assert_eq!(parse(AT, &hex(&bytes.replacen("04 01", "04 02", 1))), Err(Reject::BadHeader));
    let far = bytes.replacen("80841e0000000000", "ffffffffffffffff", 1);
    assert_eq!(parse(AT, &hex(&far)), Err(Reject::BadHeader));
}

#[test]
fn mesh() {
    let health = "008111c5 01 06 02 00 09000000 1c00 0000 \
                  a0b1c2d3e4f50607 40420f0000000000 01 01 14 a6 3200 0c00 0300 0000 8db92b67";
    let Ok(Packet::MeshHealth(h)) = parse(AT, &hex(health)) else { panic!() };
    assert_eq!(h.node_id, [0xa0, 0xb1, 0xc2, 0xd3, 0xe4, 0xf5, 6, 7]);
    assert_eq!((h.local_us, h.role, h.channel, h.bandwidth), (1_000_000, 1, 1, 20));
    assert_eq!((h.noise_dbm, h.packet_yield, h.sync_error_us, h.flags), (Some(-90), 50, 12, 3));
    let mut bad = hex(health);
    bad[20] ^= 1;
    assert_eq!(parse(AT, &bad), Err(Reject::BadCrc));
    let other = "008111c5 01 07 02 00 09000000 0400 0000 01020304 70212fca";
    assert_eq!(parse(AT, &hex(other)), Ok(Packet::Mesh { message: 7 }));
    assert_eq!(parse(AT, &hex(other)[..19]), Err(Reject::TooShort));
    assert_eq!(parse(AT, &hex(&(other.to_owned() + "00"))), Err(Reject::WrongLength));
}

#[test]
fn simulation_marker() {
    let bytes = hex("57 57 53 49 4d 30 30 31 0807060504030201");
    assert_eq!(parse(AT, &bytes), Ok(Packet::SimulationMarker { seed: 0x0102_0304_0506_0708 }));
    assert_eq!(parse(AT, &bytes[..15]), Err(Reject::WrongLength));
    let mut out = vec![1];
    encode::encode_simulation_marker(0x0102_0304_0506_0708, &mut out);
    assert_eq!(out, bytes);
}

#[test]
fn text_lines_of_three_tools() {
    let list = |separator: &str| {
        let pair = |x: &str, n: usize| vec![x.replace(' ', separator); n];
        [pair("0 0", 1), pair("-16 17", 26), pair("0 0", 11), pair("18 -19", 26)].concat().join(separator)
    };
    let (spaced, commas) = (list(" "), list(","));
    let tool = format!(
        "CSI_DATA,AP,3C:71:BF:6D:2A:78,-73,11,1,0,1,1,1,0,0,0,0,-93,0,6,1,80272146,0,101,0,0,80.363225,128,[{spaced} ]\n"
    );
    let old = format!(
        "CSI_DATA,56,70:3a:73:0c:6c:fb,-52,11,1,7,0,1,1,1,1,0,1,-91,1,1,0,56307647,0,100,0,128,0,\"[{commas}]\"\r\n"
    );
    let new = format!(
        "0,CSI_DATA,356579,1a:00:00:00:00:00,-43,11,159,14,29,8,-646763950,44,0,128,0,\"[{commas}]\""
    );
    let expected = [
        (tool, 80_272_146, "3c:71:bf:6d:2a:78", 2437, -73, -93),
        (old, 56, "70:3a:73:0c:6c:fb", 2412, -52, -91),
        (new, 356_579, "1a:00:00:00:00:00", 2447, -43, -97),
    ];
    for (line, sequence, mac, channel_mhz, rssi, noise) in expected {
        let f = frame(line.as_bytes());
        check_legacy_samples(&f);
        assert_eq!((f.node, f.sequence), (NodeId(0), sequence));
        assert_eq!(f.transmitter, Mac::parse(mac));
        let radio =
            RadioMeta { channel_mhz: Some(channel_mhz), rssi_dbm: Some(rssi), noise_dbm: Some(noise) };
        assert_eq!(f.radio, radio);
    }
}

#[test]
fn text_is_refused_by_reason() {
    let bad = |text: &str| parse(AT, text.as_bytes()).unwrap_err();
    assert_eq!(bad("type,id,mac,rssi"), Reject::TextHeading);
    assert_eq!(bad(",type,id,mac,rssi"), Reject::TextHeading);
    assert_eq!(bad("CSI_DATA"), Reject::BadText);
    assert_eq!(bad("CSI_DATA,1,2,[1 2]"), Reject::BadText);
    let line = |mac: &str, len: u32, list: &str| {
        format!("CSI_DATA,1,{mac},-43,11,-97,14,29,8,-646763950,44,0,{len},0,\"[{list}]\"")
    };
    let mac = "1a:00:00:00:00:00";
    assert_eq!(bad(&line(mac, 4, "1,2")), Reject::WrongLength);
    assert_eq!(bad(&line(mac, 3, "1,2,3")), Reject::WrongLength);
    assert_eq!(bad(&line(mac, 2, "1,x")), Reject::BadText);
    assert_eq!(bad(&line(mac, 2, "1,2")), Reject::UnknownLayout);
    assert_eq!(bad(&line(mac, 4, "0,0,0,0")), Reject::AllZero);
    assert_eq!(bad(&line(mac, 2, "1,2").replace(']', "")), Reject::BadText);
}

#[test]
fn names_and_indices_are_stable() {
    for (k, reason) in Reject::ALL.into_iter().enumerate() {
        assert_eq!(reason.index(), k);
        assert_eq!(Reject::ALL.iter().filter(|r| r.name() == reason.name()).count(), 1);
    }
    for (k, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind.index(), k);
        assert_eq!(Kind::ALL.iter().filter(|r| r.name() == kind.name()).count(), 1);
    }
}
