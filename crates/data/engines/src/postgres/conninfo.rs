//! How a member reaches the server that it copies, follows and rewinds to.

use std::fmt::Write;
use std::time::Duration;

use super::{ADMIN_DATABASE, REPLICATION_ROLE};
use crate::folder::TlsFiles;

/// The server upstream of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its address: an IP address, or a name that the system resolves.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name that its certificate must hold. `None`: `host` itself. Given, `host` must be an IP
    /// address.
    pub server_name: Option<String>,
    /// The physical replication slot to follow through.
    pub slot: Option<String>,
    /// What this member calls itself there; synchronous replication goes by it.
    pub application_name: String,
    /// The certificate of the replication role, its key, and the region's authority.
    pub tls: TlsFiles,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
}

impl Upstream {
    /// The connection string; it holds no secret.
    #[must_use]
    pub fn conninfo(&self) -> String {
        let mut text = String::new();
        let mut put = |name: &str, value: &str| {
            let gap = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{gap}{name}={}", quote(value));
        };
        match &self.server_name {
            Some(name) => {
                put("host", name);
                put("hostaddr", &self.host);
            }
            None => put("host", &self.host),
        }
        put("port", &self.port.to_string());
        put("user", REPLICATION_ROLE);
        put("dbname", ADMIN_DATABASE);
        put("application_name", &self.application_name);
        put("sslmode", "verify-full");
        put("sslrootcert", &self.tls.ca.to_string_lossy());
        put("sslcert", &self.tls.cert.to_string_lossy());
        put("sslkey", &self.tls.key.to_string_lossy());
        put("gssencmode", "disable");
        // libpq knows whole seconds only, and takes 1 for 2.
        put(
            "connect_timeout",
            &self.connect_timeout.as_secs().max(2).to_string(),
        );
        put("keepalives_idle", "2");
        put("keepalives_interval", "1");
        put("keepalives_count", "3");
        put("tcp_user_timeout", "5000");
        text
    }
}

/// A value as libpq reads it: in quotes, with quotes and backslashes escaped.
fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        assert_eq!(quote(r"a' sslmode='disable\"), r"'a\' sslmode=\'disable\\'");
    }
}
