//! HTTP and WebSocket: health, status, commands, and what every client subscribed to.
//!
//! A slow client never holds anything up: it has a bounded queue of cycles; when it falls behind, the oldest are left out,
//! and it is told how many before the next one.

mod guard;
mod listen;
mod rest;
mod stream;
mod subscription;
mod tls;
pub(crate) mod websocket;

pub use guard::{Failures, Peer};
pub use rest::{error, index, refused};
pub use subscription::{Delivery, Outgoing, Subscription, Wish};
pub use tls::acceptor;

use crate::access::{Access, TokenHash};
use crate::clock::Clock;
use crate::config::HubConfig;
use crate::dashboard;
use crate::message::{self, Hello};
use crate::publish;
use crate::status::Status;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use wavewitness_types::Command;
use wavewitness_witness::Genesis;

/// Longest body of a request.
const MAX_BODY: usize = 64 << 10;

/// What the server needs of the hub.
#[derive(Clone)]
pub struct Shared {
    /// What the hub knows about itself.
    pub status: Status,
    /// What is published.
    pub messages: publish::Sender,
    /// The hello of a new client.
    pub hello: Arc<dyn Fn() -> Hello + Send + Sync>,
    /// Takes an operator's command to the cycle; `None` for a replay.
    pub commands: Option<std::sync::mpsc::SyncSender<Command>>,
    /// Most clients at once that stay: WebSockets and streams.
    pub max_clients: u32,
    /// Where the log is that is served; `None` to serve none.
    pub data_dir: Option<PathBuf>,
    /// Where room, nodes and zones are, as [`crate::dashboard::places`] gives it.
    pub geometry: Arc<serde_json::Value>,
    /// The peer's protocol.
    pub peer: crate::peer::Setup,
    /// Who may do what.
    pub access: Door,
    /// Wrong tokens.
    pub failures: Failures,
    /// Time.
    pub clock: Clock,
    /// Becomes true when the hub stops.
    pub stop: watch::Receiver<bool>,
}

impl Shared {
    /// Of a hub that takes no commands and serves no log.
    pub fn new(
        config: &HubConfig,
        genesis: &Genesis,
        status: &Status,
        messages: publish::Sender,
        access: Door,
        stop: watch::Receiver<bool>,
    ) -> Shared {
        let (genesis, seen) = (genesis.clone(), status.clone());
        Shared {
            status: status.clone(),
            messages,
            hello: Arc::new(move || message::hello(&genesis, seen.source())),
            commands: None,
            max_clients: config.max_clients,
            data_dir: None,
            peer: crate::peer::Setup::new(config),
            geometry: Arc::new(dashboard::places(
                &config.engine.geometry,
                &config.zones,
                config.privacy.mode,
            )),
            access,
            failures: Failures::default(),
            clock: Clock::start(),
            stop,
        }
    }
}

/// Who may do what, as of the last reload.
#[derive(Clone)]
pub struct Door(Arc<watch::Sender<Open>>);

/// What a configuration makes of the door.
struct Open {
    access: Arc<Access>,
    tls: Option<TlsAcceptor>,
}

impl Open {
    fn new(access: &Access) -> Result<Open, String> {
        let tls = access.tls.as_ref().map(|(cert, key)| acceptor(cert, key)).transpose()?;
        Ok(Open { access: Arc::new(access.clone()), tls })
    }
}

impl Door {
    /// Opens with a configuration.
    ///
    /// # Errors
    /// If certificate or key can't be used.
    pub fn new(access: &Access) -> Result<Door, String> {
        Ok(Door(Arc::new(watch::Sender::new(Open::new(access)?))))
    }

    /// Takes another configuration for every request and connection from now on; a client that stays is sent away if its
    /// token is no longer known.
    ///
    /// # Errors
    /// If certificate or key can't be used; nothing is changed then.
    pub fn reload(&self, access: &Access) -> Result<(), String> {
        self.0.send_replace(Open::new(access)?);
        Ok(())
    }

    /// The present configuration.
    pub fn current(&self) -> Arc<Access> {
        Arc::clone(&self.0.borrow().access)
    }

    fn tls(&self) -> Option<TlsAcceptor> {
        self.0.borrow().tls.clone()
    }
}

/// Why a client that stays must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The hub stops.
    Stopping,
    /// Its token was taken away, or tokens came and it has none.
    Revoked,
}

/// How long a client may stay.
#[derive(Clone)]
pub(crate) struct Stay {
    stop: watch::Receiver<bool>,
    door: watch::Receiver<Open>,
    token: Option<TokenHash>,
}

impl Stay {
    /// Of a client that came with this token.
    pub(crate) fn new(shared: &Shared, token: Option<TokenHash>) -> Stay {
        Stay { stop: shared.stop.clone(), door: shared.access.0.subscribe(), token }
    }

    /// Returns when the client must go. Nothing is lost if it is not awaited to its end.
    pub(crate) async fn over(&mut self) -> Farewell {
        let Stay { stop, door, token } = self;
        tokio::select! {
            () = stopping(stop) => Farewell::Stopping,
            () = revoked(door, *token) => Farewell::Revoked,
        }
    }
}

async fn revoked(door: &mut watch::Receiver<Open>, token: Option<TokenHash>) {
    if door.wait_for(|open| !open.access.admits(token)).await.is_err() {
        // Nobody is left who could take it away.
        std::future::pending::<()>().await;
    }
}

/// Every route, behind the guard. Whoever adds an interface adds one line here.
fn routes(shared: &Shared) -> Router {
    let peer = crate::peer::routes(&shared.peer);
    Router::new()
        .merge(peer)
        .merge(crate::dashboard::routes())
        .merge(crate::recent::routes())
        .merge(rest::routes())
        .merge(stream::routes())
        .merge(websocket::routes())
        .fallback(async || {
            error(StatusCode::NOT_FOUND, "there is no such path: GET /api/v1 lists what there is")
        })
        .method_not_allowed_fallback(async || error(StatusCode::METHOD_NOT_ALLOWED, "not with this method"))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), guard::guard))
        .with_state(shared.clone())
}

/// Serves until `shared.stop` becomes true.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, shared: Shared) -> std::io::Result<()> {
    listen::accept(listener, routes(&shared), shared).await
}

/// Returns when the hub stops. (A function of its own: what `wait_for` gives must not live across another await.)
pub(crate) async fn stopping(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// One of the places of clients that stay; given back when it is dropped.
struct Place(Status);

impl Place {
    /// `None` if there is none left.
    fn take(shared: &Shared) -> Option<Place> {
        let admitted = shared.status.update(|s| {
            let room = s.clients < shared.max_clients;
            s.clients += u32::from(room);
            s.served.refused_clients += u64::from(!room);
            room
        });
        admitted.then(|| Place(shared.status.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.update(|s| s.clients -= 1);
    }
}
