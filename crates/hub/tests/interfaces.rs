//! Guards the second protocol as `docs/protocol.md` has it: topics, rates and forms on WebSocket, events and lines; who may
//! ask what, with tokens, of which page, by which name, over TLS; and that clients which misbehave cost only themselves.

mod common;

use common::*;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use wavewitness_hub::access::{self, Role};
use wavewitness_hub::client::Client;

/// Opens a path as a WebSocket with more headers; else the code that it was answered with.
async fn socket(http: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let stream = tokio::net::TcpStream::connect(http).await.unwrap();
    let mut request = format!("ws://{http}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(e) => panic!("{e}"),
    }
}

/// A plain request's whole answer, or what came of it within two seconds.
fn ask(http: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.take(200_000).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn code(http: SocketAddr, method: &str, path: &str, headers: &str) -> u16 {
    let body = if method == "POST" { "{\"action\":\"cancel\"}" } else { "" };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    ask(http, &request).split(' ').nth(1).unwrap_or("0").parse().unwrap()
}

const JSON: &str = "Content-Type: application/json\r\n";

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message in either form, as JSON.
async fn any(socket: &mut Socket) -> Value {
    loop {
        match tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap().unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Binary(bytes) => return ciborium::from_reader(&bytes[..]).unwrap(),
            _ => {}
        }
    }
}

/// Numbers as `f32` have them: CBOR carries the bits, JSON the shortest digits that mean them.
fn narrowed(value: &Value) -> Value {
    match value {
        Value::Number(n) if n.is_f64() => json!(n.as_f64().unwrap() as f32),
        Value::Array(list) => list.iter().map(narrowed).collect(),
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), narrowed(v))).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_client_gets_what_it_subscribed_to_in_either_form() {
    let site = Site::new("");
    let hub = site.start();
    let air = Air::start(60, 1);
    air.aim(&hub);
    wait("every link", || hub.status()["links"].as_array().is_some_and(|l| l.len() == 12));
    runtime().block_on(async {
        let mut text = socket(hub.http, "/ws/v1", &[]).await.unwrap();
        let mut binary = socket(hub.http, "/ws/v1", &[]).await.unwrap();
        for socket in [&mut text, &mut binary] {
            assert_eq!(any(socket).await["type"], "hello");
        }
        let topics = json!(["poses", "presence", "images", "taps", "witness", "health"]);
        say(&mut text, json!({"type": "subscribe", "topics": topics})).await;
        let told = json!({"type": "subscribed", "topics": topics, "rate_hz": 20, "format": "json"});
        assert_eq!(any(&mut text).await, told);
        say(&mut binary, json!({"type": "subscribe", "topics": topics, "format": "binary"})).await;
        assert_eq!(any(&mut binary).await["type"], "subscribed");
        let mut forms: [BTreeMap<(u64, String), Value>; 2] = Default::default();
        for (socket, seen) in [&mut text, &mut binary].into_iter().zip(&mut forms) {
            while seen.len() < 4 * 30 + 8 {
                let message = any(socket).await;
                let key = (message["cycle"].as_u64().unwrap(), message["type"].as_str().unwrap().to_owned());
                assert!(seen.insert(key, message).is_none(), "a message comes once");
            }
        }
        let both: Vec<_> = forms[0].keys().filter(|k| forms[1].contains_key(k)).collect();
        assert!(both.len() > 50, "{}", both.len());
        let kinds: BTreeSet<_> = both.iter().map(|k| k.1.as_str()).collect();
        assert_eq!(kinds.len(), 6, "{kinds:?}");
        for key in both {
            assert_eq!(narrowed(&forms[0][key]), narrowed(&forms[1][key]), "{key:?}");
        }
        // Fewer, and others, from now on.
        say(&mut text, json!({"type": "subscribe", "topics": ["witness"], "rate_hz": 4})).await;
        while any(&mut text).await["type"] != "subscribed" {}
        let mut cycles = Vec::new();
        while cycles.len() < 6 {
            let message = any(&mut text).await;
            assert_eq!((&message["type"], &message["source"]), (&"witness".into(), &"simulated".into()));
            cycles.push(message["cycle"].as_u64().unwrap());
        }
        assert!(cycles[1..].windows(2).all(|w| w[1] - w[0] >= 5), "4 Hz of 20: {cycles:?}");
        // What has no meaning is named, and what was subscribed goes on.
        say(&mut text, json!({"type": "subscribe", "topics": ["witness"], "rate_hz": 50})).await;
        let mut refusal = any(&mut text).await;
        while refusal["type"] == "witness" {
            refusal = any(&mut text).await;
        }
        let whole =
            json!({"type": "error", "field": "rate_hz", "value": "50", "allowed": "a whole number, 1 to 20"});
        assert_eq!(refusal, whole);
        assert_eq!(any(&mut text).await["type"], "witness");
    });
    let status = hub.status();
    assert_eq!((&status["served"]["malformed"], &status["dropped_cycles"]), (&1.into(), &0.into()));
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
}

