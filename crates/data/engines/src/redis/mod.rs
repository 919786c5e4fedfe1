//! One Redis or Valkey server: its folder, its configuration, its accounts, its process, and what is asked of it.
//!
//! Owns the names of the inner accounts and what each may do. Must not know who should lead.
//!
//! A server of the own node is reached by its Unix socket, which only the engine's account and root can enter: so transit
//! encryption needs no certificate on this side. Only who moves slots talks to a server of another node.

mod access;
mod client;
mod cluster;
mod cluster_orders;
mod config;
mod info;
mod paths;
mod server;

pub use access::{ClientUser, acl_file, restrict};
pub use client::RedisClient;
pub use cluster::{ClusterNode, ClusterNodeId, SLOTS};
pub use cluster_orders::{Promotion, SlotOrder};
pub use config::{ClusterMode, RedisConfig, RedisTls};
pub use info::{ReplicaInfo, ServerInfo};
pub use paths::RedisPaths;
pub use server::{RedisHost, RedisServer, RunningRedis};

pub(crate) use config::{quoted, tls_lines};
pub(crate) use server::wait_ready;

/// The account of agents: may do everything.
pub const AGENT_ACCOUNT: &str = "quorate";
/// The account of replicas at their primary.
pub const REPLICA_ACCOUNT: &str = "replica";
/// The account of Sentinels.
pub const SENTINEL_ACCOUNT: &str = "sentinel";
