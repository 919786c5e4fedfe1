//! One PostgreSQL member: its folder, its configuration, its server, and the questions asked of it.

mod admin;
mod barrier;
mod cancel;
mod catalogue;
mod commit_guard;
mod config;
mod conninfo;
mod controldata;
mod marker;
mod paths;
mod position;
mod probe;
mod roles;
mod running;
mod server;
mod tools;

pub use crate::folder::{TlsFiles, TlsPem};
pub use crate::process::ExitKind;
pub use cancel::CancelOutcome;
pub use catalogue::describe_settings;
pub use config::PostgresConfig;
pub use conninfo::Upstream;
pub use controldata::ControlData;
pub use marker::{MemberMarker, MemberRole};
pub use paths::{DataState, MemberPaths};
pub use position::{TimelineId, WalPosition};
pub use probe::{
    FollowerLag, ReplicationPeer, ReplicationSlot, ServerState, create_slot, drop_slot,
    follower_lag, pending_restart, replication_peers, server_state, slots, sync_waiters,
    waiting_for_sync,
};
pub use roles::{Bootstrap, bootstrap, create_database, set_master_password};
pub use running::{RunningPostgres, StopMode};
pub use server::{PostgresHost, PostgresServer};
pub use tools::{PostgresTools, RewindOutcome};

/// The administrator's role: superuser, over the Unix socket only.
pub const ADMIN_ROLE: &str = "rdsadmin";
/// The database that the administrator connects to once it is there; nobody else may.
pub const ADMIN_DATABASE: &str = "rdsadmin";
/// The role that copies, follows and rewinds; comes with a client certificate of that name only.
pub const REPLICATION_ROLE: &str = "rdsrepladmin";
