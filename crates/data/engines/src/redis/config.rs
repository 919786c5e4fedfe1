//! The configuration file of a server, rendered whole.

use std::fmt::Write;
use std::net::SocketAddr;

use super::REPLICA_ACCOUNT;
use super::paths::RedisPaths;
use crate::error::EngineError;
use crate::folder::TlsFiles;

/// Save after so many seconds when at least so many keys changed: what a lone server that crashes comes back with.
const SAVE_POINTS: &str = "3600 1 300 100 60 10000";

/// Whether a server talks TLS, to clients and for replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisTls {
    /// Not at all.
    Off,
    /// With nobody otherwise.
    Only,
}

/// A server of a cluster that does not answer for so long is held for gone: its replicas then ask for votes.
const CLUSTER_NODE_TIMEOUT_MS: u32 = 1_500;

/// What a server of a cluster needs beside the rest. Its `nodes.conf` says whom it follows, not the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterMode {
    /// Where the servers of the cluster talk to each other.
    pub bus_port: u16,
}

/// What a server is configured with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Transit encryption.
    pub tls: RedisTls,
    /// Whom it follows; none for a primary, and in a cluster.
    pub primary: Option<SocketAddr>,
    /// Whether it is one of a cluster. Needs version 7.0.
    pub cluster: Option<ClusterMode>,
    /// The inner accounts' password: goes into the file (mode 0600), nowhere else.
    pub inner_password: String,
    /// Settings with their values (words), of parameter groups and of the node type; a name may come more than once.
    pub parameters: Vec<(String, String)>,
}

impl RedisConfig {
    /// The file's text.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] when a name or value cannot stand in the file.
    pub fn render(&self, paths: &RedisPaths) -> Result<String, EngineError> {
        let mut file = String::new();
        let mut line = |name: &str, words: &[&str]| -> Result<(), EngineError> {
            file.push_str(name);
            for word in words {
                // Writing to a string cannot fail.
                let _ = write!(file, " {}", quoted(name, word)?);
            }
            file.push('\n');
            Ok(())
        };
        line("daemonize", &["no"])?;
        line("logfile", &[""])?;
        line("protected-mode", &["no"])?;
        line("bind", &[&self.listen.ip().to_string()])?;
        let port = self.listen.port().to_string();
        match self.tls {
            RedisTls::Off => line("port", &[&port])?,
            RedisTls::Only => {
                line("port", &["0"])?;
                line("tls-port", &[&port])?;
                tls_lines(&paths.tls(), &mut line)?;
            }
        }
        // The source of a connection between loopback addresses is not where the other side listens.
        line("replica-announce-ip", &[&self.listen.ip().to_string()])?;
        line("replica-announce-port", &[&port])?;
        line("unixsocket", &[&paths.socket().to_string_lossy()])?;
        line("unixsocketperm", &["700"])?;
        line("dir", &[&paths.data().to_string_lossy()])?;
        line("dbfilename", &["dump.rdb"])?;
        line("aclfile", &[&paths.acl().to_string_lossy()])?;
        line("masteruser", &[REPLICA_ACCOUNT])?;
        line("masterauth", &[&self.inner_password])?;
        line("replica-read-only", &["yes"])?;
        line("repl-diskless-sync-delay", &["0"])?;
        line("stop-writes-on-bgsave-error", &["no"])?;
        line("save", &SAVE_POINTS.split(' ').collect::<Vec<_>>())?;
        if let Some(cluster) = &self.cluster {
            self.cluster_lines(cluster, paths, &mut line)?;
        }
        for (name, value) in &self.parameters {
            check_name(name)?;
            let words: Vec<&str> = value.split_whitespace().collect();
            line(name, if words.is_empty() { &[""] } else { &words })?;
        }
        if let Some(primary) = self.primary {
            line(
                "replicaof",
                &[&primary.ip().to_string(), &primary.port().to_string()],
            )?;
        }
        Ok(file)
    }

