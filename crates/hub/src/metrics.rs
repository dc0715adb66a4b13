//! `/metrics`: what the hub knows about itself, in the text format of Prometheus.
//!
//! A scrape is one look at the status, so a link or node that is gone is gone here, too, and what is not known has no
//! sample. `docs/operations.md` lists the names; `deploy/grafana` and `deploy/prometheus` use them.
//!
//! What this module does not do: it measures nothing ([`crate::timings`] does), keeps nothing between scrapes, and
//! has no process-wide registry, so that several hubs can live in one process.

use crate::message::transmitter;
use crate::privacy::{self, What};
use crate::status::{Served, Snapshot, Status};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntCounterVec, Opts, TextEncoder};
use wavewitness_types::{
    Breathing, CalibrationState, Count, FallWatch, Gate, LinkStatus, NodeHealth, PoseFrame, Presence,
    PrivacyMode, Source, Timestamp,
};

/// Type of the answer.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

const GATES: [Gate; 4] = [Gate::Accept, Gate::PredictOnly, Gate::Reject, Gate::Recalibrate];
const CALIBRATIONS: [&str; 5] = ["none", "collecting", "ready", "stale", "refused"];

/// Families as they are collected.
#[derive(Default)]
struct Page(Vec<MetricFamily>);

fn options(name: &str, help: &str) -> Opts {
    Opts::new(format!("wavewitness_{name}"), help)
}

impl Page {
    /// A gauge for each row of label values.
    fn gauges<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        rows: impl IntoIterator<Item = ([String; N], f64)>,
    ) {
        let family = GaugeVec::new(options(name, help), &labels).expect("constant names are valid");
        for (values, value) in rows {
            family.with_label_values(&values).set(value);
        }
        self.0.extend(family.collect());
    }

    /// A counter for each row of label values.
    fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        rows: impl IntoIterator<Item = ([String; N], u64)>,
    ) {
        let family = IntCounterVec::new(options(name, help), &labels).expect("constant names are valid");
        for (values, value) in rows {
            family.with_label_values(&values).inc_by(value);
        }
        self.0.extend(family.collect());
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Into<Option<f64>>) {
        self.gauges(name, help, [], value.into().map(|v| ([], v)));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [], [([], value)]);
    }
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn unix_s(at: Timestamp) -> f64 {
    at.0 as f64 / 1e9
}

/// One row for each state, 1 for the present one.
fn states<const N: usize>(
    labels: [String; N],
    known: &[&str],
    present: &str,
) -> impl Iterator<Item = ([String; N], f64)> {
    known.iter().map(move |state| {
        let mut row = labels.clone();
        row[N - 1] = (*state).to_owned();
        (row, flag(*state == present))
    })
}

/// Everything, as text.
pub fn text(status: &Status) -> String {
    let snapshot = status.snapshot();
    let mut page = Page(status.timings().collect());
    hub(&mut page, &snapshot);
    counters(&mut page, &snapshot);
    log(&mut page, &snapshot);
    if let Some(frame) = &snapshot.frame {
        let mode = snapshot.privacy;
        room(&mut page, frame, mode);
        nodes(&mut page, frame, mode);
        links(&mut page, &frame.links, mode);
    }
    // A family without a sample is not known now.
    page.0.retain(|family| !family.get_metric().is_empty());
    page.0.sort_by(|a, b| a.name().cmp(b.name()));
    TextEncoder::new().encode_to_string(&page.0).expect("what is collected has a type and a sample")
}

fn hub(page: &mut Page, s: &Snapshot) {
    let source = s.frame.as_ref().map_or(s.source, |f| f.source);
    let numerics = wavewitness_engine::NUMERICS_VERSION.to_string();
    page.gauges(
        "build_info",
        "Version of the software and of its numerics.",
        ["version", "numerics"],
        [([env!("CARGO_PKG_VERSION").to_owned(), numerics], 1.0)],
    );
    page.gauges(
        "source_info",
        "Whether the datagrams are live, replayed or simulated: 1 for what they are.",
        ["source"],
        states(
            [String::new()],
            &[Source::Live, Source::Replay, Source::Simulated].map(Source::name),
            source.name(),
        ),
    );
    page.gauge("start_time_seconds", "When the hub started, in Unix time.", unix_s(s.started));
    page.gauge("ready", "1 if the hub hears nodes and has a baseline.", flag(s.not_ready().is_empty()));
    page.gauge(
        "publishing",
        "0 if journal or log can't be written: nothing is published then.",
        flag(s.fault.is_none()),
    );
    page.gauge("clients", "WebSocket clients.", f64::from(s.clients));
    page.gauge("cycle", "Number of the last cycle in its chain.", s.frame.as_ref().map(|f| f.cycle.0 as f64));
    page.gauge(
        "last_cycle_timestamp_seconds",
        "When the last cycle ended, in Unix time.",
        s.frame.as_ref().map(|f| unix_s(f.at)),
    );
    page.0.extend(memory());
}

