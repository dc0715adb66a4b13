//! What the rows of a table are: cycles, people, or their joints. The first four columns are the same in each.

use super::table::{Column, Kind, Value};
use clap::ValueEnum;
use wavewitness_types::pose_frame::{KEYPOINT_NAMES, PresenceBasis};
use wavewitness_types::{Breathing, Count, FallWatch, Person, PoseFrame, Posture, Presence};
use wavewitness_witness::Witness;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// One a cycle: presence, count, motion, breathing, gate, quality, witness
    Cycles,
    /// One a person and cycle: place, uncertainty, velocity
    People,
    /// One a joint, person and cycle: place, uncertainty, and where it comes from
    Keypoints,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

const COMMON: [Column; 4] = [
    column("time", Kind::Time),
    column("chain", Kind::Text),
    column("cycle", Kind::Whole),
    column("source", Kind::Text),
];
const CYCLES: [Column; 21] = [
    column("presence", Kind::Text),
    column("presence_probability", Kind::Number),
    column("presence_basis", Kind::Text),
    column("presence_unknown_because", Kind::Text),
    column("people", Kind::Whole),
    column("people_unknown_because", Kind::Text),
    column("tracks", Kind::Whole),
    column("motion", Kind::Number),
    column("breathing_bpm", Kind::Number),
    column("breathing_sigma_bpm", Kind::Number),
    column("breathing_unknown_because", Kind::Text),
    column("fall_time", Kind::Time),
    column("fall_probability", Kind::Number),
    column("fall_unknown_because", Kind::Text),
    column("gate", Kind::Text),
    column("quality", Kind::Number),
    column("frames", Kind::Whole),
    column("rejected", Kind::Whole),
    column("links_heard", Kind::Whole),
    column("links_known", Kind::Whole),
    column("witness", Kind::Text),
];
const PEOPLE: [Column; 17] = [
    column("person", Kind::Whole),
    column("state", Kind::Text),
    column("existence", Kind::Number),
    column("x_m", Kind::Number),
    column("y_m", Kind::Number),
    column("z_m", Kind::Number),
    column("sigma_x_m", Kind::Number),
    column("sigma_y_m", Kind::Number),
    column("sigma_z_m", Kind::Number),
    column("velocity_x_m_s", Kind::Number),
    column("velocity_y_m_s", Kind::Number),
    column("velocity_z_m_s", Kind::Number),
    column("posture", Kind::Text),
    column("posture_probability", Kind::Number),
    column("posture_unknown_because", Kind::Text),
    column("heading_rad", Kind::Number),
    column("heading_sigma_rad", Kind::Number),
];
const KEYPOINTS: [Column; 9] = [
    column("person", Kind::Whole),
    column("keypoint", Kind::Text),
    column("basis", Kind::Text),
    column("x_m", Kind::Number),
    column("y_m", Kind::Number),
    column("z_m", Kind::Number),
    column("sigma_x_m", Kind::Number),
    column("sigma_y_m", Kind::Number),
    column("sigma_z_m", Kind::Number),
];

impl Rows {
    /// The columns.
    pub fn columns(self) -> Vec<Column> {
        let own: &[Column] = match self {
            Rows::Cycles => &CYCLES,
            Rows::People => &PEOPLE,
            Rows::Keypoints => &KEYPOINTS,
        };
        [&COMMON, own].concat()
    }

    /// The rows of a cycle.
    pub fn of(self, chain: &str, frame: &PoseFrame, witness: &Witness) -> Vec<Vec<Value>> {
        let with = |own: Vec<Value>| {
            let mut row = vec![
                Value::Time(frame.at),
                chain.to_owned().into(),
                frame.cycle.0.into(),
                frame.source.name().into(),
            ];
            row.extend(own);
            row
        };
        match self {
            Rows::Cycles => vec![with(cycle(frame, witness))],
            Rows::People => frame.people.iter().map(|p| with(person(p))).collect(),
            Rows::Keypoints => frame.people.iter().flat_map(|p| keypoints(p).into_iter().map(with)).collect(),
        }
    }
}

