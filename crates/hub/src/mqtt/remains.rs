//! What an earlier start left at the broker: Home Assistant keeps a component until it is told that it is gone, and the broker
//! keeps the last state of each topic. A zone that was renamed, or people whom the privacy mode withholds by now, must not
//! stay there.
//!
//! What this module does not do: it believes nothing but names. Whoever may write there may write anything.

use crate::message::Cycle;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// More components than any hub has.
const MOST: usize = 1024;
/// Kinds that a hub has had.
const PLATFORMS: [&str; 4] = ["binary_sensor", "event", "number", "sensor"];

/// A component as it was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Remnant {
    platform: &'static str,
    /// Where its states are.
    topics: BTreeSet<String>,
}

/// Components that were announced before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains(BTreeMap<String, Remnant>);

/// The topics of a component that lie below a prefix.
fn topics(component: &Value, prefix: &str) -> BTreeSet<String> {
    let named = ["state_topic", "json_attributes_topic"].into_iter().filter_map(|k| component[k].as_str());
    let ours = |topic: &&str| {
        let rest = topic.strip_prefix(prefix).and_then(|t| t.strip_prefix('/'));
        topic.len() <= 256 && rest.is_some_and(|t| !t.is_empty() && !t.contains(['+', '#']))
    };
    named.filter(ours).map(str::to_owned).collect()
}

impl Remains {
    /// Of the discovery message that the broker kept; nothing if it is none.
    pub fn of(payload: &[u8], prefix: &str) -> Remains {
        let message: Value = serde_json::from_slice(payload).unwrap_or(Value::Null);
        let Some(components) = message["components"].as_object() else { return Remains::default() };
        let remnant = |(key, component): (&String, &Value)| {
            let platform = PLATFORMS.into_iter().find(|p| component["platform"] == *p)?;
            // Without anything else it is told to be gone already.
            let whole = component.as_object().is_some_and(|c| c.len() > 1);
            (whole && key.len() <= 64)
                .then(|| (key.clone(), Remnant { platform, topics: topics(component, prefix) }))
        };
        Remains(components.iter().filter_map(remnant).take(MOST).collect())
    }

    /// Adds to the components of a discovery message those that are gone, as Home Assistant wants to be told: a platform and
    /// nothing else. Returns the topics whose last states are nobody's any more.
    pub fn gone(&self, components: &mut Map<String, Value>, cycle: &Cycle, prefix: &str) -> BTreeSet<String> {
        let used: BTreeSet<String> = components.values().flat_map(|c| topics(c, prefix)).collect();
        let mut unused = BTreeSet::new();
        for (key, Remnant { platform, topics }) in &self.0 {
            if components.contains_key(key) || may_come_back(key, cycle) {
                continue;
            }
            components.insert(key.clone(), json!({ "platform": platform }));
            unused.extend(topics.difference(&used).cloned());
        }
        unused
    }
}

/// A node that was not heard yet is no node that was taken away.
fn may_come_back(key: &str, cycle: &Cycle) -> bool {
    let number = key.strip_prefix("node_").and_then(|rest| rest.split('_').next()?.parse::<u8>().ok());
    number.is_some_and(|n| !cycle.nodes.iter().flatten().any(|node| node.node == n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_there_is_not_believed_beyond_names() {
        for nothing in
            [&b""[..], b"x", b"[]", b"{\"components\": 7}", b"\xff", b"{\"components\": {\"a\": 1}}"]
        {
            assert_eq!(Remains::of(nothing, "w"), Remains::default());
        }
        let component = |topic: &str| json!({ "platform": "sensor", "state_topic": topic });
        let payload = json!({ "components": {
            "ours": component("w/zone/sofa"), "foreign": component("other/zone/sofa"), "all": component("w/#"),
            "near": component("wx/room"), "told": { "platform": "sensor" }, "odd": { "platform": "camera", "a": 1 },
        }});
        let Remains(found) = Remains::of(payload.to_string().as_bytes(), "w");
        assert_eq!(found.keys().collect::<Vec<_>>(), ["all", "foreign", "near", "ours"]);
        let topics: BTreeSet<_> = found.values().flat_map(|r| r.topics.iter().map(String::as_str)).collect();
        assert_eq!(topics, BTreeSet::from(["w/zone/sofa"]));
        let many: Map<_, _> = (0..5000).map(|k| (k.to_string(), component("w/a"))).collect();
        let payload = json!({ "components": many }).to_string();
        assert_eq!(Remains::of(payload.as_bytes(), "w").0.len(), MOST);
    }
}
