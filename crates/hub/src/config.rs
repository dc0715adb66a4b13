//! The configuration file: every key documented, every value refused with its field and range when wrong.

use crate::access::Access;
use crate::mqtt::MqttConfig;
use crate::retention::Retention;
use crate::witness_log::LogConfig;
use crate::zones::{self, ZoneConfig};
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::{Table, Value};
use wavewitness_engine::EngineConfig;
use wavewitness_types::stage_config::ConfigValue;
use wavewitness_types::{AccessPointPlace, ConfigError, Mac, NodeId, NodePlace, PrivacyMode, Room, Source};

/// What the daemon needs to know beside the engine.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Where journal and baselines live.
    pub data_dir: PathBuf,
    /// Where datagrams of nodes arrive.
    pub udp_bind: SocketAddr,
    /// Where HTTP and WebSocket are served.
    pub http_bind: SocketAddr,
    /// What the operator says the datagrams are.
    pub source: Source,
    /// `tracing` filter, as in `RUST_LOG`. The only key that a reload (SIGHUP) changes.
    pub log_filter: String,
    /// Most WebSocket clients at once.
    pub max_clients: u32,
    /// Who may do what.
    pub access: Access,
    /// The peer's protocol.
    pub peer: crate::peer::Config,
    /// The transparency log.
    pub log: LogConfig,
    /// What is deleted by age or size.
    pub retention: Retention,
    /// What is withheld.
    pub privacy: PrivacyConfig,
    /// Parts of the room that are watched.
    pub zones: Vec<ZoneConfig>,
    /// The MQTT broker, if one is told.
    pub mqtt: Option<MqttConfig>,
    /// The engine: geometry, TDMA and every stage.
    pub engine: EngineConfig,
}

/// What is withheld.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrivacyConfig {
    /// The mode.
    pub mode: PrivacyMode,
    /// True if the configuration says it: a hub whose operator never chose one says so at each start.
    pub set: bool,
}

impl Default for HubConfig {
    fn default() -> HubConfig {
        HubConfig {
            data_dir: PathBuf::from("wavewitness-data"),
            udp_bind: SocketAddr::from(([127, 0, 0, 1], 5005)),
            http_bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            source: Source::Live,
            log_filter: "info".to_owned(),
            max_clients: 1024,
            access: Access::default(),
            peer: crate::peer::Config::default(),
            log: LogConfig::default(),
            retention: Retention::default(),
            privacy: PrivacyConfig::default(),
            zones: Vec::new(),
            mqtt: None,
            engine: EngineConfig::default(),
        }
    }
}

const TOP: [&str; 14] = [
    "hub",
    "http",
    "token",
    "log",
    "witness_log",
    "retention",
    "privacy",
    "mqtt",
    "peer",
    "room",
    "zone",
    "node",
    "access_point",
    "tdma",
];

impl HubConfig {
    /// Reads TOML.
    ///
    /// # Errors
    /// If it is not TOML (with line and column), or a key is unknown, of another kind or out of range.
    pub fn from_toml(text: &str) -> Result<HubConfig, ConfigError> {
        let table: Table = text.parse().map_err(|e: toml::de::Error| {
            ConfigError::new("(file)", e.to_string().trim(), "a TOML document")
        })?;
        let mut config = HubConfig::default();
        let stages: Vec<_> = EngineConfig::sections().into_iter().map(|(name, _)| name).collect();
        for (name, value) in &table {
            match name.as_str() {
                "hub" => config.read_hub(section(name, value)?)?,
                "http" => config.access.read_http(section(name, value)?)?,
                "peer" => config.read_peer(section(name, value)?)?,
                "token" => config.access.read_tokens(value)?,
                "log" => config.read_log(section(name, value)?)?,
                "retention" => config.read_retention(section(name, value)?)?,
                "witness_log" => config.read_witness_log(section(name, value)?)?,
                "privacy" => config.read_privacy(section(name, value)?)?,
                "mqtt" => config.mqtt = read_mqtt(section(name, value)?)?,
                "zone" => config.zones = zones::section::read(value)?,
                "room" => config.engine.geometry.room = Some(read_room(section(name, value)?)?),
                "node" => config.engine.geometry.nodes = read_nodes(value)?,
                "access_point" => config.engine.geometry.access_points = read_access_points(value)?,
                "tdma" => config.read_tdma(section(name, value)?)?,
                stage if stages.contains(&stage) => config.read_stage(stage, section(name, value)?)?,
                _ => {
                    let known: Vec<_> = TOP.iter().copied().chain(stages.iter().copied()).collect();
                    return Err(unknown("", name, &known));
                }
            }
        }
        config.access.may_listen("hub.http_bind", config.http_bind)?;
        if let Some(bind) = config.peer.ws_bind {
            config.access.may_listen("peer.ws_bind", bind)?;
            if bind.port() != 0 && bind == config.http_bind {
                let allowed = "another address than hub.http_bind, which serves the same";
                return Err(ConfigError::new("peer.ws_bind", bind, allowed));
            }
        }
        config.engine.check()?;
        Ok(config)
    }

