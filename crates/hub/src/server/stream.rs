//! The same topics over plain HTTP: Server-Sent Events, and one JSON text a line.

use super::subscription::{Delivery, Outgoing, Subscription, Wish};
use super::{Place, Shared, Stay, rest};
use crate::message::live::{Heartbeat, Live, Missed, Refusal};
use crate::publish::{Format, Rendered};
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Bytes;

/// A proxy closes what is silent for a minute; a client notices a dead hub within this time.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/api/v1/events", get(events)).route("/api/v1/stream", get(lines))
}

/// How messages follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Events,
    Lines,
    /// CBOR sequence, RFC 8742.
    Sequence,
}

impl Framing {
    fn content_type(self) -> &'static str {
        match self {
            Framing::Events => "text/event-stream",
            Framing::Lines => "application/x-ndjson",
            Framing::Sequence => "application/cbor-seq",
        }
    }

    fn put(self, message: Outgoing, out: &mut Vec<u8>) {
        if self == Framing::Events {
            out.extend_from_slice(format!("event: {}\n", message.kind).as_bytes());
            if let Some(cycle) = message.cycle {
                out.extend_from_slice(format!("id: {cycle}\n").as_bytes());
            }
            out.extend_from_slice(b"data: ");
        }
        out.extend_from_slice(&message.rendered.bytes());
        match self {
            Framing::Events => out.extend_from_slice(b"\n\n"),
            Framing::Lines => out.push(b'\n'),
            Framing::Sequence => {}
        }
    }
}

async fn events(
    State(shared): State<Shared>,
    Extension(stay): Extension<Stay>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let after = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    match wish(&query) {
        Ok(wish) if wish.format == Format::Json => respond(&shared, stay, wish, Framing::Events, after),
        Ok(_) => {
            let (field, value) = ("format".to_owned(), "binary".to_owned());
            rest::refused(Refusal { field, value, allowed: "json".to_owned() })
        }
        Err(refusal) => rest::refused(refusal),
    }
}

async fn lines(
    State(shared): State<Shared>,
    Extension(stay): Extension<Stay>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    match wish(&query) {
        Ok(wish) if wish.format == Format::Json => respond(&shared, stay, wish, Framing::Lines, None),
        Ok(wish) => respond(&shared, stay, wish, Framing::Sequence, None),
        Err(refusal) => rest::refused(refusal),
    }
}

/// A stream can't be asked for something later: it must begin with a topic.
fn wish(query: &BTreeMap<String, String>) -> Result<Wish, Refusal> {
    let wish = Wish::of_query(query)?;
    if wish.topics.is_empty() {
        let names = crate::publish::Topic::ALL.map(|t| t.name()).join(",");
        let (field, value) = ("topics".to_owned(), "(none)".to_owned());
        return Err(Refusal { field, value, allowed: format!("some of {names}") });
    }
    Ok(wish)
}

/// One client's stream.
struct Streaming {
    _place: Place,
    stay: Stay,
    subscription: Subscription,
    framing: Framing,
    format: Format,
    /// What it is sent first.
    first: Option<Vec<u8>>,
    /// The last cycle that it says to have.
    after: Option<u64>,
    ended: bool,
}

fn respond(shared: &Shared, stay: Stay, wish: Wish, framing: Framing, after: Option<u64>) -> Response {
    let Some(place) = Place::take(shared) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many clients\n").into_response();
    };
    let format = wish.format;
    let mut first = Vec::new();
    let hello = Rendered::of(&Live::Hello((shared.hello)()), format);
    framing.put(Outgoing { kind: "hello", cycle: None, rendered: hello }, &mut first);
    let rendered = Rendered::of(&wish.message(), format);
    framing.put(Outgoing { kind: "subscribed", cycle: None, rendered }, &mut first);
    let streaming = Streaming {
        _place: place,
        subscription: Subscription::new(&shared.messages, shared.status.clone(), wish),
        stay,
        framing,
        format,
        first: Some(first),
        after,
        ended: false,
    };
    let chunks = futures_util::stream::unfold(streaming, |mut streaming| async {
        let chunk = streaming.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), streaming))
    });
    let headers = [
        (header::CONTENT_TYPE, framing.content_type()),
        (header::CACHE_CONTROL, "no-store"),
        // nginx would otherwise keep what is small until it is a page.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

impl Streaming {
    /// What is sent next; `None` at the end.
    async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let mut beat = Box::pin(tokio::time::sleep(HEARTBEAT_EVERY));
        while !self.ended {
            let mut out = Vec::new();
            tokio::select! {
                delivery = self.subscription.next() => self.take(delivery, &mut out),
                () = &mut beat => self.beat(&mut out),
                _ = self.stay.over() => return None,
            }
            if !out.is_empty() {
                return Some(out);
            }
        }
        None
    }

    fn take(&mut self, delivery: Delivery, out: &mut Vec<u8>) {
        match delivery {
            Delivery::Messages(messages) => {
                self.missed(out);
                messages.into_iter().for_each(|m| self.framing.put(m, out));
            }
            Delivery::End(last) => {
                self.ended = true;
                last.into_iter().for_each(|m| self.framing.put(m, out));
            }
        }
    }

    /// Tells a client that returns what lies between its last cycle and the first that it is sent.
    fn missed(&mut self, out: &mut Vec<u8>) {
        let Some(cycle) = self.subscription.last else { return };
        if let Some(after) = self.after.take()
            && after.saturating_add(1) < cycle
        {
            let missed = Live::Missed(Missed { after, until: cycle - 1 });
            let rendered = Rendered::of(&missed, self.format);
            self.framing.put(Outgoing { kind: "missed", cycle: None, rendered }, out);
        }
    }

    fn beat(&self, out: &mut Vec<u8>) {
        if self.framing == Framing::Events {
            out.extend_from_slice(b": heartbeat\n\n");
        } else {
            let beat = Live::Heartbeat(Heartbeat { cycle: self.subscription.last });
            let rendered = Rendered::of(&beat, self.format);
            self.framing.put(Outgoing { kind: "heartbeat", cycle: None, rendered }, out);
        }
    }
}
