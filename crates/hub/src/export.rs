//! `wavewitness export`: poses out of a journal as a table, or a part of a journal with its proof.
//!
//! What this module does not do: it verifies nothing of a table's rows (`proof-runner verify` does), and changes no
//! journal.

mod clip;
#[cfg(feature = "parquet")]
mod parquet;
mod rows;
mod table;

pub use rows::Rows;
pub use table::{Column, Kind, Value};

use clap::{Args, Subcommand, ValueEnum};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use wavewitness_journal::{ChainId, Chunk, Content, Fault, FaultKind, Journal};
use wavewitness_types::{CycleIndex, PoseFrame, PrivacyMode, Timestamp};
use wavewitness_witness::{Genesis, Witness};

type Failure = Box<dyn Error + Send + Sync>;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ExportCommand,
}

/// What to export.
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// Write a table of poses as CSV or Parquet
    Poses(PosesArgs),
    /// Write a part of a journal as a journal of its own; with the log, also the proof that it was signed
    ///
    /// Check it anywhere with `proof-runner verify-clip CLIP --key KEY`. A clip that begins with a start of the hub can be
    /// computed again, too (`proof-runner replay CLIP/journal`). It holds datagrams and poses in full: give it only to
    /// those who may see them.
    Clip(ClipArgs),
}

/// Arguments of `export poses`.
#[derive(Debug, Args)]
pub struct PosesArgs {
    /// Journal directory or one segment
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
    /// File to write; `-` for standard output (CSV only)
    #[arg(value_name = "FILE")]
    pub out: PathBuf,
    /// What a row is
    #[arg(long, value_enum, default_value = "people")]
    pub rows: Rows,
    /// Format; by the name's ending if left out, and CSV where that does not say
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// From when, until when.
    #[command(flatten)]
    pub range: Range,
}

/// Arguments of `export clip`.
#[derive(Debug, Args)]
pub struct ClipArgs {
    /// Journal directory or one segment
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
    /// Directory of the clip, which must not exist
    #[arg(value_name = "CLIP")]
    pub out: PathBuf,
    /// From when, until when.
    #[command(flatten)]
    pub range: Range,
    /// Directory of the witness log: then the clip carries the proof of its last cycle
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
    /// The log's root key, or a file that holds it; without it the key beside the log is used
    #[arg(long, value_name = "VKEY", requires = "log")]
    pub key: Option<String>,
}

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values with a header; what is not known is empty
    Csv,
    /// Apache Parquet, in builds with the feature `parquet`
    Parquet,
}

impl Format {
    fn of(path: &Path) -> Format {
        match path.extension() {
            Some(ending) if ending.eq_ignore_ascii_case("parquet") => Format::Parquet,
            _ => Format::Csv,
        }
    }
}

/// A part of a journal; both ends belong to it.
#[derive(Clone, Debug, Default, Args)]
pub struct Range {
    /// First time (2026-11-20T18:00:00Z) or cycle number
    #[arg(long, value_name = "WHEN")]
    pub from: Option<Moment>,
    /// Last time or cycle number
    #[arg(long, value_name = "WHEN")]
    pub to: Option<Moment>,
    /// Only the chain whose genesis digest begins so: cycle numbers are a chain's own
    #[arg(long, value_name = "HEX")]
    pub chain: Option<String>,
}

/// A time, or a cycle of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A time.
    Time(Timestamp),
    /// A cycle.
    Cycle(CycleIndex),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        if let Ok(cycle) = text.parse() {
            return Ok(Moment::Cycle(CycleIndex(cycle)));
        }
        let refuse = || format!("{text}: allowed is a cycle number or a UTC time as 2026-11-20T18:00:00Z");
        let time = humantime::parse_rfc3339(text).map_err(|_| refuse())?;
        let since = time.duration_since(std::time::UNIX_EPOCH).map_err(|_| refuse())?;
        u64::try_from(since.as_nanos()).map(|ns| Moment::Time(Timestamp(ns))).map_err(|_| refuse())
    }
}

impl Range {
    /// Whether a record at `at`, in or behind cycle `cycle`, is before the range, in it, or behind it.
    fn place(&self, at: Timestamp, cycle: CycleIndex) -> std::cmp::Ordering {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let compare = |moment: Moment| match moment {
            Moment::Time(time) => at.cmp(&time),
            Moment::Cycle(wanted) => cycle.cmp(&wanted),
        };
        match (self.from.map(compare), self.to.map(compare)) {
            (Some(Less), _) => Less,
            (_, Some(Greater)) => Greater,
            _ => Equal,
        }
    }

