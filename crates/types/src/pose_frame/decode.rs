//! Reading a published cycle back from its canonical bytes (journal, proofs, browsers).

use super::*;
use crate::canonical::Reader;
use crate::ids::{LinkId, NodeId};
use crate::limits::{MAX_LINKS, MAX_NODES};
use crate::link::{Identification, Link};
use crate::status::{CalibrationState, RefusalReason};

impl PoseFrame {
    /// Reads canonical bytes; `None` if they are not exactly one frame.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Option<PoseFrame> {
        let mut r = Reader::new(bytes);
        let mut frame = PoseFrame {
            cycle: CycleIndex(r.u64()?),
            at: Timestamp(r.u64()?),
            source: Source::from_code(r.u8()?)?,
            presence: presence(&mut r)?,
            motion: r.option(Reader::f32)?,
            count: count(&mut r)?,
            people: list(&mut r, MAX_PEOPLE, person)?,
            gate: gate(&mut r)?,
            quality: quality(&mut r)?,
            nodes: list(&mut r, MAX_NODES, node)?,
            links: list(&mut r, MAX_LINKS, link_status)?,
            // Frames of numerics version 3 and before end here.
            breathing: if r.remaining() == 0 {
                Breathing::Unknown(NoBreathing::NoData)
            } else {
                breathing(&mut r)?
            },
            fall: FallWatch::Unknown(UnknownReason::NoData),
        };
        // Those of numerics version 4 and before end here.
        if r.remaining() > 0 {
            for person in &mut frame.people {
                person.posture = posture(&mut r)?;
                person.heading = r.option(heading)?;
            }
            frame.fall = fall_watch(&mut r)?;
        }
        r.finished()?;
        Some(frame)
    }
}

fn list<T>(r: &mut Reader<'_>, limit: usize, read: fn(&mut Reader<'_>) -> Option<T>) -> Option<Vec<T>> {
    let n = r.count(limit)?;
    (0..n).map(|_| read(r)).collect()
}

fn floats<const N: usize>(r: &mut Reader<'_>) -> Option<[f32; N]> {
    let mut out = [0.0; N];
    for v in &mut out {
        *v = r.f32()?;
    }
    Some(out)
}

fn presence(r: &mut Reader<'_>) -> Option<Presence> {
    Some(match r.u8()? {
        0 => Presence::Unknown(UnknownReason::from_code(r.u8()?)?),
        1 => Presence::Known {
            present: r.bool()?,
            probability: r.f32()?,
            basis: match r.u8()? {
                0 => PresenceBasis::Motion,
                1 => PresenceBasis::EmptyRoom,
                _ => return None,
            },
        },
        _ => return None,
    })
}

fn count(r: &mut Reader<'_>) -> Option<Count> {
    Some(match r.u8()? {
        0 => Count::Unknown(UnknownReason::from_code(r.u8()?)?),
        1 => Count::Known(floats(r)?),
        _ => return None,
    })
}

fn breathing(r: &mut Reader<'_>) -> Option<Breathing> {
    Some(match r.u8()? {
        0 => Breathing::Unknown(NoBreathing::from_code(r.u8()?)?),
        1 => Breathing::Rate(BreathingRate {
            bpm: r.f32()?,
            sigma_bpm: r.f32()?,
            false_alarm: r.f32()?,
            links: r.u16()?,
            span_s: r.f32()?,
        }),
        _ => return None,
    })
}

fn gate(r: &mut Reader<'_>) -> Option<Gate> {
    let code = r.u8()?;
    [Gate::Accept, Gate::PredictOnly, Gate::Reject, Gate::Recalibrate].into_iter().find(|g| *g as u8 == code)
}

fn quality(r: &mut Reader<'_>) -> Option<Quality> {
    Some(Quality {
        score: r.f32()?,
        frames: r.u32()?,
        rejected: r.u32()?,
        unassigned: r.u32()?,
        links_heard: r.u16()?,
        links_known: r.u16()?,
    })
}

