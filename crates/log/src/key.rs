//! Ed25519 keys with a name, in the texts of C2SP signed-note and Go's `sumdb/note`.

use crate::base64;
use crate::hash::sha256;
use core::fmt;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::{Zeroize, Zeroizing};

/// Signature type of signed-note: Ed25519 over the text.
const ED25519: u8 = 1;
/// Longest key name that is read.
pub const MAX_NAME_BYTES: usize = 255;

/// Why a text is not a key. Says nothing about a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The name is empty, too long, or holds a space, a control character or a plus.
    Name,
    /// Not `name+hash+base64`, or not in its canonical form.
    Format,
    /// A key of another algorithm than Ed25519.
    Algorithm,
    /// Not a point that can verify anything.
    Point,
    /// The hash does not belong to the name and key: a part was mistyped or exchanged.
    Id,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyFault::Name => "a key name must be 1 to 255 bytes without spaces, control characters or plus",
            KeyFault::Format => "a key must read name+hash+base64",
            KeyFault::Algorithm => "a key must be of type 1, Ed25519",
            KeyFault::Point => "the public key is not a usable Ed25519 point",
            KeyFault::Id => "the key's hash does not belong to its name and bytes",
        })
    }
}

impl std::error::Error for KeyFault {}

/// True if a note may name a key so: not empty, no Unicode space, no control character, no plus.
pub fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(forbidden)
}

/// SHA-256(name ‖ "\n" ‖ 0x01 ‖ public key), its first four bytes.
fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), b"\n", &[ED25519], public]);
    [hash[0], hash[1], hash[2], hash[3]]
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// A public key with its name. Its text is `name+hash+base64(0x01 ‖ key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    fn new(name: &str, public: &[u8; 32]) -> Result<VerifierKey, KeyFault> {
        if !is_name(name) {
            return Err(KeyFault::Name);
        }
        let key = VerifyingKey::from_bytes(public).map_err(|_| KeyFault::Point)?;
        if key.is_weak() {
            return Err(KeyFault::Point);
        }
        Ok(VerifierKey { name: name.to_owned(), id: key_id(name, public), key })
    }

    /// Reads the text of a public key, in exactly the form in which it is written.
    ///
    /// # Errors
    /// If it is none, or its hash is wrong.
    pub fn parse(text: &str) -> Result<VerifierKey, KeyFault> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyFault::Format);
        };
        let bytes = base64::decode(key).ok_or(KeyFault::Format)?;
        let (&algorithm, public) = bytes.split_first().ok_or(KeyFault::Format)?;
        if algorithm != ED25519 {
            return Err(KeyFault::Algorithm);
        }
        let key = VerifierKey::new(name, public.try_into().map_err(|_| KeyFault::Format)?)?;
        if hex(key.id) == id { Ok(key) } else { Err(KeyFault::Id) }
    }

    /// The name in signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hash in signature lines.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 bytes of the public key (RFC 8032).
    pub fn public_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// True if `signature` is this key's of `message`. Strict: signatures that only some verifiers accept are refused.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        self.key.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [ED25519; 33];
        bytes[1..].copy_from_slice(&self.key.to_bytes());
        write!(f, "{}+{}+{}", self.name, hex(self.id), base64::encode(&bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret key with its name. Not `Clone`, never displayed, overwritten when dropped.
pub struct SignerKey {
    secret: SigningKey,
    verifier: VerifierKey,
}

impl SignerKey {
    /// The key of a 32-byte seed, which the caller takes from the system's random source and overwrites afterwards.
    ///
    /// # Errors
    /// If the name can't be one.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<SignerKey, KeyFault> {
        let secret = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, secret.verifying_key().as_bytes())?;
        Ok(SignerKey { secret, verifier })
    }

    /// Reads `PRIVATE+KEY+name+hash+base64(0x01 ‖ seed)`.
    ///
    /// # Errors
    /// If it is none, or its hash is wrong.
    pub fn parse(text: &str) -> Result<SignerKey, KeyFault> {
        let mut parts = text.strip_prefix("PRIVATE+KEY+").ok_or(KeyFault::Format)?.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyFault::Format);
        };
        let bytes = Zeroizing::new(base64::decode(key).ok_or(KeyFault::Format)?);
        let (&algorithm, seed) = bytes.split_first().ok_or(KeyFault::Format)?;
        if algorithm != ED25519 {
            return Err(KeyFault::Algorithm);
        }
        let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).map_err(|_| KeyFault::Format)?);
        let signer = SignerKey::from_seed(name, &seed)?;
        if hex(signer.verifier.id) == id { Ok(signer) } else { Err(KeyFault::Id) }
    }

    /// The secret as [`SignerKey::parse`] reads it, for the command that makes keys. Overwritten when dropped.
    pub fn secret_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([ED25519; 33]);
        bytes[1..].copy_from_slice(self.secret.as_bytes());
        let mut key = base64::encode(&bytes[..]);
        let text =
            Zeroizing::new(["PRIVATE+KEY", self.verifier.name(), &hex(self.verifier.id), &key].join("+"));
        key.zeroize();
        text
    }

    /// Its public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The 64-byte signature of a message. The same message gives the same bytes (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({}, secret not shown)", self.verifier.name())
    }
}
