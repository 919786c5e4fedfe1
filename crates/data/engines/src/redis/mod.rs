//! One Redis or Valkey server: its folder, its configuration, its accounts, its process, and what is asked of it.
//!
//! Owns the names of the inner accounts and what each may do. Must not know who should lead.
//!
//! Everything here reaches a server by its Unix socket, which only the engine's account and root can enter: so transit
//! encryption needs no certificate on this side.

mod access;
mod client;
mod config;
mod info;
mod paths;
mod server;

pub use access::{ClientUser, acl_file, restrict};
pub use client::RedisClient;
pub use config::{RedisConfig, RedisTls};
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
