//! In front of every route: whose page it is, who asks, and whether that role may.

use super::{Shared, Stay, rest};
use crate::access::{Access, Role, TokenHash};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wavewitness_types::Timestamp;

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Wrong tokens from one address within a minute before it is told to wait.
const MOST_FAILURES: u32 = 10;
/// Addresses whose failures are remembered.
const MOST_ADDRESSES: usize = 1024;
const FAILURES_LAST_NS: u64 = 60_000_000_000;
/// A request with a body must be read and answered within this time.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Wrong tokens by address.
#[derive(Clone, Default)]
pub struct Failures(Arc<Mutex<BTreeMap<IpAddr, (u32, Timestamp)>>>);

impl Failures {
    /// Counts a wrong token. True if the address had too many within a minute.
    fn count(&self, from: IpAddr, now: Timestamp) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= MOST_ADDRESSES {
            table.retain(|_, (_, since)| now.nanos_since(*since) < FAILURES_LAST_NS);
        }
        if table.len() >= MOST_ADDRESSES && !table.contains_key(&from) {
            return true;
        }
        let entry = table.entry(from).or_insert((0, now));
        if now.nanos_since(entry.1) >= FAILURES_LAST_NS {
            *entry = (0, now);
        }
        entry.0 = entry.0.saturating_add(1);
        entry.0 > MOST_FAILURES
    }
}

/// The comma-separated values of a header.
pub fn list(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).map(str::trim)
}

/// What anybody may ask of a hub with tokens: whether it lives, and the page, which is public and asks for a token itself.
fn is_open(path: &str) -> bool {
    matches!(path, "/health" | "/health/live" | "/health/ready" | "/")
        || path.starts_with("/web/")
        || path == "/ui"
        || path.starts_with("/ui/")
}

/// What a browser can't give an `Authorization` with. A URL ends up in logs, so nowhere else.
fn takes_query_token(path: &str) -> bool {
    path.starts_with("/ws/") || matches!(path, "/api/v1/events" | "/api/v1/stream" | "/api/v1/stream/pose")
}

/// The token of a request: `Authorization: Bearer …`; the WebSocket subprotocol `bearer.…`; for streams `?token=…`.
fn token(request: &Request) -> Option<&str> {
    let headers = request.headers();
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.split_once(' '));
    if let Some((scheme, token)) = bearer
        && scheme.eq_ignore_ascii_case("bearer")
    {
        return Some(token.trim());
    }
    let protocol = list(headers, header::SEC_WEBSOCKET_PROTOCOL).find_map(|p| p.strip_prefix("bearer."));
    protocol.or_else(|| {
        let query = request.uri().query().filter(|_| takes_query_token(request.uri().path()))?;
        query.split('&').find_map(|pair| pair.strip_prefix("token="))
    })
}