fn keypoint(r: &mut Reader<'_>) -> Option<Keypoint> {
    Some(Keypoint {
        position_m: floats(r)?,
        sigma_m: floats(r)?,
        basis: match r.u8()? {
            0 => Basis::Measured,
            1 => Basis::Inferred,
            2 => Basis::Prior,
            _ => return None,
        },
    })
}

fn person(r: &mut Reader<'_>) -> Option<Person> {
    Some(Person {
        id: TrackId(r.u32()?),
        state: match r.u8()? {
            0 => TrackState::Tentative,
            1 => TrackState::Confirmed,
            2 => TrackState::Coasting,
            _ => return None,
        },
        existence: r.f32()?,
        position_m: floats(r)?,
        sigma_m: floats(r)?,
        velocity_m_s: floats(r)?,
        keypoints: {
            let mut points = [Keypoint { position_m: [0.0; 3], sigma_m: [0.0; 3], basis: Basis::Prior }; 17];
            for point in &mut points {
                *point = keypoint(r)?;
            }
            points
        },
        posture: Posture::Unknown(NoPosture::NoData),
        heading: None,
    })
}

fn posture(r: &mut Reader<'_>) -> Option<Posture> {
    Some(match r.u8()? {
        0 => Posture::Unknown(NoPosture::from_code(r.u8()?)?),
        1 => Posture::Known { class: *PostureClass::ALL.get(usize::from(r.u8()?))?, probability: floats(r)? },
        _ => return None,
    })
}

fn heading(r: &mut Reader<'_>) -> Option<Heading> {
    Some(Heading { rad: r.f32()?, sigma_rad: r.f32()? })
}

fn fall(r: &mut Reader<'_>) -> Option<Fall> {
    Some(Fall { at: Timestamp(r.u64()?), probability: r.f32()?, person: r.option(|r| r.u32().map(TrackId))? })
}

fn fall_watch(r: &mut Reader<'_>) -> Option<FallWatch> {
    Some(match r.u8()? {
        0 => FallWatch::Unknown(UnknownReason::from_code(r.u8()?)?),
        1 => FallWatch::Watching(r.option(fall)?),
        _ => return None,
    })
}

fn node(r: &mut Reader<'_>) -> Option<NodeHealth> {
    Some(NodeHealth {
        node: NodeId(r.u8()?),
        last: Timestamp(r.u64()?),
        rate_hz: r.f32()?,
        frames: r.u64()?,
        rejected: r.u64()?,
        reordered: r.u64()?,
        duplicates: r.u64()?,
        reboots: r.u32()?,
        id_conflict: r.bool()?,
        silent: r.bool()?,
        hint_presence: r.option(Reader::bool)?,
        rssi_dbm: r.option(Reader::f32)?,
    })
}

fn calibration(r: &mut Reader<'_>) -> Option<CalibrationState> {
    Some(match r.u8()? {
        0 => CalibrationState::None,
        1 => CalibrationState::Collecting { have: r.u32()?, need: r.u32()? },
        2 => CalibrationState::Ready { empty_room: r.bool()? },
        3 => CalibrationState::Stale,
        4 => CalibrationState::Refused(match r.u8()? {
            0 => RefusalReason::Motion,
            1 => RefusalReason::TooFewFrames,
            2 => RefusalReason::Incoherent,
            _ => return None,
        }),
        _ => return None,
    })
}

fn link_status(r: &mut Reader<'_>) -> Option<LinkStatus> {
    Some(LinkStatus {
        id: LinkId(r.u16()?),
        link: Link::read(r)?,
        identification: match r.u8()? {
            0 => Identification::Mac,
            1 => Identification::Slot,
            2 => Identification::BeaconPhase,
            3 => Identification::Shape,
            _ => return None,
        },
        within_distance: r.option(Reader::f32)?,
        between_distance: r.option(Reader::f32)?,
        frames: r.u64()?,
        cycle_frames: r.u16()?,
        gate: gate(r)?,
        coherence: r.option(Reader::f32)?,
        attention: r.f32()?,
        motion: r.option(Reader::f32)?,
        dominant_ratio: r.option(Reader::f32)?,
        delay_spread_ns: r.option(Reader::f32)?,
        calibration: calibration(r)?,
    })
}