    fn read_hub(&mut self, table: &Table) -> Result<(), ConfigError> {
        for (key, value) in table {
            match key.as_str() {
                "data_dir" => self.data_dir = PathBuf::from(string("hub.data_dir", value)?),
                "udp_bind" => self.udp_bind = address("hub.udp_bind", value)?,
                "http_bind" => self.http_bind = address("hub.http_bind", value)?,
                "source" => {
                    self.source = match string("hub.source", value)? {
                        "live" => Source::Live,
                        "simulated" => Source::Simulated,
                        other => {
                            return Err(ConfigError::new("hub.source", other, "\"live\" or \"simulated\""));
                        }
                    }
                }
                "max_clients" => self.max_clients = whole("hub.max_clients", value, 1, 10_000)?,
                _ => {
                    let known = ["data_dir", "udp_bind", "http_bind", "source", "max_clients"];
                    return Err(unknown("hub.", key, &known));
                }
            }
        }
        Ok(())
    }

    fn read_peer(&mut self, table: &Table) -> Result<(), ConfigError> {
        for (key, value) in table {
            match key.as_str() {
                "enabled" => {
                    self.peer.enabled =
                        value.as_bool().ok_or_else(|| wrong("peer.enabled", value, "true or false"))?;
                }
                "ws_bind" => {
                    let bind = address("peer.ws_bind", value)?;
                    self.peer.ws_bind = Some(bind);
                }
                "ui_dir" => self.peer.ui_dir = Some(string("peer.ui_dir", value)?.into()),
                _ => return Err(unknown("peer.", key, &["enabled", "ws_bind", "ui_dir"])),
            }
        }
        Ok(())
    }

    fn read_log(&mut self, table: &Table) -> Result<(), ConfigError> {
        for (key, value) in table {
            match key.as_str() {
                "filter" => self.log_filter = string("log.filter", value)?.to_owned(),
                _ => return Err(unknown("log.", key, &["filter"])),
            }
        }
        Ok(())
    }

    fn read_witness_log(&mut self, table: &Table) -> Result<(), ConfigError> {
        for (key, value) in table {
            match key.as_str() {
                "key_file" => self.log.key_file = Some(string("witness_log.key_file", value)?.into()),
                "epoch_entries" => {
                    let entries = whole("witness_log.epoch_entries", value, 1_000, 1_000_000_000)?;
                    self.log.options.epoch_entries = u64::from(entries);
                }
                _ => return Err(unknown("witness_log.", key, &["key_file", "epoch_entries"])),
            }
        }
        Ok(())
    }

    fn read_retention(&mut self, table: &Table) -> Result<(), ConfigError> {
        for (key, value) in table {
            match key.as_str() {
                "days" => self.retention.days = whole("retention.days", value, 0, 36_500)?,
                "gigabytes" => self.retention.bytes = gigabytes("retention.gigabytes", value)?,
                _ => return Err(unknown("retention.", key, &["days", "gigabytes"])),
            }
        }
        Ok(())
    }

    fn read_privacy(&mut self, table: &Table) -> Result<(), ConfigError> {
        for (key, value) in table {
            match key.as_str() {
                "mode" => {
                    let names = PrivacyMode::ALL.map(PrivacyMode::name).join(", ");
                    let mode = PrivacyMode::parse(string("privacy.mode", value)?);
                    let mode =
                        mode.ok_or_else(|| wrong("privacy.mode", value, format_args!("one of: {names}")))?;
                    self.privacy = PrivacyConfig { mode, set: true };
                }
                _ => return Err(unknown("privacy.", key, &["mode"])),
            }
        }
        Ok(())
    }

