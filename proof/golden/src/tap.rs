//! Where the values behind the digests come from.

use wavewitness_engine::{CycleReport, Replayer};
use wavewitness_types::Canonical;
use wavewitness_witness::Stage;

/// Stages and, after them, what was published.
pub const CHANNELS: usize = Stage::COUNT + 1;

/// A channel's name in reports.
pub fn channel_name(channel: usize) -> &'static str {
    Stage::ALL.get(channel).map_or("published", |stage| stage.name())
}

/// Canonical bytes of what every channel gave in one cycle, channel by channel; empty where they are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleValues {
    /// The cycle.
    pub cycle: u64,
    /// One entry a channel.
    pub channels: Vec<Vec<u8>>,
}

/// Tells the engine whether the next cycle's values will be asked for.
pub(crate) fn keep(replayer: &mut Replayer, wanted: bool) {
    replayer.keep_stage_values(wanted);
}

/// The values of the cycle that has just ended.
pub(crate) fn values(replayer: &Replayer, report: &CycleReport) -> CycleValues {
    let mut channels: Vec<_> =
        Stage::ALL.into_iter().map(|stage| replayer.engine().stage_values(stage).to_vec()).collect();
    channels.push(report.frame.to_canonical_bytes());
    CycleValues { cycle: report.frame.cycle.0, channels }
}
