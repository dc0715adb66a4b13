"""Every message of the hub's streams against its AsyncAPI document, received by clients that others wrote.

streams.py HOST:PORT ASYNCAPI.json, with a token in WAVEWITNESS_TOKEN. Exit: 0 accepted, 1 refused.
"""
import json
import os
import sys
import time

import cbor2
import httpx
import jsonschema
import websockets
from websockets.sync.client import connect

hub, document = sys.argv[1], json.load(open(sys.argv[2]))
token = os.environ["WAVEWITNESS_TOKEN"]
auth = {"Authorization": f"Bearer {token}"}
topics = ["poses", "presence", "images", "taps", "witness", "health"]


def validator(message):
    payload = document["components"]["messages"][message]["payload"]
    return jsonschema.Draft7Validator({**payload, "components": document["components"]})


live, whole = validator("live"), validator("whole")
checked = {}


def check(judge, message, where):
    for error in judge.iter_errors(message):
        print(f"REFUSED: {where}: {message.get('type')}: {list(error.absolute_path)}: {error.message[:300]}")
        sys.exit(1)
    checked.setdefault(where, set()).add(message["type"])


def need(condition, what):
    if not condition:
        print(f"REFUSED: {what}")
        sys.exit(1)


# The schemas must be able to refuse.
for bad in [{"type": "poses"}, {"type": "nonsense"}, {"type": "subscribed", "topics": ["csi"], "rate_hz": 1, "format": "json"}]:
    need(not live.is_valid(bad), f"the schema takes {bad}")

for path, judge in [("/ws/v1", live), ("/ws/poses", whole)]:
    with connect(f"ws://{hub}{path}", additional_headers=auth) as socket:
        if judge is live:
            socket.send(json.dumps({"type": "subscribe", "topics": topics}))
            socket.send(json.dumps({"type": "subscribe", "topics": ["csi"]}))
            socket.send(json.dumps({"type": "subscribe", "topics": topics}))
        for _ in range(150):
            check(judge, json.loads(socket.recv(timeout=5)), path)

with connect(f"ws://{hub}/ws/v1", subprotocols=["wavewitness.v1", f"bearer.{token}"]) as socket:
    need(socket.subprotocol == "wavewitness.v1", "the subprotocol is not told")
    socket.send(json.dumps({"type": "subscribe", "topics": topics, "rate_hz": 10, "format": "binary"}))
    for _ in range(80):
        data = socket.recv(timeout=5)
        check(live, json.loads(data) if isinstance(data, str) else cbor2.loads(data), "binary")

try:
    connect(f"ws://{hub}/ws/v1").close()
    need(False, "a WebSocket without a token was taken")
except websockets.exceptions.InvalidStatus as e:
    need(e.response.status_code == 401, f"a WebSocket without a token was answered {e.response.status_code}")

query = {"topics": ",".join(topics), "rate_hz": 10}
with httpx.stream("GET", f"http://{hub}/api/v1/stream", params=query, headers=auth, timeout=10) as response:
    need(response.headers["content-type"] == "application/x-ndjson", response.headers["content-type"])
    for k, line in enumerate(response.iter_lines()):
        check(live, json.loads(line), "lines")
        if k > 80:
            break
with httpx.stream("GET", f"http://{hub}/api/v1/events", params=query, headers=auth, timeout=10) as response:
    need(response.headers["content-type"] == "text/event-stream", response.headers["content-type"])
    kind, count = None, 0
    for line in response.iter_lines():
        if line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            message = json.loads(line[6:])
            need(message["type"] == kind, f"event {kind} holds a {message['type']}")
            check(live, message, "events")
            count += 1
        if count > 80:
            break

for where, kinds in checked.items():
    expected = {"hello", "cycle"} if where == "/ws/poses" else {"hello", "subscribed", *topics}
    need(expected <= kinds, f"{where}: only {sorted(kinds)}")
print(f"streams: every message fits its schema: {', '.join(f'{w} ({len(k)} types)' for w, k in checked.items())}")
