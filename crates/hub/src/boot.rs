//! Opening a data directory: what a crash left is repaired, and the chain goes on, or a new one begins and says so.

use crate::config::HubConfig;
use crate::privacy::{self, What};
use crate::witness_log::{self, LiveLog, OpenLog};
use std::fmt;
use std::path::{Path, PathBuf};
use wavewitness_engine::{Engine, NUMERICS_VERSION};
use wavewitness_journal::{ChainEnd, ChainId, Content, JournalDir, JournalError, Options, Salvage, Writer};
use wavewitness_ledger::{LedgerError, Publisher};
use wavewitness_types::{BootRecord, Canonical, ConfigError, CycleIndex, PrivacyMode, Source, Timestamp};
use wavewitness_witness::{Chain, EntryKind, Genesis, Predecessor, SPECIFICATION, Witness};

/// Cycles left free after the last that the journal holds: more than the second that a power cut may take.
const CYCLES_SKIPPED: u64 = 40;
const CYCLE_NS: u64 = 50_000_000;

/// A data directory that is ready to be written to.
pub struct Opened {
    /// The journal.
    pub writer: Writer,
    /// The engine, on the chain, not booted.
    pub engine: Engine,
    /// The chain's genesis.
    pub genesis: Genesis,
    /// To be given to the engine first.
    pub boot: BootRecord,
    /// Where baselines are kept.
    pub baselines: PathBuf,
    /// The log over the journal, if one is kept.
    pub log: Option<(LiveLog, Publisher)>,
    /// What a person should know of it, one line each.
    pub notes: Vec<String>,
}

