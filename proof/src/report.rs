//! What verification found.

use serde::Serialize;
use std::fmt;

/// What kind of fault a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Bytes of the journal file are damaged or missing.
    Storage,
    /// A genesis can't be read, does not give its chain's name, or differs between segments.
    Genesis,
    /// A segment does not continue the one before it.
    Continuity,
    /// A witness record is missing or can't be read.
    Witness,
    /// The chain value does not follow.
    Chain,
    /// The stored events are not the ones that were witnessed.
    Inputs,
    /// The stored pose is not the one that was witnessed.
    Output,
    /// Computed again, the cycle gives something else.
    Divergence,
}

impl Kind {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Storage => "storage",
            Kind::Genesis => "genesis",
            Kind::Continuity => "continuity",
            Kind::Witness => "witness",
            Kind::Chain => "chain",
            Kind::Inputs => "inputs",
            Kind::Output => "output",
            Kind::Divergence => "divergence",
        }
    }
}

/// One fault, where it is, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The cycle that is affected; for damage between cycles the first that can't be relied on.
    pub cycle: Option<u64>,
    /// The segment that holds it.
    pub segment: String,
    /// What kind of fault.
    pub kind: Kind,
    /// In words.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cycle {
            Some(cycle) => write!(f, "cycle {cycle}")?,
            None => f.write_str("before the first cycle")?,
        }
        write!(f, " [{}, segment {}]: {}", self.kind.name(), self.segment, self.detail)
    }
}

/// Cycles by their source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sources {
    /// Live cycles.
    pub live: u64,
    /// Replayed cycles.
    pub replay: u64,
    /// Simulated cycles.
    pub simulated: u64,
}

/// One chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The first 16 hexadecimal digits of its genesis digest.
    pub chain: String,
    /// Software that began it.
    pub software: String,
    /// Its numerics version.
    pub numerics: u32,
    /// Genesis digest of the chain before it, if it names one.
    pub predecessor: Option<String>,
    /// True if the journal holds it from its genesis on.
    pub from_genesis: bool,
    /// Segments that were read.
    pub segments: u64,
    /// Cycles that were read.
    pub cycles: u64,
    /// Cycles by source.
    pub sources: Sources,
    /// Datagrams in them.
    pub datagrams: u64,
    /// Boots.
    pub boots: u64,
    /// Boots after a stop that was not in order.
    pub unclean_boots: u64,
    /// Orderly stops.
    pub stops: u64,
    /// Cycle numbers left out between cycles of one boot: missed cycles.
    pub missed_cycles: u64,
    /// The first cycle.
    pub first_cycle: Option<u64>,
    /// The last cycle.
    pub last_cycle: Option<u64>,
    /// The chain value at its end.
    pub head: String,
    /// Cycles that were computed again and agreed.
    pub replayed_cycles: u64,
    /// The privacy mode under which it was kept.
    pub privacy: &'static str,
    /// Cycles and boots whose inputs the privacy mode withheld: their digest is bound by the chain, and can't be checked.
    pub withheld_inputs: u64,
    /// Cycles whose published bytes it withheld.
    pub withheld_outputs: u64,
    /// Expected circumstances: a torn tail after a crash, a chain that begins in its middle.
    pub notes: Vec<String>,
    /// Faults, in order.
    pub findings: Vec<Finding>,
}

/// Everything that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Chains in the order in which they were read.
    pub chains: Vec<ChainReport>,
}

impl Report {
    /// Every finding, in order.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.chains.iter().flat_map(|c| &c.findings)
    }

    /// True if nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings().next().is_none()
    }

    /// Cycles that were read, over all chains.
    pub fn cycles(&self) -> u64 {
        self.chains.iter().map(|c| c.cycles).sum()
    }

    /// Entries of which the privacy mode withheld something, over all chains.
    pub fn withheld(&self) -> u64 {
        self.chains.iter().map(|c| c.withheld_inputs.max(c.withheld_outputs)).sum()
    }

    /// Cycles that were computed again and agreed, over all chains.
    pub fn replayed_cycles(&self) -> u64 {
        self.chains.iter().map(|c| c.replayed_cycles).sum()
    }
}

impl fmt::Display for ChainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = match (self.first_cycle, self.last_cycle) {
            (Some(first), Some(last)) => format!("cycles {first} to {last}"),
            _ => "no cycle".to_owned(),
        };
        writeln!(f, "chain {}  {}, numerics {}", self.chain, self.software, self.numerics)?;
        let Sources { live, replay, simulated } = self.sources;
        writeln!(
            f,
            "  {} cycles ({range}): {live} live, {replay} replay, {simulated} simulated; {} datagrams",
            self.cycles, self.datagrams
        )?;
        writeln!(
            f,
            "  {} segments, {} boots ({} after an unclean stop), {} orderly stops, {} missed cycles",
            self.segments, self.boots, self.unclean_boots, self.stops, self.missed_cycles
        )?;
        if let Some(predecessor) = &self.predecessor {
            writeln!(f, "  continues chain {}", &predecessor[..16.min(predecessor.len())])?;
        }
        if self.withheld_inputs + self.withheld_outputs > 0 {
            writeln!(
                f,
                "  inputs withheld by privacy mode {}: of {} cycles and boots the inputs, of {} the published bytes",
                self.privacy, self.withheld_inputs, self.withheld_outputs
            )?;
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        for finding in &self.findings {
            writeln!(f, "  FAULT {finding}")?;
        }
        write!(f, "  head {}", self.head)
    }
}
