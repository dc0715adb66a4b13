//! Who may do what: tokens with a role, pages of other origins, and where the hub may listen at all.
//!
//! A token is 256 random bits. The hub keeps its BLAKE3 only; a password would need a slow hash, this does not, because it
//! can't be guessed.

use crate::config::{self, string, unknown, wrong};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use toml::{Table, Value};
use wavewitness_types::ConfigError;

/// What a token begins with, so that one that leaks is recognised.
const PREFIX: &str = "wavewitness_";
/// Most tokens.
const MOST_TOKENS: usize = 64;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// See everything that is published.
    Viewer,
    /// And change something: calibrate.
    Operator,
}

impl Role {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
        }
    }
}

/// BLAKE3 of a token. Two are compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(blake3::Hash);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TokenHash {
    /// Of a token.
    pub fn of(token: &str) -> TokenHash {
        TokenHash(blake3::hash(token.as_bytes()))
    }
}

/// Makes a token.
///
/// # Errors
/// If the operating system has no randomness.
pub fn new_token() -> Result<String, String> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| format!("no randomness: {e}"))?;
    Ok(format!("{PREFIX}{}", blake3::Hash::from_bytes(bytes).to_hex()))
}

/// The section of the configuration that makes a token known.
pub fn section(name: &str, role: Role, token: &str) -> String {
    let name = Value::String(name.to_owned());
    format!("\n[[token]]\nname = {name}\nrole = \"{}\"\nhash = \"{}\"", role.name(), TokenHash::of(token))
}

/// A configured token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// How it is recognised.
    pub hash: TokenHash,
}

/// Sections `[http]` and `[[token]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Tokens; without one, everybody who reaches the hub may do everything.
    pub tokens: Vec<Token>,
    /// Origins of pages beside the hub's own, as a browser names them.
    pub origins: Vec<String>,
    /// Certificate chain and key, both PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl Access {
    /// Reads `[http]`.
    ///
    /// # Errors
    /// If a key is unknown or wrong.
    pub fn read_http(&mut self, table: &Table) -> Result<(), ConfigError> {
        let (mut cert, mut key) = (None, None);
        for (name, value) in table {
            match name.as_str() {
                "tls_cert" => cert = Some(PathBuf::from(string("http.tls_cert", value)?)),
                "tls_key" => key = Some(PathBuf::from(string("http.tls_key", value)?)),
                "origins" => {
                    let list = value.as_array().ok_or_else(|| wrong("http.origins", value, "a list"))?;
                    self.origins = list.iter().map(origin).collect::<Result<_, _>>()?;
                }
                _ => return Err(unknown("http.", name, &["tls_cert", "tls_key", "origins"])),
            }
        }
        let missing = |field| ConfigError::new(field, "(missing)", "a file: certificate and key go together");
        self.tls = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return Err(missing("http.tls_key")),
            (None, Some(_)) => return Err(missing("http.tls_cert")),
        };
        Ok(())
    }

    /// Reads `[[token]]`.
    ///
    /// # Errors
    /// If a key is unknown, wrong or missing, or a token's file can't be read.
    pub fn read_tokens(&mut self, value: &Value) -> Result<(), ConfigError> {
        for table in config::tables("token", value)? {
            let token = read_token(table)?;
            if self.tokens.iter().any(|t| t.name == token.name || t.hash == token.hash) {
                return Err(ConfigError::new("token.name", token.name, "each name and each token once"));
            }
            self.tokens.push(token);
        }
        if self.tokens.len() > MOST_TOKENS {
            return Err(ConfigError::new("token", self.tokens.len(), format_args!("at most {MOST_TOKENS}")));
        }
        Ok(())
    }

    /// The token's place in the list, if it is one. Looks at every one of them, so that the time says nothing.
    pub fn recognise(&self, token: &str) -> Option<&Token> {
        let hash = TokenHash::of(token);
        self.tokens.iter().fold(None, |found, token| if token.hash == hash { Some(token) } else { found })
    }

    /// Whether a client that came with a token, or with none, may stay.
    pub fn admits(&self, token: Option<TokenHash>) -> bool {
        self.tokens.is_empty() || self.tokens.iter().any(|t| Some(t.hash) == token)
    }

    /// Beyond this machine nobody listens without a token.
    ///
    /// # Errors
    /// If the address is not a loopback one and there is no token.
    pub fn may_listen(&self, field: &str, address: SocketAddr) -> Result<(), ConfigError> {
        if address.ip().is_loopback() || !self.tokens.is_empty() {
            return Ok(());
        }
        let allowed =
            "a loopback address as long as there is no [[token]]: make one with `wavewitness token new`";
        Err(ConfigError::new(field, address, allowed))
    }

    /// Whether a `Host` names this hub, if there are no tokens. A page of an enemy can point a name of its own to this
    /// machine (DNS rebinding) and would then be of the same origin; it can't do so with an address, or `localhost`.
    pub fn is_host(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok()
            || self.origins.iter().any(|o| o.split_once("://").is_some_and(|(_, own)| own == host))
    }

    /// Whether a page of this origin is the hub's own, or one that the configuration allows.
    pub fn is_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let own = origin.split_once("://").map(|(_, rest)| rest);
        (own.is_some() && own == host) || self.origins.iter().any(|allowed| allowed == origin)
    }
}

