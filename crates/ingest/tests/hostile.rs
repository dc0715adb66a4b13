//! Guards totality: no bytes whatever panic the parser, the books or the capture reader, and what is accepted is
//! finite. Arbitrary bytes rarely get past the magic, so most cases are valid packets with a few bytes changed.

mod common;

use common::{LAYOUTS, channel, hex, legacy_pairs};
use proptest::prelude::*;
use wavewitness_ingest::encode::{CsiHeader, encode_csi_v1, encode_csi_v2, encode_csi_v3};
use wavewitness_ingest::layout::write_pairs;
use wavewitness_ingest::{Config, Outcome, Plan, State, parse, pcap};
use wavewitness_types::{Canonical, Mac, NodeId, Sender, Timestamp};

/// One valid datagram of each kind.
fn seeds() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let header = CsiHeader::bare(NodeId(1), 9);
    let mut out = Vec::new();
    let mut pairs = Vec::new();
    for (layout, grid) in LAYOUTS {
        assert!(write_pairs(layout, &channel(grid, &[(60.0, 2e-8)]), &mut pairs));
        encode_csi_v1(&header, &pairs, &mut out);
        all.push(out.clone());
    }
    let pairs = legacy_pairs(3);
    encode_csi_v2(&header, Mac([2; 6]), &pairs, &mut out);
    all.push(out.clone());
    encode_csi_v3(&header, Mac([2; 6]), 5, &pairs, &mut out);
    all.push(out.clone());
    let short = [
        "020011c5 01 05 d204 80fc0a00 eb 04 0000 0000803f 00000040 e8030000 00000000",
        "040011c5 03 09 d204 80fc0a00 eb 01 02 5f 0000803f 00000040 e8030000 00009042 00007041 0000fa43 01500000 00000000",
        "040011c5 03 01 0200 01 0000803f 02 00000040",
        "060011c5 03 02 0700 40420f0000000000 0000003f 0000803f 00007041 0000403f 00009042 0000003e 00000000 00000000 0000803f 0500 ce00 78806b01",
        "10a111c5 04 01 03 00 40420f0000000000 80841e0000000000 e7030000 00000000",
        "008111c5 01 06 02 00 09000000 1c00 0000 a0b1c2d3e4f50607 40420f0000000000 01 01 14 a6 3200 0c00 0300 0000 8db92b67",
        "57 57 53 49 4d 30 30 31 0807060504030201",
    ];
    all.extend(short.map(hex));
    let list: Vec<String> = pairs.iter().flat_map(|p| [p.0.to_string(), p.1.to_string()]).collect();
    for line in [
        "CSI_DATA,AP,3C:71:BF:6D:2A:78,-73,11,1,0,1,1,1,0,0,0,0,-93,0,6,1,80272146,0,101,0,0,80.3,128,[",
        "1,CSI_DATA,356579,1a:00:00:00:00:00,-43,11,159,14,29,8,-646763950,44,0,128,0,\"[",
    ] {
        all.push(format!("{line}{}]", list.join(" ")).into_bytes());
    }
    all
}

fn check(bytes: &[u8], plan: &Plan, state: &mut State) {
    let at = Timestamp(1_000_000_000);
    let _ = parse(at, bytes);
    if let Outcome::Csi(frame) = plan.run(at, Sender::default(), bytes, state) {
        // Panics if anything that reaches a digest is not finite.
        frame.to_canonical_bytes();
    }
    if let Some(records) = pcap::records(bytes) {
        assert!(records.count() <= bytes.len());
    }
}

#[test]
fn the_seeds_are_valid() {
    for seed in seeds() {
        assert!(parse(Timestamp(0), &seed).is_ok(), "{seed:02x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let plan = Plan::new(&Config::default()).unwrap();
        check(&bytes, &plan, &mut State::new(&plan));
    }

    #[test]
    fn valid_packets_with_changes(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        extra in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let seeds = seeds();
        let mut bytes = seeds[which.index(seeds.len())].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        bytes.extend(extra);
        let plan = Plan::new(&Config::default()).unwrap();
        let mut state = State::new(&plan);
        check(&bytes, &plan, &mut state);
        plan.end_cycle(Timestamp(u64::MAX), &mut state);
        let mut health = Vec::new();
        state.health(&mut health);
        health.iter().for_each(|h| { h.to_canonical_bytes(); });
    }

    #[test]
    fn headers_of_every_magic_with_arbitrary_bodies(
        magic in prop::sample::select(vec![
            0xC511_0001u32, 0xC511_0002, 0xC511_0003, 0xC511_0004, 0xC511_0005, 0xC511_0006, 0xC511_0007,
            0xC511_0008, 0xC511_000A, 0xC511_A110, 0xC511_8100, 0x0A0D_0D0A, 0xa1b2_c3d4, 0xa1b2_3c4d,
        ]),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let plan = Plan::new(&Config::default()).unwrap();
        let bytes = [&magic.to_le_bytes()[..], &body].concat();
        check(&bytes, &plan, &mut State::new(&plan));
    }
}
