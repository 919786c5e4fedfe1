//! What is kept of a password: for PostgreSQL a SCRAM-SHA-256 verifier, for MariaDB the hash of `mysql_native_password`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use quorate_engines::mariadb::password_hash;

/// PostgreSQL's own default since 8.3 of the SCRAM exchange (`scram_iterations`).
const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;

/// `SCRAM-SHA-256$4096:salt$stored:server`, as PostgreSQL keeps it (RFC 5803), or `*` and forty digits, as MariaDB does. The
/// password cannot be computed from it, but who has it can try passwords: it is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordVerifier(String);

impl PasswordVerifier {
    /// What MariaDB checks a password against. Without a salt: one password has one of these.
    #[must_use]
    pub fn native(password: &str) -> PasswordVerifier {
        PasswordVerifier(password_hash(password))
    }

    /// What PostgreSQL checks a password against, with a new random salt.
    #[must_use]
    pub fn scram(password: &str) -> PasswordVerifier {
        let mut salt = [0; SALT_BYTES];
        rand::rng().fill_bytes(&mut salt);
        PasswordVerifier::with_salt(password, &salt)
    }

    /// The text that `ALTER ROLE … PASSWORD` or `IDENTIFIED BY PASSWORD` takes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells one verifier from another without showing it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        BASE64.encode(&Sha256::digest(self.0.as_bytes())[..12])
    }

    fn with_salt(password: &str, salt: &[u8]) -> PasswordVerifier {
        let salted = salted_password(password.as_bytes(), salt);
        let client_key = mac(&salted, b"Client Key");
        let stored_key = Sha256::digest(client_key);
        let server_key = mac(&salted, b"Server Key");
        let (salt, stored, server) = (
            BASE64.encode(salt),
            BASE64.encode(stored_key),
            BASE64.encode(server_key),
        );
        PasswordVerifier(format!(
            "SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}"
        ))
    }
}

impl fmt::Debug for PasswordVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordVerifier(…)")
    }
}

/// `Hi` of RFC 5802: PBKDF2 with one block. The API allows printable ASCII only, on which SASLprep is the identity.
fn salted_password(password: &[u8], salt: &[u8]) -> [u8; 32] {
    let first = mac(password, &[salt, &1_u32.to_be_bytes()].concat());
    let (mut block, mut sum) = (first, first);
    for _ in 1..ITERATIONS {
        block = mac(password, &block);
        for (s, b) in sum.iter_mut().zip(block) {
            *s ^= b;
        }
    }
    sum
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_what_postgresql_computes() {
        // The example exchange of RFC 7677: user `user`, password `pencil`.
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = PasswordVerifier::with_salt("pencil", &salt);
        assert_eq!(
            verifier.expose(),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn two_verifiers_of_a_password_differ() {
        assert_ne!(
            PasswordVerifier::scram("secret99"),
            PasswordVerifier::scram("secret99")
        );
    }

    #[test]
    fn debug_output_shows_nothing() {
        assert_eq!(
            format!("{:?}", PasswordVerifier::scram("secret99")),
            "PasswordVerifier(…)"
        );
    }
}
