//! Start, probe, promote, fence and stop one database process.
//!
//! Owns everything between a member's folder on disk and a PostgreSQL server that answers: the
//! account that engines run as, the guard that outlives a node just long enough to kill its engine,
//! the configuration files, the copy and rewind of data folders, and the questions asked of a
//! running server. Must not know who should lead, what the catalog says, or what an instance means
//! to its owner.

mod account;
mod cgroup;
mod clock;
mod discover;
mod durable;
mod error;
pub mod guard;
pub mod postgres;
mod settings;

pub use account::{DEFAULT_ACCOUNT, EngineAccount};
pub use cgroup::Limits;
pub use clock::Deadline;
pub use discover::{EngineVersion, PostgresInstall, find_postgres};
pub use error::EngineError;
pub use settings::{SettingContext, SettingInfo, SettingType};
