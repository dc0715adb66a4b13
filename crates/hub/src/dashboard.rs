//! The page that people see: static files, compiled in, and nothing from anywhere else. `docs/dashboard.md`.

use crate::message;
use crate::privacy::What;
use crate::server::{self, Shared};
use crate::zones::ZoneConfig;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Router, http};
use serde_json::{Value, json};
use wavewitness_types::{AccessPointPlace, Geometry, PrivacyMode};

/// Only this origin's files, and no code from anywhere else; `wasm-unsafe-eval` lets the verifier be compiled.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'";

macro_rules! assets {
    ($($name:literal: $kind:expr),* $(,)?) => {
        &[$(($name, $kind, include_bytes!(concat!("../web/", $name)))),*]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const WASM: &str = "application/wasm";
const SVG: &str = "image/svg+xml";

/// Name below `/web/`, content type, bytes.
const ASSETS: &[(&str, &str, &[u8])] = assets! {
    "index.html": HTML,
    "style.css": CSS,
    "icon.svg": SVG,
    "app.js": JS,
    "calibration.js": JS,
    "connection.js": JS,
    "dom.js": JS,
    "panels.js": JS,
    "projection.js": JS,
    "scene.js": JS,
    "timeline.js": JS,
    "times.js": JS,
    "verifier.js": JS,
    "verify.js": JS,
    "words.js": JS,
    "verify.wasm": WASM,
    "verify-simd.wasm": WASM,
};

/// The page at `/`, its files below `/web/`, and where things stand in the room.
///
/// The files hold no datum of the hub, so they need no token; `/api/v1/geometry` is the operator's configuration.
pub fn routes() -> Router<Shared> {
    let mut router = Router::new()
        .route("/", get(root))
        .route("/api/v1", get(server::index))
        .route("/api/v1/geometry", get(geometry));
    for &(name, kind, bytes) in ASSETS {
        router = router.route(&format!("/web/{name}"), get(move || async move { asset(kind, bytes) }));
    }
    router
}

/// A browser asks for a page, a program for the list of endpoints.
async fn root(headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/html") {
        return server::index().await.into_response();
    }
    let &(_, kind, bytes) = ASSETS.first().expect("the first asset is the page");
    asset(kind, bytes)
}

fn asset(kind: &'static str, bytes: &'static [u8]) -> Response {
    let headers: [(HeaderName, &str); 7] = [
        (header::CONTENT_TYPE, kind),
        // A hub that was upgraded must not be shown by the page of the one before.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (http::StatusCode::OK, headers, bytes).into_response()
}

/// Where room, nodes, access points and zones are, as configured; `null` for what is not, and for addresses that the privacy
/// mode withholds; without the zones if it withholds those. (Nodes are told apart by their numbers.)
pub fn places(geometry: &Geometry, zones: &[ZoneConfig], mode: PrivacyMode) -> Value {
    let Geometry { room, nodes, access_points } = geometry;
    let access_point = |a: &AccessPointPlace| {
        let mac = What::Addresses.given(mode).then(|| a.mac.to_string());
        json!({ "mac": mac, "position_m": a.position_m })
    };
    let mut places = json!({
        "schema": message::SCHEMA_VERSION,
        "room": room.as_ref().map(|r| json!({ "min_m": r.min_m, "max_m": r.max_m })),
        "nodes": nodes.iter().map(|n| json!({ "node": n.id.0, "position_m": n.position_m })).collect::<Vec<_>>(),
        "access_points": access_points.iter().map(access_point).collect::<Vec<_>>(),
    });
    if What::Zones.given(mode) {
        places["zones"] = zones.iter().map(zone).collect();
    }
    places
}

fn zone(zone: &ZoneConfig) -> Value {
    json!({ "name": zone.name, "floor_m": zone.floor_m(), "z_m": zone.z_m() })
}

async fn geometry(State(shared): State<Shared>) -> Json<Value> {
    Json(Value::clone(&shared.geometry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_comes_first_and_names_only_files_that_are_there() {
        assert_eq!(ASSETS[0].0, "index.html");
        for (name, kind, bytes) in ASSETS.iter().filter(|(_, kind, _)| [HTML, CSS, JS].contains(kind)) {
            let text = std::str::from_utf8(bytes).unwrap();
            assert!(!text.contains("http://") || *kind == HTML, "{name} names another host");
            assert!(!text.contains("https://"), "{name} names another host");
            for quoted in
                text.split(['"', '\'', '`']).filter(|q| q.starts_with("./") || q.starts_with("/web/"))
            {
                let file = quoted.trim_start_matches("./").trim_start_matches("/web/");
                if file.contains('.') && !file.contains('$') {
                    assert!(ASSETS.iter().any(|(n, ..)| *n == file), "{name} names {quoted}");
                }
            }
        }
    }

    #[test]
    fn addresses_are_withheld_where_links_withhold_them() {
        let mac = wavewitness_types::Mac([2, 0, 0, 0, 0, 9]);
        let geometry = Geometry {
            access_points: vec![AccessPointPlace { mac, position_m: Some([1.0; 3]) }],
            ..Geometry::default()
        };
        for mode in PrivacyMode::ALL {
            let text = places(&geometry, &[], mode).to_string();
            assert_eq!(text.contains(&mac.to_string()), What::Addresses.given(mode), "{}", mode.name());
            assert!(text.contains("[1.0,1.0,1.0]"), "{text}");
        }
    }
}
