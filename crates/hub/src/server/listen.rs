//! Connections: how many, with TLS or without, and how long one may take for what.

use super::guard::Peer;
use super::{Shared, stopping};
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Connections beside those of clients that stay: requests with one answer, and handshakes.
const SPARE_CONNECTIONS: u32 = 128;
/// Asked of the kernel for each connection. Its own choice may grow to megabytes, and a slow client would be shown
/// what was half a minute ago instead of being told what it missed.
const SEND_BUFFER: usize = 64 << 10;
/// What is sent and not taken for this long ends the connection, whoever waits for it.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// For the TLS handshake, and for the head of a request.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// After this long a stop no longer waits for clients.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Accepts until the hub stops.
pub async fn accept(listener: TcpListener, app: Router, shared: Shared) -> std::io::Result<()> {
    let mut stop = shared.stop.clone();
    let most = shared.max_clients + SPARE_CONNECTIONS;
    let places = Arc::new(Semaphore::new(most as usize));
    loop {
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    // The usual reason is that there are no more file descriptors: that passes.
                    tracing::warn!("a connection can't be accepted: {e}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stopping(&mut stop) => break,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            shared.status.update(|s| s.served.refused_connections += 1);
            continue;
        };
        set_options(&stream);
        let (app, peer, stop) = (app.clone(), Peer(from), shared.stop.clone());
        let tls = shared.access.tls();
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => serve(stream, app, peer, stop).await,
                Some(acceptor) => {
                    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
                    if let Ok(Ok(stream)) = handshake.await {
                        serve(stream, app, peer, stop).await;
                    }
                }
            }
        });
    }
    drop(listener);
    // Every place back means every connection over.
    let _ = tokio::time::timeout(STOP_TIMEOUT, places.acquire_many(most)).await;
    Ok(())
}

/// None of them is needed for a right answer, only for one in time, and for clients that vanish.
fn set_options(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(UNACKNOWLEDGED));
}

async fn serve<S>(stream: S, app: Router, peer: Peer, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(app);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_TIMEOUT)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // What goes wrong on one connection is that client's matter.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopping(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
