//! Requests with one answer: health, status, world, calibration, the files of the log.

use super::Shared;
use crate::message;
use crate::message::live::Refusal;
use crate::metrics;
use crate::schema;
use crate::status::Snapshot;
use crate::witness_log::{self, Served};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::Value;
use wavewitness_types::Command;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/health", get(health))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/api/v1/status", get(status))
        .route("/metrics", get(prometheus))
        .route("/api/v1/world", get(world))
        .route("/api/v1/calibration", post(calibrate))
        .route("/log/{*name}", get(log_file))
        .route("/api/v1/openapi.json", get(openapi))
        .route("/api/v1/asyncapi.json", get(asyncapi))
}

/// What is served, as [`index`] tells it.
const ENDPOINTS: [&str; 20] = [
    "/ws/v1",
    "/ws/poses",
    "/api/v1",
    "/api/v1/events",
    "/api/v1/stream",
    "/api/v1/openapi.json",
    "/api/v1/asyncapi.json",
    "/metrics",
    "/api/v1/geometry",
    "/api/v1/witness?minutes=2",
    "/log/checkpoint",
    "/log/root.pub",
    "/log/tile/…",
    "/log/certificates/000000",
    "/health",
    "/health/live",
    "/health/ready",
    "/api/v1/status",
    "/api/v1/world",
    "POST /api/v1/calibration {\"action\": \"start\" | \"cancel\" | \"clear\"}",
];

/// The list of endpoints, for programs.
pub async fn index() -> Json<message::Index> {
    Json(message::Index { service: "wavewitness", endpoints: ENDPOINTS.to_vec() })
}

/// An error as every answer has it: `{"error": "…"}`.
pub fn error(code: StatusCode, text: impl std::fmt::Display) -> Response {
    (code, Json(message::ErrorAnswer { error: text.to_string() })).into_response()
}

/// What is wrong with a query.
pub fn refused(refusal: Refusal) -> Response {
    let Refusal { field, value, allowed } = refusal;
    error(StatusCode::BAD_REQUEST, format_args!("{field} = {value}: allowed is {allowed}"))
}

/// Why the hub is not alive: it publishes nothing any more, or its cycle stands still.
fn not_live(shared: &Shared, snapshot: &Snapshot) -> Option<String> {
    snapshot.fault.clone().or_else(|| {
        let late_s = shared.clock.now().seconds_since(snapshot.frame.as_ref()?.at);
        (snapshot.udp.is_some() && late_s > 2.0).then(|| format!("no cycle for {late_s:.1} s"))
    })
}

fn answer(good: bool, body: impl Serialize) -> Response {
    let code = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(body)).into_response()
}

async fn live(State(shared): State<Shared>) -> Response {
    let reason = not_live(&shared, &shared.status.snapshot());
    answer(reason.is_none(), message::LiveAnswer { live: reason.is_none(), reason })
}

async fn ready(State(shared): State<Shared>) -> Response {
    let reasons = shared.status.snapshot().not_ready();
    answer(reasons.is_empty(), message::ReadyAnswer { ready: reasons.is_empty(), reasons })
}

async fn health(State(shared): State<Shared>) -> Response {
    let snapshot = shared.status.snapshot();
    let dead = not_live(&shared, &snapshot);
    let live = dead.is_none();
    let reasons: Vec<_> = dead.into_iter().chain(snapshot.not_ready()).collect();
    let ready = reasons.is_empty();
    // The peer's pages ask here whether there is a server, and show inventions of their own if the answer is another.
    let peer = shared.peer.config.enabled;
    let status = (peer && live).then_some("ok");
    answer(if peer { live } else { ready }, message::HealthAnswer { status, live, ready, reasons })
}

async fn world(State(shared): State<Shared>) -> Response {
    Json(shared.status.snapshot().world_message()).into_response()
}

async fn status(State(shared): State<Shared>) -> Response {
    Json(shared.status.message(shared.clock.now())).into_response()
}

async fn openapi() -> Json<Value> {
    Json(schema::openapi())
}

async fn asyncapi() -> Json<Value> {
    Json(schema::asyncapi())
}

async fn prometheus(State(shared): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::text(&shared.status)).into_response()
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

/// Takes an operator's order into the running cycle.
async fn calibrate(
    State(shared): State<Shared>,
    request: Result<Json<message::CalibrationRequest>, JsonRejection>,
) -> Response {
    let request = match request {
        Ok(Json(request)) => request,
        Err(e) => {
            let text = "(body): allowed is {\"action\": \"start\" | \"cancel\" | \"clear\"}";
            let code = if e.status().is_client_error() { e.status() } else { StatusCode::BAD_REQUEST };
            return error(code, format_args!("{text}; {}", e.body_text()));
        }
    };
    let command = match request.action.as_str() {
        "start" => Command::StartCalibration,
        "cancel" => Command::CancelCalibration,
        "clear" => Command::ClearCalibration,
        other => {
            let text = format_args!("action = {other}: allowed is start, cancel or clear");
            return error(StatusCode::BAD_REQUEST, text);
        }
    };
    let Some(commands) = &shared.commands else {
        return error(StatusCode::CONFLICT, "a replay can't be calibrated");
    };
    match commands.try_send(command) {
        Ok(()) => {
            let accepted = message::Accepted { accepted: request.action };
            (StatusCode::ACCEPTED, Json(accepted)).into_response()
        }
        Err(_) => error(StatusCode::SERVICE_UNAVAILABLE, "the hub is busy or stopping: try again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_of_the_list_is_described_for_machines() {
        let (openapi, asyncapi) = (schema::openapi(), schema::asyncapi());
        let streams = asyncapi["channels"].as_object().unwrap();
        for endpoint in ENDPOINTS {
            let path = endpoint.split(' ').find(|w| w.starts_with('/')).unwrap();
            let path = path.split('?').next().unwrap();
            let asked = match path.strip_prefix("/log/") {
                Some(_) => !openapi["paths"]["/log/{name}"].is_null(),
                None => !openapi["paths"][path].is_null(),
            };
            assert!(asked || streams.values().any(|c| c["address"] == path), "{endpoint}");
        }
    }
}