/// Why a data directory can't be used.
#[derive(Debug)]
pub enum OpenError {
    /// The journal.
    Journal(JournalError),
    /// The transparency log.
    Log(LedgerError),
    /// The configuration.
    Config(ConfigError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Journal(e) => e.fmt(f),
            OpenError::Log(e) => e.fmt(f),
            OpenError::Config(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<JournalError> for OpenError {
    fn from(e: JournalError) -> OpenError {
        OpenError::Journal(e)
    }
}

impl From<LedgerError> for OpenError {
    fn from(e: LedgerError) -> OpenError {
        OpenError::Log(e)
    }
}

impl From<ConfigError> for OpenError {
    fn from(e: ConfigError) -> OpenError {
        OpenError::Config(e)
    }
}

/// Where the journal of a data directory lives.
pub fn journal_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

/// A genesis for a configuration.
pub fn genesis(
    config: &HubConfig,
    source: Source,
    started: Timestamp,
    predecessor: Option<Predecessor>,
) -> Genesis {
    Genesis {
        specification: SPECIFICATION,
        numerics: NUMERICS_VERSION,
        source,
        started,
        software: concat!("wavewitness ", env!("CARGO_PKG_VERSION")).to_owned(),
        config: genesis_config(config),
        predecessor,
        privacy: config.privacy.mode,
    }
}

/// The configuration in a genesis: whole, or its digest where the privacy mode withholds it. It names MAC addresses.
fn genesis_config(config: &HubConfig) -> Vec<u8> {
    let bytes = config.engine.to_canonical_bytes();
    if What::JournalOutputs.given(config.privacy.mode) { bytes } else { Genesis::withheld_config(&bytes) }
}

/// The end of the chain that the journal holds, as far as this build can go on from it.
struct End {
    genesis: Genesis,
    last: Option<Witness>,
}

fn read_end(end: &ChainEnd) -> Option<End> {
    let genesis = Genesis::from_canonical_bytes(&end.genesis)?;
    let bytes = match end.last.as_ref().map(|chunk| &chunk.content) {
        Some(Content::Cycle { witness, .. } | Content::Entry { witness, .. }) => witness.clone()?,
        Some(Content::Start { .. }) | None => end.head.clone(),
    };
    if bytes.is_empty() {
        return Some(End { genesis, last: None });
    }
    Some(End { genesis, last: Some(Witness::from_canonical_bytes(&bytes)?) })
}

/// Opens the data directory of a configuration at time `now`: salvages the journal, and resumes its chain if it was
/// computed under the same configuration, source and numerics; begins a new chain that names it otherwise.
///
/// # Errors
/// If the directory is in use or can't be written, or the configuration can't be used.
pub fn open(
    config: &HubConfig,
    data_dir: &Path,
    source: Source,
    now: Timestamp,
    boot_id: u64,
) -> Result<Opened, OpenError> {
    let dir = JournalDir::lock(&journal_dir(data_dir))?;
    let salvage = dir.salvage(None)?;
    let mut notes = salvage_notes(&salvage);
    let baselines = data_dir.join("baselines.bin");
    let end = salvage.end.as_ref().and_then(read_end);
    if salvage.end.is_some() && end.is_none() {
        notes.push("the newest chain can't be read to its end: a new chain begins".to_owned());
    }
    let resumed = end.as_ref().filter(|end| resumable(end, config, source));
    let (genesis, chain, head) = match (&end, resumed) {
        (_, Some(end)) => {
            let chain = end.last.as_ref().map_or_else(|| Chain::new(&end.genesis), Chain::after);
            let head = end.last.as_ref().map(Canonical::to_canonical_bytes).unwrap_or_default();
            notes.push(format!(
                "chain {} goes on from {}",
                end.genesis.digest().short(),
                chain.head().short()
            ));
            (end.genesis.clone(), chain, head)
        }
        (Some(end), None) => {
            let old = Predecessor {
                genesis: end.genesis.digest(),
                head: end.last.as_ref().map_or_else(|| end.genesis.digest(), |w| w.chain),
            };
            let genesis = genesis(config, source, now, Some(old));
            notes.push(format!(
                "privacy mode, configuration, source or numerics changed: chain {} begins; it names chain {} before it",
                genesis.digest().short(),
                old.genesis.short()
            ));
            let chain = Chain::new(&genesis);
            (genesis, chain, Vec::new())
        }
        (None, None) => {
            let genesis = genesis(config, source, now, None);
            notes.push(format!("chain {} begins", genesis.digest().short()));
            let chain = Chain::new(&genesis);
            (genesis, chain, Vec::new())
        }
    };
    notes.extend(privacy::notes(config.privacy.mode, config.privacy.set));
    notes.extend(left_over(config.privacy.mode, end.as_ref(), &baselines));
    let mut log = witness_log::open(&config.log, data_dir, dir.path(), now)?;
    match &mut log {
        Some(log) => notes.append(&mut log.notes),
        None => {
            notes.push("no witness log is kept: it needs a key (`wavewitness key new --help`)".to_owned())
        }
    }
    let logged = log.as_ref().and_then(|log| log.last_cycle).filter(|_| resumed.is_some());
    let boot = boot_record(resumed, logged, &genesis, &salvage, now, boot_id, &baselines);
    let engine = Engine::new(&config.engine, source, chain)?;
    let id = ChainId::from_digest(&genesis.digest().0);
    let bytes = genesis.to_canonical_bytes();
    let writer = Writer::create(dir, id, source, &bytes, &head, now, Options::default())?;
    if let (Some(log), None) = (&log, resumed) {
        log.live.genesis(&genesis)?;
    }
    let log = log.map(|OpenLog { live, publisher, .. }| (live, publisher));
    Ok(Opened { writer, engine, genesis, boot, baselines, log, notes })
}

/// What an earlier mode left on the disk. It is the operator's to delete: a hub that deletes what it was not told to
/// would be worse.
fn left_over(mode: PrivacyMode, end: Option<&End>, baselines: &Path) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(old) = end.map(|end| end.genesis.privacy).filter(|old| *old < mode) {
        notes
            .push(format!("what was journalled under privacy mode {} stays until it is deleted", old.name()));
    }
    if !What::Baselines.given(mode) && baselines.exists() {
        notes.push(format!("{} of an earlier privacy mode is not used; delete it", baselines.display()));
    }
    notes
}

fn resumable(end: &End, config: &HubConfig, source: Source) -> bool {
    end.genesis.specification == SPECIFICATION
        && end.genesis.numerics == NUMERICS_VERSION
        && end.genesis.source == source
        && end.genesis.privacy == config.privacy.mode
        && end.genesis.config == genesis_config(config)
}

fn boot_record(
    resumed: Option<&End>,
    logged: Option<CycleIndex>,
    genesis: &Genesis,
    salvage: &Salvage,
    now: Timestamp,
    boot_id: u64,
    baselines: &Path,
) -> BootRecord {
    let last = resumed.and_then(|end| end.last.as_ref());
    let last_cycle = salvage.end.as_ref().filter(|_| resumed.is_some()).and_then(|end| end.last_cycle);
    // Later than the last cycle of the chain, than any that may have been published and lost, and by the clock.
    let mut next = now.nanos_since(genesis.started) / CYCLE_NS;
    if let Some(witness) = last {
        next = next.max(witness.cycle.0 + 1 + CYCLES_SKIPPED);
        for torn in salvage.set_aside.iter().filter_map(|piece| piece.last_cycle) {
            next = next.max(torn.0 + 1 + CYCLES_SKIPPED);
        }
        // A journal that lost more than the log did not lose what was published.
        if let Some(logged) = logged {
            next = next.max(logged.0 + 1 + CYCLES_SKIPPED);
        }
    }
    BootRecord {
        boot_id,
        resumed_after: last_cycle,
        next_cycle: CycleIndex(next),
        unclean: last.is_some_and(|w| w.kind != EntryKind::Stop),
        discarded_bytes: salvage.discarded_bytes(),
        baselines: std::fs::read(baselines)
            .ok()
            .filter(|_| What::Baselines.given(genesis.privacy))
            .filter(|bytes| bytes.len() <= BootRecord::MAX_BASELINE_BYTES)
            .unwrap_or_default(),
    }
}

fn salvage_notes(salvage: &Salvage) -> Vec<String> {
    let mut notes = Vec::new();
    for piece in &salvage.set_aside {
        notes.push(format!(
            "{} bytes of segment {} could not be kept; they are in {}",
            piece.bytes,
            piece.segment,
            piece.path.display()
        ));
    }
    notes.extend(salvage.faults.iter().map(|fault| format!("journal fault: {fault}")));
    notes
}