fn origin(value: &Value) -> Result<String, ConfigError> {
    let allowed = "\"http://host\" or \"https://host:port\", without a path";
    let text = string("http.origins", value)?;
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    host.filter(|h| !h.is_empty() && !h.contains(['/', '*', ' ']))
        .map(|_| text.to_owned())
        .ok_or_else(|| wrong("http.origins", value, allowed))
}

fn read_token(table: &Table) -> Result<Token, ConfigError> {
    let (mut name, mut role, mut hash) = (None, None, None);
    for (key, value) in table {
        match key.as_str() {
            "name" => name = Some(string("token.name", value)?.to_owned()),
            "role" => {
                role = Some(match string("token.role", value)? {
                    "viewer" => Role::Viewer,
                    "operator" => Role::Operator,
                    other => return Err(ConfigError::new("token.role", other, "\"viewer\" or \"operator\"")),
                });
            }
            "hash" => hash = Some(read_hash(string("token.hash", value)?)?),
            "file" => {
                let path = string("token.file", value)?;
                let text = std::fs::read_to_string(path).map_err(|e| {
                    ConfigError::new("token.file", format_args!("{path} ({e})"), "a file to read")
                })?;
                hash = Some(TokenHash::of(text.trim()));
                if text.trim().len() < 32 {
                    let allowed = "a token of at least 32 characters: `wavewitness token new` makes one";
                    return Err(ConfigError::new("token.file", path, allowed));
                }
            }
            _ => return Err(unknown("token.", key, &["name", "role", "hash", "file"])),
        }
    }
    let missing = |field, allowed: &str| ConfigError::new(field, "(missing)", allowed);
    Ok(Token {
        name: name.ok_or_else(|| missing("token.name", "a name"))?,
        role: role.ok_or_else(|| missing("token.role", "\"viewer\" or \"operator\""))?,
        hash: hash
            .ok_or_else(|| missing("token.hash", "what `wavewitness token new` prints, or token.file"))?,
    })
}

fn read_hash(text: &str) -> Result<TokenHash, ConfigError> {
    // Whoever writes the token itself here must not find it in a log.
    let refusal =
        || ConfigError::new("token.hash", "(not shown)", "64 hex digits, as `wavewitness token new` prints");
    blake3::Hash::from_hex(text).map(TokenHash).map_err(|_| refusal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HubConfig;

    #[test]
    fn tokens_differ_and_are_known_by_their_hash_alone() {
        let (a, b) = (new_token().unwrap(), new_token().unwrap());
        assert!(a != b && a.len() == PREFIX.len() + 64);
        let text = section("the \"hall\" \\ 2", Role::Viewer, &a);
        let access = HubConfig::from_toml(&text).unwrap().access;
        assert_eq!(access.tokens[0].name, "the \"hall\" \\ 2");
        assert_eq!(access.recognise(&a).unwrap().role, Role::Viewer);
        assert!(access.recognise(&b).is_none() && access.recognise("").is_none());
        assert!(
            !format!("{access:?}").contains(&TokenHash::of(&a).to_string()),
            "not even the hash is logged"
        );
    }

    #[test]
    fn refusals_say_what_to_do_and_never_show_a_token() {
        let refusal = |text: &str| HubConfig::from_toml(text).unwrap_err().to_string();
        let open = refusal("[hub]\nhttp_bind = \"0.0.0.0:8080\"");
        assert!(open.starts_with("hub.http_bind = 0.0.0.0:8080: allowed is a loopback address"), "{open}");
        assert!(open.contains("wavewitness token new"));
        let secret = new_token().unwrap();
        let said = refusal(&format!("[[token]]\nname = \"a\"\nrole = \"viewer\"\nhash = \"{secret}\""));
        assert!(said.contains("token.hash = (not shown)") && !said.contains(&secret), "{said}");
        assert!(refusal("[[token]]\nname = \"a\"\nrole = \"root\"").contains("token.role = root"));
        assert!(refusal("[[token]]\nname = \"a\"\nrole = \"viewer\"").contains("token.hash = (missing)"));
        assert!(refusal("[http]\ntls_cert = \"a\"").contains("http.tls_key = (missing)"));
        for bad in ["*", "evil.example", "https://a/b", "https://*"] {
            assert!(refusal(&format!("[http]\norigins = [\"{bad}\"]")).starts_with("http.origins"), "{bad}");
        }
        let hash = TokenHash::of(&secret);
        let token = format!("[[token]]\nname = \"a\"\nrole = \"viewer\"\nhash = \"{hash}\"\n");
        assert!(refusal(&format!("{token}{token}")).contains("each name and each token once"));
        HubConfig::from_toml(&format!("[hub]\nhttp_bind = \"0.0.0.0:80\"\n{token}")).unwrap();
    }

    #[test]
    fn a_foreign_page_or_a_rebound_name_is_told_apart() {
        let access = Access { origins: vec!["https://home.example".into()], ..Access::default() };
        let host = Some("127.0.0.1:8080");
        assert!(access.is_origin("http://127.0.0.1:8080", host));
        assert!(access.is_origin("https://home.example", host));
        for foreign in ["http://evil.example", "null", "http://127.0.0.1", "https://home.example:1"] {
            assert!(!access.is_origin(foreign, host), "{foreign}");
        }
        for own in ["127.0.0.1:8080", "[::1]:8080", "[::1]", "localhost", "LOCALHOST:1", "home.example"] {
            assert!(access.is_host(own), "{own}");
        }
        for foreign in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""] {
            assert!(!access.is_host(foreign), "{foreign}");
        }
    }
}
