//! The configuration file of one server: all ours, written anew at each start and change.
//!
//! Invariants
//! - Settings that replication, durability or the administrator's access stand on cannot be overridden.
//! - A value cannot leave its quotes, nor a name its line.
//! - The server reads this file and no other (`--defaults-file`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::catalogue;
use super::paths::MariadbPaths;
use crate::error::EngineError;
use crate::folder::fnv1a;

/// Bytes of InnoDB's pages.
const PAGE_BYTES: &str = "16384";

/// What stands for all servers and cannot be changed.
const OWNED: [(&str, &str); 20] = [
    // In the first binary log after a start MariaDB looks for what it has to commit or roll back: short ones are read fast.
    ("binlog_format", "ROW"),
    ("max_binlog_size", "64M"),
    ("gtid_domain_id", "0"),
    ("gtid_strict_mode", "ON"),
    ("innodb_page_size", PAGE_BYTES),
    ("innodb_checksum_algorithm", "full_crc32"),
    ("log_bin", "binlog"),
    ("log_bin_index", "binlog.index"),
    ("log_slave_updates", "OFF"),
    ("plugin_maturity", "stable"),
    ("relay_log", "relay"),
    ("relay_log_index", "relay.index"),
    ("skip_name_resolve", "ON"),
    ("skip_slave_start", "ON"),
    // A follower that hears nothing for so long asks anew.
    ("slave_net_timeout", "10"),
    ("symbolic_links", "OFF"),
    // Outside of the data folder: nothing in it is worth to be kept.
    ("innodb_temp_data_file_path", "../tmp/ibtmp1:12M:autoextend"),
    ("log_warnings", "2"),
    ("feedback", "OFF"),
    ("old_passwords", "0"),
];

const CHARACTER_SET: &str = "utf8mb4";

/// What stands unless a parameter says otherwise.
const DEFAULTS: [(&str, &str); 3] = [
    ("character_set_server", CHARACTER_SET),
    // How long a follower may be away before it has to be made anew.
    ("binlog_expire_logs_seconds", "3600"),
    ("innodb_buffer_pool_size", "134217728"),
];

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MariadbRole {
    /// Takes writes: what it acknowledges is on its disk.
    Writer {
        /// Whether pages are written twice: needed unless a crash cannot leave half of 16 KiB behind.
        doublewrite: bool,
    },
    /// Follows, over files that are thrown away when it crashes: it syncs nothing.
    Reader,
}

/// What one server is to run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariadbConfig {
    /// Where it listens for clients and followers.
    pub listen: SocketAddr,
    /// Tells it from the other servers of its cluster: see [`server_id`].
    pub server_id: u32,
    /// The parameter group's values, by name. Those that are not in the catalogue are passed over.
    pub parameters: BTreeMap<String, String>,
    /// What it does.
    pub role: MariadbRole,
}

/// A number for the server of a member, made of its id.
#[must_use]
pub fn server_id(member: &str) -> u32 {
    let hash = fnv1a(member.as_bytes());
    let folded = (hash >> 32) as u32 ^ (hash & 0xFFFF_FFFF) as u32;
    folded.max(1)
}

impl MariadbConfig {
    /// The text of `my.cnf`.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for a value that cannot be written.
    pub(super) fn render(&self, paths: &MariadbPaths) -> Result<String, EngineError> {
        let mut settings: BTreeMap<String, String> = DEFAULTS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for (name, value) in self.settable() {
            let written = catalogue::option_value(name, value);
            settings.insert(catalogue::option_name(name).to_owned(), written.to_owned());
        }
        if !self.collation_fits() {
            settings.remove("collation_server");
        }
        settings.extend(self.owned(paths));
        let mut text = String::from(
            "# Written by Quorate at each start and change: changes here are lost.\n[mariadbd]\n",
        );
        for (name, value) in settings {
            let _ = writeln!(text, "{name} = {}", quote(&name, &value)?);
        }
        Ok(text)
    }

    /// Whether the collation is one of the character set, without which no server starts. Two groups may have set them.
    pub(super) fn collation_fits(&self) -> bool {
        let get = |name: &str| self.parameters.get(name).map(String::as_str);
        let set = get("character_set_server").unwrap_or(CHARACTER_SET);
        let set = if set == "utf8" { "utf8mb3" } else { set };
        get("collation_server").is_none_or(|collation| {
            collation == set
                || collation
                    .strip_prefix(set)
                    .is_some_and(|rest| rest.starts_with('_'))
        })
    }

    /// The parameters that the catalogue has.
    pub(super) fn settable(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = |name: &str| catalogue::find(name).is_some();
        let pairs = self.parameters.iter();
        pairs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(move |(name, _)| known(name))
    }