/// The lines of a stream until `done`, without the head.
fn stream(
    http: SocketAddr,
    path: &str,
    headers: &str,
    mut done: impl FnMut(&[String]) -> bool,
) -> Vec<String> {
    let mut stream = TcpStream::connect(http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // HTTP/1.0: no chunks.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {http}\r\n{headers}\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let head = lines.next().unwrap();
    assert!(head.contains(" 200 "), "{head}");
    let mut body = Vec::new();
    for line in lines.skip_while(|l| !l.is_empty()).skip(1) {
        body.push(line);
        if done(&body) {
            break;
        }
    }
    body
}

#[test]
fn events_and_lines_carry_the_same_topics() {
    let site = Site::new("");
    let hub = site.start();
    wait("a cycle", || hub.status()["cycles"].as_u64() > Some(5));
    let path = "/api/v1/stream?topics=presence,witness&rate_hz=10";
    let lines = stream(hub.http, path, "", |lines| lines.len() == 12);
    let kinds: Vec<Value> =
        lines.iter().map(|l| serde_json::from_str::<Value>(l).unwrap()["type"].clone()).collect();
    assert_eq!(kinds[..4], [json!("hello"), json!("subscribed"), json!("presence"), json!("witness")]);
    assert!(kinds[4..].chunks(2).all(|c| c == [json!("presence"), json!("witness")]), "{kinds:?}");

    let path = "/api/v1/events?topics=witness";
    let known = stream(hub.http, path, "", |lines| lines.iter().filter(|l| l.is_empty()).count() == 6);
    assert_eq!(known[0], "event: hello");
    let id = |l: &String| l.strip_prefix("id: ").map(|n| n.parse::<u64>().unwrap());
    let cycles: Vec<_> = known.iter().filter_map(id).collect();
    assert!(cycles.len() == 4 && cycles.windows(2).all(|w| w[0] < w[1]), "{known:?}");
    let data = known.iter().rfind(|l| l.starts_with("data: ")).unwrap();
    let message: Value = serde_json::from_str(&data["data: ".len()..]).unwrap();
    assert_eq!(message["cycle"].as_u64(), cycles.last().copied());
    // Who returns is told what lies between.
    let last = cycles[3];
    let header = format!("Last-Event-ID: {last}\r\n");
    std::thread::sleep(Duration::from_millis(300));
    let again = stream(hub.http, path, &header, |lines| lines.iter().filter(|l| l.is_empty()).count() == 4);
    let data: Vec<Value> = again
        .iter()
        .filter_map(|l| l.strip_prefix("data: "))
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let first = data[3]["cycle"].as_u64().unwrap();
    assert_eq!(data[2], json!({"type": "missed", "after": last, "until": first - 1}));
    for (path, field) in [
        ("/api/v1/events", "topics = (none)"),
        ("/api/v1/events?topics=csi", "topics = csi"),
        ("/api/v1/stream?topics=poses&rate_hz=0", "rate_hz = 0"),
        ("/api/v1/events?topics=poses&format=binary", "format = binary"),
        ("/api/v1/stream?topics=poses&since=3", "(query) = since"),
    ] {
        let (code, body) = hub.get(path);
        assert_eq!(code, 400, "{path}: {body}");
        assert!(body["error"].as_str().unwrap().starts_with(field), "{path}: {body}");
    }
    wait("the places of those who left", || hub.status()["clients"] == 0);
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
}

/// A site with a viewer and an operator, and their tokens.
fn guarded(more: &str) -> (Site, String, String) {
    let site = Site::new("");
    let (viewer, operator) = (access::new_token().unwrap(), access::new_token().unwrap());
    let tokens =
        [access::section("hall", Role::Viewer, &viewer), access::section("me", Role::Operator, &operator)];
    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, format!("{text}{}\n{more}", tokens.concat())).unwrap();
    (site, viewer, operator)
}

