//! Guards MQTT against a real broker (Debian's `mosquitto`): discovery and states of a simulated room, retained for who
//! comes later; a threshold that is set; a broker that restarts; Home Assistant's birth message; the last will of a hub
//! that is killed, and the farewell of one that is stopped; the privacy mode.
//!
//! Has caught: nothing yet.

mod common;

use common::{Air, Daemon, Site, wait};
use rumqttc::mqttbytes::QoS;
use rumqttc::{Client, Event, Incoming, MqttOptions, PublishOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A broker on a free port. It asks for a password.
struct Broker {
    child: Child,
    config: PathBuf,
    port: u16,
}

const USER: &str = "hub";
const PASSWORD: &str = "correct horse";

/// The broker's program; `None` (said loudly) if it is not installed.
fn program() -> Option<PathBuf> {
    let found = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let found = found.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        eprintln!(
            "SKIPPED: no mosquitto (Debian's package of that name): MQTT is not tried against a broker"
        );
    }
    found
}

impl Broker {
    fn start(dir: &Path) -> Option<Broker> {
        program()?;
        let passwords = dir.join("passwords");
        let made = Command::new("mosquitto_passwd")
            .args(["-c", "-b"])
            .arg(&passwords)
            .args([USER, PASSWORD])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = dir.join("mosquitto.conf");
        let user =
            if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" { "user root\n" } else { "" };
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\npersistence false\n{user}",
            passwords.display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Broker::run(&config);
        let broker = Broker { child, config, port };
        broker.ready();
        Some(broker)
    }

    fn run(config: &Path) -> Child {
        let (quiet, program) = (Stdio::null, program().unwrap());
        Command::new(program).arg("-c").arg(config).stdout(quiet()).stderr(quiet()).spawn().unwrap()
    }

