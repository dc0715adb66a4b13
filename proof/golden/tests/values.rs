//! Guards that what is stored beside a golden is what the digests cover, and that nothing of it is left out.

use wavewitness_golden::companion::short;
use wavewitness_golden::{GOLDENS, events, genesis, mint_events};
use wavewitness_types::Sink;
use wavewitness_witness::{Digester, Stage, context};

#[test]
fn the_values_of_a_stage_are_what_its_digest_covers() {
    let golden = GOLDENS.iter().find(|g| g.name == "every-layout").unwrap();
    let (config, events) = events(golden, Some(120));
    let minted = mint_events(&genesis(golden, &config), &events);
    assert_eq!(minted.values.len(), 2);
    for values in &minted.values {
        let (_, digests) = minted.cycle_digests.iter().find(|(cycle, _)| *cycle == values.cycle).unwrap();
        let mut witness = blank();
        for (stage, bytes) in Stage::ALL.into_iter().zip(&values.channels) {
            let mut digester = Digester::new(context::STAGE);
            digester.u8(stage as u8);
            digester.put(bytes);
            witness.stages[stage as usize] = digester.finish();
        }
        witness.output = wavewitness_witness::Witness::output_digest(&values.channels[Stage::COUNT]);
        assert_eq!(short(&witness), *digests, "cycle {}", values.cycle);
        assert!(values.channels[Stage::Fusion as usize].len() > 1000);
    }
}

fn blank() -> wavewitness_witness::Witness {
    wavewitness_witness::Witness {
        kind: wavewitness_witness::EntryKind::Cycle,
        cycle: wavewitness_types::CycleIndex(0),
        at: wavewitness_types::Timestamp(0),
        source: wavewitness_types::Source::Simulated,
        inputs: wavewitness_witness::Digest::ZERO,
        stages: [wavewitness_witness::Digest::ZERO; Stage::COUNT],
        output: wavewitness_witness::Digest::ZERO,
        chain: wavewitness_witness::Digest::ZERO,
    }
}
