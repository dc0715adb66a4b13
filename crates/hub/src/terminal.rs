//! What a person sees: a table of a hub's status, and one line a cycle.

use serde_json::Value;
use std::fmt::Write;
use wavewitness_types::{Breathing, CalibrationState, Count, FallWatch, PoseFrame, Presence, PresenceBasis};

/// One line for a cycle.
pub fn line(frame: &PoseFrame) -> String {
    let mut out = format!("{:>9}  cycle {:>6}  ", frame.source.name().to_uppercase(), frame.cycle.0);
    match frame.presence {
        Presence::Unknown(reason) => {
            let _ = write!(out, "presence unknown ({})", reason.name());
        }
        Presence::Known { present, probability, basis } => {
            let word = match (present, basis) {
                (true, PresenceBasis::EmptyRoom) => "present",
                (false, PresenceBasis::EmptyRoom) => "empty",
                (true, PresenceBasis::Motion) => "motion",
                (false, PresenceBasis::Motion) => "no motion",
            };
            let _ = write!(out, "{word} (p {probability:.2})");
        }
    }
    let (mut have, mut need) = (0u64, 0u64);
    for link in &frame.links {
        if let CalibrationState::Collecting { have: h, need: n } = link.calibration {
            (have, need) = (have + u64::from(h), need + u64::from(n));
        }
    }
    if let Some(percent) = (100 * have).checked_div(need) {
        let _ = write!(out, "  calibrating {percent} %");
    }
    match (&frame.count, frame.count.most_probable()) {
        (Count::Known(p), Some(n)) => {
            let _ = write!(out, "  people {n} (p {:.2})", p[usize::from(n)]);
        }
        (Count::Unknown(reason), _) => {
            let _ = write!(out, "  people unknown ({})", reason.name());
        }
        (Count::Known(_), None) => {}
    }
    if let Breathing::Rate(rate) = frame.breathing {
        let _ = write!(out, "  breath {:.1} ± {:.1}/min", rate.bpm, rate.sigma_bpm);
    }
    if let FallWatch::Watching(Some(fall)) = frame.fall {
        let _ =
            write!(out, "  fall {:.0} s ago (p {:.2})", frame.at.seconds_since(fall.at), fall.probability);
    }
    for person in &frame.people {
        let [x, y, _] = person.position_m;
        let [a, b, _] = person.sigma_m;
        let sigma = if a > b { a } else { b };
        let _ = write!(out, "  #{} {} at ({x:.1}, {y:.1}) ± {sigma:.1} m", person.id.0, person.state.name());
    }
    out
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(s) => s.clone(),
        Value::Number(n) => match n.as_f64() {
            Some(x) if !n.is_u64() && !n.is_i64() => format!("{x:.2}"),
            _ => n.to_string(),
        },
        other => other.to_string(),
    }
}

fn calibration(value: &Value) -> String {
    match value["state"].as_str() {
        Some("collecting") => format!("collecting {} of {}", value["have"], value["need"]),
        Some("ready") if value["empty_room"] == true => "ready (empty room)".to_owned(),
        Some("ready") => "ready (quiet)".to_owned(),
        Some("refused") => format!("refused: {}", text(&value["reason"])),
        _ => text(&value["state"]),
    }
}

/// A table of links (`links` of `/api/v1/status`).
pub fn links(list: &Value) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "  link   from -> to   layout   by   frames   within/between   gate   calibration");
    for link in list.as_array().into_iter().flatten() {
        let _ = writeln!(
            out,
            "  {:>4}   {} -> {}   {}   {}   {}   {}/{}   {}   {}",
            text(&link["id"]),
            text(&link["tx"]),
            text(&link["rx"]),
            text(&link["layout"]),
            text(&link["identified_by"]),
            text(&link["frames"]),
            text(&link["within_distance"]),
            text(&link["between_distance"]),
            text(&link["gate"]),
            calibration(&link["calibration"]),
        );
    }
    out
}

/// A table of what a hub says of itself (`/api/v1/status`).
pub fn status(status: &Value) -> String {
    let mut out = String::new();
    let age = status["cycle_age_ms"].as_u64().map_or("-".to_owned(), |ms| format!("{ms} ms ago"));
    let _ =
        writeln!(out, "{}   source {}", text(&status["software"]), text(&status["source"]).to_uppercase());
    let _ = writeln!(out, "  UDP {}   HTTP {}", text(&status["udp"]), text(&status["http"]));
    let _ = writeln!(
        out,
        "  cycle {} ({age})   missed {}   compute p50/p99/max {}/{}/{} us",
        text(&status["cycle"]),
        text(&status["missed_cycles"]),
        text(&status["compute_us"]["p50"]),
        text(&status["compute_us"]["p99"]),
        text(&status["compute_us"]["max"]),
    );
    let _ = writeln!(out, "  chain {}   head {}", short(&status["genesis"]), short(&status["head"]));
    let log = &status["log"];
    let _ = match log.is_null() {
        true => writeln!(out, "  log none: no key is configured (docs/log.md)"),
        false => writeln!(
            out,
            "  log {}   {} entries signed, last at {}   epoch {}",
            text(&log["origin"]),
            text(&log["size"]),
            text(&log["signed"]),
            text(&log["epoch"])
        ),
    };
    let _ = writeln!(out, "  node   last seen   frames/s   frames   rejected   reboots   RSSI dBm");
    for node in status["nodes"].as_array().into_iter().flatten() {
        let seen = node["age_ms"].as_f64().map_or("-".to_owned(), |ms| format!("{:.1} s ago", ms / 1e3));
        let _ = writeln!(
            out,
            "  {:>4}   {seen:>9}   {:>8}   {:>6}   {:>8}   {:>7}   {:>8}{}{}",
            text(&node["node"]),
            text(&node["rate_hz"]),
            text(&node["frames"]),
            text(&node["rejected"]),
            text(&node["reboots"]),
            text(&node["rssi_dbm"]),
            if node["silent"] == true { "   SILENT" } else { "" },
            if node["id_conflict"] == true { "   ID CONFLICT" } else { "" },
        );
    }
    out.push_str(&links(&status["links"]));
    for (reason, n) in status["rejected"].as_object().into_iter().flatten() {
        let _ = writeln!(out, "  rejected: {n} × {reason}");
    }
    for line in status["not_ready"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "  not ready: {}", text(line));
    }
    for line in status["advice"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "  advice: {}", text(line));
    }
    out
}

fn short(digest: &Value) -> String {
    digest.as_str().and_then(|d| d.get(..16)).unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_without_anything_measured_invents_nothing() {
        let table = status(&json!({ "software": "wavewitness 0", "source": "live", "advice": ["do this"] }));
        assert!(table.contains("source LIVE"));
        assert!(table.contains("UDP -") && table.contains("log none"));
        assert!(table.contains("advice: do this"));
    }
}
