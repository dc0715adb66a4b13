//! A small HTTP client for the hub's own commands: one request a connection, to a hub on this network.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_RESPONSE: u64 = 4 << 20;

/// A hub, and how it is asked.
#[derive(Clone)]
pub struct Client {
    /// Where it is.
    pub hub: SocketAddr,
    /// Sent with every request.
    pub token: Option<String>,
    /// With TLS: the certificate that is trusted (PEM), and the name that it must have; without one, the address.
    pub tls: Option<(PathBuf, Option<String>)>,
}

impl Client {
    /// A hub without tokens and TLS.
    pub fn plain(hub: SocketAddr) -> Client {
        Client { hub, token: None, tls: None }
    }

    /// Status code and JSON body of a GET.
    ///
    /// # Errors
    /// If the hub can't be reached or does not answer in HTTP and JSON.
    pub fn get(&self, path: &str) -> io::Result<(u16, Value)> {
        self.request(&format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers()))
    }

    /// Status code and JSON body of a POST of JSON.
    ///
    /// # Errors
    /// If the hub can't be reached or does not answer in HTTP and JSON.
    pub fn post(&self, path: &str, body: &Value) -> io::Result<(u16, Value)> {
        let body = body.to_string();
        self.request(&format!(
            "POST {path} HTTP/1.1\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.headers(),
            body.len()
        ))
    }

    fn headers(&self) -> String {
        // What is no header value can't be a token: it would be a header of its own.
        let token = self.token.as_ref().filter(|t| t.bytes().all(|b| b.is_ascii_graphic()));
        let token = token.map_or(String::new(), |t| format!("Authorization: Bearer {t}\r\n"));
        format!("Host: {}\r\nConnection: close\r\n{token}", self.hub)
    }

    fn request(&self, text: &str) -> io::Result<(u16, Value)> {
        let mut stream = TcpStream::connect_timeout(&self.hub, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let response = match &self.tls {
            None => exchange(&mut stream, text)?,
            Some((ca, name)) => {
                let name = name.clone().unwrap_or_else(|| self.hub.ip().to_string());
                let mut stream = StreamOwned::new(connection(ca, name)?, stream);
                exchange(&mut stream, text)?
            }
        };
        parse(&response).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what answers is no hub"))
    }
}

fn exchange(stream: &mut (impl Read + Write), text: &str) -> io::Result<Vec<u8>> {
    stream.write_all(text.as_bytes())?;
    let mut response = Vec::new();
    match stream.take(MAX_RESPONSE).read_to_end(&mut response) {
        // The length in the head says whether all of it came.
        Ok(_) => Ok(response),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(response),
        // What the system says of a socket's time limit is "temporarily unavailable".
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            let text = format!("it takes connections, but gave no answer within {} s", TIMEOUT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        }
        Err(e) => Err(e),
    }
}

fn connection(ca: &PathBuf, name: String) -> io::Result<ClientConnection> {
    let bad = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(ca).map_err(|e| bad(format!("{}: {e}", ca.display())))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| bad(format!("{}: {e}", ca.display())))?;
        roots.add(certificate).map_err(|e| bad(format!("{}: {e}", ca.display())))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name).map_err(|e| bad(e.to_string()))?;
    ClientConnection::new(Arc::new(config), name).map_err(|e| bad(e.to_string()))
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

    #[test]
    fn a_token_can_not_become_a_header() {
        let mut client = Client::plain(([127, 0, 0, 1], 1).into());
        client.token = Some("a".into());
        assert!(client.headers().contains("Authorization: Bearer a\r\n"));
        client.token = Some("a\r\nX: y".into());
        assert!(!client.headers().contains("X: y"));
    }
}