fn counters(page: &mut Page, s: &Snapshot) {
    page.counter("cycles_total", "Cycles published.", s.cycles);
    page.counter(
        "missed_cycles_total",
        "Cycles that were not computed: the one before took too long.",
        s.missed,
    );
    page.counter("client_dropped_cycles_total", "Cycles left out for slow clients.", s.dropped);
    let Served {
        refused_connections,
        refused_clients,
        refused_origins,
        refused_tokens,
        malformed,
        oversized,
        stalled,
        silent,
    } = s.served;
    let faults = [
        ("too-many-connections", refused_connections),
        ("too-many-clients", refused_clients),
        ("foreign-origin", refused_origins),
        ("wrong-token", refused_tokens),
        ("malformed", malformed),
        ("oversized", oversized),
        ("stalled", stalled),
        ("silent", silent),
    ];
    page.counters(
        "client_faults_total",
        "Clients and requests that were refused or given up, by reason.",
        ["reason"],
        faults.map(|(reason, n)| ([reason.to_owned()], n)),
    );
    page.counter(
        "overflow_datagrams_total",
        "Datagrams left out before journal and engine, because a cycle was full or they were too long.",
        s.overflow,
    );
    page.counter(
        "kernel_dropped_datagrams_total",
        "Datagrams that the kernel dropped before the hub saw them, because its buffer was full.",
        s.kernel_dropped,
    );
    page.counters(
        "rejected_datagrams_total",
        "Datagrams that could not be used, by reason.",
        ["reason"],
        s.rejects.iter().map(|(reason, n)| ([(*reason).to_owned()], *n)),
    );
}

/// Resident memory, where the system says it.
fn memory() -> Vec<MetricFamily> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
    let Some(kib) = kib.map(|kib: u32| f64::from(kib)) else { return Vec::new() };
    let gauge = prometheus::Gauge::new("process_resident_memory_bytes", "Resident memory size in bytes.")
        .expect("a constant name is valid");
    gauge.set(kib * 1024.0);
    gauge.collect()
}

fn log(page: &mut Page, s: &Snapshot) {
    let Some(log) = &s.log else { return };
    page.gauge("log_entries", "Entries of the witness log that the last checkpoint covers.", log.size as f64);
    page.gauge("log_epoch", "Number of the key that signs.", log.epoch as f64);
    page.gauge(
        "log_signed_timestamp_seconds",
        "When the last checkpoint was signed, in Unix time.",
        unix_s(log.signed),
    );
}

fn room(page: &mut Page, frame: &PoseFrame, mode: PrivacyMode) {
    let source = || frame.source.name().to_owned();
    let presence = match frame.presence {
        Presence::Unknown(_) => "unknown",
        Presence::Known { present: true, .. } => "present",
        Presence::Known { present: false, .. } => "absent",
    };
    page.gauges(
        "presence",
        "Is anybody there? 1 for what is said.",
        ["source", "state"],
        states([source(), String::new()], &["present", "absent", "unknown"], presence),
    );
    let probability = match frame.presence {
        Presence::Known { probability, .. } => Some(f64::from(probability)),
        Presence::Unknown(_) => None,
    };
    let one = |value: Option<f64>| value.map(|v| ([source()], v));
    page.gauges("presence_probability", "Probability that somebody is there.", ["source"], one(probability));
    let count = match frame.count {
        _ if !What::Count.given(mode) => None,
        Count::Known(_) => frame.count.most_probable().map(f64::from),
        Count::Unknown(_) => None,
    };
    page.gauges(
        "people",
        "Most probable number of people; no sample where it is not known.",
        ["source"],
        one(count),
    );
    let tracks = What::People.given(mode).then_some(frame.people.len() as f64);
    page.gauges("tracks", "People with a place.", ["source"], one(tracks));
    let motion = frame.motion.filter(|_| What::Motion.given(mode)).map(f64::from);
    page.gauges("motion_ratio", "Motion over the quiet level.", ["source"], one(motion));
    let breathing = match &frame.breathing {
        _ if !What::Breathing.given(mode) => None,
        Breathing::Rate(rate) => Some(f64::from(rate.bpm) / 60.0),
        Breathing::Unknown(_) => None,
    };
    page.gauges(
        "breathing_hertz",
        "Breathing rate; no sample where it is not known.",
        ["source"],
        one(breathing),
    );
    let fall = match frame.fall {
        _ if !What::Falls.given(mode) => None,
        FallWatch::Watching(Some(fall)) => Some(unix_s(fall.at)),
        FallWatch::Watching(None) | FallWatch::Unknown(_) => None,
    };
    page.gauges(
        "fall_timestamp_seconds",
        "When somebody fell, in Unix time, as long as the hub says so.",
        ["source"],
        one(fall),
    );
    page.gauge("quality_ratio", "How good the last cycle was, 0 to 1.", f64::from(frame.quality.score));
    page.gauges(
        "gate",
        "Gate of the room, the best of its links': 1 for what it is.",
        ["gate"],
        states([String::new()], &GATES.map(Gate::name), frame.gate.name()),
    );
}

