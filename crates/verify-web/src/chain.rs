//! The chain of the last minutes, and what the page received of it live.

use crate::report::{Fault, Report};
use wavewitness_types::canonical::Reader;
use wavewitness_types::{Canonical, PoseFrame, Presence, Source, Timestamp};
use wavewitness_witness::{Chain, ChainFault, Digest, EntryKind, Genesis, Stage, Witness};

/// What an answer of `/api/v1/witness` begins with: its magic and version.
pub const MAGIC: &[u8; 8] = b"wwrec\0\0\x01";
/// Longest published bytes of a cycle that are read.
const MAX_PUBLISHED: usize = 1 << 20;
/// Longest genesis record that is read.
const MAX_GENESIS: usize = 1 << 20;

/// Places of [`Report::counts`] after [`check`].
pub mod count {
    /// Records whose chain value was computed again.
    pub const RECORDS: usize = 0;
    /// Cycles among them.
    pub const CYCLES: usize = 1;
    /// First cycle.
    pub const FIRST: usize = 2;
    /// Last cycle.
    pub const LAST: usize = 3;
    /// Cycles whose output digest was computed from the published bytes.
    pub const OUTPUTS: usize = 4;
    /// Cycles whose published bytes the hub withholds.
    pub const WITHHELD: usize = 5;
    /// Cycles that the page received live and found again with the same chain value and output digest.
    pub const SEEN: usize = 6;
    /// Cycles that the page received before the first, or after the last, of the answer.
    pub const SEEN_OUTSIDE: usize = 7;
    /// Cycles of which the page showed exactly what was witnessed.
    pub const SHOWN: usize = 8;
    /// Cycles whose published bytes this build can't read (another numerics version).
    pub const UNREAD: usize = 9;
    /// 1 if the answer begins where the chain begins.
    pub const FROM_GENESIS: usize = 10;
    /// 0 live, 1 replay, 2 simulated: of the last cycle.
    pub const SOURCE: usize = 11;
    /// Boots among the records.
    pub const BOOTS: usize = 12;
}

/// A cycle of the chain that was checked, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Number of the cycle.
    pub cycle: u64,
    /// When it ended.
    pub at: Timestamp,
    /// Source.
    pub source: Source,
    /// Chain value after it.
    pub chain: Digest,
}

/// What the page received of a cycle, and what it showed.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    cycle: u64,
    chain: Digest,
    output: Digest,
    /// 0 unknown, 1 absent, 2 present; 255 if the page has nothing to say.
    presence: u8,
    /// Id and position of everybody shown; `None` if the hub withheld them.
    people: Option<Vec<(u32, [f32; 3])>>,
}

const NOTHING_SHOWN: u8 = 255;

fn read_seen(bytes: &[u8]) -> Option<Vec<Seen>> {
    let mut r = Reader::new(bytes);
    let mut out = Vec::new();
    while r.remaining() > 0 {
        let (cycle, chain, output) = (r.u64()?, Digest(r.array()?), Digest(r.array()?));
        let (presence, people) = (r.u8()?, r.u8()?);
        let mut list = Vec::new();
        if people != NOTHING_SHOWN {
            for _ in 0..people {
                list.push((r.u32()?, [r.f32()?, r.f32()?, r.f32()?]));
            }
        }
        let people = (people != NOTHING_SHOWN).then_some(list);
        out.push(Seen { cycle, chain, output, presence, people });
    }
    Some(out)
}

fn shown_as_witnessed(seen: &Seen, frame: &PoseFrame) -> bool {
    let presence = match frame.presence {
        Presence::Unknown(_) => 0,
        Presence::Known { present, .. } => 1 + u8::from(present),
    };
    let same_people = |people: &Vec<(u32, [f32; 3])>| {
        let bits = |p: &[f32; 3]| p.map(f32::to_bits);
        people.len() == frame.people.len()
            && people
                .iter()
                .zip(&frame.people)
                .all(|((id, at), p)| *id == p.id.0 && bits(at) == bits(&p.position_m))
    };
    (seen.presence == NOTHING_SHOWN || seen.presence == presence)
        && seen.people.as_ref().is_none_or(same_people)
}

/// A chain in the middle: what [`Chain::after`] needs, of which only the value is known.
fn chain_from(before: Digest) -> Chain {
    Chain::after(&Witness {
        kind: EntryKind::Boot,
        cycle: wavewitness_types::CycleIndex(0),
        at: Timestamp(0),
        source: Source::Live,
        inputs: Digest::ZERO,
        stages: [Digest::ZERO; Stage::COUNT],
        output: Digest::ZERO,
        chain: before,
    })
}

struct Walk<'a> {
    report: Report,
    seen: &'a [Seen],
    checked: Vec<Checked>,
}

/// Checks an answer of `/api/v1/witness` against itself and against what the page received. `genesis` is the digest of
/// the page's hello; `seen` holds, for each cycle received, ascending: `u64` cycle · chain · output · byte presence ·
/// byte people · for each: `u32` id · three `f32` position (255 for presence or people: nothing to compare).
///
/// Gives the cycles checked too, which [`crate::log::check`] wants; they are those before a fault.
pub fn check(batch: &[u8], seen: &[u8], genesis: &Digest) -> (Report, Vec<Checked>) {
    let format = (Report::EMPTY.with(Fault::Format, 0), Vec::new());
    let Some(seen) = read_seen(seen) else { return format };
    let mut walk = Walk { report: Report::EMPTY, seen: &seen, checked: Vec::new() };
    let report = match walk.run(batch, genesis) {
        Ok(()) => walk.report,
        Err((fault, cycle)) => walk.report.with(fault, cycle),
    };
    (report, walk.checked)
}

