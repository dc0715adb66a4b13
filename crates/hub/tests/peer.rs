//! Guards the peer's protocol as `docs/peer.md` has it: its page finds every answer and stream that it asks for, in its own
//! words and ranges; nothing is said that our own stream does not say; off unless it is asked for.

mod common;

use common::*;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use wavewitness_num::math;

async fn socket(http: SocketAddr, path: &str) -> Socket {
    let request = format!("ws://{http}{path}").into_client_request().unwrap();
    tokio_tungstenite::client_async(request, TcpStream::connect(http).await.unwrap()).await.unwrap().0
}

fn share(value: &Value) -> bool {
    value.as_f64().is_some_and(|x| (0.0..=1.0).contains(&x))
}

/// A person that their page takes: it refuses a whole message for one confidence or coordinate out of range.
fn acceptable(person: &Value) {
    assert!(share(&person["confidence"]), "{person}");
    let keypoints = person["keypoints"].as_array().unwrap();
    assert_eq!(keypoints.len(), 17);
    assert_eq!(keypoints[0]["name"], "nose");
    for k in keypoints {
        assert!(share(&k["x"]) && share(&k["y"]) && share(&k["confidence"]), "{k}");
        assert!(["measured", "inferred", "prior"].contains(&k["basis"].as_str().unwrap()));
    }
    for side in ["x", "y", "width", "height"] {
        assert!(share(&person["bbox"][side]), "{person}");
    }
}

/// Their pages draw with y up about the middle of the room: who turns that back has our place, and no mirror's.
fn is_drawn_where_it_is(ours: &Value, theirs: &Value) {
    let room = scene(1).room;
    let number = |v: &Value| v.as_f64().unwrap();
    let [x, height, towards] = [0, 1, 2].map(|k| number(&theirs["position"][k]));
    let middle = |axis: usize| (room.min_m[axis] + room.max_m[axis]) / 2.0;
    let back = [middle(0) + x, middle(1) - towards, room.min_m[2] + height];
    for (axis, place) in back.iter().enumerate() {
        assert!((place - number(&ours["position_m"][axis])).abs() < 1e-3, "{ours} {theirs}");
    }
    let speed = [0, 1, 2].map(|k| number(&ours["velocity_m_s"][k])).iter().map(|v| v * v).sum::<f64>().sqrt();
    let score = number(&theirs["motion_score"]);
    assert!((score - math::min_f64(100.0 * speed / 1.4, 100.0)).abs() < 0.1, "{score} at {speed} m/s");
    if let Some(heading) = ours["heading"]["rad"].as_f64() {
        let facing = number(&theirs["facing"]);
        // Their figure looks along +z, turned from x towards z.
        let looks = [-math::sin(facing), -math::cos(facing)];
        assert!(
            (looks[0] - math::cos(heading)).abs() + (looks[1] - math::sin(heading)).abs() < 1e-3,
            "{heading} {facing}"
        );
    }
}

/// What one cycle of ours and one of theirs must agree on.
fn agrees(ours: &Value, theirs: &Value) {
    let (people, persons) = (ours["people"].as_array().unwrap(), theirs["persons"].as_array().unwrap());
    assert_eq!(people.len(), persons.len());
    people.iter().zip(persons).for_each(|(ours, theirs)| is_drawn_where_it_is(ours, theirs));
    let class = &theirs["classification"];
    match ours["presence"]["state"].as_str().unwrap() {
        "unknown" => {
            assert_eq!((&class["presence"], &class["motion_level"]), (&Value::Null, &"unknown".into()))
        }
        "absent" => {
            assert_eq!((&class["presence"], &class["motion_level"]), (&false.into(), &"absent".into()))
        }
        _ => assert_eq!(class["presence"], true),
    }
    match ours["count"]["state"].as_str().unwrap() {
        "known" => assert_eq!(theirs["estimated_persons"], ours["count"]["most_probable"]),
        _ => assert_eq!(theirs["estimated_persons"], Value::Null),
    }
    assert_eq!(theirs.get("vital_signs").is_some(), ours["breathing"]["state"] == "known");
    let fallen = match ours["fall"]["state"].as_str().unwrap() {
        "unknown" => Value::Null,
        state => (state == "fallen").into(),
    };
    assert_eq!(class.get("fall_detected").unwrap_or(&Value::Null), &fallen);
}

