//! What a datagram can be.

use wavewitness_types::{Canonical, CsiFrame, NodeId, Sink};

/// A datagram, understood. Held by value: nothing here allocates, so a channel frame makes it large.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum Packet {
    /// A channel measurement.
    Csi(CsiFrame),
    /// A channel measurement of which one tone next to DC was not measured (the first word of the chip's buffer was
    /// invalid) and stands for the line through its measured neighbours; see [`crate::layout::Placed::restored`].
    RestoredCsi(CsiFrame),
    /// The node's own vitals: an untrusted hint.
    Vitals(Vitals),
    /// The node's own feature vector: an untrusted hint.
    Feature(Feature),
    /// The node's own state of features: an untrusted hint.
    FeatureState(FeatureState),
    /// The node's clock against the mesh.
    Sync(Sync),
    /// A mesh node's health.
    MeshHealth(MeshHealth),
    /// Another mesh message with a correct CRC; its payload is not used.
    Mesh {
        /// The message type byte.
        message: u8,
    },
    /// Output of a module that runs on the node; its payload is not used.
    WasmOutput {
        /// The node.
        node: NodeId,
        /// How many records it holds.
        records: u16,
    },
    /// The node's own temporal classification; its payload is not used.
    Classification {
        /// The node.
        node: NodeId,
    },
    /// What we hear comes from a simulator.
    SimulationMarker {
        /// The simulator's seed.
        seed: u64,
    },
}

impl Packet {
    /// What kind of datagram it is.
    pub fn kind(&self) -> Kind {
        match self {
            Packet::Csi(_) => Kind::Csi,
            Packet::RestoredCsi(_) => Kind::RestoredCsi,
            Packet::Vitals(Vitals { fused: None, .. }) => Kind::Vitals,
            Packet::Vitals(Vitals { fused: Some(_), .. }) => Kind::FusedVitals,
            Packet::Feature(_) => Kind::Feature,
            Packet::FeatureState(_) => Kind::FeatureState,
            Packet::Sync(_) => Kind::Sync,
            Packet::MeshHealth(_) => Kind::MeshHealth,
            Packet::Mesh { .. } => Kind::Mesh,
            Packet::WasmOutput { .. } => Kind::WasmOutput,
            Packet::Classification { .. } => Kind::Classification,
            Packet::SimulationMarker { .. } => Kind::SimulationMarker,
        }
    }

    /// The node that it names, where it names one by its one-byte id.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Packet::Csi(f) | Packet::RestoredCsi(f) => Some(f.node),
            Packet::Vitals(p) => Some(p.node),
            Packet::Feature(p) => Some(p.node),
            Packet::FeatureState(p) => Some(p.node),
            Packet::Sync(p) => Some(p.node),
            Packet::WasmOutput { node, .. } | Packet::Classification { node } => Some(*node),
            Packet::MeshHealth(_) | Packet::Mesh { .. } | Packet::SimulationMarker { .. } => None,
        }
    }
}

/// The kinds of datagram that are accepted, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A channel measurement.
    Csi = 0,
    /// A channel measurement with one restored tone.
    RestoredCsi = 1,
    /// A channel measurement that came before: not used again.
    Duplicate = 2,
    /// Vitals.
    Vitals = 3,
    /// Vitals fused with a radar on the node.
    FusedVitals = 4,
    /// Feature vector.
    Feature = 5,
    /// State of features.
    FeatureState = 6,
    /// Clock synchronisation.
    Sync = 7,
    /// Mesh health.
    MeshHealth = 8,
    /// Another mesh message.
    Mesh = 9,
    /// Output of a module on the node.
    WasmOutput = 10,
    /// Temporal classification on the node.
    Classification = 11,
    /// The simulation marker.
    SimulationMarker = 12,
}

impl Kind {
    /// Every kind, by index.
    pub const ALL: [Kind; 13] = [
        Kind::Csi,
        Kind::RestoredCsi,
        Kind::Duplicate,
        Kind::Vitals,
        Kind::FusedVitals,
        Kind::Feature,
        Kind::FeatureState,
        Kind::Sync,
        Kind::MeshHealth,
        Kind::Mesh,
        Kind::WasmOutput,
        Kind::Classification,
        Kind::SimulationMarker,
    ];

