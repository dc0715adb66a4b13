//! What a scene file says of clocks, and of a room that changes slowly.

use super::section::Section;
use wavewitness_fixtures::clock::{ClockStep, HostClock, SyncLoss};
use wavewitness_fixtures::drift::Drift;
use wavewitness_fixtures::scene::Node;
use wavewitness_types::ConfigError;

const SOON_S: f64 = 1e6;

/// A node's `clock_steps = [{ at_s, by_ms }]` and `sync_losses = [{ from_s, until_s }]`.
pub(super) fn read_node_clock(s: &mut Section<'_>, node: &mut Node) -> Result<(), ConfigError> {
    for mut step in s.sections("clock_steps")? {
        node.steps.push(ClockStep {
            at_ns: (step.needed("at_s", 0.0, SOON_S)? * 1e9) as u64,
            by_ns: (step.needed("by_ms", -1e6, 1e6)? * 1e6) as i64,
        });
        step.end()?;
    }
    for mut loss in s.sections("sync_losses")? {
        let (from_s, until_s) = (loss.needed("from_s", 0.0, SOON_S)?, loss.needed("until_s", 0.0, SOON_S)?);
        if until_s <= from_s {
            return Err(loss.error("until_s", until_s, "after from_s"));
        }
        node.sync_losses.push(SyncLoss { from_ns: (from_s * 1e9) as u64, until_ns: (until_s * 1e9) as u64 });
        loss.end()?;
    }
    Ok(())
}

/// The hub's stamps, of the section `network`.
pub(super) fn read_host(s: &mut Section<'_>) -> Result<HostClock, ConfigError> {
    let ms = |x: f64| (x * 1e6).round() as u64;
    Ok(HostClock {
        jitter_ns: ms(s.or("host_jitter_ms", 0.0, 1000.0, 0.0)?),
        stall_every_ns: s.nanos("host_stall_every_s", SOON_S, 0)?,
        stall_ns: ms(s.or("host_stall_ms", 0.0, 10_000.0, 0.0)?),
    })
}

/// The section `drift`.
pub(super) fn read_drift(mut s: Section<'_>) -> Result<Drift, ConfigError> {
    let drift = Drift {
        phase_rad: s.or("phase_rad", 0.0, 10.0, 0.0)?,
        gain_db: s.or("gain_db", 0.0, 20.0, 0.0)?,
        period_s: s.or("period_s", 1.0, SOON_S, Drift::NONE.period_s)?,
    };
    s.end()?;
    Ok(drift)
}
