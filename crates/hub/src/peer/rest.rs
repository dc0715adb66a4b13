//! What their page asks once, and the files of the page itself.

use super::{Config, context, translate};
use crate::message;
use crate::server::{Shared, error};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use wavewitness_types::PoseFrame;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The routes.
pub fn routes(config: &Config) -> Router<Shared> {
    let mut router = Router::new()
        .route("/health/health", get(health))
        .route("/health/version", get(async || Json(json!({ "name": "wavewitness", "version": VERSION }))))
        .route("/health/metrics", get(metrics))
        .route("/api/v1/info", get(info))
        .route("/api/v1/sensing/latest", get(latest))
        .route("/api/v1/nodes", get(nodes))
        .route("/api/v1/vital-signs", get(vital_signs))
        .route("/api/v1/pose/current", get(current))
        .route("/api/v1/pose/stats", get(stats))
        .route("/api/v1/pose/zones/summary", get(zones))
        .route("/api/v1/stream/status", get(stream_status))
        .route("/api/v1/calibration/status", get(calibration));
    // Nothing of this kind is here: what their page gets is a valid answer that says so.
    for (path, body) in [
        ("/api/v1/models", json!({ "models": [], "count": 0 })),
        ("/api/v1/models/active", json!({ "active": null, "status": "none" })),
        ("/api/v1/models/lora/profiles", json!({ "profiles": [] })),
        ("/api/v1/model/info", json!({ "status": "no_model", "loaded": false })),
        ("/api/v1/model/sona/profiles", json!({ "profiles": [], "active": null })),
        ("/api/v1/recording/list", json!({ "recordings": [], "count": 0 })),
        ("/api/v1/train/status", json!({ "status": "idle", "active": false })),
    ] {
        router = router.route(path, get(move || async move { Json(body) }));
    }
    match &config.ui_dir {
        Some(dir) => {
            let dir: Arc<FilePath> = Arc::from(dir.as_path());
            let index = Arc::clone(&dir);
            router
                .route("/ui", get(async || Redirect::permanent("/ui/")))
                .route("/ui/", get(move || file(index, "index.html".into())))
                .route("/ui/{*name}", get(move |Path(name): Path<String>| file(dir, name)))
        }
        None => router,
    }
}

/// A file of their page; nothing outside its directory.
async fn file(dir: Arc<FilePath>, name: String) -> Response {
    let path = dir.join(&name);
    let read = tokio::task::spawn_blocking(move || -> Option<(PathBuf, Vec<u8>)> {
        let path = path.canonicalize().ok()?;
        let path = if path.is_dir() { path.join("index.html") } else { path };
        path.starts_with(dir.canonicalize().ok()?)
            .then(|| std::fs::read(&path).ok())?
            .map(|bytes| (path, bytes))
    });
    let Ok(Some((path, bytes))) = read.await else {
        return error(StatusCode::NOT_FOUND, format_args!("peer.ui_dir has no {name}"));
    };
    let kind = match path.extension().and_then(|e| e.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("ico") => "image/x-icon",
        Some("webp") => "image/webp",
        Some("woff2") => "font/woff2",
        Some("webmanifest") => "application/manifest+json",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, kind)], bytes).into_response()
}

/// The last cycle as it may be told; `None` before there is one.
fn cycle(shared: &Shared) -> Option<Arc<message::Cycle>> {
    shared.status.update(|s| s.cycle.clone())
}

fn with_frame<T>(shared: &Shared, look: impl FnOnce(&PoseFrame) -> T) -> Option<T> {
    shared.status.update(|s| s.frame.as_ref().map(look))
}

async fn health(State(shared): State<Shared>) -> Response {
    let snapshot = shared.status.snapshot();
    let reasons = snapshot.not_ready();
    let word = |good: bool| if good { "healthy" } else { "degraded" };
    let silent = with_frame(&shared, |f| f.nodes.iter().filter(|n| n.silent).count()).unwrap_or(0);
    let heard = with_frame(&shared, |f| f.nodes.len()).unwrap_or(0) - silent;
    Json(json!({
        "status": word(reasons.is_empty()),
        "timestamp": crate::clock::iso8601(shared.clock.now()),
        "uptime_seconds": shared.clock.now().seconds_since(snapshot.started),
        "components": {
            "pose": { "status": word(reasons.is_empty()), "message": reasons.join("; ") },
            "stream": { "status": word(snapshot.fault.is_none()), "message": snapshot.fault.clone().unwrap_or_default() },
            "hardware": {
                "status": word(heard > 0 && silent == 0),
                "message": format!("{heard} nodes heard, {silent} silent, source {}", shared.status.source().name()),
            },
        },
        "metrics": {},
    }))
    .into_response()
}