    /// Dense, for tables of counters.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The stable name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Csi => "csi",
            Kind::RestoredCsi => "csi-restored",
            Kind::Duplicate => "duplicate",
            Kind::Vitals => "vitals",
            Kind::FusedVitals => "fused-vitals",
            Kind::Feature => "feature",
            Kind::FeatureState => "feature-state",
            Kind::Sync => "sync",
            Kind::MeshHealth => "mesh-health",
            Kind::Mesh => "mesh",
            Kind::WasmOutput => "wasm-output",
            Kind::Classification => "classification",
            Kind::SimulationMarker => "simulation-marker",
        }
    }
}

impl Canonical for Kind {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(*self as u8);
    }
}

/// Vitals as the node computed them: a hint with the node's provenance, never our measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vitals {
    /// The node.
    pub node: NodeId,
    /// It believes that somebody is there.
    pub presence: bool,
    /// It believes that somebody fell.
    pub fall: bool,
    /// It believes that something moves.
    pub motion: bool,
    /// Its breathing rate in hundredths of a breath a minute.
    pub breathing_centibpm: u16,
    /// Its heart rate in ten-thousandths of a beat a minute.
    pub heart_bpm_e4: u32,
    /// Its received signal strength in dBm, where it said one.
    pub rssi_dbm: Option<i8>,
    /// Its "number of people" (in the known firmware a slot count, always 4).
    pub persons: u8,
    /// Its motion energy.
    pub motion_energy: f32,
    /// Its presence score.
    pub presence_score: f32,
    /// Milliseconds since its boot.
    pub uptime_ms: u32,
    /// What a radar on the node adds.
    pub fused: Option<FusedVitals>,
}

/// What a radar on the node adds to its vitals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FusedVitals {
    /// The radar answers.
    pub radar_present: bool,
    /// Its type code.
    pub radar_type: u8,
    /// Confidence of the fusion, 0..=100.
    pub confidence_percent: u8,
    /// Its heart rate in beats a minute.
    pub heart_bpm: f32,
    /// Its breathing rate in breaths a minute.
    pub breathing_bpm: f32,
    /// Its distance to the nearest target in centimetres.
    pub distance_cm: f32,
    /// How many targets it sees.
    pub targets: u8,
}

/// Eight numbers between 0 and about 1 as the node computed them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feature {
    /// The node.
    pub node: NodeId,
    /// Its counter.
    pub sequence: u16,
    /// Microseconds since its boot.
    pub uptime_us: i64,
    /// Presence, motion, breathing, heart, phase variance, people, fall, signal; each scaled by the firmware.
    pub values: [f32; 8],
}

/// State of the node's own features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureState {
    /// The node.
    pub node: NodeId,
    /// Its profile, 0..=4.
    pub mode: u8,
    /// Its counter.
    pub sequence: u16,
    /// Microseconds since its boot.
    pub uptime_us: u64,
    /// Motion, presence, breathing rate, its confidence, heart rate, its confidence, anomaly, environment shift,
    /// coherence; as the node computed them.
    pub values: [f32; 9],
    /// Quality flags.
    pub quality_flags: u16,
    /// Received signal strength in dBm, where the firmware says it.
    pub rssi_dbm: Option<i8>,
}

/// A node's clock against the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sync {
    /// The node.
    pub node: NodeId,
    /// It leads the mesh.
    pub leader: bool,
    /// Its estimate of mesh time is valid.
    pub valid: bool,
    /// The estimate is smoothed.
    pub smoothed: bool,
    /// Its own clock in microseconds since boot.
    pub local_us: u64,
    /// Mesh time in microseconds at the same moment.
    pub epoch_us: u64,
    /// The highest channel-frame sequence number that it had given out.
    pub highest_sequence: u32,
}

/// Health as a mesh node reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeshHealth {
    /// The sender's eight-byte id.
    pub node_id: [u8; 8],
    /// Its own clock in microseconds since boot.
    pub local_us: u64,
    /// Its role.
    pub role: u8,
    /// Its channel (the known firmware always says 1).
    pub channel: u8,
    /// Its bandwidth code.
    pub bandwidth: u8,
    /// Its noise floor in dBm, where it says one.
    pub noise_dbm: Option<i8>,
    /// Packets a second.
    pub packet_yield: u16,
    /// Its synchronisation error in microseconds.
    pub sync_error_us: u16,
    /// Flags.
    pub flags: u16,
}
