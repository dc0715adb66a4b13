//! Two runs of the same datagrams, under different builds or numerics versions: where the bits part, and how far the
//! published values are from each other.

use crate::describe;
use serde::Serialize;
use std::fmt;
use std::path::Path;
use wavewitness_journal::{Chunk, Content, Fault, Journal, JournalError};
use wavewitness_types::{PoseFrame, Presence};
use wavewitness_witness::{Stage, Witness};

/// What two runs have in common and where they part.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Cycles that both runs hold.
    pub compared: u64,
    /// Cycles that only the first holds.
    pub only_a: u64,
    /// Cycles that only the second holds.
    pub only_b: u64,
    /// Cycles whose inputs differ: of these nothing else can be compared.
    pub inputs_differ: u64,
    /// Of the others, cycles in which every stage digest and the output agree.
    pub equal: u64,
    /// Cycles in which each stage differs, in the order of the stages.
    pub stages: Vec<(String, u64)>,
    /// The first cycle that differs, and its first stage that does.
    pub first: Option<First>,
    /// Cycles that publish different numbers of people.
    pub people_differ: u64,
    /// Cycles that decide differently on presence.
    pub presence_differs: u64,
    /// People (by id) whose positions were compared.
    pub positions: u64,
    /// The greatest distance between positions of the same person, in metres.
    pub greatest_m: f64,
    /// The mean distance, in metres.
    pub mean_m: f64,
    /// Damage in either journal that was passed over.
    pub faults: u64,
}

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct First {
    /// The cycle.
    pub cycle: u64,
    /// The stage, or `output`.
    pub stage: String,
    /// The first published field that differs, with both values.
    pub published: Option<String>,
}

/// A run's next cycle.
struct Run {
    records: Box<dyn Iterator<Item = Result<Chunk, Fault>>>,
    faults: u64,
}

struct Cycle {
    witness: Witness,
    frame: PoseFrame,
}

impl Run {
    fn open(path: &Path) -> Result<Run, JournalError> {
        Ok(Run { records: Box::new(Journal::open(path)?.records()), faults: 0 })
    }

    fn next(&mut self) -> Option<Cycle> {
        loop {
            match self.records.next()? {
                Ok(Chunk { content: Content::Cycle { witness, pose, .. }, .. }) => {
                    let witness = witness.and_then(|b| Witness::from_canonical_bytes(&b));
                    let frame = pose.and_then(|b| PoseFrame::from_canonical_bytes(&b));
                    match (witness, frame) {
                        (Some(witness), Some(frame)) => return Some(Cycle { witness, frame }),
                        _ => self.faults += 1,
                    }
                }
                Ok(_) => {}
                Err(_) => self.faults += 1,
            }
        }
    }
}

/// Compares two journals cycle by cycle. Cycles are matched by number.
///
/// # Errors
/// If either can't be opened.
pub fn diff(a: &Path, b: &Path) -> Result<Difference, JournalError> {
    let (mut a, mut b) = (Run::open(a)?, Run::open(b)?);
    let mut out = Difference {
        stages: Stage::ALL.iter().map(|s| (s.name().to_owned(), 0)).collect(),
        ..Difference::default()
    };
    let (mut x, mut y) = (a.next(), b.next());
    let mut total_m = 0.0;
    loop {
        match (&x, &y) {
            (None, None) => break,
            (Some(_), None) => {
                out.only_a += 1;
                x = a.next();
            }
            (None, Some(_)) => {
                out.only_b += 1;
                y = b.next();
            }
            (Some(p), Some(q)) if p.witness.cycle < q.witness.cycle => {
                out.only_a += 1;
                x = a.next();
            }
            (Some(p), Some(q)) if p.witness.cycle > q.witness.cycle => {
                out.only_b += 1;
                y = b.next();
            }
            (Some(p), Some(q)) => {
                out.compare(p, q, &mut total_m);
                (x, y) = (a.next(), b.next());
            }
        }
    }
    out.mean_m = if out.positions > 0 { total_m / out.positions as f64 } else { 0.0 };
    out.faults = a.faults + b.faults;
    Ok(out)
}

impl Difference {
    fn compare(&mut self, a: &Cycle, b: &Cycle, total_m: &mut f64) {
        self.compared += 1;
        if a.witness.inputs != b.witness.inputs {
            self.inputs_differ += 1;
            return;
        }
        let mut first = None;
        for stage in Stage::ALL {
            let k = stage as usize;
            if a.witness.stages[k] != b.witness.stages[k] {
                self.stages[k].1 += 1;
                first.get_or_insert(stage.name());
            }
        }
        if a.witness.output != b.witness.output {
            first.get_or_insert("output");
        }
        let Some(stage) = first else {
            self.equal += 1;
            return;
        };
        if self.first.is_none() {
            self.first = Some(First {
                cycle: a.witness.cycle.0,
                stage: stage.to_owned(),
                published: describe::first_difference(&a.frame, &b.frame),
            });
        }
        self.people_differ += u64::from(a.frame.people.len() != b.frame.people.len());
        self.presence_differs += u64::from(decision(&a.frame) != decision(&b.frame));
        for person in &a.frame.people {
            let Some(other) = b.frame.people.iter().find(|o| o.id == person.id) else { continue };
            let mut squared = 0.0;
            for k in 0..3 {
                let d = f64::from(person.position_m[k]) - f64::from(other.position_m[k]);
                squared += d * d;
            }
            let metres = squared.sqrt();
            self.positions += 1;
            *total_m += metres;
            if metres > self.greatest_m {
                self.greatest_m = metres;
            }
        }
    }

    /// True if every cycle that both hold agrees, and they hold the same.
    pub fn is_equal(&self) -> bool {
        self.only_a == 0 && self.only_b == 0 && self.equal == self.compared && self.faults == 0
    }
}

fn decision(frame: &PoseFrame) -> Option<bool> {
    match frame.presence {
        Presence::Known { present, .. } => Some(present),
        Presence::Unknown(_) => None,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} cycles in both, {} only in A, {} only in B",
            self.compared, self.only_a, self.only_b
        )?;
        if self.inputs_differ > 0 {
            writeln!(
                f,
                "{} cycles have different inputs: they are not runs of the same datagrams",
                self.inputs_differ
            )?;
        }
        writeln!(f, "{} agree in every stage and in what was published", self.equal)?;
        if let Some(first) = &self.first {
            writeln!(f, "the bits part at cycle {}, stage {}", first.cycle, first.stage)?;
            if let Some(published) = &first.published {
                writeln!(f, "  first published difference there: {published}")?;
            }
            for (stage, n) in self.stages.iter().filter(|(_, n)| *n > 0) {
                writeln!(f, "  {stage}: {n} cycles differ")?;
            }
            writeln!(
                f,
                "presence differs in {} cycles, the number of people in {}",
                self.presence_differs, self.people_differ
            )?;
            writeln!(
                f,
                "positions of the same person ({}): {:.6} m apart on average, {:.6} m at most",
                self.positions, self.mean_m, self.greatest_m
            )?;
        }
        write!(f, "{}", if self.is_equal() { "EQUAL" } else { "DIFFERENT" })
    }
}
