//! A journal's events computed by this build into a journal of its own, for [`crate::diff`]: the way to compare two
//! builds or numerics versions on the same datagrams.

use crate::verify::Progress;
use std::error::Error;
use std::path::Path;
use wavewitness_engine::{Applied, EngineConfig, NUMERICS_VERSION, Replayer};
use wavewitness_journal::{
    ChainId, Content, CycleRecord, EntryRecord, EventBytes, Journal, JournalDir, Options, Writer,
};
use wavewitness_types::stage_config::ConfigValue;
use wavewitness_types::{Canonical, Event, Source, Timestamp};
use wavewitness_witness::{Genesis, SPECIFICATION};

/// A stage parameter that is to be another than the journal's configuration says.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    section: String,
    key: String,
    value: ConfigValue,
}

impl std::str::FromStr for Change {
    type Err = String;

    /// Reads `section.key=value`.
    fn from_str(text: &str) -> Result<Change, String> {
        let (name, value) = text.split_once('=').ok_or("expected SECTION.KEY=VALUE")?;
        let (section, key) = name.split_once('.').ok_or("expected SECTION.KEY=VALUE")?;
        let value = match (value, value.parse::<i64>(), value.parse::<f64>()) {
            ("true", ..) => ConfigValue::Bool(true),
            ("false", ..) => ConfigValue::Bool(false),
            (_, Ok(whole), _) => ConfigValue::Integer(whole),
            (_, _, Ok(number)) => ConfigValue::Float(number),
            _ => return Err(format!("{name}: {value} is neither a number nor true nor false")),
        };
        let change = Change { section: section.to_owned(), key: key.to_owned(), value };
        change.apply(&mut EngineConfig::default())?;
        Ok(change)
    }
}

impl Change {
    fn apply(&self, config: &mut EngineConfig) -> Result<(), String> {
        config.set(&self.section, &self.key, self.value).map_err(|e| e.to_string())?;
        config.check().map_err(|e| e.to_string())
    }
}

/// Computes the first chain of a journal again under this build's numerics version, from its first boot on, and writes
/// the result as a new chain. `changes` are made to the configuration first. Returns the number of cycles.
///
/// # Errors
/// If the journal can't be read, its configuration is not one of this build, or the output can't be written.
pub fn recompute(
    path: &Path,
    out: &Path,
    changes: &[Change],
    progress: Progress<'_>,
) -> Result<u64, Box<dyn Error>> {
    let journal = Journal::open(path)?;
    let first = *journal.chains().first().ok_or("the journal holds no chain")?;
    let journal = journal.of_chain(first);
    let total: u64 = journal.segments().iter().map(|s| s.bytes).sum();
    let mut run: Option<Run> = None;
    for item in journal.records() {
        let chunk =
            item.map_err(|fault| format!("only an undamaged journal can be computed again: {fault}"))?;
        let done: u64 = journal.segments().iter().filter(|s| s.name < chunk.segment).map(|s| s.bytes).sum();
        progress(done + chunk.offset, total);
        match chunk.content {
            Content::Start { genesis, source, .. } if run.is_none() => {
                run = Some(Run::begin(&genesis, source, changes, out, chunk.at)?);
            }
            Content::Start { .. } => {}
            Content::Cycle { events, .. } | Content::Entry { events, .. } => {
                if let Some(run) = &mut run {
                    run.apply(&events)?;
                }
            }
        }
    }
    progress(total, total);
    let run = run.ok_or("the journal has no genesis")?;
    run.writer.close()?;
    Ok(run.cycles)
}

/// A journal's genesis as this build would write it, with stage parameters changed.
pub(crate) fn this_builds_genesis(genesis: &[u8], changes: &[Change]) -> Result<Genesis, Box<dyn Error>> {
    let genesis = Genesis::from_canonical_bytes(genesis).ok_or("the genesis can't be read")?;
    if !genesis.privacy.keeps_inputs() {
        let mode = genesis.privacy.name();
        return Err(format!("inputs withheld by privacy mode {mode}: nothing can be computed again").into());
    }
    let mut genesis = Genesis { specification: SPECIFICATION, numerics: NUMERICS_VERSION, ..genesis };
    if !changes.is_empty() {
        let config = EngineConfig::from_canonical_bytes(&genesis.config);
        let mut config = config.ok_or("its configuration is of another version of this software")?;
        changes.iter().try_for_each(|change| change.apply(&mut config))?;
        genesis.config = config.to_canonical_bytes();
    }
    Ok(genesis)
}

struct Run {
    replayer: Replayer,
    writer: Writer,
    last: Vec<u8>,
    booted: bool,
    cycles: u64,
}

impl Run {
    fn begin(
        genesis: &[u8],
        source: Source,
        changes: &[Change],
        out: &Path,
        at: Timestamp,
    ) -> Result<Run, Box<dyn Error>> {
        let genesis = this_builds_genesis(genesis, changes)?;
        let replayer = Replayer::new(&genesis)?;
        let dir = JournalDir::lock(out)?;
        let id = ChainId::from_digest(&genesis.digest().0);
        let bytes = genesis.to_canonical_bytes();
        let writer = Writer::create(dir, id, source, &bytes, &[], at, Options::default())?;
        Ok(Run { replayer, writer, last: Vec::new(), booted: false, cycles: 0 })
    }

    fn apply(&mut self, bytes: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
        let events: Option<Vec<Event>> = bytes.iter().map(|b| Event::from_canonical_bytes(b)).collect();
        let events = events.ok_or("an event can't be read")?;
        self.booted |= matches!(events.as_slice(), [Event::Boot { .. }]);
        if !self.booted {
            return Ok(());
        }
        let stored: Vec<_> =
            events.iter().zip(bytes).map(|(e, bytes)| EventBytes { at: e.at(), bytes }).collect();
        for event in &events {
            match self.replayer.apply(event) {
                Applied::Pending => {}
                Applied::Cycle(report) => {
                    let witness = report.witness.to_canonical_bytes();
                    let record = CycleRecord {
                        cycle: report.witness.cycle,
                        at: report.witness.at,
                        events: &stored,
                        witness: Some(&witness),
                        pose: Some(&report.published),
                    };
                    self.writer.append_cycle(&record, || std::mem::take(&mut self.last))?;
                    self.last = witness;
                    self.cycles += 1;
                }
                Applied::Entry(witness) => {
                    self.last = witness.to_canonical_bytes();
                    let entry = EntryRecord { at: witness.at, events: &stored, witness: Some(&self.last) };
                    self.writer.append_entry(&entry)?;
                }
            }
        }
        Ok(())
    }
}
