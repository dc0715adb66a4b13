//! What crosses a stage border: units, ids, links, tone grids, frames, estimates, canonical bytes.
//!
//! Every type here is a plain value. Constructors check; what exists is valid. Fixed-width integers only, so that
//! the canonical bytes ([`canonical`]) of a value are the same on every machine.
//!
//! What this crate does not do: no parsing of wire formats (`ingest`), no signal processing, no I/O, no serde. The
//! shell renders these types as JSON; nothing below it knows how.

pub mod canonical;
pub mod config;
pub mod estimate;
pub mod event;
pub mod frame;
pub mod ids;
pub mod limits;
pub mod link;
pub mod people;
pub mod pose_frame;
pub mod privacy;
pub mod stage_config;
pub mod status;
pub mod tones;
pub mod units;
pub mod voxel;

pub use canonical::{Canonical, Sink};
pub use config::{AccessPointPlace, ConfigError, Geometry, NodePlace, Room};
pub use estimate::{Baseline, CirEstimate, GateDecision, Quiet, Tap};
pub use event::{BootRecord, Command, Event, Sender, Source};
pub use frame::{AlignedFrame, CalibratedFrame, CsiFrame, FusedFrame, LinkObservation, RadioMeta, Samples};
pub use ids::{CycleIndex, LinkId, Mac, NodeId, TrackId};
pub use link::{CyclePlan, Identification, Layout, Link, Transmitter};
pub use people::{Detection, Followed, PersonTrack, TrackState};
pub use pose_frame::{
    Basis, Breathing, BreathingRate, Count, Fall, FallWatch, Heading, Keypoint, KeypointName, NoBreathing,
    NoPosture, Person, PoseFrame, Posture, PostureClass, Presence, PresenceBasis, Quality, UnknownReason,
};
pub use privacy::PrivacyMode;
pub use status::{CalibrationState, Gate, LinkStatus, NodeHealth, RefusalReason};
pub use tones::ToneGrid;
pub use units::{Decibels, Hertz, Metres, Radians, Seconds, Timestamp};
pub use voxel::{VoxelGrid, VoxelImage};
