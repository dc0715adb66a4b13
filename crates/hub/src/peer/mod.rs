//! The peer's protocol, so that its page and its clients work with this hub unmodified: `docs/peer.md`.
//!
//! Off by default (`peer.enabled`). What is said is what was measured: a field that we have no quantity for is absent, null or
//! empty, and nothing moves because a clock does. Their page says LIVE only of what is live.

mod rest;
mod stream;
mod translate;

pub use translate::Context;

use crate::config::HubConfig;
use crate::server::Shared;
use axum::Router;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use wavewitness_types::Room;

/// Keys of the section `[peer]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Whether the peer's endpoints are served.
    pub enabled: bool,
    /// A second address that serves everything as well: their page looks for its stream on port 8765 if it is itself on 8080.
    pub ws_bind: Option<SocketAddr>,
    /// Directory of their page, served at `/ui/`.
    pub ui_dir: Option<PathBuf>,
}

/// What the endpoints need of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The section.
    pub config: Config,
    room: Option<Room>,
    places: Arc<[(u8, [f64; 3])]>,
}

impl Setup {
    /// Of a configuration.
    pub fn new(config: &HubConfig) -> Setup {
        let geometry = &config.engine.geometry;
        Setup {
            config: config.peer.clone(),
            room: geometry.room,
            places: geometry.nodes.iter().filter_map(|n| Some((n.id.0, n.position_m?))).collect(),
        }
    }
}

/// The peer's endpoints; none if they are off.
pub fn routes(setup: &Setup) -> Router<Shared> {
    match &setup.config {
        Config { enabled: false, .. } => Router::new(),
        config => Router::new().merge(stream::routes()).merge(rest::routes(config)),
    }
}

/// Whether an origin is this hub's own page on its first address, which asks the second.
pub fn is_own_page(config: &Config, origin: &str, host: &str, http: Option<SocketAddr>) -> bool {
    let name = |authority: &str| authority.rsplit_once(':').map_or(authority, |(name, _)| name).to_owned();
    let (Some(_), Some(http)) = (config.ws_bind, http) else { return false };
    let Some((_, own)) = origin.split_once("://") else { return false };
    let port = own.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    config.enabled && port == Some(http.port()) && name(own) == name(host)
}

/// What a translation needs beside a cycle.
fn context(shared: &Shared) -> Context {
    let Setup { room, places, .. } = &shared.peer;
    // Asked for every client in every cycle: nothing is sorted here, under a lock that the cycle takes, too.
    let compute_ms = shared.status.update(|s| s.compute.last_ms());
    Context { room: *room, places: Arc::clone(places), compute_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_address_is_for_the_page_of_the_first_alone() {
        let config = Config { enabled: true, ws_bind: "127.0.0.1:8765".parse().ok(), ui_dir: None };
        let http = "127.0.0.1:8080".parse().ok();
        assert!(is_own_page(&config, "http://localhost:8080", "localhost:8765", http));
        assert!(!is_own_page(&config, "http://evil.example:8080", "localhost:8765", http));
        assert!(!is_own_page(&config, "http://localhost:9090", "localhost:8765", http));
        assert!(!is_own_page(&config, "null", "localhost:8765", http));
        assert!(!is_own_page(&Config::default(), "http://localhost:8080", "localhost:8765", http));
    }
}