    fn read_tdma(&mut self, table: &Table) -> Result<(), ConfigError> {
        for (key, value) in table {
            match key.as_str() {
                "slots" => {
                    let list =
                        value.as_array().ok_or_else(|| wrong("tdma.slots", value, "a list of node ids"))?;
                    self.engine.cycle.slots = list
                        .iter()
                        .map(|v| whole("tdma.slots", v, 0, 255).map(|id| NodeId(id as u8)))
                        .collect::<Result<_, _>>()?;
                }
                "guard_permille" => {
                    self.engine.cycle.guard_permille = whole("tdma.guard_permille", value, 0, 499)? as u16;
                }
                _ => return Err(unknown("tdma.", key, &["slots", "guard_permille"])),
            }
        }
        Ok(())
    }

    fn read_stage(&mut self, stage: &str, table: &Table) -> Result<(), ConfigError> {
        for (key, value) in table {
            let field = || format!("{stage}.{key}");
            let value = match value {
                Value::Float(x) => ConfigValue::Float(*x),
                Value::Integer(x) => ConfigValue::Integer(*x),
                Value::Boolean(x) => ConfigValue::Bool(*x),
                other => return Err(wrong(&field(), other, "a number, true or false")),
            };
            self.engine.set(stage, key, value)?;
        }
        Ok(())
    }
}

fn section<'a>(name: &str, value: &'a Value) -> Result<&'a Table, ConfigError> {
    value.as_table().ok_or_else(|| wrong(name, value, format_args!("a section: [{name}]")))
}

pub(crate) fn wrong(field: &str, value: &Value, allowed: impl std::fmt::Display) -> ConfigError {
    ConfigError::new(field, value, allowed)
}

pub(crate) fn unknown(prefix: &str, key: &str, known: &[&str]) -> ConfigError {
    ConfigError::new(&format!("{prefix}{key}"), "(unknown key)", format_args!("one of: {}", known.join(", ")))
}

pub(crate) fn string<'a>(field: &str, value: &'a Value) -> Result<&'a str, ConfigError> {
    value.as_str().ok_or_else(|| wrong(field, value, "a string"))
}

fn address(field: &str, value: &Value) -> Result<SocketAddr, ConfigError> {
    string(field, value)?.parse().map_err(|_| wrong(field, value, "address:port, as in \"127.0.0.1:5005\""))
}

fn whole(field: &str, value: &Value, low: u32, high: u32) -> Result<u32, ConfigError> {
    value
        .as_integer()
        .and_then(|x| u32::try_from(x).ok())
        .filter(|x| (low..=high).contains(x))
        .ok_or_else(|| wrong(field, value, format_args!("a whole number, {low} to {high}")))
}

/// As bytes; 0 stays 0.
fn gigabytes(field: &str, value: &Value) -> Result<u64, ConfigError> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|x| x as f64))
        .filter(|x| *x == 0.0 || (0.1..=1e6).contains(x))
        .map(|x| (x * 1e9) as u64)
        .ok_or_else(|| wrong(field, value, "0, or a number from 0.1 to 1000000"))
}

/// N lengths in metres, each -1000 to 1000.
pub(crate) fn metres<const N: usize>(value: &Value) -> Option<[f64; N]> {
    let number = |v: &Value| v.as_float().or_else(|| v.as_integer().map(|x| x as f64));
    let list: Option<Vec<f64>> = value.as_array()?.iter().map(number).collect();
    <[f64; N]>::try_from(list?).ok().filter(|p| p.iter().all(|x| (-1000.0..=1000.0).contains(x)))
}

pub(crate) fn point(field: &str, value: &Value) -> Result<[f64; 3], ConfigError> {
    metres(value).ok_or_else(|| wrong(field, value, "[x, y, z] in metres, each -1000 to 1000"))
}

fn mac(field: &str, value: &Value) -> Result<Mac, ConfigError> {
    Mac::parse(string(field, value)?).ok_or_else(|| wrong(field, value, "a MAC address, aa:bb:cc:dd:ee:ff"))
}

fn read_room(table: &Table) -> Result<Room, ConfigError> {
    let (mut min, mut max) = (None, None);
    for (key, value) in table {
        match key.as_str() {
            "min_m" => min = Some(point("room.min_m", value)?),
            "max_m" => max = Some(point("room.max_m", value)?),
            _ => return Err(unknown("room.", key, &["min_m", "max_m"])),
        }
    }
    let missing = |field| ConfigError::new(field, "(missing)", "[x, y, z] in metres");
    let min_m = min.ok_or_else(|| missing("room.min_m"))?;
    let max_m = max.ok_or_else(|| missing("room.max_m"))?;
    if (0..3).any(|k| max_m[k] - min_m[k] < 0.5) {
        let size = format!("{min_m:?} to {max_m:?}");
        return Err(ConfigError::new("room.max_m", size, "at least 0.5 m beyond room.min_m on every axis"));
    }
    Ok(Room { min_m, max_m })
}

