//! What one client gets: topics, rate, and what it missed. The same for WebSocket, Server-Sent Events and JSON lines.

use crate::message::live::{Live, Refusal, Subscribed, fastest};
use crate::message::{Dropped, Stopped};
use crate::publish::{Format, Published, Rendered, Sender, Topic, Update};
use crate::status::Status;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Cycles a second.
pub const CYCLE_HZ: u32 = 20;

/// What a client wants.
///
/// With `whole` it is the first protocol: every cycle, whole, as JSON, whatever the rest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The first protocol.
    pub whole: bool,
    /// Each once.
    pub topics: Vec<Topic>,
    /// 1 to 20.
    pub rate_hz: u32,
    /// In which form.
    pub format: Format,
}

impl Default for Wish {
    fn default() -> Wish {
        Wish { whole: false, topics: Vec::new(), rate_hz: fastest(), format: Format::Json }
    }
}

impl Wish {
    /// What is told to the client.
    pub fn message(&self) -> Live {
        let Wish { topics, rate_hz, format, .. } = self.clone();
        Live::Subscribed(Subscribed { topics, rate_hz, format })
    }
}

impl Wish {
    /// The first protocol.
    pub fn whole() -> Wish {
        Wish { whole: true, ..Wish::default() }
    }

    /// Reads `topics=a,b`, `rate_hz` and `format` of a query; `token` is not looked at.
    ///
    /// # Errors
    /// Which field is wrong, and what it may hold.
    pub fn of_query(query: &BTreeMap<String, String>) -> Result<Wish, Refusal> {
        let mut wish = Wish::default();
        for (name, value) in query {
            match name.as_str() {
                "topics" => {
                    let names = value.split(',').filter(|n| !n.is_empty());
                    wish.topics = names.map(topic).collect::<Result<_, _>>()?;
                }
                "rate_hz" => wish.rate_hz = rate(value, value.parse().ok())?,
                "format" => wish.format = format(value)?,
                "token" => {}
                _ => return Err(refusal("(query)", name, "topics, rate_hz, format, token")),
            }
        }
        Ok(wish)
    }

    /// Reads a client's `subscribe`.
    ///
    /// # Errors
    /// Which field is wrong, and what it may hold.
    pub fn of_message(text: &str) -> Result<Wish, Refusal> {
        const SHAPE: &str = r#"{"type": "subscribe", "topics": […], "rate_hz": …, "format": …}"#;
        let value: Value =
            serde_json::from_str(text).map_err(|e| refusal("(message)", &e.to_string(), SHAPE))?;
        let fields = value.as_object().ok_or_else(|| refusal("(message)", &value.to_string(), SHAPE))?;
        if fields.get("type").is_none_or(|t| t != "subscribe") {
            let given = fields.get("type").map_or("(missing)".to_owned(), Value::to_string);
            return Err(refusal("type", &given, "\"subscribe\""));
        }
        let mut wish = Wish::default();
        let list = fields.get("topics").and_then(Value::as_array);
        let list = list.ok_or_else(|| refusal("topics", "(no list)", &topics_allowed()))?;
        wish.topics = list
            .iter()
            .map(|t| topic(t.as_str().map_or_else(|| t.to_string(), str::to_owned).as_str()))
            .collect::<Result<_, _>>()?;
        for (name, value) in fields {
            match name.as_str() {
                "type" | "topics" => {}
                "rate_hz" => wish.rate_hz = rate(&value.to_string(), value.as_u64())?,
                "format" => wish.format = format(value.as_str().unwrap_or("(no text)"))?,
                _ => return Err(refusal(name, "(unknown field)", "type, topics, rate_hz, format")),
            }
        }
        Ok(wish)
    }
}

fn refusal(field: &str, value: &str, allowed: &str) -> Refusal {
    // What comes from a client goes back to it, but not at any length.
    let short = |text: &str| text.chars().take(100).collect();
    Refusal { field: short(field), value: short(value), allowed: allowed.to_owned() }
}

fn topics_allowed() -> String {
    Topic::ALL.map(Topic::name).join(", ")
}

fn topic(name: &str) -> Result<Topic, Refusal> {
    Topic::of(name).ok_or_else(|| refusal("topics", name, &topics_allowed()))
}

fn rate(text: &str, value: Option<u64>) -> Result<u32, Refusal> {
    let value = value.filter(|v| (1..=u64::from(CYCLE_HZ)).contains(v));
    value.map(|v| v as u32).ok_or_else(|| refusal("rate_hz", text, "a whole number, 1 to 20"))
}

fn format(name: &str) -> Result<Format, Refusal> {
    match name {
        "json" => Ok(Format::Json),
        "binary" => Ok(Format::Binary),
        _ => Err(refusal("format", name, "json, binary")),
    }
}

/// One message to one client.
#[derive(Debug)]
pub struct Outgoing {
    /// Its `type`.
    pub kind: &'static str,
    /// The cycle that it is of.
    pub cycle: Option<u64>,
    /// The message.
    pub rendered: Rendered,
}

