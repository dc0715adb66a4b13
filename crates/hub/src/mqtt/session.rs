//! What is sent when: a state machine without I/O.

use super::remains::Remains;
use super::{MqttConfig, discovery, states};
use crate::message::{Cycle, FallWatch, Presence};
use crate::status::Snapshot;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Below the threshold by this much, occupancy is given up; between the two the last word stays.
const HYSTERESIS: f64 = 0.2;
/// Allowed thresholds.
pub const THRESHOLD: (f64, f64) = (0.3, 0.99);
const DEFAULT_THRESHOLD: f64 = 0.5;
/// A hub whose last cycle is older than this says that it is not available.
const STALE_MS: u64 = 2000;

/// A message to the broker, at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: String,
    /// Whether the broker keeps it for who comes later.
    pub retain: bool,
}

/// One look at the hub: nothing in it that the privacy mode withholds.
#[derive(Clone, Debug)]
pub struct View {
    /// The last cycle.
    pub cycle: Arc<Cycle>,
    /// Cycles missed since the start.
    pub missed: u64,
    /// The privacy mode.
    pub privacy: &'static str,
    /// How old the last cycle is.
    pub age_ms: u64,
    /// Publishing has stopped.
    pub faulty: bool,
}

impl View {
    /// The view of a snapshot at `now_ms` after its last cycle; `None` before the first cycle.
    pub fn of(snapshot: &Snapshot, now: wavewitness_types::Timestamp) -> Option<View> {
        let at = snapshot.frame.as_ref()?.at;
        Some(View {
            cycle: Arc::clone(snapshot.cycle.as_ref()?),
            missed: snapshot.missed,
            privacy: snapshot.privacy.name(),
            age_ms: now.nanos_since(at) / 1_000_000,
            faulty: snapshot.fault.is_some(),
        })
    }
}

/// What the broker has been told, and what it tells.
pub struct Session {
    config: MqttConfig,
    threshold: f64,
    occupied: Option<bool>,
    slots: states::Slots,
    /// The discovery payload that was sent last.
    announced: Option<String>,
    /// What the broker had before that; only the first message of a session says it.
    remains: Remains,
    remains_known: bool,
    /// Topics whose last states were taken from the broker.
    cleared: BTreeSet<String>,
    available: Option<bool>,
    /// Time of the fall that was told last; a fall from before the session is not news.
    fall: Option<String>,
    begun: bool,
}

impl Session {
    /// A session that has told nothing.
    pub fn new(config: MqttConfig) -> Session {
        Session {
            config,
            threshold: DEFAULT_THRESHOLD,
            occupied: None,
            slots: states::Slots::default(),
            announced: None,
            remains: Remains::default(),
            remains_known: false,
            cleared: BTreeSet::new(),
            available: None,
            fall: None,
            begun: false,
        }
    }

    /// Where Home Assistant says that it has started, where it sends the threshold, and where the discovery message of the start
    /// before may stand.
    pub fn subscriptions(&self) -> [String; 3] {
        let birth = format!("{}/status", self.config.discovery_prefix);
        [birth, self.config.topic("threshold/set"), self.discovery_topic()]
    }

    fn discovery_topic(&self) -> String {
        format!("{}/device/{}/config", self.config.discovery_prefix, self.config.device_id())
    }

    /// The broker is new, or Home Assistant is: everything is told again with the next states.
    pub fn forget(&mut self) {
        self.announced = None;
        self.available = None;
    }

    /// A message of a subscription. An error says why it is not followed.
    ///
    /// # Errors
    /// If it is a threshold that is no number or out of range.
    pub fn received(&mut self, topic: &str, payload: &[u8]) -> Result<(), String> {
        let [birth, set, discovery] = self.subscriptions();
        if topic == discovery {
            // What we said ourselves comes back, too.
            if self.announced.as_ref().is_none_or(|own| own.as_bytes() != payload) && !self.remains_known {
                self.remains = Remains::of(payload, &self.config.prefix);
            }
            self.remains_known = true;
            return Ok(());
        }
        if topic == birth {
            if payload == b"online" {
                self.forget();
            }
            return Ok(());
        }
        if topic != set {
            return Ok(());
        }
        let value = std::str::from_utf8(payload).ok().and_then(|text| text.trim().parse::<f64>().ok());
        let (low, high) = THRESHOLD;
        match value {
            Some(value) if (low..=high).contains(&value) => {
                self.threshold = value;
                Ok(())
            }
            _ => {
                let shown: String = String::from_utf8_lossy(payload).chars().take(40).collect();
                Err(format!("{set} = {shown}: allowed is a number, {low} to {high}"))
            }
        }
    }

