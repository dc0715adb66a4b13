//! The interfaces described for machines, made of the types themselves: AsyncAPI 3 for what is streamed, OpenAPI 3.1 for
//! what is asked. `docs/asyncapi.json` and `docs/openapi.json` are these documents.

use crate::message::live::Request;
use crate::message::{self, Live, Message};
use crate::publish::Topic;
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

const INTRODUCTION: &str = "Poses, presence and their witness from the channel state of Wi-Fi. docs/protocol.md says what each \
field means. Ignore fields and types that you don't know.";

fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// Schemas that the others refer to.
fn definitions(mut generator: SchemaGenerator) -> Map<String, Value> {
    generator.take_definitions(true)
}

fn settings(settings: SchemaSettings, path: &str) -> SchemaGenerator {
    let path = path.to_owned();
    settings
        .for_serialize()
        .with(|s| (s.definitions_path, s.meta_schema) = (path.into(), None))
        .into_generator()
}

/// AsyncAPI 3.0: the WebSocket channels and the streams.
pub fn asyncapi() -> Value {
    let mut generator = settings(SchemaSettings::draft07(), "/components/schemas");
    let live = reference::<Live>(&mut generator);
    let whole = reference::<Message>(&mut generator);
    let request = reference::<Request>(&mut generator);
    let query = |name: &str, text: &str, values: Value| {
        let mut schema = json!({"type": "string", "description": text});
        if !values.is_null() {
            schema["enum"] = values;
        }
        (name.to_owned(), schema)
    };
    let topics: Vec<_> = Topic::ALL.map(Topic::name).to_vec();
    let listed = format!("Topics, separated by commas: {}", topics.join(", "));
    let asked: Map<String, Value> = [
        query("topics", &listed, Value::Null),
        query("rate_hz", "Most messages a second of each topic, 1 to 20", Value::Null),
        query("format", "json, or binary: the same fields in CBOR (RFC 8949)", json!(["json", "binary"])),
        query("token", "A token, for clients that can't send a header", Value::Null),
    ]
    .into_iter()
    .collect();
    let socket = |query: Value| json!({"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}});
    let asked = json!({"type": "object", "properties": asked});
    let token = json!({"type": "object", "properties": {"token": {"type": "string"}}});
    let channel = |address: &str, text: &str, messages: &[&str], bindings: Value| {
        let named =
            messages.iter().map(|m| ((*m).to_owned(), json!({"$ref": format!("#/components/messages/{m}")})));
        let named: Map<String, Value> = named.collect();
        json!({"address": address, "description": text, "messages": named, "bindings": bindings})
    };
    let refer =
        |channel: &str, message: &str| json!([{"$ref": format!("#/channels/{channel}/messages/{message}")}]);
    let operation = |action: &str, name: &str, message: &str| json!({"action": action, "channel": {"$ref": format!("#/channels/{name}")}, "messages": refer(name, message)});
    json!({
        "asyncapi": "3.0.0",
        "info": {"title": "Wavewitness, streams", "version": env!("CARGO_PKG_VERSION"), "description": INTRODUCTION,
                 "license": {"name": "MIT"}},
        "defaultContentType": "application/json",
        "channels": {
            "live": channel("/ws/v1", "WebSocket with subscriptions", &["live", "request"], socket(asked)),
            "poses": channel("/ws/poses", "WebSocket, every cycle whole", &["whole"], socket(token)),
            "events": channel("/api/v1/events", "Server-Sent Events; the data of each is such a message", &["live"], json!({})),
            "stream": channel("/api/v1/stream", "One JSON text a line", &["live"], json!({})),
        },
        "operations": {
            "sendLive": operation("send", "live", "live"),
            "receiveRequest": operation("receive", "live", "request"),
            "sendPoses": operation("send", "poses", "whole"),
            "sendEvents": operation("send", "events", "live"),
            "sendStream": operation("send", "stream", "live"),
        },
        "components": {
            "messages": {
                "live": {"summary": "What a subscriber is sent", "payload": live},
                "whole": {"summary": "What a client of /ws/poses is sent", "payload": whole},
                "request": {"summary": "What a client may send", "payload": request},
            },
            "schemas": definitions(generator),
        },
    })
}

/// One answer.
fn answer(text: &str, schema: Value) -> Value {
    json!({"description": text, "content": {"application/json": {"schema": schema}}})
}

fn raw(text: &str, content: &str) -> Value {
    json!({"description": text, "content": {content: {"schema": {"type": "string"}}}})
}

/// What every path may answer beside its own: `own` of a GET.
fn get(summary: &str, own: Value, error: &Value, open: bool) -> Value {
    let mut answers = own;
    answers["403"] = answer("A page of another origin, or a role that may not", error.clone());
    if !open {
        answers["401"] = answer("No token, or one that is not known", error.clone());
        answers["429"] = answer("Too many wrong tokens", error.clone());
    }
    let security = if open { json!([]) } else { json!([{"bearer": []}, {}]) };
    json!({"get": {"summary": summary, "responses": answers, "security": security}})
}

fn post(summary: &str, body: Value, own: Value, error: &Value) -> Value {
    let mut answers = own;
    for (code, text) in [
        ("400", "Not JSON"),
        ("401", "No token, or one that is not known"),
        ("403", "A page of another origin, or the role viewer"),
        ("408", "The body did not come in time"),
        ("413", "Too long"),
        ("415", "Not application/json"),
        ("422", "JSON of another shape"),
        ("429", "Too many wrong tokens"),
    ] {
        answers[code] = answer(text, error.clone());
    }
    let body = json!({"required": true, "content": {"application/json": {"schema": body}}});
    json!({"post": {"summary": summary, "requestBody": body, "responses": answers, "security": [{"bearer": []}, {}]}})
}

/// A stream is asked with a query, and does not end.
fn stream(summary: &str, content: &str, error: &Value) -> Value {
    let parameter = |name: &str, schema: Value| json!({"name": name, "in": "query", "schema": schema});
    let names = Topic::ALL.map(Topic::name).join("|");
    let mut path =
        get(summary, json!({"200": raw("A stream: see the AsyncAPI document", content)}), error, false);
    path["get"]["responses"]["400"] = answer("Which field is wrong, and what it may hold", error.clone());
    path["get"]["responses"]["503"] = raw("Too many clients", "text/plain");
    let mut topics =
        parameter("topics", json!({"type": "string", "pattern": format!("^({names})(,({names}))*$")}));
    topics["required"] = true.into();
    path["get"]["parameters"] = json!([
        topics,
        parameter("rate_hz", json!({"type": "integer", "minimum": 1, "maximum": 20, "default": 20})),
        parameter("token", json!({"type": "string"})),
    ]);
    path
}

/// What was witnessed lately, as the page's verifier reads it.
fn witness(error: &Value) -> Value {
    let own = json!({
        "200": raw("Records of the last minutes: docs/protocol.md", "application/octet-stream"),
        "400": {"description": "minutes is wrong", "content": {
            "application/json": {"schema": error}, "text/plain": {"schema": {"type": "string"}},
        }},
        "404": answer("No journal is kept", error.clone()),
        "503": answer("Others are reading", error.clone()),
    });
    let mut path = get("Witnesses and outputs of the last minutes", own, error, false);
    let minutes =
        json!({"type": "integer", "minimum": 1, "maximum": crate::recent::MAX_MINUTES, "default": 2});
    path["get"]["parameters"] = json!([{"name": "minutes", "in": "query", "schema": minutes}]);
    path
}

/// OpenAPI 3.1: everything that has one answer, and the two streams.
pub fn openapi() -> Value {
    let mut generator = settings(SchemaSettings::draft2020_12(), "/components/schemas");
    let g = &mut generator;
    let error = reference::<message::ErrorAnswer>(g);
    let (status, index) = (reference::<message::Status>(g), reference::<message::Index>(g));
    let world = json!({"anyOf": [reference::<message::World>(g), {"type": "null"}]});
    let (health, live, ready) = (
        reference::<message::HealthAnswer>(g),
        reference::<message::LiveAnswer>(g),
        reference::<message::ReadyAnswer>(g),
    );
    let (request, accepted) =
        (reference::<message::CalibrationRequest>(g), reference::<message::Accepted>(g));
    let both = |text: &str, schema: &Value| json!({"200": answer(text, schema.clone()), "503": answer("It is not so", schema.clone())});
    let any = json!({"type": "object"});
    let calibration = json!({
        "202": answer("Taken into the running cycle", accepted),
        "409": answer("A replay can't be calibrated", error.clone()),
        "503": answer("Busy or stopping", error.clone()),
    });
    let log = json!({
        "200": raw("A file of the witness log: docs/log.md", "application/octet-stream"),
        "404": raw("The log does not have it, or none is kept", "text/plain"),
    });
    let mut file = get("A file of the witness log", log, &error, false);
    let name = json!({"name": "name", "in": "path", "required": true, "schema": {"type": "string"}});
    file["get"]["parameters"] = json!([name]);
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Wavewitness", "version": env!("CARGO_PKG_VERSION"), "description": INTRODUCTION,
                 "license": {"name": "MIT", "identifier": "MIT"}},
        "paths": {
            "/health": get("Is it live and ready?", both("Live and ready", &health), &error, true),
            "/health/live": get("Does it publish?", both("It does", &live), &error, true),
            "/health/ready": get("Is it to be relied on?", both("It is", &ready), &error, true),
            "/api/v1": get("The list of endpoints", json!({"200": answer("What is served", index)}), &error, false),
            "/api/v1/status": get("What the hub knows about itself", json!({"200": answer("The status", status)}), &error, false),
            "/api/v1/world": get("The world graph as of the last second", json!({"200": answer("The graph; null in the first second", world)}), &error, false),
            "/api/v1/geometry": get("Room, nodes and access points as configured", json!({"200": answer("The places", any.clone())}), &error, false),
            "/api/v1/witness": witness(&error),
            "/metrics": get("Metrics", json!({"200": raw("The text format of Prometheus", "text/plain")}), &error, false),
            "/api/v1/calibration": post("Calibrate", request, calibration, &error),
            "/api/v1/events": stream("Server-Sent Events", "text/event-stream", &error),
            "/api/v1/stream": stream("One JSON text a line", "application/x-ndjson", &error),
            "/api/v1/openapi.json": get("This document", json!({"200": answer("OpenAPI 3.1", any.clone())}), &error, false),
            "/api/v1/asyncapi.json": get("The streams", json!({"200": answer("AsyncAPI 3", any)}), &error, false),
            "/log/{name}": file,
        },
        "components": {
            "schemas": definitions(generator),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` of a document points into it.
    fn resolve(document: &Value, at: &Value) {
        match at {
            Value::Object(fields) => {
                if let Some(Value::String(path)) = fields.get("$ref") {
                    let pointer = path.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{path} points nowhere");
                }
                fields.values().for_each(|v| resolve(document, v));
            }
            Value::Array(list) => list.iter().for_each(|v| resolve(document, v)),
            _ => {}
        }
    }

    #[test]
    fn the_committed_documents_are_what_the_types_say() {
        for (name, document) in [("asyncapi", asyncapi()), ("openapi", openapi())] {
            resolve(&document, &document);
            let path = format!("{}/../../docs/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
            assert!(committed == text, "stale: wavewitness schema {name} > docs/{name}.json");
        }
    }

    #[test]
    fn every_topic_is_described_with_its_fields() {
        let document = asyncapi();
        let variants = document["components"]["schemas"]["Live"]["oneOf"].as_array().unwrap();
        for topic in Topic::ALL.map(Topic::name) {
            let there = |v: &Value| {
                v["properties"]["type"]["const"] == topic
                    || v.to_string().contains(&format!("\"const\":\"{topic}\""))
            };
            assert!(variants.iter().any(there), "{topic}");
        }
    }
}
