//! HTTP and WebSocket: health, status, commands, and one message a cycle for every client.
//!
//! A slow client never holds anything up: it has a bounded queue of messages; when it falls behind, the oldest are
//! left out, and it is told how many before the next one.

use crate::clock::Clock;
use crate::message;
use crate::status::{Snapshot, Status};
use crate::witness_log::{self, Served};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use socket2::SockRef;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};
use wavewitness_types::Command;

/// Cycles that wait for a client before the oldest is left out: 0.8 s.
pub const CLIENT_QUEUE: usize = 16;
/// Asked of the kernel for each connection. Its own choice may grow to megabytes, and a slow client would be shown
/// what was half a minute ago instead of being told what it missed.
const SEND_BUFFER: usize = 64 << 10;
/// A client that takes nothing for this long is disconnected.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that sends nothing, not even a pong, for this long is gone.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
const PING_EVERY: Duration = Duration::from_secs(15);

/// What the server needs of the hub.
#[derive(Clone)]
pub struct Shared {
    /// What the hub knows about itself.
    pub status: Status,
    /// Messages as they are published.
    pub messages: broadcast::Sender<Utf8Bytes>,
    /// The hello of a new client.
    pub hello: Arc<dyn Fn() -> String + Send + Sync>,
    /// Takes an operator's command to the cycle; `None` for a replay.
    pub commands: Option<std::sync::mpsc::SyncSender<Command>>,
    /// Most clients at once.
    pub max_clients: u32,
    /// Where the log is that is served; `None` to serve none.
    pub data_dir: Option<PathBuf>,
    /// Time.
    pub clock: Clock,
    /// Becomes true when the hub stops.
    pub stop: watch::Receiver<bool>,
}

/// Serves until `shared.stop` becomes true.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, shared: Shared) -> std::io::Result<()> {
    let mut stop = shared.stop.clone();
    let app = Router::new()
        .route("/", get(index))
        .route("/health", get(health))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/api/v1/status", get(status))
        .route("/api/v1/world", get(world))
        .route("/api/v1/calibration", post(calibrate))
        .route("/log/{*name}", get(log_file))
        .route("/ws/poses", get(poses))
        .with_state(shared);
    let listener = listener.tap_io(|stream| {
        // Neither is needed for a right answer, only for one in time.
        let _ = SockRef::from(&*stream).set_send_buffer_size(SEND_BUFFER);
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            stopping(&mut stop).await;
        })
        .await
}

async fn index() -> impl IntoResponse {
    Json(json!({
        "service": "wavewitness",
        "endpoints": ["/ws/poses", "/log/checkpoint", "/log/root.pub", "/log/tile/…", "/log/certificates/000000",
                      "/health", "/health/live", "/health/ready", "/api/v1/status", "/api/v1/world",
                      "POST /api/v1/calibration {\"action\": \"start\" | \"cancel\" | \"clear\"}"],
    }))
}

/// Why the hub is not alive: it publishes nothing any more, or its cycle stands still.
fn not_live(shared: &Shared, snapshot: &Snapshot) -> Option<String> {
    snapshot.fault.clone().or_else(|| {
        let late_s = shared.clock.now().seconds_since(snapshot.frame.as_ref()?.at);
        (snapshot.udp.is_some() && late_s > 2.0).then(|| format!("no cycle for {late_s:.1} s"))
    })
}

fn answer(good: bool, body: Value) -> Response {
    let code = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(body)).into_response()
}

async fn live(State(shared): State<Shared>) -> Response {
    let reason = not_live(&shared, &shared.status.snapshot());
    answer(reason.is_none(), json!({ "live": reason.is_none(), "reason": reason }))
}

async fn ready(State(shared): State<Shared>) -> Response {
    let reasons = shared.status.snapshot().not_ready();
    answer(reasons.is_empty(), json!({ "ready": reasons.is_empty(), "reasons": reasons }))
}

async fn health(State(shared): State<Shared>) -> Response {
    let snapshot = shared.status.snapshot();
    let dead = not_live(&shared, &snapshot);
    let live = dead.is_none();
    let reasons: Vec<_> = dead.into_iter().chain(snapshot.not_ready()).collect();
    answer(reasons.is_empty(), json!({ "live": live, "ready": reasons.is_empty(), "reasons": reasons }))
}

async fn world(State(shared): State<Shared>) -> Response {
    Json(shared.status.snapshot().world.as_ref().map(message::world)).into_response()
}

async fn status(State(shared): State<Shared>) -> Response {
    Json(shared.status.snapshot().to_json(shared.clock.now())).into_response()
}

/// A file of the transparency log, as C2SP tlog-tiles wants them served.
async fn log_file(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let Some((path, kind)) = shared.data_dir.as_deref().and_then(|dir| witness_log::served(dir, &name))
    else {
        return (StatusCode::NOT_FOUND, "no such file of a log\n").into_response();
    };
    let (content, cache) = match kind {
        Served::Changing if name == "kept" => ("application/octet-stream", "no-store"),
        Served::Changing => ("text/plain; charset=utf-8", "no-store"),
        Served::Text => ("text/plain; charset=utf-8", "public, max-age=31536000, immutable"),
        Served::Tile => ("application/octet-stream", "public, max-age=31536000, immutable"),
    };
    match tokio::task::spawn_blocking(move || std::fs::read(path)).await {
        Ok(Ok(bytes)) => {
            ([(header::CONTENT_TYPE, content), (header::CACHE_CONTROL, cache)], bytes).into_response()
        }
        Ok(Err(_)) | Err(_) => (StatusCode::NOT_FOUND, "the log does not have it\n").into_response(),
    }
}

