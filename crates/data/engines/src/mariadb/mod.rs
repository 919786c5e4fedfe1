//! One MariaDB member: its folder, its configuration, its server, and the questions asked of it.
//!
//! The administrator ([`ADMIN_USER`]) comes in over the Unix socket alone, with a password that each start makes anew and
//! that nobody but the running node knows. Followers come with a client certificate ([`REPLICATION_USER`]).

mod accounts;
mod admin;
mod catalogue;
mod config;
mod follow;
mod install;
mod password;
mod paths;
mod running;
mod server;
mod tools;

pub use crate::folder::{TlsFiles, TlsPem};
pub use crate::process::ExitKind;
pub use accounts::{Bootstrap, bootstrap, set_master_password};
pub use catalogue::{MariadbParameter, ParameterKind, parameters};
pub use config::{MariadbConfig, MariadbRole, server_id};
pub use follow::{FollowState, Source, follow, follow_state};
pub use install::{MariadbInstall, MariadbVersion, find_mariadb};
pub use password::{PasswordHash, password_hash};
pub use paths::MariadbPaths;
pub use running::RunningMariadb;
pub use server::{MariadbHost, MariadbServer};
pub use tools::install_in_place;

/// The administrator's account: every privilege, over the Unix socket only.
pub const ADMIN_USER: &str = "rdsadmin";
/// The account that follows; comes with a client certificate of that name only.
pub const REPLICATION_USER: &str = "rdsrepladmin";