#[test]
fn a_token_opens_what_its_role_may_and_nothing_else() {
    let (site, viewer, operator) = guarded("[http]\norigins = [\"https://home.example\"]\n");
    let mut hub = site.start();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let get = |path: &str, headers: &str| code(hub.http, "GET", path, headers);
    for path in
        ["/api/v1/status", "/api/v1/world", "/api/v1/events?topics=witness", "/log/checkpoint", "/ws/v1"]
    {
        assert_eq!(get(path, ""), 401, "{path}");
        assert_eq!(get(path, &bearer("wavewitness_0")), 401, "{path}");
    }
    assert_eq!(get("/health/live", ""), 200, "a probe needs no token");
    assert_eq!(get("/api/v1/status", &bearer(&viewer)), 200);
    assert_eq!(get(&format!("/api/v1/status?token={viewer}"), ""), 401, "not in a URL that is logged");
    assert_eq!(get(&format!("/ws/v1?token={viewer}"), ""), 426, "known, but no upgrade");
    let post = |headers: &str| code(hub.http, "POST", "/api/v1/calibration", headers);
    assert_eq!(post(JSON), 401);
    assert_eq!(post(&format!("{JSON}{}", bearer(&viewer))), 403);
    assert_eq!(post(&format!("{JSON}{}", bearer(&operator))), 202);
    assert_eq!(
        post(&format!("Content-Type: text/plain\r\n{}", bearer(&operator))),
        415,
        "what a form can send"
    );
    let foreign = format!("{JSON}{}Origin: http://evil.example\r\n", bearer(&operator));
    assert_eq!(post(&foreign), 403);
    let allowed = format!("{JSON}{}Origin: https://home.example\r\n", bearer(&operator));
    assert_eq!(post(&allowed), 202);
    runtime().block_on(async {
        let protocols = format!("wavewitness.v1, bearer.{viewer}");
        let mut by_protocol =
            socket(hub.http, "/ws/v1", &[("Sec-WebSocket-Protocol", &protocols)]).await.unwrap();
        assert_eq!(next(&mut by_protocol).await.unwrap()["type"], "hello");
        let mut by_query = socket(hub.http, &format!("/ws/poses?token={viewer}"), &[]).await.unwrap();
        assert_eq!(next(&mut by_query).await.unwrap()["type"], "hello");
        assert_eq!(socket(hub.http, "/ws/poses", &[]).await.err(), Some(401));
    });
    // Guessing is slowed down, and locks nobody out.
    let answers: Vec<_> = (0..20).map(|_| get("/api/v1/status", &bearer("guess"))).collect();
    assert_eq!(answers.last(), Some(&429));
    assert_eq!(get("/api/v1/status", &bearer(&viewer)), 200);
    // The hub's own commands.
    let mut client = Client::plain(hub.http);
    client.token = Some(operator.clone());
    assert_eq!(client.get("/api/v1/status").unwrap().0, 200);
    let doctor = |token: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavewitness"));
        command.args(["doctor", "--json", "--hub", &hub.http.to_string()]).env("WAVEWITNESS_TOKEN", token);
        output(command)
    };
    assert!(doctor("wrong").1.contains("give --token or WAVEWITNESS_TOKEN"));
    assert_eq!(doctor(&viewer).1, "", "not ready, but nothing to complain of");
    // A token that is taken away is worth nothing after the next SIGHUP.
    let text = std::fs::read_to_string(&site.config).unwrap();
    let without = text.replace(&access::section("hall", Role::Viewer, &viewer), "");
    std::fs::write(&site.config, without).unwrap();
    hub.signal("HUP");
    hub.logged("SIGHUP: log.filter, tokens");
    assert!([401, 429].contains(&code(hub.http, "GET", "/api/v1/status", &bearer(&viewer))));
    assert_eq!(client.get("/api/v1/status").unwrap().0, 200);
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    assert!(!log.contains(&viewer) && !log.contains(&operator), "a token in the log");
}