    /// The part of a journal with the chains that are asked for.
    fn chains(&self, journal: &Journal) -> Result<Vec<ChainId>, String> {
        let backwards = match (self.from, self.to) {
            (Some(Moment::Time(from)), Some(Moment::Time(to))) => from > to,
            (Some(Moment::Cycle(from)), Some(Moment::Cycle(to))) => from > to,
            _ => false,
        };
        if backwards {
            return Err("--from is behind --to: nothing can be between them".to_owned());
        }
        let wanted = self.chain.as_deref().unwrap_or("").to_ascii_lowercase();
        let fits = |id: &ChainId| {
            let id = id.to_string();
            id.starts_with(&wanted) || (!wanted.is_empty() && wanted.starts_with(&id))
        };
        let all = journal.chains();
        let chains: Vec<ChainId> = all.iter().copied().filter(fits).collect();
        if chains.is_empty() {
            let all: Vec<String> = all.iter().map(ChainId::to_string).collect();
            return Err(format!("no chain {wanted} in the journal; it has {}", all.join(", ")));
        }
        Ok(chains)
    }
}

/// Runs `export`. False if something of the journal could not be read.
///
/// # Errors
/// If the journal can't be opened, or the output can't be written.
pub fn export(command: &ExportCommand) -> Result<bool, Failure> {
    match command {
        ExportCommand::Poses(args) => poses(args),
        ExportCommand::Clip(args) => clip::clip(args).map(|()| true),
    }
}

/// Takes rows, in the columns that it was made for.
trait Sheet {
    fn row(&mut self, row: &[Value]) -> Result<(), Failure>;
    fn finish(self: Box<Self>) -> Result<(), Failure>;
}

struct CsvSheet(csv::Writer<Box<dyn Write>>);

impl CsvSheet {
    fn begin(out: Box<dyn Write>, columns: &[Column]) -> Result<CsvSheet, Failure> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(columns.iter().map(|c| c.name))?;
        Ok(CsvSheet(csv))
    }
}

impl Sheet for CsvSheet {
    fn row(&mut self, row: &[Value]) -> Result<(), Failure> {
        Ok(self.0.write_record(row.iter().map(Value::to_string))?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        Ok(self.0.flush()?)
    }
}

fn sheet(path: &Path, format: Format, columns: &[Column]) -> Result<Box<dyn Sheet>, Failure> {
    let create = || File::create(path).map_err(|e| format!("can't write {}: {e}", path.display()));
    let standard = path == Path::new("-");
    match format {
        Format::Csv if standard => Ok(Box::new(CsvSheet::begin(Box::new(io::stdout().lock()), columns)?)),
        Format::Csv => Ok(Box::new(CsvSheet::begin(Box::new(BufWriter::new(create()?)), columns)?)),
        #[cfg(feature = "parquet")]
        Format::Parquet if !standard => Ok(Box::new(parquet::ParquetSheet::begin(create()?, columns)?)),
        Format::Parquet if cfg!(feature = "parquet") => Err("Parquet goes to a file only".into()),
        Format::Parquet => Err("this build writes no Parquet: build it with `--features parquet`".into()),
    }
}

fn poses(args: &PosesArgs) -> Result<bool, Failure> {
    let journal = Journal::open(&args.journal)?;
    let columns = args.rows.columns();
    let format = args.format.unwrap_or_else(|| Format::of(&args.out));
    let chains = args.range.chains(&journal)?;
    let mut sheet = sheet(&args.out, format, &columns)?;
    let (mut cycles, mut rows, mut faults) = (0u64, 0u64, Vec::new());
    let mut without = Without::default();
    for chain in chains {
        let name = chain.to_string();
        for item in journal.of_chain(chain).records() {
            let read = match &item {
                Ok(chunk) => {
                    without.look(chunk, &args.range);
                    frame_of(chunk, &args.range).transpose()
                }
                Err(fault) if harmless(fault) => None,
                Err(fault) => Some(Err(fault.to_string())),
            };
            match read {
                None => {}
                Some(Err(fault)) => faults.push(fault),
                Some(Ok((frame, witness))) => {
                    cycles += 1;
                    for row in args.rows.of(&name, &frame, &witness) {
                        rows += 1;
                        sheet.row(&row)?;
                    }
                }
            }
        }
    }
    sheet.finish()?;
    eprintln!("{rows} rows of {cycles} cycles in {}", args.out.display());
    without.reasons().for_each(|line| eprintln!("{line}"));
    for fault in faults.iter().take(10) {
        eprintln!("left out: {fault}");
    }
    if faults.len() > 10 {
        eprintln!("left out: {} more places", faults.len() - 10);
    }
    Ok(faults.is_empty())
}

/// Cycles of the range that have no poses in the journal.
#[derive(Default)]
struct Without {
    /// The privacy mode under which the segment was written; `None` before its start, and for a plain capture.
    mode: Option<PrivacyMode>,
    cycles: BTreeMap<Option<&'static str>, u64>,
}

impl Without {
    fn look(&mut self, chunk: &Chunk, range: &Range) {
        if let Content::Start { genesis, .. } = &chunk.content {
            self.mode = Genesis::from_canonical_bytes(genesis).map(|g| g.privacy);
        }
        let inside = chunk.cycle().is_some_and(|cycle| range.place(chunk.at, cycle).is_eq());
        if inside && chunk.pose().is_none() {
            // Where the mode keeps them they were taken out: `proof-runner verify` finds that.
            let withheld = self.mode.filter(|mode| !mode.keeps_outputs());
            *self.cycles.entry(withheld.map(PrivacyMode::name)).or_default() += 1;
        }
    }

