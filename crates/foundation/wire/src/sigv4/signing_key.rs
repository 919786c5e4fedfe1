//! Secrets and the keys derived from them, kept because the derivation costs four HMACs.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::sigv4::presented::Scope;

/// Derived keys kept at most; a client uses one a day for each service and region.
const KEYS_MAX: usize = 1024;

/// A secret access key. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// HMAC-SHA-256 of one message.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Derived signing keys by key id and scope, each with the secret that it came from: a key made again
/// under the same id must not be answered from here.
#[derive(Default)]
pub(crate) struct SigningKeys {
    kept: Mutex<HashMap<String, (Secret, [u8; 32])>>,
}

impl SigningKeys {
    /// The signing key of a scope.
    pub(crate) fn derive(&self, scope: &Scope, secret: &Secret) -> [u8; 32] {
        let id = format!("{}/{}", scope.access_key, scope.to_text());
        let mut kept = self.kept.lock().expect("no holder of the lock panics");
        if let Some((from, key)) = kept.get(&id)
            && from == secret
        {
            return *key;
        }
        let mut key = hmac(format!("AWS4{}", secret.0).as_bytes(), scope.day.as_bytes());
        for part in [&scope.region, &scope.service] {
            key = hmac(&key, part.as_bytes());
        }
        key = hmac(&key, b"aws4_request");
        if kept.len() >= KEYS_MAX {
            // Scopes name the day, so most of what is thrown away would not be asked for again.
            kept.clear();
        }
        kept.insert(id, (secret.clone(), key));
        key
    }
}