    fn owned(&self, paths: &MariadbPaths) -> Vec<(String, String)> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let tls = paths.server_tls();
        let mut owned: Vec<(&str, String)> = OWNED
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        owned.extend([
            ("datadir", path(&paths.data())),
            ("socket", path(&paths.socket())),
            ("pid_file", path(&paths.tmp().join("mariadb.pid"))),
            ("tmpdir", path(&paths.tmp())),
            ("slave_load_tmpdir", path(&paths.tmp())),
            // Files that SQL reads and writes: none but these, which go with the server.
            ("secure_file_priv", path(&paths.tmp())),
            ("init_file", path(&paths.init_file())),
            ("bind_address", self.listen.ip().to_string()),
            ("port", self.listen.port().to_string()),
            ("server_id", self.server_id.to_string()),
            (
                "slow_query_log_file",
                path(&paths.root().join("log/slow.log")),
            ),
            (
                "general_log_file",
                path(&paths.root().join("log/general.log")),
            ),
            ("ssl_ca", path(&tls.ca)),
            ("ssl_cert", path(&tls.cert)),
            ("ssl_key", path(&tls.key)),
        ]);
        let (syncs, doublewrite, follows) = match self.role {
            MariadbRole::Writer { doublewrite } => ("1", doublewrite, "OFF"),
            MariadbRole::Reader => ("0", false, "ON"),
        };
        owned.extend([
            ("innodb_flush_log_at_trx_commit", syncs.to_owned()),
            ("sync_binlog", syncs.to_owned()),
            ("innodb_doublewrite", on_off(doublewrite).to_owned()),
            ("read_only", follows.to_owned()),
            // Whose events they are is told by their GTIDs: they are all above what the follower has.
            ("replicate_same_server_id", follows.to_owned()),
        ]);
        if self.role == MariadbRole::Reader {
            owned.push(("event_scheduler", String::from("OFF")));
        }
        let owned = owned.into_iter();
        owned
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// A value in quotes. The server takes backslashes for escapes and ends a value at a quote.
fn quote(name: &str, value: &str) -> Result<String, EngineError> {
    let bad = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\');
    if value.contains(bad) {
        return Err(EngineError::Parameter {
            parameter: name.to_owned(),
            why: String::from("it has a quote, a backslash or a control character in it"),
        });
    }
    Ok(format!("\"{value}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::EngineAccount;

    fn config(role: MariadbRole, parameters: &[(&str, &str)]) -> MariadbConfig {
        MariadbConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 3306)),
            server_id: 7,
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            role,
        }
    }

    fn paths() -> MariadbPaths {
        let account = EngineAccount::resolve(None).unwrap();
        MariadbPaths::new(Path::new("/srv/member"), &account).unwrap()
    }

    #[test]
    fn what_durability_stands_on_is_not_a_users() {
        let role = MariadbRole::Writer { doublewrite: true };
        let asked = [("sync_binlog", "0"), ("max_connections", "50")];
        let text = config(role, &asked).render(&paths()).unwrap();
        assert!(text.contains("sync_binlog = \"1\"\n"), "{text}");
        assert!(text.contains("max_connections = \"50\"\n"), "{text}");
        assert!(text.contains("innodb_doublewrite = \"ON\"\n"), "{text}");
        assert!(text.contains("read_only = \"OFF\"\n"), "{text}");
    }

    #[test]
    fn a_reader_takes_no_writes_and_syncs_nothing() {
        let text = config(MariadbRole::Reader, &[]).render(&paths()).unwrap();
        assert!(text.contains("read_only = \"ON\"\n"), "{text}");
        assert!(
            text.contains("innodb_flush_log_at_trx_commit = \"0\"\n"),
            "{text}"
        );
    }

    #[test]
    fn a_value_cannot_leave_its_line() {
        let role = MariadbRole::Reader;
        for value in ["x\ny", "a\"b", "a\\nb"] {
            let asked = [("sql_mode", value)];
            assert!(config(role, &asked).render(&paths()).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_collation_of_another_character_set_is_left_out() {
        for (set, collation, fits) in [
            ("latin1", "latin1_bin", true),
            ("utf8", "utf8mb3_general_ci", true),
            ("latin1", "utf8mb4_bin", false),
            ("binary", "binary", true),
        ] {
            let asked = [
                ("character_set_server", set),
                ("collation_server", collation),
            ];
            let text = config(MariadbRole::Reader, &asked)
                .render(&paths())
                .unwrap();
            assert_eq!(text.contains("collation_server"), fits, "{set} {collation}");
        }
    }

    #[test]
    fn members_have_numbers_of_their_own() {
        assert_ne!(server_id("db-A"), server_id("db-B"));
        assert_ne!(server_id("db-A"), 0);
    }
}