    fn cluster_lines(
        &self,
        cluster: &ClusterMode,
        paths: &RedisPaths,
        line: &mut impl FnMut(&str, &[&str]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        line("cluster-enabled", &["yes"])?;
        line("cluster-config-file", &["nodes.conf"])?;
        let timeout_ms = CLUSTER_NODE_TIMEOUT_MS.to_string();
        line("cluster-node-timeout", &[&timeout_ms])?;
        // The record says which shard a member is of, also when its shard has no slots.
        line("cluster-allow-replica-migration", &["no"])?;
        let (ip, port) = (self.listen.ip().to_string(), self.listen.port().to_string());
        let bus_port = cluster.bus_port.to_string();
        line("cluster-port", &[&bus_port])?;
        line("cluster-announce-ip", &[&ip])?;
        line("cluster-announce-bus-port", &[&bus_port])?;
        match self.tls {
            RedisTls::Off => line("cluster-announce-port", &[&port]),
            RedisTls::Only => {
                line("cluster-announce-tls-port", &[&port])?;
                line("tls-cluster", &["yes"])?;
                // The bus wants a client's certificate of whoever connects, whatever clients show.
                let own = paths.client_tls();
                line("tls-client-cert-file", &[&own.cert.to_string_lossy()])?;
                line("tls-client-key-file", &[&own.key.to_string_lossy()])
            }
        }
    }
}

pub(crate) fn tls_lines(
    files: &TlsFiles,
    line: &mut impl FnMut(&str, &[&str]) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    line("tls-cert-file", &[&files.cert.to_string_lossy()])?;
    line("tls-key-file", &[&files.key.to_string_lossy()])?;
    line("tls-ca-cert-file", &[&files.ca.to_string_lossy()])?;
    // Clients show passwords, not certificates.
    line("tls-auth-clients", &["no"])?;
    line("tls-replication", &["yes"])
}

fn check_name(name: &str) -> Result<(), EngineError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let include = ["include", "loadmodule", "user"].contains(&name);
    if !name.is_empty() && name.chars().all(plain) && !include {
        return Ok(());
    }
    Err(EngineError::Parameter {
        parameter: name.to_owned(),
        why: String::from("it is not the name of a setting"),
    })
}

/// One word of a configuration line, in quotes.
pub(crate) fn quoted(name: &str, word: &str) -> Result<String, EngineError> {
    if word.chars().any(char::is_control) {
        return Err(EngineError::Parameter {
            parameter: name.to_owned(),
            why: String::from("its value has a control character"),
        });
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::EngineAccount;

    fn render(change: impl FnOnce(&mut RedisConfig)) -> Result<String, EngineError> {
        let account = EngineAccount::resolve(None).unwrap();
        let paths = RedisPaths::new(std::path::Path::new("/var/lib/q/m"), &account).unwrap();
        let mut config = RedisConfig {
            listen: "127.0.1.1:20001".parse().unwrap(),
            tls: RedisTls::Off,
            primary: None,
            cluster: None,
            inner_password: String::from("inner"),
            parameters: Vec::new(),
        };
        change(&mut config);
        config.render(&paths)
    }

    #[test]
    fn a_server_with_transit_encryption_listens_with_tls_alone() {
        let file = render(|c| c.tls = RedisTls::Only).unwrap();
        assert!(
            file.contains("\nport \"0\"\ntls-port \"20001\"\n"),
            "{file}"
        );
        assert!(file.contains("\ntls-replication \"yes\"\n"));
        let file = render(|_| ()).unwrap();
        assert!(file.contains("\nport \"20001\"\n") && !file.contains("tls-"));
    }

    #[test]
    fn a_replica_names_its_primary_and_parameters_are_quoted() {
        let file = render(|c| {
            c.primary = Some("127.0.2.1:20002".parse().unwrap());
            let value = String::from("normal \"b\" \\");
            c.parameters.push((String::from("client-output"), value));
        })
        .unwrap();
        assert!(
            file.ends_with("replicaof \"127.0.2.1\" \"20002\"\n"),
            "{file}"
        );
        assert!(file.contains("client-output \"normal\" \"\\\"b\\\"\" \"\\\\\"\n"));
    }

    #[test]
    fn a_server_of_a_cluster_says_where_it_is_and_shows_a_certificate_on_the_bus() {
        let bus_port = 10_001;
        let file = render(|c| c.cluster = Some(ClusterMode { bus_port })).unwrap();
        assert!(file.contains("\ncluster-enabled \"yes\"\n"), "{file}");
        assert!(file.contains("\ncluster-announce-port \"20001\"\n"));
        assert!(file.contains("\ncluster-port \"10001\"\n") && !file.contains("replicaof"));
        let file = render(|c| {
            c.cluster = Some(ClusterMode { bus_port });
            c.tls = RedisTls::Only;
        })
        .unwrap();
        assert!(file.contains("\ntls-cluster \"yes\"\ntls-client-cert-file \""));
        assert!(file.contains("\ncluster-announce-tls-port \"20001\"\n"));
    }

    #[test]
    fn a_parameter_cannot_smuggle_a_line_or_a_file_in() {
        for (name, value) in [("maxmemory", "1\u{7}"), ("include", "/etc/x"), ("a b", "1")] {
            let refused = render(|c| {
                c.parameters.push((name.to_owned(), value.to_owned()));
            });
            assert!(
                matches!(refused, Err(EngineError::Parameter { .. })),
                "{name}"
            );
        }
    }
}