/// What is to be sent next.
#[derive(Debug)]
pub enum Delivery {
    /// Messages, perhaps none.
    Messages(Vec<Outgoing>),
    /// Nothing follows; the last message, if there is one.
    End(Option<Outgoing>),
}

/// One client's part of the stream.
pub struct Subscription {
    updates: Receiver<Published>,
    status: Status,
    wish: Wish,
    /// The latest of each topic that was not sent yet.
    waiting: [Option<Arc<Update>>; Topic::ALL.len()],
    /// In cycles × Hz: a message is due when it reaches [`CYCLE_HZ`].
    credit: u32,
    dropped: u64,
    /// The last cycle that went by.
    pub last: Option<u64>,
}

impl Subscription {
    /// A subscription from now on.
    pub fn new(sender: &Sender, status: Status, wish: Wish) -> Subscription {
        Subscription {
            updates: sender.subscribe(),
            status,
            credit: CYCLE_HZ,
            wish,
            waiting: Default::default(),
            dropped: 0,
            last: None,
        }
    }

    /// Replaces what is wanted. The next cycle is sent at once.
    pub fn replace(&mut self, wish: Wish) {
        self.waiting = Default::default();
        self.credit = CYCLE_HZ;
        self.wish = wish;
    }

    /// Waits for what is to be sent next. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Delivery {
        let format = self.wish.format;
        match self.updates.recv().await {
            Ok(Published::Cycle(update)) => Delivery::Messages(self.take(&update)),
            Ok(Published::Stopped(reason)) => {
                let stopped = Live::Stopped(Stopped { reason: reason.to_string() });
                let rendered = Rendered::of(&stopped, format);
                Delivery::End(Some(Outgoing { kind: "stopped", cycle: None, rendered }))
            }
            Err(RecvError::Lagged(cycles)) => {
                self.dropped += cycles;
                self.status.update(|s| s.dropped += cycles);
                let dropped = Live::Dropped(Dropped { cycles, total: self.dropped });
                let rendered = Rendered::of(&dropped, format);
                Delivery::Messages(vec![Outgoing { kind: "dropped", cycle: None, rendered }])
            }
            Err(RecvError::Closed) => Delivery::End(None),
        }
    }

    /// A cycle: at the client's rate, the latest of each topic; what the rate leaves out is not dropped.
    fn take(&mut self, update: &Arc<Update>) -> Vec<Outgoing> {
        let cycle = Some(update.cycle().cycle);
        self.last = cycle;
        if self.wish.whole {
            let rendered = Rendered::Text(update.whole());
            return vec![Outgoing { kind: "cycle", cycle, rendered }];
        }
        for topic in &self.wish.topics {
            if update.carries(*topic) {
                self.waiting[*topic as usize] = Some(Arc::clone(update));
            }
        }
        self.credit = (self.credit + self.wish.rate_hz).min(2 * CYCLE_HZ);
        if self.credit < CYCLE_HZ {
            return Vec::new();
        }
        self.credit -= CYCLE_HZ;
        let Subscription { waiting, wish, .. } = self;
        let due = Topic::ALL.iter().filter_map(|topic| {
            let update = waiting[*topic as usize].take()?;
            let rendered = update.rendered(*topic, wish.format)?;
            Some(Outgoing { kind: topic.name(), cycle: Some(update.cycle().cycle), rendered })
        });
        due.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::live::Request;
    use crate::publish::{self, Detail};
    use wavewitness_types::{
        Breathing, Count, CycleIndex, FallWatch, Gate, NoBreathing, PoseFrame, Presence, Quality, Source,
        Timestamp, UnknownReason,
    };
    use wavewitness_witness::{Digest, EntryKind, Stage, Witness};

    fn update(cycle: u64) -> Published {
        let at = Timestamp(cycle * 50_000_000);
        let frame = PoseFrame {
            cycle: CycleIndex(cycle),
            at,
            source: Source::Simulated,
            presence: Presence::Unknown(UnknownReason::NoData),
            motion: None,
            count: Count::Unknown(UnknownReason::NoData),
            people: Vec::new(),
            gate: Gate::Reject,
            quality: Quality {
                score: 0.0,
                frames: 0,
                rejected: 0,
                unassigned: 0,
                links_heard: 0,
                links_known: 0,
            },
            nodes: Vec::new(),
            links: Vec::new(),
            breathing: Breathing::Unknown(NoBreathing::NoData),
            fall: FallWatch::Unknown(UnknownReason::NoData),
        };
        let witness = Witness {
            kind: EntryKind::Cycle,
            cycle: frame.cycle,
            at,
            source: frame.source,
            inputs: Digest::ZERO,
            stages: [Digest::ZERO; Stage::COUNT],
            output: Digest::ZERO,
            chain: Digest::ZERO,
        };
        let cycle = crate::message::cycle(&frame, &witness, &Digest::ZERO);
        let detail = frame.cycle.0.is_multiple_of(10).then(|| Box::new(Detail::default()));
        Published::Cycle(Arc::new(Update::new(cycle, detail)))
    }

    /// Types and cycles of the messages of 40 cycles.
    fn received(topics: &[Topic], rate_hz: u32) -> Vec<(String, u64)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sender = publish::channel();
        let status = Status::new(Digest::ZERO, Source::Simulated, Timestamp(0));
        let wish = Wish { topics: topics.to_vec(), rate_hz, ..Wish::default() };
        let mut subscription = Subscription::new(&sender, status, wish);
        let mut out = Vec::new();
        for cycle in 1..=40 {
            sender.send(update(cycle)).unwrap();
            let Delivery::Messages(messages) = runtime.block_on(subscription.next()) else { panic!("ended") };
            for message in messages {
                let value: Value = serde_json::from_slice(&message.rendered.bytes()).unwrap();
                out.push((value["type"].as_str().unwrap().to_owned(), value["cycle"].as_u64().unwrap()));
            }
        }
        out
    }

    #[test]
    fn a_client_gets_its_topics_at_its_rate() {
        let every = received(&[Topic::Presence], 20);
        assert_eq!(every.iter().map(|m| m.1).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
        let some: Vec<_> = received(&[Topic::Presence], 5).into_iter().map(|m| m.1).collect();
        assert_eq!(some, [1, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
        for rate in 1..=20 {
            let n = received(&[Topic::Witness], rate).len() as u32;
            assert!((2 * rate..=2 * rate + 1).contains(&n), "{n} messages in 2 s at {rate} Hz");
        }
    }

    #[test]
    fn a_slow_rate_does_not_leave_out_what_comes_seldom() {
        let images = received(&[Topic::Images], 3);
        assert_eq!(images.iter().map(|m| m.1).collect::<Vec<_>>(), [10, 20, 30, 40]);
        assert!(images.iter().all(|m| m.0 == "images"));
        let one = received(&[Topic::Images, Topic::Presence], 1);
        assert_eq!(
            one[1..].iter().map(|m| m.0.as_str()).collect::<Vec<_>>(),
            ["presence", "images", "presence", "images"]
        );
    }

    #[test]
    fn what_is_refused_is_named_and_what_is_taken_fits_the_schema() {
        let refused = |text: &str| Wish::of_message(text).unwrap_err();
        let topics = r#""type":"subscribe","topics":["poses"]"#;
        for (text, field, value) in [
            ("x", "(message)", "expected value at line 1 column 1"),
            ("[]", "(message)", "[]"),
            ("{}", "type", "(missing)"),
            (r#"{"type":"subscribe"}"#, "topics", "(no list)"),
            (r#"{"type":"subscribe","topics":["csi"]}"#, "topics", "csi"),
            (r#"{"type":"subscribe","topics":[7]}"#, "topics", "7"),
            (&format!(r#"{{{topics},"rate_hz":0}}"#), "rate_hz", "0"),
            (&format!(r#"{{{topics},"rate_hz":21}}"#), "rate_hz", "21"),
            (&format!(r#"{{{topics},"rate_hz":2.5}}"#), "rate_hz", "2.5"),
            (&format!(r#"{{{topics},"format":"xml"}}"#), "format", "xml"),
            (&format!(r#"{{{topics},"color":1}}"#), "color", "(unknown field)"),
        ] {
            let refusal = refused(text);
            assert_eq!((refusal.field.as_str(), refusal.value.as_str()), (field, value), "{text}");
            assert!(serde_json::from_str::<Request>(text).is_err() || field == "rate_hz", "{text}");
        }
        let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(4000));
        assert!(refused(&long).value.len() <= 100, "what is refused is not sent back at any length");
        let text = r#"{"type":"subscribe","topics":["poses","taps"],"rate_hz":4,"format":"binary"}"#;
        let wish = Wish::of_message(text).unwrap();
        let Request::Subscribe { topics, rate_hz, format } = serde_json::from_str(text).unwrap();
        assert_eq!(wish, Wish { whole: false, topics, rate_hz, format });
        let query = [("topics", "poses,taps"), ("rate_hz", "4"), ("format", "binary"), ("token", "x")];
        let query = query.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(Wish::of_query(&query).unwrap(), wish);
    }

    #[test]
    fn who_lags_is_told_once_and_goes_on_with_the_oldest_that_is_left() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sender = publish::channel();
        let status = Status::new(Digest::ZERO, Source::Simulated, Timestamp(0));
        let wish = Wish { topics: vec![Topic::Witness], ..Wish::default() };
        let mut subscription = Subscription::new(&sender, status.clone(), wish);
        (1..=30).for_each(|cycle| drop(sender.send(update(cycle))));
        let mut next = || match runtime.block_on(subscription.next()) {
            Delivery::Messages(mut m) => {
                serde_json::from_slice::<Value>(&m.remove(0).rendered.bytes()).unwrap()
            }
            Delivery::End(_) => panic!("ended"),
        };
        assert_eq!(next(), serde_json::json!({"type": "dropped", "cycles": 14, "total": 14}));
        assert_eq!(next()["cycle"], 15);
        assert_eq!(status.snapshot().dropped, 14);
    }
}
