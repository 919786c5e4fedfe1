//! What MariaDB keeps of a password: `mysql_native_password`'s twofold SHA-1.
//!
//! That is what every client of MySQL 5.7, 8 and MariaDB can log in with. It has no salt: who reads it can try passwords,
//! and can log in with no more than it. It is never shown.

use sha1::{Digest, Sha1};

use crate::error::EngineError;

/// `*` and forty hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes what [`password_hash`] gave.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for anything else: a clear password must never reach the server.
    pub fn parse(text: &str) -> Result<PasswordHash, EngineError> {
        let digits = text.strip_prefix('*').filter(|digits| digits.len() == 40);
        if digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Ok(PasswordHash(text.to_owned()));
        }
        Err(EngineError::Parameter {
            parameter: String::from("master password"),
            why: String::from("it is no hash of mysql_native_password"),
        })
    }

    /// The text that `IDENTIFIED BY PASSWORD` takes.
    #[must_use]
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// The hash of a password, as `SELECT PASSWORD('…')` gives it.
#[must_use]
pub fn password_hash(password: &str) -> String {
    let twice = Sha1::digest(Sha1::digest(password.as_bytes()));
    format!("*{}", hex::encode_upper(twice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_mariadb_computes() {
        // MariaDB's manual, `PASSWORD()`.
        let hash = password_hash("notagoodpwd");
        assert_eq!(hash, "*3A70EE9FC6594F88CE9E959CD51C5A1C002DC937");
        assert!(PasswordHash::parse(&hash).is_ok());
    }

    #[test]
    fn a_clear_password_is_refused() {
        for text in [
            "secret",
            "*secret",
            "*3A70EE9FC6594F88CE9E959CD51C5A1C002DC93'",
        ] {
            assert!(PasswordHash::parse(text).is_err(), "{text}");
        }
    }
}