    fn ready(&self) {
        wait("the broker", || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// Without persistence it forgets everything that it kept.
    fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Broker::run(&self.config);
        self.ready();
    }

    fn client(&self, id: &str) -> (Client, rumqttc::Connection) {
        let mut options = MqttOptions::new(id, ("127.0.0.1", self.port));
        options.set_credentials(USER, PASSWORD);
        // The discovery message of four nodes is longer than the library takes by itself.
        options.set_max_packet_size(Some(1 << 20));
        Client::builder(options).capacity(64).build()
    }

    fn publish(&self, topic: &str, payload: &str) {
        let (client, mut connection) = self.client("test-publisher");
        client.publish(topic, payload.to_owned(), PublishOptions::new(QoS::AtLeastOnce)).unwrap();
        for event in connection.iter() {
            if let Event::Incoming(Incoming::PubAck(_)) = event.unwrap() {
                return;
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What of a topic arrived last, whether it was kept, and how often any arrived.
type Heard = Arc<Mutex<BTreeMap<String, (String, bool, u32)>>>;

/// Hears everything from now on.
fn listen(broker: &Broker, id: &str) -> Heard {
    let heard = Heard::default();
    let (client, mut connection) = broker.client(id);
    client.subscribe("#", QoS::AtLeastOnce).unwrap();
    let sink = Arc::clone(&heard);
    std::thread::spawn(move || {
        // Owned here: a connection without a client ends.
        let _client = client;
        for event in connection.iter() {
            match event {
                Ok(Event::Incoming(Incoming::Publish(p))) => {
                    let topic = String::from_utf8_lossy(&p.topic).into_owned();
                    let payload = String::from_utf8_lossy(&p.payload).into_owned();
                    let mut heard = sink.lock().unwrap();
                    let count = heard.get(&topic).map_or(0, |(_, _, n)| *n);
                    heard.insert(topic, (payload, p.retain, count + 1));
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    });
    heard
}

fn last(heard: &Heard, topic: &str) -> Option<String> {
    heard.lock().unwrap().get(topic).map(|(payload, _, _)| payload.clone())
}

fn json(heard: &Heard, topic: &str) -> Value {
    last(heard, topic).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null)
}

const CONFIG: &str = "homeassistant/device/home_hub/config";

/// A hub that reports to the broker.
fn site(broker: &Broker, password: &Path, mode: &str) -> Site {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(password, PASSWORD).unwrap();
    std::fs::set_permissions(password, std::fs::Permissions::from_mode(0o600)).unwrap();
    Site::new(&format!(
        "[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\nusername = \"{USER}\"\npassword_file = \"{}\"\nprefix = \"home/hub\"\n\
         rate_hz = 2\n[privacy]\nmode = \"{mode}\"\n\
         [[zone]]\nname = \"Left side\"\nmin_m = [0.0, 0.0, -1.0]\nmax_m = [3.0, 5.0, 4.0]\n",
        broker.port,
        password.display()
    ))
}

fn online(heard: &Heard) -> bool {
    last(heard, "home/hub/availability").as_deref() == Some("online")
}

/// Discovery and states are there, each said to be simulated.
fn announced(hub: &Daemon, heard: &Heard) -> Value {
    wait("discovery and states", || {
        // A hub that has little time hears them one after the other, in any order.
        let is_told = |node: u8| {
            json(heard, CONFIG)["components"][format!("node_{node}_rate")].is_object()
                && last(heard, &format!("home/hub/node/{node}")).is_some()
        };
        online(heard) && (1..=4).all(is_told)
    });
    assert!(hub.log().contains("MQTT: connected"), "{}", hub.log());
    let config = json(heard, CONFIG);
    assert_eq!(config["device"]["name"], "Wavewitness SIMULATED");
    assert_eq!(json(heard, "home/hub/room")["source"], "SIMULATED");
    config
}

#[test]
fn a_hub_is_discovered_and_survives_what_brokers_do() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut broker) = Broker::start(dir.path()) else { return };
    let site = site(&broker, &dir.path().join("password"), "raw-research");
    let hub = site.start();
    let air = Air::start(120, 5);
    air.aim(&hub);
    let heard = listen(&broker, "test-a");
    let config = announced(&hub, &heard);
    for key in [
        "occupancy",
        "motion",
        "count",
        "breathing",
        "fall",
        "source",
        "zone_left_side_occupancy",
        "person_1",
        "gate",
        "calibration",
        "missed_cycles",
        "node_1_heard",
        "node_1_rssi",
        "threshold",
    ] {
        assert!(config["components"][key].is_object(), "{key} in {config}");
    }
    // Every topic that discovery names is there, kept for who comes later; but a fall that nobody had.
    let late = listen(&broker, "test-b");
    wait("what is kept", || json(&late, CONFIG).is_object() && last(&late, "home/hub/room").is_some());
    for (key, component) in config["components"].as_object().unwrap() {
        let topic = component["state_topic"].as_str().unwrap();
        if key != "fall" {
            wait(topic, || last(&late, topic).is_some());
        }
        assert_eq!(component["unique_id"], format!("home_hub_{key}"));
    }
    assert_eq!(late.lock().unwrap().get(CONFIG).map(|(_, kept, _)| *kept), Some(true));
    assert_eq!(last(&late, "home/hub/fall"), None);
    schema(&config, dir.path());

    // A threshold is followed; nonsense is not.
    broker.publish("home/hub/threshold/set", "0.8");
    wait("the threshold", || last(&heard, "home/hub/threshold").as_deref() == Some("0.8"));
    broker.publish("home/hub/threshold/set", "7");
    wait("its refusal", || hub.log().contains("allowed is a number"));
    assert_eq!(last(&heard, "home/hub/threshold").as_deref(), Some("0.8"));

    // Home Assistant starts anew: discovery is told again, once.
    let told = || heard.lock().unwrap().get(CONFIG).map_or(0, |(_, _, n)| *n);
    let before = told();
    broker.publish("homeassistant/status", "online");
    wait("discovery after birth", || told() > before);

    // The broker forgets everything; the hub comes back by itself and tells it again.
    broker.restart();
    let again = listen(&broker, "test-c");
    announced(&hub, &again);
    wait("the threshold after a restart", || last(&again, "home/hub/threshold").as_deref() == Some("0.8"));

    // Killed: the broker says so in its stead.
    hub.kill();
    wait("the last will", || last(&again, "home/hub/availability").as_deref() == Some("offline"));

    // Stopped in order: it says so itself.
    let hub = site.start();
    air.aim(&hub);
    wait("the hub to be back", || online(&again));
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    wait("the farewell", || last(&again, "home/hub/availability").as_deref() == Some("offline"));
}

#[test]
fn under_a_strict_mode_the_broker_hears_of_presence_alone() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    let site = site(&broker, &dir.path().join("password"), "strict");
    let hub = site.start();
    let air = Air::start(60, 6);
    air.aim(&hub);
    let heard = listen(&broker, "test-a");
    let config = announced(&hub, &heard);
    let entities: Vec<&String> = config["components"].as_object().unwrap().keys().collect();
    assert_eq!(
        entities,
        [
            "calibration",
            "gate",
            "missed_cycles",
            "node_1_heard",
            "node_1_rate",
            "node_2_heard",
            "node_2_rate",
            "node_3_heard",
            "node_3_rate",
            "node_4_heard",
            "node_4_rate",
            "occupancy",
            "source",
            "threshold"
        ]
    );
    let topics: Vec<String> = heard.lock().unwrap().keys().cloned().collect();
    assert!(
        topics.iter().all(|t| !t.contains("zone") && !t.contains("person") && !t.contains("fall")),
        "{topics:?}"
    );
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
}

#[test]
fn what_a_hub_no_longer_says_does_not_stay_at_the_broker() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    let site = site(&broker, &dir.path().join("password"), "raw-research");
    let hub = site.start();
    let air = Air::start(90, 8);
    air.aim(&hub);
    let before = listen(&broker, "test-a");
    let config = announced(&hub, &before);
    wait("the states of people and zones", || {
        ["home/hub/person/1", "home/hub/zone/left_side"].into_iter().all(|t| last(&before, t).is_some())
    });
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");

    let text = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, text.replace("raw-research", "strict")).unwrap();
    let hub = site.start();
    // No node is heard yet: that is no reason to take one away.
    wait("what is gone", || {
        json(&before, CONFIG)["components"]["person_1"].as_object().is_some_and(|c| c.len() == 1)
    });
    let told = json(&before, CONFIG);
    for key in ["person_1", "zone_left_side_motion", "count", "breathing", "fall", "motion"] {
        let platform = &config["components"][key]["platform"];
        assert_eq!(told["components"][key], json!({ "platform": platform }), "{key}");
    }
    assert_eq!(told["components"]["node_1_rate"], Value::Null, "{told}");
    air.aim(&hub);
    wait("a node", || json(&before, CONFIG)["components"]["node_1_rate"]["state_topic"].is_string());
    assert_eq!(json(&before, CONFIG)["components"]["node_1_rssi"], json!({ "platform": "sensor" }));
    let late = listen(&broker, "test-b");
    wait("what is kept", || json(&late, "home/hub/room")["source"] == "SIMULATED");
    let topics: Vec<String> = late.lock().unwrap().keys().cloned().collect();
    assert!(topics.iter().all(|t| !t.contains("person") && !t.contains("zone")), "{topics:?}");
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
    schema(&told, dir.path());
}

#[test]
fn a_hub_without_its_broker_goes_on_and_a_wrong_password_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(dir.path()) else { return };
    let password = dir.path().join("password");
    let site = site(&broker, &password, "anonymous");
    std::fs::write(&password, "wrong").unwrap();
    let mut hub = site.start();
    hub.logged("MQTT: no connection");
    wait("cycles", || hub.status()["cycles"].as_u64() > Some(20));
    assert!(!hub.log().contains("wrong"), "the password is in the log");
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");
}

/// Home Assistant's own schema on the payload, if WAVEWITNESS_HOMEASSISTANT names a Python that has it.
fn schema(config: &Value, dir: &Path) {
    let Some(python) = std::env::var_os("WAVEWITNESS_HOMEASSISTANT") else {
        eprintln!(
            "SKIPPED: WAVEWITNESS_HOMEASSISTANT names no Python with homeassistant: its schema is not tried (.ci/home)"
        );
        return;
    };
    let file = dir.join("config.json");
    let check = |config: &Value| {
        std::fs::write(&file, config.to_string()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/home_assistant.py");
        let done = Command::new(&python).arg(script).arg(&file).output().unwrap();
        (
            done.status.success(),
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)),
        )
    };
    let (accepted, said) = check(config);
    assert!(accepted, "{said}");
    eprintln!("{said}");
    // And it refuses what is wrong.
    for (key, field, value) in [
        ("occupancy", "device_class", "occupied"),
        ("threshold", "min", "low"),
        ("person_1", "expire_after", "soon"),
    ] {
        let mut wrong = config.clone();
        wrong["components"][key][field] = value.into();
        assert!(!check(&wrong).0, "{key}.{field} = {value} is accepted");
    }
}
