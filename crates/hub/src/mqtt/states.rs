//! The payloads of states: JSON, `null` where something is not known. Home Assistant shows `null` as unknown.

use super::{PERSON_SLOTS, View};
use crate::message::{Breathing, Count, Cycle, FallWatch, Link, Person, Presence};
use crate::zones::MOVING_M_S;
use serde_json::{Value, json};
use wavewitness_num::math;

fn on_off(value: Option<bool>) -> Option<&'static str> {
    value.map(|on| if on { "ON" } else { "OFF" })
}

/// `name` as part of a topic: as [`crate::zones::ZoneConfig::slug`].
pub fn slug(name: &str) -> String {
    name.to_lowercase().replace([' ', '-'], "_")
}

/// The room.
pub fn room(view: &View, occupied: Option<bool>) -> Value {
    let cycle = &*view.cycle;
    let mut out = json!({
        "occupancy": on_off(occupied),
        "source": cycle.source.to_uppercase(),
        "gate": cycle.gate,
        "missed_cycles": view.missed,
        "privacy": view.privacy,
    });
    match &cycle.presence {
        Presence::Unknown { reason } => out["unknown"] = json!(reason),
        Presence::Present { probability, .. } | Presence::Absent { probability, .. } => {
            out["probability"] = json!(probability);
        }
    }
    if cycle.motion.is_some() {
        out["motion"] = json!(on_off(moving(cycle)));
    }
    if let Some(count) = &cycle.count {
        out["count"] = match count {
            Count::Unknown { .. } => Value::Null,
            Count::Known { most_probable, .. } => json!(most_probable),
        };
    }
    if let Some(breathing) = &cycle.breathing {
        out["breathing"] = match breathing {
            Breathing::Unknown { .. } => Value::Null,
            Breathing::Known { bpm, .. } => json!((f64::from(*bpm) * 10.0).round() / 10.0),
        };
    }
    if let Some(fall) = &cycle.fall {
        out["fall_watch"] = json!(on_off(Some(!matches!(fall, FallWatch::Unknown { .. }))));
    }
    if let Some(links) = &cycle.links {
        out["calibration"] = json!(calibration(links));
    }
    out
}

/// Whether anybody moves, as far as presence or the people say. With basis `empty-room`, presence is not about motion, and
/// somebody who is not located is not known to keep still.
fn moving(cycle: &Cycle) -> Option<bool> {
    let people = cycle.people.as_deref().unwrap_or_default();
    let speed = |p: &Person| p.velocity_m_s.map(|[x, y, _]| math::hypot(x.into(), y.into()));
    let moves = |p: &Person| p.state == "confirmed" && speed(p).is_some_and(|v| v >= MOVING_M_S);
    let somebody =
        people.iter().any(moves) || cycle.zones.iter().flatten().any(|z| z.motion == Some(Some(true)));
    let counted = match cycle.count {
        Some(Count::Known { most_probable, .. }) => Some(usize::from(most_probable)),
        Some(Count::Unknown { .. }) | None => None,
    };
    match &cycle.presence {
        Presence::Present { basis: "motion", .. } => Some(true),
        Presence::Absent { .. } => Some(false),
        _ if somebody => Some(true),
        Presence::Present { .. }
            if counted == Some(people.len()) && people.iter().all(|p| speed(p).is_some()) =>
        {
            Some(false)
        }
        _ => None,
    }
}

/// One word for all baselines: `ready` if each was taken in an empty room.
fn calibration(links: &[Link]) -> &'static str {
    let of = |state| links.iter().filter(|l| l.calibration.state == state).count();
    let empty_room = links.iter().filter(|l| l.calibration.empty_room == Some(true)).count();
    match links.len() {
        0 => "none",
        n if empty_room == n => "ready",
        _ if of("collecting") > 0 => "collecting",
        n if of("none") == n => "none",
        _ => "partial",
    }
}

/// Zones by their slug.
pub fn zones(cycle: &Cycle) -> impl Iterator<Item = (String, Value)> {
    cycle.zones.iter().flatten().map(|zone| {
        let occupied = match zone.state {
            "occupied" => Some(true),
            "vacant" => Some(false),
            _ => None,
        };
        let mut payload = json!({ "occupancy": on_off(occupied), "motion": on_off(zone.motion.flatten()) });
        if let Some(probability) = zone.probability {
            payload["probability"] = json!(probability);
        }
        if let Some(reason) = zone.reason {
            payload["unknown"] = json!(reason);
        }
        (slug(&zone.name), payload)
    })
}

