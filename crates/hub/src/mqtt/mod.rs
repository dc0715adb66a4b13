//! MQTT, with discovery by Home Assistant. `docs/home-assistant.md` describes it.
//!
//! Everything that is sent follows from the redacted cycle message ([`crate::privacy`]): what the privacy mode withholds
//! has no topic and no entity. [`Session`] decides what to send and does no I/O; `client` connects and sends.

mod client;
mod discovery;
mod remains;
mod session;
mod states;

pub use client::start;
pub use discovery::discovery;
pub use session::{Publication, Session, View};

use std::path::PathBuf;
use wavewitness_types::ConfigError;

/// Persons that get a place of their own; the count knows more.
pub const PERSON_SLOTS: usize = 4;

/// How the broker is reached, and what it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct MqttConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// True for `mqtts`.
    pub tls: bool,
    /// User, if it asks for one.
    pub username: Option<String>,
    /// File that holds the password; the credential `wavewitness-mqtt-password` of the service manager comes first.
    pub password_file: Option<PathBuf>,
    /// First part of every topic, and the id of the device: one hub, one prefix.
    pub prefix: String,
    /// Where Home Assistant listens for devices.
    pub discovery_prefix: String,
    /// States a second.
    pub rate_hz: f64,
}

/// Name of the credential with the password.
pub const CREDENTIAL: &str = "wavewitness-mqtt-password";

impl MqttConfig {
    /// A broker by its URL, all else as by default.
    ///
    /// # Errors
    /// If it is no URL of the form `mqtt://host[:port]` or `mqtts://host[:port]`. User and password do not belong there.
    pub fn new(url: &str) -> Result<MqttConfig, ConfigError> {
        let wrong = || ConfigError::new("mqtt.url", url, "mqtt://host[:port] or mqtts://host[:port]");
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (rest, if tls { 8883 } else { 1883 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '@', ' ', '?', '#']) || port == 0 {
            return Err(wrong());
        }
        Ok(MqttConfig {
            host: host.to_owned(),
            port,
            tls,
            username: None,
            password_file: None,
            prefix: "wavewitness".to_owned(),
            discovery_prefix: "homeassistant".to_owned(),
            rate_hz: 1.0,
        })
    }

    /// Checks a prefix: levels of letters, digits, `-` and `_`, apart by `/`.
    ///
    /// # Errors
    /// If it is none.
    pub fn check_prefix(field: &str, prefix: &str) -> Result<String, ConfigError> {
        let level =
            |l: &str| !l.is_empty() && l.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if prefix.len() <= 64 && prefix.split('/').all(level) {
            return Ok(prefix.to_owned());
        }
        Err(ConfigError::new(field, prefix, "letters, digits, - and _, levels apart by /, at most 64"))
    }

    /// The device's id.
    pub fn device_id(&self) -> String {
        self.prefix.replace('/', "_")
    }

    /// A topic of ours.
    pub fn topic(&self, rest: &str) -> String {
        format!("{}/{rest}", self.prefix)
    }

    /// Seconds after which a state that is not repeated is no longer believed: five missed ones, at least five seconds.
    pub fn expire_after_s(&self) -> u32 {
        // At most 2 Hz and at least 0.1 Hz: 5 to 50.
        ((5.0 / self.rate_hz).ceil() as u32).clamp(5, 60)
    }

    /// The password, if there is one.
    ///
    /// # Errors
    /// If its file can't be read, is empty, or is readable by others.
    pub fn password(&self) -> Result<Option<String>, String> {
        let credential = std::env::var_os("CREDENTIALS_DIRECTORY")
            .map(|dir| PathBuf::from(dir).join(CREDENTIAL))
            .filter(|path| path.exists());
        let Some(path) = credential.as_ref().or(self.password_file.as_ref()) else { return Ok(None) };
        let told = |e: std::io::Error| format!("mqtt.password_file {}: {e}", path.display());
        let text = std::fs::read_to_string(path).map_err(told)?;
        if credential.is_none() {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).map_err(told)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(format!(
                    "mqtt.password_file {}: mode {mode:04o}, allowed is 0600",
                    path.display()
                ));
            }
        }
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(format!("mqtt.password_file {}: it is empty", path.display())),
            password => Ok(Some(password.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_or_refused() {
        let read = |url| MqttConfig::new(url).map(|c| (c.host, c.port, c.tls)).ok();
        let some = |host: &str, port, tls| Some((host.to_owned(), port, tls));
        assert_eq!(read("mqtt://broker.local"), some("broker.local", 1883, false));
        assert_eq!(read("mqtts://10.0.0.2/"), some("10.0.0.2", 8883, true));
        assert_eq!(read("mqtt://[::1]:1999"), some("::1", 1999, false));
        assert_eq!(read("mqtt://[::1]"), some("::1", 1883, false));
        for url in
            ["broker", "http://b", "mqtt://", "mqtt://u:p@b", "mqtt://b:0", "mqtt://b:70000", "mqtt://b/x"]
        {
            assert_eq!(read(url), None, "{url}");
        }
    }

    #[test]
    fn prefixes_hold_no_wildcard_and_no_empty_level() {
        let good = |p| MqttConfig::check_prefix("mqtt.prefix", p).is_ok();
        assert!(good("wavewitness") && good("home/hub-1"));
        for bad in ["", "/a", "a/", "a//b", "a/+", "#", "a b", "ä"] {
            assert!(!good(bad), "{bad}");
        }
    }

    #[test]
    fn a_password_comes_from_a_file_that_nobody_else_reads() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let config = MqttConfig { password_file: Some(path.clone()), ..MqttConfig::new("mqtt://b").unwrap() };
        assert!(config.password().unwrap_err().contains("password_file"));
        std::fs::write(&path, "s3cret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(config.password().unwrap_err().contains("0600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(config.password().unwrap().as_deref(), Some("s3cret"));
    }
}