fn cycle(frame: &PoseFrame, witness: &Witness) -> Vec<Value> {
    let presence: [Value; 4] = match frame.presence {
        Presence::Unknown(why) => ["unknown".into(), Value::Absent, Value::Absent, why.name().into()],
        Presence::Known { present, probability, basis } => {
            let basis = match basis {
                PresenceBasis::Motion => "motion",
                PresenceBasis::EmptyRoom => "empty-room",
            };
            let state = if present { "present" } else { "absent" };
            [state.into(), probability.into(), basis.into(), Value::Absent]
        }
    };
    let count: [Value; 2] = match frame.count {
        Count::Unknown(why) => [Value::Absent, why.name().into()],
        Count::Known(_) => [frame.count.most_probable().map(u64::from).into(), Value::Absent],
    };
    let breathing: [Value; 3] = match &frame.breathing {
        Breathing::Unknown(why) => [Value::Absent, Value::Absent, why.name().into()],
        Breathing::Rate(rate) => [rate.bpm.into(), rate.sigma_bpm.into(), Value::Absent],
    };
    let fall: [Value; 3] = match frame.fall {
        FallWatch::Unknown(why) => [Value::Absent, Value::Absent, why.name().into()],
        FallWatch::Watching(None) => [Value::Absent, Value::Absent, Value::Absent],
        FallWatch::Watching(Some(fall)) => [Value::Time(fall.at), fall.probability.into(), Value::Absent],
    };
    let quality = &frame.quality;
    let rest: [Value; 7] = [
        frame.gate.name().into(),
        quality.score.into(),
        u64::from(quality.frames).into(),
        u64::from(quality.rejected).into(),
        u64::from(quality.links_heard).into(),
        u64::from(quality.links_known).into(),
        witness.chain.to_string().into(),
    ];
    let mut row = Vec::with_capacity(CYCLES.len());
    row.extend(presence);
    row.extend(count);
    row.extend([(frame.people.len() as u64).into(), frame.motion.into()]);
    row.extend(breathing);
    row.extend(fall);
    row.extend(rest);
    row
}

fn person(person: &Person) -> Vec<Value> {
    let mut row = vec![u64::from(person.id.0).into(), person.state.name().into(), person.existence.into()];
    for vector in [person.position_m, person.sigma_m, person.velocity_m_s] {
        row.extend(vector.map(Value::from));
    }
    row.extend(match person.posture {
        Posture::Unknown(why) => [Value::Absent, Value::Absent, why.name().into()],
        Posture::Known { class, probability } => {
            [class.name().into(), probability[class as usize].into(), Value::Absent]
        }
    });
    row.extend([person.heading.map(|h| h.rad).into(), person.heading.map(|h| h.sigma_rad).into()]);
    row
}