#[derive(Deserialize)]
struct CalibrationRequest {
    action: String,
}

async fn calibrate(State(shared): State<Shared>, Json(request): Json<CalibrationRequest>) -> Response {
    let command = match request.action.as_str() {
        "start" => Command::StartCalibration,
        "cancel" => Command::CancelCalibration,
        "clear" => Command::ClearCalibration,
        other => {
            let error = format!("action = {other}: allowed is start, cancel or clear");
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
        }
    };
    let Some(commands) = &shared.commands else {
        let error = "a replay can't be calibrated";
        return (StatusCode::CONFLICT, Json(json!({ "error": error }))).into_response();
    };
    match commands.try_send(command) {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "accepted": request.action }))).into_response(),
        Err(_) => {
            let error = "the hub is busy or stopping: try again";
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": error }))).into_response()
        }
    }
}

/// The key of a WebSocket upgrade, if the request is one.
fn upgrade_key(headers: &HeaderMap) -> Option<String> {
    let has = |name: header::HeaderName, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .any(|v| v.split(',').any(|t| t.trim().eq_ignore_ascii_case(token)))
    };
    let version = headers.get(header::SEC_WEBSOCKET_VERSION)?.to_str().ok()?;
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    (has(header::CONNECTION, "upgrade") && has(header::UPGRADE, "websocket") && version == "13")
        .then(|| derive_accept_key(key.as_bytes()))
}

/// A page of another origin must not read the poses of this machine through its visitor's browser: a request with an
/// `Origin` is served only if that origin is this server.
fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let origin = origin.to_str().ok().and_then(|o| o.split_once("://")).map(|(_, rest)| rest);
    host.is_some() && origin == host
}

async fn poses(State(shared): State<Shared>, mut request: Request) -> Response {
    if !same_origin(request.headers()) {
        return (StatusCode::FORBIDDEN, "this origin may not subscribe\n").into_response();
    }
    let Some(accept) = upgrade_key(request.headers()) else {
        return (StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")], "a WebSocket endpoint\n")
            .into_response();
    };
    let admitted = shared.status.update(|s| {
        let room = s.clients < shared.max_clients;
        s.clients += u32::from(room);
        room
    });
    if !admitted {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many clients\n").into_response();
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let limits = WebSocketConfig::default()
                .max_message_size(Some(4096))
                .max_frame_size(Some(4096))
                .write_buffer_size(0)
                .max_write_buffer_size(1 << 20);
            let io = TokioIo::new(upgraded);
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(limits)).await;
            stream(socket, &shared).await;
        }
        shared.status.update(|s| s.clients -= 1);
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty())
        .expect("a response of constant headers and a base64 key is valid")
}

type Sink = futures_util::stream::SplitSink<WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>, Message>;

/// False if the client did not take the message in time.
async fn send(sink: &mut Sink, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_TIMEOUT, sink.send(message)).await, Ok(Ok(())))
}

/// Returns when the hub stops. (A function of its own: what `wait_for` gives must not live across another await.)
async fn stopping(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

async fn stream(socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>, shared: &Shared) {
    let mut messages = shared.messages.subscribe();
    let mut stop = shared.stop.clone();
    let (mut sink, mut source) = socket.split();
    if !send(&mut sink, Message::text((shared.hello)())).await {
        return;
    }
    let mut total = 0;
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut heard = tokio::time::Instant::now();
    loop {
        let go_on = tokio::select! {
            received = messages.recv() => match received {
                Ok(text) => send(&mut sink, Message::Text(text)).await,
                Err(broadcast::error::RecvError::Lagged(n)) => {
                    total += n;
                    shared.status.update(|s| s.dropped += n);
                    send(&mut sink, Message::text(message::dropped(n, total).to_json())).await
                }
                Err(broadcast::error::RecvError::Closed) => false,
            },
            incoming = source.next() => {
                heard = tokio::time::Instant::now();
                // Pings are answered by the protocol layer; text from a client has no meaning yet and is left alone.
                matches!(incoming, Some(Ok(message)) if !message.is_close())
            }
            _ = ping.tick() => {
                heard.elapsed() < SILENCE_TIMEOUT && send(&mut sink, Message::Ping(Bytes::new())).await
            }
            () = stopping(&mut stop) => false,
        };
        if !go_on {
            let _ = send(&mut sink, Message::Close(None)).await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.clone(), v.parse().unwrap())).collect()
    }

    #[test]
    fn a_foreign_page_may_not_subscribe() {
        let host = (header::HOST, "127.0.0.1:8080");
        assert!(same_origin(&headers(std::slice::from_ref(&host))));
        assert!(same_origin(&headers(&[host.clone(), (header::ORIGIN, "http://127.0.0.1:8080")])));
        assert!(!same_origin(&headers(&[host.clone(), (header::ORIGIN, "http://evil.example")])));
        assert!(!same_origin(&headers(&[host, (header::ORIGIN, "null")])));
    }

    #[test]
    fn the_accept_key_is_that_of_rfc_6455() {
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
