//! Start, probe, promote, fence and stop one database process.
//!
//! Owns everything between a member's folder on disk and a server (PostgreSQL, MariaDB, Redis or Valkey with its
//! Sentinel, Memcached) that answers: the account that engines run as, the guard that outlives a node just long enough to kill its engine,
//! the configuration files, the copy and rewind of data folders, and the questions asked of a
//! running server. Must not know who should lead, what the catalog says, or what an instance means
//! to its owner.

mod account;
mod cgroup;
mod clock;
mod discover;
mod discover_cache;
mod durable;
mod error;
mod folder;
pub mod guard;
mod logtail;
pub mod mariadb;
pub mod memcached;
pub mod postgres;
mod process;
pub mod redis;
pub mod sentinel;
mod settings;
mod strays;

pub use account::{DEFAULT_ACCOUNT, EngineAccount};
pub use cgroup::Limits;
pub use clock::Deadline;
pub use discover::{EngineVersion, PostgresInstall, find_postgres};
pub use discover_cache::{
    MemcachedInstall, RedisFlavour, RedisInstall, find_memcached, find_redis,
};
pub use error::EngineError;
pub use folder::{TlsFiles, TlsPem};
pub use process::ExitKind;
pub use settings::{SettingContext, SettingInfo, SettingType};