fn keypoints(person: &Person) -> Vec<Vec<Value>> {
    let row = |(point, name): (&wavewitness_types::Keypoint, &'static str)| {
        let mut row = vec![u64::from(person.id.0).into(), name.into(), point.basis.name().into()];
        row.extend(point.position_m.map(Value::from));
        row.extend(point.sigma_m.map(Value::from));
        row
    };
    person.keypoints.iter().zip(KEYPOINT_NAMES).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use wavewitness_types::{
        Basis, CycleIndex, Gate, Heading, Keypoint, NoBreathing, NoPosture, Quality, Source, Timestamp,
        TrackId, TrackState, UnknownReason,
    };
    use wavewitness_witness::{Digest, EntryKind, Stage};

    fn frame() -> PoseFrame {
        let point = |k: u16| Keypoint {
            position_m: [f32::from(k) / 3.0, 0.1, 1e-7],
            sigma_m: [0.25, f32::MAX, 0.1],
            basis: Basis::Prior,
        };
        let mut keypoints = [point(0); 17];
        (0..17).for_each(|k| keypoints[usize::from(k)] = point(k));
        let person = Person {
            id: TrackId(7),
            state: TrackState::Coasting,
            existence: 0.75,
            position_m: [1.0 / 3.0, -2.5, 1.1],
            sigma_m: [0.4, 0.5, 0.6],
            velocity_m_s: [0.0, -0.0, 1.5],
            keypoints,
            posture: Posture::Unknown(NoPosture::Undecided),
            heading: Some(Heading { rad: -0.5, sigma_rad: 0.1 }),
        };
        PoseFrame {
            cycle: CycleIndex(42),
            at: Timestamp(1_775_182_186_250_000_000),
            source: Source::Simulated,
            presence: Presence::Known { present: true, probability: 0.9, basis: PresenceBasis::EmptyRoom },
            motion: None,
            count: Count::Unknown(UnknownReason::TooFewLinks),
            people: vec![person],
            gate: Gate::Accept,
            quality: Quality {
                score: 0.5,
                frames: 12,
                rejected: 1,
                unassigned: 0,
                links_heard: 11,
                links_known: 12,
            },
            nodes: Vec::new(),
            links: Vec::new(),
            breathing: Breathing::Unknown(NoBreathing::TooShort),
            fall: FallWatch::Watching(None),
        }
    }

    /// A row as it stands in CSV, by column.
    fn of(rows: Rows) -> Vec<BTreeMap<&'static str, String>> {
        let witness = Witness {
            kind: EntryKind::Cycle,
            cycle: CycleIndex(42),
            at: Timestamp(0),
            source: Source::Simulated,
            inputs: Digest::ZERO,
            stages: [Digest::ZERO; Stage::COUNT],
            output: Digest::ZERO,
            chain: Digest([0xab; 32]),
        };
        let names = rows.columns();
        let named = |row: Vec<Value>| {
            assert_eq!(row.len(), names.len());
            names.iter().map(|c| c.name).zip(row.iter().map(Value::to_string)).collect()
        };
        rows.of("0123", &frame(), &witness).into_iter().map(named).collect()
    }

    #[test]
    fn what_is_not_known_is_empty_and_says_why() {
        let row = &of(Rows::Cycles)[0];
        assert_eq!((row["people"].as_str(), row["people_unknown_because"].as_str()), ("", "too-few-links"));
        assert_eq!(
            (row["breathing_bpm"].as_str(), row["breathing_unknown_because"].as_str()),
            ("", "too-short")
        );
        assert_eq!((row["motion"].as_str(), row["presence"].as_str()), ("", "present"));
        assert_eq!(
            (row["presence_basis"].as_str(), row["presence_unknown_because"].as_str()),
            ("empty-room", "")
        );
        assert_eq!((row["time"].as_str(), row["cycle"].as_str()), ("2026-04-03T02:09:46.250Z", "42"));
        assert_eq!(
            (row["source"].as_str(), row["witness"].as_str()),
            ("simulated", "ab".repeat(32).as_str())
        );
    }

    #[test]
    fn numbers_read_back_as_the_same_bits() {
        let frame = frame();
        let bits = |text: &str| text.parse::<f32>().unwrap().to_bits();
        let row = &of(Rows::People)[0];
        assert_eq!(row["person"], "7");
        assert_eq!((row["posture"].as_str(), row["posture_unknown_because"].as_str()), ("", "undecided"));
        assert_eq!((row["heading_rad"].as_str(), row["heading_sigma_rad"].as_str()), ("-0.5", "0.1"));
        for (axis, k) in [("x", 0), ("y", 1), ("z", 2)] {
            let person = &frame.people[0];
            assert_eq!(bits(&row[format!("{axis}_m").as_str()]), person.position_m[k].to_bits());
            assert_eq!(bits(&row[format!("sigma_{axis}_m").as_str()]), person.sigma_m[k].to_bits());
            assert_eq!(bits(&row[format!("velocity_{axis}_m_s").as_str()]), person.velocity_m_s[k].to_bits());
        }
        let joints = of(Rows::Keypoints);
        assert_eq!(joints.len(), 17);
        for (row, point) in joints.iter().zip(&frame.people[0].keypoints) {
            assert_eq!(row["basis"], "prior");
            assert_eq!(bits(&row["x_m"]), point.position_m[0].to_bits());
            assert_eq!(bits(&row["z_m"]), point.position_m[2].to_bits());
            assert_eq!(bits(&row["sigma_y_m"]), point.sigma_m[1].to_bits());
        }
        assert_eq!(
            (joints[0]["keypoint"].as_str(), joints[16]["keypoint"].as_str()),
            ("nose", "right_ankle")
        );
    }

    #[test]
    fn no_two_columns_of_a_table_have_one_name() {
        for rows in Rows::value_variants() {
            let mut names: Vec<_> = rows.columns().iter().map(|c| c.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
