//! A published cycle in words and as JSON, for people who check a proof.

use serde_json::{Value, json};
use wavewitness_types::{Breathing, Count, Person, PoseFrame, Presence, PresenceBasis};

fn basis(basis: PresenceBasis) -> &'static str {
    match basis {
        PresenceBasis::Motion => "motion",
        PresenceBasis::EmptyRoom => "empty-room baseline",
    }
}

/// Presence, count, breathing and people, a line each.
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
    let mut out =
        vec![format!("presence  {presence}"), format!("count     {count}"), format!("breathing {breathing}")];
    if frame.people.is_empty() {
        out.push("people    none is published".to_owned());
    }
    out.extend(frame.people.iter().map(person));
    out
}

fn person(person: &Person) -> String {
    let [x, y, z] = person.position_m;
    let [sx, sy, sz] = person.sigma_m;
    format!(
        "person {:<3}{}, existence {:.3}: x {x:.2} ± {sx:.2} m, y {y:.2} ± {sy:.2} m, z {z:.2} ± {sz:.2} m (1 sigma)",
        person.id.0,
        person.state.name(),
        person.existence
    )
}

/// Presence, count, breathing and people as JSON; `null` is what was not measured.
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
            })
        })
        .collect();
    let breathing = match frame.breathing {
        Breathing::Unknown(reason) => json!({ "state": "unknown", "reason": reason.name() }),
        Breathing::Rate(rate) => {
            json!({ "state": "known", "bpm": rate.bpm, "sigma_bpm": rate.sigma_bpm, "links": rate.links })
        }
    };
    json!({
        "presence": presence, "count": count, "people": people, "breathing": breathing, "gate": frame.gate.name(),
    })
}
