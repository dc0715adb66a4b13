//! A small HTTP client for the hub's own commands: one request a connection, to a hub on this network.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_RESPONSE: u64 = 4 << 20;

/// Status code and JSON body of a GET.
///
/// # Errors
/// If the hub can't be reached or does not answer in HTTP and JSON.
pub fn get(hub: SocketAddr, path: &str) -> io::Result<(u16, Value)> {
    request(hub, &format!("GET {path} HTTP/1.1\r\nHost: {hub}\r\nConnection: close\r\n\r\n"))
}

/// Status code and JSON body of a POST of JSON.
///
/// # Errors
/// If the hub can't be reached or does not answer in HTTP and JSON.
pub fn post(hub: SocketAddr, path: &str, body: &Value) -> io::Result<(u16, Value)> {
    let body = body.to_string();
    request(
        hub,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {hub}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn request(hub: SocketAddr, text: &str) -> io::Result<(u16, Value)> {
    let mut stream = TcpStream::connect_timeout(&hub, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(text.as_bytes())?;
    let mut response = Vec::new();
    stream.take(MAX_RESPONSE).read_to_end(&mut response)?;
    parse(&response).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no hub answers there"))
}

/// Responses of the hub have a length and no chunks: the body is what follows the headers.
fn parse(response: &[u8]) -> Option<(u16, Value)> {
    let text = std::str::from_utf8(response).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let code = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((code, serde_json::from_str(body).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_no_hubs_are_refused() {
        let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"a\": 1}";
        assert_eq!(parse(ok).unwrap(), (200, serde_json::json!({ "a": 1 })));
        for bad in [&b"SSH-2.0\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\n\r\n<html>", b"", b"\xff\xfe"] {
            assert!(parse(bad).is_none());
        }
    }
}
