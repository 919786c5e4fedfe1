//! The configuration files of one server: all ours, written anew at each start and reload.
//!
//! Invariants
//! - Settings that replication, fencing or the administrator's access stand on cannot be
//!   overridden.
//! - A value cannot leave its quotes, nor a name its line.
//! - Nobody but the administrator comes in through the socket; the administrator through nothing
//!   else.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::commit_guard;
use super::conninfo::Upstream;
use super::paths::MemberPaths;
use super::{ADMIN_ROLE, REPLICATION_ROLE};
use crate::account::EngineAccount;
use crate::durable;
use crate::error::EngineError;
use crate::folder::TlsFiles;

/// The least number of walsenders and slots: fifteen replicas, a standby, copies under way, and a
/// reserve.
const REPLICATION_LINKS_MIN: u32 = 25;

/// Values that stand unless the parameters say otherwise.
const DEFAULTS: [(&str, &str); 5] = [
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("max_slot_wal_keep_size", "16GB"),
    ("shared_buffers", "128MB"),
    ("timezone", "UTC"),
    ("wal_keep_size", "256MB"),
];

/// The parameter that the module for commits shares with the user's own libraries.
const PRELOAD: &str = "shared_preload_libraries";

/// Words that would be directives, not settings.
const DIRECTIVES: [&str; 3] = ["include", "include_dir", "include_if_exists"];

/// What one server is to run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// Where it listens for clients and followers.
    pub listen: SocketAddr,
    /// The name shown in process titles.
    pub cluster_name: String,
    /// The parameter group's values in PostgreSQL's own words. Those that Quorate owns are passed
    /// over.
    pub parameters: BTreeMap<String, String>,
    /// Certificate and key of the server, and the authority that certificates of followers come
    /// from.
    pub tls: TlsFiles,
    /// Whether clients must use TLS (`rds.force_ssl`).
    pub force_ssl: bool,
    /// The server to follow; `None` for one that takes writes.
    pub upstream: Option<Upstream>,
    /// Whether it starts as a follower though there is no `upstream`: it goes by the log that it has, and takes no writes.
    pub waits_for_upstream: bool,
    /// The application name of the follower that each commit waits for.
    pub synchronous_standby: Option<String>,
    /// Whether pages go to the log whole after each checkpoint. Off only where a crash cannot leave half a page behind.
    pub full_page_writes: bool,
}

