//! What a server tells of itself by INFO.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A server's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Another one for each process.
    pub run_id: String,
    /// It loads its data: nothing else is asked of it yet.
    pub loading: bool,
    /// Of a replica: its primary and the link to it.
    pub replica: Option<ReplicaInfo>,
    /// Bytes of the replication stream written, or applied.
    pub offset: u64,
    /// Bytes of memory in use.
    pub memory_bytes: u64,
    /// Replicas that are connected.
    pub replicas: u32,
    /// A background save is under way.
    pub saving: bool,
    /// Whether the last background save worked.
    pub save_ok: bool,
}

/// A replica's side of replication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaInfo {
    /// Whom it follows.
    pub primary: Option<SocketAddr>,
    /// Whether the link is up.
    pub linked: bool,
    /// Whether a full copy is being received.
    pub copying: bool,
}

impl ServerInfo {
    /// Reads INFO's answer. Fields that are not there count as nothing.
    #[must_use]
    pub fn parse(text: &str) -> ServerInfo {
        let fields: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.trim().split_once(':'))
            .collect();
        let number = |name: &str| -> u64 {
            let field = fields.get(name);
            field.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        let is = |name: &str, value: &str| fields.get(name) == Some(&value);
        let primary = || {
            let ip: IpAddr = fields.get("master_host")?.parse().ok()?;
            Some(SocketAddr::new(
                ip,
                fields.get("master_port")?.parse().ok()?,
            ))
        };
        let replica = is("role", "slave").then(|| ReplicaInfo {
            primary: primary(),
            linked: is("master_link_status", "up"),
            copying: is("master_sync_in_progress", "1"),
        });
        let offset = match replica {
            Some(_) => number("slave_repl_offset"),
            None => number("master_repl_offset"),
        };
        ServerInfo {
            run_id: fields.get("run_id").copied().unwrap_or_default().to_owned(),
            loading: is("loading", "1"),
            replica,
            offset,
            memory_bytes: number("used_memory"),
            replicas: u32::try_from(number("connected_slaves")).unwrap_or(u32::MAX),
            saving: is("rdb_bgsave_in_progress", "1"),
            save_ok: is("rdb_last_bgsave_status", "ok"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_and_a_primary_are_told_apart() {
        let text = "# Replication\r\nrole:slave\r\nmaster_host:127.0.1.1\r\nmaster_port:20001\r\n\
            master_link_status:up\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:140\r\n\
            master_repl_offset:140\r\n# Memory\r\nused_memory:1024\r\nloading:0\r\n";
        let info = ServerInfo::parse(text);
        let replica = info.replica.unwrap();
        assert_eq!(replica.primary, Some("127.0.1.1:20001".parse().unwrap()));
        assert!(replica.linked && !replica.copying && !info.loading);
        assert_eq!((info.offset, info.memory_bytes), (140, 1024));
        let info =
            ServerInfo::parse("role:master\r\nconnected_slaves:2\r\nmaster_repl_offset:9\r\n");
        assert_eq!((info.replica, info.replicas, info.offset), (None, 2, 9));
        let strange = ServerInfo::parse("\u{0}garbage\nrole\n:::");
        assert_eq!((strange.replica, strange.offset), (None, 0));
    }
}