pub(crate) fn tables<'a>(name: &str, value: &'a Value) -> Result<Vec<&'a Table>, ConfigError> {
    value
        .as_array()
        .and_then(|list| list.iter().map(Value::as_table).collect())
        .ok_or_else(|| wrong(name, value, format_args!("sections: [[{name}]]")))
}

fn read_nodes(value: &Value) -> Result<Vec<NodePlace>, ConfigError> {
    let mut nodes = Vec::new();
    for table in tables("node", value)? {
        let mut id = None;
        let mut place = NodePlace { id: NodeId(0), mac: None, position_m: None };
        for (key, value) in table {
            match key.as_str() {
                "id" => id = Some(NodeId(whole("node.id", value, 0, 255)? as u8)),
                "mac" => place.mac = Some(mac("node.mac", value)?),
                "position_m" => place.position_m = Some(point("node.position_m", value)?),
                _ => return Err(unknown("node.", key, &["id", "mac", "position_m"])),
            }
        }
        place.id = id.ok_or_else(|| ConfigError::new("node.id", "(missing)", "a whole number, 0 to 255"))?;
        if nodes.iter().any(|n: &NodePlace| n.id == place.id) {
            return Err(ConfigError::new("node.id", place.id.0, "each id once"));
        }
        nodes.push(place);
    }
    nodes.sort_by_key(|n| n.id);
    Ok(nodes)
}

fn read_mqtt(table: &Table) -> Result<Option<MqttConfig>, ConfigError> {
    let known = ["url", "username", "password_file", "prefix", "discovery_prefix", "rate_hz"];
    // A misspelt url is a key that is unknown, not one that is missing.
    if let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(unknown("mqtt.", key, &known));
    }
    let Some(url) = table.get("url") else {
        if table.is_empty() {
            return Ok(None);
        }
        return Err(ConfigError::new("mqtt.url", "(missing)", "mqtt://host[:port] or mqtts://host[:port]"));
    };
    let mut mqtt = MqttConfig::new(string("mqtt.url", url)?)?;
    if let Some(value) = table.get("username") {
        mqtt.username = Some(string("mqtt.username", value)?.to_owned());
    }
    if let Some(value) = table.get("password_file") {
        mqtt.password_file = Some(string("mqtt.password_file", value)?.into());
    }
    for (field, prefix) in
        [("mqtt.prefix", &mut mqtt.prefix), ("mqtt.discovery_prefix", &mut mqtt.discovery_prefix)]
    {
        if let Some(value) = table.get(field.trim_start_matches("mqtt.")) {
            *prefix = MqttConfig::check_prefix(field, string(field, value)?)?;
        }
    }
    if let Some(value) = table.get("rate_hz") {
        let number = value.as_float().or_else(|| value.as_integer().map(|x| x as f64));
        mqtt.rate_hz = number
            .filter(|x| (0.1..=2.0).contains(x))
            .ok_or_else(|| wrong("mqtt.rate_hz", value, "a number, 0.1 to 2"))?;
    }
    Ok(Some(mqtt))
}

fn read_access_points(value: &Value) -> Result<Vec<AccessPointPlace>, ConfigError> {
    let mut places = Vec::new();
    for table in tables("access_point", value)? {
        let (mut address, mut position_m) = (None, None);
        for (key, value) in table {
            match key.as_str() {
                "mac" => address = Some(mac("access_point.mac", value)?),
                "position_m" => position_m = Some(point("access_point.position_m", value)?),
                _ => return Err(unknown("access_point.", key, &["mac", "position_m"])),
            }
        }
        let mac =
            address.ok_or_else(|| ConfigError::new("access_point.mac", "(missing)", "aa:bb:cc:dd:ee:ff"))?;
        places.push(AccessPointPlace { mac, position_m });
    }
    places.sort_by_key(|a| a.mac);
    Ok(places)
}