#[test]
fn their_streams_say_what_ours_says_in_their_words() {
    let hub = Site::new("[peer]\nenabled = true");
    let (site, hub) = (&hub, hub.start());
    let air = Air::start(40, 1);
    air.aim(&hub);
    runtime().block_on(async {
        let mut ours = connect(hub.http).await;
        let mut sensing = socket(hub.http, "/ws/sensing").await;
        let mut pose = socket(hub.http, "/api/v1/stream/pose?max_fps=5&min_confidence=0.3").await;
        assert_eq!(next(&mut pose).await.unwrap()["type"], "connection_established");
        pose.send(Message::text(json!({ "type": "ping" }).to_string())).await.unwrap();
        let (mut cycles, mut updates) = (BTreeMap::new(), Vec::new());
        while updates.len() < 200 {
            let update = next(&mut sensing).await.unwrap();
            assert_eq!((&update["type"], &update["source"]), (&"sensing_update".into(), &"simulated".into()));
            updates.push(update);
            let message = next(&mut ours).await.unwrap();
            if message["type"] == "cycle" {
                cycles.insert(message["cycle"].as_u64().unwrap(), message);
            }
        }
        let mut compared = 0;
        for theirs in &updates {
            theirs["persons"].as_array().unwrap().iter().for_each(acceptable);
            assert_eq!(theirs.get("signal_field"), None, "no image is made up");
            assert_eq!(theirs["vital_signs"].get("heart_rate_bpm").unwrap_or(&Value::Null), &Value::Null);
            if let Some(ours) = cycles.get(&theirs["tick"].as_u64().unwrap()) {
                agrees(ours, theirs);
                compared += 1;
            }
        }
        assert!(compared > 150, "{compared}");
        assert!(updates.last().unwrap()["nodes"].as_array().unwrap().len() == 4, "{:?}", updates.last());
        assert!(updates.last().unwrap()["nodes"][0]["position"].is_array());
        let own = &updates.last().unwrap()["node_features"][0];
        assert_eq!(
            (&own["features"], &own["classification"]["motion_level"]),
            (&json!({}), &"unknown".into())
        );
        poses(&mut pose).await;
    });
    drop((air, hub, site));
}

/// The stream of poses since it was opened, some 10 s ago.
async fn poses(pose: &mut Socket) {
    let (mut pong, mut ticks) = (false, Vec::new());
    while ticks.len() < 20 {
        let message = next(pose).await.unwrap();
        match message["type"].as_str().unwrap() {
            "pong" => pong = true,
            "pose_data" => {
                let payload = &message["payload"];
                assert!(message["timestamp"].as_str().unwrap().ends_with('Z'), "a date that a browser reads");
                assert_eq!(payload["pose_source"], "signal_derived");
                assert!(share(&payload["confidence"]));
                let persons = payload["pose"]["persons"].as_array().unwrap();
                assert!(persons.iter().all(|p| p["confidence"].as_f64().unwrap() >= 0.3));
                persons.iter().for_each(acceptable);
                ticks.push(payload["metadata"]["tick"].as_u64().unwrap());
            }
            other => panic!("{other}"),
        }
    }
    assert!(pong);
    // Five a second of twenty: every fourth, but for what the scheduler does to one or another.
    let steps: Vec<_> = ticks.windows(2).map(|t| t[1] - t[0]).collect();
    assert!(steps.iter().filter(|s| **s >= 3).count() * 10 >= steps.len() * 9, "{steps:?}");
}