#[test]
fn who_loses_a_token_loses_what_is_open_too() {
    let (site, viewer, operator) = guarded("[peer]\nenabled = true\n");
    let mut hub = site.start();
    let paths = ["/ws/v1?topics=witness", "/ws/poses?", "/ws/sensing?", "/api/v1/stream/pose?"];
    let with = |path: &str, token: &str| format!("{path}&token={token}");
    let mut events = TcpStream::connect(hub.http).unwrap();
    let path = with("/api/v1/events?topics=witness", &viewer);
    write!(events, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", hub.http).unwrap();
    events.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut events = BufReader::new(events).lines();
    assert!(events.next().unwrap().unwrap().contains(" 200 "));
    runtime().block_on(async {
        let (mut losing, mut keeping) = (Vec::new(), Vec::new());
        for path in paths {
            losing.push(socket(hub.http, &with(path, &viewer), &[]).await.unwrap());
            keeping.push(socket(hub.http, &with(path, &operator), &[]).await.unwrap());
        }
        for socket in losing.iter_mut().chain(&mut keeping) {
            assert!(next(socket).await.is_some());
        }
        // A reload that takes nothing away closes nothing.
        hub.signal("HUP");
        hub.logged("SIGHUP: log.filter, tokens");
        for socket in &mut losing {
            for _ in 0..20 {
                assert!(next(socket).await.is_some());
            }
        }
        let text = std::fs::read_to_string(&site.config).unwrap();
        let without = text.replace(&access::section("hall", Role::Viewer, &viewer), "");
        std::fs::write(&site.config, without).unwrap();
        hub.signal("HUP");
        hub.logged("SIGHUP: log.filter, tokens");
        let clock = wavewitness_hub::clock::Clock::start();
        let began = clock.now();
        for (socket, path) in losing.iter_mut().zip(paths) {
            let code = closed(socket).await;
            if path.starts_with("/ws/v1") || path.starts_with("/ws/poses") {
                assert_eq!(code, Some(1008), "{path}");
            }
        }
        assert!(events.map_while(Result::ok).count() > 0);
        let s = clock.now().seconds_since(began);
        assert!(s < 8.0, "they were open for {s} s more");
        for socket in &mut keeping {
            for _ in 0..20 {
                assert!(next(socket).await.is_some(), "the operator is not concerned");
            }
        }
    });
    wait("the places of those who left", || {
        let mut client = Client::plain(hub.http);
        client.token = Some(operator.clone());
        client.get("/api/v1/status").unwrap().1["clients"] == 0
    });
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
}

/// Reads to the end; the code of the hub's farewell.
async fn closed(socket: &mut Socket) -> Option<u16> {
    loop {
        match tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("still open") {
            Some(Ok(Message::Close(frame))) => return frame.map(|f| f.code.into()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

#[test]
fn the_last_token_can_not_be_taken_away_where_a_network_listens() {
    let (site, viewer, _) = guarded("");
    let text = std::fs::read_to_string(&site.config).unwrap();
    let public = text.replace("http_bind = \"127.0.0.1:0\"", "http_bind = \"0.0.0.0:0\"");
    std::fs::write(&site.config, public).unwrap();
    let mut hub = site.start();
    // The file alone would be fine: without tokens, on loopback. The hub still listens everywhere.
    let tokens = text.find("\n[[token]]").unwrap();
    std::fs::write(&site.config, &text[..tokens]).unwrap();
    hub.signal("HUP");
    hub.logged("SIGHUP: hub.http_bind = 0.0.0.0:");
    assert!(hub.log().contains("nothing is changed"));
    let local = SocketAddr::from(([127, 0, 0, 1], hub.http.port()));
    assert_eq!(code(local, "GET", "/api/v1/status", ""), 401);
    assert_eq!(code(local, "GET", "/api/v1/status", &format!("Authorization: Bearer {viewer}\r\n")), 200);
}

#[test]
fn a_page_can_neither_be_foreign_nor_rebind_its_name() {
    let site = Site::new("");
    let hub = site.start();
    let post = |headers: &str| code(hub.http, "POST", "/api/v1/calibration", headers);
    assert_eq!(post(JSON), 202, "on loopback without tokens, as before");
    assert_eq!(post(&format!("{JSON}Origin: http://evil.example\r\n")), 403);
    assert_eq!(post("Content-Type: application/x-www-form-urlencoded\r\n"), 415);
    let rebound = "GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n";
    assert!(ask(hub.http, rebound).starts_with("HTTP/1.1 403"));
    assert_eq!(hub.status()["served"]["refused_origins"], 2);
}

#[test]
fn beyond_loopback_nothing_listens_without_a_token() {
    let site = Site::new("");
    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, text.replace("http_bind = \"127.0.0.1:0\"", "http_bind = \"0.0.0.0:0\""))
        .unwrap();
    let (code, said) = output(site.command());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("hub.http_bind = 0.0.0.0:0: allowed is a loopback address"), "{said}");
    assert!(said.contains("wavewitness token new") && !site.journal().exists(), "{said}");
}

/// A connection with TLS to a hub whose certificate is in a file.
async fn encrypted(
    http: SocketAddr,
    ca: &std::path::Path,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(http).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    connector.connect(http.ip().into(), stream).await.unwrap()
}

#[test]
fn tls_by_file_is_served_and_reloaded() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let make = || {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hub"]);
        command.args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]);
        command.arg("-keyout").arg(&key).arg("-out").arg(&cert).output()
    };
    if !make().is_ok_and(|o| o.status.success()) {
        eprintln!("SKIPPED: no openssl to make a certificate with");
        return;
    }
    let files = format!("[http]\ntls_cert = {cert:?}\ntls_key = {key:?}\n");
    let (site, viewer, _) = guarded(&files);
    let mut hub = site.start();
    let trusted = std::fs::read(&cert).unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, &trusted).unwrap();
    let mut client = Client { hub: hub.http, token: Some(viewer), tls: Some((ca.clone(), None)) };
    assert_eq!(client.get("/api/v1/status").unwrap().0, 200);
    assert!(Client::plain(hub.http).get("/api/v1/status").is_err(), "no plain answers beside it");
    let token = client.token.clone().unwrap();
    runtime().block_on(async {
        let path = format!("/ws/v1?topics=witness,poses&token={token}");
        let request = format!("wss://{}{path}", hub.http).into_client_request().unwrap();
        let (mut socket, _) =
            tokio_tungstenite::client_async(request, encrypted(hub.http, &ca).await).await.unwrap();
        let mut kinds = BTreeSet::new();
        for _ in 0..40 {
            let Some(Ok(Message::Text(text))) = socket.next().await else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            kinds.insert(message["type"].as_str().unwrap().to_owned());
        }
        assert_eq!(
            kinds.iter().map(String::as_str).collect::<Vec<_>>(),
            ["hello", "poses", "subscribed", "witness"]
        );
        socket.close(None).await.unwrap();
        let mut stream = encrypted(hub.http, &ca).await;
        let head = format!("Host: {}\r\nAuthorization: Bearer {token}\r\n", hub.http);
        let request = format!("GET /api/v1/events?topics=presence HTTP/1.0\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = tokio::io::BufReader::new(stream).lines();
        let mut events = 0;
        while events < 20 {
            events += u32::from(lines.next_line().await.unwrap().unwrap() == "event: presence");
        }
    });
    make().unwrap();
    hub.signal("HUP");
    hub.logged("SIGHUP: log.filter, tokens, origins and certificate are reloaded");
    assert!(client.get("/api/v1/status").is_err(), "the old certificate is no longer shown");
    std::fs::copy(&cert, &ca).unwrap();
    assert_eq!(client.get("/api/v1/status").unwrap().0, 200);
    // A certificate that can't be used changes nothing.
    std::fs::write(&cert, "nonsense").unwrap();
    hub.signal("HUP");
    hub.logged("http.tls_cert = ");
    client.tls = Some((ca, Some("other.example".into())));
    assert!(client.get("/api/v1/status").is_err(), "another name than the certificate's");
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
}

