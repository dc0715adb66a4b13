//! Guards the worked example of `docs/witness.md`: the page and the code say the same bytes.

use wavewitness_types::{BootRecord, Canonical, CycleIndex, Event, PrivacyMode, Sender, Source, Timestamp};
use wavewitness_witness::{Chain, Digest, EntryKind, Genesis, Stage, Witness, event_inputs};

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/witness.md");
    std::fs::read_to_string(path).unwrap()
}

/// The hexadecimal value on the line of the page that begins with `name`.
fn value(name: &str) -> String {
    let text = document();
    let line = text.lines().find(|l| l.trim_start().starts_with(name));
    let line = line.unwrap_or_else(|| panic!("docs/witness.md has no line {name}"));
    line.split_whitespace().last().unwrap().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn the_worked_example_is_what_the_code_computes() {
    let genesis = Genesis {
        specification: 1,
        numerics: 1,
        source: Source::Simulated,
        started: Timestamp(1_000_000_000),
        software: "example".into(),
        config: vec![],
        predecessor: None,
        privacy: PrivacyMode::RawResearch,
    };
    assert_eq!(hex(&genesis.to_canonical_bytes()), value("genesis bytes"));
    assert_eq!(genesis.digest().to_string(), value("chain_0"));

    let mut chain = Chain::new(&genesis);
    let at = Timestamp(1_000_000_000);
    let boot = Event::Boot { at, record: BootRecord { boot_id: 7, ..BootRecord::default() } };
    assert_eq!(hex(&boot.to_canonical_bytes()), value("boot event bytes"));
    let blank = Witness {
        kind: EntryKind::Boot,
        cycle: CycleIndex(0),
        at,
        source: Source::Simulated,
        inputs: event_inputs(std::slice::from_ref(&boot)).unwrap(),
        stages: [Digest::ZERO; Stage::COUNT],
        output: Digest::ZERO,
        chain: Digest::ZERO,
    };
    let booted = chain.extend(blank);
    assert_eq!(booted.inputs.to_string(), value("boot inputs"));
    assert_eq!(booted.chain.to_string(), value("chain_1"));

    let tick = Timestamp(1_050_000_000);
    let mut ip = [0; 16];
    ip[10..].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
    let events = [
        Event::Datagram {
            at: Timestamp(1_010_000_000),
            from: Sender { ip, port: 5005 },
            bytes: b"hi".to_vec(),
        },
        Event::Tick { at: tick, cycle: CycleIndex(0) },
    ];
    let published = b"published";
    let cycle = chain.extend(Witness {
        kind: EntryKind::Cycle,
        at: tick,
        inputs: event_inputs(&events).unwrap(),
        output: Witness::output_digest(published),
        ..blank
    });
    assert_eq!(cycle.inputs.to_string(), value("cycle inputs"));
    assert_eq!(cycle.output.to_string(), value("cycle output"));
    assert_eq!(hex(&cycle.to_canonical_bytes()[..18]), value("record head"));
    assert_eq!(cycle.chain.to_string(), value("chain_2"));
}