fn unauthorised(text: &str) -> Response {
    let mut response = rest::error(StatusCode::UNAUTHORIZED, text);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// What the request is answered if it may not go on.
fn admit(shared: &Shared, access: &Access, request: &Request, changes: bool) -> Option<Response> {
    if changes && !is_json(request.headers()) {
        let text = "Content-Type: allowed is application/json";
        return Some(rest::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    if access.tokens.is_empty() || is_open(request.uri().path()) {
        return None;
    }
    let Some(token) = token(request) else {
        let text = "a token is needed: send `Authorization: Bearer TOKEN`";
        return Some(unauthorised(text));
    };
    let Some(known) = access.recognise(token) else {
        shared.status.update(|s| s.served.refused_tokens += 1);
        let from = request.extensions().get::<Peer>().map_or(IpAddr::from([0; 4]), |p| p.0.ip());
        // A good token is never locked out by somebody else's bad ones: it has 256 bits, guessing it is hopeless.
        if shared.failures.count(from, shared.clock.now()) {
            let mut response =
                rest::error(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens: wait a minute");
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            return Some(response);
        }
        return Some(unauthorised("this token is not known"));
    };
    if changes && known.role < Role::Operator {
        let text = format_args!("the token \"{}\" has the role viewer: this needs operator", known.name);
        return Some(rest::error(StatusCode::FORBIDDEN, text));
    }
    None
}

/// A form of another page can't send this type without asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}

/// What becomes of a request.
struct Verdict {
    /// What it is answered without being looked at.
    answer: Option<Response>,
    /// The page that asks, if it may.
    origin: Option<HeaderValue>,
    /// A browser asks whether it may ask.
    preflight: bool,
    /// It may change something, and has a body.
    changes: bool,
}

fn judge(shared: &Shared, request: &Request) -> Verdict {
    let access = shared.access.current();
    let text = |name| request.headers().get(name).map(|v: &HeaderValue| v.to_str().unwrap_or("(no text)"));
    let host = text(header::HOST);
    // A browser always says whose page asks: that page must be ours.
    let second = |o: &str| {
        host.is_some_and(|host| {
            crate::peer::is_own_page(&shared.peer.config, o, host, shared.status.update(|s| s.http))
        })
    };
    let foreign = text(header::ORIGIN).is_some_and(|o| !access.is_origin(o, host) && !second(o));
    let rebound = access.tokens.is_empty() && !host.is_some_and(|h| access.is_host(h));
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if foreign || rebound {
        shared.status.update(|s| s.served.refused_origins += 1);
        let text = "a page of this origin, or a host of this name, may not ask: see http.origins";
        let answer = Some(rest::error(StatusCode::FORBIDDEN, text));
        return Verdict { answer, origin: None, preflight: false, changes };
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let preflight = *request.method() == Method::OPTIONS && origin.is_some();
    let answer = if preflight {
        Some(StatusCode::NO_CONTENT.into_response())
    } else {
        admit(shared, &access, request, changes)
    };
    Verdict { answer, origin, preflight, changes }
}

/// The layer.
pub async fn guard(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let Verdict { answer, origin, preflight, changes } = judge(&shared, &request);
    let came_with = token(&request).map(TokenHash::of);
    request.extensions_mut().insert(Stay::new(&shared, came_with));
    let mut response = match answer {
        Some(response) => response,
        None if changes => match tokio::time::timeout(CHANGE_TIMEOUT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => rest::error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        },
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if preflight {
            let constant = HeaderValue::from_static;
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, constant("GET, POST"));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, constant("authorization, content-type"));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn a_token_is_found_where_it_may_be_and_nowhere_else() {
        let request = |path: &str, pairs: &[(&str, &str)]| {
            let mut builder = Request::builder().uri(path);
            for (name, value) in pairs {
                builder = builder.header(*name, *value);
            }
            builder.body(Body::empty()).unwrap()
        };
        let none: &[(&str, &str)] = &[];
        assert_eq!(token(&request("/api/v1/status", &[("authorization", "bearer a")])), Some("a"));
        assert_eq!(token(&request("/api/v1/status?token=a", none)), None);
        assert_eq!(token(&request("/ws/v1?rate_hz=1&token=a", none)), Some("a"));
        assert_eq!(token(&request("/api/v1/events?token=a", none)), Some("a"));
        let protocols = [("sec-websocket-protocol", "wavewitness.v1, bearer.a")];
        assert_eq!(token(&request("/ws/v1", &protocols)), Some("a"));
        assert_eq!(token(&request("/ws/v1", &[("authorization", "Basic a")])), None);
    }

    #[test]
    fn failures_are_counted_by_address_for_a_minute() {
        let failures = Failures::default();
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for k in 0..10 {
            assert!(!failures.count(a, Timestamp(k)));
        }
        assert!(failures.count(a, Timestamp(10)));
        assert!(!failures.count(b, Timestamp(10)), "another address");
        assert!(!failures.count(a, Timestamp(FAILURES_LAST_NS)), "a minute later");
        for k in 0..3000u32 {
            failures.count(IpAddr::from(k.to_be_bytes()), Timestamp(FAILURES_LAST_NS));
        }
        assert!(failures.0.lock().unwrap().len() <= MOST_ADDRESSES);
    }
}
