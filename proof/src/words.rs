//! A published cycle in words and as JSON, for people who check a proof.

use serde_json::{Value, json};
use wavewitness_types::{Breathing, Count, FallWatch, Person, PoseFrame, Posture, Presence, PresenceBasis};

fn basis(basis: PresenceBasis) -> &'static str {
    match basis {
        PresenceBasis::Motion => "motion",
        PresenceBasis::EmptyRoom => "empty-room baseline",
    }
}

/// Presence, count, breathing, falls and people, a line each.
pub fn frame(frame: &PoseFrame) -> Vec<String> {
    let presence = match frame.presence {
        Presence::Unknown(reason) => format!("unknown ({})", reason.name()),
        Presence::Known { present, probability, basis: by } => {
            let state = if present { "present" } else { "absent" };
            format!("{state}, probability {probability:.3}, by {}", basis(by))
        }
    };
    let count = match &frame.count {
        Count::Unknown(reason) => format!("unknown ({})", reason.name()),
        Count::Known(p) => {
            let best = frame.count.most_probable().unwrap_or(0);
            format!("{best}, probability {:.3}", p[usize::from(best)])
        }
    };
    let breathing = match frame.breathing {
        Breathing::Unknown(reason) => format!("unknown ({})", reason.name()),
        Breathing::Rate(rate) => format!("{:.1} ± {:.1} a minute (1 sigma)", rate.bpm, rate.sigma_bpm),
    };
    let fall = match frame.fall {
        FallWatch::Unknown(reason) => format!("unknown ({})", reason.name()),
        FallWatch::Watching(None) => "none in the last minute".to_owned(),
        FallWatch::Watching(Some(fall)) => {
            let since_s = frame.at.seconds_since(fall.at);
            format!("{since_s:.1} s ago, probability {:.3}", fall.probability)
        }
    };
    let mut out = vec![
        format!("presence  {presence}"),
        format!("count     {count}"),
        format!("breathing {breathing}"),
        format!("fall      {fall}"),
    ];
    if frame.people.is_empty() {
        out.push("people    none is published".to_owned());
    }
    out.extend(frame.people.iter().map(person));
    out
}

fn person(person: &Person) -> String {
    let [x, y, z] = person.position_m;
    let [sx, sy, sz] = person.sigma_m;
    let posture = match person.posture {
        Posture::Unknown(_) => String::new(),
        Posture::Known { class, probability } => {
            format!(", {} (probability {:.2})", class.name(), probability[class as usize])
        }
    };
    format!(
        "person {:<3}{}, existence {:.3}: x {x:.2} ± {sx:.2} m, y {y:.2} ± {sy:.2} m, z {z:.2} ± {sz:.2} m (1 sigma){posture}",
        person.id.0,
        person.state.name(),
        person.existence
    )
}

/// Presence, count, breathing, falls and people as JSON; `null` is what was not measured.
pub fn frame_json(frame: &PoseFrame) -> Value {
    let presence = match frame.presence {
        Presence::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        Presence::Known { present, probability, basis: by } => json!({
            "state": if present { "present" } else { "absent" },
            "probability": probability,
            "basis": basis(by),
        }),
    };
    let count = match &frame.count {
        Count::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        Count::Known(p) => {
            json!({ "state": "known", "most_probable": frame.count.most_probable(), "probability": p })
        }
    };
    let people: Vec<Value> = frame
        .people
        .iter()
        .map(|p| {
            json!({
                "id": p.id.0, "state": p.state.name(), "existence": p.existence,
                "position_m": p.position_m, "sigma_m": p.sigma_m,
                "posture": match p.posture {
                    Posture::Unknown(_) => None,
                    Posture::Known { class, .. } => Some(class.name()),
                },
            })
        })
        .collect();
    let breathing = match frame.breathing {
        Breathing::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        Breathing::Rate(rate) => {
            json!({ "state": "known", "bpm": rate.bpm, "sigma_bpm": rate.sigma_bpm, "links": rate.links })
        }
    };
    let fall = match frame.fall {
        FallWatch::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        FallWatch::Watching(fall) => json!({
            "state": "watching",
            "at_ns": fall.map(|f| f.at.0.to_string()),
            "probability": fall.map(|f| f.probability),
            "person": fall.and_then(|f| f.person).map(|id| id.0),
        }),
    };
    json!({
        "presence": presence, "count": count, "people": people, "breathing": breathing, "fall": fall,
        "gate": frame.gate.name(),
    })
}