/// The commented sample: every key with its meaning, default and range. `deploy/wavewitness.toml` is this text.
pub fn sample() -> String {
    let mut out = include_str!("sample_head.toml").to_owned();
    for (name, keys) in EngineConfig::sections() {
        out.push_str(&format!("\n[{name}]\n"));
        for key in keys {
            for line in key.doc.trim().lines() {
                out.push_str(&format!("# {}\n", line.trim()));
            }
            out.push_str(&format!("# Allowed: {}.\n#{} = {}\n", key.allowed, key.name, key.default));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        HubConfig::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn refusals_name_field_value_and_range() {
        assert_eq!(
            refusal("[hub]\nudp_bind = \"localhost\""),
            "hub.udp_bind = \"localhost\": allowed is address:port, as in \"127.0.0.1:5005\""
        );
        assert_eq!(refusal("[[node]]\nid = 300"), "node.id = 300: allowed is a whole number, 0 to 255");
        assert_eq!(refusal("[[node]]\nid = 3\n[[node]]\nid = 3"), "node.id = 3: allowed is each id once");
        assert!(refusal("[hubb]").starts_with("hubb = (unknown key): allowed is one of: hub, http"));
        assert!(refusal("[hub]\nport = 3").starts_with("hub.port = (unknown key)"));
        assert!(refusal("[room]\nmin_m = [0,0,0]\nmax_m = [5, 0.1, 3]").contains("at least 0.5 m"));
        assert!(refusal("hub = 3").contains("a section: [hub]"));
        assert_eq!(
            refusal("[retention]\ngigabytes = 0.05"),
            "retention.gigabytes = 0.05: allowed is 0, or a number from 0.1 to 1000000"
        );
        let kept = HubConfig::from_toml("[retention]\ngigabytes = 1.5").unwrap().retention;
        assert_eq!(kept.bytes, 1_500_000_000);
        assert!(refusal("[hub").contains("a TOML document"));
        assert!(
            refusal("[mqtt]\nurll = \"mqtt://b\"")
                .starts_with("mqtt.urll = (unknown key): allowed is one of: url")
        );
        assert!(refusal("[mqtt]\nusername = \"a\"").starts_with("mqtt.url = (missing)"));
        let same = "[hub]\nhttp_bind = \"127.0.0.1:8080\"\n[peer]\nws_bind = \"127.0.0.1:8080\"";
        assert!(refusal(same).starts_with("peer.ws_bind = 127.0.0.1:8080: allowed is another address"));
    }

    #[test]
    fn every_stage_key_is_refused_out_of_its_kind_and_taken_at_its_default() {
        for (section, keys) in EngineConfig::sections() {
            for key in keys {
                let field = format!("{section}.{}", key.name);
                let text = format!("[{section}]\n{} = \"text\"", key.name);
                assert!(refusal(&text).starts_with(&field), "{field}");
                let text = format!("[{section}]\n{} = {}", key.name, key.default);
                HubConfig::from_toml(&text).unwrap_or_else(|e| panic!("{field}: {e}"));
            }
        }
    }

    #[test]
    fn no_value_of_a_stage_key_is_taken_that_is_no_number_of_its_range() {
        let odd = [
            "nan",
            "inf",
            "-inf",
            "9223372036854775807",
            "-9223372036854775808",
            "[1]",
            "{ a = 1 }",
            "1979-05-27",
        ];
        for (section, keys) in EngineConfig::sections() {
            for key in keys {
                for value in odd {
                    let field = format!("{section}.{}", key.name);
                    let said = refusal(&format!("[{section}]\n{} = {value}", key.name));
                    assert!(
                        said.starts_with(&field) && said.contains("allowed is"),
                        "{field} = {value}: {said}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_sample_reads_as_the_defaults_commented_or_not() {
        let sample = sample();
        let as_written = HubConfig::from_toml(&sample).unwrap();
        assert_eq!(as_written.engine, HubConfig::default().engine);
        let set: String = sample
            .lines()
            .map(|l| match l.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
                _ => format!("{l}\n"),
            })
            .collect();
        let all_set = HubConfig::from_toml(&set).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(all_set.engine.geometry.nodes.len(), 2);
        let mut without_places = all_set.engine;
        without_places.geometry = as_written.engine.geometry.clone();
        without_places.cycle = as_written.engine.cycle.clone();
        assert_eq!(without_places, as_written.engine);
    }

    #[test]
    fn the_sample_in_deploy_is_the_one_that_the_program_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/wavewitness.toml");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text == sample(), "stale: cargo run --release -- config > deploy/wavewitness.toml");
    }
}
