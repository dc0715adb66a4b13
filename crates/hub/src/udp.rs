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

/// Between two looks at what the kernel dropped.
const LOOK_EVERY_NS: u64 = 1_000_000_000;

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

/// Datagrams that the kernel dropped at a socket, from the text of `/proc/net/udp` or `udp6` (proc(5)): the socket's inode is
/// the tenth column, the drops are the last.
fn dropped_at(table: &str, inode: u64) -> Option<u64> {
    table.lines().find_map(|line| {
        let mut columns = line.split_whitespace();
        let of_it = columns.nth(9)?.parse() == Ok(inode);
        of_it.then(|| columns.last()?.parse().ok()).flatten()
    })
}

/// Of a socket; `None` where the system does not say it.
fn kernel_dropped(inode: u64) -> Option<u64> {
    ["/proc/self/net/udp", "/proc/self/net/udp6"]
        .into_iter()
        .find_map(|path| dropped_at(&std::fs::read_to_string(path).ok()?, inode))
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
        let inode = rustix::fs::fstat(&socket).map(|stat| stat.st_ino).ok();
        let mut looked = clock.now();
        while !stop.load(Ordering::Relaxed) {
            if clock.now().nanos_since(looked) >= LOOK_EVERY_NS {
                looked = clock.now();
                if let Some(dropped) = inode.and_then(kernel_dropped) {
                    status.update(|s| s.kernel_dropped = dropped);
                }
            }
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
    fn what_the_kernel_drops_is_counted() {
        let head = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
        let row = "  101: 0100007F:61AD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 42\n";
        assert_eq!(dropped_at(&format!("{head}{row}"), 4711), Some(42));
        assert_eq!(dropped_at(&format!("{head}{row}"), 4712), None);
        // A real socket that nobody reads.
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let inode = rustix::fs::fstat(&socket).unwrap().st_ino;
        let Some(before) = kernel_dropped(inode) else {
            println!("SKIPPED: this system has no /proc/net/udp");
            return;
        };
        assert_eq!(before, 0);
        let (sender, to) = (UdpSocket::bind("127.0.0.1:0").unwrap(), socket.local_addr().unwrap());
        // The receive buffer is a few megabytes.
        for _ in 0..10 {
            (0..2_000).for_each(|_| drop(sender.send_to(&[0; 1400], to)));
        }
        assert!(kernel_dropped(inode).unwrap() > 0);
    }

    #[test]
    fn ipv4_senders_are_mapped() {
        let s = sender("127.0.0.1:5005".parse().unwrap());
        assert_eq!(&s.ip[10..], &[0xff, 0xff, 127, 0, 0, 1]);
        assert_eq!(s.port, 5005);
    }
}