    /// One line a reason.
    fn reasons(&self) -> impl Iterator<Item = String> {
        self.cycles.iter().map(|(mode, n)| match mode {
            Some(mode) => format!(
                "{n} cycles without poses: privacy mode {mode} withheld them from the journal, and they are nowhere else"
            ),
            None => format!("{n} cycles without poses: a recording that no hub has computed, or they were taken out"),
        })
    }
}

/// The end of a segment that is being written, or an index that is only there for speed: no record is lost by it.
fn harmless(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::TornTail { bytes: 0 } | FaultKind::BadIndex)
}

/// What a cycle within the range published, and its witness; why it can't be read otherwise.
fn frame_of(chunk: &Chunk, range: &Range) -> Result<Option<(PoseFrame, Witness)>, String> {
    let Some(cycle) = chunk.cycle() else { return Ok(None) };
    if range.place(chunk.at, cycle).is_ne() {
        return Ok(None);
    }
    // A plain capture has neither, and so no poses.
    let (Some(pose), Some(witness)) = (chunk.pose(), chunk.witness()) else { return Ok(None) };
    match (PoseFrame::from_canonical_bytes(pose), Witness::from_canonical_bytes(witness)) {
        (Some(frame), Some(witness)) => Ok(Some((frame, witness))),
        _ => Err(format!(
            "cycle {} of segment {}: its pose is of another version, or damaged",
            cycle.0, chunk.segment
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_cycle_or_a_time() {
        assert_eq!("4711".parse(), Ok(Moment::Cycle(CycleIndex(4711))));
        assert_eq!("1970-01-01T00:00:01.5Z".parse(), Ok(Moment::Time(Timestamp(1_500_000_000))));
        for bad in ["yesterday", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "-4", "9999-12-31T23:59:59Z"]
        {
            let refusal = bad.parse::<Moment>().unwrap_err();
            assert!(refusal.starts_with(bad) && refusal.contains("allowed is"), "{refusal}");
        }
    }

    #[test]
    fn both_ends_belong_to_a_range() {
        let range = |from: &str, to: &str| Range {
            from: Some(from.parse().unwrap()),
            to: Some(to.parse().unwrap()),
            chain: None,
        };
        let at =
            |range: &Range, s: u64, cycle| range.place(Timestamp(s * 1_000_000_000), CycleIndex(cycle)) as i8;
        let cycles = range("10", "12");
        assert_eq!([9, 10, 12, 13].map(|c| at(&cycles, 0, c)), [-1, 0, 0, 1]);
        let times = range("1970-01-01T00:00:10Z", "1970-01-01T00:00:12Z");
        assert_eq!([9, 10, 12, 13].map(|s| at(&times, s, 0)), [-1, 0, 0, 1]);
        assert_eq!(at(&Range::default(), 0, 0), 0);
    }
}