/// Nodes by their number.
pub fn nodes(cycle: &Cycle) -> impl Iterator<Item = (u8, Value)> {
    cycle.nodes.iter().flatten().map(|node| {
        let round = |x: f32| (f64::from(x) * 10.0).round() / 10.0;
        let mut payload = json!({ "rate_hz": round(node.rate_hz), "silent": on_off(Some(node.silent)) });
        if let Some(rssi) = node.rssi_dbm {
            payload["rssi_dbm"] = json!(rssi.map(round));
        }
        (node.node, payload)
    })
}

/// Which track has which place: a person keeps its own as long as it is there.
#[derive(Clone, Debug, Default)]
pub struct Slots([Option<u32>; PERSON_SLOTS]);

impl Slots {
    /// Every place, from 1, with who has it. All of a person is one message: x never belongs to another y.
    pub fn persons(&mut self, people: &[Person]) -> Vec<(usize, Value)> {
        let there = |id: u32| people.iter().any(|p| p.id == Some(id));
        for slot in &mut self.0 {
            *slot = slot.filter(|id| there(*id));
        }
        for id in people.iter().filter_map(|p| p.id) {
            if !self.0.contains(&Some(id))
                && let Some(free) = self.0.iter_mut().find(|slot| slot.is_none())
            {
                *free = Some(id);
            }
        }
        (0..PERSON_SLOTS)
            .map(|k| {
                let person = match self.0[k] {
                    Some(id) => people.iter().find(|p| p.id == Some(id)),
                    // Where the mode withholds who is who, places go by order.
                    None => people.get(k).filter(|p| p.id.is_none()),
                };
                (k + 1, person.map_or_else(nobody, place))
            })
            .collect()
    }
}

fn nobody() -> Value {
    json!({ "state": "none" })
}

fn place(person: &Person) -> Value {
    let centimetres = |x: f32| (f64::from(x) * 100.0).round() / 100.0;
    let mut out = json!({ "state": person.state, "existence": centimetres(person.existence) });
    if let Some([x, y, z]) = person.position_m {
        (out["x"], out["y"], out["z"]) =
            (centimetres(x).into(), centimetres(y).into(), centimetres(z).into());
    }
    if let Some(sigma) = person.sigma_m {
        out["sigma"] = json!(sigma.map(centimetres));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: Option<u32>, x: f32) -> Person {
        Person {
            id,
            state: "confirmed",
            existence: 1.0,
            position_m: Some([x, 0.0, 1.0]),
            sigma_m: Some([0.1; 3]),
            velocity_m_s: None,
            posture: None,
            heading: None,
            keypoints: None,
        }
    }

    #[test]
    fn a_person_keeps_its_place_while_others_come_and_go() {
        let mut slots = Slots::default();
        let x = |said: &[(usize, Value)], k: usize| said[k].1["x"].as_f64();
        let said = slots.persons(&[person(Some(4), 1.0), person(Some(7), 2.0)]);
        assert_eq!((x(&said, 0), x(&said, 1), x(&said, 2)), (Some(1.0), Some(2.0), None));
        let said = slots.persons(&[person(Some(7), 2.5)]);
        assert_eq!((x(&said, 0), x(&said, 1)), (None, Some(2.5)));
        assert_eq!(said[0].1, json!({ "state": "none" }));
        let said = slots.persons(&[person(Some(7), 2.5), person(Some(9), 3.0)]);
        assert_eq!((x(&said, 0), x(&said, 1)), (Some(3.0), Some(2.5)));
        let crowd: Vec<_> = (20..30).map(|id| person(Some(id), 0.0)).collect();
        assert_eq!(slots.persons(&crowd).len(), PERSON_SLOTS);
    }

    #[test]
    fn without_ids_places_go_by_order() {
        let mut slots = Slots::default();
        let said = slots.persons(&[person(None, 1.0), person(None, 2.0)]);
        assert_eq!((said[0].1["x"].as_f64(), said[1].1["x"].as_f64()), (Some(1.0), Some(2.0)));
        assert_eq!(said[2].1["state"], "none");
    }
}
