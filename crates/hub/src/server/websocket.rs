//! WebSocket: `/ws/v1` with subscriptions, and `/ws/poses`, every cycle whole.

use super::subscription::{Delivery, Outgoing, Subscription, Wish};
use super::{Farewell, Place, Shared, Stay, guard, rest};
use crate::message::live::Live;
use crate::publish::{Format, Rendered};
use crate::status::Status;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Bytes};

/// The name that a client of `/ws/v1` may ask for, and is then told.
pub const SUBPROTOCOL: &str = "wavewitness.v1";
/// A client that takes nothing for this long is disconnected.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that sends nothing, not even a pong, for this long is gone.
pub(crate) const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
const PING_EVERY: Duration = Duration::from_secs(15);
/// Messages that a client may send between two pings.
pub(crate) const MOST_REQUESTS: u32 = 200;
/// Messages without a meaning that a client may send at all.
const MOST_MALFORMED: u32 = 20;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/ws/v1", get(subscribe)).route("/ws/poses", get(poses))
}

/// The key of a WebSocket upgrade, if the request is one.
fn upgrade_key(headers: &HeaderMap) -> Option<String> {
    let has = |name: header::HeaderName, token: &str| {
        guard::list(headers, name).any(|t| t.eq_ignore_ascii_case(token))
    };
    let version = headers.get(header::SEC_WEBSOCKET_VERSION)?.to_str().ok()?;
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    (has(header::CONNECTION, "upgrade") && has(header::UPGRADE, "websocket") && version == "13")
        .then(|| derive_accept_key(key.as_bytes()))
}

async fn poses(State(shared): State<Shared>, request: Request) -> Response {
    upgrade(shared, request, Wish::whole())
}

async fn subscribe(
    State(shared): State<Shared>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    match Wish::of_query(&query) {
        Ok(wish) => upgrade(shared, request, wish),
        Err(refusal) => rest::refused(refusal),
    }
}

fn upgrade(shared: Shared, request: Request, wish: Wish) -> Response {
    let asked = guard::list(request.headers(), header::SEC_WEBSOCKET_PROTOCOL).any(|p| p == SUBPROTOCOL);
    let mut response = accept(&shared.clone(), request, async move |socket: Socket, stay: Stay| {
        let (sink, source) = socket.split();
        let subscription = Subscription::new(&shared.messages, shared.status.clone(), wish.clone());
        let client = Client { sink, shared, stay, wish, subscription, requests: 0, malformed: 0 };
        client.run(source).await;
    });
    if asked && response.status() == StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    response
}

/// Answers a request for a WebSocket, and calls `serve` with it once the client has switched; the client has one of the
/// places of those that stay until `serve` returns.
pub(crate) fn accept<Serve, Served>(shared: &Shared, mut request: Request, serve: Serve) -> Response
where
    Serve: FnOnce(Socket, Stay) -> Served + Send + 'static,
    Served: Future<Output = ()> + Send,
{
    let Some(accept) = upgrade_key(request.headers()) else {
        return (StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")], "a WebSocket endpoint\n")
            .into_response();
    };
    let Some(place) = Place::take(shared) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many clients\n").into_response();
    };
    let stay = request.extensions().get::<Stay>().cloned().unwrap_or_else(|| Stay::new(shared, None));
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let _place = place;
        let Ok(Ok(upgraded)) = tokio::time::timeout(SEND_TIMEOUT, upgrade).await else { return };
        let limits = WebSocketConfig::default()
            .max_message_size(Some(4096))
            .max_frame_size(Some(4096))
            .write_buffer_size(16 << 10)
            .max_write_buffer_size(1 << 20);
        let io = TokioIo::new(upgraded);
        serve(WebSocketStream::from_raw_socket(io, Role::Server, Some(limits)).await, stay).await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty())
        .expect("a response of constant headers and a base64 key is valid")
}

/// A client's connection.
pub(crate) type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;
type Incoming = Option<Result<Message, tungstenite::Error>>;

/// Whether a connection goes on, or why it ends.
enum Next {
    GoOn,
    /// With what the client is told.
    Close(Option<CloseFrame>),
}

struct Client {
    sink: futures_util::stream::SplitSink<Socket, Message>,
    shared: Shared,
    stay: Stay,
    wish: Wish,
    subscription: Subscription,
    requests: u32,
    malformed: u32,
}

fn wire(rendered: Rendered) -> Message {
    match rendered {
        Rendered::Text(text) => Message::Text(text),
        Rendered::Binary(bytes) => Message::Binary(bytes),
    }
}

fn close(code: CloseCode, reason: &'static str) -> Next {
    Next::Close(Some(farewell(code, reason)))
}

pub(crate) fn farewell(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}

/// Ticks every 15 s, but not at once: the first would begin the count of requests anew in the middle of the first ones.
pub(crate) fn pings() -> tokio::time::Interval {
    tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY)
}