fn nodes(page: &mut Page, frame: &PoseFrame, mode: PrivacyMode) {
    let nodes = &frame.nodes;
    let of = |n: &NodeHealth| [n.node.0.to_string()];
    let mut gauges = |name: &str, help: &str, value: &dyn Fn(&NodeHealth) -> Option<f64>| {
        page.gauges(name, help, ["node"], nodes.iter().filter_map(|n| Some((of(n), value(n)?))));
    };
    gauges("node_frames_per_second", "Channel frames a second.", &|n| Some(f64::from(n.rate_hz)));
    gauges("node_signal_dbm", "Mean received signal strength.", &|n| {
        n.rssi_dbm.filter(|_| What::NodeRadio.given(mode)).map(f64::from)
    });
    gauges("node_silent", "1 while nothing arrives.", &|n| Some(flag(n.silent)));
    gauges("node_id_conflict", "1 while two senders use this id.", &|n| Some(flag(n.id_conflict)));
    gauges("node_last_datagram_timestamp_seconds", "When its last datagram arrived, in Unix time.", &|n| {
        Some(unix_s(n.last))
    });
    let mut counters = |name: &str, help: &str, value: &dyn Fn(&NodeHealth) -> u64| {
        page.counters(name, help, ["node"], nodes.iter().map(|n| (of(n), value(n))));
    };
    counters("node_frames_total", "Channel frames accepted since the hub's start.", &|n| n.frames);
    counters("node_rejected_datagrams_total", "Datagrams that could not be used.", &|n| n.rejected);
    counters("node_reordered_frames_total", "Frames that came after a later one.", &|n| n.reordered);
    counters("node_duplicate_frames_total", "Frames that came twice.", &|n| n.duplicates);
    counters("node_reboots_total", "Restarts seen.", &|n| u64::from(n.reboots));
}

fn links(page: &mut Page, links: &[LinkStatus], mode: PrivacyMode) {
    let of = |l: &LinkStatus| {
        [l.id.0.to_string(), privacy::transmitter(mode, transmitter(l.link.tx())), l.link.rx().0.to_string()]
    };
    let given = What::LinkMeasurements.given(mode);
    let mut gauges = |name: &str, help: &str, value: &dyn Fn(&LinkStatus) -> Option<f64>| {
        page.gauges(name, help, ["link", "tx", "rx"], links.iter().filter_map(|l| Some((of(l), value(l)?))));
    };
    gauges("link_coherence_ratio", "Coherence with the baseline, 0 to 1.", &|l| {
        l.coherence.filter(|_| given).map(f64::from)
    });
    gauges("link_attention_ratio", "Weight in the fusion, 0 to 1.", &|l| {
        given.then_some(f64::from(l.attention))
    });
    gauges("link_motion_ratio", "Motion over the quiet level.", &|l| {
        l.motion.filter(|_| given).map(f64::from)
    });
    gauges(
        "link_calibration_progress_ratio",
        "Part of the observations that are in, while a baseline is collected.",
        &|l| match l.calibration {
            CalibrationState::Collecting { have, need } if need > 0 => {
                Some(f64::from(have) / f64::from(need))
            }
            _ => None,
        },
    );
    let with = |l: &LinkStatus| {
        let [link, tx, rx] = of(l);
        [link, tx, rx, String::new()]
    };
    let gated = links.iter().filter(|_| What::LinkGates.given(mode));
    let gates =
        gated.flat_map(|l| states(with(l), &GATES.map(Gate::name), l.gate.name()).collect::<Vec<_>>());
    page.gauges("link_gate", "Gate of a link: 1 for what it is.", ["link", "tx", "rx", "gate"], gates);
    let calibrations =
        links.iter().flat_map(|l| states(with(l), &CALIBRATIONS, l.calibration.name()).collect::<Vec<_>>());
    page.gauges(
        "link_calibration",
        "Condition of a link's baseline: 1 for what it is.",
        ["link", "tx", "rx", "state"],
        calibrations,
    );
    page.counters(
        "link_frames_total",
        "Frames since the hub's start.",
        ["link", "tx", "rx"],
        links.iter().map(|l| (of(l), l.frames)),
    );
}

#[cfg(test)]
mod tests;