/// An answer with its head, as it comes.
fn plain(hub: &Daemon, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(hub.http).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", hub.http).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn every_answer_that_their_page_asks_for_is_there() {
    let site = Site::new("");
    let ui = site.dir.path().join("ui");
    std::fs::create_dir(&ui).unwrap();
    std::fs::write(ui.join("index.html"), "<p>their page").unwrap();
    std::fs::write(site.dir.path().join("secret"), "not yours").unwrap();
    let text = std::fs::read_to_string(&site.config).unwrap();
    let peer = format!("{text}\n[peer]\nenabled = true\nui_dir = {ui:?}\n");
    std::fs::write(&site.config, peer).unwrap();
    let hub = site.start();
    let air = Air::start(20, 1);
    air.aim(&hub);
    wait("nodes", || hub.status()["nodes"].as_array().is_some_and(|n| n.len() == 4));
    for (path, field) in [
        ("/health/live", "live"),
        ("/health/health", "components"),
        ("/health/version", "version"),
        ("/health/metrics", "cycles"),
        ("/api/v1/info", "features"),
        ("/api/v1/status", "source"),
        ("/api/v1/sensing/latest", "classification"),
        ("/api/v1/nodes", "nodes"),
        ("/api/v1/vital-signs", "vital_signs"),
        ("/api/v1/pose/current", "persons"),
        ("/api/v1/pose/stats", "frames_processed"),
        ("/api/v1/pose/zones/summary", "zones"),
        ("/api/v1/stream/status", "active"),
        ("/api/v1/calibration/status", "status"),
        ("/api/v1/models", "models"),
        ("/api/v1/models/active", "active"),
        ("/api/v1/models/lora/profiles", "profiles"),
        ("/api/v1/model/info", "status"),
        ("/api/v1/model/sona/profiles", "profiles"),
        ("/api/v1/recording/list", "recordings"),
        ("/api/v1/train/status", "status"),
    ] {
        let (code, body) = hub.get(path);
        assert!(code == 200 && body.get(field).is_some(), "{path}: {code} {body}");
    }
    // Their observatory takes any other answer for "no server", and shows its own demonstration instead.
    let (code, health) = hub.get("/health");
    assert_eq!((code, &health["status"], &health["ready"]), (200, &"ok".into(), &false.into()), "{health}");
    // What their page would turn into a number that nobody measured is left out.
    let (_, stats) = hub.get("/api/v1/pose/stats");
    assert!(stats["persons"] != 0 || stats.get("average_confidence").is_none(), "{stats}");
    let (_, zones) = hub.get("/api/v1/pose/zones/summary");
    let zones = zones["zones"].as_object().unwrap();
    assert!(zones.values().all(|z| z["person_count"].is_u64()), "{zones:?}");
    let refused = plain(&hub, "/api/v1/stream/pose?max_fps=fast");
    assert!(
        refused.starts_with("HTTP/1.1 400") && refused.contains("{\"error\":") && refused.contains("max_fps")
    );
    assert!(plain(&hub, "/ui/").contains("their page"));
    for path in ["/ui/../secret", "/ui/%2e%2e/secret", "/ui/..%2fsecret", "/ui//etc/passwd"] {
        assert!(
            !plain(&hub, path).contains("not yours") && !plain(&hub, path).starts_with("HTTP/1.1 200"),
            "{path}"
        );
    }
}

/// The number of a client's close, after what it sends.
async fn closed_with(socket: &mut Socket, messages: Vec<Message>) -> Option<u16> {
    for message in messages {
        // The hub may have closed before the last of them.
        let _ = socket.send(message).await;
    }
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(frame) = message {
            return frame.map(|f| f.code.into());
        }
    }
    None
}

#[test]
fn their_clients_are_bounded_and_counted_as_ours() {
    let site = Site::new("[peer]\nenabled = true");
    let hub = site.start();
    runtime().block_on(async {
        let ping = || Message::text(r#"{"type":"ping"}"#);
        for path in ["/ws/poses", "/ws/sensing", "/api/v1/stream/pose"] {
            let flood = (0..201).map(|_| ping()).collect();
            assert_eq!(closed_with(&mut socket(hub.http, path).await, flood).await, Some(1008), "{path}");
            let long = vec![Message::text("x".repeat(5000))];
            assert_eq!(closed_with(&mut socket(hub.http, path).await, long).await, Some(1009), "{path}");
        }
    });
    assert_eq!(hub.status()["served"]["oversized"], 3);
}

#[test]
fn it_is_off_unless_asked_for() {
    let site = Site::new("");
    let hub = site.start();
    for path in ["/ws/sensing", "/api/v1/stream/pose", "/api/v1/pose/current", "/health/version", "/ui/"] {
        let answer = plain(&hub, path);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(answer.contains("{\"error\":\"there is no such path"), "{path}: {answer}");
    }
}
