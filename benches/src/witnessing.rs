//! What the engine hashes of a cycle, from a [`Trace`].

use crate::recording::Cycle;
use crate::trace::Trace;
use wavewitness_ingest::Outcome;
use wavewitness_types::{Canonical, Sink, Source};
use wavewitness_witness::{Chain, Digest, Digester, EntryKind, InputHasher, Stage, Witness, context};

/// One hasher a stage, as the engine has them.
#[derive(Clone)]
pub struct StageHasher(Vec<Digester>);

impl Default for StageHasher {
    fn default() -> StageHasher {
        StageHasher(Stage::ALL.map(|_| Digester::new(context::STAGE)).into())
    }
}

impl StageHasher {
    /// The digests of every stage's output.
    pub fn stages(&mut self, trace: &Trace) -> [Digest; Stage::COUNT] {
        for (stage, hasher) in Stage::ALL.into_iter().zip(&mut self.0) {
            hasher.u8(stage as u8);
        }
        for outcome in &trace.outcomes {
            let hasher = self.of(Stage::Ingest);
            match outcome {
                Outcome::Csi(frame) => {
                    hasher.u8(0);
                    frame.canonical(hasher);
                }
                Outcome::Other(kind) => {
                    hasher.u8(1);
                    kind.canonical(hasher);
                }
                Outcome::Rejected(reason, _) => {
                    hasher.u8(2);
                    hasher.u8(reason.index() as u8);
                }
            }
        }
        trace.records.as_slice().canonical(self.of(Stage::Links));
        trace.calibrated.iter().for_each(|f| f.canonical(self.of(Stage::Calibration)));
        trace.conditions.iter().for_each(|c| c.canonical(self.of(Stage::Calibration)));
        trace.aligned.iter().for_each(|f| f.canonical(self.of(Stage::PhaseAlign)));
        trace.observations.as_slice().canonical(self.of(Stage::PhaseAlign));
        trace.fused.canonical(self.of(Stage::Fusion));
        trace.motions.as_slice().canonical(self.of(Stage::Fusion));
        self.of(Stage::Fusion).option(trace.breath.as_ref(), |s, f| f.canonical(s));
        trace.cirs.iter().for_each(|e| e.canonical(self.of(Stage::Cir)));
        trace.gate_evidence.iter().for_each(|e| e.canonical(self.of(Stage::Gate)));
        let found = trace.conditions.len();
        trace.gates[..found].iter().flatten().for_each(|g| g.canonical(self.of(Stage::Gate)));
        trace.imaging.as_outcome().canonical(self.of(Stage::Tomography));
        // The follower of walkers is off: no summary, nobody followed.
        self.of(Stage::Tomography).option(None::<&Vec<u8>>, |s, bytes| s.put(bytes));
        self.of(Stage::Tomography).count(0);
        self.of(Stage::Tomography).option(trace.strength.as_ref(), |s, bytes| s.put(bytes));
        trace.detections.as_slice().canonical(self.of(Stage::Tomography));
        trace.tracks.as_slice().canonical(self.of(Stage::Pose));
        trace.summary.canonical(self.of(Stage::Pose));
        trace.postures.canonical(self.of(Stage::Pose));
        let hasher = self.of(Stage::World);
        trace.verdict.presence.canonical(hasher);
        trace.verdict.count.canonical(hasher);
        trace.verdict.gate.canonical(hasher);
        trace.verdict.quality.canonical(hasher);
        trace.verdict.breathing.canonical(hasher);
        trace.graph.canonical(hasher);
        let mut out = [Digest::ZERO; Stage::COUNT];
        out.iter_mut().zip(&mut self.0).for_each(|(digest, hasher)| *digest = hasher.finish());
        out
    }

    fn of(&mut self, stage: Stage) -> &mut Digester {
        &mut self.0[stage as usize]
    }
}

/// A chain with the hashers of a cycle: everything that a witness costs.
#[derive(Clone)]
pub struct Notary {
    inputs: InputHasher,
    stages: StageHasher,
    output: Digester,
    chain: Chain,
}

impl Notary {
    /// On a chain.
    pub fn new(chain: Chain) -> Notary {
        Notary {
            inputs: InputHasher::default(),
            stages: StageHasher::default(),
            output: Digester::new(context::OUTPUT),
            chain,
        }
    }

    /// Digest of a cycle's datagrams, which are in canonical order already if each has its own time.
    pub fn inputs(&mut self, cycle: &Cycle) -> Digest {
        cycle.datagrams.iter().for_each(|d| self.inputs.datagram(d.at, d.from, &d.bytes));
        self.inputs.tick(cycle.at, cycle.index)
    }

    /// The chain's next entry over digests that were made before.
    pub fn extend(&mut self, trace: &Trace, inputs: Digest, stages: [Digest; Stage::COUNT]) -> Witness {
        self.output.put(&trace.published);
        self.chain.extend(Witness {
            kind: EntryKind::Cycle,
            cycle: trace.index,
            at: trace.at,
            source: Source::Simulated,
            inputs,
            stages,
            output: self.output.finish(),
            chain: Digest::ZERO,
        })
    }

    /// All of a cycle's witness: inputs, every stage's output, what was published, the chain's step.
    pub fn witness(&mut self, cycle: &Cycle, trace: &Trace) -> Witness {
        let inputs = self.inputs(cycle);
        let stages = self.stages.stages(trace);
        self.extend(trace, inputs, stages)
    }
}
