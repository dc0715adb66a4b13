//! The receiving thread: stamps datagrams as they arrive and hands them to the cycle thread.

use crate::clock::Clock;
use crate::cycle::Datagram;
use crate::status::Status;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;
use wavewitness_types::Sender;
use wavewitness_types::limits::{MAX_CYCLE_DATAGRAMS, MAX_DATAGRAM_BYTES};

/// Datagrams that wait for the cycle thread.
pub const QUEUE: usize = 2 * MAX_CYCLE_DATAGRAMS;
/// Asked of the kernel, so that a pause of the process loses nothing; it may grant less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Binds the socket that nodes send to.
///
/// # Errors
/// If the address can't be bound.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// An address as events hold it.
pub fn sender(address: SocketAddr) -> Sender {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    Sender { ip, port: address.port() }
}

/// Receives until `stop`. Datagrams that are too long or find the queue full are counted, never waited for.
///
/// # Errors
/// If the thread or the socket's time-out can't be set up.
pub fn receive(
    socket: UdpSocket,
    clock: Clock,
    queue: SyncSender<Datagram>,
    status: Status,
    stop: Arc<AtomicBool>,
) -> io::Result<JoinHandle<()>> {
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    std::thread::Builder::new().name("udp".into()).spawn(move || {
        let mut buffer = vec![0u8; MAX_DATAGRAM_BYTES + 1];
        while !stop.load(Ordering::Relaxed) {
            let (length, from) = match socket.recv_from(&mut buffer) {
                Ok(received) => received,
                // Nothing came, or the process was halted and goes on.
                Err(e)
                    if matches!(
                        e.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                // What the kernel says of the network: the socket goes on.
                Err(e) => {
                    tracing::warn!("receiving a datagram: {e}");
                    std::thread::sleep(Duration::from_millis(10));
                    continue;
                }
            };
            let at = clock.now();
            if length > MAX_DATAGRAM_BYTES {
                status.update(|s| s.overflow += 1);
                continue;
            }
            let datagram = Datagram { at, from: sender(from), bytes: buffer[..length].to_vec() };
            match queue.try_send(datagram) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => status.update(|s| s.overflow += 1),
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_senders_are_mapped() {
        let s = sender("127.0.0.1:5005".parse().unwrap());
        assert_eq!(&s.ip[10..], &[0xff, 0xff, 127, 0, 0, 1]);
        assert_eq!(s.port, 5005);
    }
}