    /// What is sent now.
    pub fn tick(&mut self, view: &View) -> Vec<Publication> {
        let mut out = Vec::new();
        let cycle = &*view.cycle;
        self.announce(cycle, &mut out);
        let available = view.age_ms <= STALE_MS && !view.faulty;
        if self.available.replace(available) != Some(available) {
            let payload = if available { "online" } else { "offline" }.to_owned();
            out.push(Publication { topic: self.config.topic("availability"), payload, retain: true });
        }
        if !available {
            return out;
        }
        self.occupied = occupied(&cycle.presence, self.threshold, self.occupied);
        let mut state = |topic: &str, payload: Value| {
            let topic = self.config.topic(topic);
            out.push(Publication { topic, payload: payload.to_string(), retain: true });
        };
        state("room", states::room(view, self.occupied));
        state("threshold", json!(self.threshold));
        for (slug, payload) in states::zones(cycle) {
            state(&format!("zone/{slug}"), payload);
        }
        if let Some(people) = &cycle.people {
            for (number, payload) in self.slots.persons(people) {
                state(&format!("person/{number}"), payload);
            }
        }
        for (node, payload) in states::nodes(cycle) {
            state(&format!("node/{node}"), payload);
        }
        if let Some(payload) = self.fallen(cycle.fall.as_ref()) {
            // Not kept: a fall that is told again after a restart would be a second one.
            out.push(Publication { topic: self.config.topic("fall"), payload, retain: false });
        }
        self.begun = true;
        out
    }

    /// What the hub has, if that was not told yet; what it had, if the broker still does.
    fn announce(&mut self, cycle: &Cycle, out: &mut Vec<Publication>) {
        let mut config = discovery::discovery(&self.config, cycle);
        let mut unused = BTreeSet::new();
        if let Some(components) = config["components"].as_object_mut() {
            unused = self.remains.gone(components, cycle, &self.config.prefix);
        }
        let config = config.to_string();
        if self.announced.as_ref() != Some(&config) {
            out.push(Publication { topic: self.discovery_topic(), payload: config.clone(), retain: true });
            self.announced = Some(config);
        }
        for topic in unused {
            if self.cleared.insert(topic.clone()) {
                // An empty message takes a kept one away.
                out.push(Publication { topic, payload: String::new(), retain: true });
            }
        }
    }

    /// The event of a fall that was not told yet.
    fn fallen(&mut self, watch: Option<&FallWatch>) -> Option<String> {
        let FallWatch::Fallen { at, probability, .. } = watch? else { return None };
        let news = self.fall.replace(at.clone()).as_ref() != Some(at) && self.begun;
        news.then(|| json!({ "event_type": "fall", "at": at, "probability": probability }).to_string())
    }

    /// The last message before an orderly end.
    pub fn farewell(&self) -> Publication {
        let topic = self.config.topic("availability");
        Publication { topic, payload: "offline".to_owned(), retain: true }
    }
}

/// Occupied, empty, or not known. With basis `motion` a low probability says that nobody moves, and that is not empty.
fn occupied(presence: &Presence, threshold: f64, last: Option<bool>) -> Option<bool> {
    match *presence {
        Presence::Unknown { .. } => None,
        Presence::Present { probability, basis } | Presence::Absent { probability, basis } => {
            let p = f64::from(probability);
            if p >= threshold {
                Some(true)
            } else if basis == "motion" {
                None
            } else if p <= threshold - HYSTERESIS {
                Some(false)
            } else {
                last
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occupancy_has_hysteresis_and_stillness_is_not_emptiness() {
        let empty_room = |probability| Presence::Absent { probability, basis: "empty-room" };
        let motion = |probability| Presence::Absent { probability, basis: "motion" };
        assert_eq!(occupied(&empty_room(0.9), 0.5, None), Some(true));
        assert_eq!(occupied(&empty_room(0.4), 0.5, Some(true)), Some(true), "between: the last word");
        assert_eq!(occupied(&empty_room(0.4), 0.5, None), None, "between, and nothing before");
        assert_eq!(occupied(&empty_room(0.2), 0.5, Some(true)), Some(false));
        assert_eq!(occupied(&empty_room(0.9), 0.95, Some(false)), Some(false));
        assert_eq!(occupied(&motion(0.01), 0.5, Some(true)), None, "nobody moves: who knows");
        assert_eq!(occupied(&motion(0.9), 0.5, None), Some(true));
        assert_eq!(occupied(&Presence::Unknown { reason: "no-data" }, 0.5, Some(true)), None);
    }

    #[test]
    fn a_threshold_is_followed_or_refused_and_birth_makes_everything_new() {
        let mut session = Session::new(MqttConfig::new("mqtt://b").unwrap());
        session.received("wavewitness/threshold/set", b"0.75").unwrap();
        assert!((session.threshold - 0.75).abs() < 1e-12);
        for bad in [&b"0.1"[..], b"1.5", b"NaN", b"inf", b"high", b"\xff", b""] {
            assert!(session.received("wavewitness/threshold/set", bad).is_err(), "{bad:?}");
        }
        assert!((session.threshold - 0.75).abs() < 1e-12);
        session.announced = Some(String::new());
        session.received("homeassistant/status", b"offline").unwrap();
        assert!(session.announced.is_some());
        session.received("homeassistant/status", b"online").unwrap();
        assert!(session.announced.is_none());
    }

    #[test]
    fn a_fall_is_told_once_and_not_if_it_was_before() {
        let mut session = Session::new(MqttConfig::new("mqtt://b").unwrap());
        let fall = |at: &str| FallWatch::Fallen { at: at.to_owned(), probability: 0.9, person: None };
        assert_eq!(session.fallen(Some(&fall("a"))), None, "before the session");
        session.begun = true;
        assert_eq!(session.fallen(Some(&fall("a"))), None);
        assert_eq!(session.fallen(Some(&FallWatch::None)), None);
        assert!(session.fallen(Some(&fall("b"))).unwrap().contains("\"event_type\":\"fall\""));
        assert_eq!(session.fallen(Some(&fall("b"))), None);
    }
}