/// Machine load is not ours to measure: what is not known is not here.
async fn metrics(State(shared): State<Shared>) -> Json<Value> {
    let s = shared.status.snapshot();
    let compute = s.compute.summary_us().map(|[p50, p99, max]| json!({ "p50": p50, "p99": p99, "max": max }));
    Json(json!({
        "cycles": s.cycles, "missed_cycles": s.missed, "clients": s.clients, "dropped_cycles": s.dropped,
        "compute_us": compute,
    }))
}

async fn info(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({
        "name": "wavewitness",
        "version": VERSION,
        "environment": translate::source(shared.status.source().name()),
        "features": {
            "presence": true, "pose_estimation": context(&shared).room.is_some(), "breathing": true,
            "heart_rate": false, "model_inference": false, "witness": true,
        },
    }))
}

async fn latest(State(shared): State<Shared>) -> Response {
    match cycle(&shared) {
        Some(cycle) => Json(translate::sensing_update(&cycle, &context(&shared))).into_response(),
        None => error(StatusCode::SERVICE_UNAVAILABLE, "no cycle was computed yet"),
    }
}

async fn nodes(State(shared): State<Shared>) -> Json<Value> {
    let nodes = cycle(&shared).and_then(|c| c.nodes.clone()).unwrap_or_default();
    Json(json!({ "count": nodes.len(), "nodes": nodes }))
}

async fn vital_signs(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({ "vital_signs": cycle(&shared).and_then(|c| translate::vital_signs(&c)) }))
}

async fn current(State(shared): State<Shared>) -> Json<Value> {
    let (context, cycle) = (context(&shared), cycle(&shared));
    let persons = cycle.as_deref().map(|c| translate::persons(c, &context)).unwrap_or_default();
    Json(json!({
        "timestamp": cycle.as_ref().map(|c| c.at.clone()),
        "frame_id": cycle.as_ref().map(|c| format!("cycle_{}", c.cycle)),
        "source": translate::source(shared.status.source().name()),
        "total_persons": persons.len(),
        "persons": persons,
    }))
}

async fn stats(State(shared): State<Shared>) -> Json<Value> {
    let (context, cycle) = (context(&shared), cycle(&shared));
    let persons = cycle.as_deref().map(|c| translate::persons(c, &context)).unwrap_or_default();
    let mean = persons.iter().map(|p| f64::from(p.confidence)).sum::<f64>() / persons.len().max(1) as f64;
    let mut stats = json!({
        "frames_processed": shared.status.update(|s| s.cycles),
        "persons": persons.len(),
        "source": translate::source(shared.status.source().name()),
    });
    if !persons.is_empty() {
        // Left out, not null: their page multiplies what is there, and shows null as an accuracy of 0.0 %.
        stats["average_confidence"] = mean.into();
    }
    Json(stats)
}

async fn zones(State(shared): State<Shared>) -> Json<Value> {
    let cycle = cycle(&shared);
    let occupied = cycle.as_ref().and_then(|c| match c.presence {
        message::Presence::Present { .. } => Some(true),
        message::Presence::Absent { .. } => Some(false),
        message::Presence::Unknown { .. } => None,
    });
    // Their page shows a count that is null as 0, and no zones at all as undefined: that is what we mean.
    let Some(count) = cycle.as_deref().and_then(translate::estimated) else {
        return Json(json!({ "zones": {} }));
    };
    Json(json!({ "zones": { translate::ZONE: { "person_count": count, "occupied": occupied } } }))
}

async fn stream_status(State(shared): State<Shared>) -> Json<Value> {
    let s = shared.status.snapshot();
    Json(json!({
        "active": s.fault.is_none() && s.frame.is_some(),
        "clients": s.clients,
        "fps": 20,
        "source": translate::source(shared.status.source().name()),
    }))
}

async fn calibration(State(shared): State<Shared>) -> Json<Value> {
    let links = cycle(&shared).and_then(|c| c.links.clone()).unwrap_or_default();
    let count = |state: &str| links.iter().filter(|l| l.calibration.state == state).count();
    let (ready, collecting) = (count("ready"), count("collecting"));
    let status = match (ready, collecting) {
        (_, 1..) => "collecting",
        (1.., 0) => "ready",
        _ => "none",
    };
    Json(json!({ "status": status, "links": links.len(), "ready": ready, "collecting": collecting }))
}