type Found = (Fault, u64);

impl Walk<'_> {
    fn run(&mut self, batch: &[u8], wanted: &Digest) -> Result<(), Found> {
        let mut r = Reader::new(batch);
        let (before, from_genesis) = begin(&mut r, wanted)?;
        self.report.counts[count::FROM_GENESIS] = u64::from(from_genesis);
        let mut chain = chain_from(before);
        let mut next_seen = 0;
        while r.remaining() > 0 {
            let last = self.report.counts[count::LAST];
            let (published, witness) = record(&mut r).ok_or((Fault::Format, last))?;
            let cycle = witness.cycle.0;
            chain.verify(&witness).map_err(|fault| match fault {
                ChainFault::Broken => (Fault::Broken, cycle),
                ChainFault::CycleNotLater | ChainFault::NotBooted | ChainFault::NotTheLast => {
                    (Fault::Order, cycle)
                }
            })?;
            self.report.counts[count::RECORDS] += 1;
            match witness.kind {
                EntryKind::Cycle => self.cycle(&witness, published, &mut next_seen)?,
                EntryKind::Boot => self.report.counts[count::BOOTS] += 1,
                EntryKind::Stop => {}
            }
        }
        self.report.counts[count::SEEN_OUTSIDE] += (self.seen.len() - next_seen) as u64;
        Ok(())
    }

    fn cycle(&mut self, witness: &Witness, published: &[u8], next_seen: &mut usize) -> Result<(), Found> {
        let cycle = witness.cycle.0;
        let counts = &mut self.report.counts;
        if counts[count::CYCLES] == 0 {
            counts[count::FIRST] = cycle;
        }
        counts[count::CYCLES] += 1;
        counts[count::LAST] = cycle;
        counts[count::SOURCE] = witness.source as u64;
        let mut frame = None;
        if published.is_empty() {
            counts[count::WITHHELD] += 1;
        } else {
            if Witness::output_digest(published) != witness.output {
                return Err((Fault::Output, cycle));
            }
            counts[count::OUTPUTS] += 1;
            let mut head = Vec::with_capacity(17);
            witness.cycle.canonical(&mut head);
            witness.at.canonical(&mut head);
            witness.source.canonical(&mut head);
            if !published.starts_with(&head) {
                return Err((Fault::Head, cycle));
            }
            frame = PoseFrame::from_canonical_bytes(published);
            counts[count::UNREAD] += u64::from(frame.is_none());
        }
        let Witness { at, source, chain, .. } = *witness;
        self.compare(witness, frame.as_ref(), next_seen)?;
        self.checked.push(Checked { cycle, at, source, chain });
        Ok(())
    }

    /// What the page received of this cycle and before it.
    fn compare(
        &mut self,
        witness: &Witness,
        frame: Option<&PoseFrame>,
        next: &mut usize,
    ) -> Result<(), Found> {
        let counts = &mut self.report.counts;
        while let Some(seen) = self.seen.get(*next).filter(|s| s.cycle <= witness.cycle.0) {
            *next += 1;
            if seen.cycle < witness.cycle.0 {
                if counts[count::CYCLES] > 1 {
                    return Err((Fault::SeenMissing, seen.cycle));
                }
                counts[count::SEEN_OUTSIDE] += 1;
                continue;
            }
            if seen.chain != witness.chain || seen.output != witness.output {
                return Err((Fault::SeenOther, seen.cycle));
            }
            counts[count::SEEN] += 1;
            if let Some(frame) = frame {
                if !shown_as_witnessed(seen, frame) {
                    return Err((Fault::ShownOther, seen.cycle));
                }
                counts[count::SHOWN] += 1;
            }
        }
        Ok(())
    }
}

/// The head of an answer: magic · byte: 1 if the first record is the chain's · chain value before it · string genesis.
fn begin(r: &mut Reader<'_>, wanted: &Digest) -> Result<(Digest, bool), Found> {
    let read = |r: &mut Reader<'_>| {
        let magic: [u8; 8] = r.array()?;
        let from_genesis = r.bool()?;
        let before = Digest(r.array()?);
        Some((magic, from_genesis, before, r.bytes(MAX_GENESIS)?.to_vec()))
    };
    let (magic, from_genesis, before, bytes) = read(r).ok_or((Fault::Format, 0))?;
    if magic != *MAGIC {
        return Err((Fault::Format, 0));
    }
    let genesis = Genesis::from_canonical_bytes(&bytes).ok_or((Fault::Genesis, 0))?.digest();
    if from_genesis && genesis != before {
        return Err((Fault::Genesis, 0));
    }
    if genesis != *wanted {
        return Err((Fault::OtherChain, 0));
    }
    Ok((before, from_genesis))
}

/// A record: `u32` length of the published bytes · 434-byte record of `docs/witness.md` · published bytes.
fn record<'a>(r: &mut Reader<'a>) -> Option<(&'a [u8], Witness)> {
    let length = usize::try_from(r.u32()?).ok().filter(|&n| n <= MAX_PUBLISHED)?;
    let witness = Witness::from_canonical_bytes(r.take(Witness::BYTES)?)?;
    Some((r.take(length)?, witness))
}
