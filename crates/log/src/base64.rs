//! Standard base64 with padding (RFC 4648, section 4), canonical in both directions.

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

/// Encodes bytes.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes text; `None` unless it is exactly what [`encode`] makes: padded, no line breaks, unused bits zero.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
