//! The answer of `/api/v1/status`: what the hub knows about itself.

use super::cycle::{Link, Node, Presence, Zone};
use crate::clock::iso8601;
use crate::privacy;
use crate::status::{Served, Snapshot};
use crate::timings::{CYCLE_BUDGET_US, Durations, PartTime};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use wavewitness_types::Timestamp;

/// What the hub knows about itself.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Status {
    /// Version of the message schema.
    pub schema: u32,
    /// Name and version of the program.
    pub software: &'static str,
    /// How the hub is fed: `live`, `replay` or `simulated`.
    pub source: &'static str,
    /// The privacy mode.
    pub privacy: &'static str,
    /// What it withholds.
    pub withheld: Vec<&'static str>,
    /// BLAKE3 of the chain's genesis, hex.
    pub genesis: String,
    /// The chain's value after the last journalled entry, hex.
    pub head: String,
    /// Where datagrams arrive; `null` for a replay.
    pub udp: Option<String>,
    /// Where HTTP is served.
    pub http: Option<String>,
    /// When the process began, UTC.
    pub started: String,
    /// How long ago that is.
    pub uptime_s: f64,
    /// The last cycle; `null` before one.
    pub cycle: Option<u64>,
    /// How long ago it ended, ms.
    pub cycle_age_ms: Option<u64>,
    /// Cycles published since the start.
    pub cycles: u64,
    /// Cycles that were not computed, because the one before took too long.
    pub missed_cycles: u64,
    /// Datagrams left out before journal and engine, because a cycle was full.
    pub overflow_datagrams: u64,
    /// Datagrams that the kernel dropped before the hub saw them, because its buffer was full.
    pub kernel_dropped_datagrams: u64,
    /// From tick to witness; `null` before a cycle.
    pub compute_us: Option<ComputeUs>,
    /// Parts of a cycle against their budgets, in the order in which they are done; empty before a cycle.
    pub stages_us: Vec<StageUs>,
    /// Rejected datagrams by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Clients that stay: WebSockets and streams.
    pub clients: u32,
    /// Cycles left out for slow clients, all together.
    pub dropped_cycles: u64,
    /// Clients and requests that were refused or given up.
    pub served: Served,
    /// Whether the hub is to be relied on.
    pub ready: bool,
    /// Why it is not.
    pub not_ready: Vec<String>,
    /// Symptom and remedy, one line each.
    pub advice: Vec<String>,
    /// Why nothing is published any more, if so.
    pub fault: Option<String>,
    /// The witness log; `null` if none is kept, or nothing is signed yet.
    pub log: Option<LogStatus>,
    /// The last cycle in short; `null` before one.
    pub last: Option<Last>,
    /// Zones of the last cycle, in the order of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<Zone>>,
    /// Nodes of the last cycle, ascending by id.
    pub nodes: Option<Vec<Node>>,
    /// Links of the last cycle, ascending by id.
    pub links: Option<Vec<Link>>,
}

/// Times from tick to witness, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ComputeUs {
    /// Median of the last two minutes.
    pub p50: f64,
    /// 99th percentile of the last two minutes.
    pub p99: f64,
    /// Maximum of the last two minutes.
    pub recent_max: f64,
    /// Since the start.
    pub max: f64,
    /// What a cycle has.
    pub budget: u32,
}

fn compute_us(times: &Durations) -> Option<ComputeUs> {
    let [p50, p99, recent_max] = times.recent_us()?;
    Some(ComputeUs { p50, p99, recent_max, max: times.max_us(), budget: CYCLE_BUDGET_US })
}

/// Times of a part of a cycle in the last two minutes, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageUs {
    /// The stage that it ends with; the stages before it, since the last that is named, count with it.
    pub stage: &'static str,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Maximum.
    pub max: f64,
    /// How long it may take. All budgets make that of a cycle.
    pub budget: u32,
}

fn stage_us(time: PartTime) -> StageUs {
    let PartTime { part, recent_us: [p50, p99, max] } = time;
    StageUs { stage: part.name(), p50, p99, max, budget: part.budget_us() }
}

/// The witness log as of its last checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LogStatus {
    /// Its name.
    pub origin: String,
    /// The public half of its root key.
    pub root_key: String,
    /// Number of the present epoch.
    pub epoch: u64,
    /// Entries covered.
    pub size: u64,
    /// When the checkpoint was signed, UTC.
    pub signed: String,
    /// The checkpoint.
    pub checkpoint: String,
}

/// The last cycle in short.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Last {
    /// Is anybody there?
    pub presence: Presence,
    /// Tracks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<u32>,
    /// Best gate of the links heard.
    pub gate: &'static str,
}

/// The status of a hub, as its privacy mode allows it; `parts` as [`crate::timings::Timings::parts`] gives them.
pub fn status(snapshot: &Snapshot, parts: Vec<PartTime>, now: Timestamp) -> Status {
    let frame = snapshot.frame.as_ref();
    let cycle = snapshot.cycle.as_deref();
    let not_ready = snapshot.not_ready();
    Status {
        schema: super::SCHEMA_VERSION,
        software: concat!("wavewitness ", env!("CARGO_PKG_VERSION")),
        source: frame.map_or(snapshot.source, |f| f.source).name(),
        privacy: snapshot.privacy.name(),
        withheld: privacy::withheld(snapshot.privacy),
        genesis: snapshot.genesis.to_string(),
        head: snapshot.head.to_string(),
        udp: snapshot.udp.map(|a| a.to_string()),
        http: snapshot.http.map(|a| a.to_string()),
        started: iso8601(snapshot.started),
        uptime_s: now.seconds_since(snapshot.started),
        cycle: frame.map(|f| f.cycle.0),
        cycle_age_ms: frame.map(|f| now.nanos_since(f.at) / 1_000_000),
        cycles: snapshot.cycles,
        missed_cycles: snapshot.missed,
        overflow_datagrams: snapshot.overflow,
        kernel_dropped_datagrams: snapshot.kernel_dropped,
        compute_us: compute_us(&snapshot.compute),
        stages_us: parts.into_iter().map(stage_us).collect(),
        rejected: snapshot.rejects.clone(),
        clients: snapshot.clients,
        dropped_cycles: snapshot.dropped,
        served: snapshot.served,
        ready: not_ready.is_empty(),
        not_ready,
        advice: snapshot.advice(),
        fault: snapshot.fault.clone(),
        log: snapshot.log.as_ref().map(|log| LogStatus {
            origin: log.origin.clone(),
            root_key: log.root_key.clone(),
            epoch: log.epoch,
            size: log.size,
            signed: iso8601(log.signed),
            checkpoint: log.checkpoint.clone(),
        }),
        last: cycle.map(|c| Last {
            presence: c.presence.clone(),
            people: c.people.as_ref().map(|p| p.len() as u32),
            gate: c.gate,
        }),
        zones: cycle.and_then(|c| c.zones.clone()),
        nodes: cycle.and_then(|c| c.nodes.clone()),
        links: cycle.and_then(|c| c.links.clone()),
    }
}
