//! `/ws/sensing` and `/api/v1/stream/pose`.

use super::{context, translate};
use crate::publish::{Published, Update};
use crate::server::websocket::{
    self, MOST_REQUESTS, SEND_TIMEOUT, SILENCE_TIMEOUT, Socket, farewell, offence,
};
use crate::server::{Shared, Stay};
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Their hub sends ten a second.
const FASTEST_HZ: f64 = 20.0;

/// Which stream.
#[derive(Clone, Copy)]
enum Kind {
    Sensing,
    Pose { least_confidence: f32 },
}

#[derive(Deserialize)]
struct PoseQuery {
    min_confidence: Option<f32>,
    max_fps: Option<f64>,
}

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/ws/sensing", get(sensing)).route("/api/v1/stream/pose", get(pose))
}

async fn sensing(State(shared): State<Shared>, request: Request) -> Response {
    start(shared, request, Kind::Sensing, FASTEST_HZ)
}

async fn pose(
    State(shared): State<Shared>,
    query: Result<Query<PoseQuery>, QueryRejection>,
    request: Request,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(e) => return refuse(format_args!("{}", e.body_text())),
    };
    let (confidence, rate_hz) = (query.min_confidence.unwrap_or(0.0), query.max_fps.unwrap_or(FASTEST_HZ));
    if !(0.0..=1.0).contains(&confidence) {
        return refuse(format_args!("min_confidence = {confidence}: allowed is 0 to 1"));
    }
    if !(0.1..=1000.0).contains(&rate_hz) {
        return refuse(format_args!("max_fps = {rate_hz}: allowed is 0.1 to 1000"));
    }
    start(
        shared,
        request,
        Kind::Pose { least_confidence: confidence },
        wavewitness_num::math::min_f64(rate_hz, FASTEST_HZ),
    )
}

fn refuse(text: std::fmt::Arguments<'_>) -> Response {
    crate::server::error(StatusCode::BAD_REQUEST, text).into_response()
}

fn start(shared: Shared, request: Request, kind: Kind, rate_hz: f64) -> Response {
    websocket::accept(&shared.clone(), request, async move |socket: Socket, stay: Stay| {
        serve(socket, stay, shared, kind, rate_hz).await
    })
}

fn text(value: &Value) -> Message {
    Message::text(value.to_string())
}

fn render(update: &Update, shared: &Shared, kind: Kind) -> Message {
    let context = context(shared);
    let json = match kind {
        Kind::Sensing => serde_json::to_string(&translate::sensing_update(update.cycle(), &context)),
        Kind::Pose { least_confidence } => {
            serde_json::to_string(&translate::pose_data(update.cycle(), &context, least_confidence))
        }
    };
    Message::text(json.expect("a message of strings, numbers and lists is JSON"))
}

/// What a client says: `{"type": "ping"}` is answered, all else has no meaning here.
fn answer(message: &Message) -> Option<Message> {
    let said: Value = serde_json::from_str(message.to_text().ok()?).ok()?;
    (said["type"] == "ping").then(|| text(&json!({ "type": "pong" })))
}

async fn serve(socket: Socket, mut stay: Stay, shared: Shared, kind: Kind, rate_hz: f64) {
    let (mut sink, mut source) = socket.split();
    let mut messages = shared.messages.subscribe();
    let least = Duration::from_secs_f64(0.999 / rate_hz - 0.025);
    let mut ping = websocket::pings();
    let (mut requests, mut end) = (0, None);
    let (mut heard, mut sent) = (Instant::now(), None::<Instant>);
    let mut next = match kind {
        Kind::Pose { .. } => {
            let payload = json!({ "status": "connected", "backend": "wavewitness" });
            Some(text(&json!({ "type": "connection_established", "payload": payload })))
        }
        Kind::Sensing => None,
    };
    loop {
        if let Some(message) = next.take() {
            match tokio::time::timeout(SEND_TIMEOUT, sink.send(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => return shared.status.update(|s| s.served.stalled += 1),
            }
        }
        tokio::select! {
            received = messages.recv() => match received {
                Ok(Published::Cycle(update)) => {
                    if sent.is_none_or(|then| then.elapsed() >= least) {
                        sent = Some(Instant::now());
                        next = Some(render(&update, &shared, kind));
                    }
                }
                // Their protocol has no word for what was left out; ours counts it.
                Err(RecvError::Lagged(n)) => shared.status.update(|s| s.dropped += n),
                Ok(Published::Stopped(_)) | Err(RecvError::Closed) => break,
            },
            incoming = source.next() => {
                heard = Instant::now();
                requests += u32::from(matches!(&incoming, Some(Ok(Message::Text(_) | Message::Binary(_)))));
                match incoming {
                    _ if requests > MOST_REQUESTS => {
                        end = Some(farewell(CloseCode::Policy, "too many messages"));
                        break;
                    }
                    Some(Ok(message)) if !message.is_close() => next = answer(&message),
                    Some(Err(e)) => {
                        end = offence(&e, &shared.status);
                        break;
                    }
                    _ => break,
                }
            }
            _ = ping.tick() => {
                requests = 0;
                if heard.elapsed() >= SILENCE_TIMEOUT {
                    shared.status.update(|s| s.served.silent += 1);
                    break;
                }
                next = Some(Message::Ping(Bytes::new()));
            }
            _ = stay.over() => break,
        }
    }
    let _ = tokio::time::timeout(SEND_TIMEOUT, sink.send(Message::Close(end))).await;
}