/// What a client is told that broke the protocol, which is counted; nothing if it merely went.
pub(crate) fn offence(error: &tungstenite::Error, status: &Status) -> Option<CloseFrame> {
    let malformed = |code, reason| {
        status.update(|s| s.served.malformed += 1);
        Some(farewell(code, reason))
    };
    match error {
        tungstenite::Error::Capacity(_) => {
            status.update(|s| s.served.oversized += 1);
            Some(farewell(CloseCode::Size, "at most 4096 bytes"))
        }
        // Not a word of farewell is no offence: programs end like that.
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => malformed(CloseCode::Protocol, "not the WebSocket protocol"),
        tungstenite::Error::Utf8(_) => malformed(CloseCode::Invalid, "a text that is not UTF-8"),
        _ => None,
    }
}

impl Client {
    async fn run(mut self, mut source: futures_util::stream::SplitStream<Socket>) {
        let hello = wire(Rendered::of(&Live::Hello((self.shared.hello)()), Format::Json));
        let mut next = self.send([hello]).await;
        if matches!(next, Next::GoOn) && !self.wish.topics.is_empty() {
            next = self.tell(&self.wish.message()).await;
        }
        let mut ping = pings();
        let mut heard = tokio::time::Instant::now();
        while matches!(next, Next::GoOn) {
            next = tokio::select! {
                delivery = self.subscription.next() => self.deliver(delivery).await,
                incoming = source.next() => {
                    heard = tokio::time::Instant::now();
                    self.take(incoming).await
                }
                _ = ping.tick() => {
                    self.requests = 0;
                    if heard.elapsed() < SILENCE_TIMEOUT {
                        self.send([Message::Ping(Bytes::new())]).await
                    } else {
                        self.shared.status.update(|s| s.served.silent += 1);
                        Next::Close(None)
                    }
                }
                why = self.stay.over() => match why {
                    Farewell::Stopping => close(CloseCode::Away, "the hub stops"),
                    Farewell::Revoked => close(CloseCode::Policy, "this token is not known any more"),
                },
            };
        }
        if let Next::Close(frame) = next {
            let _ = self.send([Message::Close(frame)]).await;
        }
    }

    async fn deliver(&mut self, delivery: Delivery) -> Next {
        let wired = |o: Outgoing| wire(o.rendered);
        match delivery {
            Delivery::Messages(messages) if messages.is_empty() => Next::GoOn,
            Delivery::Messages(messages) => self.send(messages.into_iter().map(wired)).await,
            Delivery::End(last) => {
                let _ = self.send(last.map(wired)).await;
                Next::Close(None)
            }
        }
    }

    /// Takes what the client sent.
    async fn take(&mut self, incoming: Incoming) -> Next {
        let text = match incoming {
            Some(Ok(Message::Text(text))) => text,
            // Pings are answered by the protocol layer.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Next::GoOn,
            Some(Ok(Message::Binary(_))) => "(binary)".into(),
            Some(Ok(Message::Close(_))) | None => return Next::Close(None),
            Some(Err(e)) => return Next::Close(offence(&e, &self.shared.status)),
        };
        self.requests += 1;
        if self.requests > MOST_REQUESTS {
            return close(CloseCode::Policy, "too many messages");
        }
        if self.wish.whole {
            // In the first protocol nothing that a client says has a meaning.
            return Next::GoOn;
        }
        match Wish::of_message(&text) {
            Ok(wish) => {
                self.wish = wish.clone();
                self.subscription.replace(wish);
                self.tell(&self.wish.message()).await
            }
            Err(refusal) => {
                self.shared.status.update(|s| s.served.malformed += 1);
                self.malformed += 1;
                if self.malformed > MOST_MALFORMED {
                    return close(CloseCode::Policy, "too many messages without a meaning");
                }
                self.tell(&Live::Error(refusal)).await
            }
        }
    }

    /// An answer, always as text.
    async fn tell(&mut self, message: &Live) -> Next {
        self.send([wire(Rendered::of(message, Format::Json))]).await
    }

    /// Ends the connection if the client did not take the messages in time.
    async fn send(&mut self, messages: impl IntoIterator<Item = Message>) -> Next {
        let sink = &mut self.sink;
        let all = async {
            for message in messages {
                sink.feed(message).await?;
            }
            sink.flush().await
        };
        match tokio::time::timeout(SEND_TIMEOUT, all).await {
            Ok(Ok(())) => Next::GoOn,
            Ok(Err(_)) => Next::Close(None),
            Err(_) => {
                self.shared.status.update(|s| s.served.stalled += 1);
                Next::Close(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_ping_is_due_at_once() {
        let mut ping = pings();
        let soon = tokio::time::timeout(Duration::from_millis(20), ping.tick());
        assert!(soon.await.is_err(), "the first comes after PING_EVERY");
    }

    #[test]
    fn the_accept_key_is_that_of_rfc_6455() {
        let headers = |pairs: &[(header::HeaderName, &str)]| -> HeaderMap {
            pairs.iter().map(|(k, v)| (k.clone(), v.parse().unwrap())).collect()
        };
        let request = headers(&[
            (header::CONNECTION, "keep-alive, Upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ]);
        assert_eq!(upgrade_key(&request).as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(upgrade_key(&headers(&[(header::UPGRADE, "websocket")])), None);
    }
}
