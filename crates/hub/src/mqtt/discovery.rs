//! Home Assistant's device discovery: one retained message says what the hub has.

use super::session::THRESHOLD;
use super::{MqttConfig, PERSON_SLOTS, states};
use crate::message::Cycle;
use serde_json::{Map, Value, json};

const SOFTWARE: &str = env!("CARGO_PKG_VERSION");

/// Components under way.
struct Components<'a> {
    config: &'a MqttConfig,
    all: Map<String, Value>,
}

impl Components<'_> {
    /// A component whose state is `field` of the JSON at `topic`.
    fn add(&mut self, key: &str, platform: &str, name: &str, topic: &str, field: &str, more: Value) {
        let mut component = json!({
            "platform": platform,
            "name": name,
            "unique_id": format!("{}_{key}", self.config.device_id()),
            "state_topic": self.config.topic(topic),
            "value_template": format!("{{{{ value_json.{field} }}}}"),
        });
        if platform == "sensor" || platform == "binary_sensor" {
            component["expire_after"] = json!(self.config.expire_after_s());
        }
        self.put(key, component, more);
    }

    fn put(&mut self, key: &str, mut component: Value, more: Value) {
        if let (Value::Object(component), Value::Object(more)) = (&mut component, more) {
            component.extend(more);
        }
        self.all.insert(key.to_owned(), component);
    }

    fn room(&mut self, cycle: &Cycle) {
        self.add("occupancy", "binary_sensor", "Occupancy", "room", "occupancy", class("occupancy"));
        if cycle.motion.is_some() {
            self.add("motion", "binary_sensor", "Motion", "room", "motion", class("motion"));
        }
        if cycle.count.is_some() {
            let more = json!({ "icon": "mdi:account-group", "state_class": "measurement" });
            self.add("count", "sensor", "People", "room", "count", more);
        }
        if cycle.breathing.is_some() {
            let more = json!({
                "icon": "mdi:lungs",
                "unit_of_measurement": "breaths/min",
                "state_class": "measurement",
            });
            self.add("breathing", "sensor", "Breathing rate", "room", "breathing", more);
        }
        if cycle.fall.is_some() {
            let fall = json!({
                "platform": "event",
                "name": "Fall",
                "unique_id": format!("{}_fall", self.config.device_id()),
                "state_topic": self.config.topic("fall"),
                "event_types": ["fall"],
                "icon": "mdi:human-handsdown",
            });
            self.put("fall", fall, Value::Null);
            let more = json!({ "entity_category": "diagnostic" });
            self.add("fall_watch", "binary_sensor", "Fall watch", "room", "fall_watch", more);
        }
        let source = json!({
            "device_class": "enum",
            "options": ["LIVE", "REPLAY", "SIMULATED"],
            "icon": "mdi:source-branch",
        });
        self.add("source", "sensor", "Source", "room", "source", source);
    }

    fn zones(&mut self, cycle: &Cycle) {
        for zone in cycle.zones.iter().flatten() {
            let slug = states::slug(&zone.name);
            let topic = format!("zone/{slug}");
            for (field, word) in [("occupancy", "occupancy"), ("motion", "motion")] {
                let name = format!("{} {word}", zone.name);
                self.add(
                    &format!("zone_{slug}_{field}"),
                    "binary_sensor",
                    &name,
                    &topic,
                    field,
                    class(field),
                );
            }
        }
    }

    fn persons(&mut self) {
        for number in 1..=PERSON_SLOTS {
            let topic = format!("person/{number}");
            let more = json!({
                "device_class": "enum",
                "options": ["none", "confirmed", "coasting"],
                "icon": "mdi:map-marker-account",
                "json_attributes_topic": self.config.topic(&topic),
            });
            self.add(
                &format!("person_{number}"),
                "sensor",
                &format!("Person {number}"),
                &topic,
                "state",
                more,
            );
        }
    }

    fn diagnostics(&mut self, cycle: &Cycle) {
        let gates = json!({
            "device_class": "enum",
            "options": ["accept", "predict-only", "reject", "recalibrate"],
            "entity_category": "diagnostic",
        });
        self.add("gate", "sensor", "Gate", "room", "gate", gates);
        let calibration = json!({
            "device_class": "enum",
            "options": ["none", "collecting", "partial", "ready"],
            "entity_category": "diagnostic",
        });
        self.add("calibration", "sensor", "Calibration", "room", "calibration", calibration);
        let missed = json!({ "state_class": "total_increasing", "entity_category": "diagnostic" });
        self.add("missed_cycles", "sensor", "Missed cycles", "room", "missed_cycles", missed);
        for node in cycle.nodes.iter().flatten() {
            let (number, topic) = (node.node, format!("node/{}", node.node));
            let mut add = |key: &str, platform, name: &str, field, more| {
                let (key, name) = (format!("node_{number}_{key}"), format!("Node {number} {name}"));
                self.add(&key, platform, &name, &topic, field, more);
            };
            let rate = json!({
                "device_class": "frequency",
                "unit_of_measurement": "Hz",
                "state_class": "measurement",
                "entity_category": "diagnostic",
            });
            add("rate", "sensor", "rate", "rate_hz", rate);
            // On is connected: what is not silent.
            let heard = json!({
                "device_class": "connectivity",
                "payload_on": "OFF",
                "payload_off": "ON",
                "entity_category": "diagnostic",
            });
            add("heard", "binary_sensor", "heard", "silent", heard);
            if node.rssi_dbm.is_some() {
                let rssi = json!({
                    "device_class": "signal_strength",
                    "unit_of_measurement": "dBm",
                    "state_class": "measurement",
                    "entity_category": "diagnostic",
                });
                add("rssi", "sensor", "RSSI", "rssi_dbm", rssi);
            }
        }
    }

    fn threshold(&mut self) {
        let (min, max) = THRESHOLD;
        let threshold = json!({
            "platform": "number",
            "name": "Occupancy threshold",
            "unique_id": format!("{}_threshold", self.config.device_id()),
            "state_topic": self.config.topic("threshold"),
            "command_topic": self.config.topic("threshold/set"),
            "min": min,
            "max": max,
            "step": 0.01,
            "mode": "slider",
            // The broker keeps what was set, and gives it to a hub that starts anew.
            "retain": true,
            "entity_category": "config",
        });
        self.put("threshold", threshold, Value::Null);
    }
}

fn class(class: &str) -> Value {
    json!({ "device_class": class })
}

/// The message of `<discovery_prefix>/device/<id>/config` for a hub that says this cycle.
pub fn discovery(config: &MqttConfig, cycle: &Cycle) -> Value {
    let mut components = Components { config, all: Map::new() };
    components.room(cycle);
    components.zones(cycle);
    if cycle.people.is_some() {
        components.persons();
    }
    components.diagnostics(cycle);
    components.threshold();
    let (name, model) = match cycle.source {
        "live" => ("Wavewitness", "Wi-Fi CSI sensing hub"),
        "replay" => ("Wavewitness REPLAY", "Wi-Fi CSI sensing hub, REPLAY of a recording"),
        _ => ("Wavewitness SIMULATED", "Wi-Fi CSI sensing hub, SIMULATED data"),
    };
    json!({
        "device": {
            "identifiers": [config.device_id()],
            "name": name,
            "manufacturer": "Wavewitness",
            "model": model,
            "sw_version": SOFTWARE,
        },
        "origin": { "name": "wavewitness", "sw_version": SOFTWARE },
        "availability": [{ "topic": config.topic("availability") }],
        "qos": 1,
        "components": components.all,
    })
}
