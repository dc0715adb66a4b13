//! TLS by file, read again on SIGHUP.

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Takes connections with the certificate chain and key of two PEM files.
///
/// # Errors
/// If a file can't be read or holds something else, or the two don't belong together: which, and why.
pub fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let chain =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(
            |e| format!("http.tls_cert = {}: {e}: allowed is a PEM file of certificates", cert.display()),
        )?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| format!("http.tls_key = {}: {e}: allowed is a PEM file of one key", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|b| b.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|e| {
            format!("http.tls_cert = {} with http.tls_key = {}: {e}", cert.display(), key.display())
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