#[test]
fn clients_that_misbehave_cost_only_themselves() {
    let site = Site::new("");
    let hub = site.start();
    runtime().block_on(async {
        let mut good = connect(hub.http).await;
        // Nonsense, again and again: named at first, then the connection ends.
        let mut babbler = socket(hub.http, "/ws/v1", &[]).await.unwrap();
        for _ in 0..30 {
            let _ = babbler.send(Message::text("nonsense")).await;
        }
        let mut errors = 0;
        while let Some(message) = next(&mut babbler).await {
            errors += u32::from(message["type"] == "error");
        }
        assert_eq!(errors, 20);
        // Too much at once.
        let mut wordy = socket(hub.http, "/ws/v1", &[]).await.unwrap();
        wordy.send(Message::text("x".repeat(5000))).await.unwrap();
        while next(&mut wordy).await.is_some() {}
        // Requests that never end, and handshakes that never come: more than there are connections.
        let mut open: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(hub.http).unwrap()).collect();
        for stream in &mut open {
            stream.write_all(b"GET /api/v1/status HTTP/1.1\r\nHost: ").unwrap();
        }
        let (body, head) = ("x".repeat(70_000), format!("Host: {}\r\n{JSON}Connection: close\r\n", hub.http));
        let long = format!("POST /api/v1/calibration HTTP/1.1\r\n{head}Content-Length: 70000\r\n\r\n{body}");
        assert!(ask(hub.http, &long).starts_with("HTTP/1.1 413"));
        let began = wavewitness_hub::clock::Clock::start();
        let from = began.now();
        for stream in &mut open {
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        }
        let s = began.now().seconds_since(from);
        assert!(s < 25.0, "half-open requests were kept for {s} s");
        for _ in 0..50 {
            let kind = next(&mut good).await.unwrap()["type"].clone();
            assert!(kind == "cycle" || kind == "hello" || kind == "dropped");
        }
    });
    let status = hub.status();
    assert_eq!(status["served"]["malformed"], 21);
    assert_eq!(status["served"]["oversized"], 1);
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
}

#[test]
fn more_connections_than_there_are_places_are_refused_and_counted() {
    let site = Site::new("max_clients = 2");
    let hub = site.start();
    let open: Vec<TcpStream> = (0..140).map(|_| TcpStream::connect(hub.http).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    drop(open);
    wait("a place", || Client::plain(hub.http).get("/health/live").is_ok());
    assert!(hub.status()["served"]["refused_connections"].as_u64() >= Some(10), "{}", hub.status()["served"]);
}