impl PostgresConfig {
    /// The text of `postgresql.conf`, for a server that loads the module `commit_guard` first, if
    /// there is one.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for a name or value that cannot be written.
    pub fn render(
        &self,
        paths: &MemberPaths,
        commit_guard: Option<&Path>,
    ) -> Result<String, EngineError> {
        let mut owned = self.owned(paths);
        if let Some(module) = commit_guard {
            let mut asked = self.parameters.iter();
            let asked = asked.find(|(name, _)| name.eq_ignore_ascii_case(PRELOAD));
            let list = commit_guard::preloaded(module, asked.map(|(_, value)| value.as_str()));
            owned.insert(PRELOAD, list);
        }
        let mut settings: BTreeMap<String, &str> = BTreeMap::new();
        // Names are the same in small and capital letters, so that no spelling escapes the last
        // word.
        settings.extend(
            DEFAULTS
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value)),
        );
        settings.extend(
            self.parameters
                .iter()
                .map(|(n, v)| (n.to_ascii_lowercase(), v.as_str())),
        );
        settings.extend(
            owned
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_str())),
        );
        let mut text =
            String::from("# Written by Quorate at each start and reload: changes here are lost.\n");
        for (name, value) in settings {
            check_name(&name)?;
            let _ = writeln!(text, "{name} = {}", quote(&name, value)?);
        }
        Ok(text)
    }

    /// The settings that no parameter overrides.
    fn owned(&self, paths: &MemberPaths) -> BTreeMap<&'static str, String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let standby = |name: &String| format!("FIRST 1 (\"{}\")", name.replace('"', "\"\""));
        let mut owned: BTreeMap<&'static str, String> = [
            ("fsync", "on"),
            (
                "full_page_writes",
                if self.full_page_writes { "on" } else { "off" },
            ),
            ("hot_standby", "on"),
            ("lc_messages", "C"),
            ("log_destination", "stderr"),
            ("logging_collector", "off"),
            ("password_encryption", "scram-sha-256"),
            ("recovery_target_timeline", "latest"),
            ("restart_after_crash", "on"),
            ("ssl", "on"),
            ("ssl_crl_file", ""),
            ("tcp_keepalives_count", "3"),
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "1"),
            ("unix_socket_permissions", "0700"),
            ("wal_log_hints", "on"),
            ("wal_receiver_status_interval", "1s"),
            ("wal_receiver_timeout", "5s"),
            ("wal_retrieve_retry_interval", "200ms"),
            ("wal_sender_timeout", "5s"),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
        let logical = self.parameters.get("rds.logical_replication");
        let logical = logical.is_some_and(|v| matches!(v.as_str(), "1" | "on" | "true" | "yes"));
        owned.insert(
            "wal_level",
            String::from(if logical { "logical" } else { "replica" }),
        );
        for name in ["max_wal_senders", "max_replication_slots"] {
            let asked = self
                .parameters
                .get(name)
                .and_then(|value| value.parse().ok());
            owned.insert(
                name,
                asked.unwrap_or(0).max(REPLICATION_LINKS_MIN).to_string(),
            );
        }
        owned.insert("cluster_name", self.cluster_name.clone());
        owned.insert("listen_addresses", self.listen.ip().to_string());
        owned.insert("port", self.listen.port().to_string());
        owned.insert("unix_socket_directories", path(paths.socket()));
        owned.insert("hba_file", path(&paths.data().join("pg_hba.conf")));
        owned.insert("ident_file", path(&paths.data().join("pg_ident.conf")));
        owned.insert("ssl_cert_file", path(&self.tls.cert));
        owned.insert("ssl_key_file", path(&self.tls.key));
        owned.insert("ssl_ca_file", path(&self.tls.ca));
        let follow = self.upstream.as_ref();
        owned.insert(
            "primary_conninfo",
            follow.map(Upstream::conninfo).unwrap_or_default(),
        );
        let slot = follow.and_then(|upstream| upstream.slot.clone());
        owned.insert("primary_slot_name", slot.unwrap_or_default());
        let names = self.synchronous_standby.as_ref().map(standby);
        owned.insert("synchronous_standby_names", names.unwrap_or_default());
        owned
    }

    /// The text of `pg_hba.conf`.
    #[must_use]
    pub fn render_hba(&self) -> String {
        let mut rules = vec![
            format!("local   all         {ADMIN_ROLE}      peer map=quorate"),
            String::from("local   all         all                reject"),
            format!("hostssl replication {REPLICATION_ROLE}  all cert"),
            format!("hostssl all         {REPLICATION_ROLE}  all cert"),
            format!("host    all         {ADMIN_ROLE},{REPLICATION_ROLE} all reject"),
            format!("host    replication {ADMIN_ROLE},{REPLICATION_ROLE} all reject"),
            String::from("hostssl all         all  all scram-sha-256"),
        ];
        if !self.force_ssl {
            rules.push(String::from("hostnossl all       all  all scram-sha-256"));
        }
        rules.push(String::new());
        rules.join("\n")
    }

    /// Writes every file into the data folder; `follow` also tells the server to start as a
    /// follower, or not to.
    pub(crate) fn write(
        &self,
        paths: &MemberPaths,
        account: &EngineAccount,
        commit_guard: Option<&Path>,
        follow: Option<bool>,
    ) -> Result<(), EngineError> {
        let data = paths.data();
        let ident = render_ident(account);
        let files = [
            ("postgresql.conf", self.render(paths, commit_guard)?),
            ("postgresql.auto.conf", String::new()),
            ("pg_hba.conf", self.render_hba()),
            ("pg_ident.conf", ident),
        ];
        let failed = |name: &str| EngineError::io(format!("write {}", data.join(name).display()));
        for (name, text) in &files {
            if std::fs::read(data.join(name)).is_ok_and(|there| there == text.as_bytes()) {
                continue;
            }
            durable::write_whole(&data.join(name), text.as_bytes(), 0o600, account)
                .map_err(failed(name))?;
        }
        let signal = data.join("standby.signal");
        match follow {
            Some(true) => durable::write_whole(&signal, b"", 0o600, account),
            Some(false) => durable::remove(&signal),
            None => Ok(()),
        }
        .map_err(failed("standby.signal"))
    }
}

/// Who on this machine is the administrator: root, the node's user, the engines' account.
fn render_ident(account: &EngineAccount) -> String {
    let node = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .ok()
        .flatten();
    let mut users = vec![String::from("root"), account.name().to_owned()];
    users.extend(node.map(|user| user.name));
    users.sort();
    users.dedup();
    users
        .iter()
        .map(|user| format!("quorate \"{}\" {ADMIN_ROLE}\n", user.replace('"', "\"\"")))
        .collect()
}

fn check_name(name: &str) -> Result<(), EngineError> {
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
    let part = |part: &str| {
        part.starts_with(starts)
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
    };
    let refuse = |why: &str| {
        Err(EngineError::Parameter {
            parameter: name.to_owned(),
            why: why.to_owned(),
        })
    };
    if DIRECTIVES.contains(&name.to_ascii_lowercase().as_str()) {
        return refuse("it is a directive, not a parameter");
    }
    if name.len() > 128 || !name.split('.').all(part) {
        return refuse("names are letters, digits, `_` and `$` in parts joined by dots");
    }
    Ok(())
}

/// A value as the configuration file's scanner reads it (`guc-file.l`, `DeescapeQuotedString`).
fn quote(name: &str, value: &str) -> Result<String, EngineError> {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('\'');
    for c in value.chars() {
        match c {
            '\'' => text.push_str("''"),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\0' => {
                return Err(EngineError::Parameter {
                    parameter: name.to_owned(),
                    why: String::from("its value holds a zero byte"),
                });
            }
            other => text.push(other),
        }
    }
    text.push('\'');
    Ok(text)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
